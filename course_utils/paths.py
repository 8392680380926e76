"""Where the course keeps things: the checkout, its `data` folder and the cache of public data."""

import os
from pathlib import Path

__all__ = ["CHECKPOINTS", "DATA", "REPO", "STUDIES", "cache_folder"]

REPO = Path(__file__).resolve().parent.parent
DATA = REPO / "data"
CHECKPOINTS = DATA / "checkpoints"
STUDIES = DATA / "studies"


def cache_folder() -> Path:
    """The folder for downloaded data: COURSE_DATA of the environment, or the system's cache folder.

    A relative COURSE_DATA counts from the root of the checkout, so that the command line and the
    notebooks, which run in a folder of their own, use the same folder. It may not exist yet.
    """
    chosen = os.environ.get("COURSE_DATA", "").strip()
    if chosen:
        return REPO / Path(chosen).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("attention-course", appauthor=False))
