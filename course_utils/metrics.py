"""Metrics: how good an output is, and how well attention found the words it came from.

Translation quality comes from `sacrebleu` with its signature (Post 2018), on a scale of 0 to 100.
Alignments are compared with gold links: pairs (source word, target word), both counted from 0.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "AlignmentScore",
    "TextScore",
    "accuracy",
    "alignment_error_rate",
    "alignment_from_attention",
    "bleu",
    "bootstrap_interval",
    "cer",
    "chance_alignment_error",
    "chrf",
    "cider",
    "diagonal_alignment",
    "exact_match",
    "WordErrors",
    "attention_times",
    "monotonicity",
    "score_by_bucket",
    "time_errors",
    "wer",
    "word_errors",
    "words_from_pieces",
]

Links = Collection[tuple[int, int]]


@dataclass(frozen=True)
class TextScore:
    """A score (0 to 100, a share 0 to 1) and the signature that tells how it was computed."""

    score: float
    signature: str

    def __str__(self) -> str:
        return f"{self.score:.1f} ({self.signature})"


def _same_number(outputs: Sequence, references: Sequence) -> None:
    if len(outputs) != len(references):
        raise ValueError(
            f"{len(outputs)} outputs for {len(references)} references; one of each is needed"
        )
    if not outputs:
        raise ValueError("no outputs to score")


def _alternatives(references: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """The references of each output as a list, also where there is only one."""
    return [[r] if isinstance(r, str) else list(r) for r in references]


def _streams(references: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """As sacrebleu wants them: all first references, all second ones, and so on."""
    lists = _alternatives(references)
    numbers = {len(texts) for texts in lists}
    if len(numbers) != 1 or 0 in numbers:
        raise ValueError(f"every output needs the same number of references, got {numbers}")
    return [list(stream) for stream in zip(*lists, strict=True)]


def bleu(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """Corpus BLEU (Papineni et al. 2002) of detokenised text, by sacrebleu, tokeniser 13a.

    The model's outputs come first; each has one reference, or a list of them. Corpus BLEU is not
    the mean of sentence scores.
    """
    from sacrebleu.metrics import BLEU

    _same_number(outputs, references)
    # force: no warning when outputs end in ' .', as those of the generated corpus do by right.
    metric = BLEU(lowercase=lowercase, force=True)
    score = metric.corpus_score(list(outputs), _streams(references)).score
    return TextScore(score, str(metric.get_signature()))


def chrf(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """Corpus chrF (Popović 2015): F-score of character n-grams, by sacrebleu."""
    from sacrebleu.metrics import CHRF

    _same_number(outputs, references)
    metric = CHRF(lowercase=lowercase)
    score = metric.corpus_score(list(outputs), _streams(references)).score
    return TextScore(score, str(metric.get_signature()))


def cider(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """CIDEr-D (Vedantam et al. 2015, section 5): n-grams weighted by their rarity in references.

    By `pycocoevalcap` (the extra "cider"), which calls CIDEr-D plainly CIDEr, as papers on captions
    do. Its usual tokeniser needs Java; we split at white space after removing punctuation, so a
    figure compares with papers only roughly, and papers print 100 times ours. Rarity is counted
    over the given references: scores of different sets, or of parts of one, do not compare.
    Raises ImportError without the package.
    """
    from pycocoevalcap.cider.cider import Cider

    _same_number(outputs, references)
    fold = str.lower if lowercase else str

    def words(text: str) -> str:
        return " ".join("".join(c if c.isalnum() else " " for c in fold(text)).split())

    truth = {i: [words(t) for t in texts] for i, texts in enumerate(_alternatives(references))}
    score, _ = Cider().compute_score(truth, {i: [words(t)] for i, t in enumerate(outputs)})
    case = "lc" if lowercase else "mixed"
    return TextScore(
        float(score), f"CIDEr-D|case:{case}|tok:words without punctuation|pycocoevalcap"
    )


def exact_match(
    outputs: Sequence[str], references: Sequence[str | Sequence[str]], lowercase: bool = False
) -> TextScore:
    """Share (0 to 1) of outputs that equal a reference of theirs, white space folded."""
    _same_number(outputs, references)
    fold = str.lower if lowercase else str
    right = sum(
        fold(output).split() in [fold(text).split() for text in texts]
        for output, texts in zip(outputs, _alternatives(references), strict=True)
    )
    return TextScore(right / len(outputs), "share of outputs equal to a reference")


def accuracy(
    outputs: Sequence[str], references: Sequence[str], lowercase: bool = False
) -> TextScore:
    """Share (0 to 1) of labels that are right."""
    return TextScore(exact_match(outputs, references, lowercase).score, "share of right labels")


# --- alignment --------------------------------------------------------------------------------


def words_from_pieces(
    weights, source_words: Sequence[int] | None = None, target_words: Sequence[int] | None = None
) -> np.ndarray:
    """Attention between words, from attention between subword pieces.

    ``weights`` (target pieces, source pieces); ``source_words[j]`` is the word of source piece j,
    ``target_words[t]`` that of target piece t. Columns of one source word are summed (its share of
    the attention is what its pieces get together), rows of one target word are averaged.
    """
    matrix = np.asarray(weights, dtype=float)
    if matrix.ndim != 2:
        raise ValueError(f"attention must be a matrix (target, source), got {matrix.shape}")
    for words, size, side in (
        (source_words, matrix.shape[1], "source"),
        (target_words, matrix.shape[0], "target"),
    ):
        if words is not None and len(words) != size:
            raise ValueError(
                f"attention is {matrix.shape} (target, source) but {len(words)} {side} pieces are "
                "named; is the row or column of an end mark still in?"
            )
    if source_words is not None:
        summed = np.zeros((matrix.shape[0], max(source_words, default=-1) + 1))
        np.add.at(summed.T, list(source_words), matrix.T)
        matrix = summed
    if target_words is not None:
        count = max(target_words, default=-1) + 1
        summed = np.zeros((count, matrix.shape[1]))
        np.add.at(summed, list(target_words), matrix)
        pieces = np.bincount(target_words, minlength=count) if count else np.zeros(0)
        matrix = summed / np.maximum(pieces, 1)[:, None]
    return matrix


def alignment_from_attention(weights) -> set[tuple[int, int]]:
    """One link for each target word: to the source word with the largest weight.

    ``weights`` (target words, source words) without the row of the end mark. A row of zeros
    (nothing attended) gives no link.
    """
    matrix = np.asarray(weights, dtype=float)
    return {(int(row.argmax()), t) for t, row in enumerate(matrix) if row.size and row.max() > 0}


def diagonal_alignment(source_length: int, target_length: int) -> set[tuple[int, int]]:
    """The baseline that knows only lengths: target word t links to the source word at t's place."""
    return {
        (min(source_length - 1, int((t + 0.5) * source_length / target_length)), t)
        for t in range(target_length if source_length else 0)
    }


@dataclass(frozen=True)
class AlignmentScore:
    """Alignment error rate of a corpus and what it is made of."""

    error_rate: float
    precision: float
    recall: float


def alignment_error_rate(predicted: Sequence[Links], gold: Sequence[Links]) -> AlignmentScore:
    """Alignment error rate of a corpus, 0 (perfect) to 1 (Och & Ney 2003, section 5.1).

    AER = 1 − 2·|A ∩ G| / (|A| + |G|), with A the predicted and G the gold links, counted over the
    whole corpus. (Och & Ney know sure and possible links; ours are all sure, which makes AER one
    minus the F-score of the links.) How A comes from attention, in this course:

    1. The row of the end mark is left out; so is every source position that is no word.
    2. Between subwords: columns are summed over the pieces of a source word, rows averaged over
       the pieces of a target word (`words_from_pieces`).
    3. Each target word gets one link, to its largest weight (`alignment_from_attention`).
    4. A target word without gold link may be left unaligned in truth: its predicted link is not
       counted, as no source word would have been right. A source word may have no link at all.

    A target word with several gold links (French "du" for "of the") can match only one of them, so
    even a perfect attention has an error rate slightly above 0 where these occur.
    """
    if len(predicted) != len(gold):
        raise ValueError(f"{len(predicted)} predicted alignments for {len(gold)} gold ones")
    matches = predicted_links = gold_links = 0
    for links, truth in zip(predicted, gold, strict=True):
        truth = set(truth)
        aligned = {t for _, t in truth}
        counted = {link for link in links if link[1] in aligned}
        matches += len(counted & truth)
        predicted_links += len(counted)
        gold_links += len(truth)
    if not gold_links:
        raise ValueError("the gold alignments hold no link at all")
    return AlignmentScore(
        error_rate=1 - 2 * matches / (predicted_links + gold_links),
        precision=matches / predicted_links if predicted_links else 0.0,
        recall=matches / gold_links,
    )


def chance_alignment_error(gold: Sequence[Links], source_lengths: Sequence[int]) -> float:
    """Expected error rate when every target word links to a source word drawn at random."""
    if len(source_lengths) != len(gold):
        raise ValueError(f"{len(source_lengths)} source lengths for {len(gold)} gold alignments")
    if not any(gold):
        raise ValueError("the gold alignments hold no link at all")
    matches = predicted = links = 0.0
    for truth, length in zip(gold, source_lengths, strict=True):
        aligned = {t for _, t in truth}
        predicted += len(aligned)
        links += len(set(truth))
        matches += len(set(truth)) / length  # each gold link is hit with probability 1/length
    return 1 - 2 * matches / (predicted + links)


# --- scores by length -------------------------------------------------------------------------


def score_by_bucket(
    lengths: Sequence[int], buckets: Sequence[tuple[int, int]], score
) -> list[tuple[float, float, int]]:
    """Score of each bucket of lengths: (mean length, score, number of examples).

    ``buckets`` are (shortest, longest), both included; ``score(indices)`` gets the indices of the
    examples in a bucket. Empty buckets are left out.
    """
    found = []
    for shortest, longest in buckets:
        indices = [i for i, length in enumerate(lengths) if shortest <= length <= longest]
        if indices:
            mean = sum(lengths[i] for i in indices) / len(indices)
            found.append((mean, score(indices), len(indices)))
    return found


# --- speech -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class WordErrors:
    """What it takes to turn the references into the outputs, counted over all texts together."""

    substitutions: int
    deletions: int
    insertions: int
    words: int  # in the references

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors for each hundred words of the references; above 100 when much was invented."""
        if not self.words:
            raise ValueError("the references hold no word at all: an error rate has no meaning")
        return 100 * self.errors / self.words


def word_errors(
    outputs: Sequence[str],
    references: Sequence[str],
    lowercase: bool = False,
    letters: bool = False,
) -> WordErrors:
    """Substituted, deleted and inserted words by the shortest edit of each pair (jiwer).

    ``letters`` counts characters instead, spaces between words included. White space is folded. A
    text may be empty: every word of the output is then an insertion.
    """
    import jiwer

    _same_number(outputs, references)
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
    for output, reference in pairs:  # jiwer leaves the empty references to us
        if not reference:
            total[2] += len(output if letters else output.split())
    return WordErrors(*total.tolist())


def wer(outputs: Sequence[str], references: Sequence[str], lowercase: bool = False) -> TextScore:
    """Word error rate in per cent: all errors divided by all words of the references.

    Not the mean of the rates of single texts, in which a short text would count as much as a long.
    """
    found = word_errors(outputs, references, lowercase)
    return TextScore(found.rate, "word errors per 100 reference words, jiwer, " + _case(lowercase))


def cer(outputs: Sequence[str], references: Sequence[str], lowercase: bool = False) -> TextScore:
    """Character error rate in per cent: `wer` for letters and the spaces between words."""
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
    """Interval for Σ errors / Σ totals in per cent: texts drawn again with replacement.

    The percentile bootstrap (Efron 1979; Bisani and Ney 2004 for word error rates): errors and
    words of one text stay together, as errors in one text come in company.
    """
    errors, totals = np.asarray(errors, dtype=float), np.asarray(totals, dtype=float)
    if errors.shape != totals.shape or errors.ndim != 1 or not totals.sum():
        raise ValueError(
            f"one number of errors and one of words for each text, got {errors.shape} and "
            f"{totals.shape} with {totals.sum():g} words"
        )
    drawn = np.random.default_rng(seed).integers(len(errors), size=(resamples, len(errors)))
    rates = 100 * errors[drawn].sum(axis=1) / np.maximum(totals[drawn].sum(axis=1), 1)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def attention_times(weights, times) -> np.ndarray:
    """When each output was heard: the time of the largest weight of each row, (Tt,).

    ``weights`` (outputs, positions), ``times`` (positions,) in any unit.
    """
    matrix, times = np.asarray(weights, dtype=float), np.asarray(times, dtype=float)
    if matrix.ndim != 2 or times.shape != (matrix.shape[1],):
        raise ValueError(
            f"attention {matrix.shape} needs a time for each of its positions, got {times.shape}"
        )
    return times[matrix.argmax(axis=1)]


def time_errors(found: Sequence[float], words: Sequence[tuple[float, float]]) -> np.ndarray:
    """Milliseconds from where attention peaked to the middle of each word, (words,).

    ``found`` seconds, one for each word; ``words`` their true (start, end) in seconds.
    """
    found, words = np.asarray(found, dtype=float), np.asarray(words, dtype=float).reshape(-1, 2)
    if found.shape != (len(words),):
        raise ValueError(f"{found.shape} times for {len(words)} words; is the end mark still in?")
    return 1000 * np.abs(found - words.mean(axis=1))


def monotonicity(weights: Sequence) -> float:
    """Share of steps that do not go back: a row peaks where the row before did, or behind.

    ``weights`` is a list of matrices (outputs, positions); 1.0 when there is no step at all.
    """
    forward = steps = 0
    for matrix in weights:
        matrix = np.asarray(matrix, dtype=float)
        if matrix.ndim != 2:
            raise ValueError(f"attention must be a matrix (outputs, positions), got {matrix.shape}")
        moves = np.diff(matrix.argmax(axis=1)) if len(matrix) else np.zeros(0)
        forward, steps = forward + int((moves >= 0).sum()), steps + len(moves)
    return forward / steps if steps else 1.0
