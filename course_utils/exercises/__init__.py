'''Exercises: `check("03.2", answer)` judges an answer, `solution("03.2")` prints ours.

One master module for each notebook, `nb01.py`, `nb02.py` …, holds statement, solution, cases and
mistakes of its exercises in one place; the notebook's cells are copies that a test compares.

How to write an exercise (see `nb03.py` for three of them)::

    from course_utils.exercises.framework import case, exercise

    @exercise(
        "01.1",
        "The middle of a vector",
        """
        Task in markdown, formulas allowed. It stands in the notebook under a heading.
        """,
    )
    def middle(x):                     # the decorated function IS the solution
        """Mean of x (T,), a number."""       # required; the stub shows it
        return x.sum() / len(x)        # imports stand inside, except math, torch and F

    @middle.cases
    def _():                           # simple cases first: the first that fails is shown
        yield case(torch.tensor([1.0, 3.0]), expected=torch.tensor(2.0))  # a known result
        yield case(torch.tensor([5.0]), expected=5.0, label="one value")
        for length in (2, 3, 7):       # every dimension another size
            yield case(torch.randn(length))   # the solution's result is expected; seeded by check

    @middle.mistake("the number of values is len(x), not len(x) - 1")
    def one_too_few(x):                # a plausible wrong answer, and the hint that mends it
        return x.sum() / (len(x) - 1)

    @middle.check                      # optional, after all cases: properties of any kind
    def _(answer):                     # (gradients, invariances)
        if …:
            raise Wrong("what is wrong", input=case(x), got=…, expected=…, hint="…")

At least three mistakes. An answer that gives the same wrong results as a mistake gets its hint, so
the cases have to tell the mistakes apart (the tests say when they do not).

The framework copies arguments, holds back what answers print, finds changed inputs, None, wrong
shapes, wrong kinds of numbers, NaNs and exceptions, and compares floats with tolerance (`rtol` and
`atol` of `case`). Inside a free check, `difference(expected, got)` is None when they are equal. An
answer may also be a class: then write the solution as a class (each method becomes a stub) and use
free checks in place of cases.

`python -m course_utils.exercises 01` prints the notebook's exercise cells in jupytext's percent
format, ready to be pasted. `tests/test_exercises.py` covers every registered exercise by itself.
'''

import importlib
import pkgutil

from course_utils.exercises.judging import REGISTRY, Verdict

__all__ = ["Verdict", "check", "numbers", "solution", "statement", "stub_source"]


def check(number, answer):
    """Judge an answer: prints ✔, what is wrong and for which input, or that it is not solved yet.

    answer: the function (or class) that the learner wrote. Never raises for what the answer does,
    so that a notebook with unsolved exercises runs through; leaves the random generators alone.
    Returns a Verdict, which is true when the answer is right and shows nothing in a notebook.
    """
    verdict = get(number).judge(answer)
    print(verdict.text)
    return verdict


def solution(number):
    """Print a solution: the very code that the tests run."""
    print(get(number).solution_source)


def statement(number):
    """The task in markdown, with its heading, as in the notebook's cell."""
    return get(number).statement


def stub_source(number):
    """The code that the learner starts from: signature, docstring, `raise NotImplementedError`."""
    return get(number).stub_source


def get(number):
    """The exercise with this number. Raises ValueError with the known ones when there is none."""
    notebook = str(number).split(".")[0]
    if f"nb{notebook}" in _masters():
        importlib.import_module(f"{__name__}.nb{notebook}")
    if number not in REGISTRY:
        raise ValueError(f"there is no exercise {number!r}; there are {', '.join(numbers())}")
    return REGISTRY[number]


def numbers(notebook=None):
    """Numbers of all exercises, or of one notebook ("03"), in order."""
    for name in _masters():
        if notebook is None or name == f"nb{notebook}":
            importlib.import_module(f"{__name__}.{name}")
    return sorted(n for n in REGISTRY if notebook is None or n.startswith(f"{notebook}."))


def _masters():
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name.startswith("nb"))
