"""IMDB: 50,000 film reviews, half of them negative, half positive; the course's real labels.

Source: https://ai.stanford.edu/~amaas/data/sentiment/. 25,000 reviews for training, 25,000 for
testing; no film is in both parts. A negative review gives at most 4 of 10 stars, a positive one at
least 7; reviews in between are left out. There is no official validation part, so `imdb` takes
whole films out of the training part. Reviews of one film share its names: if training and
validation shared films, the validation score would be better than the test score.

A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts (2011). Learning Word Vectors for
Sentiment Analysis. ACL 2011, 142–150.
"""

import random
import re
from functools import lru_cache
from pathlib import Path

from course_utils.datasets.archives import tar_members
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

__all__ = ["DATASET", "LABELS", "SPLITS", "imdb"]

ARCHIVE = "aclImdb_v1.tar.gz"

DATASET = PublicDataset(
    name="imdb",
    title="IMDB: 50,000 film reviews, negative or positive",
    files=(
        RemoteFile(
            name=ARCHIVE,
            url=f"https://ai.stanford.edu/~amaas/data/sentiment/{ARCHIVE}",
            size=84125825,
            checksum="md5:7c2ac02c03563afcf9b574c7e56c153a",
            manifest=(
                Content("aclImdb/train/pos/*.txt", files=12500),
                Content("aclImdb/train/neg/*.txt", files=12500),
                Content("aclImdb/test/pos/*.txt", files=12500),
                Content("aclImdb/test/neg/*.txt", files=12500),
                Content("aclImdb/train/urls_???.txt", files=2),
            ),
        ),
    ),
    licence="no licence stated; the authors ask for a citation",
    citation=(
        "A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts (2011). Learning Word"
        " Vectors for Sentiment Analysis. ACL 2011, 142–150."
    ),
    remarks=(
        "25,000 reviews for training, 25,000 for testing, of other films. The published archive"
        " also holds 50,000 reviews without labels, which the course does not use."
    ),
)

LABELS = ("negative", "positive")
SPLITS = ("train", "valid", "test")
VALIDATION = 2500  # reviews in the validation part, approximately: it consists of whole films
FOLDERS = {"neg": "negative", "pos": "positive"}


def imdb(split: str) -> list[tuple[str, str]]:
    """Reviews with their labels, (text, "negative" or "positive"), in a fixed order.

    split: "train" (about 22,500 reviews), "valid" (about 2,500 of other films, taken out of the
    training part; the same on every machine) or "test" (25,000). Line breaks, which the files write
    as <br />, become single spaces; nothing else is changed.

    Reads the archive (84 MB as published) without unpacking it; downloads it unless it is in the
    cache or in a mirror. Raises ValueError for an unknown split, DataError if the archive cannot be
    downloaded or read.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    part = "test" if split == "test" else "train"
    reviews, films = _read(fetch("imdb") / ARCHIVE, part)
    keys = sorted(reviews, key=lambda key: (key[1], key[0]))  # negative and positive alternate
    if split != "test":
        held_out = _held_out_films([films[key] for key in keys])
        keys = [key for key in keys if (films[key] in held_out) == (split == "valid")]
    return [(reviews[key], FOLDERS[key[0]]) for key in keys]


@lru_cache(maxsize=1)  # "train" and "valid" are read one after the other
def _read(path: Path, part: str) -> tuple[dict, dict]:
    """Texts and addresses of the films by (folder, number), for one half of the archive."""
    reviews, films = {}, {}
    review = re.compile(rf"aclImdb/{part}/(neg|pos)/(\d+)_\d+\.txt")
    addresses = re.compile(rf"aclImdb/{part}/urls_(neg|pos)\.txt")

    def wanted(name):
        return review.fullmatch(name) or addresses.fullmatch(name)

    for name, content in tar_members(path, wanted, "imdb"):
        text = content.decode("utf-8", errors="replace")
        found = review.fullmatch(name)
        if found:
            plain = re.sub(r"(\s|<br\s*/?>)+", " ", text).strip()
            reviews[found[1], int(found[2])] = plain
        else:
            folder = addresses.fullmatch(name)[1]
            films |= {(folder, i): url.strip() for i, url in enumerate(text.splitlines())}
    if not reviews or set(reviews) - set(films):
        raise DataError(
            f"{path} is incomplete: its part “{part}” has {len(reviews):,} reviews and"
            f" {len(films):,} addresses of their films.",
            "Remove it and run: python -m course_utils data get imdb.",
        )
    return reviews, films


def _held_out_films(films: list[str]) -> set[str]:
    """Films drawn at random until they have at least VALIDATION reviews in total."""
    counts = {}
    for film in films:
        counts[film] = counts.get(film, 0) + 1
    order = sorted(counts)
    random.Random("validation").shuffle(order)
    chosen, reviews = set(), 0
    for film in order:
        if reviews >= VALIDATION:
            break
        chosen.add(film)
        reviews += counts[film]
    return chosen
