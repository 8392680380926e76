"""Answers to the exercises of notebook 01 as learners write them: the wrong get a fitting hint.

The masters hold common mistakes; here are further ones, or the same written another way, each with
words that the verdict has to contain.
"""

import itertools
import math

import numpy as np
import pytest
import torch

from course_utils.exercises import get


def verdict_on(number, answer):
    return get(number).judge(answer)


# --- 01.1 many questions at once --------------------------------------------------------------


def exps_with_one_maximum(queries, keys, values):
    scores = queries @ keys.T
    e = (scores - scores.max()).exp()
    return (e / e.sum(1, keepdim=True)) @ values


def exps_in_a_loop(queries, keys, values):
    rows = []
    for q in queries:
        e = torch.tensor([math.exp(min(float(q @ k), 700.0)) for k in keys])
        rows.append((e / e.sum()) @ values)
    return torch.stack(rows)


def sum_kept_without_its_dimension(queries, keys, values):
    e = ((queries @ keys.T) - (queries @ keys.T).amax(1, keepdim=True)).exp()
    return (e / e.sum(0)) @ values


def unit_vectors(queries, keys, values):
    q, k = (x / x.norm(dim=1, keepdim=True).clamp_min(1e-9) for x in (queries, keys))
    return (q @ k.T).softmax(1) @ values


def exps_in_double_precision(queries, keys, values):
    e = (queries @ keys.T).double().exp()
    return (e / e.sum(1, keepdim=True)).float() @ values


WRONG_01_1 = [
    (exps_in_double_precision, "exp of them is infinite"),
    (exps_with_one_maximum, "each row needs its own"),
    (exps_in_a_loop, "infinite, and ∞/∞ is NaN"),
    (sum_kept_without_its_dimension, "each of the three keys gets ⅓"),
    (lambda q, k, v: (k @ q.T).softmax(1).T @ v, "softmax along the last dimension"),
    (lambda q, k, v: (q @ k.T / k.shape[1] ** 0.5).softmax(1) @ v, "do not divide by √D"),
    (lambda q, k, v: (q @ k.T).clamp(max=80).softmax(1) @ v, "cutting them off makes them equal"),
    (lambda q, k, v: (q @ k.T).softmax(1) @ k, "multiply by `values`"),
    (lambda q, k, v: (q[0] @ k.T).softmax(0) @ v, "the shape is (2,), expected (1, 2)"),
    (lambda q, k, v: v[(q @ k.T).max(1).indices], "hard attention"),
    (lambda q, k, v: (q @ k.T) @ v, "softmax is missing"),
    (lambda q, k, v: [(k @ one).softmax(0) @ v for one in q], "torch.stack"),
    (lambda q, k, v: ((q @ k.T).softmax(1) @ v).numpy(), "got an ndarray, expected a Tensor"),
    (lambda q, k, v: q.softmax(1) @ k.T @ v, "each of the three keys gets ⅓"),
    (unit_vectors, "plain dot products"),
]


# --- 01.2 a temperature to order --------------------------------------------------------------


def by_halves(measure, steps=60, low=1e-3, high=1e3):
    def answer(scores, places):
        a, b = low, high
        for _ in range(steps):
            middle = math.sqrt(a * b)
            if measure((scores / middle).softmax(0)) > places:
                b = middle
            else:
                a = middle
        return middle

    return answer


def perplexity(w):
    return math.exp(-sum(p * math.log(p) for p in w.tolist() if p > 0))


def exps_by_hand(scores, places):
    a, b = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(a * b)
        e = (scores / middle).exp()
        a, b = (a, middle) if perplexity(e / e.sum()) > places else (middle, b)
    return middle


def bits(w):
    return 2 ** -sum(p * math.log(p) for p in w.tolist() if p > 0)


WRONG_01_2 = [
    (lambda s, n: 1 / by_halves(perplexity)(s, n), "not multiplied by it"),
    (by_halves(lambda w: math.log(perplexity(w))), "exp is missing"),
    (by_halves(lambda w: -perplexity(w)), "which half does it keep"),
    (by_halves(lambda w: 1 / w.square().sum()), "another way of counting"),
    (by_halves(lambda w: 1 / w.max()), "largest weight of 1/places"),
    (by_halves(perplexity, high=1.0), "stops at τ = 1"),
    (by_halves(perplexity, high=100.0), "search the whole range"),
    (by_halves(perplexity, low=0.01), "search the whole range"),
    (by_halves(perplexity, steps=8), "halve the range often enough"),
    (by_halves(lambda w: (-(w * w.log()).sum()).exp().nan_to_num(9.0)), "torch.xlogy"),
    (by_halves(lambda w: (w > 0.02).sum()), "if yours agrees there"),
    (lambda s, n: by_halves(perplexity)(s, 3.0), "`places` is not used"),
    (exps_by_hand, "subtracts the largest score first"),
    (by_halves(bits), "exp(H) is 1.755"),
    (lambda s, n: [by_halves(perplexity)(s, n)], "got a list, expected a number"),
]


# --- 01.3 everyone but me ---------------------------------------------------------------------


def scores_of(x, width):
    return -((x[:, None] - x) ** 2) / (2 * width**2)


def filled(number, after=False):
    def answer(x, y, width):
        scores = scores_of(x, width)
        scores[range(len(x)), range(len(x))] = number
        return scores.softmax(1) @ y

    return answer


def zeros_after_softmax(x, y, width):
    w = scores_of(x, width).softmax(1).fill_diagonal_(0)
    return w / w.sum(1, keepdim=True) @ y


def kernels_in_a_loop(x, y, width):
    result = []
    for i in range(len(x)):
        k = [
            math.exp(-(float(x[i] - x[j]) ** 2) / (2 * width**2)) * (i != j) for j in range(len(x))
        ]
        k = torch.tensor(k)
        result.append((k @ y) / k.sum())
    return torch.stack(result)


def without_equal_places(x, y, width):
    rows = []
    for one in x:
        kept = x != one
        rows.append((-((x[kept] - one) ** 2) / (2 * width**2)).softmax(0) @ y[kept])
    return torch.stack(rows)


def nearest_neighbour(x, y, width):
    return y[(x[:, None] - x).abs().fill_diagonal_(math.inf).argmin(1)]


WRONG_01_3 = [
    (filled(0.0), "a mask of 0 changes nothing"),
    (filled(-100.0), "only -inf is below all of them"),
    (filled(-1e9), "a finite number is not low enough"),
    (filled(-1e30), "a finite number is not low enough"),
    (zeros_after_softmax, "0/0 is NaN"),
    (kernels_in_a_loop, "0/0 is NaN"),
    (without_equal_places, "the diagonal (i = j)"),
    (nearest_neighbour, "only the nearest point"),
    (lambda x, y, w: (y.sum() - y) / (len(y) - 1), "plain mean of the others"),
    (lambda x, y, w: scores_of(x, w).softmax(1).fill_diagonal_(0) @ y, "no longer sum to one"),
    (lambda x, y, w: filled(-math.inf)(x, y, w**0.5), "divide by 2 · width²"),
    (lambda x, y, w: y, "the mask is inverted"),
    (lambda x, y, w: filled(-math.inf)(x, y, w).tolist(), "got a list, expected a tensor"),
]


# --- 01.4 empty chairs ------------------------------------------------------------------------


def party_by_party(change):
    """A right answer with a loop, except for what `change` makes of the scores of one party."""

    def answer(queries, keys, values, lengths):
        rows = []
        for q, k, v, n in zip(queries, keys, values, lengths.tolist(), strict=True):
            rows.append(change(k @ q, v, n))
        return torch.stack(rows)

    return answer


def cut_wrongly(e, v, n):
    return e[: n + 1].softmax(0) @ v[: n + 1]


def filled_up(number):
    def change(e, v, n):
        e = e.clone()
        e[n:] = number
        return e.softmax(0) @ v

    return change


def divided_by_the_rest(e, v, n):
    w = e.softmax(0)[:n]
    return w / w.sum() @ v[:n]


def zeroed(e, v, n):
    w = e.softmax(0)
    w[n:] = 0
    return w @ v


def by_the_first_length(queries, keys, values, lengths):
    n = int(lengths[0])
    e = torch.einsum("bd,btd->bt", queries, keys[:, :n])
    return torch.einsum("bt,btd->bd", e.softmax(1), values[:, :n])


def zeros_taken_for_padding(queries, keys, values, lengths):
    e = torch.einsum("bd,btd->bt", queries, keys)
    e = e.masked_fill(keys.abs().sum(-1) == 0, -math.inf)
    return torch.einsum("bt,btd->bd", e.softmax(1), values)


def mask_the_other_way(queries, keys, values, lengths):
    e = torch.einsum("bd,btd->bt", queries, keys)
    mask = torch.arange(keys.shape[1]) < lengths[:, None]
    return torch.einsum("bt,btd->bd", e.masked_fill(mask, -math.inf).softmax(1), values)


WRONG_01_4 = [
    (party_by_party(lambda e, v, n: e.softmax(0) @ v), "the empty chairs take part"),
    (party_by_party(cut_wrongly), "one slot too long"),
    (party_by_party(filled_up(0.0)), "exp(0) = 1"),
    (party_by_party(filled_up(-1000.0)), "a finite number is not low enough"),
    (party_by_party(filled_up(-1e9)), "a finite number is not low enough"),
    (party_by_party(divided_by_the_rest), "before softmax"),
    (party_by_party(zeroed), "values of zero are not enough"),
    (party_by_party(lambda e, v, n: v[:n].mean(0)), "plain mean of the guests"),
    (party_by_party(lambda e, v, n: e[:n] @ v[:n]), "each of them has the weight ½"),
    (by_the_first_length, "guests are cut off"),
    (zeros_taken_for_padding, "recognised by its content"),
    (mask_the_other_way, "the mask is inverted"),
    (
        lambda *given: np.asarray(get("01.4")(*given)),
        "got an ndarray, expected a Tensor",
    ),
]

WRONG = [
    pytest.param(number, answer, words, id=f"{number}-{place}")
    for number, rows in (
        ("01.1", WRONG_01_1),
        ("01.2", WRONG_01_2),
        ("01.3", WRONG_01_3),
        ("01.4", WRONG_01_4),
    )
    for place, (answer, words) in enumerate(rows)
]


@pytest.mark.parametrize("number, answer, words", WRONG)
def test_a_wrong_answer_is_refused_with_words_that_fit(number, answer, words):
    verdict = verdict_on(number, answer)
    assert verdict.state == "wrong"
    assert words in verdict.text


# --- right in another way ---------------------------------------------------------------------


def softmax_by_hand(queries, keys, values):
    scores = torch.einsum("qd,kd->qk", queries, keys)
    e = torch.exp(scores - scores.amax(1, keepdim=True))
    return torch.einsum("qk,kd->qd", e, values) / e.sum(1, keepdim=True)


def others_in_a_loop(x, y, width):
    rows = []
    for i in range(len(x)):
        xs, ys = torch.cat([x[:i], x[i + 1 :]]), torch.cat([y[:i], y[i + 1 :]])
        rows.append((-((xs - x[i]) ** 2) / (2 * width**2)).softmax(0) @ ys)
    return torch.stack(rows)


@pytest.mark.parametrize(
    "number, answer",
    [
        ("01.1", softmax_by_hand),
        ("01.1", lambda q, k, v: get("01.1")(q.double(), k.double(), v.double())),
        ("01.2", by_halves(perplexity)),
        ("01.2", lambda s, n: torch.tensor(by_halves(perplexity, low=1e-4)(s, n))),
        ("01.3", others_in_a_loop),
        ("01.3", filled(-math.inf)),
        ("01.4", party_by_party(lambda e, v, n: e[:n].softmax(0) @ v[:n])),
        ("01.4", party_by_party(filled_up(-math.inf))),
    ],
)
def test_a_right_answer_may_be_written_another_way(number, answer):
    assert verdict_on(number, answer)


# --- 01.5 a width for every column ------------------------------------------------------------


def row_by_row(x, y, widths, distance=None, others=None, blind=None, order=None):
    """Without a mask: each row is predicted from a table that it is not in."""
    distance = distance or (lambda gap, width: (gap / width) ** 2 / 2)
    others = others or (lambda i: [j for j in range(len(x)) if j != i])

    def predicted(i, chosen):
        rows = others(i)
        scores = [
            -sum(distance(float(x[i, d] - x[j, d]), w) for d, w in enumerate(chosen)) for j in rows
        ]
        top = max(scores)
        shares = [math.exp(score - top) for score in scores]
        return sum(s * float(y[j]) for s, j in zip(shares, rows, strict=True)) / sum(shares)

    def error(chosen):
        return sum((predicted(i, chosen) - float(y[i])) ** 2 for i in range(len(x))) / len(x)

    best = least = None
    for chosen in (order or itertools.product)(widths, repeat=x.shape[1]):
        found = error(chosen)
        if least is None or found < least:
            best, least = chosen, found
    return best, least, error((blind or math.inf,) * x.shape[1])


def only(chosen):
    return lambda *_, **__: [tuple(chosen)]


def one_after_the_other(x, y, widths):
    """Begins with the last width, and gets stuck where columns help only together."""
    chosen = [widths[-1]] * x.shape[1]
    for d in range(x.shape[1]):
        tried = [[*chosen[:d], one, *chosen[d + 1 :]] for one in widths]
        errors = [row_by_row(x, y, widths, order=only(one))[1] for one in tried]
        chosen = tried[errors.index(min(errors))]
    return row_by_row(x, y, widths, order=only(chosen))


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda x, y, w: row_by_row(x, y, w, others=lambda i: range(len(x))), "narrowest width"),
        (lambda x, y, w: row_by_row(x, y, w, distance=lambda gap, s: gap**2 / s / 2), "2 · σ²"),
        (lambda x, y, w: row_by_row(x, y, w, distance=lambda gap, s: (gap / s) ** 2), "the 2 in"),
        (
            lambda x, y, w: row_by_row(x, y, w, order=lambda w, repeat: [(s,) * repeat for s in w]),
            "in which they differ",
        ),
        (lambda x, y, w: row_by_row(x, y, sorted(w)), "do not sort"),
        (lambda x, y, w: row_by_row(x, y, w[::-1]), ""),
        (lambda x, y, w: row_by_row(x[:, :1], y, w), "got 1 value, expected 2"),
        (lambda x, y, w: row_by_row(x, y, w, blind=1.0), ""),
        (lambda x, y, w: row_by_row(x, y, w)[:2], "got 2 values, expected 3"),
        (one_after_the_other, "help only together"),
    ],
)
def test_01_5_wrong_answers(answer, words):
    verdict = verdict_on("01.5", answer)
    assert verdict.state == "wrong"
    assert words in verdict.text, verdict.text


def test_01_5_row_by_row_is_right_and_a_column_of_noise_is_not_looked_at():
    assert verdict_on("01.5", row_by_row), verdict_on("01.5", row_by_row).text
    generator = torch.Generator().manual_seed(0)
    x = (6 * torch.rand(60, generator=generator)).sort().values
    y = torch.sin(1.5 * x) + 0.4 * x + 0.3 * torch.randn(60, generator=generator)
    table = torch.stack([x, torch.randn(60, generator=generator)], dim=1)
    chosen, error, blind = get("01.5").solution(table, y, [0.1, 0.3, 1.0, math.inf])
    assert chosen == (0.3, math.inf) and error < 0.2 * blind


@pytest.mark.parametrize("secret", range(5))
def test_01_5_is_solved_row_by_row_in_hidden_cases_as_well(secret):
    assert get("01.5").judge(row_by_row, secret)
