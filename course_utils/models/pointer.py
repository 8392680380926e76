"""Pointer-generator: a decoder that writes words of its vocabulary and copies words of its source.

At each step, the decoder *generates* with probability p_gen and *copies* otherwise; attention
decides what is copied (See et al. 2017, section 2.2). A word of the source that is not in the
vocabulary gets an id beyond it, valid for this one input: both together are the *extended
vocabulary*. The sources and targets of a batch contain such ids; encoder and decoder read them as
UNK.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.checks import check_tensor
from course_utils.memory import Memory
from course_utils.models.decoders import AttentionDecoder, DecoderState
from course_utils.models.seq2seq import Seq2Seq
from course_utils.models.text_encoder import TextEncoder
from course_utils.vocabulary import PAD, UNK

__all__ = [
    "PointerDecoder",
    "PointerEncoder",
    "PointerMemory",
    "Reading",
    "build_summarizer",
    "coverage_loss",
    "pointer_distribution",
]

LEAST = 1e-12  # a probability below it counts as this: log 0 has no gradient


def pointer_distribution(generated: Tensor, weights: Tensor, ids: Tensor, p_gen: Tensor) -> Tensor:
    """P(w) = p_gen P_vocab(w) + (1 − p_gen) Σ_{i: w_i = w} α_i (See et al. 2017, eq. 9).

    generated  (B, Tt, V)   P_vocab
    weights    (B, Tt, Tk)  α, zero at padding
    ids        (B, Tk)      the words of the source in the extended vocabulary
    p_gen      (B, Tt, 1)   how much of the probability is generated, 0 to 1

    Returns (B, Tt, V') for the extended vocabulary of the batch: V' is V, or more if ``ids`` are.
    """
    B, Tt, V = generated.shape
    check_tensor("weights", weights, B, Tt, "positions")
    check_tensor("ids", ids, B, weights.shape[2], kind="integers")
    check_tensor("p_gen", p_gen, B, Tt, 1)
    size = max(V, int(ids.max()) + 1) if ids.numel() else V
    mixed = nn.functional.pad(p_gen * generated, (0, size - V))
    return mixed.scatter_add(2, ids[:, None].expand(B, Tt, -1), (1 - p_gen) * weights)


def coverage_loss(weights: Tensor, targets: Tensor) -> Tensor:
    """Mean over steps of Σ_i min(α_ti, c_ti), c_t = Σ_{t' < t} α_t' (See et al. 2017, eq. 12).

    ``weights`` (B, Tt, Tk); steps whose target (B, Tt) is PAD do not count. It is 0 if no position
    is attended to twice, and at most 1. Raises ValueError for other shapes; without any step that
    counts, the mean is NaN.
    """
    check_tensor("weights", weights, "batch", "steps", "positions", kind="floats")
    B, Tt, _ = weights.shape
    check_tensor("targets", targets, B, Tt, kind="integers")
    before = weights.cumsum(dim=1) - weights
    again = torch.minimum(weights, before).sum(dim=-1)
    return again[targets != PAD].mean()


@dataclass(frozen=True)
class PointerMemory(Memory):
    """A memory that also says which word is at each position: ``ids`` (B, Tk), maybe extended."""

    ids: Tensor


class PointerEncoder(TextEncoder):
    """A `TextEncoder` that reads ids beyond its vocabulary as UNK, and passes them on.

    ``longest`` is how many words of a text it was trained to read: what feeds it cuts the rest off.
    Raises ValueError if that is less than one.
    """

    def __init__(self, *args: Any, longest: int, **settings: Any):
        super().__init__(*args, **settings)
        if longest < 1:
            raise ValueError(f"longest is a number of words, at least 1, got {longest}")
        self.longest = longest

    def forward(self, batch: Batch) -> PointerMemory:
        """Read ``batch.source`` (B, Ts)."""
        known = batch.source.where(batch.source < self.embedding.num_embeddings, UNK)
        return PointerMemory(**vars(self.encode(known, batch.source_lengths)), ids=batch.source)


class Reading(NamedTuple):
    """What a `PointerDecoder` does while it reads given targets.

    log_probs  (B, Tt, V') of the extended vocabulary
    weights    (B, Tt, Tk)
    p_gen      (B, Tt)
    """

    log_probs: Tensor
    weights: Tensor
    p_gen: Tensor


class PointerDecoder(AttentionDecoder):
    """Recurrence over the previous word and context, then attention, then generate or copy.

    p_gen = σ(w · [context; state; input] + b) (See et al. 2017, eq. 8). The previous context enters
    the recurrence: all copied words beyond the vocabulary look alike to it (UNK), and the context
    says which one it was. As `Decoder.normalised` says, its scores are log probabilities.

    copies           False leaves out the pointer: p_gen is 1, and no word beyond the vocabulary can
                     be written
    coverage_weight  λ of the `coverage_loss` in the training (See et al. 2017, eq. 13)

    The other parameters are those of `AttentionDecoder`; with the score "coverage", attention sees
    its own past (See et al. 2017, eq. 11). Raises ValueError for a negative ``coverage_weight``.
    """

    normalised = True

    def __init__(
        self,
        *args: Any,
        score: str = "additive",
        copies: bool = True,
        coverage_weight: float = 0.0,
        **settings: Any,
    ):
        super().__init__(*args, score=score, **settings)
        if not coverage_weight >= 0:
            raise ValueError(f"coverage_weight must not be negative, got {coverage_weight}")
        self.coverage_weight = coverage_weight
        width = self.memory_dim + self.hidden_dim + self.recurrence.input_size
        self.switch = nn.Linear(width, 1) if copies else None

    def input_dim(self, embedding_dim: int) -> int:
        return embedding_dim + self.memory_dim

    def embed(self, tokens: Tensor) -> Tensor:
        return super().embed(tokens.where(tokens < self.embedding.num_embeddings, UNK))

    def read(self, state: DecoderState, tokens: Tensor) -> tuple[Reading, DecoderState]:
        """Read tokens (B, Tt), one after the other."""
        memory, steps = cast(PointerMemory, state.memory), []
        for embedded in self.embed(tokens).split(1, dim=1):  # (B, 1, embedding_dim)
            before = state.weights[:, None] @ memory.values
            given = torch.cat([embedded, before], dim=-1)
            output, recurrent = self.recurrence(given, state.recurrent)
            context, weights = self.look(output, state)
            state = replace(state.attended(weights), recurrent=recurrent)
            steps.append((given, output, context, weights))
        given, output, context, weights = (torch.cat(x, dim=1) for x in zip(*steps, strict=True))
        logits = self.logits(output, context)
        if self.switch is None:
            ones = logits.new_ones(logits.shape[:2])
            return Reading(logits.log_softmax(dim=-1), weights, ones), state
        p_gen = torch.sigmoid(self.switch(torch.cat([context, output, given], dim=-1)))
        mixed = pointer_distribution(logits.softmax(dim=-1), weights, memory.ids, p_gen)
        return Reading(mixed.clamp_min(LEAST).log(), weights, p_gen[..., 0]), state

    def advance(self, state: DecoderState, tokens: Tensor) -> tuple[Tensor, DecoderState, Tensor]:
        reading, state = self.read(state, tokens)
        return reading.log_probs, state, reading.weights


def build_summarizer(
    size: int,
    *,
    score: str = "additive",
    copies: bool = True,
    coverage_weight: float = 0.0,
    embedding_dim: int = 128,
    memory_dim: int = 256,
    hidden_dim: int = 256,
    attention_dim: int | None = None,
    dropout: float = 0.3,
    longest: int = 150,
) -> Seq2Seq:
    """A summariser with a joint vocabulary of ``size`` words: `PointerEncoder`, `PointerDecoder`.

    ``longest`` is that of the encoder, ``copies`` and ``coverage_weight`` are those of the decoder;
    the other parameters and the errors are those of
    `course_utils.models.builders.build_translator`.
    """
    encoder = PointerEncoder(size, embedding_dim, memory_dim, dropout, longest=longest)
    extra = {} if attention_dim is None else {"attention_dim": attention_dim}
    decoder = PointerDecoder(
        size,
        embedding_dim,
        memory_dim,
        hidden_dim,
        dropout,
        encoder.embedding,
        score=score,
        copies=copies,
        coverage_weight=coverage_weight,
        **extra,
    )
    return Seq2Seq(encoder, decoder)
