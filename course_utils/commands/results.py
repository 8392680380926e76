"""Print the scores of the checkpoints that come with the course, read from their
cards: the table in README.md.
"""

import argparse
import json

from course_utils.console import report_error

__all__ = ["HELP", "NAME", "add_arguments", "run", "table"]

NAME = "results"
HELP = "print the scores of the checkpoints that come with the course"
HEAD = ["| checkpoint | task | parameters | training | test |", "|---|---|---|---|---|"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status: 1 if a card cannot be read."""
    from course_utils.paths import checkpoint_names

    rows, status = [], 0
    for name in checkpoint_names():
        try:
            rows.append(row(name))
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as e:
            status = report_error(
                f"checkpoint {name}: its card is damaged ({type(e).__name__}: {e})"
            )
    print("\n".join(HEAD + rows))
    return status


def table() -> str:
    """One row for each checkpoint, in Markdown."""
    from course_utils.paths import checkpoint_names

    return "\n".join(HEAD + [row(name) for name in checkpoint_names()])


def row(name: str) -> str:
    """The row of a checkpoint; any error for a card that is damaged."""
    from course_utils.paths import CHECKPOINTS

    card = json.loads((CHECKPOINTS / name / "card.json").read_text(encoding="utf-8"))
    # The first metric of a card is the one that chose the weights: valid_bleu_greedy → bleu.
    select = next(iter(card["metrics"])).split("_")[1]
    return (
        f"| `{name}` | {card['title']} | {card['parameters']:,} | {_training(card)} "
        f"| {_scores(card, select)} |"
    )


def _training(card: dict) -> str:
    minutes = f"{card['training_minutes']:.0f} minutes"
    if "processor_minutes" in card:
        minutes += f" ({card['processor_minutes']:.0f} of processor time)"
    return f"{card['steps']:,} steps, {minutes}"


def _scores(card: dict, select: str) -> str:
    """The test score, for each search, in the metric that selected the weights."""
    found = {
        name.removeprefix(f"test_{select}").lstrip("_"): metric["score"]
        for name, metric in card["metrics"].items()
        if name == f"test_{select}" or name.startswith(f"test_{select}_")
    }
    parts = [f"{score:g}" + (f" {search}" if search else "") for search, score in found.items()]
    names = {"bleu": "BLEU", "wer": "word errors (%)", "exact": "exact match", "rouge1": "ROUGE-1"}
    return f"{names.get(select, select)} " + ", ".join(parts)
