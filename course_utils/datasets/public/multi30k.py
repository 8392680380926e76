"""Multi30k: captions of photos, translated by people; the course's real translation task.

Source: https://github.com/multi30k/dataset (task 1, raw). 29,000 sentences for training, 1,014 for
validation, 1,000 for testing (`test_2016_flickr`), in German, English and French. The English
captions are those of Flickr30k. They are for research use, so the course downloads the data and
does not include it.

D. Elliott, S. Frank, K. Sima'an, L. Specia (2016). Multi30K: Multilingual English-German Image
Descriptions. Proceedings of the 5th Workshop on Vision and Language, 70–74.
"""

from pathlib import Path

from course_utils.datasets.archives import gzip_text
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import DataError, PublicDataset, RemoteFile

__all__ = ["DATASET", "LANGUAGES", "SPLITS", "multi30k"]

ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
# Size in bytes and SHA-256 of each published file.
PUBLISHED = """
train.de             637044 726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6
train.en             568929 d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f
train.fr             604242 622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c
val.de                24681 f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a
val.en                21650 14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28
val.fr                23001 ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9
test_2016_flickr.de   22890 9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8
test_2016_flickr.en   21077 611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9
test_2016_flickr.fr   22310 6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90
"""

DATASET = PublicDataset(
    name="multi30k",
    title="Multi30k: captions of photos in German, English and French",
    files=tuple(
        RemoteFile(f"multi30k/{part}.gz", f"{ADDRESS}{part}.gz", int(size), f"sha256:{digits}")
        for part, size, digits in map(str.split, PUBLISHED.strip().splitlines())
    ),
    licence="research use",
    citation=(
        "D. Elliott, S. Frank, K. Sima'an, L. Specia (2016). Multi30K: Multilingual"
        " English-German Image Descriptions. Proceedings of the 5th Workshop on Vision and"
        " Language, 70–74. French: D. Elliott, S. Frank, L. Barrault, F. Bougares, L. Specia"
        " (2017). Findings of the Second Shared Task on Multimodal Machine Translation and"
        " Multilingual Image Description. WMT 2017, 215–233."
    ),
    remarks=(
        "29,000 / 1,014 / 1,000 sentences in each language (train, validation, test of 2016)."
        " The English captions are those of Flickr30k. Not part of the course's own files."
    ),
)

LANGUAGES = ("de", "en", "fr")
SPLITS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}


def multi30k(split: str, source: str = "de", target: str = "en") -> list[tuple[str, str]]:
    """Sentence pairs of Multi30k: a list of (source sentence, target sentence).

    split: "train" (29,000 pairs), "valid" (1,014) or "test" (1,000, test_2016_flickr).
    source, target: two different languages out of "de", "en", "fr".

    Only "\\n" ends a line; white space at the end of a line is removed, nothing else is changed.
    Downloads the nine files (1.9 MB) unless they are in the cache or in a mirror. Raises ValueError
    for an unknown split or language, DataError if the files cannot be downloaded or do not belong
    together.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    for role, language in (("source", source), ("target", target)):
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise ValueError(f"unknown {role} language {language!r}: choose one of {known}")
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


def _sentences(path: Path) -> list[str]:
    lines = gzip_text(path, "multi30k").split("\n")
    if lines[-1] == "":  # the last line ends in "\n", too
        lines.pop()
    return [line.rstrip() for line in lines]
