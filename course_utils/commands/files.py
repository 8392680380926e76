"""What commands share that answer files: a line of text and a picture for each of them.

A line is the path, a tab and the text, in the order of the arguments. A file that cannot be read,
or whose picture cannot be written, gets one line on standard error; the others are answered all the
same, and the exit status is 1.
"""

import io
import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from course_utils.console import reason, report_error
from course_utils.runtime import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Answer",
    "answer_files",
    "check_format",
    "is_folder",
    "numbered",
    "picture_path",
    "write_answer",
    "write_picture",
]

Content = TypeVar("Content")


@dataclass(frozen=True)
class Answer:
    """What a command answers for one file: a text and, unless None, a function that draws it."""

    text: str
    draw: "Callable[[], Figure] | None"


def answer_files(
    files: Sequence[str],
    read: Callable[[str], Content],
    answer: Callable[[list[Content]], Sequence[Answer]],
    *,
    unreadable: type[Exception],
    pictures: str | Path | None = None,
    batch_size: int = 1,
) -> int:
    """Answer files in order, ``batch_size`` at a time; returns the exit status.

    read        the content of a file; raises ``unreadable`` if it cannot be read
    answer      one `Answer` for each content of a batch, which may be empty
    pictures    where the pictures go (see `picture_path`); None draws none
    """
    status = 0
    for start in range(0, len(files), batch_size):
        numbers, contents = [], []
        for number, path in enumerate(files[start : start + batch_size], start + 1):
            try:
                contents.append(read(path))
                numbers.append(number)
            except (unreadable, OSError, ValueError) as error:
                status = report_error(reason(error))
        for number, answered in zip(numbers, answer(contents), strict=True):
            write_answer(files[number - 1], answered.text)
            if pictures is not None and answered.draw is not None:
                try:
                    write_picture(answered.draw(), picture_path(pictures, files, number))
                except OSError as error:
                    status = report_error(reason(error))
    return status


def write_answer(path: str, text: str) -> None:
    """Write the line of a file to standard output, at once.

    The path keeps its bytes, even if they are not valid UTF-8. Control characters, among them line
    ends and tabs, which would break the format, become "?" in the path and spaces in the text.
    """
    name = os.fsencode("".join("?" if unicodedata.category(c) == "Cc" else c for c in path))
    sys.stdout.buffer.write(name + b"\t" + " ".join(text.split()).encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()


def is_folder(place: str | Path) -> bool:
    """Whether ``place`` is a folder, or ends in "/" and so names one that does not exist yet."""
    return Path(place).is_dir() or str(place).endswith(("/", os.sep))


def picture_path(place: str | Path, files: Sequence[str], number: int) -> Path:
    """The path of the picture of file ``number`` (from 1): no two files share one.

    In a folder, the picture has the name of its file, with the number if another picture could have
    the same name. Otherwise it is ``place`` itself or, for several files, NAME-1.png, NAME-2.png, …
    beside it.
    """
    place, folder = Path(place), is_folder(place)
    if not folder:
        return numbered(place, number if len(files) > 1 else None)
    stems = [Path(name).stem for name in files]
    stem = stems[number - 1]
    taken = {f"{other}-{n}" for n, other in enumerate(stems, start=1)}
    own = stems.count(stem) == 1 and stem not in taken
    return place / (f"{stem}.png" if own else f"{stem}-{number}.png")


def numbered(path: Path, number: int | None) -> Path:
    """NAME-1.png for NAME.png and 1; the same name for None. PNG if no format is named."""
    suffix = "" if number is None else f"-{number}"
    return path.with_name(path.stem + suffix + (path.suffix or ".png"))


def check_format(path: Path) -> None:
    """Raise ValueError if figures cannot be written in the format that the name of a file asks for.

    Matplotlib is asked by trying: some formats need programs that may not be there.
    """
    from matplotlib.figure import Figure

    try:
        figure = Figure(figsize=(1, 1))
        figure.text(0, 0, "x")
        figure.savefig(io.BytesIO(), format=path.suffix[1:])
    except Exception as error:
        raise ValueError(f"{path.name} names no format for pictures: {error}") from error


def write_picture(figure: "Figure", path: Path) -> None:
    """Save a figure, whole or not at all, if necessary into a new folder, and close it."""
    from course_utils.plotting.style import plt

    try:
        with replacing(path) as partial:
            figure.savefig(partial, format=path.suffix[1:], dpi=120, bbox_inches="tight")
    finally:
        plt.close(figure)
