"""Sound: reading and writing files, log-mel spectrograms, and cutting at pauses.

A sound is a float32 tensor (N,) of samples between -1 and 1, with one channel, at the sample rate
of the model that receives it. `read_audio` and `audio_blocks` convert any file to this form;
`FrontEnd` turns it into frames, the input of `course_utils.models.speech_encoder.SpeechEncoder`.

Notebook 05 builds the front end by hand and imports it afterwards.
"""

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.messages import shown
from course_utils.runtime import quiet_library, regular_file

__all__ = [
    "AudioError",
    "FrontEnd",
    "audio_blocks",
    "loudest",
    "loudness",
    "pieces_of_speech",
    "read_audio",
    "silent",
    "without_peaks",
    "write_audio",
]

QUIET = 0.01  # fraction of the loudest speech (-40 dB) below which 10 ms count as quiet
PEAK = 0.1  # seconds: what is shorter, such as a clap, does not count as the loudest speech
SILENCE = 2e-5  # root mean square below which 10 ms count as silent: less than one 16-bit step
OFFSET = 0.02  # mean of a sound, as a share of its loudness, below which it does not matter
PAUSE = 0.5  # seconds of quiet that separate two pieces
MARGIN = 0.15  # seconds of quiet that a piece keeps at either end

RATES = (1_000, 768_000)  # lowest and highest sample rate of a file in Hz
LOUDEST = 2.0**31  # samples of 32-bit integers that were stored as floats without scaling
LONGEST = 3600  # seconds of sound that `read_audio` holds in memory
# How a file of a known kind begins. libsndfile knows more kinds, and writes to our standard output
# while it reads some of them.
BEGINNINGS = (
    *(b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"ID3", b"\xff"),
    *(b"FORM", b".snd", b"dns.", b"caff", b"NIST_1A"),
)
CANCELLED = 0.1  # power of the mean of channels, as a share of the loudest: opposite phase
CHUNK = 2**20  # numbers that are read, or computed, at once
UNUSABLE = "it has samples that are not finite, or far too large"


class AudioError(Exception):
    """A file is not a sound or cannot be read; the message, one line, says which and why."""


def resample(samples: Tensor, rate: int, wanted: int) -> Tensor:
    """Sound (N,) at ``rate`` Hz → (⌈N·wanted/rate⌉,) at ``wanted`` Hz, band-limited.

    Needs little memory at any ratio of the rates. Raises ValueError for a sample rate below 1 Hz.
    """
    if rate < 1 or wanted < 1:
        raise ValueError(f"a sample rate is at least 1 Hz, got {rate} and {wanted}")
    if rate == wanted:
        return samples
    if rate * wanted // math.gcd(rate, wanted) ** 2 > 4 * CHUNK:
        return _resample_directly(samples, rate, wanted)
    from torchaudio.functional import resample as convert

    return convert(samples, rate, wanted)


def _resample_directly(samples: Tensor, rate: int, wanted: int) -> Tensor:
    """What torchaudio computes, with the taps of each sample made when they are needed.

    torchaudio keeps the taps of ``wanted`` samples over ``rate`` samples each: gigabytes if the
    rates have no common factor.
    """
    zeros = 6  # zero crossings of the sinc on either side
    scale = 0.99 * min(rate, wanted) / rate
    reach = math.ceil(zeros / scale)
    windows = F.pad(samples, (reach, reach)).unfold(0, 2 * reach + 1, 1)  # (N, taps), a view
    taps = torch.arange(-reach, reach + 1)
    numbers = torch.arange(math.ceil(len(samples) * wanted / rate))
    found = [samples[:0]]
    for chunk in numbers.split(max(1, CHUNK // len(taps))):
        place = (chunk * rate % wanted).double() / wanted  # past the sample before it
        t = ((taps - place[:, None]) * scale).clamp(-zeros, zeros)
        kernel = torch.sinc(t) * torch.cos(t * (math.pi / 2 / zeros)) ** 2 * scale
        found.append((windows[chunk * rate // wanted] * kernel.to(samples)).sum(dim=1))
    return torch.cat(found)


def audio_blocks(
    file: Path | str | bytes, sample_rate: int, seconds: int = 20, context: int = 1
) -> Iterator[Tensor]:
    """The sound of a file in blocks of ``seconds``, mono, at ``sample_rate``; needs little memory.

    file: its path, or its content as bytes; WAV, FLAC, OGG, MP3, AIFF, AU, CAF, W64 or NIST, with
    any number of channels, at a rate from 1 to 768 kHz.
    context: seconds that are read on either side of each block, so that resampling block by block
    gives the same result as resampling the whole sound.

    A file without samples yields nothing. Raises AudioError if the file cannot be read as sound,
    for another sample rate, and for samples that are not finite or beyond ±2³¹.
    """
    import soundfile

    name = "the sound" if isinstance(file, bytes) else shown(file)
    try:
        source = _Content(file) if isinstance(file, bytes) else regular_file(file)
        with source:
            begins = source.read(12)
    except OSError as error:
        raise AudioError(f"{name}: {error.strerror}") from None
    if not begins.startswith(BEGINNINGS):
        raise AudioError(f"{name} cannot be read as sound: not a sound, or of an unknown kind")
    try:
        with quiet_library():
            opened = soundfile.SoundFile(_Content(file) if isinstance(file, bytes) else file)
        with opened as sound:
            rate = sound.samplerate
            if not RATES[0] <= rate <= RATES[1]:
                raise ValueError(f"its rate is {rate:,} Hz, not {RATES[0]:,} to {RATES[1]:,}")
            before = torch.zeros(0)
            block = _mono(sound, seconds * rate)
            while len(block):
                after = _mono(sound, seconds * rate)
                whole = torch.cat([before, block, after[: context * rate]])
                done = resample(whole, rate, sample_rate)
                skip = len(before) // rate * sample_rate  # whole seconds, or 0
                length = math.ceil(len(block) * sample_rate / rate)
                yield done[skip : skip + length]
                before, block = block[-context * rate :] if len(after) else block[:0], after
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, TypeError) as error:
        reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        raise AudioError(f"{name} cannot be read as sound: {shown(reason).rstrip('.')}") from error


class _Content(io.BytesIO):
    """A file in memory; a place before its start, to which a damaged header may lead, is its start.

    An exception would be printed by the C library's wrapper.
    """

    def seek(self, place: int, start: int = io.SEEK_SET) -> int:
        begin = (0, self.tell(), len(self.getbuffer()))[start]
        return super().seek(max(0, begin + place))


def _mono(sound: Any, frames: int) -> Tensor:
    """The next ``frames`` samples of an open file, or fewer at its end, averaged over channels.

    Reads little at a time: a header may promise more frames, in more channels, than there are.
    """
    found = [torch.zeros(0)]
    while frames:
        count = min(frames, max(1, CHUNK // sound.channels))
        with quiet_library():
            part = sound.read(count, "float32", always_2d=True)
        block = _one_channel(torch.from_numpy(part))
        if not len(block):
            break
        if not float(block.abs().max()) <= LOUDEST:
            raise ValueError(UNUSABLE)
        found.append(block)
        frames -= len(block)
    return torch.cat(found)


def _one_channel(samples: Tensor) -> Tensor:
    """The mean of channels (N, C), or the loudest one where they cancel each other out."""
    mean, power = samples.mean(dim=1), samples.square().mean(dim=0)
    if float(mean.square().mean()) < CANCELLED * float(power.max()):
        return samples[:, int(power.argmax())]
    return mean


def read_audio(file: Path | str | bytes, sample_rate: int) -> Tensor:
    """The whole sound of a file, (N,), mono, at ``sample_rate``: see `audio_blocks`.

    Raises AudioError as `audio_blocks` does, and for a sound that is longer than an hour.
    """
    blocks = [torch.zeros(0)]
    for block in audio_blocks(file, sample_rate):
        blocks.append(block)
        if sum(map(len, blocks)) > LONGEST * sample_rate:
            name = "the sound" if isinstance(file, bytes) else shown(file)
            raise AudioError(f"{name}: more than an hour of sound; audio_blocks reads it in parts")
    return torch.cat(blocks)


def write_audio(path: Path | str, samples: Tensor, sample_rate: int) -> None:
    """Write a sound (N,) as 16-bit WAV, FLAC or OGG; the suffix of ``path`` decides which."""
    import soundfile

    soundfile.write(path, samples.clamp(-1, 1).numpy(), sample_rate)


@dataclass(frozen=True)
class FrontEnd:
    """Sound → log-mel frames: the energy in each band of frequencies, a hundred times a second.

    sample_rate: of the sounds, in Hz.
    mels: number of bands, equally wide on the mel scale (Stevens et al. 1937).
    window, hop: length of a frame, and time from one frame to the next, in seconds.
    lowest, highest: range of the bands in Hz; the default is that of a telephone.
    depth: nats below the maximum at which the energy is clipped.
    """

    sample_rate: int = 8000
    mels: int = 40
    window: float = 0.025
    hop: float = 0.010
    lowest: float = 60.0
    highest: float = 4000.0
    depth: float = 14.0

    @property
    def window_samples(self) -> int:
        """Length of a frame in samples."""
        return round(self.window * self.sample_rate)

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop * self.sample_rate)

    def frames(self, samples: int) -> int:
        """Number of frames of a sound with this many samples: at least one."""
        return 1 + max(0, samples - self.window_samples) // self.hop_samples

    def times(self, frames: Tensor) -> Tensor:
        """Times of the middle of frames in seconds; ``frames`` may be fractional."""
        return (frames * self.hop_samples + self.window_samples / 2) / self.sample_rate

    def power(self, samples: Tensor, hop: int | None = None) -> Tensor:
        """Power spectrum of each frame, (T, F): squared magnitudes of the Fourier transform.

        hop: samples from one frame to the next, `hop_samples` by default. Raises ValueError unless
        the sound has one dimension.
        """
        hop = self.hop_samples if hop is None else hop
        if samples.dim() != 1:
            raise ValueError(
                f"a sound has shape (N,), got {tuple(samples.shape)}; average its channels"
            )
        if len(samples) < self.window_samples:
            samples = F.pad(samples, (0, self.window_samples - len(samples)))
        frames = samples.unfold(0, self.window_samples, hop)  # (T, window)
        window = torch.hann_window(self.window_samples)
        return torch.fft.rfft(frames * window, n=self.fft_size).abs() ** 2

    @property
    def fft_size(self) -> int:
        """Length of the Fourier transform: a power of two, at least `window_samples`."""
        return 2 ** math.ceil(math.log2(self.window_samples))

    def log_mel(self, samples: Tensor, pitch: float = 1.0) -> Tensor:
        """Frames (T, mels) of a sound (N,): log energy in each band, scaled to between -1 and 1.

        The maximum becomes 1, and everything more than ``depth`` below it becomes -1, so the
        distance from the microphone does not matter. pitch: divides the hop, so that a sound that
        is played ``pitch`` times too fast gives as many frames as the original.

        Raises ValueError as `power` does, and for samples that are not finite or so large that
        their energy is not.
        """
        power = self.power(samples, max(1, round(self.hop_samples / pitch)))
        if not bool(power.isfinite().all()):
            raise ValueError(f"a sound cannot be used: {UNUSABLE}")
        highest = min(self.highest, self.sample_rate / 2)
        bands = power @ _filters(
            self.fft_size // 2 + 1, self.lowest, highest, self.mels, self.sample_rate
        )
        loudness = torch.log(bands + 1e-10)
        top = loudness.max()
        return (torch.maximum(loudness, top - self.depth) - top) * (2 / self.depth) + 1


@lru_cache
def _filters(bins: int, lowest: float, highest: float, mels: int, sample_rate: int) -> Tensor:
    """Triangular filters (bins, mels) that sum the power in each band."""
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(bins, lowest, highest, mels, sample_rate)


def loudness(samples: Tensor, sample_rate: int) -> Tensor:
    """Root mean square of each 10 ms of a sound (N,), (⌈N/(sample_rate/100)⌉,).

    Raises ValueError for samples that are not finite, or so large that their square is not.
    """
    width = max(1, sample_rate // 100)
    padded = F.pad(samples, (0, -len(samples) % width))
    found = padded.reshape(-1, width).square().mean(dim=1).sqrt()
    if not bool(found.isfinite().all()):
        raise ValueError(f"a sound cannot be used: {UNUSABLE}")
    return found


def loudest(level: Tensor) -> float:
    """The loudness that a sound exceeds for `PEAK` seconds, of its levels (T,) per 10 ms.

    In a short sound, for an eighth of the time.
    """
    if not len(level):
        return 0.0
    rank = min(round(100 * PEAK), len(level) // 8)
    return float(level.sort(descending=True).values[rank])


def without_peaks(samples: Tensor, sample_rate: int) -> Tensor:
    """The sound (N,), its peaks turned down to four times (12 dB above) its loudest speech.

    A clap would otherwise decide how loud the speech beside it appears. Speech has no such peaks
    and stays as it is.
    """
    level = loudness(samples, sample_rate)
    limit = 4 * loudest(level)
    if not len(level) or float(level.max()) <= limit:
        return samples
    gain = (limit / level.clamp(min=1e-12)).clamp(max=1)
    return samples * gain.repeat_interleave(max(1, sample_rate // 100))[: len(samples)]


def constant_offset(samples: Tensor, sample_rate: int) -> float:
    """The mean of a sound (N,), which a poor microphone adds: it is not loudness.

    0 if it does not matter, or if the sound is too short (0.1 s) to tell it from a slow wave.
    """
    mean = float(samples.mean()) if len(samples) >= sample_rate / 10 else 0.0
    return mean if abs(mean) > OFFSET * float((samples - mean).square().mean().sqrt()) else 0.0


def silent(samples: Tensor, sample_rate: int) -> bool:
    """Whether no 10 ms of a sound (N,) are louder than `SILENCE`."""
    return not len(samples) or float(loudness(samples, sample_rate).max()) < SILENCE


def pieces_of_speech(
    blocks: Iterable[Tensor], sample_rate: int, longest: float = 8.0
) -> Iterator[tuple[float, Tensor]]:
    """Cut a long sound at its pauses; yields (start in seconds, piece (N,)) in order.

    blocks: consecutive parts of the sound, as `audio_blocks` yields them; at most two of them are
    in memory at a time. longest: maximum length of a piece in seconds.

    A piece ends where it is quiet for `PAUSE` seconds or, if it would become too long, at the
    quietest point of its second half. Quiet means 40 dB below the loudest speech nearby (see
    `loudest`), or below `SILENCE`. Silent pieces are left out, peaks are turned down,
    and each block loses its constant offset.
    """
    width = max(1, sample_rate // 100)
    most = max(4, round(longest * sample_rate / width))  # in units of 10 ms
    rest, offset = torch.zeros(0), 0  # what is not cut yet, and its first sample
    source = iter(blocks)
    block = next(source, None)
    while block is not None:
        following = next(source, None)
        rest = torch.cat([rest, block - constant_offset(block, sample_rate)])
        last = following is None
        level = loudness(rest if last else rest[: len(rest) // width * width], sample_rate)
        position = max(0, len(level) - round(100 * MARGIN))  # if no piece is open at the end
        for start, end, closed in _cut(level, most):
            if not (closed or last):
                position = start  # it may continue in the next block
                break
            piece = without_peaks(rest[start * width : end * width], sample_rate)
            if not silent(piece, sample_rate):
                yield (offset + start * width) / sample_rate, piece
            position = max(position, end)
        rest, offset = rest[position * width :], offset + position * width
        block = following


def _cut(level: Tensor, most: int) -> list[tuple[int, int, bool]]:
    """Pieces (start, end, closed) of a sequence of loudnesses; an open one may continue."""
    pause, margin = round(100 * PAUSE), round(100 * MARGIN)
    threshold = max(SILENCE, loudest(level) * QUIET)
    loud = (level >= threshold).nonzero().flatten().tolist()
    if not loud:
        return []
    runs = [[loud[0], loud[0]]]
    for place in loud[1:]:
        if place - runs[-1][1] > pause:
            runs.append([place, place])
        runs[-1][1] = place
    smooth = F.avg_pool1d(level[None, None], 9, 1, 4, count_include_pad=False)[0, 0]
    pieces = []
    for first, last in runs:
        start, end = max(0, first - margin), min(len(level), last + 1 + margin)
        while end - start > most:
            half = start + most // 2
            cut = half + int(smooth[half : start + most].argmin())
            pieces.append((start, cut, True))
            start = cut
        pieces.append((start, end, len(level) - last > pause))
    return pieces
