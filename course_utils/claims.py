"""`claim` states a measured result in a notebook: a tick with the number, or an error when false.

A sentence such as "attention beats average pooling by a factor of three" goes stale silently.
A claim is measured again by every run: a notebook that executes is a notebook whose results hold.
"""

import math
import numbers

__all__ = ["ClaimError", "claim"]


class ClaimError(AssertionError):
    """A result that was stated does not hold in this run."""


def claim(text, value, at_least=None, at_most=None):
    """Print `✔ text: value (bound)` when the value keeps its bounds; raise when it does not.

    value: a Python number or bool, or anything with one element and `.item()` (PyTorch, NumPy).
    at_least, at_most: inclusive bounds in the value's own unit; at least one is needed.
    Returns the value as a plain Python number.

        claim("attention's share of the right slot", weights[0, 3], at_least=0.8)
        claim("both orders agree", torch.equal(a, b), at_least=True)

    Raises ClaimError (an AssertionError) when the value is outside its bounds, not a number (NaN),
    or not one number at all; ValueError when the bounds themselves make no sense.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError("claim(text, value, …): the text says what is claimed; it cannot be empty")
    if at_least is None and at_most is None:
        raise ValueError(f"“{text}” claims nothing: give at_least=…, at_most=…, or both")
    low = None if at_least is None else _bound(text, "at_least", at_least)
    high = None if at_most is None else _bound(text, "at_most", at_most)
    if low is not None and high is not None and low > high:
        raise ValueError(
            f"“{text}”: nothing is at least {_written(low)} and at most {_written(high)};"
            " are the two bounds swapped?"
        )

    bounds = _bounds(low, high)
    number = _number(value)
    if number is None:
        raise ClaimError(f"✘ {text}: {_description(value)} is not one number (claimed: {bounds})")
    if math.isnan(number):
        raise ClaimError(f"✘ {text}: the value is NaN (claimed: {bounds})")
    too_low = low is not None and number < low
    too_high = high is not None and number > high
    if too_low or too_high:
        raise ClaimError(f"✘ {text}: {_told_apart(number, low if too_low else high)} ({bounds})")

    shown = _written(number)
    print(f"✔ {text}: {shown}" if isinstance(number, bool) else f"✔ {text}: {shown} ({bounds})")
    return number


def _number(value):
    """The value as a Python bool, int or float; None when it is not one number."""
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


def _bound(text, name, bound):
    number = _number(bound)
    if number is None or math.isnan(number):
        raise ValueError(f"“{text}”: {name} = {_description(bound)} is not one number")
    return number


def _bounds(low, high):
    parts = []
    if low is not None:
        parts.append(f"at least {_written(low)}")
    if high is not None:
        parts.append(f"at most {_written(high)}")
    return " and ".join(parts)


def _written(number, digits=3):
    """Integers with thousands separators, other numbers to three significant digits."""
    if isinstance(number, bool):
        return "yes" if number else "no"
    if isinstance(number, int):
        return f"{number:,}"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    if number != 0 and not 1e-4 <= abs(number) < 1e9:
        return f"{number:.{digits - 1}g}"
    if abs(number) >= 10 ** (digits - 1):
        return f"{number:,.0f}"
    return f"{number:.{digits}g}"


def _told_apart(number, bound):
    """The number with as many digits as it takes not to look like the bound that it breaks."""
    for digits in range(3, 18):
        if _written(number, digits) != _written(bound, digits):
            return _written(number, digits)
    return repr(number)


def _description(value):
    shape = getattr(value, "shape", None)
    if shape is not None and not callable(shape):
        return f"{type(value).__name__} of shape {tuple(shape)}"
    return f"{value!r}"
