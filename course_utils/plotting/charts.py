"""Charts: scores by length, training curves, bars."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from course_utils.plotting.arrays import to_numpy
from course_utils.plotting.style import COLOURS, LIGHT, MARKERS, PLAIN, new_figure

__all__ = ["bars", "score_by_length", "training_curves"]


def score_by_length(
    lengths: Any,
    scores_by_name: Mapping[str, Any],
    *,
    spread: Mapping[str, Any] | None = None,
    training_range: tuple[float, float] | None = None,
    ax: Axes | None = None,
    ylabel: str = "score",
    xlabel: str = "sentence length (words)",
) -> Axes:
    """One line for each model: its score against the length of the sentence.

    lengths: (lengths,), the x positions, for example the middle of each length bucket.
    scores_by_name: name → one score for each length (NaN leaves a gap). Scores of several seeds may
        be given as rows (seeds, lengths): the line is their mean, and the band runs from the lowest
        to the highest.
    spread: name → half-widths of the band (lengths,), or a pair (low, high); for scores that are
        already means.
    training_range: (shortest, longest) length seen in training; shaded.
    Lines are labelled at their right end. Returns the axes; raises ValueError when sizes differ.
    """
    lengths = to_numpy(lengths).astype(float)
    if lengths.ndim != 1 or not len(lengths):
        raise ValueError(f"lengths needs shape (lengths,), got {lengths.shape}")
    if ax is None:
        _, ax = new_figure(8.0, 4.2)
    if training_range is not None:
        low, high = training_range
        ax.axvspan(low, high, color=LIGHT, zorder=0, linewidth=0)
        ax.annotate(
            "lengths seen in training",
            xy=((low + high) / 2, 0),
            xytext=(0, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=10,
            color="#595959",
        )
    ends, lowest = [], math.inf
    for index, (name, scores) in enumerate(scores_by_name.items()):
        mean, low, high = _band(name, lengths, scores, None if spread is None else spread.get(name))
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        ax.plot(lengths, mean, color=colour, marker=marker, label=name, zorder=3)
        if low is not None:
            ax.fill_between(lengths, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
        seen = np.flatnonzero(~np.isnan(mean))
        lowest = min(lowest, np.nanmin(mean, initial=math.inf))
        if len(seen):
            ends.append((lengths[seen[-1]], mean[seen[-1]], name, colour))
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if lowest >= 0:
        ax.set_ylim(bottom=0)
    _label_ends(ax, ends)
    return ax


def training_curves(
    history: Any, ax: Axes | None = None, *, ylabel: str = "loss (nats per token)"
) -> Axes:
    """Training and validation loss against steps.

    history: rows such as {"step": 100, "loss": 3.2, "valid_loss": 3.4} (what `fit` returns as
        `history.rows`; a row may lack either loss), or an object or dict with lists `steps`, `loss`
        and, optionally, `valid`.
    Returns the axes. Raises ValueError when there is nothing to draw.
    """
    curves = {
        name: (steps, values) for name, (steps, values) in _history(history).items() if len(steps)
    }
    if not curves:
        raise ValueError(
            'the history contains no losses: rows need "step" and "loss" or "valid_loss", such as'
            ' {"step": 100, "loss": 3.2, "valid_loss": 3.4}'
        )
    if ax is None:
        _, ax = new_figure(7.0, 3.8)
    ends = []
    styles = {"training": (COLOURS[0], None), "validation": (COLOURS[1], "o")}
    for name, (steps, values) in curves.items():
        colour, marker = styles[name]
        if len(steps) > 30:
            marker = None
        ax.plot(steps, values, color=colour, marker=marker or ("o" if len(steps) == 1 else None))
        ends.append((steps[-1], values[-1], name, colour))
    ax.set_xlabel("steps")
    ax.set_ylabel(ylabel)
    ax.grid(axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    _label_ends(ax, ends)
    return ax


def bars(
    names: Iterable[object],
    values: Any,
    spread: Any = None,
    chance: float | None = None,
    ax: Axes | None = None,
    ylabel: str = "score",
    *,
    digits: int | None = None,
) -> Axes:
    """Horizontal bars with their numbers at the ends; the first name is at the top.

    values, spread: one number for each name; spread is the half-width of the error bar.
    chance: the value that guessing reaches, drawn as a dashed line. ylabel: the quantity (written
    below the bars, because they are horizontal). digits: decimals of the numbers, by default chosen
    from their size. Returns the axes; raises ValueError when sizes differ.
    """
    names, values = [str(name) for name in names], to_numpy(values).astype(float)
    errors = None if spread is None else to_numpy(spread).astype(float)
    for what, array in (("values", values), ("spread", errors)):
        if array is not None and array.shape != (len(names),):
            raise ValueError(f"{len(names)} names, but {what} of shape {array.shape}")
    if ax is None:
        _, ax = new_figure(7.5, 1.1 + 0.5 * len(names))
    if digits is None:
        largest = np.nanmax(np.abs(values), initial=0)
        digits = 0 if largest >= 100 else 1 if largest >= 10 else 2
    positions = np.arange(len(names))
    ax.barh(positions, values, height=0.62, color=COLOURS[0])
    if errors is not None:
        ax.errorbar(values, positions, xerr=errors, fmt="none", ecolor="#1A1A1A", capsize=4)
    reach = values + np.where(values < 0, -1, 1) * (0 if errors is None else np.nan_to_num(errors))
    for position, value, end in zip(positions, values, reach, strict=True):
        if math.isnan(value):
            continue
        text = ax.annotate(
            f"{value:,.{digits}f}",
            (end, position),
            xytext=(-6 if value < 0 else 6, 0),
            textcoords="offset points",
            va="center",
            ha="right" if value < 0 else "left",
            fontweight="bold",
            zorder=4,
        )
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    ax.set_yticks(positions, names, **PLAIN)
    ax.invert_yaxis()
    ax.set_xlabel(ylabel)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.14)
    if np.nanmin(values, initial=0) >= 0:
        ax.set_xlim(left=0)
    if chance is not None:
        ax.axvline(chance, color="#1A1A1A", linestyle="--", linewidth=1.6)
        ax.annotate(
            "chance",
            xy=(chance, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=10,
        )
    return ax


def _band(
    name: str, lengths: np.ndarray, scores: Any, spread: Any
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Mean line of one model and the edges of its band (None without a band)."""
    scores = to_numpy(scores).astype(float)
    if scores.shape[-1:] != lengths.shape or scores.ndim > 2:
        raise ValueError(
            f"{name}: scores of shape {scores.shape} for {len(lengths)} lengths;"
            " give (lengths,) or, for several seeds, (seeds, lengths)"
        )
    if scores.ndim == 2:
        if spread is None and len(scores) > 1:
            return scores.mean(0), scores.min(0), scores.max(0)
        scores = scores.mean(0)
    if spread is None:
        return scores, None, None
    spread = to_numpy(spread).astype(float)
    if spread.shape == lengths.shape:
        return scores, scores - spread, scores + spread
    if spread.shape == (2, len(lengths)):
        return scores, spread[0], spread[1]
    raise ValueError(
        f"{name}: spread of shape {spread.shape} for {len(lengths)} lengths; give half-widths"
        f" ({len(lengths)},) or a pair (low, high)"
    )


def _label_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names at the right ends of the lines, moved apart where they would overlap."""
    if not ends:
        return
    bottom, top = ax.get_ylim()
    points_high = 72 * ax.get_position().height * ax.figure.get_figheight()
    line_height = 15 * (top - bottom) / max(points_high, 1)  # one line of text in data units
    ends = sorted(ends, key=lambda end: end[1])
    places = [end[1] for end in ends]
    for _ in range(100):
        moved = False
        for i in range(len(places) - 1):
            lack = line_height - (places[i + 1] - places[i])
            if lack > 1e-9:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
                moved = True
        if not moved:
            break
    right = max(end[0] for end in ends)
    for (_, _, name, colour), place in zip(ends, places, strict=True):
        ax.annotate(
            name,
            xy=(right, place),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
            **PLAIN,
        )


def _history(history: Any) -> dict[str, tuple[list, list]]:
    """{"training": (steps, losses), "validation": (steps, losses)} from any form of history."""
    if hasattr(history, "rows"):
        history = history.rows
    if isinstance(history, list | tuple):
        curves = {}
        for name, key in (("training", "loss"), ("validation", "valid_loss")):
            rows = [row for row in history if _is_number(row.get(key))]
            curves[name] = ([row["step"] for row in rows], [float(row[key]) for row in rows])
        return curves
    get = history.get if isinstance(history, dict) else lambda key: getattr(history, key, None)
    steps = get("steps")
    curves = {}
    for name, key in (("training", "loss"), ("validation", "valid")):
        values = get(key)
        if steps is None or values is None:
            continue
        if len(values) != len(steps):
            raise ValueError(f"history: {len(steps)} steps but {len(values)} values of {key}")
        pairs = [(s, float(v)) for s, v in zip(steps, values, strict=True) if _is_number(v)]
        curves[name] = ([step for step, _ in pairs], [value for _, value in pairs])
    return curves


def _is_number(value: Any) -> bool:
    return value is not None and not math.isnan(value)
