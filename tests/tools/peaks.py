"""How much memory a piece of code needs, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["memory_added"]

SCRIPT = """
import sys
from pathlib import Path
def peak():
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split("VmHWM:")[1].split()[0])
{prepare}
before = peak()
{work}
print(peak() - before)
"""


def memory_added(prepare: str, work: str, *arguments: str | Path) -> int:
    """By how many bytes ``work`` raises the peak of the memory after ``prepare``.

    Both are lines of Python, which find the arguments in ``sys.argv[1:]``. Linux alone has the peak
    of one process; `resource.getrusage` also counts the process that started it.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of the memory is known on Linux only")
    script = SCRIPT.format(prepare=prepare, work=work)
    run = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])
