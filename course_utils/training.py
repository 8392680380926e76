"""Training: the loss, one step, and `fit`, the loop around it. The same for every task.

`train_step` is built by hand in notebook 03; `fit` adds what a long training needs: validation,
the best weights kept, a progress bar, and a state file from which an interrupted run resumes.
"""

import copy
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from course_utils.batches import Batch, BucketedBatches
from course_utils.runtime import evaluating
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

# What a training minimises: model, batch and label smoothing → one number with a gradient, a mean
# over the ``batch.target_tokens`` predictions of the batch.
Loss = Callable[[nn.Module, Batch, float], Tensor]


def sequence_loss(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats over all tokens that are no padding.

    ``logits`` (B, Tt, V), ``targets`` (B, Tt) with PAD where nothing is to be predicted.
    ``label_smoothing`` ε gives 1 − ε to the right token and spreads ε evenly over all V (Szegedy
    et al. 2016, section 7).
    """
    if logits.shape[:2] != targets.shape:
        raise ValueError(
            f"logits for {tuple(logits.shape[:2])} positions, targets for {tuple(targets.shape)}; "
            "is the target shifted (target_in for the decoder, target_out for the loss)?"
        )
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, label_smoothing=label_smoothing
    )


def doubly_stochastic(weights: Tensor, targets: Tensor) -> Tensor:
    """Mean over inputs of Σ_i (1 − Σ_t α_ti)² (Xu et al. 2015, eq. 14, second term).

    ``weights`` (B, Tt, Tk); steps whose target (B, Tt) is PAD do not count. It is zero when every
    position has received a weight of 1 in total over the whole output.
    """
    total = (weights * (targets != PAD)[..., None]).sum(dim=1)
    return ((1 - total) ** 2).sum(dim=1).mean()


def attention_loss(model: nn.Module, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """`sequence_loss` of a model that reads the true targets (teacher forcing): the usual loss."""
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
) -> float:
    """One update of the weights; returns the loss (nats a token) before it.

    Gradients are scaled down to a norm of ``clip`` when they exceed it (Pascanu et al. 2013).
    ``loss`` is what is minimised. With `attention_loss`, ``regulariser`` adds λ `doubly_stochastic`
    to it, which is not part of what is returned.
    """
    if regulariser and loss is not attention_loss:
        raise ValueError(
            "the regulariser needs the weights of a decoder: it goes with no other loss"
        )
    if regulariser:
        logits, weights = model(batch)
        value = sequence_loss(logits, batch.target_out, label_smoothing)
        minimised = value + regulariser * doubly_stochastic(weights, batch.target_out)
    else:
        minimised = value = loss(model, batch, label_smoothing)
    optimizer.zero_grad()
    minimised.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return value.item()


@torch.no_grad()
def validation_loss(model: nn.Module, batches: list[Batch], loss: Loss = attention_loss) -> float:
    """Loss (nats a token) over all batches, without dropout and label smoothing."""
    with evaluating(model):
        total, tokens = 0.0, 0
        for batch in batches:
            batch = batch.to(model.device)
            total += loss(model, batch, 0.0).item() * batch.target_tokens
            tokens += batch.target_tokens
    return total / max(1, tokens)


@dataclass(frozen=True)
class FitSettings:
    """How long and how to train. A budget is a number of steps, never of seconds."""

    steps: int
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warm_up: float = 0.1  # share of the steps in which the one-cycle schedule rises
    label_smoothing: float = 0.1
    clip: float = 1.0
    regulariser: float = 0.0  # share of the doubly stochastic term, see `train_step`
    validate_every: int = 200
    patience: int | None = None  # stop after so many validations without a better one
    seed: int = 0


@dataclass
class History:
    """What `fit` saw. ``rows`` has one entry a validation: step, loss, valid_loss, other metrics,
    learning_rate, tokens and seconds since the start."""

    settings: dict
    rows: list[dict] = field(default_factory=list)
    best_step: int = 0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stopped_early: bool = False


def one_cycle(step: int, steps: int, warm_up: float) -> float:
    """Factor of the learning rate: a linear rise, then half a cosine to zero (Smith 2018)."""
    rise = max(1, round(steps * warm_up))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


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
    resume_file: Path | None = None,
    progress: bool = True,
    stop_after: int | None = None,
) -> History:
    """Train ``model`` for ``settings.steps`` steps and leave it with the best weights seen.

    Every ``validate_every`` steps and at the end it computes the loss on ``valid`` and the metrics
    of ``evaluate(model)``; ``select`` names the one that decides ("valid_loss": lower is better,
    any other: higher, unless ``lower_is_better``). Without validation the last weights stay.
    ``loss(model, batch, label_smoothing)`` is what training minimises, by default that of a text.

    ``resume_file``: everything that the rest of the run depends on is written there at each
    validation (atomically); a later call with the same arguments goes on from it and reaches the
    same weights as an uninterrupted run. The file is removed when the training is complete.
    ``stop_after`` ends the call after that many steps in total, as an interruption would.
    """
    if settings.steps < 1:
        raise ValueError(f"training needs at least one step, got steps={settings.steps}")
    if select != "valid_loss" and evaluate is None:
        raise ValueError(f"select={select!r} needs an evaluate function that returns it")
    if settings.patience is not None and valid is None and evaluate is None:
        raise ValueError("patience counts validations, but neither valid nor evaluate is given")
    torch.manual_seed(settings.seed)
    device = model.device
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: one_cycle(step, settings.steps, settings.warm_up)
    )
    history = History(asdict(settings))
    best_score, best_weights = -math.inf, None
    if resume_file is not None and Path(resume_file).exists():
        saved = torch.load(resume_file, weights_only=True, map_location=device)
        if saved["settings"] != asdict(settings):
            raise ValueError(
                f"{resume_file} belongs to a training with other settings; "
                "finish that one or remove the file"
            )
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        history = History(**saved["history"])
        best_score, best_weights = saved["best_score"], saved["best_weights"]
        torch.set_rng_state(saved["random"].cpu())
        if device.type == "cuda" and saved["random_cuda"] is not None:
            torch.cuda.set_rng_state(saved["random_cuda"].cpu(), device)
    stream = batches.forever(skip=history.steps)
    bar = tqdm(
        total=settings.steps,
        initial=history.steps,
        disable=not progress,
        unit="step",
        mininterval=1.0,
        leave=False,
        # In a notebook standard error looks like a fault, and would be kept in the stored output.
        file=sys.stdout if _in_notebook() else sys.stderr,
    )
    started, model_seconds = time.perf_counter(), history.seconds
    running, since = 0.0, 0
    model.train()
    while history.steps < settings.steps:
        batch = next(stream).to(device)
        nats = train_step(
            model,
            batch,
            optimizer,
            label_smoothing=settings.label_smoothing,
            clip=settings.clip,
            regulariser=settings.regulariser,
            loss=loss,
        )
        schedule.step()
        history.steps += 1
        history.tokens += batch.target_tokens
        running, since = running + nats, since + 1
        bar.update()
        bar.set_postfix(loss=f"{running / since:.3f}", refresh=False)
        last = history.steps == settings.steps
        if last or history.steps % settings.validate_every == 0:
            model.eval()
            row = {"step": history.steps, "loss": running / since}
            if valid is not None:
                row["valid_loss"] = validation_loss(model, valid, loss)
            if evaluate is not None:
                row |= evaluate(model)
            if select != "valid_loss" and select not in row:
                raise ValueError(f"select={select!r}, but evaluate returned only {sorted(row)}")
            model.train()
            history.seconds = model_seconds + time.perf_counter() - started
            row |= {
                "learning_rate": optimizer.param_groups[0]["lr"],
                "tokens": history.tokens,
                "seconds": round(history.seconds, 1),
            }
            history.rows.append(row)
            running, since = 0.0, 0
            score = row.get(select)
            if score is not None and (lower_is_better or select == "valid_loss"):
                score = -score
            if score is not None and score > best_score:
                best_score, history.best_step = score, history.steps
                best_weights = copy.deepcopy(model.state_dict())
            waited = sum(r["step"] > history.best_step for r in history.rows)
            history.stopped_early = settings.patience is not None and waited >= settings.patience
            if resume_file is not None:
                _save_atomically(
                    {
                        "settings": asdict(settings),
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "schedule": schedule.state_dict(),
                        "history": asdict(history),
                        "best_score": best_score,
                        "best_weights": best_weights,
                        "random": torch.get_rng_state(),
                        "random_cuda": (
                            torch.cuda.get_rng_state(device) if device.type == "cuda" else None
                        ),
                    },
                    Path(resume_file),
                )
            if history.stopped_early:
                break
        if stop_after is not None and history.steps >= stop_after:
            bar.close()
            return history
    bar.close()
    history.seconds = model_seconds + time.perf_counter() - started
    if best_weights is not None:
        model.load_state_dict(best_weights)
    else:
        history.best_step = history.steps
    model.eval()
    if resume_file is not None:
        Path(resume_file).unlink(missing_ok=True)
    return history


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def _save_atomically(content: dict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    torch.save(content, partial)
    os.replace(partial, path)
