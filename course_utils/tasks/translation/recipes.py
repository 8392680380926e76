"""Recipes for translation: real captions, and generated sentences with known alignments."""

from dataclasses import replace
from functools import partial

from course_utils.callbacks import AverageWeights
from course_utils.tasks.recipe import Recipe
from course_utils.tasks.translation.data import (
    generated_pairs,
    generated_translation,
    multi30k_data,
    multi30k_test,
)
from course_utils.tasks.translation.task import TASK
from course_utils.training import FitSettings

__all__ = ["GENERATED", "GENERATED_TRANSFORMER", "MULTI30K", "MULTI30K_TRANSFORMER", "RECIPES"]

MULTI30K = Recipe(
    name="translation-multi30k",
    title="German → English captions, Multi30k",
    data=multi30k_data,
    test=multi30k_test,
    settings=FitSettings(steps=6000, validate_every=500),
    task=TASK,
    batch_tokens=1500,
)
GENERATED = Recipe(
    name="translation-generated",
    title="English → French, generated with gold alignments",
    data=generated_translation,
    test=partial(generated_pairs, "test"),
    settings=FitSettings(steps=1500, learning_rate=5e-3, label_smoothing=0.0, validate_every=250),
    task=TASK,
    batch_tokens=500,
    model={"embedding_dim": 96, "memory_dim": 192, "hidden_dim": 192, "dropout": 0.1},
)
# Only encoder and decoder change: data, batches, loss, search and metrics are those above.
TRANSFORMER = {"encoder": "transformer", "decoder": "transformer"}

MULTI30K_TRANSFORMER = replace(
    MULTI30K,
    name="translation-multi30k-transformer",
    title="German → English captions, Multi30k, with a Transformer",
    settings=FitSettings(steps=20_000, learning_rate=1.5e-3, validate_every=1000),
    batch_tokens=1000,
    model=TRANSFORMER
    | {
        "embedding_dim": 192,
        "hidden_dim": 512,
        "encoder_layers": 5,
        "decoder_layers": 2,
        "heads": 4,
        "dropout": 0.3,
        "inner_dropout": 0.0,
    },
    callbacks=(partial(AverageWeights, count=5, every=200),),
)
GENERATED_TRANSFORMER = replace(
    GENERATED,
    name="translation-generated-transformer",
    title="English → French, generated, with a Transformer",
    settings=replace(GENERATED.settings, steps=3000, learning_rate=3e-3, validate_every=500),
    model=TRANSFORMER
    | {
        "embedding_dim": 96,
        "hidden_dim": 192,
        "encoder_layers": 3,
        "decoder_layers": 2,
        "dropout": 0.1,
    },
)

RECIPES = (MULTI30K, GENERATED, MULTI30K_TRANSFORMER, GENERATED_TRANSFORMER)
