"""Batches: examples of similar length, padded together.

An `Example` is one input with its target ids; a `Batch` is what every model of the course reads.
A source is a list of ids (text) or a tensor. The first dimension of a tensor may differ between
examples (frames of speech) or be the same for all (channels of an image, cells of a grid).

Most tasks have one source. Others have further ones, by name:

    Example(picture, answer, others={"question": ids})

In the batch, `Batch.others` holds them padded, each with its lengths, and `Batch.reading` makes
one of them the source, so that any encoder can read it.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from course_utils.checks import check_list
from course_utils.vocabulary import BOS, EOS, PAD

__all__ = ["Batch", "BucketedBatches", "Example", "Padded", "make_batch", "pad"]

Source = list[int] | Tensor


@dataclass(frozen=True)
class Example:
    """One input and its target.

    source  ids of a text, or a tensor (T, …): an image (C, H, W), features of grid cells or frames
    target  ids without BOS and EOS
    others  further sources by name, each like ``source``; empty for most tasks
    """

    source: Source
    target: list[int]
    others: Mapping[str, Source] = field(default_factory=dict)


class Padded(NamedTuple):
    """One source of B examples, padded: ``encoder.encode(*padded)`` reads it.

    rows     (B, Ts)  ids, then PAD; of tensors (B, T, …), then zeros
    lengths  (B,)     how many positions of each row are real
    """

    rows: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class Batch:
    """B examples padded together.

    source          (B, Ts)    ids, then PAD; of tensors (B, T, …), then zeros
    source_lengths  (B,)       how many positions of the second dimension are real
    target          (B, Tt+1)  BOS … EOS, then PAD
    others                     further sources by name, each `Padded`; empty for most tasks
    """

    source: Tensor
    source_lengths: Tensor
    target: Tensor
    others: Mapping[str, Padded] = field(default_factory=dict)

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

    def reading(self, name: str) -> Self:
        """The batch with another of its sources as ``source``, for an encoder that reads a batch.

        Raises KeyError, naming the sources, if there is none of that name.
        """
        if name not in self.others:
            known = ", ".join(map(repr, self.others)) or "none"
            raise KeyError(f"no source {name!r}: the other sources of this batch are {known}")
        rows, lengths = self.others[name]
        return replace(self, source=rows, source_lengths=lengths)

    def part(self, number: int, count: int) -> Self:
        """Every ``count``-th example, from ``number`` on: the share of one of ``count`` processes.

        The parts differ by one example at most; one of a small batch may be empty.
        """
        if count == 1:
            return self
        mine = slice(number, None, count)
        others = {
            name: Padded(rows[mine], lengths[mine]) for name, (rows, lengths) in self.others.items()
        }
        return replace(
            self,
            source=self.source[mine],
            source_lengths=self.source_lengths[mine],
            target=self.target[mine],
            others=others,
        )

    def to(self, device: torch.device | str) -> Self:
        """The batch on another device; the lengths stay on the CPU, where checks are cheap."""
        others = {
            name: Padded(rows.to(device), lengths) for name, (rows, lengths) in self.others.items()
        }
        return replace(
            self, source=self.source.to(device), target=self.target.to(device), others=others
        )


def pad(sequences: Sequence[Sequence[int]], width: int | None = None) -> Tensor:
    """Lists of ids as one tensor (B, longest or ``width``), filled up with PAD.

    Raises ValueError if a list is longer than ``width``, and TypeError for anything in it but
    integers.
    """
    rows = [_ids(sequence) for sequence in sequences]
    longest = max(map(len, rows), default=0)
    width = longest if width is None else width
    if longest > width:
        raise ValueError(f"a sequence of {longest} ids does not fit into a width of {width}")
    padded = torch.full((len(rows), width), PAD, dtype=torch.long)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded


def _ids(sequence: Sequence[int]) -> Tensor:
    """Ids as a tensor; TypeError for other numbers, which would be cut to whole ones."""
    ids = torch.as_tensor(sequence)
    if len(ids) and (ids.dim() != 1 or ids.is_floating_point() or ids.dtype == torch.bool):
        raise TypeError(f"ids are a list of integers, got {ids.dtype} of shape {tuple(ids.shape)}")
    return ids


def make_batch(examples: Sequence[Example]) -> Batch:
    """Pad examples to one batch. A text without words becomes a single PAD.

    All examples have sources of the same names. The sources of one name are all ids or all tensors;
    tensors differ in their first dimension at most. Raises ValueError otherwise, and TypeError for
    sources that are neither.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    names = list(examples[0].others)
    for number, example in enumerate(examples):
        if set(example.others) != set(names):
            raise ValueError(
                f"all examples of a batch have the same other sources: example 0 has {names}, "
                f"example {number} has {list(example.others)}"
            )
    source, source_lengths = _pad_sources("sources", [example.source for example in examples])
    return Batch(
        source=source,
        source_lengths=source_lengths,
        target=pad([[BOS, *example.target, EOS] for example in examples]),
        others={
            name: _pad_sources(f"sources {name!r}", [example.others[name] for example in examples])
            for name in names
        },
    )


def _pad_sources(name: str, sources: list[Any]) -> Padded:
    for source in sources:
        if isinstance(source, str) or not isinstance(source, Tensor | Sequence):
            raise TypeError(
                f"{name} are lists of ids or tensors, got a {type(source).__name__}; "
                "torch.as_tensor converts an array"
            )
    tensors = [source for source in sources if isinstance(source, Tensor)]
    if not tensors:
        texts = [ids or [PAD] for ids in sources]
        return Padded(pad(texts), torch.tensor([len(ids) for ids in texts]))
    if len(tensors) < len(sources):
        raise ValueError(
            f"{name} of one batch are either all ids or all tensors; got {len(tensors)} tensors "
            f"among {len(sources)}"
        )
    if len({tensor.shape[1:] for tensor in tensors}) > 1 or not all(
        tensor.dim() and len(tensor) for tensor in tensors
    ):
        raise ValueError(
            f"{name} of one batch differ only in their first dimension, which is at least 1; got "
            f"{[tuple(tensor.shape) for tensor in tensors[:8]]}"
        )
    lengths = torch.tensor([len(tensor) for tensor in tensors])
    return Padded(pad_sequence(tensors, batch_first=True), lengths)


class BucketedBatches:
    """Batches of similar lengths, in a new order in each epoch, the same for the same seed.

    The examples are shuffled, cut into pools, sorted by length within each pool and packed into
    batches of at most ``tokens`` target positions (padding counts). This keeps padding low, and
    still no two epochs have the same batches. ``size(example)``, at least 1, counts something other
    than target positions: the words of a text to be classified, for instance. Examples with other
    sources are treated alike; among those of one size and source length, these lengths decide.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokens: int,
        seed: int = 0,
        pool: int = 2000,
        collate: Callable[[list[Example]], Batch] = make_batch,
        size: Callable[[Example], int] = lambda example: len(example.target) + 1,
    ):
        examples = check_list("examples", examples, "examples")
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
        batches: list[list[int]] = []
        for start in range(0, len(order), self.pool):
            pool = sorted(order[start : start + self.pool], key=self._length)
            batches.extend(self._cut(pool))
        generator.shuffle(batches)
        return batches

    def forever(self, skip: int = 0) -> Iterator[Batch]:
        """Batches, epoch after epoch; ``skip`` omits the first ones (to resume a training)."""
        number = 0
        while True:
            batches = self.epoch(number)
            for indices in batches[skip:]:
                yield self.collate([self.examples[i] for i in indices])
            skip = max(0, skip - len(batches))
            number += 1

    def _length(self, index: int) -> tuple[int, ...]:
        example = self.examples[index]
        others = (len(example.others[name]) for name in sorted(example.others))
        return self.size(example), len(example.source), *others

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
