"""The numbers of a training: every update, every row of its history, every setting of its own."""

import math
import time
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from course_utils.callbacks import one_cycle
from course_utils.training import (
    FitSettings,
    doubly_stochastic,
    fit,
    sequence_loss,
    validation_loss,
)

SETTINGS = FitSettings(
    steps=7,
    learning_rate=0.3,
    weight_decay=0.4,
    warm_up=0.45,
    label_smoothing=0.2,
    clip=0.05,
    validate_every=3,
    seed=11,
)


class Weights(nn.Module):
    """Two numbers."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.7, -0.4]))

    @property
    def device(self):
        return self.w.device


class Slope:
    """A batch whose loss is the square of w · x − 1."""

    def __init__(self, x, tokens):
        self.x, self.target_tokens = torch.tensor(x), tokens

    def to(self, device):
        return self

    def part(self, number, count):
        assert (number, count) == (0, 1)
        return self


SLOPES = [Slope([1.0, 2.0], 5), Slope([0.5, -1.0], 7), Slope([3.0, 0.2], 11)]


class Slopes:
    def forever(self, skip=0):
        step = skip
        while True:
            yield SLOPES[step % 3]
            step += 1


def loss(model, batch, label_smoothing):
    return (model.w @ batch.x - 1) ** 2 + label_smoothing * model.w.sum()


def by_hand(settings):
    """The weights after each step, the losses and the learning rates."""
    model = Weights()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    rise = max(1, round(settings.steps * settings.warm_up))
    weights, losses, rates = [], [], []
    for step in range(settings.steps):
        if step < rise:
            factor = (step + 1) / rise
        else:
            factor = (1 + math.cos(math.pi * (step - rise) / (settings.steps - rise))) / 2
        optimizer.param_groups[0]["lr"] = settings.learning_rate * factor
        value = loss(model, SLOPES[step % 3], settings.label_smoothing)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        weights.append(model.w.detach().clone())
        losses.append(value.item())
        rates.append(settings.learning_rate * factor)
    return weights, losses, rates


def trained(settings, **others):
    model = Weights()
    return model, fit(model, Slopes(), settings, loss=loss, progress=False, **others)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"weight_decay": 0.0},
        {"clip": 100.0},
        {"warm_up": 0.0},
        {"label_smoothing": 0.0},
        {"learning_rate": 0.01},
    ],
)
def test_every_setting_reaches_the_updates(change):
    settings = replace(SETTINGS, **change)
    model, history = trained(settings)
    weights, losses, _ = by_hand(settings)
    torch.testing.assert_close(model.w.detach(), weights[-1])
    expected = [sum(losses[a:b]) / (b - a) for a, b in ((0, 3), (3, 6), (6, 7))]
    assert [row["loss"] for row in history.rows] == pytest.approx(expected)


def test_the_history_of_a_training():
    _, history = trained(SETTINGS)
    assert history.settings == asdict(SETTINGS)
    assert [row["step"] for row in history.rows] == [3, 6, 7]
    assert [row["tokens"] for row in history.rows] == [23, 46, 51]
    assert (history.steps, history.tokens, history.stopped_early) == (7, 51, False)
    assert history.best_step == 7  # without validation, the last weights stay
    # The rate of the next step: that of the first is not in a row, and the last is zero.
    _, _, rates = by_hand(SETTINGS)
    found = [row["learning_rate"] for row in history.rows]
    assert found == pytest.approx([rates[3], rates[6], 0.0], abs=1e-12)


def test_the_usual_settings():
    assert asdict(FitSettings(steps=9)) == {
        "steps": 9,
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
        "warm_up": 0.1,
        "label_smoothing": 0.1,
        "clip": 1.0,
        "regulariser": 0.0,
        "validate_every": 200,
        "patience": None,
        "seed": 0,
        "bfloat16": False,
    }


def test_one_cycle_by_hand():
    found = [one_cycle(step, 10, 0.28) for step in range(11)]
    fall = [(1 + math.cos(math.pi * k / 7)) / 2 for k in range(8)]
    assert found == pytest.approx([1 / 3, 2 / 3, 1, *fall])
    assert one_cycle(0, 1, 0.0) == 1 and one_cycle(1, 1, 0.0) == 1
    assert one_cycle(0, 4, 0.0) == 1  # at least one step rises
    assert one_cycle(4, 4, 0.75) == 0 and one_cycle(3, 4, 0.75) == 1


def test_validation_loss_counts_tokens_and_smooths_nothing():
    asked = []

    def measured(model, batch, label_smoothing):
        asked.append((label_smoothing, model.training, torch.is_grad_enabled()))
        return loss(model, batch, label_smoothing)

    model = Weights().train()
    values = [loss(model, batch, 0.0).item() for batch in SLOPES]
    expected = (5 * values[0] + 7 * values[1] + 11 * values[2]) / 23
    assert validation_loss(model, SLOPES, measured) == pytest.approx(expected)
    assert asked == [(0.0, False, False)] * 3 and model.training
    with pytest.raises(ValueError, match="0 batches without anything to predict"):
        validation_loss(model, [], measured)


def test_rows_have_the_validation_loss_and_the_lowest_is_kept():
    settings = replace(SETTINGS, steps=9, validate_every=1, learning_rate=0.9, clip=10.0)
    model, history = trained(settings, valid=SLOPES[:2])
    weights, _, _ = by_hand(settings)
    expected = []
    for w in weights:
        one = Weights()
        one.w.data.copy_(w)
        expected.append(validation_loss(one, SLOPES[:2], loss))
    assert [row["valid_loss"] for row in history.rows] == pytest.approx(expected)
    best = min(range(9), key=expected.__getitem__)
    assert history.best_step == best + 1 < 9
    torch.testing.assert_close(model.w.detach(), weights[best])
    assert not model.training


@pytest.mark.parametrize("lower,best", [(False, 2), (True, 4)])
def test_a_metric_selects_the_weights(lower, best):
    scores = iter([0.5, 0.9, 0.7, 0.1, 0.1])
    settings = replace(SETTINGS, steps=5, validate_every=1)
    model, history = trained(
        settings,
        valid=SLOPES,
        evaluate=lambda model: {"score": next(scores)},
        select="score",
        lower_is_better=lower,
    )
    assert [row["score"] for row in history.rows] == [0.5, 0.9, 0.7, 0.1, 0.1]
    assert all("valid_loss" in row for row in history.rows)
    assert history.best_step == best  # the first of equals
    torch.testing.assert_close(model.w.detach(), by_hand(settings)[0][best - 1])


def test_seconds_are_those_of_training_and_validation(monkeypatch):
    now = {"seconds": 500.0}
    monkeypatch.setattr(time, "perf_counter", lambda: now["seconds"])

    def slow(model, batch, label_smoothing):
        now["seconds"] += 1.25
        return loss(model, batch, label_smoothing)

    def evaluate(model):
        now["seconds"] += 10
        return {}

    settings = replace(SETTINGS, steps=4)
    history = fit(Weights(), Slopes(), settings, loss=slow, evaluate=evaluate, progress=False)
    # Rounded to a tenth: 3 steps and 1 validation, then 4 and 2.
    assert [row["seconds"] for row in history.rows] == [13.8, 25.0]
    assert history.seconds == 25.0


@pytest.mark.parametrize(
    "settings,others,match",
    [
        ({"steps": 0}, {}, "at least one step, got steps=0"),
        ({}, {"select": "bleu"}, "select='bleu' needs an evaluate function"),
        ({"patience": 2}, {}, "patience counts validations"),
    ],
)
def test_settings_that_contradict_each_other(settings, others, match):
    with pytest.raises(ValueError, match=match):
        trained(replace(SETTINGS, **settings), **others)


def test_patience_counts_validations_without_an_improvement():
    scores = iter([0.3, 0.2, 0.4, 0.4, 0.1])
    settings = replace(SETTINGS, steps=7, validate_every=1, patience=2)
    _, history = trained(settings, evaluate=lambda model: {"score": next(scores)}, select="score")
    assert (history.steps, history.best_step, history.stopped_early) == (5, 3, True)


def test_other_shapes_are_named():
    logits, targets = torch.randn(2, 3, 5), torch.tensor([[4, 2, 0], [3, 4, 2]])
    weights, mask = torch.rand(2, 3, 4), torch.ones(2, 4, dtype=torch.bool)
    for loss, arguments, error, message in (
        (sequence_loss, (logits[0], targets), ValueError, "logits must have shape"),
        (sequence_loss, (logits, targets.float()), ValueError, "targets must be integers"),
        (sequence_loss, (logits, targets.numpy()), TypeError, "targets must be a tensor"),
        (sequence_loss, (logits[:0], targets[:0]), ValueError, "no loss without targets"),
        (doubly_stochastic, (weights[:, None], targets), ValueError, "weights must have shape"),
        (
            doubly_stochastic,
            (weights, targets[:1]),
            ValueError,
            r"targets must have shape \(2, 3\)",
        ),
        (doubly_stochastic, (weights, targets, mask[:1]), ValueError, r"shape \(2, 4\), got \(1"),
        (doubly_stochastic, (weights, targets, mask.float()), TypeError, "boolean"),
        (doubly_stochastic, (weights[:0], targets[:0]), ValueError, "no inputs"),
    ):
        with pytest.raises(error, match=message):
            loss(*arguments)
