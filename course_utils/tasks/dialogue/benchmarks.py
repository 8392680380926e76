"""Benchmarks of dialogue."""

from course_utils.timing import Row, timed_in_turn


def dialogue_rows(checkpoint: str = "dialogue-chat", count: int = 100) -> list[Row]:
    """Replies per second to all turns of generated dialogues, each with the turns before it."""
    from course_utils.datasets.generated.dialogues import dialogues
    from course_utils.paths import checkpoint_names
    from course_utils.tasks.dialogue.answerer import Answerer
    from course_utils.tasks.dialogue.data import Turn

    if checkpoint not in checkpoint_names():
        return [Row("replies in dialogues", "not measured", f"no checkpoint {checkpoint}")]
    turns = [Turn(t.history, t.said) for given in dialogues("valid", count) for t in given]
    answerer = Answerer.load(checkpoint)
    (seconds,) = timed_in_turn(lambda: answerer.predict(turns), runs=3)
    earlier = sum(len(turn.history) for turn in turns) / len(turns)
    return [
        Row(
            "replies in dialogues",
            f"{len(turns) / seconds:,.0f} replies/s",
            f"{earlier:.0f} turns before each",
        )
    ]


ROWS = (dialogue_rows,)
