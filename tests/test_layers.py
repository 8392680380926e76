"""The direction of imports: each layer of the package uses only those below it."""

import ast
from pathlib import Path

import pytest

from tools.notebooks import ROOT

PACKAGE = ROOT / "course_utils"
# From the bottom to the top. A name stands for a module or for a folder with all that is in it;
# the longest name that fits a module decides.
LAYERS = (
    (
        "paths",
        "runtime",
        "distributed",
        "messages",
        "provenance",
        "timing",
        "console",
        "claims",
        "text",
        "checks",
        "vocabulary",
    ),
    (
        "attention",
        "efficient_attention",
        "memory",
        "recurrence",
        "batches",
        "metrics",
        "audio",
        "images",
    ),
    ("datasets", "plotting", "exercises", "models"),
    ("search", "sampling", "training", "callbacks", "checkpoints", "diagnosis"),
    ("tasks.base",),
    ("tasks.recipe",),
    ("tasks.study",),
    ("tasks",),
    ("recipes", "studies", "gallery", "benchmarks", "check_installation"),
    ("commands", "__main__"),
)
# What may not be used although it lies below or beside.
FORBIDDEN = {"plotting": ("models", "datasets"), "datasets": ("models", "plotting")}
# The package of tasks looks for its folders; a command of a task uses what commands share.
BELOW = {"tasks": 0, "commands": 0, "commands.files": 3, "commands.lines": 3, "commands.options": 3}


def modules() -> dict[str, Path]:
    """Module name without the package → file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def layer(module: str) -> int:
    if module in BELOW:
        return BELOW[module]
    names = {name: number for number, row in enumerate(LAYERS) for name in row}
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in names:
            return names[name]
    raise KeyError(f"course_utils.{module} has no layer: add it to LAYERS")


def imports(module: str) -> set[str]:
    """The modules of the package that a module imports, anywhere in its code."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(["course_utils", *parts, *([base] if base else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if not name.startswith("course_utils."):
                continue
            name = name.removeprefix("course_utils.")
            found.add(name if name in MODULES else name.rpartition(".")[0])
    return found - {""}


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_downwards(module):
    wrong = [name for name in imports(module) if layer(name) > layer(module)]
    assert wrong == [], f"{module} (layer {layer(module)}) imports from above"
    for place, others in FORBIDDEN.items():
        if module.split(".")[0] == place:
            assert [n for n in imports(module) if n.split(".")[0] in others] == []


def test_tasks_do_not_know_each_other():
    for module in MODULES:
        parts = module.split(".")
        if parts[0] == "tasks" and len(parts) == 3:
            siblings = [n.split(".") for n in imports(module) if n.startswith("tasks.")]
            others = [n for n in siblings if len(n) == 3 and n[1] != parts[1]]
            assert others == [], f"{module} imports from another task"


def test_no_module_imports_itself_through_others():
    """No circles, imports inside functions included."""
    graph = {module: imports(module) - {module} for module in MODULES if module}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in sorted(graph.get(module, ())):
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())
