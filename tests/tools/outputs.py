"""Execute notebooks in place, so that the stored outputs are those of a clean run.

    python tests/tools/outputs.py            # all, as `make outputs` does
    python tests/tools/outputs.py 01 03      # those whose name begins with 01 or 03

A notebook is replaced only when it ran through. What differs from run to run without telling a
reader anything is removed: execution times, the Python version, the state of widgets that no stored
output shows, and the outputs of cells tagged ``live-only``. Cell ids stay as they are.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from traitlets.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `tools` is found

from tools.notebooks import CELL_TIMEOUT, Notebook, all_notebooks, kernel_environment, tags
from tools.runs import read_log, real_data_cells, set_environment

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
WIDGET = "application/vnd.jupyter.widget-view+json"


def normalise(node: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove in place whatever would differ in the next run of the same notebook."""
    shows_widget = False
    for cell in node.cells:
        cell.metadata.pop("execution", None)
        for key in ("collapsed", "scrolled", "trusted"):
            cell.metadata.pop(key, None)
        if cell.cell_type != "code":
            continue
        if "live-only" in tags(cell):
            cell.outputs = []
        shows_widget = shows_widget or any(WIDGET in o.get("data", {}) for o in cell.outputs)
    kept = {"kernelspec": dict(KERNEL), "language_info": dict(LANGUAGE)}
    if shows_widget and "widgets" in node.metadata:
        kept["widgets"] = node.metadata["widgets"]
    node.metadata = nbformat.from_dict(kept)
    return node


def execute(path: Path, scratch: Path) -> tuple[Notebook, float]:
    """A fresh run of the notebook, and the seconds of its slowest cell; raises as cells do."""
    notebook = Notebook.read(path)
    for _, cell in notebook.code_cells:
        cell.outputs, cell.execution_count = [], None
    notebook.node.metadata.pop("widgets", None)
    set_environment(kernel_environment(path, scratch))
    NotebookClient(
        notebook.node,
        timeout=CELL_TIMEOUT,
        kernel_name=KERNEL["name"],
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
        config=Config(KernelManager={"transport_encryption": "auto"}),  # else the kernel warns
    ).execute()
    return notebook, max((cell_seconds(cell) for _, cell in notebook.code_cells), default=0.0)


def cell_seconds(cell) -> float:
    times = cell.metadata.get("execution", {})
    try:
        begin, end = times["iopub.execute_input"], times["shell.execute_reply"]
    except KeyError:
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def write(notebook: Notebook) -> None:
    """Replace the file in one step: an interrupted write leaves the old notebook whole."""
    draft = notebook.path.with_name(f".{notebook.path.name}.new")
    nbformat.write(notebook.node, draft)
    os.replace(draft, notebook.path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Execute notebooks in place.")
    parser.add_argument("prefix", nargs="*", help="beginning of a name, such as 01; default: all")
    parser.add_argument("--folder", type=Path, help="default: the notebooks of the course")
    options = parser.parse_args(arguments)
    found = all_notebooks(options.folder) if options.folder else all_notebooks()
    chosen = [
        path for path in found if not options.prefix or path.name.startswith(tuple(options.prefix))
    ]
    if not chosen:
        print(f"no notebook begins with {' or '.join(options.prefix) or 'anything'}")
        return 1
    failed = 0
    for path in chosen:
        with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as folder:
            started = time.perf_counter()
            try:
                notebook, slowest = execute(path.resolve(), Path(folder))
            except (CellExecutionError, CellTimeoutError) as error:
                print(f"{path.name}: left as it was, a cell failed\n{error}", file=sys.stderr)
                failed += 1
                continue
            seconds = time.perf_counter() - started
            cells = real_data_cells(notebook, read_log(Path(folder) / "real-data.jsonl"))
            normalise(notebook.node)
            write(notebook)
            print(f"{path.name}: {seconds:.0f} s, slowest cell {slowest:.1f} s")
            for cell in cells:
                print(f"  real data {'used' if cell.ran else 'SKIPPED'}: {cell}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
