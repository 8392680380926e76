"""Runtime: the device, evaluation mode, files written whole, and progress bars."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn
    from tqdm import tqdm

__all__ = [
    "default_device",
    "evaluating",
    "in_notebook",
    "progress_bar",
    "replacing",
    "write_text",
]


def default_device() -> "torch.device":
    """The GPU if there is one, otherwise the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def evaluating(model: "nn.Module") -> Iterator["nn.Module"]:
    """The model in evaluation mode; afterwards every part of it is in the mode it was in before.

    That holds even if the block raises an exception.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary file beside ``path``, which takes its place if the block succeeds.

    If the block raises an exception, the temporary file is removed and whatever was at ``path``
    before is still there, so no reader ever sees half a file. The folder is created if necessary.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)  # mkstemp gives the owner alone access
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8 with "\\n" line ends; the file is replaced whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def progress_bar(total: int, unit: str, show: bool = True, **settings) -> "tqdm":
    """A progress bar on standard error or, in a notebook, on standard output.

    Notebooks show standard error like a failure and store it in their outputs.
    """
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit=unit,
        disable=not show,
        mininterval=1.0,
        file=sys.stdout if in_notebook() else sys.stderr,
        **settings,
    )
