"""Transcribe sound files: one line for each, with its path, a tab and the text.

The files may be WAV, FLAC, OGG, MP3, AIFF, AU, CAF, W64 or NIST, with any number
of channels and a sample rate from 1 to 768 kHz. Long files are cut at pauses;
silence gives an empty text. A file that is not a sound gets one line on standard
error; the others are transcribed all the same, and the exit status is 1.

By default, English digits are recognised: well in the six voices of the training,
with many errors in others, and often not at all with music under the voice. Noises
and other words give an empty text, except for a few words a minute.
"""

import argparse
from functools import partial

from course_utils.commands.files import Answer, answer_files
from course_utils.commands.options import add_beam, add_checkpoint, check_options, search_options

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "transcribe"
HELP = "write down what is said in sound files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a sound file")
    add_checkpoint(parser, "speech-digits-long")
    add_beam(parser)
    parser.add_argument(
        "--attention",
        metavar="FILE.png|FOLDER/",
        help="draw the moments to which attention listened in the first piece of each sound; for "
        "several files, into FILE-1.png, FILE-2.png, … or FOLDER/SOUND.png",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_options(arguments, folders=True)
    from course_utils.audio import AudioError
    from course_utils.plotting.audio import listening
    from course_utils.tasks.speech.recogniser import Recogniser

    recogniser = Recogniser.load(arguments.checkpoint)
    search = search_options(arguments, recogniser.search)

    def transcribe(file: str) -> Answer:
        first, texts = None, []
        for piece in recogniser.transcribe_file(file, **search):
            first = piece if first is None else first
            texts.append(piece.text)
        return Answer(" ".join(texts), None if first is None else partial(listening, first))

    # A file is transcribed while it is read, so `read` already returns its answer.
    return answer_files(
        arguments.files, transcribe, list, unreadable=AudioError, pictures=arguments.attention
    )
