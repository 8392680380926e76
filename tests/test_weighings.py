"""Sparse and hard weights: against their definitions, with masks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.models.weighings import sparsemax, top_softmax

ROWS = st.lists(
    st.lists(st.floats(-6, 6, width=32), min_size=5, max_size=5), min_size=1, max_size=3
)
MASKS = st.lists(st.booleans(), min_size=5, max_size=5)


def nearest(scores):
    """The point of the simplex nearest to a row of scores: its threshold by bisection."""
    low, high = scores.min() - 1, scores.max()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (scores - middle).clamp_min(0).sum() > 1 else (low, middle)
    return (scores - low).clamp_min(0)


@settings(deadline=None)
@given(ROWS, MASKS)
def test_sparsemax_is_the_nearest_point_of_the_simplex(rows, allowed):
    scores, mask = torch.tensor(rows, requires_grad=True), torch.tensor(allowed)
    weights = sparsemax(scores, mask)
    weights.square().sum().backward()
    assert scores.grad.isfinite().all() and (scores.grad[:, ~mask] == 0).all()
    assert (weights[:, ~mask] == 0).all()
    for row, found in zip(scores.detach().double(), weights.detach().double(), strict=True):
        expected = nearest(row[mask]) if mask.any() else row[mask]
        torch.testing.assert_close(found[mask], expected, atol=1e-5, rtol=0)


@settings(deadline=None)
@given(ROWS, MASKS, st.integers(1, 7))
def test_only_the_largest_scores_count(rows, allowed, count):
    scores, mask = torch.tensor(rows), torch.tensor(allowed)
    weights = top_softmax(scores, mask, count)
    for row, found in zip(scores, weights, strict=True):
        border = row[mask].sort(descending=True).values[:count]
        kept = mask & (row >= border[-1]) if mask.any() else mask
        expected = torch.zeros(5)
        expected[kept] = row[kept].softmax(0)
        torch.testing.assert_close(found, expected)
        assert bool(found.sum() > 0) is bool(mask.any())


def test_half_precision_and_errors():
    scores = torch.tensor([[3.0, 1.0, 2.5]])
    assert sparsemax(scores.bfloat16(), None).dtype == torch.bfloat16
    torch.testing.assert_close(sparsemax(scores, None), torch.tensor([[0.75, 0.0, 0.25]]))
    torch.testing.assert_close(top_softmax(scores, None, 1), torch.tensor([[1.0, 0.0, 0.0]]))
    with pytest.raises(ValueError, match="at least one key, got count=0"):
        top_softmax(scores, None, 0)
    for weigh in (sparsemax, top_softmax):
        with pytest.raises(TypeError, match="bool"):
            weigh(scores, torch.ones(1, 3))
