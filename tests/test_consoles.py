"""Programs and their consoles: encodings, closed and full streams, readers that leave, signals."""

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from course_utils.__main__ import find_commands, main
from course_utils.check_installation import check_installation
from course_utils.console import program, readable_streams
from course_utils.exercises import check
from course_utils.paths import CHECKPOINTS
from course_utils.runtime import replacing
from tools.notebooks import ROOT
from tools.tiny import quick, tiny_checkpoint

ENCODINGS = ("ascii", "cp437", "cp1252")
PYTHON = f"{sys.executable} -m course_utils"


@pytest.fixture
def console(monkeypatch):
    """Replace standard output by one of another encoding; returns the function that reads it."""

    def replace(encoding: str, errors: str = "strict"):
        buffer = io.BytesIO()
        stream = io.TextIOWrapper(buffer, encoding=encoding, errors=errors, newline="\n")
        monkeypatch.setattr(sys, "stdout", stream)

        def written() -> str:
            stream.flush()
            return buffer.getvalue().decode(encoding)

        return written

    return replace


def one_line(errors: str) -> str:
    assert errors.endswith("\n") and errors.count("\n") == 1 and "Traceback" not in errors, errors
    return errors


# --- encodings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["", *find_commands()])
def test_every_help_can_be_shown(name, encoding, console):
    written = console(encoding)
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"] if name else ["--help"])
    assert stopped.value.code == 0 and "usage: python -m course_utils" in written()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_the_course_prints_can_be_shown(encoding, console):
    written = console(encoding)
    assert main(["results"]) == 0
    # A learner's script prints them too, and there the import of the package prepares the stream.
    readable_streams()
    check_installation()
    check("02.1", lambda *arguments: None)
    text = written()
    assert "translation-multi30k" in text and "PyTorch computes" in text and "02.1" in text
    assert "\n+ Python " in text


@quick
@given(text=st.text(), encoding=st.sampled_from([*ENCODINGS, "latin-1", "utf-8"]))
def test_any_text_can_be_shown_and_what_the_encoding_has_stays(text, encoding):
    with pytest.MonkeyPatch.context() as patch:
        buffer = io.BytesIO()
        stream = io.TextIOWrapper(buffer, encoding=encoding, newline="\n")
        patch.setattr(sys, "stdout", stream)
        readable_streams()
        print(text, end="")
        stream.flush()
    kept = "".join(c for c in text if c.encode(encoding, "ignore"))
    shown = buffer.getvalue().decode(encoding)
    assert shown == kept or len(shown) >= len(text) > len(kept)


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])  # the second in the locale C
def test_stand_ins_are_readable(console, errors):
    written = console("ascii", errors)
    readable_streams()
    print("✔ café – “≥ 3” → 5 ≠ ½ 中 \udcff")
    assert written() == '+ cafe - ">= 3" -> 5 \\u2260 \\xbd \\u4e2d \\udcff\n'


def test_errors_that_the_user_handles_stay(console):
    written = console("ascii", "ignore")
    readable_streams()
    print("a✔b")
    assert written() == "ab\n"


# --- errors and signals -------------------------------------------------------------------------


class CourseError(Exception):
    """As if it were one of the package."""


CourseError.__module__ = "course_utils.somewhere"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first line\n  second line"), "first line second line"),
        (CourseError("a data set\x1b[2J"), "a data set\\x1b[2J"),
        (FileNotFoundError(2, "No such file", "x.txt"), "x.txt: No such file"),
        (OSError(28, "No space left on device"), "standard output: No space left on device"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_an_expected_error_is_one_line(error, line, capsys):
    assert program(partial(raising, error)) == 1
    assert capsys.readouterr().err == line + "\n"


def test_a_fault_of_the_course_keeps_its_traceback():
    assert program(lambda: None) == 0 and program(lambda: 3) == 3
    for fault in (TypeError, KeyError, AssertionError, RuntimeError):
        with pytest.raises(fault):
            program(partial(raising, fault("a mistake")))


def raising(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_program_with_one_line(name, status, capsys, tmp_path):
    before = signal.getsignal(getattr(signal, name))

    def work() -> None:
        with replacing(tmp_path / "file") as partial:
            partial.write_text("half")
            signal.raise_signal(getattr(signal, name))

    assert program(work) == status
    assert one_line(capsys.readouterr().err) == "Stopped.\n" and not list(tmp_path.iterdir())
    assert signal.getsignal(getattr(signal, name)) is before


def test_a_signal_counts_even_if_a_library_turns_it_into_another_error(capsys):
    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    assert program(work) == 130
    assert one_line(capsys.readouterr().err) == "Stopped.\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert program(lambda: signal.raise_signal(signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_in_a_finaliser_is_not_lost(capsys):
    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def work() -> None:
        thing = Finalised()
        del thing
        for _ in range(10**8):  # goes on, if the exception was lost
            pass
        raise AssertionError("the program went on")

    assert program(work) == 130
    assert one_line(capsys.readouterr().err) == "Stopped.\n"


# --- streams of a real process ------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The checkpoint of a tiny translator."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    tiny_checkpoint(folder)
    return folder


def shell(line: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "", "OMP_NUM_THREADS": "1", **environment},
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is a device of Linux")
@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("translate --checkpoint {folder} <&-", "-: standard input is closed; name a file instead"),
        ("results >&-", "standard output is closed: there is nowhere to write the answer to"),
        ("results >/dev/full", "standard output: No space left on device"),
        ("--help >/dev/full", "standard output: No space left on device"),
        ("data list | true; exit ${{PIPESTATUS[0]}}", None),
        ("--help | true; exit ${{PIPESTATUS[0]}}", None),
        ("data get -q nosuch 2>&-", None),
        ("data get -q nosuch 2>/dev/full", None),
        ("study nosuch <&- >&- 2>&-", None),
    ],
)
def test_streams_that_cannot_be_used(command, error, folder):
    done = shell(f"{PYTHON} {command.format(folder=folder)}")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "" if error is None else one_line(done.stderr) == error + "\n"


def test_a_full_disk_leaves_the_picture_as_it_was(folder, tmp_path):
    picture = tmp_path / "heat.png"
    picture.write_bytes(b"the picture of an earlier call")
    command = f"{PYTHON} translate --checkpoint {folder} --attention {picture}"
    done = shell(f"ulimit -f 8; echo ein hund | {command}")  # files of at most 8 kB
    assert done.returncode == 1 and one_line(done.stderr) == f"{picture}: File too large\n"
    assert picture.read_bytes() == b"the picture of an earlier call"
    assert list(tmp_path.iterdir()) == [picture]


def test_ctrl_c_while_lines_are_read(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "course_utils", "translate", "--checkpoint", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    process.stdin.write("ball\n" * 256)
    process.stdin.flush()
    first = process.stdout.readline()  # the first chunk has been answered
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert first.endswith("\n") and process.returncode == 130
    assert one_line(errors) == "Stopped.\n"


def test_files_answer_as_standard_input_does(folder, tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfein hund\r\n\r\nball")
    (tmp_path / "b").write_text("im park\n", "utf-8")
    command = f"{PYTHON} translate --checkpoint {folder}"
    piped = shell(f"printf 'ein hund\\n\\nball\\nim park\\n' | {command}")
    assert piped.returncode == 0 and piped.stdout.count("\n") == 4
    for words in (f"{tmp_path}/a {tmp_path}/b", f"{tmp_path}/a - < {tmp_path}/b"):
        assert shell(f"{command} {words}").stdout == piped.stdout


def test_weights_that_are_no_numbers_are_named(folder, tmp_path, capsys):
    tiny_checkpoint(tmp_path / "bad")
    weights = tmp_path / "bad" / "model.safetensors"
    tensors = load_file(weights)
    tensors["decoder.output_bias"][3] = float("nan")
    save_file(tensors, weights)
    card = json.loads((tmp_path / "bad" / "card.json").read_text("utf-8"))
    card["sha256"][weights.name] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (tmp_path / "bad" / "card.json").write_text(json.dumps(card), "utf-8")
    (tmp_path / "text").write_text("ein hund\n", "utf-8")
    assert main(["translate", "--checkpoint", str(tmp_path / "bad"), str(tmp_path / "text")]) == 1
    output, errors = capsys.readouterr()
    assert output == "" and "NaN" in one_line(errors) and "bad" in errors


# --- results and studies ------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"name": "no-such-recipe"}', b"\xff", None])
def test_a_damaged_card_does_not_hide_the_other_results(damage, tmp_path, monkeypatch, capsys):
    for place in ("checkpoints.CHECKPOINTS", "paths.CHECKPOINTS"):
        monkeypatch.setattr(f"course_utils.{place}", tmp_path)
    shutil.copytree(CHECKPOINTS / "speech-digits", tmp_path / "speech-digits")
    (tmp_path / "broken").mkdir()
    card = tmp_path / "broken" / "card.json"
    card.mkdir() if damage is None else card.write_bytes(damage)
    assert main(["results"]) == 1
    output, errors = capsys.readouterr()
    assert "broken" in one_line(errors)
    assert len(output.splitlines()) == 3 and "speech-digits" in output


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b'{"name": "bottlen', "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"name": "bottleneck", "runs": null}', "damaged"),
        (b'{"name": "bottleneck", "runs": [{"variant": "x", "seed": "1", "steps": 2}]}', "row 1.*"),
        (b'{"name": "scores", "runs": []}', "do not belong"),
        (None, "there is no file .*rows"),
    ],
)
def test_damaged_rows_of_a_study_are_named(rows, words, tmp_path, capsys):
    if rows is not None:
        (tmp_path / "rows").write_bytes(rows)
    out = tmp_path / "out.json"
    assert main(["study", "bottleneck", "--rows", str(tmp_path / "rows"), "--out", str(out)]) == 1
    assert re.search(words, one_line(capsys.readouterr().err)) and not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["train", "translation-generated", "--steps", "0"],
        ["train", "translation-generated", "--seed", "-1"],
        ["train", "translation-generated", "--seed", str(2**63)],
        ["study", "bottleneck", "--steps", "-3"],
        ["study", "bottleneck", "--out", os.devnull],
    ],
)
def test_what_no_training_can_have_is_found_before_the_data_are_read(words, monkeypatch, capsys):
    for name in ("recipes.train_model", "studies.train_and_measure"):
        monkeypatch.setattr(f"course_utils.{name}", lambda *_, **__: pytest.fail("it started"))
    assert main(words) == 1
    one_line(capsys.readouterr().err)


def test_data_that_cannot_be_had_end_a_study_with_a_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("COURSE_MIRROR", "http://[")
    assert main(["study", "imdb", "--out", str(tmp_path / "out.json")]) == 1
    one_line(capsys.readouterr().err)
