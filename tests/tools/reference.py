"""Write the reference of the package as HTML pages, from its docstrings.

    python tests/tools/reference.py                       # everything, into site/api
    python tests/tools/reference.py --out DIR course_utils.memory

Needs no network. In the docstrings, `name` in single backticks is a name, which becomes a link, and
``literal`` in double backticks is a literal: both are Markdown.
"""

import argparse
import importlib
import sys
from pathlib import Path

import pdoc
from pdoc.extract import walk_specs
from pdoc.render import configure, env

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "course_utils"
TEMPLATES = ROOT / "tools" / "website" / "pdoc"


def modules(root: Path = ROOT, package: str = PACKAGE) -> list[str]:
    """Every module of the package but those that are run, from the names of the files."""
    found = []
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(name for name in found if not name.endswith(".__main__"))


def specifications(names: list[str]) -> list[str]:
    """The names without those that pdoc adds by itself.

    It goes from a package to its modules, but not to those that an ``__all__`` leaves out.
    """
    chosen, added = [], set()
    for name in names:
        if name not in added:
            chosen.append(name)
            added |= set(walk_specs([name]))
    return chosen


def is_importable(name: str) -> bool:
    """Whether this is the name of a module, not the path of a file, which pdoc takes too."""
    return name.replace(".", "").replace("_", "").isalnum() and not name.endswith(".py")


def write(names: list[str], folder: Path, home: str | None = None) -> None:
    """Write the pages of the named modules, an index and a search into a folder.

    home: a page in the folder above, to which every module then leads back.
    """
    configure(docformat="markdown", search=True, show_source=True, template_directory=TEMPLATES)
    env.globals["home"] = home
    for module in map(importlib.import_module, filter(is_importable, names)):
        for name in getattr(module, "__all__", ()):
            setattr(module, name, getattr(module, name))  # pdoc does not see lazy imports
    pdoc.pdoc(*specifications(names), output_directory=folder)


def main(arguments: list[str]) -> int:
    """Read the command line and write the reference."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="default: the whole package")
    parser.add_argument("--out", type=Path, default=ROOT / "site" / "api", metavar="DIR")
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    write(chosen.modules or modules(), chosen.out)
    print(f"Open {chosen.out / 'index.html'} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
