"""Reading from both sides without ever reading padding, for texts and sounds of unequal length.

In a padded batch a backward recurrence would meet the padding first and carry it into every state.
PyTorch's answer is `pack_padded_sequence`; on a CPU its fast LSTM takes no packed input. So each
row is turned round *within its own length*: the backward direction too meets the padding last,
where it does no harm. The numbers are those of packing, in less time (see `bench`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.attention import length_mask

__all__ = ["ends", "read_both_ways", "turned"]


def turned(x: Tensor, lengths: Tensor) -> Tensor:
    """Each row of x (B, T, D) back to front up to its length; what lies behind it stays."""
    B, T, D = x.shape
    places = torch.arange(T, device=x.device)[None, :]
    order = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
    return x.gather(1, order[:, :, None].expand(B, T, D))


def read_both_ways(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """Outputs (B, T, 2H) of a bidirectional LSTM for x (B, T, D); they are zero behind a row's end.

    ``lengths`` (B,) from 0 to T, on the device of ``x``. Dropout between layers is the LSTM's own.
    """
    B, T, _ = x.shape
    if not T:
        return x.new_zeros(B, 0, 2 * lstm.hidden_size)
    start = x.new_zeros(1, B, lstm.hidden_size)

    def one_way(inputs: Tensor, weights: list[Tensor]) -> Tensor:
        return torch.lstm(inputs, (start, start), weights, lstm.bias, 1, 0.0, False, False, True)[0]

    for layer in range(lstm.num_layers):
        ahead, back = lstm.all_weights[2 * layer : 2 * layer + 2]
        if layer:
            x = F.dropout(x, lstm.dropout, lstm.training)
        x = torch.cat(
            [one_way(x, ahead), turned(one_way(turned(x, lengths), back), lengths)], dim=-1
        )
    return x * length_mask(lengths, T)[:, :, None]


def ends(states: Tensor, lengths: Tensor) -> Tensor:
    """What each direction knows when it has read everything: (B, 2H) of states (B, T, 2H).

    The forward half of the last state and the backward half of the first; zero for an empty row.
    """
    B, _, D = states.shape
    rows, last = torch.arange(B, device=states.device), (lengths - 1).clamp_min(0)
    return torch.cat([states[rows, last, : D // 2], states[:, 0, D // 2 :]], dim=-1)
