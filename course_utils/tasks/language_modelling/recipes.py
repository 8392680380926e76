"""Recipes for language modelling."""

from dataclasses import replace
from functools import partial

from course_utils.tasks.language_modelling.data import (
    captions,
    captions_data,
    repeats_data,
    repeats_pairs,
    sentences_data,
    sentences_pairs,
)
from course_utils.tasks.language_modelling.heads import WatchHeads
from course_utils.tasks.language_modelling.task import TASK
from course_utils.tasks.recipe import Recipe
from course_utils.training import FitSettings

__all__ = ["CAPTIONS", "RECIPES", "REPEATS", "SENTENCES"]

CAPTIONS = Recipe(
    name="language_modelling-multi30k",
    title="English captions, Multi30k",
    data=captions_data,
    test=partial(captions, "test"),
    settings=FitSettings(steps=4000, learning_rate=2e-3, label_smoothing=0.0, validate_every=500),
    task=TASK,
    select="perplexity",
    batch_tokens=2000,
    model={
        "embedding_dim": 192,
        "hidden_dim": 512,
        "layers": 4,
        "heads": 4,
        "dropout": 0.3,
        "inner_dropout": 0.0,
    },
    search=None,
)
SENTENCES = replace(
    CAPTIONS,
    name="language_modelling-generated",
    title="English sentences, generated",
    data=sentences_data,
    test=partial(sentences_pairs, "test"),
    settings=replace(CAPTIONS.settings, steps=1500, learning_rate=3e-3, validate_every=250),
    batch_tokens=1000,
    model={"embedding_dim": 96, "hidden_dim": 192, "layers": 2, "heads": 8, "dropout": 0.1},
)
REPEATS = replace(
    CAPTIONS,
    name="language_modelling-repeats",
    title="Random words with a stretch that occurs three times",
    data=repeats_data,
    test=partial(repeats_pairs, "test"),
    settings=replace(CAPTIONS.settings, steps=2000, learning_rate=3e-3, validate_every=50),
    batch_tokens=800,
    model={
        "embedding_dim": 64,
        "hidden_dim": 128,
        "layers": 2,
        "heads": 4,
        "positions": "rotary",
        "dropout": 0.0,
    },
    callbacks=(WatchHeads,),
)

RECIPES = (CAPTIONS, SENTENCES, REPEATS)
