"""Where the course keeps things: what comes with it, what it makes, and the cache of public data.

In a checkout, the first two are the same folder, `data`. A wheel carries that folder inside the
package, where nothing is ever written: what a command makes goes to `data` in the current folder.
"""

import os
from pathlib import Path

__all__ = [
    "CHECKPOINTS",
    "DATA",
    "INSTALLED",
    "MADE",
    "REPO",
    "STUDIES",
    "cache_folder",
    "checkpoint_names",
    "state_folder",
]

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "data").is_dir()  # setup.py puts it there, into a wheel only
REPO = Path.cwd() if INSTALLED else PACKAGE.parent
DATA = PACKAGE / "data" if INSTALLED else REPO / "data"  # what comes with the course
MADE = REPO / "data"  # what `train`, `study` and `gallery` write
CHECKPOINTS = DATA / "checkpoints"
STUDIES = DATA / "studies"


def checkpoint_names() -> list[str]:
    """The checkpoints that come with the course."""
    return sorted(path.parent.name for path in CHECKPOINTS.glob("*/card.json"))


def cache_folder() -> Path:
    """The folder for downloaded data: COURSE_DATA of the environment, or the system's cache folder.

    A relative COURSE_DATA counts from the root of the checkout, so that the command line and the
    notebooks, which run in a folder of their own, use the same folder; without a checkout it counts
    from the current folder. It may not exist yet.
    """
    chosen = os.environ.get("COURSE_DATA", "").strip()
    if chosen:
        return REPO / os.path.expanduser(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("attention-course", appauthor=False))


def state_folder() -> Path:
    """The folder for what a learner has done: COURSE_STATE, or the system's folder for such files.

    Unlike the cache, it cannot be downloaded again, and it belongs to one person. A relative
    COURSE_STATE counts as a relative COURSE_DATA does. It may not exist yet.
    """
    chosen = os.environ.get("COURSE_STATE", "").strip()
    if chosen:
        return REPO / os.path.expanduser(chosen)
    from platformdirs import user_state_dir

    return Path(user_state_dir("attention-course", appauthor=False))
