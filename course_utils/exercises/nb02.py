"""Exercises of notebook 02: softmax backwards, scale, attending to nothing and in portions."""

import math

import torch

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise


@exercise(
    "02.1",
    "Softmax, backwards",
    r"""
    The Jacobian of the softmax is $\operatorname{diag}(\alpha) - \alpha\alpha^\top$. For a memory
    of 10,000 slots that is a matrix of 100 million numbers, and nobody ever builds it. What a
    backward pass needs is only its product with the incoming gradient
    $g = \partial L / \partial \alpha$:

    $$\frac{\partial L}{\partial e}
      = \big(\operatorname{diag}(\alpha) - \alpha\alpha^\top\big)\, g$$

    Multiply it out on paper. Then write `softmax_backward(weights, upstream)` without any
    $T \times T$ matrix.

    - `weights`, the $\alpha$, and `upstream`, the $g$, have the same shape. The **last** dimension
      runs over the slots; there may be any dimensions before it (batch, heads, queries).
    - Return $\partial L / \partial e$, of that shape.
    """,
)
def softmax_backward(weights, upstream):
    """Gradient for the scores, from softmax weights (..., T) and their gradient (..., T)."""
    mean = (weights * upstream).sum(dim=-1, keepdim=True)  # the average of g under α
    return weights * (upstream - mean)


@softmax_backward.cases
def _():
    half = torch.tensor([0.5, 0.5])
    yield case(half, torch.tensor([1.0, 0.0]), expected=torch.tensor([0.25, -0.25]))
    yield case(
        torch.tensor([0.2, 0.3, 0.5]),
        torch.tensor([1.0, 0.0, 0.0]),
        expected=torch.tensor([0.16, -0.06, -0.10]),
        label="only the first weight matters to the loss",
    )
    yield case(half, torch.tensor([3.0, 3.0]), expected=torch.zeros(2), label="g is constant")
    yield case(
        torch.tensor([0.0, 1.0, 0.0]),
        torch.tensor([5.0, 1.0, 2.0]),
        expected=torch.zeros(3),
        label="all weight on one slot",
    )
    for shape in ((3, 5), (2, 3, 4)):
        yield case(torch.randn(shape).softmax(-1), torch.randn(shape), label="several rows")


@softmax_backward.mistake(
    "this is only the diagonal: raising one score also takes weight from all other slots, which"
    " is the term −ααᵀg"
)
def only_the_diagonal(weights, upstream):
    return weights * (1 - weights) * upstream


@softmax_backward.mistake(
    "diag(α)g is there, but −ααᵀg is missing: subtract the average of g under α"
)
def without_the_mean(weights, upstream):
    return weights * upstream


@softmax_backward.mistake(
    "αᵀg is an average weighted by α, the sum of α_i g_i; a plain mean gives every slot the same"
    " weight"
)
def plain_mean(weights, upstream):
    return weights * (upstream - upstream.mean(dim=-1, keepdim=True))


@softmax_backward.mistake(
    "the sum runs over the slots of one row only, sum(dim=-1, keepdim=True): rows do not mix"
)
def sum_over_everything(weights, upstream):
    return weights * (upstream - (weights * upstream).sum())


@softmax_backward.mistake(
    "the second term has a factor α of its own: αᵀg is a number, and α times that number is"
    " subtracted"
)
def mean_not_weighted(weights, upstream):
    return weights * upstream - (weights * upstream).sum(dim=-1, keepdim=True)


@softmax_backward.mistake(
    "look at the slot with the larger g: the loss grows with its score, so its gradient is"
    " positive; your sign is reversed"
)
def sign_reversed(weights, upstream):
    return -softmax_backward.solution(weights, upstream)


@exercise(
    "02.2",
    "Another scale for other vectors",
    r"""
    $1/\sqrt{D}$ belongs to entries of variance 1. Suppose that the entries of the queries are
    independent with mean 0 and standard deviation `query_std`, those of the keys with `key_std`. By
    which factor must $q^\top k$ be multiplied to have variance 1?

    Go through the argument of section 4 with these numbers, then write
    `score_scale(query_std, key_std, width)`. Return the factor, a float.
    """,
)
def score_scale(query_std, key_std, width):
    """Factor that gives q·k unit variance; q and k have `width` independent entries of mean 0."""
    # Var(q·k) = width · query_std² · key_std²; the factor is one over its root.
    return 1 / (query_std * key_std * math.sqrt(width))


@score_scale.cases
def _():
    yield case(1.0, 1.0, 64, expected=0.125, label="the scale of Vaswani et al.")
    yield case(1.0, 1.0, 1, expected=1.0, label="width 1")
    yield case(2.0, 1.0, 64, expected=0.0625, label="queries twice as long")
    yield case(1.0, 2.0, 64, expected=0.0625, label="keys twice as long")
    yield case(0.5, 0.2, 16, expected=2.5, label="short vectors need a factor above 1")
    yield case(3.0, 0.5, 100, expected=1 / 15)


@score_scale.check
def _(answer):
    queries, keys = 3 * torch.randn(2000, 50), 0.7 * torch.randn(2000, 50)
    measured = (answer(3.0, 0.7, 50) * (queries * keys).sum(1)).var().item()
    if difference(1.0, measured, rtol=0.2):
        raise CheckFailed("the variance of the scores is not 1", got=measured, expected=1.0)


@score_scale.mistake(
    "1/√D is right only if both standard deviations are 1: where do query_std and key_std enter?"
)
def deviations_ignored(query_std, key_std, width):
    return 1 / math.sqrt(width)


@score_scale.mistake(
    "this divides by the variance of q·k: divide by its square root, the standard deviation"
)
def root_forgotten(query_std, key_std, width):
    return 1 / (query_std**2 * key_std**2 * width)


@score_scale.mistake(
    "the width goes under the root: the variance of q·k grows as D, its standard deviation as √D"
)
def width_without_root(query_std, key_std, width):
    return 1 / (query_std * key_std * width)


@score_scale.mistake(
    "the variance of one product is query_std² · key_std²; the root of that is query_std ·"
    " key_std, so these two do not go under the root with the width"
)
def deviations_under_the_root(query_std, key_std, width):
    return 1 / math.sqrt(query_std * key_std * width)


@score_scale.mistake(
    "this is the standard deviation of q·k; the factor that scales it to 1 is its reciprocal"
)
def upside_down(query_std, key_std, width):
    return query_std * key_std * math.sqrt(width)


@score_scale.mistake(
    "q and k are multiplied, not added: the variance of a product of independent numbers of mean 0"
    " is the product of their variances"
)
def variances_added(query_std, key_std, width):
    return 1 / math.sqrt((query_std**2 + key_std**2) / 2 * width)


@exercise(
    "02.3",
    "A softmax that may say nothing",
    r"""
    Give the memory an invisible extra slot with score 0 and value zero. It takes part in the
    softmax, but its weight is not returned:

    $$\alpha_i = \frac{\exp e_i}{1 + \sum_j \exp e_j}$$

    When all scores are very negative, all weights go to zero: nothing is read.

    Write `softmax_or_nothing(scores)`, over the last dimension, any dimensions before it. Return
    weights of the shape of `scores`. It has to survive scores of 1000 as well as −1000: take care
    of $\exp$, and of the 1.
    """,
)
def softmax_or_nothing(scores):
    """Softmax with an invisible slot of score 0: scores (..., T) to weights (..., T)."""
    largest = scores.max(dim=-1, keepdim=True).values.clamp(min=0)  # the invisible slot counts too
    numerators = (scores - largest).exp()
    return numerators / ((-largest).exp() + numerators.sum(dim=-1, keepdim=True))


@softmax_or_nothing.cases
def _():
    yield case(torch.tensor([0.0]), expected=torch.tensor([0.5]), label="one slot against nothing")
    yield case(torch.zeros(3), expected=torch.full((3,), 0.25), label="three equal scores of 0")
    yield case(
        torch.tensor([math.log(2.0), math.log(5.0)]),
        expected=torch.tensor([0.25, 0.625]),
        label="exp gives 2 and 5",
    )
    yield case(torch.tensor([-1000.0, -1001.0]), expected=torch.zeros(2), label="nothing fits")
    yield case(torch.tensor([1000.0, 999.0]), expected=torch.tensor([0.7310586, 0.2689414]))
    yield case(torch.tensor([1000.0, 0.0]), expected=torch.tensor([1.0, 0.0]))
    for shape in ((2, 4), (3, 2, 5)):
        yield case(2 * torch.randn(shape), label="several rows")


@softmax_or_nothing.mistake(
    "these weights sum to 1, as in any softmax: the invisible slot is missing in the denominator"
)
def plain_softmax(scores):
    return scores.softmax(dim=-1)


@softmax_or_nothing.mistake(
    "exp(1000) is infinite, and ∞/∞ is NaN: subtract the largest score first, also from the 0 of"
    " the invisible slot"
)
def overflow(scores):
    return scores.exp() / (1 + scores.exp().sum(dim=-1, keepdim=True))


@softmax_or_nothing.mistake(
    "after subtracting the largest score m, the invisible slot is no longer exp(0) = 1 but exp(−m)"
)
def one_not_shifted(scores):
    numerators = (scores - scores.max(dim=-1, keepdim=True).values).exp()
    return numerators / (1 + numerators.sum(dim=-1, keepdim=True))


@softmax_or_nothing.mistake(
    "the invisible slot takes part, but its weight is not returned: T weights for T scores"
)
def invisible_slot_returned(scores):
    return torch.cat([scores, torch.zeros_like(scores[..., :1])], dim=-1).softmax(dim=-1)


@softmax_or_nothing.mistake(
    "each slot has its own 1 in the denominator: add 1 only once, to the sum over all slots"
)
def one_for_each_slot(scores):
    return scores.sigmoid()


@softmax_or_nothing.mistake(
    "each row has its own sum and its own largest score: work along dim=-1 and keep the dimension"
)
def rows_mixed(scores):
    largest = scores.max().clamp(min=0)
    numerators = (scores - largest).exp()
    return numerators / ((-largest).exp() + numerators.sum())


@exercise(
    "02.4",
    "Attention in small portions",
    r"""
    The trick behind fast attention on long inputs
    ([Milakov and Gimelshein 2018](REFERENCES.md#milakov2018),
    [Dao et al. 2022](REFERENCES.md#dao2022)): never hold all scores at once. Read the memory in
    portions and keep only three things about what you have seen so far:

    - $m$, the largest score,
    - $z = \sum_i \exp(e_i - m)$,
    - $u = \sum_i \exp(e_i - m)\, v_i$.

    The read vector is $u / z$ at the end. When a portion raises the largest score from $m$ to $m'$,
    the old $z$ and $u$ were measured with the wrong $m$: multiply both by $\exp(m - m')$.

    Write `attend_in_portions(query, keys, values, size)` with scaled dot scores.

    - `query` (D), `keys` (T, D), `values` (T, Dv); `size` keys at a time, the last portion may be
      smaller.
    - Return the read vector (Dv). It must agree with ordinary attention, also for scores of 1000.
    """,
)
def attend_in_portions(query, keys, values, size):
    """Scaled dot attention of one query (D) over keys (T, D), values (T, Dv), `size` at a time."""
    largest, total, read = -math.inf, 0.0, torch.zeros(values.shape[1])
    for some_keys, some_values in zip(keys.split(size), values.split(size), strict=True):
        scores = some_keys @ query / math.sqrt(len(query))
        new_largest = max(largest, scores.max().item())
        shrink = math.exp(largest - new_largest)  # exp(-inf) = 0 for the first portion
        numerators = (scores - new_largest).exp()
        total = total * shrink + numerators.sum()
        read = read * shrink + numerators @ some_values
        largest = new_largest
    return read / total


@attend_in_portions.cases
def _():
    third = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0]])
    yield case(
        torch.zeros(4),
        torch.ones(3, 4),
        third,
        1,
        expected=torch.tensor([1.0, 1.0]),
        label="equal weights: the mean of the values",
    )
    yield case(
        torch.zeros(4),
        torch.ones(3, 4),
        third,
        2,
        expected=torch.tensor([1.0, 1.0]),
        label="the last portion is smaller",
    )
    yield case(
        torch.tensor([2.0, 0.0, 0.0, 0.0]),
        torch.tensor([[0.0, 0, 0, 0], [math.log(3.0), 0, 0, 0]]),
        torch.tensor([[0.0], [4.0]]),
        1,
        expected=torch.tensor([3.0]),
        label="the second key fits better: weights 1/4 and 3/4",
    )
    yield case(
        torch.tensor([1000.0]),
        torch.tensor([[1.0], [0.0], [1.0]]),
        torch.tensor([[2.0], [9.0], [4.0]]),
        2,
        expected=torch.tensor([3.0]),
        label="scores of 1000",
    )
    for length, width, size in ((7, 3, 2), (12, 5, 5), (6, 4, 10)):
        query, keys = 2 * torch.randn(width), torch.randn(length, width)
        yield case(query, keys, torch.randn(length, 2), size)


def _portions(query, keys, values, size):
    for some_keys, some_values in zip(keys.split(size), values.split(size), strict=True):
        yield some_keys @ query / math.sqrt(len(query)), some_values


@attend_in_portions.mistake(
    "a mean over the portions gives each of them the same weight; a portion with high scores must"
    " count for more, so keep sums and divide once, at the end"
)
def mean_of_portions(query, keys, values, size):
    parts = [scores.softmax(0) @ some for scores, some in _portions(query, keys, values, size)]
    return torch.stack(parts).mean(dim=0)


@attend_in_portions.mistake(
    "when the largest score changes, the sums so far still refer to the old one: multiply z and u"
    " by exp(m − m')"
)
def not_rescaled(query, keys, values, size):
    largest, total, read = -math.inf, 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        largest = max(largest, scores.max().item())
        numerators = (scores - largest).exp()
        total, read = total + numerators.sum(), read + numerators @ some
    return read / total


@attend_in_portions.mistake(
    "u was rescaled, z was not: both are sums of exp(e_i − m), so multiply both by exp(m − m')"
)
def only_one_sum_rescaled(query, keys, values, size):
    largest, total, read = -math.inf, 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        new_largest = max(largest, scores.max().item())
        numerators = (scores - new_largest).exp()
        total = total + numerators.sum()
        read = read * math.exp(largest - new_largest) + numerators @ some
        largest = new_largest
    return read / total


@attend_in_portions.mistake(
    "exp(1000) is infinite: subtract the largest score seen so far before taking exp"
)
def overflow_in_portions(query, keys, values, size):
    total, read = 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        total, read = total + scores.exp().sum(), read + scores.exp() @ some
    return read / total


@attend_in_portions.mistake(
    "the last portion is missing when `size` does not divide the number of keys: count up to T, not"
    " to T // size"
)
def last_portion_forgotten(query, keys, values, size):
    full = max(len(keys) // size, 1) * size
    return attend_in_portions.solution(query, keys[:full], values[:full], size)


@attend_in_portions.mistake(
    "the scale is missing: divide q·k by √D, where D is the width of the query"
)
def without_scale(query, keys, values, size):
    return attend_in_portions.solution(query * math.sqrt(len(query)), keys, values, size)
