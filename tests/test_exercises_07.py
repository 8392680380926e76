"""Notebook 07: wrong answers, written as learners write them, get a hint that fits.

The mistakes of the master are tested in test_exercises.py. These are other programs: each is given
with a part of the hint that its author needs.
"""

from collections import Counter

import numpy as np
import pytest
import torch

from course_utils.exercises import check

# --- 07.1: the pull on p_gen ---


def by_autograd(generated, copied, p_gen, of=torch.log):
    """The derivative of ``of(P)`` as PyTorch finds it, 0 where P is 0."""
    p = p_gen.clone().requires_grad_()
    mixed = p * generated + (1 - p) * copied
    of(mixed.where(mixed > 0, torch.ones_like(mixed))).sum().backward()
    return p.grad.where(mixed > 0, torch.zeros_like(mixed)).detach()


def loop(scalar):
    """An answer from a function of three numbers."""

    def answer(generated, copied, p_gen):
        values = zip(generated.flatten(), copied.flatten(), p_gen.flatten(), strict=True)
        return torch.tensor([scalar(*map(float, row)) for row in values]).view(generated.shape)

    return answer


def mixed(g, c, p):
    return p * g + (1 - p) * c


def safe(change, zero=True):
    """The quotient with the denominator made safe; with ``zero``, set to 0 where P is 0."""

    def answer(g, c, p):
        found = (g - c) / change(mixed(g, c, p))
        return found.where(mixed(g, c, p) > 0, torch.zeros_like(found)) if zero else found

    return answer


def one_check_for_all(g, c, p):
    return by_autograd(g, c, p) if (mixed(g, c, p) > 0).all() else torch.zeros_like(g)


# --- 07.2: the extended vocabulary ---


def counting(text, summary, vocabulary, start=0, grow_in_summary=False, key=None):
    new = {}
    words = list(dict.fromkeys(text + (summary if grow_in_summary else [])))
    for word in sorted(words, key=key) if key else words:
        if word not in vocabulary:
            new[word] = len(vocabulary) + start + len(new)
    ids = {**vocabulary, **new}
    return [ids[w] for w in text], [ids.get(w, vocabulary["<unk>"]) for w in summary]


def two_counters(text, summary, vocabulary):
    """A list of new words, and a search in it."""
    new = []
    for word in text:
        if word not in vocabulary and word not in new:
            new.append(word)
    v = len(vocabulary)
    return (
        [vocabulary[w] if w in vocabulary else v + new.index(w) for w in text],
        [
            vocabulary[w]
            if w in vocabulary
            else v + new.index(w)
            if w in new
            else vocabulary["<unk>"]
            for w in summary
        ],
    )


def place_in_text(text, summary, vocabulary):
    def number(word):
        return vocabulary.get(word, len(vocabulary) + text.index(word) if word in text else None)

    unknown = vocabulary["<unk>"]
    return [number(w) for w in text], [unknown if number(w) is None else number(w) for w in summary]


def fresh_every_time(text, summary, vocabulary):
    ids, count, extended = [], len(vocabulary), dict(vocabulary)
    for word in text:
        if word in vocabulary:
            ids.append(vocabulary[word])
        else:
            ids.append(count)
            extended[word] = count
            count += 1
    return ids, [extended.get(w, vocabulary["<unk>"]) for w in summary]


def plain(text, summary, vocabulary):
    return tuple([vocabulary.get(w, vocabulary["<unk>"]) for w in part] for part in (text, summary))


def shorter(text, summary, vocabulary):
    ids, said = counting(text, summary, vocabulary)
    return ids, [i for w, i in zip(summary, said, strict=True) if w in {*text, *vocabulary}]


def with_memory():
    """Ids that are kept from text to text."""
    new = {}

    def answer(text, summary, vocabulary):
        for word in text:
            if word not in vocabulary:
                new.setdefault(word, len(vocabulary) + len(new))
        ids = {**vocabulary, **new}
        return [ids[w] for w in text], [ids.get(w, vocabulary["<unk>"]) for w in summary]

    return answer


def zero_for_unknown(text, summary, vocabulary):
    ids, _ = counting(text, summary, vocabulary)
    extended = {**vocabulary, **dict(zip(text, ids, strict=True))}
    return ids, [extended.get(w, 0) for w in summary]


def lowered(answer):
    def lower(first, second, *rest):
        return answer([w.lower() for w in first], [w.lower() for w in second], *rest)

    return lower


# --- 07.3: coverage loss ---


def coverage_by_loop(before=True, smaller=torch.minimum, over="steps"):
    def answer(weights, counts):
        total, steps = weights.sum() * 0, 0
        for row, valid in zip(weights, counts.tolist(), strict=True):
            coverage = torch.zeros_like(row[0])
            for step, counted in zip(row, valid, strict=True):
                added = coverage + step
                if counted:
                    total = total + smaller(step, coverage if before else added).sum()
                    steps += 1
                coverage = step if over == "last" else added
        return total / max(steps, 1)

    return answer


def with_coverage(coverage):
    """An answer from another coverage."""

    def answer(weights, counts):
        again = torch.minimum(weights, coverage(weights)).sum(-1)
        return (again * counts).sum() / max(counts.sum(), 1)

    return answer


def shifted(weights):
    return torch.cat([torch.zeros_like(weights[:, :1]), weights[:, :-1]], dim=1)


def by_number_of_step(first):
    def coverage(weights):
        return shifted(weights.cumsum(1)) / (torch.arange(weights.shape[1])[:, None] + first)

    return coverage


def without_the_first(weights, counts):
    found = torch.minimum(weights, shifted(weights.cumsum(1))).sum(-1)[:, 1:][counts[:, 1:]]
    return found.mean() if len(found) else torch.tensor(0.0)


def largest_only(weights, counts):
    found = torch.minimum(weights, shifted(weights.cumsum(1))).max(dim=-1).values[counts]
    return found.mean() if len(found) else torch.tensor(0.0)


def halved(weights, counts):
    """Forgets that the padded steps dilute the mean."""
    coverage = weights.cumsum(1) - weights
    return torch.where(counts[..., None], torch.minimum(weights, coverage), 0.0).sum(-1).mean()


def nan_without_steps(weights, counts):
    coverage = torch.cat([torch.zeros_like(weights[:, :1]), weights.cumsum(1)[:, :-1]], dim=1)
    return torch.minimum(weights, coverage).sum(-1)[counts].mean()


def of_all_steps(weights, counts):
    coverage = torch.cat([torch.zeros_like(weights[:, :1]), weights.cumsum(1)[:, :-1]], dim=1)
    return torch.minimum(weights, coverage).sum(-1).mean()


def each_text_first(weights, counts):
    values = [coverage_by_loop()(w[None], c[None]) for w, c in zip(weights, counts, strict=True)]
    return torch.stack(values).mean()


# --- 07.4: ROUGE ---


def grams(words, n):
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def f1(matches, found, right):
    if not matches:
        return 0.0
    precision, recall = matches / found, matches / right
    return 2 * precision * recall / (precision + recall)


def matched(output, reference, n):
    a, b = grams(output, n), grams(reference, n)
    return sum(min(a.count(g), b.count(g)) for g in set(a)), len(a), len(b)


def crossing_out(output, reference, n):
    left, matches = grams(reference, n), 0
    for gram in grams(output, n):
        if gram in left:
            left.remove(gram)
            matches += 1
    return f1(matches, len(grams(output, n)), len(grams(reference, n)))


def membership(output, reference, n):
    a, b = grams(output, n), grams(reference, n)
    return 2 * sum(g in b for g in a) / (len(a) + len(b)) if a or b else 0.0


def divided(combine):
    def answer(output, reference, n):
        matches, found, right = matched(output, reference, n)
        return combine(matches / found, matches / right) if matches else 0.0

    return answer


def jumping(output, reference, n):
    a, b = (
        Counter(tuple(w[i : i + n]) for i in range(0, len(w) - n + 1, n))
        for w in (output, reference)
    )
    return f1((a & b).total(), a.total(), b.total())


def one_too_few(output, reference, n):
    a, b = (Counter(tuple(w[i : i + n]) for i in range(len(w) - n)) for w in (output, reference))
    return f1((a & b).total(), a.total(), b.total())


WRONG = [
    ("07.1", lambda g, c, p: by_autograd(g, c, p, of=lambda x: x), "logarithm is divided"),
    ("07.1", lambda g, c, p: -by_autograd(g, c, p), "the sign"),
    ("07.1", loop(lambda g, c, p: g / mixed(g, c, p) if mixed(g, c, p) else 0), "depends on p_gen"),
    ("07.1", loop(lambda g, c, p: (g + c) / mixed(g, c, p) if mixed(g, c, p) else 0), "do not add"),
    ("07.1", lambda g, c, p: (g - c) / mixed(g, c, p), "divides by zero"),
    ("07.1", loop(lambda g, c, p: (g - c) / (g + c) if g + c else 0), "not the sum"),
    ("07.1", lambda g, c, p: by_autograd(g, c, 1 - p), "exchanged"),
    ("07.1", loop(lambda g, c, p: np.log(mixed(g, c, p)) if mixed(g, c, p) else 0), "log P(w)"),
    ("07.1", lambda g, c, p: p * (1 - p) * by_autograd(g, c, p), "leave out p_gen"),
    ("07.1", lambda g, c, p: torch.full_like(g, by_autograd(g, c, p).mean()), "of its own"),
    ("07.1", one_check_for_all, "does not make the others 0"),
    (
        "07.1",
        lambda g, c, p: torch.where(mixed(g, c, p) < 1e-3, 0.0, (g - c) / mixed(g, c, p)),
        "a small P(w) is not 0",
    ),
    ("07.1", lambda g, c, p: safe(lambda x: x, zero=False)(g, c, p).nan_to_num(), "is infinite"),
    ("07.1", safe(lambda x: x.clamp_min(1e-12), zero=False), "with a clamp"),
    ("07.1", safe(lambda x: x.clamp_min(1e-6), zero=False), "with a clamp"),
    ("07.1", safe(lambda x: x + 1e-8, zero=False), "a small number added"),
    ("07.1", safe(lambda x: x + 1e-6), "nothing may be added"),
    ("07.1", lambda g, c, p: torch.sign(g - c), "which way is better"),
    ("07.1", lambda g, c, p: torch.sign(by_autograd(g, c, p)), "the sign alone"),
    ("07.2", lowered(counting), "are two words"),
    ("07.2", lambda t, s, v: (plain(t, s, v)[0], counting(t, s, v)[1]), "of the *text*"),
    ("07.2", lambda t, s, v: ([v["<unk>"]] * len(t), counting(t, s, v)[1]), "keep their ids"),
    ("07.2", with_memory(), "of one text alone"),
    ("07.2", zero_for_unknown, "not 0 in every"),
    ("07.2", lambda *given: sum(counting(*given), []), "two lists, not one"),
    ("07.2", lambda *given: tuple(" ".join(map(str, x)) for x in counting(*given)), "joined by"),
    ("07.2", lambda *given: " ".join(map(str, sum(counting(*given), []))), "not one string"),
    ("07.2", lambda *given: tuple(list(map(str, x)) for x in counting(*given)), "leave out `str`"),
    (
        "07.3",
        lambda w, c: coverage_by_loop()(w, c) if c.any(1).all() else torch.tensor(0.0),
        "one text may have none",
    ),
    ("07.3", lambda w, c: coverage_by_loop()(w, c).detach(), "cut the loss off"),
    ("07.3", lambda w, c: float(coverage_by_loop()(w, c).detach()), "cut the loss off"),
    ("07.3", lambda w, c: coverage_by_loop()(w, c).item(), "cut the loss off"),
    ("07.3", with_coverage(lambda w: shifted(w.cumsum(1)).detach()), "`detach` on the coverage"),
    (
        "07.3",
        lambda w, c: coverage_by_loop()(w, c) if w.shape[1] > 1 else torch.tensor(1.0),
        "a single step reads nothing",
    ),
    ("07.3", with_coverage(lambda w: w.cumsum(1).roll(1, 1)), "`roll` brings"),
    ("07.3", with_coverage(lambda w: w.roll(1, 1).cumsum(1)), "`roll` brings"),
    ("07.3", without_the_first, "the first step counts"),
    (
        "07.3",
        lambda w, c: coverage_by_loop()(w, c) * c.sum() / (c.sum() - 1).clamp_min(1),
        "not by one less",
    ),
    ("07.3", largest_only, "sum over the places"),
    ("07.3", with_coverage(lambda w: shifted(w).cummax(1).values), "`cummax`"),
    ("07.3", with_coverage(by_number_of_step(1)), "by the number of the step"),
    (
        "07.3",
        with_coverage(lambda w: by_number_of_step(0)(w).nan_to_num()),
        "not their mean",
    ),
    ("07.2", fresh_every_time, "always gets the same id"),
    ("07.2", lambda t, s, v: counting(t, s, v, grow_in_summary=True), "only the words of the text"),
    ("07.2", lambda t, s, v: counting(t, s, v, start=-len(v)), "count from V on"),
    ("07.2", lambda t, s, v: counting(t, s, v, start=1), "not V + 1"),
    ("07.2", place_in_text, "not the places"),
    ("07.2", lambda t, s, v: counting(t, s, v, key=str), "not of the alphabet"),
    ("07.2", plain, "nothing to copy"),
    ("07.2", lambda t, s, v: (counting(t, s, v)[0], plain(t, s, v)[1]), "uses the extended"),
    ("07.2", shorter, "every word of the summary"),
    ("07.3", coverage_by_loop(before=False), "what was read *before*"),
    ("07.3", halved, "not by all of them"),
    ("07.3", nan_without_steps, "divide by zero"),
    ("07.3", of_all_steps, "must not count"),
    ("07.3", coverage_by_loop(over="last"), "not only of the last"),
    ("07.3", coverage_by_loop(smaller=torch.maximum), "not the larger"),
    ("07.3", coverage_by_loop(smaller=lambda w, c: w * c), "not the product"),
    ("07.3", each_text_first, "one number for the batch"),
    ("07.3", lambda w, c: coverage_by_loop()(w, c) / w.shape[2], "sum over the places"),
    ("07.3", lambda w, c: coverage_by_loop()(w * c[..., None], c), "mask the result"),
    ("07.1", lambda g, c, p: by_autograd(g, c, torch.full_like(p, 0.5)), "`p_gen` is ignored"),
    ("07.2", lambda *given: counting(*given)[::-1], "the text first"),
    ("07.3", lambda w, c: coverage_by_loop()(w, c) * c.sum(), "divide the sum"),
    ("07.3", lambda w, c: coverage_by_loop()(w.flip(1), c.flip(1)), "not in the later ones"),
    ("07.4", lambda o, r, n: 1.0 if o == r else crossing_out(o, r, n), "share none"),
    ("07.4", divided(max), "not the larger"),
    ("07.4", divided(lambda p, r: 1 / (1 / p + 1 / r - 1)), "doubled"),
    ("07.4", lambda o, r, n: 100 * crossing_out(o, r, n), "not per cent"),
    ("07.4", membership, "at most as often"),
    (
        "07.4",
        lambda o, r, n: f1(
            len({*grams(o, n)} & {*grams(r, n)}), len({*grams(o, n)}), len({*grams(r, n)})
        ),
        "sets forget",
    ),
    ("07.4", divided(lambda p, r: p), "precision alone"),
    ("07.4", divided(lambda p, r: r), "recall alone"),
    ("07.4", divided(lambda p, r: (p + r) / 2), "not their mean"),
    ("07.4", divided(lambda p, r: (p * r) ** 0.5), "root of their product"),
    ("07.4", divided(lambda p, r: p * r / (p + r)), "factor 2"),
    ("07.4", lambda o, r, n: crossing_out(o, r, 1), "`n` is ignored"),
    ("07.4", one_too_few, "n-gram is missing"),
    ("07.4", jumping, "overlap"),
    ("07.4", lambda o, r, n: crossing_out([*"".join(o)], [*"".join(r)], n), "not letters"),
    (
        "07.4",
        lambda o, r, n: crossing_out(*(["".join(g) for g in grams(x, n)] for x in (o, r)), 1),
        "not joined strings",
    ),
    ("07.4", lambda o, r, n: crossing_out(o, r, n if n < 4 else 3), "larger than 3"),
    ("07.4", lambda o, r, n: crossing_out(o, r, 1 if n == 1 else 2), "larger than 2"),
    ("07.4", lambda o, r, n: crossing_out(o, r, n) if o or r else 1.0, "two empty texts"),
    ("07.4", lowered(crossing_out), "same capitals"),
    (
        "07.4",
        lambda o, r, n: crossing_out(*([w[i : i + n] for i, _ in enumerate(w)] for w in (o, r)), 1),
        "shorter than n",
    ),
    (
        "07.4",
        lambda o, r, n: f1(matched(o, r, n)[0], len(o), len(r)),
        "not by that of the words",
    ),
    ("07.4", lambda o, r, n: crossing_out(o.split(), r.split(), n), "nothing to split"),
    ("07.4", lambda o, r, n: crossing_out(" ".join(o), " ".join(r), n), "make one string"),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_gets_the_hint_that_its_author_needs(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint in (verdict.hint or ""), verdict.text


@pytest.mark.parametrize(
    "number, answer",
    [
        ("07.1", lambda generated, copied, p_gen: torch.zeros_like(p_gen)),
        ("07.1", lambda generated, copied, p_gen: generated.numpy() - 1),
        ("07.2", lambda text, summary, vocabulary: (text, summary)),
        ("07.2", lambda text, summary, vocabulary: counting(text, summary, vocabulary)[0]),
        ("07.3", lambda weights, counts: torch.tensor(0.0)),
        ("07.3", lambda weights, counts: weights.sum(dim=2)),
        ("07.4", lambda output, reference, n: 1.0),
    ],
)
def test_an_answer_that_fits_no_mistake_is_refused_all_the_same(number, answer):
    assert check(number, answer).state == "wrong"


@pytest.mark.parametrize(
    "number, answer",
    [
        ("07.1", by_autograd),
        ("07.1", loop(lambda g, c, p: (g - c) / mixed(g, c, p) if mixed(g, c, p) else 0.0)),
        ("07.2", two_counters),
        ("07.2", counting),
        ("07.3", coverage_by_loop()),
        ("07.4", crossing_out),
        ("07.4", lambda output, reference, n: f1(*matched(output, reference, n))),
    ],
)
def test_a_right_answer_written_another_way_is_right(number, answer):
    assert check(number, answer)


# --- 07.5: no repeats ---


def as_strings(log_probs, n, longest, repeats=lambda text, gram: gram in text):
    """Greedy search on a text of letters: a gram is a piece of a string."""

    def search(refusing):
        text = ""
        while len(text) < longest:
            last = ord(text[-1]) - 64 if text else 0
            for word in log_probs[last].argsort(descending=True).tolist():
                gram = (text + chr(64 + word))[-n:]
                if word and refusing and len(gram) == n and repeats(text, gram):
                    continue
                break
            if word == 0:
                break
            text += chr(64 + word)
        return text

    plain, blocked = search(False), search(True)
    grams = [plain[i : i + n] for i in range(len(plain) - n + 1)]
    seen = [gram in grams[:i] for i, gram in enumerate(grams)]
    words = [[ord(letter) - 64 for letter in text] for text in (plain, blocked)]
    return *words, sum(seen) / len(seen) if seen else 0.0


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda p, n, m: as_strings(p, n, m, lambda t, gram: t.endswith(gram)), None),
        (lambda p, n, m: as_strings(p, n, m, lambda t, gram: gram[-1] in t), "may come again"),
        (lambda p, n, m: as_strings(p, n, m, lambda t, gram: False), None),
        (lambda p, n, m: as_strings(p, n, m + 1)[:2] + as_strings(p, n, m)[2:], "at most"),
        (lambda p, n, m: as_strings(p, 3, m), None),
        (lambda p, n, m: (*as_strings(p, n, m)[1::-1], as_strings(p, n, m)[2]), "as it is"),
        (lambda p, n, m: (*as_strings(p, n, m)[:2], 1 - as_strings(p, n, m)[2]), "different"),
        (lambda p, n, m: as_strings(p, n, m)[1], None),
    ],
)
def test_07_5_wrong_answers(answer, hint):
    verdict = check("07.5", answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


def test_07_5_a_search_on_letters_is_right():
    assert check("07.5", as_strings)
    torch.manual_seed(7)
    for n in (1, 2, 3):
        blocked = as_strings(torch.randn(6, 6), n, 30)[1]
        grams = [tuple(blocked[i : i + n]) for i in range(len(blocked) - n + 1)]
        assert len(set(grams)) == len(grams)
