"""Mutation tests: do the unit tests notice small faults in the modules that produce the numbers?

    python tests/tools/mutants.py                       # a sample of all modules, some minutes
    python tests/tools/mutants.py metrics search        # of these modules only
    python tests/tools/mutants.py --sample 900 --seed 1 # another, larger sample
    python tests/tools/mutants.py --again               # only what survived the last run

A *mutant* is the package with one small fault: another number, operator, argument, string or
condition. The operators are mutmut's. A mutant is killed if a unit test fails, and it survives if
all tests pass that run its line. Coverage says which tests run a line of a function; other lines
run with the import, so every test file that imports the module is run for them.

Nothing in the working tree is changed: tests run in a copy of it, and the fault exists only in the
memory of one process, which is forked from one that has already imported PyTorch.

The folder ``mutants`` gets report.json and survivors.txt, the differences that no test noticed. The
exit status is 1 if fewer than 90 % of the sample are killed. Mutants that reach the time limit
count as not killed. Not part of CI; runs on Linux and macOS.
"""

import argparse
import ast
import difflib
import fnmatch
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "TOKENIZERS_PARALLELISM": "false"}

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).parents[2]
OUT = ROOT / "mutants"

# --- configuration ----------------------------------------------------------------------------

# What is mutated, as patterns of module names below course_utils.
MODULES = (
    "metrics",
    "search",
    "attention",
    "training",
    "callbacks",
    "tasks.base",
    "tasks.recipe",
    "tasks.study",
    "tasks.*.recipes",
    "tasks.*.studies",
    "recipes",
    "studies",
)
SAMPLE = 360
FEWEST = 8  # of a module, if it has that many
PASS = 0.9  # share of the sample that has to be killed
TESTS_SECONDS = 15.0  # most that the tests of one mutant may take without it
LIMIT_SECONDS = 15.0  # for a mutant, added to five times the seconds of its tests
# pytest's settings in pyproject.toml are for notebooks, too; these are for unit tests alone.
PYTEST = (
    "-x",
    "-q",
    "-m",
    "not slow",
    "-o",
    "addopts=",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:nbmake",
)

# --- what is not behaviour --------------------------------------------------------------------

RULES = {
    "type hint": "has no effect when the package runs",
    "list of public names": "__all__ has an effect on star imports only",
    "docstring": "is text for readers",
    "wording of a message": "the text of an error may change; that it is raised is tested",
    "assertion": "assert and zip(strict=True) state what the lines before them guarantee",
    "options of a dataclass": "frozen and slots forbid assignments that nothing makes",
    "length or type": "mutmut leaves len() and isinstance() alone: a change is an error at once",
    "name of an encoding": "its letters may be of either case",
    "place of computation": "device, map_location and cuda matter on a GPU; unit tests use the CPU",
}
# Arguments that a rule excludes, by their keyword.
KEYWORDS = {
    "strict": "assertion",
    "encoding": "name of an encoding",
    "device": "place of computation",
    "map_location": "place of computation",
}
PARTS = (cst.DictElement, cst.BooleanOperation, cst.Comparison, cst.Call, cst.IfExp)


def rule_of(node: cst.CSTNode, parents: tuple[cst.CSTNode, ...]) -> str | None:
    """The rule of `RULES` that excludes a node with all its children, or None."""
    parent = parents[-1] if parents else None
    if isinstance(node, cst.Annotation):
        return "type hint"
    if m.matches(node, m.Assign(targets=[m.AssignTarget(m.Name("__all__"))])):
        return "list of public names"
    at_top = len(parents) == 2 and isinstance(parents[0], cst.Module)
    if at_top and m.matches(node, m.Assign(value=m.Subscript() | m.Call(func=m.Name("TypeVar")))):
        return "type hint"
    if isinstance(parent, cst.Expr) and isinstance(node, cst.BaseString):
        return "docstring"
    if isinstance(node, cst.Raise) or m.matches(node, m.Call(func=m.Name("_"))):
        return "wording of a message"
    if isinstance(node, cst.Assert):
        return "assertion"
    if isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value in KEYWORDS:
        return KEYWORDS[node.keyword.value]
    if isinstance(node, PARTS) and "cuda" in cst.Module([]).code_for_node(node):
        return "place of computation"
    if isinstance(node, cst.Decorator) and m.matches(
        node.decorator, m.Call(func=m.Name("dataclass"))
    ):
        return "options of a dataclass"
    if m.matches(node, m.Call(func=m.Name("len") | m.Name("isinstance"))):
        return "length or type"
    if isinstance(parent, cst.Call) and m.matches(parent.func, m.Name("cast")):
        if isinstance(node, cst.Arg) and node is parent.args[0]:
            return "type hint"
    return None


# --- mutants ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One fault: the ``number``-th of its module, in these lines; ``late`` is in a function's body,
    which does not run when the module is imported.
    """

    module: str
    number: int
    node: cst.CSTNode = field(compare=False)
    changed: cst.CSTNode = field(compare=False)
    lines: range = field(compare=False)
    late: bool = field(compare=False)


class Source:
    """A module with all its mutants, and how many are excluded by which rule."""

    def __init__(self, root: Path, name: str):
        self.name = f"course_utils.{name}"
        parts = root / "course_utils" / Path(*name.split("."))
        self.path = parts / "__init__.py" if parts.is_dir() else parts.with_suffix(".py")
        self.text = self.path.read_text("utf-8")
        # The number of a mutant holds for this module under these rules.
        given = self.text + Path(__file__).read_text("utf-8")
        self.digest = hashlib.sha256(given.encode()).hexdigest()
        wrapper = MetadataWrapper(cst.parse_module(self.text))
        self.tree, self.places = wrapper.module, wrapper.resolve(PositionProvider)
        self.excluded: Counter[str] = Counter()
        self.mutants: list[Mutant] = []
        self._walk(self.tree, (), None, False)

    def _walk(
        self, node: cst.CSTNode, parents: tuple[cst.CSTNode, ...], rule: str | None, late: bool
    ) -> None:
        rule = rule_of(node, parents) if rule is None else rule
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                for changed in operator(node):
                    if why := rule or rule_of_change(node, changed):
                        self.excluded[why] += 1
                    else:
                        lines = self.lines_of(node, parents)
                        number = len(self.mutants)
                        self.mutants.append(Mutant(self.name, number, node, changed, lines, late))
        for child in node.children:
            inside = isinstance(node, cst.FunctionDef) and child is node.body
            self._walk(child, (*parents, node), rule, late or inside)

    def lines_of(self, node: cst.CSTNode, parents: tuple[cst.CSTNode, ...]) -> range:
        """The lines of the node or, if it has no place, of the closest parent with one."""
        for one in (node, *reversed(parents)):
            if (place := self.places.get(one)) is not None:
                return range(place.start.line, place.end.line + 1)
        return range(1, 2)

    def with_fault(self, mutant: Mutant) -> str | None:
        """The text of the module with the fault; None if it is no valid Python, or no change."""
        try:
            text = self.tree.deep_replace(mutant.node, mutant.changed).code  # type: ignore[union-attr]
            compile(text, str(self.path), "exec")
        except (SyntaxError, ValueError, cst.CSTValidationError):
            return None
        return None if text == self.text else text


def rule_of_change(node: cst.CSTNode, changed: cst.CSTNode) -> str | None:
    """The rule that excludes a mutant which only removes or empties an argument of `KEYWORDS`."""
    if not (isinstance(node, cst.Call) and isinstance(changed, cst.Call)):
        return None
    before, after = (
        {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
        for call in (node, changed)
    )
    for name, rule in KEYWORDS.items():
        if name in before and before[name] is not after.get(name):
            return rule
    return None


def draw(sources: list[Source], size: int, seed: int) -> list[tuple[Mutant, str]]:
    """A random sample with its texts: from each module a share, but at least `FEWEST`."""
    total, drawn = sum(len(source.mutants) for source in sources), []
    for source in sources:
        share = round(size * len(source.mutants) / max(1, total))
        order = list(source.mutants)
        random.Random(f"{seed} {source.name}").shuffle(order)
        valid = ((mutant, text) for mutant in order if (text := source.with_fault(mutant)))
        drawn += [found for _, found in zip(range(max(share, FEWEST)), valid, strict=False)]
    return drawn


# --- tests ------------------------------------------------------------------------------------


def imported_by(path: Path) -> set[str]:
    """The modules of the package that a test file names in its imports, anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("course_utils")}


def concerns(names: set[str], module: str) -> bool:
    """Whether a test file that imports ``names`` concerns a module.

    It does if it imports the module itself or the module that collects it from all tasks:
    `course_utils.recipes` for `course_utils.tasks.speech.recipes`.
    """
    return module in names or f"course_utils.{module.rpartition('.')[2]}" in names


@dataclass
class Tests:
    """What is known about the tests: seconds, and which of them run which line.

    files    module → the test files that concern it
    seconds  test → its duration
    by_line  (module, line) → the tests that run it, apart from the import
    """

    files: dict[str, list[str]]
    seconds: dict[str, float]
    by_line: dict[tuple[str, int], set[str]]

    def of(self, mutant: Mutant) -> list[str]:
        """The tests for a mutant, file by file: those that concern its module come first."""
        own = set(self.files[mutant.module])
        found: set[str] = set()
        if mutant.late:
            found = set().union(*(self.by_line.get((mutant.module, n), ()) for n in mutant.lines))
        if not found:  # the line runs with the import, or never
            found = {test for test in self.seconds if file_of(test) in own}
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in sorted(found, key=self.seconds.__getitem__):
            by_file[file_of(test)].append(test)
        cost = {file: sum(map(self.seconds.__getitem__, tests)) for file, tests in by_file.items()}
        chosen, total = [], 0.0
        for file in sorted(by_file, key=lambda file: (file not in own, cost[file])):
            for test in by_file[file]:
                if not chosen or total + self.seconds[test] <= TESTS_SECONDS:
                    chosen.append(test)
                    total += self.seconds[test]
        return chosen


def file_of(test: str) -> str:
    return test.partition("::")[0]


class Observer:
    """A pytest plugin: the seconds of each test, and coverage by test."""

    def __init__(self, coverage) -> None:
        self.coverage, self.seconds, self.failed = coverage, defaultdict(float), set()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.outcome in ("failed", "skipped"):
            self.failed.add(report.nodeid)


def run_pytest(root: Path, arguments: Iterable[str], plugins: Iterable = ()) -> int:
    """Run tests in this process. Returns pytest's exit status."""
    import pytest

    os.chdir(root)
    sys.path[:0] = [str(root), str(root / "tests")]
    return int(pytest.main([*PYTEST, *arguments], plugins=list(plugins)))


def observe(root: Path, file: str, paths: dict[str, str], out: Path) -> None:
    """Run one test file, without mutants, and write what `Tests` needs. Ends this process."""
    import coverage

    measure = coverage.Coverage(include=list(paths), data_file=None, config_file=False)
    observer = Observer(measure)
    before = set(sys.modules)
    measure.start()
    run_pytest(root, ["--maxfail=0", file], [observer])
    measure.stop()
    data, lines = measure.get_data(), []
    for path in data.measured_files():
        for number, tests in data.contexts_by_lineno(path).items():
            lines.append((paths[path], number, [test for test in tests if test]))
    others = [
        name
        for name in set(sys.modules) - before
        if not name.startswith(("course_utils", "test_", "tests", "tools", "conftest", "builders"))
    ]
    passed = {t: s for t, s in observer.seconds.items() if t not in observer.failed}
    out.write_text(
        json.dumps(
            {
                "seconds": passed,
                "lines": lines,
                "modules": others,
                "failed": sorted(observer.failed),
            }
        )
    )


class Faulty(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Finds and loads one module with a fault, under the path of the original."""

    def __init__(self, name: str, path: Path, text: str):
        super().__init__(name, str(path))
        self.text = text

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == self.name:
            return importlib.util.spec_from_file_location(fullname, self.path, loader=self)
        return None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec")


# --- processes --------------------------------------------------------------------------------


def fork(work: Callable[[], int | None], log: Path) -> int:
    """Run ``work()`` in a forked process; its result is the exit status. Returns the process id."""
    process = os.fork()
    if process:
        return process
    status = 99
    try:
        os.setsid()
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, 1)
        os.dup2(target, 2)
        status = work() or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 98
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def run_all(works: Iterable[tuple], jobs: int, logs: Path) -> Iterator[tuple]:
    """Run (key, work, limit in seconds) in at most ``jobs`` processes at a time.

    Yields (key, exit status, seconds); the status is None after a time-out and negative after a
    signal.
    """
    waiting, running = iter(works), {}
    while True:
        while len(running) < jobs and (item := next(waiting, None)) is not None:
            key, work, limit = item
            log = logs / f"{len(running)}-{time.monotonic_ns()}.log"
            running[fork(work, log)] = (key, time.monotonic(), limit, log)
        if not running:
            return
        for process, (key, started, limit, log) in list(running.items()):
            seconds = time.monotonic() - started
            done, status = os.waitpid(process, os.WNOHANG)
            if not done and seconds > limit:
                os.killpg(process, signal.SIGKILL)
                os.waitpid(process, 0)
                done, status = process, None
            if done:
                del running[process]
                code = None if status is None else os.waitstatus_to_exitcode(status)
                yield key, code, seconds
                log.unlink(missing_ok=True)
        time.sleep(0.01)


def copy_tree(target: Path) -> None:
    """Copy what is under version control, or could be, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def look_at_tests(root: Path, sources: list[Source], jobs: int, logs: Path) -> Tests:
    """Run the test files that concern the modules once, without mutants."""
    names = {
        f"tests/{path.name}": imported_by(path)
        for path in sorted((root / "tests").glob("test_*.py"))
    }
    files = {
        source.name: [file for file, given in names.items() if concerns(given, source.name)]
        for source in sources
    }
    wanted = sorted({file for some in files.values() for file in some})
    paths = {str(source.path): source.name for source in sources}
    tests, modules, failed = Tests(files, {}, defaultdict(set)), set(), []

    def work(file: str) -> Callable[[], None]:
        return lambda: observe(root, file, paths, logs / f"{Path(file).stem}.json")

    for file, status, seconds in run_all(((f, work(f), 900.0) for f in wanted), jobs, logs):
        result = logs / f"{Path(file).stem}.json"
        if not result.exists():
            print(f"  {file}: no result (status {status}, {seconds:.0f} s)", file=sys.stderr)
            continue
        found = json.loads(result.read_text())
        tests.seconds |= found["seconds"]
        modules |= set(found["modules"])
        failed += found["failed"]
        for module, line, given in found["lines"]:
            tests.by_line[module, line] |= {test for test in given if test in found["seconds"]}
    if failed:
        print(f"  left out, as they fail or are skipped: {', '.join(failed)}", file=sys.stderr)
    for name in sorted(modules):  # what every mutant's process would import again
        try:
            importlib.import_module(name)
        except Exception:
            pass
    return tests


# --- the run ----------------------------------------------------------------------------------


def outcome(status: int | None) -> str:
    """What an exit status of pytest says about a mutant."""
    if status is None:
        return "timed out"
    # 1: a test failed; 2: a test file cannot be imported; 3: pytest failed; below 0: a signal.
    if status in (1, 2, 3) or status < 0:
        return "killed"
    return "survived" if status in (0, 5) else "error"


def difference(source: Source, text: str) -> str:
    before, after = source.text.splitlines(), text.splitlines()
    lines = difflib.unified_diff(before, after, source.name, source.name, n=0, lineterm="")
    return "\n".join(list(lines)[2:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("modules", nargs="*", help="modules below course_utils, by default all")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="number of mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--again", action="store_true", help="only the survivors of the last run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        return run(given, Path(folder).resolve())


def run(given: argparse.Namespace, folder: Path) -> int:
    root, logs = folder / "tree", folder / "logs"
    logs.mkdir()
    copy_tree(root)
    every = [
        ".".join(path.relative_to(root / "course_utils").with_suffix("").parts)
        for path in sorted((root / "course_utils").rglob("*.py"))
    ]
    every = [name for name in every if any(fnmatch.fnmatch(name, p) for p in MODULES)]
    if unknown := set(given.modules) - set(every):
        print(f"not mutated: {', '.join(sorted(unknown))}; {', '.join(every)} are", file=sys.stderr)
        return 2
    sources = {
        source.name: source for source in (Source(root, name) for name in given.modules or every)
    }
    print(f"{sum(len(s.mutants) for s in sources.values()):,} mutants in {len(sources)} modules")
    if given.again:
        kept = json.loads((OUT / "report.json").read_text())["not killed"]
        sample = [
            (source.mutants[one["number"]], source.with_fault(source.mutants[one["number"]]))
            for one in kept
            if (source := sources.get(one["module"])) and source.digest == one["digest"]
        ]
    else:
        sample = draw(list(sources.values()), given.sample, given.seed)
    print(f"{len(sample)} are run; first, the tests without them", flush=True)
    tests = look_at_tests(root, list(sources.values()), given.jobs, logs)

    started, results, rows = time.monotonic(), defaultdict(Counter), []

    def record(mutant: Mutant, text: str, chosen: list[str], found: str, seconds: float) -> None:
        results[mutant.module][found] += 1
        if (count := sum(results.values(), Counter()).total()) % 50 == 0:
            print(f"{count} of {len(sample)}", flush=True)
        if found != "killed":
            source = sources[mutant.module]
            row = {
                "module": mutant.module,
                "number": mutant.number,
                "digest": source.digest,
                "outcome": found,
                "tests": len(chosen),
                "seconds": round(seconds, 1),
                "difference": difference(source, text),
            }
            rows.append(row)
            print(f"{found} after {len(chosen)} tests, {seconds:.0f} s: {mutant.module}")
            print(row["difference"], flush=True)

    def work(mutant: Mutant, text: str, chosen: list[str]) -> Callable[[], int]:
        def test() -> int:
            sys.meta_path.insert(0, Faulty(mutant.module, sources[mutant.module].path, text))
            status = run_pytest(root, chosen)
            if status == 4:  # with the fault, tests have other names or cannot be collected
                status = run_pytest(root, dict.fromkeys(map(file_of, chosen)))
            return status

        return test

    # Control: with a module as it is, loaded in the same way, the tests have to pass.
    controls = []
    for source in sources.values():
        chosen = tests.of(Mutant(source.name, -1, source.tree, source.tree, range(0), False))
        controls.append((source.name, work(source.mutants[0], source.text, chosen), 600.0))
    broken = [name for name, status, _ in run_all(controls, given.jobs, logs) if status != 0]
    if broken:
        print(f"tests fail without any fault: {', '.join(broken)}", file=sys.stderr)
        return 2

    def works() -> Iterator[tuple]:
        for mutant, text in sample:
            chosen = tests.of(mutant)
            if not chosen:
                record(mutant, text, chosen, "survived", 0.0)
            else:
                limit = LIMIT_SECONDS + 5 * sum(map(tests.seconds.__getitem__, chosen))
                yield (mutant, text, chosen), work(mutant, text, chosen), limit

    for (mutant, text, chosen), status, seconds in run_all(works(), given.jobs, logs):
        record(mutant, text, chosen, outcome(status), seconds)
    write(rows, results, sources, given)
    total = sum(results.values(), Counter())
    share = total["killed"] / max(1, total.total())
    minutes = (time.monotonic() - started) / 60
    print(f"{total['killed']} of {total.total()} killed ({share:.1%}) in {minutes:.1f} minutes")
    return 0 if share >= PASS else 1


def write(
    rows: list[dict],
    results: dict[str, Counter],
    sources: dict[str, Source],
    given: argparse.Namespace,
) -> None:
    """Print the table of modules and write both files."""
    OUT.mkdir(exist_ok=True)
    kinds = ("killed", "survived", "timed out", "error")
    print(f"{'module':42}" + "".join(f"{kind:>11}" for kind in (*kinds, "excluded")))
    for name, source in sources.items():
        counts = [results[name][kind] for kind in kinds] + [source.excluded.total()]
        print(f"{name:42}" + "".join(f"{count:11}" for count in counts))
    excluded = sum((source.excluded for source in sources.values()), Counter())
    for rule, count in excluded.most_common():
        print(f"excluded: {count:5} {rule}: {RULES[rule]}")
    rows.sort(key=lambda row: (row["module"], row["number"]))
    report = {
        "seed": given.seed,
        "modules": {name: dict(counts) for name, counts in results.items()},
        "excluded": dict(excluded),
        "not killed": rows,
    }
    (OUT / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    (OUT / "survivors.txt").write_text(
        "\n".join(
            f"# {row['module']}, {row['outcome']} after {row['tests']} tests\n{row['difference']}\n"
            for row in rows
        )
    )


if __name__ == "__main__":
    sys.exit(main())
