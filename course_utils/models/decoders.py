"""Decoders: write tokens while reading a `Memory`. They do not depend on which encoder made it.

Those with a recurrence are here, the `TransformerDecoder` in `course_utils.models.transformer`.

Every decoder offers the same three calls:

``start(memory)``            → a `DecoderState` before the first token
``step(state, tokens)``      → logits (B, V), next state, weights (B, Tk): one token, for search
``forward(memory, tokens)``  → logits (B, Tt, V), weights (B, Tt, Tk): teacher forcing

`forward` gives what repeated `step` gives (a test holds them equal). The decoders differ in when
they attend to the memory:

`AttentionDecoder`    recurrence first, then attention (Luong et al. 2015, section 3). Nothing that
                      attention finds flows back into the recurrence, so a whole target sentence is
                      one recurrence call and one batched attention: the fast one, our default.
`BahdanauDecoder`     attention first, with the previous state as query, and its context fed into
                      the recurrence (Bahdanau et al. 2015, section 3.1): needs a loop over time.
`FixedVectorDecoder`  the same network without attention: it gets the summary at every step.

A subclass may attend with several heads: weights are then (B, H, Tk) in `step` and in the state,
and (B, H, Tt, Tk) in `forward`. Search needs ``start`` and ``step`` alone, see
`course_utils.search`, which also says how a decoder returns log probabilities instead of logits.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.attention import Attention, make_score
from course_utils.checks import check_tensor, looked_up
from course_utils.memory import Memory, Rows
from course_utils.vocabulary import PAD

__all__ = ["AttentionDecoder", "BahdanauDecoder", "Decoder", "DecoderState", "FixedVectorDecoder"]


@dataclass(frozen=True)
class DecoderState(Rows):
    """What a decoder carries from token to token.

    memory     what it reads
    prepared   what the score has computed from the keys once, (B, Tk, ·)
    recurrent  hidden and cell state of the LSTM, (1, B, hidden_dim) each
    weights    where the previous step attended, (B, Tk); zeros before the first
    coverage   the sum of the weights of all previous steps, (B, Tk) (See et al. 2017, eq. 10)

    With several heads, weights and coverage are (B, H, Tk) from the first step on.
    """

    memory: Memory
    prepared: Tensor
    recurrent: tuple[Tensor, Tensor] = field(metadata={"rows": 1})
    weights: Tensor
    coverage: Tensor

    def attended(self, weights: Tensor) -> "DecoderState":
        """The state after steps with these weights, (B, Tt, Tk) or (B, H, Tt, Tk)."""
        total = weights.sum(dim=-2)
        # Before the first step, it is not known yet that there are several heads.
        coverage = self.coverage if self.coverage.dim() == total.dim() else self.coverage[:, None]
        return replace(self, weights=weights[..., -1, :], coverage=coverage + total)


def shared_or_new(embedding: nn.Embedding | None, size: int, width: int) -> nn.Embedding:
    """An embedding of ``size`` ids, or the given one; ValueError if its sizes are others."""
    if embedding is None:
        embedding = nn.Embedding(size, width, padding_idx=PAD)
        nn.init.normal_(embedding.weight, std=width**-0.5)
    elif embedding.weight.shape != (size, width):
        raise ValueError(
            f"the shared embedding is {tuple(embedding.weight.shape)}, "
            f"the decoder needs {(size, width)}"
        )
    return embedding


class Decoder(nn.Module):
    """What the decoders share: embedding, LSTM, and the way from state and context to logits.

    The output layer reuses the embedding matrix (Press & Wolf 2017): the logit of a token is the
    product of its embedding with tanh(W_c [state; context]) (Luong et al. 2015, eq. 5), plus a
    bias.

    memory_dim  width of the values and of the summary of the memory
    hidden_dim  width of the recurrence
    dropout     on embeddings and on what enters the output layer, in training only
    embedding   shares one matrix with an encoder that reads the same vocabulary

    A subclass says in `look` how it reads the memory. Raises ValueError if ``embedding`` has
    another size.
    """

    normalised = False  # step and forward return logits, not log probabilities

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        memory_dim: int,
        hidden_dim: int,
        dropout: float = 0.0,
        embedding: nn.Embedding | None = None,
    ):
        super().__init__()
        self.hidden_dim, self.memory_dim = hidden_dim, memory_dim
        self.embedding = shared_or_new(embedding, vocabulary_size, embedding_dim)
        self.start_hidden = nn.Linear(memory_dim, hidden_dim)
        self.start_cell = nn.Linear(memory_dim, hidden_dim)
        self.recurrence = nn.LSTM(self.input_dim(embedding_dim), hidden_dim, batch_first=True)
        self.combine = nn.Linear(hidden_dim + memory_dim, embedding_dim)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.dropout = nn.Dropout(dropout)

    def input_dim(self, embedding_dim: int) -> int:
        """Width of what enters the recurrence at each step."""
        return embedding_dim

    def prepare(self, memory: Memory) -> Tensor:
        """What can be computed from the keys once for all steps."""
        return memory.keys

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first token, computed from the summary of the input."""
        if memory.summary.shape[1] != self.memory_dim:
            raise ValueError(
                f"the memory is {memory.summary.shape[1]} wide, the decoder expects "
                f"{self.memory_dim}: encoder and decoder were built with different memory_dim"
            )
        hidden = torch.tanh(self.start_hidden(memory.summary))
        cell = self.start_cell(memory.summary)
        nowhere = memory.keys.new_zeros(memory.keys.shape[:2])
        recurrent = (hidden[None], cell[None])
        return DecoderState(memory, self.prepare(memory), recurrent, nowhere, nowhere)

    def embed(self, tokens: Tensor) -> Tensor:
        """(B, Tt) ids → (B, Tt, embedding_dim), scaled to unit variance."""
        return self.dropout(looked_up(self.embedding, tokens) * self.embedding.embedding_dim**0.5)

    def logits(self, states: Tensor, context: Tensor) -> Tensor:
        """(B, Tt, hidden_dim) and (B, Tt, memory_dim) → (B, Tt, V)."""
        combined = torch.tanh(self.combine(torch.cat([states, context], dim=-1)))
        return self.dropout(combined) @ self.embedding.weight.T + self.output_bias

    def look(self, queries: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        """Context (B, Tt, memory_dim) and weights (B, Tt, Tk) for queries (B, Tt, hidden_dim)."""
        raise NotImplementedError("a Decoder says in look() how it reads the memory")

    def advance(self, state: DecoderState, tokens: Tensor) -> tuple[Tensor, DecoderState, Tensor]:
        """Recurrence over tokens (B, Tt), then attention: logits, next state, weights."""
        states, recurrent = self.recurrence(self.embed(tokens), state.recurrent)
        context, weights = self.look(states, state)
        state = replace(state.attended(weights), recurrent=recurrent)
        return self.logits(states, context), state, weights

    def step(self, state: DecoderState, tokens: Tensor) -> tuple[Tensor, DecoderState, Tensor]:
        """Read one token each, (B,): logits of the next one (B, V), next state, weights (B, Tk)."""
        check_tensor("tokens", tokens, "batch", kind="integers")
        if len(state) != len(tokens):
            raise ValueError(f"{len(tokens)} tokens for a state of {len(state)} rows")
        logits, state, weights = self.advance(state, tokens[:, None])
        return logits[:, 0], state, weights[..., 0, :]

    def forward(self, memory: Memory, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Read whole targets (B, Tt), which begin with BOS: all logits and weights."""
        check_tensor("tokens", tokens, "batch", "positions", kind="integers")
        B = len(tokens)
        if len(memory) != B:
            raise ValueError(f"{B} targets for a memory of {len(memory)} inputs")
        logits, _, weights = self.advance(self.start(memory), tokens)
        return logits, weights


class AttentionDecoder(Decoder):
    """Recurrence first, then attention with its state as query (Luong et al. 2015, eq. 1–7).

    ``score`` and its ``score_settings`` are those of `make_score`, which raises ValueError for
    others. ``gate`` scales the context by β = σ(w·s + b), a number between 0 and 1 for each step,
    so that a word can do without the memory (Xu et al. 2015, section 4.2.1). The weights stay as
    they are. The other parameters are those of `Decoder`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        memory_dim: int,
        hidden_dim: int,
        dropout: float = 0.0,
        embedding: nn.Embedding | None = None,
        *,
        score: str = "scaled_dot",
        gate: bool = False,
        **score_settings: int | None,
    ):
        super().__init__(vocabulary_size, embedding_dim, memory_dim, hidden_dim, dropout, embedding)
        self.attention = Attention(make_score(score, hidden_dim, memory_dim, **score_settings))
        self.gate = nn.Linear(hidden_dim, 1) if gate else None

    def prepare(self, memory: Memory) -> Tensor:
        return self.attention.prepare(memory.keys)

    def look(self, queries: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        if not self.attention.sequential:
            return self._attend(queries, state)  # all queries at once
        contexts, all_weights = [], []
        for query in queries.split(1, dim=1):
            context, weights = self._attend(query, state)
            state = state.attended(weights)
            contexts.append(context)
            all_weights.append(weights)
        return torch.cat(contexts, dim=1), torch.cat(all_weights, dim=1)

    def _attend(self, queries: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        memory = state.memory
        context, weights = self.attention(
            queries,
            state.prepared,
            memory.values,
            attend_mask=memory.attend_mask,
            prepared=True,
            previous=state.weights,
            coverage=state.coverage,
        )
        if self.gate is not None:
            context = torch.sigmoid(self.gate(queries)) * context
        return context, weights


class BahdanauDecoder(AttentionDecoder):
    """Attention with the previous state as query, its context fed into the recurrence.

    s_t = LSTM(s_{t−1}, [y_{t−1}; c_t]) with c_t = attend(s_{t−1}) (Bahdanau et al. 2015, eq. 4–6,
    with an LSTM in place of their gated unit). Each step needs the previous one: a loop over time.
    The parameters are those of `AttentionDecoder`.
    """

    def __init__(self, *args: Any, score: str = "additive", **settings: Any):
        super().__init__(*args, score=score, **settings)

    def input_dim(self, embedding_dim: int) -> int:
        return embedding_dim + self.memory_dim

    def advance(self, state: DecoderState, tokens: Tensor) -> tuple[Tensor, DecoderState, Tensor]:
        states, contexts, all_weights = [], [], []
        for embedded in self.embed(tokens).split(1, dim=1):  # (B, 1, embedding_dim)
            previous = state.recurrent[0].transpose(0, 1)  # (B, 1, hidden_dim)
            context, weights = self.look(previous, state)
            output, recurrent = self.recurrence(
                torch.cat([embedded, context], dim=-1), state.recurrent
            )
            state = replace(state.attended(weights), recurrent=recurrent)
            states.append(output)
            contexts.append(context)
            all_weights.append(weights)
        logits = self.logits(torch.cat(states, dim=1), torch.cat(contexts, dim=1))
        return logits, state, torch.cat(all_weights, dim=-2)


class FixedVectorDecoder(Decoder):
    """The baseline without attention: the summary takes the place of the context at every step.

    It has exactly the parameters of an `AttentionDecoder` with a dot score. (Sutskever et al. 2014
    start the decoder from the summary; Cho et al. 2014 also feed it in at every step, as here.) The
    weights that it reports are zero: it attends to nothing.
    """

    def look(self, queries: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        B, Tt, _ = queries.shape
        Tk = state.memory.keys.shape[1]
        context = state.memory.summary[:, None, :].expand(B, Tt, -1)
        return context, queries.new_zeros(B, Tt, Tk)
