"""Recipes of the recognisers: strings of recorded digits, and generated commands."""

import random

import torch
from torch import Tensor

from course_utils.audio import Augmentation, FrontEnd
from course_utils.metrics import cer, exact_match, wer
from course_utils.recipes.framework import Recipe, Task, public_card
from course_utils.tasks import Pair
from course_utils.training import FitSettings, joint_loss
from course_utils.transcription import Recogniser, SpeechData
from course_utils.vocabulary import Vocabulary

__all__ = ["AUGMENTATION", "RECIPES", "SPEECH", "digit_data", "silences"]

SPEECH = Task(
    "recogniser",
    "size",
    Recogniser,
    {"wer": wer, "cer": cer, "exact": exact_match},
    errors=("wer", "cer"),
    loss=joint_loss,
)
AUGMENTATION = Augmentation(
    speed=0.12, pitch=0.15, noise=0.5, edges=0.3, tilt=2.0, bands=6, moments=15
)


def silences(count: int, sample_rate: int, seed: int = 0) -> list[tuple[Tensor, str]]:
    """Sounds of 0.3 to 3 s in which nobody speaks, from very faint to loud noise; text ""."""
    generator, choose = torch.Generator().manual_seed(seed), random.Random(seed)
    found = []
    for _ in range(count):
        length = round(choose.uniform(0.3, 3.0) * sample_rate)
        level = 10 ** choose.uniform(-4, -1)
        found.append((level * torch.randn(length, generator=generator), ""))
    return found


def digit_data(
    strings: int = 12_000,
    speakers: tuple[str, ...] | None = None,
    augmentation: Augmentation = AUGMENTATION,
) -> SpeechData:
    """Strings of 1 to 6 digits, one in fifty a silence; 300 strings of 2 to 6 to validate."""
    from course_utils.datasets.spoken_digits import SPEAKERS, WORDS, digit_strings

    speakers = SPEAKERS if speakers is None else speakers
    train = [(s, s.text) for s in digit_strings("train", strings, 0, speakers, digits=(1, 6))]
    train += silences(strings // 50, 8000)
    valid = [(s, s.text) for s in digit_strings("valid", 300, 0, speakers)]
    return SpeechData(
        train,
        valid,
        Vocabulary.words(WORDS),
        cards=[public_card("spoken_digits")],
        front_end=FrontEnd(sample_rate=8000),
        augmentation=augmentation,
    )


def digit_test() -> list[Pair]:
    """The 500 test strings; used once a training."""
    from course_utils.datasets.spoken_digits import digit_strings

    return [(s, s.text) for s in digit_strings("test", 500, seed=0)]


RECIPES = (
    Recipe(
        name="speech-digits",
        title="Strings of spoken digits, Free Spoken Digit Dataset",
        data=digit_data,
        test=digit_test,
        settings=FitSettings(
            steps=1500, learning_rate=3e-3, label_smoothing=0.05, validate_every=250
        ),
        task=SPEECH,
        select="wer",
        batch_tokens=200,
    ),
)
