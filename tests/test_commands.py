"""What all commands have in common, and what they share: lines, files, options, exit status."""

import argparse
import codecs
import importlib
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_utils.__main__ import find_commands, main
from course_utils.commands import lines
from course_utils.commands.files import (
    Answer,
    answer_files,
    picture_path,
    write_answer,
    write_picture,
)
from course_utils.commands.options import add_beam, check_options, search_options
from course_utils.paths import REPO, checkpoint_names
from course_utils.plotting import new_figure
from course_utils.plotting.style import plt
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
    check_options(parser.parse_args([]))
    for words in (["--beam", "0"], ["--beam=5000"]):  # 5 GB and a minute, if it were tried
        with pytest.raises(
            ValueError, match=f"--beam must be at least 1 and at most .*{words[-1][-1]}"
        ):
            check_options(parser.parse_args(words))


# --- where pictures go --------------------------------------------------------------------------


def attention(place, *files):
    return argparse.Namespace(beam=None, attention=str(place), files=[str(file) for file in files])


def test_a_picture_replaces_no_input(tmp_path):
    photos = [tmp_path / "a.jpg", tmp_path / "b.png"]
    check_options(attention(tmp_path / "new", *photos), folders=True)
    check_options(attention(tmp_path / "a.png", *photos), folders=True)
    for place in (tmp_path, f"{tmp_path}/"):
        with pytest.raises(ValueError, match="would replace .*b.png, which is an input"):
            check_options(attention(place, *photos), folders=True)
    (tmp_path / "link.html").symlink_to(tmp_path / "text.html")
    for page in (tmp_path / "text.html", tmp_path / "link.html"):
        with pytest.raises(ValueError, match="which is an input"):
            check_options(attention(page, tmp_path / "text.html"), page=True)


@pytest.mark.parametrize("name", ["x.xyz", "x.png.gz", "x."])
def test_a_format_that_cannot_be_written_is_found_before_the_work(name, tmp_path):
    if name == "x.":  # no format is named
        return check_options(attention(tmp_path / "x"))
    with pytest.raises(ValueError, match="names no format for pictures"):
        check_options(attention(tmp_path / name))
    with pytest.raises(ValueError, match="must end in .html"):
        check_options(attention(tmp_path / name), page=True)


def test_pictures_do_not_replace_devices(tmp_path):
    (tmp_path / "null.html").symlink_to(os.devnull)
    with pytest.raises(OSError, match="device"):
        check_options(attention(tmp_path / "null.html"), page=True)
    with pytest.raises(OSError, match="device"):  # in place of null.png beside it
        check_options(attention(os.devnull))
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match="pipe, which is not replaced"):
        check_options(attention(tmp_path / "pipe.png"))


def test_a_picture_follows_a_link_and_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "look.png").symlink_to(tmp_path / "folder" / "real.png")
    write_picture(new_figure(2, 1)[0], tmp_path / "look.png")
    real = (tmp_path / "folder" / "real.png").read_bytes()
    assert (tmp_path / "look.png").is_symlink() and real.startswith(b"\x89PNG")
    figure, ax = new_figure(3, 2)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    ax.draw = full
    with pytest.raises(OSError, match="No space left"):
        write_picture(figure, tmp_path / "look.png")
    assert (tmp_path / "look.png").read_bytes() == real
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["real.png"]
    assert not plt.get_fignums()


# --- lines ------------------------------------------------------------------------------------


def answered(*files) -> tuple[int, list[lines.Chunk]]:
    """The exit status and the chunks of files."""
    chunks = []
    return lines.answer_lines([str(file) for file in files], chunks.append), chunks


@quick
@given(
    texts=st.lists(st.text(alphabet="ab \r\u2028é", max_size=4), max_size=9),
    size=st.integers(1, 4),
    parts=st.integers(1, 3),
    mark=st.sampled_from([b"", codecs.BOM_UTF8]),
)
def test_chunks_hold_all_lines_in_order(texts, size, parts, mark, tmp_path_factory):
    texts = [text.removesuffix("\r") for text in texts]
    folder = tmp_path_factory.mktemp("texts")
    for part in range(parts):
        own = texts[part * len(texts) // parts : (part + 1) * len(texts) // parts]
        content = "\r\n".join(own) + "\r\n" * (bool(own) and own[-1] == "")
        (folder / f"{part}.txt").write_bytes(mark * bool(own) + content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK", size)
        status, chunks = answered(*(folder / f"{part}.txt" for part in range(parts)))
    assert status == 0
    assert [line for chunk in chunks for line in chunk.lines] == texts
    assert all(len(chunk.lines) == size for chunk in chunks[:-1])
    starts = [sum(len(chunk.lines) for chunk in chunks[:n]) + 1 for n in range(len(chunks))]
    assert [chunk.first for chunk in chunks] == starts
    assert [chunk.complete for chunk in chunks] == [len(texts) < size for _ in chunks]


def test_a_bad_text_changes_nothing_for_the_others(tmp_path, capsys, monkeypatch):
    good, half, wide, last = (tmp_path / name for name in ("good", "half", "wide", "last"))
    good.write_bytes(b"one\n")
    half.write_bytes(b"two\nthr\xe9e\nfour\n")
    wide.write_bytes("five\n".encode("utf-16"))
    last.write_bytes(b"six")
    missing, long = tmp_path / "missing", tmp_path / ("n" * 300)
    status, chunks = answered(good, half, missing, wide, long, tmp_path, last)
    assert status == 1 and [chunk.lines for chunk in chunks] == [["one", "two", "six"]]
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 5
    assert "line 2 of" in errors[0] and "half is not valid UTF-8 (byte 4 of the line)" in errors[0]
    assert errors[1] == f"{missing}: No such file or directory"
    assert "probably UTF-16" in errors[2] and "too long" in errors[3] and str(tmp_path) in errors[4]


def test_a_line_without_an_end_is_not_read_whole(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 1000)
    for size, status in ((999, 0), (1001, 1)):
        (tmp_path / "long").write_bytes(b"a\n" + b"b" * size)
        assert answered(tmp_path / "long")[0] == status
    assert "line 2 of" in capsys.readouterr().err
    assert answered("/dev/zero")[0] == 1
    assert capsys.readouterr().err.startswith("line 1 of /dev/zero has more than 1,000 bytes")


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


def test_a_picture_that_cannot_be_written_changes_nothing_for_the_others(tmp_path, capfdbinary):
    def answer(paths: list[str]) -> list[Answer]:
        return [Answer(path[0], lambda: new_figure(2, 1)[0]) for path in paths]

    files = ["a.jpg", "b" * 300 + ".jpg", "c.jpg"]
    status = answer_files(files, str, answer, unreadable=LookupError, pictures=tmp_path)
    output, errors = capfdbinary.readouterr()
    assert status == 1 and [line[-1:] for line in output.splitlines()] == [b"a", b"b", b"c"]
    assert errors.count(b"\n") == 1 and errors.endswith(b"File name too long\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "c.png"]


def test_no_control_character_of_a_path_reaches_the_terminal(capfdbinary):
    write_answer(os.fsdecode(b"a\x1b[2J\tb\xff\x07.png"), "a  text\n")
    assert capfdbinary.readouterr().out == b"a?[2J?b\xff?.png\ta text\n"


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


def test_wrong_arguments_are_quoted_without_escape_codes(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["translate", "--beam", "\x1b[2Jnone"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "\x1b" not in message and "\\x1b[2Jnone" in message


@pytest.mark.parametrize(
    "arguments,avoided",
    [
        (["results"], {"torch", "matplotlib", "numpy"}),
        (["data", "list"], {"torch", "matplotlib", "numpy"}),
        (["classify", "{text}"], {"matplotlib", "torchvision", "torchaudio"}),
        (["translate", "{text}"], {"matplotlib", "torchvision", "torchaudio"}),
        (["caption", "{photo}"], {"matplotlib", "torchvision", "torchaudio"}),
    ],
)
def test_a_command_starts_without_what_it_does_not_need(arguments, avoided, tmp_path):
    (tmp_path / "text.txt").write_text("Ein Hund.\n")
    Image.new("RGB", (60, 40), "red").save(tmp_path / "photo.png")
    files = {"text": tmp_path / "text.txt", "photo": tmp_path / "photo.png"}
    given = [argument.format(**files) for argument in arguments]
    script = (
        "import sys; from course_utils.__main__ import main; "
        f"status = main({given}); print(*sorted(set(sys.modules) & {avoided}), file=sys.stderr); "
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPO)
    assert (done.returncode, done.stderr) == (0, "\n") and done.stdout
