"""Flickr8k: photos of people and animals with five captions each; the course's real pictures.

Source: Hodosh, Young and Hockenmaier (2013); the archives are those of
https://github.com/jbrownlee/Datasets/releases. The official split has 6,000 photos for training,
1,000 for validation and 1,000 for testing. The data are for non-commercial research and education
and must not be redistributed: the course downloads them, includes no photo, and no stored output of
a notebook shows one.

Known quirks of the published files: two ids of the caption file have no photo, and 91 photos belong
to no split. Photos without captions and ids without a photo are left out.

M. Hodosh, P. Young, J. Hockenmaier (2013). Framing Image Description as a Ranking Task: Data,
Models and Evaluation Metrics. Journal of Artificial Intelligence Research 47, 853–899.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from course_utils.datasets.archives import open_zip, readable
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

__all__ = ["DATASET", "SPLITS", "CaptionedPhoto", "flickr8k", "photo_bytes"]

ADDRESS = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"
PHOTOS, TEXTS = "Flickr8k_Dataset.zip", "Flickr8k_text.zip"
CAPTIONS = "Flickr8k.token.txt"
SPLITS = {"train": "train", "valid": "dev", "test": "test"}
ADVICE = "Remove the file and run: python -m course_utils data get flickr8k."

# No checksums: copies of these archives differ in their layout and in the size of the photos.
# Their content is the same.
DATASET = PublicDataset(
    name="flickr8k",
    title="Flickr8k: photos with five English captions each",
    files=(
        RemoteFile(
            name=PHOTOS,
            url=f"{ADDRESS}{PHOTOS}",
            size=1115419746,
            manifest=(Content("Flicker8k_Dataset/*.jpg", files=8091),),
        ),
        RemoteFile(
            name=TEXTS,
            url=f"{ADDRESS}{TEXTS}",
            size=2340801,
            manifest=(
                Content(f"*{CAPTIONS}", files=1),
                *(Content(f"*Flickr_8k.{part}Images.txt", files=1) for part in SPLITS.values()),
            ),
        ),
    ),
    licence="non-commercial research and education, no redistribution",
    citation=(
        "M. Hodosh, P. Young, J. Hockenmaier (2013). Framing Image Description as a Ranking"
        " Task: Data, Models and Evaluation Metrics. Journal of Artificial Intelligence"
        " Research 47, 853–899."
    ),
    remarks=(
        "8,091 photos (about 1.1 GB; a mirror may hold them at 224 × 224); official split of"
        " 6,000 / 1,000 / 1,000. Two ids of the caption file have no photo. Not part of the"
        " course's own files, and no stored output shows a photo."
    ),
)


@dataclass(frozen=True)
class CaptionedPhoto:
    """A photo by the name of its file, with its captions, stripped of white space at the ends."""

    name: str
    captions: tuple[str, ...]


def flickr8k(split: str) -> list[CaptionedPhoto]:
    """Photos of a split, "train", "valid" or "test", in the published order.

    Downloads the two archives (1.1 GB) unless they are in the cache or in a mirror. Raises
    ValueError for an unknown split, DataError if the files cannot be downloaded or read.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    folder = fetch("flickr8k")
    photos = _members(folder / PHOTOS)
    captions: dict[str, list[str]] = {}
    for line in _text(folder / TEXTS, CAPTIONS).split("\n"):
        key, tab, caption = line.partition("\t")
        if tab:
            captions.setdefault(key.rpartition("#")[0], []).append(caption.strip())
    names = _text(folder / TEXTS, f"Flickr_8k.{SPLITS[split]}Images.txt").split()
    return [
        CaptionedPhoto(name, tuple(captions[name]))
        for name in names
        if name in photos and name in captions
    ]


def photo_bytes(names: Iterable[str]) -> list[bytes]:
    """The JPEG files with these names.

    Raises KeyError for a name that does not exist, DataError if the archive cannot be read.
    """
    path = fetch("flickr8k") / PHOTOS
    members = _members(path)
    with readable(path, "flickr8k"), open_zip(path) as archive:
        return [archive.read(members[name]) for name in names]


@lru_cache(maxsize=2)
def _members(path: Path) -> dict[str, str]:
    """File name → full name inside the archive of the photos."""
    with readable(path, "flickr8k"), open_zip(path) as archive:
        names = archive.namelist()
    return {
        name.rpartition("/")[2]: name
        for name in names
        if name.endswith(".jpg") and not name.startswith("__MACOSX/")
    }


def _text(path: Path, name: str) -> str:
    """A text file of the archive, in whatever folder it is (copies of the archive differ)."""
    with readable(path, "flickr8k"), open_zip(path) as archive:
        found = [x for x in archive.namelist() if x.rpartition("/")[2] == name]
        if not found:
            raise DataError(f"{path} does not contain {name}.", ADVICE)
        return archive.read(found[0]).decode("utf-8")
