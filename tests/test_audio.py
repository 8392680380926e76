"""Sound: files of all kinds, frames, pauses, augmentation."""

import io
import math
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchaudio.transforms import MelSpectrogram

from course_utils.audio import (
    AudioError,
    FrontEnd,
    audio_blocks,
    loudest,
    loudness,
    pieces_of_speech,
    read_audio,
    resample,
    silent,
    without_peaks,
    write_audio,
)
from course_utils.messages import shown
from course_utils.tasks.speech.augmentation import Augmentation, change_speed
from tools.peaks import memory_added
from tools.tiny import few, quick

RATE = 8000


def tone(seconds, hertz=440.0, rate=RATE, level=0.3):
    return level * torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * rate)) / rate)


def quiet(seconds, rate=RATE):
    return torch.zeros(round(seconds * rate))


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending,tolerance", [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.05)])
def test_formats_and_channels(tmp_path, ending, tolerance):
    left, right = tone(0.5, 300), tone(0.5, 700)
    file = tmp_path / f"stereo.{ending}"
    soundfile.write(file, torch.stack([left, right], dim=1).numpy(), RATE)
    found = read_audio(file, RATE)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, (left + right) / 2, atol=tolerance, rtol=0)
    torch.testing.assert_close(read_audio(file.read_bytes(), RATE), found)
    torch.testing.assert_close(read_audio(str(file), RATE), found)


def test_channels_of_opposite_phase_are_heard(tmp_path):
    file, sound = tmp_path / "phase.wav", tone(0.5)
    for other in (-1.0, -0.95):
        soundfile.write(file, torch.stack([sound, other * sound], dim=1).numpy(), RATE)
        torch.testing.assert_close(read_audio(file, RATE), sound, atol=1e-4, rtol=0)
    soundfile.write(file, torch.stack([0.95 * sound, -sound], dim=1).numpy(), RATE)
    torch.testing.assert_close(read_audio(file, RATE), -sound, atol=1e-4, rtol=0)  # the loudest
    for other in (-0.3, 0.0):  # the mean can be heard
        soundfile.write(file, torch.stack([sound, other * sound], dim=1).numpy(), RATE)
        expected = (1 + other) / 2 * sound
        torch.testing.assert_close(read_audio(file, RATE), expected, atol=1e-4, rtol=0)
    soundfile.write(file, torch.zeros(4000, 2).numpy(), RATE)
    assert not read_audio(file, RATE).any()


@given(
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100]),
    samples=st.integers(1, 70_000),
    wanted=st.sampled_from([8000, 16000]),
)
@few
def test_blocks_are_the_whole_resampled(tmp_path_factory, rate, samples, wanted):
    generator = torch.Generator().manual_seed(samples)
    sound = 0.1 * torch.randn(samples, generator=generator)
    file = tmp_path_factory.mktemp("blocks") / "noise.wav"
    soundfile.write(file, sound.numpy(), rate, subtype="FLOAT")
    whole = resample(sound, rate, wanted)
    found = torch.cat(list(audio_blocks(file, wanted, seconds=2)))
    assert len(found) == math.ceil(samples * wanted / rate)
    torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)


def test_resampling_keeps_a_tone():
    found = resample(tone(1.0, 440, rate=44100), 44100, RATE)
    torch.testing.assert_close(found[400:-400], tone(1.0, 440)[400:-400], atol=2e-3, rtol=0)


POSIX = [("n" * 300, "the name is too long"), ("/dev/zero", "a device or a pipe")]
POSIX *= os.name == "posix"  # other systems have other limits and devices


def test_files_that_are_not_a_sound(tmp_path):
    text, nothing = tmp_path / "notes.wav", tmp_path / "nothing.flac"
    text.write_text("no sound at all\n" * 50)
    nothing.write_bytes(b"")
    for file, reason in (
        (text, "cannot be read as sound"),
        *POSIX,
        ("a\x1b[2J.wav", r"^a.x1b.2J.wav: there is no such file"),
        (nothing, "cannot be read as sound"),
        (tmp_path / "missing.wav", "there is no such file"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(AudioError, match=reason) as caught:
            read_audio(file, RATE)
        assert shown(file) in str(caught.value) and str(caught.value).isprintable()


def test_a_damaged_file_says_so(tmp_path):
    file = tmp_path / "cut.flac"
    write_audio(file, 0.1 * torch.randn(30_000, generator=torch.Generator().manual_seed(0)), RATE)
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(AudioError):
        read_audio(file, RATE)


def wav(header, data=b"", kind=1, bits=16):
    """A WAV file with any rate, channels and size of the data in its header."""
    rate, channels, size = header
    step = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, channels, rate, rate * step, step, bits)
    form += struct.pack("<4sI", b"data", size) + data
    return b"RIFF" + struct.pack("<I", len(form) + 4) + b"WAVE" + form


def floats(*samples, kind="FLOAT"):
    out = io.BytesIO()
    soundfile.write(out, np.array(samples), RATE, subtype=kind, format="WAV")
    return out.getvalue()


def test_a_file_without_samples_is_an_empty_sound():
    assert read_audio(wav((RATE, 1, 0)), RATE).shape == (0,)


@pytest.mark.parametrize("sample", [math.nan, math.inf, -math.inf, 1e25, -2.2e9])
@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE"])
def test_a_sample_that_is_not_finite_or_far_too_large_is_refused(sample, kind):
    with pytest.raises(AudioError, match="not finite, or far too large"):
        read_audio(floats(0.1, sample, 0.5, kind=kind), RATE)
    for use in (FrontEnd().log_mel, lambda sound: silent(sound, RATE), pieces):
        if abs(sample) != 2.2e9:
            with pytest.raises(ValueError, match="not finite, or far too large"):
                use(torch.tensor([0.1, sample, 0.5]))


@pytest.mark.parametrize("kind", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8"])
def test_the_loudest_integers_are_between_minus_one_and_one(kind):
    found = read_audio(floats(-1.0, 1.0, kind=kind), RATE)
    torch.testing.assert_close(found, torch.tensor([-1.0, 1.0]), atol=0.01, rtol=0)


def test_integers_stored_as_floats_can_be_heard():
    loud = read_audio(floats(*(tone(0.3) * 2**31).tolist()), RATE)
    torch.testing.assert_close(FrontEnd().log_mel(loud), FrontEnd().log_mel(tone(0.3)))


@given(rate=st.integers(1000, 200_000), samples=st.integers(1, 3000))
@few
def test_resampling_between_any_rates_is_that_of_torchaudio(rate, samples):
    """Our way for rates without a large common factor, at rates that torchaudio can afford."""
    from torchaudio.functional import resample as reference

    sound = torch.randn(samples, generator=torch.Generator().manual_seed(rate))
    rate -= rate % 50
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("course_utils.audio.CHUNK", 25)
        found = resample(sound, rate, RATE)
    torch.testing.assert_close(found, reference(sound, rate, RATE), atol=2e-4, rtol=0)


def test_a_rate_without_a_common_factor_keeps_a_tone():
    found = resample(tone(1.0, 440, rate=44_101), 44_101, RATE)
    torch.testing.assert_close(found[400:-400], tone(1.0, 440)[400:-400], atol=2e-3, rtol=0)


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2**31 - 1])
def test_a_rate_that_no_recording_has_is_refused(rate):
    with pytest.raises(AudioError, match="rate|cannot be read"):
        read_audio(wav((rate, 1, 60), bytes(60)), RATE)


def test_a_long_sound_is_read_in_blocks_only(monkeypatch):
    monkeypatch.setattr("course_utils.audio.LONGEST", 1)
    file = wav((RATE, 1, 3 * RATE), bytes(3 * RATE))
    assert sum(map(len, audio_blocks(file, RATE))) == 1.5 * RATE
    with pytest.raises(AudioError, match="more than an hour"):
        read_audio(file, RATE)


def flac_that_promises(frames):
    """A FLAC of a tenth of a second whose header promises ``frames`` samples."""
    out = io.BytesIO()
    soundfile.write(out, tone(0.1).numpy(), RATE, format="FLAC")
    content = bytearray(out.getvalue())
    content[21] = content[21] & 0xF0 | frames >> 32
    content[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        wav((65_537, 1, 60), bytes(60)),
        wav((767_999, 1, 60), bytes(60)),
        wav((RATE, 1024, 2**32 - 1), bytes(4096)),
        wav((768_000, 1024, 2**31), bytes(4096)),
        flac_that_promises(2**36 - 1),
    ],
    ids=["rate", "highest", "size", "all", "flac"],
)
def test_a_header_does_not_set_the_cost(content, tmp_path):
    paths = [tmp_path / "plain.wav", tmp_path / "other.wav"]
    for path, data in zip(paths, (wav((16_000, 1, 60), bytes(60)), content), strict=True):
        path.write_bytes(data)
    read = """
from course_utils.audio import AudioError, audio_blocks
def read(path):
    try:
        list(audio_blocks(path, 8000))
    except AudioError:
        pass
read(sys.argv[1])"""
    assert memory_added(read, "read(sys.argv[2])", *paths) < 60e6


def test_damage_gives_a_sound_or_one_line():
    """In a process of its own: a C library must not end ours, nor print."""
    script = """
import io, random, soundfile, numpy
from course_utils.audio import AudioError, read_audio
sound = numpy.random.default_rng(0).normal(0, 0.1, (1600, 2))
choose = random.Random(0)
for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "W64", "AU", "RF64", "NIST", "SDS", "XI"):
    out = io.BytesIO()
    soundfile.write(out, sound[:, 0] if kind in ("SDS", "XI") else sound, 16000, format=kind)
    for _ in range(40):
        content = bytearray(out.getvalue())
        for _ in range(choose.randint(1, 6)):
            content[choose.randrange(12, min(len(content), 400))] = choose.randrange(256)
        try:
            found = read_audio(bytes(content[: choose.randint(1, len(content))]), 8000)
            assert found.isfinite().all() and kind not in ("SDS", "XI")
        except AudioError as error:
            assert str(error).isprintable(), error
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


# --- frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate,mels", [(8000, 40), (16000, 32)])
def test_log_mel_is_that_of_torchaudio(rate, mels):
    front_end = FrontEnd(sample_rate=rate, mels=mels)
    sound = tone(0.7, 600, rate) + tone(0.7, 2500, rate, level=0.01)
    reference = MelSpectrogram(
        rate,
        n_fft=front_end.fft_size,
        win_length=front_end.window_samples,
        hop_length=front_end.hop_samples,
        f_min=front_end.lowest,
        f_max=front_end.highest,
        n_mels=mels,
        center=False,
    )
    # torchaudio puts a short window into the middle of the transform: shift the sound to match.
    shift = (front_end.fft_size - front_end.window_samples) // 2
    padded = torch.nn.functional.pad(sound, (shift, front_end.fft_size))
    power = reference(padded).T[: front_end.frames(len(sound))]
    loudness = torch.log(power + 1e-10)
    expected = torch.maximum(loudness, loudness.max() - front_end.depth) - loudness.max()
    expected = expected * (2 / front_end.depth) + 1
    torch.testing.assert_close(front_end.log_mel(sound), expected, atol=1e-3, rtol=0)


@given(samples=st.integers(1, 5000), level=st.floats(0.05, 3.0))
@quick
def test_frames_times_and_loudness(samples, level):
    front_end = FrontEnd()
    sound = torch.randn(samples, generator=torch.Generator().manual_seed(samples))
    frames = front_end.log_mel(sound)
    assert frames.shape == (front_end.frames(samples), 40)
    assert float(frames.max()) == pytest.approx(1) and float(frames.min()) >= -1
    torch.testing.assert_close(front_end.log_mel(sound * level), frames, atol=1e-3, rtol=0)
    times = front_end.times(torch.arange(len(frames)).float())
    assert float(times[0]) == pytest.approx(0.0125)
    assert len(times) == 1 or float(times[1] - times[0]) == pytest.approx(0.010, abs=1e-5)


def test_frames_are_the_same_at_every_rate():
    """A model that hears 16 kHz can begin with what one at 8 kHz has learnt."""
    high = tone(0.6, 700, 16000) + tone(0.6, 1900, 16000, level=0.1)
    frames = FrontEnd(16000).log_mel(high)
    other = FrontEnd(8000).log_mel(resample(high, 16000, 8000))
    assert frames.shape == other.shape
    loud = frames > -0.3
    assert int(loud[2:-3].sum()) > 200
    torch.testing.assert_close(other[2:-3][loud[2:-3]], frames[2:-3][loud[2:-3]], atol=0.02, rtol=0)


def test_a_higher_tone_lies_in_a_higher_band_and_later_in_a_later_frame():
    front_end = FrontEnd()
    bands = [int(front_end.log_mel(tone(0.3, h)).mean(0).argmax()) for h in (200, 800, 3000)]
    assert bands == sorted(bands) and len(set(bands)) == 3
    late = front_end.log_mel(torch.cat([quiet(0.5), tone(0.2)]))
    moment = float(front_end.times(late.max(dim=1).values.ge(0.5).nonzero()[0].float()))
    assert 0.47 < moment < 0.53


def test_a_sound_has_one_dimension():
    with pytest.raises(ValueError, match=r"shape \(N,\)"):
        FrontEnd().log_mel(torch.zeros(2, 800))


# --- pauses -----------------------------------------------------------------------------------


def pieces(sound, **more):
    return list(pieces_of_speech([sound], RATE, **more))


def test_silence_and_a_single_sample_give_no_piece():
    faint = 1e-5 * torch.randn(8000, generator=torch.Generator().manual_seed(0))
    for sound in (quiet(0), quiet(3), torch.zeros(1), faint):
        assert pieces(sound) == [] and silent(sound, RATE)
    assert not silent(tone(0.1), RATE)
    assert list(pieces_of_speech([], RATE)) == []


def test_a_short_sound_stays_in_one_piece_and_is_trimmed():
    ((start, piece),) = pieces(torch.cat([quiet(1.0), tone(0.7), quiet(0.3), tone(0.4), quiet(2)]))
    assert start == pytest.approx(0.85, abs=0.02)
    assert len(piece) / RATE == pytest.approx(1.7, abs=0.03)


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.01, 0.001])
def test_how_loud_a_sound_is_does_not_matter(gain):
    sound = torch.cat([tone(0.5), quiet(0.8), 0.1 * tone(0.6), quiet(0.3), tone(0.2)])
    for (start, piece), (same, louder) in zip(pieces(gain * sound), pieces(sound), strict=True):
        assert start == same
        torch.testing.assert_close(piece / gain, louder)


@pytest.mark.parametrize("place", [0.2, 1.1, 2.3])
def test_a_clap_does_not_make_the_speech_quiet(place):
    sound = 0.02 * torch.cat([quiet(0.5), tone(0.7), quiet(0.2), tone(0.8), quiet(0.6)])
    at = round(place * RATE)
    sound[at : at + RATE // 20] += torch.randn(
        RATE // 20, generator=torch.Generator().manual_seed(0)
    )
    (start, piece), *rest = pieces(sound)
    heard = torch.cat([piece, *(p for _, p in rest)])
    assert start <= 0.36 and len(heard) / RATE >= 1.9  # margins included: all of the speech
    level = float(heard.abs().max()) / float((0.02 * tone(0.1)).abs().max())
    assert 1 <= level <= 12, "the clap was turned down, the speech was not"


def test_speech_without_peaks_stays_as_it_is():
    sound = torch.cat([0.3 * tone(0.1), tone(0.2), quiet(0.1), 0.5 * tone(0.5)])
    assert without_peaks(sound, RATE) is sound
    empty = torch.zeros(0)
    assert without_peaks(empty, RATE) is empty and loudest(loudness(empty, RATE)) == 0


def test_the_loudest_speech_lasts_a_tenth_of_a_second():
    level = torch.full((400,), 0.2)
    level[50:60] = 0.9  # 100 ms: not exceeded for longer
    assert loudest(level) == pytest.approx(0.2)
    level[70] = 0.7
    assert loudest(level) == pytest.approx(0.7)
    short = torch.linspace(0.1, 1.6, 16)  # 160 ms: exceeded for an eighth of them
    assert loudest(short) == pytest.approx(1.4)


@pytest.mark.parametrize("extra", [0, 37])
def test_only_the_peak_is_turned_down(extra):
    sound = torch.cat([0.01 * tone(0.5), quiet(0.2), 0.02 * tone(0.5), torch.zeros(extra)])
    loud = sound.clone()
    loud[-extra - 80 :][:80] = 0.9
    found = without_peaks(loud, RATE)
    torch.testing.assert_close(found[: -extra - 80], sound[: -extra - 80])
    assert len(found) == len(loud) and float(found.abs().max()) == pytest.approx(
        4 * loudest(loudness(loud, RATE)), rel=0.01
    )


def test_what_is_nearly_silent_is_a_pause_in_faint_speech():
    hiss = 1.2e-5 * torch.sin(torch.arange(round(1.5 * RATE)) * 0.7)
    found = pieces(torch.cat([0.002 * tone(0.6), hiss, 0.002 * tone(0.6)]))
    assert [round(start, 1) for start, _ in found] == [0.0, 1.9]


def test_a_pause_separates():
    found = pieces(torch.cat([tone(0.5), quiet(1.0), tone(0.8), quiet(0.7), tone(0.2)]))
    assert [start for start, _ in found] == pytest.approx([0, 1.35, 2.85], abs=0.02)
    assert [len(p) / RATE for _, p in found] == pytest.approx([0.65, 1.1, 0.35], abs=0.03)


def test_without_a_pause_the_quietest_place_is_cut():
    sound = tone(12.0)
    sound[5 * RATE : 5 * RATE + 800] *= 0.1
    first, second = pieces(sound, longest=8.0)
    assert first[0] == 0 and second[0] == pytest.approx(5.05, abs=0.1)
    assert len(first[1]) + len(second[1]) == len(sound)
    assert all(len(p) <= 8 * RATE for _, p in pieces(tone(61.0), longest=8.0))


@given(
    bursts=st.lists(st.tuples(st.floats(0.15, 1.5), st.floats(0.0, 1.2)), min_size=1, max_size=8),
    cuts=st.lists(st.integers(1, 20_000), max_size=6),
)
@quick
def test_no_loud_moment_is_lost_whatever_the_blocks(bursts, cuts):
    sound = torch.cat([torch.cat([tone(a), quiet(b)]) for a, b in bursts])
    blocks, at = [], 0
    for cut in cuts:
        blocks.append(sound[at : at + cut])
        at += cut
    blocks.append(sound[at:])
    found = list(pieces_of_speech([b for b in blocks if len(b)], RATE, longest=2.0))
    kept, end = torch.zeros(len(sound) + RATE, dtype=torch.bool), 0
    for start, piece in found:
        first = round(start * RATE)
        assert first >= end  # in order, without overlap
        end = first + len(piece)
        kept[first:end] = True
        real = sound[first:end]
        torch.testing.assert_close(piece[: len(real)], real)
        assert len(piece) <= 2 * RATE
    heard = float(sound[kept[: len(sound)]].square().sum())
    assert heard == pytest.approx(float(sound.square().sum()), rel=1e-3)


@pytest.mark.parametrize("kind", ["silence", "speech", "without a pause"])
def test_memory_does_not_grow_with_the_sound(kind):
    block = {
        "silence": quiet(4),
        "speech": torch.cat([tone(1.2), quiet(0.8)] * 2),
        "without a pause": tone(4.0),
    }[kind]
    largest, given_out = 0, 0

    def blocks():
        nonlocal given_out
        for _ in range(30):
            given_out += len(block)
            yield block

    done = 0
    for start, piece in pieces_of_speech(blocks(), RATE, longest=3.0):
        done = round(start * RATE) + len(piece)
        largest = max(largest, given_out - done)
    assert largest <= 3 * len(block)
    assert given_out == 30 * len(block)
    assert done == 0 if kind == "silence" else done > 29 * len(block)


# --- augmentation -----------------------------------------------------------------------------


def test_no_augmentation_is_the_plain_front_end():
    sound = tone(0.4)
    torch.testing.assert_close(
        Augmentation().frames(sound, FrontEnd()), FrontEnd().log_mel(sound), rtol=0, atol=0
    )


def test_speed_changes_duration_and_pitch():
    fast = change_speed(tone(1.0, 400), 1.25)
    assert len(fast) == pytest.approx(0.8 * RATE, abs=1)
    torch.testing.assert_close(fast[50:-50], tone(0.8, 500)[50:-50], atol=0.02, rtol=0)


def band_of(frames):
    return float((frames.mean(0).softmax(0) * torch.arange(40)).sum())


def test_pitch_moves_the_spectrum_and_keeps_the_tempo():
    sound, front_end = torch.cat([tone(0.5, 500), quiet(0.5), tone(0.5, 500)]), FrontEnd()
    plain = front_end.log_mel(sound)
    torch.manual_seed(0)
    moved = [Augmentation(pitch=0.3).frames(sound, front_end) for _ in range(12)]
    assert all(abs(len(frames) - len(plain)) <= 0.04 * len(plain) for frames in moved)
    peaks = {int(frames.mean(0).argmax()) for frames in moved}
    assert len(peaks) > 3
    torch.manual_seed(0)
    faster = [Augmentation(speed=0.3).frames(sound, front_end) for _ in range(12)]
    assert max(map(len, faster)) > 1.15 * len(plain) and min(map(len, faster)) < 0.9 * len(plain)


def test_noise_edges_tilt_and_masks():
    sound, front_end = tone(0.6, 500), FrontEnd()
    plain = front_end.log_mel(sound)
    torch.manual_seed(1)
    noisy = Augmentation(noise=1.0).frames(sound, front_end)
    assert float(noisy.mean()) > float(plain.mean()) + 0.1  # the silence between is filled
    edged = Augmentation(edges=0.4).frames(sound, front_end)
    assert len(plain) < len(edged) <= len(plain) + 80
    tilted = Augmentation(tilt=5.0).frames(sound, front_end) - plain
    torch.testing.assert_close(tilted[:, 0], -tilted[:, -1], atol=1e-4, rtol=0)
    assert float(tilted[0, 0].abs()) > 0
    for axis, augmentation in ((0, Augmentation(bands=8)), (1, Augmentation(moments=20))):
        masked = [augmentation.mask(torch.ones(50, 40)) for _ in range(10)]
        hidden = [int((m == -1).all(dim=axis).sum()) for m in masked]
        assert max(hidden) > 3 and max(hidden) <= (14 if axis == 0 else 20)
        assert all(bool(((m == 1) | (m == -1)).all()) for m in masked)


def test_a_share_of_the_sounds_stays_untouched():
    torch.manual_seed(0)
    sound, plain = tone(0.4), FrontEnd().log_mel(tone(0.4))
    varied = Augmentation(tilt=5.0, untouched=0.3)
    kept = sum(torch.equal(varied.frames(sound, FrontEnd()), plain) for _ in range(200)) / 200
    assert 0.2 < kept < 0.4


def test_augmentation_repeats_with_the_seed():
    everything = Augmentation(0.1, 0.1, 0.5, 0.2, 2.0, 6, 15)
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append([everything.frames(tone(0.4), FrontEnd()) for _ in range(4)])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    assert not torch.equal(runs[0][0], runs[0][1])
