"""Pictures, sounds, archives and mirrors: valid ones read right, damaged ones named."""

import gzip
import hashlib
import http.server
import io
import math
import os
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from PIL import Image
from torchaudio.functional import melscale_fbanks, resample

from course_utils.audio import (
    PEAK,
    AudioError,
    FrontEnd,
    audio_blocks,
    constant_offset,
    pieces_of_speech,
    read_audio,
    silent,
    without_peaks,
    write_audio,
)
from course_utils.datasets import registry, verification
from course_utils.datasets.archives import tar_members
from course_utils.datasets.download import fetch, locate
from course_utils.datasets.public.multi30k import DATASET as MULTI30K
from course_utils.datasets.public.multi30k import multi30k
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile
from course_utils.datasets.verification import Mismatch, verify
from course_utils.images import SIDE, PhotoError, as_source, read_photo
from course_utils.tasks.speech.augmentation import add_noise, change_speed
from course_utils.tasks.speech.recogniser import Recogniser
from tools.campaign.core import Choices, Wrong, expect, probe
from tools.campaign.mutations import NAMES, damaged, recrc
from tools.campaign.stores import contents, one_line, sandbox, stored, write

# --- pictures ---------------------------------------------------------------------------------


def scene(c: Choices) -> np.ndarray:
    """A small colour picture with a structure that shows turns and swaps."""
    height, width = c.integer(2, 40), c.integer(2, 40)
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x // max(1, width - 1), 255 * y // max(1, height - 1)
    return np.stack([red, green, (x * y) % 256], axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **settings: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def squashed(image: Image.Image) -> np.ndarray:
    """224 × 224 pixels by Pillow, which resizes bytes as torchvision does for pictures."""
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def alike(found: np.ndarray, expected: np.ndarray, what: str, room: float = 2.0) -> None:
    expect(
        found.shape == (SIDE, SIDE, 3) and found.dtype == np.uint8, f"{found.dtype} {found.shape}"
    )
    far = np.abs(found.astype(float) - expected.astype(float))
    expect(far.max() <= room, f"{what}: pixels differ by up to {far.max():.0f}")


@probe("files.pictures", 500)
def pictures(c: Choices) -> None:
    """Valid pictures of many kinds give the pixels that Pillow gives, step by step."""
    pixels = scene(c)
    image = Image.fromarray(pixels)
    kind = c.one_of(
        (
            "rgb",
            "grey",
            "palette",
            "alpha",
            "exif",
            "sixteen",
            "cmyk",
            "bilevel",
            "gif",
            "jpeg",
            "la",
            "bytes order",
        )
    )
    c.show(kind=kind, shape=pixels.shape)
    room = 2.0
    if kind == "rgb":
        data, right = encoded(image, c.one_of(("PNG", "BMP", "TIFF", "PPM"))), image
    elif kind == "grey":
        right = image.convert("L")
        data = encoded(right, c.one_of(("PNG", "TIFF")))
    elif kind == "palette":
        right = image.quantize(7)
        data = encoded(right, c.one_of(("PNG", "BMP")))
    elif kind in ("alpha", "la"):
        alpha = np.random.default_rng(c.seed()).integers(0, 2, pixels.shape[:2]) * 255
        layer = image if kind == "alpha" else image.convert("L")
        layer = layer.copy()
        layer.putalpha(Image.fromarray(alpha.astype(np.uint8)))
        data = encoded(layer, c.one_of(("PNG", "TIFF")) if kind == "alpha" else "PNG")
        base = np.asarray(layer.convert("RGB"))
        right = Image.fromarray(np.where(alpha[:, :, None] > 0, base, 255).astype(np.uint8))
    elif kind == "exif":
        turn = c.integer(1, 8)
        exif = Image.Exif()
        exif[0x0112] = turn
        data = encoded(image, "PNG", exif=exif)
        turned = {
            1: pixels,
            2: pixels[:, ::-1],
            3: pixels[::-1, ::-1],
            4: pixels[::-1],
            5: pixels.transpose(1, 0, 2),
            6: np.rot90(pixels, -1),
            7: np.rot90(pixels, 2).transpose(1, 0, 2),
            8: np.rot90(pixels),
        }[turn]
        right = Image.fromarray(np.ascontiguousarray(turned))
    elif kind == "sixteen":
        grey = (pixels[:, :, 0].astype(np.uint16) << 8) | 17
        data = encoded(Image.fromarray(grey), c.one_of(("PNG", "TIFF")))
        right = Image.fromarray(pixels[:, :, 0])
    elif kind == "cmyk":
        right = image.convert("CMYK")
        data = encoded(right, "TIFF")
    elif kind == "bilevel":
        right = image.convert("1")
        data = encoded(right, "PNG")
    elif kind == "gif":
        right = image.quantize(16)
        data = encoded(right, "GIF", save_all=True, append_images=[Image.new("P", image.size)])
    elif kind == "jpeg":
        data = encoded(image, "JPEG", quality=95)
        right, room = Image.open(io.BytesIO(data)), 6.0
    else:
        data, right = encoded(image, "PNG"), image
    found = read_photo(data)
    alike(found, squashed(right), kind, room)
    if kind == "bytes order":
        for order in (pixels, torch.from_numpy(pixels.copy()), pixels.transpose(2, 0, 1)):
            source = as_source(
                np.ascontiguousarray(order) if isinstance(order, np.ndarray) else order
            )
            if min(pixels.shape[:2]) > 3:
                expect(
                    tuple(source.shape) == (3, *pixels.shape[:2]),
                    f"as a source {tuple(source.shape)}",
                )
                expect(np.array_equal(source.numpy(), pixels.transpose(2, 0, 1)), "another picture")
    with sandbox() as place:
        (place / "p").write_bytes(data)
        expect(
            np.array_equal(read_photo(place / "p"), found),
            "a file gives other pixels than its bytes",
        )


@lru_cache
def picture_files() -> dict[str, bytes]:
    """Valid pictures to be damaged."""
    pixels = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    made = {
        "png": encoded(image, "PNG"),
        "palette": encoded(image.quantize(30), "PNG", transparency=3),
        "alpha": encoded(image.convert("RGBA"), "PNG"),
        "sixteen": encoded(Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 256), "PNG"),
        "jpeg": encoded(image, "JPEG", exif=exif),
        "progressive": encoded(image, "JPEG", progressive=True),
        "gif": encoded(image.quantize(30), "GIF", save_all=True, append_images=[image.quantize(9)]),
        "bmp": encoded(image, "BMP"),
        "tiff": encoded(image, "TIFF"),
        "tiff packed": encoded(image, "TIFF", compression="tiff_lzw"),
        "float": encoded(
            Image.fromarray(np.linspace(0, 1, 713, dtype=np.float32).reshape(23, 31)), "TIFF"
        ),
        "ppm": encoded(image, "PPM"),
        "ico": encoded(image, "ICO"),
        "tga": encoded(image, "TGA"),
    }
    try:
        made["webp"] = encoded(image, "WEBP")
    except (KeyError, OSError):
        pass
    return made


@probe("files.damaged-pictures", 1200, memory=True)
def damaged_pictures(c: Choices) -> None:
    """Damaged pictures: pixels of the right shape, or an error in one line that names the file."""
    kind = c.one_of(tuple(picture_files()))
    data = damaged(c, picture_files()[kind])
    if kind in ("png", "palette", "alpha", "sixteen") and c.chance(0.7):
        data = recrc(data)  # so that the change reaches the decoder
    name = c.one_of(NAMES[:1] + ("a b{}", "é{}", "日本{}"))
    c.show(kind=kind, size=len(data))
    with sandbox() as place:
        path = place / name.replace("{}", "picture")
        path.write_bytes(data)
        try:
            found = read_photo(path)
        except PhotoError as error:
            one_line(error, path.name)
            return
        finally:
            expect(contents(place) == {path.name: data}, "the file was changed")
    expect(
        found.shape == (SIDE, SIDE, 3) and found.dtype == np.uint8, f"{found.dtype} {found.shape}"
    )


# --- sounds -----------------------------------------------------------------------------------


def wave(c: Choices, seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Tones and noise, (N, channels), below half of full scale."""
    generator = np.random.default_rng(c.seed())
    n = max(1, round(seconds * rate))
    time = np.arange(n) / rate
    tone = np.stack([np.sin(2 * np.pi * (110 + 70 * k) * time) for k in range(channels)], axis=1)
    return (0.3 * tone + 0.05 * generator.normal(size=(n, channels)).clip(-3, 3)).astype(np.float32)


@probe("files.sounds", 300)
def sounds(c: Choices) -> None:
    """Sounds of any rate, kind and number of channels: the samples, resampled as a whole."""
    rate = c.one_of((8000, 16000, 11025, 44100, 22050, 4000))
    channels, wanted = c.integer(1, 3), c.one_of((8000, 16000))
    samples = wave(c, c.real(0.01, 3.0), rate, channels)
    kind, subtype = c.one_of(
        (
            ("WAV", "FLOAT"),
            ("WAV", "PCM_16"),
            ("FLAC", "PCM_24"),
            ("WAV", "PCM_U8"),
            ("AIFF", "PCM_16"),
        )
    )
    seconds, context = c.integer(1, 2), 1
    c.show(
        rate=rate,
        channels=channels,
        wanted=wanted,
        kind=(kind, subtype),
        frames=len(samples),
        seconds=seconds,
    )
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind, subtype=subtype)
    mono = torch.from_numpy(samples.mean(axis=1))
    right = mono if rate == wanted else resample(mono, rate, wanted)
    room = {"PCM_U8": 0.02, "PCM_16": 1e-3}.get(subtype, 1e-4)
    blocks = list(audio_blocks(out.getvalue(), wanted, seconds, context))
    found = torch.cat(blocks)
    expect(abs(len(found) - len(right)) <= 1, f"{len(found)} samples, expected {len(right)}")
    n = min(len(found), len(right))
    far = (found[:n] - right[:n]).abs()
    expect(
        float(far.max()) < room, f"block by block, samples differ by up to {float(far.max()):.3g}"
    )
    expect(all(len(b) <= seconds * wanted for b in blocks), "a block is too long")
    with sandbox() as place:
        path = place / f"s.{c.one_of(('wav', 'flac'))}"
        write_audio(path, mono, rate)
        again = read_audio(path, rate)
        expect(
            len(again) == len(mono) and float((again - mono).abs().max()) < 1e-3,
            "written and read, it differs",
        )


@probe("files.frames", 300)
def frames(c: Choices) -> None:
    """Log-mel frames by a discrete Fourier transform written out."""
    rate = c.one_of((8000, 16000, 4000))
    front = FrontEnd(sample_rate=rate, mels=c.one_of((8, 12, 20)), depth=c.one_of((14.0, 6.0)))
    samples = torch.from_numpy(wave(c, c.real(0.001, 0.4), rate)[:, 0])
    if c.chance(0.1):
        samples = torch.zeros(len(samples))
    c.show(rate=rate, mels=front.mels, samples=len(samples))
    found = front.log_mel(samples)
    padded = np.pad(samples.numpy().astype(float), (0, max(0, front.window_samples - len(samples))))
    size, hop = front.window_samples, front.hop_samples
    count = 1 + (len(padded) - size) // hop
    expect(found.shape == (count, front.mels), f"{tuple(found.shape)} for {count} frames")
    expect(front.frames(len(samples)) == count, f"frames() says {front.frames(len(samples))}")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    fft = 2 ** math.ceil(math.log2(size))
    power = np.stack(
        [
            np.abs(np.fft.rfft(padded[i * hop : i * hop + size] * window, fft)) ** 2
            for i in range(count)
        ]
    )
    filters = melscale_fbanks(
        fft // 2 + 1, front.lowest, min(front.highest, rate / 2), front.mels, rate
    ).numpy()
    loud = np.log(power @ filters + 1e-10)
    top = loud.max()
    right = (np.maximum(loud, top - front.depth) - top) * 2 / front.depth + 1
    far = np.abs(found.numpy() - right).max()
    expect(far < 5e-3, f"the frames differ by up to {far:.3g}")
    expect(float(found.max()) <= 1 + 1e-5 and float(found.min()) >= -1 - 1e-5, "outside -1 to 1")
    times = front.times(torch.arange(count).float())
    middle = [(i * hop + size / 2) / rate for i in range(count)]
    expect(np.allclose(times.numpy(), middle, atol=1e-6), "the times of the frames")
    louder = front.log_mel(samples * 0.5)
    if float(samples.abs().max()) > 0.1:
        expect(float((louder - found).abs().max()) < 0.05, "half as loud, the frames differ")
    factor = c.real(0.5, 2.0)
    expect(
        len(change_speed(samples, factor)) == max(1, int(len(samples) / factor)),
        "the length at another speed",
    )
    ratio = c.real(-5, 40)
    torch.manual_seed(1)
    noisy = add_noise(samples, ratio)
    if float(samples.abs().max()) > 0 and len(samples) > 40:
        added = 10 * math.log10(float((samples**2).sum()) / float(((noisy - samples) ** 2).sum()))
        expect(
            abs(added - ratio) < 0.1, f"noise {added:.2f} dB below the sound, asked for {ratio:.2f}"
        )


@probe("files.pauses", 300)
def pauses(c: Choices) -> None:
    """Cut at pauses: in order, no overlap, not too long, nothing loud lost, whatever the blocks.

    A constant offset is not loudness, and peaks are turned down.
    """
    rate, longest = 1000, c.one_of((0.5, 1.0, 2.0))
    parts = []
    for _ in range(c.integer(1, 6)):
        length = c.integer(1, 30) * 50
        parts.append(
            torch.zeros(length)
            if c.chance()
            else torch.from_numpy(wave(c, length / rate, rate)[:, 0])
        )
    sound = torch.cat(parts)
    c.show(parts=[(len(p), bool(p.any())) for p in parts], longest=longest)

    def clean(blocks: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat([block - constant_offset(block, rate) for block in blocks])

    level = clean([sound])
    found = list(pieces_of_speech([sound], rate, longest))
    end = 0.0
    heard = torch.zeros(len(sound), dtype=torch.bool)
    for start, piece in found:
        expect(start >= end - 1e-6, "pieces overlap or are out of order")
        at = round(start * rate)
        expect(
            len(piece) <= longest * rate + 1, f"a piece of {len(piece) / rate} s, longest {longest}"
        )
        part = without_peaks(level[at : at + len(piece)], rate)
        expect(torch.equal(part, piece), "a piece is not part of the sound")
        expect(not silent(piece, rate), "a silent piece")
        heard[at : at + len(piece)] = True
        end = start + len(piece) / rate
    lost = int((level.abs() > 0.1)[~heard].sum())
    expect(lost <= PEAK * rate, "something loud is in no piece")
    expect(bool(found) or lost == int((level.abs() > 0.1).sum()), "nothing is heard")
    expect(bool(level.any()) or not found, "silence is heard")
    size = c.integer(3, 9) * 1000
    split = list(sound.split(size))
    again, level = list(pieces_of_speech(split, rate, longest)), clean(split)
    covered = torch.zeros(len(sound), dtype=torch.bool)
    for start, piece in again:
        at = round(start * rate)
        expect(
            torch.equal(without_peaks(level[at : at + len(piece)], rate), piece),
            "in blocks, a piece is not part of the sound",
        )
        expect(not covered[at : at + len(piece)].any(), "in blocks, something is heard twice")
        covered[at : at + len(piece)] = True
    lost = int((level.abs() > 0.1)[~covered].sum())
    expect(lost <= PEAK * rate, "in blocks, something loud is in no piece")


@lru_cache
def sound_files() -> dict[str, bytes]:
    """Valid sounds to be damaged."""
    samples = (0.3 * np.sin(np.arange(3000) / 7)).astype(np.float32)
    made = {}
    for kind, subtype in (
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"),
        ("WAV", "PCM_24"),
        ("WAV", "ULAW"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("W64", "PCM_16"),
        ("RF64", "PCM_16"),
    ):
        out = io.BytesIO()
        soundfile.write(
            out, np.stack([samples, samples], axis=1), 8000, format=kind, subtype=subtype
        )
        made[f"{kind} {subtype}"] = out.getvalue()
    return made


@lru_cache
def recogniser() -> Recogniser:
    with tempfile.TemporaryDirectory() as name:
        return Recogniser.load(write(Path(name) / "speech", stored("speech")))


@probe("files.damaged-sounds", 1000, memory=True)
def damaged_sounds(c: Choices) -> None:
    """Damaged sounds: finite samples and a text, or an error in one line that names the file."""
    kind = c.one_of(tuple(sound_files()))
    data = damaged(c, sound_files()[kind])
    if kind.startswith("WAV") and c.chance(0.4):
        data = bytearray(sound_files()[kind])
        field, (at, form) = c.one_of(
            (
                ("channels", (22, "<H")),
                ("rate", (24, "<I")),
                ("bytes a second", (28, "<I")),
                ("block", (32, "<H")),
                ("bits", (34, "<H")),
                ("kind", (20, "<H")),
                ("size", (4, "<I")),
                ("data", (40, "<I")),
            )
        )
        limit = 1 << (8 * struct.calcsize(form))
        value = (
            c.one_of((0, 1, 2, 3, 7, 1000, 7919, 44_100, 65_535, 65_537, 999_983, limit - 1))
            % limit
        )
        data[at : at + struct.calcsize(form)] = struct.pack(form, value)
        data = bytes(data)
        c.mutated(f"header {field}")
        c.show(field=field, value=value)
    if kind in ("WAV FLOAT", "WAV DOUBLE") and c.chance(0.4):
        samples = np.sin(np.arange(3000) / 7)
        samples[c.below(3000)] = c.one_of((math.nan, math.inf, 1e25, -1e38, 1e300, 1e-40, 2.0))
        out = io.BytesIO()
        with np.errstate(all="ignore"):
            soundfile.write(
                out,
                samples.astype(np.float32) if "FLOAT" in kind else samples,
                8000,
                format="WAV",
                subtype=kind.split()[1],
            )
        data = out.getvalue()
        c.mutated("an extreme sample")
    c.show(kind=kind, size=len(data))
    with sandbox() as place:
        path = place / f"{c.one_of(('sound', 'a b', 'é'))}.wav"
        path.write_bytes(data)
        try:
            samples = read_audio(path, 8000)
            heard = list(recogniser().transcribe_file(path, beam=c.integer(1, 2)))
        except AudioError as error:
            one_line(error, path.name)
            return
        finally:
            expect(contents(place) == {path.name: data}, "the file was changed")
    expect(samples.isfinite().all(), "samples that are not finite")
    expect(
        all(h.frames.isfinite().all() and isinstance(h.text, str) for h in heard),
        "frames that are not finite",
    )


# --- what the header says ---------------------------------------------------------------------


@lru_cache
def bombs() -> dict[str, bytes]:
    """Small files that say they are large."""

    def png(width: int, height: int, colour: int, more: bytes = b"") -> bytes:
        def chunk(name: bytes, body: bytes) -> bytes:
            return (
                struct.pack(">I", len(body))
                + name
                + body
                + struct.pack(">I", zlib.crc32(name + body))
            )

        channels = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
        packer = zlib.compressobj(1)
        row = bytes(1 + width * channels)
        body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
        head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", head)
            + more
            + chunk(b"IDAT", body)
            + chunk(b"IEND", b"")
        )

    palette = (
        struct.pack(">I", 3) + b"PLTE" + b"\1\2\3" + struct.pack(">I", zlib.crc32(b"PLTE\1\2\3"))
    )
    palette += struct.pack(">I", 1) + b"tRNS" + b"\7" + struct.pack(">I", zlib.crc32(b"tRNS\7"))
    head = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0"
    made = {
        "palette.png": png(13_000, 13_000, 3, palette),
        "rgba.png": png(9_000, 9_000, 6),
        "wide.png": png(3_000_000, 20, 2),
        "grey.png": png(15_000, 15_000, 0),
        "small.gif": encoded(Image.new("P", (9_000, 9_000)), "GIF"),
        "float.tiff": encoded(
            Image.new("F", (9_000, 9_000)), "TIFF", compression="tiff_adobe_deflate"
        ),
        "jpeg.jpg": encoded(Image.new("RGB", (9_000, 9_000)), "JPEG"),
        "rate.wav": head
        + struct.pack("<HIIHH", 1, 65_537, 131_074, 2, 16)
        + b"data"
        + struct.pack("<I", 60)
        + bytes(60),
        "prime.wav": head
        + struct.pack("<HIIHH", 1, 999_983, 1_999_966, 2, 16)
        + b"data"
        + struct.pack("<I", 60)
        + bytes(60),
        "channels.wav": head
        + struct.pack("<HIIHH", 1024, 8000, 16_384_000, 2048, 16)
        + b"data"
        + struct.pack("<I", 4096)
        + bytes(4096),
        "slow.wav": head
        + struct.pack("<HIIHH", 1, 1, 2, 2, 16)
        + b"data"
        + struct.pack("<I", 6000)
        + bytes(6000),
        "fast.wav": head
        + struct.pack("<HIIHH", 1, 2**31 - 1, 2**31, 2, 16)
        + b"data"
        + struct.pack("<I", 60)
        + bytes(60),
    }
    return made


@probe("files.bombs", 60, memory=True)
def large_headers(c: Choices) -> None:
    """Small files that say they are large: little memory, and an answer or an error."""
    name = c.one_of(tuple(bombs()))
    c.mutated("a header that promises much")
    c.show(name=name, size=len(bombs()[name]))
    with sandbox() as place:
        path = place / name
        path.write_bytes(bombs()[name])
        try:
            if name.endswith(".wav"):
                list(recogniser().transcribe_file(path))
            else:
                read_photo(path)
        except (AudioError, PhotoError) as error:
            one_line(error, path.name)


@probe("files.not-files", 200, memory=True)
def not_files(c: Choices) -> None:
    """Folders, devices, pipes, links to nowhere, odd names and foreign kinds."""
    how = c.one_of(
        (
            "folder",
            "missing",
            "device",
            "link",
            "loop",
            "pipe",
            "empty",
            "unreadable",
            "long name",
            "nul",
            "foreign",
            "null device",
        )
    )
    reader: Callable[[Any], Any] = c.one_of((read_photo, lambda p: read_audio(p, 8000)))
    c.mutated(how)
    c.show(how=how, reader="photo" if reader is read_photo else "audio")
    with sandbox() as place:
        path: Any = place / "x.thing"
        if how == "folder":
            path.mkdir()
        elif how == "device":
            path.symlink_to("/dev/zero")
        elif how == "null device":
            path.symlink_to("/dev/null")
        elif how == "link":
            path.symlink_to(place / "nowhere")
        elif how == "loop":
            path.symlink_to(path)
        elif how == "pipe":
            os.mkfifo(path)
        elif how in ("empty", "unreadable"):
            path.write_bytes(b"" if how == "empty" else b"x")
            path.chmod(0o600 if how == "empty" else 0)
        elif how == "long name":
            path = place / ("x.thing" + "y" * 300)
        elif how == "nul":
            path = str(place / "x.thing") + "\0"
        elif how == "foreign":
            path.write_bytes(
                c.one_of(
                    (
                        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
                        b"%PDF-1.4\n",
                        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
                        b"PK\x03\x04",
                        b"hello",
                        b"\0" * 100,
                        b"GIF89a",
                        b"RIFF\0\0\0\0WAVE",
                        b"ID3\x03",
                    )
                )
            )
        try:
            reader(path)
        except (PhotoError, AudioError) as error:
            one_line(error, "x.thing")
            return
    raise Wrong(f"{how} is read")


# --- archives and mirrors ---------------------------------------------------------------------

MEMBERS = {
    "data/a.txt": b"first text",
    "data/b.txt": b"second \xc3\xa9",
    "data/more/c.txt": b"",
    "readme": b"x" * 3000,
}


def tarred(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


@lru_cache
def archives() -> dict[str, bytes]:
    return {
        "things.zip": zipped(MEMBERS),
        "things.tar.gz": tarred(MEMBERS),
        "things.tar": tarred(MEMBERS, "w"),
        "things.tar.xz": tarred(MEMBERS, "w:xz"),
    }


@probe("files.archives", 600, memory=True)
def damaged_archives(c: Choices) -> None:
    """Damaged archives: a mismatch, or exactly the members; reading gives these or a DataError."""
    name = c.one_of(tuple(archives()))
    data = damaged(c, archives()[name])
    c.show(name=name)
    file = RemoteFile(name, "https://nowhere.invalid/x", manifest=(Content("data/*.txt", files=3),))
    with sandbox() as place:
        path = place / name
        path.write_bytes(data)
        try:
            verify(path, file, None)
        except Mismatch as error:
            expect(str(error) and "\n" not in str(error), f"the message {error}")
        if name != "things.zip":
            try:
                found = dict(tar_members(path, lambda n: n.endswith(".txt"), "things"))
            except DataError as error:
                one_line(error, name)
            else:
                for member, body in found.items():
                    if name.endswith((".gz", ".xz")) and member in MEMBERS:
                        expect(len(body) <= 10_000, "a member has grown")
        expect(contents(place) == {name: data}, "something was written")


@probe("files.large-members", 40, memory=True)
def large_members(c: Choices) -> None:
    """Archives that claim to hold gigabytes: little memory, and an error or a bounded answer."""
    how = c.one_of(("zip", "tar.gz", "sparse tar", "tar header"))
    size = c.one_of((1_200_000_000, 1_500_000_000))
    c.mutated(how)
    c.show(how=how, size=size)
    with sandbox() as place:
        path = place / (
            "big.zip" if how == "zip" else "big.tar.gz" if how == "tar.gz" else "big.tar"
        )
        if how == "zip":
            path.write_bytes(big_zip())
        elif how == "tar.gz":
            path.write_bytes(big_gzip())
        else:
            info = tarfile.TarInfo("data/a.txt")
            info.size = size if how == "sparse tar" else 8_000_000_000
            with open(path, "wb") as out:
                out.write(info.tobuf())
                out.truncate(512 + size if how == "sparse tar" else 2048)
        file = RemoteFile(
            path.name, "https://nowhere.invalid/x", manifest=(Content("data/*.txt", files=1),)
        )
        try:
            verify(path, file, None)
        except Mismatch as error:
            expect("\n" not in str(error), f"the message {error}")
        if how != "zip":
            try:
                for _, body in tar_members(path, lambda n: n.endswith(".txt"), "things"):
                    expect(len(body) < 1_000_000_000, "a gigabyte in memory")
            except DataError as error:
                one_line(error, path.name)


@lru_cache
def big_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("data/a.txt", "w", force_zip64=True) as member:
            for _ in range(1200):
                member.write(bytes(1_000_000))
    return out.getvalue()


@lru_cache
def big_gzip() -> bytes:
    info = tarfile.TarInfo("data/a.txt")
    info.size = 1_200_000_000
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed:
        packed.write(info.tobuf())
        for _ in range(1200):
            packed.write(bytes(1_000_000))
        packed.write(bytes(10_240))
    return out.getvalue()


BODY = {"things/a.bin": hashlib.shake_256(b"a").digest(3000), "things/b.tar.gz": tarred(MEMBERS)}


@probe("files.mirrors", 500, memory=True)
def mirrors(c: Choices) -> None:
    """Damaged mirrors and lists: the right files in the cache, or a DataError and none."""
    files = dict(BODY)
    sums = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
    how = c.one_of(
        (
            "nothing",
            "a file",
            "the list",
            "a file with its sum",
            "a line",
            "a link",
            "missing",
            "part",
            "address",
        )
    )
    c.show(how=how)
    if how != "nothing":
        c.mutated(how)
    name = c.one_of(tuple(files))
    if how in ("a file", "a file with its sum"):
        files[name] = damaged(c, files[name])
        if how == "a file with its sum":
            sums[name] = hashlib.sha256(files[name]).hexdigest()
    listed = "".join(f"{digits}  {name}\n" for name, digits in sums.items()).encode()
    if how == "the list":
        listed = damaged(c, listed)
    if how == "a line":
        listed += c.one_of(
            (
                b"\n\n",
                b"\xff\n",
                b"x" * 70 + b"\n",
                b"0" * 64 + b"  ../../etc/passwd\n",
                b"\0" * 100,
                ("0" * 64 + f" *./{name}\n").encode(),
            )
        )
    entries = (
        RemoteFile(
            "things/a.bin",
            "http://127.0.0.1:9/a",
            checksum="sha256:" + hashlib.sha256(BODY["things/a.bin"]).hexdigest(),
        ),
        RemoteFile(
            "things/b.tar.gz", "http://127.0.0.1:9/b", manifest=(Content("data/*.txt", files=3),)
        ),
    )
    entry = PublicDataset("things", "Things", entries, "free", "Nobody (2000).")
    old, real, checked = dict(os.environ), registry.REGISTRY, set(verification.checked_here)
    with sandbox() as place:
        mirror, cache = place / "mirror", place / "cache"
        for file, body in files.items():
            (mirror / file).parent.mkdir(parents=True, exist_ok=True)
            (mirror / file).write_bytes(body)
        (mirror / "SHA256SUMS").write_bytes(listed)
        if how == "a link":
            (mirror / name).unlink()
            (mirror / name).symlink_to(c.one_of(("/dev/zero", "nowhere", "/etc")))
        if how == "missing":
            (mirror / c.one_of((name, "SHA256SUMS"))).unlink()
        if how == "part":
            (cache / name).parent.mkdir(parents=True, exist_ok=True)
            (cache / name).with_name(Path(name).name + ".part").write_bytes(damaged(c, files[name]))
        address = str(mirror)
        if how == "address":
            address = c.one_of(
                (
                    "http://[",
                    "http://user:secret@127.0.0.1:9/x",
                    "https://",
                    "http://127.0.0.1:99999/",
                    "ftp://x",
                    "\x1b[31m",
                    "~nobody/x",
                    "http://" + "a" * 300,
                    "file:///etc",
                )
            )
            c.show(address=address)
        os.environ |= {"COURSE_DATA": str(cache), "COURSE_MIRROR": address}
        registry.REGISTRY = {"things": entry}
        before = contents(mirror)
        try:
            found = locate("things")
            folder = fetch("things", progress=False)
        except DataError as error:
            text = str(error)
            expect("\n" not in text and "secret" not in text, f"the message {text!r}")
            expect(not any(ord(x) < 32 for x in text), f"control characters: {text!r}")
            expect(how != "nothing", f"a good mirror is refused: {text}")
            expect(
                not any((cache / file).exists() for file in files if files[file] != BODY[file]),
                "a wrong file has its final name",
            )
        else:
            expect(found is None or found == folder, "located elsewhere than fetched")
            expect(how not in ("missing", "address"), f"fetched from nowhere ({how})")
            expect(how != "a file" or files == BODY, "a file with a wrong sum is accepted")
            for file in files:
                expect(
                    (folder / file).read_bytes() == files[file], f"{file} is not that of the mirror"
                )
        finally:
            registry.REGISTRY = real
            os.environ.clear()
            os.environ |= old
            verification.checked_here.clear()
            verification.checked_here |= checked
        expect(contents(mirror) == before, "the mirror was changed")


@probe("files.sentences", 250, memory=True)
def sentences(c: Choices) -> None:
    """Multi30k from a mirror whose sums fit but whose files were damaged: pairs, or a DataError."""
    texts = {
        code: "".join(f"{code} {i} .\n" for i in range(9)).encode() for code in ("de", "en", "fr")
    }
    files = {
        file.name: gzip.compress(texts[file.name.split(".")[1]], mtime=0) for file in MULTI30K.files
    }
    name = c.one_of([file.name for file in MULTI30K.files if "train" in file.name])
    code = name.split(".")[1]
    how = c.one_of(("gzip", "text", "bomb", "nothing"))
    c.show(name=name, how=how)
    if how == "gzip":
        files[name] = damaged(c, files[name])
    elif how == "text":
        files[name] = gzip.compress(damaged(c, texts[code]), mtime=0)
    elif how == "bomb" and c.chance(0.05):
        c.mutated("bomb")
        files[name] = big_gzip()
    old, checked = dict(os.environ), set(verification.checked_here)
    with sandbox() as place:
        mirror = place / "mirror"
        for file, body in files.items():
            (mirror / file).parent.mkdir(parents=True, exist_ok=True)
            (mirror / file).write_bytes(body)
        (mirror / "SHA256SUMS").write_text(
            "".join(f"{hashlib.sha256(b).hexdigest()}  {n}\n" for n, b in files.items())
        )
        os.environ |= {"COURSE_DATA": str(place / "cache"), "COURSE_MIRROR": str(mirror)}
        try:
            pairs = multi30k("train", "de", "en")
        except DataError as error:
            one_line(error, "ulti30k")
            expect(how != "nothing" and (code != "fr"), f"good files are refused: {error}")
            return
        finally:
            os.environ.clear()
            os.environ |= old
            verification.checked_here.clear()
            verification.checked_here |= checked
    expect(
        all(isinstance(a, str) and isinstance(b, str) and "\n" not in a + b for a, b in pairs),
        "pairs",
    )
    if how == "nothing" or code == "fr":
        expect(pairs == [(f"de {i} .", f"en {i} .") for i in range(9)], f"pairs {pairs[:2]}")


# --- downloads --------------------------------------------------------------------------------


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that cuts, repeats, ignores ranges, or answers something else."""

    def do_GET(self) -> None:
        plan = self.server.plan.pop(0) if self.server.plan else "good"  # type: ignore[attr-defined]
        body, start, status = self.server.body, 0, 200  # type: ignore[attr-defined]
        asked = self.headers.get("Range")
        if plan == "error":
            status, body = 503, b"busy"
        elif plan == "page":
            body = b"<html>log in</html>"
        elif asked and plan != "no ranges":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            status = 206 if start < len(body) else 416
            body = body[start:] if plan != "wrong range" else body[: len(body) // 2]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 3] if plan == "cut" else body)

    def log_message(self, *arguments: object) -> None:
        pass


@probe("files.downloads", 200)
def downloads(c: Choices) -> None:
    """Downloads that break: repeated, they give the right file; never a wrong one by its name."""
    plans = ("good", "cut", "no ranges", "error", "page", "wrong range")
    plan = [c.one_of(plans) for _ in range(c.integer(1, 5))]
    part = c.one_of((None, b"", b"other", BODY["things/a.bin"][:1000], BODY["things/a.bin"] + b"x"))
    c.mutated("a server with faults")
    c.show(plan=plan, part=None if part is None else len(part))
    server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    server.plan, server.body = list(plan), BODY["things/a.bin"]  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    checksum = "sha256:" + hashlib.sha256(BODY["things/a.bin"]).hexdigest()
    file = RemoteFile("things/a.bin", f"http://127.0.0.1:{server.server_port}/a", checksum=checksum)
    entry = PublicDataset("things", "Things", (file,), "free", "Nobody (2000).")
    old, real, checked = dict(os.environ), registry.REGISTRY, set(verification.checked_here)
    try:
        with sandbox() as place:
            cache = place / "cache"
            os.environ |= {"COURSE_DATA": str(cache), "NO_PROXY": "127.0.0.1"}
            os.environ.pop("COURSE_MIRROR", None)
            registry.REGISTRY = {"things": entry}
            if part is not None:
                (cache / "things").mkdir(parents=True)
                (cache / "things" / "a.bin.part").write_bytes(part)
            for _ in range(len(plan) + 2):
                try:
                    folder = fetch("things", progress=False)
                    break
                except DataError as error:
                    expect("\n" not in str(error) and str(error), f"the message {error}")
                    expect(
                        not (cache / "things" / "a.bin").exists(),
                        "an unverified file has its final name",
                    )
            else:
                raise Wrong("the download never succeeds, though the server is good again")
            expect(
                (folder / "things" / "a.bin").read_bytes() == BODY["things/a.bin"], "a wrong file"
            )
            left = [p.name for p in (cache / "things").iterdir()]
            expect(left == ["a.bin"], f"left behind: {left}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        registry.REGISTRY = real
        os.environ.clear()
        os.environ |= old
        verification.checked_here.clear()
        verification.checked_here |= checked
