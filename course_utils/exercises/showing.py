"""Showing: values as a learner reads them, and the sources of statements, stubs and solutions."""

import ast
import inspect
import math
import textwrap

from course_utils.exercises.comparing import _flat, _is_tensor


def _shown(value, largest=48):
    """A value as a learner reads it: tensors rounded, large ones by shape only."""
    if _is_tensor(value):
        shape = tuple(value.shape)
        values = _flat(value)
        if len(values) > largest:
            return f"tensor of shape {shape}, {value.dtype}"
        nested = _nested([_rounded(one) for one in values], shape)
        return f"tensor({nested})" if 0 not in shape else f"tensor of shape {shape}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        value = tuple(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(_shown(one) for one in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, set) and value:
        return "{" + ", ".join(sorted(map(_shown, value))) + "}"
    return textwrap.shorten(repr(value), 400)


def _rounded(number):
    if not isinstance(number, float):
        return str(number)
    text = f"{number:.4g}"
    return text if any(letter in text for letter in ".einf") else f"{text}.0"


def _nested(values, shape):
    """Texts in brackets as deep as the shape."""
    if not shape:
        return values[0]
    if len(shape) == 1:
        return f"[{', '.join(values)}]"
    step = math.prod(shape[1:])
    parts = [_nested(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
    return f"[{', '.join(parts)}]"


def _clean(text, joined=False):
    text = textwrap.dedent(text).strip()
    return " ".join(text.split()) if joined else text


def _source(function):
    """Source of a function or class without its decorators."""
    source = textwrap.dedent(inspect.getsource(function))
    node = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[node.lineno - 1 :]).rstrip()


def _stub(source):
    """Each function of the source reduced to signature and docstring; classes keep their shape."""
    node = ast.parse(source).body[0]
    lines = source.splitlines()

    def reduced(node):
        first = node.body[0]
        has_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        head_end = first.end_lineno if has_doc else _header_end(node, lines)
        head = min([node.lineno] + [one.lineno for one in node.decorator_list])
        kept = lines[head - 1 : head_end]
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            for index, method in enumerate(methods):
                kept += ([""] if index or has_doc else []) + reduced(method)
            return kept
        return kept + [" " * first.col_offset + "raise NotImplementedError"]

    return "\n".join(reduced(node))


def _header_end(node, lines):
    """Number of the line on which the signature ends (no docstring follows)."""
    end = node.body[0].lineno - 1
    while end > node.lineno and not lines[end - 1].rstrip().endswith(":"):
        end -= 1
    return end
