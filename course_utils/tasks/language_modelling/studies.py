"""Studies of language modelling: induction heads, and heads that share keys and values."""

import time
from functools import partial

import torch

from course_utils.models.transformer import TransformerDecoder
from course_utils.runtime import evaluating
from course_utils.tasks.language_modelling.data import repeats_pairs, sentences_pairs
from course_utils.tasks.language_modelling.heads import (
    copying,
    loss_again,
    prefix_matching,
    previous_position,
    twice,
    without_head,
)
from course_utils.tasks.language_modelling.recipes import REPEATS, SENTENCES
from course_utils.tasks.language_modelling.writer import Writer
from course_utils.tasks.study import Study, Variant

__all__ = ["STUDIES", "measure_heads", "measure_sharing"]

LENGTH = 8  # words of each copy


def measure_heads(writer: Writer) -> dict:
    """How each head scores, and what the second copy of random words costs without it.

    ``without`` has one loss for each head; ``again_without_induction`` is the loss without all
    heads whose prefix matching is above a half, and ``again_without_others`` that without as many
    of the others of those layers (None if there are too few).
    """
    model = writer.model
    tokens = twice(len(writer.vocabulary), LENGTH, seed=1)
    prefix = prefix_matching(model, tokens)
    every = [(layer, head) for layer in range(len(prefix)) for head in range(prefix.shape[1])]
    first, again = loss_again(model, tokens)

    def lost(*heads: tuple[int, int]) -> float:
        with without_head(model, *heads):
            return round(loss_again(model, tokens)[1], 4)

    induction = [place for place in every if prefix[place] > 0.5]
    others = [place for place in every if prefix[place] <= 0.5 and place[0] > 0]
    return {
        "test_perplexity": round(writer.measure(repeats_pairs("test"))["perplexity"].score, 3),
        "first": round(first, 4),
        "again": round(again, 4),
        "prefix_matching": _rounded(prefix),
        "previous": _rounded(previous_position(model, tokens)),
        "copying": _rounded(copying(model, tokens)),
        "without": _rounded(torch.tensor([lost(place) for place in every]).view(prefix.shape)),
        "induction_heads": len(induction),
        "again_without_induction": lost(*induction),
        "again_without_others": (
            lost(*others[: len(induction)]) if len(others) >= len(induction) else None
        ),
    }


def measure_sharing(writer: Writer) -> dict:
    """Perplexity on the test sentences, and what the cache costs in memory and time."""
    model = writer.model
    assert isinstance(model, TransformerDecoder)
    scores = writer.measure(sentences_pairs("test"))
    with evaluating(model), torch.no_grad():
        numbers = {}
        for length in (64, 256):
            state, token = model.start(16), torch.full((16,), 4)
            started = time.process_time()
            for _ in range(length):
                _, state, _ = model.step(state, token)
            numbers[f"seconds_{length}"] = round(time.process_time() - started, 3)
    kept = sum(cache.keys.numel() + cache.values.numel() for cache in state.past)
    return {
        "test_perplexity": round(scores["perplexity"].score, 3),
        "numbers_per_token": kept // (16 * 256),
        **numbers,
    }


def _rounded(scores: torch.Tensor) -> list:
    return [[round(value, 4) for value in row] for row in scores.tolist()]


STEPS = REPEATS.settings.steps
OFTEN = {"validate_every": 50}
Repeats = partial(Variant, steps=STEPS, fit=OFTEN)
SHARED = 1000

STUDIES = (
    Study(
        "induction",
        "Induction heads: where they arise, and when",
        (
            Repeats("two layers", {}),
            Repeats("one layer", {"layers": 1}),
            Repeats("one layer, as many parameters", {"layers": 1, "hidden_dim": 388}),
            Repeats("two layers, sinusoidal", {"positions": "sinusoidal"}),
        ),
        seeds=(0, 1),
        seeds_of={"two layers": (0, 1, 2)},
        recipe=REPEATS,
        measure=measure_heads,
    ),
    Study(
        "shared-keys",
        "Heads that share keys and values, at equal width and at equal parameters",
        (
            Variant("8 of 8", {}, SHARED),
            Variant("4 of 8", {"kv_heads": 4}, SHARED),
            Variant("1 of 8", {"kv_heads": 1}, SHARED),
            # Its feed-forward network gets the parameters that keys and values give up.
            Variant("1 of 8, as many parameters", {"kv_heads": 1, "hidden_dim": 276}, SHARED),
        ),
        seeds=(0, 1),
        recipe=SENTENCES,
        measure=measure_sharing,
    ),
)
