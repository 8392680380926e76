"""Exercises of notebook 02: softmax backwards, scale, nothing, portions, heads, gradients."""

import math
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise


class _Held(TorchDispatchMode):
    """The most numbers that computed tensors hold at once; views of the inputs do not count."""

    def __init__(self, inputs: tuple[Any, ...]):
        super().__init__()
        self.given = {x.untyped_storage().data_ptr() for x in inputs if torch.is_tensor(x)}
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if torch.is_tensor(tensor):
                storage = tensor.untyped_storage()
                size = storage.nbytes() // tensor.element_size()
                if storage.data_ptr() not in self.given:
                    self.alive[storage.data_ptr()] = (StorageWeakRef(storage), size)
        self.alive = {key: one for key, one in self.alive.items() if not one[0].expired()}
        self.most = max(self.most, sum(size for _, size in self.alive.values()))
        return result


def _most_held(answer: Callable[..., Any], *inputs: Any) -> int:
    """How many numbers the tensors hold at once that the answer computes on its way.

    answer: as a free check gets it; its own function is called, without copies of the inputs.
    """
    with _Held(inputs) as held:
        getattr(answer, "answer", answer)(*inputs)
    return held.most


def _most_outside(answer: Callable[..., Any], *inputs: Any) -> int:
    """How many numbers of four bytes NumPy and Python hold at once while the answer runs."""
    already = tracemalloc.is_tracing()
    tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        getattr(answer, "answer", answer)(*inputs)
        return (tracemalloc.get_traced_memory()[1] - before) // 4
    finally:
        if not already:
            tracemalloc.stop()


class _Backwards(TorchDispatchMode):
    """Whether autograd has run the backward pass of an operation, `torch.func` included."""

    found = False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.found |= "backward" in str(function)
        return function(*args, **(kwargs or {}))


@exercise(
    "02.1",
    "Softmax, backwards",
    r"""
    The Jacobian of the softmax is $\operatorname{diag}(\alpha) - \alpha\alpha^\top$. For a memory
    of 10,000 slots that is a matrix of 100 million numbers, and it is never built. A backward pass
    needs only its product with the incoming gradient
    $g = \partial L / \partial \alpha$:

    $$\frac{\partial L}{\partial e}
      = \big(\operatorname{diag}(\alpha) - \alpha\alpha^\top\big)\, g$$

    Multiply it out on paper. Then write `softmax_backward(weights, upstream)` without any
    $T \times T$ matrix.

    - `weights`, the $\alpha$, and `upstream`, the $g$, have the same shape. The **last** dimension
      runs over the slots; there may be any dimensions before it (batch, heads, queries).
    - Return $\partial L / \partial e$, of that shape.
    """,
    minutes=15,
    kind="derive",
)
def softmax_backward(weights, upstream):
    """Gradient for the scores, from softmax weights (..., T) and their gradient (..., T)."""
    mean = (weights * upstream).sum(dim=-1, keepdim=True)  # the average of g under α
    return weights * (upstream - mean)


@softmax_backward.cases
def _():
    half = torch.tensor([0.5, 0.5])
    yield case(
        half,
        torch.tensor([1.0, 0.0]),
        expected=torch.tensor([0.25, -0.25]),
        hint="αᵀg is ½ here: the first slot gets ½ · (1 − ½), the second ½ · (0 − ½)",
    )
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
    yield case(
        torch.tensor([[0.5, 0.5], [0.25, 0.75]]),
        torch.tensor([[1e4, 1e4], [0.0, 4.0]]),
        expected=torch.tensor([[0.0, 0.0], [-0.75, 0.75]]),
        label="a very large gradient in another row",
    )
    for shape in ((3, 5), (4, 4), (2, 3, 4)):
        yield case(torch.randn(shape).softmax(-1), torch.randn(shape), label="several rows")


@softmax_backward.check
def _(answer):
    length = 1009
    inputs = torch.randn(length).softmax(-1), torch.randn(length)
    held = _most_held(answer, *inputs)
    outside = 0 if held > 100 * length else _most_outside(answer, *inputs)
    if max(held, outside) > 100 * length:
        raise CheckFailed(
            "more numbers are held at once than the task allows",
            input="1,009 slots",
            expected=length,
            got=max(held, outside),
            hint="the result is right, but a T × T matrix was built: αᵀg is one number for each"
            " row, and α times that number is all that the second term needs",
        )


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


@softmax_backward.mistake(
    "the gradient of softmax is needed here, not softmax itself: `weights` are already the α"
)
def softmax_again(weights, upstream):
    again = weights.softmax(dim=-1)
    return again * (upstream - (again * upstream).sum(dim=-1, keepdim=True))


@softmax_backward.mistake(
    "the slots are in the last dimension: sum over dim=-1, whatever dimensions come before it"
)
def summed_over_the_first(weights, upstream):
    return weights * (upstream - (weights * upstream).sum(dim=0, keepdim=True))


@softmax_backward.mistake(
    "the sum over the last dimension has lost that dimension, and the subtraction pairs the wrong"
    " rows: keepdim=True"
)
def dimension_lost(weights, upstream):
    return weights * (upstream - (weights * upstream).sum(dim=-1))


@softmax_backward.mistake(
    "the incoming gradient does not occur in your result: multiply the Jacobian by g"
)
def upstream_ignored(weights, upstream):
    return weights * (1 - weights)


@softmax_backward.mistake("return a tensor of the shape of `weights`, not a list")
def list_of_gradients(weights, upstream):
    return softmax_backward.solution(weights, upstream).tolist()


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
    minutes=10,
    kind="derive",
)
def score_scale(query_std, key_std, width):
    """Factor that gives q·k unit variance; q and k have `width` independent entries of mean 0."""
    # Var(q·k) = width · query_std² · key_std²; the factor is one over its root.
    return 1 / (query_std * key_std * math.sqrt(width))


@score_scale.cases
def _():
    yield case(
        1.0,
        1.0,
        64,
        expected=0.125,
        label="the scale of Vaswani et al.",
        hint="for standard deviations of 1 the factor is 1/√64 = 0.125, not rounded",
    )
    yield case(1.0, 1.0, 1, expected=1.0, label="width 1")
    yield case(
        2.0,
        1.0,
        64,
        expected=0.0625,
        label="queries twice as long",
        hint="queries twice as long make q·k twice as large, so the factor is half of what it was",
    )
    yield case(1.0, 2.0, 64, expected=0.0625, label="keys twice as long")
    yield case(0.5, 0.2, 16, expected=2.5, label="short vectors need a factor above 1")
    yield case(3.0, 0.5, 100, expected=1 / 15)
    yield case(
        1.0,
        0.5,
        50,
        expected=math.sqrt(2) / 5,
        label="√50 is not whole",
        hint="√50 is 7.0711: do not round the root",
    )
    yield case(1e-3, 1.0, 10_000, expected=10.0, label="very short queries, very wide")


@score_scale.hidden
def _():
    for width in (3, 48, 700):
        yield case(random.uniform(0.1, 4), random.uniform(0.1, 4), width, label="other numbers")


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


@score_scale.mistake(
    "the standard deviations multiply, they do not add: the variance of one product is query_std² ·"
    " key_std²"
)
def deviations_added(query_std, key_std, width):
    return 1 / ((query_std + key_std) * math.sqrt(width))


@score_scale.again
def mean_of_the_deviations(query_std, key_std, width):
    return 2 / ((query_std + key_std) * math.sqrt(width))


@score_scale.again
def deviations_added_under_the_root(query_std, key_std, width):
    return 1 / math.sqrt((query_std + key_std) * width)


@score_scale.again
def deviations_added_and_not_turned_over(query_std, key_std, width):
    return (query_std + key_std) * math.sqrt(width)


@score_scale.mistake("the keys have a standard deviation too: where does key_std enter?")
def keys_ignored(query_std, key_std, width):
    return 1 / (query_std * math.sqrt(width))


@score_scale.mistake("the queries have a standard deviation too: where does query_std enter?")
def queries_ignored(query_std, key_std, width):
    return 1 / (key_std * math.sqrt(width))


@score_scale.mistake(
    "the width is not used: each of its entries adds query_std² · key_std² to the variance of q·k"
)
def width_ignored(query_std, key_std, width):
    return 1 / (query_std * key_std)


@score_scale.mistake(
    "the factor may be any positive number: short vectors need one above 1, so do not cut it off"
)
def at_most_one(query_std, key_std, width):
    return min(1.0, 1 / (query_std * key_std * math.sqrt(width)))


@score_scale.mistake("return a float, without rounding and without integer division")
def rounded_to_a_percent(query_std, key_std, width):
    return round(1 / (query_std * key_std * math.sqrt(width)), 2)


@exercise(
    "02.3",
    "A softmax that may say nothing",
    r"""
    Give the memory an invisible extra slot with score 0 and value zero. It takes part in the
    softmax, but its weight is not returned:

    $$\alpha_i = \frac{\exp e_i}{1 + \sum_j \exp e_j}$$

    When all scores are very negative, all weights go to zero: nothing is read.

    Write `softmax_or_nothing(scores)`, over the last dimension, any dimensions before it. Return
    weights of the shape of `scores`. It has to survive scores of 1000, of −1000 and of −∞ (a masked
    slot), in any mixture of rows: take care of $\exp$, and of the 1.
    """,
    minutes=15,
    kind="implement",
)
def softmax_or_nothing(scores):
    """Softmax with an invisible slot of score 0: scores (..., T) to weights (..., T)."""
    largest = scores.max(dim=-1, keepdim=True).values.clamp(min=0)  # the invisible slot counts too
    numerators = (scores - largest).exp()
    return numerators / ((-largest).exp() + numerators.sum(dim=-1, keepdim=True))


@softmax_or_nothing.cases
def _():
    yield case(
        torch.tensor([0.0]),
        expected=torch.tensor([0.5]),
        label="one slot against nothing",
        hint="put numbers into the formula: exp(0) / (1 + exp(0)) is ½, with a 1 in the"
        " denominator",
    )
    yield case(torch.zeros(3), expected=torch.full((3,), 0.25), label="three equal scores of 0")
    yield case(
        torch.tensor([math.log(2.0), math.log(5.0)]),
        expected=torch.tensor([0.25, 0.625]),
        label="exp gives 2 and 5",
    )
    yield case(torch.tensor([-1000.0, -1001.0]), expected=torch.zeros(2), label="nothing fits")
    yield case(
        torch.tensor([1000.0, 999.0]),
        expected=torch.tensor([0.7310586, 0.2689414]),
        label="large scores",
        hint="exp(1000) is infinite: cutting scores off makes them equal, and replacing NaNs loses"
        " the weights; subtract the largest score first, also from the 0 of the invisible slot",
    )
    yield case(torch.tensor([1000.0, 0.0]), expected=torch.tensor([1.0, 0.0]))
    yield case(
        torch.tensor([[1000.0, 999.0], [-1.0, 0.0]]),
        expected=torch.tensor([[0.7310586, 0.2689414], [0.1553624, 0.4223188]]),
        label="a row of large scores beside a row of small ones",
    )
    yield case(
        torch.tensor([[-math.inf, -math.inf], [-math.inf, 0.0]]),
        expected=torch.tensor([[0.0, 0.0], [0.0, 0.5]]),
        atol=1e-30,
        hint="the weight of a masked slot is exactly 0: leave −∞ as it is, for exp(−∞) = 0",
        label="masked slots; in the first row, all of them",
    )
    for shape in ((2, 4), (3, 3), (3, 2, 5)):
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


@softmax_or_nothing.mistake(
    "one largest score was subtracted from all rows, so a row far below it becomes 0/0: each row"
    " needs its own, max(dim=-1, keepdim=True)"
)
def one_maximum_for_all(scores):
    largest = scores.max().clamp(min=0)
    numerators = (scores - largest).exp()
    return numerators / ((-largest).exp() + numerators.sum(dim=-1, keepdim=True))


@softmax_or_nothing.mistake(
    "the largest score of a fully masked row is −∞, and −∞ − (−∞) is NaN: the invisible slot, with"
    " score 0, belongs to the scores of which you take the largest"
)
def largest_without_the_invisible(scores):
    largest = scores.max(dim=-1, keepdim=True).values
    numerators = (scores - largest).exp()
    return numerators / ((-largest).exp() + numerators.sum(dim=-1, keepdim=True))


@softmax_or_nothing.mistake(
    "cutting off the scores makes 1000 and 999 equal: subtract the largest score instead"
)
def scores_cut_off(scores):
    exps = scores.clamp(-80, 80).exp()
    return exps / (1 + exps.sum(dim=-1, keepdim=True))


@softmax_or_nothing.mistake("softmax runs over the last dimension, not over the first")
def over_the_first_dimension(scores):
    with_nothing = torch.cat([scores, torch.zeros_like(scores[:1])], dim=0)
    return with_nothing.softmax(dim=0)[:-1]


@softmax_or_nothing.mistake(
    "the invisible slot has score 0, not a very low one: exp(0) = 1 is what stands in the"
    " denominator"
)
def invisible_slot_very_low(scores):
    lowest = torch.full_like(scores[..., :1], -1e4)
    return torch.cat([scores, lowest], dim=-1).softmax(dim=-1)[..., :-1]


@softmax_or_nothing.mistake(
    "all or nothing is too hard: the invisible slot takes a share of the weight, it does not switch"
    " the others off"
)
def all_or_nothing(scores):
    return scores.softmax(dim=-1) * (scores.max(dim=-1, keepdim=True).values > 0)


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
    minutes=25,
    kind="implement",
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
        hint="three portions of one key each, with equal scores: each of them adds 1 to z and its"
        " value to u",
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
        hint="the scores are 0 and ln 3: 2 · ln 3 divided by √4",
    )
    yield case(
        torch.tensor([1000.0]),
        torch.tensor([[1.0], [0.0], [1.0]]),
        torch.tensor([[2.0], [9.0], [4.0]]),
        2,
        expected=torch.tensor([3.0]),
        label="scores of 1000",
        hint="exp(1000) is infinite: take exp(e − m) only, where m is the largest score so far",
    )
    yield case(
        torch.tensor([1000.0]),
        torch.tensor([[1.0], [-1.0], [0.999]]),
        torch.tensor([[2.0], [9.0], [5.0]]),
        1,
        expected=torch.tensor([2.8068]),
        label="the largest score comes first, then one of −1000",
    )
    yield case(
        torch.tensor([1000.0]),
        torch.tensor([[-2.0], [-1.0]]),
        torch.tensor([[2.0], [9.0]]),
        1,
        expected=torch.tensor([9.0]),
        label="all scores are very small",
    )
    for length, width, size in ((7, 3, 2), (12, 5, 5), (6, 4, 10)):
        query, keys = 2 * torch.randn(width), torch.randn(length, width)
        yield case(query, keys, torch.randn(length, 2), size)


@attend_in_portions.check
def _(answer):
    for measure, length, size, most, label in (
        (_most_held, 401, 5, 100, "401 keys, 5 at a time"),
        (_most_outside, 50_000, 500, 35_000, "50,000 keys, 500 at a time"),
    ):
        inputs = torch.randn(3), torch.randn(length, 3), torch.randn(length, 2)
        held = measure(answer, *inputs, size)
        if held <= most:
            continue
        raise CheckFailed(
            "more numbers are held at once than the task allows",
            input=label,
            expected=size,
            got=held,
            hint="the result is right, but too much is held at once: compute the scores of `size`"
            " keys at a time, and keep only m, z and u",
        )


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


@attend_in_portions.mistake(
    "z was rescaled, u was not: both are sums of exp(e_i − m), so multiply both by exp(m − m')"
)
def only_the_other_sum_rescaled(query, keys, values, size):
    largest, total, read = -math.inf, 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        new_largest = max(largest, scores.max().item())
        numerators = (scores - new_largest).exp()
        total = total * math.exp(largest - new_largest) + numerators.sum()
        read = read + numerators @ some
        largest = new_largest
    return read / total


@attend_in_portions.mistake(
    "the largest score so far starts at −∞, not at 0: when all scores are very small, every exp"
    " underflows, and 0/0 is NaN"
)
def largest_starts_at_zero(query, keys, values, size):
    largest, total, read = 0.0, 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        new_largest = max(largest, scores.max().item())
        shrink = math.exp(largest - new_largest)
        numerators = (scores - new_largest).exp()
        total, read = total * shrink + numerators.sum(), read * shrink + numerators @ some
        largest = new_largest
    return read / total


@attend_in_portions.mistake(
    "m is the largest score of all portions so far, not of this portion alone: after a drop,"
    " exp(m − m') overflows"
)
def largest_of_this_portion(query, keys, values, size):
    largest, total, read = -math.inf, 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        new_largest = scores.max().item()
        shrink = float(torch.tensor(largest - new_largest).exp())
        numerators = (scores - new_largest).exp()
        total, read = total * shrink + numerators.sum(), read * shrink + numerators @ some
        largest = new_largest
    return read / total


@attend_in_portions.mistake(
    "the factor is upside down: the old sums shrink when the largest score grows, exp(m − m')"
)
def factor_upside_down(query, keys, values, size):
    largest, total, read = -math.inf, 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        new_largest = max(largest, scores.max().item())
        grow = float(torch.tensor(new_largest - largest).exp()) if largest > -math.inf else 0.0
        numerators = (scores - new_largest).exp()
        total, read = total * grow + numerators.sum(), read * grow + numerators @ some
        largest = new_largest
    return read / total


def _in_order(query, keys, values, size, factor, *, after=False):
    """The sums, multiplied by factor(m, m') before or after a portion is added."""
    largest, total, read = -math.inf, 0.0, torch.zeros(values.shape[1])
    for scores, some in _portions(query, keys, values, size):
        new_largest = max(largest, scores.max().item())
        change = factor(largest, new_largest)
        numerators = (scores - new_largest).exp()
        if after:
            total, read = (total + numerators.sum()) * change, (read + numerators @ some) * change
        else:
            total, read = total * change + numerators.sum(), read * change + numerators @ some
        largest = new_largest
    return read / total


def _exp(x):
    return float(torch.tensor(x).exp())  # ∞, where math.exp raises an exception


@attend_in_portions.mistake(
    "multiply the old z and u by exp(m − m') before you add the new portion; exp(m' − m) is ∞ at"
    " the start"
)
def factor_infinite_at_the_start(*given):
    return _in_order(*given, lambda old, new: _exp(new - old))


@attend_in_portions.again
def factor_infinite_with_math(*given):
    return _in_order(*given, lambda old, new: math.exp(new - old))


@attend_in_portions.again
def rescaled_after_adding(*given):
    return _in_order(*given, lambda old, new: _exp(old - new), after=True)


@attend_in_portions.again
def rescaled_after_adding_but_not_at_the_start(*given):
    return _in_order(
        *given, lambda old, new: _exp(old - new) if old > -math.inf else 1.0, after=True
    )


@attend_in_portions.again
def rescaled_after_adding_by_the_infinite_factor(*given):
    return _in_order(*given, lambda old, new: _exp(new - old), after=True)


@attend_in_portions.again
def rescaled_after_adding_by_the_infinite_factor_with_math(*given):
    return _in_order(*given, lambda old, new: math.exp(new - old), after=True)


@attend_in_portions.mistake(
    "only the last portion counts in your result: add to z and u, do not replace them"
)
def last_portion_only(query, keys, values, size):
    *_, (scores, some) = _portions(query, keys, values, size)
    return scores.softmax(0) @ some


@attend_in_portions.mistake("u is not the average yet: divide by z, once, at the end")
def not_divided(query, keys, values, size):
    scores = keys @ query / math.sqrt(len(query))
    return (scores - scores.max()).exp() @ values


@exercise(
    "02.5",
    "Heads, without a loop",
    r"""
    Several heads are one attention on slices of the width. Cut each vector of width $D$ into $H$
    parts of $D/H$ neighbouring numbers; head $h$ gets the $h$-th part of every query, key and
    value.

    Write `attend_in_heads(queries, keys, values, heads)`: queries (Tq, D), keys (Tk, D), values
    (Tk, D), where `heads` divides $D$. There are no maps before or after.

    1. Split: (T, D) becomes (H, T, D/H).
    2. Each head scores with its own scaled dot product. What does it divide by?
    3. Each head weighs and sums by itself.
    4. Put the results side by side: head 0 first, (Tq, D).

    **Predict first:** with as many heads as numbers, $H = D$, how wide is a head?

    `reshape` cuts the numbers in the order in which they lie in memory. Which one may you reshape
    to, and which dimensions have to be exchanged afterwards?
    """,
    prediction="one number: each head has the width D/H = 1",
    minutes=15,
    kind="implement",
)
def attend_in_heads(queries, keys, values, heads):
    """Scaled dot attention in several heads, each on its own part of the width.

    queries: (Tq, D). keys, values: (Tk, D). heads: a divisor of D. Returns (Tq, D).
    """

    def split(x):
        return x.reshape(len(x), heads, -1).transpose(0, 1)  # (H, T, D/H); H = D: width 1

    q, k, v = split(queries), split(keys), split(values)
    weights = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(dim=-1)  # (H, Tq, Tk)
    return (weights @ v).transpose(0, 1).reshape(len(queries), -1)


@attend_in_heads.cases
def _():
    ln3 = math.log(3.0)
    yield case(
        torch.tensor([[1.0, 1.0]]),
        torch.tensor([[ln3, 0.0], [0.0, ln3]]),
        torch.tensor([[4.0, 8.0], [0.0, 0.0]]),
        2,
        expected=torch.tensor([[3.0, 2.0]]),
        label="two heads of width 1 with weights ¾, ¼ and ¼, ¾",
        hint="head 0 sees only the first number of each vector and head 1 only the second, in"
        " queries, keys and values",
    )
    yield case(
        torch.tensor([[2.0, 0.0, 0.0, 0.0]]),
        torch.tensor([[ln3, 0.0, 5.0, 0.0], [0.0, 0.0, 1.0, 0.0]]),
        torch.tensor([[4.0, 0.0, 2.0, 6.0], [0.0, 8.0, 4.0, 0.0]]),
        1,
        expected=torch.tensor([[3.0, 2.0, 2.5, 4.5]]),
        label="one head: ordinary scaled dot attention",
    )
    yield case(
        torch.tensor([[math.sqrt(2.0), 0.0, 0.0, 0.0]]),
        torch.tensor([[ln3, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
        torch.tensor([[4.0, 8.0, 2.0, 6.0], [0.0, 0.0, 4.0, 0.0]]),
        2,
        expected=torch.tensor([[3.0, 6.0, 3.0, 3.0]]),
        label="two heads of width 2: head 0 has the weights ¾, ¼, head 1 twice ½",
        hint="head h gets neighbouring numbers, x[:, h·D/H : (h+1)·D/H], and head 0 comes first in"
        " the answer",
    )
    yield case(
        torch.tensor([[1000.0, 1000.0], [-1000.0, 0.0]]),
        torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        torch.tensor([[4.0, 8.0], [2.0, 6.0]]),
        2,
        expected=torch.tensor([[4.0, 6.0], [2.0, 7.0]]),
        label="scores of 1000",
    )
    for asked, slots, width, heads in ((3, 5, 6, 2), (2, 7, 6, 3), (4, 4, 4, 2), (5, 3, 8, 4)):
        yield case(*(2 * torch.randn(n, width) for n in (asked, slots, slots)), heads)


def _in_heads(queries, keys, values, heads, split, scale):
    q, k, v = (split(x, heads) for x in (queries, keys, values))
    weights = (q @ k.transpose(1, 2) * scale(queries.shape[1], heads)).softmax(dim=-1)
    return weights @ v


def _split(x, heads):
    return x.reshape(len(x), heads, -1).transpose(0, 1)


def _joined(parts):
    return parts.transpose(0, 1).reshape(parts.shape[1], -1)


def _root(width, heads):
    return (width / heads) ** -0.5


@attend_in_heads.mistake(
    "reshaping (T, D) to (H, T, D/H) mixes the words: reshape to (T, H, D/H) first, then exchange"
    " the first two dimensions"
)
def words_mixed(queries, keys, values, heads):
    parts = _in_heads(queries, keys, values, heads, lambda x, h: x.reshape(h, len(x), -1), _root)
    return _joined(parts)


@attend_in_heads.mistake(
    "on the way back the words are mixed: exchange the first two dimensions again before you"
    " reshape to (Tq, D)"
)
def mixed_on_the_way_back(queries, keys, values, heads):
    return _in_heads(queries, keys, values, heads, _split, _root).reshape(queries.shape)


@attend_in_heads.mistake(
    "both reshapes mix the words: go by (T, H, D/H) on the way in and on the way back"
)
def mixed_both_ways(queries, keys, values, heads):
    return _in_heads(
        queries, keys, values, heads, lambda x, h: x.reshape(h, len(x), -1), _root
    ).reshape(queries.shape)


def _not_exchanged(queries, keys, values, heads, join):
    def split(x, h):
        return x.reshape(len(x), h, -1)

    return join(_in_heads(queries, keys, values, heads, split, _root), queries)


@attend_in_heads.mistake(
    "the product compares heads with heads at each word: exchange the first two dimensions, to"
    " (H, T, D/H)"
)
def not_exchanged(queries, keys, values, heads):
    return _not_exchanged(queries, keys, values, heads, lambda x, q: x.reshape(len(q), -1))


@attend_in_heads.again
def not_exchanged_but_flattened(queries, keys, values, heads):
    return _not_exchanged(queries, keys, values, heads, lambda x, q: x.flatten(1))


@attend_in_heads.again
def not_exchanged_but_reshaped(queries, keys, values, heads):
    return _not_exchanged(queries, keys, values, heads, lambda x, q: x.reshape(q.shape))


@attend_in_heads.again
def exchanged_on_the_way_back_alone(queries, keys, values, heads):
    return _not_exchanged(
        queries, keys, values, heads, lambda x, q: x.transpose(0, 1).reshape(len(q), -1)
    )


@attend_in_heads.again
def exchanged_on_the_way_back_alone_and_reshaped(queries, keys, values, heads):
    return _not_exchanged(
        queries, keys, values, heads, lambda x, q: x.transpose(0, 1).reshape(q.shape)
    )


@attend_in_heads.again
def exchanged_on_the_way_back_alone_and_flattened(queries, keys, values, heads):
    return _not_exchanged(queries, keys, values, heads, lambda x, q: x.transpose(0, 1).flatten(1))


@attend_in_heads.mistake(
    "a head compares vectors of width D/H, so it divides by √(D/H); √D belongs to the whole width"
)
def divided_by_the_whole_width(queries, keys, values, heads):
    return _joined(_in_heads(queries, keys, values, heads, _split, lambda width, _: width**-0.5))


@attend_in_heads.mistake("the scale is missing: divide the scores of a head by √(D/H)")
def no_scale(queries, keys, values, heads):
    return _joined(_in_heads(queries, keys, values, heads, _split, lambda width, _: 1.0))


@attend_in_heads.mistake(
    "this is one head over the whole width: `heads` is not used, and all parts get the same weights"
)
def heads_ignored(queries, keys, values, heads):
    return attend_in_heads.solution(queries, keys, values, 1)


@attend_in_heads.mistake(
    "each head has weights of its own: do not average them over the heads before the sum"
)
def mean_weights(queries, keys, values, heads):
    q, k, v = (_split(x, heads) for x in (queries, keys, values))
    weights = (q @ k.transpose(1, 2) * _root(queries.shape[1], heads)).softmax(dim=-1)
    return _joined(weights.mean(dim=0, keepdim=True) @ v)


@attend_in_heads.mistake(
    "head h gets neighbouring numbers, x[:, h·D/H : (h+1)·D/H]; yours takes every H-th number"
)
def every_hth_number(queries, keys, values, heads):
    def split(x, h):
        return x.reshape(len(x), -1, h).permute(2, 0, 1)

    parts = _in_heads(queries, keys, values, heads, split, _root)
    return parts.permute(1, 2, 0).reshape(queries.shape)


@attend_in_heads.mistake(
    "the parts are put together in the wrong order: head 0 comes first, all its numbers together"
)
def parts_interleaved(queries, keys, values, heads):
    parts = _in_heads(queries, keys, values, heads, _split, _root)
    return parts.permute(1, 2, 0).reshape(queries.shape)


@attend_in_heads.mistake(
    "softmax runs over the queries: the weights of one query sum to one over the keys, dim=-1"
)
def softmax_over_the_queries(queries, keys, values, heads):
    q, k, v = (_split(x, heads) for x in (queries, keys, values))
    scores = q @ k.transpose(1, 2) * _root(queries.shape[1], heads)
    return _joined(scores.softmax(dim=1) @ v)


@attend_in_heads.mistake("softmax runs over the heads: each head weighs the keys by itself, dim=-1")
def softmax_over_the_heads(queries, keys, values, heads):
    q, k, v = (_split(x, heads) for x in (queries, keys, values))
    scores = q @ k.transpose(1, 2) * _root(queries.shape[1], heads)
    return _joined(scores.softmax(dim=0) @ v)


@attend_in_heads.mistake(
    "the results are put side by side, not added or averaged: the answer has the width D"
)
def heads_averaged(queries, keys, values, heads):
    return _in_heads(queries, keys, values, heads, _split, _root).mean(dim=0)


@exercise(
    "02.6",
    "Backwards through a whole attention",
    r"""
    **A project.** Section 5.3 passes a gradient back through attention for one query that may look
    everywhere. A model has many queries, and a mask. Extend formula (C), without autograd.

    Write `attention_backward(queries, keys, values, may_attend, upstream)`.

    - `queries` (Tq, D), `keys` (Tk, D), `values` (Tk, Dv); scaled dot scores.
    - `may_attend` (Tq, Tk): True where a query may look. A query that may look nowhere has read
      zeros, as with `masked_softmax` of section 3.
    - `upstream` (Tq, Dv): the gradient $\partial L / \partial r$ of what each query has read.
    - Return a tuple: the gradients for the queries, the keys and the values, in this order, each of
      the shape of its argument.

    A key is read by several queries: what they pass back to it is added. Then look for a product of
    matrices that does this.

    **Predict first:** with a single query, what do the gradients of all its keys add up to?

    When it works, compare with `torch.autograd.grad` on your own tensors: a causal mask, an empty
    row. `check` calls your function with autograd off.
    """,
    prediction="to zero: each is ∂L/∂e_j times q/√D, and the ∂L/∂e_j of one query add up to 0",
    minutes=30,
    kind="extend",
)
def attention_backward(queries, keys, values, may_attend, upstream):
    """Gradients for queries, keys and values, from that of what was read, upstream (Tq, Dv)."""
    scale = 1 / math.sqrt(queries.shape[1])
    scores = (queries @ keys.T * scale).masked_fill(~may_attend, torch.finfo(queries.dtype).min)
    weights = scores.softmax(dim=-1).masked_fill(~may_attend, 0.0)  # an empty row: zeros
    of_weights = upstream @ values.T  # (Tq, Tk): gᵀv_j
    mean = (weights * of_weights).sum(dim=-1, keepdim=True)  # gᵀr
    of_scores = weights * (of_weights - mean) * scale  # (C), with the 1/√D; each row adds up to 0
    return of_scores @ keys, of_scores.T @ queries, weights.T @ upstream


@attention_backward.cases
def _():
    ln3 = math.log(3.0)
    yield case(
        torch.tensor([[0.0]]),
        torch.tensor([[1.0], [3.0]]),
        torch.tensor([[2.0], [6.0]]),
        torch.tensor([[True, True]]),
        torch.tensor([[1.0]]),
        expected=(torch.tensor([[2.0]]), torch.zeros(2, 1), torch.tensor([[0.5], [0.5]])),
        label="a query of zeros: both weights are ½",
        hint="r is 4, so the scores get ½ · (2 − 4) = −1 and ½ · (6 − 4) = 1",
    )
    query, values = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.tensor([[4.0], [0.0], [100.0]])
    keys = torch.tensor([[ln3, 0.0, 0.0, 0.0], [0.0] * 4, [5.0] * 4])
    yield case(
        query,
        keys[:2],
        values[:2],
        torch.tensor([[True, True]]),
        torch.tensor([[1.0]]),
        expected=(
            0.375 * ln3 / 2 * query,
            torch.tensor([[0.75], [-0.75]]) * query / 2,
            torch.tensor([[0.75], [0.25]]),
        ),
        label="weights ¾ and ¼",
    )
    yield case(
        query,
        keys,
        values,
        torch.tensor([[True, True, False]]),
        torch.tensor([[1.0]]),
        expected=(
            0.375 * ln3 / 2 * query,
            torch.tensor([[0.75], [-0.75], [0.0]]) * query / 2,
            torch.tensor([[0.75], [0.25], [0.0]]),
        ),
        label="a third key that may not be read: nothing changes, and it gets zeros",
    )
    yield case(
        torch.tensor([[0.0], [2.0]]),
        torch.tensor([[1.0], [3.0], [2.0]]),
        torch.tensor([[2.0], [6.0], [9.0]]),
        torch.tensor([[True, True, False], [False, False, False]]),
        torch.tensor([[1.0], [5.0]]),
        expected=(
            torch.tensor([[2.0], [0.0]]),
            torch.zeros(3, 1),
            torch.tensor([[0.5], [0.5], [0.0]]),
        ),
        label="the second query may look nowhere: it has read zeros, and passes back zeros",
        hint="a row without True has weights of zero; softmax alone makes NaN or equal weights of"
        " it",
    )
    for asked, slots, width, value_width in ((3, 5, 4, 2), (5, 2, 3, 4), (2, 4, 5, 3)):
        may_attend = torch.rand(asked, slots) < 0.6
        may_attend[:, 0] = True
        yield case(
            torch.randn(asked, width),
            torch.randn(slots, width),
            torch.randn(slots, value_width),
            may_attend,
            torch.randn(asked, value_width),
        )
    yield case(
        torch.randn(4, 3),
        torch.randn(4, 3),
        torch.randn(4, 2),
        torch.ones(4, 4, dtype=torch.bool).tril(),
        torch.randn(4, 2),
        label="a causal mask",
    )
    yield case(
        torch.tensor([[1000.0], [-1000.0]]),
        torch.tensor([[1.0], [1.0], [0.0]]),
        torch.tensor([[2.0], [4.0], [7.0]]),
        torch.ones(2, 3, dtype=torch.bool),
        torch.tensor([[1.0], [3.0]]),
        expected=(
            torch.zeros(2, 1),
            torch.tensor([[-500.0], [500.0], [0.0]]),
            torch.tensor([[0.5], [0.5], [3.0]]),
        ),
        label="scores of 1000",
        hint="exp(1000) is infinite: use `softmax`, which subtracts the largest score of the row",
    )


@attention_backward.check
def _(answer):
    inputs = (torch.randn(3, 2), torch.randn(4, 2), torch.randn(4, 5))
    may_attend, upstream = torch.ones(3, 4, dtype=torch.bool), torch.randn(3, 5)
    expected = attention_backward.solution(*inputs, may_attend, upstream)
    try:
        with torch.inference_mode(), _Backwards() as autograd:
            got = getattr(answer, "answer", answer)(*inputs, may_attend, upstream)
    except RuntimeError:
        got = None
    if got is None or autograd.found or difference(expected, got):
        raise CheckFailed(
            "autograd has worked the gradients out",
            input="three queries and four slots, with autograd off",
            hint="the result is right, but the task is to do without autograd: write the sums of"
            " section 5.3 as products of matrices",
        )


def _backward(queries, keys, values, may_attend, upstream, **changes):
    """A solution with other weights, means, scales or sums."""
    scale = changes.get("scale", 1 / math.sqrt(queries.shape[1]))
    scores = queries @ keys.T * scale
    weights = changes.get("weigh", _weights)(scores, may_attend)
    of_weights = upstream @ values.T
    mean = changes.get("mean", lambda a, g: (a * g).sum(dim=-1, keepdim=True))(weights, of_weights)
    of_scores = weights * (of_weights - mean) * changes.get("back", scale)
    return of_scores @ keys, of_scores.T @ queries, weights.T @ upstream


def _weights(scores, may_attend):
    return scores.masked_fill(~may_attend, -1e9).softmax(dim=-1).masked_fill(~may_attend, 0.0)


@attention_backward.mistake(
    "the mask is not used: a slot that may not be read has the weight 0 and passes nothing back"
)
def mask_ignored(*given):
    return _backward(*given, weigh=lambda e, may: e.softmax(dim=-1))


@attention_backward.mistake("the mask is the wrong way round: True means that a query may look")
def mask_turned_round(*given):
    return _backward(*given, weigh=lambda e, may: _weights(e, ~may))


@attention_backward.mistake(
    "the weights of a query have to sum to one over the slots it may read: mask before softmax, too"
)
def masked_after_softmax(*given):
    return _backward(*given, weigh=lambda e, may: e.softmax(dim=-1) * may)


@attention_backward.mistake(
    "softmax of nothing but −∞ is NaN: a query that may look nowhere has weights of zero, so write"
    " zeros after softmax"
)
def nan_in_an_empty_row(*given):
    return _backward(*given, weigh=lambda e, may: e.masked_fill(~may, -math.inf).softmax(dim=-1))


@attention_backward.mistake(
    "a query that may look nowhere shares its weight among the slots here: after softmax, write"
    " zeros where it may not look"
)
def equal_weights_in_an_empty_row(*given):
    return _backward(*given, weigh=lambda e, may: e.masked_fill(~may, -1e9).softmax(dim=-1))


@attention_backward.mistake(
    "the scores were divided by √D, so what comes back to queries and keys is divided by it, too"
)
def scale_forgotten_on_the_way_back(*given):
    return _backward(*given, back=1.0)


@attention_backward.mistake("the scale is missing, forwards and backwards: divide by √D")
def scale_forgotten(*given):
    return _backward(*given, scale=1.0)


@attention_backward.mistake("the scores are divided by √D, not by D: the root is missing")
def root_left_out(*given):
    return _backward(*given, scale=1 / given[0].shape[1])


@attention_backward.mistake(
    "the scores are divided by the root of the width of queries and keys, D, not of the values, Dv"
)
def scaled_by_the_width_of_the_values(*given):
    return _backward(*given, scale=1 / math.sqrt(given[2].shape[1]))


@attention_backward.mistake(
    "(C) compares with what was read: gᵀ(v_j − r); the −r is missing in your gradient of the scores"
)
def without_minus_r(*given):
    return _backward(*given, mean=lambda a, g: 0.0)


@attention_backward.mistake(
    "r is the average of the values under α: the plain mean over the slots is another vector"
)
def plain_mean_of_the_slots(*given):
    return _backward(*given, mean=lambda a, g: g.mean(dim=-1, keepdim=True))


@attention_backward.mistake(
    "each query has an r of its own: sum gᵀr over its slots only, dim=-1 with keepdim=True"
)
def one_mean_for_all_queries(*given):
    return _backward(*given, mean=lambda a, g: (a * g).sum())


@attention_backward.mistake(
    "softmax runs over the queries: the weights of one query sum to one over its slots, dim=-1"
)
def softmax_over_queries(*given):
    def weigh(scores, may_attend):
        return _weights(scores.T, may_attend.T).T

    return _backward(*given, weigh=weigh)


@attention_backward.mistake(
    "exp of a large score is infinite, and ∞/∞ is NaN: use `softmax`, which subtracts the largest"
    " score of the row"
)
def exp_overflows(*given):
    def weigh(scores, may_attend):
        numerators = scores.exp() * may_attend
        total = numerators.sum(dim=-1, keepdim=True)
        return numerators / total.where(total > 0, 1.0)

    return _backward(*given, weigh=weigh)


@attention_backward.mistake(
    "`upstream` is not used: multiply by the gradient that comes in, whatever the loss is"
)
def gradient_of_the_sum(queries, keys, values, may_attend, upstream):
    return _backward(queries, keys, values, may_attend, torch.ones_like(upstream))


@attention_backward.mistake("what the queries pass back to a key is added, not averaged")
def averaged_over_the_queries(*given):
    of_queries, *others = _backward(*given)
    return of_queries, *(one / len(given[0]) for one in others)


@attention_backward.mistake("the order is queries, keys, values: two gradients are swapped")
def keys_and_queries_swapped(*given):
    of_queries, of_keys, of_values = _backward(*given)
    return of_keys, of_queries, of_values


@attention_backward.mistake(
    "this is a step against the gradient: the gradients themselves are asked for, without a minus"
)
def sign_turned_round(*given):
    return tuple(-one for one in _backward(*given))


@attention_backward.mistake("each gradient is a tensor of the shape of its argument, not a list")
def lists_of_gradients(*given):
    return tuple(one.tolist() for one in _backward(*given))
