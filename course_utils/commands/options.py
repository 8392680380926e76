"""Options that several commands have, and what can be wrong with them before any work begins."""

import argparse
import os
from pathlib import Path


def add_checkpoint(parser: argparse.ArgumentParser, default: str) -> None:
    """``--checkpoint NAME``."""
    parser.add_argument(
        "--checkpoint",
        default=default,
        metavar="NAME",
        help="a checkpoint of the course or a folder (default: %(default)s)",
    )


def add_beam(parser: argparse.ArgumentParser, default: int) -> None:
    """``--beam K``; 1 is greedy."""
    told = "greedy" if default == 1 else default
    parser.add_argument(
        "--beam",
        type=int,
        default=default,
        metavar="K",
        help=f"width of the beam (default: {told})",
    )


def wrong(arguments: argparse.Namespace, folders: bool = False) -> str | None:
    """What is wrong with ``--beam`` or ``--attention``; None when nothing is.

    ``folders``: the pictures of the attention may also go into a folder, which is made when its
    name ends in "/". Afterwards ``arguments.attention`` is a path.
    """
    beam, given = getattr(arguments, "beam", 1), arguments.attention
    if beam < 1:
        return f"--beam must be at least 1, got {beam}"
    if given is None:
        return None
    place = arguments.attention = Path(given)
    if not place.parent.is_dir():
        return f"the folder of --attention {given} does not exist"
    folder = str(given).endswith(("/", os.sep))
    if not folders and (folder or place.is_dir()):
        return f"--attention {given} is a folder; the name of a file is expected"
    if folder and place.exists() and not place.is_dir():
        return f"--attention {given} is a file; a folder is expected"
    if folder:
        place.mkdir(exist_ok=True)
    return None
