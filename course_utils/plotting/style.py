"""The course's one figure style: colours, `new_figure`, and `show` with an alternative text."""

import base64
import io
from html import escape
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from course_utils.messages import localised
from course_utils.plotting.encoding import encode
from course_utils.runtime import in_notebook

__all__ = ["COLOURS", "WEIGHTS", "new_figure", "show", "use_course_style"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A5C00", "#56B4E9", "#1A1A1A")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # lines differ in more than colour
GOLD = "#D55E00"
GREY = "#767676"
LIGHT = "#EDEDED"
# Heat maps. The light over photos is in pictures.py, the marks of the web page in texts.py.
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
# For labels that come from data: a "$" in them is a dollar, not the beginning of a formula.
PLAIN: dict[str, Any] = {"parse_math": False}


def use_course_style() -> None:
    """Make the course's style matplotlib's default in this process; importing this module does."""
    mpl.rcParams.update(_STYLE)


use_course_style()


def new_figure(
    width: float = 7.0, height: float = 4.0, columns: int = 1, rows: int = 1
) -> tuple[Figure, Any]:
    """A figure of `width` × `height` inches and its axes: one, or an array of rows × columns."""
    return plt.subplots(rows, columns, figsize=(width, height))


def show(fig: Figure | Axes | np.ndarray, /, alt: str, **values: object) -> None:
    """Display the figure as an image with alternative text; close it, so it is not shown twice.

    fig: a figure, axes in it, or an array of axes in it.
    alt: what a reader who cannot see the picture needs to know, in a sentence or two; looked up in
        the learner's language. Its placeholders, such as {word}, are filled from the keyword
        `values` after the lookup, so in a notebook it is a literal. It becomes the `alt` of an
        HTML image, which JupyterLab and nbconvert keep as it is (JupyterLab ignores the metadata of
        an output of type image/png), and the output's plain text, which a terminal or a text
        export shows in place of the picture.

        show(fig, alt="Weights of the slots at temperature {temperature:.3g}", temperature=0.5)

    Outside IPython the figure is only closed. Raises ValueError when `alt` is empty or when the
    keywords do not match its placeholders.
    """
    if isinstance(fig, np.ndarray):
        fig = fig.flat[0]
    if hasattr(fig, "get_figure"):  # axes were given
        fig = fig.get_figure(root=True)
    try:
        if not isinstance(alt, str) or not alt.strip():
            raise ValueError('show(fig, alt="…"): say in words what the picture shows')
        text = localised(alt, **values).strip()
        if in_notebook():
            from IPython.display import display

            display({"text/html": _html_image(fig, text), "text/plain": text}, raw=True)
    finally:
        plt.close(fig)


def _html_image(fig: Figure, alt: str) -> str:
    buffer = io.BytesIO()
    fig.savefig(
        buffer, format="png", dpi=144, bbox_inches="tight", pil_kwargs={"compress_level": 1}
    )
    kind, content = encode(Image.open(buffer))
    width, data = round(96 * fig.get_figwidth()), base64.b64encode(content).decode("ascii")
    return f'<img alt="{escape(alt)}" width="{width}" src="data:{kind};base64,{data}">'
