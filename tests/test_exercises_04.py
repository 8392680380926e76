"""Exercises of notebook 04: wrong answers, written as learners write them, and their hints."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from torch.nn import functional as F

from course_utils.exercises import get


def right(number):
    return get(number).solution


# --- 04.1: (weights, rows, columns, height, width) ----------------------------------------------


def blocks(grid, tall, wide):
    return torch.kron(grid, torch.ones(tall, wide))


def kron_without_share(weights, rows, columns, height, width):
    return blocks(weights.view(-1, rows, columns), height // rows, width // columns)


def columns_first(weights, rows, columns, height, width):
    tall, wide = height // rows, width // columns
    return blocks(weights.view(-1, columns, rows).mT.contiguous(), tall, wide) / tall / wide


def tiles(weights, rows, columns, height, width):
    tall, wide = height // rows, width // columns
    return weights.view(-1, rows, columns).tile(tall, wide) / (tall * wide)


def sums_to_one(weights, rows, columns, height, width):
    pixels = kron_without_share(weights, rows, columns, height, width)
    return pixels / pixels.flatten(1).sum(1)[:, None, None]


def spotlight(weights, rows, columns, height, width):
    pixels = kron_without_share(weights, rows, columns, height, width)
    return pixels / pixels.flatten(1).max(1).values[:, None, None]


def bilinear(weights, rows, columns, height, width):
    grid = weights.view(-1, 1, rows, columns)
    pixels = F.interpolate(grid, size=(height, width), mode="bilinear", align_corners=False)
    return pixels[:, 0] * rows * columns / (height * width)


def share_of_the_picture(weights, rows, columns, height, width):
    return kron_without_share(weights, rows, columns, height, width) / height / width


def sides_swapped(weights, rows, columns, height, width):
    tall, wide = height // rows, width // columns
    return blocks(weights.view(-1, rows, columns), wide, tall) / (tall * wide)


def bottom_up(weights, rows, columns, height, width):
    return right("04.1")(weights, rows, columns, height, width)[:, torch.arange(height - 1, -1, -1)]


def as_lists(weights, rows, columns, height, width):
    return [m.tolist() for m in right("04.1")(weights, rows, columns, height, width)]


# --- 04.2: (weights, holds) ---------------------------------------------------------------------


def every_word(weights, holds):
    hits = [float(h[w.argmax()]) for w, h in zip(weights, holds, strict=True)]
    return sum(hits) / len(hits), holds.double().mean().item()


def mass(weights, holds):
    rows = holds.any(1)
    if not rows.any():
        return 0.0, 0.0
    kept = torch.where(holds, weights, 0.0)[rows]
    return kept.sum(1).mean().item(), holds[rows].float().mean().item()


def one_in_so_many(weights, holds):
    hits = right("04.2")(weights, holds)[0]
    return (hits, 1 / holds.shape[1]) if holds.any() else (0.0, 0.0)


def crashes_into_nan(weights, holds):
    rows = holds.any(1)
    hits = holds[rows, weights.argmax(1)[rows]]
    return float(hits.float().mean()), float(holds[rows].float().mean())


def argmin(weights, holds):
    rows = holds.any(1)
    if not rows.any():
        return 0.0, 0.0
    hits = holds[rows, weights.argmin(1)[rows]]
    return float(hits.float().mean()), float(holds[rows].float().mean())


def largest_among_the_right(weights, holds):
    best = (weights * holds).argmax(1)
    rows = holds.any(1)
    if not rows.any():
        return 0.0, 0.0
    return float(holds[rows, best[rows]].float().mean()), float(holds[rows].float().mean())


def over_half(weights, holds):
    rows = holds.any(1)
    if not rows.any():
        return 0.0, 0.0
    hit = (weights * holds).sum(1)[rows] > 0.5
    return float(hit.float().mean()), float(holds[rows].float().mean())


def chance_everywhere(weights, holds):
    return right("04.2")(weights, holds)[0], float(holds.float().mean())


def chance_first(weights, holds):
    hits, chance = right("04.2")(weights, holds)
    return chance, hits


def tensors(weights, holds):
    return tuple(torch.tensor(x) for x in right("04.2")(weights, holds))


# --- 04.3: (candidate, references, n) -----------------------------------------------------------


def grams(words, n):
    return Counter(zip(*(words[i:] for i in range(n)), strict=False))


def sum_of_references(candidate, references, n):
    ours, theirs = grams(candidate, n), Counter()
    for reference in references:
        theirs.update(grams(reference, n))
    return (ours & theirs).total(), ours.total()


def one_best_reference(candidate, references, n):
    ours = grams(candidate, n)
    return max((ours & grams(reference, n)).total() for reference in references), ours.total()


def unclipped(candidate, references, n):
    ours = grams(candidate, n)
    known = set().union(*(grams(reference, n) for reference in references))
    return sum(c for g, c in ours.items() if g in known), ours.total()


def in_all_references(candidate, references, n):
    ours = grams(candidate, n)
    least = {g: min(grams(reference, n)[g] for reference in references) for g in ours}
    return sum(min(c, least[g]) for g, c in ours.items()), ours.total()


def only_one_reference(candidate, references, n):
    ours = grams(candidate, n)
    return (ours & grams(references[0], n)).total(), ours.total()


def one_long_reference(candidate, references, n):
    ours = grams(candidate, n)
    return (ours & grams([w for r in references for w in r], n)).total(), ours.total()


def recall(candidate, references, n):
    matches = right("04.3")(candidate, references, n)[0]
    return matches, max(grams(reference, n).total() for reference in references)


def as_sets(candidate, references, n):
    ours = set(grams(candidate, n))
    return len(ours & set().union(*(grams(r, n) for r in references))), len(ours)


def range_too_short(candidate, references, n):
    def short(words):
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n))

    ours, most = short(candidate), Counter()
    for reference in references:
        most |= short(reference)
    return (ours & most).total(), ours.total()


def in_strings(candidate, references, n):
    ours = grams(candidate, n)
    texts = [" ".join(reference) for reference in references]
    return sum(
        min(c, max(t.count(" ".join(g)) for t in texts)) for g, c in ours.items()
    ), ours.total()


def below_zero(candidate, references, n):
    return right("04.3")(candidate, references, n)[0], 1 + len(candidate) - n


def quotient(candidate, references, n):
    matches, total = right("04.3")(candidate, references, n)
    return matches / max(total, 1)


# --- 04.4: (states, weights, values, w, b) ------------------------------------------------------


def linear_gate(states, weights, values, w, b):
    gate = (states * w).sum(1) + b
    return (weights @ values) * gate.unsqueeze(1), gate


def competing_steps(states, weights, values, w, b):
    gate = F.softmax(states.matmul(w) + b, 0)
    return (weights @ values) * gate.unsqueeze(1), gate


def no_offset(states, weights, values, w, b):
    gate = torch.sigmoid(states.matmul(w))
    return (weights @ values) * gate.unsqueeze(1), gate


def gate_forgotten(states, weights, values, w, b):
    return weights.matmul(values), torch.sigmoid(states.matmul(w) + b)


def from_minus_one(states, weights, values, w, b):
    gate = (states.matmul(w) + b).tanh()
    return (weights @ values) * gate.unsqueeze(1), gate


def inverted(states, weights, values, w, b):
    gate = torch.sigmoid(states.matmul(w) + b)
    return torch.sigmoid(-(states.matmul(w) + b)).unsqueeze(1) * (weights @ values), gate


def broadcast_along_columns(states, weights, values, w, b):
    gate = torch.sigmoid(states.matmul(w) + b)
    return torch.mul(weights @ values, gate), gate


def offset_after(states, weights, values, w, b):
    gate = b + torch.sigmoid(states.matmul(w))
    return (weights @ values) * gate.unsqueeze(1), gate


def normalised_away(states, weights, values, w, b):
    gate = torch.sigmoid(states.matmul(w) + b)
    gated = weights * gate.unsqueeze(1)
    return gated.div(gated.sum(-1, keepdim=True)) @ values, gate


def exp_by_hand(states, weights, values, w, b):
    e = torch.exp(states.matmul(w) + b)
    gate = e / (e + 1)
    return (weights @ values) * gate.unsqueeze(1), gate


def swapped(states, weights, values, w, b):
    r, gate = right("04.4")(states, weights, values, w, b)
    return gate, r


def any_capital(candidate, references, n):
    references = [[word.lower() for word in one] for one in references]
    return right("04.3")([word.lower() for word in candidate], references, n)


def without_spaces(candidate, references, n):
    def counted(words):
        return Counter("".join(words[i : i + n]) for i in range(len(words) - n + 1))

    most = Counter()
    for one in references:
        most |= counted(one)
    return (counted(candidate) & most).total(), counted(candidate).total()


def sums_as_tensors(candidate, references, n):
    return tuple(map(torch.tensor, right("04.3")(candidate, references, n)))


def renormalised(states, weights, values, w, b):
    return right("04.4")(states, weights / weights.sum(1, keepdim=True), values, w, b)


def open_or_closed(states, weights, values, w, b):
    gate = torch.where(states @ w + b > 0, 1.0, 0.0)
    return gate[:, None] * (weights @ values), gate


WRONG = [
    ("04.1", kron_without_share, "divide by their number"),
    ("04.1", columns_first, "row by row"),
    ("04.1", tiles, "tiles copies"),
    ("04.1", sums_to_one, "divides by a sum"),
    ("04.1", spotlight, "spotlight"),
    ("04.1", bilinear, "invents values"),
    ("04.1", share_of_the_picture, "not by all of the picture"),
    ("04.1", sides_swapped, "dim=1"),
    ("04.1", bottom_up, "top left"),
    ("04.1", as_lists, "as a tensor"),
    ("04.2", every_word, "does not count"),
    ("04.2", mass, "attention mass"),
    ("04.2", one_in_so_many, "one place out of all"),
    ("04.2", crashes_into_nan, "mean of nothing"),
    ("04.2", argmin, "not the smallest"),
    ("04.2", largest_among_the_right, "whole row"),
    ("04.2", over_half, "most of the weight"),
    ("04.2", chance_everywhere, "same words"),
    ("04.2", chance_first, "hits come first"),
    ("04.2", tensors, ".item()"),
    ("04.3", sum_of_references, "adding the counts"),
    ("04.3", one_best_reference, "different references"),
    ("04.3", unclipped, "at most as often"),
    ("04.3", in_all_references, "not the smallest"),
    ("04.3", only_one_reference, "not the first one alone"),
    ("04.3", one_long_reference, "across the boundary"),
    ("04.3", recall, "recall"),
    ("04.3", as_sets, "set forgets"),
    ("04.3", range_too_short, "last one is missing"),
    ("04.3", in_strings, "whole words"),
    ("04.3", below_zero, "never below 0"),
    ("04.3", quotient, "two sums"),
    ("04.3", any_capital, "lower-case"),
    ("04.3", without_spaces, "without a space"),
    ("04.3", sums_as_tensors, ".item()"),
    ("04.4", renormalised, "nothing divides"),
    ("04.4", open_or_closed, "threshold"),
    ("04.4", linear_gate, "sigmoid of the score"),
    ("04.4", competing_steps, "compete"),
    ("04.4", no_offset, "offset b is missing"),
    ("04.4", gate_forgotten, "multiply what is read"),
    ("04.4", from_minus_one, "tanh"),
    ("04.4", inverted, "1 − β"),
    ("04.4", broadcast_along_columns, "gate[:, None]"),
    ("04.4", offset_after, "inside the sigmoid"),
    ("04.4", normalised_away, "what they were before"),
    ("04.4", exp_by_hand, "overflows"),
    ("04.4", swapped, "first, then the gate"),
]


@pytest.mark.parametrize(
    "number, answer, words", WRONG, ids=[f"{n}-{a.__name__}" for n, a, _ in WRONG]
)
def test_a_wrong_answer_is_refused_with_a_hint_that_fits(number, answer, words):
    verdict = get(number).judge(answer)
    assert verdict.state == "wrong"
    assert verdict.hint is not None and words in verdict.hint


def test_other_ways_are_right():
    def shared_out(weights, rows, columns, height, width):
        tall, wide = height // rows, width // columns
        return blocks(weights.view(-1, rows, columns), tall, wide) / (tall * wide)

    def by_rows(weights, holds):
        named = [(w, h) for w, h in zip(weights.tolist(), holds.tolist(), strict=True) if any(h)]
        if not named:
            return 0.0, 0.0
        hits = [h[w.index(max(w))] for w, h in named]
        return sum(hits) / len(hits), sum(sum(h) / len(h) for _, h in named) / len(named)

    def by_lists(candidate, references, n):
        ours = [candidate[i : i + n] for i in range(len(candidate) - n + 1)]
        matches = 0
        for place, gram in enumerate(ours):
            most = max(sum(r[i : i + n] == gram for i in range(len(r) - n + 1)) for r in references)
            matches += ours[: place + 1].count(gram) <= most
        return matches, len(ours)

    def step_by_step(states, weights, values, w, b):
        gates = [torch.sigmoid(s @ w + b) for s in states]
        read = [g * (a @ values) for g, a in zip(gates, weights, strict=True)]
        return torch.stack(read), torch.stack(gates)

    for number, answer in (
        ("04.1", shared_out),
        ("04.2", by_rows),
        ("04.3", by_lists),
        ("04.4", step_by_step),
    ):
        verdict = get(number).judge(answer)
        assert verdict, verdict.text


# -------------------------------------------------------------------------- 04.5: what a place sees


def by_marking(layers):
    """Which pixels can reach the first place: from the last layer back to the picture."""
    places = {0}
    for kernel, stride in reversed(layers):
        places = {place * stride + k for place in places for k in range(kernel)}
    return max(places) - min(places) + 1


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda layers: by_marking([(k, 1) for k, _ in layers]), "strides before it"),
        (lambda layers: by_marking(layers[::-1]), "first layer comes first"),
        (lambda layers: by_marking(layers) - 1, "start with the pixel"),
        (lambda layers: by_marking(layers) ** 2, "width is asked for"),
        (lambda layers: by_marking([(k + 1, s) for k, s in layers]), "overlap"),
        (lambda layers: by_marking(layers) // 2, "to each"),
        (lambda layers: by_marking([(2, s) for _, s in layers]), None),
        (lambda layers: 49, None),
        (lambda layers: sum(kernel for kernel, _ in layers), None),
    ],
)
def test_04_5_wrong_answers(answer, hint):
    verdict = get("04.5").judge(answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or "").replace("*", ""), verdict.text


def test_04_5_pixels_that_are_marked_and_a_real_convolution_agree():
    assert get("04.5").judge(by_marking)
    layers = [(5, 2), (3, 1), (3, 3)]
    pixels = torch.zeros(1, 1, 60, 60, requires_grad=True)
    x = pixels
    for kernel, stride in layers:
        x = torch.nn.functional.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=stride)
    x[0, 0, 1, 1].backward()
    assert (pixels.grad[0, 0].sum(0) > 0).sum() == get("04.5")(layers)


# ---------------------------------------------------------------------- 04.6: what each word needs


def by_kron(image, weights, log_probs, paint, rank=None, blank=None):
    """Erase with a mask for each place, then let SciPy rank and NumPy correlate."""
    rank = rank or (lambda flat: np.stack([rankdata(row) for row in flat]))
    T, rows, columns = weights.shape
    block = torch.ones(image.shape[0] // rows, image.shape[1] // columns)
    falls = []
    for one in torch.eye(rows * columns).reshape(-1, rows, columns):
        mask = torch.kron(one, block)[..., None]
        after = image * (1 - mask) + (paint if blank is None else blank(image)) * mask
        falls.append(log_probs(image) - log_probs(after))
    needs = torch.stack(falls, -1)
    ranked = zip(rank(weights.flatten(1).numpy()), rank(needs.numpy()), strict=True)
    found = [np.corrcoef(x, y)[0, 1] if np.ptp(x) * np.ptp(y) else 0.0 for x, y in ranked]
    return needs.reshape(T, rows, columns), torch.tensor(found, dtype=torch.float32)


def of_the_log(change):
    """An answer that calls the captioner through a function of what it returns."""
    return lambda i, w, f, p: by_kron(i, w, lambda x: change(f(x)), p)


@pytest.mark.parametrize(
    "answer, hint",
    [
        (of_the_log(torch.exp), "*log*-probability"),
        (of_the_log(torch.neg), "whole minus erased"),
        (lambda i, w, f, p: by_kron(i, w, f, p, rank=lambda flat: flat), "not the values"),
        (
            lambda i, w, f, p: by_kron(
                i, w, f, p, lambda x: x.argsort(1, kind="stable").argsort(1)
            ),
            "two `argsort`",
        ),
        (
            lambda i, w, f, p: by_kron(
                i, w, f, p, lambda x: np.stack([rankdata(row, method="min") for row in x])
            ),
            "smallest of them",
        ),
        (lambda i, w, f, p: by_kron(i, w, f, torch.zeros(3)), "black"),
        (lambda i, w, f, p: by_kron(i, w, f, p, blank=lambda x: x.mean((0, 1))), None),
        (lambda i, w, f, p: by_kron(i, w, f, p)[0], None),
    ],
)
def test_04_6_wrong_answers(answer, hint):
    verdict = get("04.6").judge(answer)
    assert verdict.state == "wrong"
    assert hint is None or hint in (verdict.hint or ""), verdict.text


def test_04_6_masks_and_the_ranks_of_scipy_are_right():
    verdict = get("04.6").judge(by_kron)
    assert verdict, verdict.text
