"""Recipes: everything a training depends on, and how it becomes a trained and tested model."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import nn

from course_utils.callbacks import Callback, ResumeFile
from course_utils.checkpoints import Checkpoint, load_checkpoint
from course_utils.messages import _
from course_utils.metrics import TextScore
from course_utils.runtime import default_device
from course_utils.search import SearchSettings
from course_utils.tasks.base import Pair, Predictor, Task, TaskData
from course_utils.training import FitSettings, History, fit

__all__ = ["Recipe", "final_scores", "recommended_search", "take_over", "train_model"]


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    data, test       load the data with its vocabulary, and the test pairs (used once, at the end)
    settings         budget, learning rate and the like
    task             builds the model, predicts, and has the metrics
    select           the metric on the validation set, found greedily, that chooses the weights
    metrics          names of the metrics computed at each validation, by default all of the task's
    test_metrics     names of further metrics, computed only after the training; if a metric's
                     optional package is missing, it is left out, with a line that says so
    batch_tokens     target positions in a batch, padding included
    model            settings of the builder; one that depends on the vocabulary is a function of it
    search           the search whose scores are reported beside the greedy ones; None if the task
                     does not search
    start            a checkpoint, by name or folder, whose weights the training starts from: its
                     encoder, and the rest as well if both have the same vocabulary, unless
                     ``start_encoder_only``
    prepare          ``prepare(model, data)`` may also set weights before the training
    callbacks        functions that make the recipe's own callbacks, anew for each training
    """

    name: str
    title: str
    data: Callable[[], TaskData]
    test: Callable[[], list[Pair]]
    settings: FitSettings
    task: Task
    select: str = "bleu"
    metrics: tuple[str, ...] | None = None
    test_metrics: tuple[str, ...] = ()
    batch_tokens: int = 2000
    model: dict = field(default_factory=dict)
    search: SearchSettings | None = SearchSettings(beam=5)
    start: str | None = None
    start_encoder_only: bool = False
    prepare: Callable[[nn.Module, TaskData], None] | None = None
    callbacks: tuple[Callable[[], Callback], ...] = ()

    def chosen_metrics(self) -> dict[str, Callable[..., TextScore]]:
        """The metrics computed at each validation, by name."""
        extra = self.test_metrics
        names = self.metrics or tuple(m for m in self.task.metrics if m not in extra)
        return {name: self.task.metrics[name] for name in names}


def train_model(
    recipe: Recipe,
    data: TaskData,
    *,
    resume: ResumeFile | None = None,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
) -> tuple[nn.Module, History, dict]:
    """Build and train a recipe's model on ``data``.

    Returns the model, its history, and the settings it was built with. ``resume``,
    ``progress`` and ``callbacks`` are those of `course_utils.training.fit`.
    """
    task = recipe.task
    settings = {k: v(data.vocabulary) if callable(v) else v for k, v in recipe.model.items()}
    build = {task.size: len(data.vocabulary), **settings}
    torch.manual_seed(recipe.settings.seed)
    model = task.build(**build).to(default_device())
    if recipe.start is not None:
        start = load_checkpoint(recipe.start, builders=task.predictor.builders)
        take_over(model, data, start, recipe.start_encoder_only)
    if recipe.prepare is not None:
        recipe.prepare(model, data)
    inputs, references = [x for x, _ in data.valid], [y for _, y in data.valid]

    def evaluate(trained: nn.Module) -> dict[str, float]:
        predictor, metrics = task.predictor(trained, data.vocabulary), recipe.chosen_metrics()
        outputs = predictor.predict(inputs) if metrics else []
        return {f"valid_{k}": found.score for k, found in predictor.measure(data.valid).items()} | {
            f"valid_{name}": score(outputs, references, lowercase=data.lowercase).score
            for name, score in metrics.items()
        }

    history = fit(
        model,
        data.batches(recipe.batch_tokens, recipe.settings.seed),
        recipe.settings,
        valid=data.valid_batches,
        evaluate=evaluate,
        select=f"valid_{recipe.select}",
        lower_is_better=recipe.select in task.lower_is_better,
        loss=task.loss,
        resume=resume,
        progress=progress,
        callbacks=[*(make() for make in recipe.callbacks), *callbacks],
    )
    return model, history, build


def take_over(
    model: nn.Module, data: TaskData, found: Checkpoint, encoder_only: bool = False
) -> None:
    """Copy the weights of checkpoint ``found`` into ``model``.

    Everything is copied if both have the same vocabulary, unless ``encoder_only``; otherwise only
    the encoder. Raises ValueError if the sizes differ.
    """
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
            f"the sizes of checkpoint {found.name} differ from those of the model to be trained: "
            f"{error}"
        ) from error


def recommended_search(recipe: Recipe, scores: dict) -> SearchSettings | None:
    """Greedy or the recipe's search, whichever scored better on validation; ties go to greedy.

    ``scores`` are those of `final_scores`. Returns None if the task does not search.
    """
    if recipe.search is None:
        return None
    greedy = replace(recipe.search, beam=1)
    found = [
        scores[f"valid_{recipe.select}_{way}"]["score"]
        for way in ("greedy", f"beam{recipe.search.beam}")
    ]
    gain = (
        found[0] - found[1] if recipe.select in recipe.task.lower_is_better else found[1] - found[0]
    )
    return recipe.search if gain > 0 else greedy


def final_scores(recipe: Recipe, predictor: Predictor, data: TaskData) -> dict:
    """Scores of a trained model on validation and test set, greedy and with the recipe's search."""
    search = recipe.search
    ways: dict[str, dict] = {"": {}}
    if search is not None:
        ways = {
            "_greedy": {"beam": 1, "alpha": search.alpha},
            f"_beam{search.beam}": asdict(search),
        }
    every = recipe.chosen_metrics() | {m: recipe.task.metrics[m] for m in recipe.test_metrics}
    scores = {}
    for split, pairs in (("valid", data.valid), ("test", recipe.test())):
        inputs, references = [x for x, _ in pairs], [y for _, y in pairs]
        for name, found in predictor.measure(pairs).items():
            scores[f"{split}_{name}"] = rounded(found)
        for way, settings in ways.items() if every else ():
            outputs = predictor.predict(inputs, **settings)
            for name, metric in every.items():
                try:
                    found = metric(outputs, references, lowercase=data.lowercase)
                except ImportError as error:
                    text = _("{name} is left out: {error}").format(name=name, error=error)
                    print(text, file=sys.stderr)
                    continue
                scores[f"{split}_{name}{way}"] = rounded(found)
    return scores


def rounded(found: TextScore) -> dict:
    """A score as a card keeps it."""
    digits = 2 if found.score > 1 else 4
    return {"score": round(found.score, digits), "signature": found.signature}
