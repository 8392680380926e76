"""Training: the loss, one step, and `fit`, the loop around it. The same for every task.

`train_step` is built by hand in notebook 03; `fit` adds what a long training needs: validation, the
best weights kept, early stopping, a progress bar, and a state file from which an interrupted run
resumes. Each of them is a callback (`course_utils.callbacks`), and so is whatever you add.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.batches import Batch, BucketedBatches
from course_utils.callbacks import (
    BestWeights,
    Callback,
    EarlyStop,
    FitSettings,
    History,
    Progress,
    ResumeFile,
    Run,
    Validation,
)
from course_utils.checks import check_mask, check_tensor
from course_utils.distributed import (
    add_gradients,
    add_up,
    from_first,
    is_first,
    process_count,
    process_number,
    same_start,
)
from course_utils.models.seq2seq import Seq2Seq
from course_utils.runtime import computes_in_bfloat16, evaluating, keep_freed_memory
from course_utils.vocabulary import PAD

__all__ = [
    "FitSettings",
    "History",
    "Loss",
    "attention_loss",
    "doubly_stochastic",
    "fit",
    "sequence_loss",
    "train_step",
    "validation_loss",
]

keep_freed_memory()

# What a training minimises: model, batch and label smoothing → one number with a gradient, a mean
# over the ``batch.target_tokens`` predictions of the batch.
Loss = Callable[[nn.Module, Batch, float], Tensor]


def sequence_loss(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats over all tokens that are not padding.

    ``logits`` may be log probabilities; with label smoothing none of them may be -inf.

    ``logits`` (B, Tt, V), ``targets`` (B, Tt) with PAD where nothing is to be predicted.
    ``label_smoothing`` ε gives 1 − ε to the right token and spreads ε evenly over all V (Szegedy
    et al. 2016, section 7). Raises ValueError for other shapes, and where there is no position at
    all; if every target is PAD, the mean is NaN.
    """
    check_tensor("logits", logits, "batch", "positions", "vocabulary", kind="floats")
    check_tensor("targets", targets, "batch", "positions", kind="integers")
    if logits.shape[:2] != targets.shape:
        raise ValueError(
            f"logits for {tuple(logits.shape[:2])} positions, targets for {tuple(targets.shape)}; "
            "is the target shifted (target_in for the decoder, target_out for the loss)?"
        )
    if not targets.numel():
        raise ValueError(f"there is no loss without targets, got {tuple(targets.shape)} of them")
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, label_smoothing=label_smoothing
    )


def doubly_stochastic(
    weights: Tensor, targets: Tensor, attend_mask: Tensor | None = None
) -> Tensor:
    """Mean over inputs of Σ_i (1 − Σ_t α_ti)² (Xu et al. 2015, eq. 14, second term).

    ``weights`` (B, Tt, Tk); steps whose target (B, Tt) is PAD do not count, nor do positions that
    ``attend_mask`` (B, Tk) excludes: without it, padding would count as never attended to. It is
    zero if every position has received a total weight of 1 over the whole output.

    Raises ValueError for other shapes (several heads need their mean first) and without inputs.
    """
    check_tensor("weights", weights, "batch", "steps", "positions", kind="floats")
    B, Tt, Tk = weights.shape
    check_tensor("targets", targets, B, Tt, kind="integers")
    if not B:
        raise ValueError("the mean over no inputs is undefined")
    total = (weights * (targets != PAD)[..., None]).sum(dim=1)
    missing = (1 - total) ** 2
    if attend_mask is not None:
        check_mask(attend_mask)
        check_tensor("attend_mask", attend_mask, B, Tk)
        missing = missing * attend_mask
    return missing.sum(dim=1).mean()


def attention_loss(model: nn.Module, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """`sequence_loss` of a model that reads the true targets (teacher forcing), the usual loss."""
    logits, _ = model(batch)
    return sequence_loss(logits, batch.target_out, label_smoothing)


def train_step(
    model: nn.Module,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    *,
    label_smoothing: float = 0.0,
    clip: float = 1.0,
    regulariser: float = 0.0,
    loss: Loss = attention_loss,
    bfloat16: bool = False,
) -> float:
    """One update of the weights; returns the loss (nats a token) before it.

    Gradients are scaled down to a norm of ``clip`` if they exceed it (Pascanu et al. 2013).
    ``loss`` is minimised; with `attention_loss`, ``regulariser`` λ adds λ times `doubly_stochastic`
    to it, which is not included in the returned loss. With ``bfloat16``, matrix products are
    computed in that format; weights, gradients and the optimiser stay as they are (mixed
    precision: Micikevicius et al. 2018, section 3).

    Where several processes train together (`course_utils.distributed`), each reads its part of the
    batch, and the update is that of the whole batch.
    """
    if regulariser and loss is not attention_loss:
        raise ValueError(
            "the regulariser needs a decoder's weights, so it works with attention_loss only"
        )
    mine = batch.part(process_number(), process_count())
    share = mine.target_tokens / max(1, batch.target_tokens)
    device = next(model.parameters()).device
    optimizer.zero_grad()
    nats = torch.zeros((), device=device)
    if mine is batch or share:  # a small batch may leave nothing for this process
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            if regulariser:
                seq2seq = cast(Seq2Seq, model)
                memory = seq2seq.remember(mine)
                logits, weights = seq2seq.decoder(memory, mine.target_in)
                value = sequence_loss(logits, mine.target_out, label_smoothing)
                term = doubly_stochastic(weights, mine.target_out, memory.attend_mask)
                rows = len(mine.target) / len(batch.target)
                minimised = share * value + regulariser * rows * term
            else:
                value = loss(model, mine, label_smoothing)
                minimised = share * value
        minimised.backward()
        nats = share * value.detach()
    add_gradients(model)
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return add_up(nats).item()


@torch.no_grad()
def validation_loss(model: nn.Module, batches: list[Batch], loss: Loss = attention_loss) -> float:
    """Loss (nats a token) over all batches, without dropout and label smoothing.

    Raises ValueError if there is nothing to predict.
    """
    with evaluating(model):
        total, tokens = 0.0, 0
        device = next(model.parameters()).device
        for batch in batches:
            batch = batch.to(device)
            total += loss(model, batch, 0.0).item() * batch.target_tokens
            tokens += batch.target_tokens
    if not tokens:
        raise ValueError(f"{len(batches)} batches without anything to predict have no loss")
    return total / tokens


def fit(
    model: nn.Module,
    batches: BucketedBatches,
    settings: FitSettings,
    *,
    valid: list[Batch] | None = None,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    select: str = "valid_loss",
    lower_is_better: bool = False,
    loss: Loss = attention_loss,
    resume: ResumeFile | Path | str | None = None,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train ``model`` for ``settings.steps`` steps and leave it with the best weights seen.

    Every ``validate_every`` steps and at the end it computes the loss on ``valid`` and the metrics
    of ``evaluate(model)``; ``select`` names the one that decides ("valid_loss": lower is better;
    any other: higher, unless ``lower_is_better``). Without validation the last weights stay.
    ``loss(model, batch, label_smoothing)`` is what training minimises, by default that of a text.

    ``resume`` is a file: an interrupted training resumes from it when `fit` is called again with
    the same arguments, and reaches the same weights (`course_utils.callbacks.ResumeFile` has
    further settings). ``callbacks`` are notified after the course's own; what they need to resume,
    they return in `Callback.state`.

    Raises FloatingPointError at the first loss, or the first weight at a validation, that is not
    finite.
    """
    check_selection(settings, valid, evaluate, select)
    if settings.bfloat16 and not computes_in_bfloat16(device := next(model.parameters()).device):
        raise ValueError(f"bfloat16=True, but this {device.type} has no instructions for bfloat16")
    if isinstance(resume, Path | str):
        resume = ResumeFile(resume)

    def measure(trained: nn.Module) -> dict[str, float]:
        if not all(bool(weight.isfinite().all()) for weight in trained.parameters()):
            raise diverged(f"some weights are not finite after step {run.history.steps}", settings)
        measured = {}
        if valid and is_first():
            measured["valid_loss"] = validation_loss(trained, valid, loss)
        if evaluate is not None and is_first():
            measured |= evaluate(trained)
        return from_first(measured)

    same_start(model)
    torch.manual_seed(settings.seed + process_number())  # each process has dropout of its own
    run = Run(
        model,
        settings,
        [
            BestWeights(select, lower_is_better or select == "valid_loss"),
            EarlyStop(settings.patience),
            *callbacks,
            *([] if resume is None else [resume]),
            *([Progress()] if progress and is_first() else []),
            Validation(measure, None if select == "valid_loss" else select),
        ],
    )
    run.notify("start")
    try:
        model.train()
        stream = batches.forever(skip=run.history.steps)
        while not run.done:
            batch = next(stream).to(run.device)
            nats = train_step(
                model,
                batch,
                run.optimizer,
                label_smoothing=settings.label_smoothing,
                clip=settings.clip,
                regulariser=settings.regulariser,
                loss=loss,
                bfloat16=settings.bfloat16,
            )
            if not math.isfinite(nats):
                raise diverged(f"the loss is {nats} at step {run.history.steps + 1}", settings)
            run.count(nats, batch.target_tokens)
            run.notify("after_step")
        run.take_time()
        run.notify("end")
    finally:
        run.notify("close")
    model.eval()
    return run.history


def diverged(what: str, settings: FitSettings) -> FloatingPointError:
    """The error for a training whose numbers have left the range of floats."""
    return FloatingPointError(
        f"{what}: the training has diverged (learning_rate={settings.learning_rate}); "
        "try a lower rate"
    )


def check_selection(
    settings: FitSettings, valid: list[Batch] | None, evaluate: Callable | None, select: str
) -> None:
    """Raise ValueError for arguments of `fit` that contradict each other."""
    if settings.steps < 1:
        raise ValueError(f"training needs at least one step, got steps={settings.steps}")
    if settings.validate_every < 1:
        raise ValueError(
            f"validate_every counts steps, so it is at least 1, got {settings.validate_every}"
        )
    if select != "valid_loss" and evaluate is None:
        raise ValueError(f"select={select!r} needs an evaluate function that returns it")
    if settings.patience is not None and valid is None and evaluate is None:
        raise ValueError("patience counts validations, but neither valid nor evaluate is given")
