"""Classification: texts in, labels out, with the weights of the words they came from.

`ClassificationData` turns labelled texts into batches, `Classifier` turns texts into labels. To the
core a label is a text that is written in one piece, so trainings, studies and checkpoints are those
of every other task; only the loss and the batch are different.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.batches import Batch, BucketedBatches, Example, pad
from course_utils.classifiers import TextClassifier
from course_utils.tasks import Pair, TaskData, Writer

__all__ = [
    "Classification",
    "ClassificationData",
    "Classifier",
    "LabelledBatch",
    "classification_loss",
    "kept_positions",
]


@dataclass(frozen=True)
class LabelledBatch(Batch):
    """B texts with one label each: ``target`` (B,) holds the number of the class."""

    @property
    def target_in(self) -> Tensor:
        raise AttributeError("a labelled batch has one label a text: there is no target_in")

    @property
    def target_out(self) -> Tensor:
        """(B,) the classes."""
        return self.target

    @property
    def target_tokens(self) -> int:
        """How many predictions count: one a text."""
        return len(self.target)


def make_labelled_batch(examples: list[Example]) -> LabelledBatch:
    """Pad texts to one batch; a text without words is a row of PAD."""
    if not examples:
        raise ValueError("a batch needs at least one example")
    sources = [example.source for example in examples]
    return LabelledBatch(
        source=pad(sources, max(1, *map(len, sources), 1)),
        source_lengths=torch.tensor([len(s) for s in sources]),
        target=torch.tensor([example.target[0] for example in examples]),
    )


def classification_loss(
    model: TextClassifier, batch: LabelledBatch, label_smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy in nats a text."""
    return F.cross_entropy(model(batch.source), batch.target, label_smoothing=label_smoothing)


def kept_positions(length: int, longest: int | None) -> list[int]:
    """Which words of a long text are read: the first quarter of ``longest`` and the last three.

    Reviews say at their end what they think, so the middle is what is left out (Sun et al. 2019,
    section 5.3.1, found the same for BERT).
    """
    if longest is None or length <= longest:
        return list(range(length))
    head = longest // 4
    return [*range(head), *range(length - (longest - head), length)]


@dataclass
class ClassificationData(TaskData):
    """Labelled texts. ``labels`` are the names of the classes, in the order of the logits."""

    labels: tuple[str, ...] = ()
    longest: int | None = None

    def encode_inputs(self, inputs: list[str]) -> list[list[int]]:
        encoded = self.vocabulary.encode_all(list(inputs))
        return [[ids[i] for i in kept_positions(len(ids), self.longest)] for ids in encoded]

    def to_examples(self, pairs: Sequence[Pair]) -> list[Example]:
        number = {label: i for i, label in enumerate(self.labels)}
        unknown = sorted({str(label) for _, label in pairs if label not in number})
        if unknown:
            raise ValueError(f"labels {unknown[:5]} are none of {', '.join(self.labels)}")
        sources = self.encode_inputs([text for text, _ in pairs])
        return [Example(s, [number[y]]) for s, (_, y) in zip(sources, pairs, strict=True)]

    def batches(self, tokens: int, seed: int = 0) -> BucketedBatches:
        """Training batches of at most ``tokens`` words, padding counted."""
        return BucketedBatches(
            self.examples,
            tokens,
            seed,
            collate=make_labelled_batch,
            size=lambda example: max(1, len(example.source)),
        )

    @cached_property
    def valid_batches(self) -> list[LabelledBatch]:
        """Validation batches, sorted by length so that little is padding."""
        examples = sorted(self.to_examples(self.valid), key=lambda e: len(e.source))
        return [make_labelled_batch(examples[i : i + 100]) for i in range(0, len(examples), 100)]


@dataclass(frozen=True)
class Classification:
    """A text with its verdict.

    spans          where each word stands in the text: (first character, behind the last)
    weights        (words,) how much of the pooled vector comes from each; 0 for words not read
    probabilities  of every label; ``label`` is the likeliest, ``probability`` its probability
    """

    text: str
    spans: list[tuple[int, int]]
    weights: np.ndarray
    probabilities: dict[str, float]

    @property
    def words(self) -> list[str]:
        return [self.text[start:end] for start, end in self.spans]

    @property
    def label(self) -> str:
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def probability(self) -> float:
        return self.probabilities[self.label]


class Classifier(Writer):
    """A trained classifier with its vocabulary. Use `load` for a checkpoint."""

    kind = TextClassifier

    def classify(self, texts: Sequence[str], batch_size: int = 64) -> list[Classification]:
        """The verdict on each text, in order. Neighbours do not influence a text.

        A text without words is answered too: by the class that the bias of the last layer prefers.
        """
        texts = list(texts)
        encoded = self.vocabulary.encode_all(texts)
        kept = [kept_positions(len(ids), self.model.longest) for ids in encoded]
        read = [[ids[i] for i in places] for ids, places in zip(encoded, kept, strict=True)]
        found = self._run(read, batch_size)
        verdicts = []
        for text, ids, places, (probabilities, shares) in zip(
            texts, encoded, kept, found, strict=True
        ):
            weights = np.zeros(len(ids))
            weights[places] = shares
            spans = self.vocabulary.spans(text)
            named = dict(zip(self.model.labels, probabilities.tolist(), strict=True))
            verdicts.append(Classification(text, spans, weights, named))
        return verdicts

    def texts(self, inputs: Sequence[str], beam: int = 1, alpha: float = 1.0) -> list[str]:
        """Only the labels. There is nothing to search, so ``beam`` and ``alpha`` do nothing."""
        return [verdict.label for verdict in self.classify(inputs)]

    def gradient_times_input(self, texts: Sequence[str]) -> list[np.ndarray]:
        """|Σ_d x_d ∂z/∂x_d| of each piece: z is the predicted label's logit, x what enters for it.

        To first order, how much z would change if x, its embedding (and that of its pair, where
        the model has pairs), were zero (Shrikumar et al. 2017). Pieces that are not read get 0.
        """
        was_training = self.model.training
        self.model.eval()
        found = []
        for ids in self.vocabulary.encode_all(list(texts)):
            places = kept_positions(len(ids), self.model.longest)
            scores = np.zeros(len(ids))
            if places:
                read = torch.tensor([[ids[i] for i in places]], device=self.model.device)
                embedded = self.model.embed(read).detach().requires_grad_()
                length = torch.tensor([len(places)], device=read.device)
                logits, _ = self.model.read(embedded, length)
                (gradient,) = torch.autograd.grad(logits.max(), embedded)
                scores[places] = (gradient * embedded).sum(dim=-1)[0].abs().detach().cpu().numpy()
            found.append(scores)
        self.model.train(was_training)
        return found

    @torch.no_grad()
    def _run(
        self, sources: list[list[int]], batch_size: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Probabilities and weights of each list of ids; similar lengths go together."""
        was_training = self.model.training
        self.model.eval()
        found: list = [None] * len(sources)
        order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
        for start in range(0, len(order), batch_size):
            chunk = order[start : start + batch_size]
            batch = make_labelled_batch([Example(sources[i], [0]) for i in chunk])
            logits, weights = self.model.attend(batch.to(self.model.device).source)
            probabilities = logits.softmax(dim=-1).double().cpu().numpy()
            weights = weights.double().cpu().numpy()
            for row, i in enumerate(chunk):
                found[i] = probabilities[row], weights[row, : len(sources[i])]
        self.model.train(was_training)
        return found
