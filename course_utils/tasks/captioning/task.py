"""Captioning: a picture → a sentence that describes it. Taught in notebook 04."""

from course_utils.metrics import bleu, cider, exact_match
from course_utils.models.builders import build_captioner
from course_utils.tasks.base import Task
from course_utils.tasks.captioning.captioner import Captioner

__all__ = ["TASK"]

TASK = Task(
    name="captioning",
    notebook="04",
    build=build_captioner,
    size="size",
    predictor=Captioner,
    metrics={"bleu": bleu, "exact": exact_match, "cider": cider},
)
