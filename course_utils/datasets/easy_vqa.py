"""easy-VQA: 48,248 questions about 5,000 small pictures, the course's real questions.

The data come with a library of the course, the package ``easy-vqa`` of PyPI (Victor Zhou, 2020,
MIT), so they need no download. A picture has 64 × 64 pixels and shows one thing: a circle,
rectangle or triangle in one of eight colours, on a pale background. The questions ask for shape or
colour, or whether something is there. 4,000 pictures are for training, 1,000 for testing; there is
no official validation part, so 400 of the training pictures are held out, with all their questions.

See https://github.com/vzhou842/easy-VQA.
"""

import random
from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["ANSWERS", "CARD", "SPLITS", "easy_vqa"]

SPLITS = ("train", "valid", "test")
VALIDATION = 400  # pictures
ANSWERS = (
    *("black", "blue", "brown", "gray", "green", "red", "teal", "yellow"),
    *("circle", "rectangle", "triangle"),
    *("no", "yes"),
)
# What the card of a checkpoint says about the data.
CARD = {
    "name": "easy-vqa",
    "licence": "MIT",
    "citation": "V. Zhou (2020). easy-VQA. Python package easy-vqa 1.0.",
}


def easy_vqa(split: str) -> list[tuple[np.ndarray, str, str]]:
    """(picture, question, answer) in the published order; questions share their picture's array.

    split: "train" (3,600 pictures), "valid" (400 others, the same on every machine) or "test"
    (1,000). A picture is (64, 64, 3) bytes. Raises ValueError for an unknown split, and ImportError
    without the package.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    found, pictures = _read("test" if split == "test" else "train")
    held_out = set(random.Random("validation").sample(sorted(pictures), VALIDATION))
    return [
        (pictures[number], question, answer)
        for question, answer, number in found
        if split == "test" or (number in held_out) == (split == "valid")
    ]


@cache
def _read(part: str) -> tuple[list[tuple[str, str, int]], dict[int, np.ndarray]]:
    """(question, answer, number of its picture), and the pictures by number, of "train" or "test".

    Raises ValueError if they are not those of the published package.
    """
    import easy_vqa
    from PIL import Image

    ask, place = (getattr(easy_vqa, f"get_{part}_{what}") for what in ("questions", "image_paths"))
    pictures = {}
    for number, path in place().items():
        with Image.open(Path(path)) as image:
            pictures[number] = np.asarray(image.convert("RGB"))
    found = list(zip(*ask(), strict=True))
    expected = {"train": (38_575, 4000), "test": (9673, 1000)}[part]
    answers = {answer for _, answer, _ in found}
    if (len(found), len(pictures)) != expected or answers != set(ANSWERS):
        raise ValueError(
            f"easy-vqa has {len(found):,} questions about {len(pictures):,} pictures to {part}, "
            f"with {len(answers)} answers; expected {expected[0]:,}, {expected[1]:,} and "
            f"{len(ANSWERS)}: is it version 1.0?"
        )
    return found, pictures
