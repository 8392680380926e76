"""Caption photos: one line for each, with its path, a tab and the caption.

The photos may be of any size and format that Pillow reads. A file that is not a
picture gets one line on standard error; the others are captioned all the same,
and the exit status is 1.
"""

import argparse
from functools import partial
from typing import TYPE_CHECKING

from course_utils.commands.files import Answer, answer_files
from course_utils.commands.options import add_beam, add_checkpoint, check_options, search_options

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "caption"
HELP = "describe photos"
BATCH_SIZE = 32  # photos captioned together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("files", nargs="+", metavar="PHOTO", help="a picture file")
    add_checkpoint(parser, "captioning-flickr8k")
    add_beam(parser)
    parser.add_argument(
        "--attention",
        metavar="FILE.png|FOLDER/",
        help="draw over the photo where each word looks; for several photos, into FILE-1.png, "
        "FILE-2.png, … or FOLDER/PHOTO.png",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_options(arguments, folders=True)
    from course_utils.images import PhotoError, read_photo
    from course_utils.models.photo_features import photo_features
    from course_utils.tasks.captioning.captioner import Caption, Captioner

    captioner = Captioner.load(arguments.checkpoint)
    search = search_options(arguments, captioner.search)

    def draw(photo: "np.ndarray", caption: Caption) -> "Figure":
        from course_utils.plotting import picture_attention

        return picture_attention(photo, caption.word_attention, caption.words)

    def answer(photos: list) -> list[Answer]:
        captions = captioner.caption(photo_features(photos), **search)
        return [
            Answer(caption.text, partial(draw, photo, caption))
            for photo, caption in zip(photos, captions, strict=True)
        ]

    return answer_files(
        arguments.files,
        read_photo,
        answer,
        unreadable=PhotoError,
        pictures=arguments.attention,
        batch_size=BATCH_SIZE,
    )
