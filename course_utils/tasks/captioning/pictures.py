"""Pictures of captioning, drawn from its checkpoints."""

from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.datasets.library_photos import shipped_photo
from course_utils.messages import _


def scene_figure(number: int = 12) -> Figure:
    """A generated scene, described word by word."""
    from course_utils.datasets.generated.scenes import scenes
    from course_utils.plotting import picture_attention
    from course_utils.tasks.captioning.captioner import Captioner

    scene = scenes("test", number + 1)[number]
    caption = Captioner.load("captioning-scenes").caption([scene.image], beam=5)[0]
    known = {c.text: c for c in scene.captions}.get(caption.text)
    masks = None
    if known is not None:  # the caption is true, so each word names known pixels
        masks = [scene.mask(names) if names else None for names in known.names]
    return picture_attention(scene.image, caption.word_attention, caption.words, masks=masks)


def photo_figure(name: str) -> Figure:
    """A photo that comes with a library, described word by word."""
    from course_utils.models.photo_features import photo_features
    from course_utils.plotting import picture_attention
    from course_utils.tasks.captioning.captioner import Captioner

    photo = shipped_photo(name)
    caption = Captioner.load("captioning-flickr8k").caption(photo_features([photo]), beam=3)[0]
    return picture_attention(photo, caption.word_attention, caption.words)


def captioning_picture(checkpoint: str) -> tuple[Axes, str]:
    """A photo that comes with a library, once per longer word of its caption; axes and text."""
    from course_utils.models.photo_features import photo_features
    from course_utils.plotting import picture_attention
    from course_utils.tasks.captioning.captioner import Captioner

    photo = shipped_photo("motorcycle")
    (caption,) = Captioner.load(checkpoint).caption(photo_features([photo]), beam=3)
    shown = [number for number, word in enumerate(caption.words) if len(word) > 2]
    words = [caption.words[number] for number in shown]
    weights = caption.word_attention[shown]
    figure = picture_attention(photo, weights, words, width=9.0, columns=4)
    ax = figure.axes[0]
    ax.set_title("Captioning", loc="left", fontsize=11)
    text = _(
        "A photo of a motorcycle, then once for each of the words '{words}' of the caption"
        " '{caption}'; the places that the word looks at are bright."
    )
    return ax, text.format(words=", ".join(words), caption=caption.text)


# The checkpoint that notebook 01 and the gallery use, and the function that draws its picture.
APPLICATION = ("captioning-flickr8k", captioning_picture)
FIGURES = {"scene": scene_figure, "motorcycle": partial(photo_figure, "motorcycle")}
