"""Translate standard input, one line in, one line out.

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank; every output line ends
in \\n. The text must be UTF-8.
"""

import argparse
import sys
from pathlib import Path

from course_utils.commands import fail
from course_utils.commands.files import write_picture
from course_utils.commands.lines import CHUNK, lines_of, run_reporting, write_lines
from course_utils.commands.options import add_beam, add_checkpoint, option_error, search_options

NAME = "translate"
HELP = "translate lines of text with a checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser, "translation-multi30k")
    add_beam(parser)
    parser.add_argument(
        "--attention",
        metavar="FILE.png",
        help="heat map of the attention; for several lines FILE-1.png, FILE-2.png, …",
    )


def run(arguments: argparse.Namespace) -> int:
    if reason := option_error(arguments):
        return fail(reason)
    from course_utils.checkpoints import CheckpointError
    from course_utils.tasks.translation.translator import Translator

    def work() -> None:
        translator = Translator.load(arguments.checkpoint)
        chunk, start = [], 1
        for line in lines_of(sys.stdin.buffer):
            chunk.append(line)
            if len(chunk) == CHUNK or sys.stdin.isatty():
                translate_chunk(translator, chunk, arguments, start, more=True)
                start += len(chunk)
                chunk = []
        translate_chunk(translator, chunk, arguments, start, more=start > 1)

    return run_reporting(work, CheckpointError, ValueError, OSError)


def translate_chunk(translator, lines: list[str], arguments, start: int, more: bool) -> None:
    """Translate lines, write them, draw their attention; the first is line number ``start``."""
    translations = translator.translate(lines, **search_options(arguments, translator))
    # A translation is one line, whatever the model writes.
    write_lines([" ".join(translation.text.split()) for translation in translations])
    if arguments.attention is not None:
        several = more or sum(bool(t.segments) for t in translations) > 1
        for number, translation in enumerate(translations, start=start):
            if translation.segments:
                draw(translation, Path(arguments.attention), f"-{number}" if several else "")


def draw(translation, path: Path, suffix: str) -> None:
    """Write the heat map of one translation (of its first segment, when it was a long text)."""
    from course_utils.plotting import attention_matrix

    segment = translation.segments[0]
    ax = attention_matrix(segment.attention, segment.source_pieces, segment.target_pieces)
    path = path.with_name(path.stem + suffix + (path.suffix or ".png"))
    write_picture(ax.figure, path)
