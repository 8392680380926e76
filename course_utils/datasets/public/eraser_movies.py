"""ERASER movie reviews: verdicts, and the words that people marked as the reason for them.

Source: http://www.eraserbenchmark.com/. 1,600 film reviews to train with, 200 to validate, 200 to
test, about 800 words each, cut into words by the publisher. Annotators marked spans that justify
the verdict (Zaidan et al. 2007); for the test part DeYoung et al. had the marks completed.

J. DeYoung, S. Jain, N. F. Rajani, E. Lehman, C. Xiong, R. Socher, B. C. Wallace (2020). ERASER: A
Benchmark to Evaluate Rationalized NLP Models. ACL 2020, 4443–4458.
"""

import json
from dataclasses import dataclass

from course_utils.datasets.archives import tar_members
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import DataError

__all__ = ["LABELS", "SPLITS", "MarkedReview", "eraser_movies"]

ARCHIVE = "movies.tar.gz"
LABELS = ("negative", "positive")
SPLITS = {"train": "train", "valid": "val", "test": "test"}
VERDICTS = {"NEG": "negative", "POS": "positive"}


@dataclass(frozen=True)
class MarkedReview:
    """A review with the marks of the annotators.

    words      as the publisher cut them; joined by spaces they are the text
    label      "negative" or "positive"
    rationale  one bool a word: is it inside a marked span?
    """

    words: tuple[str, ...]
    label: str
    rationale: tuple[bool, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def eraser_movies(split: str) -> list[MarkedReview]:
    """The reviews of a split in the publisher's order.

    split: "train" (1,600), "valid" (200) or "test" (200).
    Reads the archive (3.8 MB) in place; brings it when it is neither in the cache nor in a mirror.
    Raises ValueError for an unknown split, DataError when the archive cannot be had, read or
    understood.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    path = fetch("eraser_movies") / ARCHIVE
    index = f"movies/{SPLITS[split]}.jsonl"
    advice = "Remove it and run: python -m course_utils data get eraser_movies."

    def wanted(name):
        return name == index or name.startswith("movies/docs/")

    files = dict(tar_members(path, wanted, "eraser_movies"))
    try:
        lines = files[index].decode("utf-8").splitlines()
        return [_review(json.loads(line), files) for line in lines if line.strip()]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is not laid out as expected ({error!r}).", advice) from error


def _review(entry, files):
    words = files[f"movies/docs/{entry['annotation_id']}"].decode("utf-8").split()
    marked = [False] * len(words)
    for group in entry["evidences"]:
        for span in group:
            start, end = span["start_token"], span["end_token"]
            if not 0 <= start < end <= len(words):
                raise ValueError(
                    f"a span from word {start} to {end} in a review of {len(words)} words"
                )
            marked[start:end] = [True] * (end - start)
    return MarkedReview(tuple(words), VERDICTS[entry["classification"]], tuple(marked))
