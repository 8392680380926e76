"""Exercises of notebook 06, text classification: pooling, questions, reading from the right."""

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
