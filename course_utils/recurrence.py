"""Reading in both directions without reading padding, for texts and sounds of unequal length.

In a padded batch, a backward recurrence would meet the padding first and carry it into every state.
PyTorch's answer is `pack_padded_sequence`, but its fast LSTM for CPUs takes no packed input. So we
reverse each row *within its own length*: now the backward direction, too, meets the padding last,
where it does no harm. The numbers are those of packing, in less time (see `bench`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.attention import length_mask
from course_utils.checks import check_tensor

__all__ = ["ends", "read_both_ways", "turned"]


def turned(x: Tensor, lengths: Tensor) -> Tensor:
    """Each row of x (B, T, D) reversed within its length; what comes after that stays in place.

    Raises ValueError for other shapes.
    """
    check_tensor("x", x, "batch", "positions", "width")
    B, T, D = x.shape
    check_tensor("lengths", lengths, B, kind="integers")
    positions = torch.arange(T, device=x.device)[None, :]
    order = torch.where(positions < lengths[:, None], lengths[:, None] - 1 - positions, positions)
    return x.gather(1, order[:, :, None].expand(B, T, D))


def read_both_ways(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """Outputs (B, T, 2H) of a bidirectional LSTM for x (B, T, D), zero after the end of each row.

    ``lstm`` is made with ``batch_first=True, bidirectional=True``. ``lengths`` (B,), from 0 to T,
    are on the device of ``x``. Dropout between layers is that of the LSTM.

    Raises ValueError for another LSTM and for other shapes.
    """
    if not (lstm.batch_first and lstm.bidirectional) or lstm.proj_size:
        raise ValueError("the LSTM must be made with batch_first=True, bidirectional=True")
    check_tensor("x", x, "batch", "positions", lstm.input_size, kind="floats")
    B, T, _ = x.shape
    check_tensor("lengths", lengths, B, kind="integers")
    if not B or not T:
        return x.new_zeros(B, T, 2 * lstm.hidden_size)
    for layer in range(lstm.num_layers):
        ahead, back = lstm.all_weights[2 * layer : 2 * layer + 2]
        if layer:
            x = F.dropout(x, lstm.dropout, lstm.training)
        forward = _read(x, ahead, lstm)
        backward = turned(_read(turned(x, lengths), back, lstm), lengths)
        x = torch.cat([forward, backward], dim=-1)
    return x * length_mask(lengths, T)[:, :, None]


def _read(x: Tensor, weights: Sequence[Tensor], lstm: nn.LSTM) -> Tensor:
    """One layer in one direction: x (B, T, D) → outputs (B, T, H), with these weights of ``lstm``.

    It is what an `nn.LSTM` calls to compute its forward method.
    """
    start = x.new_zeros(1, len(x), lstm.hidden_size)
    outputs, _, _ = torch.lstm(
        x,
        (start, start),
        list(weights),
        has_biases=lstm.bias,
        num_layers=1,
        dropout=0.0,
        train=torch.is_grad_enabled(),  # cuDNN asks for it to compute gradients; no other effect
        bidirectional=False,
        batch_first=True,
    )
    return outputs


def ends(states: Tensor, lengths: Tensor) -> Tensor:
    """What each direction knows once it has read everything: (B, 2H) of states (B, T, 2H).

    The forward half of the last state and the backward half of the first; zero for an empty row.
    Raises ValueError for other shapes and an odd width.
    """
    check_tensor("states", states, "batch", "positions", "2H")
    B, T, D = states.shape
    if D % 2:
        raise ValueError(f"states hold two directions of one width, but are {D} wide")
    check_tensor("lengths", lengths, B, kind="integers")
    if not T:
        return states.new_zeros(B, D)
    rows, last = torch.arange(B, device=states.device), (lengths - 1).clamp_min(0)
    return torch.cat([states[rows, last, : D // 2], states[:, 0, D // 2 :]], dim=-1)
