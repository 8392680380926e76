"""The commands of ``python -m course_utils``, one module each.

A command is a module with NAME, HELP, `add_arguments(parser)` and `run(arguments)`, which returns
the exit status. Those of a task are in its folder, as ``command.py``; the others are here, beside
what commands share:

    files.py    one answer for each file, in text and as a picture
    lines.py    one answer for each line of files or of standard input
    options.py  options that several commands have

Commands import what they need inside `run`, so that ``--help`` and ``data list`` start at once. An
error that the user can do something about is raised: `course_utils.console.program` prints it as
one line. `report_error` is for those after which a command goes on.
"""

from course_utils.console import report_error

__all__ = ["report_error"]
