"""Speech recognition: a sound → the words spoken in it. Taught in notebook 05."""

from course_utils.metrics import cer, exact_match, wer
from course_utils.models.builders import build_recogniser
from course_utils.tasks.base import Task
from course_utils.tasks.speech.ctc import joint_loss
from course_utils.tasks.speech.recogniser import Recogniser

__all__ = ["TASK"]

TASK = Task(
    name="speech",
    notebook="05",
    build=build_recogniser,
    size="size",
    predictor=Recogniser,
    metrics={"wer": wer, "cer": cer, "exact": exact_match},
    lower_is_better=("wer", "cer"),
    loss=joint_loss,
)
