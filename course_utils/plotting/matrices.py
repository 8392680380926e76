"""Heat maps of attention matrices."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from course_utils.plotting.arrays import to_numpy
from course_utils.plotting.style import GOLD, GREY, LIGHT, PLAIN, WEIGHTS, new_figure

__all__ = ["attention_matrix"]

_SMALL_MATRIX = 10  # with at most this many rows and columns, values are written into the cells
_HEADS_PER_ROW = 4


def attention_matrix(
    weights: Any,
    columns: Iterable[object],
    rows: Iterable[object],
    *,
    column_mask: Any = None,
    gold: Iterable[tuple[int, int]] | None = None,
    ax: Axes | Sequence[Axes] | np.ndarray | None = None,
    title: str | None = None,
    cell_values: bool | str = "auto",
) -> Axes | np.ndarray:
    """Attention weights as a heat map: one row for each query token, one column for each key token.

    weights: (Tq, Tk), or (H, Tq, Tk) for one panel per head; tensor or array. The colour scale is
        fixed at 0 to 1, so that two pictures can be compared.
    columns, rows: the Tk and Tq tokens; columns are looked at (the source), rows do the looking.
    column_mask: (Tk,) bool, False where the column is padding, which is grey and hatched.
    gold: pairs (column index, row index) of the correct links, drawn as outlined squares.
    ax: where to draw; with heads, one axes for each.
    title: above the matrix; with heads, above all panels, each of which also names its head.
    cell_values: "auto" writes the weights into the cells of small matrices; True and False decide.
    Returns the axes, or an array (H,) of axes for weights with heads. Raises ValueError when sizes
    do not fit or a gold link lies outside the matrix.
    """
    weights = to_numpy(weights)
    columns, rows = [str(token) for token in columns], [str(token) for token in rows]
    if weights.ndim not in (2, 3) or weights.shape[-2:] != (len(rows), len(columns)):
        raise ValueError(_size_message(weights.shape, len(rows), len(columns)))
    if weights.ndim == 3 and not len(weights):
        raise ValueError(f"weights have shape {weights.shape}: there is no head to draw")
    mask = np.ones(len(columns), bool)
    if column_mask is not None:
        mask = to_numpy(column_mask).astype(bool)
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

    if weights.ndim == 3:
        axes = _head_axes(ax, len(weights), rows, columns)
        for number, (each, head) in enumerate(zip(axes, weights, strict=True), start=1):
            image = _draw(each, head, columns, rows, mask, gold, cell_values)
            name = f"head {number}"
            each.set_title(name if ax is None or not title else f"{title}, {name}", **PLAIN)
        if title and ax is None:
            axes[0].figure.suptitle(
                title, x=0.01, ha="left", fontweight="bold", fontsize=13, **PLAIN
            )
        _colour_bar(image, list(axes))
        return axes
    if ax is None:
        _, ax = new_figure(*_size(rows, columns))
    image = _draw(ax, weights, columns, rows, mask, gold, cell_values)
    _colour_bar(image, ax)
    if title:
        ax.set_title(title, **PLAIN)
    return ax


def _size(rows: list[str], columns: list[str]) -> tuple[float, float]:
    """Width and height of a figure of one matrix, in inches."""
    letters = max(map(len, rows), default=1)
    head = 0.09 * max(map(len, columns), default=1) if _long(columns) else 0.0
    cell = 0.62 if max(len(columns), len(rows)) <= 12 else 0.36
    return (
        min(max(1.6 + cell * len(columns) + 0.09 * letters, 4.0), 11.0),
        min(max(0.9 + 0.8 * cell * len(rows) + head, 2.2), 9.0),
    )


def _head_axes(ax: Any, heads: int, rows: list[str], columns: list[str]) -> np.ndarray:
    """One axes for each head: the given ones, or those of a new figure, surplus ones removed."""
    if ax is not None:
        axes = np.array(ax, dtype=object).reshape(-1)
        if len(axes) != heads:
            raise ValueError(f"weights have {heads} heads, but {len(axes)} axes were given")
        return axes
    across = min(heads, _HEADS_PER_ROW)
    down = -(-heads // across)
    width, height = _size(rows, columns)
    _, axes = new_figure(min(across * width, 12.0), min(down * height, 12.0), across, down)
    axes = np.array(axes, dtype=object).reshape(-1)
    for surplus in axes[heads:]:
        surplus.remove()
    return axes[:heads]


def _draw(
    ax: Axes,
    weights: np.ndarray,
    columns: list[str],
    rows: list[str],
    mask: np.ndarray,
    gold: set[tuple[int, int]],
    cell_values: bool | str,
) -> AxesImage:
    """One matrix on its axes, without title and colour bar."""
    height, width = weights.shape
    turned = _long(columns)
    image = ax.imshow(weights, cmap=WEIGHTS, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for column in np.flatnonzero(~mask):
        ax.add_patch(
            Rectangle(
                (column - 0.5, -0.5),
                1,
                height,
                facecolor=LIGHT,
                edgecolor="#A6A6A6",
                hatch="///",
                linewidth=0,
            )
        )
    ax.set_xticks(np.arange(-0.5, width), minor=True)
    ax.set_yticks(np.arange(-0.5, height), minor=True)
    ax.grid(which="minor", color="#D9D9D9", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    for column, row in gold:
        ax.add_patch(
            Rectangle(
                (column - 0.42, row - 0.42),
                0.84,
                0.84,
                fill=False,
                edgecolor=GOLD,
                linewidth=2.4,
                zorder=3,
            )
        )
    if cell_values is True or (cell_values == "auto" and max(height, width) <= _SMALL_MATRIX):
        _write_values(ax, weights, mask)

    ax.xaxis.set_ticks_position("top")
    ax.set_xticks(
        range(width),
        columns,
        rotation=50 if turned else 0,
        ha="left" if turned else "center",
        rotation_mode="anchor" if turned else "default",
        **PLAIN,
    )
    ax.set_yticks(range(height), rows, **PLAIN)
    for label, real in zip(ax.get_xticklabels(), mask, strict=True):
        label.set_color("black" if real else GREY)
    ax.spines[:].set_visible(False)
    return image


def _colour_bar(image: AxesImage, ax: Axes | list[Axes]) -> None:
    figure = image.axes.figure
    bar = figure.colorbar(image, ax=ax, ticks=[0, 0.5, 1], shrink=0.9, aspect=25, pad=0.02)
    bar.ax.set_ylabel("weight")
    bar.outline.set_visible(False)


def _size_message(shape: tuple[int, ...], rows: int, columns: int) -> str:
    expected = f"weights have shape {tuple(shape)}, the tokens need ({rows}, {columns})"
    if tuple(shape[-2:]) == (columns, rows):
        return f"{expected}: rows and columns swapped?"
    if len(shape) > 3:
        return f"{expected}: pick one sentence first, for example weights[0]"
    if len(shape) < 2:
        return f"{expected}: is the dimension of the queries missing? weights[None] adds it"
    return f"{expected}: is the end mark or the padding missing from the tokens?"


def _long(tokens: list[str]) -> bool:
    return max(map(len, tokens), default=0) > 5


def _write_values(ax: Axes, weights: np.ndarray, mask: np.ndarray) -> None:
    for (row, column), weight in np.ndenumerate(weights):
        if not mask[column] or math.isnan(weight):
            continue
        text = f"{weight:.2f}".removeprefix("0") if weight not in (0, 1) else f"{weight:.0f}"
        ax.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=10,
            zorder=4,
            color="white" if weight > 0.55 else "#1A1A1A",
        )
