"""Cases: the arguments an answer is tried on, and the complaint about one that fails."""

from dataclasses import dataclass

__all__ = ["Case", "Wrong", "case"]

_SOLUTION = object()  # the expected value is what the solution returns


class Wrong(Exception):
    """Raised by a free check: what is wrong, for which input, and what the mistake may be."""

    def __init__(self, problem, *, input=None, expected=None, got=None, hint=None):
        super().__init__(problem)
        self.problem, self.input, self.hint = problem, input, hint
        self.expected, self.got = expected, got


@dataclass
class Case:
    """Arguments to try, what has to come back, and a few words on what is special about them."""

    args: tuple
    kwargs: dict
    expected: object
    label: str
    rtol: float
    atol: float

    @property
    def has_known_result(self):
        return self.expected is not _SOLUTION


def case(*args, expected=_SOLUTION, label="", rtol=1e-4, atol=1e-5, **kwargs):
    """One case. Without `expected` the solution's result is expected; give it where you know it."""
    return Case(args, kwargs, expected, label, rtol, atol)
