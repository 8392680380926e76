"""Showing: values as a learner reads them, and the source of solutions and stubs."""

import ast
import inspect
import math
import textwrap
from collections.abc import Callable
from typing import Any

from course_utils.exercises.comparing import flat_values, is_tensor
from course_utils.messages import _

__all__ = ["dedented", "describe", "one_line", "solution_regions_of", "source_of", "stub_of"]


def describe(value: Any, largest: int = 48) -> str:
    """A value as a learner reads it: floats with four digits, tensors as nested lists.

    largest: number of elements above which a tensor is described by its shape and type.
    """
    if is_tensor(value):
        shape = tuple(value.shape)
        elements = flat_values(value)
        if len(elements) > largest:
            return _("tensor of shape {shape}, {dtype}").format(shape=shape, dtype=value.dtype)
        if 0 in shape:
            return _("tensor of shape {shape}").format(shape=shape)
        return f"tensor({_nested([_rounded(element) for element in elements], shape)})"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(describe, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        pairs = (f"{key!r}: {describe(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, set) and value:
        return "{" + ", ".join(sorted(map(describe, value))) + "}"
    return textwrap.shorten(repr(value), 400)


def _rounded(number: Any) -> str:
    if not isinstance(number, float):
        return str(number)
    text = f"{number:.4g}"
    return text if any(letter in text for letter in ".einf") else f"{text}.0"


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    """Texts in brackets, nested as the shape says."""
    if not shape:
        return texts[0]
    if len(shape) == 1:
        return f"[{', '.join(texts)}]"
    step = math.prod(shape[1:])
    parts = [_nested(texts[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
    return f"[{', '.join(parts)}]"


def dedented(text: str) -> str:
    """Paragraphs of a literal without its indentation and the empty lines around it."""
    return textwrap.dedent(text).strip()


def one_line(text: str) -> str:
    """A literal of several lines as one line, with single spaces."""
    return " ".join(text.split())


def source_of(definition: Callable[..., Any]) -> str:
    """The source of a function or class without its decorators."""
    source = textwrap.dedent(inspect.getsource(definition))
    node = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[node.lineno - 1 :]).rstrip()


def stub_of(source: str) -> str:
    """A function reduced to signature and docstring, then `raise NotImplementedError`.

    In a class, each method becomes such a stub.
    """
    return _with_bodies(source, lambda body, indent: [f"{indent}raise NotImplementedError"])


def solution_regions_of(source: str) -> str:
    """A function with its body between the marks of nbgrader; in a class, each method."""
    begin, end = "### BEGIN SOLUTION", "### END SOLUTION"
    return _with_bodies(source, lambda body, indent: [indent + begin, *body, indent + end])


def _with_bodies(source: str, changed: Callable[[list[str], str], list[str]]) -> str:
    """A function with its signature, its docstring and, of the lines below, what is made of them.

    changed: gets these lines and their indentation.
    """
    node = ast.parse(source).body[0]
    lines = source.splitlines()

    def reduced(node: Any) -> list[str]:
        first = node.body[0]
        has_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        head_end = first.end_lineno if has_doc else _header_end(node, lines)
        head = min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])
        kept = lines[head - 1 : head_end]
        if isinstance(node, ast.ClassDef):
            methods = [method for method in node.body if isinstance(method, ast.FunctionDef)]
            for index, method in enumerate(methods):
                kept += ([""] if index or has_doc else []) + reduced(method)
            return kept
        return kept + changed(lines[head_end : node.end_lineno], " " * first.col_offset)

    return "\n".join(reduced(node))


def _header_end(node: Any, lines: list[str]) -> int:
    """Number of the line on which the signature ends, if no docstring follows it."""
    end = node.body[0].lineno - 1
    while end > node.lineno and not lines[end - 1].rstrip().endswith(":"):
        end -= 1
    return end
