"""Drawings of ideas: the course's architecture, a batch's way through it, and the party.

The other modules of `course_utils.plotting` plot results; this one illustrates concepts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from course_utils.plotting.style import COLOURS, GREY, PLAIN, WEIGHTS, new_figure

__all__ = ["architecture", "data_flow", "party"]

BLUE, ORANGE, GREEN, PINK = COLOURS[:4]
INK = "#1A1A1A"
# Text needs more contrast than a filled area of the same colour.
_DARK = {BLUE: "#005A8E", ORANGE: "#A04400", GREEN: "#00704F", PINK: "#96406F"}

# The example in the picture: the weight of each source word for the word "sleeps".
_SOURCE = ("eine", "Katze", "schläft", "tief")
_TARGET = ("a", "cat", "sleeps", "?")
_EXAMPLE = (0.04, 0.13, 0.75, 0.08)


def _box(
    ax: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    text: str,
    colour: str,
    size: float = 14,
) -> None:
    """A rounded box with its name, centred on (x, y)."""
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            linewidth=2.2,
            boxstyle="round,pad=0,rounding_size=0.16",
            edgecolor=colour,
            facecolor=colour + "1F",
            zorder=2,
        )
    )
    ax.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=size,
        fontweight="bold",
        color=_DARK.get(colour, colour),
        zorder=3,
    )


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = INK,
    bend: float = 0.0,
    width: float = 2.0,
) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=18,
            linewidth=width,
            color=colour,
            connectionstyle=f"arc3,rad={bend}",
            zorder=4,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _badge(ax: Axes, x: float, y: float, text: str) -> None:
    """A black circle with the number of the notebook that builds this part."""
    ax.add_patch(Circle((x, y), 0.235, facecolor=INK, edgecolor="white", linewidth=2, zorder=5))
    ax.text(
        x,
        y - 0.01,
        text,
        ha="center",
        va="center",
        color="white",
        fontsize=10.5,
        fontweight="bold",
        zorder=6,
    )


def _words(
    ax: Axes, words: Sequence[str], places: Sequence[float], y: float, colour: str = INK
) -> None:
    for word, x in zip(words, places, strict=True):
        ax.text(x, y, word, ha="center", va="center", fontsize=13, color=colour, **PLAIN)


def architecture() -> Figure:
    """The path of a sentence through the course: encoder, memory, attention, decoder, search.

    It shows the moment at which the decoder is about to write "sleeps". Black circles contain the
    number of the notebook that builds a part. Returns the figure.
    """
    fig, ax = new_figure(10.0, 4.9)
    ax.set(xlim=(-0.2, 12.3), ylim=(-0.35, 5.75), aspect="equal")
    ax.axis("off")
    slots = [0.75 + 0.95 * i for i in range(4)]

    _words(ax, _SOURCE, slots, 0.05)
    for x in slots:
        _arrow(ax, (x, 0.32), (x, 0.78))
    _box(ax, 2.17, 1.15, 3.9, 0.75, "encoder", BLUE)
    for x, weight in zip(slots, _EXAMPLE, strict=True):
        _arrow(ax, (x, 1.55), (x, 2.12))
        ax.add_patch(
            Rectangle(
                (x - 0.36, 2.15),
                0.72,
                0.75,
                facecolor="white",
                edgecolor=BLUE,
                linewidth=2,
                zorder=2,
            )
        )
        for row in range(3):
            shade = WEIGHTS(0.25 + 0.6 * ((np.sin(7.3 * x + 2.1 * row) + 1) / 2))
            ax.add_patch(
                Rectangle(
                    (x - 0.28, 2.22 + 0.21 * row),
                    0.56,
                    0.17,
                    facecolor=shade,
                    linewidth=0,
                    zorder=3,
                )
            )
        # How strongly this slot is read at this moment: the width of the line is its weight.
        ax.plot(
            [x, 2.17],
            [2.92, 4.33],
            color=ORANGE,
            linewidth=1 + 10 * weight,
            zorder=1,
            alpha=0.35 + 0.6 * weight,
            solid_capstyle="round",
        )
        ax.text(
            x - 0.07 if x < 2 else x + 0.07,
            3.12,
            f"{weight:.2f}".removeprefix("0"),
            ha="right" if x < 2 else "left",
            va="center",
            fontsize=11,
            color=_DARK[ORANGE],
            fontweight="bold",
        )
    ax.text(
        4.15,
        2.45,
        "memory: keys and values,\none slot per word",
        ha="left",
        va="center",
        fontsize=12,
        color=_DARK[BLUE],
        linespacing=1.25,
    )
    ax.text(4.15, 3.12, "weights, sum 1", ha="left", va="center", fontsize=12, color=_DARK[ORANGE])

    _box(ax, 2.17, 4.72, 2.6, 0.75, "attention", ORANGE)
    _box(ax, 8.35, 4.72, 2.5, 0.75, "decoder", GREEN)
    _arrow(ax, (3.5, 4.60), (7.07, 4.60), ORANGE, width=2.6)
    _arrow(ax, (7.07, 4.86), (3.5, 4.86), GREEN, width=2.6)
    ax.text(
        5.3,
        5.02,
        "query: what do I need now?",
        ha="center",
        va="bottom",
        fontsize=12,
        color=_DARK[GREEN],
    )
    ax.text(
        5.3,
        4.42,
        "weighted average of the values",
        ha="center",
        va="top",
        fontsize=12,
        color=_DARK[ORANGE],
    )

    _arrow(ax, (8.35, 4.32), (8.35, 3.10), GREEN)
    ax.text(
        8.5,
        3.72,
        "probabilities of\nthe next word",
        ha="left",
        va="center",
        fontsize=12,
        color=_DARK[GREEN],
        linespacing=1.25,
    )
    _box(ax, 8.35, 2.70, 2.5, 0.75, "search", PINK)
    outputs = [7.0, 7.85, 8.95, 9.95]
    _words(ax, _TARGET[:2], outputs[:2], 1.15)
    ax.text(
        outputs[2],
        1.15,
        _TARGET[2],
        ha="center",
        va="center",
        fontsize=13,
        color=INK,
        fontweight="bold",
    )
    ax.text(outputs[3], 1.15, "…", ha="center", va="center", fontsize=13, color=GREY)
    _arrow(ax, (8.35, 2.30), (8.75, 1.50), PINK)
    _arrow(ax, (9.5, 1.35), (9.64, 4.55), GREY, bend=0.62)
    ax.text(
        10.75,
        2.75,
        "the word is\nread again",
        ha="left",
        va="center",
        fontsize=12,
        color="#595959",
        linespacing=1.25,
    )

    for x, y, number in (
        (4.12, 1.53, "03"),
        (0.87, 5.1, "02"),
        (9.6, 5.1, "03"),
        (9.6, 3.08, "03"),
        (6.35, 3.12, "01"),
        (7.0, 0.05, "01"),
    ):
        _badge(ax, x, y, number)
    ax.text(
        7.38,
        0.04,
        "the notebook that builds this part",
        ha="left",
        va="center",
        fontsize=12,
        color=INK,
    )
    return fig


# The stations of `data_flow`: (x, y), colour, and the stations that an arrow leads to.
_STATIONS: dict[str, tuple[float, float, str, tuple[str, ...]]] = {
    "source": (1.3, 0.9, BLUE, ("memory",)),
    "memory": (5.0, 0.9, BLUE, ("summary", "weights")),
    "summary": (5.0, 2.6, BLUE, ("states",)),
    "weights": (8.7, 0.9, ORANGE, ("read",)),
    "read": (12.4, 0.9, ORANGE, ("logits",)),
    "target in": (1.3, 4.3, GREEN, ("states",)),
    "states": (6.85, 4.3, GREEN, ("weights", "logits")),
    "logits": (12.4, 4.3, GREEN, ()),
}


def data_flow(shapes: Mapping[str, Sequence[int]]) -> Figure:
    """The way of one batch through encoder, attention and decoder, with the shape of each tensor.

    shapes: the shapes of "source", "memory" (keys and values), "summary", "target in", "states"
    (of the decoder, the queries), "weights", "read" and "logits". Returns the figure. Raises
    ValueError if one of them is missing or there are others.
    """
    if set(shapes) != set(_STATIONS):
        raise ValueError(f"shapes of {', '.join(_STATIONS)} are needed, got {', '.join(shapes)}")
    fig, ax = new_figure(9.6, 3.7)
    ax.set(xlim=(0.0, 13.7), ylim=(0.3, 4.9), aspect="equal")
    ax.axis("off")
    for name, (x, y, colour, targets) in _STATIONS.items():
        _box(ax, x, y, 2.4, 0.95, f"{name}\n{tuple(shapes[name])}", colour, size=11)
        for target in targets:
            to_x, to_y = _STATIONS[target][:2]
            if y == to_y:  # from side to side
                _arrow(ax, (x + 1.2, y), (to_x - 1.2, to_y), colour)
            else:  # from top to bottom or the other way
                up = 0.475 if to_y > y else -0.475
                _arrow(ax, (x, y + up), (to_x, to_y - up), colour)
    for x, y, text, colour in (
        (3.15, 1.0, "encoder", BLUE),
        (6.85, 1.0, "keys", BLUE),
        (10.55, 1.0, "values", ORANGE),
        (4.1, 4.4, "recurrence", GREEN),
        (9.65, 4.4, "output layer", GREEN),
        (5.4, 3.4, "start", BLUE),
        (8.6, 2.6, "queries", GREEN),
    ):
        ax.text(x, y, text, ha="center", va="bottom", fontsize=10.5, color=_DARK[colour])
    return fig


def party(
    names: Sequence[str],
    places: Any,
    weights: Any,
    result: Any,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Guests in a room, seen from above; the wider the disc, the larger the guest's weight.

    names: one for each guest. places: (T, 2), their values, in metres. weights: (T,).
    result: (2,), the weighted average of the places, drawn as a cross. The triangle (or polygon)
    between the guests is shaded, because every average lies inside it. Returns the axes.
    """
    places, weights = np.asarray(places, float), np.asarray(weights, float)
    result = np.asarray(result, float)
    if ax is None:
        _, ax = new_figure(5.2, 4.6)
    ax.fill(*places.T, facecolor="#F3F3F3", edgecolor="#C9C9C9", linewidth=1.2, zorder=0)
    for name, place, weight, colour in zip(names, places, weights, COLOURS, strict=False):
        ax.plot(
            *zip(place, result, strict=True),
            color=colour,
            linewidth=1 + 7 * weight,
            alpha=0.45,
            zorder=1,
            solid_capstyle="round",
        )
        ax.scatter(
            *place, s=150 + 2300 * weight, color=colour, zorder=2, edgecolor="white", linewidth=1.5
        )
        below = place[1] < places[:, 1].mean()
        ax.annotate(
            f"{name}  {weight:.2f}",
            place,
            xytext=(0, -31 if below else 31),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize=12,
            fontweight="bold",
            color=_DARK.get(colour, colour),
        )
    ax.scatter(*result, marker="X", s=240, color=INK, edgecolor="white", linewidth=1.5, zorder=4)
    ax.set(xlim=(-1, 11), ylim=(-1.6, 9.6), aspect="equal")
    ax.set_xticks(range(0, 11, 2))
    ax.set_yticks(range(0, 9, 2))
    ax.set_xlabel("metres")
    if title:
        ax.set_title(title)
    return ax
