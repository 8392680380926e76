"""Agreement of weights with rationales, word vectors, highlighted text."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgba

from course_utils.models.word_vectors import cooccurrences, word_vectors
from course_utils.plotting.style import GOLD
from course_utils.plotting.texts import highlight
from course_utils.tasks.classification.rationales import (
    frequency_scores,
    per_word,
    random_scores,
    token_agreement,
    token_auprc,
    word_gradients,
    word_weights,
)
from tools.tiny import quick

# --- agreement --------------------------------------------------------------------------------


def test_agreement_by_hand():
    weights = [[0.5, 0.3, 0.1, 0.1], [0.6, 0.2, 0.2]]
    marks = [[1, 0, 0, 1], [1, 0, 0]]
    found = token_agreement(weights, marks)  # chosen: words 0 and 1 of the first, 0 of the second
    assert found.precision == pytest.approx(2 / 3) and found.recall == pytest.approx(2 / 3)
    assert found.chance_precision == pytest.approx(3 / 7)
    assert found.chosen == pytest.approx(3 / 7)


def test_even_weights_choose_nothing():
    found = token_agreement([np.full(7, 1 / 7)], [[1, 0, 0, 0, 0, 0, 1]])
    assert (found.precision, found.recall, found.chosen) == (0, 0, 0)


def test_auprc():
    marks = [[0, 1, 0, 1], [1, 0]]
    assert token_auprc([[1, 4, 2, 3], [9, 0]], marks) == 1.0
    # Of the ranking 3, 1, 2, 0 the marked words stand on places 1 and 4: (1/1 + 2/4) / 2.
    assert token_auprc([[1, 2, 3, 4]], [[1, 0, 0, 1]]) == pytest.approx((1 + 2 / 4) / 2)
    # Texts with nothing to rank are left out.
    assert token_auprc([[1, 4, 2, 3], [1, 2], [2, 1]], [marks[0], [0, 0], [1, 1]]) == 1.0
    with pytest.raises(ValueError, match="nothing to rank"):
        token_auprc([[1, 2]], [[1, 1]])


def test_who_ranks_at_random_gets_the_share_of_marked_words():
    generator = np.random.default_rng(0)
    marks = generator.random((200, 100)) < 0.3
    assert token_auprc(random_scores([100] * 200, seed=1), marks) == pytest.approx(0.3, abs=0.03)


@quick
@given(data=st.data(), count=st.integers(1, 4))
def test_auprc_sees_the_order_alone(data, count):
    lengths = data.draw(st.lists(st.integers(2, 9), min_size=count, max_size=count))
    scores = random_scores(lengths, data.draw(st.integers(0, 99)))
    marks = [[i % 2 == 0 for i in range(length)] for length in lengths]
    stretched = [3 * s**3 + 5 for s in scores]
    assert token_auprc(scores, marks) == pytest.approx(token_auprc(stretched, marks))


@pytest.mark.parametrize("measure", [token_agreement, token_auprc])
def test_sizes_that_do_not_fit(measure):
    with pytest.raises(ValueError, match="scores of 2 texts, but rationales of 1"):
        measure([[1], [1]], [[1]])
    with pytest.raises(
        ValueError, match="text 0: scores of shape .3,., but a rationale of shape .2,."
    ):
        measure([[1, 2, 3]], [[1, 0]])


def test_rare_words_first():
    (scores,) = frequency_scores([["the", "Plot", "gleams"]], [["the", "plot"], ["The", "the"]])
    assert scores.tolist() == pytest.approx([-np.log(4), -np.log(2), 0])


def test_pieces_of_a_word_count_together():
    text = "it's  (very) good."
    spans = [(0, 4), (6, 7), (7, 11), (11, 12), (13, 17), (17, 18)]
    found = per_word(text, spans, np.array([1, 2, 3, 4, 5, 6]))
    assert found.tolist() == [1, 9, 11]
    assert per_word("", [], np.zeros(0)).shape == (0,)


def test_weights_and_gradients_of_words():
    from test_classification import build, tiny_data

    from course_utils.tasks.classification.classifier import Classifier

    vocabulary = tiny_data().vocabulary
    classifier = Classifier(build(vocabulary)[0], vocabulary)
    texts = ["A lovely, lovely film!", "sad"]
    (weights, alone), gradients = word_weights(classifier, texts), word_gradients(classifier, texts)
    assert weights.shape == (4,) and weights.sum() == pytest.approx(1)
    assert alone == pytest.approx([1.0]) and [len(g) for g in gradients] == [4, 1]
    pieces = classifier.classify(texts)[0].weights
    assert weights == pytest.approx([pieces[0], pieces[1:3].sum(), pieces[3], pieces[4:].sum()])


# --- word vectors -----------------------------------------------------------------------------


def test_cooccurrences_by_hand():
    counts = cooccurrences([[4, 5, 6], [5, 4], [3, 4, 0, 4]], size=8, window=2).toarray()
    expected = np.zeros((8, 8))
    for i, j, count in ((4, 5, 1 + 1), (5, 6, 1), (4, 6, 0.5), (4, 4, 0.5)):
        expected[i, j] += count
        expected[j, i] += count
    np.testing.assert_allclose(counts, expected)  # texts do not touch, special ids do not count


def test_words_in_the_same_company_are_near():
    generator = np.random.default_rng(0)
    cats, food, cars, fuel = [4, 5, 6], [7, 8], [9, 10, 11], [12, 13]
    texts = []
    for _ in range(300):
        who, what = (cats, food) if generator.random() < 0.5 else (cars, fuel)
        texts.append([int(generator.choice(who)), int(generator.choice(what))])
    vectors = word_vectors(texts, size=15, width=3)
    assert vectors.shape == (15, 3) and not vectors[:4].any() and not vectors[14].any()
    assert vectors[4:14].pow(2).sum(dim=1).mean().item() == pytest.approx(1, abs=1e-4)
    near = vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-9)
    assert near[4] @ near[5] > 0.9 > 0.5 > near[4] @ near[9]


def test_word_vectors_that_cannot_be():
    with pytest.raises(ValueError, match="1 ≤ width < size"):
        word_vectors([[4, 5]], size=6, width=6)
    with pytest.raises(ValueError, match="nothing to count"):
        word_vectors([[4], [5]], size=6, width=2)


# --- highlighted text -------------------------------------------------------------------------


def test_highlight_draws_words_weights_and_marks():
    words = ["not", "a", "$5", "film"]
    ax = highlight(words, [0.1, 0.0, 0.4, 0.2], [True, False, True, False], columns=8, title="t")
    drawn = [t.get_text() for t in ax.texts]
    assert drawn == ["not", "a", "$5", "film"]
    rows = [t.get_position()[1] for t in ax.texts]
    assert rows == [0, 0, 0, 1] or rows == [0, 0, 1, 1], "a line holds eight letters"
    dark = [sum(box.get_facecolor()[:3]) for box in ax.patches]
    assert dark[2] < dark[3] < dark[0] < dark[1]
    assert [line.get_color() for line in ax.lines] == [GOLD, GOLD]
    assert ax.get_title(loc="left") == "t"
    same = highlight(["x"], [0.1], largest=0.4).patches[0].get_facecolor()
    assert same == to_rgba(ax.patches[0].get_facecolor())
    plt.close("all")


def test_highlight_that_cannot_be():
    with pytest.raises(ValueError, match="2 words, but weights of shape"):
        highlight(["a", "b"], [1.0])
    with pytest.raises(ValueError, match="2 words, but rationale of shape"):
        highlight(["a", "b"], [0.5, 0.5], [True])
    with pytest.raises(ValueError, match="columns=0"):
        highlight(["a"], [1.0], columns=0)
    assert len(highlight([], []).texts) == 0
    plt.close("all")
