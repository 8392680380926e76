"""Tasks: one folder each, found by looking into this package. No list of them is kept by hand.

The folder of a task has some of these modules. Whatever collects from all tasks (in brackets) looks
for these names:

    task.py         TASK         what the task is: a `course_utils.tasks.base.Task`
    recipes.py      RECIPES      its trainings (`course_utils.recipes`)
    studies.py      STUDIES      its comparisons of trainings (`course_utils.studies`)
    pictures.py     APPLICATION  the picture of the task in notebook 01 (`course_utils.gallery`)
                    FIGURES      its figures in the README (`course_utils.gallery`)
    benchmarks.py   ROWS         what is timed (`course_utils.benchmarks`)
    command.py      NAME         the command ``python -m course_utils NAME``

Beside these are its data sets, as `TaskData` (data.py), and its predictor, in a module of its own.
CONTRIBUTING.md adds a task step by step.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

__all__ = ["all_tasks", "collect", "task_names"]


def task_names() -> list[str]:
    """The names of the folders in this package, in alphabetical order. Imports none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def collect(module: str, attribute: str) -> Iterator[tuple[str, Any]]:
    """(name of the task, ``attribute`` of its ``module``) for each task that has this module.

    Raises AttributeError if a module does not have the attribute.
    """
    for name in task_names():
        package = importlib.import_module(f"{__name__}.{name}")
        if any(found.name == module for found in pkgutil.iter_modules(package.__path__)):
            yield name, getattr(importlib.import_module(f"{__name__}.{name}.{module}"), attribute)


def all_tasks() -> dict[str, Any]:
    """Name → `Task`, in the order of the notebooks that teach them."""
    found = [task for _, task in collect("task", "TASK")]
    return {task.name: task for task in sorted(found, key=lambda task: task.notebook)}
