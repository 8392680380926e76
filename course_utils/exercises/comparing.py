"""Comparing: how the result of an answer differs from the expected one, in words."""

from typing import Any

from course_utils.messages import _, ngettext

__all__ = ["difference", "flat_values", "is_tensor", "with_article"]


def difference(expected: Any, got: Any, rtol: float = 1e-4, atol: float = 1e-5) -> str | None:
    """How ``got`` differs from ``expected``, in the learner's language; None if it does not.

    Tensors and arrays are compared by kind of number, shape and values, lists, tuples and dicts
    element by element. Floats of any precision are equal if |got − expected| ≤ atol +
    rtol · |expected|, or if both are NaN or the same infinity; all other numbers have to be
    identical. A tensor without dimensions and a number are interchangeable, a list and a tuple too.
    """
    found = _first_difference(expected, got, rtol, atol)
    if found is None:
        return None
    place, problem = found
    return _("at {place}: {problem}").format(place=place, problem=problem) if place else problem


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor or an array; NumPy's scalars count as arrays of shape ()."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def flat_values(tensor: Any) -> list[Any]:
    """The elements of a tensor or array of any shape, row by row, as Python numbers."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
    return tensor.reshape(-1).tolist()


def with_article(value: Any) -> str:
    """The name of a value's type with its article, for example "an int"."""
    name = type(value).__name__
    if name[0].lower() in "aeiou" or name == "ndarray":
        return _("an {type}").format(type=name)
    return _("a {type}").format(type=name)


def _first_difference(expected: Any, got: Any, rtol: float, atol: float) -> tuple[str, str] | None:
    """(place, problem), for example ("[1]['a']", "the result is wrong").

    The place is empty if the problem concerns the whole value.
    """
    if not is_tensor(expected) and is_tensor(got) and getattr(got, "ndim", 1) == 0:
        got = got.item()
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        return _sequence_difference(expected, got, rtol, atol)
    if isinstance(expected, dict) and isinstance(got, dict):
        return _dict_difference(expected, got, rtol, atol)
    problem = _problem(expected, got, rtol, atol)
    return None if problem is None else ("", problem)


def _sequence_difference(
    expected: list[Any] | tuple[Any, ...],
    got: list[Any] | tuple[Any, ...],
    rtol: float,
    atol: float,
) -> tuple[str, str] | None:
    if len(got) != len(expected):
        text = ngettext(
            "got {count} value, expected {expected}",
            "got {count} values, expected {expected}",
            len(got),
        )
        return "", text.format(count=len(got), expected=len(expected))
    for index, pair in enumerate(zip(expected, got, strict=True)):
        if found := _first_difference(*pair, rtol, atol):
            return f"[{index}]{found[0]}", found[1]
    return None


def _dict_difference(
    expected: dict[Any, Any], got: dict[Any, Any], rtol: float, atol: float
) -> tuple[str, str] | None:
    if expected.keys() != got.keys():
        text = _("the keys are {got}, expected {expected}")
        return "", text.format(got=sorted(map(str, got)), expected=sorted(map(str, expected)))
    for key in expected:
        if found := _first_difference(expected[key], got[key], rtol, atol):
            return f"[{key!r}]{found[0]}", found[1]
    return None


def _problem(expected: Any, got: Any, rtol: float, atol: float) -> str | None:
    """What is wrong with a value as a whole."""
    if got is None and expected is not None:
        return _("the result is None")
    if is_tensor(expected):
        return _tensor_problem(expected, got, rtol, atol)
    if isinstance(expected, bool) or isinstance(got, bool) or isinstance(expected, str):
        return _wrong_unless(isinstance(got, bool | int | str) and expected == got)
    if isinstance(expected, int | float):
        return _number_problem(expected, got, rtol, atol)
    if isinstance(expected, dict):
        return _other_type(got, _("a {type}").format(type="dict"))
    if isinstance(expected, list | tuple) or type(expected) is not type(got):
        return _other_type(got, with_article(expected))
    return _wrong_unless(expected == got)


def _tensor_problem(expected: Any, got: Any, rtol: float, atol: float) -> str | None:
    shape = tuple(expected.shape)
    if not is_tensor(got):
        if shape == () and isinstance(got, int | float) and not isinstance(got, bool):
            return _number_problem(expected.item(), got, rtol, atol)
        return _other_type(got, _("a tensor of shape {shape}").format(shape=shape))
    if tuple(got.shape) != shape:
        text = _("the shape is {got}, expected {expected}")
        if sorted(got.shape) == sorted(shape):
            text = _("the shape is {got}, expected {expected}: two dimensions are swapped")
        return text.format(got=tuple(got.shape), expected=shape)
    if _kind(got) != _kind(expected):
        text = _("the numbers are of type {got}, expected {expected}")
        return text.format(got=got.dtype, expected=expected.dtype)
    if hasattr(expected, "detach") != hasattr(got, "detach"):
        return _other_type(got, with_article(expected))
    if _kind(expected) != "float":
        return _wrong_unless(flat_values(expected) == flat_values(got))
    return _float_problem(expected, got, rtol, atol, _("there are NaNs in the result"))


def _number_problem(expected: int | float, got: Any, rtol: float, atol: float) -> str | None:
    if not isinstance(got, int | float):
        return _other_type(got, _("a number"))
    if isinstance(expected, int):
        if isinstance(got, float):
            return _("got a float, expected an integer")
        return _wrong_unless(expected == got)
    return _float_problem(expected, got, rtol, atol, _("the result is NaN"))


def _float_problem(expected: Any, got: Any, rtol: float, atol: float, nan: str) -> str | None:
    """Compares values of equal shape in double precision. nan: the problem if got has new NaNs."""
    import torch

    def double(value: Any) -> torch.Tensor:
        numbers = flat_values(value) if is_tensor(value) else [value]
        return torch.tensor(numbers, dtype=torch.float64)

    try:
        ours, theirs = double(expected), double(got)
    except OverflowError:  # an integer that no float can represent
        return _wrong_unless(False)
    if (theirs.isnan() & ~ours.isnan()).any():
        return nan
    try:
        torch.testing.assert_close(theirs, ours, rtol=rtol, atol=atol, equal_nan=True)
    except AssertionError:
        return _wrong_unless(False)
    return None


def _kind(tensor: Any) -> str:
    """The kind of the numbers in a tensor or array: "float", "integer", "complex" or "bool"."""
    name = str(tensor.dtype)
    for kind in ("bool", "complex", "float"):
        if kind in name:
            return kind
    return "integer"


def _other_type(got: Any, expected: str) -> str:
    return _("got {got}, expected {expected}").format(got=with_article(got), expected=expected)


def _wrong_unless(right: bool) -> str | None:
    return None if right else _("the result is wrong")
