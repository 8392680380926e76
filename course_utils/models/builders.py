"""Builders: functions that make a whole model from its settings, one for each kind of input.

A checkpoint's card names its builder and the settings, so the parameters here are a format:
a renamed one makes old checkpoints unreadable.

When a checkpoint is loaded, its builder is first called on the device "meta", so that sizes are
compared before anything is allocated: a builder makes its tensors with PyTorch, and reads none.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from torch import nn

from course_utils.models.classifiers import build_text_classifier
from course_utils.models.decoders import (
    AttentionDecoder,
    BahdanauDecoder,
    Decoder,
    FixedVectorDecoder,
)
from course_utils.models.image_encoders import (
    GridEncoder,
    ImageEncoder,
    PhotoEncoder,
    VisionTransformer,
)
from course_utils.models.photo_features import FINE_CHANNELS, FINE_GRID
from course_utils.models.pointer import build_summarizer
from course_utils.models.seq2seq import Seq2Seq, SpeechModel
from course_utils.models.speech_encoder import SpeechEncoder
from course_utils.models.text_encoder import TextEncoder, TokenEncoder
from course_utils.models.transformer import (
    TransformerDecoder,
    TransformerEncoder,
    TransformerStack,
)
from course_utils.models.weighings import WEIGHINGS

__all__ = [
    "BUILDERS",
    "DECODERS",
    "build_captioner",
    "build_language_model",
    "build_recogniser",
    "build_summarizer",
    "build_text_classifier",
    "build_translator",
    "builder_name",
]

DECODERS: dict[str, type[Decoder] | type[TransformerDecoder]] = {
    "attention": AttentionDecoder,
    "bahdanau": BahdanauDecoder,
    "fixed_vector": FixedVectorDecoder,
    "transformer": TransformerDecoder,
}

# What no recurrent decoder and no score has.
OF_TRANSFORMERS = ("norm", "inner_dropout", "weight_dropout", "score_gain", "sharing")


def build_decoder(
    name: str,
    vocabulary_size: int,
    embedding_dim: int,
    memory_dim: int,
    hidden_dim: int,
    dropout: float,
    embedding: nn.Embedding | None = None,
    **settings: Any,
) -> nn.Module:
    """A decoder by its name in `DECODERS`. Settings that are None are left out.

    Raises ValueError for an unknown name, for a setting that the score or the Transformer does not
    have, and for any setting if the decoder has no attention.
    """
    if name not in DECODERS:
        raise ValueError(f"unknown decoder {name!r}; choose from {', '.join(DECODERS)}")
    given = {setting: value for setting, value in settings.items() if value is not None}
    kind: Any = DECODERS[name]
    if kind is TransformerDecoder:
        known = inspect.signature(TransformerStack).parameters
        if unknown := [setting for setting in given if setting not in known]:
            raise ValueError(f"the decoder {name!r} takes no {' and no '.join(unknown)}")
    elif given and not issubclass(kind, AttentionDecoder):
        raise ValueError(
            f"the decoder {name!r} has no attention, so it takes no {' and no '.join(given)}"
        )
    elif unknown := [setting for setting in given if setting in OF_TRANSFORMERS]:
        raise ValueError(
            f"the decoder {name!r} takes no {' and no '.join(unknown)}: "
            "only a Transformer has that, decoder='transformer'"
        )
    return kind(vocabulary_size, embedding_dim, memory_dim, hidden_dim, dropout, embedding, **given)


def build_translator(
    source_size: int,
    target_size: int | None = None,
    *,
    encoder: str = "recurrent",
    decoder: str = "attention",
    score: str | None = None,
    embedding_dim: int = 128,
    memory_dim: int | None = None,
    hidden_dim: int = 256,
    attention_dim: int | None = None,
    encoder_layers: int = 1,
    decoder_layers: int | None = None,
    heads: int | None = None,
    kv_heads: int | None = None,
    norm: str | None = None,
    positions: str | None = None,
    longest: int | None = None,
    dropout: float = 0.3,
    inner_dropout: float | None = None,
    weight_dropout: float | None = None,
    score_gain: float | None = None,
    sharing: str | None = None,
) -> Seq2Seq:
    """A translator between two vocabularies, or within a joint one (``target_size`` None).

    With a joint vocabulary, encoder, decoder and output layer share one embedding matrix.

    encoder        "recurrent" or "transformer"
    decoder        "attention", "bahdanau", "fixed_vector" or "transformer": any goes with any
    score          a name that `course_utils.attention.make_score` knows; by default the decoder's
    memory_dim     by default 256; a Transformer's memory is ``embedding_dim`` wide
    hidden_dim     of the recurrence; of a Transformer's feed-forward networks
    attention_dim  width of the score's hidden layer, if it has one
    dropout        on embeddings, memory and output layer; in a Transformer as in its layers

    The other settings are those of `course_utils.models.transformer.TransformerStack`; they are
    for whichever of the two is a Transformer, and ``sharing`` is for the decoder.

    Raises ValueError for unknown names and for settings that encoder, decoder or score do not have.
    """
    if encoder not in ("recurrent", "transformer"):
        raise ValueError(f"unknown encoder {encoder!r}; choose from recurrent, transformer")
    stack: dict[str, Any] = {
        "heads": heads,
        "kv_heads": kv_heads,
        "norm": norm,
        "positions": positions,
        "longest": longest,
        "inner_dropout": inner_dropout,
        "weight_dropout": weight_dropout,
        "score_gain": score_gain,
    }
    reader: TokenEncoder
    if encoder == "transformer":
        if memory_dim not in (None, embedding_dim):
            raise ValueError(
                f"the memory of a Transformer is as wide as its embeddings: memory_dim={memory_dim}"
                f" and embedding_dim={embedding_dim} have to be equal"
            )
        given = {setting: value for setting, value in stack.items() if value is not None}
        reader = TransformerEncoder(
            source_size, embedding_dim, hidden_dim, encoder_layers, dropout=dropout, **given
        )
    else:
        memory_dim = 256 if memory_dim is None else memory_dim
        reader = TextEncoder(source_size, embedding_dim, memory_dim, dropout, encoder_layers)
    for_decoder = {
        "score": score,
        "attention_dim": attention_dim,
        "layers": decoder_layers,
        "sharing": sharing,
    }
    writer = build_decoder(
        decoder,
        source_size if target_size is None else target_size,
        embedding_dim,
        reader.memory_dim,
        hidden_dim,
        dropout,
        reader.embedding if target_size is None else None,
        **for_decoder,
        **(stack if decoder == "transformer" or encoder == "recurrent" else {}),
    )
    return Seq2Seq(reader, writer)


IMAGE_ENCODERS: dict[str, Callable[..., GridEncoder]] = {
    "scenes": ImageEncoder,
    "patches": VisionTransformer,
    "photos": PhotoEncoder,
    "photos-fine": partial(PhotoEncoder, places=FINE_GRID**2, feature_dim=FINE_CHANNELS),
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
    decoder_layers: int | None = None,
    heads: int | None = None,
    dropout: float = 0.1,
    encoder_dropout: float | None = None,
    encoder_layers: int | None = None,
    pooled: bool = False,
    weights: str = "softmax",
) -> Seq2Seq:
    """A captioner with a vocabulary of ``size`` pieces: an image encoder, and the same decoders.

    pictures         "scenes" (pixels), "patches" (the same pixels, for a Vision Transformer),
                     "photos" (features) or "photos-fine" (those of the finer grid)
    positions        False leaves out the position vectors of the grid's cells
    gate             scales the context, see `AttentionDecoder`
    encoder_dropout  on the memory; by default ``dropout``
    encoder_layers   of a Transformer between the grid's cells; by default none, except for patches
    heads            of encoder and decoder, for whichever is a Transformer
    pooled           the memory is the mean of all cells, one position, for any decoder
    weights          of a Transformer's attention to the picture: a name in `WEIGHINGS`

    With ``decoder="fixed_vector"`` it reads nothing but the pooled vector. The other parameters and
    the errors are those of `build_translator`.
    """
    if pictures not in IMAGE_ENCODERS:
        raise ValueError(f"unknown pictures {pictures!r}; choose from {', '.join(IMAGE_ENCODERS)}")
    drop = dropout if encoder_dropout is None else encoder_dropout
    attends = pictures == "patches" or bool(encoder_layers)
    wanted = {"layers": encoder_layers, "heads": heads if attends else None}
    given = {setting: value for setting, value in wanted.items() if value is not None}
    encoder = IMAGE_ENCODERS[pictures](memory_dim, drop, positions, **given)
    encoder.pooled = pooled
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
        layers=decoder_layers,
        heads=heads if decoder == "transformer" or not attends else None,
    )
    if weights != "softmax":
        if weights not in WEIGHINGS or decoder != "transformer":
            raise ValueError(
                f"weights={weights!r}: a decoder that is a Transformer chooses from "
                f"{', '.join(WEIGHINGS)}; the others take softmax alone"
            )
        for layer in cast(TransformerDecoder, reader).layers:
            layer.memory_attention.weigh = WEIGHINGS[weights]
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
    decoder_layers: int | None = None,
    heads: int | None = None,
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
        layers=decoder_layers,
        heads=heads,
    )
    return SpeechModel(encoder, reader, size, ctc_weight, longest)


def build_language_model(
    size: int,
    *,
    embedding_dim: int = 128,
    hidden_dim: int = 256,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int | None = None,
    norm: str = "pre",
    positions: str = "sinusoidal",
    longest: int = 512,
    dropout: float = 0.1,
    inner_dropout: float | None = None,
) -> TransformerDecoder:
    """A causal language model for a vocabulary of ``size`` pieces: the decoder without a memory.

    The settings, and the errors, are those of `course_utils.models.transformer.TransformerStack`.
    """
    return TransformerDecoder(
        size,
        embedding_dim,
        None,
        hidden_dim,
        dropout,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        norm=norm,
        positions=positions,
        longest=longest,
        inner_dropout=inner_dropout,
    )


def builder_name(build: Callable[..., nn.Module]) -> str:
    """What a checkpoint's card calls a builder: the function's name without "build_"."""
    return build.__name__.removeprefix("build_")


# The functions that make a model again from the settings in a checkpoint's card.
BUILDERS: dict[str, Callable[..., nn.Module]] = {
    builder_name(build): build
    for build in (
        build_translator,
        build_captioner,
        build_language_model,
        build_recogniser,
        build_text_classifier,
        build_summarizer,
    )
}
