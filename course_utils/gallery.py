"""Gallery: the pictures of the README, drawn anew from the shipped checkpoints.

``python -m course_utils gallery`` writes them as PNG files into data/gallery. They show generated
scenes, sentences of our own, and photos that come with scikit-learn and scikit-image; never a photo
of a public data set.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from course_utils.paths import DATA

__all__ = ["FIGURES", "GALLERY", "PHOTOS", "draw_gallery", "shipped_photo"]

GALLERY = DATA / "gallery"
SENTENCE = "Ein kleiner brauner Hund springt über einen Zaun und fängt den Ball."

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
    """A photo that comes with a library of the course, squashed to (224, 224, 3) bytes."""
    from io import BytesIO

    from PIL import Image

    from course_utils.photos import read_photo

    if name not in PHOTOS:
        raise ValueError(f"unknown photo {name!r}; choose from {', '.join(PHOTOS)}")
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


def translation_figure():
    """A German sentence, its translation, and the attention between them."""
    from course_utils.plotting import attention_matrix
    from course_utils.translation import Translator

    segment = Translator.load("translation-multi30k").translate([SENTENCE], beam=5)[0].only
    vocabulary = segment.vocabulary

    def words(ids) -> list[str]:
        which = vocabulary.words_of_pieces(ids)
        return [
            vocabulary.decode([i for i, w in zip(ids, which, strict=True) if w == word])
            for word in range(max(which) + 1)
        ]

    ax = attention_matrix(
        segment.word_attention, words(segment.source_ids), words(segment.hypothesis.tokens)
    )
    return ax.figure


def scene_figure(number: int = 12):
    """A generated scene, described word by word."""
    from course_utils.captioning import Captioner
    from course_utils.datasets.scenes import scenes
    from course_utils.plotting import picture_attention

    scene = scenes("test", number + 1)[number]
    caption = Captioner.load("captioning-scenes").caption([scene.image], beam=5)[0]
    known = {c.text: c for c in scene.captions}.get(caption.text)
    masks = None
    if known is not None:  # what the model wrote is true, so it is known what each word names
        masks = [scene.mask(names) if names else None for names in known.names]
    return picture_attention(scene.image, caption.word_attention, caption.words, masks=masks)


def photo_figure(name: str):
    """A photo that comes with a library, described word by word."""
    from course_utils.captioning import Captioner
    from course_utils.photos import photo_features
    from course_utils.plotting import picture_attention

    photo = shipped_photo(name)
    caption = Captioner.load("captioning-flickr8k").caption(photo_features([photo]), beam=3)[0]
    return picture_attention(photo, caption.word_attention, caption.words)


def application_figure(name: str):
    """The picture of an application, as notebook 01 shows it."""
    from course_utils.applications import application_picture

    ax, _ = application_picture(name)
    return ax.figure


FIGURES: dict[str, Callable] = {
    "translation": translation_figure,
    "scene": scene_figure,
    "motorcycle": lambda: photo_figure("motorcycle"),
    "speech": lambda: application_figure("speech"),
    "classification": lambda: application_figure("classification"),
}


def draw_gallery(folder: Path | None = None) -> list[Path]:
    """Draw all figures into ``folder`` (data/gallery); each file is replaced in one step."""
    import matplotlib

    matplotlib.use("Agg")
    from course_utils.plotting import plt

    folder = GALLERY if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, draw in FIGURES.items():
        fig = draw()
        path, partial = folder / f"{name}.png", folder / f".{name}.png.part"
        # No software version and no date inside: the same figure gives the same bytes.
        fig.savefig(
            partial, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None}
        )
        plt.close(fig)
        os.replace(partial, path)
        found.append(path)
    return found
