"""Label standard input: for each line the label, a tab, and the label's probability.

A line ends only at \\n (a \\r before it is dropped); blank lines stay blank; every output line ends
in \\n. The text must be UTF-8.
"""

import argparse
import sys

from course_utils.commands import fail
from course_utils.commands.lines import chunks_of, run_reporting, write_lines
from course_utils.commands.options import add_checkpoint, option_error
from course_utils.runtime import write_text

NAME = "classify"
HELP = "say of each line of text whether it praises or condemns"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser, "classification-imdb")
    parser.add_argument(
        "--attention",
        metavar="FILE.html",
        help="a web page with all texts, each word as dark as its share of the attention",
    )


def run(arguments: argparse.Namespace) -> int:
    if reason := option_error(arguments):
        return fail(reason)
    from course_utils.checkpoints import CheckpointError
    from course_utils.plotting.texts import html_page
    from course_utils.tasks.classification.classifier import Classifier

    def work() -> None:
        classifier, shown = Classifier.load(arguments.checkpoint), []
        for chunk in chunks_of(sys.stdin.buffer):
            verdicts = classifier.classify(chunk)
            write_lines([line_for(verdict) for verdict in verdicts])
            shown += verdicts if arguments.attention is not None else []
        if arguments.attention is not None:
            write_text(arguments.attention, html_page(shown))

    return run_reporting(work, CheckpointError, ValueError, OSError)


def line_for(verdict) -> str:
    """What is printed for a text: nothing when it is blank."""
    if not verdict.spans:
        return ""
    return f"{verdict.label}\t{verdict.probability:.4f}"
