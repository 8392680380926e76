"""Contrast pairs: generated ones to train with, hand-written ones to test with, and no overlap."""

import hashlib
import re
from collections import Counter
from types import SimpleNamespace

import pytest

from course_utils.datasets.generated.contrasts import (
    BAD,
    FUNCTION_WORDS,
    GOOD,
    KINDS,
    contrasts,
    frame,
    neutral,
)
from course_utils.tasks.classification import studies
from course_utils.tasks.classification.data import (
    SENTIMENT,
    contrast_texts,
    hand_pairs,
    last_sentences,
)
from course_utils.tasks.classification.studies import check_lists, on_pairs

GENERATED = [text for kind in KINDS for pair in contrasts(kind, 3000) for text in pair.texts]
GENERATED += [text for texts in neutral(count=1000) for text in texts]
BY_HAND = [text for _, (one, _), (other, _) in hand_pairs() for text in (one, other)]


def words(texts):
    return {word for text in texts for word in re.findall(r"[\w']+", text.lower())}


def test_enough_pairs_by_hand_each_with_labels_that_fit_its_kind():
    pairs = hand_pairs()
    assert len(pairs) >= 60 and len(set(BY_HAND)) >= 2 * len(pairs) - 1
    assert set(Counter(kind for kind, *_ in pairs)) == {"negation", "contrast", "group"}
    for kind, (one, a), (other, b) in pairs:
        assert {a, b} <= set(SENTIMENT) and one != other
        assert (a == b) == (kind == "group")


def test_generated_and_written_pairs_share_function_words_alone():
    assert words(GENERATED) & words(BY_HAND) <= FUNCTION_WORDS
    assert not FUNCTION_WORDS & (set(GOOD) | set(BAD))


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
        found = re.fullmatch(r"i think .* (?:is|are|was|were) (\w+) ?[.!]?", pair.texts[0])
        if found:
            assert pair.labels[0] == SENTIMENT[found[1] in GOOD]


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
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "bd87ef7be35b7031"
    assert contrasts("turn", 20) != contrasts("turn", 20, seed=1)


def test_last_sentences():
    long = " ".join(["word"] * 26)
    pairs = [("One two. Three four five!  ", "a"), ("No stop at all here", "b"), ("Yes. No.", "c")]
    assert last_sentences([*pairs, (long, "d"), ("", "e")]) == [
        ("Three four five!", "a"),
        ("No stop at all here", "b"),
    ]


def test_what_cannot_be_made():
    with pytest.raises(ValueError, match="unknown kind 'contrast'"):
        contrasts("contrast", 3)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        contrasts("turn", -1)


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
    assert sum(len(pairs) for name, pairs in lists.items() if "hand" in name) == len(hand_pairs())
    for kind, one, other in hand_pairs():
        assert (one, other) in lists[f"by hand, {kind}"]
    first = contrasts("turn", 300, seed=1)[7]
    texts, labels = zip(*lists["generated, turn"][7], strict=True)
    assert (texts, labels) == (tuple(first.texts), tuple(first.labels))


def test_what_another_group_changes(monkeypatch):
    given = [("the dog is old", "the cat is old")] * 3 + [("a cat", "one cat")]
    monkeypatch.setattr(studies, "neutral", lambda seed: given)
    found = studies.measure_contrasts(WordOf("cat"))
    assert found["moved"] == round(3 * 0.7 / 4, 4) and found["turned"] == 0.75
    assert found["positive"].keys() == set(studies.SENTENCES)
    assert set(found["lists"]) == set(check_lists())
