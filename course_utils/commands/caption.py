"""Caption photos: for each one a line with its path, a tab and the caption, in the given order.

Any size and kind of picture goes. For a file that is no picture there is one line on standard
error; the others are captioned all the same, and the exit status is 1.
"""

import argparse
import os
import sys
from pathlib import Path

from course_utils.commands import fail

CHUNK = 32  # photos captioned together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="a picture file")
    parser.add_argument(
        "--checkpoint",
        default="captioning-flickr8k",
        metavar="NAME",
        help="a checkpoint of the course or a folder (default: %(default)s)",
    )
    parser.add_argument(
        "--beam", type=int, default=3, metavar="K", help="width of the beam (default: 3)"
    )
    parser.add_argument(
        "--attention",
        type=Path,
        metavar="FILE or FOLDER",
        help="where each word looks, drawn over the photo: into FILE.png (for several photos "
        "FILE-1.png, FILE-2.png, …), or into a folder under the photos' names",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.beam < 1:
        return fail(f"--beam must be at least 1, got {arguments.beam}")
    target = arguments.attention
    if target is not None and not (target.is_dir() or target.parent.is_dir()):
        return fail(f"the folder of --attention {target} does not exist")
    from course_utils.captioning import Captioner
    from course_utils.checkpoints import CheckpointError
    from course_utils.photos import PhotoError, photo_features, read_photo

    try:
        captioner = Captioner.load(arguments.checkpoint)
        status = 0
        for start in range(0, len(arguments.photos), CHUNK):
            paths, pictures = [], []
            for number, path in enumerate(arguments.photos[start : start + CHUNK], start + 1):
                try:
                    pictures.append(read_photo(path))
                    paths.append((number, path))
                except PhotoError as error:
                    status = fail(str(error))
            captions = captioner.caption(photo_features(pictures), beam=arguments.beam)
            for (number, path), picture, caption in zip(paths, pictures, captions, strict=True):
                line = " ".join(caption.text.split())
                sys.stdout.buffer.write(_one_line(path) + b"\t" + line.encode("utf-8") + b"\n")
                if target is not None:
                    several = len(arguments.photos) > 1
                    draw(picture, caption, _place(target, path, number, several))
            sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has seen enough (head): nobody is left to write to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CheckpointError, ValueError, OSError) as error:
        return fail(str(error))
    return status


def _one_line(path: str) -> bytes:
    """The path's own bytes; line ends and tabs in a name would break the format."""
    return os.fsencode("".join(c if c not in "\n\r\t" else "?" for c in path))


def _place(target: Path, photo: str, number: int, several: bool) -> Path:
    """Where the picture of one photo goes."""
    if target.is_dir():
        return (
            target / f"{number:03d}-{Path(photo).stem}.png"
            if several
            else (target / f"{Path(photo).stem}.png")
        )
    suffix = f"-{number}" if several else ""
    return target.with_name(target.stem + suffix + (target.suffix or ".png"))


def draw(picture, caption, path: Path) -> None:
    """Write the overlays of one caption."""
    import matplotlib

    matplotlib.use("Agg")
    from course_utils.plotting import picture_attention, plt

    fig = picture_attention(picture, caption.word_attention, caption.words)
    fig.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(fig)
