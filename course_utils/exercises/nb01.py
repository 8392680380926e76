"""Exercises of notebook 01: many queries at once, sharpness, and a point without itself."""

import math

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

    No loop is needed: one matrix product gives all scores. The scores may be large (200 and more).
    """,
)
def ask_all(queries, keys, values):
    """Attention with dot-product scores for many queries.

    queries: (Tq, D). keys: (Tk, D). values: (Tk, Dv). Returns (Tq, Dv).
    """
    scores = queries @ keys.T  # (Tq, Tk)
    weights = torch.softmax(scores, dim=-1)  # each row sums to one
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
    )
    yield case(
        torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        keys,
        values,
        expected=torch.tensor([[2.6989, 2.4684], [7.3011, 2.4684]]),
        label="the party, music and food",
    )
    for asked, slots, width, value_width in ((3, 5, 2, 4), (6, 2, 3, 1), (4, 4, 4, 4)):
        yield case(
            torch.randn(asked, width), torch.randn(slots, width), torch.randn(slots, value_width)
        )
    yield case(
        torch.tensor([[100.0], [-100.0]]),
        torch.tensor([[3.0], [2.0], [1.0]]),
        torch.tensor([[1.0], [2.0], [4.0]]),
        expected=torch.tensor([[1.0], [4.0]]),
        label="large scores",
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
)
def temperature_for(scores, places):
    """Temperature at which softmax(scores / temperature) looks at so many places.

    scores: (T,), all different. places: number between 1 and T, the wanted exp(entropy).
    Returns a float between 0.001 and 1000.
    """
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        weights = torch.softmax(scores / middle, dim=-1)
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
    yield case(two, number, expected=1.0, rtol=2e-3, label="weights ¼ and ¾ are wanted")
    yield case(5 * two, number, expected=5.0, rtol=2e-3, label="five times these scores")
    yield case(two / 5, number, expected=0.2, rtol=2e-3, label="a fifth of these scores")
    yield case(40 * two, 1.2, rtol=2e-3, label="large scores")
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
)
def leave_one_out(x, y, width):
    """Prediction for every point from all other points, Gaussian kernel.

    x, y: (T,), T at least 2. width: positive number. Returns (T,).
    """
    scores = -((x[:, None] - x[None, :]) ** 2) / (2 * width**2)  # (T, T)
    itself = torch.eye(len(x), dtype=torch.bool)
    weights = torch.softmax(scores.masked_fill(itself, -math.inf), dim=-1)
    return weights @ y


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
