"""Reading notebooks: where they are, what a cell is tagged with, which real data it asks for.

Nothing here executes a notebook: see `outputs` (make outputs) and `runs` (make test) for that.
"""

import ast
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"

# The longest that one cell may take, in seconds. The slowest cell of the course trains for 90 s on
# two cores: this leaves room for a slow or busy machine.
CELL_TIMEOUT = 600


@dataclass
class Notebook:
    """A notebook with its place: rules need both (links are relative to the folder)."""

    path: Path
    node: nbformat.NotebookNode

    @classmethod
    def read(cls, path: Path) -> "Notebook":
        return cls(Path(path), nbformat.read(path, as_version=nbformat.NO_CONVERT))

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def cells(self) -> list[tuple[int, nbformat.NotebookNode]]:
        """Every cell with its number, counted from 1 as a reader would."""
        return list(enumerate(self.node.cells, start=1))

    @property
    def code_cells(self) -> list[tuple[int, nbformat.NotebookNode]]:
        return [(n, c) for n, c in self.cells if c.cell_type == "code" and c.source.strip()]

    @property
    def markdown_cells(self) -> list[tuple[int, nbformat.NotebookNode]]:
        return [(n, c) for n, c in self.cells if c.cell_type == "markdown"]


def all_notebooks(folder: Path = FOLDER) -> list[Path]:
    """Every notebook of the course in reading order; new ones are found by themselves."""
    return sorted(p for p in folder.glob("*.ipynb") if not p.name.startswith("."))


def tags(cell) -> list[str]:
    return list(cell.metadata.get("tags", []))


def tagged(cell, prefix: str) -> list[str]:
    """What follows ``prefix`` in the tags of a cell: tagged(cell, "builds:")."""
    return [tag.removeprefix(prefix) for tag in tags(cell) if tag.startswith(prefix)]


def python_source(cell) -> str:
    """The Python of a code cell: lines of IPython magic (%, !) become empty lines."""
    lines = cell.source.splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def real_data_calls(cell) -> list[tuple[str | None, str | None]]:
    """(dataset, label) of each ``real_data("dataset", cell="label")`` in a cell.

    None stands for an argument that is missing or not written out as a string.
    """
    try:
        tree = ast.parse(python_source(cell))
    except SyntaxError:
        return []

    def text(node) -> str | None:
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        return node.value if is_text else None

    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", None))
        if called == "real_data":
            keywords = {k.arg: k.value for k in node.keywords}
            dataset = node.args[0] if node.args else keywords.get("name")
            found.append((text(dataset), text(keywords.get("cell"))))
    return found


def kernel_environment(notebook: Path, scratch: Path) -> dict[str, str | None]:
    """Environment variables for the kernel of a notebook; None means: not set.

    They make a run independent of the person's own Jupyter and IPython settings, and pick the
    kernel that belongs to this very Python, whatever other "python3" kernels are installed.
    """
    return {
        "COURSE_NOTEBOOK": Path(notebook).stem,
        "COURSE_PROGRESS": "off",
        "COURSE_REAL_DATA_LOG": str(scratch / "real-data.jsonl"),
        "JUPYTER_PATH": os.path.join(sys.prefix, "share", "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(scratch / "ipython"),
        "MPLBACKEND": None,  # the kernel chooses its inline backend only where none is set
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger warns on standard error
    }
