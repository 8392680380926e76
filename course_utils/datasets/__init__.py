"""Data of the course: a generated corpus with known alignments, and public data sets.

The public ones are optional. `real_data("multi30k")` guards the notebook cells that use them; the
command `python -m course_utils data get multi30k` brings them. Importing this package is cheap:
what it offers is imported at first use. The corpora are modules that hold a function of their name:
`from course_utils.datasets.generated.english_french import english_french`, and `multi30k` alike.
"""

import importlib
import json
import os

__all__ = ["english_french", "fetch", "locate", "real_data"]


def __getattr__(name):
    if name in ("fetch", "locate"):
        return getattr(importlib.import_module(".download", __name__), name)
    if name == "english_french":
        return importlib.import_module(".english_french", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def real_data(name, cell=""):
    """Is the public data set `name` on this machine? For cells that use it: `if real_data(…):`.

    Never downloads. When the answer is no, two lines say how to get the data and that the course
    goes on. `cell` is a label for the list of real-data cells that the tests print: where the
    environment's COURSE_REAL_DATA_LOG names a file, one JSON line per call is added to it.

    Raises DataError, with the names there are, when no data set has this name.
    """
    from course_utils.datasets.download import locate

    here = locate(name) is not None
    if not here:
        print(f"The public data “{name}” is not on this machine, so this cell has nothing to show.")
        print(f"To get it: python -m course_utils data get {name}. The course goes on without it.")
    log = os.environ.get("COURSE_REAL_DATA_LOG")
    if log:
        notebook = os.environ.get("COURSE_NOTEBOOK", "?")
        line = {"notebook": notebook, "dataset": name, "cell": cell, "ran": here}
        with open(log, "a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return here
