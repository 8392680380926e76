"""`search`: which of the two searches it runs, and with which settings."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from course_utils.memory import Rows
from course_utils.search import SearchSettings, beam_search, greedy_search, length_penalty, search
from course_utils.vocabulary import EOS
from tools.tiny import random_batch, tiny_translator


@pytest.fixture(scope="module")
def model():
    return tiny_translator(seed=3, target_size=9)


@pytest.fixture(scope="module")
def memory(model):
    return model.remember(random_batch([(5, 0), (3, 0), (7, 0)], 1))


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.tokens, one.finished) == (other.tokens, other.finished)
        assert one.log_prob == pytest.approx(other.log_prob)
        assert one.score == pytest.approx(other.score)
        torch.testing.assert_close(one.attention, other.attention)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.5])
@pytest.mark.parametrize("limit", [4, [3, 6, 1]])
def test_a_beam_of_one_is_greedy_search(model, memory, alpha, limit):
    found = search(model.decoder, memory, 1, limit, alpha)
    same(found, greedy_search(model.decoder, memory, limit, alpha))
    for hypothesis in found:
        length = len(hypothesis.tokens) + hypothesis.finished
        penalty = ((5 + length) / 6) ** alpha
        assert hypothesis.score == pytest.approx(hypothesis.log_prob / penalty)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.5])
@pytest.mark.parametrize("beam", [2, 5])
def test_a_wider_beam_is_the_best_of_a_beam_search(model, memory, alpha, beam):
    expected = beam_search(model.decoder, memory, beam, 6, alpha)
    same(search(model.decoder, memory, beam, 6, alpha), [several[0] for several in expected])


@pytest.mark.parametrize("find", [search, greedy_search])
def test_usual_settings_are_a_hundred_tokens_and_a_penalty_of_one(model, memory, find):
    same(find(model.decoder, memory), greedy_search(model.decoder, memory, 100, 1.0))
    same(search(model.decoder, memory, 3), search(model.decoder, memory, 3, 100, 1.0))
    (several, *_) = beam_search(model.decoder, memory, best=5, max_length=4)
    assert len(several) == 5
    with pytest.raises(ValueError, match="best=6 and width=5"):  # the usual width
        beam_search(model.decoder, memory, best=6)
    (several, *_) = beam_search(model.decoder, memory)
    assert len(several) == 1
    assert SearchSettings() == SearchSettings(beam=1, alpha=1.0)


def test_a_beam_search_returns_the_best_first_with_their_scores(model, memory):
    for several in beam_search(model.decoder, memory, 6, 5, 0.8, best=6):
        for hypothesis in several:
            length = len(hypothesis.tokens) + hypothesis.finished
            assert hypothesis.score == pytest.approx(
                hypothesis.log_prob / length_penalty(length, 0.8)
            )
            assert hypothesis.attention.shape[0] == length and EOS not in hypothesis.tokens
        order = [(not h.finished, -h.score) for h in several]
        assert order == sorted(order)


@pytest.mark.parametrize("beam", [1, 3])
def test_batch_size_and_prompts_are_passed_on(beam):
    """A decoder without a memory: it writes the number of tokens it has read, then the end."""

    class Rows:
        def __init__(self, read):
            self.read = read

        def select(self, rows):
            return Rows(self.read[rows])

    class Counting:
        def start(self, batch):
            return Rows(torch.zeros(batch, dtype=torch.long))

        def step(self, state, token):
            read = state.read + 1
            scores = torch.full((len(read), 12), -20.0)
            wanted = torch.where(read > 4, torch.tensor(EOS), 4 + read)
            scores[torch.arange(len(read)), wanted] = 0.0
            return scores, Rows(read), None

    found = search(Counting(), None, beam, 9, batch_size=2)
    assert [h.tokens for h in found] == [[5, 6, 7, 8]] * 2
    found = search(Counting(), None, beam, 9, prompts=[[9, 9], [10], []])
    assert [h.tokens for h in found] == [[7, 8], [6, 7, 8], [5, 6, 7, 8]]
    with pytest.raises(ValueError, match="disagree"):
        search(Counting(), None, beam, 9, batch_size=2, prompts=[[9]])
    with pytest.raises(ValueError, match="needs a memory, prompts or a batch_size"):
        search(Counting(), None, beam, 9)


@dataclass(frozen=True)
class Progress(Rows):
    """Which inputs the rows belong to, and how many tokens have been read."""

    row: torch.Tensor
    steps: int


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_not_numbers_are_named(beam, bad):
    """From the second token on, and for one input of three, the decoder's scores are broken."""

    class Broken:
        def start(self, memory):
            return Progress(torch.arange(memory), 0)

        def step(self, state, tokens):
            scores = torch.linspace(0, 1, 7).repeat(len(tokens), 1)
            if state.steps:
                scores[state.row == 1, 4] = bad
            return scores, Progress(state.row, state.steps + 1), None

    with pytest.raises(ValueError, match=r"scores for input 1 are not numbers \(NaN\)"):
        search(Broken(), beam=beam, max_length=4, batch_size=3)


@pytest.mark.parametrize(
    "settings",
    [
        *({"beam": 0}, {"beam": 101}, {"beam": 2.0}, {"beam": True}),
        *({"alpha": float("nan")}, {"alpha": 1e300}, {"alpha": "1"}),
    ],
)
def test_settings_of_a_search(settings):
    with pytest.raises(ValueError, match="beam must be an integer|alpha must be a finite"):
        SearchSettings(**settings)


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), 1e9])
def test_a_penalty_that_leaves_the_range_of_floats(alpha):
    for beam in (1, 3):
        with pytest.raises(ValueError, match="alpha must be a finite number of at most 100"):
            search(tiny_translator().decoder, beam=beam, alpha=alpha, batch_size=2)


def test_whole_numbers_of_numpy_and_tensors_are_whole_numbers():
    model, memory = tiny_translator(), None
    for limits, prompts in (
        (np.int64(4), torch.tensor([[5, 6], [7, 8]])),
        (np.array([4, 4]), np.array([[5, 6], [7, 8]])),
    ):
        memory = model.remember(random_batch([(3, 0), (5, 0)]))
        for beam in (1, 3):
            found = search(model.decoder, memory, beam, limits, prompts=prompts)
            expected = search(model.decoder, memory, beam, 4, prompts=[[5, 6], [7, 8]])
            assert [h.tokens for h in found] == [h.tokens for h in expected]
    with pytest.raises(ValueError, match="neither PAD"):
        search(model.decoder, memory, prompts=torch.tensor([[5, 6], [7, 0]]))
