"""The picture of classification, drawn from its checkpoint."""

from matplotlib.axes import Axes

from course_utils.messages import _


def classification_picture(checkpoint: str) -> tuple[Axes, str]:
    """A verdict on a film review of our own, words darker with weight; axes and description."""
    from course_utils.plotting.texts import highlight
    from course_utils.tasks.classification.classifier import Classifier

    text = (
        "The first half is slow. And yet the two leads are so wonderful together, and the music "
        "is so lovely, that I would watch it again tomorrow."
    )
    (verdict,) = Classifier.load(checkpoint).classify([text])
    ax = highlight(
        verdict.words,
        verdict.weights,
        title=f"Classification: {verdict.label}, {verdict.probability:.2f}",
    )
    heaviest = verdict.words[int(verdict.weights.argmax())]
    text = _("A film review; the darkest word is '{word}'. The verdict is {label}.")
    return ax, text.format(word=heaviest, label=verdict.label)


# The checkpoint that notebook 01 and the gallery use, and the function that draws its picture.
APPLICATION = ("classification-imdb", classification_picture)
FIGURES = {}
