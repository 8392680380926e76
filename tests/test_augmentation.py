"""Augmentation of training sounds in numbers: noise, speed, masks, random draws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.audio import FrontEnd
from course_utils.tasks.speech import augmentation
from course_utils.tasks.speech.augmentation import Augmentation, add_noise, change_speed
from tools.tiny import quick

RATE = 8000


def decibels(sound, noise):
    """How many decibels the power of the noise is below that of the sound."""
    return float(10 * torch.log10(sound.square().sum() / noise.square().sum()))


@given(
    wanted=st.floats(5, 40),
    length=st.integers(400, 3000),
    level=st.sampled_from([1.0, 0.03, 1e-4]),
    seed=st.integers(0, 99),
)
@quick
def test_noise_has_the_ratio_of_powers_that_is_asked_for(wanted, length, level, seed):
    torch.manual_seed(seed)
    sound = level * torch.randn(length, dtype=torch.float64)
    assert decibels(sound, add_noise(sound, wanted) - sound) == pytest.approx(wanted, abs=1e-3)


def test_noise_is_white_or_reddish():
    """The correlation of neighbouring samples is 0 in white noise, 4/5 in a mean over five."""
    torch.manual_seed(0)
    sound, found = torch.ones(20_000), []
    for _ in range(40):
        noise = add_noise(sound, 10.0) - sound
        found.append(float((noise[1:] * noise[:-1]).sum() / noise.square().sum()))
    white, red = [c for c in found if c < 0.4], [c for c in found if c >= 0.4]
    assert white == pytest.approx([0.0] * len(white), abs=0.05)
    assert red == pytest.approx([0.8] * len(red), abs=0.05)
    assert 8 < len(white) < 32


@pytest.mark.parametrize("length", [0, 1, 16, 17])
def test_noise_of_short_sounds_and_of_silence(length):
    assert torch.equal(add_noise(torch.zeros(length), 5.0), torch.zeros(length))
    assert add_noise(torch.ones(length), 5.0).isfinite().all()


def test_noise_is_5_to_40_decibels_below_the_sound(monkeypatch):
    asked = []

    def record(samples, decibels):
        asked.append(decibels)
        return samples

    monkeypatch.setattr(augmentation, "add_noise", record)
    torch.manual_seed(0)
    for _ in range(400):
        Augmentation(noise=0.5).frames(torch.ones(90), FrontEnd(sample_rate=RATE))
    assert 150 < len(asked) < 250  # half of the sounds
    assert 5 <= min(asked) < 8 and 37 < max(asked) <= 40
    assert sum(asked) / len(asked) == pytest.approx(22.5, abs=2)


def test_a_faster_sound_is_shorter_by_the_factor():
    ramp = torch.arange(600.0)
    assert len(change_speed(ramp, 1.25)) == 480 and len(change_speed(ramp, 0.7)) == 857
    # Sample i of the faster sound is what was heard at its middle, 1.25 · (i + ½).
    expected = (torch.arange(480) + 0.5) * 1.25 - 0.5
    torch.testing.assert_close(change_speed(ramp, 1.25), expected, atol=1e-3, rtol=0)
    assert len(change_speed(torch.ones(2), 5.0)) == 1


def test_speed_stays_within_its_share():
    torch.manual_seed(0)
    sound, front_end = torch.randn(8000), FrontEnd(sample_rate=RATE)
    lengths = [len(Augmentation(speed=0.2).frames(sound, front_end)) for _ in range(200)]
    plain = len(front_end.log_mel(sound))
    assert plain / 1.2 - 1 <= min(lengths) < 0.88 * plain
    assert 1.2 * plain < max(lengths) <= plain / 0.8 + 1


def test_edges_are_silence_before_and_after():
    front_end = FrontEnd(sample_rate=RATE)
    torch.manual_seed(0)
    sound, found = torch.randn(1600), []
    for _ in range(60):
        frames = Augmentation(edges=0.5).frames(sound, front_end)
        loud = (frames.mean(1) > frames.mean(1).max() - 0.2).nonzero().flatten()
        found.append((int(loud[0]), len(frames) - 1 - int(loud[-1])))
    before, after = zip(*found, strict=True)
    for edge in (before, after):  # frames of 10 ms
        assert min(edge) < 5 and 40 < max(edge) <= 52
    assert len({b - a for b, a in found}) > 20  # drawn separately


def test_masks_hide_bands_and_moments():
    torch.manual_seed(0)
    ones = torch.ones(50, 40)
    for axis, settings, most in ((0, {"bands": 8}, 16), (1, {"moments": 7}, 14)):
        hidden = []
        for _ in range(100):
            masked = Augmentation(**settings).mask(ones)
            whole = (masked == -1).all(dim=axis)
            assert torch.equal(masked == -1, whole.unsqueeze(axis).expand(50, 40))
            hidden.append(int(whole.sum()))
        assert 0 <= min(hidden) < 5 and most - 5 < max(hidden) <= most  # two masks
    short = [int((Augmentation(moments=30).mask(ones) == -1).all(1).sum()) for _ in range(100)]
    assert max(short) <= 20  # each hides at most a fifth of the 50 frames
    assert Augmentation().mask(ones) is ones
