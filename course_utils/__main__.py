"""``python -m course_utils COMMAND``: the commands of the course.

A command is a module with NAME, HELP, `add_arguments(parser)` and `run(arguments)`: those of one
task lie in its folder, as ``command.py``, the others in `course_utils.commands`. They are found by
looking, and import what they need inside `run`, so that ``--help`` starts at once.
"""

import argparse
import importlib
import importlib.util
import os
import pkgutil
import sys
from types import ModuleType

from course_utils import commands
from course_utils.tasks import task_names


def find_commands() -> dict[str, ModuleType]:
    """The module of each command, by name, in alphabetical order."""
    names = [f"{commands.__name__}.{m.name}" for m in pkgutil.iter_modules(commands.__path__)]
    names += [f"course_utils.tasks.{task}.command" for task in task_names()]
    modules = (importlib.import_module(name) for name in names if importlib.util.find_spec(name))
    found = {module.NAME: module for module in modules if hasattr(module, "NAME")}
    return dict(sorted(found.items()))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # commands draw into files, never on a screen
    parser = argparse.ArgumentParser(prog="python -m course_utils")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in find_commands().items():
        subparser = subparsers.add_parser(name, help=command.HELP, description=command.__doc__)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)


if __name__ == "__main__":
    sys.exit(main())
