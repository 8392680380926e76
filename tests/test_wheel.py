"""A wheel, installed without a checkout: the commands find what they read, and leave it alone."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tools.notebooks import ROOT

pytestmark = pytest.mark.slow


def build(kind, source, folder):
    """Build a wheel or a source distribution of ``source`` without a network; returns its file."""
    script = f"import sys, setuptools.build_meta as b; print(b.build_{kind}(sys.argv[1]))"
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What a wheel is built from, with what a training in progress leaves there."""
    place = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("course_utils", "data", "notebooks"):
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    (place / "data" / "checkpoints" / ".speech-digits.resume").write_text("half a training")
    return place


@pytest.fixture(scope="module")
def site(source, tmp_path_factory):
    """The folder in which the wheel lies, unpacked as pip does it."""
    place = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(build("wheel", source, place)).extractall(place / "packages")
    return place / "packages"


@pytest.fixture
def run(site, tmp_path):
    """Run a command of the installed package in an empty folder; nothing in the package changes."""

    def state():
        return {
            path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in site.rglob("*")
            if path.is_file()
        }

    def call(*arguments, given="", status=0):
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            input=given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=os.environ
            | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
            | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"},
        )
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    before = state()
    yield call
    assert state() == before


def test_the_wheel_carries_all_data_and_nothing_half_made(source, site):
    def names(folder):
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert names(site / "course_utils" / "data") == {
        name for name in names(source / "data") if not name.startswith("checkpoints/.")
    }
    packages = {path.name for path in site.iterdir() if path.suffix not in (".dist-info", ".data")}
    assert packages == {"course_utils"}


def test_the_source_distribution_makes_the_same_wheel(source, site, tmp_path):
    archive = build("sdist", source, tmp_path)
    shutil.unpack_archive(archive, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = zipfile.ZipFile(build("wheel", unpacked, tmp_path))
    contents = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert set(again.namelist()) == contents


def test_an_editable_installation_brings_the_setting_of_jupyterlab(source, tmp_path):
    """Where `jupyter lab` looks for it, in the environment."""
    names = zipfile.ZipFile(build("editable", source, tmp_path)).namelist()
    place = "data/share/jupyter/lab/settings/overrides.d/attention-course.json"
    assert any(name.endswith(f".data/{place}") for name in names)
    assert not [name for name in names if name.startswith("course_utils/data/")]


def test_commands_find_the_checkpoints(run):
    assert len(run("course_utils", "translate", given="Ein Mann schläft.\n\n").split("\n")) == 3
    assert run("course_utils", "classify", given="A great film.\n").startswith("positive")
    assert "| `translation-multi30k` |" in run("course_utils", "results")


def test_the_gallery_is_drawn_in_the_current_folder(run, tmp_path):
    printed = run("course_utils", "gallery").split()
    made = sorted((tmp_path / "data" / "gallery").iterdir())
    assert made and sorted(printed) == [str(path) for path in made]


def test_the_installation_is_checked_against_the_metadata(run, tmp_path):
    """A project that happens to lie in the current folder has no say."""
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["no-such-package"]\n')
    printed = run("course_utils.check_installation")
    assert "no-such-package" not in printed and "torchaudio" in printed
    assert "tensorboard" not in printed, "an extra is not needed"


def test_a_training_goes_into_the_current_folder(run, tmp_path):
    """Shown by its refusal, before the training, to replace what lies there."""
    target = tmp_path / "data" / "checkpoints" / "captioning-scenes"
    target.mkdir(parents=True)
    (target / "thesis.tex").write_text("years of work")
    error = run("course_utils", "train", "captioning-scenes", "--steps", "1", status=1)
    assert "thesis.tex" in error and len(error.splitlines()) == 1


def test_the_own_checkpoint_of_that_name_is_used(run, tmp_path):
    target = tmp_path / "data" / "checkpoints" / "classification-imdb"
    target.mkdir(parents=True)
    (target / "card.json").write_text("{}")
    assert "classification-imdb" in run("course_utils", "classify", given="x\n", status=1)
