"""Words and phrases of two languages, and what neighbouring words do to each other in French."""

from collections import defaultdict
from functools import cache
from typing import NamedTuple

from course_utils.datasets.generated.english_french import AlignedPair


class Word(NamedTuple):
    """One word of one language. Words of the two languages that share a mark are linked."""

    text: str
    marks: tuple[object, ...] = ()
    notes: tuple[str, ...] = ()  # features that the sentence has because of this word


class Phrase(NamedTuple):
    """The same content in English and in French; `+` puts phrases in the same order in both."""

    en: tuple[Word, ...] = ()
    fr: tuple[Word, ...] = ()

    def __add__(self, other: "Phrase") -> "Phrase":
        return Phrase(self.en + other.en, self.fr + other.fr)


NOTHING = Phrase()


def words(text: str, *marks: object, note: str = "") -> tuple[Word, ...]:
    """The words of a text, all with the same marks."""
    notes = (note,) if note else ()
    return tuple([Word(part, marks, notes) for part in text.split()])


def both(english: str, french: str, links: str = "", note: str = "") -> Phrase:
    """A phrase from two texts.

    links: "0-1 1-0", English index – French index. By default, if both texts have the same number
    of words, these are linked one by one, otherwise each with each.
    """
    notes = (note,) if note else ()
    if " " not in english and " " not in french and not links:
        shared = (object(),)
        return Phrase((Word(english, shared, notes),), (Word(french, shared),))
    source, target, count = _layout(english, french, links)
    marks = [object() for _ in range(count)]
    return Phrase(
        tuple([Word(text, tuple([marks[k] for k in which]), notes) for text, which in source]),
        tuple([Word(text, tuple([marks[k] for k in which])) for text, which in target]),
    )


@cache
def _layout(english: str, french: str, links: str) -> tuple:
    """For `both`: the words of each side with the numbers of their links; the number of links."""
    source, target = english.split(), french.split()
    if links:
        pairs = [tuple(map(int, link.split("-"))) for link in links.split()]
    elif len(source) == len(target):
        pairs = [(i, i) for i in range(len(source))]
    else:
        pairs = [(i, j) for i in range(len(source)) for j in range(len(target))]
    sides = []
    for side, texts in enumerate((source, target)):
        numbers = [
            [k for k, pair in enumerate(pairs) if pair[side] == i] for i in range(len(texts))
        ]
        sides.append(list(zip(texts, numbers, strict=True)))
    return (*sides, len(pairs))


# --------------------------------------------------------------------------------------------------
# French spelling
# --------------------------------------------------------------------------------------------------

ELIDED = frozenset("le la de ne que je me".split())
CONTRACTED = {
    ("de", "le"): "du",
    ("de", "les"): "des",
    ("à", "le"): "au",
    ("à", "les"): "aux",
}
BEFORE_VOWEL = {"ce": "cet", "ma": "mon", "sa": "son"}
BEFORE_VOWEL |= {"beau": "bel", "vieux": "vieil", "nouveau": "nouvel"}
VOWELS = frozenset("aeiouyhâàéèêëîïôûùœ")
ASPIRATED = ("hibou", "huit")  # le hibou, not l'hibou


def starts_with_vowel(text: str) -> bool:
    """Whether the word before this one elides: true for "école" and "homme", not for "hibou"."""
    return text[0] in VOWELS and not text.startswith(ASPIRATED)


def spell(sentence: tuple[Word, ...]) -> tuple[Word, ...]:
    """French words with elision (le + homme → l' homme) and contraction (de + le → du).

    The words are read from the right, because "de le homme" must become "de l' homme" before "de
    le" could be contracted. A contraction keeps the marks of both its words.
    """
    spelt = []  # from right to left
    for this in reversed(sentence):
        following = spelt[-1] if spelt else None
        if following and this.text in ELIDED and starts_with_vowel(following.text):
            this = this._replace(text=this.text[:-1] + "'", notes=(*this.notes, "elision"))
        elif following and (this.text, following.text) in CONTRACTED:
            spelt.pop()
            this = Word(
                CONTRACTED[this.text, following.text],
                this.marks + following.marks,
                (*this.notes, *following.notes, "contraction"),
            )
        spelt.append(this)
    return tuple(reversed(spelt))


def before_vowels(group: tuple[Word, ...]) -> tuple[Word, ...]:
    """Determiner, adjective and noun in the singular, adapted to vowels: bel homme, mon amie."""
    spelt = list(group)
    for i in range(len(spelt) - 1):
        if spelt[i].text in BEFORE_VOWEL and starts_with_vowel(spelt[i + 1].text):
            spelt[i] = spelt[i]._replace(text=BEFORE_VOWEL[spelt[i].text])
    return tuple(spelt)


def an_before_vowels(group: tuple[Word, ...]) -> tuple[Word, ...]:
    """English a → an."""
    spelt = list(group)
    for i in range(len(spelt) - 1):
        if spelt[i].text == "a" and spelt[i + 1].text[0] in "aeiou":
            spelt[i] = spelt[i]._replace(text="an")
    return tuple(spelt)


def finish(phrase: Phrase, mark: str = ".") -> AlignedPair:
    """The phrase as an `AlignedPair`, with its final punctuation."""
    phrase = phrase + both(mark, mark)
    target = spell(phrase.fr)
    places = defaultdict(list)
    for j, french in enumerate(target):
        for shared in french.marks:
            places[shared].append(j)
    links = frozenset(
        (i, j)
        for i, english in enumerate(phrase.en)
        for shared in english.marks
        for j in places.get(shared, ())
    )
    notes = frozenset(note for one in phrase.en + target for note in one.notes)
    return AlignedPair(
        tuple(one.text for one in phrase.en), tuple(one.text for one in target), links, notes
    )
