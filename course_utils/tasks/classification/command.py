"""Label standard input: for each line, the label, a tab and its probability.

If the model knows at most half of the words of a line, a second tab and
"unknown words: 3 of 4" follow: its verdict then means little.

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank;
every output line ends in \\n. The text must be UTF-8.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from course_utils.commands import exit_status, report_error
from course_utils.commands.lines import chunks_of, write_lines
from course_utils.commands.options import add_checkpoint, option_error
from course_utils.messages import _
from course_utils.runtime import write_text

if TYPE_CHECKING:
    from course_utils.tasks.classification.classifier import Classification

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "classify"
HELP = "label lines of text as negative or positive"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_checkpoint(parser, "classification-imdb")
    parser.add_argument(
        "--attention",
        metavar="FILE.html",
        help="write a web page with all texts, each word the darker the more attention it gets",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if reason := option_error(arguments):
        return report_error(reason)
    from course_utils.checkpoints import CheckpointError
    from course_utils.plotting.texts import html_page
    from course_utils.tasks.classification.classifier import Classifier

    def work() -> None:
        classifier, shown = Classifier.load(arguments.checkpoint), []
        for chunk in chunks_of(sys.stdin.buffer):
            verdicts = classifier.classify(chunk.lines)
            write_lines([line_for(verdict) for verdict in verdicts])
            shown += verdicts if arguments.attention is not None else []
        if arguments.attention is not None:
            write_text(arguments.attention, html_page(shown))

    return exit_status(work, CheckpointError, ValueError, OSError)


def line_for(verdict: "Classification") -> str:
    """The output line of a text: empty if the text is blank."""
    if not verdict.spans:
        return ""
    line = f"{verdict.label}\t{verdict.probability:.2f}"
    if verdict.mostly_unknown:
        known = _("unknown words: {unknown} of {words}")
        line += "\t" + known.format(unknown=verdict.unknown, words=len(verdict.spans))
    return line
