"""Generated restaurant reviews: for each word it is known whether it decides the label.

    the soup was not very good . my sister finds the music awful . the waiter was friendly .

A review is about several *aspects* (food, service, price, music, room). Each opinion of the writer
has a polarity: that of its opinion word, reversed by a negation. An intensifier doubles it, but not
after a negation: "not very good" is as bad as "not good". The *label* of the review is the sign of
the sum over its opinions. The *rationale* of a review consists of the words that determine this
sum: negations, intensifiers, opinion words.

Two kinds of clauses distract from them. *Filler* contains no opinion. *Hearsay* contains one, in
the same words, but it is not the writer's or not about this place, so it does not count. Therefore
it is not enough to count good and bad words.

`reviews` has four styles:

    short    2 to 4 opinions, about 50 words; for comparing ways of pooling
    aspects  1 to 4 opinions, about 30 words; `questions` asks about each of them
    mixed    2 or 4 opinions, half of them good, half bad: whoever does not know which of them is
             asked for is right in half of all cases
    long     12 to 20 sentences, about 150 words, with 2 to 4 opinions; for two levels of attention

In "aspects" and "mixed", the sum may be zero; the label of such a review is random.
"""

import random
from dataclasses import dataclass

__all__ = ["ASPECTS", "LABELS", "SPLITS", "STYLES", "Review", "questions", "reviews"]

LABELS = ("negative", "positive")
SPLITS = {"train": 4000, "valid": 500, "test": 1000}
STYLES = ("short", "aspects", "mixed", "long")

ASPECTS = {
    "food": ("food", "soup", "fish", "bread", "dessert", "curry", "salad", "pasta"),
    "service": ("service", "waiter", "waitress", "staff", "host", "bartender"),
    "price": ("price", "bill", "menu", "cost", "offer"),
    "music": ("music", "band", "pianist", "playlist", "singer"),
    "room": ("room", "terrace", "garden", "table", "bar", "window", "hall"),
}
GOOD = tuple(
    "good great lovely wonderful excellent pleasant nice superb"
    " fine delightful perfect charming remarkable convincing enjoyable fantastic".split()
)
BAD = tuple(
    "bad poor awful terrible horrible disappointing dreadful mediocre"
    " unpleasant annoying weak dull lousy miserable boring sad".split()
)
INTENSIFIERS = ("very", "really", "extremely", "incredibly", "truly")
NEGATIONS = ("not", "never", "hardly")
PEOPLE = ("sister", "brother", "neighbour", "boss", "aunt", "colleague", "friend", "father")
PLACES = ("next door", "across the street", "at the station", "by the river", "in the old town")
TIMES = ("on monday", "in may", "at noon", "after the concert", "last week", "on a rainy evening")


@dataclass(frozen=True)
class Review:
    """A generated review.

    words: words and punctuation marks; joined by spaces, they are the text.
    label: "negative" or "positive".
    rationale: one bool for each word, True if it decides the label.
    opinions: aspect → (label, positions of its rationale), for the writer's own opinions.
    sentences: for each word, the number of its sentence.
    """

    words: tuple[str, ...]
    label: str
    rationale: tuple[bool, ...]
    opinions: dict[str, tuple[str, tuple[int, ...]]]
    sentences: tuple[int, ...]

    @property
    def text(self) -> str:
        """The words, joined by spaces."""
        return " ".join(self.words)


def reviews(
    split: str, style: str = "short", count: int | None = None, seed: int = 0
) -> list[Review]:
    """Generated reviews; equal arguments give equal reviews on every machine.

    split: "train" (4,000 reviews), "valid" (500) or "test" (1,000). No text is in two splits.
    style: "short", "aspects", "mixed" or "long": see the description of this module.
    count: another number of reviews.

    Negative and positive reviews alternate. Raises ValueError for unknown names and a negative
    count.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}: choose one of {', '.join(STYLES)}")
    if count is not None and count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    generator = random.Random(f"reviews-{style}-{split}-{seed}")
    made, seen = [], set()
    wanted = SPLITS[split] if count is None else count
    while len(made) < wanted:
        review = _write(generator, style)
        # The split is a property of the text, so no two splits share a text.
        if _split_of(review.words) != split or review.words in seen:
            continue
        if review.label == LABELS[len(made) % 2]:
            made.append(review)
            seen.add(review.words)
    return made


def questions(given: list[Review]) -> list[tuple[str, str]]:
    """For each opinion of each review ("service the soup was …", label of that opinion).

    The first word is the question. Half of the answers for a "mixed" review are positive.
    """
    return [
        (f"{aspect} {review.text}", label)
        for review in given
        for aspect, (label, _) in review.opinions.items()
    ]


def _split_of(words: tuple[str, ...]) -> str:
    letters = sum(i * ord(letter) for i, letter in enumerate(" ".join(words), start=1))
    return ("test", "valid", "train", "train", "train", "train")[letters % 6]


def _write(generator: random.Random, style: str) -> Review:
    aspects = list(ASPECTS)
    generator.shuffle(aspects)
    if style == "mixed":
        liked = generator.choice((1, 2))
        signs = [1, -1] * liked
        generator.shuffle(signs)
    else:
        fewest = 1 if style == "aspects" else 2
        signs = [generator.choice((1, -1)) for _ in range(generator.randint(fewest, 4))]
    opinions = list(zip(aspects, signs, strict=False))
    clauses = [_opinion(generator, aspect, sign) for aspect, sign in opinions]
    others = {"short": (2, 4), "aspects": (0, 2), "mixed": (0, 2), "long": (10, 16)}[style]
    for _ in range(generator.randint(*others)):
        clauses.append(generator.choice((_filler, _hearsay))(generator))
    generator.shuffle(clauses)
    total = sum(clause.score for clause in clauses)
    if total == 0 and style in ("short", "long"):
        return _write(generator, style)
    words, rationale, sentences, found = [], [], [], {}
    for number, clause in enumerate(clauses):
        if clause.aspect:
            places = tuple(len(words) + i for i, decides in enumerate(clause.decides) if decides)
            found[clause.aspect] = (LABELS[clause.score > 0], places)
        words += clause.words
        rationale += clause.decides
        sentences += [number] * len(clause.words)
    label = LABELS[total > 0] if total else generator.choice(LABELS)
    return Review(tuple(words), label, tuple(rationale), found, tuple(sentences))


@dataclass(frozen=True)
class _Clause:
    words: list[str]
    decides: list[bool]
    score: int = 0
    aspect: str | None = None


def _clause(words: str, score: int = 0, aspect: str | None = None) -> _Clause:
    """A clause from a text in which a final * marks the words that decide the label."""
    marked = words.split()
    return _Clause(
        [word.removesuffix("*") for word in marked],
        [word.endswith("*") for word in marked],
        score,
        aspect,
    )


def _verdict(generator: random.Random, sign: int, star: str = "*") -> tuple[str, int]:
    """Words of an opinion with this sign, and its score: ("not* very* good*", -1)."""
    negated = generator.random() < 0.4
    strong = generator.random() < 0.4
    pool = GOOD if (sign > 0) != negated else BAD
    parts = [generator.choice(NEGATIONS)] if negated else []
    parts += [generator.choice(INTENSIFIERS)] if strong else []
    parts += [generator.choice(pool)]
    return " ".join(part + star for part in parts), sign * (2 if strong and not negated else 1)


def _opinion(generator: random.Random, aspect: str, sign: int) -> _Clause:
    verdict, score = _verdict(generator, sign)
    noun = generator.choice(ASPECTS[aspect])
    when = generator.choice(TIMES)
    shapes = (
        f"the {noun} was {verdict} .",
        f"we found the {noun} {verdict} .",
        f"{when} the {noun} was {verdict} .",
        f"for us the {noun} was {verdict} {when} .",
    )
    return _clause(generator.choice(shapes), score=score, aspect=aspect)


def _filler(generator: random.Random) -> _Clause:
    noun, other = (generator.choice(ASPECTS[a]) for a in generator.sample(list(ASPECTS), 2))
    when, place = generator.choice(TIMES), generator.choice(PLACES)
    who = generator.choice(PEOPLE)
    shapes = (
        f"we came {when} with my {who} .",
        f"we asked about the {noun} and the {other} {when} .",
        f"my {who} took a photo of the {noun} .",
        f"there is another restaurant {place} .",
        f"we talked about the {noun} on the way home .",
    )
    return _clause(generator.choice(shapes))


def _hearsay(generator: random.Random) -> _Clause:
    verdict, _ = _verdict(generator, generator.choice((1, -1)), star="")
    noun = generator.choice(ASPECTS[generator.choice(list(ASPECTS))])
    who, place = generator.choice(PEOPLE), generator.choice(PLACES)
    shapes = (
        f"my {who} finds the {noun} {verdict} .",
        f"{place} the {noun} was {verdict} .",
        f"the old owner had a {noun} that was {verdict} .",
        f"people say the {noun} was {verdict} under the old owner .",
    )
    return _clause(generator.choice(shapes))
