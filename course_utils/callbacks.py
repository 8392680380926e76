"""Callbacks: what happens during a training besides its steps.

`course_utils.training.fit` calls every callback at the same moments: at the start, after each step,
after each validation, and at the end. To log, stop, or change something, subclass `Callback` and
give an instance to ``fit(…, callbacks=[…])`` or to `course_utils.recipes.train`, which is what
``python -m course_utils train`` calls. `TensorBoard` is an example.
"""

import copy
import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_utils.distributed import from_first, is_first
from course_utils.runtime import evaluating, progress_bar, replacing

__all__ = [
    "AverageWeights",
    "AverageWithStart",
    "BestWeights",
    "Callback",
    "EarlyStop",
    "FitSettings",
    "History",
    "InverseSquareRoot",
    "Progress",
    "ResumeFile",
    "Run",
    "TensorBoard",
    "Validation",
]


@dataclass(frozen=True)
class FitSettings:
    """How long and how to train. A budget is a number of steps, never of seconds."""

    steps: int
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warm_up: float = 0.1  # share of the steps in which the one-cycle schedule rises
    label_smoothing: float = 0.1
    clip: float = 1.0
    regulariser: float = 0.0  # weight of the doubly stochastic term, see `train_step`
    validate_every: int = 200
    patience: int | None = None  # stop after this many validations without an improvement
    seed: int = 0
    bfloat16: bool = False  # matrix products of the steps in bfloat16; validation stays in float32


@dataclass
class History:
    """What happened in a training. ``rows`` has one entry for each validation: step, loss (nats a
    token, mean since the last validation), valid_loss, other metrics, learning_rate, tokens, and
    seconds since the start."""

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


class Run:
    """A training under way: model, optimiser, schedule, history, and the callbacks to notify."""

    def __init__(
        self, model: nn.Module, settings: FitSettings, callbacks: Sequence["Callback"] = ()
    ):
        self.model, self.settings, self.callbacks = model, settings, list(callbacks)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: one_cycle(step, settings.steps, settings.warm_up)
        )
        self.history = History(asdict(settings))
        self.loss = math.nan  # of the last step
        self.losses: list[float] = []  # of the steps since the last validation
        self._started = time.perf_counter()

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def done(self) -> bool:
        """All steps are taken, or the training was stopped early."""
        return self.history.steps >= self.settings.steps or self.history.stopped_early

    @property
    def validates(self) -> bool:
        """The model is measured after the present step: every so many steps, and at the end."""
        steps = self.history.steps
        return steps % self.settings.validate_every == 0 or steps == self.settings.steps

    @property
    def recent_loss(self) -> float:
        """Mean training loss since the last validation."""
        return sum(self.losses) / len(self.losses) if self.losses else math.nan

    def count(self, loss: float, tokens: int) -> None:
        """Count a step that was taken, and move the schedule on."""
        self.schedule.step()
        self.history.steps += 1
        self.history.tokens += tokens
        self.loss = loss
        self.losses.append(loss)

    def take_time(self) -> None:
        """Add the seconds since the last call to the history."""
        now = time.perf_counter()
        self.history.seconds += now - self._started
        self._started = now

    def notify(self, event: str, *arguments: Any) -> None:
        """Call the method ``event`` of every callback, in their order."""
        for callback in self.callbacks:
            getattr(callback, event)(self, *arguments)

    def state(self) -> dict:
        """Everything the rest of the run depends on, for `torch.save`."""
        on_gpu = self.device.type == "cuda"
        return {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": asdict(self.history),
            "callbacks": {type(c).__name__: c.state() for c in self.callbacks},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if on_gpu else None,
        }

    def load_state(self, saved: dict) -> None:
        """Continue from what `state` returned."""
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self.history = History(**saved["history"])
        for callback in self.callbacks:
            callback.load_state(saved["callbacks"].get(type(callback).__name__, {}))
        if (
            not is_first()
        ):  # the others keep the random numbers that they have: dropout of their own
            return
        torch.set_rng_state(saved["random"].cpu())
        if self.device.type == "cuda" and saved["random_cuda"] is not None:
            torch.cuda.set_rng_state(saved["random_cuda"].cpu(), self.device)


class Callback:
    """Does nothing at any moment of a training; a subclass overrides the moments it needs.

    A callback may set ``run.history.stopped_early`` to end the training after the present step.
    """

    def start(self, run: Run) -> None:
        """Before the first step of this call (``run.history.steps`` is above 0 after a resume)."""

    def after_step(self, run: Run) -> None:
        """After each update of the weights.

        ``run.loss`` is the loss before the update; gradients are those after clipping.
        """

    def after_validation(self, run: Run, row: dict) -> None:
        """After each validation; ``row`` is the newest row of ``run.history.rows``."""

    def end(self, run: Run) -> None:
        """After the last step of a training that was not interrupted."""

    def close(self, run: Run) -> None:
        """At the very end, after an interruption as well: release what is open."""

    def state(self) -> dict:
        """What this callback needs to resume."""
        return {}

    def load_state(self, saved: dict) -> None:
        """Take over what `state` returned."""


class Validation(Callback):
    """Measure the model every ``validate_every`` steps and after the last one.

    ``measure(model)`` returns numbers by name; the model is in evaluation mode meanwhile.
    ``needed`` is a name that must be among them. The other callbacks are notified by
    `Callback.after_validation`; this one is the last, so that they have all seen the step before.
    """

    def __init__(self, measure: Callable[[nn.Module], dict[str, float]], needed: str | None = None):
        self.measure, self.needed = measure, needed

    def after_step(self, run: Run) -> None:
        if not run.validates:
            return
        row = {"step": run.history.steps, "loss": run.recent_loss}
        with evaluating(run.model):
            row |= self.measure(run.model)
        if self.needed is not None and self.needed not in row:
            raise ValueError(f"select={self.needed!r}, but evaluate returned only {sorted(row)}")
        run.take_time()
        row |= {
            "learning_rate": run.optimizer.param_groups[0]["lr"],
            "tokens": run.history.tokens,
            "seconds": round(run.history.seconds, 1),
        }
        run.history.rows.append(row)
        run.losses.clear()
        run.notify("after_validation", row)


class BestWeights(Callback):
    """Keep the weights with the best value of ``select``, and leave the model with them."""

    def __init__(self, select: str, lower_is_better: bool):
        self.select, self.lower_is_better = select, lower_is_better
        self.score = -math.inf
        self.weights: dict[str, Any] | None = None

    def after_validation(self, run: Run, row: dict) -> None:
        if self.select not in row:
            return
        score = -row[self.select] if self.lower_is_better else row[self.select]
        if score > self.score:
            self.score, run.history.best_step = score, run.history.steps
            self.weights = copy.deepcopy(run.model.state_dict())

    def end(self, run: Run) -> None:
        if self.weights is None:
            run.history.best_step = run.history.steps
        else:
            run.model.load_state_dict(self.weights)

    def state(self) -> dict:
        return {"score": self.score, "weights": self.weights}

    def load_state(self, saved: dict) -> None:
        self.score, self.weights = saved["score"], saved["weights"]


class AverageWeights(Callback):
    """Measure, and keep, the mean of the last ``count`` sets of weights, one every ``every`` steps.

    Vaswani et al. 2017, section 6.1, average the last five checkpoints of a training. Here, the
    mean takes the place of the weights at each validation, so that `BestWeights` chooses among
    means; the training itself goes on with the weights of its last step.

    Raises ValueError for numbers below 1.
    """

    def __init__(self, count: int = 5, every: int = 100):
        if count < 1 or every < 1:
            raise ValueError(f"count and every are at least 1, got {count} and {every}")
        self.count, self.every = count, every
        self.kept: list[dict[str, Any]] = []
        self.own: dict[str, Any] | None = None  # set aside during a validation

    def after_step(self, run: Run) -> None:
        if run.history.steps % self.every == 0:
            self.kept = [*self.kept, copy.deepcopy(run.model.state_dict())][-self.count :]
        if run.validates and self.kept:
            self.own = copy.deepcopy(run.model.state_dict())
            run.model.load_state_dict(
                {
                    name: torch.stack([weights[name] for weights in self.kept]).mean(dim=0)
                    if last.is_floating_point()
                    else last
                    for name, last in self.own.items()
                }
            )

    def after_validation(self, run: Run, row: dict) -> None:
        if self.own is not None:
            run.model.load_state_dict(self.own)
            self.own = None

    def state(self) -> dict:
        return {"kept": self.kept}

    def load_state(self, saved: dict) -> None:
        self.kept = saved["kept"]


class AverageWithStart(AverageWeights):
    """`AverageWeights`, mixed with the weights from before the training, whose part is ``share``.

    For a training that goes on from a checkpoint: between the old and the new weights there often
    are some that can do what both can. Raises ValueError for a share that is not between 0 and 1.
    """

    def __init__(self, count: int = 5, every: int = 100, share: float = 0.1):
        super().__init__(count, every)
        if not 0 <= share <= 1:
            raise ValueError(f"share is between 0 and 1, got {share}")
        self.share = share
        self.first: dict[str, Any] = {}  # the weights before the training

    def start(self, run: Run) -> None:
        self.first = copy.deepcopy(run.model.state_dict())

    def after_step(self, run: Run) -> None:
        super().after_step(run)
        if self.own is not None:
            run.model.load_state_dict(
                {
                    name: torch.lerp(mean, self.first[name], self.share)
                    if mean.is_floating_point()
                    else mean
                    for name, mean in run.model.state_dict().items()
                }
            )

    def state(self) -> dict:
        return super().state() | {"first": self.first}

    def load_state(self, saved: dict) -> None:
        super().load_state(saved)
        self.first = saved["first"]


class InverseSquareRoot(Callback):
    """The schedule of Vaswani et al. 2017, eq. 3: a linear rise, then a fall with 1 / √step.

    The rate reaches ``learning_rate`` after the share ``warm_up`` of all steps, and is
    learning_rate · √(rise / step) from there on. It never gets to zero, unlike `one_cycle`, so the
    last weights are noisy: average them. (The paper derives the peak from width and warm-up.)
    """

    def start(self, run: Run) -> None:
        rise = max(1, round(run.settings.steps * run.settings.warm_up))

        def factor(step: int) -> float:
            return min((step + 1) / rise, math.sqrt(rise / (step + 1)))

        run.schedule = torch.optim.lr_scheduler.LambdaLR(run.optimizer, factor)


class EarlyStop(Callback):
    """Stop after ``patience`` validations without an improvement; None never stops.

    It relies on the best step, so it comes after `BestWeights`.
    """

    def __init__(self, patience: int | None):
        self.patience = patience

    def after_validation(self, run: Run, row: dict) -> None:
        waited = sum(row["step"] > run.history.best_step for row in run.history.rows)
        run.history.stopped_early = self.patience is not None and waited >= self.patience


class ResumeFile(Callback):
    """Write everything the rest of the run depends on to ``file`` at each validation.

    A later call with the same settings resumes from the file and reaches the same weights as an
    uninterrupted run. ``belongs_to`` says which training it is, besides its settings: names with
    numbers and texts. Raises ValueError for a file of another training, or a damaged one.

    The file is removed when the training is complete, unless ``keep``: then the caller removes it
    once the weights are safe, and a call before that only finishes. This callback comes after those
    whose state it stores.
    """

    def __init__(self, file: Path | str, belongs_to: dict | None = None, keep: bool = False):
        self.file, self.belongs_to, self.keep = Path(file), belongs_to or {}, keep

    def start(self, run: Run) -> None:
        advice = "finish that training, or remove the file to start from the beginning"
        try:
            # The first process reads the file, which the others may not have.
            content = self.file.read_bytes() if is_first() and self.file.exists() else None
            if (content := from_first(content)) is None:
                return
            saved = torch.load(io.BytesIO(content), weights_only=True, map_location=run.device)
            found = {"settings": saved["settings"], **saved["belongs_to"]}
        except Exception as error:  # a damaged file can make torch fail in any way
            raise ValueError(
                f"{self.file} is damaged or does not belong to a training "
                f"({type(error).__name__}); remove the file to start from the beginning"
            ) from error
        own = {"settings": asdict(run.settings), **self.belongs_to}
        different = [name for name in own | found if own.get(name) != found.get(name)]
        if different:
            raise ValueError(
                f"{self.file} belongs to a training with other {', '.join(different)}; {advice}"
            )
        run.load_state(saved)

    def after_validation(self, run: Run, row: dict) -> None:
        if not is_first():
            return
        with replacing(self.file) as partial:
            torch.save(run.state() | {"belongs_to": self.belongs_to}, partial)

    def end(self, run: Run) -> None:
        if is_first() and not self.keep:
            self.file.unlink(missing_ok=True)


class Progress(Callback):
    """A progress bar with the training loss."""

    def start(self, run: Run) -> None:
        self.bar = progress_bar(run.settings.steps, "step", initial=run.history.steps, leave=False)

    def after_step(self, run: Run) -> None:
        self.bar.update()
        self.bar.set_postfix(loss=f"{run.recent_loss:.3f}", refresh=False)

    def close(self, run: Run) -> None:
        self.bar.close()


class TensorBoard(Callback):
    """Write the losses of all steps and the rows of all validations for TensorBoard.

    Look at them with ``tensorboard --logdir FOLDER``. Needs the package `tensorboard`.
    """

    def __init__(self, folder: Path | str):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "writing for TensorBoard needs the package tensorboard: pip install tensorboard"
            ) from error
        self.writer = SummaryWriter(str(folder))

    def after_step(self, run: Run) -> None:
        self.writer.add_scalar("train/loss", run.loss, run.history.steps)

    def after_validation(self, run: Run, row: dict) -> None:
        for name, value in row.items():
            if name != "step":
                self.writer.add_scalar(f"validation/{name}", value, row["step"])

    def close(self, run: Run) -> None:
        self.writer.close()
