"""Augmentation: training sounds varied in speed, pitch, noise and masks."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.audio import SILENCE, FrontEnd

__all__ = ["Augmentation", "change_speed"]


def change_speed(samples: Tensor, factor: float) -> Tensor:
    """Play a sound ``factor`` times as fast, pitch included, (⌊N/factor⌋,), as a tape would."""
    length = max(1, int(len(samples) / factor))
    return F.interpolate(samples[None, None], size=length, mode="linear", align_corners=False)[0, 0]


@dataclass(frozen=True)
class Augmentation:
    """How training sounds are varied, each time anew, to stand for voices and rooms unheard.

    speed       share by which a sound may play faster or slower, pitch included (Ko et al. 2015)
    pitch       share by which the spectrum may move up or down while the tempo stays
    noise       share of sounds that get noise, 5 to 40 dB below the sound
    edges       most seconds of silence before and behind the sound
    tilt        nats by which the highest bands may get louder or softer than the lowest
    bands       most bands that a mask of SpecAugment hides, two masks (Park et al. 2019)
    moments     most frames that a mask hides, two masks, never more than a fifth of the sound
    untouched   share of sounds that stay as they are; a training on varied ones alone starts slowly
    """

    speed: float = 0.0
    pitch: float = 0.0
    noise: float = 0.0
    edges: float = 0.0
    tilt: float = 0.0
    bands: int = 0
    moments: int = 0
    untouched: float = 0.0

    def frames(self, samples: Tensor, front_end: FrontEnd) -> Tensor:
        """Frames (T, mels) of a varied sound. Draws from PyTorch's random numbers."""
        if self.untouched and torch.rand(()) < self.untouched:
            return front_end.log_mel(samples)
        speed, pitch, noise, tilt = (2 * torch.rand(4) - 1).tolist()  # each -1 to 1
        pitch = 1 + self.pitch * pitch
        factor = pitch * (1 + self.speed * speed)
        if abs(factor - 1) > 1e-3:
            samples = change_speed(samples, factor)
        if self.edges:
            before, behind = (torch.rand(2) * self.edges * front_end.sample_rate).long().tolist()
            samples = F.pad(samples, (before, behind))
        if self.noise and torch.rand(()) < self.noise:
            samples = add_noise(samples, decibels=22.5 + 17.5 * noise)
        frames = front_end.log_mel(samples, pitch)
        if self.tilt:
            slope = torch.linspace(-1, 1, front_end.mels) * (self.tilt * tilt / front_end.depth)
            frames = frames + slope
        return self.mask(frames)

    def mask(self, frames: Tensor) -> Tensor:
        """SpecAugment's masks (Park et al. 2019, section 2) over frames (T, mels): silence."""
        from torchaudio.functional import mask_along_axis

        for axis, largest, share in ((2, self.bands, 1.0), (1, self.moments, 0.2)):
            for _ in range(2 if largest else 0):
                frames = mask_along_axis(frames[None], largest, -1.0, axis, share)[0]
        return frames


def add_noise(samples: Tensor, decibels: float) -> Tensor:
    """White or reddish noise, ``decibels`` below the sound."""
    noise = torch.randn(len(samples))
    if torch.rand(()) < 0.5 and len(samples) > 16:  # a running mean takes the hiss away
        noise = F.avg_pool1d(noise[None, None], 5, 1, 2)[0, 0] * 5**0.5
    level = samples.square().mean().sqrt().clamp(min=SILENCE)
    return samples + noise * level * 10 ** (-decibels / 20)
