"""Timing: functions timed in turn, and a table of what was measured."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Row", "table", "timed_in_turn"]


@dataclass(frozen=True)
class Row:
    """What was measured, its value, and what it is compared with."""

    what: str
    value: str
    beside: str = ""


def timed_in_turn(*functions: Callable[[], object], runs: int = 7) -> list[float]:
    """Median seconds of each function; they take turns, so that drift hits all alike."""
    seconds: list[list[float]] = [[] for _ in functions]
    for run in range(runs + 1):  # the first round warms up
        for function, taken in zip(functions, seconds, strict=True):
            started = time.perf_counter()
            function()
            if run:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def table(rows: list[Row]) -> str:
    """The rows as text, columns aligned."""
    widths = [max(len(row.what) for row in rows), max(len(row.value) for row in rows)]
    return "\n".join(
        f"{row.what:{widths[0]}}   {row.value:>{widths[1]}}   {row.beside}".rstrip() for row in rows
    )
