"""Images: a picture file of any kind → 224 × 224 pixels, and pictures as batches hold them."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.messages import shown
from course_utils.runtime import quiet_library, regular_file

__all__ = ["PhotoError", "SIDE", "as_source", "read_photo"]

SIDE = 224  # pixels of the squashed photo

LARGEST = 64_000_000  # pixels that are decoded; a JPEG may have more, since it is decoded smaller
LONGEST = 65_535  # pixels on one side
FILE = 250_000_000  # bytes of a file
BAND = 1_000_000  # pixels that are converted at once
UNSAFE = {"EPS", "WMF"}  # kinds that other programs draw


class PhotoError(Exception):
    """A file is not a picture, is damaged or cannot be read; the message says which and why."""


def read_photo(file: str | Path | bytes, side: int = SIDE) -> np.ndarray:
    """A picture of any kind as (side, side, 3) bytes in RGB.

    file: its path, or its content as bytes. side: pixels of the squashed photo.

    The picture is rotated according to its EXIF data and squashed to a square. Grey, palette and
    CMYK pictures are converted, transparent pixels become white, and of an animation the first
    frame is used. Of 16 bits a channel, the upper eight count; grey floats are read from 0 (black)
    to 1 (white), grey whole numbers of 32 bits from 0 to 65,535.

    Raises PhotoError, which names the file, for anything that is not a picture, for numbers outside
    these ranges, and for more than 64 million pixels to decode, 65,535 on a side, or 250 MB.
    """
    from PIL import Image, ImageOps

    name = "the file" if isinstance(file, bytes) else shown(file)
    try:
        source = io.BytesIO(file) if isinstance(file, bytes) else regular_file(file, FILE)
    except OSError as error:
        raise PhotoError(f"{name}: {error.strerror}") from None
    Image.init()
    try:
        with warnings.catch_warnings(), source:
            # Pillow warns about large pictures before it refuses huge ones.
            warnings.simplefilter("ignore")
            with (
                quiet_library(),
                Image.open(source, formats=sorted(set(Image.OPEN) - UNSAFE)) as image,
            ):
                size = image.size
                # A JPEG is decoded at a fraction of its size if that is enough.
                image.draft("RGB", (2 * side, 2 * side))
                _check_size(size if "progressive" in image.info else image.size)
                if "transparency" in image.info and "RGB;16" in str(image.tile):
                    raise ValueError("a transparent colour of 16 bits a channel cannot be read")
                image.load()
                _check_size(image.size)  # that of an icon may differ from its header's
                image = _eight_bits(image)
                ImageOps.exif_transpose(image, in_place=True)
                image = _to_rgb(image)
    except Exception as error:  # a damaged file can make any decoder fail in any way
        reason = shown(error) or type(error).__name__
        if type(error).__name__ == "UnidentifiedImageError":
            reason = "not a picture, or of an unknown kind"
        raise PhotoError(f"{name}: {reason}") from None
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > LARGEST or max(size) > LONGEST:
        raise ValueError(
            f"{width:,} × {height:,} pixels; at most {LARGEST // 1_000_000} million, and"
            f" {LONGEST:,} on a side, are decoded"
        )


def _eight_bits(image: Any) -> Any:
    """The picture; grey numbers of more than 8 bits become grey bytes."""
    from PIL import Image

    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    top = 1.0 if image.mode == "F" else 4095.0 if tags.get(258) == (12,) else 65535.0
    values = np.asarray(image).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= top:
        raise ValueError(
            f"its numbers lie between {low:g} and {high:g}; they have to be between 0 and {top:g}"
        )
    if tags.get(262) == 0:  # 0 is white
        values = top - values
    grey = Image.fromarray((values * (255 / top)).round().astype(np.uint8))
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray(np.asarray(image) != image.info["transparency"]))
    grey.getexif().update(image.getexif())
    return grey


def _to_rgb(image: Any) -> Any:
    """A picture in any of Pillow's modes of 8 bits as RGB, what is transparent becomes white."""
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    found, (width, height) = Image.new("RGB", image.size), image.size
    for top in range(0, height, rows := max(1, BAND // width)):
        band = image.crop((0, top, width, min(height, top + rows)))
        if band.has_transparency_data or image.mode in ("RGBa", "La"):
            band = band.convert("RGBA")
            band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
        found.paste(band.convert("RGB"), (0, top))
    return found


def as_source(picture: Tensor | np.ndarray) -> Tensor:
    """A picture in the form in which a batch holds it: bytes, pixels as (3, height, width).

    ``picture`` is pixels (height, width, 3) or (3, height, width), or features (places, channels).
    Raises ValueError for any other shape and for floating point numbers.
    """
    if not isinstance(picture, Tensor):
        picture = torch.tensor(np.asarray(picture))  # copied: arrays from disk are read-only
    if picture.dim() == 3 and picture.shape[-1] == 3:
        picture = picture.permute(2, 0, 1)
    if picture.dim() not in (2, 3) or picture.is_floating_point():
        raise ValueError(
            "a picture is pixels (height, width, 3) or features (places, channels), in bytes; got "
            f"{picture.dtype} {tuple(picture.shape)}"
        )
    return picture
