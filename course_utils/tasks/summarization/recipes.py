"""Recipes for summarisation: e-mails → subject lines, and generated briefings."""

from dataclasses import replace
from functools import partial

import torch

from course_utils.models.seq2seq import Seq2Seq
from course_utils.models.word_vectors import word_vectors
from course_utils.tasks.recipe import Recipe
from course_utils.tasks.summarization.data import (
    EMAIL_WORDS,
    SummarizationData,
    aeslc_data,
    aeslc_test,
    generated_briefings,
    generated_pairs,
)
from course_utils.tasks.summarization.task import TASK
from course_utils.training import FitSettings

__all__ = ["AESLC", "ATTENTION", "GENERATED", "RECIPES"]


def start_from_neighbours(model: Seq2Seq, data: SummarizationData) -> None:
    """Initialise the embeddings with word vectors of the training texts (see `word_vectors`)."""
    texts = data.vocabulary.encode_all([text for text, _ in data.train])
    embedding = model.encoder.embedding
    vectors = word_vectors(texts, len(data.vocabulary), embedding.embedding_dim)
    with torch.no_grad():
        found = vectors.any(dim=1)
        embedding.weight[found] = vectors[found].to(embedding.weight)


AESLC = Recipe(
    name="summarization-aeslc",
    title="E-mails → subject lines, AESLC",
    data=aeslc_data,
    test=aeslc_test,
    settings=FitSettings(steps=3500, learning_rate=2e-3, label_smoothing=0.0, validate_every=500),
    task=TASK,
    select="rouge1",
    metrics=("rouge1", "rouge2", "rougeL"),
    batch_tokens=2500,
    model={"score": "coverage", "attention_dim": 128, "dropout": 0.4, "longest": EMAIL_WORDS},
    prepare=start_from_neighbours,
)
GENERATED = Recipe(
    name="summarization-generated",
    title="Briefings → summaries, generated, with a pointer",
    data=generated_briefings,
    test=partial(generated_pairs, "test"),
    settings=FitSettings(steps=600, learning_rate=5e-3, label_smoothing=0.0, validate_every=200),
    task=TASK,
    select="rouge2",  # attention alone gets no summary exactly right
    metrics=("rouge2", "exact"),
    batch_tokens=1000,
    model={
        "embedding_dim": 48,
        "memory_dim": 96,
        "hidden_dim": 96,
        "attention_dim": 48,
        "dropout": 0.1,
    },
)
ATTENTION = replace(
    GENERATED,
    name="summarization-attention",
    title="Briefings → summaries, generated, with attention alone",
    settings=replace(GENERATED.settings, steps=1200),  # it learns more slowly
    model=GENERATED.model | {"copies": False},
)

RECIPES = (AESLC, GENERATED, ATTENTION)
