"""Mirrors, servers and archives that are wrong or hostile cost little, show little and say why."""

import contextlib
import hashlib
import http.server
import io
import os
import tarfile
import threading
import traceback
import tracemalloc
import zipfile
import zlib

import pytest

from course_utils.datasets import archives, download, real_data, registry, verification
from course_utils.datasets.archives import gzip_text, open_zip, tar_members
from course_utils.datasets.download import DataError, fetch, locate
from course_utils.datasets.registry import Content, PublicDataset, RemoteFile
from course_utils.datasets.verification import Mismatch, verify
from tools.peaks import memory_added

BODY = b"seven words that are all the data"
SUM = hashlib.sha256(BODY).hexdigest()
LIMIT = 200_000  # bytes that a file of these tests may have


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what the server has for the path: status, headers, body; None never ends."""

    def do_GET(self):
        status, headers, body = self.server.pages.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            while body is None:
                self.wfile.write(b"0" * 65_536)
                self.server.sent += 65_536
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.pages, running.sent = {}, 0
    running.host = f"127.0.0.1:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def things(server, tmp_path, monkeypatch):
    """A data set of one file, which its publisher does not have."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(registry, "LEAST", LIMIT // 2)
    file = RemoteFile("things.bin", f"http://{server.host}/published", checksum=f"sha256:{SUM}")
    entry = PublicDataset("things", "Things", (file,), "free", "someone")
    monkeypatch.setattr(registry, "REGISTRY", {"things": entry})


def refuse():
    """What a fetch says: one printable line; nothing is left in the cache."""
    with pytest.raises(DataError) as caught:
        fetch("things", progress=False)
    assert str(caught.value).isprintable()
    cache = download.cache_folder()
    assert [path.name for path in cache.iterdir() if not path.name.startswith(".")] == []
    return caught.value


# --- mirrors that are no mirrors --------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://[",
        "http://",
        "HTTPS://:80/x",
        "http://host:port",
        "http://host:99999",
        "http://ho st/",
        "http://a:secret w@host",
        "http://a\x1b[2Jb/",
        "http://h/x?token=secret",
        f"http://{'a' * 70}.org/",
        "http://a..b/",
        "ftp://a:secret@host/x",
        "n" * 300,
        "n/" * 3000,
        "~nobody-has-this-name/x",
        "\x1b[2J",
        "loop",
        "/dev/null",
    ],
)
def test_a_broken_mirror_gives_one_line(address, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setenv("COURSE_MIRROR", address)
    assert locate("things") is None and not real_data("things")
    said = str(refuse())
    assert "either source: (1)" in said and "404" in said
    assert "COURSE_MIRROR" in said or "cannot be reached" in said
    assert "secret" not in said


@pytest.mark.parametrize("folder", ["n" * 300, "n/" * 3000, "file/x"])
def test_a_folder_that_cannot_be_there_gives_one_line(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_DATA", "~nobody-has-this-name/x")
    assert locate("things") is None
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / folder))
    assert locate("things") is None
    with pytest.raises(DataError, match="cannot be written .*set COURSE_DATA to another folder"):
        fetch("things", progress=False)


def test_a_password_is_never_shown(server, tmp_path, monkeypatch, capfd):
    """Neither when the mirror lacks something, nor when it moves, is damaged or does not answer."""
    monkeypatch.setenv("COURSE_MIRROR", f"http://anna:secret@{server.host}/m")
    shown = [refuse()]
    server.pages["/m/SHA256SUMS"] = (302, {"Location": "/sums?token=secret"}, b"")
    shown.append(refuse())
    server.pages["/sums?token=secret"] = (200, {}, f"{SUM}  things.bin".encode())
    shown.append(refuse())
    server.pages["/m/things.bin"] = (200, {}, b"others")
    with pytest.raises(DataError, match="not the expected file") as caught:
        fetch("things", progress=True)
    shown.append(caught.value)
    monkeypatch.setenv("COURSE_MIRROR", "http://anna:secret@127.0.0.1:9/?token=secret")
    shown.append(refuse())
    monkeypatch.setenv("COURSE_MIRROR", "http://anna:secret@127.0.0.1:9/")
    shown.append(refuse())
    for error in shown:
        assert "secret" not in "".join(traceback.format_exception(error))
    said = capfd.readouterr()
    assert "secret" not in said.out + said.err
    server.pages["/m/things.bin"] = (200, {}, BODY)
    monkeypatch.setenv("COURSE_MIRROR", f"http://anna:secret@{server.host}/m")
    assert (fetch("things", progress=False) / "things.bin").read_bytes() == BODY


def test_what_an_archive_says_does_not_reach_the_terminal(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("a\x1b[2Jb", b"xxxx")
    path = tmp_path / "m.zip"
    path.write_bytes(path.read_bytes().replace(b"xxxx", b"xxxX"))
    with pytest.raises(Mismatch) as caught:
        verify(path, RemoteFile("m.zip", "http://h/m", manifest=(Content("*", 1),)), None)
    assert str(DataError(str(caught.value))).isprintable()


# --- answers without an end -------------------------------------------------------------------


@pytest.mark.parametrize("where", ["sums", "redirect", "file", "promise", "published"])
def test_an_endless_answer_is_cut_off(where, server, monkeypatch):
    monkeypatch.setattr(download, "SUMS_SIZE", LIMIT)
    sums = (200, {}, f"{SUM}  things.bin".encode())
    server.pages = {
        "sums": {"/m/SHA256SUMS": (200, {}, None)},
        "redirect": {"/m/SHA256SUMS": (302, {"Location": "/elsewhere"}, None)},
        "file": {"/m/SHA256SUMS": sums, "/m/things.bin": (200, {}, None)},
        "promise": {"/m/SHA256SUMS": sums, "/m/things.bin": (200, {"Content-Length": 10**12}, b"")},
        "published": {"/published": (200, {}, None)},
    }[where]
    monkeypatch.setenv("COURSE_MIRROR", f"http://{server.host}/m")
    tracemalloc.start()
    said = str(refuse())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6 and server.sent < 20e6
    assert "404" in said if where == "redirect" else "are expected" in said


def test_a_circle_of_redirects_ends(server):
    server.pages["/published"] = (302, {"Location": "/published"}, b"")
    assert "TooManyRedirects" in str(refuse())


@pytest.mark.parametrize(
    "location", ["http://[", "file:///etc/passwd", "//", "\x1b[2J", "ftp://h/"]
)
def test_a_redirect_to_nowhere_gives_one_line(location, server):
    server.pages["/published"] = (302, {"Location": location}, b"")
    refuse()


@pytest.mark.parametrize("kind", ["device", "pipe", "huge", "folder"])
@pytest.mark.parametrize("which", ["SHA256SUMS", "things.bin"])
def test_a_mirror_folder_is_read_within_limits(which, kind, tmp_path, monkeypatch):
    if kind == "pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "SHA256SUMS").write_text(f"{SUM}  things.bin\n")
    (mirror / "things.bin").write_bytes(BODY)
    path = mirror / which
    path.unlink()
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(3 * 10**9)  # sparse: takes no room
    monkeypatch.setenv("COURSE_MIRROR", str(mirror))
    assert locate("things") is None
    refuse()


# --- archives that unpack to more than they say -----------------------------------------------


def tar(*members):
    """A tar.gz of TarInfos, with as many zeros as each says it has, or with its `data`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for item in members:
            archive.addfile(item, io.BytesIO(bytes(max(0, item.size))))
    return out.getvalue()


def member(name, size=0, kind=tarfile.REGTYPE):
    item = tarfile.TarInfo(name)
    item.size, item.type = size, kind
    return item


def negative(name):
    """A tar.gz with a header whose size is negative."""
    block = bytearray(member(name).tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 10 + b"\xfc\x00"  # −1,024 in base 256
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    packer = zlib.compressobj(wbits=31)
    return packer.compress(bytes(block) + bytes(1024)) + packer.flush()


@pytest.mark.parametrize(
    "content",
    [
        tar(member("a"), member("b", 101_000)),
        tar(*(member(f"{i}", 99_000) for i in range(12))),
        tar(member("long", 500_000, tarfile.GNUTYPE_LONGNAME)),
        tar(member("pax", 500_000, tarfile.XHDTYPE)),
        negative("minus"),
    ],
    ids=["member", "total", "name", "header", "negative"],
)
def test_a_tar_is_read_within_limits(content, tmp_path, monkeypatch, request):
    total = "[member]" not in request.node.name  # a member is refused only if it is asked for
    monkeypatch.setattr(archives, "MEMBER", 100_000)
    monkeypatch.setattr(archives, "UNPACKED", 1_000_000)
    path = tmp_path / "t.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t.tar.gz cannot be read \(.*data get things"):
        list(tar_members(path, lambda name: True, "things"))
    manifest = (Content("*", 99),)
    with pytest.raises(Mismatch, match="cannot be read" if total else "99"):
        verify(path, RemoteFile("t.tar.gz", "http://h/t", manifest=manifest), None)


def test_members_that_nobody_asks_for_may_be_large(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER", 100_000)
    path = tmp_path / "t.tar.gz"
    path.write_bytes(tar(member("a", 700), member("large", 150_000), member("z", 7)))
    found = dict(tar_members(path, lambda name: name != "large", "things"))
    assert {name: len(content) for name, content in found.items()} == {"a": 700, "z": 7}


@pytest.mark.parametrize("sizes", [[101_000], [99_000] * 12])
def test_a_zip_is_read_within_limits(sizes, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER", 100_000)
    monkeypatch.setattr(archives, "UNPACKED", 1_000_000)
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, size in enumerate(sizes):
            archive.writestr(f"{number}", bytes(size))
    with pytest.raises(OSError, match="unpacks to"), open_zip(path):
        pass
    with pytest.raises(Mismatch, match="cannot be read .*unpacks to"):
        manifest = (Content("*", len(sizes)),)
        verify(path, RemoteFile("z.zip", "http://h/z", manifest=manifest), None)


def test_a_gzip_is_read_within_limits(tmp_path, monkeypatch):
    packer = zlib.compressobj(9, wbits=31)
    path = tmp_path / "g.gz"
    path.write_bytes(b"".join(packer.compress(bytes(10**6)) for _ in range(300)) + packer.flush())
    read = """
from course_utils.datasets.archives import DataError, gzip_text, Path
from course_utils.datasets import archives
archives.MEMBER = 10_000_000"""
    work = """
try:
    gzip_text(Path(sys.argv[1]), "things")
except DataError as error:
    assert "unpacks to" in str(error)
else:
    raise AssertionError"""
    assert path.stat().st_size < 400_000
    assert memory_added(read, work, path) < 60e6
    monkeypatch.setattr(archives, "MEMBER", 10)
    path.write_bytes(zlib.compress(b"0123456789", wbits=31))
    assert gzip_text(path, "things") == "0123456789"


@pytest.mark.parametrize("pack", ["w:gz", "w:bz2", "w:xz", "w"])
def test_every_packing_of_a_tar_is_read(pack, tmp_path, monkeypatch):
    path = tmp_path / "t.tar"
    with tarfile.open(path, pack) as archive:
        for number in range(5):
            archive.addfile(member(f"d/{number}", 300 + number), io.BytesIO(b"x" * 900))
    found = dict(tar_members(path, lambda name: name != "d/3", "things"))
    assert {name: len(body) for name, body in found.items()} == {
        f"d/{number}": 300 + number for number in (0, 1, 2, 4)
    }
    monkeypatch.setattr(verification, "checked_here", set())
    verify(path, RemoteFile("t.tar", "http://h/t", manifest=(Content("d/*", 5),)), None)
