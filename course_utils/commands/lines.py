"""What commands share that answer standard input line by line.

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank; every output line ends
in \\n. The text must be UTF-8.
"""

import sys
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

__all__ = ["CHUNK", "Chunk", "chunks_of", "lines_of", "write_lines"]

CHUNK = 256  # lines answered together


class Chunk(NamedTuple):
    """Lines that are answered together.

    first     number of the first line, from 1
    complete  whether these are all lines of the input; False as long as more may follow
    """

    lines: list[str]
    first: int
    complete: bool


def lines_of(stream: BinaryIO) -> Iterator[str]:
    """The lines of a stream, without their ends.

    Raises ValueError, with the number of the line, if it is not valid UTF-8.
    """
    for number, line in enumerate(stream, start=1):
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"line {number} of the input is not valid UTF-8 (byte {error.start + 1} of the "
                "line): convert the text first, for instance with iconv"
            ) from error


def chunks_of(stream: BinaryIO) -> Iterator[Chunk]:
    """The lines in chunks of at most CHUNK; one by one if a person types them."""
    lines: list[str] = []
    first = 1
    for line in lines_of(stream):
        lines.append(line)
        if len(lines) == CHUNK or stream.isatty():
            yield Chunk(lines, first, complete=False)
            first += len(lines)
            lines = []
    if lines:
        yield Chunk(lines, first, complete=first == 1)


def write_lines(lines: list[str]) -> None:
    """Write lines to standard output as UTF-8, at once."""
    for line in lines:
        sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()
