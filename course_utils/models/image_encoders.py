"""Image encoders: a picture → `Memory`, one position for each cell of a grid.

`ImageEncoder`  small pictures; its convolutions are trained together with the decoder
`PhotoEncoder`  photos, whose features a network trained on ImageNet has computed beforehand
                (`course_utils.models.photo_features`)

In both, keys and values are the states of the cells, and the summary is their mean: the *pooled
vector* of a model without attention.
"""

import torch
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.memory import Memory
from course_utils.models.photo_features import CHANNELS, GRID, STEPS

__all__ = ["GridEncoder", "ImageEncoder", "PhotoEncoder"]


class GridEncoder(nn.Module):
    """What both image encoders share: from the features of grid cells to a memory.

    h_i = norm(u_i + W_2 relu(u_i)) with u_i = W_1 x_i + p_i for the features x_i of cell i. The
    learnt vector p_i says where the cell is. It is added *before* a nonlinear layer, so that even
    the mean over all cells retains a little of what was where (see ``positions``).

    places       number of grid cells, row by row from the top left
    feature_dim  width of the features of a cell
    memory_dim   width of keys, values and summary
    dropout      on the memory, in training only
    positions    False leaves out the vectors p_i: the mean then says what is in the picture, not
                 where (except for what convolutions notice of its edge)
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
        """The source of a batch as features (B, Tk, feature_dim) of Tk grid cells."""
        raise NotImplementedError("an image encoder computes its features in features(source)")

    def forward(self, batch: Batch) -> Memory:
        """The memory of ``batch.source``; every cell may be attended to.

        Raises ValueError if the number of cells is not that of the position vectors.
        """
        return self.encode(batch.source)

    def encode(self, source: Tensor) -> Memory:
        """The same for a tensor of pictures, in the form that `features` expects."""
        features = self.features(source)
        B, Tk, _ = features.shape
        states = self.enter(features)
        if self.places is not None:
            if Tk != len(self.places):
                raise ValueError(
                    f"features of {Tk} grid cells, but the encoder was built for {len(self.places)}"
                )
            states = states + self.places
        states = self.norm(states + self.mix(states.relu()))
        summary = self.dropout(states.mean(dim=1))
        states = self.dropout(states)
        mask = torch.ones(B, Tk, dtype=torch.bool, device=states.device)
        return Memory(keys=states, values=states, attend_mask=mask, summary=summary)


class ImageEncoder(GridEncoder):
    """Convolutions over small pictures (B, 3, side, side) of bytes; one cell for 8 × 8 pixels.

    Four convolutions, three of which halve the sides. A cell sees the 33 × 33 pixels around it.

    ``channels`` are those of the four convolutions; the other parameters are those of
    `GridEncoder`. Raises ValueError if ``side`` is not a multiple of 8 or there are not four.
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
                f"side={side} must be a multiple of 8 (one grid cell for 8 × 8 pixels), and "
                f"channels four numbers, got {channels}"
            )
        self.side = side
        layers: list[nn.Module] = []
        before = 3
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
        """Pixels (B, 3, side, side), 0 to 255 → (B, Tk, feature_dim); ValueError for others."""
        if tuple(source.shape[1:]) != (3, self.side, self.side):
            raise ValueError(
                f"pictures are (B, 3, {self.side}, {self.side}), got {tuple(source.shape)}; with "
                "the colours last, call permute(0, 3, 1, 2) first"
            )
        pixels = source.to(memory_format=torch.channels_last) / 127.5 - 1
        return self.convolutions(pixels).flatten(2).transpose(1, 2)


class PhotoEncoder(GridEncoder):
    """Features of photos (B, 49, 320) as `photo_features` computes them.

    They are standardised bytes: 128 is the mean of a channel, 20 steps are its standard deviation.
    The parameters are those of `GridEncoder`.
    """

    def __init__(
        self,
        memory_dim: int,
        dropout: float = 0.0,
        positions: bool = True,
        places: int = GRID * GRID,
        feature_dim: int = CHANNELS,
    ):
        super().__init__(places, feature_dim, memory_dim, dropout, positions)
        self.feature_dim = feature_dim

    def features(self, source: Tensor) -> Tensor:
        """Bytes (B, Tk, feature_dim) as standardised numbers; ValueError for anything else."""
        if source.dim() != 3 or source.shape[2] != self.feature_dim or source.is_floating_point():
            raise ValueError(
                f"features of photos are bytes (B, grid cells, {self.feature_dim}), got "
                f"{source.dtype} {tuple(source.shape)}; photo_features computes them from photos"
            )
        return (source.float() - 128) / STEPS
