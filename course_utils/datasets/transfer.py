"""Bytes over the network into a `.part` file: with progress, and going on after a cut.

What is transferred is not trusted here; `download` verifies it and gives it its final name.
"""

import errno
import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from pooch import HTTPDownloader

from course_utils.datasets.registry import DataError

__all__ = [
    "CutConnection",
    "ResumingDownloader",
    "discard",
    "fetch_text",
    "megabytes",
    "need_room",
    "part_of",
]

TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
PIECE = 32 * 1024
USER_AGENT = "attention-course (a Python course; downloads a data set once)"
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


class CutConnection(DataError):
    """The connection broke within a file; what arrived is kept and the next run goes on there."""


def part_of(target):
    """The name under which a file grows, in the folder of its final name."""
    return target.with_name(target.name + ".part")


def _note_of(part):
    return part.with_name(part.name + ".json")


def discard(part):
    """Remove an unfinished download and the note about it."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def megabytes(size):
    """A size in bytes for people: 1.9 MB, 22.9 kB, 17 bytes."""
    if size is None:
        return "?"
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:,.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


class ResumingDownloader(HTTPDownloader):
    """pooch's HTTP downloader, made to go on where an earlier, cut download stopped.

    Called as pooch calls its downloaders. Beside the `.part` file lies a small note with the
    address and the server's mark of the version (ETag or date); only with the same address is a
    download continued, and a server whose file has changed since is asked to start again. Servers
    that know no ranges send everything, which is accepted. Bytes are stored as they are sent: a
    server that labels a `.gz` file as a compressed answer does not get it unpacked.

    Raises DataError (CutConnection when something usable arrived), OSError for the local disk.
    """

    def __init__(self, progressbar=False, label="", user_agent=None):
        super().__init__(progressbar=progressbar, chunk_size=PIECE, timeout=TIMEOUT)
        self.label = label
        self.headers = {"User-Agent": user_agent or USER_AGENT, "Accept-Encoding": "identity"}

    def __call__(self, url, output_file, pooch=None, check_only=False):
        """Bring `url` to the path `output_file`; returns the bytes that an earlier run had left."""
        if check_only:
            return super().__call__(url, output_file, pooch, check_only=True)
        part = Path(output_file)
        offset, headers = self._resume_point(url, part)
        with _request(url, headers={**self.headers, **headers}) as answer:
            if offset and answer.status_code == 416:  # nothing lies beyond the offset
                if answer.headers.get("Content-Range", "").rpartition("/")[2] == str(offset):
                    return offset  # … because it is all there
            elif offset and answer.status_code == 206:
                if answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                    self._store(answer, part, offset)
                    return offset
            else:
                _raise_for_status(answer, url)
                _note_of(part).write_text(
                    json.dumps({"url": url, "version": _version(answer)}), encoding="utf-8"
                )
                self._store(answer, part, 0)
                return 0
        discard(part)  # the server's file is another one, or its ranges are wrong
        return self(url, output_file, pooch)

    def _resume_point(self, url, part):
        """Bytes that are there already, and the headers that ask for the rest."""
        try:
            note = json.loads(_note_of(part).read_text(encoding="utf-8"))
            offset = part.stat().st_size if note["url"] == url else 0
        except (OSError, ValueError, KeyError, TypeError):
            offset = 0
        if not offset:
            return 0, {}
        headers = {"Range": f"bytes={offset}-"}
        if note.get("version"):
            headers["If-Range"] = note["version"]
        return offset, headers

    def _store(self, answer, part, offset):
        length = answer.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdigit() else None
        need_room(part, 0 if total is None else total - offset)
        done = offset
        with open(part, "ab" if offset else "wb") as out, self._bar(total, offset) as bar:
            try:
                for piece in _pieces(answer, self.chunk_size):
                    out.write(piece)
                    done += len(piece)
                    bar.update(len(piece))
            except NETWORK_ERRORS as error:
                if not done:
                    raise _explained(error, answer.url) from error
                out.flush()
                size = f" of {megabytes(total)}" if total else ""
                raise CutConnection(
                    f"The connection broke after {megabytes(done)}{size} of {self.label}.",
                    "Repeat the command: it goes on where it stopped.",
                ) from error
            out.flush()
            os.fsync(out.fileno())

    def _bar(self, total, offset):
        from tqdm.auto import tqdm

        return tqdm(
            total=total,
            initial=offset,
            desc=self.label,
            unit="B",
            unit_scale=True,
            disable=not self.progressbar,
        )


def _pieces(answer, size):
    """The body as the server sends it, not unpacked."""
    yield from answer.raw.stream(size, decode_content=False)


def need_room(part, size):
    """OSError (no space left) when the disk cannot take `size` more bytes."""
    free = shutil.disk_usage(part.parent).free
    if size > free:
        raise OSError(
            errno.ENOSPC, f"{megabytes(size)} needed, {megabytes(free)} free", str(part.parent)
        )


def fetch_text(url):
    """A small text file from a server; DataError when it cannot be had."""
    with _request(url, headers={"User-Agent": USER_AGENT}) as answer:
        _raise_for_status(answer, url)
        try:
            return answer.content.decode("utf-8-sig", errors="replace")
        except NETWORK_ERRORS as error:
            raise _explained(error, url) from error


def _request(url, headers):
    try:
        return requests.get(url, headers=headers, timeout=TIMEOUT, stream=True)
    except NETWORK_ERRORS as error:
        raise _explained(error, url) from error


def _version(answer):
    """What If-Range may carry: a strong ETag, else the date of the last change."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified")


def _raise_for_status(answer, url):
    status = answer.status_code
    if status == 200:
        return
    if status in (404, 410):
        raise DataError(
            f"The server has no file at {url} (answer {status}); it may have moved.",
            "Update the course, or point COURSE_MIRROR to a copy of the data.",
        )
    if status in (401, 403):
        raise DataError(
            f"The server refuses {url} (answer {status}).",
            "Try the address in a browser, or point COURSE_MIRROR to a copy of the data.",
        )
    raise DataError(
        f"The server could not deliver {url} (answer {status}).",
        "This usually passes: repeat the command in some minutes.",
    )


def _explained(error, url):
    """A DataError for what the network library reported."""
    host = urlsplit(url).netloc or url
    network = "Check the network, or point COURSE_MIRROR to a copy of the data; then repeat."
    if isinstance(error, requests.exceptions.SSLError):
        return DataError(
            f"The encrypted connection to {host} failed; a log-in page of the network, a wrong"
            " clock or a company's proxy may be in the way.",
            network,
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return DataError(
            f"The proxy on the way to {host} does not work (HTTP_PROXY, HTTPS_PROXY).", network
        )
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return DataError(f"{host} does not answer; the network or the server is slow.", network)
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.HTTPError):
        return DataError(f"{host} cannot be reached; there is probably no network.", network)
    return DataError(f"{url} could not be asked for ({type(error).__name__}).", network)
