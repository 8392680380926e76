"""Summarisation: a text → its summary, in words of its own or copied. Taught in notebook 07."""

from course_utils.metrics import exact_match
from course_utils.models.builders import build_summarizer
from course_utils.tasks.base import Task
from course_utils.tasks.summarization.measures import rouge1, rouge2, rouge_l
from course_utils.tasks.summarization.summarizer import Summarizer, summary_loss

__all__ = ["TASK"]

TASK = Task(
    name="summarization",
    notebook="07",
    build=build_summarizer,
    size="size",
    predictor=Summarizer,
    metrics={"rouge1": rouge1, "rouge2": rouge2, "rougeL": rouge_l, "exact": exact_match},
    loss=summary_loss,
)
