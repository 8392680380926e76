"""`diagnose` names each planted fault, and says nothing about a healthy model."""

import copy
import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from course_utils import diagnosis
from course_utils.attention import (
    KeyValueCache,
    MultiHeadAttention,
    ScaledDotScore,
    to_sdpa_mask,
)
from course_utils.batches import Example, make_batch
from course_utils.diagnosis import FAULTS, diagnose, random_examples, report
from course_utils.models import AttentionTextClassifier
from course_utils.models.builders import build_recogniser, build_translator
from course_utils.models.classifiers import KINDS, build_text_classifier
from course_utils.models.decoders import DecoderState
from course_utils.models.seq2seq import LanguageModel, Seq2Seq
from course_utils.models.transformer import TransformerDecoder
from course_utils.paths import checkpoint_names
from course_utils.recipes import RECIPES
from course_utils.search import beam_search
from course_utils.training import FitSettings, fit
from course_utils.vocabulary import EOS, PAD


def classifier(kind="attention", **settings):
    torch.manual_seed(0)
    chosen = {"embed_dim": 12, "hidden_dim": 10, "dropout": 0.2} | settings
    if kind == "hierarchical":
        chosen["sentence_end"] = 7
    return build_text_classifier(40, labels=["no", "yes", "perhaps"], kind=kind, **chosen)


def translator(decoder="attention", encoder="recurrent", **settings):
    torch.manual_seed(0)
    sizes = {"embedding_dim": 16, "hidden_dim": 24}
    if encoder == "recurrent":
        sizes["memory_dim"] = 24 if decoder != "transformer" else 16
    return build_translator(43, encoder=encoder, decoder=decoder, dropout=0.1, **sizes, **settings)


def transformer(**settings):
    return translator("transformer", "transformer", encoder_layers=2, decoder_layers=2, **settings)


def recogniser():
    torch.manual_seed(0)
    sizes = {"embedding_dim": 8, "memory_dim": 16, "hidden_dim": 12, "features": 12, "mels": 8}
    return build_recogniser(20, decoder="bahdanau", **sizes)


def language_model():
    torch.manual_seed(0)
    return LanguageModel(TransformerDecoder(37, 16, None, 24, layers=2, heads=2, kv_heads=1))


def faults(model, *args, **settings):
    return {finding.fault for finding in diagnose(model, *args, **settings)}


# --- healthy ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", checkpoint_names())
def test_silent_on_every_checkpoint(name):
    model = RECIPES[name].task.predictor.load(name).model
    assert diagnose(model) == []


@pytest.mark.parametrize("kind", KINDS)
def test_silent_on_every_classifier(kind):
    assert diagnose(classifier(kind)) == []


@pytest.mark.parametrize("decoder", ["attention", "bahdanau", "fixed_vector", "transformer"])
def test_silent_on_every_decoder(decoder):
    assert diagnose(translator(decoder)) == []


@pytest.mark.parametrize("score", ["dot", "scaled_dot", "general", "additive", "location"])
def test_silent_on_every_score(score):
    assert diagnose(translator(score=score)) == []


@pytest.mark.parametrize("positions", ["sinusoidal", "learnt", "rotary", "none"])
def test_silent_on_every_transformer(positions):
    assert diagnose(transformer(positions=positions)) == []


def test_silent_on_a_language_model():
    model = language_model()
    assert diagnose(model) == [] and diagnose(model.decoder) == []
    assert random_examples(model.decoder) == random_examples(model)


def test_silent_on_a_recogniser():
    assert diagnose(recogniser()) == []


def test_silent_on_a_frozen_model():
    assert diagnose(translator().requires_grad_(False)) == []


def test_leaves_the_model_as_it_was():
    model = transformer().train()
    before = copy.deepcopy(model.state_dict())
    diagnose(model)
    assert all(part.training for part in model.modules())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any("attend" in vars(part) for part in model.modules())


# --- masks and axes ---------------------------------------------------------------------------


class Reversed(AttentionTextClassifier):
    def pool(self, states, attend_mask):
        return super().pool(states, ~attend_mask)


class WrongAxis(AttentionTextClassifier):
    def pool(self, states, attend_mask):
        weights = self.attention(states).squeeze(-1).masked_fill(~attend_mask, -1e9).softmax(dim=0)
        return (weights[:, None] @ states).squeeze(1), weights


class Unmasked(AttentionTextClassifier):
    def pool(self, states, attend_mask):
        return super().pool(states, torch.ones_like(attend_mask))


class LeakyBackwards(AttentionTextClassifier):
    """Right forwards, but the padding takes part in the gradient."""

    def pool(self, states, attend_mask):
        context, weights = super().pool(states, attend_mask)
        # The last position of the row, whatever it is.
        rest = self.fc.weight.sum() * torch.arange(states.shape[1])[-1]
        return context + (rest - rest.detach()), weights


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (Reversed, "mask polarity"),
        (WrongAxis, "softmax axis"),
        (Unmasked, "padding"),
        (LeakyBackwards, "padding, backward"),
    ],
)
def test_broken_classifiers(broken, fault):
    torch.manual_seed(0)
    assert faults(broken(40, 12, 10, 3)) == {fault}


class MeanOfMany(AttentionTextClassifier):
    """A statistic of the batch, from three examples on."""

    def pool(self, states, attend_mask):
        context, weights = super().pool(states, attend_mask)
        return (context - 0.1 * context.mean(0) if len(context) > 2 else context), weights


def test_a_fault_in_a_batch_of_three():
    torch.manual_seed(0)
    assert faults(MeanOfMany(40, 12, 10, 3)) == {"padding"}


class OneMask(nn.Module):
    """The mask of the first row for all."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.embedding = inner, inner.embedding

    def forward(self, batch):
        memory = self.inner(batch)
        first = memory.attend_mask[:1]
        return replace(memory, attend_mask=first.expand(memory.attend_mask.shape))


def test_a_fault_of_the_second_row():
    healthy = translator()
    assert faults(Seq2Seq(OneMask(healthy.encoder), healthy.decoder)) == {"padding"}


def test_a_fault_of_ctc_alone():
    class Centred(nn.Linear):
        def forward(self, states):
            return super().forward(states - states.mean(dim=1, keepdim=True))

    model = recogniser()
    model.ctc.__class__ = Centred
    assert faults(model) == {"padding"}


def test_a_second_convolution_that_reads_padding(monkeypatch):
    import course_utils.models.speech_encoder as module

    right, model = module.length_mask, recogniser()

    def wrong(lengths, width):
        mask = right(lengths, width)
        return torch.ones_like(mask) if width == model.between else mask

    def note(_part, given, out):
        model.between = out.shape[2]

    model.encoder.convolutions[0].register_forward_hook(note)
    monkeypatch.setattr(module, "length_mask", wrong)
    model.between = 0
    assert faults(model) == {"padding"}


def test_a_gradient_of_one_small_parameter():
    model = translator()
    forward = model.decoder.forward

    def leaky(memory, tokens):
        logits, weights = forward(memory, tokens)
        rest = model.decoder.start_hidden.bias.sum() * memory.keys.shape[1]
        slope = torch.linspace(0, 0.0002, logits.shape[-1])
        return logits + slope * (rest - rest.detach()), weights

    model.decoder.forward = leaky
    assert faults(model) == {"padding, backward"}


def test_a_recurrence_that_reads_padding():
    model = translator()
    model.encoder.reads_padding = True
    assert faults(model) == {"padding"}


def test_a_mask_reversed_in_the_memory():
    class Encoder(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.embedding = inner, inner.embedding

        def forward(self, batch):
            memory = self.inner(batch)
            return replace(memory, attend_mask=~memory.attend_mask)

    healthy = translator()
    assert faults(Seq2Seq(Encoder(healthy.encoder), healthy.decoder)) == {"mask polarity"}


def test_a_mask_reversed_inside_a_transformer(monkeypatch):
    import course_utils.models.transformer as module

    monkeypatch.setattr(module, "length_mask", lambda n, T: torch.arange(T) >= n[:, None])
    assert faults(transformer()) == {"mask polarity"}


class WrongAxisHeads(MultiHeadAttention):
    def attend(self, query, cache, *, attend_mask):
        _context, weights = super().attend(query, cache, attend_mask=attend_mask)
        weights = (weights + 1e-9).log().softmax(dim=-2)
        context = (weights @ cache.values).transpose(1, 2).flatten(2)
        return self.W_o(context), weights


class Unscaled(MultiHeadAttention):
    def attend(self, query, cache, *, attend_mask):
        return super().attend(query * math.sqrt(self.head_dim), cache, attend_mask=attend_mask)


@pytest.mark.parametrize(
    ("broken", "fault"), [(WrongAxisHeads, "softmax axis"), (Unscaled, "scale")]
)
def test_broken_heads(broken, fault):
    model = transformer()
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, MultiHeadAttention):
                part.__class__ = broken
                part.W_q.bias.zero_()
    assert faults(model) == {fault}


def change_heads(broken):
    model = transformer(heads=4)
    part = model.encoder.stack.layers[1].self_attention
    part.__class__ = broken
    return model


class OneHeadUnscaled(MultiHeadAttention):
    def attend(self, query, cache, *, attend_mask):
        self.weigh = self.wrong
        return super().attend(query, cache, attend_mask=attend_mask)

    def wrong(self, scores, mask):
        factors = torch.ones(self.heads)
        factors[1] = 1 / math.sqrt(self.head_dim)
        return (scores * factors[:, None, None]).masked_fill(~mask, -math.inf).softmax(dim=-1)


class ScaledTwice(MultiHeadAttention):
    def project(self, keys, values, first=0):
        cache = super().project(keys, values, first)
        return KeyValueCache(cache.keys / math.sqrt(self.head_dim), cache.values)


class TorchUnscaled(MultiHeadAttention):
    def attend(self, query, cache, *, attend_mask):
        q = self.split(self.W_q(query))
        found = nn.functional.scaled_dot_product_attention(
            q, cache.keys, cache.values, attn_mask=to_sdpa_mask(attend_mask), scale=1.0
        )
        weights = q.new_zeros(*q.shape[:3], cache.length)
        return self.W_o(found.transpose(1, 2).flatten(2)), weights


@pytest.mark.parametrize("broken", [OneHeadUnscaled, ScaledTwice, TorchUnscaled])
def test_a_scale_that_is_hard_to_see(broken):
    before = nn.functional.scaled_dot_product_attention
    assert faults(change_heads(broken)) == {"scale"}
    assert nn.functional.scaled_dot_product_attention is before


def test_torch_attention_is_watched():
    model = transformer()
    q, k = torch.randn(2, 1, 4, 5, 8).unbind(0)
    with diagnosis._watched(model) as seen:
        for settings in ({}, {"is_causal": True}, {"attn_mask": torch.ones(5, 5).tril().bool()}):
            nn.functional.scaled_dot_product_attention(q, k, k, **settings)
        nn.functional.scaled_dot_product_attention(q, k[:, :2], k[:, :2], enable_gqa=True)
    sums = torch.stack([weights.sum(dim=-1) for _name, weights, _products in seen])
    assert torch.allclose(sums, torch.ones_like(sums)) and len(seen) == 4
    assert torch.equal(seen[1][1], seen[2][1])


def test_a_score_without_its_scale():
    model = translator(score="scaled_dot")
    assert isinstance(model.decoder.attention.score, ScaledDotScore)
    model.decoder.attention.score.scale = 1.0
    assert faults(model) == {"scale"}


# --- targets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", ["none", "one too many", "reversed"])
def test_a_leak_from_the_future(monkeypatch, mask):
    import course_utils.models.transformer as module

    def wrong(length, device=None):
        ones = torch.ones(length, length, dtype=torch.bool, device=device)
        return {"none": ones, "one too many": ones.tril(1), "reversed": ones.triu()}[mask][None]

    monkeypatch.setattr(module, "causal_mask", wrong)
    expected = "mask polarity" if mask == "reversed" else "leak from the future"
    assert expected in faults(transformer())


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_leak_at_one_place(monkeypatch, place):
    import course_utils.models.transformer as module

    right = module.causal_mask

    def wrong(length, device=None):
        mask = right(length, device).clone()
        if length > 1:
            query, key = (0, 1) if place == "first" else (-2, -1)
            mask[..., query, key] = True
        return mask

    monkeypatch.setattr(module, "causal_mask", wrong)
    assert faults(transformer()) == {"leak from the future"}


class ShiftedTwice(Seq2Seq):
    def forward(self, batch):
        given = torch.cat([batch.target_in[:, :1], batch.target_in[:, :-1]], dim=1)
        return self.decoder(self.encoder(batch), given)


def test_targets_that_are_shifted_twice():
    healthy = translator()
    assert faults(ShiftedTwice(healthy.encoder, healthy.decoder)) == {"targets not shifted"}


def test_a_loss_of_the_wrong_targets():
    def loss(model, batch, label_smoothing=0.0):
        logits = model(batch)[0].flatten(0, 1)
        return nn.functional.cross_entropy(logits, batch.target_in.flatten(), ignore_index=PAD)

    assert faults(translator(), loss=loss) == {"targets not shifted"}


class NotShifted(Seq2Seq):
    def forward(self, batch):
        return self.decoder(self.encoder(batch), batch.target_out)


def test_targets_that_are_not_shifted():
    healthy = translator()
    assert faults(NotShifted(healthy.encoder, healthy.decoder)) == {"targets not shifted"}


def test_a_model_that_learnt_from_targets_that_were_not_shifted():
    healthy = translator()
    broken = NotShifted(healthy.encoder, healthy.decoder)
    draw = torch.Generator().manual_seed(0)
    batches = [
        make_batch(
            [
                Example(
                    torch.randint(4, 43, (5,), generator=draw).tolist(),
                    torch.randint(4, 43, (6,), generator=draw).tolist(),
                )
                for _ in range(40)
            ]
        )
        for _ in range(20)
    ]
    optimizer = torch.optim.Adam(broken.parameters(), lr=0.02)
    for step in range(150):
        batch = batches[step % len(batches)]
        logits, _ = broken(batch)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch.target_out.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    trained = Seq2Seq(broken.encoder, broken.decoder)
    assert faults(trained, toy_examples(), trained=True) == {"targets not shifted"}


def test_padding_that_counts_in_the_loss():
    def loss(model, batch, label_smoothing=0.0):
        logits, _ = model(batch)
        return nn.functional.cross_entropy(logits.transpose(1, 2), batch.target_out)

    assert faults(translator(), loss=loss) == {"padding in the loss"}


# --- search and use ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Unmoved(DecoderState):
    """A state that keeps its rows when the beam reorders them."""

    def select(self, rows):
        chosen = super().select(rows)
        if len(rows) == len(self):
            return replace(chosen, recurrent=self.recurrent)
        return chosen


def test_a_beam_that_leaves_its_states_behind():
    model = translator()
    start = model.decoder.start
    model.decoder.start = lambda memory: Unmoved(**vars(start(memory)))
    with torch.no_grad():  # so that what was read matters
        for parameter in model.decoder.parameters():
            parameter.mul_(2.0)
    assert faults(model) == {"beam"}


SEARCHES = {
    "forgets the past": lambda row: [
        replace(h, log_prob=h.log_prob / max(1, len(h.tokens))) for h in row
    ],
    "worst first": lambda row: row[::-1],
    "twice the same": lambda row: row[:1] * 2,
    "no length penalty": lambda row: [replace(h, score=h.log_prob) for h in row],
    "only one": lambda row: row[:1],
    "attention of another": lambda row: [
        replace(h, attention=row[0].attention[:1].expand_as(h.attention)) for h in row
    ],
    "a little too probable": lambda row: [replace(h, log_prob=0.995 * h.log_prob) for h in row],
}


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_search_with_wrong_bookkeeping(kind):
    def search(decoder, memory, width, max_length, alpha, best, **settings):
        found = beam_search(decoder, memory, width, max_length, alpha, best, **settings)
        return [SEARCHES[kind](row) for row in found]

    model = translator()
    with torch.no_grad():  # so that no two weights of attention are alike
        for parameter in model.parameters():
            parameter.mul_(2.0)
    assert faults(model, search=search) == {"beam"}


def test_a_step_that_forgets():
    model = transformer()
    step = model.decoder.step

    def forgetful(state, tokens):
        logits, new, weights = step(state, tokens)
        return logits, replace(new, past=state.past), weights

    model.decoder.step = forgetful
    assert faults(model) == {"steps"}


def test_training_mode_at_test_time():
    model = classifier()
    ids = torch.tensor([[4, 9, 21, 5]])

    def as_it_is():
        return model.train()(ids).argmax().item()

    def rightly():
        return model.eval()(ids).argmax().item()

    assert faults(model, predict=as_it_is) == {"random at test time"}
    assert faults(model, predict=rightly) == set()


def test_training_mode_after_a_seed():
    model = translator()
    batch = make_batch(random_examples(model))

    def predict():
        torch.manual_seed(0)
        return model.train()(batch)[0].argmax(dim=-1).tolist()

    (found,) = diagnose(model, predict=predict)
    assert found.fault == "random at test time"
    assert found.evidence == "in training mode: decoder.dropout, encoder.dropout"


def test_a_norm_of_the_batch():
    model = classifier(dropout=0.0)
    model.fc = nn.Sequential(nn.BatchNorm1d(20, track_running_stats=False), model.fc)
    ids = torch.tensor([[4, 9, 21, 5], [7, 8, 9, 0]])
    (found,) = diagnosis._Case(model, [], make_batch, diagnosis._run, None, beam_search).mode(
        lambda: model.train()(ids).tolist()
    )
    assert found.evidence == "in training mode: fc.0"


def test_dropout_that_never_stops():
    class Noisy(AttentionTextClassifier):
        def pool(self, states, attend_mask):
            return super().pool(nn.functional.dropout(states, 0.3), attend_mask)

    assert faults(Noisy(40, 12, 10, 3)) == {"random at test time"}


def test_a_norm_that_still_learns():
    model = classifier()
    model.fc = nn.Sequential(nn.BatchNorm1d(20), model.fc)
    ids = torch.tensor([[4, 9, 21, 5], [7, 0, 0, 0]])

    def predict():
        model.fc.train()
        return 0

    assert faults(model.eval(), predict=predict) == set()
    assert faults(model, predict=lambda: [model.fc.train(), model(ids)] and 0) == {
        "random at test time"
    }


def toy_examples(count=60, size=40, shift=0):
    """Copying: the target is the source; ``shift`` encodes the source with another vocabulary."""
    draw = torch.Generator().manual_seed(3)
    made = []
    for _ in range(count):
        n = int(torch.randint(2, 6, (1,), generator=draw))
        ids = torch.randint(4, size, (n,), generator=draw)
        made.append(Example(((ids - 4 + shift) % (size - 4) + 4).tolist(), ids.tolist()))
    return made


@pytest.fixture(scope="module")
def copier():
    """A translator that has learnt to copy."""
    from course_utils.batches import BucketedBatches

    model = translator()
    batches = BucketedBatches(toy_examples(800), 400)
    settings = FitSettings(steps=250, learning_rate=0.02, validate_every=250, label_smoothing=0.0)
    fit(model, batches, settings, valid=[make_batch(toy_examples(20))], progress=False)
    return model


def test_vocabularies_mixed_up(copier):
    assert faults(copier, toy_examples(12), trained=True) == set()
    assert faults(copier, toy_examples(12, shift=11), trained=True) == {"vocabulary"}


class EndsWith(nn.Module):
    """A decoder for which another token means the end, so that a search goes on after EOS."""

    def __init__(self, inner, end):
        super().__init__()
        self.inner, self.end, self.start = inner, end, inner.start

    def exchanged(self, ids):
        order = torch.arange(43)
        order[[EOS, self.end]] = order[[self.end, EOS]]
        return order[ids]

    def step(self, state, tokens):
        logits, state, weights = self.inner.step(state, self.exchanged(tokens))
        return logits[:, self.exchanged(torch.arange(43))], state, weights


def test_a_search_that_goes_on_after_eos(copier):
    def search(decoder, *args, **settings):
        other = EndsWith(decoder, 40)
        found = beam_search(other, *args, **settings)
        return [
            [
                replace(
                    h,
                    tokens=other.exchanged(h.tokens + [EOS] * h.finished).tolist(),
                    finished=False,
                )
                for h in row
            ]
            for row in found
        ]

    assert faults(copier, toy_examples(4)) == set()
    assert faults(copier, toy_examples(4), search=search) == {"beam"}


def test_two_ids_exchanged(copier):
    exchanged = {5: 9, 9: 5}
    examples = [
        replace(e, target=[exchanged.get(i, i) for i in e.target]) for e in toy_examples(60)
    ]
    assert faults(copier, examples, trained=True) == {"vocabulary"}


def test_a_trained_language_model():
    model = language_model()
    examples = [
        Example([], [4 + (first + step) % 30 for step in range(n)])
        for first, n in zip(range(0, 60, 2), (3, 6, 9, 5, 7) * 6, strict=True)
    ]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    batch = make_batch(examples)
    for _step in range(60):
        logits, _ = model(batch)
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), batch.target_out.flatten(), ignore_index=PAD
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert diagnose(model, examples, trained=True) == []
    other = [replace(e, target=[4 + (7 * i) % 30 for i in e.target]) for e in examples]
    assert faults(model, other, trained=True) == {"vocabulary"}


# --- the rest ---------------------------------------------------------------------------------


def test_what_cannot_be_examined():
    with pytest.raises(ValueError, match="at least two examples"):
        diagnose(classifier(), [Example([4], [0])])
    with pytest.raises(ValueError, match="needs real examples"):
        diagnose(classifier(), trained=True)
    with pytest.raises(TypeError, match="a Linear: give examples of your own"):
        diagnose(nn.Linear(2, 3))


def test_examples_differ_in_length():
    lengths = [len(example.source) for example in random_examples(classifier())]
    assert len(set(lengths)) == len(lengths) and PAD not in random_examples(classifier())[0].source


def test_a_report(capsys):
    report([])
    report(diagnose(Unmasked(40, 12, 10, 3)))
    first, second = capsys.readouterr().out.splitlines()
    assert first == "✔ no fault found" and second.startswith("✘ padding: ")
    assert set(FAULTS) >= {"padding", "scale"} and diagnosis.__doc__
