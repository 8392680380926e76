"""Contrast pairs: generated ones to train with, hand-written ones to test with, and no overlap."""

import hashlib
import math
import re
from collections import Counter
from types import SimpleNamespace

import pytest
import torch

from course_utils.batches import Example
from course_utils.datasets.generated.contrasts import (
    BAD,
    FUNCTION_WORDS,
    GOOD,
    KINDS,
    _Choice,
    contrasts,
    frame,
    neutral,
    opinions,
)
from course_utils.models.classifiers import build_text_classifier
from course_utils.tasks.classification import contrast_data, data, studies
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.classification.contrast_data import contrast_texts, sentences, softened
from course_utils.tasks.classification.data import (
    SENTIMENT,
    ClassificationData,
    classification_loss,
    hand_pairs,
    make_labelled_batch,
)
from course_utils.tasks.classification.studies import check_lists, on_pairs
from course_utils.vocabulary import Vocabulary

GENERATED = [
    text
    for held in (False, True)
    for kind in KINDS
    for pair in contrasts(kind, 3000, held=held)
    for text in pair.texts
]
GENERATED += [text for texts in neutral(count=1000) for text in texts]
BY_HAND = [text for _, (one, _), (other, _) in hand_pairs() for text in (one, other)]


def words(texts):
    return {word for text in texts for word in re.findall(r"[\w']+", text.lower())}


@pytest.mark.parametrize("part", ["test", "dev"])
def test_enough_pairs_by_hand_each_with_labels_that_fit_its_kind(part):
    pairs = hand_pairs(part)
    different = {text for _, *texts in pairs for text, _ in texts}
    assert len(pairs) >= 60 and len(different) >= 2 * len(pairs) - 1
    assert set(Counter(kind for kind, *_ in pairs)) == {"negation", "contrast", "group"}
    for kind, (one, a), (other, b) in pairs:
        assert {a, b} <= set(SENTIMENT) and one != other
        assert (a == b) == (kind == "group")


def test_generated_and_written_pairs_share_function_words_alone():
    assert words(GENERATED) & words(BY_HAND) <= FUNCTION_WORDS
    assert not FUNCTION_WORDS & (set(GOOD) | set(BAD))


def test_pairs_for_choosing_are_not_those_for_testing():
    dev = {text for _, *texts in hand_pairs("dev") for text, _ in texts}
    assert dev.isdisjoint(BY_HAND)
    with pytest.raises(ValueError, match="unknown part 'train': choose one of test, dev"):
        hand_pairs("train")


def test_each_written_text_has_its_own_label(monkeypatch, tmp_path):
    (tmp_path / "contrast_pairs").mkdir()
    for name, text in (("by_hand", "dull"), ("dev", "slow")):
        line = f"negation\tnegative\t{text}\tpositive\tnot {text}\n"
        (tmp_path / "contrast_pairs" / f"{name}.tsv").write_text(line, "utf-8")
    monkeypatch.setattr(data, "DATA", tmp_path)
    assert hand_pairs() == [("negation", ("dull", "negative"), ("not dull", "positive"))]
    assert hand_pairs("dev") == [("negation", ("slow", "negative"), ("not slow", "positive"))]


def test_a_short_text_counts_as_many_words_as_the_least():
    texts = [(" ".join(["word"] * n), SENTIMENT[0]) for n in (1, 2, 3, 1, 2, 3, 12)]
    made = ClassificationData(texts, [], Vocabulary.words(["word"]), labels=SENTIMENT, least=5)
    batches = made.batches(12).epoch(0)
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    assert sorted(map(len, batches)) == [1, 2, 2, 2]  # twelve words hold five twice


def test_the_words_of_reviews_are_not_those_of_written_pairs():
    found = opinions()
    assert min(len(found["good"]), len(found["bad"])) > 150
    assert not set(found["good"]) & set(found["bad"])
    written = words(text for _, *texts in hand_pairs("dev") for text, _ in texts) | words(BY_HAND)
    harvested = {word for given in found.values() for word in given}
    assert not harvested & (written - FUNCTION_WORDS)


def test_held_out_words_and_patterns_are_in_no_pair_for_training():
    held = {"good", "bad"}
    words_of = {name: opinions()[name] for name in held}
    for name, given in words_of.items():
        apart = set(given[4::5])
        assert apart and not apart & words(t for p in contrasts("turn", 3000) for t in p.texts), (
            name
        )
    texts = {t for p in contrasts("turn", 2000, held=True) for t in p.texts}
    assert not texts & {t for p in contrasts("turn", 5000) for t in p.texts}
    free = set(words_of["good"]) | set(words_of["bad"])
    used = words(texts) & free
    assert used <= {w for given in words_of.values() for w in given[4::5]}


@pytest.mark.parametrize("count", [1, 4, 5, 9, 10, 13])
def test_one_word_in_five_is_held_out_of_training(count):
    choose, options = _Choice("any"), [str(n) for n in range(count)]
    free = {choose.part(options) for _ in range(400)}
    choose.held = True
    held = {choose.part(options) for _ in range(400)}
    assert held == (set(options[4::5]) or set(options))  # of a short list, all serve both
    assert free == set(options) - set(options[4::5])


def test_no_word_is_twice_in_a_list():
    for given in opinions().values():
        assert len(set(given)) == len(given)


def test_generated_and_written_pairs_share_no_frame():
    ours = {frame(text).rstrip(" .!") for text in GENERATED}
    theirs = {frame(text).rstrip(" .!") for text in BY_HAND}
    assert not ours & theirs and len(ours) > 200


def test_a_frame():
    assert frame("The plot isn't bad at all!") == "the _ isn't _ at all !"


@pytest.mark.parametrize("kind", KINDS)
def test_labels_turn_or_stay(kind):
    pairs = contrasts(kind, 500)
    assert len({pair.texts for pair in pairs}) == 500
    for pair in pairs:
        assert pair.kind == kind and pair.texts[0] != pair.texts[1]
        assert (pair.labels[0] == pair.labels[1]) == (kind == "group")
    firsts = Counter(pair.labels[0] for pair in pairs)
    assert min(firsts[label] for label in SENTIMENT) > 200


def test_a_plain_text_has_the_label_of_its_word():
    for pair in contrasts("negation", 2000):
        found = re.fullmatch(r"i think [\w ]* (?:is|are|was|were) (\w+) ?[.!]?", pair.texts[0])
        if found:
            assert pair.labels[0] == SENTIMENT[found[1] in opinions()["good"]]


def test_neutral_texts_say_nothing_and_come_with_both_labels():
    opinions = set(GOOD) | set(BAD)
    assert not words(text for texts in neutral() for text in texts) & opinions
    texts = contrast_texts((5, 4, 3))
    assert len(texts) == 2 * (5 + 4 + 3) + 4 * 1500
    known = {text for pair in neutral(count=1500) for text in pair}
    labels = Counter((text, label) for text, label in texts if text in known)
    assert set(labels) == {(text, label) for text in known for label in SENTIMENT}


def test_the_same_on_every_machine():
    text = repr([contrasts(kind, 200, seed=3) for kind in KINDS] + [neutral(seed=2)])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "18c9bb955ff5d780"
    assert contrasts("turn", 20) != contrasts("turn", 20, seed=1)


def test_sentences_with_the_label_of_their_text():
    long = " ".join(["word"] * 16)
    pairs = [("One two. Three four five!  ", "a"), ("No stop at all here", "b"), ("Yes. No.", "c")]
    found = sentences([*pairs, (long, "d"), ("", "e")], 10)
    assert sorted(found) == [("No stop at all here", "b"), ("Three four five!", "a")]
    assert sentences(pairs, 1) == found[:1] and sentences(pairs, 0) == []
    for count in (2, 3, 15, 16):
        text = " ".join(["word"] * count)
        assert sentences([(text, "a")], 9) == ([(text, "a")] if count in (3, 15) else [])
    many = [(f"this is number {n}", "a") for n in range(20)]
    orders = [sentences(many, 20, seed) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])
    with pytest.raises(ValueError, match="count must not be negative, got -1"):
        sentences(many, -1)


@pytest.mark.parametrize("with_pairs", [True, False])
def test_the_training_data_of_the_remedy(monkeypatch, with_pairs):
    """One review in six with probabilities, the pairs, and sentences of every review."""
    train = [(f"review number {n} .", SENTIMENT[n % 2]) for n in range(13)]
    valid = [("this is for choosing .", "positive")]
    words, known = Vocabulary.words(["review"]), Vocabulary.words(["review number"])
    made = ClassificationData(train, valid, words, cards=[{"name": "imdb"}], labels=SENTIMENT)
    asked = []

    def imdb(longest):
        asked.append(longest)
        return made

    monkeypatch.setattr(contrast_data, "imdb_data", imdb)
    monkeypatch.setattr(
        contrast_data,
        "load_checkpoint",
        {"classification-imdb": SimpleNamespace(vocabulary=known)}.get,
    )
    monkeypatch.setattr(contrast_data, "contrast_texts", lambda: [("a pair", "negative")])
    soft = lambda pairs, name: [(text, (0.25, 0.75)) for text, _ in pairs]  # noqa: E731
    monkeypatch.setattr(contrast_data, "softened", soft)
    found = contrast_data.imdb_contrast_data(*([] if with_pairs else [False]))
    expected = [(train[n][0], (0.25, 0.75)) for n in (0, 6, 12)]
    expected += [("a pair", "negative")] * with_pairs
    assert found.train[: len(expected)] == expected
    assert sorted(found.train[len(expected) :]) == sorted(train)
    assert asked == [400] and found.vocabulary is known and found.valid == valid
    assert found.cards[0] == {"name": "imdb"} and found.least == 21


def test_as_many_texts_of_each_kind_as_asked_for():
    found = contrast_texts((3, 2, 1))
    pairs = [p for kind, n in zip(KINDS, (3, 2, 1), strict=True) for p in contrasts(kind, n)]
    expected = [item for p in pairs for item in zip(p.texts, p.labels, strict=True)]
    assert found[:12] == expected
    nothing = [text for texts in neutral(count=1500) for text in texts]
    assert Counter(found[12:]) == Counter((t, label) for t in nothing for label in SENTIMENT)
    with pytest.raises(ValueError, match="2 counts for 3 kinds: negation, turn, group"):
        contrast_texts((3, 2))


def test_a_label_between_that_of_a_person_and_of_a_checkpoint(monkeypatch):
    verdict = SimpleNamespace(probabilities={"negative": 0.2, "positive": 0.8})
    checkpoint = SimpleNamespace(classify=lambda texts: [verdict for _ in texts])
    monkeypatch.setattr(Classifier, "load", lambda name: checkpoint)
    found = softened([("one", "positive"), ("two", "negative")], "any")
    assert [text for text, _ in found] == ["one", "two"]
    assert [p for _, p in found] == [pytest.approx((0.1, 0.9)), pytest.approx((0.6, 0.4))]
    made = ClassificationData(
        [*found, ("three", "positive")], [], Vocabulary.words(["one two three"]), labels=SENTIMENT
    )
    batch = make_labelled_batch(made.examples)
    torch.testing.assert_close(batch.target, torch.tensor([[0.1, 0.9], [0.6, 0.4], [0.0, 1.0]]))
    assert batch.target_tokens == 3
    model = build_text_classifier(len(made.vocabulary), labels=list(SENTIMENT))
    parts = [classification_loss(model.eval(), make_labelled_batch([e])) for e in made.examples]
    torch.testing.assert_close(classification_loss(model, batch), sum(parts) / 3)
    for smoothing in (0.0, 0.3):
        parts = [
            classification_loss(model, make_labelled_batch([e]), smoothing) for e in made.examples
        ]
        torch.testing.assert_close(classification_loss(model, batch, smoothing), sum(parts) / 3)
    first = make_labelled_batch([Example([4], [1]), Example([4, 5], [0.2, 0.3, 0.5])])
    assert first.target.tolist() == [[0, 1, 0], pytest.approx([0.2, 0.3, 0.5])]
    for wrong in ("good", 7, None):
        with pytest.raises(ValueError, match=f"unknown labels \\['{wrong}'\\]"):
            made.to_examples([("one", wrong)])
    for wrong in ((0.2, 0.3, 0.5), (1.0,), (), (-1,), (0.5, 0.6), (-0.5, 1.5), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="not the probabilities of the 2 labels negative, pos"):
            made.to_examples([("one", wrong)])
    with pytest.raises(ValueError, match="texts with 2 and 3 probabilities"):
        make_labelled_batch([Example([4], [0.5, 0.5]), Example([4, 5], [0.2, 0.3, 0.5])])
    with pytest.raises(ValueError, match="'fine' is no label of any, which has negative, positive"):
        softened([("one", "fine")], "any")


def test_what_cannot_be_made():
    with pytest.raises(ValueError, match="unknown kind 'contrast'"):
        contrasts("contrast", 3)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        contrasts("turn", -1)
    with pytest.raises(ValueError, match="count must not be negative, got -2"):
        neutral(count=-2)


# --- measuring a classifier with them ----------------------------------------------------------


class WordOf:
    """Says "positive" with probability .9 if a text has the word, else with .2."""

    def __init__(self, word):
        self.word = word

    def classify(self, texts):
        return [
            SimpleNamespace(probabilities={"positive": 0.9 if self.word in text.split() else 0.2})
            for text in texts
        ]

    def predict(self, texts):
        found = [verdict.probabilities["positive"] for verdict in self.classify(texts)]
        return ["positive" if p > 0.5 else "negative" for p in found]


def test_texts_and_pairs_are_counted_apart():
    pairs = [
        (("good", "positive"), ("bad", "negative")),  # both right
        (("good fun", "positive"), ("fine", "positive")),  # one of two
        (("not good", "negative"), ("not bad", "positive")),  # both wrong
        (("dull", "negative"), ("good", "negative")),  # one of two
    ]
    assert on_pairs(WordOf("good"), pairs) == (4 / 8, 1 / 4)


def test_check_lists_hold_every_pair_once():
    lists = check_lists()
    assert {name: len(pairs) for name, pairs in lists.items() if "generated" in name} == {
        f"generated, {kind}": 300 for kind in KINDS
    }
    for begins, part in (("by hand", "test"), ("development", "dev")):
        given = hand_pairs(part)
        assert sum(len(p) for name, p in lists.items() if name.startswith(begins)) == len(given)
        for kind, one, other in given:
            assert (one, other) in lists[f"{begins}, {kind}"]
    first = contrasts("turn", 300, seed=1, held=True)[7]
    texts, labels = zip(*lists["generated, turn"][7], strict=True)
    assert (texts, labels) == (tuple(first.texts), tuple(first.labels))


def test_what_another_group_changes(monkeypatch):
    given = [("the dog is old", "the cat is old")] * 3 + [("a cat", "one cat")]
    monkeypatch.setattr(studies, "neutral", lambda seed: given)
    found = studies.measure_contrasts(WordOf("cat"))
    assert found["moved"] == round(3 * 0.7 / 4, 4) and found["turned"] == 0.75
    assert found["positive"].keys() == set(studies.SENTENCES)
    assert set(found["lists"]) == set(check_lists())
