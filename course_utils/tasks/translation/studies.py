"""Studies of translation: generated sentences with known alignments, and real captions."""

import time
from dataclasses import replace
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.attention import Attention, GeneralScore
from course_utils.batches import Batch, Example, make_batch
from course_utils.callbacks import AverageWeights
from course_utils.datasets.generated.english_french import english_french
from course_utils.datasets.public.multi30k import multi30k
from course_utils.metrics import (
    alignment_error_rate,
    alignment_from_attention,
    bleu,
    chance_alignment_error,
    diagonal_alignment,
    exact_match,
    score_by_bucket,
)
from course_utils.models.transformer import TransformerDecoder
from course_utils.runtime import evaluating
from course_utils.tasks.base import Pair, TaskData
from course_utils.tasks.inference import in_batches
from course_utils.tasks.study import Study, Variant
from course_utils.tasks.translation import recipes
from course_utils.tasks.translation.data import (
    generated_pairs,
    sampled_multi30k_data,
    short_translation,
)
from course_utils.tasks.translation.translator import Translator
from course_utils.tasks.translation.watching import WatchWeights, head_entropies
from course_utils.training import attention_loss, validation_loss

__all__ = [
    "BUCKETS",
    "STUDIES",
    "ScaledGeneralScore",
    "head_alignment_errors",
    "heads_of",
    "measure_multi30k",
    "measure_generated",
    "measure_settings",
    "measure_transformer",
    "watched",
]

BUCKETS = [(3, 5), (6, 8), (9, 11), (12, 14), (15, 18), (19, 22), (25, 28), (29, 32), (33, 40)]


def measure_generated(translator: Translator) -> dict:
    """Greedy scores of a translator on the generated test sets: quality, length, alignment.

    ``by_length`` covers "test" and "long" together: for each bucket of source lengths (in words),
    the mean length, BLEU, exact match and the number of sentences. The alignment errors are those
    of "test", with the error of the diagonal and of chance; a model without attention has none of
    its own.
    """
    test = english_french("test")
    pairs = generated_pairs("test") + generated_pairs("long")
    outputs = translator.predict([source for source, _ in pairs])
    references = [target for _, target in pairs]
    lengths = [len(source.split()) for source, _ in pairs]

    def both(indices: list[int]) -> tuple[float, float]:
        out, ref = [outputs[i] for i in indices], [references[i] for i in indices]
        return round(bleu(out, ref).score, 2), round(exact_match(out, ref).score, 4)

    measured = {}
    for name, indices in (
        ("test", range(len(test))),
        ("long", range(len(test), len(pairs))),
    ):
        measured[f"{name}_bleu"], measured[f"{name}_exact"] = both(list(indices))
    measured["by_length"] = [
        {"length": round(mean, 2), "bleu": scores[0], "exact": scores[1], "sentences": count}
        for mean, scores, count in score_by_bucket(lengths, BUCKETS, both)
    ]
    gold = [pair.alignment for pair in test]
    predicted = [alignment_from_attention(m) for m in translator.attention_of(pairs[: len(test)])]
    if any(predicted):
        measured["alignment_error"] = round(alignment_error_rate(predicted, gold).error_rate, 4)
    diagonal = [diagonal_alignment(len(pair.source), len(pair.target)) for pair in test]
    measured["alignment_error_diagonal"] = round(alignment_error_rate(diagonal, gold).error_rate, 4)
    measured["alignment_error_chance"] = round(
        chance_alignment_error(gold, [len(pair.source) for pair in test]), 4
    )
    return measured


def heads_of(translator: Translator, pairs: list[Pair], batch_size: int = 100) -> list[np.ndarray]:
    """What each head of a Transformer's decoder looks at, (layers, heads, Tt, Ts) for each pair.

    The pairs are of words, one id each, as in the generated corpus. The decoder reads the given
    translation. Raises TypeError if the translator has another decoder.
    """
    model, decoder = translator.model, translator.model.decoder
    if not isinstance(decoder, TransformerDecoder):
        raise TypeError(f"a {type(decoder).__name__} has no heads in layers")
    encode = translator.vocabulary.encode_all
    sources, targets = encode([source for source, _ in pairs]), encode([y for _, y in pairs])

    @torch.no_grad()
    def run(examples: list[Example]) -> list[np.ndarray]:
        batch = make_batch(examples).to(model.device)
        weights = decoder.weights(model.remember(batch), batch.target_in).memory
        every = torch.stack(weights, dim=1).cpu().numpy()  # (B, layers, heads, Tt, Ts)
        return [
            rows[:, :, : len(example.target), : len(example.source)]
            for rows, example in zip(every, examples, strict=True)
        ]

    with evaluating(model):
        examples = [Example(s, t) for s, t in zip(sources, targets, strict=True)]
        return in_batches(examples, batch_size, run, length=lambda example: len(example.source))


def head_alignment_errors(translator: Translator, split: str = "test") -> list[list[float]]:
    """The alignment error rate of each head, (layers, heads), on a generated split."""
    weights = heads_of(translator, generated_pairs(split))
    gold = [pair.alignment for pair in english_french(split)]
    layers, heads = weights[0].shape[:2]
    return [
        [
            alignment_error_rate(
                [alignment_from_attention(every[layer, head]) for every in weights], gold
            ).error_rate
            for head in range(heads)
        ]
        for layer in range(layers)
    ]


def measure_transformer(translator: Translator) -> dict:
    """`measure_generated`, and the alignment errors of each layer and head, on both splits."""
    found = {
        f"{split}_head_errors": [[round(e, 4) for e in row] for row in errors]
        for split in ("valid", "test")
        for errors in [head_alignment_errors(translator, split)]
    }
    return measure_generated(translator) | found


short_data = cache(short_translation)


@cache
def watched() -> Batch:
    """The validation sentences whose weights the study "settings" watches."""
    return make_batch(short_data().to_examples(short_data().valid[:100]))


def measure_settings(translator: Translator) -> dict:
    """Figures of the short validation sentences, the entropy of each head, and the time of a step.

    The time is the least of thirty: what other programs add is left out. It is the loss of the
    watched sentences and its gradient, in processor milliseconds.
    """
    data, model, batch = short_data(), translator.model, watched()
    outputs = translator.predict([source for source, _ in data.valid])
    references = [target for _, target in data.valid]
    took = []
    for _ in range(30):
        started = time.process_time()
        attention_loss(model, batch).backward()
        took.append(1000 * (time.process_time() - started))
        model.zero_grad()
    return {
        "valid_bleu": round(bleu(outputs, references).score, 2),
        "valid_exact": round(exact_match(outputs, references).score, 4),
        "valid_loss": round(validation_loss(model, data.valid_batches), 4),
        "entropies": {
            name: [[round(float(x), 4) for x in row] for row in found]
            for name, found in head_entropies(model, batch).items()
        },
        "milliseconds": round(min(took), 1),
    }


def measure_multi30k(translator: Translator) -> dict:
    """BLEU on the validation captions, greedy and with a beam of 5. No study uses the test set."""
    pairs = multi30k("valid")
    sources, references = [source for source, _ in pairs], [target for _, target in pairs]

    def score(beam: int) -> float:
        return round(bleu(translator.predict(sources, beam), references, lowercase=True).score, 2)

    return {"valid_bleu_greedy": score(1), "valid_bleu_beam5": score(5)}


class ScaledGeneralScore(GeneralScore):
    """e = qᵀ W k / √D: the general score with the factor of the scaled dot product.

    A control for the study "scores", whose general score has no such factor.
    """

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        return super().forward(query, prepared) / self.query_dim**0.5


def scale_general(model: nn.Module, data: TaskData) -> None:
    """Give a new model the scaled general score; the ``prepare`` of a recipe."""
    score = model.decoder.attention.score
    model.decoder.attention = Attention(ScaledGeneralScore(score.query_dim, score.key_dim))


BUDGET = recipes.GENERATED.settings.steps
ATTENTION = {"decoder": "attention"}
FIXED = {"decoder": "fixed_vector"}

OnGenerated = partial(Study, recipe=recipes.GENERATED, measure=measure_generated)

# The recipes' models on real captions, with matrix products in bfloat16. At one budget, the steps
# of each are three minutes of one processor by its seconds a step, without validations.
MULTI30K_BUDGET = replace(
    recipes.MULTI30K_TRANSFORMER,
    name="translation-multi30k-budget",
    settings=replace(recipes.MULTI30K_TRANSFORMER.settings, bfloat16=True),
    callbacks=(partial(AverageWeights, count=5, every=50),),
)
RECURRENT: dict = dict.fromkeys(recipes.MULTI30K_TRANSFORMER.model)
RECURRENT_FIT = {"learning_rate": 3e-3}
SMALL = {"embedding_dim": 128, "hidden_dim": 320, "encoder_layers": 3}
LIGHT = SMALL | {"dropout": 0.1}
SMALL_FIT = {"learning_rate": 2e-3}
SMALL_STEPS = 1850
TRICKS_STEPS = 4000

# Short sentences, two layers on each side, and positions with which it learns fast: for many
# trainings.
WATCHED = replace(
    recipes.GENERATED_TRANSFORMER,
    name="translation-generated-short",
    data=short_data,
    batch_tokens=400,
    model=recipes.GENERATED_TRANSFORMER.model | {"encoder_layers": 2, "positions": "rotary"},
    callbacks=(partial(WatchWeights, watched),),
)
WATCHED_STEPS = 600
RATE = recipes.GENERATED_TRANSFORMER.settings.learning_rate
FAST, AT_ONCE = {"learning_rate": 3 * RATE}, {"warm_up": 0.0}
POST = {"norm": "post"}

OnMulti30k = partial(Study, recipe=MULTI30K_BUDGET, measure=measure_multi30k)

STUDIES = (
    OnGenerated(
        "bottleneck",
        "One vector for the whole sentence against attention",
        (
            Variant("attention", ATTENTION, BUDGET),
            Variant("fixed vector", FIXED, BUDGET),
            Variant("attention, converged", ATTENTION, 5 * BUDGET),
            Variant("fixed vector, converged", FIXED, 5 * BUDGET),
        ),
        seeds=(0, 1, 2),
        seeds_of={"attention, converged": (0,), "fixed vector, converged": (0,)},
    ),
    OnGenerated(
        "scores",
        "Four scores at one budget",
        tuple(
            Variant(name.replace("_", " "), ATTENTION | {"score": name} | extra, BUDGET)
            for name, extra in (
                ("dot", {}),
                ("scaled_dot", {}),
                ("general", {}),
                ("additive", {"attention_dim": 96}),
            )
        ),
        seeds=(0, 1, 2),
    ),
    Study(
        "scaled-general",
        "The general score with the factor 1/√D",
        (Variant("general / √D", ATTENTION | {"score": "general"}, BUDGET),),
        seeds=(0, 1, 2),
        recipe=replace(recipes.GENERATED, prepare=scale_general),
        measure=measure_generated,
    ),
    OnGenerated(
        "order",
        "Attention after the recurrence against Bahdanau's order",
        (
            Variant("after the recurrence", ATTENTION | {"score": "additive"}, BUDGET),
            # Its recurrence also reads the context, which a narrower state compensates for.
            Variant("Bahdanau's order", {"decoder": "bahdanau", "hidden_dim": 152}, BUDGET),
        ),
        seeds=(0, 1),
    ),
    Study(
        "transformer-positions",
        "Positions and place of the norm in a Transformer, beyond the lengths of the training",
        (
            *(
                Variant(name, {"positions": name}, BUDGET)
                for name in ("sinusoidal", "learnt", "rotary", "none")
            ),
            Variant("sinusoidal, post-norm", {"norm": "post"}, BUDGET),
            # The rate of the others may be too high for it.
            Variant(
                "sinusoidal, post-norm, lower rate",
                {"norm": "post"},
                BUDGET,
                fit={"learning_rate": 1e-3},
            ),
        ),
        seeds=(0, 1),
        recipe=recipes.GENERATED_TRANSFORMER,
        measure=measure_transformer,
    ),
    OnMulti30k(
        "transformer-budget",
        "A Transformer and a recurrent model with attention at equal minutes and parameters",
        (
            Variant("recurrent + attention", RECURRENT, 3500, fit=RECURRENT_FIT),
            Variant("Transformer", SMALL, SMALL_STEPS, fit=SMALL_FIT),
            # With so few parameters and minutes, less dropout may be better for both.
            Variant(
                "recurrent + attention, dropout .1",
                RECURRENT | {"dropout": 0.1},
                3500,
                fit=RECURRENT_FIT,
            ),
            Variant("Transformer, dropout .1", LIGHT, SMALL_STEPS, fit=SMALL_FIT),
        ),
        seeds=(0, 1, 2),
    ),
    # The Transformer of "transformer-budget", trained for twice as long, with one change each.
    OnMulti30k(
        "transformer-tricks",
        "What each setting of the Transformer is worth on Multi30k's validation captions",
        (
            Variant("dropout .1", LIGHT, TRICKS_STEPS, fit=SMALL_FIT),
            Variant(
                "no label smoothing", LIGHT, TRICKS_STEPS, fit=SMALL_FIT | {"label_smoothing": 0.0}
            ),
            Variant("BPE-dropout", LIGHT, TRICKS_STEPS, fit=SMALL_FIT, data=sampled_multi30k_data),
            # A decoder layer is larger than an encoder layer, by its second attention.
            Variant(
                "2 + 3 layers",
                LIGHT | {"encoder_layers": 2, "decoder_layers": 3},
                TRICKS_STEPS,
                fit=SMALL_FIT,
            ),
            Variant("dropout .3", SMALL, TRICKS_STEPS, fit=SMALL_FIT),
        ),
        seeds=(0, 1),
        # Three seeds of it are in "transformer-budget", at fewer steps.
        seeds_of={"dropout .3": (0,)},
    ),
    Study(
        "transformer-averaging",
        "The Transformer of the tricks without the average of its last weights",
        (Variant("no averaging", LIGHT, TRICKS_STEPS, fit=SMALL_FIT),),
        seeds=(0, 1),
        recipe=replace(MULTI30K_BUDGET, callbacks=()),
        measure=measure_multi30k,
    ),
    # The shipped Transformer's rival: as many parameters, steps, captions and averaged weights.
    Study(
        "recurrent-longer",
        "A recurrent model with attention of the shipped Transformer's size, trained as long",
        (
            Variant(
                "recurrent + attention",
                RECURRENT | {"embedding_dim": 256, "memory_dim": 448, "hidden_dim": 448},
                recipes.MULTI30K_TRANSFORMER.settings.steps,
                fit=RECURRENT_FIT | {"validate_every": 1000},
            ),
        ),
        seeds=(0,),
        recipe=replace(MULTI30K_BUDGET, callbacks=recipes.MULTI30K_TRANSFORMER.callbacks),
        measure=measure_multi30k,
    ),
    Study(
        "settings",
        "Initialisation, warm-up, dropout on the weights and shared maps of a small Transformer",
        tuple(
            Variant(name, model, WATCHED_STEPS, fit=fit)
            for name, model, fit in (
                ("as it is", {}, {}),
                # PyTorch's layer for linear maps starts so, where ours start as in Glorot & Bengio.
                ("maps of scores × 1/√3", {"score_gain": 3**-0.5}, {}),
                ("maps of scores × 1/4", {"score_gain": 0.25}, {}),
                ("maps of scores × 4", {"score_gain": 4.0}, {}),
                ("no warm-up", {}, AT_ONCE),
                ("rate × 3", {}, FAST),
                ("rate × 3, no warm-up", {}, FAST | AT_ONCE),
                ("post-norm", POST, {}),
                ("post-norm, no warm-up", POST, AT_ONCE),
                ("no dropout on weights", {"weight_dropout": 0.0}, {}),
                ("dropout .3 on weights", {"weight_dropout": 0.3}, {}),
                ("keys are values", {"sharing": "keys"}, {}),
                ("one memory for all layers", {"sharing": "layers"}, {}),
                ("post-norm, rate × 3", POST, FAST),
                ("post-norm, rate × 3, no warm-up", POST, FAST | AT_ONCE),
            )
        ),
        seeds=(0, 1),
        recipe=WATCHED,
        measure=measure_settings,
        seeds_of={
            "post-norm, rate × 3": (0,),
            "post-norm, rate × 3, no warm-up": (0,),
        },
    ),
)
