"""Generated sounds in which nobody speaks: what a recogniser has to hear as no text.

Hiss and rumble, mains hum, tones, chords, melodies, sweeps and claps, at levels from faint to loud.
None of them is recorded, and all are made from random numbers in milliseconds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

__all__ = ["KINDS", "Noise", "claps", "noises"]

LENGTHS = (0.3, 3.0)  # seconds
LEVELS = (-4.0, -0.5)  # powers of ten: the loudest sample
SEMITONE = 2 ** (1 / 12)


@dataclass(frozen=True)
class Noise:
    """One sound (N,) without words, and what it is."""

    samples: Tensor
    kind: str
    text: str = ""


def noises(
    count: int, sample_rate: int, seed: int = 0, kinds: tuple[str, ...] | None = None
) -> list[Noise]:
    """``count`` sounds of 0.3 to 3 s; kind, length and level are random, equal seeds give equal
    sounds. ``kinds`` are some of `KINDS`, by default all. Raises ValueError for an unknown one."""
    chosen = tuple(KINDS) if kinds is None else kinds
    if unknown := set(chosen) - set(KINDS):
        raise ValueError(f"unknown kinds {sorted(unknown)}: choose from {', '.join(KINDS)}")
    generator = Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        kind = chosen[int(torch.randint(len(chosen), (), generator=generator))]
        length = round(_between(*LENGTHS, generator) * sample_rate)
        sound = KINDS[kind](length, sample_rate, generator)
        level = 10 ** _between(*LEVELS, generator)
        found.append(Noise(level * sound / sound.abs().max().clamp(min=1e-9), kind))
    return found


def _between(low: float, high: float, generator: Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _seconds(length: int, sample_rate: int) -> Tensor:
    return torch.arange(length) / sample_rate


def hiss(length: int, sample_rate: int, generator: Generator) -> Tensor:
    """Noise whose power falls with the frequency f as f^(−2c), c from 0 (white) to 1 (brown)."""
    spectrum = torch.fft.rfft(torch.randn(length, generator=generator))
    steps = torch.arange(1, len(spectrum) + 1)
    return torch.fft.irfft(spectrum * steps ** -_between(0, 1, generator), n=length)


def hum(length: int, sample_rate: int, generator: Generator) -> Tensor:
    """The mains, 50 or 60 Hz, with some of its harmonics."""
    base = 50.0 if torch.rand((), generator=generator) < 0.5 else 60.0
    return _harmonics(base, length, sample_rate, generator)


def tone(length: int, sample_rate: int, generator: Generator) -> Tensor:
    """One pitch from 80 to 3,000 Hz: a pure tone, or one with harmonics."""
    pitch = 80 * (3000 / 80) ** _between(0, 1, generator)
    return _harmonics(pitch, length, sample_rate, generator)


def chord(length: int, sample_rate: int, generator: Generator) -> Tensor:
    """Two to four notes at once, in semitones above one between 100 and 500 Hz."""
    base = 100 * 5 ** _between(0, 1, generator)
    notes = int(torch.randint(2, 5, (), generator=generator))
    steps = torch.randint(0, 20, (notes,), generator=generator).tolist()
    return torch.stack(
        [_harmonics(base * SEMITONE**step, length, sample_rate, generator) for step in steps]
    ).sum(dim=0)


def melody(length: int, sample_rate: int, generator: Generator) -> Tensor:
    """Notes of 0.1 to 0.6 s one after the other, each of which dies away."""
    found, left = [], length
    base = 120 * 5 ** _between(0, 1, generator)
    while left > 0:
        note = min(left, round(_between(0.1, 0.6, generator) * sample_rate))
        step = int(torch.randint(0, 20, (), generator=generator))
        decay = torch.exp(-_between(0, 8, generator) * _seconds(note, sample_rate))
        found.append(decay * _harmonics(base * SEMITONE**step, note, sample_rate, generator))
        left -= note
    return torch.cat(found)


def sweep(length: int, sample_rate: int, generator: Generator) -> Tensor:
    """A tone that glides from one pitch to another, once or up and down like a siren."""
    low, high = sorted(100 * 25 ** _between(0, 1, generator) for _ in range(2))
    way = torch.linspace(0, 1, length)
    if torch.rand((), generator=generator) < 0.5:
        way = 0.5 - 0.5 * torch.cos(2 * math.pi * _between(0.5, 5, generator) * way)
    pitch = low * (high / low) ** way
    return torch.sin(2 * math.pi * (pitch / sample_rate).cumsum(dim=0))


def claps(length: int, sample_rate: int, generator: Generator) -> Tensor:
    """Bursts of noise of 5 to 80 ms, one to six of them, with silence between them."""
    sound = torch.zeros(length)
    for _ in range(int(torch.randint(1, 7, (), generator=generator))):
        burst = min(length, round(_between(0.005, 0.08, generator) * sample_rate))
        place = int(_between(0, length - burst, generator))
        decay = torch.exp(-_between(0, 60, generator) * _seconds(burst, sample_rate))
        sound[place : place + burst] += decay * torch.randn(burst, generator=generator)
    return sound


def _harmonics(pitch: float, length: int, sample_rate: int, generator: Generator) -> Tensor:
    """A tone with up to eight harmonics below half the sample rate, weaker the higher they are."""
    count = int(torch.randint(1, 9, (), generator=generator))
    fall = _between(0.5, 2, generator)
    time, sound = _seconds(length, sample_rate), torch.zeros(length)
    for number in range(1, count + 1):
        if pitch * number < sample_rate / 2:
            phase = _between(0, 2 * math.pi, generator)
            sound += torch.sin(2 * math.pi * pitch * number * time + phase) / number**fall
    return sound


KINDS: dict[str, Callable[[int, int, Generator], Tensor]] = {
    "hiss": hiss,
    "hum": hum,
    "tone": tone,
    "chord": chord,
    "melody": melody,
    "sweep": sweep,
    "claps": claps,
}
