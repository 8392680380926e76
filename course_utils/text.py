"""Text at the door: what looks alike is read alike, and a text is cut into its sentences.

Every text goes through the normalisation of its vocabulary, in training and at use alike. It is
part of the tokenizer, so it is saved with each checkpoint, and it keeps track of characters: the
place of a piece is a place in the text as it was typed.
"""

import re
import unicodedata

from tokenizers import Regex, normalizers

__all__ = ["is_complete", "normaliser", "sentences"]

# What becomes what, in this order; \u0091–\u0097 are marks of Windows-1252 read as Latin-1.
REPLACEMENTS = (
    (r"<br\s*/?>", " "),  # line breaks of web pages
    (r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufe00-\ufe0f]", ""),  # invisible
    (r"[\u0091\u0092‘’‚‛′´`ʼ‹›]", "'"),
    (r"[\u0093\u0094“”„‟″«»]", '"'),
    (r"[\u0096\u0097‐‑‒–—―−]", "-"),
    (r"[\u0000-\u0008\u000e-\u001f\u007f-\u009f]", " "),  # control characters
)
ARTICLE = r"(?:Der|Die|Das|Den|Ein|Eine|Einem|Einen|Einer)\b"
FINAL_MARKS = ".!?:;…"
CLOSING_MARKS = "\"')]}"


def normaliser(lowercase: bool = True) -> normalizers.Normalizer:
    """The normalisation of every vocabulary of real text.

    Typographic quotation marks, apostrophes and dashes become those of the keyboard; soft hyphens,
    byte-order marks and other invisible characters vanish; control characters and ``<br />`` become
    spaces; ligatures, "…", full-width letters and combining accents get their compatible composed
    form (Unicode NFKC); white space becomes one space between words.
    """
    steps = [normalizers.Replace(Regex(old), new) for old, new in REPLACEMENTS]
    steps += [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    return normalizers.Sequence(steps + ([normalizers.Lowercase()] if lowercase else []))


def sentences(text: str, language: str = "de") -> list[str]:
    """The sentences of ``text`` in order; joined, they are the text. A blank text has none.

    The library sentencex knows the abbreviations of a language (ISO 639-1 code). It reads what
    `normaliser` makes of the text. Three things are added: text without capitals is cut as if its
    sentences began with one; a sentence may begin with a number; and a number of one or two digits
    with a full stop is read as an ordinal ("der 3. Mann"), not as an end, unless a German article
    follows ("Es ist 12. Ein Mann lacht.").
    """
    from sentencex import get_sentence_boundaries

    plain = _plain(text)
    plain = re.sub(rf"(?<=[^\W\d] \d)\.(?= {ARTICLE})", "!", plain, flags=re.IGNORECASE)
    plain = re.sub(rf"(?<=[^\W\d] \d\d)\.(?= {ARTICLE})", "!", plain, flags=re.IGNORECASE)
    cased = plain
    if plain == plain.lower():
        cased = re.sub(r"(?<=[.!?] )\w", lambda found: _capital(found[0]), plain)
    cased = re.sub(r"(?<=[^\W\d]{4}[.!?] )\d", "X", cased)  # shorter words may be abbreviations
    ends = [boundary["end_index"] for boundary in get_sentence_boundaries(language, cased)]
    parts, start = [], 0
    for end in ends[:-1]:
        ordinal = re.search(r"(?<!\S)\d{1,2}\.\s*$", plain[start:end])
        if text[start:end].strip() and not ordinal:
            parts.append(text[start:end])
            start = end
    if text[start:].strip():
        parts.append(text[start:])
    elif parts:
        parts[-1] += text[start:]
    return parts


def is_complete(sentence: str) -> bool:
    """Whether a sentence ends in a mark, perhaps before a closing quotation mark or bracket."""
    return _plain(sentence).rstrip(CLOSING_MARKS + " ").endswith(tuple(FINAL_MARKS))


def _plain(text: str) -> str:
    """What `normaliser` makes of a text, except that every character keeps its place and case.

    sentencex takes quadratic time for many line ends, or for many quotation marks of other kinds.
    """
    for old, new in (*REPLACEMENTS, ("'", '"'), ("…", "."), (r"\s", " ")):
        text = re.sub(old, lambda found, new=new: new.ljust(len(found[0])), text)
    composed = (unicodedata.normalize("NFKC", character) for character in text)
    return "".join(new if len(new) == 1 else old for old, new in zip(text, composed, strict=True))


def _capital(letter: str) -> str:
    """The capital of a letter, if it is a single character."""
    return letter.upper() if len(letter.upper()) == 1 else letter
