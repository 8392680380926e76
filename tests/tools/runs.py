"""pytest plugin around nbmake: what each notebook cost, and which real-data cells took part.

Loaded by ``addopts`` in pyproject.toml. For every notebook that nbmake executes it

* sets the environment of the kernel (`notebooks.kernel_environment`),
* samples the memory of the kernel and its children; more than `MEMORY_LIMIT_MB` fails,
* reads what `course_utils.datasets.real_data` logged: one JSON object a line with the keys
  notebook, dataset, cell, ran. A real-data cell counts as skipped when it logged ``ran: false`` or
  nothing at all. A skipped cell fails its notebook while COURSE_MIRROR is set: the data are there
  then, so skipping would hide a fault.

The run ends with both lists.
"""

import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tools.notebooks import Notebook, kernel_environment, real_data_calls

MEMORY_LIMIT_MB = 4096
MB = 2**20


@dataclass(frozen=True)
class RealDataCell:
    """One place in a notebook that asks for a public data set, and whether it got it."""

    notebook: str
    dataset: str
    label: str
    ran: bool

    def __str__(self) -> str:
        return f"{self.notebook}  {self.dataset}  {self.label}"


def real_data_cells(notebook: Notebook, log: list[dict]) -> list[RealDataCell]:
    """Hold the cells of a notebook against the log of its run; in the order of the notebook."""
    logged: dict[tuple[str, str], bool] = {}
    for line in log:
        if line.get("notebook") == notebook.name:
            key = (str(line.get("dataset")), str(line.get("cell")))
            logged[key] = logged.get(key, True) and bool(line.get("ran"))
    asked = [
        (str(dataset), str(label))
        for _, cell in notebook.code_cells
        for dataset, label in real_data_calls(cell)
    ]
    every = list(dict.fromkeys([*asked, *logged]))
    return [RealDataCell(notebook.name, *key, ran=logged.get(key, False)) for key in every]


def read_log(path: Path) -> list[dict]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


class PeakMemory:
    """Samples the memory of all child processes while the ``with`` block runs.

    ``mb`` is the larger of the highest sum of resident memory in any sample and, where the system
    keeps count (Linux), the high-water mark of the hungriest process.
    """

    def __init__(self, interval: float = 0.1):
        self.mb = 0.0
        self._marks: dict[int, float] = {}
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()
        self.mb = max([self.mb, *self._marks.values()])

    def _watch(self) -> None:
        this = psutil.Process()
        while not self._stop.wait(self._interval):
            total = 0.0
            for process in this.children(recursive=True):
                try:
                    total += process.memory_info().rss / MB
                    self._marks[process.pid] = high_water_mark(process.pid)
                except (psutil.Error, OSError):
                    continue  # it ended between the listing and the look
            self.mb = max(self.mb, total)


def high_water_mark(pid: int) -> float:
    """The most resident memory that a process ever had, in MB; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


@dataclass
class Cost:
    notebook: str
    seconds: float
    mb: float


class NotebookRuns:
    """The plugin's state: one object for one pytest run."""

    def __init__(self) -> None:
        self.costs: list[Cost] = []
        self.cells: list[RealDataCell] = []
        self._scratch = tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        if not getattr(item, "nbmake", False):
            return (yield)
        changes = kernel_environment(item.path, Path(self._scratch.name))
        before = {name: os.environ.get(name) for name in changes}
        started = time.perf_counter()
        try:
            set_environment(changes)
            with PeakMemory() as memory:
                return (yield)
        finally:
            set_environment(before)
            seconds = time.perf_counter() - started
            self.costs.append(Cost(item.path.stem, seconds, memory.mb))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if not getattr(item, "nbmake", False) or call.when != "call":
            return report
        try:
            notebook = Notebook.read(item.path)
        except Exception:
            return report  # not a notebook: nbmake has already reported that
        cells = real_data_cells(notebook, read_log(Path(self._scratch.name) / "real-data.jsonl"))
        self.cells += cells
        faults = self.faults(self.costs[-1], cells)
        if report.passed and faults:
            report.outcome = "failed"
            report.longrepr = "\n".join(faults)
        return report

    @staticmethod
    def faults(cost: Cost, cells: list[RealDataCell]) -> list[str]:
        """Why a notebook that ran through is refused all the same."""
        faults = []
        if cost.mb > MEMORY_LIMIT_MB:
            faults.append(f"{cost.notebook}: {cost.mb:.0f} MB, more than {MEMORY_LIMIT_MB} MB")
        if os.environ.get("COURSE_MIRROR"):
            faults += [
                f"{cell}: skipped although COURSE_MIRROR is set" for cell in cells if not cell.ran
            ]
        return faults

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter):
        if self.costs:
            terminalreporter.section("notebooks")
            for line in self.report():
                terminalreporter.write_line(line)

    def report(self) -> list[str]:
        lines = [f"{'':<32}{'seconds':>9}{'peak MB':>9}"]
        lines += [f"{c.notebook:<32}{c.seconds:>9.1f}{c.mb:>9.0f}" for c in self.costs]
        for title, ran in (("ran", True), ("were skipped", False)):
            cells = [cell for cell in self.cells if cell.ran == ran]
            lines.append(f"real-data cells that {title}: {len(cells)}")
            lines += [f"  {cell}" for cell in cells]
        return lines

    def pytest_unconfigure(self):
        self._scratch.cleanup()


def set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def pytest_configure(config):
    config.pluginmanager.register(NotebookRuns(), "notebook-runs")
