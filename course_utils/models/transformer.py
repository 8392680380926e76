"""The Transformer: self-attention in place of recurrence, on both sides of the same memory.

Vaswani et al. 2017. One `TransformerLayer` serves everywhere, in a `TransformerStack`:

`TransformerEncoder`   token ids → `Memory`, like the recurrent `TextEncoder`
`TransformerDecoder`   writes tokens while reading a memory: `start`, `step` and `forward` are those
                       of `course_utils.models.decoders`. Without a memory, it is a language model.

Shape letters: B sequences, T positions, D width, H heads; Tk positions of the memory.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.attention import KeyValueCache, MultiHeadAttention, causal_mask, length_mask
from course_utils.checks import check_tensor, looked_up
from course_utils.memory import Memory, Rows
from course_utils.models.decoders import shared_or_new
from course_utils.models.positions import (
    POSITIONS,
    LearntPositions,
    RotaryAttention,
    SinusoidalPositions,
)
from course_utils.models.text_encoder import TokenEncoder

__all__ = [
    "LayerWeights",
    "TransformerDecoder",
    "TransformerEncoder",
    "TransformerLayer",
    "TransformerStack",
    "TransformerState",
]

NORMS = ("pre", "post")
SHARING = ("none", "keys", "layers")


class TransformerLayer(nn.Module):
    """Self-attention, attention to a memory (if there is one), and a feed-forward network.

    Each of them is a *residual* branch: its output is added to its input. The normalisation is

    norm="post"  after the sum, x ← norm(x + f(x)) (Vaswani et al. 2017, section 3.1), or
    norm="pre"   inside the branch, x ← x + f(norm(x)) (Xiong et al. 2020): the sum itself is never
                 normalised, so gradients reach the first layer unchanged.

    width          D, of inputs and outputs
    heads          of each attention
    hidden_dim     of the feed-forward network: linear, ReLU, linear
    memory_dim     width of the memory; None: there is none
    dropout        on the output of each branch
    inner_dropout  on weights and on the hidden units of the feed-forward network: 0 in the paper,
                   by default ``dropout``, as in PyTorch's layers
    weight_dropout on weights alone, by default ``inner_dropout``
    kv_heads       shared keys and values, see `MultiHeadAttention`
    rotary         self-attention is a `RotaryAttention`
    share_kv       one map makes the keys and the values of the memory

    Raises ValueError for another ``norm`` and for a dropout that is no probability.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden_dim: int,
        memory_dim: int | None = None,
        *,
        norm: str = "pre",
        dropout: float = 0.0,
        inner_dropout: float | None = None,
        weight_dropout: float | None = None,
        kv_heads: int | None = None,
        rotary: bool = False,
        share_kv: bool = False,
    ):
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"unknown norm {norm!r}; choose from {', '.join(NORMS)}")
        self.norm_first = norm == "pre"
        inner = dropout if inner_dropout is None else inner_dropout
        on_weights = inner if weight_dropout is None else weight_dropout
        for name, rate in (
            ("dropout", dropout),
            ("inner_dropout", inner),
            ("weight_dropout", on_weights),
        ):
            if not 0 <= rate <= 1:
                raise ValueError(f"{name} is a probability, from 0 to 1, got {rate}")
        attention = RotaryAttention if rotary else MultiHeadAttention
        self.self_attention = attention(width, heads, dropout=on_weights, kv_heads=kv_heads)
        self.self_norm = nn.LayerNorm(width)
        if memory_dim is not None:
            self.memory_attention = MultiHeadAttention(
                width,
                heads,
                memory_dim,
                memory_dim,
                dropout=on_weights,
                kv_heads=kv_heads,
                share_kv=share_kv,
            )
            self.memory_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden_dim),
            nn.ReLU(),
            nn.Dropout(inner),
            nn.Linear(hidden_dim, width),
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def enter(self, norm: nn.Module, x: Tensor) -> Tensor:
        """What a branch reads."""
        return norm(x) if self.norm_first else x

    def leave(self, norm: nn.Module, x: Tensor, found: Tensor) -> Tensor:
        """The input x of a branch and what it has found, together."""
        x = x + self.dropout(found)
        return x if self.norm_first else norm(x)

    def forward(
        self,
        x: Tensor,
        *,
        attend_mask: Tensor | None,
        past: KeyValueCache | None = None,
        source: KeyValueCache | None = None,
        source_mask: Tensor | None = None,
    ) -> tuple[Tensor, KeyValueCache, Tensor, Tensor | None]:
        """x (B, T, D) → states (B, T, D), cache, weights of self-attention and of the memory.

        attend_mask  (B, S) or (B, T, S): which of the S positions x may attend to, those of
                     ``past`` and its own; None: all
        past         keys and values of the positions before x; the cache that is returned holds
                     those of x as well
        source       projected keys and values of the memory
        source_mask  its mask, (B, Tk)

        The weights are (B, H, T, S) and (B, H, T, Tk); those of the memory are None without one.
        """
        read = self.enter(self.self_norm, x)
        first = 0 if past is None else past.length
        new = self.self_attention.project(read, read, first)
        cache = new if past is None else past.append(new)
        found, weights = self.self_attention.attend(read, cache, attend_mask=attend_mask)
        x = self.leave(self.self_norm, x, found)
        source_weights = None
        if source is not None:
            read = self.enter(self.memory_norm, x)
            found, source_weights = self.memory_attention.attend(
                read, source, attend_mask=source_mask
            )
            x = self.leave(self.memory_norm, x, found)
        found = self.feed_forward(self.enter(self.feed_forward_norm, x))
        return self.leave(self.feed_forward_norm, x, found), cache, weights, source_weights

    @classmethod
    def from_torch(
        cls, layer: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer
    ) -> "TransformerLayer":
        """Our layer with a copy of PyTorch's weights, its dropout and mode.

        Raises TypeError for another layer, ValueError for an activation other than ReLU.
        """
        theirs: Any = layer
        reads = isinstance(layer, nn.TransformerDecoderLayer)
        if not reads and not isinstance(layer, nn.TransformerEncoderLayer):
            raise TypeError(f"expected a layer of torch.nn.Transformer, got {type(layer).__name__}")
        if theirs.activation not in (F.relu, torch.relu) and not isinstance(
            theirs.activation, nn.ReLU
        ):
            raise ValueError("an activation other than ReLU has no counterpart here")
        width = theirs.self_attn.embed_dim
        ours = cls(
            width,
            theirs.self_attn.num_heads,
            theirs.linear1.out_features,
            width if reads else None,
            norm="pre" if theirs.norm_first else "post",
            dropout=theirs.dropout1.p,
            inner_dropout=theirs.dropout.p,
        )
        norms: list[Any] = [
            copy.deepcopy(part) for name, part in layer.named_children() if "norm" in name
        ]
        ours.self_norm, ours.feed_forward_norm = norms[0], norms[-1]
        ours.self_attention = MultiHeadAttention.from_torch(theirs.self_attn)
        if reads:
            ours.memory_norm = norms[1]
            ours.memory_attention = MultiHeadAttention.from_torch(theirs.multihead_attn)
        ours.feed_forward[0] = copy.deepcopy(theirs.linear1)
        ours.feed_forward[3] = copy.deepcopy(theirs.linear2)
        return ours.train(layer.training)


@dataclass(frozen=True)
class LayerWeights:
    """The weights of every layer and head, before dropout.

    own     of self-attention, (B, H, T, S) for each layer
    memory  of the attention to the memory, (B, H, T, Tk) for each layer; empty without one
    """

    own: tuple[Tensor, ...]
    memory: tuple[Tensor, ...]


class TransformerStack(nn.Module):
    """Positions, then ``layers`` layers: x (B, T, D) → states (B, T, D).

    positions   a name in `POSITIONS`: "sinusoidal", "learnt", "rotary" or "none"
    longest     the number of positions that can be learnt
    score_gain  factor of the maps to queries and keys at the start; scores grow with its square
    sharing     how a memory is projected: by two maps in each layer ("none"), by one that makes
                both keys and values ("keys"), or by two maps for all layers ("layers")

    With ``norm="pre"``, the sum of all branches is normalised once at the end. The other parameters
    are those of `TransformerLayer`. Matrices start as in Glorot & Bengio (2010, eq. 16). Raises
    ValueError for unknown names and sizes that do not fit.
    """

    def __init__(
        self,
        width: int,
        hidden_dim: int,
        layers: int,
        heads: int,
        memory_dim: int | None = None,
        *,
        norm: str = "pre",
        positions: str = "sinusoidal",
        longest: int = 512,
        dropout: float = 0.0,
        inner_dropout: float | None = None,
        weight_dropout: float | None = None,
        kv_heads: int | None = None,
        score_gain: float = 1.0,
        sharing: str = "none",
    ):
        super().__init__()
        if layers < 1:
            raise ValueError(f"a Transformer has at least one layer, got layers={layers}")
        if not 0 < score_gain < math.inf:
            raise ValueError(f"score_gain is a factor above 0, got {score_gain}")
        if sharing not in SHARING:
            raise ValueError(f"unknown sharing {sharing!r}; choose from {', '.join(SHARING)}")
        if sharing != "none" and memory_dim is None:
            raise ValueError(f"without a memory there is nothing to share: sharing={sharing!r}")
        if positions not in POSITIONS:
            raise ValueError(f"unknown positions {positions!r}; choose from {', '.join(POSITIONS)}")
        self.positions: nn.Module | None = None
        if positions == "sinusoidal":
            self.positions = SinusoidalPositions()
        elif positions == "learnt":
            self.positions = LearntPositions(width, longest)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(
                width,
                heads,
                hidden_dim,
                memory_dim,
                norm=norm,
                dropout=dropout,
                inner_dropout=inner_dropout,
                weight_dropout=weight_dropout,
                kv_heads=kv_heads,
                rotary=positions == "rotary",
                share_kv=sharing == "keys",
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width) if norm == "pre" else nn.Identity()
        for parameter in self.layers.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.layers.modules():
            if isinstance(module, MultiHeadAttention):
                with torch.no_grad():
                    module.W_q.weight.mul_(score_gain)
                    module.W_k.weight.mul_(score_gain)
        self.sharing = sharing
        if sharing == "layers":
            first, *others = [cast(TransformerLayer, layer) for layer in self.layers]
            for layer in others:
                layer.memory_attention.W_k = first.memory_attention.W_k
                layer.memory_attention.W_v = first.memory_attention.W_v

    def forward(
        self,
        x: Tensor,
        *,
        attend_mask: Tensor | None,
        past: Sequence[KeyValueCache] = (),
        source: Sequence[KeyValueCache] = (),
        source_mask: Tensor | None = None,
    ) -> tuple[Tensor, tuple[KeyValueCache, ...], LayerWeights]:
        """States, the cache of each layer, and all weights; see `TransformerLayer.forward`."""
        if self.positions is not None:
            x = self.positions(x, past[0].length if past else 0)
        x = self.dropout(x)
        caches, own, memory = [], [], []
        for number, layer in enumerate(self.layers):
            x, cache, weights, source_weights = layer(
                x,
                attend_mask=attend_mask,
                past=past[number] if past else None,
                source=source[number] if source else None,
                source_mask=source_mask,
            )
            caches.append(cache)
            own.append(weights)
            if source_weights is not None:
                memory.append(source_weights)
        return self.norm(x), tuple(caches), LayerWeights(tuple(own), tuple(memory))


class TransformerEncoder(TokenEncoder):
    """Self-attention over token ids (Vaswani et al. 2017, section 3.1): the memory is its output.

    Every word may attend to every other one, but none to padding. The summary is the mean of the
    states. (The paper has none: its decoder starts from the memory alone.)

    vocabulary_size  number of ids; PAD is 0
    width            of embeddings, states, keys, values and summary
    hidden_dim       of the feed-forward networks
    layers, heads    of a `TransformerStack`, as are the ``settings``
    dropout          on embeddings and in the layers

    Raises ValueError for unknown names and sizes that do not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        hidden_dim: int,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.0,
        **settings: Any,
    ):
        super().__init__(vocabulary_size, width, width)
        self.stack = TransformerStack(
            width,
            hidden_dim,
            layers,
            heads,
            dropout=dropout,
            **settings,
        )

    def read(self, embedded: Tensor, lengths: Tensor) -> Memory:
        return self.look(embedded, lengths)[0]

    def look(self, embedded: Tensor, lengths: Tensor) -> tuple[Memory, LayerWeights]:
        """The memory of embedded words (B, Ts, D), and the weights of all layers."""
        mask = length_mask(lengths, embedded.shape[1])
        states, _, weights = self.stack(embedded, attend_mask=mask)
        states = states * mask[:, :, None]
        summary = states.sum(dim=1) / lengths[:, None].clamp_min(1)
        return Memory(keys=states, values=states, attend_mask=mask, summary=summary), weights

    def weights(self, source: Tensor, lengths: Tensor) -> LayerWeights:
        """The weights of every layer and head, (B, H, Ts, Ts) each, for ids and lengths.

        The errors are those of `encode`.
        """
        return self.look(*self.embed(source, lengths))[1]


@dataclass(frozen=True)
class TransformerState(Rows):
    """What a `TransformerDecoder` carries from token to token.

    past         keys and values of the tokens read so far, for each layer
    source       those of the memory, projected once, for each layer; empty without a memory
    source_mask  (B, Tk), or None
    """

    past: tuple[KeyValueCache, ...]
    source: tuple[KeyValueCache, ...]
    source_mask: Tensor | None


class TransformerDecoder(nn.Module):
    """Causal self-attention over the tokens so far, then attention to the memory, layer by layer.

    Vaswani et al. 2017, section 3.1. `step` keeps the keys and values of earlier tokens, so that it
    reads each token once; the result is that of `forward`, which reads all of them together.

    embedding_dim  D, width of embeddings and of all layers
    memory_dim     width of the memory. None: there is none, and the decoder is a language model
    hidden_dim     of the feed-forward networks
    dropout        on embeddings and in the layers
    embedding      shares one matrix with an encoder that reads the same vocabulary
    heads, layers  of a `TransformerStack`, as are the ``settings``

    The output layer reuses the embedding matrix (Press & Wolf 2017; Vaswani et al., section 3.4)
    and adds a bias, which the paper does not have.

    There are weights for each layer and head. `step` and `forward` return those of one layer, the
    mean over its heads, so that they have the shape that all our decoders have: those of the layer
    number ``shown``, by default the last. They are the weights of the memory; without one, those of
    self-attention. ``decoder.shown = 0`` chooses another layer at any time, and `weights` returns
    them all.

    Raises ValueError for unknown names and sizes that do not fit.
    """

    normalised = False  # step and forward return logits, not log probabilities

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        memory_dim: int | None,
        hidden_dim: int,
        dropout: float = 0.0,
        embedding: nn.Embedding | None = None,
        *,
        heads: int = 4,
        layers: int = 3,
        **settings: Any,
    ):
        super().__init__()
        self.memory_dim, self.shown = memory_dim, -1
        self.embedding = shared_or_new(embedding, vocabulary_size, embedding_dim)
        self.stack = TransformerStack(
            embedding_dim,
            hidden_dim,
            layers,
            heads,
            memory_dim,
            dropout=dropout,
            **settings,
        )
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))

    def start(self, memory: Memory | int) -> TransformerState:
        """The state before the first token: the memory projected by each layer, and empty caches.

        A language model gets the number of texts instead of a memory. Raises TypeError for the
        other of the two, and ValueError for a memory of another width.
        """
        if not isinstance(memory, int if self.memory_dim is None else Memory):
            raise TypeError(
                "this decoder was built without memory_dim: it is a language model, which starts "
                f"from a number of texts, not from a {type(memory).__name__}"
                if self.memory_dim is None
                else f"this decoder reads a Memory, {self.memory_dim} wide, not a "
                f"{type(memory).__name__}"
            )
        count = memory if isinstance(memory, int) else len(memory)
        empty = tuple(layer.self_attention.empty_cache(count) for layer in self.layers)
        if isinstance(memory, int):
            return TransformerState(empty, (), None)
        if memory.keys.shape[2] != self.memory_dim or memory.values.shape[2] != self.memory_dim:
            raise ValueError(
                f"the memory is {memory.keys.shape[2]} wide, the decoder expects "
                f"{self.memory_dim}: encoder and decoder were built with different memory_dim"
            )
        layers = self.layers[:1] if self.stack.sharing == "layers" else self.layers
        source = tuple(
            layer.memory_attention.project(memory.keys, memory.values) for layer in layers
        )
        source *= len(self.layers) // len(source)  # the same for all layers, if they share it
        return TransformerState(empty, source, memory.attend_mask)

    @property
    def layers(self) -> list[TransformerLayer]:
        """Its layers."""
        return list(self.stack.layers)  # type: ignore[arg-type]

    def embed(self, tokens: Tensor) -> Tensor:
        """(B, T) ids → (B, T, D), scaled to unit variance, without positions."""
        return looked_up(self.embedding, tokens) * self.embedding.embedding_dim**0.5

    def advance(
        self, state: TransformerState, tokens: Tensor
    ) -> tuple[Tensor, TransformerState, LayerWeights]:
        """Read further tokens (B, T): logits (B, T, V), next state, weights of every layer."""
        T = tokens.shape[1]
        past = state.past[0].length
        causal = None if T == 1 else causal_mask(past + T, tokens.device)[:, past:]
        states, caches, weights = self.stack(
            self.embed(tokens),
            attend_mask=causal,
            past=state.past,
            source=state.source,
            source_mask=state.source_mask,
        )
        logits = states @ self.embedding.weight.T + self.output_bias
        return logits, replace(state, past=caches), weights

    def chosen(self, weights: LayerWeights) -> Tensor:
        """The weights that are returned: the mean over the heads of one layer, (B, T, Tk)."""
        return (weights.memory or weights.own)[self.shown].mean(dim=1)

    def step(
        self, state: TransformerState, tokens: Tensor
    ) -> tuple[Tensor, TransformerState, Tensor]:
        """Read one token each, (B,): logits of the next one (B, V), next state, weights (B, Tk)."""
        check_tensor("tokens", tokens, "batch", kind="integers")
        if len(state) != len(tokens):
            raise ValueError(f"{len(tokens)} tokens for a state of {len(state)} rows")
        logits, state, weights = self.advance(state, tokens[:, None])
        return logits[:, 0], state, self.chosen(weights)[:, 0]

    def forward(self, memory: Memory | None, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Read whole targets (B, Tt), which begin with BOS: logits (B, Tt, V), weights (B, Tt, Tk).

        A language model gets None as memory, and Tk is Tt.
        """
        logits, weights = self._read(memory, tokens)
        return logits, self.chosen(weights)

    def weights(self, memory: Memory | None, tokens: Tensor) -> LayerWeights:
        """The weights of every layer and head for whole targets (B, Tt), which begin with BOS."""
        return self._read(memory, tokens)[1]

    def _read(self, memory: Memory | None, tokens: Tensor) -> tuple[Tensor, LayerWeights]:
        check_tensor("tokens", tokens, "batch", "positions", kind="integers")
        B = len(tokens)
        if memory is not None and len(memory) != B:
            raise ValueError(f"{B} targets for a memory of {len(memory)} inputs")
        logits, _, weights = self.advance(self.start(B if memory is None else memory), tokens)
        return logits, weights
