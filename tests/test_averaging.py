"""Averaged weights and the schedule of the Transformer: callbacks of a training."""

import copy
import math
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from course_utils import recipes
from course_utils.batches import BucketedBatches
from course_utils.callbacks import (
    AverageWeights,
    AverageWithStart,
    Callback,
    InverseSquareRoot,
    Run,
)
from course_utils.recipes import RECIPES, train
from course_utils.tasks.translation.data import TranslationData
from course_utils.training import FitSettings, fit
from course_utils.vocabulary import Vocabulary
from tools.tiny import random_examples, tiny_translator

SETTINGS = FitSettings(steps=14, learning_rate=0.05, validate_every=4, seed=5)
BEST = {"select": "score", "evaluate": lambda model: {"score": 1.0}}


def batches():
    return BucketedBatches(random_examples([(3, 2), (5, 4), (2, 3)] * 8), 24, seed=1)


class Record(Callback):
    """The weights of the model after each step, and those that each validation has measured."""

    def __init__(self):
        self.after = {}
        self.measured = {}

    def after_step(self, run):
        self.after[run.history.steps] = copy.deepcopy(run.model.state_dict())

    def measure(self, model):
        self.measured[max(self.after)] = copy.deepcopy(model.state_dict())
        return {"score": float(len(self.measured))}


def same(one, other):
    for name, weights in one.items():
        torch.testing.assert_close(weights, other[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("count, every", [(3, 2), (1, 4), (5, 3)])
def test_validations_measure_the_mean_and_training_goes_on_without(count, every):
    record, plain = Record(), Record()
    model = tiny_translator(train=True)
    evaluate = {"select": "score", "progress": False}
    fit(
        model,
        batches(),
        SETTINGS,
        evaluate=record.measure,
        callbacks=[record, AverageWeights(count, every)],
        **evaluate,
    )
    fit(
        tiny_translator(train=True),
        batches(),
        SETTINGS,
        evaluate=plain.measure,
        callbacks=[plain],
        **evaluate,
    )
    assert list(record.measured) == [4, 8, 12, 14]
    for step, weights in record.after.items():
        same(weights, plain.after[step])  # the training itself is not changed
    for step, measured in record.measured.items():
        kept = [n for n in range(1, step + 1) if n % every == 0][-count:]
        for name, weights in measured.items():
            mean = sum(record.after[n][name] for n in kept) / len(kept)
            torch.testing.assert_close(weights, mean, atol=1e-6, rtol=1e-5)
    same(model.state_dict(), record.measured[14])  # the best one


def test_before_the_first_snapshot_the_weights_are_their_own():
    record = Record()
    settings = replace(SETTINGS, steps=3, validate_every=2)
    fit(
        tiny_translator(train=True),
        batches(),
        settings,
        evaluate=record.measure,
        select="score",
        callbacks=[record, AverageWeights(5, 3)],
        progress=False,
    )
    same(record.measured[2], record.after[2])
    same(record.measured[3], record.after[3])
    with pytest.raises(ValueError, match="at least 1, got 0 and 3"):
        AverageWeights(0, 3)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_weights_from_before_the_training(share):
    record, model = Record(), tiny_translator(train=True)
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    fit(
        model,
        batches(),
        SETTINGS,
        evaluate=record.measure,
        select="score",
        callbacks=[record, AverageWithStart(3, 2, share)],
        progress=False,
    )
    for step, measured in record.measured.items():
        kept = [n for n in range(1, step + 1) if n % 2 == 0][-3:]
        for name, weights in measured.items():
            mean = sum(record.after[n][name] for n in kept) / len(kept)
            expected = share * before[name] + (1 - share) * mean
            torch.testing.assert_close(weights, expected, atol=1e-6, rtol=1e-5)
    for wrong in (1.5, -0.1, math.nan):
        with pytest.raises(ValueError, match=f"between 0 and 1, got {wrong}"):
            AverageWithStart(3, 2, wrong)


@pytest.mark.parametrize("average", [AverageWeights(3, 1), AverageWithStart(3, 1, 0.25)])
def test_whole_numbers_of_a_model_are_those_of_its_last_step(average):
    model = torch.nn.BatchNorm1d(3)
    run = SimpleNamespace(model=model, history=SimpleNamespace(steps=0), validates=False)
    average.start(run)
    for run.history.steps in (1, 2):
        run.validates = run.history.steps == 2
        model.num_batches_tracked += 4
        model.running_mean += 6
        average.after_step(run)
    start = 0.25 if isinstance(average, AverageWithStart) else 0
    assert int(model.num_batches_tracked) == 8
    assert model.running_mean.tolist() == pytest.approx([(1 - start) * 9] * 3)
    average.after_validation(run, {})
    assert int(model.num_batches_tracked) == 8 and model.running_mean.tolist() == [12] * 3


class Stop(Callback):
    def __init__(self, step):
        self.step = step

    def after_step(self, run):
        if run.history.steps == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("average", [AverageWeights, AverageWithStart])
@pytest.mark.parametrize("stop", [6, 9])
def test_an_interrupted_training_averages_the_same_weights(tmp_path, stop, average):
    def run(*more, resume=None):
        model, record = tiny_translator(train=True), Record()
        history = fit(
            model,
            batches(),
            SETTINGS,
            select="score",
            evaluate=lambda model: record.measure(model) | {"score": max(record.after)},
            resume=resume,
            callbacks=[average(3, 2), InverseSquareRoot(), record, *more],
            progress=False,
        )
        rates = [row["learning_rate"] for row in history.rows]
        return model.state_dict(), rates, record.measured

    whole, rates, measured = run()
    with pytest.raises(KeyboardInterrupt):
        run(Stop(stop), resume=tmp_path / "x.resume")
    resumed, resumed_rates, again = run(resume=tmp_path / "x.resume")
    same(resumed, whole)
    assert set(again) == {n for n in measured if n > stop - stop % 4}
    for step, weights in again.items():  # also the first, whose mean has weights from before
        same(weights, measured[step])
    assert resumed_rates == pytest.approx(rates)


def test_the_schedule_of_the_transformer():
    class Rates(Callback):
        found: list = []

        def after_step(self, run):
            self.found.append(run.optimizer.param_groups[0]["lr"])

    rates, settings = Rates(), replace(SETTINGS, steps=50, warm_up=0.2, validate_every=50)
    fit(
        tiny_translator(train=True),
        batches(),
        settings,
        callbacks=[InverseSquareRoot(), rates],
        progress=False,
    )
    # The rate after step n is that of step n + 1.
    expected = [min(n / 10, math.sqrt(10 / n)) * 0.05 for n in range(2, 52)]
    assert rates.found == pytest.approx(expected)
    first = Run(tiny_translator(train=True), settings)
    InverseSquareRoot().start(first)
    assert first.optimizer.param_groups[0]["lr"] == pytest.approx(0.005)


def test_a_recipe_has_callbacks_of_its_own(tmp_path, monkeypatch):
    """Each training gets new ones, and its card and its resume file say which."""
    pairs = [("one", "un"), ("two", "deux"), ("three", "trois")] * 4
    words = Vocabulary.words([text for pair in pairs for text in pair])
    recipe = replace(
        RECIPES["translation-generated"],
        name="averaged",
        data=lambda: TranslationData(pairs, pairs[:3], words, cards=[]),
        test=lambda: pairs[:2],
        settings=FitSettings(steps=5, validate_every=2),
        model={"embedding_dim": 8, "memory_dim": 8, "hidden_dim": 8},
        callbacks=(partial(AverageWeights, every=2),),
        search=None,
    )
    assert recipe.callbacks[0]() is not recipe.callbacks[0]()
    recipe = replace(recipe, search=RECIPES["translation-generated"].search)
    monkeypatch.setitem(recipes.RECIPES, "averaged", recipe)
    card = train("averaged", out=tmp_path / "a")
    settings = {"AverageWeights": {"count": 5, "every": 2}}
    assert card["fit"] == asdict(recipe.settings) | {"batch_tokens": 500} | settings
    without = replace(recipe, callbacks=())
    data = recipe.data()
    assert recipes.identity(recipe, data) == recipes.identity(without, data) | settings
