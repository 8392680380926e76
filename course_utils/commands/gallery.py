"""Draw the pictures of the README from the shipped checkpoints into data/gallery."""

import argparse
from pathlib import Path

from course_utils.commands import fail

NAME = "gallery"
HELP = "draw the pictures of the README"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="folder (default: data/gallery)")


def run(arguments: argparse.Namespace) -> int:
    from course_utils.checkpoints import CheckpointError
    from course_utils.gallery import draw_gallery

    try:
        for path in draw_gallery(arguments.out):
            print(path)
    except (CheckpointError, OSError) as error:
        return fail(str(error))
    return 0
