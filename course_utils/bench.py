"""Bench: what this machine does with the course: ``python -m course_utils bench`` prints one table.

Each row is a median over several runs. The machine may be busy with other things: compare the
rows of one table, in which the two sides of a ratio are timed in turn, not tables of two days.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.attention import (
    Attention,
    MultiHeadAttention,
    length_mask,
    make_score,
    to_key_padding_mask,
    to_sdpa_mask,
)

__all__ = ["Row", "attention_rows", "bench", "table", "timed_in_turn"]

SENTENCES = [
    "Zwei junge Männer spielen Fußball auf einer Wiese.",
    "Eine Frau in einem roten Kleid liest ein Buch im Park.",
    "Ein brauner Hund läuft mit einem Stock im Maul durch den Schnee.",
    "Mehrere Leute warten vor einem Geschäft auf den Bus.",
]

REVIEW = "The story takes its time, but the two leads are so good that the hour flies by."


@dataclass(frozen=True)
class Row:
    """What was measured, its value, and what it is compared with."""

    what: str
    value: str
    beside: str = ""


def timed_in_turn(*functions: Callable[[], object], runs: int = 7) -> list[float]:
    """Median seconds of each function; they take turns, so that drift hits all alike."""
    seconds: list[list[float]] = [[] for _ in functions]
    for run in range(runs + 1):  # the first round warms up
        for function, taken in zip(functions, seconds, strict=True):
            started = time.perf_counter()
            function()
            if run:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def attention_rows(B: int = 32, Tq: int = 24, Tk: int = 30, D: int = 256, H: int = 8) -> list[Row]:
    """Forward and backward of our layers against PyTorch's, same shapes, same mask."""
    generator = torch.Generator().manual_seed(0)

    def inputs(length: int) -> torch.Tensor:
        return torch.randn(B, length, D, generator=generator, requires_grad=True)

    query, keys, values = inputs(Tq), inputs(Tk), inputs(Tk)
    mask = length_mask(torch.randint(Tk // 2, Tk + 1, (B,), generator=generator), Tk)
    theirs = nn.MultiheadAttention(D, H, batch_first=True)
    ours = MultiHeadAttention.from_torch(theirs)

    def backward(output: torch.Tensor) -> None:
        output.sum().backward()

    def sdpa() -> None:
        heads = (tensor[:, None] for tensor in (query, keys, values))
        backward(F.scaled_dot_product_attention(*heads, attn_mask=to_sdpa_mask(mask)))

    def single(name: str) -> Callable[[], None]:
        attention = Attention(make_score(name, D, D))
        return lambda: backward(attention(query, keys, values, attend_mask=mask)[0])

    def multi() -> None:
        backward(ours(query, keys, values, attend_mask=mask)[0])

    def multi_torch() -> None:
        padding = to_key_padding_mask(mask)
        backward(theirs(query, keys, values, key_padding_mask=padding)[0])

    names = ("dot", "scaled_dot", "general", "additive")
    *scores, builtin = timed_in_turn(*(single(name) for name in names), sdpa)
    rows = [
        Row(
            f"attention, {name.replace('_', ' ')} score",
            f"{1000 * seconds:.2f} ms",
            f"{seconds / builtin:.2f} × F.scaled_dot_product_attention ({1000 * builtin:.2f} ms)",
        )
        for name, seconds in zip(names, scores, strict=True)
    ]
    mine, builtin = timed_in_turn(multi, multi_torch)
    rows.append(
        Row(
            f"multi-head attention, {H} heads",
            f"{1000 * mine:.2f} ms",
            f"{mine / builtin:.2f} × nn.MultiheadAttention ({1000 * builtin:.2f} ms)",
        )
    )
    return rows


def training_rows(batches: int = 8) -> list[Row]:
    """Target tokens a second of `train_step`, on the generated corpus, for the three decoders."""
    from course_utils.models import build_translator
    from course_utils.recipes import RECIPES
    from course_utils.training import train_step

    recipe = RECIPES["translation-generated"]
    data = recipe.data()
    stream = data.batches(recipe.batch_tokens).forever()
    chosen = [next(stream) for _ in range(batches)]
    tokens = sum(batch.target_tokens for batch in chosen)

    def epoch(decoder: str) -> Callable[[], None]:
        torch.manual_seed(0)
        model = build_translator(len(data.vocabulary), decoder=decoder, **recipe.model)
        optimizer = torch.optim.AdamW(model.parameters())

        def run() -> None:
            for batch in chosen:
                train_step(model, batch, optimizer, label_smoothing=0.1)

        return run

    names = ("attention", "bahdanau", "fixed_vector")
    seconds = timed_in_turn(*(epoch(name) for name in names), runs=3)
    return [
        Row(f"training, {name.replace('_', ' ')} decoder", f"{tokens / taken:,.0f} target tokens/s")
        for name, taken in zip(names, seconds, strict=True)
    ]


def decoding_rows(checkpoint: str = "translation-multi30k", sentences: int = 256) -> list[Row]:
    """Sentences a second of the shipped translator, greedy and with a beam of 5."""
    from course_utils.checkpoints import checkpoint_names
    from course_utils.translation import Translator

    if checkpoint not in checkpoint_names():
        return [Row("decoding", "not measured", f"no checkpoint {checkpoint}")]
    translator = Translator.load(checkpoint)
    texts = (SENTENCES * sentences)[:sentences]
    greedy, beam = timed_in_turn(
        lambda: translator.texts(texts), lambda: translator.texts(texts, beam=5), runs=3
    )
    return [
        Row(
            "decoding, greedy", f"{sentences / greedy:,.0f} sentences/s", f"checkpoint {checkpoint}"
        ),
        Row("decoding, beam 5", f"{sentences / beam:,.0f} sentences/s", f"checkpoint {checkpoint}"),
    ]


def captioning_rows(checkpoint: str = "captioning-flickr8k", photos: int = 32) -> list[Row]:
    """Photos a second: features of squashed photos, and captions with a beam of 3."""
    import numpy as np

    from course_utils.captioning import Captioner
    from course_utils.checkpoints import checkpoint_names
    from course_utils.photos import SIDE, photo_features

    pictures = np.random.default_rng(0).integers(0, 256, (photos, SIDE, SIDE, 3), dtype=np.uint8)
    (seconds,) = timed_in_turn(lambda: photo_features(list(pictures)), runs=3)
    rows = [Row("features of photos", f"{photos / seconds:,.0f} photos/s", "EfficientNet-lite0")]
    if checkpoint not in checkpoint_names():
        return [*rows, Row("captions", "not measured", f"no checkpoint {checkpoint}")]
    captioner, features = Captioner.load(checkpoint), photo_features(list(pictures))
    (seconds,) = timed_in_turn(lambda: captioner.texts(features, beam=3), runs=3)
    rate = f"{photos / seconds:,.0f} photos/s"
    return [*rows, Row("captions, beam 3", rate, f"checkpoint {checkpoint}")]


def listening_rows(checkpoint: str = "speech-commands") -> list[Row]:
    """Seconds of sound a second that the shipped recogniser hears, by attention and by CTC."""
    from course_utils.checkpoints import checkpoint_names
    from course_utils.datasets.spoken_commands import RATE, spoken_commands
    from course_utils.transcription import Recogniser

    if checkpoint not in checkpoint_names():
        return [Row("listening", "not measured", f"no checkpoint {checkpoint}")]
    sounds = spoken_commands("sample")
    length = sum(map(len, sounds)) / RATE
    attention = Recogniser.load(checkpoint)
    ctc = Recogniser(attention.model, attention.vocabulary, by="ctc")
    seconds = timed_in_turn(lambda: attention.texts(sounds), lambda: ctc.texts(sounds), runs=3)
    return [
        Row(f"listening, {by}", f"{length / taken:,.0f} × real time", f"checkpoint {checkpoint}")
        for by, taken in zip(("attention", "CTC"), seconds, strict=True)
    ]


def classification_rows(B: int = 32, T: int = 256, E: int = 100, H: int = 64) -> list[Row]:
    """A bidirectional LSTM that never reads padding: packed, and turned round within each text."""
    from course_utils.checkpoints import checkpoint_names
    from course_utils.classification import Classifier
    from course_utils.recurrence import read_both_ways

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
    (seconds,) = timed_in_turn(lambda: classifier.texts([text] * 64), runs=3)
    words = len(classifier.vocabulary.encode(text))
    return [
        *rows,
        Row("classification", f"{64 / seconds:,.0f} reviews/s", f"{words} words each"),
    ]


def import_rows() -> list[Row]:
    """Seconds that a fresh Python needs to import the package."""

    def imports(module: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    package, models, torch_alone = timed_in_turn(
        imports("course_utils"), imports("course_utils.models"), imports("torch"), runs=3
    )
    return [
        Row("import course_utils", f"{package:.2f} s", "a fresh Python, its own start included"),
        Row(
            "import course_utils.models",
            f"{models:.2f} s",
            f"import torch alone: {torch_alone:.2f} s",
        ),
    ]


def table(rows: list[Row]) -> str:
    """The rows as text, columns aligned."""
    widths = [max(len(row.what) for row in rows), max(len(row.value) for row in rows)]
    return "\n".join(
        f"{row.what:{widths[0]}}   {row.value:>{widths[1]}}   {row.beside}".rstrip() for row in rows
    )


def bench() -> str:
    """The whole table."""
    rows = attention_rows() + training_rows() + decoding_rows()
    rows += captioning_rows() + listening_rows() + classification_rows() + import_rows()
    return table(rows)
