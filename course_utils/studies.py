"""Studies: comparisons of several trainings, too slow for a notebook, which plots their results.

``python -m course_utils study NAME`` writes data/studies/NAME.json: command, commit, machine,
seeds, minutes, and a row for each training. An interrupted study resumes where it stopped. They
are collected from the tasks: each task has its own in `course_utils.tasks.NAME.studies`.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from course_utils.datasets.registry import DataError
from course_utils.paths import MADE, STUDIES
from course_utils.provenance import first_commit, provenance
from course_utils.runtime import file_to_write, read_file, write_text
from course_utils.tasks import collect
from course_utils.tasks.study import Study, Variant, train_and_measure

__all__ = ["STUDIES_BY_NAME", "Study", "Variant", "load_study", "run_study"]

STUDIES_BY_NAME: dict[str, Study] = {
    study.name: study for _, studies in collect("studies", "STUDIES") for study in studies
}

LARGEST = 10_000_000  # bytes of a file of results: more than a hundred times that of the course
# What a row says, whatever the study measures.
NUMBER = (int, float)
ROW = {"variant": str, "seed": int, "steps": int, "minutes": NUMBER, "processor_minutes": NUMBER}


def load_study(name: str, path: Path | None = None) -> dict:
    """The results of a study as `run_study` wrote them, or another JSON file of data/studies.

    Raises FileNotFoundError if there are none, ValueError if the file is damaged.
    """
    path = STUDIES / f"{name}.json" if path is None else Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no file {path}: make the results with python -m course_utils study {name}"
        )
    try:
        found = json.loads(read_file(path, LARGEST))
        keys = [(row["variant"], row["seed"], row["steps"]) for row in found.get("runs", ())]
        if len(set(keys)) < len(keys):
            raise ValueError("a row is there twice")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} is not the file of a study, or is damaged ({type(error).__name__}: {error})"
        ) from error
    return found


def load_rows(name: str, path: Path) -> list[dict]:
    """The rows of a study from one of its files; ValueError for the file of another study."""
    found = load_study(name, path)
    if not isinstance(found.get("name"), str) or "runs" not in found:
        raise ValueError(f"{path} is not the file of a study: it lacks a name or runs")
    if found["name"] != name:
        raise ValueError(f"rows of the study {found['name']!r} do not belong to {name!r}")
    for number, row in enumerate(found["runs"], start=1):
        if wrong := [key for key, kind in ROW.items() if not isinstance(row.get(key), kind)]:
            raise ValueError(f"{path}: row {number} is damaged: {', '.join(wrong)}")
    return found["runs"]


def run_study(
    name: str,
    out: Path | None = None,
    steps: int | None = None,
    seeds: Sequence[int] | None = None,
    rows: Sequence[Path] = (),
) -> Path:
    """Run all trainings of a study that its file does not contain yet; returns the file.

    A variant whose part of a public data set is missing is left out, with a line that says so.
    ``steps`` replaces every budget, to try a study out. Two processes can share a study: each runs
    some of the ``seeds`` into its own file, and a last call takes over the ``rows`` of both.
    """
    if name not in STUDIES_BY_NAME:
        raise ValueError(f"unknown study {name!r}; choose from {', '.join(STUDIES_BY_NAME)}")
    first_commit()
    study = STUDIES_BY_NAME[name]
    path = MADE / "studies" / f"{name}.json" if out is None else Path(out)
    file_to_write(path)  # or no training starts
    done = load_rows(name, path) if path.exists() else []
    given = [row for file in rows for row in load_rows(name, file)]
    runs = study.runs()
    if seeds is not None:
        if unknown := sorted(set(seeds) - {seed for _, seed in runs}):
            raise ValueError(f"study {name!r} has no seed {', '.join(map(str, unknown))}")
        runs = [(variant, seed) for variant, seed in runs if seed in seeds]
    data = None
    for variant, seed in runs:
        budget = variant.steps if steps is None else steps
        key = {"variant": variant.name, "seed": seed, "steps": budget}
        if row_of(key, done):
            continue
        if (row := row_of(key, given)) is None:
            data = study.recipe.data() if data is None else data
            try:
                found = train_and_measure(study, data, variant, seed, budget)
            except DataError as error:  # a part of the data set is missing: the others are run
                print(f"{variant.name}: {error}", file=sys.stderr)
                continue
            row = key | found | {"commit": provenance()["commit"]}  # a study may be extended
        done.append(row)
        write_study(path, study, done)
    return path


def row_of(key: dict, rows: list[dict]) -> dict | None:
    """The row with these entries."""
    return next((row for row in rows if all(row[k] == v for k, v in key.items())), None)


def write_study(path: Path, study: Study, done: list[dict]) -> None:
    """Write the file of a study, whole or not at all."""
    content = {
        "name": study.name,
        "title": study.title,
        "recipe": study.recipe.name,
        "batch_tokens": study.recipe.batch_tokens,
        "seeds": sorted({run["seed"] for run in done}),
        "minutes": round(sum(run["minutes"] for run in done), 1),
        "processor_minutes": round(sum(run["processor_minutes"] for run in done), 1),
        **provenance(),
        "runs": done,
    }
    write_text(path, json.dumps(content, indent=1) + "\n")
