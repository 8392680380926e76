"""The repository stays small and names no machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.notebooks import ROOT

LARGEST_FILE = 12_000_000  # bytes
ALL_DATA = 50_000_000


def files() -> list[Path]:
    """What git has or would take; without git everything outside of hidden folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        found = [ROOT / os.fsdecode(name) for name in listed.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        found = [
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])
            and "__pycache__" not in path.parts
        ]
    return [path for path in found if path.is_file()]


FILES = files()


def test_files_are_found():
    assert {ROOT / "README.md", ROOT / "course_utils" / "__init__.py"} <= set(FILES)


def test_no_large_file():
    large = {str(p.relative_to(ROOT)): p.stat().st_size for p in FILES}
    assert {name: size for name, size in large.items() if size > LARGEST_FILE} == {}


def test_data_stay_small():
    assert sum(p.stat().st_size for p in FILES if p.is_relative_to(ROOT / "data")) < ALL_DATA


def test_nothing_made_by_tools_is_kept():
    kept = {".venv", "__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".ruff_cache"}
    kept |= {".hypothesis", ".mypy_cache", "mutants", "site"}
    assert [str(p) for p in FILES if kept & set(p.relative_to(ROOT).parts)] == []


def git(*arguments, cwd=ROOT, given=b""):
    done = subprocess.run(["git", *arguments], cwd=cwd, input=given, capture_output=True)
    return done.stdout if done.returncode == 0 else None


in_git = pytest.mark.skipif(
    shutil.which("git") is None or git("rev-parse", "--verify", "HEAD") is None,
    reason="no Git, or not a Git checkout",
)


@in_git
def test_a_checkout_that_rewrites_line_ends_has_the_same_bytes(tmp_path):
    """Git for Windows asks for such a checkout by default; checkpoints have checksums."""
    clone = tmp_path / "clone"
    options = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf", "--quiet")
    assert git("clone", *options, str(ROOT), str(clone)) is not None
    stored = [line.split()[1] for line in git("ls-files", "-s", cwd=clone).splitlines()]
    names = git("ls-files", cwd=clone)
    found = git("hash-object", "--no-filters", "--stdin-paths", cwd=clone, given=names)
    assert found.split() == stored


@in_git
def test_git_knows_which_files_are_binary():
    """A text that git took for binary, or the reverse, would be damaged or never compared."""
    binary = {path for path in FILES if b"\0" in path.read_bytes()}
    paths = b"\0".join(os.fsencode(path.relative_to(ROOT)) for path in FILES)
    told = git("check-attr", "-z", "--stdin", "text", given=paths).split(b"\0")[:-1]
    pairs = zip(told[::3], told[2::3], strict=True)
    marked = {ROOT / os.fsdecode(path) for path, value in pairs if value == b"unset"}
    assert marked == binary


def test_no_file_names_this_folder():
    """Paths of the machine on which something was made mean nothing elsewhere."""
    places = [str(place) for place in (ROOT, Path.home()) if len(place.parts) > 2]
    if not places:
        pytest.skip("the repository lies at the root of the machine: nothing to look for")
    found = []
    for path in FILES:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a checkpoint or a picture
        found += [f"{path.relative_to(ROOT)}: {place}" for place in places if place in text]
    assert found == []
