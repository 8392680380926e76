"""Archives, read in place: nothing is unpacked to the disk, and nothing costs more than announced.

An archive of a few kilobytes can unpack to terabytes. A member may have `MEMBER` bytes, and an
archive `UNPACKED` in total, several times what the data sets need.
"""

import bz2
import contextlib
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from course_utils.datasets.registry import DataError
from course_utils.runtime import regular_file

__all__ = ["ARCHIVE_ERRORS", "gzip_text", "open_tar", "open_zip", "readable", "tar_members"]

MEMBER = 100_000_000  # bytes
UNPACKED = 4_000_000_000
# What a damaged archive raises; RuntimeError if it is encrypted, NotImplementedError if its method
# is unknown.
ARCHIVE_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
ARCHIVE_ERRORS += (NotImplementedError, RuntimeError, OSError, ValueError, struct.error)
OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


@contextlib.contextmanager
def readable(path: Path, dataset: str) -> Iterator[None]:
    """Errors of an archive become a DataError with the command that downloads ``dataset`` again."""
    try:
        yield
    except ARCHIVE_ERRORS as error:
        reason = getattr(error, "strerror", None) or error or type(error).__name__
        raise DataError(
            f"{path} cannot be read ({reason}).",
            f"Remove it and run: python -m course_utils data get {dataset}.",
        ) from error


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive. Raises OSError if a member, or all together, are larger than allowed."""
    with regular_file(path) as file, zipfile.ZipFile(file) as archive:
        for item in archive.infolist():
            _check(item.file_size, MEMBER, f"its member {item.filename}")
        _check(sum(item.file_size for item in archive.infolist()), UNPACKED, "it")
        yield archive


@contextlib.contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar archive, packed or not, to be read from its start to its end: see `_Unpacked`."""
    with regular_file(path) as file:
        begins = file.read(6)
        file.seek(0)
        opener = next((OPENERS[magic] for magic in OPENERS if begins.startswith(magic)), None)
        with contextlib.ExitStack() as stack:
            unpacked = stack.enter_context(opener(file)) if opener else file
            yield stack.enter_context(tarfile.open(fileobj=_Unpacked(unpacked), mode="r:"))


class _Unpacked:
    """The unpacked bytes of a tar archive, for `tarfile`, within the limits.

    Raises OSError for a member, or a header, larger than `MEMBER`, and after `UNPACKED` bytes;
    ReadError for a way back, into which a negative size leads.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes."""
        if size < 0:
            raise tarfile.ReadError("a negative size")
        _check(size, MEMBER, "a member")
        _check(self.tell() + size, UNPACKED, "it")
        return self._file.read(size)

    def seek(self, place: int) -> int:
        """Go on at a place, not before the present one."""
        if place < self.tell():
            raise tarfile.ReadError("a negative size")
        _check(place, UNPACKED, "it")
        return self._file.seek(place)


def _check(size: int, most: int, what: str) -> None:
    if size > most:
        raise OSError(f"{what} unpacks to {size:,} bytes or more; at most {most:,} are allowed")


def tar_members(
    path: Path, wanted: Callable[[str], object], dataset: str
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in a tar archive whose name is ``wanted``, in archive order.

    Raises DataError, with the command that downloads ``dataset`` again, if the archive cannot be
    read or a member is larger than allowed.
    """
    with readable(path, dataset), open_tar(path) as archive:
        for item in archive:
            name = item.name.removeprefix("./")
            if item.isfile() and wanted(name):
                _check(item.size, MEMBER, f"its member {name}")
                yield name, archive.extractfile(item).read()


def gzip_text(path: Path, dataset: str) -> str:
    """The UTF-8 text of a gzip file. Raises DataError as `tar_members` does."""
    with readable(path, dataset), regular_file(path) as file, gzip.open(file) as packed:
        content = packed.read(MEMBER + 1)
        _check(len(content), MEMBER, "it")
        return content.decode("utf-8")
