"""Overview: what is solved, tried and open in all notebooks, and where to go on.

python -m course_utils.exercises.overview           # in plain text
python -m course_utils.exercises.overview --reset   # forget all that was solved and tried
"""

import argparse
import html
import json
from contextlib import suppress

from course_utils.console import leave, program
from course_utils.exercises import get, numbers
from course_utils.exercises.judging import KINDS, Exercise
from course_utils.exercises.progress import reset_progress, states
from course_utils.messages import _, localised, marked
from course_utils.paths import REPO

__all__ = ["ProgressMap", "progress_map"]

SHORT_PATH = ("00", "01", "02", "03", "10", "11")  # whoever has little time leaves out the others
# Mark, word and colours of each state. They differ in shape and, seen in grey, in lightness.
LOOKS = {
    "open": ("○", marked("open"), "#FFFFFF", "#333333"),
    "tried": ("◐", marked("tried"), "#F3DFA2", "#333333"),
    "solved": ("✔", marked("solved"), "#005A8C", "#FFFFFF"),
}
CHIP = "display:inline-block;margin:1px;padding:1px 6px;border:1px solid #767676;border-radius:4px"
UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


class ProgressMap:
    """All exercises with their states; a table in a notebook, lines of text elsewhere.

    states: as `course_utils.exercises.progress.states` returns them, which is the default.
    """

    def __init__(self, known: dict[str, str] | None = None):
        self.states = states() if known is None else known
        self.notebooks: dict[str, list[Exercise]] = {}
        for number in numbers():
            self.notebooks.setdefault(number.split(".")[0], []).append(get(number))

    def state(self, exercise: Exercise) -> str:
        """open, tried or solved."""
        return self.states.get(exercise.number, "open")

    def minutes_left(self, exercises: list[Exercise]) -> int:
        """What those of these exercises take that are not solved."""
        return sum(one.minutes for one in exercises if self.state(one) != "solved")

    def next(self) -> Exercise | None:
        """The first that is not solved: along the short path, then in the other notebooks."""
        others = [notebook for notebook in self.notebooks if notebook not in SHORT_PATH]
        for notebook in [*SHORT_PATH, *others]:
            for exercise in self.notebooks.get(notebook, []):
                if self.state(exercise) != "solved":
                    return exercise
        return None

    def summary(self) -> str:
        """How much is solved and left, one sentence."""
        everything = [one for exercises in self.notebooks.values() for one in exercises]
        found = [self.state(one) for one in everything]
        return _("{solved} of {all} solved, {tried} tried, about {hours} hours left").format(
            solved=found.count("solved"),
            tried=found.count("tried"),
            all=len(found),
            hours=f"{self.minutes_left(everything) / 60:.1f}",
        )

    def suggestion(self) -> str:
        """Where to go on, one sentence."""
        exercise = self.next()
        if exercise is None:
            return _("Nothing is left: all exercises are solved.")
        return _("Next: {number} {title} ({kind}, about {minutes} minutes)").format(
            number=exercise.number,
            title=localised(exercise.title),
            kind=localised(KINDS[exercise.kind]),
            minutes=exercise.minutes,
        )

    def __repr__(self) -> str:
        legend = "   ".join(f"{mark} {localised(word)}" for mark, word, *_ in LOOKS.values())
        titles = {notebook: _title(notebook) for notebook in self.notebooks}
        lines = [self.summary(), legend]
        for notebook, exercises in self.notebooks.items():
            marks = "  ".join(f"{LOOKS[self.state(one)][0]} {one.number}" for one in exercises)
            left = _("{minutes} minutes left").format(minutes=self.minutes_left(exercises))
            lines += [f"{titles[notebook]}: {left}", f"   {marks}"]
        return "\n".join([*lines, self.suggestion()])

    def _repr_html_(self) -> str:
        rows = []
        for notebook, exercises in self.notebooks.items():
            chips = " ".join(map(self._chip, exercises))
            rows.append(
                f'<tr><th scope="row" style="text-align:left">{html.escape(_title(notebook))}</th>'
                f'<td style="text-align:left">{chips}</td>'
                f"<td>{self.minutes_left(exercises)}</td></tr>"
            )
        names = (_("notebook"), _("exercises"), _("minutes left"))
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
        return (
            f"<table><caption>{html.escape(self.summary())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
            f"<p>{html.escape(self.suggestion())}</p>"
        )

    def _chip(self, exercise: Exercise) -> str:
        mark, word, back, front = LOOKS[self.state(exercise)]
        return (
            f'<span style="{CHIP};background:{back};color:{front}"'
            f' title="{html.escape(localised(exercise.title))}"><span aria-hidden="true">{mark}'
            f'</span> {exercise.number}<span style="{UNSEEN}"> {localised(word)}</span></span>'
        )


def progress_map() -> ProgressMap:
    """What you have solved and tried so far in all notebooks, and where to go on.

    At the end of a cell, it is shown as a table; ``print(progress_map())`` shows it as text.
    """
    return ProgressMap()


def _title(notebook: str) -> str:
    """Number and name of a notebook, "04 Image captioning"; the number alone without its file."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        (path,) = (REPO / "notebooks").glob(f"{notebook}_*.ipynb")
        first = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
        heading = first.splitlines()[0].lstrip("# ").partition(":")[0]
        return heading if heading.startswith(notebook) else f"{notebook} {heading}"
    return notebook


def main(arguments: list[str] | None = None) -> int:
    """Print the map, or forget; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.exercises.overview",
        description="Print which exercises are solved, tried and open, and where to go on.",
    )
    parser.add_argument("--reset", action="store_true", help="forget all that was solved and tried")
    if parser.parse_args(arguments).reset:
        reset_progress()
    print(progress_map())
    return 0


if __name__ == "__main__":
    leave(program(main))
