"""Files for the forge: workflows, templates for issues, citation and changelog; checked offline."""

import datetime
import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner, Result

import course_utils
from tools.notebooks import ROOT, all_notebooks

FORGE = ROOT / ".github"
WORKFLOWS = sorted((FORGE / "workflows").glob("*.yml"))
ACTIONS = sorted((FORGE / "actions").glob("*/action.yml"))
FORMS = sorted(p for p in (FORGE / "ISSUE_TEMPLATE").glob("*.yml") if p.name != "config.yml")
CITATION = ROOT / "CITATION.cff"
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")

SCHEMAS = [
    *[("github-workflows", path) for path in WORKFLOWS],
    *[("github-actions", path) for path in ACTIONS],
    *[("github-issue-forms", path) for path in FORMS],
    ("github-issue-config", FORGE / "ISSUE_TEMPLATE" / "config.yml"),
    ("citation-file-format", CITATION),
]


def read(path: Path) -> dict:
    # BaseLoader keeps the key "on" and versions such as 3.10 as they are written.
    return yaml.load(path.read_text("utf-8"), yaml.BaseLoader)


def jobs(name: str) -> dict:
    return read(FORGE / "workflows" / name)["jobs"]


def steps() -> list[tuple[str, dict]]:
    """Every step of every workflow and action, with its file."""
    found = [
        (path.name, step)
        for path in WORKFLOWS
        for job in read(path)["jobs"].values()
        for step in job["steps"]
    ]
    return found + [(a.parent.name, step) for a in ACTIONS for step in read(a)["runs"]["steps"]]


def validate(schema: str, path: Path) -> Result:
    """What the command check-jsonschema says, without the start of another Python."""
    return CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{schema}", str(path)])


@pytest.mark.parametrize(("schema", "path"), SCHEMAS, ids=lambda value: getattr(value, "name", ""))
def test_file_keeps_its_schema(schema, path):
    checked = validate(schema, path)
    assert checked.exit_code == 0, checked.output


def test_a_misspelt_key_is_found(tmp_path):
    path = tmp_path / "workflow.yml"
    path.write_text(WORKFLOWS[0].read_text("utf-8").replace("runs-on:", "run-on:", 1), "utf-8")
    assert validate("github-workflows", path).exit_code != 0


def test_workflows_have_no_known_weakness():
    zizmor = Path(sysconfig.get_path("scripts")) / ("zizmor.exe" if os.name == "nt" else "zizmor")
    command = [str(zizmor), "--offline", "--quiet", "--config", str(FORGE / "zizmor.yml")]
    checked = subprocess.run([*command, str(FORGE)], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- workflows --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_may_only_read_and_does_not_hang(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    for name, job in workflow["jobs"].items():
        assert "permissions" not in job and int(job["timeout-minutes"]) <= 120, name


@pytest.mark.parametrize(("name", "step"), steps())
def test_action_has_a_version(name, step):
    if "uses" in step and not step["uses"].startswith("./"):
        assert re.search(r"@(v\d+|[0-9a-f]{40})$", step["uses"]), f"{name}: {step['uses']}"


def test_every_push_and_pull_request_is_tested():
    assert {"push", "pull_request"} <= set(read(FORGE / "workflows" / "tests.yml")["on"])
    assert "schedule" in read(FORGE / "workflows" / "nightly.yml")["on"]


def test_linux_runs_what_everyone_runs():
    job = jobs("tests.yml")["course"]
    runs = [step.get("run") for step in job["steps"]]
    assert job["runs-on"] == "ubuntu-latest"
    assert [run for run in runs if run] == ["make setup CPU=1", "make test", "make hooks"]


def test_unit_tests_run_on_every_system_and_python():
    matrix = jobs("tests.yml")["unit"]["strategy"]["matrix"]
    pairs = {(system, python) for system in matrix["os"] for python in matrix["python"]}
    pairs -= {(one["os"], one["python"]) for one in matrix["exclude"]}
    pairs |= {("ubuntu-latest", "3.11")}  # in the job that runs everything
    systems = ("ubuntu-latest", "macos-latest", "windows-latest")
    assert pairs == {(s, p) for s in systems for p in ("3.11", "3.12", "3.13")}


def test_windows_needs_no_make():
    for name in ("tests.yml", "nightly.yml"):
        for job in jobs(name).values():
            systems = job.get("strategy", {}).get("matrix", {}).get("os", [])
            if "windows-latest" in systems:
                assert not [step for step in job["steps"] if "make" in step.get("run", "")]


def test_notebooks_run_on_the_other_systems_at_night():
    job = jobs("nightly.yml")["notebooks"]
    assert set(job["strategy"]["matrix"]["os"]) == {"macos-latest", "windows-latest"}
    assert job["steps"][-1]["run"] == "python -m pytest notebooks"


def test_the_pages_are_one_artefact_that_was_tested():
    (job,) = jobs("site.yml").values()
    runs = [step.get("run") for step in job["steps"]]
    assert runs.index("make site") < runs.index("make test-teach") < len(runs) - 1
    assert runs.index("make slides") < len(runs) - 1
    (upload,) = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert upload == job["steps"][-1]
    assert upload["with"]["path"] == "site" and upload["with"]["if-no-files-found"] == "error"


@pytest.mark.parametrize(
    ("workflow", "job", "option"),
    [
        ("tests.yml", "lowest", "--resolution lowest-direct"),
        ("nightly.yml", "newest", "--resolution highest --upgrade"),
    ],
)
def test_both_ends_of_the_ranges_are_tested(workflow, job, option):
    runs = [step.get("run", "") for step in jobs(workflow)[job]["steps"]]
    (install,) = [run for run in runs if "uv pip install" in run]
    assert option in install and "constraints.txt" not in install
    assert runs[-1].startswith("python -m pytest tests")


def test_pip_is_cached_by_what_it_installs():
    setups = [s for _, s in steps() if s.get("uses", "").startswith("actions/setup-python@")]
    for step in setups:
        assert step["with"]["cache"] == "pip"
        depends = step["with"]["cache-dependency-path"].split()
        assert depends == ["constraints.txt", "pyproject.toml"]


# --- templates --------------------------------------------------------------------------------


def test_form_for_a_failing_cell_asks_for_what_is_needed():
    form = read(FORGE / "ISSUE_TEMPLATE" / "failing_cell.yml")
    fields = {field["id"]: field for field in form["body"] if "id" in field}
    asked = {"notebook", "cell", "traceback", "installation", "system", "python"}
    for name in asked:
        assert fields[name]["validations"]["required"] == "true"
    notebooks = fields["notebook"]["attributes"]["options"]
    assert notebooks == [path.stem for path in all_notebooks()]
    text = fields["installation"]["attributes"]["description"]
    assert "python -m course_utils.check_installation" in text


def test_pull_requests_are_asked_for_the_tests():
    assert "`make test`" in (FORGE / "pull_request_template.md").read_text("utf-8")


# --- citation and changelog -------------------------------------------------------------------


def releases() -> list[tuple[str, str]]:
    """(version, date) of each release in the changelog, newest first."""
    return re.findall(r"(?m)^## (\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})$", CHANGELOG)


def test_changelog_has_its_form():
    titles = re.findall(r"(?m)^## (.+)$", CHANGELOG)
    assert titles[0] == "Unreleased"
    assert titles[1:] == [f"{version} - {date}" for version, date in releases()]
    dates = [datetime.date.fromisoformat(date) for _, date in releases()]
    assert dates == sorted(dates, reverse=True)
    kinds = set(re.findall(r"(?m)^### (.+)$", CHANGELOG))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_version_citation_and_changelog_agree():
    citation = read(CITATION)
    newest, date = releases()[0]
    assert course_utils.__version__ == citation["version"] == newest
    assert citation["date-released"] == date
