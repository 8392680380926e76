"""Exercises of notebook 03, machine translation: alignment, BLEU, beam search."""

import torch

from course_utils.exercises.cases import case
from course_utils.exercises.judging import exercise
from course_utils.messages import localised


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
    all wrong. If no target word counts, return 0.0.
    """,
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
    for width, vocabulary in ((2, 5), (3, 11), (5, 7), (4, 2)):
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
