"""Memory: what an encoder leaves behind and attention reads."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Memory"]


@dataclass(frozen=True)
class Memory:
    """What any encoder (text, image, speech) leaves for the decoder.

    keys         (B, Tk, Dk)  where to look
    values       (B, Tk, Dv)  what is read there (often the keys themselves)
    attend_mask  (B, Tk)      boolean, True = a real position, False = padding
    summary      (B, Ds)      the whole input in one vector: starts the decoder, and is all that a
                              decoder without attention gets
    """

    keys: Tensor
    values: Tensor
    attend_mask: Tensor
    summary: Tensor

    def __post_init__(self):
        B, Tk = self.keys.shape[:2]
        for name, shape, wanted in (
            ("values", self.values.shape[:2], (B, Tk)),
            ("attend_mask", self.attend_mask.shape, (B, Tk)),
            ("summary", self.summary.shape[:1], (B,)),
        ):
            if tuple(shape) != wanted:
                raise ValueError(
                    f"memory of {B} inputs with {Tk} positions, but {name} has {tuple(shape)}"
                )
        if self.attend_mask.dtype != torch.bool:
            raise TypeError(f"attend_mask must be boolean, got {self.attend_mask.dtype}")

    def select(self, rows: Tensor) -> "Memory":
        """The memory of some rows of the batch, in that order; a row may come several times."""
        return Memory(
            self.keys[rows], self.values[rows], self.attend_mask[rows], self.summary[rows]
        )
