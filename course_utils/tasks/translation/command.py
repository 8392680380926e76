"""Translate text, from files or from standard input: one line in, one line out.

The sentences of a line are translated one by one. A translation that does not come
to an end, because it repeats itself or is too long, is cut off and marked with " …".

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank;
every output line ends in \\n. The text must be UTF-8. A file that cannot be read
gets one line on standard error; the others are translated all the same, and the
exit status is 1.
"""

import argparse
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from course_utils.commands.lines import (
    Chunk,
    add_texts,
    answer_lines,
    draw_lines,
    write_lines,
)
from course_utils.commands.options import add_beam, add_checkpoint, check_options, search_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from course_utils.tasks.translation.translator import Translation

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "translate"
HELP = "translate lines of text"
LEGIBLE = 100  # rows or columns of a picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_texts(parser)
    add_checkpoint(parser, "translation-multi30k")
    add_beam(parser)
    parser.add_argument(
        "--attention",
        metavar="FILE.png",
        help="draw the attention as a heat map; for several lines, into FILE-1.png, FILE-2.png, …",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_options(arguments)
    from course_utils.tasks.translation.translator import Translator

    translator = Translator.load(arguments.checkpoint)
    search = search_options(arguments, translator.search)

    def answer(chunk: Chunk) -> None:
        translations = translator.translate(chunk.lines, **search)
        write_lines([line_for(translation) for translation in translations])
        if arguments.attention is not None:
            drawings = [partial(picture, t) if t.segments else None for t in translations]
            draw_lines(chunk, arguments.attention, drawings)

    return answer_lines(arguments.files, answer)


def line_for(translation: "Translation") -> str:
    """A translation as one line, whatever the model writes; " …" marks one without an end."""
    return " ".join(translation.text.split()) + ("" if translation.finished else " …")


def picture(translation: "Translation") -> "Figure":
    """The heat map of a translation: its first sentences, as many as are legible."""
    from course_utils.plotting import attention_matrix

    shown = replace(translation, segments=translation.segments[:1])
    for end in range(2, len(translation.segments) + 1):
        longer = replace(translation, segments=translation.segments[:end])
        if max(longer.attention.shape) > LEGIBLE:
            break
        shown = longer
    return attention_matrix(shown.attention, shown.source_pieces, shown.target_pieces).figure
