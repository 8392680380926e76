"""Caption photos: for each one a line with its path, a tab and the caption, in the given order.

Any size and kind of picture goes. For a file that is no picture there is one line on standard
error; the others are captioned all the same, and the exit status is 1.
"""

import argparse
from pathlib import Path

from course_utils.commands import fail
from course_utils.commands.files import picture_of, write_answer, write_picture
from course_utils.commands.lines import run_reporting
from course_utils.commands.options import add_beam, add_checkpoint, option_error, search_options

CHUNK = 32  # photos captioned together

NAME = "caption"
HELP = "describe photos with a checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="a picture file")
    add_checkpoint(parser, "captioning-flickr8k")
    add_beam(parser)
    parser.add_argument(
        "--attention",
        metavar="FILE.png|FOLDER/",
        help="where each word looks, drawn over the photo; for several photos FILE-1.png, "
        "FILE-2.png, … or FOLDER/NAME.png",
    )


def run(arguments: argparse.Namespace) -> int:
    if reason := option_error(arguments, folders=True):
        return fail(reason)
    from course_utils.checkpoints import CheckpointError
    from course_utils.images import PhotoError, read_photo
    from course_utils.models.photo_features import photo_features
    from course_utils.tasks.captioning.captioner import Captioner

    photos, bad = arguments.photos, []

    def work():
        captioner = Captioner.load(arguments.checkpoint)
        for start in range(0, len(photos), CHUNK):
            numbers, pictures = [], []
            for number, path in enumerate(photos[start : start + CHUNK], start + 1):
                try:
                    pictures.append(read_photo(path))
                    numbers.append(number)
                except PhotoError as error:
                    bad.append(fail(str(error)))
            captions = captioner.caption(
                photo_features(pictures), **search_options(arguments, captioner)
            )
            for number, picture, caption in zip(numbers, pictures, captions, strict=True):
                write_answer(photos[number - 1], caption.text)
                if arguments.attention is not None:
                    draw(picture, caption, picture_of(arguments.attention, photos, number))

    return run_reporting(work, CheckpointError, ValueError, OSError) or int(bool(bad))


def draw(picture, caption, path: Path) -> None:
    """Write the overlays of one caption."""
    from course_utils.plotting import picture_attention

    write_picture(picture_attention(picture, caption.word_attention, caption.words), path)
