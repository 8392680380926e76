"""CONTRIBUTING.md: its example task runs as printed, and its map and links are right."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tools.notebooks import ROOT
from tools.rules import broken, link_targets

FILE = ROOT / "CONTRIBUTING.md"
TEXT = FILE.read_text("utf-8")
# Blocks that begin with the name of a file are that file.
MODULES = dict(re.findall(r"(?ms)^```python\n# (course_utils/\S+\.py)\n(.*?)^```", TEXT))


def test_links():
    assert [p for target in link_targets(TEXT) if (p := broken(target, FILE))] == []


def test_the_map_names_every_module():
    table = TEXT.split("\n## The map")[1].split("\n## ")[0].split("| layer |")[1].split("\n\n")[0]
    named = re.findall(r"`([a-z_]+)[.`]", table)
    package = {path.stem for path in (ROOT / "course_utils").glob("*.py")} - {"__init__"}
    package |= {path.parent.name for path in (ROOT / "course_utils").glob("*/__init__.py")}
    assert set(named) == package


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the package with the example task in it; runs a command of it."""
    place = tmp_path_factory.mktemp("course")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course_utils", place / "course_utils", ignore=ignored)
    for name, code in MODULES.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(code, encoding="utf-8")
    (place / "course_utils" / "tasks" / "dates" / "__init__.py").write_text('"""Dates."""\n')

    def run(*arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "course_utils", *arguments],
            input=given,
            capture_output=True,
            text=True,
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return place, run


@pytest.mark.slow
def test_the_example_task_is_trained_compared_and_used(course):
    place, run = course
    assert "dates-generated: " in run("train", "dates-generated", "--steps", "60")
    card = json.loads((place / "data/checkpoints/dates-generated/card.json").read_text("utf-8"))
    assert card["metrics"]["test_exact_greedy"]["score"] <= 1 and card["builder"] == "translator"
    lines = run("dates", "--beam", "2", given="Thursday, 03 May 1990\n\n").split("\n")
    assert re.fullmatch(r"[0-9-]+", lines[0]) and lines[1:] == ["", ""]
    run("study", "dates", "--steps", "2", "--seeds", "0", "--out", "try.json")
    rows = json.loads((place / "try.json").read_text("utf-8"))["runs"]
    assert [row["variant"] for row in rows] == ["attention", "fixed vector"]
    assert all(0 <= row["test_exact"] <= 1 for row in rows)
