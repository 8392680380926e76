"""Generated spoken commands: sentences written by a small grammar and read aloud by espeak-ng.

Each sound comes with information that recordings lack: the true start and end of each word, from
the events of the synthesiser. Twelve voices read the training part, two others the validation part,
and another four the test parts. The corpus is synthesised at first use, in about a minute, and
cached.

The synthesiser comes with the package `espeakng-loader` (espeak-ng is under GPL 3, its output is
not) and is called through ctypes. It runs in a process of its own: espeak-ng carries tiny
remainders over from one sentence to the next, so only a fresh process always gives the same sound.
Without the package, ``spoken_commands("sample")`` still works: that split comes with the course.
"""

import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from course_utils.paths import DATA, REPO, cache_folder
from course_utils.runtime import progress_bar, replacing, write_text

__all__ = [
    "RATE",
    "SPLITS",
    "SpokenCommand",
    "Synthesiser",
    "command",
    "commands",
    "spelled",
    "spoken_commands",
    "words",
]

RATE = 16_000
VERSION = 1  # of the corpus: increase it if grammar, voices or synthesis change
FOLDER = f"spoken-commands-{VERSION}"
SAMPLE = DATA / "spoken_commands"

# --- what is said -----------------------------------------------------------------------------

UNITS = "one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ROOMS = ("kitchen", "bedroom", "bathroom", "garden")
DEVICES = ("light", "fan", "radio", "heater")
DIRECTIONS = ("left", "right", "up", "down")


def spelled(number: int) -> str:
    """A number from 1 to 99 in words: 42 → "forty two"."""
    if not 1 <= number <= 99:
        raise ValueError(f"only numbers from 1 to 99 can be spelled, got {number}")
    if number < 10:
        return UNITS[number - 1]
    if number < 20:
        return TEENS[number - 10]
    tens, unit = divmod(number, 10)
    return TENS[tens - 2] + (f" {UNITS[unit - 1]}" if unit else "")


def command(choose: random.Random) -> str:
    """One random command of the grammar: six kinds with equal probability."""
    kind = choose.randrange(6)
    number = spelled(choose.randint(1, 99))
    if kind == 0:
        return f"turn {choose.choice(('on', 'off'))} the {place(choose)}"
    if kind == 1:
        return f"set the {place(choose)} to {number} percent"
    if kind == 2:
        return "call " + " ".join(choose.choice(UNITS) for _ in range(choose.randint(3, 7)))
    if kind == 3:
        return f"start a timer for {number} minutes"
    if kind == 4:
        return f"wake me at {spelled(choose.randint(1, 12))} {spelled(choose.randint(10, 59))}"
    return f"move {choose.choice(DIRECTIONS)} {number} steps"


def place(choose: random.Random) -> str:
    """A room and a device in it: "kitchen light"."""
    return f"{choose.choice(ROOMS)} {choose.choice(DEVICES)}"


def commands(choose: random.Random, numbers: Sequence[int]) -> str:
    """Several commands in a row, "… then … then …"; their number is drawn from ``numbers``."""
    return " then ".join(command(choose) for _ in range(choose.choice(numbers)))


def digits(choose: random.Random) -> str:
    """One to six digits, as words."""
    return " ".join(choose.choice(("zero", *UNITS)) for _ in range(choose.randint(1, 6)))


# Everyday words that do not sound like a digit: "two" is also "to" and "too", and so on.
OTHER_WORDS = """
apple river table window garden music paper orange yellow summer winter doctor teacher pencil
mountain bottle carpet hello morning evening people water forest button camera hammer ladder market
open close start stop play pause red green blue black white house street train bus car bread milk
cheese fish dog cat bird horse tree flower sun moon star rain snow wind book page door chair lamp
clock phone yes no please thank you good bad big small fast slow the and is was here there where
when who what why how my your his her our walk run sing read write speak listen look find give take
make come go day night week month year never always perhaps under over between again about because
""".split()


def other_words(choose: random.Random) -> str:
    """One to eight everyday words, none of them a digit."""
    return " ".join(choose.choice(OTHER_WORDS) for _ in range(choose.randint(1, 8)))


def words() -> list[str]:
    """All words of the grammar, in alphabetical order."""
    fixed = (
        "turn on off the set to percent call start a timer for minutes wake me at move steps then"
    )
    numbers = [*UNITS, *TEENS, *TENS]
    return sorted({*fixed.split(), *numbers, *ROOMS, *DEVICES, *DIRECTIONS})


# --- who says it ------------------------------------------------------------------------------

# An accent and a voice, as espeak-ng names them.
TRAIN_VOICES = (
    "en-us",
    "en-us+f2",
    "en-us+m3",
    "en-us+f5",
    "gmw/en+m1",
    "gmw/en+f3",
    "gmw/en+m5",
    "en-gb-scotland+m2",
    "gmw/en-GB-x-rp+f1",
    "gmw/en-029+m6",
    "gmw/en-GB-x-gbclan+f4",
    "en-us-nyc+m8",
)
VALID_VOICES = ("en-us+Andy", "gmw/en+Annie")
TEST_VOICES = ("gmw/en+m7", "en-us+anika", "en-gb-scotland+belinda", "gmw/en-GB-x-rp+max")


@dataclass(frozen=True)
class Split:
    """A split: its voices, its number of sounds, and the numbers of commands in one sound.

    A number of commands that is listed twice is twice as likely. ``text`` writes something else
    than commands.
    """

    voices: tuple[str, ...]
    count: int
    commands: tuple[int, ...] = ()
    text: Callable[[random.Random], str] | None = None

    def write(self, choose: random.Random) -> str:
        """The text of one sound."""
        return commands(choose, self.commands) if self.text is None else self.text(choose)


SHORT = (1, 1, 1, 1, 2)
SPLITS = {
    "train": Split(TRAIN_VOICES, 2000, SHORT),
    "valid": Split(VALID_VOICES, 200, SHORT),
    "test": Split(TEST_VOICES, 300, SHORT),
    "long": Split(TEST_VOICES, 100, (3, 4, 5, 6)),
    "sample": Split(TEST_VOICES, 28, SHORT),
    # For the digits: strangers, and speech that has none.
    "digits-train": Split(TRAIN_VOICES, 1500, text=digits),
    "digits-test": Split(TEST_VOICES, 200, text=digits),
    "words-train": Split(TRAIN_VOICES, 600, text=other_words),
    "words-test": Split(TEST_VOICES, 60, text=other_words),
}


@dataclass(frozen=True)
class SpokenCommand:
    """One sound, what is said in it, and when.

    text: the words, separated by spaces.
    voice, speed, pitch: how it was read; speed in words per minute, pitch from 0 to 99.
    times: start and end of each word in seconds.
    stored: 16-bit samples (N,) at 16 kHz.
    """

    text: str
    voice: str
    speed: int
    pitch: int
    times: tuple[tuple[float, float], ...]
    stored: Tensor

    @property
    def samples(self) -> Tensor:
        """The sound (N,) as numbers between -1 and 1."""
        return self.stored.float() / 32768

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.stored)


@lru_cache(maxsize=8)
def spoken_commands(split: str, progress: bool = True) -> tuple[SpokenCommand, ...]:
    """The sounds of a split: "train", "valid", "test", "long" (3 to 6 commands) or "sample"; digits
    in "digits-train" and "digits-test", other words in "words-train" and "words-test".

    Synthesised at first use and cached; "sample" comes with the course. Raises ValueError for an
    unknown split, RuntimeError if espeak-ng is needed but not installed.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    folder = SAMPLE if split == "sample" else cache_folder() / FOLDER
    if not (folder / f"{split}.json").exists():
        make(split, folder, progress)
    return read(split, folder)


def make(split: str, folder: Path, progress: bool = True) -> None:
    """Synthesise a split in a fresh process and write it to ``folder``, whole or not at all.

    Raises RuntimeError, with the last line of the process's messages, if that fails.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO), *sys.path])}
    arguments = [sys.executable, "-m", __name__, split, str(folder)]
    done = subprocess.Popen(
        arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with progress_bar(
        SPLITS[split].count, "sound", progress, desc=f"reading aloud: {split}", leave=False
    ) as bar:
        for _ in done.stdout:  # one line for each sound
            bar.update()
        error = done.stderr.read()
    if done.wait():
        last = error.strip().splitlines()[-1:] or ["the process ended without a message"]
        raise RuntimeError(
            f"the spoken commands ({split}) could not be synthesised: {last[0]}. espeak-ng comes"
            ' with the package espeakng-loader; "sample" works without it.'
        )


def read(split: str, folder: Path) -> tuple[SpokenCommand, ...]:
    """The sounds that `make` has written. Raises ValueError if its two files do not match."""
    import soundfile

    index = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))
    samples, rate = soundfile.read(folder / f"{split}.flac", dtype="int16")
    if rate != RATE or len(samples) != sum(entry["samples"] for entry in index):
        raise ValueError(
            f"{folder / split}.flac has {len(samples):,} samples at {rate} Hz, but its index lists "
            f"{sum(entry['samples'] for entry in index):,} at {RATE} Hz: remove both files"
        )
    parts = torch.from_numpy(samples).split([entry["samples"] for entry in index])
    return tuple(
        SpokenCommand(
            entry["text"],
            entry["voice"],
            entry["speed"],
            entry["pitch"],
            tuple((start, end) for start, end in entry["times"]),
            part,
        )
        for entry, part in zip(index, parts, strict=True)
    )


# --- how it is said ---------------------------------------------------------------------------


class _Name(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """espeak_EVENT of espeak-ng's speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    ]


WORD, PHONEME = 1, 7  # espeakEVENT_WORD, espeakEVENT_PHONEME
SYNCHRONOUS, PHONEME_EVENTS, UTF8 = 2, 1, 1
SPEED, PITCH = 1, 3
Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


LONGEST = 140  # bytes; espeak-ng has room for 159, and ends the process when a path is longer


class ShortPath:
    """A path to a folder that a C library has room for, for as long as this object exists.

    Raises RuntimeError if the folder for temporary files has too long a path as well.
    """

    def __init__(self, folder: Path):
        self.path = folder
        if len(os.fsencode(folder)) <= LONGEST:
            return
        self._place = tempfile.TemporaryDirectory(prefix="course-")
        self.path = Path(self._place.name) / folder.name
        if len(os.fsencode(self.path)) > LONGEST:
            raise RuntimeError(
                f"espeak-ng takes paths of at most {LONGEST} bytes, and both {folder} and the"
                " folder for temporary files are longer: set TMPDIR (Windows: TEMP) to a short path"
            )
        try:
            self.path.symlink_to(folder, target_is_directory=True)
        except OSError:  # Windows reserves links for administrators
            shutil.copytree(folder, self.path)


class Synthesiser:
    """espeak-ng: text → sound and the time of each word. A process has at most one.

    Raises RuntimeError if espeak-ng is not installed or does not start.
    """

    def __init__(self):
        try:
            import espeakng_loader

            self.library = ctypes.CDLL(espeakng_loader.get_library_path())
            self._data = ShortPath(Path(espeakng_loader.get_data_path()))
            folder = str(self._data.path)
        except (ImportError, OSError) as error:
            raise RuntimeError(
                f"espeak-ng is not installed ({error}): pip install espeakng-loader"
            ) from error
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, folder.encode(), PHONEME_EVENTS)
        if self.rate <= 0:
            raise RuntimeError(f"espeak-ng does not start with its data in {folder}")
        self._blocks: list[Tensor] = []
        self._events: list[tuple[int, int, str]] = []
        self._callback = Callback(self._receive)  # a reference: the library keeps none
        self.library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples, count, events) -> int:
        if samples and count > 0:
            block = ctypes.string_at(samples, 2 * count)
            self._blocks.append(torch.frombuffer(bytearray(block), dtype=torch.int16))
        at = 0
        while events[at].type:
            event = events[at]
            name = event.id.text.decode("utf-8", "replace") if event.type == PHONEME else ""
            self._events.append((event.type, event.sample, name))
            at += 1
        return 0

    def say(
        self, text: str, voice: str = "en-us", speed: int = 160, pitch: int = 50
    ) -> SpokenCommand:
        """Read ``text`` (words and spaces) aloud, at 16 kHz, with start and end of each word.

        speed: words per minute. pitch: 0 to 99. Raises ValueError for an empty text, for an unknown
        voice, and if espeak-ng does not report one start for each word.
        """
        spoken = text.split()
        if not spoken:
            raise ValueError("the text has no words")
        if self.library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        self.library.espeak_SetParameter(SPEED, speed, 0)
        self.library.espeak_SetParameter(PITCH, pitch, 0)
        self._blocks, self._events = [], []
        # espeak-ng merges words such as "on the" and reports one event for both. A zero-width space
        # before each word keeps them apart.
        written = " ".join("\u200b" + word for word in spoken).encode()
        self.library.espeak_Synth(
            ctypes.c_char_p(written), ctypes.c_size_t(len(written) + 1), 0, 1, 0, UTF8, None, None
        )
        times = word_times(self._events, len(spoken), self.rate)
        sound = torch.cat(self._blocks).float() / 32768
        stored = (_resample(sound, self.rate) * 32768).round().clamp(-32768, 32767).short()
        return SpokenCommand(" ".join(spoken), voice, speed, pitch, times, stored)


def word_times(
    events: Sequence[tuple[int, int, str]], count: int, rate: int
) -> tuple[tuple[float, float], ...]:
    """Start and end of each word in seconds, from events (type, sample, phoneme).

    A word starts at its word event. It ends where the next one starts, or at a pause before that (a
    phoneme whose name begins with "_"). Raises ValueError unless there is one event for each word,
    in order.
    """
    starts = [sample for kind, sample, _ in events if kind == WORD]
    if len(starts) != count or starts != sorted(set(starts)):
        raise ValueError(f"{count} words, but espeak-ng reported {len(starts)} starts: {starts}")
    pauses = [s for kind, s, name in events if kind == PHONEME and name.startswith("_")]
    last = max(sample for _, sample, _ in events)
    found = []
    for start, following in zip(starts, [*starts[1:], last], strict=True):
        end = min([following, *(pause for pause in pauses if pause > start)])
        found.append((round(start / rate, 4), round(end / rate, 4)))
    return tuple(found)


@lru_cache(maxsize=2)
def _converter(rate: int):
    from torchaudio.transforms import Resample

    return Resample(rate, RATE)


def _resample(sound: Tensor, rate: int) -> Tensor:
    return _converter(rate)(sound)


def synthesise(split: str) -> Iterator[SpokenCommand]:
    """All sounds of a split, in order; the same in each fresh process."""
    choose, settings, voice = random.Random(f"{split}-{VERSION}"), SPLITS[split], Synthesiser()
    for number in range(settings.count):
        yield voice.say(
            settings.write(choose),
            settings.voices[number % len(settings.voices)],
            speed=choose.randint(130, 210),
            pitch=choose.randint(35, 65),
        )


def main(split: str, folder: Path) -> None:
    """Write a split as one FLAC and its index. The index comes last, so it marks completion."""
    import soundfile

    torch.set_num_threads(1)
    index, sounds = [], []
    for sound in synthesise(split):
        sounds.append(sound.stored)
        entry = {"text": sound.text, "voice": sound.voice, "speed": sound.speed}
        index.append(entry | {"pitch": sound.pitch, "samples": len(sound), "times": sound.times})
        print(len(index), flush=True)
    with replacing(folder / f"{split}.flac") as partial:
        soundfile.write(partial, torch.cat(sounds).numpy(), RATE, format="FLAC", subtype="PCM_16")
    lines = ",\n".join(json.dumps(entry) for entry in index)
    write_text(folder / f"{split}.json", f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
