"""How an exercise is written down, and how an answer to it is judged.

An `Exercise` holds everything about one exercise: the statement, the solution (the decorated
function itself, so that the solution shown is the solution tested), the cases to try, and the
mistakes that people make. A mistake is a wrong answer together with the hint that mends it: when an
answer fails, the mistakes are run on the same cases, and the one with equal results gives the hint.
The package's docstring shows how to write one.
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
from dataclasses import dataclass, field

from course_utils.exercises.cases import _SOLUTION, Wrong, case
from course_utils.exercises.comparing import _a, _is_tensor, difference
from course_utils.exercises.showing import _clean, _shown, _source, _stub

__all__ = ["Exercise", "Verdict", "exercise"]

REGISTRY = {}


class Unsolved(Exception):
    """The answer still raises NotImplementedError."""


@dataclass
class Verdict:
    """What `check` found; true when the answer is right. Shows nothing at the end of a cell."""

    number: str
    state: str  # "solved", "unsolved" or "wrong"
    text: str
    hint: str | None = None

    def __bool__(self):
        return self.state == "solved"

    def _ipython_display_(self):
        pass


@dataclass
class Mistake:
    answer: object
    hint: str
    name: str


@dataclass
class Exercise:
    """One exercise; made by the decorator `exercise`. Calling it calls the solution."""

    number: str
    title: str
    body: str
    solution: object
    makers: list = field(default_factory=list)  # functions that yield cases
    free_checks: list = field(default_factory=list)
    mistakes: list = field(default_factory=list)

    def __call__(self, *args, **kwargs):
        return self.solution(*args, **kwargs)

    @property
    def name(self):
        return self.solution.__name__

    @property
    def statement(self):
        """The markdown of the cell above the stub."""
        return f"### Exercise {self.number}: {self.title}\n\n{self.body}"

    @property
    def solution_source(self):
        return _source(self.solution)

    @property
    def stub_source(self):
        """Signature and docstring of the solution, then `raise NotImplementedError`."""
        return _stub(self.solution_source)

    @property
    def cell_source(self):
        """The whole code cell as it stands in the notebook."""
        return (
            f'{self.stub_source}\n\n\ncheck("{self.number}", {self.name})\n'
            f'# solution("{self.number}")  # take away the first # to see one'
        )

    # -- decorators for the master ---------------------------------------------------------------

    def cases(self, maker):
        """Register a function that yields `case(…)`; random numbers in it are seeded by `check`."""
        self.makers.append(maker)
        return maker

    def check(self, function):
        """Register a free check: `function(answer)` raises `Wrong` when a property is violated."""
        self.free_checks.append(function)
        return function

    def mistake(self, hint):
        """Register a plausible wrong answer with the hint that names the mistake."""

        def register(answer):
            self.mistakes.append(Mistake(answer, _clean(hint, joined=True), answer.__name__))
            return answer

        return register

    # -- judging ---------------------------------------------------------------------------------

    def judge(self, answer):
        """Try the answer on all cases and checks; never raises for what the answer does."""
        if isinstance(answer, Exercise):
            answer = answer.solution
        if not callable(answer):
            problem = f"{_a(answer)} is not a function"
            hint = (
                f'give the function itself, without brackets: check("{self.number}", {self.name})'
            )
            return self._wrong([problem], hint)
        with _own_randomness():
            cases = self._all_cases()
            trials = [_try(answer, one) for one in cases]
            for index, (one, trial) in enumerate(zip(cases, trials, strict=True)):
                if trial.kind == "unsolved":
                    return self._unsolved(one if index else None)
                problem = _problem(one, trial)
                if problem is not None:
                    return self._report_case(answer, cases, trials, index, problem)
            found = self._free(answer)
            if isinstance(found, Unsolved):
                return self._unsolved(None)
            if found is not None:
                return self._report_free(found)
        return Verdict(self.number, "solved", f"✔ {self.number} {self.title}")

    def _all_cases(self):
        cases = [one for maker in self.makers for one in maker()]
        for one in cases:
            if one.expected is _SOLUTION:
                one.expected = self.solution(*_copied(one.args), **_copied(one.kwargs))
        return cases

    def known_cases(self):
        """Number of cases whose result was written down instead of taken from the solution."""
        with _own_randomness():
            return sum(one.has_known_result for maker in self.makers for one in maker())

    def _free(self, answer):
        """None, or the first complaint of the free checks (a Wrong, an Unsolved)."""
        guarded = _Guarded(answer)
        for function in self.free_checks:
            _seed()
            try:
                function(guarded)
            except Unsolved as unsolved:
                return unsolved
            except Wrong as wrong:
                if wrong.input is None:
                    wrong.input = guarded.last
                return wrong
            except NotImplementedError as error:
                if not error.args:
                    return Unsolved()
                return Wrong(_error_text(error, answer), input=guarded.last)
            except Exception as error:  # the answer's result made the check stumble
                return Wrong(_error_text(error, answer), input=guarded.last)
        return None

    def _unsolved(self, one):
        text = f"✎ {self.number} is not solved yet"
        if one is not None:
            text += f": NotImplementedError is still raised for {self._input(one)}"
        return Verdict(self.number, "unsolved", text)

    def _report_case(self, answer, cases, trials, index, problem):
        one, trial = cases[index], trials[index]
        hint = None
        if trial.kind == "value" and trial.value is None:
            hint = "is the `return` missing at the end?"
        else:
            hint = self._diagnosis(cases, trials, index)
        if hint is None and trial.changed:
            hint = "work on a copy (`x.clone()`, `list(x)`): the caller still needs the input"
        lines = [problem, ("input", self._input(one)), ("expected", _shown(one.expected))]
        if trial.kind == "value":
            lines.append(("yours", _shown(trial.value)))
        if trial.printed:
            lines.append(("printed", textwrap.shorten(trial.printed, 300)))
        return self._wrong(lines, hint)

    def _report_free(self, wrong):
        hint = wrong.hint
        for mistake in self.mistakes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self._free(mistake.answer)
            if isinstance(found, Wrong) and found.problem == wrong.problem:
                hint = hint or mistake.hint
                break
        lines = [wrong.problem]
        if wrong.input is not None:
            shown = wrong.input if isinstance(wrong.input, str) else self._input(wrong.input)
            lines.append(("input", shown))
        lines += [("expected", _shown(wrong.expected))] if wrong.expected is not None else []
        lines += [("yours", _shown(wrong.got))] if wrong.got is not None else []
        return self._wrong(lines, hint)

    def _diagnosis(self, cases, trials, index):
        """The hint of the mistake that gives the same results on all cases, or else of the one that
        explains most of the wrong results; nothing when that is less than half of them."""
        wrong = [i for i in range(index, len(cases)) if _problem(cases[i], trials[i]) is not None]
        best, explained = None, len(wrong) / 2
        for mistake in self.mistakes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = [_try(mistake.answer, one) for one in cases]
            if all(map(_same, theirs, trials)):
                return mistake.hint
            alike = sum(_same(theirs[i], trials[i]) for i in wrong)
            if alike > explained:
                best, explained = mistake, alike
        return best and f"perhaps this: {best.hint}"

    def _wrong(self, lines, hint):
        rows = [("problem", lines[0]), *lines[1:], *([("hint", hint)] if hint else [])]
        text = [f"✘ {self.number} {self.title}"]
        text += [f"   {name + ':':<9} {value}" for name, value in rows]
        return Verdict(self.number, "wrong", "\n".join(text), hint)

    def _input(self, one):
        """The arguments by name, as in a call."""
        try:
            bound = inspect.signature(self.solution).bind(*one.args, **one.kwargs).arguments
        except TypeError:
            bound = {f"argument {i + 1}": value for i, value in enumerate(one.args)} | one.kwargs
        shown = [f"{name} = {_shown(value)}" for name, value in bound.items()]
        wide = sum(map(len, shown)) > 80 or any("\n" in text for text in shown)
        text = (",\n" + 13 * " " if wide else ", ").join(shown)
        return f"{text}   ({one.label})" if one.label else text


def exercise(number, title, statement):
    """Make an exercise of the decorated function, which is the solution.

    number: notebook and place, "03.2". statement: the task in markdown; the notebook's cell holds
    `Exercise.statement`, a heading above this text. The docstring becomes the stub's.
    """

    def make(solution):
        if not inspect.getdoc(solution):
            raise ValueError(
                f"exercise {number}: the solution needs a docstring, the stub shows it"
            )
        module = getattr(REGISTRY.get(number), "solution", solution).__module__
        if module != solution.__module__:
            raise ValueError(f"exercise {number} exists in {module} and {solution.__module__}")
        made = Exercise(number, title, _clean(statement), solution)
        REGISTRY[number] = made
        return made

    return make


@dataclass
class _Trial:
    kind: str  # "value", "error" or "unsolved"
    value: object = None
    error: str = ""
    error_type: type | None = None
    printed: str = ""
    changed: str = ""  # name of an argument that the answer has changed


def _try(answer, one):
    """Run an answer on a copy of the arguments; what it prints is kept, not shown."""
    args, kwargs = _copied(one.args), _copied(one.kwargs)
    printed = io.StringIO()
    _seed()
    try:
        with contextlib.redirect_stdout(printed), _gradients():
            value = answer(*args, **kwargs)
            if inspect.isgenerator(value):
                value = list(value)
    except Exception as error:
        kind = "error"
        if isinstance(error, NotImplementedError) and not error.args:
            kind = "unsolved"
        text = _error_text(error, answer)
        return _Trial(kind, error=text, error_type=type(error), printed=printed.getvalue())
    changed = ""
    before = list(one.args) + list(one.kwargs.values())
    for place, (old, new) in enumerate(
        zip(before, list(args) + list(kwargs.values()), strict=True), start=1
    ):
        if isinstance(old, list | dict | set) or _is_tensor(old):
            if difference(old, new, 0, 0) is not None:
                changed = f"argument {place}"
                break
    return _Trial("value", value=value, printed=printed.getvalue(), changed=changed)


def _problem(one, trial):
    """What is wrong with this trial, in words; None when nothing is."""
    if trial.kind == "error":
        return trial.error
    problem = difference(one.expected, trial.value, one.rtol, one.atol)
    if problem is None and trial.changed:
        return f"the result is right, but {trial.changed} was changed on the way"
    return problem


def _same(a, b):
    """Two trials went the same way."""
    if a.kind != b.kind or bool(a.changed) != bool(b.changed):
        return False
    if a.kind == "error":
        return a.error_type is b.error_type
    if a.value is None or b.value is None:
        return a.value is b.value
    return difference(a.value, b.value) is None


class _Guarded:
    """The answer as a free check sees it: remembers the last input for the message."""

    def __init__(self, answer):
        self.answer, self.last = answer, None

    def __call__(self, *args, **kwargs):
        self.last = case(*_copied(args), **_copied(kwargs))
        _seed()
        with contextlib.redirect_stdout(io.StringIO()), _gradients():
            return self.answer(*args, **kwargs)

    def __getattr__(self, name):  # of a class, for example its `apply`
        return getattr(self.answer, name)


def _error_text(error, answer):
    text = f"raises {type(error).__name__}"
    message = str(error).strip()
    if message:
        text += f": {textwrap.shorten(message, 300)}"
    code = getattr(inspect.unwrap(answer), "__code__", None) if callable(answer) else None
    if code is not None:
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if frame.filename == code.co_filename]
        if inside and inside[-1].line:
            text += f"\n   {'in line:':<9} {inside[-1].line}"
    return text


def _copied(value):
    if hasattr(value, "detach"):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return copy.deepcopy(value) if not callable(value) or hasattr(value, "parameters") else value


def _gradients():
    torch = sys.modules.get("torch")
    return torch.enable_grad() if torch else contextlib.nullcontext()


def _seed():
    random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(0)  # of the CPU only
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


@contextlib.contextmanager
def _own_randomness():
    """Seeded random numbers inside; outside, all generators stand where they stood."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    before = random.getstate(), numpy and numpy.random.get_state(), torch and torch.get_rng_state()
    _seed()
    try:
        yield
    finally:
        random.setstate(before[0])
        if numpy:
            numpy.random.set_state(before[1])
        if torch:
            torch.set_rng_state(before[2])
