"""Images of figures: small, faithful, the same bytes every time."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_utils.plotting.encoding import encode


def opened(image: Image.Image) -> tuple[str, np.ndarray]:
    kind, content = encode(image)
    file = Image.open(io.BytesIO(content))
    assert file.get_format_mimetype() == kind and file.size == image.size
    return kind, np.asarray(file.convert("RGB"), dtype=int)


def gradient(rows: int, columns: int) -> Image.Image:
    """Red rises to the right, green downwards: as many colours as pixels, up to 65,536."""
    down, right = np.mgrid[:rows, :columns]
    pixels = np.stack([right * 256 // columns, down * 256 // rows, 0 * down + 90], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 256), st.integers(0, 2**32 - 1))
def test_few_colours_are_kept_exactly(rows, columns, colours, seed):
    choose = np.random.default_rng(seed)
    palette = choose.integers(0, 256, (colours, 3), dtype=np.uint8)
    pixels = palette[choose.integers(0, colours, (rows, columns))]
    kind, found = opened(Image.fromarray(pixels))
    # The palette may round a colour by one level.
    assert kind == "image/png" and np.abs(found - pixels).max() <= 1


def test_a_chart_is_smaller_with_a_palette():
    """A soft line on white, as antialiasing draws it."""
    down, right = np.mgrid[:300, :400]
    shade = np.clip(np.abs(down - 0.6 * right) * 127, 0, 255).astype(np.uint8)
    image = Image.fromarray(np.stack([shade, shade // 2 + 128, np.full_like(shade, 255)], axis=-1))
    plain = io.BytesIO()
    image.save(plain, "PNG", optimize=True)
    kind, content = encode(image)
    assert kind == "image/png" and len(content) < len(plain.getvalue())
    assert Image.open(io.BytesIO(content)).mode == "P"


def test_a_photo_becomes_a_jpeg_that_looks_the_same():
    noise = np.random.default_rng(3).normal(0, 6, (210, 260, 3))
    pixels = np.clip(np.asarray(gradient(210, 260)) + noise, 0, 255).astype(np.uint8)
    kind, found = opened(Image.fromarray(pixels))
    assert kind == "image/jpeg"
    assert np.abs(found - pixels).mean() < 6


def test_a_small_photo_in_a_large_chart_keeps_its_colours():
    """The error of the worst place decides, not the mean, which the white around hides."""
    colours = np.random.default_rng(5).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    image = Image.new("RGB", (1200, 900), "white")
    image.paste(Image.fromarray(colours.repeat(2, axis=0).repeat(2, axis=1)), (1004, 803))
    _kind, found = opened(image)
    change = np.abs(found - np.asarray(image, dtype=int)).max(axis=-1)
    assert change[803:867, 1004:1100].mean() < 6


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8), (300, 201)])
def test_the_same_image_gives_the_same_bytes(size):
    assert encode(gradient(*size)) == encode(gradient(*size))
