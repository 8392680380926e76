"""nbgrader on what `make assignment` writes: released, handed in, graded, points compared."""

import json
import math
import os
import sys
from pathlib import Path

import pytest

from course_utils.exercises import get, numbers
from course_utils.exercises.assignment import memorised, points_for, write_course
from tools.notebooks import all_notebooks

api = pytest.importorskip("nbgrader.apps.api", reason="needs nbgrader: make test-teach")

# nbgrader's own notes on its database, on deprecated calls and on its kernels
pytestmark = pytest.mark.filterwarnings("ignore")

NOTEBOOKS = [path.stem for path in all_notebooks() if numbers(path.stem[:2])]
BORROWED = (
    "from course_utils.exercises import get\n"
    "from course_utils.exercises.assignment import memorised\n"
)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with all assignments, as `make assignment` writes it."""
    folder = tmp_path_factory.mktemp("course")
    write_course(folder)
    before = os.environ["PATH"]  # nbgrader calls alembic, which lies beside this Python
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    yield folder
    os.environ["PATH"] = before


@pytest.fixture(scope="module")
def nbgrader(course):
    """nbgrader with the configuration of the course folder."""
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", str(course)).load_config()
    config.CourseDirectory.root = str(course)
    return api.NbGraderAPI(config=config)


def right(exercise):
    return exercise.solution_source


def wrong(exercise):
    return f"{BORROWED}{exercise.name} = get({exercise.number!r}).mistakes[0].answer"


def empty(exercise):
    return exercise.stub_source


def hard_coded(exercise):
    return f"{BORROWED}{exercise.name} = memorised(get({exercise.number!r}))"


KINDS = (right, wrong, empty, hard_coded)


def points(kind, exercise):
    """What an answer has to get for the visible and for the hidden cases."""
    visible = kind is right or (kind is hard_coded and bool(exercise.judge(memorised(exercise))))
    given = points_for(exercise)
    return [visible * given[0], (kind is right) * given[1]]


def hand_in(course, name, student, answers):
    """Put the answers into a copy of the released notebook, as a student does."""
    released = json.loads((course / "release" / name / f"{name}.ipynb").read_text("utf-8"))
    cells = {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in released["cells"]}
    for number, source in answers.items():
        cells[f"exercise-{number.replace('.', '-')}"]["source"] = source
    place = course / "submitted" / student / name
    place.mkdir(parents=True)
    (place / f"{name}.ipynb").write_text(json.dumps(released), "utf-8")
    return cells


def graded(nbgrader, name, student):
    """The points of a submission, in the order of its cells' names."""
    done = nbgrader.autograde(name, student)
    assert done["success"], done["log"]
    with nbgrader.gradebook as gradebook:
        submission = gradebook.find_submission(name, student)
        return {g.name: g.auto_score for notebook in submission.notebooks for g in notebook.grades}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_kind_of_answer_gets_its_points(course, nbgrader, name):
    """The answers of a submission take turns, so that every notebook sees every kind."""
    done = nbgrader.generate_assignment(name)
    assert done["success"], done["log"]
    exercises = [get(number) for number in numbers(name[:2])]
    for turn in range(math.ceil(len(KINDS) / len(exercises))):
        student, answers, expected = f"student{turn}", {}, {}
        for place, exercise in enumerate(exercises):
            kind = KINDS[(place + turn) % len(KINDS)]
            answers[exercise.number] = kind(exercise)
            key = f"exercise-{exercise.number.replace('.', '-')}"
            parts = points(kind, exercise)
            expected |= {f"{key}-visible": parts[0], f"{key}-hidden": parts[1]}
        cells = hand_in(course, name, student, answers)
        assert not any("secret=" in "".join(cell["source"]) for cell in cells.values())
        assert graded(nbgrader, name, student) == expected


def test_what_is_released_is_the_stub_of_the_notebook(course, nbgrader):
    name = NOTEBOOKS[-1]
    assert nbgrader.generate_assignment(name)["success"]
    cells = hand_in(course, name, "reader", {})
    for number in numbers(name[:2]):
        source = "".join(cells[f"exercise-{number.replace('.', '-')}"]["source"])
        assert source == get(number).stub_source


def test_a_check_that_a_student_has_changed_is_run_as_it_was(course, nbgrader):
    """A locked cell comes back from the teacher's copy, whatever was handed in."""
    name = NOTEBOOKS[0]
    exercise = get(numbers(name[:2])[0])
    assert nbgrader.generate_assignment(name)["success"]
    hand_in(course, name, "cheat", {})
    path = course / "submitted" / "cheat" / name / f"{name}.ipynb"
    text = path.read_text("utf-8")
    changed = text.replace("assert check(", "print(")
    assert changed != text and exercise.name in changed
    path.write_text(changed, "utf-8")
    assert set(graded(nbgrader, name, "cheat").values()) == {0}
