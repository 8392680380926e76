"""Other ways to make weights of scores, in place of `masked_softmax`: most weights become zero.

Each is a function of scores (…, Tk) and a mask, like `course_utils.attention.masked_softmax`. Give
it to an attention by ``attention.weigh = sparsemax``, or to a model by its name in `WEIGHINGS`.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from course_utils.attention import masked_softmax
from course_utils.checks import check_mask, check_tensor

__all__ = ["WEIGHINGS", "sparsemax", "top_softmax"]


def sparsemax(scores: Tensor, attend_mask: Tensor | None) -> Tensor:
    """The weights nearest to the scores; many are exactly zero (Martins & Astudillo 2016, eq. 2).

    α_i = max(e_i − τ, 0), where τ makes them sum to one (their algorithm 1). Parameters, result
    and errors are those of `masked_softmax`: a row without any allowed key gives zeros.
    """
    shifted = _allowed(scores.float(), attend_mask)
    top = shifted.max(dim=-1, keepdim=True).values
    shifted = shifted - top.masked_fill(top.isneginf(), 0.0)  # now the largest score is 0
    ordered = shifted.sort(dim=-1, descending=True).values.clamp_min(-2.0)  # τ is never below −1
    total, count = ordered.cumsum(dim=-1), torch.arange(1, scores.shape[-1] + 1)
    inside = (1 + count.to(scores.device) * ordered > total).sum(dim=-1, keepdim=True)
    threshold = (total.gather(-1, inside - 1) - 1) / inside
    return (shifted - threshold).clamp_min(0.0).to(scores.dtype)


def top_softmax(scores: Tensor, attend_mask: Tensor | None, count: int = 4) -> Tensor:
    """Hard attention to ``count`` keys: `masked_softmax` over the largest scores of each row.

    Equal scores at the border are all kept. The other parameters and the errors are those of
    `masked_softmax`; ValueError for a ``count`` below 1.
    """
    if count < 1:
        raise ValueError(f"a row keeps at least one key, got count={count}")
    allowed = _allowed(scores, attend_mask)
    least = allowed.topk(min(count, scores.shape[-1]), dim=-1).values[..., -1:]
    return masked_softmax(allowed, allowed >= least)


def _allowed(scores: Tensor, attend_mask: Tensor | None) -> Tensor:
    """The scores, -inf where the mask forbids; errors as in `masked_softmax`."""
    check_tensor("scores", scores, kind="floats")
    if attend_mask is None:
        return scores
    check_mask(attend_mask)
    return scores.masked_fill(~attend_mask, -math.inf)


# What a model may call them.
WEIGHINGS: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "softmax": masked_softmax,
    "sparsemax": sparsemax,
    "top4": partial(top_softmax, count=4),
    "top1": partial(top_softmax, count=1),
}
