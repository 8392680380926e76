"""The course's one figure style: colours, `new_figure`, and `show` with an alternative text."""

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.colors import LinearSegmentedColormap

__all__ = ["COLOURS", "WEIGHTS", "new_figure", "show", "use_course_style"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A5C00", "#56B4E9", "#1A1A1A")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # a second sign beside colour
GOLD = "#D55E00"
GREY = "#767676"
LIGHT = "#EDEDED"
WEIGHTS = LinearSegmentedColormap.from_list(
    "weights", ["#FFFFFF", "#C6DBEF", "#6BAED6", "#2171B5", "#08306B"]
)
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


use_course_style()


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


def _in_ipython():
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None


use_course_style()
