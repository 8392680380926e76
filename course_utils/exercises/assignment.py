"""Assignments: the exercises as a course folder of nbgrader, `… exercises.assignment FOLDER`.

Each notebook of the course gives one assignment, with a notebook that holds only its exercises. All
cells come from the masters: the statement; the function, with its solution between the marks that
nbgrader cuts out; a locked cell that asserts the checks which the learner has, too; and a locked
cell that asserts them again on hidden cases.

**Hidden cases** follow from a secret seed, which is drawn at random and stands only in the
notebooks in ``source``. Students have this package, and so the generators of the cases, but without
the seed they do not know a single one. A seed is taken only if the solution passes with it and all
common mistakes fail, `memorised` among them.

Nothing here imports nbgrader: what students install stays as it is.
"""

import argparse
import json
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from course_utils.console import leave, program
from course_utils.exercises import get, numbers
from course_utils.exercises.cells import find_notebook
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import Exercise
from course_utils.exercises.showing import solution_regions_of
from course_utils.messages import _
from course_utils.paths import REPO
from course_utils.runtime import write_text

__all__ = [
    "assignment_notebook",
    "memorised",
    "points_for",
    "secret_for",
    "write_course",
]

CONFIGURATION = """\
# The configuration of nbgrader for the assignments of the course on attention.
import os

c = get_config()  # noqa: F821

os.environ["COURSE_PROGRESS"] = "off"  # what a submission solves is not the teacher's progress

c.CourseDirectory.course_id = "attention"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}  # as in the notebooks
c.Execute.timeout = 120  # seconds for one cell; the first one also loads PyTorch
"""

Cell = dict[str, Any]

_LINK = re.compile(r"\[([^]]*)\]\([\w./-]+\.(?:md|ipynb)\b[^)]*\)")  # to a file of the course


def memorised(exercise: Exercise) -> Callable[..., Any]:
    """A hard-coded answer: a table of the results that `check` asks for without a secret."""
    table = []

    def record(*args: Any, **kwargs: Any) -> Any:
        result = exercise.solution(*args, **kwargs)
        table.append(([args, kwargs], result))
        return result

    exercise.judge(record)

    def answer(*args: Any, **kwargs: Any) -> Any:
        for given, result in table:
            if difference(given, [args, kwargs], rtol=0, atol=0) is None:
                return result
        return table[-1][1]

    return answer


def points_for(exercise: Exercise) -> tuple[int, int]:
    """The points for the cases that students have, and for those that they do not have.

    One and two; for an exercise of n times ten minutes, n times as many.
    """
    visible = max(1, exercise.minutes // 10)
    return visible, 2 * visible


def secret_for(exercise: Exercise, first: int, tries: int = 20) -> int:
    """The first seed from ``first`` on with which the hidden cases tell right from wrong.

    Raises ValueError if there is none in this number of tries: the cases are all fixed, or they are
    not fit for every random number.
    """
    wrong = [memorised(exercise), *(mistake.answer for mistake in exercise.mistakes)]
    for secret in range(first, first + tries):
        passed = exercise.judge(exercise.solution, secret)
        if passed and not any(exercise.judge(answer, secret) for answer in wrong):
            return secret
    raise ValueError(
        f"exercise {exercise.number}: in {tries} tries, no hidden cases tell right answers from"
        f" wrong ones; add random cases to its master, with @{exercise.name}.hidden"
    )


def assignment_notebook(name: str, title: str, exercises: Iterable[Exercise], secret: int) -> Cell:
    """The source notebook of an assignment, as in a notebook's file.

    name, title: of the course's notebook. secret: where the search for secret seeds begins.
    Raises ValueError as `secret_for` does.
    """
    introduction = _(
        "# Exercises of “{title}”\n\n"
        "These are the exercises of the notebook {name}; the sections that they mention are there. "
        "Write your answers in place of `raise NotImplementedError`. Run the cell below an answer "
        "to see what is wrong with it. A third of the points of an exercise are for the cases that "
        "you have, the others for cases that you do not have."
    ).format(title=title, name=name)
    imports = "import math\n\nimport torch\nfrom torch.nn import functional as F"
    cells = [
        _cell("markdown", "introduction", introduction, locked=True),
        _cell("code", "imports", imports, locked=True),
    ]
    for exercise in exercises:
        number, key = exercise.number, f"exercise-{exercise.number.replace('.', '-')}"
        seed = secret_for(exercise, secret)
        points = points_for(exercise)
        call = f'assert check("{number}", {exercise.name}'
        start = "from course_utils.exercises import check\n\n"
        visible = f"# The cases that you have\n{start}{call})"
        hidden = (
            f"# Cases that you do not have\n{start}"
            f"### BEGIN HIDDEN TESTS\n{call}, secret={seed})\n### END HIDDEN TESTS"
        )
        answer = solution_regions_of(exercise.solution_source)
        cells += [
            _cell(
                "markdown", f"{key}-statement", _LINK.sub(r"\1", exercise.statement), locked=True
            ),
            _cell("code", key, answer, solution=True),
            _cell("code", f"{key}-visible", visible, points=points[0], locked=True),
            _cell("code", f"{key}-hidden", hidden, points=points[1], locked=True),
        ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def write_course(
    folder: Path,
    notebooks: Iterable[str] | None = None,
    secret: int | None = None,
    replace: bool = False,
    lessons: Path = REPO / "notebooks",
) -> list[Path]:
    """Write assignments into a course folder of nbgrader; returns the source notebooks.

    notebooks: their numbers, default all that have exercises. secret: where the search for secret
    seeds begins, default a random number. lessons: the folder with the course's notebooks.
    The configuration of a folder that has one stays as it is.

    Raises FileExistsError, before anything is written, if an assignment is there already and
    ``replace`` is false, and ValueError if a notebook does not exist or has no exercise.
    """
    if notebooks is None:
        masters = dict.fromkeys(number.split(".")[0] for number in numbers())
        notebooks = [name for name in masters if list(lessons.glob(f"{name}_*.ipynb"))]
    secret = secrets.randbelow(2**31) if secret is None else secret
    texts = {}
    for notebook in notebooks:
        lesson = find_notebook(notebook, lessons)
        exercises = [get(number) for number in numbers(notebook)]
        if not exercises:
            raise ValueError(f"notebook {notebook} has no exercises")
        path = folder / "source" / lesson.stem / lesson.name
        if path.exists() and not replace:
            raise FileExistsError(
                f"{path} exists; --replace writes it anew, with other hidden cases"
            )
        made = assignment_notebook(lesson.stem, _title(lesson), exercises, secret)
        texts[path] = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    configuration = folder / "nbgrader_config.py"
    if not configuration.exists():
        write_text(configuration, CONFIGURATION)
    return list(texts)


def _title(lesson: Path) -> str:
    """The heading of a notebook."""
    first = "".join(json.loads(lesson.read_text(encoding="utf-8"))["cells"][0]["source"])
    return next(line[2:] for line in first.splitlines() if line.startswith("# "))


def _cell(
    kind: str,
    key: str,
    source: str,
    *,
    solution: bool = False,
    locked: bool = False,
    points: int | None = None,
) -> Cell:
    """A cell with the metadata that nbgrader reads."""
    mark = {
        "schema_version": 3,
        "grade_id": key,
        "grade": points is not None,
        "solution": solution,
        "locked": locked,
        "task": False,
    }
    if points is not None:
        mark["points"] = points
    code = {"execution_count": None, "outputs": []} if kind == "code" else {}
    lines = source.splitlines(keepends=True)
    return {"cell_type": kind, "id": key, "metadata": {"nbgrader": mark}, "source": lines, **code}


def main(arguments: list[str] | None = None) -> int:
    """Write the assignments; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.exercises.assignment",
        description="Write the exercises as assignments into a course folder of nbgrader.",
    )
    parser.add_argument("folder", type=Path, help="the course folder; made if it is missing")
    parser.add_argument("notebooks", nargs="*", help="numbers of notebooks; default: all")
    parser.add_argument("--secret", type=int, help="where to begin with the secret seeds")
    parser.add_argument("--replace", action="store_true", help="replace assignments that exist")
    chosen = parser.parse_args(arguments)
    written = write_course(chosen.folder, chosen.notebooks or None, chosen.secret, chosen.replace)
    for path in written:
        print(path)
    return 0


if __name__ == "__main__":
    leave(program(main))
