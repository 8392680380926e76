"""Pointing: does a word of a caption attend to what it names?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.datasets.generated.scenes import Caption, Scene

__all__ = ["Pointing", "cover", "pointing", "word_masks"]


@dataclass(frozen=True)
class Pointing:
    """How much of the words' attention falls on the things they name; shares from 0 to 1.

    hits, mass  pointing game and attention mass, see `pointing`
    chance      expected value of both for weights that ignore the picture
    words       number of words counted
    """

    hits: float
    mass: float
    chance: float
    words: int


def cover(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Share of each place of a grid that a mask (height, width) covers, (rows · columns,).

    Raises ValueError if height or width is not a multiple of the grid's.
    """
    height, width = mask.shape
    if height % rows or width % columns:
        raise ValueError(
            f"a mask of {height} × {width} pixels cannot be cut into {rows} × {columns} places"
        )
    cells = mask.reshape(rows, height // rows, columns, width // columns)
    return cells.mean(axis=(1, 3)).reshape(-1)


def pointing(
    weights: Sequence[np.ndarray], masks: Sequence[Sequence[np.ndarray | None]]
) -> Pointing:
    """Attention (words, places) of captions against the masks of their words.

    The mask of a word is the pixels (height, width) that it names, or None if it names nothing. A
    place belongs to a thing if at least one pixel of the thing lies in it. Words that name nothing
    are not counted.

    hits  share of words whose largest weight lies on a place of what they name: the pointing game
          (Zhang et al. 2016, section 4.1)
    mass  mean of the total weight on the places of what a word names

    The probability that a random place hits is the share of places that belong to the thing; evenly
    spread weights have the same mass there.

    Raises ValueError if rows and words differ, if the places do not form a square, or if no word
    names anything.
    """
    hits, mass, chance = [], [], []
    for matrix, named in zip(weights, masks, strict=True):
        if len(matrix) != len(named):
            raise ValueError(
                f"{len(matrix)} rows of attention for {len(named)} words; does the attention still "
                "contain the row of the end mark?"
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
        raise ValueError("no word names anything, so there is nothing to score")
    return Pointing(*(float(np.mean(x)) for x in (hits, mass, chance)), len(hits))


def word_masks(scene: Scene, caption: Caption) -> list[np.ndarray | None]:
    """The pixels (height, width) that each word of a scene's caption names, or None."""
    return [scene.mask(names) if names else None for names in caption.names]
