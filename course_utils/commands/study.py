"""Run a comparison of several trainings and write its results to
data/studies/NAME.json. An interrupted study resumes when the same command is
given again.
"""

import argparse
from pathlib import Path

from course_utils.commands.options import check_training
from course_utils.console import resumable

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "study"
HELP = "run a comparison that is too slow for a notebook"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("name", metavar="NAME", help="the study; an unknown name lists all")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="JSON file (default: data/studies/NAME.json)"
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="train each variant for N steps, to try a study out"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", metavar="S", help="run only these seeds (default: all)"
    )
    parser.add_argument(
        "--rows",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="take results from these files instead of training again, for instance those of other "
        "seeds",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_training(arguments.steps, arguments.seeds or ())
    from course_utils.studies import run_study

    with resumable():
        path = run_study(
            arguments.name, arguments.out, arguments.steps, arguments.seeds, arguments.rows
        )
    print(path)
    return 0
