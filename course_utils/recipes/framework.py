"""What a recipe is, and how it becomes a trained and tested model."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from course_utils.models import BUILDERS, Seq2Seq
from course_utils.tasks import Pair, TaskData, Writer
from course_utils.training import FitSettings, History, Loss, attention_loss, fit

__all__ = ["Recipe", "Task", "public_card", "test_metrics", "train_model"]


@dataclass(frozen=True)
class Task:
    """What the trainings of one task have in common.

    ``builder`` names one of `course_utils.models.BUILDERS`, whose first setting, ``size``, is the
    size of the vocabulary; ``writer`` turns inputs into texts with the trained model; ``scores``
    are metrics ``score(outputs, references, lowercase)`` by name, of those in ``errors`` lower is
    better; ``test_scores`` are more of them, computed only after the training. One whose optional
    package is missing is left out, with a line that says so. ``loss`` is what training minimises.
    """

    builder: str
    size: str
    writer: type[Writer]
    scores: dict[str, Callable]
    test_scores: dict[str, Callable] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    loss: Loss = attention_loss


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    ``batch_tokens`` target positions a batch. At each validation the inputs of the validation set
    become texts, greedily, and ``select`` names the score that chooses the weights. A setting in
    ``model`` that depends on the vocabulary is a function of it. ``beam`` None: the task does not
    search, so there is one score, not one for each search.

    A training begins with random weights, unless ``start`` names a checkpoint (or its folder): its
    encoder is taken over and, unless ``start_encoder_only``, the rest as well when both write with
    the same vocabulary. ``prepare(model, data)`` may set weights before the training, too.
    """

    name: str
    title: str
    data: Callable[[], TaskData]
    test: Callable[[], list[Pair]]
    settings: FitSettings
    task: Task
    select: str = "bleu"
    batch_tokens: int = 2000
    model: dict = field(default_factory=dict)
    beam: int | None = 5
    alpha: float = 1.0
    start: str | None = None
    start_encoder_only: bool = False
    prepare: Callable[[nn.Module, TaskData], None] | None = None


def public_card(name: str) -> dict:
    """What a checkpoint says of a public data set: licence, citation and checksums."""
    from course_utils.datasets.registry import REGISTRY

    dataset = REGISTRY[name]
    return {
        "name": name,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "files": {file.name: file.sha256 for file in dataset.files},
    }


def device() -> torch.device:
    """The GPU when there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train_model(
    recipe: Recipe,
    data: TaskData,
    *,
    resume_file: Path | None = None,
    progress: bool = True,
) -> tuple[Seq2Seq, History, dict]:
    """Build and train a recipe's model on ``data``: the model, its history, its build settings."""
    task = recipe.task
    settings = {k: v(data.vocabulary) if callable(v) else v for k, v in recipe.model.items()}
    build = {task.size: len(data.vocabulary), **settings}
    torch.manual_seed(recipe.settings.seed)
    model = BUILDERS[task.builder](**build).to(device())
    if recipe.start is not None:
        take_over(model, data, recipe.start, recipe.start_encoder_only)
    if recipe.prepare is not None:
        recipe.prepare(model, data)
    inputs, references = [x for x, _ in data.valid], [y for _, y in data.valid]

    def evaluate(trained: Seq2Seq) -> dict[str, float]:
        outputs = task.writer(trained, data.vocabulary).texts(inputs)
        return {
            f"valid_{name}": score(outputs, references, lowercase=data.lowercase).score
            for name, score in task.scores.items()
        }

    history = fit(
        model,
        data.batches(recipe.batch_tokens, recipe.settings.seed),
        recipe.settings,
        valid=data.valid_batches,
        evaluate=evaluate,
        select=f"valid_{recipe.select}",
        lower_is_better=recipe.select in task.errors,
        loss=task.loss,
        resume_file=resume_file,
        progress=progress,
    )
    return model, history, build


def take_over(model: Seq2Seq, data: TaskData, start: str, encoder_only: bool = False) -> None:
    """Copy the weights of a checkpoint: its encoder, or everything for the same vocabulary."""
    from course_utils.checkpoints import load_checkpoint

    found = load_checkpoint(start)
    size = len(data.vocabulary)
    same = found.vocabulary.pieces(range(len(found.vocabulary))) == data.vocabulary.pieces(
        range(size)
    )
    whole = same and not encoder_only
    target, source = (model, found.model) if whole else (model.encoder, found.model.encoder)
    try:
        target.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"the model of checkpoint {start} has other sizes than the one to be trained: {error}"
        ) from error


def test_metrics(recipe: Recipe, model: Seq2Seq, data: TaskData) -> dict:
    """Scores of a trained model on validation and test set, greedy and with the recipe's beam."""
    writer = recipe.task.writer(model, data.vocabulary)
    searches = {"_greedy": 1, f"_beam{recipe.beam}": recipe.beam}
    metrics = {}
    for split, pairs in (("valid", data.valid), ("test", recipe.test())):
        inputs, references = [x for x, _ in pairs], [y for _, y in pairs]
        for search, beam in (searches if recipe.beam is not None else {"": 1}).items():
            outputs = writer.texts(inputs, beam, recipe.alpha)
            for name, function in (recipe.task.scores | recipe.task.test_scores).items():
                try:
                    score = function(outputs, references, lowercase=data.lowercase)
                except ImportError as error:
                    print(f"{name} is left out: {error}", file=sys.stderr)
                    continue
                metrics[f"{split}_{name}{search}"] = {
                    "score": round(score.score, 2 if score.score > 1 else 4),
                    "signature": score.signature,
                }
    return metrics
