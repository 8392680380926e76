"""Highlighted text: the darker a word's background, the larger its weight; figure and web page."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from course_utils.messages import _, catalogue
from course_utils.plotting.style import GOLD, PLAIN, WEIGHTS, new_figure

__all__ = ["highlight", "html_page"]


def highlight(
    words: Sequence[str],
    weights: Sequence[float],
    rationale: Sequence[bool] | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    largest: float | None = None,
    columns: int = 100,
) -> Axes:
    """A text whose words are darker the larger their weight; deciding words underlined in gold.

    words, weights, rationale: one word, one weight and, if given, one bool for each word.
    largest: the weight that gets the darkest background, by default the largest of this text; texts
        can be compared only if they share this number.
    columns: characters per line; a new figure is as wide as they need.

    Returns the axes; raises ValueError when sizes differ.
    """
    words, weights = [str(word) for word in words], np.asarray(weights, dtype=float)
    marks = np.zeros(len(words), bool) if rationale is None else np.asarray(rationale, dtype=bool)
    for what, array in (("weights", weights), ("rationale", marks)):
        if array.shape != (len(words),):
            raise ValueError(f"{len(words)} words, but {what} of shape {array.shape}")
    if columns < 1:
        raise ValueError(f"a line needs room for at least one character, got columns={columns}")
    top = max(float(weights.max(initial=0)) if largest is None else largest, 1e-12)
    places, row, column = [], 0, 0
    for word in words:
        if column and column + len(word) > columns:
            row, column = row + 1, 0
        places.append((row, column))
        column += len(word) + 1
    rows = row + 1
    if ax is None:
        _, ax = new_figure(0.115 * columns, 0.35 + 0.34 * rows + (0.3 if title else 0))
    ax.set(xlim=(-0.5, columns + 0.5), ylim=(rows - 0.4, -0.6))
    ax.axis("off")
    for word, weight, marked, (row, column) in zip(words, weights, marks, places, strict=True):
        share = min(1.0, weight / top)
        ax.add_patch(_box(column - 0.35, row - 0.38, len(word) + 0.7, 0.76, WEIGHTS(0.85 * share)))
        ax.text(
            column + len(word) / 2,
            row,
            word,
            ha="center",
            va="center",
            family="monospace",
            fontsize=10.5,
            color="white" if share > 0.6 else "#1A1A1A",
            **PLAIN,
        )
        if marked:
            ax.plot([column - 0.2, column + len(word) + 0.2], [row + 0.42] * 2, color=GOLD, lw=2.2)
    if title:
        ax.set_title(title, loc="left", **PLAIN)
    return ax


def _box(x: float, y: float, width: float, height: float, colour: Any) -> Rectangle:
    return Rectangle((x, y), width, height, facecolor=colour, edgecolor="none", zorder=0)


PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 17px/1.9 Georgia, serif; max-width: 46em; margin: 2em auto; padding: 0 1em;
  color: #1a1a1a; background: #fff; }}
section {{ border-top: 1px solid #d9d9d9; padding: .6em 0; }}
h1 {{ font: bold 22px/1.3 sans-serif; margin: .4em 0; }}
h2 {{ font: bold 15px/1.4 sans-serif; margin: .4em 0; }}
mark {{ color: inherit; padding: .1em .15em; border-radius: .2em; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{explanation}</p>
{sections}
</main>
</body>
</html>
"""


class WeightedText(Protocol):
    """The attributes that `html_page` shows; `Classification` of the classifier has them."""

    text: str
    weights: np.ndarray  # (words,)
    spans: list[tuple[int, int]]  # start and end of each word in the text

    @property
    def words(self) -> list[str]: ...

    @property
    def label(self) -> str: ...

    @property
    def probability(self) -> float: ...


def html_page(verdicts: Iterable[WeightedText]) -> str:
    """A self-contained page: each text with its label, its probability and its words highlighted.

    The texts are escaped, so markup in them is shown, not interpreted. Hovering over a word shows
    its share of the attention. Texts without words are left out.
    """
    sections = []
    for number, verdict in enumerate(verdicts, start=1):
        if not verdict.words:
            continue
        top = max(float(verdict.weights.max()), 1e-12)
        parts, end = [], 0
        for (start, stop), weight in zip(verdict.spans, verdict.weights, strict=True):
            parts.append(escape(verdict.text[end:start]))
            shade = 0.75 * float(weight) / top
            parts.append(
                f'<mark style="background: rgba(0, 114, 178, {shade:.3f})" '
                f'title="{100 * weight:.1f} %">{escape(verdict.text[start:stop])}</mark>'
            )
            end = stop
        parts.append(escape(verdict.text[end:]))
        head = _("{number}: {label}, probability {probability:.3f}; largest share {share:.1f} %")
        head = head.format(
            number=number, label=verdict.label, probability=verdict.probability, share=100 * top
        )
        sections.append(f"<section><h2>{escape(head)}</h2><p>{''.join(parts)}</p></section>")
    explanation = _(
        "The darker a word, the larger its share of the attention; the darkest word of each text"
        " has the share given above it."
    )
    return PAGE.format(
        language=escape(catalogue().info().get("language") or "en"),
        title=escape(_("What the attention looked at")),
        explanation=escape(explanation),
        sections="\n".join(sections),
    )
