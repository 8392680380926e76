"""`Recogniser`: sounds → `Transcript`, in pieces (`Heard`) with their attention."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_utils.audio import FrontEnd, audio_blocks, pieces_of_speech, resample
from course_utils.batches import Example, make_batch
from course_utils.metrics import word_errors
from course_utils.models.seq2seq import SpeechModel
from course_utils.runtime import evaluating
from course_utils.search import Hypothesis, search
from course_utils.tasks.base import Pair, SequencePredictor
from course_utils.tasks.inference import in_batches, teacher_forced_attention
from course_utils.tasks.speech.ctc import JointDecoder, ctc_greedy
from course_utils.tasks.speech.data import samples_of
from course_utils.vocabulary import Vocabulary

__all__ = ["Heard", "Recogniser", "Transcript"]

CTC_SHARES = (0.0, 0.3, 0.5, 0.7, 0.9)  # among which `Recogniser.calibrate` chooses


@dataclass(frozen=True)
class Heard:
    """One piece of a sound and what the model wrote for it.

    start       of the piece, in seconds from the beginning of the sound
    frames      (T, mels) the log-mel frames that the model read
    times       (Tk,) the middle of each memory position, in seconds from the beginning of the sound
    hypothesis  the tokens that search or CTC found
    attention   (written pieces, plus 1 for EOS if the search finished; Tk) weights; for CTC, 1 at
                the position of each piece
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
        """What was written, piece by piece; "<eos>" is the last if the search finished."""
        end = ["<eos>"] if self.hypothesis.finished else []
        return self.vocabulary.pieces(self.hypothesis.tokens) + end

    @property
    def attention(self) -> np.ndarray:
        # All sounds of a batch were padded to the same width: cut off the columns of padding.
        return self.hypothesis.attention[:, : len(self.times)].float().numpy()


@dataclass(frozen=True)
class Transcript:
    """What was heard in a sound: no piece in silence, several pieces in a long sound."""

    pieces: list[Heard]

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces if piece.text)

    @property
    def only(self) -> Heard:
        """The only piece of a short sound; ValueError if there is not exactly one."""
        if len(self.pieces) != 1:
            raise ValueError(f"the sound was heard in {len(self.pieces)} pieces, not one")
        return self.pieces[0]


class Recogniser(SequencePredictor):
    """A model and its vocabulary, ready to transcribe. `load` gets one from a checkpoint.

    ``by`` is how the text is found: "attention" (decoder and search), "ctc" (the best token at each
    position, collapsed) or "joint" (search with both: the sound decides where the text ends). By
    default it is what the model was trained for, "attention" if for both; a checkpoint's card may
    say otherwise (see `calibrate`). Sounds longer than
    ``longest`` seconds are cut, at pauses if there are any; by default, ``longest`` is
    ``model.longest``, the length of the longest sounds in training.
    """

    model: SpeechModel
    model_type = SpeechModel
    ctc_share = 0.7  # of CTC in a joint search

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
        if self.by not in ("attention", "ctc", "joint"):
            raise ValueError(f"by={by!r} is neither 'attention' nor 'ctc' nor 'joint'")
        self.longest = model.longest if longest is None else longest

    def use(self, calibration: dict[str, float]) -> None:
        """Search with the share of CTC of a card."""
        if share := float(calibration.get("ctc_share", 0)):
            if not 0 < share <= 1:
                raise ValueError(f"a share of CTC is a number from 0 to 1, got {share}")
            self.by, self.ctc_share = "joint", share

    def calibrate(self, pairs: Sequence[Pair]) -> dict[str, float]:
        """Choose the share of CTC in the search, 0 for attention alone: the fewest word errors.

        Half of them are counted on ``pairs`` (sound, text) as they are, half on the same sounds
        joined in threes, which are longer than those of the training; the search is greedy. A
        model without both heads has nothing to choose.
        """
        if not 0 < self.model.ctc_weight < 1:
            return {}
        sounds, texts = [samples_of(sound) for sound, _ in pairs], [str(text) for _, text in pairs]
        threes = range(0, len(pairs), 3)
        sounds += [torch.cat(sounds[i : i + 3]) for i in threes]
        texts += [" ".join(texts[i : i + 3]) for i in threes]
        errors = {}
        for share in CTC_SHARES:
            self.by, self.ctc_share = ("joint", share) if share else ("attention", self.ctc_share)
            errors[share] = word_errors(self.predict(sounds), texts).errors
        best = min(errors, key=errors.__getitem__)
        self.by, self.ctc_share = ("joint", best) if best else ("attention", self.ctc_share)
        return {"ctc_share": best}

    def transcribe(
        self,
        sounds: Sequence,
        beam: int = 1,
        alpha: float = 1.0,
        batch_size: int = 32,
        sample_rate: int | None = None,
    ) -> list[Transcript]:
        """What is said in sounds (N,), in order; a ``beam`` of 1 is greedy search.

        Sounds have the model's sample rate, or ``sample_rate``, and are then resampled.
        """
        rate = self.front_end.sample_rate
        cut = []  # for each sound, the (start, frames) of its pieces
        for sound in sounds:
            samples = resample(samples_of(sound), sample_rate or rate, rate)
            pieces = pieces_of_speech([samples], rate, self.longest)
            cut.append([(start, self.front_end.log_mel(piece)) for start, piece in pieces])
        heard = iter(
            in_batches(
                [piece for pieces in cut for piece in pieces],
                batch_size,
                lambda pieces: self.hear(pieces, beam, alpha),
                length=lambda piece: len(piece[1]),
            )
        )
        return [Transcript([next(heard) for _ in pieces]) for pieces in cut]

    def predict(self, sounds: Sequence, beam: int = 1, alpha: float = 1.0) -> list[str]:
        """The texts alone."""
        return [transcript.text for transcript in self.transcribe(sounds, beam, alpha)]

    def transcribe_file(
        self, file: Path | str | bytes, beam: int = 1, alpha: float = 1.0, batch_size: int = 8
    ) -> Iterator[Heard]:
        """What is said in a file, piece by piece. The file may be of any length: it is read in
        blocks, and never kept in memory as a whole.

        ``file`` is a path, or the content of a sound file. Raises AudioError if it cannot be read.
        """
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
        """Transcribe pieces (start, frames) as one batch, without cutting them.

        ``start`` is in seconds and only shifts ``Heard.times``; ``frames`` (T, mels).
        """
        pieces = list(pieces)
        with evaluating(self.model):
            batch = make_batch([Example(frames, []) for _, frames in pieces])
            memory = self.model.remember(batch.to(self.model.device))
            positions = memory.attend_mask.sum(dim=1).tolist()
            if self.by == "ctc":
                hypotheses = ctc_greedy(self.model.ctc_log_probs(memory), positions)
            else:
                limits = [5 + count // 3 for count in positions]
                joint = self.by == "joint"
                decoder = JointDecoder(self.model, self.ctc_share) if joint else self.model.decoder
                hypotheses = search(decoder, memory, beam, limits, alpha)
        return [
            Heard(start, frames, start + self.position_times(count), hypothesis, self.vocabulary)
            for (start, frames), count, hypothesis in zip(
                pieces, positions, hypotheses, strict=True
            )
        ]

    def position_times(self, count: int) -> np.ndarray:
        """(count,) the middle of each of the first ``count`` memory positions, in seconds."""
        frames = torch.arange(count) * self.model.encoder.reduction
        return self.front_end.times(frames.float()).numpy()

    def attention_of(self, pairs: Sequence[Pair], batch_size: int = 32) -> list[np.ndarray]:
        """Attention of given pairs (sound, text): (pieces, Tk) each, without the row of EOS.

        The decoder reads the given text (teacher forcing), so the matrices can be compared with
        true word times, whatever the model would have written itself. The sounds are not cut.
        """
        frames = [self.front_end.log_mel(samples_of(sound)) for sound, _ in pairs]
        targets = self.vocabulary.encode_all([text for _, text in pairs])
        examples = [Example(f, t) for f, t in zip(frames, targets, strict=True)]
        return teacher_forced_attention(self.model, examples, batch_size)
