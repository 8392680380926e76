"""Whole models: an encoder and a decoder around one memory, or a decoder alone."""

import math

import torch
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.memory import Memory
from course_utils.models.speech_encoder import SpeechEncoder

__all__ = ["LanguageModel", "Seq2Seq", "SpeechModel", "count_parameters"]


class Seq2Seq(nn.Module):
    """Encoder → memory → decoder, such as one of

        Seq2Seq(TextEncoder(…), AttentionDecoder(…))
        Seq2Seq(TransformerEncoder(…), TransformerDecoder(…))

    The encoder is any module that turns a `Batch` into what the decoder's ``start`` accepts, mostly
    a `Memory`. A model with several sources has an encoder that also reads ``batch.others``.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Teacher forcing: logits (B, Tt, V) for ``batch.target_out`` and weights (B, Tt, Tk)."""
        return self.decoder(self.encoder(batch), batch.target_in)

    def remember(self, batch: Batch) -> Memory:
        """The memory of a batch, for search."""
        return self.encoder(batch)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device


class LanguageModel(nn.Module):
    """A decoder without memory: ``LanguageModel(TransformerDecoder(…, memory_dim=None, …))``.

    It reads the targets of a batch alone, so it is trained as every other model; search and
    sampling get its ``decoder``, and no memory.
    """

    def __init__(self, decoder: nn.Module):
        super().__init__()
        self.decoder = decoder

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Teacher forcing: logits (B, Tt, V) for ``batch.target_out`` and weights (B, Tt, Tt)."""
        return self.decoder(None, batch.target_in)


class SpeechModel(Seq2Seq):
    """A `Seq2Seq` whose memory can also be read without a decoder: by CTC (Graves et al. 2006).

    size        number of pieces of the vocabulary; CTC uses id 0 (PAD, never a target) as its blank
    ctc_weight  λ, the share of CTC in the joint loss (Watanabe et al. 2017, eq. 10; see
                `joint_loss` of speech): 0 trains attention alone, 1 CTC alone
    longest     about the duration of the longest sound in the training, in seconds. Attention stops
                early on longer ones, so `course_utils.tasks.speech.recogniser.Recogniser` cuts them

    Raises ValueError if ``ctc_weight`` is outside 0 to 1 or ``longest`` is not positive.
    """

    def __init__(
        self,
        encoder: SpeechEncoder,
        decoder: nn.Module,
        size: int,
        ctc_weight: float,
        longest: float,
    ):
        super().__init__(encoder, decoder)
        if not 0 <= ctc_weight <= 1:
            raise ValueError(f"ctc_weight is a share, 0 to 1, got {ctc_weight}")
        if not 0 < longest < math.inf:
            raise ValueError(f"longest is a number of seconds above 0, got {longest}")
        self.longest = longest
        self.ctc, self.ctc_weight = nn.Linear(encoder.memory_dim, size), ctc_weight

    def ctc_log_probs(self, memory: Memory) -> Tensor:
        """Log probabilities of the blank and of each token at each position, (B, Tk, V)."""
        return self.ctc(memory.values).log_softmax(dim=-1)


def count_parameters(model: nn.Module) -> int:
    """How many numbers training adjusts; a shared matrix counts once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
