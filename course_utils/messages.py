"""Messages: every text that the package shows to a learner passes through `gettext` here.

`_("…")` marks a text and returns its translation: titles and results of claims, alternative texts
of figures, and the statements, hints and verdicts of exercises. Code cells of a notebook hold
English literals, which `claim` and `show` look up themselves, so that an edition in another
language has the same code cells.

A catalogue is a file ``LANGUAGE/LC_MESSAGES/course_utils.mo`` in ``course_utils/locale``, or in the
folder that COURSE_LOCALE names; COURSE_LANGUAGE selects the language, otherwise the environment's
LANGUAGE, LC_ALL, LC_MESSAGES or LANG. No catalogue comes with the course yet, so everything is
English. ``tests/tools/messages.py`` extracts the texts.

A text with values is marked before they are filled in: ``_("{count} words").format(count=3)``.
"""

import gettext
import os
from functools import lru_cache
from pathlib import Path

__all__ = ["_", "ngettext"]

DOMAIN = "course_utils"


@lru_cache
def _catalogue(folder: str, language: str) -> gettext.NullTranslations:
    languages = [language] if language else None
    return gettext.translation(DOMAIN, folder, languages, fallback=True)


def catalogue() -> gettext.NullTranslations:
    """The catalogue of the language that the environment asks for now; English if there is none."""
    folder = os.environ.get("COURSE_LOCALE") or str(Path(__file__).parent / "locale")
    return _catalogue(folder, os.environ.get("COURSE_LANGUAGE", ""))


def _(text: str) -> str:
    """The text in the learner's language."""
    return catalogue().gettext(text) if text else text


def ngettext(singular: str, plural: str, count: int) -> str:
    """The singular or plural text for ``count``, in the learner's language."""
    return catalogue().ngettext(singular, plural, count)
