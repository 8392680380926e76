"""Connectionist temporal classification (CTC): loss, joint loss, and decoding without or with
attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.batches import Batch
from course_utils.memory import Memory
from course_utils.models.seq2seq import SpeechModel
from course_utils.search import Hypothesis
from course_utils.training import sequence_loss
from course_utils.vocabulary import BOS, EOS, PAD

__all__ = ["JointDecoder", "ctc_collapse", "ctc_greedy", "ctc_loss", "joint_loss"]


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


@dataclass(frozen=True)
class _Prefixes:
    """R beginnings of texts: the state of the decoder, and what CTC knows of them.

    log_probs     (R, T, V) of CTC; after the end of a sound, the blank is certain
    label, blank  (R, T) log probability that the first t + 1 positions spell the beginning, the
                  last of them with its last token or with a blank
    last          (R,) last tokens; BOS if there is none
    prefix        (R,) log probability that the text begins like this

    All that is CTC's is on the CPU, in double precision, which some GPUs lack.
    """

    inner: Any
    log_probs: Tensor
    label: Tensor
    blank: Tensor
    last: Tensor
    prefix: Tensor

    def select(self, rows: Tensor) -> "_Prefixes":
        inner, rows = self.inner.select(rows), rows.cpu()
        return _Prefixes(inner, *(tensor[rows] for tensor in _own(self)))


class JointDecoder(nn.Module):
    """Attention and CTC together, for search (Watanabe et al. 2017, section II-C).

    The score of a token c after the text g is
    (1 − λ) log p_attention(c | g) + λ log [p_CTC(g c …) / p_CTC(g …)]: how much less probable CTC
    finds it that the text begins like this. For EOS, the numerator is the probability of exactly g,
    so a text that leaves out the rest of the sound, or says it twice, becomes improbable.

    λ is ``weight``, from 0 (attention alone) to 1.
    """

    normalised = True

    def __init__(self, model: SpeechModel, weight: float = 0.3):
        if not 0 <= weight <= 1:
            raise ValueError(f"the weight of CTC is a share, 0 to 1, got {weight}")
        super().__init__()
        self.model, self.weight = model, weight

    def start(self, memory: Memory) -> _Prefixes:
        """The state before the first token, with a row for each sound."""
        log_probs = self.model.ctc_log_probs(memory).cpu().double()
        certain = torch.full_like(log_probs[0, 0], NEVER)
        certain[PAD] = 0.0
        log_probs = torch.where(memory.attend_mask.cpu()[:, :, None], log_probs, certain)
        blank = log_probs[:, :, PAD].cumsum(dim=1)  # nothing has been said yet
        rows = len(log_probs)
        return _Prefixes(
            self.model.decoder.start(memory),
            log_probs,
            torch.full_like(blank, NEVER),
            blank,
            torch.full((rows,), BOS),
            torch.zeros_like(blank[:, 0]),
        )

    def step(self, state: _Prefixes, tokens: Tensor) -> tuple[Tensor, _Prefixes, Tensor | None]:
        """Read one token each, (R,): scores (R, V) of the next one, the next state, weights."""
        scores, inner, weights = self.model.decoder.step(state.inner, tokens)
        read = tokens.cpu()
        after = self._after(state, inner, read) if bool((read != BOS).any()) else state
        after = _Prefixes(inner, *_own(after))
        following = self._prefixes(after)  # (R, V)
        whole = torch.logaddexp(after.label[:, -1], after.blank[:, -1])
        following[:, EOS] = whole
        gain = (following - after.prefix[:, None]).clamp(max=0)
        attention = scores.clone()
        attention[:, [PAD, BOS]] = float("-inf")  # never written, as in any search
        attention = attention.log_softmax(dim=-1)
        joint = (1 - self.weight) * attention + self.weight * gain.to(attention)
        return joint, after, weights

    def _ways(self, state: _Prefixes) -> tuple[Tensor, Tensor]:
        """(R, T) log probability of having spelt the text before position t: at all, and with a
        blank at the end, which the same token again needs."""
        first = torch.full_like(state.label[:, :1], NEVER)
        first = torch.where((state.last == BOS)[:, None], torch.zeros_like(first), first)
        blank = torch.cat([first, state.blank[:, :-1]], dim=1)
        label = torch.cat([torch.full_like(first, NEVER), state.label[:, :-1]], dim=1)
        return torch.logaddexp(blank, label), blank

    def _prefixes(self, state: _Prefixes) -> Tensor:
        """(R, V) log probability that the text begins like this and goes on with each token."""
        anyhow, blank = self._ways(state)
        found = torch.logsumexp(anyhow[:, :, None] + state.log_probs, dim=1)
        rows = torch.arange(len(found))
        own = state.log_probs[rows, :, state.last]  # (R, T)
        found[rows, state.last] = torch.logsumexp(blank + own, dim=1)
        return found

    def _after(self, state: _Prefixes, inner: Any, tokens: Tensor) -> _Prefixes:
        """The state after the text has become longer by one token each."""
        anyhow, blank = self._ways(state)
        enters = torch.where((tokens == state.last)[:, None], blank, anyhow)
        rows = torch.arange(len(tokens))
        own, none = state.log_probs[rows, :, tokens], state.log_probs[:, :, PAD]
        prefix = torch.logsumexp(enters + own, dim=1)
        label = _recurrence(enters, own)
        before = torch.cat([torch.full_like(label[:, :1], NEVER), label[:, :-1]], dim=1)
        return _Prefixes(inner, state.log_probs, label, _recurrence(before, none), tokens, prefix)


NEVER = -1e5  # a log probability that stands for zero, and can be subtracted


def _own(state: _Prefixes) -> tuple[Tensor, ...]:
    return state.log_probs, state.label, state.blank, state.last, state.prefix


def _recurrence(enters: Tensor, stays: Tensor) -> Tensor:
    """log x_t with x_t = (x_{t-1} + e_t) s_t, x_0 = 0, for e = exp(enters) and s = exp(stays).

    Written out, x_t = S_t Σ_{i ≤ t} e_i / S_{i-1} with the products S_t = s_1 … s_t.
    """
    products = stays.cumsum(dim=1)
    earlier = torch.cat([torch.zeros_like(products[:, :1]), products[:, :-1]], dim=1)
    return products + torch.logcumsumexp(enters - earlier, dim=1)
