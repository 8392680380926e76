"""Free Spoken Digit Dataset: ten English digits, spoken fifty times each by six people, 8 kHz.

Source: https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0. The course downloads
it and does not include it. The official test recordings are those with index 0 to 4. Here they are
joined into *strings*: 2 to 6 digits of one speaker with pauses between them, as people say a
number.

Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite (2018). Jakobovski/
free-spoken-digit-dataset: v1.0.8. Zenodo. doi:10.5281/zenodo.1342401
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from course_utils.datasets.archives import open_zip, readable
from course_utils.datasets.download import fetch
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DATASET", "SPEAKERS", "SPLITS", "WORDS", "DigitString", "digit_strings", "recordings"]

ARCHIVE = "free-spoken-digit-dataset-master.zip"

DATASET = PublicDataset(
    name="spoken_digits",
    title="Free Spoken Digit Dataset: ten English digits by six people, 8 kHz",
    files=(
        RemoteFile(
            name=ARCHIVE,
            url=(
                "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/"
                "master.zip"
            ),
            # GitHub packs the archive anew for each download, so its bytes may differ.
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
        "3,000 recordings; those with index 0 to 4 are the official test part. The course joins"
        " them into strings of 2 to 6 digits. Not part of the course's own files."
    ),
)

RATE = 8000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = {"train": range(5, 45), "valid": range(45, 50), "test": range(0, 5)}
DIGITS = (2, 6)  # fewest and most digits in a string
PAUSES = (0.05, 0.3)  # shortest and longest pause between two digits in seconds
ADVICE = "Remove it and run: python -m course_utils data get spoken_digits."


@dataclass(frozen=True)
class DigitString:
    """A string of recorded digits of one speaker; `samples` joins the recordings on demand.

    parts: the recordings, (N,) each.
    pauses: seconds of silence before the second, third … part.
    """

    speaker: str
    digits: tuple[int, ...]
    parts: "tuple[Tensor, ...]"
    pauses: tuple[float, ...]

    @property
    def text(self) -> str:
        """The digits as words, separated by spaces."""
        return " ".join(WORDS[digit] for digit in self.digits)

    def __len__(self) -> int:
        """Number of samples at 8 kHz."""
        gaps = sum(round(pause * RATE) for pause in self.pauses)
        return sum(len(part) for part in self.parts) + gaps

    @property
    def samples(self) -> "Tensor":
        """The sound, (N,), at 8 kHz."""
        import torch

        pieces = [self.parts[0]]
        for pause, part in zip(self.pauses, self.parts[1:], strict=True):
            pieces += [torch.zeros(round(pause * RATE)), part]
        return torch.cat(pieces)

    @property
    def times(self) -> list[tuple[float, float]]:
        """Start and end of each digit in seconds."""
        found, place = [], 0
        for pause, part in zip((0.0, *self.pauses), self.parts, strict=True):
            place += round(pause * RATE)
            found.append((place / RATE, (place + len(part)) / RATE))
            place += len(part)
        return found


@lru_cache(maxsize=1)
def recordings() -> "dict[tuple[int, str, int], Tensor]":
    """All 3,000 recordings: (digit, speaker, index) → sound (N,) at 8 kHz.

    Downloads the archive (16 MB) unless it is in the cache or in a mirror. Raises DataError if it
    cannot be downloaded or is incomplete.
    """
    from course_utils.audio import AudioError, read_audio

    path = fetch(DATASET.name) / ARCHIVE
    pattern = re.compile(r"recordings/(\d)_([a-z]+)_(\d+)\.wav$")
    found = {}
    with readable(path, DATASET.name), open_zip(path) as archive:
        for member in archive.namelist():
            if match := pattern.search(member):
                digit, speaker, index = match.groups()
                try:
                    sound = read_audio(archive.read(member), RATE)
                except AudioError as error:
                    raise DataError(f"{path}: {member}: {error}.", ADVICE) from None
                found[int(digit), speaker, int(index)] = sound
    wanted = {(d, s, i) for d in range(10) for s in SPEAKERS for i in range(50)}
    if missing := wanted - set(found):
        raise DataError(
            f"{path} lacks {len(missing):,} of {len(wanted):,} recordings, for instance "
            f"{sorted(missing)[0]} (digit, speaker, index).",
            ADVICE,
        )
    return found


def digit_strings(
    split: str,
    count: int,
    seed: int = 0,
    speakers: Sequence[str] = SPEAKERS,
    digits: tuple[int, int] = DIGITS,
) -> list[DigitString]:
    """``count`` random strings: speaker, number of digits, digits, recordings, pauses, all uniform.

    split: "train" (recordings 5 to 44), "valid" (45 to 49, taken out of the official training
    part) or "test" (0 to 4, the official test part). digits: fewest and most digits in a string.
    Equal arguments give equal strings. The test set of the course is
    ``digit_strings("test", 500, seed=0)``.

    Raises ValueError for an unknown split or speaker, and for an impossible number of digits.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if unknown := set(speakers) - set(SPEAKERS):
        known = ", ".join(SPEAKERS)
        raise ValueError(f"unknown speakers {sorted(unknown)}: choose from {known}")
    if not 1 <= digits[0] <= digits[1]:
        raise ValueError(f"digits = (fewest, most) with at least one digit, got {digits}")
    sounds = recordings()
    generator = random.Random(f"{split}-{seed}")
    strings = []
    for _ in range(count):
        speaker = generator.choice(list(speakers))
        length = generator.randint(*digits)
        spoken = tuple(generator.randrange(10) for _ in range(length))
        parts = tuple(sounds[d, speaker, generator.choice(SPLITS[split])] for d in spoken)
        pauses = tuple(generator.uniform(*PAUSES) for _ in range(length - 1))
        strings.append(DigitString(speaker, spoken, parts, pauses))
    return strings
