"""The extended vocabulary: words that only one text has, with ids for this text alone."""

from collections.abc import Sequence

from course_utils.batches import Example
from course_utils.vocabulary import SPECIAL, UNK, Vocabulary

__all__ = ["extend", "to_example", "words_of", "written"]


def words_of(vocabulary: Vocabulary, text: str) -> list[tuple[str, tuple[int, int]]]:
    """The words of a text as a word vocabulary reads them, and where each is in ``text``.

    A word is normalised (see `course_utils.text.normaliser`), whether the vocabulary knows it or
    not; its place is (first character, one past the last).
    """
    encoding = vocabulary.tokenizer.encode(text)
    normalise, unknown = vocabulary.tokenizer.normalizer.normalize_str, SPECIAL[UNK]
    return [
        ((normalise(text[a:b]) or unknown) if word == unknown else word, (a, b))
        for word, (a, b) in zip(encoding.tokens, encoding.offsets, strict=True)
    ]


def extend(
    vocabulary: Vocabulary, words: Sequence[str], unknown: list[str], grow: bool = False
) -> list[int]:
    """The ids of words in a vocabulary extended by the ``unknown`` ones.

    Word number n of ``unknown`` has the id len(vocabulary) + n. With ``grow``, words that are in
    neither are added to ``unknown`` (that is how a source is read); otherwise, they are UNK.
    """
    ids = []
    for word in words:
        known = vocabulary.tokenizer.token_to_id(word)
        if known is not None and known >= len(SPECIAL):
            ids.append(known)
            continue
        if grow and word not in unknown:
            unknown.append(word)
        ids.append(len(vocabulary) + unknown.index(word) if word in unknown else UNK)
    return ids


def to_example(
    vocabulary: Vocabulary, text: str, summary: str, longest: int
) -> tuple[Example, list[str]]:
    """A text and its summary in the extended vocabulary, and the unknown words of the text.

    The first ``longest`` words of the text are read; its other words are as unknown as those that
    are in no text.
    """
    unknown: list[str] = []
    words = [word for word, _ in words_of(vocabulary, text)][:longest]
    source = extend(vocabulary, words, unknown, grow=True)
    said = [word for word, _ in words_of(vocabulary, summary)]
    return Example(source, extend(vocabulary, said, unknown)), unknown


def written(vocabulary: Vocabulary, ids: Sequence[int], unknown: Sequence[str]) -> list[str]:
    """The words of ids: those of the vocabulary, and the ``unknown`` ones of this text."""
    size = len(vocabulary)
    return [unknown[i - size] if i >= size else vocabulary.pieces([i])[0] for i in ids]
