"""Options that several commands have, and what can be wrong with them before any work begins."""

import argparse


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

    ``folders``: the pictures of the attention may also go into a folder.
    """
    beam, place = getattr(arguments, "beam", 1), arguments.attention
    if beam < 1:
        return f"--beam must be at least 1, got {beam}"
    if place is None or place.parent.is_dir() or (folders and place.is_dir()):
        return None
    return f"the folder of --attention {place} does not exist"
