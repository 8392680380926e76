"""Public data on this machine: find it, or bring it here, verified.

Order: complete in the cache → the mirror (COURSE_MIRROR) → the canonical address. A file grows
under the name `….part`, is verified there, and then gets its final name in one step: what has its
final name is complete. A mirror is a folder or a web address with the registry's file names and its
own `SHA256SUMS`, which is what its files are checked against: an archive that the mirror's maker
packed anew has other bytes than the publisher's. A content manifest holds for both.
"""

import contextlib
import errno
import fnmatch
import hashlib
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from course_utils.datasets.registry import DataError, dataset
from course_utils.paths import REPO, cache_folder

__all__ = ["DataError", "ManualDownload", "fetch", "locate"]

SUMS = "SHA256SUMS"
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
ARCHIVE_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
ARCHIVE_ERRORS += (NotImplementedError, RuntimeError, OSError)  # unknown or encrypted; gzip


class ManualDownload(DataError):
    """The data is offered on a web page only. steps: what a person does, one string per step."""

    def __init__(self, what, steps):
        super().__init__(what, "A person has to download it, in the steps given here.")
        self.steps = steps


class Damaged(DataError):
    """What a server or a mirror delivered is not what it should be."""


class Unavailable(DataError):
    """The mirror cannot deliver this file; the canonical address may."""


class Mismatch(Exception):
    """A file is not what it should be; the text says how it differs."""


def locate(name):
    """The folder below which the data set's files lie under their registered names, or None.

    Looks in the cache, then in a mirror that is a folder (its files are used in place). Downloads
    nothing and prints nothing. The verification is remembered in the cache folder, so that large
    files are read only once. Raises DataError when the registry has no such name.
    """
    entry = dataset(name)
    cache = cache_folder()
    if all(_accepted_in_cache(cache, file) for file in entry.files):
        return cache
    mirror = Mirror.chosen()
    if mirror and all(mirror.holds(file) for file in entry.files):
        return mirror.folder
    return None


def fetch(name, progress=True):
    """The folder below which the data set's verified files lie; brings what is missing.

    progress: draw a bar on standard error for each file that is downloaded. Files that are in place
    already cost no request.

    Raises DataError with one clear line: unknown name, no network, no such file, a cut connection
    (the next call goes on there), wrong checksum, a folder that cannot be written, a full disk;
    ManualDownload, a DataError with steps, when only a person can get the files.
    """
    found = locate(name)
    if found is not None:
        return found
    entry = dataset(name)
    cache = cache_folder()
    with _disk_errors(cache), _one_at_a_time(cache, name):
        mirror = Mirror.chosen()
        missing = [file for file in entry.files if not _accepted_in_cache(cache, file)]
        by_hand = [file for file in missing if not _get(file, cache, mirror, progress)]
    if by_hand:
        raise _manual(entry, by_hand, cache, mirror)
    return cache


def _get(file, cache, mirror, progress):
    """Place one file; False when nothing but a person can get it."""
    from course_utils.datasets.transfer import CutConnection

    target = cache / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    problems = []
    if mirror:
        try:
            mirror.deliver(file, target, progress)
            return True
        except Unavailable as problem:
            problems.append(problem)
    for url in file.urls:
        try:
            _download(file, url, target, file.checksum, progress)
            return True
        except CutConnection:
            raise  # another address would begin anew
        except DataError as problem:
            problems.append(problem)
    if not file.urls:
        return False
    if len(problems) == 1:
        raise problems[0]
    told = " ".join(f"({i}) {problem.what}" for i, problem in enumerate(problems, 1))
    raise DataError(
        f"{file.name} could not be had from {len(problems)} places: {told}", problems[-1].advice
    )


def _download(file, url, target, checksum, progress):
    """From a server to the final name, by way of `.part` and the verification."""
    from course_utils.datasets.transfer import ResumingDownloader, discard, part_of

    part = part_of(target)
    bring = ResumingDownloader(progress, label=target.name, user_agent=file.user_agent)
    try:
        resumed = bring(url, part)
        try:
            _verify(part, file, checksum)
        except Mismatch:
            if not resumed:
                raise
            discard(part)  # two halves that do not belong together: once more, in one piece
            bring(url, part)
            _verify(part, file, checksum)
    except Mismatch as error:
        hint = _web_page_hint(part)
        discard(part)
        raise Damaged(
            f"{url} delivered something else than expected: {error}{hint} It was removed.",
            "Repeat the command; if that does not help, the file has changed at its source:"
            " update the course, or point COURSE_MIRROR to a copy of the data.",
        ) from None
    except DataError:
        if part.exists() and not part.stat().st_size:
            discard(part)
        raise
    except OSError as error:
        if error.errno in FULL:
            discard(part)
        raise
    _place(part, target, file, checksum)


def _place(part, target, file, checksum):
    from course_utils.datasets.transfer import discard

    os.replace(part, target)
    discard(part)  # the note beside it
    _remember(target, file, checksum)


def _web_page_hint(path):
    with open(path, "rb") as head:
        start = head.read(200).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return " It is a web page, perhaps the log-in page of the network."
    return ""


# ---------------------------------------------------------------- the mirror


class Mirror:
    """A folder or a web address that offers the registry's files and a SHA256SUMS of its own."""

    def __init__(self, address):
        self.address = address
        self.folder = None
        if not address.lower().startswith(("http://", "https://")):
            # The shell stands in the checkout, a notebook in a folder of it: both should work.
            folder = Path(address).expanduser()
            self.folder = (folder if folder.is_dir() else REPO / folder).resolve()
        self._sums = None
        self._problem = None  # why there are no sums; asked for only once

    @classmethod
    def chosen(cls):
        """The mirror of the environment's COURSE_MIRROR, or None."""
        address = os.environ.get("COURSE_MIRROR", "").strip()
        return cls(address) if address else None

    def checksum(self, file):
        """`sha256:…` as the mirror lists it; Unavailable when it does not."""
        if self._problem:
            raise self._problem
        if self._sums is None:
            try:
                self._sums = _parse_sums(self._sums_text())
            except Unavailable as problem:
                self._problem = problem
                raise
        if file.name not in self._sums:
            raise Unavailable(
                f"The mirror {self.address} lacks {file.name} ({SUMS} has no such line)."
            )
        return f"sha256:{self._sums[file.name]}"

    def holds(self, file):
        """Is the file in this mirror's folder, as it should be? (A web address: no.)"""
        if self.folder is None:
            return False
        try:
            checksum = self.checksum(file)
            path = self.folder / file.name
            if _remembered(path, file) != checksum:
                _verify(path, file, checksum)
                _remember(path, file, checksum)
        except (DataError, Mismatch, OSError):
            return False
        return True

    def deliver(self, file, target, progress):
        """Put the file in the cache. Raises Unavailable, or DataError for a damaged mirror."""
        from course_utils.datasets.transfer import CutConnection

        checksum = self.checksum(file)
        try:
            if self.folder is None:
                url = f"{self.address.rstrip('/')}/{quote(file.name)}"
                _download(file, url, target, checksum, progress)
            else:
                self._copy(file, target, checksum)
        except CutConnection:
            raise
        except Damaged as problem:
            raise DataError(
                f"The mirror is damaged, or its {SUMS} is out of date: {problem.what}",
                "Tell the person who made the mirror, or unset COURSE_MIRROR to download from the"
                " original source.",
            ) from None
        except DataError as problem:
            raise Unavailable(f"The mirror failed: {problem.what}", problem.advice) from None

    def _copy(self, file, target, checksum):
        from course_utils.datasets.transfer import PIECE, discard, need_room, part_of

        path, part = self.folder / file.name, part_of(target)
        try:
            source = open(path, "rb")
        except OSError as error:
            raise Unavailable(f"{path} is listed but cannot be read ({error.strerror}).") from None
        discard(part)
        try:
            with source, open(part, "wb") as out:
                need_room(part, os.fstat(source.fileno()).st_size)
                while piece := source.read(PIECE):
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            _verify(part, file, checksum)
        except Mismatch as error:
            discard(part)
            raise Damaged(f"{path} is something else than expected: {error}") from None
        except OSError:
            discard(part)
            raise
        _place(part, target, file, checksum)

    def _sums_text(self):
        wanted = f"It must hold the data files and {SUMS} (made with: sha256sum FILES > {SUMS})."
        try:
            if self.folder is None:
                from course_utils.datasets.transfer import fetch_text

                return fetch_text(f"{self.address.rstrip('/')}/{SUMS}")
            return (self.folder / SUMS).read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            kind = f"has no {SUMS}" if self.folder.is_dir() else "is no folder and no web address"
            raise Unavailable(f"COURSE_MIRROR={self.address} {kind}.", wanted) from None
        except DataError as problem:
            raise Unavailable(
                f"The mirror cannot be used: {problem.what}", problem.advice
            ) from None


def _parse_sums(text):
    """{file name: digits} from lines `digits  name`, as sha256sum writes them."""
    sums = {}
    for line in text.splitlines():
        digits, _, name = line.strip().partition(" ")
        name = name.lstrip(" *").removeprefix("./")
        if len(digits) == 64 and name:
            sums[name] = digits.lower()
    return sums


# ---------------------------------------------------------------- verification


def _verify(path, file, checksum):
    """Mismatch unless the bytes have the checksum (when there is one) and the manifest holds."""
    if checksum:
        import pooch

        kind, _, expected = checksum.partition(":")
        found = pooch.file_hash(str(path), alg=kind)
        if found != expected:
            raise Mismatch(
                f"{kind} {found} ({path.stat().st_size:,} bytes) instead of {expected}"
                f"{f' ({file.size:,} bytes)' if file.size and checksum == file.checksum else ''}."
            )
    if file.manifest:
        _verify_content(path, file)


def _verify_content(path, file):
    try:
        zipped = file.name.lower().endswith(".zip")
        members = _zip_members(path) if zipped else _tar_members(path)
    except ARCHIVE_ERRORS as error:
        size = path.stat().st_size
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise Mismatch(f"an archive that cannot be read ({reason}; {size:,} bytes).") from None
    for content in file.manifest:
        sizes = [size for name, size in members if fnmatch.fnmatchcase(name, content.pattern)]
        for what, found, expected in (
            ("files", len(sizes), content.files),
            ("unpacked bytes", sum(sizes), content.size),
        ):
            if expected is not None and found != expected:
                raise Mismatch(
                    f"{found:,} {what} like “{content.pattern}” in the archive instead of"
                    f" {expected:,}."
                )


def _zip_members(path):
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        # What macOS adds to an archive (a shadow ._name for each file) is no content.
        return [
            (item.filename, item.file_size)
            for item in archive.infolist()
            if not item.is_dir() and not item.filename.startswith("__MACOSX/")
        ]


def _tar_members(path):
    with tarfile.open(path, "r:*") as archive:
        members = [(item.name.removeprefix("./"), item.size) for item in archive if item.isfile()]
        while archive.fileobj.read(1 << 20):  # to the end, where the checksum of gzip stands
            pass
    return members


def _accepted_in_cache(cache, file):
    """Is the file in the cache: placed by `fetch`, or by a person and as it should be?"""
    path = cache / file.name
    try:
        if _remembered(path, file) is None:
            _verify(path, file, file.checksum)
            _remember(path, file, file.checksum)
    except (Mismatch, OSError):
        return False
    return True


# What was verified once is not read again while its size and date stay: a small record per file,
# in the cache folder and, where that cannot be written, in this process.
_records = {}


def _record_of(path):
    key = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]
    return cache_folder() / ".verified" / f"{key}.json"


def _state(path, file):
    """What a record depends on: the file, as far as that is cheap to see, and the registry."""
    status = path.stat()
    entry = json.dumps([file.checksum, [asdict(content) for content in file.manifest]])
    return {
        "path": str(path.absolute()),
        "size": status.st_size,
        "modified": status.st_mtime_ns,
        "entry": entry,
    }


def _remembered(path, file):
    """The checksum ("" for none) with which the file was accepted as it is now, else None."""
    state = _state(path, file)
    records = [_records.get(state["path"])]
    with contextlib.suppress(OSError, ValueError):
        records.append(json.loads(_record_of(path).read_text(encoding="utf-8")))
    for record in records:
        if isinstance(record, dict) and {**record, **state} == record:
            return record.get("checksum")
    return None


def _remember(path, file, checksum):
    record = {**_state(path, file), "checksum": checksum or ""}
    _records[record["path"]] = record
    place = _record_of(path)
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(record), encoding="utf-8")
        os.replace(draft, place)


# ---------------------------------------------------------------- by hand, locks, disk


def _manual(entry, files, cache, mirror):
    names = ", ".join(file.name for file in files)
    what = [f"{entry.name}: {names} is offered on a web page only."]
    if mirror:
        what.append(f"The mirror {mirror.address} does not have it.")
    steps = list(entry.manual_steps)
    for file in files:
        target = cache / file.name
        steps.append(f"Save it as {target}")
        if target.exists():
            try:
                _verify(target, file, file.checksum)
            except (Mismatch, OSError) as error:
                what.append(f"The file that lies at {target} is not the right one: {error}")
    steps.append(f"Run again: python -m course_utils data get {entry.name}")
    return ManualDownload(" ".join(what), tuple(steps))


@contextlib.contextmanager
def _one_at_a_time(cache, name):
    """Two processes must not write one `.part`; the second is told to wait."""
    folder = cache / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "a+b") as handle:
        try:
            try:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # Windows
                import msvcrt

                handle.seek(0)
                msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise DataError(
                    f"Another process is downloading {name} right now.",
                    "Wait until it is done, then repeat the command.",
                ) from None
            # some network file systems have no locks: go on without one
        yield


@contextlib.contextmanager
def _disk_errors(cache):
    """Every error of the local disk as one clear line that names the folder and COURSE_DATA."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DataError(
                f"The disk with {cache} is full ({error.strerror}).",
                "Make room, or set COURSE_DATA to a folder on another disk; then repeat.",
            ) from error
        raise DataError(
            f"The folder {cache} cannot be written ({error.strerror or error}).",
            "Set COURSE_DATA to a folder of your own; then repeat.",
        ) from error
