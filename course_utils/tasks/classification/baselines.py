"""Baselines without a network of our own: what any text classifier has to beat."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from course_utils.models.seq2seq import count_parameters
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.classification.data import ClassificationData

__all__ = ["MajorityBaseline", "MeanOfTwo", "TfidfBaseline"]


class MajorityBaseline:
    """Always predicts the most frequent label of the training texts; ``seed`` has no effect."""

    def __init__(self, data: ClassificationData, seed: int = 0):
        self.label = Counter(label for _, label in data.train).most_common(1)[0][0]
        self.parameters = 0

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """The label of each text, in order."""
        return [self.label for _ in inputs]


class TfidfBaseline:
    """Logistic regression on TF-IDF of words and pairs of neighbouring words (scikit-learn).

    Counts enter as 1 + log count; terms that occur in a single text are left out. ``strengths`` are
    the inverse regularisation strengths (C) to choose from, by accuracy on the validation texts.
    Nothing is random: ``seed`` has no effect.
    """

    def __init__(
        self,
        data: ClassificationData,
        seed: int = 0,
        ngrams: tuple[int, int] = (1, 2),
        strengths: Sequence[float] = (3.0, 30.0),
    ):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        self.vectorizer = TfidfVectorizer(
            ngram_range=ngrams, min_df=2, sublinear_tf=True, token_pattern=r"(?u)\w+(?:['’]\w+)*"
        )
        train, labels = zip(*data.train, strict=True)
        valid, right = zip(*data.valid, strict=True)
        features = self.vectorizer.fit_transform(train)
        held_out = self.vectorizer.transform(valid)
        self.valid_accuracy = -1.0
        for strength in strengths:
            model = LogisticRegression(C=strength, solver="liblinear").fit(features, labels)
            score = float(model.score(held_out, right))
            if score > self.valid_accuracy:
                self.valid_accuracy, self.strength, self.model = score, strength, model
        self.parameters = int(self.model.coef_.size + self.model.intercept_.size)

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """The label of each text, in order."""
        return [str(label) for label in self.model.predict(self.vectorizer.transform(inputs))]

    def probabilities(self, inputs: Sequence[str]) -> np.ndarray:
        """(texts, labels) probabilities; labels in the order of ``self.model.classes_``."""
        return self.model.predict_proba(self.vectorizer.transform(inputs))


class MeanOfTwo:
    """The mean of the probabilities of a `TfidfBaseline` and of a trained ``checkpoint``.

    Two classifiers that err on different texts are right more often together. Their mean has no
    parameters to fit.
    """

    def __init__(
        self, data: ClassificationData, seed: int = 0, checkpoint: str = "classification-imdb"
    ):
        self.linear, self.network = TfidfBaseline(data, seed), Classifier.load(checkpoint)
        self.parameters = self.linear.parameters + count_parameters(self.network.model)

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """The label of each text, in order."""
        labels = [str(label) for label in self.linear.model.classes_]
        network = [
            [v.probabilities[name] for name in labels] for v in self.network.classify(inputs)
        ]
        both = self.linear.probabilities(inputs) + np.array(network)
        return [labels[i] for i in both.argmax(axis=1)]
