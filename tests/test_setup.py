"""Set-up: ranges and a lock that fit, a set-up that is quick the second time, the right kernel."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import course_utils
from course_utils.commands import results
from course_utils.paths import CHECKPOINTS, checkpoint_names
from tools.notebooks import CELL_TIMEOUT, ROOT, Notebook, all_notebooks, kernel_environment
from tools.rules import broken, link_targets

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / "constraints.txt").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
needs_make = pytest.mark.skipif(
    shutil.which("make") is None, reason="make is not installed: README.md has the plain commands"
)


def requirements():
    """Every package that the course names itself, with its range."""
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    parsed = [Requirement(line) for line in lines]
    return [one for one in parsed if one.name != PROJECT["name"]]  # an extra may contain another


def locked():
    """Every line of the lock that names a package."""
    lines = (line.partition("#")[0].strip() for line in LOCK.splitlines())
    return [Requirement(line) for line in lines if line]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_every_dependency_has_a_lower_and_an_upper_bound(requirement):
    operators = sorted(one.operator for one in requirement.specifier)
    assert operators == ["<", ">="]


def test_the_lock_pins_every_dependency_inside_its_range():
    pins = {}
    for pin in locked():
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    for requirement in requirements():
        (pin,) = pins[canonicalize_name(requirement.name)]  # the same version on every system
        assert pin.marker is None
        (version,) = pin.specifier
        assert version.version in requirement.specifier, str(pin)


def test_the_lock_has_exact_versions_and_nothing_else():
    """pip takes no extras in constraints, and an index named here would bind everyone to it."""
    for pin in locked():
        (version,) = pin.specifier
        assert version.operator == "==" and not pin.extras and not pin.url, str(pin)
    assert "://" not in LOCK and "--" not in LOCK


def test_the_lock_names_the_command_that_writes_it():
    assert "#    make lock\n" in LOCK


def from_lock() -> bool:
    """False where the tests run with the lowest or the newest versions, on purpose."""
    pins = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in locked()}
    wanted = {canonicalize_name(one.name) for one in map(Requirement, PROJECT["dependencies"])}
    return all(metadata.version(name).split("+")[0] == pins[name] for name in wanted)


@pytest.mark.skipif(not from_lock(), reason="other versions than those of the lock are installed")
def test_every_installed_package_is_in_the_lock():
    """What the dependencies need in turn is pinned too: two set-ups install the same."""
    pins = {canonicalize_name(pin.name) for pin in locked()}
    missing, todo = set(), [Requirement(f"{PROJECT['name']}[dev]")]
    seen = set()
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        if (name, *sorted(one.extras)) in seen:
            continue
        seen.add((name, *sorted(one.extras)))
        if name not in pins and name != PROJECT["name"]:
            missing.add(name)
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            environments = [{"extra": extra} for extra in one.extras] or [{"extra": ""}]
            if needed.marker is None or any(map(needed.marker.evaluate, environments)):
                todo.append(needed)
    assert missing == set()


def imported(folder):
    """The names of all packages that the modules of a folder import, at any place."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.partition(".")[0]


def installed_requires(name):
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # of an extra that is not installed
        return []


def test_every_import_is_a_dependency():
    """What is imported is named, or needed by what is named; else it is here only by chance."""
    named = {canonicalize_name(one.name) for one in requirements()}
    needed = [Requirement(line) for name in named for line in installed_requires(name)]
    wanted = named | {canonicalize_name(one.name) for one in needed}
    provided = metadata.packages_distributions()
    foreign = set(imported(ROOT / "course_utils")) - set(sys.stdlib_module_names) - {"course_utils"}
    assert {"torch", "PIL"} <= foreign
    assert {
        name
        for name in foreign
        if not wanted & {canonicalize_name(one) for one in provided.get(name, [])}
    } == set()


def test_the_version_has_one_place():
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    assert re.fullmatch(r"\d+\.\d+\.\d+", course_utils.__version__)


def test_both_ways_to_run_a_notebook_have_the_same_timeout():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    assert f"--nbmake-timeout={CELL_TIMEOUT}" in options["ini_options"]["addopts"].split()


def test_environment_yml_installs_the_same_from_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    index, *rest = pip
    assert index == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert rest == ["-c constraints.txt", "-e .[dev]"]
    (python,) = [e for e in environment["dependencies"] if str(e).startswith("python=")]
    major, minor = map(int, python.removeprefix("python=").split("."))
    assert (major, minor) >= (3, 11) and PROJECT["requires-python"] == ">=3.11"


def test_environment_yml_has_one_jupyterlab():
    """The one of conda, which Binder has anyway: pip, with exact pins, would add its own."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert set(EXTRAS["lab"]) <= set(map(str, environment["dependencies"]))
    by_pip = [*PROJECT["dependencies"], *EXTRAS["dev"]]
    assert not [line for line in by_pip if line.startswith(("jupyterlab", "course-utils[lab"))]


def test_every_set_up_uses_the_lock():
    """Whoever installs the course with pip names the lock; only uv tests other versions."""
    found = set()
    for path in [ROOT / "Makefile", ROOT / "README.md", *(ROOT / ".github").rglob("*.yml")]:
        lines = path.read_text("utf-8").replace("\\\n", " ").splitlines()
        for line in lines:
            if re.search(r"--editable ['\"]\.", line) and "--resolution" not in line:
                assert "--constraint constraints.txt" in line, f"{path.name}: {line}"
                found.add(path.name)
    assert found == {"Makefile", "README.md", "action.yml"}


def test_readme_has_the_torch_of_the_lock():
    for name in ("torch", "torchvision", "torchaudio"):
        (pin,) = [str(pin) for pin in locked() if pin.name == name]
        assert set(re.findall(rf"\b{name}==[\d.]+\d", README)) == {pin}


def block(*words):
    """The first block of code in the README that contains all these words."""
    blocks = re.findall(r"(?ms)^```\w*\n(.*?)^```", README)
    return next(text for text in blocks if all(word in text for word in words))


def test_readme_asks_nobody_to_activate_an_environment():
    """PowerShell blocks Activate.ps1 by default."""
    commands = block("py -m venv").splitlines()
    assert len(commands) == 4
    assert all(line.startswith(".venv\\Scripts\\python -m ") for line in commands[1:])
    assert not re.search(r"(?m)^.*(\$ |source ).*activate", README)


def test_readme_shows_commands_that_powershell_understands():
    """It has no "<"; every command that reads standard input takes the name of a file, too."""
    commands = block("course_utils translate").splitlines()
    assert len(commands) > 5 and not [line for line in commands if "<" in line]


def test_readme_names_the_systems_of_the_workflow():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text("utf-8"))
    matrix = workflow["jobs"]["unit"]["strategy"]["matrix"]
    rows = re.findall(r"(?m)^\| (Linux|macOS|Windows) on .*? \| (.*?) \|", README)
    names = {"ubuntu-latest": "Linux", "macos-latest": "macOS", "windows-latest": "Windows"}
    assert [system for system, _ in rows] == [names[system] for system in matrix["os"]]
    assert {versions for _, versions in rows} == {", ".join(matrix["python"])}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="with stand-ins for git and pip that are sh scripts")
def test_the_cell_for_colab_installs_only_what_is_missing(tmp_path, monkeypatch):
    """In a kernel of its own: afterwards it imports the clone, and the commands work."""
    origin, tools, place = (tmp_path / name for name in ("origin", "bin", "content"))
    ignored = shutil.ignore_patterns("__pycache__", "locale")
    shutil.copytree(ROOT / "course_utils", origin / "course_utils", ignore=ignored)
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    text = text.replace("dependencies = [", 'dependencies = [\n    "no-such-thing>=1,<2",', 1)
    (origin / "pyproject.toml").write_text(text, "utf-8")
    tools.mkdir()
    place.mkdir()
    log = tmp_path / "pip.txt"
    scripts = {
        "git": f'#!/bin/sh\nfor last; do :; done\ncp -r "{origin}" "$last"\n',
        "python": "#!/bin/sh\n"
        f'if [ "$2" = pip ]; then echo "$*" > "{log}"; else exec "{sys.executable}" "$@"; fi\n',
    }
    for name, script in scripts.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    cells = [
        nbformat.v4.new_code_cell(block("!git clone", "ADDRESS")),
        nbformat.v4.new_code_cell("import course_utils\nprint(course_utils.__file__)"),
        nbformat.v4.new_code_cell("!python -m course_utils data list"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, resources={"metadata": {"path": str(place)}}).execute()
    where, listed = ("".join(out["text"] for out in cell.outputs) for cell in cells[1:])
    assert Path(where.strip()).is_relative_to(place / "course")
    assert "multi30k" in listed
    assert log.read_text().split() == ["-m", "pip", "install", "--quiet", "no-such-thing<2,>=1"]


def test_jupyterlab_does_not_ask_about_news(tmp_path):
    """Not even without make: an editable installation brings the setting, as a wheel does."""
    settings = pytest.importorskip("jupyterlab_server.settings_utils")
    schemas = Path(pytest.importorskip("jupyterlab.commands").get_app_dir()) / "schemas"
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    for folder, names in data["data-files"].items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            shutil.copy(ROOT / name, tmp_path / folder)
    shown, _ = settings.get_settings(
        str(tmp_path / "share" / "jupyter" / "lab" / "settings"),
        str(schemas),
        str(tmp_path / "user"),
        schema_name="@jupyterlab/apputils-extension:notification",
    )
    assert shown["schema"]["properties"]["fetchNews"]["default"] == "false"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("name", [".venv", ".venv/bin/python", "course_utils.egg-info/SOURCES.txt"])
def test_git_ignores_what_the_set_up_makes(name, tmp_path):
    """Also an environment that is a link to another place."""
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    ignored = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=tmp_path)
    assert ignored.returncode == 0  # the path does not exist: as for a link, no folder is seen


def test_readme_starts_with_the_two_commands():
    first, second = re.findall(r"(?ms)^```\w*\n(.*?)^```", README)[:2]
    commands = [line.split("#")[0].strip() for line in first.splitlines()]
    assert commands == ["make course", "make test"]
    assert "venv" in second and "pip install" in second  # next, the same without make


def test_the_map_of_notebook_00_agrees_with_readme_and_notebooks():
    """The same minutes as in the README, and what a notebook's first cell says that it needs."""
    minutes = dict(re.findall(r"(?m)^\| \[(\d\d)_\w+\]\(.*\| (< 1|\d+) \|$", README))
    first, *others = all_notebooks()
    cells = "\n".join(cell.source for _, cell in Notebook.read(first).markdown_cells)
    row = r"(?m)^\| \**\[?\**(\d\d) .*\|(.*)\| (seconds|\d+ min) \|.*\|$"
    shown = {number: (needs, time) for number, needs, time in re.findall(row, cells)}
    times = {"< 1": "seconds"}
    assert {n: times.get(m, f"{m} min") for n, m in minutes.items()} == {
        number: time for number, (_, time) in shown.items()
    }
    for path in others:
        _, title = Notebook.read(path).markdown_cells[0]
        linked = set(re.findall(r"\]\((\d\d)_\w+\.ipynb", title.source)) - {first.name[:2]}
        assert linked <= set(re.findall(r"\d\d", shown[path.name[:2]][0])), path.name


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
    """A folder with what `make setup` reads, and a stand-in for Python 3.10."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
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


def installed(project):
    """As if `make setup` had been called in this folder."""
    stamp = project / ".venv" / "installed.txt"
    stamp.parent.mkdir()
    needs = (project / "pyproject.toml").read_text("utf-8").partition("\n[tool.")[0] + "\n"
    stamp.write_text(needs + (project / "constraints.txt").read_text("utf-8"), "utf-8")
    return stamp


def change(path, text, later):
    path.write_text(text, "utf-8")
    os.utime(path, (later, later))


@needs_make
@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_second_setup_does_nothing_until_the_versions_change(name, project):
    stamp = installed(project)
    assert run_make(project, "--question", "setup").returncode == 0
    later = stamp.stat().st_mtime + 10
    text = (project / name).read_text("utf-8")
    change(project / name, text, later)  # a new date, the same text
    touched = run_make(project, "setup", f"PYTHON={sys.executable}")
    assert touched.returncode == 0 and "Installing" not in touched.stdout
    assert run_make(project, "--question", "setup").returncode == 1  # the date lies in the future
    change(project / name, "[project]\n", later)
    assert "install" in run_make(project, "--dry-run", "setup").stdout
    assert installs(project)


@needs_make
def test_settings_of_tools_install_nothing(project):
    stamp = installed(project)
    text = (project / "pyproject.toml").read_text("utf-8")
    change(project / "pyproject.toml", text + "\n[tool.x]\n", stamp.stat().st_mtime + 10)
    assert not installs(project)


def installs(project):
    """Whether `make setup` goes on to install, with a stand-in for the environment's Python."""
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(exist_ok=True)
    python.write_text('#!/bin/sh\necho "called: $*"\n')
    python.chmod(0o755)
    return "pip install" in run_make(project, "setup", f"PYTHON={sys.executable}").stdout


@needs_make
@pytest.mark.parametrize("cpu", ["", "1"])
def test_set_up_installs_the_lock(cpu, project):
    shown = run_make(project, "--dry-run", "install", f"CPU={cpu}").stdout
    assert "--constraint constraints.txt --editable '.[dev,lab]'" in shown
    assert ("download.pytorch.org/whl/cpu" in shown) == bool(cpu)
    if cpu:
        (command,) = re.findall(r"grep -oE .* constraints\.txt", shown)
        found = subprocess.run(command, shell=True, cwd=project, capture_output=True, text=True)
        names = [line.split("==")[0] for line in found.stdout.split()]
        assert names == ["torch", "torchaudio", "torchvision"]


@needs_make
def test_lock_keeps_versions_unless_told_otherwise(project):
    def command(*arguments):
        return run_make(project, "--dry-run", "lock", *arguments).stdout

    assert "--universal" in command() and "--upgrade" not in command()
    assert "--upgrade " in command("UPGRADE=1")
    assert "--upgrade-package=numpy" in command("UPGRADE=numpy")


@needs_make
def test_make_course_opens_the_first_notebook(project):
    shown = run_make(project, "--dry-run", "course", "ARGS=--no-browser", "PORT=9999").stdout
    assert "--port=9999 --no-browser" in shown
    assert shown.rstrip().endswith("notebooks/00_start_here.ipynb")


def test_continuous_integration_runs_make_test():
    script = ROOT / ".ci" / "run"
    lines = script.read_text("utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash" and "set -euo pipefail" in lines
    assert "make test" in lines
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
    targets = ("test", "teach", "test-teach")
    wanted = [f"make {one}, mirror {folder if mirror else 'none'}" for one in targets]
    assert shown.splitlines() == wanted


def test_readme_shows_what_the_checkpoints_reach():
    """`python -m course_utils results` prints the table; paste it when a checkpoint changes."""
    assert results.table() in README


def test_the_metric_of_a_row_is_the_one_that_selected_the_weights():
    from course_utils.recipes import RECIPES

    for name in checkpoint_names():
        card = json.loads((CHECKPOINTS / name / "card.json").read_text("utf-8"))
        assert next(iter(card["metrics"])).split("_")[:2] == ["valid", RECIPES[name].select]
