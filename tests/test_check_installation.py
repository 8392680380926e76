"""The installation check says what is there, what is wrong, and names no folder."""

import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from course_utils import check_installation as module
from course_utils.check_installation import check_installation


def compared(folder, needed, locked=None):
    """The rows for a project that needs one package, with or without a lock."""
    (folder / "pyproject.toml").write_text(f"[project]\ndependencies = [{needed!r}]\n", "utf-8")
    if locked is not None:
        (folder / "constraints.txt").write_text(locked, "utf-8")
    return list(module.package_lines(folder))


def install(monkeypatch, name, version):
    """As if one version of one package were installed, or, with None, nothing."""

    def installed(asked):
        assert asked == name
        if version is None:
            raise metadata.PackageNotFoundError(asked)
        return version

    stand_in = SimpleNamespace(
        version=installed, PackageNotFoundError=metadata.PackageNotFoundError
    )
    monkeypatch.setattr(module, "metadata", stand_in)


def test_this_installation_is_in_place(capsys):
    assert check_installation()
    printed = capsys.readouterr().out
    assert "✘" not in printed and printed.endswith("Everything is in place.\n")
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert any(line[2:].startswith(f"torch {metadata.version('torch')}") for line in lines)


@pytest.mark.parametrize(
    ("found", "mark", "words"),
    [
        ("2.0.1", "✔", "2.0.1"),
        ("2.0.1+cpu", "✔", "2.0.1+cpu"),
        ("2.0.10", "–", "tested with 2.0.1"),
        ("1.5", "–", "tested with 2.0.1"),
        ("2.1rc1", "–", "tested with 2.0.1"),
        ("1.4", "✘", "the course needs"),
        ("3.0", "✘", "make setup"),
        (None, "✘", "missing"),
    ],
)
def test_a_version_is_compared_with_lock_and_range(found, mark, words, tmp_path, monkeypatch):
    install(monkeypatch, "abacus", found)
    lock = "# a comment\nabacus==2.0.1\n    # via course-utils\nzebra==1\n"
    ((got, name, text),) = compared(tmp_path, "abacus>=1.5,<3", lock)
    assert (got, name) == (mark, "abacus")
    assert words in text


def test_without_a_lock_the_range_decides(tmp_path, monkeypatch):
    install(monkeypatch, "abacus", "2.0.10")
    ((mark, _, text),) = compared(tmp_path, "abacus>=1.5,<3")
    assert (mark, text) == ("✔", "2.0.10")


def test_the_lock_may_write_a_name_differently(tmp_path, monkeypatch):
    install(monkeypatch, "PyAba.cus", "2.0.1")
    ((mark, *_),) = compared(tmp_path, "PyAba.cus>=1,<3", "pyaba-cus==2.0.1\n")
    assert mark == "✔"


def test_the_lock_may_differ_between_systems(tmp_path, monkeypatch):
    install(monkeypatch, "abacus", "2.0.1")
    lock = (
        "abacus==1.9 ; python_full_version < '3.11'\n"
        "abacus==2.0.1 ; python_full_version >= '3.11'\n"
    )
    ((mark, *_),) = compared(tmp_path, "abacus>=1,<3", lock)
    assert mark == "✔"


def test_without_a_project_nothing_is_compared(tmp_path):
    ((mark, _, text),) = module.package_lines(tmp_path)
    assert mark == "–" and "not here" in text


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    mark, _, text = module.python_line()
    assert mark == "✘" and "3.10.4" in text and "3.11" in text


def test_a_fault_is_counted_and_told(monkeypatch, capsys):
    monkeypatch.setattr(module, "package_lines", lambda: [("✘", "abacus", "missing")])
    assert not check_installation()
    assert "1 to mend" in capsys.readouterr().out


def test_a_damaged_pytorch_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # the import raises
    rows = list(module.computing_lines())
    assert rows[-1][:2] == ("✘", "PyTorch computes")
    assert "ImportError" in rows[-1][2] or "ModuleNotFoundError" in rows[-1][2]


def test_an_unknown_option_is_refused():
    made = subprocess.run(
        [sys.executable, "-m", "course_utils.check_installation", "--nope"],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 1 and made.stdout == ""
    assert made.stderr == "unknown option '--nope': the only one is --missing\n"


def test_a_mirror_is_not_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path))
    check_installation()
    printed = capsys.readouterr().out
    assert str(tmp_path) not in printed and "mirror" in printed
