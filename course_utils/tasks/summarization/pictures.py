"""Pictures of summarisation: where the words of a summary look."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from course_utils.messages import _

if TYPE_CHECKING:
    from course_utils.tasks.summarization.summarizer import Summary

__all__ = ["summary_picture"]

LEGIBLE = 30  # words of the text that fit into a picture
# Ours, not one of the e-mails of the training.
EMAIL = "The conference call with Zandoria has been moved to 2:15. The number is the same."


def summary_picture(summary: "Summary", title: str | None = None) -> Axes:
    """Heat map of the words of a summary over the words of its text that they look at most.

    At most 30 words of the text are shown, in their order.
    """
    from course_utils.plotting import attention_matrix

    weights = summary.attention
    most = np.argsort(-weights.max(axis=0), kind="stable")[:LEGIBLE]
    shown = np.sort(most)
    if title is None and len(shown) < len(summary.words):
        text = _("{shown} of {words} words, those with the largest weights")
        title = text.format(shown=len(shown), words=len(summary.words))
    return attention_matrix(
        weights[:, shown],
        [summary.words[i] for i in shown],
        summary.output,
        cell_values=False,
        title=title,
    )


def summarization_picture(checkpoint: str) -> tuple[Axes, str]:
    """The subject of an e-mail of our own and where its words look; axes and description."""
    from course_utils.tasks.summarization.summarizer import Summarizer

    summarizer = Summarizer.load(checkpoint)
    search = summarizer.search
    (summary,) = summarizer.summarize([EMAIL], beam=search.beam, alpha=search.alpha)
    ax = summary_picture(summary, title=_("Summarization: {text}").format(text=summary.text))
    text = _("Heat map: the words of the subject '{subject}' and the words of the e-mail.")
    return ax, text.format(subject=summary.text)


# The checkpoint that notebook 01 and the gallery use, and the function that draws its picture.
APPLICATION = ("summarization-aeslc", summarization_picture)
FIGURES: dict = {}
