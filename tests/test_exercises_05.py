"""Notebook 05: wrong answers, written as learners write them, get a hint that fits.

The mistakes of the master are tested in test_exercises.py. These are other programs: each is given
with a part of the hint that its author needs.
"""

import itertools
import math
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.exercises import check, get

# --------------------------------------------------------------------------------- 05.1: error rate


def table(output, reference, *, cost=1, first_row=True, first_column=True):
    """The full table of edit distances, as a textbook fills it."""
    found = np.zeros((len(output) + 1, len(reference) + 1), dtype=int)
    if first_row:
        found[0] = range(len(reference) + 1)
    if first_column:
        found[:, 0] = range(len(output) + 1)
    for i, word in enumerate(output, 1):
        for j, wanted in enumerate(reference, 1):
            change = found[i - 1, j - 1] + (0 if word == wanted else cost)
            found[i, j] = min(change, found[i - 1, j] + 1, found[i, j - 1] + 1)
    return int(found[-1, -1])


def rate(distance):
    def answer(outputs, references):
        wrong = sum(distance(o, r) for o, r in zip(outputs, references, strict=True))
        return wrong / sum(map(len, references))

    return answer


def recursive(output, reference):
    @lru_cache(None)
    def distance(i, j):
        if min(i, j) == 0:
            return max(i, j)
        change = distance(i - 1, j - 1) + (output[i - 1] != reference[j - 1])
        return min(change, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(output), len(reference))


def by_counters(output, reference):
    missing, surplus = Counter(reference) - Counter(output), Counter(output) - Counter(reference)
    return max(missing.total(), surplus.total())


def sum_of_counts(output, reference):
    return sum(abs(output.count(w) - reference.count(w)) for w in set(output + reference))


def mean_of_all_rates(outputs, references):
    pairs = list(zip(outputs, references, strict=True))
    return float(np.mean([table(o, r) / max(len(r), 1) for o, r in pairs]))


def over_the_outputs(outputs, references):
    return sum(map(table, outputs, references)) / max(sum(map(len, outputs)), 1)


def capped(outputs, references):
    return min(rate(table)(outputs, references), 1)


def position_by_position(output, reference):
    longest = max(len(output), len(reference))
    padded = [words + [None] * (longest - len(words)) for words in (output, reference)]
    return sum(a != b for a, b in zip(*padded, strict=True))


def percent(outputs, references):
    return 100.0 * rate(recursive)(outputs, references)


def for_each_text(outputs, references):
    return sum(map(table, outputs, references)) / len(references)


def characters(output, reference):
    return table(" ".join(output), " ".join(reference))


def letters_by_letters(outputs, references):
    total = sum(len(" ".join(reference)) for reference in references)
    return sum(map(characters, outputs, references)) / total


# ----------------------------------------------------------------------------------- 05.2: collapse


def runs(log_probs):
    return [key for key, _ in groupby(log_probs.argmax(1).tolist())]


def drop_then_merge(log_probs):
    return [key for key, _ in groupby(t for t in log_probs.argmax(-1).tolist() if t)]


def dropped_only(log_probs):
    best = log_probs.argmax(-1)
    return best[best != 0].tolist()


def as_a_set(log_probs):
    seen = []
    for token in log_probs.argmax(-1).tolist():
        if token and token not in seen:
            seen.append(token)
    return seen


def over_rows(log_probs):
    return [t for t, _ in groupby(log_probs.argmax(0).tolist()) if t]


def integer_tensor(log_probs):
    return torch.tensor([t for t in runs(log_probs) if t])


def list_of_tensors(log_probs):
    found, before = [], 0
    for token in log_probs.argmax(dim=1):
        if token != 0 and token != before:
            found.append(token)
        before = token
    return found


def numpy_array(log_probs):
    return np.array([t for t in runs(log_probs) if t])


def last_column_is_blank(log_probs):
    return [t for t in runs(log_probs) if t != log_probs.size(1) - 1]


def minus_one(log_probs):
    return [t - 1 for t in runs(log_probs) if t > 0]


def changes_only(log_probs):
    path = log_probs.argmax(-1)
    return path[1:][(path[1:] != path[:-1]) & (path[1:] != 0)].tolist()


def forgets_to_flush(log_probs):
    found, current = [], None
    for token in log_probs.argmax(-1).tolist():
        if token != current:
            if current:
                found.append(current)
            current = token
    return found


# ----------------------------------------------------------------------------------- 05.3: features


def convolution(previous, filters, padding):
    return F.conv1d(previous[None, None], filters[:, None], padding=padding)[0].T


def numpy_convolve(previous, filters):
    rows = [np.convolve(previous, f, mode="same")[: len(previous)] for f in filters.numpy()]
    return torch.from_numpy(np.stack(rows, 1))


def one_row_per_filter(previous, filters):
    return convolution(previous, filters, filters.shape[1] // 2).T


def no_padding(previous, filters):
    return convolution(previous, filters, 0)


def left_only(previous, filters):
    W = filters.shape[1]
    rows = torch.zeros(len(previous), len(filters))
    for i in range(len(previous)):
        for k in range(W):
            if i + k - W + 1 >= 0:
                rows[i] += filters[:, k] * previous[i + k - W + 1]
    return rows


def right_only(previous, filters):
    rows = torch.zeros(len(previous), len(filters))
    for i in range(len(previous)):
        for k in range(filters.shape[1]):
            if i + k < len(previous):
                rows[i] += filters[:, k] * previous[i + k]
    return rows


def negative_indices(previous, filters):
    rows = torch.zeros(len(previous), len(filters))
    half = filters.shape[1] // 2
    for i in range(len(previous)):
        for k in range(filters.shape[1]):
            rows[i] += filters[:, k] * previous[(i + k - half) % len(previous)]
    return rows


def clamped(previous, filters):
    W = filters.shape[1]
    places = torch.arange(len(previous))[:, None] + torch.arange(W) - W // 2
    return previous[places.clamp(0, len(previous) - 1)] @ filters.T


def averaged(previous, filters):
    return convolution(previous, filters, filters.shape[1] // 2) / filters.size(1)


def one_channel(previous, filters):
    return convolution(previous, filters, filters.shape[1] // 2).sum(-1, keepdim=True)


# -------------------------------------------------------------------------------------- 05.4: masks


def shorter(n):
    return -(-n // 4)


def floor(lengths, T):
    return torch.arange(shorter(T))[None] < lengths[:, None] // 2 // 2


def frames_as_they_are(lengths, T):
    return torch.arange(T)[None] < lengths[:, None]


def every_last_frame(lengths, T):
    padded = F.pad(frames_as_they_are(lengths, T), (0, -T % 4))
    return padded[:, 3::4]


def one_convolution(lengths, T):
    return frames_as_they_are(lengths, T)[:, ::2]


def inverted(lengths, T):
    return torch.arange(shorter(T))[None] >= shorter(lengths)[:, None]


def one_maximum(lengths, T):
    row = torch.arange(shorter(T)) < shorter(lengths.max())
    return row.repeat(len(lengths), 1)


def inclusive(lengths, T):
    return torch.arange(shorter(T))[None] <= shorter(lengths)[:, None]


def without_T(lengths, T):
    width = int(shorter(lengths.max()))
    return torch.arange(width)[None] < shorter(lengths)[:, None]


def zeros_and_ones(lengths, T):
    found = torch.zeros(len(lengths), shorter(T))
    for row, n in zip(found, shorter(lengths).tolist(), strict=True):
        row[:n] = 1
    return found


def full_width(lengths, T):
    return torch.arange(T)[None] < shorter(lengths)[:, None]


# ---------------------------------------------------------------- more kinds of wrong answers, 05


def longest_common(output, reference):
    found = np.zeros((len(output) + 1, len(reference) + 1), dtype=int)
    for i, a in enumerate(output):
        for j, b in enumerate(reference):
            found[i + 1, j + 1] = (
                found[i, j] + 1 if a == b else max(found[i, j + 1], found[i + 1, j])
            )
    return max(len(output), len(reference)) - int(found[-1, -1])


def with_exchanges(output, reference):
    """Damerau's distance: two neighbours that have changed places are one error."""
    found = {}
    for i in range(len(output) + 1):
        for j in range(len(reference) + 1):
            if min(i, j) == 0:
                found[i, j] = max(i, j)
                continue
            change = found[i - 1, j - 1] + (output[i - 1] != reference[j - 1])
            found[i, j] = min(change, found[i - 1, j] + 1, found[i, j - 1] + 1)
            if output[max(0, i - 2) : i] == reference[max(0, j - 2) : j][::-1] and min(i, j) > 1:
                found[i, j] = min(found[i, j], found[i - 2, j - 2] + 1)
    return found[len(output), len(reference)]


def joined(outputs, references):
    whole = [[word for text in texts for word in text] for texts in (outputs, references)]
    return table(*whole) / len(whole[1])


def without_blank_column(log_probs):
    return [t for t, _ in groupby((1 + log_probs[:, 1:].argmax(1)).tolist())]


def at_falling_edges(log_probs):
    path = log_probs.argmax(1).tolist() + [0]
    return [a for a, b in zip(path, path[1:], strict=False) if a and not b]


def rounded_quarter(lengths, T):
    return torch.tensor([[i < round(n / 4) for i in range(shorter(T))] for n in lengths.tolist()])


def one_floor(lengths, T):
    return torch.arange(shorter(T)) < torch.div(lengths + 1, 4, rounding_mode="floor")[:, None]


def right_aligned(lengths, T):
    return torch.arange(shorter(T)) >= shorter(T) - ((lengths + 3) // 4)[:, None]


def added_to_scores(lengths, T):
    return torch.where(torch.arange(shorter(T)) < ((lengths + 3) // 4)[:, None], 0.0, -torch.inf)


WRONG = [
    ("05.1", mean_of_all_rates, "mean of the error rates"),
    ("05.1", over_the_outputs, "references, not in the outputs"),
    ("05.1", capped, "no upper limit"),
    ("05.1", rate(position_by_position), "same position"),
    ("05.1", percent, "not per cent"),
    ("05.1", for_each_text, "not of texts"),
    ("05.1", rate(by_counters), "order of the words"),
    ("05.1", rate(lambda o, r: (Counter(r) - Counter(o)).total()), "order of the words"),
    ("05.1", rate(lambda o, r: len(set(r) - set(o))), "order of the words"),
    ("05.1", rate(lambda o, r: sum(word not in o for word in r)), "order of the words"),
    ("05.1", rate(lambda o, r: len(set(r) ^ set(o))), "order of the words"),
    ("05.1", rate(sum_of_counts), "order of the words"),
    ("05.1", letters_by_letters, "whole words"),
    ("05.1", rate(lambda o, r: table(o, r, cost=2)), "one error, not two"),
    ("05.1", rate(lambda o, r: table(o, r, first_column=False)), "`row[0]` is i"),
    ("05.2", drop_then_merge, "order matters"),
    ("05.2", dropped_only, "merge equal neighbours"),
    ("05.2", runs, "blank is not a word"),
    ("05.2", as_a_set, "only neighbours are merged"),
    ("05.2", over_rows, "argmax(dim=1)"),
    ("05.2", integer_tensor, "list of ints"),
    ("05.2", list_of_tensors, "list of ints"),
    ("05.2", last_column_is_blank, "blank is column 0"),
    ("05.2", minus_one, "number of its column"),
    ("05.2", changes_only, "first symbol of the path"),
    ("05.2", forgets_to_flush, "last symbol of the path"),
    ("05.3", numpy_convolve, "reversed"),
    ("05.3", one_row_per_filter, "a row for each position"),
    ("05.3", no_padding, "pad, or the outermost"),
    ("05.3", left_only, "middle of the filter"),
    ("05.3", right_only, "both sides"),
    ("05.3", negative_indices, "wrap around"),
    ("05.3", clamped, "not those of the outermost"),
    ("05.3", averaged, "not a mean"),
    ("05.3", one_channel, "column of its own"),
    ("05.4", floor, "round up"),
    ("05.4", every_last_frame, "round up"),
    ("05.4", lambda n, T: torch.arange(T // 4) < n[:, None] // 4, "round up: ⌈n/2⌉ twice"),
    ("05.4", lambda n, T: torch.arange(T // 2 // 2) < shorter(n)[:, None], "round up: ⌈n/2⌉ twice"),
    ("05.4", lambda n, T: torch.arange(T // 4 + 1)[: max(1, T // 4)] < n[:, None] // 4, "round up"),
    ("05.4", lambda n, T: torch.arange(round(T / 4)) < (n / 4).round()[:, None], "nearest"),
    ("05.4", lambda n, T: torch.arange(T // 4) < (n / 4).round().int()[:, None], "nearest"),
    ("05.4", lambda n, T: torch.arange((T + 1) // 4) < (n[:, None] + 2) // 4, "round up"),
    ("05.4", one_convolution, "two convolutions"),
    ("05.4", inverted, "may attend"),
    ("05.4", one_maximum, "length of its own"),
    ("05.4", inclusive, "off by one"),
    ("05.4", without_T, "follows from T"),
    ("05.4", zeros_and_ones, "boolean"),
    ("05.4", full_width, "batch becomes shorter"),
    ("05.1", rate(lambda o, r: sum(map(str.__ne__, o, r))), "stops at the shorter"),
    ("05.1", rate(longest_common), "common subsequence"),
    ("05.1", rate(with_exchanges), "does not exchange words"),
    ("05.1", rate(lambda o, r: table(o, r) if o and r else 0), "lacks every word"),
    ("05.1", lambda o, r: 1 - rate(table)(o, r), "share of the right words"),
    ("05.1", joined, "its own reference"),
    ("05.2", without_blank_column, "competes with the words"),
    ("05.2", at_falling_edges, "whether a blank follows"),
    ("05.2", lambda p: [t for t, _ in groupby(p.softmax(0).argmax(1).tolist()) if t], "dim 0"),
    ("05.3", lambda a, f: torch.outer(a, f[:, f.shape[1] // 2]), "middle column alone"),
    ("05.3", lambda a, f: torch.outer(a, f.sum(1)), "columns are not added up"),
    ("05.3", lambda a, f: convolution(a.cumsum(0), f, f.shape[1] // 2), "cumsum"),
    ("05.3", lambda a, f: convolution(a.softmax(0), f, f.shape[1] // 2), "no softmax"),
    ("05.4", right_aligned, "come first"),
    ("05.4", one_floor, "*both* halvings"),
    ("05.4", rounded_quarter, "nearest number"),
    ("05.4", added_to_scores, "belongs into scores"),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_gets_the_hint_that_its_author_needs(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint in (verdict.hint or ""), verdict.text


def ratio_of_difflib(output, reference):
    return round((1 - SequenceMatcher(None, output, reference).ratio()) * len(reference))


@pytest.mark.parametrize(
    "number, answer",
    [
        ("05.1", rate(ratio_of_difflib)),
        ("05.1", lambda outputs, references: 0.0),
        ("05.2", lambda log_probs: []),
        ("05.2", numpy_array),  # the problem itself says what is wrong: not a list
        ("05.3", lambda previous, filters: previous[:, None]),
        ("05.4", lambda lengths, T: torch.ones(len(lengths), shorter(T), dtype=torch.bool)),
        ("05.4", frames_as_they_are),
        ("05.1", lambda o, r: round(rate(table)(o, r), 2)),
        ("05.2", lambda log_probs: [t for t in runs(log_probs) if t][::-1]),
        ("05.2", lambda log_probs: np.unique(log_probs.argmax(1))[1:].tolist()),
        ("05.3", lambda a, f: convolution(a, f, f.shape[1] // 2).relu()),
        ("05.3", lambda a, f: convolution(a, f / f.sum(1, keepdim=True), f.shape[1] // 2)),
        ("05.4", lambda lengths, T: every_fourth_frame(lengths, T)[:, None]),
    ],
)
def test_an_answer_that_fits_no_mistake_is_refused_all_the_same(number, answer):
    assert check(number, answer).state == "wrong"


def path_by_comparison(log_probs):
    path = log_probs.argmax(-1)
    new = torch.cat([torch.tensor([True]), path[1:] != path[:-1]])
    return path[new & (path != 0)].tolist()


def every_fourth_frame(lengths, T):
    return frames_as_they_are(lengths, T)[:, ::4]


@pytest.mark.parametrize(
    "number, answer",
    [
        ("05.1", rate(table)),
        ("05.1", rate(recursive)),
        ("05.1", lambda o, r: torch.tensor(rate(table)(o, r), dtype=torch.float64)),
        ("05.2", path_by_comparison),
        ("05.2", lambda log_probs: tuple(t for t in runs(log_probs) if t)),
        ("05.3", lambda a, f: convolution(a, f, f.shape[1] // 2)),
        ("05.4", every_fourth_frame),
    ],
)
def test_a_right_answer_written_another_way_is_right(number, answer):
    assert check(number, answer)


# ------------------------------------------------------------ 05.5 and 05.6: what CTC can write


def spelt(path):
    return tuple(c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c))


def all_texts(p):
    """Text → probability, over all paths."""
    found = Counter()
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        found[spelt(path)] += math.prod(p[i, c].item() for i, c in enumerate(path))
    return found


def listed(p, width):
    text, probability = all_texts(p).most_common(1)[0]
    return list(text), probability


def greedy_with_its_sum(p, width):
    text = spelt(p.argmax(1).tolist())
    return list(text), all_texts(p)[text]


def most_frequent_symbols(p, width):
    best = p.mean(0).argmax().item()
    return [best] if best else [], p.mean(0).max().item()


@pytest.mark.parametrize(
    "number, answer, hint",
    [
        ("05.5", lambda text: len(text) + (len(text) != len(set(text))), None),
        ("05.5", lambda text: 2 * len(text), None),
        ("05.5", lambda text: len(" ".join(text).split()), "need a blank between"),
        ("05.5", lambda text: sum(2 for _ in text[1:]) + len(text[:1]), "different neighbours"),
        ("05.5", lambda text: float(positions_by_index(text)), None),
        ("05.6", listed, "`width`"),
        ("05.6", greedy_with_its_sum, None),
        ("05.6", most_frequent_symbols, None),
        ("05.6", lambda p, width: get("05.6")(p.flip(0), width), None),
        ("05.6", lambda p, width: get("05.6")(p, width)[::-1], None),
    ],
)
def test_wrong_answers_about_what_ctc_can_write(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


def positions_by_index(text):
    return sum(1 + (i > 0 and text[i - 1] == word) for i, word in enumerate(text))


def test_the_fewest_positions_are_those_of_the_shortest_path():
    assert check("05.5", positions_by_index)
    for text in itertools.product("ab", repeat=3):
        shortest = next(
            length
            for length in range(9)
            for path in itertools.product(["", "a", "b"], repeat=length)
            if spelt(path) == text
        )
        assert get("05.5")(list(text)) == shortest


def test_with_enough_width_the_search_finds_the_most_probable_of_all_texts():
    torch.manual_seed(6)
    better = 0
    for _ in range(20):
        p = torch.softmax(2 * torch.randn(5, 3), dim=1)
        text, probability = get("05.6")(p, 999)
        everything = all_texts(p)
        assert probability == pytest.approx(max(everything.values()), rel=1e-5)
        assert everything[tuple(text)] == pytest.approx(probability, rel=1e-5)
        better += tuple(text) != spelt(p.argmax(1).tolist())
    assert better, "on some, the most probable path spells another text"
