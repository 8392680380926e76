"""Heat maps of attention matrices."""

import math

import numpy as np
from matplotlib.patches import Rectangle

from course_utils.plotting.style import GOLD, GREY, LIGHT, WEIGHTS, new_figure

__all__ = ["attention_matrix"]

_SMALL_MATRIX = 10  # with at most this many rows and columns, values are written into the cells


def attention_matrix(
    weights,
    columns,
    rows,
    *,
    column_mask=None,
    gold=None,
    ax=None,
    title=None,
    cell_values="auto",
):
    """Attention weights as a heat map: one row for each query token, one column for each key token.

    weights: (rows, columns), tensor or array; the colour scale is fixed at 0 to 1, so that two
        pictures can be compared.
    columns, rows: the tokens; columns are the ones looked at (the source), rows the ones looking.
    column_mask: (columns,) bool, False where the column is padding; drawn grey and hatched.
    gold: pairs (column index, row index) of the right links, drawn as outlined squares.
    cell_values: "auto" writes the weights into small matrices; True and False decide.
    Returns the axes. Raises ValueError when sizes do not fit or a gold link lies outside.
    """
    weights = _array(weights)
    columns, rows = [str(token) for token in columns], [str(token) for token in rows]
    if weights.shape != (len(rows), len(columns)):
        raise ValueError(_size_message(weights.shape, len(rows), len(columns)))
    mask = np.ones(len(columns), bool) if column_mask is None else _array(column_mask).astype(bool)
    if mask.shape != (len(columns),):
        raise ValueError(
            f"column_mask has shape {mask.shape}, but there are {len(columns)} columns:"
            " give one bool for each column, True where the token is real"
        )
    gold = set() if gold is None else {(int(column), int(row)) for column, row in gold}
    for column, row in sorted(gold):
        if not (0 <= column < len(columns) and 0 <= row < len(rows)):
            raise ValueError(
                f"gold link (column {column}, row {row}) lies outside the {len(rows)} rows"
                f" and {len(columns)} columns; links are (column, row): swapped?"
            )

    height, width = weights.shape
    turned = _need_turning(columns)
    if ax is None:
        letters = max(map(len, rows), default=1)
        head = 0.09 * max(map(len, columns), default=1) if turned else 0.0
        cell = 0.62 if max(width, height) <= 12 else 0.36
        _, ax = new_figure(
            min(max(1.6 + cell * width + 0.09 * letters, 4.0), 11.0),
            min(max(0.9 + 0.8 * cell * height + head, 2.2), 9.0),
        )

    image = ax.imshow(weights, cmap=WEIGHTS, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for column in np.flatnonzero(~mask):
        ax.add_patch(
            Rectangle((column - 0.5, -0.5), 1, height, facecolor=LIGHT, edgecolor="#A6A6A6",
                      hatch="///", linewidth=0)
        )  # fmt: skip
    ax.set_xticks(np.arange(-0.5, width), minor=True)
    ax.set_yticks(np.arange(-0.5, height), minor=True)
    ax.grid(which="minor", color="#D9D9D9", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    for column, row in gold:
        ax.add_patch(
            Rectangle((column - 0.42, row - 0.42), 0.84, 0.84, fill=False, edgecolor=GOLD,
                      linewidth=2.4, zorder=3)
        )  # fmt: skip
    if cell_values is True or (cell_values == "auto" and max(height, width) <= _SMALL_MATRIX):
        _write_values(ax, weights, mask)

    ax.xaxis.set_ticks_position("top")
    ax.set_xticks(
        range(width),
        columns,
        rotation=50 if turned else 0,
        ha="left" if turned else "center",
        rotation_mode="anchor" if turned else "default",
    )
    ax.set_yticks(range(height), rows)
    for label, real in zip(ax.get_xticklabels(), mask, strict=True):
        label.set_color("black" if real else GREY)
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, ticks=[0, 0.5, 1], shrink=0.9, aspect=25, pad=0.02)
    bar.ax.set_ylabel("weight")
    bar.outline.set_visible(False)
    if title:
        ax.set_title(title)
    return ax


def _array(values):
    """Tensors (any device, with or without gradient), lists and arrays as a NumPy array."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.is_floating_point():
            values = values.float()  # NumPy knows no bfloat16
        return values.numpy()
    if isinstance(values, list | tuple) and any(hasattr(value, "detach") for value in values):
        return np.stack([_array(value) for value in values])
    return np.asarray(values)


def _size_message(shape, rows, columns):
    expected = f"weights have shape {tuple(shape)}, the tokens ask for ({rows}, {columns})"
    if tuple(shape) == (columns, rows):
        return f"{expected}: rows and columns swapped?"
    if len(shape) > 2:
        return f"{expected}: pick one sentence first (and one head), for example weights[0]"
    return f"{expected}: is the end mark or the padding missing among the tokens?"


def _need_turning(tokens):
    return max(map(len, tokens), default=0) > 5


def _write_values(ax, weights, mask):
    for (row, column), weight in np.ndenumerate(weights):
        if not mask[column] or math.isnan(weight):
            continue
        text = f"{weight:.2f}".removeprefix("0") if weight not in (0, 1) else f"{weight:.0f}"
        ax.text(
            column, row, text, ha="center", va="center", fontsize=10, zorder=4,
            color="white" if weight > 0.55 else "#1A1A1A",
        )  # fmt: skip
