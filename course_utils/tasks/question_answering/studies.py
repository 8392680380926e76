"""Studies of visual question answering: what a hop is good for, and what is not looked at."""

from collections import Counter, defaultdict
from functools import cache

import numpy as np

from course_utils.datasets.generated.scene_questions import KINDS, Question, questions
from course_utils.tasks.base import Pair
from course_utils.tasks.question_answering import recipes
from course_utils.tasks.question_answering.answerer import Answer, VisualAnswerer
from course_utils.tasks.question_answering.data import (
    QuestionData,
    easy_vqa_pairs,
    scene_data,
)
from course_utils.tasks.question_answering.looking import ERASURES, erased_accuracy, looking
from course_utils.tasks.study import Study, Variant

__all__ = [
    "STUDIES",
    "expected_answers",
    "measure_easy_vqa",
    "measure_scenes",
    "scenes_to_compare",
    "told_of",
]


@cache
def scenes_to_compare() -> list[Question]:
    """The questions that compare the models of studies, made once.

    They are a second validation set: choices were made after reading them. The test of the recipe
    has other scenes.
    """
    return questions("test", recipes.TEST_SCENES, per_kind=500)


def measure_scenes(answerer: VisualAnswerer) -> dict:
    """Accuracy by kind of question; where each hop looks, and what erasing that changes."""
    asked = scenes_to_compare()
    answers = answerer.answer([(q.scene.image, q.text) for q in asked])
    right = np.array([a.text == q.answer for a, q in zip(answers, asked, strict=True)])
    kinds = np.array([q.kind for q in asked])
    measured: dict = {
        "accuracy": round(float(right.mean()), 4),
        "by_kind": {kind: round(float(right[kinds == kind].mean()), 4) for kind in KINDS},
    }
    if not len(answers[0].attention):
        return measured
    measured["told_of"] = told_of(asked, answers)
    measured["looking"], measured["erased"] = {}, {}
    for kind in ("colour", "relation"):
        chosen = np.flatnonzero(kinds == kind)
        some, before = [asked[i] for i in chosen], [answers[i] for i in chosen]
        measured["looking"][kind] = [
            {k: round(v, 4) for k, v in vars(hop).items()} for hop in looking(some, before)
        ]
        measured["erased"][kind] = {
            what: round(erased_accuracy(answerer, some, before, what), 4)
            for what in ERASURES
            if kind == "relation" or what != "reference"
        }
    return measured


def told_of(asked: list[Question], answers: list[Answer]) -> dict[str, float]:
    """Of the wrong answers to relations: which share is true of the thing that is only named, and
    which of a thing that the question does not mean at all?"""
    named, other = [], []
    for q, answer in zip(asked, answers, strict=True):
        if q.kind == "relation" and answer.text != q.answer:
            rest = set(range(len(q.scene.things))) - set(q.asked) - set(q.reference)
            named.append(any(_true_of(q, i, answer.text) for i in q.reference))
            other.append(any(_true_of(q, i, answer.text) for i in rest))
    return {"named": round(float(np.mean(named)), 4), "another": round(float(np.mean(other)), 4)}


def _true_of(question: Question, thing: int, answer: str) -> bool:
    return answer in question.scene.things[thing].kind


def expected_answers(pairs: list[Pair]) -> dict[str, str]:
    """The most frequent answer to each question, whatever the picture."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for (_, question), answer in pairs:
        counts[question][answer] += 1
    return {question: found.most_common(1)[0][0] for question, found in counts.items()}


def measure_easy_vqa(answerer: VisualAnswerer) -> dict:
    """Test accuracy; also where the answer is the most frequent one to its question, and not."""
    pairs = easy_vqa_pairs("test")
    expected = expected_answers(easy_vqa_pairs("train"))
    usual = np.array([answer == expected[question] for (_, question), answer in pairs])
    outputs = answerer.predict([given for given, _ in pairs])
    right = np.array([a == b for a, (_, b) in zip(outputs, pairs, strict=True)])
    yes_no = np.array([answer in ("yes", "no") for _, answer in pairs])
    return {
        "accuracy": round(float(right.mean()), 4),
        "yes_no": round(float(right[yes_no].mean()), 4),
        "usual_answers": round(float(right[yes_no & usual].mean()), 4),
        "rare_answers": round(float(right[yes_no & ~usual].mean()), 4),
        "share_of_usual_answers": round(float(usual.mean()), 4),
    }


BUDGET, LONGER, LONGEST = 500, 900, 1800
# No setting of attention is left where there is none.
NONE = {"hops": None, "plan": None, "separate": None}
PUBLISHED = {"plan": None, "separate": None, "attention_dim": 64}
RIVALS = {
    "question only": NONE | {"kind": "question"},
    "picture only": NONE | {"kind": "picture"},
    "pooled": NONE | {"kind": "pooled"},
    "one hop": PUBLISHED | {"hops": 1},
    "two hops": PUBLISHED | {"hops": 2},
    "three hops": PUBLISHED | {"hops": 3},
}


@cache
def untaught() -> QuestionData:
    """The data of the recipe without where to look, made once."""
    return scene_data()


def from_answers(name: str, model: dict, steps: int) -> Variant:
    """A variant that learns from the answers alone."""
    return Variant(name, model, steps, data=untaught)


EASY_RIVALS = {
    name: {"hops": None, "attention_dim": None} | {"kind": name.split()[0]}
    for name in ("question only", "picture only", "pooled")
} | {"one hop": {}}

STUDIES = (
    Study(
        "hops",
        "How often does the question have to ask the picture?",
        (
            *(from_answers(name, model, BUDGET) for name, model in RIVALS.items()),
            from_answers("two hops, longer", RIVALS["two hops"], LONGER),
            from_answers("planned", {"separate": None}, LONGER),
            Variant("taught", PUBLISHED, LONGER),
            Variant("planned, taught", {"separate": None}, LONGER),
            Variant("planned, taught, separate", {}, LONGER),
            Variant("planned, taught, separate, one hop", {"hops": 1}, LONGER),
            *(
                from_answers(f"{name}, longest", RIVALS[name], LONGEST)
                for name in ("two hops", "one hop", "pooled")  # the others are best at step 166
            ),
        ),
        seeds=(0, 1),
        recipe=recipes.SCENES,
        measure=measure_scenes,
        seeds_of={
            name: (0,)
            for name in (
                "three hops",
                "taught",
                "planned, taught",
                "planned, taught, separate",
                "planned, taught, separate, one hop",
            )
        },
    ),
    Study(
        "priors",
        "What the questions of easy-VQA give away",
        tuple(Variant(name, model, 600) for name, model in EASY_RIVALS.items()),
        seeds=(0, 1),
        recipe=recipes.EASY_VQA,
        measure=measure_easy_vqa,
    ),
)
