"""Draw the pictures of the README from the checkpoints that come with the course."""

import argparse
from pathlib import Path

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
    from course_utils.gallery import draw_gallery

    for path in draw_gallery(arguments.out):
        print(path)
    return 0
