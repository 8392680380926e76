"""`VisualAnswerer`: pictures and questions → `Answer`, each with its attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.batches import Example
from course_utils.images import as_source
from course_utils.models.answerers import Answerer, build_answerer
from course_utils.runtime import evaluating
from course_utils.tasks.base import Predictor
from course_utils.tasks.question_answering.data import make_question_batch, without_mark
from course_utils.vocabulary import UNK

__all__ = ["Answer", "VisualAnswerer"]


@dataclass(frozen=True)
class Answer:
    """A question about a picture with its answer.

    attention      (hops, places) weights of the cells of a square grid, row by row; without
                   attention there are 0 hops
    probabilities  of each answer; ``text`` is the most probable one, ``probability`` its
                   probability
    words          how many words the question has
    unknown        those of them that the model does not know
    """

    question: str
    attention: np.ndarray
    probabilities: dict[str, float]
    words: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def probability(self) -> float:
        return self.probabilities[self.text]


class VisualAnswerer(Predictor):
    """A model and its vocabulary, ready to answer. `load` gets one from a checkpoint."""

    model: Answerer
    model_type = Answerer
    builders = {"answerer": build_answerer}

    def answer(self, pairs: Sequence[tuple[Any, str]], batch_size: int = 500) -> list[Answer]:
        """The answer to each (picture, question), in order.

        It does not depend on the other ones. A picture is what `as_source` accepts, of the size
        that the model was trained with. One that stands beside several questions is encoded once.
        """
        pairs = list(pairs)
        questions = [without_mark(question) for _, question in pairs]
        encoded = self.vocabulary.encode_all(questions)
        pictures = {id(picture): picture for picture, _ in pairs}
        sources = {key: as_source(picture) for key, picture in pictures.items()}
        examples = [
            Example(sources[id(picture)], [0], others={"question": ids})
            for (picture, _), ids in zip(pairs, encoded, strict=True)
        ]
        answers = []
        with evaluating(self.model), torch.no_grad():
            for start in range(0, len(examples), batch_size):
                batch = make_question_batch(examples[start : start + batch_size])
                batch = batch.to(self.model.device)
                logits, weights = self.model.attend(
                    batch.source, batch.others["question"], batch.picture_of
                )
                answers += zip(
                    F.softmax(logits, dim=-1).cpu().double().numpy(),
                    weights.cpu().double().numpy(),
                    strict=True,
                )
        return [
            Answer(
                question,
                weights,
                dict(zip(self.model.labels, row.tolist(), strict=True)),
                len(ids),
                self.unknown_words(question, ids),
            )
            for question, ids, (row, weights) in zip(questions, encoded, answers, strict=True)
        ]

    def predict(self, inputs: Sequence[tuple[Any, str]]) -> list[str]:
        """The answers alone."""
        return [answer.text for answer in self.answer(inputs)]

    def unknown_words(self, question: str, ids: Sequence[int]) -> tuple[str, ...]:
        """The words of a question whose id is UNK, as they were typed."""
        if UNK not in ids:
            return ()
        spans = self.vocabulary.spans(question)
        return tuple(question[a:b] for (a, b), i in zip(spans, ids, strict=True) if i == UNK)
