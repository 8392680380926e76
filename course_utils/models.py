"""Models: an encoder and a decoder. Translator, captioner and recogniser differ in the encoder."""

import torch
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.classifiers import AttentionTextClassifier, build_text_classifier
from course_utils.decoders import AttentionDecoder, BahdanauDecoder, Decoder, FixedVectorDecoder
from course_utils.encoders import TextEncoder
from course_utils.memory import Memory

__all__ = [
    "BUILDERS",
    "DECODERS",
    "AttentionTextClassifier",
    "Seq2Seq",
    "build_translator",
    "count_parameters",
]

DECODERS = {
    "attention": AttentionDecoder,
    "bahdanau": BahdanauDecoder,
    "fixed_vector": FixedVectorDecoder,
}


class Seq2Seq(nn.Module):
    """``Seq2Seq(TextEncoder(…), AttentionDecoder(…))``: encoder → memory → decoder."""

    def __init__(self, encoder: nn.Module, decoder: Decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Teacher forcing: logits (B, Tt, V) for ``batch.target_out`` and weights (B, Tt, Tk)."""
        return self.decoder(self.encoder(batch), batch.target_in)

    def remember(self, batch: Batch) -> Memory:
        """The memory of a batch, for search."""
        return self.encoder(batch)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


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
        additive = score == "additive" or (score is None and decoder == "bahdanau")
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


# What a checkpoint's card names: a function that makes the model again from its settings.
BUILDERS = {"translator": build_translator}
BUILDERS["text_classifier"] = build_text_classifier


def count_parameters(model: nn.Module) -> int:
    """How many numbers training adjusts; shared ones count once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
