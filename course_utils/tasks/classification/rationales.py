"""Rationales: are the words with large weights those that decide the label, or that people mark?

A rationale is a bool for each word of a text. Scores are any numbers, one for each word.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from course_utils.tasks.classification.classifier import Classifier

__all__ = [
    "TokenAgreement",
    "frequency_scores",
    "per_word",
    "random_scores",
    "token_agreement",
    "token_auprc",
    "word_gradients",
    "word_weights",
]


@dataclass(frozen=True)
class TokenAgreement:
    """Chosen words compared with deciding words, shares from 0 to 1; see `token_agreement`."""

    precision: float
    recall: float
    chance_precision: float
    chosen: float


def _checked(
    scores: Sequence[ArrayLike], rationales: Sequence[ArrayLike]
) -> list[tuple[np.ndarray, np.ndarray]]:
    if len(scores) != len(rationales):
        raise ValueError(f"scores of {len(scores)} texts, but rationales of {len(rationales)}")
    pairs = []
    for number, (one, marks) in enumerate(zip(scores, rationales, strict=True)):
        one, marks = np.asarray(one, dtype=float), np.asarray(marks, dtype=bool)
        if one.shape != marks.shape or one.ndim != 1:
            raise ValueError(
                f"text {number}: scores of shape {one.shape}, but a rationale of shape "
                f"{marks.shape}; each word needs one of each: were both split into the same words?"
            )
        pairs.append((one, marks))
    return pairs


def token_agreement(
    weights: Sequence[ArrayLike], rationales: Sequence[ArrayLike]
) -> TokenAgreement:
    """Words with more than an equal share of the attention, compared with the words that decide.

    A word of a text of n words is *chosen* if its weight exceeds 1/n. Precision is the share of the
    chosen words that decide, recall the share of the deciding words that are chosen, over all texts
    together. Choosing the same number of words at random has, on average, the precision
    ``chance_precision`` and the recall ``chosen``.
    """
    pairs = _checked(weights, rationales)
    chosen = [one > 1 / max(1, len(one)) for one, _ in pairs]
    both = sum(int((c & m).sum()) for c, (_, m) in zip(chosen, pairs, strict=True))
    picked, marked = sum(int(c.sum()) for c in chosen), sum(int(m.sum()) for _, m in pairs)
    words = sum(len(m) for _, m in pairs)
    precision, recall = both / max(1, picked), both / max(1, marked)
    return TokenAgreement(
        precision=precision,
        recall=recall,
        chance_precision=marked / max(1, words),
        chosen=picked / max(1, words),
    )


def token_auprc(scores: Sequence[ArrayLike], rationales: Sequence[ArrayLike]) -> float:
    """Area under the precision–recall curve of words ranked by score, averaged over texts.

    This is ERASER's measure for soft scores (DeYoung et al. 2020, section 4.2), computed as average
    precision (scikit-learn). Texts in which no word or every word is marked are left out. A random
    ranking gets, on average, slightly more than the share of marked words.
    """
    from sklearn.metrics import average_precision_score

    found = [
        average_precision_score(marks, one)
        for one, marks in _checked(scores, rationales)
        if marks.any() and not marks.all()
    ]
    if not found:
        raise ValueError("no text has both marked and unmarked words, so there is nothing to rank")
    return float(np.mean(found))


def random_scores(lengths: Iterable[int], seed: int = 0) -> list[np.ndarray]:
    """Uniform random scores, an array (length,) for each of the ``lengths``."""
    generator = np.random.default_rng(seed)
    return [generator.random(length) for length in lengths]


def frequency_scores(
    texts: Sequence[Sequence[str]], training: Iterable[Sequence[str]]
) -> list[np.ndarray]:
    """Scores that rank rare words first: −log(count in the training texts + 1), ignoring case."""
    counts = Counter(word.lower() for words in training for word in words)
    return [
        np.array([-np.log(counts[word.lower()] + 1) for word in words], dtype=float)
        for words in texts
    ]


def word_weights(classifier: Classifier, texts: Sequence[str]) -> list[np.ndarray]:
    """Attention of the words between spaces, (words,) for each text; a word's pieces are summed."""
    return [
        per_word(verdict.text, classifier.vocabulary.spans(verdict.text), verdict.weights)
        for verdict in classifier.classify(texts)
    ]


def word_gradients(classifier: Classifier, texts: Sequence[str]) -> list[np.ndarray]:
    """|gradient × input| of the words between spaces, (words,) each; a word's pieces are summed."""
    return [
        per_word(text, classifier.vocabulary.spans(text), scores)
        for text, scores in zip(texts, classifier.gradient_times_input(texts), strict=True)
    ]


def per_word(text: str, spans: Sequence[tuple[int, int]], scores: np.ndarray) -> np.ndarray:
    """Scores of pieces summed over the words between spaces, (len(text.split()),).

    ``spans`` are the (start, end) of each piece in the text, ``scores`` (pieces,).
    """
    starts, position = [], 0
    for word in text.split():
        position = text.index(word, position)
        starts.append(position)
        position += len(word)
    summed = np.zeros(len(starts))
    for (start, _), score in zip(spans, scores, strict=True):
        summed[np.searchsorted(starts, start, side="right") - 1] += score
    return summed
