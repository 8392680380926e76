"""Check documents without executing anything: links of Markdown files, rules of notebooks.

    python tests/tools/documents.py                             # all documents of the course
    python tests/tools/documents.py README.md notebooks/01_concepts.ipynb

Prints one line for each problem, and returns 1 if there is one. Needs no network: links to other
servers are not followed.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `tools` is found

from tools.notebooks import ROOT, Notebook, all_notebooks
from tools.rules import RULES, broken, link_targets

# Made by tools, or not part of the course.
SKIPPED = {"build", "dist", "mutants", "node_modules", "site"}


def documents(root: Path = ROOT) -> list[Path]:
    """Every Markdown file of the course and every notebook in its folder."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if name not in SKIPPED and (not name.startswith(".") or name == ".github")
        ]
        found += [Path(folder) / name for name in files if name.endswith(".md")]
    return sorted(found) + all_notebooks(root / "notebooks")


def problems(path: Path) -> list[str]:
    """What is wrong with one document."""
    if path.suffix == ".ipynb":
        notebook = Notebook.read(path)
        return [problem for rule in RULES for problem in rule(notebook)]
    found = (broken(target, path) for target in link_targets(path.read_text("utf-8")))
    return [problem for problem in found if problem]


def main(arguments: list[str]) -> int:
    """Check the named documents, or all."""
    paths = [Path(argument).resolve() for argument in arguments] or documents()
    lines = [f"{path.name}: {problem}" for path in paths for problem in problems(path)]
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
