"""Benchmarks of language modelling."""

from course_utils.timing import Row, timed_in_turn


def writing_rows(checkpoint: str = "language_modelling-multi30k", texts: int = 256) -> list[Row]:
    """Texts per second that are drawn, and that are read for their perplexity."""
    from course_utils.paths import checkpoint_names
    from course_utils.tasks.language_modelling.writer import Writer

    if checkpoint not in checkpoint_names():
        return [Row("drawing texts", "not measured", f"no checkpoint {checkpoint}")]
    writer = Writer.load(checkpoint)
    written = writer.write([""] * texts, seed=0)
    draw, read = timed_in_turn(
        lambda: writer.write([""] * texts, seed=0), lambda: writer.log_probs(written), runs=3
    )
    note = f"checkpoint {checkpoint}"
    return [
        Row("drawing texts", f"{texts / draw:,.0f} texts/s", note),
        Row("reading texts", f"{texts / read:,.0f} texts/s", note),
    ]


ROWS = (writing_rows,)
