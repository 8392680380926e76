"""Exercises of notebook 04: heat maps, pointing, BLEU, a gate, what places see and words need."""

import math
import random

import torch
from torch.nn import functional as F

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.judging import exercise


@exercise(
    "04.1",
    "A heat map that adds up",
    r"""
    To draw attention over a picture, every place of the grid has to become a block of pixels. A
    smooth map looks better, but it invents detail, and nobody can add it up any more. Do it
    honestly: every pixel of a place gets the same share of that place's weight.

    Write `to_pixels(weights, rows, columns, height, width)`.

    - `weights` has shape (T, rows · columns): one row for each word, places row by row from the top
      left, as a page is read.
    - `height` is a multiple of `rows`, `width` of `columns`.

    Return (T, height, width). The pixels of a word sum to what its weights sum to.

    **Predict first:** a grid of 8 × 8 over 64 × 64 pixels. What is the brightest that a pixel can
    get?
    """,
    prediction="1/64: the 8 × 8 pixels of a place share its weight, which is 1 at most",
    minutes=10,
    kind="implement",
)
def to_pixels(weights, rows, columns, height, width):
    """Weights of places as a map of pixels that has the same sum.

    weights: (T, rows * columns). Returns (T, height, width).
    """
    tall, wide = height // rows, width // columns
    grid = weights.reshape(len(weights), rows, columns) / (tall * wide)
    return grid.repeat_interleave(tall, dim=1).repeat_interleave(wide, dim=2)


@to_pixels.cases
def _():
    yield case(
        torch.tensor([[0.25, 0.75]]),
        1,
        2,
        1,
        2,
        expected=torch.tensor([[[0.25, 0.75]]]),
        label="one pixel for each place",
    )
    yield case(
        torch.tensor([[0.2, 0.8]]),
        2,
        1,
        4,
        1,
        expected=torch.tensor([[[0.1], [0.1], [0.4], [0.4]]]),
        label="one place below the other",
    )
    yield case(
        torch.tensor([[0.5, 0.25]]),
        1,
        2,
        2,
        2,
        expected=torch.tensor([[[0.25, 0.125], [0.25, 0.125]]]),
        label="a word whose weights sum to .75",
    )
    for T, rows, columns, tall, wide in ((1, 2, 3, 1, 1), (3, 2, 5, 3, 2), (2, 7, 4, 2, 5)):
        weights = torch.softmax(torch.randn(T, rows * columns), dim=1)
        yield case(weights, rows, columns, rows * tall, columns * wide)


@to_pixels.mistake(
    "a place's weight is spread over its pixels: divide by their number, or the sum grows"
)
def weight_repeated(weights, rows, columns, height, width):
    grid = weights.reshape(len(weights), rows, columns)
    tall, wide = height // rows, width // columns
    return grid.repeat_interleave(tall, dim=1).repeat_interleave(wide, dim=2)


@to_pixels.mistake(
    "places are counted row by row: reshape to (T, rows, columns), without swapping the two"
)
def grid_turned(weights, rows, columns, height, width):
    tall, wide = height // rows, width // columns
    grid = weights.reshape(len(weights), columns, rows).transpose(1, 2) / (tall * wide)
    return grid.repeat_interleave(tall, dim=1).repeat_interleave(wide, dim=2)


@to_pixels.mistake(
    "`repeat` tiles copies of the whole grid; `repeat_interleave` enlarges each place"
)
def grid_tiled(weights, rows, columns, height, width):
    tall, wide = height // rows, width // columns
    return weights.reshape(len(weights), rows, columns).repeat(1, tall, wide) / (tall * wide)


@to_pixels.mistake(
    "weights stay as they are, apart from being shared out: nothing divides by a sum"
)
def normalised_over_pixels(weights, rows, columns, height, width):
    pixels = weight_repeated(weights, rows, columns, height, width)
    return pixels / pixels.sum(dim=(1, 2), keepdim=True)


@to_pixels.mistake(
    "the brightest place keeps its weight: scaling each word to 1 makes flat weights a spotlight"
)
def brightest_is_one(weights, rows, columns, height, width):
    pixels = weight_repeated(weights, rows, columns, height, width)
    return pixels / pixels.amax(dim=(1, 2), keepdim=True)


@to_pixels.mistake(
    "interpolation invents values between the places: every pixel of a place gets the same"
)
def smoothed(weights, rows, columns, height, width):
    grid = weights.reshape(len(weights), 1, rows, columns) / ((height // rows) * (width // columns))
    return F.interpolate(grid, (height, width), mode="bilinear")[:, 0]


@to_pixels.mistake(
    "a weight is shared by the pixels of its place, not by all of the picture: divide by"
    " height / rows · width / columns"
)
def divided_by_all_pixels(weights, rows, columns, height, width):
    return weight_repeated(weights, rows, columns, height, width) / (height * width)


@to_pixels.mistake("`dim=1` runs along the rows of the grid, `dim=2` along its columns")
def rows_and_columns_swapped(weights, rows, columns, height, width):
    tall, wide = height // rows, width // columns
    grid = weights.reshape(len(weights), rows, columns) / (tall * wide)
    return grid.repeat_interleave(wide, dim=1).repeat_interleave(tall, dim=2)


@to_pixels.mistake("the first place is at the top left: the first row of the result is the top")
def upside_down(weights, rows, columns, height, width):
    return to_pixels.solution(weights, rows, columns, height, width).flip(1)


@to_pixels.mistake("these are the numbers, not a tensor: return (T, height, width) as a tensor")
def nested_lists(weights, rows, columns, height, width):
    return to_pixels.solution(weights, rows, columns, height, width).tolist()


@exercise(
    "04.2",
    "Point, and know what chance is",
    r"""
    The pointing game: for each word, does the largest weight lie on a place that holds (a part of)
    what the word names? A score alone says nothing: a thing that fills half of the picture is hit
    by every second dart.

    Write `pointing_game(weights, holds)`.

    - `weights` has shape (T, places).
    - `holds` has shape (T, places), boolean: which places hold what word t names. A row without any
      True belongs to a word that names nothing (*and*, *left*): it does not count.

    Return two numbers, `(hits, chance)`: the share of the counted words that hit, and the share
    that a dart thrown at a place at random would hit on average over the same words. Without any
    counted word both are 0.0.
    """,
    minutes=15,
    kind="measure",
)
def pointing_game(weights, holds):
    """Share of words whose largest weight lies on what they name, and the same for chance.

    weights: (T, places). holds: (T, places) bool. Returns two floats.
    """
    counted = holds.any(dim=1)
    if not counted.any():
        return 0.0, 0.0
    weights, holds = weights[counted], holds[counted]
    hit = holds.gather(1, weights.argmax(dim=1, keepdim=True))
    return hit.float().mean().item(), holds.float().mean().item()


@pointing_game.cases
def _():
    rows = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]])
    first = torch.tensor([[True, False, False, False], [False, False, False, True]])
    yield case(rows, first, expected=(1.0, 0.25), label="both hit")
    yield case(rows, ~first, expected=(0.0, 0.75), label="both miss")
    nothing = torch.tensor([[True, True, False, False], [False] * 4])
    yield case(rows, nothing, expected=(1.0, 0.5), label="the second word names nothing")
    yield case(rows, torch.zeros(2, 4, dtype=torch.bool), expected=(0.0, 0.0), label="no words")
    for T, places in ((3, 5), (7, 4), (9, 16)):
        weights = torch.softmax(2 * torch.randn(T, places), dim=1)
        holds = torch.rand(T, places) < 0.4
        holds[T // 2] = False
        yield case(weights, holds)


@pointing_game.mistake("a word that names nothing does not count, neither as a miss nor for chance")
def nothing_counted_as_miss(weights, holds):
    hit = holds.gather(1, weights.argmax(dim=1, keepdim=True))
    return hit.float().mean().item(), holds.float().mean().item()


@pointing_game.mistake(
    "this is the weight on the thing (its attention mass); the pointing game asks only where the"
    " largest weight lies"
)
def mass_instead_of_hits(weights, holds):
    counted = holds.any(dim=1)
    if not counted.any():
        return 0.0, 0.0
    mass = (weights * holds)[counted].sum(dim=1)
    return mass.mean().item(), holds[counted].float().mean().item()


@pointing_game.mistake(
    "chance is the share of places that hold the thing, not one place out of all: a large thing"
    " is easier to hit"
)
def chance_of_one_place(weights, holds):
    hits, _ = pointing_game.solution(weights, holds)
    return hits, (1 / weights.shape[1] if holds.any() else 0.0)


@pointing_game.mistake("the pointing game follows the largest weight, not the smallest")
def smallest_weight(weights, holds):
    return pointing_game.solution(-weights, holds)


@pointing_game.mistake(
    "the largest weight of the whole row counts: among the places that hold the thing, every word"
    " hits"
)
def masked_before_the_largest(weights, holds):
    return pointing_game.solution(weights.masked_fill(~holds, -1.0), holds)


@pointing_game.mistake(
    "each word has a largest weight of its own: `argmax(dim=1)`, along the places"
)
def one_place_for_all_words(weights, holds):
    counted = holds.any(dim=1)
    if not counted.any():
        return 0.0, 0.0
    place = weights[counted].sum(dim=0).argmax()
    return holds[counted][:, place].float().mean().item(), holds[counted].float().mean().item()


@pointing_game.mistake(
    "one largest weight decides, not whether most of the weight lies on the thing"
)
def most_of_the_weight(weights, holds):
    counted = holds.any(dim=1)
    if not counted.any():
        return 0.0, 0.0
    mass = (weights * holds)[counted].sum(dim=1)
    return (mass > 0.5).float().mean().item(), holds[counted].float().mean().item()


@pointing_game.mistake(
    "chance belongs to the same words: leave out those that name nothing there, too"
)
def chance_over_all_words(weights, holds):
    hits, _ = pointing_game.solution(weights, holds)
    return hits, holds.float().mean().item()


@pointing_game.mistake("hits come first, then chance")
def turned_round(weights, holds):
    return pointing_game.solution(weights, holds)[::-1]


@pointing_game.mistake("return shares between 0 and 1, not numbers of words and places")
def numbers_instead_of_shares(weights, holds):
    counted = holds.any(dim=1)
    hits, chance = pointing_game.solution(weights, holds)
    return hits * counted.sum().item(), chance * weights.shape[1]


@pointing_game.check
def _(answer):
    for part in answer(torch.tensor([[0.9, 0.1]]), torch.tensor([[True, False]])):
        if isinstance(part, torch.Tensor):
            raise CheckFailed(
                "the result has a tensor where a Python number is expected",
                got=part,
                hint="`.item()` makes a number of a tensor with one element",
            )


@pointing_game.mistake("if no word counts, this is the mean of nothing: return 0.0, 0.0")
def no_words_forgotten(weights, holds):
    counted = holds.any(dim=1)
    hit = holds.gather(1, weights.argmax(dim=1, keepdim=True))[counted]
    return hit.float().mean().item(), holds[counted].float().mean().item()


@exercise(
    "04.3",
    "Five right answers",
    r"""
    A photo has five captions by five people, and all of them are right. BLEU's precision clips an
    n-gram at the *largest* number of times that it occurs in **one** reference
    ([Papineni et al. 2002](REFERENCES.md#papineni2002), section 2.1):

    $$p_n = \frac{\sum_g \min\big(\text{count}_C(g),\; \max_R \text{count}_R(g)\big)}
    {\sum_g \text{count}_C(g)}$$

    Write `precision(candidate, references, n)` for a list of words and a list of lists of words.
    Return the two sums as integers, `(matches, total)`. A candidate of fewer than `n` words has no
    n-grams: `(0, 0)`.

    **Predict first:** which is higher, the score against five references or the mean of the five
    scores against one each?
    """,
    prediction="the score against five: what one reference has, all five together have as"
    " well, so no single score is higher, and neither is their mean",
    minutes=15,
    kind="measure",
)
def precision(candidate, references, n):
    """Clipped n-gram matches against several references, and the number of n-grams.

    candidate: list of words. references: list of lists of words. Returns two ints.
    """
    from collections import Counter

    def grams(words):
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    most = Counter()
    for reference in references:
        most |= grams(reference)
    counted = grams(candidate)
    return sum(min(number, most[gram]) for gram, number in counted.items()), sum(counted.values())


@precision.cases
def _():
    two = ["a dog runs in the snow".split(), "the dog and the cat".split()]
    yield case("a cat runs".split(), two, 1, expected=(3, 3), label="a word from either")
    yield case("the the the".split(), two, 1, expected=(2, 3), label="clipped at two")
    yield case("a dog and".split(), two, 2, expected=(2, 2), label="pairs from either")
    yield case("dog".split(), two, 2, expected=(0, 0), label="too short")
    yield case(
        "the cat runs in the snow".split(), two[:1], 2, expected=(3, 5), label="one reference"
    )
    yield case(
        "on the on the".split(),
        ["on the".split(), "on the".split()],
        1,
        expected=(2, 4),
        label="the same reference twice",
    )
    yield case(["the"], [["then"], ["there"]], 1, expected=(0, 1), label="words inside words")
    yield case(["no", "where"], [["now", "here"]], 2, expected=(0, 1), label="equal letters")
    yield case(["The", "dog"], two, 1, expected=(1, 2), label="a capital")
    yield case(["a", "b"], [["c", "a"], ["b", "c"]], 2, expected=(0, 1), label="across references")
    yield case([], two, 3, expected=(0, 0), label="an empty candidate")
    words = "a b c d".split()
    for length, count, n in ((7, 2, 1), (9, 5, 2), (12, 3, 3)):
        picks = torch.randint(4, (1 + count, length)).tolist()
        rows = [[words[i] for i in row] for row in picks]
        yield case(rows[0], rows[1:], n)


def _counted(words, n):
    from collections import Counter

    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


@precision.mistake(
    "clip at the largest count in one reference; adding the counts of all references lets *the"
    " the the* pass"
)
def references_added_up(candidate, references, n):
    from collections import Counter

    def grams(words):
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    total = sum((grams(reference) for reference in references), Counter())
    counted = grams(candidate)
    return sum(min(c, total[g]) for g, c in counted.items()), sum(counted.values())


@precision.mistake(
    "different n-grams may come from different references: do not choose one best reference"
)
def best_single_reference(candidate, references, n):
    scores = [precision.solution(candidate, [reference], n) for reference in references]
    return max(scores)


@precision.mistake("clip each n-gram: it counts at most as often as a reference has it")
def not_clipped(candidate, references, n):
    known = {tuple(r[i : i + n]) for r in references for i in range(len(r) - n + 1)}
    grams = [tuple(candidate[i : i + n]) for i in range(len(candidate) - n + 1)]
    return sum(gram in known for gram in grams), len(grams)


@precision.mistake(
    "an n-gram need occur in one reference only: take the largest count over the references, not"
    " the smallest"
)
def smallest_count(candidate, references, n):
    sums = [_counted(candidate, n)] + [_counted(reference, n) for reference in references]
    least = sums[1]
    for other in sums[2:]:
        least = least & other
    return (sums[0] & least).total(), sums[0].total()


@precision.mistake("every reference counts, not the first one alone")
def first_reference(candidate, references, n):
    return precision.solution(candidate, references[:1], n)


@precision.mistake(
    "an n-gram lies within one reference: joining them makes n-grams across the boundary, and adds"
    " up their counts"
)
def references_joined(candidate, references, n):
    return precision.solution(candidate, [sum(references, [])], n)


@precision.mistake("the total counts the candidate's n-grams; the references' would be recall")
def recall(candidate, references, n):
    matches, _ = precision.solution(candidate, references, n)
    return matches, max(_counted(reference, n).total() for reference in references)


@precision.mistake("a set forgets how often an n-gram occurs: count, for example with a Counter")
def sets(candidate, references, n):
    ours, theirs = set(_counted(candidate, n)), set()
    for reference in references:
        theirs |= set(_counted(reference, n))
    return len(ours & theirs), len(ours)


@precision.mistake(
    "a sentence of T words has T - n + 1 n-grams: the last one is missing, so check where `range`"
    " ends"
)
def last_forgotten(candidate, references, n):
    return precision.solution(candidate[:-1], [reference[:-1] for reference in references], n)


@precision.mistake("compare whole words: searching in a string finds *the* in *then*")
def searched_in_strings(candidate, references, n):
    ours, texts = _counted(candidate, n), [" ".join(reference) for reference in references]
    most = {gram: max(text.count(" ".join(gram)) for text in texts) for gram in ours}
    return sum(min(count, most[gram]) for gram, count in ours.items()), ours.total()


@precision.mistake(
    "an n-gram is a tuple of words: glued together without a space, *no where* equals *now here*"
)
def glued_together(candidate, references, n):
    return precision.solution(
        ["".join(gram) for gram in _counted(candidate, n).elements()],
        [["".join(gram) for gram in _counted(one, n).elements()] for one in references],
        1,
    )


@precision.mistake(
    "the lists are compared as they are: *The* and *the* are two words, as sacrebleu counts them"
    " unless it is told to lower-case"
)
def lower_cased(candidate, references, n):
    lower = [[word.lower() for word in one] for one in (candidate, *references)]
    return precision.solution(lower[0], lower[1:], n)


@precision.check
def _(answer):
    for part in answer(["a", "b", "a"], [["a", "b"], ["b"]], 1):
        if isinstance(part, torch.Tensor):
            raise CheckFailed(
                "the result has a tensor where a Python number is expected",
                got=part,
                hint="`.item()` makes a number of a tensor with one element",
            )


@precision.mistake(
    "T - n + 1 is negative for a candidate shorter than n - 1: the total is never below 0"
)
def negative_total(candidate, references, n):
    return precision.solution(candidate, references, n)[0], len(candidate) - n + 1


@precision.mistake("return the two sums; BLEU divides after adding up all sentences")
def already_divided(candidate, references, n):
    matches, total = precision.solution(candidate, references, n)
    return matches / total if total else 0.0


@precision.mistake("only n-grams of exactly n words count, not the shorter ones as well")
def shorter_ones_too(candidate, references, n):
    sums = [precision.solution(candidate, references, size) for size in range(1, n + 1)]
    return sum(m for m, _ in sums), sum(t for _, t in sums)


@exercise(
    "04.4",
    "A gate for words that need no picture",
    r"""
    Softmax cannot look away: its weights sum to one even for *of* and *the*. Xu et al. multiply
    what was read by a **gate** between 0 and 1
    ([Xu et al. 2015](REFERENCES.md#xu2015), section 4.2.1):

    $$\beta_t = \sigma(w \cdot s_t + b) \qquad\qquad r_t = \beta_t \sum_i \alpha_{ti} v_i$$

    Write `gated_read(states, weights, values, w, b)`: states (T, D), weights (T, places), values
    (places, Dv), w (D,) and b a tensor with one number. Return r (T, Dv) and β (T,).

    **Predict first:** β is small, the heat map is bright. What did the picture contribute?
    """,
    prediction="little: the map shows how the weights are shared, and β makes all that is"
    " read small",
    minutes=15,
    kind="implement",
)
def gated_read(states, weights, values, w, b):
    """What is read from the picture, scaled by a gate for each step.

    states: (T, D). weights: (T, places). values: (places, Dv). w: (D,). b: one number.
    Returns (T, Dv) and (T,).
    """
    gate = torch.sigmoid(states @ w + b)
    return gate[:, None] * (weights @ values), gate


@gated_read.cases
def _():
    states, values = torch.tensor([[0.0, 0.0], [100.0, 0.0]]), torch.tensor([[2.0], [4.0]])
    half = torch.tensor([[0.5, 0.5], [0.0, 1.0]])
    yield case(
        states,
        half,
        values,
        torch.tensor([1.0, 0.0]),
        torch.tensor(0.0),
        expected=(torch.tensor([[1.5], [4.0]]), torch.tensor([0.5, 1.0])),
        label="half open, open",
    )
    yield case(
        torch.tensor([[-100.0], [100.0]]),
        half,
        values,
        torch.tensor([1.0]),
        torch.tensor(0.0),
        expected=(torch.tensor([[0.0], [4.0]]), torch.tensor([0.0, 1.0])),
        label="scores of −100 and 100",
    )
    yield case(
        torch.zeros(1, 2),
        torch.tensor([[0.5, 0.0, 0.25]]),
        torch.tensor([[4.0], [8.0], [16.0]]),
        torch.ones(2),
        torch.tensor(0.0),
        expected=(torch.tensor([[3.0]]), torch.tensor([0.5])),
        label="weights that sum to .75",
    )
    for T, D, places, Dv in ((1, 3, 4, 2), (5, 2, 3, 4), (3, 6, 9, 5), (4, 3, 7, 4)):
        weights = torch.softmax(torch.randn(T, places), dim=1)
        yield case(
            torch.randn(T, D), weights, torch.randn(places, Dv), torch.randn(D), torch.randn(())
        )


@gated_read.mistake("the gate is a sigmoid of the score, a number between 0 and 1")
def no_sigmoid(states, weights, values, w, b):
    gate = states @ w + b
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake("each step has a gate of its own: a softmax over the steps makes them compete")
def softmax_over_steps(states, weights, values, w, b):
    gate = torch.softmax(states @ w + b, dim=0)
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake("the offset b is missing in the gate")
def offset_forgotten(states, weights, values, w, b):
    gate = torch.sigmoid(states @ w)
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake("multiply what is read by the gate; returning the gate alone changes nothing")
def gate_not_used(states, weights, values, w, b):
    return weights @ values, torch.sigmoid(states @ w + b)


@gated_read.mistake("a gate lies between 0 and 1: tanh goes down to −1")
def tanh_gate(states, weights, values, w, b):
    gate = torch.tanh(states @ w + b)
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake("β multiplies what was read: 1 − β would close the gate where it should open")
def one_minus_gate(states, weights, values, w, b):
    gate = torch.sigmoid(states @ w + b)
    return (1 - gate)[:, None] * (weights @ values), gate


@gated_read.mistake(
    "a gate belongs to a step, that is to a row of what was read: `gate[:, None]`, (T, 1)"
)
def gate_along_the_width(states, weights, values, w, b):
    gate = torch.sigmoid(states @ w + b)
    return gate * (weights @ values), gate


@gated_read.mistake("the offset belongs inside the sigmoid: σ(w · s + b)")
def offset_outside(states, weights, values, w, b):
    gate = torch.sigmoid(states @ w) + b
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake(
    "weights that are scaled by the gate and then divided by their sum are what they were before"
)
def weights_normalised_again(states, weights, values, w, b):
    gate = torch.sigmoid(states @ w + b)
    scaled = gate[:, None] * weights
    return (scaled / scaled.sum(dim=1, keepdim=True)) @ values, gate


@gated_read.mistake("each step has a state of its own, and so a gate: do not average the states")
def one_gate_for_all(states, weights, values, w, b):
    gate = torch.sigmoid(states.mean(dim=0) @ w + b).expand(len(states))
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake("exp(100) overflows in float32, and inf / inf is NaN: use `torch.sigmoid`")
def overflowing(states, weights, values, w, b):
    score = states @ w + b
    gate = score.exp() / (1 + score.exp())
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake("what is read is a weighted average of the values; the gate only scales it")
def mean_of_the_values(states, weights, values, w, b):
    gate = torch.sigmoid(states @ w + b)
    return gate[:, None] * values.mean(dim=0), gate


@gated_read.mistake("the weights are used as they are: nothing divides by their sum")
def divided_by_the_sum(states, weights, values, w, b):
    gate = torch.sigmoid(states @ w + b)
    return gate[:, None] * (weights / weights.sum(dim=1, keepdim=True) @ values), gate


@gated_read.mistake("each gate stays as it is: it is neither opened nor closed at a threshold")
def hard_gate(states, weights, values, w, b):
    gate = (states @ w + b > 0).float()
    return gate[:, None] * (weights @ values), gate


@gated_read.mistake("return what was read first, then the gate")
def gate_first(states, weights, values, w, b):
    return gated_read.solution(states, weights, values, w, b)[::-1]


@exercise(
    "04.5",
    "How far does a place see?",
    r"""
    After the four layers of the notebook (filters of 5, 3, 3 and 3 pixels, strides of 2, 2, 2 and
    1), a place sees 33 × 33 pixels. **Predict first,** by hand: how many pixels wide is what it
    sees after a fifth layer like the last one?

    Write `pixels_seen(layers)`: a list of pairs `(kernel, stride)`, the first layer first. Return
    the width of what one place sees, in pixels, an integer. (One layer adds `kernel − 1` of its own
    steps; how many pixels is such a step?)
    """,
    prediction="49: the strides before it make one of its steps 2 · 2 · 2 = 8 pixels wide,"
    " and it adds two of them to 33",
    minutes=5,
    kind="predict",
)
def pixels_seen(layers):
    """Width in pixels of what one place sees after layers (kernel, stride), an integer."""
    seen, step = 1, 1
    for kernel, stride in layers:
        seen += (kernel - 1) * step
        step *= stride
    return seen


@pixels_seen.cases
def _():
    eye = [(5, 2), (3, 2), (3, 2), (3, 1)]
    yield case([(3, 1)], expected=3, label="one layer sees its filter")
    yield case([(3, 2)], expected=3, label="its own stride matters to the next layer only")
    yield case([(3, 1), (3, 1)], expected=5)
    yield case([(3, 2), (3, 1)], expected=7)
    yield case(eye, expected=33, label="the notebook's four layers")
    yield case([*eye, (3, 1)], expected=49, label="the prediction")
    yield case([], expected=1, label="no layer: a pixel")
    yield case([(4, 4), (7, 1)], expected=28)


@pixels_seen.hidden
def _():
    for _ in range(6):
        yield case(
            [(random.choice([3, 5, 7]), random.randint(1, 3)) for _ in range(random.randint(3, 5))]
        )


@pixels_seen.mistake(
    "a step of a later layer is longer: it is the product of all strides before it"
)
def strides_ignored(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


@pixels_seen.mistake(
    "a layer's own stride says where its next place lies; what one place sees depends on the"
    " strides *before* it"
)
def own_stride_first(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        seen += (kernel - 1) * step
    return seen


@pixels_seen.mistake("neighbouring filters overlap: a layer adds kernel − 1 steps, not kernel")
def whole_kernels(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        seen += kernel * step
        step *= stride
    return seen


@pixels_seen.mistake("start with the pixel itself: without any layer, a place sees 1")
def from_nothing(layers):
    return pixels_seen.solution(layers) - 1


@pixels_seen.mistake(
    "that is how many pixels lie between two places: a place stands for them, and sees more"
)
def what_it_stands_for(layers):
    return math.prod(stride for _, stride in layers)


@pixels_seen.mistake("the first layer comes first: its stride lengthens the steps of all others")
def from_the_end(layers):
    return pixels_seen.solution(layers[::-1])


@pixels_seen.mistake(
    "strides multiply: after strides of 2 and 2, a step is 4 pixels, after 2, 2, 2 eight"
)
def strides_added(layers):
    seen, step = 1, 1
    for number, (kernel, stride) in enumerate(layers):
        seen += (kernel - 1) * step
        step = stride if number == 0 else step + stride
    return seen


@pixels_seen.mistake("filters overlap: their widths add up, step by step, they do not multiply")
def kernels_multiplied(layers):
    return math.prod(kernel for kernel, _ in layers)


@pixels_seen.mistake("the width is asked for, not the number of pixels, which is its square")
def area(layers):
    return pixels_seen.solution(layers) ** 2


@pixels_seen.mistake("to both sides together a filter adds kernel − 1, so (kernel − 1) / 2 to each")
def one_side(layers):
    return (pixels_seen.solution(layers) - 1) // 2


@pixels_seen.mistake("every layer adds something, not only the last one")
def last_layer(layers):
    steps = math.prod(stride for _, stride in layers[:-1])
    return 1 + (layers[-1][0] - 1) * steps if layers else 1


@exercise(
    "04.6",
    "What did each word need to see?",
    r"""
    **A project.** A heat map says where a word looked, not what it *needed*. Section 6 erased the
    place with the largest weight. Erase every place in turn, and ask how far the two maps agree.

    Write `occlusion(image, weights, log_probs, paint)`.

    - `image` has shape (height, width, 3), and `weights` (T, rows, columns): a heat map for each of
      T words. `height` is a multiple of `rows`, `width` of `columns`.
    - `log_probs(image)` returns the log-probabilities (T,) of the words for any such image.
    - `paint` (3,) is the colour that all pixels of an erased place get.

    Return `(needs, agreement)`. `needs` (T, rows, columns): by how much the log-probability of the
    word falls when this place alone is erased. `agreement` (T,): for each word, the correlation of
    the *ranks* of its weights with the ranks of its needs. Equal values share the mean of their
    ranks. If all weights or all needs of a word are equal, its agreement is 0.

    **Predict first:** every weight is squared. What happens to the agreement? When it works, try it
    on `found[0]`, `chosen[0]` and `weights[0]` of section 6, with its `log_probs`.
    """,
    prediction="nothing: weights are not negative, so their squares have the same order, and only"
    " the order counts",
    minutes=30,
    kind="extend",
)
def occlusion(image, weights, log_probs, paint):
    """How much each word needs each place, (T, rows, columns), and the rank correlation, (T,)."""
    T, rows, columns = weights.shape
    tall, wide = image.shape[0] // rows, image.shape[1] // columns
    needs, whole = torch.zeros(T, rows, columns), log_probs(image)
    for row in range(rows):
        for column in range(columns):
            erased = image.clone()
            erased[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide] = paint
            needs[:, row, column] = whole - log_probs(erased)

    def ranks(maps):
        flat = maps.flatten(1)
        here, there = flat[:, :, None], flat[:, None, :]
        return ((here > there).float() + 0.5 * (here == there).float()).sum(dim=2)

    x, y = (ranks(m) - ranks(m).mean(dim=1, keepdim=True) for m in (weights, needs))
    return needs, (x * y).sum(dim=1) / (x.norm(dim=1) * y.norm(dim=1)).clamp_min(0.1)


class _Words:
    """A stand-in for the captioner: a word wants pixels of some brightness, where it matters."""

    def __init__(self, wants, matters):
        self.wants, self.matters = wants, matters

    def __call__(self, image):
        return -(self.matters * (image.sum(dim=-1) - self.wants).abs()).sum(dim=(1, 2)) / 4

    def __repr__(self):
        return "log_probs"


def _seen(*rows):
    """A grey image (height, width, 3) of these rows."""
    return torch.tensor(rows)[:, :, None].expand(-1, -1, 3).contiguous()


@occlusion.cases
def _():
    dark = torch.zeros(3)
    image, wants = _seen([1.0, 0.0]), torch.tensor([[[3.0, 0.0]]])
    one = _Words(wants, torch.ones(1, 1, 2))
    need = torch.tensor([[[0.75, 0.0]]])
    yield case(
        image,
        torch.tensor([[[0.9, 0.1]]]),
        one,
        dark,
        expected=(need, torch.tensor([1.0])),
        label="two places",
    )
    yield case(
        image,
        torch.tensor([[[0.2, 0.8]]]),
        _Words(torch.full((1, 1, 2), 3.0), torch.ones(1, 1, 2)),
        torch.ones(3),
        expected=(-need.flip(2), torch.tensor([-1.0])),
        label="painted in white, which makes the word more probable",
        hint="a place is erased with `paint`",
    )
    yield case(
        image,
        torch.tensor([[[0.5, 0.5]]]),
        one,
        dark,
        expected=(need, torch.tensor([0.0])),
        label="equal weights",
    )
    yield case(
        image,
        torch.tensor([[[0.9, 0.1]], [[0.3, 0.7]]]),
        _Words(wants.repeat(2, 1, 1), torch.tensor([[[0.0, 0.0]], [[1.0, 1.0]]])),
        dark,
        expected=(torch.cat([0 * need, need]), torch.tensor([0.0, -1.0])),
        label="the first word needs nothing",
    )
    yield case(
        _seen([2.0, 1.0, 0.0, 0.0]),
        torch.tensor([[[0.6, 0.2, 0.1, 0.1]]]),
        _Words(torch.tensor([[[6.0, 3.0, 0.0, 0.0]]]), torch.ones(1, 1, 4)),
        dark,
        expected=(torch.tensor([[[1.5, 0.75, 0.0, 0.0]]]), torch.tensor([1.0])),
        label="two places that tie in both maps, and a map that falls more steeply",
    )
    for T, rows, columns, tall, wide in ((2, 2, 3, 1, 1), (3, 3, 2, 2, 4), (5, 2, 4, 3, 2)):
        size = (rows * tall, columns * wide)
        words = _Words(
            torch.randint(0, 7, (T, *size)).float(), torch.randint(0, 3, (T, *size)).float()
        )
        image = torch.randint(0, 3, (*size, 3)).float()
        weights = torch.softmax(2 * torch.randn(T, rows, columns), dim=1)
        weights[:, 0, 1] = weights[:, 1, 0]
        yield case(image, weights, words, torch.tensor([1.0, 0.0, 2.0]))


def _needs(image, weights, log_probs, paint, fall=lambda whole, erased: whole - erased, keep=False):
    """The first half of a solution, with another fall, or with only one place left."""
    T, rows, columns = weights.shape
    tall, wide = image.shape[0] // rows, image.shape[1] // columns
    found = []
    for place in range(rows * columns):
        mask = torch.zeros(rows, columns, dtype=torch.bool)
        mask[place // columns, place % columns] = True
        mask = mask.repeat_interleave(tall, 0).repeat_interleave(wide, 1) ^ keep
        erased = torch.where(mask[..., None], paint, image)
        found.append(fall(log_probs(image), log_probs(erased)))
    return torch.stack(found, dim=1).reshape(T, rows, columns)


def _mean_ranks(flat):
    here, there = flat[:, :, None], flat[:, None, :]
    return ((here > there).float() + 0.5 * (here == there).float()).sum(dim=2)


def _agreement(weights, needs, ranks=_mean_ranks, least=0.1):
    x, y = ranks(weights.flatten(1)), ranks(needs.flatten(1))
    x, y = x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True)
    return (x * y).sum(dim=1) / (x.norm(dim=1) * y.norm(dim=1)).clamp_min(least)


@occlusion.mistake("a need is how much the log-probability *falls*: whole minus erased")
def sign_turned_round(image, weights, log_probs, paint):
    needs = -_needs(image, weights, log_probs, paint)
    return needs, _agreement(weights, needs)


@occlusion.mistake("one place alone is erased: begin each time with a fresh copy of the image")
def erased_for_good(image, weights, log_probs, paint):
    T, rows, columns = weights.shape
    tall, wide = image.shape[0] // rows, image.shape[1] // columns
    needs, erased = torch.zeros(T, rows, columns), image.clone()
    for i in range(rows):
        for j in range(columns):
            erased[i * tall : (i + 1) * tall, j * wide : (j + 1) * wide] = paint
            needs[:, i, j] = log_probs(image) - log_probs(erased)
    return needs, _agreement(weights, needs)


@occlusion.mistake("erase the place and leave the rest, not the other way round")
def all_others_erased(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint, keep=True)
    return needs, _agreement(weights, needs)


@occlusion.mistake("the fall of the *log*-probability is wanted, not that of the probability")
def fall_of_the_probability(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint, lambda w, e: w.exp() - e.exp())
    return needs, _agreement(weights, needs)


@occlusion.mistake("a word may become more probable without a place: then its need is negative")
def cut_at_zero(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint).clamp_min(0)
    return needs, _agreement(weights, needs)


@occlusion.mistake("a rise is no fall: keep the sign, without an absolute value")
def size_of_the_change(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint).abs()
    return needs, _agreement(weights, needs)


@occlusion.mistake("erased places get the colour `paint`: black is a colour like any other")
def painted_black(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, torch.zeros(3))
    return needs, _agreement(weights, needs)


@occlusion.mistake("a place is a block of pixels: height / rows of them high, width / columns wide")
def one_pixel_of_each_place(image, weights, log_probs, paint):
    T, rows, columns = weights.shape
    tall, wide = image.shape[0] // rows, image.shape[1] // columns
    needs = torch.zeros(T, rows, columns)
    for i in range(rows):
        for j in range(columns):
            erased = image.clone()
            erased[i * tall, j * wide] = paint
            needs[:, i, j] = log_probs(image) - log_probs(erased)
    return needs, _agreement(weights, needs)


@occlusion.mistake("the map has the shape (T, rows, columns): the places are counted row by row")
def column_by_column(image, weights, log_probs, paint):
    T, rows, columns = weights.shape
    needs = _needs(image, weights, log_probs, paint)
    needs = needs.transpose(1, 2).reshape(T, rows, columns)
    return needs, _agreement(weights, needs)


@occlusion.mistake("correlate the ranks, not the values themselves")
def values_correlated(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint)
    return needs, _agreement(weights, needs, lambda flat: flat, 1e-9)


@occlusion.mistake(
    "equal values share the mean of their ranks: two `argsort` give them different ones"
)
def ties_by_place(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint)
    ranks = lambda flat: flat.argsort(dim=1, stable=True).argsort(dim=1).float()  # noqa: E731
    return needs, _agreement(weights, needs, ranks)


@occlusion.mistake("equal values share the *mean* of their ranks, not the smallest of them")
def smallest_rank_of_equals(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint)
    ranks = lambda flat: (flat[:, :, None] > flat[:, None, :]).float().sum(dim=2)  # noqa: E731
    return needs, _agreement(weights, needs, ranks)


@occlusion.mistake(
    "a map whose values are all equal has no spread: 0 / 0 is NaN, so return 0 there"
)
def no_spread_forgotten(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint)
    return needs, _agreement(weights, needs, least=0.0)


@occlusion.mistake("each word has an agreement of its own: correlate over its places")
def one_agreement_for_all(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint)
    return needs, _agreement(weights.flatten()[None], needs.flatten()[None]).expand(len(weights))


@occlusion.mistake("rank the places of a word, not the words at a place")
def words_ranked(image, weights, log_probs, paint):
    needs = _needs(image, weights, log_probs, paint)
    return needs, _agreement(weights, needs, lambda flat: _mean_ranks(flat.T).T)


@occlusion.mistake("the needs come first, then the agreement")
def agreement_first(image, weights, log_probs, paint):
    return occlusion.solution(image, weights, log_probs, paint)[::-1]


@occlusion.mistake("these are lists: return two tensors")
def lists_of_needs(image, weights, log_probs, paint):
    return [found.tolist() for found in occlusion.solution(image, weights, log_probs, paint)]
