"""Studies of visual question answering: what a hop is good for, and what is not looked at."""

from collections import Counter, defaultdict
from functools import cache

import numpy as np

from course_utils.datasets.generated.scene_questions import KINDS, Question, questions
from course_utils.tasks.base import Pair
from course_utils.tasks.question_answering import recipes
from course_utils.tasks.question_answering.answerer import VisualAnswerer
from course_utils.tasks.question_answering.data import easy_vqa_pairs
from course_utils.tasks.question_answering.looking import ERASURES, erased_accuracy, looking
from course_utils.tasks.study import Study, Variant

__all__ = ["STUDIES", "expected_answers", "measure_easy_vqa", "measure_scenes", "test_questions"]


@cache
def test_questions() -> list[Question]:
    """The questions of the test of scenes, made once."""
    return questions("test", recipes.TEST_SCENES, per_kind=500)


def measure_scenes(answerer: VisualAnswerer) -> dict:
    """Test accuracy by kind of question; where each hop looks, and what erasing that changes."""
    asked = test_questions()
    answers = answerer.answer([(q.scene.image, q.text) for q in asked])
    right = np.array([a.text == q.answer for a, q in zip(answers, asked, strict=True)])
    kinds = np.array([q.kind for q in asked])
    measured: dict = {
        "accuracy": round(float(right.mean()), 4),
        "by_kind": {kind: round(float(right[kinds == kind].mean()), 4) for kind in KINDS},
    }
    if not len(answers[0].attention):
        return measured
    measured["looking"], measured["erased"] = {}, {}
    for kind in ("colour", "shape", "size", "relation"):
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


BUDGET, CONVERGED = 1000, 3000
# No setting of attention is left where there is none.
NONE = {"hops": None, "attention_dim": None}
RIVALS = {
    "question only": NONE | {"kind": "question"},
    "picture only": NONE | {"kind": "picture"},
    "pooled": NONE | {"kind": "pooled"},
    "one hop": {"hops": 1},
    "two hops": {"hops": 2},
    "three hops": {"hops": 3},
}

STUDIES = (
    Study(
        "hops",
        "How often does the question have to ask the picture?",
        (
            *(Variant(name, model, BUDGET) for name, model in RIVALS.items()),
            *(
                Variant(f"{name}, converged", model, CONVERGED)
                for name, model in RIVALS.items()
                if name != "picture only"
            ),
        ),
        seeds=(0, 1),
        recipe=recipes.SCENES,
        measure=measure_scenes,
        seeds_of={"three hops, converged": (0,)},
    ),
    Study(
        "priors",
        "What the questions of easy-VQA give away",
        tuple(
            Variant(name, RIVALS[name], 1000)
            for name in ("question only", "picture only", "pooled", "one hop")
        ),
        seeds=(0, 1),
        recipe=recipes.EASY_VQA,
        measure=measure_easy_vqa,
    ),
)
