"""What developers call: hooks, checks of documents, types, and the reference of the package."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from tools.documents import documents, main
from tools.notebooks import ROOT, all_notebooks
from tools.reference import modules, specifications

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))


def call(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=240
    )


# --- hooks ------------------------------------------------------------------------------------


def test_configuration_of_the_hooks_is_valid():
    checked = call("pre_commit", "validate-config", ".pre-commit-config.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_hooks_need_no_network():
    """They use the course's own environment: nothing is fetched, and nothing built."""
    for repository in HOOKS["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system" and hook["entry"].startswith("sh .ci/tools ")
            assert "additional_dependencies" not in hook


@pytest.mark.skipif(shutil.which("sh") is None, reason="sh is not installed")
def test_hooks_find_the_tools_of_an_environment_that_is_not_active(tmp_path):
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name in ("pre-commit", "greet"):
        (tools / name).write_text('#!/bin/sh\necho "hello $*"\n')
        (tools / name).chmod(0o755)
    called = subprocess.run(
        ["sh", str(ROOT / ".ci" / "tools"), "greet", "two words"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert called.stdout == "hello two words\n"


def test_spelling():
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "course_utils", "notebooks", "tests"]
    checked = call("codespell_lib", *[name for name in names if (ROOT / name).exists()])
    assert checked.returncode == 0, checked.stdout


def test_a_misspelt_word_is_found(tmp_path):
    (tmp_path / "page.md").write_text("The wieghts.\n", "utf-8")  # codespell:ignore wieghts
    checked = call("codespell_lib", tmp_path / "page.md")
    assert checked.returncode != 0 and "weights" in checked.stdout


# --- documents --------------------------------------------------------------------------------


def test_every_document_is_checked():
    found = documents()
    assert {ROOT / "README.md", ROOT / "notebooks" / "NOTATION.md"} <= set(found)
    assert set(all_notebooks()) <= set(found)
    assert not [path for path in found if ".venv" in path.parts]


def test_links_of_all_documents_lead_somewhere(capsys):
    pages = [str(path) for path in documents() if path.suffix == ".md"]
    assert main(pages) == 0, capsys.readouterr().out


def test_a_broken_link_is_reported(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("[here](page.md), [there](missing.md), [far](https://example.org/x)", "utf-8")
    assert main([str(page)]) == 1
    assert capsys.readouterr().out == "page.md: missing.md: there is no such file\n"


def test_a_broken_notebook_is_reported(tmp_path, capsys):
    path = tmp_path / "07_broken.ipynb"
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "utf-8")
    assert main([str(path)]) == 1
    assert "the kernel has to be python3" in capsys.readouterr().out


# --- types ------------------------------------------------------------------------------------


def test_types_are_checked_where_they_say_they_are():
    """A module that is renamed must not fall out of the check in silence."""
    files = PYPROJECT["tool"]["mypy"]["files"]
    assert files == sorted(files)
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_a_wrong_type_is_found(tmp_path):
    source = "def double(x: int) -> int:\n    return 2 * x\n\n\nreveal = double('a')\n"
    (tmp_path / "wrong.py").write_text(source, "utf-8")
    options = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", tmp_path / "cache"]
    checked = call("mypy", *options, tmp_path / "wrong.py", cwd=tmp_path)
    assert checked.returncode == 1 and "[arg-type]" in checked.stdout


# --- reference --------------------------------------------------------------------------------


def reference(folder, *names):
    """Write the pages of some modules as `make api` does, and return the folder with them."""
    tool = ROOT / "tests" / "tools" / "reference.py"
    command = [sys.executable, str(tool), "--out", str(folder / "site"), *map(str, names)]
    made = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=240)
    assert made.returncode == 0, made.stderr
    return folder / "site"


def test_reference_of_one_module(tmp_path):
    folder = reference(tmp_path, "course_utils.memory")
    page = (folder / "course_utils" / "memory.html").read_text("utf-8")
    assert 'id="Memory"' in page
    assert not re.search(r'(src|href)="(https?:)?//(?!pdoc\.dev)', page), "needs a network"


def test_reference_shows_both_kinds_of_backticks(tmp_path):
    docstring = '"""Twice ``x``, see `double`."""'
    source = f'"""A module."""\n\n\ndef double(x):\n    {docstring}\n    return 2 * x\n'
    (tmp_path / "abacus.py").write_text(source, "utf-8")
    page = (reference(tmp_path, tmp_path / "abacus.py") / "abacus.html").read_text("utf-8")
    assert "Twice <code>x</code>, see" in page
    assert re.search(r'<code><a href="#double">double(\(\))?</a></code>', page)


def test_reference_has_every_module():
    names = modules()
    assert {"course_utils", "course_utils.attention", "course_utils.tasks.base"} <= set(names)
    assert "course_utils.__main__" not in names


def test_reference_takes_a_module_that_its_package_hides(tmp_path, monkeypatch):
    package = tmp_path / "pack_of_cards"
    package.mkdir()
    (package / "__init__.py").write_text('"""A pack."""\n\n__all__ = []\n', "utf-8")
    (package / "ace.py").write_text('"""One card."""\n', "utf-8")
    (package / "__main__.py").write_text('raise SystemExit("do not run me")\n', "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names = modules(tmp_path, "pack_of_cards")
    assert names == ["pack_of_cards", "pack_of_cards.ace"]
    assert specifications(names) == names
    (package / "__init__.py").write_text('"""A pack."""\n', "utf-8")
    del sys.modules["pack_of_cards"]
    assert specifications(names) == ["pack_of_cards"]  # pdoc finds the card itself


def test_reference_is_not_kept():
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert "site/" in ignored and "mutants/" in ignored
