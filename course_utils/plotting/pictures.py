"""Attention drawn over a picture, word by word."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from course_utils.plotting.matrices import _array

__all__ = ["picture_attention"]


def picture_attention(picture, weights, words, *, masks=None, columns=6, first=True, width=11.0):
    """Where each word looks in a picture: one small picture a word, the attended places light up.

    picture: (height, width, 3) bytes. weights: (words, places), the places a square grid, row by
        row; each word's own largest weight is drawn at full strength, so compare places within a
        picture, not pictures with each other. The number beside the word is that largest weight.
    masks: for each word a (height, width) bool mask of what it names, or None; outlined.
    first: the picture itself comes first. Returns the figure; ValueError when sizes do not fit.
    """
    picture, weights = _array(picture), _array(weights).astype(float)
    words = [str(word) for word in words]
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is (height, width, 3), got {picture.shape}")
    side = round(weights.shape[-1] ** 0.5) if weights.ndim == 2 else 0
    if weights.ndim != 2 or len(weights) != len(words) or side * side != weights.shape[1]:
        raise ValueError(
            f"weights have shape {weights.shape} for {len(words)} words: (words, places) with a"
            " square number of places is needed; is the row of the end mark still in?"
        )
    if masks is not None and len(masks) != len(words):
        raise ValueError(f"{len(masks)} masks for {len(words)} words")
    height, wide = picture.shape[:2]
    panels = len(words) + bool(first)
    columns = max(1, min(columns, panels))
    rows = -(-panels // columns)
    each = width / columns
    tall = each * height / wide + 0.32
    fig, axes = plt.subplots(
        rows, columns, figsize=(width, rows * tall), squeeze=False, layout="none"
    )
    # Places worked out here: an automatic layout takes seconds for forty small pictures.
    fig.subplots_adjust(0, 0, 1, 1 - 0.3 / (rows * tall), wspace=0.04, hspace=0.36 / tall)
    axes = list(axes.flat)
    for ax in axes:
        ax.set_axis_off()
    if first:
        axes[0].imshow(picture)
        axes = axes[1:]
    grey = picture.mean(axis=2, keepdims=True)
    pale = (0.35 * picture + 0.65 * (0.5 * grey + 20)).astype(np.uint8)
    for number, (ax, word, row) in enumerate(zip(axes, words, weights, strict=False)):
        ax.imshow(pale)
        top = max(float(row.max()), 1e-12)
        light = np.zeros((side, side, 4))
        light[..., :3] = mpl.colors.to_rgb("#FFD23F")
        light[..., 3] = 0.85 * row.reshape(side, side) / top
        edges = (-0.5, wide - 0.5, height - 0.5, -0.5)
        ax.imshow(light, extent=edges, interpolation="bilinear")
        mask = None if masks is None else masks[number]
        if mask is not None:
            ax.contour(_array(mask).astype(float), levels=[0.5], colors="white", linewidths=1.4)
        ax.set_title(f"{word}  {row.max():.2f}".replace("0.", "."), fontsize=11, pad=3,
                     fontweight="normal", loc="center")  # fmt: skip
    return fig
