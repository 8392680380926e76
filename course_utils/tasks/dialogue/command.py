"""Chat about restaurants and trips: one line in, one reply out. All lines are one
conversation, and every reply can look at the turns before it.

It takes notes and answers questions about them: how many people, which food, day and
time; where a trip starts and ends; where somebody is, which hotel a city has, what it
costs, and what follows from these. Twelve cities, twelve names, twelve hotels, ten
kitchens; what it does not know is named on standard error. It was trained on generated
dialogues, whose wording is simple, and is right about 97 of 100 questions in such words,
93 of 100 if the answer follows from three turns (what Anna pays, by her city and its
hotel). Of 22 questions that two readers worded freely it answered 12; notebook 08 shows
them. A dish that it does not know it takes for another. It books nothing.

A line "---" starts a new conversation and is answered by "---". Blank lines stay
blank; every output line ends in \\n. The text must be UTF-8. A file that cannot be read
gets one line on standard error; the others are answered all the same, and the exit
status is 1.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from course_utils.commands.lines import Chunk, add_texts, answer_lines, write_lines
from course_utils.commands.options import add_checkpoint, check_options
from course_utils.messages import _
from course_utils.runtime import write_text

if TYPE_CHECKING:
    from course_utils.tasks.dialogue.answerer import Reply

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "chat"
HELP = "chat about restaurants and trips"
NEW = "---"  # starts a new conversation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_texts(parser)
    add_checkpoint(parser, "dialogue-chat")
    parser.add_argument(
        "--attention",
        metavar="FILE.html",
        help="write a web page with all replies, and the earlier turns that each looked at",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_options(arguments, page=True)
    from course_utils.datasets.generated.dialogues import spoken
    from course_utils.tasks.dialogue.answerer import Answerer, Conversation

    answerer = Answerer.load(arguments.checkpoint)
    chat, shown = Conversation(answerer), []

    def answer(chunk: Chunk) -> None:
        nonlocal chat
        lines = []
        for number, line in enumerate(chunk.lines, chunk.first):
            if line.strip() == NEW:
                chat = Conversation(answerer)
                lines.append(NEW)
            elif not spoken(line):
                lines.append("")
            else:
                reply = chat.say(line)
                shown.append(reply)
                lines.append(reply.text)
                if reply.unknown:
                    print(unknown_words(number, reply), file=sys.stderr)
        write_lines(lines)

    status = answer_lines(arguments.files, answer)
    if arguments.attention is not None:
        from course_utils.plotting.conversations import conversation_page

        write_text(arguments.attention, conversation_page(shown))
    return status


def unknown_words(number: int, reply: "Reply") -> str:
    """The line on standard error for a turn with words that the model does not know."""
    words = ", ".join(dict.fromkeys(reply.unknown))
    return _("line {number}: unknown words: {words}").format(number=number, words=words)
