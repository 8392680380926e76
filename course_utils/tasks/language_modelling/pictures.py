"""The picture of language modelling: a head that finds what came after a word the last time."""

from matplotlib.axes import Axes

from course_utils.messages import _

__all__ = ["induction_picture"]

LENGTH = 8  # words of the stretch that occurs twice


def induction_picture(checkpoint: str) -> tuple[Axes, str]:
    """The weights of the head that matches prefixes best, on random words that occur twice.

    The outlined squares are where an induction head looks (`heads`). Returns axes and text.
    """
    from course_utils.plotting import attention_matrix
    from course_utils.tasks.language_modelling.heads import own_weights, prefix_matching, twice
    from course_utils.tasks.language_modelling.writer import Writer

    writer = Writer.load(checkpoint)
    tokens = twice(len(writer.vocabulary), LENGTH, count=1)
    scores = prefix_matching(writer.model, tokens)
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    words = writer.vocabulary.pieces(tokens[0])
    ax = attention_matrix(
        own_weights(writer.model, tokens)[layer, head, 0],
        words,
        words,
        # The word at LENGTH + k is that of k, and k + 1 came after it.
        gold=[(k + 1, LENGTH + k) for k in range(1, LENGTH)],
        cell_values=False,
        title=_("Language modelling: reading '{word}' again").format(word=words[1]),
    )
    text = _(
        "Heat map: eight random words that a language model reads twice, and where one of its heads"
        " looks. On reading a word again, it looks at the word that came after it before."
    )
    return ax, text


# The checkpoint that the gallery uses, and the function that draws its picture.
APPLICATION = ("language_modelling-repeats", induction_picture)
FIGURES: dict = {}
