"""Watching a training: entropies that can be computed by hand, gradients, and rows of a history."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_utils.attention import MultiHeadAttention
from course_utils.batches import make_batch
from course_utils.callbacks import Callback, FitSettings, Run
from course_utils.models.builders import build_translator
from course_utils.tasks.translation import data, studies
from course_utils.tasks.translation.data import short_translation
from course_utils.tasks.translation.translator import Translator
from course_utils.tasks.translation.watching import (
    WatchWeights,
    entropy_shares,
    gradient_norms,
    head_entropies,
)
from course_utils.training import attention_loss, fit, validation_loss
from course_utils.vocabulary import EOS
from tools.tiny import SOURCE_SIZE, TARGET_SIZE, random_batch, random_examples, tiny_translator

LENGTHS = [(4, 2), (7, 5), (1, 3)]
LAYERS, HEADS = {"encoder": 3, "decoder": 2, "memory": 2}, 6


def transformer(**settings):
    torch.manual_seed(5)
    return build_translator(
        SOURCE_SIZE,
        TARGET_SIZE,
        encoder="transformer",
        decoder="transformer",
        embedding_dim=12,
        hidden_dim=10,
        encoder_layers=LAYERS["encoder"],
        decoder_layers=LAYERS["decoder"],
        heads=HEADS,
        **settings,
    )


def test_entropy_is_a_share_of_that_of_equal_weights():
    weights = torch.tensor(
        [
            [[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], [[0.9, 0.1, 0.0], [1.0, 0.0, 0.0]]],
            [[[1 / 3, 1 / 3, 1 / 3], [1, 0, 0]], [[0, 0, 1], [0, 0.5, 0.5]]],
        ]
    )  # (B, H, T, K)
    mask = torch.tensor([[[1, 1, 0], [1, 0, 0]], [[1, 1, 1], [1, 1, 1]]]).bool()
    tenth = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    half = math.log(2) / math.log(3)
    # The second row of the first example has one slot, so it does not count.
    expected = [(1 + 1 + 0) / 3, (tenth + 0 + half) / 3]
    assert entropy_shares(weights, mask).tolist() == pytest.approx(expected)
    with pytest.raises(ValueError, match="no row has two slots"):
        entropy_shares(weights[:1, :, 1:], mask[:1, 1:])
    for wrong in (mask[:1], mask[:, :, :2], mask[0]):
        with pytest.raises(ValueError, match=r"mask must have shape \(2, 2, 3\), got"):
            entropy_shares(weights, wrong)
    with pytest.raises(TypeError, match="boolean"):
        entropy_shares(weights, mask.float())
    with pytest.raises(ValueError, match=r"weights must have shape \(B, H, T, K\)"):
        entropy_shares(weights[0], mask)


def test_heads_that_look_everywhere_have_a_share_of_one():
    model, batch = transformer(), random_batch(LENGTHS)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".W_q." in name:
                weight.zero_()
    found = head_entropies(model.train(), batch)
    assert model.training
    for name, layers in LAYERS.items():
        assert found[name].shape == (layers, HEADS)
        torch.testing.assert_close(found[name], torch.ones(layers, HEADS))


def test_padding_neither_looks_nor_is_looked_at():
    """The entropies of a batch are the mean over the rows of its texts, read one at a time."""
    model, texts = transformer(score_gain=3.0), random_examples([(4, 2), (7, 5), (2, 3)])
    apart = [head_entropies(model, make_batch([text])) for text in texts]
    written = torch.tensor([len(text.target) + 1 for text in texts])  # with EOS
    rows = {
        "encoder": torch.tensor([len(text.source) for text in texts]),
        "decoder": written - 1,  # the first has nothing to choose
        "memory": written,
    }
    for name, found in head_entropies(model, make_batch(texts)).items():
        each = torch.stack([part[name] for part in apart])  # (texts, layers, H)
        expected = (each * rows[name][:, None, None]).sum(dim=0) / rows[name].sum()
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_larger_maps_to_scores_lower_the_entropy():
    batch = random_batch(LENGTHS)
    wide, narrow = (head_entropies(transformer(score_gain=gain), batch) for gain in (0.25, 4.0))
    for name in LAYERS:
        assert wide[name].min() > 0.95 and narrow[name].mean() < 0.6


def test_only_transformers_are_watched():
    with pytest.raises(TypeError, match="only a Transformer"):
        head_entropies(tiny_translator(), random_batch(LENGTHS))


def test_gradients_are_those_without_dropout():
    model, batch = transformer(dropout=0.0), random_batch(LENGTHS)
    every = nn.utils.parameters_to_vector(
        torch.autograd.grad(attention_loss(model, batch), list(model.parameters()))
    )
    attention_loss(model, batch).backward()  # gradients from before do not count
    found = gradient_norms(model, batch)
    maps = [
        weight
        for module in model.modules()
        if isinstance(module, MultiHeadAttention)
        for part in (module.W_q, module.W_k)
        for weight in part.parameters()
    ]
    scores = nn.utils.parameters_to_vector(torch.autograd.grad(attention_loss(model, batch), maps))
    assert found[1] == pytest.approx(float(scores.norm()), rel=1e-4)
    assert found[0] == pytest.approx(float(every.norm()), rel=1e-4)
    dropped = transformer(dropout=0.5).train()
    assert gradient_norms(dropped, batch) == pytest.approx(found, rel=1e-4)
    assert all(p.grad is None for p in dropped.parameters()) and 0 < found[1] < found[0]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".W_o." in name:
                weight.zero_()
    assert gradient_norms(model, batch)[1] == pytest.approx(0)  # scores without an effect


class Batches:
    def forever(self, skip=0):
        while True:
            yield random_batch(LENGTHS)


@pytest.mark.parametrize("first", [(0, 1, 2), (2,)])
def test_a_watched_training_is_the_training(first):
    """Rows at the first steps and at each validation; the weights are those of the plain one."""
    settings, valid = FitSettings(steps=5, validate_every=2, seed=3), [random_batch(LENGTHS)]
    trained = []
    for callbacks in ([Callback()], [WatchWeights(lambda: valid[0], first)]):
        model = transformer()
        history = fit(model, Batches(), settings, valid=valid, progress=False, callbacks=callbacks)
        trained.append((model, history))
    (plain, _), (watched, history) = trained
    for one, other in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one, other)
    assert [row["step"] for row in history.rows] == sorted({*first, 2, 4, 5})
    keys = {f"{kind}, {part}" for kind in ("entropy", "lowest") for part in LAYERS}
    for row in history.rows:
        assert keys | {"gradient", "gradient of scores"} <= set(row)
        assert ("valid_loss" in row) == (row["step"] in (2, 4, 5))
        assert row["lowest, memory"] < row["entropy, memory"] <= 1


def test_a_row_has_the_mean_and_the_lowest_of_all_heads():
    model, batch, asked = transformer(score_gain=3.0), random_batch(LENGTHS), []
    made = SimpleNamespace(to=lambda device: asked.append(device) or batch)
    row = WatchWeights(lambda: made).measure(model)
    assert asked == [model.device]
    for name, found in head_entropies(model, batch).items():
        assert row[f"entropy, {name}"] == pytest.approx(float(found.mean()))
        assert row[f"lowest, {name}"] == pytest.approx(min(found.flatten().tolist()))
    assert (row["gradient"], row["gradient of scores"]) == gradient_norms(model, batch)


def test_a_training_that_goes_on_has_no_second_first_row():
    run, watch = (
        Run(transformer(), FitSettings(steps=5)),
        WatchWeights(lambda: random_batch(LENGTHS)),
    )
    run.history.steps = 3
    watch.start(run)
    assert run.history.rows == []
    run.history.steps = 0
    watch.start(run)
    assert [row["step"] for row in run.history.rows] == [0]


def test_what_cannot_be_watched():
    with pytest.raises(TypeError, match="a function that makes a batch, got a Batch"):
        WatchWeights(random_batch(LENGTHS))
    for steps in ((0, -1), (0.5,), 3):
        with pytest.raises(ValueError, match="steps are a tuple of numbers from 0, got"):
            WatchWeights(lambda: random_batch(LENGTHS), steps)


PAIRS = {
    "train": [("the cat sleeps .", "le chat dort ."), ("the cat is black .", "le chat est noir .")],
    "valid": [("the cat sleeps .", "le chat est noir ."), ("a cat and a dog .", "un chat")],
}


def test_short_sentences_alone(monkeypatch):
    monkeypatch.setattr(data, "generated_pairs", PAIRS.__getitem__)
    found = short_translation(4)
    assert found.train == PAIRS["train"][:1] and found.valid == PAIRS["valid"][:1]
    assert len(found.vocabulary) == 4 + len("the cat sleeps . le chat dort".split())
    assert len(short_translation(5).train) == 2
    assert found.cards[0]["longest"] == 4
    with pytest.raises(ValueError, match="no generated sentence has at most 3 words"):
        short_translation(3)


def test_what_a_small_transformer_is_measured_by(monkeypatch):
    monkeypatch.setattr(data, "generated_pairs", PAIRS.__getitem__)
    short = short_translation(5)
    monkeypatch.setattr(studies, "short_data", lambda: short)
    batch = studies.watched.__wrapped__()
    expected = make_batch(short.to_examples(short.valid))
    assert torch.equal(batch.source, expected.source)
    assert torch.equal(batch.target, expected.target)
    clock = itertools.accumulate([0.007, 0.004] + [0.005] * 58)  # each second one is a step's
    monkeypatch.setattr(studies.time, "process_time", clock.__next__)
    other = make_batch(short.to_examples(short.train[:1]))  # not those of the loss
    monkeypatch.setattr(studies, "watched", lambda: other)
    model = build_translator(
        len(short.vocabulary),
        encoder="transformer",
        decoder="transformer",
        embedding_dim=12,
        hidden_dim=10,
        encoder_layers=3,
        decoder_layers=2,
        heads=HEADS,
    ).eval()
    with torch.no_grad():  # it writes EOS at once, whatever it reads
        model.decoder.output_bias[EOS] = 100
    found = studies.measure_settings(Translator(model, short.vocabulary))
    assert found["valid_bleu"] == found["valid_exact"] == 0 and found["valid_loss"] > 10
    assert {name: (len(rows), len(rows[0])) for name, rows in found["entropies"].items()} == {
        name: (layers, HEADS) for name, layers in LAYERS.items()
    }
    loss = validation_loss(model, short.valid_batches)
    assert found["valid_loss"] == pytest.approx(loss, abs=1e-4)
    assert found["milliseconds"] == 4.0 and all(p.grad is None for p in model.parameters())
