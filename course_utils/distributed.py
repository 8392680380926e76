"""Several processes train one model (data parallelism). A single process needs nothing of this.

All processes hold the same weights and make the same batches; each computes the loss of its own
rows, and the gradients are added up (Li et al. 2020, section 3.1, describe PyTorch's own form of
it). ``torchrun`` starts the processes and says in the environment how many there are:

    torchrun --nproc-per-node 2 -m course_utils train translation-multi30k
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = [
    "add_gradients",
    "add_up",
    "from_first",
    "is_first",
    "joined_processes",
    "process_count",
    "process_number",
    "same_start",
]


def process_count() -> int:
    """How many processes train together: 1, unless `joined_processes` has joined them."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_number() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if process_count() > 1 else 0


def is_first() -> bool:
    """Whether this process is the one that validates, reports and writes files."""
    return process_number() == 0


@contextmanager
def joined_processes() -> Iterator[None]:
    """Join the processes that ``torchrun`` has started: by NCCL on GPUs, by gloo elsewhere.

    Without torchrun, or with a single process, nothing happens.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or process_count() > 1:
        yield
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def add_up(value: Tensor) -> Tensor:
    """The sum of ``value`` over all processes."""
    if process_count() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total


def add_gradients(model: nn.Module) -> None:
    """Replace each gradient by its sum over all processes.

    All gradients travel as one vector, so that there is one exchange a step. A weight that has no
    gradient in any process is left without one, so that the optimiser passes over it.
    """
    if process_count() == 1:
        return
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    used = torch.stack([w.new_tensor(0.0 if w.grad is None else 1.0) for w in trained])
    parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in trained]
    total = add_up(torch.cat([used, *(part.flatten() for part in parts)]))
    used, *sums = total.split([len(trained), *(weight.numel() for weight in trained)])
    for weight, found, gradient in zip(trained, used.tolist(), sums, strict=True):
        weight.grad = gradient.view_as(weight) if found else None


def from_first(value: Any) -> Any:
    """What the first process has as ``value``, in all of them. It must be picklable."""
    if process_count() == 1:
        return value
    held = [value]
    dist.broadcast_object_list(held, src=0)
    return held[0]


def same_start(model: nn.Module) -> None:
    """Give every process the weights and buffers of the first."""
    if process_count() > 1:
        for value in model.state_dict().values():
            dist.broadcast(value, src=0)
