"""Cases: the arguments that an answer is tried on, and the exception that a free check raises."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Case", "CheckFailed", "case"]

_UNKNOWN = object()  # the solution has to be asked what is expected


class CheckFailed(Exception):
    """Raised by a free check when the answer does not have the property that is checked.

    problem: what is wrong. input: the case that shows it, or a text that describes it; without it,
    the arguments of the last call are shown. expected, got: values to show. hint: what the mistake
    may be; without it, the mistakes of the exercise are tried. Problem and hint are literals, which
    are looked up in the learner's language when they are shown; a problem with values in it is
    ``_("…").format(…)``.
    """

    def __init__(
        self,
        problem: str,
        *,
        input: "Case | str | None" = None,
        expected: Any = None,
        got: Any = None,
        hint: str | None = None,
    ):
        super().__init__(problem)
        self.problem, self.input, self.hint = problem, input, hint
        self.expected, self.got = expected, got


@dataclass
class Case:
    """Arguments to try, the expected result, and a few words on what is special about them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    expected: Any
    label: str
    rtol: float
    atol: float
    hint: str = ""

    @property
    def has_known_result(self) -> bool:
        """Whether the expected result was given; if not, it is what the solution returns."""
        return self.expected is not _UNKNOWN


def case(
    *args: Any,
    expected: Any = _UNKNOWN,
    label: str = "",
    rtol: float = 1e-4,
    atol: float = 1e-5,
    hint: str = "",
    **kwargs: Any,
) -> Case:
    """One case: call the answer with these arguments and compare the result.

    expected: the right result, wherever you know it; without it, the result of the solution.
    label: what is special about the case, a literal that is looked up in the learner's language
    when it is shown. rtol, atol: tolerances for floats, as in `difference`. hint: a literal, what
    is probably wrong when this is the first case that fails and no mistake has the same results.
    """
    return Case(args, kwargs, expected, label, rtol, atol, hint)
