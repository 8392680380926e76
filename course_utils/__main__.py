"""``python -m course_utils COMMAND``: one module in `course_utils.commands` for each command."""

import argparse
import importlib
import sys

COMMANDS = {
    "data": "list and download the public data sets",
    "train": "train a model of the course from scratch",
    "study": "run a comparison that is too slow for a notebook",
    "translate": "translate lines of text with a checkpoint",
    "results": "print what the shipped checkpoints reach",
    "caption": "describe photos with a checkpoint",
    "gallery": "draw the pictures of the README",
    "transcribe": "write down what is said in sound files",
    "classify": "say of each line of text whether it praises or condemns",
    "bench": "measure the attention layers, training and decoding on this machine",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_utils", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = importlib.import_module(f"course_utils.commands.{name}")
        subparser = subparsers.add_parser(name, help=summary, description=command.__doc__)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)


if __name__ == "__main__":
    sys.exit(main())
