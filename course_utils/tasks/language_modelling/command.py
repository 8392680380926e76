"""Write captions of photos that do not exist: a language model draws them piece by piece.

    python -m course_utils write
    python -m course_utils write --count 5 --temperature 0.7 two dogs

The words that are given are the beginning, and the model goes on from there; without any, it
invents everything. It knows the English captions of Multi30k, so everything becomes a caption,
whatever the beginning: it answers no questions and knows no facts. A text that comes to no end is
cut off.

A low temperature, a small --top-k or a small --top-p makes texts more probable and more alike;
temperature 0 takes the most probable piece each time.
"""

import argparse
import math

from course_utils.commands.lines import write_lines
from course_utils.commands.options import add_checkpoint, check_training

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "write"
HELP = "write captions of photos that do not exist"
MANY = 1000  # texts of one call


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument("start", nargs="*", metavar="WORD", help="how the texts begin")
    add_checkpoint(parser, "language_modelling-multi30k")
    parser.add_argument(
        "--count", type=int, default=1, metavar="N", help=f"texts, up to {MANY:,} (default: 1)"
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        metavar="T",
        help="below 1, more probable texts; 0, the most probable piece each time (default: 1)",
    )
    parser.add_argument(
        "--top-k", type=int, metavar="K", help="draw from the K most probable pieces"
    )
    parser.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="draw from the fewest pieces that have the probability P together",
    )
    parser.add_argument("--seed", type=int, metavar="S", help="the same texts in every call")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if not 1 <= arguments.count <= MANY:
        raise ValueError(f"--count must be at least 1 and at most {MANY:,}, got {arguments.count}")
    if not 0 <= arguments.temperature < math.inf:
        raise ValueError(f"--temperature must be at least 0, got {arguments.temperature}")
    if arguments.top_k is not None and arguments.top_k < 1:
        raise ValueError(f"--top-k must be at least 1, got {arguments.top_k}")
    if arguments.top_p is not None and not 0 < arguments.top_p <= 1:
        raise ValueError(f"--top-p must be above 0 and at most 1, got {arguments.top_p}")
    check_training(None, [] if arguments.seed is None else [arguments.seed])
    from course_utils.tasks.language_modelling.writer import Writer

    writer = Writer.load(arguments.checkpoint)
    texts = writer.write(
        [" ".join(arguments.start)] * arguments.count,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        seed=arguments.seed,
    )
    write_lines([" ".join(text.split()) for text in texts])
    return 0
