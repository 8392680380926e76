"""Image encoders: a picture → `Memory`, one position for each cell of a grid.

`ImageEncoder`       small pictures; its convolutions are trained together with the decoder
`VisionTransformer`  small pictures, cut into patches, which attend to each other
`PhotoEncoder`       photos, whose features a network trained on ImageNet has computed beforehand
                     (`course_utils.models.photo_features`)

In all, keys and values are the states of the cells, and the summary is their mean: the *pooled
vector* of a model without attention.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.memory import Memory
from course_utils.models.photo_features import CHANNELS, GRID, STEPS
from course_utils.models.transformer import TransformerStack

__all__ = ["GridEncoder", "ImageEncoder", "PhotoEncoder", "VisionTransformer"]


class GridEncoder(nn.Module):
    """What all image encoders share: from the features of grid cells to a memory.

    h_i = norm(u_i + W_2 relu(u_i)) with u_i = W_1 x_i + p_i for the features x_i of cell i. The
    learnt vector p_i says where the cell is. It is added *before* a nonlinear layer, so that even
    the mean over all cells retains a little of what was where (see ``positions``). So far, a cell
    knows nothing of the others. With ``layers``, they attend to each other: h is the output of a
    `TransformerStack` that reads u.

    places       number of grid cells, row by row from the top left
    feature_dim  width of the features of a cell
    memory_dim   width of keys, values and summary
    dropout      on the memory, in training only
    positions    False leaves out the vectors p_i: the mean then says what is in the picture, not
                 where (except for what convolutions notice of its edge)
    layers       of the Transformer; 0: none
    heads        of each of these layers; their feed-forward networks are 2 · memory_dim wide
    pooled       the memory has one position, the mean of all cells: a decoder that reads it has
                 nothing to choose from. It may be switched on and off at any time.
    """

    pooled = False

    def __init__(
        self,
        places: int,
        feature_dim: int,
        memory_dim: int,
        dropout: float = 0.0,
        positions: bool = True,
        layers: int = 0,
        heads: int = 4,
    ):
        super().__init__()
        self.memory_dim = memory_dim
        self.enter = nn.Linear(feature_dim, memory_dim)
        self.places = nn.Parameter(0.1 * torch.randn(places, memory_dim)) if positions else None
        self.dropout = nn.Dropout(dropout)
        if layers:
            self.stack = TransformerStack(
                memory_dim, 2 * memory_dim, layers, heads, positions="none", dropout=dropout
            )
        else:
            self.mix = nn.Linear(memory_dim, memory_dim)
            self.norm = nn.LayerNorm(memory_dim)
        self.layers = layers

    def mixed(self, states: Tensor) -> Tensor:
        """The states h of cells (B, Tk, memory_dim), which u become."""
        if self.layers:
            return self.stack(states, attend_mask=None)[0]
        return self.norm(states + self.mix(states.relu()))

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
        Tk = features.shape[1]
        states = self.enter(features)
        if self.places is not None:
            if Tk != len(self.places):
                raise ValueError(
                    f"features of {Tk} grid cells, but the encoder was built for {len(self.places)}"
                )
            states = states + self.places
        states = self.mixed(states)
        mean = states.mean(dim=1)
        summary = self.dropout(mean)
        states = self.dropout(mean[:, None] if self.pooled else states)
        mask = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
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
        layers: int = 0,
        heads: int = 4,
    ):
        places = (side // 8) ** 2
        super().__init__(places, channels[-1], memory_dim, dropout, positions, layers, heads)
        if side % 8 or len(channels) != 4:
            raise ValueError(
                f"side={side} must be a multiple of 8 (one grid cell for 8 × 8 pixels), and "
                f"channels four numbers, got {channels}"
            )
        self.side = side
        stages: list[nn.Module] = []
        before = 3
        for number, width in enumerate(channels):
            kernel, stride = (5 if number == 0 else 3), (2 if number < 3 else 1)
            stages += [
                nn.Conv2d(before, width, kernel, stride, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.convolutions = nn.Sequential(*stages)

    def features(self, source: Tensor) -> Tensor:
        """Pixels (B, 3, side, side), 0 to 255 → (B, Tk, feature_dim); ValueError for others."""
        pixels = scaled_pixels(source, self.side).to(memory_format=torch.channels_last)
        return self.convolutions(pixels).flatten(2).transpose(1, 2)


class VisionTransformer(GridEncoder):
    """Self-attention between the patches of a small picture (Dosovitskiy et al. 2021, eq. 1–4).

    A patch is a square of pixels, which a linear layer turns into a vector. There are no
    convolutions: which patches are neighbours is known from their position vectors alone, and has
    to be learnt. (The paper adds a vector for the whole picture; our summary is the mean.)

    ``patch`` is the side of a patch in pixels. The other parameters are those of `GridEncoder` and
    `ImageEncoder`. Raises ValueError if ``side`` is not a multiple of ``patch``, or without layers.
    """

    def __init__(
        self,
        memory_dim: int,
        dropout: float = 0.0,
        positions: bool = True,
        side: int = 64,
        patch: int = 8,
        layers: int = 4,
        heads: int = 4,
    ):
        if side % patch or layers < 1:
            raise ValueError(
                f"side={side} must be a multiple of patch={patch}, and layers={layers} at least 1"
            )
        places, width = (side // patch) ** 2, 3 * patch**2
        super().__init__(places, width, memory_dim, dropout, positions, layers, heads)
        self.side, self.patch = side, patch

    def features(self, source: Tensor) -> Tensor:
        """Pixels (B, 3, side, side), 0 to 255 → patches (B, Tk, 3 · patch²), row by row."""
        pixels = scaled_pixels(source, self.side)
        return F.unfold(pixels, self.patch, stride=self.patch).transpose(1, 2)


def scaled_pixels(source: Tensor, side: int) -> Tensor:
    """Pixels (B, 3, side, side), 0 to 255 → −1 to 1; ValueError for others."""
    if tuple(source.shape[1:]) != (3, side, side):
        raise ValueError(
            f"pictures are (B, 3, {side}, {side}), got {tuple(source.shape)}; with the colours "
            "last, call permute(0, 3, 1, 2) first"
        )
    return source / 127.5 - 1


class PhotoEncoder(GridEncoder):
    """Features of photos (B, 49, 320) as `photo_features` computes them.

    Those of the finer grid need ``places=196`` and ``feature_dim=112``. They are standardised
    bytes: 128 is the mean of a channel, 20 steps are its standard deviation. The other parameters
    are those of `GridEncoder`.
    """

    def __init__(
        self,
        memory_dim: int,
        dropout: float = 0.0,
        positions: bool = True,
        places: int = GRID * GRID,
        feature_dim: int = CHANNELS,
        layers: int = 0,
        heads: int = 4,
    ):
        super().__init__(places, feature_dim, memory_dim, dropout, positions, layers, heads)
        self.feature_dim = feature_dim

    def features(self, source: Tensor) -> Tensor:
        """Bytes (B, Tk, feature_dim) as standardised numbers; ValueError for anything else."""
        if source.dim() != 3 or source.shape[2] != self.feature_dim or source.is_floating_point():
            raise ValueError(
                f"features of photos are bytes (B, grid cells, {self.feature_dim}), got "
                f"{source.dtype} {tuple(source.shape)}; photo_features computes them from photos"
            )
        return (source.float() - 128) / STEPS
