"""Provenance: command, commit and machine, for the cards of checkpoints and files of studies."""

import platform
import subprocess
import sys
from pathlib import Path

import torch

from course_utils.paths import INSTALLED, REPO

__all__ = ["commit", "machine", "provenance"]


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


def commit() -> str:
    """The commit of the code that runs, with "+changes" when files differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(REPO), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    if INSTALLED:  # the current folder may be a checkout of something else
        return "unknown"
    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "course_utils")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def provenance() -> dict:
    """Command, commit and machine, for cards and studies; of absolute paths only the last part."""
    given = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    words = ["python", "-m", "course_utils", *given]
    return {"command": " ".join(words), "commit": commit(), "machine": machine()}
