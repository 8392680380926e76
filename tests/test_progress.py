"""Progress: what was solved and tried is kept on this machine, and shown as a map."""

import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils.exercises import check, get, numbers
from course_utils.exercises.overview import ProgressMap, main, progress_map
from course_utils.exercises.progress import progress_file, record, reset_progress, states
from course_utils.paths import REPO, state_folder
from tools.messages import accented, extract_all, write_pseudo_locale
from tools.notebooks import FOLDER


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A state folder of its own, which does not exist yet; progress is kept."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COURSE_PROGRESS", "on")
    return tmp_path / "state"


# --- what is kept -----------------------------------------------------------------------------


def test_tests_keep_nothing():
    assert progress_file() is None
    record("00.1", "solved")
    assert states() == {}


def test_check_keeps_the_best_that_it_has_seen(folder, capsys):
    one = get("00.1")

    def unsolved(weights, values):
        raise NotImplementedError

    assert states() == {}
    for answer, state in (
        (unsolved, None),
        (one.mistakes[0].answer, "tried"),
        (unsolved, "tried"),
        (one.solution, "solved"),
        (one.mistakes[0].answer, "solved"),
    ):
        check("00.1", answer)
        assert states().get("00.1") == state
    assert not re.search(r"rror|arning", capsys.readouterr().err)


def test_a_grader_keeps_nothing(folder, capsys):
    check("00.1", get("00.1").solution, secret=5)
    assert states() == {} and not folder.exists()


@pytest.mark.parametrize("off", ["off", "OFF", " off "])
def test_nothing_is_kept_or_shown_where_it_is_switched_off(folder, monkeypatch, off):
    record("01.1", "solved")
    monkeypatch.setenv("COURSE_PROGRESS", off)
    record("01.2", "solved")
    assert states() == {}
    reset_progress()
    monkeypatch.delenv("COURSE_PROGRESS")
    assert states() == {"01.1": "solved"}


def test_a_relative_folder_counts_from_the_root_and_none_is_the_systems(monkeypatch):
    monkeypatch.setenv("COURSE_STATE", "kept/here")
    assert state_folder() == REPO / "kept" / "here"
    monkeypatch.delenv("COURSE_STATE")
    assert "attention-course" in state_folder().parts


def test_two_notebooks_at_once_lose_nothing(folder):
    code = (
        "import sys\n"
        "from course_utils.exercises.progress import record\n"
        "for i in range(200):\n"
        "    record(f'{sys.argv[1]}.{i}', 'wrong')\n"
        "    record(f'both.{i}', ('solved', 'wrong')[(i + int(sys.argv[1])) % 2])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    running = [
        subprocess.Popen([sys.executable, "-c", code, name], env=environment) for name in "12"
    ]
    assert [one.wait() for one in running] == [0, 0]
    expected = {f"{name}.{i}": "tried" for name in "12" for i in range(200)}
    assert states() == expected | {f"both.{i}": "solved" for i in range(200)}


LINES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"[]",
            b"3",
            b'{"exercise": "01.1"}',
            b'{"exercise": "01.1", "state": "lost"}',
            b"[" * 9999,
        ]
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=4), st.lists(LINES, max_size=4))
def test_a_damaged_file_costs_only_its_damaged_lines(folder, before, after):
    folder.mkdir(exist_ok=True)
    progress_file().write_bytes(b"\n".join(before))
    record("02.1", "solved")
    with progress_file().open("ab") as file:
        file.write(b"\n".join(after))
    record("02.2", "wrong")
    assert states() == {"02.1": "solved", "02.2": "tried"}
    assert repr(progress_map())


def no_folder(place):
    place.write_text("a file where the folder should be")


def folder_instead(place):
    (place / progress_file().name).mkdir(parents=True)


def pipe(place):
    place.mkdir()
    os.mkfifo(place / progress_file().name)


def huge(place):
    place.mkdir()
    (place / progress_file().name).write_bytes(b"x" * 1_000_001)


def read_only(place):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    place.mkdir(mode=0o500)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and rights of POSIX")
@pytest.mark.parametrize("break_it", [no_folder, folder_instead, pipe, huge, read_only])
def test_what_cannot_be_kept_is_no_error_for_the_learner(folder, break_it, capsys):
    break_it(folder)
    assert check("00.1", get("00.1").solution)
    assert states() == {}
    assert capsys.readouterr().out.startswith("✔ 00.1 A weighted average\n")


# --- the map ----------------------------------------------------------------------------------


def chips(text):
    """Number → mark, as the text shows them."""
    return {number: mark for mark, number in re.findall(r"([○◐✔]) (\d\d\.\d+)", text)}


def test_the_map_shows_every_exercise_in_text_and_as_a_table():
    known = {"01.2": "solved", "02.3": "tried", "77.7": "solved"}
    marks = {number: "○" for number in numbers()} | {"01.2": "✔", "02.3": "◐"}
    shown = ProgressMap(known)
    assert chips(repr(shown)) == marks
    table = shown._repr_html_()
    assert chips(re.sub("<[^>]*>", "", table)) == marks
    words = {"○": "open", "◐": "tried", "✔": "solved"}
    heard = re.sub(r'<span aria-hidden="true">.*?</span>', "", table)
    heard = re.findall(r"(\d\d\.\d+) (open|tried|solved)", re.sub("<[^>]*>", "", heard))
    assert heard == [(number, words[mark]) for number, mark in marks.items()]
    assert f"1 of {len(numbers())} solved, 1 tried" in table


def test_minutes_of_what_is_solved_are_not_left():
    everything = [get(number) for number in numbers("02")]
    shown = ProgressMap({"02.1": "solved", "02.2": "tried"})
    assert shown.minutes_left(everything) == sum(one.minutes for one in everything[1:])
    assert f": {shown.minutes_left(everything)} minutes left" in repr(shown)


def test_the_next_exercise_lies_on_the_short_path_before_the_others():
    def after(*notebooks):
        solved = {number: "solved" for one in notebooks for number in numbers(one)}
        return ProgressMap(solved).next()

    assert after().number == "00.1"
    assert after("00").number == "01.1"
    assert after("00", "01", "02", "03").number == "10.1"
    path = [one for one in ("00", "01", "02", "03", "10", "11") if numbers(one)]
    assert after(*path).number == "04.1"
    everything = ProgressMap({number: "solved" for number in numbers()})
    assert everything.next() is None and "Nothing is left" in repr(everything)
    tried = ProgressMap({"00.1": "tried"})
    assert "Next: 00.1 A weighted average (Implement · about 5 minutes)" in repr(tried)


def test_the_map_speaks_the_other_language(tmp_path, monkeypatch):
    write_pseudo_locale(tmp_path, "eo", extract_all()[0])
    monkeypatch.setenv("COURSE_LOCALE", str(tmp_path))
    monkeypatch.setenv("COURSE_LANGUAGE", "eo")
    text, table = repr(ProgressMap({})), ProgressMap({})._repr_html_()
    for english in ("open", "tried", "A weighted average"):
        assert accented(english) in text and english not in text
    assert accented("open") in table and f">{accented('exercises')}<" in table


def test_the_command_prints_the_map_and_forgets(folder, capsys):
    record("01.1", "solved")
    assert main([]) == 0
    assert chips(capsys.readouterr().out)["01.1"] == "✔"
    assert main(["--reset"]) == 0
    assert "✔ 01.1" not in capsys.readouterr().out and states() == {}
    assert main(["--reset"]) == 0


def test_notebook_00_stores_the_empty_map():
    (path,) = FOLDER.glob("00_*.ipynb")
    outputs = [
        output["data"]
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if "progress_map()" in "".join(cell["source"])
    ]
    empty = ProgressMap({})
    expected = {"text/html": empty._repr_html_(), "text/plain": repr(empty)}
    found = [{kind: "".join(text) for kind, text in data.items()} for data in outputs]
    assert found == [expected], "new exercises: make outputs NB=00"
