"""Notebook 06: wrong answers, written as learners write them, get a hint that fits.

The mistakes of the master are tested in test_exercises.py. These are other programs: each is given
with a part of the hint that its author needs.
"""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from course_utils.exercises import check

# ----------------------------------------------------------------------------------- 06.1: the mean


def loop_over(texts):
    """An answer from a function that pools one text, (T, D) and (T,) → (D,)."""
    return lambda states, ids: torch.stack([texts(s, i) for s, i in zip(states, ids, strict=True)])


def mean_of_kept(states, ids):
    return states[ids != 0].mean(dim=0)


def mean_of_all(states, ids):
    return states.mean(dim=0)


def sum_of_kept(states, ids):
    return states[ids != 0].sum(dim=0)


def sum_of_kept_over_all(states, ids):
    return states[ids > 0].sum(dim=0) / len(ids)


def sum_of_all_over_kept(states, ids):
    return states.sum(dim=0) / max(int((ids > 0).sum()), 1)


def first_so_many(states, ids):
    count = int((ids > 0).sum())
    return states[:count].mean(dim=0) if count else torch.zeros(states.shape[1])


def states_that_are_not_zero(states, ids):
    kept = states[(ids > 0) & (states.abs().sum(dim=1) > 0)]
    return kept.mean(dim=0) if len(kept) else torch.zeros(states.shape[1])


def over_texts(states, ids):
    kept = (ids > 0).to(states.dtype)[..., None]
    return (states * kept).sum(0) / kept.sum(0).clamp(min=1)


def one_count_for_all(states, ids):
    kept = ids > 0
    most = max(int(kept.sum(dim=1).max()), 1)
    return torch.einsum("btd,bt->bd", states, kept.float()) / most


def over_the_width(states, ids):
    return torch.where((ids > 0)[..., None], states, 0.0).mean(-1)


# ------------------------------------------------------------------------------ 06.2: turning round


def rows(turn):
    """An answer from a function that turns one row, a list, given its length."""

    def answer(ids, lengths):
        given = zip(ids.tolist(), lengths.tolist(), strict=True)
        return torch.tensor([turn(row, n) for row, n in given])

    return answer


def by_slices(ids, lengths):
    turned = ids.clone()
    for b, n in enumerate(lengths.tolist()):
        turned[b, :n] = ids[b, :n].flip(0)
    return turned


def in_place_from_both_ends(ids, lengths):
    for row, n in zip(ids, lengths.tolist(), strict=True):
        for i in range(n // 2):
            row[i], row[n - 1 - i] = row[n - 1 - i].clone(), row[i].clone()
    return ids


def half_overwritten(row, n):
    row = list(row)
    for i in range(n):
        row[i] = row[n - 1 - i]
    return row


def first_and_last(row, n):
    return [row[n - 1], *row[1 : n - 1], row[0], *row[n:]] if n > 1 else row


def from_slice_with_negative_start(row, n):
    return row[n - 1 :: -1] + row[n:] if n else row[-1::-1]


def longest_length(ids, lengths):
    most = int(lengths.max())
    return torch.cat([ids[:, :most].flip(1), ids[:, most:]], dim=1)


def counted_ids(ids, lengths):
    return by_slices(ids, (ids > 0).sum(1))


def shifted_by_one(row, n):
    return [row[min(n - i, len(row) - 1)] if i < n else row[i] for i in range(len(row))]


# -------------------------------------------------------------------------- 06.3: average precision


def in_order(weights, marked, largest=True):
    pairs = sorted(zip(weights.tolist(), marked.tolist(), strict=True), reverse=largest)
    return [mark for _, mark in pairs]


def precisions(marks, start=1):
    return [sum(marks[: i + 1]) / (i + start) for i in range(len(marks))]


def mean_at_marks(weights, marked, largest=True, start=1):
    marks = in_order(weights, marked, largest)
    noted = [p for p, mark in zip(precisions(marks, start), marks, strict=True) if mark]
    return sum(noted) / len(noted)


def mean_everywhere(weights, marked):
    return float(np.mean(precisions(in_order(weights, marked))))


def over_all_words(weights, marked):
    return mean_at_marks(weights, marked) * float(marked.float().mean())


def reciprocal_rank(weights, marked):
    return 1 / (1 + in_order(weights, marked).index(True))


def unsorted(weights, marked):
    marks = marked.tolist()
    return float(np.mean([p for p, m in zip(precisions(marks), marks, strict=True) if m]))


def mass(weights, marked):
    return float(weights[marked].sum() / weights.sum())


def r_precision(weights, marked):
    count = int(marked.sum())
    return float(marked[weights.topk(count).indices].float().mean())


def roc(weights, marked):
    return float(roc_auc_score(marked, weights)) if not marked.all() else 1.0


# -------------------------------------------------------------------------------- 06.4: calibration


def gaps(confidence, right, bins, edge=True):
    """For each bin that is not empty: its share of the verdicts, and right minus said."""
    confidence, right = confidence.double().numpy(), right.numpy().astype(float)
    found = []
    for m in range(bins):
        low, high = m / bins, (m + 1) / bins
        inside = (confidence >= low) & (confidence < high)
        if edge and m == bins - 1:
            inside |= confidence == 1
        if inside.any():
            found.append((inside.mean(), right[inside].mean() - confidence[inside].mean()))
    return found


def over_bins(join, **settings):
    return lambda c, r, bins: float(join(np.array(gaps(c, r, bins, **settings) or [(0, 0)])))


def expected(found):
    return (found[:, 0] * abs(found[:, 1])).sum()


def one_bin_for_all(confidence, right, bins):
    return abs(float(right.float().mean() - confidence.mean()))


def middles(confidence, right, bins):
    place = torch.clamp((confidence * bins).floor(), max=bins - 1)
    found = [
        (place == m).float().mean() * (right[place == m].float().mean() - (m + 0.5) / bins).abs()
        for m in place.unique()
    ]
    return float(sum(found))


# ---------------------------------------------------------------- more kinds of wrong answers, 06


def mean_or_zeros(states, ids):
    return mean_of_kept(states, ids) if ids.any() else torch.zeros(states.shape[1])


def grouped(confidence, right, places):
    """The weighted mean of the gaps of verdicts that share a place."""
    found = {}
    for place, c, r in zip(places, confidence.tolist(), right.tolist(), strict=True):
        found.setdefault(int(place), []).append(r - c)
    return sum(abs(sum(gaps)) for gaps in found.values()) / len(confidence)


def notes(weights, marked):
    """(rank, precision) at each marked word, best first."""
    marks = marked[weights.argsort(descending=True)].tolist()
    return [(i, sum(marks[:i]) / i) for i, mark in enumerate(marks, 1) if mark]


def best_to_come(weights, marked):
    values = [precision for _, precision in notes(weights, marked)]
    return sum(max(values[i:]) for i in range(len(values))) / len(values)


def equally_many(confidence, right, bins):
    order = np.argsort(confidence.numpy(), kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    c, r = confidence.numpy(), right.numpy().astype(float)
    return sum(len(p) * abs(r[p].mean() - c[p].mean()) for p in parts) / len(c)


WRONG = [
    ("06.1", loop_over(mean_of_kept), "zero divided by zero"),
    ("06.1", loop_over(mean_of_all), "multiply by the mask"),
    ("06.1", loop_over(sum_of_kept), "this is the sum"),
    ("06.1", loop_over(sum_of_kept_over_all), "all T positions"),
    ("06.1", loop_over(sum_of_all_over_kept), "sum still holds"),
    ("06.1", loop_over(first_so_many), "need not come last"),
    ("06.1", loop_over(states_that_are_not_zero), "ids say what is padding"),
    ("06.1", over_texts, "mean over the words (dim 1)"),
    ("06.1", one_count_for_all, "not that of the longest"),
    ("06.1", over_the_width, "not over the width"),
    ("06.2", rows(lambda row, n: row[::-1]), "padding comes first"),
    ("06.2", longest_length, "length of its own"),
    ("06.2", rows(shifted_by_one), "off by one"),
    ("06.2", counted_ids, "length says where"),
    ("06.2", rows(lambda row, n: row[:n][::-1] + [0] * (len(row) - n)), "do not replace"),
    ("06.2", rows(lambda row, n: sorted(row[:n], reverse=True) + row[n:]), "do not sort"),
    ("06.2", rows(half_overwritten), "already overwritten"),
    ("06.2", rows(first_and_last), "first and the last"),
    ("06.2", lambda ids, lengths: by_slices(ids, lengths[:1].repeat(len(ids))), "lengths[0]"),
    ("06.2", lambda ids, lengths: ids[torch.arange(len(ids)).flip(0)], "texts of the batch"),
    ("06.2", rows(from_slice_with_negative_start), "n = 0"),
    ("06.2", in_place_from_both_ends, "work on a copy"),
    ("06.3", lambda w, m: mean_at_marks(w, m, largest=False), "descending"),
    ("06.3", mean_everywhere, "marked words only"),
    ("06.3", over_all_words, "number of marked words"),
    ("06.3", lambda w, m: mean_at_marks(w, m, start=2), "counted from 1"),
    ("06.3", reciprocal_rank, "not only at the first"),
    ("06.3", unsorted, "not along the text"),
    ("06.3", mass, "weights only rank"),
    ("06.3", r_precision, "as many words as are marked"),
    ("06.3", roc, "ROC"),
    ("06.4", over_bins(lambda found: abs(found[:, 1]).mean()), "weight each bin"),
    ("06.4", over_bins(lambda found: abs((found[:, 0] * found[:, 1]).sum())), "absolute value"),
    ("06.4", one_bin_for_all, "absolute value"),
    ("06.4", over_bins(lambda found: abs(found[:, 1]).max()), "largest gap"),
    ("06.4", over_bins(lambda found: (found[:, 0] * found[:, 1] ** 2).sum()), "not its square"),
    ("06.4", middles, "not its middle"),
    ("06.4", lambda c, r, bins: float(abs(r.float() - c).mean()), "single verdict"),
    ("06.4", lambda c, r, bins: float(((r.float() - c) ** 2).mean()), "Brier"),
    ("06.4", over_bins(expected, edge=False), "exactly 1"),
    ("06.4", lambda c, r, bins: over_bins(expected)(c, r, 10), "not always 10"),
    ("06.4", over_bins(lambda found: 100 * expected(found)), "not per cent"),
    ("06.1", loop_over(lambda s, i: s[i != 0].amax(0) if i.any() else 0 * s[0]), "largest value"),
    ("06.1", loop_over(lambda s, i: s[max(int((i != 0).sum()), 1) - 1]), "state of the last word"),
    ("06.1", loop_over(lambda s, i: s[i != 0].sum(0) / (1 + (i != 0).sum())), "one more"),
    ("06.1", loop_over(lambda s, i: mean_or_zeros(s, i * (i != 1))), "id 1 is a word"),
    ("06.1", lambda s, i: torch.stack([mean_or_zeros(x, i[0]) for x in s]), "ids of each row"),
    ("06.1", loop_over(lambda s, i: i.float() @ s / max(int(i.sum()), 1)), "not its weight"),
    ("06.2", rows(lambda row, n: row[:n][::-1] + row[n:][::-1]), "padding is reversed as well"),
    ("06.2", rows(lambda row, n: [row[max(n - 1 - i, 0)] for i in range(len(row))]), "`clamp`"),
    ("06.2", rows(lambda row, n: row[len(row) - n :] + row[: len(row) - n]), "`roll` moves"),
    ("06.3", best_to_come, "best that still comes"),
    ("06.3", lambda w, m: np.mean([p - 1 / i for i, p in notes(w, m)]), "just met"),
    ("06.3", lambda w, m: np.mean([1 / i for i, _ in notes(w, m)]), "1 over its rank"),
    ("06.4", lambda c, r, bins: grouped(c, r, (c * bins).floor()), "not to one of its own"),
    ("06.4", lambda c, r, bins: grouped(c, r, (c * bins).round()), "nearest border"),
    ("06.4", lambda c, r, b: grouped(c, r, ((c - 0.5) * 2 * b).clamp(0, b - 0.5)), "from .5 to 1"),
    ("06.4", over_bins(lambda f: (f[:, 0] * f[:, 1]).clip(max=0).sum() * -1), "not sure enough"),
    ("06.4", over_bins(lambda f: (f[:, 0] * f[:, 1] ** 2).sum() ** 0.5), "root of squares"),
    (
        "06.4",
        lambda c, r, bins: over_bins(lambda f: abs(f[:, 1]).sum() / bins)(c, r, bins),
        "by bins",
    ),
    ("06.4", equally_many, "equally *wide*"),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_gets_the_hint_that_its_author_needs(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint in (verdict.hint or ""), verdict.text


@pytest.mark.parametrize(
    "number, answer",
    [
        ("06.1", lambda states, ids: np.asarray(states).mean(1)),
        ("06.1", lambda states, ids: torch.nan_to_num(states).amax(1)),
        ("06.2", rows(lambda row, n: row)),
        ("06.2", lambda ids, lengths: ids.flip(1).tolist()),
        ("06.3", lambda weights, marked: 1.0),
        ("06.4", lambda confidence, right, bins: 0.0),
    ],
)
def test_an_answer_that_fits_no_mistake_is_refused_all_the_same(number, answer):
    assert check(number, answer).state == "wrong"


def by_scikit_learn(weights, marked):
    return float(average_precision_score(marked, weights))


@pytest.mark.parametrize(
    "number, answer",
    [
        ("06.1", loop_over(mean_or_zeros)),
        (
            "06.1",
            lambda s, i: s.masked_fill((i == 0)[..., None], torch.nan).nanmean(1).nan_to_num(),
        ),
        ("06.2", by_slices),
        ("06.2", rows(lambda row, n: row[:n][::-1] + row[n:])),
        ("06.3", mean_at_marks),
        ("06.3", by_scikit_learn),
        ("06.4", over_bins(expected)),
    ],
)
def test_a_right_answer_written_another_way_is_right(number, answer):
    assert check(number, answer)


# ------------------------------------------------------------------------------- 06.5: the leak


def by_softmax(words, length, score, mask=False, of=slice(None)):
    scores = torch.full((length,), float(score))
    scores[words:] = -torch.inf if mask else 0.0
    return scores.softmax(0)[words:][of].sum().item()


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda w, n, s: by_softmax(w, n, s, mask=True), "takes part"),
        (lambda w, n, s: by_softmax(w, n, s, of=slice(1)), "all positions of the padding"),
        (lambda w, n, s: by_softmax(w, n, 0.0), "have a score, too"),
        (lambda w, n, s: 1 - by_softmax(w, n, s), "share of the words"),
        (lambda w, n, s: by_softmax(w, n, -s), "not e^−score"),
        (lambda w, n, s: by_softmax(w, n + w, s), "counts all positions"),
        (lambda w, n, s: round(by_softmax(w, n, s), 1), None),
        (lambda w, n, s: by_softmax(w, n, s) if n > w else None, "`return`"),
    ],
)
def test_06_5_wrong_answers(answer, hint):
    verdict = check("06.5", answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


def test_06_5_what_a_softmax_really_leaks_is_right():
    assert check("06.5", by_softmax)


# ------------------------------------------------------------------- 06.6: erasing against chance


def by_arrays(words, weights, orders, probability, rank=None, erase=None, first=0):
    """All texts of all orders, by the step at which each place goes."""
    rank = rank or (lambda w: sorted(range(len(w)), key=lambda i: (-w[i], i)))
    erase = erase or (lambda words, gone: np.where(gone, "<unk>", words))
    rows = np.array([rank(weights.tolist()), *orders.tolist()])
    steps = np.argsort(rows, axis=1)  # the step at which a place is erased
    curves = [
        probability(words) - probability(erase(np.array(words), row < k).tolist())
        for row in steps
        for k in range(first, len(words) + 1)
    ]
    curves = torch.tensor(curves).reshape(len(rows), -1)
    own, chance = curves[0], curves[1:].mean(0)
    return own, chance, float((own - chance).sum() / len(own))


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda *g: by_arrays(*g, erase=lambda words, gone: words[~gone]), "new neighbours"),
        (lambda *g: by_arrays(*g, erase=lambda w, gone: np.where(gone, w, "<unk>")), None),
        (
            lambda *g: by_arrays(*g, rank=lambda w: np.argsort(w, kind="stable").tolist()),
            "goes first",
        ),
        (
            lambda *g: by_arrays(*g, rank=lambda w: np.argsort(w, kind="stable")[::-1].tolist()),
            "of equal weights",
        ),
        (lambda *g: by_arrays(*g, first=1), "T + 1 values"),
        (
            lambda *g: by_arrays(*g, erase=lambda w, gone: np.where(np.isin(w, w[gone]), "-", w)),
            "may occur twice",
        ),
        (lambda w, a, orders, p: by_arrays(w, a, orders[-1:], p), None),
        (lambda *g: by_arrays(*g)[:2], None),
    ],
)
def test_06_6_wrong_answers(answer, hint):
    verdict = check("06.6", answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


def test_06_6_the_steps_at_which_places_go_are_right():
    assert check("06.6", by_arrays)
