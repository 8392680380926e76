"""Exercises of notebook 10: windows, shared keys, caches, rollout, a penalty for distance."""

import random

import torch

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise


@exercise(
    "10.1",
    "A causal window",
    r"""
    For very long texts, a position may be allowed to see only the latest
    ones: itself and the `window - 1` positions before it, never a later one. A cache then needs
    no more than `window` keys.

    Write `window_mask(length, window)`: a boolean tensor (length, length), True = may attend. Row
    $i$ belongs to the query at position $i$. `window` is at least 1, and may be larger than
    `length`.

    **Predict first:** how many entries are True in a mask of length 5 with a window of 2?
    """,
    prediction="nine: one in the first row and two in each of the four others",
    minutes=10,
    kind="implement",
)
def window_mask(length, window):
    """Which positions may attend to which: (length, length) booleans, True = may attend."""
    place = torch.arange(length)
    back = place[:, None] - place[None, :]  # how far key j lies behind query i
    return (back >= 0) & (back < window)


@window_mask.cases
def _():
    yield case(
        3,
        2,
        expected=torch.tensor([[True, False, False], [True, True, False], [False, True, True]]),
        label="three positions, a window of two",
    )
    yield case(3, 1, expected=torch.eye(3, dtype=torch.bool), label="a window of one: only itself")
    yield case(
        2,
        5,
        expected=torch.tensor([[True, False], [True, True]]),
        label="a window longer than the text",
    )
    yield case(0, 2, expected=torch.zeros(0, 0, dtype=torch.bool), label="no position at all")
    for length, window in ((5, 2), (6, 3), (7, 4)):
        yield case(length, window)


@window_mask.hidden
def _():
    for _ in range(6):
        yield case(random.randint(4, 9), random.randint(2, 3))


def _back(length):
    place = torch.arange(length)
    return place[:, None] - place[None, :]


@window_mask.mistake("this is the whole causal mask: the window has an end on the left, too")
def no_window(length, window):
    return _back(length) >= 0


@window_mask.mistake("a position may see none after it: this window reaches to both sides")
def both_sides(length, window):
    return _back(length).abs() < window


@window_mask.mistake("the window counts the position itself: `window - 1` positions before it")
def one_too_many(length, window):
    return (_back(length) >= 0) & (_back(length) <= window)


@window_mask.mistake("each position may attend to itself as well")
def not_itself(length, window):
    return (_back(length) > 0) & (_back(length) <= window)


@window_mask.mistake("rows are queries, columns are keys: this window lies in the future")
def future(length, window):
    return (_back(length) <= 0) & (_back(length) > -window)


@window_mask.mistake("True means *may attend*: this is True where it may not")
def the_wrong_way_round(length, window):
    return ~window_mask.solution(length, window)


@window_mask.mistake("the window moves along with the query: these are fixed blocks")
def blocks(length, window):
    place = torch.arange(length) // window
    return (place[:, None] == place[None, :]) & (_back(length) >= 0)


@window_mask.mistake("the window holds the latest positions, not the first ones of the text")
def the_first_ones(length, window):
    return (_back(length) >= 0) & (torch.arange(length) < window)


@window_mask.mistake("the first position is no exception: it leaves the window like any other")
def with_a_sink(length, window):
    return window_mask.solution(length, window) | (
        (torch.arange(length) == 0) & (_back(length) >= 0)
    )


@window_mask.mistake("all positions of the window may be seen, not every `window`-th one")
def every_other(length, window):
    return (_back(length) >= 0) & (_back(length) % window == 0)


@exercise(
    "10.2",
    "Heads that share their keys",
    r"""
    In grouped-query attention, several heads share the same keys and
    values, so that there is less to keep. $H$ heads have $G$ groups of keys, $G$ divides $H$, and
    **neighbours share**: with $H = 6$ and $G = 2$, the first three heads read group 0, the others
    group 1.

    Write `grouped_attention(queries, keys, values)`: queries (H, T, D), keys and values (G, T, D).
    Each head is a causal scaled dot-product attention: the scores are divided by $\sqrt{D}$, and
    position $t$ reads the positions $0 \dots t$. Return (H, T, D).

    **Predict first:** which values of $G$ give ordinary multi-head and multi-query attention?
    """,
    prediction="G = H, keys for each head, and G = 1, the same keys for all",
    minutes=20,
    kind="implement",
)
def grouped_attention(queries, keys, values):
    """Causal attention of H heads with G groups of keys and values.

    queries: (H, T, D). keys, values: (G, T, D), G divides H. Returns (H, T, D).
    """
    H, T, D = queries.shape
    share = H // len(keys)
    k, v = keys.repeat_interleave(share, dim=0), values.repeat_interleave(share, dim=0)
    scores = queries @ k.transpose(1, 2) / D**0.5
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    return scores.masked_fill(later, float("-inf")).softmax(dim=-1) @ v


@grouped_attention.cases
def _():
    yield case(
        torch.zeros(2, 2, 1),
        torch.zeros(1, 2, 1),
        torch.tensor([[[2.0], [4.0]]]),
        expected=torch.tensor([[[2.0], [3.0]], [[2.0], [3.0]]]),
        label="equal scores: the mean of what has been seen",
    )
    yield case(
        torch.zeros(4, 1, 1),
        torch.zeros(2, 1, 1),
        torch.tensor([[[1.0]], [[5.0]]]),
        expected=torch.tensor([[[1.0]], [[1.0]], [[5.0]], [[5.0]]]),
        label="four heads in two groups, one position",
    )
    yield case(
        torch.tensor([[[0.0], [200.0]]]),
        torch.tensor([[[0.0], [1.0]]]),
        torch.tensor([[[1.0], [2.0]]]),
        expected=torch.tensor([[[1.0], [2.0]]]),
        label="scores of 0 in one row, of 200 in the next",
    )
    yield case(
        torch.tensor([[[1.0], [1.0]]]),
        torch.tensor([[[-200.0], [0.0]]]),
        torch.tensor([[[1.0], [2.0]]]),
        expected=torch.tensor([[[1.0], [2.0]]]),
        label="a score of -200 that is the only one allowed",
    )
    for H, G, T, D in ((4, 2, 3, 5), (6, 3, 5, 4), (3, 3, 4, 6), (6, 1, 7, 2)):
        yield case(2 * torch.randn(H, T, D), 2 * torch.randn(G, T, D), torch.randn(G, T, D))


def _attend(q, k, v, scale=None, later=None, dim=-1):
    T, D = q.shape[1:]
    scores = q @ k.transpose(1, 2) * (D**-0.5 if scale is None else scale)
    later = torch.ones(T, T, dtype=torch.bool).triu(1) if later is None else later
    weights = scores.masked_fill(later, float("-inf")).softmax(dim=dim)
    return weights.nan_to_num(0.0) @ v


def _spread(x, H):
    return x.repeat_interleave(H // len(x), dim=0)


@grouped_attention.mistake("neighbouring heads share: repeat each group, not the row of groups")
def in_turn(queries, keys, values):
    times = len(queries) // len(keys)
    return _attend(queries, keys.repeat(times, 1, 1), values.repeat(times, 1, 1))


@grouped_attention.mistake("there are G groups: all heads read the first one here")
def first_group(queries, keys, values):
    H = len(queries)
    return _attend(queries, _spread(keys[:1], H), _spread(values[:1], H))


@grouped_attention.mistake("a head reads its own group, not the mean of the groups")
def mean_of_groups(queries, keys, values):
    H = len(queries)
    k, v = keys.mean(0, keepdim=True), values.mean(0, keepdim=True)
    return _attend(queries, _spread(k, H), _spread(v, H))


@grouped_attention.mistake("position t must not see the positions after it")
def not_causal(queries, keys, values):
    T, H = queries.shape[1], len(queries)
    none = torch.zeros(T, T, dtype=torch.bool)
    return _attend(queries, _spread(keys, H), _spread(values, H), later=none)


@grouped_attention.mistake("this mask hides the past: later positions are above the diagonal")
def mask_transposed(queries, keys, values):
    T, H = queries.shape[1], len(queries)
    past = torch.ones(T, T, dtype=torch.bool).tril(-1)
    return _attend(queries, _spread(keys, H), _spread(values, H), later=past)


@grouped_attention.mistake("a number such as -100 is a score like others: use minus infinity")
def finite_exclusion(queries, keys, values):
    k, v = _spread(keys, len(queries)), _spread(values, len(queries))
    T, D = queries.shape[1:]
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    scores = (queries @ k.transpose(1, 2) / D**0.5).masked_fill(later, -100.0)
    return scores.softmax(dim=-1) @ v


@grouped_attention.mistake("a score of 0 is not an exclusion: use minus infinity")
def zero_exclusion(queries, keys, values):
    k, v = _spread(keys, len(queries)), _spread(values, len(queries))
    T, D = queries.shape[1:]
    scores = (queries @ k.transpose(1, 2) / D**0.5).tril()
    return scores.softmax(dim=-1) @ v


@grouped_attention.mistake(
    "mask the scores, before the softmax: after it, the weights that are left do not sum to 1"
)
def masked_too_late(queries, keys, values):
    k, v = _spread(keys, len(queries)), _spread(values, len(queries))
    weights = (queries @ k.transpose(1, 2) / queries.shape[2] ** 0.5).softmax(dim=-1)
    return weights.tril() @ v


@grouped_attention.mistake(
    "each row has a largest score of its own: subtract that, not one for all"
)
def one_maximum(queries, keys, values):
    k, v = _spread(keys, len(queries)), _spread(values, len(queries))
    scores = queries @ k.transpose(1, 2) / queries.shape[2] ** 0.5
    powers = (scores - scores.max()).exp().tril()
    return powers / powers.sum(dim=-1, keepdim=True) @ v


@grouped_attention.mistake("position t may see itself as well")
def not_oneself(queries, keys, values):
    T, H = queries.shape[1], len(queries)
    later = torch.ones(T, T, dtype=torch.bool).triu(0)
    return _attend(queries, _spread(keys, H), _spread(values, H), later=later)


@grouped_attention.mistake("divide the scores by √D: these are not scaled")
def without_scale(queries, keys, values):
    H = len(queries)
    return _attend(queries, _spread(keys, H), _spread(values, H), scale=1.0)


@grouped_attention.mistake("divide by the square root of D, not by D")
def too_much_scale(queries, keys, values):
    H, _, D = queries.shape
    return _attend(queries, _spread(keys, H), _spread(values, H), scale=1 / D)


@grouped_attention.mistake("a head is D wide: divide by √D, not by the root of all heads' width")
def scale_of_all(queries, keys, values):
    H, _, D = queries.shape
    return _attend(queries, _spread(keys, H), _spread(values, H), scale=(H * D) ** -0.5)


@grouped_attention.mistake("the softmax runs over the keys (the last dimension), not the queries")
def over_the_queries(queries, keys, values):
    H = len(queries)
    return _attend(queries, _spread(keys, H), _spread(values, H), dim=-2)


@grouped_attention.mistake("read the values: this averages the keys")
def reads_keys(queries, keys, values):
    return grouped_attention.solution(queries, keys, keys)


@grouped_attention.mistake("keys and values are exchanged: queries are compared with the keys")
def exchanged(queries, keys, values):
    return grouped_attention.solution(queries, values, keys)


@exercise(
    "10.3",
    "A cache that loses its order",
    r"""
    This function attends step by step, as a decoder does when
    it writes, and keeps keys and values in a cache:

    ```python
    def attend_step_by_step(queries, keys, values):
        past_keys, past_values, found = keys[:0], values[:0], []
        for t in range(len(queries)):
            past_keys = torch.cat([past_keys, keys[t : t + 1]])
            past_values = torch.cat([values[t : t + 1], past_values])
            weights = (past_keys @ queries[t]).softmax(0)
            found.append(weights @ past_values)
        return torch.stack(found)
    ```

    It should give what causal scaled dot-product attention gives for all positions at once, and it
    does not. There is more than one fault. Write `attend_step_by_step(queries, keys, values)` anew:
    queries and keys are (T, D), values are (T, Dv); return (T, Dv). For $T = 0$, return an empty
    tensor (0, Dv).

    **Predict first:** for which position is the result of the broken version right, whatever the
    numbers are?
    """,
    prediction="for the first: it has a single key, whose weight is 1, and a single value",
    minutes=15,
    kind="repair",
)
def attend_step_by_step(queries, keys, values):
    """Causal attention with a cache: queries, keys (T, D) and values (T, Dv) to (T, Dv)."""
    past_keys, past_values, found = keys[:0], values[:0], [values[:0]]
    for t in range(len(queries)):
        past_keys = torch.cat([past_keys, keys[t : t + 1]])
        past_values = torch.cat([past_values, values[t : t + 1]])
        weights = (past_keys @ queries[t] / queries.shape[1] ** 0.5).softmax(0)
        found.append((weights @ past_values)[None])
    return torch.cat(found)


@attend_step_by_step.cases
def _():
    yield case(
        torch.zeros(3, 2),
        torch.zeros(3, 2),
        torch.tensor([[6.0], [2.0], [1.0]]),
        expected=torch.tensor([[6.0], [4.0], [3.0]]),
        label="equal scores: the mean of what has been seen",
    )
    yield case(
        torch.tensor([[0.0], [90.0]]),
        torch.tensor([[1.0], [0.0]]),
        torch.tensor([[7.0], [3.0]]),
        expected=torch.tensor([[7.0], [7.0]]),
        label="the second query looks back at the first key",
    )
    yield case(
        torch.tensor([[0.0], [200.0]]),
        torch.tensor([[0.0], [1.0]]),
        torch.tensor([[1.0], [2.0]]),
        expected=torch.tensor([[1.0], [2.0]]),
        label="scores of 0 in one row, of 200 in the next",
    )
    yield case(
        torch.tensor([[1.0], [1.0]]),
        torch.tensor([[-200.0], [0.0]]),
        torch.tensor([[1.0], [2.0]]),
        expected=torch.tensor([[1.0], [2.0]]),
        label="a score of -200 that is the only one allowed",
    )
    for T, D, Dv in ((4, 6, 3), (5, 3, 2), (7, 4, 5)):
        yield case(2 * torch.randn(T, D), 2 * torch.randn(T, D), torch.randn(T, Dv))
    yield case(
        torch.zeros(0, 2),
        torch.zeros(0, 2),
        torch.zeros(0, 3),
        expected=torch.zeros(0, 3),
        label="no position at all",
    )


def _by_steps(queries, keys, values, scale, seen, turn=False):
    """Position t reads the positions seen(t, T) with scores times scale."""
    T = len(queries)
    found = [values[:0]]
    for t in range(T):
        which = seen(t, T)
        v = values[which].flip(0) if turn else values[which]
        found.append(((keys[which] @ queries[t] * scale).softmax(0) @ v)[None])
    return torch.cat(found)


def _past(t, T):
    return torch.arange(t + 1)


@attend_step_by_step.mistake(
    "this is still the broken version: look at the order of the cache and at the size of the scores"
)
def as_printed(queries, keys, values):
    return _by_steps(queries, keys, values, 1.0, _past, turn=True)


@attend_step_by_step.mistake("the values stand in another order than their keys: append both")
def values_in_front(queries, keys, values):
    return _by_steps(queries, keys, values, queries.shape[1] ** -0.5, _past, turn=True)


@attend_step_by_step.mistake("the order is right now; the scores still have to be divided by √D")
def not_scaled(queries, keys, values):
    return _by_steps(queries, keys, values, 1.0, _past)


@attend_step_by_step.mistake("divide by the square root of D, not by D")
def divided_by_width(queries, keys, values):
    return _by_steps(queries, keys, values, 1 / queries.shape[1], _past)


@attend_step_by_step.mistake("scale by the width of queries and keys, not by that of the values")
def value_width(queries, keys, values):
    return _by_steps(queries, keys, values, values.shape[1] ** -0.5, _past)


@attend_step_by_step.mistake("the scale is that of the width D, not of the number of keys so far")
def by_the_length(queries, keys, values):
    found = [values[:0]]
    for t in range(len(queries)):
        scores = keys[: t + 1] @ queries[t] / (t + 1) ** 0.5
        found.append((scores.softmax(0) @ values[: t + 1])[None])
    return torch.cat(found)


@attend_step_by_step.mistake(
    "a later position needs the score minus infinity: a number such as -100 is a score like others"
)
def finite_exclusion_of_later(queries, keys, values):
    scores = queries @ keys.T / queries.shape[1] ** 0.5
    later = torch.ones(len(keys), len(keys), dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -100.0).softmax(dim=-1) @ values


@attend_step_by_step.mistake("each row has a largest score of its own: do not subtract one for all")
def one_maximum_for_all(queries, keys, values):
    scores = queries @ keys.T / queries.shape[1] ** 0.5
    top = scores.max() if scores.numel() else 0.0
    powers = (scores - top).exp().tril()
    return powers / powers.sum(dim=-1, keepdim=True) @ values


@attend_step_by_step.mistake("position t reads itself as well: append before you attend")
def appended_too_late(queries, keys, values):
    return _by_steps(
        queries, keys, values, queries.shape[1] ** -0.5, lambda t, T: torch.arange(max(t, 0))
    )


@attend_step_by_step.mistake("position t must not see later keys: use what is in the cache")
def all_keys(queries, keys, values):
    return _by_steps(queries, keys, values, queries.shape[1] ** -0.5, lambda t, T: torch.arange(T))


@attend_step_by_step.mistake("the cache grows: this keeps only the newest key and value")
def newest_only(queries, keys, values):
    return values.clone()


@attend_step_by_step.mistake("use the query of the present step, not the first one")
def first_query(queries, keys, values):
    same = queries[:1].expand(len(queries), -1)
    return attend_step_by_step.solution(same, keys, values)


@attend_step_by_step.mistake("weights come from the scores: this is the mean of what has been seen")
def plain_mean(queries, keys, values):
    return attend_step_by_step.solution(torch.zeros_like(queries), keys, values)


@attend_step_by_step.mistake("sharing out the weight takes a softmax: do not take the best alone")
def best_alone(queries, keys, values):
    return attend_step_by_step.solution(1e6 * queries, keys, values)


@exercise(
    "10.4",
    "What a cache holds",
    r"""
    A decoder of `layers` layers writes a text of `length` tokens.
    Each layer has `heads` heads, which divide the width between them, and `kv_heads` heads of keys
    and values. How many bytes does the cache of self-attention hold after the last token, if each
    number takes `number_bytes` bytes?

    Write `cache_bytes(layers, width, heads, kv_heads, length, number_bytes)`. Return an integer.

    **Predict first:** by which factor does multi-query attention (`kv_heads = 1`) shrink the cache
    of a model with 8 heads?
    """,
    prediction="by 8: one head of keys and values instead of 8",
    minutes=10,
    kind="derive",
)
def cache_bytes(layers, width, heads, kv_heads, length, number_bytes):
    """Bytes of a decoder's cache of keys and values after `length` tokens, an integer."""
    return 2 * layers * kv_heads * (width // heads) * length * number_bytes


@cache_bytes.cases
def _():
    yield case(1, 1, 1, 1, 1, 1, expected=2, label="one number for the key, one for the value")
    yield case(1, 8, 2, 2, 3, 1, expected=48, label="three tokens, two heads of width 4")
    yield case(3, 12, 6, 2, 5, 4, expected=480, label="six heads share two of keys and values")
    yield case(2, 96, 4, 1, 20, 4, expected=7680, label="multi-query attention")
    yield case(4, 64, 8, 4, 0, 2, expected=0, label="nothing written yet")
    yield case(32, 4096, 32, 8, 1000, 2, expected=131_072_000, label="a large model")


@cache_bytes.hidden
def _():
    for _ in range(6):
        head, groups, share = random.randint(2, 9), random.randint(2, 5), random.randint(2, 4)
        heads = groups * share
        yield case(random.randint(2, 7), heads * head, heads, groups, random.randint(5, 50), 4)


@cache_bytes.mistake("there are keys and values: twice as many numbers")
def keys_only(layers, width, heads, kv_heads, length, number_bytes):
    return layers * kv_heads * (width // heads) * length * number_bytes


@cache_bytes.mistake("the cache has `kv_heads` heads, not as many as the queries")
def all_heads(layers, width, heads, kv_heads, length, number_bytes):
    return 2 * layers * width * length * number_bytes


@cache_bytes.mistake("a head is width // heads wide, not the whole width")
def whole_width(layers, width, heads, kv_heads, length, number_bytes):
    return 2 * layers * kv_heads * width * length * number_bytes


@cache_bytes.mistake("all heads are width // heads wide, those of the keys, too")
def wider_heads(layers, width, heads, kv_heads, length, number_bytes):
    return 2 * layers * (width // kv_heads) * length * number_bytes


@cache_bytes.mistake("each layer has a cache of its own")
def one_layer(layers, width, heads, kv_heads, length, number_bytes):
    return 2 * kv_heads * (width // heads) * length * number_bytes


@cache_bytes.mistake("the cache holds keys and values, not the weights: it grows with the length")
def squared(layers, width, heads, kv_heads, length, number_bytes):
    return 2 * layers * kv_heads * (width // heads) * length**2 * number_bytes


@cache_bytes.mistake("these are numbers: each of them takes `number_bytes` bytes")
def numbers(layers, width, heads, kv_heads, length, number_bytes):
    return 2 * layers * kv_heads * (width // heads) * length


@cache_bytes.mistake("the answer is in bytes, not in bits")
def bits(layers, width, heads, kv_heads, length, number_bytes):
    return 8 * cache_bytes.solution(layers, width, heads, kv_heads, length, number_bytes)


@cache_bytes.mistake("all positions count, the last one as well")
def one_fewer(layers, width, heads, kv_heads, length, number_bytes):
    return cache_bytes.solution(layers, width, heads, kv_heads, length - 1, number_bytes)


@cache_bytes.mistake("there are `kv_heads` heads of keys and values in each layer, not one")
def one_head(layers, width, heads, kv_heads, length, number_bytes):
    return 2 * layers * (width // heads) * length * number_bytes


@exercise(
    "10.5",
    "Rollout",
    r"""
    Follow the attention of an encoder down through its layers,
    as section 6 does. `weights` has shape (L, H, T, T): for each layer, from the first to the last,
    and each head, one row of weights for each position.

    1. Each layer: the mean over its heads, $A_l$.
    2. The residual connection carries every position past the attention: $\tilde A_l =
       \tfrac12 (A_l + I)$.
    3. All layers: $R = \tilde A_L \cdots \tilde A_2\, \tilde A_1$.

    Write `rollout(weights)`: return $R$, (T, T). Row $i$ says how the last layer's position $i$ is
    made up of the words. Each row sums to 1.

    **Predict first:** does the first layer's matrix stand on the left or on the right of the
    product?
    """,
    prediction="on the right: it acts on the words first",
    minutes=15,
    kind="measure",
)
def rollout(weights):
    """How the positions of the last layer are made up of the inputs: (L, H, T, T) to (T, T)."""
    T = weights.shape[-1]
    found = torch.eye(T)
    for layer in weights:
        found = 0.5 * (layer.mean(dim=0) + torch.eye(T)) @ found
    return found


def _weights(L, H, T):
    return (2 * torch.randn(L, H, T, T)).softmax(dim=-1)


@rollout.cases
def _():
    yield case(
        torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]),
        expected=torch.tensor([[0.5, 0.5], [0.0, 1.0]]),
        label="one layer, one head",
    )
    yield case(
        torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]], [[[1.0, 0.0], [1.0, 0.0]]]]),
        expected=torch.tensor([[0.5, 0.5], [0.25, 0.75]]),
        label="two layers: all look at the second word, then all at the first",
    )
    for L, H, T in ((2, 3, 4), (3, 2, 5), (4, 2, 3)):
        yield case(_weights(L, H, T))


def _product(matrices):
    found = torch.eye(matrices[0].shape[-1])
    for matrix in matrices:
        found = matrix @ found
    return found


def _layers(weights):
    return [0.5 * (layer.mean(dim=0) + torch.eye(weights.shape[-1])) for layer in weights]


@rollout.mistake("the first layer acts on the words: it stands on the right of the product")
def the_other_order(weights):
    return _product(_layers(weights)[::-1])


@rollout.mistake("add the identity: the residual connection goes past the attention")
def no_residual(weights):
    return _product(list(weights.mean(dim=1)))


@rollout.mistake("halve the sum of attention and identity, so that the rows still sum to 1")
def not_halved(weights):
    return _product([2 * layer for layer in _layers(weights)])


@rollout.mistake("take the mean over the heads, not the largest weight")
def strongest_head(weights):
    return _product([0.5 * (w.amax(0) + torch.eye(w.shape[-1])) for w in weights])


@rollout.mistake("take the mean over the heads, not the first head alone")
def first_head(weights):
    return rollout.solution(weights[:, :1])


@rollout.mistake("take the mean over the heads, not their sum")
def sum_of_heads(weights):
    return _product([0.5 * (w.sum(0) + torch.eye(w.shape[-1])) for w in weights])


@rollout.mistake("follow all layers: this is the last one alone")
def last_layer(weights):
    return _layers(weights)[-1]


@rollout.mistake("follow all layers: this is the first one alone")
def first_layer(weights):
    return _layers(weights)[0]


@rollout.mistake("multiply the layers as matrices: this is their mean")
def mean_of_layers(weights):
    return torch.stack(_layers(weights)).mean(dim=0)


@rollout.mistake("a matrix product (@), not a product entry by entry (*)")
def entry_by_entry(weights):
    return torch.stack(_layers(weights)).prod(dim=0)


@rollout.mistake("rows are the positions of the last layer: the result is transposed")
def transposed(weights):
    return rollout.solution(weights).T


@rollout.mistake("the residual connection is in every layer, not only once around all of them")
def identity_once(weights):
    T = weights.shape[-1]
    return 0.5 * (_product(list(weights.mean(dim=1))) + torch.eye(T))


@rollout.check
def _(answer):
    weights = _weights(3, 2, 4)
    sums = answer(weights.clone()).sum(dim=-1)
    if difference(sums, torch.ones(4)):
        raise CheckFailed("each row has to sum to 1", input=case(weights))


@exercise(
    "10.6",
    "How far back do windows reach?",
    r"""
    A decoder has three layers, and in each of them a position sees itself and the three before it:
    a window of 4, as in exercise 10.1. **Predict first,** by hand: which is the earliest position
    that the state of position 20 can depend on after the third layer?

    Write `earliest(position, window, layers)` for any position, counted from 0. Return an integer.
    """,
    prediction="position 11: each layer reaches 3 positions further back, 20 − 3 · 3",
    minutes=3,
    kind="predict",
)
def earliest(position, window, layers):
    """The first position that a state can depend on after layers with a window, an integer."""
    return max(position - layers * (window - 1), 0)


@earliest.cases
def _():
    yield case(5, 4, 1, expected=2, label="one layer: positions 2, 3, 4 and 5")
    yield case(20, 4, 3, expected=11, label="the prediction")
    yield case(9, 1, 5, expected=9, label="a window of one")
    yield case(7, 3, 2, expected=3)
    yield case(4, 4, 3, expected=0, label="there is nothing before position 0")
    yield case(6, 3, 0, expected=6, label="no layer at all")


@earliest.hidden
def _():
    for _ in range(8):
        yield case(random.randint(0, 60), random.randint(2, 7), random.randint(1, 6))


@earliest.mistake("a window of w holds the position itself and w − 1 others: each layer adds w − 1")
def whole_windows(position, window, layers):
    return max(position - layers * window, 0)


@earliest.mistake(
    "each layer looks at states that have looked further back already: the windows add up"
)
def one_layer_only(position, window, layers):
    return max(position - (window - 1), 0)


@earliest.mistake("the windows of the layers add up; they do not multiply")
def multiplied_windows(position, window, layers):
    return max(position - (window - 1) ** layers, 0)


@earliest.mistake("w positions at each layer, but one of them is shared: they do not multiply")
def power_of_the_window(position, window, layers):
    return max(position - window**layers + 1, 0)


@earliest.mistake("there is no position before 0")
def before_the_beginning(position, window, layers):
    return position - layers * (window - 1)


@earliest.mistake("that is how many positions it reaches back; asked is for the position itself")
def distance_back(position, window, layers):
    return min(layers * (window - 1), position)


@earliest.mistake("the first layer looks back as well: all layers count")
def one_layer_fewer(position, window, layers):
    return max(position - max(layers - 1, 0) * (window - 1), 0)


@earliest.mistake("the window ends at the position itself: it does not reach forward")
def latest(position, window, layers):
    return position + layers * (window - 1)


@earliest.mistake("without a window the first position would be in reach; here each layer has one")
def everything_in_reach(position, window, layers):
    return 0


@earliest.mistake("positions count from 0, and a window of 1 reaches no other position")
def counted_from_one(position, window, layers):
    return max(position - layers * (window - 1) + 1, 0)


@exercise(
    "10.7",
    "Positions without a table",
    r"""
    **A project.** Sinusoidal positions change the words, rotary ones the queries and keys. Another
    way leaves all of them as they are and takes something off each score: a slope $m$ times the
    distance ([Press et al. 2022](REFERENCES.md#press2022)). With the query at position $i$ and the
    key at position $j \le i$,

    $$e_{ij} = \frac{q_i \cdot k_j}{\sqrt{D}} - m\,(i - j)$$

    Every head has a slope of its own. Nothing is learnt, and there is no table that ends. Build it,
    and measure how far each head looks.

    Write `attend_near(queries, keys, values, slopes)`: queries and keys (H, T, D), values
    (H, T, Dv), slopes (H,), not negative. No position sees a later one. Return
    `(output, distances)`:

    - `output` (H, T, Dv);
    - `distances` (H,): for each head, the mean over its queries of $\sum_j \alpha_{ij}\,(i - j)$.

    **Predict first:** what is the distance of a head with a very large slope? And of one with slope
    0 whose scores are all equal, for $T = 5$? When it works, compare a head's distance on 20 and on
    200 random positions, with slopes of 0 and of ½.
    """,
    prediction="0: it sees itself alone. And 1: the mean of 0, ½, 1, 1½ and 2",
    minutes=30,
    kind="extend",
)
def attend_near(queries, keys, values, slopes):
    """Causal attention whose scores fall with the distance, and how far each head looks.

    queries, keys: (H, T, D). values: (H, T, Dv). slopes: (H,). Returns (H, T, Dv) and (H,).
    """
    T, D = queries.shape[1:]
    place = torch.arange(T)
    back = place[:, None] - place[None, :]  # (T, T): how far the key lies behind the query
    scores = queries @ keys.transpose(1, 2) / D**0.5 - slopes[:, None, None] * back
    weights = torch.softmax(scores.masked_fill(back < 0, -torch.inf), dim=2)
    return weights @ values, (weights * back).sum(dim=2).mean(dim=1)


@attend_near.cases
def _():
    flat, one_hot = torch.zeros(1, 3, 2), torch.eye(3)[None]
    thirds = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]]])
    yield case(
        flat,
        flat,
        one_hot,
        torch.tensor([0.0]),
        expected=(thirds, torch.tensor([0.5])),
        label="equal scores, slope 0",
    )
    yield case(
        flat,
        flat,
        one_hot,
        torch.tensor([200.0]),
        expected=(one_hot, torch.tensor([0.0])),
        label="a very large slope",
    )
    half = torch.tensor([[[1.0, 0.0], [1 / 3, 2 / 3]]])  # weights 1 : 2 for a slope of ln 2
    yield case(
        torch.zeros(1, 2, 4),
        torch.zeros(1, 2, 4),
        torch.eye(2)[None],
        torch.tensor([0.693147]),
        expected=(half, torch.tensor([1 / 6])),
        label="slope ln 2: each step back halves the weight",
    )
    for heads, length, width, out in ((2, 4, 3, 5), (3, 6, 2, 4), (4, 2, 5, 3), (2, 7, 8, 1)):
        queries, keys = 2 * torch.randn(2, heads, length, width)
        yield case(queries, keys, torch.randn(heads, length, out), 0.1 + torch.rand(heads))
    yield case(
        torch.full((1, 3, 1), 2e5),
        torch.full((1, 3, 1), -1e4),
        torch.eye(3)[None],
        torch.tensor([0.0]),
        label="scores of minus two billion",
        hint="a finite number in place of −∞ is larger than scores this low: fill with −torch.inf",
    )


def _near(queries, keys, values, bias, scale=None, cut=None, measured=None):
    """The solution with another bias (a function of the distances), scale, mask or measure."""
    T, D = queries.shape[1:]
    place = torch.arange(T)
    back = place[:, None] - place[None, :]
    scores = queries @ keys.transpose(1, 2) / (scale or D**0.5) + bias(back)
    hidden = back < 0 if cut is None else cut(back)
    weights = torch.softmax(scores.masked_fill(hidden, -torch.inf), dim=2).nan_to_num()
    measured = measured or (lambda weights, back: (weights * back).sum(dim=2).mean(dim=1))
    return weights @ values, measured(weights, back)


def _falling(slopes):
    return lambda back: -slopes[:, None, None] * back


@attend_near.mistake("the distance is taken off the score: with a plus, far words win")
def far_words_win(queries, keys, values, slopes):
    return _near(queries, keys, values, _falling(-slopes))


@attend_near.mistake("the slopes are not used: subtract slope · distance from each score")
def slopes_ignored(queries, keys, values, slopes):
    return _near(queries, keys, values, _falling(0 * slopes))


@attend_near.mistake("no position sees a later one: fill those scores with −∞")
def later_ones_too(queries, keys, values, slopes):
    return _near(
        queries, keys, values, lambda back: _falling(slopes)(back.abs()), cut=lambda b: b > 99
    )


@attend_near.mistake("only q · k is divided by √D, not the slope times the distance")
def bias_scaled_too(queries, keys, values, slopes):
    return _near(queries, keys, values, _falling(slopes / queries.shape[2] ** 0.5))


@attend_near.mistake("divide q · k by √D, where D is the width of a head")
def never_scaled(queries, keys, values, slopes):
    return _near(queries, keys, values, _falling(slopes), scale=1.0)


@attend_near.mistake("every head has a slope of its own: `slopes[:, None, None]`")
def first_slope_for_all(queries, keys, values, slopes):
    return _near(queries, keys, values, _falling(slopes[:1].expand(len(slopes))))


@attend_near.mistake("a position sees itself, at distance 0: hide only what comes after it")
def itself_hidden(queries, keys, values, slopes):
    return _near(queries, keys, values, _falling(slopes), cut=lambda back: back <= 0)


@attend_near.mistake(
    "the distance belongs to the score, before the softmax; afterwards the weights no longer sum"
    " to one"
)
def after_the_softmax(queries, keys, values, slopes):
    T, D = queries.shape[1:]
    back = torch.arange(T)[:, None] - torch.arange(T)
    scores = (queries @ keys.transpose(1, 2) / D**0.5).masked_fill(back < 0, -torch.inf)
    weights = torch.softmax(scores, dim=2) * torch.exp(-slopes[:, None, None] * back.clamp_min(0))
    return weights @ values, (weights * back).sum(dim=2).mean(dim=1)


@attend_near.mistake("the distances of the heads: the mean over the queries, not their sum")
def summed_distances(queries, keys, values, slopes):
    return _near(
        queries, keys, values, _falling(slopes), measured=lambda w, b: (w * b).sum(dim=(1, 2))
    )


@attend_near.mistake(
    "weigh the distances with α: where the largest weight lies says less than how far one looks"
)
def distance_of_the_largest(queries, keys, values, slopes):
    def measured(weights, back):
        far = torch.arange(len(back)) - weights.argmax(dim=2)
        return far.float().mean(dim=1)

    return _near(queries, keys, values, _falling(slopes), measured=measured)


@attend_near.mistake("i − j: the query's position minus the key's, so no distance is negative")
def negative_distances(queries, keys, values, slopes):
    output, distances = attend_near.solution(queries, keys, values, slopes)
    return output, -distances


@attend_near.mistake("one distance for each head, (H,): take no mean over the heads")
def one_distance(queries, keys, values, slopes):
    output, distances = attend_near.solution(queries, keys, values, slopes)
    return output, distances.mean()


@attend_near.mistake(
    "Σ α (i − j) has one value for each query: do not take the mean over the keys, too"
)
def mean_over_keys(queries, keys, values, slopes):
    return _near(
        queries, keys, values, _falling(slopes), measured=lambda w, b: (w * b).mean(dim=(1, 2))
    )


@attend_near.mistake("the distance itself, not its square: each step back costs the same")
def squared_distance(queries, keys, values, slopes):
    return _near(queries, keys, values, lambda back: _falling(slopes)(back**2))
