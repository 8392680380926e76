"""`claim` prints what holds and stops at what does not."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from course_utils.claims import ClaimError, claim


@pytest.mark.parametrize(
    "value, bounds, line",
    [
        (0.87312, {"at_least": 0.8}, "✔ result: 0.873 (at least 0.8)"),
        (0.2, {"at_most": 0.25}, "✔ result: 0.2 (at most 0.25)"),
        (3, {"at_least": 2, "at_most": 4}, "✔ result: 3 (at least 2 and at most 4)"),
        (1234567, {"at_most": 2_000_000}, "✔ result: 1,234,567 (at most 2,000,000)"),
        (12345.6, {"at_least": 1000}, "✔ result: 12,346 (at least 1,000)"),
        (3.14e-7, {"at_most": 1e-5}, "✔ result: 3.1e-07 (at most 1e-05)"),
        (-2.5, {"at_most": 0}, "✔ result: -2.5 (at most 0)"),
        (0.0, {"at_most": 0.0}, "✔ result: 0 (at most 0)"),
        (math.inf, {"at_least": 3}, "✔ result: ∞ (at least 3)"),
        (True, {"at_least": True}, "✔ result: yes"),
        (False, {"at_most": False}, "✔ result: no"),
        (torch.tensor(0.5), {"at_least": 0.5}, "✔ result: 0.5 (at least 0.5)"),
        (torch.tensor([[7]]), {"at_least": 7}, "✔ result: 7 (at least 7)"),
        (torch.tensor(True), {"at_least": True}, "✔ result: yes"),
        (np.float32(12.3456), {"at_least": 3}, "✔ result: 12.3 (at least 3)"),
        (np.int64(40000), {"at_least": 3}, "✔ result: 40,000 (at least 3)"),
        (Fraction(1, 4), {"at_least": 0.25}, "✔ result: 0.25 (at least 0.25)"),
        (2.0, {"at_least": torch.tensor(1.5)}, "✔ result: 2 (at least 1.5)"),
    ],
)
def test_a_true_claim_prints_one_line(capsys, value, bounds, line):
    claim("result", value, **bounds)
    assert capsys.readouterr().out == line + "\n"


def test_the_value_comes_back_as_a_python_number():
    assert claim("ratio", torch.tensor(3.5), at_least=3) == 3.5
    assert type(claim("count", np.int32(5), at_least=3)) is int
    assert claim("equal", torch.tensor(True), at_least=True) is True


@pytest.mark.parametrize(
    "value, bounds, words",
    [
        (0.5, {"at_least": 0.8}, ["0.5", "at least 0.8"]),
        (0.9, {"at_most": 0.8}, ["0.9", "at most 0.8"]),
        (5, {"at_least": 1, "at_most": 4}, ["5", "at least 1 and at most 4"]),
        (False, {"at_least": True}, ["no", "at least yes"]),
        (math.nan, {"at_least": 0.8}, ["NaN", "at least 0.8"]),
        (torch.tensor(math.nan), {"at_most": 0.8}, ["NaN", "at most 0.8"]),
        (-math.inf, {"at_least": 0}, ["−∞", "at least 0"]),
        ("0.9", {"at_least": 0.8}, ["'0.9'", "not a single number", "at least 0.8"]),
        (None, {"at_least": 0.8}, ["None", "not a single number"]),
        ([0.9], {"at_least": 0.8}, ["[0.9]", "not a single number"]),
        (1j, {"at_least": 0.8}, ["1j", "not a single number"]),
        (torch.ones(2, 3), {"at_least": 0.8}, ["Tensor of shape (2, 3)", "not a single number"]),
        (np.ones(4), {"at_least": 0.8}, ["ndarray of shape (4,)", "not a single number"]),
    ],
)
def test_a_false_claim_raises_with_text_value_and_bound(capsys, value, bounds, words):
    with pytest.raises(ClaimError) as caught:
        claim("the result", value, **bounds)
    assert isinstance(caught.value, AssertionError)
    for word in ["the result", *words]:
        assert word in str(caught.value)
    assert capsys.readouterr().out == ""


def test_a_near_miss_is_written_so_that_it_differs_from_the_bound():
    with pytest.raises(ClaimError, match=r"0\.79999 \(at least 0\.8\)"):
        claim("close", 0.79999, at_least=0.8)


@pytest.mark.parametrize(
    "arguments, bounds, message",
    [
        (("nothing", 1.0), {}, "claims nothing"),
        (("", 1.0), {"at_least": 0}, "text"),
        ((0.9, "text"), {"at_least": 0}, "text"),
        (("swapped", 1.0), {"at_least": 3, "at_most": 2}, "are the two bounds swapped"),
        (("bound", 1.0), {"at_least": math.nan}, "at_least = nan"),
        (("bound", 1.0), {"at_most": "3"}, "at_most = '3'"),
    ],
)
def test_bounds_that_make_no_sense_are_the_authors_mistake(arguments, bounds, message):
    with pytest.raises(ValueError, match=message):
        claim(*arguments, **bounds)


@pytest.mark.parametrize("value", [0.5, True, 7])
def test_values_in_the_title_are_filled_in(capsys, value):
    claim("{way}, {rate:.1f} of {{all}}", value, at_most=10, way="CTC", rate=2.345)
    assert capsys.readouterr().out.startswith("✔ CTC, 2.3 of {all}: ")
    with pytest.raises(ClaimError, match="✘ CTC: "):
        claim("{way}", value, at_least=11, way="CTC")


def test_braces_without_values_are_text(capsys):
    claim("the set {a, b}", 1, at_least=1)
    assert capsys.readouterr().out == "✔ the set {a, b}: 1 (at least 1)\n"


def test_a_misspelt_bound_is_not_taken_for_a_value():
    with pytest.raises(ValueError, match="placeholder in the text: at_mots;.*misspelt"):
        claim("rate", 1.0, at_least=0, at_mots=2)
    with pytest.raises(ValueError, match="without a value: way"):
        claim("{way} and {kind}", 1.0, at_least=0, kind="CTC")


def test_title_and_values_may_be_named_like_the_parameters(capsys):
    claim("{text} of {value}", 3, at_least=2, text="errors", value="CTC")
    assert capsys.readouterr().out == "✔ errors of CTC: 3 (at least 2)\n"
