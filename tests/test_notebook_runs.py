"""What `make test` and `make outputs` do around a notebook, on notebooks of three cells."""

import json
import os
import subprocess
import sys
import time

import nbformat
import pytest

from tools.notebooks import ROOT, Notebook, all_notebooks
from tools.outputs import main, normalise
from tools.rules import plain_metadata
from tools.runs import MEMORY_LIMIT_MB, Cost, NotebookRuns, PeakMemory, RealDataCell
from tools.runs import real_data_cells as hold_against_log

# Stands in for course_utils.datasets.real_data, with the same log.
REAL_DATA = """import json, os
def real_data(dataset, *, cell):
    ran = bool(os.environ.get("HAS_DATA"))
    with open(os.environ["COURSE_REAL_DATA_LOG"], "a") as log:
        entry = {"notebook": os.environ["COURSE_NOTEBOOK"], "dataset": dataset, "cell": cell}
        print(json.dumps(entry | {"ran": ran}), file=log)
    return ran"""


def write(path, *sources, tags=None):
    node = nbformat.v4.new_notebook()
    for source in sources:
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata["tags"] = (tags or {}).get(source, [])
        node.cells.append(cell)
    nbformat.write(node, path)
    return path


def run(*command, **environment):
    keep = {k: v for k, v in os.environ.items() if k not in {"COURSE_MIRROR", "HAS_DATA"}}
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env=keep | environment,
    )


@pytest.fixture
def notebook(tmp_path):
    calls = 'if real_data("pairs", cell="first look"):\n    print("pairs")'
    unreached = 'if False:\n    real_data("pairs", cell="never asked")'
    return write(tmp_path / "01_tiny.ipynb", REAL_DATA, calls, unreached)


def test_cells_are_held_against_the_log(notebook):
    log = [
        {"notebook": "01_tiny", "dataset": "pairs", "cell": "first look", "ran": True},
        {"notebook": "02_other", "dataset": "pairs", "cell": "never asked", "ran": True},
        {"notebook": "01_tiny", "dataset": "photos", "cell": "by a helper", "ran": False},
    ]
    assert hold_against_log(Notebook.read(notebook), log) == [
        RealDataCell("01_tiny", "pairs", "first look", ran=True),
        RealDataCell("01_tiny", "pairs", "never asked", ran=False),
        RealDataCell("01_tiny", "photos", "by a helper", ran=False),
    ]


def test_a_cell_that_ran_once_and_was_skipped_once_was_skipped(notebook):
    entry = {"notebook": "01_tiny", "dataset": "pairs", "cell": "first look"}
    for order in ([True, False], [False, True]):
        log = [entry | {"ran": ran} for ran in order]
        assert not hold_against_log(Notebook.read(notebook), log)[0].ran


def test_skipping_is_a_fault_only_with_a_mirror(monkeypatch):
    cells = [RealDataCell("01", "a", "b", ran=True), RealDataCell("01", "a", "c", ran=False)]
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    assert NotebookRuns.faults(Cost("01", 1.0, 100.0), cells) == []
    monkeypatch.setenv("COURSE_MIRROR", "somewhere")
    (fault,) = NotebookRuns.faults(Cost("01", 1.0, 100.0), cells)
    assert "01  a  c" in fault


def test_too_much_memory_is_a_fault(monkeypatch):
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    assert NotebookRuns.faults(Cost("01", 1.0, MEMORY_LIMIT_MB - 1), []) == []
    assert len(NotebookRuns.faults(Cost("01", 1.0, MEMORY_LIMIT_MB + 1), [])) == 1


def test_peak_memory_of_a_child():
    """A child that holds 200 MB for a moment; the peak stays when it is gone."""
    code = "import time; b = b'x' * (200 * 2**20); time.sleep(0.5)"
    with PeakMemory(interval=0.05) as memory:
        subprocess.run([sys.executable, "-S", "-c", code], check=True)
        time.sleep(0.1)
    assert 200 < memory.mb < 400


@pytest.mark.slow
def test_run_reports_and_passes_without_mirror(notebook):
    result = run("-m", "pytest", notebook, "--rootdir", ROOT, "-c", ROOT / "pyproject.toml")
    assert result.returncode == 0, result.stdout
    assert "real-data cells that ran: 0" in result.stdout
    assert "real-data cells that were skipped: 2" in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].startswith("1 passed")


@pytest.mark.slow
def test_run_fails_with_mirror(notebook):
    result = run(
        *("-m", "pytest", notebook, "--rootdir", ROOT, "-c", ROOT / "pyproject.toml"),
        COURSE_MIRROR="somewhere",
        HAS_DATA="1",
    )
    assert result.returncode == 1
    assert "never asked: skipped although COURSE_MIRROR is set" in result.stdout
    assert "first look: skipped" not in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].startswith("1 failed")


# --- make outputs -------------------------------------------------------------------------------


def outputs(path, *arguments):
    return run("tests/tools/outputs.py", "--folder", path.parent, *arguments)


@pytest.mark.slow
def test_outputs_are_replaced(tmp_path):
    path = write(
        tmp_path / "01_tiny.ipynb",
        "import os, sys",
        "print('one')\nprint('two')",
        "print('bar')",
        "print(os.environ['COURSE_NOTEBOOK'], sys.prefix)",
        tags={"print('bar')": ["live-only"]},
    )
    ids = [cell.id for cell in nbformat.read(path, 4).cells]
    result = outputs(path, "01")
    assert result.returncode == 0, result.stderr
    node = nbformat.read(path, 4)
    assert [cell.id for cell in node.cells] == ids
    assert [cell.execution_count for cell in node.cells] == [1, 2, 3, 4]
    assert [o.text for o in node.cells[1].outputs] == ["one\ntwo\n"]
    assert node.cells[2].outputs == []
    assert node.cells[3].outputs[0].text == f"01_tiny {sys.prefix}\n"
    assert set(node.metadata) == {"kernelspec", "language_info"}
    assert not any("execution" in cell.metadata for cell in node.cells)


@pytest.mark.slow
def test_failing_notebook_is_left_as_it_was(tmp_path):
    path = write(tmp_path / "01_tiny.ipynb", "print(1)", "1 / 0")
    before = path.read_bytes()
    result = outputs(path)
    assert result.returncode == 1 and "ZeroDivisionError" in result.stderr
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["01_tiny.ipynb"]


def test_unknown_notebook_is_named(tmp_path, capsys):
    path = write(tmp_path / "01_tiny.ipynb", "print(1)")
    assert main(["--folder", str(path.parent), "07"]) == 1
    assert "07" in capsys.readouterr().out


def test_widget_state_is_kept_only_where_it_is_shown():
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
    for data, kept in ((widget, True), ({"text/plain": "1"}, False)):
        node = nbformat.v4.new_notebook()
        node.cells = [nbformat.v4.new_code_cell("1")]
        node.cells[0].outputs = [nbformat.v4.new_output("display_data", data=data)]
        node.metadata["widgets"] = {"state": {}}
        assert ("widgets" in normalise(node).metadata) == kept


@pytest.mark.parametrize("path", all_notebooks(), ids=lambda path: path.stem)
def test_a_reader_may_save(path, tmp_path):
    """JupyterLab adds the version of Python; the rules accept it, and make outputs removes it."""
    clean, saved = tmp_path / "clean.ipynb", tmp_path / path.name
    nbformat.write(normalise(nbformat.read(path, 4)), clean)
    node = nbformat.read(clean, 4)
    node.metadata = {key: node.metadata[key] for key in sorted(node.metadata, reverse=True)}
    node.metadata["language_info"]["version"] = "3.12.1"
    saved.write_text(json.dumps(node, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert plain_metadata(Notebook.read(saved)) == []
    nbformat.write(normalise(nbformat.read(saved, 4)), saved)
    assert saved.read_bytes() == clean.read_bytes()


def test_stand_in_logs_like_the_package(tmp_path, monkeypatch):
    """The log that these tests rely on is the one that course_utils.datasets.real_data writes."""
    datasets = pytest.importorskip("course_utils.datasets")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    monkeypatch.setenv("COURSE_NOTEBOOK", "01_tiny")
    monkeypatch.setenv("COURSE_REAL_DATA_LOG", str(tmp_path / "log.jsonl"))
    assert not datasets.real_data("multi30k", cell="first look")
    (line,) = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    expected = {"notebook": "01_tiny", "dataset": "multi30k", "cell": "first look", "ran": False}
    assert json.loads(line).items() >= expected.items()
