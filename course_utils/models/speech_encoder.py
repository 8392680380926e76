"""Speech encoder: log-mel frames → `Memory`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.attention import length_mask
from course_utils.batches import Batch
from course_utils.checks import check_lengths, check_tensor
from course_utils.memory import Memory
from course_utils.recurrence import ends, turned

__all__ = ["SpeechEncoder"]


class SpeechEncoder(nn.Module):
    """Log-mel frames → a memory with a quarter as many positions.

    Two convolutions over time and frequency, each of which halves both, then a linear layer and a
    bidirectional LSTM: a hundred frames a second become twenty-five positions, few enough for
    attention to tell apart. (Chan et al. 2016, section 3.1, halve in a pyramid of LSTMs instead.)

    The result does not depend on the padding of the batch: everything after the end of a sound is
    set to zero before each convolution, normalisation is over the features of *one* position (Ba et
    al. 2016), never over positions or sounds, and the backward LSTM starts at the end of each
    sound.

    memory_dim   width of keys, values and summary, half of it for each direction
    mels         number of mel bands in a frame
    sample_rate  of the sounds that frames are made of, in Hz; kept for the predictor
    channels     of the second convolution; the first has half as many
    features     width of what enters the LSTM
    dropout      on that and on the memory, in training only

    Raises ValueError if ``memory_dim`` is odd or ``mels`` is not a multiple of 4.
    """

    reduction = 4  # frames per position

    def __init__(
        self,
        memory_dim: int,
        mels: int = 40,
        sample_rate: int = 8000,
        channels: int = 32,
        features: int = 160,
        dropout: float = 0.0,
    ):
        super().__init__()
        if memory_dim % 2 or mels % 4:
            raise ValueError(
                f"memory_dim={memory_dim} must be even (half for each direction), mels={mels} a "
                "multiple of 4 (halved twice)"
            )
        self.memory_dim, self.mels, self.sample_rate = memory_dim, mels, sample_rate
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, channels // 2, 3, stride=2, padding=1),
                nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1),
            ]
        )
        self.norms = nn.ModuleList(
            [nn.LayerNorm([channels // 2, mels // 2]), nn.LayerNorm([channels, mels // 4])]
        )
        self.project = nn.Linear(channels * mels // 4, features)
        self.ahead = nn.LSTM(features, memory_dim // 2, batch_first=True)
        self.back = nn.LSTM(features, memory_dim // 2, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Memory:
        """Read ``batch.source`` (B, T, mels) up to ``batch.source_lengths``: ⌈T/4⌉ positions."""
        return self.encode(batch.source, batch.source_lengths)

    def encode(self, frames: Tensor, lengths: Tensor) -> Memory:
        """The same for tensors: frames (B, T, mels) and lengths (B,), each from 1 to T.

        Raises ValueError for other shapes and lengths.
        """
        check_tensor("frames", frames, "batch", "frames", self.mels, kind="floats")
        B, T, _ = frames.shape
        check_lengths(f"frames are {tuple(frames.shape)}", lengths, B, T)
        lengths = lengths.to(frames.device)
        x = frames[:, None]  # (B, 1, T, mels)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = x * length_mask(lengths, x.shape[2])[:, None, :, None]
            x = convolution(x).transpose(1, 2)  # (B, T/2, channels, mels/2)
            x = F.relu(norm(x)).transpose(1, 2)
            lengths = (lengths + 1) // 2
        x = self.dropout(F.relu(self.project(x.transpose(1, 2).flatten(2))))  # (B, Tk, features)
        ahead, _ = self.ahead(x)  # meets the padding last, where it does no harm
        back = turned(self.back(turned(x, lengths))[0], lengths)
        mask = length_mask(lengths, x.shape[1])
        states = torch.cat([ahead, back], dim=-1) * mask[:, :, None]
        summary, states = self.dropout(ends(states, lengths)), self.dropout(states)
        return Memory(keys=states, values=states, attend_mask=mask, summary=summary)
