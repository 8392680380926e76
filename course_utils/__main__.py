"""``python -m course_utils COMMAND``: the commands of the course.

Nothing lists the commands: they are the modules with a NAME in `course_utils.commands`, which
describes them, and ``command.py`` in the folder of each task.
"""

from types import ModuleType

from course_utils.console import leave, program  # all else is imported where Ctrl-C is dealt with

__all__ = ["find_commands", "main"]


def find_commands() -> dict[str, ModuleType]:
    """The module of each command, by name, in alphabetical order."""
    import importlib.util
    import pkgutil

    from course_utils import commands
    from course_utils.tasks import task_names

    names = [f"{commands.__name__}.{m.name}" for m in pkgutil.iter_modules(commands.__path__)]
    names += [f"course_utils.tasks.{task}.command" for task in task_names()]
    modules = (importlib.import_module(name) for name in names if importlib.util.find_spec(name))
    found = {module.NAME: module for module in modules if hasattr(module, "NAME")}
    return dict(sorted(found.items()))


def main(arguments: list[str] | None = None) -> int:
    """Run the command that ``arguments`` (by default, those of the process) name.

    Returns its exit status. `course_utils.console.program` says what becomes of errors.
    """
    return program(lambda: run_command(arguments))


def run_command(arguments: list[str] | None) -> int:
    """Find the command, and run it."""
    import argparse
    import os
    from typing import NoReturn

    from course_utils.messages import shown

    os.environ.setdefault("MPLBACKEND", "Agg")  # commands draw into files, not on a screen

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            super().error(shown(message))

    parser = Parser(prog="python -m course_utils")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in find_commands().items():
        subparser = subparsers.add_parser(
            name,
            help=command.HELP,
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)


if __name__ == "__main__":
    leave(main())
