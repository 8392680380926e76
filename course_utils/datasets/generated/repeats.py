"""Generated texts in which a stretch of random words occurs twice: what follows can be copied.

    ga ro tu mi la so ga ro tu mi pe
    └─────────┘       └─────────┘

Apart from the second copy, no word of a text occurs twice, and all words are equally probable. So
nothing predicts a word, except the text itself: inside the second copy, the next word is the one
that came after the present word before. How long the stretch is and where it stands is random, so
that a position says nothing either.
"""

import random
from dataclasses import dataclass
from itertools import product

__all__ = ["LENGTHS", "SPLITS", "WORDS", "Repeat", "repeats"]

WORDS = tuple(c + v for c, v in product("bdfgklmnprstvz", "aeiou"))[:64]
SPLITS = {"train": 20_000, "valid": 200, "test": 500}
LENGTHS = (6, 16)  # of the stretch, in words
OTHERS = 8  # the most words before, between and after the copies, each


@dataclass(frozen=True, slots=True)
class Repeat:
    """A text, and where its two copies begin.

    words          of the whole text
    first, second  the index at which each copy begins
    length         of the stretch, in words
    """

    words: tuple[str, ...]
    first: int
    second: int
    length: int

    @property
    def foreseeable(self) -> range:
        """The indices of the words that can be copied: those of the second copy but its first."""
        return range(self.second + 1, self.second + self.length)


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
    before, between, after = (chance.randint(0, OTHERS) for _ in range(3))
    words = chance.sample(WORDS, before + length + between + after)
    second = before + length + between
    copy = words[before : before + length]
    return Repeat((*words[:second], *copy, *words[second:]), before, second, length)
