"""The picture of classification, drawn from its checkpoint."""


def classification_picture(checkpoint: str):
    """A verdict on a film review of our own, its words as dark as their weight."""
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
    return ax, f"A film review; the darkest word is {heaviest!r}. The verdict is {verdict.label}."


# The checkpoint that notebook 01 and the gallery show, and the function that draws with it.
APPLICATION = ("classification-imdb", classification_picture)
FIGURES = {}
