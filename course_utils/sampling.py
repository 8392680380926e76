"""Sampling: draw texts from a decoder, where search looks for the most probable one.

What is drawn from can be narrowed in three ways, which can be combined: a temperature, the
``top_k`` most probable tokens (Fan et al. 2018), or the *nucleus*, the most probable
tokens that together have the probability ``top_p`` (Holtzman et al. 2020, section 3.1).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.checks import check_tensor
from course_utils.search import Hypothesis, SearchDecoder, State, write

__all__ = ["narrowed", "sample"]


def narrowed(
    log_probs: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """The probabilities (…, V) that a token is drawn with, for log probabilities or logits (…, V).

    temperature  τ > 0: p ∝ exp(log p / τ); below 1 sharper, above 1 flatter
    top_k        keeps the k most probable tokens, and those that are equal to the last of them
    top_p        then keeps the fewest of the most probable tokens whose sum is at least top_p

    What is kept is scaled up to a sum of 1. Rows in which no token is possible, or that hold NaN,
    give NaN. Raises ValueError for settings out of range.
    """
    check_tensor("log_probs", log_probs, kind="floats")
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"the temperature is above 0 and finite, got {temperature}; towards 0, sampling "
            "becomes greedy_search"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k keeps at least 1 token, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is a probability above 0, at most 1, got {top_p}")
    scores = log_probs / temperature
    if top_k is not None and top_k < scores.shape[-1]:
        last = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < last, -math.inf)
    probabilities = scores.softmax(dim=-1)
    if top_p is not None:
        ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered
        kept = ordered.masked_fill(before >= top_p, 0.0)
        probabilities = torch.zeros_like(kept).scatter(-1, order, kept)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return probabilities


def sample(
    decoder: SearchDecoder[State],
    memory: Any = None,
    max_length: int | Sequence[int] = 100,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
    prompts: Sequence[Sequence[int]] | None = None,
    max_repeats: int | None = None,
) -> list[Hypothesis]:
    """Draw a text for each input, token by token; several for one input need its memory repeated.

    ``temperature``, ``top_k`` and ``top_p`` are those of `narrowed`; ``generator`` makes the draws
    repeatable. A hypothesis has the log probability that the *decoder* gives to the text, before
    anything is narrowed, which is also its score. The other parameters and the errors are those of
    `course_utils.search.greedy_search`.
    """

    def choose(log_probs: Tensor) -> Tensor:
        probabilities = narrowed(log_probs, temperature, top_k, top_p)
        # Rows that cannot be drawn from are found, and named, by `write`.
        impossible = ~probabilities.isfinite().all(dim=-1, keepdim=True)
        probabilities = probabilities.masked_fill(impossible, 1.0)
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0]

    narrowed(torch.zeros(1, 2), temperature, top_k, top_p)  # settings out of range end here
    return write(
        decoder,
        choose,
        memory,
        max_length,
        alpha=0.0,
        batch_size=batch_size,
        prompts=prompts,
        max_repeats=max_repeats,
    )
