"""Greedy and beam search against plain searches over lists; CTC against all alignments."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.batches import make_batch
from course_utils.memory import Rows
from course_utils.search import (
    Hypothesis,
    beam_search,
    greedy_search,
    length_penalty,
    search,
)
from course_utils.tasks.inference import in_batches
from course_utils.tasks.speech.ctc import ctc_collapse, ctc_greedy, ctc_loss
from course_utils.vocabulary import BOS, EOS, PAD
from tools.campaign.core import Choices, Wrong, expect, probe
from tools.tiny import MODELS, random_examples, tiny_translator


@dataclass(frozen=True)
class TableState(Rows):
    """Which input a row belongs to, and a number that stands for what was written so far."""

    of: Tensor
    written: Tensor


class TableDecoder:
    """A decoder without a network: its scores depend on the input and on all tokens so far."""

    def __init__(self, seed: int, inputs: int, size: int, sharpness: float, normalised: bool):
        self.seed, self.inputs, self.size = seed, inputs, size
        self.sharpness, self.normalised = sharpness, normalised

    def __len__(self) -> int:
        return self.inputs

    def start(self, memory: Any) -> TableState:
        count = memory if isinstance(memory, int) else len(memory)
        return TableState(torch.arange(count), torch.zeros(count, dtype=torch.long))

    def scores_of(self, of: int, written: int) -> Tensor:
        generator = torch.Generator().manual_seed(
            (self.seed * 1_000_003 + of * 7919 + written) % 2**31
        )
        scores = self.sharpness * torch.randn(self.size, generator=generator)
        return scores.log_softmax(-1) if self.normalised else scores

    def step(self, state: TableState, tokens: Tensor) -> tuple[Tensor, TableState, Tensor]:
        written = (state.written * 31 + tokens + 1) % 1_000_003
        pairs = list(zip(state.of.tolist(), written.tolist(), strict=True))
        scores = torch.stack([self.scores_of(o, w) for o, w in pairs])
        # Weights that say which input and what was written, so that rows cannot be mixed up.
        weights = torch.tensor([[float(o), float(w)] for o, w in pairs])
        return scores, TableState(state.of, written), weights

    def log_probs(self, of: int, tokens: Sequence[int]) -> tuple[list[float], list[float]]:
        """Log probabilities of the next token after BOS and ``tokens``, and the weights."""
        written = 0
        for token in (BOS, *tokens):
            written = (written * 31 + token + 1) % 1_000_003
        scores = self.scores_of(of, written).double()
        scores[[PAD, BOS]] = -math.inf
        scores = scores if self.normalised else scores.log_softmax(-1)
        return scores.tolist(), [float(of), float(written)]


def plain_beam(
    decoder: TableDecoder, of: int, width: int, limit: int, alpha: float, prompt: list[int]
) -> list[tuple[float, float, list[int], bool]]:
    """Finished hypotheses (score, log_prob, tokens, finished) of one input; nothing is pruned."""
    living: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, float, list[int], bool]] = []
    for length in range(1, limit + 1):
        children = []
        for total, tokens in living:
            row, _ = decoder.log_probs(of, [*prompt, *tokens])
            children += [
                (total + x, [*tokens, token]) for token, x in enumerate(row) if x > -math.inf
            ]
        children.sort(key=lambda child: -child[0])
        living = []
        for total, tokens in children[: width - len(finished)]:
            if tokens[-1] == EOS or length == limit:
                done = tokens[-1] == EOS
                score = total / length_penalty(length, alpha)
                finished.append((score, total, tokens[:-1] if done else tokens, done))
            else:
                living.append((total, tokens))
        if not living:
            break
    return sorted(finished, key=lambda h: (not h[3], -h[0]))


def check_hypothesis(
    decoder: TableDecoder, of: int, h: Hypothesis, prompt: list[int], limit: int, alpha: float
) -> None:
    """Its probability, score, length and weights, computed again."""
    written = [*h.tokens, EOS] if h.finished else h.tokens
    expect(1 <= len(written) <= limit, f"{len(written)} tokens, the limit is {limit}")
    expect(h.finished or len(written) == limit, "not finished, but shorter than the limit")
    expect(not {PAD, BOS, EOS} & set(h.tokens), "special tokens in the output")
    total, looks = 0.0, []
    for place, token in enumerate(written):
        row, weights = decoder.log_probs(of, [*prompt, *written[:place]])
        total += row[token]
        looks.append(weights)
    expect(abs(total - h.log_prob) < 1e-3, f"log_prob {h.log_prob}, the tokens have {total}")
    right = total / ((5 + len(written)) / 6) ** alpha
    expect(abs(right - h.score) < 1e-3, f"score {h.score}, by the formula {right}")
    expect(
        h.attention is not None and h.attention.tolist() == looks, "weights of another beginning"
    )


@probe("search.greedy", 500)
def greedy(c: Choices) -> None:
    """Greedy search: the best token at each step, one input at a time."""
    B, size = c.integer(1, 4), c.integer(3, 7)
    decoder = TableDecoder(c.seed(), B, size, c.one_of((1.0, 4.0)), c.chance(0.3))
    limits = [c.integer(1, 6) for _ in range(B)]
    prompts = (
        [
            [c.integer(2 if c.chance(0.2) else 3, size - 1) for _ in range(c.below(4))]
            for _ in range(B)
        ]
        if size > 3 and c.chance(0.4)
        else None
    )
    alpha = c.one_of((1.0, 0.0, 0.7))
    c.show(B=B, size=size, limits=limits, prompts=prompts, alpha=alpha)
    found = greedy_search(decoder, decoder, limits, alpha, prompts=prompts)
    for of, h in enumerate(found):
        prompt, tokens = (prompts or [[]] * B)[of], []
        while len(tokens) < limits[of] and EOS not in tokens:
            row, _ = decoder.log_probs(of, [*prompt, *tokens])
            tokens.append(row.index(max(row)))
        expect(h.finished == (EOS in tokens), "finished or not")
        expect(h.tokens == [t for t in tokens if t != EOS], f"tokens {h.tokens}, expected {tokens}")
        check_hypothesis(decoder, of, h, prompt, limits[of], alpha)


@probe("search.beam", 1000)
def beam(c: Choices) -> None:
    """Beam search: a plain one that prunes nothing, one input at a time; and what must follow."""
    B, size, width = c.integer(1, 3), c.integer(3, 6), c.integer(1, 5)
    decoder = TableDecoder(c.seed(), B, size, c.one_of((1.0, 3.0)), c.chance(0.3))
    limits = [c.integer(1, 6) for _ in range(B)]
    prompts = (
        [[c.integer(3, size - 1) for _ in range(c.below(4))] for _ in range(B)]
        if size > 3 and c.chance(0.3)
        else None
    )
    alpha, best = c.one_of((1.0, 0.0, 0.6, 2.0, -0.5)), c.integer(1, width)
    c.show(B=B, size=size, width=width, limits=limits, prompts=prompts, alpha=alpha, best=best)
    found = beam_search(decoder, decoder, width, limits, alpha, best, prompts=prompts)
    for of, hypotheses in enumerate(found):
        prompt = (prompts or [[]] * B)[of]
        right = plain_beam(decoder, of, width, limits[of], alpha, prompt)
        expect(1 <= len(hypotheses) <= best, f"{len(hypotheses)} hypotheses, best={best}")
        for h, (score, _, tokens, done) in zip(hypotheses, right, strict=False):
            expect(
                h.tokens == tokens or abs(h.score - score) < 1e-4,
                f"tokens {h.tokens}, expected {tokens}",
            )
            expect(h.finished == done, "finished or not")
            check_hypothesis(decoder, of, h, prompt, limits[of], alpha)
        expect(
            len({(tuple(h.tokens), h.finished) for h in hypotheses}) == len(hypotheses), "one twice"
        )
        keys = [(not h.finished, -h.score) for h in hypotheses]
        expect(keys == sorted(keys), "not in order")
    one = beam_search(decoder, decoder, 1, limits, alpha, prompts=prompts)
    for h, (only,) in zip(
        greedy_search(decoder, decoder, limits, alpha, prompts=prompts), one, strict=True
    ):
        expect(
            h.tokens == only.tokens and abs(h.score - only.score) < 1e-4, "width 1 is not greedy"
        )


@probe("search.exhaustive", 250)
def exhaustive(c: Choices) -> None:
    """A beam as wide as the number of all sequences finds the best of all of them."""
    size, limit = c.integer(3, 5), c.integer(1, 4)
    decoder = TableDecoder(c.seed(), 1, size, c.one_of((1.0, 3.0)), False)
    alpha = c.one_of((1.0, 0.0, 2.0))
    c.show(size=size, limit=limit, alpha=alpha)
    words = [t for t in range(size) if t not in (PAD, BOS, EOS)]
    found: list[tuple[float, list[int]]] = []
    for length in range(limit):
        for tokens in itertools.product(words, repeat=length):
            total = sum(
                decoder.log_probs(0, tokens[:i])[0][t] for i, t in enumerate((*tokens, EOS))
            )
            found.append((total / length_penalty(length + 1, alpha), list(tokens)))
    score, tokens = max(found)
    ((h,),) = beam_search(
        decoder, decoder, sum(len(words) ** n for n in range(limit + 1)) + 1, limit, alpha
    )
    expect(h.finished and abs(h.score - score) < 1e-4, f"score {h.score}, the best is {score}")
    expect(h.tokens == tokens or abs(h.score - score) < 1e-5, f"{h.tokens} instead of {tokens}")
    every = beam_search(decoder, decoder, 200, limit, alpha, 200)[0]
    done = {tuple(h.tokens) for h in every if h.finished}
    expect(done == {tuple(t) for _, t in found}, "an exhaustive search lacks a sequence")


@probe("search.models", 300)
def models(c: Choices) -> None:
    """Every decoder: an input alone finds what it finds in a batch, with the model's scores."""
    decoder, score = c.one_of(MODELS)
    model = tiny_translator(decoder, score, seed=c.below(6), sharpness=c.one_of((2.0, 3.0)))
    lengths = [(c.integer(1, 5), 0) for _ in range(c.integer(2, 4))]
    examples = random_examples(lengths, c.seed())
    width, alpha = c.integer(1, 4), c.one_of((1.0, 0.5))
    limits = [c.integer(1, 7) for _ in lengths]
    c.show(model=(decoder, score), lengths=lengths, width=width, limits=limits)
    with torch.no_grad():
        found = search(model.decoder, model.remember(make_batch(examples)), width, limits, alpha)
        for row, (example, h) in enumerate(zip(examples, found, strict=True)):
            memory = model.remember(make_batch([example]))
            (single,) = search(model.decoder, memory, width, limits[row], alpha)
            expect(
                single.tokens == h.tokens or abs(single.score - h.score) < 1e-4,
                "alone, another output",
            )
            written = torch.tensor([[BOS, *h.tokens, EOS][: len(h.tokens) + h.finished + 1]])
            logits, weights = model.decoder(memory, written[:, :-1])
            logits[:, :, [PAD, BOS]] = -math.inf
            total = logits.log_softmax(-1)[0].gather(1, written[0, 1:, None]).sum()
            expect(
                abs(float(total) - h.log_prob) < 1e-3,
                f"log_prob {h.log_prob}, the model says {float(total)}",
            )
            n = lengths[row][0]
            if h.attention is None or not torch.allclose(
                h.attention[:, :n], weights[0, :, :n], atol=1e-4
            ):
                raise Wrong("the weights are not those of the written tokens")
            expect((h.attention[:, n:] == 0).all(), "padding is attended to")


@probe("search.in-batches", 200)
def batches(c: Choices) -> None:
    """One result for each item, in their order, in batches of the size asked for."""
    items = [[c.below(5)] * c.below(6) for _ in range(c.below(9))]
    size, seen = c.integer(1, 4), []

    def run(batch: list[list[int]]) -> list[str]:
        seen.append(len(batch))
        return [repr(item) for item in batch]

    expect(in_batches(items, size, run) == [repr(item) for item in items], "another order")
    expect(
        all(n <= size for n in seen) and len(seen) == math.ceil(len(items) / size),
        f"batches of {seen}",
    )


@probe("search.wrong-argument", 250)
def wrong(c: Choices) -> None:
    """Arguments of a search that do not fit: an error that says so, or a right answer."""
    decoder = TableDecoder(1, 2, 5, 1.0, False)
    arguments: dict[str, Any] = {
        "memory": decoder,
        "width": 2,
        "max_length": 3,
        "alpha": 1.0,
        "best": 1,
    }
    changes = {
        "width": (0, -1, 5, 2.5, 10**4, None, True),
        "max_length": (0, -1, [1], [1, 2, 3], [0, 1], [], 2.5, [2, 3], "3", None),
        "alpha": (float("nan"), 1e9, -3.0, 0, "1"),
        "best": (0, 3, -1, 2),
        "batch_size": (3, 0, -1, 2),
        "prompts": (
            [[]],
            [[0], [3]],
            [[1], []],
            [[3], [3, 4]],
            [[2], []],
            [],
            [[99], []],
            [[-1], []],
        ),
        "memory": (None,),
    }
    name = c.one_of(tuple(changes))
    value = c.one_of(changes[name])
    c.mutated(name)
    c.show(name=name, value=value)
    try:
        found = beam_search(decoder, **(arguments | {name: value}))
    except (ValueError, TypeError) as error:
        expect(str(error), "an error without a message")
        return
    for hypotheses in found:
        expect(
            hypotheses and all(math.isfinite(h.score) for h in hypotheses),
            "a score that is not finite",
        )


class NaNDecoder(TableDecoder):
    """Its scores are not numbers, or impossible, from a step on."""

    def __init__(self, value: float, at: int, everything: bool):
        super().__init__(1, 2, 5, 1.0, False)
        self.value, self.at, self.everything, self.steps = value, at, everything, 0

    def step(self, state: TableState, tokens: Tensor) -> tuple[Tensor, TableState, Tensor]:
        scores, state, weights = super().step(state, tokens)
        self.steps += 1
        if self.steps >= self.at:
            scores[: None if self.everything else 1] = self.value
        return scores, state, weights


@probe("search.not-finite", 100)
def not_finite(c: Choices) -> None:
    """Scores that are not numbers, or all impossible, are an error that says so."""
    value, at = c.one_of((float("nan"), float("-inf"), float("inf"))), c.integer(1, 3)
    everything, width = c.chance(), c.integer(1, 3)
    c.mutated("scores that are not numbers")
    c.show(value=value, at=at, everything=everything, width=width)
    decoder = NaNDecoder(value, at, everything)
    try:
        found = search(decoder, decoder, width, 5)
    except ValueError as error:
        expect(
            "number" in str(error) or "continu" in str(error) or "finite" in str(error),
            f"unclear: {error}",
        )
        return
    for h in found:
        expect(math.isfinite(h.score), f"score {h.score}")


# --- CTC --------------------------------------------------------------------------------------


@probe("search.ctc", 350)
def ctc(c: Choices) -> None:
    """The loss is the sum over all alignments; greedy decoding merges, then drops blanks."""
    B, Tk, V = c.integer(1, 3), c.integer(1, 5), c.integer(2, 4)
    generator = torch.Generator().manual_seed(c.seed())
    log_probs = (2 * torch.randn(B, Tk, V, generator=generator)).log_softmax(-1)
    places = torch.tensor([c.integer(1, Tk) for _ in range(B)])
    targets = [[c.integer(1, V - 1) for _ in range(c.below(4))] for _ in range(B)]
    c.show(sizes=(B, Tk, V), places=places.tolist(), targets=targets)
    lengths = torch.tensor([len(t) for t in targets])
    width = max(1, int(lengths.max()))
    padded = torch.tensor([t + [PAD] * (width - len(t)) for t in targets])
    nats = 0.0
    for row, target in enumerate(targets):
        n, total = int(places[row]), 0.0
        for path in itertools.product(range(V), repeat=n):
            if [t for t, _ in itertools.groupby(path) if t] == target:
                total += math.exp(sum(float(log_probs[row, i, t]) for i, t in enumerate(path)))
        nats -= math.log(total) if total else 0.0
    right = nats / (int(lengths.sum()) + B)
    found = float(ctc_loss(log_probs, padded, places, lengths))
    expect(abs(found - right) < 1e-3, f"the loss is {found}, over all alignments {right}")
    path = [c.below(4) for _ in range(c.below(9))]
    groups, at = [], 0
    for token, group in itertools.groupby(path):
        if token:
            groups.append((token, at))
        at += len(list(group))
    expect(ctc_collapse(path) == groups, f"{path} collapses to {ctc_collapse(path)}")
    wide = (2 * torch.randn(B, Tk, 6, generator=generator)).log_softmax(-1)
    for row, h in enumerate(ctc_greedy(wide, places.tolist())):
        best = wide[row, : int(places[row])].max(-1)
        kept = [(t, p) for t, p in ctc_collapse(best.indices.tolist()) if t > EOS]
        expect(h.tokens == [t for t, _ in kept], "tokens of greedy CTC")
        expect(abs(h.log_prob - float(best.values.sum())) < 1e-4, "log_prob of greedy CTC")
        expect(
            h.attention is not None and h.attention.argmax(-1).tolist() == [p for _, p in kept]
            if kept
            else True,
            "places of greedy CTC",
        )
