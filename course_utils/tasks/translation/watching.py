"""Watching a training: how wide do the heads of a Transformer look, and how large are gradients?

A head whose softmax is saturated has a low entropy and hardly a gradient; both show in a curve long
before the score does.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.attention import causal_mask, length_mask
from course_utils.batches import Batch
from course_utils.callbacks import Callback, Run
from course_utils.checks import check_mask, check_tensor
from course_utils.models.seq2seq import Seq2Seq
from course_utils.models.transformer import TransformerDecoder, TransformerEncoder
from course_utils.runtime import evaluating
from course_utils.training import attention_loss
from course_utils.vocabulary import PAD

__all__ = ["WatchWeights", "entropy_shares", "gradient_norms", "head_entropies"]


def entropy_shares(weights: Tensor, mask: Tensor) -> Tensor:
    """The mean entropy of each head's rows as a share of that of equal weights, (H,): from 0 to 1.

    weights (B, H, T, K), mask (B, T, K): which slots a row may attend to. Rows with fewer than two
    of them have nothing to choose and do not count. Raises ValueError for other shapes and if no
    other rows are left, TypeError for a mask that is not boolean.
    """
    check_tensor("weights", weights, "B", "H", "T", "K", kind="floats")
    check_mask(mask)
    B, _, T, K = weights.shape
    check_tensor("mask", mask, B, T, K)
    slots = mask.sum(dim=-1)
    chooses = slots > 1
    if not chooses.any():
        raise ValueError("no row has two slots to choose from")
    entropy = torch.special.entr(weights).sum(dim=-1).transpose(0, 1)  # (H, B, T)
    return (entropy[:, chooses] / slots[chooses].log()).mean(dim=1)


@torch.no_grad()
def head_entropies(model: Seq2Seq, batch: Batch) -> dict[str, Tensor]:
    """`entropy_shares` of every layer and head, (layers, H): "encoder", "decoder" and "memory".

    Raises TypeError unless encoder and decoder are Transformers.
    """
    encoder, decoder = model.encoder, model.decoder
    if not isinstance(encoder, TransformerEncoder) or not isinstance(decoder, TransformerDecoder):
        raise TypeError("only a Transformer on both sides has heads in all layers")
    with evaluating(model):
        read = encoder.weights(batch.source, batch.source_lengths).own
        written = decoder.weights(model.remember(batch), batch.target_in)
    B, Ts = batch.source.shape
    Tt = batch.target_in.shape[1]
    source, target = length_mask(batch.source_lengths, Ts), batch.target_out != PAD
    parts = {
        "encoder": (read, source[:, :, None] & source[:, None]),
        "decoder": (written.own, target[:, :, None] & causal_mask(Tt, target.device)),
        "memory": (written.memory, target[:, :, None] & source[:, None]),
    }
    return {
        name: torch.stack([entropy_shares(weights, mask) for weights in layers])
        for name, (layers, mask) in parts.items()
    }


def gradient_norms(model: Seq2Seq, batch: Batch) -> tuple[float, float]:
    """Norm of the gradient of the loss: of all parameters, and of the maps to queries and keys.

    Without dropout, and before clipping. The gradients of the model are empty afterwards.
    """
    with evaluating(model):
        model.zero_grad()
        attention_loss(model, batch).backward()
    squares = [
        (p.grad.square().sum(), ".W_q." in name or ".W_k." in name)
        for name, p in model.named_parameters()
        if p.grad is not None
    ]
    model.zero_grad()
    every = sum(float(square) for square, _ in squares)
    return every**0.5, sum(float(square) for square, scores in squares if scores) ** 0.5


class WatchWeights(Callback):
    """Add entropies and gradients to the rows of the history, and rows at the first ``steps``.

    ``batch()`` makes what is watched. A row gets, for each part of `head_entropies`, the mean over
    its heads ("entropy, encoder") and the lowest of them ("lowest, encoder"), and the two norms of
    `gradient_norms` ("gradient", "gradient of scores"). Raises TypeError for a batch instead of a
    function that makes it, ValueError for steps that are not numbers from 0.
    """

    def __init__(self, batch: Callable[[], Batch], steps: tuple[int, ...] = (0, 10, 30)):
        if not callable(batch):
            raise TypeError(f"batch is a function that makes a batch, got a {type(batch).__name__}")
        if not isinstance(steps, tuple) or any(type(n) is not int or n < 0 for n in steps):
            raise ValueError(f"steps are a tuple of numbers from 0, got {steps!r}")
        self.batch, self.steps = batch, steps

    def measure(self, model: Seq2Seq) -> dict[str, float]:
        """What a row gets."""
        batch = self.batch().to(model.device)
        row = {}
        for name, found in head_entropies(model, batch).items():
            row |= {f"entropy, {name}": float(found.mean()), f"lowest, {name}": float(found.min())}
        row["gradient"], row["gradient of scores"] = gradient_norms(model, batch)
        return row

    def start(self, run: Run) -> None:
        if run.history.steps == 0 and 0 in self.steps:
            run.history.rows.append({"step": 0} | self.measure(run.model))

    def after_step(self, run: Run) -> None:
        if run.history.steps in self.steps and not run.validates:
            run.history.rows.append({"step": run.history.steps} | self.measure(run.model))

    def after_validation(self, run: Run, row: dict) -> None:
        row |= self.measure(run.model)
