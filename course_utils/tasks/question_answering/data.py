"""Data for visual question answering: generated scenes with known truth, and easy-VQA."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.batches import Batch, BucketedBatches, Example, Padded, pad
from course_utils.datasets import easy_vqa
from course_utils.datasets.generated.scene_questions import ANSWERS as SCENE_ANSWERS
from course_utils.datasets.generated.scene_questions import questions
from course_utils.datasets.generated.scenes import Scene
from course_utils.images import as_source
from course_utils.models.answerers import Answerer
from course_utils.tasks.base import Pair, TaskData
from course_utils.vocabulary import Vocabulary

__all__ = [
    "PictureBatches",
    "QuestionBatch",
    "QuestionData",
    "answer_loss",
    "cells_of",
    "easy_vqa_data",
    "easy_vqa_pairs",
    "look_loss",
    "make_question_batch",
    "question_vocabulary",
    "scene_data",
    "scene_pairs",
    "taught_pairs",
    "without_mark",
]

SCENES = 24_000  # for training; counts and relations, the rarest questions, need many
PER_KIND = 12_000
VALIDATION_SCENES = 1500


@dataclass(frozen=True)
class QuestionBatch(Batch):
    """Q questions about P pictures; a picture with several questions is there once.

    source      (P, 3, side, side)  bytes
    target      (Q,)                numbers of the answers
    others      "question": rows (Q, Tq) and lengths (Q,)
    picture_of  (Q,)                the row of ``source`` that each question is about
    look        (Q, 2, n) or None   cells that the first and the last hop are taught to look at
    """

    picture_of: Tensor = torch.zeros(0, dtype=torch.long)
    look: Tensor | None = None

    @property
    def target_in(self) -> Tensor:
        """Raises AttributeError: an answer is not read by a decoder."""
        raise AttributeError("a question has one answer, a number: there is no target_in")

    @property
    def target_out(self) -> Tensor:
        """(Q,) the numbers of the answers."""
        return self.target

    @property
    def target_tokens(self) -> int:
        """How many predictions count: one for each question."""
        return len(self.target)


def make_question_batch(examples: Sequence[Example]) -> QuestionBatch:
    """Examples as a batch; those that share one picture (the same tensor) have one row of it.

    A question without words becomes a single PAD. Raises ValueError without examples.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    rows: dict[int, int] = {}
    for example in examples:
        rows.setdefault(id(example.source), len(rows))
    pictures = {rows[id(example.source)]: example.source for example in examples}
    questions = [example.others["question"] for example in examples]
    lengths = torch.tensor([max(1, len(ids)) for ids in questions])
    taught = all("look" in example.others for example in examples)
    return QuestionBatch(
        source=torch.stack([pictures[row] for row in range(len(rows))]),
        source_lengths=torch.full((len(rows),), 3),
        target=torch.tensor([example.target[0] for example in examples]),
        others={"question": Padded(pad(questions, int(lengths.max())), lengths)},
        picture_of=torch.tensor([rows[id(example.source)] for example in examples]),
        look=torch.stack([example.others["look"] for example in examples]) if taught else None,
    )


def without_mark(question: str) -> str:
    """A question without the question mark at its end: with or without, it asks the same."""
    return question.rstrip("?؟？.! \t\n")


def answer_loss(model: Answerer, batch: QuestionBatch, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats per question, plus `look_loss` if the batch says where to look."""
    logits, weights = model.attend(batch.source, batch.others["question"], batch.picture_of)
    loss = F.cross_entropy(logits, batch.target, label_smoothing=label_smoothing)
    return loss if batch.look is None else loss + look_loss(weights, batch.look)


def look_loss(weights: Tensor, look: Tensor) -> Tensor:
    """Mean of −ln of the attention on the cells that a hop is taught to look at.

    weights (Q, K, n); look (Q, 2, n) boolean: the cells for the first and for the last hop. A
    question without such cells, for instance about a thing that is not there, does not count.
    """
    ends = weights[:, [0, -1]] if weights.shape[1] > 1 else weights
    look = look[:, -ends.shape[1] :]
    mass = (ends * look).sum(dim=-1).clamp_min(1e-6)  # (Q, 2), or (Q, 1)
    known = look.any(dim=-1)
    return -(mass.log() * known).sum() / known.sum().clamp_min(1)


class PictureBatches(BucketedBatches):
    """Batches of at most ``tokens`` questions, all questions about a picture side by side.

    The pictures are in a new order in each epoch; a picture that lies between two batches is in
    both. So a picture is encoded once for all its questions, which is most of the work.
    """

    def epoch(self, number: int) -> list[list[int]]:
        """Indices of the examples of each batch of epoch ``number``."""
        pictures: dict[int, list[int]] = {}
        for index, example in enumerate(self.examples):
            pictures.setdefault(id(example.source), []).append(index)
        groups = list(pictures.values())
        random.Random(f"{self.seed}-{number}").shuffle(groups)
        order = [index for group in groups for index in group]
        return [order[i : i + self.tokens] for i in range(0, len(order), self.tokens)]


@dataclass
class QuestionData(TaskData):
    """Pairs of (picture, question) and the answer.

    An input may have a third part: where to look, (2, n) booleans, see `QuestionBatch`.

    labels  the answers that there are, in the order of the logits
    """

    labels: tuple[str, ...] = ()

    def encode_inputs(self, inputs: list[tuple]) -> list[tuple[Tensor, dict]]:
        """Pictures as `as_source` returns them, the same tensor for the same picture, and the rest:
        the ids of the question and, where it is known, where to look."""
        pictures = {id(picture): picture for picture, *_ in inputs}
        sources = {key: as_source(picture) for key, picture in pictures.items()}
        encoded = self.vocabulary.encode_all([without_mark(text) for _, text, *_ in inputs])
        return [
            (
                sources[id(picture)],
                {"question": ids, **({"look": torch.as_tensor(look[0])} if look else {})},
            )
            for (picture, _, *look), ids in zip(inputs, encoded, strict=True)
        ]

    def to_examples(self, pairs: Sequence[Pair]) -> list[Example]:
        """One example for each question; ValueError for an unknown answer."""
        number = {label: i for i, label in enumerate(self.labels)}
        unknown = sorted({str(answer) for _, answer in pairs if answer not in number})
        if unknown:
            raise ValueError(f"unknown answers {unknown[:5]}: expected {', '.join(self.labels)}")
        encoded = self.encode_inputs([given for given, _ in pairs])
        return [
            Example(picture, [number[answer]], others=others)
            for (picture, others), (_, answer) in zip(encoded, pairs, strict=True)
        ]

    def batches(self, tokens: int, seed: int = 0) -> PictureBatches:
        """Training batches of at most ``tokens`` questions."""
        return PictureBatches(self.examples, tokens, seed, collate=make_question_batch)

    @cached_property
    def valid_batches(self) -> list[Batch]:
        """The validation questions in batches that are always the same."""
        examples = self.to_examples(self.valid)
        return [make_question_batch(examples[i : i + 500]) for i in range(0, len(examples), 500)]


def scene_pairs(
    split: str, count: int | None = None, seed: int = 0, per_kind: int | None = None
) -> list[Pair]:
    """((pixels, question), answer) for balanced questions about scenes; see `questions`."""
    found = questions(split, count, seed, per_kind)
    return [((q.scene.image, q.text), q.answer) for q in found]


def taught_pairs(
    split: str, count: int | None = None, seed: int = 0, per_kind: int | None = None
) -> list[Pair]:
    """The pairs of `scene_pairs`; those with a relation say where to look.

    The first hop is to look at the thing that is named, the last one at the thing asked about.
    Nothing is taught about other questions.
    """
    return [
        (
            (
                q.scene.image,
                q.text,
                np.stack([cells_of(q.scene, q.reference), cells_of(q.scene, q.asked)])
                & bool(q.reference),
            ),
            q.answer,
        )
        for q in questions(split, count, seed, per_kind)
    ]


def cells_of(scene: Scene, things: Sequence[int], side: int = 8) -> np.ndarray:
    """Which cells of a side × side grid hold at least one pixel of the things, (side²,) bool."""
    mask = scene.mask(list(things))
    height, width = mask.shape
    return mask.reshape(side, height // side, side, width // side).any(axis=(1, 3)).reshape(-1)


def scene_data(
    seed: int = 0, count: int = SCENES, per_kind: int = PER_KIND, taught: bool = False
) -> QuestionData:
    """Questions about generated scenes: ``per_kind`` of each kind, about ``count`` scenes.

    ``taught`` adds where to look to the training questions; the validation has none.
    """
    train = (taught_pairs if taught else scene_pairs)("train", count, seed, per_kind)
    return QuestionData(
        train,
        scene_pairs("valid", VALIDATION_SCENES, seed, 250),
        question_vocabulary(train),
        cards=[{"name": "scene questions", "licence": "generated by this course", "seed": seed}],
        labels=SCENE_ANSWERS,
    )


def easy_vqa_data() -> QuestionData:
    """easy-VQA without its test part; 400 of its training pictures are for validation."""
    train, valid = easy_vqa_pairs("train"), easy_vqa_pairs("valid")
    return QuestionData(
        train,
        valid,
        question_vocabulary(train),
        cards=[dict(easy_vqa.CARD)],
        labels=easy_vqa.ANSWERS,
    )


def easy_vqa_pairs(split: str) -> list[Pair]:
    """((pixels, question), answer) for the questions of a split, "train", "valid" or "test"."""
    return [((picture, text), answer) for picture, text, answer in easy_vqa.easy_vqa(split)]


def question_vocabulary(pairs: Sequence[Pair]) -> Vocabulary:
    """The words of the questions, and each mark of punctuation inside them."""
    texts = (without_mark(text) for (_, text, *_), _ in pairs)
    return Vocabulary.words(texts, punctuation=True)
