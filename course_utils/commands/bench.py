"""Measure our attention layers against PyTorch's, training, decoding and import on this machine."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(arguments: argparse.Namespace) -> int:
    from course_utils.bench import bench
    from course_utils.checkpoints import machine

    facts = machine()
    print(f"{facts['processor']}, {facts['threads']} threads, torch {facts['torch']}")
    print(bench())
    return 0
