"""Answerers, their data and predictor, where they look, and the command ``answer``."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_utils import datasets
from course_utils.__main__ import main
from course_utils.batches import Padded
from course_utils.checkpoints import CheckpointError, save_checkpoint
from course_utils.datasets import easy_vqa
from course_utils.datasets.generated.scene_questions import questions
from course_utils.memory import Memory
from course_utils.models.answerers import (
    KINDS,
    PlannedScore,
    StackedAttention,
    build_answerer,
)
from course_utils.tasks.question_answering.answerer import VisualAnswerer
from course_utils.tasks.question_answering.data import (
    QuestionData,
    answer_loss,
    cells_of,
    look_loss,
    make_question_batch,
    taught_pairs,
    without_mark,
)
from course_utils.tasks.question_answering.looking import (
    ERASURES,
    erase,
    erased_accuracy,
    looking,
)
from course_utils.tasks.question_answering.recipes import prepare_encoder
from course_utils.tasks.question_answering.studies import expected_answers
from course_utils.training import FitSettings, fit
from course_utils.vocabulary import Vocabulary
from tools.tiny import few, quick

ASKED = questions("train", 400, per_kind=60)
LABELS = tuple(sorted({q.answer for q in ASKED}))
SIZES = {"width": 12, "embedding_dim": 6, "hidden_dim": 10, "channels": (4, 5, 6, 7)}


def pairs(asked=ASKED):
    return [((q.scene.image, q.text), q.answer) for q in asked]


def data():
    vocabulary = Vocabulary.words((without_mark(q.text) for q in ASKED), punctuation=True)
    return QuestionData(pairs(), pairs()[:40], vocabulary, labels=LABELS)


DATA = data()


def build(kind="stacked", seed=0, **settings):
    """An untrained answerer, sharper than usual, so that answers differ between inputs."""
    torch.manual_seed(seed)
    if kind == "stacked":
        settings = {"hops": 2, "attention_dim": 9} | settings
    model = build_answerer(
        len(DATA.vocabulary), labels=list(LABELS), kind=kind, **(SIZES | settings)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
    return model.eval()


def answerer(kind="stacked", **settings):
    return VisualAnswerer(build(kind, **settings), DATA.vocabulary)


# --- models -----------------------------------------------------------------------------------


def memory(P=2, n=5, D=12, seed=0):
    torch.manual_seed(seed)
    states = torch.randn(P, n, D)
    mask = torch.ones(P, n, dtype=torch.bool)
    return Memory(states, states, mask, states.mean(dim=1))


def test_each_hop_asks_with_what_the_last_one_found():
    torch.manual_seed(1)
    stacked, places, question = StackedAttention(12, 3, 7), memory(), torch.randn(4, 12)
    picture_of = torch.tensor([1, 0, 1, 1])
    u, weights = stacked(question, places, picture_of)
    assert weights.shape == (4, 3, 5)
    expected = question
    for hop, attention in enumerate(stacked.hops):
        for q in range(4):
            keys = places.keys[picture_of[q]]
            hidden = torch.tanh(attention.score.W_a(keys) + attention.score.U_a(expected[q]))
            alpha = attention.score.v(hidden).squeeze(1).softmax(0)
            torch.testing.assert_close(weights[q, hop], alpha)
        read = torch.einsum("qn,qnd->qd", weights[:, hop], places.keys[picture_of])
        expected = expected + read
    torch.testing.assert_close(u, expected)


def test_a_place_that_may_not_be_looked_at_gets_no_weight():
    places = memory()
    places.attend_mask[0, 3:] = False
    _, weights = StackedAttention(12, 2)(torch.randn(2, 12), places, torch.tensor([0, 1]))
    assert not weights[0, :, 3:].any() and bool((weights[1] > 0).all())


def test_bad_stacks_are_refused():
    with pytest.raises(ValueError, match="hops=0"):
        StackedAttention(12, 0)
    with pytest.raises(ValueError, match="question must have shape"):
        StackedAttention(12, 1)(torch.randn(2, 11), memory(), torch.tensor([0, 1]))


def test_what_each_kind_of_model_looks_at():
    def logits(kind, pictures, asked):
        given = Padded(torch.tensor(asked), torch.tensor([3, 3]))
        return build(kind)(pictures, given, torch.tensor([0, 1]))

    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    others = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    asked, differently = [[4, 5, 6], [7, 8, 9]], [[9, 5, 4], [6, 4, 8]]
    for kind in KINDS:
        before = logits(kind, pictures, asked)
        sees = not torch.allclose(before, logits(kind, others, asked), atol=1e-4)
        reads = not torch.allclose(before, logits(kind, pictures, differently), atol=1e-4)
        assert (sees, reads) == (kind != "question", kind != "picture"), kind


def test_builders_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="unknown kind 'two'; choose from .*stacked"):
        build_answerer(9, labels=["yes"], kind="two")
    for labels in ([], ["yes", "yes"]):
        with pytest.raises(ValueError, match="labels are the answers, all different"):
            build_answerer(9, labels=labels)


def test_a_planned_score_works_on_the_query_before_it_compares():
    torch.manual_seed(0)
    score, query, keys = PlannedScore(7, 4), torch.randn(2, 3, 7), torch.randn(2, 5, 4)
    found = score(query, score.prepare(keys))
    for b in range(2):
        for q in range(3):
            u = torch.nn.functional.layer_norm(query[b, q], (7,))
            hidden = (score.plan[0].weight @ u + score.plan[0].bias).relu()
            u = u + score.plan[2].weight @ hidden + score.plan[2].bias
            for i in range(5):
                expected = u @ (score.W.weight @ keys[b, i]) / 7**0.5
                torch.testing.assert_close(found[b, q, i], expected)
    assert [type(hop.score) for hop in StackedAttention(7, 2, plan=True).hops] == [PlannedScore] * 2


def test_nearby_places_start_with_similar_vectors():
    model = build(**{"width": 96})
    prepare_encoder(model, DATA)
    places = torch.nn.functional.normalize(model.encoder.places, dim=1)
    alike = (places @ places.T).reshape(8, 8, 8, 8)
    for row, column in ((0, 0), (3, 4), (7, 2)):
        near = alike[row, column].clone()
        assert near.argmax() == 8 * row + column
        near[row, column] = -1
        best = divmod(int(near.argmax()), 8)
        assert abs(best[0] - row) + abs(best[1] - column) == 1


# --- data -------------------------------------------------------------------------------------


def test_a_picture_is_in_a_batch_once():
    examples = DATA.to_examples(pairs()[:25])
    batch = make_question_batch(examples)
    scenes = [id(q.scene) for q in ASKED[:25]]
    assert len(batch.source) == len(set(scenes)) < 25 == batch.target_tokens
    for q, row in zip(ASKED[:25], batch.picture_of, strict=True):
        assert np.array_equal(batch.source[row].permute(1, 2, 0).numpy(), q.scene.image)
    rows, lengths = batch.others["question"]
    for q, ids, n in zip(ASKED, rows, lengths, strict=False):
        assert DATA.vocabulary.decode(ids[:n]) == without_mark(q.text)
    with pytest.raises(ValueError, match="at least one"):
        make_question_batch([])


def test_an_epoch_has_every_question_once_and_pictures_together():
    batches = DATA.batches(16, seed=3)
    first, second = batches.epoch(0), batches.epoch(1)
    for epoch in (first, second):
        assert sorted(i for batch in epoch for i in batch) == list(range(len(ASKED)))
        assert all(len(batch) <= 16 for batch in epoch)
        order = [id(batches.examples[i].source) for batch in epoch for i in batch]
        changes = sum(a != b for a, b in zip(order, order[1:], strict=False))
        assert changes + 1 == len(set(order))
    assert first != second and first == DATA.batches(16, seed=3).epoch(0)


def test_relations_are_taught_where_to_look_and_other_questions_are_not():
    taught = taught_pairs("train", 400, per_kind=60)
    for q, ((_, text, look), answer) in zip(ASKED, taught, strict=True):
        assert (q.text, q.answer) == (text, answer) and look.shape == (2, 64)
        assert look.any() == (q.kind == "relation")
        if q.kind == "relation":
            assert np.array_equal(look[0], cells_of(q.scene, q.reference))
            assert np.array_equal(look[1], cells_of(q.scene, q.asked))
    batch = make_question_batch(DATA.to_examples(taught[:9]))
    assert torch.equal(batch.look, torch.tensor(np.stack([x[0][2] for x in taught[:9]])))
    assert make_question_batch(DATA.to_examples(pairs()[:9])).look is None


def test_the_loss_of_looking_counts_first_and_last_hop_where_something_is_taught():
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]]] * 2)
    look = torch.tensor([[[True, False, False], [False, True, True]], [[False] * 3] * 2])
    expected = -(np.log(0.5) + np.log(0.9)) / 2
    assert look_loss(weights, look).item() == pytest.approx(expected, abs=1e-5)
    one_hop = weights[:, 2:]
    assert look_loss(one_hop, look).item() == pytest.approx(-np.log(0.9), abs=1e-5)
    assert look_loss(weights, look & False).item() == 0
    nothing = torch.tensor([[[1.0, 0.0, 0.0]]], requires_grad=True)
    look_loss(nothing, torch.tensor([[[False] * 3, [False, False, True]]])).backward()
    assert nothing.grad.isfinite().all()


def test_unknown_answers_are_refused():
    with pytest.raises(ValueError, match=r"unknown answers \['maybe'\]"):
        DATA.to_examples([((ASKED[0].scene.image, "is it?"), "maybe")])


@quick
@given(mark=st.sampled_from(["", "?", " ?", "??", ".", "? \n"]))
def test_the_question_mark_does_not_matter(mark):
    assert without_mark("is there a star" + mark) == "is there a star"


def test_easy_vqa_is_split_by_picture():
    train, valid, test = (easy_vqa.easy_vqa(split) for split in easy_vqa.SPLITS)
    assert (len(train) + len(valid), len(test)) == (38_575, 9673)
    pictures = [{id(picture) for picture, _, _ in part} for part in (train, valid, test)]
    assert [len(found) for found in pictures] == [3600, 400, 1000]
    assert not pictures[0] & pictures[1]
    assert {answer for _, _, answer in train} == set(easy_vqa.ANSWERS)
    assert all(picture.shape == (64, 64, 3) for picture, _, _ in valid[::500])
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        easy_vqa.easy_vqa("dev")
    assert datasets  # the package is importable without it


def test_expected_answers_are_the_most_frequent_ones():
    given = [((None, "a"), "no"), ((None, "a"), "yes"), ((None, "a"), "no"), ((None, "b"), "red")]
    assert expected_answers(given) == {"a": "no", "b": "red"}


# --- answers ----------------------------------------------------------------------------------


@few
@given(batch_size=st.integers(1, 9))
def test_an_answer_does_not_depend_on_the_other_questions(batch_size):
    asked = [given for given, _ in pairs()[:20]]
    ours = answerer()
    together, apart = ours.answer(asked), ours.answer(asked, batch_size)
    assert [a.text for a in together] == [a.text for a in apart] == ours.predict(asked)
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-5)
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
        assert one.attention.sum(axis=1) == pytest.approx([1, 1])
        assert sum(one.probabilities.values()) == pytest.approx(1)
    assert len({a.text for a in together}) > 1


def test_unknown_words_are_named_as_they_were_typed():
    picture = ASKED[0].scene.image
    (known, odd, empty) = answerer().answer(
        [(picture, "Is there a  red STAR?"), (picture, "where is Rex, the dog?"), (picture, " ?")]
    )
    assert known.unknown == () and odd.unknown == ("where", "Rex", ",", "dog")
    assert (known.words, odd.words, empty.words) == (5, 6, 0)


def test_a_model_without_attention_looks_nowhere():
    (answer,) = answerer("pooled").answer([(ASKED[0].scene.image, "is there a star?")])
    assert answer.attention.shape == (0, 64)


def test_it_learns():
    model = build(dropout=0.0, frozen=True)
    settings = FitSettings(steps=30, learning_rate=0.01, label_smoothing=0.0)
    before = answer_loss(model, DATA.valid_batches[0]).item()
    kernels = [p.clone() for p in model.encoder.convolutions.parameters()]
    history = fit(model, DATA.batches(64), settings, valid=DATA.valid_batches, loss=answer_loss)
    assert history.rows[-1]["valid_loss"] < before - 0.2
    for one, other in zip(kernels, model.encoder.convolutions.parameters(), strict=True):
        assert torch.equal(one, other)


# --- where it looks ---------------------------------------------------------------------------


def test_cells_are_those_with_a_pixel_of_the_thing():
    scene = ASKED[0].scene
    cells = cells_of(scene, (0, 2)).reshape(8, 8)
    mask = scene.mask((0, 2))
    for row in range(8):
        for column in range(8):
            block = mask[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert cells[row, column] == block.any()


def test_equal_weights_have_the_mass_of_chance():
    relations = [q for q in ASKED if q.kind == "relation"]
    answers = answerer().answer([(q.scene.image, q.text) for q in relations])
    even = [a.__class__(a.question, np.full((3, 64), 1 / 64), a.probabilities) for a in answers]
    for hop in looking(relations, even):
        assert hop.asked == pytest.approx(hop.chance_asked)
        assert hop.reference == pytest.approx(hop.chance_reference)
        assert hop.others == pytest.approx(hop.chance_others)
        assert 0 < hop.chance_reference < 0.5
    with pytest.raises(ValueError, match="answers to"):
        looking(relations, even[1:])


def test_all_weight_on_the_asked_thing_is_a_mass_of_one():
    asked = [q for q in ASKED if q.kind == "relation"][:3]
    answers = answerer().answer([(q.scene.image, q.text) for q in asked])
    pointed = []
    for q, a in zip(asked, answers, strict=True):
        weights = np.stack([cells_of(q.scene, q.asked), cells_of(q.scene, q.reference)])
        weights = weights / weights.sum(axis=1, keepdims=True)
        pointed.append(a.__class__(a.question, weights, a.probabilities))
    first, second = looking(asked, pointed)
    assert first.asked == pytest.approx(1) and second.reference == pytest.approx(1)


def test_erasing_changes_only_what_is_erased():
    q = next(q for q in ASKED if q.kind == "relation")
    (answer,) = answerer().answer([(q.scene.image, q.text)])
    for name, choose in ERASURES.items():
        mask = choose(q, answer, np.random.default_rng(0))
        picture = erase(q.scene, mask)
        assert mask.shape == (64, 64) and mask.any(), name
        assert np.array_equal(picture[~mask], q.scene.image[~mask])
        ground = {tuple(pixel) for pixel in q.scene.image[q.scene.owner == 0]}
        assert {tuple(pixel) for pixel in picture[mask]} <= ground
    assert (ERASURES["asked thing"](q, answer, None) & q.scene.mask(q.asked)).sum() == q.scene.mask(
        q.asked
    ).sum()
    other = ERASURES["another thing"](q, answer, np.random.default_rng(1))
    assert not (other & q.scene.mask([*q.asked, *q.reference])).any()
    cells = int(cells_of(q.scene, q.asked).sum())
    for name in ("looked at, last hop", "looked at, first hop", "random cells"):
        assert ERASURES[name](q, answer, np.random.default_rng(0)).sum() == 64 * cells
    looked = ERASURES["looked at, first hop"](q, answer, None)
    assert looked.reshape(8, 8, 8, 8).any(axis=(1, 3)).reshape(-1)[answer.attention[0].argmax()]


def test_accuracy_after_erasing_is_that_of_the_changed_pictures():
    ours, asked = answerer(), [q for q in ASKED if q.kind == "colour"]
    before = ours.answer([(q.scene.image, q.text) for q in asked])
    share = erased_accuracy(ours, asked, before, "asked thing", seed=5)
    generator, right = np.random.default_rng(5), []
    for i, (q, a) in enumerate(zip(asked, before, strict=True)):
        picture = erase(q.scene, ERASURES["asked thing"](q, a, generator), 5 + i)
        right += [ours.predict([(picture, q.text)])[0] == q.answer]
    assert share == pytest.approx(np.mean(right))


# --- the command ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "asked"
    settings = {"size": len(DATA.vocabulary), "labels": list(LABELS), "hops": 2, **SIZES}
    torch.manual_seed(0)
    save_checkpoint(
        folder,
        build_answerer(**settings),
        DATA.vocabulary,
        builder="answerer",
        settings=settings,
        card={},
        log=[],
    )
    return folder


@pytest.fixture
def picture(tmp_path):
    Image.fromarray(ASKED[0].scene.image).save(tmp_path / "scene.png")
    return tmp_path / "scene.png"


def test_the_command_answers_in_order(checkpoint, picture, capsysbinary):
    asked = ["is there a red star?", "what colour is the ring", "is there a red star"]
    assert main(["answer", str(picture), *asked, "--checkpoint", str(checkpoint)]) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    expected = VisualAnswerer.load(checkpoint).answer([(ASKED[0].scene.image, q) for q in asked])
    assert lines == [f"{a.text}\t{a.probability:.2f}" for a in expected]
    assert lines[0] == lines[2]


def test_a_bad_question_does_not_lose_the_good_ones(checkpoint, picture, capsysbinary):
    asked = [
        "is there a dragon?",
        "is there a star?",
        "",
        "?",
        "x" * 100_000,
        "\0\t\n",
        os.fsdecode(b"\xff\xfe"),  # not UTF-8
        "is there a ring?",
    ]
    assert main(["answer", str(picture), *asked, "--checkpoint", str(checkpoint)]) == 1
    found = capsysbinary.readouterr()
    assert len(found.out.decode().splitlines()) == 2
    problems = found.err.decode().splitlines()
    assert len(problems) == 6 and "does not know: dragon" in problems[0]
    assert problems[1] == "a question is empty" and max(map(len, problems)) < 250


def test_a_bad_picture_gets_one_line(checkpoint, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no picture")
    for name in ("text.png", "absent.png", "."):
        given = [str(tmp_path / name), "is there a star?", "--checkpoint", str(checkpoint)]
        assert main(["answer", *given]) == 1
        found = capsys.readouterr()
        assert not found.out and len(found.err.splitlines()) == 1 and name.strip(".") in found.err


def test_each_question_gets_a_picture(checkpoint, picture, tmp_path, capsysbinary):
    asked = ["is there a star?", "is there a dragon?", "what colour is the ring?"]
    options = ["--checkpoint", str(checkpoint), "--attention"]
    assert main(["answer", str(picture), *asked, *options, str(tmp_path / "look.png")]) == 1
    assert main(["answer", str(picture), asked[0], *options, str(tmp_path / "one.png")]) == 0
    made = sorted(path.name for path in tmp_path.glob("*.png"))
    assert made == ["look-1.png", "look-3.png", "one.png", "scene.png"]
    capsysbinary.readouterr()
    assert main(["answer", str(picture), asked[0], *options, str(picture)]) == 1
    assert b"would replace" in capsysbinary.readouterr().err
    assert np.array_equal(np.asarray(Image.open(picture)), ASKED[0].scene.image)


def test_a_checkpoint_of_another_task_is_refused(picture, tmp_path):
    with pytest.raises(CheckpointError, match="a VisualAnswerer cannot use"):
        VisualAnswerer.load("translation-multi30k")


def test_help_starts_without_the_models():
    code = "import sys; from course_utils.tasks.question_answering import command; "
    code += "print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
