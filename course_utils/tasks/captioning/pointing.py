"""Pointing: does a word of a caption look at what it names?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Pointing", "cover", "pointing", "word_masks"]


@dataclass(frozen=True)
class Pointing:
    """How well the attention of words falls on the things that they name; all shares 0 to 1.

    hits, mass  pointing game and attention mass, see `pointing`
    chance      of both, for weights that ignore the picture
    words       how many words were counted
    """

    hits: float
    mass: float
    chance: float
    words: int


def cover(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(rows · columns,) share of each place of a grid that a mask (height, width) covers."""
    height, width = mask.shape
    if height % rows or width % columns:
        raise ValueError(f"a mask of {height} × {width} pixels has no {rows} × {columns} places")
    cells = mask.reshape(rows, height // rows, columns, width // columns)
    return cells.mean(axis=(1, 3)).reshape(-1)


def pointing(
    weights: Sequence[np.ndarray], masks: Sequence[Sequence[np.ndarray | None]]
) -> Pointing:
    """Attention (words, places) of captions against masks of their words; None names nothing.

    A place belongs to a thing when at least one pixel of the thing lies in it.

    hits  share of words whose largest weight lies on a place of what they name: the pointing game
          (Zhang et al. 2016, section 4.1)
    mass  mean weight on all places of what they name together

    By chance a word hits with the share of places that belong to its thing; evenly spread weights
    have the same mass there.
    """
    hits, mass, chance = [], [], []
    for matrix, named in zip(weights, masks, strict=True):
        if len(matrix) != len(named):
            raise ValueError(
                f"{len(matrix)} rows of attention for {len(named)} words; is the row of the end "
                "mark still in?"
            )
        for row, mask in zip(matrix, named, strict=True):
            if mask is None:
                continue
            side = round(len(row) ** 0.5)
            if side * side != len(row):
                raise ValueError(f"{len(row)} places do not form a square grid")
            holds = cover(np.asarray(mask), side, side) > 0
            hits.append(bool(holds[int(np.argmax(row))]) and float(np.max(row)) > 0)
            mass.append(float(row[holds].sum()))
            chance.append(float(holds.mean()))
    if not hits:
        raise ValueError("no word names anything, so nothing can be pointed at")
    return Pointing(*(float(np.mean(x)) for x in (hits, mass, chance)), len(hits))


def word_masks(scene, caption) -> list[np.ndarray | None]:
    """For each word of a scene's caption the pixels it names, None where it names nothing."""
    return [scene.mask(names) if names else None for names in caption.names]
