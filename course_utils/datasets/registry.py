"""The public data sets that the course can use: where they come from and how they are recognised.

A file is recognised by a published checksum or, where a host packs its archives on the fly and no
two downloads have the same bytes, by a content manifest: what the archive must hold. A file without
an address comes from a web page, by hand; its data set then tells the steps.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = [
    "REGISTRY",
    "Content",
    "DataError",
    "PublicDataset",
    "RemoteFile",
    "dataset",
    "public_card",
]

DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


class DataError(Exception):
    """Public data could not be had. One line says what happened, why, and what to do.

    what: what happened and the likely cause. advice: what to do about it.
    """

    def __init__(self, what, advice="", course_goes_on=True):
        self.what = what
        self.advice = advice
        rest = "The course still runs without this data." if course_goes_on else ""
        text = " ".join(part for part in (what, advice, rest) if part)
        super().__init__(" ".join(text.splitlines()))


@dataclass(frozen=True)
class Content:
    """One line of a content manifest: how much an archive must hold.

    pattern: shell pattern over the full names of the members; `*` also crosses `/`.
    files: how many members match, folders not counted. size: their unpacked bytes together.
    Either may be None where it says nothing (photos that a mirror has made smaller, for example).
    """

    pattern: str = "*"
    files: int | None = None
    size: int | None = None

    def __post_init__(self):
        if self.files is None and self.size is None:
            raise ValueError(f"Content({self.pattern!r}) demands nothing: give files= or size=")


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    name: relative name with `/`, the same in the cache and in every mirror.
    urls: canonical addresses, tried in this order; none for a file that only a web page offers.
    size: bytes of the published file; None where they vary. Shown, never used to verify.
    checksum: of the published bytes, "sha256:…" or "md5:…".
    manifest: for archives (zip, tar), what they hold; verified beside or instead of the checksum.
    user_agent: for hosts that turn unknown programs away.
    """

    name: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    checksum: str | None = None
    manifest: tuple[Content, ...] = ()
    user_agent: str | None = None

    def __post_init__(self):
        path = PurePosixPath(self.name)
        if not self.name or path.is_absolute() or ".." in path.parts or "\\" in self.name:
            raise ValueError(f"{self.name!r} is not a relative file name with forward slashes")
        if isinstance(self.urls, str) or isinstance(self.manifest, Content):
            raise ValueError(f"{self.name}: urls and manifest are tuples, also with one element")
        if self.checksum is None and not self.manifest:
            raise ValueError(f"{self.name}: needs a checksum or a manifest, or nothing verifies it")
        if self.checksum is not None:
            kind, _, digits = self.checksum.partition(":")
            if not re.fullmatch(f"[0-9a-f]{{{DIGITS.get(kind, 0)}}}", digits) or not digits:
                raise ValueError(
                    f"{self.name}: checksum {self.checksum!r} is not of the form 'sha256:…' or"
                    " 'md5:…' with as many lower-case hexadecimal digits as the kind asks for"
                )

    @property
    def sha256(self):
        """The digits of the published SHA-256; None where another kind, or none, is published."""
        kind, _, digits = (self.checksum or "").partition(":")
        return digits if kind == "sha256" else None


@dataclass(frozen=True)
class PublicDataset:
    """A data set of other people: its files, and what using it asks for.

    manual_steps: for files without an address, how a person gets them; the command adds by itself
    where to put them and what to run then.
    """

    name: str
    title: str
    files: tuple[RemoteFile, ...]
    licence: str
    citation: str
    remarks: str = ""
    manual_steps: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.files:
            raise ValueError(f"{self.name}: a data set has at least one file")
        if any(not file.urls for file in self.files) and not self.manual_steps:
            raise ValueError(f"{self.name}: a file without an address needs manual_steps")

    @property
    def size(self):
        """Bytes of all files together; None where one is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(sizes)


def dataset(name):
    """The registry's entry; DataError, with the names there are, when there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        names = ", ".join(sorted(REGISTRY))
        raise DataError(
            f"There is no public data set called “{name}”.",
            f"The course knows: {names}.",
            course_goes_on=False,
        ) from None


def _multi30k():
    address = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
    published = {
        "train.de": (637044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
        "train.en": (568929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
        "train.fr": (604242, "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
        "val.de": (24681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
        "val.en": (21650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
        "val.fr": (23001, "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
        "test_2016_flickr.de": (
            22890,
            "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
        ),
        "test_2016_flickr.en": (
            21077,
            "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
        ),
        "test_2016_flickr.fr": (
            22310,
            "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
        ),
    }
    files = tuple(
        RemoteFile(
            name=f"multi30k/{part}.gz",
            urls=(f"{address}{part}.gz",),
            size=size,
            checksum=f"sha256:{digits}",
        )
        for part, (size, digits) in published.items()
    )
    return PublicDataset(
        name="multi30k",
        title="Multi30k: captions of photos in German, English and French",
        files=files,
        licence="research use",
        citation=(
            "D. Elliott, S. Frank, K. Sima'an, L. Specia (2016). Multi30K: Multilingual"
            " English-German Image Descriptions. Proceedings of the 5th Workshop on Vision and"
            " Language, 70–74. French: D. Elliott, S. Frank, L. Barrault, F. Bougares, L. Specia"
            " (2017). Findings of the Second Shared Task on Multimodal Machine Translation and"
            " Multilingual Image Description. WMT 2017, 215–233."
        ),
        remarks=(
            "29,000 / 1,014 / 1,000 sentences in each language (train, validation, test of 2016)."
            " The English captions are those of Flickr30k. Not part of the course's own files."
        ),
    )


def _flickr8k():
    address = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"
    # No checksums: copies of these archives differ in layout and in the photos' sizes. What they
    # have to hold is the same in all.
    return PublicDataset(
        name="flickr8k",
        title="Flickr8k: photos with five English captions each",
        files=(
            RemoteFile(
                name="Flickr8k_Dataset.zip",
                urls=(f"{address}Flickr8k_Dataset.zip",),
                size=1115419746,
                manifest=(Content("Flicker8k_Dataset/*.jpg", files=8091),),
            ),
            RemoteFile(
                name="Flickr8k_text.zip",
                urls=(f"{address}Flickr8k_text.zip",),
                size=2340801,
                manifest=tuple(
                    Content(f"*{name}", files=1)
                    for name in (
                        "Flickr8k.token.txt",
                        "Flickr_8k.trainImages.txt",
                        "Flickr_8k.devImages.txt",
                        "Flickr_8k.testImages.txt",
                    )
                ),
            ),
        ),
        licence="non-commercial research and education, no redistribution",
        citation=(
            "M. Hodosh, P. Young, J. Hockenmaier (2013). Framing Image Description as a Ranking"
            " Task: Data, Models and Evaluation Metrics. Journal of Artificial Intelligence"
            " Research 47, 853–899."
        ),
        remarks=(
            "8,091 photos (about 1.1 GB; a mirror may hold them at 224 × 224); official split of"
            " 6,000 / 1,000 / 1,000. Two ids of the caption file have no photo. Not part of the"
            " course's own files, and no stored output shows a photo."
        ),
    )


def _spoken_digits():
    return PublicDataset(
        name="spoken_digits",
        title="Free Spoken Digit Dataset: ten English digits by six people, 8 kHz",
        files=(
            RemoteFile(
                name="free-spoken-digit-dataset-master.zip",
                urls=(
                    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/"
                    "master.zip",
                ),
                # GitHub packs the archive anew: no two downloads need have the same bytes.
                manifest=(
                    Content("*/recordings/*.wav", files=3000),
                    *(Content(f"*/recordings/{digit}_*.wav", files=300) for digit in range(10)),
                ),
            ),
        ),
        licence="CC BY-SA 4.0",
        citation=(
            "Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite (2018)."
            " Jakobovski/free-spoken-digit-dataset: v1.0.8. Zenodo. doi:10.5281/zenodo.1342401."
        ),
        remarks=(
            "3,000 recordings; the official test part are those with index 0 to 4. The course makes"
            " strings of 2 to 6 digits of them. Not part of the course's own files."
        ),
    )


def _imdb():
    return PublicDataset(
        name="imdb",
        title="IMDB: 50,000 film reviews, negative or positive",
        files=(
            RemoteFile(
                name="aclImdb_v1.tar.gz",
                urls=("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
                size=84125825,
                checksum="md5:7c2ac02c03563afcf9b574c7e56c153a",
                manifest=(
                    Content("aclImdb/train/pos/*.txt", files=12500),
                    Content("aclImdb/train/neg/*.txt", files=12500),
                    Content("aclImdb/test/pos/*.txt", files=12500),
                    Content("aclImdb/test/neg/*.txt", files=12500),
                    Content("aclImdb/train/urls_???.txt", files=2),
                ),
            ),
        ),
        licence="no licence stated; the authors ask for a citation",
        citation=(
            "A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts (2011). Learning Word"
            " Vectors for Sentiment Analysis. ACL 2011, 142–150."
        ),
        remarks=(
            "25,000 reviews to train with, 25,000 to test, of other films. The published archive"
            " also holds 50,000 reviews without labels, which the course does not use."
        ),
    )


def _eraser_movies():
    return PublicDataset(
        name="eraser_movies",
        title="ERASER movie reviews: what people marked as the reason for a verdict",
        files=(
            RemoteFile(
                name="movies.tar.gz",
                urls=("http://www.eraserbenchmark.com/zipped/movies.tar.gz",),
                manifest=(
                    Content("movies/train.jsonl", files=1),
                    Content("movies/val.jsonl", files=1),
                    Content("movies/test.jsonl", files=1),
                    Content("movies/docs/*", files=2000),
                ),
            ),
        ),
        licence="research use",
        citation=(
            "J. DeYoung, S. Jain, N. F. Rajani, E. Lehman, C. Xiong, R. Socher, B. C. Wallace"
            " (2020). ERASER: A Benchmark to Evaluate Rationalized NLP Models. ACL 2020,"
            " 4443–4458. The reviews and marks: O. Zaidan, J. Eisner, C. Piatko (2007). Using"
            " “Annotator Rationales” to Improve Machine Learning for Text Categorization."
            " NAACL-HLT 2007, 260–267."
        ),
        remarks="1,600 / 200 / 200 reviews (train, validation, test), about 800 words each.",
    )


REGISTRY = {
    entry.name: entry
    for entry in (
        _multi30k(),
        _flickr8k(),
        _spoken_digits(),
        _imdb(),
        _eraser_movies(),
    )
}


def public_card(name: str) -> dict:
    """What a checkpoint's card says of a public data set: licence, citation and checksums."""
    found = dataset(name)
    return {
        "name": name,
        "licence": found.licence,
        "citation": found.citation,
        "files": {file.name: file.sha256 for file in found.files},
    }
