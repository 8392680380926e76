"""Tasks: one folder for each, found by looking into this package. No list of them is kept by hand.

A folder holds what its task has of these; whatever collects from the tasks looks for these names:

    task.py         TASK         what the task is: a `course_utils.tasks.base.Task`
    data.py                      its data sets as `TaskData`
    recipes.py      RECIPES      its trainings (`course_utils.recipes`)
    studies.py      STUDIES      its comparisons (`course_utils.studies`)
    pictures.py     APPLICATION  the picture of the task, and
                    FIGURES      those of the gallery (`course_utils.gallery`)
    benchmarks.py   ROWS         what is timed (`course_utils.benchmarks`)
    command.py      NAME         the command ``python -m course_utils NAME``
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

__all__ = ["all_tasks", "collect", "task_names"]


def task_names() -> list[str]:
    """Names of the folders in this package, in alphabetical order; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def collect(module: str, attribute: str) -> Iterator[tuple[str, Any]]:
    """(task, what its ``module`` calls ``attribute``) for each task that has such a module.

    A module that exists without the attribute is a mistake, and raises AttributeError.
    """
    for name in task_names():
        package = importlib.import_module(f"{__name__}.{name}")
        if any(found.name == module for found in pkgutil.iter_modules(package.__path__)):
            yield name, getattr(importlib.import_module(f"{__name__}.{name}.{module}"), attribute)


def all_tasks() -> dict[str, Any]:
    """Name → `Task`, in the order of the notebooks that teach them."""
    found = [task for _, task in collect("task", "TASK")]
    return {task.name: task for task in sorted(found, key=lambda task: task.notebook)}
