"""What tasks share: `TaskData` turns pairs (input, text) into batches, a `Predictor` turns inputs
into texts with a trained model, and a `Task` says which of them belong together.

A new task is a new folder: see `course_utils.tasks` for what it contains. If its input has several
parts, such as a picture and a question, it overrides `TaskData.to_examples` and gives the other
parts as ``others`` (see `course_utils.batches`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from course_utils.batches import Batch, BucketedBatches, Example, make_batch
from course_utils.checkpoints import Checkpoint, CheckpointError, load_checkpoint
from course_utils.metrics import TextScore
from course_utils.models.builders import builder_name
from course_utils.models.seq2seq import Seq2Seq
from course_utils.search import SearchSettings
from course_utils.training import Loss, attention_loss
from course_utils.vocabulary import Vocabulary

__all__ = ["Pair", "Predictor", "SequencePredictor", "Task", "TaskData"]

Pair = tuple[Any, str | list[str]]  # an input, and its text or several right texts


@dataclass
class TaskData:
    """Training and validation pairs (input, text) and the vocabulary of the texts.

    A validation pair may have several right texts. The test set is not in here: it is loaded once,
    after all decisions have been made. ``cards`` is what a checkpoint's card says about the data.
    """

    train: list[Pair]
    valid: list[Pair]
    vocabulary: Vocabulary
    lowercase: bool = True
    cards: list[dict] = field(default_factory=list)

    def encode_inputs(self, inputs: list) -> list[list[int] | Tensor]:
        """Inputs in the form in which a batch holds them: ids or tensors."""
        raise NotImplementedError("a task defines in encode_inputs() what its inputs become")

    def to_examples(self, pairs: Sequence[Pair]) -> list[Example]:
        """One example for each pair, or one for each text of a pair with several."""
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
        """The validation pairs in batches that are always the same."""
        return self.batches_of(self.valid)

    def batches_of(self, pairs: Sequence[Pair]) -> list[Batch]:
        """Pairs in batches of 100, sorted by length so that there is little padding."""
        examples = sorted(self.to_examples(pairs), key=lambda e: (len(e.target), len(e.source)))
        return [make_batch(examples[i : i + 100]) for i in range(0, len(examples), 100)]


class Predictor:
    """A model with its vocabulary, ready to answer inputs with texts. Use `load` for a checkpoint.

    model_type, encoder_type  what a checkpoint's model and its encoder have to be
    builders                  functions that build models of this task only, by name; those of
                              `course_utils.models.builders` are known to every task
    """

    model_type: type = nn.Module
    encoder_type: type | None = None
    builders: ClassVar[dict[str, Callable[..., nn.Module]]] = {}

    def __init__(self, model: nn.Module, vocabulary: Vocabulary):
        self.model, self.vocabulary = model, vocabulary

    @classmethod
    def load(cls, name: str | Path, device: str | torch.device = "cpu") -> Self:
        """The predictor of a checkpoint, by name or folder."""
        return cls.from_checkpoint(load_checkpoint(name, device, builders=cls.builders))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> Self:
        """The predictor of a loaded checkpoint.

        Raises CheckpointError if its model is of another kind, or if its vocabulary has more pieces
        than an ``embedding`` of model, encoder or decoder.
        """
        encoder = getattr(checkpoint.model, "encoder", None)
        for found, needed in ((checkpoint.model, cls.model_type), (encoder, cls.encoder_type)):
            if needed is not None and not isinstance(found, needed):
                raise CheckpointError(
                    f"checkpoint {checkpoint.name} holds a {type(found).__name__}, which a "
                    f"{cls.__name__} cannot use: it needs a {needed.__name__}"
                )
        for part in (checkpoint.model, encoder, getattr(checkpoint.model, "decoder", None)):
            table = getattr(part, "embedding", None)
            size, pieces = getattr(table, "num_embeddings", None), len(checkpoint.vocabulary)
            if size is not None and size < pieces:
                raise CheckpointError(
                    f"checkpoint {checkpoint.name} has a vocabulary of {pieces} pieces, but an "
                    f"embedding of {size}: vocabulary and weights belong to different models"
                )
        predictor = cls(checkpoint.model, checkpoint.vocabulary)
        calibration = checkpoint.card.get("calibration") or {}
        try:
            predictor.use(calibration)
        except (AttributeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"checkpoint {checkpoint.name}: the calibration in card.json is not one: {error}"
            ) from error
        return predictor

    def use(self, calibration: dict[str, float]) -> None:
        """Set what `calibrate` returned; ValueError for a value that it cannot return."""

    def calibrate(self, pairs: Sequence[Pair]) -> dict[str, float]:
        """Set what is chosen on validation ``pairs`` after the training; the card keeps it.

        `from_checkpoint` gives it to `use`. Most tasks have nothing to set.
        """
        return {}

    def measure(self, pairs: Sequence[Pair]) -> dict[str, TextScore]:
        """Scores that need the model instead of its outputs, by name; most tasks have none."""
        return {}

    def predict(self, inputs: Sequence) -> list[str]:
        """The text of each input, in order."""
        raise NotImplementedError("a task defines in predict() how its inputs become texts")


class SequencePredictor(Predictor):
    """A predictor whose texts are found by search.

    ``search`` is the search that gave the checkpoint its score, where it was loaded from one;
    otherwise greedy. It is what the commands use when they are not asked for another.
    """

    model_type = Seq2Seq
    search = SearchSettings()

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> Self:
        predictor = super().from_checkpoint(checkpoint)
        if checkpoint.card.get("search"):
            try:
                predictor.search = SearchSettings(**checkpoint.card["search"])
            except (TypeError, ValueError) as error:
                raise CheckpointError(
                    f"checkpoint {checkpoint.name}: the search in card.json is not one: {error}"
                ) from error
        return predictor

    def predict(self, inputs: Sequence, beam: int = 1, alpha: float = 1.0) -> list[str]:
        """The text of each input, in order; ``beam`` 1 is greedy."""
        raise NotImplementedError("a task defines in predict() how its inputs become texts")


@dataclass(frozen=True)
class Task:
    """What a task is: everything that its trainings have in common.

    name             its folder in `course_utils.tasks`
    notebook         number of the notebook that teaches it, "03"
    build            makes its model; the setting called ``size`` is the size of the vocabulary
    predictor        turns inputs into texts with the trained model
    metrics          ``metric(outputs, references, lowercase)`` by name
    measured         the names of the scores that the predictor's ``measure`` returns
    lower_is_better  the names of those metrics that count errors
    loss             what training minimises
    """

    name: str
    notebook: str
    build: Callable[..., nn.Module]
    size: str
    predictor: type[Predictor]
    metrics: dict[str, Callable[..., TextScore]]
    measured: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ()
    loss: Loss = attention_loss

    @property
    def builder(self) -> str:
        """What a checkpoint's card calls ``build``."""
        return builder_name(self.build)
