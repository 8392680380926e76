"""Encoder, memory, decoders and the whole model.

The three promises: padding and neighbours change nothing, `forward` is repeated `step`, and no
logit depends on a later target token. Each decoder is also computed once more by hand.
"""

import math
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.attention import MultiHeadAttention
from course_utils.batches import Batch, Example, make_batch
from course_utils.memory import Memory, Rows
from course_utils.models.builders import build_captioner, build_recogniser, build_translator
from course_utils.models.decoders import AttentionDecoder, DecoderState
from course_utils.models.seq2seq import count_parameters
from course_utils.models.text_encoder import TextEncoder
from course_utils.vocabulary import PAD
from tools.tiny import (
    EMBEDDING,
    HIDDEN,
    MEMORY,
    MODELS,
    SOURCE_SIZE,
    TARGET_SIZE,
    few,
    random_batch,
    random_examples,
    tiny_translator,
)

LENGTHS = [(4, 2), (7, 5), (1, 3), (5, 0)]  # source and target length of each example

every_model = pytest.mark.parametrize("decoder,score", MODELS)


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def with_padding(batch: Batch, source: int, target: int) -> Batch:
    """The same batch with more columns of PAD after source and target."""

    def longer(ids, columns):
        return torch.cat([ids, torch.full((len(ids), columns), PAD)], dim=1)

    return Batch(longer(batch.source, source), batch.source_lengths, longer(batch.target, target))


# --- padding and neighbours -------------------------------------------------------------------


@every_model
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_padding_changes_nothing(decoder, score, layers):
    model = tiny_translator(decoder, score, layers=layers)
    batch = random_batch(LENGTHS)
    wider = with_padding(batch, source=3, target=2)
    Ts, Tt = batch.source.shape[1], batch.target_in.shape[1]
    logits, weights = model(batch)
    padded_logits, padded_weights = model(wider)
    close(padded_logits[:, :Tt], logits)
    close(padded_weights[:, :Tt, :Ts], weights)
    assert not padded_weights[:, :, Ts:].any()
    memory, padded = model.remember(batch), model.remember(wider)
    close(padded.keys[:, :Ts], memory.keys)
    close(padded.values[:, :Ts], memory.values)
    close(padded.summary, memory.summary)
    assert torch.equal(padded.attend_mask[:, :Ts], memory.attend_mask)
    assert not padded.attend_mask[:, Ts:].any()


@every_model
@given(
    lengths=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 5)), min_size=2, max_size=5),
    seed=st.integers(0, 10**6),
)
@few
@torch.no_grad()
def test_neighbours_change_nothing(decoder, score, lengths, seed):
    model = tiny_translator(decoder, score, seed=seed)
    examples = random_examples(lengths, seed)
    together, together_weights = model(make_batch(examples))
    memory = model.remember(make_batch(examples))
    for row, (example, (Ts, Tt)) in enumerate(zip(examples, lengths, strict=True)):
        alone, alone_weights = model(make_batch([example]))
        close(together[row, : Tt + 1], alone[0])
        close(together_weights[row, : Tt + 1, :Ts], alone_weights[0])
        close(memory.keys[row, :Ts], model.remember(make_batch([example])).keys[0])


@torch.no_grad()
def test_a_mask_alone_would_not_be_enough():
    """Negative control: if rows are not turned, the backward recurrence reads the padding first."""
    encoder = tiny_translator().encoder
    batch = random_batch(LENGTHS)
    embedded = encoder.embedding(batch.source) * EMBEDDING**0.5
    unpacked, _ = encoder.recurrence(embedded)
    memory = encoder(batch)
    differences = (unpacked - memory.keys).abs()
    for row, (Ts, _) in enumerate(LENGTHS):
        forward, backward = differences[row, :Ts].chunk(2, dim=-1)
        assert forward.max() < 1e-5
        assert (backward.max() > 0.05) == (Ts < batch.source.shape[1])


@every_model
@torch.no_grad()
def test_every_source_word_matters(decoder, score):
    """Positive control of the tests above: what is not padding does change the output."""
    model = tiny_translator(decoder, score)
    batch = random_batch(LENGTHS)
    before, _ = model(batch)
    for position in range(LENGTHS[0][0]):
        source = batch.source.clone()
        source[0, position] = (source[0, position] - 4 + 1) % (SOURCE_SIZE - 4) + 4
        after, _ = model(Batch(source, batch.source_lengths, batch.target))
        assert (after[0] - before[0]).abs().max() > 1e-3
        assert torch.equal(after[1:], before[1:])


@every_model
@torch.no_grad()
def test_dropout_only_while_training(decoder, score):
    model = tiny_translator(decoder, score)
    batch = random_batch(LENGTHS)
    assert torch.equal(model(batch)[0], model(batch)[0])
    model.train()
    assert not torch.allclose(model(batch)[0], model(batch)[0], atol=1e-2)


# --- forward and step -------------------------------------------------------------------------


@every_model
@torch.no_grad()
def test_forward_is_repeated_step(decoder, score):
    model = tiny_translator(decoder, score)
    batch = random_batch(LENGTHS)
    memory = model.remember(batch)
    logits, weights = model.decoder(memory, batch.target_in)
    state = model.decoder.start(memory)
    for t, tokens in enumerate(batch.target_in.T):
        step_logits, state, step_weights = model.decoder.step(state, tokens)
        close(step_logits, logits[:, t])
        close(step_weights, weights[:, t])


@every_model
@torch.no_grad()
def test_select_takes_rows_of_memory_and_state(decoder, score):
    model = tiny_translator(decoder, score)
    batch = random_batch(LENGTHS)
    memory = model.remember(batch)
    rows = torch.tensor([2, 0, 0, 3, 1])
    for name in ("keys", "values", "attend_mask", "summary"):
        assert torch.equal(getattr(memory.select(rows), name), getattr(memory, name)[rows])
    _, state, _ = model.decoder.step(model.decoder.start(memory), batch.target_in[:, 0])
    tokens = torch.tensor([4, 5, 6, 7])
    logits, after, weights = model.decoder.step(state, tokens)
    chosen, chosen_after, chosen_weights = model.decoder.step(state.select(rows), tokens[rows])
    close(chosen, logits[rows])
    close(chosen_weights, weights[rows])
    for found, expected in zip(chosen_after.recurrent, after.recurrent, strict=True):
        close(found, expected[:, rows])


@every_model
def test_no_leak_from_the_future(decoder, score, monkeypatch):
    model = tiny_translator(decoder, score)
    batch = random_batch([(5, 4), (3, 4), (6, 4)])
    memory = model.remember(batch)
    Tt = batch.target_in.shape[1]
    inputs = model.decoder.embed(batch.target_in).detach().requires_grad_()
    monkeypatch.setattr(model.decoder, "embed", lambda tokens: inputs)
    logits, weights = model.decoder(memory, batch.target_in)
    for t in range(Tt):
        for output in [logits] + ([weights.square()] if score else []):
            (gradient,) = torch.autograd.grad(output[1, t].sum(), inputs, retain_graph=True)
            reached = gradient.abs().sum(dim=-1) > 0  # (B, Tt)
            assert not reached[0].any() and not reached[2].any()
            assert not reached[1, t + 1 :].any()
            # Attention in Bahdanau's order looks before it has read token t.
            blind = decoder == "bahdanau" and output is not logits
            assert reached[1, : t + (not blind)].all()


@every_model
@torch.no_grad()
def test_later_tokens_change_only_later_logits(decoder, score):
    model = tiny_translator(decoder, score)
    batch = random_batch([(5, 6)])
    logits, weights = model(batch)
    target = batch.target.clone()
    target[0, 3] = (target[0, 3] - 4 + 1) % (TARGET_SIZE - 4) + 4
    changed, changed_weights = model(Batch(batch.source, batch.source_lengths, target))
    close(changed[0, :3], logits[0, :3])
    close(changed_weights[0, :3], weights[0, :3])
    assert (changed[0, 3:] - logits[0, 3:]).abs().amax(dim=-1).min() > 1e-3


@every_model
@torch.no_grad()
def test_coverage_is_the_sum_of_the_weights_so_far(decoder, score):
    model = tiny_translator(decoder, score)
    batch = random_batch(LENGTHS)
    state = model.decoder.start(model.remember(batch))
    assert not state.coverage.any()
    _, weights = model(batch)
    for t, tokens in enumerate(batch.target_in.T):
        _, state, _ = model.decoder.step(state, tokens)
        close(state.coverage, weights[:, : t + 1].sum(dim=1))
        close(state.weights, weights[:, t])
    start = model.decoder.start(model.remember(batch))
    _, state, _ = model.decoder.advance(start, batch.target_in)  # all tokens at once
    close(state.coverage, weights.sum(dim=1))
    close(state.weights, weights[:, -1])


class ManyHeads(AttentionDecoder):
    """A decoder whose attention has two heads."""

    def __init__(self, *args, **settings):
        super().__init__(*args, score="general", **settings)
        self.heads = MultiHeadAttention(HIDDEN, 2, self.memory_dim, self.memory_dim)
        self.widen = torch.nn.Linear(HIDDEN, self.memory_dim)

    def look(self, queries, state):
        memory = state.memory
        context, weights = self.heads(
            queries, memory.keys, memory.values, attend_mask=memory.attend_mask
        )
        return self.widen(context), weights


@torch.no_grad()
def test_weights_may_have_heads():
    model = tiny_translator()
    torch.manual_seed(0)
    decoder = ManyHeads(TARGET_SIZE, EMBEDDING, MEMORY, HIDDEN).eval()
    batch = random_batch(LENGTHS)
    memory = model.remember(batch)
    logits, weights = decoder(memory, batch.target_in)
    assert weights.shape == (4, 2, 6, 7)
    state = decoder.start(memory)
    for t, tokens in enumerate(batch.target_in.T):
        step_logits, state, step_weights = decoder.step(state, tokens)
        close(step_logits, logits[:, t])
        close(step_weights, weights[:, :, t])
        close(state.coverage, weights[:, :, : t + 1].sum(dim=2))
    rows = torch.tensor([2, 0])
    close(state.select(rows).weights, weights[rows, :, -1])


# --- rows -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Anything(Rows):
    name: str
    layers: tuple[Memory, ...]
    hidden: torch.Tensor = field(metadata={"rows": 1})


def test_rows_of_anything():
    memory = tiny_translator().remember(random_batch(LENGTHS))
    hidden = torch.arange(24).reshape(2, 4, 3)
    rows = torch.tensor([3, 3, 1])
    found = Anything("name", (memory, memory), hidden).select(rows)
    assert found.name == "name" and len(found) == 3 and len(memory) == 4
    assert torch.equal(found.hidden, hidden[:, rows])
    for layer in found.layers:
        assert torch.equal(layer.keys, memory.keys[rows])
    assert len(replace(found, layers=())) == 3
    assert len(DecoderState(memory, *4 * (memory.keys,))) == 4


def test_rows_without_tensors_have_no_number():
    @dataclass(frozen=True)
    class Nothing(Rows):
        name: str

    with pytest.raises(TypeError, match="a Nothing without tensors"):
        len(Nothing("name"))


# --- by hand ----------------------------------------------------------------------------------


def cell_of(recurrence, suffix="l0"):
    """An LSTMCell with a copy of the weights of one direction of an LSTM."""
    cell = torch.nn.LSTMCell(
        getattr(recurrence, f"weight_ih_{suffix}").shape[1], recurrence.hidden_size
    )
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(cell, name).copy_(getattr(recurrence, f"{name}_{suffix}"))
    return cell


def location_by_hand(score, previous, i):
    """What the convolution of a location-aware score finds at position i."""
    filters = score.F.weight[:, 0]
    half = filters.shape[1] // 2
    seen = [j for j in range(len(previous)) if abs(j - i) <= half]
    found = sum((filters[:, half + j - i] * previous[j] for j in seen), torch.zeros(len(filters)))
    return score.U.weight @ found


def score_by_hand(score, name, s, h, history, i):
    """The score of position i, with state h, for query s, after steps with these weights."""
    if name in ("location", "coverage"):
        hidden = score.W_a.weight @ h + score.U_a.weight @ s
        if name == "location":
            hidden = hidden + location_by_hand(score, history[-1], i)
        else:
            hidden = hidden + score.w_c.weight[:, 0] * sum(weights[i] for weights in history)
        return score.v.weight[0] @ torch.tanh(hidden)
    if name == "additive":
        return score.v.weight[0] @ torch.tanh(score.W_a.weight @ h + score.U_a.weight @ s)
    if name == "general":
        return s @ (score.W.weight @ h)
    return s @ h / (math.sqrt(len(h)) if name == "scaled_dot" else 1)


def decode_by_hand(kind, score_name, decoder, states, summary, tokens):
    """One sentence, token by token: states (Ts, memory_dim) → logits and weights."""
    cell = cell_of(decoder.recurrence)
    s = torch.tanh(decoder.start_hidden.weight @ summary + decoder.start_hidden.bias)
    c = decoder.start_cell.weight @ summary + decoder.start_cell.bias
    all_logits, all_weights = [], [torch.zeros(len(states))]  # before the first look: nowhere

    def attend(s):
        if kind == "fixed_vector":
            return summary, torch.zeros(len(states))
        score = decoder.attention.score
        e = torch.stack(
            [score_by_hand(score, score_name, s, h, all_weights, i) for i, h in enumerate(states)]
        )
        alpha = e.exp() / e.exp().sum()
        return sum(a * h for a, h in zip(alpha, states, strict=True)), alpha

    for token in tokens:
        y = decoder.embedding.weight[token] * EMBEDDING**0.5
        if kind == "bahdanau":
            r, alpha = attend(s)
            s, c = (x[0] for x in cell(torch.cat([y, r])[None], (s[None], c[None])))
        else:
            s, c = (x[0] for x in cell(y[None], (s[None], c[None])))
            r, alpha = attend(s)
        combined = torch.tanh(decoder.combine.weight @ torch.cat([s, r]) + decoder.combine.bias)
        all_logits.append(decoder.embedding.weight @ combined + decoder.output_bias)
        all_weights.append(alpha)
    return torch.stack(all_logits), torch.stack(all_weights[1:])


@every_model
@torch.no_grad()
def test_decoder_step_by_hand(decoder, score):
    model = tiny_translator(decoder, score, sharpness=1.5)
    examples = random_examples([(6, 3), (4, 5)])
    logits, weights = model(make_batch(examples))
    memory = model.remember(make_batch(examples))
    for row, example in enumerate(examples):
        Ts, Tt = len(example.source), len(example.target) + 1
        expected_logits, expected_weights = decode_by_hand(
            decoder,
            score,
            model.decoder,
            memory.keys[row, :Ts],
            memory.summary[row],
            [1, *example.target],
        )
        close(logits[row, :Tt], expected_logits)
        close(weights[row, :Tt, :Ts], expected_weights)


@torch.no_grad()
def test_encoder_by_hand():
    encoder = tiny_translator().encoder
    ids = [5, 9, 4, 16]
    memory = encoder.encode(torch.tensor([[*ids, PAD, PAD]]), torch.tensor([4]))
    embedded = encoder.embedding.weight[ids] * EMBEDDING**0.5

    def run(suffix, inputs):
        cell, found = cell_of(encoder.recurrence, suffix), []
        h = c = torch.zeros(1, MEMORY // 2)
        for x in inputs:
            h, c = cell(x[None], (h, c))
            found.append(h[0])
        return found

    forward, backward = run("l0", embedded), run("l0_reverse", embedded.flip(0))[::-1]
    expected = [torch.cat(both) for both in zip(forward, backward, strict=True)]
    close(memory.keys[0, :4], torch.stack(expected))
    close(memory.summary[0], torch.cat([forward[-1], backward[0]]))
    assert memory.attend_mask.tolist() == [[True] * 4 + [False] * 2]


# --- parameters -------------------------------------------------------------------------------


def test_fixed_vector_has_the_parameters_of_attention_with_a_dot_score():
    def size(**settings):
        return count_parameters(build_translator(3000, memory_dim=256, hidden_dim=256, **settings))

    fixed = size(decoder="fixed_vector")
    assert fixed == size(score="dot") == size(score="scaled_dot")
    # The other scores add their own matrices and nothing else.
    assert size(score="general") == fixed + 256 * 256
    assert size(score="additive", attention_dim=50) == fixed + (256 + 256 + 1) * 50
    assert size(score="general") < 1.06 * fixed
    assert size(score="additive", attention_dim=50) < 1.03 * fixed


def test_one_embedding_for_a_joint_vocabulary():
    joint = tiny_translator(target_size=None)
    weight = joint.encoder.embedding.weight
    assert joint.decoder.embedding.weight is weight
    apart = tiny_translator()
    assert apart.decoder.embedding.weight.shape == (TARGET_SIZE, EMBEDDING)
    same_size = tiny_translator(target_size=SOURCE_SIZE)
    assert count_parameters(same_size) - count_parameters(joint) == SOURCE_SIZE * EMBEDDING
    # Input and output layer of the decoder share it, too: an update changes all three uses.
    batch = random_batch(LENGTHS, target_size=SOURCE_SIZE)
    before = joint(batch)[0].detach(), joint.remember(batch).keys.detach()
    with torch.no_grad():
        weight[4:] += 0.1
    assert not torch.allclose(joint(batch)[0], before[0], atol=1e-3)
    assert not torch.allclose(joint.remember(batch).keys, before[1], atol=1e-3)


@every_model
def test_every_parameter_learns(decoder, score):
    model = tiny_translator(decoder, score, layers=2)
    model(random_batch(LENGTHS))[0].square().mean().backward()
    assert [
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


def test_padding_embedding_stays_zero_on_the_source_side():
    model = tiny_translator()
    assert not model.encoder.embedding.weight[PAD].any()
    model(with_padding(random_batch(LENGTHS), 2, 2))[0].square().sum().backward()
    assert not model.encoder.embedding.weight.grad[PAD].any()


# --- errors -----------------------------------------------------------------------------------


def test_errors_of_models():
    with pytest.raises(ValueError, match="'recursive'.*attention, bahdanau, fixed_vector"):
        build_translator(9, decoder="recursive")
    with pytest.raises(ValueError, match="takes no score"):
        build_translator(9, decoder="fixed_vector", score="dot")
    with pytest.raises(ValueError, match="unknown score 'cosine'"):
        build_translator(9, score="cosine")
    with pytest.raises(ValueError, match="one width, got 8 and 10"):
        build_translator(9, score="dot", hidden_dim=8, memory_dim=10)


@pytest.mark.parametrize(
    "build",
    [
        partial(build_translator, 9),
        partial(build_captioner, 9, pictures="photos"),
        partial(build_recogniser, 9),
    ],
    ids=["translator", "captioner", "recogniser"],
)
def test_all_builders_refuse_the_same_settings(build):
    with pytest.raises(ValueError, match="'recursive'.*attention, bahdanau, fixed_vector"):
        build(decoder="recursive")
    for settings in ({"score": "dot"}, {"attention_dim": 5}):
        with pytest.raises(
            ValueError, match=f"no attention, so it takes no {next(iter(settings))}"
        ):
            build(decoder="fixed_vector", **settings)
    with pytest.raises(ValueError, match="'general' has no settings; got attention_dim=5"):
        build(score="general", attention_dim=5)
    for score in ("additive", "location", "coverage"):
        assert build(score=score, attention_dim=5).decoder.attention.score.v.in_features == 5
    assert build(score="general", attention_dim=None).decoder.attention.score.settings() == ()


def test_a_decoder_refuses_settings_that_its_score_does_not_have():
    with pytest.raises(ValueError, match="'scaled_dot' has no settings; got width=3"):
        AttentionDecoder(11, EMBEDDING, MEMORY, HIDDEN, width=3)
    decoder = AttentionDecoder(11, EMBEDDING, MEMORY, HIDDEN, score="location", width=3, filters=2)
    assert decoder.attention.score.F.weight.shape == (2, 1, 3)


def test_errors_of_the_encoder():
    with pytest.raises(ValueError, match="memory_dim=7 must be even"):
        TextEncoder(9, EMBEDDING, 7)
    encoder = TextEncoder(9, EMBEDDING, MEMORY)
    source = torch.full((2, 3), 5)
    for lengths in ([3, 4], [0, 3], [3]):
        with pytest.raises(ValueError, match=r"source is \(2, 3\), so 2 lengths from 1 to 3"):
            encoder.encode(source, torch.tensor(lengths))


def test_errors_of_the_decoder():
    shared = torch.nn.Embedding(9, EMBEDDING)
    with pytest.raises(ValueError, match=r"\(9, 6\), the decoder needs \(11, 6\)"):
        AttentionDecoder(11, EMBEDDING, MEMORY, HIDDEN, embedding=shared, score="general")
    model = tiny_translator()
    memory = model.remember(random_batch(LENGTHS))
    with pytest.raises(ValueError, match="3 targets for a memory of 4 inputs"):
        model.decoder(memory, torch.full((3, 2), 5))
    with pytest.raises(ValueError, match="memory is 7 wide, the decoder expects 10"):
        model.decoder.start(
            Memory(memory.keys, memory.values, memory.attend_mask, memory.summary[:, :7])
        )


def test_errors_of_a_memory():
    keys, values = torch.ones(2, 5, 4), torch.ones(2, 5, 3)
    mask, summary = torch.ones(2, 5, dtype=torch.bool), torch.ones(2, 6)
    Memory(keys, values, mask, summary)
    with pytest.raises(ValueError, match=r"2 inputs with 5 positions, but values has \(2, 4\)"):
        Memory(keys, values[:, :4], mask, summary)
    with pytest.raises(ValueError, match=r"attend_mask has \(2, 1\)"):
        Memory(keys, values, mask[:, :1], summary)
    with pytest.raises(ValueError, match=r"summary has \(3,\)"):
        Memory(keys, values, mask, torch.ones(3, 6))
    with pytest.raises(TypeError, match="boolean .*float32"):
        Memory(keys, values, mask.float(), summary)
    square = torch.ones(2, 2, 4)  # with as many positions as texts, (B, Tk) fits as well
    for name, wrong in (("values", torch.ones(2, 2)), ("summary", torch.ones(2)), ("keys", [[1]])):
        parts = {"keys": square, "values": square, "summary": summary, name: wrong}
        with pytest.raises((ValueError, TypeError), match=f"{name} must (have|be)"):
            Memory(attend_mask=mask[:, :2], **parts)


@pytest.mark.parametrize("score,shared", [("scaled_dot", True), ("additive", False)])
def test_a_tensor_of_several_fields_is_gathered_once(score, shared):
    """Keys and values are one tensor, and for a dot product, so are the prepared keys."""
    model = tiny_translator("attention", score)
    memory = model.remember(random_batch(LENGTHS))
    state = model.decoder.start(memory)
    assert (state.prepared is memory.keys) == shared
    rows = torch.tensor([3, 0, 0])
    found = state.select(rows)
    assert found.memory.keys is found.memory.values
    assert (found.prepared is found.memory.keys) == shared
    assert torch.equal(found.prepared, state.prepared[rows])
    assert torch.equal(found.recurrent[0], state.recurrent[0][:, rows])


def test_a_part_that_selects_in_its_own_way_does_so_inside_others():
    @dataclass(frozen=True)
    class Shared(Rows):
        table: torch.Tensor

        def select(self, rows):
            return self

    @dataclass(frozen=True)
    class Both(Rows):
        own: torch.Tensor
        shared: Shared

    table = torch.arange(5)
    found = Both(table, Shared(table)).select(torch.tensor([4, 1]))
    assert found.own.tolist() == [4, 1] and found.shared.table is table


def test_an_empty_source_is_one_position_of_padding():
    model = tiny_translator()
    logits, weights = model(make_batch([Example([], [4]), Example([5, 6], [7])]))
    assert logits.isfinite().all()
    assert weights[0].tolist() == [[1.0, 0.0], [1.0, 0.0]]


@torch.no_grad()
def test_an_encoder_that_reads_padding():
    encoder = tiny_translator().encoder
    batch = random_batch(LENGTHS)
    Ts = batch.source.shape[1]
    full = encoder.encode(batch.source, torch.full((4,), Ts))
    encoder.reads_padding = True
    careless = encoder(batch)
    assert torch.equal(careless.keys, full.keys) and torch.equal(careless.summary, full.summary)
    assert careless.attend_mask.all()
    with pytest.raises(ValueError, match="lengths from 1 to 7"):
        encoder.encode(batch.source, torch.full((4,), Ts + 1))


def test_ids_of_another_vocabulary_or_shape_are_named():
    model = tiny_translator()
    batch = random_batch(LENGTHS)
    wrong = batch.source.clone()
    wrong[1, 0] = 99
    with pytest.raises(IndexError, match=r"ids from 0 to 99 for an embedding of 17; .*another voc"):
        model.encoder.encode(wrong, batch.source_lengths)
    memory = model.remember(batch)
    state = model.decoder.start(memory)
    with pytest.raises(IndexError, match="ids from 5 to 13 for an embedding of 13"):
        model.decoder.step(state, torch.tensor([5, 6, 13, 7]))
    for tokens in (torch.ones(4), torch.ones(4, 1).long(), torch.tensor([4.0] * 4)):
        with pytest.raises(ValueError, match="tokens must (have shape|be integers)"):
            model.decoder.step(state, tokens)
    with pytest.raises(ValueError, match="1 tokens for a state of 4 rows"):
        model.decoder.step(state, torch.tensor([5]))
    with pytest.raises(ValueError, match=r"tokens must have shape \(batch, positions\)"):
        model.decoder(memory, torch.tensor([5, 6, 7, 8]))
    with pytest.raises(ValueError, match="source must be integers"):
        model.encoder.encode(batch.source.float(), batch.source_lengths)
    with pytest.raises(TypeError, match="lengths must be a tensor"):
        model.encoder.encode(batch.source, batch.source_lengths.tolist())


def test_a_batch_without_texts():
    encoder = tiny_translator().encoder
    memory = encoder.encode(torch.zeros(0, 3, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    assert memory.keys.shape == (0, 3, 10) and memory.summary.shape == (0, 10)
