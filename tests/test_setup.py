"""Set-up: one place of the pins, a set-up that is quick the second time, the right kernel."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from jupyter_client.kernelspec import KernelSpecManager

from course_utils.commands import results
from tools.notebooks import CELL_TIMEOUT, ROOT, kernel_environment
from tools.rules import broken, link_targets

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
README = (ROOT / "README.md").read_text("utf-8")
needs_make = pytest.mark.skipif(
    shutil.which("make") is None, reason="make is not installed: README.md has the plain commands"
)


def test_every_dependency_is_pinned():
    assert [pin for pin in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==\d+(\.\d+)*", pin)] == []


def test_both_ways_to_run_a_notebook_have_the_same_timeout():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    assert f"--nbmake-timeout={CELL_TIMEOUT}" in options["ini_options"]["addopts"].split()


def test_environment_yml_has_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip[-1] == "--editable ."
    assert sorted(pip[:-1]) == sorted(PINS)
    (python,) = [e for e in environment["dependencies"] if str(e).startswith("python=")]
    major, minor = map(int, python.removeprefix("python=").split("."))
    assert (major, minor) >= (3, 11) and PROJECT["requires-python"] == ">=3.11"


def test_readme_has_the_same_torch():
    (pin,) = [pin for pin in PINS if pin.startswith("torch==")]
    assert set(re.findall(r"torch==[\d.]+\d", README)) == {pin}


def test_readme_starts_with_the_two_commands():
    first, second = re.findall(r"(?ms)^```\w*\n(.*?)^```", README)[:2]
    commands = [line.split("#")[0].strip() for line in first.splitlines()]
    assert commands == ["make course", "make test"]
    assert "venv" in second and "pip install" in second  # next, the same without make


def test_readme_links():
    problems = [broken(target, ROOT / "README.md") for target in link_targets(README)]
    assert [problem for problem in problems if problem] == []


def test_kernel_is_the_one_of_this_python(tmp_path, monkeypatch):
    """A person's own kernel named python3 must not run the notebooks."""
    foreign = tmp_path / "person" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text('{"argv": ["/usr/bin/false"], "display_name": "x"}')
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "person"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "person"))
    for name, value in kernel_environment(Path("01_x.ipynb"), tmp_path).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    spec = KernelSpecManager().get_kernel_spec("python3")
    assert Path(spec.resource_dir).is_relative_to(sys.prefix)
    # Jupyter replaces a bare "python" by the running interpreter.
    assert spec.argv[0] in {"python", "python3", sys.executable}


def run_make(folder, *arguments):
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL"}}
    command = ["make", "--no-print-directory", "--directory", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


@pytest.fixture
def project(tmp_path):
    """A folder with the Makefile and the pins, and a stand-in for Python 3.10."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.9 && exit 0\nexit 1\n')
    old.chmod(0o755)
    return tmp_path


@needs_make
def test_old_python_is_refused(project):
    result = run_make(project, "setup", f"PYTHON={project / 'old-python'}")
    assert result.returncode != 0
    assert "needs Python 3.11 or newer" in result.stdout and "Python 3.10.9" in result.stdout
    assert not (project / ".venv").exists()


@needs_make
def test_second_setup_does_nothing_until_the_pins_change(project):
    stamp = project / ".venv" / "installed.toml"
    stamp.parent.mkdir()
    shutil.copy(project / "pyproject.toml", stamp)
    assert run_make(project, "--question", "setup").returncode == 0
    later = stamp.stat().st_mtime + 10
    os.utime(project / "pyproject.toml", (later, later))
    touched = run_make(project, "setup", f"PYTHON={sys.executable}")  # a new date, the same text
    assert touched.returncode == 0 and "Installing" not in touched.stdout
    (project / "pyproject.toml").write_text("[project]\n")
    os.utime(project / "pyproject.toml", (later + 10, later + 10))
    assert "install" in run_make(project, "--dry-run", "setup").stdout


@needs_make
def test_make_course_opens_the_first_notebook(project):
    shown = run_make(project, "--dry-run", "course", "ARGS=--no-browser", "PORT=9999").stdout
    assert "--port=9999 --no-browser" in shown
    assert shown.rstrip().endswith("notebooks/00_start_here.ipynb")


def test_continuous_integration_runs_make_test():
    script = ROOT / ".ci" / "run"
    lines = script.read_text("utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash" and "set -euo pipefail" in lines
    assert lines[-1] == "make test"
    if os.name != "nt":
        assert os.access(script, os.X_OK)


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_continuous_integration_finds_the_mirror(mirror, tmp_path):
    """With a stand-in for make: COURSE_MIRROR is set where the folder exists, and only there."""
    clone, tools = tmp_path / "clone", tmp_path / "bin"
    (clone / ".ci").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(ROOT / ".ci" / "run", clone / ".ci" / "run")
    (tools / "make").write_text('#!/bin/sh\necho "make $*, mirror ${COURSE_MIRROR-none}"\n')
    (tools / "make").chmod(0o755)
    folder = tmp_path / "shared" / "datasets" / "mirror"
    if mirror:
        folder.mkdir(parents=True)
    environment = {k: v for k, v in os.environ.items() if k != "COURSE_MIRROR"}
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    shown = subprocess.run(
        ["bash", str(clone / ".ci" / "run")], capture_output=True, text=True, env=environment
    ).stdout
    assert shown == f"make test, mirror {folder if mirror else 'none'}\n"


def test_readme_shows_what_the_checkpoints_reach():
    """`python -m course_utils results` prints the table; paste it when a checkpoint changes."""
    assert results.table() in README
