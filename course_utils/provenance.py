"""Provenance: command, commit and machine, for the cards of checkpoints and files of studies."""

import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import torch

from course_utils.paths import INSTALLED, REPO

__all__ = ["commit", "first_commit", "machine", "provenance"]


def machine() -> dict:
    """The machine a result was made on."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    except OSError:
        pass
    return {
        "processor": name,
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def git(*arguments: str) -> str:
    """What git says of the course; raises OSError or CalledProcessError where it cannot."""
    done = subprocess.run(
        ["git", "-C", str(REPO), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@cache
def first_commit() -> str:
    """The commit that was checked out at the first call: a training calls this before it begins.

    "unknown" outside a checkout.
    """
    if INSTALLED:  # the current folder may be a checkout of something else
        return "unknown"
    try:
        return git("rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def commit() -> str:
    """The commit of the code that runs, with "+changes" when a module in use differs from it."""
    if (first := first_commit()) == "unknown":
        return first
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    loaded = [file for file in files if file and Path(file).is_relative_to(REPO / "course_utils")]
    try:
        changed = git("diff", "--name-only", first, "--", *loaded)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return first + ("+changes" if changed else "")


def provenance() -> dict:
    """Command, commit and machine, for cards and studies; of absolute paths only the last part."""
    given = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    words = ["python", "-m", "course_utils", *given]
    return {"command": " ".join(words), "commit": commit(), "machine": machine()}
