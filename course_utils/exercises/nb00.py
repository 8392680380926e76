"""Exercise of notebook 00: the warm-up, to see how exercises work."""

import torch

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.judging import exercise


@exercise(
    "00.1",
    "A weighted average",
    r"""
    Three friends judge a film: 4, 8 and 9 points. You trust the first one twice as much as each of
    the others, so you give them the weights 2, 1 and 1. **Predict first:** is the weighted average
    above or below the plain average of 7?

    Write `weighted_average(weights, values)`: weights of shape (T,), none negative and not all
    zero, and values of shape (T, D), one row for each weight. The result has shape (D,):

    $$r = \frac{\sum_i w_i \, v_i}{\sum_i w_i}$$
    """,
    prediction="below it, 6.25: the friend whom you trust most gave 4 points only",
    minutes=5,
    kind="implement",
)
def weighted_average(weights, values):
    """Average of the rows of values, each as important as its weight.

    weights: (T,), not negative, not all zero; they need not sum to one. values: (T, D).
    Returns (D,).
    """
    return weights @ values / weights.sum()


@weighted_average.cases
def _():
    points = torch.tensor([[4.0], [8.0], [9.0]])
    yield case(torch.tensor([2.0, 1.0, 1.0]), points, expected=torch.tensor([6.25]))
    yield case(torch.tensor([1.0, 1.0, 1.0]), points, expected=torch.tensor([7.0]))
    yield case(
        torch.tensor([0.25, 0.75]),
        torch.tensor([[0.0, 8.0], [4.0, 0.0]]),
        expected=torch.tensor([3.0, 2.0]),
        label="weights that sum to one",
    )
    yield case(
        torch.tensor([0.0, 2.0, 6.0]),
        torch.tensor([[100.0], [1.0], [5.0]]),
        expected=torch.tensor([4.0]),
        label="a friend without a say",
    )
    yield case(
        torch.tensor([1e-9, 3e-9]),
        torch.tensor([[4.0], [8.0]]),
        expected=torch.tensor([7.0]),
        label="tiny weights",
        hint="the weights are never all zero, so nothing has to be added to their sum",
    )
    yield case(torch.tensor([5.0]), torch.tensor([[3.0, 1.0]]), expected=torch.tensor([3.0, 1.0]))
    for count, width in ((3, 2), (5, 5), (4, 7)):
        yield case(torch.rand(count) + 0.1, torch.randn(count, width))


@weighted_average.check
def _(answer):
    weights, values = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([[1.0], [5.0], [2.0]])
    once, tenfold = answer(weights, values), answer(10 * weights, values)
    if not torch.allclose(once, tenfold):
        raise CheckFailed(
            "multiplying all weights by ten has to give the same average",
            expected=once,
            got=tenfold,
        )


@weighted_average.mistake("the weights need not sum to one: divide by their sum")
def not_divided(weights, values):
    return weights @ values


@weighted_average.mistake(
    "divide by the sum of the weights, not by their number: a weight of 2 counts twice in the"
    " denominator, too"
)
def divided_by_their_number(weights, values):
    return weights @ values / len(weights)


@weighted_average.mistake("the weights are not used: this is the plain average")
def plain_average(weights, values):
    return values.mean(dim=0)


@weighted_average.mistake(
    "sum over the rows only, with dim=0: each of the D columns has an average of its own"
)
def everything_summed(weights, values):
    return (weights[:, None] * values).sum() / weights.sum()


@weighted_average.mistake(
    "`w / w.sum()` is enough: softmax turns scores of any sign into weights, and these already"
    " are weights"
)
def softmax_of_weights(weights, values):
    return torch.softmax(weights, dim=0) @ values


@weighted_average.mistake(
    "`keepdim` or a row `weights[None]` leaves a dimension of size 1: the result has shape (D,)"
)
def one_row(weights, values):
    return weights[None] @ values / weights.sum()


@weighted_average.mistake(
    "the rows are weighted, but not added: sum over dim=0, which leaves one number for each column"
)
def not_added(weights, values):
    return weights[:, None] * values / weights.sum()


@weighted_average.mistake(
    "that divides by the largest weight; shares that sum to one come from dividing by the sum"
)
def divided_by_the_largest(weights, values):
    return weights @ values / weights.max()


@weighted_average.mistake(
    "that takes the row with the largest weight alone: an average listens to all of them"
)
def the_heaviest_row(weights, values):
    return values[weights.argmax()]


@weighted_average.mistake(
    "`values @ weights` sums over the columns: there is one weight for each row, so the weights"
    " come first, `weights @ values`"
)
def over_the_columns(weights, values):
    return values @ weights / weights.sum()


@weighted_average.mistake(
    "the weights are never all zero, so nothing has to be added to their sum: tiny weights count in"
    " proportion, too"
)
def with_an_epsilon(weights, values):
    return weights @ values / (weights.sum() + 1e-8)
