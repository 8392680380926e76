"""Studies: comparisons of several trainings, too slow for a notebook, which plots their results.

``python -m course_utils study NAME`` writes data/studies/NAME.json: command, commit, machine,
seeds, minutes, and a row for each training. A study that was interrupted goes on where it stopped.
Each task has its studies in a module of its own.
"""

import json
import os
from pathlib import Path

from course_utils.checkpoints import provenance
from course_utils.paths import STUDIES
from course_utils.recipes import RECIPES
from course_utils.studies import captioning, classification, speech, translation
from course_utils.studies.framework import Study, Variant, train_and_measure

__all__ = ["STUDIES_BY_NAME", "Study", "Variant", "load_study", "run_study"]

STUDIES_BY_NAME: dict[str, Study] = {
    study.name: study
    for study in (
        *translation.STUDIES,
        *captioning.STUDIES,
        *speech.STUDIES,
        *classification.STUDIES,
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
        found = train_and_measure(study, data, variant, seed, budget)
        done.append(key | found | {"commit": provenance()["commit"]})  # a study may be extended
        content = {
            "name": study.name,
            "title": study.title,
            "recipe": study.recipe,
            "batch_tokens": recipe.batch_tokens,
            "seeds": sorted({run["seed"] for run in done}),
            "minutes": round(sum(run["minutes"] for run in done), 1),
            "processor_minutes": round(sum(run["processor_minutes"] for run in done), 1),
            **provenance(),
            "runs": done,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".json.part")
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    return path
