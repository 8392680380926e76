"""Notebook 11: wrong answers, written as learners write them, get a hint that fits."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.nn import functional as F

from course_utils.exercises import check

inf = float("inf")


def soft(scores, words, dim=1):
    return scores.masked_fill(~words, -inf).softmax(dim).nan_to_num(0.0)


def by_text(answer):
    """An answer from a function for one text, (T,) and (T,)."""
    return lambda s, w: torch.stack([answer(a, b) for a, b in zip(s, w, strict=True)])


def divided(s, w):
    e = s.softmax(-1) * w
    return e / e.sum(-1, keepdim=True).clamp_min(1e-30)


def exponentials(largest):
    """An answer with exp, from a function for what is subtracted before: largest(s, w)."""

    def answer(s, w):
        e = (s - largest(s, w)).exp().masked_fill(~w, 0.0)
        return e / e.sum(1, keepdim=True).clamp_min(1e-30)

    return answer


def largest_word(s, w):
    return s.masked_fill(~w, -1e30).amax(1, keepdim=True)


def with_math(s, w):
    """By a loop, without a maximum, and in double precision."""
    rows = [
        [math.exp(x) if y else 0.0 for x, y in zip(*r, strict=True)] for r in zip(s, w, strict=True)
    ]
    return torch.tensor([[x / (sum(r) or 1.0) for x in r] for r in rows])


def row(p):
    """The entropy of one row, by a loop."""
    return -sum(float(x) * math.log(float(x)) for x in p if x > 0)


def by_head(answer):
    """An answer from a function for one head, (T, K) → a number."""
    return lambda weights: torch.tensor([float(answer(head)) for head in weights])


def mean_row(head):
    return sum(row(p) for p in head) / len(head)


def in_numpy(head):
    p = np.asarray(head)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -(p * np.log(p)).sum(-1).mean() / np.log(p.shape[-1])


def falls(before, without, verdict=None):
    """How much the probability of the verdict falls, text by text."""
    verdict = before.argmax(1) if verdict is None else verdict
    rows = torch.arange(len(before))
    return before[rows, verdict] - without[rows, verdict]


def both(predicted, labels):
    return [
        bool(predicted[i] == labels[i] and predicted[i + 1] == labels[i + 1])
        for i in range(0, len(labels), 2)
    ]


def kl(p, q):
    return sum(float(a) * math.log(float(a) / float(b)) for a, b in zip(p, q, strict=True) if a > 0)


def take(rows):
    """An answer from a function that names the row of each beam: rows(b, k, parents, B, K)."""

    def answer(states, parents):
        B, K = parents.shape
        found = [rows(b, k, parents, B, K) % len(states) for b in range(B) for k in range(K)]
        return states[torch.tensor(found)]

    return answer


def by_kl_div(arguments, reduction="sum"):
    """Half of two calls of F.kl_div, from a function for their arguments: arguments(p, m)."""

    def answer(p, q):
        m = (p + q) / 2
        return sum(F.kl_div(*arguments(x, m), reduction=reduction) for x in (p, q)) / 2

    return answer


def rows_of(parents):
    return (torch.arange(len(parents))[:, None] * parents.shape[1] + parents).flatten()


def sent(states, parents, found=None):
    found = states.clone() if found is None else found
    B, K = parents.shape
    for b in range(B):
        for k in range(K):
            found[b * K + parents[b, k]] = states[b * K + k]
    return found


WRONG = [
    ("11.1", lambda s, w: soft(s, ~w), "where `words` is False"),
    ("11.1", lambda s, w: soft(s, w, dim=0), "of one text (dim 1)"),
    ("11.1", lambda s, w: s.masked_fill(~w, -1e9).softmax(-1), "a text without words"),
    ("11.1", lambda s, w: (s * w).softmax(-1), "needs −∞"),
    ("11.1", lambda s, w: s.masked_fill(~w, 0.0).softmax(-1), "needs −∞"),
    ("11.1", lambda s, w: s.softmax(-1) * w, "*before* the softmax"),
    ("11.1", lambda s, w: s.softmax(-1), "there is no mask"),
    ("11.1", lambda s, w: (w.float() / w.sum(1, keepdim=True)).nan_to_num(0), "equal shares"),
    (
        "11.1",
        by_text(
            lambda s, w: (
                (s.masked_fill(~w, -inf) == s[w].max()).float() * w
                if w.any()
                else torch.zeros_like(s)
            )
        ),
        "largest score alone",
    ),
    ("11.1", lambda s, w: soft(s.reshape(1, -1), w.reshape(1, -1)).reshape(s.shape), "whole batch"),
    ("11.1", lambda s, w: s.masked_fill(~w, -inf).softmax(-1), "a text without words"),
    ("11.1", lambda s, w: s.masked_fill(~w, -inf).softmax(-1) * w, "a text without words"),
    ("11.1", lambda s, w: s.exp() * w / (s.exp() * w).sum(1, keepdim=True), "as does 0/0"),
    ("11.1", lambda s, w: (s - 1e4 * ~w).softmax(-1), "nothing is left for the softmax"),
    ("11.1", exponentials(lambda s, w: 0), "exp(200) is infinite"),
    ("11.1", lambda s, w: exponentials(lambda s, w: 0)(s, w).nan_to_num(0), "exp(200)"),
    ("11.1", with_math, "largest score of each text"),
    ("11.1", exponentials(lambda s, w: s.max()), "largest score of each text"),
    ("11.1", exponentials(lambda s, w: s[w].max() if w.any() else 0), "of the whole batch"),
    ("11.1", lambda s, w: soft(s - 1e4 * ~w, w | True) * w.any(1)[:, None], "−10,000"),
    ("11.1", lambda s, w: (s - 1e4 * (1 - w.float())).softmax(1).where(w, 0.0), "−10,000"),
    ("11.1", lambda s, w: (s - 1e4 * ~w).softmax(1) * w, "−10,000"),
    ("11.1", divided, "does not bring it back"),
    ("11.1", exponentials(lambda s, w: s.amax(1, keepdim=True)), "does not bring it back"),
    ("11.1", lambda s, w: (s - 100 * ~w).softmax(1) * w, "fill with −∞ before the softmax"),
    ("11.2", by_head(mean_row), "divide by it"),
    ("11.2", by_head(lambda h: mean_row(h) / math.log(2)), "in bits"),
    ("11.2", by_head(in_numpy), "the logarithm of 0"),
    ("11.2", by_head(lambda h: -mean_row(h) / math.log(h.shape[1])), "the sign"),
    ("11.2", by_head(lambda h: sum(map(row, h)) / math.log(h.shape[1])), "not their sum"),
    (
        "11.2",
        lambda w: by_head(lambda h: mean_row(h) / math.log(h.shape[1]))(w).mean(),
        "for each head",
    ),
    ("11.2", by_head(lambda h: mean_row(h) / h.shape[1]), "not by K"),
    (
        "11.2",
        by_head(lambda h: mean_row(h) / h.shape[1] / math.log(h.shape[1])),
        "sum over the slots first",
    ),
    ("11.2", by_head(lambda h: 1 - mean_row(h) / math.log(h.shape[1])), "other way round"),
    ("11.2", by_head(lambda h: row(h.mean(0)) / math.log(h.shape[1])), "the mean row"),
    (
        "11.2",
        lambda w: torch.tensor([[row(p) for p in h] for h in w]).mean(0) / math.log(w.shape[2]),
        "not dim 0",
    ),
    (
        "11.2",
        by_head(lambda h: np.nan_to_num(in_numpy(h))),
        "loses what its other slots add",
    ),
    (
        "11.2",
        lambda w: -(w * w.log()).sum(2).nan_to_num().mean(1) / math.log(w.shape[2]),
        "loses what its other slots add",
    ),
    ("11.3", lambda b, w: falls(b, w, w.argmax(1)).mean(), "*before*"),
    ("11.3", lambda b, w: (b.max(1).values - w.max(1).values).mean(), "two maxima"),
    ("11.3", lambda b, w: falls(b, w).abs().mean(), "no absolute value"),
    ("11.3", lambda b, w: falls(b, w).relu().mean(), "cut it off"),
    ("11.3", lambda b, w: -falls(b, w).mean(), "before minus without"),
    ("11.3", lambda b, w: falls(b, w).sum(), "not the sum"),
    ("11.3", lambda b, w: (b - w)[:, 0].mean(), "always the first class"),
    ("11.3", lambda b, w: (falls(b, w) / b.max(1).values).mean(), "not their ratio"),
    ("11.3", lambda b, w: (b - w)[:, int(b[0].argmax())].mean(), "first text for all"),
    ("11.3", lambda b, w: sum(b.argmax(1) != w.argmax(1)) / len(b), "how many verdicts turn"),
    ("11.3", lambda b, w: (b[:, 1] - w[:, 1]).mean(), "always class 1"),
    ("11.3", lambda b, w: (b[:, -1] - w[:, -1]).mean(), "always the last class"),
    ("11.3", lambda b, w: (b - w)[:, b.argmax(1)].mean(), "choose one for each row"),
    ("11.3", lambda b, w: (b - w).gather(1, b.argmax(0, True)).mean(), "so over dim 1"),
    ("11.3", lambda b, w: (b - w)[b.argmax(0), torch.arange(b.shape[1])].mean(), "so over dim 1"),
    ("11.3", lambda b, w: falls(b, w, b.argmax(0)).mean(), "so over dim 1"),
    ("11.3", lambda b, w: (b - w).gather(1, b.argmax(0)[:, None]).mean(), "so over dim 1"),
    ("11.3", lambda b, w: (b - w)[:, b.argmax(0)].mean(), "so over dim 1"),
    ("11.3", lambda b, w: (b - w)[:, b.argmax()].mean(), "so over dim 1"),
    ("11.3", lambda b, w: b.max() - w.view(-1)[b.argmax()], "so over dim 1"),
    ("11.4", lambda p, y: sum(p == y) / len(y), "share of right texts"),
    ("11.4", lambda p, y: (sum(p == y) / len(y)) ** 2, "product of two shares"),
    ("11.4", lambda p, y: int((p == y).sum()), "counts the right texts"),
    ("11.4", lambda p, y: sum(p == y), "counts the right texts"),
    ("11.4", lambda p, y: 2 * (p == y).float().mean(), "counts the right texts"),
    ("11.4", lambda p, y: sum(both(p, y)), "not their number"),
    ("11.4", lambda p, y: (p == y).view(-1, 2).all(1).sum(), "not their number"),
    (
        "11.4",
        lambda p, y: ((p - y).view(-1, 2).sum(1) == 0).float().mean(),
        "the same sum",
    ),
    (
        "11.4",
        lambda p, y: (
            sum(p[i : i + 2].sum() == y[i : i + 2].sum() for i in range(0, len(y), 2))
            / (len(y) / 2)
        ),
        "the same sum",
    ),
    (
        "11.4",
        lambda p, y: (
            sum(
                sorted(a) == sorted(b)
                for a, b in zip(p.view(-1, 2).tolist(), y.view(-1, 2).tolist(), strict=True)
            )
            / (len(y) / 2)
        ),
        "the same sum",
    ),
    ("11.4", lambda p, y: sum(both(p.bool(), y.bool())) / (len(y) / 2), "`bool()`"),
    ("11.4", lambda p, y: sum(both(p > 0, y > 0)) / (len(y) / 2), "`bool()`"),
    ("11.4", lambda p, y: ((p > 0) & (y > 0)).view(-1, 2).all(1).float().mean(), "`bool()`"),
    ("11.4", lambda p, y: ((p > 0) != (y > 0)).view(-1, 2).all(1).float().mean(), "`bool()`"),
    ("11.4", lambda p, y: sum(both(p == 1, y == 1)) / (len(y) / 2), "more labels than 0 and 1"),
    ("11.4", lambda p, y: ((p == y)[::2] | (p == y)[1::2]).float().mean(), "not one of them"),
    (
        "11.4",
        lambda p, y: ((p == y)[: len(y) // 2] & (p == y)[len(y) // 2 :]).float().mean(),
        "first half",
    ),
    ("11.4", lambda p, y: torch.tensor(float(sum(both(p, y)))), "not their number"),
    ("11.4", lambda p, y: sum(both(p, y)) / len(y), "number of texts"),
    ("11.4", lambda p, y: (p[::2] != p[1::2]).float().mean(), "two predictions differ"),
    ("11.4", lambda p, y: ((p == y)[1:] & (p == y)[:-1]).float().mean(), "do not overlap"),
    (
        "11.4",
        lambda p, y: (p == y)[::2].float().mean() * (p == y)[1::2].float().mean(),
        "product of two shares",
    ),
    ("11.4", lambda p, y: 1 - sum(both(p, y)) / (len(y) / 2), "those that are wrong"),
    ("11.4", lambda p, y: (p[::2] == y[::2]).float().mean(), "the first alone"),
    ("11.5", kl, "p with q (KL)"),
    ("11.5", lambda p, q: (kl(p, q) + kl(q, p)) / 2, "both ways"),
    ("11.5", lambda p, q: kl(p, (p + q) / 2) + kl(q, (p + q) / 2), "half of each of the two"),
    ("11.5", lambda p, q: kl(p, (p + q) / 2) / 2, "p alone"),
    ("11.5", lambda p, q: float(jensenshannon(p, q, base=2)) ** 2, "in bits"),
    ("11.5", lambda p, q: float(jensenshannon(p, q)), "not its root"),
    (
        "11.5",
        lambda p, q: sum((p * (2 * p / (p + q)).log() + q * (2 * q / (p + q)).log()) / 2),
        "0 ln 0",
    ),
    ("11.5", lambda p, q: float(jensenshannon(p, q)) ** 2 / len(p), "not the mean"),
    ("11.5", lambda p, q: (p - q).clamp_min(0).sum(), "absolute differences"),
    ("11.5", lambda p, q: -(float(jensenshannon(p, q)) ** 2), "never negative"),
    ("11.5", lambda p, q: kl(q, p), "p with q (KL)"),
    ("11.5", lambda p, q: kl(q, (p + q) / 2) / 2, "q alone"),
    ("11.5", lambda p, q: kl(p, (p + q) / 2), "one of them alone"),
    ("11.5", lambda p, q: kl(q, (p + q) / 2), "one of them alone"),
    (
        "11.5",
        lambda p, q: sum(
            float(a * (2 * a / (a + b)).log() + b * (2 * b / (a + b)).log()) / 2
            for a, b in zip(p, q, strict=True)
            if a * b > 0
        ),
        "one that p or q lacks",
    ),
    ("11.5", by_kl_div(lambda p, m: (p.log(), m)), "`F.kl_div` takes a logarithm first"),
    ("11.5", by_kl_div(lambda p, m: ((p + 1e-9).log(), m)), "`F.kl_div` takes a logarithm first"),
    ("11.5", by_kl_div(lambda p, m: (p, m)), "`F.kl_div` takes a logarithm first"),
    ("11.5", by_kl_div(lambda p, m: (m, p)), "`F.kl_div` takes a logarithm first"),
    ("11.5", by_kl_div(lambda p, m: (p, m.log())), "`F.kl_div` takes a logarithm first"),
    ("11.5", by_kl_div(lambda p, m: (p.log(), m), "batchmean"), "takes a logarithm first"),
    ("11.5", by_kl_div(lambda p, m: (m, p), "batchmean"), "takes a logarithm first"),
    ("11.5", by_kl_div(lambda p, m: (m.log(), p)), "0 ln 0 is 0"),
    ("11.6", take(lambda b, k, p, B, K: p[b, k]), "states of the first"),
    (
        "11.6",
        lambda s, p: s[(torch.arange(len(p))[:, None] * len(p) + p).view(-1)],
        "not at row b · B",
    ),
    (
        "11.6",
        lambda s, p: s.index_select(0, (len(p) * torch.arange(len(p))[:, None] + p).view(-1)),
        "not at row b · B",
    ),
    ("11.6", lambda s, p: sent(s, p, torch.zeros_like(s)), "to its parent's place"),
    (
        "11.6",
        lambda s, p: torch.zeros_like(s).scatter(0, rows_of(p)[:, None].expand_as(s), s),
        "to its parent's place",
    ),
    (
        "11.6",
        lambda s, p: torch.zeros_like(s).scatter_add(0, rows_of(p)[:, None].expand_as(s), s),
        "to its parent's place",
    ),
    ("11.6", lambda s, p: s[rows_of(p.argsort(1))], "to its parent's place"),
    ("11.6", lambda s, p: s[rows_of(p).argsort()], "to its parent's place"),
    ("11.6", lambda s, p: s, "nothing is reordered"),
    ("11.6", take(lambda b, k, p, B, K: b * B + p[b, k]), "not at row b · B"),
    ("11.6", take(lambda b, k, p, B, K: p[b, k] * B + b), "not k · B + b"),
    ("11.6", take(lambda b, k, p, B, K: b * K + p[b].sort().values[k]), "do not sort"),
    ("11.6", sent, "to its parent's place"),
    ("11.6", take(lambda b, k, p, B, K: b * K + p[b, 0]), "those of the first"),
    ("11.6", take(lambda b, k, p, B, K: b * K + (p[b, k] - 1) % K), "count from 0"),
    ("11.6", take(lambda b, k, p, B, K: b * K + p[0, k]), "parents of its own"),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_gets_the_hint_that_its_author_needs(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint in (verdict.hint or ""), verdict.text


@pytest.mark.parametrize(
    "number, answer",
    [
        ("11.1", lambda s, w: torch.zeros_like(s)),
        ("11.1", lambda s, w: soft(s, w)[0]),
        ("11.2", lambda w: torch.ones(len(w))),
        ("11.2", lambda w: w),
        ("11.3", lambda b, w: 0.6),
        ("11.4", lambda p, y: 0.5),
        ("11.5", lambda p, q: 0.0),
        ("11.6", lambda s, p: s.flip(0)),
        ("11.6", lambda s, p: p),
    ],
)
def test_an_answer_that_fits_no_mistake_is_refused_all_the_same(number, answer):
    assert check(number, answer).state == "wrong"


@pytest.mark.parametrize(
    "number, answer",
    [
        ("11.1", soft),
        ("11.1", exponentials(largest_word)),
        ("11.2", by_head(lambda h: mean_row(h) / math.log(h.shape[1]))),
        ("11.3", lambda b, w: float(falls(b, w).mean())),
        ("11.4", lambda p, y: sum(both(p, y)) / (len(y) // 2)),
        ("11.5", lambda p, q: float(jensenshannon(p, q)) ** 2),
        ("11.6", take(lambda b, k, p, B, K: b * K + int(p[b, k]))),
    ],
)
def test_a_right_answer_written_another_way_is_right(number, answer):
    assert check(number, answer)


# ------------------------------------------------------------------- 11.7: a diagnosis of your own


def one_by_one(
    model,
    x,
    words,
    close=lambda a, b: abs(a - b) <= 1e-3,
    inputs=lambda real: range(len(real)),
    before=lambda i: range(i),
    other_padding=lambda value: value + 1,
    wider=True,
    alone=lambda b: [b],
):
    """Place by place, in Python's numbers."""
    B, T = x.shape
    usual = model(x, words)

    def same(got, rows, places=range(T)):
        return all(
            close(float(got[k, t]), float(usual[b, t]))
            for k, b in enumerate(rows)
            for t in places
            if words[b, t]
        )

    if not same(model(x, words), range(B)):
        return {"random"}
    names = set()
    padded = torch.where(words, x, other_padding(x))
    if not same(model(padded, words), range(B)):
        names |= {"padding"}
    if wider and not same(model(F.pad(x, (0, 1)), F.pad(words, (0, 1))), range(B)):
        names |= {"padding"}
    for b in range(B):
        if not same(model(x[alone(b)], words[alone(b)]), [b]):
            names |= {"batch"}
        for i in inputs(words[b]):
            if words[b, i]:
                changed = x.clone()
                changed[b, i] += 1
                if not same(model(changed, words)[b : b + 1], [b], before(i)):
                    names |= {"future"}
    return names


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda *given: one_by_one(*given, close=lambda a, b: a == b), "rounding is no fault"),
        (lambda *given: one_by_one(*given, close=lambda a, b: abs(a - b) < 0.1), "0.1 is too much"),
        (lambda *given: one_by_one(*given, inputs=lambda w: [len(w) - 1]), "last column"),
        (lambda *given: one_by_one(*given, before=lambda i: range(i + 1)), "its own output"),
        (lambda *given: one_by_one(*given, other_padding=torch.zeros_like), "padding is 0 already"),
        (lambda *given: one_by_one(*given, wider=False), "append a column"),
        (lambda *given: one_by_one(*given, inputs=lambda w: w.nonzero()[0]), None),
        (lambda *given: sorted(one_by_one(*given)), None),
        (lambda *given: next(iter(one_by_one(*given)), "none"), None),
        (lambda model, x, words: {"padding", "future", "batch"}, None),
        (lambda model, x, words: one_by_one(model, x.numpy(), words.numpy()), None),
    ],
)
def test_11_7_wrong_answers(answer, hint):
    verdict = check("11.7", answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


def test_11_7_a_diagnosis_place_by_place_is_right():
    assert check("11.7", one_by_one)
