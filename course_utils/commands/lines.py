"""What commands share that answer text line by line, from files or from standard input.

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank; every output line ends
in \\n. The text must be UTF-8, with or without a byte order mark. An input that cannot be read gets
one line on standard error; the lines before the fault and the other inputs are answered all the
same, and the exit status is 1.
"""

import argparse
import codecs
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from course_utils.commands.files import numbered, write_picture
from course_utils.console import report_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CHUNK",
    "LONGEST",
    "Chunk",
    "add_texts",
    "answer_lines",
    "draw_lines",
    "lines_of",
    "write_lines",
]

CHUNK = 256  # lines answered together
LONGEST = 1_000_000  # bytes of a line: more than that is no sentence and no review


class Chunk(NamedTuple):
    """Lines that are answered together.

    first     number of the first line, from 1, in all inputs together
    complete  whether these are all lines of the inputs; False as long as more may follow
    """

    lines: list[str]
    first: int
    complete: bool


def add_texts(parser: argparse.ArgumentParser) -> None:
    """Add the arguments ``FILE …``."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="a text in UTF-8; - is standard input, which is also read if no file is named",
    )


def answer_lines(files: Sequence[str], answer: Callable[[Chunk], None]) -> int:
    """Read files (none: standard input), hand their lines to ``answer``; returns the exit status.

    Lines come in chunks of at most CHUNK, or one by one if a person types them.
    """
    status = 0

    def lines() -> Iterator[tuple[str, bool]]:
        nonlocal status
        for file in files or ["-"]:
            try:
                with opened(file) as stream:
                    name = "the input" if file == "-" else file
                    yield from ((line, stream.isatty()) for line in lines_of(stream, name))
            except OSError as error:
                status = report_error(f"{file or repr(file)}: {error.strerror or error}")
            except ValueError as error:
                status = report_error(str(error))

    found: list[str] = []
    first = 1
    for line, typed in lines():
        found.append(line)
        if len(found) == CHUNK or typed:
            answer(Chunk(found, first, complete=False))
            first += len(found)
            found = []
    if found:
        answer(Chunk(found, first, complete=first == 1))
    return status


def opened(file: str) -> AbstractContextManager[BinaryIO]:
    """A file, or standard input for "-", to read bytes from."""
    if file != "-":
        return open(file, "rb")
    if sys.stdin is None:
        raise OSError("standard input is closed; name a file instead")
    return nullcontext(sys.stdin.buffer)


def lines_of(stream: BinaryIO, name: str = "the input") -> Iterator[str]:
    """The lines of a stream, without their ends and without a byte order mark.

    Raises ValueError, with the number of the line, if it is not valid UTF-8 or longer than LONGEST.
    """
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise ValueError(f"line {number} of {name} has more than {LONGEST:,} bytes: no text?")
        marked = line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            guess = ", but probably UTF-16" if marked else ""
            raise ValueError(
                f"line {number} of {name} is not valid UTF-8{guess} (byte {error.start + 1} of the "
                "line): save the text as UTF-8 first"
            ) from error


def draw_lines(
    chunk: Chunk, place: str | Path, drawings: "Sequence[Callable[[], Figure] | None]"
) -> None:
    """Write a picture for each line of a chunk that has a drawing, with the number of its line.

    The number is left out if it is the only picture of all inputs.
    """
    drawn = {number: draw for number, draw in enumerate(drawings, chunk.first) if draw is not None}
    single = chunk.complete and len(drawn) == 1
    for number, draw in drawn.items():
        write_picture(draw(), numbered(Path(place), None if single else number))


def write_lines(lines: list[str]) -> None:
    """Write lines to standard output as UTF-8, at once."""
    for line in lines:
        sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()
