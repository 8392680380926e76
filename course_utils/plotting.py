"""The figures of the course in one style: attention matrix, score against length, loss, bars.

Each function draws on the axes that it is given (`ax=None` makes a new figure) and returns them, so
that a notebook can add to a picture. `show(fig, alt="…")` displays it with alternative text.

Style: white ground, text of 10 pt and more, the colour-blind safe palette of Okabe and Ito, and a
single-hue map for weights that darkens evenly from 0 to 1 and survives a grey printer.
"""

import io
import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

__all__ = [
    "COLOURS",
    "WEIGHTS",
    "attention_matrix",
    "bars",
    "new_figure",
    "picture_attention",
    "score_by_length",
    "show",
    "training_curves",
    "use_course_style",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A5C00", "#56B4E9", "#1A1A1A")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # a second sign beside colour
GOLD = "#D55E00"
GREY = "#767676"
LIGHT = "#EDEDED"
WEIGHTS = LinearSegmentedColormap.from_list(
    "weights", ["#FFFFFF", "#C6DBEF", "#6BAED6", "#2171B5", "#08306B"]
)

_SMALL_MATRIX = 10  # with at most this many rows and columns, values are written into the cells
_STYLE = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#4D4D4D",
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 12,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "font.size": 11,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "lines.markersize": 6,
    "grid.color": "#E3E3E3",
    "hatch.color": "#B0B0B0",
    "hatch.linewidth": 0.8,
    "savefig.facecolor": "white",
}


def use_course_style():
    """Make the course's style matplotlib's default in this process (done by the import)."""
    mpl.rcParams.update(_STYLE)


def new_figure(width=7.0, height=4.0, columns=1, rows=1):
    """A figure of `width` × `height` inches and its axes: one, or an array of rows × columns."""
    return plt.subplots(rows, columns, figsize=(width, height))


def show(fig, alt):
    """Display the figure as one PNG with alternative text, and close it (so it is not shown twice).

    alt: what a person who cannot see the picture has to know, in a sentence or two. It is stored
    with the output as `metadata["image/png"]["alt"]`, where nbconvert and others look for it, and
    as the output's plain text, which a terminal or a text export shows in place of the picture.
    Outside IPython the figure is only closed. Raises ValueError when `alt` is empty.
    """
    if hasattr(fig, "get_figure"):  # axes were given
        fig = fig.get_figure(root=True)
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError('show(fig, alt="…"): say in words what the picture shows')
    try:
        if _in_ipython():
            from IPython.display import display

            display(
                {"image/png": _png(fig), "text/plain": alt.strip()},
                raw=True,
                metadata={
                    "image/png": {"alt": alt.strip(), "width": round(96 * fig.get_figwidth())}
                },
            )
    finally:
        plt.close(fig)


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


def score_by_length(
    lengths,
    scores_by_name,
    *,
    spread=None,
    training_range=None,
    ax=None,
    ylabel="score",
    xlabel="sentence length (words)",
):
    """One line for each model: its score against the length of the sentence.

    lengths: x positions, for example the middle of each length bucket.
    scores_by_name: name → one score for each length (NaN leaves a gap). Scores of several seeds may
        be given as rows (seeds, lengths): the line is their mean, and the band runs from the lowest
        to the highest.
    spread: name → half-widths of the band (lengths,), or a pair (low, high); for scores that are
        means already.
    training_range: (shortest, longest) length seen in training; shaded.
    Lines carry their names at the right end. Returns the axes; raises ValueError on unequal sizes.
    """
    lengths = _array(lengths).astype(float)
    if lengths.ndim != 1 or not len(lengths):
        raise ValueError(f"lengths needs shape (lengths,), got {lengths.shape}")
    if ax is None:
        _, ax = new_figure(8.0, 4.2)
    if training_range is not None:
        low, high = training_range
        ax.axvspan(low, high, color=LIGHT, zorder=0, linewidth=0)
        ax.annotate(
            "lengths seen in training", xy=((low + high) / 2, 0), xytext=(0, 4),
            xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
            va="bottom", fontsize=10, color="#595959",
        )  # fmt: skip
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


def training_curves(history, ax=None, *, ylabel="loss (nats per token)"):
    """Training and validation loss against steps.

    history: rows such as {"step": 100, "loss": 3.2, "valid_loss": 3.4} (what `fit` returns as
        `history.rows`; a row may lack either loss), or an object or dict with lists `steps`, `loss`
        and, if there is one, `valid`.
    Returns the axes. Raises ValueError when there is nothing to draw.
    """
    curves = {
        name: (steps, values)
        for name, (steps, values) in _history(history).items()
        if len(steps)
    }  # fmt: skip
    if not curves:
        raise ValueError(
            'the history holds no losses: rows need "step" and "loss" or "valid_loss", for example'
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


def bars(names, values, spread=None, chance=None, ax=None, ylabel="score", *, digits=None):
    """Horizontal bars with their numbers at the ends; the first name stands on top.

    values, spread: one number for each name; spread is the half-width of the error bar.
    chance: what guessing reaches, drawn as a dashed line. `ylabel` names the quantity (it stands
    below the bars, which lie on their side). digits: decimals of the numbers (chosen when None).
    Returns the axes; raises ValueError when the sizes differ.
    """
    names, values = [str(name) for name in names], _array(values).astype(float)
    errors = None if spread is None else _array(spread).astype(float)
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
            f"{value:,.{digits}f}", (end, position), xytext=(-6 if value < 0 else 6, 0),
            textcoords="offset points", va="center", ha="right" if value < 0 else "left",
            fontweight="bold", zorder=4,
        )  # fmt: skip
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    ax.set_yticks(positions, names)
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
            "chance", xy=(chance, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", fontsize=10,
        )  # fmt: skip
    return ax


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


# ------------------------------------------------------------------------------------------------


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


def _band(name, lengths, scores, spread):
    """Mean line and the band's edges (None without a band) of one model."""
    scores = _array(scores).astype(float)
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
    spread = _array(spread).astype(float)
    if spread.shape == lengths.shape:
        return scores, scores - spread, scores + spread
    if spread.shape == (2, len(lengths)):
        return scores, spread[0], spread[1]
    raise ValueError(
        f"{name}: spread of shape {spread.shape} for {len(lengths)} lengths; give half-widths"
        f" ({len(lengths)},) or a pair (low, high)"
    )


def _label_ends(ax, ends):
    """Names at the right ends of the lines, moved apart where they would overlap."""
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
            name, xy=(right, place), xytext=(10, 0), textcoords="offset points", va="center",
            ha="left", color=colour, fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _history(history):
    """{"training": (steps, losses), "validation": (steps, losses)} from either form of history."""
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


def _is_number(value):
    return value is not None and not math.isnan(value)


def _png(fig):
    buffer = io.BytesIO()
    # No software version and no date inside: the same figure gives the same bytes.
    fig.savefig(buffer, format="png", dpi=144, bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()


def _in_ipython():
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None


use_course_style()
