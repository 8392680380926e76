"""Attention, masks, batches, recurrences, models and training against other ways to the result."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_utils.attention import (
    SCORES,
    Attention,
    KeyValueCache,
    MultiHeadAttention,
    causal_mask,
    length_mask,
    make_score,
    masked_softmax,
    to_key_padding_mask,
    to_sdpa_mask,
)
from course_utils.batches import Batch, BucketedBatches, Example, make_batch, pad
from course_utils.callbacks import Callback, FitSettings, one_cycle
from course_utils.memory import Memory
from course_utils.models.builders import build_captioner, build_recogniser
from course_utils.models.classifiers import KINDS, build_text_classifier
from course_utils.recurrence import ends, read_both_ways, turned
from course_utils.runtime import evaluating
from course_utils.training import (
    doubly_stochastic,
    fit,
    sequence_loss,
    train_step,
    validation_loss,
)
from course_utils.vocabulary import BOS, EOS, PAD
from tools.campaign.core import Choices, Wrong, expect, probe
from tools.campaign.mutations import odd_tensor
from tools.tiny import MODELS, SOURCE_SIZE, TARGET_SIZE, random_examples, tiny_translator

WORDS_FOR_CLARITY = (ValueError, TypeError)  # what a public function may raise for a bad argument


def close(found: Tensor, expected: Tensor, what: str, atol: float = 2e-5) -> None:
    """Raise Wrong unless both are alike in shape and, up to ``atol`` and 1e-4, in value."""
    expect(found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}")
    same = torch.allclose(found.double(), expected.double(), atol=atol, rtol=1e-4)
    if not same:
        far = (found.double() - expected.double()).abs()
        raise Wrong(f"{what} differs by up to {far.nan_to_num(math.inf).max():.3g}")


def noise(c: Choices, *shape: int, scale: float = 1.0, double: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(c.seed())
    kind = torch.float64 if double else torch.float32
    return scale * torch.randn(*shape, generator=generator, dtype=kind)


def some_mask(c: Choices, B: int, Tq: int, Tk: int, two: bool = True) -> Tensor | None:
    """No mask, one for all queries, one for each, or one that is broadcast."""
    kind = c.one_of(("none", "keys", "queries", "one row", "one query", "nothing allowed"))
    c.show(mask=kind)
    shapes = {"queries": (B, Tq, Tk), "one row": (1, Tq, Tk), "one query": (B, 1, Tk)}
    if kind == "none":
        return None
    if kind == "nothing allowed":
        return torch.zeros(B, Tk, dtype=torch.bool)
    shape = shapes.get(kind, (B, Tk))
    generator = torch.Generator().manual_seed(c.seed())
    return torch.rand(shape, generator=generator) < c.one_of((0.7, 0.3, 0.95))


def reference_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Row by row, in double precision: only the allowed keys, zeros where there is none."""
    scores = scores.double()
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    mask = mask.expand(scores.shape)
    rows = []
    for row, allowed in zip(
        scores.reshape(-1, scores.shape[-1]), mask.reshape(-1, scores.shape[-1]), strict=True
    ):
        kept = row[allowed]
        new = torch.zeros_like(row)
        if len(kept) and kept.max() > -math.inf:
            e = (kept - kept.max()).exp()
            new = new.masked_scatter(allowed, e / e.sum())
        rows.append(new)
    return torch.stack(rows).reshape(scores.shape) if rows else scores


def reference_scores(score: Any, name: str, query: Tensor, keys: Tensor) -> Tensor:
    """Scores by einsum, in double precision, from the weights of the score."""
    q, k = query.double(), keys.double()
    if name in ("dot", "scaled_dot"):
        return torch.einsum("bqd,bkd->bqk", q, k) / (
            math.sqrt(q.shape[-1]) if name == "scaled_dot" else 1
        )
    if name == "general":
        return torch.einsum("bqd,de,bke->bqk", q, score.W.weight.double(), k)
    hidden = torch.einsum("ad,bqd->bqa", score.U_a.weight.double(), q)[:, :, None]
    hidden = hidden + torch.einsum("ad,bkd->bka", score.W_a.weight.double(), k)[:, None]
    return torch.einsum("a,bqka->bqk", score.v.weight.double()[0], hidden.tanh())


@probe("functions.attention", 900)
def attention(c: Choices) -> None:
    """Context, weights and gradients of `Attention` with each score: einsum in double precision."""
    B, Tq, Tk = c.integer(1, 4), c.integer(1, 5), c.integer(1, 6)
    D, Dk, Dv = c.integer(1, 7), c.integer(1, 7), c.integer(1, 5)
    name = c.one_of(tuple(SCORES))
    Dk = D if name in ("dot", "scaled_dot") else Dk
    torch.manual_seed(c.seed())
    layer = Attention(
        make_score(name, D, Dk, attention_dim=c.one_of((None, 3)) if name == "additive" else None)
    )
    scale = c.one_of((1.0, 0.1, 5.0))
    query, keys, values = (
        noise(c, B, Tq, D, scale=scale),
        noise(c, B, Tk, Dk, scale=scale),
        noise(c, B, Tk, Dv),
    )
    mask = some_mask(c, B, Tq, Tk)
    prepared = c.chance()
    c.show(name=name, sizes=(B, Tq, Tk, D, Dk, Dv), scale=scale, prepared=prepared)
    inputs = [t.requires_grad_() for t in (query, keys, values)]
    given = layer.prepare(keys) if prepared else keys
    context, weights = layer(query, given, values, attend_mask=mask, prepared=prepared)
    wide = mask[:, None, :] if mask is not None and mask.dim() == 2 else mask
    doubles = [t.detach().double().requires_grad_() for t in inputs]
    expected = reference_softmax(reference_scores(layer.score, name, doubles[0], doubles[1]), wide)
    close(weights, expected, "the weights")
    close(context, torch.einsum("bqk,bkd->bqd", expected, doubles[2]), "the context")
    pull = noise(c, *context.shape)
    got = torch.autograd.grad((context * pull).sum(), inputs, allow_unused=True)
    right = torch.autograd.grad(
        (torch.einsum("bqk,bkd->bqd", expected, doubles[2]) * pull).sum(),
        doubles,
        allow_unused=True,
    )
    for one, other, what in zip(got, right, ("query", "keys", "values"), strict=True):
        one, other = (torch.zeros(()) if g is None else g for g in (one, other))
        close(one, other.expand(one.shape), f"the gradient of the {what}", atol=1e-4)
    if mask is not None:  # what is masked does not matter
        hidden = ~mask if mask.dim() == 2 else ~mask.any(dim=1)
        hidden = hidden.expand(B, Tk)
        c.mutated("masked keys and values changed")
        other = [
            torch.where(hidden[:, :, None], 100 * noise(c, *t.shape), t.detach())
            for t in (keys, values)
        ]
        again, _ = layer(query, *other, attend_mask=mask)
        close(again, context, "the context after a change of masked keys and values")


@probe("functions.attention-half", 300)
def attention_half(c: Choices) -> None:
    """Half precision: finite and right wherever PyTorch's own attention is."""
    kind = c.one_of((torch.float16, torch.bfloat16))
    B, Tq, Tk, H = c.integer(1, 3), c.integer(1, 3), c.integer(1, 4), c.one_of((1, 2))
    D = H * c.one_of((4, 16, 64, 256))
    size = c.one_of((1.0, 10.0, 40.0))
    c.show(kind=str(kind), sizes=(B, Tq, Tk, H, D), size=size)
    query, keys, values = (noise(c, B, T, D, scale=size).to(kind) for T in (Tq, Tk, Tk))
    if c.chance(0.3):
        query, keys = torch.full_like(query, size), torch.full_like(keys, size)
    right = F.scaled_dot_product_attention(query.double(), keys.double(), values.double())
    found, weights = Attention(make_score("scaled_dot", D, D)).to(kind)(
        query, keys, values, attend_mask=None
    )
    expect(found.dtype == kind and found.isfinite().all(), "the context is not finite")
    # Scores in half precision are rounded: the weights may differ, the mean stays among the values.
    low, high = values.double().amin(1, keepdim=True), values.double().amax(1, keepdim=True)
    room = 0.02 * size + 0.02 * (high - low)
    expect(
        ((found >= low - room) & (found <= high + room)).all(),
        "the context is not a mean of the values",
    )
    scores = query.double() @ keys.double().transpose(1, 2) / math.sqrt(D)
    if scores.abs().max() < 8:
        close(found.double(), right, "the context", atol=0.06 * size + 0.02)
    torch.manual_seed(c.seed())
    many = MultiHeadAttention(D, H).to(kind)
    found, weights = many(query, keys, values, attend_mask=None)
    expect(
        found.isfinite().all() and weights.isfinite().all(), "multi-head attention is not finite"
    )


@probe("functions.multihead", 600)
def multihead(c: Choices) -> None:
    """`MultiHeadAttention` with the weights of PyTorch's: outputs, weights, gradients, masks."""
    B, Tq, Tk, H = c.integer(1, 3), c.integer(1, 4), c.integer(1, 5), c.integer(1, 3)
    D, Dk, Dv = H * c.integer(1, 4), c.integer(1, 5), c.integer(1, 5)
    torch.manual_seed(c.seed())
    apart, bias = c.chance(), not c.chance(0.3)
    kind = torch.float64 if c.chance(0.3) else torch.float32
    sizes = {"kdim": Dk, "vdim": Dv} if apart else {}
    theirs = nn.MultiheadAttention(D, H, batch_first=True, bias=bias, dtype=kind, **sizes)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_()
    ours = MultiHeadAttention.from_torch(theirs)
    expect(next(ours.parameters()).dtype == kind, f"from_torch turned {kind} into another type")
    query = noise(c, B, Tq, D).to(kind).requires_grad_()
    keys = noise(c, B, Tk, Dk if apart else D).to(kind).requires_grad_()
    values = noise(c, B, Tk, Dv if apart else D).to(kind).requires_grad_()
    c.show(sizes=(B, Tq, Tk, H, D, Dk, Dv), apart=apart, bias=bias, kind=str(kind))
    mask = some_mask(c, B, Tq, Tk)
    given: dict[str, Tensor] = {}
    if mask is not None and mask.dim() == 2 and bool(mask.any(dim=1).all()):
        given = {"key_padding_mask": to_key_padding_mask(mask)}
    elif mask is not None:
        wide = (mask[:, None] if mask.dim() == 2 else mask).expand(B, Tq, Tk)
        if not bool(wide.any(dim=2).all()):  # PyTorch gives NaN for a row of nothing
            context, weights = ours(query, keys, values, attend_mask=mask)
            empty = ~wide.any(dim=2)
            expect(context.isfinite().all(), "a row of nothing gives NaN")
            expect((weights.transpose(1, 2)[empty] == 0).all(), "a row of nothing has weights")
            return
        given = {"attn_mask": ~wide.repeat_interleave(H, dim=0)}
    context, weights = ours(query, keys, values, attend_mask=mask)
    right, right_weights = theirs(query, keys, values, average_attn_weights=False, **given)
    close(context, right, "the context")
    close(weights, right_weights, "the weights")
    pull = noise(c, *context.shape).to(kind)
    got = torch.autograd.grad((context * pull).sum(), (query, keys, values))
    for one, other in zip(
        got, torch.autograd.grad((right * pull).sum(), (query, keys, values)), strict=True
    ):
        close(one, other, "a gradient", atol=1e-4)


@probe("functions.cache", 200)
def cache(c: Choices) -> None:
    """Token by token with a cache equals all tokens with a causal mask; rows can be chosen."""
    B, T, H = c.integer(1, 3), c.integer(1, 6), c.integer(1, 3)
    D = H * c.integer(1, 4)
    torch.manual_seed(c.seed())
    layer, inputs = MultiHeadAttention(D, H).eval(), noise(c, B, T, D)
    whole, weights = layer(inputs, inputs, inputs, attend_mask=causal_mask(T))
    kept, found = layer.empty_cache(B), []
    for x in inputs.split(1, dim=1):
        kept = kept.append(layer.project(x, x))
        context, seen = layer.attend(x, kept, attend_mask=None)
        found.append(context)
        close(seen[:, :, 0], weights[:, :, len(found) - 1, : len(found)], "the weights of a step")
    close(torch.cat(found, dim=1), whole, "the steps together")
    rows = torch.tensor(c.many(1, 4, lambda: c.below(B)))
    chosen = kept.select(rows)
    expect(
        isinstance(chosen, KeyValueCache) and chosen.length == T and len(chosen) == len(rows),
        "select",
    )
    close(chosen.keys, kept.keys[rows], "the chosen keys")
    close(chosen.values, kept.values[rows], "the chosen values")


@probe("functions.softmax", 400)
def softmax(c: Choices) -> None:
    """`masked_softmax` row by row, of any shape and type."""
    shape = tuple(c.many(1, 3, lambda: c.integer(1, 4))) + (c.integer(1, 5),)
    kind = c.one_of((torch.float32, torch.float64, torch.float16, torch.bfloat16))
    scores = noise(c, *shape, scale=c.one_of((1.0, 30.0, 1000.0))).to(kind)
    c.show(shape=shape, kind=str(kind))
    mask = None
    if c.chance(0.8):
        sizes = tuple(1 if c.chance(0.2) else size for size in shape[:-1]) + shape[-1:]
        mask = torch.rand(sizes, generator=torch.Generator().manual_seed(c.seed())) < 0.6
    if c.chance(0.2):
        scores[..., 0] = float("-inf") if c.chance() else torch.finfo(kind).min
        scores[..., -1] = 0.5
    found = masked_softmax(scores, mask)
    expect(found.dtype == kind, f"the type changed to {found.dtype}")
    close(
        found,
        reference_softmax(scores, mask),
        "the weights",
        atol=1e-5 if kind in (torch.float32, torch.float64) else 1e-2,
    )


@probe("functions.masks", 300)
def masks(c: Choices) -> None:
    """Masks of lengths and of the past, and their conversions."""
    lengths = c.many(1, 5, lambda: c.integer(0, 6))
    width = None if c.chance() else max(lengths) + c.below(3)
    kind = c.one_of((torch.int64, torch.int32, torch.int16))
    c.show(lengths=lengths, width=width)
    found = length_mask(torch.tensor(lengths, dtype=kind), width)
    width = max(lengths) if width is None else width
    right = [[i < n for i in range(width)] for n in lengths]
    expect(found.dtype == torch.bool and found.shape == (len(lengths), width), "shape or type")
    expect(found.tolist() == right, "the mask of lengths is wrong")
    T = c.integer(1, 6)
    expect(
        causal_mask(T).tolist() == [[[j <= i for j in range(T)] for i in range(T)]], "causal mask"
    )
    if width:
        expect(
            to_key_padding_mask(found).tolist() == [[not x for x in r] for r in right], "padding"
        )
        expect(to_sdpa_mask(found).tolist() == [[[r]] for r in right], "sdpa mask")
        three = found[:, None, :].expand(-1, 3, -1)
        expect(to_sdpa_mask(three).shape == (len(lengths), 1, 3, width), "sdpa mask of queries")


@probe("functions.steps", 500)
def steps(c: Choices) -> None:
    """Every decoder: step by step equals the whole, and a formula of our own for the weights."""
    decoder, score = c.one_of(MODELS)
    model = tiny_translator(decoder, score, seed=c.below(5))
    lengths = c.many(1, 3, lambda: (c.integer(1, 5), c.integer(0, 4)))
    c.show(model=(decoder, score), lengths=lengths)
    batch = make_batch(random_examples(lengths, c.seed()))
    with torch.no_grad():
        memory = model.remember(batch)
        logits, weights = model.decoder(memory, batch.target_in)
        state, total, last = model.decoder.start(memory), 0.0, None
        for t in range(batch.target_in.shape[1]):
            if decoder == "bahdanau":
                query = state.recurrent[0].transpose(0, 1)
            given, state_before = batch.target_in[:, t], state
            one, state, seen = model.decoder.step(state, given)
            close(one, logits[:, t], "the logits of a step")
            close(seen, weights[:, t], "the weights of a step")
            if score is not None:
                if decoder == "attention":
                    query = state.recurrent[0].transpose(0, 1)
                right = history_weights(
                    model.decoder.attention.score, score, query, memory, last, total
                )
                close(seen[:, None], right, "the weights of a step, by einsum")
            total, last = total + seen, seen
            expect(state_before is not state, "a state was changed in place")
            if score is not None:
                close(state.coverage, total, "the coverage")
                close(state.weights, seen, "the previous weights")


def history_weights(
    score: Any, name: str, query: Tensor, memory: Memory, last: Tensor | None, total: Any
) -> Tensor:
    """The weights of one step of any score, from its parameters."""
    mask = memory.attend_mask[:, None]
    if name in SCORES:
        return reference_softmax(reference_scores(score, name, query, memory.keys), mask)
    B, Tk, _ = memory.keys.shape
    hidden = query @ score.U_a.weight.T + memory.keys @ score.W_a.weight.T
    if name == "location":
        before = torch.zeros(B, Tk) if last is None else last
        filters = score.F.weight[:, 0]  # (filters, width)
        half = filters.shape[1] // 2
        padded = F.pad(before, (half, half)).unfold(1, filters.shape[1], 1)  # (B, Tk, width)
        hidden = hidden + (padded @ filters.T) @ score.U.weight.T
    else:
        so_far = torch.zeros(B, Tk) if last is None else total
        hidden = hidden + so_far[:, :, None] * score.w_c.weight[:, 0]
    return reference_softmax((hidden.tanh() @ score.v.weight[0])[:, None], mask)


@probe("functions.alone", 600)
def alone(c: Choices) -> None:
    """Every translator: an example alone, in a batch, and with other padding gives the same."""
    decoder, score = c.one_of(MODELS)
    model = tiny_translator(decoder, score, seed=c.below(5), layers=c.integer(1, 2))
    lengths = c.many(2, 4, lambda: (c.integer(1, 6), c.integer(0, 4)))
    c.show(model=(decoder, score), lengths=lengths)
    examples = random_examples(lengths, c.seed())
    batch = make_batch(examples)
    with torch.no_grad():
        logits, weights = model(batch)
        c.mutated("padding and order changed")
        other = repadded(c, batch)
        again, seen = model(other)
        for row, (source, target) in enumerate(lengths):
            now, before = seen[row, : target + 1, :source], weights[row, : target + 1, :source]
            close(again[row, : target + 1], logits[row, : target + 1], "the logits, other padding")
            close(now, before, "the weights, other padding")
            expect((seen[row, :, source:] == 0).all(), "padding is attended to")
        order = c.order(len(examples))
        for row in order[:2]:
            source, target = lengths[row]
            single, seen = model(make_batch([examples[row]]))
            close(single[0], logits[row, : target + 1], "the logits of an example alone")
            close(seen[0], weights[row, : target + 1, :source], "the weights of an example alone")
        shuffled, _ = model(make_batch([examples[i] for i in order]))
        close(shuffled, logits[order], "the logits in another order")
        several = validation_loss(model, [batch])
        apart = [validation_loss(model, [make_batch([e])]) for e in examples]
        tokens = [len(e.target) + 1 for e in examples]
        mean = sum(loss * n for loss, n in zip(apart, tokens, strict=True)) / sum(tokens)
        expect(
            abs(several - mean) < 1e-4, f"the loss of a batch is {several}, of its examples {mean}"
        )
        ones = validation_loss(model, [make_batch([e]) for e in examples])
        expect(abs(ones - mean) < 1e-4, f"the loss of batches is {ones}, of their examples {mean}")


def repadded(c: Choices, batch: Batch) -> Batch:
    """The batch with more padding, and with other ids where the source has ended."""
    from dataclasses import replace

    more, width = c.below(3), batch.source.shape[1]
    beyond = torch.arange(width + more)[None] >= batch.source_lengths[:, None]
    generator = torch.Generator().manual_seed(c.seed())
    if batch.source.is_floating_point():
        source = F.pad(batch.source, (0, 0, 0, more))
        junk = 50 * torch.randn(source.shape, generator=generator)
        source = torch.where(beyond[:, :, None], junk, source)
    else:
        source = F.pad(batch.source, (0, more), value=PAD)
        junk = torch.randint(0, SOURCE_SIZE, source.shape, generator=generator)
        source = torch.where(beyond, junk, source)
    return replace(batch, source=source)


@probe("functions.alone-speech", 250)
def alone_speech(c: Choices) -> None:
    """The speech model: a sound alone, in a batch, and with junk after its end gives the same."""
    torch.manual_seed(c.below(4))
    model = build_recogniser(
        9,
        mels=8,
        features=9,
        embedding_dim=6,
        memory_dim=10,
        hidden_dim=7,
        decoder=c.one_of(("bahdanau", "attention")),
        score=c.one_of(("additive", "location", "general")),
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
    lengths = c.many(2, 4, lambda: (c.integer(1, 21), c.integer(0, 3)))
    c.show(lengths=lengths)
    frames = [noise(c, n, 8) for n, _ in lengths]
    targets = [[c.integer(4, 8) for _ in range(n)] for _, n in lengths]
    batch = make_batch([Example(f, t) for f, t in zip(frames, targets, strict=True)])
    c.mutated("junk after the end")
    with torch.no_grad():
        logits, weights = model(batch)
        heard = model.ctc_log_probs(model.remember(batch))
        other = repadded(c, batch)
        again, _ = model(other)
        memory = model.remember(batch)
        for row, (n, tokens) in enumerate(lengths):
            expect(
                int(memory.attend_mask[row].sum()) == math.ceil(n / 4), "the number of positions"
            )
            close(
                again[row, : tokens + 1],
                logits[row, : tokens + 1],
                "the logits with junk in the padding",
                1e-4,
            )
            single = make_batch([Example(frames[row], targets[row])])
            one, seen = model(single)
            close(one[0], logits[row, : tokens + 1], "the logits of a sound alone", 1e-4)
            close(
                seen[0],
                weights[row, : tokens + 1, : seen.shape[2]],
                "the weights of a sound alone",
                1e-4,
            )
            close(
                model.ctc_log_probs(model.remember(single))[0],
                heard[row, : seen.shape[2]],
                "CTC of a sound alone",
                1e-4,
            )


@probe("functions.classifiers", 700)
def classifiers(c: Choices) -> None:
    """Every classifier: alone as in a batch, PAD anywhere, and pooling by loops."""
    kind = c.one_of(tuple(KINDS))
    recurrent = 0 if kind in ("attention", "mean", "max", "bag", "question") and c.chance() else 4
    settings: dict[str, Any] = {"sentence_end": 5} if kind == "hierarchical" else {}
    if kind == "question":
        settings["question"] = c.one_of(("query", "feature", "ignored"))
    if kind in ("attention", "mean", "max", "last", "hierarchical") and c.chance(0.3):
        settings |= {"pairs": 7, "pair_dim": 3}
    if kind == "hierarchical":
        settings.pop("pairs", None), settings.pop("pair_dim", None)
    torch.manual_seed(c.below(5))
    model = build_text_classifier(
        12, labels=["a", "b", "c"], kind=kind, embed_dim=5, hidden_dim=recurrent, **settings
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                module.weight[0] = 0.0
    least = 2 if kind == "question" else 0
    texts = c.many(1, 4, lambda: c.many(least, 7, lambda: c.integer(4, 11)))
    c.show(kind=kind, recurrent=recurrent, settings=settings, texts=texts)
    ids = pad([text or [PAD] for text in texts])
    with torch.no_grad():
        logits, weights = model.attend(ids)
        expect(logits.isfinite().all() and weights.isfinite().all(), "not finite")
        for row, text in enumerate(texts):
            n = len(text)
            expect((weights[row, n:] == 0).all(), "padding has a weight")
            if text:
                single, seen = model.attend(torch.tensor([text]))
                close(single[0], logits[row], "the logits of a text alone", 1e-4)
                close(seen[0], weights[row, :n], "the weights of a text alone", 1e-4)
                if kind in ("attention", "mean", "max", "last", "hierarchical", "question"):
                    expect(
                        abs(float(seen.sum()) - 1) < 1e-4, f"the weights sum to {float(seen.sum())}"
                    )
        c.mutated("PADs put in between")
        spread = [spread_out(c, text) for text in texts]
        wide = pad([s or [PAD] for s in spread])
        again, moved = model.attend(wide)
        close(again, logits, "the logits with PADs in between", 1e-4)
        for row, text in enumerate(texts):
            places = [i for i, x in enumerate(spread[row]) if x != PAD]
            close(
                moved[row, places],
                weights[row, : len(text)],
                "the weights with PADs in between",
                1e-4,
            )
        if kind in ("mean", "max", "attention", "bag") and not settings and not recurrent:
            for row, text in enumerate(texts):
                states = model.embedding(torch.tensor(text, dtype=torch.long))
                close(logits[row], pooled(model, kind, states), "the logits, by a loop", 1e-4)


def spread_out(c: Choices, text: list[int]) -> list[int]:
    found: list[int] = []
    for word in text:
        found += [PAD] * c.below(3) + [word]
    return found


def pooled(model: Any, kind: str, states: Tensor) -> Tensor:
    """Logits of a text without a recurrence."""
    if kind == "bag":
        return states.sum(dim=0) + model.bias
    if not len(states):
        return model.fc(torch.zeros(model.width))
    if kind == "mean":
        vector = states.mean(dim=0)
    elif kind == "max":
        vector = states.max(dim=0).values
    else:
        vector = (states @ model.attention.weight[0]).softmax(dim=0) @ states
    return model.fc(vector)


@probe("functions.pictures", 80)
def pictures(c: Choices) -> None:
    """The captioner: a picture alone and in a batch, with and without positions and gate."""
    torch.manual_seed(c.below(4))
    model = build_captioner(
        11,
        pictures=c.one_of(("photos", "scenes")),
        embedding_dim=6,
        memory_dim=10,
        hidden_dim=10,
        positions=not c.chance(),
        gate=c.chance(),
        decoder=c.one_of(("attention", "bahdanau")),
        score="general",
    ).eval()
    scenes = type(model.encoder).__name__ == "ImageEncoder"
    count = c.integer(1, 3)
    generator = torch.Generator().manual_seed(c.seed())
    shape = (3, 64, 64) if scenes else (49, 320)
    sources = [
        torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) for _ in range(count)
    ]
    targets = [[c.integer(4, 10) for _ in range(c.integer(0, 3))] for _ in range(count)]
    with torch.no_grad():
        logits, weights = model(
            make_batch([Example(s, t) for s, t in zip(sources, targets, strict=True)])
        )
        for row in range(count):
            one, seen = model(make_batch([Example(sources[row], targets[row])]))
            n = len(targets[row]) + 1
            close(one[0], logits[row, :n], "the logits of a picture alone", 1e-4)
            close(seen[0], weights[row, :n], "the weights of a picture alone", 1e-4)
            expect(((seen.sum(-1) - 1).abs() < 1e-4).all(), "the weights do not sum to one")


@probe("functions.recurrence", 300)
def recurrence(c: Choices) -> None:
    """Reading both ways: PyTorch's packed sequences."""
    B, T, D, H, layers = (
        c.integer(1, 4),
        c.integer(1, 6),
        c.integer(1, 4),
        c.integer(1, 4),
        c.integer(1, 2),
    )
    lengths = torch.tensor([c.integer(1, T) for _ in range(B)])
    torch.manual_seed(c.seed())
    lstm = nn.LSTM(
        D, H, layers, batch_first=True, bidirectional=True, bias=not c.chance(0.2)
    ).eval()
    x = noise(c, B, T, D)
    c.show(sizes=(B, T, D, H, layers), lengths=lengths.tolist())
    found = read_both_ways(lstm, x, lengths)
    packed, (hidden, _) = lstm(
        pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    )
    right, _ = pad_packed_sequence(packed, batch_first=True, total_length=T)
    close(found, right, "the states")
    close(ends(found, lengths), torch.cat([hidden[-2], hidden[-1]], dim=-1), "the ends")
    for row, n in enumerate(lengths.tolist()):
        expect(turned(x, lengths)[row].equal(torch.cat([x[row, :n].flip(0), x[row, n:]])), "turned")
    close(turned(turned(x, lengths), lengths), x, "turned twice")


@probe("functions.rows", 200)
def rows(c: Choices) -> None:
    """Rows of a memory and of a decoder's state are chosen as by a list."""
    model = tiny_translator("bahdanau", c.one_of(("coverage", "location", "additive")), seed=1)
    B = c.integer(1, 4)
    examples = random_examples([(c.integer(1, 5), 1) for _ in range(B)], c.seed())
    chosen = c.many(1, 5, lambda: c.below(B))
    c.show(B=B, chosen=chosen)
    with torch.no_grad():
        memory = model.remember(make_batch(examples))
        state = model.decoder.start(memory)
        for _ in range(c.below(3)):
            _, state, _ = model.decoder.step(
                state, torch.tensor([c.integer(4, 12) for _ in range(B)])
            )
        tokens = torch.tensor([c.integer(4, 12) for _ in range(B)])
        logits, _, weights = model.decoder.step(state, tokens)
        part = state.select(torch.tensor(chosen))
        expect(
            len(part) == len(chosen) and len(memory.select(torch.tensor(chosen))) == len(chosen),
            "len",
        )
        some, _, seen = model.decoder.step(part, tokens[chosen])
        close(some, logits[chosen], "the logits of chosen rows")
        close(seen, weights[chosen], "the weights of chosen rows")


@probe("functions.batches", 400)
def batches(c: Choices) -> None:
    """Padding by a loop; every example once an epoch, within the limit; skipping is leaving out."""
    examples = [
        Example(
            [c.integer(4, 9) for _ in range(c.below(6))],
            [c.integer(4, 9) for _ in range(c.below(5))],
        )
        for _ in range(c.integer(1, 12))
    ]
    batch = make_batch(examples)
    width = max(1, max(len(e.source) for e in examples))
    target = max(len(e.target) for e in examples) + 2
    for row, e in enumerate(examples):
        source = list(e.source) or [PAD]
        expect(batch.source[row].tolist() == source + [PAD] * (width - len(source)), "the source")
        expect(int(batch.source_lengths[row]) == len(source), "the length")
        whole = [BOS, *e.target, EOS]
        expect(batch.target[row].tolist() == whole + [PAD] * (target - len(whole)), "the target")
    expect(
        batch.target_in.equal(batch.target[:, :-1]) and batch.target_out.equal(batch.target[:, 1:]),
        "the shift",
    )
    expect(batch.target_tokens == sum(len(e.target) + 1 for e in examples), "the number of tokens")
    tokens, pool, seed = c.integer(1, 20), c.integer(1, 14), c.below(5)
    c.show(examples=[(len(e.source), len(e.target)) for e in examples], tokens=tokens, pool=pool)
    made = BucketedBatches(examples, tokens, seed, pool)
    for number in (0, c.below(4)):
        epoch = made.epoch(number)
        expect(
            sorted(i for b in epoch for i in b) == list(range(len(examples))),
            "not each example once",
        )
        expect(
            epoch == BucketedBatches(examples, tokens, seed, pool).epoch(number),
            "not the same again",
        )
        for b in epoch:
            wide = max(len(examples[i].target) + 1 for i in b)
            expect(len(b) == 1 or len(b) * wide <= tokens, "a batch is too large")
    skip = c.below(9)
    plain, later = made.forever(), made.forever(skip=skip)
    for _ in range(skip):
        next(plain)
    for _ in range(3):
        expect(
            next(plain).target.equal(next(later).target), f"skip={skip} does not leave out as many"
        )


@probe("functions.losses", 400)
def losses(c: Choices) -> None:
    """Losses and the regulariser by loops over tokens."""
    B, T, V, Tk = c.integer(1, 4), c.integer(1, 5), c.integer(2, 7), c.integer(1, 5)
    logits = noise(c, B, T, V, scale=3.0)
    targets = torch.tensor([[c.integer(1, V - 1) for _ in range(T)] for _ in range(B)])
    for row in range(B):
        targets[row, c.integer(1, T) :] = PAD
    smoothing = c.one_of((0.0, 0.1, 0.5))
    total, count = 0.0, 0
    for row, truth in zip(logits.reshape(-1, V), targets.reshape(-1), strict=True):
        if truth == PAD:
            continue
        log_probs = [float(x) - math.log(sum(math.exp(float(y)) for y in row)) for x in row]
        total -= (1 - smoothing) * log_probs[int(truth)] + smoothing * sum(log_probs) / V
        count += 1
    found = float(sequence_loss(logits, targets, smoothing))
    expect(abs(found - total / count) < 1e-4, f"the loss is {found}, by a loop {total / count}")
    weights = noise(c, B, T, Tk).softmax(-1)
    mask = torch.rand(B, Tk, generator=torch.Generator().manual_seed(c.seed())) < 0.7
    weights = weights * mask[:, None]
    value = 0.0
    for b in range(B):
        for k in range(Tk):
            if mask[b, k]:
                value += (
                    1 - sum(float(weights[b, t, k]) for t in range(T) if targets[b, t] != PAD)
                ) ** 2 / B
    found = float(doubly_stochastic(weights, targets, mask))
    expect(abs(found - value) < 1e-4, f"doubly_stochastic is {found}, by a loop {value}")
    c.mutated("columns of padding added")
    wide = F.pad(weights, (0, 4))
    again = float(doubly_stochastic(wide, targets, F.pad(mask, (0, 4))))
    expect(abs(again - value) < 1e-4, f"padding changes doubly_stochastic from {value} to {again}")
    steps, warm = c.integer(1, 40), c.real(0, 1)
    rates = [one_cycle(i, steps, warm) for i in range(steps)]
    expect(all(0 <= r <= 1 for r in rates), "a factor of the learning rate outside 0 to 1")
    top = rates.index(max(rates))
    expect(
        rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True),
        "not one cycle",
    )
    expect(abs(max(rates) - 1) < 1e-9, "the schedule never reaches the learning rate")


@probe("functions.train-step", 150)
def train_steps(c: Choices) -> None:
    """One update: the gradient clipped by hand, and AdamW or SGD applied to it."""
    import copy

    seed, clip, smoothing = c.below(9), c.one_of((1.0, 0.1, 100.0)), c.one_of((0.0, 0.1))
    regulariser = c.one_of((0.0, 0.7))
    model = tiny_translator("attention", "general", seed=seed, dropout=0.0, train=True)
    batch = make_batch(
        random_examples(c.many(1, 3, lambda: (c.integer(1, 5), c.integer(0, 4))), c.seed())
    )
    c.show(clip=clip, smoothing=smoothing, regulariser=regulariser)
    other = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    value = train_step(
        model, batch, optimizer, label_smoothing=smoothing, clip=clip, regulariser=regulariser
    )
    logits, weights = other(batch)
    plain = F.cross_entropy(
        logits.flatten(0, 1),
        batch.target_out.flatten(),
        ignore_index=PAD,
        label_smoothing=smoothing,
    )
    expect(abs(value - plain.item()) < 1e-5, f"the returned loss is {value}, not {plain.item()}")
    read = (batch.target_out != PAD)[..., None]
    real = torch.arange(batch.source.shape[1])[None] < batch.source_lengths[:, None]
    term = (((1 - (weights * read).sum(1)) ** 2) * real).sum(1).mean()
    gradients = torch.autograd.grad(
        plain + regulariser * term, list(other.parameters()), allow_unused=True
    )
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients if g is not None))
    factor = min(1.0, clip / (norm + 1e-6))
    for (name, now), before, g in zip(
        model.named_parameters(), other.parameters(), gradients, strict=True
    ):
        step = 0 if g is None else 0.5 * factor * g
        close(now.detach(), before.detach() - step, f"the updated {name}", atol=1e-4)


class Stop(Callback):
    """Interrupts a training after a step, or at a validation."""

    def __init__(self, at: int, validation: bool):
        self.at, self.validation = at, validation

    def after_step(self, run: Any) -> None:
        if not self.validation and run.history.steps == self.at:
            raise KeyboardInterrupt

    def after_validation(self, run: Any, row: dict) -> None:
        if self.validation and row["step"] >= self.at:
            self.at = 10**9
            raise KeyboardInterrupt


@probe("functions.resume", 80)
def resume(c: Choices) -> None:
    """An interrupted training, resumed, reaches the weights and the history of a whole one."""
    seed, total = c.below(9), c.integer(2, 9)
    examples = random_examples(
        [(c.integer(1, 4), c.integer(1, 3)) for _ in range(c.integer(2, 6))], seed
    )
    settings = FitSettings(
        steps=total,
        validate_every=c.integer(1, 4),
        seed=seed,
        learning_rate=c.one_of((0.02, 0.2)),
        patience=c.one_of((None, 2)),
        label_smoothing=c.one_of((0.0, 0.1)),
        regulariser=c.one_of((0.0, 0.5)),
    )
    # Of other texts, whose loss may rise while that of the training falls.
    unseen = examples[:2] if c.chance() else random_examples([(3, 2), (2, 3)], seed + 100)
    valid = [make_batch(unseen)] if not c.chance(0.2) or settings.patience else None
    c.show(settings=settings)

    def train(folder: Path | None, stop: list[Stop]) -> tuple[nn.Module, Any]:
        model = tiny_translator("attention", "general", seed=3, dropout=0.2)
        file = None if folder is None else folder / "resume"
        made = BucketedBatches(examples, 8, seed)
        history = fit(
            model, made, settings, valid=valid, resume=file, progress=False, callbacks=stop
        )
        return model, history

    whole, right = train(None, [])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(c.integer(1, 3)):
            try:
                train(folder, [Stop(c.integer(1, total), c.chance())])
            except KeyboardInterrupt:
                c.mutated("interrupted")
        model, history = train(folder, [Stop(10**9, False)])
        expect(not (folder / "resume").exists(), "the resume file stays after the end")
        expect(not list(folder.iterdir()), "something is left in the folder")
    for (key, one), other in zip(
        model.state_dict().items(), whole.state_dict().values(), strict=True
    ):
        expect(torch.equal(one, other), f"{key} differs from that of the whole training")
    facts = [
        (h.steps, h.best_step, h.tokens, h.stopped_early, [(r["step"], r["loss"]) for r in h.rows])
        for h in (history, right)
    ]
    expect(facts[0] == facts[1], "the history differs from that of the whole training")
    if valid is not None:
        best = min(right.rows, key=lambda row: row["valid_loss"])
        found = validation_loss(whole, valid)
        expect(abs(found - best["valid_loss"]) < 1e-5, "the weights are not the best ones seen")
        expect(right.best_step == best["step"], "best_step is not the step of the best validation")


@probe("functions.modes", 100)
def modes(c: Choices) -> None:
    """`evaluating` leaves every module in the mode it found it in, whatever happens inside."""
    model = tiny_translator(train=c.chance())
    modules = list(model.modules())
    for module in modules:
        module.training = c.chance()
    before = [module.training for module in modules]
    try:
        with evaluating(model):
            expect(not any(module.training for module in modules), "a module is in training mode")
            if c.chance():
                raise LookupError
    except LookupError:
        pass
    expect([module.training for module in modules] == before, "a mode has changed")


# --- one argument that is wrong ---------------------------------------------------------------


def calls(
    c: Choices,
) -> dict[str, tuple[Callable[..., Any], dict[str, Tensor], Callable[..., tuple]]]:
    """Calls of public functions: the function, its tensors, and the documented shape for others."""
    B, Tq, Tk, D, Dv = 2, 3, 4, 6, 5
    torch.manual_seed(1)
    dot, additive, many = (
        Attention(make_score("scaled_dot", D, D)),
        Attention(make_score("additive", D, 7)),
        MultiHeadAttention(D, 2),
    )
    mask = torch.rand(B, Tk) < 0.7
    lstm = nn.LSTM(D, 3, batch_first=True, bidirectional=True)
    classifier = build_text_classifier(12, labels=["a", "b"], embed_dim=5, hidden_dim=4).eval()
    encoder = tiny_translator().encoder
    speech = build_recogniser(
        9, mels=8, features=9, embedding_dim=6, memory_dim=10, hidden_dim=7
    ).encoder.eval()
    q, k, v = torch.randn(B, Tq, D), torch.randn(B, Tk, D), torch.randn(B, Tk, Dv)

    def attended(query: Tensor, keys: Tensor, values: Tensor, **_: Any) -> tuple:
        return (query.shape[0], query.shape[1], values.shape[2])

    return {
        "Attention(scaled_dot)": (
            lambda query, keys, values, attend_mask: dot(
                query, keys, values, attend_mask=attend_mask
            )[0],
            {"query": q, "keys": k, "values": v, "attend_mask": mask},
            attended,
        ),
        "Attention(additive)": (
            lambda query, keys, values, attend_mask: additive(
                query, keys, values, attend_mask=attend_mask
            )[0],
            {"query": q, "keys": torch.randn(B, Tk, 7), "values": v, "attend_mask": mask},
            attended,
        ),
        "MultiHeadAttention": (
            lambda query, keys, values, attend_mask: many(
                query, keys, values, attend_mask=attend_mask
            )[0],
            {"query": q, "keys": k, "values": k.clone(), "attend_mask": mask},
            lambda query, keys, values, **_: (query.shape[0], query.shape[1], D),
        ),
        "masked_softmax": (
            masked_softmax,
            {"scores": torch.randn(B, Tk), "attend_mask": mask},
            lambda scores, **_: tuple(scores.shape),
        ),
        "length_mask": (
            length_mask,
            {"lengths": torch.tensor([2, 3])},
            lambda lengths: (lengths.shape[0], int(lengths.max()) if len(lengths) else 0),
        ),
        "to_key_padding_mask": (
            to_key_padding_mask,
            {"attend_mask": mask},
            lambda attend_mask: tuple(attend_mask.shape),
        ),
        "to_sdpa_mask": (
            to_sdpa_mask,
            {"attend_mask": mask},
            lambda attend_mask: (
                attend_mask.shape[0],
                1,
                1 if attend_mask.dim() == 2 else attend_mask.shape[1],
                attend_mask.shape[-1],
            ),
        ),
        "sequence_loss": (
            sequence_loss,
            {"logits": torch.randn(B, Tq, D), "targets": torch.randint(1, D, (B, Tq))},
            lambda **_: (),
        ),
        "doubly_stochastic": (
            doubly_stochastic,
            {
                "weights": torch.rand(B, Tq, Tk),
                "targets": torch.randint(1, D, (B, Tq)),
                "attend_mask": mask,
            },
            lambda **_: (),
        ),
        "read_both_ways": (
            lambda x, lengths: read_both_ways(lstm, x, lengths),
            {"x": q, "lengths": torch.tensor([2, 3])},
            lambda x, **_: (x.shape[0], x.shape[1], 6),
        ),
        "classifier": (
            classifier,
            {"ids": torch.randint(4, 12, (B, Tk))},
            lambda ids: (ids.shape[0], 2),
        ),
        "TextEncoder": (
            lambda source, lengths: encoder.encode(source, lengths).keys,
            {"source": torch.randint(4, 12, (B, Tk)), "lengths": torch.tensor([2, 4])},
            lambda source, **_: (*source.shape, 10),
        ),
        "SpeechEncoder": (
            lambda frames, lengths: speech.encode(frames, lengths).keys,
            {"frames": torch.randn(B, 9, 8), "lengths": torch.tensor([5, 9])},
            lambda frames, **_: (frames.shape[0], math.ceil(frames.shape[1] / 4), 10),
        ),
        "Memory": (
            lambda keys, values, attend_mask, summary: (
                Memory(keys, values, attend_mask, summary).keys
            ),
            {"keys": k, "values": v, "attend_mask": mask, "summary": torch.randn(B, D)},
            lambda keys, **_: tuple(keys.shape),
        ),
    }


@probe("functions.wrong-argument", 900)
def wrong_argument(c: Choices) -> None:
    """One tensor with a mistake: an error that says so, or a result of the documented shape."""
    every = calls(c)
    name = c.one_of(tuple(every))
    function, tensors, shape = every[name]
    which = c.one_of(tuple(tensors))
    c.show(call=name, argument=which, before=tuple(tensors[which].shape))
    given = tensors | {which: odd_tensor(c, tensors[which])}
    c.show(after=(tuple(given[which].shape), str(given[which].dtype)))
    try:
        with torch.no_grad():
            found = function(**given)
    except WORDS_FOR_CLARITY as error:
        expect(str(error).strip(), "an error without a message")
        expect("unpack" not in str(error), f"the message is Python's own: {error}")
        return
    except (RuntimeError, IndexError) as error:
        c.show(error=str(error).splitlines()[0])
        told = any(word in str(error) for word in ("dtype", "scalar type", "type (", "bool tensor"))
        if told or name == "read_both_ways":  # PyTorch names the types, or it is a part
            return
        raise Wrong(f"{name}({which}): an error of PyTorch's own") from None
    expect(found.isnan().sum() == 0, f"{name}: NaN")
    try:
        right = shape(**given)
    except IndexError:
        right = "a tensor of other dimensions"
    expect(tuple(found.shape) == right, f"{name}: shape {tuple(found.shape)}, documented {right}")


@probe("functions.wrong-batch", 200)
def wrong_batch(c: Choices) -> None:
    """Examples that do not belong together: an error that says so, or a batch of right sizes."""

    def source() -> Any:
        return c.one_of(
            (
                lambda: [c.integer(4, 9) for _ in range(c.below(4))],
                lambda: noise(c, c.integer(0, 4), c.integer(1, 3)),
                lambda: noise(c, c.integer(1, 4)),
                lambda: torch.tensor(1.0),
                lambda: noise(c, 2, 3, 4),
            )
        )()

    c.mutated("sources of other kinds")
    first, others = source(), c.chance(0.3)
    sources = [first] + [first if c.chance() else source() for _ in range(c.below(3))]
    examples = [
        Example(s, [4] * c.below(3), {"q": source()} if others or c.chance(0.1) else {})
        for s in sources
    ]
    c.show(sources=[tuple(s.shape) if isinstance(s, Tensor) else s for s in sources])
    try:
        batch = make_batch(examples)
    except WORDS_FOR_CLARITY as error:
        expect(len(str(error)) > 20, f"a message that explains nothing: {error}")
        return
    expect(
        len(batch.source) == len(batch.target) == len(batch.source_lengths) == len(examples),
        "sizes",
    )
    expect(TARGET_SIZE > 0 and int(batch.source_lengths.min()) >= 1, "an input of no positions")
