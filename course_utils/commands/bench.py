"""Time our attention layers beside PyTorch's, and training, decoding and importing
on this machine.
"""

import argparse

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "bench"
HELP = "time the attention layers, training and decoding on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from course_utils.benchmarks import bench
    from course_utils.provenance import machine

    facts = machine()
    print(f"{facts['processor']}, {facts['threads']} threads, torch {facts['torch']}")
    print(bench())
    return 0
