"""The installation check says what is there, what is wrong, and names no folder."""

import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from course_utils import check_installation as module
from course_utils.check_installation import check_installation


def pinned(tmp_path, *lines):
    project = tmp_path / "pyproject.toml"
    project.write_text(f"[project]\ndependencies = {list(lines)!r}\n", "utf-8")
    return list(module._pins(project))


def test_this_installation_is_in_place(capsys):
    assert check_installation()
    printed = capsys.readouterr().out
    assert "✘" not in printed and printed.endswith("Everything is in place.\n")
    assert f"✔ torch {metadata.version('torch')}" in [
        " ".join(x.split()) for x in printed.split("\n")
    ]


@pytest.mark.parametrize(
    ("found", "mark", "words"),
    [
        ("2.0.1", "✔", "2.0.1"),
        ("2.0.1+cpu", "✔", "2.0.1+cpu"),
        ("2.0.10", "✘", "tested with 2.0.1"),
        (None, "✘", "missing"),
    ],
)
def test_a_pin_is_compared(found, mark, words, tmp_path, monkeypatch):
    def version(name):
        assert name == "abacus"
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(module, "metadata", SimpleNamespace(
        version=version, PackageNotFoundError=metadata.PackageNotFoundError))  # fmt: skip
    ((got, name, text),) = pinned(tmp_path, "abacus==2.0.1")
    assert (got, name) == (mark, "abacus")
    assert words in text


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    mark, _, text = module._python()
    assert mark == "✘" and "3.10.4" in text and "3.11" in text


def test_a_fault_is_counted_and_told(monkeypatch, capsys):
    monkeypatch.setattr(module, "_pins", lambda: [("✘", "abacus", "missing")])
    assert not check_installation()
    assert "1 to mend" in capsys.readouterr().out


def test_a_damaged_pytorch_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # the import raises
    rows = list(module._computing())
    assert rows[-1][:2] == ("✘", "PyTorch computes")
    assert "ImportError" in rows[-1][2] or "ModuleNotFoundError" in rows[-1][2]


def test_a_mirror_is_not_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path))
    check_installation()
    printed = capsys.readouterr().out
    assert str(tmp_path) not in printed and "mirror" in printed
