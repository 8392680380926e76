"""Is everything in place? `check_installation()` in a notebook, or on the command line
`python -m course_utils.check_installation`. Needs no network and changes nothing.
With `--missing` it only prints the requirements of which no version is installed, for pip.
"""

import os
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.messages import _, ngettext
from course_utils.paths import INSTALLED, REPO

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["check_installation", "missing", "requirements"]

GOOD, OPTIONAL, BAD = "✔", "–", "✘"
OLDEST_PYTHON = (3, 11)

Row = tuple[str, str, str]  # mark, name, what was found


def check_installation() -> bool:
    """Print one line for each thing that the course needs; ✘ says what to do about it.

    ✔ in place; – optional and not there, or another version than the one that is tested most.
    Returns True when nothing is missing.
    """
    rows = [python_line(), *package_lines(), *computing_lines(), *_data()]
    width = max(len(name) for _mark, name, _found in rows)
    for mark, name, found in rows:
        print(f"{mark} {name:<{width}}  {found}")
    faults = sum(mark == BAD for mark, _name, _found in rows)
    print()
    if faults:
        print(
            ngettext(
                "{count} to mend, marked {mark}. After a change, restart the kernel (Kernel menu).",
                "{count} to mend, marked {mark}. After a change, restart the kernel (Kernel menu).",
                faults,
            ).format(count=faults, mark=BAD)
        )
    else:
        print(_("Everything is in place."))
    return faults == 0


def python_line() -> Row:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        text = _("{found}; the course needs {needed} or newer")
        return BAD, "Python", text.format(found=found, needed=needed)
    return GOOD, "Python", found


def package_lines(folder: Path = REPO) -> Iterator[Row]:
    """One row for each package of pyproject.toml: is its version that of the lock?"""
    needed = requirements(folder)
    if not needed:
        yield OPTIONAL, _("versions"), _("pyproject.toml is not here: nothing to compare with")
        return
    locked = {} if INSTALLED else _locked(folder / "constraints.txt")
    for wanted in needed:
        tested = locked.get(_canonical(wanted.name), "")
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            advice = _("missing; run `make setup`, or choose the kernel of {place}")
            yield BAD, wanted.name, advice.format(place=_place())
            continue
        if found.split("+")[0] == tested or (not tested and found in wanted.specifier):
            yield GOOD, wanted.name, found  # torch 2.14.1+cpu is torch 2.14.1
        elif wanted.specifier.contains(found, prereleases=True):
            text = _("{found}; should work, tested with {tested}")
            yield OPTIONAL, wanted.name, text.format(found=found, tested=tested)
        else:
            text = _("{found}; the course needs {needed}: run `make setup`")
            yield BAD, wanted.name, text.format(found=found, needed=wanted.specifier)


def requirements(folder: Path = REPO) -> "list[Requirement]":
    """What the course needs: by pyproject.toml or, for an installed wheel, by its metadata."""
    from packaging.requirements import Requirement

    project = folder / "pyproject.toml"
    if INSTALLED:
        lines = metadata.requires("course-utils") or []
    elif project.exists():
        lines = tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]
    else:
        lines = []
    found = map(Requirement, lines)
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def missing(folder: Path = REPO) -> list[str]:
    """The requirements of which no version is installed, as `pip install` takes them."""

    def absent(name: str) -> bool:
        try:
            return not metadata.version(name)
        except metadata.PackageNotFoundError:
            return True

    return [str(one) for one in requirements(folder) if absent(one.name)]


def _locked(lock: Path) -> dict[str, str]:
    """Versions in the lock that hold for this Python and this system, by canonical name."""
    from packaging.requirements import Requirement

    if not lock.exists():
        return {}
    lines = (line.partition("#")[0].strip() for line in lock.read_text("utf-8").splitlines())
    pins = [Requirement(line) for line in lines if line]
    return {
        _canonical(pin.name): next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _place() -> str:
    return ".venv" if (REPO / ".venv").exists() else _("the environment with the course in it")


def computing_lines() -> Iterator[Row]:
    """Does PyTorch compute, with gradients, and on what?"""
    cores = os.cpu_count() or 1
    few = _("{count}; the stated minutes are for 2") if cores < 2 else "{count}"
    yield GOOD, _("processor cores"), few.format(count=cores)
    try:
        import torch

        x = torch.tensor([3.0, 4.0], requires_grad=True)
        x.norm().backward()
        gradient = [] if x.grad is None else x.grad.tolist()
    except Exception as error:  # whatever a broken installation raises
        yield BAD, _("PyTorch computes"), f"{type(error).__name__}: {error}"
        return
    if [round(value, 4) for value in gradient] == [0.6, 0.8]:
        yield GOOD, _("PyTorch computes"), _("yes, gradients too")
    else:
        text = _("the gradient of |x| at (3, 4) came out as {gradient}")
        yield BAD, _("PyTorch computes"), text.format(gradient=gradient)
    if torch.cuda.is_available():
        yield GOOD, "GPU", torch.cuda.get_device_name()
    else:
        yield OPTIONAL, "GPU", _("none; every notebook is made for the processor")


def _data() -> Iterator[Row]:
    """Optional: public data on this machine, and a mirror to get them from."""
    from course_utils.datasets.download import locate
    from course_utils.datasets.registry import REGISTRY, DataError

    for name in sorted(REGISTRY):
        row = _("data: {name}").format(name=name)
        try:
            here = locate(name) is not None
        except (DataError, OSError) as error:
            yield BAD, row, str(error)
            continue
        if here:
            yield GOOD, row, _("on this machine")
        else:
            command = f"python -m course_utils data get {name}"
            yield OPTIONAL, row, _("optional; {command}").format(command=command)
    mirror = os.environ.get("COURSE_MIRROR", "").strip()
    if mirror:
        yield GOOD, _("mirror"), _("set")
    else:
        yield OPTIONAL, _("mirror"), _("none set (optional)")


if __name__ == "__main__":
    if sys.argv[1:] == ["--missing"]:
        print(*missing(), sep="\n")
        sys.exit(0)
    if sys.argv[1:]:
        sys.exit(f"unknown option {sys.argv[1]!r}: the only one is --missing")
    from course_utils.console import leave, program

    leave(program(lambda: 0 if check_installation() else 1))
