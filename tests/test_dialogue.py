"""Generated dialogues, `Answerer`, `Conversation`, and the command ``chat``."""

import hashlib
import json
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.checkpoints import save_checkpoint
from course_utils.datasets.generated import dialogues as grammar
from course_utils.datasets.generated.dialogues import (
    ANSWERS,
    KINDS,
    NOTED,
    UNTOLD,
    dialogues,
    spoken,
)
from course_utils.models.memory_network import build_memory_network
from course_utils.paths import REPO, STUDIES, checkpoint_names
from course_utils.plotting.conversations import conversation_page
from course_utils.recipes import RECIPES, train_model
from course_utils.tasks.dialogue.answerer import Answerer, Conversation
from course_utils.tasks.dialogue.data import (
    MemoryData,
    Turn,
    all_words,
    answer_loss,
    chat_pairs,
    make_story_batch,
    memory_data,
)
from course_utils.tasks.dialogue.facts import facts_found
from course_utils.tasks.dialogue.recipes import common_words, exchange_names
from course_utils.training import FitSettings, fit
from tools.tiny import few, quick

# --- generated dialogues ------------------------------------------------------------------------

TALKS = dialogues("valid", 120) + dialogues("valid", 60, style="chains")
TURNS = [turn for talk in TALKS for turn in talk]


def test_dialogues_are_the_same_everywhere():
    text = "\n".join(
        f"{t.said}|{t.answer}|{t.kind}|{t.facts}" for talk in dialogues("test", 50) for t in talk
    )
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "9a924e0fb2a7e5be"


def test_a_history_is_all_that_was_said_before():
    for talk in TALKS:
        history = []
        for turn in talk:
            assert list(turn.history) == history
            history += [turn.said, f"<bot> {turn.answer}"]
    assert {turn.answer for turn in TURNS} <= set(ANSWERS)


def among(words, values):
    return [word for word in words if word in values]


def read_statement(text, told):
    """What a statement says, read from its words alone: an independent reading of the grammar."""
    words = text.split()
    people, cities = among(words, grammar.NAMES), among(words, grammar.CITIES)
    hotels, prices = among(words, grammar.HOTELS), among(words, grammar.PRICES)
    if people and cities:
        told["person", people[0]] = cities[0]
    elif hotels and cities:
        told["hotel", cities[0]] = hotels[0]
    elif hotels and prices:
        told["price", hotels[0]] = prices[0]
    elif len(cities) == 2:
        told["start"], told["end"] = cities


def answer_by_hand(turn, told):
    words = turn.said.split()
    if turn.kind in ("start", "end"):
        return told.get(turn.kind)
    city = hotel = None
    if turn.kind in ("person", "hotel of", "price of"):
        city = told.get(("person", among(words, grammar.NAMES)[0]))
    elif turn.kind in ("hotel", "price in"):
        city = among(words, grammar.CITIES)[0]
    else:
        hotel = among(words, grammar.HOTELS)[0]
    hotel = hotel or told.get(("hotel", city))
    if turn.kind == "person":
        return city
    if turn.kind in ("hotel", "hotel of"):
        return hotel and f"the {hotel}"
    price = told.get(("price", hotel))
    return price and f"{price} euros"


def test_the_answers_follow_from_what_was_said():
    wishes = ("people", "food", "day", "time")
    checked = {kind: 0 for kind in KINDS if kind not in wishes}
    for talk in TALKS:
        told = {}
        for turn in talk:
            if turn.answer == NOTED:
                read_statement(turn.said, told)
            elif turn.kind in checked:
                assert turn.answer == (answer_by_hand(turn, told) or UNTOLD), turn
                checked[turn.kind] += 1
    assert min(checked.values()) > 10


def test_facts_are_statements_of_the_user_and_as_many_as_the_question_needs():
    for turn in TURNS:
        if turn.answer == UNTOLD or turn.kind == "other":
            assert turn.facts == ()
            continue
        assert len(turn.facts) == KINDS[turn.kind]
        assert all(turn.history[place].startswith("<user> ") for place in turn.facts)
        assert all(turn.history[place + 1] == f"<bot> {NOTED}" for place in turn.facts)
        last = turn.history[turn.facts[-1]].split()
        assert set(turn.answer.split()) & set(last), "the last fact holds the answer"


def test_chains_are_about_people_hotels_and_prices():
    kinds = {t.kind for talk in dialogues("test", 60, style="chains") for t in talk}
    assert kinds == {"person", "hotel", "price", "hotel of", "price in", "price of", "other"}


def test_no_dialogue_is_in_two_splits():
    splits = {
        s: {tuple(t.said for t in talk) for talk in dialogues(s, 200)}
        for s in ("train", "valid", "test")
    }
    assert not splits["train"] & splits["valid"] and not splits["train"] & splits["test"]
    assert not splits["valid"] & splits["test"]
    with pytest.raises(ValueError, match="unknown split"):
        dialogues("all")
    with pytest.raises(ValueError, match="unknown style"):
        dialogues("test", style="short")
    with pytest.raises(ValueError, match="negative"):
        dialogues("test", -1)


# --- data and predictor -------------------------------------------------------------------------

PAIRS = [
    (Turn(("<user> anna is in rome", "<bot> noted"), "<user> where is anna"), "rome"),
    (Turn(("<user> ben is in oslo", "<bot> noted"), "<user> where is ben"), "oslo"),
    (Turn((), "<user> hello"), "hi"),
    (
        Turn(
            ("<user> anna is in oslo", "<bot> noted", "<user> anna is in rome", "<bot> noted"),
            "<user> where is anna",
        ),
        "rome",
    ),
]
LABELS = ("rome", "oslo", "hi", "where is it")


def tiny_data() -> MemoryData:
    return memory_data(PAIRS, PAIRS[:2], LABELS, [])


def tiny_answerer(train=0, **settings) -> Answerer:
    data = tiny_data()
    torch.manual_seed(0)
    model = build_memory_network(
        len(data.vocabulary),
        candidates=data.vocabulary.encode_all(LABELS),
        labels=LABELS,
        **{"embed_dim": 8, "hops": 2, "spread": 0.5} | settings,
    )
    if train:
        settings = FitSettings(
            train, learning_rate=0.03, weight_decay=0.0, label_smoothing=0.0, validate_every=train
        )
        fit(model, data.batches(4), settings, loss=answer_loss, progress=False)
    return Answerer(model.eval(), data.vocabulary)


def test_turns_become_ids_of_words():
    data = tiny_data()
    example = data.to_examples(PAIRS)[3]
    assert [data.vocabulary.decode(ids) for ids in example.source] == list(PAIRS[3][0].history)
    assert data.vocabulary.decode(example.others["question"]) == "<user> where is anna"
    assert example.target == [0]
    with pytest.raises(ValueError, match="paris"):
        data.to_examples([(Turn((), "x"), "paris")])
    with pytest.raises(ValueError, match="at least one"):
        make_story_batch([])
    assert "rome" in all_words(data.vocabulary) and "<pad>" not in all_words(data.vocabulary)


def test_it_can_learn_to_answer():
    answerer = tiny_answerer(train=60)
    assert answerer.predict([turn for turn, _ in PAIRS]) == [answer for _, answer in PAIRS]


texts = st.text(alphabet="abc ?!é<>\n4€", max_size=12)


@few
@given(
    st.lists(st.tuples(st.lists(texts, max_size=5), texts), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_replies_do_not_depend_on_the_others(given_turns, batch_size):
    answerer = tiny_answerer()
    turns = [Turn(tuple(history), said) for history, said in given_turns]
    together = answerer.answer(turns, batch_size=batch_size)
    for turn, reply in zip(turns, together, strict=True):
        (alone,) = answerer.answer([turn])
        assert reply.text == alone.text and reply.turn == turn
        assert reply.probability == pytest.approx(alone.probability, abs=1e-5)
        assert reply.weights.shape == (2, len(turn.history))
        np.testing.assert_allclose(reply.weights, alone.weights, atol=1e-5)
        sums = reply.weights.sum(axis=1)
        np.testing.assert_allclose(sums, 1.0 if turn.history else 0.0, atol=1e-5)


def test_unknown_words_are_named():
    (reply,) = tiny_answerer().answer([Turn((), "<user> where is zoe")])
    assert reply.unknown == ("zoe",)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("A table for 4, at 8pm!", "a table for four at eight"),
        ("It’s 80€ a night.", "it s eighty euros a night"),
        ("  ", ""),
        ("?!…", ""),
        ("Zürich", "zürich"),
        ("room4two", "room four two"),
    ],
)
def test_what_people_type_is_written_like_the_dialogues(typed, expected):
    assert spoken(typed) == expected


@quick
@given(st.text(max_size=40))
def test_spoken_is_stable(text):
    assert spoken(spoken(text)) == spoken(text)


def test_a_conversation_remembers_both_sides():
    chat = Conversation(tiny_answerer())
    first = chat.say("Anna is in Rome.")
    second = chat.say("Where is Anna?")
    assert first.history == ()
    assert second.history == ("<user> anna is in rome", f"<bot> {first.text}")
    with pytest.raises(ValueError, match="no words"):
        chat.say("...")
    assert len(chat.history) == 4


# --- facts, names, recipes ----------------------------------------------------------------------


def test_facts_found_counts_the_heaviest():
    weights = [
        np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]),
        np.array([[0.2, 0.5, 0.2, 0.1], [0.1, 0.2, 0.1, 0.6]]),
        np.array([[1.0], [1.0]]),
    ]
    score = facts_found(weights, [(0,), (1, 2), ()])
    assert score.by_hop.tolist() == [1.0, 0.0]
    assert score.all == pytest.approx((1 + 0.5) / 2)
    assert score.chance == pytest.approx((1 / 3 + 2 / 4) / 2)
    for wrong in ([(3,), (1,), ()], [(0,)], [(), (), ()], [(-1,), (0,), (0,)]):
        with pytest.raises(ValueError):
            facts_found(weights, wrong)


def test_common_words_are_those_of_many_turns():
    turns = [(Turn((f"<user> name{i} is here",), "<user> where"), "here") for i in range(30)]
    assert common_words(turns) == {"<user>", "is", "here", "where"}
    assert "name3" in common_words(turns, least=1 / 30)
    data = memory_data(turns, turns[:2], ["here"], [])
    model = tiny_answerer().model
    model.embedding = torch.nn.Embedding(len(data.vocabulary), 24)
    exchange_names(model, data)
    assert sorted(data.vocabulary.pieces(model.names.tolist())) == sorted(
        f"name{i}" for i in range(30)
    )


def test_the_pairs_of_the_chat_hold_every_question():
    pairs = chat_pairs("test", 20)
    turns = [turn for talk in dialogues("test", 20) for turn in talk]
    assert (
        sum(answer == NOTED for _, answer in pairs) == sum(t.answer == NOTED for t in turns) // 10
    )
    questions = [(t.said, t.answer) for t in turns if t.answer != NOTED]
    assert [(turn.said, answer) for turn, answer in pairs if answer != NOTED] == questions


def test_a_few_steps_of_the_recipe():
    from dataclasses import replace

    recipe = RECIPES["dialogue-small"]
    pairs = chat_pairs("train", 12)
    data = memory_data(pairs, pairs[:20], ANSWERS, [])
    short = replace(recipe, settings=replace(recipe.settings, steps=4, validate_every=2))
    model, history, settings = train_model(short, data, progress=False)
    assert settings["labels"] == ANSWERS and len(settings["candidates"]) == len(ANSWERS)
    assert [row["step"] for row in history.rows] == [2, 4]
    assert model.labels == list(ANSWERS)


# --- the command --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    answerer = tiny_answerer(train=60)
    save_checkpoint(
        folder,
        answerer.model,
        answerer.vocabulary,
        builder="memory_network",
        settings={
            "size": len(answerer.vocabulary),
            "candidates": answerer.vocabulary.encode_all(LABELS),
            "labels": list(LABELS),
            "embed_dim": 8,
            "hops": 2,
        },
        card={"name": "tiny"},
        log=[],
    )
    return folder


def chat(folder, text, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "course_utils", "chat", "--checkpoint", str(folder), *arguments],
        input=text if isinstance(text, bytes) else text.encode(),
        capture_output=True,
        cwd=REPO,
    )


def test_one_reply_for_each_line(folder):
    done = chat(folder, "Anna is in Rome.\n\nWhere is Anna?\n---\nwhere is Anna?\n")
    lines = done.stdout.decode().split("\n")
    assert done.returncode == 0 and len(lines) == 6
    assert lines[1] == "" and lines[2] == "rome" and lines[3] == "---" and lines[5] == ""


def test_unknown_words_go_to_standard_error(folder):
    done = chat(folder, "hello\nis Zoe in Tokyo?\n")
    assert done.returncode == 0
    assert "line 2: unknown words: zoe, tokyo" in done.stderr.decode()


def test_a_bad_file_does_not_lose_the_others(folder, tmp_path):
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("hello\n", "utf-8")
    bad.write_bytes(b"hello\n\xff\xfe\n")
    done = chat(folder, b"", str(bad), str(tmp_path / "none.txt"), str(good))
    assert done.returncode == 1
    assert len(done.stdout.decode().splitlines()) == 2
    assert len(done.stderr.decode().splitlines()) == 2


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.inside = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.inside = tag if tag in ("td", "th") else self.inside

    def handle_data(self, data):
        if self.inside:
            self.cells.append((self.inside, data))
            self.inside = None


def test_the_page_shows_every_reply(folder, tmp_path):
    page = tmp_path / "page.html"
    done = chat(folder, "<b>Anna</b> is in Rome\nWhere is Anna?\n", "--attention", str(page))
    assert done.returncode == 0, done.stderr
    found = Page(page.read_text("utf-8"))
    assert found.tags.count("section") == 2 and found.tags.count("table") == 1
    shares = [int(text.split()[0]) for tag, text in found.cells if tag == "td"]
    assert len(shares) == 2 * 2 and sum(shares) == pytest.approx(200, abs=2)
    assert chat(folder, "hello\n", "--attention", "page.png").returncode == 1


def test_markup_in_a_reply_is_shown():
    (reply,) = tiny_answerer().answer([Turn(("<script>alert(1)</script>",), "<b>&")])
    text = conversation_page([reply])
    assert "<script>" not in text and "&lt;script&gt;" in text and "&lt;b&gt;&amp;" in text


# --- what comes with the course -----------------------------------------------------------------


def test_the_turns_of_people_are_complete():
    sets = json.loads((STUDIES / "chat_turns.json").read_text("utf-8"))["sets"]
    for people in sets:
        turns = [turn for dialogue in people["dialogues"] for turn in dialogue]
        assert len(turns) == 20 and isinstance(people["knows_grammar"], bool)
        answers = {word for answer in ANSWERS for word in answer.split()}
        for turn in turns:
            assert spoken(turn["said"]) and turn["right"] == spoken(turn["right"]), turn
            if people["knows_grammar"]:  # others may ask for what no candidate says
                assert set(turn["right"].split()) <= answers, turn


@pytest.mark.skipif("dialogue-chat" not in checkpoint_names(), reason="no checkpoint")
def test_the_chat_follows_a_chain():
    bot = Conversation(Answerer.load("dialogue-chat"))
    for line in (
        "Hello!",
        "Clara flew to Oslo.",
        "In Oslo there is a hotel, the Bristol.",
        "A night at the Bristol is eighty euros.",
    ):
        bot.say(line)
    reply = bot.say("Where is Clara?")
    assert reply.text == "oslo"
    assert reply.weights.shape == (bot.answerer.model.hops, 8)


def test_the_benchmark_measures_only_a_checkpoint_that_is_there():
    from course_utils.tasks.dialogue.benchmarks import dialogue_rows

    (row,) = dialogue_rows("missing-chat")
    assert (row.value, row.beside) == ("not measured", "no checkpoint missing-chat")
    (row,) = dialogue_rows(count=2)
    assert row.value.endswith(" replies/s") and "turns before each" in row.beside
