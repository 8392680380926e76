"""Code that a notebook builds by hand, taken out of the notebook for a comparison.

A cell tagged ``builds:course_utils.x.y`` defines, under the same name, what the package offers as
``course_utils.x.y``. `build` executes only the cells tagged ``setup`` (imports, seeds) and the
``builds:`` cells up to the wanted one: no data, no training, no figures.
"""

import contextlib
import importlib
import io
from collections.abc import Callable
from typing import Any

from tools.notebooks import Notebook, python_source, tagged, tags

COMPARISONS: dict[str, Callable[[Any, Any], None]] = {}


def compares(target: str):
    """Register a comparison ``function(built, packaged)`` for a target; see builders.py."""

    def register(function):
        if target in COMPARISONS:
            raise ValueError(f"two comparisons for {target}")
        COMPARISONS[target] = function
        return function

    return register


def targets(notebook: Notebook) -> list[str]:
    """What the notebook builds by hand, in its order."""
    return [target for _, cell in notebook.code_cells for target in tagged(cell, "builds:")]


def build(notebook: Notebook, target: str) -> Any:
    """The notebook's own version of ``target``."""
    namespace: dict[str, Any] = {"__name__": notebook.name}
    for number, cell in notebook.code_cells:
        built_here = tagged(cell, "builds:")
        if "setup" not in tags(cell) and not built_here:
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(
                    compile(python_source(cell), f"{notebook.name}, cell {number}", "exec"),
                    namespace,
                )
        except NameError as error:
            raise AssertionError(
                f"{notebook.name}, cell {number}: {error}. Only cells tagged setup or builds: are "
                "executed here; tag the cell that defines it `setup`, or move the line elsewhere."
            ) from error
        if target in built_here:
            return namespace[target.rpartition(".")[2]]
    raise LookupError(f"{notebook.name} has no cell tagged builds:{target}")


def packaged(target: str) -> Any:
    """The package's version of ``target``."""
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def compare(notebook: Notebook, target: str) -> None:
    """Raise AssertionError unless notebook and package do the same."""
    if target not in COMPARISONS:
        raise AssertionError(
            f"{notebook.name} builds {target}, but nothing compares it with the package: "
            "add a comparison to tests/builders.py"
        )
    COMPARISONS[target](build(notebook, target), packaged(target))
