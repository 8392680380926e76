"""Is everything in place? `check_installation()` in a notebook, or on the command line
`python -m course_utils.check_installation`. Needs no network and changes nothing.
"""

import os
import re
import sys
import tomllib
from importlib import metadata

from course_utils.paths import REPO

__all__ = ["check_installation"]

GOOD, OPTIONAL, BAD = "✔", "–", "✘"
OLDEST_PYTHON = (3, 11)


def check_installation():
    """Print one line for each thing that the course needs; ✘ says what to do about it.

    ✔ in place, – optional and not there. Returns True when nothing is missing.
    """
    rows = [_python(), *_pins(), *_computing(), *_data()]
    width = max(len(name) for _, name, _ in rows)
    for mark, name, found in rows:
        print(f"{mark} {name:<{width}}  {found}")
    faults = sum(mark == BAD for mark, _, _ in rows)
    print()
    if faults:
        print(f"{faults} to mend, marked {BAD}. After a change, restart the kernel (Kernel menu).")
    else:
        print("Everything is in place.")
    return faults == 0


def _python():
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        return BAD, "Python", f"{found}; the course needs {needed} or newer"
    return GOOD, "Python", found


def _pins(project=REPO / "pyproject.toml"):
    """One row for each package that pyproject.toml pins."""
    if not project.exists():
        yield OPTIONAL, "pinned versions", "pyproject.toml is not here: nothing to compare with"
        return
    for line in tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]:
        name, _, wanted = (part.strip() for part in re.split(r"(==)", line, maxsplit=1))
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield BAD, name, f"missing; run `make setup`, or choose the kernel of {_place()}"
            continue
        if found.split("+")[0] == wanted:  # torch 2.14.1+cpu is torch 2.14.1
            yield GOOD, name, found
        else:
            yield BAD, name, f"{found}, tested with {wanted}; run `make setup`"


def _place():
    return ".venv" if (REPO / ".venv").exists() else "the environment with the course in it"


def _computing():
    """Does PyTorch compute, with gradients, and on what?"""
    cores = os.cpu_count() or 1
    yield GOOD, "processor cores", f"{cores}" + ("; the stated minutes are for 2" * (cores < 2))
    try:
        import torch

        x = torch.tensor([3.0, 4.0], requires_grad=True)
        x.norm().backward()
        right = torch.allclose(x.grad, torch.tensor([0.6, 0.8]))
    except Exception as error:  # whatever a broken installation raises
        yield BAD, "PyTorch computes", f"{type(error).__name__}: {error}"
        return
    yield (GOOD, "PyTorch computes", "yes, gradients too") if right else (
        BAD, "PyTorch computes", f"the gradient of |x| at (3, 4) came out as {x.grad.tolist()}",
    )  # fmt: skip
    if torch.cuda.is_available():
        yield GOOD, "GPU", torch.cuda.get_device_name()
    else:
        yield OPTIONAL, "GPU", "none; every notebook is made for the processor"


def _data():
    """Optional: public data on this machine, and a mirror to get them from."""
    from course_utils.datasets.download import locate
    from course_utils.datasets.registry import REGISTRY, DataError

    for name in sorted(REGISTRY):
        try:
            here = locate(name) is not None
        except (DataError, OSError) as error:
            yield BAD, f"data: {name}", str(error)
            continue
        get = f"optional; python -m course_utils data get {name}"
        yield (GOOD, f"data: {name}", "on this machine") if here else (
            OPTIONAL, f"data: {name}", get,
        )  # fmt: skip
    mirror = os.environ.get("COURSE_MIRROR", "").strip()
    yield GOOD if mirror else OPTIONAL, "mirror", "set" if mirror else "none set (optional)"


if __name__ == "__main__":
    sys.exit(0 if check_installation() else 1)
