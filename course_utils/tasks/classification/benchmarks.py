"""Benchmarks of classification."""

import torch
from torch import nn

from course_utils.timing import Row, timed_in_turn

REVIEW = "The story takes its time, but the two leads are so good that the hour flies by."


def classification_rows(B: int = 32, T: int = 256, E: int = 100, H: int = 64) -> list[Row]:
    """A bidirectional LSTM that ignores padding, in two implementations, and reviews per second.

    B texts of up to T tokens with E features, H units per direction. Padding is ignored either by
    packing the sequences (PyTorch) or by reversing each text within its own length (ours).
    """
    from course_utils.paths import checkpoint_names
    from course_utils.recurrence import read_both_ways
    from course_utils.tasks.classification.classifier import Classifier

    generator = torch.Generator().manual_seed(0)
    embedded = torch.randn(B, T, E, generator=generator)
    lengths = torch.randint(T // 2, T + 1, (B,), generator=generator)
    lstm = nn.LSTM(E, H, batch_first=True, bidirectional=True)

    def packed() -> None:
        inside = nn.utils.rnn.pack_padded_sequence(
            embedded, lengths, batch_first=True, enforce_sorted=False
        )
        outputs, _ = nn.utils.rnn.pad_packed_sequence(lstm(inside)[0], batch_first=True)
        outputs.sum().backward()

    def turned() -> None:
        read_both_ways(lstm, embedded, lengths).sum().backward()

    ours, theirs = timed_in_turn(turned, packed, runs=3)
    rows = [
        Row(
            "two-way LSTM over padded texts",
            f"{1000 * ours:.0f} ms",
            f"{ours / theirs:.2f} × pack_padded_sequence ({1000 * theirs:.0f} ms)",
        )
    ]
    checkpoint = "classification-imdb"
    if checkpoint not in checkpoint_names():
        return [*rows, Row("classification", "not measured", f"no checkpoint {checkpoint}")]
    classifier, text = Classifier.load(checkpoint), " ".join(REVIEW.split() * 10)
    (seconds,) = timed_in_turn(lambda: classifier.predict([text] * 64), runs=3)
    words = len(classifier.vocabulary.encode(text))
    return [
        *rows,
        Row("classification", f"{64 / seconds:,.0f} reviews/s", f"{words} words each"),
    ]


ROWS = (classification_rows,)
