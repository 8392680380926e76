"""Translation: a text → the same text in another language. Taught in notebook 03."""

from course_utils.metrics import bleu, chrf, exact_match
from course_utils.models.builders import build_translator
from course_utils.tasks.base import Task
from course_utils.tasks.translation.translator import Translator

__all__ = ["TASK"]

TASK = Task(
    name="translation",
    notebook="03",
    build=build_translator,
    size="source_size",
    predictor=Translator,
    metrics={"bleu": bleu, "chrf": chrf, "exact": exact_match},
)
