"""Measure our attention layers against PyTorch's, training, decoding and import on this machine."""

import argparse

NAME = "bench"
HELP = "measure the attention layers, training and decoding on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(arguments: argparse.Namespace) -> int:
    from course_utils.benchmarks import bench
    from course_utils.provenance import machine

    facts = machine()
    print(f"{facts['processor']}, {facts['threads']} threads, torch {facts['torch']}")
    print(bench())
    return 0
