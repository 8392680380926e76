"""Options that several commands have, and what can be wrong with them before any work begins."""

import argparse
from dataclasses import asdict
from pathlib import Path

from course_utils.commands.files import names_folder


def add_checkpoint(parser: argparse.ArgumentParser, default: str) -> None:
    """``--checkpoint NAME``."""
    parser.add_argument(
        "--checkpoint",
        default=default,
        metavar="NAME",
        help="a checkpoint of the course or a folder (default: %(default)s)",
    )


def add_beam(parser: argparse.ArgumentParser) -> None:
    """``--beam K``; 1 is greedy."""
    parser.add_argument(
        "--beam",
        type=int,
        metavar="K",
        help="width of the beam, 1 is greedy (default: the search that gave the checkpoint its "
        "score)",
    )


def search_options(arguments: argparse.Namespace, predictor) -> dict:
    """``beam`` and ``alpha``: those of the checkpoint's card, unless ``--beam`` is given."""
    chosen = asdict(predictor.search)
    return chosen if arguments.beam is None else chosen | {"beam": arguments.beam}


def option_error(arguments: argparse.Namespace, folders: bool = False) -> str | None:
    """What is wrong with ``--beam`` or ``--attention``; None when nothing is.

    ``folders``: the pictures of the attention may also go into a folder.
    """
    beam, given = getattr(arguments, "beam", None), arguments.attention
    if beam is not None and beam < 1:
        return f"--beam must be at least 1, got {beam}"
    if given is None:
        return None
    if not Path(given).parent.is_dir():
        return f"the folder of --attention {given} does not exist"
    if names_folder(given) and not folders:
        return f"--attention {given} is a folder; the name of a file is expected"
    if names_folder(given) and Path(given).is_file():
        return f"--attention {given} is a file; a folder is expected"
    return None
