"""Exercises of notebook 03, machine translation: alignment, BLEU, beam search, the loss, length."""

import random
from typing import Any

import torch
from torch.nn import functional as F

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.judging import exercise
from course_utils.messages import localised


def _plain_numbers(result: Any) -> None:
    """Raise CheckFailed if a result, or a part of it, is a tensor."""
    parts = result if isinstance(result, list | tuple) else [result]
    for part in parts:
        if isinstance(part, list | tuple):
            _plain_numbers(part)
        elif isinstance(part, torch.Tensor):
            raise CheckFailed(
                "the result has a tensor where a Python number is expected",
                got=part,
                hint="`.item()` makes a number of a tensor with one element, `.tolist()` of many",
            )


@exercise(
    "03.1",
    "How often does attention point at the wrong word?",
    """
    Attention gives every target word a row of weights over the source words. Follow the largest
    weight of each row: that is the link which the model proposes. Compare it with the gold links.

    Write `link_error_rate(weights, gold)`.

    - `weights` has shape (Tt, Ts): one row for each target word.
    - `gold` is a set of pairs `(source position, target position)`.
    - A target word may have several gold links. The proposal is right if it is any one of them.
    - A target word without a gold link has no right answer. It does not count at all.

    Return the share of the counted target words whose proposal is wrong: 0.0 is perfect, 1.0 is
    all wrong, a Python float. If no target word counts, return 0.0.
    """,
    minutes=15,
    kind="measure",
)
def link_error_rate(weights, gold):
    """Share of aligned target words whose largest weight lies on a wrong source word.

    weights: (Tt, Ts). gold: set of (source position, target position). Returns a float.
    """
    proposed = weights.argmax(dim=1).tolist()
    aligned = sorted({target for _, target in gold})
    if not aligned:
        return 0.0
    wrong = sum((proposed[target], target) not in gold for target in aligned)
    return wrong / len(aligned)


@link_error_rate.cases
def _():
    rows = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    yield case(rows, {(0, 0), (2, 1)}, expected=0.0, label="both right")
    yield case(rows, {(0, 0), (1, 1)}, expected=0.5, label="the second row points at word 2")
    yield case(rows, {(1, 0), (1, 1)}, expected=1.0, label="both wrong")
    yield case(rows, {(2, 1)}, expected=0.0, label="target word 0 has no link")
    yield case(rows, {(0, 0), (1, 0), (0, 1)}, expected=0.5, label="target word 0 has two links")
    yield case(rows, set(), expected=0.0, label="no links")
    yield case(torch.tensor([[1.0]]), {(0, 0)}, expected=0.0, label="one word each")
    tall = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    yield case(tall, {(0, 0), (1, 1), (1, 2), (0, 3), (1, 3)}, expected=0.25, label="five rows")
    for target_length, source_length in ((2, 7), (6, 3), (9, 5)):
        weights = torch.softmax(2 * torch.randn(target_length, source_length), dim=1)
        links = torch.rand(source_length, target_length) < 0.3
        yield case(weights, {(s, t) for s, t in links.nonzero().tolist()})


@link_error_rate.check
def _(answer):
    _plain_numbers(answer(torch.tensor([[0.7, 0.2], [0.1, 0.9]]), {(0, 0), (0, 1)}))


@link_error_rate.mistake(
    "words without a gold link do not count: neither as errors nor in the denominator"
)
def unaligned_words_counted_as_wrong(weights, gold):
    proposed = weights.argmax(dim=1).tolist()
    wrong = sum((source, target) not in gold for target, source in enumerate(proposed))
    return wrong / len(proposed)


@link_error_rate.mistake(
    "words without a gold link are not in the denominator either: count aligned words only"
)
def divided_by_all_words(weights, gold):
    proposed = weights.argmax(dim=1).tolist()
    aligned = {target for _, target in gold}
    return sum((proposed[target], target) not in gold for target in aligned) / len(proposed)


@link_error_rate.mistake(
    "take the largest weight of each row, one for each target word: which `dim` runs along a row?"
)
def largest_of_each_column(weights, gold):
    proposed = weights.argmax(dim=0).tolist()  # a target position for each source word
    aligned = {target for _, target in gold}
    if not aligned:
        return 0.0
    found = {target for source, target in enumerate(proposed) if (source, target) in gold}
    return 1 - len(found) / len(aligned)


@link_error_rate.mistake(
    "check the order within a gold link: the source position comes first, then the target position"
)
def pair_turned_round(weights, gold):
    proposed = weights.argmax(dim=1).tolist()
    aligned = {target for _, target in gold}
    if not aligned:
        return 0.0
    return sum((target, proposed[target]) not in gold for target in aligned) / len(aligned)


@link_error_rate.mistake("this is the share of correct links; the error rate is 1 minus this share")
def share_of_right_links(weights, gold):
    if not gold:
        return 0.0
    return 1 - link_error_rate.solution(weights, gold)


@link_error_rate.mistake(
    "divide by the number of words that have a link, not by the number of links: a word with two"
    " links needs only one of them"
)
def divided_by_links(weights, gold):
    proposed = weights.argmax(dim=1).tolist()
    if not gold:
        return 0.0
    return sum(proposed[target] != source for source, target in gold) / len(gold)


@link_error_rate.mistake(
    "a tensor is never found in a set of numbers, so every link looks wrong: use `.item()` or"
    " `.tolist()`"
)
def tensors_looked_up(weights, gold):
    aligned = {target for _, target in gold}
    if not aligned:
        return 0.0
    return sum((weights[t].argmax(), t) not in gold for t in aligned) / len(aligned)


@link_error_rate.mistake("follow the largest weight of each row, not the smallest")
def smallest_weight(weights, gold):
    return link_error_rate.solution(-weights, gold)


@link_error_rate.mistake(
    "this is the weight that misses the gold links; asked is only where the largest weight lies"
)
def missing_weight(weights, gold):
    aligned = {target for _, target in gold}
    if not aligned:
        return 0.0
    found = sum(weights[target, source].item() for source, target in gold)
    return 1 - found / len(aligned)


@link_error_rate.mistake(
    "every row proposes its largest weight, however small it is: there is no threshold"
)
def only_large_weights_propose(weights, gold):
    aligned = {target for _, target in gold}
    if not aligned:
        return 0.0
    best, proposed = weights.max(dim=1)
    wrong = [best[t] <= 0.5 or (proposed[t].item(), t) not in gold for t in aligned]
    return sum(map(bool, wrong)) / len(aligned)


@link_error_rate.mistake(
    "this is the alignment error rate of section 10, which also counts gold links that were not"
    " proposed; count target words"
)
def alignment_error_rate_instead(weights, gold):
    if not gold:
        return 0.0
    aligned = {target for _, target in gold}
    proposed = {(source, t) for t, source in enumerate(weights.argmax(1).tolist()) if t in aligned}
    return 1 - 2 * len(proposed & gold) / (len(proposed) + len(gold))


@link_error_rate.mistake("return a share between 0 and 1, not the number of wrong words")
def number_of_wrong_words(weights, gold):
    aligned = {target for _, target in gold}
    return link_error_rate.solution(weights, gold) * len(aligned)


@link_error_rate.mistake("without any gold link you divide by zero: return 0.0 in that case")
def no_links_forgotten(weights, gold):
    proposed = weights.argmax(dim=1).tolist()
    aligned = {target for _, target in gold}
    return sum((proposed[target], target) not in gold for target in aligned) / len(aligned)


@exercise(
    "03.2",
    "The precision inside BLEU",
    r"""
    BLEU asks: which share of the candidate's n-grams stands in the reference? Counted carelessly,
    the candidate *the the the* is perfect. So each n-gram is *clipped*: it matches at most as often
    as it occurs in the reference
    ([Papineni et al. 2002](REFERENCES.md#papineni2002), section 2.1):

    $$p_n = \frac{\sum_g \min(\text{count}_C(g), \text{count}_R(g))}{\sum_g \text{count}_C(g)}$$

    where $g$ runs over the different n-grams of the candidate $C$, and $R$ is the reference.

    Write `modified_precision(candidate_words, reference_words, n)`. Return both sums as integers,
    `(matches, total)`: BLEU adds them up over all sentences before it divides. A candidate of fewer
    than `n` words has no n-grams: `(0, 0)`.
    """,
    minutes=15,
    kind="implement",
)
def modified_precision(candidate_words, reference_words, n):
    """Clipped matches and number of n-grams of a candidate translation.

    candidate_words, reference_words: lists of words. n: length of the n-grams, at least 1.
    Returns (matches, total), two integers.
    """
    from collections import Counter

    def ngrams(words):
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    candidate, reference = ngrams(candidate_words), ngrams(reference_words)
    matches = sum(min(count, reference[gram]) for gram, count in candidate.items())
    return matches, sum(candidate.values())


@modified_precision.cases
def _():
    cat = "the cat is on the mat".split()
    yield case(["the", "cat"], cat, 1, expected=(2, 2), label="all there")
    yield case(["the"] * 7, cat, 1, expected=(2, 7), label="a word repeated")
    yield case(["a", "cat", "sat"], cat, 1, expected=(1, 3))
    yield case("cat the on is mat the".split(), cat, 1, expected=(6, 6), label="shuffled words")
    yield case("cat the on is mat the".split(), cat, 2, expected=(0, 5), label="shuffled pairs")
    yield case("the cat is here on the mat".split(), cat, 2, expected=(4, 6), label="pairs")
    yield case(cat, cat, 4, expected=(3, 3), label="equal sentences, n = 4")
    yield case(["on", "the"], cat, 2, expected=(1, 1), label="exactly n words")
    yield case(["the"], cat, 2, expected=(0, 0), label="fewer than n words")
    yield case([], cat, 3, expected=(0, 0), label="an empty candidate")
    yield case(cat, ["the"], 1, expected=(1, 6), label="a short reference")
    yield case(["a", "b", "a", "b", "a", "b"], ["a", "b", "a", "b"], 2, expected=(3, 5))
    yield case(["the", "cat"], ["then", "cats"], 1, expected=(0, 2), label="words inside words")
    yield case(["no", "where"], ["now", "here"], 2, expected=(0, 1), label="equal letters")
    yield case(["The", "cat", "."], ["the", "cat", "."], 1, expected=(2, 3), label="a capital")
    for length, n in ((5, 1), (9, 2), (12, 3)):
        words = [["x", "y"][i] for i in torch.randint(2, (length + 8,)).tolist()]
        yield case(words[:length], words[length:], n)


def _grams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


@modified_precision.mistake(
    "clip the counts: an n-gram that occurs twice in the reference can match twice, not seven times"
)
def without_clipping(candidate_words, reference_words, n):
    candidate, reference = _grams(candidate_words, n), _grams(reference_words, n)
    return sum(gram in reference for gram in candidate), len(candidate)


@modified_precision.mistake(
    "a set forgets how often an n-gram occurs: count repetitions, for example with a Counter"
)
def sets_instead_of_counts(candidate_words, reference_words, n):
    candidate, reference = set(_grams(candidate_words, n)), set(_grams(reference_words, n))
    return len(candidate & reference), len(candidate)


@modified_precision.mistake(
    "the total counts the candidate's n-grams: dividing by the reference's would be recall"
)
def recall_instead_of_precision(candidate_words, reference_words, n):
    matches, _ = modified_precision.solution(candidate_words, reference_words, n)
    return matches, len(_grams(reference_words, n))


@modified_precision.mistake(
    "the last n-gram is missing: a sentence of T words has T - n + 1 n-grams, so check where"
    " `range` ends"
)
def last_ngram_forgotten(candidate_words, reference_words, n):
    return modified_precision.solution(candidate_words[:-1], reference_words[:-1], n)


@modified_precision.mistake(
    "T - n + 1 is negative for a candidate shorter than n - 1 words: the total is never below 0"
)
def negative_total(candidate_words, reference_words, n):
    matches, _ = modified_precision.solution(candidate_words, reference_words, n)
    return matches, len(candidate_words) - n + 1


@modified_precision.mistake(
    "the total counts every n-gram of the candidate: T - n + 1 of them, not the T words"
)
def total_of_words(candidate_words, reference_words, n):
    matches, _ = modified_precision.solution(candidate_words, reference_words, n)
    return matches, len(candidate_words)


@modified_precision.mistake(
    "only single words were compared: an n-gram is n words in a row, and their order matters"
)
def single_words_only(candidate_words, reference_words, n):
    matches, _ = modified_precision.solution(candidate_words, reference_words, 1)
    return matches, len(_grams(candidate_words, n))


@modified_precision.mistake(
    "compare whole words: searching in one long string finds *the* in *then*"
)
def searched_in_a_string(candidate_words, reference_words, n):
    from collections import Counter

    counted, text = Counter(_grams(candidate_words, n)), " ".join(reference_words)
    matches = sum(min(count, text.count(" ".join(gram))) for gram, count in counted.items())
    return matches, sum(counted.values())


@modified_precision.mistake(
    "an n-gram is a tuple of words: glued together without a space, *no where* equals *now here*"
)
def words_glued_together(candidate_words, reference_words, n):
    from collections import Counter

    ours, theirs = (
        Counter("".join(gram) for gram in _grams(words, n))
        for words in (candidate_words, reference_words)
    )
    return (ours & theirs).total(), ours.total()


@modified_precision.mistake(
    "the lists are compared as they are: *The* and *the* are two words, as sacrebleu counts them"
    " unless it is told to lower-case"
)
def lower_cased(candidate_words, reference_words, n):
    words = ([word.lower() for word in one] for one in (candidate_words, reference_words))
    return modified_precision.solution(*words, n)


@modified_precision.mistake("a punctuation mark is a word of the list like the others: it counts")
def without_punctuation(candidate_words, reference_words, n):
    words = ([word for word in one if word != "."] for one in (candidate_words, reference_words))
    return modified_precision.solution(*words, n)


@modified_precision.mistake(
    "an n-gram that occurs twice in both matches twice: clip at its number in the reference, not at"
    " 1"
)
def clipped_at_one(candidate_words, reference_words, n):
    candidate, reference = _grams(candidate_words, n), _grams(reference_words, n)
    return len(set(candidate) & set(reference)), len(candidate)


@modified_precision.mistake(
    "the order of the words in an n-gram matters: sorting them makes *cat the* equal *the cat*"
)
def words_sorted(candidate_words, reference_words, n):
    from collections import Counter

    ours, theirs = (
        Counter(tuple(sorted(gram)) for gram in _grams(words, n))
        for words in (candidate_words, reference_words)
    )
    return (ours & theirs).total(), ours.total()


@modified_precision.check
def _(answer):
    _plain_numbers(answer(["a", "b", "a"], ["a", "b"], 1))


@modified_precision.mistake(
    "return the two sums, `(matches, total)`; BLEU divides only after adding up all sentences"
)
def already_divided(candidate_words, reference_words, n):
    matches, total = modified_precision.solution(candidate_words, reference_words, n)
    return matches / total if total else 0.0


@exercise(
    "03.3",
    "One step of beam search",
    r"""
    Beam search keeps the K best beginnings of a translation. In each step every beginning may go on
    with each of the V tokens of the vocabulary: K · V candidates. The K best of *all* of them
    survive, no matter which beginning they come from.

    Write `beam_step(log_probs, scores)`.

    - `log_probs` has shape (K, V): $\log p(\text{token} \mid \text{beginning})$.
    - `scores` has shape (K,): the log-probability of each beginning so far.

    Return a list of K triples `(score, beam, token)`, best first: the new score as a float, which
    beginning is continued (0 … K − 1), and with which token (0 … V − 1), both as integers.

    One good way: `torch.topk` on the flattened candidates. Then an index has to be split into beam
    and token.
    """,
    minutes=15,
    kind="implement",
)
def beam_step(log_probs, scores):
    """The K best continuations of K beginnings.

    log_probs: (K, V). scores: (K,). Returns [(score, beam, token), …], best first.
    """
    K, V = log_probs.shape
    candidates = scores[:, None] + log_probs  # (K, V)
    best, index = candidates.flatten().topk(K)
    return [(s, i // V, i % V) for s, i in zip(best.tolist(), index.tolist(), strict=True)]


@beam_step.cases
def _():
    def logs(*rows):
        return torch.tensor(rows).log()

    yield case(
        logs([0.1, 0.6, 0.3], [0.5, 0.1, 0.4]),
        torch.tensor([-1.0, -3.0]),
        expected=[(-1.5108, 0, 1), (-2.2040, 0, 2)],
        label="both survivors come from beam 0",
    )
    yield case(
        logs([0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7]),
        torch.tensor([-1.0, -1.0]),
        expected=[(-1.3567, 1, 3), (-1.9163, 0, 0)],
        label="the best one comes from beam 1",
    )
    yield case(
        logs([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25, 0.35, 0.15, 0.25]),
        torch.tensor([0.0, -torch.inf, -torch.inf]),
        expected=[(-0.9163, 0, 3), (-1.2040, 0, 2), (-1.6094, 0, 1)],
        label="the first step: only beam 0 is alive",
    )
    yield case(
        logs([0.2, 0.5, 0.3]), torch.tensor([-2.0]), expected=[(-2.6931, 0, 1)], label="width 1"
    )
    yield case(
        logs([0.2, 0.7, 0.1], [0.6, 0.1, 0.3]),
        torch.tensor([-200.0, -201.0]),
        expected=[(-200.3567, 0, 1), (-201.5108, 1, 0)],
        label="long beginnings: exp(-200) is 0 in float32",
    )
    for width, vocabulary in ((2, 5), (3, 3), (3, 11), (5, 7), (4, 2)):
        log_probs = torch.log_softmax(2 * torch.randn(width, vocabulary), dim=-1)
        start = -2 * torch.rand(width)
        yield case(log_probs, start, label=localised("K = {K}, V = {V}", K=width, V=vocabulary))


def _split(candidates, beam_of, token_of):
    best, index = candidates.flatten().topk(len(candidates))
    return [
        (s, beam_of(i), token_of(i)) for s, i in zip(best.tolist(), index.tolist(), strict=True)
    ]


@beam_step.mistake(
    "`/` gives fractions, but a beam is a whole number: use `//` (old code relies on a `/` that"
    " rounded integers down)"
)
def float_division(log_probs, scores):
    V = log_probs.shape[1]
    return _split(scores[:, None] + log_probs, lambda i: i / V, lambda i: i % V)


@beam_step.mistake(
    "rounding to the nearest beam is wrong in the second half of each row: use `//`, which rounds"
    " down"
)
def rounded_division(log_probs, scores):
    V = log_probs.shape[1]
    return _split(scores[:, None] + log_probs, lambda i: round(i / V), lambda i: i % V)


@beam_step.mistake(
    "beam and token are swapped: `index // V` is the row (beam), `index % V` the token"
)
def quotient_and_remainder_swapped(log_probs, scores):
    V = log_probs.shape[1]
    return _split(scores[:, None] + log_probs, lambda i: i % V, lambda i: i // V)


@beam_step.mistake("the flat index runs through rows of V tokens: divide by V, not by K")
def divided_by_width(log_probs, scores):
    K = len(scores)
    return _split(scores[:, None] + log_probs, lambda i: i // K, lambda i: i % K)


@beam_step.mistake(
    "the scores of the beginnings are missing: the new score is `scores[:, None] + log_probs`"
)
def scores_not_added(log_probs, scores):
    V = log_probs.shape[1]
    return _split(log_probs, lambda i: i // V, lambda i: i % V)


@beam_step.mistake(
    "keep the best K of all K · V candidates, not the best one of each beam: all survivors may"
    " come from one beginning"
)
def best_of_each_beam(log_probs, scores):
    best, token = (scores[:, None] + log_probs).max(dim=1)
    triples = zip(best.tolist(), range(len(scores)), token.tolist(), strict=True)
    return sorted(triples, reverse=True)


@beam_step.mistake(
    "best first: log-probabilities are negative, and the one nearest to 0 is the best"
)
def worst_first(log_probs, scores):
    return beam_step.solution(log_probs, scores)[::-1]


@beam_step.mistake(
    "log-probabilities are added; only probabilities, the `exp` of these numbers, are multiplied"
)
def multiplied(log_probs, scores):
    V = log_probs.shape[1]
    return _split(scores[:, None] * log_probs, lambda i: i // V, lambda i: i % V)


@beam_step.mistake(
    "a score belongs to a beam, that is to a row of `log_probs`: add `scores[:, None]`, (K, 1)"
)
def scores_added_to_tokens(log_probs, scores):
    V = log_probs.shape[1]
    return _split(scores + log_probs, lambda i: i // V, lambda i: i % V)


@beam_step.mistake(
    "exp(-200) is 0 in float32, and its logarithm −inf: stay with log-probabilities, which add up"
)
def through_probabilities(log_probs, scores):
    V = log_probs.shape[1]
    candidates = (scores.exp()[:, None] * log_probs.exp()).log()
    return _split(candidates, lambda i: i // V, lambda i: i % V)


@beam_step.mistake("no beginning is too improbable: however long it is, K of them survive")
def improbable_ones_dropped(log_probs, scores):
    return [triple for triple in beam_step.solution(log_probs, scores) if triple[0] > -100]


@beam_step.mistake("K beginnings survive, as many as there were, not V")
def as_many_as_tokens(log_probs, scores):
    V = log_probs.shape[1]
    best, index = (scores[:, None] + log_probs).flatten().topk(V)
    return [(s, i // V, i % V) for s, i in zip(best.tolist(), index.tolist(), strict=True)]


@beam_step.mistake("return log-probabilities: the sum as it is, without `exp`")
def probabilities(log_probs, scores):
    import math

    return [(math.exp(s), k, v) for s, k, v in beam_step.solution(log_probs, scores)]


@beam_step.mistake(
    "all K survivors go on: here only those of the best beginning do, although others score higher"
)
def best_beginning_only(log_probs, scores):
    alone = torch.full_like(scores, -torch.inf)
    alone[scores.argmax()] = scores.max()
    return beam_step.solution(log_probs, alone)


@beam_step.check
def _(answer):
    _plain_numbers(answer(torch.tensor([[-1.0, -2.0], [-3.0, -0.5]]), torch.tensor([-1.0, -2.0])))


@exercise(
    "03.4",
    "The loss of a padded batch",
    r"""
    A decoder has read the right targets of a batch and predicts the next word at every step. What
    is its loss?

    Write `batch_loss(logits, target)`.

    - `target` has shape (B, T), integers. Each row is BOS (1), the words, EOS (2), and then padding
      (0), so that all rows are equally long.
    - `logits` has shape (B, T − 1, V): `logits[b, t]` was computed when the decoder had read
      `target[b, 0]` … `target[b, t]`.

    Return the mean of $-\ln p$ over everything that has to be predicted: the words and EOS, but not
    the padding. Each of them counts alike, whichever sentence it belongs to. Return a Python float;
    0.0 if there is nothing to predict. Logits may be as large as 1000, and any logit may be
    $-\infty$, except that of a word that has to be predicted.

    **Predict first:** one sentence has two words, another twenty. Is the loss of the batch the mean
    of the two sentences' losses?
    """,
    prediction="no: with its EOS, the long sentence counts 21 times and the short one 3 times",
    minutes=15,
    kind="implement",
)
def batch_loss(logits, target):
    """Mean of −ln p over the words and EOS of a batch, under teacher forcing.

    logits: (B, T - 1, V). target: (B, T) integers: BOS 1, words, EOS 2, padding 0. Returns a float.
    """
    expected = target[:, 1:]
    log_probs = torch.log_softmax(logits, dim=-1)
    picked = log_probs.gather(2, expected[:, :, None])[:, :, 0]  # (B, T - 1)
    real = expected != 0
    return -picked[real].mean().item() if real.any() else 0.0


def _targets(*lengths):
    """Random targets of sentences with these numbers of words, from a vocabulary of 4 to 8."""
    rows = [[1, *torch.randint(4, 9, (n,)).tolist(), 2] for n in lengths]
    return torch.tensor([row + [0] * (max(lengths) + 2 - len(row)) for row in rows])


@batch_loss.cases
def _():
    even = torch.zeros(1, 2, 4)
    yield case(even, torch.tensor([[1, 3, 2]]), expected=1.3863, label="all equally likely: ln 4")
    sure = torch.tensor([[[0.0, 0.0, 0.0, 1000.0], [0.0, 0.0, 1000.0, 0.0]]])
    yield case(sure, torch.tensor([[1, 3, 2]]), expected=0.0, label="logits of 1000, all right")
    wrong = torch.tensor([[[0.0, 0.0, 1000.0, 0.0], [-torch.inf, 0.0, 990.0, 1000.0]]])
    yield case(
        wrong, torch.tensor([[1, 3, 2]]), expected=505.0, label="logits of 1000, sure and wrong"
    )
    far = torch.tensor([[[0.0, 1.0, 2.0, 1000.0], [-900.0, -torch.inf, -900.0, -899.0]]])
    yield case(
        far, torch.tensor([[1, 3, 2]]), expected=0.7757, label="each row has its own largest logit"
    )
    one = torch.tensor([[[0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 1.0, 0.0], [0.0, 5.0, 0.0, 0.0]]])
    yield case(one, torch.tensor([[1, 3, 2, 0]]), expected=0.5422, label="one place of padding")
    no_pad = torch.tensor([[[-torch.inf, 0.0, 0.0, 1.0]] * 3])
    yield case(
        no_pad, torch.tensor([[1, 3, 2, 0]]), expected=1.0514, label="PAD can never be predicted"
    )
    yield case(torch.randn(2, 1, 5), torch.tensor([[1, 0], [1, 0]]), expected=0.0, label="no words")
    for lengths in ((1, 6), (4, 2, 9), (3, 3)):
        target = _targets(*lengths)
        yield case(2 * torch.randn(*target[:, 1:].shape, 9), target)


@batch_loss.check
def _(answer):
    _plain_numbers(answer(torch.zeros(1, 2, 4), torch.tensor([[1, 3, 2]])))


def _pointwise(logits, expected):
    """−ln p of each place, (B, T - 1)."""
    return -torch.log_softmax(logits, dim=-1).gather(2, expected[:, :, None])[:, :, 0]


@batch_loss.mistake(
    "the step that has read `target[:, t]` predicts `target[:, t + 1]`: compare with"
    " `target[:, 1:]`"
)
def not_shifted(logits, target):
    expected = target[:, :-1]
    real = expected != 0
    return _pointwise(logits, expected)[real].mean().item()


@batch_loss.mistake("padding does not have to be predicted: leave out the places where it is 0")
def padding_counted(logits, target):
    return _pointwise(logits, target[:, 1:]).mean().item()


@batch_loss.mistake(
    "the mask belongs to what is predicted, `target[:, 1:] != 0`: with that of the input, the first"
    " padding after EOS counts"
)
def mask_of_the_input(logits, target):
    real = target[:, :-1] != 0
    return _pointwise(logits, target[:, 1:])[real].mean().item()


@batch_loss.mistake(
    "every word counts alike: divide once, by the number of all words, not within each sentence"
)
def mean_of_sentences(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    lost = _pointwise(logits, target[:, 1:]).masked_fill(~real, 0.0)
    return (lost.sum(1) / real.sum(1)).mean().item()


@batch_loss.mistake("this is the sum; divide by the number of words and EOS")
def sum_of_all(logits, target):
    real = target[:, 1:] != 0
    return _pointwise(logits, target[:, 1:])[real].sum().item()


@batch_loss.mistake("divide by the number of words and EOS, not by the number of sentences")
def divided_by_sentences(logits, target):
    return sum_of_all(logits, target) / len(target)


@batch_loss.mistake("EOS (2) has to be predicted like a word: only 0 is padding")
def end_left_out(logits, target):
    real = target[:, 1:] > 2
    return _pointwise(logits, target[:, 1:])[real].mean().item() if real.any() else 0.0


@batch_loss.mistake(
    "`cross_entropy` and `log_softmax` take logits: a softmax before them squashes everything twice"
)
def softmax_twice(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    return _pointwise(logits.softmax(-1), target[:, 1:])[real].mean().item()


@batch_loss.mistake(
    "exp(1000) overflows: `log_softmax`, or `logsumexp`, subtracts the largest logit first"
)
def overflowing(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    p = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return -p.gather(2, target[:, 1:, None])[:, :, 0][real].log().mean().item()


@batch_loss.mistake(
    "a probability of e⁻¹⁰⁰⁰ is 0 in float32, and ln 0 is −inf: use `log_softmax`, never the log of"
    " a softmax"
)
def log_of_softmax(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    picked = logits.softmax(-1).gather(2, target[:, 1:, None])[:, :, 0]
    return -picked[real].log().mean().item()


@batch_loss.mistake(
    "a small number added to p hides that a word was all but impossible: use `log_softmax`, which"
    " needs none"
)
def epsilon_added(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    picked = logits.softmax(-1).gather(2, target[:, 1:, None])[:, :, 0]
    return -(picked[real] + 1e-8).log().mean().item()


@batch_loss.mistake("do not clip the logits: −ln p may be as large as 1000")
def clipped_logits(logits, target):
    return batch_loss.solution(logits.clamp(-50, 50), target)


@batch_loss.mistake(
    "each row has its own largest logit: with one for the whole batch, other rows become 0 / 0"
)
def one_largest_for_all(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    p = (logits - logits.max()).exp()
    p = p / p.sum(-1, keepdim=True)
    return -p.gather(2, target[:, 1:, None])[:, :, 0][real].log().mean().item()


@batch_loss.mistake("a logit of −∞ is allowed: replace it by no other number")
def finite_instead_of_infinite(logits, target):
    return batch_loss.solution(logits.masked_fill(logits == -torch.inf, -10.0), target)


@batch_loss.mistake(
    "0 times infinity is NaN, so a mask cannot be multiplied: select the real places with `[real]`"
    " or fill the others with zeros"
)
def mask_multiplied(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    return ((_pointwise(logits, target[:, 1:]) * real).sum() / real.sum()).item()


@batch_loss.mistake("the loss is −ln p, a positive number: the sign is missing")
def sign_forgotten(logits, target):
    return -batch_loss.solution(logits, target)


@batch_loss.mistake("ln is the natural logarithm: these are bits, not nats")
def bits(logits, target):
    return batch_loss.solution(logits, target) / 0.6931471805599453


@batch_loss.mistake(
    "`reshape` does not swap dimensions: use `transpose(1, 2)`, or flatten both to one row per word"
)
def reshaped_instead_of_transposed(logits, target):
    B, steps, V = logits.shape
    if not (target[:, 1:] != 0).any():
        return 0.0
    return F.cross_entropy(logits.reshape(B, V, steps), target[:, 1:], ignore_index=0).item()


@batch_loss.mistake("take the probability of the *right* word, not that of the most probable one")
def most_probable_word(logits, target):
    real = target[:, 1:] != 0
    if not real.any():
        return 0.0
    return -torch.log_softmax(logits, dim=-1).amax(-1)[real].mean().item()


@batch_loss.mistake("without anything to predict this is the mean of nothing: return 0.0")
def nothing_to_predict_forgotten(logits, target):
    real = target[:, 1:] != 0
    return _pointwise(logits, target[:, 1:])[real].mean().item()


@exercise(
    "03.5",
    "How much should length be worth?",
    r"""
    **A project.** Section 7 divides the score of a finished sentence by
    $\big((5 + t) / 6\big)^{\alpha}$, where $t$ counts its words and the end mark. Which $\alpha$
    gives translations as long as the references? Measure it.

    Write `choose_alpha(beams, references, alphas)`.

    - `beams`: for each sentence, what beam search has finished: a list of pairs
      `(log-probability, words)`, the log-probability not divided by anything yet.
    - `references`: for each sentence, the words of the right translation.
    - `alphas`: the values to try.

    For each $\alpha$, choose the best of each sentence's pairs. Its *length ratio* is the number of
    all chosen words over the number of all words in the references; the end mark is no word. Return
    `(alpha, ratios)`: the value whose ratio is closest to 1, the first of them if several are
    equally close, and the list of the ratios, one for each value.

    **Predict first:** which way does the ratio move as $\alpha$ grows? When it works, try it on
    `beam_search` with `alpha=0.0` and a few test sentences of this notebook.
    """,
    prediction="upwards, or it stays: a larger α favours longer sentences",
    minutes=30,
    kind="extend",
)
def choose_alpha(beams, references, alphas):
    """The exponent whose outputs are as long as the references, and the length ratio of each."""

    def best(beam, alpha):
        return max(beam, key=lambda pair: pair[0] / ((5 + len(pair[1]) + 1) / 6) ** alpha)[1]

    wanted = sum(len(words) for words in references)
    ratios = [sum(len(best(beam, alpha)) for beam in beams) / wanted for alpha in alphas]
    return min(zip(alphas, ratios, strict=True), key=lambda pair: abs(pair[1] - 1))[0], ratios


def _beam(reference):
    """Four finished sentences for a reference; without a penalty, the short ones tend to win."""
    lengths = random.sample(range(0, len(reference) + 5), 4)
    return [(-0.5 * n - 3 * random.random() - 0.5, [f"w{i}" for i in range(n)]) for n in lengths]


@choose_alpha.cases
def _():
    beam = [(-2.0, ["no"]), (-2.4, ["a", "big", "dog"])]
    right = [["a", "brown", "dog"]]
    yield case([beam], right, [0.0], expected=(0.0, [1 / 3]), label="without a penalty")
    yield case([beam], right, [0.0, 1.0], expected=(1.0, [1 / 3, 1.0]))
    pair = [[(-1.0, ["no"])], [(-1.0, ["a", "b", "c", "d"])]]
    yield case(
        pair,
        [["x", "y"], ["x", "y"]],
        [0.5],
        expected=(0.5, [1.25]),
        label="five words for four: all words of all sentences count alike",
    )
    near = [(-6.0, ["a"] * 4), (-7.1, ["a"] * 5)]
    yield case(
        [near], [["b"] * 5], [1.0, 1.7], expected=(1.0, [0.8, 0.8]), label="t counts the end mark"
    )
    yield case(
        [[(-3.0, [])]],
        [["a"]],
        [0.0, 1.0],
        expected=(0.0, [0.0, 0.0]),
        label="an output without words",
    )
    for count in (5, 6, 7):
        references = [["r"] * random.randint(4, 9) for _ in range(count)]
        alphas = sorted(round(random.uniform(0, 3), 2) for _ in range(5))
        yield case([_beam(words) for words in references], references, alphas)


def _chosen(beams, references, alphas, score, ratio=None, pick=None):
    """A solution with another score, ratio or choice among the ratios."""
    ratio = ratio or (lambda found, right: sum(map(len, found)) / sum(map(len, right)))
    pick = pick or (lambda ratios: min(range(len(ratios)), key=lambda i: abs(ratios[i] - 1)))
    ratios = []
    for a in alphas:
        found = [max(beam, key=lambda one: score(*one, a))[1] for beam in beams]  # noqa: B023
        ratios.append(ratio(found, references))
    return alphas[pick(ratios)], ratios


def _penalised(log_prob, words, alpha):
    return log_prob / ((6 + len(words)) / 6) ** alpha


@choose_alpha.mistake("t counts the end mark, too: it is one more than the number of words")
def end_mark_forgotten(beams, references, alphas):
    return _chosen(beams, references, alphas, lambda p, w, a: p / ((5 + len(w)) / 6) ** a)


@choose_alpha.mistake(
    "divide by the penalty: log-probabilities are negative, so multiplying makes long sentences"
    " worse still"
)
def multiplied_by_penalty(beams, references, alphas):
    return _chosen(beams, references, alphas, lambda p, w, a: p * ((6 + len(w)) / 6) ** a)


@choose_alpha.mistake("the log-probability is not divided by anything yet: the penalty is missing")
def no_penalty(beams, references, alphas):
    return _chosen(beams, references, alphas, lambda p, w, a: p)


@choose_alpha.mistake("α is an exponent: `((5 + t) / 6) ** alpha`, not a factor")
def alpha_as_a_factor(beams, references, alphas):
    return _chosen(beams, references, alphas, lambda p, w, a: p / (a * (6 + len(w)) / 6 or 1))


@choose_alpha.mistake(
    "the penalty is ((5 + t) / 6)^α, not t^α, which would punish short sentences much more"
)
def plain_length(beams, references, alphas):
    return _chosen(beams, references, alphas, lambda p, w, a: p / (len(w) + 1) ** a)


@choose_alpha.mistake("the best sentence has the largest score, the one nearest to 0")
def smallest_score(beams, references, alphas):
    return _chosen(beams, references, alphas, lambda p, w, a: -_penalised(p, w, a))


@choose_alpha.mistake(
    "add up all words first and divide once: the mean of the sentences' ratios is another number"
)
def mean_of_ratios(beams, references, alphas):
    def mean(found, right):
        return sum(len(f) / len(r) for f, r in zip(found, right, strict=True)) / len(right)

    return _chosen(beams, references, alphas, _penalised, ratio=mean)


@choose_alpha.mistake("chosen words over words of the references, not the other way round")
def ratio_turned_round(beams, references, alphas):
    def turned(found, right):
        return sum(map(len, right)) / max(sum(map(len, found)), 1)

    return _chosen(beams, references, alphas, _penalised, ratio=turned)


@choose_alpha.mistake("the end mark is no word: it counts in t, not in the ratio")
def end_marks_in_the_ratio(beams, references, alphas):
    def longer(found, right):
        return (sum(map(len, found)) + len(found)) / (sum(map(len, right)) + len(right))

    return _chosen(beams, references, alphas, _penalised, ratio=longer)


@choose_alpha.mistake("closest to 1 is wanted, not the largest ratio: outputs can also be too long")
def largest_ratio(beams, references, alphas):
    pick = lambda ratios: max(range(len(ratios)), key=ratios.__getitem__)  # noqa: E731
    return _chosen(beams, references, alphas, _penalised, pick=pick)


@choose_alpha.mistake("of equally close ratios the first one counts: `min` finds it")
def last_of_equals(beams, references, alphas):
    pick = lambda ratios: min(  # noqa: E731
        range(len(ratios)), key=lambda i: (abs(ratios[i] - 1), -i)
    )
    return _chosen(beams, references, alphas, _penalised, pick=pick)


@choose_alpha.mistake("one sentence of each beam is chosen: the others do not count")
def all_of_the_beam(beams, references, alphas):
    ratio = sum(len(w) for beam in beams for _, w in beam) / sum(map(len, references))
    return alphas[0], [ratio for _ in alphas]
