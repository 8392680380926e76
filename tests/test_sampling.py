"""Sampling draws from the decoder's probabilities, narrowed as asked; perplexity."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.memory import Rows
from course_utils.metrics import perplexity
from course_utils.models.transformer import TransformerDecoder
from course_utils.sampling import narrowed, sample
from course_utils.search import greedy_search
from course_utils.vocabulary import BOS, EOS, PAD
from tools.tiny import quick

SEEDS = st.integers(0, 10**6)
SETTINGS = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.3, 1.0, 2.5]),
        "top_k": st.sampled_from([None, 1, 3, 20]),
        "top_p": st.sampled_from([None, 0.05, 0.6, 1.0]),
    }
)


def by_hand(log_probs, temperature, top_k, top_p):
    """The same with lists: no two probabilities are equal here."""
    p = [math.exp(x / temperature) for x in log_probs]
    kept = sorted(range(len(p)), key=lambda i: -p[i])[: top_k or len(p)]
    whole = sum(p[i] for i in kept)
    if top_p is not None:
        least = next(
            n
            for n in range(1, len(kept) + 1)
            if n == len(kept) or sum(p[i] for i in kept[:n]) >= top_p * whole
        )
        kept = kept[:least]
    whole = sum(p[i] for i in kept)
    return [p[i] / whole if i in kept else 0.0 for i in range(len(p))]


@given(settings=SETTINGS, size=st.integers(1, 9), seed=SEEDS)
@quick
def test_what_is_drawn_from(settings, size, seed):
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(2, size, generator=generator, dtype=torch.float64).log_softmax(dim=-1)
    found = narrowed(log_probs, **settings)
    for row, given_row in zip(found, log_probs, strict=True):
        assert row.tolist() == pytest.approx(by_hand(given_row.tolist(), **settings), abs=1e-9)


def test_the_nucleus_is_the_smallest_set():
    p = torch.tensor([0.1, 0.4, 0.2, 0.3])
    for top_p, kept in ((0.4, [1]), (0.41, [1, 3]), (0.7, [1, 3]), (0.95, [0, 1, 2, 3])):
        assert narrowed(p.log(), top_p=top_p).nonzero()[:, 0].tolist() == kept
    assert narrowed(p.log(), top_k=2).tolist() == pytest.approx([0, 4 / 7, 0, 3 / 7])
    equal = torch.tensor([0.5, 0.25, 0.25])
    assert (narrowed(equal.log(), top_k=2) > 0).all()  # equal to the last one


class Fixed:
    """A decoder whose probabilities are always the same."""

    normalised = True

    def __init__(self, probabilities):
        self.log_probs = torch.tensor(probabilities).log()

    def start(self, count):
        return Counted(torch.zeros(count))

    def step(self, state, tokens):
        return self.log_probs.expand(len(tokens), -1), state, None


class Counted(Rows):
    def __init__(self, rows):
        self.rows = rows


P = [0.0, 0.0, 0.2, 0.0, 0.5, 0.3]  # EOS, and two words: 4 and 5


def test_draws_have_the_probabilities_of_the_decoder():
    generator = torch.Generator().manual_seed(0)
    found = sample(Fixed(P), batch_size=4000, max_length=200, generator=generator)
    first = np.array([(h.tokens + [EOS])[0] for h in found])
    for token, p in ((EOS, 0.2), (4, 0.5), (5, 0.3)):
        assert abs((first == token).mean() - p) < 4 * math.sqrt(p * (1 - p) / 4000)
    mean = np.mean([len(h.tokens) for h in found])  # geometric: 0.8 / 0.2
    assert abs(mean - 4) < 4 * math.sqrt(0.8) / 0.2 / math.sqrt(4000)
    assert all(h.finished for h in found)
    for h in found[:50]:
        assert h.log_prob == pytest.approx(sum(math.log(P[t]) for t in [*h.tokens, EOS]), abs=1e-4)
        assert h.score == h.log_prob


def test_the_log_probability_is_the_decoders_own():
    """Narrowing makes a text more probable to be drawn; the model does not believe in it more."""
    (found,) = sample(Fixed(P), batch_size=1, max_length=3, top_k=1)
    assert found.tokens == [4, 4, 4] and not found.finished
    assert found.log_prob == pytest.approx(3 * math.log(0.5))


def language_model(seed=0):
    torch.manual_seed(seed)
    decoder = TransformerDecoder(11, 8, None, 12, heads=2, layers=1).eval()
    with torch.no_grad():
        decoder.embedding.weight.mul_(3)
    return decoder


def test_narrow_sampling_is_greedy_search():
    decoder, prompts = language_model(), [[5], [6, 9, 4], []]
    greedy = greedy_search(decoder, prompts=prompts, max_length=6, alpha=0.0)
    for settings in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-3}):
        drawn = sample(decoder, prompts=prompts, max_length=6, **settings)
        for one, other in zip(drawn, greedy, strict=True):
            assert one.tokens == other.tokens and one.finished == other.finished
            assert one.log_prob == pytest.approx(other.log_prob, abs=1e-5)
            torch.testing.assert_close(one.attention, other.attention)


def test_a_generator_repeats_the_draws():
    decoder = language_model()

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        found = sample(decoder, batch_size=5, max_length=8, generator=generator)
        return [h.tokens for h in found]

    assert draw(1) == draw(1) != draw(2)
    texts = [token for seed in range(5) for tokens in draw(seed) for token in tokens]
    assert not {PAD, BOS, EOS} & set(texts) and len(set(texts)) > 4


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"temperature": 0.0}, "temperature is above 0.*greedy_search"),
        ({"temperature": math.nan}, "temperature"),
        ({"top_k": 0}, "top_k keeps at least 1"),
        ({"top_p": 0.0}, "top_p is a probability"),
        ({"top_p": 1.5}, "got 1.5"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        sample(Fixed(P), batch_size=2, **settings)


@pytest.mark.parametrize(
    "p, message", [([0.0] * 6, "no possible continuation"), ([math.nan] * 6, "NaN")]
)
def test_what_cannot_be_drawn_from_is_named(p, message):
    with pytest.raises(ValueError, match=message):
        sample(Fixed(p), batch_size=2, top_p=0.9)


# --- perplexity -------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=9))
@quick
def test_perplexity_is_the_inverse_geometric_mean(p):
    expected = math.prod(p) ** (-1 / len(p))
    assert perplexity(np.log(p)) == pytest.approx(expected)
    assert perplexity(np.log(p), units=2 * len(p)) == pytest.approx(math.sqrt(expected))


def test_perplexity_of_a_uniform_model_and_of_the_impossible():
    assert perplexity([math.log(1 / 7)] * 3) == pytest.approx(7)
    assert perplexity([0.0, -math.inf]) == math.inf
    for wrong in ([], [0.3], [math.nan]):
        with pytest.raises(ValueError, match="log probabilities"):
            perplexity(wrong)
    with pytest.raises(ValueError, match="units"):
        perplexity([-1.0], units=0)
