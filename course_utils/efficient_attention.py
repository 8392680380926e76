"""Attention in less memory: exactly, tile by tile, or in linear time with another kernel.

Both compute scaled dot-product attention of query (B, Tq, D), keys (B, Tk, D) and values
(B, Tk, Dv) without ever holding the weights (B, Tq, Tk), so neither can return them. Heads are
further rows of the batch: ``tensor.flatten(0, 1)`` of (B, H, T, D).

Taught in notebook 10.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.attention import check_sizes, expand_mask
from course_utils.checks import check_mask

__all__ = ["linear_attention", "tiled_attention"]


class _Tiled(torch.autograd.Function):
    """Forward and backward pass over tiles of keys; what is kept between them is O(T)."""

    @staticmethod
    def scores(q: Tensor, k: Tensor, mask: Tensor | None, tile: slice) -> Tensor:
        e = q @ k[:, tile].transpose(1, 2) / math.sqrt(q.shape[-1])
        return e if mask is None else e.masked_fill(~_columns(mask, tile), -math.inf)

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, size: int
    ) -> Tensor:
        highest = q.new_full((*q.shape[:2], 1), -math.inf)  # score so far
        total = torch.zeros_like(highest)  # Σ exp(score − highest)
        context = q.new_zeros(*q.shape[:2], v.shape[2])  # Σ exp(score − highest) · value
        for tile in _tiles(k, size):
            e = _Tiled.scores(q, k, mask, tile)
            before, highest = highest, torch.maximum(highest, e.amax(-1, keepdim=True))
            base = highest.masked_fill(highest.isneginf(), 0.0)  # nothing allowed yet
            fade, p = (before - base).exp(), (e - base).exp()
            total = total * fade + p.sum(-1, keepdim=True)
            context = context * fade + p @ v[:, tile]
        context = torch.where(total > 0, context / total, 0.0)
        log_total = torch.where(total > 0, highest + total.log(), 0.0)
        ctx.save_for_backward(q, k, v, mask, context, log_total)
        ctx.size = size
        return context

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        q, k, v, mask, context, log_total = ctx.saved_tensors
        dq, dk, dv = (torch.zeros_like(tensor) for tensor in (q, k, v))
        mean = (grad * context).sum(-1, keepdim=True)
        for tile in _tiles(k, ctx.size):
            p = (_Tiled.scores(q, k, mask, tile) - log_total).exp()  # the weights, once more
            de = p * (grad @ v[:, tile].transpose(1, 2) - mean) / math.sqrt(q.shape[-1])
            dq += de @ k[:, tile]
            dk[:, tile] = de.transpose(1, 2) @ q
            dv[:, tile] = p.transpose(1, 2) @ grad
        return dq, dk, dv, None, None


def _tiles(keys: Tensor, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, keys.shape[1], size)]


def _columns(mask: Tensor, tile: slice) -> Tensor:
    return mask if mask.shape[2] == 1 else mask[:, :, tile]


def tiled_attention(
    query: Tensor, keys: Tensor, values: Tensor, *, attend_mask: Tensor | None, tile: int = 64
) -> Tensor:
    """Context (B, Tq, Dv) of scaled dot-product attention, from ``tile`` keys at a time.

    The softmax is computed *online* (Milakov & Gimelshein 2018, algorithm 3): where a tile has a
    higher score than all before it, sums so far are scaled down to the new maximum. The backward
    pass computes the weights once more instead of keeping them (Dao et al. 2022, algorithms 1 and
    4, which also divide the queries). So memory grows with T · tile, not with T².

    Result and gradients are those of the plain form, also for a fully masked row, which gives
    zeros. There are no gradients of gradients.

    Raises ValueError for sizes that do not fit and a tile below 1, and TypeError for a mask that is
    not boolean.
    """
    check_sizes(query, keys, values)
    if tile < 1:
        raise ValueError(f"a tile holds at least one key, got tile={tile}")
    mask = expand_mask(attend_mask, (query.shape[0], query.shape[1], keys.shape[1]))
    return _Tiled.apply(query, keys, values, mask, tile)


def linear_attention(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    attend_mask: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """Context (B, Tq, Dv) with weights proportional to φ(q)·φ(k), φ(x) = elu(x) + 1.

    Katharopoulos et al. 2020, eq. 5–7: without the exponential, the sum over the keys, Σ φ(k) vᵀ,
    does not depend on the query. It is computed once, so time grows with T, not with T². What is
    lost: the weights cannot become as sharp as those of a softmax, and a mask cannot be different
    for each query, except that it may be ``causal`` (section 3.3), which needs Tq = Tk.

    ``attend_mask`` is (B, Tk). Without any key, the context is zero. Raises ValueError for sizes
    that do not fit, and TypeError for a mask that is not boolean.
    """
    check_sizes(query, keys, values)
    (B, Tq, _), Tk = query.shape, keys.shape[1]
    if causal and Tq != Tk:
        raise ValueError(f"causal needs as many queries as keys, got {Tq} and {Tk}")
    q, k = F.elu(query) + 1, F.elu(keys) + 1
    if attend_mask is not None:
        check_mask(attend_mask)
        if attend_mask.shape != (B, Tk):
            raise ValueError(
                f"the mask of linear attention is (B, Tk) = {(B, Tk)}, the same keys for every "
                f"query; got {tuple(attend_mask.shape)}"
            )
        k = k * attend_mask[:, :, None]
    if causal:
        # The sums up to each position; a loop over positions would not need to hold them all.
        found = (k[:, :, :, None] * values[:, :, None, :]).cumsum(dim=1)  # (B, T, D, Dv)
        context, total = (q[:, :, None, :] @ found)[:, :, 0], (q * k.cumsum(dim=1)).sum(-1)
    else:
        context, total = q @ (k.transpose(1, 2) @ values), (q * k.sum(1, keepdim=True)).sum(-1)
    return torch.where(total[:, :, None] > 0, context / total[:, :, None], 0.0)
