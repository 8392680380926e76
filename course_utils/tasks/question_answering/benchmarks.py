"""Benchmarks of visual question answering."""

from course_utils.timing import Row, timed_in_turn


def question_answering_rows(
    checkpoint: str = "question_answering-scenes", scenes: int = 200
) -> list[Row]:
    """Questions per second, with several questions about each picture."""
    from course_utils.datasets.generated.scene_questions import questions
    from course_utils.paths import checkpoint_names
    from course_utils.tasks.question_answering.answerer import VisualAnswerer

    if checkpoint not in checkpoint_names():
        return [Row("questions about pictures", "not measured", f"no checkpoint {checkpoint}")]
    asked = [(q.scene.image, q.text) for q in questions("valid", scenes)]
    answerer = VisualAnswerer.load(checkpoint)
    (seconds,) = timed_in_turn(lambda: answerer.predict(asked), runs=3)
    pictures = len({id(picture) for picture, _ in asked})
    return [
        Row(
            "questions about pictures",
            f"{len(asked) / seconds:,.0f} questions/s",
            f"{len(asked) / pictures:.0f} about each scene",
        )
    ]


ROWS = (question_answering_rows,)
