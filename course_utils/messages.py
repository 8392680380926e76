"""Messages: every text that the package shows to a learner passes through `gettext` here.

That covers titles and results of claims, alternative texts of figures, printed notices, and the
statements, hints and verdicts of exercises. Labels inside figures and error messages about wrong
arguments stay English.

How a text is marked and looked up:

    _("…")                  look up a literal
    ngettext("…", "…", n)   look up the singular or plural literal for n
    marked("…")             mark a literal for extraction only; it is looked up later
    localised(text, n=3)    look up a text that is a literal elsewhere, then fill in its values

Values are filled in after the lookup: ``_("{count} words").format(count=3)``, or, where a function
takes the text, ``claim("network {seed}: …", value, at_least=2, seed=seed)``. Code cells of a
notebook hold English literals, which `claim` and `show` look up themselves, so that an edition in
another language has the same code cells. Exercises hold literals too: titles, statements, hints,
labels of cases and problems are looked up when they are shown.

A catalogue is a file ``LANGUAGE/LC_MESSAGES/course_utils.mo`` in ``course_utils/locale``, or in the
folder that COURSE_LOCALE names. COURSE_LANGUAGE selects the language; if it is not set, LANGUAGE,
LC_ALL, LC_MESSAGES and LANG do. No catalogue comes with the course yet, so everything is English.
``python tests/tools/messages.py`` extracts the texts for a new one.
"""

import gettext
import os
import re
import string
from functools import lru_cache
from pathlib import Path

__all__ = ["DOMAIN", "_", "catalogue", "fields", "localised", "marked", "ngettext", "shown"]

DOMAIN = "course_utils"
LANGUAGE_VARIABLES = ("COURSE_LANGUAGE", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@lru_cache
def _catalogue(folder: str, languages: tuple[str, ...]) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, folder, languages, fallback=True)


def catalogue() -> gettext.NullTranslations:
    """The catalogue of the language that the environment asks for now; English if there is none."""
    folder = os.environ.get("COURSE_LOCALE") or str(Path(__file__).parent / "locale")
    chosen = (os.environ[name] for name in LANGUAGE_VARIABLES if os.environ.get(name))
    return _catalogue(folder, tuple(next(chosen, "C").split(":")))


def _(text: str) -> str:
    """The text in the learner's language."""
    return catalogue().gettext(text) if text else text


def ngettext(singular: str, plural: str, count: int) -> str:
    """The singular or plural text for ``count``, in the learner's language."""
    return catalogue().ngettext(singular, plural, count)


def marked(text: str) -> str:
    """The text itself; the call marks it for extraction, `localised` looks it up later."""
    return text


def localised(text: str, /, **values: object) -> str:
    """The text in the learner's language, with the values filled in after the lookup.

    The text has been marked elsewhere, for example as a literal in a call of `claim`. Its
    placeholders are those of `str.format`: ``localised("loss {loss:.2f}", loss=0.5)``. Without
    values, the text is used as it is, braces included.

    Raises ValueError when values and placeholders do not match, for example because a keyword is
    misspelt.
    """
    if not values:
        return _(text)
    expected = fields(text)
    if expected != set(values):
        unused = ", ".join(sorted(set(values) - expected)) or "none"
        missing = ", ".join(sorted(expected - set(values))) or "none"
        raise ValueError(
            f"“{text}”: keywords without a placeholder in the text: {unused}; placeholders without"
            f" a value: {missing}. Is a keyword misspelt?"
        )
    return _(text).format(**values)


def fields(text: str) -> set[str]:
    """Names of the placeholders in a text: {"loss"} for "loss {loss:.2f}"."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def shown(text: object, longest: int = 1000) -> str:
    """A text that somebody else chose, such as a file name or a server's answer, for a message.

    It becomes one line that a terminal displays as it is: control characters, line ends, marks that
    change the direction of writing, and bytes that are not UTF-8 appear as escapes ("\\x1b").
    User names and passwords in web addresses are left out, and so is what follows their question
    mark, which may be a key. Of a text with more than ``longest`` characters, the middle is left
    out.
    """
    found = re.sub(r"://\S*:\S*@|://[^\s/?#]*@", "://", str(text))
    found = re.sub(r"(://[^\s?]*\?)[^\s'\">)]+", r"\1…", found)
    if len(found) > longest:
        found = f"{found[: longest // 2]}…{found[-(longest // 2) :]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in found)
