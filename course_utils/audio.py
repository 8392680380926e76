"""Sound: reading files, log-mel spectrograms, cutting at pauses, and augmentation.

A sound is a float32 tensor (N,) of samples between -1 and 1, one channel, at the sample rate of the
model that hears it. `read_audio` and `audio_blocks` bring any file into this form; `FrontEnd` turns
it into frames, the input of `course_utils.models.speech_encoder.SpeechEncoder`.

Built by hand in notebook 05, imported from there on.
"""

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "AudioError",
    "FrontEnd",
    "audio_blocks",
    "pieces_of_speech",
    "read_audio",
    "silent",
    "write_audio",
]

QUIET = 0.01  # share of the loudest 10 ms (-40 dB) below which a place counts as quiet
SILENCE = 1e-3  # root mean square of 10 ms below which nothing was said: -60 dB of full scale
PAUSE = 0.5  # seconds of quiet that separate two pieces
MARGIN = 0.15  # seconds of quiet that a piece keeps on either side


class AudioError(Exception):
    """A file that is no sound, or whose sound cannot be read; one line says which and why."""


def resample(samples: Tensor, rate: int, wanted: int) -> Tensor:
    """Sound (N,) at ``rate`` samples a second → (⌈N·wanted/rate⌉,) at ``wanted``, band-limited."""
    if rate < 1 or wanted < 1:
        raise ValueError(f"a sample rate is at least 1 Hz, got {rate} and {wanted}")
    if rate == wanted:
        return samples
    from torchaudio.functional import resample as convert

    return convert(samples, rate, wanted)


def audio_blocks(
    file: Path | str | bytes, sample_rate: int, seconds: int = 20, context: int = 1
) -> Iterator[Tensor]:
    """The sound of a file in blocks of ``seconds``, mono, at ``sample_rate``: bounded memory.

    Any rate and number of channels, WAV, FLAC, OGG and what else libsndfile reads. ``context``
    seconds on either side are read along with each block, so that resampling in blocks gives what
    resampling in one piece would give. A file without any sample yields nothing. Raises
    `AudioError` when the file cannot be read as sound.
    """
    import soundfile

    name = file if not isinstance(file, bytes) else "the sound"
    if not isinstance(file, bytes):
        if Path(file).is_dir():
            raise AudioError(f"{name}: is a folder, not a sound")
        if not Path(file).exists():
            raise AudioError(f"{name}: there is no such file")
    try:
        with soundfile.SoundFile(io.BytesIO(file) if isinstance(file, bytes) else file) as sound:
            rate = sound.samplerate
            before = torch.zeros(0)
            block = _mono(sound, seconds * rate)
            while len(block):
                after = _mono(sound, seconds * rate)
                whole = torch.cat([before, block, after[: context * rate]])
                done = resample(whole, rate, sample_rate)
                skip = len(before) // rate * sample_rate  # `before` is whole seconds, or nothing
                length = math.ceil(len(block) * sample_rate / rate)
                yield done[skip : skip + length]
                before, block = block[-context * rate :] if len(after) else block[:0], after
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, TypeError) as error:
        reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        raise AudioError(f"{name} cannot be read as sound: {str(reason).rstrip('.')}") from error


def _mono(sound, frames: int) -> Tensor:
    """The next frames of an open file, channels averaged, (≤ frames,)."""
    block = torch.from_numpy(sound.read(frames, dtype="float32", always_2d=True))
    return block.mean(dim=1).nan_to_num(0.0, 0.0, 0.0)


def read_audio(file: Path | str | bytes, sample_rate: int) -> Tensor:
    """The whole sound of a file (its path, or its bytes), (N,), mono, at ``sample_rate``."""
    return torch.cat([torch.zeros(0), *audio_blocks(file, sample_rate)])


def write_audio(path: Path | str, samples: Tensor, sample_rate: int) -> None:
    """Write a sound (N,) as 16-bit WAV, FLAC or OGG, by the ending of ``path``."""
    import soundfile

    soundfile.write(path, samples.clamp(-1, 1).numpy(), sample_rate)


@dataclass(frozen=True)
class FrontEnd:
    """Sound → log-mel frames: how loud each band of pitch is, a hundred times a second.

    sample_rate     samples a second that it expects
    mels            bands, equally wide on the mel scale (Stevens et al. 1937)
    lowest, highest hertz that the bands cover: those of a telephone, which suffice for words
    window, hop     seconds that a frame looks at, and from one frame to the next
    depth           nats below the loudest place at which everything counts as equally silent
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
        return round(self.window * self.sample_rate)

    @property
    def hop_samples(self) -> int:
        return round(self.hop * self.sample_rate)

    def frames(self, samples: int) -> int:
        """How many frames a sound of that many samples gives: at least one."""
        return 1 + max(0, samples - self.window_samples) // self.hop_samples

    def times(self, frames: Tensor) -> Tensor:
        """The middle of frames, in seconds; frames may be fractional."""
        return (frames * self.hop_samples + self.window_samples / 2) / self.sample_rate

    def power(self, samples: Tensor, hop: int | None = None) -> Tensor:
        """Power spectrum of each frame, (T, F): squared lengths of the Fourier transform."""
        hop = self.hop_samples if hop is None else hop
        if samples.dim() != 1:
            raise ValueError(
                f"a sound has shape (N,), got {tuple(samples.shape)}; average channels"
            )
        if len(samples) < self.window_samples:
            samples = F.pad(samples, (0, self.window_samples - len(samples)))
        frames = samples.unfold(0, self.window_samples, hop)  # (T, window)
        window = torch.hann_window(self.window_samples)
        return torch.fft.rfft(frames * window, n=self.fft_size).abs() ** 2

    @property
    def fft_size(self) -> int:
        return 2 ** math.ceil(math.log2(self.window_samples))

    def log_mel(self, samples: Tensor, pitch: float = 1.0) -> Tensor:
        """Frames (T, mels) of a sound (N,): log of the energy in each band, about -1 to 1.

        Everything more than ``depth`` below the loudest place is raised to that floor, and the
        loudest place becomes 1: how near the microphone was makes no difference. ``pitch`` scales
        the hop: for a sound that plays `pitch` times too fast, the frames come as often as before.
        """
        power = self.power(samples, max(1, round(self.hop_samples / pitch)))
        highest = min(self.highest, self.sample_rate / 2)
        bands = power @ _filters(
            self.fft_size // 2 + 1, self.lowest, highest, self.mels, self.sample_rate
        )
        loudness = torch.log(bands + 1e-10)
        top = loudness.max()
        return (torch.maximum(loudness, top - self.depth) - top) * (2 / self.depth) + 1


@lru_cache
def _filters(bins: int, lowest: float, highest: float, mels: int, sample_rate: int) -> Tensor:
    """Triangles (bins, mels) that add up the power inside each band."""
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(bins, lowest, highest, mels, sample_rate)


def loudness(samples: Tensor, sample_rate: int) -> Tensor:
    """Root mean square of each 10 ms, (⌈N/(rate/100)⌉,)."""
    width = max(1, sample_rate // 100)
    padded = F.pad(samples, (0, -len(samples) % width))
    return padded.reshape(-1, width).square().mean(dim=1).sqrt()


def silent(samples: Tensor, sample_rate: int) -> bool:
    """Is there nothing to hear: no 10 ms louder than `SILENCE`?"""
    return not len(samples) or float(loudness(samples, sample_rate).max()) < SILENCE


def pieces_of_speech(
    blocks: Iterable[Tensor], sample_rate: int, longest: float = 8.0
) -> Iterator[tuple[float, Tensor]]:
    """Cut a long sound at its pauses: (start in seconds, piece (N,)), one after the other.

    ``blocks`` are consecutive parts of the sound, as `audio_blocks` yields them; no more than two
    blocks are held at a time. A piece ends where it is quiet for `PAUSE` seconds or, when it would
    get longer than ``longest`` seconds, at the quietest place of its second half. Quiet is what
    lies 40 dB below the loudest place nearby, or below `SILENCE` in any case. Pieces in which
    nothing is said are left out.
    """
    width = max(1, sample_rate // 100)
    most = max(4, round(longest * sample_rate / width))  # in units of 10 ms
    rest, offset = torch.zeros(0), 0  # what is not cut yet, and where it starts (samples)
    source = iter(blocks)
    block = next(source, None)
    while block is not None:
        following = next(source, None)
        rest = torch.cat([rest, block])
        last = following is None
        level = loudness(rest if last else rest[: len(rest) // width * width], sample_rate)
        position = max(0, len(level) - round(100 * MARGIN))  # when nothing is open at the end
        for start, end, closed in _cut(level, most):
            if not (closed or last):
                position = start  # it may go on in the next block
                break
            piece = rest[start * width : end * width]
            if not silent(piece, sample_rate):
                yield (offset + start * width) / sample_rate, piece
            position = max(position, end)
        rest, offset = rest[position * width :], offset + position * width
        block = following


def _cut(level: Tensor, most: int) -> list[tuple[int, int, bool]]:
    """Pieces (start, end, closed) of a row of loudnesses; an open one may still go on."""
    pause, margin = round(100 * PAUSE), round(100 * MARGIN)
    threshold = max(SILENCE, float(level.max()) * QUIET) if len(level) else SILENCE
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
