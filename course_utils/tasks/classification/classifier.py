"""The classifier: texts in, labels out, with the weights of the words they came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from course_utils.batches import Example
from course_utils.models.classifiers import TextClassifier
from course_utils.runtime import evaluating
from course_utils.tasks.base import Predictor
from course_utils.tasks.classification.data import kept_positions, make_labelled_batch

__all__ = ["Classification", "Classifier"]


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


class Classifier(Predictor):
    """A trained classifier with its vocabulary. Use `load` for a checkpoint."""

    model_type = TextClassifier

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

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """Only the labels."""
        return [verdict.label for verdict in self.classify(inputs)]

    def gradient_times_input(self, texts: Sequence[str]) -> list[np.ndarray]:
        """|Σ_d x_d ∂z/∂x_d| of each piece: z is the predicted label's logit, x what enters for it.

        To first order, how much z would change if x, its embedding (and that of its pair, where
        the model has pairs), were zero (Shrikumar et al. 2017). Pieces that are not read get 0.
        """
        with evaluating(self.model):
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
                    scores[places] = (
                        (gradient * embedded).sum(dim=-1)[0].abs().detach().cpu().numpy()
                    )
                found.append(scores)
        return found

    @torch.no_grad()
    def _run(
        self, sources: list[list[int]], batch_size: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Probabilities and weights of each list of ids; similar lengths go together."""
        with evaluating(self.model):
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
        return found
