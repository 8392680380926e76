"""Dialog bAbI: generated dialogues with a restaurant's booking system, tasks 1 to 5.

Source: https://research.facebook.com/downloads/babi/. In each task a user talks to a bot, 1,000
dialogues each for training, validation and testing. The bot's replies are to be chosen from 4,212
candidates. A second test set of each task ("oov", out of vocabulary) has cities, dishes and
restaurants that the training set does not have.

A. Bordes, Y.-L. Boureau, J. Weston (2017). Learning End-to-End Goal-Oriented Dialog. ICLR 2017.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from course_utils.datasets.archives import tar_members
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

__all__ = ["DATASET", "SPLITS", "TASKS", "DialogueTurn", "candidates", "dialog_babi"]

ARCHIVE = "dialog-bAbI-tasks.tgz"

DATASET = PublicDataset(
    name="dialog_babi",
    title="Dialog bAbI: booking a restaurant, tasks 1 to 5",
    files=(
        RemoteFile(
            name=ARCHIVE,
            url="https://research.facebook.com/downloads/babi/",
            manifest=tuple(
                Content(f"*dialog-babi-task{task}{part}.txt", files=1)
                for task in range(1, 6)
                for part in ("trn", "dev", "tst", "tst-OOV")
            )
            + (Content("*dialog-babi-candidates.txt", files=1),),
        ),
    ),
    licence="CC BY 3.0",
    citation=(
        "A. Bordes, Y.-L. Boureau, J. Weston (2017). Learning End-to-End Goal-Oriented Dialog."
        " ICLR 2017."
    ),
    remarks=(
        "The publisher's page links the archive but has no lasting address for it: download it"
        " there, or use a mirror. The archive also holds task 6, which the course does not use."
    ),
)

SPLITS = {"train": "trn", "valid": "dev", "test": "tst", "oov": "tst-OOV"}
TASKS = {
    1: "issuing calls to the booking system",
    2: "updating them",
    3: "displaying options",
    4: "providing extra information",
    5: "whole dialogues",
}


@dataclass(frozen=True)
class DialogueTurn:
    """One reply of the bot, with what was said before it.

    history: the earlier turns, each with who said it in front ("<user> hello", "<bot> hello what
    can i help you with today"), and the lines that the booking system returned ("resto_paris_…
    R_price cheap"), in order.
    said: what the user has just said ("<user> in paris"); "<user> <silence>" if the bot goes on.
    answer: the reply of the bot.
    dialogue: the number of the dialogue in its file, from 0.
    """

    history: tuple[str, ...]
    said: str
    answer: str
    dialogue: int


def dialog_babi(task: int, split: str) -> list[DialogueTurn]:
    """The bot's replies in all dialogues of a task, in the order of the file.

    task: 1 to 5, see `TASKS`. split: "train", "valid", "test" or "oov" (the test set with unknown
    entities), 1,000 dialogues each.

    Reads the archive without unpacking it; downloads it unless it is in the cache or in a mirror.
    Raises ValueError for an unknown task or split, DataError if the archive cannot be downloaded or
    read.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if task not in TASKS:
        raise ValueError(f"the course uses the tasks 1 to 5 of dialog bAbI, not {task!r}")
    return _turns(_file(f"dialog-babi-task{task}{SPLITS[split]}.txt"))


def candidates() -> list[str]:
    """All replies of the bot in tasks 1 to 5, of every split: what an answer is chosen from."""
    lines = (line.partition(" ")[2].strip() for line in _file("dialog-babi-candidates.txt"))
    return sorted(set(lines) - {""})


def _file(name: str) -> list[str]:
    path = fetch("dialog_babi") / ARCHIVE
    files = _read(path)
    if name not in files:
        raise DataError(
            f"{path} has no file {name}.",
            "Remove it and run: python -m course_utils data get dialog_babi.",
        )
    return files[name].decode("utf-8").splitlines()


@lru_cache(maxsize=1)
def _read(path: Path) -> dict[str, bytes]:
    pattern = re.compile(r"(?:.*/)?(dialog-babi-(?:task[1-5].*|candidates)\.txt)")
    found = tar_members(path, pattern.fullmatch, "dialog_babi")
    return {name.rpartition("/")[2]: content for name, content in found}


def _turns(lines: list[str]) -> list[DialogueTurn]:
    turns: list[DialogueTurn] = []
    history: list[str] = []
    dialogue = -1
    for line in lines:
        number, _, text = line.strip().partition(" ")
        if number == "1":
            history, dialogue = [], dialogue + 1
        if "\t" in text:
            user, _, bot = text.partition("\t")
            said = f"<user> {user}"
            turns.append(DialogueTurn(tuple(history), said, bot, dialogue))
            history += [said, f"<bot> {bot}"]
        elif text:
            history.append(text)
    return turns
