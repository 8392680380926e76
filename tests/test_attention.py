"""Scores, masks, masked softmax and the two attention layers.

Every score is compared with its formula written out in loops, every layer with PyTorch's.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.attention import (
    SCORES,
    AdditiveScore,
    Attention,
    DotScore,
    GeneralScore,
    LocationScore,
    MultiHeadAttention,
    causal_mask,
    length_mask,
    make_score,
    masked_softmax,
    to_key_padding_mask,
    to_sdpa_mask,
)
from tools.tiny import MODELS, quick, random_batch, tiny_translator

B, TQ, TK, DQ, DK, DV, A = 2, 3, 5, 4, 7, 6, 9
CONTENT = list(SCORES)
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
SIZES = st.integers(1, 6)
SEEDS = st.integers(0, 10**6)


def score_of(name, query_dim=DQ, key_dim=DK, seed=0):
    """A score with random weights; for dot scores, the query is as wide as the keys."""
    torch.manual_seed(seed)
    if name in ("dot", "scaled_dot"):
        return make_score(name, key_dim, key_dim)
    settings = {"attention_dim": A} if name == "additive" else {}
    return make_score(name, query_dim, key_dim, **settings)


def inputs_for(score, seed=0, dtype=torch.float32, sizes=(B, TQ, TK, DV)):
    """Random query, keys and values for a score."""
    generator = torch.Generator().manual_seed(seed)
    b, tq, tk, dv = sizes
    shapes = ((b, tq, score.query_dim), (b, tk, score.key_dim), (b, tk, dv))
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def random_mask(shape, seed=0, share=0.6):
    """A boolean mask that leaves every row at least one key."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(shape, generator=generator) < share
    keep = torch.randint(shape[-1], shape[:-1], generator=generator)
    return mask | F.one_hot(keep, shape[-1]).bool()


# --- scores -----------------------------------------------------------------------------------


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def times(matrix, vector):
    return [dot(row, vector) for row in matrix]


FORMULAS = {
    "dot": lambda score, q, k: dot(q, k),
    "scaled_dot": lambda score, q, k: dot(q, k) / math.sqrt(len(k)),
    "general": lambda score, q, k: dot(q, times(score.W.weight.tolist(), k)),
    "additive": lambda score, s, h: sum(
        v * math.tanh(from_key + from_query)
        for v, from_key, from_query in zip(
            score.v.weight[0].tolist(),
            times(score.W_a.weight.tolist(), h),
            times(score.U_a.weight.tolist(), s),
            strict=True,
        )
    ),
}


@pytest.mark.parametrize("name", CONTENT)
def test_score_is_its_formula(name):
    score = score_of(name)
    query, keys, _ = inputs_for(score)
    found = score(query, score.prepare(keys))
    expected = [
        [[FORMULAS[name](score, q, k) for k in keys[b].tolist()] for q in query[b].tolist()]
        for b in range(B)
    ]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_additive_score_has_three_matrices_and_no_bias():
    shapes = {name: tuple(p.shape) for name, p in score_of("additive").named_parameters()}
    assert shapes == {"W_a.weight": (A, DK), "U_a.weight": (A, DQ), "v.weight": (1, A)}
    assert AdditiveScore(DQ, DK).v.in_features == DQ  # by default as wide as the query


@pytest.mark.parametrize("name", CONTENT)
def test_gradcheck(name):
    score = score_of(name).double()
    attention = Attention(score)
    mask = random_mask((B, TQ, TK))
    mask[1, 2] = False

    def run(query, keys, values):
        return attention(query, keys, values, attend_mask=mask)

    tensors = [t.double().requires_grad_() for t in inputs_for(score)]
    assert torch.autograd.gradcheck(run, tensors)


class Counter:
    """Counts the calls of a method and passes them on."""

    def __init__(self, method):
        self.method, self.calls = method, 0

    def __call__(self, *arguments, **named):
        self.calls += 1
        return self.method(*arguments, **named)


@pytest.mark.parametrize("name", CONTENT)
def test_keys_prepared_once_give_the_same(name, monkeypatch):
    score = score_of(name)
    attention = Attention(score)
    query, keys, values = inputs_for(score)
    mask = length_mask(torch.tensor([TK, 2]))
    whole = attention(query, keys, values, attend_mask=mask)
    counter = Counter(score.prepare)
    monkeypatch.setattr(score, "prepare", counter)
    prepared = attention.prepare(keys)
    parts = [
        attention(query[:, t : t + 1], prepared, values, attend_mask=mask, prepared=True)
        for t in range(TQ)
    ]
    assert counter.calls == 1
    for expected, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(pieces, dim=1), expected)


@pytest.mark.parametrize("decoder,score", [m for m in MODELS if m[1] is not None])
def test_decoders_prepare_the_keys_once_for_all_steps(decoder, score, monkeypatch):
    model = tiny_translator(decoder, score)
    batch = random_batch([(4, 5), (3, 2)])
    memory = model.remember(batch)
    counter = Counter(model.decoder.attention.score.prepare)
    monkeypatch.setattr(model.decoder.attention.score, "prepare", counter)
    state = model.decoder.start(memory)
    for token in batch.target_in.T:
        _, state, _ = model.decoder.step(state, token)
    assert counter.calls == 1
    model.decoder(memory, batch.target_in)
    assert counter.calls == 2


# --- masks ------------------------------------------------------------------------------------


@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=5), extra=st.integers(0, 3))
@quick
def test_length_mask(lengths, extra):
    width = max(lengths) + extra
    expected = [[i < length for i in range(width)] for length in lengths]
    found = length_mask(torch.tensor(lengths), width)
    assert found.dtype == torch.bool and found.tolist() == expected
    if not extra:
        assert length_mask(torch.tensor(lengths)).tolist() == expected


def test_causal_mask_sees_itself_and_what_came_before():
    mask = causal_mask(4)
    assert mask.shape == (1, 4, 4)
    assert mask[0].tolist() == [[key <= query for key in range(4)] for query in range(4)]


def test_length_mask_errors():
    with pytest.raises(ValueError, match="length of 6 .* max_length=5"):
        length_mask(torch.tensor([2, 6]), 5)
    with pytest.raises(ValueError, match=r"float32 \(2,\)"):
        length_mask(torch.tensor([2.0, 6.0]))
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        length_mask(torch.tensor([[2, 6]]))


def test_converters_to_pytorch():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert to_key_padding_mask(mask).tolist() == [[False, False, True], [False, True, True]]
    assert to_sdpa_mask(mask).shape == (2, 1, 1, 3)
    assert torch.equal(to_sdpa_mask(mask)[:, 0, 0], mask)
    per_query = random_mask((2, 4, 3))
    assert torch.equal(to_sdpa_mask(per_query)[:, 0], per_query)
    with pytest.raises(ValueError, match=r"\(2, 4, 3\).*attn_mask"):
        to_key_padding_mask(per_query)


# --- masked softmax ---------------------------------------------------------------------------


@given(
    rows=st.lists(
        st.lists(
            st.tuples(
                st.floats(-(2.0**100), 2.0**100, width=32) | st.floats(-5, 5, width=32),
                st.booleans(),
            ),
            min_size=4,
            max_size=4,
        ),
        min_size=1,
        max_size=3,
    )
)
@quick
def test_masked_softmax_is_a_softmax_over_the_allowed_keys(rows):
    scores = torch.tensor([[score for score, _ in row] for row in rows], requires_grad=True)
    mask = torch.tensor([[allowed for _, allowed in row] for row in rows])
    weights = masked_softmax(scores, mask)
    for row, allowed, found in zip(scores.detach(), mask, weights, strict=True):
        assert not found[~allowed].any()
        if allowed.any():  # the softmax of the allowed keys alone
            torch.testing.assert_close(found[allowed], row[allowed].softmax(dim=0))
            assert float(found.detach().sum()) == pytest.approx(1, abs=1e-5)
    (weights * torch.arange(4.0)).sum().backward()
    assert scores.grad.isfinite().all() and not scores.grad[~mask].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_fully_masked_row_is_zero_and_its_gradient_finite(dtype):
    scores = torch.randn(B, TQ, TK).to(dtype).requires_grad_()
    mask = torch.ones(B, TQ, TK, dtype=torch.bool)
    mask[1, 2] = False
    weights = masked_softmax(scores, mask)
    assert weights.dtype == dtype
    assert not weights[1, 2].any() and weights[1, 1].all()
    weights.square().sum().backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[1, 2].any() and scores.grad[1, 1].any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 3e38])
def test_masked_scores_do_not_leak(bad):
    generator = torch.Generator().manual_seed(3)
    clean = torch.randn(B, TQ, TK, generator=generator)
    mask = random_mask((B, TQ, TK))
    dirty = clean.masked_fill(~mask, bad).requires_grad_()
    clean.requires_grad_()
    results = [masked_softmax(scores, mask) for scores in (clean, dirty)]
    assert torch.equal(*results)
    for weights in results:
        weights.pow(3).sum().backward()
    assert torch.equal(clean.grad, dirty.grad)


def test_softmax_in_half_precision_sums_in_float32():
    scores = torch.randn(2, 3000, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = masked_softmax(scores, torch.ones(2, 3000, dtype=torch.bool))
    assert torch.equal(found, scores.double().softmax(dim=-1).float().bfloat16())
    assert torch.equal(found, masked_softmax(scores, None))


def test_masked_softmax_without_keys():
    assert masked_softmax(torch.ones(2, 3, 0), None).shape == (2, 3, 0)


def test_masked_softmax_wants_a_boolean_mask():
    with pytest.raises(TypeError, match="boolean .*float32"):
        masked_softmax(torch.ones(2, 3), torch.ones(2, 3))


# --- Attention --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["none", "keys", "queries"])
@given(b=SIZES, tq=SIZES, tk=SIZES, d=SIZES, dv=SIZES, seed=SEEDS)
@quick
def test_attention_equals_pytorch(dtype, kind, b, tq, tk, d, dv, seed):
    attention = Attention(make_score("scaled_dot", d, d))
    query, keys, values = inputs_for(attention.score, seed, dtype, (b, tq, tk, dv))
    mask = {
        "none": None,
        "keys": random_mask((b, tk), seed),
        "queries": random_mask((b, tq, tk), seed),
    }[kind]
    context, weights = attention(query, keys, values, attend_mask=mask)
    expected = F.scaled_dot_product_attention(
        query[:, None],
        keys[:, None],
        values[:, None],
        attn_mask=None if mask is None else to_sdpa_mask(mask),
    )[:, 0]
    tolerance = TOLERANCE[dtype]
    assert context.dtype == weights.dtype == dtype
    torch.testing.assert_close(context, expected, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(
        weights.float().sum(-1), torch.ones(b, tq), atol=tolerance, rtol=tolerance
    )


@pytest.mark.parametrize("name", CONTENT)
def test_context_is_the_weighted_sum_of_values(name):
    score = score_of(name)
    query, keys, values = inputs_for(score)
    mask = length_mask(torch.tensor([3, TK]))
    context, weights = Attention(score)(query, keys, values, attend_mask=mask)
    for b in range(B):
        for t in range(TQ):
            allowed = range([3, TK][b])
            pairs = [(query[b, t].tolist(), keys[b, i].tolist()) for i in allowed]
            exponentials = [math.exp(FORMULAS[name](score, q, k)) for q, k in pairs]
            alpha = [e / sum(exponentials) for e in exponentials]
            expected = sum(a * values[b, i] for a, i in zip(alpha, allowed, strict=True))
            torch.testing.assert_close(context[b, t], expected, atol=1e-5, rtol=1e-4)
            assert weights[b, t].tolist() == pytest.approx(
                alpha + [0] * (TK - len(alpha)), abs=1e-5
            )


def all_layers():
    """Each score in an Attention, and multi-head attention, with inputs."""
    for name in CONTENT:
        score = score_of(name)
        yield pytest.param(Attention(score), inputs_for(score), id=name)
    torch.manual_seed(0)
    heads = MultiHeadAttention(8, 2, key_dim=DK, value_dim=DV)
    tensors = [torch.randn(B, TQ, 8), torch.randn(B, TK, DK), torch.randn(B, TK, DV)]
    yield pytest.param(heads, tensors, id="multihead")


LAYERS = list(all_layers())


@pytest.mark.parametrize("layer,tensors", LAYERS)
def test_only_unmasked_positions_count(layer, tensors):
    query, keys, values = tensors
    mask = torch.ones(B, TQ, TK, dtype=torch.bool)
    mask[0, :, 1] = False
    before, weights = layer(query, keys, values, attend_mask=mask)
    assert not weights[0, ..., 1].any() and weights[1, ..., 1].all()
    for position, changes in ((1, False), (2, True)):
        for changed in ("keys", "values"):
            other = {"keys": keys.clone(), "values": values.clone()}
            other[changed][0, position] += 3.0
            after, _ = layer(query, **other, attend_mask=mask)
            difference = (after - before).abs().amax(dim=(1, 2))
            assert (difference[0] > 1e-3) == changes
            assert changes or torch.equal(after, before)
            assert torch.equal(after[1], before[1])  # the other sentence never notices


@pytest.mark.parametrize("layer,tensors", LAYERS)
def test_order_of_keys_does_not_matter(layer, tensors):
    query, keys, values = tensors
    mask = random_mask((B, TQ, TK))
    order, queries = torch.tensor([3, 0, 4, 2, 1]), torch.tensor([2, 0, 1])
    context, weights = layer(query, keys, values, attend_mask=mask)
    shuffled, shuffled_weights = layer(
        query[:, queries],
        keys[:, order],
        values[:, order],
        attend_mask=mask[:, queries][..., order],
    )
    torch.testing.assert_close(shuffled, context[:, queries])
    torch.testing.assert_close(shuffled_weights, weights[..., queries, :][..., order])
    # The values alone in another order are another memory.
    broken, _ = layer(query, keys, values[:, order], attend_mask=mask)
    assert not torch.allclose(broken, context, atol=1e-2)


@pytest.mark.parametrize("layer,tensors", LAYERS)
def test_a_query_without_any_key(layer, tensors):
    tensors = [t.clone().requires_grad_() for t in tensors]
    mask = torch.ones(B, TQ, TK, dtype=torch.bool)
    mask[1, 2] = False
    context, weights = layer(*tensors, attend_mask=mask)
    nothing = layer.W_o.bias if isinstance(layer, MultiHeadAttention) else torch.zeros(DV)
    torch.testing.assert_close(context[1, 2], nothing)
    assert not weights[1, ..., 2, :].any()
    context.square().sum().backward()
    for tensor in tensors:
        assert tensor.grad.isfinite().all() and tensor.grad.any()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("layer,tensors", LAYERS)
def test_mask_has_no_default_and_broadcasts(layer, tensors):
    with pytest.raises(TypeError, match="attend_mask"):
        layer(*tensors)
    per_key = random_mask((B, TK), seed=4)
    whole = per_key[:, None].expand(B, TQ, TK)
    for mask in (per_key, per_key[:, None]):
        torch.testing.assert_close(
            layer(*tensors, attend_mask=mask), layer(*tensors, attend_mask=whole)
        )
    everything = torch.ones(1, 1, TK, dtype=torch.bool)
    torch.testing.assert_close(
        layer(*tensors, attend_mask=everything), layer(*tensors, attend_mask=None)
    )


@pytest.mark.parametrize("layer,tensors", LAYERS)
def test_errors_name_the_sizes(layer, tensors):
    query, keys, values = tensors
    with pytest.raises(TypeError, match="boolean .*float32"):
        layer(query, keys, values, attend_mask=torch.ones(B, TK))
    for wrong in ((B, TK + 1), (B + 1, TK), (B, TQ + 1, TK), (B, 1, TQ, TK), (TK,)):
        with pytest.raises(ValueError) as caught:
            layer(query, keys, values, attend_mask=torch.ones(wrong, dtype=torch.bool))
        for sizes in (wrong, (B, TK), (B, TQ, TK)):
            assert str(sizes) in str(caught.value)
    with pytest.raises(ValueError, match=r"keys are \(2, 5, 7\), values \(2, 4, 6\)"):
        layer(query, keys, values[:, :-1], attend_mask=None)
    with pytest.raises(ValueError, match="query has batch size 1, keys have 2"):
        layer(query[:1], keys, values, attend_mask=None)


def test_score_errors():
    with pytest.raises(ValueError, match="got 4 and 7"):
        DotScore(DQ, DK)
    with pytest.raises(ValueError, match="'cosine'.*scaled_dot"):
        make_score("cosine", DQ, DK)
    score = GeneralScore(DQ, DK)
    query, keys, _ = inputs_for(score)
    with pytest.raises(ValueError, match=r"keys must have .* 7\), got \(2, 3, 4\)"):
        score.prepare(query)
    with pytest.raises(ValueError, match=r"query must have .* 4\), got \(2, 4\).*\[:, None\]"):
        score(query[:, 0], score.prepare(keys))
    with pytest.raises(ValueError, match="query_dim=10 .* 3 equal heads"):
        MultiHeadAttention(10, 3)


# --- multi-head -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "keys", "queries"])
@given(
    sizes=st.tuples(SIZES, SIZES, SIZES),
    heads=st.integers(1, 3),
    head_dim=st.integers(1, 4),
    other_widths=st.booleans(),
    bias=st.booleans(),
    seed=SEEDS,
)
@quick
def test_multihead_equals_pytorch(kind, sizes, heads, head_dim, other_widths, bias, seed):
    (b, tq, tk), width = sizes, heads * head_dim
    key_dim, value_dim = (width + 1, width + 2) if other_widths else (width, width)
    torch.manual_seed(seed)
    theirs = nn.MultiheadAttention(
        width, heads, bias=bias, kdim=key_dim, vdim=value_dim, batch_first=True
    )
    with torch.no_grad():
        for parameter in theirs.parameters():  # PyTorch's biases begin at zero
            parameter.normal_()
    ours = MultiHeadAttention.from_torch(theirs)
    query, keys, values = (
        torch.randn(b, t, d) for t, d in ((tq, width), (tk, key_dim), (tk, value_dim))
    )
    mask, masks = None, {}
    if kind == "keys":
        mask = random_mask((b, tk), seed)
        masks = {"key_padding_mask": to_key_padding_mask(mask)}
    elif kind == "queries":
        mask = random_mask((b, tq, tk), seed)
        masks = {"attn_mask": ~mask.repeat_interleave(heads, dim=0)}
    context, weights = ours(query, keys, values, attend_mask=mask)
    expected, per_head = theirs(query, keys, values, average_attn_weights=False, **masks)
    torch.testing.assert_close(context, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(weights, per_head, atol=1e-5, rtol=1e-4)
    _, average = theirs(query, keys, values, **masks)
    torch.testing.assert_close(weights.mean(dim=1), average, atol=1e-5, rtol=1e-4)
    fast, nothing = theirs(query, keys, values, need_weights=False, **masks)
    assert nothing is None
    torch.testing.assert_close(context, fast, atol=1e-4, rtol=1e-4)


def test_copied_layer_has_its_own_weights():
    theirs = nn.MultiheadAttention(6, 2)
    ours = MultiHeadAttention.from_torch(theirs)
    before = ours.W_q.weight.clone()
    with torch.no_grad():
        theirs.in_proj_weight.zero_()
    assert torch.equal(ours.W_q.weight, before) and before.any()
    with pytest.raises(ValueError, match="add_bias_kv"):
        MultiHeadAttention.from_torch(nn.MultiheadAttention(6, 2, add_bias_kv=True))


# --- location ---------------------------------------------------------------------------------


def location_score(width=3, filters=2, seed=0):
    torch.manual_seed(seed)
    return LocationScore(DQ, DK, A, filters, width)


def test_location_score_is_its_formula():
    score = location_score()
    query, keys, _ = inputs_for(score, sizes=(B, 1, TK, DV))
    previous = torch.rand(B, TK, generator=torch.Generator().manual_seed(1))
    found = score(query, score.prepare(keys), previous)
    assert found.shape == (B, 1, TK)
    W, U, V, F_, v = (m.weight.detach() for m in (score.W_a, score.U_a, score.U, score.F, score.v))
    for b in range(B):
        for i in range(TK):
            around = [0.0 if not 0 <= i + k < TK else float(previous[b, i + k]) for k in (-1, 0, 1)]
            f = torch.tensor([dot(row[0].tolist(), around) for row in F_])
            expected = v[0] @ torch.tanh(W @ keys[b, i] + U @ query[b, 0] + V @ f)
            assert found[b, 0, i].item() == pytest.approx(expected.item(), abs=1e-5)


def test_location_moves_with_the_previous_weights():
    """With equal keys, only the position counts: shifted previous weights give shifted scores."""
    score = location_score(width=5)
    query, keys = torch.randn(1, 1, DQ), torch.ones(1, 12, DK)
    here = torch.zeros(1, 12)
    here[0, 4] = 1.0
    before = score(query, score.prepare(keys), here)
    after = score(query, score.prepare(keys), here.roll(3, dims=1))
    torch.testing.assert_close(after[..., 3:], before[..., :-3])
    assert (before.max() - before.min()) > 1e-3
    nowhere = score(query, score.prepare(keys), torch.zeros(1, 12))
    torch.testing.assert_close(nowhere, nowhere[..., :1].expand_as(nowhere))


def test_location_before_the_first_step_is_additive():
    score, plain = location_score(), AdditiveScore(DQ, DK, A)
    plain.load_state_dict({k: w for k, w in score.state_dict().items() if k in plain.state_dict()})
    query, keys, _ = inputs_for(score, sizes=(B, 1, TK, DV))
    found = score(query, score.prepare(keys), torch.zeros(B, TK))
    torch.testing.assert_close(found, plain(query, plain.prepare(keys)))


def test_location_asks_for_one_query_and_the_weights_before():
    score = location_score()
    query, keys, values = inputs_for(score)
    attention = Attention(score)
    with pytest.raises(ValueError, match=r"one query at a time.*\(2, 5\)"):
        attention(query, keys, values, attend_mask=None, previous=torch.zeros(B, TK))
    with pytest.raises(ValueError, match="None"):
        attention(query[:, :1], keys, values, attend_mask=None)
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        attention(query[:, :1], keys, values, attend_mask=None, previous=torch.zeros(B, TK - 1))
    with pytest.raises(ValueError, match="odd"):
        LocationScore(DQ, DK, A, width=4)
    mask = random_mask((B, TK))
    before = torch.zeros(B, TK)
    _, weights = attention(query[:, :1], keys, values, attend_mask=mask, previous=before)
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, 1))
    assert not weights[:, 0][~mask].any()


# --- coverage ---------------------------------------------------------------------------------


def test_coverage_score_is_its_formula():
    torch.manual_seed(0)
    score = make_score("coverage", DQ, DK, attention_dim=A)
    query, keys, _ = inputs_for(score, sizes=(B, 1, TK, DV))
    coverage = 3 * torch.rand(B, TK, generator=torch.Generator().manual_seed(1))
    found = score(query, score.prepare(keys), coverage=coverage)
    W, U, w, v = (m.weight.detach() for m in (score.W_a, score.U_a, score.w_c, score.v))
    for b in range(B):
        for i in range(TK):
            hidden = W @ keys[b, i] + U @ query[b, 0] + w[:, 0] * coverage[b, i]
            assert found[b, 0, i].item() == pytest.approx((v[0] @ hidden.tanh()).item(), abs=1e-5)
    assert {name: tuple(p.shape) for name, p in score.named_parameters()} == {
        "W_a.weight": (A, DK),
        "U_a.weight": (A, DQ),
        "v.weight": (1, A),
        "w_c.weight": (A, 1),
    }


def test_coverage_asks_for_one_query_and_the_weights_so_far():
    attention = Attention(make_score("coverage", DQ, DK))
    query, keys, values = inputs_for(attention.score)
    nothing = torch.zeros(B, TK)
    with pytest.raises(ValueError, match=r"coverage score takes one query at a time.*\(2, 3, 4\)"):
        attention(query, keys, values, attend_mask=None, coverage=nothing)
    with pytest.raises(ValueError, match=r"coverage None"):
        attention(query[:, :1], keys, values, attend_mask=None, previous=nothing)
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        attention(query[:, :1], keys, values, attend_mask=None, coverage=nothing[:, 1:])


# --- settings ---------------------------------------------------------------------------------


def test_a_score_declares_its_settings():
    taken = {
        "dot": (),
        "scaled_dot": (),
        "general": (),
        "additive": ("attention_dim",),
        "location": ("attention_dim", "filters", "width"),
        "coverage": ("attention_dim",),
    }
    for name, settings in taken.items():
        score = make_score(name, DK, DK, **dict.fromkeys(settings, 3))
        assert score.settings() == settings
        make_score(name, DK, DK, attention_dim=None, width=None)  # None is the default
        with pytest.raises(ValueError, match=f"{name}.*{', '.join(settings)}.*got depth=3"):
            make_score(name, DK, DK, depth=3)


def test_a_score_of_your_own_need_not_declare_anything():
    class Euclidean(nn.Module):
        def prepare(self, keys):
            return keys

        def forward(self, query, prepared):
            return -torch.cdist(query, prepared)

    attention = Attention(Euclidean())
    query, keys, values = torch.randn(B, TQ, DQ), torch.randn(B, TK, DQ), torch.randn(B, TK, DV)
    assert not attention.sequential
    _, weights = attention(query, keys, values, attend_mask=None)
    torch.testing.assert_close(weights, (-torch.cdist(query, keys)).softmax(dim=-1))


# --- dropout and cache ------------------------------------------------------------------------


def heads_of_pytorch(dropout, seed=0):
    """PyTorch's layer and ours with the same weights, in training mode, and inputs."""
    torch.manual_seed(seed)
    theirs = nn.MultiheadAttention(6, 2, dropout=dropout, batch_first=True)
    tensors = [torch.randn(B, t, 6) for t in (TQ, TK, TK)]
    return theirs, MultiHeadAttention.from_torch(theirs), tensors


def test_dropout_is_that_of_pytorch():
    theirs, ours, tensors = heads_of_pytorch(0.4)
    for layer in (theirs, ours):
        assert layer.training
    torch.manual_seed(5)
    expected, dropped = theirs(*tensors, average_attn_weights=False)
    torch.manual_seed(5)
    context, weights = ours(*tensors, attend_mask=None)
    torch.testing.assert_close(context, expected, atol=1e-5, rtol=1e-5)
    # The weights that we report are those before dropout.
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(B, 2, TQ))
    torch.testing.assert_close(dropped, torch.where(dropped == 0, 0, weights / 0.6))
    assert 0 < (dropped == 0).sum() < dropped.numel()


def test_dropout_changes_nothing_in_expectation_and_after_training():
    theirs, ours, tensors = heads_of_pytorch(0.4)
    draws = torch.stack([ours(*tensors, attend_mask=None)[0].detach() for _ in range(4000)])
    ours.eval()
    context, _ = ours(*tensors, attend_mask=None)
    torch.testing.assert_close(context, theirs.eval()(*tensors)[0], atol=1e-5, rtol=1e-5)
    error = draws.std(dim=0) / 4000**0.5
    assert draws.std(dim=0).min() > 0.01
    assert ((draws.mean(dim=0) - context).abs() < 5 * error).all()
    assert not MultiHeadAttention.from_torch(theirs).training


@given(b=SIZES, t=SIZES, heads=st.integers(1, 3), seed=SEEDS)
@quick
def test_a_growing_cache_is_causal_attention(b, t, heads, seed):
    torch.manual_seed(seed)
    attention = MultiHeadAttention(4 * heads, heads)
    x = torch.randn(b, t, 4 * heads)
    whole, whole_weights = attention(x, x, x, attend_mask=causal_mask(t))
    cache = attention.empty_cache(b)
    rows = torch.randint(b, (b + 1,))
    for i in range(t):
        new = x[:, i : i + 1]
        cache = cache.append(attention.project(new, new))
        assert cache.length == i + 1 and len(cache) == b
        context, weights = attention.attend(new, cache, attend_mask=None)
        torch.testing.assert_close(context[:, 0], whole[:, i], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(weights[:, :, 0], whole_weights[:, :, i, : i + 1])
        chosen, _ = attention.attend(new[rows], cache.select(rows), attend_mask=None)
        torch.testing.assert_close(chosen[:, 0], whole[rows, i], atol=1e-5, rtol=1e-5)


def test_cache_errors():
    attention, other = MultiHeadAttention(6, 2), MultiHeadAttention(6, 3)
    with pytest.raises(ValueError, match="2 rows, 2 heads and width 3 .* of 4 rows, 3 heads"):
        attention.empty_cache(2).append(other.empty_cache(4))
    with pytest.raises(ValueError, match="query has batch size 2, the cache has 4"):
        attention.attend(torch.ones(2, 1, 6), attention.empty_cache(4), attend_mask=None)
