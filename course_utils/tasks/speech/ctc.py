"""Connectionist temporal classification (CTC): loss, joint loss and greedy decoding."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.models.seq2seq import SpeechModel
from course_utils.search import Hypothesis
from course_utils.training import sequence_loss
from course_utils.vocabulary import EOS, PAD

__all__ = ["ctc_collapse", "ctc_greedy", "ctc_loss", "joint_loss"]


def ctc_collapse(best: Sequence[int], blank: int = PAD) -> list[tuple[int, int]]:
    """Best token at each position → (token, position) of the output (Graves et al. 2006, eq. 1).

    Equal neighbours are merged, then blanks are removed: a a – a b → a a b. An output has the
    position of its first token.
    """
    found, before = [], blank
    for position, token in enumerate(best):
        if token not in (blank, before):
            found.append((int(token), position))
        before = token
    return found


def ctc_greedy(log_probs: Tensor, positions: Sequence[int]) -> list[Hypothesis]:
    """The best token at each position, collapsed: log_probs (B, Tk, V) → one hypothesis per row.

    Only the first ``positions[b]`` positions of row b are read. The ``log_prob`` of a hypothesis is
    that of the best path; its attention is 1 at the position of each token.
    """
    best = log_probs.cpu().max(dim=-1)
    found = []
    for row, count in enumerate(positions):
        path = best.indices[row, :count].tolist()
        kept = [(token, place) for token, place in ctc_collapse(path) if token > EOS]
        attention = torch.zeros(len(kept), log_probs.shape[1])
        for number, (_, place) in enumerate(kept):
            attention[number, place] = 1.0
        total = float(best.values[row, :count].sum())
        found.append(Hypothesis([t for t, _ in kept], total, total, attention, finished=False))
    return found


def joint_loss(model: nn.Module, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """λ L_CTC + (1 − λ) L_attention (Watanabe et al. 2017, eq. 10), λ = ``model.ctc_weight``.

    For a `course_utils.models.seq2seq.SpeechModel`: both losses share the encoder and its memory,
    which CTC reads with a linear layer and attention with the decoder. Both are in nats per token;
    in the paper, they are sums.
    """
    assert isinstance(model, SpeechModel), f"CTC needs a SpeechModel, got {type(model).__name__}"
    share, memory = model.ctc_weight, model.remember(batch)
    loss = torch.zeros((), device=model.device)
    if share < 1:
        logits, _ = model.decoder(memory, batch.target_in)
        loss = (1 - share) * sequence_loss(logits, batch.target_out, label_smoothing)
    if share > 0:
        targets = batch.target[:, 1:-1]  # without BOS and the EOS of the longest target
        lengths = (batch.target != PAD).sum(dim=1) - 2  # without BOS and EOS
        loss = loss + share * ctc_loss(
            model.ctc_log_probs(memory), targets, memory.attend_mask.sum(dim=1), lengths
        )
    return loss


def ctc_loss(log_probs: Tensor, targets: Tensor, places: Tensor, lengths: Tensor) -> Tensor:
    """−log P(targets), summed over all alignments (Graves et al. 2006, eq. 3), in nats per token.

    log_probs  (B, Tk, V), of which the first ``places[b]`` positions of row b are real
    targets    (B, Tt), of which the first ``lengths[b]`` tokens of row b count; the blank is id 0

    A target that does not fit (more tokens, and blanks between equal ones, than positions) adds
    nothing to the loss.
    """
    nats = F.ctc_loss(
        log_probs.transpose(0, 1),
        targets,
        places,
        lengths,
        blank=PAD,
        reduction="sum",
        zero_infinity=True,
    )
    tokens = lengths.sum() + len(lengths)  # the end counts as a token, as in the loss of attention
    return nats / tokens.clamp(min=1)
