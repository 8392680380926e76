"""Write a subject line for e-mails, from files or from standard input: one e-mail a
line in, one subject a line out.

It works for English e-mails of an office. On the test e-mails of its training data,
its ROUGE-1 is 27, that of their first sentences 15, and that of their five words most
typical of subjects 21. Of the names, numbers and other unknown words that a true
subject takes from the e-mail, it writes 43 in 100; the first sentences contain 77, in
nine times as many words. A subject may repeat words, and it may put together a date
that is not in the e-mail: compare the two. Texts of other kinds get a subject as well,
which then means little. Only the first 120 words of a line are read. A subject that
does not come to an end is cut off and marked with " …".

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank;
every output line ends in \\n. The text must be UTF-8. A file that cannot be read
gets one line on standard error; the others are summarised all the same, and the
exit status is 1.
"""

import argparse
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

    from course_utils.tasks.summarization.summarizer import Summary

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "summarize"
HELP = "write subject lines for lines of text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_texts(parser)
    add_checkpoint(parser, "summarization-aeslc")
    add_beam(parser)
    parser.add_argument(
        "--attention",
        metavar="FILE.png",
        help="draw where each word of a subject looks; for several lines, into FILE-1.png, "
        "FILE-2.png, …",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_options(arguments)
    from course_utils.tasks.summarization.summarizer import Summarizer

    summarizer = Summarizer.load(arguments.checkpoint)
    search = search_options(arguments, summarizer.search)

    def answer(chunk: Chunk) -> None:
        summaries = summarizer.summarize(chunk.lines, **search)
        write_lines([line_for(summary) for summary in summaries])
        if arguments.attention is not None:
            drawings = [partial(picture, s) if s.output else None for s in summaries]
            draw_lines(chunk, arguments.attention, drawings)

    return answer_lines(arguments.files, answer)


def line_for(summary: "Summary") -> str:
    """A summary as one line, whatever the model writes; " …" marks one without an end."""
    return " ".join(summary.text.split()) + ("" if summary.finished else " …")


def picture(summary: "Summary") -> "Figure":
    """Where the words of a summary look."""
    from course_utils.tasks.summarization.pictures import summary_picture

    return summary_picture(summary).figure
