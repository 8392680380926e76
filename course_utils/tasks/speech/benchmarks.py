"""Benchmarks of speech recognition."""

from course_utils.timing import Row, timed_in_turn


def listening_rows(checkpoint: str = "speech-commands") -> list[Row]:
    """Seconds of sound that the shipped recogniser transcribes per second, by attention and CTC."""
    from course_utils.datasets.generated.spoken_commands import RATE, spoken_commands
    from course_utils.paths import checkpoint_names
    from course_utils.tasks.speech.recogniser import Recogniser

    if checkpoint not in checkpoint_names():
        return [Row("listening", "not measured", f"no checkpoint {checkpoint}")]
    sounds = spoken_commands("sample")
    length = sum(map(len, sounds)) / RATE
    attention = Recogniser.load(checkpoint)
    ctc = Recogniser(attention.model, attention.vocabulary, by="ctc")
    seconds = timed_in_turn(lambda: attention.predict(sounds), lambda: ctc.predict(sounds), runs=3)
    return [
        Row(f"listening, {by}", f"{length / taken:,.0f} × real time", f"checkpoint {checkpoint}")
        for by, taken in zip(("attention", "CTC"), seconds, strict=True)
    ]


ROWS = (listening_rows,)
