'''Exercises: `check("03.2", answer)` judges an answer, `solution("03.2")` prints a solution.

The exercises of a notebook are defined in its master, `nb01.py`, `nb02.py` and so on; masters are
found by looking into this folder. Statement, solution, cases and mistakes are all there. The cells
in the notebook are copies: `make exercises NB=01` writes them, and a test compares them.

How to write an exercise::

    import torch

    from course_utils.exercises.cases import CheckFailed, case
    from course_utils.exercises.comparing import difference
    from course_utils.exercises.judging import exercise

    @exercise(
        "01.1",                           # the notebook, and the place in it
        "The middle of a vector",
        """
        The task in Markdown, formulas allowed. It names the function: write `middle(x)`.

        **Predict first:** where does the middle go if 5 is added to every value?
        """,
        minutes=5,                        # for somebody who has just read the notebook
        kind="implement",                 # a key of `course_utils.exercises.judging.KINDS`
        prediction="it moves by 5 too",   # only if the statement says "Predict first"
    )
    def middle(x):                        # the decorated function is the solution
        """Mean of x (T,), a number."""   # the stub in the notebook shows this docstring
        return x.sum() / len(x)           # math, torch and F are there; import the rest here

    @middle.cases                         # the first case that fails is shown: simple ones first
    def _():
        yield case(torch.tensor([1.0, 3.0]), expected=2.0)            # a known result
        yield case(torch.tensor([5.0]), expected=5.0, label="one value")
        for length in (2, 3, 7):                                      # sizes that all differ
            yield case(torch.randn(length))     # expected: what the solution returns

    @middle.mistake("the number of values is len(x), not len(x) - 1")
    def one_too_few(x):                   # a plausible wrong answer, and the hint that corrects it
        return x.sum() / (len(x) - 1)

    @middle.check                         # optional: properties that cases cannot express
    def _(answer):
        x = torch.tensor([1.0, 2.0, 6.0])
        if difference(answer(x) + 5, answer(x + 5)):
            raise CheckFailed("the middle has to move with the values", input=case(x))

**Cases.** Random numbers in them are seeded. Arguments are copied before each call. Results are
compared by `course_utils.exercises.comparing.difference`: floats within the tolerances `rtol` and
`atol` of the case, everything else exactly. Missing results (None), wrong shapes and kinds of
numbers, NaNs, exceptions and modified arguments are reported without any further code.

A case that only one kind of mistake fails, such as very large scores, gets a ``hint`` of its own.
It is shown when all cases before it pass and no mistake below has the same results.

**Hidden cases.** For an assignment (`course_utils.exercises.assignment`), the cases are drawn with
another seed, which students do not know: that is enough where some cases are random. An exercise
whose cases are all fixed needs a generator of random ones, ``@middle.hidden``, written like
``@middle.cases``; without it, a table of the results that everyone sees would pass.

**Mistakes.** An exercise needs at least three; eight or more are better. An answer with the same
wrong results as a mistake gets its hint, so the cases have to tell the mistakes apart; the tests
report any two that they do not. Other programs with the same mistake follow it, under
``@middle.again``: they get the same hint.

**Free checks** run after all cases and raise `CheckFailed`. Use them for gradients, invariances and
the like. If the solution is a class, each of its methods becomes a stub; use free checks instead of
cases.

**Minutes and kind** stand in a line below the heading, and nowhere else in the statement. Points of
an assignment follow from the minutes. The kinds: *predict* (two to five minutes: the statement asks
for a number, worked out by hand, and then for the line of code that gives it), *derive*,
*implement*, *repair* (the statement has code with a fault), *measure*, and *extend* (half an hour:
what the notebook built learns to do more, and the result says what it is worth).

**Predictions.** Every statement with *Predict first* has an answer to it, ``prediction``, worked
out and tried with the solution. It is shown below ✔ when an answer passes, never before.

**Texts** are marked for translation by where they are: the title, statement and prediction of
`exercise(…)`, the hint of `.mistake(…)`, label and hint of `case(…)`, problem and hint of
`CheckFailed(…)`. Write each as a plain literal; it is looked up when it is shown, and
``tests/tools/messages.py`` finds it under these names. A text with values in it is
``localised("K = {K}", K=width)``, with `localised` from `course_utils.messages`.

`tests/test_exercises.py` tests every exercise: the solution passes, the stub is unsolved, each
mistake gets its own hint, and the notebook has the cells of the master.
'''

import importlib
import os
import pkgutil
from typing import Any

from course_utils.exercises.judging import REGISTRY, Exercise, Verdict
from course_utils.exercises.progress import record
from course_utils.messages import _

__all__ = ["Verdict", "check", "get", "numbers", "solution", "statement", "stub_source"]


def check(number: str, answer: Any, secret: int | None = None) -> Verdict:
    """Judge an answer and print ✔, ✘ with what is wrong and for which input, or ✎ for unsolved.

    Below ✔ stands the answer to what the statement asks to predict first.

    answer: the function (or class) that the learner wrote. It is called with copies of the
    arguments and seeded random numbers; afterwards all generators are in their old state. Nothing
    that the answer does raises an exception here, so a notebook with unsolved exercises runs.
    secret: a seed that the learner does not know, see `Exercise.judge`; assignments have one.
    Without it, what was solved or tried is kept, see `course_utils.exercises.progress`.

    Returns a `Verdict`, which is true if the answer is right. Raises ValueError if there is no
    exercise with this number.
    """
    verdict = get(number).judge(answer, secret)
    print(verdict.text)
    if secret is None:
        record(number, verdict.state)
    return verdict


def solution(number: str) -> None:
    """Print a solution: the very code that the tests run.

    Where the environment variable COURSE_SOLUTIONS is "off", as for a class that is graded, it
    says so instead. Raises ValueError if there is no exercise with this number, or if
    COURSE_SOLUTIONS is neither empty, "on" nor "off".
    """
    exercise = get(number)
    if _solutions_are_shown():
        print(exercise.solution_source)
    else:
        print(
            _(
                "Solutions are switched off here (COURSE_SOLUTIONS=off). "
                'check("{number}", {name}) says what is wrong with an answer; '
                "your teacher can show you the solution."
            ).format(number=number, name=exercise.name)
        )


def statement(number: str) -> str:
    """The task in Markdown with its heading, as in the notebook."""
    return get(number).statement


def stub_source(number: str) -> str:
    """The code that the learner starts from: signature, docstring, `raise NotImplementedError`."""
    return get(number).stub_source


def get(number: str) -> Exercise:
    """The exercise with this number, for example "03.2".

    Raises ValueError, with all numbers that exist, if there is none.
    """
    notebook = str(number).split(".")[0]
    if f"nb{notebook}" in _masters():
        importlib.import_module(f"{__name__}.nb{notebook}")
    if number not in REGISTRY:
        raise ValueError(f"there is no exercise {number!r}; there are {', '.join(numbers())}")
    return REGISTRY[number]


def numbers(notebook: str | None = None) -> list[str]:
    """The numbers of all exercises, or of those of one notebook ("03"), in order."""
    for name in _masters():
        if notebook is None or name == f"nb{notebook}":
            importlib.import_module(f"{__name__}.{name}")
    found = [n for n in REGISTRY if notebook is None or n.startswith(f"{notebook}.")]
    return sorted(found, key=lambda number: [int(part) for part in number.split(".")])


def _solutions_are_shown() -> bool:
    chosen = os.environ.get("COURSE_SOLUTIONS", "").strip().lower()
    if chosen not in ("", "on", "off"):
        raise ValueError(f"COURSE_SOLUTIONS is {chosen!r}; it has to be on or off")
    return chosen != "off"


def _masters() -> list[str]:
    """The names of the masters, found by looking into this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name.startswith("nb"))
