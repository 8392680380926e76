"""The readers of bAbI and dialog bAbI, on archives of a few lines."""

import hashlib
import io
import tarfile

import pytest

from course_utils.datasets import fetch
from course_utils.datasets.public import babi as babi_module
from course_utils.datasets.public import dialog_babi as dialog_module
from course_utils.datasets.public.babi import StoryQuestion, babi
from course_utils.datasets.public.dialog_babi import DialogueTurn, candidates, dialog_babi
from course_utils.datasets.registry import DataError

STORY = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Mary took the milk there.
5 What is Mary carrying? \tmilk,apple\t4 1
1 Daniel is tall.
2 Is Daniel tall? \tyes\t1
"""
DIALOGUE = """1 hi\thello what can i help you with today
2 in paris\tapi_call italian paris two cheap
3 resto_x R_phone resto_x_phone
4 <SILENCE>\twhat do you think of this option: resto_x

1 hello\thello what can i help you with today
"""


def archive(folder, name, files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, text in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    (folder / name).write_bytes(packed.getvalue())
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    with open(folder / "SHA256SUMS", "a") as sums:
        sums.write(f"{digest}  {name}\n")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    folder = tmp_path / "mirror"
    folder.mkdir()
    stories = "".join(f"1 Mary is in room {i}.\n2 Where is Mary? \troom{i}\t1\n" for i in range(20))
    archive(
        folder,
        babi_module.ARCHIVE,
        {
            "tasks/en-10k/qa1_single-supporting-fact_train.txt": stories,
            "tasks/en-10k/qa1_single-supporting-fact_test.txt": STORY,
            "tasks/en/qa1_single-supporting-fact_test.txt": "1 the small version\n",
            "tasks/en-10k/qa3_three-supporting-facts_test.txt": STORY,
        },
    )
    parts = [f"d/dialog-babi-task{t}{p}.txt" for t in range(1, 6) for p in ("trn", "dev", "tst")]
    parts += [f"d/dialog-babi-task{t}tst-OOV.txt" for t in range(1, 6)]
    listed = "1 b second\n1 a first\n1 b second\n"
    archive(
        folder,
        dialog_module.ARCHIVE,
        {name: DIALOGUE for name in parts} | {"d/dialog-babi-candidates.txt": listed},
    )
    monkeypatch.setenv("COURSE_MIRROR", str(folder))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    yield folder
    babi_module._read.cache_clear()
    dialog_module._read.cache_clear()


def test_facts_are_places_in_the_story_without_the_questions(mirror):
    first, second, third = babi(1, "test")
    assert first == StoryQuestion(
        ("Mary moved to the bathroom", "John went to the hallway"),
        "Where is Mary",
        "bathroom",
        (0,),
    )
    assert second.story == (*first.story, "Mary took the milk there")
    assert (second.answer, second.facts) == ("milk,apple", (2, 0))
    assert (third.story, third.facts) == (("Daniel is tall",), (0,))


def test_validation_takes_every_tenth_story_and_nothing_twice(mirror):
    train, valid = babi(1, "train"), babi(1, "valid")
    assert [q.answer for q in valid] == ["room9", "room19"]
    assert len(train) == 18 and not {q.answer for q in train} & {q.answer for q in valid}


def test_a_task_without_its_file_says_so(mirror):
    assert len(babi(3, "test")) == 3
    with pytest.raises(DataError, match="Task 3 of bAbI .* no train file"):
        babi(3, "train")
    with pytest.raises(ValueError, match="1 to 20"):
        babi(21, "test")
    with pytest.raises(ValueError, match="unknown split"):
        babi(1, "oov")


def test_a_dialogue_remembers_both_speakers_and_the_booking_system(mirror):
    turns = dialog_babi(2, "oov")
    assert [turn.dialogue for turn in turns] == [0, 0, 0, 1]
    assert turns[2] == DialogueTurn(
        (
            "<user> hi",
            "<bot> hello what can i help you with today",
            "<user> in paris",
            "<bot> api_call italian paris two cheap",
            "resto_x R_phone resto_x_phone",
        ),
        "<user> <SILENCE>",
        "what do you think of this option: resto_x",
        0,
    )
    assert turns[3].history == ()
    assert candidates() == ["a first", "b second"]
    with pytest.raises(ValueError, match="tasks 1 to 5"):
        dialog_babi(6, "test")


def test_both_are_verified_and_found(mirror):
    assert fetch("babi") == mirror and fetch("dialog_babi") == mirror
