"""Gallery: the pictures of the README and of notebook 01, drawn anew from the shipped checkpoints.

``python -m course_utils gallery`` writes them as PNG files into data/gallery. They show generated
scenes, sentences of our own, and photos that come with scikit-learn and scikit-image; never a photo
of a public data set. Each task draws its own pictures; this module only collects them.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from course_utils.checkpoints import checkpoint_names
from course_utils.paths import DATA
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

GALLERY = DATA / "gallery"
# Task → (checkpoint, function that draws its picture and says in words what it shows).
APPLICATIONS: dict[str, tuple[str, Callable]] = dict(collect("pictures", "APPLICATION"))


def application_picture(name: str):
    """Axes with the picture of one application, and a text that says what they show."""
    if name not in APPLICATIONS:
        raise ValueError(f"unknown application {name!r}; choose from {', '.join(APPLICATIONS)}")
    checkpoint, picture = APPLICATIONS[name]
    return picture(checkpoint)


def application_pictures() -> Iterator[tuple[str, object, str]]:
    """(application, axes, text that says what they show) for each checkpoint that is there."""
    there = checkpoint_names()
    for name, (checkpoint, _) in APPLICATIONS.items():
        if checkpoint in there:
            yield name, *application_picture(name)


def application_figure(name: str):
    """The picture of an application, as notebook 01 shows it."""
    ax, _ = application_picture(name)
    return ax.figure


def gallery_figures() -> dict[str, Callable]:
    """File name → function that draws it; a task without figures of its own shows its picture."""
    figures: dict[str, Callable] = {}
    for task, offered in collect("pictures", "FIGURES"):
        figures |= offered or {task: partial(application_figure, task)}
    return figures


FIGURES = gallery_figures()


def draw_gallery(folder: Path | None = None) -> list[Path]:
    """Draw all figures into ``folder`` (data/gallery); each file is replaced in one step."""
    from course_utils.plotting.style import plt

    folder = GALLERY if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, draw in FIGURES.items():
        fig = draw()
        path = folder / f"{name}.png"
        with replacing(path) as partial:
            # No software version and no date inside: the same figure gives the same bytes.
            fig.savefig(
                partial, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None}
            )
        plt.close(fig)
        found.append(path)
    return found
