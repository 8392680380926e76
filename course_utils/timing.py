"""Timing: functions timed in turn, and a table of the measurements."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Row", "table", "timed_in_turn"]


@dataclass(frozen=True)
class Row:
    """A measurement: what was measured, its value with the unit, and what it is compared with."""

    what: str
    value: str
    beside: str = ""


def timed_in_turn(*functions: Callable[[], object], runs: int = 7) -> list[float]:
    """Median duration of each function, in seconds, over `runs` rounds after one warm-up round.

    The functions take turns, so that drift of the machine affects all of them equally.
    """
    seconds: list[list[float]] = [[] for _ in functions]
    for run in range(runs + 1):  # round 0 is the warm-up
        for function, taken in zip(functions, seconds, strict=True):
            started = time.perf_counter()
            function()
            if run:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def table(rows: list[Row]) -> str:
    """The rows as text with aligned columns. Raises ValueError when there are no rows."""
    widths = [max(len(row.what) for row in rows), max(len(row.value) for row in rows)]
    return "\n".join(
        f"{row.what:{widths[0]}}   {row.value:>{widths[1]}}   {row.beside}".rstrip() for row in rows
    )
