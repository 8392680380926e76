"""What all commands have in common, and what they share: lines, files, options, exit status."""

import argparse
import importlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.__main__ import find_commands, main
from course_utils.checkpoints import checkpoint_names
from course_utils.commands import exit_status, lines
from course_utils.commands.files import Answer, answer_files, picture_path
from course_utils.commands.options import add_beam, option_error, search_options
from course_utils.plotting import new_figure
from course_utils.recipes import RECIPES
from course_utils.search import SearchSettings
from course_utils.tasks import task_names
from tools.tiny import few, quick

COMMANDS = find_commands()


# --- every command ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name, capsys):
    command = COMMANDS[name]
    assert command.HELP[0].islower() and not command.HELP.endswith(".")
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert stopped.value.code == 0 and command.__doc__.strip() in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


@pytest.mark.parametrize("task", task_names())
def test_the_command_of_a_task_uses_a_checkpoint_of_its_own(task):
    command = importlib.import_module(f"course_utils.tasks.{task}.command")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    default = parser.get_default("checkpoint")
    assert default in checkpoint_names() and RECIPES[default].task.name == task


def test_the_search_of_the_checkpoint_is_the_default():
    parser, recorded = argparse.ArgumentParser(), SearchSettings(beam=3, alpha=0.7)
    add_beam(parser)
    for words, expected in (([], (3, 0.7)), (["--beam", "1"], (1, 0.7)), (["--beam=5"], (5, 0.7))):
        given = search_options(parser.parse_args(words), recorded)
        assert (given["beam"], given["alpha"]) == expected
    assert option_error(parser.parse_args([])) is None
    assert "--beam" in option_error(parser.parse_args(["--beam", "0"]))


def test_expected_errors_are_one_line_and_others_are_not_hidden(capsys):
    def fail() -> None:
        raise ValueError("first line\n  second line")

    assert exit_status(lambda: None) == 0 and exit_status(lambda: 3) == 3
    assert exit_status(fail, OSError, ValueError) == 1
    assert capsys.readouterr().err == "first line second line\n"
    with pytest.raises(ValueError, match="second line"):
        exit_status(fail, OSError)


# --- lines ------------------------------------------------------------------------------------


@quick
@given(
    texts=st.lists(st.text(alphabet="ab \r\u2028é", max_size=4), max_size=9), size=st.integers(1, 4)
)
def test_chunks_hold_all_lines_in_order(texts, size):
    texts = [text.removesuffix("\r") for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK", size)
        chunks = list(lines.chunks_of(io.BytesIO("".join(t + "\r\n" for t in texts).encode())))
    assert [line for chunk in chunks for line in chunk.lines] == texts
    assert all(len(chunk.lines) == size for chunk in chunks[:-1])
    starts = [sum(len(chunk.lines) for chunk in chunks[:n]) + 1 for n in range(len(chunks))]
    assert [chunk.first for chunk in chunks] == starts
    assert [chunk.complete for chunk in chunks] == [len(texts) < size for _ in chunks]


# --- files ------------------------------------------------------------------------------------


@few
@given(good=st.lists(st.booleans(), max_size=7), batch_size=st.integers(1, 3))
def test_a_bad_file_changes_nothing_for_the_others(good, batch_size, tmp_path_factory):
    files = [f"{number}.{'ok' if ok else 'bad'}" for number, ok in enumerate(good, 1)]
    batches = []

    def read(path: str) -> str:
        if path.endswith("bad"):
            raise LookupError(f"{path} is bad")
        return path

    def answer(paths: list[str]) -> list[Answer]:
        batches.append(paths)
        return [Answer(f"text of {path}", None) for path in paths]

    with pytest.MonkeyPatch.context() as patch:
        written = []
        patch.setattr("course_utils.commands.files.write_answer", lambda *a: written.append(a))
        status = answer_files(files, read, answer, unreadable=LookupError, batch_size=batch_size)
    readable = [path for path, ok in zip(files, good, strict=True) if ok]
    assert written == [(path, f"text of {path}") for path in readable]
    assert status == (readable != files)
    assert all(len(batch) <= batch_size for batch in batches)


def test_a_picture_has_the_number_of_its_file(tmp_path, capfdbinary):
    def read(path: str) -> str:
        if path == "b":
            raise LookupError("b is bad")
        return path

    def answer(paths: list[str]) -> list[Answer]:
        return [Answer(p, (lambda: new_figure(2, 1)[0]) if p != "d" else None) for p in paths]

    for pictures in (None, tmp_path / "x.png"):
        status = answer_files(
            ["a", "b", "c", "d"],
            read,
            answer,
            unreadable=LookupError,
            pictures=pictures,
            batch_size=3,
        )
        assert status == 1 and capfdbinary.readouterr() == (b"a\ta\nc\tc\nd\td\n", b"b is bad\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-1.png", "x-3.png"]


@quick
@given(names=st.lists(st.sampled_from(["a", "a-1", "a-2", "a-1-3", "b"]), max_size=6))
def test_every_picture_has_its_own_name(names, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    for place in (folder, folder / "look.png"):
        found = {picture_path(place, names, n) for n in range(1, len(names) + 1)}
        assert len(found) == len(names) and all(p.parent == folder for p in found)
