"""Encoders: input → `Memory`. One class for each kind of input; the decoder never changes."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_utils.attention import length_mask
from course_utils.batches import Batch
from course_utils.memory import Memory
from course_utils.vocabulary import PAD

__all__ = ["TextEncoder"]


class TextEncoder(nn.Module):
    """Bidirectional LSTM over token ids (Bahdanau et al. 2015, section 3.2, with LSTM cells).

    Position i of the memory is the concatenation of what the forward recurrence knows after word i
    and of what the backward recurrence knows before it: a *contextual* view of word i, not the
    word alone. The input is packed, because an attention mask alone would not be enough: the
    backward recurrence reads from the right and would meet the padding first.

    ``memory_dim`` is the width of keys, values and summary, half of it for each direction.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        memory_dim: int,
        dropout: float = 0.0,
        layers: int = 1,
    ):
        super().__init__()
        if memory_dim % 2:
            raise ValueError(f"memory_dim={memory_dim} must be even: half for each direction")
        self.memory_dim = memory_dim
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        with torch.no_grad():
            self.embedding.weight[PAD].zero_()
        self.recurrence = nn.LSTM(
            embedding_dim,
            memory_dim // 2,
            num_layers=layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Memory:
        """Read ``batch.source`` (B, Ts) up to ``batch.source_lengths``; memory of Ts positions."""
        return self.encode(batch.source, batch.source_lengths)

    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """The same for bare tensors: ids (B, Ts) and lengths (B,), each at least 1."""
        B, Ts = source.shape
        if len(lengths) != B or int(lengths.min()) < 1 or int(lengths.max()) > Ts:
            raise ValueError(
                f"source is {(B, Ts)}, so {B} lengths from 1 to {Ts} are expected; "
                f"got {lengths.tolist()[:8]}{' …' if len(lengths) > 8 else ''}"
            )
        embedded = self.dropout(self.embedding(source) * self.embedding.embedding_dim**0.5)
        packed = pack_padded_sequence(
            embedded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        outputs, (hidden, _) = self.recurrence(packed)
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=Ts)
        states = self.dropout(states)
        # The last layer's final states: forward after the last word, backward after the first.
        summary = self.dropout(torch.cat([hidden[-2], hidden[-1]], dim=-1))
        mask = length_mask(lengths.to(source.device), Ts)
        return Memory(keys=states, values=states, attend_mask=mask, summary=summary)
