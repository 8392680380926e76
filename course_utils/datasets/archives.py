"""Members of a public archive, read in place: nothing is unpacked to the disk."""

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from course_utils.datasets.registry import DataError

__all__ = ["tar_members"]


def tar_members(
    path: Path, wanted: Callable[[str], object], dataset: str
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in a tar archive whose name is ``wanted``, in archive order.

    Raises DataError, with the command that downloads ``dataset`` again, if the archive cannot be
    read.
    """
    try:
        with tarfile.open(path, "r:*") as archive:
            for item in archive:
                name = item.name.removeprefix("./")
                if item.isfile() and wanted(name):
                    yield name, archive.extractfile(item).read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f"{path} cannot be read ({error}).",
            f"Remove it and run: python -m course_utils data get {dataset}.",
        ) from error
