"""Notebook 10: wrong answers, written as learners write them, get a hint that fits.

The mistakes of the master are tested in test_exercises.py. These are other programs: each is given
with a part of the hint that its author needs.
"""

import math

import pytest
import torch

from course_utils.exercises import check

# ------------------------------------------------------------------------------ 10.1: window_mask


def by_pairs(may):
    """An answer from a function of query, key, window and length."""

    def answer(length, window):
        mask = torch.zeros(length, length, dtype=torch.bool)
        for i in range(length):
            for j in range(length):
                mask[i, j] = bool(may(i, j, window))
        return mask

    return answer


def right_window(i, j, w):
    return i - w < j <= i


# ------------------------------------------------------------------------ 10.2: grouped_attention


def head_by_head(group, seen=lambda t, T: range(t + 1), scale=None):
    """An answer in loops: group(h, H, G) names the keys, seen(t, T) the positions that are read."""

    def answer(queries, keys, values):
        H, T, D = queries.shape
        out = torch.zeros(H, T, values.shape[2])
        for h in range(H):
            g = group(h, H, len(keys))
            for t in range(T):
                places = list(seen(t, T))
                if not places:
                    continue
                s = torch.stack([queries[h, t] @ keys[g, j] for j in places])
                w = torch.softmax(s * (D**-0.5 if scale is None else scale(H, D)), dim=0)
                out[h, t] = sum(a * values[g, j] for a, j in zip(w, places, strict=True))
        return out

    return answer


def own_group(h, H, G):
    return h * G // H


def by_view(queries, keys, values):
    H, T, D = queries.shape
    q = queries.reshape(len(keys), -1, T, D)
    scores = torch.einsum("ghtd,gsd->ghts", q, keys) / math.sqrt(D)
    allowed = torch.tril(torch.ones(T, T)) > 0
    weights = torch.where(allowed, scores, -torch.inf).softmax(-1)
    return torch.einsum("ghts,gsd->ghtd", weights, values).reshape(H, T, D)


# ---------------------------------------------------------------------- 10.3: attend_step_by_step


def loop(weigh, seen=lambda t, T: range(t + 1), order=lambda places: places):
    def answer(queries, keys, values):
        rows = []
        for t in range(len(queries)):
            places = list(seen(t, len(queries)))
            w = weigh(queries[t], keys[places], t, values)
            rows.append(w @ values[order(places)])
        return torch.stack(rows) if rows else values[:0]

    return answer


def scaled(q, k, t, v):
    return torch.softmax(k @ q / math.sqrt(len(q)), dim=0)


def plain(q, k, t, v):
    return torch.softmax(k @ q, dim=0)


def both_in_front(queries, keys, values):
    """Another order, but the same one for keys and values."""
    past_k, past_v, rows = keys[:0], values[:0], [values[:0]]
    for q, k, v in zip(queries, keys, values, strict=True):
        past_k, past_v = torch.cat([k[None], past_k]), torch.cat([v[None], past_v])
        rows.append(scaled(q, past_k, 0, v)[None] @ past_v)
    return torch.cat(rows)


def all_at_once(queries, keys, values):
    T, D = queries.shape
    later = torch.triu(torch.ones(T, T), 1).bool()
    scores = (queries @ keys.T / D**0.5).masked_fill(later, -torch.inf)
    return torch.softmax(scores, -1) @ values


# ----------------------------------------------------------------------------------- 10.5: rollout


def layer_by_layer(matrix, order=lambda layers: layers):
    def answer(weights):
        T = weights.shape[-1]
        found = torch.eye(T)
        for layer in order(list(weights)):
            found = torch.matmul(matrix(layer, torch.eye(T)), found)
        return found

    return answer


def half(layer, identity):
    return (sum(layer) / len(layer) + identity) / 2


def normalised(layer, identity):
    both = layer.mean(0) + identity
    return both / both.sum(-1, keepdim=True)


def above(scores):
    """True for the later positions."""
    rows = torch.arange(scores.shape[-1])
    return rows > rows[:, None]


def softmax_of(before, after=lambda w: w):
    """Attention of heads that share keys, with its scores and weights changed."""

    def answer(q, k, v):
        times = len(q) // len(k)
        scores = torch.einsum("htd,hsd->hts", q, k.repeat_interleave(times, 0)) / q.shape[2] ** 0.5
        return after(torch.softmax(before(scores), -1)) @ v.repeat_interleave(times, 0)

    return answer


def with_one_top(q, k, v):
    times = len(q) // len(k)
    scores = torch.einsum("htd,hsd->hts", q, k.repeat_interleave(times, 0)) / q.shape[2] ** 0.5
    top = scores.max() if scores.numel() else 0.0
    powers = torch.exp(scores - top).masked_fill(above(scores), 0.0)
    return powers / powers.sum(-1, keepdim=True) @ v.repeat_interleave(times, 0)


WRONG = [
    ("10.1", by_pairs(lambda i, j, w, *_: j <= i), "end on the left"),
    ("10.1", by_pairs(lambda i, j, w: abs(i - j) < w), "both sides"),
    ("10.1", by_pairs(lambda i, j, w: i - w <= j <= i), "`window - 1` positions"),
    ("10.1", by_pairs(lambda i, j, w: i - w <= j < i), "itself as well"),
    ("10.1", by_pairs(lambda i, j, w: right_window(j, i, w)), "in the future"),
    ("10.1", by_pairs(lambda i, j, w: not right_window(i, j, w)), "may not"),
    ("10.1", by_pairs(lambda i, j, w: i // w == j // w and j <= i), "fixed blocks"),
    ("10.1", by_pairs(lambda i, j, w: j <= i and j < w), "first ones"),
    ("10.1", by_pairs(lambda i, j, w: right_window(i, j, w) or (j == 0)), "no exception"),
    ("10.1", by_pairs(lambda i, j, w: j <= i and (i - j) % w == 0), "every `window`-th"),
    ("10.2", head_by_head(lambda h, H, G: h % G), "neighbouring heads"),
    ("10.2", head_by_head(lambda h, H, G: 0), "first one"),
    ("10.2", head_by_head(own_group, seen=lambda t, T: range(T)), "positions after it"),
    ("10.2", head_by_head(own_group, seen=lambda t, T: range(t)), "itself as well"),
    ("10.2", head_by_head(own_group, seen=lambda t, T: range(t, T)), "hides the past"),
    ("10.2", head_by_head(own_group, scale=lambda H, D: 1.0), "not scaled"),
    ("10.2", head_by_head(own_group, scale=lambda H, D: 1 / D), "not by D"),
    ("10.2", head_by_head(own_group, scale=lambda H, D: (H * D) ** -0.5), "all heads' width"),
    ("10.2", lambda q, k, v: by_view(q, k, k), "read the values"),
    ("10.2", lambda q, k, v: by_view(q, v, k), "exchanged"),
    ("10.2", lambda q, k, v: by_view(q, k.mean(0)[None], v.mean(0)[None]), "mean of the groups"),
    ("10.2", softmax_of(lambda s: s.masked_fill(above(s), -100.0)), "such as -100"),
    ("10.2", softmax_of(lambda s: s.masked_fill(above(s), 0.0)), "score of 0"),
    ("10.2", softmax_of(lambda s: s, after=lambda w: w.masked_fill(above(w), 0.0)), "after it"),
    ("10.2", with_one_top, "one for all"),
    (
        "10.3",
        lambda q, k, v: softmax_of(lambda s: s.masked_fill(above(s), -100.0))(
            q[None], k[None], v[None]
        )[0],
        "such as -100",
    ),
    ("10.3", lambda q, k, v: with_one_top(q[None], k[None], v[None])[0], "do not subtract"),
    ("10.3", loop(plain, order=lambda p: p[::-1]), "still the broken version"),
    ("10.3", loop(scaled, order=lambda p: p[::-1]), "another order"),
    ("10.3", loop(plain), "divided by √D"),
    ("10.3", loop(lambda q, k, t, v: torch.softmax(k @ q / len(q), 0)), "not by D"),
    ("10.3", loop(lambda q, k, t, v: (k @ q / v.shape[1] ** 0.5).softmax(0)), "of the values"),
    ("10.3", loop(lambda q, k, t, v: (k @ q / (t + 1) ** 0.5).softmax(0)), "number of keys"),
    ("10.3", loop(scaled, seen=lambda t, T: range(T)), "later keys"),
    ("10.3", loop(scaled, seen=lambda t, T: range(t)), "append before"),
    ("10.3", loop(scaled, seen=lambda t, T: [t]), "cache grows"),
    ("10.3", loop(lambda q, k, t, v: torch.ones(len(k)) / len(k)), "mean of what"),
    ("10.3", lambda q, k, v: all_at_once(q[:1].repeat(len(q), 1), k, v), "not the first one"),
    ("10.4", lambda L, w, h, kv, T, b: L * kv * (w // h) * T * b, "twice as many"),
    ("10.4", lambda L, w, h, kv, T, b: L * 2 * w * T * b, "`kv_heads` heads"),
    ("10.4", lambda L, w, h, kv, T, b: L * 2 * w * kv * T * b, "not the whole width"),
    ("10.4", lambda L, w, h, kv, T, b: L * 2 * (w // kv) * T * b, "those of the keys, too"),
    ("10.4", lambda L, w, h, kv, T, b: 2 * kv * (w // h) * T * b, "a cache of its own"),
    ("10.4", lambda L, w, h, kv, T, b: 2 * L * kv * (w // h) * T * T * b, "not the weights"),
    ("10.4", lambda L, w, h, kv, T, b: 2 * L * kv * (w // h) * T, "`number_bytes` bytes"),
    ("10.4", lambda L, w, h, kv, T, b: 16 * L * kv * (w // h) * T * b, "not in bits"),
    ("10.4", lambda L, w, h, kv, T, b: 2 * L * kv * (w // h) * (T - 1) * b, "the last one"),
    ("10.4", lambda L, w, h, kv, T, b: 2 * L * (w // h) * T * b, "not one"),
    ("10.5", layer_by_layer(half, order=lambda x: x[::-1]), "on the right"),
    ("10.5", layer_by_layer(lambda w, i: w.mean(0)), "add the identity"),
    ("10.5", layer_by_layer(lambda w, i: w.mean(0) + i), "halve the sum"),
    ("10.5", layer_by_layer(lambda w, i: (w.max(0).values + i) / 2), "largest weight"),
    ("10.5", layer_by_layer(lambda w, i: (w[0] + i) / 2), "first head alone"),
    ("10.5", layer_by_layer(lambda w, i: (w.sum(0) + i) / 2), "not their sum"),
    ("10.5", layer_by_layer(half, order=lambda x: x[-1:]), "the last one alone"),
    ("10.5", layer_by_layer(half, order=lambda x: x[:1]), "the first one alone"),
    ("10.5", lambda w: (w.mean((0, 1)) + torch.eye(w.shape[-1])) / 2, "as matrices"),
    ("10.5", lambda w: layer_by_layer(half)(w).t(), "transposed"),
    (
        "10.5",
        lambda w: (layer_by_layer(lambda a, i: a.mean(0))(w) + torch.eye(w.shape[-1])) / 2,
        "not only once",
    ),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_gets_the_hint_that_its_author_needs(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint in (verdict.hint or ""), verdict.text


@pytest.mark.parametrize(
    "number, answer",
    [
        ("10.1", lambda length, window: torch.ones(length, length, dtype=torch.bool)),
        ("10.1", lambda length, window: by_pairs(right_window)(length, window).float()),
        ("10.2", lambda q, k, v: torch.zeros_like(q)),
        ("10.2", lambda q, k, v: by_view(q, k, v).mean(0)),
        ("10.3", lambda q, k, v: None),
        ("10.3", lambda q, k, v: all_at_once(q, k, v)[-1:]),
        ("10.4", lambda L, w, h, kv, T, b: 0),
        ("10.4", lambda L, w, h, kv, T, b: 2.0 * L * kv * (w / h) * T * b + 0.5),
        ("10.5", lambda w: torch.eye(w.shape[-1])),
        ("10.5", lambda w: w.mean((0, 1))),
    ],
)
def test_an_answer_that_fits_no_mistake_is_refused_all_the_same(number, answer):
    assert check(number, answer).state == "wrong"


@pytest.mark.parametrize(
    "number, answer",
    [
        ("10.1", by_pairs(right_window)),
        ("10.2", head_by_head(own_group)),
        ("10.2", by_view),
        ("10.3", loop(scaled)),
        ("10.3", both_in_front),
        ("10.3", all_at_once),
        ("10.4", lambda L, w, h, kv, T, b: b * T * L * (w * kv // h + kv * w // h)),
        ("10.5", layer_by_layer(half)),
        ("10.5", layer_by_layer(normalised)),
    ],
)
def test_a_right_answer_written_another_way_is_right(number, answer):
    assert check(number, answer)


# ------------------------------------------------------------ 10.6 and 10.7: windows and distances


def by_layers(position, window, layers):
    """The earliest of all positions that the state depends on, layer by layer."""
    found = {position}
    for _ in range(layers):
        found = {j for i in found for j in range(max(i - window + 1, 0), i + 1)}
    return min(found)


def one_query_at_a_time(queries, keys, values, slopes, sees=lambda i, j: j <= i, scaled=True):
    outputs, distances = torch.zeros(values.shape), torch.zeros(len(slopes))
    T, D = queries.shape[1:]
    for h, slope in enumerate(slopes.tolist()):
        for i in range(T):
            near = [j for j in range(T) if sees(i, j)]
            if not near:
                continue
            scores = keys[h, near] @ queries[h, i] / (D**0.5 if scaled else 1)
            weights = torch.softmax(scores - torch.tensor([slope * (i - j) for j in near]), dim=0)
            outputs[h, i] = weights @ values[h, near]
            distances[h] += (
                sum(w * (i - j) for w, j in zip(weights.tolist(), near, strict=True)) / T
            )
    return outputs, distances


def learnt_bias_of_the_key(queries, keys, values, slopes):
    """The distance as +m·j: within a row, −m·(i − j) differs from it by a constant only."""
    T, D = queries.shape[1:]
    scores = queries @ keys.mT / D**0.5 + slopes[:, None, None] * torch.arange(T)
    weights = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf).softmax(-1)
    centre = weights @ torch.arange(T).float()
    return weights @ values, (torch.arange(T) - centre).mean(dim=1)


@pytest.mark.parametrize(
    "number, answer, hint",
    [
        ("10.6", lambda p, w, n: by_layers(p, w + 1, n), "adds w − 1"),
        ("10.6", lambda p, w, n: by_layers(p, w, 1), None),
        ("10.6", lambda p, w, n: by_layers(p, w, max(n - 1, 0)), "all layers count"),
        ("10.6", lambda p, w, n: p - by_layers(p, w, n), "position itself"),
        ("10.6", lambda p, w, n: float(by_layers(p, w, n)), None),
        ("10.7", lambda q, k, v, m: one_query_at_a_time(q, k, v, -m), "with a plus"),
        ("10.7", lambda q, k, v, m: one_query_at_a_time(q, k, v, 0 * m), "not used"),
        ("10.7", lambda *a: one_query_at_a_time(*a, sees=lambda i, j: j < i), "sees itself"),
        ("10.7", lambda *a: one_query_at_a_time(*a, sees=lambda i, j: True), None),
        ("10.7", lambda *a: one_query_at_a_time(*a, scaled=False), "√D"),
        ("10.7", lambda q, k, v, m: one_query_at_a_time(q, k, v, m.mean().repeat(len(m))), None),
        ("10.7", lambda *a: one_query_at_a_time(*a)[0], None),
    ],
)
def test_wrong_answers_about_windows_and_distances(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


@pytest.mark.parametrize(
    "number, answer",
    [("10.6", by_layers), ("10.7", one_query_at_a_time), ("10.7", learnt_bias_of_the_key)],
)
def test_windows_and_distances_worked_out_another_way_are_right(number, answer):
    assert check(number, answer)
