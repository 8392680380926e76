"""Builders: functions that make a whole model from its settings, one for each kind of input.

A checkpoint's card names its builder and the settings, so the parameters here are a format:
a renamed one makes old checkpoints unreadable.

When a checkpoint is loaded, its builder is first called on the device "meta", so that sizes are
compared before anything is allocated: a builder makes its tensors with PyTorch, and reads none.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from course_utils.models.classifiers import build_text_classifier
from course_utils.models.decoders import (
    AttentionDecoder,
    BahdanauDecoder,
    Decoder,
    FixedVectorDecoder,
)
from course_utils.models.image_encoders import GridEncoder, ImageEncoder, PhotoEncoder
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

DECODERS: dict[str, type[Decoder]] = {
    "attention": AttentionDecoder,
    "bahdanau": BahdanauDecoder,
    "fixed_vector": FixedVectorDecoder,
}


def build_decoder(
    name: str,
    vocabulary_size: int,
    embedding_dim: int,
    memory_dim: int,
    hidden_dim: int,
    dropout: float,
    embedding: nn.Embedding | None = None,
    **settings: Any,
) -> Decoder:
    """A decoder by its name in `DECODERS`. Settings of its attention that are None are left out.

    Raises ValueError for an unknown name, for a setting that the score does not have, and for any
    setting of attention if the decoder has none.
    """
    if name not in DECODERS:
        raise ValueError(f"unknown decoder {name!r}; choose from {', '.join(DECODERS)}")
    given = {setting: value for setting, value in settings.items() if value is not None}
    if given and not issubclass(DECODERS[name], AttentionDecoder):
        raise ValueError(
            f"the decoder {name!r} has no attention, so it takes no {' and no '.join(given)}"
        )
    return DECODERS[name](
        vocabulary_size, embedding_dim, memory_dim, hidden_dim, dropout, embedding, **given
    )


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
    """A translator between two vocabularies, or within a joint one (``target_size`` None).

    With a joint vocabulary, encoder, decoder and output layer share one embedding matrix.

    decoder        "attention", "bahdanau" or "fixed_vector", see `course_utils.models.decoders`
    score          a name that `course_utils.attention.make_score` knows; by default the decoder's
    attention_dim  width of the score's hidden layer, if it has one
    dropout        on embeddings, memory and output layer

    Raises ValueError for unknown names and for settings that decoder or score do not have.
    """
    encoder = TextEncoder(source_size, embedding_dim, memory_dim, dropout, encoder_layers)
    reader = build_decoder(
        decoder,
        source_size if target_size is None else target_size,
        embedding_dim,
        memory_dim,
        hidden_dim,
        dropout,
        encoder.embedding if target_size is None else None,
        score=score,
        attention_dim=attention_dim,
    )
    return Seq2Seq(encoder, reader)


IMAGE_ENCODERS: dict[str, Callable[[int, float, bool], GridEncoder]] = {
    "scenes": ImageEncoder,
    "photos": PhotoEncoder,
}


def build_captioner(
    size: int,
    *,
    pictures: str,
    decoder: str = "attention",
    score: str | None = None,
    embedding_dim: int = 96,
    memory_dim: int = 192,
    hidden_dim: int = 192,
    attention_dim: int | None = None,
    positions: bool = True,
    gate: bool = False,
    dropout: float = 0.1,
    encoder_dropout: float | None = None,
) -> Seq2Seq:
    """A captioner with a vocabulary of ``size`` pieces: an image encoder, and the same decoders.

    pictures         "scenes" (pixels) or "photos" (features)
    positions        False leaves out the position vectors of the grid's cells
    gate             scales the context, see `AttentionDecoder`
    encoder_dropout  on the memory; by default ``dropout``

    With ``decoder="fixed_vector"`` it reads nothing but the pooled vector. The other parameters and
    the errors are those of `build_translator`.
    """
    if pictures not in IMAGE_ENCODERS:
        raise ValueError(f"unknown pictures {pictures!r}; choose from {', '.join(IMAGE_ENCODERS)}")
    drop = dropout if encoder_dropout is None else encoder_dropout
    encoder = IMAGE_ENCODERS[pictures](memory_dim, drop, positions)
    reader = build_decoder(
        decoder,
        size,
        embedding_dim,
        memory_dim,
        hidden_dim,
        dropout,
        score=score,
        attention_dim=attention_dim,
        gate=gate or None,
    )
    return Seq2Seq(encoder, reader)


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
    """A speech recogniser for a vocabulary of ``size`` pieces: only the encoder is different.

    ``sample_rate``, ``mels`` and ``features`` are those of `SpeechEncoder`, ``ctc_weight`` and
    ``longest`` those of `SpeechModel`. The other parameters and the errors are those of
    `build_translator`.
    """
    encoder = SpeechEncoder(memory_dim, mels, sample_rate, features=features, dropout=dropout)
    reader = build_decoder(
        decoder,
        size,
        embedding_dim,
        memory_dim,
        hidden_dim,
        dropout,
        score=score,
        attention_dim=attention_dim,
    )
    return SpeechModel(encoder, reader, size, ctc_weight, longest)


def builder_name(build: Callable[..., nn.Module]) -> str:
    """What a checkpoint's card calls a builder: the function's name without "build_"."""
    return build.__name__.removeprefix("build_")


# The functions that make a model again from the settings in a checkpoint's card.
BUILDERS: dict[str, Callable[..., nn.Module]] = {
    builder_name(build): build
    for build in (build_translator, build_captioner, build_recogniser, build_text_classifier)
}
