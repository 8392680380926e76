"""`Answerer`: turns → `Reply`, each with what every hop looked at; `Conversation`: a chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from course_utils.datasets.generated.dialogues import spoken
from course_utils.models.memory_network import MemoryNetwork, StoryBatch, build_memory_network
from course_utils.runtime import evaluating
from course_utils.tasks.base import Predictor
from course_utils.tasks.dialogue.data import Turn, encoded_turns
from course_utils.tasks.inference import in_batches
from course_utils.vocabulary import UNK

__all__ = ["Answerer", "Conversation", "Reply"]


@dataclass(frozen=True)
class Reply:
    """An answer to a turn.

    turn         what was said before, and what was said now
    text         the most probable candidate; ``probability`` is its probability
    weights      (hops, sentences of the history) how much each hop looked at each
    unknown      the words of what was said now that are not in the vocabulary
    """

    turn: Turn
    text: str
    probability: float
    weights: np.ndarray
    unknown: tuple[str, ...] = ()

    @property
    def history(self) -> tuple[str, ...]:
        return self.turn.history

    @property
    def said(self) -> str:
        return self.turn.said


class Answerer(Predictor):
    """A memory network and its vocabulary, ready to answer. `load` gets one from a checkpoint."""

    model: MemoryNetwork
    model_type = MemoryNetwork
    builders: ClassVar = {"memory_network": build_memory_network}

    def answer(self, turns: Sequence[Turn], batch_size: int = 250) -> list[Reply]:
        """The answer to each turn, in order. It does not depend on the other turns."""
        turns = [Turn(tuple(turn.history), turn.said) for turn in turns]
        encoded = encoded_turns(self.vocabulary, turns)
        with evaluating(self.model):
            found = in_batches(encoded, batch_size, self._run, length=lambda pair: len(pair[0]))
        replies = []
        for turn, (_, said), (number, probability, weights) in zip(
            turns, encoded, found, strict=True
        ):
            places = zip(self.vocabulary.spans(turn.said), said, strict=True)
            unknown = tuple(turn.said[a:b] for (a, b), i in places if i == UNK)
            text = self.model.labels[number]
            replies.append(Reply(turn, text, probability, weights, unknown))
        return replies

    def predict(self, inputs: Sequence[Turn]) -> list[str]:
        """The texts of the answers alone."""
        return [reply.text for reply in self.answer(inputs)]

    @torch.no_grad()
    def _run(self, pairs: list[tuple]) -> list[tuple[int, float, np.ndarray]]:
        stories, questions = zip(*pairs, strict=True)
        batch = StoryBatch.of(stories, questions, [0] * len(pairs)).to(self.model.device)
        logits, weights = self.model.attend(batch)
        best = logits.softmax(dim=-1).max(dim=-1)
        return [
            (number, probability, rows[:, : len(story)])
            for number, probability, rows, story in zip(
                best.indices.tolist(),
                best.values.tolist(),
                weights.cpu().double().numpy(),
                stories,
                strict=True,
            )
        ]


class Conversation:
    """A chat: every reply can look at all turns before it."""

    def __init__(self, answerer: Answerer):
        self.answerer, self.history = answerer, []

    def say(self, text: str) -> Reply:
        """The reply to what a person types; both become part of the memory.

        Raises ValueError for a text without words.
        """
        words = spoken(text)
        if not words:
            raise ValueError(f"there are no words in {text[:40]!r}")
        (reply,) = self.answerer.answer([Turn(tuple(self.history), f"<user> {words}")])
        self.history += [reply.turn.said, f"<bot> {reply.text}"]
        return reply
