"""What pyproject.toml cannot say: a wheel carries the folder `data` inside the package.

Everything else is in pyproject.toml. An editable installation uses the folder of the checkout.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Copies the package, and beside its modules what they read: checkpoints and small data."""

    def run(self) -> None:
        """Build; files that begin with a dot are of a training or a save in progress."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "course_utils" / "data"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree("data", target, ignore=shutil.ignore_patterns(".*"))


setup(cmdclass={"build_py": BuildWithData})
