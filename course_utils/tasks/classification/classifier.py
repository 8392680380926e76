"""`Classifier`: texts → `Classification`, each with the weights of its words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.batches import Example
from course_utils.models.classifiers import TextClassifier
from course_utils.runtime import evaluating
from course_utils.tasks.base import Pair, Predictor
from course_utils.tasks.classification.data import kept_positions, make_labelled_batch
from course_utils.tasks.inference import in_batches
from course_utils.vocabulary import UNK

__all__ = ["Classification", "Classifier"]


@dataclass(frozen=True)
class Classification:
    """A text with its verdict.

    spans          where each word is in the text: (first character, one past the last)
    weights        (words,) how much each contributes to the pooled vector; 0 if it was not read
    probabilities  of each label; ``label`` is the most probable one, ``probability`` its
                   probability
    unknown        how many of the words are not in the vocabulary
    """

    text: str
    spans: list[tuple[int, int]]
    weights: np.ndarray
    probabilities: dict[str, float]
    unknown: int = 0

    @property
    def words(self) -> list[str]:
        return [self.text[start:end] for start, end in self.spans]

    @property
    def label(self) -> str:
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def probability(self) -> float:
        return self.probabilities[self.label]

    @property
    def mostly_unknown(self) -> bool:
        """Whether the model knows at most half of the words, so that its verdict means little."""
        return 2 * self.unknown >= len(self.spans) > 0


class Classifier(Predictor):
    """A model and its vocabulary, ready to label texts. `load` gets one from a checkpoint.

    Logits are divided by ``temperature`` before they become probabilities (Guo et al. 2017,
    eq. 9): above 1, the verdicts are less certain. `calibrate` chooses it.
    """

    model: TextClassifier
    model_type = TextClassifier
    temperature = 1.0

    def use(self, calibration: dict[str, float]) -> None:
        """Set the temperature of a card."""
        temperature = float(calibration.get("temperature", 1.0))
        if not 0 < temperature < math.inf:
            raise ValueError(f"a temperature is a number above 0, got {temperature}")
        self.temperature = temperature

    def calibrate(self, pairs: Sequence[Pair]) -> dict[str, float]:
        """Set the temperature that makes the labels of ``pairs`` most probable.

        The best of 100 values between 0.5 and 5, evenly spaced in their logarithms. It changes no
        verdict. ``pairs`` are (text, label), not those of the training.
        """
        self.temperature = 1.0
        found = self.classify([text for text, _ in pairs])
        labels = list(self.model.labels)
        given = torch.tensor([[verdict.probabilities[x] for x in labels] for verdict in found])
        logits = given.clamp(min=1e-12).log()
        right = torch.tensor([labels.index(str(label)) for _, label in pairs])
        values = torch.logspace(np.log10(0.5), np.log10(5), 100).tolist()
        losses = [float(F.cross_entropy(logits / value, right)) for value in values]
        self.temperature = round(values[int(np.argmin(losses))], 3)
        return {"temperature": self.temperature}

    def classify(self, texts: Sequence[str], batch_size: int = 64) -> list[Classification]:
        """The verdict on each text, in order. It does not depend on the other texts.

        A text without words gets the label that the bias of the last layer prefers.
        """
        texts = list(texts)
        encoded = self.vocabulary.encode_all(texts)
        kept = [kept_positions(len(ids), self.model.longest) for ids in encoded]
        read = [[ids[i] for i in places] for ids, places in zip(encoded, kept, strict=True)]
        with evaluating(self.model):
            found = in_batches(read, batch_size, self._run)
        verdicts = []
        for text, ids, places, (probabilities, shares) in zip(
            texts, encoded, kept, found, strict=True
        ):
            weights = np.zeros(len(ids))
            weights[places] = shares
            spans = self.vocabulary.spans(text)
            named = dict(zip(self.model.labels, probabilities.tolist(), strict=True))
            verdicts.append(Classification(text, spans, weights, named, ids.count(UNK)))
        return verdicts

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """The labels alone."""
        return [verdict.label for verdict in self.classify(inputs)]

    def gradient_times_input(self, texts: Sequence[str]) -> list[np.ndarray]:
        """|Σ_d x_d ∂z/∂x_d| of each piece, where z is the logit of the predicted label.

        x is the embedding of the piece (and of its pair, if the model has pairs). To first order,
        this is how much z would change if x were zero (Shrikumar et al. 2017). Pieces that are not
        read get 0.
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
    def _run(self, sources: list[list[int]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Probabilities and weights of each list of ids, as one batch."""
        batch = make_labelled_batch([Example(ids, [0]) for ids in sources])
        logits, weights = self.model.attend(batch.to(self.model.device).source)
        probabilities = (logits / self.temperature).softmax(dim=-1).cpu().double().numpy()
        shares = weights.cpu().double().numpy()
        return [
            (row, share[: len(ids)])
            for row, share, ids in zip(probabilities, shares, sources, strict=True)
        ]
