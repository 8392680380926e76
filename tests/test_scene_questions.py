"""Questions about scenes: each answer is true, and the question alone does not give it away."""

import hashlib
import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from course_utils.datasets.generated.scene_questions import (
    ANSWERS,
    CHANCE,
    KINDS,
    questions,
)
from course_utils.datasets.generated.scenes import COLOURS, RELATIONS, SHAPES, SIZES

FOUND = questions("train", 600)
WORDS = {"size": SIZES, "colour": COLOURS, "shape": SHAPES}


def things(scene, phrase):
    """The things that a phrase fits: "the small red thing", "red crosses" …"""
    words = [re.sub("^(the|a)$", "", word) for word in phrase.split()]
    kept = range(len(scene.things))
    for word in filter(None, words):
        if word in ("thing", "things"):
            continue
        singular = next((s for s in SHAPES if word in (s, s + "s", s + "es")), word)
        (attribute,) = (name for name, values in WORDS.items() if singular in values)
        kept = [i for i in kept if getattr(scene.things[i], attribute) == singular]
    return list(kept)


def beyond(scene, relation, phrase):
    """The things that lie in a direction of another one, nearest first, by the pixels of all."""
    (reference,) = things(scene, phrase)
    axis = 1 if "of" in relation else 0
    sign = -1 if relation in ("left of", "above") else 1
    places = [sign * scene.mask(i).nonzero()[axis] for i in range(len(scene.things))]
    found = [i for i, place in enumerate(places) if place.min() > places[reference].max()]
    return sorted(found, key=lambda i: places[i].mean()), reference


def solve(scene, text):
    """(answer, things that it is read from, things only named), from the words of a question."""
    text = text.replace("color", "colour").rstrip("?")
    if m := re.fullmatch(r"how many (.+) (?:are there|do you see)", text):
        found = things(scene, m[1])
        return ["zero", "one", "two", "three"][len(found)], found, []
    if m := re.fullmatch(r"(?:is there|do you see) (a .+)", text):
        found = things(scene, m[1])
        return "yes" if found else "no", found, []
    if m := re.fullmatch(r"is (.+) (larger|smaller) than (.+)", text):
        (one,), (other,) = things(scene, m[1]), things(scene, m[3])
        if m[2] == "smaller":
            one, other = other, one
        sizes = scene.things[one].size, scene.things[other].size
        return "yes" if sizes == ("large", "small") else "no", [one, other], []
    m = re.fullmatch(r"are (.+) and (.+) of the same colour", text)
    if m := m or re.fullmatch(r"has (.+) the colour of (.+)", text):
        (one,), (other,) = things(scene, m[1]), things(scene, m[2])
        same = scene.things[one].colour == scene.things[other].colour
        return "yes" if same else "no", [one, other], []
    text = re.sub("^is (.+) small or large$", r"what size is \1", text)
    m = re.fullmatch(r"what (\w+) is (.+)", text) or re.fullmatch(
        r"what is the (\w+) of (.+)", text
    )
    relation = re.fullmatch(rf"the thing just ({'|'.join(RELATIONS)}) (.+)", m[2])
    if relation:
        (asked, *_), reference = beyond(scene, relation[1], relation[2])
        return getattr(scene.things[asked], m[1]), [asked], [reference]
    (asked,) = things(scene, m[2])
    return getattr(scene.things[asked], m[1]), [asked], []


def test_every_answer_is_true():
    for question in FOUND:
        answer, asked, reference = solve(question.scene, question.text)
        assert answer == question.answer, question.text
        assert sorted(asked) == sorted(question.asked), question.text
        assert reference == list(question.reference), question.text


def test_a_relation_needs_the_thing_that_is_named():
    """Neither is the answer the only one left, nor is the outermost thing always meant."""
    relations = [q for q in FOUND if q.kind == "relation"]
    outermost = []
    for q in relations:
        attribute = "shape" if "shape" in q.text.split()[:4] else "colour"
        rest = set(range(len(q.scene.things))) - set(q.reference) - set(q.asked)
        assert any(getattr(q.scene.things[i], attribute) != q.answer for i in rest)
        right, down = next(RELATIONS[r] for r in RELATIONS if f"just {r}" in q.text)
        reach = [thing.x * right + thing.y * down for thing in q.scene.things]
        outermost.append(max(reach) == reach[q.asked[0]])
    assert len(relations) > 100 and 0.3 < np.mean(outermost) < 0.6


def test_all_kinds_answers_and_wordings_occur():
    assert {q.kind for q in FOUND} == set(KINDS) == set(CHANCE)
    assert {q.answer for q in questions("train", 3000)} == set(ANSWERS)
    starts = {" ".join(q.text.split()[:2]) for q in FOUND}
    assert {"what colour", "what color", "how many", "is there", "do you", "are the"} <= starts


def test_the_answers_are_balanced_within_what_is_asked():
    counts = defaultdict(Counter)
    for q in FOUND:
        text = re.sub("^(do you see|is there)", "", q.text)
        if q.kind == "count":
            counts["count", q.text.split()[2]][q.answer] += 1
        elif q.kind == "existence":
            counts[q.kind, text][q.answer] += 1
        elif q.kind == "relation":
            relation = next(r for r in RELATIONS if f"just {r}" in q.text)
            counts[q.kind, relation, q.answer in COLOURS][q.answer] += 1
        else:
            counts[q.kind, "than" in q.text][q.answer] += 1
    for key, answers in counts.items():
        assert len(set(answers.values())) == 1, key
    for kind in KINDS:
        shares = [len(a) for key, a in counts.items() if key[0] == kind]
        assert CHANCE[kind] == pytest.approx(sum(1 / n for n in shares) / len(shares))


def test_per_kind_is_a_limit_that_keeps_the_balance():
    found = questions("train", 600, per_kind=84)
    for kind, count in Counter(q.kind for q in found).items():
        assert 70 < count <= 84, kind
    colours = Counter(q.answer for q in found if q.kind == "colour")
    assert len(set(colours.values())) == 1 and len(colours) == len(COLOURS)


def test_the_questions_about_a_scene_follow_each_other():
    scenes = [id(q.scene) for q in FOUND]
    assert sum(a != b for a, b in zip(scenes, scenes[1:], strict=False)) + 1 == len(set(scenes))
    assert all(len(q.scene.things) >= 3 for q in FOUND)


def test_equal_arguments_give_equal_questions():
    def digest(found):
        content = [(q.text, q.answer, q.asked, q.reference) for q in found]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    again = questions("train", 600)
    assert digest(again) == digest(FOUND)
    assert digest(questions("valid", 600)) != digest(FOUND) != digest(questions("train", 600, 1))
    assert digest(questions("test", 120))[:12] == "1019c548e646"


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="per_kind = 0"):
        questions("train", 10, per_kind=0)
    with pytest.raises(ValueError, match="unknown split 'all'"):
        questions("all")
