"""Metrics, vocabulary, texts, claims and comparisons against loops and other libraries."""

import contextlib
import html.parser
import io
import itertools
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import sacrebleu
import torch
from sklearn.metrics import average_precision_score

from course_utils import metrics
from course_utils.claims import ClaimError, claim
from course_utils.commands.files import picture_path
from course_utils.exercises.comparing import difference
from course_utils.exercises.showing import describe
from course_utils.messages import localised
from course_utils.plotting.matrices import attention_matrix
from course_utils.plotting.style import plt
from course_utils.plotting.texts import html_page
from course_utils.tasks.captioning.pointing import cover, pointing
from course_utils.tasks.classification.data import kept_positions
from course_utils.tasks.classification.rationales import token_agreement, token_auprc
from course_utils.tasks.translation.translator import Translator
from course_utils.timing import Row, table
from course_utils.vocabulary import BOS, EOS, PAD, SPECIAL, UNK, Vocabulary
from tools.campaign.core import Choices, Wrong, expect, probe
from tools.campaign.mutations import mutated_text
from tools.tiny import TEXTS, tiny_translator, tiny_vocabulary

WORDS = ("a", "b", "cat", "dog", "sat", "the", "mat", "on", "B", "is")


def sentence(c: Choices, most: int = 8, least: int = 0) -> str:
    return " ".join(c.one_of(WORDS) for _ in range(c.integer(least, most)))


def near(found: float, expected: float, what: str, room: float = 1e-6) -> None:
    expect(abs(found - expected) <= room, f"{what} is {found}, expected {expected}")


# --- word errors ------------------------------------------------------------------------------


def distance(one: Sequence, other: Sequence) -> int:
    """The number of edits, by the table of Levenshtein."""
    row = list(range(len(other) + 1))
    for i, x in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


@probe("scores.word-errors", 600)
def word_errors(c: Choices) -> None:
    """Word and letter errors: a table of edit distances, summed over the texts."""
    pairs = []
    for _ in range(c.integer(1, 4)):
        reference = sentence(c)
        if c.chance(0.7):
            c.mutated("an output made from its reference")
            words = reference.split()
            for _ in range(c.below(3)):
                at = c.below(len(words) + 1)
                words[at : at + c.below(2)] = [c.one_of(WORDS)] * c.below(2)
            output = c.one_of((" ", "  ", "\t")).join(words)
        else:
            output = sentence(c)
        pairs.append((output, reference))
    outputs, references = [list(x) for x in zip(*pairs, strict=True)]
    lowercase = c.chance(0.3)
    c.show(outputs=outputs, references=references, lowercase=lowercase)
    fold = str.lower if lowercase else str
    for letters in (False, True):
        cut: Callable[[str], Sequence] = (
            (lambda t: " ".join(fold(t).split())) if letters else (lambda t: fold(t).split())
        )
        errors = sum(distance(cut(o), cut(r)) for o, r in pairs)
        total = sum(len(cut(r)) for r in references)
        found = metrics.word_errors(outputs, references, lowercase, letters)
        near(found.errors, errors, "the number of errors")
        near(found.words, total, "the number of words")
        gain = sum(len(cut(o)) for o in outputs) - total
        near(found.insertions - found.deletions, gain, "insertions minus deletions")
        expect(min(found.substitutions, found.insertions, found.deletions) >= 0, "a negative count")
        score = metrics.cer if letters else metrics.wer
        if total:
            near(
                score(outputs, references, lowercase).score, 100 * errors / total, "the rate", 1e-9
            )
        else:
            try:
                score(outputs, references, lowercase)
            except ValueError:
                continue
            raise Wrong("an error rate without words")


# --- texts ------------------------------------------------------------------------------------


def plain_bleu(outputs: list[list[str]], references: list[list[list[str]]]) -> float:
    """Papineni et al.'s formula with sacrebleu's exponential smoothing, for lists of words."""
    hits, totals, long, best = [0] * 4, [0] * 4, 0, 0
    for output, several in zip(outputs, references, strict=True):
        long += len(output)
        best += min((abs(len(r) - len(output)), len(r)) for r in several)[1]
        for n in range(1, 5):
            own = Counter(tuple(output[i : i + n]) for i in range(len(output) - n + 1))
            most: Counter = Counter()
            for r in several:
                most |= Counter(tuple(r[i : i + n]) for i in range(len(r) - n + 1))
            hits[n - 1] += sum((own & most).values())
            totals[n - 1] += sum(own.values())
    if not hits[0] or not all(totals):
        return math.nan
    precisions, smooth = [], 1.0
    for hit, total in zip(hits, totals, strict=True):
        if not hit:
            smooth *= 2
        precisions.append(hit / total if hit else 1 / (smooth * total))
    short = 1.0 if long > best else math.exp(1 - best / long)
    return 100 * short * math.exp(sum(map(math.log, precisions)) / 4)


@probe("scores.text", 500)
def text_scores(c: Choices) -> None:
    """BLEU and chrF: sacrebleu, and BLEU by its formula; exact match and accuracy by loops."""
    count, several = c.integer(1, 4), c.integer(1, 3)
    references: list[Any] = [[sentence(c, 9, 1) for _ in range(several)] for _ in range(count)]
    outputs = []
    for texts in references:
        text = c.one_of(texts) if c.chance(0.7) else sentence(c, 9)
        if c.chance():
            c.mutated("an output made from its reference")
            words = text.split()
            at = c.below(len(words) + 1)
            text = " ".join(words[:at] + [c.one_of(WORDS)] * c.below(3) + words[at + c.below(2) :])
        outputs.append(text)
    lowercase = c.chance(0.3)
    c.show(outputs=outputs, references=references, lowercase=lowercase)
    streams = [list(stream) for stream in zip(*references, strict=True)]
    fold = str.lower if lowercase else str
    right = sacrebleu.corpus_bleu(outputs, streams, lowercase=lowercase, force=True).score
    near(metrics.bleu(outputs, references, lowercase).score, right, "BLEU")
    plain = plain_bleu(
        [fold(o).split() for o in outputs], [[fold(t).split() for t in ts] for ts in references]
    )
    if not math.isnan(plain):
        near(metrics.bleu(outputs, references, lowercase).score, plain, "BLEU by its formula", 1e-4)
    right = sacrebleu.corpus_chrf(outputs, streams).score
    if not lowercase:
        near(metrics.chrf(outputs, references).score, right, "chrF")
    if several == 1:
        single = [texts[0] for texts in references]
        near(
            metrics.bleu(outputs, single, lowercase).score,
            metrics.bleu(outputs, references, lowercase).score,
            "BLEU of texts",
        )
    first = [texts[0] for texts in references]
    if all(len(text.split()) >= 4 for text in first):
        near(metrics.bleu(first, references).score, 100, "BLEU of a reference")
    order = c.order(count)
    for score in (metrics.bleu, metrics.chrf, metrics.exact_match):
        one = score(outputs, references, lowercase).score
        other = score([outputs[i] for i in order], [references[i] for i in order], lowercase).score
        near(one, other, f"{score.__name__} in another order", 1e-9)
    right = np.mean(
        [
            fold(o).split() in [fold(t).split() for t in ts]
            for o, ts in zip(outputs, references, strict=True)
        ]
    )
    near(metrics.exact_match(outputs, references, lowercase).score, float(right), "exact match")
    right = np.mean(
        [fold(o).split() == fold(t).split() for o, t in zip(outputs, first, strict=True)]
    )
    near(metrics.accuracy(outputs, first, lowercase).score, float(right), "accuracy")


@probe("scores.cider", 150)
def cider(c: Choices) -> None:
    """CIDEr-D by its formula (Vedantam et al. 2015), with the penalty for length of CIDEr-D."""
    count = c.integer(2, 4)
    references = [[sentence(c, 7, 1) for _ in range(c.integer(1, 3))] for _ in range(count)]
    outputs = [c.one_of(texts) if c.chance() else sentence(c, 7, 1) for texts in references]
    c.show(outputs=outputs, references=references)

    def grams(text: str, n: int) -> Counter:
        words = text.split()
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    total = 0.0
    for output, several in zip(outputs, references, strict=True):
        for n in range(1, 5):
            seen: Counter = Counter()
            for texts in references:
                seen.update({g for text in texts for g in grams(text, n)})

            def vector(text: str, n: int = n, seen: Counter = seen) -> dict:
                return {
                    g: k * (math.log(count) - math.log(max(1.0, seen[g])))
                    for g, k in grams(text, n).items()
                }

            own = vector(output)
            for text in several:
                other = vector(text)
                dot = sum(min(own[g], other[g]) * other[g] for g in own if g in other)
                norms = math.sqrt(sum(x * x for x in own.values())) * math.sqrt(
                    sum(x * x for x in other.values())
                )
                gap = max(0, len(output.split()) - 1) - max(0, len(text.split()) - 1)
                total += (
                    10
                    / 4
                    * (dot / norms if norms else dot)
                    * math.exp(-(gap**2) / 72)
                    / len(several)
                )
    try:
        found = metrics.cider(outputs, references).score
    except ValueError as error:
        expect(total < 1e-9 and str(error), f"refused: {error}")
        return
    near(found, total / count, "CIDEr", 1e-4)


@probe("scores.wrong-texts", 300)
def wrong_texts(c: Choices) -> None:
    """Scores of things that are not texts, or not as many: an error that says so."""
    name = c.one_of(("bleu", "chrf", "wer", "cer", "exact_match", "accuracy", "cider"))
    outputs: Any = ["a b c d", "the cat sat on"]
    references: Any = ["a b c d", "the cat sat there"]
    if name in ("bleu", "chrf", "cider"):
        references = [[r, r + " on"] for r in references]
    how = c.one_of(
        (
            "a text for outputs",
            "a text for references",
            "one less",
            "lists for outputs",
            "numbers",
            "none",
            "bytes",
            "no references",
            "unequal numbers",
            "nested",
            "empty texts",
            "a mapping",
        )
    )
    c.mutated(how)
    c.show(name=name, how=how)
    must_fail = True
    if how == "a text for outputs":
        outputs = "ab"
    elif how == "a text for references":
        references = "ab"
    elif how == "one less":
        outputs = outputs[:1]
    elif how == "lists for outputs":
        outputs = [[o] for o in outputs]
    elif how == "numbers":
        outputs = [1, 2]
    elif how == "none":
        outputs = [None, "a"]
    elif how == "bytes":
        outputs = [o.encode() for o in outputs]
    elif how == "no references":
        references = [[], []]
    elif how == "unequal numbers":
        references = [["a"], ["a", "b"]]
        must_fail = name in ("bleu", "chrf", "wer", "cer", "accuracy")
    elif how == "nested":
        references = [[["a"]], [["b"]]]
    elif how == "empty texts":
        outputs, must_fail = ["", ""], False
    else:
        outputs = {"a": 1, "b": 2}
        must_fail = False
    try:
        found = getattr(metrics, name)(outputs, references)
    except (ValueError, TypeError) as error:
        expect(str(error), "an error without a message")
        return
    expect(math.isfinite(found.score), f"{name} gives {found.score}")
    expect(not must_fail, f"{name} of {how} gives {found.score} without a word")


# --- alignments and other shares --------------------------------------------------------------


@probe("scores.alignment", 500)
def alignment(c: Choices) -> None:
    """Alignments, their error rate, and the baselines, by loops and sets."""
    count = c.integer(1, 3)
    sizes = [(c.integer(1, 5), c.integer(1, 5)) for _ in range(count)]

    def links(size: tuple[int, int]) -> set[tuple[int, int]]:
        return {(c.below(size[0]), c.below(size[1])) for _ in range(c.below(6))}

    predicted, gold = [links(s) for s in sizes], [links(s) for s in sizes]
    c.show(predicted=predicted, gold=gold)
    total = sum(map(len, gold))
    if not total:
        for function in (
            lambda: metrics.alignment_error_rate(predicted, gold),
            lambda: metrics.chance_alignment_error(gold, [s for s, _ in sizes]),
        ):
            try:
                function()
            except ValueError:
                continue
            raise Wrong("an error rate without gold links")
        return
    kept = [
        {(s, t) for s, t in p if any(u == t for _, u in g)}
        for p, g in zip(predicted, gold, strict=True)
    ]
    hits, own = sum(len(k & g) for k, g in zip(kept, gold, strict=True)), sum(map(len, kept))
    found = metrics.alignment_error_rate(predicted, gold)
    near(found.error_rate, 1 - 2 * hits / (own + total), "AER")
    near(found.recall, hits / total, "recall")
    near(found.precision, hits / own if own else 0.0, "precision")
    matches = words = Fraction(0)
    for g, (source, _) in zip(gold, sizes, strict=True):
        for t in {t for _, t in g}:
            words += 1
            matches += Fraction(sum(1 for s in range(source) if (s, t) in g), source)
    near(
        metrics.chance_alignment_error(gold, [s for s, _ in sizes]),
        float(1 - 2 * matches / (words + total)),
        "chance",
    )
    for s, t in sizes:
        diagonal = metrics.diagonal_alignment(s, t)
        right = {(min(s - 1, math.floor((Fraction(2 * j + 1, 2) * s) / t)), j) for j in range(t)}
        expect(diagonal == right, f"the diagonal of {s}, {t}: {diagonal}")
    rows, columns = c.integer(0, 6), c.integer(1, 6)
    generator = np.random.default_rng(c.seed())
    weights = generator.dirichlet(np.ones(columns), rows) if rows else np.zeros((0, columns))
    if rows and c.chance(0.3):
        weights[c.below(rows)] = 0
    right = {(int(np.argmax(row)), t) for t, row in enumerate(weights) if row.any()}
    expect(metrics.alignment_from_attention(weights) == right, "links from attention")
    source_words = sorted(c.below(3) for _ in range(columns))
    target_words = sorted(c.below(3) for _ in range(rows))
    found_words = metrics.words_from_pieces(weights, source_words, target_words)
    expected = np.zeros((max(target_words, default=-1) + 1, max(source_words) + 1))
    for t in range(expected.shape[0]):
        of = [i for i, w in enumerate(target_words) if w == t]
        for s in range(expected.shape[1]):
            mine = [j for j, w in enumerate(source_words) if w == s]
            expected[t, s] = sum(weights[i, j] for i in of for j in mine) / max(1, len(of))
    expect(
        found_words.shape == expected.shape and np.allclose(found_words, expected),
        "words from pieces",
    )


def check_interval(errors: Any, words: Any, level: float, low: float, high: float) -> None:
    """A bootstrap interval of at most four texts beside the exact distribution of the rate.

    The shares of 2,000 resamples may be six standard deviations off.
    """
    draws = np.array(list(itertools.product(range(len(words)), repeat=len(words))))
    rates = 100 * errors[draws].sum(axis=1) / words[draws].sum(axis=1)
    for edge, share in ((low, (1 - level) / 2), (high, (1 + level) / 2)):
        room = 6 * math.sqrt(share * (1 - share) / 2000) + 1e-3
        below = [float((rates <= edge + sign * 1e-6).mean()) for sign in (-1, 1)]
        expect(
            below[0] - room <= share <= below[1] + room,
            f"an interval for {level} ends at {edge}, where the shares are {below}",
        )


@probe("scores.shares", 400)
def shares(c: Choices) -> None:
    """Times, monotonicity, buckets, the interval, pointing and rationales, by loops."""
    generator = np.random.default_rng(c.seed())
    rows, columns = c.integer(1, 5), c.integer(1, 6)
    weights = generator.dirichlet(np.ones(columns), rows)
    times = np.sort(generator.random(columns))
    found = metrics.attention_times(weights, times)
    expect(
        found.tolist() == [times[max(range(columns), key=lambda k: row[k])] for row in weights],
        "times",
    )
    spans = [(float(a), float(a + 0.5)) for a in generator.random(rows)]
    right = [1000 * abs(f - (a + b) / 2) for f, (a, b) in zip(found, spans, strict=True)]
    expect(np.allclose(metrics.time_errors(found, spans), right), "time errors")
    peaks = [int(row.argmax()) for row in weights]
    steps = list(zip(peaks, peaks[1:], strict=False))
    near(
        metrics.monotonicity([weights]),
        sum(b >= a for a, b in steps) / len(steps) if steps else 1.0,
        "monotonicity",
    )
    lengths = [c.below(9) for _ in range(c.integer(1, 8))]
    buckets = [(0, 2), (3, 5), (5, 9)]
    right_rows = []
    for low, high in buckets:
        chosen = [i for i, n in enumerate(lengths) if low <= n <= high]
        if chosen:
            right_rows.append((sum(lengths[i] for i in chosen) / len(chosen), chosen, len(chosen)))
    expect(metrics.score_by_bucket(lengths, buckets, list) == right_rows, "buckets")
    words = generator.integers(1, 9, rows + 1)
    errors = np.minimum(generator.integers(0, 5, rows + 1), words)
    low, high = metrics.bootstrap_interval(errors, words, resamples=99)
    rates = 100 * errors / words
    expect(min(rates) - 1e-9 <= low <= high <= max(rates) + 1e-9, f"interval {low}, {high}")
    inner = metrics.bootstrap_interval(errors, words, level=0.5, resamples=99)
    expect(
        low <= inner[0] + 1e-9 and inner[1] <= high + 1e-9, "a lower level gives a wider interval"
    )
    near(
        metrics.bootstrap_interval(3 * errors, 3 * words, resamples=99)[0],
        low,
        "the interval of a share",
        1e-6,
    )
    several, level = min(rows + 1, 4), c.real(0.05, 0.98)
    low, high = metrics.bootstrap_interval(errors[:several], words[:several], level=level)
    check_interval(errors[:several], words[:several], level, low, high)
    side, cell = c.integer(1, 3), c.integer(1, 3)
    masks = [
        generator.random((side * cell, side * cell)) < 0.3 if not c.chance(0.3) else None
        for _ in range(rows)
    ]
    if any(mask is not None for mask in masks):
        heat = generator.dirichlet(np.ones(side * side), rows)
        hits, mass, chance = [], [], []
        for row, mask in zip(heat, masks, strict=True):
            if mask is None:
                continue
            part = [
                mask[y * cell : y * cell + cell, x * cell : x * cell + cell]
                for y in range(side)
                for x in range(side)
            ]
            expect(np.allclose(cover(mask, side, side), [p.mean() for p in part]), "cover")
            inside = [bool(p.any()) for p in part]
            hits.append(inside[int(row.argmax())])
            mass.append(sum(w for w, i in zip(row, inside, strict=True) if i))
            chance.append(np.mean(inside))
        got = pointing([heat], [masks])
        expect(
            np.allclose(
                [got.hits, got.mass, got.chance], [np.mean(hits), np.mean(mass), np.mean(chance)]
            ),
            "pointing",
        )
    sizes = [c.integer(1, 7) for _ in range(c.integer(1, 3))]
    given = [generator.random(n).round(1) for n in sizes]
    truth = [generator.random(n) < 0.4 for n in sizes]
    ranked = [(t, g) for t, g in zip(truth, given, strict=True) if t.any() and not t.all()]
    if ranked:
        right = float(np.mean([average_precision_score(t, g) for t, g in ranked]))
        near(token_auprc(given, truth), right, "area under precision and recall")
    heavy = [g > 1 / len(g) for g in given]
    both = sum(
        bool(h and t)
        for hs, ts in zip(heavy, truth, strict=True)
        for h, t in zip(hs, ts, strict=True)
    )
    marked, picked = int(sum(t.sum() for t in truth)), int(sum(h.sum() for h in heavy))
    agreed = token_agreement(given, truth)
    near(agreed.precision, both / max(1, picked), "precision of the words")
    near(agreed.recall, both / max(1, marked), "recall of the words")
    near(agreed.chance_precision, marked / sum(sizes), "precision by chance")
    near(agreed.chosen, picked / sum(sizes), "share of chosen words")


@probe("scores.wrong-numbers", 300)
def wrong_numbers(c: Choices) -> None:
    """Numbers and sizes that make no sense: an error that says so, or a number."""
    nan = float("nan")
    options: dict[str, list[tuple[str, Callable[[], Any]]]] = {
        "alignment": [
            ("counts differ", lambda: metrics.alignment_error_rate([set()], [])),
            ("chance, length 0", lambda: metrics.chance_alignment_error([{(0, 0)}], [0])),
            ("chance, negative length", lambda: metrics.chance_alignment_error([{(0, 0)}], [-1])),
            ("link beyond the source", lambda: metrics.chance_alignment_error([{(5, 0)}], [2])),
            ("diagonal of nothing", lambda: len(metrics.diagonal_alignment(0, 3))),
            ("diagonal, negative", lambda: len(metrics.diagonal_alignment(-1, 2))),
        ],
        "times": [
            ("a row", lambda: metrics.attention_times([0.5, 0.5], [1, 2]).sum()),
            ("no positions", lambda: metrics.attention_times(np.zeros((2, 0)), []).sum()),
            ("errors of other number", lambda: metrics.time_errors([1.0], [(0, 1), (1, 2)]).sum()),
            ("monotonicity of no positions", lambda: metrics.monotonicity([np.zeros((2, 0))])),
            ("NaN", lambda: metrics.monotonicity([[[nan, 1.0], [1.0, nan]]])),
        ],
        "words": [
            ("negative word", lambda: metrics.words_from_pieces([[0.5, 0.5]], [-1, 0]).sum()),
            ("too few", lambda: metrics.words_from_pieces([[0.5, 0.5]], [0]).sum()),
            ("three dimensions", lambda: metrics.words_from_pieces(np.zeros((1, 1, 1))).sum()),
        ],
        "interval": [
            ("one text", lambda: metrics.bootstrap_interval([1], [2])[0]),
            ("no words", lambda: metrics.bootstrap_interval([0, 0], [0, 0])[0]),
            ("NaN", lambda: metrics.bootstrap_interval([nan, 1], [2, 2], resamples=20)[0]),
            (
                "level 0",
                lambda: metrics.bootstrap_interval([0, 1], [2, 2], level=0, resamples=20)[0],
            ),
            (
                "level 2",
                lambda: metrics.bootstrap_interval([0, 1], [2, 2], level=2, resamples=20)[0],
            ),
            (
                "negative words",
                lambda: metrics.bootstrap_interval([0, 1], [-2, 3], resamples=20)[0],
            ),
            ("no resamples", lambda: metrics.bootstrap_interval([0, 1], [2, 2], resamples=0)[0]),
        ],
        "table": [
            ("no rows", lambda: len(table([]))),
            ("a row", lambda: len(table([Row("a", "b")]))),
        ],
        "kept": [
            ("none read", lambda: len(kept_positions(5, 0))),
            ("negative", lambda: len(kept_positions(5, -1))),
        ],
    }
    name = c.one_of(tuple(options))
    how, function = c.one_of(options[name])
    c.mutated(how)
    c.show(name=name, how=how)
    try:
        found = function()
    except (ValueError, TypeError) as error:
        expect(len(str(error)) > 10, f"a message that explains nothing: {error}")
        return
    except (RuntimeError, IndexError, ZeroDivisionError) as error:
        raise Wrong(f"{name}, {how}: {type(error).__name__}: {error}") from None
    expect(math.isfinite(found), f"{name}, {how}: {found} without a word")
    bounds = {"interval": (0, 100), "alignment": (0, 1)}.get(name)
    if bounds and "diagonal" not in how:
        expect(bounds[0] <= found <= bounds[1], f"{name}, {how}: {found} is outside {bounds}")


# --- vocabulary -------------------------------------------------------------------------------

BPE, WORD = tiny_vocabulary(), Vocabulary.words(TEXTS)
MARKS = Vocabulary.words(TEXTS, punctuation=True, size=20)


@probe("scores.vocabulary", 900)
def vocabulary(c: Choices) -> None:
    """Encoding and decoding of odd texts: ids, places, words, all at once, saved and loaded."""
    name = c.one_of(("bpe", "words", "marks"))
    vocab = {"bpe": BPE, "words": WORD, "marks": MARKS}[name]
    texts = [
        mutated_text(c, c.one_of(TEXTS)) if c.chance(0.8) else c.one_of(TEXTS)
        for _ in range(c.integer(1, 3))
    ]
    c.show(name=name, texts=texts)
    every = vocab.encode_all(texts)
    pieces = vocab.pieces(range(len(vocab)))
    expect(
        len(set(pieces)) == len(vocab) and pieces[:4] == ["<pad>", "<bos>", "<eos>", "<unk>"],
        "pieces",
    )
    for text, ids in zip(texts, every, strict=True):
        expect(vocab.encode(text) == ids, "one text gives other ids than several")
        expect(all(UNK <= i < len(vocab) for i in ids), "an id that no text may have")
        spans = vocab.spans(text)
        expect(len(spans) == len(ids), "as many places as pieces")
        expect(all(0 <= a <= b <= len(text) for a, b in spans), f"places outside the text: {spans}")
        expect(
            all(p[0] <= n[0] for p, n in zip(spans, spans[1:], strict=False)), "places out of order"
        )
        of = vocab.words_of_pieces(ids)
        expect(len(of) == len(ids) and (not of or of[0] in (0, -1 + 1)), "words of pieces")
        expect(
            all(b - a in (0, 1) for a, b in zip(of, of[1:], strict=False)), f"words of pieces: {of}"
        )
        plain = " ".join(text.split())
        if UNK not in ids and name != "marks" and plain.isascii() and plain.isprintable():
            expect(vocab.decode(ids) == plain.lower(), f"decoded {vocab.decode(ids)!r}")
        mixed = [BOS, *ids, EOS, PAD]
        expect(vocab.decode(mixed) == vocab.decode(ids), "special ids change the text")
        inside = any(piece in w != piece for w in plain.split() for piece in SPECIAL)
        if name == "words" and plain.isascii() and plain.isprintable() and not inside:
            expect(len(ids) == len(text.split()), "as many pieces as words")
            known = [w.lower() in pieces[4:] for w in text.split()]
            expect([i != UNK for i in ids] == known, "known words are unknown, or the reverse")
    if c.chance(0.2):
        with tempfile.TemporaryDirectory() as folder:
            vocab.save(Path(folder) / "v.json")
            again = Vocabulary.load(Path(folder) / "v.json")
        expect(
            again.kind == vocab.kind and again.encode_all(texts) == every,
            "loaded, it encodes otherwise",
        )
    size = c.integer(5, 12)
    limited = Vocabulary.words(TEXTS, size=size)
    expect(len(limited) == size, f"size={size} gives {len(limited)} pieces")
    counts = Counter(w for t in TEXTS for w in t.lower().split())
    kept = limited.pieces(range(4, size))
    least = min(counts[w] for w in kept)
    expect(all(counts[w] <= least for w in counts if w not in kept), "not the most frequent words")


@probe("scores.cut", 300)
def cut(c: Choices) -> None:
    """A long text in segments: nothing lost, none too long, cut between words where possible."""
    longest = c.integer(1, 9)
    translator = Translator(tiny_translator(), c.one_of((BPE, WORD)), longest)
    text = " ".join(c.one_of(TEXTS) for _ in range(c.below(4)))
    text = mutated_text(c, text) if c.chance(0.7) else text
    ids = translator.vocabulary.encode(text)
    c.show(longest=longest, text=text)
    parts = translator.cut(list(ids))
    expect([i for part in parts for i in part] == ids, "something is lost or changed")
    expect(all(1 <= len(part) <= longest for part in parts), "a segment is too long or empty")
    n, most = c.below(12), c.one_of((None, 1, 2, 3, 5, 8, 20))
    kept = kept_positions(n, most)
    expect(kept == sorted(set(kept)) and all(0 <= i < n for i in kept), "kept positions")
    right = n if most is None else min(n, most)
    expect(len(kept) == right, f"{len(kept)} of {n} are kept, longest={most}")
    if most is not None and n > most:
        head = sum(1 for i in kept if i < n - (most - most // 4))
        expect(head == most // 4, f"{head} from the beginning, expected {most // 4}")


# --- pages, claims, comparisons ---------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """The texts of the paragraphs in sections, and the elements that occur."""

    def __init__(self) -> None:
        super().__init__()
        self.texts, self.inside, self.tags, self.shades = [], False, Counter(), []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags[tag] += 1
        if tag == "section":
            self.texts.append("")
        if tag == "p" and self.texts:
            self.inside = True
        if tag == "mark":
            self.shades.append(float(dict(attributes)["title"].split()[0]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data


@probe("scores.page", 300)
def page(c: Choices) -> None:
    """The page of weighted texts shows each text unchanged, with markup in it escaped."""
    verdicts = []
    for _ in range(c.integer(1, 3)):
        text = mutated_text(c, c.one_of(("good <b>film</b> & more", *TEXTS)))
        text = re.sub(r"[\x00-\x1f\x7f]", " ", text)
        spans = WORD.spans(text)
        generator = np.random.default_rng(c.seed())
        weights = generator.dirichlet(np.ones(len(spans))) if spans else np.zeros(0)
        words = [text[a:b] for a, b in spans]
        verdicts.append(
            SimpleNamespace(
                text=text, spans=spans, words=words, weights=weights, label="<x>", probability=0.5
            )
        )
    c.show(texts=[v.text for v in verdicts])
    parser = Page()
    parser.feed(html_page(verdicts))
    shown = [v for v in verdicts if v.words]
    expect(parser.texts == [v.text for v in shown], f"the page shows {parser.texts}")
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "p",
        "section",
        "h2",
        "mark",
    }
    expect(set(parser.tags) <= allowed, f"elements {set(parser.tags) - allowed}")
    right = [100 * w for v in shown for w in v.weights]
    expect(np.allclose(parser.shades, right, atol=0.051), "the shares of the words")


@probe("scores.claims", 400)
def claims(c: Choices) -> None:
    """A claim holds exactly if the value is a number inside its bounds."""
    numbers = (
        0,
        1,
        -1,
        0.5,
        0.1 + 0.2,
        0.3,
        1e9,
        1e-5,
        True,
        False,
        math.inf,
        -math.inf,
        math.nan,
        10**20,
        Fraction(1, 3),
        np.float32(0.1),
        torch.tensor(0.5),
        np.int64(3),
    )
    value = c.one_of((*numbers, "x", None, [1], torch.zeros(2)))
    low = c.one_of((None, *numbers)) if c.chance(0.7) else None
    high = c.one_of((None, *numbers)) if c.chance() else None
    c.show(value=value, low=low, high=high)
    plain = [None if x is None else (x.item() if hasattr(x, "item") else x) for x in (low, high)]
    silly = plain == [None, None] or any(x is not None and math.isnan(x) for x in plain)
    silly = silly or (None not in plain and plain[0] > plain[1])
    single = isinstance(value, int | float | Fraction) or (
        hasattr(value, "item") and value.shape in ((), (1,))
    )
    number = value.item() if single and hasattr(value, "item") else value
    holds = single and not math.isnan(number)
    holds = (
        holds
        and (plain[0] is None or number >= plain[0])
        and (plain[1] is None or number <= plain[1])
    )
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            found = claim("this {way} holds", value, at_least=low, at_most=high, way="{x}")
    except ClaimError as error:
        expect(not silly and not holds, f"a true claim fails: {error}")
        expect("✘ this {x} holds" in str(error), f"the message: {error}")
    except ValueError as error:
        expect(silly, f"bounds are refused: {error}")
    else:
        expect(holds and not silly, "a false claim holds")
        expect(
            out.getvalue().startswith("✔ this {x} holds: ") and out.getvalue().count("\n") == 1,
            out.getvalue(),
        )
        expect(
            found == (float(number) if isinstance(number, Fraction) else number),
            f"returned {found}",
        )


@probe("scores.difference", 500)
def differences(c: Choices) -> None:
    """`difference` finds nothing exactly if two results are equal up to the tolerance."""
    generator = np.random.default_rng(c.seed())

    def thing(depth: int = 0) -> Any:
        kind = c.below(7 if depth < 2 else 5)
        if kind == 0:
            return c.one_of((1, 0, -3, 0.5, 1e-9, True, "text", None, math.nan, math.inf))
        if kind in (1, 2):
            shape = tuple(c.integer(1, 3) for _ in range(c.below(3)))
            array = generator.normal(size=shape).astype(np.float32)
            return torch.tensor(array) if kind == 1 else array
        if kind == 3:
            return torch.tensor([c.below(4) for _ in range(c.integer(1, 3))])
        if kind == 4:
            return torch.tensor([c.chance() for _ in range(c.integer(1, 3))])
        if kind == 5:
            return [thing(depth + 1) for _ in range(c.below(3))]
        return {str(i): thing(depth + 1) for i in range(c.below(3))}

    def changed(x: Any, amount: float) -> Any:
        if isinstance(x, bool) or x is None or isinstance(x, str):
            return x
        if isinstance(x, int | float):
            return float(x) * (1 + amount) + amount if isinstance(x, float) else x
        if isinstance(x, list):
            return [changed(y, amount) for y in x]
        if isinstance(x, dict):
            return {k: changed(y, amount) for k, y in x.items()}
        floating = x.is_floating_point() if isinstance(x, torch.Tensor) else x.dtype.kind == "f"
        return x + amount if floating else x

    def floats(x: Any) -> bool:
        if isinstance(x, list | dict):
            return any(map(floats, x.values() if isinstance(x, dict) else x))
        if isinstance(x, torch.Tensor | np.ndarray):
            return "float" in str(x.dtype)
        return isinstance(x, float) and math.isfinite(x)

    expected = thing()
    c.show(expected=expected)
    expect(difference(expected, changed(expected, 0.0)) is None, "a difference from itself")
    expect(
        difference(expected, changed(expected, 1e-7)) is None, "a rounding error is a difference"
    )
    c.mutated("a result changed")
    found = difference(expected, changed(expected, 0.01))
    expect((found is not None) == floats(expected), f"changed by 0.01: {found}")
    other = thing()
    c.show(other=other)
    found = difference(expected, other)
    expect(found is None or (isinstance(found, str) and found), "no words")
    expect(describe(other) and describe(expected), "nothing described")


@probe("scores.messages", 150)
def messages(c: Choices) -> None:
    """Texts are filled from exactly their placeholders."""
    names = c.many(0, 3, lambda: c.one_of(("a", "bc", "n")))
    text = " ".join(f"{{{name}}}" for name in names) + c.one_of(("", " plain", " {{x}}"))
    given = {
        name: c.one_of((1, "{a}", "%s", None))
        for name in c.many(0, 3, lambda: c.one_of(("a", "bc", "n")))
    }
    c.show(text=text, given=given)
    try:
        found = localised(text, **given)
    except ValueError:
        expect(given and set(given) != set(names), "the right values are refused")
        return
    expect(found == (text.format(**given) if given else text), f"{found!r}")
    width = c.integer(1, 4)
    rows = [
        Row("x" * c.integer(1, 9), "1" * c.integer(1, 5), "y" * c.below(3)) for _ in range(width)
    ]
    lines = table(rows).splitlines()
    expect(len(lines) == width and all(line == line.rstrip() for line in lines), "the table")
    end = [
        line.index(row.value + ("   " if row.beside else "")) + len(row.value)
        for line, row in zip(lines, rows, strict=True)
    ]
    expect(
        all(row.what in line and row.value in line for line, row in zip(lines, rows, strict=True))
        and end,
        "a cell is lost",
    )


@probe("scores.picture-names", 200)
def picture_names(c: Choices) -> None:
    """Every file has a picture of its own, in the right folder, whatever the files are called."""
    alphabet = ("a", "a-1", "a-2", "b.png", "x/a", "y/a", "a.b.c", ".a", "-", "a-1-1", "é", "A")
    names = c.many(1, 6, lambda: c.one_of(alphabet) + c.one_of(("", ".jpg", ".wav")))
    c.show(names=names)
    with tempfile.TemporaryDirectory() as folder:
        for place in (Path(folder), Path(folder) / "look.png", Path(folder) / "look"):
            found = [picture_path(place, names, n) for n in range(1, len(names) + 1)]
            folded = {str(p).casefold() for p in found}
            expect(len(set(found)) == len(names), f"two files share a picture: {found}")
            expect(all(p.parent == Path(folder) for p in found), "a picture outside its folder")
            expect(len(folded) == len(names) or any(x.isupper() for n in names for x in n), "names")


@probe("scores.matrix", 60)
def matrix(c: Choices) -> None:
    """The heat map shows the weights it was given, or says that sizes do not fit."""
    rows, columns, heads = c.integer(1, 4), c.integer(1, 4), c.one_of((None, 1, 3))
    weights = (
        np.random.default_rng(c.seed()).dirichlet(np.ones(columns), (heads or 1, rows))
        if heads
        else np.random.default_rng(c.seed()).dirichlet(np.ones(columns), rows)
    )
    tokens = [
        c.one_of(("a", "$x$", "日本", "\x1b[31m", "<eos>", "_", "^", "\\frac"))
        for _ in range(max(rows, columns))
    ]
    c.show(shape=weights.shape, tokens=tokens)
    axes = attention_matrix(
        weights, tokens[:columns], tokens[:rows], title=c.one_of((None, "a", "$"))
    )
    first = axes[0] if heads else axes
    shown = weights[0] if heads else weights
    expect(np.allclose(first.images[0].get_array(), shown), "other weights are shown")
    plt.close("all")
    c.mutated("one token less")
    try:
        attention_matrix(weights, tokens[:columns][1:], tokens[:rows])
    except ValueError:
        return
    finally:
        plt.close("all")
    raise Wrong("a token too few is accepted")
