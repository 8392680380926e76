"""Data of the course: generated corpora whose right answers are known, and public data sets.

Each data set is a module with a function of its name: ``from course_utils.datasets.public.multi30k
import multi30k``, ``from course_utils.datasets.generated.english_french import english_french``.
Public data are optional. `real_data("multi30k")` guards the cells of notebooks that use them;
``python -m course_utils data get multi30k`` downloads them.

Importing this package is cheap: `fetch` and `locate` are imported at their first use.
"""

import importlib
import json
import os
from typing import Any

from course_utils.messages import _

__all__ = ["fetch", "locate", "real_data"]


def __getattr__(name: str) -> Any:
    if name in ("fetch", "locate"):
        return getattr(importlib.import_module(".download", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def real_data(name: str, cell: str = "") -> bool:
    """Whether the public data set ``name`` is on this machine: ``if real_data("multi30k"): …``.

    Downloads nothing. If the answer is no, two printed lines say how to get the data and that the
    course works without them. cell: a label of the calling cell. If the environment variable
    COURSE_REAL_DATA_LOG names a file, each call appends a line of JSON to it, so that the tests can
    list the cells that use public data.

    Raises DataError, which lists the known names, for an unknown name.
    """
    from course_utils.datasets.download import locate

    here = locate(name) is not None
    if not here:
        print(
            _(
                "The public data set “{name}” is not on this machine, so this cell shows nothing.\n"
                "To get it: python -m course_utils data get {name}. The course works without it."
            ).format(name=name)
        )
    log = os.environ.get("COURSE_REAL_DATA_LOG")
    if log:
        notebook = os.environ.get("COURSE_NOTEBOOK", "?")
        line = {"notebook": notebook, "dataset": name, "cell": cell, "ran": here}
        with open(log, "a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return here
