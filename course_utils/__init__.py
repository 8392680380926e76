"""Support package of the attention course: encoder → memory → attention → decoder → search.

Importing the package is cheap; the modules that need PyTorch import it themselves.
"""

import os
import signal
import sys

if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # ``python -m course_utils…`` is starting: until `course_utils.console.program` takes over, and
    # after it, Ctrl-C ends the process at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from course_utils.console import readable_streams  # noqa: E402

# Two threads that wait for each other by spinning make a busy machine up to ten times slower, and
# gain little on an idle one. The variable is read once, when PyTorch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# What is printed (a claim, the verdict on an exercise) can be read on a console that is not UTF-8.
readable_streams()

__version__ = "0.1.0"
