"""Where a model looks while it answers, and what happens when that is erased."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.datasets.generated.scene_questions import Question
from course_utils.datasets.generated.scenes import Scene
from course_utils.tasks.question_answering.answerer import Answer, VisualAnswerer
from course_utils.tasks.question_answering.data import cells_of

__all__ = [
    "ERASURES",
    "Looking",
    "erase",
    "erased_accuracy",
    "looking",
]


@dataclass(frozen=True)
class Looking:
    """Mean attention of one hop, over some questions; shares from 0 to 1.

    asked, reference, others  mass on the cells of the things that are asked about, that are only
                              named to find these, and on those of the other things
    chance_…                  the same for weights that are equal everywhere
    """

    asked: float
    reference: float
    others: float
    chance_asked: float
    chance_reference: float
    chance_others: float


def looking(questions: Sequence[Question], answers: Sequence[Answer]) -> list[Looking]:
    """For each hop, how much of the attention is on which things, against chance.

    A cell counts for a thing that has at least one pixel in it; one that holds two things counts
    for both. Raises ValueError for other numbers of answers than questions, and for none.
    """
    if not questions or len(questions) != len(answers):
        raise ValueError(f"{len(answers)} answers to {len(questions)} questions")
    rows = []
    for question, answer in zip(questions, answers, strict=True):
        hops, places = answer.attention.shape
        count = len(question.scene.things)
        rest = set(range(count)) - set(question.asked) - set(question.reference)
        masks = np.stack(
            [
                cells_of(question.scene, tuple(things), round(places**0.5))
                for things in (question.asked, question.reference, rest)
            ]
        )
        even = np.full((hops, places), 1 / places)
        rows.append(np.concatenate([answer.attention @ masks.T, even @ masks.T], axis=1))
    return [Looking(*map(float, hop)) for hop in np.mean(rows, axis=0)]


def erase(scene: Scene, mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """The picture with random pixels of its background where ``mask`` (64, 64) is true."""
    generator = np.random.default_rng(seed)
    ground = scene.image[scene.owner == 0]
    picture = scene.image.copy()
    picture[mask] = ground[generator.integers(len(ground), size=int(mask.sum()))]
    return picture


def _things(scene: Scene, things: Sequence[int]) -> np.ndarray:
    """The pixels of things and those next to them, which edges cover in part."""
    mask = scene.mask(list(things))
    padded = np.pad(mask, 1)
    return np.any(
        [padded[1 + dy :, 1 + dx :][:64, :64] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], 0
    )


def _cells(chosen: np.ndarray, side: int = 64) -> np.ndarray:
    """Chosen cells of a grid as pixels (side, side)."""
    grid = round(len(chosen) ** 0.5)
    return np.kron(chosen.reshape(grid, grid), np.ones((side // grid, side // grid))).astype(bool)


def _asked(question: Question, answer: Answer, generator: np.random.Generator) -> np.ndarray:
    return _things(question.scene, question.asked)


def _reference(question: Question, answer: Answer, generator: np.random.Generator) -> np.ndarray:
    return _things(question.scene, question.reference)


def _other(question: Question, answer: Answer, generator: np.random.Generator) -> np.ndarray:
    named = set(question.asked) | set(question.reference)
    rest = [i for i in range(len(question.scene.things)) if i not in named]
    return _things(question.scene, [rest[generator.integers(len(rest))]])


def _looked_at(hop: int) -> Callable:
    """As many cells as the asked things have: those with the largest weights of a hop."""

    def choose(question: Question, answer: Answer, generator: np.random.Generator) -> np.ndarray:
        count = int(cells_of(question.scene, question.asked).sum())
        chosen = np.zeros(answer.attention.shape[1], bool)
        chosen[np.argsort(-answer.attention[hop])[:count]] = True
        return _cells(chosen)

    return choose


def _random_cells(question: Question, answer: Answer, generator: np.random.Generator) -> np.ndarray:
    count = int(cells_of(question.scene, question.asked).sum())
    chosen = np.zeros(answer.attention.shape[1], bool)
    chosen[generator.permutation(len(chosen))[:count]] = True
    return _cells(chosen)


# What can be erased: a function of question, answer and random generator → pixels (64, 64).
ERASURES: dict[str, Callable[[Question, Answer, np.random.Generator], np.ndarray]] = {
    "asked thing": _asked,
    "reference": _reference,
    "another thing": _other,
    "looked at, last hop": _looked_at(-1),
    "looked at, first hop": _looked_at(0),
    "random cells": _random_cells,
}


def erased_accuracy(
    answerer: VisualAnswerer,
    questions: Sequence[Question],
    answers: Sequence[Answer],
    what: str,
    seed: int = 0,
) -> float:
    """Share of right answers after one of `ERASURES` has been erased from each picture.

    ``answers`` are those before. Each question has to ask about a thing; for "reference", it has to
    name another one, and for "another thing", there has to be one that it does not name.
    """
    generator = np.random.default_rng(seed)
    pairs = [
        (erase(q.scene, ERASURES[what](q, answer, generator), seed + i), q.text)
        for i, (q, answer) in enumerate(zip(questions, answers, strict=True))
    ]
    after = answerer.predict(pairs)
    return float(np.mean([a == q.answer for a, q in zip(after, questions, strict=True)]))
