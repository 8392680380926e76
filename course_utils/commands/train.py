"""Train a model of the course and write its checkpoint.

An interrupted training resumes when the same command is given again. Under torchrun, several
processes train one model, on one machine or on many:

    torchrun --nproc-per-node 2 -m course_utils train translation-multi30k
"""

import argparse
from pathlib import Path

from course_utils.commands.options import check_training
from course_utils.console import resumable

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "train"
HELP = "train a model of the course from scratch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="the recipe, for instance translation-multi30k; an unknown name lists all",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="number of updates (default: the recipe's)"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (default: the recipe's)")
    parser.add_argument(
        "--start",
        metavar="NAME",
        help="a checkpoint whose weights the training starts from (default: the recipe's, if any)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the checkpoint goes (default: data/checkpoints/NAME)",
    )
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="compute matrix products in bfloat16: faster on a processor or GPU that has it. The "
        "card of a checkpoint says whether it was used",
    )
    parser.add_argument(
        "--tensorboard",
        type=Path,
        metavar="FOLDER",
        help="write losses and scores there, for TensorBoard",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    check_training(arguments.steps, () if arguments.seed is None else [arguments.seed])
    from course_utils.callbacks import TensorBoard
    from course_utils.distributed import is_first, joined_processes
    from course_utils.recipes import train

    board = arguments.tensorboard
    with resumable(), joined_processes():
        card = train(
            arguments.name,
            arguments.steps,
            arguments.seed,
            arguments.out,
            arguments.start,
            bfloat16=arguments.bfloat16,
            callbacks=[TensorBoard(board)] if board is not None and is_first() else [],
        )
    if not card:  # another process has tested the model and reports
        return 0
    print(
        f"{card['name']}: {card['parameters']:,} parameters, {card['steps']:,} steps, "
        f"{card['training_minutes']} minutes of training (best at step {card['best_step']:,})"
    )
    for name, metric in card["metrics"].items():
        print(f"  {name:24} {metric['score']:>8}   {metric['signature']}")
    return 0
