"""Recipes for classification: real film reviews, and generated reviews with known reasons."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch

from course_utils.callbacks import AverageWithStart
from course_utils.models.classifiers import TextClassifier
from course_utils.models.word_vectors import word_vectors
from course_utils.tasks.classification.contrast_data import imdb_contrast_data
from course_utils.tasks.classification.data import (
    SENTIMENT,
    ClassificationData,
    eraser_data,
    eraser_test,
    generated_pairs,
    generated_reviews,
    imdb_data,
    imdb_test,
    sentence_end,
)
from course_utils.tasks.classification.task import TASK
from course_utils.tasks.recipe import Recipe
from course_utils.training import FitSettings

__all__ = [
    "CONTRASTS",
    "ERASER",
    "GENERATED",
    "IMDB",
    "LONG",
    "QUESTIONS",
    "RECIPES",
    "keep_words",
    "start_from_neighbours",
]


def _generated(
    name: str, title: str, style: str, steps: int, batch_tokens: int = 2000, **model: Any
) -> Recipe:
    """A recipe for generated reviews; ``model`` are further settings of the builder."""
    return Recipe(
        name=name,
        title=title,
        data=partial(generated_reviews, style),
        test=partial(generated_pairs, "test", "mixed" if style == "aspects" else style),
        settings=FitSettings(
            steps=steps, learning_rate=0.01, label_smoothing=0.0, validate_every=100
        ),
        task=TASK,
        select="accuracy",
        batch_tokens=batch_tokens,
        search=None,
        model={"labels": SENTIMENT, "embed_dim": 32, "hidden_dim": 32, "dropout": 0.1} | model,
    )


def start_from_neighbours(model: TextClassifier, data: ClassificationData) -> None:
    """Initialise the embeddings with word vectors of the training texts (see `word_vectors`)."""
    texts = data.vocabulary.encode_all([text for text, _ in data.train])
    vectors = word_vectors(texts, len(data.vocabulary), model.embedding.embedding_dim)
    with torch.no_grad():
        model.embedding.weight.copy_(vectors)


def keep_words(model: TextClassifier, data: ClassificationData) -> None:
    """Freeze the vectors of words and pairs: a word keeps the meaning that reviews gave it.

    The generated texts know few words. If theirs moved, others would be left behind.
    """
    model.embedding.requires_grad_(False)
    if model.pairs is not None:
        model.pairs.requires_grad_(False)


GENERATED = _generated("classification-generated", "Generated reviews, reasons known", "short", 300)
QUESTIONS = _generated(
    "classification-questions",
    "Questions about generated reviews",
    "aspects",
    600,
    kind="question",
)
LONG = _generated(
    "classification-long",
    "Long generated reviews, sentence by sentence",
    "long",
    1500,
    4000,
    kind="hierarchical",
    sentence_end=sentence_end,
)
IMDB = Recipe(
    name="classification-imdb",
    title="Film reviews, negative or positive, IMDB",
    data=partial(imdb_data, longest=400),
    test=imdb_test,
    settings=FitSettings(steps=800, label_smoothing=0.0, validate_every=200),
    task=TASK,
    select="accuracy",
    batch_tokens=8192,
    search=None,
    model={
        "labels": SENTIMENT,
        "longest": 400,
        "hidden_dim": 128,
        "pairs": 65_536,
        "pair_dim": 32,
        "dropout": 0.5,
        "pair_dropout": 0.7,
        "word_dropout": 0.1,
    },
    prepare=start_from_neighbours,
)
CONTRASTS = replace(
    IMDB,
    name="classification-imdb-contrasts",
    title="Film reviews and generated contrast pairs, from the IMDB checkpoint",
    data=imdb_contrast_data,
    # One validation: IMDB alone might choose weights that have not learnt yet what a negation is.
    settings=FitSettings(steps=1600, learning_rate=2e-3, label_smoothing=0.0, validate_every=1600),
    batch_tokens=4096,
    start=IMDB.name,
    prepare=keep_words,
    model=IMDB.model | {"dropout": 0.2, "pair_dropout": 0.3, "word_dropout": 0.0},
    callbacks=(partial(AverageWithStart, count=5, every=30, share=0.1),),
)
ERASER = Recipe(
    name="classification-eraser",
    title="Film reviews with people's marks, ERASER",
    data=eraser_data,
    test=eraser_test,
    settings=FitSettings(steps=400, label_smoothing=0.0, validate_every=100),
    task=TASK,
    select="accuracy",
    batch_tokens=8192,
    search=None,
    model={"labels": SENTIMENT, "longest": 512, "dropout": 0.5, "word_dropout": 0.3},
    prepare=start_from_neighbours,
)

RECIPES = (GENERATED, QUESTIONS, LONG, IMDB, CONTRASTS, ERASER)
