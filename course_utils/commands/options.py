"""Options that several commands have, and the checks of their values before any work begins."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.commands.files import is_folder

if TYPE_CHECKING:
    from course_utils.search import SearchSettings

__all__ = ["add_beam", "add_checkpoint", "option_error", "search_options"]


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
        help="width of the beam; 1 is greedy search (default: the search recorded in the card of "
        "the checkpoint)",
    )


def search_options(arguments: argparse.Namespace, recorded: "SearchSettings") -> dict[str, Any]:
    """``beam`` and ``alpha``: those recorded with the checkpoint, unless ``--beam`` is given."""
    chosen = asdict(recorded)
    return chosen if arguments.beam is None else chosen | {"beam": arguments.beam}


def option_error(arguments: argparse.Namespace, folders: bool = False) -> str | None:
    """What is wrong with ``--beam`` or ``--attention``; None if both are fine.

    ``folders`` says whether ``--attention`` may name a folder.
    """
    beam, place = (getattr(arguments, name, None) for name in ("beam", "attention"))
    if beam is not None and beam < 1:
        return f"--beam must be at least 1, got {beam}"
    if place is None:
        return None
    if not Path(place).parent.is_dir():
        return f"the folder of --attention {place} does not exist"
    if is_folder(place) and not folders:
        return f"--attention {place} is a folder; it must be the name of a file"
    if is_folder(place) and Path(place).is_file():
        return f"--attention {place} is a file, but ends like a folder"
    return None
