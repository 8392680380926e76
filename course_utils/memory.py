"""Memory: what an encoder produces and attention reads. `Rows` is the base of all such records."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from torch import Tensor

from course_utils.checks import check_mask, check_tensor

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

        ``rows`` (N,) integers. A tensor that several fields share (the keys of a memory are often
        its values, too) is gathered once, and the new fields share the result.
        """
        return self._select(rows, {})

    def _select(self, rows: Tensor, done: dict[tuple[int, int], Tensor]) -> Self:
        chosen = {
            field.name: _gather(
                getattr(self, field.name), rows, field.metadata.get("rows", 0), done
            )
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


def _gather(value: Any, rows: Tensor, dim: int, done: dict[tuple[int, int], Tensor]) -> Any:
    """Rows of a field's value. ``done`` holds what has been gathered: id and dimension → result."""
    if isinstance(value, Tensor):
        key = (id(value), dim)
        if key not in done:
            done[key] = value[(slice(None),) * dim + (rows,)]
        return done[key]
    if isinstance(value, tuple):
        return tuple(_gather(part, rows, dim, done) for part in value)
    if not isinstance(value, Rows):
        return value
    # A subclass that selects in a way of its own does so here, too.
    own = type(value).select is not Rows.select
    return value.select(rows) if own else value._select(rows, done)


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
    Raises ValueError if B or Tk differ between the tensors, and TypeError for a mask that is not
    boolean.
    """

    keys: Tensor
    values: Tensor
    attend_mask: Tensor
    summary: Tensor

    def __post_init__(self) -> None:
        check_tensor("keys", self.keys, "batch", "positions", "width")
        check_tensor("values", self.values, "batch", "positions", "width")
        check_tensor("summary", self.summary, "batch", "width")
        check_mask(self.attend_mask)
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
