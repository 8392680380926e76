"""Studies: comparisons of several trainings, too slow for a notebook, which plots their results.

``python -m course_utils study NAME`` writes data/studies/NAME.json: command, commit, machine,
seeds, minutes, and a row for each training. A study that was interrupted goes on where it stopped.
All studies here train on the generated corpus, whose right translations and alignments are known.
"""

import json
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from course_utils.checkpoints import provenance
from course_utils.metrics import (
    alignment_error_rate,
    alignment_from_attention,
    bleu,
    chance_alignment_error,
    diagonal_alignment,
    exact_match,
    score_by_bucket,
)
from course_utils.models import count_parameters
from course_utils.paths import STUDIES
from course_utils.recipes import RECIPES, generated_pairs, train_translator
from course_utils.translation import TranslationData, Translator

__all__ = ["STUDIES_BY_NAME", "Study", "Variant", "load_study", "measure_generated", "run_study"]

BUCKETS = [(3, 5), (6, 8), (9, 11), (12, 14), (15, 18), (19, 22), (25, 28), (29, 32), (33, 40)]


@dataclass(frozen=True)
class Variant:
    """One way to build and train: changes to the recipe's model, and a budget."""

    name: str
    model: dict
    steps: int


@dataclass(frozen=True)
class Study:
    """Variants × seeds of one recipe."""

    name: str
    title: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    recipe: str = "translation-generated"
    notes: str = ""
    seeds_of: dict = field(default_factory=dict)  # variant → seeds, where they differ

    def runs(self) -> list[tuple[Variant, int]]:
        return [(v, s) for v in self.variants for s in self.seeds_of.get(v.name, self.seeds)]


def measure_generated(translator: Translator) -> dict:
    """Scores of a translator on the generated test sets, greedy: quality, length, alignment.

    ``by_length`` has, for each bucket of source lengths of "test" and "long" together, the mean
    length, BLEU, exact match and the number of sentences.
    """
    from course_utils.datasets.english_french import english_french

    test = english_french("test")
    pairs = generated_pairs("test") + generated_pairs("long")
    outputs = translator.texts([source for source, _ in pairs])
    references = [target for _, target in pairs]
    lengths = [len(source.split()) for source, _ in pairs]

    def both(indices: list[int]) -> tuple[float, float]:
        out, ref = [outputs[i] for i in indices], [references[i] for i in indices]
        return round(bleu(out, ref).score, 2), round(exact_match(out, ref), 4)

    measured = {}
    for name, indices in (
        ("test", range(len(test))),
        ("long", range(len(test), len(pairs))),
    ):
        measured[f"{name}_bleu"], measured[f"{name}_exact"] = both(list(indices))
    measured["by_length"] = [
        {"length": round(mean, 2), "bleu": scores[0], "exact": scores[1], "sentences": count}
        for mean, scores, count in score_by_bucket(lengths, BUCKETS, both)
    ]
    gold = [pair.alignment for pair in test]
    predicted = [alignment_from_attention(m) for m in translator.attention_of(pairs[: len(test)])]
    if any(predicted):
        measured["alignment_error"] = round(alignment_error_rate(predicted, gold).error_rate, 4)
    diagonal = [diagonal_alignment(len(pair.source), len(pair.target)) for pair in test]
    measured["alignment_error_diagonal"] = round(alignment_error_rate(diagonal, gold).error_rate, 4)
    measured["alignment_error_chance"] = round(
        chance_alignment_error(gold, [len(pair.source) for pair in test]), 4
    )
    return measured


BUDGET = RECIPES["translation-generated"].settings.steps
ATTENTION = {"decoder": "attention"}
FIXED = {"decoder": "fixed_vector"}

STUDIES_BY_NAME = {
    study.name: study
    for study in (
        Study(
            "bottleneck",
            "One vector for the whole sentence against attention",
            (
                Variant("attention", ATTENTION, BUDGET),
                Variant("fixed vector", FIXED, BUDGET),
                Variant("attention, converged", ATTENTION, 5 * BUDGET),
                Variant("fixed vector, converged", FIXED, 5 * BUDGET),
            ),
            seeds=(0, 1, 2),
            seeds_of={"attention, converged": (0,), "fixed vector, converged": (0,)},
        ),
        Study(
            "scores",
            "Four scores at one budget",
            tuple(
                Variant(name.replace("_", " "), ATTENTION | {"score": name} | extra, BUDGET)
                for name, extra in (
                    ("dot", {}),
                    ("scaled_dot", {}),
                    ("general", {}),
                    ("additive", {"attention_dim": 96}),
                )
            ),
            seeds=(0, 1, 2),
        ),
        Study(
            "order",
            "Attention after the recurrence against Bahdanau's order",
            (
                Variant("after the recurrence", ATTENTION | {"score": "additive"}, BUDGET),
                Variant("Bahdanau's order", {"decoder": "bahdanau"}, BUDGET),
            ),
            seeds=(0,),
        ),
    )
}


def load_study(name: str, path: Path | None = None) -> dict:
    """The results of a study as `run_study` wrote them."""
    path = STUDIES / f"{name}.json" if path is None else Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"no results of the study {name!r}: make them with python -m course_utils study {name}"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def run_study(name: str, out: Path | None = None, steps: int | None = None) -> Path:
    """Run all trainings of a study that its file does not hold yet; returns the file.

    ``steps`` replaces every budget, to try a study out.
    """
    if name not in STUDIES_BY_NAME:
        raise ValueError(f"unknown study {name!r}; choose from {', '.join(STUDIES_BY_NAME)}")
    study = STUDIES_BY_NAME[name]
    path = STUDIES / f"{name}.json" if out is None else Path(out)
    done = load_study(name, path)["runs"] if path.exists() else []
    recipe = RECIPES[study.recipe]
    data = recipe.data()
    for variant, seed in study.runs():
        budget = variant.steps if steps is None else steps
        key = {"variant": variant.name, "seed": seed, "steps": budget}
        if any(all(run[k] == v for k, v in key.items()) for run in done):
            continue
        done.append(key | train_and_measure(recipe, data, variant, seed, budget))
        content = {
            "name": study.name,
            "title": study.title,
            "recipe": study.recipe,
            "batch_tokens": recipe.batch_tokens,
            "seeds": sorted({run["seed"] for run in done}),
            "minutes": round(sum(run["minutes"] for run in done), 1),
            **provenance(),
            "runs": done,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".json.part")
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    return path


def train_and_measure(recipe, data: TranslationData, variant: Variant, seed: int, steps: int):
    """One row of a study."""
    started = time.perf_counter()
    settings = replace(recipe.settings, steps=steps, seed=seed, validate_every=max(1, steps // 6))
    changed = replace(recipe, settings=settings, model=recipe.model | variant.model)
    model, history, _ = train_translator(changed, data)
    return {
        "parameters": count_parameters(model),
        "best_step": history.best_step,
        "target_tokens": history.tokens,
        "training_minutes": round(history.seconds / 60, 2),
        **measure_generated(Translator(model, data.vocabulary)),
        "curve": [
            {k: round(v, 4) for k, v in row.items() if k != "learning_rate"} for row in history.rows
        ],
        "minutes": round((time.perf_counter() - started) / 60, 2),
    }
