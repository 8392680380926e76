"""Comparing: what is different about an answer's result, in words."""

import math

__all__ = ["difference"]


def difference(expected, got, rtol=1e-4, atol=1e-5):
    """What is different about `got`, in words; None when it is the expected value.

    Tensors and arrays are compared in kind, shape and value, floats within rtol and atol, sequences
    and dicts element by element. A tensor with one element passes for a number.
    """
    if got is None and expected is not None:
        return "nothing came back (None)"
    if _is_tensor(expected):
        return _tensor_difference(expected, got, rtol, atol)
    if _is_tensor(got) and getattr(got, "ndim", 1) == 0:
        got = got.item()
    if isinstance(expected, bool) or isinstance(got, bool) or isinstance(expected, str):
        same = isinstance(got, bool | int | str) and expected == got
        return None if same else "the result is wrong"
    if isinstance(expected, int | float):
        return _number_difference(expected, got, rtol, atol)
    if isinstance(expected, list | tuple):
        return _sequence_difference(expected, got, rtol, atol)
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return f"{_a(got)} came back, expected a dict"
        if expected.keys() != got.keys():
            return f"the keys are {sorted(map(str, got))}, expected {sorted(map(str, expected))}"
        for key in expected:
            problem = difference(expected[key], got[key], rtol, atol)
            if problem:
                nested = problem.startswith("at [")
                return f"at [{key!r}]" + (problem.removeprefix("at ") if nested else f": {problem}")
        return None
    if type(expected) is not type(got):
        return f"{_a(got)} came back, expected {_a(expected)}"
    return None if expected == got else "the result is wrong"


def _a(value):
    """The value's type with its article."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' or name == 'ndarray' else 'a'} {name}"


def _is_tensor(value):
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _kind(value):
    """ "float", "integer", "complex" or "bool" of a tensor or array."""
    name = str(value.dtype)
    if "bool" in name:
        return "bool"
    if "complex" in name:
        return "complex"
    return "float" if "float" in name else "integer"


def _tensor_difference(expected, got, rtol, atol):
    if not _is_tensor(got):
        if (
            isinstance(got, int | float)
            and not isinstance(got, bool)
            and tuple(expected.shape) == ()
        ):
            return _number_difference(expected.item(), got, rtol, atol)
        return f"{_a(got)} came back, expected a tensor of shape {tuple(expected.shape)}"
    if tuple(got.shape) != tuple(expected.shape):
        sizes = f"the shape is {tuple(got.shape)}, expected {tuple(expected.shape)}"
        if sorted(got.shape) == sorted(expected.shape):
            return f"{sizes}: two dimensions are swapped"
        return sizes
    if _kind(got) != _kind(expected):
        return f"the numbers are of type {got.dtype}, expected {expected.dtype}"
    if hasattr(expected, "detach") != hasattr(got, "detach"):
        return f"{_a(got)} came back, expected {_a(expected)}"
    ours, theirs = _flat(expected), _flat(got)
    if _kind(expected) != "float":
        return None if ours == theirs else "the result is wrong"
    pairs = list(zip(ours, theirs, strict=True))
    if any(math.isnan(b) and not math.isnan(a) for a, b in pairs):
        return "there are NaNs in the result"
    close = all(_close(a, b, rtol, atol) for a, b in pairs)
    return None if close else "the result is wrong"


def _flat(tensor):
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
    return tensor.reshape(-1).tolist()


def _close(expected, got, rtol, atol):
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    return expected == got or abs(expected - got) <= atol + rtol * abs(expected)


def _number_difference(expected, got, rtol, atol):
    if not isinstance(got, int | float):
        return f"{_a(got)} came back, expected a number"
    if isinstance(expected, int):
        if isinstance(got, float):
            return "a float came back, expected an integer"
        return None if expected == got else "the result is wrong"
    if math.isnan(got) and not math.isnan(expected):
        return "the result is NaN"
    return None if _close(expected, got, rtol, atol) else "the result is wrong"


def _sequence_difference(expected, got, rtol, atol):
    if not isinstance(got, list | tuple):
        return f"{_a(got)} came back, expected {_a(expected)}"
    if len(got) != len(expected):
        return f"{len(got)} values came back, expected {len(expected)}"
    for place, (ours, theirs) in enumerate(zip(expected, got, strict=True)):
        problem = difference(ours, theirs, rtol, atol)
        if problem:
            nested = problem.startswith("at [")
            return f"at [{place}]" + (problem.removeprefix("at ") if nested else f": {problem}")
    return None
