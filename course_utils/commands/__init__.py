"""The commands of ``python -m course_utils``: `add_arguments(parser)` and `run(arguments)` each.

They import what they need inside `run`, so that ``--help`` and ``data list`` start at once.
"""

import sys


def fail(message: str) -> int:
    """One clear line on standard error; the exit status of a command that could not do its work."""
    print(" ".join(message.split()), file=sys.stderr)
    return 1
