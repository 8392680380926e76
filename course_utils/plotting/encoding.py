"""The smallest image file that shows a figure faithfully: PNG for charts, JPEG for photos."""

import io

import numpy as np
from PIL import Image

__all__ = ["encode"]

# A chart has up to about 4,000 colours, nearly all of them at the edges of its letters; a photo has
# more than 16,000.
MOST_CHART_COLOURS = 10_000
PALETTE = 256
# What the palette may change, in levels of 0 to 255, averaged over any square of 8 × 8 pixels.
# The figures of the course reach 6 as charts and 20 as photos.
LARGEST_ERROR, SQUARE = 8.0, 8
JPEG_QUALITY = 85


def encode(image: Image.Image) -> tuple[str, bytes]:
    """The MIME type and the bytes of the smallest file that shows ``image`` faithfully.

    A chart becomes a PNG with a palette of 256 colours if no part of it changes visibly. Anything
    else becomes a PNG with all its colours or a JPEG without chroma subsampling, whichever is
    smaller. The same image gives the same bytes. Transparency is not kept.
    """
    image = image.convert("RGB")
    if image.getcolors(MOST_CHART_COLOURS) is not None:
        palette = image.quantize(PALETTE, kmeans=1, dither=Image.Dither.NONE)
        if _largest_error(image, palette) <= LARGEST_ERROR:
            return "image/png", _file(palette, "PNG")
    png = _file(image, "PNG")
    jpeg = _file(image, "JPEG", quality=JPEG_QUALITY, subsampling=0, progressive=True)
    return ("image/jpeg", jpeg) if len(jpeg) < len(png) else ("image/png", png)


def _file(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **options)
    return buffer.getvalue()


def _largest_error(image: Image.Image, changed: Image.Image) -> float:
    """The mean error of the square that changed most; squares at the border may be smaller."""
    pixels = [np.asarray(i.convert("RGB"), dtype=np.int16) for i in (image, changed)]
    error = np.abs(pixels[0] - pixels[1]).max(axis=-1)
    rows, columns = (np.arange(0, size, SQUARE) for size in error.shape)
    sums = np.add.reduceat(np.add.reduceat(error, rows, axis=0, dtype=float), columns, axis=1)
    heights, widths = (
        np.minimum(SQUARE, size - at) for size, at in zip(error.shape, (rows, columns), strict=True)
    )
    return float((sums / np.outer(heights, widths)).max())
