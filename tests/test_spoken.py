"""The data of speech recognition: generated commands with word times, strings of digits."""

import io
import itertools
import random
import zipfile

import pytest
import soundfile
import torch

from course_utils.datasets.generated import spoken_commands as commands_module
from course_utils.datasets.generated.spoken_commands import (
    RATE,
    SPLITS,
    TEST_VOICES,
    TRAIN_VOICES,
    VALID_VOICES,
    Synthesiser,
    command,
    commands,
    make,
    read,
    spelled,
    spoken_commands,
    word_times,
    words,
)
from course_utils.datasets.public import spoken_digits as digits_module
from course_utils.datasets.public.spoken_digits import PAUSES, SPEAKERS, DigitString, digit_strings
from course_utils.datasets.registry import REGISTRY, DataError

# --- the grammar ------------------------------------------------------------------------------


def test_numbers_are_spelled():
    assert [spelled(n) for n in (1, 10, 19, 20, 42, 99)] == [
        "one",
        "ten",
        "nineteen",
        "twenty",
        "forty two",
        "ninety nine",
    ]
    assert len({spelled(n) for n in range(1, 100)}) == 99
    for wrong in (0, 100):
        with pytest.raises(ValueError, match="1 to 99"):
            spelled(wrong)


def test_the_grammar_says_its_words_and_no_other():
    choose = random.Random(0)
    said = {word for _ in range(4000) for word in commands(choose, (1, 2)).split()}
    assert said == set(words())
    assert " then " in commands(random.Random(1), (3,))
    assert len({command(choose).split()[0] for _ in range(200)}) == 6


def test_no_voice_is_in_two_parts():
    for one, other in itertools.combinations((TRAIN_VOICES, VALID_VOICES, TEST_VOICES), 2):
        assert not set(one) & set(other)
    assert len(TRAIN_VOICES) >= 8
    assert SPLITS["test"].voices == SPLITS["long"].voices == TEST_VOICES


# --- the synthesiser --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def synthesiser():
    return Synthesiser()


def pairs_of_the_grammar():
    """Sentences that hold every pair of neighbours that the grammar can say."""
    choose = random.Random(0)
    seen, kept = set(), []
    for _ in range(6000):
        text = commands(choose, (1, 2))
        pairs = set(itertools.pairwise(text.split()))
        if not pairs <= seen:
            seen |= pairs
            kept.append(text)
    return kept, seen


def test_every_word_of_the_whole_grammar_has_exactly_one_start(synthesiser):
    texts, seen = pairs_of_the_grammar()
    assert ("on", "the") in seen and ("off", "the") in seen  # espeak-ng merges these
    # In a slow and in a fast voice, of an American and of a Scot.
    for text, (voice, speed) in zip(
        texts, itertools.cycle([("en-us", 130), ("en-gb-scotland+m2", 210)]), strict=False
    ):
        sound = synthesiser.say(text, voice, speed)
        count = len(text.split())
        starts, ends = zip(*sound.times, strict=True)
        assert len(starts) == count
        assert all(a < b for a, b in itertools.pairwise(starts))
        assert all(s < e for s, e in sound.times)
        assert all(e <= s + 1e-9 for e, s in zip(ends, starts[1:], strict=False))
        assert 0 <= starts[0] < 0.1 and len(sound) / RATE - 0.25 < ends[-1] <= len(sound) / RATE


def test_a_sound_is_loud_where_its_words_are(synthesiser):
    sound = synthesiser.say("call five", speed=140)
    assert sound.samples.dtype == torch.float32 and 0.1 < float(sound.samples.abs().max()) <= 1
    (start, end) = sound.times[1]
    inside = sound.samples[round(start * RATE) : round(end * RATE)]
    assert float(inside.square().mean().sqrt()) > 0.03
    slow, fast = (synthesiser.say("turn on the light", speed=s) for s in (130, 210))
    assert len(slow) > 1.3 * len(fast)


def test_the_synthesiser_refuses(synthesiser):
    with pytest.raises(ValueError, match="no voice 'en-xx'"):
        synthesiser.say("call five", voice="en-xx")
    with pytest.raises(ValueError, match="no word"):
        synthesiser.say("  ")


def test_word_times_from_events():
    events = [(1, 0, ""), (7, 10, "s"), (1, 200, ""), (7, 210, "_:"), (7, 300, "x"), (1, 400, "")]
    events.append((7, 500, "_"))
    assert word_times(events, 3, 100) == ((0.0, 2.0), (2.0, 2.1), (4.0, 5.0))
    with pytest.raises(ValueError, match="2 words, but espeak-ng reported 3 starts"):
        word_times(events, 2, 100)


def test_a_split_is_the_same_each_time(tmp_path):
    for folder in ("a", "b"):
        make("sample", tmp_path / folder, progress=False)
    for ending in ("json", "flac"):
        one, other = (tmp_path / f / f"sample.{ending}" for f in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["sample.flac", "sample.json"]
    again, shipped = read("sample", tmp_path / "a"), spoken_commands("sample")
    assert [s.text for s in again] == [s.text for s in shipped]
    assert all(abs(len(a) - len(b)) <= 2 for a, b in zip(again, shipped, strict=True))
    (tmp_path / "b" / "sample.flac").write_bytes((tmp_path / "a" / "sample.flac").read_bytes())
    short = read("sample", tmp_path / "a")[0].stored
    soundfile.write(tmp_path / "b" / "sample.flac", short.numpy(), RATE)
    with pytest.raises(ValueError, match="remove both files"):
        read("sample", tmp_path / "b")


def test_the_sample_comes_with_the_course():
    sounds = spoken_commands("sample")
    assert {s.voice for s in sounds} == set(TEST_VOICES)
    assert all(len(s.times) == len(s.text.split()) for s in sounds)
    assert sum(p.stat().st_size for p in commands_module.SAMPLE.iterdir()) < 2e6
    with pytest.raises(ValueError, match="one of train"):
        spoken_commands("dev")


def test_without_the_library_the_message_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(commands_module.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="espeakng-loader"):
        make("test", tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


# --- digits -----------------------------------------------------------------------------------


def archive(folder, missing=()):
    """A small stand-in for the data set: 3,000 recordings of 20 ms, told apart by their value."""
    path = folder / digits_module.ARCHIVE
    with zipfile.ZipFile(path, "w") as out:
        for digit in range(10):
            for number, speaker in enumerate(SPEAKERS):
                for index in range(50):
                    if (digit, speaker, index) in missing:
                        continue
                    value = (digit * 300 + number * 50 + index) / 4000
                    buffer = io.BytesIO()
                    soundfile.write(buffer, torch.full((160,), value).numpy(), 8000, format="WAV")
                    name = f"free-spoken-digit-dataset-master/recordings/{digit}_{speaker}_{index}"
                    out.writestr(f"{name}.wav", buffer.getvalue())
    return path


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The functions of spoken_digits on the stand-in."""
    folder = tmp_path_factory.mktemp("digits")
    archive(folder)
    patch = pytest.MonkeyPatch()
    patch.setattr(digits_module, "fetch", lambda name: folder)
    digits_module.recordings.cache_clear()
    yield digits_module
    digits_module.recordings.cache_clear()
    patch.undo()


def origin(part):
    """(digit, speaker, index) of a recording of the stand-in."""
    number = round(float(part[0]) * 4000)
    return number // 300, SPEAKERS[number % 300 // 50], number % 50


def test_strings_are_of_one_speaker_and_their_own_recordings(digits):
    for split, indices in digits.SPLITS.items():
        strings = digit_strings(split, 60, seed=3)
        assert len(strings) == 60 and len({s.speaker for s in strings}) == 6
        for string in strings:
            assert 2 <= len(string.digits) <= 6
            assert all(PAUSES[0] <= pause <= PAUSES[1] for pause in string.pauses)
            for digit, part in zip(string.digits, string.parts, strict=True):
                found = origin(part)
                assert found[:2] == (digit, string.speaker) and found[2] in indices
        assert [s.text for s in strings] == [s.text for s in digit_strings(split, 60, seed=3)]
        assert [s.text for s in strings] != [s.text for s in digit_strings(split, 60, seed=4)]
    assert {len(s.digits) for s in digit_strings("test", 200)} == {2, 3, 4, 5, 6}


def test_no_recording_is_in_two_parts(digits):
    parts = [set(indices) for indices in digits.SPLITS.values()]
    assert set.union(*parts) == set(range(50)) and sum(map(len, parts)) == 50
    assert set(digits.SPLITS["test"]) == set(range(5))  # the official test part


def test_a_string_joins_its_recordings(digits):
    string = DigitString("theo", (7, 0), (torch.ones(800), torch.ones(400)), (0.1,))
    assert string.text == "seven zero"
    assert len(string) == len(string.samples) == 2000
    assert string.times == [(0.0, 0.1), (0.2, 0.25)]
    assert string.samples.nonzero().flatten().tolist() == [*range(800), *range(1600, 2000)]


def test_excluded_speakers_and_wrong_arguments(digits):
    others = tuple(s for s in SPEAKERS if s != "theo")
    assert {s.speaker for s in digit_strings("train", 100, speakers=others)} == set(others)
    for arguments, message in (
        (("dev", 3), "one of train"),
        (("test", 3, 0, ("nobody",)), "unknown speakers"),
        (("test", 3, 0, SPEAKERS, (0, 3)), "at least one digit"),
    ):
        with pytest.raises(ValueError, match=message):
            digit_strings(*arguments)


def test_an_incomplete_or_damaged_archive_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(digits_module, "fetch", lambda name: tmp_path)
    digits_module.recordings.cache_clear()
    try:
        path = archive(tmp_path, missing={(3, "theo", 7), (9, "lucas", 49)})
        with pytest.raises(DataError, match=r"lacks 2 of 3,000.*\(3, 'theo', 7\)"):
            digits_module.recordings()
        with zipfile.ZipFile(path, "w") as out:
            out.writestr("x/recordings/3_theo_7.wav", b"no sound")
        with pytest.raises(DataError, match=r"3_theo_7\.wav.*not a sound.*data get spoken_digits"):
            digits_module.recordings()
        path.write_bytes(b"no archive")
        with pytest.raises(DataError, match="cannot be read"):
            digits_module.recordings()
    finally:
        digits_module.recordings.cache_clear()


def test_the_registry_says_what_the_archive_contains():
    entry = REGISTRY["spoken_digits"]
    assert entry.licence == "CC BY-SA 4.0" and entry.files[0].checksum is None
    assert sum(c.files for c in entry.files[0].manifest[1:]) == entry.files[0].manifest[0].files
