"""Cells: the exercise cells of a notebook, printed or written from the masters.

An exercise has two cells in its notebook: the statement, a Markdown cell that begins with
``### … NN.M``, and directly below it the stub, a code cell with the tag ``exercise:NN.M``.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from course_utils.exercises.judging import Exercise
from course_utils.messages import _
from course_utils.runtime import write_text

__all__ = ["find_notebook", "percent_format", "update_cells", "write_cells"]

Cell = dict[str, Any]  # as in the notebook's file


def percent_format(exercise: Exercise) -> str:
    """The two cells of an exercise in jupytext's percent format."""
    statement = "\n".join(f"# {line}".rstrip() for line in exercise.statement.splitlines())
    return (
        f'# %% [markdown] slideshow={{"slide_type": "skip"}}\n{statement}\n\n'
        f'# %% tags=["exercise:{exercise.number}"] slideshow={{"slide_type": "skip"}}\n'
        f"{exercise.cell_source}\n"
    )


def find_notebook(notebook: str, folder: Path) -> Path:
    """The file NN_*.ipynb in a folder. Raises ValueError unless there is exactly one."""
    found = sorted(folder.glob(f"{notebook}_*.ipynb"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "no file"
        raise ValueError(f"expected one notebook {notebook}_*.ipynb in {folder}, found {names}")
    return found[0]


def write_cells(path: Path, exercises: Iterable[Exercise]) -> list[str]:
    """Bring the exercise cells of a notebook's file up to date; see `update_cells`.

    The file is not touched if nothing has to change. Returns the changes, one sentence each.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    changes = update_cells(notebook["cells"], exercises)
    if changes:
        write_text(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return changes


def update_cells(cells: list[Cell], exercises: Iterable[Exercise]) -> list[str]:
    """Bring the exercise cells in a list of cells up to date, in place.

    Cells that agree with the master stay as they are. A cell that differs gets the master's text
    and keeps its id and metadata; a stub loses its outputs, which belong to the old code. Cells of
    a new exercise are inserted below the exercise before it or, for the first one, below the
    heading *Exercises*. No other cell changes.

    exercises: all exercises of the notebook, in order. Returns the changes, one sentence each.
    Raises ValueError, before anything is changed, if cells are not in order, appear twice or belong
    to no exercise, and if there is no place for a new exercise.
    """
    exercises = list(exercises)
    problems = list(_problems(cells, [exercise.number for exercise in exercises]))
    if problems:
        raise ValueError("; ".join(problems))
    changes = []
    last = _heading(cells)  # the cell below which the next new exercise belongs
    for exercise in exercises:
        number, stub = exercise.number, _find(cells, exercise.number)
        if stub is None:
            assert last is not None  # see _problems
            cells.insert(last + 1, _statement_cell(exercise, cells))
            cells.insert(last + 2, _stub_cell(exercise, cells))
            changes.append(f"{number}: both cells inserted")
            last += 2
            continue
        if stub == 0 or not _is_statement(cells[stub - 1], number):
            cells.insert(stub, _statement_cell(exercise, cells))
            changes.append(f"{number}: statement inserted")
            stub += 1
        elif _source(cells[stub - 1]) != exercise.statement:
            cells[stub - 1]["source"] = exercise.statement.splitlines(keepends=True)
            changes.append(f"{number}: statement changed")
        if _source(cells[stub]) != exercise.cell_source:
            source = exercise.cell_source.splitlines(keepends=True)
            cells[stub].update(source=source, outputs=[], execution_count=None)
            changes.append(f"{number}: stub changed")
        last = stub
    return changes


def _problems(cells: list[Cell], numbers: list[str]) -> Iterator[str]:
    """Why the exercise cells cannot be brought up to date."""
    found = []
    for index, cell in enumerate(cells):
        for number in _numbers(cell):
            found.append(number)
            if number not in numbers:
                yield f"exercise {number} has cells but no master: delete them, or write the master"
            if cell["cell_type"] != "code":
                yield f"exercise {number}: the tagged cell is not a code cell"
            above = [i for i, other in enumerate(cells) if _is_statement(other, number)]
            if above not in ([], [index - 1]):
                yield f"exercise {number}: its statement is not directly above its stub"
    known = [number for number in found if number in numbers]
    if known != [number for number in numbers if number in known]:
        yield f"the exercises are not in order, or a tag appears twice: {', '.join(known)}"
    if numbers and (not known or known[0] != numbers[0]) and _heading(cells) is None:
        yield f"no place for exercise {numbers[0]}: there is no heading “## Exercises”"


def _source(cell: Cell) -> str:
    return "".join(cell["source"])


def _numbers(cell: Cell) -> list[str]:
    """The numbers of the exercises that a cell is tagged with."""
    tags = cell["metadata"].get("tags", [])
    return [tag.removeprefix("exercise:") for tag in tags if tag.startswith("exercise:")]


def _find(cells: list[Cell], number: str) -> int | None:
    """The index of the stub."""
    return next((index for index, cell in enumerate(cells) if number in _numbers(cell)), None)


def _is_statement(cell: Cell, number: str) -> bool:
    heading = rf"### .*\b{re.escape(number)}\b"
    return cell["cell_type"] == "markdown" and re.match(heading, _source(cell)) is not None


def _heading(cells: list[Cell]) -> int | None:
    """The index of the cell with the heading *Exercises*."""
    titles = "|".join({"Exercises", re.escape(_("Exercises"))})
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            if re.search(rf"(?m)^##? +([\d.]+ +)?({titles})\s*$", _source(cell)):
                return index
    return None


def _statement_cell(exercise: Exercise, cells: list[Cell]) -> Cell:
    return {
        "cell_type": "markdown",
        "id": _new_id(f"{_id(exercise)}-statement", cells),
        "metadata": {"slideshow": {"slide_type": "skip"}},
        "source": exercise.statement.splitlines(keepends=True),
    }


def _stub_cell(exercise: Exercise, cells: list[Cell]) -> Cell:
    tags = [f"exercise:{exercise.number}"]
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": _new_id(_id(exercise), cells),
        "metadata": {"slideshow": {"slide_type": "skip"}, "tags": tags},
        "outputs": [],
        "source": exercise.cell_source.splitlines(keepends=True),
    }


def _id(exercise: Exercise) -> str:
    return f"exercise-{exercise.number.replace('.', '-')}"


def _new_id(wanted: str, cells: list[Cell]) -> str:
    """An id that no cell has yet."""
    used = {cell.get("id") for cell in cells}
    new, count = wanted, 1
    while new in used:
        count += 1
        new = f"{wanted}-{count}"
    return new
