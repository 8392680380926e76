"""What is measured of summaries: ROUGE, repetition, pointing; and whether a difference is real."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from course_utils.checks import check_texts
from course_utils.metrics import TextScore

__all__ = [
    "ROUGE",
    "paired_difference",
    "pointer_accuracy",
    "repeated_ngrams",
    "rouge1",
    "rouge2",
    "rouge_l",
    "rouge_scores",
]

ROUGE = ("rouge1", "rouge2", "rougeL")


def rouge_scores(outputs: Sequence[str], references: Sequence[str], kind: str) -> np.ndarray:
    """ROUGE F1 of each output, 0 to 100, (texts,) (Lin 2004), by `rouge-score`.

    kind: "rouge1" (words), "rouge2" (pairs of words) or "rougeL" (longest common subsequence).
    Case and punctuation do not count, and words are compared by their stems.

    Raises ValueError for an unknown kind, no outputs, or another number of references.
    """
    from rouge_score.rouge_scorer import RougeScorer

    if kind not in ROUGE:
        raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(ROUGE)}")
    outputs, references = check_texts("outputs", outputs), check_texts("references", references)
    if not outputs or len(outputs) != len(references):
        raise ValueError(
            f"{len(outputs)} outputs for {len(references)} references; each output needs one"
        )
    scorer = RougeScorer([kind], use_stemmer=True)
    pairs = zip(references, outputs, strict=True)
    return np.array([100 * scorer.score(right, found)[kind].fmeasure for right, found in pairs])


def _rouge(kind: str, outputs: Sequence[str], references: Sequence[str]) -> TextScore:
    from importlib.metadata import version

    score = float(rouge_scores(outputs, references, kind).mean())
    return TextScore(score, f"{kind} F1|case:lc|stemmer:yes|rouge-score:{version('rouge-score')}")


def rouge1(outputs: Sequence[str], references: Sequence[str], lowercase: bool = True) -> TextScore:
    """Mean ROUGE-1 F1 of all texts, 0 to 100; case never counts."""
    return _rouge("rouge1", outputs, references)


def rouge2(outputs: Sequence[str], references: Sequence[str], lowercase: bool = True) -> TextScore:
    """Mean ROUGE-2 F1 of all texts, 0 to 100; case never counts."""
    return _rouge("rouge2", outputs, references)


def rouge_l(outputs: Sequence[str], references: Sequence[str], lowercase: bool = True) -> TextScore:
    """Mean ROUGE-L F1 of all texts, 0 to 100; case never counts."""
    return _rouge("rougeL", outputs, references)


def repeated_ngrams(texts: Sequence[str], n: int) -> float:
    """Share (0 to 1) of n-grams of words that occurred before in the same text.

    All texts together; 0 if no text has ``n`` words. Raises ValueError for ``n`` below 1.
    """
    if n < 1:
        raise ValueError(f"an n-gram has at least one word, got n={n}")
    repeated = total = 0
    for text in check_texts("texts", texts):
        words = text.split()
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        repeated += len(grams) - len(set(grams))
        total += len(grams)
    return repeated / total if total else 0.0


def pointer_accuracy(weights: Sequence[ArrayLike], places: Sequence[Sequence[int | None]]) -> float:
    """Share (0 to 1) of copied words whose largest weight is at the place that they come from.

    weights  a matrix (words of the summary, words of the text) for each summary
    places   for each word of each summary, its true place; None for a word that is not copied

    Raises ValueError if a matrix has another number of rows, or if no word is copied.
    """
    right = copied = 0
    for matrix, truth in zip(weights, places, strict=True):
        rows = np.asarray(matrix, dtype=float)
        if len(rows) != len(truth):
            raise ValueError(f"{len(rows)} rows of weights for {len(truth)} words of a summary")
        for row, place in zip(rows, truth, strict=True):
            if place is not None:
                copied += 1
                right += int(row.argmax() == place)
    if not copied:
        raise ValueError("no word of these summaries is copied, so there is nothing to point at")
    return right / copied


def paired_difference(
    first: ArrayLike, second: ArrayLike, resamples: int = 5000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of first − second over texts, with its 95% interval (paired bootstrap, Efron 1979).

    Both hold one score for each text, of the same texts in the same order. Raises ValueError for
    sizes that differ and for fewer than two texts.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(
            f"a paired comparison needs two scores of each text, and at least 2 texts; got shapes "
            f"{a.shape} and {b.shape}"
        )
    difference, generator = a - b, np.random.default_rng(seed)
    means = [difference[generator.integers(len(a), size=len(a))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(difference.mean()), float(low), float(high)
