"""Builders: functions that make a whole model from its settings, one for each kind of input."""

from collections.abc import Callable

from torch import nn

from course_utils.models.classifiers import build_text_classifier
from course_utils.models.decoders import (
    AttentionDecoder,
    BahdanauDecoder,
    FixedVectorDecoder,
)
from course_utils.models.image_encoders import ImageEncoder, PhotoEncoder
from course_utils.models.seq2seq import Seq2Seq, SpeechModel
from course_utils.models.speech_encoder import SpeechEncoder
from course_utils.models.text_encoder import TextEncoder

__all__ = [
    "BUILDERS",
    "DECODERS",
    "build_captioner",
    "build_recogniser",
    "build_text_classifier",
    "build_translator",
    "builder_name",
]

DECODERS = {
    "attention": AttentionDecoder,
    "bahdanau": BahdanauDecoder,
    "fixed_vector": FixedVectorDecoder,
}


def build_translator(
    source_size: int,
    target_size: int | None = None,
    *,
    decoder: str = "attention",
    score: str | None = None,
    embedding_dim: int = 128,
    memory_dim: int = 256,
    hidden_dim: int = 256,
    attention_dim: int | None = None,
    encoder_layers: int = 1,
    dropout: float = 0.3,
) -> Seq2Seq:
    """A translator between two vocabularies, or inside a joint one (``target_size`` None).

    With a joint vocabulary encoder, decoder and output layer share one embedding matrix.
    ``decoder`` is "attention", "bahdanau" or "fixed_vector"; ``score`` names one of
    `course_utils.attention.SCORES`, by default the decoder's own.
    """
    if decoder not in DECODERS:
        raise ValueError(f"unknown decoder {decoder!r}; choose from {', '.join(DECODERS)}")
    if score is not None and decoder == "fixed_vector":
        raise ValueError("a fixed-vector decoder has no attention, so it takes no score")
    encoder = TextEncoder(source_size, embedding_dim, memory_dim, dropout, encoder_layers)
    settings = {"score": score} if score is not None else {}
    if attention_dim is not None:
        additive = score in ("additive", "location") or (score is None and decoder == "bahdanau")
        if not additive:
            raise ValueError(
                f"attention_dim is the hidden layer of the additive score, but decoder={decoder!r} "
                f"with score={score!r} has none"
            )
        settings["attention_dim"] = attention_dim
    return Seq2Seq(
        encoder,
        DECODERS[decoder](
            source_size if target_size is None else target_size,
            embedding_dim,
            memory_dim,
            hidden_dim,
            dropout,
            embedding=encoder.embedding if target_size is None else None,
            **settings,
        ),
    )


IMAGE_ENCODERS = {"scenes": ImageEncoder, "photos": PhotoEncoder}


def build_captioner(
    size: int,
    *,
    pictures: str,
    decoder: str = "attention",
    score: str | None = None,
    embedding_dim: int = 96,
    memory_dim: int = 192,
    hidden_dim: int = 192,
    positions: bool = True,
    gate: bool = False,
    dropout: float = 0.1,
    encoder_dropout: float | None = None,
) -> Seq2Seq:
    """A captioner with a vocabulary of ``size`` pieces: an image encoder, and the same decoders.

    ``pictures`` is "scenes" (pixels) or "photos" (features). With ``decoder="fixed_vector"`` it
    reads the pooled vector alone; ``positions=False`` leaves the places' coordinates out.
    """
    for name, value, known in (
        ("pictures", pictures, IMAGE_ENCODERS),
        ("decoder", decoder, DECODERS),
    ):
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}; choose from {', '.join(known)}")
    if decoder == "fixed_vector" and (score is not None or gate):
        raise ValueError("a fixed-vector decoder has no attention, so it takes no score or gate")
    drop = dropout if encoder_dropout is None else encoder_dropout
    encoder = IMAGE_ENCODERS[pictures](memory_dim, drop, positions)
    settings = ({"score": score} if score is not None else {}) | ({"gate": True} if gate else {})
    return Seq2Seq(
        encoder,
        DECODERS[decoder](size, embedding_dim, memory_dim, hidden_dim, dropout, **settings),
    )


def build_recogniser(
    size: int,
    *,
    decoder: str = "bahdanau",
    score: str | None = None,
    sample_rate: int = 8000,
    mels: int = 40,
    features: int = 160,
    embedding_dim: int = 64,
    memory_dim: int = 256,
    hidden_dim: int = 160,
    attention_dim: int | None = None,
    dropout: float = 0.2,
    ctc_weight: float = 0.3,
    longest: float = 8.0,
) -> SpeechModel:
    """A speech recogniser for a vocabulary of ``size`` pieces: only the encoder is another one."""
    if decoder not in DECODERS:
        raise ValueError(f"unknown decoder {decoder!r}; choose from {', '.join(DECODERS)}")
    if decoder == "fixed_vector" and (score is not None or attention_dim is not None):
        raise ValueError("a fixed-vector decoder has no attention, so it takes no score")
    encoder = SpeechEncoder(memory_dim, mels, sample_rate, features=features, dropout=dropout)
    settings = {"score": score, "attention_dim": attention_dim}
    reader = DECODERS[decoder](
        size,
        embedding_dim,
        memory_dim,
        hidden_dim,
        dropout,
        **{name: value for name, value in settings.items() if value is not None},
    )
    return SpeechModel(encoder, reader, size, ctc_weight, longest)


def builder_name(build: Callable[..., nn.Module]) -> str:
    """What a checkpoint's card calls a builder: the function's name without "build_"."""
    return build.__name__.removeprefix("build_")


# What a checkpoint's card names: functions that make the model again from its settings.
BUILDERS: dict[str, Callable[..., nn.Module]] = {
    builder_name(build): build
    for build in (build_translator, build_captioner, build_recogniser, build_text_classifier)
}
