"""The language model: its data, its probabilities, its texts, its baseline and its heads."""

import json
import math
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils import plotting
from course_utils.__main__ import main
from course_utils.batches import Example, make_batch
from course_utils.datasets.generated.repeats import SPLITS, WORDS, repeats
from course_utils.metrics import perplexity
from course_utils.models.builders import build_language_model
from course_utils.paths import CHECKPOINTS
from course_utils.tasks.language_modelling import command, heads
from course_utils.tasks.language_modelling.data import LanguageData, repeats_data
from course_utils.tasks.language_modelling.ngrams import KneserNey
from course_utils.tasks.language_modelling.pictures import induction_picture
from course_utils.tasks.language_modelling.studies import measure_heads
from course_utils.tasks.language_modelling.writer import MOST, Writer, language_model_loss
from course_utils.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from tools.tiny import few, quick

SIZES = {"embedding_dim": 12, "hidden_dim": 10, "layers": 2, "heads": 3}


def tiny(size=11, seed=0, **settings):
    torch.manual_seed(seed)
    return build_language_model(size, **(SIZES | {"dropout": 0.0} | settings))


@pytest.fixture
def writer():
    words = Vocabulary.words(["a dog runs fast", "the cat sleeps"])
    return Writer(tiny(len(words)), words)


# --- data -------------------------------------------------------------------------------------


def test_a_stretch_occurs_three_times_and_nothing_else_repeats():
    for text in repeats("valid"):
        copies = [text.words[s : s + text.length] for s in text.starts]
        assert len(set(copies)) == 1 and len(copies) == 3
        assert sorted(Counter(text.words).values(), reverse=True)[: text.length] == (
            [3] * text.length
        )
        assert len(set(text.words)) == len(text.words) - 2 * text.length
        for index in text.foreseeable:  # what came after the present word before
            before = text.words[: index - 1]
            last = max(i for i, word in enumerate(before) if word == text.words[index - 1])
            assert text.words[last + 1] == text.words[index]
        assert len(text.foreseeable) == 2 * (text.length - 1)


def test_repeats_are_the_same_ones_everywhere_and_splits_differ():
    assert [" ".join(r.words) for r in repeats("valid", 1)] == [" ".join(repeats("valid")[0].words)]
    found = {split: {r.words for r in repeats(split, 200)} for split in SPLITS}
    assert not found["train"] & found["valid"] and not found["valid"] & found["test"]
    assert {word for r in repeats("valid") for word in r.words} == set(WORDS)
    assert len({r.starts[1] - r.starts[0] for r in repeats("valid")}) > 5  # no fixed distance
    with pytest.raises(ValueError, match="unknown split"):
        repeats("all")
    with pytest.raises(ValueError, match="choose 1 to 200"):
        repeats("valid", 201)


def test_a_batch_of_texts_without_inputs():
    words = Vocabulary.words(["a b c", "d"])
    data = LanguageData([("", "a b"), ("", "d")], [("", "c")], words)
    (batch,) = data.batches_of(data.train)
    assert batch.source.tolist() == [[PAD], [PAD]]
    assert batch.target.tolist() == [
        [BOS, *words.encode("d"), EOS, PAD],
        [BOS, *words.encode("a b"), EOS],
    ]
    assert len(repeats_data().vocabulary) == len(WORDS) + 4


# --- probabilities ----------------------------------------------------------------------------


def test_probabilities_are_those_of_the_model_whatever_the_batch(writer):
    texts = ["a dog runs fast", "", "the cat", "the the the the the"]
    found = writer.log_probs(texts, batch_size=3)
    for text, values in zip(texts, found, strict=True):
        ids = writer.vocabulary.encode(text)
        with torch.no_grad():
            every = writer.model(None, torch.tensor([[BOS, *ids]]))[0][0].log_softmax(-1)
        expected = [float(every[i, piece]) for i, piece in enumerate([*ids, EOS])]
        assert values == pytest.approx(expected, abs=1e-5)
    flat = [value for values in found for value in values]
    scores = writer.measure([("", text) for text in texts])
    assert scores["perplexity"].score == pytest.approx(math.exp(-sum(flat) / len(flat)))
    assert scores["perplexity-word"].score == pytest.approx(math.exp(-sum(flat) / 11))


def test_the_loss_is_the_perplexity_of_a_batch(writer):
    texts = ["a dog", "the cat sleeps"]
    batch = make_batch([Example([], writer.vocabulary.encode(text)) for text in texts])
    flat = [value for values in writer.log_probs(texts) for value in values]
    loss = language_model_loss(writer.model.eval(), batch)
    assert math.exp(loss.item()) == pytest.approx(perplexity(flat), rel=1e-5)
    assert language_model_loss(writer.model, batch, 0.5).item() != pytest.approx(loss.item())


@quick
@given(
    texts=st.lists(st.lists(st.integers(UNK, 9), max_size=6), min_size=1, max_size=8),
    order=st.integers(1, 4),
    context=st.lists(st.integers(UNK, 9), max_size=4),
)
def test_a_smoothed_model_is_a_distribution(texts, order, context):
    model = KneserNey(texts, size=10, order=order)
    pieces = [EOS, *range(UNK, 10)]
    found = [model.probability(context, piece) for piece in pieces]
    assert sum(found) == pytest.approx(1) and min(found) > 0


def test_kneser_ney_by_hand():
    """Two texts, "3 4" and "3 5", with bigrams: every count is 1, so D is a half at both orders."""
    model = KneserNey([[3, 4], [3, 5]], size=6, order=2)
    # Contexts: BOS→3 twice; 3→4, 3→5; 4→EOS, 5→EOS. Continuations: 3, 4, 5 one context, EOS two.
    assert model.discounts == pytest.approx([3 / (3 + 2), 4 / (4 + 2)])
    uniform, d1, d2 = 1 / 4, 3 / 5, 4 / 6
    lower = {piece: (n - d1) / 5 + d1 * 4 / 5 * uniform for piece, n in ((4, 1), (EOS, 2))}
    assert model.probability([3], 4) == pytest.approx((1 - d2) / 2 + d2 * 2 / 2 * lower[4])
    assert model.probability([3], EOS) == pytest.approx(d2 * 2 / 2 * lower[EOS])
    assert model.probabilities([3, 4])[1] == model.probability([3], 4)
    with pytest.raises(ValueError, match="order of at least 1"):
        KneserNey([[3]], 6, 0)
    with pytest.raises(ValueError, match="needs texts"):
        KneserNey([], 6)


def test_a_trigram_model_prefers_what_it_has_seen():
    model = KneserNey([[3, 4, 5], [4, 6]] * 3, size=8, order=3)
    assert model.probability([3, 4], 5) > model.probability([BOS, 4], 5)


# --- texts ------------------------------------------------------------------------------------


def test_texts_begin_as_they_are_told(writer):
    beginnings = ["a dog", "", "the cat sleeps"]
    first = writer.write(beginnings, seed=3)
    assert all(text.startswith(start) for text, start in zip(first, beginnings, strict=True))
    assert first == writer.write(beginnings, seed=3) and writer.write([]) == []
    assert len({tuple(writer.write(["a"] * 3, seed=s)) for s in range(4)}) > 1
    assert len(writer.write(["a"], seed=1)[0].split()) <= MOST + 1


def test_temperature_0_is_the_most_probable_piece(writer):
    (text,) = writer.predict(["a dog"])
    ids = writer.vocabulary.encode("a dog")
    with torch.no_grad():
        logits = writer.model(None, torch.tensor([[BOS, *ids]]))[0][0, -1]
    logits[[PAD, BOS]] = -math.inf
    best = int(logits.argmax())
    written = writer.vocabulary.encode(text)[len(ids) :]
    assert (written[:1] or [EOS]) == [best]
    assert writer.write(["a dog"], temperature=0.7, top_k=1, seed=0) == [text]


def test_settings_out_of_range(writer):
    with pytest.raises(ValueError, match="top_k"):
        writer.write(["a"], top_k=0)
    with pytest.raises(TypeError):
        writer.write("a dog")


@pytest.mark.parametrize(
    "words,message",
    [
        (["--count", "0"], "--count"),
        (["--temperature", "-1"], "--temperature"),
        (["--temperature", "nan"], "--temperature"),
        (["--top-k", "0"], "--top-k"),
        (["--top-p", "1.5"], "--top-p"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(words, message, monkeypatch):
    monkeypatch.setattr(Writer, "load", pytest.fail)
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(ValueError, match=message):
        command.run(parser.parse_args(words))


def test_the_command_writes_lines(capsysbinary):
    assert main(["write", "--count", "3", "--seed", "1", "two", "dogs"]) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert len(lines) == 3 and all(line.startswith("two dogs") for line in lines)


@pytest.mark.parametrize("name", ["language_modelling-multi30k", "language_modelling-repeats"])
def test_checkpoints_beat_chance(name):
    card = json.loads((CHECKPOINTS / name / "card.json").read_text("utf-8"))
    assert card["metrics"]["test_perplexity"]["score"] < len(Writer.load(name).vocabulary) / 2
    assert card["search"] is None


# --- heads ------------------------------------------------------------------------------------


@few
@given(length=st.integers(2, 6), count=st.integers(1, 4))
def test_words_occur_twice(length, count):
    tokens = heads.twice(11, length, count, seed=length)
    assert tokens.shape == (count, 2 * length + 1) and (tokens[:, 0] == BOS).all()
    assert torch.equal(tokens[:, 1 : length + 1], tokens[:, length + 1 :])
    assert all(len(set(row)) == length for row in tokens[:, 1 : length + 1].tolist())
    assert tokens[:, 1:].min() > UNK and tokens.max() < 11
    with pytest.raises(ValueError, match="9 different words"):
        heads.twice(11, 9)


def test_scores_of_heads_are_means_of_weights():
    model, tokens, T = tiny(), heads.twice(11, 5, 4), 5
    every = model.eval().weights(None, tokens).own
    prefix, previous = heads.prefix_matching(model, tokens), heads.previous_position(model, tokens)
    for layer, head in ((0, 0), (1, 2)):
        weights = every[layer][:, head]
        # The query at T + 1 + i reads word i again; word i + 1 first stood at position i + 2.
        wanted = torch.stack([weights[:, T + 1 + i, i + 2] for i in range(T - 1)])
        assert float(prefix[layer, head]) == pytest.approx(float(wanted.mean()), abs=1e-6)
        wanted = torch.stack([weights[:, i, i - 1] for i in range(1, 2 * T + 1)])
        assert float(previous[layer, head]) == pytest.approx(float(wanted.mean()), abs=1e-6)


def test_a_head_is_taken_away_and_comes_back():
    model, tokens = tiny(), heads.twice(11, 5, 4)
    whole = heads.loss_again(model, tokens)
    with heads.without_head(model, (0, 1), (1, 0)):
        kept = [layer.self_attention.W_o.weight.clone() for layer in model.layers]
        assert heads.loss_again(model, tokens) != whole
    assert (kept[0][:, 4:8] == 0).all() and (kept[1][:, 0:4] == 0).all()
    assert (kept[0][:, :4] != 0).any() and (kept[1][:, 4:] != 0).any()
    assert heads.loss_again(model, tokens) == whole
    with pytest.raises(RuntimeError), heads.without_head(model, (1, 1)):
        raise RuntimeError
    assert heads.loss_again(model, tokens) == whole


def test_the_loss_of_each_copy():
    model, tokens, T = tiny(), heads.twice(11, 5, 3), 5
    with torch.no_grad():
        nats = -model.eval()(None, tokens[:, :-1])[0].log_softmax(-1)
    nats = nats.gather(2, tokens[:, 1:, None])[:, :, 0]
    first, again = heads.loss_again(model, tokens)
    assert first == pytest.approx(float(nats[:, :T].mean()), rel=1e-5)
    assert again == pytest.approx(float(nats[:, T + 1 :].mean()), rel=1e-5)


@pytest.mark.parametrize("kv_heads", [3, 1])
def test_copying_finds_a_head_that_copies(kv_heads):
    """Values and outputs of the last layer are made such that one head writes the word it reads."""
    model = tiny(kv_heads=kv_heads, embedding_dim=36, seed=1)
    layer = model.layers[1]
    with torch.no_grad():
        layer.feed_forward[3].weight.zero_()
        basis = torch.linalg.qr(torch.randn(36, 12))[0]
        layer.self_attention.W_v.weight[-12:] = 3 * basis.T
        layer.self_attention.W_o.weight[:, 24:] = 3 * basis
    found = heads.copying(model, heads.twice(11, 5, 30))
    assert found.shape == (2, 3) and found[1].argmax() == 2 and found[1, 2] > 0.5
    weights = [layer.self_attention.W_o.weight.clone() for layer in model.layers]
    heads.copying(model, heads.twice(11, 5, 3))
    assert all(
        torch.equal(a, layer.self_attention.W_o.weight)
        for a, layer in zip(weights, model.layers, strict=True)
    )


def test_what_a_study_says_of_heads(writer):
    words = Vocabulary.words([" ".join(WORDS)])
    found = measure_heads(Writer(tiny(len(words)), words))
    assert found["induction_heads"] == 0
    assert found["again_without_induction"] == found["again_without_others"] == found["again"]
    assert len(found["without"]) == 2 and len(found["without"][0]) == 3
    assert found["again"] > 2


def test_heads_are_watched_at_each_validation():
    row = {}

    class Run:
        model = tiny(28)

    heads.WatchHeads(6).after_validation(Run, row)
    tokens = heads.twice(28, 6)
    assert row == {
        "prefix_matching": float(heads.prefix_matching(Run.model, tokens).max()),
        "previous": float(heads.previous_position(Run.model, tokens).max()),
        "loss_again": heads.loss_again(Run.model, tokens)[1],
    }


def test_the_benchmark_measures_only_a_checkpoint_that_is_there():
    from course_utils.tasks.language_modelling.benchmarks import writing_rows

    (row,) = writing_rows("nothing-of-this-name")
    assert row.value == "not measured" and "nothing-of-this-name" in row.beside


def test_the_picture_of_a_head_that_finds_what_came_after(monkeypatch):
    """The best head of all layers, and outlines where a word follows its first occurrence."""
    vocabulary = Vocabulary.words([" ".join(f"w{n}" for n in range(20))])
    writer, drawn = SimpleNamespace(model="model", vocabulary=vocabulary), {}
    weights = torch.rand(2, 3, 1, 17, 17, generator=torch.Generator().manual_seed(1))
    matching = torch.tensor([[0.1, 0.2, 0.3], [0.9, 0.4, 0.5]])
    monkeypatch.setattr(Writer, "load", {"tiny": writer}.get)
    monkeypatch.setattr(heads, "prefix_matching", lambda model, tokens: matching)
    monkeypatch.setattr(heads, "own_weights", lambda model, tokens: weights)

    def draw(weights, columns, rows, **options):
        drawn.update(weights=weights, columns=columns, rows=rows, **options)
        return "axes"

    monkeypatch.setattr(plotting, "attention_matrix", draw)
    ax, text = induction_picture("tiny")
    assert ax == "axes" and "eight random words" in text
    assert torch.equal(drawn["weights"], weights[1, 0, 0])
    words = drawn["columns"]
    assert words == drawn["rows"] and words[1:9] == words[9:] and len(set(words[1:9])) == 8
    assert f"'{words[9]}'" in drawn["title"]
    # Each word of the second copy but the last looks where it was before, and one further on.
    assert [(row, words[column - 1]) for column, row in drawn["gold"]] == [
        (row, words[row]) for row in range(9, 16)
    ]
    assert all(column <= 8 for column, _ in drawn["gold"])
