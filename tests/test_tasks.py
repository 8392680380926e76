"""Every task has what is looked for in its folder; what predictors share works."""

import inspect
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.batches import make_batch
from course_utils.recipes import RECIPES
from course_utils.studies import STUDIES_BY_NAME
from course_utils.tasks import all_tasks, collect, task_names
from course_utils.tasks.base import Predictor, SequencePredictor
from course_utils.tasks.inference import in_batches, search_in_batches, teacher_forced_attention
from tools.notebooks import ROOT
from tools.tiny import few, quick, random_examples, tiny_translator

NAMES = task_names()


def offered(task: str, module: str, attribute: str):
    """What a task has under this name; an empty tuple if it does not have the module."""
    return dict(collect(module, attribute)).get(task, ())


def test_there_are_tasks():
    assert {"translation", "captioning", "speech", "classification"} <= set(NAMES)
    notebooks = [task.notebook for task in all_tasks().values()]
    assert notebooks == sorted(notebooks) and set(all_tasks()) == set(NAMES)
    with pytest.raises(AttributeError, match="NOTHING"):
        list(collect("task", "NOTHING"))


@pytest.mark.parametrize("name", NAMES)
def test_a_task_says_what_it_is(name):
    task = offered(name, "task", "TASK")
    assert task, f"tasks/{name}/task.py defines TASK"
    assert task.name == name
    assert list((ROOT / "notebooks").glob(f"{task.notebook}_*.ipynb")), "no notebook teaches it"
    assert issubclass(task.predictor, Predictor)
    assert set(task.lower_is_better) <= {*task.metrics, *task.measured}


@pytest.mark.parametrize("name", NAMES)
def test_recipes_belong_to_their_task(name):
    task, recipes = offered(name, "task", "TASK"), offered(name, "recipes", "RECIPES")
    assert recipes, f"tasks/{name}/recipes.py defines RECIPES"
    for recipe in recipes:
        assert recipe.name.startswith(f"{name}-") and recipe.task is task
        assert recipe.select in {*recipe.chosen_metrics(), *task.measured}
        assert set(recipe.test_metrics) <= set(task.metrics)
        assert (recipe.search is not None) == issubclass(task.predictor, SequencePredictor)
        # The builder knows every setting: a misspelt one would fail only after loading the data.
        inspect.signature(task.build).bind(**{task.size: 5}, **recipe.model)


@pytest.mark.parametrize("name", NAMES)
def test_studies_belong_to_their_task(name):
    task = offered(name, "task", "TASK")
    for study in offered(name, "studies", "STUDIES"):
        assert study.recipe.task is task
        names = [variant.name for variant in study.variants]
        assert len(set(names)) == len(names)
        for variant in study.variants:
            settings = {
                k: v for k, v in (study.recipe.model | variant.model).items() if v is not None
            }
            inspect.signature(task.build).bind(**{task.size: 5}, **settings)


def test_no_name_is_used_twice():
    for names, by_name in (("RECIPES", RECIPES), ("STUDIES", STUDIES_BY_NAME)):
        found = [one.name for _, several in collect(names.lower(), names) for one in several]
        assert sorted(found) == sorted(by_name)


# --- what predictors share --------------------------------------------------------------------


@quick
@given(items=st.lists(st.text(max_size=5), max_size=12), batch_size=st.integers(1, 5))
def test_results_come_back_in_order(items, batch_size):
    batches = []

    def run(batch):
        batches.append(batch)
        return [text.upper() for text in batch]

    assert in_batches(items, batch_size, run) == [text.upper() for text in items]
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    lengths = [len(text) for batch in batches for text in batch]
    assert lengths == sorted(lengths), "similar lengths share a batch"
    assert len(batches) == -(-len(items) // batch_size)


def test_a_result_for_each_item():
    with pytest.raises(ValueError, match="shorter|longer"):
        in_batches(["a", "bc"], 2, lambda batch: batch[:1])


@few
@given(batch_size=st.integers(1, 4))
def test_search_and_attention_do_not_depend_on_the_batches(batch_size):
    model = tiny_translator(train=True)
    examples = random_examples([(5, 3), (9, 6), (2, 4), (7, 1), (1, 2)])
    sources = [example.source for example in examples]

    def search(**settings):
        return search_in_batches(
            model, sources, **{"beam": 2, "alpha": 0.5, "max_length": len} | settings
        )

    found, expected = search(batch_size=batch_size), search(batch_size=5)
    assert [h.tokens for h in found] == [h.tokens for h in expected]
    assert all(len(h.tokens) <= len(s) for h, s in zip(found, sources, strict=True))
    assert [h.tokens for h in found] != [
        h.tokens for h in search(batch_size=5, max_length=lambda s: 20)
    ]
    for example, weights in zip(
        examples, teacher_forced_attention(model, examples, batch_size), strict=True
    ):
        assert weights.shape == (len(example.target), len(example.source))
        with torch.no_grad():
            _, alone = model.eval()(make_batch([example]))
        model.train()
        torch.testing.assert_close(
            torch.tensor(weights), alone[0, : len(example.target)], atol=1e-5, rtol=1e-4
        )
    assert model.training


def test_search_reads_the_further_sources_of_an_example():
    """The encoder gets them in the order of the inputs, whatever batches they share."""
    model = tiny_translator()
    seen = {}

    def remember(batch, remember=model.remember):
        rows, lengths = batch.others["question"]
        for source, n, row, m in zip(
            batch.source.tolist(),
            batch.source_lengths.tolist(),
            rows.tolist(),
            lengths.tolist(),
            strict=True,
        ):
            seen[tuple(source[:n])] = row[:m]
        return remember(batch)

    model.remember = remember
    examples = random_examples([(5, 3), (9, 6), (2, 4)])
    asked = [
        replace(example, others={"question": [7] * (i + 1)}) for i, example in enumerate(examples)
    ]
    found = search_in_batches(model, asked, 1, 1.0, batch_size=2, max_length=len)
    assert len(found) == 3
    for i, example in enumerate(examples):
        assert seen[tuple(example.source)] == [7] * (i + 1)
