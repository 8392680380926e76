"""Models: an encoder and a decoder. Translator, captioner and recogniser differ in the encoder."""

import torch
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.classifiers import AttentionTextClassifier, build_text_classifier
from course_utils.decoders import AttentionDecoder, BahdanauDecoder, Decoder, FixedVectorDecoder
from course_utils.encoders import SpeechEncoder, TextEncoder
from course_utils.image_encoders import ImageEncoder, PhotoEncoder
from course_utils.memory import Memory

__all__ = [
    "BUILDERS",
    "DECODERS",
    "AttentionTextClassifier",
    "Seq2Seq",
    "SpeechModel",
    "build_captioner",
    "build_recogniser",
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


class SpeechModel(Seq2Seq):
    """A `Seq2Seq` whose memory can also be read without a decoder: by CTC (Graves et al. 2006).

    ``ctc`` gives every position of the memory a score for each token and for the blank, which is
    id 0 (PAD, never a target). ``ctc_weight`` λ is the share of CTC in the joint loss (Watanabe et
    al. 2017, eq. 10; see `course_utils.training.joint_loss`): 0 trains attention alone, 1 CTC.
    ``longest``, in seconds, is about the longest sound of the training: attention stops early on
    longer ones, so `course_utils.transcription.Recogniser` cuts them.
    """

    def __init__(
        self,
        encoder: SpeechEncoder,
        decoder: Decoder,
        size: int,
        ctc_weight: float,
        longest: float,
    ):
        super().__init__(encoder, decoder)
        if not 0 <= ctc_weight <= 1:
            raise ValueError(f"ctc_weight is a share, 0 to 1, got {ctc_weight}")
        if not longest > 0:
            raise ValueError(f"longest is a number of seconds above 0, got {longest}")
        self.longest = longest
        self.ctc, self.ctc_weight = nn.Linear(encoder.memory_dim, size), ctc_weight

    def ctc_log_probs(self, memory: Memory) -> Tensor:
        """Log probabilities of blank and tokens at each position, (B, Tk, V)."""
        return self.ctc(memory.values).log_softmax(dim=-1)


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


# What a checkpoint's card names: a function that makes the model again from its settings.
BUILDERS = {
    "translator": build_translator,
    "captioner": build_captioner,
    "recogniser": build_recogniser,
    "text_classifier": build_text_classifier,
}


def count_parameters(model: nn.Module) -> int:
    """How many numbers training adjusts; shared ones count once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
