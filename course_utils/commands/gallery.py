"""Draw the pictures of the README from the checkpoints that come with the course."""

import argparse
from pathlib import Path

from course_utils.commands import report_error

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "gallery"
HELP = "draw the pictures of the README"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where they go (default: data/gallery)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from course_utils.checkpoints import CheckpointError
    from course_utils.gallery import draw_gallery

    try:
        for path in draw_gallery(arguments.out):
            print(path)
    except (CheckpointError, OSError) as error:
        return report_error(str(error))
    return 0
