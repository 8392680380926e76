"""Free Spoken Digit Dataset: ten digits in English, fifty times each by six people, 8 kHz.

Source: https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0. The course downloads
it and never ships it. The official test recordings are those with index 0 to 4. Here they become
*strings*: 2 to 6 digits of one speaker, with pauses between them, as one would say a number.

Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite (2018). Jakobovski/
free-spoken-digit-dataset: v1.0.8. Zenodo. doi:10.5281/zenodo.1342401
"""

import io
import random
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_utils.datasets.download import fetch
from course_utils.datasets.registry import DataError

__all__ = ["SPEAKERS", "SPLITS", "WORDS", "DigitString", "digit_strings", "recordings"]

NAME = "spoken_digits"
ARCHIVE = "free-spoken-digit-dataset-master.zip"
RATE = 8000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = {"train": range(5, 45), "valid": range(45, 50), "test": range(0, 5)}
DIGITS = (2, 6)  # in a string, both included
PAUSES = (0.05, 0.3)  # seconds between two digits, uniform


@dataclass(frozen=True)
class DigitString:
    """A string of recorded digits of one speaker; `samples` puts it together when it is needed.

    parts   the recordings, (N,) each; pauses  seconds of silence before the second, third … part
    """

    speaker: str
    digits: tuple[int, ...]
    parts: tuple[Tensor, ...]
    pauses: tuple[float, ...]

    @property
    def text(self) -> str:
        return " ".join(WORDS[digit] for digit in self.digits)

    def __len__(self) -> int:
        """Samples at 8 kHz."""
        gaps = sum(round(pause * RATE) for pause in self.pauses)
        return sum(len(part) for part in self.parts) + gaps

    @property
    def samples(self) -> Tensor:
        """The sound, (N,), at 8 kHz."""
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
def recordings() -> dict[tuple[int, str, int], Tensor]:
    """All 3,000 recordings: (digit, speaker, index) → sound (N,) at 8 kHz.

    Downloads the archive (16 MB) when it is neither in the cache nor in a mirror. Raises DataError
    when it cannot be had or does not hold what it should.
    """
    from course_utils.audio import AudioError, read_audio

    path = fetch(NAME) / ARCHIVE
    pattern = re.compile(r"recordings/(\d)_([a-z]+)_(\d+)\.wav$")
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if match := pattern.search(member):
                    digit, speaker, index = match.groups()
                    sound = read_audio(io.BytesIO(archive.read(member)).getvalue(), RATE)
                    found[int(digit), speaker, int(index)] = sound
    except (OSError, zipfile.BadZipFile, AudioError) as error:
        raise DataError(
            f"{path} cannot be read ({error}).",
            "Remove it and run: python -m course_utils data get spoken_digits.",
        ) from error
    wanted = {(d, s, i) for d in range(10) for s in SPEAKERS for i in range(50)}
    if missing := wanted - set(found):
        raise DataError(
            f"{path} lacks {len(missing):,} of {len(wanted):,} recordings, for instance "
            f"{sorted(missing)[0]} (digit, speaker, index).",
            "Remove it and run: python -m course_utils data get spoken_digits.",
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
    part) or "test" (0 to 4, the official ones). The same arguments give the same strings. The test
    set of the course is ``digit_strings("test", 500, seed=0)``.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    if unknown := set(speakers) - set(SPEAKERS):
        raise ValueError(f"no speakers {sorted(unknown)}; there are {', '.join(SPEAKERS)}")
    if not 1 <= digits[0] <= digits[1]:
        raise ValueError(f"digits = (fewest, most), at least one, got {digits}")
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
