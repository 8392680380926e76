"""Text encoders: token ids → `Memory`; the Transformer's is in `models.transformer`."""

import torch
from torch import Tensor, nn

from course_utils.attention import length_mask
from course_utils.batches import Batch
from course_utils.checks import check_lengths, check_tensor, looked_up
from course_utils.memory import Memory
from course_utils.recurrence import ends, read_both_ways
from course_utils.vocabulary import PAD

__all__ = ["TextEncoder", "TokenEncoder"]


class TokenEncoder(nn.Module):
    """What all text encoders share: checked ids become embeddings, which a subclass reads.

    vocabulary_size  number of ids; PAD is 0
    embedding_dim    width of the embeddings
    memory_dim       width of keys, values and summary

    A subclass says in `read` how embeddings become a memory.
    """

    def __init__(self, vocabulary_size: int, embedding_dim: int, memory_dim: int):
        super().__init__()
        self.memory_dim = memory_dim
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        with torch.no_grad():
            self.embedding.weight[PAD].zero_()

    def forward(self, batch: Batch) -> Memory:
        """Read ``batch.source`` (B, Ts) up to ``batch.source_lengths``; memory of Ts positions."""
        return self.encode(batch.source, batch.source_lengths)

    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """The same for tensors: ids (B, Ts) and lengths (B,), each from 1 to Ts.

        Raises ValueError for others, and IndexError for ids outside the vocabulary.
        """
        return self.read(*self.embed(source, lengths))

    def embed(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, Ts, E), scaled to unit variance, and lengths on their device."""
        check_tensor("source", source, "batch", "words", kind="integers")
        B, Ts = source.shape
        check_lengths(f"source is {(B, Ts)}", lengths, B, Ts)
        embedded = looked_up(self.embedding, source) * self.embedding.embedding_dim**0.5
        return embedded, lengths.to(source.device)

    def read(self, embedded: Tensor, lengths: Tensor) -> Memory:
        """The memory of embedded words (B, Ts, E), of which ``lengths`` (B,) are real."""
        raise NotImplementedError("a text encoder says in read() how it reads embedded words")


class TextEncoder(TokenEncoder):
    """Bidirectional LSTM over token ids (Bahdanau et al. 2015, section 3.2, with LSTM cells).

    Position i of the memory is the concatenation of two states: that of the forward recurrence
    after word i, and that of the backward recurrence, which comes from the end of the sentence. It
    is a *contextual* view of word i, not the word alone. `read_both_ways` keeps the backward
    recurrence from meeting the padding first: an attention mask alone would not be enough.

    vocabulary_size  number of ids; PAD is 0
    embedding_dim    width of the embeddings
    memory_dim       width of keys, values and summary, half of it for each direction
    dropout          on embeddings, between layers and on the memory, in training only
    layers           number of recurrences on top of each other
    reads_padding    True makes the mistake that notebook 03 measures: the encoder takes every text
                     to be as long as the longest of its batch. Can be set on a trained encoder:
                     ``encoder.reads_padding = True``

    Raises ValueError if ``memory_dim`` is odd.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        memory_dim: int,
        dropout: float = 0.0,
        layers: int = 1,
        *,
        reads_padding: bool = False,
    ):
        if memory_dim % 2:
            raise ValueError(f"memory_dim={memory_dim} must be even: half for each direction")
        super().__init__(vocabulary_size, embedding_dim, memory_dim)
        self.reads_padding = reads_padding
        self.recurrence = nn.LSTM(
            embedding_dim,
            memory_dim // 2,
            num_layers=layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)

    def read(self, embedded: Tensor, lengths: Tensor) -> Memory:
        Ts = embedded.shape[1]
        if self.reads_padding:
            lengths = torch.full_like(lengths, Ts)
        states = read_both_ways(self.recurrence, self.dropout(embedded), lengths)
        summary, states = self.dropout(ends(states, lengths)), self.dropout(states)
        mask = length_mask(lengths, Ts)
        return Memory(keys=states, values=states, attend_mask=mask, summary=summary)
