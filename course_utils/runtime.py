"""Runtime: the device, evaluation mode, files written whole, and progress bars."""

import errno
import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from course_utils.messages import localised

if TYPE_CHECKING:
    import torch
    from torch import nn
    from tqdm import tqdm

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h

__all__ = [
    "computes_in_bfloat16",
    "default_device",
    "evaluating",
    "file_to_write",
    "in_notebook",
    "keep_freed_memory",
    "progress_bar",
    "quiet_library",
    "read_file",
    "recover_folder",
    "regular_file",
    "replacing",
    "replacing_folder",
    "write_text",
]


def default_device() -> "torch.device":
    """The GPU if there is one, otherwise the CPU: where trainings run.

    Trained models are loaded to the CPU, unless `Predictor.load` is given another device.
    """
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computes_in_bfloat16(device: "torch.device") -> bool:
    """Whether the processor or GPU has instructions for bfloat16; emulated, it would be slower."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        # torch 2.6 does not say
        known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(found for name, found in known.items() if "bf16" in name)
    return False


def keep_freed_memory() -> None:
    """Let the C library keep the memory that tensors give back, if it is glibc.

    It would return large blocks to the system, which fills them with zeros when the next step asks
    for them again: hundreds of thousands of page faults in a training. Elsewhere, and if the user
    has set MALLOC_MMAP_THRESHOLD_ or MALLOC_TRIM_THRESHOLD_, nothing changes.
    """
    import ctypes
    import platform

    chosen = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"} & set(os.environ)
    if chosen or platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        library.mallopt(option, 2**30)


@contextmanager
def quiet_library() -> Iterator[None]:
    """Hide what a C library prints on standard error, such as its comments on a damaged file."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # standard error is closed: nothing can be printed
        yield
        return
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


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


REASONS = {
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "there is no such file",
    errno.EISDIR: "this is a folder",
    errno.EACCES: "no permission to read it",
    errno.EPERM: "no permission to read it",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "a link that leads to itself",
    errno.EINVAL: "not a name that a file can have",
}


def regular_file(path: Path | str, limit: int | None = None) -> BinaryIO:
    """Open a file for reading in binary, without ever waiting: a device or a pipe is refused.

    limit: the most bytes that the file may have.

    Raises OSError, whose ``strerror`` says in a few words why the file cannot be read ("there is no
    such file", "this is a folder", …), for a file that does not exist, cannot be read, is not a
    regular file, or is larger than ``limit``.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, "")
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENODEV, "a device or a pipe, not a file")
        if limit is not None and status.st_size > limit:
            raise OSError(
                errno.EFBIG, f"{status.st_size:,} bytes are more than the {limit:,} allowed"
            )
        return open(path, "rb")
    except ValueError:  # a zero byte or a lone surrogate in the name
        raise OSError(errno.EINVAL, REASONS[errno.EINVAL], str(path)) from None
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, REASONS.get(number, error.strerror), str(path)) from None


def read_file(path: Path | str, limit: int) -> bytes:
    """The content of a regular file of at most ``limit`` bytes.

    Raises OSError as `regular_file` does, also for a file that has more bytes than it says.
    """
    with regular_file(path, limit) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"more than the {limit:,} bytes allowed", str(path))
    return content


def file_to_write(path: Path | str) -> Path:
    """The file that will be written at ``path``, links resolved, for a check before any work.

    Raises OSError, which says why, if something else than a regular file is there, such as a folder
    or a device, or if no file can be written there.
    """
    found = Path(os.path.realpath(path))
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(found).st_mode):
            raise OSError(
                errno.EEXIST, "a folder, device or pipe, which is not replaced", str(path)
            )
    folder = next(parent for parent in found.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, f"no file can be written in {folder}", str(path))
    return found


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary file beside ``path``, which takes its place if the block succeeds.

    If the block raises an exception, the temporary file is removed and whatever was at ``path``
    before is still there, so no reader ever sees half a file. The folder is created if necessary.
    A link stays a link: the file that it leads to is replaced. Raises OSError as `file_to_write`
    does.
    """
    path = file_to_write(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    start = f".{path.name[:40]}."  # the longest name that a file may have leaves no room for more
    partial = None
    try:
        handle, name = tempfile.mkstemp(prefix=start, suffix=".part", dir=path.parent)
        partial = Path(name)
        os.close(handle)
        yield partial
        partial.chmod(0o666 & ~_umask())  # mkstemp gives the owner alone access
        os.replace(partial, path)
    except OSError as error:  # that of a full disk names no file
        if error.errno is not None and (partial is None or error.filename in (None, name)):
            error.filename = str(path)
        raise
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path | str) -> Iterator[Path]:
    """A temporary folder beside ``folder``, which takes its place if the block succeeds.

    If the block raises an exception, the temporary folder is removed and whatever was at ``folder``
    before is still there.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    old = partial.with_name(partial.name + "-old")
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())  # mkdtemp gives the owner alone access
        if folder.exists():
            os.replace(folder, old)
        try:
            os.replace(partial, folder)
        except BaseException:
            if old.exists():
                os.replace(old, folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if folder.exists():  # whichever it is, what was moved aside is not needed any more
            shutil.rmtree(old, ignore_errors=True)
        raise


def recover_folder(folder: Path | str) -> None:
    """Put back what `replacing_folder` had moved aside when its process was killed."""
    folder = Path(folder)
    if folder.exists() or not folder.name:
        return
    try:
        aside = sorted(folder.parent.glob(f".{glob.escape(folder.name)}-*-old"))
        if aside:
            os.replace(aside[-1], folder)
    except OSError:  # nothing can be read or written there, so nothing can be recovered
        pass


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8 with "\\n" line ends; the file is replaced whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def in_notebook() -> bool:
    """Whether the code runs in IPython, for example in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def progress_bar(total: int, unit: str, show: bool = True, **settings: Any) -> "tqdm":
    """A progress bar on standard error or, in a notebook, on standard output.

    Notebooks show standard error like a failure and store it in their outputs.
    total: number of units. unit: what is counted, a literal that is looked up in the learner's
    language. show: whether it is displayed. settings: passed on to tqdm.
    """
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit=localised(unit),
        disable=not show,
        mininterval=1.0,
        file=sys.stdout if in_notebook() else sys.stderr,
        **settings,
    )
