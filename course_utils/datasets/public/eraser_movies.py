"""ERASER movie reviews: labels, and the words that annotators marked as the reason for them.

Source: http://www.eraserbenchmark.com/. 1,600 film reviews for training, 200 for validation, 200
for testing, about 800 words each, split into words by the publisher. Annotators marked spans that
justify the label (Zaidan et al. 2007); for the test part, DeYoung et al. had the marks completed.

J. DeYoung, S. Jain, N. F. Rajani, E. Lehman, C. Xiong, R. Socher, B. C. Wallace (2020). ERASER: A
Benchmark to Evaluate Rationalized NLP Models. ACL 2020, 4443–4458.
"""

import json
from dataclasses import dataclass

from course_utils.datasets.archives import tar_members
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

__all__ = ["DATASET", "LABELS", "SPLITS", "MarkedReview", "eraser_movies"]

ARCHIVE = "movies.tar.gz"

DATASET = PublicDataset(
    name="eraser_movies",
    title="ERASER movie reviews: what people marked as the reason for a verdict",
    files=(
        RemoteFile(
            name=ARCHIVE,
            url=f"http://www.eraserbenchmark.com/zipped/{ARCHIVE}",
            manifest=(
                Content("movies/train.jsonl", files=1),
                Content("movies/val.jsonl", files=1),
                Content("movies/test.jsonl", files=1),
                Content("movies/docs/*", files=2000),
            ),
        ),
    ),
    licence="research use",
    citation=(
        "J. DeYoung, S. Jain, N. F. Rajani, E. Lehman, C. Xiong, R. Socher, B. C. Wallace"
        " (2020). ERASER: A Benchmark to Evaluate Rationalized NLP Models. ACL 2020,"
        " 4443–4458. The reviews and marks: O. Zaidan, J. Eisner, C. Piatko (2007). Using"
        " “Annotator Rationales” to Improve Machine Learning for Text Categorization."
        " NAACL-HLT 2007, 260–267."
    ),
    remarks="1,600 / 200 / 200 reviews (train, validation, test), about 800 words each.",
)

LABELS = ("negative", "positive")
SPLITS = {"train": "train", "valid": "val", "test": "test"}
VERDICTS = {"NEG": "negative", "POS": "positive"}


@dataclass(frozen=True)
class MarkedReview:
    """A review with the marks of the annotators.

    words: as the publisher split them; joined by spaces, they are the text.
    label: "negative" or "positive".
    rationale: one bool for each word, True inside a marked span.
    """

    words: tuple[str, ...]
    label: str
    rationale: tuple[bool, ...]

    @property
    def text(self) -> str:
        """The words, joined by spaces."""
        return " ".join(self.words)


def eraser_movies(split: str) -> list[MarkedReview]:
    """The reviews of a split in the publisher's order.

    split: "train" (1,600), "valid" (200) or "test" (200).

    Reads the archive (3.8 MB) without unpacking it; downloads it unless it is in the cache or in a
    mirror. Raises ValueError for an unknown split, DataError if the archive cannot be downloaded or
    read, or has an unexpected layout.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    path = fetch("eraser_movies") / ARCHIVE
    index = f"movies/{SPLITS[split]}.jsonl"

    def wanted(name):
        return name == index or name.startswith("movies/docs/")

    files = dict(tar_members(path, wanted, "eraser_movies"))
    try:
        lines = files[index].decode("utf-8").splitlines()
        return [_review(json.loads(line), files) for line in lines if line.strip()]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path} does not have the expected layout ({error!r}).",
            "Remove it and run: python -m course_utils data get eraser_movies.",
        ) from error


def _review(entry: dict, files: dict[str, bytes]) -> MarkedReview:
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
