"""Pictures of sound in the course's style: waves, spectrograms, and where attention listened."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

from course_utils.plotting.style import COLOURS, GOLD, PLAIN, WEIGHTS, new_figure

__all__ = ["HeardSound", "listening", "spectrogram", "wave"]

Word = tuple[str, float, float]  # word, start and end in seconds


def wave(
    samples: Any,
    sample_rate: float,
    ax: Axes | None = None,
    *,
    words: Iterable[Word] | None = None,
    start: float = 0.0,
) -> Axes:
    """A sound against time. Returns the axes.

    samples: (N,). sample_rate: samples per second. start: time of the first sample, in seconds.
    words: (word, start, end) in seconds, marked above. Raises ValueError for another shape.
    """
    if ax is None:
        _, ax = new_figure(9.0, 2.4)
    values = np.asarray(samples, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"a sound has shape (N,) with at least one sample, got {values.shape}")
    ax.plot(start + np.arange(len(values)) / sample_rate, values, color=COLOURS[0], linewidth=0.5)
    ax.set(xlabel="seconds", ylabel="air pressure", yticks=[0])
    ax.set_xlim(start, start + len(values) / sample_rate)
    _name(ax, words)
    return ax


def spectrogram(
    frames: Any,
    ax: Axes | None = None,
    *,
    hop: float = 0.010,
    start: float = 0.0,
    words: Iterable[Word] | None = None,
    bands: str = "mel band",
) -> Axes:
    """Frames as a picture: time to the right, pitch upwards, dark is loud. Returns the axes.

    frames: (T, bands). hop: seconds from frame to frame. start: time of the first frame, in
    seconds. words: (word, start, end) in seconds, marked above. bands: label of the vertical axis.
    Raises ValueError for another shape.
    """
    if ax is None:
        _, ax = new_figure(9.0, 3.0)
    frames = np.asarray(frames, dtype=float)
    if frames.ndim != 2 or not frames.size:
        raise ValueError(f"frames have shape (T, bands), got {frames.shape}")
    T, F = frames.shape
    ax.imshow(
        frames.T,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        extent=(start, start + T * hop, -0.5, F - 0.5),
        interpolation="nearest",
    )
    ax.set(xlabel="seconds", ylabel=bands)
    ax.spines[:].set_visible(False)
    _name(ax, words)
    return ax


def _name(ax: Axes, words: Iterable[Word] | None) -> None:
    """Write words above the axes and draw a thin line where each begins."""
    for word, begin, end in words or ():
        ax.axvline(begin, color=GOLD, linewidth=1.0)
        ax.annotate(
            word,
            ((begin + end) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=10,
            color="#595959",
            annotation_clip=False,
            **PLAIN,
        )


class HeardSound(Protocol):
    """The attributes that `listening` draws; `Heard` of the speech task has them."""

    start: float  # seconds
    frames: Any  # (T, bands)
    times: np.ndarray  # (Tk,) seconds, the middle of each memory position
    attention: np.ndarray  # (rows, Tk)

    @property
    def pieces(self) -> list[str]: ...


def listening(
    heard: HeardSound,
    words: Sequence[tuple[float, float]] | None = None,
    *,
    width: float = 9.5,
) -> Figure:
    """Spectrogram above, attention below, on one time axis. Returns the figure.

    heard: a recognised sound. words: true (start, end) of each word in seconds, drawn as an
    outlined box in the row of that word; surplus words are left out. width: in inches.
    """
    attention, times, rows = heard.attention, heard.times, heard.pieces[: len(heard.attention)]
    fig, (top, below) = new_figure(width, 2.6 + 0.3 * max(len(rows), 2), rows=2)
    top.get_gridspec().set_height_ratios([1.7, 0.3 * max(len(rows), 2) + 0.4])
    step = times[1] - times[0] if len(times) > 1 else 0.04
    spectrogram(heard.frames, top, start=heard.start, bands="pitch")
    top.set(xlabel="", yticks=[])
    if len(rows):
        below.imshow(
            attention,
            cmap=WEIGHTS,
            vmin=0,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
            extent=(times[0] - step / 2, times[-1] + step / 2, len(rows) - 0.5, -0.5),
        )
    for row, (begin, end) in enumerate(list(words or ())[: len(rows)]):
        below.add_patch(
            Rectangle((begin, row - 0.42), end - begin, 0.84, fill=False, edgecolor=GOLD, lw=1.6)
        )
    below.yaxis.set_major_locator(FixedLocator(range(len(rows))))
    below.set_yticklabels(rows, **PLAIN)
    below.set_xlabel("seconds")
    below.set_xlim(top.get_xlim())
    for ax in (top, below):
        ax.spines[:].set_visible(False)
        ax.tick_params(axis="y", length=0)
    return fig
