"""Assignments: what is written for nbgrader, and hidden cases that tell right from wrong.

tests/teach/test_grading.py runs nbgrader on them; nothing here needs it.
"""

import json
import random
import re

import pytest
import torch

from course_utils.exercises import assignment, check, get, judging, numbers, solution
from course_utils.exercises.assignment import (
    assignment_notebook,
    main,
    memorised,
    points_for,
    secret_for,
    write_course,
)
from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.judging import exercise
from course_utils.exercises.showing import solution_regions_of
from tools.notebooks import all_notebooks

REGION = re.compile(r"\n( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL)


@pytest.fixture
def made(monkeypatch):
    """Doubling, with fixed cases only; what is registered here is forgotten afterwards."""
    monkeypatch.setattr(judging, "REGISTRY", dict(judging.REGISTRY))

    @exercise("99.1", "Double", "Write `double(x)`.")
    def double(x):
        """Twice the number x."""
        return 2 * x

    @double.cases
    def _():
        yield case(3, expected=6)
        yield case(5)

    @double.mistake("twice, not squared")
    def squared(x):
        return x * x

    return double


# --- hidden cases -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", numbers())
def test_hidden_cases_accept_the_solution_and_refuse_wrong_answers(number):
    one = get(number)
    secret = secret_for(one, first=1000)
    assert check(number, one.solution, secret)
    assert not check(number, memorised(one), secret)


def test_a_table_of_the_visible_results_passes_the_visible_cases(made):
    @made.check
    def _(answer):
        if answer(-4) != -8:
            raise CheckFailed("negative")

    table = memorised(made)
    assert made.judge(table)
    assert table(3) == 6 and table(-4) == -8 and table(7) != 14


def test_fixed_cases_alone_hide_nothing(made):
    with pytest.raises(ValueError, match=r"exercise 99\.1.*@double\.hidden"):
        secret_for(made, first=3, tries=2)


def test_hidden_cases_are_tried_only_with_a_secret(made):
    tried = []

    @made.hidden
    def _():
        tried.append(random.randrange(10**9))
        yield case(tried[-1])

    table = memorised(made)
    assert made.judge(table) and tried == []
    verdicts = [made.judge(table, secret) for secret in (4, 5, 4)]
    assert not any(verdicts)
    assert tried[0] == tried[2] != tried[1]
    assert made.judge(made.solution, 4)


def test_a_secret_that_lets_a_mistake_pass_is_not_taken(made):
    @made.hidden
    def _():
        yield case(random.choice((0, 2)) or random.random())

    made.makers.clear()  # so that 2 · 2 = 2² alone decides
    secrets = {secret_for(made, first) for first in range(12)}
    assert all(not made.judge(lambda x: x * x, secret) for secret in secrets)
    assert any(made.judge(lambda x: x * x, secret) for secret in range(12))


def test_a_secret_leaves_the_random_numbers_of_the_notebook_alone(made):
    @made.hidden
    def _():
        yield case(torch.randn(3) + random.random())

    before = random.getstate(), torch.get_rng_state()
    made.judge(made.solution, 7)
    assert random.getstate() == before[0] and torch.equal(torch.get_rng_state(), before[1])


# --- the notebooks ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", numbers())
def test_a_source_cell_holds_the_solution_and_without_it_the_stub(number):
    one = get(number)
    source = solution_regions_of(one.solution_source)
    assert REGION.sub(r"\n\1raise NotImplementedError", source) == one.stub_source
    assert re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", source).rstrip() == one.solution_source


def test_a_class_has_a_region_in_each_method():
    source = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2"
    assert solution_regions_of(source).count("### BEGIN SOLUTION") == 2


def cells(number="02", secret=50):
    exercises = [get(one) for one in numbers(number)]
    return exercises, assignment_notebook("02_x", "Title", exercises, secret)["cells"]


def test_every_cell_is_marked_and_only_answers_can_be_edited():
    exercises, found = cells()
    marks = [cell["metadata"]["nbgrader"] for cell in found]
    assert len({mark["grade_id"] for mark in marks}) == len(found)
    assert all(mark["locked"] != mark["solution"] for mark in marks)
    assert sum(mark["solution"] for mark in marks) == len(exercises)
    assert sum(mark.get("points", 0) for mark in marks) == sum(
        sum(points_for(e)) for e in exercises
    )
    assert all(mark["grade"] == ("points" in mark) for mark in marks)


def test_points_follow_from_the_minutes(made):
    found = []
    for made.minutes in (2, 10, 19, 20, 35):
        found.append(points_for(made))
    assert found == [(1, 2), (1, 2), (1, 2), (2, 4), (3, 6)]


def test_the_secret_stands_only_where_nbgrader_cuts():
    _, found = cells(secret=123_456)
    cut = re.compile(r"### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", re.DOTALL)
    sources = ["".join(cell["source"]) for cell in found]
    assert any("secret=123456" in source for source in sources)
    assert not any("123456" in cut.sub("", source) for source in sources)


def test_a_statement_has_no_link_to_a_file_that_students_lack(made):
    made.body = "See [the table](NOTATION.md#masks) and [a page](https://example.org), $a[i](x)$."
    made.makers.clear()
    made.hidden(lambda: iter([case(random.random())]))
    written = assignment_notebook("99_x", "Title", [made], 1)["cells"][2]["source"]
    assert written[-1] == "See the table and [a page](https://example.org), $a[i](x)$."


# --- the course folder ------------------------------------------------------------------------


def test_there_is_an_assignment_for_every_notebook_with_exercises(tmp_path, monkeypatch):
    monkeypatch.setattr(assignment, "secret_for", lambda one, first: first)  # tested above; slow
    written = write_course(tmp_path)
    masters = {number.split(".")[0] for number in numbers()}
    expected = [path.name for path in all_notebooks() if path.name[:2] in masters]
    assert [path.name for path in written] == expected
    assert all(path == tmp_path / "source" / path.stem / path.name for path in written)
    assert "code_stub" in (tmp_path / "nbgrader_config.py").read_text("utf-8")


def secrets_in(path):
    return re.findall(r"secret=(\d+)", path.read_text("utf-8"))


def test_nothing_is_overwritten_unless_asked(tmp_path, capsys):
    (path,) = write_course(tmp_path, ["00"])
    first, configuration = path.read_text("utf-8"), tmp_path / "nbgrader_config.py"
    configuration.write_text("mine", "utf-8")
    with pytest.raises(FileExistsError, match="--replace"):
        write_course(tmp_path, ["05", "00"])
    assert path.read_text("utf-8") == first
    assert [one.name for one in (tmp_path / "source").iterdir()] == [path.stem]
    assert main([str(tmp_path), "00", "--replace", "--secret", "77"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert secrets_in(path) == ["77"]
    assert configuration.read_text("utf-8") == "mine"


def test_each_course_has_secrets_of_its_own(tmp_path):
    drawn = [secrets_in(*write_course(tmp_path / name, ["00"])) for name in ("a", "b")]
    assert drawn[0] != drawn[1] and all(drawn)


def test_a_notebook_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"77_\*\.ipynb"):
        write_course(tmp_path, ["00", "77"])
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_without_exercises_is_refused(tmp_path):
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    lesson = {"cells": [{"cell_type": "markdown", "source": ["# A tale"]}]}
    (lessons / "98_tale.ipynb").write_text(json.dumps(lesson), "utf-8")
    with pytest.raises(ValueError, match="98 has no exercises"):
        write_course(tmp_path / "course", ["98"], lessons=lessons)


# --- solution() in a class --------------------------------------------------------------------


@pytest.mark.parametrize("value", ["off", "OFF", " off "])
def test_solutions_can_be_switched_off(value, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_SOLUTIONS", value)
    solution("02.1")
    printed = capsys.readouterr().out
    assert "COURSE_SOLUTIONS=off" in printed and 'check("02.1", softmax_backward)' in printed
    assert "return" not in printed


@pytest.mark.parametrize("value", [None, "", "on"])
def test_solutions_are_shown_otherwise(value, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_SOLUTIONS", raising=False)
    if value is not None:
        monkeypatch.setenv("COURSE_SOLUTIONS", value)
    solution("02.1")
    assert capsys.readouterr().out == get("02.1").solution_source + "\n"


def test_a_misspelt_switch_hides_and_shows_nothing(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_SOLUTIONS", "of")
    with pytest.raises(ValueError, match="on or off"):
        solution("02.1")
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="no exercise"):
        solution("02.99")
