"""Pictures of translation, drawn from its checkpoint."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.messages import _

SENTENCE = "Ein kleiner brauner Hund springt über einen Zaun und fängt den Ball."


def translation_figure() -> Figure:
    """A German sentence, its translation, and the attention between them."""
    from course_utils.plotting import attention_matrix
    from course_utils.tasks.translation.translator import Translator

    segment = Translator.load("translation-multi30k").translate([SENTENCE], beam=5)[0].only
    vocabulary = segment.vocabulary

    def words(ids: Sequence[int]) -> list[str]:
        which = vocabulary.words_of_pieces(ids)
        return [
            vocabulary.decode([i for i, w in zip(ids, which, strict=True) if w == word])
            for word in range(max(which) + 1)
        ]

    ax = attention_matrix(
        segment.word_attention, words(segment.source_ids), words(segment.hypothesis.tokens)
    )
    return ax.figure


def translation_picture(checkpoint: str) -> tuple[Axes, str]:
    """A German sentence, its translation, and the attention between them; axes and description."""
    from course_utils.plotting import attention_matrix
    from course_utils.tasks.translation.translator import Translator

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
    text = _("Heat map: the German words '{sentence}' and the English words made of them.")
    return ax, text.format(sentence=sentence)


# The checkpoint that notebook 01 and the gallery use, and the function that draws its picture.
APPLICATION = ("translation-multi30k", translation_picture)
FIGURES = {"translation": translation_figure}
