"""The commands of ``python -m course_utils``, one module each, and how they report errors.

A command is a module with NAME, HELP, `add_arguments(parser)` and `run(arguments)`, which returns
the exit status. Those of a task are in its folder, as ``command.py``; the others are here, beside
what commands share:

    files.py    one answer for each file, in text and as a picture
    lines.py    one answer for each line of standard input
    options.py  options that several commands have

Commands import what they need inside `run`, so that ``--help`` and ``data list`` start at once.
"""

import os
import sys
from collections.abc import Callable

__all__ = ["exit_status", "report_error"]


def report_error(message: str) -> int:
    """Print ``message`` as one line on standard error; returns 1, the exit status of a failure."""
    print(" ".join(message.split()), file=sys.stderr)
    return 1


def exit_status(work: Callable[[], int | None], *expected: type[Exception]) -> int:
    """Do the work of a command; returns its exit status (0 for None).

    An ``expected`` exception becomes one line on standard error and status 1. If the reader of
    standard output has left (``| head``), the status is 1 too, without a message.
    """
    try:
        return work() or 0
    except BrokenPipeError:
        # What is still in the buffer goes nowhere, so that the interpreter ends without complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except expected as error:
        return report_error(str(error))
