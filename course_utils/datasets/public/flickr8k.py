"""Flickr8k: photos of people and animals with five captions each; the course's real pictures.

Source: Hodosh, Young and Hockenmaier (2013); the archives are those of
https://github.com/jbrownlee/Datasets/releases. 6,000 photos to train with, 1,000 to validate, 1,000
to test, the official split. For non-commercial research and education, not to be redistributed: the
course downloads it and never ships a photo, and no stored output of a notebook shows one.

Known quirks of the published files: two ids of the caption file have no photo, and 91 photos belong
to no split. A photo without caption, or an id without photo, is left out.

M. Hodosh, P. Young, J. Hockenmaier (2013). Framing Image Description as a Ranking Task: Data,
Models and Evaluation Metrics. Journal of Artificial Intelligence Research 47, 853–899.
"""

import zipfile
from dataclasses import dataclass
from functools import lru_cache

from course_utils.datasets.download import fetch
from course_utils.datasets.registry import DataError

__all__ = ["SPLITS", "CaptionedPhoto", "flickr8k", "photo_bytes"]

SPLITS = {"train": "train", "valid": "dev", "test": "test"}
PHOTOS, TEXTS = "Flickr8k_Dataset.zip", "Flickr8k_text.zip"
ADVICE = "Remove the file and run: python -m course_utils data get flickr8k."


@dataclass(frozen=True)
class CaptionedPhoto:
    """name of the photo's file, and its captions, as published but for white space at the ends."""

    name: str
    captions: tuple[str, ...]


def flickr8k(split: str) -> list[CaptionedPhoto]:
    """Photos of a split, "train", "valid" or "test", in the published order.

    Downloads the two archives (1.1 GB) when they are neither in the cache nor in a mirror. Raises
    ValueError for an unknown split, DataError when the files cannot be had or read.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    folder = fetch("flickr8k")
    photos = _members(folder / PHOTOS)
    captions: dict[str, list[str]] = {}
    for line in _text(folder / TEXTS, "Flickr8k.token.txt").split("\n"):
        key, tab, caption = line.partition("\t")
        if tab:
            captions.setdefault(key.rpartition("#")[0], []).append(caption.strip())
    names = _text(folder / TEXTS, f"Flickr_8k.{SPLITS[split]}Images.txt").split()
    return [
        CaptionedPhoto(name, tuple(captions[name]))
        for name in names
        if name in photos and name in captions
    ]


def photo_bytes(names) -> "list[bytes]":
    """The JPEG files of some photos by name. Raises KeyError for a name that there is not."""
    path = fetch("flickr8k") / PHOTOS
    members = _members(path)
    with zipfile.ZipFile(path) as archive:
        return [archive.read(members[name]) for name in names]


@lru_cache(maxsize=2)
def _members(path) -> dict[str, str]:
    """File name → full name inside the archive of the photos."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read ({error}).", ADVICE) from error
    return {
        name.rpartition("/")[2]: name
        for name in names
        if name.endswith(".jpg") and not name.startswith("__MACOSX/")
    }


def _text(path, name: str) -> str:
    """A text file of the archive, wherever it lies in there (copies of the archive differ)."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [x for x in archive.namelist() if x.rpartition("/")[2] == name]
            if not found:
                raise DataError(f"{path} holds no {name}.", ADVICE)
            return archive.read(found[0]).decode("utf-8")
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}).", ADVICE) from error
