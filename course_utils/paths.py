"""Where the course keeps things: the checkout, its `data` folder and the cache of public data."""

import os
from pathlib import Path

__all__ = ["CHECKPOINTS", "DATA", "REPO", "STUDIES", "cache_folder"]

REPO = Path(__file__).resolve().parent.parent
DATA = REPO / "data"
CHECKPOINTS = DATA / "checkpoints"
STUDIES = DATA / "studies"


def cache_folder():
    """The folder for downloaded data: the environment's COURSE_DATA, else the platform's cache.

    A relative COURSE_DATA counts from the root of the checkout, so that the command line and the
    notebooks, which run in a folder of their own, agree. The folder need not exist yet.
    """
    chosen = os.environ.get("COURSE_DATA", "").strip()
    if chosen:
        return REPO / Path(chosen).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("attention-course", appauthor=False))
