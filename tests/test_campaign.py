"""The campaign: a small part of it with fixed inputs, and that it finds faults."""

import os

import pytest
import torch

from course_utils import attention, metrics, search
from tools.campaign import core, probes
from tools.campaign.core import Choices, Wrong, campaign, run_one

PROBES = probes.load()
# These start processes, write gigabytes or train; `make campaign` runs them.
LONG = ("commands.cold", "commands.processes", "files.large-members", "files.bombs")
INPUTS = 3  # of each probe


@pytest.mark.parametrize("name", [name for name in PROBES if name not in LONG])
def test_the_first_inputs_hold(name):
    for number in range(INPUTS):
        failure = run_one(name, number)
        assert failure is None, f"{name}:{number}: {failure.message}\n" + "\n".join(failure.input)


def first_failure(name, inputs=60):
    """The first input of a probe that fails, made smaller."""
    for number in range(inputs):
        if failure := run_one(name, number, shrink=True):
            return failure
    return None


def shifted(function):
    """A function whose result, a tensor, is one position late in each row."""
    return lambda *arguments, **settings: function(*arguments, **settings).roll(1, dims=-1)


FAULTS = {
    "functions.masks": lambda patch: patch.setattr(
        "tools.campaign.functions.length_mask", shifted(attention.length_mask)
    ),
    "functions.attention": lambda patch: patch.setattr(
        attention, "masked_softmax", shifted(attention.masked_softmax)
    ),
    "search.beam": lambda patch: patch.setattr(
        search, "length_penalty", lambda length, alpha: ((6 + length) / 6) ** alpha
    ),
    "scores.word-errors": lambda patch: patch.setattr(
        metrics.WordErrors, "errors", property(lambda self: self.substitutions + self.deletions)
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_its_input_is_small(name, monkeypatch):
    monkeypatch.setattr(core, "SHRINK_SECONDS", 1.0)
    FAULTS[name](monkeypatch)
    failure = first_failure(name)
    assert failure is not None and failure.message
    number = int(failure.seed.rpartition(":")[2])
    whole = run_one(name, number)
    assert whole is not None and whole.seed == failure.seed
    assert len(failure.choices) <= len(whole.choices)


def test_an_input_depends_on_its_seed_alone_and_can_be_given():
    def draw(choices):
        return [choices.integer(3, 9), choices.chance(), choices.one_of("abc"), choices.order(4)]

    first, other = Choices("1:x:5"), Choices("1:x:6")
    drawn = draw(first)
    assert draw(Choices("1:x:5")) == drawn != draw(other)
    assert draw(Choices("", given=first.made)) == drawn
    assert draw(Choices("", given=[])) == [3, False, "a", [0, 1, 2, 3]]


def test_a_failure_becomes_as_small_as_it_can(monkeypatch):
    def run(choices):
        numbers = choices.many(0, 9, lambda: choices.integer(0, 50))
        choices.show(numbers=numbers)
        if sum(n > 7 for n in numbers) >= 2:
            raise Wrong("two numbers are too large")

    monkeypatch.setitem(core.PROBES, "x", core.Probe("x", 9, run, memory=False))
    assert first_failure("x").input == ["numbers=[8, 8]"]


def test_an_input_that_never_ends_or_kills_its_process_is_one_failure(monkeypatch, capsys):
    def run(choices):
        if choices.seed_text.endswith(":1"):
            while True:
                pass
        if choices.seed_text.endswith(":3"):
            os._exit(3)
        choices.mutated("x")

    monkeypatch.setattr(core, "LIMIT_SECONDS", 1.0)
    monkeypatch.setitem(core.PROBES, "x", core.Probe("x", 5, run, memory=False))
    summary = campaign(["x"], 1.0, 0, None)
    assert (summary["inputs"], summary["mutated"]) == (5, 3)
    assert [f["seed"] for f in summary["failures"]] == ["0:x:1", "0:x:3"]
    assert "no answer in time" in summary["failures"][0]["message"]
    assert "x:1" in capsys.readouterr().out


def test_memory_is_watched(monkeypatch):
    def run(choices):
        torch.ones(30_000_000).sum()

    if not core.peak():
        pytest.skip("the peak of memory is known on Linux only")
    monkeypatch.setattr(core, "LIMIT_BYTES", 50_000_000)
    monkeypatch.setitem(core.PROBES, "x", core.Probe("x", 1, run, memory=True))
    assert run_one("x", 0).kind.startswith("memory")
