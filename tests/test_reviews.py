"""Generated reviews, IMDB and ERASER: what the loaders give, and what the grammar promises."""

import gzip
import io
import json
import tarfile

import numpy as np
import pytest

from course_utils.datasets import locate
from course_utils.datasets import registry as registry_module
from course_utils.datasets.archives import tar_members
from course_utils.datasets.generated.reviews import (
    ASPECTS,
    BAD,
    GOOD,
    INTENSIFIERS,
    NEGATIONS,
    STYLES,
    questions,
    reviews,
)
from course_utils.datasets.public.eraser_movies import eraser_movies
from course_utils.datasets.public.imdb import _read, imdb
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

# --- the grammar ------------------------------------------------------------------------------


def judged(words) -> int:
    """The score of an opinion by its words alone, as the module describes it."""
    words = list(words)
    sign = 1 if words[-1] in GOOD else -1
    assert words[-1] in GOOD + BAD
    negated = words[0] in NEGATIONS
    strong = any(word in INTENSIFIERS for word in words)
    return -sign if negated else sign * (2 if strong else 1)


@pytest.mark.parametrize("style", STYLES)
def test_the_words_of_the_rationale_decide(style):
    for review in reviews("test", style, 200):
        assert len(review.words) == len(review.rationale) == len(review.sentences)
        nouns, total, marked = [], 0, set()
        for aspect, (label, places) in review.opinions.items():
            score = judged(review.words[p] for p in places)
            assert label == ("positive" if score > 0 else "negative")
            total += score
            marked |= set(places)
            (sentence,) = {review.sentences[p] for p in places}
            inside = [
                w for w, s in zip(review.words, review.sentences, strict=True) if s == sentence
            ]
            nouns.append(any(noun in inside for noun in ASPECTS[aspect]))
        assert all(nouns) and marked == {i for i, mark in enumerate(review.rationale) if mark}
        if total or style in ("short", "long"):
            assert review.label == ("positive" if total > 0 else "negative")


def test_negation_intensifiers_and_hearsay_matter():
    given = reviews("train", count=400)
    words = {w for r in given for w, mark in zip(r.words, r.rationale, strict=True) if mark}
    assert words == set(GOOD + BAD + INTENSIFIERS + NEGATIONS)
    unmarked = [w for r in given for w, m in zip(r.words, r.rationale, strict=True) if not m]
    assert set(GOOD + BAD) <= set(unmarked), "the same words also occur where they do not count"

    def by_list(review, only):
        words = zip(review.words, review.rationale, strict=True)
        return sum((w in GOOD) - (w in BAD) for w, mark in words if mark or not only)

    # Counting good and bad words is not enough, not even among those that count.
    for only in (True, False):
        right = np.mean([(by_list(r, only) > 0) == (r.label == "positive") for r in given])
        assert 0.45 < right < 0.75


def test_shapes_of_the_styles():
    for style, least, most in (
        ("short", 4, 8),
        ("aspects", 1, 6),
        ("mixed", 2, 6),
        ("long", 12, 20),
    ):
        given = reviews("valid", style, 150)
        counts = {review.sentences[-1] + 1 for review in given}
        assert min(counts) >= least and max(counts) <= most and len(counts) > 2
        assert np.mean([r.label == "positive" for r in given]) == 0.5
    for review in reviews("test", "mixed", 100):
        assert np.mean([label == "positive" for label, _ in review.opinions.values()]) == 0.5


def test_same_arguments_same_reviews_and_no_text_in_two_splits():
    one = reviews("train", count=300)
    assert one == reviews("train", count=300) == reviews("train", count=400)[:300]
    assert one != reviews("train", count=300, seed=1)
    texts = {
        split: {r.text for r in reviews(split, "aspects", 300)}
        for split in ("train", "valid", "test")
    }
    assert all(len(found) == 300 for found in texts.values())
    assert not texts["train"] & texts["test"] and not texts["valid"] & texts["test"]
    assert not texts["train"] & texts["valid"]


def test_questions():
    given = reviews("test", "mixed", 50)
    asked = questions(given)
    assert len(asked) == sum(len(r.opinions) for r in given)
    assert np.mean([label == "positive" for _, label in asked]) == 0.5
    text, label = asked[0]
    aspect = text.split()[0]
    assert text == f"{aspect} {given[0].text}" and label == given[0].opinions[aspect][0]


@pytest.mark.parametrize("wrong", [("dev",), ("test", "tiny"), ("test", "short", -1)])
def test_unknown_names(wrong):
    with pytest.raises(ValueError, match="one of|negative"):
        reviews(*wrong)


# --- public reviews, from archives made here -------------------------------------------------


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """pack(data set, archive, {member: text}): a made-up archive in place of that data set."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    _read.cache_clear()

    def pack(name, archive, members):
        with tarfile.open(tmp_path / archive, "w:gz") as out:
            for member, text in members.items():
                data = text.encode()
                item = tarfile.TarInfo(member)
                item.size = len(data)
                out.addfile(item, io.BytesIO(data))
        file = RemoteFile(
            archive, "http://nowhere.invalid/x", manifest=(Content("*", len(members)),)
        )
        entry = PublicDataset(name, "t", (file,), "l", "c")
        monkeypatch.setattr(registry_module, "REGISTRY", {name: entry})
        return tmp_path / archive

    yield pack
    _read.cache_clear()


def imdb_members(films=40, reviews_a_film=5):
    members = {}
    for part in ("train", "test"):
        for folder in ("neg", "pos"):
            urls = []
            for number in range(films * reviews_a_film):
                film = f"http://film/{part}{number // reviews_a_film}"
                urls.append(film)
                text = f"{part} {folder} {number}<br /><br />film {film}"
                members[f"aclImdb/{part}/{folder}/{number}_{8 if folder == 'pos' else 2}.txt"] = (
                    text
                )
            members[f"aclImdb/{part}/urls_{folder}.txt"] = "\n".join(urls) + "\n"
    members["aclImdb/train/unsup/0_0.txt"] = "never read"
    return members


def test_imdb_splits_by_film(packed, monkeypatch):
    monkeypatch.setattr("course_utils.datasets.public.imdb.VALIDATION", 60)
    packed("imdb", "aclImdb_v1.tar.gz", imdb_members())
    train, valid, test = (imdb(split) for split in ("train", "valid", "test"))
    assert len(train) + len(valid) == len(test) == 400 and 60 <= len(valid) <= 70
    films = [{text.split()[-1] for text, _ in part} for part in (train, valid)]
    assert not films[0] & films[1], "no film in both"
    for text, label in train + valid + test:
        assert label == {"neg": "negative", "pos": "positive"}[text.split()[1]]
        assert "<br" not in text and "  " not in text
    assert imdb("valid") == valid
    with pytest.raises(ValueError, match="one of train, valid, test"):
        imdb("dev")


def test_an_incomplete_imdb(packed):
    members = imdb_members(2, 2)
    del members["aclImdb/train/urls_pos.txt"]
    packed("imdb", "aclImdb_v1.tar.gz", members)
    with pytest.raises(DataError, match="is incomplete.*data get imdb"):
        imdb("train")


ENTRY = {
    "annotation_id": "negR_1.txt",
    "classification": "NEG",
    "evidences": [
        [{"docid": "negR_1.txt", "start_token": 1, "end_token": 3, "text": "very dull"}],
        [{"docid": "negR_1.txt", "start_token": 4, "end_token": 5, "text": "sad"}],
    ],
}


def eraser_members(entry):
    lines = json.dumps(entry) + "\n"
    return {"movies/docs/negR_1.txt": "a very dull and\nsad film .\n"} | {
        f"movies/{split}.jsonl": lines for split in ("train", "val", "test")
    }


def test_eraser_marks_words(packed):
    packed("eraser_movies", "movies.tar.gz", eraser_members(ENTRY))
    (review,) = eraser_movies("valid")
    assert review.words == ("a", "very", "dull", "and", "sad", "film", ".")
    assert review.label == "negative"
    marked = [w for w, m in zip(review.words, review.rationale, strict=True) if m]
    assert marked == ["very", "dull", "sad"]
    with pytest.raises(ValueError, match="one of train, valid, test"):
        eraser_movies("val")


@pytest.mark.parametrize(
    "change",
    [
        {"annotation_id": "lost.txt"},
        {"classification": "SO-SO"},
        {"evidences": [[{"start_token": 5, "end_token": 99}]]},
        {"evidences": 3},
    ],
)
def test_an_eraser_with_another_layout(packed, change):
    packed("eraser_movies", "movies.tar.gz", eraser_members(ENTRY | change))
    with pytest.raises(
        DataError, match="does not have the expected layout.*data get eraser_movies"
    ):
        eraser_movies("train")


def test_an_archive_that_cannot_be_read(tmp_path):
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as out:
        out.addfile(tarfile.TarInfo("a.txt"))
    for content in (b"no archive at all", path.read_bytes()[:-30], gzip.compress(b"no tar")):
        path.write_bytes(content)
        with pytest.raises(DataError, match="x.tar.gz cannot be read .*data get imdb"):
            list(tar_members(path, lambda name: True, "imdb"))


def test_the_real_reviews():
    if locate("eraser_movies") is None:
        pytest.skip("the public data is not on this machine")
    sizes = [len(eraser_movies(split)) for split in ("train", "valid", "test")]
    assert sizes == [1600, 200, 200]
    test = eraser_movies("test")
    assert sum(r.label == "positive" for r in test) == 100
    assert 0.2 < np.mean([np.mean(r.rationale) for r in test]) < 0.4


def test_the_entries_say_what_the_archives_contain():
    for name, members in (("imdb", 5), ("eraser_movies", 4)):
        (file,) = registry_module.dataset(name).files
        assert len(file.manifest) == members
    assert registry_module.dataset("imdb").files[0].checksum.startswith("md5:7c2ac02c")
