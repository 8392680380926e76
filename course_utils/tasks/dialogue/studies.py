"""Studies of dialogue: bAbI, dialog bAbI, and what each part of the memory network is good for."""

from dataclasses import replace
from functools import partial

import numpy as np

from course_utils.datasets.generated.dialogues import KINDS, dialogues
from course_utils.datasets.public import babi as babi_set
from course_utils.datasets.public import dialog_babi as dialog_babi_set
from course_utils.tasks.dialogue.answerer import Answerer
from course_utils.tasks.dialogue.data import Turn, babi_data, chat_data, dialog_babi_data
from course_utils.tasks.dialogue.facts import facts_found
from course_utils.tasks.dialogue.recipes import BABI, CHAT, DIALOG_BABI, SMALL
from course_utils.tasks.study import Study, Variant

__all__ = ["STUDIES", "measure_babi", "measure_chat", "measure_dialogues"]


def measure_babi(answerer: Answerer, task: int) -> dict:
    """Test error of a task in per cent, and how often the heaviest sentence is a fact, by hop."""
    questions = babi_set.babi(task, "test")
    replies = answerer.answer([Turn(q.story, q.question) for q in questions])
    wrong = [reply.text != q.answer.lower() for reply, q in zip(replies, questions, strict=True)]
    found = facts_found([reply.weights for reply in replies], [q.facts for q in questions])
    return {
        "task": task,
        "test_error": round(100 * float(np.mean(wrong)), 2),
        "facts_by_hop": [round(float(x), 4) for x in found.by_hop],
        "facts_found": round(found.all, 4),
        "facts_chance": round(found.chance, 4),
    }


def measure_dialogues(answerer: Answerer, task: int) -> dict:
    """Per cent of right replies, and of dialogues all of whose replies are right."""
    measured: dict = {"task": task}
    for split in ("test", "oov"):
        turns = dialog_babi_set.dialog_babi(task, split)
        found = answerer.predict([Turn(turn.history, turn.said) for turn in turns])
        right = np.array([text == turn.answer for text, turn in zip(found, turns, strict=True)])
        numbers = np.array([turn.dialogue for turn in turns])
        whole = [right[numbers == number].all() for number in range(numbers.max() + 1)]
        measured[f"{split}_replies"] = round(100 * float(right.mean()), 2)
        measured[f"{split}_dialogues"] = round(100 * float(np.mean(whole)), 2)
    return measured


def measure_chat(answerer: Answerer, style: str = "all") -> dict:
    """Share of right answers on the test dialogues, by the number of facts that they need.

    For questions with facts: how often the heaviest turn of each hop is one of them.
    """
    turns = [turn for given in dialogues("test", style=style) for turn in given]
    turns = [turn for turn in turns if turn.kind != "other"]
    replies = answerer.answer([Turn(turn.history, turn.said) for turn in turns])
    right = np.array([r.text == turn.answer for r, turn in zip(replies, turns, strict=True)])
    groups = {f"facts_{count}": [len(turn.facts) == count for turn in turns] for count in range(4)}
    groups |= {kind: [turn.kind == kind and bool(turn.facts) for turn in turns] for kind in KINDS}
    measured: dict = {"accuracy": round(float(right.mean()), 4)}
    measured |= {
        name: round(float(right[np.array(some)].mean()), 4)
        for name, some in groups.items()
        if any(some)
    }
    for count in (1, 2, 3):
        chosen = np.flatnonzero(groups[f"facts_{count}"])
        found = facts_found([replies[i].weights for i in chosen], [turns[i].facts for i in chosen])
        measured[f"found_{count}"] = [round(float(x), 4) for x in found.by_hop]
        measured[f"chance_{count}"] = round(found.chance, 4)
    return measured


LONGER = (17, 18, 19)  # positions, sizes and path finding take longer than the rest
BELOW = (6, 7, 8, 10, 17, 18, 19)  # neither start reaches 0.99 on validation


def babi_variant(task: int, long_start: bool) -> Variant:
    """A task of bAbI. Some need a long linear start, others suffer from it: both are tried."""
    name = f"task {task}" + ", long linear start" * long_start
    steps = 6000 if task in LONGER else 3000
    model = {"linear_steps": steps // 2 if long_start else 300}
    return Variant(name, model, steps, **babi_parts(task))


def longer_variant(task: int) -> Variant:
    """A third try for a task that neither start brings to 0.99 on validation."""
    model = {"linear_steps": 1000, "noise": 0.0}
    return Variant(f"task {task}, longer, no noise", model, 9000, **babi_parts(task))


def babi_parts(task: int) -> dict:
    """The data of a task, and how it is measured."""
    return {"data": partial(babi_data, task), "measure": partial(measure_babi, task=task)}


# The chat with fewer steps: what each part is good for.
PARTS = replace(CHAT, name="dialogue-parts", model=CHAT.model | {"linear_steps": 2000})
SHORT = 8000
# Chains alone, with as many dialogues as the chat has: how many hops a chain needs.
LONG_CHAINS = replace(
    SMALL,
    name="dialogue-chains",
    data=partial(chat_data, 16_000, style="chains"),
    model=SMALL.model | {"embed_dim": 64, "linear_steps": 1000},
)
LONG_ENOUGH = {1: 3000, 3: 3000, 5: 16_000}  # dialog bAbI: until validation stops improving
NAMES_KEPT = replace(DIALOG_BABI, prepare=None)  # without exchanging them

STUDIES = (
    Study(
        name="babi",
        title="bAbI, each task on its own, restarts chosen on validation",
        variants=tuple(
            babi_variant(task, long_start)
            for long_start in (False, True)
            for task in babi_set.TASKS
        )
        + tuple(map(longer_variant, BELOW)),
        seeds=(0,),
        seeds_of={longer_variant(task).name: (0, 1) for task in BELOW},
        recipe=BABI,
    ),
    Study(
        name="dialog_babi",
        title="Dialog bAbI, each task on its own, names exchanged in training",
        variants=tuple(
            Variant(
                f"task {task}",
                {},
                steps=LONG_ENOUGH.get(task, 1500),
                data=partial(dialog_babi_data, task),
                measure=partial(measure_dialogues, task=task),
            )
            for task in dialog_babi_set.TASKS
        ),
        seeds=(0,),
        seeds_of={"task 1": (0, 1), "task 2": (0, 1)},
        recipe=DIALOG_BABI,
    ),
    Study(
        name="chains",
        title="Chains of one to three facts, by the number of hops",
        variants=tuple(
            Variant(f"{hops} hop{'s' * (hops > 1)}", {"hops": hops}, 4000) for hops in (1, 2, 3, 4)
        )
        + (Variant("1 hop, as wide as four", {"hops": 1, "embed_dim": 160}, 4000),),
        seeds=(0, 1),
        seeds_of={"3 hops": (0, 1, 2, 3), "4 hops": (0, 1, 2, 3)},
        recipe=LONG_CHAINS,
        measure=partial(measure_chat, style="chains"),
    ),
    Study(
        name="memory_parts",
        title="Generated dialogues: encodings, rectifier, linear start and tying",
        variants=(
            Variant("everything", {}, SHORT),
            Variant("no position encoding", {"position": False}, SHORT),
            Variant("no temporal encoding", {"temporal": False}, SHORT),
            Variant("no rectifier", {"rectify": False}, SHORT),
            Variant("no linear start", {"linear_steps": 0}, SHORT),
            Variant("layerwise", {"tying": "layerwise"}, SHORT),
        ),
        seeds=(0,),
        recipe=PARTS,
        measure=measure_chat,
    ),
    Study(
        name="names_kept",
        title="Dialog bAbI, task 4, without exchanging names",
        variants=(Variant("task 4", {}, 1500, data=partial(dialog_babi_data, 4)),),
        seeds=(0,),
        recipe=NAMES_KEPT,
        measure=partial(measure_dialogues, task=4),
    ),
    Study(
        name="linear_start",
        title="bAbI, task 16, with and without a linear start",
        variants=(
            Variant("linear start", {}, 3000, **babi_parts(16)),
            Variant("softmax from the start", {"linear_steps": 0}, 3000, **babi_parts(16)),
        ),
        seeds=tuple(range(8)),
        recipe=BABI,
    ),
)
