"""The doors for what others made: files, their names, and sounds."""

import errno
import math
import os

import pytest
import soundfile
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_utils.audio import pieces_of_speech, read_audio
from course_utils.messages import shown
from course_utils.runtime import read_file, regular_file


@given(st.text(st.characters()))
def test_a_shown_text_is_one_printable_line(text):
    assert shown(text).isprintable() and len(shown(text)) <= 10 * len(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("photos/Zoë's photo.jpg", "photos/Zoë's photo.jpg"),
        (r"C:\new\table.wav", r"C:\new\table.wav"),
        ("a\x1b[31mred\n", r"a\x1b[31mred\n"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        (os.fsdecode(b"\xff.png"), r"\udcff.png"),
        ("see http://anna:secret@host/x.", "see http://host/x."),
        ("http://anna:sec@re/t@host:81/x", "http://host:81/x"),
        ("('https://secret@host/x', 1)", "('https://host/x', 1)"),
        ("http://host/x?token=secret (why)", "http://host/x?… (why)"),
        ("anna@example.org?", "anna@example.org?"),
    ],
)
def test_names_are_shown_without_escapes_and_secrets(text, expected):
    assert shown(text) == expected


def test_of_a_long_text_both_ends_are_shown():
    assert shown("a" * 40 + "b" * 50, longest=10) == "aaaaa…bbbbb"


@pytest.mark.skipif(os.name != "posix", reason="other systems have other limits and no pipes")
@pytest.mark.parametrize("name", ["absent", "f/x", "folder", "pipe", "n" * 300, "link", "a\0b"])
def test_only_regular_files_are_opened(name, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "f").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("link")
    reasons = {
        "absent": "there is no such file",
        "f/x": "there is no such file",
        "folder": "this is a folder",
        "pipe": "a device or a pipe, not a file",
        "n" * 300: "the name is too long",
        "link": "a link that leads to itself",
        "a\0b": "not a name that a file can have",
    }
    with pytest.raises(OSError) as caught:
        regular_file(tmp_path / name)
    assert caught.value.strerror == reasons[name]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device")
def test_a_device_is_not_read():
    with pytest.raises(OSError) as caught:
        read_file("/dev/zero", 10)
    assert "device" in caught.value.strerror


def test_a_folder_that_cannot_be_searched_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr("os.stat", refuse)  # root may search every folder
        with pytest.raises(PermissionError) as caught:
            regular_file(tmp_path / "x")
    assert caught.value.strerror == "no permission to read it"


def test_a_limit_is_checked_before_and_while_reading(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == regular_file(path).read() == b"12345"
    with pytest.raises(OSError) as caught:
        read_file(path, 4)
    assert caught.value.errno == errno.EFBIG and "5 bytes" in caught.value.strerror
    with path.open("r+b") as file:
        file.truncate(5 * 10**9)  # sparse: takes no room
    with pytest.raises(OSError, match="5,000,000,000 bytes are more than the 1,000 allowed"):
        regular_file(path, 1000)
    small = (tmp_path / "small").touch() or os.stat(tmp_path / "small")
    with monkeypatch.context() as patch:
        patch.setattr("os.stat", lambda _: small)  # it grows meanwhile
        with pytest.raises(OSError, match="more than the 7 bytes"):
            read_file(path, 7)


def spoken(seconds=0.6):
    """A tone between two silences, as loud as quiet speech."""
    tone = 0.02 * torch.sin(2 * math.pi * 300 * torch.arange(round(seconds * 8000)) / 8000)
    return F.pad(tone, (6400, 8800))


@pytest.mark.parametrize("offset", [0.01, -0.3, 0.9])
def test_a_constant_offset_changes_no_piece(offset):
    ((start, piece),) = pieces_of_speech([spoken()], 8000)
    ((moved_start, moved),) = pieces_of_speech([spoken() + offset], 8000)
    assert moved_start == start
    torch.testing.assert_close(moved, piece, rtol=0, atol=1e-6)
    assert not list(pieces_of_speech([torch.full((7000,), offset)], 8000))


def test_opposite_channels_are_heard_through_their_own_noise(tmp_path):
    generator = torch.Generator().manual_seed(3)
    sound = spoken()
    hiss = 0.2 * sound.std() * torch.randn(2, len(sound), generator=generator)
    channels = torch.stack([sound, -sound]) + hiss
    soundfile.write(tmp_path / "x.wav", channels.T.numpy(), 8000, subtype="FLOAT")
    heard = read_audio(tmp_path / "x.wav", 8000)
    assert float(torch.corrcoef(torch.stack([heard, sound]))[0, 1].abs()) > 0.9
