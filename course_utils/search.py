"""Search: from a memory to token sequences. One greedy and one beam search serve all tasks.

Both ask the decoder for nothing but ``start(memory)`` and ``step(state, tokens)``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.memory import Memory
from course_utils.models.decoders import Decoder
from course_utils.vocabulary import BOS, EOS, PAD

__all__ = [
    "Hypothesis",
    "SearchSettings",
    "beam_search",
    "greedy_search",
    "length_penalty",
    "search",
]


@dataclass(frozen=True)
class SearchSettings:
    """How outputs are searched for: width of the beam (1 is greedy) and the length penalty's α."""

    beam: int = 1
    alpha: float = 1.0


@dataclass(frozen=True)
class Hypothesis:
    """One output.

    tokens       ids without BOS and EOS
    log_prob     log probability of the tokens and, when finished, of EOS
    score        log_prob divided by the length penalty: what beam search ranks by
    attention    (Tt, Tk) weights on the CPU, one row a token; the row of EOS is the last when
                 finished
    finished     False when the search ran into ``max_length`` before EOS
    """

    tokens: list[int]
    log_prob: float
    score: float
    attention: Tensor
    finished: bool


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6)^α (Wu et al. 2016, eq. 14): without it a beam prefers short outputs."""
    return ((5 + length) / 6) ** alpha


def _limits(max_length: int | list[int], memory: Memory) -> list[int]:
    """One limit for each input of the memory."""
    B = memory.keys.shape[0]
    limits = [max_length] * B if isinstance(max_length, int) else list(max_length)
    if B < 1:
        raise ValueError("the memory holds no input at all")
    if len(limits) != B or min(limits) < 1:
        raise ValueError(f"max_length must be at least 1, one number or {B} of them; got {limits}")
    return limits


def _log_probs(logits: Tensor) -> Tensor:
    """Log probabilities of the tokens a search may choose: PAD and BOS are no outputs."""
    logits = logits.clone()
    logits[:, [PAD, BOS]] = float("-inf")
    return logits.log_softmax(dim=-1)


@torch.no_grad()
def greedy_search(
    decoder: Decoder, memory: Memory, max_length: int | list[int] = 100, alpha: float = 1.0
) -> list[Hypothesis]:
    """Take the most probable token at each step, for all B inputs of the memory at once."""
    limits = _limits(max_length, memory)
    B = memory.keys.shape[0]
    state = decoder.start(memory)
    token = torch.full((B,), BOS, device=memory.keys.device)
    tokens, log_probs, weights = [], [], []
    running = torch.ones(B, dtype=torch.bool, device=token.device)
    limit = torch.tensor(limits, device=token.device)
    for length in range(1, max(limits) + 1):
        logits, state, attention = decoder.step(state, token)
        log_prob, token = _log_probs(logits).max(dim=-1)
        tokens.append(token)
        log_probs.append(log_prob)
        weights.append(attention)
        running = running & (token != EOS) & (length < limit)
        if not bool(running.any()):
            break
    tokens, log_probs = torch.stack(tokens, dim=1).cpu(), torch.stack(log_probs, dim=1).cpu()
    weights = torch.stack(weights, dim=1).cpu()
    found = []
    for row in range(B):
        ends = (tokens[row, : limits[row]] == EOS).nonzero()
        finished = len(ends) > 0
        length = int(ends[0]) + 1 if finished else limits[row]
        total = float(log_probs[row, :length].sum())
        found.append(
            Hypothesis(
                tokens=tokens[row, : length - finished].tolist(),
                log_prob=total,
                score=total / length_penalty(length, alpha),
                attention=weights[row, :length],
                finished=finished,
            )
        )
    return found


@torch.no_grad()
def beam_search(
    decoder: Decoder,
    memory: Memory,
    width: int = 5,
    max_length: int | list[int] = 100,
    alpha: float = 1.0,
    best: int = 1,
) -> list[list[Hypothesis]]:
    """Keep the ``width`` best beginnings of each input; return its ``best`` hypotheses, best first.

    A hypothesis that takes EOS leaves the beam and its place stays empty, so a beam of width 1 is
    greedy search, and a beam as wide as the number of all sequences is exhaustive search. An input
    is done when its beam is empty or when no continuation can beat the finished hypotheses any
    more. When nothing has finished at ``max_length``, the best beginning is returned, unfinished.
    """
    limits = _limits(max_length, memory)
    if width < 1 or not 1 <= best <= width:
        raise ValueError(f"needs 1 ≤ best ≤ width, got best={best} and width={width}")
    B, device = memory.keys.shape[0], memory.keys.device
    finished: list[list[Hypothesis]] = [[] for _ in range(B)]
    # The living beginnings, all inputs together: row r of the state belongs to input owner[r].
    state = decoder.start(memory)
    owner = list(range(B))
    tokens: list[list[int]] = [[] for _ in range(B)]
    weights: list[list[Tensor]] = [[] for _ in range(B)]
    log_prob = torch.zeros(B, device=device)
    last = torch.full((B,), BOS, device=device)
    for length in range(1, max(limits) + 1):
        logits, state, attention = decoder.step(state, last)
        total = log_prob[:, None] + _log_probs(logits)  # (rows, V)
        # Among the children of one row only the best `width` can enter the beam of its input.
        top, choice = total.topk(min(width, total.shape[1]), dim=1)
        top_list, choice_list, attention = top.tolist(), choice.tolist(), attention.cpu()
        children: list[list[tuple[float, int, int]]] = [[] for _ in range(B)]
        for row, of in enumerate(owner):
            children[of] += [
                (score, row, token)
                for score, token in zip(top_list[row], choice_list[row], strict=True)
                if score > float("-inf")
            ]
        survivors: list[tuple[float, int, int]] = []
        for of, candidates in enumerate(children):
            if not candidates:
                continue
            candidates.sort(key=lambda child: (-child[0], child[1], child[2]))
            room = width - len(finished[of])
            living = []
            for score, row, token in candidates[:room]:
                if token != EOS and length < limits[of]:
                    living.append((score, row, token))
                    continue
                finished[of].append(
                    Hypothesis(
                        tokens=tokens[row] + ([] if token == EOS else [token]),
                        log_prob=score,
                        score=score / length_penalty(length, alpha),
                        attention=torch.stack(weights[row] + [attention[row]]),
                        finished=token == EOS,
                    )
                )
            survivors += _worth_continuing(living, finished[of], best, limits[of], alpha)
        if not survivors:
            break
        rows = [row for _, row, _ in survivors]
        owner = [owner[row] for row in rows]
        tokens = [tokens[row] + [token] for _, row, token in survivors]
        weights = [weights[row] + [attention[row]] for row in rows]
        log_prob = torch.tensor([score for score, _, _ in survivors], device=device)
        last = torch.tensor([token for _, _, token in survivors], device=device)
        state = state.select(torch.tensor(rows, device=device))
    return [
        sorted(hypotheses, key=lambda h: (not h.finished, -h.score))[:best]
        for hypotheses in finished
    ]


def search(
    decoder: Decoder,
    memory: Memory,
    beam: int = 1,
    max_length: int | list[int] = 100,
    alpha: float = 1.0,
) -> list[Hypothesis]:
    """The output for each input: greedy for ``beam`` 1, otherwise the best of a beam search."""
    if beam == 1:
        return greedy_search(decoder, memory, max_length, alpha)
    return [best[0] for best in beam_search(decoder, memory, beam, max_length, alpha)]


def _worth_continuing(
    living: list[tuple[float, int, int]],
    finished: list[Hypothesis],
    best: int,
    max_length: int,
    alpha: float,
) -> list[tuple[float, int, int]]:
    """Drop beginnings whose best possible score cannot reach the ``best`` finished hypotheses.

    A log probability only falls while the penalty only grows (α ≥ 0), so ``log_prob`` divided by
    the largest penalty bounds every continuation.
    """
    if len(finished) < best or alpha < 0:
        return living
    bar = sorted((h.score for h in finished), reverse=True)[best - 1]
    limit = length_penalty(max_length, alpha)
    return [child for child in living if child[0] / limit > bar]
