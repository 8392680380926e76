"""Notebook 09: wrong answers, written as learners write them, get a hint that fits.

The mistakes of the master are tested in test_exercises.py. These are other programs: each is given
with a part of the hint that its author needs.
"""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from course_utils.exercises import check


def grouped(questions, answers):
    """Question → the answers that it got, in order."""
    found = defaultdict(list)
    for question, answer in zip(questions, answers, strict=True):
        found[question].append(answer)
    return found


def most(answers):
    return max(answers.count(answer) for answer in answers)


# ------------------------------------------------------------------------------ 09.1: closed eyes


def over_groups(join):
    """An answer from a function of the list of groups of answers."""
    return lambda questions, answers: join(list(grouped(questions, answers).values()))


def majority_vote(questions, answers):
    best = max(set(answers), key=answers.count)
    return float(np.mean([answer == best for answer in answers]))


def dictionary_that_forgets(questions, answers):
    table = {q: a for q, a in zip(questions, answers, strict=True)}
    return sum(table[q] == a for q, a in zip(questions, answers, strict=True)) / len(answers)


def without_itself(questions, answers):
    pairs = list(zip(questions, answers, strict=True))
    right = 0
    for i, (question, answer) in enumerate(pairs):
        rest = [a for q, a in pairs[:i] + pairs[i + 1 :] if q == question]
        right += bool(rest) and max(rest, key=rest.count) == answer
    return right / len(pairs)


# ------------------------------------------------------------------------------------ 09.2: hops


def hops(question, places, matrices, attend_mask, ask=None, add=None, mask=None):
    """Row by row, hop by hop, with one line to get wrong."""
    ask = ask or (lambda u, W, h, q: h @ (W.T @ u))
    add = add or (lambda u, r, q: u + r)
    mask = mask or (lambda e, m: torch.where(m, e, torch.tensor(-torch.inf)).softmax(0))
    us, all_weights = [], []
    for q, h, m in zip(question, places, attend_mask, strict=True):
        u, found = q.clone(), []
        for W in matrices:
            weights = mask(ask(u, W, h, q), m)
            u = add(u, weights @ h, q)
            found.append(weights)
        us.append(u)
        all_weights.append(torch.stack(found))
    return torch.stack(us), torch.stack(all_weights)


def with_fault(**fault):
    return lambda *given: hops(*given, **fault)


def renormalised(e, m):
    weights = e.softmax(0) * m
    return weights / weights.sum()


def one_matrix(question, places, matrices, attend_mask):
    return hops(question, places, [matrices[0]] * len(matrices), attend_mask)


def last_hop_only(question, places, matrices, attend_mask):
    u, weights = hops(question, places, matrices, attend_mask)
    return u, weights[:, -1]


# ------------------------------------------------------------------------------- 09.3: the repair


def cell_by_cell(counts):
    """An answer from a function that says whether the pixels of a cell count, or how much."""

    def answer(weights, mask):
        n = round(weights.shape[1] ** 0.5)
        high, wide = mask.shape[0] // n, mask.shape[1] // n
        total = torch.zeros(len(weights))
        for row in range(n):
            for column in range(n):
                block = mask[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
                total = total + weights[:, row * n + column] * float(counts(block))
        return total

    return answer


def transposed_cells(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    turned = weights.reshape(len(weights), n, n).transpose(1, 2).reshape(len(weights), -1)
    return cell_by_cell(torch.any)(turned, mask)


def every_nth(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return sum(
        weights[:, row * n + column] * float(mask[row::n, column::n].any())
        for row in range(n)
        for column in range(n)
    )


def relative(weights, mask):
    even = torch.full_like(weights, 1 / weights.shape[1])
    inside = cell_by_cell(torch.any)
    return inside(weights, mask) / inside(even, mask).clamp_min(1e-9)


def centre_pixel(block):
    return block[0].any()


# ------------------------------------------------------------------------------- 09.4: balancing


def keep(choose):
    """An answer from a function of {answer: its places}, for each question."""

    def answer(questions, answers):
        found = defaultdict(lambda: defaultdict(list))
        for i, (question, given) in enumerate(zip(questions, answers, strict=True)):
            found[question][given].append(i)
        return sorted(i for places in found.values() for i in choose(dict(places)))

    return answer


def rarest(places):
    if len(places) < 2:
        return []
    least = min(map(len, places.values()))
    return [i for several in places.values() for i in several[:least]]


def latest(places):
    if len(places) < 2:
        return []
    least = min(map(len, places.values()))
    return [i for several in places.values() for i in several[len(several) - least :]]


def rarest_even_alone(places):
    return [i for several in places.values() for i in several[: min(map(len, places.values()))]]


def as_a_mask(questions, answers):
    kept = keep(rarest)(questions, answers)
    return [i in kept for i in range(len(answers))]


def globally(questions, answers):
    return keep(rarest)(["?"] * len(answers), answers)


WRONG = [
    ("09.1", majority_vote, "may depend on the question"),
    ("09.1", over_groups(lambda g: float(np.mean([most(a) / len(a) for a in g]))), "counts often"),
    (
        "09.1",
        over_groups(lambda g: sum(len(a) / len(set(a)) for a in g) / sum(map(len, g))),
        "is chance",
    ),
    ("09.1", over_groups(lambda g: sum(map(most, g))), "not the number of right"),
    ("09.1", over_groups(lambda g: 100 * sum(map(most, g)) / sum(map(len, g))), "not per cent"),
    ("09.1", over_groups(lambda g: sum(map(most, g)) / len(g)), "different questions"),
    (
        "09.1",
        over_groups(lambda g: sum(a.count(a[0]) for a in g) / sum(map(len, g))),
        "not the first one",
    ),
    ("09.1", dictionary_that_forgets, "not the last one"),
    (
        "09.1",
        over_groups(lambda g: 1 - sum(map(most, g)) / sum(map(len, g))),
        "share that is wrong",
    ),
    ("09.1", lambda q, a: over_groups(lambda g: sum(map(most, g)) / len(q))(a, q), "group by"),
    (
        "09.1",
        over_groups(
            lambda g: sum(n * n / len(a) for a in g for n in Counter(a).values()) / sum(map(len, g))
        ),
        "guesses at random",
    ),
    ("09.1", without_itself, "its own too"),
    ("09.2", with_fault(ask=lambda u, W, h, q: h @ (W.T @ q)), "u of the hop before"),
    ("09.2", with_fault(add=lambda u, r, q: r), "do not replace"),
    ("09.2", with_fault(add=lambda u, r, q: q + r), "not to the first question"),
    ("09.2", with_fault(mask=lambda e, m: e.softmax(0)), "mask is ignored"),
    ("09.2", with_fault(mask=lambda e, m: e.softmax(0) * m), "no longer sum to 1"),
    ("09.2", with_fault(mask=lambda e, m: (e * m).softmax(0)), "e⁰ is 1"),
    ("09.2", with_fault(ask=lambda u, W, h, q: h @ (W @ u)), "transposed"),
    ("09.2", with_fault(ask=lambda u, W, h, q: h @ u), "plain dot product"),
    ("09.2", one_matrix, "matrix of its own"),
    ("09.2", last_hop_only, "weights of all hops"),
    ("09.2", with_fault(add=lambda u, r, q: (u + r) / 2), "not their mean"),
    ("09.2", lambda q, h, M, m: hops(q, h, M[:1], m), "stops after the first"),
    ("09.2", with_fault(ask=lambda u, W, h, q: h @ (W.T @ u) / len(u) ** 0.5), "√D"),
    ("09.3", cell_by_cell(lambda b: b.float().mean()), "by the share"),
    ("09.3", cell_by_cell(lambda b: b.float().mean() > 0.5), "covered by half"),
    ("09.3", cell_by_cell(torch.all), "any, not all"),
    ("09.3", cell_by_cell(torch.sum), "counts once"),
    ("09.3", cell_by_cell(centre_pixel), "all of its pixels"),
    ("09.3", lambda w, m: 1 - cell_by_cell(torch.any)(w, m), "everything else"),
    ("09.3", lambda w, m: cell_by_cell(torch.any)(w, m).sum(), "one number for each hop"),
    ("09.3", lambda w, m: cell_by_cell(torch.any)(w, m).mean(), "leaves one number"),
    ("09.3", lambda w, m: cell_by_cell(torch.any)(w, m) / w.shape[1], "all cells"),
    ("09.3", transposed_cells, "row by row"),
    ("09.3", every_nth, "are neighbours"),
    ("09.3", relative, "equal weights"),
    ("09.4", globally, "over all questions together"),
    ("09.4", keep(rarest_even_alone), "gives it away"),
    ("09.4", keep(latest), "earliest pairs stay"),
    ("09.4", as_a_mask, "not True and False"),
    (
        "09.4",
        keep(lambda p: [i for s in p.values() for i in s] if len(p) > 1 else []),
        "most frequent",
    ),
    (
        "09.4",
        keep(
            lambda p: (
                [i for s in p.values() for i in s[: sorted(map(len, p.values()))[-2]]]
                if len(p) > 1
                else []
            )
        ),
        "before the most frequent",
    ),
    ("09.4", keep(lambda p: [s[0] for s in p.values()] if len(p) > 1 else []), "not once"),
    ("09.4", lambda q, a: [i + 1 for i in keep(rarest)(q, a)], "count from 0"),
    ("09.4", lambda q, a: [q[i] for i in keep(rarest)(q, a)], "return indices"),
    ("09.4", lambda q, a: keep(rarest)(a, q), "questions of each answer"),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_gets_the_hint_that_its_author_needs(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint in (verdict.hint or ""), verdict.text


@pytest.mark.parametrize(
    "number, answer",
    [
        ("09.1", lambda questions, answers: 0.5),
        ("09.2", lambda question, places, matrices, attend_mask: question),
        ("09.2", lambda q, h, m, a: tuple(x.numpy() + 1 for x in hops(q, h, m, a))),
        ("09.3", lambda weights, mask: weights.sum(dim=1)),
        ("09.4", lambda questions, answers: list(range(len(answers)))),
        ("09.4", lambda questions, answers: []),
    ],
)
def test_an_answer_that_fits_no_mistake_is_refused_all_the_same(number, answer):
    assert check(number, answer).state == "wrong"


@pytest.mark.parametrize(
    "number, answer",
    [
        ("09.1", over_groups(lambda g: sum(map(most, g)) / sum(map(len, g)))),
        ("09.2", hops),
        ("09.2", with_fault(mask=renormalised)),
        ("09.3", cell_by_cell(torch.any)),
        ("09.3", cell_by_cell(lambda block: block.float().max())),
        ("09.4", keep(rarest)),
    ],
)
def test_a_right_answer_written_another_way_is_right(number, answer):
    assert check(number, answer)


# ------------------------------------------------------------------------------- 09.5: counting


def row_by_row(
    scores, mask, counts, base=math.e, gate=lambda s: 1 / (1 + math.exp(-s)), usual=None
):
    errors = []
    if usual is None:
        usual = sorted(Counter(counts.tolist()).items(), key=lambda pair: (-pair[1], pair[0]))[0][0]
    for row, real, right in zip(scores.tolist(), mask.tolist(), counts.tolist(), strict=True):
        powers = [math.exp(s) for s, r in zip(row, real, strict=True) if r]
        entropy = sum(-p / sum(powers) * math.log(p / sum(powers)) for p in powers)
        gates = sum(gate(s) for s, r in zip(row, real, strict=True) if r)
        errors.append([abs(round(told) - right) for told in (base**entropy, gates, usual)])
    return [sum(column) / len(errors) for column in zip(*errors, strict=True)]


def swapped(*given):
    spread, gates, blind = row_by_row(*given)
    return [gates, spread, blind]


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda s, m, c: row_by_row(s, torch.ones_like(m), c), "mask"),
        (lambda *given: row_by_row(*given, base=2), "belongs to bits"),
        (lambda *given: row_by_row(*given, gate=lambda s: s > 0), "round the sum"),
        (lambda *given: row_by_row(*given, gate=lambda s: math.tanh(s)), None),
        (lambda *given: row_by_row(*given, usual=0), "frequent count of"),
        (swapped, None),
        (lambda *given: tuple(row_by_row(*given)[:2]), None),
        (lambda *given: torch.tensor(row_by_row(*given)), None),
        (lambda s, m, c: row_by_row(s, m, c.flip(0)), None),
    ],
)
def test_09_5_wrong_answers(answer, hint):
    verdict = check("09.5", answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or "").replace("*", ""), verdict.text


def test_09_5_counting_row_by_row_is_right():
    assert check("09.5", row_by_row)
