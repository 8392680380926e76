"""Rationales: do the words with large weights agree with those that decide, or that people mark?

A rationale is one bool for each word of a text. Scores are numbers of any size, one for each word.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

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
    """Chosen words against deciding words, shares from 0 to 1; see `token_agreement`."""

    precision: float
    recall: float
    chance_precision: float
    chosen: float


def _checked(scores: Sequence, rationales: Sequence) -> list[tuple[np.ndarray, np.ndarray]]:
    if len(scores) != len(rationales):
        raise ValueError(f"{len(scores)} texts with scores, {len(rationales)} with rationales")
    pairs = []
    for number, (one, marks) in enumerate(zip(scores, rationales, strict=True)):
        one, marks = np.asarray(one, dtype=float), np.asarray(marks, dtype=bool)
        if one.shape != marks.shape or one.ndim != 1:
            raise ValueError(
                f"text {number}: scores of shape {one.shape}, a rationale of shape {marks.shape}; "
                "one of each is needed for every word: were the texts cut into words alike?"
            )
        pairs.append((one, marks))
    return pairs


def token_agreement(weights: Sequence, rationales: Sequence) -> TokenAgreement:
    """Words with more than an even share of the attention, against the words that decide.

    A word of a text of n words is *chosen* when its weight exceeds 1/n. Precision: the share of the
    chosen words that decide; recall: the share of the deciding words that are chosen; all texts
    together. Who chooses as many words blindly has ``chance_precision`` and the recall ``chosen``.
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


def token_auprc(scores: Sequence, rationales: Sequence) -> float:
    """Area under the precision–recall curve of words ranked by score, the mean over texts.

    The measure of ERASER for soft scores (DeYoung et al. 2020, section 4.2), as average precision
    (scikit-learn). Texts without a marked word, or without an unmarked one, are left out. Who ranks
    at random gets, on average, a little more than the share of marked words.
    """
    from sklearn.metrics import average_precision_score

    found = [
        average_precision_score(marks, one)
        for one, marks in _checked(scores, rationales)
        if marks.any() and not marks.all()
    ]
    if not found:
        raise ValueError("no text has both marked and unmarked words: nothing to rank")
    return float(np.mean(found))


def random_scores(lengths: Iterable[int], seed: int = 0) -> list[np.ndarray]:
    """Scores by lot."""
    generator = np.random.default_rng(seed)
    return [generator.random(length) for length in lengths]


def frequency_scores(
    texts: Sequence[Sequence[str]], training: Iterable[Sequence[str]]
) -> list[np.ndarray]:
    """Rare words first: −log of how often a word occurs in the training texts, plus one."""
    counts = Counter(word.lower() for words in training for word in words)
    return [
        np.array([-np.log(counts[word.lower()] + 1) for word in words], dtype=float)
        for words in texts
    ]


def word_weights(classifier: Classifier, texts: Sequence[str]) -> list[np.ndarray]:
    """Attention of the words that spaces separate: pieces of one word count together."""
    return [
        per_word(verdict.text, classifier.vocabulary.spans(verdict.text), verdict.weights)
        for verdict in classifier.classify(texts)
    ]


def word_gradients(classifier: Classifier, texts: Sequence[str]) -> list[np.ndarray]:
    """|gradient × input| of the words that spaces separate."""
    return [
        per_word(text, classifier.vocabulary.spans(text), scores)
        for text, scores in zip(texts, classifier.gradient_times_input(texts), strict=True)
    ]


def per_word(text: str, spans: Sequence[tuple[int, int]], scores: np.ndarray) -> np.ndarray:
    """Scores of pieces summed over the words that spaces separate: (len(text.split()),)."""
    starts, position = [], 0
    for word in text.split():
        position = text.index(word, position)
        starts.append(position)
        position += len(word)
    summed = np.zeros(len(starts))
    for (start, _), score in zip(spans, scores, strict=True):
        summed[np.searchsorted(starts, start, side="right") - 1] += score
    return summed
