"""Checks: what functions ask of their arguments, in one place. An error names the mistake."""

from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

__all__ = [
    "check_lengths",
    "check_list",
    "check_mask",
    "check_tensor",
    "check_texts",
    "looked_up",
    "peek",
]

Item = TypeVar("Item")

KINDS = {
    "integers": lambda dtype: not dtype.is_floating_point and dtype != torch.bool,
    "floats": lambda dtype: dtype.is_floating_point,
}


def check_tensor(name: str, value: Any, *shape: int | str, kind: str | None = None) -> None:
    """Raise an error, naming ``name``, unless ``value`` is a tensor of this shape and kind.

    shape  one entry for each dimension: its size, or a word for a dimension of any size; without
           entries, any shape will do
    kind   "integers" (no booleans), "floats", or None for both

    Raises TypeError for anything but a tensor, ValueError for another shape or kind.
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a tensor, got {type(value).__module__}.{type(value).__qualname__}; "
            "torch.as_tensor converts lists and arrays"
        )
    fits = value.dim() == len(shape) and all(
        isinstance(size, str) or size == found
        for size, found in zip(shape, value.shape, strict=True)
    )
    if shape and not fits:
        hint = ""
        if value.dim() == len(shape) - 1 and len(shape) in (2, 3):
            index = "[None]" if len(shape) == 2 else "[:, None]"
            hint = f"; add the dimension of {shape[-2]} with {index}"
        raise ValueError(
            f"{name} must have shape ({', '.join(map(str, shape))}), got {tuple(value.shape)}{hint}"
        )
    if kind is not None and not KINDS[kind](value.dtype):
        raise ValueError(f"{name} must be {kind}, got {value.dtype} {tuple(value.shape)}")


def check_mask(attend_mask: Any) -> None:
    """Raise TypeError unless ``attend_mask`` is a boolean tensor."""
    if not isinstance(attend_mask, Tensor) or attend_mask.dtype != torch.bool:
        found = getattr(attend_mask, "dtype", type(attend_mask).__name__)
        raise TypeError(
            f"attend_mask must be a boolean tensor (True = may attend), got {found}; "
            "a float mask of 0 and -inf is a different convention"
        )


def check_lengths(rows: str, lengths: Tensor, batch: int, longest: int) -> None:
    """Raise ValueError unless ``lengths`` are ``batch`` integers from 1 to ``longest``.

    ``rows`` says what they are the lengths of: "source is (2, 7)". The values are compared where
    `peek` can read them.
    """
    check_tensor("lengths", lengths, "batch", kind="integers")
    fit = len(lengths) == batch and (
        not batch or peek(((lengths < 1) | (lengths > longest)).any()) is not True
    )
    if not fit:
        raise ValueError(
            f"{rows}, so {batch} lengths from 1 to {longest} are expected; "
            f"got {lengths.tolist()[:8]}{' …' if len(lengths) > 8 else ''}"
        )


def check_list(name: str, items: Iterable[Item], what: str = "items") -> list[Item]:
    """The items as a list.

    Raises TypeError for a text, which would be read letter by letter, and for a collection without
    an order. ``what`` says what is expected.
    """
    if isinstance(items, str | bytes | Mapping | Set) or not isinstance(items, Iterable):
        raise TypeError(
            f"{name} must be a list of {what}, got one {type(items).__name__}"
            + ("; write [text] for a single text" * isinstance(items, str))
        )
    return list(items)


def check_texts(name: str, texts: Iterable[str]) -> list[str]:
    """`check_list` for texts; TypeError, too, for anything in it that is not a text."""
    texts = check_list(name, texts, "texts")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name} must be texts, but number {number} is a {type(text).__name__}")
    return texts


def peek(value: Tensor) -> int | float | bool | None:
    """The value of a tensor of one element.

    None where it cannot be read: on the device "meta", inside `torch.vmap`, and while a graph is
    compiled.
    """
    if torch.compiler.is_compiling():
        return None
    try:
        return value.item()
    except RuntimeError:
        return None


def looked_up(embedding: nn.Embedding, ids: Tensor) -> Tensor:
    """The vectors of ids; IndexError, with the ids, if there are some outside the embedding."""
    try:
        return embedding(ids)
    except IndexError:
        raise IndexError(
            f"ids from {int(ids.min())} to {int(ids.max())} for an embedding of "
            f"{embedding.num_embeddings}; were they made with another vocabulary?"
        ) from None
