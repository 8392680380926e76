"""Recipes for dialogue: the generated chat, and the tasks of bAbI and of dialog bAbI."""

from collections import Counter
from dataclasses import replace
from functools import partial

import torch

from course_utils.datasets.generated.dialogues import ANSWERS
from course_utils.models.memory_network import MemoryNetwork
from course_utils.tasks.base import Pair
from course_utils.tasks.dialogue.data import (
    MemoryData,
    all_words,
    babi_data,
    babi_pairs,
    chat_data,
    chat_pairs,
    dialog_babi_data,
    dialog_babi_pairs,
)
from course_utils.tasks.dialogue.task import TASK
from course_utils.tasks.recipe import Recipe
from course_utils.training import FitSettings
from course_utils.vocabulary import SPECIAL, Vocabulary

__all__ = ["BABI", "CHAT", "DIALOG_BABI", "RECIPES", "SMALL", "encoded_answers"]


def encoded_answers(vocabulary: Vocabulary) -> list[list[int]]:
    """The candidates of the generated dialogues as ids."""
    return vocabulary.encode_all(ANSWERS)


def each_word(vocabulary: Vocabulary) -> list[list[int]]:
    """Every word of a vocabulary as a candidate."""
    return [[i] for i in range(len(SPECIAL), len(vocabulary))]


def all_replies(vocabulary: Vocabulary | None = None) -> list[str]:
    """The candidates of dialog bAbI."""
    from course_utils.datasets.public.dialog_babi import candidates

    return candidates()


def encoded_replies(vocabulary: Vocabulary) -> list[list[int]]:
    """The candidates of dialog bAbI as ids."""
    return vocabulary.encode_all(all_replies())


def exchange_names(model: MemoryNetwork, data: MemoryData) -> None:
    """In training, exchange the words that few dialogues have, such as names of restaurants."""
    common = common_words(data.train)
    pieces = enumerate(data.vocabulary.pieces(range(len(data.vocabulary))))
    names = [i for i, piece in pieces if i >= len(SPECIAL) and piece not in common]
    model.names = torch.tensor(names, dtype=torch.long, device=model.device)


def common_words(pairs: list[Pair], least: float = 0.05) -> set[str]:
    """The words that occur in at least that share of the dialogues.

    Turns follow each other; the last one of a dialogue knows all that was said in it.
    """
    counts: Counter[str] = Counter()
    whole = 0
    for (turn, answer), following in zip(pairs, [*pairs[1:], None], strict=True):
        if following is None or len(following[0].history) <= len(turn.history):
            counts.update(set(" ".join([*turn.history, turn.said, answer]).lower().split()))
            whole += 1
    return {word for word, count in counts.items() if count >= least * whole}


def settings(steps: int, every: int) -> FitSettings:
    """Without weight decay: it would shrink the vectors of words that training never meets."""
    return FitSettings(
        steps=steps,
        learning_rate=0.01,
        weight_decay=0.0,
        label_smoothing=0.0,
        validate_every=every,
    )


CHAT = Recipe(
    name="dialogue-chat",
    title="Generated dialogues about restaurants and travel",
    data=partial(chat_data, 16_000),
    test=partial(chat_pairs, "test"),
    settings=settings(12_000, 1000),
    task=TASK,
    select="accuracy",
    batch_tokens=128,
    search=None,
    model={
        "candidates": encoded_answers,
        "labels": ANSWERS,
        "embed_dim": 64,
        "hops": 4,
        "memories": 60,
        "noise": 0.1,
        "linear_steps": 3000,
        "rectify": True,
        "word_dropout": 0.05,
    },
)
SMALL = replace(
    CHAT,
    name="dialogue-small",
    title="Generated dialogues about people, hotels and prices, a small network",
    data=partial(chat_data, style="chains"),
    test=partial(chat_pairs, "test", style="chains"),
    settings=settings(1500, 300),
    model=CHAT.model | {"embed_dim": 48, "hops": 3, "linear_steps": 300, "word_dropout": 0.0},
)
BABI = Recipe(
    name="dialogue-babi",
    title="Question answering, bAbI task 1 (the study babi has all tasks)",
    data=partial(babi_data, 1),
    test=partial(babi_pairs, 1, "test"),
    settings=replace(settings(3000, 500), learning_rate=0.005),
    task=TASK,
    select="accuracy",
    batch_tokens=128,
    search=None,
    model={
        "candidates": each_word,
        "labels": all_words,
        "embed_dim": 64,
        "rectify": True,
        "noise": 0.1,
        "linear_steps": 1500,
    },
)
DIALOG_BABI = Recipe(
    name="dialogue-dialog_babi",
    title="Booking a restaurant, dialog bAbI task 1 (the study dialog_babi has all tasks)",
    data=partial(dialog_babi_data, 1),
    test=partial(dialog_babi_pairs, 1, "test"),
    settings=settings(1500, 250),
    task=TASK,
    select="accuracy",
    batch_tokens=128,
    search=None,
    model={
        "candidates": encoded_replies,
        "labels": all_replies,
        "embed_dim": 128,
        "memories": 150,
        "position": False,
        "exchange": 0.5,
    },
    prepare=exchange_names,
)

RECIPES = (CHAT, SMALL, BABI, DIALOG_BABI)
