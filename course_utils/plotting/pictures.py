"""Attention drawn over a picture, word by word."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.plotting.arrays import to_numpy
from course_utils.plotting.style import PLAIN

__all__ = ["picture_attention"]


def picture_attention(
    picture: Any,
    weights: Any,
    words: Iterable[object],
    *,
    masks: Sequence[Any] | None = None,
    columns: int = 6,
    first: bool = True,
    width: float = 11.0,
) -> Figure:
    """Where each word looks in a picture: one small panel per word, the attended places light up.

    picture: (height, width, 3) bytes. weights: (words, places), or (H, words, places) for one block
        of panels per head, which starts on a new row. The places form a square grid, row by row;
        each word's own largest weight is drawn at full strength, so compare places within a panel,
        not panels with each other. The number beside the word is that largest weight.
    masks: for each word a (height, width) bool mask of what it names, or None; drawn as an outline.
    first: the picture itself comes first, once for each head. columns: panels side by side.
    width: of the figure, in inches. Returns the figure; raises ValueError when sizes do not fit.
    """
    picture, weights = to_numpy(picture), to_numpy(weights).astype(float)
    words = [str(word) for word in words]
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is (height, width, 3), got {picture.shape}")
    side = round(weights.shape[-1] ** 0.5) if weights.ndim in (2, 3) else 0
    if side == 0 or weights.shape[-2] != len(words) or side * side != weights.shape[-1]:
        raise ValueError(
            f"weights have shape {weights.shape} for {len(words)} words: they need to be (words,"
            " places), or (heads, words, places), with a square number of places; is the row of the"
            " end mark still in?"
        )
    if masks is not None and len(masks) != len(words):
        raise ValueError(f"{len(masks)} masks for {len(words)} words")
    several = weights.ndim == 3
    heads = weights if several else weights[None]
    if not len(heads):
        raise ValueError(f"weights have shape {weights.shape}: there is no head to draw")

    height, wide = picture.shape[:2]
    panels = len(words) + bool(first)
    columns = max(1, min(columns, panels))
    rows = -(-panels // columns)  # of one head
    each = width / columns
    tall = each * height / wide + 0.32
    down = rows * len(heads)
    fig, axes = plt.subplots(
        down, columns, figsize=(width, down * tall), squeeze=False, layout="none"
    )
    # The places are computed here: an automatic layout takes seconds for forty small pictures.
    fig.subplots_adjust(0, 0, 1, 1 - 0.3 / (down * tall), wspace=0.04, hspace=0.36 / tall)
    for ax in axes.flat:
        ax.set_axis_off()
    grey = picture.mean(axis=2, keepdims=True)
    pale = (0.35 * picture + 0.65 * (0.5 * grey + 20)).astype(np.uint8)
    for head, block in enumerate(np.split(axes, len(heads))):
        places = list(block.flat)
        if first:
            places[0].imshow(picture)
            if several:
                _title(places[0], f"head {head + 1}")
            places = places[1:]
        for number, (ax, word, row) in enumerate(zip(places, words, heads[head], strict=False)):
            prefix = f"head {head + 1}: " if several and not first and number == 0 else ""
            _panel(ax, pale, row.reshape(side, side), None if masks is None else masks[number])
            _title(ax, f"{prefix}{word}  {f'{row.max():.2f}'.removeprefix('0')}")
    return fig


def _panel(ax: Axes, pale: np.ndarray, weights: np.ndarray, mask: Any) -> None:
    """The pale picture with a light where the weights are, and the outline of the mask."""
    height, wide = pale.shape[:2]
    ax.imshow(pale)
    light = np.zeros((*weights.shape, 4))
    light[..., :3] = mpl.colors.to_rgb("#FFD23F")
    light[..., 3] = 0.85 * weights / max(float(weights.max()), 1e-12)
    edges = (-0.5, wide - 0.5, height - 0.5, -0.5)
    ax.imshow(light, extent=edges, interpolation="bilinear")
    if mask is not None:
        ax.contour(to_numpy(mask).astype(float), levels=[0.5], colors="white", linewidths=1.4)


def _title(ax: Axes, text: str) -> None:
    ax.set_title(text, fontsize=11, pad=3, fontweight="normal", loc="center", **PLAIN)
