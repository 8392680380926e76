"""Studies: comparisons of trainings, and how one training becomes a row of figures."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from course_utils.models.seq2seq import count_parameters
from course_utils.tasks.base import Predictor, TaskData
from course_utils.tasks.recipe import Recipe, train_model

__all__ = ["Study", "Variant", "train_and_measure"]


@dataclass(frozen=True)
class Variant:
    """One way to build and train a model.

    model     changes to the recipe's model settings; None removes a setting
    steps     the budget
    fit       changes to the recipe's `FitSettings`
    data      replaces the recipe's data, also its vocabulary when the model is measured
    measure   replaces the study's measure
    baseline  ``baseline(data, seed)`` trains a method that is not one of our networks; the result
              has `predict` and ``parameters``
    """

    name: str
    model: dict
    steps: int
    fit: dict = field(default_factory=dict)
    data: Callable[[], TaskData] | None = None
    measure: Callable[[Predictor], dict] | None = None
    baseline: Callable[[TaskData, int], Any] | None = None


@dataclass(frozen=True)
class Study:
    """Variants × seeds of one recipe; ``measure`` tests the models of variants without their own.

    ``seeds_of`` gives the seeds of a variant by its name, if they differ from ``seeds``.
    """

    name: str
    title: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    recipe: Recipe
    measure: Callable[[Predictor], dict] | None = None
    seeds_of: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lost = [v.name for v in self.variants if v.measure is None and self.measure is None]
        if lost:
            raise ValueError(f"study {self.name!r}: nothing measures {', '.join(lost)}")

    def runs(self) -> list[tuple[Variant, int]]:
        """The trainings, seed by seed, so that an interrupted study holds whole comparisons."""
        seeds = {v.name: self.seeds_of.get(v.name, self.seeds) for v in self.variants}
        every = sorted({seed for given in seeds.values() for seed in given})
        return [(v, s) for s in every for v in self.variants if s in seeds[v.name]]


def train_and_measure(
    study: Study, data: TaskData, variant: Variant, seed: int, steps: int
) -> dict:
    """One row of a study: train a variant for ``steps`` steps and measure it.

    ``data`` is that of the study's recipe.
    """
    started, processor = time.perf_counter(), time.process_time()
    measure = study.measure if variant.measure is None else variant.measure
    assert measure is not None  # __post_init__ has seen to it
    if variant.baseline is not None:
        method = variant.baseline(data, seed)
        return {
            "parameters": method.parameters,
            **measure(method),
            "minutes": round((time.perf_counter() - started) / 60, 2),
            "processor_minutes": round((time.process_time() - processor) / 60, 2),
        }
    recipe = study.recipe
    changes = {"steps": steps, "seed": seed, "validate_every": max(1, steps // 6)} | variant.fit
    settings = replace(recipe.settings, **changes)
    build = {k: v for k, v in (recipe.model | variant.model).items() if v is not None}
    changed = replace(recipe, settings=settings, model=build)
    data = data if variant.data is None else variant.data()
    model, history, _ = train_model(changed, data)
    return {
        "parameters": count_parameters(model),
        "best_step": history.best_step,
        "target_tokens": history.tokens,
        "training_minutes": round(history.seconds / 60, 2),
        **measure(recipe.task.predictor(model, data.vocabulary)),
        "curve": [
            {k: round(v, 4) for k, v in row.items() if k != "learning_rate"} for row in history.rows
        ],
        "minutes": round((time.perf_counter() - started) / 60, 2),
        "processor_minutes": round((time.process_time() - processor) / 60, 2),
    }
