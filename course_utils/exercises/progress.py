"""Progress: what `check` has seen solved or tried, kept on this machine for all notebooks.

One line of JSON is appended to a small file whenever an exercise gets further than before. Lines
are never changed, so several notebooks can write at once, and a damaged line costs no other. A file
that cannot be read or written costs the learner nothing but the memory of what was solved.

COURSE_PROGRESS=off in the environment switches it off. The file lies in
`course_utils.paths.state_folder`.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

from course_utils.paths import state_folder
from course_utils.runtime import read_file

__all__ = ["progress_file", "record", "reset_progress", "states"]

FILE, LARGEST = "progress.jsonl", 1_000_000  # bytes; a finished course has some thousand
STATES = ("tried", "solved")  # in this order: nothing is solved less than before


def progress_file() -> Path | None:
    """The file that the progress is kept in; None if COURSE_PROGRESS is "off"."""
    if os.environ.get("COURSE_PROGRESS", "").strip().lower() == "off":
        return None
    return state_folder() / FILE


def states() -> dict[str, str]:
    """The number of each exercise that was tried, and its state, "tried" or "solved".

    Empty if nothing is kept or nothing can be read.
    """
    path = progress_file()
    try:
        return {} if path is None else _read(path)
    except OSError:
        return {}


def record(number: str, verdict: str) -> None:
    """Keep what `check` found: the state of a `Verdict`. Never raises an error.

    "wrong" counts as tried. An exercise that was solved once stays solved.
    """
    state = {"wrong": "tried", "solved": "solved"}.get(verdict)
    path = progress_file()
    if state is None or path is None:
        return
    with suppress(OSError):
        try:
            before = _read(path).get(number)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            before = None
        if before is None or STATES.index(before) < STATES.index(state):
            line = json.dumps({"exercise": number, "state": state})
            with open(path, "ab", buffering=0) as file:
                file.write(f"\n{line}\n".encode())  # whatever is there, this is a line of its own


def reset_progress() -> None:
    """Forget all that was solved and tried. Raises OSError if the file cannot be removed."""
    path = progress_file()
    if path is not None:
        path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, str]:
    """The best state of each exercise; lines that are damaged or of another kind do not count."""
    found: dict[str, str] = {}
    for text in read_file(path, LARGEST).decode(errors="replace").splitlines():
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            line = json.loads(text)
            number, state = str(line["exercise"]), STATES.index(line["state"])
            found[number] = STATES[max(state, STATES.index(found.get(number, "tried")))]
    return found
