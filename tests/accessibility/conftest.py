"""The browser tests run only where they are asked for: `make accessibility`."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = [Path(str(argument).partition("::")[0]) for argument in config.args]
    if any(path.resolve().is_relative_to(FOLDER) for path in named):
        return
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.skip(reason="needs a browser: make accessibility"))
