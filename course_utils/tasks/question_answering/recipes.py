"""Recipes for visual question answering: generated scenes with known truth, and easy-VQA."""

from functools import partial

import torch

from course_utils.datasets.easy_vqa import ANSWERS as EASY_ANSWERS
from course_utils.datasets.generated.scene_questions import ANSWERS as SCENE_ANSWERS
from course_utils.models.answerers import Answerer
from course_utils.tasks.question_answering.data import (
    QuestionData,
    easy_vqa_data,
    easy_vqa_pairs,
    scene_data,
    scene_pairs,
)
from course_utils.tasks.question_answering.task import TASK
from course_utils.tasks.recipe import Recipe
from course_utils.training import FitSettings

__all__ = ["EASY_VQA", "RECIPES", "SCENES", "TEST_SCENES", "prepare_encoder"]

TEST_SCENES = 4000


def prepare_encoder(model: Answerer, data: QuestionData) -> None:
    """Keep the convolutions as they are, and tell the places apart clearly.

    Models of visual question answering take their features from a network trained before (Yang et
    al. 2016, section 3.1). Ours are the convolutions of notebook 04; what makes a memory of them
    still learns. The position vectors start as coordinates, column times one random vector plus row
    times another: those of notebook 04 are weak beside the features, since captions need them
    little.
    """
    model.encoder.convolutions.requires_grad_(False)
    places = model.encoder.places
    line = torch.linspace(-1, 1, round(len(places) ** 0.5))
    with torch.no_grad():
        directions = torch.randn(2, places.shape[1], generator=torch.Generator().manual_seed(0))
        places.copy_(torch.cartesian_prod(line, line) @ directions)


SCENES = Recipe(
    name="question_answering-scenes",
    title="Questions about generated scenes, asked things known",
    data=scene_data,
    test=partial(scene_pairs, "test", TEST_SCENES, per_kind=500),
    settings=FitSettings(steps=4000, learning_rate=3e-3, label_smoothing=0.0, validate_every=400),
    task=TASK,
    select="accuracy",
    batch_tokens=256,
    search=None,
    # The sizes of the encoder are those of the checkpoint that it starts from.
    model={
        "labels": SCENE_ANSWERS,
        "hops": 2,
        "width": 192,
        "attention_dim": 64,
        "channels": (24, 48, 96, 96),
    },
    start="captioning-scenes",
    start_encoder_only=True,
    prepare=prepare_encoder,
)
EASY_VQA = Recipe(
    name="question_answering-easy-vqa",
    title="Questions about small pictures, easy-VQA",
    data=easy_vqa_data,
    test=partial(easy_vqa_pairs, "test"),
    settings=FitSettings(steps=3000, learning_rate=3e-3, label_smoothing=0.0, validate_every=300),
    task=TASK,
    select="accuracy",
    batch_tokens=256,
    search=None,
    model={"labels": EASY_ANSWERS, "hops": 1, "attention_dim": 64},
)

RECIPES = (SCENES, EASY_VQA)
