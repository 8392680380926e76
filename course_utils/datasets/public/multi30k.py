"""Multi30k: captions of photos, translated by people; the course's real translation task.

Source: https://github.com/multi30k/dataset (task 1, raw). 29,000 sentences to train with, 1,014 to
validate, 1,000 to test (`test_2016_flickr`), in German, English and French. The English captions
are those of Flickr30k; for research use, so the course downloads them and never ships them.

D. Elliott, S. Frank, K. Sima'an, L. Specia (2016). Multi30K: Multilingual English-German Image
Descriptions. Proceedings of the 5th Workshop on Vision and Language, 70–74.
"""

import gzip
import zlib

from course_utils.datasets.download import fetch
from course_utils.datasets.registry import DataError

__all__ = ["LANGUAGES", "SPLITS", "multi30k"]

LANGUAGES = ("de", "en", "fr")
SPLITS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}


def multi30k(split, source="de", target="en"):
    """Sentence pairs of Multi30k: a list of (source sentence, target sentence).

    split: "train" (29,000 pairs), "valid" (1,014) or "test" (1,000, test_2016_flickr).
    source, target: two different ones of "de", "en", "fr". A line ends at "\\n" only; white space
    at its end is removed, nothing else is changed.

    Downloads the nine files (1.9 MB) when they are neither in the cache nor in a mirror. Raises
    ValueError for an unknown split or language, DataError when the files cannot be had or do not
    belong together. Source, licence and citation: see this module's description.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    for role, language in (("source", source), ("target", target)):
        if language not in LANGUAGES:
            raise ValueError(f"{role} language {language!r} is none of {', '.join(LANGUAGES)}")
    if source == target:
        raise ValueError(f"source and target are both {source!r}; choose two different languages")
    folder = fetch("multi30k") / "multi30k"
    left, right = (_sentences(folder / f"{SPLITS[split]}.{code}.gz") for code in (source, target))
    if len(left) != len(right):
        raise DataError(
            f"Multi30k's {split} split has {len(left):,} lines in {source} and {len(right):,} in"
            f" {target}, so the lines do not belong together; {folder} may mix two versions.",
            "Remove that folder and run: python -m course_utils data get multi30k.",
        )
    return list(zip(left, right, strict=True))


def _sentences(path):
    try:
        with gzip.open(path, "rb") as packed:
            text = packed.read().decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}).",
            "Remove it and run: python -m course_utils data get multi30k.",
        ) from error
    lines = text.split("\n")
    if lines[-1] == "":  # what follows the last line end is no line
        lines.pop()
    return [line.rstrip() for line in lines]
