"""Public data on this machine: find them, or download and verify them.

A file comes from the cache, else from the mirror (COURSE_MIRROR), else from its publisher. It grows
under the name `….part` and gets its final name only after it has been verified, so a file with its
final name is complete.

A mirror is a folder or a web address that offers the files under their registered names, together
with a `SHA256SUMS` of its own. Its files are verified against these checksums, since whoever made
the mirror may have packed an archive anew; content manifests hold for mirrors, too.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from course_utils.datasets.registry import DataError, RemoteFile, dataset
from course_utils.datasets.verification import Mismatch, is_verified, remember, verify
from course_utils.paths import REPO, cache_folder
from course_utils.runtime import read_file, regular_file

__all__ = ["DataError", "fetch", "locate"]

SUMS = "SHA256SUMS"
SUMS_SIZE = 1_000_000  # bytes that the list of a mirror may have
PUBLISHER_ADVICE = (
    "Repeat the command. If that does not help, the network may answer with its log-in page, or the"
    " file has changed at its source: update the course, or set COURSE_MIRROR to a copy of the"
    " data."
)
MIRROR_ADVICE = (
    f"The mirror is damaged, or its {SUMS} is out of date: tell the person who made it, or unset"
    " COURSE_MIRROR to download from the publisher."
)


class Damaged(DataError):
    """A server or a mirror delivered something other than the expected file."""


def locate(name: str) -> Path | None:
    """The folder that contains the files of a data set under their registered names, or None.

    Looks in the cache, then in the mirror if that is a folder (its files are used in place).
    Downloads nothing and prints nothing. Large files are read only once, because the result of
    their verification is stored in the cache folder. Raises DataError for an unknown name.
    """
    entry = dataset(name)
    cache = cache_folder()
    if all(is_verified(cache / file.name, file, file.checksum) for file in entry.files):
        return cache
    mirror = Mirror.chosen()
    if mirror and all(mirror.holds(file) for file in entry.files):
        return mirror.folder
    return None


def fetch(name: str, progress: bool = True) -> Path:
    """The folder that contains the verified files of a data set; downloads those that are missing.

    progress: show a progress bar for each download. Files that are in place cause no request.

    Raises DataError, in one line that says what to do: unknown name, no network, no such file, an
    interrupted connection (the next call resumes), a wrong checksum, a folder that cannot be
    written.
    """
    found = locate(name)
    if found is not None:
        return found
    cache = cache_folder()
    with _disk_errors(cache), _one_at_a_time(cache, name):
        mirror = Mirror.chosen()
        for file in dataset(name).files:
            if not is_verified(cache / file.name, file, file.checksum):
                _get(file, cache / file.name, mirror, progress)
    return cache


def _get(file: RemoteFile, target: Path, mirror: "Mirror | None", progress: bool) -> None:
    """Place one file: from the mirror or, if that cannot deliver it, from the publisher."""
    from course_utils.datasets.transfer import Interrupted

    target.parent.mkdir(parents=True, exist_ok=True)
    problem = None
    if mirror:
        try:
            checksum = mirror.checksum(file)
            return _place(file, mirror.source(file), target, checksum, MIRROR_ADVICE, progress)
        except (Damaged, Interrupted):
            raise
        except DataError as error:
            problem = error
    try:
        _place(file, file.url, target, file.checksum, PUBLISHER_ADVICE, progress)
    except (Damaged, Interrupted):
        raise
    except DataError as error:
        if problem is None:
            raise
        raise DataError(
            f"{file.name} could not be downloaded from either source: (1) {problem.what}"
            f" (2) {error.what}",
            error.advice,
        ) from None


def _place(
    file: RemoteFile,
    source: str | Path,
    target: Path,
    checksum: str | None,
    advice: str,
    progress: bool,
) -> None:
    """Copy or download to a `.part`, verify it, then give it its name."""
    from course_utils.datasets.transfer import download

    part = target.with_name(target.name + ".part")
    if isinstance(source, Path):
        resumed = False
        try:
            held = regular_file(source, file.most)
        except OSError as error:
            raise Damaged(f"{source} cannot be read: {error.strerror}.", advice) from None
        with held, open(part, "wb") as out:
            shutil.copyfileobj(held, out)
    else:
        resumed = download(source, part, progress, file.most)
    try:
        verify(part, file, checksum)
    except Mismatch as error:
        part.unlink()
        if resumed:  # two halves that do not belong together: once more, as a whole
            return _place(file, source, target, checksum, advice, progress)
        raise Damaged(f"{source} is not the expected file: {error}", advice) from None
    os.replace(part, target)
    remember(target, file, file.checksum)


class Mirror:
    """A folder or a web address that offers the files of data sets and a SHA256SUMS."""

    def __init__(self, address: str):
        self.address = address.rstrip("/")
        self.folder = None
        self._sums: dict[str, str] | None = None
        self._problem: DataError | None = None  # why there are no sums; asked for only once
        if address.lower().startswith(("http://", "https://")):
            if reason := _why_no_address(address):
                self._problem = DataError(
                    f"COURSE_MIRROR is not a web address that can be used ({reason})."
                )
        else:
            # A relative path counts from the working directory or from the checkout: notebooks run
            # in a folder of their own.
            folder = os.path.expanduser(address)
            here = folder if os.path.isdir(folder) else REPO / folder
            self.folder = Path(os.path.realpath(here))

    @classmethod
    def chosen(cls) -> "Mirror | None":
        """The mirror that the environment's COURSE_MIRROR names, or None."""
        address = os.environ.get("COURSE_MIRROR", "").strip()
        return cls(address) if address else None

    def source(self, file: RemoteFile) -> str | Path:
        """Address or path of a file."""
        if self.folder is None:
            return f"{self.address}/{quote(file.name)}"
        return self.folder / file.name

    def checksum(self, file: RemoteFile) -> str:
        """ "sha256:…" from the mirror's list. Raises DataError if the file is not offered."""
        if self._sums is None and self._problem is None:
            try:
                self._sums = _parse_sums(self._read_sums())
            except DataError as problem:
                self._problem = problem
        if self._problem:
            raise self._problem
        absent = self.folder is not None and not os.path.isfile(self.source(file))
        if file.name not in self._sums or absent:
            raise DataError(f"The mirror {self.address} lacks {file.name}.")
        return f"sha256:{self._sums[file.name]}"

    def holds(self, file: RemoteFile) -> bool:
        """Whether the mirror is a folder that contains the right file."""
        if self.folder is None:
            return False
        try:
            return is_verified(self.source(file), file, self.checksum(file))
        except DataError:
            return False

    def _read_sums(self) -> str:
        if self.folder is None:
            from course_utils.datasets.transfer import fetch_text

            return fetch_text(f"{self.address}/{SUMS}", SUMS_SIZE)
        try:
            content = read_file(self.folder / SUMS, SUMS_SIZE)
        except OSError as error:
            raise DataError(
                f"COURSE_MIRROR={self.address} is neither a web address nor a folder with the data"
                f" files and {SUMS} ({error.strerror}), which `sha256sum FILES > {SUMS}` writes."
            ) from None
        return content.decode("utf-8-sig", errors="replace")


def _why_no_address(address: str) -> str:
    """Why a web address cannot be used, or ""; does not show it, since it may hold a password."""
    if not address.isprintable() or " " in address:
        return "it contains a space or a control character"
    try:
        parts = urlsplit(address)
        if parts.port == 0 or not parts.hostname:
            return "it names no host"
    except ValueError:
        return "its host or its port is malformed"
    return "names of files cannot follow a ? or a #" if parts.query or parts.fragment else ""


def _parse_sums(text: str) -> dict[str, str]:
    """File name → digits, from lines `digits  name` as sha256sum writes them."""
    sums = {}
    for line in text.splitlines():
        digits, _, name = line.strip().partition(" ")
        name = name.lstrip(" *").removeprefix("./")
        if len(digits) == 64 and name:
            sums[name] = digits.lower()
    return sums


@contextlib.contextmanager
def _one_at_a_time(cache: Path, name: str) -> Iterator[None]:
    """Two processes must not write to the same `.part`."""
    from filelock import FileLock, Timeout

    cache.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cache / f".{name}.lock", timeout=0):
            yield
    except Timeout:
        raise DataError(
            f"Another process is downloading {name} right now.",
            "Wait until it has finished, then repeat the command.",
        ) from None


@contextlib.contextmanager
def _disk_errors(cache: Path) -> Iterator[None]:
    """Errors of the local disk become one line that names the folder and COURSE_DATA."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"The folder {cache} cannot be written ({error.strerror or error}).",
            "Make room, or set COURSE_DATA to another folder; then repeat the command.",
        ) from error
