"""Public data sets: where their files come from and how a right file is recognised.

Each module in `course_utils.datasets.public` describes one data set, in its entry `DATASET`, and
reads it. `REGISTRY` finds these modules by looking into the folder.

A file is recognised by a published checksum. Where a host packs its archives anew for each
download, so that the bytes differ, a content manifest says what the archive must contain.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from course_utils.messages import shown

__all__ = [
    "REGISTRY",
    "Content",
    "DataError",
    "PublicDataset",
    "RemoteFile",
    "dataset",
    "megabytes",
    "public_card",
]

LEAST = 50_000_000  # bytes that are allowed for a file whose size varies
DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


class DataError(Exception):
    """Public data are missing or unusable. One line says what happened and what to do.

    what: what happened and the likely cause; `shown` removes passwords and control characters.
    advice: what to do about it. course_goes_on: add that the course works without the data.
    """

    def __init__(self, what: str, advice: str = "", course_goes_on: bool = True):
        self.what = shown(what)
        self.advice = advice
        rest = "The course still runs without this data." if course_goes_on else ""
        super().__init__(" ".join(f"{self.what} {advice} {rest}".split()))


@dataclass(frozen=True)
class Content:
    """One line of a content manifest: how many files of an archive match a pattern.

    pattern: shell pattern for the full names of the members; `*` also matches `/`.
    files: number of members that match, not counting folders.
    """

    pattern: str
    files: int


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    name: relative path with `/`, the same in the cache and in every mirror.
    url: where its publisher offers it.
    size: bytes of the published file, None if they vary. Shown, never used for verification.
    checksum: of the published bytes, "sha256:…" or "md5:…".
    manifest: for archives (zip, tar), what they contain; verified as well as the checksum.

    Raises ValueError for a name that is not a relative path, for a malformed checksum, and if there
    is neither checksum nor manifest.
    """

    name: str
    url: str
    size: int | None = None
    checksum: str | None = None
    manifest: tuple[Content, ...] = ()

    def __post_init__(self):
        path = PurePosixPath(self.name)
        if not self.name or path.is_absolute() or ".." in path.parts or "\\" in self.name:
            raise ValueError(f"{self.name!r} is not a relative file name with forward slashes")
        if isinstance(self.manifest, Content):
            raise ValueError(f"{self.name}: manifest is a tuple, even if it has one element")
        if self.checksum is None and not self.manifest:
            raise ValueError(f"{self.name}: a checksum or a manifest is needed to verify the file")
        if self.checksum is not None:
            kind, _, digits = self.checksum.partition(":")
            if not re.fullmatch(f"[0-9a-f]{{{DIGITS.get(kind, 0)}}}", digits) or not digits:
                raise ValueError(
                    f"{self.name}: checksum {self.checksum!r} does not have the form 'sha256:…' or"
                    " 'md5:…' followed by all its hexadecimal digits in lower case"
                )

    @property
    def most(self) -> int:
        """The most bytes that a copy of the file may have: copies may be packed in another way."""
        return 2 * max(self.size or 0, LEAST)

    @property
    def sha256(self) -> str | None:
        """The digits of the published SHA-256; None if another checksum, or none, is published."""
        kind, _, digits = (self.checksum or "").partition(":")
        return digits if kind == "sha256" else None


@dataclass(frozen=True)
class PublicDataset:
    """A published data set: its files, and what users of it have to know.

    Raises ValueError if it has no files.
    """

    name: str
    title: str
    files: tuple[RemoteFile, ...]
    licence: str
    citation: str
    remarks: str = ""

    def __post_init__(self):
        if not self.files:
            raise ValueError(f"{self.name}: a data set has at least one file")

    @property
    def size(self) -> int | None:
        """Bytes of all files together; None if one of the sizes is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(sizes)


class _Registry(Mapping[str, PublicDataset]):
    """Name → entry, for each module in `course_utils.datasets.public`.

    Looking up a name imports its module; listing the names imports none of them.
    """

    def __iter__(self) -> Iterator[str]:
        folder = importlib.import_module("course_utils.datasets.public")
        return iter(sorted(module.name for module in pkgutil.iter_modules(folder.__path__)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> PublicDataset:
        if name not in list(self):
            raise KeyError(name)
        return importlib.import_module(f"course_utils.datasets.public.{name}").DATASET


REGISTRY: Mapping[str, PublicDataset] = _Registry()


def dataset(name: str) -> PublicDataset:
    """The entry of a data set. Raises DataError, which lists the names, if there is none."""
    if name not in REGISTRY:
        names = ", ".join(sorted(REGISTRY))
        raise DataError(
            f"There is no public data set called “{name}”.",
            f"The course knows: {names}.",
            course_goes_on=False,
        )
    return REGISTRY[name]


def megabytes(size: int | None) -> str:
    """A size in bytes in readable form: 1.9 MB, 22.9 kB, 17 bytes; "?" for None."""
    if size is None:
        return "?"
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:,.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


def public_card(name: str) -> dict:
    """What the card of a checkpoint says about a public data set: licence, citation, checksums."""
    found = dataset(name)
    return {
        "name": name,
        "licence": found.licence,
        "citation": found.citation,
        "files": {file.name: file.sha256 for file in found.files},
    }
