"""Exercises of notebook 09: what a question gives away, hops, cells, balance, counting."""

import random
from collections import Counter

import torch

from course_utils.exercises.cases import case
from course_utils.exercises.judging import exercise


@exercise(
    "09.1",
    "What does the question give away?",
    r"""
    Somebody who may not look at the picture does best by giving each question its
    most frequent answer. How often is that right?

    Write `blind_accuracy(questions, answers)`: two lists of texts of the same length. Return the
    share (0 to 1) of the pairs that are right if every question gets the answer that is most
    frequent *for this question*. Equal texts are the same question.

    **Predict first:** "is there a star?" is answered *no, no, yes*, and "what colour is the ring?"
    once, *red*. What is the share?
    """,
    prediction="¾: two of the three answers *no, no, yes*, and the one *red*",
    minutes=10,
    kind="measure",
)
def blind_accuracy(questions, answers):
    """Best share of right answers without the picture, a number from 0 to 1.

    questions, answers: lists of texts, one answer for each question.
    """
    from collections import Counter

    counts = {}
    for question, answer in zip(questions, answers, strict=True):
        counts.setdefault(question, Counter())[answer] += 1
    return sum(max(found.values()) for found in counts.values()) / len(questions)


def _pairs(text):
    """("a yes, a no, b red") → (["a", "a", "b"], ["yes", "no", "red"])."""
    pairs = [pair.split() for pair in text.split(", ")]
    return [question for question, _ in pairs], [answer for _, answer in pairs]


@blind_accuracy.cases
def _():
    yield case(*_pairs("a yes, a no, a no"), expected=2 / 3, label="one question")
    yield case(
        *_pairs("star no, star no, star yes, ring red"),
        expected=3 / 4,
        label="two questions, one of them asked once",
    )
    yield case(*_pairs("a yes, b no"), expected=1.0, label="each question asked once")
    yield case(
        *_pairs("a no, b yes, a no, b yes, a yes, b yes, c two"),
        expected=6 / 7,
        label="the most frequent answer is not the same for all",
    )
    yield case(
        *_pairs("a red, a red, a red, a blue, b one, b two, b three, b three, b four, b zero"),
        expected=5 / 10,
        label="two answers to one question, five to the other",
    )
    yield case(
        *_pairs("a yes, a no, a yes, a no, a no, b yes, b yes, b no, b yes, b yes, b yes, b yes"),
        expected=9 / 12,
        label="mixed answers",
    )


@blind_accuracy.hidden
def _():
    for length in (8, 15, 23):
        questions, answers = random.choices("abc", k=length), random.choices("xyz", k=length)
        yield case(questions, answers, label="other pairs")


@blind_accuracy.mistake("the answer may depend on the question: count the answers of each one")
def one_answer_for_all(questions, answers):
    return Counter(answers).most_common(1)[0][1] / len(answers)


@blind_accuracy.mistake("a question that is asked often counts often: divide by all pairs at once")
def mean_of_questions(questions, answers):
    shares = []
    for question in set(questions):
        own = [a for q, a in zip(questions, answers, strict=True) if q == question]
        shares.append(Counter(own).most_common(1)[0][1] / len(own))
    return sum(shares) / len(shares)


@blind_accuracy.mistake(
    "1 over the number of answers is chance; the answers need not be equally frequent"
)
def chance_instead(questions, answers):
    total = 0.0
    for question in questions:
        total += 1 / len({a for q, a in zip(questions, answers, strict=True) if q == question})
    return total / len(questions)


@blind_accuracy.mistake(
    "this guesses at random, as often as each answer occurs; always the most frequent one is better"
)
def guessed_in_proportion(questions, answers):
    pairs, asked = Counter(zip(questions, answers, strict=True)), Counter(questions)
    return sum(n * n / asked[q] for (q, _), n in pairs.items()) / len(questions)


@blind_accuracy.mistake("return the share, not the number of right answers")
def number_of_right(questions, answers):
    return blind_accuracy(questions, answers) * len(questions)


@blind_accuracy.mistake("return a share from 0 to 1, not per cent")
def per_cent(questions, answers):
    return 100 * blind_accuracy(questions, answers)


@blind_accuracy.mistake("divide by the number of pairs, not by the number of different questions")
def by_different_questions(questions, answers):
    return blind_accuracy(questions, answers) * len(questions) / len(set(questions))


@blind_accuracy.mistake("the most frequent answer, not the first one that the question got")
def first_answer(questions, answers):
    first = {}
    for question, answer in zip(questions, answers, strict=True):
        first.setdefault(question, answer)
    return sum(first[q] == a for q, a in zip(questions, answers, strict=True)) / len(questions)


@blind_accuracy.mistake("the most frequent answer, not the last one that the question got")
def last_answer(questions, answers):
    last = dict(zip(questions, answers, strict=True))
    return sum(last[q] == a for q, a in zip(questions, answers, strict=True)) / len(questions)


@blind_accuracy.mistake("this is the share that is wrong: subtract it from 1")
def share_of_wrong(questions, answers):
    return 1 - blind_accuracy(questions, answers)


@blind_accuracy.mistake("a question that is asked once is right, too: do not leave it out")
def without_single_questions(questions, answers):
    asked = Counter(questions)
    kept = [i for i, q in enumerate(questions) if asked[q] > 1]
    if not kept:
        return 0.0
    return blind_accuracy([questions[i] for i in kept], [answers[i] for i in kept])


@blind_accuracy.mistake("group by the question; this groups by the answer and guesses the question")
def grouped_by_answer(questions, answers):
    return blind_accuracy(answers, questions)


@blind_accuracy.mistake(
    "the guess for a pair may come from all answers to its question, its own too"
)
def leaving_one_out(questions, answers):
    right = 0
    for i, question in enumerate(questions):
        rest = [a for j, a in enumerate(answers) if j != i and questions[j] == question]
        right += bool(rest) and Counter(rest).most_common(1)[0][0] == answers[i]
    return right / len(questions)


@exercise(
    "09.2",
    "Ask again",
    r"""
    Stacked attention, with a general score so that there is little to write. Hop
    $k$ has a matrix $W_k$:

    $$e_i = u^\top W_k\, h_i \qquad \alpha = \operatorname{softmax}(e) \qquad
    u \leftarrow u + \sum_i \alpha_i h_i$$

    Write `stack(question, places, matrices, attend_mask)`.

    - `question` (B, D) is the first $u$; `places` (B, n, D) are keys and values at once;
    - `matrices` (K, D, D), one for each hop, in order;
    - `attend_mask` (B, n), True = may attend; each row has at least one True.

    Return the last $u$ (B, D) and all weights (B, K, n).

    **Predict first:** where does the second hop look if you forget to change $u$?
    """,
    prediction="where its own matrix sends the first question: what the first hop found"
    " makes no difference",
    minutes=20,
    kind="implement",
)
def stack(question, places, matrices, attend_mask):
    """The question and all that it found, and where each hop looked.

    question: (B, D). places: (B, n, D). matrices: (K, D, D). attend_mask: (B, n), True = may.
    Returns u (B, D) and weights (B, K, n).
    """
    u, found = question, []
    for W in matrices:
        scores = torch.einsum("bd,de,bne->bn", u, W, places)
        weights = scores.masked_fill(~attend_mask, -torch.inf).softmax(dim=-1)
        u = u + torch.einsum("bn,bnd->bd", weights, places)
        found.append(weights)
    return u, torch.stack(found, dim=1)


@stack.cases
def _():
    one = torch.eye(2)[None]
    yield case(
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[[2.0, 0.0], [0.0, 2.0]]]),
        torch.zeros(1, 2, 2),
        torch.tensor([[True, True]]),
        expected=(torch.tensor([[2.0, 1.0]]), torch.tensor([[[0.5, 0.5]]])),
        label="one hop whose scores are all zero: the mean of the places is added",
    )
    yield case(
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[[2.0, 0.0], [0.0, 2.0]]]),
        torch.zeros(1, 2, 2),
        torch.tensor([[False, True]]),
        expected=(torch.tensor([[1.0, 2.0]]), torch.tensor([[[0.0, 1.0]]])),
        label="a place that may not be looked at",
    )
    yield case(
        torch.tensor([[3.0, 0.0]]),
        torch.tensor([[[20.0, 0.0], [0.0, 20.0]]]),
        torch.cat([one, torch.tensor([[[0.0, 0.0], [0.0, 0.0]]])]),
        torch.tensor([[True, True]]),
        expected=(
            torch.tensor([[33.0, 10.0]]),
            torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]),
        ),
        label="two hops",
    )
    for B, n, D, K in ((2, 5, 3, 2), (4, 3, 2, 3), (3, 2, 4, 1)):
        mask = torch.rand(B, n) < 0.6
        mask[:, 0] = True
        yield case(torch.randn(B, D), torch.randn(B, n, D), torch.randn(K, D, D), mask)


def _hops(question, places, matrices, attend_mask, *, update=None, score=None, masked=True):
    u, found = question, []
    for W in matrices:
        s = (
            torch.einsum("bd,de,bne->bn", u, W, places)
            if score is None
            else score(u, W, places, question)
        )
        s = s.masked_fill(~attend_mask, -torch.inf) if masked else s
        weights = s.softmax(dim=-1)
        context = torch.einsum("bn,bnd->bd", weights, places)
        u = u + context if update is None else update(u, context, question)
        found.append(weights)
    return u, torch.stack(found, dim=1)


@stack.mistake("each hop asks with the u of the hop before, not with the question again")
def same_question(question, places, matrices, attend_mask):
    return _hops(
        question,
        places,
        matrices,
        attend_mask,
        score=lambda u, W, h, q: torch.einsum("bd,de,bne->bn", q, W, h),
    )


@stack.mistake("u keeps what it had: add what was read, do not replace u by it")
def replaced(question, places, matrices, attend_mask):
    return _hops(question, places, matrices, attend_mask, update=lambda u, r, q: r)


@stack.mistake("add what was read to the last u, not to the first question: the hops add up")
def added_to_the_question(question, places, matrices, attend_mask):
    return _hops(question, places, matrices, attend_mask, update=lambda u, r, q: q + r)


@stack.mistake("the mask is ignored: the scores of forbidden places become −∞ before softmax")
def no_mask(question, places, matrices, attend_mask):
    return _hops(question, places, matrices, attend_mask, masked=False)


@stack.mistake(
    "multiplied by the mask after softmax, the weights no longer sum to 1: mask the scores"
)
def mask_after(question, places, matrices, attend_mask):
    u, found = question, []
    for W in matrices:
        weights = torch.einsum("bd,de,bne->bn", u, W, places).softmax(-1) * attend_mask
        u = u + torch.einsum("bn,bnd->bd", weights, places)
        found.append(weights)
    return u, torch.stack(found, dim=1)


@stack.mistake("the mask is upside down: True = may attend")
def inverted_mask(question, places, matrices, attend_mask):
    return _hops(question, places, matrices, ~attend_mask)


@stack.mistake("a masked score of 0 still gets weight: e⁰ is 1; use −∞")
def zero_scores(question, places, matrices, attend_mask):
    u, found = question, []
    for W in matrices:
        weights = (torch.einsum("bd,de,bne->bn", u, W, places) * attend_mask).softmax(-1)
        u = u + torch.einsum("bn,bnd->bd", weights, places)
        found.append(weights)
    return u, torch.stack(found, dim=1)


@stack.mistake("every hop has a matrix of its own: this uses the first one for all")
def first_matrix(question, places, matrices, attend_mask):
    return _hops(question, places, matrices[:1].expand_as(matrices), attend_mask)


@stack.mistake("the hops are in the wrong order: matrices[0] belongs to the first")
def backwards(question, places, matrices, attend_mask):
    return _hops(question, places, matrices.flip(0), attend_mask)


@stack.mistake("uᵀ W h, not hᵀ W u: W is transposed")
def transposed(question, places, matrices, attend_mask):
    return _hops(question, places, matrices.transpose(1, 2), attend_mask)


@stack.mistake("softmax runs over the places (dim −1), not over the batch")
def softmax_over_the_batch(question, places, matrices, attend_mask):
    u, found = question, []
    for W in matrices:
        s = torch.einsum("bd,de,bne->bn", u, W, places)
        weights = s.masked_fill(~attend_mask, -torch.inf).softmax(dim=0).nan_to_num()
        u = u + torch.einsum("bn,bnd->bd", weights, places)
        found.append(weights)
    return u, torch.stack(found, dim=1)


@stack.mistake("this is a plain dot product: W is missing from the score")
def no_matrix(question, places, matrices, attend_mask):
    return _hops(
        question,
        places,
        matrices,
        attend_mask,
        score=lambda u, W, h, q: torch.einsum("bd,bnd->bn", u, h),
    )


@stack.mistake("the formula does not divide by √D")
def scaled(question, places, matrices, attend_mask):
    return _hops(question, places, matrices / question.shape[1] ** 0.5, attend_mask)


@stack.mistake("return the weights of all hops, (B, K, n), not of the last one alone")
def last_weights(question, places, matrices, attend_mask):
    u, weights = stack(question, places, matrices, attend_mask)
    return u, weights[:, -1]


@stack.mistake("the weights are (B, K, n): stack them along dim 1")
def hops_first(question, places, matrices, attend_mask):
    u, weights = stack(question, places, matrices, attend_mask)
    return u, weights.transpose(0, 1)


@stack.mistake("return u, the question with all that was found, not only what the last hop read")
def only_the_context(question, places, matrices, attend_mask):
    found = [
        stack(question, places, matrices[:k], attend_mask)[0] for k in range(1, len(matrices) + 1)
    ]
    before = found[-2] if len(found) > 1 else question
    return found[-1] - before, stack(question, places, matrices, attend_mask)[1]


@stack.mistake("return the weights, after softmax, not the scores")
def scores_instead(question, places, matrices, attend_mask):
    u, found = question, []
    for W in matrices:
        found.append(torch.einsum("bd,de,bne->bn", u, W, places))
        u = _hops(u, places, W[None], attend_mask)[0]
    return u, torch.stack(found, dim=1)


@stack.mistake("u is the sum of what it had and what was read, not their mean")
def averaged(question, places, matrices, attend_mask):
    return _hops(question, places, matrices, attend_mask, update=lambda u, r, q: (u + r) / 2)


@stack.mistake("all hops: this stops after the first")
def one_hop_only(question, places, matrices, attend_mask):
    return stack(question, places, matrices[:1], attend_mask)


@exercise(
    "09.3",
    "Did it look there?",
    r"""
    This function should say how much of each hop's attention is on a thing. A
    cell counts if at least one pixel of the thing lies in it. It runs, and its numbers are wrong:

    ```python
    def mass_on_thing(weights, mask):
        n = int(weights.shape[1] ** 0.5)
        cells = mask.reshape(n, n, -1).any(dim=2)
        return (weights * cells.reshape(-1)).sum()
    ```

    Write `mass_on_thing(weights, mask)` correctly.

    - `weights` (K, n·n): each hop's weights of an n × n grid, row by row from the top left.
    - `mask` (height, width), booleans: the pixels of the thing. Height and width are multiples of
      n, and need not be equal.

    Return (K,).

    **Predict first:** which pixels does `reshape(n, n, -1)` put into the first cell?
    """,
    prediction="the first ones in the order of reading, the left part of the top row or the"
    " top rows as a whole: no square block",
    minutes=15,
    kind="repair",
)
def mass_on_thing(weights, mask):
    """How much of each hop's attention lies on the cells of a thing.

    weights: (K, n·n). mask: (height, width) booleans. Returns (K,).
    """
    n = round(weights.shape[1] ** 0.5)
    height, width = mask.shape
    cells = mask.reshape(n, height // n, n, width // n).any(dim=3).any(dim=1)
    return weights @ cells.reshape(-1).to(weights.dtype)


def _mask(height, width, *pixels):
    mask = torch.zeros(height, width, dtype=torch.bool)
    for row, column in pixels:
        mask[row, column] = True
    return mask


@mass_on_thing.cases
def _():
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    yield case(
        weights,
        _mask(4, 4, (0, 3)),
        expected=torch.tensor([0.2]),
        label="one pixel, at the top right",
    )
    yield case(
        weights,
        _mask(4, 4, (3, 0), (3, 1)),
        expected=torch.tensor([0.3]),
        label="two pixels of one cell",
    )
    yield case(
        torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.7, 0.0, 0.0, 0.3]]),
        _mask(4, 6, (1, 2), (2, 3)),
        expected=torch.tensor([0.5, 1.0]),
        label="two hops, and a wide picture",
    )
    yield case(weights, _mask(2, 2), expected=torch.tensor([0.0]), label="a thing without pixels")
    for K, n, high, wide in ((2, 3, 4, 2), (3, 4, 2, 3), (1, 2, 5, 7)):
        yield case(torch.rand(K, n * n).softmax(1), torch.rand(n * high, n * wide) < 0.08)
    yield case(
        torch.rand(2, 9).softmax(1),
        torch.rand(6, 9) < 0.7,
        label="most of the picture is the thing",
    )


def _cells(mask, n):
    height, width = mask.shape
    return mask.reshape(n, height // n, n, width // n)


@mass_on_thing.mistake(
    "`reshape(n, n, -1)` cuts rows of pixels into pieces: a cell is "
    "`reshape(n, height // n, n, width // n)`, and then any over dims 1 and 3"
)
def pieces_of_rows(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return weights @ mask.reshape(n, n, -1).any(dim=2).reshape(-1).to(weights.dtype)


@mass_on_thing.mistake("one number for each hop: sum over the cells, not over the hops as well")
def summed_over_hops(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return (weights * _cells(mask, n).any(3).any(1).reshape(-1)).sum()


@mass_on_thing.mistake("both faults are still there: the pieces of rows, and the sum over the hops")
def as_printed(weights, mask):
    n = int(weights.shape[1] ** 0.5)
    return (weights * mask.reshape(n, n, -1).any(dim=2).reshape(-1)).sum()


@mass_on_thing.mistake("the grid runs row by row, not column by column: do not transpose the cells")
def by_columns(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return weights @ _cells(mask, n).any(3).any(1).T.reshape(-1).to(weights.dtype)


@mass_on_thing.mistake("one pixel is enough: a cell counts whole, not by the share that is covered")
def by_share(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return weights @ _cells(mask.to(weights.dtype), n).mean(dim=(1, 3)).reshape(-1)


@mass_on_thing.mistake("one pixel is enough: the cell need not be covered by half")
def by_half(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    cells = _cells(mask.to(weights.dtype), n).mean(dim=(1, 3)) > 0.5
    return weights @ cells.reshape(-1).to(weights.dtype)


@mass_on_thing.mistake("one pixel is enough: the cell need not be covered entirely; any, not all")
def by_all(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return weights @ _cells(mask, n).all(3).all(1).reshape(-1).to(weights.dtype)


@mass_on_thing.mistake("a cell counts once, however many pixels of the thing it holds")
def by_pixels(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return weights @ _cells(mask.to(weights.dtype), n).sum(dim=(1, 3)).reshape(-1)


@mass_on_thing.mistake("the sum over the cells of the thing, not the mean")
def mean_over_cells(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    cells = _cells(mask, n).any(3).any(1).reshape(-1).to(weights.dtype)
    return weights @ cells / cells.sum().clamp_min(1)


@mass_on_thing.mistake(
    "do not divide by the number of all cells: this is a mean, the mass is a sum"
)
def mean_over_grid(weights, mask):
    return mass_on_thing(weights, mask) / weights.shape[1]


@mass_on_thing.mistake("this is the mass on everything else: 1 minus the mass")
def everything_else(weights, mask):
    return 1 - mass_on_thing(weights, mask)


@mass_on_thing.mistake("the mass counts all weights; this asks only whether the largest is inside")
def pointing(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    cells = _cells(mask, n).any(3).any(1).reshape(-1)
    return cells[weights.argmax(dim=1)].to(weights.dtype)


@mass_on_thing.mistake("the largest weight on the thing is not the mass: add them up")
def largest(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    cells = _cells(mask, n).any(3).any(1).reshape(-1).to(weights.dtype)
    return (weights * cells).amax(dim=1)


@mass_on_thing.mistake("one row of pixels stands for the cell here: look at all of its pixels")
def first_pixels(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    return weights @ _cells(mask, n)[:, 0].any(2).reshape(-1).to(weights.dtype)


@mass_on_thing.mistake("this mean over the hops leaves one number: return one for each hop")
def mean_over_hops(weights, mask):
    return mass_on_thing(weights, mask).mean()


@mass_on_thing.mistake(
    "the pixels of a cell are neighbours: the sizes of the grid come before those of a cell, "
    "`reshape(n, height // n, n, width // n)`"
)
def every_nth_pixel(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    height, width = mask.shape
    cells = mask.reshape(height // n, n, width // n, n).any(dim=2).any(dim=0)
    return weights @ cells.reshape(-1).to(weights.dtype)


@mass_on_thing.mistake("this divides by the mass of equal weights; return the mass itself")
def times_chance(weights, mask):
    n = round(weights.shape[1] ** 0.5)
    share = _cells(mask, n).any(3).any(1).to(weights.dtype).mean()
    return mass_on_thing(weights, mask) / share.clamp_min(1e-9)


@exercise(
    "09.4",
    "Take the prior away",
    r"""
    If "is there a red shape?" is answered *no* six times out of seven, leave out
    five sixths of the *no*: then the question alone is worth nothing. VQA v2 did this to photos by
    collecting more pictures ([Goyal et al. 2017](REFERENCES.md#goyal2017)).

    Write `balanced(questions, answers)`: two lists of texts of the same length. Return the indices,
    ascending, of the pairs that stay. For each question, each of *its* answers stays as often as
    the rarest of them occurs, and the earliest pairs stay. A question that always has the same
    answer gives it away: none of its pairs stays.

    **Then measure** with `blind_accuracy` what the questions of easy-VQA are worth, before and
    after.
    """,
    minutes=15,
    kind="implement",
)
def balanced(questions, answers):
    """Indices of the pairs that stay, ascending: for each question, all answers equally often.

    questions, answers: lists of texts, one answer for each question.
    """
    places = {}
    for i, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        places.setdefault(question, {}).setdefault(answer, []).append(i)
    kept = []
    for found in places.values():
        if len(found) > 1:
            least = min(map(len, found.values()))
            kept += [i for several in found.values() for i in several[:least]]
    return sorted(kept)


@balanced.cases
def _():
    yield case(*_pairs("a no, a no, a yes"), expected=[0, 2], label="two no, one yes")
    yield case(*_pairs("a no, a no"), expected=[], label="always the same answer")
    yield case(
        *_pairs("a no, b yes, a yes, b no, a no, b no"),
        expected=[0, 1, 2, 3],
        label="two questions",
    )
    yield case(
        *_pairs("a red, b yes, a blue, a green, a red, b no, a blue, b no, a green, a green"),
        expected=[0, 1, 2, 3, 4, 5, 6, 8],
        label="three answers to one question, two to the other",
    )
    yield case(
        *_pairs("b yes, b yes, b yes, a no, a no, a no, a yes, b no, c one, d one, d two"),
        expected=[0, 3, 6, 7, 9, 10],
        label="a question that is asked once",
    )
    yield case(
        *_pairs(
            "a no, a no, a yes, a yes, a yes, b no, b no, b yes, b no, b yes, b no, b yes, b no"
        ),
        expected=[0, 1, 2, 3, 5, 6, 7, 8, 9, 11],
        label="every answer occurs more than once",
    )
    yield case(
        *_pairs("a yes, a yes, a no, b no, b no, b no, b yes, b yes, c no, c yes, c no, c no"),
        label="mixed answers",
    )
    yield case(
        *_pairs("a red, a red, a blue, a red, a red, a blue, a blue, a one, b no, a one, b yes"),
        expected=[0, 1, 2, 5, 7, 8, 9, 10],
        label="three answers, each of them differently often",
    )


def _chosen(questions, answers, keep):
    """Indices that keep(lists of places of each answer) returns for each question, sorted."""
    places = {}
    for i, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        places.setdefault(question, {}).setdefault(answer, []).append(i)
    return sorted(i for found in places.values() for i in keep(list(found.values())))


@balanced.hidden
def _():
    for length in (8, 15, 23):
        questions, answers = random.choices("abc", k=length), random.choices("xy", k=length)
        yield case(questions, answers, label="other pairs")


@balanced.mistake("balance each question of its own: over all questions together, the prior stays")
def over_all(questions, answers):
    return balanced(["the same"] * len(questions), answers)


@balanced.mistake("a question with one answer gives it away: nothing of it stays")
def single_answers_stay(questions, answers):
    return _chosen(
        questions, answers, lambda found: [i for x in found for i in x[: min(map(len, found))]]
    )


@balanced.mistake("the rarest answer sets the number, not the most frequent one")
def most_frequent(questions, answers):
    return _chosen(
        questions,
        answers,
        lambda f: [i for x in f for i in x[: max(map(len, f))]] if len(f) > 1 else [],
    )


@balanced.mistake("each answer stays as often as the rarest, not once")
def one_of_each(questions, answers):
    return _chosen(questions, answers, lambda f: [x[0] for x in f] if len(f) > 1 else [])


@balanced.mistake("the earliest pairs stay, not the last ones")
def latest(questions, answers):
    return _chosen(
        questions,
        answers,
        lambda f: [i for x in f for i in x[-min(map(len, f)) :]] if len(f) > 1 else [],
    )


@balanced.mistake("the indices are ascending: sort them at the end")
def unsorted(questions, answers):
    kept = []
    for question in dict.fromkeys(questions):
        own = [i for i, q in enumerate(questions) if q == question]
        found = {}
        for i in own:
            found.setdefault(answers[i], []).append(i)
        if len(found) > 1:
            kept += [i for x in found.values() for i in x[: min(map(len, found.values()))]]
    return kept


@balanced.mistake("return the indices of the pairs that stay, not of those that go")
def those_that_go(questions, answers):
    kept = set(balanced(questions, answers))
    return [i for i in range(len(questions)) if i not in kept]


@balanced.mistake("return indices, not the questions themselves")
def the_questions(questions, answers):
    return [questions[i] for i in balanced(questions, answers)]


@balanced.mistake("down to the rarest answer, not to the one before the most frequent")
def second_most(questions, answers):
    return _chosen(
        questions,
        answers,
        lambda f: [i for x in f for i in x[: sorted(map(len, f))[-2]]] if len(f) > 1 else [],
    )


@balanced.mistake("down to the rarest answer, not to the mean")
def mean_number(questions, answers):
    return _chosen(
        questions,
        answers,
        lambda f: [i for x in f for i in x[: sum(map(len, f)) // len(f)]] if len(f) > 1 else [],
    )


@balanced.mistake("return a list of indices, not True and False for each pair")
def as_booleans(questions, answers):
    kept = set(balanced(questions, answers))
    return [i in kept for i in range(len(questions))]


@balanced.mistake("each question has a rarest answer of its own: the number differs between them")
def one_number_for_all(questions, answers):
    counts = Counter(zip(questions, answers, strict=True))
    several = [q for q in set(questions) if len({b for a, b in counts if a == q}) > 1]
    least = min((n for (q, _), n in counts.items() if q in several), default=0)
    return _chosen(
        questions, answers, lambda f: [i for x in f for i in x[:least]] if len(f) > 1 else []
    )


@balanced.mistake("count from 0: the first pair has the index 0")
def from_one(questions, answers):
    return [i + 1 for i in balanced(questions, answers)]


@balanced.mistake("group by the question: this balances the questions of each answer")
def questions_of_each_answer(questions, answers):
    return balanced(answers, questions)


@exercise(
    "09.5",
    "Can attention count?",
    r"""
    **A project.** The weights of a softmax sum to one, so the average over two equal things is that
    over one of them. Two ways to count all the same, from the same scores:

    1. **The spread.** Over how many places do the weights $\alpha$ spread? $e^{H}$ with the entropy
       $H = -\sum_i \alpha_i \ln \alpha_i$ says it: $k$ equal weights have $e^H = k$.
    2. **The gates.** Each place decides for itself: $\sigma(\text{score})$, between 0 and 1. The
       gates need not sum to one. Add them up.

    And one rival that looks at nothing: **blind** always says the most frequent of the right
    counts, the smallest of them if several are equally frequent.

    Write `count_errors(scores, attend_mask, counts)`: scores (B, P), a mask (B, P), True = a place
    of the picture, at least one in each row, and the right counts, integers (B,). Round each count
    to a whole number. Return three floats, `[spread, gates, blind]`: how far each of the three is
    from the right count, the mean over the pictures of the absolute difference.

    **Predict first:** what does the spread say of a picture in which nothing is asked for? Then
    look at the table of section 9 again: which of its rows could gates improve?
    """,
    prediction="at least one, since the weights sum to one; with equal scores, it counts all"
    " places. In the table, the rows *one* and *two* have mistakes to take away;"
    " *zero* and *three* have hardly any",
    minutes=30,
    kind="extend",
)
def count_errors(scores, attend_mask, counts):
    """Mean absolute errors of three ways to count: the spread of the weights, gates, blind.

    scores: (B, P). attend_mask: (B, P), True = real. counts: (B,) integers. Returns three floats.
    """
    weights = torch.softmax(scores.masked_fill(~attend_mask, -torch.inf), dim=1)
    spread = torch.special.entr(weights).sum(dim=1).exp().round()
    gates = (torch.sigmoid(scores) * attend_mask).sum(dim=1).round()
    right = counts.tolist()
    usual = max(sorted(set(right)), key=right.count)
    found = (spread, gates, torch.full_like(spread, usual))
    return [(told - counts).abs().mean().item() for told in found]


@count_errors.cases
def _():
    yes, no = 9.0, -9.0
    two = torch.tensor([[yes, no, yes, no]])
    real = torch.ones(1, 4, dtype=torch.bool)
    yield case(two, real, torch.tensor([2]), expected=[0.0, 0.0, 0.0], label="two things")
    nothing = torch.full((1, 4), no)
    yield case(
        nothing, real, torch.tensor([0]), expected=[4.0, 0.0, 0.0], label="nothing is asked for"
    )
    yield case(
        torch.tensor([[yes, no, yes, yes], [no, yes, yes, yes]]),
        torch.tensor([[True, True, True, False], [True, True, False, False]]),
        torch.tensor([2, 1]),
        expected=[0.0, 0.0, 0.5],
        label="padding does not count",
    )
    yield case(
        torch.tensor([[yes, no, no], [yes, yes, no], [no, no, no], [yes, no, no]]),
        torch.ones(4, 3, dtype=torch.bool),
        torch.tensor([1, 3, 0, 3]),
        expected=[1.5, 0.75, 1.25],
        label="mistakes of several sizes",
    )
    for pictures, places in ((5, 6), (7, 4), (6, 9), (8, 5)):
        things = torch.rand(pictures, places) < 0.4
        mask = torch.arange(places) < torch.randint(2, places + 1, (pictures, 1))
        scores = 5.0 * things - 2.5 + 1.5 * torch.randn(pictures, places)
        counts = (things & mask).sum(dim=1)
        yield case(scores, mask, (counts + torch.randint(0, 2, (pictures,))) % 4)


def _three(scores, mask, counts, spread=None, gates=None, blind=None, distance=None, whole=None):
    """The solution with another way to count, to round or to compare."""
    whole, distance = whole or torch.round, distance or (lambda told: (told - counts).abs().mean())
    weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1)
    right = counts.tolist()
    usual = max(sorted(set(right)), key=right.count) if blind is None else blind
    one = torch.special.entr(weights).sum(dim=1).exp() if spread is None else spread
    other = (torch.sigmoid(scores) * mask).sum(dim=1) if gates is None else gates
    found = (whole(one), whole(other), torch.full_like(other, usual))
    return [float(distance(told)) for told in found]


@count_errors.mistake("padding is no place: mask the scores before the softmax of the spread")
def padding_in_the_spread(scores, attend_mask, counts):
    weights = torch.softmax(scores, dim=1)
    spread = torch.special.entr(weights).sum(dim=1).exp()
    return _three(scores, attend_mask, counts, spread=spread)


@count_errors.mistake("padding has a gate, too, and must not be counted: multiply by the mask")
def padding_in_the_gates(scores, attend_mask, counts):
    return _three(scores, attend_mask, counts, gates=torch.sigmoid(scores).sum(dim=1))


@count_errors.mistake("padding is counted twice over: mask the softmax and the gates")
def padding_in_both(scores, attend_mask, counts):
    return _three(scores, torch.ones_like(attend_mask), counts)


@count_errors.mistake(
    "the entropy is a logarithm: e^H says over how many places the weights spread"
)
def entropy_itself(scores, attend_mask, counts):
    weights = torch.softmax(scores.masked_fill(~attend_mask, -torch.inf), dim=1)
    return _three(scores, attend_mask, counts, spread=torch.special.entr(weights).sum(dim=1))


@count_errors.mistake("with the natural logarithm it is e^H; 2^H belongs to bits")
def two_to_the_entropy(scores, attend_mask, counts):
    weights = torch.softmax(scores.masked_fill(~attend_mask, -torch.inf), dim=1)
    return _three(scores, attend_mask, counts, spread=2 ** torch.special.entr(weights).sum(dim=1))


@count_errors.mistake("0 · ln 0 is NaN in floating point, but 0 here: leave weights of 0 out")
def zero_times_infinity(scores, attend_mask, counts):
    weights = torch.softmax(scores.masked_fill(~attend_mask, -torch.inf), dim=1)
    return _three(scores, attend_mask, counts, spread=(-weights * weights.log()).sum(dim=1).exp())


@count_errors.mistake("the weights of a softmax sum to one: gates are sigmoids, each for itself")
def softmax_added_up(scores, attend_mask, counts):
    return _three(scores, attend_mask, counts, gates=torch.ones(len(scores)))


@count_errors.mistake("add the gates up: their mean is a share, not a count")
def mean_gate(scores, attend_mask, counts):
    gates = (torch.sigmoid(scores) * attend_mask).sum(dim=1) / attend_mask.sum(dim=1)
    return _three(scores, attend_mask, counts, gates=gates)


@count_errors.mistake("add the gates as they are and round the sum, not each gate")
def each_gate_rounded(scores, attend_mask, counts):
    gates = ((scores > 0) & attend_mask).sum(dim=1).float()
    return _three(scores, attend_mask, counts, gates=gates)


@count_errors.mistake("a count is a whole number: round before you compare")
def not_rounded(scores, attend_mask, counts):
    return _three(scores, attend_mask, counts, whole=lambda told: told)


@count_errors.mistake("round to the *nearest* whole number, not down: 1.98 is 2")
def rounded_down(scores, attend_mask, counts):
    return _three(scores, attend_mask, counts, whole=torch.floor)


@count_errors.mistake("the absolute difference is asked for, not its square")
def squared(scores, attend_mask, counts):
    return _three(
        scores, attend_mask, counts, distance=lambda told: (told - counts).square().mean()
    )


@count_errors.mistake("how far from the right count, not how often wrong: 3 for 1 is an error of 2")
def share_of_wrong_counts(scores, attend_mask, counts):
    return _three(
        scores, attend_mask, counts, distance=lambda told: (told != counts).float().mean()
    )


@count_errors.mistake("blind says the most *frequent* count, not the mean of the counts")
def blind_mean(scores, attend_mask, counts):
    return _three(scores, attend_mask, counts, blind=counts.float().mean().item())


@count_errors.mistake("the most frequent count of *these* pictures is asked for, whichever it is")
def blind_zero(scores, attend_mask, counts):
    return _three(scores, attend_mask, counts, blind=0)


@count_errors.mistake("the mean over the pictures: divide the sum by their number")
def sum_of_errors(scores, attend_mask, counts):
    return _three(scores, attend_mask, counts, distance=lambda told: (told - counts).abs().sum())
