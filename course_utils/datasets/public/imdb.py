"""IMDB: 50,000 film reviews, half of them praise, half of them not; the course's real labels.

Source: https://ai.stanford.edu/~amaas/data/sentiment/. 25,000 reviews to train with, 25,000 to
test, no film in both. A review is negative with at most 4 of 10 stars, positive with at least 7;
what lies between is left out. There is no official validation part: `imdb` takes whole films out
of the training part, because reviews of one film share its names, and a model that knows them
would look better on a validation part that shares its films than it does on the test.

A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts (2011). Learning Word Vectors for
Sentiment Analysis. ACL 2011, 142–150.
"""

import random
import re
from functools import lru_cache

from course_utils.datasets.archives import tar_members
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import DataError

__all__ = ["LABELS", "SPLITS", "imdb"]

ARCHIVE = "aclImdb_v1.tar.gz"
LABELS = ("negative", "positive")
SPLITS = ("train", "valid", "test")
VALIDATION = 2500  # reviews, about: whole films
FOLDERS = {"neg": "negative", "pos": "positive"}


def imdb(split: str) -> list[tuple[str, str]]:
    """Reviews with their labels, (text, "negative" or "positive"), in a fixed order.

    split: "train" (about 22,500 reviews), "valid" (about 2,500 of other films, out of the training
    part; the same ones on every machine) or "test" (25,000). Line breaks, which the files write as
    <br />, become single spaces; nothing else is changed.

    Reads the archive (84 MB as published) and unpacks nothing to the disk; brings it when it is
    neither in the cache nor in a mirror. Raises ValueError for an unknown split, DataError when
    the archive cannot be had or read.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    part = "test" if split == "test" else "train"
    reviews, films = _read(fetch("imdb") / ARCHIVE, part)
    keys = sorted(reviews, key=lambda key: (key[1], key[0]))  # negative and positive in turn
    if split != "test":
        held_out = _held_out_films([films[key] for key in keys])
        keys = [key for key in keys if (films[key] in held_out) == (split == "valid")]
    return [(reviews[key], FOLDERS[key[0]]) for key in keys]


@lru_cache(maxsize=1)  # "train" and "valid" are asked for one after the other
def _read(path, part):
    """Texts and film addresses by (folder, number) of one half of the archive."""
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
            f"{path} holds {len(reviews):,} reviews of the part “{part}” and"
            f" {len(films):,} addresses of their films: something is missing.",
            "Remove it and run: python -m course_utils data get imdb.",
        )
    return reviews, films


def _held_out_films(films):
    """Films drawn at random until they have VALIDATION reviews together."""
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
