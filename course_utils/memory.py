"""Memory: what an encoder produces and attention reads. `Rows` is the base of all such records."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

__all__ = ["Memory", "Rows"]


@dataclass(frozen=True)
class Rows:
    """Base of a frozen dataclass that describes B inputs, one per row.

    A field is a tensor (B, …), another `Rows`, or a tuple of these. Anything else (None, a number)
    describes all inputs alike. Search needs no more of a memory or of a decoder's state than the
    two methods here, so a subclass may hold whatever its decoder needs:

        @dataclass(frozen=True)
        class PictureAndQuestion(Rows):
            picture: Memory
            question: Memory

    If the rows are in another dimension, as in the state (layers, B, H) of PyTorch's recurrences,
    the field says in which one: ``hidden: Tensor = field(metadata={"rows": 1})``.
    """

    def select(self, rows: Tensor) -> Self:
        """The same for some rows of the batch, in that order; a row may be repeated.

        ``rows`` (N,) integers.
        """
        chosen = {
            field.name: _select(getattr(self, field.name), rows, field.metadata.get("rows", 0))
            for field in fields(self)
        }
        return replace(self, **chosen)

    def __len__(self) -> int:
        """B, the number of inputs."""
        for field in fields(self):
            count = _count(getattr(self, field.name), field.metadata.get("rows", 0))
            if count is not None:
                return count
        raise TypeError(f"a {type(self).__name__} without tensors has no number of inputs")


def _select(value: Any, rows: Tensor, dim: int) -> Any:
    if isinstance(value, Tensor):
        return value[(slice(None),) * dim + (rows,)]
    if isinstance(value, tuple):
        return tuple(_select(part, rows, dim) for part in value)
    return value.select(rows) if isinstance(value, Rows) else value


def _count(value: Any, dim: int) -> int | None:
    if isinstance(value, Tensor):
        return value.shape[dim]
    if isinstance(value, tuple):
        return next((n for part in value if (n := _count(part, dim)) is not None), None)
    return len(value) if isinstance(value, Rows) else None


@dataclass(frozen=True)
class Memory(Rows):
    """What any encoder (text, image, speech) produces for the decoder.

    keys         (B, Tk, Dk)  compared with the query
    values       (B, Tk, Dv)  averaged (often the keys themselves)
    attend_mask  (B, Tk)      boolean, True = a real position, False = padding
    summary      (B, Ds)      the whole input in one vector: the decoder starts from it, and a
                              decoder without attention gets nothing else

    A subclass may add fields, such as the ids at the positions for a decoder that copies them.
    Raises ValueError if B or Tk differ between the tensors.
    """

    keys: Tensor
    values: Tensor
    attend_mask: Tensor
    summary: Tensor

    def __post_init__(self) -> None:
        B, Tk = self.keys.shape[:2]
        for name, shape, expected in (
            ("values", self.values.shape[:2], (B, Tk)),
            ("attend_mask", self.attend_mask.shape, (B, Tk)),
            ("summary", self.summary.shape[:1], (B,)),
        ):
            if tuple(shape) != expected:
                raise ValueError(
                    f"keys are for {B} inputs with {Tk} positions, but {name} has {tuple(shape)}"
                )
        if self.attend_mask.dtype != torch.bool:
            raise TypeError(f"attend_mask must be boolean, got {self.attend_mask.dtype}")
