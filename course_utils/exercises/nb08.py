"""Exercises of notebook 08: ages, hops, what may be remembered, facts found, a chain of facts."""

import random

import torch

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise


@exercise(
    "08.1",
    "How long ago was it said?",
    r"""
    A memory network gets a vector for the **age** of each memory. The age
    counts from the latest memory of a story, which has age 0, back to the oldest. Stories in a
    batch have different lengths, and the padding comes last.

    Write `ages(lengths, width)`: lengths (B,), from 0 to `width`. Return integers (B, width): the
    age of each memory, and $-1$ where there is padding.

    **Predict first:** two memories, width 4. Which row comes out? And which of the two numbers
    changes when one more sentence is said?
    """,
    prediction="1 0 −1 −1. Both age by one: 2 1 0 −1, and the new memory has age 0",
    minutes=10,
    kind="implement",
)
def ages(lengths, width):
    """How long ago each memory was said: 0 for the latest, -1 for padding.

    lengths: (B,) integers from 0 to width. Returns (B, width) integers.
    """
    age = lengths[:, None] - 1 - torch.arange(width)
    return age.clamp_min(-1)


@ages.cases
def _():
    yield case(
        torch.tensor([2]), 4, expected=torch.tensor([[1, 0, -1, -1]]), label="two memories of four"
    )
    yield case(torch.tensor([3]), 3, expected=torch.tensor([[2, 1, 0]]), label="no padding")
    yield case(
        torch.tensor([0, 1]),
        2,
        expected=torch.tensor([[-1, -1], [0, -1]]),
        label="an empty story and one with one memory",
    )
    yield case(
        torch.tensor([4, 1, 2]),
        5,
        expected=torch.tensor([[3, 2, 1, 0, -1], [0, -1, -1, -1, -1], [1, 0, -1, -1, -1]]),
        label="three stories of different lengths, none as long as the width",
    )
    for stories, width in ((3, 7), (5, 4), (2, 9)):
        yield case(torch.randint(0, width + 1, (stories,)), width)


def _with_padding(age, lengths, width):
    return torch.where(torch.arange(width) < lengths[:, None], age, -1)


@ages.mistake("this counts from the oldest memory: age 0 belongs to the latest one")
def from_the_oldest(lengths, width):
    return _with_padding(torch.arange(width).expand(len(lengths), width), lengths, width)


@ages.mistake("each story has a length of its own: count from its own latest memory")
def from_the_end_of_the_row(lengths, width):
    age = (width - 1 - torch.arange(width)).expand(len(lengths), width)
    return _with_padding(age, lengths, width)


@ages.mistake("each story has a length of its own, not that of the longest")
def from_the_longest(lengths, width):
    age = (lengths.max() - 1 - torch.arange(width)).expand(len(lengths), width)
    return _with_padding(age, lengths, width)


@ages.mistake("the latest memory has age 0, not 1")
def one_too_old(lengths, width):
    return _with_padding(lengths[:, None] - torch.arange(width), lengths, width)


@ages.mistake("padding has age -1, all of it: this goes on to -2, -3, …")
def below_minus_one(lengths, width):
    return lengths[:, None] - 1 - torch.arange(width)


@ages.mistake("padding has age -1, not 0, which is the age of the latest memory")
def padding_is_new(lengths, width):
    return (lengths[:, None] - 1 - torch.arange(width)).clamp_min(0)


@ages.mistake("take the length of each row: `lengths[0]` is that of the first story")
def by_the_first(lengths, width):
    return ages.solution(lengths[:1].expand(len(lengths)), width)


@ages.mistake("the result has `width` columns, also if no story is that long")
def as_wide_as_the_longest(lengths, width):
    return ages.solution(lengths, int(lengths.max()))


@ages.mistake("the padding comes last: the memories stand at the beginning of a row")
def padding_first(lengths, width):
    rows = zip(ages.solution(lengths, width), lengths.tolist(), strict=True)
    return torch.stack([row.roll(width - n) for row, n in rows])


@ages.mistake("only the padding is negative: an age is positive, and larger the older")
def negative_ages(lengths, width):
    age = torch.arange(width) - lengths[:, None] + 1
    return _with_padding(age, lengths, width)


@exercise(
    "08.2",
    "One hop",
    r"""
    One look into the memory, for a batch:

    $$p_i = \operatorname{softmax}_i(u \cdot m_i) \qquad o = \sum_i p_i\, c_i \qquad
    u' = u + o$$

    Write `hop(u, keys, values, attend_mask)`. `u` is (B, D), `keys` and `values` are (B, M, D):
    the $m_i$ and $c_i$. `attend_mask` (B, M) is True for memories, False for padding. Return
    `(new_u, weights)`, of shapes (B, D) and (B, M).

    Padding gets the weight 0. A story without any memory reads nothing: its $u$ stays as it is, and
    its weights are 0, not NaN.

    **Predict first:** all keys of a story are equal. What is $o$?
    """,
    prediction="the mean of the values: equal scores give equal weights",
    minutes=15,
    kind="implement",
)
def hop(u, keys, values, attend_mask):
    """One look into the memory: the new u (B, D) and the weights (B, M).

    u: (B, D). keys, values: (B, M, D). attend_mask: (B, M), True = a memory.
    """
    scores = (keys @ u[:, :, None]).squeeze(-1)
    scores = scores.masked_fill(~attend_mask, float("-inf"))
    weights = scores.softmax(dim=1).masked_fill(~attend_mask, 0.0)
    return u + (weights[:, :, None] * values).sum(dim=1), weights


@hop.cases
def _():
    yield case(
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[[0.0, 3.0], [0.0, 5.0]]]),
        torch.tensor([[[2.0, 0.0], [4.0, 6.0]]]),
        torch.tensor([[True, True]]),
        expected=(torch.tensor([[4.0, 3.0]]), torch.tensor([[0.5, 0.5]])),
        label="two keys that fit equally well",
    )
    yield case(
        torch.tensor([[2.0, 1.0]]),
        torch.tensor([[[1.0, 1.0], [9.0, 9.0]]]),
        torch.tensor([[[3.0, 5.0], [7.0, 7.0]]]),
        torch.tensor([[True, False]]),
        expected=(torch.tensor([[5.0, 6.0]]), torch.tensor([[1.0, 0.0]])),
        label="a memory and a padding that would fit better",
    )
    yield case(
        torch.tensor([[2.0, 1.0, 4.0]]),
        torch.tensor([[[1.0, 1.0, 2.0], [9.0, 9.0, 1.0]]]),
        torch.tensor([[[3.0, 5.0, 1.0], [7.0, 7.0, 2.0]]]),
        torch.tensor([[False, False]]),
        expected=(torch.tensor([[2.0, 1.0, 4.0]]), torch.tensor([[0.0, 0.0]])),
        label="no memory at all",
    )
    yield case(
        torch.tensor([[90.0, 0.0]]),
        torch.tensor([[[2.0, 0.0], [1.0, 0.0]]]),
        torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]),
        torch.tensor([[True, True]]),
        expected=(torch.tensor([[91.0, 0.0]]), torch.tensor([[1.0, 0.0]])),
        label="scores of 180 and 90",
    )
    yield case(
        torch.tensor([[20.0, 0.0], [1.0, 5.0]]),
        torch.tensor([[[20.0, 1.0], [15.0, 0.0]], [[2.0, 0.0], [2.0, 0.0]]]),
        torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[3.0, 4.0], [1.0, 2.0]]]),
        torch.tensor([[True, True], [True, True]]),
        expected=(
            torch.tensor([[21.0, 0.0], [3.0, 8.0]]),
            torch.tensor([[1.0, 0.0], [0.5, 0.5]]),
        ),
        label="scores of 400 and 300 in one story, of 2 and 2 in the other",
    )
    yield case(
        torch.tensor([[-20.0, 5.0]]),
        torch.tensor([[[20.0, 8.0], [1.0, 1.0]]]),
        torch.tensor([[[3.0, 4.0], [7.0, 7.0]]]),
        torch.tensor([[True, False]]),
        expected=(torch.tensor([[-17.0, 9.0]]), torch.tensor([[1.0, 0.0]])),
        label="a memory with a score of -360, and padding",
    )
    yield case(
        torch.tensor([[-2e5, 0.0]]),
        torch.tensor([[[1e5, 8.0], [1.0, 1.0]]]),
        torch.tensor([[[3.0, 4.0], [7.0, 7.0]]]),
        torch.tensor([[True, False]]),
        expected=(torch.tensor([[-199_997.0, 4.0]]), torch.tensor([[1.0, 0.0]])),
        label="a memory with a score of -2e10, and padding",
    )
    for B, M, D in ((2, 5, 3), (4, 3, 6), (3, 7, 2)):
        mask = torch.rand(B, M) < 0.7
        mask[0] = True
        yield case(torch.randn(B, D), torch.randn(B, M, D), torch.randn(B, M, D), mask)


def _scores(u, keys):
    return torch.einsum("bmd,bd->bm", keys, u)


def _read(u, values, weights):
    return u + torch.einsum("bm,bmd->bd", weights, values), weights


def _safe(scores, mask, dim=1):
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=dim)
    return weights.masked_fill(~mask, 0.0).nan_to_num(0.0)


@hop.mistake(
    "padding takes part in the softmax: give it the lowest finite score before it, and write zeros"
    " over it afterwards"
)
def padding_in(u, keys, values, attend_mask):
    return _read(u, values, _scores(u, keys).softmax(dim=1))


@hop.mistake(
    "padding is removed after the softmax, so the weights of the memories no longer sum to 1"
)
def masked_after(u, keys, values, attend_mask):
    return _read(u, values, _scores(u, keys).softmax(dim=1) * attend_mask)


@hop.mistake(
    "a score of 0 is no exclusion: give padding the lowest finite score before the softmax"
)
def zero_scores(u, keys, values, attend_mask):
    weights = (_scores(u, keys) * attend_mask).softmax(dim=1)
    return _read(u, values, weights)


@hop.mistake(
    "all slots of this story have the same low score, so softmax shares the weight equally: write"
    " zeros over the padding after the softmax, as in notebook 02"
)
def not_zeroed(u, keys, values, attend_mask):
    scores = _scores(u, keys)
    lowest = torch.finfo(scores.dtype).min
    return _read(u, values, scores.masked_fill(~attend_mask, lowest).softmax(dim=1))


@hop.again
def a_very_low_score_not_zeroed(u, keys, values, attend_mask):
    return _read(u, values, _scores(u, keys).masked_fill(~attend_mask, -1e9).softmax(dim=1))


@hop.again
def a_low_score_not_zeroed(u, keys, values, attend_mask):
    return _read(u, values, _scores(u, keys).masked_fill(~attend_mask, -1e4).softmax(dim=1))


@hop.mistake("True means *may attend*: the mask is used the wrong way round")
def mask_reversed(u, keys, values, attend_mask):
    return _read(u, values, _safe(_scores(u, keys), ~attend_mask))


@hop.mistake("add what is read to u: the new u is u + o, not o")
def without_u(u, keys, values, attend_mask):
    new, weights = hop.solution(u, keys, values, attend_mask)
    return new - u, weights


@hop.mistake("read the values: this averages the keys")
def keys_read(u, keys, values, attend_mask):
    return hop.solution(u, keys, keys, attend_mask)


@hop.mistake("compare u with the keys: this compares it with the values")
def values_compared(u, keys, values, attend_mask):
    return hop.solution(u, values, values, attend_mask)


@hop.mistake("the softmax runs over the memories of a story (dim 1), not over the batch")
def over_the_batch(u, keys, values, attend_mask):
    return _read(u, values, _safe(_scores(u, keys), attend_mask, dim=0))


@hop.mistake("this network does not divide the scores by √D")
def scaled(u, keys, values, attend_mask):
    return _read(u, values, _safe(_scores(u, keys) / keys.shape[2] ** 0.5, attend_mask))


@hop.mistake("these are the scores without a softmax: the weights of a story sum to 1")
def linear(u, keys, values, attend_mask):
    return _read(u, values, _scores(u, keys) * attend_mask)


@hop.mistake(
    "a number such as -100 is a score like others, and a memory can have a lower one: use the"
    " lowest finite score, `torch.finfo(scores.dtype).min`"
)
def a_finite_exclusion(u, keys, values, attend_mask):
    weights = _scores(u, keys).masked_fill(~attend_mask, -100.0).softmax(dim=1)
    return _read(u, values, weights * attend_mask)


@hop.mistake(
    "even -1e9 is a score, and a memory can have a lower one: use the lowest finite score,"
    " `torch.finfo(scores.dtype).min`"
)
def a_very_low_exclusion(u, keys, values, attend_mask):
    weights = _scores(u, keys).masked_fill(~attend_mask, -1e9).softmax(dim=1)
    return _read(u, values, weights * attend_mask)


@hop.mistake("each story has a largest score of its own: do not subtract that of the whole batch")
def one_maximum(u, keys, values, attend_mask):
    scores = _scores(u, keys).masked_fill(~attend_mask, float("-inf"))
    powers = (scores - scores.max()).exp().nan_to_num(0.0)
    return _read(u, values, powers / powers.sum(dim=1, keepdim=True).clamp_min(1e-30))


@hop.mistake("a story without memories gives NaN: give it weights of 0")
def nan_when_empty(u, keys, values, attend_mask):
    scores = _scores(u, keys).masked_fill(~attend_mask, float("-inf"))
    return _read(u, values, scores.softmax(dim=1))


@hop.mistake("the softmax shares out the attention: do not take the best memory alone")
def best_only(u, keys, values, attend_mask):
    weights = _safe(_scores(u, keys), attend_mask)
    best = torch.zeros_like(weights).scatter(1, weights.argmax(1, keepdim=True), 1.0)
    return _read(u, values, best * attend_mask)


@exercise(
    "08.3",
    "What the bot could know",
    r"""
    A dialogue is a list of pairs (what the user said, what the
    bot replied). For training, each reply becomes one example: the turns before it, what was said
    last, and the reply. This code does not do that:

    ```python
    def examples(dialogue):
        history, found = [], []
        for said, reply in dialogue:
            history.append(said)
            history.append(reply)
            found.append((history, said, reply))
        return found
    ```

    Write `examples(dialogue)` so that `history` holds what was said **before** `said`: all earlier
    turns, oldest first, user and bot in turn. Return a list of `(history, said, reply)`.

    **Predict first:** a model is trained with the broken version, and its test set is made with it
    as well. How good will it look?
    """,
    prediction="much too good: the history contains the reply, in training and in the test,"
    " so it only has to be copied",
    minutes=15,
    kind="repair",
)
def examples(dialogue):
    """One (history, said, reply) for each reply; history is a list of the turns before ``said``.

    dialogue: list of (said, reply), texts.
    """
    history, found = [], []
    for said, reply in dialogue:
        found.append((list(history), said, reply))
        history += [said, reply]
    return found


@examples.cases
def _():
    yield case(
        [("hello", "hi"), ("we are two", "noted"), ("how many are we", "two people")],
        expected=[
            ([], "hello", "hi"),
            (["hello", "hi"], "we are two", "noted"),
            (["hello", "hi", "we are two", "noted"], "how many are we", "two people"),
        ],
        label="three turns",
    )
    yield case(
        [("a", "b"), ("c", "d"), ("e", "f"), ("g", "h")],
        expected=[
            ([], "a", "b"),
            (["a", "b"], "c", "d"),
            (["a", "b", "c", "d"], "e", "f"),
            (["a", "b", "c", "d", "e", "f"], "g", "h"),
        ],
        label="four turns",
    )
    yield case([("hello", "hi")], expected=[([], "hello", "hi")], label="one turn")
    yield case([], expected=[], label="no turn")
    yield case(
        [("yes", "yes"), ("yes", "yes")],
        expected=[([], "yes", "yes"), (["yes", "yes"], "yes", "yes")],
        label="the same words again",
    )
    yield case(
        [("", "noted"), ("we are six", "")],
        expected=[([], "", "noted"), (["", "noted"], "we are six", "")],
        label="a turn without words is a turn",
    )


@examples.hidden
def _():
    for length in (2, 5, 8):
        turns = random.choices(["hello", "hi", "yes", "no", "noted"], k=2 * length)
        yield case(list(zip(turns[::2], turns[1::2], strict=True)), label="other turns")


@examples.mistake("the reply is in its own history: the model has only to copy it")
def leaks_the_reply(dialogue):
    turns = [text for pair in dialogue for text in pair]
    return [(turns[: 2 * i + 2], *pair) for i, pair in enumerate(dialogue)]


@examples.mistake(
    "every history ends up with all turns, later ones too: if the examples share one list, `append`"
    " changes it for all of them, so store a copy, `list(history)`"
)
def one_list_for_all(dialogue):
    history, found = [], []
    for said, reply in dialogue:
        found.append((history, said, reply))
        history += [said, reply]
    return found


@examples.mistake("`said` is not part of the history yet: add it after the example is stored")
def holds_what_is_said(dialogue):
    history, found = [], []
    for said, reply in dialogue:
        history.append(said)
        found.append((list(history), said, reply))
        history.append(reply)
    return found


@examples.mistake("the history also holds what the bot replied")
def users_only(dialogue):
    return [([said for said, _ in dialogue[:i]], *pair) for i, pair in enumerate(dialogue)]


@examples.mistake("the history also holds what the user said")
def bots_only(dialogue):
    return [([reply for _, reply in dialogue[:i]], *pair) for i, pair in enumerate(dialogue)]


@examples.mistake("the history goes back to the first turn, not only to the last one")
def last_turn_only(dialogue):
    return [(list(dialogue[i - 1]) if i else [], *pair) for i, pair in enumerate(dialogue)]


@examples.mistake("the history goes back to the first turn, however long ago that is")
def four_texts_only(dialogue):
    return [(h[-4:], said, reply) for h, said, reply in examples.solution(dialogue)]


@examples.mistake("the oldest turn comes first: append each new one at the end")
def newest_first(dialogue):
    return [(h[::-1], said, reply) for h, said, reply in examples.solution(dialogue)]


@examples.again
def newest_pair_first(dialogue):
    history, found = [], []
    for said, reply in dialogue:
        found.append((list(history), said, reply))
        history = [said, reply, *history]
    return found


@examples.mistake("the latest pair is missing: the history ends with the reply just before `said`")
def one_pair_short(dialogue):
    return [(h[:-2], said, reply) for h, said, reply in examples.solution(dialogue)]


@examples.mistake("the first pair is missing: the history begins with the first turn of all")
def first_pair_lost(dialogue):
    return [(h[2:], said, reply) for h, said, reply in examples.solution(dialogue)]


@examples.mistake("the latest reply is missing: the history ends with what the bot said before")
def one_turn_short(dialogue):
    return [(h[:-1], said, reply) for h, said, reply in examples.solution(dialogue)]


@examples.mistake("the history is a list of turns: do not keep the pairs")
def pairs_kept(dialogue):
    return [(list(dialogue[:i]), *pair) for i, pair in enumerate(dialogue)]


@examples.mistake("the first reply is an example as well, with an empty history")
def first_left_out(dialogue):
    return examples.solution(dialogue)[1:]


@examples.mistake("a turn that is said twice is remembered twice")
def each_text_once(dialogue):
    return [(list(dict.fromkeys(h)), said, reply) for h, said, reply in examples.solution(dialogue)]


@examples.mistake("a turn without words stays in the history: it keeps its place")
def blanks_dropped(dialogue):
    return [([t for t in h if t], said, reply) for h, said, reply in examples.solution(dialogue)]


@examples.mistake("each history is a list of turns, not one text")
def one_text(dialogue):
    return [(" ".join(h), said, reply) for h, said, reply in examples.solution(dialogue)]


@exercise(
    "08.4",
    "Did it look at a fact?",
    r"""
    For each question the data set names the **facts**: the
    sentences that the answer follows from. For each hop, how often is the sentence with the largest
    weight one of them?

    Write `facts_by_hop(weights, facts)`. `weights` is (Q, K, M): Q questions, K hops, M sentences;
    within a hop all weights are different. `facts` is a list of Q lists of places, from 0; a
    question whose list is empty does not count. Return a tensor (K,) of shares.

    **Predict first:** a question has three facts, and the network three hops. Does a share of 1 in
    every hop mean that all three were looked at?
    """,
    prediction="no: all three hops may have looked at the same fact",
    minutes=15,
    kind="measure",
)
def facts_by_hop(weights, facts):
    """Share of the questions whose heaviest sentence is a fact, for each hop.

    weights: (Q, K, M). facts: Q lists of places; empty lists do not count. Returns (K,).
    """
    hits = [
        [float(int(row.argmax()) in places) for row in rows]
        for rows, places in zip(weights, facts, strict=True)
        if places
    ]
    return torch.tensor(hits).mean(dim=0)


@facts_by_hop.cases
def _():
    weights = torch.tensor(
        [
            [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]],
            [[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]],
            [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]],
        ]
    )
    yield case(
        weights,
        [[0], [2], [1, 2]],
        expected=torch.tensor([1 / 3, 2 / 3]),
        label="three questions, two hops",
    )
    yield case(
        weights,
        [[0, 2], [], [0]],
        expected=torch.tensor([1.0, 0.5]),
        label="a question without facts",
    )
    yield case(
        torch.tensor([[[0.1, 0.2, 0.3, 0.4]]]),
        [[0, 1, 2]],
        expected=torch.tensor([0.0]),
        label="three facts, and the fourth sentence is the heaviest",
    )
    yield case(
        torch.tensor([[[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]]),
        [[0, 0]],
        expected=torch.tensor([1.0, 0.0]),
        label="a fact that is named twice",
    )
    for Q, K, M in ((5, 3, 4), (8, 2, 6), (6, 1, 3)):
        facts = [sorted({int(x) for x in torch.randint(0, M, (2,))}) for _ in range(Q)]
        facts[1] = []
        yield case(torch.randn(Q, K, M).softmax(dim=2), facts)


def _counted(weights, facts, hit):
    pairs = [(rows, places) for rows, places in zip(weights, facts, strict=True) if places]
    hits = [[float(hit(row, places)) for row in rows] for rows, places in pairs]
    return torch.tensor(hits).mean(dim=0)


def _heaviest(places, facts):
    pairs = [(row, p) for row, p in zip(places.tolist(), facts, strict=True) if p]
    return torch.tensor([[float(place in p) for place in row] for row, p in pairs]).mean(dim=0)


@facts_by_hop.mistake(
    "a question without facts does not count: leave it out, also from the number you divide by"
)
def empty_counted(weights, facts):
    hits = [
        [float(int(row.argmax()) in p) for row in r] for r, p in zip(weights, facts, strict=True)
    ]
    return torch.tensor(hits).mean(dim=0)


@facts_by_hop.mistake("this is the weight on the facts: only the heaviest sentence counts")
def mass(weights, facts):
    return _counted(weights, facts, lambda row, p: sum(float(row[i]) for i in set(p)))


@facts_by_hop.mistake("any of the facts will do, not only the first one")
def first_fact(weights, facts):
    return _counted(weights, facts, lambda row, p: int(row.argmax()) == p[0])


@facts_by_hop.mistake("any of the facts will do, not only the last one")
def last_fact(weights, facts):
    return _counted(weights, facts, lambda row, p: int(row.argmax()) == p[-1])


@facts_by_hop.mistake("any fact counts in any hop: hop 2 need not be at the second fact")
def hop_k_at_fact_k(weights, facts):
    hits = [
        [float(k < len(p) and int(row.argmax()) == p[k]) for k, row in enumerate(rows)]
        for rows, p in zip(weights, facts, strict=True)
        if p
    ]
    return torch.tensor(hits).mean(dim=0)


@facts_by_hop.again
def hop_k_at_fact_k_if_there_is_one(weights, facts):
    pairs = [(rows, p) for rows, p in zip(weights, facts, strict=True) if p]
    hits = [[float(int(row.argmax()) == p[k]) for k, row in enumerate(rows)] for rows, p in pairs]
    return torch.tensor(hits).mean(dim=0)


@facts_by_hop.again
def last_hops_at_the_last_fact(weights, facts):
    pairs = [(rows, p) for rows, p in zip(weights, facts, strict=True) if p]
    hits = [
        [float(int(row.argmax()) == p[min(k, len(p) - 1)]) for k, row in enumerate(rows)]
        for rows, p in pairs
    ]
    return torch.tensor(hits).mean(dim=0)


@facts_by_hop.mistake("one share for each hop: average over the questions only")
def mean_of_everything(weights, facts):
    return facts_by_hop.solution(weights, facts).mean()


@facts_by_hop.again
def mean_of_everything_in_a_list(weights, facts):
    return facts_by_hop.solution(weights, facts).mean()[None]


@facts_by_hop.mistake("a question counts 1 or 0, however many facts it has")
def divided_by_its_facts(weights, facts):
    return _counted(weights, facts, lambda row, p: (int(row.argmax()) in p) / len(p))


@facts_by_hop.again
def divided_by_all_facts(weights, facts):
    found = facts_by_hop.solution(weights, facts) * sum(1 for p in facts if p)
    return found / sum(map(len, facts))


@facts_by_hop.mistake(
    "the heaviest sentence of each hop: `argmax` over the sentences, the last dimension, not over"
    " the hops"
)
def argmax_over_the_hops(weights, facts):
    return _heaviest(weights.argmax(dim=1)[:, : weights.shape[1]], facts)


@facts_by_hop.again
def argmax_over_the_hops_of_each_sentence(weights, facts):
    return _heaviest(weights.argmax(dim=1), facts)


@facts_by_hop.mistake("look at the heaviest sentence, not at as many as there are facts")
def as_many_as_facts(weights, facts):
    return _counted(
        weights, facts, lambda row, p: bool(set(row.topk(len(set(p))).indices.tolist()) & set(p))
    )


@facts_by_hop.mistake("each hop has a share of its own: do not take the mean over the hops")
def over_the_hops(weights, facts):
    return facts_by_hop.solution(weights, facts).mean().expand(weights.shape[1])


@facts_by_hop.mistake("each hop has its own heaviest sentence: do not add up the hops before")
def hops_added(weights, facts):
    summed = weights.sum(dim=1, keepdim=True).expand_as(weights)
    return facts_by_hop.solution(summed, facts)


@facts_by_hop.mistake("the places count from 0")
def places_from_one(weights, facts):
    return facts_by_hop.solution(weights, [[i - 1 for i in p] for p in facts])


@facts_by_hop.mistake("take the largest weight, not the smallest")
def smallest(weights, facts):
    return facts_by_hop.solution(-weights, facts)


@facts_by_hop.mistake("the facts of each question are its own, not those of the first")
def facts_of_the_first(weights, facts):
    return facts_by_hop.solution(weights, [facts[0] if p else [] for p in facts])


@facts_by_hop.mistake("a share, not a number of questions: divide by the questions that count")
def number(weights, facts):
    return facts_by_hop.solution(weights, facts) * sum(1 for p in facts if p)


@facts_by_hop.mistake("the result is a share, not per cent")
def in_per_cent(weights, facts):
    return 100 * facts_by_hop.solution(weights, facts)


@facts_by_hop.mistake("a sentence above an equal share is not yet the heaviest one")
def above_equal_share(weights, facts):
    return _counted(weights, facts, lambda row, p: any(row[i] > 1 / len(row) for i in p))


@facts_by_hop.check
def _(answer):
    torch.manual_seed(3)
    weights = torch.randn(6, 2, 5).softmax(dim=2)
    got = answer(weights.clone(), [[0, 1, 2, 3, 4]] * 6)
    if difference(torch.ones(2), got):
        raise CheckFailed(
            "every sentence is a fact, so every hop looks at one",
            got=got,
            expected=torch.ones(2),
        )


@exercise(
    "08.5",
    "A question that needs three hops",
    r"""
    **A project.** *The ball is in the box. The box is in the kitchen. The kitchen is in the house.*
    Which name does a memory network give after one hop, after two, after three? Build one by hand:
    nothing has to be trained if the vectors are right.

    Every name has a one-hot vector $e$ of its own, as wide as there are `names`.

    - The fact $(a, b)$, *a is in b*, has the key $e_a$ and the value $e_b - e_a$: it turns a
      question about $a$ into one about $b$.
    - A last memory says *stay where you are*. Its value is zero.
    - The score of a fact is $\beta\, u \cdot e_a$, that of the last memory $\beta / 2$, where
      $\beta$ is `sharpness`. A softmax over all of them gives the weights $\alpha$.
    - One hop: $u \leftarrow u + \sum_i \alpha_i v_i$. The first question is $u = e_{\text{thing}}$.

    Write `follow(facts, names, thing, hops, sharpness)`. Return `(answers, entries)`, two lists
    with one element for each hop: the name whose entry in $u$ is the largest after it, and that
    entry as a float.

    **Predict first:** what would happen at the end of the chain without the last memory? When it
    works, measure: from which `sharpness` on does the third hop still find the house?
    """,
    prediction="no fact fits at the end, so the softmax gives all of them the same weight,"
    " and u does not stay where it is",
    minutes=30,
    kind="extend",
)
def follow(facts, names, thing, hops, sharpness):
    """Follow a chain of facts with a memory network that is built by hand.

    facts: list of pairs (name, name). names: all of them. thing: one of them.
    Returns (list of names, list of floats), an element for each hop.
    """
    vector = dict(zip(names, torch.eye(len(names)), strict=True))
    nothing = torch.zeros(len(names))
    keys = torch.stack([vector[a] for a, _ in facts] + [nothing])
    values = torch.stack([vector[b] - vector[a] for a, b in facts] + [nothing])
    bonus = torch.tensor([0.0] * len(facts) + [sharpness / 2])
    u, answers, entries = vector[thing], [], []
    for _ in range(hops):
        u = u + torch.softmax(sharpness * keys @ u + bonus, dim=0) @ values
        answers.append(names[int(u.argmax())])
        entries.append(u.max().item())
    return answers, entries


@follow.cases
def _():
    names = ["ball", "box", "house", "kitchen"]
    chain = [("box", "kitchen"), ("ball", "box"), ("kitchen", "house")]
    yield case([("ball", "box")], ["box", "ball"], "ball", 1, 100.0, expected=(["box"], [1.0]))
    yield case(
        chain,
        names,
        "ball",
        3,
        100.0,
        expected=(["box", "kitchen", "house"], [1.0, 1.0, 1.0]),
        label="three hops",
    )
    yield case(
        chain,
        names,
        "kitchen",
        3,
        100.0,
        expected=(["house"] * 3, [1.0] * 3),
        label="the chain ends: stay",
    )
    yield case(
        [("ball", "box")],
        ["ball", "box"],
        "ball",
        1,
        2.0,
        expected=(["box"], [0.7311]),
        label="a weight of 1 / (1 + 1/e)",
    )
    for count, sharpness in ((4, 9.0), (6, 12.0), (5, 7.0), (3, 5.0)):
        some = [f"n{i}" for i in range(count + 2)]
        order = random.sample(some, count + 1)
        facts = random.sample(list(zip(order, order[1:], strict=False)), count)
        yield case(facts, some, order[random.randint(0, 1)], 4, sharpness)


def _hopped(
    facts, names, thing, hops, sharpness, *, stay=0.5, value=None, change=None, after=None, key=None
):
    """The solution with another score or value, another hop, or something done after each hop."""
    vector = dict(zip(names, torch.eye(len(names)), strict=True))
    nothing = torch.zeros(len(names))
    value, change = value or (lambda a, b: b - a), change or (lambda u, w, v: u + w @ v)
    keys = torch.stack(
        [(key or (lambda a, b: a))(vector[a], vector[b]) for a, b in facts] + [nothing]
    )
    values = torch.stack([value(vector[a], vector[b]) for a, b in facts] + [nothing])
    bonus = torch.tensor([0.0] * len(facts) + [stay * sharpness])
    u, answers, entries = vector[thing], [], []
    for _ in range(hops):
        u = change(u, torch.softmax(sharpness * keys @ u + bonus, dim=0), values)
        u = after(u) if after else u
        answers.append(names[int(u.argmax())])
        entries.append(u.max().item())
    return answers, entries


@follow.mistake(
    "the last memory is missing: at the end of the chain every fact is as good as another, and the"
    " question wanders off"
)
def nowhere_to_stay(*given):
    return _hopped(*given, stay=-torch.inf)


@follow.mistake("the score of the last memory is β / 2, not 0: facts that do not fit have 0")
def staying_counts_nothing(*given):
    return _hopped(*given, stay=0.0)


@follow.mistake("the score of the last memory is β / 2; with β it is as good as a fact that fits")
def staying_counts_too_much(*given):
    return _hopped(*given, stay=1.0)


@follow.mistake("the value of a fact takes the old name away: e_b − e_a, not e_b alone")
def old_name_kept(*given):
    return _hopped(*given, value=lambda a, b: b)


@follow.mistake("a hop *adds* what it read to u: u + Σ α v")
def replaced(*given):
    return _hopped(*given, change=lambda u, w, v: w @ v)


@follow.mistake("the key of *a is in b* is the vector of a: one asks where a is")
def keys_of_the_place(*given):
    return _hopped(*given, key=lambda a, b: b)


@follow.mistake("from a to b: the value is e_b − e_a, not e_a − e_b")
def value_turned_round(*given):
    return _hopped(*given, value=lambda a, b: a - b)


@follow.mistake("multiply the scores by β before the softmax: without it, the weights are soft")
def never_sharp(facts, names, thing, hops, sharpness):
    return _hopped(facts, names, thing, hops, 1.0)


@follow.mistake(
    "a softmax shares the weight out: neither take the best memory alone, nor make a one-hot vector"
    " of u"
)
def best_memory_alone(*given):
    return _hopped(*given, change=lambda u, w, v: u + v[w.argmax()])


@follow.mistake("the answers are those *after* each hop: the first one is not the thing itself")
def one_hop_late(facts, names, thing, hops, sharpness):
    answers, entries = _hopped(facts, names, thing, hops, sharpness)
    return [thing, *answers[:-1]], [1.0, *entries[:-1]]


@follow.mistake("one element for each hop, not that of the last hop alone")
def last_hop(*given):
    answers, entries = _hopped(*given)
    return answers[-1:], entries[-1:]


@follow.mistake(
    "u stays as it is between the hops: the softmax is over the memories, not over its entries"
)
def softmax_of_the_question(*given):
    return _hopped(*given, after=lambda u: torch.softmax(u, dim=0))


@follow.mistake("each hop asks with the u of the hop before it, not with the first one")
def same_question(facts, names, thing, hops, sharpness):
    read = []

    def change(u, w, v):
        read.append(w @ v)
        return u + read[0]

    return _hopped(facts, names, thing, hops, sharpness, change=change)
