"""Dialogue: what was said before, and what is said now → the reply. Taught in notebook 08."""

from course_utils.metrics import accuracy
from course_utils.models.memory_network import build_memory_network
from course_utils.tasks.base import Task
from course_utils.tasks.dialogue.answerer import Answerer
from course_utils.tasks.dialogue.data import answer_loss

__all__ = ["TASK"]

TASK = Task(
    name="dialogue",
    notebook="08",
    build=build_memory_network,
    size="size",
    predictor=Answerer,
    metrics={"accuracy": accuracy},
    loss=answer_loss,
)
