"""Questions about generated scenes, whose answers cannot be guessed without the picture.

Seven kinds of questions about the scenes of `course_utils.datasets.generated.scenes`:

    colour      what colour is the star?                             six answers
    shape       what shape is the small red thing?                   seven
    size        is the red star small or large?                      two
    count       how many red things are there?                       four
    comparison  is the star larger than the red ring?                two
    existence   is there a red star?                                 two
    relation    what colour is the thing just left of the red star?  six or seven

For each question we know **which things it asks about** and, in a relation, which thing is only
named in order to find the other one. So the attention of a model that answers can be scored.

The answers are balanced: for each kind, and within it for each group of questions that ask alike
(about the same shape, with the same relation), every answer is equally frequent. Without the
picture, nobody is right more often than `CHANCE` says. Only scenes with three or four things are
asked about. In a relation, the nearest thing in a direction is meant; half of the time it is also
the outermost one, half of the time it is not, and another thing would be a wrong answer. So one has
to find the thing that is named first.

The same split, count and seed always give the same questions.

    from course_utils.datasets.generated.scene_questions import questions
    question = questions("valid", count=100)[0]
    question.text, question.answer      # "what colour is the ring?", "blue"
    question.scene.image                # (64, 64, 3) bytes
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from course_utils.datasets.generated.scenes import (
    COLOURS,
    RELATIONS,
    SHAPES,
    SIZES,
    SPLITS,
    Scene,
    Thing,
    scenes,
)

__all__ = ["ANSWERS", "CHANCE", "KINDS", "Question", "questions"]

CLEAR = 4.0  # pixels by which the nearest thing in a direction is nearer than the next one
LEAST = 3  # things in a scene that is asked about: there is always something to mistake
NUMBERS = ("zero", "one", "two", "three")
ANSWERS = (*COLOURS, *SHAPES, *SIZES, *NUMBERS, "no", "yes")
# For each kind, how often a guess is right that knows the question and not the picture.
CHANCE = {
    "colour": 1 / len(COLOURS),
    "shape": 1 / len(SHAPES),
    "size": 1 / len(SIZES),
    "count": 1 / len(NUMBERS),
    "comparison": 1 / 2,
    "existence": 1 / 2,
    "relation": (1 / len(COLOURS) + 1 / len(SHAPES)) / 2,
}
KINDS = tuple(CHANCE)
# The first is used three times out of four.
SPELLINGS = {"colour": ("colour", "colour", "colour", "color")}
WORDINGS = {
    "colour": ("what {colour} is {it}?", "what is the {colour} of {it}?"),
    "shape": ("what shape is {it}?", "what is the shape of {it}?"),
    "size": ("what size is {it}?", "is {it} small or large?"),
    "count": ("how many {them} are there?", "how many {them} do you see?"),
    "larger": ("is {it} larger than {other}?", "is {other} smaller than {it}?"),
    "same": ("are {it} and {other} of the same {colour}?", "has {it} the {colour} of {other}?"),
    "existence": ("is there a {it}?", "do you see a {it}?"),
}


@dataclass(frozen=True)
class Question:
    """A question about a scene, its answer, and what has to be looked at.

    kind: one of `KINDS`.
    asked: indices of the things that the answer is read from; none where it is "no" or "zero".
    reference: indices of the things that are only named to find these (in relations).
    """

    scene: Scene
    text: str
    answer: str
    kind: str
    asked: tuple[int, ...]
    reference: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Found:
    """A question before the choice; within a ``group``, all answers get the same share."""

    group: tuple[str, ...]
    question: Question


def questions(
    split: str = "train",
    count: int | None = None,
    seed: int = 0,
    per_kind: int | None = None,
) -> list[Question]:
    """Balanced questions about the scenes of a split, or about its first ``count`` scenes.

    ``per_kind`` is the most questions of each kind; by default as many as can be balanced. The
    questions about a scene follow each other. Raises ValueError for an unknown split, and for a
    count or per_kind below 1.
    """
    if per_kind is not None and per_kind < 1:
        raise ValueError(f"per_kind = {per_kind}: choose at least one question of each kind")
    groups: dict[tuple[str, ...], dict[str, list[tuple[int, Question]]]] = {}
    asked = scenes(split, count, seed)
    number = list(SPLITS).index(split)
    for i, scene in enumerate(asked):
        if len(scene.things) < LEAST:
            continue
        generator = np.random.default_rng((seed, number, i, 2))
        for found in _about(scene, generator):
            answers = groups.setdefault((found.question.kind, *found.group), defaultdict(list))
            answers[found.question.answer].append((i, found.question))
    generator = np.random.default_rng((seed, number, 3))
    kept = _balanced(groups, generator, per_kind)
    return [question for _, question in sorted(kept, key=lambda pair: pair[0])]


def _balanced(groups: dict, generator: np.random.Generator, per_kind: int | None) -> list:
    """Equally many questions with each answer of a group; a kind keeps at most ``per_kind``."""
    kept = []
    for kind in KINDS:
        rounds = []  # one question with each answer of a group
        for key in sorted(key for key in groups if key[0] == kind):
            answers = [groups[key][answer] for answer in sorted(groups[key])]
            if len(answers) < _answers(key):
                continue
            for several in answers:
                generator.shuffle(several)
            rounds += list(zip(*answers, strict=False))
        generator.shuffle(rounds)
        chosen = 0
        for one_each in rounds:
            if per_kind is None or chosen + len(one_each) <= per_kind:
                kept += one_each
                chosen += len(one_each)
    return kept


def _answers(group: tuple[str, ...]) -> int:
    """How many answers the questions of a group have."""
    kind, first = group[0], group[1]
    if kind == "count":
        return len(NUMBERS)
    values = {"colour": COLOURS, "shape": SHAPES, "size": SIZES}
    return len(values.get(first if kind == "relation" else kind, ("no", "yes")))


def _about(scene: Scene, generator: np.random.Generator) -> Iterator[_Found]:
    """Questions about a scene: a few of each kind."""

    def ask(
        wording: str | tuple[str, ...],
        group: tuple[str, ...],
        answer: str,
        kind: str,
        asked: tuple[int, ...],
        reference: tuple[int, ...] = (),
        **words: str,
    ) -> _Found:
        wordings = WORDINGS[wording] if isinstance(wording, str) else wording
        colour = SPELLINGS["colour"][generator.integers(4)]
        text = wordings[generator.integers(len(wordings))].format(colour=colour, **words)
        return _Found(group, Question(scene, text, answer, kind, asked, reference))

    named = Counter(name for thing in scene.things for name in _descriptions(thing))

    def name(thing: int, without: str = "") -> str | None:
        """One of the shortest names that fit this thing only and do not say one attribute."""
        own = [
            found
            for found in _descriptions(scene.things[thing])
            if named[found] == 1 and without not in dict(found)
        ]
        shortest = [found for found in own if len(found) == len(own[0])]
        if not shortest:
            return None
        return "the " + _noun_phrase(dict(shortest[generator.integers(len(shortest))]))

    for i, thing in enumerate(scene.things):
        for kind in ("colour", "shape", "size"):
            it = name(i, kind)
            if it is not None:
                yield ask(kind, (it,), getattr(thing, kind), kind, (i,), it=it)
    yield from _counts(scene, generator, ask)
    for i, j in permutations(range(len(scene.things)), 2):
        yield from _comparisons(scene, i, j, name, ask)
    yield from _existences(scene, generator, ask)
    for j in range(len(scene.things)):
        yield from _relations(scene, j, name, ask)


def _descriptions(thing: Thing) -> list[tuple[tuple[str, str], ...]]:
    """What can be said of a thing, shortest first: (("colour", "red"),), …"""
    said = [(name, getattr(thing, name)) for name in ("size", "colour", "shape")]
    return [chosen for length in (1, 2, 3) for chosen in combinations(said, length)]


def _noun_phrase(values: dict[str, str], plural: bool = False) -> str:
    noun = values.get("shape", "thing")
    ending = ("es" if noun.endswith("s") else "s") if plural else ""
    return " ".join([*(values[a] for a in ("size", "colour") if a in values), noun + ending])


def _counts(
    scene: Scene, generator: np.random.Generator, ask: Callable[..., _Found]
) -> Iterator[_Found]:
    for attribute, values in (("colour", tuple(COLOURS)), ("shape", SHAPES)):
        for value in values:
            found = tuple(scene.find(**{attribute: value}))
            # Most scenes have none of most colours; a few of these questions are enough.
            if len(found) < len(NUMBERS) and (len(found) > 1 or generator.random() < 0.15):
                them = _noun_phrase({attribute: value}, plural=True)
                yield ask("count", (value,), NUMBERS[len(found)], "count", found, them=them)


def _comparisons(
    scene: Scene, i: int, j: int, name: Callable, ask: Callable[..., _Found]
) -> Iterator[_Found]:
    one, other = scene.things[i], scene.things[j]
    for wording, attribute in (("larger", "size"), ("same", "colour")):
        it, that = name(i, attribute), name(j, attribute)
        if it is None or that is None:
            continue
        true = (one.size, other.size) == ("large", "small")
        if wording == "same":
            true = one.colour == other.colour
        answer = "yes" if true else "no"
        yield ask(wording, (wording,), answer, "comparison", (i, j), it=it, other=that)


def _existences(
    scene: Scene, generator: np.random.Generator, ask: Callable[..., _Found]
) -> Iterator[_Found]:
    colours = [thing.colour for thing in scene.things]
    shapes = [thing.shape for thing in scene.things]
    pairs = {(colour, shape) for colour in colours for shape in shapes}  # both occur
    colour, shape = (
        options[generator.integers(len(options))] for options in (tuple(COLOURS), SHAPES)
    )
    pairs.add((colour, shapes[generator.integers(len(shapes))]))
    pairs.add((colours[generator.integers(len(colours))], shape))
    for colour, shape in sorted(pairs):
        found = tuple(scene.find(colour=colour, shape=shape))
        answer = "yes" if found else "no"
        yield ask("existence", (colour, shape), answer, "existence", found, it=f"{colour} {shape}")


def _relations(
    scene: Scene, j: int, name: Callable, ask: Callable[..., _Found]
) -> Iterator[_Found]:
    """Which thing is just left of thing j? The nearest one in that direction, and clearly so."""
    other = scene.things[j]
    that = name(j)
    if that is None:
        return
    rest = [i for i in range(len(scene.things)) if i != j]
    for relation, (right, down) in RELATIONS.items():
        along = {
            i: (scene.things[i].x - other.x) * right + (scene.things[i].y - other.y) * down
            for i in rest
        }
        beyond = sorted((i for i in rest if along[i] > 0), key=along.__getitem__)
        if not beyond or relation not in scene.relation(beyond[0], j):
            continue
        i = beyond[0]
        if any(-CLEAR < along[k] < along[i] + CLEAR for k in rest if k != i):
            continue
        outermost = "outermost" if len(beyond) == 1 else "between"
        for attribute in ("colour", "shape"):
            answer = getattr(scene.things[i], attribute)
            if all(getattr(scene.things[k], attribute) == answer for k in rest):
                continue
            place = f"the thing just {relation} {that}"
            group = (attribute, relation, outermost)
            yield ask(attribute, group, answer, "relation", (i,), (j,), it=place)
