"""English–French sentence pairs with correct word alignments, written by a grammar.

    >>> pair = english_french("valid", size=1)[0]
    >>> join_words(pair.source), join_words(pair.target), sorted(pair.alignment)  # doctest: +SKIP

The pairs come with the course, in ``data/english_french``; ``python
tools/generate_english_french.py`` generates them again. No two splits share an English sentence.
Valid, test and long contain only word forms, English and French, that occur in train.

What makes the pairs hard to translate, and easy to look at: gender and number agreement, adjectives
after their noun, ne … pas, object pronouns in front of the verb, contractions (du, des, au, aux),
elision, three tenses, questions, relative clauses, coordination. `FEATURES` lists what a pair can
show.

**One right answer.** Exact match is a fair score, because the French follows from the English:
"you" is always "vous"; "they" and "them" are masculine unless the sentence says otherwise; "it",
and the pronoun after "because", refer to a noun of the same sentence; past actions are in the passé
composé, past states ("was", "had", "knew", "wanted") in the imparfait; adjectives and participles
agree only with nouns and third persons, since "I" and "you" do not reveal a gender.

**Alignment conventions.** Links are many-to-many. Words without a counterpart stay unaligned.

- A contraction links with everything that it contains: "du" with "of" and "the" ("some" for the
  partitive).
- Both halves of a negation link with its English word: ne … pas (not), ne … jamais (never),
  ne … plus (no longer).
- "est-ce que" links with the word that English puts in front of the subject: "did she see" (did:
  est-ce que), "is she tired" (is: est-ce que *and* est), "will she come" (will: est-ce que and the
  future form). In a negation, "do", "does" and "did" are unaligned: French has no word for them.
- Auxiliaries link with the verb form that expresses them: "is eating" and "mange", "will eat" and
  "mangera", "ate" and "a mangé" (each word with each). "to" links with the French infinitive.
- A particle links with its counterpart if there is one ("talk to", "parler à"), otherwise with the
  verb of the other language ("look for" with "chercher", "answer" with "répondre à"); the "to" of
  "talks to him" links with "lui".
- "the neighbor 's dog": 's links with "de"; the article of "le chien" is unaligned. So are the "à"
  of "gives the boy a book", "on" in "on monday", "in" in "in the evening" (le soir) and the "la"
  of "la semaine prochaine".
- Final punctuation links with final punctuation, a comma with its comma.
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from course_utils.paths import DATA

__all__ = [
    "FEATURES",
    "FOLDER",
    "SPLIT_SIZES",
    "AlignedPair",
    "english_french",
    "join_words",
    "read_pairs",
]

FOLDER = DATA / "english_french"
SEED = 0  # of the pairs in this folder
SPLIT_SIZES = {"train": 20000, "valid": 500, "test": 1000, "long": 500}

FEATURES = (
    "adjective-after",  # a red car → une voiture rouge
    "adjective-before",  # a small car → une petite voiture
    "agreement",  # a participle that agrees: elle est partie, la pomme qu'elle a mangée
    "anaphora",  # buys the apple and eats it → achète la pomme et la mange
    "because",
    "clitic",  # sees her → la voit
    "comparison",  # older than → plus vieux que
    "contraction",  # du, des, au, aux
    "coordination",
    "elision",  # l', d', n', qu', j', m'
    "existence",  # there is → il y a
    "future",
    "genitive",  # the neighbor 's dog → le chien du voisin
    "infinitive",  # wants to eat → veut manger
    "negation",
    "partitive",  # some bread → du pain, some keys → des clés; not … any bread → pas de pain
    "past",
    "possessive",  # her → son, sa, ses by the gender of what she has
    "progressive",  # is eating → mange
    "question",
    "relative",
    "report",  # says that …
    "two-objects",  # gives the boy a book → donne un livre au garçon
)


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """A sentence in both languages with its gold word alignment.

    source: English tokens in lower case; punctuation marks are tokens.
    target: French tokens; an elided word keeps its apostrophe and is a token: "l'", "n'", "qu'".
    alignment: links (source index, target index), as the module's docstring defines them.
    features: the constructions of the sentence, out of `FEATURES`.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: frozenset[tuple[int, int]]
    features: frozenset[str]

    @classmethod
    def from_line(cls, line: str) -> "AlignedPair":
        """The pair in a line as `to_line` writes it."""
        source, target, links, features = line.split("\t")
        return cls(
            tuple(source.split()),
            tuple(target.split()),
            frozenset(tuple(map(int, link.split("-"))) for link in links.split()),
            frozenset(features.split()),
        )

    def to_line(self) -> str:
        """Source, target, links ("0-0 1-2 …", the format of Pharaoh) and features, with tabs."""
        links = " ".join(f"{i}-{j}" for i, j in sorted(self.alignment))
        features = " ".join(sorted(self.features))
        return "\t".join((" ".join(self.source), " ".join(self.target), links, features))


def join_words(words: Sequence[str]) -> str:
    """Tokens as readable text: no space follows an apostrophe.

    join_words(["l'", "homme", "n'", "est", "pas", "ici", "."]) == "l'homme n'est pas ici ."
    """
    text = ""
    for token in words:
        text += token if not text or text.endswith("'") and token != "'s" else " " + token
    return text


def read_pairs(path: Path) -> list[AlignedPair]:
    """The pairs in a compressed file, one for each line."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [AlignedPair.from_line(line.rstrip("\n")) for line in lines]


@lru_cache(maxsize=len(SPLIT_SIZES))
def _split(name: str) -> tuple[AlignedPair, ...]:
    return tuple(read_pairs(FOLDER / f"{name}.tsv.gz"))


def english_french(split: str, size: int | None = None, seed: int = SEED) -> list[AlignedPair]:
    """Pairs of one split of the corpus.

    split: "train" (20,000 pairs), "valid" (500) or "test" (1,000), 3 to 22 English tokens long, or
    "long" (500 pairs, 25 to 40 tokens).
    size: number of pairs, all by default; a smaller size gives the first ones.
    seed: 0, since only this corpus comes with the course.

    Raises ValueError for an unknown split, for a size that the split does not have and for another
    seed.
    """
    if split not in SPLIT_SIZES:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLIT_SIZES)}")
    size = SPLIT_SIZES[split] if size is None else size
    most = SPLIT_SIZES[split]
    if not 1 <= size <= most:
        raise ValueError(f"size = {size}: choose 1 to {most:,}, the number of pairs in {split!r}")
    if seed != SEED:
        raise ValueError(
            f"seed = {seed}: only the corpus of seed {SEED} comes with the course. To write another"
            " one to a folder and read it with read_pairs: python tools/generate_english_french.py"
            f" --seed {seed} --out FOLDER"
        )
    return list(_split(split)[:size])
