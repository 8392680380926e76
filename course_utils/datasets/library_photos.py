"""Photos that come with the libraries of the course, so they need no download."""

import numpy as np

__all__ = ["PHOTOS", "shipped_photo"]

# Photos that come with the course's libraries: (package, file). A motorcycle (Middlebury stereo
# benchmark 2014), Chelsea the cat (CC0, Stéfan van der Walt), the astronaut (NASA, public domain),
# a cup of coffee (CC0, Rachel Michetti), a rocket (SpaceX, CC0); a flower and a palace in China
# (both CC BY 2.0, see the README of scikit-learn's images).
PHOTOS = {
    "motorcycle": ("skimage", "stereo_motorcycle"),
    "cat": ("skimage", "chelsea"),
    "astronaut": ("skimage", "astronaut"),
    "coffee": ("skimage", "coffee"),
    "rocket": ("skimage", "rocket"),
    "flower": ("sklearn", "flower.jpg"),
    "palace": ("sklearn", "china.jpg"),
}


def shipped_photo(name: str) -> np.ndarray:
    """A photo of `PHOTOS`, squashed to (224, 224, 3) bytes. Raises ValueError for another name."""
    from io import BytesIO

    from PIL import Image

    from course_utils.images import read_photo

    if name not in PHOTOS:
        raise ValueError(f"unknown photo {name!r}: choose one of {', '.join(PHOTOS)}")
    package, file = PHOTOS[name]
    if package == "sklearn":
        from sklearn.datasets import load_sample_image

        pixels = load_sample_image(file)
    else:
        import skimage.data

        pixels = getattr(skimage.data, file)()
        pixels = pixels[0] if isinstance(pixels, tuple) else pixels  # the left one of a pair
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return read_photo(buffer.getvalue())
