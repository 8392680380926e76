"""Data for dialogue: what was said before, what is said now, and the right reply."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from course_utils.batches import BucketedBatches, Example
from course_utils.datasets.generated.dialogues import ANSWERS, NOTED, dialogues
from course_utils.datasets.registry import public_card
from course_utils.models.memory_network import MemoryNetwork, StoryBatch
from course_utils.tasks.base import Pair, TaskData
from course_utils.vocabulary import SPECIAL, Vocabulary

__all__ = [
    "MemoryData",
    "Turn",
    "all_words",
    "answer_loss",
    "babi_data",
    "babi_pairs",
    "chat_data",
    "chat_pairs",
    "dialog_babi_data",
    "dialog_babi_pairs",
    "encoded_turns",
    "make_story_batch",
]


class Turn(NamedTuple):
    """An input: the sentences of the memory, oldest first, and what is said or asked now."""

    history: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class StoryExample(Example):
    """``source`` holds sentences, each a tuple of ids; ``others["question"]`` the question."""


def make_story_batch(examples: list[Example]) -> StoryBatch:
    """One batch; equal sentences of different stories share a row."""
    if not examples:
        raise ValueError("a batch needs at least one example")
    return StoryBatch.of(
        [example.source for example in examples],
        [example.others["question"] for example in examples],
        [example.target[0] for example in examples],
    )


def answer_loss(model: MemoryNetwork, batch: StoryBatch, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy over the candidates, in nats per question."""
    return F.cross_entropy(model(batch), batch.target, label_smoothing=label_smoothing)


def encoded_turns(
    vocabulary: Vocabulary, turns: Sequence[Turn]
) -> list[tuple[list[tuple[int, ...]], list[int]]]:
    """For each turn the ids of its sentences, and those of what is said; each text is read once."""
    texts = sorted({text for turn in turns for text in (*turn.history, turn.said)})
    ids = dict(zip(texts, map(tuple, vocabulary.encode_all(texts)), strict=True))
    return [([ids[s] for s in turn.history], list(ids[turn.said])) for turn in turns]


@dataclass
class MemoryData(TaskData):
    """Pairs of a `Turn` and its answer; ``answers`` are the candidates."""

    answers: tuple[str, ...] = field(default=())

    def to_examples(self, pairs: Sequence[Pair]) -> list[Example]:
        """One example for each turn; ValueError for an answer that is not a candidate."""
        number = {answer: i for i, answer in enumerate(self.answers)}
        unknown = sorted({str(answer) for _, answer in pairs if answer not in number})
        if unknown:
            raise ValueError(f"no candidates: {unknown[:5]}; there are {len(self.answers)}")
        encoded = encoded_turns(self.vocabulary, [turn for turn, _ in pairs])
        return [
            StoryExample(story, [number[answer]], {"question": said})
            for (story, said), (_, answer) in zip(encoded, pairs, strict=True)
        ]

    def batches(self, tokens: int, seed: int = 0) -> BucketedBatches:
        """Training batches of ``tokens`` questions, those with stories of similar length."""
        return BucketedBatches(
            self.examples, tokens, seed, collate=make_story_batch, size=lambda _: 1
        )

    @cached_property
    def valid_batches(self) -> list[StoryBatch]:
        """The validation turns in batches of stories of similar length."""
        examples = sorted(self.to_examples(self.valid), key=lambda e: len(e.source))
        return [make_story_batch(examples[i : i + 250]) for i in range(0, len(examples), 250)]


def memory_data(
    train: list[Pair],
    valid: list[Pair],
    answers: Sequence[str],
    cards: list[dict],
    more: Sequence[str] = (),
) -> MemoryData:
    """Data with a vocabulary of all words in the training turns, the answers, and ``more``."""
    texts = {text for turn, _ in train for text in (*turn.history, turn.said)}
    vocabulary = Vocabulary.words([*sorted(texts), *answers, *more])
    return MemoryData(train, valid, vocabulary, cards=cards, answers=tuple(answers))


def babi_pairs(task: int, split: str) -> list[Pair]:
    """The questions of a bAbI task as pairs of a `Turn` and its answer in small letters."""
    from course_utils.datasets.public.babi import babi

    return [(Turn(q.story, q.question), q.answer.lower()) for q in babi(task, split)]


def babi_data(task: int) -> MemoryData:
    """One task of bAbI; every word is a candidate, and so is every list of words as a whole."""
    train, valid = babi_pairs(task, "train"), babi_pairs(task, "valid")
    answers = sorted({answer for _, answer in train + valid})
    data = memory_data(train, valid, answers, [public_card("babi") | {"task": task}])
    data.answers = tuple(all_words(data.vocabulary))
    return data


def all_words(vocabulary: Vocabulary) -> list[str]:
    """Every word of a vocabulary, without the special pieces."""
    return vocabulary.pieces(range(len(SPECIAL), len(vocabulary)))


def dialog_babi_pairs(task: int, split: str, every: int = 1) -> list[Pair]:
    """The turns of each ``every``-th dialogue of a task of dialog bAbI, with the bot's replies."""
    from course_utils.datasets.public.dialog_babi import dialog_babi

    turns = dialog_babi(task, split)
    return [(Turn(t.history, t.said), t.answer) for t in turns if t.dialogue % every == 0]


def dialog_babi_data(task: int) -> MemoryData:
    """One task of dialog bAbI, with all 4,212 candidates; a fifth of the validation dialogues."""
    from course_utils.datasets.public.dialog_babi import candidates

    train, valid = dialog_babi_pairs(task, "train"), dialog_babi_pairs(task, "valid", every=5)
    card = public_card("dialog_babi") | {"task": task}
    return memory_data(train, valid, candidates(), [card])


def chat_pairs(
    split: str, count: int | None = None, style: str = "all", others: int = 10
) -> list[Pair]:
    """Generated dialogues as pairs: every question and greeting, and each ``others``-th statement.

    Statements are most of the turns and all have the same reply. ``count`` and ``style`` are those
    of `dialogues`.
    """
    statements, kept = 0, []
    for turn in (turn for given in dialogues(split, count, style) for turn in given):
        statements += turn.answer == NOTED
        if turn.answer != NOTED or statements % others == 0:
            kept.append((Turn(turn.history, turn.said), turn.answer))
    return kept


def chat_data(count: int | None = None, style: str = "all") -> MemoryData:
    """Generated dialogues about restaurants and travel, ``count`` of them for training."""
    train = chat_pairs("train", count, style)
    card = {"name": "dialogues", "licence": "generated by this course", "seed": 0}
    return memory_data(train, chat_pairs("valid", style=style), ANSWERS, [card])
