"""Recipes for speech recognition: strings of recorded digits, and generated commands."""

from course_utils.tasks.recipe import Recipe
from course_utils.tasks.speech.data import (
    any_sound_data,
    command_data,
    command_test,
    digit_data,
    digit_test,
)
from course_utils.tasks.speech.task import TASK
from course_utils.training import FitSettings

__all__ = ["COMMANDS", "DIGITS", "DIGITS_LONG", "RECIPES"]

DIGITS = Recipe(
    name="speech-digits",
    title="Strings of spoken digits, Free Spoken Digit Dataset",
    data=digit_data,
    test=digit_test,
    settings=FitSettings(steps=1500, learning_rate=3e-3, label_smoothing=0.05, validate_every=250),
    task=TASK,
    select="wer",
    batch_tokens=200,
    model={"longest": 5.5},
)
DIGITS_LONG = Recipe(
    name="speech-digits-long",
    title="Strings of spoken digits among other sounds, trained longer",
    data=any_sound_data,
    test=digit_test,
    settings=FitSettings(
        steps=2500, learning_rate=2e-3, label_smoothing=0.05, warm_up=0.05, validate_every=250
    ),
    task=TASK,
    select="wer",
    batch_tokens=200,
    model={"longest": 5.5},
    start="speech-digits",
)
COMMANDS = Recipe(
    name="speech-commands",
    title="Generated commands with known word times, voices unseen in training",
    data=command_data,
    test=command_test,
    settings=FitSettings(
        steps=4500, learning_rate=2e-3, label_smoothing=0.05, warm_up=0.05, validate_every=450
    ),
    task=TASK,
    select="wer",
    batch_tokens=120,
    model={"score": "location", "sample_rate": 16_000, "ctc_weight": 0.1, "longest": 7.0},
    start="speech-digits-long",  # its encoder saves the slow first steps; the words differ
    start_encoder_only=True,
)

RECIPES = (DIGITS, DIGITS_LONG, COMMANDS)
