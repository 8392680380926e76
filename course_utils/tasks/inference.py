"""What predictors of several tasks share: batches, search, and attention under teacher forcing."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from course_utils.batches import Example, make_batch
from course_utils.models.seq2seq import Seq2Seq
from course_utils.runtime import evaluating
from course_utils.search import Hypothesis, search

__all__ = ["MAX_REPEATS", "in_batches", "search_in_batches", "teacher_forced_attention"]

# For sentences: the captions of Multi30k repeat one to four pieces at most three times in a row.
MAX_REPEATS = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_batches(
    items: Sequence[Item],
    batch_size: int,
    run: Callable[[list[Item]], Sequence[Result]],
    length: Callable[[Any], int] = len,
) -> list[Result]:
    """The results of ``run``, one per item, in the order of ``items``.

    ``run`` gets lists of at most ``batch_size`` items and returns one result for each. Items of
    similar ``length`` share a batch, so that little of it is padding.
    """
    order = sorted(range(len(items)), key=lambda i: length(items[i]))
    results: dict[int, Result] = {}
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        results.update(zip(batch, run([items[i] for i in batch]), strict=True))
    return [results[i] for i in range(len(items))]


def search_in_batches(
    model: Seq2Seq,
    inputs: Sequence[list[int] | Tensor | Example],
    beam: int,
    alpha: float,
    batch_size: int,
    max_length: Callable[[Any], int],
    max_repeats: int | None = None,
) -> list[Hypothesis]:
    """The output that `course_utils.search.search` finds for each input, in order.

    An input is a source, or an `Example` if it has further sources; targets are not read.
    ``max_length(source)`` is the largest number of tokens of its output; ``max_repeats`` is that
    of `course_utils.search.greedy_search`.
    """
    examples = [x if isinstance(x, Example) else Example(x, []) for x in inputs]

    @torch.no_grad()
    def run(batch_examples: list[Example]) -> list[Hypothesis]:
        batch = make_batch(batch_examples).to(model.device)
        limits = [max_length(example.source) for example in batch_examples]
        return search(
            model.decoder,
            model.remember(batch),
            beam,
            limits,
            alpha,
            max_repeats=max_repeats,
        )

    with evaluating(model):
        return in_batches(examples, batch_size, run, length=lambda example: len(example.source))


def teacher_forced_attention(
    model: Seq2Seq, examples: Sequence[Example], batch_size: int
) -> list[np.ndarray]:
    """Attention while the decoder reads the given targets: (target tokens, positions) per example.

    The row of EOS and the columns of padding are left out. Because of teacher forcing, the weights
    can be compared with true alignments, whatever the model would have written itself.
    """

    @torch.no_grad()
    def run(batch_examples: list[Example]) -> list[np.ndarray]:
        batch = make_batch(batch_examples).to(model.device)
        memory = model.remember(batch)
        _, weights = model.decoder(memory, batch.target_in)
        positions = memory.attend_mask.sum(dim=1).tolist()
        return [
            rows[: len(example.target), :count].float().cpu().numpy()
            for rows, example, count in zip(weights, batch_examples, positions, strict=True)
        ]

    with evaluating(model):
        return in_batches(examples, batch_size, run, length=lambda example: len(example.source))
