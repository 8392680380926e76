"""Train a model of the course from scratch and write its checkpoint.

An interrupted training goes on when the same command is given again.
"""

import argparse
from pathlib import Path

from course_utils.commands import fail

NAME = "train"
HELP = "train a model of the course from scratch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="the training, for instance translation-multi30k"
    )
    parser.add_argument("--steps", type=int, help="updates of the weights (default: the recipe's)")
    parser.add_argument("--seed", type=int, help="default: the recipe's")
    parser.add_argument(
        "--start", metavar="NAME", help="a checkpoint to begin with (default: the recipe's)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the checkpoint (default: data/checkpoints/NAME)"
    )
    parser.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="write losses and scores for TensorBoard"
    )


def run(arguments: argparse.Namespace) -> int:
    from course_utils.callbacks import TensorBoard
    from course_utils.checkpoints import CheckpointError
    from course_utils.datasets.download import DataError
    from course_utils.recipes import train

    try:
        board = arguments.tensorboard
        card = train(
            arguments.name,
            arguments.steps,
            arguments.seed,
            arguments.out,
            arguments.start,
            callbacks=[] if board is None else [TensorBoard(board)],
        )
    except (CheckpointError, DataError, FloatingPointError, ImportError, ValueError) as error:
        return fail(str(error))
    print(
        f"{card['name']}: {card['parameters']:,} parameters, {card['steps']:,} steps, "
        f"{card['training_minutes']} minutes of training (best at step {card['best_step']:,})"
    )
    for name, metric in card["metrics"].items():
        print(f"  {name:24} {metric['score']:>8}   {metric['signature']}")
    return 0
