"""The machinery of the campaign: choices, probes, the run, and failures made smaller."""

import json
import os
import random
import re
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["PROBES", "Choices", "Failure", "Wrong", "campaign", "expect", "probe", "run_one"]

T = TypeVar("T")
LIMIT_SECONDS = 20.0  # of processor time for one input; the process that works on it is then ended
PATIENCE = 6.0  # times as long may it take on a busy machine, or wait for something
LIMIT_BYTES = 1_000_000_000  # by which one input may raise the peak of memory
ROOM_BYTES = 4_000_000_000  # what a process gets for its work, so that the machine stays usable
SHRINK_SECONDS, SHRINK_TRIALS = 5.0, 200  # spent on making one failure smaller


class Wrong(Exception):
    """The course did something that the oracle forbids."""


def expect(right: object, what: str) -> None:
    """Raise Wrong, saying what is wrong, unless ``right`` is true."""
    if not right:
        raise Wrong(what)


class Choices:
    """Where an input comes from: whole numbers, drawn from a seed or given, and recorded.

    A smaller number is the simpler choice everywhere, and after the end of given numbers all are 0:
    so a failure is made smaller by leaving numbers out and by lowering them.
    """

    def __init__(self, seed: str, given: Sequence[int] | None = None):
        self.seed_text, self.random, self.given = seed, random.Random(seed), given
        self.made: list[int] = []
        self.shown: list[str] = []
        self.mutations: list[str] = []

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` − 1."""
        if self.given is None:
            number = self.random.randrange(limit)
        else:
            place = len(self.made)
            number = min(self.given[place], limit - 1) if place < len(self.given) else 0
        self.made.append(number)
        return number

    def integer(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def chance(self, share: float = 0.5) -> bool:
        """True in this share of cases; False is the simpler choice."""
        return self.below(1000) >= 1000 - round(1000 * share)

    def one_of(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""
        return options[self.below(len(options))]

    def real(self, low: float, high: float) -> float:
        """A number between two bounds."""
        return low + (high - low) * self.below(10_001) / 10_000

    def many(self, low: int, high: int, draw: Callable[[], T]) -> list[T]:
        """Between ``low`` and ``high`` drawn things."""
        return [draw() for _ in range(self.integer(low, high))]

    def order(self, count: int) -> list[int]:
        """The numbers below ``count`` in any order."""
        left = list(range(count))
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def seed(self) -> int:
        """A seed for a generator of random numbers."""
        return self.below(1 << 30)

    def show(self, **values: object) -> None:
        """Note a part of the input for the report."""
        self.shown += [f"{name}={short(value)}" for name, value in values.items()]

    def mutated(self, how: str) -> None:
        """Note that the input is a valid one that was changed."""
        self.mutations.append(how)


def short(value: object, most: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


@dataclass(frozen=True)
class Probe:
    """What is tried: ``run`` draws an input and judges the result, ``count`` times at full size."""

    name: str
    count: int
    run: Callable[[Choices], None]
    memory: bool  # whether the peak of memory is watched


PROBES: dict[str, Probe] = {}


def probe(name: str, count: int, memory: bool = False) -> Callable[[T], T]:
    """Register a function as a probe."""

    def add(run: T) -> T:
        assert name not in PROBES, name
        PROBES[name] = Probe(name, count, run, memory)  # type: ignore[arg-type]
        return run

    return add


@dataclass
class Failure:
    """An input that failed; ``kind`` says how, in the same words for the same fault."""

    probe: str
    seed: str
    kind: str
    message: str
    trace: str = ""
    input: list[str] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    mutations: list[str] = field(default_factory=list)


def attempt(found: Probe, seed: str, given: Sequence[int] | None = None) -> tuple[Choices, Any]:
    """Run a probe on one input: its choices, and a `Failure` or None."""
    choices = Choices(seed, given)
    before = peak(reset=True) if found.memory else 0
    problem: tuple[str, str, str] | None = None
    try:
        found.run(choices)
    except Wrong as error:
        problem = ("wrong", str(error), place(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit as well: a probe catches what it expects
        problem = (f"{type(error).__name__}", str(error), place(error))
    if found.memory and problem is None and (used := peak() - before) > LIMIT_BYTES:
        problem = ("memory", f"the peak of memory rose by {used / 1e9:.1f} GB", "")
    if problem is None:
        return choices, None
    kind, message, trace = problem
    failure = Failure(
        found.name,
        seed,
        f"{kind}: {plain(message)}" + (f" [{trace.splitlines()[-1].split()[0]}]" if trace else ""),
        message,
        trace,
        choices.shown,
        choices.made,
        choices.mutations,
    )
    return choices, failure


def plain(message: str) -> str:
    """A message without what differs from input to input."""
    text = re.sub(r"/[^\s:'\"]+", "PATH", message.splitlines()[0] if message else "")
    return re.sub(r"['\"‘“].*?['\"’”]", "…", re.sub(r"-?\d[\d.,e+-]*", "N", text))[:90]


def place(error: BaseException) -> str:
    """Where an exception came from: the lines of the course and of the probe."""
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if "course_utils" in path.parts or "campaign" in path.parts:
            if path.name != "core.py":
                lines.append(f"{path.parent.name}/{path.name}:{frame.lineno} {frame.line}")
    return "\n".join(lines)


def smaller(found: Probe, failure: Failure) -> Failure:
    """The same failure for a smaller input, as far as the time allows."""
    best, until, trials = failure, time.monotonic() + SHRINK_SECONDS, 0
    again = True
    while again:
        again = False
        for given in candidates(best.choices):
            if time.monotonic() > until or trials >= SHRINK_TRIALS:
                return best
            trials += 1
            choices, other = attempt(found, failure.seed, given)
            easier = (len(choices.made), sum(choices.made)) < (len(best.choices), sum(best.choices))
            if other is not None and other.kind == best.kind and easier:
                best, again = other, True
                break
    return best


def candidates(choices: list[int]) -> Iterator[list[int]]:
    """Ways to make a list of choices simpler."""
    size = len(choices)
    length = size // 2
    while length:
        for start in range(0, size, length):
            yield choices[:start] + choices[start + length :]
            if any(choices[start : start + length]):
                zeros = [0] * len(choices[start : start + length])
                yield choices[:start] + zeros + choices[start + length :]
        length //= 2
    for number, choice in enumerate(choices):
        for lower in {0, choice // 2, choice - 1}:
            if 0 <= lower < choice:
                yield choices[:number] + [lower] + choices[number + 1 :]


# --- memory -----------------------------------------------------------------------------------


def peak(reset: bool = False) -> int:
    """The peak of memory in bytes, since the start or the last reset; 0 where it is not known."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def limit_memory() -> None:
    """Let this process allocate ROOM_BYTES more than it has, where the system can do that."""
    with suppress(ImportError, OSError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


# --- the run ----------------------------------------------------------------------------------


def run_one(name: str, number: int, seed: int = 0, shrink: bool = False) -> Failure | None:
    """Run one input of a probe in this process."""
    found = PROBES[name]
    _, failure = attempt(found, f"{seed}:{name}:{number}")
    return smaller(found, failure) if failure is not None and shrink else failure


def campaign(names: Sequence[str], share: float, seed: int, out: Path | None) -> dict:
    """Run the probes; returns the summary and prints a line for each probe."""
    counts: dict[str, dict] = {}
    failures: dict[str, list[Failure]] = {}
    started, processor = time.monotonic(), processor_seconds()
    for name in names:
        found = PROBES[name]
        total = max(1, round(found.count * share))
        before, seen, mutated, kinds = time.monotonic(), 0, 0, Counter()
        for done in work(name, total, seed):
            seen += 1
            mutated += done["mutated"]
            if done["failure"] is not None:
                failure = Failure(**done["failure"])
                kinds[failure.kind] += 1
                failures.setdefault(f"{name}: {failure.kind}", []).append(failure)
        seconds = time.monotonic() - before
        counts[name] = {
            "inputs": seen,
            "mutated": mutated,
            "failed": sum(kinds.values()),
            "kinds": len(kinds),
            "seconds": round(seconds, 1),
        }
        line = f"{name:28} {seen:6,} inputs, {mutated:6,} mutated, {seconds:6.1f} s"
        print(line + (f"   {sum(kinds.values())} FAILED" if kinds else ""), flush=True)
    summary = {
        "seed": seed,
        "inputs": sum(count["inputs"] for count in counts.values()),
        "mutated": sum(count["mutated"] for count in counts.values()),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "processor_minutes": round((processor_seconds() - processor) / 60, 1),
        "probes": counts,
        "failures": [
            {"times": len(found), **asdict(min(found, key=lambda f: (len(f.choices), f.choices)))}
            for found in failures.values()
        ],
    }
    if out is not None:
        out.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for found in summary["failures"]:
        print(f"\n{found['probe']}:{found['seed'].rpartition(':')[2]}   ({found['times']} times)")
        print(f"  {found['kind']}\n  {short(found['message'], 500)}")
        for line in found["input"]:
            print(f"    {line}")
    print(
        f"\n{summary['inputs']:,} inputs, {summary['mutated']:,} of them mutated from valid ones, "
        f"{summary['minutes']} minutes ({summary['processor_minutes']} of processor time); "
        f"{len(summary['failures'])} kinds of failure"
    )
    return summary


def processor_seconds() -> float:
    """Processor time of all processes that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def work(name: str, total: int, seed: int) -> Iterator[dict]:
    """The results of inputs 0 to ``total`` − 1 of a probe, from a process of its own.

    If the process dies, or takes too long over an input, that input has failed, and another
    process goes on with the next.
    """
    number = 0
    while number < total:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            os._exit(child_work(name, number, total, seed, writer))
        os.close(writer)
        buffer, since, used = b"", time.monotonic(), 0.0
        try:
            while number < total:
                if not select.select([reader], [], [], 0.5)[0]:
                    late = time.monotonic() - since > PATIENCE * LIMIT_SECONDS
                    if late or seconds_of(child) - used > LIMIT_SECONDS:
                        break
                    continue
                piece = os.read(reader, 1 << 20)
                if not piece:
                    break
                since, used = time.monotonic(), seconds_of(child)
                *lines, buffer = (buffer + piece).split(b"\n")
                for line in lines:
                    yield json.loads(line)
                    number += 1
        finally:
            os.close(reader)
            with_signal(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        if number < total:
            text = f"{seed}:{name}:{number}"
            kind = "no answer in time" if os.WTERMSIG(status) == signal.SIGKILL else "process died"
            message = f"{kind} (status {status})"
            yield {"failure": asdict(Failure(name, text, kind, message)), "mutated": False}
            number += 1


def seconds_of(process: int) -> float:
    """Processor time of a process, 0 where it is not known."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def with_signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def child_work(name: str, first: int, total: int, seed: int, writer: int) -> int:
    """What a process of `work` does: a line of JSON for each input."""
    found, shrunk = PROBES[name], Counter()
    try:
        limit_memory()
        for number in range(first, total):
            choices, failure = attempt(found, f"{seed}:{name}:{number}")
            if failure is not None:
                shrunk[failure.kind] += 1
                if shrunk[failure.kind] <= 2 and failure.kind != "memory":
                    failure = smaller(found, failure)
            line = {
                "failure": None if failure is None else asdict(failure),
                "mutated": bool(choices.mutations),
            }
            os.write(writer, json.dumps(line).encode() + b"\n")
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        return 1
    return 0
