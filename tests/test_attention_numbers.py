"""The attention layers beside PyTorch's: types, masks, nothing at all, vmap, meta, compile."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.attention import (
    Attention,
    MultiHeadAttention,
    causal_mask,
    length_mask,
    make_score,
    masked_softmax,
    to_sdpa_mask,
)
from tools.tiny import quick

# Relative to numbers of about 1.
TOLERANCE = {
    torch.float16: 5e-3,
    torch.bfloat16: 5e-2,
    torch.float32: 1e-5,
    torch.float64: 1e-12,
}
every_type = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


@st.composite
def cases(draw):
    """Sizes from 0, a mask of any allowed shape with any share of True, and a seed."""
    b, tq, tk = draw(st.integers(0, 4)), draw(st.integers(0, 5)), draw(st.integers(0, 6))
    heads, width = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    shape = draw(st.sampled_from([None, (b, tk), (1, tk), (b, tq, tk), (b, 1, tk), (1, tq, tk)]))
    seed = draw(st.integers(0, 10**6))
    share = draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    generator = torch.Generator().manual_seed(seed)
    mask = None if shape is None else torch.rand(shape, generator=generator) < share
    return (b, tq, tk, heads, width), mask, seed


def per_query(mask, b, tq, tk):
    """A mask as (B, Tq, Tk)."""
    if mask is None:
        return torch.ones(b, tq, tk, dtype=torch.bool)
    return to_sdpa_mask(mask)[:, 0].expand(b, tq, tk)


def finite_gradients(result, tensors):
    """Backpropagate, and say whether every gradient is a number."""
    result.float().square().sum().backward()
    return all(tensor.grad is not None and tensor.grad.isfinite().all() for tensor in tensors)


@every_type
@given(case=cases())
@quick
def test_one_head_equals_pytorch(dtype, case):
    (b, tq, tk, heads, width), mask, seed = case
    torch.manual_seed(seed)
    shapes = ((b, tq, heads * width), (b, tk, heads * width), (b, tk, heads * width + 2))
    tensors = [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]
    attention = Attention(make_score("scaled_dot", heads * width, heads * width))
    context, weights = attention(*tensors, attend_mask=mask)
    # PyTorch in double precision, of the same numbers: what any type should come close to.
    exact = [tensor.detach().double()[:, None] for tensor in tensors]
    allowed = per_query(mask, b, tq, tk)
    expected = F.scaled_dot_product_attention(*exact, attn_mask=allowed[:, None])[:, 0]
    expected = expected.masked_fill(~allowed.any(dim=-1, keepdim=True), 0.0)
    assert context.dtype == weights.dtype == dtype
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(context.double(), expected, atol=tolerance, rtol=tolerance)
    assert not weights[~allowed].any()
    assert finite_gradients(context, tensors)


@every_type
@given(case=cases(), bias=st.booleans())
@quick
def test_several_heads_equal_pytorch(dtype, case, bias):
    (b, tq, tk, heads, width), mask, seed = case
    torch.manual_seed(seed)
    size = heads * width
    theirs = nn.MultiheadAttention(
        size, heads, bias=bias, kdim=size + 1, vdim=size + 2, batch_first=True, dtype=dtype
    )
    ours = MultiHeadAttention.from_torch(theirs)
    shapes = ((b, tq, size), (b, tk, size + 1), (b, tk, size + 2))
    tensors = [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]
    context, weights = ours(*tensors, attend_mask=mask)
    assert context.shape == (b, tq, size) and weights.shape == (b, heads, tq, tk)
    assert context.dtype == weights.dtype == dtype
    assert finite_gradients(context, [*tensors, *ours.parameters()])
    allowed = per_query(mask, b, tq, tk)
    assert not weights.transpose(1, 2)[~allowed.any(dim=-1)].any()
    if not (b and tq and tk):  # PyTorch's layer takes nothing empty
        return
    exact = theirs.double()
    expected, per_head = exact(
        *(tensor.detach().double() for tensor in tensors),
        attn_mask=~allowed.repeat_interleave(heads, dim=0),
        average_attn_weights=False,
    )
    some = allowed.any(dim=-1)  # PyTorch gives NaN for the other rows
    tolerance = TOLERANCE[dtype]
    for found, right in (
        (context, expected),
        (weights.transpose(1, 2), per_head.transpose(1, 2)),
    ):
        torch.testing.assert_close(
            found[some].double(), right[some], atol=tolerance, rtol=4 * tolerance
        )


def test_large_scores_in_half_precision():
    """q·k is 40 · 40 · 64 = 102,400, more than float16 holds; q·k / √64 is 12,800."""
    inputs = torch.full((1, 3, 64), 40.0, dtype=torch.float16)
    context, _ = Attention(make_score("scaled_dot", 64, 64))(
        inputs, inputs, inputs, attend_mask=None
    )
    assert torch.equal(context, inputs)
    assert torch.equal(F.scaled_dot_product_attention(inputs, inputs, inputs), inputs)
    heads = MultiHeadAttention(128, 2).half()
    with torch.no_grad():
        for linear in (heads.W_q, heads.W_k, heads.W_v, heads.W_o):
            linear.weight.copy_(torch.eye(128))
            linear.bias.zero_()
    inputs = torch.full((1, 3, 128), 40.0, dtype=torch.float16)
    context, _ = heads(inputs, inputs, inputs, attend_mask=None)
    assert torch.equal(context, inputs)


@every_type
def test_a_layer_of_pytorch_keeps_its_type(dtype):
    ours = MultiHeadAttention.from_torch(nn.MultiheadAttention(6, 3, kdim=4, dtype=dtype))
    assert {parameter.dtype for parameter in ours.parameters()} == {dtype}
    meta = MultiHeadAttention.from_torch(nn.MultiheadAttention(6, 3, device="meta"))
    assert {parameter.device.type for parameter in meta.parameters()} == {"meta"}
    with pytest.raises(TypeError, match="MultiheadAttention, got Linear"):
        MultiHeadAttention.from_torch(nn.Linear(6, 6))


@pytest.mark.parametrize("other_row_empty", [False, True])
def test_rows_of_a_softmax_do_not_notice_each_other(other_row_empty):
    """Whether another row is empty changes nothing, and neither does what is masked."""
    scores = torch.tensor([[2.0, -1.0, 0.5], [-torch.inf, 3.0, -torch.inf], [1.0, 2.0, 3.0]])
    mask = torch.tensor([[True, True, False], [True, False, True], [not other_row_empty] * 3])
    scores.requires_grad_()
    weights = masked_softmax(scores, mask)
    torch.testing.assert_close(weights[0, :2], torch.tensor([2.0, -1.0]).softmax(dim=0))
    assert weights[0, 2] == 0
    assert weights[1].tolist() == [0, 0, 0]  # its only finite score is masked
    weights.square().sum().backward()
    assert scores.grad[[0, 2]].isfinite().all() and not scores.grad[~mask].any()


def test_a_score_that_is_not_a_number_is_not_hidden():
    scores = torch.tensor([[float("nan"), 1.0, 2.0]])
    assert masked_softmax(scores, torch.tensor([[True, True, False]])).isnan().any()


def test_masks_under_vmap_and_on_meta():
    lengths = torch.tensor([[2, 0, 3], [1, 4, 4]])
    expected = torch.stack([length_mask(row, 5) for row in lengths])
    assert torch.equal(torch.vmap(lambda row: length_mask(row, 5))(lengths), expected)
    assert length_mask(lengths[0].to("meta"), 5).shape == (3, 5)
    for run in (
        lambda: torch.vmap(length_mask)(lengths),
        lambda: length_mask(lengths[0].to("meta")),
    ):
        with pytest.raises(ValueError, match="max_length is needed"):
            run()


def layers_with_inputs():
    """(layer, a batch of inputs, a mask): 7 queries or 5 keys of 2 texts."""
    torch.manual_seed(0)
    mask = torch.rand(2, 7, 5) < 0.5
    mask[1, 2] = False
    inputs = torch.randn(2, 7, 6), torch.randn(2, 5, 4), torch.randn(2, 5, 3)
    yield pytest.param(Attention(make_score("general", 6, 4)), inputs, mask, id="one head")
    yield pytest.param(MultiHeadAttention(6, 2, 4, 3), inputs, mask, id="several heads")


@pytest.mark.parametrize("layer,inputs,mask", list(layers_with_inputs()))
def test_layers_under_vmap_on_meta_and_compiled(layer, inputs, mask):
    def run(mask, *tensors):
        return layer(*tensors, attend_mask=mask)

    expected = run(mask, *inputs)
    three = [tensor.expand(3, *tensor.shape) for tensor in (mask, *inputs)]
    compiled = torch.compile(run, backend="eager", fullgraph=True)
    for found in (
        [result[1] for result in torch.vmap(run)(*three)],
        compiled(mask, *inputs),
    ):
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)
    layer.to("meta")
    found = run(*(tensor.to("meta") for tensor in (mask, *inputs)))
    assert [result.shape for result in found] == [result.shape for result in expected]


def test_a_causal_mask_has_a_length():
    assert causal_mask(0).shape == (1, 0, 0)
    with pytest.raises(ValueError, match="negative, got -1"):
        causal_mask(-1)
