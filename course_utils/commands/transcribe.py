"""Write down what is said in sound files: one line for each file, path, tab, text, in order.

Any sample rate, any number of channels; WAV, FLAC, OGG and what else libsndfile reads. Long files
are cut at pauses, silence gives an empty text. A file that is no sound gets one line on standard
error, the others are still transcribed, and the exit status is 1.
"""

import argparse
import os
import sys
from pathlib import Path

from course_utils.commands import fail


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a sound file")
    parser.add_argument(
        "--checkpoint",
        default="speech-digits-long",
        metavar="NAME",
        help="a checkpoint of the course or a folder (default: %(default)s)",
    )
    parser.add_argument(
        "--beam", type=int, default=1, metavar="K", help="width of the beam (default: greedy)"
    )
    parser.add_argument(
        "--attention",
        type=Path,
        metavar="FILE.png|FOLDER",
        help="where attention listened, of the first piece of each sound; for several files "
        "FILE-1.png, FILE-2.png, … or FOLDER/NAME.png",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.beam < 1:
        return fail(f"--beam must be at least 1, got {arguments.beam}")
    pictures = arguments.attention
    if pictures is not None and not (pictures.is_dir() or pictures.parent.is_dir()):
        return fail(f"the folder of --attention {pictures} does not exist")
    from course_utils.audio import AudioError
    from course_utils.checkpoints import CheckpointError
    from course_utils.transcription import Recogniser

    failed = False
    try:
        recogniser = Recogniser.load(arguments.checkpoint)
        for number, name in enumerate(arguments.files, start=1):
            first, texts = None, []
            try:
                for piece in recogniser.transcribe_file(name, beam=arguments.beam):
                    first = piece if first is None else first
                    texts.append(piece.text)
            except AudioError as error:
                failed = bool(fail(str(error)))
                continue
            line = os.fsencode(name) + b"\t" + " ".join(t for t in texts if t).encode() + b"\n"
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            if pictures is not None and first is not None:
                draw(first, picture_of(pictures, arguments.files, number))
    except BrokenPipeError:  # the reader has seen enough (head): nobody is left to write to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CheckpointError, OSError) as error:
        return fail(str(error))
    except TypeError as error:  # a translator, for instance
        return fail(f"checkpoint {arguments.checkpoint}: {error}")
    return 1 if failed else 0


def picture_of(place: Path, files: list[str], number: int) -> Path:
    """Where the picture of the file with this number (from 1) goes: each file has its own."""
    if not place.is_dir():
        suffix = f"-{number}" if len(files) > 1 else ""
        return place.with_name(place.stem + suffix + (place.suffix or ".png"))
    stems = [Path(name).stem for name in files]
    stem = stems[number - 1]
    return place / (f"{stem}-{number}.png" if stems.count(stem) > 1 else f"{stem}.png")


def draw(heard, path: Path) -> None:
    """Write the picture of one piece: its spectrogram, and below it where attention was."""
    import matplotlib

    matplotlib.use("Agg")
    from course_utils.plotting import plt
    from course_utils.sound_plots import listening

    figure = listening(heard)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)
