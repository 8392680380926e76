"""The splits of the corpus, and the files that come with the course."""

import gzip
import random
import zlib
from pathlib import Path

from course_utils.datasets.generated.english_french import SPLIT_SIZES, AlignedPair
from course_utils.runtime import replacing

from .noun_phrases import Rejected
from .sentences import Grammar

# (shortest, longest, richness, coordinated statements, share): how lengths are spread in a split.
LENGTH_BANDS = {
    "short": [
        (3, 9, 0.1, 1, 42),
        (8, 14, 0.9, 1, 32),
        (14, 22, 0.8, 2, 26),
    ],
    "long": [(25, 32, 1.0, 4, 60), (33, 40, 1.0, 5, 40)],
}


def draw_pair(rng: random.Random, bands: list[tuple]) -> AlignedPair:
    """One random pair; its length band is drawn first, so that lengths are spread as planned."""
    *limits, richness, clauses, _ = rng.choices(bands, [band[-1] for band in bands])[0]
    while True:
        try:
            return Grammar(rng, richness).sentence(*limits, clauses)
        except Rejected:
            continue


def home_of(source: tuple[str, ...]) -> str:
    """The split that a sentence of ordinary length belongs to, by a checksum of its words.

    The same sentence always has the same home, so no two splits can share one, whatever the seeds.
    """
    place = zlib.crc32(" ".join(source).encode()) % 100
    return "valid" if place < 4 else "test" if place < 11 else "train"


class Corpus:
    """All pairs drawn so far for one seed; draws more if more are taken."""

    def __init__(self, seed: int):
        self.draws = {kind: random.Random(f"{seed}-{kind}") for kind in LENGTH_BANDS}
        self.found = {split: [] for split in SPLIT_SIZES}
        self.seen = set()
        self.known = frozenset()  # word forms of the training split

    def draw(self, kind: str) -> None:
        """Draw one more pair and file it under its split, unless its English has been drawn."""
        pair = draw_pair(self.draws[kind], LENGTH_BANDS[kind])
        if pair.source not in self.seen:
            self.seen.add(pair.source)
            self.found["long" if kind == "long" else home_of(pair.source)].append(pair)

    def take(self, split: str, size: int) -> list[AlignedPair]:
        """The first pairs of a split; except for train, only those without unseen words."""
        if split != "train" and not self.known:
            train = self.take("train", SPLIT_SIZES["train"])
            self.known = frozenset(one for pair in train for one in pair.source + pair.target)
        while True:
            fitting = self.found[split]
            if split != "train":
                fitting = [
                    pair for pair in fitting if self.known.issuperset(pair.source + pair.target)
                ]
            if len(fitting) >= size:
                return fitting[:size]
            for _ in range(size - len(fitting)):
                self.draw("long" if split == "long" else "short")


def write_corpus(folder: Path, seed: int) -> None:
    """Write each split to ``folder`` as SPLIT.tsv.gz, one pair in a line.

    The lines are the same on every machine; how they are compressed may depend on its zlib.
    """
    corpus = Corpus(seed)
    for split, size in SPLIT_SIZES.items():
        lines = "".join(f"{pair.to_line()}\n" for pair in corpus.take(split, size))
        with replacing(folder / f"{split}.tsv.gz") as partial:
            partial.write_bytes(gzip.compress(lines.encode(), mtime=0))
