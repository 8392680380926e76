"""Induction heads: heads that look for the present word's last occurrence and copy what followed.

Olsson et al. 2022 define such a head by two properties, measured here on random words that occur
twice, "A B C … A B C …":

*prefix matching*  it attends to the word that came after the present one before
*copying*          it makes the word that it attends to more probable

Shape letters: N texts, T words of the stretch, 2T + 1 positions with BOS.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.attention import MultiHeadAttention
from course_utils.callbacks import Callback, Run
from course_utils.models.transformer import TransformerDecoder
from course_utils.runtime import evaluating
from course_utils.vocabulary import BOS, UNK

__all__ = [
    "WatchHeads",
    "copying",
    "loss_again",
    "prefix_matching",
    "previous_position",
    "twice",
    "without_head",
]


def twice(size: int, length: int, count: int = 100, seed: int = 0) -> Tensor:
    """Random texts (N, 2T + 1): BOS, T different words of a vocabulary, and the same words again.

    Raises ValueError if the vocabulary has fewer than T words beside the special ones.
    """
    words = size - UNK - 1
    if length > words:
        raise ValueError(f"{length} different words, but the vocabulary has {words}")
    generator = torch.Generator().manual_seed(seed)
    once = torch.rand(count, words, generator=generator).argsort(dim=1)[:, :length] + UNK + 1
    return torch.cat([torch.full((count, 1), BOS), once, once], dim=1)


@torch.no_grad()
def own_weights(decoder: TransformerDecoder, tokens: Tensor) -> Tensor:
    """The weights of every layer and head, (layers, heads, N, 2T + 1, 2T + 1)."""
    with evaluating(decoder):
        every = decoder.weights(None, tokens.to(next(decoder.parameters()).device)).own
    return torch.stack(every).transpose(1, 2).cpu()


def prefix_matching(decoder: TransformerDecoder, tokens: Tensor) -> Tensor:
    """(layers, heads): the mean weight of the position after the present word's first occurrence.

    ``tokens`` are those of `twice`. The queries are the words of the second copy but its last one,
    whose follower in the first copy is itself the beginning of the second.
    """
    T = tokens.shape[1] // 2
    weights = own_weights(decoder, tokens)
    return weights.diagonal(1 - T, dim1=-2, dim2=-1)[..., 2:-1].mean(dim=(-2, -1))


def previous_position(decoder: TransformerDecoder, tokens: Tensor) -> Tensor:
    """(layers, heads): the mean weight of the position before the present one."""
    return own_weights(decoder, tokens).diagonal(-1, dim1=-2, dim2=-1).mean(dim=(-2, -1))


@torch.no_grad()
def copying(decoder: TransformerDecoder, tokens: Tensor, seed: int = 0) -> Tensor:
    """(layers, heads): how much more probable a word becomes because the head attends to it.

    In the second copy of ``tokens``, the head is made to attend to a random word of the first copy,
    with all its weight. The score is what the log probability (nats) of that word gains, minus the
    mean gain of the other words of the text.
    """
    N, T = len(tokens), tokens.shape[1] // 2
    generator = torch.Generator().manual_seed(seed)
    places = 1 + torch.randint(T, (N, T), generator=generator)  # what each query looks at
    words = tokens.gather(1, places)
    device = next(decoder.parameters()).device
    tokens = tokens.to(device)

    def log_probs() -> Tensor:
        return decoder(None, tokens)[0].log_softmax(dim=-1)[:, T + 1 :].cpu()

    scores = []
    with evaluating(decoder):
        before = log_probs()
        for layer in decoder.layers:
            for head in range(layer.self_attention.heads):
                with _forced(layer.self_attention, head, places.to(device)):
                    gains = log_probs() - before
                gains = gains.gather(2, tokens[:, None, 1 : T + 1].cpu().expand(N, T, T))
                mine = words[:, :, None] == tokens[:, None, 1 : T + 1].cpu()
                scores.append(float(gains[mine].mean() - gains[~mine].mean()))
    return torch.tensor(scores).view(len(decoder.layers), -1)


@contextmanager
def _forced(attention: MultiHeadAttention, head: int, places: Tensor) -> Iterator[None]:
    """Within ``with``, the last queries of a head read the values at ``places`` (N, T) alone."""
    size, count = attention.head_dim, places.shape[1]
    group = head // (attention.heads // attention.kv_heads)
    values: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        values[:] = [output[:, :, group * size : (group + 1) * size]]

    def replace(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        context = inputs[0].clone()
        found = values[0].gather(1, places[:, :, None].expand(-1, -1, size))
        context[:, -count:, head * size : (head + 1) * size] = found
        return (context,)

    hooks = [
        attention.W_v.register_forward_hook(keep),
        attention.W_o.register_forward_pre_hook(replace),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def without_head(decoder: TransformerDecoder, *heads: tuple[int, int]) -> Iterator[None]:
    """Within ``with``, heads (layer, head) add nothing: their columns of W_o are zero."""
    kept = [layer.self_attention.W_o.weight.data.clone() for layer in decoder.layers]
    try:
        for layer, head in heads:
            attention = decoder.layers[layer].self_attention
            size = attention.head_dim
            attention.W_o.weight.data[:, head * size : (head + 1) * size] = 0.0
        yield
    finally:
        for layer_, weight in zip(decoder.layers, kept, strict=True):
            layer_.self_attention.W_o.weight.data.copy_(weight)


@torch.no_grad()
def loss_again(decoder: TransformerDecoder, tokens: Tensor) -> tuple[float, float]:
    """The loss (nats a word) on the first copy and on the second but its first word."""
    T = tokens.shape[1] // 2
    tokens = tokens.to(next(decoder.parameters()).device)
    with evaluating(decoder):
        logits, _ = decoder(None, tokens[:, :-1])
    nats = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")
    return nats[:, :T].mean().item(), nats[:, T + 1 :].mean().item()


class WatchHeads(Callback):
    """Adds to each validation how far the induction heads are.

    prefix_matching  that of the head with the highest one
    previous         the highest weight of a head on the position before, see `previous_position`
    loss_again       on the second copy of random words, see `loss_again`

    ``length`` is the number of words of the copies, from a vocabulary without unused words.
    """

    def __init__(self, length: int = 8):
        self.length = length

    def after_validation(self, run: Run, row: dict) -> None:
        model: Any = run.model
        tokens = twice(model.embedding.num_embeddings, self.length)
        row["prefix_matching"] = prefix_matching(model, tokens).max().item()
        row["previous"] = previous_position(model, tokens).max().item()
        row["loss_again"] = loss_again(model, tokens)[1]
