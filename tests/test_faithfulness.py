"""Erased words, other weights, other models: what the tests of faithfulness compute."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.datasets.public.eraser_movies import MarkedReview
from course_utils.models.classifiers import build_text_classifier
from course_utils.tasks.classification import studies
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.classification.data import ClassificationData
from course_utils.tasks.classification.faithfulness import (
    adversarial_weights,
    divergence,
    erase_marked,
    erasure,
    given_weights,
    integrated_gradients,
    moved_marks,
    text_read,
    top_words,
    train_adversary,
    train_guided,
)
from course_utils.tasks.classification.rationales import random_scores, word_gradients, word_weights
from course_utils.vocabulary import Vocabulary
from tools.tiny import quick

WORDS = "good bad the film was plot and a scene long short red".split()


def counting_classifier():
    """A bag of words in which "good" votes for positive and "bad" for negative."""
    vocabulary = Vocabulary.words([" ".join(WORDS)])
    model = build_text_classifier(len(vocabulary), labels=["negative", "positive"], kind="bag")
    with torch.no_grad():
        model.embedding.weight[vocabulary.encode("good")[0]] = torch.tensor([-2.0, 2.0])
        model.embedding.weight[vocabulary.encode("bad")[0]] = torch.tensor([2.0, -2.0])
    return Classifier(model.eval(), vocabulary)


def attentive(seed=0):
    torch.manual_seed(seed)
    vocabulary = Vocabulary.words([" ".join(WORDS)])
    model = build_text_classifier(
        len(vocabulary), labels=["negative", "positive"], embed_dim=8, hidden_dim=6
    )
    return Classifier(model.eval(), vocabulary)


TEXTS = ["the film was good and a plot was bad and good", "a bad scene", "good red film was long"]


def test_top_words():
    scores = [0.1, 0.9, 0.2, 0.8, 0.7]
    assert top_words(scores, 2).tolist() == [False, True, False, True, False]
    assert top_words(scores, 9).all() and not top_words(scores, 0).any()
    assert top_words(scores, 2, width=2).tolist() == [False, False, False, True, True]
    assert top_words(scores, 3, width=2).sum() == 3


@quick
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(0, 12), st.integers(1, 4))
def test_as_many_words_as_asked_for(scores, count, width):
    assert top_words(scores, count, width).sum() == min(count, len(scores))


def test_erasing_the_word_that_decides():
    classifier = counting_classifier()
    text = ["a good film was long"]
    right = [np.array([0, 1, 0, 0, 0.0])]
    wrong = [np.array([0, 0, 1, 0, 0.0])]
    p = 1 / (1 + math.exp(-4))
    found = erasure(classifier, text, right, (0.2,))
    assert found.comprehensiveness[0] == pytest.approx(p - 0.5, abs=1e-4)
    assert found.sufficiency[0] == pytest.approx(0, abs=1e-4)
    found = erasure(classifier, text, wrong, (0.2,))
    assert found.comprehensiveness[0] == pytest.approx(0, abs=1e-4) and found.turned[0] == 0
    assert found.sufficiency[0] == pytest.approx(p - 0.5, abs=1e-4)
    turned = erasure(classifier, ["good good bad bad bad"], [np.array([0, 0, 1, 1, 1.0])], (0.6,))
    assert turned.turned[0] == 1


def test_at_least_one_word_is_erased():
    found = erasure(counting_classifier(), ["good film was"], [[1.0, 0.0, 0.0]], shares=(0.1,))
    assert found.comprehensiveness[0] > 0.4 and found.sufficiency[0] == pytest.approx(0, abs=0.1)


def test_erasing_what_is_marked():
    """As many words as are marked, in each text; none in the second one."""
    classifier, p = counting_classifier(), 1 / (1 + math.exp(-4))
    texts = ["a good film was long", "bad scene"]
    marks = [[False, True, True, False, False], [False, False]]
    before = classifier.classify(texts)
    for known in (None, before):
        found = erase_marked(classifier, texts, marks, known)
        assert found[:2] == pytest.approx(((p - 0.5) / 2, (p - 0.5) / 2), abs=1e-4)
    texts, marks = ["good bad bad", texts[1]], [[False, True, True], [False, False]]
    assert erase_marked(classifier, texts, marks)[2] == 0.5  # the first of them turns
    # "good" alone: the verdict is another one, its probability of the first verdict is meant.
    verdict, other = classifier.classify(["good bad bad", "good"])
    assert verdict.label != other.label
    found = erase_marked(classifier, texts[:1], [[True, False, False]])
    assert found[1] == pytest.approx(verdict.probability - (1 - other.probability), abs=1e-6)
    # Verdicts that are known are not asked for again.
    found = erase_marked(classifier, texts[:1], [[True, False, False]], [other])
    assert found[1] == pytest.approx(0, abs=1e-6) and found[2] == 1
    for wrong, message in (
        (
            [[True], marks[1]],
            "every word between spaces needs one mark: 1 for the 3 words of 'good",
        ),
        (marks[:1], "1 lists of marks for 2 texts"),
        ([[0.2, 0.5, 0.3], marks[1]], r"one bool for each word, got float64 of shape \(3,\)"),
        ([[marks[0]], marks[1]], r"one bool for each word, got bool of shape \(1, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            erase_marked(classifier, texts, wrong)
    with pytest.raises(ValueError, match="1 verdicts for 2 texts"):
        erase_marked(classifier, texts, marks, [verdict])
    with pytest.raises(ValueError, match="one bool for each word, got float64"):
        moved_marks([0.2, 0.5, 0.3], 0)


@quick
@given(st.lists(st.booleans(), max_size=9), st.integers(0, 10**6))
def test_marks_further_on_are_as_many(marks, seed):
    found = moved_marks(marks, seed)
    turns = [marks[n:] + marks[:n] for n in range(1, max(2, len(marks)))]
    assert found.tolist() in (turns if len(marks) > 1 else [marks])
    assert found.tolist() == moved_marks(marks, seed).tolist()


def test_marks_move_by_any_number_of_words():
    found = {tuple(moved_marks([True, False, False, False], seed)) for seed in range(40)}
    assert len(found) == 3 and (True, False, False, False) not in found


def test_the_words_that_a_model_reads():
    classifier, text = counting_classifier(), "a good film was long and a bad scene was short"
    assert text_read(classifier, text)[0] == text and text_read(classifier, text)[1].all()
    classifier.model.longest = 8  # two words from the beginning, six from the end
    read, which = text_read(classifier, text)
    assert read == "a good and a bad scene was short"
    assert which.tolist() == [True] * 2 + [False] * 3 + [True] * 6
    assert classifier.classify([read])[0].probabilities == pytest.approx(
        classifier.classify([text])[0].probabilities
    )
    assert text_read(classifier, read)[0] == read
    assert text_read(classifier, "")[0] == "" and len(text_read(classifier, "")[1]) == 0
    classifier.model.longest = 2  # the last two: of "end.", the word and its stop
    classifier.vocabulary = Vocabulary.words([" ".join(WORDS) + " . ,"], punctuation=True)
    assert text_read(classifier, "a good film, bad.")[0] == "bad."
    classifier.model.longest = 3  # those, and the comma of "film,"
    assert text_read(classifier, "a good film, bad.")[1].tolist() == [False, False, True, True]


def test_marked_words_against_as_many_others(monkeypatch):
    """Each ranking erases as many words of each text as people marked, of those that are read."""
    classifier = attentive(3)
    classifier.model.longest = 8  # two words from the beginning, six from the end
    given = {
        "a good film was long and red the scene was bad": [0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1],
        "good red film": [0, 1, 0],
        "a bad plot": [0, 0, 0],  # nobody marked anything: left out
        "a scene was": [1, 1, 1],  # or everything
    }
    marked = [
        MarkedReview(tuple(text.split()), "positive", tuple(map(bool, marks)))
        for text, marks in given.items()
    ]
    monkeypatch.setattr(studies, "marked_reviews", {"test": marked}.__getitem__)
    found = studies.measure_marks(classifier)
    texts = ["a good and red the scene was bad", "good red film"]
    people = [[False, True, False, False, True, True, False, True], [False, True, False]]
    assert found["texts"] == 2 and found["accuracy"] in (0, 0.25, 0.5, 0.75, 1)
    assert found["marked"] == pytest.approx((4 / 8 + 1 / 3) / 2, abs=1e-4)
    assert found["run"] == 1  # four words in three runs, and one in one

    def erased(marks):
        return [round(x, 4) for x in erase_marked(classifier, texts, marks)]

    weights = word_weights(classifier, texts)
    expected = {
        "people": [people],
        "attention": [[top_words(w, n) for w, n in zip(weights, (4, 1), strict=True)]],
        "moved": [[moved_marks(m, 1000 * d + i) for i, m in enumerate(people)] for d in range(3)],
    }
    for name, draws in expected.items():
        for number, key in enumerate(("comprehensiveness", "sufficiency", "turned")):
            assert found[f"{name}: {key}"] == [erased(marks)[number] for marks in draws]
    assert found["attention, runs: turned"] == found["attention: turned"]  # runs of one word
    gradients = word_gradients(classifier, texts)
    draws = [[top_words(g, n) for g, n in zip(gradients, (4, 1), strict=True)]]
    for name in ("gradient", "random"):
        if name == "random":
            scores = [random_scores(map(len, people), seed) for seed in range(3)]
            draws = [[top_words(s, n) for s, n in zip(d, (4, 1), strict=True)] for d in scores]
        for number, key in enumerate(("comprehensiveness", "sufficiency")):
            assert found[f"{name}: {key}"] == [erased(marks)[number] for marks in draws]
    assert len(found["random: turned"]) == 3 and len(found["gradient: turned"]) == 1


def test_scores_that_do_not_fit():
    with pytest.raises(ValueError, match="every word between spaces needs one score"):
        erasure(counting_classifier(), ["good film"], [[1.0]])


def test_integrated_gradients_of_a_linear_model_are_its_votes():
    pytest.importorskip("captum")
    (scores,) = integrated_gradients(counting_classifier(), ["a good film"])
    assert scores == pytest.approx([0, 2, 0], abs=1e-3)


def test_divergence_by_hand():
    p, q = torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    assert divergence(p, q).tolist() == pytest.approx([math.log(2), 0.0], abs=1e-6)


@quick
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_divergence_is_symmetric_and_bounded(seed, count):
    generator = torch.Generator().manual_seed(seed)
    p, q = torch.randn(2, count, generator=generator).mul(4).softmax(dim=-1)
    found = divergence(p, q)
    assert 0 <= found + 1e-6 <= math.log(2) + 2e-6
    assert found == pytest.approx(float(divergence(q, p)), abs=1e-6)


def test_given_weights():
    classifier = attentive()
    probabilities = given_weights(classifier, TEXTS, "none")
    for row, verdict in zip(probabilities, classifier.classify(TEXTS), strict=True):
        assert row == pytest.approx(list(verdict.probabilities.values()), abs=1e-6)
    mean = attentive()
    with torch.no_grad():
        mean.model.attention.weight.zero_()
    assert given_weights(classifier, TEXTS, "uniform") == pytest.approx(
        given_weights(mean, TEXTS, "none"), abs=1e-6
    )
    shuffled = given_weights(classifier, TEXTS, "shuffled", seed=1)
    assert np.abs(shuffled - probabilities).max() > 1e-6
    with pytest.raises(ValueError, match="not one of shuffled, uniform, none"):
        given_weights(classifier, TEXTS, "reversed")


def test_adversarial_weights_keep_the_prediction():
    apart, moved = adversarial_weights(attentive(), TEXTS, epsilon=0.02, steps=60)
    assert (moved <= 0.02 + 1e-6).all() and (apart > 0.02).all()
    assert (apart <= math.log(2) + 1e-6).all()


def tiny_data():
    pairs = [
        (f"the film was {w} and {a}", label)
        for a in ("long", "short", "red")
        for w, label in (("good", "positive"), ("bad", "negative"))
    ]
    classifier = attentive()
    return ClassificationData(
        pairs * 8, pairs, classifier.vocabulary, labels=("negative", "positive")
    )


def test_an_adversary_looks_elsewhere_if_it_is_paid_for_it():
    base, data = attentive(3), tiny_data()
    texts = [text for text, _ in data.valid]

    def apart(weight):
        other = train_adversary(base, data, weight, steps=80, seed=0)
        pairs = zip(word_weights(base, texts), word_weights(other, texts), strict=True)
        return np.mean([float(divergence(torch.tensor(a), torch.tensor(b))) for a, b in pairs])

    assert apart(1.0) > apart(0.0) + 0.1


def test_weights_on_the_word_that_decides_guide_a_model():
    guide, data = counting_classifier(), tiny_data()  # its weights are those of "good" and "bad"
    assert train_guided(guide, data, data.valid, steps=40, seed=0) == 1.0


def test_attention_in_runs_as_long_as_those_of_people(monkeypatch):
    classifier, text = attentive(3), "a good film was long and red the scene was bad"
    marks = [False, True, True, True, False, False, False, True, False, False, False]
    marked = [MarkedReview(tuple(text.split()), "positive", tuple(marks))]
    monkeypatch.setattr(studies, "marked_reviews", {"test": marked}.__getitem__)
    found = studies.measure_marks(classifier)
    assert found["run"] == 2  # four words in two runs
    weights = word_weights(classifier, [text])[0]
    expected = erase_marked(classifier, [text], [top_words(weights, 4, 2)])
    assert top_words(weights, 4, 2).tolist() != top_words(weights, 4).tolist()
    assert found["attention, runs: comprehensiveness"] == [pytest.approx(expected[0], abs=1e-4)]
