"""What pyproject.toml cannot say about the two ways in which the course is installed.

A wheel carries the folder `data` inside the package; an editable installation uses the one of the
checkout. Both bring the setting for JupyterLab, which setuptools leaves out of the editable one.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Builds the package, and adds what belongs to the kind of installation."""

    def run(self) -> None:
        """Files in `data` that begin with a dot belong to a training or a save in progress."""
        super().run()
        if self.editable_mode:
            self.run_command("install_data")
            return
        target = Path(self.build_lib) / "course_utils" / "data"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree("data", target, ignore=shutil.ignore_patterns(".*"))


setup(cmdclass={"build_py": BuildWithData})
