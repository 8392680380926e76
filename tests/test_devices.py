"""Devices without double precision, such as Apple's GPU: tensors get it only on the CPU."""

import re

import pytest
import torch
from torch.overrides import TorchFunctionMode

from course_utils.tasks.classification.classifier import Classifier
from tools.notebooks import ROOT

DOUBLE = re.compile(r"\.double\(\)|\.to\([^)]*float64|torch\.float64")


class NoDoubles(TorchFunctionMode):
    """As if every tensor were on Apple's GPU until it has been moved to the CPU."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function is torch.Tensor.cpu:
            moved = function(*arguments).clone()
            moved.on_cpu = True
            return moved
        if function is torch.Tensor.double and not getattr(arguments[0], "on_cpu", False):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return function(*arguments, **(keywords or {}))


def test_the_stand_in_refuses_what_the_gpu_refuses():
    with NoDoubles():
        assert torch.ones(2).cpu().double().dtype == torch.float64
        with pytest.raises(TypeError, match="float64"):
            torch.ones(2).double()


def test_a_classifier_answers_on_a_device_without_doubles():
    classifier = Classifier.load("classification-imdb")
    expected = classifier.classify(["a fine film", "a dull film"])
    with NoDoubles():
        found = classifier.classify(["a fine film", "a dull film"])
    assert [verdict.label for verdict in found] == [verdict.label for verdict in expected]


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "course_utils").rglob("*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_doubles_are_made_on_the_cpu(path):
    """The answers of learners, and the samples of a file, are on the CPU anyway."""
    if path.parent.name == "exercises" or path.name == "audio.py":
        return
    for line in path.read_text("utf-8").splitlines():
        if DOUBLE.search(line):
            assert ".cpu().double()" in line, line
