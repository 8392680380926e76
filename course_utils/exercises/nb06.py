"""Exercises of notebook 06: pooling, reading backwards, reasons, calibration, leaks, erasures."""

import math
import random

import torch

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise


@exercise(
    "06.1",
    "The mean of the words, not of the padding",
    r"""
    Mean pooling is the simplest way from many states to one vector, and the most popular place to
    forget the padding.

    Write `mean_of_words(states, ids)`.

    - `states` has shape (B, T, D): one vector for each position.
    - `ids` has shape (B, T). Where it is 0 there is padding, which must not count.

    Return (B, D): for each text the mean of the states at its words. A text without any word gets
    zeros, not NaN.

    **Predict first:** the states of the padding are not zero. By how much is the plain mean of a
    short text in a long batch off?
    """,
    prediction="with n words of T positions, it lies (T − n)/T of the way from the mean of"
    " the words to the mean of the padding",
    minutes=10,
    kind="implement",
)
def mean_of_words(states, ids):
    """Mean of the states at the positions whose id is not 0.

    states: (B, T, D). ids: (B, T). Returns (B, D), zeros for a text without words.
    """
    mask = (ids != 0).unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)


@mean_of_words.cases
def _():
    states = torch.tensor([[[2.0, 0.0], [4.0, 6.0], [9.0, 9.0]]])
    yield case(
        states,
        torch.tensor([[5, 7, 0]]),
        expected=torch.tensor([[3.0, 3.0]]),
        label="two words and a PAD",
    )
    yield case(
        states, torch.tensor([[5, 7, 8]]), expected=torch.tensor([[5.0, 5.0]]), label="no padding"
    )
    yield case(states, torch.tensor([[0, 0, 0]]), expected=torch.zeros(1, 2), label="no words")
    yield case(
        torch.tensor([[[9.0, 9.0], [4.0, 6.0], [0.0, 0.0]]]),
        torch.tensor([[0, 7, 3]]),
        expected=torch.tensor([[2.0, 3.0]]),
        label="the PAD comes first, and a word has a state of zeros",
    )
    yield case(
        torch.tensor([[[1.0, 2.0, 3.0], [7e8, 7e8, 7e8]], [[4.0, 5.0, 6.0], [2.0, 1.0, 0.0]]]),
        torch.tensor([[5, 0], [6, 4]]),
        expected=torch.tensor([[1.0, 2.0, 3.0], [3.0, 3.0, 3.0]]),
        label="a large state at the PAD",
    )
    for texts, words, width in ((2, 5, 3), (4, 7, 2), (3, 1, 6)):
        ids = torch.randint(0, 3, (texts, words))
        yield case(torch.randn(texts, words, width), ids)


@mean_of_words.mistake("the sum leaves out the padding, but you divide by all T positions")
def divided_by_all(states, ids):
    mask = (ids != 0).unsqueeze(-1).to(states.dtype)
    return (states * mask).mean(dim=1)


@mean_of_words.mistake("the states at the padding are counted: multiply by the mask before you sum")
def padding_counted(states, ids):
    return states.mean(dim=1)


@mean_of_words.mistake(
    "a text without words gives zero divided by zero: apply `clamp_min(1)` to the number of words"
)
def no_words_forgotten(states, ids):
    mask = (ids != 0).unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1)


@mean_of_words.mistake("take the mean over the words (dim 1): each text keeps a vector of its own")
def mean_over_the_batch(states, ids):
    mask = (ids != 0).unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=0) / mask.sum(dim=0).clamp_min(1)


@mean_of_words.mistake("divide by the number of words: this is the sum")
def summed(states, ids):
    return (states * (ids != 0).unsqueeze(-1)).sum(dim=1)


@mean_of_words.mistake("you divide by the number of words, but the sum still holds the padding")
def padding_in_the_sum(states, ids):
    return states.sum(dim=1) / (ids != 0).sum(dim=1, keepdim=True).clamp_min(1)


@mean_of_words.mistake("each text has a number of words of its own, not that of the longest")
def count_of_the_longest(states, ids):
    mask = (ids != 0).unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).max().clamp_min(1)


@mean_of_words.mistake(
    "the ids say what is padding, not the states: a word may have a state of zeros"
)
def padding_by_states(states, ids):
    mask = (ids != 0).unsqueeze(-1) & (states != 0).any(dim=-1, keepdim=True)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)


@mean_of_words.mistake("padding need not come last: look at each id, not only at their number")
def padding_at_the_end(states, ids):
    mask = torch.arange(ids.shape[1]) < (ids != 0).sum(dim=1, keepdim=True)
    mask = mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)


@mean_of_words.mistake("the mean is over the words, not over the width: the result is (B, D)")
def mean_over_the_width(states, ids):
    return (states * (ids != 0).unsqueeze(-1)).mean(dim=2)


@mean_of_words.mistake("this is the largest value of each dimension: take the mean")
def largest_of_words(states, ids):
    kept = states.masked_fill((ids == 0)[..., None], -torch.inf)
    return kept.amax(dim=1).masked_fill((ids == 0).all(dim=1, keepdim=True), 0.0)


@mean_of_words.mistake("this is the state of the last word: take the mean of all words")
def last_word(states, ids):
    return states[torch.arange(len(ids)), (ids != 0).sum(dim=1).clamp_min(1) - 1]


@mean_of_words.mistake("divide by the number of words, not by one more: `clamp_min(1)`, not `+ 1`")
def one_more(states, ids):
    mask = (ids != 0).unsqueeze(-1)
    return (states * mask).sum(dim=1) / (mask.sum(dim=1) + 1)


@mean_of_words.mistake("only id 0 is padding: id 1 is a word")
def one_is_padding(states, ids):
    return mean_of_words.solution(states, (ids > 1).long())


@mean_of_words.mistake("every row has padding of its own: use the ids of each row")
def mask_of_the_first_row(states, ids):
    return mean_of_words.solution(states, ids[:1].expand_as(ids))


@mean_of_words.mistake("ids say *whether* there is a word: they are not its weight")
def weighted_by_id(states, ids):
    return (states * ids[..., None]).sum(dim=1) / ids.sum(dim=1, keepdim=True).clamp_min(1)


@exercise(
    "06.2",
    "Read from the right, without the padding",
    r"""
    The backward recurrence reads a text from its end. In a padded batch the end of a short text is
    not the end of the row. So turn each text round *within its own length*, and leave the padding
    where it is:

    $$[a, b, c, \text{PAD}, \text{PAD}] \;\to\; [c, b, a, \text{PAD}, \text{PAD}]$$

    Write `turn_round(ids, lengths)` with ids (B, T) and lengths (B,), from 0 to T. Return (B, T).

    **Predict first:** what comes back when you turn a batch round twice?

    Position $i$ of a text of length $n$ takes what stood at $n - 1 - i$. `torch.gather` or a loop
    over the rows: both are fine.
    """,
    prediction="the batch as it was",
    minutes=15,
    kind="implement",
)
def turn_round(ids, lengths):
    """Each row turned round within its length, the padding behind it kept.

    ids: (B, T) integers. lengths: (B,) integers from 0 to T. Returns (B, T).
    """
    places = torch.arange(ids.shape[1])[None, :]
    last = lengths[:, None] - 1
    return ids.gather(1, torch.where(places <= last, last - places, places))


@turn_round.cases
def _():
    yield case(
        torch.tensor([[4, 5, 6, 0, 0]]),
        torch.tensor([3]),
        expected=torch.tensor([[6, 5, 4, 0, 0]]),
        label="three words, two PADs",
    )
    yield case(
        torch.tensor([[4, 5, 6]]),
        torch.tensor([3]),
        expected=torch.tensor([[6, 5, 4]]),
        label="no padding",
    )
    yield case(
        torch.tensor([[7, 0], [0, 0]]),
        torch.tensor([1, 0]),
        expected=torch.tensor([[7, 0], [0, 0]]),
        label="one word; none",
    )
    yield case(
        torch.tensor([[7, 8, 9], [4, 0, 6]]),
        torch.tensor([0, 3]),
        expected=torch.tensor([[7, 8, 9], [6, 0, 4]]),
        label="the lengths decide, not the ids",
    )
    yield case(
        torch.tensor([[5, 6, 1, 2]]),
        torch.tensor([2]),
        expected=torch.tensor([[6, 5, 1, 2]]),
        label="what follows the text stays",
    )
    for texts, words in ((3, 7), (5, 4), (2, 9)):
        lengths = torch.randint(0, words + 1, (texts,))
        ids = torch.randint(1, 50, (texts, words)) * (torch.arange(words) < lengths[:, None])
        yield case(ids, lengths)


@turn_round.mistake("the whole row is reversed, so the padding comes first: reverse only the words")
def padding_first(ids, lengths):
    return ids.flip(1)


@turn_round.mistake(
    "every row is reversed within the longest length: each row has a length of its own"
)
def by_the_longest(ids, lengths):
    longest = int(lengths.max())
    turned = ids.clone()
    turned[:, :longest] = ids[:, :longest].flip(1)
    return turned


@turn_round.mistake("off by one: the last word is at position n - 1, not at n")
def one_too_far(ids, lengths):
    places = torch.arange(ids.shape[1])[None, :]
    source = torch.where(places < lengths[:, None], lengths[:, None] - places, places)
    return ids.gather(1, source.clamp_max(ids.shape[1] - 1))


@turn_round.mistake("the length says where the text ends, not the zeros among the ids")
def lengths_ignored(ids, lengths):
    return turn_round.solution(ids, (ids != 0).sum(dim=1))


@turn_round.mistake("what follows the text stays as it is: do not replace it by zeros")
def padding_cleared(ids, lengths):
    return turn_round.solution(ids, lengths) * (torch.arange(ids.shape[1]) < lengths[:, None])


@turn_round.mistake("reverse the order of the words; do not sort them")
def sorted_by_id(ids, lengths):
    turned = ids.clone()
    for row, n in zip(turned, lengths.tolist(), strict=True):
        row[:n] = row[:n].sort(descending=True).values
    return turned


@turn_round.mistake(
    "in this loop the second half reads what the first half has already overwritten: write into"
    " a copy"
)
def overwritten(ids, lengths):
    turned = ids.clone()
    for row, n in zip(turned, lengths.tolist(), strict=True):
        for i in range(n):
            row[i] = row[n - 1 - i].clone()
    return turned


@turn_round.mistake("all words change places, not only the first and the last")
def ends_swapped(ids, lengths):
    turned = ids.clone()
    for row, n in zip(turned, lengths.tolist(), strict=True):
        if n:
            row[0], row[n - 1] = row[n - 1].clone(), row[0].clone()
    return turned


@turn_round.mistake("`lengths[0]` belongs to the first row: each row has a length of its own")
def by_the_first(ids, lengths):
    return turn_round.solution(ids, lengths[:1].expand(len(lengths)))


@turn_round.mistake("this reverses the texts of the batch: reverse the words of each text (dim 1)")
def batch_reversed(ids, lengths):
    return ids.flip(0)


@turn_round.mistake(
    "a text without words: for n = 0 the place n - 1 is -1, and Python reads that as the last one"
)
def no_words_from_the_end(ids, lengths):
    turned = turn_round.solution(ids, lengths)
    for row, given, n in zip(turned, ids, lengths.tolist(), strict=True):
        if n == 0:
            row[:] = given.flip(0)
    return turned


@turn_round.mistake(
    "the padding is reversed as well (by `flip` and `roll`, or by `%`): after the text, every place"
    " keeps its own id"
)
def flipped_and_moved_back(ids, lengths):
    rows = zip(ids, lengths.tolist(), strict=True)
    return torch.stack([row.flip(0).roll(n - len(row)) for row, n in rows])


@turn_round.mistake(
    "after the text, a place takes its own id: `clamp` repeats the first word there"
)
def first_word_repeated(ids, lengths):
    place = lengths[:, None] - 1 - torch.arange(ids.shape[1])
    return ids.gather(1, place.clamp(min=0))


@turn_round.mistake("`roll` moves the words, and keeps their order: reverse it")
def moved_only(ids, lengths):
    return torch.stack([row.roll(n) for row, n in zip(ids, lengths.tolist(), strict=True)])


@turn_round.check
def _(answer):
    ids = torch.tensor([[4, 5, 6, 0], [7, 8, 9, 10], [3, 0, 0, 0]])
    lengths = torch.tensor([3, 4, 1])
    twice = answer(answer(ids.clone(), lengths.clone()), lengths.clone())
    if difference(ids, twice):
        raise CheckFailed(
            "reversing a batch twice does not give the batch itself",
            input=case(ids, lengths),
            got=twice,
            expected=ids,
            hint="apply it twice to [4, 5, 6, 0] with length 3, on paper",
        )


@exercise(
    "06.3",
    "Did the attention find the reason?",
    r"""
    People marked the words that justify a verdict; attention gave every word a weight. Rank the
    words by weight, largest first, and walk down the list. Each time you meet a marked word, note
    the *precision so far*: the share of marked words among all that you have passed. The mean of
    these notes is the **average precision**, the area under the precision–recall curve that this
    notebook reports.

    Write `average_precision(weights, marked)`: weights (T,), all different; marked (T,) of bools,
    at least one True. Return a number from 0 to 1.

    **Predict first:** one marked word, and it has the second largest weight. What comes out?
    """,
    prediction="½: one of the two words passed so far is marked",
    minutes=15,
    kind="measure",
)
def average_precision(weights, marked):
    """Mean, over the marked words, of the precision at their place in the ranking.

    weights: (T,), all different. marked: (T,) bools, at least one True. Returns a float.
    """
    ranked = marked[weights.argsort(descending=True)].float()
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return (precision * ranked).sum().item() / ranked.sum().item()


@average_precision.cases
def _():
    def marks(*values):
        return torch.tensor(values, dtype=torch.bool)

    yield case(torch.tensor([0.5, 0.3, 0.2]), marks(1, 0, 0), expected=1.0, label="found at once")
    yield case(torch.tensor([0.5, 0.3, 0.2]), marks(0, 1, 0), expected=0.5, label="second place")
    yield case(
        torch.tensor([0.1, 0.6, 0.3]),
        marks(1, 1, 0),
        expected=(1 + 2 / 3) / 2,
        label="first and last place",
    )
    yield case(torch.tensor([1.0]), marks(1), expected=1.0, label="one word")
    for words in (4, 9, 30):
        marked = torch.rand(words) < 0.4
        marked[words // 2] = True
        yield case(torch.softmax(torch.randn(words), dim=0), marked)


@average_precision.mistake("rank from the largest weight down: `descending=True`")
def smallest_first(weights, marked):
    ranked = marked[weights.argsort()].float()
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return (precision * ranked).sum().item() / ranked.sum().item()


@average_precision.mistake("take the precision at the marked words only, not at every place")
def at_every_place(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    return (ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)).mean().item()


@average_precision.mistake("divide by the number of marked words, not by the number of words")
def divided_by_words(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return (precision * ranked).sum().item() / len(ranked)


@average_precision.mistake("ranks are counted from 1: at the first word, the precision is 1 or 0")
def places_from_zero(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    precision = ranked.cumsum(0) / torch.arange(2, len(ranked) + 2)
    return (precision * ranked).sum().item() / ranked.sum().item()


@average_precision.mistake("note the precision at *each* marked word, not only at the first one")
def first_mark_only(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    return 1 / (int(ranked.argmax()) + 1)


@average_precision.mistake("walk down the ranking, not along the text: sort the marks by weight")
def in_the_order_of_the_text(weights, marked):
    return average_precision.solution(-torch.arange(len(marked)).float(), marked)


@average_precision.mistake(
    "weights only rank the words: this is the share of the weight on the marked ones"
)
def weight_on_the_marks(weights, marked):
    return (weights * marked).sum().item() / weights.sum().item()


@average_precision.mistake(
    "this is the precision after as many words as are marked: take the mean over all marked words"
)
def precision_at_count(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    count = int(ranked.sum())
    return ranked[:count].mean().item()


@average_precision.mistake("this is the area under the ROC curve, another measure of a ranking")
def area_under_roc(weights, marked):
    if marked.all():
        return 1.0
    inside, outside = weights[marked], weights[~marked]
    return (inside[:, None] > outside).float().mean().item()


@average_precision.mistake("`argsort` gives the words in their order, not the rank of each word")
def order_taken_for_ranks(weights, marked):
    ranks = weights.argsort(descending=True) + 1
    found = ranks[marked].sort().values
    return (torch.arange(1, len(found) + 1) / found).mean().item()


@average_precision.mistake(
    "this is the area under straight lines between the points: take the mean of the notes"
)
def trapezoids(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return float(torch.trapezoid(precision, ranked.cumsum(0) / ranked.sum()))


@average_precision.mistake("note the precision that you have there, not the best that still comes")
def interpolated(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)
    return (best * ranked).sum().item() / ranked.sum().item()


@average_precision.mistake("the word that you have just met counts as passed: it is marked")
def without_itself(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    precision = (ranked.cumsum(0) - 1) / torch.arange(1, len(ranked) + 1)
    return (precision * ranked).sum().item() / ranked.sum().item()


@average_precision.mistake(
    "the n-th marked word that you meet has n marked words above it and itself: not 1 over its rank"
)
def one_over_rank(weights, marked):
    ranked = marked[weights.argsort(descending=True)].float()
    return (1 / (ranked.nonzero().flatten() + 1.0)).mean().item()


@average_precision.mistake(
    "only the order counts: every marked word has the same share in the mean"
)
def mean_by_weight(weights, marked):
    order = weights.argsort(descending=True)
    ranked, weight = marked[order].float(), weights[order]
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return ((precision * ranked * weight).sum() / (ranked * weight).sum()).item()


@exercise(
    "06.4",
    "How sure is it, and how often right?",
    r"""
    A classifier is *calibrated* if of all verdicts that it gives with a probability of .8 eight in
    ten are right. The **expected calibration error** measures how far it is from that
    ([Guo et al. 2017](REFERENCES.md#guo2017), section 2):

    $$\text{ECE} = \sum_m \frac{n_m}{N}\;
    \bigl|\, \text{share right in } m - \text{mean confidence in } m \,\bigr|$$

    The $N$ verdicts are sorted by their confidence into equally wide bins $m$: with five bins, from
    0 to .2, from .2 to .4 and so on. A confidence of 1 belongs to the last bin; none lies on
    another border. Empty bins add nothing.

    Write `calibration_error(confidence, right, bins)`: confidence (N,) from 0 to 1, right (N,) of
    bools. Return a number.

    **Predict first:** a classifier says .5 every time, and every second verdict is right. What is
    its ECE? Would you want to use it?
    """,
    prediction="0: it is perfectly calibrated. It is of no use, since it says the same of"
    " every text",
    minutes=15,
    kind="measure",
)
def calibration_error(confidence, right, bins):
    """Expected calibration error with equally wide bins from 0 to 1.

    confidence: (N,) from 0 to 1. right: (N,) bools. bins: how many. Returns a float.
    """
    place = (confidence * bins).long().clamp_max(bins - 1)
    error = 0.0
    for m in place.unique():
        inside = place == m
        gap = right[inside].float().mean() - confidence[inside].mean()
        error += inside.float().mean().item() * gap.abs().item()
    return error


@calibration_error.cases
def _():
    def judged(*values):
        return torch.tensor(values, dtype=torch.bool)

    half = torch.full((4,), 0.5)
    yield case(half, judged(1, 0, 1, 0), 5, expected=0.0, label="half sure, half right")
    sure = torch.tensor([0.9, 0.9, 0.9, 0.9])
    yield case(sure, judged(1, 0, 1, 0), 5, expected=0.4, label="too sure")
    yield case(sure, judged(1, 1, 1, 1), 5, expected=0.1, label="not sure enough")
    yield case(torch.tensor([1.0, 1.0]), judged(1, 0), 4, expected=0.5, label="a confidence of 1")
    yield case(
        torch.tensor([1.0, 0.9]),
        judged(0, 1),
        5,
        expected=0.45,
        label="a confidence of 1 and one of .9, in the same bin",
    )
    yield case(
        torch.tensor([0.1, 0.1, 0.1, 0.7]),
        judged(1, 1, 1, 1),
        2,
        expected=0.75 * 0.9 + 0.25 * 0.3,
        label="a full bin and one with a single verdict",
    )
    yield case(
        torch.tensor([0.85, 0.55]),
        judged(0, 1),
        5,
        expected=0.5 * 0.85 + 0.5 * 0.45,
        label="two bins whose gaps have opposite signs",
    )
    for count, bins in ((12, 3), (30, 7), (9, 10)):
        confidence = 0.005 + 0.99 * torch.rand(count)
        yield case(confidence, torch.rand(count) < confidence**2, bins)


def _by_bins(confidence, right, bins, join, middle=False):
    place = (confidence * bins).long().clamp_max(bins - 1)
    rows = []
    for m in place.unique():
        inside = place == m
        said = (m + 0.5) / bins if middle else confidence[inside].mean()
        rows.append((inside.float().mean().item(), (right[inside].float().mean() - said).item()))
    return join(rows)


@calibration_error.mistake("weight each bin with its share of the verdicts: this is a plain mean")
def bins_alike(confidence, right, bins):
    return _by_bins(confidence, right, bins, lambda rows: sum(abs(g) for _, g in rows) / len(rows))


@calibration_error.mistake(
    "take the absolute value in each bin: otherwise too sure and not sure enough cancel out"
)
def signed(confidence, right, bins):
    return abs(_by_bins(confidence, right, bins, lambda rows: sum(n * g for n, g in rows)))


@calibration_error.mistake("this is the largest gap: the expected one is a weighted mean")
def largest_gap(confidence, right, bins):
    return _by_bins(confidence, right, bins, lambda rows: max(abs(g) for _, g in rows))


@calibration_error.mistake("take the gap itself, not its square")
def squared(confidence, right, bins):
    return _by_bins(confidence, right, bins, lambda rows: sum(n * g**2 for n, g in rows))


@calibration_error.mistake("use the mean confidence of the verdicts in a bin, not its middle")
def middle_of_the_bin(confidence, right, bins):
    return _by_bins(
        confidence, right, bins, lambda rows: sum(n * abs(g) for n, g in rows), middle=True
    )


@calibration_error.mistake(
    "a single verdict is right or wrong and cannot be calibrated: compare the means of a bin"
)
def verdict_by_verdict(confidence, right, bins):
    return (confidence - right.float()).abs().mean().item()


@calibration_error.mistake("this is the Brier score: it has no bins, and also rewards being right")
def brier(confidence, right, bins):
    return (confidence - right.float()).square().mean().item()


@calibration_error.mistake("a confidence of exactly 1 belongs to the last bin: it is left out here")
def one_left_out(confidence, right, bins):
    kept = confidence < 1
    if not kept.any():
        return 0.0
    return (
        calibration_error.solution(confidence[kept], right[kept], bins) * kept.float().mean().item()
    )


@calibration_error.mistake("an empty bin has no mean: leave it out, or the result is NaN")
def empty_bins(confidence, right, bins):
    place = (confidence * bins).long().clamp_max(bins - 1)
    error = 0.0
    for m in range(bins):
        inside = place == m
        gap = right[inside].float().mean() - confidence[inside].mean()
        error += (inside.float().mean() * gap.abs()).item()
    return error


@calibration_error.mistake("`bins` says how many bins there are: it is not always 10")
def always_ten(confidence, right, bins):
    return calibration_error.solution(confidence, right, 10)


@calibration_error.mistake("the result is a share, not per cent")
def error_in_per_cent(confidence, right, bins):
    return 100 * calibration_error.solution(confidence, right, bins)


def _with_places(confidence, right, place):
    error = 0.0
    for m in place.unique():
        gap = right[place == m].float().mean() - confidence[place == m].mean()
        error += (place == m).float().mean().item() * gap.abs().item()
    return error


@calibration_error.mistake(
    "a confidence of exactly 1 belongs to the last bin, not to one of its own"
)
def one_in_a_bin_of_its_own(confidence, right, bins):
    return _with_places(confidence, right, (confidence * bins).long())


@calibration_error.mistake("`round` takes the nearest border: a bin reaches from one to the next")
def nearest_border(confidence, right, bins):
    return _with_places(confidence, right, (confidence * bins).round().long())


@calibration_error.mistake("the bins reach from 0 to 1, not from .5 to 1")
def upper_half_only(confidence, right, bins):
    place = ((confidence - 0.5) * 2 * bins).long().clamp(0, bins - 1)
    return _with_places(confidence, right, place)


@calibration_error.mistake("not sure enough is an error, too: take the absolute value of each gap")
def too_sure_only(confidence, right, bins):
    return _by_bins(confidence, right, bins, lambda rows: sum(n * max(0.0, -g) for n, g in rows))


@calibration_error.mistake("the expected error is a mean of absolute gaps, not the root of squares")
def root_mean_square(confidence, right, bins):
    return _by_bins(confidence, right, bins, lambda rows: sum(n * g**2 for n, g in rows) ** 0.5)


@calibration_error.mistake(
    "weight each gap with its share of the verdicts, and do not divide by bins"
)
def divided_by_all_bins(confidence, right, bins):
    return _by_bins(confidence, right, bins, lambda rows: sum(abs(g) for _, g in rows) / bins)


@calibration_error.mistake("the bins are equally *wide*: they need not hold equally many verdicts")
def equally_full(confidence, right, bins):
    parts = [part for part in confidence.argsort().tensor_split(bins) if len(part)]
    gaps = [(right[p].float().mean() - confidence[p].mean()).abs().item() for p in parts]
    return sum(len(p) * gap for p, gap in zip(parts, gaps, strict=True)) / len(confidence)


@exercise(
    "06.5",
    "What padding takes",
    r"""
    A text of 10 words stands in a batch that is padded to 60 positions. The padding has a score of
    0, and somebody has forgotten the mask. **Predict first,** by hand: which share of the weight
    goes to the padding if each word has a score of 0, too? And if each word has a score of 2?

    Write `leaked(words, length, score)`: `words` real positions out of `length`, each real one with
    the same `score`. Return the share of the padding as a float; 0.0 if there is no padding.
    """,
    prediction="5/6: 50 of 60 equal weights. With scores of 2, 40 per cent: each word then"
    " weighs e² ≈ 7.4 times as much",
    minutes=3,
    kind="predict",
)
def leaked(words, length, score):
    """Share of the weight that padding with score 0 gets from a softmax without a mask."""
    padding = length - words
    return padding / (padding + words * math.exp(score))


@leaked.cases
def _():
    yield case(10, 60, 0.0, expected=0.8333, label="the first prediction")
    yield case(10, 60, 2.0, expected=0.4036, label="the second prediction")
    yield case(60, 60, 1.0, expected=0.0, label="no padding")
    yield case(1, 2, 0.0, expected=0.5)
    yield case(3, 4, -1.0, expected=0.4754, label="words with less than the padding")
    for _ in range(4):
        words = random.randint(2, 30)
        yield case(words, words + random.randint(1, 40), random.uniform(-3, 3))


@leaked.mistake("this is the share of the words; the padding has the rest")
def share_of_the_words(words, length, score):
    return 1 - leaked.solution(words, length, score)


@leaked.mistake(
    "the weights come from a softmax: a score of s counts e^s, and a score of 0 counts 1"
)
def scores_as_weights(words, length, score):
    total = words * score
    return (length - words) / (length - words + total) if length - words + total else 0.0


@leaked.mistake("a score of 0 is not a weight of 0: e⁰ = 1, so padding without a mask takes part")
def nothing_leaks(words, length, score):
    return 0.0


@leaked.mistake("the words have a score, too: each of them counts e^score, not 1")
def share_of_positions(words, length, score):
    return (length - words) / length


@leaked.mistake("a share has everything in the denominator: padding and words")
def odds(words, length, score):
    return (length - words) / (words * math.exp(score))


@leaked.mistake(
    "a larger score of the words takes weight from the padding, whose score is 0: e^score, not"
    " e^−score"
)
def wrong_sign(words, length, score):
    return leaked.solution(words, length, -score)


@leaked.mistake("all positions of the padding together: there are length − words of them")
def one_position(words, length, score):
    return 1 / (length - words + words * math.exp(score)) if length > words else 0.0


@leaked.mistake("`length` counts all positions, the words as well: the padding is length − words")
def length_as_padding(words, length, score):
    return length / (length + words * math.exp(score))


@leaked.mistake("every word has an exponential of its own: words · e^score, not e^(words · score)")
def one_exponential(words, length, score):
    return (length - words) / (length - words + math.exp(words * score))


@leaked.mistake("a share lies between 0 and 1: this is in per cent")
def per_cent(words, length, score):
    return 100 * leaked.solution(words, length, score)


@exercise(
    "06.6",
    "Better than erasing at random?",
    r"""
    **A project.** Section 11 erased the heaviest words and counted the verdicts that turned. Follow
    one verdict more closely: how fast does its probability fall, and how much of that is worth
    more than erasing at random ([DeYoung et al. 2020](REFERENCES.md#deyoung2020), section 4.2)?

    Write `beyond_chance(words, weights, orders, probability)`.

    - `words`: a list of T words. `weights`: (T,).
    - `orders`: (K, T), each row an order to erase in: the place that goes first, then the second.
    - `probability(words)` returns the probability of the verdict for any list of words.

    To erase a word is to put `"<unk>"` in its place. Erase one word after another, the heaviest
    first (of equal weights, the earlier word), until none is left. For $k = 0, 1, \dots, T$ note by
    how much the probability has fallen: this is the curve of the weights. Each row of `orders` has
    such a curve, too; their mean is the curve of chance.

    Return `(own, chance, gain)`: the two curves, (T + 1,) each, and the mean over $k$ of own minus
    chance, a number.

    **Predict first:** at which $k$ do the two curves meet, whatever the weights are? When it works,
    try it on `test[0].words`, with weights and probabilities by `classifier.classify`.
    """,
    prediction="at 0 and at T: then nothing is erased, or everything, in whatever order",
    minutes=30,
    kind="extend",
)
def beyond_chance(words, weights, orders, probability):
    """Falls of the probability by weight and by chance, (T + 1,) each, and the mean gap."""

    def falls(order):
        left, found = list(words), [0.0]
        for place in order.tolist():
            left[place] = "<unk>"
            found.append(probability(words) - probability(left))
        return torch.tensor(found)

    own = falls(weights.argsort(descending=True, stable=True))
    chance = torch.stack([falls(order) for order in orders]).mean(dim=0)
    return own, chance, (own - chance).mean().item()


class _Verdict:
    """A stand-in for the classifier: adds up the worth of words, and "not" turns the next one."""

    def __init__(self, worth):
        self.worth = worth

    def __call__(self, words):
        score = 0.0
        for before, word in zip(["", *words[:-1]], words, strict=True):
            score += self.worth.get(word, 0.0) * (-1 if before == "not" else 1)
        return 1 / (1 + math.exp(-score))

    def __repr__(self):
        return "probability"


@beyond_chance.cases
def _():
    film = _Verdict({"good": math.log(3), "dull": -math.log(3)})  # σ(ln 3) is ¾
    order = torch.tensor
    yield case(
        ["good", "film"],
        torch.tensor([0.9, 0.1]),
        order([[1, 0]]),
        film,
        expected=(torch.tensor([0.0, 0.25, 0.25]), torch.tensor([0.0, 0.0, 0.25]), 0.25 / 3),
        label="the reason first, and last",
    )
    yield case(
        ["good", "film"],
        torch.tensor([0.1, 0.9]),
        order([[1, 0], [0, 1], [0, 1], [0, 1]]),
        film,
        expected=(torch.tensor([0, 0, 0.25]), torch.tensor([0, 0.1875, 0.25]), -0.0625),
        label="worse than four orders",
    )
    yield case(
        ["good", "film", "good"],
        torch.tensor([0.2, 0.4, 0.4]),
        order([[2, 1, 0]]),
        film,
        expected=(torch.tensor([0, 0, 0.15, 0.4]), torch.tensor([0, 0.15, 0.15, 0.4]), -0.0375),
        label="two equal weights, and a word that occurs twice",
    )
    yield case(
        ["not", "very", "good"],
        torch.tensor([0.2, 0.5, 0.3]),
        order([[1, 2, 0]]),
        film,
        expected=(torch.tensor([0, 0, 0.25, 0.25]), torch.tensor([0, 0, 0.25, 0.25]), 0.0),
        label="“not” is no neighbour of “good”",
    )
    yield case(
        ["dull"],
        torch.tensor([1.0]),
        order([[0]]),
        film,
        expected=(torch.tensor([0, -0.25]), torch.tensor([0, -0.25]), 0.0),
        label="the probability rises",
    )
    vocabulary = ["not", "good", "bad", "film", "plot", "best"]
    for length, count in ((4, 2), (7, 3), (9, 5)):
        worth = {word: random.uniform(-1.5, 2) for word in vocabulary}
        words = random.choices(vocabulary, k=length)
        weights = torch.softmax(torch.randn(length), dim=0)
        weights[length // 2] = weights[0]
        orders = torch.stack([torch.randperm(length) for _ in range(count)])
        yield case(words, weights, orders, _Verdict(worth))


def _fallen(words, order, probability):
    """The texts that are left, one for each k, and their falls."""
    texts = [["<unk>" if i in order[:k] else w for i, w in enumerate(words)] for k in _steps(words)]
    return torch.tensor([probability(words) - probability(text) for text in texts])


def _steps(words):
    return range(len(words) + 1)


def _heaviest(weights):
    return weights.argsort(descending=True, stable=True)


def _compared(words, weights, orders, probability, falls=_fallen, rank=_heaviest):
    """A solution with another curve or another ranking."""
    own = falls(words, rank(weights).tolist(), probability)
    chance = torch.stack([falls(words, o, probability) for o in orders.tolist()]).mean(dim=0)
    return own, chance, (own - chance).mean().item()


@beyond_chance.mistake("the heaviest word goes first: `descending=True`")
def lightest_first(words, weights, orders, probability):
    rank = lambda w: w.argsort(stable=True)  # noqa: E731
    return _compared(words, weights, orders, probability, rank=rank)


@beyond_chance.mistake("of equal weights, the earlier word goes first: `stable=True` keeps them so")
def later_of_equals(words, weights, orders, probability):
    rank = lambda w: w.argsort(stable=True).flip(0)  # noqa: E731
    return _compared(words, weights, orders, probability, rank=rank)


@beyond_chance.mistake("`argsort` gives the places in their order; twice, it gives ranks of places")
def ranks_taken_for_places(words, weights, orders, probability):
    rank = lambda w: _heaviest(w).argsort()  # noqa: E731
    return _compared(words, weights, orders, probability, rank=rank)


@beyond_chance.mistake('put "<unk>" in the place: a word that is left out makes new neighbours')
def left_out(words, weights, orders, probability):
    def falls(words, order, probability):
        texts = [[w for i, w in enumerate(words) if i not in order[:k]] for k in _steps(words)]
        return torch.tensor([probability(words) - probability(text) for text in texts])

    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("erase places, not words: the same word may occur twice")
def every_occurrence(words, weights, orders, probability):
    def falls(words, order, probability):
        gone = [{words[i] for i in order[:k]} for k in _steps(words)]
        texts = [["<unk>" if w in erased else w for w in words] for erased in gone]
        return torch.tensor([probability(words) - probability(text) for text in texts])

    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("what is erased stays erased: after k steps, k words are missing")
def one_word_at_a_time(words, weights, orders, probability):
    def falls(words, order, probability):
        texts = [["<unk>" if i == j else w for i, w in enumerate(words)] for j in [-1, *order]]
        return torch.tensor([probability(words) - probability(text) for text in texts])

    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("erase the first k words: keeping them and erasing the rest is sufficiency")
def kept_instead_of_erased(words, weights, orders, probability):
    def falls(words, order, probability):
        texts = [
            ["<unk>" if i in order[k:] else w for i, w in enumerate(words)] for k in _steps(words)
        ]
        return torch.tensor([probability(words) - probability(text) for text in texts])

    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake(
    "a curve holds how far the probability has fallen, not the probability itself"
)
def probabilities_kept(words, weights, orders, probability):
    falls = lambda w, o, p: p(w) - _fallen(w, o, p)  # noqa: E731
    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("a fall is positive: before minus after")
def rise_for_fall(words, weights, orders, probability):
    falls = lambda w, o, p: -_fallen(w, o, p)  # noqa: E731
    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("the fall is measured from the whole text, not from one step to the next")
def step_by_step(words, weights, orders, probability):
    falls = lambda w, o, p: _fallen(w, o, p).diff(prepend=torch.zeros(1))  # noqa: E731
    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("where the probability rises, the fall is negative: keep the sign")
def rises_cut(words, weights, orders, probability):
    falls = lambda w, o, p: _fallen(w, o, p).clamp_min(0)  # noqa: E731
    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("the curves begin with k = 0, where nothing is erased: T + 1 values")
def without_the_start(words, weights, orders, probability):
    falls = lambda w, o, p: _fallen(w, o, p)[1:]  # noqa: E731
    return _compared(words, weights, orders, probability, falls)


@beyond_chance.mistake("chance is the mean over all the orders, not the first of them")
def first_order_only(words, weights, orders, probability):
    return _compared(words, weights, orders[:1], probability)


@beyond_chance.mistake(
    "a row of `orders` lists places, the first to go first; it is not sorted again"
)
def orders_read_as_ranks(words, weights, orders, probability):
    return _compared(words, weights, orders.argsort(dim=1), probability)


@beyond_chance.mistake("the gain has a sign: below 0, the weights do worse than chance")
def gap_without_a_sign(words, weights, orders, probability):
    own, chance, _ = _compared(words, weights, orders, probability)
    return own, chance, (own - chance).abs().mean().item()


@beyond_chance.mistake("the gain is the mean over all T + 1 values of k: this is their sum")
def gap_summed(words, weights, orders, probability):
    own, chance, _ = _compared(words, weights, orders, probability)
    return own, chance, (own - chance).sum().item()


@beyond_chance.mistake("the gain is a mean over k, not the largest gap")
def largest_gain(words, weights, orders, probability):
    own, chance, _ = _compared(words, weights, orders, probability)
    return own, chance, (own - chance).max().item()


@beyond_chance.mistake("the curves are lists here: return them as tensors")
def curves_as_lists(words, weights, orders, probability):
    own, chance, gain = _compared(words, weights, orders, probability)
    return own.tolist(), chance.tolist(), gain
