"""`MemoryNetwork`: equal to its equations, and blind to what it may not see."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.models.memory_network import (
    MemoryNetwork,
    StoryBatch,
    build_memory_network,
    position_weights,
)
from course_utils.vocabulary import UNK
from tools.tiny import few, quick

SIZE, WIDTH = 19, 6
CANDIDATES = [[4], [5, 6], [7, 7, 8], [9], [10]]


def network(**settings) -> MemoryNetwork:
    torch.manual_seed(settings.pop("seed", 0))
    model = MemoryNetwork(
        SIZE, CANDIDATES, **{"embed_dim": WIDTH, "hops": 2, "memories": 7, "spread": 0.7} | settings
    )
    return model.eval()


def sentence(choose, least=1):
    return st.lists(st.integers(4, SIZE - 1), min_size=least, max_size=5).map(tuple)


stories = st.lists(st.lists(sentence(None), max_size=9), min_size=1, max_size=4)


def batch_of(stories, questions=None):
    questions = [[4, 5, 6]] * len(stories) if questions is None else questions
    return StoryBatch.of(stories, questions, [0] * len(stories))


def by_the_book(model, story, question):
    """Logits and weights of one story, word by word and memory by memory, in plain Python."""
    words = model.embedding.weight.split(WIDTH, dim=1)
    times = model.ages.weight.split(WIDTH, dim=1)
    story = story[-model.memories :]

    def vector(matrix, ids):
        J = len(ids)
        total = torch.zeros(WIDTH)
        for j, i in enumerate(ids, start=1):
            for k in range(1, WIDTH + 1):
                weight = (1 - j / J) - (k / WIDTH) * (1 - 2 * j / J) if model.position else 1.0
                total[k - 1] += weight * matrix[i, k - 1].detach()
        return total

    u, found = vector(words[0], question), []
    for hop in range(model.hops):
        a, c = (hop, hop + 1) if model.tying == "adjacent" else (0, 1)
        keys, values = [], []
        for place, ids in enumerate(story):
            age = len(story) - 1 - place if model.temporal else None
            keys.append(vector(words[a], ids) + (0 if age is None else times[a][age].detach()))
            values.append(vector(words[c], ids) + (0 if age is None else times[c][age].detach()))
        powers = [math.exp(float(u @ key)) for key in keys]
        p = [power / sum(powers) for power in powers]
        o = sum(
            (weight * value for weight, value in zip(p, values, strict=True)), torch.zeros(WIDTH)
        )
        u = (u if model.between is None else model.between(u).detach()) + o
        if model.rectify and hop + 1 < model.hops:
            u = torch.cat([u[: WIDTH // 2], u[WIDTH // 2 :].clamp_min(0)])
        found.append(p)
    answers = [sum(words[-1][i].detach() for i in ids) for ids in CANDIDATES]
    return torch.stack([u @ answer for answer in answers]), torch.tensor(found)


SETTINGS = [
    {},
    {"hops": 3},
    {"hops": 1},
    {"position": False},
    {"temporal": False},
    {"tying": "layerwise"},
    {"rectify": True, "hops": 3},
    {"memories": 2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_it_computes_its_equations(settings):
    model = network(**settings)
    told = [[(4, 5), (6, 7, 8), (4, 5), (9,)], [(10, 11, 12, 13)], [(5,), (14, 4, 9)]]
    asked = [[5, 4, 15], [6], [7, 8]]
    with torch.no_grad():
        logits, weights = model.attend(batch_of(told, asked))
    assert logits.shape == (3, len(CANDIDATES)) and weights.shape == (3, model.hops, 4)
    for row, (story, question) in enumerate(zip(told, asked, strict=True)):
        expected, p = by_the_book(model, story, question)
        torch.testing.assert_close(logits[row], expected, atol=1e-5, rtol=1e-4)
        kept = min(len(story), model.memories)
        at = weights[row, :, len(story) - kept : len(story)]
        torch.testing.assert_close(at, p, atol=1e-5, rtol=1e-4)
        assert float(weights[row].sum()) == pytest.approx(model.hops, abs=1e-4)
        assert not weights[row, :, len(story) :].any()


@few
@given(stories=stories, settings=st.sampled_from(SETTINGS))
def test_an_answer_does_not_depend_on_the_other_stories(stories, settings):
    model = network(**settings)
    with torch.no_grad():
        logits, weights = model.attend(batch_of(stories))
        for row, story in enumerate(stories):
            alone, own = model.attend(batch_of([story]))
            torch.testing.assert_close(alone[0], logits[row], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(
                own[0, :, : len(story)], weights[row, :, : len(story)], atol=1e-6, rtol=1e-4
            )


def test_a_story_without_memories_has_a_defined_answer():
    model = network()
    logits, weights = model.attend(batch_of([[], [(4, 5)]]))
    assert logits.isfinite().all() and not weights[0].any()
    u = model.embed(torch.tensor([[4, 5, 6]]))[0]
    answers = model.embed(model.candidates, position=False)[-1]
    torch.testing.assert_close(logits[0], (u @ answers.T)[0])


def test_order_matters_only_through_position_and_age():
    story, turned = [(4, 5, 6), (7, 8)], [(6, 5, 4), (7, 8)]
    assert not torch.allclose(network()(batch_of([story])), network()(batch_of([turned])))
    plain = network(position=False)
    torch.testing.assert_close(plain(batch_of([story])), plain(batch_of([turned])))
    reverse = story[::-1]
    assert not torch.allclose(plain(batch_of([story])), plain(batch_of([reverse])))
    timeless = network(temporal=False)
    torch.testing.assert_close(timeless(batch_of([story])), timeless(batch_of([reverse])))


@quick
@given(length=st.integers(1, 9), width=st.integers(1, 8), more=st.integers(0, 3))
def test_position_weights_are_those_of_the_paper(length, width, more):
    found = position_weights(torch.tensor([length]), length + more, width)[0]
    for j in range(1, length + 1):
        for k in range(1, width + 1):
            expected = (1 - j / length) - (k / width) * (1 - 2 * j / length)
            assert found[j - 1, k - 1] == pytest.approx(expected, abs=1e-5)
    assert not found[length:].any()


def test_linear_start_ends_after_its_steps_and_never_holds_outside_training():
    model = network(linear_steps=2)
    told = batch_of([[(4, 5), (6, 7)]])
    outside = model.attend(told)[1]
    model.train()
    sums = [model.attend(told)[1].sum(dim=2).tolist() for _ in range(3)]
    assert sums[0] == sums[1] and sums[0] != [[1, 1]]
    assert sums[2] == [[pytest.approx(1), pytest.approx(1)]]
    assert int(model.seen) == 3
    model.eval()
    torch.testing.assert_close(model.attend(told)[1], outside)
    assert int(model.seen) == 3


def test_noise_makes_memories_older_in_training_only():
    model = network(noise=0.5)
    lengths = torch.tensor([5, 0, 3])
    exact = torch.tensor([[4, 3, 2, 1, 0, 0], [0] * 6, [2, 1, 0, 0, 0, 0]])
    assert torch.equal(model.ages_of(lengths, 6), exact)
    model.train()
    torch.manual_seed(1)
    drawn = torch.stack([model.ages_of(lengths, 6) for _ in range(50)])
    assert (drawn >= exact).all() and (drawn > exact).any()
    assert (drawn[:, 0, :4] > drawn[:, 0, 1:5]).all(), "the order of the memories stays"
    assert int(drawn.max()) < model.ages.num_embeddings


def test_names_are_exchanged_everywhere_alike():
    model = network()
    model.names = torch.tensor([4, 5, 9, 12])
    texts = [torch.tensor([[4, 6, 5], [9, 4, 0]]), torch.tensor([[12, 7]])]
    for given_back, text in zip(model.disturbed(*texts), texts, strict=True):
        assert torch.equal(given_back, text), "outside training, nothing changes"
    model.train()
    torch.manual_seed(0)
    moved = 0
    for _ in range(20):
        first, second = model.disturbed(*texts)
        assert first[0, 1] == 6 and first[1, 2] == 0 and second[0, 1] == 7
        assert first[0, 0] == first[1, 1], "one name becomes one other name"
        names = [int(first[0, 0]), int(first[0, 2]), int(first[1, 0]), int(second[0, 0])]
        assert sorted(names) == [4, 5, 9, 12]
        moved += names != [4, 5, 9, 12]
    assert moved > 10


def test_words_are_forgotten_in_training_but_never_those_of_the_candidates():
    model = network(word_dropout=0.5).train()
    torch.manual_seed(0)
    story, candidates = torch.full((40, 5), 7), torch.full((40, 5), 8)
    story[:, 4] = 0
    found, kept = model.disturbed(story, candidates)
    assert torch.equal(kept, candidates)
    assert set(found[:, :4].flatten().tolist()) == {7, UNK} and not found[:, 4].any()
    assert 0.3 < (found[:, :4] == UNK).float().mean() < 0.7


def test_training_reaches_every_weight_that_it_should():
    model = network(hops=3, tying="layerwise", rectify=True).train()
    model(batch_of([[(4, 5), (6, 7)], [(8,)]])).square().sum().backward()
    used = model.embedding.weight.grad.abs().sum(dim=1)
    assert used[[4, 5, 6, 7, 8]].all() and not used[[0, 11, 15]].any()
    assert model.between.weight.grad.abs().sum() > 0 and model.ages.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hops": 0}, "hops must be at least 1"),
        ({"embed_dim": 0}, "embed_dim"),
        ({"memories": 0}, "memories"),
        ({"tying": "loose"}, "adjacent, layerwise"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        network(**settings)


def test_candidates_and_labels_belong_together():
    with pytest.raises(ValueError, match="candidates"):
        MemoryNetwork(SIZE, [])
    for labels in (["a"], ["a", "b", "b", "c", "d"]):
        with pytest.raises(ValueError, match="label of its own"):
            build_memory_network(SIZE, candidates=CANDIDATES, labels=labels)
    model = build_memory_network(SIZE, candidates=CANDIDATES, labels=list("abcde"), hops=1)
    assert model.labels == list("abcde") and model.hops == 1


def test_a_batch_holds_each_sentence_once():
    batch = batch_of([[(4, 5), (6,), (4, 5)], [(6,)]])
    assert batch.sentences.tolist() == [[0, 0], [4, 5], [6, 0]]
    assert batch.source.tolist() == [[1, 2, 1], [2, 0, 0]]
    assert batch.source_lengths.tolist() == [3, 1] and batch.target_tokens == 2
    assert batch.to("cpu").question.tolist() == [[4, 5, 6]] * 2
    with pytest.raises(AttributeError, match="no target_in"):
        batch.target_in  # noqa: B018
