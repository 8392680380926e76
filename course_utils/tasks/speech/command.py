"""Write down what is said in sound files: one line for each file, path, tab, text, in order.

Any sample rate, any number of channels; WAV, FLAC, OGG and what else libsndfile reads. Long files
are cut at pauses, silence gives an empty text. A file that is no sound gets one line on standard
error, the others are still transcribed, and the exit status is 1.
"""

import argparse
from pathlib import Path

from course_utils.commands import fail
from course_utils.commands.files import picture_of, write_answer, write_picture
from course_utils.commands.lines import run_reporting
from course_utils.commands.options import add_beam, add_checkpoint, option_error, search_options

NAME = "transcribe"
HELP = "write down what is said in sound files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a sound file")
    add_checkpoint(parser, "speech-digits-long")
    add_beam(parser)
    parser.add_argument(
        "--attention",
        metavar="FILE.png|FOLDER/",
        help="where attention listened, of the first piece of each sound; for several files "
        "FILE-1.png, FILE-2.png, … or FOLDER/NAME.png",
    )


def run(arguments: argparse.Namespace) -> int:
    if reason := option_error(arguments, folders=True):
        return fail(reason)
    from course_utils.audio import AudioError
    from course_utils.checkpoints import CheckpointError
    from course_utils.tasks.speech.recogniser import Recogniser

    files, bad = arguments.files, []

    def work():
        recogniser = Recogniser.load(arguments.checkpoint)
        search = search_options(arguments, recogniser)
        for number, name in enumerate(files, start=1):
            first, texts = None, []
            try:
                for piece in recogniser.transcribe_file(name, **search):
                    first = piece if first is None else first
                    texts.append(piece.text)
            except AudioError as error:
                bad.append(fail(str(error)))
                continue
            write_answer(name, " ".join(texts))
            if arguments.attention is not None and first is not None:
                draw(first, picture_of(arguments.attention, files, number))

    return run_reporting(work, CheckpointError, OSError) or int(bool(bad))


def draw(heard, path: Path) -> None:
    """Write the picture of one piece: its spectrogram, and below it where attention was."""
    from course_utils.plotting.audio import listening

    write_picture(listening(heard), path)
