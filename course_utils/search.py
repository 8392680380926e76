"""Search: from a decoder to token sequences. One greedy and one beam search serve all tasks.

Search does not know what a model is made of. It asks the decoder for two calls (`SearchDecoder`):

``start(memory)``        → the state before the first token
``step(state, tokens)``  → logits (B, V) of the next token, the next state, the weights of attention

With a memory, the decoder describes it: a translation, a caption. Without one (``memory`` None),
the decoder is a language model: it invents ``batch_size`` texts, or continues ``prompts``.

A decoder whose `step` returns log probabilities instead of logits has an attribute ``normalised``
that is True. Their number may exceed the size of its vocabulary: a pointer-generator also copies
words that have an id in one input only (See et al. 2017, section 2.2). Search feeds such an id back
like any other, and the decoder's `step` replaces it with one that it can embed, such as UNK. Such a
decoder is trained with the usual loss, since log probabilities are their own log-softmax; where
they can be log 0, it clamps the probability first, because log 0 has no gradient.
"""

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from course_utils.vocabulary import BOS, EOS, PAD

__all__ = [
    "WIDEST_BEAM",
    "Hypothesis",
    "SearchDecoder",
    "SearchSettings",
    "SearchState",
    "beam_search",
    "greedy_search",
    "length_penalty",
    "search",
    "write",
]

LARGEST_ALPHA = 100  # beyond, the penalty leaves the range of floats
WIDEST_BEAM = 100  # that settings may ask for: memory and time grow with the width


class SearchState(Protocol):
    """What a decoder carries from token to token. `course_utils.memory.Rows` implements it."""

    def select(self, rows: Tensor) -> Self:
        """The state of some rows of the batch, in that order; a row may be repeated."""
        ...


LONGEST_LOOP = 4  # tokens

State = TypeVar("State", bound=SearchState)


class SearchDecoder(Protocol[State]):
    """What search asks of a decoder. Greedy search never calls ``select`` of its state.

    An attribute ``normalised = True`` says that `step` returns log probabilities, not logits.
    """

    def start(self, memory: Any, /) -> State:
        """The state before the first token, with one row for each of the B inputs.

        ``memory`` is what the caller gave to the search, anything whose ``len()`` is B. Without a
        memory, it is the number B itself.
        """
        ...

    def step(self, state: State, tokens: Tensor, /) -> tuple[Tensor, State, Tensor | None]:
        """Read one token each, (B,): scores of the next one, the next state, weights.

        scores   (B, V) logits, or log probabilities if the decoder is ``normalised``; -inf where
                 a token is impossible
        weights  of attention: (B, Tk), with several heads (B, H, Tk), or None. Tk may grow from
                 step to step, as in self-attention.
        """
        ...


@dataclass(frozen=True)
class SearchSettings:
    """How outputs are searched for: width of the beam (1 is greedy) and the length penalty's α.

    Raises ValueError unless the beam is an integer from 1 to `WIDEST_BEAM` and α a finite number:
    both may come from the card of a checkpoint.
    """

    beam: int = 1
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if type(self.beam) is not int or not 1 <= self.beam <= WIDEST_BEAM:
            raise ValueError(f"beam must be an integer from 1 to {WIDEST_BEAM}, got {self.beam!r}")
        check_alpha(self.alpha)


def check_alpha(alpha: float) -> None:
    """Raise ValueError for a length penalty that is not a number of ordinary size."""
    if not isinstance(alpha, int | float) or not abs(alpha) <= LARGEST_ALPHA:
        raise ValueError(
            f"alpha must be a finite number of at most {LARGEST_ALPHA}, usually 0 to 1.5, got "
            f"{alpha!r}"
        )


@dataclass(frozen=True)
class Hypothesis:
    """One output.

    tokens     ids without BOS, EOS and prompt
    log_prob   log probability of the tokens and, if finished, of EOS
    score      log_prob divided by the length penalty: beam search ranks by it
    attention  (Tt, Tk) weights on the CPU, one row per token; the last row is that of EOS if
               finished. With several heads (Tt, H, Tk); None if the decoder reports no weights.
               If Tk grows from step to step, zeros fill up the shorter rows.
    finished   False if the search reached ``max_length``, or a loop, before EOS
    """

    tokens: list[int]
    log_prob: float
    score: float
    attention: Tensor | None
    finished: bool


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6)^α (Wu et al. 2016, eq. 14): without it, a beam prefers short outputs."""
    return ((5 + length) / 6) ** alpha


def greedy_search(
    decoder: SearchDecoder[State],
    memory: Any = None,
    max_length: int | Sequence[int] = 100,
    alpha: float = 1.0,
    *,
    batch_size: int | None = None,
    prompts: Sequence[Sequence[int]] | None = None,
    max_repeats: int | None = None,
) -> list[Hypothesis]:
    """Take the most probable token at each step, for all inputs at once.

    ``max_length`` limits the new tokens, EOS included: one number, or one for each input.
    ``prompts`` are beginnings, one list of ids for each input, which the outputs continue.
    ``batch_size`` is needed only if neither memory nor prompts say how many inputs there are.
    ``max_repeats`` guards against loops: an output that writes the same one to four tokens more
    often than this in a row ends there, unfinished. Without it, a loop ends at ``max_length``.
    Raises ValueError if these numbers disagree, if an input has no possible continuation, or if the
    decoder's scores are not numbers.
    """
    return write(
        decoder,
        lambda log_probs: log_probs.max(dim=-1).indices,
        memory,
        max_length,
        alpha,
        batch_size=batch_size,
        prompts=prompts,
        max_repeats=max_repeats,
    )


@torch.no_grad()
def write(
    decoder: SearchDecoder[State],
    choose: Callable[[Tensor], Tensor],
    memory: Any = None,
    max_length: int | Sequence[int] = 100,
    alpha: float = 1.0,
    *,
    batch_size: int | None = None,
    prompts: Sequence[Sequence[int]] | None = None,
    max_repeats: int | None = None,
) -> list[Hypothesis]:
    """Write one token after the other, for all inputs at once, as ``choose`` says.

    ``choose(log_probs)`` returns a token (B,) for log probabilities (B, V); those of PAD and BOS
    are -inf. The other parameters and errors are those of `greedy_search`, which chooses the most
    probable token; `course_utils.sampling.sample` draws one.
    """
    check_alpha(alpha)
    B, limits, prompts = _check_inputs(memory, max_length, batch_size, prompts, max_repeats)
    device = _device(decoder)
    state = decoder.start(B if memory is None else memory)
    token = torch.full((B,), BOS, device=device)
    chosen, gained, looks = [], [], []
    running = torch.ones(B, dtype=torch.bool, device=device)
    begins = torch.tensor([len(prompt) for prompt in prompts], device=device)
    ends = begins + torch.tensor(limits, device=device)
    for length in range(1, int(ends.max()) + 1):
        scores, state, weights = decoder.step(state, token)
        log_probs = _log_probs(decoder, scores)
        token = choose(log_probs)
        log_prob = log_probs.gather(1, token[:, None])[:, 0]
        given = length <= begins  # still inside the prompt
        if any(length <= len(prompt) for prompt in prompts):
            forced = [prompt[length - 1] if length <= len(prompt) else 0 for prompt in prompts]
            token = torch.where(given, torch.tensor(forced, device=device), token)
        chosen.append(token)
        gained.append(log_prob)
        looks.append(weights)
        running = running & (given | (token != EOS)) & (length < ends)
        if not bool(running.any()):
            break
    tokens, log_probs = torch.stack(chosen, dim=1).cpu(), torch.stack(gained, dim=1).cpu()
    attention = _stack(looks, dim=1)
    attention = None if attention is None else attention.cpu()
    found = []
    for row, (limit, prompt) in enumerate(zip(limits, prompts, strict=True)):
        first, stop = len(prompt), len(prompt) + limit
        at_end = (tokens[row, first:stop] == EOS).nonzero()
        finished = len(at_end) > 0
        length = int(at_end[0]) + 1 if finished else limit
        if loop := _end_of_loop(tokens[row, first : first + length].tolist(), max_repeats):
            finished, length = False, loop
        total = float(log_probs[row, first : first + length].sum())
        if not total > float("-inf"):
            raise _not_numbers(row) if math.isnan(total) else _no_continuation(row)
        found.append(
            Hypothesis(
                tokens=tokens[row, first : first + length - finished].tolist(),
                log_prob=total,
                score=total / length_penalty(length, alpha),
                attention=None if attention is None else attention[row, first : first + length],
                finished=finished,
            )
        )
    return found


@torch.no_grad()
def beam_search(
    decoder: SearchDecoder[State],
    memory: Any = None,
    width: int = 5,
    max_length: int | Sequence[int] = 100,
    alpha: float = 1.0,
    best: int = 1,
    *,
    batch_size: int | None = None,
    prompts: Sequence[Sequence[int]] | None = None,
    max_repeats: int | None = None,
) -> list[list[Hypothesis]]:
    """Keep the ``width`` best beginnings of each input; return its ``best`` hypotheses, best first.

    A hypothesis that takes EOS leaves the beam, and its place stays empty. So a beam of width 1 is
    greedy search, and a beam as wide as the number of all sequences is exhaustive search. An input
    is done when its beam is empty, or when no continuation can beat the finished hypotheses any
    more. If nothing has finished at ``max_length``, the best beginning is returned, unfinished. A
    loop (see ``max_repeats``) leaves the beam and is returned only if nothing else is left.

    The other parameters and errors are those of `greedy_search`.
    """
    check_alpha(alpha)
    B, limits, prompts = _check_inputs(memory, max_length, batch_size, prompts, max_repeats)
    width, best = operator.index(width), operator.index(best)
    if width < 1 or not 1 <= best <= width:
        raise ValueError(f"needs 1 ≤ best ≤ width, got best={best} and width={width}")
    device = _device(decoder)
    finished: list[list[Hypothesis]] = [[] for _ in range(B)]
    loops: list[list[Hypothesis]] = [[] for _ in range(B)]  # returned if nothing else is left
    # The unfinished beginnings of all inputs together: row r of the state is one of owner[r].
    state = decoder.start(B if memory is None else memory)
    owner = list(range(B))
    tokens: list[list[int]] = [[] for _ in range(B)]
    looks: list[list[Tensor | None]] = [[] for _ in range(B)]
    log_prob = torch.zeros(B, device=device)
    last = torch.full((B,), BOS, device=device)
    longest = max(limit + len(prompt) for limit, prompt in zip(limits, prompts, strict=True))
    for step in range(1, longest + 1):
        scores, state, weights = decoder.step(state, last)
        total = log_prob[:, None] + _log_probs(decoder, scores)  # (rows, V)
        # Among the children of one row, only the best `width` can enter the beam of its input.
        top, choice = total.topk(min(width, total.shape[1]), dim=1)
        top_list, choice_list = top.tolist(), choice.tolist()
        rows_of_weights = [None] * len(owner) if weights is None else list(weights.cpu())
        children: list[list[tuple[float, int, int]]] = [[] for _ in range(B)]
        for row, of in enumerate(owner):
            if step <= len(prompts[of]):
                children[of].append((0.0, row, prompts[of][step - 1]))
                continue
            if math.isnan(top_list[row][0]):  # topk puts NaN first
                raise _not_numbers(of)
            children[of] += [
                (score, row, token)
                for score, token in zip(top_list[row], choice_list[row], strict=True)
                if score > float("-inf")
            ]
        survivors: list[tuple[float, int, int]] = []
        for of, candidates in enumerate(children):
            if not candidates:
                continue
            length = step - len(prompts[of])
            if length <= 0:
                survivors += candidates
                continue
            candidates.sort(key=lambda child: (-child[0], child[1], child[2]))
            room = width - len(finished[of])
            living = []
            for score, row, token in candidates[:room]:
                looping = _loops(tokens[row] + [token], max_repeats)
                if token != EOS and length < limits[of] and not looping:
                    living.append((score, row, token))
                    continue
                ended = loops if looping and token != EOS else finished
                ended[of].append(
                    Hypothesis(
                        tokens=tokens[row] + ([] if token == EOS else [token]),
                        log_prob=score,
                        score=score / length_penalty(length, alpha),
                        attention=_stack(looks[row] + [rows_of_weights[row]], dim=0),
                        finished=token == EOS,
                    )
                )
            survivors += _worth_continuing(living, finished[of], best, limits[of], alpha)
        if not survivors:
            break
        rows = [row for _, row, _ in survivors]
        new = [step > len(prompts[owner[row]]) for row in rows]  # prompts are not part of outputs
        tokens = [
            tokens[row] + [token] * is_new
            for (_, row, token), is_new in zip(survivors, new, strict=True)
        ]
        looks = [
            looks[row] + [rows_of_weights[row]] * is_new
            for row, is_new in zip(rows, new, strict=True)
        ]
        owner = [owner[row] for row in rows]
        log_prob = torch.tensor([score for score, _, _ in survivors], device=device)
        last = torch.tensor([token for _, _, token in survivors], device=device)
        state = state.select(torch.tensor(rows, device=device))
    found = [ended or looping for ended, looping in zip(finished, loops, strict=True)]
    for row, hypotheses in enumerate(found):
        if not hypotheses:
            raise _no_continuation(row)
    return [
        sorted(hypotheses, key=lambda h: (not h.finished, -h.score))[:best] for hypotheses in found
    ]


def search(
    decoder: SearchDecoder[State],
    memory: Any = None,
    beam: int = 1,
    max_length: int | Sequence[int] = 100,
    alpha: float = 1.0,
    *,
    batch_size: int | None = None,
    prompts: Sequence[Sequence[int]] | None = None,
    max_repeats: int | None = None,
) -> list[Hypothesis]:
    """The output for each input: greedy for ``beam`` 1, otherwise the best of a beam search."""
    if beam == 1:
        return greedy_search(
            decoder,
            memory,
            max_length,
            alpha,
            batch_size=batch_size,
            prompts=prompts,
            max_repeats=max_repeats,
        )
    found = beam_search(
        decoder,
        memory,
        beam,
        max_length,
        alpha,
        batch_size=batch_size,
        prompts=prompts,
        max_repeats=max_repeats,
    )
    return [hypotheses[0] for hypotheses in found]


def _check_inputs(
    memory: Any,
    max_length: int | Sequence[int],
    batch_size: int | None,
    prompts: Sequence[Sequence[int]] | None,
    max_repeats: int | None,
) -> tuple[int, list[int], Sequence[Sequence[int]]]:
    """The number B of inputs, and a limit and a prompt for each of them."""
    sizes = {
        "memory": None if memory is None else len(memory),
        "batch_size": batch_size,
        "prompts": None if prompts is None else len(prompts),
    }
    given = {name: size for name, size in sizes.items() if size is not None}
    if not given:
        raise ValueError("search needs a memory, prompts or a batch_size")
    if len(set(given.values())) > 1:
        raise ValueError(
            "these disagree about the number of inputs: "
            + ", ".join(f"{name} {size}" for name, size in given.items())
        )
    B = next(iter(given.values()))
    if B < 1:
        raise ValueError("search needs at least one input, got none")
    each = max_length if isinstance(max_length, Iterable) else [max_length] * B
    limits = [operator.index(limit) for limit in each]
    if max_repeats is not None and operator.index(max_repeats) < 1:
        raise ValueError(f"max_repeats must be at least 1 or None, got {max_repeats}")
    if len(limits) != B or min(limits) < 1:
        raise ValueError(f"max_length must be at least 1, one number or {B} of them; got {limits}")
    prompts = [[]] * B if prompts is None else [[int(i) for i in prompt] for prompt in prompts]
    for prompt in prompts:
        if {PAD, BOS} & set(prompt):
            raise ValueError(
                f"a prompt contains neither PAD ({PAD}) nor BOS ({BOS}), which search itself puts "
                f"first; got {prompt[:8]}"
            )
    return B, limits, prompts


def _device(decoder: Any) -> torch.device:
    """Where the decoder's weights are; the CPU for one that is not a module or has none."""
    if isinstance(decoder, nn.Module):
        for tensor in (*decoder.parameters(), *decoder.buffers()):
            return tensor.device
    return torch.device("cpu")


def _log_probs(decoder: Any, scores: Tensor) -> Tensor:
    """Log probabilities of the tokens a search may choose: never PAD or BOS.

    Logits are normalised over the other tokens. Log probabilities stay what they are: without PAD
    and BOS, they may sum to less than one.
    """
    scores = scores.clone()
    scores[:, [PAD, BOS]] = float("-inf")
    if getattr(decoder, "normalised", False):
        return scores
    # If every token is impossible, the softmax is 0/0; but impossible is not "not a number".
    return scores.log_softmax(dim=-1).masked_fill(scores.isneginf(), -math.inf)


def _stack(looks: Sequence[Tensor | None], dim: int) -> Tensor | None:
    """The weights of all steps along a new dimension ``dim``, filled up with zeros to one width."""
    weights = [look for look in looks if look is not None]
    if not weights:
        return None
    width = max(look.shape[-1] for look in weights)
    return torch.stack(
        [nn.functional.pad(look, (0, width - look.shape[-1])) for look in weights], dim=dim
    )


def _loops(tokens: list[int], max_repeats: int | None) -> bool:
    """Whether the last one to four tokens have just been written once too often in a row."""
    if max_repeats is None:
        return False
    copies = max_repeats + 1
    return any(
        len(tokens) >= size * copies and tokens[-size * copies :] == tokens[-size:] * copies
        for size in range(1, LONGEST_LOOP + 1)
    )


def _end_of_loop(tokens: list[int], max_repeats: int | None) -> int | None:
    """How many tokens there are up to the first place where they loop; None if there is none."""
    if max_repeats is None:
        return None
    ends = (end for end in range(1, len(tokens) + 1) if _loops(tokens[:end], max_repeats))
    return next(ends, None)


def _no_continuation(row: int) -> ValueError:
    return ValueError(
        f"input {row} has no possible continuation: the decoder gives every token that may be "
        "written the probability 0"
    )


def _not_numbers(row: int) -> ValueError:
    return ValueError(
        f"the decoder's scores for input {row} are not numbers (NaN): its weights or this input "
        "contain numbers that are not finite"
    )


def _worth_continuing(
    living: list[tuple[float, int, int]],
    finished: list[Hypothesis],
    best: int,
    max_length: int,
    alpha: float,
) -> list[tuple[float, int, int]]:
    """Drop beginnings whose best possible score cannot reach the ``best`` finished hypotheses.

    A log probability can only fall while the penalty can only grow (α ≥ 0), so ``log_prob`` divided
    by the largest penalty is a bound for every continuation.
    """
    if len(finished) < best or alpha < 0:
        return living
    bar = sorted((h.score for h in finished), reverse=True)[best - 1]
    limit = length_penalty(max_length, alpha)
    return [child for child in living if child[0] / limit > bar]
