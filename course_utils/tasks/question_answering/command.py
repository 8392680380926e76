"""Answer questions about a picture: for each question a line with the answer, a tab
and its probability.

It works for pictures like those that the checkpoint was trained with, and only for
them: small scenes of three or four coloured shapes, drawn by this course
(question_answering-scenes), or pictures of easy-VQA, one shape on a pale background
(question_answering-easy-vqa). Other pictures and photos get an answer, too, and it
means nothing. Questions about scenes:

  what colour is the star?               how many red things are there?
  what shape is the small red thing?     is there a red star?
  what size is the star?                 is the star larger than the red ring?
  what colour is the thing just left of the star?

Of such questions about new scenes it answers nine out of ten rightly, but of counts
and comparisons only three out of four. Questions about easy-VQA (what color is the
shape? is there a red shape? and the like): more than 99 out of 100.

A question with words that the model does not know gets one line on standard error;
the others are answered all the same, and the exit status is 1.
"""

import argparse
import os
from typing import TYPE_CHECKING

from course_utils.commands.files import picture_path, write_picture
from course_utils.commands.lines import write_lines
from course_utils.commands.options import add_checkpoint, check_options
from course_utils.console import reason, report_error

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from course_utils.tasks.question_answering.answerer import Answer

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "answer"
HELP = "answer questions about a picture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("photo", metavar="PICTURE", help="a picture file")
    parser.add_argument("questions", nargs="+", metavar="QUESTION", help="what you want to know")
    add_checkpoint(parser, "question_answering-scenes")
    parser.add_argument(
        "--attention",
        metavar="FILE.png|FOLDER/",
        help="draw over the picture where each hop looks; for several questions, into FILE-1.png, "
        "FILE-2.png, … or FOLDER/PICTURE-1.png, …",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    files = [arguments.photo] * len(arguments.questions)
    check_options(argparse.Namespace(**vars(arguments), files=files), folders=True)
    from course_utils.images import PhotoError, read_photo
    from course_utils.tasks.question_answering.answerer import VisualAnswerer

    answerer = VisualAnswerer.load(arguments.checkpoint)
    try:
        picture = read_photo(arguments.photo, answerer.model.encoder.side)
    except PhotoError as error:
        return report_error(reason(error))
    status = 0
    # A word of the command line that is not UTF-8 becomes one that no model knows.
    asked = [os.fsencode(question).decode(errors="replace") for question in arguments.questions]
    answers = answerer.answer([(picture, question) for question in asked])
    for number, answer in enumerate(answers, start=1):
        if problem := problem_of(answer):
            status = report_error(problem)
            continue
        write_lines([f"{answer.text}\t{answer.probability:.2f}"])
        if arguments.attention is not None and len(answer.attention):
            try:
                path = picture_path(arguments.attention, files, number)
                write_picture(draw(picture, answer), path)
            except OSError as error:
                status = report_error(reason(error))
    return status


def problem_of(answer: "Answer") -> str:
    """Why the answer to a question would mean nothing; an empty text if it may mean something."""
    if not answer.words:
        return "a question is empty"
    if answer.unknown:
        words = short(", ".join(dict.fromkeys(answer.unknown)))
        return f"“{short(answer.question)}?” has words that the model does not know: {words}"
    return ""


def short(text: str, longest: int = 80) -> str:
    """A text, or its beginning."""
    return text if len(text) <= longest else text[:longest] + "…"


def draw(picture: "np.ndarray", answer: "Answer") -> "Figure":
    """The picture with question and answer, and beside it where each hop looks."""
    from course_utils.plotting import picture_attention

    hops = [f"hop {number}" for number in range(1, len(answer.attention) + 1)]
    width = 3.0 * (1 + len(hops))
    figure = picture_attention(picture, answer.attention, hops, width=width)
    figure.axes[0].set_title(
        f"{short(answer.question)}? {answer.text}", fontsize=9, loc="left", wrap=True
    )
    return figure
