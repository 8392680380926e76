"""Recipes for visual question answering: generated scenes with known truth, and easy-VQA."""

import math
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

__all__ = ["EASY_VQA", "RECIPES", "SCENES", "TEST_SCENES", "TEST_SEED", "prepare_encoder"]

# The scenes that a checkpoint is tested on once; those of seed 0 compare models, in studies and in
# notebook 09.
TEST_SCENES, TEST_SEED = 4000, 1


def prepare_encoder(model: Answerer, data: QuestionData) -> None:
    """Let the position vectors start as waves, so that the places can be told apart.

    Models of visual question answering take their features from a network trained before (Yang et
    al. 2016, section 3.1). Ours are the convolutions of notebook 04; what makes a memory of them
    still learns. The position vectors of notebook 04 are weak beside the features, since captions
    need them little. They are replaced by random mixtures of sines and cosines of row and column,
    with periods of 4, 8 and 16 cells: cells that are near each other have similar vectors.
    """
    places = model.encoder.places
    angles = torch.arange(round(len(places) ** 0.5))[:, None] * math.pi / torch.tensor([2, 4, 8])
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)  # (rows, 6)
    rows, columns = waves.repeat_interleave(len(waves), dim=0), waves.repeat(len(waves), 1)
    with torch.no_grad():
        mixture = torch.randn(12, places.shape[1], generator=torch.Generator().manual_seed(0))
        places.copy_(torch.cat([rows, columns], dim=1) @ mixture / 6**0.5)


SCENES = Recipe(
    name="question_answering-scenes",
    title="Questions about generated scenes, asked things known",
    data=partial(scene_data, taught=True),
    test=partial(scene_pairs, "test", TEST_SCENES, TEST_SEED, per_kind=500),
    settings=FitSettings(steps=2400, learning_rate=3e-3, label_smoothing=0.0, validate_every=400),
    task=TASK,
    select="accuracy",
    batch_tokens=256,
    search=None,
    # The sizes of the encoder are those of the checkpoint that it starts from.
    model={
        "labels": SCENE_ANSWERS,
        "hops": 2,
        "plan": True,
        "separate": True,
        "width": 192,
        "channels": (24, 48, 96, 96),
        "frozen": True,
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
