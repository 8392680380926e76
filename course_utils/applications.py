"""One picture of each application of the course, from the checkpoints that come with it.

`application_pictures` draws those whose checkpoint is there. No public data is needed.
"""

from collections.abc import Callable, Iterator

from course_utils.checkpoints import checkpoint_names

__all__ = ["APPLICATIONS", "application_pictures"]


def translation_picture(checkpoint: str):
    """A German sentence, its translation, and which words each word came from."""
    from course_utils.plotting import attention_matrix
    from course_utils.translation import Translator

    sentence = "Zwei Kinder spielen im Park mit einem roten Ball."
    (translation,) = Translator.load(checkpoint).translate([sentence])
    segment = translation.only
    ax = attention_matrix(
        segment.attention,
        segment.source_pieces,
        segment.target_pieces,
        cell_values=False,
        title=f"Translation: {translation.text}",
    )
    return ax, f"Heat map: the German words {sentence!r} and the English words made of them."


def classification_picture(checkpoint: str):
    """A verdict on a film review of our own, its words as dark as their weight."""
    from course_utils.classification import Classifier
    from course_utils.highlighting import highlight

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


# Application → (checkpoint, function that draws it and says in words what the picture shows).
APPLICATIONS: dict[str, tuple[str, Callable]] = {
    "translation": ("translation-multi30k", translation_picture),
    "classification": ("classification-imdb", classification_picture),
}


def application_pictures() -> Iterator[tuple[str, object, str]]:
    """(application, axes, text that says what they show) for each checkpoint that is there."""
    there = checkpoint_names()
    for name, (checkpoint, picture) in APPLICATIONS.items():
        if checkpoint in there:
            ax, alt = picture(checkpoint)
            yield name, ax, alt
