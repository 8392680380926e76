"""Console: what a terminal does to a program, and what the program makes of it.

A stream is closed or cannot show every character, a disk is full, a reader leaves, somebody presses
Ctrl-C: `program` is the one place that deals with all of them.
"""

import codecs
import errno
import os
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO

__all__ = ["leave", "program", "readable_streams", "reason", "report_error", "resumable"]

# What stands for a character that the encoding of a stream lacks; a letter loses its accent.
PLAIN = {
    **{"✔": "+", "✘": "x", "–": "-", "—": "-", "−": "-", "→": "->", "←": "<-", "×": "x", "·": "."},
    **{"○": "o", "◐": "~"},  # open and tried, in the map of exercises
    **{"≤": "<=", "≥": ">=", "≈": "~", "±": "+-", "…": "...", "▁": "_", "\u00a0": " "},
    **{"“": '"', "”": '"', "‘": "'", "’": "'"},
}
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)  # errors that only writing has
STOPS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a closed terminal


def plain(character: str) -> str:
    """One character in ASCII: what stands for it or, if nothing does, its number."""
    letter = unicodedata.normalize("NFD", character)[0]
    stand_in = letter if letter.isascii() and letter.isalpha() else ascii(character)[1:-1]
    return PLAIN.get(character, stand_in)


def readable(error: UnicodeError) -> tuple[str, int]:
    """A handler of encoding errors: in ASCII, "✔ café 中" becomes "+ cafe \\u4e2d"."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(plain, error.object[error.start : error.end])), error.end


codecs.register_error("course_utils.readable", readable)


def readable_streams() -> None:
    """Let standard output and error show any text, whatever their encoding (see `readable`).

    A stream whose errors the user handles in another way (``PYTHONIOENCODING=ascii:ignore``) and
    that of a notebook stay as they are.
    """
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in ("strict", "backslashreplace", "surrogateescape"):
            with suppress(AttributeError):  # not a stream of Python's own
                stream.reconfigure(errors="course_utils.readable")


def report_error(message: str) -> int:
    """Print ``message`` as one line on standard error; returns 1, the exit status of a failure."""
    from course_utils.messages import shown

    try:
        print(shown(" ".join(message.split())), file=sys.stderr, flush=True)
    except OSError:  # nobody can read it; the exit status still tells
        drop(sys.stderr)
    return 1


def reason(error: BaseException) -> str:
    """What an error says; of a file's, which file it is and what is wrong, without the number."""
    if isinstance(error, OSError) and error.strerror:
        # The streams have no names; every other file that the course writes has one (`replacing`).
        stream = "standard output" if error.errno in FULL else None
        file = stream if error.filename is None else error.filename or "''"
        return f"{file}: {error.strerror}" if file else error.strerror
    return str(error) or type(error).__name__


def program(work: Callable[[], int | None]) -> int:
    """Do the ``work`` of a program; returns its exit status (0 for None).

    An error that the user can do something about becomes one line on standard error and status 1:
    one of the course's own, a file that cannot be read or written, a wrong value. So does output
    that cannot be written; if its reader has left (``| head``), there is no message. A program that
    is stopped, by Ctrl-C or another signal, says so in one line and ends with 128 + the number of
    the signal (130 for Ctrl-C); files are as `course_utils.runtime.replacing` leaves them. Any
    other exception is a fault of the course and keeps its traceback.
    """
    with stoppable() as signals:
        try:
            prepare_streams()
            try:
                return work() or 0
            finally:
                flush_output()
        except BaseException as error:
            if signals or isinstance(error, KeyboardInterrupt):
                report_error(f"Stopped. {error if isinstance(error, KeyboardInterrupt) else ''}")
                return 128 + (signals[0] if signals else signal.SIGINT)
            if isinstance(error, BrokenPipeError):
                return 1
            if not is_expected(error):
                raise
            return report_error(reason(error))


def leave(status: int) -> NoReturn:
    """End the process with the exit status of its `program`."""
    if status > 128:  # Python might end a process that was stopped in another way
        os._exit(status)
    sys.exit(status)


@contextmanager
def resumable() -> Iterator[None]:
    """Add to an interruption of the block what the user can do: repeat the command."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        advice = "Repeat the command: it resumes where it stopped."
        raise KeyboardInterrupt(advice) from stopped


def is_expected(error: BaseException) -> bool:
    """Whether an error is one of the course's own, or says what is wrong with a file or a value."""
    kinds = (OSError, ValueError, ImportError, FloatingPointError, MemoryError)
    return isinstance(error, kinds) or (
        isinstance(error, Exception) and type(error).__module__.startswith("course_utils.")
    )


def prepare_streams() -> None:
    """Make the standard streams usable; OSError if there is nowhere to write answers to."""
    # A number that is free would be given to the next file, and what a library prints to it.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        raise OSError("standard output is closed: there is nowhere to write the answer to")
    readable_streams()


def flush_output() -> None:
    """Write what is still in the buffer of standard output; OSError if that is impossible."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        drop(sys.stdout)
        raise


def drop(stream: TextIO) -> None:
    """Lead what cannot be written nowhere, so that the interpreter ends without complaint."""
    with suppress(OSError):  # a stream without a file (io.UnsupportedOperation)
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Signals that ask a program to stop raise KeyboardInterrupt here; yields their numbers.

    A library may turn the exception into another one, hence the numbers. Where Python cannot raise
    it, in a finaliser, the signal is sent again.
    """
    signals: list[int] = []

    def stop(number: int, frame: Any) -> None:
        signals.append(number)
        raise KeyboardInterrupt

    def after(left: threading.Event) -> None:
        left.wait()
        time.sleep(0.01)  # until the finaliser is left, too
        signal.raise_signal(signals[-1])

    def again(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt) and signals:
            left = threading.Event()
            threading.Thread(target=after, args=(left,)).start()
            left.set()
        else:
            hook(unraisable)

    hook, before = sys.unraisablehook, {}
    for name in STOPS:
        number = getattr(signal, name, None)  # Windows lacks some
        # A signal that is ignored stays ignored (nohup), and only the main thread may ask for them.
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            with suppress(ValueError):
                before[number] = signal.signal(number, stop)
    sys.unraisablehook = again
    try:
        yield signals
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
