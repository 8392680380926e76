"""``python -m course_utils data list | get NAME …``: the public data sets on the command line."""

import textwrap
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from course_utils.console import report_error, resumable

if TYPE_CHECKING:
    from course_utils.datasets.registry import PublicDataset

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "data"
HELP = "list and download the public data sets"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the sub-commands ``list`` and ``get`` to a parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|get")
    table = actions.add_parser("list", help="the public data sets, and which of them are here")
    table.add_argument("-v", "--verbose", action="store_true", help="show source and citation")
    get = actions.add_parser("get", help="download and verify data sets; resumes if interrupted")
    get.add_argument("names", nargs="+", metavar="NAME", help="a name listed by `data list`")
    get.add_argument("-q", "--quiet", action="store_true", help="show no progress bars")


def run(args: Namespace) -> int:
    """Do what the parsed arguments say; returns 1 if some data could not be downloaded, else 0."""
    if args.action == "list":
        return _list(args.verbose)
    return _get(args.names, progress=not args.quiet)


def _list(verbose: bool) -> int:
    from course_utils.datasets.registry import REGISTRY, megabytes
    from course_utils.paths import cache_folder

    rows = [("name", "size", "licence", "where", "what it is")]
    for entry in REGISTRY.values():
        size = megabytes(entry.size)
        rows.append((entry.name, size, entry.licence, _where(entry.name), entry.title))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]))
        if verbose and row[0] in REGISTRY:
            _print_details(REGISTRY[row[0]])
    print(f"\nCache: {cache_folder()} (COURSE_DATA)")
    print("To get one: python -m course_utils data get NAME")
    return 0


def _print_details(entry: "PublicDataset") -> None:
    sources = dict.fromkeys(file.url.rpartition("/")[0] + "/" for file in entry.files)
    for label, text in (
        ("cite", entry.citation),
        ("note", entry.remarks),
        ("from", ", ".join(sources)),
    ):
        if text:
            indent = {"initial_indent": "    ", "subsequent_indent": "          "}
            whole = {"break_long_words": False, "break_on_hyphens": False}
            print(textwrap.fill(f"{label}: {text}", width=96, **indent, **whole))


def _where(name: str) -> str:
    from course_utils.datasets.download import locate
    from course_utils.paths import cache_folder

    folder = locate(name)
    if folder is None:
        return "not here"
    return "cache" if folder == cache_folder() else "mirror"


def _get(names: list[str], progress: bool) -> int:
    from course_utils.datasets.download import DataError, fetch
    from course_utils.datasets.registry import REGISTRY

    failed = False
    for name in dict.fromkeys(names):
        try:
            with resumable():
                folder = fetch(name, progress=progress)
        except DataError as error:
            failed = True
            report_error(str(error))
        else:
            count = len(REGISTRY[name].files)
            files = "1 file" if count == 1 else f"{count} files"
            print(f"{name}: {files}, verified, in {folder} ({_where(name)})")
    return 1 if failed else 0
