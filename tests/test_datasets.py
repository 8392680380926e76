"""The registry, the folders, `real_data` and the Multi30k loader."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import course_utils.datasets
from course_utils import paths
from course_utils.datasets import locate, public, real_data, registry
from course_utils.datasets.public.multi30k import multi30k
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

SUM = "sha256:" + "0" * 64
MIRROR = os.environ.get("COURSE_MIRROR")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    return tmp_path / "cache"


# ---------------------------------------------------------------- folders


def test_the_checkout_and_its_data_folder():
    assert (paths.REPO / "course_utils" / "paths.py").is_file()
    assert paths.DATA == paths.REPO / "data"


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "mine"))
    assert paths.cache_folder() == tmp_path / "mine"
    monkeypatch.setenv("COURSE_DATA", "relative")
    monkeypatch.chdir(tmp_path)
    assert paths.cache_folder() == paths.REPO / "relative", "the same from every folder"
    monkeypatch.setenv("COURSE_DATA", "")
    assert paths.cache_folder().is_absolute()
    assert "attention-course" in str(paths.cache_folder())


# ---------------------------------------------------------------- registry


def test_every_entry_is_complete():
    for name, entry in registry.REGISTRY.items():
        assert name == entry.name
        assert entry.title and entry.licence and entry.citation
        assert all(file.url.startswith(("http://", "https://")) for file in entry.files)
        names = [file.name for file in entry.files]
        assert len(set(names)) == len(names)


def test_an_entry_is_found_by_looking_into_the_folder(tmp_path, monkeypatch):
    """Whoever adds a data set writes one file."""
    monkeypatch.setattr(public, "__path__", [*public.__path__, str(tmp_path)])
    before = list(registry.REGISTRY)
    (tmp_path / "zebras.py").write_text(
        "from course_utils.datasets.registry import PublicDataset, RemoteFile\n"
        f"file = RemoteFile('z', 'http://h/z', checksum='{SUM}')\n"
        "DATASET = PublicDataset('zebras', 'Zebras', (file,), 'l', 'c')\n"
    )
    assert list(registry.REGISTRY) == [*before, "zebras"]
    assert registry.dataset("zebras").title == "Zebras"
    assert registry.public_card("zebras") == {
        "name": "zebras",
        "licence": "l",
        "citation": "c",
        "files": {"z": "0" * 64},
    }


def test_multi30k_is_pinned():
    entry = registry.dataset("multi30k")
    assert len(entry.files) == 9
    assert all(file.checksum.startswith("sha256:") for file in entry.files)
    assert len({file.sha256 for file in entry.files}) == 9
    assert all(len(file.sha256) == 64 for file in entry.files)
    assert RemoteFile("a", "http://h/a", checksum="md5:" + "0" * 32).sha256 is None
    assert all(file.url.endswith("/" + Path(file.name).name) for file in entry.files)
    assert 1_900_000 < entry.size < 2_000_000


def test_an_unknown_name_is_answered_with_the_known_ones():
    for ask in (registry.dataset, locate, real_data):
        with pytest.raises(DataError, match="“multi31k”.*multi30k"):
            ask("multi31k")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": "a"}, "checksum or a manifest"),
        ({"name": "../a", "checksum": SUM}, "relative"),
        ({"name": "/a", "checksum": SUM}, "relative"),
        ({"name": "a\\b", "checksum": SUM}, "relative"),
        ({"name": "", "checksum": SUM}, "relative"),
        ({"name": "a", "checksum": "0" * 64}, "form"),
        ({"name": "a", "checksum": "sha256:" + "0" * 63}, "form"),
        ({"name": "a", "checksum": "md5:" + "A" * 32}, "form"),
        ({"name": "a", "checksum": "crc:"}, "form"),
        ({"name": "a", "manifest": Content("*", files=1)}, "tuple"),
    ],
)
def test_slips_in_an_entry_are_caught(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        RemoteFile(url="http://h/a", **arguments)


def test_slips_in_a_data_set_are_caught():
    rest = {"title": "t", "licence": "l", "citation": "c"}
    with pytest.raises(ValueError, match="at least one file"):
        PublicDataset("n", files=(), **rest)


def test_the_size_of_a_data_set():
    rest = {"title": "t", "licence": "l", "citation": "c"}
    known = RemoteFile("a", "http://h/a", size=3, checksum=SUM)
    unknown = RemoteFile("b", "http://h/b", checksum=SUM)
    assert PublicDataset("n", files=(known, known), **rest).size == 6
    assert PublicDataset("n", files=(known, unknown), **rest).size is None


# ---------------------------------------------------------------- the package


def test_importing_is_light():
    """The entries of all data sets are read without PyTorch and without a network library."""
    code = (
        "import sys, course_utils.commands.data\n"
        "from course_utils.datasets import fetch, locate, real_data\n"
        "from course_utils.datasets.registry import REGISTRY\n"
        "assert len(list(REGISTRY.values())) > 3\n"
        "heavy = {'torch', 'requests', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_name_that_the_package_lacks():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = course_utils.datasets.nothing


# ---------------------------------------------------------------- real_data


def test_real_data_says_how_to_get_it(empty_cache, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_REAL_DATA_LOG", raising=False)
    assert real_data("multi30k") is False
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and err == ""
    assert "python -m course_utils data get multi30k" in out and "works without" in out


def test_real_data_is_silent_when_the_files_are_there(empty_cache, tiny, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_REAL_DATA_LOG", raising=False)
    tiny()
    assert real_data("multi30k") is True
    assert capsys.readouterr().out == ""


def test_real_data_keeps_a_log(empty_cache, tiny, monkeypatch, tmp_path):
    log = tmp_path / "log"
    monkeypatch.setenv("COURSE_REAL_DATA_LOG", str(log))
    monkeypatch.delenv("COURSE_NOTEBOOK", raising=False)
    real_data("multi30k")
    tiny()
    monkeypatch.setenv("COURSE_NOTEBOOK", "03_machine_translation.ipynb")
    real_data("multi30k", cell="übersetzen")
    assert [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] == [
        {"notebook": "?", "dataset": "multi30k", "cell": "", "ran": False},
        {
            "notebook": "03_machine_translation.ipynb",
            "dataset": "multi30k",
            "cell": "übersetzen",
            "ran": True,
        },
    ]


# ---------------------------------------------------------------- Multi30k


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A function that makes a mirror of a tiny Multi30k; the sentences of a file can be given."""

    def make(**texts):
        folder = tmp_path / "mirror"
        sums = []
        for part in ("train", "val", "test_2016_flickr"):
            for language in ("de", "en", "fr"):
                text = texts.get(f"{part}_{language}", f"{part} {language} 1.\nzwei {language}\n")
                name = f"multi30k/{part}.{language}.gz"
                (folder / "multi30k").mkdir(parents=True, exist_ok=True)
                body = text if isinstance(text, bytes) else gzip.compress(text.encode())
                (folder / name).write_bytes(body)
                sums.append(f"{hashlib.sha256(body).hexdigest()}  {name}\n")
        (folder / "SHA256SUMS").write_text("".join(sums))
        monkeypatch.setenv("COURSE_MIRROR", str(folder))

    return make


def test_pairs_of_each_split_and_language(empty_cache, tiny):
    tiny()
    assert multi30k("train") == [("train de 1.", "train en 1."), ("zwei de", "zwei en")]
    assert multi30k("valid", "fr", "de")[0] == ("val fr 1.", "val de 1.")
    assert multi30k("test", target="fr")[0] == ("test_2016_flickr de 1.", "test_2016_flickr fr 1.")


def test_a_line_ends_only_at_the_line_feed(empty_cache, tiny):
    tiny(
        val_de="eins\u2028noch eins\x0b\x85 \t\r\n\n  drei",
        val_en="one\n\nthree\n",
    )
    assert multi30k("valid") == [("eins\u2028noch eins", "one"), ("", ""), ("  drei", "three")]


def test_unequal_line_counts_are_named(empty_cache, tiny):
    tiny(val_en="one\ntwo\nthree\n")
    with pytest.raises(DataError, match="2 lines in de and 3 in en"):
        multi30k("valid")
    assert multi30k("valid", "de", "fr"), "other pairs are not affected"


@pytest.mark.parametrize(
    "body", [b"no gzip", gzip.compress(b"abc" * 99)[:-9], gzip.compress(b"\xff")]
)
def test_a_file_that_cannot_be_read_is_named(empty_cache, tiny, body):
    tiny(val_en=body)
    with pytest.raises(DataError, match=r"val\.en\.gz cannot be read"):
        multi30k("valid")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("val",), "'val': choose one of train, valid, test"),
        (("train", "xx"), "source language 'xx': choose one of de, en, fr"),
        (("train", "de", "cs"), "target language 'cs': choose one of de, en, fr"),
        (("train", "en", "en"), "both 'en'"),
    ],
)
def test_unknown_choices(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        multi30k(*arguments)


@pytest.mark.skipif(not MIRROR, reason="needs COURSE_MIRROR with the real data")
def test_the_real_multi30k():
    if locate("multi30k") is None:
        pytest.skip("the mirror is on the web, or has no Multi30k")
    for split, count in (("train", 29_000), ("valid", 1_014), ("test", 1_000)):
        for source, target in (("de", "en"), ("fr", "en")):
            pairs = multi30k(split, source, target)
            assert len(pairs) == count
            assert all(left and right for left, right in pairs)
    first = multi30k("test")[0]
    assert first[0].startswith("Ein Mann mit einem orangefarbenen Hut")
    assert first[1].startswith("A man in an orange hat")
