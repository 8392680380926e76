"""Benchmarks: how fast this machine runs the course, in one table.

Each row is a median over several runs. The two sides of a ratio are timed in turn, on one thread,
so compare rows within one table; tables made on different days are not comparable.
"""

import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.attention import (
    Attention,
    MultiHeadAttention,
    length_mask,
    make_score,
    to_key_padding_mask,
    to_sdpa_mask,
)
from course_utils.tasks import collect
from course_utils.timing import Row, table, timed_in_turn

__all__ = ["attention_rows", "bench"]

RUNS = 51  # of layers that take a few milliseconds


def attention_rows(B: int = 32, Tq: int = 24, Tk: int = 30, D: int = 256, H: int = 8) -> list[Row]:
    """Forward and backward pass of our layers beside PyTorch's, with the same shapes and mask."""
    generator = torch.Generator().manual_seed(0)

    def inputs(length: int) -> torch.Tensor:
        return torch.randn(B, length, D, generator=generator, requires_grad=True)

    query, keys, values = inputs(Tq), inputs(Tk), inputs(Tk)
    mask = length_mask(torch.randint(Tk // 2, Tk + 1, (B,), generator=generator), Tk)
    theirs = nn.MultiheadAttention(D, H, batch_first=True)
    ours = MultiHeadAttention.from_torch(theirs)

    # As in a training, the gradient is a tensor of its own; that of a sum repeats a single number.
    above = torch.randn(B, Tq, D, generator=generator)

    def backward(output: torch.Tensor) -> None:
        output.backward(above.view(output.shape))

    def sdpa() -> None:
        heads = (tensor[:, None] for tensor in (query, keys, values))
        backward(F.scaled_dot_product_attention(*heads, attn_mask=to_sdpa_mask(mask)))

    def single(name: str) -> Callable[[], None]:
        attention = Attention(make_score(name, D, D))
        return lambda: backward(attention(query, keys, values, attend_mask=mask)[0])

    def multi() -> None:
        backward(ours(query, keys, values, attend_mask=mask)[0])

    def multi_torch() -> None:
        padding = to_key_padding_mask(mask)
        backward(theirs(query, keys, values, key_padding_mask=padding)[0])

    names = ("dot", "scaled_dot", "general", "additive")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    *scores, builtin = timed_in_turn(*(single(name) for name in names), sdpa, runs=RUNS)
    mine, theirs_took = timed_in_turn(multi, multi_torch, runs=RUNS)
    torch.set_num_threads(threads)
    rows = [
        Row(
            f"attention, {name.replace('_', ' ')} score",
            f"{1000 * seconds:.2f} ms",
            f"{seconds / builtin:.2f} × F.scaled_dot_product_attention ({1000 * builtin:.2f} ms)",
        )
        for name, seconds in zip(names, scores, strict=True)
    ]
    rows.append(
        Row(
            f"multi-head attention, {H} heads",
            f"{1000 * mine:.2f} ms",
            f"{mine / theirs_took:.2f} × nn.MultiheadAttention ({1000 * theirs_took:.2f} ms)",
        )
    )
    return rows


def import_rows() -> list[Row]:
    """Seconds that a new Python process needs to import the package."""

    def imports(module: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    package, models, torch_alone = timed_in_turn(
        imports("course_utils"), imports("course_utils.models.seq2seq"), imports("torch"), runs=3
    )
    return [
        Row("import course_utils", f"{package:.2f} s", "new process, start of Python included"),
        Row(
            "import course_utils.models.seq2seq",
            f"{models:.2f} s",
            f"import torch alone: {torch_alone:.2f} s",
        ),
    ]


def bench() -> str:
    """The whole table: our layers, the `ROWS` of each task, and the imports."""
    rows = attention_rows()
    for _, functions in collect("benchmarks", "ROWS"):
        for function in functions:
            rows += function()
    return table(rows + import_rows())
