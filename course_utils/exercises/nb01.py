"""Exercises of notebook 01: queries, sharpness, a point without itself, padding, and tables."""

import math
from itertools import product

import torch

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.judging import exercise


@exercise(
    "01.1",
    "Many questions at once",
    r"""
    At the party you asked one question at a time. A network asks many at once: `queries` has shape
    (Tq, D), one question in each row.

    Write `ask_all(queries, keys, values)` with keys (Tk, D) and values (Tk, Dv). Score with dot
    products, weigh with softmax, sum; return one row for each question, (Tq, Dv):

    $$r_q = \sum_i \alpha_{qi} \, v_i, \qquad
    \alpha_{qi} = \frac{\exp(q_q \cdot k_i)}{\sum_j \exp(q_q \cdot k_j)}$$

    **Predict first:** what comes back for a question of zeros?

    No loop is needed: one matrix product gives all scores. Scores may be large, 1,000 and more.
    """,
    prediction="the mean of all values: all scores are 0, so all weights are equal",
    minutes=10,
    kind="implement",
)
def ask_all(queries, keys, values):
    """Attention with dot-product scores for many queries.

    queries: (Tq, D). keys: (Tk, D). values: (Tk, Dv). Returns (Tq, Dv).
    """
    scores = queries @ keys.T  # (Tq, Tk); a question of zeros scores all keys alike
    weights = torch.softmax(scores, dim=-1)  # each row sums to one; for zeros: a plain mean
    return weights @ values


@ask_all.cases
def _():
    keys = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    values = torch.tensor([[1.0, 1.0], [9.0, 1.0], [5.0, 7.0]])
    yield case(
        torch.tensor([[0.0, 0.0]]),
        keys,
        values,
        expected=torch.tensor([[5.0, 3.0]]),
        label="a question of zeros",
        hint="all scores are 0, so each of the three keys gets ⅓: the answer is the mean of the"
        " values",
    )
    yield case(
        torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        keys,
        values,
        expected=torch.tensor([[2.6989, 2.4684], [7.3011, 2.4684]]),
        label="the party, music and food",
        hint="for music the scores are 2, 0 and 1, plain dot products; softmax makes .67, .09 and"
        " .24 of them",
    )
    for asked, slots, width, value_width in ((3, 5, 2, 4), (6, 2, 3, 1), (4, 4, 4, 4)):
        yield case(
            torch.randn(asked, width), torch.randn(slots, width), torch.randn(slots, value_width)
        )
    yield case(
        torch.tensor([[1000.0], [-1000.0]]),
        torch.tensor([[3.0], [2.0], [1.0]]),
        torch.tensor([[1.0], [2.0], [4.0]]),
        expected=torch.tensor([[1.0], [4.0]]),
        label="large scores",
        hint="the scores are 3,000, 2,000 and 1,000: cutting them off makes them equal, and exp of"
        " them is infinite; subtract the row's largest score first, which changes no weight",
    )
    yield case(
        torch.tensor([[60.0], [1.0]]),
        torch.tensor([[3.0], [2.0], [2.0]]),
        torch.tensor([[1.0], [2.0], [6.0]]),
        expected=torch.tensor([[1.0], [2.2717]]),
        label="one question with large scores, one with small ones, and two equal keys",
    )


@ask_all.mistake(
    "the weights of one question sum to one over the keys: softmax along the last dimension, dim=-1"
)
def softmax_over_queries(queries, keys, values):
    return torch.softmax(queries @ keys.T, dim=0) @ values


@ask_all.mistake("the scores themselves are not weights: softmax is missing")
def scores_as_weights(queries, keys, values):
    return (queries @ keys.T) @ values


@ask_all.mistake(
    "scores divided by their sum are not weights if some are negative or the sum is zero: softmax"
    " takes exp first"
)
def scores_divided_by_sum(queries, keys, values):
    scores = queries @ keys.T
    return scores / scores.sum(dim=-1, keepdim=True) @ values


@ask_all.mistake(
    "only the value of the best key is used: that is hard attention; soft attention averages all"
    " values"
)
def hard_attention(queries, keys, values):
    return values[(queries @ keys.T).argmax(dim=-1)]


@ask_all.mistake(
    "exp of a large number is infinite, and ∞/∞ is NaN: use `torch.softmax`, or subtract the"
    " row's largest score first"
)
def exp_overflows(queries, keys, values):
    exps = torch.exp(queries @ keys.T)
    return exps / exps.sum(dim=-1, keepdim=True) @ values


@ask_all.mistake("do not divide by √D here: that is the scaled dot product of notebook 02")
def scaled(queries, keys, values):
    return torch.softmax(queries @ keys.T / math.sqrt(keys.shape[1]), dim=-1) @ values


@ask_all.mistake(
    "one largest score was subtracted from all rows: a row far below it becomes 0/0; each row needs"
    " its own, max(dim=-1, keepdim=True)"
)
def one_maximum_for_all(queries, keys, values):
    scores = queries @ keys.T
    exps = torch.exp(scores - scores.max())
    return exps / exps.sum(dim=-1, keepdim=True) @ values


@ask_all.mistake(
    "the answer is an average of the values; the keys only decide the weights: multiply by `values`"
)
def keys_handed_out(queries, keys, values):
    return torch.softmax(queries @ keys.T, dim=-1) @ keys


@ask_all.mistake(
    "each question has weights of its own; yours are the same for all: do not average over the"
    " questions"
)
def same_weights_for_all(queries, keys, values):
    weights = torch.softmax(queries @ keys.T, dim=-1).mean(dim=0, keepdim=True)
    return (weights @ values).expand(len(queries), -1)


@ask_all.mistake("only the first question is answered: return one row for each question")
def first_question_only(queries, keys, values):
    return torch.softmax(queries[:1] @ keys.T, dim=-1) @ values


@ask_all.mistake(
    "the sigmoid looks at one score at a time, so the weights do not sum to one: softmax compares"
    " all scores of a question"
)
def sigmoid_weights(queries, keys, values):
    return torch.sigmoid(queries @ keys.T) @ values


@ask_all.mistake("return one tensor, not a list of rows: torch.stack(rows) makes one of them")
def list_of_rows(queries, keys, values):
    return [torch.softmax(keys @ query, dim=0) @ values for query in queries]


@exercise(
    "01.2",
    "A temperature to order",
    r"""
    Someone wants attention that looks at three places: not one, not all. *Looks at three places*
    needs a number. Take the **effective number** $\exp(H)$ with the entropy
    $H = -\sum_i \alpha_i \ln \alpha_i$: equal weights on $n$ places give exactly $n$.

    Write `temperature_for(scores, places)`: the temperature $\tau$ at which
    $\operatorname{softmax}(\text{scores} / \tau)$ has the effective number `places`. The scores
    (T,) are all different, and `places` lies between 1 and T; τ lies between 0.001 and 1,000.
    Return a number, right to a thousandth of its size.

    **Predict first:** with twice the scores, does the answer double, halve, or stay?

    One good way: entropy grows with the temperature, so try the middle of a range and keep the half
    that holds the answer. Over six powers of ten the *geometric* middle $\sqrt{a b}$ is the better
    one. Mind $0 \cdot \ln 0$, which is NaN for a computer and has to be 0.
    """,
    prediction="it doubles: only the scores divided by the temperature count",
    minutes=15,
    kind="implement",
)
def temperature_for(scores, places):
    """Temperature at which softmax(scores / temperature) has the effective number `places`.

    scores: (T,), all different. places: number between 1 and T, the wanted exp(entropy).
    Returns a float between 0.001 and 1000.
    """
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        weights = torch.softmax(scores / middle, dim=-1)  # twice the scores need twice the τ
        entropy = -torch.xlogy(weights, weights).sum()  # xlogy knows that 0 · ln 0 is 0
        if entropy.exp() > places:
            high = middle  # too soft: colder
        else:
            low = middle
    return middle


@temperature_for.cases
def _():
    # With two scores a distance of ln 3 apart, τ = 1 gives the weights ¾ and ¼.
    two = torch.tensor([0.0, math.log(3.0)])
    number = math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    yield case(
        two,
        number,
        expected=1.0,
        rtol=2e-3,
        label="weights ¼ and ¾ are wanted",
        hint="at τ = 1 the weights are ¼ and ¾, and exp(H) is 1.755; if yours agrees there, look at"
        " the search: which half does it keep, and does it halve the range often enough?",
    )
    yield case(5 * two, number, expected=5.0, rtol=2e-3, label="five times these scores")
    yield case(two / 5, number, expected=0.2, rtol=2e-3, label="a fifth of these scores")
    yield case(40 * two, 1.2, rtol=2e-3, label="large scores")
    for times in (400.0, 0.004):
        yield case(
            times * two,
            number,
            expected=times,
            rtol=2e-3,
            label="scores very far apart, or very near",
            hint="the answer may lie anywhere between 0.001 and 1,000: search the whole range, and"
            " halve it in powers, √(ab), or small answers come out coarse",
        )
    yield case(
        3000 + two, number, expected=1.0, rtol=5e-3, label="3,000 more for every score: no change"
    )
    yield case(
        torch.tensor([-1.5, 2.0, -4.0, 0.5], dtype=torch.float64),
        3.0,
        rtol=2e-3,
        label="in no order, some below zero, in double precision",
    )
    for size, places in ((4, 3.0), (5, 1.5), (9, 3.0), (9, 7.5)):
        yield case(torch.arange(size) + 0.5 * torch.rand(size), places, rtol=2e-3)


def _search(scores, places, measure, low=1e-3, high=1e3, warm_when_soft=False):
    for _ in range(60):
        middle = math.sqrt(low * high)
        if (measure(scores, middle) > places) != warm_when_soft:
            high = middle
        else:
            low = middle
    return middle


def _number(scores, temperature):
    weights = torch.softmax(scores / temperature, dim=-1)
    return torch.exp(-torch.xlogy(weights, weights).sum())


@temperature_for.mistake(
    "scores are divided by the temperature, not multiplied by it: a high temperature makes"
    " attention soft"
)
def multiplied_by_temperature(scores, places):
    return 1 / _search(scores, places, _number)


@temperature_for.mistake(
    "`places` is compared with exp(H), not with the entropy H itself: exp is missing"
)
def exp_forgotten(scores, places):
    return _search(scores, places, lambda s, t: _number(s, t).log())


@temperature_for.mistake(
    "exp belongs to the natural logarithm: with log2 the effective number is 2 to the power of H"
)
def entropy_in_bits(scores, places):
    return _search(scores, places, lambda s, t: (_number(s, t).log() / math.log(2)).exp())


@temperature_for.mistake(
    "the search moves away from the answer: if attention is too soft, τ has to fall"
)
def wrong_half_kept(scores, places):
    return _search(scores, places, _number, warm_when_soft=True)


@temperature_for.mistake(
    "the search stops at τ = 1: the answer may lie anywhere between 0.001 and 1,000"
)
def range_too_small(scores, places):
    return _search(scores, places, _number, high=1.0)


@temperature_for.mistake(
    "0 · ln 0 became NaN, and NaN compares as false: use torch.xlogy(w, w), or leave out the zeros"
)
def zero_times_infinity(scores, places):
    def measure(scores, temperature):
        weights = torch.softmax(scores / temperature, dim=-1)
        return torch.exp(-(weights * weights.log()).sum())

    # of the two possible comparisons, the other one fails here
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        if measure(scores, middle) < places:
            low = middle
        else:
            high = middle
    return middle


@temperature_for.mistake(
    "exp of a large score divided by a small τ is infinite, and the weights are NaN: use"
    " `torch.softmax`, which subtracts the largest score first"
)
def softmax_overflows(scores, places):
    def measure(scores, temperature):
        exps = torch.exp(scores / temperature)
        weights = exps / exps.sum()
        return torch.exp(-torch.xlogy(weights, weights).sum())

    return _search(scores, places, measure)


@temperature_for.mistake(
    "1/Σα² is another way of counting: the exercise asks for the exponential of the entropy"
)
def squares_counted(scores, places):
    def measure(scores, temperature):
        return 1 / (torch.softmax(scores / temperature, dim=-1) ** 2).sum()

    return _search(scores, places, measure)


@temperature_for.mistake(
    "a largest weight of 1/places is not enough: how the rest is spread counts too, so measure"
    " exp(H)"
)
def largest_weight_only(scores, places):
    def measure(scores, temperature):
        return 1 / torch.softmax(scores / temperature, dim=-1).max()

    return _search(scores, places, measure)


@temperature_for.mistake(
    "this is too coarse: the answer has to be right to a thousandth of its size, so keep halving"
    " the range"
)
def coarse_grid(scores, places):
    grid = torch.logspace(-3, 3, 60).tolist()
    return min(grid, key=lambda t: abs(_number(scores, t).item() - places))


@temperature_for.mistake(
    "counting the weights above a bound gives whole numbers only: exp(H) counts a small weight as"
    " a part of a place"
)
def weights_above_a_bound(scores, places):
    def measure(scores, temperature):
        weights = torch.softmax(scores / temperature, dim=-1)
        return (weights > 0.5 / len(scores)).sum()

    return _search(scores, places, measure)


@temperature_for.mistake(
    "the argument `places` is not used: the temperature has to depend on how many are wanted"
)
def places_ignored(scores, places):
    return _search(scores, 3.0, _number)


@exercise(
    "01.3",
    "Everyone but me",
    r"""
    To choose a width honestly, each training point is predicted from the *others*. You saw why: a
    point that may look at itself needs nobody else.

    Write `leave_one_out(x, y, width)`: x and y have shape (T,), and the result, of shape (T,), is

    $$\hat y_i = \sum_{j \neq i} \alpha_{ij} \, y_j, \qquad
    \alpha_{ij} \propto \exp\Big(-\frac{(x_i - x_j)^2}{2\,\text{width}^2}\Big),
    \qquad \sum_{j \neq i} \alpha_{ij} = 1$$

    **Predict first:** with two points, what is predicted for each of them, whatever the width?

    The mask has to act *before* softmax, and its number has to be one that softmax turns into zero.
    Which one is that? (0 is not.)
    """,
    prediction="the value of the other point: it is the only one left, so its weight is 1",
    minutes=15,
    kind="implement",
)
def leave_one_out(x, y, width):
    """Prediction for every point from all other points, Gaussian kernel.

    x, y: (T,), T at least 2. width: positive number. Returns (T,).
    """
    scores = -((x[:, None] - x[None, :]) ** 2) / (2 * width**2)  # (T, T)
    itself = torch.eye(len(x), dtype=torch.bool)
    weights = torch.softmax(scores.masked_fill(itself, -math.inf), dim=-1)
    return weights @ y  # of two points, each gets the value of the other


@leave_one_out.cases
def _():
    yield case(
        torch.tensor([0.0, 1.0]),
        torch.tensor([5.0, 7.0]),
        1.0,
        expected=torch.tensor([7.0, 5.0]),
        label="two points",
    )
    near, far = math.exp(-0.5), math.exp(-2.0)  # for distances 1 and 2 at width 1
    outer = (near * 0.0 + far * 6.0) / (near + far)
    yield case(
        torch.tensor([0.0, 1.0, 2.0]),
        torch.tensor([3.0, 0.0, 6.0]),
        1.0,
        expected=torch.tensor([outer, 4.5, (far * 3.0 + near * 0.0) / (near + far)]),
        label="three points, one apart",
    )
    for count, width in ((4, 0.3), (6, 2.0), (9, 0.7)):
        yield case(3 * torch.rand(count), torch.randn(count), width)
    yield case(
        torch.tensor([0.0, 3.0, 3.2]),
        torch.tensor([1.0, 2.0, 6.0]),
        0.2,
        expected=torch.tensor([2.0, 6.0, 2.0]),
        label="a point far from all others",
        hint="far from all others, every other score is very low: a finite number in the mask is"
        " not low enough; only -inf is below all of them",
    )
    yield case(
        torch.tensor([1.0, 1.0, 2.0]),
        torch.tensor([4.0, 8.0, 0.0]),
        0.1,
        expected=torch.tensor([8.0, 4.0, 6.0]),
        label="two points at the same place",
    )
    yield case(
        torch.tensor([0.0, 3.0, 7.0]),
        torch.tensor([1.0, 2.0, 6.0]),
        1e-17,
        expected=torch.tensor([2.0, 1.0, 2.0]),
        label="a very small width",
        hint="with a small width the other scores are lower than any finite number you may choose:"
        " fill with -inf",
    )


@leave_one_out.check
def _(answer):
    x, y = torch.tensor([0.0, 0.4, 1.0, 1.7]), torch.tensor([1.0, 2.0, 0.5, 3.0])
    before = answer(x, y, 0.5)
    y = y.clone()
    y[2] = 1000.0
    if not torch.allclose(before[2], answer(x, y, 0.5)[2]):
        raise CheckFailed(
            "the prediction for a point changes with its own y",
            hint="a point must not see its own answer: mask the diagonal before softmax",
        )


def _scores(x, width):
    return -((x[:, None] - x[None, :]) ** 2) / (2 * width**2)


@leave_one_out.mistake(
    "far from all others, the kernel of every other point underflows to 0, and 0/0 is NaN: put -inf"
    " on the diagonal of the scores, then take softmax"
)
def erased_and_renormalised(x, y, width):
    weights = torch.softmax(_scores(x, width), dim=-1)
    weights = weights.masked_fill(torch.eye(len(x), dtype=torch.bool), 0.0)
    return weights / weights.sum(dim=-1, keepdim=True) @ y


@leave_one_out.mistake(
    "a finite number is not low enough: with a small width the other scores are lower still, and"
    " the point looks at itself again; fill with -inf"
)
def finite_fill(x, y, width):
    itself = torch.eye(len(x), dtype=torch.bool)
    return torch.softmax(_scores(x, width).masked_fill(itself, -1e4), dim=-1) @ y


@leave_one_out.mistake(
    "another point may be at the same place: mask the diagonal (i = j), not the distance 0"
)
def equal_places_masked(x, y, width):
    scores = _scores(x, width)
    return torch.softmax(scores.masked_fill(x[:, None] == x[None, :], -math.inf), dim=-1) @ y


@leave_one_out.mistake(
    "this is the plain mean of the others: near points have to count for more, so use the width"
)
def mean_of_the_others(x, y, width):
    return (y.sum() - y) / (len(y) - 1)


@leave_one_out.mistake(
    "only the nearest point is used: softmax averages all other points, the nearest with the"
    " largest weight"
)
def nearest_only(x, y, width):
    itself = torch.eye(len(x), dtype=torch.bool)
    return y[_scores(x, width).masked_fill(itself, -math.inf).argmax(dim=-1)]


@leave_one_out.mistake(
    "each point still looks at itself; a mask of 0 changes nothing, because its own score is 0"
    " already: fill with -inf"
)
def nothing_masked(x, y, width):
    scores = -((x[:, None] - x[None, :]) ** 2) / (2 * width**2)
    return torch.softmax(scores, dim=-1) @ y


@leave_one_out.mistake(
    "after zeroing the diagonal the weights no longer sum to one: mask before softmax, not after"
)
def masked_after_softmax(x, y, width):
    scores = -((x[:, None] - x[None, :]) ** 2) / (2 * width**2)
    itself = torch.eye(len(x), dtype=torch.bool)
    return torch.softmax(scores, dim=-1).masked_fill(itself, 0.0) @ y


@leave_one_out.mistake("the mask is inverted: each point sees only itself, so the result is y")
def mask_inverted(x, y, width):
    scores = -((x[:, None] - x[None, :]) ** 2) / (2 * width**2)
    itself = torch.eye(len(x), dtype=torch.bool)
    return torch.softmax(scores.masked_fill(~itself, -math.inf), dim=-1) @ y


@leave_one_out.mistake(
    "softmax runs along the wrong dimension: the weights of point i are in row i, so use dim=-1"
)
def softmax_over_rows(x, y, width):
    scores = -((x[:, None] - x[None, :]) ** 2) / (2 * width**2)
    itself = torch.eye(len(x), dtype=torch.bool)
    return torch.softmax(scores.masked_fill(itself, -math.inf), dim=0) @ y


@leave_one_out.mistake("the width is squared in the formula: divide by 2 · width²")
def width_not_squared(x, y, width):
    scores = -((x[:, None] - x[None, :]) ** 2) / (2 * width)
    itself = torch.eye(len(x), dtype=torch.bool)
    return torch.softmax(scores.masked_fill(itself, -math.inf), dim=-1) @ y


@leave_one_out.mistake("the minus is missing: near points have to score higher than far ones")
def minus_forgotten(x, y, width):
    scores = (x[:, None] - x[None, :]) ** 2 / (2 * width**2)
    itself = torch.eye(len(x), dtype=torch.bool)
    return torch.softmax(scores.masked_fill(itself, -math.inf), dim=-1) @ y


@leave_one_out.mistake("the distance is squared in the formula: |x - x'| is not enough")
def distance_not_squared(x, y, width):
    scores = -(x[:, None] - x[None, :]).abs() / (2 * width**2)
    itself = torch.eye(len(x), dtype=torch.bool)
    return torch.softmax(scores.masked_fill(itself, -math.inf), dim=-1) @ y


@exercise(
    "01.4",
    "Empty chairs",
    r"""
    Two parties, three guests at the first and five at the second. A tensor has rows of equal
    length, so the first party gets two empty chairs: **padding**. What is stored there means
    nothing.

    Write `ask_each(queries, keys, values, lengths)`: one question for each party, queries (B, D),
    keys (B, T, D), values (B, T, Dv). `lengths` (B,) says how many guests each party has; they
    come first, and there is at least one. Score with dot products, and let the empty chairs get a
    weight of exactly zero. Return (B, Dv).

    **Predict first:** the keys of the empty chairs are zeros, so their scores are 0. How much
    weight do they get without a mask, if the guests score −3?

    The answer must not depend on which numbers are stored in the padding, zeros or a million.
    """,
    prediction="93 per cent with three guests and two empty chairs: a chair weighs e³ ≈ 20"
    " times as much as a guest",
    minutes=15,
    kind="implement",
)
def ask_each(queries, keys, values, lengths):
    """Attention with dot-product scores, one query for each memory, without the padding.

    queries: (B, D). keys: (B, T, D). values: (B, T, Dv). lengths: (B,), from 1 to T.
    Returns (B, Dv).
    """
    scores = (keys @ queries[:, :, None])[:, :, 0]  # (B, T)
    may_attend = torch.arange(keys.shape[1])[None, :] < lengths[:, None]  # (B, T)
    # Without it a chair with score 0 would weigh exp(3) = 20 times as much as a guest with −3.
    weights = torch.softmax(scores.masked_fill(~may_attend, -math.inf), dim=-1)
    return (weights[:, None, :] @ values)[:, 0]


@ask_each.cases
def _():
    yield case(
        torch.tensor([[1.0]]),
        torch.tensor([[[-3.0], [-3.0], [0.0]]]),
        torch.tensor([[[2.0], [4.0], [9.0]]]),
        torch.tensor([2]),
        expected=torch.tensor([[3.0]]),
        label="two guests and an empty chair",
        hint="the two guests score alike, so each of them has the weight ½ and the chair has none",
    )
    yield case(
        torch.tensor([[1.0]]),
        torch.tensor([[[0.0], [0.0], [math.log(2.0)]]]),
        torch.tensor([[[2.0], [6.0], [8.0]]]),
        torch.tensor([3]),
        expected=torch.tensor([[6.0]]),
        label="no empty chair; a guest may have zeros for a key",
    )
    for B, T, D, Dv in ((2, 5, 3, 4), (4, 3, 2, 1), (3, 3, 3, 3)):
        lengths = torch.randint(1, T + 1, (B,))
        lengths[0] = 1
        yield case(
            torch.randn(B, D), torch.randn(B, T, D), torch.randn(B, T, Dv), lengths, label="random"
        )
    keys, values = torch.randn(2, 4, 3), torch.randn(2, 4, 2)
    keys[0, 2:] = values[0, 2:] = 1e6
    yield case(
        torch.ones(2, 3), keys, values, torch.tensor([2, 4]), label="a million in the padding"
    )
    yield case(
        torch.tensor([[1e6], [1e6]]),
        torch.tensor([[[-3e6], [-3e6], [0.0]], [[3e6], [2e6], [0.0]]]),
        torch.tensor([[[2.0], [4.0], [9.0]], [[1.0], [5.0], [9.0]]]),
        torch.tensor([2, 3]),
        expected=torch.tensor([[3.0], [1.0]]),
        label="very large and very small scores",
        hint="the guests of the first party score −3 · 10¹²: only -inf is lower than every score a"
        " guest may have",
    )


def _each(queries, keys, values, may_attend, fill=-math.inf):
    scores = (keys @ queries[:, :, None])[:, :, 0].masked_fill(~may_attend, fill)
    return (torch.softmax(scores, dim=-1)[:, None, :] @ values)[:, 0]


def _guests(keys, lengths):
    return torch.arange(keys.shape[1])[None, :] < lengths[:, None]


@ask_each.mistake(
    "the empty chairs take part: without a mask they get weight, whatever is stored in them"
)
def padding_attended(queries, keys, values, lengths):
    return _each(queries, keys, values, torch.ones(keys.shape[:2], dtype=torch.bool))


@ask_each.mistake(
    "a score of 0 is not *no weight*: exp(0) = 1, more than the guests get when they score below"
    " zero; fill with -inf"
)
def filled_with_zero(queries, keys, values, lengths):
    return _each(queries, keys, values, _guests(keys, lengths), fill=0.0)


@ask_each.mistake(
    "a finite number is not low enough: when the guests score lower still, the empty chairs win;"
    " fill with -inf"
)
def finite_number_for_padding(queries, keys, values, lengths):
    return _each(queries, keys, values, _guests(keys, lengths), fill=-1e4)


@ask_each.mistake(
    "values of zero are not enough: the empty chairs still take their share of the weight, so the"
    " rest sums to less than one"
)
def padded_values_erased(queries, keys, values, lengths):
    kept = values * _guests(keys, lengths)[:, :, None]
    return padding_attended(queries, keys, kept, lengths)


@ask_each.mistake(
    "erasing weights after softmax and dividing by the rest gives 0/0 when the padding has won all"
    " the weight: mask the scores, before softmax"
)
def erased_after_softmax(queries, keys, values, lengths):
    weights = torch.softmax((keys @ queries[:, :, None])[:, :, 0], dim=-1) * _guests(keys, lengths)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return (weights[:, None, :] @ values)[:, 0]


@ask_each.mistake(
    "the mask is one slot too long: with length 2 the guests are at the places 0 and 1, so compare"
    " with <, not with <="
)
def one_slot_too_many(queries, keys, values, lengths):
    may_attend = torch.arange(keys.shape[1])[None, :] <= lengths[:, None]
    return _each(queries, keys, values, may_attend)


@ask_each.mistake(
    "the mask is inverted: True has to mean *may be attended to*, and masked_fill needs the"
    " opposite, ~mask"
)
def guests_masked(queries, keys, values, lengths):
    return _each(queries, keys, values, ~_guests(keys, lengths))


@ask_each.mistake(
    "padding cannot be recognised by its content: a guest may have zeros for a key, and padding may"
    " hold anything; only `lengths` says where it is"
)
def padding_by_content(queries, keys, values, lengths):
    return _each(queries, keys, values, (keys != 0).any(dim=-1))


@ask_each.mistake(
    "each party has its own length: `lengths[:, None]` against the places gives a row for each"
)
def longest_for_all(queries, keys, values, lengths):
    longest = int(lengths.max())
    return padding_attended(queries, keys[:, :longest], values[:, :longest], lengths)


@ask_each.mistake(
    "guests are cut off: the shortest party does not say how many guests the others have"
)
def shortest_for_all(queries, keys, values, lengths):
    shortest = int(lengths.min())
    return padding_attended(queries, keys[:, :shortest], values[:, :shortest], lengths)


@ask_each.mistake(
    "softmax runs over the parties: the weights of one party sum to one over its guests, dim=-1"
)
def softmax_over_parties(queries, keys, values, lengths):
    scores = (keys @ queries[:, :, None])[:, :, 0]
    scores = scores.masked_fill(~_guests(keys, lengths), -math.inf)
    return (torch.softmax(scores, dim=0)[:, None, :] @ values)[:, 0]


@ask_each.mistake(
    "this is the plain mean of the guests: the query has to decide how much each of them counts"
)
def mean_of_the_guests(queries, keys, values, lengths):
    kept = _guests(keys, lengths)[:, :, None]
    return (values * kept).sum(dim=1) / lengths[:, None]


@exercise(
    "01.5",
    "A width for every column",
    r"""
    **A project.** The notebook learnt one width for one number. A row of a table has several
    numbers, in different units: hours, metres, kilograms. Give column $d$ a width $\sigma_d$ of its
    own, and let the data choose:

    $$e_{ij} = -\sum_d \frac{(x_{id} - x_{jd})^2}{2 \, \sigma_d^2}$$

    Write `choose_widths(x, y, widths)`. `x` (T, D) is the table, `y` (T,) what is to be predicted,
    `widths` a list of positive numbers, the candidates; `math.inf` may be among them.

    - Each row is predicted from all *other* rows, by attention with these scores. The *error* is
      the mean of $(\hat y_i - y_i)^2$.
    - Try all combinations, as `itertools.product(widths, repeat=D)` lists them.
    - Return `(chosen, error, blind)`: the combination with the smallest error, a tuple, and of
      equally good ones the first; its error; and the error when each row is predicted by the plain
      mean of the other rows.

    **Predict first:** which widths give exactly that plain mean?

    When it works, try it on `x` and `y` of *Learning where to look* beside a column of noise,
    `torch.stack([x, torch.randn(60)], dim=1)`, with `[0.1, 0.3, 1.0, math.inf]`. Which widths do
    the two columns get, and how much of the blind error is left?
    """,
    prediction="∞ for every column: all scores are then 0, so all other rows weigh alike",
    minutes=30,
    kind="extend",
)
def choose_widths(x, y, widths):
    """The best width for each column of x (T, D), the error with them, and without looking."""
    from itertools import product

    itself = torch.eye(len(x), dtype=torch.bool)
    squares = (x[:, None] - x[None, :]) ** 2  # (T, T, D)

    def error(chosen):
        scores = -(squares / (2 * torch.tensor(chosen) ** 2)).sum(dim=-1)  # (T, T)
        weights = scores.masked_fill(itself, -math.inf).softmax(dim=-1)
        return ((weights @ y - y) ** 2).mean().item()

    best = min(product(widths, repeat=x.shape[1]), key=error)
    return best, error(best), error([math.inf] * x.shape[1])


def _table(rows, columns, widths):
    """Rows whose value depends on all columns but the last; the best widths win clearly."""
    while True:
        x = 1.5 * torch.randn(rows, columns)
        y = (1.5 * x[:, :-1]).sin().sum(dim=1) + 2 * x[:, 0] + 0.2 * torch.randn(rows)
        errors = sorted(_error(x, y, one) for one in product(widths, repeat=columns))
        if errors[0] < 0.98 * errors[1]:
            return x, y, widths


@choose_widths.cases
def _():
    yield case(
        torch.tensor([[0.0], [0.0], [9.0], [9.0]]),
        torch.tensor([1.0, 1.0, 5.0, 5.0]),
        [math.inf, 1.0],
        expected=((1.0,), 0.0, 64 / 9),
        label="two pairs, far apart",
    )
    yield case(
        torch.tensor([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0], [9.0, 9.0]]),
        torch.tensor([1.0, 1.0, 5.0, 5.0]),
        [1.0, math.inf],
        expected=((1.0, math.inf), 0.0, 64 / 9),
        label="the second column says nothing",
    )
    yield case(
        torch.tensor([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0], [9.0, 9.0]] * 2),
        torch.tensor([0.0, 4.0, 4.0, 0.0] * 2),
        [math.inf, 1.0, 40.0],
        expected=((1.0, 1.0), 0.0, 256 / 49),
        label="two columns that help only together",
    )
    yield case(
        torch.tensor([[0.0], [3.0], [3.2]]),
        torch.tensor([1.0, 2.0, 6.0]),
        [0.01],
        expected=((0.01,), 11.0, 10.5),
        label="a row far from all others",
        hint="far from all others every score is very low; only -inf in the mask is lower still",
    )
    yield case(
        torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]),
        torch.tensor([2.0, 3.0, 7.0]),
        [4.0, 0.5, 2.0],
        label="a column with the same number in every row: all its widths are equally good",
        hint="of equally good combinations the first counts, in the order of `widths`",
    )
    for rows, columns, widths in (
        (7, 1, [0.3, 1.0, 3.0]),
        (9, 2, [2.0, 0.4, math.inf, 1.0]),
        (8, 2, [math.inf, 1.5, 0.7]),
        (10, 3, [0.8, math.inf, 2.0]),
    ):
        yield case(*_table(rows, columns, widths))


def _guess(x, y, scores):
    itself = torch.eye(len(x), dtype=torch.bool)
    return scores.masked_fill(itself, -math.inf).softmax(dim=-1) @ y


def _score(x, widths):
    return -((x[:, None] - x[None, :]) ** 2 / (2 * torch.tensor(widths) ** 2)).sum(dim=-1)


def _mean_square(guess, y):
    return ((guess - y) ** 2).mean().item()


def _error(x, y, widths, score=_score, guess=_guess, loss=_mean_square):
    return loss(guess(x, y, score(x, widths)), y)


def _widths(x, y, widths, choose=min, **changes):
    """A solution with another score, prediction, loss or choice."""

    def error(one):
        return _error(x, y, one, **changes)

    best = choose(product(widths, repeat=x.shape[1]), key=error)
    return best, error(best), error([math.inf] * x.shape[1])


@choose_widths.mistake(
    "each row looks at itself, and the narrowest width wins: mask the diagonal with -inf"
)
def rows_see_themselves(x, y, widths):
    return _widths(x, y, widths, guess=lambda x, y, scores: scores.softmax(dim=-1) @ y)


@choose_widths.mistake(
    "with the diagonal set to zero after softmax, the weights no longer sum to one: mask the scores"
)
def diagonal_erased(x, y, widths):
    def guess(x, y, scores):
        return (scores.softmax(dim=-1) * (1 - torch.eye(len(x)))) @ y

    return _widths(x, y, widths, guess=guess)


@choose_widths.mistake(
    "far from all others every weight underflows, and 0/0 is NaN: mask before softmax, do not"
    " renormalise after it"
)
def diagonal_erased_and_renormalised(x, y, widths):
    def guess(x, y, scores):
        weights = scores.softmax(dim=-1) * (1 - torch.eye(len(x)))
        return weights @ y / weights.sum(dim=-1)

    return _widths(x, y, widths, guess=guess)


@choose_widths.mistake(
    "a finite number in the mask is not low enough: with narrow widths the others score lower still"
)
def finite_diagonal(x, y, widths):
    def guess(x, y, scores):
        return scores.masked_fill(torch.eye(len(x), dtype=torch.bool), -1e4).softmax(dim=-1) @ y

    return _widths(x, y, widths, guess=guess)


@choose_widths.mistake(
    "softmax runs along the wrong dimension: the weights of row i are in row i, so use dim=-1"
)
def softmax_down_the_columns(x, y, widths):
    def guess(x, y, scores):
        itself = torch.eye(len(x), dtype=torch.bool)
        return scores.masked_fill(itself, -math.inf).softmax(dim=0) @ y

    return _widths(x, y, widths, guess=guess)


@choose_widths.mistake(
    "all columns get the same width here: try combinations in which they differ, too"
)
def one_width_for_all_columns(x, y, widths):
    best = min(([one] * x.shape[1] for one in widths), key=lambda one: _error(x, y, one))
    return tuple(best), _error(x, y, best), _error(x, y, [math.inf] * x.shape[1])


@choose_widths.mistake(
    "each column was judged alone, but two may help only together: try whole combinations"
)
def column_by_column(x, y, widths):
    columns = [x[:, d : d + 1] for d in range(x.shape[1])]
    best = [min(widths, key=lambda one: _error(c, y, [one])) for c in columns]  # noqa: B023
    return tuple(best), _error(x, y, best), _error(x, y, [math.inf] * x.shape[1])


@choose_widths.again
def one_column_after_the_other(x, y, widths):
    best = [widths[0]] * x.shape[1]
    for d in range(x.shape[1]):
        every = [(*best[:d], one, *best[d + 1 :]) for one in widths]
        best = min(every, key=lambda one: _error(x, y, one))
    return tuple(best), _error(x, y, best), _error(x, y, [math.inf] * x.shape[1])


@choose_widths.mistake("the width is squared in the formula: divide by 2 · σ²")
def widths_not_squared(x, y, widths):
    return _widths(x, y, widths, score=lambda x, one: _score(x, [math.sqrt(w) for w in one]))


@choose_widths.mistake("the minus is missing: rows that are alike have to score higher")
def minus_left_out(x, y, widths):
    return _widths(x, y, widths, score=lambda x, one: -_score(x, one))


@choose_widths.mistake("the 2 in 2 · σ² is missing: yours looks through a narrower kernel")
def two_left_out(x, y, widths):
    return _widths(x, y, widths, score=lambda x, one: 2 * _score(x, one))


@choose_widths.mistake("the squared distances are added over the columns, not averaged")
def mean_over_the_columns(x, y, widths):
    return _widths(x, y, widths, score=lambda x, one: _score(x, one) / len(one))


@choose_widths.mistake("the error is a mean over the rows, not a sum")
def errors_summed(x, y, widths):
    return _widths(x, y, widths, loss=lambda guess, y: ((guess - y) ** 2).sum().item())


@choose_widths.mistake("the error is the mean *square*: do not take the root of it")
def root_of_the_error(x, y, widths):
    return _widths(x, y, widths, loss=lambda guess, y: math.sqrt(_mean_square(guess, y)))


@choose_widths.mistake("the error squares each difference: its absolute value is not enough")
def absolute_error(x, y, widths):
    return _widths(x, y, widths, loss=lambda guess, y: (guess - y).abs().mean().item())


@choose_widths.mistake("the smallest error is wanted, not the largest")
def worst_widths(x, y, widths):
    return _widths(x, y, widths, choose=max)


@choose_widths.mistake("of equally good combinations the first counts, not the last")
def last_of_the_best(x, y, widths):
    return _widths(x, y, widths, choose=lambda every, key: min(list(every)[::-1], key=key))


@choose_widths.mistake(
    "equally good combinations count in the order of `widths`: do not sort the candidates"
)
def candidates_sorted(x, y, widths):
    return _widths(x, y, sorted(widths))


@choose_widths.mistake(
    "the blind prediction of a row is the mean of the *other* rows; its own value may not help"
)
def mean_of_all_rows(x, y, widths):
    return *_widths(x, y, widths)[:2], y.var(correction=0).item()


@choose_widths.again
def variance_of_all_rows(x, y, widths):
    return *_widths(x, y, widths)[:2], y.var().item()


@choose_widths.mistake("the widths come back as a tuple of numbers, not as a tensor")
def widths_in_a_tensor(x, y, widths):
    best, *errors = _widths(x, y, widths)
    return torch.tensor(best), *errors


@choose_widths.mistake("the widths themselves are asked for, not their places in the list")
def places_of_the_widths(x, y, widths):
    best, *errors = _widths(x, y, widths)
    return tuple(widths.index(one) for one in best), *errors
