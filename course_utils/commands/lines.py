"""The line rules that commands share.

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank; every output line ends
in \\n. The text must be UTF-8.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

CHUNK = 256  # lines answered together


def lines_of(stream: BinaryIO) -> Iterator[str]:
    """The lines of a stream without their ends; ValueError names the line that is no UTF-8."""
    for number, line in enumerate(stream, start=1):
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"line {number} of the input is not valid UTF-8 (byte {error.start + 1} of the "
                "line): convert the text first, for instance with iconv"
            ) from error


def chunks_of(stream: BinaryIO) -> Iterator[list[str]]:
    """The lines in lists of at most CHUNK, one by one when a person types them."""
    chunk: list[str] = []
    for line in lines_of(stream):
        chunk.append(line)
        if len(chunk) == CHUNK or sys.stdin.isatty():
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def write_lines(lines: list[str]) -> None:
    """Lines to standard output, as UTF-8, at once."""
    for line in lines:
        sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()


def run_reporting(work: Callable[[], None], *expected: type[Exception]) -> int:
    """Run ``work``; 0, or 1 with one line on standard error for the expected exceptions.

    A reader that has seen enough (head) is no error to speak about.
    """
    from course_utils.commands import fail

    try:
        work()
    except BrokenPipeError:  # nobody is left to write to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except expected as error:
        return fail(str(error))
    return 0
