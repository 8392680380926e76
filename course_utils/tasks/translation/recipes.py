"""Recipes for translation: real captions, and generated sentences with known alignments."""

from functools import partial

from course_utils.tasks.recipe import Recipe
from course_utils.tasks.translation.data import (
    generated_pairs,
    generated_translation,
    multi30k_data,
    multi30k_test,
)
from course_utils.tasks.translation.task import TASK
from course_utils.training import FitSettings

__all__ = ["GENERATED", "MULTI30K", "RECIPES"]

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

RECIPES = (MULTI30K, GENERATED)
