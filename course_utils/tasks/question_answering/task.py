"""Visual question answering: a picture and a question → an answer. Taught in notebook 09."""

from course_utils.metrics import accuracy
from course_utils.models.answerers import build_answerer
from course_utils.tasks.base import Task
from course_utils.tasks.question_answering.answerer import VisualAnswerer
from course_utils.tasks.question_answering.data import answer_loss

__all__ = ["TASK"]

TASK = Task(
    name="question_answering",
    notebook="09",
    build=build_answerer,
    size="size",
    predictor=VisualAnswerer,
    metrics={"accuracy": accuracy},
    loss=answer_loss,
)
