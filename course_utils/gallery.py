"""Gallery: the pictures of the README and of notebook 01, drawn from the shipped checkpoints.

``python -m course_utils gallery`` writes them as PNG files into data/gallery. They show generated
scenes, sentences of our own, and photos that come with scikit-learn and scikit-image, but no photo
of a public data set. Each task draws its own pictures; this module only collects them.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.paths import MADE, checkpoint_names
from course_utils.runtime import replacing
from course_utils.tasks import collect

__all__ = [
    "APPLICATIONS",
    "FIGURES",
    "GALLERY",
    "application_picture",
    "application_pictures",
    "draw_gallery",
]

GALLERY = MADE / "gallery"
# Task → (checkpoint, function that draws its picture and describes it in words).
APPLICATIONS: dict[str, tuple[str, Callable[[str], tuple[Axes, str]]]] = dict(
    collect("pictures", "APPLICATION")
)


def application_picture(name: str) -> tuple[Axes, str]:
    """Axes with the picture of one application, and its alternative text.

    In a notebook: ``show(*application_picture("translation"))``. Raises ValueError when there is no
    such application.
    """
    if name not in APPLICATIONS:
        raise ValueError(f"unknown application {name!r}; choose from {', '.join(APPLICATIONS)}")
    checkpoint, picture = APPLICATIONS[name]
    return picture(checkpoint)


def application_pictures() -> Iterator[tuple[str, Axes, str]]:
    """(application, axes, alternative text) for each application whose checkpoint exists."""
    there = checkpoint_names()
    for name, (checkpoint, _) in APPLICATIONS.items():
        if checkpoint in there:
            yield name, *application_picture(name)


def application_figure(name: str) -> Figure:
    """The picture of an application, as notebook 01 shows it."""
    ax, _ = application_picture(name)
    return ax.figure


def gallery_figures() -> dict[str, Callable[[], Figure]]:
    """File name → function that draws it; a task that has no FIGURES offers its picture."""
    figures: dict[str, Callable[[], Figure]] = {}
    for task, offered in collect("pictures", "FIGURES"):
        figures |= offered or {task: partial(application_figure, task)}
    return figures


FIGURES = gallery_figures()


def draw_gallery(folder: Path | None = None) -> list[Path]:
    """Draw all figures into ``folder``, by default data/gallery; returns the files written.

    A figure that fails to draw leaves the file of an earlier call as it was.
    """
    from course_utils.plotting.style import plt

    folder = GALLERY if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, draw in FIGURES.items():
        fig = draw()
        path = folder / f"{name}.png"
        with replacing(path) as temporary:
            # No software version and no date inside: the same figure gives the same bytes.
            fig.savefig(
                temporary, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None}
            )
        plt.close(fig)
        found.append(path)
    return found
