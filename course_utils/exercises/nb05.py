"""Exercises of notebook 05, speech: error rate, CTC and its search, location features, padding."""

import random
from collections import Counter

import torch
import torch.nn.functional as F

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.judging import exercise


@exercise(
    "05.1",
    "The error rate of a whole test set",
    r"""
    The smallest number of substituted, deleted and inserted words that turns the reference into the
    output is their *edit distance*. The word error rate of a test set is **one** fraction:

    $$\text{WER} = \frac{\sum_n \text{edit distance}(\text{output}_n, \text{reference}_n)}
    {\sum_n \text{words in reference}_n}$$

    Write `word_error_rate(outputs, references)`. Both are lists of texts, a text is a list of
    words. The result is a share: 0.25 for one error in four words. A text may be empty, the
    references together are not.

    The distance: let `row[j]` be the distance between the first `i` words of the output and the
    first `j` words of the reference. It is the smallest of three: from the row before, the output
    word is an insertion, `before[j] + 1`; from the left neighbour, the reference word is missing,
    `row[j - 1] + 1`; and from the diagonal, the two words meet, `before[j - 1]`, plus 1 if they
    differ.
    """,
    minutes=20,
    kind="measure",
)
def word_error_rate(outputs, references):
    """Edit distance of all outputs together, divided by the words of all references.

    outputs, references: lists of equal length, of lists of words. Returns a float.
    """
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        row = list(range(len(reference) + 1))  # nothing written yet: j words are missing
        for i, word in enumerate(output, start=1):
            diagonal, row[0] = row[0], i
            for j, wanted in enumerate(reference, start=1):
                best = min(row[j] + 1, row[j - 1] + 1, diagonal + (word != wanted))
                diagonal, row[j] = row[j], best
        errors += row[-1]
    return errors / sum(len(reference) for reference in references)


def _texts(*lines):
    return [line.split() for line in lines]


@word_error_rate.cases
def _():
    digits = _texts("four five six")
    yield case(digits, digits, expected=0.0, label="no error")
    yield case(_texts("four nine six"), digits, expected=1 / 3, label="one substitution")
    yield case(_texts("four six"), digits, expected=1 / 3, label="one deletion")
    yield case(_texts("four five five six"), digits, expected=1 / 3, label="one insertion")
    yield case(_texts("six five"), _texts("five six"), expected=1.0, label="two words swapped")
    yield case([[]], digits, expected=1.0, label="an empty output")
    yield case(
        _texts("one two three four"), _texts("five"), expected=4.0, label="an error rate above 1"
    )
    yield case(
        _texts("one", "one two three nine"),
        _texts("two", "one two three four"),
        expected=2 / 5,
        label="a short and a long text",
    )
    yield case(_texts("one", "two"), [[], ["two"]], expected=1.0, label="an empty reference")
    yield case(_texts("two three four five"), _texts("one two three four"), expected=0.5)
    for count, length in ((1, 7), (3, 4), (5, 6)):
        words = [
            [["a", "b", "c"][i] for i in torch.randint(3, (length + n,)).tolist()]
            for n in range(2 * count)
        ]
        yield case(words[:count], words[count:])


def _distances(outputs, references):
    return [
        word_error_rate.solution([o], [r]) * len(r) if r else float(len(o))
        for o, r in zip(outputs, references, strict=True)
    ]


def _bags(outputs, references, distance):
    """The rate with a distance of two counters of words."""
    pairs = zip(map(Counter, outputs), map(Counter, references), strict=True)
    return sum(distance(*pair) for pair in pairs) / sum(map(len, references))


@word_error_rate.mistake(
    "this is the mean of the error rates of single texts: add up all errors and all words first,"
    " then divide once"
)
def mean_of_rates(outputs, references):
    found = _distances(outputs, references)
    rates = [d / max(1, len(r)) for d, r in zip(found, references, strict=True)]
    return sum(rates) / len(rates)


@word_error_rate.mistake("divide by the number of words in the references, not in the outputs")
def divided_by_outputs(outputs, references):
    return sum(_distances(outputs, references)) / max(1, sum(len(o) for o in outputs))


@word_error_rate.mistake(
    "comparing words at the same position is not an edit distance: after one missing word, every"
    " later word would be wrong"
)
def place_by_place(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        errors += sum(a != b for a, b in zip(output, reference, strict=False))
        errors += abs(len(output) - len(reference))
    return errors / sum(len(reference) for reference in references)


@word_error_rate.mistake(
    "an error rate has no upper limit: inserted words can make it larger than 1"
)
def cut_at_one(outputs, references):
    return min(1.0, word_error_rate.solution(outputs, references))


@word_error_rate.mistake("inserted words are errors too: every word of the output counts")
def insertions_forgotten(outputs, references):
    total = 0
    for output, reference in zip(outputs, references, strict=True):
        distance = _distances([output], [reference])[0]
        total += min(distance, len(reference))
    return total / sum(len(reference) for reference in references)


@word_error_rate.mistake("a wrong word in place of a right one is one error, not two")
def substitution_counted_twice(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        row = list(range(len(reference) + 1))
        for i, word in enumerate(output, start=1):
            diagonal, row[0] = row[0], i
            for j, wanted in enumerate(reference, start=1):
                best = min(row[j] + 1, row[j - 1] + 1, diagonal + 2 * (word != wanted))
                diagonal, row[j] = row[j], best
        errors += row[-1]
    return errors / sum(len(reference) for reference in references)


@word_error_rate.mistake("compare whole words: this is the edit distance of the letters")
def letters_compared(outputs, references):
    outputs, references = ([list(" ".join(t)) for t in texts] for texts in (outputs, references))
    return word_error_rate.solution(outputs, references)


@word_error_rate.mistake("the result is a share, not per cent: 0.25, not 25")
def in_per_cent(outputs, references):
    return 100 * word_error_rate.solution(outputs, references)


@word_error_rate.mistake(
    "the order of the words counts: the edit distance is not a comparison of how often each occurs"
)
def order_ignored(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        common = sum(min(output.count(w), reference.count(w)) for w in set(reference))
        errors += max(len(output), len(reference)) - common
    return errors / sum(len(reference) for reference in references)


@word_error_rate.again
def missing_words_counted(outputs, references):
    return _bags(outputs, references, lambda output, reference: (reference - output).total())


@word_error_rate.again
def missing_and_surplus_words_counted(outputs, references):
    return _bags(
        outputs,
        references,
        lambda output, reference: (reference - output).total() + (output - reference).total(),
    )


@word_error_rate.again
def sets_of_words(outputs, references):
    return _bags(outputs, references, lambda output, reference: len(set(reference) - set(output)))


@word_error_rate.again
def sets_of_words_both_ways(outputs, references):
    return _bags(outputs, references, lambda output, reference: len(set(reference) ^ set(output)))


@word_error_rate.again
def words_not_in_the_output(outputs, references):
    return _bags(
        outputs,
        references,
        lambda output, reference: sum(n for w, n in reference.items() if w not in output),
    )


@word_error_rate.mistake(
    "`row[0]` is i: words that are written before the first word of the reference are insertions"
)
def free_start(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        row = list(range(len(reference) + 1))
        for word in output:
            diagonal, row[0] = row[0], 0
            for j, wanted in enumerate(reference, start=1):
                best = min(row[j] + 1, row[j - 1] + 1, diagonal + (word != wanted))
                diagonal, row[j] = row[j], best
        errors += row[-1]
    return errors / sum(len(reference) for reference in references)


@word_error_rate.mistake(
    "a substitution comes from `row[j - 1]` of the row *before*: keep that value before you"
    " overwrite it"
)
def diagonal_overwritten(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        row = list(range(len(reference) + 1))
        for i, word in enumerate(output, start=1):
            row[0] = i
            for j, wanted in enumerate(reference, start=1):
                row[j] = min(row[j] + 1, row[j - 1] + 1, row[j - 1] + (word != wanted))
        errors += row[-1]
    return errors / sum(len(reference) for reference in references)


@word_error_rate.mistake("divide by the number of *words* of the references, not of texts")
def divided_by_texts(outputs, references):
    return sum(_distances(outputs, references)) / len(references)


@word_error_rate.mistake(
    "the words that one text has more than the other are errors too: `zip` stops at the shorter one"
)
def shorter_one_only(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        errors += sum(a != b for a, b in zip(output, reference, strict=False))
    return errors / sum(len(reference) for reference in references)


@word_error_rate.mistake(
    "this counts the words that are missing from a longest common subsequence: one deletion and one"
    " insertion in different places are two errors"
)
def common_subsequence(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        row = [0] * (len(reference) + 1)
        for word in output:
            before = list(row)
            for j, wanted in enumerate(reference, start=1):
                row[j] = before[j - 1] + 1 if word == wanted else max(before[j], row[j - 1])
        errors += max(len(output), len(reference)) - row[-1]
    return errors / sum(len(reference) for reference in references)


@word_error_rate.mistake(
    "two words that have changed places are two errors: the edit distance does not exchange words"
)
def exchange_is_one_error(outputs, references):
    errors = 0
    for output, reference in zip(outputs, references, strict=True):
        rows = [list(range(len(reference) + 1))]
        for i, word in enumerate(output, start=1):
            rows.append([i])
            for j, wanted in enumerate(reference, start=1):
                best = [rows[-2][j] + 1, rows[-1][j - 1] + 1, rows[-2][j - 1] + (word != wanted)]
                if min(i, j) > 1 and [word, output[i - 2]] == [reference[j - 2], wanted]:
                    best.append(rows[-3][j - 2] + 1)
                rows[-1].append(min(best))
        errors += rows[-1][-1]
    return errors / sum(len(reference) for reference in references)


@word_error_rate.mistake("an empty output lacks every word of its reference: it counts")
def empty_left_out(outputs, references):
    kept = [(o, r) for o, r in zip(outputs, references, strict=True) if o and r]
    return sum(_distances(*zip(*kept, strict=True)) if kept else []) / sum(map(len, references))


@word_error_rate.mistake("this is the share of the right words: count the errors")
def share_that_is_right(outputs, references):
    return 1 - word_error_rate.solution(outputs, references)


@word_error_rate.mistake(
    "each output belongs to its own reference: joined, words of one text can meet those of another"
)
def texts_joined(outputs, references):
    return word_error_rate.solution([sum(outputs, [])], [sum(references, [])])


@exercise(
    "05.2",
    "From a path to a text",
    """
    CTC writes one symbol at **every** position of the memory: a word, or the blank. A path becomes
    a text in two steps, in this order: equal neighbours become one, then the blanks go
    ([Graves et al. 2006](REFERENCES.md#graves2006), section 3).

    Write `collapse(log_probs)`: `log_probs` has shape (Tk, V), column 0 is the blank. Take the best
    symbol at every position and return the text as a list of ids. It may be empty.

    **Predict first:** how does CTC write *five five*?
    """,
    prediction="five, blank, five: without the blank between them, the two would become one",
    minutes=10,
    kind="implement",
)
def collapse(log_probs):
    """Best path, collapsed. log_probs: (Tk, V), blank in column 0. Returns a list of ints."""
    found, before = [], 0
    for token in log_probs.argmax(dim=1).tolist():
        if token not in (0, before):
            found.append(token)
        before = token
    return found


def _path(*tokens, size=4):
    return 5 * F.one_hot(torch.tensor(tokens), size).float() - 1


@collapse.cases
def _():
    yield case(_path(0, 2, 0, 1, 0), expected=[2, 1], label="one position each")
    yield case(_path(2, 2, 2, 0, 1, 1), expected=[2, 1], label="held for several positions")
    yield case(_path(2, 2, 0, 2), expected=[2, 2], label="the same word twice")
    yield case(_path(3, 1, 1, 3), expected=[3, 1, 3], label="without any blank")
    yield case(_path(0, 0, 0), expected=[], label="only blanks")
    yield case(_path(1), expected=[1], label="one position")
    for length, size in ((9, 3), (14, 5)):
        yield case(torch.randn(length, size).log_softmax(-1))


@collapse.check
def _(answer):
    found = answer(_path(0, 2, 0, 1, 0))
    if any(torch.is_tensor(token) for token in found):
        raise CheckFailed("the ids are tensors, expected ints", expected=[2, 1])


@collapse.mistake(
    "the order matters: merge equal neighbours first and remove blanks afterwards, or a word can"
    " never occur twice in a row"
)
def blanks_first(log_probs):
    tokens = [token for token in log_probs.argmax(dim=1).tolist() if token != 0]
    return [t for i, t in enumerate(tokens) if i == 0 or t != tokens[i - 1]]


@collapse.mistake("a word that is held for several positions is one word: merge equal neighbours")
def not_merged(log_probs):
    return [token for token in log_probs.argmax(dim=1).tolist() if token != 0]


@collapse.mistake("the blank is not a word: it must not be in the result")
def blanks_kept(log_probs):
    tokens = log_probs.argmax(dim=1).tolist()
    return [t for i, t in enumerate(tokens) if i == 0 or t != tokens[i - 1]]


@collapse.mistake("only neighbours are merged: the same word may occur again later")
def every_word_once(log_probs):
    return [t for t in dict.fromkeys(log_probs.argmax(dim=1).tolist()) if t != 0]


@collapse.mistake("take the best symbol at each position: `argmax(dim=1)`, over the columns")
def best_position_of_each_symbol(log_probs):
    return collapse.solution(log_probs.T)


@collapse.mistake("the blank is column 0, not the last one")
def blank_is_last(log_probs):
    found, before = [], log_probs.shape[1] - 1
    for token in log_probs.argmax(dim=1).tolist():
        if token not in (log_probs.shape[1] - 1, before):
            found.append(token)
        before = token
    return found


@collapse.mistake("an id is the number of its column, which counts from 0 with the blank")
def ids_without_the_blank(log_probs):
    return [token - 1 for token in collapse.solution(log_probs)]


@collapse.mistake("return the symbols, not the positions at which they begin")
def positions_returned(log_probs):
    path = log_probs.argmax(dim=1).tolist()
    return [i for i, t in enumerate(path) if t != 0 and (i == 0 or t != path[i - 1])]


@collapse.mistake("the last symbol of the path counts too, whether a change follows it or not")
def last_one_lost(log_probs):
    path = log_probs.argmax(dim=1).tolist()
    return [a for a, b in zip(path, path[1:], strict=False) if a != b and a != 0]


@collapse.mistake("the first symbol of the path counts too, although nothing comes before it")
def first_one_lost(log_probs):
    path = log_probs.argmax(dim=1).tolist()
    return [b for a, b in zip(path, path[1:], strict=False) if a != b and b != 0]


@collapse.mistake("return a list of ints: `.tolist()` makes one of a tensor")
def a_tensor(log_probs):
    return torch.tensor(collapse.solution(log_probs))


@collapse.again
def a_list_of_tensors(log_probs):
    return list(torch.tensor(collapse.solution(log_probs)))


@collapse.mistake(
    "the best symbol at a position counts, however small its probability: no threshold"
)
def only_the_certain(log_probs):
    probabilities = log_probs.softmax(-1)
    best = probabilities.max(dim=1)
    path = [t if p > 0.5 else 0 for t, p in zip(best.indices.tolist(), best.values, strict=True)]
    return [t for i, t in enumerate(path) if t != 0 and (i == 0 or t != path[i - 1])]


@collapse.mistake("the blank competes with the words: look for the best of *all* columns")
def never_blank(log_probs):
    path = (log_probs[:, 1:].argmax(dim=1) + 1).tolist()
    return [t for i, t in enumerate(path) if i == 0 or t != path[i - 1]]


@collapse.mistake("a word counts whether a blank follows it or not")
def only_before_a_blank(log_probs):
    path = log_probs.argmax(dim=1).tolist()
    return [a for a, b in zip(path, [*path[1:], 0], strict=True) if a != 0 and b == 0]


@collapse.mistake(
    "the symbols of one position compete: do not normalise over the positions (dim 0)"
)
def normalised_over_positions(log_probs):
    return collapse.solution(log_probs.softmax(dim=0))


@exercise(
    "05.3",
    "Where was I?",
    r"""
    Location-aware attention reads the weights of the step before with a few small filters
    ([Chorowski et al. 2015](REFERENCES.md#chorowski2015), eq. 8). Filter $c$ has an odd width $W$;
    its middle lies on position $i$:

    $$f_{ic} = \sum_{k=0}^{W-1} F_{ck}\; \alpha_{\,i + k - (W-1)/2}$$

    Weights outside of the memory are 0.

    Write `location_features(previous, filters)`: `previous` has shape (Tk,), `filters` (C, W), the
    result (Tk, C).
    """,
    minutes=15,
    kind="implement",
)
def location_features(previous, filters):
    """What each filter finds around each position.

    previous: (Tk,) weights of the step before. filters: (C, W), W odd. Returns (Tk, C).
    """
    W = filters.shape[1]
    padded = F.pad(previous, (W // 2, W // 2))  # zeros on both sides
    return padded.unfold(0, W, 1) @ filters.T  # (Tk, W) times (W, C)


@location_features.cases
def _():
    here = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    middle = torch.tensor([[0.0, 1.0, 0.0]])
    yield case(here, middle, expected=here[:, None], label="a filter that copies")
    ahead = torch.tensor([[1.0, 0.0, 0.0]])  # 1 where the position before had the weight
    moved = torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0])[:, None]
    yield case(here, ahead, expected=moved, label="a filter that points to the next position")
    yield case(torch.tensor([0.5, 0.5]), torch.ones(1, 3), expected=torch.ones(2, 1))
    yield case(torch.tensor([1.0]), torch.tensor([[2.0, 3.0, 5.0]]), expected=torch.tensor([[3.0]]))
    for Tk, C, W in ((7, 2, 3), (6, 4, 5), (9, 3, 1)):
        yield case(torch.randn(Tk).softmax(0), torch.randn(C, W))


@location_features.mistake(
    "the filter is reversed: `filters[:, 0]` meets the weight *before* position i"
)
def turned_round(previous, filters):
    return location_features.solution(previous, filters.flip(1))


@location_features.mistake("the result has a row for each position and a column for each filter")
def transposed(previous, filters):
    return location_features.solution(previous, filters).T


@location_features.mistake(
    "the middle of the filter lies on position i: pad on both sides, (W - 1) / 2 each"
)
def looks_back_only(previous, filters):
    W = filters.shape[1]
    return F.pad(previous, (W - 1, 0)).unfold(0, W, 1) @ filters.T


@location_features.mistake("outside the memory the weights are 0: they do not wrap around")
def round_the_corner(previous, filters):
    W = filters.shape[1]
    rows = [previous.roll(W // 2 - k) for k in range(W)]
    return torch.stack(rows, dim=1) @ filters.T


@location_features.mistake("every position has a row: pad, or the outermost positions are lost")
def without_padding(previous, filters):
    return previous.unfold(0, filters.shape[1], 1) @ filters.T


@location_features.mistake("outside the memory the weights are 0, not those of the outermost place")
def edges_repeated(previous, filters):
    W = filters.shape[1]
    padded = F.pad(previous[None, None], (W // 2, W // 2), mode="replicate")[0, 0]
    return padded.unfold(0, W, 1) @ filters.T


@location_features.mistake("the formula is a sum, not a mean: do not divide by the width")
def divided_by_width(previous, filters):
    return location_features.solution(previous, filters) / filters.shape[1]


@location_features.mistake("each filter has a column of its own: do not add the filters up")
def filters_added(previous, filters):
    return location_features.solution(previous, filters).sum(dim=1, keepdim=True)


@location_features.mistake("all weights count, not the largest alone")
def only_the_peak(previous, filters):
    peak = F.one_hot(previous.argmax(), len(previous)).to(previous.dtype)
    return location_features.solution(peak, filters)


@location_features.mistake(
    "the filter sees both sides of position i: pad on the left as well as on the right"
)
def looks_ahead_only(previous, filters):
    W = filters.shape[1]
    return F.pad(previous, (0, W - 1)).unfold(0, W, 1) @ filters.T


@location_features.mistake(
    "every column of a filter meets another position: this uses its middle column alone"
)
def middle_alone(previous, filters):
    return previous[:, None] * filters[:, filters.shape[1] // 2]


@location_features.mistake("a filter is a sum of *different* weights: its columns are not added up")
def columns_added(previous, filters):
    return previous[:, None] * filters.sum(dim=1)


@location_features.mistake("`previous` are the weights of one step: do not add them up (`cumsum`)")
def added_up(previous, filters):
    return location_features.solution(previous.cumsum(0), filters)


@location_features.mistake("`previous` holds weights already: no softmax, here or afterwards")
def softmax_again(previous, filters):
    return location_features.solution(previous.softmax(0), filters)


@exercise(
    "05.4",
    "Which positions are real?",
    r"""
    The sounds of a batch are padded to $T$ frames. The encoder shortens them by two convolutions;
    each turns $n$ frames into $\lceil n/2 \rceil$. Attention needs to know which positions of the
    memory are left of a sound, and which of its padding.

    Write `memory_mask(lengths, T)`: `lengths` (B,) are the frames of each sound, from 1 to T.
    Return the `attend_mask` of the memory: booleans (B, Tk), True where attention may look. The
    padded batch is shortened like the sounds in it.

    **Predict first:** how many positions has a sound of five frames? And one of one frame?
    """,
    prediction="two, by way of three; and one",
    minutes=10,
    kind="derive",
)
def memory_mask(lengths, T):
    """The attend_mask after two halvings, rounded up: True at the positions of the sound.

    lengths: (B,) integers from 1 to T. T: frames of the padded batch. Returns (B, Tk) booleans.
    """
    for _ in range(2):
        lengths, T = (lengths + 1) // 2, (T + 1) // 2
    return torch.arange(T) < lengths[:, None]


@memory_mask.cases
def _():
    def mask(*rows):
        return torch.tensor(rows, dtype=torch.bool)

    yield case(torch.tensor([8, 4]), 8, expected=mask([1, 1], [1, 0]), label="multiples of four")
    yield case(
        torch.tensor([1, 5]),
        5,
        expected=mask([1, 0], [1, 1]),
        label="one frame, and five",
        hint="round up: ⌈n/2⌉ twice, for the sounds and for the batch. One frame has one position,"
        " and five have two",
    )
    yield case(
        torch.tensor([3]), 12, expected=mask([1, 0, 0]), label="a batch that is padded further"
    )
    yield case(torch.tensor([6, 7, 2]), 7, expected=mask([1, 1], [1, 1], [1, 0]))
    for sounds, T in ((3, 21), (5, 30), (2, 47)):
        yield case(torch.randint(1, T + 1, (sounds,)), T)


@memory_mask.mistake(
    "round up: ⌈n/2⌉ twice. Rounded down, the last frames of a sound lose their position"
)
def rounded_down(lengths, T):
    return torch.arange((T + 3) // 4) < (lengths // 4)[:, None]


@memory_mask.again
def everything_rounded_down(lengths, T):
    return torch.arange(T // 4) < (lengths // 4)[:, None]


@memory_mask.again
def batch_rounded_down(lengths, T):
    return torch.arange(T // 4) < ((lengths + 3) // 4)[:, None]


@memory_mask.mistake("the padded batch becomes shorter as well: Tk is T, halved twice, rounded up")
def width_of_the_frames(lengths, T):
    return torch.arange(T) < ((lengths + 3) // 4)[:, None]


@memory_mask.mistake("the lengths become shorter as well: halve them twice, as T")
def lengths_of_the_frames(lengths, T):
    return torch.arange((T + 3) // 4) < lengths[:, None]


@memory_mask.mistake("there are two convolutions, and each halves the time")
def halved_once(lengths, T):
    return torch.arange((T + 1) // 2) < ((lengths + 1) // 2)[:, None]


@memory_mask.mistake("True means *may attend*: this is the mask of the padding")
def padding_marked(lengths, T):
    return ~memory_mask.solution(lengths, T)


@memory_mask.mistake("each sound has a length of its own, not that of the longest")
def longest_for_all(lengths, T):
    return memory_mask.solution(lengths.max().expand(len(lengths)), T)


@memory_mask.mistake("off by one: positions count from 0, so the last one is length - 1")
def one_too_many(lengths, T):
    return torch.arange((T + 3) // 4) <= ((lengths + 3) // 4)[:, None]


@memory_mask.mistake("the width follows from T: the batch may be padded further than its sounds")
def width_of_the_longest(lengths, T):
    return memory_mask.solution(lengths, int(lengths.max()))


@memory_mask.mistake("a mask is boolean: compare, do not convert to numbers")
def numbers(lengths, T):
    return memory_mask.solution(lengths, T).float()


@memory_mask.mistake("the positions of a sound come first: the padding follows it")
def padding_first(lengths, T):
    return memory_mask.solution(lengths, T).flip(1)


@memory_mask.mistake("round up in *both* halvings: this rounds down in one of them")
def rounded_up_once(lengths, T):
    return torch.arange((T + 3) // 4) < (((lengths + 1) // 2) // 2)[:, None]


@memory_mask.mistake("round up, ⌈n/2⌉ twice, not to the nearest number")
def rounded_to_the_nearest(lengths, T):
    return torch.arange((T + 3) // 4) < (lengths / 4).round()[:, None]


@memory_mask.again
def everything_rounded_to_the_nearest(lengths, T):
    return torch.arange(round(T / 4)) < (lengths / 4).round()[:, None]


@memory_mask.again
def batch_rounded_to_the_nearest(lengths, T):
    return torch.arange(round(T / 4)) < ((lengths + 3) // 4)[:, None]


@memory_mask.again
def nearest_and_down(lengths, T):
    return torch.arange(T // 4) < (lengths / 4).round()[:, None]


@memory_mask.mistake(
    "True means that attention may look: -inf belongs into scores, not into a mask"
)
def minus_infinity(lengths, T):
    return torch.zeros(()).masked_fill(~memory_mask.solution(lengths, T), -torch.inf)


@exercise(
    "05.5",
    "How many positions does a text need?",
    r"""
    The last text of the forward recursion did not fit: its probability under CTC was zero.
    **Predict first,** by hand: how many positions does *two two five two two two* need at least?

    Write `positions_needed(text)` for a list of words: the smallest number of positions with which
    CTC can write it.
    """,
    prediction="nine: six words, and a blank in each of the three places where a word stands"
    " twice in a row",
    minutes=3,
    kind="predict",
)
def positions_needed(text):
    """The smallest number of positions that a list of words needs under CTC, an integer."""
    return len(text) + sum(a == b for a, b in zip(text, text[1:], strict=False))


@positions_needed.cases
def _():
    yield case(["five"], expected=1, label="one word, no blank")
    yield case(["five", "two"], expected=2, label="different words need no blank between them")
    yield case(["two", "two"], expected=3, label="equal neighbours")
    yield case(["two", "five", "two"], expected=3, label="equal, but not neighbours")
    yield case("two two five two two two".split(), expected=9, label="the prediction")
    yield case(["two"] * 5, expected=9, label="the text of the notebook")
    yield case([], expected=0, label="no word")
    for length in (7, 12):
        yield case([random.choice(["one", "two", "six"]) for _ in range(length)])


@positions_needed.mistake(
    "equal neighbours would be merged into one word: they need a blank between them"
)
def words_alone(text):
    return len(text)


@positions_needed.mistake(
    "blanks before the first word and after the last one are allowed, not needed, and different"
    " neighbours need none"
)
def blanks_everywhere(text):
    return 2 * len(text) + 1


@positions_needed.mistake("different neighbours need no blank between them")
def blanks_between(text):
    return max(2 * len(text) - 1, 0)


@positions_needed.mistake("only equal *neighbours* need a blank: a word may come again later")
def repeated_anywhere(text):
    return len(text) + len(text) - len(set(text))


@positions_needed.mistake(
    "each pair of equal neighbours needs a blank: three equal words have two pairs"
)
def one_for_each_run(text):
    runs = "".join("=" if a == b else "|" for a, b in zip(text, text[1:], strict=False))
    return len(text) + len([run for run in runs.split("|") if run])


@positions_needed.mistake(
    "it is the equal neighbours that need a blank between them, not the different ones"
)
def blanks_at_changes(text):
    return len(text) + sum(a != b for a, b in zip(text, text[1:], strict=False))


@positions_needed.mistake("equal neighbours are two words: both of them count, and a blank as well")
def merged(text):
    return len(text) - sum(a == b for a, b in zip(text, text[1:], strict=False))


@positions_needed.mistake("one blank is enough to keep two equal words apart")
def two_blanks(text):
    return len(text) + 2 * sum(a == b for a, b in zip(text, text[1:], strict=False))


@positions_needed.mistake(
    "a blank at the end is allowed, not needed: the text may end with the last position"
)
def blank_at_the_end(text):
    return positions_needed.solution(text) + 1


@positions_needed.mistake("the words count as well as the blanks")
def blanks_alone(text):
    return sum(a == b for a, b in zip(text, text[1:], strict=False))


@exercise(
    "05.6",
    "The most probable text",
    r"""
    **A project.** The most probable *path* need not spell the most probable *text*: many paths of
    small probability can give the same text. Let CTC search
    ([Hannun et al. 2014](REFERENCES.md#hannun2014), algorithm 1).

    Keep, at each position, the `width` most probable beginnings of a text. Each has two
    probabilities: $b$, over all paths to it that end with a blank, and $w$, over all that end with
    its last word. With the probabilities $p$ of the next position,

    - a blank, or the last word once more, leaves the beginning $g$ as it is: its new $b$ is
      $(b + w)\,p(\text{–})$, and its new $w$ gets $w\,p(\text{last word of } g)$;
    - a word $c$ makes $g\,c$ of it, whose new $w$ gets $(b + w)\,p(c)$; but if $c$ is the last word
      of $g$, only $b\,p(c)$, because without a blank it would have been merged.

    The same beginning may be reached in several ways: add up before you keep the `width` with the
    largest $b + w$. The empty beginning starts with $b = 1$.

    Write `most_probable_text(p, width)`: `p` has shape (Tk, V), rows that sum to one, the blank in
    column 0. Return `(text, probability)`: a list of columns without blanks, and its $b + w$ at the
    end, a float.

    When it works, let it read `posterior`, the probabilities of the sentence in the section on CTC,
    with widths of 1 and 10. Does its text differ from the one that the most probable path spells
    (exercise 05.2)?
    """,
    minutes=35,
    kind="extend",
)
def most_probable_text(p, width):
    """The text that a search with CTC finds, and its probability.

    p: (Tk, V), the blank in column 0. width: number of beginnings that are kept.
    Returns (list of columns, float).
    """
    beams = {(): (1.0, 0.0)}
    for row in p.tolist():
        blank, word = {}, {}
        for text, (b, w) in beams.items():
            blank[text] = blank.get(text, 0.0) + (b + w) * row[0]
            if text:
                word[text] = word.get(text, 0.0) + w * row[text[-1]]
            for c in range(1, len(row)):
                before = b if text and c == text[-1] else b + w
                word[*text, c] = word.get((*text, c), 0.0) + before * row[c]
        both = {text: (blank.get(text, 0.0), word.get(text, 0.0)) for text in {**blank, **word}}
        beams = dict(sorted(both.items(), key=lambda one: -sum(one[1]))[:width])
    text, found = next(iter(beams.items()))
    return list(text), sum(found)


@most_probable_text.cases
def _():
    yield case(
        torch.tensor([[0.6, 0.4], [0.6, 0.4]]),
        4,
        expected=([1], 0.64),
        label="the most probable path has two blanks: .36",
    )
    yield case(torch.tensor([[0.1, 0.2, 0.7]]), 3, expected=([2], 0.7), label="one position")
    yield case(
        torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9]]),
        9,
        expected=([1, 1], 0.729),
        label="a blank between two equal words",
    )
    yield case(
        torch.tensor([[0.1, 0.9], [0.1, 0.9], [0.1, 0.9]]),
        9,
        expected=([1], 0.918),
        label="three times the same word",
    )
    yield case(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), 2, expected=([], 0.72), label="nothing said")
    yield case(torch.tensor([[0.6, 0.4], [0.6, 0.4]]), 1, expected=([], 0.36), label="width 1")
    for positions, size, width in ((4, 3, 99), (6, 3, 2), (5, 4, 3), (7, 2, 2), (7, 3, 1)):
        yield case(torch.softmax(torch.randn(positions, size), dim=1), width)


def _searched(p, width, step, value=sum):
    """A search with another step: (text, b, w, row) → [(text, b or w, probability)]."""
    beams = {(): (1.0, 0.0)}
    for row in p.tolist():
        new = {}
        for text, (b, w) in beams.items():
            for key, kind, q in step(text, b, w, row):
                pair = new.setdefault(key, [0.0, 0.0])
                pair[kind] += q
        beams = dict(sorted(new.items(), key=lambda one: -value(one[1]))[:width])
    text, found = next(iter(beams.items()))
    return list(text), value(found)


def _step(text, b, w, row):
    found = [(text, 0, (b + w) * row[0])]
    if text:
        found.append((text, 1, w * row[text[-1]]))
    for c in range(1, len(row)):
        found.append(((*text, c), 1, (b if text and c == text[-1] else b + w) * row[c]))
    return found


@most_probable_text.mistake(
    "this is what the most probable path spells; other paths may make another text more probable"
)
def the_best_path(p, width):
    path = p.argmax(dim=1).tolist()
    text = [c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)]
    return text, p.amax(dim=1).prod().item()


@most_probable_text.mistake(
    "a word right after itself is merged: g c with c = last word of g comes from b alone"
)
def never_merged(p, width):
    def step(text, b, w, row):
        found = _step(text, b, w, row)[: 1 + bool(text)]
        return found + [((*text, c), 1, (b + w) * row[c]) for c in range(1, len(row))]

    return _searched(p, width, step)


@most_probable_text.mistake(
    "the last word once more leaves the text as it is: g keeps w · p(last word)"
)
def no_staying(p, width):
    return _searched(
        p, width, lambda *a: [one for one in _step(*a) if one[0] != a[0] or not one[1]]
    )


@most_probable_text.mistake("a blank leaves the text as it is: g keeps (b + w) · p(blank)")
def no_blank(p, width):
    return _searched(p, width, lambda *a: [one for one in _step(*a) if one[0] != a[0] or one[1]])


@most_probable_text.mistake(
    "a word may come again after a blank: g c with c = last word of g gets b · p(c)"
)
def no_word_twice(p, width):
    return _searched(
        p,
        width,
        lambda t, *a: [one for one in _step(t, *a) if one[0] == t or one[0][-1:] != t[-1:]],
    )


@most_probable_text.mistake("keep only the `width` most probable beginnings at each position")
def everything_kept(p, width):
    return _searched(p, 10**6, _step)


@most_probable_text.mistake(
    "the last word may be the one that is said right now: a beginning is worth b + w, not b"
)
def worth_b(p, width):
    return _searched(p, width, _step, value=lambda pair: pair[0])


@most_probable_text.mistake("a text may end with a blank: a beginning is worth b + w, not w")
def worth_w(p, width):
    return _searched(p, width, _step, value=lambda pair: pair[1])


@most_probable_text.mistake("return the probability, not its logarithm")
def logarithm(p, width):
    import math

    text, found = most_probable_text.solution(p, width)
    return text, math.log(found)


@most_probable_text.mistake(
    "the last word once more counts only after that word: w · p(last word), not (b + w)"
)
def stays_from_blank(p, width):
    def step(text, b, w, row):
        return [
            (key, kind, (b + w) * row[text[-1]] if text and key == text and kind else q)
            for key, kind, q in _step(text, b, w, row)
        ]

    return _searched(p, width, step)


@most_probable_text.mistake(
    "after a blank, a word begins anew: g c gets (b + w) · p(c), not w · p(c)"
)
def words_after_words(p, width):
    def step(text, b, w, row):
        found = _step(text, b, w, row)[: 1 + bool(text)]
        w = w if text else b + w
        return found + [
            ((*text, c), 1, (b if c in text[-1:] else w) * row[c]) for c in range(1, len(row))
        ]

    return _searched(p, width, step)
