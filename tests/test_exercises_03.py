"""Exercises of notebook 03: wrong answers, written as learners write them, and their hints.

Each is refused, and the hint that appears names the mistake. They differ in kind: extreme values,
an ignored argument, the wrong axis, padding, another container, the classic bug of the subject.
"""

import math
import random
from collections import Counter

import pytest
import torch
from torch.nn import functional as F

from course_utils.exercises import get


def right(number):
    return get(number).solution


def targets_of(gold):
    return {t for _, t in gold}


# --- 03.1 ---------------------------------------------------------------------------------------


def as_a_tensor(weights, gold):
    return torch.tensor(right("03.1")(weights, gold))


def argmax_left_as_tensor(weights, gold):
    best = weights.argmax(1)
    misses = [(best[t], t) not in gold for t in targets_of(gold)]
    return sum(misses) / len(misses) if misses else 0.0


def argmax_over_all_columns(weights, gold):
    if not gold:
        return 0.0
    best = weights.argmax(0)
    found = {int(best[s]) for s in range(weights.shape[1]) if (s, int(best[s])) in gold}
    return 1.0 - len(found) / len(targets_of(gold))


def every_row_counts(weights, gold):
    rows = weights.numpy()
    return float(sum((int(r.argmax()), t) not in gold for t, r in enumerate(rows)) / len(rows))


def order_of_the_pair(weights, gold):
    if not gold:
        return 0.0
    turned = {(t, s) for s, t in gold}
    misses = [(int(weights[t].argmax()), t) not in turned for t in targets_of(gold)]
    return sum(misses) / len(misses)


def least_weight(weights, gold):
    misses = [(int(weights[t].argmin()), t) not in gold for t in targets_of(gold)]
    return sum(misses) / len(misses) if misses else 0.0


def mass_beside_the_links(weights, gold):
    if not gold:
        return 0.0
    on = torch.zeros_like(weights)
    for s, t in gold:
        on[t, s] = 1
    rows = sorted(targets_of(gold))
    return 1 - float((weights * on)[rows].sum(1).mean())


def no_division(weights, gold):
    return float(sum((int(weights[t].argmax()), t) not in gold for t in targets_of(gold)))


def crashes_without_links(weights, gold):
    misses = [(int(weights[t].argmax()), t) not in gold for t in targets_of(gold)]
    return sum(misses) / len(misses)


def in_per_cent(weights, gold):
    return 100 * right("03.1")(weights, gold)


# --- 03.2 ---------------------------------------------------------------------------------------


def grams_of(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def all_found(candidate, reference, n):
    theirs = grams_of(reference, n)
    return sum(g in theirs for g in grams_of(candidate, n)), len(grams_of(candidate, n))


def different_ones(candidate, reference, n):
    ours = set(grams_of(candidate, n))
    return len(ours & set(grams_of(reference, n))), len(ours)


def one_gram_short(candidate, reference, n):
    def grams(words):
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n))

    ours = grams(candidate)
    return (ours & grams(reference)).total(), ours.total()


def recall(candidate, reference, n):
    matches = right("03.2")(candidate, reference, n)[0]
    return matches, len(grams_of(reference, n))


def in_one_string(candidate, reference, n):
    text, ours = " ".join(reference), Counter(map(" ".join, grams_of(candidate, n)))
    return sum(min(c, text.count(g)) for g, c in ours.items()), ours.total()


def without_spaces(candidate, reference, n):
    ours = Counter(map("".join, grams_of(candidate, n)))
    return (ours & Counter(map("".join, grams_of(reference, n)))).total(), ours.total()


def bags_of_words(candidate, reference, n):
    ours = Counter(tuple(sorted(g)) for g in grams_of(candidate, n))
    theirs = Counter(tuple(sorted(g)) for g in grams_of(reference, n))
    return sum(min(c, theirs[g]) for g, c in ours.items()), sum(ours.values())


def below_zero(candidate, reference, n):
    return right("03.2")(candidate, reference, n)[0], len(candidate) + 1 - n


def quotient(candidate, reference, n):
    matches, total = right("03.2")(candidate, reference, n)
    return matches / max(total, 1)


def tensors_of_sums(candidate, reference, n):
    return tuple(torch.tensor(x) for x in right("03.2")(candidate, reference, n))


def each_counts_once(candidate, reference, n):
    theirs = set(grams_of(reference, n))
    return len({g for g in grams_of(candidate, n) if g in theirs}), len(grams_of(candidate, n))


# --- 03.3 ---------------------------------------------------------------------------------------


def split(total, k, beam, token):
    best, where = total.reshape(-1).topk(k)
    return [(float(s), beam(int(i)), token(int(i))) for s, i in zip(best, where, strict=True)]


def true_division(log_probs, scores):
    V = log_probs.shape[1]
    return split(log_probs + scores[:, None], len(scores), lambda i: i / V, lambda i: i % V)


def divmod_by_k(log_probs, scores):
    K = len(scores)
    return split(
        log_probs + scores[:, None], K, lambda i: divmod(i, K)[0], lambda i: divmod(i, K)[1]
    )


def turned_round(log_probs, scores):
    return [(s, v, k) for s, k, v in right("03.3")(log_probs, scores)]


def broadcast_over_tokens(log_probs, scores):
    V = log_probs.shape[1]
    return split(log_probs + scores[None, :], len(scores), lambda i: i // V, lambda i: i % V)


def forgets_the_past(log_probs, scores):
    V = log_probs.shape[1]
    return split(log_probs, len(scores), lambda i: i // V, lambda i: i % V)


def one_each(log_probs, scores):
    found = [
        (float(scores[k] + row.max()), k, int(row.argmax())) for k, row in enumerate(log_probs)
    ]
    return sorted(found, key=lambda triple: -triple[0])


def ascending(log_probs, scores):
    return sorted(right("03.3")(log_probs, scores))


def product(log_probs, scores):
    V = log_probs.shape[1]
    return split(log_probs * scores[:, None], len(scores), lambda i: i // V, lambda i: i % V)


def exponentials(log_probs, scores):
    return [(math.exp(s), k, v) for s, k, v in right("03.3")(log_probs, scores)]


def tensors_in_triples(log_probs, scores):
    total = log_probs + scores[:, None]
    best, where = total.flatten().topk(len(scores))
    V = log_probs.shape[1]
    return list(zip(best, where // V, where % V, strict=True))


# --- 03.4 ---------------------------------------------------------------------------------------


def torch_loss(logits, expected, **settings):
    return F.cross_entropy(logits.flatten(0, 1), expected.flatten(), **settings).item()


def forgets_the_shift(logits, target):
    return torch_loss(logits, target[:, :-1], ignore_index=0)


def forgets_the_padding(logits, target):
    return torch_loss(logits, target[:, 1:])


def mask_from_the_input(logits, target):
    expected = target[:, 1:].masked_fill(target[:, :-1] == 0, -100)
    return torch_loss(logits, expected)


def sentence_by_sentence(logits, target):
    if not target[:, 1:].any():
        return 0.0
    losses = [
        F.cross_entropy(row, ids[1:], ignore_index=0)
        for row, ids in zip(logits, target, strict=True)
    ]
    return torch.stack(losses).mean().item()


def summed(logits, target):
    return torch_loss(logits, target[:, 1:], ignore_index=0, reduction="sum")


def summed_over_sentences(logits, target):
    return torch_loss(logits, target[:, 1:], ignore_index=0, reduction="sum") / target.shape[0]


def without_the_end(logits, target):
    expected = target[:, 1:].masked_fill(target[:, 1:] == 2, 0)
    return torch_loss(logits, expected, ignore_index=0) if (expected > 0).any() else 0.0


def probabilities_into_cross_entropy(logits, target):
    if not target[:, 1:].any():
        return 0.0
    return torch_loss(F.softmax(logits, -1), target[:, 1:], ignore_index=0)


def by_the_formula(logits, target):
    if not target[:, 1:].any():
        return 0.0
    p = torch.exp(logits) / torch.exp(logits).sum(2, keepdim=True)
    lost = [
        -p[b, t - 1, target[b, t]].log()
        for b in range(target.shape[0])
        for t in range(1, target.shape[1])
        if target[b, t]
    ]
    return float(sum(lost) / len(lost))


def times_the_mask(logits, target):
    mask = (target[:, 1:] != 0).float()
    if not mask.any():
        return 0.0
    lost = F.cross_entropy(logits.transpose(1, 2), target[:, 1:], reduction="none")
    return float((lost * mask).sum() / mask.sum())


def log_likelihood(logits, target):
    return -right("03.4")(logits, target)


def viewed_as_classes(logits, target):
    B, T, V = logits.shape
    if not target[:, 1:].any():
        return 0.0
    return F.cross_entropy(logits.view(B, V, T), target[:, 1:], ignore_index=0).item()


def torch_without_care(logits, target):
    return torch_loss(logits, target[:, 1:], ignore_index=0)  # NaN without words


def loss_as_a_tensor(logits, target):
    return torch.tensor(right("03.4")(logits, target))


# --- extreme values and words as they are --------------------------------------------------------


def any_capital(candidate, reference, n):
    return right("03.2")([w.lower() for w in candidate], [w.lower() for w in reference], n)


def words_only(candidate, reference, n):
    kept = [[w for w in words if w.isalpha()] for words in (candidate, reference)]
    return right("03.2")(*kept, n)


def exponentiated_and_back(log_probs, scores):
    V = log_probs.shape[1]
    total = torch.log(torch.exp(log_probs) * torch.exp(scores).unsqueeze(1))
    return split(total, len(scores), lambda i: i // V, lambda i: i % V)


def only_likely_ones(log_probs, scores):
    return [found for found in right("03.3")(log_probs, scores) if found[0] > -50]


def of_all_words(logits, target, loss):
    expected = target[:, 1:]
    return loss(logits[expected != 0], expected[expected != 0]) if expected.any() else 0.0


def nll_of_softmax(logits, target):
    return of_all_words(
        logits, target, lambda x, y: F.nll_loss(x.softmax(-1).log(), y, reduction="mean").item()
    )


def with_an_epsilon(logits, target):
    return of_all_words(
        logits, target, lambda x, y: F.nll_loss((x.softmax(-1) + 1e-8).log(), y).item()
    )


def limited_logits(logits, target):
    return of_all_words(logits, target, lambda x, y: F.cross_entropy(x.clamp(-50, 50), y).item())


def one_maximum(logits, target):
    def loss(x, y):
        p = torch.exp(x - logits.max())
        return F.nll_loss((p / p.sum(-1, keepdim=True)).log(), y).item()

    return of_all_words(logits, target, loss)


def minus_ten_for_infinity(logits, target):
    finite = torch.where(torch.isinf(logits), -10.0, logits)
    return of_all_words(finite, target, lambda x, y: F.cross_entropy(x, y).item())


WRONG = [
    ("03.1", as_a_tensor, ".item()"),
    ("03.1", argmax_left_as_tensor, "never found"),
    ("03.1", argmax_over_all_columns, "dim"),
    ("03.1", every_row_counts, "do not count"),
    ("03.1", order_of_the_pair, "source position comes first"),
    ("03.1", least_weight, "smallest"),
    ("03.1", mass_beside_the_links, "where the largest weight lies"),
    ("03.1", no_division, "share between 0 and 1"),
    ("03.1", crashes_without_links, "divide by zero"),
    ("03.2", all_found, "clip"),
    ("03.2", different_ones, "set forgets"),
    ("03.2", one_gram_short, "last n-gram"),
    ("03.2", recall, "recall"),
    ("03.2", in_one_string, "whole words"),
    ("03.2", without_spaces, "without a space"),
    ("03.2", bags_of_words, "order of the words"),
    ("03.2", below_zero, "never below 0"),
    ("03.2", quotient, "two sums"),
    ("03.2", tensors_of_sums, ".item()"),
    ("03.2", each_counts_once, "not at 1"),
    ("03.2", any_capital, "lower-case"),
    ("03.2", words_only, "punctuation"),
    ("03.3", exponentiated_and_back, "exp(-200)"),
    ("03.3", only_likely_ones, "too improbable"),
    ("03.3", true_division, "//"),
    ("03.3", divmod_by_k, "divide by V"),
    ("03.3", turned_round, "swapped"),
    ("03.3", broadcast_over_tokens, "belongs to a beam"),
    ("03.3", forgets_the_past, "scores of the beginnings"),
    ("03.3", one_each, "each beam"),
    ("03.3", ascending, "best first"),
    ("03.3", product, "are added"),
    ("03.3", exponentials, "without `exp`"),
    ("03.3", tensors_in_triples, ".item()"),
    ("03.4", nll_of_softmax, "log of a softmax"),
    ("03.4", with_an_epsilon, "small number added"),
    ("03.4", limited_logits, "clip"),
    ("03.4", one_maximum, "largest logit"),
    ("03.4", minus_ten_for_infinity, "no other number"),
    ("03.4", forgets_the_shift, "target[:, 1:]"),
    ("03.4", forgets_the_padding, "does not have to be predicted"),
    ("03.4", mask_from_the_input, "first padding after EOS"),
    ("03.4", sentence_by_sentence, "within each sentence"),
    ("03.4", summed, "this is the sum"),
    ("03.4", summed_over_sentences, "number of sentences"),
    ("03.4", without_the_end, "EOS (2)"),
    ("03.4", probabilities_into_cross_entropy, "squashes"),
    ("03.4", by_the_formula, "overflows"),
    ("03.4", times_the_mask, "NaN"),
    ("03.4", log_likelihood, "sign"),
    ("03.4", viewed_as_classes, "does not swap"),
    ("03.4", torch_without_care, "mean of nothing"),
    ("03.4", loss_as_a_tensor, ".item()"),
]


@pytest.mark.parametrize(
    "number, answer, words", WRONG, ids=[f"{n}-{a.__name__}" for n, a, _ in WRONG]
)
def test_a_wrong_answer_is_refused_with_a_hint_that_fits(number, answer, words):
    verdict = get(number).judge(answer)
    assert verdict.state == "wrong"
    assert verdict.hint is not None and words in verdict.hint


def test_a_wrong_answer_without_a_hint_of_its_own_is_refused_as_well():
    assert get("03.1").judge(in_per_cent).state == "wrong"


def loss_by_hand(logits, target):
    lost = []
    for row, ids in zip(logits.tolist(), target.tolist(), strict=True):
        for scores, word in zip(row, ids[1:], strict=True):
            if word:
                top = max(scores)
                lost.append(top + math.log(sum(math.exp(x - top) for x in scores)) - scores[word])
    return sum(lost) / len(lost) if lost else 0.0


def loss_by_torch(logits, target):
    expected = target[:, 1:]
    if not expected.any():
        return 0.0
    return F.cross_entropy(logits.transpose(1, 2), expected, ignore_index=0).item()


@pytest.mark.parametrize("answer", [loss_by_hand, loss_by_torch])
def test_other_ways_to_the_loss_of_a_batch_are_right(answer):
    assert get("03.4").judge(answer), get("03.4").judge(answer).text


# --------------------------------------------------------------------------- 03.5: length penalty


def penalised(words, log_prob, alpha, extra=1):
    return log_prob * (6 / (5 + extra + len(words))) ** alpha


def by_loops(beams, references, alphas, extra=1, sign=1, of_words=len):
    ratios = []
    for alpha in alphas:
        found = 0
        for beam in beams:
            scores = [sign * penalised(words, p, alpha, extra) for p, words in beam]
            found += of_words(beam[scores.index(max(scores))][1])
        ratios.append(found / sum(of_words(words) for words in references))
    distances = [abs(ratio - 1) for ratio in ratios]
    return alphas[distances.index(min(distances))], ratios


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda b, r, a: by_loops(b, r, a, extra=0), "end mark, too"),
        (lambda b, r, a: by_loops(b, r, a, sign=-1), "nearest to 0"),
        (lambda b, r, a: by_loops(b, r, a, of_words=lambda w: len(w) + 1), "no word"),
        (lambda b, r, a: by_loops(b, r, [0.0] * len(a)), None),
        (lambda b, r, a: by_loops(b, r, a)[::-1], None),
        (lambda b, r, a: by_loops(b, r, a)[0], None),
        (lambda b, r, a: by_loops([[max(one)] for one in b], r, a), "penalty is missing"),
        (lambda b, r, a: (max(a), by_loops(b, r, a)[1]), None),
    ],
)
def test_03_5_wrong_answers(answer, hint):
    verdict = get("03.5").judge(answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


def test_03_5_an_answer_by_loops_is_right_and_longer_outputs_come_with_a_larger_exponent():
    assert get("03.5").judge(by_loops)
    generator = random.Random(5)
    beams = [
        [(-generator.uniform(1, 9), ["w"] * generator.randint(1, 9)) for _ in range(5)]
        for _ in range(9)
    ]
    ratios = right("03.5")(beams, [["w"] * 4] * 9, [0.0, 0.5, 1.0, 2.0, 4.0])[1]
    assert ratios == sorted(ratios) and ratios[0] < ratios[-1]
