"""The Transformer: equal to PyTorch's layers, causal, safe from padding, the same with a cache.

Every form is tried: norm before and after, each position encoding, shared keys and values, with
and without a memory.
"""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.attention import (
    MultiHeadAttention,
    causal_mask,
    length_mask,
    to_key_padding_mask,
)
from course_utils.batches import Batch, make_batch
from course_utils.checkpoints import save_checkpoint
from course_utils.memory import Memory
from course_utils.models.builders import build_captioner, build_recogniser, build_translator
from course_utils.models.positions import (
    POSITIONS,
    LearntPositions,
    SinusoidalPositions,
    rotate,
    sinusoidal,
)
from course_utils.models.seq2seq import LanguageModel, count_parameters
from course_utils.models.transformer import (
    TransformerDecoder,
    TransformerLayer,
)
from course_utils.tasks.translation.translator import Translator
from course_utils.vocabulary import PAD
from tools.tiny import (
    SOURCE_SIZE,
    TARGET_SIZE,
    TEXTS,
    few,
    quick,
    random_batch,
    random_examples,
    tiny_vocabulary,
)

WIDTH, HEADS, HIDDEN, KV = 12, 6, 10, 2
LENGTHS = [(4, 2), (7, 5), (1, 3), (5, 0)]  # source and target length of each example
SEEDS = st.integers(0, 10**6)

# Every form of a Transformer, each setting at least once.
FORMS = [
    {},
    {"norm": "post"},
    {"positions": "learnt", "longest": 30},
    {"positions": "rotary", "kv_heads": KV},
    {"positions": "none", "kv_heads": 1},
    {"positions": "rotary", "norm": "post"},
]
every_form = pytest.mark.parametrize(
    "form", FORMS, ids=lambda form: " ".join(map(str, form.values())) or "default"
)


def close(found, expected, tolerance=1e-5):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


def sharp(model, seed):
    """Weights far from those at the start, so that a mistake changes the numbers."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def tiny(seed=0, **form):
    """A Transformer that translates, in evaluation mode, with 3 layers below 2."""
    model = build_translator(
        SOURCE_SIZE,
        TARGET_SIZE,
        encoder="transformer",
        decoder="transformer",
        embedding_dim=WIDTH,
        hidden_dim=HIDDEN,
        encoder_layers=3,
        decoder_layers=2,
        heads=HEADS,
        **form,
    )
    return sharp(model, seed)


def tiny_language_model(seed=0, **form):
    decoder = TransformerDecoder(TARGET_SIZE, WIDTH, None, HIDDEN, heads=HEADS, layers=2, **form)
    return sharp(LanguageModel(decoder), seed)


# --- equal to PyTorch -------------------------------------------------------------------------


def gradients(output, inputs, layer):
    """Gradients of an uneven sum of the output, for the inputs and in a sorted list of sizes."""
    uneven = torch.randn(output.shape, generator=torch.Generator().manual_seed(3))
    layer.zero_grad()
    found = torch.autograd.grad((output * uneven).sum(), inputs, retain_graph=True)
    (output * uneven).sum().backward()
    total = sum(float(p.grad.double().square().sum()) for p in layer.parameters())
    return found, total


@pytest.mark.parametrize("norm_first", [True, False])
@given(b=st.integers(1, 3), t=st.integers(1, 5), tk=st.integers(1, 4), seed=SEEDS)
@few
def test_layers_are_those_of_pytorch(norm_first, b, t, tk, seed):
    torch.manual_seed(seed)
    settings = {"dim_feedforward": HIDDEN, "norm_first": norm_first, "batch_first": True}
    lengths = torch.randint(1, t + 1, (b,))
    mask, memory_mask = length_mask(lengths, t), length_mask(torch.randint(1, tk + 1, (b,)), tk)
    x = torch.randn(b, t, WIDTH, requires_grad=True)
    memory = torch.randn(b, tk, WIDTH, requires_grad=True)

    theirs = sharp(nn.TransformerEncoderLayer(WIDTH, HEADS, **settings), seed).train()
    theirs.dropout = theirs.dropout1 = theirs.dropout2 = nn.Dropout(0.0)
    theirs.self_attn.dropout = 0.0
    ours = TransformerLayer.from_torch(theirs)
    expected = theirs(x, src_key_padding_mask=to_key_padding_mask(mask))
    found, cache, weights, nothing = ours(x, attend_mask=mask)
    close(found, expected)
    assert nothing is None and cache.length == t and weights.shape == (b, HEADS, t, t)
    (g,), total = gradients(found, [x], ours)
    (expected_g,), expected_total = gradients(expected, [x], theirs)
    close(g, expected_g, 1e-4)
    assert total == pytest.approx(expected_total, rel=1e-3)

    theirs = sharp(nn.TransformerDecoderLayer(WIDTH, HEADS, dropout=0.0, **settings), seed).train()
    ours = TransformerLayer.from_torch(theirs)
    expected = theirs(
        x,
        memory,
        tgt_mask=~causal_mask(t)[0],
        memory_key_padding_mask=to_key_padding_mask(memory_mask),
    )
    source = ours.memory_attention.project(memory, memory)
    found, _, _, looked = ours(
        x, attend_mask=causal_mask(t), source=source, source_mask=memory_mask
    )
    close(found, expected)
    assert not looked.transpose(1, 3)[~memory_mask].any()
    found_g, total = gradients(found, [x, memory], ours)
    expected_g, expected_total = gradients(expected, [x, memory], theirs)
    for one, other in zip(found_g, expected_g, strict=True):
        close(one, other, 1e-4)
    assert total == pytest.approx(expected_total, rel=1e-3)


@pytest.mark.parametrize("norm", ["pre", "post"])
@torch.no_grad()
def test_the_encoder_is_that_of_pytorch(norm):
    """Scaled embeddings, positions, layers and, with the norm before, one more norm at the end."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, HIDDEN, batch_first=True, norm_first=norm == "pre"
    )
    last = nn.LayerNorm(WIDTH) if norm == "pre" else None
    theirs = sharp(nn.TransformerEncoder(layer, 3, last, enable_nested_tensor=False), seed=2)
    encoder = tiny(norm=norm).encoder
    for number, one in enumerate(theirs.layers):
        encoder.stack.layers[number] = TransformerLayer.from_torch(one)
    if norm == "pre":
        encoder.stack.norm.load_state_dict(last.state_dict())
        assert last is theirs.norm
    batch = random_batch(LENGTHS)
    memory = encoder(batch)
    x = WIDTH**0.5 * encoder.embedding(batch.source) + sinusoidal(7, WIDTH)
    expected = theirs(x, src_key_padding_mask=to_key_padding_mask(memory.attend_mask))
    close(memory.keys, expected * memory.attend_mask[:, :, None], 1e-4)
    for row, (length, _) in enumerate(LENGTHS):
        close(memory.summary[row], expected[row, :length].mean(dim=0), 1e-4)


def test_dropout_is_that_of_pytorch_and_of_the_paper():
    layer = TransformerLayer.from_torch(nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0.4))
    drops = {n: m.p for n, m in layer.named_modules() if isinstance(m, nn.Dropout)}
    assert set(drops.values()) == {0.4} and len(drops) == 3 and layer.training
    paper = TransformerLayer(WIDTH, HEADS, HIDDEN, dropout=0.4, inner_dropout=0.0)
    assert [m.p for m in paper.modules() if isinstance(m, nn.Dropout)].count(0.4) == 1
    x = torch.randn(2, 3, WIDTH)
    torch.manual_seed(1)
    once, *_ = paper(x, attend_mask=None)
    assert not torch.allclose(once, paper(x, attend_mask=None)[0])
    paper.eval()
    assert torch.equal(paper(x, attend_mask=None)[0], paper(x, attend_mask=None)[0])


def test_a_layer_without_counterpart_is_refused():
    with pytest.raises(TypeError, match="got Linear"):
        TransformerLayer.from_torch(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="ReLU"):
        TransformerLayer.from_torch(nn.TransformerEncoderLayer(4, 2, activation="gelu"))


# --- shared keys and values -------------------------------------------------------------------


@quick
@given(groups=st.integers(1, 3), share=st.integers(1, 3), tq=st.integers(1, 4), seed=SEEDS)
def test_shared_keys_are_repeated_keys(groups, share, tq, seed):
    """Grouped heads give what full attention gives whose matrices repeat those of the group."""
    torch.manual_seed(seed)
    heads, width, b, tk = groups * share, 4 * groups * share, 2, 5
    grouped = MultiHeadAttention(width, heads, key_dim=3, value_dim=7, kv_heads=groups)
    full = MultiHeadAttention(width, heads, key_dim=3, value_dim=7)
    state = grouped.state_dict()
    for name in ("W_k.weight", "W_k.bias", "W_v.weight", "W_v.bias"):
        parts = state[name].split(4)
        state[name] = torch.cat([parts[head // share] for head in range(heads)])
    full.load_state_dict(state)
    query, keys, values = (torch.randn(b, n, d) for n, d in ((tq, width), (tk, 3), (tk, 7)))
    mask = length_mask(torch.tensor([3, 5]), tk)
    found, expected = (layer(query, keys, values, attend_mask=mask) for layer in (grouped, full))
    close(found[0], expected[0])
    close(found[1], expected[1])
    cache = grouped.project(keys, values)
    assert cache.keys.numel() * share == full.project(keys, values).keys.numel()
    assert grouped.empty_cache(b).append(cache).length == tk


@pytest.mark.parametrize("kv_heads", [0, 4, 12])
def test_heads_share_in_equal_groups(kv_heads):
    with pytest.raises(ValueError, match=f"6 heads cannot share kv_heads={kv_heads}"):
        MultiHeadAttention(12, 6, kv_heads=kv_heads)


# --- one map for several parts ----------------------------------------------------------------


@quick
@given(tq=st.integers(1, 4), seed=SEEDS)
def test_keys_that_are_values_are_full_attention_with_equal_maps(tq, seed):
    torch.manual_seed(seed)
    shared = MultiHeadAttention(12, 6, key_dim=5, value_dim=5, kv_heads=2, share_kv=True)
    full = MultiHeadAttention(12, 6, key_dim=5, value_dim=5, kv_heads=2)
    full.load_state_dict(shared.state_dict())
    assert count_parameters(full) - count_parameters(shared) == 5 * 4 + 4
    query, slots, others = (torch.randn(3, n, d) for n, d in ((tq, 12), (7, 5), (7, 5)))
    for values in (slots, others):  # the keys of an input are its values; of another, they are not
        found, expected = (m(query, slots, values, attend_mask=None) for m in (shared, full))
        close(found[0], expected[0])
        close(found[1], expected[1])


def test_a_map_is_not_shared_between_widths():
    for widths in ({"key_dim": 5, "value_dim": 7}, {"key_dim": 5}):
        with pytest.raises(ValueError, match="keys 5 wide.*cannot share a map"):
            MultiHeadAttention(12, 6, share_kv=True, **widths)


@pytest.mark.parametrize(
    "sharing, fewer",
    [
        ("none", 0),
        ("keys", 2 * (WIDTH * KV * 2 + KV * 2)),
        ("layers", 2 * (WIDTH * KV * 2 + KV * 2)),
    ],
)
@torch.no_grad()
def test_a_shared_memory_is_that_of_equal_maps(sharing, fewer):
    """A model that shares maps gives what one gives whose maps are equal, in both of its ways."""
    shared, full = tiny(sharing=sharing, kv_heads=KV), tiny(kv_heads=KV)
    full.load_state_dict(shared.state_dict())
    assert count_parameters(full) - count_parameters(shared) == fewer
    batch = random_batch(LENGTHS)
    (logits, weights), (expected, looked) = shared(batch), full(batch)
    close(logits, expected)
    close(weights, looked)
    decoder = shared.decoder
    state = decoder.start(shared.remember(batch)).select(torch.tensor([2, 0]))
    for number, tokens in enumerate(batch.target_in[[2, 0]].T):
        found, state, _ = decoder.step(state, tokens)
        close(found, logits[[2, 0], number])
    assert len(state.source) == len(decoder.layers) == 2


def test_shared_maps_get_the_gradients_of_all_their_layers():
    model = tiny(sharing="layers")
    first, second = (layer.memory_attention for layer in model.decoder.layers)
    assert first.W_k is second.W_k and first.W_v is second.W_v and first.W_q is not second.W_q
    full = tiny()
    full.load_state_dict(model.state_dict())
    batch = random_batch(LENGTHS)
    for one in (model, full):
        one(batch)[0].square().sum().backward()
    apart = [layer.memory_attention.W_v.weight.grad for layer in full.decoder.layers]
    close(first.W_v.weight.grad, sum(apart), 1e-3)


def test_sharing_that_is_impossible_is_refused():
    with pytest.raises(ValueError, match="unknown sharing 'all'; .*none, keys, layers"):
        tiny(sharing="all")
    with pytest.raises(ValueError, match="nothing to share: sharing='keys'"):
        tiny_language_model(sharing="keys")
    with pytest.raises(ValueError, match="takes no sharing"):
        build_translator(9, encoder="transformer", sharing="keys", decoder="fixed_vector")


# --- the start of the maps, and dropout on weights ---------------------------------------------


@pytest.mark.parametrize("sharing", ["none", "keys", "layers"])
def test_a_gain_changes_the_scores_alone(sharing):
    """Twice the maps to queries and keys: four times the scores, and the rest as it was."""
    settings = {"encoder": "transformer", "decoder": "transformer", "sharing": sharing}
    found = []
    for gain in (1.0, 2.0):
        torch.manual_seed(3)
        found.append(build_translator(9, **settings, score_gain=gain).state_dict())
    for name, before in found[0].items():
        keys = ".W_k.weight" in name or sharing == "keys" and "memory_attention.W_v.weight" in name
        scaled = ".W_q.weight" in name or keys
        assert torch.equal(found[1][name], (2 if scaled else 1) * before)


@pytest.mark.parametrize("gain", [0.0, -1.0, math.inf, math.nan])
def test_a_gain_is_a_factor(gain):
    with pytest.raises(ValueError, match="score_gain is a factor above 0"):
        tiny(score_gain=gain)


def test_dropout_on_weights_is_apart_from_the_other():
    model = tiny(dropout=0.4, inner_dropout=0.3, weight_dropout=0.2)
    for layer in (*model.encoder.stack.layers, *model.decoder.layers):
        assert layer.self_attention.dropout.p == 0.2
        assert layer.dropout.p == 0.4 and layer.feed_forward[2].p == 0.3
    assert {layer.memory_attention.dropout.p for layer in model.decoder.layers} == {0.2}
    none = tiny(dropout=0.4, weight_dropout=0.0)
    for layer in (none.encoder.stack.layers[0], none.decoder.layers[1]):
        assert layer.self_attention.dropout.p == 0 and layer.feed_forward[2].p == 0.4
    default = tiny(dropout=0.4, inner_dropout=0.3).decoder.layers[0]
    assert default.self_attention.dropout.p == default.memory_attention.dropout.p == 0.3


@pytest.mark.parametrize("name", ["dropout", "inner_dropout", "weight_dropout"])
@pytest.mark.parametrize("rate", [-0.1, 1.5, math.nan])
def test_a_dropout_is_a_probability(name, rate):
    with pytest.raises(ValueError, match=f"^{name} is a probability, from 0 to 1, got {rate}"):
        TransformerLayer(WIDTH, HEADS, HIDDEN, **{name: rate})


def test_settings_of_a_transformer_are_for_no_other_model():
    for setting in ({"weight_dropout": 0.1}, {"score_gain": 2.0}, {"sharing": "keys"}):
        for decoder in ("fixed_vector", "attention", "bahdanau"):
            with pytest.raises(ValueError, match=f"{decoder}.* takes no {next(iter(setting))}"):
                build_translator(9, decoder=decoder, **setting)


# --- positions --------------------------------------------------------------------------------


def test_sinusoidal_positions_are_the_formula():
    found = sinusoidal(5, 6, first=3)
    for row in range(5):
        for i in range(3):
            angle = (row + 3) / 10_000 ** (2 * i / 6)
            assert found[row, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[row, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


@quick
@given(shift=st.integers(0, 40), i=st.integers(0, 30), j=st.integers(0, 30), seed=SEEDS)
def test_rotary_scores_depend_on_the_distance_alone(shift, i, j, seed):
    generator = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, 1, 8, generator=generator, dtype=torch.float64)
    here = rotate(q, i) @ rotate(k, j).T
    there = rotate(q, i + shift) @ rotate(k, j + shift).T
    close(here, there, 1e-4)
    close(rotate(q, i).norm(), q.norm())
    turned = rotate(torch.cat([q, q]), i)  # the second is one position further
    close(turned[1:], rotate(q, i + 1))


def test_rotary_is_the_rotation_matrix():
    """R of Su et al. 2021, eq. 15, written out."""
    x = torch.randn(1, 6, generator=torch.Generator().manual_seed(0))
    R = torch.zeros(6, 6)
    for i in range(3):
        angle = 5 / 10_000 ** (2 * i / 6)
        c, s = math.cos(angle), math.sin(angle)
        R[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = torch.tensor([[c, -s], [s, c]])
    close(rotate(x, 5)[0], R @ x[0])
    assert (rotate(x, 5) - rotate(x, 6)).abs().max() > 0.05


def test_positions_that_were_not_learnt_are_named():
    positions = LearntPositions(WIDTH, 9)
    x = torch.zeros(2, 4, WIDTH)
    close(positions(x, 5)[1], positions.table[5:9])
    with pytest.raises(ValueError, match="a sequence of 10 positions.*for 9 only.*longest"):
        positions(x, 6)
    with pytest.raises(ValueError, match="must have shape"):
        positions(torch.zeros(2, 4, WIDTH + 1))
    model = tiny(positions="learnt", longest=5)
    with pytest.raises(ValueError, match="a sequence of 7 positions.*for 5 only"):
        model(random_batch(LENGTHS))
    for even in (
        lambda: sinusoidal(3, 5),
        lambda: rotate(torch.ones(2, 3)),
        lambda: SinusoidalPositions()(x[..., :3]),
    ):
        with pytest.raises(ValueError, match="even width"):
            even()


@pytest.mark.parametrize("positions", POSITIONS)
@torch.no_grad()
def test_order_counts_only_with_positions(positions):
    """Without positions, the encoder's states of permuted words are the permuted states."""
    encoder = tiny(positions=positions).encoder
    source, lengths = torch.tensor([[5, 9, 7, 12]]), torch.tensor([4])
    order = torch.tensor([2, 0, 3, 1])
    before, after = (encoder.encode(ids, lengths).keys for ids in (source, source[:, order]))
    difference = (after - before[:, order]).abs().max()
    assert difference < 1e-4 if positions == "none" else difference > 0.05


# --- padding and neighbours -------------------------------------------------------------------


@every_form
@torch.no_grad()
def test_padding_changes_nothing_whatever_it_contains(form):
    model = tiny(**form)
    batch = random_batch(LENGTHS)
    memory, (logits, weights) = model.remember(batch), model(batch)
    Ts, Tt = batch.source.shape[1], batch.target_in.shape[1]
    source = nn.functional.pad(batch.source, (0, 3), value=PAD)
    target = nn.functional.pad(batch.target, (0, 2), value=PAD)
    for content in (PAD, 8):
        filled = source.masked_fill(~length_mask(batch.source_lengths, Ts + 3), content)
        wider = Batch(filled, batch.source_lengths, target)
        padded = model.remember(wider)
        close(padded.keys[:, :Ts], memory.keys)
        close(padded.summary, memory.summary)
        assert not padded.keys[:, Ts:].any() and not padded.attend_mask[:, Ts:].any()
        found, looked = model(wider)
        close(found[:, :Tt], logits)
        close(looked[:, :Tt, :Ts], weights)
        assert not looked[:, :, Ts:].any()


@every_form
@given(
    lengths=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 5)), min_size=2, max_size=4),
    seed=SEEDS,
)
@few
@torch.no_grad()
def test_neighbours_change_nothing(form, lengths, seed):
    model = tiny(seed, **form)
    examples = random_examples(lengths, seed)
    together, looked = model(make_batch(examples))
    for row, (example, (Ts, Tt)) in enumerate(zip(examples, lengths, strict=True)):
        alone, looked_alone = model(make_batch([example]))
        close(together[row, : Tt + 1], alone[0], 1e-4)
        close(looked[row, : Tt + 1, :Ts], looked_alone[0], 1e-4)


@every_form
def test_gradients_reach_every_parameter_and_no_padding(form):
    model = tiny(**form).train()
    batch = random_batch(LENGTHS)
    logits, _ = model(batch)
    nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.target_out.flatten(), ignore_index=PAD
    ).backward()
    # A key's bias moves all scores of a query alike, and so does nothing.
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert {name.split(".")[-2] for name in silent} <= {"W_k"}
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert not model.encoder.embedding.weight.grad[PAD].any()


# --- forward and step -------------------------------------------------------------------------


@every_form
@given(
    seed=SEEDS,
    lengths=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=4),
)
@few
@torch.no_grad()
def test_forward_is_repeated_step(form, seed, lengths):
    """With a memory and without; in between, rows of the state are chosen, as in a beam."""
    model, language = tiny(seed, **form), tiny_language_model(seed, **form)
    batch = random_batch(lengths, seed)
    rows = torch.randint(len(lengths), (len(lengths) + 2,))
    for decoder, memory in (
        (model.decoder, model.remember(batch)),
        (language.decoder, None),
    ):
        logits, weights = decoder(memory, batch.target_in)
        state = decoder.start(len(lengths) if memory is None else memory).select(rows)
        for t, tokens in enumerate(batch.target_in[rows].unbind(dim=1)):
            step, state, looked = decoder.step(state, tokens)
            close(step, logits[rows, t], 1e-4)
            close(looked, weights[rows, t, : looked.shape[1]], 1e-4)
            assert not weights[rows, t, looked.shape[1] :].any()
            assert state.past[0].length == t + 1 and len(state) == len(rows)


@every_form
@torch.no_grad()
def test_tokens_can_be_read_in_parts(form):
    decoder = tiny_language_model(**form).decoder
    tokens = random_batch([(1, 8), (1, 8)]).target_in
    whole, _ = decoder(None, tokens)
    first, state, _ = decoder.advance(decoder.start(2), tokens[:, :3])
    second, _, weights = decoder.advance(state, tokens[:, 3:])
    close(torch.cat([first, second], dim=1), whole, 1e-4)
    assert weights.own[0].shape == (2, HEADS, 6, 9)


@every_form
def test_no_leak_from_the_future(form, monkeypatch):
    for decoder in (tiny(**form).decoder, tiny_language_model(**form).decoder):
        batch = random_batch([(5, 4), (3, 4)])
        inputs = decoder.embed(batch.target_in).detach().requires_grad_()
        monkeypatch.setattr(decoder, "embed", lambda tokens, inputs=inputs: inputs)
        memory = None if decoder.memory_dim is None else tiny(**form).remember(batch)
        logits, _ = decoder(memory, batch.target_in)
        for t in range(logits.shape[1]):
            (gradient,) = torch.autograd.grad(logits[1, t].sum(), inputs, retain_graph=True)
            reached = gradient.abs().sum(dim=-1) > 0
            assert not reached[0].any() and not reached[1, t + 1 :].any()
            assert reached[1, : t + 1].all()


@torch.no_grad()
def test_any_encoder_goes_with_any_decoder():
    """The memory is all that they share."""
    batch = random_batch(LENGTHS)
    for encoder, decoder in (("transformer", "attention"), ("recurrent", "transformer")):
        model = sharp(
            build_translator(
                SOURCE_SIZE,
                TARGET_SIZE,
                encoder=encoder,
                decoder=decoder,
                embedding_dim=WIDTH,
                hidden_dim=WIDTH,
            ),
            0,
        )
        before, weights = model(batch)
        close(weights.sum(dim=-1), torch.ones(4, 6))
        source = batch.source.clone()
        source[1, 6] = 5 if source[1, 6] != 5 else 6
        after, _ = model(replace(batch, source=source))
        assert (after[1] - before[1]).abs().max() > 1e-3
        close(after[0], before[0])


# --- weights ----------------------------------------------------------------------------------


@torch.no_grad()
def test_weights_of_every_layer_and_head():
    model = tiny()
    batch = random_batch(LENGTHS)
    memory, decoder = model.remember(batch), model.decoder
    every = decoder.weights(memory, batch.target_in)
    assert [tuple(w.shape) for w in every.own] == [(4, HEADS, 6, 6)] * 2
    assert [tuple(w.shape) for w in every.memory] == [(4, HEADS, 6, 7)] * 2
    for shown in (0, 1, -1):
        decoder.shown = shown
        _, weights = decoder(memory, batch.target_in)
        close(weights, every.memory[shown].mean(dim=1))
    assert (every.memory[0] - every.memory[1]).abs().max() > 0.01
    own = model.encoder.weights(batch.source, batch.source_lengths).own
    assert [tuple(w.shape) for w in own] == [(4, HEADS, 7, 7)] * 3
    for weights in own:
        close(weights.sum(dim=-1), torch.ones(4, HEADS, 7))
        assert not weights.transpose(1, 3)[~memory.attend_mask].any()
    language = tiny_language_model()
    logits, weights = language(batch)
    every = language.decoder.weights(None, batch.target_in)
    assert every.memory == ()
    close(weights, every.own[-1].mean(dim=1))


def test_a_checkpoint_of_a_transformer_translates(tmp_path):
    """What comes after the training knows nothing of the kind of encoder and decoder."""
    vocabulary = tiny_vocabulary()
    build = {"source_size": len(vocabulary), "embedding_dim": WIDTH, "hidden_dim": HIDDEN}
    build |= {"encoder": "transformer", "decoder": "transformer", "positions": "rotary", "heads": 2}
    model = sharp(build_translator(**build), 1)
    save_checkpoint(
        tmp_path / "x", model, vocabulary, builder="translator", settings=build, card={}, log=[]
    )
    translator = Translator.load(tmp_path / "x")
    for beam in (1, 3):
        for text, found in zip(TEXTS, translator.translate(TEXTS, beam=beam), strict=True):
            assert found.source_pieces == vocabulary.pieces(vocabulary.encode(text))
            shape = (len(found.target_pieces), len(found.source_pieces))
            assert found.attention.shape == shape
            assert found.attention.sum(axis=1) == pytest.approx(1, abs=1e-4)
    (weights,) = translator.attention_of([(TEXTS[0], TEXTS[1])])
    assert weights.shape == (len(TEXTS[1].split()), len(TEXTS[0].split()))


# --- settings and errors ----------------------------------------------------------------------


def test_builders_know_the_transformer():
    joint = build_translator(SOURCE_SIZE, encoder="transformer", decoder="transformer", heads=4)
    assert joint.encoder.embedding is joint.decoder.embedding
    assert joint.encoder.memory_dim == joint.decoder.memory_dim == 128
    for model, layers in (
        (build_captioner(11, pictures="scenes", decoder="transformer", decoder_layers=2), 2),
        (build_recogniser(11, decoder="transformer", heads=2), 3),
    ):
        assert len(model.decoder.layers) == layers
    mixed = build_translator(9, encoder="transformer", heads=8, embedding_dim=16, hidden_dim=16)
    assert mixed.encoder.stack.layers[0].self_attention.heads == 8
    assert count_parameters(mixed) > 0


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"encoder": "convolution"}, "unknown encoder 'convolution'.*recurrent, transformer"),
        ({"decoder": "transformer", "score": "dot"}, "'transformer' takes no score"),
        ({"heads": 2}, "no settings; got heads=2"),
        ({"decoder": "fixed_vector", "norm": "pre"}, "takes no norm"),
        ({"encoder": "transformer", "memory_dim": 64}, "memory_dim=64 and embedding_dim=128"),
        ({"encoder": "transformer", "norm": "before"}, "unknown norm 'before'; .*pre, post"),
        ({"encoder": "transformer", "positions": "relative"}, "'relative'; .*learnt, rotary"),
        ({"encoder": "transformer", "heads": 3}, "query_dim=128.*3 equal heads"),
        ({"encoder": "transformer", "encoder_layers": 0}, "layers=0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build_translator(9, **settings)


def test_decoders_refuse_what_they_cannot_read():
    model, language = tiny(), tiny_language_model()
    batch = random_batch(LENGTHS)
    memory = model.remember(batch)
    for wrong in (memory, None):
        with pytest.raises(TypeError, match=f"a language model.*not from a {type(wrong).__name__}"):
            language.decoder.start(wrong)
    for wrong in (4, None):
        with pytest.raises(
            TypeError, match=f"reads a Memory, 12 wide, not a {type(wrong).__name__}"
        ):
            model.decoder.start(wrong)
    with pytest.raises(TypeError, match="reads a Memory"):
        model.decoder(None, batch.target_in)
    states = torch.zeros(4, 3, 5)
    other = Memory(states, states, torch.ones(4, 3, dtype=torch.bool), states[:, 0])
    with pytest.raises(ValueError, match="5 wide, the decoder expects 12"):
        model.decoder.start(other)
    with pytest.raises(ValueError, match="2 targets for a memory of 4"):
        model.decoder(memory, batch.target_in[:2])
    with pytest.raises(ValueError, match="3 tokens for a state of 4 rows"):
        model.decoder.step(model.decoder.start(memory), torch.tensor([4, 5, 6]))
    with pytest.raises(IndexError, match="another vocabulary"):
        model.decoder(memory, batch.target_in + TARGET_SIZE)
    with pytest.raises(ValueError, match=r"shared embedding is \(13, 12\)"):
        TransformerDecoder(9, WIDTH, WIDTH, HIDDEN, embedding=model.decoder.embedding)
