"""The files that set up a class fit the course, and repo2docker reads the repository."""

import re
import subprocess
import sys

import pytest
import yaml
from traitlets.config import PyFileConfigLoader

from tools.notebooks import ROOT

CLASS = ROOT / "tools" / "class"


def environment_of(name):
    """What a file sets in the environment of each student, and the cores that it allows."""
    if name == "values.yaml":
        student = yaml.safe_load((CLASS / name).read_text("utf-8"))["singleuser"]
        return student["extraEnv"], student["cpu"]["limit"]
    limits = yaml.safe_load((CLASS / "tljh.yaml").read_text("utf-8"))["limits"]
    config = PyFileConfigLoader("tljh_environment.py", str(CLASS)).load_config()
    return config.Spawner.environment, limits["cpu"]


@pytest.mark.parametrize("name", ["values.yaml", "tljh_environment.py"])
def test_the_package_reads_every_variable_that_is_set(name):
    variables, cores = environment_of(name)
    assert all(isinstance(value, str) for value in variables.values())  # off is false in YAML
    assert variables["COURSE_SOLUTIONS"] == "off"
    assert variables["OMP_NUM_THREADS"] == str(cores)
    code = "".join(path.read_text("utf-8") for path in (ROOT / "course_utils").rglob("*.py"))
    course = {name for name in variables if name.startswith("COURSE_")}
    assert course <= set(re.findall(r'environ\.get\("(\w+)"', code))


def test_students_start_in_their_copy_of_the_course():
    student = yaml.safe_load((CLASS / "values.yaml").read_text("utf-8"))["singleuser"]
    start = student["defaultUrl"].removeprefix("/lab/tree/course/")
    assert (ROOT / start).is_file()
    command = student["lifecycleHooks"]["postStart"]["exec"]["command"][-1]
    guide = (ROOT / "notebooks" / "TEACHING.md").read_text("utf-8")
    (folder,) = re.findall(r"--target-repo-dir (\S+)", guide)
    assert f"{folder}/notebooks" in command


def test_repo2docker_makes_an_image_of_the_repository():
    """Without building it: that takes a Docker daemon, a network and minutes."""
    pytest.importorskip("repo2docker")
    options = ["--no-build", "--debug", "--target-repo-dir", "/srv/course"]
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", *options, str(ROOT)], capture_output=True, text=True
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "conda environment for python=3.11" in shown
    assert '--file "environment.yml"' in shown
