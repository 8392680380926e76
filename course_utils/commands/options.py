"""Options that several commands have, and the checks of their values before any work begins."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.commands.files import check_format, is_folder, picture_path
from course_utils.runtime import file_to_write

if TYPE_CHECKING:
    from course_utils.search import SearchSettings

__all__ = [
    "WIDEST_BEAM",
    "add_beam",
    "add_checkpoint",
    "check_options",
    "check_training",
    "search_options",
]

WIDEST_BEAM = 100  # memory and time grow with the width; scores do not, beyond 10 or so


def add_checkpoint(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--checkpoint NAME``."""
    parser.add_argument(
        "--checkpoint",
        default=default,
        metavar="NAME",
        help="name of a checkpoint of the course, or the folder of any other (default: "
        "%(default)s)",
    )


def add_beam(parser: argparse.ArgumentParser) -> None:
    """Add ``--beam K``."""
    parser.add_argument(
        "--beam",
        type=int,
        metavar="K",
        help=f"width of the beam, up to {WIDEST_BEAM}; 1 is greedy search (default: the search "
        "recorded in the card of the checkpoint)",
    )


def search_options(arguments: argparse.Namespace, recorded: "SearchSettings") -> dict[str, Any]:
    """``beam`` and ``alpha``: those recorded with the checkpoint, unless ``--beam`` is given."""
    chosen = asdict(recorded)
    return chosen if arguments.beam is None else chosen | {"beam": arguments.beam}


def check_options(arguments: argparse.Namespace, folders: bool = False, page: bool = False) -> None:
    """Raise ValueError or OSError for a ``--beam`` or ``--attention`` that cannot work.

    folders  whether ``--attention`` may name a folder, since each file gets a picture of its own
    page     whether it names a web page instead of a picture

    A picture that would replace one of ``arguments.files``, or the file that standard input comes
    from or standard output goes to, is refused.
    """
    beam, place = (getattr(arguments, name, None) for name in ("beam", "attention"))
    if beam is not None and not 1 <= beam <= WIDEST_BEAM:
        raise ValueError(f"--beam must be at least 1 and at most {WIDEST_BEAM}, got {beam}")
    if place is None:
        return
    files = getattr(arguments, "files", [])
    if not Path(place).parent.is_dir():
        raise ValueError(f"the folder of --attention {place} does not exist")
    if Path(place).exists() and not Path(place).is_dir():
        file_to_write(place)  # not a device or pipe: its picture would get another name, beside it
    if is_folder(place) and not folders:
        raise ValueError(f"--attention {place} is a folder; it must be the name of a file")
    if is_folder(place) and Path(place).is_file():
        raise ValueError(f"--attention {place} is a file, but ends like a folder")
    if page and Path(place).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--attention {place} must end in .html, since it becomes a web page")
    pictures = [Path(place)] if page else [picture_path(place, ["one"], 1)]
    if folders:
        pictures = [picture_path(place, files, n) for n in range(1, len(files) + 1)]
    taken = {os.path.realpath(file): f"{file}, which is an input" for file in files}
    for picture in pictures:
        if lost := taken.get(os.path.realpath(picture)) or stream_of(picture):
            raise ValueError(f"--attention {place} would replace {lost}")
    # The name of one picture may be impossible; the others are drawn all the same.
    file_to_write(Path(place, "picture.png") if is_folder(place) else pictures[0])
    if not page:
        check_format(pictures[0])


def check_training(steps: int | None, seeds: Sequence[int]) -> None:
    """Raise ValueError for steps or seeds that no training can have."""
    if steps is not None and steps < 1:
        raise ValueError(f"--steps must be at least 1, got {steps}")
    if wrong := [seed for seed in seeds if not 0 <= seed < 2**63]:
        raise ValueError(f"a seed is a number from 0 to 2^63 - 1, got {wrong[0]}")


def stream_of(path: Path) -> str | None:
    """Which standard stream a file is (``< FILE``, ``> FILE``); None for any other file."""
    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        with suppress(AttributeError, OSError, ValueError):  # closed, or not a file
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return f"the file of standard {name}"
    return None
