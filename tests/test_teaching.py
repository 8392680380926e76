"""The teacher's guide is true: its headings, exercises and answers exist, its minutes add up."""

import re

import pytest

from course_utils.exercises import get, numbers
from tools.notebooks import FOLDER, Notebook, all_notebooks

GUIDE = (FOLDER / "TEACHING.md").read_text("utf-8")
CHAPTERS = {
    found[:2]: found for found in re.split(r"(?m)^## ", GUIDE)[1:] if re.match(r"\d\d ", found)
}
PARTS = ("**Aims.**", "**Prior knowledge.**", "**Questions to ask**", "**Exercises to set.**")


def rows(text):
    """The cells of each row of the tables in a text, without headers."""
    found = [re.split(r" (?<!\\)\| ", line[2:-2]) for line in text.splitlines() if line[:2] == "| "]
    return [row for row in found if row[0] not in ("part", "exercise", "day", "week")]


def headings(number):
    (path,) = FOLDER.glob(f"{number}_*.ipynb")
    sources = "\n".join(cell.source for _, cell in Notebook.read(path).markdown_cells)
    return re.findall(r"(?m)^## (.*?)\s*$", sources)


def test_the_first_notebooks_have_a_chapter_each_in_their_order():
    names = [path.name[:2] for path in all_notebooks()]
    assert list(CHAPTERS) == names[: len(CHAPTERS)]
    assert len(CHAPTERS) >= 7


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_chapter_has_all_its_parts(number):
    assert [part for part in PARTS if CHAPTERS[number].count(part) != 1] == []


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_plan_names_headings_in_their_order_and_fills_the_lesson(number):
    plan = [row for row in rows(CHAPTERS[number]) if not re.fullmatch(r"\d\d\.\d", row[0])]
    named = [re.match(r"\[(.*)\]\(", row[0]) for row in plan]
    order = [headings(number).index(match[1]) for match in named if match]
    assert order == sorted(order) and len(order) >= 6
    for column, length in ((1, 50), (2, 90)):
        assert sum(int(row[column]) for row in plan if row[column] != "–") == length


@pytest.mark.parametrize("number", CHAPTERS)
def test_wrong_answers_get_what_check_answers(number):
    table = [row for row in rows(CHAPTERS[number]) if re.fullmatch(r"\d\d\.\d", row[0])]
    assert {row[0] for row in table} == set(numbers(number)), "an exercise without a wrong answer"
    for exercise, _, answer in table:
        hints = [mistake.hint for mistake in get(exercise).mistakes]
        assert answer.replace("\\|", "|") in hints, answer


def test_every_exercise_that_is_set_exists():
    assert set(re.findall(r"\b\d\d\.\d\b", GUIDE)) <= set(numbers())


def test_each_of_two_days_has_six_hours():
    days = [(row[0], int(row[2])) for row in rows(GUIDE) if row[0] in ("1", "2") and len(row) == 3]
    assert {sum(minutes for one, minutes in days if one == day) for day in "12"} == {360}


def test_sections_of_the_two_syllabuses_exist():
    anchors = {
        re.sub(r"[^\w-]", "", title.strip().lower().replace(" ", "-"))
        for title in re.findall(r"(?m)^## (.*)$", GUIDE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", GUIDE)) <= anchors
