"""Generated briefings with summaries: for each word of a summary it is known where it is from.

    the lorry of merota brings 4812 chairs on monday . thank you all for coming .
    → merota delivers 4812 chairs monday

A briefing reports one or more *facts*: who, how many, of what, on which day. Its summary has one
line for each fact, in the order of the briefing, separated by ";". The words of a summary are of
three kinds:

    new        names and numbers: no vocabulary contains them, so they can only be copied
    known      things and days: they are in the briefing and in the vocabulary
    generated  what happens ("delivers") and ";": they are in no briefing, so they cannot be copied

*Distractors* have names, numbers, things and days, too, but are not part of the summary: what
happened last year, what is settled already. Without reading a sentence, nobody knows whether it is
a fact.

Names and numbers of one split occur in no other.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["DAYS", "KINDS", "SPLITS", "THINGS", "VERBS", "Briefing", "briefings", "known_words"]

SPLITS = {"train": 6000, "valid": 300, "test": 500, "long": 300}
FACTS = {"train": (1, 4), "valid": (1, 4), "test": (1, 4), "long": (5, 7)}
KINDS = ("new", "known", "generated")

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
THINGS = tuple(
    "chairs tables lamps screens boxes pumps tyres coats books letters tickets keys bottles cables"
    " printers shelves ladders blankets helmets tents".split()
)
# What happens → how a briefing says it. None of these verbs occurs in a briefing.
FACT_SHAPES = {
    "orders": (
        "{who} has asked for {n} {thing} by {day} .",
        "by {day} we need {n} {thing} for the team of {who} .",
        "{n} {thing} are missing , and {who} wants them on {day} .",
    ),
    "repairs": (
        "{n} {thing} are broken , but {who} will look at them on {day} .",
        "{who} has promised to mend {n} {thing} before {day} .",
        "on {day} {who} comes with tools for {n} {thing} .",
    ),
    "delivers": (
        "the lorry of {who} brings {n} {thing} on {day} .",
        "expect {n} {thing} on {day} , and {who} sends them .",
        "on {day} {who} drops off {n} {thing} at the gate .",
    ),
    "cancels": (
        "{who} is ill , so nobody fetches the {n} {thing} on {day} .",
        "on {day} there will be no {n} {thing} from {who} after all .",
        "forget the {n} {thing} of {day} , says {who} .",
    ),
    "sells": (
        "{who} has found a buyer for {n} {thing} who pays on {day} .",
        "on {day} we get money from {who} for {n} {thing} .",
        "{n} {thing} go to the highest bidder on {day} , which is up to {who} .",
    ),
    "returns": (
        "{n} {thing} were borrowed , and {who} gives them back on {day} .",
        "on {day} {who} comes by with the {n} {thing} that we lent .",
        "{who} has had our {n} {thing} until {day} .",
    ),
}
DISTRACTORS = (
    "last year {who} had {n} {thing} .",
    "on {day} {who} talked about {n} {thing} , but that is settled .",
    "the old {thing} cost {n} in the days of {who} .",
    "as {who} told you on {day} , there used to be {n} {thing} .",
    "{who} once counted {n} {thing} on a {day} .",
)
FILLERS = (
    "thank you all for coming .",
    "please read this twice .",
    "the coffee machine works again .",
    "that is all for today .",
    "any questions are welcome .",
    "the meeting room was cold again .",
)
VERBS = tuple(FACT_SHAPES)
END = ";"  # between two facts of a summary
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True)
class Briefing:
    """A generated briefing with its summary.

    words    words and punctuation marks of the briefing; joined by spaces, they are the text
    summary  the words of the summary
    places   for each of these, the position in ``words`` that it is copied from; None if it is in
             no briefing
    kinds    for each of these, one of `KINDS`
    """

    words: tuple[str, ...]
    summary: tuple[str, ...]
    places: tuple[int | None, ...]
    kinds: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words of the briefing, joined by spaces."""
        return " ".join(self.words)

    @property
    def summary_text(self) -> str:
        """The words of the summary, joined by spaces."""
        return " ".join(self.summary)


def briefings(split: str, count: int | None = None, seed: int = 0) -> list[Briefing]:
    """Generated briefings; equal arguments give equal briefings on every machine.

    split: "train" (6,000 briefings of one to four facts), "valid" (300), "test" (500) or "long"
    (300 of five to seven facts, more than in any other split).
    count: another number of briefings.

    Raises ValueError for an unknown split and a negative count.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if count is not None and count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    generator = random.Random(f"briefings-{split}-{seed}")
    wanted = SPLITS[split] if count is None else count
    return [_write(generator, split) for _ in range(wanted)]


def known_words() -> list[str]:
    """Every word of briefings and summaries that is neither a name nor a number."""
    shapes: Iterable[str] = [s for several in FACT_SHAPES.values() for s in several]
    words = {word for shape in (*shapes, *DISTRACTORS, *FILLERS) for word in shape.split()}
    return sorted({w for w in words if "{" not in w} | {*THINGS, *DAYS, *VERBS, END})


def _write(generator: random.Random, split: str) -> Briefing:
    facts = generator.randint(*FACTS[split])
    others = generator.randint(1, 3)
    things = generator.sample(THINGS, facts + others)
    new = _new_words(generator, split, facts + others)
    sentences: list[tuple[str, str | None, dict[str, str]]] = []
    for number in range(facts + others):
        who, n = new[number]
        slots = {"who": who, "n": n, "thing": things[number], "day": generator.choice(DAYS)}
        if number < facts:
            verb = generator.choice(VERBS)
            sentences.append((generator.choice(FACT_SHAPES[verb]), verb, slots))
        else:
            sentences.append((generator.choice(DISTRACTORS), None, slots))
    sentences += [(shape, None, {}) for shape in generator.sample(FILLERS, generator.randint(0, 1))]
    generator.shuffle(sentences)
    words: list[str] = []
    summary: list[tuple[str, int | None, str]] = []
    for shape, verb, slots in sentences:
        where = {}
        for part in shape.split():
            slot = part.strip("{}")
            if slot != part:
                where[slot] = len(words)
            words.append(slots.get(slot, part) if slot != part else part)
        if verb is not None:
            summary += [(END, None, "generated")] if summary else []
            summary += [
                (slots["who"], where["who"], "new"),
                (verb, None, "generated"),
                (slots["n"], where["n"], "new"),
                (slots["thing"], where["thing"], "known"),
                (slots["day"], where["day"], "known"),
            ]
    said, places, kinds = zip(*summary, strict=True)
    return Briefing(tuple(words), said, places, kinds)


def _new_words(generator: random.Random, split: str, count: int) -> list[tuple[str, str]]:
    """Names and numbers of this split, all different."""
    found: dict[str, str] = {}
    while len(found) < count:
        letters = (generator.choice(CONSONANTS) + generator.choice(VOWELS) for _ in range(3))
        name, number = "".join(letters), str(generator.randrange(100, 100_000))
        fresh = name not in found and number not in found.values() and name not in THINGS
        if fresh and {_split_of(name), _split_of(number)} == {split.replace("long", "test")}:
            found[name] = number
    return list(found.items())


def _split_of(word: str) -> str:
    letters = sum(i * ord(letter) for i, letter in enumerate(word, start=1))
    return ("test", "valid", "train", "train", "train", "train")[letters % 6]
