"""Attention: scores, masked softmax, single- and multi-head attention.

Shape letters of the whole course: B batch, Tq/Tk number of queries/keys, D width, H heads.

One mask convention: ``attend_mask`` is boolean, and True means *this query may attend to this key*.
It has shape (B, Tk), the same keys for every query, or (B, Tq, Tk); a dimension of size 1 is
broadcast. A query whose keys are all masked gets zero weights and a zero context, never NaN.
`to_key_padding_mask` and `to_sdpa_mask` convert to PyTorch's two conventions.

Built by hand in notebooks 01 and 02, imported from there on.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.checks import check_mask, check_tensor, peek
from course_utils.memory import Rows

__all__ = [
    "AdditiveScore",
    "Attention",
    "CoverageScore",
    "DotScore",
    "GeneralScore",
    "KeyValueCache",
    "LocationScore",
    "MultiHeadAttention",
    "SCORES",
    "ScaledDotScore",
    "Score",
    "causal_mask",
    "length_mask",
    "make_score",
    "masked_softmax",
    "to_key_padding_mask",
    "to_sdpa_mask",
]


# --- masks ------------------------------------------------------------------------------------


def length_mask(lengths: Tensor, max_length: int | None = None) -> Tensor:
    """Mask of shape (B, Tk) that lets a query attend to the first ``lengths[b]`` keys.

    ``lengths`` is an integer tensor (B,); Tk is ``max_length`` or, without it, the longest length.
    Inside `torch.vmap` and on the device "meta", where no length can be read, ``max_length`` is
    needed. Raises ValueError without it, for lengths of another kind, and for lengths that are
    negative or above ``max_length``.
    """
    check_tensor("lengths", lengths, "batch", kind="integers")
    longest = peek(lengths.max()) if len(lengths) else 0
    width = longest if max_length is None else max_length
    if width is None:
        raise ValueError("max_length is needed where the lengths cannot be read (vmap, meta)")
    if longest is not None and longest > width:
        raise ValueError(f"a length of {longest} does not fit into max_length={width}")
    if len(lengths) and (shortest := peek(lengths.min())) is not None and shortest < 0:
        raise ValueError(f"a length cannot be negative, got {shortest}")
    return torch.arange(width, device=lengths.device)[None, :] < lengths[:, None]


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Mask of shape (1, length, length): position i may attend to positions 0..i.

    Raises ValueError for a negative length.
    """
    if length < 0:
        raise ValueError(f"a length cannot be negative, got {length}")
    return torch.ones(1, length, length, dtype=torch.bool, device=device).tril()


def expand_mask(attend_mask: Tensor | None, shape: tuple[int, int, int]) -> Tensor | None:
    """The mask with three dimensions, checked against scores of ``shape`` (B, Tq, Tk).

    Raises TypeError unless it is boolean, and ValueError if its sizes do not fit.
    """
    if attend_mask is None:
        return None
    check_mask(attend_mask)
    B, Tq, Tk = shape
    mask = attend_mask[:, None, :] if attend_mask.dim() == 2 else attend_mask
    fits = mask.dim() == 3 and all(m in (1, n) for m, n in zip(mask.shape, shape, strict=True))
    if not fits:
        raise ValueError(
            f"attend_mask of shape {tuple(attend_mask.shape)} fits neither (B, Tk) = {(B, Tk)} "
            f"nor (B, Tq, Tk) = {(B, Tq, Tk)}; is it the mask of another batch?"
        )
    return mask


def to_key_padding_mask(attend_mask: Tensor) -> Tensor:
    """Our (B, Tk) mask as ``key_padding_mask`` of `torch.nn.MultiheadAttention`: True = ignore.

    Raises TypeError unless it is boolean, and ValueError for a mask (B, Tq, Tk), which is an
    ``attn_mask``.
    """
    check_mask(attend_mask)
    if attend_mask.dim() != 2:
        raise ValueError(
            f"key_padding_mask has one row of keys per sentence, (B, Tk); got "
            f"{tuple(attend_mask.shape)}: a mask per query goes into attn_mask"
        )
    return ~attend_mask


def to_sdpa_mask(attend_mask: Tensor) -> Tensor:
    """Our mask as ``attn_mask`` of `F.scaled_dot_product_attention`, (B, 1, Tq or 1, Tk).

    There, too, True means *attend*; only the dimension of the heads is added. Raises TypeError
    unless the mask is boolean, and ValueError unless it is (B, Tk) or (B, Tq, Tk).
    """
    check_mask(attend_mask)
    if attend_mask.dim() not in (2, 3):
        raise ValueError(
            f"attend_mask must have shape (B, Tk) or (B, Tq, Tk), got {tuple(attend_mask.shape)}"
        )
    mask = attend_mask[:, None, :] if attend_mask.dim() == 2 else attend_mask
    return mask[:, None, :, :]


def masked_softmax(scores: Tensor, attend_mask: Tensor | None) -> Tensor:
    """Softmax over the last dimension, restricted to the allowed keys.

    ``attend_mask`` is boolean, broadcastable to ``scores``, True = may attend; None allows all.
    A row without any allowed key (or whose allowed keys all have the score -inf) gives zeros, and
    gradients stay finite. The sum is computed in float32 or wider; the result has the type of
    ``scores``.

    Raises TypeError for a mask that is not boolean, and ValueError for scores that are not floats
    or for a mask that does not broadcast to them.
    """
    check_tensor("scores", scores, kind="floats")
    wide = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
    if attend_mask is None:
        return wide.softmax(dim=-1).to(scores.dtype)
    check_mask(attend_mask)
    missing = scores.dim() - attend_mask.dim()
    if missing < 0 or any(
        m not in (1, n) for m, n in zip(attend_mask.shape, scores.shape[missing:], strict=True)
    ):
        raise ValueError(
            f"attend_mask of shape {tuple(attend_mask.shape)} does not broadcast to scores of "
            f"shape {tuple(scores.shape)}; is it the mask of another batch?"
        )
    allowed = wide.masked_fill(~attend_mask, -math.inf)
    # The softmax of a row of nothing but -inf would be 0/0 = NaN, so such a row gets equal scores
    # first and zeros afterwards. Most masks have no such row, and then this is not needed.
    empty = allowed.isneginf().all(dim=-1, keepdim=True)
    if peek(empty.any()) is False:
        return allowed.softmax(dim=-1).to(scores.dtype)
    weights = allowed.masked_fill(empty, 0.0).softmax(dim=-1)
    return weights.masked_fill(empty, 0.0).to(scores.dtype)


# --- scores -----------------------------------------------------------------------------------


class Score(nn.Module):
    """How well a query fits a key. ``prepare`` computes once what depends on the keys alone.

    ``score(query, score.prepare(keys))``: query (B, Tq, Dq), keys (B, Tk, Dk) → (B, Tq, Tk).

    A subclass declares two things. Its settings are the parameters of its ``__init__`` after
    ``query_dim`` and ``key_dim``; `make_score` accepts these and no others. And if it depends on
    earlier steps, it says on what, and then it sees one query at a time, (B, 1, Dq):

    ``looks_back``      the weights of the previous step: ``score(query, prepared, previous)`` with
                        previous (B, Tk), zero before the first step
    ``reads_coverage``  the sum of the weights of all previous steps: ``coverage=`` (B, Tk)
    """

    looks_back = False
    reads_coverage = False

    def __init__(self, query_dim: int, key_dim: int):
        super().__init__()
        self.query_dim, self.key_dim = query_dim, key_dim

    def prepare(self, keys: Tensor) -> Tensor:
        """Everything that depends on the keys alone, (B, Tk, ·); identity unless overridden."""
        check_tensor("keys", keys, "batch", "positions", self.key_dim, kind="floats")
        return keys

    @classmethod
    def settings(cls) -> tuple[str, ...]:
        """The names of what can be set beside the two widths."""
        names = tuple(inspect.signature(cls).parameters)
        return tuple(name for name in names if name not in ("query_dim", "key_dim"))

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        raise NotImplementedError("a Score computes its scores in forward(query, prepared)")

    def check(self, query: Tensor, prepared: Tensor) -> None:
        """Raise ValueError unless query is (B, Tq, Dq) and the prepared keys are (B, Tk, ·)."""
        check_tensor("query", query, "batch", "positions", self.query_dim, kind="floats")
        check_tensor("prepared keys", prepared, "batch", "positions", "width", kind="floats")
        check_batch(query, prepared)


def check_batch(query: Tensor, keys: Tensor) -> None:
    """Raise ValueError unless queries and keys have one batch size."""
    if query.shape[0] != keys.shape[0]:
        raise ValueError(
            f"query has batch size {query.shape[0]}, keys have {keys.shape[0]}; "
            "expand the memory when several hypotheses share it"
        )


class DotScore(Score):
    """e = q·k (Luong et al. 2015, eq. 8 "dot"). Query and key have the same width."""

    def __init__(self, query_dim: int, key_dim: int):
        super().__init__(query_dim, key_dim)
        if query_dim != key_dim:
            raise ValueError(
                f"a dot product needs query and key of one width, got {query_dim} and {key_dim}; "
                "GeneralScore and AdditiveScore accept different widths"
            )
        self.scale = 1.0

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        self.check(query, prepared)
        # The query is scaled, not the product, which may be too large for half precision.
        return (query * self.scale) @ prepared.transpose(1, 2)


class ScaledDotScore(DotScore):
    """e = q·k / √d (Vaswani et al. 2017, eq. 1)."""

    def __init__(self, query_dim: int, key_dim: int):
        super().__init__(query_dim, key_dim)
        self.scale = 1.0 / math.sqrt(key_dim)


class GeneralScore(Score):
    """e = qᵀ W k, the bilinear score (Luong et al. 2015, eq. 8 "general")."""

    def __init__(self, query_dim: int, key_dim: int):
        super().__init__(query_dim, key_dim)
        self.W = nn.Linear(key_dim, query_dim, bias=False)

    def prepare(self, keys: Tensor) -> Tensor:
        return self.W(super().prepare(keys))  # (B, Tk, Dq)

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        self.check(query, prepared)
        return query @ prepared.transpose(1, 2)


class AdditiveScore(Score):
    """e_i = vᵀ tanh(W_a h_i + U_a s) for key h_i and query s (Bahdanau et al. 2015, A.1.2).

    The paper swaps the names of the two matrices (W_a for s, U_a for h_i).
    ``attention_dim`` is the width of the hidden layer, by default that of the query.
    """

    def __init__(self, query_dim: int, key_dim: int, attention_dim: int | None = None):
        super().__init__(query_dim, key_dim)
        attention_dim = query_dim if attention_dim is None else attention_dim
        self.W_a = nn.Linear(key_dim, attention_dim, bias=False)
        self.U_a = nn.Linear(query_dim, attention_dim, bias=False)
        self.v = nn.Linear(attention_dim, 1, bias=False)

    def prepare(self, keys: Tensor) -> Tensor:
        return self.W_a(super().prepare(keys))  # (B, Tk, A)

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        self.check(query, prepared)
        hidden = torch.tanh(self.U_a(query)[:, :, None, :] + prepared[:, None, :, :])
        return self.v(hidden).squeeze(-1)  # (B, Tq, Tk, A) → (B, Tq, Tk)


class LocationScore(AdditiveScore):
    """e_i = vᵀ tanh(W_a h_i + U_a s + U f_i), f = F ∗ α_{t−1} (Chorowski et al. 2015, eq. 8–9).

    The convolution F (``filters`` filters, each ``width`` positions wide) reads the weights of the
    previous step, so that the score can ask for *the next position*, whatever its key is.
    """

    looks_back = True

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        attention_dim: int | None = None,
        filters: int = 8,
        width: int = 15,
    ):
        super().__init__(query_dim, key_dim, attention_dim)
        if width % 2 == 0:
            raise ValueError(f"width={width} must be odd: as many positions before as after")
        self.F = nn.Conv1d(1, filters, width, padding=width // 2, bias=False)
        self.U = nn.Linear(filters, self.v.in_features, bias=False)

    def forward(self, query: Tensor, prepared: Tensor, previous: Tensor | None = None) -> Tensor:
        self.check(query, prepared)
        previous = _check_history("location", "previous", query, prepared, previous)
        found = self.F(previous[:, None, :]).transpose(1, 2)  # (B, Tk, filters)
        hidden = torch.tanh(self.U_a(query) + prepared + self.U(found))  # (B, Tk, A)
        return self.v(hidden).transpose(1, 2)  # (B, 1, Tk)


class CoverageScore(AdditiveScore):
    """e_i = vᵀ tanh(W_a h_i + U_a s + w_c c_i), c = Σ_{t'<t} α_{t'} (See et al. 2017, eq. 10–11).

    The coverage c_i says how much attention position i has received so far. With it, the score can
    turn away from what has been read. (We leave out the bias of the paper's equation 11.)
    """

    reads_coverage = True

    def __init__(self, query_dim: int, key_dim: int, attention_dim: int | None = None):
        super().__init__(query_dim, key_dim, attention_dim)
        self.w_c = nn.Linear(1, self.v.in_features, bias=False)

    def forward(self, query: Tensor, prepared: Tensor, *, coverage: Tensor | None = None) -> Tensor:
        self.check(query, prepared)
        coverage = _check_history("coverage", "coverage", query, prepared, coverage)
        hidden = torch.tanh(self.U_a(query) + prepared + self.w_c(coverage[:, :, None]))
        return self.v(hidden).transpose(1, 2)  # (B, Tk, A) → (B, 1, Tk)


def _check_history(
    score: str, name: str, query: Tensor, prepared: Tensor, weights: Tensor | None
) -> Tensor:
    """Weights of earlier steps, if they are there and fit one query."""
    B, Tk, _ = prepared.shape
    if query.shape[1] != 1 or weights is None or weights.shape != (B, Tk):
        raise ValueError(
            f"the {score} score takes one query at a time and, as {name}, weights (B, Tk) = "
            f"{(B, Tk)} of earlier steps; got queries {tuple(query.shape)} and {name} "
            f"{None if weights is None else tuple(weights.shape)}"
        )
    return weights


SCORES: dict[str, type[Score]] = {
    "dot": DotScore,
    "scaled_dot": ScaledDotScore,
    "general": GeneralScore,
    "additive": AdditiveScore,
}
# These also read the weights of earlier steps, so they see one query at a time.
LOOKING_BACK: dict[str, type[Score]] = {"location": LocationScore, "coverage": CoverageScore}


def make_score(name: str, query_dim: int, key_dim: int, **settings: int | None) -> Score:
    """A score by its name, one of `SCORES` or of `LOOKING_BACK`.

    ``settings`` are those that the score's class declares (see `Score`); None stands for the
    default. Raises ValueError, naming the score and its settings, for any other.
    """
    known = SCORES | LOOKING_BACK
    if name not in known:
        raise ValueError(f"unknown score {name!r}; choose from {', '.join(known)}")
    given = {setting: value for setting, value in settings.items() if value is not None}
    accepted = known[name].settings()
    if not set(given) <= set(accepted):
        has = f"the settings {', '.join(accepted)}" if accepted else "no settings"
        got = ", ".join(f"{setting}={value!r}" for setting, value in given.items())
        raise ValueError(f"the score {name!r} has {has}; got {got}")
    return known[name](query_dim, key_dim, **given)


# --- attention --------------------------------------------------------------------------------


def check_sizes(query: Tensor, keys: Tensor, values: Tensor) -> None:
    """Raise ValueError unless every key has a value, and queries and keys have one batch size."""
    for name, tensor in (("query", query), ("keys", keys), ("values", values)):
        check_tensor(name, tensor, "batch", "positions", "width", kind="floats")
    if keys.shape[:2] != values.shape[:2]:
        raise ValueError(
            f"every key needs a value: keys are {tuple(keys.shape)}, "
            f"values {tuple(values.shape)} (batch, positions, width)"
        )
    check_batch(query, keys)


class Attention(nn.Module):
    """Score, masked softmax, weighted sum: α = softmax(e), context = Σ_i α_i v_i.

    ``attention(query, keys, values, attend_mask=…)`` with query (B, Tq, Dq), keys (B, Tk, Dk),
    values (B, Tk, Dv) returns the context (B, Tq, Dv) and the weights (B, Tq, Tk).
    The mask has no default: attending to everything is a decision that the caller writes down.
    If many queries are compared with the same keys, prepare the keys once:
    ``attention(query, attention.prepare(keys), values, attend_mask=…, prepared=True)``.
    ``previous`` (B, Tk), the weights of the previous step, is for a score that ``looks_back``;
    ``coverage`` (B, Tk), the sum of those of all previous steps, for one that ``reads_coverage``.
    """

    def __init__(self, score: Score):
        super().__init__()
        self.score = score
        # A score built by hand need not declare what it does not read.
        self.looks_back = getattr(score, "looks_back", False)
        self.reads_coverage = getattr(score, "reads_coverage", False)

    @property
    def sequential(self) -> bool:
        """True if the score depends on earlier weights, so that it takes one query at a time."""
        return self.looks_back or self.reads_coverage

    def prepare(self, keys: Tensor) -> Tensor:
        """What the score computes from the keys alone."""
        return self.score.prepare(keys)

    def forward(
        self,
        query: Tensor,
        keys: Tensor,
        values: Tensor,
        *,
        attend_mask: Tensor | None,
        prepared: bool = False,
        previous: Tensor | None = None,
        coverage: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        check_sizes(query, keys, values)
        before = (previous,) if self.looks_back else ()
        total = {"coverage": coverage} if self.reads_coverage else {}
        scores = self.score(query, keys if prepared else self.prepare(keys), *before, **total)
        weights = masked_softmax(scores, expand_mask(attend_mask, tuple(scores.shape)))
        return weights @ values, weights


@dataclass(frozen=True)
class KeyValueCache(Rows):
    """Projected keys and values of the positions read so far, for `MultiHeadAttention.attend`.

    keys    (B, H, T, D)
    values  (B, H, T, D)

    H is ``kv_heads``: fewer than the heads of the queries if these share keys and values.
    ``select(rows)`` takes some rows of the batch, as beam search needs it.
    """

    keys: Tensor
    values: Tensor

    @property
    def length(self) -> int:
        """T, the number of positions."""
        return self.keys.shape[2]

    def append(self, new: "KeyValueCache") -> "KeyValueCache":
        """The cache with more positions at its end; raises ValueError unless B, H and D agree."""
        (B, H, _, D), (b, h, _, d) = self.keys.shape, new.keys.shape
        if (B, H, D) != (b, h, d):
            raise ValueError(
                f"a cache of {B} rows, {H} heads and width {D} cannot be extended by one of {b} "
                f"rows, {h} heads and width {d}"
            )
        keys, values = torch.cat([self.keys, new.keys], 2), torch.cat([self.values, new.values], 2)
        return KeyValueCache(keys, values)


class MultiHeadAttention(nn.Module):
    """H scaled-dot attentions side by side, each on its own projection.

    Vaswani et al. 2017, section 3.2.2.

    ``query_dim`` is split into ``heads`` parts of equal width. Keys and values may have other
    widths. Returns (B, Tq, query_dim) and the weights of every head, (B, H, Tq, Tk);
    `torch.nn.MultiheadAttention` by default reports their mean over the heads.

    ``dropout`` acts on the weights, in training only. The weights that are returned are those
    *before* dropout, so they always sum to one. (PyTorch returns those after it.)

    The call is ``attend(query, project(keys, values), attend_mask=…)``. Written this way, the
    projections can be kept: once for a memory that all steps read, or in a cache that grows with
    every token, so that a causal model computes each key and value only once:

        cache = attention.empty_cache(batch_size)
        for x in inputs.split(1, dim=1):                            # (B, 1, query_dim)
            cache = cache.append(attention.project(x, x, first=cache.length))
            context, weights = attention.attend(x, cache, attend_mask=None)

    ``kv_heads`` makes several heads share the same keys and values, so that the cache is smaller:
    head h reads those of number h // (heads / kv_heads). One for all heads is multi-query attention
    (Shazeer 2019), any other number grouped-query attention (Ainslie et al. 2023).

    ``share_kv`` uses one map for both: the keys of an input are also its values.
    """

    def __init__(
        self,
        query_dim: int,
        heads: int,
        key_dim: int | None = None,
        value_dim: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        kv_heads: int | None = None,
        share_kv: bool = False,
    ):
        super().__init__()
        if heads < 1 or query_dim % heads:
            raise ValueError(f"query_dim={query_dim} cannot be split into {heads} equal heads")
        self.heads, self.head_dim = heads, query_dim // heads
        self.kv_heads = heads if kv_heads is None else kv_heads
        if self.kv_heads < 1 or heads % self.kv_heads:
            raise ValueError(f"{heads} heads cannot share kv_heads={kv_heads} in equal groups")
        width = self.kv_heads * self.head_dim
        key_dim = query_dim if key_dim is None else key_dim
        value_dim = query_dim if value_dim is None else value_dim
        if share_kv and key_dim != value_dim:
            raise ValueError(
                f"keys {key_dim} wide and values {value_dim} wide cannot share a map: key_dim and "
                f"value_dim are to be equal (by default they are query_dim={query_dim})"
            )
        self.W_q = nn.Linear(query_dim, query_dim, bias=bias)
        self.W_k = nn.Linear(key_dim, width, bias=bias)
        self.W_v = self.W_k if share_kv else nn.Linear(value_dim, width, bias=bias)
        self.W_o = nn.Linear(query_dim, query_dim, bias=bias)
        self.dropout = nn.Dropout(dropout)
        # Another function of scores and mask may take its place.
        self.weigh: Callable[[Tensor, Tensor | None], Tensor] = masked_softmax

    def split(self, tensor: Tensor) -> Tensor:
        """(B, T, H·D) → (B, H, T, D): give every head its part of the width."""
        return tensor.unflatten(2, (-1, self.head_dim)).transpose(1, 2)

    def place(self, tensor: Tensor, first: int) -> Tensor:
        """Queries or keys (B, H, T, D) of the positions from ``first`` on; here, as they are.

        A subclass in which scores depend on positions overrides this.
        """
        return tensor

    def project(self, keys: Tensor, values: Tensor, first: int = 0) -> KeyValueCache:
        """What depends on keys (B, Tk, ·) and values (B, Tk, ·) alone; ValueError for others.

        ``first`` is the position of the first key: the length of the cache that it is appended to.
        """
        for name, tensor, linear in (("keys", keys, self.W_k), ("values", values, self.W_v)):
            check_tensor(name, tensor, "batch", "positions", linear.in_features, kind="floats")
        mapped = self.split(self.W_k(keys))
        once = self.W_v is self.W_k and values is keys
        found = mapped if once else self.split(self.W_v(values))
        return KeyValueCache(self.place(mapped, first), found)

    def empty_cache(self, batch_size: int) -> KeyValueCache:
        """A cache of no positions for ``batch_size`` rows."""
        nothing = self.W_k.weight.new_zeros(batch_size, self.kv_heads, 0, self.head_dim)
        return KeyValueCache(nothing, nothing)

    def attend(
        self, query: Tensor, cache: KeyValueCache, *, attend_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Context (B, Tq, query_dim) and weights (B, H, Tq, Tk) of query (B, Tq, query_dim).

        Where positions count (see `place`), the queries are at the last Tq positions of the cache.
        """
        check_tensor("query", query, "batch", "positions", self.W_q.in_features, kind="floats")
        B, Tq, _ = query.shape
        if len(cache) != B:
            raise ValueError(f"query has batch size {B}, the cache has {len(cache)}")
        q = self.place(self.split(self.W_q(query)), cache.length - Tq) / math.sqrt(self.head_dim)
        # Heads that share keys are like further queries of one head.
        grouped = (B, self.kv_heads, self.heads // self.kv_heads * Tq)
        scores = q.reshape(*grouped, self.head_dim) @ cache.keys.transpose(2, 3)
        scores = scores.reshape(B, self.heads, Tq, cache.length)
        mask = expand_mask(attend_mask, (B, Tq, cache.length))
        weights = self.weigh(scores, None if mask is None else to_sdpa_mask(mask))
        found = self.dropout(weights).reshape(*grouped, cache.length) @ cache.values
        context = found.reshape(B, self.heads, Tq, self.head_dim).transpose(1, 2).flatten(2)
        return self.W_o(context), weights

    def forward(
        self, query: Tensor, keys: Tensor, values: Tensor, *, attend_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        check_sizes(query, keys, values)
        return self.attend(query, self.project(keys, values), attend_mask=attend_mask)

    @classmethod
    def from_torch(cls, layer: nn.MultiheadAttention) -> "MultiHeadAttention":
        """Our layer with a copy of PyTorch's weights, its dropout, mode, device and type.

        Raises TypeError for another layer, ValueError for settings without a counterpart here.
        """
        if not isinstance(layer, nn.MultiheadAttention):
            raise TypeError(f"expected a torch.nn.MultiheadAttention, got {type(layer).__name__}")
        if layer.bias_k is not None or layer.add_zero_attn:
            raise ValueError("add_bias_kv and add_zero_attn have no counterpart here")
        ours = cls(
            layer.embed_dim,
            layer.num_heads,
            layer.kdim,
            layer.vdim,
            layer.in_proj_bias is not None,
            layer.dropout,
        ).train(layer.training)
        ours.to(layer.out_proj.weight)
        apart = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
        weights = apart if layer.in_proj_weight is None else layer.in_proj_weight.chunk(3)
        with torch.no_grad():
            for linear, weight in zip((ours.W_q, ours.W_k, ours.W_v), weights, strict=True):
                linear.weight.copy_(weight)
            ours.W_o.weight.copy_(layer.out_proj.weight)
            if layer.in_proj_bias is not None:
                biases = layer.in_proj_bias.chunk(3)
                for linear, bias in zip((ours.W_q, ours.W_k, ours.W_v), biases, strict=True):
                    linear.bias.copy_(bias)
                ours.W_o.bias.copy_(layer.out_proj.bias)
        return ours
