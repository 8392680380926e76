"""How an exercise is defined, and how an answer to it is judged.

An `Exercise` holds everything about one exercise: the statement, the solution (the decorated
function itself, so the solution that is shown is the one that is tested), the cases to try, and
common mistakes. A mistake is a wrong answer together with a hint. When an answer fails, the
mistakes are run on the same cases, and the one with the same results provides the hint. The
docstring of the package shows how to write an exercise.
"""

import contextlib
import copy
import inspect
import io
import random
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from course_utils.exercises.cases import Case, CheckFailed, case
from course_utils.exercises.comparing import difference, is_tensor, with_article
from course_utils.exercises.showing import dedented, describe, one_line, source_of, stub_of
from course_utils.messages import _, localised, marked

__all__ = ["KINDS", "REGISTRY", "Exercise", "Mistake", "Unsolved", "Verdict", "exercise"]

REGISTRY: dict[str, "Exercise"] = {}
KINDS = {  # what an exercise asks for, as the line below its heading says it
    "predict": marked("Predict"),  # a number or a formula, before any code
    "derive": marked("Derive"),  # on paper first, then in code
    "implement": marked("Implement"),
    "repair": marked("Repair"),  # the statement has code with a fault
    "measure": marked("Measure"),  # a number that says something about a model
    "extend": marked("Extend"),  # a project: what the notebook built learns to do more
}


class Unsolved(Exception):
    """The answer still raises NotImplementedError."""


@dataclass
class Verdict:
    """What `check` found; true if the answer is right. Displays nothing at the end of a cell.

    state: "solved", "unsolved" or "wrong". text and hint are in the learner's language.
    """

    number: str
    state: str
    text: str
    hint: str | None = None

    def __bool__(self) -> bool:
        return self.state == "solved"

    def _ipython_display_(self) -> None:
        pass


@dataclass
class Mistake:
    """A plausible wrong answer and the hint that corrects it."""

    answer: Callable[..., Any]
    hint: str
    name: str
    repeats: bool = False  # another way to make the mistake before it


@dataclass
class Exercise:
    """One exercise; made by the decorator `exercise`. Calling it calls the solution.

    title, body and prediction are English literals; the properties and verdicts are in the
    learner's language. minutes: for somebody who has just read the notebook. kind: a key of
    `KINDS`. prediction: what the statement asks to predict, shown when the answer is right.
    """

    number: str
    title: str
    body: str
    solution: Callable[..., Any]
    minutes: int = 10
    kind: str = "implement"
    prediction: str = ""
    makers: list[Callable[[], Iterator[Case]]] = field(default_factory=list)
    free_checks: list[Callable[[Any], None]] = field(default_factory=list)
    hidden_makers: list[Callable[[], Iterator[Case]]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.solution(*args, **kwargs)

    @property
    def name(self) -> str:
        """The name of the function or class to write."""
        return self.solution.__name__

    @property
    def statement(self) -> str:
        """The Markdown of the cell above the stub: a heading, kind and minutes, and the task."""
        heading = _("Exercise {number}: {title}").format(
            number=self.number, title=localised(self.title)
        )
        return f"### {heading}\n\n*{self.effort}*\n\n{localised(self.body)}"

    @property
    def effort(self) -> str:
        """Kind and minutes, as the line below the heading says them."""
        return _("{kind} · about {minutes} minutes").format(
            kind=localised(KINDS[self.kind]), minutes=self.minutes
        )

    @property
    def solution_source(self) -> str:
        """The code of the solution."""
        return source_of(self.solution)

    @property
    def stub_source(self) -> str:
        """Signature and docstring of the solution, then `raise NotImplementedError`."""
        return stub_of(self.solution_source)

    @property
    def cell_source(self) -> str:
        """The code cell of the notebook: the stub, and the calls of `check` and `solution`."""
        return (
            f'{self.stub_source}\n\n\ncheck("{self.number}", {self.name})\n'
            f'# solution("{self.number}")  # take away the first # to see one'
        )

    # -- decorators for the master ---------------------------------------------------------------

    def cases(self, maker: Callable[[], Iterator[Case]]) -> Callable[[], Iterator[Case]]:
        """Register a generator of `case(…)`; its random numbers are seeded."""
        self.makers.append(maker)
        return maker

    def hidden(self, maker: Callable[[], Iterator[Case]]) -> Callable[[], Iterator[Case]]:
        """Register a generator of further cases, which only `judge` with a secret seed draws."""
        self.hidden_makers.append(maker)
        return maker

    def check(self, function: Callable[[Any], None]) -> Callable[[Any], None]:
        """Register a free check: a function of the answer that raises `CheckFailed`.

        It checks what cases cannot, for example gradients and invariances.
        """
        self.free_checks.append(function)
        return function

    def mistake(self, hint: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a plausible wrong answer with the hint that names the mistake.

        hint: a literal, which is looked up in the learner's language when it is shown.
        """

        def register(answer: Callable[..., Any]) -> Callable[..., Any]:
            self.mistakes.append(Mistake(answer, one_line(hint), answer.__name__))
            return answer

        return register

    def again(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """Register another way to make the last mistake: it gets the same hint."""
        hint = self.mistakes[-1].hint
        self.mistakes.append(Mistake(answer, hint, answer.__name__, repeats=True))
        return answer

    # -- judging ---------------------------------------------------------------------------------

    def judge(self, answer: Any, secret: int | None = None) -> Verdict:
        """Try the answer on all cases and checks; never raises because of what the answer does.

        secret: a seed that the learner does not know. With it, all random numbers in the cases and
        checks are others, and the hidden cases are tried, too.
        """
        if isinstance(answer, Exercise):
            answer = answer.solution
        if not callable(answer):
            text = _("{value} is not a function").format(value=with_article(answer))
            hint = _('pass the function itself, without brackets: check("{number}", {name})')
            return self._wrong(text, [], hint.format(number=self.number, name=self.name))
        with _preserved_randomness(secret or 0):
            cases = self._all_cases(hidden=secret is not None)
            trials = [_try(answer, one) for one in cases]
            for index, (one, trial) in enumerate(zip(cases, trials, strict=True)):
                if trial.kind == "unsolved":
                    return self._unsolved(one if index else None)
                problem = _problem(one, trial)
                if problem is not None:
                    return self._wrong_case(cases, trials, index, problem)
            found = self._run_free_checks(answer)
            if isinstance(found, Unsolved):
                return self._unsolved(None)
            if found is not None:
                return self._wrong_check(found)
        return self._solved()

    def known_cases(self) -> int:
        """Number of cases with an expected result of their own, not taken from the solution."""
        with _preserved_randomness():
            return sum(one.has_known_result for maker in self.makers for one in maker())

    def _all_cases(self, hidden: bool) -> list[Case]:
        makers = self.makers + (self.hidden_makers if hidden else [])
        cases = [one for maker in makers for one in maker()]
        for one in cases:
            if not one.has_known_result:
                one.expected = self.solution(*_copied(one.args), **_copied(one.kwargs))
        return cases

    def _run_free_checks(self, answer: Callable[..., Any]) -> CheckFailed | Unsolved | None:
        """The first failure, or None if all checks pass."""
        recorded = _Recorded(answer)
        for function in self.free_checks:
            _seed()
            try:
                function(recorded)
            except Unsolved as unsolved:
                return unsolved
            except CheckFailed as failure:
                if failure.input is None:
                    failure.input = recorded.last
                return failure
            except NotImplementedError as error:
                if not error.args:
                    return Unsolved()
                return CheckFailed(_error_text(error, answer), input=recorded.last)
            except Exception as error:  # in the answer, or in the check because of its result
                return CheckFailed(_error_text(error, answer), input=recorded.last)
        return None

    def _solved(self) -> Verdict:
        lines = [f"✔ {self.number} {localised(self.title)}"]
        if self.prediction:
            answer = localised(self.prediction)
            lines.append("   " + _("Your prediction: {answer}").format(answer=answer))
        return Verdict(self.number, "solved", "\n".join(lines))

    def _unsolved(self, one: Case | None) -> Verdict:
        if one is None:
            text = _("✎ {number} is not solved yet").format(number=self.number)
        else:
            text = _(
                "✎ {number} is not solved yet: NotImplementedError is still raised for {input}"
            ).format(number=self.number, input=self._call(one))
        return Verdict(self.number, "unsolved", text)

    def _wrong_case(
        self, cases: list[Case], trials: list["_Trial"], index: int, problem: str
    ) -> Verdict:
        one, trial = cases[index], trials[index]
        no_return = trial.kind == "value" and trial.value is None
        hint = None if no_return else self._diagnosis(cases, trials, index)
        if no_return:
            hint = _("is the `return` missing at the end?")
        elif hint is None and trial.changed:
            hint = _("work on a copy (`x.clone()`, `list(x)`): the caller still needs the input")
        rows = [(_("input:"), self._call(one)), (_("expected:"), describe(one.expected))]
        if trial.kind == "value":
            rows.append((_("yours:"), describe(trial.value)))
        if trial.printed:
            rows.append((_("printed:"), textwrap.shorten(trial.printed, 300)))
        return self._wrong(problem, rows, hint)

    def _wrong_check(self, failure: CheckFailed) -> Verdict:
        hint, mistakes = failure.hint, iter(self.mistakes)
        while hint is None and (mistake := next(mistakes, None)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self._run_free_checks(mistake.answer)
            if isinstance(found, CheckFailed) and found.problem == failure.problem:
                hint = mistake.hint
        rows = []
        if isinstance(failure.input, Case):
            rows.append((_("input:"), self._call(failure.input)))
        elif failure.input is not None:
            rows.append((_("input:"), failure.input))
        if failure.expected is not None:
            rows.append((_("expected:"), describe(failure.expected)))
        if failure.got is not None:
            rows.append((_("yours:"), describe(failure.got)))
        return self._wrong(localised(failure.problem), rows, hint and localised(hint))

    def _diagnosis(self, cases: list[Case], trials: list["_Trial"], index: int) -> str | None:
        """The hint of the mistake that has the same result in every case.

        If there is none: the hint of the first case that fails; without one, a cautious hint, from
        the mistake with the most wrong results in common, if these are more than half.
        """
        wrong = [i for i in range(index, len(cases)) if _problem(cases[i], trials[i]) is not None]
        best, most = "", len(wrong) / 2
        for mistake in self.mistakes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = [_try(mistake.answer, one) for one in cases]
            if all(map(_same, theirs, trials)):
                return localised(mistake.hint)
            common = sum(_same(theirs[i], trials[i]) for i in wrong)
            if common > most:
                best, most = mistake.hint, common
        if hint := cases[index].hint:
            return localised(hint)
        return _("perhaps this: {hint}").format(hint=localised(best)) if best else None

    def _wrong(self, problem: str, rows: list[tuple[str, str]], hint: str | None) -> Verdict:
        rows = [(_("problem:"), problem), *rows, *([(_("hint:"), hint)] if hint else [])]
        lines = [f"✘ {self.number} {localised(self.title)}", *(_row(*row) for row in rows)]
        return Verdict(self.number, "wrong", "\n".join(lines), hint)

    def _call(self, one: Case) -> str:
        """The arguments by name, as in a call, with the label of the case."""
        try:
            bound = inspect.signature(self.solution).bind(*one.args, **one.kwargs).arguments
        except TypeError:
            bound = {_argument(i): value for i, value in enumerate(one.args, 1)} | one.kwargs
        shown = [f"{name} = {describe(value)}" for name, value in bound.items()]
        wide = sum(map(len, shown)) > 80 or any("\n" in text for text in shown)
        text = (",\n" + _row("", "") if wide else ", ").join(shown)
        return f"{text}   ({localised(one.label)})" if one.label else text


def exercise(
    number: str,
    title: str,
    statement: str,
    *,
    minutes: int = 10,
    kind: str = "implement",
    prediction: str = "",
) -> Callable[[Callable[..., Any]], Exercise]:
    """Make an exercise of the decorated function or class, which is the solution.

    number: notebook and place, for example "03.2". title, statement: literals, the statement in
    Markdown; they are looked up in the learner's language when they are shown. The stub in the
    notebook has the docstring of the solution. minutes: what somebody needs who has just read the
    notebook. kind: a key of `KINDS`. prediction: a literal, the answer to the *Predict first* of
    the statement; a check that passes shows it.

    Raises ValueError if the solution has no docstring, if another module has this number, if there
    is no such kind, or if the minutes are not from 2 to 60.
    """
    if kind not in KINDS:
        raise ValueError(f"exercise {number}: kind {kind!r} is not one of {', '.join(KINDS)}")
    if not 2 <= minutes <= 60:
        raise ValueError(f"exercise {number}: {minutes} minutes are not from 2 to 60")

    def make(solution: Callable[..., Any]) -> Exercise:
        if not inspect.getdoc(solution):
            raise ValueError(
                f"exercise {number}: the solution needs a docstring, because the stub shows it"
            )
        module = getattr(REGISTRY.get(number), "solution", solution).__module__
        if module != solution.__module__:
            raise ValueError(f"exercise {number} exists in {module} and {solution.__module__}")
        text = one_line(prediction)
        made = Exercise(number, title, dedented(statement), solution, minutes, kind, text)
        REGISTRY[number] = made
        return made

    return make


# -- trials ----------------------------------------------------------------------------------------


@dataclass
class _Trial:
    kind: str  # "value", "error" or "unsolved"
    value: Any = None
    error: str = ""
    error_type: type | None = None
    printed: str = ""
    changed: str = ""  # the argument that the answer has changed, in words


def _try(answer: Callable[..., Any], one: Case) -> _Trial:
    """Run an answer on a copy of the arguments; what it prints is stored, not shown."""
    args, kwargs = _copied(one.args), _copied(one.kwargs)
    printed = io.StringIO()
    _seed()
    try:
        with contextlib.redirect_stdout(printed), _gradients():
            value = answer(*args, **kwargs)
            if inspect.isgenerator(value):
                value = list(value)
    except Exception as error:
        unsolved = isinstance(error, NotImplementedError) and not error.args
        return _Trial(
            "unsolved" if unsolved else "error",
            error=_error_text(error, answer),
            error_type=type(error),
            printed=printed.getvalue(),
        )
    changed = ""
    before, after = [*one.args, *one.kwargs.values()], [*args, *kwargs.values()]
    for place, (old, new) in enumerate(zip(before, after, strict=True), start=1):
        if isinstance(old, list | dict | set) or is_tensor(old):
            if difference(old, new, 0, 0) is not None:
                changed = _argument(place)
                break
    return _Trial("value", value=value, printed=printed.getvalue(), changed=changed)


def _problem(one: Case, trial: _Trial) -> str | None:
    """What is wrong with this trial, in words; None if nothing is."""
    if trial.kind == "error":
        return trial.error
    problem = difference(one.expected, trial.value, one.rtol, one.atol)
    if problem is None and trial.changed:
        return _("the result is right, but {argument} was modified in place").format(
            argument=trial.changed
        )
    return problem


def _same(a: _Trial, b: _Trial) -> bool:
    """Whether two trials had the same outcome."""
    if a.kind != b.kind or bool(a.changed) != bool(b.changed):
        return False
    if a.kind == "error":
        return a.error_type is b.error_type
    if a.value is None or b.value is None:
        return a.value is b.value
    return difference(a.value, b.value) is None


class _Recorded:
    """The answer as a free check sees it; it remembers the last input for the verdict."""

    def __init__(self, answer: Callable[..., Any]):
        self.answer = answer
        self.last: Case | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.last = case(*_copied(args), **_copied(kwargs))
        _seed()
        with contextlib.redirect_stdout(io.StringIO()), _gradients():
            return self.answer(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:  # of a class, for example its `apply`
        return getattr(self.answer, name)


# -- words -----------------------------------------------------------------------------------------


def _row(name: str, text: str) -> str:
    """A line of a verdict. The texts of all lines start in the same column."""
    names = (
        _("problem:"),
        _("input:"),
        _("expected:"),
        _("yours:"),
        _("printed:"),
        _("hint:"),
        _("in line:"),
    )
    return f"   {name:<{max(map(len, names))}} {text}"


def _argument(place: int) -> str:
    return _("argument {place}").format(place=place)


def _error_text(error: Exception, answer: Any) -> str:
    """The exception, and the line of the answer in which it was raised."""
    name, message = type(error).__name__, str(error).strip()
    if message:
        text = _("raises {error}: {message}").format(
            error=name, message=textwrap.shorten(message, 300)
        )
    else:
        text = _("raises {error}").format(error=name)
    code = getattr(inspect.unwrap(answer), "__code__", None) if callable(answer) else None
    if code is not None:
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if frame.filename == code.co_filename]
        if inside and inside[-1].line:
            text += "\n" + _row(_("in line:"), inside[-1].line)
    return text


# -- a controlled environment ----------------------------------------------------------------------


def _copied(value: Any) -> Any:
    if hasattr(value, "detach"):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return copy.deepcopy(value) if not callable(value) or hasattr(value, "parameters") else value


def _gradients() -> contextlib.AbstractContextManager[Any]:
    torch = sys.modules.get("torch")
    return torch.enable_grad() if torch else contextlib.nullcontext()


_SEED: ContextVar[int] = ContextVar("seed", default=0)


def _seed() -> None:
    seed = _SEED.get()
    random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(seed)  # of the CPU only
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)


@contextlib.contextmanager
def _preserved_randomness(seed: int = 0) -> Iterator[None]:
    """Seeded random numbers inside; afterwards all generators are in the state they had before."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    before = random.getstate(), numpy and numpy.random.get_state(), torch and torch.get_rng_state()
    token = _SEED.set(seed)
    _seed()
    try:
        yield
    finally:
        _SEED.reset(token)
        random.setstate(before[0])
        if numpy:
            numpy.random.set_state(before[1])
        if torch:
            torch.set_rng_state(before[2])
