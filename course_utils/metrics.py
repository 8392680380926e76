"""Metrics: how good an output is, and how well attention found the words it came from.

Translation quality is measured by `sacrebleu`, on a scale of 0 to 100, and reported with its
signature (Post 2018). Alignments are compared with gold links: pairs (source word, target word),
both counted from 0.
"""

import math
import operator
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from course_utils.checks import check_list, check_texts

__all__ = [
    "AlignmentScore",
    "TextScore",
    "WordErrors",
    "accuracy",
    "alignment_error_rate",
    "alignment_from_attention",
    "attention_times",
    "bleu",
    "bootstrap_interval",
    "cer",
    "chance_alignment_error",
    "chrf",
    "cider",
    "diagonal_alignment",
    "exact_match",
    "monotonicity",
    "perplexity",
    "score_by_bucket",
    "time_errors",
    "wer",
    "word_errors",
    "words_from_pieces",
]

Links = Collection[tuple[int, int]]
Score = TypeVar("Score")


@dataclass(frozen=True)
class TextScore:
    """A score (0 to 100, or a share from 0 to 1) and a signature: how the score was computed."""

    score: float
    signature: str

    def __str__(self) -> str:
        return f"{self.score:.1f} ({self.signature})"


def _paired(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """The outputs, and a list of references for each of them, even if there is only one.

    Raises TypeError for anything but texts (one text is not a list of texts), and ValueError for no
    outputs, another number of references, or an output without one.
    """
    outputs = check_texts("outputs", outputs)
    several = [
        [given] if isinstance(given, str) else check_texts(f"the references of output {i}", given)
        for i, given in enumerate(check_list("references", references, "texts"))
    ]
    if len(outputs) != len(several):
        raise ValueError(
            f"{len(outputs)} outputs for {len(several)} references; each output needs one"
        )
    if not outputs:
        raise ValueError("no outputs to score")
    if not all(several):
        raise ValueError(f"output {several.index([])} has no reference")
    return outputs, several


def _paired_with_one(
    outputs: Sequence[str], references: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The same where each output has one reference; TypeError for a list of them."""
    texts = check_texts("references", references)
    return _paired(outputs, texts)[0], texts


def _streams(references: list[list[str]]) -> list[list[str]]:
    """The references as sacrebleu expects them: all first ones, all second ones, and so on."""
    numbers = {len(texts) for texts in references}
    if len(numbers) != 1:
        raise ValueError(
            f"every output needs the same number of references, at least one; got {sorted(numbers)}"
        )
    return [list(stream) for stream in zip(*references, strict=True)]


def bleu(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """Corpus BLEU (Papineni et al. 2002) of detokenised text, by sacrebleu with its tokeniser 13a.

    The first argument is the model's outputs; each has one reference or a list of references.
    Corpus BLEU is not the mean of the sentences' scores.

    This and the other scores of texts raise TypeError for anything but texts (one text is not a
    list of texts), and ValueError for no outputs or another number of references.
    """
    from sacrebleu.metrics import BLEU

    outputs, several = _paired(outputs, references)
    # force: no warning about outputs that end in ' .', which is correct in the generated corpus.
    metric = BLEU(lowercase=lowercase, force=True)
    score = metric.corpus_score(outputs, _streams(several)).score
    return TextScore(score, str(metric.get_signature()))


def chrf(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """Corpus chrF (Popović 2015): F-score of character n-grams, computed by sacrebleu."""
    from sacrebleu.metrics import CHRF

    outputs, several = _paired(outputs, references)
    metric = CHRF(lowercase=lowercase)
    score = metric.corpus_score(outputs, _streams(several)).score
    return TextScore(score, str(metric.get_signature()))


def cider(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """CIDEr-D (Vedantam et al. 2015, section 5): n-grams weighted by their rarity in references.

    Computed by `pycocoevalcap` (the extra "cider"), which calls CIDEr-D simply CIDEr, as papers on
    captioning do. Its usual tokeniser needs Java; here, punctuation is removed and the text is
    split at white space. Scores are therefore only roughly comparable with those in papers, which
    are also printed 100 times as large. Rarity is counted over the given references, so scores of
    different sets, or of parts of one set, are not comparable.

    Raises ImportError without the package, and ValueError where the score is undefined: among the
    references of a single input, or of inputs with the same references, no n-gram is rare, and even
    a perfect output would score 0.
    """
    from pycocoevalcap.cider.cider import Cider

    outputs, several = _paired(outputs, references)
    fold = str.lower if lowercase else str

    def words(text: str) -> str:
        return " ".join("".join(c if c.isalnum() else " " for c in fold(text)).split())

    truth = {i: [words(t) for t in texts] for i, texts in enumerate(several)}
    perfect = {i: texts[:1] for i, texts in truth.items()}

    def compute(texts: dict[int, list[str]]) -> float:
        return Cider().compute_score(truth, texts)[0] if any(map(any, truth.values())) else 0.0

    score = compute({i: [words(text)] for i, text in enumerate(outputs)})
    if not score and not compute(perfect):
        raise ValueError(
            f"CIDEr-D is undefined for these {len(outputs)} inputs: every n-gram of the references "
            "occurs for each input, so none is rare; it needs inputs with different references"
        )
    case = "lc" if lowercase else "mixed"
    return TextScore(
        float(score), f"CIDEr-D|case:{case}|tok:words without punctuation|pycocoevalcap"
    )


def exact_match(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """Share (0 to 1) of outputs that equal one of their references, except for white space."""
    outputs, several = _paired(outputs, references)
    fold = str.lower if lowercase else str
    right = sum(
        fold(output).split() in [fold(text).split() for text in texts]
        for output, texts in zip(outputs, several, strict=True)
    )
    return TextScore(right / len(outputs), "share of outputs equal to a reference")


def accuracy(
    outputs: Sequence[str], references: Sequence[str], lowercase: bool = False
) -> TextScore:
    """Share (0 to 1) of labels that are correct."""
    labels, truth = _paired_with_one(outputs, references)
    return TextScore(exact_match(labels, truth, lowercase).score, "share of right labels")


# --- alignment --------------------------------------------------------------------------------


def _numbers(values: ArrayLike) -> np.ndarray:
    """Tensors (any device and type, with or without gradient), lists and arrays as floats.

    Raises ValueError for numbers that are not finite: the largest of them would be arbitrary.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().double()
    numbers = np.asarray(values, dtype=float)
    if not np.isfinite(numbers).all():
        raise ValueError(f"some numbers of shape {numbers.shape} are not finite (NaN, infinite)")
    return numbers


def perplexity(log_probs: ArrayLike, units: int | None = None) -> float:
    """exp(−Σ log p / N): among how many equally probable tokens a model hesitates, on average.

    ``log_probs`` are those of all tokens of one or several texts, in nats. N is their number or,
    if given, ``units``, such as the number of words: models with different vocabularies can be
    compared per word, not per token. A token of probability 0 makes it infinite.

    Raises ValueError without tokens, for log probabilities above 0 or not numbers, and for units
    below 1.
    """
    values = np.asarray(log_probs, dtype=float)
    if not values.size or not (values <= 1e-6).all():
        raise ValueError(
            f"log probabilities are numbers of at most 0, at least one of them; got "
            f"{values.size} up to {values.max(initial=-np.inf)}"
        )
    count = values.size if units is None else units
    if count < 1:
        raise ValueError(f"units is a number of words or the like, at least 1; got {units}")
    mean = -float(values.sum()) / count
    return math.exp(mean) if mean < 700 else math.inf


def words_from_pieces(
    weights: ArrayLike,
    source_words: Sequence[int] | None = None,
    target_words: Sequence[int] | None = None,
) -> np.ndarray:
    """Attention between words, (target words, source words), from attention between subword pieces.

    ``weights`` (target pieces, source pieces); source piece j belongs to word ``source_words[j]``
    and target piece t to word ``target_words[t]``; None leaves that side as it is. The columns of a
    source word are summed, because its attention is that of all its pieces together; the rows of a
    target word are averaged.

    Raises ValueError for other shapes, and for words that are not numbered from 0.
    """
    matrix = _numbers(weights)
    if matrix.ndim != 2:
        raise ValueError(f"attention must be a matrix (target, source), got shape {matrix.shape}")
    for words, size, side in (
        (source_words, matrix.shape[1], "source"),
        (target_words, matrix.shape[0], "target"),
    ):
        if words is not None and len(words) != size:
            raise ValueError(
                f"attention has the shape {matrix.shape} (target, source), but words are given for "
                f"{len(words)} {side} pieces; does it still contain the end mark?"
            )
        if words is not None and any(operator.index(word) < 0 for word in words):
            raise ValueError(f"{side} words are numbered from 0, got {min(words)}")
    if source_words is not None:
        summed = np.zeros((matrix.shape[0], max(source_words, default=-1) + 1))
        np.add.at(summed.T, list(source_words), matrix.T)
        matrix = summed
    if target_words is not None:
        count = max(target_words, default=-1) + 1
        summed = np.zeros((count, matrix.shape[1]))
        np.add.at(summed, list(target_words), matrix)
        pieces = np.bincount(np.asarray(target_words, dtype=int))
        matrix = summed / np.maximum(pieces, 1)[:, None]
    return matrix


def alignment_from_attention(weights: ArrayLike) -> set[tuple[int, int]]:
    """One link for each target word: to the source word with the largest weight.

    ``weights`` (target words, source words) without the row of the end mark. A row of zeros
    (nothing was attended to) gives no link. Raises ValueError for anything but a matrix.
    """
    matrix = _numbers(weights)
    if matrix.ndim != 2 and matrix.size:
        raise ValueError(f"attention must be a matrix (target, source), got shape {matrix.shape}")
    return {(int(row.argmax()), t) for t, row in enumerate(matrix) if row.size and row.max() > 0}


def diagonal_alignment(source_length: int, target_length: int) -> set[tuple[int, int]]:
    """The baseline that knows only the two lengths.

    The middle of target word t, on a scale from 0 to 1, lies in one source word: t links to it.
    Raises ValueError for a negative length.
    """
    if min(source_length, target_length) < 0:
        raise ValueError(f"lengths are at least 0, got {source_length} and {target_length}")
    return {
        (min(source_length - 1, int((t + 0.5) * source_length / target_length)), t)
        for t in range(target_length if source_length else 0)
    }


@dataclass(frozen=True)
class AlignmentScore:
    """Alignment error rate of a corpus, with its precision and recall; all from 0 to 1."""

    error_rate: float
    precision: float
    recall: float


def _links(name: str, alignments: Sequence[Links]) -> list[set[tuple[int, int]]]:
    """Alignments as sets of pairs; ValueError for anything else."""
    found = []
    for links in check_list(name, alignments, "alignments"):
        try:
            found.append({(operator.index(s), operator.index(t)) for s, t in links})
        except (TypeError, ValueError):
            raise ValueError(
                "an alignment is a set of pairs (source word, target word), counted from 0; "
                f"got {str(links)[:80]}"
            ) from None
    return found


def alignment_error_rate(predicted: Sequence[Links], gold: Sequence[Links]) -> AlignmentScore:
    """Alignment error rate of a corpus, 0 (perfect) to 1 (Och & Ney 2003, section 5.1).

    AER = 1 − 2·|A ∩ G| / (|A| + |G|), where A are the predicted and G the gold links of the whole
    corpus. (Och & Ney distinguish sure from possible links; ours are all sure, so AER is one minus
    the F-score of the links.) In this course, A is derived from attention as follows:

    1. The row of the end mark is left out, and so is every source position that is not a word.
    2. If the model reads subwords, columns are summed over the pieces of a source word and rows are
       averaged over the pieces of a target word (`words_from_pieces`).
    3. Each target word gets one link, to its largest weight (`alignment_from_attention`).
    4. The predicted link of a target word without a gold link is not counted, since no source word
       would have been correct. A source word may have no link.

    A target word with several gold links (French "du" for "of the") can match only one of them, so
    where there are such words, even perfect attention has an error rate slightly above 0.

    Raises ValueError if the numbers of alignments differ, there are no gold links, or a link is not
    a pair of numbers.
    """
    found, right = _links("predicted", predicted), _links("gold", gold)
    if len(found) != len(right):
        raise ValueError(f"{len(found)} predicted alignments for {len(right)} gold alignments")
    matches = predicted_links = gold_links = 0
    for links, truth in zip(found, right, strict=True):
        aligned = {t for _, t in truth}
        counted = {link for link in links if link[1] in aligned}
        matches += len(counted & truth)
        predicted_links += len(counted)
        gold_links += len(truth)
    if not gold_links:
        raise ValueError("the gold alignments contain no links")
    return AlignmentScore(
        error_rate=1 - 2 * matches / (predicted_links + gold_links),
        precision=matches / predicted_links if predicted_links else 0.0,
        recall=matches / gold_links,
    )


def chance_alignment_error(gold: Sequence[Links], source_lengths: Sequence[int]) -> float:
    """Expected error rate (0 to 1) if every target word links to a random source word.

    The source word is drawn uniformly, so each gold link is found with probability 1 / length.
    Raises ValueError as `alignment_error_rate` does, and for a link to a word beyond the length.
    """
    right = _links("gold", gold)
    if len(source_lengths) != len(right):
        raise ValueError(f"{len(source_lengths)} source lengths for {len(right)} gold alignments")
    if not any(right):
        raise ValueError("the gold alignments contain no links")
    matches = predicted = links = 0.0
    for truth, length in zip(right, source_lengths, strict=True):
        if not truth:
            continue
        if (last := max(s for s, _ in truth)) >= length:
            raise ValueError(f"a link to source word {last} (counted from 0) of {length}")
        predicted += len({t for _, t in truth})
        links += len(truth)
        matches += len(truth) / length
    return 1 - 2 * matches / (predicted + links)


# --- scores by length -------------------------------------------------------------------------


def score_by_bucket(
    lengths: Sequence[int],
    buckets: Sequence[tuple[int, int]],
    score: Callable[[list[int]], Score],
) -> list[tuple[float, Score, int]]:
    """Score of each bucket of lengths: (mean length, score, number of examples).

    ``buckets`` are (shortest, longest), both included; ``score(indices)`` is called with the
    indices of the examples in a bucket. Empty buckets are left out.
    """
    found, lengths = [], list(lengths)
    for shortest, longest in buckets:
        indices = [i for i, length in enumerate(lengths) if shortest <= length <= longest]
        if indices:
            mean = sum(lengths[i] for i in indices) / len(indices)
            found.append((mean, score(indices), len(indices)))
    return found


# --- speech -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class WordErrors:
    """The edits that turn the references into the outputs, counted over all texts together."""

    substitutions: int
    deletions: int
    insertions: int
    words: int  # in the references

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per 100 words of the references; many insertions can raise it above 100.

        Raises ValueError if the references contain no words.
        """
        if not self.words:
            raise ValueError("the references contain no words, so there is no error rate")
        return 100 * self.errors / self.words


def word_errors(
    outputs: Sequence[str],
    references: Sequence[str],
    lowercase: bool = False,
    letters: bool = False,
) -> WordErrors:
    """Substituted, deleted and inserted words in the shortest edit of each pair (jiwer).

    ``letters`` counts characters instead, including the spaces between words. Runs of white space
    count as one space. A reference may be empty: every word of its output is then an insertion.
    """
    import jiwer

    outputs, references = _paired_with_one(outputs, references)
    fold = str.lower if lowercase else str
    total = np.zeros(4, dtype=int)
    pairs = [
        (" ".join(fold(o).split()), " ".join(fold(r).split()))
        for o, r in zip(outputs, references, strict=True)
    ]
    spoken = [(output, reference) for output, reference in pairs if reference]
    if spoken:
        process = jiwer.process_characters if letters else jiwer.process_words
        found = process([r for _, r in spoken], [o for o, _ in spoken])
        total += (
            found.substitutions,
            found.deletions,
            found.insertions,
            found.substitutions + found.deletions + found.hits,
        )
    for output, reference in pairs:  # jiwer does not accept empty references
        if not reference:
            total[2] += len(output if letters else output.split())
    return WordErrors(*total.tolist())


def wer(outputs: Sequence[str], references: Sequence[str], lowercase: bool = False) -> TextScore:
    """Word error rate in per cent: all errors divided by all words of the references.

    This is not the mean of the texts' rates, in which a short text would count as much as a long
    one.
    """
    found = word_errors(outputs, references, lowercase)
    return TextScore(found.rate, "word errors per 100 reference words, jiwer, " + _case(lowercase))


def cer(outputs: Sequence[str], references: Sequence[str], lowercase: bool = False) -> TextScore:
    """Character error rate in per cent: `wer` of characters, including spaces between words."""
    found = word_errors(outputs, references, lowercase, letters=True)
    return TextScore(found.rate, "letter errors per 100 reference letters, " + _case(lowercase))


def _case(lowercase: bool) -> str:
    return "lowercased" if lowercase else "cased"


def bootstrap_interval(
    errors: Sequence[float],
    totals: Sequence[float],
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval for Σ errors / Σ totals, in per cent.

    Texts are drawn with replacement, ``resamples`` times (Efron 1979; Bisani and Ney 2004 for word
    error rates). The errors and words of one text stay together, because the errors in a text are
    not independent. The interval covers the share ``level`` of the resampled rates.

    Raises ValueError for fewer than two texts, for sizes that differ, for no words at all, for
    negative numbers, and for a ``level`` outside 0 to 1.
    """
    from scipy.stats import bootstrap

    if not 0 < level < 1:
        raise ValueError(f"level is a share between 0 and 1, got {level}")
    wrong, words = _numbers(errors), _numbers(totals)
    if wrong.shape != words.shape or wrong.ndim != 1 or len(wrong) < 2 or not words.sum():
        raise ValueError(
            "an interval needs errors and words for each text, and at least 2 texts; got "
            f"shapes {wrong.shape} and {words.shape} with {words.sum():g} words"
        )
    if min(wrong.min(), words.min()) < 0:
        raise ValueError("errors and words are counted, so they are not negative")

    def rate(wrong: np.ndarray, words: np.ndarray, axis: int) -> np.ndarray:
        return 100 * wrong.sum(axis=axis) / np.maximum(words.sum(axis=axis), 1)

    found = bootstrap(
        (wrong, words),
        rate,
        n_resamples=resamples,
        confidence_level=level,
        method="percentile",
        paired=True,
        vectorized=True,
        rng=seed,
    ).confidence_interval
    return float(found.low), float(found.high)


def attention_times(weights: ArrayLike, times: ArrayLike) -> np.ndarray:
    """When each output was heard: the time of the largest weight of each row, (outputs,).

    ``weights`` (outputs, positions), ``times`` (positions,) in any unit.
    """
    matrix, moments = _numbers(weights), _numbers(times)
    if matrix.ndim != 2 or moments.shape != (matrix.shape[1],):
        raise ValueError(
            f"attention of shape {matrix.shape} (outputs, positions) needs a time for each "
            f"position; got times of shape {moments.shape}"
        )
    return moments[matrix.argmax(axis=1)]


def time_errors(found: Sequence[float], words: Sequence[tuple[float, float]]) -> np.ndarray:
    """Milliseconds between the peak of attention and the middle of each word, (words,).

    ``found`` (words,) times in seconds; ``words`` the true (start, end) of each, in seconds.
    """
    peaks, ends = _numbers(found), _numbers(words)
    if not ends.size:
        ends = ends.reshape(0, 2)
    if ends.ndim != 2 or ends.shape[1] != 2:
        raise ValueError(f"a word has a start and an end, (words, 2); got shape {ends.shape}")
    if peaks.shape != (len(ends),):
        raise ValueError(
            f"times of shape {peaks.shape} for {len(ends)} words; is the end mark still in?"
        )
    return 1000 * np.abs(peaks - ends.mean(axis=1))


def monotonicity(weights: Sequence[ArrayLike]) -> float:
    """Share (0 to 1) of steps that do not go back.

    A step leads from one row of a matrix to the next; it goes back if the next row has its largest
    weight further left. ``weights`` are matrices (outputs, positions); 1.0 if there are no steps.
    """
    forward = steps = 0
    for matrix in weights:
        matrix = _numbers(matrix)
        if matrix.ndim != 2:
            raise ValueError(
                f"attention must be a matrix (outputs, positions), got shape {matrix.shape}"
            )
        moves = np.diff(matrix.argmax(axis=1)) if len(matrix) else np.zeros(0)
        forward, steps = forward + int((moves >= 0).sum()), steps + len(moves)
    return forward / steps if steps else 1.0
