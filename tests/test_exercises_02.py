"""Answers to the exercises of notebook 02 as learners write them: the wrong get a fitting hint.

The masters hold common mistakes; here are further ones, or the same written another way, each with
words that the verdict has to contain.
"""

import math

import numpy as np
import pytest
import torch

from course_utils.exercises import get


def verdict_on(number, answer):
    return get(number).judge(answer)


# --- 02.1 softmax, backwards ------------------------------------------------------------------


def full_matrix(weights, upstream):
    jacobian = torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]
    return (jacobian @ upstream[..., None])[..., 0]


def full_matrix_row_by_row(weights, upstream):
    w, g = weights.reshape(-1, weights.shape[-1]), upstream.reshape(-1, weights.shape[-1])
    rows = [(torch.diag(a) - torch.outer(a, a)) @ b for a, b in zip(w, g, strict=True)]
    return torch.stack(rows).reshape(weights.shape)


def by_autograd(weights, upstream):
    scores = weights.clamp_min(1e-30).log().requires_grad_()
    matrix = torch.autograd.functional.jacobian(
        lambda e: e.softmax(-1), scores.reshape(-1, scores.shape[-1])[0]
    )
    if weights.dim() == 1:
        return matrix @ upstream
    return full_matrix(weights, upstream)


def rows_of_numpy(weights, upstream):
    w, g = (x.numpy().reshape(-1, x.shape[-1]) for x in (weights, upstream))
    rows = [(np.diag(a) - np.outer(a, a)) @ b for a, b in zip(w, g, strict=True)]
    return torch.tensor(np.stack(rows)).reshape(weights.shape)


def three_factors(weights, upstream):
    return weights * upstream - torch.einsum("...i,...j,...j->...i", weights, weights, upstream)


def matrix_in_rows(weights, upstream):
    w, g = weights.reshape(-1, weights.shape[-1]), upstream.reshape(-1, weights.shape[-1])
    rows = [torch.stack([one @ b for one in [x * a for x in a]]) for a, b in zip(w, g, strict=True)]
    return weights * upstream - torch.stack(rows).reshape(weights.shape)


def inner(weights, upstream):
    return (weights * upstream).sum(-1, keepdim=True)


WRONG_02_1 = [
    (full_matrix, "a T × T matrix was built"),
    (full_matrix_row_by_row, "a T × T matrix was built"),
    (by_autograd, "a T × T matrix was built"),
    (rows_of_numpy, "a T × T matrix was built"),
    (three_factors, "a T × T matrix was built"),
    (matrix_in_rows, "a T × T matrix was built"),
    (lambda a, g: a * g - a * a * g, "only the diagonal"),
    (lambda a, g: a * g, "−ααᵀg is missing"),
    (lambda a, g: a * (g - g.mean(-1, keepdim=True)), "a plain mean"),
    (lambda a, g: a * (g - (a * g).sum()), "rows do not mix"),
    (lambda a, g: a * (inner(a, g) - g), "your sign is reversed"),
    (lambda a, g: a * g - inner(a, g), "factor α of its own"),
    (lambda a, g: a * (g - (a * g).sum(0)), "sum over dim=-1"),
    (lambda a, g: a * (g - inner(a, g).squeeze(-1)), "keepdim=True"),
    (lambda a, g: get("02.1")(a.softmax(-1), g), "already the α"),
    (lambda a, g: (a * (g - inner(a, g))).numpy(), "got an ndarray, expected a Tensor"),
    (lambda a, g: g.sub_(inner(a, g)).mul_(a), "argument 2 was modified in place"),
]


# --- 02.2 another scale -----------------------------------------------------------------------

WRONG_02_2 = [
    (lambda a, b, d: d**-0.5, "where do query_std and key_std enter"),
    (lambda a, b, d: (a * b) ** -2 / d, "divide by its square root"),
    (lambda a, b, d: 1 / (a * b * d), "the width goes under the root"),
    (lambda a, b, d: (a * b * d) ** -0.5, "do not go under the root"),
    (lambda a, b, d: a * b * d**0.5, "its reciprocal"),
    (lambda a, b, d: 1 / (math.hypot(a, b) / 2**0.5 * d**0.5), "multiplied, not added"),
    (lambda a, b, d: d**-0.5 / (a + b), "multiply, they do not add"),
    (lambda a, b, d: d**-0.5 / ((a + b) / 2), "multiply, they do not add"),
    (lambda a, b, d: (a * d + b * d) ** -0.5, "multiply, they do not add"),
    (lambda a, b, d: (a + b) * d**0.5, "multiply, they do not add"),
    (lambda a, b, d: d**-0.5 / a, "where does key_std enter"),
    (lambda a, b, d: d**-0.5 / b, "where does query_std enter"),
    (lambda a, b, d: 1 / a / b, "the width is not used"),
    (lambda a, b, d: min(1, d**-0.5 / a / b), "do not cut it off"),
    (lambda a, b, d: a * b / d**0.5, "half of what it was"),
    (lambda a, b, d: f"{d**-0.5 / a / b}", "got a str, expected a number"),
    (lambda a, b, d: int(d**-0.5 / a / b), "not rounded"),
    (lambda a, b, d: 1 / (a * b * math.isqrt(d)), "do not round the root"),
]


# --- 02.3 a softmax that may say nothing ------------------------------------------------------


def shifted_by(maximum, with_one=True):
    def answer(scores):
        m = maximum(scores)
        e = (scores - m).exp()
        return e / ((-m).exp() * with_one + e.sum(-1, keepdim=True))

    return answer


WRONG_02_3 = [
    (shifted_by(lambda e: e.max().clamp(min=0)), "each row needs its own"),
    (shifted_by(lambda e: e.max(-1, keepdim=True).values), "−∞ − (−∞) is NaN"),
    (shifted_by(lambda e: e.amax(-1, keepdim=True), with_one=False), "with a 1 in the denominator"),
    (lambda e: e.exp() / (1 + e.exp().sum(-1, keepdim=True)), "∞/∞ is NaN"),
    (lambda e: e.clamp(-50, 50).exp() / (1 + e.clamp(-50, 50).exp().sum(-1, True)), "cutting off"),
    (lambda e: torch.nn.functional.pad(e, (0, 1)).softmax(-1), "its weight is not returned"),
    (lambda e: torch.nn.functional.pad(e, (0, 1), value=-1e9).softmax(-1)[..., :-1], "very low"),
    (lambda e: e.sigmoid(), "its own 1 in the denominator"),
    (lambda e: e.softmax(-1) * (e > 0), "exp(0) / (1 + exp(0)) is ½"),
    (lambda e: e.softmax(-1) * (e.amax(-1, keepdim=True) > 0), "all or nothing"),
    (
        lambda e: (e.exp() / (1 + e.exp().sum(-1, keepdim=True))).nan_to_num(0),
        "replacing NaNs",
    ),
    (lambda e: get("02.3")(e.clamp(min=-12)), "exactly 0"),
    (lambda e: get("02.3")(e).tolist(), "got a list, expected a tensor"),
]


# --- 02.4 attention in small portions ---------------------------------------------------------


def all_at_once(query, keys, values, size):
    return (keys @ query / len(query) ** 0.5).softmax(0) @ values


def all_scores_first(query, keys, values, size):
    scores = keys @ query / len(query) ** 0.5
    m, z, u = -math.inf, 0.0, torch.zeros(values.shape[1])
    for e, v in zip(scores.split(size), values.split(size), strict=True):
        new = max(m, e.max().item())
        z = z * math.exp(m - new) + (e - new).exp().sum()
        u = u * math.exp(m - new) + (e - new).exp() @ v
        m = new
    return u / z


def scores_kept_in_portions(query, keys, values, size):
    scores = [part @ query / len(query) ** 0.5 for part in keys.split(size)]
    m = max(e.max() for e in scores)
    u = sum((e - m).exp() @ v for e, v in zip(scores, values.split(size), strict=True))
    return u / sum((e - m).exp().sum() for e in scores)


def all_scores_in_numpy(query, keys, values, size):
    e = keys.numpy() @ query.numpy() / len(query) ** 0.5
    e = np.exp(e - e.max())
    return torch.from_numpy(e / e.sum() @ values.numpy())


def size_taken_for_a_count(query, keys, values, size):
    return all_in_portions(query, keys, values, -(-len(keys) // size))


def all_in_portions(query, keys, values, size, start=-math.inf, shrink=math.exp, count=None):
    m, z, u = start, 0.0, torch.zeros(values.shape[1])
    for i in range(0, len(keys) if count is None else count(len(keys), size), size):
        e = keys[i : i + size] @ query / len(query) ** 0.5
        new = max(m, e.max().item())
        factor = shrink(m - new)
        z = z * factor + (e - new).exp().sum()
        u = u * factor + (e - new).exp() @ values[i : i + size]
        m = new
    return u / z


def with_(**changes):
    return lambda *given: all_in_portions(*given, **changes)


def rescaled_afterwards(factor):
    def answer(query, keys, values, size):
        m, z, u = torch.tensor(-math.inf), torch.tensor(0.0), torch.zeros_like(values[0])
        for k, v in zip(keys.split(size), values.split(size), strict=True):
            e = k @ query / len(query) ** 0.5
            new = torch.maximum(m, e.max())
            z += (e - new).exp().sum()
            u += (e - new).exp() @ v
            z, u, m = z * factor(m - new), u * factor(m - new), new
        return u / z

    return answer


WRONG_02_4 = [
    (all_at_once, "too much is held at once"),
    (all_scores_first, "too much is held at once"),
    (scores_kept_in_portions, "too much is held at once"),
    (all_scores_in_numpy, "too much is held at once"),
    (size_taken_for_a_count, "too much is held at once"),
    (with_(shrink=lambda d: torch.tensor(-d).exp()), "exp(m' − m) is ∞ at the start"),
    (with_(shrink=lambda d: math.exp(-d)), "exp(m' − m) is ∞ at the start"),
    (rescaled_afterwards(lambda d: d.exp()), "before you add the new portion"),
    (rescaled_afterwards(lambda d: d.exp() if d > -math.inf else 1), "before you add"),
    (rescaled_afterwards(lambda d: (-d).exp()), "before you add the new portion"),
    (with_(start=0.0), "starts at −∞"),
    (with_(shrink=lambda difference: 1.0), "multiply z and u"),
    (with_(shrink=lambda d: math.exp(min(-d, 700)) if d > -math.inf else 0.0), "upside down"),
    (
        with_(count=lambda length, size: max(length // size, 1) * size),
        "the last portion is missing",
    ),
    (lambda q, k, v, n: all_in_portions(q * len(q) ** 0.5, k, v, n), "divide q·k by √D"),
    (lambda q, k, v, n: all_in_portions(q, k[-n:], v[-n:], n), "each of them adds 1 to z"),
    (lambda q, k, v, n: v.mean(0), "the scores are 0 and ln 3"),
    (lambda q, k, v, n: all_in_portions(q, k, v, n)[None], "expected (2,)"),
    (lambda q, k, v, n: all_in_portions(q, k, v, n).tolist(), "got a list, expected a tensor"),
]


# --- 02.5 heads -------------------------------------------------------------------------------


def head_by_head(scale=lambda width, heads: (width / heads) ** 0.5, place=None, join=None):
    """A right answer with a loop over the heads, except for what is given."""

    def answer(queries, keys, values, heads):
        width = queries.shape[1]
        found = []
        for h in range(heads):
            part = (
                place(h, heads, width)
                if place
                else slice(h * width // heads, (h + 1) * width // heads)
            )
            e = queries[:, part] @ keys[:, part].T / scale(width, heads)
            found.append(e.softmax(1) @ values[:, part])
        return join(found) if join else torch.cat(found, dim=1)

    return answer


def reshaped(queries, keys, values, heads):
    q, k, v = (x.reshape(heads, len(x), -1) for x in (queries, keys, values))
    e = q @ k.mT / q.shape[-1] ** 0.5
    return (e.softmax(-1) @ v).transpose(0, 1).reshape(len(queries), -1)


def reshaped_back(queries, keys, values, heads):
    q, k, v = (x.unflatten(1, (heads, -1)).transpose(0, 1) for x in (queries, keys, values))
    return ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).reshape(queries.shape)


def by_dimension(dim):
    def answer(queries, keys, values, heads):
        q, k, v = (x.unflatten(1, (heads, -1)).transpose(0, 1) for x in (queries, keys, values))
        e = q @ k.mT / q.shape[-1] ** 0.5
        return (e.softmax(dim) @ v).transpose(0, 1).flatten(1)

    return answer


def transpose_left_out(join):
    def answer(queries, keys, values, heads):
        q, k, v = (x.view(len(x), heads, -1) for x in (queries, keys, values))
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return join(weights @ v, queries)

    return answer


WRONG_02_5 = [
    (transpose_left_out(lambda x, q: x.reshape(len(q), -1)), "heads with heads at each word"),
    (transpose_left_out(lambda x, q: x.reshape(q.shape)), "heads with heads at each word"),
    (transpose_left_out(lambda x, q: x.reshape(-1, q.shape[1])), "heads with heads at each word"),
    (transpose_left_out(lambda x, q: x.mT.flatten(1)), "heads"),
    (reshaped, "mixes the words"),
    (reshaped_back, "on the way back"),
    (by_dimension(1), "softmax runs over the queries"),
    (by_dimension(0), "softmax runs over the heads"),
    (head_by_head(scale=lambda width, heads: width**0.5), "√D belongs to the whole width"),
    (head_by_head(scale=lambda width, heads: 1.0), "the scale is missing"),
    (head_by_head(place=lambda h, H, D: slice(0, D // H)), "head 1 only the second"),
    (head_by_head(place=lambda h, H, D: slice(h, None, H)), "head h gets neighbouring numbers"),
    (head_by_head(join=lambda found: torch.stack(found).mean(0)), "side by side"),
    (head_by_head(join=lambda found: torch.stack(found)), "the shape is"),
    (head_by_head(join=lambda found: torch.stack(found, 2).flatten(1)), "head 0 comes first"),
    (head_by_head(join=lambda found: found), "got a list, expected a tensor"),
    (lambda q, k, v, H: (q @ k.T / q.shape[1] ** 0.5).softmax(1) @ v, "`heads` is not used"),
]

WRONG = [
    pytest.param(number, answer, words, id=f"{number}-{place}")
    for number, rows in (
        ("02.1", WRONG_02_1),
        ("02.2", WRONG_02_2),
        ("02.3", WRONG_02_3),
        ("02.4", WRONG_02_4),
        ("02.5", WRONG_02_5),
    )
    for place, (answer, words) in enumerate(rows)
]


@pytest.mark.parametrize("number, answer, words", WRONG)
def test_a_wrong_answer_is_refused_with_words_that_fit(number, answer, words):
    verdict = verdict_on(number, answer)
    assert verdict.state == "wrong"
    assert words in verdict.text


# --- right in another way ---------------------------------------------------------------------


def with_an_extra_slot(scores):
    return torch.cat([torch.zeros_like(scores[..., :1]), scores], -1).softmax(-1)[..., 1:]


def with_logsumexp(scores):
    return (scores - torch.nn.functional.pad(scores, (0, 1)).logsumexp(-1, keepdim=True)).exp()


@pytest.mark.parametrize(
    "number, answer",
    [
        ("02.1", lambda a, g: a * g - a * (a[..., None, :] @ g[..., None])[..., 0]),
        ("02.1", lambda a, g: a * (g - inner(a, g)).double()),
        ("02.2", lambda a, b, d: torch.tensor(d).rsqrt() / (a * b)),
        ("02.3", with_an_extra_slot),
        ("02.3", with_logsumexp),
        ("02.4", all_in_portions),
        ("02.5", head_by_head()),
    ],
)
def test_a_right_answer_may_be_written_another_way(number, answer):
    assert verdict_on(number, answer)


# --- 02.6 backwards through a whole attention ---------------------------------------------------


def query_by_query(
    queries, keys, values, may_attend, upstream, change=lambda a, of_e, g: (of_e, g)
):
    """Section 5.3 for each query on the slots it may read; what comes back is added."""
    back = [torch.zeros_like(one) for one in (queries, keys, values)]
    root = queries.shape[1] ** 0.5
    for i, (q, may, g) in enumerate(zip(queries, may_attend, upstream, strict=True)):
        if may.any():
            k, v = keys[may], values[may]
            a = (k @ q / root).softmax(0)
            of_e, g = change(a, a * ((v - a @ v) @ g) / root, g)
            back[0][i] = of_e @ k
            back[1][may] += torch.outer(of_e, q)
            back[2][may] += torch.outer(a, g)
    return tuple(back)


def read(queries, keys, values, may_attend):
    scores = (queries @ keys.T / queries.shape[1] ** 0.5).masked_fill(~may_attend, -1e30)
    return scores.softmax(-1).masked_fill(~may_attend, 0.0) @ values


def by_vjp(*given):
    *inputs, may_attend, upstream = given
    return torch.func.vjp(lambda *qkv: read(*qkv, may_attend), *inputs)[1](upstream)


def by_grad(*given):
    *inputs, may_attend, upstream = given
    inputs = [one.clone().requires_grad_() for one in inputs]
    return torch.autograd.grad(read(*inputs, may_attend), inputs, upstream)


def last_query_wins(queries, keys, values, may_attend, upstream):
    found = [
        query_by_query(*(queries[i, None], keys, values), may_attend[i, None], upstream[i, None])
        for i in range(len(queries))
    ]
    return torch.cat([one[0] for one in found]), *found[-1][1:]


def changed(change):
    return lambda *given: query_by_query(*given, change=change)


@pytest.mark.parametrize(
    "answer, words",
    [
        (by_vjp, "do without autograd"),
        (by_grad, "do without autograd"),
        (last_query_wins, ""),
        (changed(lambda a, of_e, g: (of_e * a, g)), "so the scores get"),
        (changed(lambda a, of_e, g: (-of_e, g)), "so the scores get"),
        (changed(lambda a, of_e, g: (of_e, torch.ones_like(g))), ""),
        (lambda q, k, v, may, g: query_by_query(q, k, v, may | True, g), "the mask is not used"),
        (lambda q, k, v, may, g: query_by_query(q, k, v, ~may, g), "wrong way round"),
        (lambda *given: query_by_query(*given)[0], "expected a tuple"),
        (lambda *given: torch.cat([x.flatten() for x in query_by_query(*given)]), "a Tensor"),
        (lambda *given: tuple(x.numpy() for x in query_by_query(*given)), "ndarray"),
    ],
)
def test_02_6_wrong_answers(answer, words):
    verdict = verdict_on("02.6", answer)
    assert verdict.state == "wrong"
    assert words in verdict.text, verdict.text


def test_02_6_query_by_query_is_right_and_agrees_with_autograd():
    assert verdict_on("02.6", query_by_query), verdict_on("02.6", query_by_query).text
    generator = torch.Generator().manual_seed(0)
    shapes = ((6, 3), (7, 3), (7, 5), (6, 7), (6, 5))
    q, k, v, may, g = (torch.randn(*s, generator=generator).double() for s in shapes)
    may = (may > 0).tril()
    assert not may.any(dim=1).all()
    for ours, theirs in zip(
        get("02.6").solution(q, k, v, may, g), by_grad(q, k, v, may, g), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("secret", range(5))
def test_02_6_is_solved_query_by_query_in_hidden_cases_as_well(secret):
    assert get("02.6").judge(query_by_query, secret)
