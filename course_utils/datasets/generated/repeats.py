"""Generated texts in which a stretch of random words occurs three times: it can be copied.

    ti ba ka me du  ga  ba ka me du  fo ne  ba ka me du
       └─────────┘      └─────────┘         └─────────┘

Apart from the copies, no word of a text occurs twice, and all words are equally probable. So
nothing predicts a word, except the text itself: inside a later copy, the next word is the one that
came after the present word before. How long the stretch is and where it stands is random, so that
a position says nothing either.
"""

import random
from dataclasses import dataclass
from itertools import product

__all__ = ["COPIES", "LENGTHS", "SPLITS", "WORDS", "Repeat", "repeats"]

WORDS = tuple(c + v for c, v in product("bdfgkm", "aeiou"))[:24]
SPLITS = {"train": 20_000, "valid": 200, "test": 500}
COPIES = 3
LENGTHS = (5, 10)  # of the stretch, in words
OTHERS = 2  # the most words before, between and after the copies, each


@dataclass(frozen=True, slots=True)
class Repeat:
    """A text, and where its copies begin.

    words   of the whole text
    starts  the index at which each copy begins
    length  of the stretch, in words
    """

    words: tuple[str, ...]
    starts: tuple[int, ...]
    length: int

    @property
    def foreseeable(self) -> list[int]:
        """The indices of the words that can be copied: later copies, without their first words."""
        return [start + i for start in self.starts[1:] for i in range(1, self.length)]


def repeats(split: str, size: int | None = None, seed: int = 0) -> list[Repeat]:
    """Texts of a split, the same ones in every call; "train" has 20,000, "valid" 200, "test" 500.

    Raises ValueError for an unknown split, and for a size that it does not have.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    size = SPLITS[split] if size is None else size
    if not 1 <= size <= SPLITS[split]:
        raise ValueError(f"size = {size}: choose 1 to {SPLITS[split]:,}")
    chance = random.Random(f"{split}-{seed}")
    return [_repeat(chance) for _ in range(size)]


def _repeat(chance: random.Random) -> Repeat:
    length = chance.randint(*LENGTHS)
    others = [chance.randint(0, OTHERS) for _ in range(COPIES + 1)]
    drawn = iter(chance.sample(WORDS, length + sum(others)))
    stretch = [next(drawn) for _ in range(length)]
    words, starts = [], []
    for count in others[:-1]:
        words += [next(drawn) for _ in range(count)]
        starts.append(len(words))
        words += stretch
    return Repeat((*words, *drawn), tuple(starts), length)
