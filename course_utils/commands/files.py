"""What commands write: for a file its line, and the picture of an attention.

A line is the path, a tab and the text, in the order of the arguments. A file that cannot be read
has one line on standard error; the others are answered all the same, and the exit status is 1.
"""

import os
import sys
from pathlib import Path


def write_answer(path: str, text: str) -> None:
    """One line to standard output, at once.

    The path keeps its own bytes, also where they are no UTF-8; line ends and tabs, which would
    break the format, become "?" in it and spaces in the text.
    """
    name = os.fsencode("".join(c if c not in "\n\r\t" else "?" for c in path))
    sys.stdout.buffer.write(name + b"\t" + " ".join(text.split()).encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()


def names_folder(place: str | Path) -> bool:
    """Is it a folder, or does a final "/" say that it is to be one?"""
    return Path(place).is_dir() or str(place).endswith(("/", os.sep))


def picture_of(place: str | Path, files: list[str], number: int) -> Path:
    """Where the picture of the file with this number (from 1) goes: each file has its own.

    Into a folder under the file's name, with its number where that could be another one's picture;
    else into ``place`` itself, or for several files beside it: NAME-1.png, NAME-2.png, …
    """
    place, folder = Path(place), names_folder(place)
    if not folder:
        suffix = f"-{number}" if len(files) > 1 else ""
        return place.with_name(place.stem + suffix + (place.suffix or ".png"))
    stems = [Path(name).stem for name in files]
    stem = stems[number - 1]
    numbered = {f"{other}-{n}" for n, other in enumerate(stems, start=1)}
    own = stems.count(stem) == 1 and stem not in numbered
    return place / (f"{stem}.png" if own else f"{stem}-{number}.png")


def write_picture(figure, path: Path) -> None:
    """Save a figure, in a new folder where there is none yet, and forget it."""
    from course_utils.plotting.style import plt

    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)
