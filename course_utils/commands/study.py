"""Run a comparison of several trainings and write its figures to data/studies/NAME.json."""

import argparse
from pathlib import Path

from course_utils.commands import fail

NAME = "study"
HELP = "run a comparison that is too slow for a notebook"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the study; an unknown name lists all")
    parser.add_argument("--out", type=Path, help="JSON file (default: data/studies/NAME.json)")
    parser.add_argument("--steps", type=int, help="a smaller budget, to try the study out")
    parser.add_argument(
        "--seeds", type=int, nargs="+", metavar="S", help="only these (default: all of the study)"
    )
    parser.add_argument(
        "--rows",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="take over what other calls have trained already, with other seeds for instance",
    )


def run(arguments: argparse.Namespace) -> int:
    from course_utils.studies import run_study

    try:
        path = run_study(
            arguments.name, arguments.out, arguments.steps, arguments.seeds, arguments.rows
        )
    except (ValueError, FileNotFoundError) as error:
        return fail(str(error))
    print(path)
    return 0
