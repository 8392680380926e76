"""AESLC: 18,302 e-mails with their subject lines, from the correspondence of Enron.

Source: https://github.com/ryanzhumich/AESLC. The e-mails are those of real people, published in the
course of an investigation. The course trains and measures with them; it shows none of them.

In the validation and test parts, three more people wrote a subject line for each e-mail.

R. Zhang, J. Tetreault (2019). This Email Could Save Your Life: Introducing the Task of Email
Subject Line Generation. ACL 2019, 446–456.
"""

import re

from course_utils.datasets.archives import open_zip, readable
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

__all__ = ["DATASET", "SPLITS", "aeslc"]

ARCHIVE = "AESLC-master.zip"

DATASET = PublicDataset(
    name="aeslc",
    title="AESLC: e-mails of Enron with their subject lines",
    files=(
        RemoteFile(
            name=ARCHIVE,
            url="https://github.com/ryanzhumich/AESLC/archive/refs/heads/master.zip",
            size=12272221,
            # GitHub packs the archive anew for each download, so its bytes may differ.
            manifest=(
                Content("*/enron_subject_line/train/*.subject", files=14436),
                Content("*/enron_subject_line/dev/*.subject", files=1960),
                Content("*/enron_subject_line/test/*.subject", files=1906),
            ),
        ),
    ),
    licence="CC BY-NC-SA 4.0",
    citation=(
        "R. Zhang, J. Tetreault (2019). This Email Could Save Your Life: Introducing the Task of"
        " Email Subject Line Generation. ACL 2019, 446–456."
    ),
    remarks=(
        "14,436 e-mails for training, 1,960 for validation, 1,906 for testing. They are those of"
        " real people: the course shows none of them."
    ),
)

SPLITS = {"train": "train", "valid": "dev", "test": "test"}


def aeslc(split: str) -> list[tuple[str, str]]:
    """E-mails with their original subject lines, (text, subject), sorted by file name.

    split: "train" (14,436 e-mails), "valid" (1,960) or "test" (1,906). Runs of white space become
    one space; nothing else is changed.

    Reads the archive (12 MB) without unpacking it; downloads it unless it is in the cache or in a
    mirror. Raises ValueError for an unknown split, DataError if the archive cannot be downloaded or
    read.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    path = fetch("aeslc") / ARCHIVE
    wanted = re.compile(rf"[^/]+/enron_subject_line/{SPLITS[split]}/[^/]+\.subject")
    found = []
    with readable(path, "aeslc"), open_zip(path) as archive:
        for name in sorted(filter(wanted.fullmatch, archive.namelist())):
            text = archive.read(name).decode("utf-8", errors="replace")
            # "@subject" is followed by one line; "@ann0" to "@ann2" are those of other people.
            parts = re.split(r"^@subject[ \t]*\r?\n(.*)", text, maxsplit=1, flags=re.MULTILINE)
            if len(parts) < 3:
                raise DataError(
                    f"{path} is damaged: a file of its part “{split}” has no subject line.",
                    "Remove it and run: python -m course_utils data get aeslc.",
                )
            found.append((" ".join(parts[0].split()), " ".join(parts[1].split())))
    if not found:
        raise DataError(
            f"{path} has no e-mails of the part “{split}”.",
            "Remove it and run: python -m course_utils data get aeslc.",
        )
    return found
