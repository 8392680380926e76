"""How an exercise is written down, and how an answer to it is judged.

An `Exercise` holds everything about one exercise: the statement, the solution (the decorated
function itself, so that the solution shown is the solution tested), the cases to try, and the
mistakes that people make. A mistake is a wrong answer together with the hint that mends it: when an
answer fails, the mistakes are run on the same cases, and the one with equal results gives the hint.
The package's docstring shows how to write one.
"""

import ast
import contextlib
import copy
import inspect
import io
import math
import random
import sys
import textwrap
import traceback
import warnings
from dataclasses import dataclass, field

__all__ = ["Case", "Exercise", "Verdict", "Wrong", "case", "difference", "exercise"]

REGISTRY = {}
_SOLUTION = object()  # the expected value is what the solution returns


class Wrong(Exception):
    """Raised by a free check: what is wrong, for which input, and what the mistake may be."""

    def __init__(self, problem, *, input=None, expected=None, got=None, hint=None):
        super().__init__(problem)
        self.problem, self.input, self.hint = problem, input, hint
        self.expected, self.got = expected, got


class Unsolved(Exception):
    """The answer still raises NotImplementedError."""


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


def difference(expected, got, rtol=1e-4, atol=1e-5):
    """What is different about `got`, in words; None when it is the expected value.

    Tensors and arrays are compared in kind, shape and value, floats within rtol and atol, sequences
    and dicts element by element. A tensor with one element passes for a number.
    """
    if got is None and expected is not None:
        return "nothing came back (None)"
    if _is_tensor(expected):
        return _tensor_difference(expected, got, rtol, atol)
    if _is_tensor(got) and getattr(got, "ndim", 1) == 0:
        got = got.item()
    if isinstance(expected, bool) or isinstance(got, bool) or isinstance(expected, str):
        same = isinstance(got, bool | int | str) and expected == got
        return None if same else "the result is wrong"
    if isinstance(expected, int | float):
        return _number_difference(expected, got, rtol, atol)
    if isinstance(expected, list | tuple):
        return _sequence_difference(expected, got, rtol, atol)
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return f"{_a(got)} came back, expected a dict"
        if expected.keys() != got.keys():
            return f"the keys are {sorted(map(str, got))}, expected {sorted(map(str, expected))}"
        for key in expected:
            problem = difference(expected[key], got[key], rtol, atol)
            if problem:
                nested = problem.startswith("at [")
                return f"at [{key!r}]" + (problem.removeprefix("at ") if nested else f": {problem}")
        return None
    if type(expected) is not type(got):
        return f"{_a(got)} came back, expected {_a(expected)}"
    return None if expected == got else "the result is wrong"


def _a(value):
    """The value's type with its article."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' or name == 'ndarray' else 'a'} {name}"


# -- comparing -----------------------------------------------------------------------------------


def _is_tensor(value):
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _kind(value):
    """ "float", "integer", "complex" or "bool" of a tensor or array."""
    name = str(value.dtype)
    if "bool" in name:
        return "bool"
    if "complex" in name:
        return "complex"
    return "float" if "float" in name else "integer"


def _tensor_difference(expected, got, rtol, atol):
    if not _is_tensor(got):
        if (
            isinstance(got, int | float)
            and not isinstance(got, bool)
            and tuple(expected.shape) == ()
        ):
            return _number_difference(expected.item(), got, rtol, atol)
        return f"{_a(got)} came back, expected a tensor of shape {tuple(expected.shape)}"
    if tuple(got.shape) != tuple(expected.shape):
        sizes = f"the shape is {tuple(got.shape)}, expected {tuple(expected.shape)}"
        if sorted(got.shape) == sorted(expected.shape):
            return f"{sizes}: two dimensions are swapped"
        return sizes
    if _kind(got) != _kind(expected):
        return f"the numbers are of type {got.dtype}, expected {expected.dtype}"
    if hasattr(expected, "detach") != hasattr(got, "detach"):
        return f"{_a(got)} came back, expected {_a(expected)}"
    ours, theirs = _flat(expected), _flat(got)
    if _kind(expected) != "float":
        return None if ours == theirs else "the result is wrong"
    pairs = list(zip(ours, theirs, strict=True))
    if any(math.isnan(b) and not math.isnan(a) for a, b in pairs):
        return "there are NaNs in the result"
    close = all(_close(a, b, rtol, atol) for a, b in pairs)
    return None if close else "the result is wrong"


def _flat(tensor):
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
    return tensor.reshape(-1).tolist()


def _close(expected, got, rtol, atol):
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    return expected == got or abs(expected - got) <= atol + rtol * abs(expected)


def _number_difference(expected, got, rtol, atol):
    if not isinstance(got, int | float):
        return f"{_a(got)} came back, expected a number"
    if isinstance(expected, int):
        if isinstance(got, float):
            return "a float came back, expected an integer"
        return None if expected == got else "the result is wrong"
    if math.isnan(got) and not math.isnan(expected):
        return "the result is NaN"
    return None if _close(expected, got, rtol, atol) else "the result is wrong"


def _sequence_difference(expected, got, rtol, atol):
    if not isinstance(got, list | tuple):
        return f"{_a(got)} came back, expected {_a(expected)}"
    if len(got) != len(expected):
        return f"{len(got)} values came back, expected {len(expected)}"
    for place, (ours, theirs) in enumerate(zip(expected, got, strict=True)):
        problem = difference(ours, theirs, rtol, atol)
        if problem:
            nested = problem.startswith("at [")
            return f"at [{place}]" + (problem.removeprefix("at ") if nested else f": {problem}")
    return None


# -- running an answer ---------------------------------------------------------------------------


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


# -- showing -------------------------------------------------------------------------------------


def _shown(value, largest=48):
    """A value as a learner reads it: tensors rounded, large ones by shape only."""
    if _is_tensor(value):
        shape = tuple(value.shape)
        values = _flat(value)
        if len(values) > largest:
            return f"tensor of shape {shape}, {value.dtype}"
        nested = _nested([_rounded(one) for one in values], shape)
        return f"tensor({nested})" if 0 not in shape else f"tensor of shape {shape}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        value = tuple(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(_shown(one) for one in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, set) and value:
        return "{" + ", ".join(sorted(map(_shown, value))) + "}"
    return textwrap.shorten(repr(value), 400)


def _rounded(number):
    if not isinstance(number, float):
        return str(number)
    text = f"{number:.4g}"
    return text if any(letter in text for letter in ".einf") else f"{text}.0"


def _nested(values, shape):
    """Texts in brackets as deep as the shape."""
    if not shape:
        return values[0]
    if len(shape) == 1:
        return f"[{', '.join(values)}]"
    step = math.prod(shape[1:])
    parts = [_nested(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
    return f"[{', '.join(parts)}]"


# -- sources -------------------------------------------------------------------------------------


def _clean(text, joined=False):
    text = textwrap.dedent(text).strip()
    return " ".join(text.split()) if joined else text


def _source(function):
    """Source of a function or class without its decorators."""
    source = textwrap.dedent(inspect.getsource(function))
    node = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[node.lineno - 1 :]).rstrip()


def _stub(source):
    """Each function of the source reduced to signature and docstring; classes keep their shape."""
    node = ast.parse(source).body[0]
    lines = source.splitlines()

    def reduced(node):
        first = node.body[0]
        has_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        head_end = first.end_lineno if has_doc else _header_end(node, lines)
        head = min([node.lineno] + [one.lineno for one in node.decorator_list])
        kept = lines[head - 1 : head_end]
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            for index, method in enumerate(methods):
                kept += ([""] if index or has_doc else []) + reduced(method)
            return kept
        return kept + [" " * first.col_offset + "raise NotImplementedError"]

    return "\n".join(reduced(node))


def _header_end(node, lines):
    """Number of the line on which the signature ends (no docstring follows)."""
    end = node.body[0].lineno - 1
    while end > node.lineno and not lines[end - 1].rstrip().endswith(":"):
        end -= 1
    return end
