"""Notebook 00: wrong answers, written as learners write them, get a hint that fits.

The mistakes of the master are tested in test_exercises.py. These are other programs: each is given
with a part of the hint or of the problem that its author needs.
"""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.exercises import check


def loop(weights, values):
    total = torch.zeros(values.shape[1])
    for weight, row in zip(weights, values, strict=True):
        total += weight * row
    return total / sum(weights)


def in_one_product(weights, values):
    return torch.einsum("t,td->d", weights / weights.sum(), values)


def by_shares(weights, values):
    return ((weights / weights.sum()).unsqueeze(1) * values).sum(0)


@pytest.mark.parametrize("answer", [loop, in_one_product, by_shares])
def test_other_right_answers_pass(answer):
    assert check("00.1", answer)


def forgotten_division(weights, values):
    return torch.einsum("t,td->d", weights, values)


def mean_of_weighted_rows(weights, values):
    return (weights.unsqueeze(1) * values).mean(0)


def ignores_the_weights(weights, values):
    return values.sum(0) / values.shape[0]


def one_number_for_all(weights, values):
    return torch.einsum("t,td->", weights, values) / torch.sum(weights)


def softmaxed(weights, values):
    return (F.softmax(weights, -1).unsqueeze(-1) * values).sum(0)


def kept_dimension(weights, values):
    return (weights.unsqueeze(1) * values).sum(0, keepdim=True) / weights.sum()


def weighted_rows(weights, values):
    return (weights / weights.sum()).unsqueeze(1) * values


def scaled_by_the_maximum(weights, values):
    return torch.einsum("t,td->d", weights / weights.amax(), values)


def the_best_friend(weights, values):
    return values[int(weights.max(0).indices)]


def wrong_axis(weights, values):
    return torch.mv(values, weights) / weights.sum()


def guarded(weights, values):
    return weights @ values / weights.sum().clamp(min=1e-8)


def by_numpy(weights, values):
    return np.average(values.numpy(), axis=0, weights=weights.numpy())


def in_place(weights, values):
    weights /= weights.sum()
    return weights @ values


def no_return(weights, values):
    weights @ values / weights.sum()


WRONG = [
    (forgotten_division, "divide by their sum"),
    (mean_of_weighted_rows, "not by their number"),
    (ignores_the_weights, "not used"),
    (one_number_for_all, "sum over the rows only"),
    (softmaxed, "already are weights"),
    (kept_dimension, "shape (D,)"),
    (weighted_rows, "not added"),
    (scaled_by_the_maximum, "largest weight"),
    (the_best_friend, "alone"),
    (wrong_axis, "weights come first"),
    (guarded, "nothing has to be added"),
    (in_place, "copy"),
    (no_return, "`return`"),
]


@pytest.mark.parametrize(
    ("answer", "hint"), WRONG, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_wrong_answer_gets_a_hint_that_fits(answer, hint):
    verdict = check("00.1", answer)
    assert not verdict and hint in verdict.hint


def test_an_array_is_not_a_tensor():
    verdict = check("00.1", by_numpy)
    assert not verdict and "tensor" in verdict.text
