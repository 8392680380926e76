"""bAbI: 20 tasks of question answering, with the sentences that each answer follows from.

Source: https://research.facebook.com/downloads/babi/. Each task has 10,000 questions for training
(the English part "en-10k") and 1,000 for testing, written by a small simulation: people walk
around, take things, are taller than others. The published files mark the *supporting facts* of each
answer, so it can be checked where a model looked.

J. Weston, A. Bordes, S. Chopra, A. M. Rush, B. van Merriënboer, A. Joulin, T. Mikolov (2016).
Towards AI-Complete Question Answering: A Set of Prerequisite Toy Tasks. ICLR 2016.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from course_utils.datasets.archives import tar_members
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

__all__ = ["DATASET", "SPLITS", "TASKS", "StoryQuestion", "babi"]

ARCHIVE = "babi_tasks_1-20_v1-2.tar.gz"

DATASET = PublicDataset(
    name="babi",
    title="bAbI: 20 tasks of question answering with supporting facts",
    files=(
        RemoteFile(
            name=ARCHIVE,
            url=f"https://s3.amazonaws.com/text-datasets/{ARCHIVE}",
            # A copy may lack files: a task without its files is left out.
            manifest=(Content("*en-10k/qa1_single-supporting-fact_train.txt", files=1),),
        ),
    ),
    licence="CC BY 3.0",
    citation=(
        "J. Weston, A. Bordes, S. Chopra, A. M. Rush, B. van Merriënboer, A. Joulin, T. Mikolov"
        " (2016). Towards AI-Complete Question Answering: A Set of Prerequisite Toy Tasks. ICLR"
        " 2016."
    ),
    remarks="The course uses the part en-10k: 10,000 questions for training in each task.",
)

SPLITS = ("train", "valid", "test")
TASKS = {
    1: "single supporting fact",
    2: "two supporting facts",
    3: "three supporting facts",
    4: "two-argument relations",
    5: "three-argument relations",
    6: "yes/no questions",
    7: "counting",
    8: "lists and sets",
    9: "simple negation",
    10: "indefinite knowledge",
    11: "basic coreference",
    12: "conjunction",
    13: "compound coreference",
    14: "time reasoning",
    15: "basic deduction",
    16: "basic induction",
    17: "positional reasoning",
    18: "size reasoning",
    19: "path finding",
    20: "agents' motivations",
}


@dataclass(frozen=True)
class StoryQuestion:
    """A question about a story.

    story: what was said before it, one text for each sentence, in order, without full stops.
    question, answer: without question mark; an answer with several words is joined by commas.
    facts: the places in ``story`` of the sentences that the answer follows from.
    """

    story: tuple[str, ...]
    question: str
    answer: str
    facts: tuple[int, ...]


def babi(task: int, split: str) -> list[StoryQuestion]:
    """The questions of a task, in the order of the file.

    task: 1 to 20, see `TASKS`. split: "train" (about 9,000), "valid" (about 1,000: every tenth
    story of the training file) or "test" (1,000).

    Reads the archive without unpacking it; downloads it unless it is in the cache or in a mirror.
    Raises ValueError for an unknown task or split, DataError if the archive cannot be downloaded or
    read, or if the file of the task is not in it.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if task not in TASKS:
        raise ValueError(f"bAbI has the tasks 1 to 20, not {task!r}")
    part = "test" if split == "test" else "train"
    files = _read(fetch("babi") / ARCHIVE)
    if (task, part) not in files:
        raise DataError(
            f"Task {task} of bAbI ({TASKS[task]}) has no {part} file in this copy of the archive.",
            "The other tasks work without it.",
        )
    stories = _stories(files[task, part].decode("utf-8").splitlines())
    if split != "test":
        stories = [s for i, s in enumerate(stories) if (i % 10 == 9) == (split == "valid")]
    return [question for story in stories for question in story]


@lru_cache(maxsize=1)
def _read(path: Path) -> dict[tuple[int, str], bytes]:
    """(task, part) → content."""
    pattern = re.compile(r"(?:.*/)?en-10k/qa(\d+)_[^/]*_(train|test)\.txt")
    found = tar_members(path, pattern.fullmatch, "babi")
    matches = ((pattern.fullmatch(name), content) for name, content in found)
    return {(int(match[1]), match[2]): content for match, content in matches if match}


def _stories(lines: list[str]) -> list[list[StoryQuestion]]:
    """The questions of each story: a story begins at every line numbered 1."""
    stories: list[list[StoryQuestion]] = []
    for line in lines:
        number, _, text = line.strip().partition(" ")
        if number == "1":
            stories.append([])
            story: list[str] = []
            places: dict[str, int] = {}
        if "\t" in text:
            question, answer, facts = text.split("\t")
            stories[-1].append(
                StoryQuestion(
                    tuple(story),
                    question.strip().rstrip("?").strip(),
                    answer.strip(),
                    tuple(places[fact] for fact in facts.split()),
                )
            )
        elif text:
            places[number] = len(story)
            story.append(text.strip().rstrip(".").strip())
    return stories
