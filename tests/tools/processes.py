"""Run one training in several processes, as torchrun would start them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def run_together(count: int, script: str, *arguments: str) -> None:
    """Run a script of Python text in ``count`` processes that can join; one that fails raises."""
    shared = os.environ | {
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            env=shared | {"RANK": str(number), "LOCAL_RANK": str(number)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    errors = [process.communicate(timeout=240)[1] for process in started]
    for process, error in zip(started, errors, strict=True):
        if process.returncode:
            raise RuntimeError(f"a process ended with {process.returncode}:\n{error}")
