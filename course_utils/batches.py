"""Batches: examples of similar length, padded together.

An `Example` is one input with its target ids; a `Batch` is what every model of the course reads.
An input is a list of ids (text) or a tensor whose first dimension may differ between examples
(frames of speech), or is the same for all (the channels of an image, the places of a grid).
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from course_utils.vocabulary import BOS, EOS, PAD

__all__ = ["Batch", "BucketedBatches", "Example", "make_batch", "pad"]


@dataclass(frozen=True)
class Example:
    """One input and its target.

    source  ids of a text, or a tensor (T, …): an image (C, H, W), features of places or frames
    target  ids without BOS and EOS
    """

    source: list[int] | Tensor
    target: list[int]


@dataclass(frozen=True)
class Batch:
    """B examples padded together.

    source          (B, Ts)    ids, PAD behind the end; of tensors (B, T, …), zeros behind the end
    source_lengths  (B,)       how many positions of the second dimension are real
    target          (B, Tt+1)  BOS … EOS, PAD behind the end
    """

    source: Tensor
    source_lengths: Tensor
    target: Tensor

    @property
    def target_in(self) -> Tensor:
        """(B, Tt) what the decoder reads under teacher forcing: BOS and all tokens but the last."""
        return self.target[:, :-1]

    @property
    def target_out(self) -> Tensor:
        """(B, Tt) what it has to predict: the same tokens one step later, up to EOS."""
        return self.target[:, 1:]

    @property
    def target_tokens(self) -> int:
        """How many predictions count (padding does not)."""
        return int((self.target_out != PAD).sum())

    def to(self, device: torch.device | str) -> "Batch":
        """The batch on another device; the lengths stay on the CPU, where checks are cheap."""
        return replace(self, source=self.source.to(device), target=self.target.to(device))


def pad(sequences: list[list[int]], width: int | None = None) -> Tensor:
    """Lists of ids as one tensor (B, longest or ``width``) filled up with PAD."""
    longest = max((len(s) for s in sequences), default=0)
    width = longest if width is None else width
    if longest > width:
        raise ValueError(f"a sequence of {longest} ids does not fit into a width of {width}")
    padded = torch.full((len(sequences), width), PAD, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
    return padded


def make_batch(examples: list[Example]) -> Batch:
    """Pad examples to one batch. A text without source gets a single PAD as its source.

    Sources are all ids or all tensors; tensors differ at most in their first dimension.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    sources = [example.source for example in examples]
    if isinstance(sources[0], Tensor):
        shapes = {tuple(source.shape[1:]) for source in sources}
        if len(shapes) > 1 or not all(len(source) for source in sources):
            raise ValueError(
                "sources of one batch have the same shape behind their first dimension, which is "
                f"at least 1; got {[tuple(source.shape) for source in sources[:8]]}"
            )
        source = pad_sequence(sources, batch_first=True)
    else:
        sources = [ids or [PAD] for ids in sources]
        source = pad(sources)
    return Batch(
        source=source,
        source_lengths=torch.tensor([len(s) for s in sources]),
        target=pad([[BOS, *example.target, EOS] for example in examples]),
    )


class BucketedBatches:
    """Batches of similar lengths, in another order in each epoch, the same for the same seed.

    The examples are shuffled, cut into pools, sorted by length inside a pool and packed into
    batches of at most ``tokens`` target positions (padding counts). So little padding is computed
    and still no two epochs see the same batches. ``size(example)`` counts something else than
    target positions, the words of a text to classify for instance; it is at least 1.
    """

    def __init__(
        self,
        examples: list,
        tokens: int,
        seed: int = 0,
        pool: int = 2000,
        collate: Callable[[list], Batch] = make_batch,
        size: Callable[[Example], int] = lambda example: len(example.target) + 1,
    ):
        if not examples:
            raise ValueError("no examples to make batches of")
        if tokens < 1:
            raise ValueError(f"a batch needs room for at least one token, got tokens={tokens}")
        self.examples, self.tokens, self.seed = examples, tokens, seed
        self.pool, self.collate, self.size = pool, collate, size

    def epoch(self, number: int) -> list[list[int]]:
        """Indices of the examples of each batch of epoch ``number``."""
        generator = random.Random(f"{self.seed}-{number}")
        order = list(range(len(self.examples)))
        generator.shuffle(order)
        batches = []
        for start in range(0, len(order), self.pool):
            pool = sorted(order[start : start + self.pool], key=self._length)
            batches.extend(self._cut(pool))
        generator.shuffle(batches)
        return batches

    def forever(self, skip: int = 0) -> Iterator[Batch]:
        """Batches epoch after epoch; ``skip`` leaves out the first ones (to resume a training)."""
        number = 0
        while True:
            batches = self.epoch(number)
            for indices in batches[skip:]:
                yield self.collate([self.examples[i] for i in indices])
            skip = max(0, skip - len(batches))
            number += 1

    def _length(self, index: int) -> tuple[int, int]:
        example = self.examples[index]
        return self.size(example), len(example.source)

    def _cut(self, pool: list[int]) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in pool:  # ascending, so the newest is the longest: it sets the width
            width = self.size(self.examples[index])
            if batch and (len(batch) + 1) * width > self.tokens:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch
