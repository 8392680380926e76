"""Is a file what it should be? By checksum, by content manifest, and remembered once verified."""

import contextlib
import fnmatch
import hashlib
import zipfile
from pathlib import Path

from course_utils.datasets.archives import ARCHIVE_ERRORS, open_tar, open_zip
from course_utils.datasets.registry import RemoteFile
from course_utils.paths import cache_folder
from course_utils.runtime import regular_file

__all__ = ["Mismatch", "is_verified", "remember", "verify"]


class Mismatch(Exception):
    """A file is not what it should be; the text says how it differs."""


def verify(path: Path, file: RemoteFile, checksum: str | None) -> None:
    """Raise Mismatch unless ``path`` has the checksum, if there is one, and fits the manifest.

    A device does not fit, nor does a file with more bytes than a copy may have.
    """
    try:
        regular_file(path, file.most).close()
    except OSError as error:
        raise Mismatch(f"{error.strerror}.") from None
    if checksum:
        kind, _, expected = checksum.partition(":")
        with open(path, "rb") as handle:
            found = hashlib.file_digest(handle, kind).hexdigest()
        if found != expected:
            raise Mismatch(f"{kind} {found} ({path.stat().st_size:,} bytes) instead of {expected}.")
    if file.manifest:
        members = _members(path, file)
        for content in file.manifest:
            found = len(fnmatch.filter(members, content.pattern))
            if found != content.files:
                raise Mismatch(
                    f"{found:,} files match “{content.pattern}” in the archive instead of"
                    f" {content.files:,}."
                )


def _members(path: Path, file: RemoteFile) -> list[str]:
    """Names of the files in an archive, all of which are read, so that damage is noticed."""
    try:
        return _zip_members(path) if file.name.lower().endswith(".zip") else _tar_members(path)
    except ARCHIVE_ERRORS as error:
        size = path.stat().st_size
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise Mismatch(f"an archive that cannot be read ({reason}; {size:,} bytes).") from None


def _zip_members(path: Path) -> list[str]:
    with open_zip(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        # macOS adds a shadow ._name for each file.
        names = (item.filename for item in archive.infolist() if not item.is_dir())
        return [name for name in names if not name.startswith("__MACOSX/")]


def _tar_members(path: Path) -> list[str]:
    with open_tar(path) as archive:
        names = [item.name.removeprefix("./") for item in archive if item.isfile()]
        while archive.fileobj.read(1 << 20):  # to the end, where gzip stores its checksum
            pass
    return names


# A large file is verified only once, as long as its size and date stay the same. An empty file in
# the cache folder, named after all that matters, records it; the set serves a read-only cache.
checked_here: set[str] = set()


def is_verified(path: Path, file: RemoteFile, checksum: str | None) -> bool:
    """Whether ``path`` exists and is the right file. It is read only if that is not known yet."""
    try:
        record = _record(path, file, checksum)
        if record.name not in checked_here and not record.exists():
            verify(path, file, checksum)
            remember(path, file, checksum)
    except (Mismatch, OSError):
        return False
    return True


def remember(path: Path, file: RemoteFile, checksum: str | None) -> None:
    """Count ``path`` as verified from now on, until it changes."""
    record = _record(path, file, checksum)
    checked_here.add(record.name)
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch()


def _record(path: Path, file: RemoteFile, checksum: str | None) -> Path:
    status = path.stat()
    state = repr((str(path.absolute()), status.st_size, status.st_mtime_ns, checksum))
    digits = hashlib.sha256(f"{state}{file.manifest}".encode()).hexdigest()
    return cache_folder() / ".verified" / digits
