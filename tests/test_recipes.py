"""Trainings and studies from end to end, on a task small enough for a second."""

import json
from dataclasses import replace

import pytest
import torch

from course_utils import recipes, studies, training
from course_utils.__main__ import main
from course_utils.callbacks import Callback
from course_utils.checkpoints import load_checkpoint
from course_utils.recipes import RECIPES, train
from course_utils.search import SearchSettings
from course_utils.studies import STUDIES_BY_NAME, Study, Variant, load_study, run_study
from course_utils.tasks.recipe import recommended_search
from course_utils.tasks.translation.data import TranslationData
from course_utils.tasks.translation.translator import Translator
from course_utils.training import FitSettings
from course_utils.vocabulary import Vocabulary

PAIRS = [("one two", "un deux"), ("two", "deux"), ("three one", "trois un"), ("four", "quatre")]
MODEL = {"embedding_dim": 6, "memory_dim": 10, "hidden_dim": 10}


@pytest.fixture
def tiny(monkeypatch):
    """A recipe of four sentences, registered under its name."""
    words = Vocabulary.words([text for pair in PAIRS for text in pair])
    recipe = replace(
        RECIPES["translation-generated"],
        name="tiny",
        data=lambda: TranslationData(PAIRS, PAIRS[:2], words, cards=[{"name": "four pairs"}]),
        test=lambda: PAIRS[1:],
        settings=FitSettings(steps=4, validate_every=2, seed=5),
        batch_tokens=12,
        model=MODEL,
    )
    monkeypatch.setitem(recipes.RECIPES, "tiny", recipe)
    return recipe


def test_train_writes_a_checkpoint_that_says_how_it_came_about(tiny, tmp_path, capsys):
    card = train("tiny", steps=3, seed=7, out=tmp_path / "made")
    assert (card["name"], card["steps"], card["seed"]) == ("tiny", 3, 7)
    assert card["data"] == [{"name": "four pairs"}]
    assert card["fit"]["batch_tokens"] == 12
    assert card["processor_minutes"] >= 0
    scores = {
        f"{s}_{m}_{d}"
        for s in ("valid", "test")
        for m in ("bleu", "chrf", "exact")
        for d in ("greedy", "beam5")
    }
    assert set(card["metrics"]) == scores
    # The scores are those of the weights in the file.
    checkpoint = load_checkpoint(tmp_path / "made")
    assert json.loads((tmp_path / "made" / "card.json").read_text()) == checkpoint.card == card
    outputs = Translator(checkpoint.model, checkpoint.vocabulary).predict([s for s, _ in PAIRS[1:]])
    right = sum(o == t for o, (_, t) in zip(outputs, PAIRS[1:], strict=True)) / 3
    assert card["metrics"]["test_exact_greedy"]["score"] == pytest.approx(right, abs=1e-3)
    assert [row["step"] for row in checkpoint.log] == [2, 3]


def test_a_training_depends_on_its_seed_alone(tiny, tmp_path):
    def weights(seed, name):
        train("tiny", seed=seed, out=tmp_path / name)
        return load_checkpoint(tmp_path / name).model.decoder.output_bias

    first = weights(1, "a")
    assert torch.equal(first, weights(1, "b"))
    assert not torch.equal(first, weights(2, "c"))


@pytest.mark.parametrize("lost_in", ["final_scores", "save_checkpoint"])
def test_an_interruption_after_the_last_step_loses_nothing(tiny, tmp_path, monkeypatch, lost_in):
    whole = train("tiny", out=tmp_path / "whole")

    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(recipes, lost_in, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train("tiny", out=tmp_path / "made")
    steps = []
    monkeypatch.setattr("course_utils.training.train_step", lambda *_, **__: steps.append(1))
    card = train("tiny", out=tmp_path / "made")
    assert steps == [] and card["sha256"] == whole["sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "whole"]


def test_a_resume_file_belongs_to_recipe_data_and_start(tiny, tmp_path, monkeypatch):
    class Stop(Callback):
        def after_validation(self, run, row):
            self.seen = True  # the file is written after this: stop at the next step

        def after_step(self, run):
            if getattr(self, "seen", False):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("tiny", out=tmp_path / "made", callbacks=[Stop()])
    resume = tmp_path / ".made.resume"
    before = resume.read_bytes()
    start = tmp_path / "start"
    train("tiny", out=start)
    other = replace(tiny, model=MODEL | {"dropout": 0.2})
    data = tiny.data()
    data.cards = [{"name": "others"}]
    for changed, start_from, named in (
        (other, None, "other model;"),
        (replace(tiny, data=lambda: data), None, "other data;"),
        (replace(tiny, batch_tokens=20), None, "other batch_tokens;"),
        (tiny, str(start), "other start;"),
    ):
        monkeypatch.setitem(recipes.RECIPES, "tiny", changed)
        with pytest.raises(ValueError, match=f"made.resume belongs to a training with {named}"):
            train("tiny", out=tmp_path / "made", start=start_from)
    with pytest.raises(ValueError, match="other settings;"):
        train("tiny", out=tmp_path / "made", seed=8)
    assert resume.read_bytes() == before


def test_a_target_that_may_not_be_replaced_is_refused_before_the_training(
    tiny, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(recipes, "train_model", pytest.fail)
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main(["train", "tiny", "--out", str(tmp_path)]) == 1
    assert "is not the folder of a checkpoint (found: thesis.tex)" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_diverged_training_is_one_line(tiny, tmp_path, capsys, monkeypatch):
    settings = replace(tiny.settings, learning_rate=1e30)
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, settings=settings))
    assert main(["train", "tiny", "--out", str(tmp_path / "made")]) == 1
    assert "the training has diverged" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_the_card_says_that_a_training_ran_in_bfloat16(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "computes_in_bfloat16", lambda device: True)
    for name, options in (("with", ["--bfloat16"]), ("without", [])):
        assert main(["train", "tiny", "--out", str(tmp_path / name), *options]) == 0
        card = json.loads((tmp_path / name / "card.json").read_text(encoding="utf-8"))
        assert card["fit"]["bfloat16"] == bool(options)


def test_the_train_command_writes_for_tensorboard(tiny, tmp_path, capsys):
    pytest.importorskip("tensorboard")
    made, board = tmp_path / "made", tmp_path / "board"
    assert main(["train", "tiny", "--out", str(made), "--tensorboard", str(board)]) == 0
    assert list(board.glob("events.*")) and "4 steps" in capsys.readouterr().out


def test_the_card_recommends_the_search_that_is_better_on_validation():
    recipe = RECIPES["translation-multi30k"]

    def scores(greedy, beam, name="bleu"):
        return {
            f"valid_{name}_greedy": {"score": greedy},
            f"valid_{name}_beam5": {"score": beam},
            f"test_{name}_greedy": {"score": beam},  # which the test set would choose
            f"test_{name}_beam5": {"score": greedy},
        }

    assert recommended_search(recipe, scores(30.0, 31.0)) == SearchSettings(5, 1.0)
    assert recommended_search(recipe, scores(31.0, 30.0)) == SearchSettings(1, 1.0)
    assert recommended_search(recipe, scores(30.0, 30.0)) == SearchSettings(1, 1.0)
    errors = RECIPES["speech-commands"]
    assert recommended_search(errors, scores(5.0, 4.0, "wer")) == SearchSettings(5, 1.0)
    assert recommended_search(errors, scores(4.0, 5.0, "wer")) == SearchSettings(1, 1.0)
    penalty = replace(RECIPES["captioning-flickr8k"], search=SearchSettings(beam=5, alpha=0.7))
    assert recommended_search(penalty, scores(17.0, 20.0)) == SearchSettings(5, 0.7)
    assert recommended_search(RECIPES["classification-imdb"], {}) is None


def test_a_variant_with_its_own_data_is_measured_with_their_vocabulary(tiny, tmp_path, monkeypatch):
    pairs = [(f"{source} five", f"{target} cinq") for source, target in PAIRS]
    words = Vocabulary.words([text for pair in pairs for text in pair])
    seen = []
    variants = (
        Variant("plain", {}, 1),
        Variant("own", {}, 1, data=lambda: TranslationData(pairs, pairs[:2], words)),
    )
    study = Study(
        "mine", "", variants, (0,), tiny, measure=lambda p: {"size": seen.append(p) or len(seen)}
    )
    monkeypatch.setitem(studies.STUDIES_BY_NAME, "mine", study)
    run_study("mine", tmp_path / "mine.json")
    assert [len(predictor.vocabulary) for predictor in seen] == [len(words) - 2, len(words)]


def test_unknown_names(tmp_path):
    with pytest.raises(ValueError, match="unknown training 'nothing'.*translation-multi30k"):
        train("nothing", out=tmp_path / "x")
    with pytest.raises(ValueError, match="unknown study 'nothing'.*bottleneck"):
        run_study("nothing", tmp_path / "x.json")
    with pytest.raises(FileNotFoundError, match="study bottleneck"):
        load_study("bottleneck", tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_a_study_has_a_row_for_each_training_and_goes_on_where_it_stopped(
    tiny, tmp_path, monkeypatch
):
    variants = (Variant("dot", {"score": "dot"}, 2), Variant("general", {"score": "general"}, 3))
    measured = []

    def measure(writer):
        measured.append(writer)
        return {"outputs": writer.predict(["two"])}

    study = Study(
        "small",
        "Two",
        variants,
        (0, 4),
        RECIPES["tiny"],
        seeds_of={"general": (1,)},
        measure=measure,
    )
    monkeypatch.setitem(studies.STUDIES_BY_NAME, "small", study)
    path = run_study("small", tmp_path / "small.json")
    result = load_study("small", path)
    keys = [(run["variant"], run["seed"], run["steps"]) for run in result["runs"]]
    assert keys == [("dot", 0, 2), ("general", 1, 3), ("dot", 4, 2)]  # seed by seed
    assert result["seeds"] == [0, 1, 4] and result["minutes"] >= 0 and result["command"]
    assert all(run["curve"][-1]["step"] == run["steps"] for run in result["runs"])
    assert result["runs"][1]["parameters"] == result["runs"][0]["parameters"] + 10 * 10
    del result["runs"][2]
    path.write_text(json.dumps(result))
    run_study("small", path)
    assert len(measured) == 4  # only the missing one was trained again
    assert [(r["variant"], r["seed"]) for r in load_study("small", path)["runs"]][-1] == ("dot", 4)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1, 2]",
        b'{"name": "bottleneck"}',
        b'{"name": "small", "runs": [{"seed": 1}]}',
        b'{"name": 3, "runs": []}',
        b"\xff\xfe",
        b'{"name": "small", "runs": [{"variant": "dot", "seed": 0, "steps": 2},'
        b' {"variant": "dot", "seed": 0, "steps": 2}]}',
    ],
)
def test_a_file_that_is_not_of_a_study_is_named_and_left_alone(content, tiny, tmp_path, capsys):
    file = tmp_path / "notes.json"
    file.write_bytes(content)
    content = file.read_bytes()
    assert main(["study", "bottleneck", "--out", str(file)]) == 1
    assert "notes.json is not the file of a study" in capsys.readouterr().err
    assert file.read_bytes() == content


def test_two_calls_can_share_a_study(tiny, tmp_path, monkeypatch):
    measured = []
    study = Study(
        "mine",
        "",
        (Variant("dot", {}, 2), Variant("more", {}, 3)),
        (0, 4),
        tiny,
        measure=lambda writer: measured.append(1) or {"n": len(measured)},
    )
    monkeypatch.setitem(studies.STUDIES_BY_NAME, "mine", study)
    files = [run_study("mine", tmp_path / f"{s}.json", seeds=[s]) for s in (4, 0)]
    assert [len(load_study("mine", file)["runs"]) for file in files] == [2, 2]
    whole = load_study("mine", run_study("mine", tmp_path / "all.json", rows=files))
    assert [(r["variant"], r["seed"], r["n"]) for r in whole["runs"]] == [
        ("dot", 0, 3),
        ("more", 0, 4),
        ("dot", 4, 1),
        ("more", 4, 2),
    ]
    assert len(measured) == 4 and whole["seeds"] == [0, 4]
    with pytest.raises(ValueError, match="'mine' has no seed 7"):
        run_study("mine", tmp_path / "x.json", seeds=[0, 7])
    other = tmp_path / "other.json"
    other.write_text(json.dumps(whole | {"name": "yours"}))
    with pytest.raises(ValueError, match="rows of the study 'yours' do not belong to 'mine'"):
        run_study("mine", tmp_path / "x.json", rows=[other])
    assert not (tmp_path / "x.json").exists()


def test_studies_name_recipes_and_settings_that_exist():
    for study in STUDIES_BY_NAME.values():
        recipe = study.recipe
        if recipe.name in RECIPES:
            registered = RECIPES[recipe.name]
            assert (
                replace(recipe, prepare=registered.prepare) == registered
            )  # may prepare the model
        else:  # a recipe of this study alone, under a name of its own
            assert recipe.name.startswith(f"{recipe.task.name}-")
        for variant in study.variants:
            build = {recipe.task.size: 9, **recipe.model, **variant.model}
            build = {k: v for k, v in build.items() if v is not None}  # None takes one away
            if "candidates" in build:  # they come from the vocabulary
                build |= {"candidates": [[5]], "labels": ["yes"]}
            recipe.task.build(**build)
        assert {name for name in study.seeds_of} <= {v.name for v in study.variants}


def test_a_training_can_begin_with_a_checkpoint(tiny, tmp_path):
    first = train("tiny", out=tmp_path / "first")
    card = train("tiny", steps=1, seed=9, out=tmp_path / "second", start=str(tmp_path / "first"))
    assert "start" not in first
    assert card["start"]["sha256"] == first["sha256"]["model.safetensors"]
    assert (card["start"]["name"], card["start"]["steps"]) == ("tiny", 4)
    fresh = train("tiny", steps=1, seed=9, out=tmp_path / "fresh")
    assert fresh["sha256"] != card["sha256"]
    begun, gone_on = (
        load_checkpoint(tmp_path / name).model.decoder.combine.weight
        for name in ("first", "second")
    )
    # One step moves each weight by about the learning rate; fresh weights lie elsewhere.
    assert (gone_on - begun).abs().max() < 0.1


def test_a_variant_can_bring_its_own_data_and_measure(tiny, tmp_path, monkeypatch):
    asked = []

    def other_data():
        asked.append("data")
        return tiny.data()

    variants = (
        Variant("plain", {}, 1),
        Variant("own", {}, 1, data=other_data, measure=lambda writer: {"found": 2}),
    )
    study = Study("mine", "", variants, (0,), RECIPES["tiny"], measure=lambda writer: {"found": 1})
    monkeypatch.setitem(studies.STUDIES_BY_NAME, "mine", study)
    monkeypatch.setattr(studies, "provenance", lambda: {"commit": f"c{len(asked)}"})
    found = load_study("mine", run_study("mine", tmp_path / "mine.json"))
    assert [run["found"] for run in found["runs"]] == [1, 2] and asked == ["data"]
    assert [run["commit"] for run in found["runs"]] == ["c0", "c1"], "that of each training"
    with pytest.raises(ValueError, match="nothing measures plain$"):
        Study("mine", "", variants, (0,), RECIPES["tiny"])
    assert found["processor_minutes"] >= 0
