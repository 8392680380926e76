"""Text classifiers: padding, packing, pooling, questions, two levels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.attention import Attention, DotScore
from course_utils.models.classifiers import (
    KINDS,
    AttentionTextClassifier,
    HierarchicalClassifier,
    PairEmbedding,
    QuestionClassifier,
    build_text_classifier,
    padding_last,
)
from course_utils.recurrence import read_both_ways
from course_utils.vocabulary import BOS, EOS, PAD, UNK
from tools.tiny import few

V, E, H, C = 19, 5, 7, 3
END = 4


class Textbook(nn.Module):
    """The form in textbooks: without a mask and without packing."""

    def __init__(self, vocab_size, embed_dim, hidden_dim, num_classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * hidden_dim, 1)
        self.fc = nn.Linear(2 * hidden_dim, num_classes)

    def forward(self, ids):
        states, _ = self.lstm(self.embedding(ids))
        weights = self.attention(states).softmax(dim=1)
        return self.fc((weights * states).sum(dim=1))


def classifier(kind: str, seed: int = 0, **settings):
    torch.manual_seed(seed)
    settings = {"hierarchical": {"sentence_end": END}}.get(kind, {}) | settings
    model = build_text_classifier(
        V, labels=list("abc"), kind=kind, **({"embed_dim": E, "hidden_dim": H} | settings)
    )
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(3)  # far from uniform, so that a mistake shows
        model.embedding.weight.normal_()
        model.embedding.weight[0] = 0
        if model.pairs is not None:
            model.pairs.embedding.weight[1:].normal_()
    return model.eval()


ALL = sorted(KINDS)
PAIRS = {"pairs": 29, "pair_dim": 3}
VARIANTS = [(kind, {}) for kind in ALL] + [(k, PAIRS) for k in ALL if KINDS[k].takes_pairs]
texts = st.lists(
    st.lists(st.integers(min_value=1, max_value=V - 1), min_size=1, max_size=11),
    min_size=1,
    max_size=5,
)


def rows(texts, width=None):
    width = width or max(map(len, texts))
    return torch.tensor([t + [0] * (width - len(t)) for t in texts])


def test_equals_the_textbook_form_on_unpadded_input():
    torch.manual_seed(0)
    ours, theirs = AttentionTextClassifier(V, E, H, C), Textbook(V, E, H, C)
    ours.load_state_dict(theirs.state_dict())
    ids = torch.randint(1, V, (6, 11))
    torch.testing.assert_close(ours(ids), theirs(ids))
    padded = torch.cat([ids, torch.zeros(6, 9, dtype=torch.long)], dim=1)
    torch.testing.assert_close(ours(padded), ours(ids), atol=1e-5, rtol=0)
    assert (theirs(padded) - theirs(ids)).abs().max() > 1e-3, "the leak that the course repairs"


def test_the_learnt_query_is_an_attention_with_the_dot_score():
    model = classifier("attention")
    states, mask = torch.randn(2, 6, 2 * H), torch.ones(2, 6, dtype=torch.bool)
    mask[1, 4:] = False
    context, weights = model.pool(states, mask)
    query = model.attention.weight.expand(2, 1, -1)
    expected = Attention(DotScore(2 * H, 2 * H))(query, states, states, attend_mask=mask)
    torch.testing.assert_close(context, expected[0][:, 0])
    torch.testing.assert_close(weights, expected[1][:, 0])


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
@few
@given(texts=texts, pads=st.integers(min_value=1, max_value=9))
def test_padding_and_neighbours_change_nothing(kind, settings, texts, pads):
    model = classifier(kind, **settings)
    width = max(map(len, texts))
    logits, weights = model.attend(rows(texts, width + pads))
    assert logits.shape == (len(texts), C) and weights.shape == (len(texts), width + pads)
    for row, text in enumerate(texts):
        alone, own = model.attend(torch.tensor([text]))
        torch.testing.assert_close(logits[row], alone[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(weights[row, : len(text)], own[0], atol=1e-5, rtol=1e-5)
        assert not weights[row, len(text) :].any()


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
def test_padding_is_not_text_wherever_it_is(kind, settings):
    model = classifier(kind, **settings)
    plain, weights = model.attend(torch.tensor([[5, 6, END, 7]]))
    mixed, spread = model.attend(torch.tensor([[0, 0, 5, 6, 0, END, 7, 0]]))
    torch.testing.assert_close(mixed, plain)
    torch.testing.assert_close(spread[0, [2, 3, 5, 6]], weights[0])
    assert not spread[0, [0, 1, 4, 7]].any()


@pytest.mark.parametrize(("kind", "settings"), [v for v in VARIANTS if v[0] != "question"])
def test_an_empty_text_has_a_defined_answer(kind, settings):
    model = classifier(kind, **settings)
    bias = model.bias if kind == "bag" else model.fc.bias
    for ids in (torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 0, dtype=torch.long)):
        logits, weights = model.attend(ids)
        torch.testing.assert_close(logits, bias.expand(2, C))
        assert weights.shape == ids.shape and not weights.any()
    beside = model(torch.tensor([[0, 0, 0], [5, 6, 7]]))
    torch.testing.assert_close(beside[0], bias)
    torch.testing.assert_close(beside[1], model(torch.tensor([[5, 6, 7]]))[0])


@pytest.mark.parametrize("kind", ALL)
def test_weights_sum_to_one_and_gradients_are_finite(kind):
    model = classifier(kind).train()
    logits, weights = model.attend(rows([[5, 6, END, 7, 8], [9, 10], [3]]))
    total = torch.tensor([1.0, 1.0, 0.0 if kind == "question" else 1.0])
    torch.testing.assert_close(weights.sum(dim=1), total)
    logits.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_padding_last():
    ids, lengths, order = padding_last(torch.tensor([[0, 7, 0, 8], [5, 6, 7, 0], [0, 0, 0, 0]]))
    assert ids.tolist() == [[7, 8, 0, 0], [5, 6, 7, 0], [0, 0, 0, 0]]
    assert lengths.tolist() == [2, 3, 0] and order[0].tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(
    "ids", [torch.randn(2, 3), torch.tensor([1, 2]), torch.ones(1, 2, 3).int()]
)
def test_ids_of_another_shape_or_type(ids):
    with pytest.raises(ValueError, match=r"ids must (be integers|have shape \(batch, words)"):
        AttentionTextClassifier(V, E, H, C)(ids)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("vocab_size", (0, E, H, C)),
        ("embed_dim", (V, 0, H, C)),
        ("hidden_dim", (V, E, -1, C)),
        ("num_classes", (V, E, H, 0)),
    ],
)
def test_impossible_sizes(name, sizes):
    with pytest.raises(ValueError, match=name):
        AttentionTextClassifier(*sizes)
    with pytest.raises(ValueError, match="pairs must be at least 0"):
        AttentionTextClassifier(V, E, H, C, pairs=-1)
    for kind in ("bag", "question"):
        with pytest.raises(ValueError, match="takes no pairs of words"):
            classifier(kind, pairs=7)


def test_unknown_kind():
    with pytest.raises(ValueError, match="unknown kind 'mode'; choose from attention, bag"):
        build_text_classifier(V, labels=["a"], kind="mode")


# --- each kind by its definition --------------------------------------------------------------


def test_mean_max_and_last_by_hand():
    ids, lengths = rows([[5, 6, 7, 8], [9, 10]]), [4, 2]
    for kind, pool in (
        ("mean", lambda s: s.mean(dim=0)),
        ("max", lambda s: s.max(dim=0).values),
        ("last", lambda s: torch.cat([s[-1, :H], s[0, H:]])),
    ):
        model = classifier(kind)
        states = read_both_ways(model.lstm, model.embedding(ids), torch.tensor(lengths))
        vectors = torch.stack([pool(s[:n]) for s, n in zip(states, lengths, strict=True)])
        torch.testing.assert_close(model(ids), model.fc(vectors))


def test_last_state_needs_a_recurrence():
    with pytest.raises(ValueError, match="without a recurrence"):
        build_text_classifier(V, labels=["a"], kind="last", hidden_dim=0)(rows([[5]]))


def test_a_bag_of_words_counts_and_ignores_order():
    model = classifier("bag")
    once, twice = model(torch.tensor([[5, 6]])), model(torch.tensor([[6, 5, 6]]))
    torch.testing.assert_close(twice - once, model.embedding.weight[6][None])
    torch.testing.assert_close(once, model(torch.tensor([[6, 5]])))


def test_attention_over_embeddings_ignores_order():
    model = build_text_classifier(V, labels=["a", "b"], embed_dim=E, hidden_dim=0)
    assert model.lstm is None
    torch.testing.assert_close(model(torch.tensor([[5, 6, 7]])), model(torch.tensor([[7, 5, 6]])))


def test_pairs_are_neighbours_in_their_order():
    """A pair has its vector at its first word, the same wherever in the text the pair is."""
    embedding = PairEmbedding(10**6, 3)  # so many buckets that no two pairs share one here
    with torch.no_grad():
        embedding.embedding.weight[1:].normal_()
    assert not PairEmbedding(7, 3)(torch.tensor([[5, 6]])).any(), "untrained pairs say nothing"
    five_six, end = embedding(torch.tensor([[5, 6]]))[0]
    assert five_six.abs().min() > 0 and not end.any()
    torch.testing.assert_close(embedding(torch.tensor([[8, 5, 6, 8]]))[0, 1], five_six)
    for others in ([6, 5], [5, 7], [7, 6]):
        assert (embedding(torch.tensor([others]))[0, 0] - five_six).abs().max() > 1e-3
    for ids in ([PAD, 5], [5, PAD], [UNK, 5], [5, UNK], [BOS, 5], [5, EOS]):
        assert not embedding(torch.tensor([ids])).any()


def test_few_buckets_are_shared_and_all_are_used():
    embedding = PairEmbedding(11, 2)
    pairs = torch.cartesian_prod(torch.arange(4, V), torch.arange(4, V))
    with torch.no_grad():
        embedding.embedding.weight[:, 0] = torch.arange(12)
    assert set(embedding(pairs)[:, 0, 0].int().tolist()) == set(range(1, 12))


def test_attention_over_words_and_pairs_depends_on_order():
    model = classifier("attention", hidden_dim=0, **PAIRS)
    assert model.lstm is None and model.width == E + 3
    moved = model(torch.tensor([[5, 6, 7]])) - model(torch.tensor([[7, 5, 6]]))
    assert moved.abs().max() > 1e-3
    ids = torch.tensor([[5, 6, 7]])
    entering = torch.cat([model.embedding(ids), model.pairs(ids)], dim=-1)
    torch.testing.assert_close(model.embed(ids), entering)
    context, weights = model.pool(entering, torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(model.attend(ids)[1], weights)
    torch.testing.assert_close(model(ids), model.fc(context))


def test_the_question_is_the_query():
    model = classifier("question")
    text = [5, 6, 7, 8]
    one, other = model.attend(torch.tensor([[9, *text], [10, *text]]))[1]
    assert (one - other).abs().max() > 0.05 and one[0] == other[0] == 0
    ignoring = classifier("question", question="ignored")
    torch.testing.assert_close(*ignoring(torch.tensor([[9, *text], [10, *text]])))
    beside = classifier("question", question="feature")
    logits, weights = beside.attend(torch.tensor([[9, *text], [10, *text]]))
    torch.testing.assert_close(*weights)
    assert (logits[0] - logits[1]).abs().max() > 0.05
    with pytest.raises(ValueError, match="question='answer' is not one of"):
        QuestionClassifier(V, E, H, C, question="answer")
    with pytest.raises(ValueError, match="a row has no words"):
        model(torch.tensor([[0, 0], [9, 5]]))


def test_two_levels_by_hand():
    def ask(attention, query, states):
        context, weights = attention(query.expand(1, 1, -1), states, states, attend_mask=None)
        return context[:, 0], weights[:, 0]

    model = classifier("hierarchical")
    first, second = [5, 6, END], [7, 8]
    logits, weights, (shares,) = model.attend_levels(torch.tensor([first + second]))
    vectors, inside = [], []
    for sentence in (first, second):
        states, _ = model.lstm(model.embedding(torch.tensor([sentence])))
        vector, own = ask(model.word_attention, model.word_query, states)
        vectors.append(vector)
        inside.append(own[0])
    states, _ = model.sentence_lstm(torch.stack(vectors, dim=1))
    context, own = ask(model.sentence_attention, model.sentence_query, states)
    torch.testing.assert_close(logits, model.fc(context))
    torch.testing.assert_close(shares, own[0])
    expected = torch.cat([inside[0] * own[0, 0], inside[1] * own[0, 1]])
    torch.testing.assert_close(weights[0], expected)
    with pytest.raises(ValueError, match="hidden_dim > 0"):
        HierarchicalClassifier(V, E, 0, C, sentence_end=END)


def test_pairs_have_their_own_dropout():
    model = classifier("attention", pair_dropout=1.0, **PAIRS)
    ids = rows([[5, 6, 7, 8, 9, 10]])
    words, pairs = model.embed(ids).split([E, 3], dim=-1)
    assert words.any() and pairs.any()
    left, gone = model.train().embed(ids).split([E, 3], dim=-1)
    assert torch.equal(left, words) and not gone.any()
    both = classifier("attention", dropout=1.0, **PAIRS).train()
    assert not both.embed(ids).any(), "by default, it is that of the words"


def test_dropping_words_acts_in_training_only():
    model = classifier("mean", word_dropout=0.5)
    ids = rows([[5, 6, 7, 8, 9, 10]])
    assert torch.equal(model(ids), model(ids))
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(ids), model(ids))
