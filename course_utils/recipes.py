"""Recipes: the trainings of the course, by name. ``python -m course_utils train NAME``.

They are collected from the tasks: each task has its own in `course_utils.tasks.NAME.recipes`.
"""

import hashlib
import inspect
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

from course_utils.callbacks import Callback, ResumeFile
from course_utils.checkpoints import check_target, load_checkpoint, save_checkpoint
from course_utils.distributed import is_first, process_count
from course_utils.paths import MADE
from course_utils.provenance import first_commit, provenance
from course_utils.tasks import collect
from course_utils.tasks.base import Task, TaskData
from course_utils.tasks.recipe import Recipe, final_scores, recommended_search, train_model

__all__ = ["RECIPES", "Recipe", "Task", "train", "train_model"]

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for _, recipes in collect("recipes", "RECIPES") for recipe in recipes
}


def train(
    name: str,
    steps: int | None = None,
    seed: int | None = None,
    out: Path | None = None,
    start: str | None = None,
    bfloat16: bool = False,
    callbacks: Sequence[Callback] = (),
) -> dict:
    """Train a recipe, test it once, write the checkpoint; returns its card.

    ``steps`` and ``seed`` replace the recipe's. ``out`` is the folder of the checkpoint, by default
    the recipe's own in data/checkpoints. ``start`` is a checkpoint to start from instead of the
    recipe's. An interrupted training resumes when the same call is repeated, even if it was
    interrupted after the last step. ``bfloat16`` is the setting of `FitSettings`; ``callbacks`` are
    those of `course_utils.training.fit`.

    Where several processes train together (`course_utils.distributed`), the first tests and writes;
    the others return an empty card.

    Raises CheckpointError, before the training, for a folder that may not be replaced.
    """
    if name not in RECIPES:
        raise ValueError(f"unknown training {name!r}; choose from {', '.join(RECIPES)}")
    first_commit()
    recipe = RECIPES[name]
    changes = {"steps": steps, "seed": seed, "bfloat16": bfloat16 or None}
    settings = replace(recipe.settings, **{k: v for k, v in changes.items() if v is not None})
    recipe = replace(recipe, settings=settings, start=recipe.start if start is None else start)
    folder = check_target(MADE / "checkpoints" / name if out is None else Path(out))
    started, processor = time.perf_counter(), time.process_time()
    data = recipe.data()
    file = folder.with_name(f".{folder.name}.resume")
    resume = ResumeFile(file, identity(recipe, data), keep=True)
    model, history, build = train_model(recipe, data, resume=resume, callbacks=callbacks)
    if not is_first():
        return {}
    # The weights are stored in half precision, so these are the ones that are tested.
    model.load_state_dict({k: w.half().float() for k, w in model.state_dict().items()})
    predictor = recipe.task.predictor(model, data.vocabulary)
    calibration = predictor.calibrate(data.valid)
    metrics = final_scores(recipe, predictor, data)
    search = recommended_search(recipe, metrics)
    card = {
        "name": name,
        "title": recipe.title,
        "date": date.today().isoformat(),
        "seed": settings.seed,
        "steps": history.steps,
        "best_step": history.best_step,
        "target_tokens": history.tokens,
        "training_minutes": round(history.seconds / 60, 1),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        # Of all cores together: on a busy machine this is the fairer measure of cost.
        "processor_minutes": round((time.process_time() - processor) / 60, 1),
        **({"processes": process_count()} if process_count() > 1 else {}),
        "fit": asdict(settings) | {"batch_tokens": recipe.batch_tokens} | extras(recipe),
        **({} if recipe.start is None else {"start": started_from(recipe)}),
        # What the commands use by default.
        "search": None if search is None else asdict(search),
        **({"calibration": calibration} if calibration else {}),
        "metrics": metrics,
        "data": data.cards,
        **provenance(),
    }
    full = save_checkpoint(
        folder,
        model,
        data.vocabulary,
        builder=recipe.task.builder,
        settings=build,
        card=card,
        log=history.rows,
    )
    resume.file.unlink(missing_ok=True)
    return full


def identity(recipe: Recipe, data: TaskData) -> dict:
    """What a resume file belongs to: names with a checksum or text each."""

    def digest(content: object) -> str:
        return hashlib.sha256(repr(content).encode()).hexdigest()

    start = None if recipe.start is None else started_from(recipe)
    pieces = data.vocabulary.pieces(range(len(data.vocabulary)))
    return {
        "name": recipe.name,
        "model": digest(sorted((k, v) for k, v in recipe.model.items() if not callable(v))),
        "batch_tokens": recipe.batch_tokens,
        "data": digest((data.cards, len(data.train), len(data.valid), pieces)),
        "start": digest(start),
        **extras(recipe),
    }


def extras(recipe: Recipe) -> dict[str, dict]:
    """The settings of a recipe's callbacks, by the names of their classes."""
    return {
        type(made).__name__: {
            name: getattr(made, name) for name in inspect.signature(type(made)).parameters
        }
        for made in (make() for make in recipe.callbacks)
    }


def started_from(recipe: Recipe) -> dict:
    """What a card says of the checkpoint that a training started from: name, cost and weights."""
    assert recipe.start is not None  # the callers have seen to it
    builders = recipe.task.predictor.builders
    card = load_checkpoint(recipe.start, builders=builders).card
    kept = ("name", "steps", "processor_minutes", "commit")
    return {key: card[key] for key in kept if key in card} | {
        "sha256": card["sha256"]["model.safetensors"]
    }
