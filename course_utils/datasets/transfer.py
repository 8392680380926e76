"""Bytes over the network into a `.part` file, resumed if an earlier download was interrupted.

Nothing is verified here: `download` does that, and only then gives the file its name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from course_utils.datasets.registry import DataError, megabytes
from course_utils.runtime import progress_bar

__all__ = ["Interrupted", "download", "fetch_text"]

TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
PIECE = 32 * 1024
REDIRECTS = 10
# Bytes are stored as they are sent: nothing is decompressed on the way.
HEADERS = {
    "User-Agent": "attention-course (a Python course; downloads a data set once)",
    "Accept-Encoding": "identity",
}
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


class Interrupted(DataError):
    """The connection broke within a file. What arrived is kept, and the next call resumes."""


def download(url: str, part: Path, progress: bool = False, most: int | None = None) -> bool:
    """Download to the path ``part``; if it exists, append only what is missing.

    most: the most bytes that the file may have; if the server sends, or announces, more, the part
    is removed.

    Returns whether anything was there before. The caller then verifies the file, because its two
    halves may belong to different versions. A server that does not support ranges sends everything,
    which replaces what was there.

    Raises DataError, or `Interrupted` if some bytes arrived; OSError for the local disk.
    """
    offset = part.stat().st_size if part.exists() else 0
    received = 0  # bytes of the file, earlier ones included, once the server has begun to send
    try:
        with _answer(url, {"Range": f"bytes={offset}-"} if offset else {}) as answer:
            if offset and answer.status_code == 416:  # the server has nothing after the offset
                return True
            if not offset or answer.status_code != 206:
                _require_success(answer)
                offset = 0
            length = answer.headers.get("Content-Length", "")
            total = offset + int(length) if length.isdigit() else None
            _check_size(total or 0, most, part.stem)
            received = offset
            bar = progress_bar(
                total, "B", progress, initial=offset, desc=part.stem, unit_scale=True
            )
            with open(part, "ab" if offset else "wb") as out, bar:
                for piece in answer.raw.stream(PIECE, decode_content=False):
                    _check_size(received + len(piece), most, part.stem)
                    out.write(piece)
                    received += len(piece)
                    bar.update(len(piece))
    except TooLarge:
        part.unlink(missing_ok=True)
        raise
    except DataError:
        if not received:
            raise
        size = f" of {megabytes(total)}" if total else ""
        raise Interrupted(
            f"The connection broke after {megabytes(received)}{size} of {part.stem}.",
            "Repeat the command: it resumes where it stopped.",
        ) from None
    return offset > 0


def _check_size(size: int, most: int | None, name: str) -> None:
    if most is not None and size > most:
        raise TooLarge(
            f"The server sends {megabytes(size)} or more for {name}; at most"
            f" {megabytes(most)} are expected.",
            "The network may answer with its log-in page; otherwise report it to the person who"
            " runs the server.",
        )


def fetch_text(url: str, most: int) -> str:
    """A text file of at most ``most`` bytes from a server.

    Raises DataError if it cannot be downloaded or is larger.
    """
    content = b""
    with _answer(url) as answer:
        _require_success(answer)
        for piece in answer.raw.stream(PIECE, decode_content=False):
            content += piece
            _check_size(len(content), most, url)
    return content.decode("utf-8-sig", errors="replace")


class TooLarge(DataError):
    """A server sends more bytes than the file can have."""


class _Session(requests.Session):
    """Follows no redirect: requests would read the whole answer that contains one."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@contextmanager
def _answer(url: str, headers: dict[str, str] | None = None) -> Iterator[requests.Response]:
    """The server's answer; network errors, also while it is read, become a DataError."""
    headers, place = HEADERS | (headers or {}), url
    try:
        with _Session() as session:
            for _ in range(REDIRECTS):
                with session.get(place, headers=headers, timeout=TIMEOUT, stream=True) as answer:
                    target = requests.Session.get_redirect_target(session, answer)
                    if target is None:
                        yield answer
                        return
                    place = urljoin(place, target)
            raise requests.TooManyRedirects
    except (*NETWORK_ERRORS, ValueError) as error:  # ValueError: a malformed address
        raise DataError(
            f"{urlsplit(url).netloc.rpartition('@')[2]} cannot be reached"
            f" ({type(error).__name__}).",
            "Check the network, its log-in page and its proxy, or set COURSE_MIRROR to a copy of"
            " the data; then repeat the command.",
        ) from None


def _require_success(answer: requests.Response) -> None:
    if answer.status_code != 200:
        raise DataError(
            f"The server answered {answer.status_code} for {answer.url}.",
            "Repeat the command in a few minutes. If that does not help, the file may have moved:"
            " update the course, or set COURSE_MIRROR to a copy of the data.",
        )
