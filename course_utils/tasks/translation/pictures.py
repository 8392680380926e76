"""Pictures of translation, drawn from its checkpoint."""

SENTENCE = "Ein kleiner brauner Hund springt über einen Zaun und fängt den Ball."


def translation_figure():
    """A German sentence, its translation, and the attention between them."""
    from course_utils.plotting import attention_matrix
    from course_utils.tasks.translation.translator import Translator

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


def translation_picture(checkpoint: str):
    """A German sentence, its translation, and which words each word came from."""
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
    return ax, f"Heat map: the German words {sentence!r} and the English words made of them."


# The checkpoint that notebook 01 and the gallery show, and the function that draws with it.
APPLICATION = ("translation-multi30k", translation_picture)
FIGURES = {"translation": translation_figure}
