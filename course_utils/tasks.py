"""Tasks: what translation, captioning, recognition and classification share outside of the model.

`TaskData` turns pairs (input, text) into batches, a `Writer` turns inputs into texts with a trained
model. A task is a subclass of each, in a module of its own; training, search and scores are common.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from course_utils.batches import Batch, BucketedBatches, Example, make_batch
from course_utils.models import Seq2Seq
from course_utils.vocabulary import Vocabulary

__all__ = ["Pair", "TaskData", "Writer"]

Pair = tuple[Any, str | list[str]]  # an input, and its text or several right texts


@dataclass
class TaskData:
    """Training and validation pairs (input, text) and the vocabulary of the texts.

    A validation pair may hold several right texts. The test set is not in here: it is loaded once,
    when all decisions have been made.
    """

    train: list[Pair]
    valid: list[Pair]
    vocabulary: Vocabulary
    lowercase: bool = True
    cards: list[dict] = field(default_factory=list)  # what the checkpoint's card says of the data

    def encode_inputs(self, inputs: list) -> list[list[int] | Tensor]:
        """Inputs as a batch holds them: ids or tensors."""
        raise NotImplementedError("a task says in encode_inputs() what its inputs become")

    def to_examples(self, pairs: Sequence[Pair]) -> list[Example]:
        """One example for each pair, or for each text of a pair that has several."""
        texts = [[text] if isinstance(text, str) else text for _, text in pairs]
        sources = self.encode_inputs([given for given, _ in pairs])
        sources = [source for source, several in zip(sources, texts, strict=True) for _ in several]
        targets = self.vocabulary.encode_all([text for several in texts for text in several])
        return [Example(s, t) for s, t in zip(sources, targets, strict=True)]

    @cached_property
    def examples(self) -> list[Example]:
        return self.to_examples(self.train)

    def batches(self, tokens: int, seed: int = 0) -> BucketedBatches:
        """Training batches of at most ``tokens`` target positions."""
        return BucketedBatches(self.examples, tokens, seed)

    @cached_property
    def valid_batches(self) -> list[Batch]:
        """Validation batches, always the same, sorted by length so that little is padding."""
        examples = sorted(
            self.to_examples(self.valid), key=lambda e: (len(e.target), len(e.source))
        )
        return [make_batch(examples[i : i + 100]) for i in range(0, len(examples), 100)]


class Writer:
    """A model with its vocabulary, ready to write texts. Use `load` for a checkpoint."""

    kind: type = Seq2Seq  # what its model is
    reads: type | None = None  # what the model's encoder is, where that matters

    def __init__(self, model: Seq2Seq, vocabulary: Vocabulary):
        self.model, self.vocabulary = model, vocabulary

    @classmethod
    def load(cls, name: str, device: str | torch.device = "cpu"):
        """The writer of a checkpoint, by name or folder."""
        from course_utils.checkpoints import CheckpointError, load_checkpoint

        checkpoint = load_checkpoint(name, device)
        encoder = getattr(checkpoint.model, "encoder", None)
        for found, needed in ((checkpoint.model, cls.kind), (encoder, cls.reads)):
            if needed is not None and not isinstance(found, needed):
                raise CheckpointError(
                    f"checkpoint {name} holds a {type(found).__name__}, which a {cls.__name__} "
                    f"cannot use: it needs a {needed.__name__}"
                )
        return cls(checkpoint.model, checkpoint.vocabulary)

    def texts(self, inputs: Sequence, beam: int = 1, alpha: float = 1.0) -> list[str]:
        """The text of each input, in order; ``beam`` 1 is greedy."""
        raise NotImplementedError("a task says in texts() how its inputs become texts")
