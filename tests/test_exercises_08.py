"""Notebook 08: wrong answers, written as learners write them, get a hint that fits.

The mistakes of the master are tested in test_exercises.py. These are other programs: each is given
with a part of the hint that its author needs.
"""

import math

import numpy as np
import pytest
import torch

from course_utils.exercises import check

# ------------------------------------------------------------------------------------- 08.1: ages


def by_rows(row):
    """An answer from a function of one length and the width that returns a list."""
    return lambda lengths, width: torch.tensor([row(n, width) for n in lengths.tolist()])


def counted_down(n, width):
    return [n - 1 - i if i < n else -1 for i in range(width)]


# -------------------------------------------------------------------------------------- 08.2: hop


def story_by_story(one):
    """An answer from a function of one story that returns the weights of its memories."""

    def answer(u, keys, values, attend_mask):
        weights = torch.stack([one(q, k, m) for q, k, m in zip(u, keys, attend_mask, strict=True)])
        return u + torch.einsum("bm,bmd->bd", weights, values), weights

    return answer


def right_weights(q, k, mask):
    scores = [float(q @ key) if inside else None for key, inside in zip(k, mask, strict=True)]
    top = max((s for s in scores if s is not None), default=0.0)
    powers = [0.0 if s is None else math.exp(s - top) for s in scores]
    return torch.tensor([p / max(sum(powers), 1e-30) for p in powers])


def padding_attended(q, k, mask):
    return torch.softmax(k @ q, dim=0)


def cut_afterwards(q, k, mask):
    return torch.where(mask, torch.softmax(k @ q, dim=0), 0.0)


def multiplied_scores(q, k, mask):
    return torch.softmax((k @ q) * mask.float(), dim=0)


FLOAT_MIN = torch.finfo(torch.float32).min


def filled(scores, mask, score):
    return torch.where(mask, scores, score).softmax(dim=0)


def barred(scores, mask, score):
    return torch.where(mask, scores, score).softmax(dim=0) * mask


def one_top_for_all(u, keys, values, attend_mask):
    scores = torch.where(attend_mask, torch.einsum("bmd,bd->bm", keys, u), -torch.inf)
    powers = torch.exp(scores - scores.max()).nan_to_num()
    weights = powers / powers.sum(1, keepdim=True).clamp_min(1e-20)
    return u + torch.einsum("bm,bmd->bd", weights, values), weights


def half_of_it(u, keys, values, attend_mask):
    new, weights = story_by_story(right_weights)(u, keys, values, attend_mask)
    return new - u, weights


def by_products(u, keys, values, attend_mask):
    scores = torch.einsum("bd,bmd->bm", u, keys).masked_fill(~attend_mask, -torch.inf)
    weights = torch.nan_to_num(scores.softmax(dim=1))
    return u + (weights.unsqueeze(1) @ values).squeeze(1), weights


# --------------------------------------------------------------------------------- 08.3: examples


def by_index(dialogue):
    found = []
    for i, (said, reply) in enumerate(dialogue):
        history = []
        for earlier in dialogue[:i]:
            history.extend(earlier)
        found.append((history, said, reply))
    return found


def broken_as_printed(dialogue):
    history, found = [], []
    for said, reply in dialogue:
        history.append(said)
        history.append(reply)
        found.append((history, said, reply))
    return found


def copied_too_late(dialogue):
    history, found = [], []
    for said, reply in dialogue:
        history.append(said)
        history.append(reply)
        found.append((history.copy(), said, reply))
    return found


def inserted_in_front(dialogue):
    history, found = [], []
    for said, reply in dialogue:
        found.append((history.copy(), said, reply))
        history.insert(0, said)
        history.insert(0, reply)
    return found


def newest_pair_first(dialogue):
    return [
        ([turn for pair in dialogue[:i][::-1] for turn in pair], *pair)
        for i, pair in enumerate(dialogue)
    ]


def said_in_between(dialogue):
    found = by_index(dialogue)
    return [(h + [said], said, reply) for h, said, reply in found]


# ------------------------------------------------------------------------------------ 08.4: facts


def looped(hit, keep=bool):
    def answer(weights, facts):
        rows = [(w, f) for w, f in zip(weights.numpy(), facts, strict=True) if keep(f)]
        return torch.tensor([[float(hit(hop, f)) for hop in w] for w, f in rows]).mean(0)

    return answer


def one_fact_for_each_hop(fact):
    def answer(weights, facts):
        best = weights.argmax(dim=2).tolist()
        rows = [(b, f) for b, f in zip(best, facts, strict=True) if f]
        hits = [[float(at == fact(f, k)) for k, at in enumerate(b)] for b, f in rows]
        return torch.tensor(hits).mean(dim=0)

    return answer


def vectorised(weights, facts):
    kept = [q for q, places in enumerate(facts) if places]
    marked = torch.zeros(len(facts), weights.shape[2])
    for q, places in enumerate(facts):
        marked[q, places] = 1.0
    heaviest = weights.argmax(dim=2)
    return marked.gather(1, heaviest)[kept].mean(dim=0)


WRONG = [
    ("08.1", by_rows(lambda n, w: [i if i < n else -1 for i in range(w)]), "from the oldest"),
    ("08.1", by_rows(lambda n, w: [w - 1 - i if i < n else -1 for i in range(w)]), "of its own"),
    ("08.1", by_rows(lambda n, w: [n - i if i < n else -1 for i in range(w)]), "not 1"),
    ("08.1", by_rows(lambda n, w: [n - 1 - i for i in range(w)]), "-2, -3"),
    ("08.1", by_rows(lambda n, w: [max(n - 1 - i, 0) for i in range(w)]), "padding has age -1"),
    ("08.1", by_rows(lambda n, w: [-1] * (w - n) + [n - 1 - i for i in range(n)]), "comes last"),
    ("08.1", by_rows(lambda n, w: [i - n + 1 if i < n else -1 for i in range(w)]), "positive"),
    ("08.1", lambda n, w: by_rows(counted_down)(n, int(n.max())), "`width` columns"),
    ("08.1", lambda n, w: by_rows(counted_down)(n[:1].repeat(len(n)), w), "`lengths[0]`"),
    ("08.2", story_by_story(padding_attended), "zeros over it afterwards"),
    ("08.2", story_by_story(lambda q, k, m: filled(k @ q, m, FLOAT_MIN)), "shares the weight"),
    ("08.2", story_by_story(lambda q, k, m: filled(k @ q, m, -1e9)), "shares the weight"),
    ("08.2", story_by_story(lambda q, k, m: filled(k @ q, m, -1e10)), "shares the weight"),
    ("08.2", story_by_story(lambda q, k, m: filled(k @ q, m, -1e4)), "shares the weight"),
    ("08.2", story_by_story(lambda q, k, m: filled(k @ q, m, -1e3)), "shares the weight"),
    ("08.2", story_by_story(cut_afterwards), "no longer sum to 1"),
    ("08.2", story_by_story(multiplied_scores), "score of 0"),
    ("08.2", half_of_it, "u + o"),
    ("08.2", lambda u, k, v, m: by_products(u, k, k, m), "read the values"),
    ("08.2", lambda u, k, v, m: by_products(u, v, v, m), "with the keys"),
    ("08.2", lambda u, k, v, m: by_products(u, k, v, ~m), "wrong way round"),
    ("08.2", story_by_story(lambda q, k, m: right_weights(q / len(q) ** 0.5, k, m)), "√D"),
    ("08.2", story_by_story(lambda q, k, m: (k @ q) * m), "without a softmax"),
    (
        "08.2",
        story_by_story(lambda q, k, m: torch.softmax((k @ q).masked_fill(~m, -torch.inf), 0)),
        "NaN",
    ),
    ("08.2", story_by_story(lambda q, k, m: barred(k @ q, m, -100.0)), "such as -100"),
    ("08.2", story_by_story(lambda q, k, m: barred(k @ q, m, -1e9)), "even -1e9"),
    ("08.2", one_top_for_all, "whole batch"),
    ("08.3", broken_as_printed, "`list(history)`"),
    ("08.3", lambda d: [(h[-4:], s, r) for h, s, r in by_index(d)], "however long ago"),
    ("08.3", copied_too_late, "its own history"),
    ("08.3", said_in_between, "not part of the history yet"),
    ("08.3", lambda d: [([x for x, _ in d[:i]], *p) for i, p in enumerate(d)], "bot replied"),
    ("08.3", lambda d: [([y for _, y in d[:i]], *p) for i, p in enumerate(d)], "user said"),
    ("08.3", lambda d: [(h[-2:], s, r) for h, s, r in by_index(d)], "first turn"),
    ("08.3", lambda d: [(h[::-1], s, r) for h, s, r in by_index(d)], "oldest turn"),
    ("08.3", inserted_in_front, "append"),
    ("08.3", newest_pair_first, "append"),
    ("08.3", lambda d: [(h[:-2], s, r) for h, s, r in by_index(d)], "latest pair is missing"),
    ("08.3", lambda d: [(h[2:], s, r) for h, s, r in by_index(d)], "first pair is missing"),
    ("08.3", lambda d: [(h[:-1], s, r) for h, s, r in by_index(d)], "latest reply is missing"),
    ("08.3", lambda d: [x for x in by_index(d) if x[0]], "empty history"),
    ("08.3", lambda d: [(" ".join(h), s, r) for h, s, r in by_index(d)], "not one text"),
    ("08.3", lambda d: [(d[:i], *p) for i, p in enumerate(d)], "pairs"),
    ("08.4", looped(lambda w, f: w.argmax() in f, keep=lambda f: True), "does not count"),
    ("08.4", looped(lambda w, f: w[sorted(set(f))].sum()), "weight on the facts"),
    ("08.4", looped(lambda w, f: w.argmax() == f[0]), "first one"),
    ("08.4", looped(lambda w, f: w.argmax() == f[-1]), "last one"),
    ("08.4", looped(lambda w, f: w.argmin() in f), "not the smallest"),
    ("08.4", looped(lambda w, f: w.argmax() + 1 in f), "count from 0"),
    ("08.4", looped(lambda w, f: 100 * (w.argmax() in f)), "not per cent"),
    ("08.4", looped(lambda w, f: any(w[i] > 1 / len(w) for i in f)), "equal share"),
    (
        "08.4",
        looped(lambda w, f: bool(set(np.argsort(-w)[: len(set(f))]) & set(f))),
        "as many as",
    ),
    ("08.4", lambda w, f: vectorised(w, f).mean().repeat(w.shape[1]), "over the hops"),
    ("08.4", one_fact_for_each_hop(lambda f, k: f[k]), "in any hop"),
    ("08.4", one_fact_for_each_hop(lambda f, k: f[min(k, len(f) - 1)]), "in any hop"),
    ("08.4", one_fact_for_each_hop(lambda f, k: f[k] if k < len(f) else -1), "in any hop"),
    ("08.4", lambda w, f: float(vectorised(w, f).mean()), "one share for each hop"),
    ("08.4", looped(lambda w, f: (w.argmax() in f) / len(f)), "1 or 0"),
    ("08.4", lambda w, f: vectorised(w, f) * sum(map(bool, f)) / sum(map(len, f)), "1 or 0"),
    ("08.4", lambda w, f: looped(lambda row, p: row[0] in p)(w.argmax(1)[..., None], f), "hops"),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_gets_the_hint_that_its_author_needs(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint in (verdict.hint or ""), verdict.text


@pytest.mark.parametrize(
    "number, answer",
    [
        ("08.1", lambda lengths, width: torch.zeros(len(lengths), width, dtype=torch.long)),
        ("08.1", lambda lengths, width: [counted_down(n, width) for n in lengths.tolist()]),
        ("08.1", lambda lengths, width: by_rows(counted_down)(lengths, width).float()),
        ("08.2", lambda u, keys, values, attend_mask: u),
        ("08.2", lambda u, k, v, m: (u, torch.zeros(m.shape))),
        ("08.2", lambda u, k, v, m: by_products(u, k, v, m)[::-1]),
        ("08.3", lambda dialogue: None),
        ("08.3", lambda dialogue: [(h, r, s) for h, s, r in by_index(dialogue)]),
        ("08.4", lambda weights, facts: torch.ones(weights.shape[1])),
        ("08.4", lambda weights, facts: 1.0),
    ],
)
def test_an_answer_that_fits_no_mistake_is_refused_all_the_same(number, answer):
    assert check(number, answer).state == "wrong"


@pytest.mark.parametrize(
    "number, answer",
    [
        ("08.1", by_rows(counted_down)),
        ("08.2", story_by_story(right_weights)),
        ("08.2", by_products),
        ("08.3", by_index),
        ("08.4", looped(lambda w, f: w.argmax() in f)),
        ("08.4", vectorised),
    ],
)
def test_a_right_answer_written_another_way_is_right(number, answer):
    assert check(number, answer)


# ----------------------------------------------------------------------------- 08.5: three hops


def by_dictionaries(facts, names, thing, hops, sharpness, stays=True, sums=True, moves=True):
    """Attention without tensors: u is a dictionary."""
    u, answers, entries = {name: float(name == thing) for name in names}, [], []
    for _ in range(hops):
        powers = [math.exp(sharpness * u[a]) for a, _ in facts]
        total = sum(powers) + (math.exp(sharpness / 2) if stays else 0.0)
        new = dict(u) if sums else dict.fromkeys(names, 0.0)
        for (a, b), power in zip(facts, powers, strict=True):
            new[b] += power / total
            new[a] -= power / total if moves else 0.0
        u = new
        answers.append(max(names, key=u.get))
        entries.append(u[answers[-1]])
    return answers, entries


def looked_up(facts, names, thing, hops, sharpness):
    answers = []
    for _ in range(hops):
        thing = dict(facts).get(thing, thing)
        answers.append(thing)
    return answers, [1.0] * hops


@pytest.mark.parametrize(
    "answer, hint",
    [
        (looked_up, "shares the weight out"),
        (lambda *given: by_dictionaries(*given, stays=False), "last memory is missing"),
        (lambda *given: by_dictionaries(*given, sums=False), "adds"),
        (lambda *given: by_dictionaries(*given, moves=False), "takes the old name away"),
        (lambda *given: by_dictionaries(*given[:4], 1.0), "without it, the weights are soft"),
        (lambda f, *given: by_dictionaries([(b, a) for a, b in f], *given), None),
        (lambda *given: by_dictionaries(*given)[0], None),
        (lambda f, n, t, h, s: by_dictionaries(f, n, t, h - 1, s), None),
    ],
)
def test_08_5_wrong_answers(answer, hint):
    verdict = check("08.5", answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or "").replace("*", ""), verdict.text


def test_08_5_attention_without_tensors_is_right():
    assert check("08.5", by_dictionaries)
