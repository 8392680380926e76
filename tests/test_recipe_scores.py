"""How a recipe's scores come about, and what the recipes of the course are.

The predictors answer from tables and record what they are asked, so that every score is known.
"""

import json
import time
from dataclasses import asdict, replace
from typing import ClassVar

import pytest
import torch

from course_utils import recipes
from course_utils.checkpoints import load_checkpoint, save_checkpoint
from course_utils.metrics import TextScore, exact_match
from course_utils.models.builders import build_translator
from course_utils.models.classifiers import build_text_classifier
from course_utils.models.word_vectors import word_vectors
from course_utils.paths import CHECKPOINTS
from course_utils.recipes import RECIPES, extras, train
from course_utils.search import SearchSettings
from course_utils.studies import STUDIES_BY_NAME, load_study, run_study
from course_utils.tasks.base import Predictor, SequencePredictor
from course_utils.tasks.classification.data import ClassificationData
from course_utils.tasks.classification.recipes import start_from_neighbours
from course_utils.tasks.recipe import final_scores, recommended_search, train_model
from course_utils.tasks.study import Study, Variant
from course_utils.tasks.translation.data import TranslationData
from course_utils.tasks.translation.translator import Translator
from course_utils.training import FitSettings
from course_utils.vocabulary import Vocabulary

VALID = [("one", "un"), ("two", "deux"), ("three", "trois")]
TEST = [("four", "quatre"), ("five", "cinq"), ("six", "six"), ("seven", "Sept")]
SEARCH = SearchSettings(beam=4, alpha=0.6)
MODEL = {"score": "general", "embedding_dim": 6, "memory_dim": 10, "hidden_dim": 8}
# How many answers are right, by split and (beam, alpha).
RIGHT = {
    ("valid", 1, 0.6): 1,
    ("valid", 4, 0.6): 2,
    ("test", 1, 0.6): 1,
    ("test", 4, 0.6): 3,
    ("valid", 1, 1.0): 1,  # greedy, at a validation
}


class Table(SequencePredictor):
    """Answers from the table above; another beam or α gets everything wrong."""

    asked: list[tuple]

    def predict(self, inputs, beam=1, alpha=1.0):
        split = "valid" if inputs[0] == "one" else "test"
        self.asked.append((split, len(inputs), beam, alpha))
        right = RIGHT.get((split, beam, alpha), 0)
        texts = [text for _, text in (VALID if split == "valid" else TEST)]
        return [text if i < right else "wrong" for i, text in enumerate(texts)]


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(Table, "asked", [], raising=False)
    words = Vocabulary.words([text for pair in VALID + TEST for text in pair])
    original = RECIPES["translation-generated"]
    return replace(
        original,
        name="table",
        data=lambda: TranslationData(VALID, VALID, words, cards=[{"name": "numbers"}]),
        test=lambda: TEST,
        task=replace(original.task, predictor=Table, metrics={"exact": exact_match}),
        select="exact",
        settings=FitSettings(steps=5, validate_every=2, seed=3),
        batch_tokens=12,
        model=MODEL,
        search=SEARCH,
    )


def scores(recipe, model, data):
    return final_scores(recipe, recipe.task.predictor(model, data.vocabulary), data)


def numbers(scores):
    return {name: found["score"] for name, found in scores.items()}


# --- final scores -----------------------------------------------------------------------------


def test_scores_are_greedy_and_of_the_recipes_search_with_its_penalty(table):
    found = scores(table, None, table.data())
    assert numbers(found) == {
        "valid_exact_greedy": 0.3333,
        "valid_exact_beam4": 0.6667,
        "test_exact_greedy": 0.25,
        "test_exact_beam4": 0.75,
    }
    assert {s["signature"] for s in found.values()} == {"share of outputs equal to a reference"}
    assert sorted(Table.asked) == [
        ("test", 4, 1, 0.6),
        ("test", 4, 4, 0.6),
        ("valid", 3, 1, 0.6),
        ("valid", 3, 4, 0.6),
    ]


def test_a_task_without_search_has_one_score_a_split(table):
    class Labels(Predictor):
        def predict(self, inputs):
            return ["un"] * len(inputs)

    recipe = replace(table, task=replace(table.task, predictor=Labels), search=None)
    found = scores(recipe, None, table.data())
    assert numbers(found) == {"valid_exact": 0.3333, "test_exact": 0.0}
    assert recommended_search(recipe, found) is None


def test_the_test_set_is_loaded_once(table):
    loaded = []
    recipe = replace(table, test=lambda: loaded.append(1) or TEST)
    scores(recipe, None, table.data())
    assert loaded == [1]


@pytest.mark.parametrize(
    "score,written",
    [(12.3456, 12.35), (1.0049, 1.0), (1.00501, 1.01), (0.123456, 0.1235), (1.0, 1.0), (0, 0)],
)
def test_scores_keep_two_decimals_and_shares_four(table, score, written):
    def metric(outputs, references, lowercase):
        return TextScore(score, "mine")

    recipe = replace(table, task=replace(table.task, metrics={"exact": metric}))
    found = scores(recipe, None, table.data())
    assert found["test_exact_beam4"] == {"score": written, "signature": "mine"}


@pytest.mark.parametrize("lowercase", [True, False])
def test_metrics_get_outputs_references_and_the_case_of_the_data(table, lowercase):
    asked = []

    def metric(outputs, references, lowercase):
        asked.append((outputs, references, lowercase))
        return TextScore(0, "")

    recipe = replace(table, task=replace(table.task, metrics={"exact": metric}))
    data = table.data()
    data.lowercase = lowercase
    scores(recipe, None, data)
    assert asked[0] == (["un", "wrong", "wrong"], ["un", "deux", "trois"], lowercase)
    assert asked[-1] == (["quatre", "cinq", "six", "wrong"], [t for _, t in TEST], lowercase)


def test_metrics_of_the_test_only_and_those_that_cannot_be_computed(table, capsys):
    def absent(outputs, references, lowercase):
        raise ImportError("needs a package")

    metrics = {"exact": exact_match, "late": exact_match, "absent": absent}
    task = replace(table.task, metrics=metrics)
    recipe = replace(table, task=task, test_metrics=("late", "absent"))
    assert list(recipe.chosen_metrics()) == ["exact"]
    found = scores(recipe, None, table.data())
    assert {name.split("_")[1] for name in found} == {"exact", "late"} and len(found) == 8
    assert "absent is left out: needs a package" in capsys.readouterr().err
    named = replace(recipe, metrics=("late",))
    assert named.chosen_metrics() == {"late": exact_match}


# --- which search a card recommends -----------------------------------------------------------


@pytest.mark.parametrize(
    "greedy,searched,lower,beam",
    [
        (1, 2, False, 4),
        (2, 1, False, 1),
        (2, 2, False, 1),
        (2, 1, True, 4),
        (1, 2, True, 1),
        (2, 2, True, 1),
    ],
)
def test_the_recommended_search_is_the_better_one_on_validation(
    table, greedy, searched, lower, beam
):
    task = replace(table.task, lower_is_better=("exact",) if lower else ("other",))
    scores = {
        "valid_exact_greedy": {"score": greedy},
        "valid_exact_beam4": {"score": searched},
        "test_exact_greedy": {"score": searched},
        "test_exact_beam4": {"score": greedy},
    }
    found = recommended_search(replace(table, task=task), scores)
    assert found == SearchSettings(beam=beam, alpha=0.6)


# --- training ---------------------------------------------------------------------------------


def test_validation_is_greedy_and_never_sees_the_test_set(table):
    recipe = replace(table, test=pytest.fail)
    model, history, build = train_model(recipe, table.data(), progress=False)
    assert Table.asked == [("valid", 3, 1, 1.0)] * 3
    assert [row["step"] for row in history.rows] == [2, 4, 5]
    assert [row["valid_exact"] for row in history.rows] == [pytest.approx(1 / 3)] * 3
    size = len(table.data().vocabulary)
    assert build == MODEL | {"source_size": size}
    assert history.best_step == 2  # later ones are not better


@pytest.mark.parametrize("lower,best", [(False, 4), (True, 2)])
def test_validation_chooses_the_weights_by_the_recipes_metric(table, lower, best):
    rows = iter([(0.2, 9), (0.8, 5), (0.5, 7)])

    def chosen(outputs, references, lowercase):
        return TextScore(next(rows)[0], "")

    metrics = {"other": lambda *a, **k: TextScore(0, ""), "exact": chosen}
    task = replace(table.task, metrics=metrics, lower_is_better=("exact",) if lower else ())
    _, history, _ = train_model(replace(table, task=task), table.data(), progress=False)
    assert history.best_step == best
    assert {"valid_loss", "valid_other", "valid_exact"} <= set(history.rows[0])


def test_settings_that_depend_on_the_vocabulary_are_computed(table):
    recipe = replace(table, model=table.model | {"hidden_dim": lambda words: len(words) - 8})
    data = table.data()
    _, _, build = train_model(recipe, data, progress=False)
    assert build["hidden_dim"] == len(data.vocabulary) - 8


def test_prepare_runs_before_the_training(table):
    seen = []

    def prepare(model, data):
        seen.append((Table.asked[:], data))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()

    data = table.data()
    settings = replace(table.settings, steps=1, learning_rate=1e-6, warm_up=1.0)
    recipe = replace(table, prepare=prepare, settings=settings)
    model, _, _ = train_model(recipe, data, progress=False)
    assert seen == [([], data)]
    assert max(float(p.detach().abs().max()) for p in model.parameters()) < 1e-4


def test_a_training_starts_from_the_weights_and_builder_of_a_checkpoint(table, tmp_path):
    """The builder of a task is known to its predictor only."""

    def build_mine(**settings):
        return build_translator(**settings)

    class Mine(Table):
        builders: ClassVar[dict] = {"mine": build_mine}

    recipe = replace(table, task=replace(table.task, predictor=Mine))
    first, _, build = train_model(recipe, table.data(), progress=False)
    save_checkpoint(
        tmp_path / "first",
        first,
        table.data().vocabulary,
        builder="mine",
        settings=build,
        card={"name": "first", "steps": 5, "processor_minutes": 0.7, "commit": "c", "more": 1},
        log=[],
    )
    start = str(tmp_path / "first")
    settings = replace(table.settings, steps=1, learning_rate=1e-9, seed=77)
    second, _, _ = train_model(
        replace(recipe, start=start, settings=settings), table.data(), progress=False
    )
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)  # half precision
    assert set(recipes.started_from(replace(recipe, start=start))) == {
        "name",
        "steps",
        "processor_minutes",
        "commit",
        "sha256",
    }


def test_embeddings_start_from_the_vectors_of_the_training_texts():
    texts = ["good food", "bad food", "good good soup", "bad soup", "good staff", "bad staff"] * 4
    words = Vocabulary.words(texts)
    data = ClassificationData(
        [(text, "positive") for text in texts], [], words, labels=("negative", "positive")
    )
    model = build_text_classifier(len(words), labels=data.labels, embed_dim=4, hidden_dim=4)
    start_from_neighbours(model, data)
    expected = word_vectors(words.encode_all(texts), len(words), 4)
    torch.testing.assert_close(model.embedding.weight.detach(), expected)
    assert float(expected.norm()) > 0


def test_the_seed_decides_the_first_weights_and_the_batches(table):
    def trained(seed):
        recipe = replace(table, settings=replace(table.settings, seed=seed))
        torch.manual_seed(torch.seed() % 1000)  # whatever came before
        model, history, _ = train_model(recipe, table.data(), progress=False)
        return torch.cat([p.detach().flatten() for p in model.parameters()]), history.rows[0][
            "loss"
        ]

    (first, loss), (again, same), (other, _) = trained(1), trained(1), trained(2)
    assert torch.equal(first, again) and loss == same and not torch.equal(first, other)


# --- a checkpoint and its card ----------------------------------------------------------------


class Weights(Translator):
    """Records whether the weights that answer fit into half precision."""

    halves: list[tuple]

    def predict(self, inputs, beam=1, alpha=1.0):
        weights = self.model.state_dict().values()
        fit = all(torch.equal(w, w.half().float()) for w in weights)
        self.halves.append((len(inputs), fit))
        return super().predict(inputs, beam, alpha)


def test_scores_are_those_of_the_weights_in_the_file(table, tmp_path, monkeypatch):
    """Weights are stored in half precision, and the rounded ones are tested."""
    monkeypatch.setattr(Weights, "halves", [], raising=False)
    recipe = replace(table, task=replace(table.task, predictor=Weights))
    monkeypatch.setitem(recipes.RECIPES, "table", recipe)
    card = train("table", out=tmp_path / "made")
    validations, final = Weights.halves[:3], Weights.halves[3:]
    assert validations == [(3, False)] * 3
    assert final == [(3, True)] * 2 + [(4, True)] * 2
    model = load_checkpoint(tmp_path / "made").model
    found = scores(recipe, model, table.data())
    assert found == card["metrics"]


def test_what_a_card_says(table, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "table", table)
    loaded = []
    recipe = replace(table, test=lambda: loaded.append(1) or TEST)
    monkeypatch.setitem(recipes.RECIPES, "table", recipe)
    card = train("table", steps=3, seed=8, out=tmp_path / "made")
    assert loaded == [1]
    assert (card["name"], card["title"]) == ("table", table.title)
    assert (card["steps"], card["seed"], card["best_step"]) == (3, 8, 2)
    assert card["fit"] == asdict(replace(table.settings, steps=3, seed=8)) | {"batch_tokens": 12}
    assert numbers(card["metrics"])["test_exact_beam4"] == 0.75
    assert card["search"] == {"beam": 4, "alpha": 0.6}
    assert card["data"] == [{"name": "numbers"}] and "start" not in card
    assert card["builder"] == "translator" and card["settings"]["hidden_dim"] == 8
    assert card["target_tokens"] > 0
    assert {"commit", "machine", "command", "date"} <= set(card)
    for minutes in ("minutes", "training_minutes", "processor_minutes"):
        assert 0 <= card[minutes] < 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made"]  # no resume file is left


def test_a_card_of_a_task_without_search(table, tmp_path, monkeypatch):
    class Labels(Predictor):
        def predict(self, inputs):
            return ["un"] * len(inputs)

    recipe = replace(table, task=replace(table.task, predictor=Labels), search=None)
    monkeypatch.setitem(recipes.RECIPES, "table", recipe)
    assert train("table", steps=1, out=tmp_path / "made")["search"] is None


# --- one row of a study -----------------------------------------------------------------------


def test_a_row_of_a_study_is_trained_and_measured_as_its_variant_says(table, tmp_path, monkeypatch):
    measured = []

    def measure(predictor):
        measured.append(predictor)
        return {"size": len(predictor.vocabulary)}

    variants = (
        Variant("plain", {}, 12),
        Variant(
            "wide", {"hidden_dim": None, "memory_dim": 14}, 7, {"learning_rate": 0.5, "seed": 9}
        ),
    )
    loaded = []
    recipe = replace(table, data=lambda: loaded.append(1) or table.data())
    study = Study("mine", "Two", variants, (2,), recipe, measure=measure)
    monkeypatch.setitem(STUDIES_BY_NAME, "mine", study)
    plain, wide = load_study("mine", run_study("mine", tmp_path / "mine.json"))["runs"]
    assert plain["size"] == len(table.data().vocabulary) and loaded == [1]
    assert all(isinstance(predictor, Table) for predictor in measured)
    # Six validations in a budget.
    assert [row["step"] for row in plain["curve"]] == [2, 4, 6, 8, 10, 12]
    assert [row["step"] for row in wide["curve"]] == [1, 2, 3, 4, 5, 6, 7]
    assert all("learning_rate" not in row for row in plain["curve"])
    assert all(row["valid_exact"] == 0.3333 for row in plain["curve"])
    assert plain["best_step"] == 2 and plain["target_tokens"] > wide["target_tokens"] > 0
    assert (plain["variant"], plain["seed"], plain["steps"]) == ("plain", 2, 12)
    models = [predictor.model for predictor in measured]
    assert [sum(p.numel() for p in model.parameters()) for model in models] == [
        plain["parameters"],
        wide["parameters"],
    ]


def test_a_baseline_of_a_study_is_trained_on_the_recipes_data(table, tmp_path, monkeypatch):
    class Method:
        def __init__(self, data, seed):
            self.parameters, self.given = 17, (data.train, seed)

    study = Study(
        "mine",
        "One",
        (Variant("rule", {}, 0, baseline=Method, measure=lambda m: {"seed": m.given[1]}),),
        (0, 6),
        table,
        seeds_of={"rule": (6,)},
    )
    monkeypatch.setitem(STUDIES_BY_NAME, "mine", study)
    (row,) = load_study("mine", run_study("mine", tmp_path / "mine.json"))["runs"]
    assert (row["parameters"], row["seed"], row["steps"]) == (17, 6, 0)
    assert "curve" not in row and 0 <= row["minutes"] < 5 and 0 <= row["processor_minutes"] < 5


def test_a_training_resumes_although_a_setting_is_computed_anew(table):
    """Two processes have two functions that compute a setting; it is the same training."""
    data = table.data()
    one, other = (
        replace(table, model=MODEL | {"hidden_dim": lambda words: len(words)}) for _ in range(2)
    )
    assert recipes.identity(one, data) == recipes.identity(other, data)
    assert set(recipes.identity(one, data)) == {"name", "model", "batch_tokens", "data", "start"}
    assert recipes.identity(one, data)["name"] == "table"
    wider = replace(one, model=one.model | {"memory_dim": 12})
    assert recipes.identity(wider, data)["model"] != recipes.identity(one, data)["model"]
    fewer = table.data()
    fewer.train = fewer.train[:2]
    assert recipes.identity(table, fewer)["data"] != recipes.identity(table, data)["data"]


# --- minutes ----------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still: ``clock(seconds, processor)`` moves it."""
    now = {"perf_counter": 1000.0, "process_time": 300.0}

    def move(seconds, processor):
        now["perf_counter"] += seconds
        now["process_time"] += processor

    for name in now:
        monkeypatch.setattr(time, name, lambda name=name: now[name])
    return move


@pytest.fixture
def timed(table, clock):
    """The recipe with answers that take 61.7 seconds of 100.1 processor seconds each."""

    class Slow(Table):
        def predict(self, inputs, beam=1, alpha=1.0):
            clock(61.7, 100.1)
            return super().predict(inputs, beam, alpha)

    def prepare(model, data):
        clock(100, 10)

    return replace(table, task=replace(table.task, predictor=Slow), prepare=prepare)


def test_a_card_has_the_minutes_of_training_and_of_everything(timed, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "table", timed)
    card = train("table", out=tmp_path / "made")
    assert card["training_minutes"] == round(3 * 61.7 / 60, 1)  # three validations
    assert card["minutes"] == round((100 + 7 * 61.7) / 60, 1)
    assert card["processor_minutes"] == round((10 + 7 * 100.1) / 60, 1)


def test_a_row_has_the_minutes_of_training_and_of_everything(timed, clock, tmp_path, monkeypatch):
    def measure(predictor):
        clock(750.3, 303.4)
        return {}

    class Method:
        parameters = 0

        def __init__(self, data, seed):
            clock(333.3, 222.2)

    variants = (Variant("plain", {}, 2), Variant("rule", {}, 0, baseline=Method))
    study = Study("mine", "Two", variants, (2,), timed, measure=measure)
    monkeypatch.setitem(STUDIES_BY_NAME, "mine", study)
    found = load_study("mine", run_study("mine", tmp_path / "mine.json"))
    plain, rule = found["runs"]
    assert plain["training_minutes"] == round(2 * 61.7 / 60, 2)
    assert plain["minutes"] == round((100 + 2 * 61.7 + 750.3) / 60, 2)
    assert plain["processor_minutes"] == round((10 + 2 * 100.1 + 303.4) / 60, 2)
    assert rule["minutes"] == round((333.3 + 750.3) / 60, 2)
    assert rule["processor_minutes"] == round((222.2 + 303.4) / 60, 2)
    for name in ("minutes", "processor_minutes"):
        assert found[name] == round(plain[name] + rule[name], 1)


# --- the recipes of the course ----------------------------------------------------------------


def card_of(name):
    return json.loads((CHECKPOINTS / name / "card.json").read_text("utf-8"))


SHIPPED = [name for name in RECIPES if (CHECKPOINTS / name / "card.json").exists()]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recipe_is_what_its_checkpoint_was_trained_with(name):
    recipe, card = RECIPES[name], card_of(name)
    assert (card["name"], card["title"], card["builder"]) == (
        name,
        recipe.title,
        recipe.task.builder,
    )
    fit = asdict(recipe.settings) | {"batch_tokens": recipe.batch_tokens} | extras(recipe)
    fit["bfloat16"] = card["fit"].get("bfloat16", False)  # chosen by whoever trains
    assert {key: fit[key] for key in card["fit"]} == card["fit"]
    vocabulary = Vocabulary.load(CHECKPOINTS / name / "vocabulary.json")
    given = {k: v(vocabulary) if callable(v) else v for k, v in recipe.model.items()}
    settings = json.loads(json.dumps(given))
    size = card["settings"][recipe.task.size]
    assert card["settings"] == settings | {recipe.task.size: size}
    assert card.get("start", {}).get("name") == recipe.start
    # The scores are of the recipe's search, and the better search is recommended.
    assert recommended_search(recipe, card["metrics"]) == (
        None if recipe.search is None else SearchSettings(**card["search"])
    )
    for metric in (*recipe.chosen_metrics(), *recipe.test_metrics):
        for split in ("valid", "test"):
            ways = [""] if recipe.search is None else ["_greedy", f"_beam{recipe.search.beam}"]
            assert all(f"{split}_{metric}{way}" in card["metrics"] for way in ways)


BUDGETS = {
    # Recipes that only studies and notebooks use: steps, learning rate, validations, batch, title.
    "translation-generated": (
        1500,
        5e-3,
        250,
        500,
        "English → French, generated with gold alignments",
    ),
    "translation-generated-transformer": (
        3000,
        3e-3,
        500,
        500,
        "English → French, generated, with a Transformer",
    ),
    "language_modelling-generated": (1500, 3e-3, 250, 1000, "English sentences, generated"),
    "classification-generated": (300, 0.01, 100, 2000, "Generated reviews, reasons known"),
    "classification-questions": (600, 0.01, 100, 2000, "Questions about generated reviews"),
    "classification-long": (
        1500,
        0.01,
        100,
        4000,
        "Long generated reviews, sentence by sentence",
    ),
    "classification-eraser": (400, 3e-3, 100, 8192, "Film reviews with people's marks, ERASER"),
    "classification-imdb-contrasts": (
        1600,
        2e-3,
        1600,
        4096,
        "Film reviews and generated contrast pairs, from the IMDB checkpoint",
    ),
    "summarization-generated": (
        600,
        5e-3,
        200,
        1000,
        "Briefings → summaries, generated, with a pointer",
    ),
    "summarization-attention": (
        1200,
        5e-3,
        200,
        1000,
        "Briefings → summaries, generated, with attention alone",
    ),
    # Weight decay would shrink the vectors of words that training never meets.
    "dialogue-small": (
        1500,
        0.01,
        300,
        128,
        "Generated dialogues about people, hotels and prices, a small network",
    ),
    "dialogue-babi": (
        3000,
        5e-3,
        500,
        128,
        "Question answering, bAbI task 1 (the study babi has all tasks)",
    ),
    "dialogue-dialog_babi": (
        1500,
        0.01,
        250,
        128,
        "Booking a restaurant, dialog bAbI task 1 (the study dialog_babi has all tasks)",
    ),
}


def test_every_recipe_is_shipped_or_has_a_known_budget():
    assert set(SHIPPED) | set(BUDGETS) == set(RECIPES)


def test_only_the_model_and_the_budget_of_the_transformer_differ():
    recipe, recurrent = (RECIPES[f"translation-multi30k{end}"] for end in ("-transformer", ""))
    settings = replace(recurrent.settings, steps=20_000, learning_rate=1.5e-3, validate_every=1000)
    assert recipe.settings == settings and recipe.batch_tokens == 1000
    for name in ("data", "test", "task", "select", "metrics", "test_metrics", "search", "start"):
        assert getattr(recipe, name) == getattr(recurrent, name)
    (average,) = (make() for make in recipe.callbacks)
    assert (average.count, average.every) == (5, 200)


@pytest.mark.parametrize("name", BUDGETS)
def test_budgets_of_the_other_recipes(name):
    recipe = RECIPES[name]
    steps, rate, validate_every, tokens, title = BUDGETS[name]
    expected = FitSettings(
        steps=steps, learning_rate=rate, validate_every=validate_every, label_smoothing=0.0
    )
    if recipe.task.name == "dialogue":
        expected = replace(expected, weight_decay=0.0)
    assert recipe.settings == expected
    assert (recipe.batch_tokens, recipe.title) == (tokens, title)
    starts = {"classification-imdb-contrasts": "classification-imdb"}
    assert recipe.start == starts.get(name) and not recipe.start_encoder_only


def test_only_encoder_and_decoder_of_the_transformers_are_others():
    """Same data, test, task (batches, loss, search, metrics) and search settings."""
    for name in ("translation-generated", "translation-multi30k"):
        recurrent, transformer = RECIPES[name], RECIPES[f"{name}-transformer"]
        for same in ("data", "test", "task", "select", "metrics", "search", "start", "prepare"):
            assert getattr(recurrent, same) is getattr(transformer, same)
        assert transformer.model["encoder"] == transformer.model["decoder"] == "transformer"
        smoothing = recurrent.settings.label_smoothing
        assert transformer.settings.label_smoothing == smoothing


def test_models_of_the_other_recipes():
    generated = {
        "labels": ("negative", "positive"),
        "embed_dim": 32,
        "hidden_dim": 32,
        "dropout": 0.1,
    }
    assert RECIPES["classification-generated"].model == generated
    assert RECIPES["classification-questions"].model == generated | {"kind": "question"}
    assert RECIPES["classification-eraser"].model == {
        "labels": ("negative", "positive"),
        "longest": 512,
        "dropout": 0.5,
        "word_dropout": 0.3,
    }
    assert RECIPES["translation-generated"].model == {
        "embedding_dim": 96,
        "memory_dim": 192,
        "hidden_dim": 192,
        "dropout": 0.1,
    }
    long = dict(RECIPES["classification-long"].model)
    words = Vocabulary.words(["good food . bad"])
    assert words.pieces([long.pop("sentence_end")(words)]) == ["."]
    assert long == generated | {"kind": "hierarchical"}


def test_what_selects_and_what_is_searched():
    found = {name: (recipe.select, recipe.search) for name, recipe in RECIPES.items()}
    usual = SearchSettings(beam=5, alpha=1.0)
    assert found == {
        "captioning-scenes": ("exact", usual),
        "captioning-flickr8k": ("bleu", usual),
        "classification-generated": ("accuracy", None),
        "classification-questions": ("accuracy", None),
        "classification-long": ("accuracy", None),
        "classification-imdb": ("accuracy", None),
        "classification-imdb-contrasts": ("accuracy", None),
        "classification-eraser": ("accuracy", None),
        "speech-digits": ("wer", usual),
        "speech-digits-long": ("wer", usual),
        "speech-commands": ("wer", usual),
        "dialogue-chat": ("accuracy", None),
        "dialogue-small": ("accuracy", None),
        "dialogue-babi": ("accuracy", None),
        "dialogue-dialog_babi": ("accuracy", None),
        "language_modelling-multi30k": ("perplexity", None),
        "language_modelling-generated": ("perplexity", None),
        "language_modelling-repeats": ("perplexity", None),
        "question_answering-scenes": ("accuracy", None),
        "question_answering-easy-vqa": ("accuracy", None),
        "summarization-aeslc": ("rouge1", usual),
        "summarization-attention": ("rouge2", usual),
        "summarization-generated": ("rouge2", usual),
        "translation-multi30k": ("bleu", usual),
        "translation-generated": ("bleu", usual),
        "translation-multi30k-transformer": ("bleu", usual),
        "translation-generated-transformer": ("bleu", usual),
    }
    for name, recipe in RECIPES.items():
        assert recipe.task.name == name.split("-")[0]
        assert recipe.select in {*recipe.chosen_metrics(), *recipe.task.measured}
        chosen = (*recipe.chosen_metrics(), *recipe.test_metrics)
        assert set(recipe.task.metrics) >= set(chosen) and len(chosen) == len(set(chosen))
    assert RECIPES["speech-commands"].start_encoder_only
    assert not RECIPES["speech-digits-long"].start_encoder_only
    assert "wer" in RECIPES["speech-digits"].task.lower_is_better
    prepared = {name for name, recipe in RECIPES.items() if recipe.prepare is not None}
    assert prepared == {
        "classification-imdb",
        "classification-imdb-contrasts",
        "classification-eraser",
        "dialogue-dialog_babi",
        "question_answering-scenes",
        "summarization-aeslc",
    }


SPLITS = {
    # What data() and test() ask each data set for.
    "translation-generated": (["train 0", "valid 0"], ["test 0"]),
    "translation-multi30k": (["train", "valid"], ["test"]),
    "translation-generated-transformer": (["train 0", "valid 0"], ["test 0"]),
    "translation-multi30k-transformer": (["train", "valid"], ["test"]),
    "captioning-scenes": (["train 0", "valid 0"], ["test 0"]),
    "captioning-flickr8k": (["train", "valid", "train"], ["test"]),
    "classification-generated": (["train short 0", "valid short 0"], ["test short 0"]),
    "classification-questions": (["train aspects 0", "valid mixed 0"], ["test mixed 0"]),
    "classification-long": (["train long 0", "valid long 0"], ["test long 0"]),
    "classification-imdb": (["train", "valid"], ["test"]),
    "classification-eraser": (["train", "valid"], ["test"]),
    "speech-digits": (["train 12000 0", "valid 300 0"], ["test 500 0"]),
    "speech-digits-long": (
        ["train 12000 1", "valid 300 0", "digits-train", "words-train"],
        ["test 500 0"],
    ),
    "speech-commands": (["train", "valid"], ["test"]),
    "summarization-aeslc": (["train", "valid"], ["test"]),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_recipe_trains_validates_and_tests_on_its_splits(name, monkeypatch):
    from course_utils import datasets
    from course_utils.datasets.generated import english_french, reviews, scenes, spoken_commands
    from course_utils.datasets.public import (
        aeslc,
        eraser_movies,
        flickr8k,
        imdb,
        multi30k,
        spoken_digits,
    )
    from course_utils.models import photo_features

    asked = []

    def nothing(*names, **others):
        given = [n for n in names if not isinstance(n, tuple)]
        asked.append(" ".join(map(str, given + [others[k] for k in others if k == "seed"])))
        return []

    for module, function in (
        (datasets, "fetch"),
        (english_french, "english_french"),
        (reviews, "reviews"),
        (scenes, "scenes"),
        (spoken_commands, "spoken_commands"),
        (aeslc, "aeslc"),
        (eraser_movies, "eraser_movies"),
        (flickr8k, "flickr8k"),
        (imdb, "imdb"),
        (multi30k, "multi30k"),
        (spoken_digits, "digit_strings"),
    ):
        monkeypatch.setattr(module, function, nothing)
    monkeypatch.setattr(datasets, "fetch", lambda name: None)
    monkeypatch.setattr(photo_features, "cached_features", lambda *given, **how: [])
    recipe = RECIPES[name]
    data = recipe.data()
    train_and_valid = list(asked)
    asked.clear()
    assert recipe.test() == []
    assert (train_and_valid, asked) == SPLITS[name]
    assert data.valid == [] and len(data.cards) == 1 + (name == "speech-digits-long")
    assert getattr(data, "longest", None) == recipe.model.get("longest", None) or (
        recipe.task.name == "speech"
    )


def test_a_predictor_may_measure_texts_itself(table):
    """Such scores stand first in the card, on both splits, and may select the weights."""

    class Measures(Predictor):
        def measure(self, pairs):
            return {"surprise": TextScore(len(pairs) + 0.125, "mine")}

        def predict(self, inputs):
            raise AssertionError("without metrics nothing has to be predicted")

    task = replace(table.task, predictor=Measures, metrics={}, measured=("surprise",))
    recipe = replace(table, task=task, search=None, select="surprise")
    assert numbers(scores(recipe, None, table.data())) == {
        "valid_surprise": 3.12,
        "test_surprise": 4.12,
    }
    _, history, _ = train_model(recipe, table.data(), progress=False)
    assert [row["valid_surprise"] for row in history.rows] == [3.125] * 3
