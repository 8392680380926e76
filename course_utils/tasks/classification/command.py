"""Label text, from files or from standard input: for each line, the label, a tab and
its probability.

If the model knows at most half of the words of a line, a second tab and
"unknown words: 3 of 4" follow: its verdict then means little.

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank;
every output line ends in \\n. The text must be UTF-8. A file that cannot be read
gets one line on standard error; the others are labelled all the same, and the
exit status is 1.
"""

import argparse
from typing import TYPE_CHECKING

from course_utils.commands.lines import Chunk, add_texts, answer_lines, write_lines
from course_utils.commands.options import add_checkpoint, check_options
from course_utils.messages import _
from course_utils.runtime import write_text

if TYPE_CHECKING:
    from course_utils.tasks.classification.classifier import Classification

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "classify"
HELP = "label lines of text as negative or positive"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_texts(parser)
    add_checkpoint(parser, "classification-imdb")
    parser.add_argument(
        "--attention",
        metavar="FILE.html",
        help="write a web page with all texts, each word the darker the more attention it gets",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_options(arguments, page=True)
    from course_utils.tasks.classification.classifier import Classifier

    classifier, shown = Classifier.load(arguments.checkpoint), []

    def answer(chunk: Chunk) -> None:
        verdicts = classifier.classify(chunk.lines)
        write_lines([line_for(verdict) for verdict in verdicts])
        shown.extend(verdicts if arguments.attention is not None else [])

    status = answer_lines(arguments.files, answer)
    if arguments.attention is not None:
        from course_utils.plotting.texts import html_page

        write_text(arguments.attention, html_page(shown))
    return status


def line_for(verdict: "Classification") -> str:
    """The output line of a text: empty if the text is blank."""
    if not verdict.spans:
        return ""
    line = f"{verdict.label}\t{verdict.probability:.2f}"
    if verdict.mostly_unknown:
        known = _("unknown words: {unknown} of {words}")
        line += "\t" + known.format(unknown=verdict.unknown, words=len(verdict.spans))
    return line
