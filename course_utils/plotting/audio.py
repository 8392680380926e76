"""Pictures of sound in the course's style: waves, spectrograms, and where attention listened."""

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

from course_utils.plotting.style import COLOURS, GOLD, WEIGHTS, new_figure

__all__ = ["listening", "spectrogram", "wave"]


def wave(samples, sample_rate, ax=None, *, words=None, start=0.0):
    """A sound (N,) against seconds; ``words`` are (word, start, end), marked below it."""
    if ax is None:
        _, ax = new_figure(9.0, 2.4)
    values = np.asarray(samples, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"a sound has shape (N,), at least one sample, got {values.shape}")
    ax.plot(start + np.arange(len(values)) / sample_rate, values, color=COLOURS[0], linewidth=0.5)
    ax.set(xlabel="seconds", ylabel="air pressure", yticks=[0])
    ax.set_xlim(start, start + len(values) / sample_rate)
    _name(ax, words)
    return ax


def spectrogram(frames, ax=None, *, hop=0.010, start=0.0, words=None, bands="mel band"):
    """Frames (T, bands) as a picture: time to the right, pitch upwards, dark is loud.

    hop: seconds from frame to frame. words: (word, start, end) in seconds, marked above.
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


def _name(ax, words):
    """Words above the axes, and a thin line where each begins."""
    for word, begin, end in words or ():
        ax.axvline(begin, color=GOLD, linewidth=1.0)
        ax.annotate(
            word, ((begin + end) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", fontsize=10, color="#595959",
            annotation_clip=False,
        )  # fmt: skip


def listening(heard, words=None, *, width=9.5):
    """Spectrogram above, attention below, on one axis of seconds. Returns the figure.

    heard: a `Heard` of the speech task. words: true (start, end) of each word in seconds;
    drawn as outlined boxes in the row of that word, for as many rows as there are.
    """
    attention, times, rows = heard.attention, heard.times, heard.pieces[: len(heard.attention)]
    fig, (top, below) = new_figure(width, 2.6 + 0.3 * max(len(rows), 2), rows=2)
    top.get_gridspec().set_height_ratios([1.7, 0.3 * max(len(rows), 2) + 0.4])
    step = times[1] - times[0] if len(times) > 1 else 0.04
    spectrogram(heard.frames, top, start=heard.start, bands="pitch")
    top.set(xlabel="", yticks=[])
    if len(rows):
        below.imshow(
            attention, cmap=WEIGHTS, vmin=0, vmax=1, aspect="auto", interpolation="nearest",
            extent=(times[0] - step / 2, times[-1] + step / 2, len(rows) - 0.5, -0.5),
        )  # fmt: skip
    for row, (begin, end) in enumerate(list(words or ())[: len(rows)]):
        below.add_patch(
            Rectangle((begin, row - 0.42), end - begin, 0.84, fill=False, edgecolor=GOLD, lw=1.6)
        )
    below.yaxis.set_major_locator(FixedLocator(range(len(rows))))
    below.set_yticklabels(rows)
    below.set_xlabel("seconds")
    below.set_xlim(top.get_xlim())
    for ax in (top, below):
        ax.spines[:].set_visible(False)
        ax.tick_params(axis="y", length=0)
    return fig
