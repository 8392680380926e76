"""`claim` states a measured result in a notebook: a tick with the number, or an error when false.

A sentence such as "attention beats average pooling by a factor of three" goes stale silently.
A claim is measured again by every run: a notebook that executes is a notebook whose results hold.
"""

import math
import numbers
from typing import Any

from course_utils.messages import _, localised

__all__ = ["ClaimError", "claim"]


class ClaimError(AssertionError):
    """A stated result does not hold in this run."""


def claim(
    text: str,
    value: Any,
    /,
    at_least: Any = None,
    at_most: Any = None,
    **values: object,
) -> bool | int | float:
    """Print `✔ text: value (bound)` when the value keeps its bounds; raise when it does not.

    text: what is claimed; looked up in the learner's language. Its placeholders, such as {way}, are
        filled from the keyword `values` after the lookup, so it must be a literal.
    value: a Python number or bool, or anything with one element and `.item()` (PyTorch, NumPy).
    at_least, at_most: inclusive bounds in the value's own unit; at least one is needed.
    Returns the value as a plain Python number.

        claim("attention's share of the right slot", weights[0, 3], at_least=0.8)
        claim("both orders agree", torch.equal(a, b), at_least=True)
        claim("{way}: errors in 100 words", errors[way], at_most=20, way=way)

    Raises ClaimError (an AssertionError) when the value is outside its bounds, is not a number
    (NaN), or has more than one element; ValueError when the bounds themselves make no sense, or
    when the keywords do not match the placeholders.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError("claim(text, value, …): the text says what is claimed; it cannot be empty")
    text = localised(text, **values)
    if at_least is None and at_most is None:
        raise ValueError(f"“{text}” claims nothing: give at_least=…, at_most=…, or both")
    low = None if at_least is None else _bound(text, "at_least", at_least)
    high = None if at_most is None else _bound(text, "at_most", at_most)
    if low is not None and high is not None and low > high:
        raise ValueError(
            f"“{text}”: no value is at least {_written(low)} and at most {_written(high)};"
            " are the two bounds swapped?"
        )

    bounds = _bounds(low, high)
    number = _number(value)
    if number is None:
        raise ClaimError(
            _("✘ {text}: {value} is not a single number (claimed: {bounds})").format(
                text=text, value=_description(value), bounds=bounds
            )
        )
    if math.isnan(number):
        raise ClaimError(
            _("✘ {text}: the value is NaN (claimed: {bounds})").format(text=text, bounds=bounds)
        )
    broken = [bound for bound in (low,) if bound is not None and number < bound]
    broken += [bound for bound in (high,) if bound is not None and number > bound]
    if broken:
        shown = _written_apart(number, broken[0])
        raise ClaimError(
            _("✘ {text}: {value} ({bounds})").format(text=text, value=shown, bounds=bounds)
        )

    template = (
        _("✔ {text}: {value}") if isinstance(number, bool) else _("✔ {text}: {value} ({bounds})")
    )
    print(template.format(text=text, value=_written(number), bounds=bounds))
    return number


def _number(value: Any) -> bool | int | float | None:
    """The value as a Python bool, int or float; None when it is not a single number."""
    if hasattr(value, "item"):
        try:
            value = value.item()
        except (ValueError, RuntimeError, TypeError):  # more than one element
            return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, numbers.Real):  # a fraction, for example
        return float(value)
    return None


def _bound(text: str, name: str, bound: Any) -> bool | int | float:
    number = _number(bound)
    if number is None or math.isnan(number):
        raise ValueError(f"“{text}”: {name} = {_description(bound)} is not a single number")
    return number


def _bounds(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        if low is not None:
            return _("at least {low}").format(low=_written(low))
        return "" if high is None else _("at most {high}").format(high=_written(high))
    return _("at least {low} and at most {high}").format(low=_written(low), high=_written(high))


def _written(number: bool | int | float, digits: int = 3) -> str:
    """Integers with thousands separators, other numbers to three significant digits."""
    if isinstance(number, bool):
        return _("yes") if number else _("no")
    if isinstance(number, int):
        return f"{number:,}"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    if number != 0 and not 1e-4 <= abs(number) < 1e9:
        return f"{number:.{digits - 1}g}"
    if abs(number) >= 10 ** (digits - 1):
        return f"{number:,.0f}"
    return f"{number:.{digits}g}"


def _written_apart(number: float, bound: float) -> str:
    """The number with enough digits to look different from the bound that it breaks."""
    for digits in range(3, 18):
        if _written(number, digits) != _written(bound, digits):
            return _written(number, digits)
    return repr(number)


def _description(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None and not callable(shape):
        return _("{kind} of shape {shape}").format(kind=type(value).__name__, shape=tuple(shape))
    return f"{value!r}"
