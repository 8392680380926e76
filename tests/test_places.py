"""The course works wherever it lies, and from every current folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.notebooks import ROOT

pytestmark = pytest.mark.slow
LONG = "Übung & Prüfung (1)/" + 3 * ("ordner-" * 8 + "/")  # with spaces, umlauts and 190 letters


def run(*arguments, at, path, given="", **variables):
    """A command of the course in ``path``, called from the folder ``at``."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=at,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
        | {"PYTHONIOENCODING": "utf-8", **variables},
    )


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """A copy of the package and its data in a folder with an awkward name."""
    place = tmp_path_factory.mktemp("far") / LONG
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("course_utils", "data"):
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    return place


def test_a_folder_with_spaces_umlauts_and_a_long_path(far, tmp_path):
    picture = tmp_path / "Bild ö.png"
    command = ["-m", "course_utils", "translate", "--attention", picture]
    done = run(*command, at=far, path=[far], given="Eine Frau liest.\n")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.skipif(os.name == "nt", reason="links are reserved for administrators")
def test_a_checkout_reached_through_a_link(far, tmp_path):
    (tmp_path / "link").symlink_to(far)
    done = run("-m", "course_utils", "results", at=tmp_path / "link", path=[tmp_path / "link"])
    assert "| `speech-digits` |" in done.stdout, done.stderr


def test_another_current_folder(far, tmp_path):
    """A project that lies there is not taken for the course."""
    (tmp_path / "data" / "checkpoints").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("not even TOML")
    for command in (["course_utils", "results"], ["course_utils.check_installation"]):
        done = run("-m", *command, at=tmp_path, path=[far])
        assert done.returncode == 0 and done.stdout, done.stderr


def test_espeak_in_a_long_path(far, tmp_path):
    """Its library has room for 159 bytes, and ends the process for a longer path."""
    loader = pytest.importorskip("espeakng_loader")
    shutil.copytree(Path(loader.__file__).parent, far / "espeakng_loader", dirs_exist_ok=True)
    code = (
        "from course_utils.datasets.generated.spoken_commands import Synthesiser\n"
        "import espeakng_loader; print(len(espeakng_loader.get_data_path()))\n"
        "print(Synthesiser().rate)"
    )
    done = run("-c", code, at=tmp_path, path=[far])
    assert done.returncode == 0, done.stderr
    length, rate = map(int, done.stdout.split())
    assert length > 159 and rate > 0
    (tmp_path / LONG).mkdir(parents=True)
    long_too = {name: str(tmp_path / LONG) for name in ("TMPDIR", "TEMP", "TMP")}
    done = run("-c", code, at=tmp_path, path=[far], **long_too)
    assert "RuntimeError: espeak-ng takes paths of at most" in done.stderr
