"""Tiled attention is exact, forward and backward; linear attention is its formula."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_utils.attention import Attention, ScaledDotScore, causal_mask, length_mask, to_sdpa_mask
from course_utils.efficient_attention import linear_attention, tiled_attention
from tools.tiny import quick

D, DV = 6, 4
SIZES, SEEDS = st.integers(1, 7), st.integers(0, 10**6)


def close(found, expected, tolerance=1e-5):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


def tensors(b, tq, tk, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(b, t, d, generator=generator) for t, d in ((tq, D), (tk, D), (tk, DV))]
    made[0] *= scale
    return [tensor.requires_grad_() for tensor in made]


def random_mask(shape, seed):
    """About half of the keys; often, a row has none."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) > 0.5


def with_gradients(attend, inputs):
    context = attend(*inputs)
    uneven = torch.randn(context.shape, generator=torch.Generator().manual_seed(1))
    return [context.detach(), *torch.autograd.grad((context * uneven).sum(), inputs)]


@given(
    b=SIZES,
    tq=SIZES,
    tk=SIZES,
    tile=st.integers(1, 9),
    kind=st.sampled_from(["none", "keys", "queries", "one key"]),
    scale=st.sampled_from([1.0, 30.0]),
    seed=SEEDS,
)
@quick
def test_tiled_attention_is_plain_attention(b, tq, tk, tile, kind, scale, seed):
    shape = {"keys": (b, tk), "queries": (b, tq, tk), "one key": (b, tq, 1), "none": (1,)}[kind]
    mask = None if kind == "none" else random_mask(shape, seed)
    inputs = tensors(b, tq, tk, seed, scale)
    plain = Attention(ScaledDotScore(D, D))
    found = with_gradients(
        lambda q, k, v: tiled_attention(q, k, v, attend_mask=mask, tile=tile), inputs
    )
    expected = with_gradients(lambda q, k, v: plain(q, k, v, attend_mask=mask)[0], inputs)
    for one, other in zip(found, expected, strict=True):
        assert one.isfinite().all()
        close(one, other, 1e-4)
    if kind == "keys":
        empty = ~mask.any(dim=1)
        assert not found[0][empty].any() and not found[1][empty].any()


@pytest.mark.parametrize("tile", [2, 5, 64])
def test_tiled_attention_is_that_of_pytorch(tile):
    inputs = tensors(3, 7, 7, seed=0)
    mask = causal_mask(7) & length_mask(torch.tensor([7, 3, 5]), 7)[:, None]
    found = with_gradients(
        lambda q, k, v: tiled_attention(q, k, v, attend_mask=mask, tile=tile), inputs
    )
    expected = with_gradients(
        lambda q, k, v: F.scaled_dot_product_attention(
            q[:, None], k[:, None], v[:, None], attn_mask=to_sdpa_mask(mask)
        )[:, 0],
        inputs,
    )
    for one, other in zip(found, expected, strict=True):
        close(one, other)


def test_gradients_agree_with_finite_differences():
    inputs = [tensor.detach().double().requires_grad_() for tensor in tensors(2, 3, 5, seed=4)]
    mask = random_mask((2, 3, 5), 2)
    assert torch.autograd.gradcheck(
        lambda q, k, v: tiled_attention(q, k, v, attend_mask=mask, tile=2), inputs
    )


def test_nothing_of_the_size_of_the_weights_is_kept():
    """Between the passes, only what grows with the length is kept, not with its square."""
    T, kept = 300, []
    inputs = tensors(1, T, T, seed=0)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        tiled_attention(*inputs, attend_mask=None, tile=16)
        assert max(kept) == T * D and sum(kept) < 5 * T * D
        Attention(ScaledDotScore(D, D))(*inputs, attend_mask=None)
        assert max(kept) == T * T


def test_large_scores_do_not_overflow():
    inputs = [1e4 * tensor.detach() for tensor in tensors(1, 3, 9, seed=1)]
    found = tiled_attention(*inputs, attend_mask=None, tile=2)
    close(found, Attention(ScaledDotScore(D, D))(*inputs, attend_mask=None)[0])


@given(b=SIZES, tq=SIZES, tk=SIZES, masked=st.booleans(), causal=st.booleans(), seed=SEEDS)
@quick
def test_linear_attention_is_its_formula(b, tq, tk, masked, causal, seed):
    tq = tk if causal else tq
    q, k, v = (tensor.detach() for tensor in tensors(b, tq, tk, seed))
    mask = random_mask((b, tk), seed) if masked else torch.ones(b, tk, dtype=torch.bool)
    found = linear_attention(q, k, v, attend_mask=mask if masked else None, causal=causal)
    for row in range(b):
        for i in range(tq):
            context, total = torch.zeros(DV), 0.0
            for j in range(tk):
                if mask[row, j] and not (causal and j > i):
                    phi = [
                        [x + 1 if x > 0 else math.exp(x) for x in t.tolist()]
                        for t in (q[row, i], k[row, j])
                    ]
                    weight = sum(x * y for x, y in zip(*phi, strict=True))
                    context, total = context + weight * v[row, j], total + weight
            close(found[row, i], context / total if total else context, 1e-4)


def test_linear_attention_is_not_softmax():
    """It cannot become sharp: scaled queries make a softmax pick one key, but not this."""
    q, k, v = (tensor.detach() for tensor in tensors(1, 2, 6, seed=3))
    plain = Attention(ScaledDotScore(D, D))
    picked = v[0, (q @ k.transpose(1, 2))[0].argmax(dim=-1)]
    close(plain(1e4 * q, k, v, attend_mask=None)[0][0], picked)
    assert (linear_attention(1e4 * q, k, v)[0] - picked).abs().max() > 0.3


def test_errors():
    q, k, v = (tensor.detach() for tensor in tensors(2, 3, 5, seed=0))
    for attend in (tiled_attention, linear_attention):
        with pytest.raises(ValueError, match="every key needs a value"):
            attend(q, k, v[:, 1:], attend_mask=None)
        with pytest.raises(TypeError, match="boolean"):
            attend(q, k, v, attend_mask=torch.ones(2, 5))
    with pytest.raises(ValueError, match="tile=0"):
        tiled_attention(q, k, v, attend_mask=None, tile=0)
    with pytest.raises(ValueError, match="another batch"):
        tiled_attention(q, k, v, attend_mask=torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="as many queries as keys, got 3 and 5"):
        linear_attention(q, k, v, causal=True)
    with pytest.raises(ValueError, match=r"\(2, 5\), the same keys"):
        linear_attention(q, k, v, attend_mask=causal_mask(5))
