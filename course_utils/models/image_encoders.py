"""Image encoders: a picture → `Memory`, one position for each place of a grid.

`ImageEncoder`  small pictures, convolutions learnt together with the decoder
`PhotoEncoder`  photos, whose features a network trained on ImageNet has computed once
                (`course_utils.images`)

Both leave keys and values of every place and, as summary, their mean: the *pooled vector* of a
model without attention.
"""

import torch
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.memory import Memory

__all__ = ["GridEncoder", "ImageEncoder", "PhotoEncoder"]


class GridEncoder(nn.Module):
    """What both image encoders share: from features of places to a memory.

    Places are told apart by a learnt vector each, added to the features *before* a nonlinear layer.
    After it, even the mean over all places knows what was where (a little: see `positions`).

    places       number of places of the grid, row by row from the top left
    feature_dim  width of the features of a place
    memory_dim   width of keys, values and summary
    positions    False leaves the places' vectors out: the mean then says what there is, not where
                 (but for what convolutions see of the picture's edge)
    """

    def __init__(
        self,
        places: int,
        feature_dim: int,
        memory_dim: int,
        dropout: float = 0.0,
        positions: bool = True,
    ):
        super().__init__()
        self.memory_dim = memory_dim
        self.enter = nn.Linear(feature_dim, memory_dim)
        self.places = nn.Parameter(0.1 * torch.randn(places, memory_dim)) if positions else None
        self.mix = nn.Linear(memory_dim, memory_dim)
        self.norm = nn.LayerNorm(memory_dim)
        self.dropout = nn.Dropout(dropout)

    def features(self, source: Tensor) -> Tensor:
        """Features (B, places, feature_dim) of what a batch holds."""
        raise NotImplementedError("an image encoder says in features() what it sees")

    def forward(self, batch: Batch) -> Memory:
        """The memory of ``batch.source``; every place may be attended to."""
        features = self.features(batch.source)
        B, Tk, _ = features.shape
        states = self.enter(features)
        if self.places is not None:
            if Tk != len(self.places):
                raise ValueError(f"{Tk} places, but the encoder was built for {len(self.places)}")
            states = states + self.places
        states = self.norm(states + self.mix(states.relu()))
        summary = self.dropout(states.mean(dim=1))
        states = self.dropout(states)
        mask = torch.ones(B, Tk, dtype=torch.bool, device=states.device)
        return Memory(keys=states, values=states, attend_mask=mask, summary=summary)


class ImageEncoder(GridEncoder):
    """Convolutions over small pictures (B, 3, height, width) of bytes; one place for 8 × 8 pixels.

    Four convolutions, three of which halve the sides. A place sees 33 × 33 pixels around it.
    """

    def __init__(
        self,
        memory_dim: int,
        dropout: float = 0.0,
        positions: bool = True,
        side: int = 64,
        channels: tuple[int, ...] = (24, 48, 96, 96),
    ):
        super().__init__((side // 8) ** 2, channels[-1], memory_dim, dropout, positions)
        if side % 8 or len(channels) != 4:
            raise ValueError(
                f"side={side} must be a multiple of 8 (one place for 8 × 8 pixels), and channels "
                f"four numbers, got {channels}"
            )
        self.side = side
        layers, before = [], 3
        for number, width in enumerate(channels):
            kernel, stride = (5 if number == 0 else 3), (2 if number < 3 else 1)
            layers += [
                nn.Conv2d(before, width, kernel, stride, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.convolutions = nn.Sequential(*layers)

    def features(self, source: Tensor) -> Tensor:
        if tuple(source.shape[1:]) != (3, self.side, self.side):
            raise ValueError(
                f"pictures are (B, 3, {self.side}, {self.side}), got {tuple(source.shape)}; are "
                "the colours last? then permute(0, 3, 1, 2)"
            )
        pixels = source.to(memory_format=torch.channels_last) / 127.5 - 1
        return self.convolutions(pixels).flatten(2).transpose(1, 2)


class PhotoEncoder(GridEncoder):
    """Features of photos (B, 49, 320) as `photo_features` makes them.

    They are standardised bytes: 128 is the mean of a channel, 20 steps are its standard deviation.
    """

    def __init__(
        self,
        memory_dim: int,
        dropout: float = 0.0,
        positions: bool = True,
        places: int = 49,
        feature_dim: int = 320,
    ):
        super().__init__(places, feature_dim, memory_dim, dropout, positions)
        self.feature_dim = feature_dim

    def features(self, source: Tensor) -> Tensor:
        if source.dim() != 3 or source.shape[2] != self.feature_dim or source.is_floating_point():
            raise ValueError(
                f"features of photos are bytes (B, places, {self.feature_dim}), got "
                f"{source.dtype} {tuple(source.shape)}; photo_features makes them from photos"
            )
        return (source.float() - 128) / 20
