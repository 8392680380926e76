"""Images: a picture file of any kind → 224 × 224 pixels, and pictures as batches hold them."""

import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["PhotoError", "SIDE", "as_source", "read_photo"]

SIDE = 224  # pixels of the squashed photo


class PhotoError(Exception):
    """A file is not a picture, is damaged or cannot be read; the message says which and why."""


def read_photo(file: str | Path | bytes) -> np.ndarray:
    """A picture of any kind as (224, 224, 3) bytes in RGB.

    file: its path, or its content as bytes.

    The picture is rotated according to its EXIF data and squashed to a square. Grey, palette, CMYK
    and 16-bit pictures are converted, transparent pixels become white, and of an animation the
    first frame is used. Raises PhotoError, which names the file, for anything that is not a
    picture.
    """
    from PIL import Image, ImageOps

    name = "the file" if isinstance(file, bytes) else str(file)
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures before it refuses huge ones.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
                # A JPEG is decoded at a fraction of its size if that is enough.
                image.draft("RGB", (2 * SIDE, 2 * SIDE))
                image.load()
                image = _to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise PhotoError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise PhotoError(f"{name}: this is a folder, not a picture") from None
    except PermissionError:
        raise PhotoError(f"{name}: no permission to read it") from None
    except Exception as error:  # a damaged file can make any decoder fail in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        if type(error).__name__ == "UnidentifiedImageError":
            reason = "not a picture, or of an unknown kind"
        raise PhotoError(f"{name}: {reason}") from None
    return np.asarray(_squash()(image))


@lru_cache
def _squash() -> Any:
    from torchvision.transforms import v2

    return v2.Resize((SIDE, SIDE), antialias=True)


def _to_rgb(image: Any) -> Any:
    """A picture in any of Pillow's modes as RGB."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":  # more than 8 bits per pixel
        values = np.asarray(image).astype(np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(np.nanmax(values)), 1e-9)
        if image.mode == "F" and top > 1 and top <= 255:
            top = 255.0
        grey = np.nan_to_num(values / top * 255).clip(0, 255).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


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
