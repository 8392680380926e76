"""What tests ask of Chromium, through tests/accessibility/browser.mjs."""

import json
import os
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parents[1] / "accessibility"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def require() -> None:
    """Skip the tests of a machine without Chromium or the packages of npm."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian and Ubuntu: sudo apt install chromium)")
    if shutil.which("node") is None or not (HERE / "node_modules" / "axe-core").is_dir():
        pytest.skip("axe is not installed: make accessibility and make test-teach install it")


def call(*arguments: object) -> Any:
    """What browser.mjs answers."""
    require()
    command = ["node", str(HERE / "browser.mjs"), *map(str, arguments)]
    environment = os.environ | {"CHROMIUM": CHROMIUM}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def grave(violations: list[dict], exceptions: Collection[str] = ()) -> list[str]:
    """One line for each critical or serious violation that is not an exception."""
    return [
        f"{found['impact']}: {found['rule']}, {len(found['nodes'])} times: {found['nodes'][0]}"
        for found in violations
        if found["impact"] in {"critical", "serious"} and found["rule"] not in exceptions
    ]
