"""Benchmarks of summarization."""

from course_utils.timing import Row, timed_in_turn


def summarization_rows(checkpoint: str = "summarization-aeslc", count: int = 100) -> list[Row]:
    """Subjects per second, written greedily for generated briefings."""
    from course_utils.datasets.generated.briefings import briefings
    from course_utils.paths import checkpoint_names
    from course_utils.tasks.summarization.summarizer import Summarizer

    if checkpoint not in checkpoint_names():
        return [Row("subject lines", "not measured", f"no checkpoint {checkpoint}")]
    texts = [" ".join(briefing.text) for briefing in briefings("valid")[:count]]
    summarizer = Summarizer.load(checkpoint)
    (seconds,) = timed_in_turn(lambda: summarizer.predict(texts), runs=3)
    words = sum(len(text.split()) for text in texts) / len(texts)
    return [
        Row("subject lines", f"{len(texts) / seconds:,.0f} texts/s", f"{words:.0f} words in each")
    ]


ROWS = (summarization_rows,)
