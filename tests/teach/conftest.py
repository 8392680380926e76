"""What only a teacher needs (the extra `teach`) is tested when asked for: `make test-teach`."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    named = [Path(str(argument).partition("::")[0]) for argument in config.args]
    asked = any(path.resolve().is_relative_to(FOLDER) for path in named)
    return None if asked else True
