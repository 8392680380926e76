"""Positions: what tells a Transformer the order of its inputs, which attention alone ignores.

`SinusoidalPositions`  a fixed vector for each position, added to the input (Vaswani et al. 2017,
                       section 3.5)
`LearntPositions`      a vector for each position that is trained; there are no others
`RotaryAttention`      turns queries and keys, so that a score depends on their distance (Su et al.
                       2021)
"""

import torch
from torch import Tensor, nn

from course_utils.attention import MultiHeadAttention
from course_utils.checks import check_tensor

__all__ = [
    "POSITIONS",
    "LearntPositions",
    "RotaryAttention",
    "SinusoidalPositions",
    "angles",
    "rotate",
    "sinusoidal",
]

POSITIONS = ("sinusoidal", "learnt", "rotary", "none")


def angles(length: int, width: int, first: int = 0, device: torch.device | None = None) -> Tensor:
    """Angle of each position and each pair of dimensions, p / 10000^(2i / width), in radians.

    Returns (length, width / 2) for the positions from ``first`` on. Raises ValueError for an odd
    width: each angle belongs to two dimensions.
    """
    if width % 2:
        raise ValueError(f"positions need an even width, two numbers for each angle; got {width}")
    position = torch.arange(first, first + length, device=device, dtype=torch.float32)
    rate = 10_000 ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    return position[:, None] * rate


def sinusoidal(
    length: int, width: int, first: int = 0, device: torch.device | None = None
) -> Tensor:
    """Vectors (length, width) of the positions from ``first`` on: sin, cos, sin, cos, …

    PE(p, 2i) = sin(p / 10000^(2i / width)), PE(p, 2i + 1) = cos(p / 10000^(2i / width)) (Vaswani et
    al. 2017, section 3.5). Raises ValueError for an odd width.
    """
    angle = angles(length, width, first, device)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def rotate(x: Tensor, first: int = 0) -> Tensor:
    """Queries or keys x (…, T, D), each turned by the angles of its position.

    Dimensions 2i and 2i + 1 are the coordinates of a point in the plane, which is turned by p θ_i;
    p counts from ``first`` (Su et al. 2021, eq. 34). The product of two turned vectors depends on
    their positions only through the difference. Raises ValueError for an odd D.
    """
    angle = angles(x.shape[-2], x.shape[-1], first, x.device)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.unflatten(-1, (-1, 2)).unbind(dim=-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


class SinusoidalPositions(nn.Module):
    """Adds `sinusoidal` vectors to x (B, T, width); any length will do."""

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """x with the vectors of the positions from ``first`` on."""
        check_tensor("x", x, "batch", "positions", "width", kind="floats")
        return x + sinusoidal(x.shape[1], x.shape[2], first, x.device).to(x.dtype)


class LearntPositions(nn.Module):
    """Adds a trained vector to each position of x (B, T, width); there are ``longest`` of them."""

    def __init__(self, width: int, longest: int):
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(longest, width))

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """x with the vectors of the positions from ``first`` on.

        Raises ValueError for positions that the table does not have, and for another width.
        """
        longest, width = self.table.shape
        check_tensor("x", x, "batch", "positions", width, kind="floats")
        end = first + x.shape[1]
        if end > longest:
            raise ValueError(
                f"a sequence of {end} positions, but vectors were learnt for {longest} only: cut "
                "it, build the model with a larger `longest`, or use another position encoding"
            )
        return x + self.table[first:end]


class RotaryAttention(MultiHeadAttention):
    """Self-attention whose queries and keys are turned by their positions, see `rotate`.

    The values stay as they are, so the output says nothing about where it comes from. The
    parameters are those of `MultiHeadAttention`; the width of a head is even.
    """

    def place(self, tensor: Tensor, first: int) -> Tensor:
        return rotate(tensor, first)
