"""Downloading public data, against a real web server on loopback."""

import argparse
import dataclasses
import gzip
import hashlib
import http.server
import io
import os
import socket
import tarfile
import threading
import zipfile

import pytest

from course_utils.__main__ import main
from course_utils.commands import data as data_command
from course_utils.datasets import download, registry, verification
from course_utils.datasets.download import DataError, fetch, locate
from course_utils.datasets.registry import Content, PublicDataset, RemoteFile

BODY = hashlib.shake_256(b"some data").digest(300_000)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


@dataclasses.dataclass
class Page:
    """How the server behaves at one address."""

    body: bytes = BODY
    status: int = 200
    ranges: bool = True
    cut_at: int | None = None  # close the connection after this many bytes of the body
    length: bool = True
    encoding: str | None = None
    wrong_range: bool = False
    asked: threading.Event | None = None  # set when a request arrives
    gate: threading.Event | None = None  # the answer waits for it


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = self.server.pages.get(self.path, Page(b"", status=404))
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        self.server.headers.append(dict(self.headers))
        if page.gate:
            page.asked.set()
            page.gate.wait(60)
        start, status = 0, page.status
        if asked and page.ranges and status == 200:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            status = 206 if start < len(page.body) else 416
        self.send_response(status)
        if page.encoding:
            self.send_header("Content-Encoding", page.encoding)
        rest = page.body[start:]
        if status == 206:
            rest = page.body if page.wrong_range else rest
            self.send_header(
                "Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}"
            )
        if status == 416:
            self.send_header("Content-Range", f"bytes */{len(page.body)}")
            rest = b""
        if page.length:
            self.send_header("Content-Length", str(len(rest)))
        if page.cut_at is not None:
            rest = rest[: max(0, page.cut_at - start)]
        self.server.sent.append(len(rest))  # before the client continues
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.requests, self.headers, self.sent = {}, [], [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server():
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("COURSE_DATA", str(folder))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(registry, "REGISTRY", {})
    return folder


def register(*files, name="things"):
    entry = PublicDataset(
        name=name,
        title="Made-up things",
        files=files,
        licence="free",
        citation="Nobody (2000). Nothing.",
    )
    registry.REGISTRY[name] = entry
    return entry


def one_file(server, path="/a/things.bin", name="folder/things.bin", body=BODY, **changes):
    """Register a data set of one file with the checksum of `body` at this address."""
    settings = {"checksum": f"sha256:{sha256(body)}", "size": len(body), **changes}
    register(RemoteFile(name, server.url + path, **settings))


def make_mirror(folder, files):
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    sums = "".join(f"{sha256(body)}  {name}\n" for name, body in files.items())
    (folder / "SHA256SUMS").write_text(sums)


def refuse(name="things"):
    """The DataError of a fetch: one line that says that the course works, and no half-done file."""
    with pytest.raises(DataError) as caught:
        fetch(name, progress=False)
    text = str(caught.value)
    assert "\n" not in text
    assert "The course still runs" in text
    assert locate(name) is None
    return caught.value


def leftovers(cache):
    """All files in the cache apart from locks and records."""
    return sorted(
        str(path.relative_to(cache))
        for path in cache.rglob("*")
        if path.is_file() and not path.relative_to(cache).parts[0].startswith(".")
    )


# ---------------------------------------------------------------- from the canonical address


def test_a_download_is_placed_and_needs_no_second_request(server, cache):
    server.pages["/a/things.bin"] = Page()
    one_file(server)
    assert locate("things") is None
    assert not server.requests, "locate must not use the network"
    assert fetch("things", progress=False) == cache
    assert (cache / "folder/things.bin").read_bytes() == BODY
    assert leftovers(cache) == ["folder/things.bin"]
    assert fetch("things", progress=False) == cache == locate("things")
    assert server.requests == [("/a/things.bin", None)]


def test_progress_is_drawn_on_standard_error_only(server, capfd):
    server.pages["/a/things.bin"] = Page()
    one_file(server)
    fetch("things", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "things.bin" in err and "100%" in err


def test_only_missing_files_are_asked_for(server, cache):
    files = {"a.bin": b"first", "b.bin": b"second"}
    for name, body in files.items():
        server.pages[f"/{name}"] = Page(body)
    register(
        *(
            RemoteFile(name, f"{server.url}/{name}", checksum=f"sha256:{sha256(body)}")
            for name, body in files.items()
        )
    )
    cache.mkdir()
    (cache / "a.bin").write_bytes(b"first")
    fetch("things", progress=False)
    assert server.requests == [("/b.bin", None)]


def test_an_md5_checksum_verifies_too(server, cache):
    server.pages["/a/things.bin"] = Page()
    one_file(server, checksum=f"md5:{hashlib.md5(BODY).hexdigest()}")
    assert fetch("things", progress=False) == cache
    server.pages["/a/things.bin"] = Page(BODY + b"!")
    (cache / "folder/things.bin").unlink()
    assert "md5" in str(refuse())


def test_an_interrupted_download_resumes_where_it_stopped(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=200_000)
    one_file(server)
    error = refuse()
    assert "Repeat the command" in str(error) and "300.0 kB of things.bin" in str(error)
    assert leftovers(cache) == ["folder/things.bin.part"]
    kept = (cache / "folder/things.bin.part").stat().st_size
    assert 150_000 < kept <= 200_000
    server.pages["/a/things.bin"] = Page()
    fetch("things", progress=False)
    assert server.requests[1] == ("/a/things.bin", f"bytes={kept}-")
    assert server.sent[1] == len(BODY) - kept
    assert (cache / "folder/things.bin").read_bytes() == BODY
    assert leftovers(cache) == ["folder/things.bin"]


def test_a_server_without_ranges_sends_everything_again(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=200_000, ranges=False)
    one_file(server)
    refuse()
    server.pages["/a/things.bin"] = Page(ranges=False)
    fetch("things", progress=False)
    assert server.requests[1][1] is not None
    assert server.sent[1] == len(BODY)
    assert (cache / "folder/things.bin").read_bytes() == BODY


@pytest.mark.parametrize("where", ["/a/things.bin", "/b/things.bin"])
def test_two_halves_of_different_versions_are_noticed_and_replaced(server, cache, where):
    """The file has changed at its address, or the second half comes from another address."""
    server.pages["/a/things.bin"] = Page(BODY[::-1], cut_at=200_000)
    one_file(server)
    refuse()
    server.pages[where] = Page()
    one_file(server, path=where)
    fetch("things", progress=False)
    assert [asked is None for _, asked in server.requests] == [True, False, True]
    assert (cache / "folder/things.bin").read_bytes() == BODY


def test_a_finished_part_is_placed_when_nothing_is_left_to_send(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=200_000)
    one_file(server)
    refuse()
    (cache / "folder/things.bin.part").write_bytes(BODY)
    server.pages["/a/things.bin"] = Page()
    fetch("things", progress=False)
    assert server.sent[1:] == [0], "the status 416 says that the file is complete"
    assert (cache / "folder/things.bin").read_bytes() == BODY


def test_a_part_longer_than_the_file_is_thrown_away(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=200_000)
    one_file(server)
    refuse()
    (cache / "folder/things.bin.part").write_bytes(BODY + BODY)
    server.pages["/a/things.bin"] = Page()
    fetch("things", progress=False)
    assert server.sent[1:] == [0, len(BODY)]
    assert (cache / "folder/things.bin").read_bytes() == BODY


def test_a_server_that_answers_with_another_range_is_not_believed(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=200_000)
    one_file(server)
    refuse()
    server.pages["/a/things.bin"] = Page(wrong_range=True)
    fetch("things", progress=False)
    assert server.requests[-1][1] is None
    assert (cache / "folder/things.bin").read_bytes() == BODY


def test_a_file_that_stays_truncated_never_gets_its_name(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=200_000)  # Content-Length promises more
    one_file(server)
    for _ in range(3):
        assert "The connection broke after" in str(refuse())
        assert not (cache / "folder/things.bin").exists()


def test_a_short_file_without_a_length_is_caught_by_the_checksum(server, cache):
    server.pages["/a/things.bin"] = Page(BODY[:123_456], length=False, ranges=False)
    one_file(server)
    assert "123,456 bytes" in str(refuse())
    assert leftovers(cache) == []


def test_a_connection_that_breaks_before_the_first_byte_is_resumed_from_the_start(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=0)
    one_file(server)
    assert "cannot be reached" in str(refuse())
    server.pages["/a/things.bin"] = Page()
    fetch("things", progress=False)
    assert (cache / "folder/things.bin").read_bytes() == BODY


def test_a_wrong_checksum_names_both_sums_and_removes_the_file(server, cache):
    server.pages["/a/things.bin"] = Page(BODY[::-1])
    one_file(server)
    text = str(refuse())
    assert sha256(BODY) in text and sha256(BODY[::-1]) in text
    assert leftovers(cache) == []


def test_a_log_in_page_instead_of_data_is_refused(server, cache):
    server.pages["/a/things.bin"] = Page(b"\n<!DOCTYPE html><title>Log in</title>")
    one_file(server)
    assert "is not the expected file" in (text := str(refuse())) and "log-in page" in text


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache):
    server.pages["/a/things.bin"] = Page()
    one_file(server)
    fetch("things", progress=False)
    (cache / "folder/things.bin").write_bytes(b"overwritten")
    assert locate("things") is None
    fetch("things", progress=False)
    assert (cache / "folder/things.bin").read_bytes() == BODY


@pytest.mark.parametrize("status", [404, 403, 503, 206])
def test_answers_without_a_file(server, cache, status):
    server.pages["/a/things.bin"] = Page(b"sorry", status=status)
    one_file(server)
    assert f"The server answered {status} for {server.url}" in str(refuse())
    assert leftovers(cache) == []


def test_an_error_in_place_of_the_rest_keeps_the_first_half(server, cache):
    server.pages["/a/things.bin"] = Page(cut_at=200_000)
    one_file(server)
    refuse()
    kept = leftovers(cache)
    server.pages["/a/things.bin"] = Page(b"sorry", status=503)
    refuse()
    assert leftovers(cache) == kept


@pytest.fixture
def closed_port():
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_no_network(cache, closed_port):
    register(RemoteFile("x.bin", f"{closed_port}/x.bin", checksum=f"sha256:{sha256(b'x')}"))
    text = str(refuse())
    assert "cannot be reached" in text and "network" in text and "COURSE_MIRROR" in text
    assert leftovers(cache) == []


def test_a_proxy_that_does_not_work_is_named(cache, closed_port, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("HTTP_PROXY", closed_port)
    monkeypatch.setenv("http_proxy", closed_port)
    url = "http://data.invalid/x.bin"
    register(RemoteFile("x.bin", url, checksum=f"sha256:{sha256(b'x')}"))
    assert "ProxyError" in str(refuse())


def test_a_gz_file_labelled_as_compressed_answer_stays_packed(server, cache):
    body = gzip.compress(b"some text " * 1000)
    server.pages["/a/t.gz"] = Page(body, encoding="gzip")
    one_file(server, path="/a/t.gz", name="t.gz", body=body)
    fetch("things", progress=False)
    assert (cache / "t.gz").read_bytes() == body


# ---------------------------------------------------------------- the local disk


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_folder_that_cannot_be_written_is_named(server, tmp_path, monkeypatch, below):
    server.pages["/a/things.bin"] = Page()
    one_file(server)
    (tmp_path / "file").write_text("not a folder")  # stops root, too, unlike permissions
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "file" / below))
    text = str(refuse())
    assert str(tmp_path / "file") in text and "COURSE_DATA" in text
    assert not server.requests


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(server, cache):
    one_file(server)
    cache.mkdir(mode=0o555)
    assert "COURSE_DATA" in str(refuse())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_fills_up_during_the_download(server, cache):
    server.pages["/a/things.bin"] = Page(length=False)
    one_file(server)
    (cache / "folder").mkdir(parents=True)
    (cache / "folder/things.bin.part").symlink_to("/dev/full")
    text = str(refuse())
    assert "No space left" in text and "Make room" in text and str(cache) in text


def test_only_one_downloads_at_a_time(server, cache):
    gate, asked = threading.Event(), threading.Event()
    server.pages["/a/things.bin"] = Page(gate=gate, asked=asked)
    one_file(server)
    first = threading.Thread(target=fetch, args=("things", False))
    first.start()
    assert asked.wait(60)
    try:
        assert "Another process" in str(refuse())
    finally:
        gate.set()
        first.join()
    assert len(server.requests) == 1
    assert locate("things") == cache, "the first one was not disturbed"


# ---------------------------------------------------------------- manifests


MEMBERS = {"top-1a2b/": "", "top-1a2b/a.wav": "x" * 700, "top-1a2b/b.wav": "yy", "top-1a2b/R": "r"}
MANIFEST = (Content("*", files=3), Content("*/?.wav", files=2))


def test_a_manifest_verifies_an_archive_without_stable_bytes(server, cache):
    server.pages["/m.zip"] = Page(zipped(MEMBERS))
    register(RemoteFile("m.zip", server.url + "/m.zip", manifest=MANIFEST))
    fetch("things", progress=False)
    assert locate("things") == cache


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({**MEMBERS, "top-1a2b/c.wav": ""}, "4 files match “*”"),
        ({"top/a.wav": "x" * 702, "top/b": "", "top/c": "r"}, "1 files match “*/?.wav”"),
    ],
)
def test_a_manifest_that_does_not_hold(server, cache, members, expected):
    server.pages["/m.zip"] = Page(zipped(members))
    register(RemoteFile("m.zip", server.url + "/m.zip", manifest=MANIFEST))
    text = str(refuse())
    assert expected in text and "instead of" in text
    assert leftovers(cache) == []


def packed_tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, body in members.items():
            item = tarfile.TarInfo(f"./{name}".rstrip("/"))
            item.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            item.size = len(body)
            archive.addfile(item, io.BytesIO(body.encode()))
    return out.getvalue()


def test_a_manifest_of_a_tar_archive(server, cache):
    server.pages["/m.tgz"] = Page(packed_tar(MEMBERS))
    register(RemoteFile("m.tgz", server.url + "/m.tgz", manifest=MANIFEST))
    fetch("things", progress=False)
    assert locate("things") == cache


def broken(body):
    return body[: len(body) // 2]


def flipped_last_sum(body):
    """A gzip file whose checksum, near its end, is wrong."""
    return body[:-8] + bytes([body[-8] ^ 1]) + body[-7:]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("m.zip", broken(zipped(MEMBERS))),
        ("m.zip", zipped(MEMBERS).replace(b"xxxx", b"xxxX", 1)),  # a member's own checksum
        ("m.tgz", broken(packed_tar(MEMBERS))),
        ("m.tgz", flipped_last_sum(packed_tar(MEMBERS))),
        ("m.tgz", b"<html>not here</html>"),
    ],
)
def test_a_broken_archive_is_refused(server, cache, name, body):
    server.pages[f"/{name}"] = Page(body)
    register(RemoteFile(name, f"{server.url}/{name}", manifest=MANIFEST))
    assert "cannot be read" in str(refuse())
    assert leftovers(cache) == []


# ---------------------------------------------------------------- mirrors


def test_a_mirror_folder_is_used_in_place(tmp_path, cache, server, monkeypatch):
    make_mirror(tmp_path / "mirror", {"folder/things.bin": BODY})
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    one_file(server)
    assert locate("things") == fetch("things", progress=False) == (tmp_path / "mirror").resolve()
    assert leftovers(cache) == []
    assert not server.requests


def test_a_mirror_file_is_read_once_and_again_after_a_change(tmp_path, cache, server, monkeypatch):
    make_mirror(tmp_path / "mirror", {"folder/things.bin": BODY})
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    one_file(server)
    read = []
    verify = verification.verify
    monkeypatch.setattr(verification, "verify", lambda *a: (read.append(a), verify(*a)))
    locate("things")
    monkeypatch.setattr(verification, "checked_here", set())  # as in a new process
    assert locate("things") is not None
    assert len(read) == 1
    (tmp_path / "mirror/folder/things.bin").write_bytes(BODY + b"!")
    assert locate("things") is None
    assert len(read) == 2


def test_a_mirror_folder_works_with_a_cache_that_cannot_be_written(tmp_path, server, monkeypatch):
    make_mirror(tmp_path / "mirror", {"folder/things.bin": BODY})
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "file/cache"))
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    one_file(server)
    assert fetch("things", progress=False) == (tmp_path / "mirror").resolve()


def test_a_mirror_on_the_web(tmp_path, cache, server, monkeypatch):
    rebuilt = zipped(MEMBERS)  # other bytes than the publisher's, with the same content
    sums = f"{sha256(rebuilt)} *./an archive.zip\r\n"
    server.pages["/class/SHA256SUMS"] = Page(sums.encode())
    server.pages["/class/an%20archive.zip"] = Page(rebuilt)
    monkeypatch.setenv("COURSE_MIRROR", f"{server.url}/class/")
    entry = RemoteFile(
        "an archive.zip",
        f"{server.url}/canonical.zip",
        checksum=f"sha256:{sha256(b'published')}",
        manifest=MANIFEST,
    )
    register(entry)
    assert locate("things") is None
    assert fetch("things", progress=False) == cache
    asked = [path for path, _ in server.requests]
    assert asked == ["/class/SHA256SUMS", "/class/an%20archive.zip"]
    monkeypatch.delenv("COURSE_MIRROR")
    monkeypatch.setattr(verification, "checked_here", set())
    assert locate("things") == cache, "what a mirror delivered stays accepted without it"


def test_a_manifest_holds_for_a_mirror_too(tmp_path, cache, monkeypatch):
    make_mirror(tmp_path / "mirror", {"m.zip": zipped({"another": "archive"})})
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    register(RemoteFile("m.zip", "http://127.0.0.1:9/m.zip", manifest=MANIFEST))
    text = str(refuse())
    assert "mirror is damaged" in text and "1 files" in text


def test_an_interrupted_download_from_a_mirror_resumes(cache, server, monkeypatch):
    server.pages["/SHA256SUMS"] = Page(f"{sha256(BODY)}  folder/things.bin\n".encode())
    server.pages["/folder/things.bin"] = Page(cut_at=200_000)
    monkeypatch.setenv("COURSE_MIRROR", server.url)
    one_file(server)
    assert "Repeat the command" in str(refuse())
    server.pages["/folder/things.bin"] = Page()
    fetch("things", progress=False)
    assert server.sent[-1] < len(BODY)
    assert not any(path == "/a/things.bin" for path, _ in server.requests)


@pytest.mark.parametrize("web", [False, True])
def test_a_damaged_mirror_is_reported(tmp_path, cache, server, monkeypatch, web):
    make_mirror(tmp_path / "mirror", {"folder/things.bin": BODY})
    (tmp_path / "mirror/folder/things.bin").write_bytes(BODY[::-1])
    server.pages["/m/SHA256SUMS"] = Page((tmp_path / "mirror/SHA256SUMS").read_bytes())
    server.pages["/m/folder/things.bin"] = Page(BODY[::-1])
    monkeypatch.setenv("COURSE_MIRROR", f"{server.url}/m" if web else str(tmp_path / "mirror"))
    one_file(server)
    text = str(refuse())
    assert "mirror is damaged" in text and "unset COURSE_MIRROR" in text
    assert sha256(BODY) in text and sha256(BODY[::-1]) in text
    assert leftovers(cache) == []
    assert not any(path.startswith("/a/") for path, _ in server.requests)


def test_what_a_mirror_lacks_comes_from_the_canonical_address(tmp_path, cache, server, monkeypatch):
    """The others are copied from the mirror, so that all files are in one folder."""
    make_mirror(tmp_path / "mirror", {"a.bin": b"first"})
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    server.pages["/b.bin"] = Page(b"second")
    register(
        *(
            RemoteFile(name, f"{server.url}/{name}", checksum=f"sha256:{sha256(body)}")
            for name, body in {"a.bin": b"first", "b.bin": b"second"}.items()
        )
    )
    assert fetch("things", progress=False) == cache
    assert leftovers(cache) == ["a.bin", "b.bin"]
    assert [path for path, _ in server.requests] == ["/b.bin"]


def test_a_mirror_that_lacks_the_file_is_named_when_nothing_else_works(
    tmp_path, server, monkeypatch
):
    make_mirror(tmp_path / "mirror", {"other.bin": BODY})
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    one_file(server)
    text = str(refuse())
    assert f"{tmp_path / 'mirror'} lacks folder/things.bin" in text and "404" in text


@pytest.mark.parametrize("kind", ["no folder", "no sums", "listed only", "web 404", "web closed"])
def test_unusable_mirrors(tmp_path, cache, server, closed_port, monkeypatch, kind):
    mirror = tmp_path / "mirror"
    if kind == "no sums":
        mirror.mkdir()
    elif kind == "listed only":
        make_mirror(mirror, {"folder/things.bin": BODY})
        (mirror / "folder/things.bin").unlink()
    address = {"web 404": f"{server.url}/nothing", "web closed": closed_port}.get(kind, str(mirror))
    monkeypatch.setenv("COURSE_MIRROR", address)
    one_file(server)
    assert "from either source: (1)" in str(refuse())
    server.pages["/a/things.bin"] = Page()
    assert fetch("things", progress=False) == cache, "the publisher's address helps out"


def test_an_unreachable_mirror_is_asked_once_for_many_files(cache, server, monkeypatch):
    monkeypatch.setenv("COURSE_MIRROR", f"{server.url}/nothing")
    server.pages["/x"] = Page(b"x")
    checksum = f"sha256:{sha256(b'x')}"
    register(*(RemoteFile(f"{i}.bin", f"{server.url}/x", checksum=checksum) for i in range(3)))
    fetch("things", progress=False)
    assert [path for path, _ in server.requests] == ["/nothing/SHA256SUMS", "/x", "/x", "/x"]


def test_a_relative_mirror_counts_from_the_checkout_too(tmp_path, server, monkeypatch):
    """Notebooks run in a folder of their own and must find the mirror that the shell named."""
    make_mirror(tmp_path / "mirror", {"folder/things.bin": BODY})
    (tmp_path / "checkout/notebooks").mkdir(parents=True)
    monkeypatch.setattr(download, "REPO", tmp_path / "checkout")
    monkeypatch.setenv("COURSE_MIRROR", "../mirror")
    one_file(server)
    for place in ("checkout", "checkout/notebooks"):
        monkeypatch.chdir(tmp_path / place)
        assert locate("things") == (tmp_path / "mirror").resolve()


# ---------------------------------------------------------------- the command


def command(*words):
    parser = argparse.ArgumentParser()
    data_command.add_arguments(parser)
    return data_command.run(parser.parse_args(words))


def test_get_and_list(server, cache, capsys):
    server.pages["/a/things.bin"] = Page()
    one_file(server)
    assert command("list") == 0
    assert "things  300.0 kB  free     not here  Made-up things" in capsys.readouterr().out
    assert command("get", "--quiet", "things") == 0
    out, err = capsys.readouterr()
    assert out == f"things: 1 file, verified, in {cache} (cache)\n"
    assert err == ""
    assert command("list", "--verbose") == 0
    out = capsys.readouterr().out
    assert "free     cache" in out and "Nobody (2000)" in out and f"{server.url}/a/" in out


def test_list_names_the_mirror(tmp_path, server, monkeypatch, capsys):
    make_mirror(tmp_path / "mirror", {"folder/things.bin": BODY})
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    one_file(server)
    command("list")
    assert " mirror " in capsys.readouterr().out


def test_get_fails_with_one_line_and_continues_with_the_others(server, cache, capsys):
    server.pages["/ok"] = Page(b"ok")
    one_file(server)
    ok = RemoteFile("ok", f"{server.url}/ok", checksum=f"sha256:{sha256(b'ok')}")
    register(ok, name="fine")
    assert command("get", "-q", "things", "unknown", "fine") == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == 2
    assert "404" in lines[0]
    assert "“unknown”" in lines[1] and "fine, things" in lines[1]
    assert out.startswith("fine: 1 file, verified")


def test_get_can_be_stopped(server, monkeypatch, capsys):
    one_file(server)

    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "fetch", stopped)
    assert main(["data", "get", "things"]) == 130
    assert "resumes where it stopped" in capsys.readouterr().err


def test_a_command_without_an_action_is_refused(capsys):
    with pytest.raises(SystemExit):
        command()
