"""Classification: a text → its label. Taught in notebook 06."""

from course_utils.metrics import accuracy
from course_utils.models.classifiers import build_text_classifier
from course_utils.tasks.base import Task
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.classification.data import classification_loss

__all__ = ["TASK"]

TASK = Task(
    name="classification",
    notebook="06",
    build=build_text_classifier,
    size="vocab_size",
    predictor=Classifier,
    metrics={"accuracy": accuracy},
    loss=classification_loss,
)
