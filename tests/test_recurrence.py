"""Reading both ways without padding: the values and gradients of PyTorch's packing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_utils.recurrence import ends, read_both_ways, turned
from tools.tiny import quick

E, H = 5, 7


def test_turned_is_its_own_inverse_and_leaves_the_padding():
    x = torch.arange(12).reshape(2, 6, 1)
    lengths = torch.tensor([4, 6])
    assert turned(x, lengths)[0, :, 0].tolist() == [3, 2, 1, 0, 4, 5]
    assert turned(x, lengths)[1, :, 0].tolist() == [11, 10, 9, 8, 7, 6]
    assert torch.equal(turned(turned(x, lengths), lengths), x)


@pytest.mark.parametrize("layers", [1, 2, 3])
@quick
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_equals_packing(layers, lengths):
    torch.manual_seed(len(lengths))
    lstm = nn.LSTM(E, H, num_layers=layers, batch_first=True, bidirectional=True)
    lengths = torch.tensor(lengths)
    x = torch.randn(len(lengths), int(lengths.max()) + 1, E).requires_grad_()
    same = x.detach().clone().requires_grad_()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, (hidden, _) = lstm(packed)
    expected, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    last = torch.cat([hidden[-2], hidden[-1]], dim=-1)
    found = read_both_ways(lstm, same, lengths)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ends(found, lengths), last)

    weight, weight_of_ends = torch.randn(found.shape), torch.randn(last.shape)
    ((expected * weight).sum() + (last * weight_of_ends).sum()).backward()
    by_packing = [p.grad.clone() for p in lstm.parameters()]
    lstm.zero_grad()
    ((found * weight).sum() + (ends(found, lengths) * weight_of_ends).sum()).backward()
    torch.testing.assert_close(same.grad, x.grad, rtol=1e-4, atol=1e-5)
    for one, other in zip(by_packing, lstm.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad, rtol=1e-4, atol=1e-5)


def test_empty_rows_and_empty_batches_of_words():
    lstm = nn.LSTM(E, H, batch_first=True, bidirectional=True)
    lengths = torch.tensor([0, 3])
    states = read_both_ways(lstm, torch.randn(2, 4, E), lengths)
    assert not states[0].any() and not states[1, 3].any() and states[1, :3].all()
    assert not ends(states, lengths)[0].any()
    assert read_both_ways(lstm, torch.randn(2, 0, E), torch.tensor([0, 0])).shape == (2, 0, 2 * H)


def test_dropout_acts_between_layers_in_training_only():
    torch.manual_seed(0)
    lstm = nn.LSTM(E, H, num_layers=2, batch_first=True, bidirectional=True, dropout=0.5)
    x, lengths = torch.randn(3, 6, E), torch.tensor([6, 2, 4])
    different = read_both_ways(lstm, x, lengths) - read_both_ways(lstm, x, lengths)
    assert different.abs().max() > 1e-3
    x.requires_grad_()
    read_both_ways(lstm, x, lengths)[:, 0].sum().backward()
    assert x.grad[0].all(), "dropout acts between layers, not on the input"
    lstm.eval()
    torch.testing.assert_close(
        read_both_ways(lstm, x, lengths), read_both_ways(lstm, x, lengths), rtol=0, atol=0
    )


def test_other_shapes_are_named():
    lstm = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
    x, lengths = torch.randn(2, 5, 4), torch.tensor([5, 2])
    for use, states in ((turned, x), (ends, torch.randn(2, 5, 6))):
        for broken in (states[0], states[None]):
            with pytest.raises(ValueError, match="must have shape"):
                use(broken, lengths)
        with pytest.raises(ValueError, match=r"lengths must have shape \(2\), got \(3,\)"):
            use(states, torch.tensor([5, 2, 1]))
        with pytest.raises(ValueError, match="lengths must be integers"):
            use(states, lengths.float())
    with pytest.raises(ValueError, match=r"x must have shape \(batch, positions, 4\)"):
        read_both_ways(lstm, x[..., :3], lengths)
    with pytest.raises(ValueError, match="two directions"):
        ends(x[..., :3], lengths)
    for other in (
        nn.LSTM(4, 3, bidirectional=True),
        nn.LSTM(4, 3, batch_first=True),
        nn.LSTM(4, 3, batch_first=True, bidirectional=True, proj_size=2),
    ):
        with pytest.raises(ValueError, match="batch_first=True, bidirectional=True"):
            read_both_ways(other, x, lengths)


@pytest.mark.parametrize("b,t", [(0, 5), (2, 0), (0, 0)])
def test_nothing_to_read(b, t):
    lstm = nn.LSTM(4, 3, num_layers=2, batch_first=True, bidirectional=True)
    x, lengths = torch.randn(b, t, 4), torch.zeros(b, dtype=torch.long)
    assert turned(x, lengths).shape == (b, t, 4)
    states = read_both_ways(lstm, x, lengths)
    assert states.shape == (b, t, 6)
    assert ends(states, lengths).tolist() == [[0.0] * 6] * b
