"""The recogniser: sounds in, texts with their attention out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_utils.audio import FrontEnd, audio_blocks, pieces_of_speech, resample
from course_utils.batches import Example, make_batch
from course_utils.models.seq2seq import SpeechModel
from course_utils.runtime import evaluating
from course_utils.search import Hypothesis, search
from course_utils.tasks.base import Pair, SequencePredictor
from course_utils.tasks.speech.ctc import ctc_greedy
from course_utils.tasks.speech.data import samples_of
from course_utils.vocabulary import Vocabulary

__all__ = ["Heard", "Recogniser", "Transcript"]


@dataclass(frozen=True)
class Heard:
    """One piece of a sound and what the model wrote for it.

    start      seconds from the beginning of the sound
    frames     (T, mels) what the model read
    times      (Tk,) seconds from the beginning of the sound: the middle of each memory position
    attention  (written pieces + 1 for EOS when finished, Tk); for CTC, the position of each piece
    """

    start: float
    frames: Tensor
    times: np.ndarray
    hypothesis: Hypothesis
    vocabulary: Vocabulary

    @property
    def text(self) -> str:
        return self.vocabulary.decode(self.hypothesis.tokens)

    @property
    def pieces(self) -> list[str]:
        """What was written; the end mark is the last when the search finished."""
        end = ["<eos>"] if self.hypothesis.finished else []
        return self.vocabulary.pieces(self.hypothesis.tokens) + end

    @property
    def attention(self) -> np.ndarray:
        # The search pads all sounds of a batch to one width: columns of padding are cut off here.
        return self.hypothesis.attention[:, : len(self.times)].float().numpy()


@dataclass(frozen=True)
class Transcript:
    """What was heard in a sound: nothing in silence, several pieces in a long one."""

    pieces: list[Heard]

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces if piece.text)

    @property
    def only(self) -> Heard:
        """The one piece of a short sound."""
        if len(self.pieces) != 1:
            raise ValueError(f"the sound was heard in {len(self.pieces)} pieces, not one")
        return self.pieces[0]


class Recogniser(SequencePredictor):
    """A model with its vocabulary, ready to listen. Use `load` for a checkpoint.

    ``by`` is "attention" (decoder and search) or "ctc" (best token of each position, collapsed),
    by default what the model was trained for. Sounds longer than ``longest`` seconds are cut, at
    pauses where there are any; by default at ``model.longest``, the longest it has heard.
    """

    model_type = SpeechModel

    def __init__(
        self,
        model: SpeechModel,
        vocabulary: Vocabulary,
        by: str | None = None,
        longest: float | None = None,
    ):
        super().__init__(model, vocabulary)
        encoder = model.encoder
        self.front_end = FrontEnd(sample_rate=encoder.sample_rate, mels=encoder.mels)
        self.by = ("ctc" if model.ctc_weight == 1 else "attention") if by is None else by
        if self.by not in ("attention", "ctc"):
            raise ValueError(f"by={by!r} is neither 'attention' nor 'ctc'")
        self.longest = model.longest if longest is None else longest

    def transcribe(
        self,
        sounds: Sequence,
        beam: int = 1,
        alpha: float = 1.0,
        batch_size: int = 32,
        sample_rate: int | None = None,
    ) -> list[Transcript]:
        """What is said in sounds (N,), in order; ``beam`` 1 is greedy.

        Sounds are at the model's rate, or at ``sample_rate`` and then resampled.
        """
        rate = self.front_end.sample_rate
        jobs = []  # (sound, start, frames)
        for number, sound in enumerate(sounds):
            samples = resample(samples_of(sound), sample_rate or rate, rate)
            for start, piece in pieces_of_speech([samples], rate, self.longest):
                jobs.append((number, start, self.front_end.log_mel(piece)))
        found: list[list[Heard]] = [[] for _ in sounds]
        order = sorted(range(len(jobs)), key=lambda i: len(jobs[i][2]))  # little padding
        heard: list[Heard | None] = [None] * len(jobs)
        for at in range(0, len(order), batch_size):
            chunk = order[at : at + batch_size]
            pieces = [(jobs[i][1], jobs[i][2]) for i in chunk]
            for i, piece in zip(chunk, self.hear(pieces, beam, alpha), strict=True):
                heard[i] = piece
        for (number, _, _), piece in zip(jobs, heard, strict=True):
            found[number].append(piece)
        return [Transcript(pieces) for pieces in found]

    def predict(self, sounds: Sequence, beam: int = 1, alpha: float = 1.0) -> list[str]:
        """Only the texts."""
        return [transcript.text for transcript in self.transcribe(sounds, beam, alpha)]

    def transcribe_file(
        self, file: Path | str | bytes, beam: int = 1, alpha: float = 1.0, batch_size: int = 8
    ) -> Iterator[Heard]:
        """What is said in a file of any length, piece by piece; memory does not grow with it."""
        rate = self.front_end.sample_rate
        pieces = pieces_of_speech(audio_blocks(file, rate), rate, self.longest)
        chunk: list[tuple[float, Tensor]] = []
        for start, piece in pieces:
            chunk.append((start, self.front_end.log_mel(piece)))
            if len(chunk) == batch_size:
                yield from self.hear(chunk, beam, alpha)
                chunk = []
        if chunk:
            yield from self.hear(chunk, beam, alpha)

    @torch.no_grad()
    def hear(
        self, pieces: Iterable[tuple[float, Tensor]], beam: int = 1, alpha: float = 1.0
    ) -> list[Heard]:
        """One batch, nothing cut: (start, frames) of each piece → what was written for it."""
        pieces = list(pieces)
        with evaluating(self.model):
            batch = make_batch([Example(frames, []) for _, frames in pieces])
            memory = self.model.remember(batch.to(self.model.device))
            positions = memory.attend_mask.sum(dim=1).tolist()
            if self.by == "ctc":
                hypotheses = ctc_greedy(self.model.ctc_log_probs(memory), positions)
            else:
                limits = [5 + count // 3 for count in positions]
                hypotheses = search(self.model.decoder, memory, beam, limits, alpha)
        return [
            Heard(start, frames, start + self.position_times(count), hypothesis, self.vocabulary)
            for (start, frames), count, hypothesis in zip(
                pieces, positions, hypotheses, strict=True
            )
        ]

    def position_times(self, count: int) -> np.ndarray:
        """The middle of the first ``count`` memory positions in seconds, (count,)."""
        frames = torch.arange(count) * self.model.encoder.reduction
        return self.front_end.times(frames.float()).numpy()

    @torch.no_grad()
    def attention_of(self, pairs: Sequence[Pair], batch_size: int = 32) -> list[np.ndarray]:
        """Attention of given (sound, text): (pieces, Tk) each, the end mark left out.

        The decoder reads the given text (teacher forcing), so the matrices can be compared with
        true word times whatever the model would have written itself. The sounds are not cut.
        """
        with evaluating(self.model):
            frames = [self.front_end.log_mel(samples_of(sound)) for sound, _ in pairs]
            targets = self.vocabulary.encode_all([text for _, text in pairs])
            order = sorted(range(len(pairs)), key=lambda i: len(frames[i]))
            found: list[np.ndarray] = [np.zeros((0, 0))] * len(pairs)
            for start in range(0, len(order), batch_size):
                chunk = order[start : start + batch_size]
                batch = make_batch([Example(frames[i], targets[i]) for i in chunk])
                batch = batch.to(self.model.device)
                memory = self.model.remember(batch)
                _, weights = self.model.decoder(memory, batch.target_in)
                positions = memory.attend_mask.sum(dim=1).tolist()
                for row, i in enumerate(chunk):
                    cut = weights[row, : len(targets[i]), : positions[row]]
                    found[i] = cut.float().cpu().numpy()
        return found
