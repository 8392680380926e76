"""Sounds without speech: generated noises, and what is trained with them."""

import random

import pytest
import torch

from course_utils.datasets.generated.noises import KINDS, noises
from course_utils.datasets.generated.spoken_commands import OTHER_WORDS, digits, other_words
from course_utils.tasks.speech.data import interrupted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [8000, 16_000])
def test_every_kind_is_a_sound_of_its_length_and_level(kind, rate):
    found = noises(20, rate, seed=3, kinds=(kind,))
    assert [n.kind for n in found] == [kind] * 20 and {n.text for n in found} == {""}
    for noise in found:
        assert 0.3 * rate <= len(noise.samples) <= 3 * rate + 1
        assert 1e-4 < float(noise.samples.abs().max()) < 0.4
    assert len({len(n.samples) for n in found}) > 10
    assert max(len(n.samples) for n in found) > 2.4 * rate


def spectrum(noise):
    """Frequencies in Hz at a sample rate of 8,000, and the share of the power at each."""
    window = torch.hann_window(len(noise.samples))
    power = torch.fft.rfft(noise.samples * window).abs() ** 2
    return torch.arange(len(power)) * 8000 / len(noise.samples), power / power.sum()


def test_no_harmonic_of_a_tone_is_mirrored_at_half_the_sample_rate():
    for noise in noises(60, 8000, seed=5, kinds=("tone",)):
        hertz, share = spectrum(noise)
        pitch = float(hertz[share.argmax()])  # the strongest, and the lowest
        assert float(share[hertz < pitch - 20].sum()) < 1e-3


def test_a_sweep_stays_between_its_two_pitches():
    for noise in noises(40, 8000, seed=6, kinds=("sweep",)):
        hertz, share = spectrum(noise)
        assert float(share[hertz > 2600].sum()) < 1e-3


def test_hiss_is_white_or_stronger_at_low_frequencies():
    for noise in noises(20, 8000, seed=7, kinds=("hiss",)):
        hertz, share = spectrum(noise)
        assert float(share[hertz < 2000].sum()) > 0.45


def test_the_mains_have_50_or_60_hertz():
    found = set()
    for noise in noises(30, 8000, seed=8, kinds=("hum",)):
        hertz, share = spectrum(noise)
        found.add(round(float(hertz[share.argmax()]) / 10) * 10)
    assert found == {50, 60}


def test_claps_are_short():
    for noise in noises(40, 8000, seed=9, kinds=("claps",)):
        assert int((noise.samples != 0).sum()) <= 6 * 0.08 * 8000 + 6


def test_noises_are_the_same_for_a_seed_and_of_all_kinds():
    one, two, other = noises(60, 8000, 1), noises(60, 8000, 1), noises(60, 8000, 2)
    assert all(torch.equal(a.samples, b.samples) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0].samples[:100], other[0].samples[:100])
    assert {noise.kind for noise in one} == set(KINDS)
    with pytest.raises(ValueError, match="unknown kinds \\['thunder'\\]: choose from hiss"):
        noises(1, 8000, kinds=("thunder", "hum"))


def test_a_tone_has_its_power_at_its_pitch():
    (hum,) = noises(1, 8000, seed=0, kinds=("hum",))
    power = torch.fft.rfft(hum.samples).abs() ** 2
    strongest = float(power.argmax()) * 8000 / len(hum.samples)
    assert strongest == pytest.approx(50, abs=1) or strongest == pytest.approx(60, abs=1)


def test_other_words_have_no_digit():
    said = {word for seed in range(300) for word in digits(random.Random(seed)).split()}
    assert len(said) == 10 and not said & set(OTHER_WORDS)
    assert not {"to", "too", "for", "won", "ate", "oh"} & set(OTHER_WORDS)
    for seed in range(50):
        words = other_words(random.Random(seed)).split()
        assert 1 <= len(words) <= 8 and set(words) <= set(OTHER_WORDS)


def test_an_interrupted_sound_keeps_its_text_and_its_samples():
    pairs = [(torch.full((500 + i,), 0.2), f"text {i}") for i in range(40)]
    noise = [(torch.full((300,), -0.01), ""), (torch.full((170,), -0.05), "")]
    found = interrupted(pairs, noise, 8000, seed=4)
    before = 0
    for (sound, text), (whole, same) in zip(pairs, found, strict=True):
        assert same == text
        speech = whole > 0
        assert int(speech.sum()) == len(sound) and torch.equal(whole[speech], sound)
        other = whole[whole < 0]
        assert len(other) in (170, 300) and 0.02 <= float(-other.min()) <= 2.0
        assert len(whole) - len(sound) - len(other) <= 0.4 * 8000
        before += bool(whole[0] < 0)
    assert 8 < before < 32  # before or after, half of the time each
    again = interrupted(pairs, noise, 8000, seed=4)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(found, again, strict=True))
