"""Exercises of notebook 11: masks, entropy, erasing, pairs, divergence, beams, a diagnosis."""

import math

import torch
from torch.nn import functional as F

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise


@exercise(
    "11.1",
    "Three faults in two lines",
    r"""
    These two lines run, and nothing crashes:

    ```python
    def read_weights(scores, words):
        scores = scores.masked_fill(words, -1e9)
        return scores.softmax(dim=0)
    ```

    Three things are wrong with them. Write `read_weights(scores, words)` again.

    - `scores` has shape (B, T): one score for each position of each text.
    - `words` has shape (B, T), bools: **True where there is a word**, False where there is padding.

    Return the weights, (B, T): each text's sum to 1, padding gets 0. A text without any word gets
    zeros.

    **Predict first:** what does the broken version give for a single text without padding?
    """,
    prediction="1 at every position: the softmax runs over the texts, and there is only one",
    minutes=10,
    kind="repair",
)
def read_weights(scores, words):
    """Softmax over the words of each text, zeros elsewhere.

    scores: (B, T). words: (B, T) bools, True = a word. Returns (B, T).
    """
    weights = scores.masked_fill(~words, -math.inf).softmax(dim=1)
    return torch.where(words, weights, torch.zeros_like(weights))


@read_weights.cases
def _():
    yield case(
        torch.zeros(1, 4),
        torch.tensor([[True, True, False, False]]),
        expected=torch.tensor([[0.5, 0.5, 0.0, 0.0]]),
        label="two words and two PADs, all scores equal",
    )
    yield case(
        torch.tensor([[0.0, 9.0, 1.0], [2.0, 2.0, 5.0]]),
        torch.tensor([[True, False, True], [True, True, False]]),
        label="the padding has the largest score",
    )
    yield case(
        torch.tensor([[3.0, 1.0]]),
        torch.tensor([[False, False]]),
        expected=torch.zeros(1, 2),
        label="a text without words",
        hint="nothing is left for the softmax here: a row of −∞ gives NaN, as does 0/0, and any"
        " other row sums to 1; put in the zeros of a text without words afterwards",
    )
    for B, T in ((2, 5), (4, 3), (3, 6)):
        words = torch.rand(B, T) < 0.6
        words[0] = True
        yield case(2 * torch.randn(B, T), words)
    yield case(
        torch.tensor([[200.0, 199.0, 0.0]]),
        torch.tensor([[True, True, False]]),
        label="scores of 200",
        hint="exp(200) is infinite in float32: subtract the text's largest score before exp, as"
        " softmax does",
    )
    yield case(
        torch.tensor([[1000.0, 999.0, 998.0], [0.0, 1.0, 2.0]]),
        torch.tensor([[True, True, False], [True, True, False]]),
        label="the scores of two texts lie 1,000 apart",
        hint="subtract the largest score of each text from its own scores: beside the largest of"
        " the whole batch, exp makes those of the second text 0",
    )
    yield case(
        torch.tensor([[1.0, 10000.0, 2.0], [0.0, 1.0, 10000.0]]),
        torch.tensor([[True, False, True], [True, True, False]]),
        label="the padding scores 10,000",
        hint="a padding may score anything: fill it with −∞ before the softmax, and before a"
        " maximum is taken",
    )


@read_weights.mistake(
    "True means a word: the padding is where `words` is False, so fill at `~words`"
)
def reversed_mask(scores, words):
    return read_weights.solution(scores, ~words)


@read_weights.mistake("softmax over the positions of one text (dim 1), not over the texts")
def over_texts(scores, words):
    weights = scores.masked_fill(~words, -math.inf).softmax(dim=0)
    return torch.where(words, weights, torch.zeros_like(weights))


@read_weights.mistake("a text without words: −1e9 everywhere gives equal weights, and −∞ gives NaN")
def empty_row_is_even(scores, words):
    return scores.masked_fill(~words, -1e9).softmax(dim=1)


@read_weights.again
def empty_row_is_not_a_number(scores, words):
    return scores.masked_fill(~words, -math.inf).softmax(dim=1)


@read_weights.mistake("0 is a score like any other: padding needs −∞ before the softmax")
def masked_with_zero(scores, words):
    return (scores * words).softmax(dim=1)


@read_weights.mistake("mask *before* the softmax: what the padding took is missing from the sum")
def masked_afterwards(scores, words):
    return scores.softmax(dim=1) * words


@read_weights.mistake("there is no mask: padding takes a share")
def no_mask(scores, words):
    return scores.softmax(dim=1)


@read_weights.mistake("the scores decide how much a word gets: these are equal shares")
def even(scores, words):
    return words / words.sum(dim=1, keepdim=True).clamp_min(1)


@read_weights.mistake("softmax, not the largest score alone")
def only_the_largest(scores, words):
    best = scores.masked_fill(~words, -math.inf).argmax(dim=1)
    return torch.nn.functional.one_hot(best, scores.shape[1]) * words.to(scores.dtype)


@read_weights.mistake("softmax over one text at a time: here the whole batch together sums to 1")
def over_everything(scores, words):
    weights = scores.masked_fill(~words, -math.inf).flatten().softmax(dim=0).view_as(scores)
    return torch.where(words, weights, torch.zeros_like(weights))


@read_weights.mistake(
    "−10,000 is not enough for a padding that scores 10,000: fill with −∞ instead of adding"
)
def ten_thousand_subtracted(scores, words):
    weights = (scores - 1e4 * ~words).softmax(dim=1)
    return torch.where(words, weights, torch.zeros_like(weights))


@read_weights.again
def ten_thousand_subtracted_from_texts_with_words(scores, words):
    return (scores - 1e4 * ~words).softmax(dim=1) * words.any(dim=1, keepdim=True)


@read_weights.mistake(
    "beside a padding with a large score the words get 0, and dividing by their sum does not bring"
    " it back: fill with −∞ before the softmax"
)
def divided_by_the_rest(scores, words):
    weights = scores.softmax(dim=1) * words
    return weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-12)


@read_weights.again
def divided_by_nothing(scores, words):
    weights = scores.softmax(dim=1) * words
    rest = weights.sum(dim=1, keepdim=True)
    return torch.where(words.any(dim=1, keepdim=True), weights / rest, torch.zeros_like(weights))


@exercise(
    "11.2",
    "Is a head asleep, or dead?",
    r"""
    The entropy of one row of weights over $K$ slots is
    $-\sum_i \alpha_i \ln \alpha_i$, where $0 \ln 0 = 0$: it is 0 for a single slot and $\ln K$ for
    equal weights.

    Write `entropy_share(weights)`. `weights` has shape (H, T, K): for each head and each of T
    queries a row over K slots, $K \ge 2$. Return (H,): for each head the mean entropy of its rows,
    **as a share of** $\ln K$, so a number from 0 to 1.

    **Predict first:** a head gives every query its own slot with weight 1. Is it dead?
    """,
    prediction="not for that: its entropy is 0, as that of a dead head, but a head that has"
    " found its slot has a low entropy as well",
    minutes=10,
    kind="measure",
)
def entropy_share(weights):
    """Mean entropy of each head's rows, as a share of ln K.

    weights: (H, T, K), rows sum to 1. Returns (H,).
    """
    return torch.special.entr(weights).sum(dim=-1).mean(dim=-1) / math.log(weights.shape[-1])


@entropy_share.cases
def _():
    yield case(
        torch.tensor([[[0.25, 0.25, 0.25, 0.25]]]),
        expected=torch.tensor([1.0]),
        label="one head, equal weights",
    )
    yield case(
        torch.tensor([[[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]]),
        expected=torch.tensor([0.25]),
        label="weights of 0 and 1",
    )
    for H, T, K in ((2, 3, 4), (3, 5, 2), (4, 2, 7)):
        yield case((2 * torch.randn(H, T, K)).softmax(dim=-1))


@entropy_share.mistake("as a share of ln K: divide by it")
def in_nats(weights):
    return torch.special.entr(weights).sum(dim=-1).mean(dim=-1)


@entropy_share.mistake("as a share of ln K: this is in bits")
def in_bits(weights):
    return in_nats(weights) / math.log(2)


@entropy_share.mistake("the logarithm of 0 is −∞, and 0 · −∞ is NaN: let 0 ln 0 be 0")
def not_a_number(weights):
    return -(weights * weights.log()).sum(dim=-1).mean(dim=-1) / math.log(weights.shape[-1])


@entropy_share.mistake(
    "0 ln 0 is 0 for a single slot: to make a 0 of a row's NaN loses what its other slots add"
)
def rows_without_nan(weights):
    rows = -(weights * weights.log()).sum(dim=-1).nan_to_num(0.0)
    return rows.mean(dim=-1) / math.log(weights.shape[-1])


@entropy_share.mistake("the sign: the logarithm of a weight is negative")
def negative(weights):
    return -entropy_share.solution(weights)


@entropy_share.mistake("the mean over the queries, not their sum")
def summed(weights):
    return torch.special.entr(weights).sum(dim=(-1, -2)) / math.log(weights.shape[-1])


@entropy_share.mistake("a number for each head: do not average over the heads")
def one_number(weights):
    return entropy_share.solution(weights).mean()


@entropy_share.mistake("a number for each head: the mean is over the queries, dim 1, not dim 0")
def mean_over_heads(weights):
    return torch.special.entr(weights).sum(dim=-1).mean(dim=0) / math.log(weights.shape[-1])


@entropy_share.mistake("divide by ln K, not by K")
def divided_by_count(weights):
    return in_nats(weights) / weights.shape[-1]


@entropy_share.mistake("divide by the logarithm of the number of slots, not of the queries")
def divided_by_queries(weights):
    return in_nats(weights) / math.log(weights.shape[-2] + 1e-12)


@entropy_share.mistake("sum over the slots first, then take the mean over the queries only")
def mean_over_all(weights):
    return torch.special.entr(weights).mean(dim=(-1, -2)) / math.log(weights.shape[-1])


@entropy_share.mistake("0 is a single slot, 1 is equal weights: this is the other way round")
def concentration(weights):
    return 1 - entropy_share.solution(weights)


@entropy_share.mistake("the entropy of each row, then the mean: not the entropy of the mean row")
def of_the_mean(weights):
    mean = weights.mean(dim=-2)
    return torch.special.entr(mean).sum(dim=-1) / math.log(weights.shape[-1])


@exercise(
    "11.3",
    "What was it worth?",
    r"""
    Words are erased from N texts; `before` and `without`, both
    (N, C), are the probabilities of the C classes with and without them. The **comprehensiveness**
    of section 8 is the mean, over the texts, of how much the probability of *the verdict* falls.
    The verdict is the most probable class **before** anything is erased.

    Write `comprehensiveness(before, without)`; return a number. No two probabilities of a text are
    equal.

    **Predict first:** can it be negative?
    """,
    prediction="yes: if the words that are erased spoke against the verdict, its probability rises",
    minutes=10,
    kind="measure",
)
def comprehensiveness(before, without):
    """Mean fall of the probability of the verdict when words are erased.

    before, without: (N, C) probabilities. Returns a number.
    """
    verdict = before.argmax(dim=1, keepdim=True)
    return (before.gather(1, verdict) - without.gather(1, verdict)).mean()


@comprehensiveness.cases
def _():
    yield case(
        torch.tensor([[0.9, 0.1]]),
        torch.tensor([[0.3, 0.7]]),
        expected=0.6,
        label="a verdict turns",
    )
    yield case(
        torch.tensor([[0.2, 0.8], [0.7, 0.3]]),
        torch.tensor([[0.1, 0.9], [0.4, 0.6]]),
        expected=0.1,
        label="one rises, one falls",
    )
    for N, C in ((3, 3), (4, 2), (5, 4)):
        yield case((2 * torch.randn(N, C)).softmax(1), (2 * torch.randn(N, C)).softmax(1))


@comprehensiveness.mistake("follow the class that was the verdict *before*, wherever it goes")
def verdict_afterwards(before, without):
    verdict = without.argmax(dim=1, keepdim=True)
    return (before.gather(1, verdict) - without.gather(1, verdict)).mean()


@comprehensiveness.mistake("the same class before and after: these are two maxima")
def two_maxima(before, without):
    return (before.amax(dim=1) - without.amax(dim=1)).mean()


@comprehensiveness.mistake("a rise counts as negative: no absolute value")
def absolute(before, without):
    verdict = before.argmax(dim=1, keepdim=True)
    return (before.gather(1, verdict) - without.gather(1, verdict)).abs().mean()


@comprehensiveness.mistake("a rise counts as negative: do not cut it off at zero")
def cut_off(before, without):
    verdict = before.argmax(dim=1, keepdim=True)
    return (before.gather(1, verdict) - without.gather(1, verdict)).clamp_min(0).mean()


@comprehensiveness.mistake("a fall is positive: before minus without")
def risen(before, without):
    return -comprehensiveness.solution(before, without)


@comprehensiveness.mistake("the mean over the texts, not the sum")
def total(before, without):
    return comprehensiveness.solution(before, without) * len(before)


@comprehensiveness.mistake("the verdict differs from text to text: this is always the first class")
def first_class(before, without):
    return (before[:, 0] - without[:, 0]).mean()


@comprehensiveness.mistake("the verdict differs from text to text: this is always class 1")
def class_1(before, without):
    return (before[:, 1] - without[:, 1]).mean()


@comprehensiveness.mistake("the verdict differs from text to text: this is always the last class")
def last_class(before, without):
    return (before[:, -1] - without[:, -1]).mean()


@comprehensiveness.mistake("the verdict is the argmax over the classes of each text, so over dim 1")
def wrong_axis(before, without):
    verdict = before.argmax(dim=0, keepdim=True)
    return (before.gather(0, verdict) - without.gather(0, verdict)).mean()


@comprehensiveness.again
def wrong_axis_of_argmax_alone(before, without):
    verdict = before.argmax(dim=0, keepdim=True)
    return (before.gather(1, verdict) - without.gather(1, verdict)).mean()


@comprehensiveness.again
def wrong_axis_by_number(before, without):
    rows, verdict = torch.arange(len(before)), before.argmax(dim=0)
    return (before[rows, verdict] - without[rows, verdict]).mean()


@comprehensiveness.again
def wrong_axis_standing(before, without):
    verdict = before.argmax(dim=0).unsqueeze(1)
    return (before.gather(1, verdict) - without.gather(1, verdict)).mean()


@comprehensiveness.again
def wrong_axis_all_columns(before, without):
    verdict = before.argmax(dim=0)
    return (before[:, verdict] - without[:, verdict]).mean()


@comprehensiveness.again
def no_axis(before, without):
    verdict = before.argmax()
    return (before[:, verdict] - without[:, verdict]).mean()


@comprehensiveness.again
def largest_of_all(before, without):
    verdict = before.argmax()
    return before.flatten()[verdict] - without.flatten()[verdict]


@comprehensiveness.mistake(
    "`[:, verdict]` takes the verdicts of all texts for each of them: choose one for each row, for"
    " example with `gather`"
)
def verdicts_of_all(before, without):
    verdict = before.argmax(dim=1)
    return (before[:, verdict] - without[:, verdict]).mean()


@comprehensiveness.mistake("the difference of probabilities, not their ratio")
def relative(before, without):
    verdict = before.argmax(dim=1, keepdim=True)
    return 1 - (without.gather(1, verdict) / before.gather(1, verdict)).mean()


@comprehensiveness.mistake(
    "each text has its own verdict: this takes that of the first text for all"
)
def one_verdict(before, without):
    return (before - without)[:, before[0].argmax()].mean()


@comprehensiveness.mistake("how far the probability falls, not how many verdicts turn")
def share_turned(before, without):
    return (before.argmax(1) != without.argmax(1)).double().mean().float()


@exercise(
    "11.4",
    "Both or nothing",
    r"""
    Texts 0 and 1 are a pair, 2 and 3, and so on. A pair counts
    only if **both** of its texts are right: who ignores the negation has one right in each
    pair.

    Write `pairs_right(predicted, labels)`, both (2N,) of integers, N ≥ 1. Return the share of the
    pairs with both texts right.

    **Predict first:** a model that tosses coins is right about half of the texts. And of the pairs?
    """,
    prediction="about a quarter: both of two tosses have to be right, ½ · ½",
    minutes=5,
    kind="implement",
)
def pairs_right(predicted, labels):
    """Share of the pairs (0, 1), (2, 3), … with both predictions right.

    predicted, labels: (2N,) integers. Returns a number.
    """
    right = (predicted == labels).view(-1, 2)
    return right.all(dim=1).float().mean()


@pairs_right.cases
def _():
    yield case(
        torch.tensor([1, 0, 1, 1, 0, 1]),
        torch.tensor([1, 0, 1, 0, 1, 0]),
        expected=1 / 3,
        label="one pair right, one half right, one wrong",
    )
    yield case(torch.tensor([1, 1]), torch.tensor([1, 0]), expected=0.0, label="half a pair")
    yield case(
        torch.tensor([2, 2, 2, 1, 0, 1]),
        torch.tensor([0, 2, 1, 1, 0, 1]),
        expected=1 / 3,
        label="three labels",
        hint="there may be more labels than 0 and 1: compare them as they are",
    )
    for pairs in (5, 8, 11):
        labels = torch.randint(0, 3, (2 * pairs,))
        wrong = torch.rand(2 * pairs) < 0.3
        yield case(torch.where(wrong, (labels + 1) % 3, labels), labels)


@pairs_right.mistake("a pair counts only if both are right: this is the share of right texts")
def texts_right(predicted, labels):
    return (predicted == labels).float().mean()


@pairs_right.mistake("a pair counts only if both are right: this counts the right texts")
def number_of_texts(predicted, labels):
    return (predicted == labels).sum()


@pairs_right.again
def number_of_texts_as_float(predicted, labels):
    return (predicted == labels).float().sum()


@pairs_right.again
def number_of_texts_for_each_pair(predicted, labels):
    return (predicted == labels).sum() / (len(labels) // 2)


@pairs_right.mistake("both have to be right, not one of them")
def either(predicted, labels):
    return (predicted == labels).view(-1, 2).any(dim=1).float().mean()


@pairs_right.mistake("neighbours are a pair: here the first half is paired with the second")
def halves(predicted, labels):
    return (predicted == labels).view(2, -1).all(dim=0).float().mean()


@pairs_right.mistake("the share of the pairs, not their number")
def number(predicted, labels):
    return (predicted == labels).view(-1, 2).all(dim=1).float().sum()


@pairs_right.again
def number_as_integer(predicted, labels):
    return (predicted == labels).view(-1, 2).all(dim=1).sum()


@pairs_right.mistake("the share of the *pairs*: you divide by the number of texts")
def of_the_texts(predicted, labels):
    return (predicted == labels).view(-1, 2).all(dim=1).float().sum() / len(labels)


@pairs_right.mistake("compare with the labels: this asks whether the two predictions differ")
def differ(predicted, labels):
    return (predicted[::2] != predicted[1::2]).float().mean()


@pairs_right.mistake("pairs do not overlap: (0, 1), (2, 3), not (0, 1), (1, 2)")
def overlapping(predicted, labels):
    right = predicted == labels
    return (right[:-1] & right[1:]).float().mean()


@pairs_right.mistake("look at each pair: the product of two shares is right only on average")
def product(predicted, labels):
    right = (predicted == labels).float()
    return right[::2].mean() * right[1::2].mean()


@pairs_right.again
def square(predicted, labels):
    return texts_right(predicted, labels) ** 2


@pairs_right.mistake(
    "compare text by text: two labels that are swapped have the same sum, and both are wrong"
)
def same_sum(predicted, labels):
    return (predicted.view(-1, 2).sum(dim=1) == labels.view(-1, 2).sum(dim=1)).float().mean()


@pairs_right.again
def same_mixture(predicted, labels):
    ours, theirs = (x.view(-1, 2).sort(dim=1).values for x in (predicted, labels))
    return (ours == theirs).all(dim=1).float().mean()


@pairs_right.mistake(
    "labels are numbers, and `bool()` makes the same of 1 and 2: compare them as they are"
)
def as_bools(predicted, labels):
    return pairs_right.solution(predicted.bool(), labels.bool())


@pairs_right.again
def both_are_true(predicted, labels):
    return (predicted.bool() & labels.bool()).view(-1, 2).all(dim=1).float().mean()


@pairs_right.again
def bools_differ(predicted, labels):
    return (predicted.bool() ^ labels.bool()).view(-1, 2).all(dim=1).float().mean()


@pairs_right.mistake("the pairs that are right, not those that are wrong")
def pairs_wrong(predicted, labels):
    return 1 - pairs_right.solution(predicted, labels)


@pairs_right.mistake("both texts have to be right: this looks at the first alone")
def first_alone(predicted, labels):
    return (predicted == labels)[::2].float().mean()


@exercise(
    "11.5",
    "How different are two heat maps?",
    r"""
    The **Jensen–Shannon divergence** of two sets of weights $p$
    and $q$ over the same words, with their mean $m = (p + q)/2$:

    $$\text{JSD} = \tfrac12 \sum_i p_i \ln \frac{p_i}{m_i} +
    \tfrac12 \sum_i q_i \ln \frac{q_i}{m_i}$$

    where $0 \ln 0 = 0$. Write `divergence(p, q)` for p and q of shape (T,). Return a number.

    **Predict first:** what is it if p and q have no word in common?
    """,
    prediction="ln 2 ≈ 0.69, the largest value that it can have",
    minutes=10,
    kind="implement",
)
def divergence(p, q):
    """Jensen–Shannon divergence in nats. p, q: (T,), each sums to 1. Returns a number."""
    m = (p + q) / 2
    return (torch.xlogy(p, p) + torch.xlogy(q, q)).sum() / 2 - torch.xlogy(m, m).sum()


@divergence.cases
def _():
    yield case(
        torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), expected=math.log(2), label="disjoint"
    )
    yield case(
        torch.tensor([0.5, 0.5, 0.0]),
        torch.tensor([0.5, 0.5, 0.0]),
        expected=0.0,
        label="equal",
        hint="the third word has 0 in p, q and m and adds 0; the other two have p = q = m, and"
        " ln 1 = 0",
    )
    for T in (3, 5, 8):
        yield case((2 * torch.randn(T)).softmax(0), (2 * torch.randn(T)).softmax(0))


def _kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum()


@divergence.mistake("both compared with their mean m: this compares p with q (KL)")
def kullback(p, q):
    return _kl(p, q)


@divergence.again
def kullback_from_q(p, q):
    return _kl(q, p)


@divergence.mistake("compare each with m: this compares them with each other, both ways")
def both_ways(p, q):
    return (_kl(p, q) + _kl(q, p)) / 2


@divergence.mistake("take half of each of the two sums")
def not_halved(p, q):
    return 2 * divergence.solution(p, q)


@divergence.mistake("both p and q: this is the half of p alone")
def one_half(p, q):
    return _kl(p, (p + q) / 2) / 2


@divergence.mistake("both p and q: this is the half of q alone")
def other_half(p, q):
    return _kl(q, (p + q) / 2) / 2


@divergence.mistake("both p and q, and half of each: this is the whole sum of one of them alone")
def p_alone(p, q):
    return _kl(p, (p + q) / 2)


@divergence.again
def q_alone(p, q):
    return _kl(q, (p + q) / 2)


@divergence.mistake(
    "all words: one that p or q lacks counts as well, for the other has p ln (p / m) with m = p / 2"
)
def common_words(p, q):
    both = (p > 0) & (q > 0)
    p, q = p[both], q[both]
    m = (p + q) / 2
    return (_kl(p, m) + _kl(q, m)) / 2


@divergence.mistake(
    "`F.kl_div` takes a logarithm first and is weighted by what comes second: `m.log()`, then p"
)
def swapped(p, q, reduction="sum"):
    m = (p + q) / 2
    first, second = (
        F.kl_div(p.log(), m, reduction=reduction),
        F.kl_div(q.log(), m, reduction=reduction),
    )
    return (first + second) / 2


@divergence.again
def swapped_without_logarithm(p, q, reduction="sum"):
    m = (p + q) / 2
    return (F.kl_div(p, m, reduction=reduction) + F.kl_div(q, m, reduction=reduction)) / 2


@divergence.again
def without_logarithm(p, q, reduction="sum"):
    m = (p + q) / 2
    return (F.kl_div(m, p, reduction=reduction) + F.kl_div(m, q, reduction=reduction)) / 2


@divergence.again
def swapped_with_both_logarithms(p, q):
    m = (p + q) / 2
    return (F.kl_div(p, m.log(), reduction="sum") + F.kl_div(q, m.log(), reduction="sum")) / 2


@divergence.again
def swapped_mean(p, q):
    return swapped(p, q, "batchmean")


@divergence.again
def swapped_mean_without_logarithm(p, q):
    return swapped_without_logarithm(p, q, "batchmean")


@divergence.again
def mean_without_logarithm(p, q):
    return without_logarithm(p, q, "batchmean")


@divergence.mistake("the natural logarithm: this is in bits")
def bits(p, q):
    return divergence.solution(p, q) / math.log(2)


@divergence.mistake("the divergence, not its root")
def root(p, q):
    return divergence.solution(p, q).clamp_min(0).sqrt()


@divergence.mistake("0 ln 0 is 0: a weight of zero must not give NaN")
def not_a_number_here(p, q):
    m = (p + q) / 2
    return ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2


@divergence.again
def not_a_number_where_both_lack_the_word(p, q):
    m = (p + q) / 2
    return (F.kl_div(m.log(), p, reduction="sum") + F.kl_div(m.log(), q, reduction="sum")) / 2


@divergence.mistake("the sum over the words, not the mean")
def mean(p, q):
    return divergence.solution(p, q) / len(p)


@divergence.mistake("this is half the sum of the absolute differences, another distance")
def variation(p, q):
    return (p - q).abs().sum() / 2


@divergence.mistake("the sign: the divergence is never negative")
def negative_divergence(p, q):
    return -divergence.solution(p, q)


@divergence.mistake("m is the mean of the two: divide their sum by 2")
def sum_for_mean(p, q):
    return divergence.solution(p, q) - math.log(2)


@exercise(
    "11.6",
    "The beam takes its states along",
    r"""
    B sentences are searched with K beams each; the states of all
    of them lie below each other, (B·K, D): those of the first sentence first. After a step, beam k
    of sentence b continues what was beam `parents[b, k]` **of the same sentence**. A colleague
    writes

    ```python
    def reordered(states, parents):
        return states[parents.flatten()]
    ```

    It works for one sentence at a time. Write `reordered(states, parents)` so that it works for
    all: states (B·K, D), parents (B, K) integers from 0 to K − 1. Return (B·K, D).

    **Predict first:** whose states does the second sentence get in the broken version?
    """,
    prediction="those of the first sentence: the parents count from 0 in each sentence",
    minutes=15,
    kind="repair",
)
def reordered(states, parents):
    """The states of the parents. states: (B·K, D). parents: (B, K). Returns (B·K, D)."""
    B, K = parents.shape
    rows = torch.arange(B)[:, None] * K + parents
    return states[rows.flatten()]


@reordered.cases
def _():
    yield case(
        torch.tensor([[1.0], [2.0]]),
        torch.tensor([[1, 1]]),
        expected=torch.tensor([[2.0], [2.0]]),
        label="one sentence: both beams continue the second",
    )
    yield case(
        torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
        torch.tensor([[1, 0], [0, 0]]),
        expected=torch.tensor([[2.0], [1.0], [3.0], [3.0]]),
        label="two sentences",
    )
    for B, K, D in ((3, 2, 4), (2, 4, 3), (4, 3, 2)):
        yield case(torch.randn(B * K, D), torch.randint(0, K, (B, K)))


@reordered.mistake(
    "every sentence gets states of the first: add the row where its own begin, b · K"
)
def no_offset(states, parents):
    return states[parents.flatten()]


@reordered.mistake("the states have to follow their parents: nothing is reordered here")
def unmoved(states, parents):
    return states


@reordered.mistake("sentence b begins at row b · K, not at row b · B")
def wrong_offset(states, parents):
    B, K = parents.shape
    return states[(torch.arange(B)[:, None] * B + parents).flatten() % len(states)]


@reordered.again
def wrong_offset_out_of_range(states, parents):
    B, K = parents.shape
    return states[(torch.arange(B)[:, None] * B + parents).flatten()]


@reordered.again
def wrong_offset_out_of_range_with_gather(states, parents):
    B, K = parents.shape
    rows = (torch.arange(B)[:, None] * B + parents).flatten()
    return states.gather(0, rows[:, None].expand_as(states))


@reordered.mistake("a sentence's states lie next to each other: row b · K + k, not k · B + b")
def other_layout(states, parents):
    B, _ = parents.shape
    return states[(parents * B + torch.arange(B)[:, None]).flatten()]


@reordered.mistake("the order of the beams matters: do not sort the parents")
def sorted_parents(states, parents):
    return reordered.solution(states, parents.sort(dim=1).values)


@reordered.mistake("beam k continues its parent: this sends each state to its parent's place")
def scattered(states, parents):
    B, K = parents.shape
    rows = (torch.arange(B)[:, None] * K + parents).flatten()
    return states.clone().index_copy(0, rows, states)


@reordered.again
def scattered_into_zeros(states, parents):
    return scattered(states, parents) * _is_a_parent(parents)


@reordered.again
def scattered_and_added(states, parents):
    B, K = parents.shape
    rows = (torch.arange(B)[:, None] * K + parents).flatten()
    return torch.zeros_like(states).index_add(0, rows, states)


@reordered.again
def inverse(states, parents):
    return reordered.solution(states, parents.argsort(dim=1))


def _is_a_parent(parents):
    """(B·K, 1): whether some beam continues the state."""
    K = parents.shape[1]
    return (parents[:, :, None] == torch.arange(K)).any(dim=1).view(-1, 1)


@reordered.mistake("each beam has its own parent: this gives all those of the first")
def first_parent(states, parents):
    return reordered.solution(states, parents[:, :1].expand_as(parents))


@reordered.mistake("parents count from 0, not from 1")
def from_one(states, parents):
    return reordered.solution(states, (parents - 1) % parents.shape[1])


@reordered.mistake("each sentence has parents of its own: these are those of the first for all")
def parents_of_the_first(states, parents):
    return reordered.solution(states, parents[:1].expand_as(parents))


@reordered.mistake("flatten the rows sentence by sentence: they are transposed here")
def transposed_rows(states, parents):
    B, K = parents.shape
    rows = torch.arange(B)[:, None] * K + parents
    return states[rows.t().flatten()]


@reordered.check
def _(answer):
    states, parents = torch.randn(6, 2), torch.tensor([[0, 1, 2], [0, 1, 2]])
    if difference(answer(states.clone(), parents), states):
        raise CheckFailed(
            "if every beam is its own parent, nothing changes", input=case(states, parents)
        )


@exercise(
    "11.7",
    "A diagnosis of your own",
    r"""
    **A project.** Section 6 finds faults by comparing. Build a small `diagnose` yourself. For
    simplicity, each word is a number, and the model has one output for each place: it is called as
    `model(x, words)` with `x` (B, T) and bools `words` (B, T), True = a word, False = padding
    (anywhere), and it returns (B, T). **Only outputs of words count**; at padding, a healthy model
    may return anything, even NaN.

    An output *moves* if it differs by more than 0.001 from that of `model(x, words)`. To *change* a
    number, add 1 to it. Each of these four names is a fault and its measurement:

    - `"random"`: the same call once more, and an output moves. Then stop, and return this name
      alone.
    - `"padding"`: change all padding of the batch, or append one column of padding (T + 1), and an
      output moves.
    - `"future"`: change **one word** of one text, and an output of an earlier place **of the same
      text** moves. Try every word.
    - `"batch"`: call the model with one text alone, (1, T), its padding as it is, and an output
      moves. Try every text.

    Write `faults(model, x, words)`; return the set of the names that are found. Each text has at
    least one word.

    **Predict first:** a model subtracts from each word the mean over all places of its text, those
    of the padding too. Which names does it get?
    """,
    prediction="future and padding: the mean contains the later words, and the padding; a text"
    " alone keeps its padding, so nothing moves there",
    minutes=30,
    kind="extend",
)
def faults(model, x, words):
    """Names of the faults found: "random", or any of "padding", "future", "batch".

    model: (x, words) → (B, T). x: (B, T). words: (B, T), True = a word. Returns a set.
    """
    usual = model(x, words)

    def moves(got, places, expected=usual):
        return bool(((got - expected).abs() > 1e-3)[places].any())

    if moves(model(x, words), words):
        return {"random"}
    found = set()
    none = torch.zeros(len(x), 1)
    longer = model(torch.cat([x, none], dim=1), torch.cat([words, none > 0], dim=1))
    if moves(model(x + 1.0 * ~words, words), words) or moves(longer[:, :-1], words):
        found.add("padding")
    for b in range(len(x)):
        if moves(model(x[b : b + 1], words[b : b + 1])[0], words[b], usual[b]):
            found.add("batch")
        for i in words[b].nonzero().flatten():
            changed = x.clone()
            changed[b, i] += 1
            if moves(model(changed, words)[b, :i], words[b, :i], usual[b, :i]):
                found.add("future")
    return found


class _Patient:
    """A model: each output is the mean of the words up to there, and its faults are planted.

    ahead: how many places further it looks, and with which weight; reads: "words", "padding" (takes
    it for words), "sum" (adds up all of it) or "width" (divides by T); beside: what it does with
    the rest of the batch; noise: random numbers of this size; blank: NaN at the padding.
    """

    def __init__(self, name, ahead=(), reads="words", beside="", noise=0.0, blank=False):
        self.name, self.ahead, self.reads = name, ahead, reads
        self.beside, self.noise, self.blank = beside, noise, blank

    def __repr__(self):
        return self.name

    def __call__(self, x, words):
        B, T = x.shape
        real = torch.ones_like(x) if self.reads == "padding" else words.to(x.dtype)
        sums = (x * real).cumsum(dim=1)
        y = sums / (T if self.reads == "width" else real.cumsum(dim=1).clamp_min(1))
        if self.reads == "sum":
            y = y + (x * ~words).sum(dim=1, keepdim=True)
        y = y + x * ~words  # anything
        for places, weight in self.ahead:
            later = torch.roll(x * words, -places, dims=1)
            later[:, max(T - places, 0) :] = 0
            y = y + weight * later
        if self.beside == "mean":
            y = y - (y * words).sum(dim=0) / words.sum(dim=0).clamp_min(1)
        if self.beside == "row":
            y = y + torch.arange(B)[:, None]
        if self.beside == "neighbour":  # the whole of the text above
            y = y + torch.roll((x * words).sum(dim=1, keepdim=True), 1, dims=0) * (B > 1)
        y = y + self.noise * torch.randn_like(y)
        return y.masked_fill(~words, torch.nan) if self.blank else y


@faults.cases
def _():
    x = torch.tensor([[0.0, 0.0, 0.0, 4.0, 0.0], [2.0, 6.0, 0.0, 3.0, 0.0]])
    words = x > 0
    random, padding, future, batch = {"random"}, {"padding"}, {"future"}, {"batch"}
    for model, found in (
        (_Patient("a healthy model"), set()),
        (_Patient("looks one place ahead", ahead=[(1, 1.0)]), future),
        (_Patient("looks three places ahead", ahead=[(3, 1.0)]), future),
        (_Patient("looks ahead, a little", ahead=[(1, 0.02)]), future),
        (_Patient("dropout is on", noise=1.0), random),
        (_Patient("divides by the width", reads="width"), padding),
        (_Patient("adds up the padding", reads="sum"), padding),
        (_Patient("subtracts the mean of the batch", beside="mean"), batch),
        (_Patient("adds the number of the row", beside="row"), batch),
        (_Patient("adds the text above", beside="neighbour"), batch),
        (_Patient("NaN at the padding, looks ahead", ahead=[(1, 1.0)], blank=True), future),
        (_Patient("rounding errors, NaN at the padding", noise=1e-6, blank=True), set()),
        (_Patient("two faults", reads="width", beside="row"), padding | batch),
    ):
        yield case(model, x, words, expected=found)
    x = torch.tensor([[0.0, 0.0, 0.0, 0.0, 5.0], [0.0, 2.0, 1.0, 0.0, 7.0]])
    model = _Patient("takes padding for words, looks ahead", ahead=[(3, 1.0)], reads="padding")
    yield case(model, x, x > 0, expected=padding | future, label="padding in front")
    model, one = _Patient("divides by the width", reads="width"), torch.ones(1, 1)
    yield case(model, one, one > 0, expected=padding, label="a single word")
    for B, T in ((2, 5), (3, 4), (4, 6), (3, 7), (5, 3)):
        words = torch.rand(B, T) < 0.6
        words[torch.arange(B), torch.randint(0, T, (B,))] = True
        ahead, reads, beside, noise = torch.randint(0, 4, (4,)).tolist()
        model = _Patient(
            "one drawn at random",
            ahead=[(ahead, 0.5)] if ahead else [],
            reads=("words", "words", "padding", "width")[reads],
            beside=("", "mean", "row", "neighbour")[beside],
            noise=(0.0, 0.0, 1e-6, 0.5 * (T == 4))[noise],
            blank=T % 2 == 0,
        )
        yield case(model, torch.randn(B, T) * words, words)


def _differ(got, usual, places, by=1e-3):
    return bool(((got - usual).abs() > by)[places].any())


def _change_padding(x, words):
    return x + 1.0 * ~words


def _earlier(x, words, b, i):
    """The text with word i changed, and the places at which an output must not move."""
    changed = x.clone()
    changed[b, i] += 1
    return changed, words[b] & (torch.arange(x.shape[1]) < i)


def _examined(
    model,
    x,
    words,
    differ=_differ,
    stop=True,
    twice=True,
    pad=_change_padding,
    column=True,
    change=_earlier,
    tried=lambda real: real.nonzero().flatten().tolist(),
    texts=lambda B: range(B),
    alone=True,
    beside=lambda B: range(B),
):
    """The solution with one of its measurements made in another way."""
    usual, found = model(x, words), set()
    again = model(x, words) if twice else usual
    if differ(again, usual, words):
        found.add("random")
        if stop:
            return found
    none = torch.zeros(len(x), 1)
    if differ(model(pad(x, words), words), usual, words):
        found.add("padding")
    if column:
        longer = model(torch.cat([x, none], 1), torch.cat([words, none > 0], 1))
        if differ(longer[:, :-1], usual, words):
            found.add("padding")
    for b in texts(len(x)):
        for i in tried(words[b]):
            changed, places = change(x, words, b, i)
            if differ(model(changed, words)[b], usual[b], places):
                found.add("future")
    for b in beside(len(x)) if alone else ():
        if differ(model(x[b : b + 1], words[b : b + 1])[0], usual[b], words[b]):
            found.add("batch")
    return found


@faults.mistake("rounding is no fault: an output moves if it differs by more than 0.001")
def to_the_last_digit(model, x, words):
    return _examined(model, x, words, lambda a, b, places: bool((a != b)[places].any()))


@faults.mistake("0.1 is too much: 0.02 of a later word is a leak, too. More than 0.001 counts")
def too_tolerant(model, x, words):
    return _examined(model, x, words, lambda a, b, places: _differ(a, b, places, 0.1))


@faults.mistake("at padding a healthy model may return anything: compare the outputs of words only")
def padding_compared(model, x, words):
    def change(x, words, b, i):
        return _earlier(x, torch.ones_like(words), b, i)

    def differ(a, b, places):
        return _differ(a, b, torch.ones_like(places) if places.ndim == 2 else places)

    return _examined(model, x, words, differ, change=change)


@faults.mistake("NaN · 0 is NaN: choose the outputs of words by the mask instead of multiplying")
def multiplied_by_the_mask(model, x, words):
    return _examined(model, x, words, lambda a, b, m: bool(((a - b).abs() * m).amax() > 1e-3))


@faults.mistake("if the same call gives other outputs, nothing can be compared: return it alone")
def never_stops(model, x, words):
    return _examined(model, x, words, stop=False)


@faults.mistake("call the model twice: an output cannot differ from itself")
def called_once(model, x, words):
    return _examined(model, x, words, twice=False)


@faults.mistake("a seed before each call hides what is random: the users of the model set none")
def seeded(model, x, words):
    def quiet(x, words):
        torch.manual_seed(0)
        return model(x, words)

    return _examined(quiet, x, words)


@faults.mistake("padding is 0 already: to set it to 0 changes nothing. Add 1 to it")
def padding_set_to_zero(model, x, words):
    return _examined(model, x, words, pad=lambda x, words: x * words)


@faults.mistake("a model may ignore what padding says and still count it: append a column as well")
def no_column(model, x, words):
    return _examined(model, x, words, column=False)


@faults.mistake("changing all numbers moves every model: change the padding, and leave the words")
def everything_changed(model, x, words):
    return _examined(model, x, words, pad=lambda x, words: x + 1)


@faults.mistake("a word may move its own output and the later ones: look at those before it")
def later_outputs(model, x, words):
    return _examined(model, x, words, change=lambda x, w, b, i: (_earlier(x, w, b, i)[0], w[b]))


@faults.again
def its_own_output(model, x, words):
    def change(x, words, b, i):
        return _earlier(x, words, b, i)[0], words[b] & (torch.arange(x.shape[1]) <= i)

    return _examined(model, x, words, change=change)


@faults.mistake(
    "“of the same text”: a word that moves outputs of another text is not from its future"
)
def all_texts_changed(model, x, words):
    def change(x, words, b, i):
        return x + 1.0 * (words & (torch.arange(x.shape[1]) == i)), _earlier(x, words, b, i)[1]

    return _examined(model, x, words, change=change)


@faults.mistake("change words only: what later padding moves belongs to “padding”")
def padding_as_future(model, x, words):
    return _examined(model, x, words, tried=lambda real: range(len(real)))


@faults.mistake("try every word: a model may look far ahead, and the second word is not far")
def second_word(model, x, words):
    return _examined(model, x, words, tried=lambda real: real.nonzero().flatten().tolist()[1:2])


@faults.mistake(
    "try every word: a model that looks one place ahead may see the second, not the last"
)
def last_word(model, x, words):
    return _examined(model, x, words, tried=lambda real: real.nonzero().flatten().tolist()[-1:])


@faults.mistake("the last column is often padding: try every word, in every text")
def last_column(model, x, words):
    return _examined(model, x, words, tried=lambda real: [len(real) - 1] if real[-1] else [])


@faults.mistake("try the words of every text: the first may be too short to show a leak")
def first_text(model, x, words):
    return _examined(model, x, words, texts=lambda B: range(1))


@faults.mistake("the order is not enough: a mean over the batch stays. Call each text alone")
def other_order(model, x, words):
    found = _examined(model, x, words, alone=False)
    if found != {"random"} and _differ(
        model(x.flip(0), words.flip(0)).flip(0), model(x, words), words
    ):
        found.add("batch")
    return found


@faults.mistake("try every text alone: the first has the number 0 with and without the others")
def first_text_alone(model, x, words):
    return _examined(model, x, words, beside=lambda B: range(1))


@faults.mistake(
    "leave the padding as it is in a text alone: cut off, it is mixed up with “padding”"
)
def padding_cut_off(model, x, words):
    found = _examined(model, x, words, alone=False)
    usual = model(x, words)
    for b in range(len(x)) if found != {"random"} else ():
        end = int(words[b].nonzero().amax()) + 1
        alone = model(x[b : b + 1, :end], words[b : b + 1, :end])[0]
        if _differ(alone, usual[b, :end], words[b, :end]):
            found.add("batch")
    return found


@faults.mistake("return all that is found: only “random” stands alone")
def first_fault(model, x, words):
    found = faults.solution(model, x, words)
    return set([name for name in ("random", "padding", "future", "batch") if name in found][:1])


@faults.mistake("a healthy model has no fault: the set may be empty")
def never_empty(model, x, words):
    return faults.solution(model, x, words) or {"healthy"}
