"""Language modelling: the probability of each next word of a text. Taught in notebook 10."""

from course_utils.models.builders import build_language_model
from course_utils.tasks.base import Task
from course_utils.tasks.language_modelling.writer import Writer, language_model_loss

__all__ = ["TASK"]

TASK = Task(
    name="language_modelling",
    notebook="10",
    build=build_language_model,
    size="size",
    predictor=Writer,
    metrics={},
    measured=("perplexity", "perplexity-word"),
    lower_is_better=("perplexity", "perplexity-word"),
    loss=language_model_loss,
)
