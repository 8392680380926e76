"""Augmentation: variations of training sounds in speed, pitch, noise, level and masks."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.audio import FrontEnd

__all__ = ["Augmentation", "add_noise", "change_speed"]


def change_speed(samples: Tensor, factor: float) -> Tensor:
    """Play a sound (N,) ``factor`` times as fast, (⌊N/factor⌋,). Like a tape, it changes pitch."""
    length = max(1, int(len(samples) / factor))
    return F.interpolate(samples[None, None], size=length, mode="linear", align_corners=False)[0, 0]


@dataclass(frozen=True)
class Augmentation:
    """How training sounds are varied, differently each time, to imitate unheard voices and rooms.

    speed       largest change of speed, which also changes the pitch, as a share (Ko et al. 2015)
    pitch       largest shift of the spectrum up or down at the same tempo, as a share
    noise       share of sounds to which noise is added, 5 to 40 dB below the sound
    edges       longest silence added before and after the sound, in seconds
    tilt        largest gain of the highest band, in nats; the lowest loses as much
    bands       most bands hidden by each of SpecAugment's two masks (Park et al. 2019)
    moments     most frames hidden by each of two masks, at most a fifth of the sound
    untouched   share of sounds that are not varied; without any, training starts slowly
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
        """Frames (T, mels) of a varied sound (N,), with PyTorch's global random numbers."""
        if self.untouched and torch.rand(()) < self.untouched:
            return front_end.log_mel(samples)
        speed, pitch, noise, tilt = (2 * torch.rand(4) - 1).tolist()  # each -1 to 1
        pitch = 1 + self.pitch * pitch
        factor = pitch * (1 + self.speed * speed)
        if abs(factor - 1) > 1e-3:
            samples = change_speed(samples, factor)
        if self.edges:
            before, after = (torch.rand(2) * self.edges * front_end.sample_rate).long().tolist()
            samples = F.pad(samples, (before, after))
        if self.noise and torch.rand(()) < self.noise:
            samples = add_noise(samples, decibels=22.5 + 17.5 * noise)
        frames = front_end.log_mel(samples, pitch)
        if self.tilt:
            slope = torch.linspace(-1, 1, front_end.mels) * (self.tilt * tilt / front_end.depth)
            frames = frames + slope
        return self.mask(frames)

    def mask(self, frames: Tensor) -> Tensor:
        """Frames (T, mels) with SpecAugment's masks of silence (Park et al. 2019, section 2)."""
        from torchaudio.functional import mask_along_axis

        for axis, largest, share in ((2, self.bands, 1.0), (1, self.moments, 0.2)):
            for _ in range(2 if largest else 0):
                frames = mask_along_axis(frames[None], largest, -1.0, axis, share)[0]
        return frames


def add_noise(samples: Tensor, decibels: float) -> Tensor:
    """A sound (N,) with white or reddish noise whose power is ``decibels`` below its own.

    The ratio of the powers is exact, even for a very soft sound; a sound of zeros stays as it is.
    """
    from torchaudio import functional

    noise = torch.randn(len(samples))
    if torch.rand(()) < 0.5 and len(samples) > 16:  # a running mean removes the hiss
        noise = F.avg_pool1d(noise[None, None], 5, 1, 2)[0, 0]
    return functional.add_noise(samples, noise, torch.tensor(decibels))
