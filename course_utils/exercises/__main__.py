"""Print the exercise cells of a notebook, or write them into it: `… exercises 03 --write`."""

import argparse
import sys
from pathlib import Path

from course_utils.console import leave, program
from course_utils.exercises import get, numbers
from course_utils.exercises.cells import find_notebook, percent_format, write_cells
from course_utils.paths import REPO


def main(arguments: list[str] | None = None) -> int:
    """Print or write the cells; returns the exit status."""
    known = list(dict.fromkeys(number.split(".")[0] for number in numbers()))
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.exercises",
        description="Print the exercise cells of a notebook in jupytext's percent format.",
    )
    parser.add_argument(
        "notebook", nargs="?", choices=known, help="number of a notebook; default: all"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the cells into the notebook instead"
    )
    parser.add_argument(
        "--folder", type=Path, default=REPO / "notebooks", help="where the notebooks are"
    )
    chosen = parser.parse_args(arguments)
    status = 0
    for notebook in [chosen.notebook] if chosen.notebook else known:
        exercises = [get(number) for number in numbers(notebook)]
        if not chosen.write:
            print("\n".join(map(percent_format, exercises)))
            continue
        try:
            path = find_notebook(notebook, chosen.folder)
            changes = write_cells(path, exercises)
        except ValueError as error:
            print(f"Notebook {notebook}, nothing written: {error}", file=sys.stderr)
            status = 1
            continue
        for change in changes or ["already up to date"]:
            print(f"{path.name}: {change}")
        if changes:
            print(f"Now execute the notebook: make outputs NB={notebook}")
    return status


if __name__ == "__main__":
    leave(program(main))
