"""The reader of Flickr8k, on archives made here that have the quirks of the published ones."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from course_utils.datasets import registry
from course_utils.datasets.public import flickr8k
from course_utils.datasets.registry import DataError
from course_utils.datasets.verification import Mismatch, verify
from course_utils.tasks.captioning import data as recipes


def jpeg(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), value, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


CAPTIONS = {
    "a.jpg": ["A dog .", "Two dogs run", "a dog runs ."],
    "b.jpg": ["A cat ."],
    "c.jpg": ["Nobody has this photo ."],
}


@pytest.fixture(params=["", "Flickr8k_text/"])
def archives(request, tmp_path, monkeypatch):
    """Both archives, the texts with or without a folder, with the shadows that macOS adds."""
    folder = tmp_path / "data"
    folder.mkdir()
    with zipfile.ZipFile(folder / flickr8k.PHOTOS, "w") as archive:
        for number, name in enumerate(("a.jpg", "b.jpg", "extra.jpg")):
            archive.writestr(f"Flicker8k_Dataset/{name}", jpeg(60 * number))
            archive.writestr(f"__MACOSX/Flicker8k_Dataset/._{name}", b"shadow")
    tokens = "".join(
        f"{name}#{i}\t{text} \n" for name, texts in CAPTIONS.items() for i, text in enumerate(texts)
    )
    with zipfile.ZipFile(folder / flickr8k.TEXTS, "w") as archive:
        for name, text in (
            ("Flickr8k.token.txt", tokens + "lost.jpg.1#0\tNo photo .\n"),
            ("Flickr_8k.trainImages.txt", "b.jpg\nc.jpg\na.jpg\n"),
            ("Flickr_8k.devImages.txt", "a.jpg\n"),
            ("Flickr_8k.testImages.txt", "b.jpg"),
        ):
            archive.writestr(f"{request.param}{name}", text)
            archive.writestr(f"__MACOSX/{request.param}._{name}", b"shadow")
    monkeypatch.setattr(flickr8k, "fetch", lambda name: folder)
    flickr8k._members.cache_clear()
    return folder


def test_splits_in_the_published_order_without_missing_photos(archives):
    train = flickr8k.flickr8k("train")
    assert [photo.name for photo in train] == ["b.jpg", "a.jpg"]
    assert train[1].captions == ("A dog .", "Two dogs run", "a dog runs .")
    assert [p.name for p in flickr8k.flickr8k("valid")] == ["a.jpg"]
    assert [p.name for p in flickr8k.flickr8k("test")] == ["b.jpg"]
    with pytest.raises(ValueError, match="train, valid, test"):
        flickr8k.flickr8k("dev")


def test_the_photos_themselves(archives):
    assert flickr8k.photo_bytes(["b.jpg", "a.jpg"]) == [jpeg(60), jpeg(0)]
    with pytest.raises(KeyError):
        flickr8k.photo_bytes(["c.jpg"])


def test_pairs_of_features_and_texts(archives, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    pairs = recipes.flickr8k_pairs("train", progress=False)
    assert [texts for _, texts in pairs] == [["A cat"], ["A dog", "Two dogs run", "a dog runs"]]
    assert all(features.shape == (49, 320) for features, _ in pairs)
    assert not np.array_equal(pairs[0][0], pairs[1][0])


def test_mirrored_photos_and_their_captions(archives, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    given = "A dog left of a boy , his left hand on the right leftover"
    turned = "A dog right of a boy , his right hand on the left leftover"
    monkeypatch.setattr(
        flickr8k, "flickr8k", lambda split: [flickr8k.CaptionedPhoto("a.jpg", (given,))]
    )
    monkeypatch.setattr("course_utils.datasets.fetch", lambda name: archives)
    ((features, texts),) = recipes.flickr8k_pairs("train", progress=False)
    ((mirrored, others),) = recipes.flickr8k_pairs("train", progress=False, mirrored=True)
    assert (texts, others) == ([given], [turned]) and features.shape == mirrored.shape
    data = recipes.flickr8k_data(size=40, grid=14, mirrored=True)
    assert [texts for _, texts in data.train] == [[given], [turned]]
    assert [x.shape for x, _ in data.train + data.valid] == 3 * [(196, 112)]


def test_a_photo_that_cannot_be_read_is_named(archives, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    path = archives / flickr8k.PHOTOS
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Flicker8k_Dataset/a.jpg", jpeg(0))
        archive.writestr("Flicker8k_Dataset/b.jpg", jpeg(60)[:300])
    with pytest.raises(DataError, match=r"photo b\.jpg of flickr8k-train .*data get flickr8k\."):
        recipes.flickr8k_pairs("train", progress=False)
    path.write_bytes(path.read_bytes().replace(jpeg(60)[200:260], bytes(60)))  # its checksum fails
    with pytest.raises(
        DataError, match=r"cannot be read \(Bad CRC.*[ab]\.jpg.*data get flickr8k\."
    ):
        flickr8k.photo_bytes(["a.jpg", "b.jpg"])
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def test_damaged_archives(archives):
    (archives / flickr8k.TEXTS).write_bytes(b"PK no archive")
    with pytest.raises(DataError, match="Flickr8k_text.zip cannot be read"):
        flickr8k.flickr8k("valid")
    with zipfile.ZipFile(archives / flickr8k.TEXTS, "w") as archive:
        archive.writestr("readme.txt", "nothing else")
    with pytest.raises(DataError, match="does not contain Flickr8k.token.txt"):
        flickr8k.flickr8k("valid")


def test_the_manifest_counts_files_but_not_their_shadows(archives):
    _, texts = registry.dataset("flickr8k").files
    verify(archives / flickr8k.TEXTS, texts, None)
    with zipfile.ZipFile(archives / flickr8k.TEXTS, "a") as archive:
        archive.writestr("copy/Flickr8k.token.txt", "a second one")
    with pytest.raises(Mismatch, match="2 files match .*token.txt"):
        verify(archives / flickr8k.TEXTS, texts, None)
