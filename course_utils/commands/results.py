"""Print the scores of the checkpoints that come with the course, read from their
cards: the table in README.md.
"""

import argparse
import json

__all__ = ["HELP", "NAME", "add_arguments", "run", "table"]

NAME = "results"
HELP = "print the scores of the checkpoints that come with the course"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    print(table())
    return 0


def table() -> str:
    """One row for each checkpoint, in Markdown."""
    from course_utils.checkpoints import checkpoint_names
    from course_utils.paths import CHECKPOINTS
    from course_utils.recipes import RECIPES

    lines = ["| checkpoint | task | parameters | training | test |", "|---|---|---|---|---|"]
    for name in checkpoint_names():
        card = json.loads((CHECKPOINTS / name / "card.json").read_text(encoding="utf-8"))
        lines.append(
            f"| `{name}` | {card['title']} | {card['parameters']:,} | {_training(card)} "
            f"| {_scores(card, RECIPES[card['name']].select)} |"
        )
    return "\n".join(lines)


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
    names = {"bleu": "BLEU", "wer": "word errors (%)", "exact": "exact match"}
    return f"{names.get(select, select)} " + ", ".join(parts)
