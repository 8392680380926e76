"""Collect every text that a learner sees into a template for translators.

    python tests/tools/messages.py                      # to standard output
    python tests/tools/messages.py course_utils.pot     # to a file

The texts are the literals of marked calls (`CALLEES`) in the package and in the code cells of the
notebooks. A new edition starts from the template with any gettext tool, for example::

    pybabel init -D course_utils -i course_utils.pot -d course_utils/locale -l de
    pybabel compile -D course_utils -d course_utils/locale

A text that is not a literal cannot be extracted: it is reported as a problem, and the exit status
is 1. tests/test_messages.py holds that there are none.
"""

import argparse
import ast
import io
import re
import string
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):  # run as a script
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.notebooks import (  # noqa: E402
    ROOT,
    Notebook,
    all_notebooks,
    python_source,
)

PACKAGE = ROOT / "course_utils"


def _as_written(text: str) -> str:
    return text


def _paragraphs(text: str) -> str:
    return textwrap.dedent(text).strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True)
class Argument:
    """An argument that a learner reads: its position (None: by keyword only) and its name."""

    position: int | None
    name: str
    clean: Callable[[str], str] = _as_written  # what the callee does before it looks the text up
    template: bool = True  # values are filled in with `str.format`


@dataclass(frozen=True)
class Callee:
    """A function whose arguments are texts for learners."""

    arguments: tuple[Argument, ...]
    plural: bool = False
    values: frozenset[str] | None = None  # its own keywords; all others fill placeholders


# What counts as a mark: the name of the function or method that is called.
CALLEES: dict[str, Callee] = {
    "_": Callee((Argument(0, "text"),)),
    "marked": Callee((Argument(0, "text"),)),
    "localised": Callee((Argument(0, "text"),), values=frozenset()),
    "ngettext": Callee((Argument(0, "singular"), Argument(1, "plural")), plural=True),
    "claim": Callee((Argument(0, "text"),), values=frozenset({"at_least", "at_most"})),
    "show": Callee((Argument(1, "alt"),), values=frozenset({"alt"})),
    "progress_bar": Callee((Argument(1, "unit"),)),
    "exercise": Callee(
        (
            Argument(1, "title"),
            Argument(2, "statement", _paragraphs, template=False),
            Argument(None, "prediction", _one_line, template=False),
        )
    ),
    "mistake": Callee((Argument(0, "hint", _one_line),)),
    "case": Callee((Argument(None, "label"), Argument(None, "hint"))),
    "CheckFailed": Callee((Argument(0, "problem"), Argument(None, "hint"))),
}
LOOKUPS = {"_", "ngettext"}
# Modules in which a lookup is defined, so texts are passed on by name.
SEAM = {"course_utils/messages.py"}
# What is written for the people who run commands, and for authors, stays English.
COMMANDS = ("course_utils/commands/", "/command.py", "/__main__.py")


@dataclass(frozen=True)
class Message:
    """A text, its plural if it has one, and where it stands."""

    text: str
    plural: str | None
    file: str
    line: int
    template: bool = True


@dataclass(frozen=True)
class Problem:
    """A text that cannot be extracted or does not fit its values."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def literal(node: ast.expr | None) -> str | None:
    """The text of a string literal (neighbouring literals are one); None for anything else."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None


def called(node: ast.Call) -> str:
    """The last part of the called name: "mistake" for middle.mistake(…)."""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def placeholders(text: str) -> set[str]:
    """Names of the placeholders of `str.format`; ValueError when the braces do not pair up."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def is_looked_up(node: ast.expr) -> bool:
    """Whether an expression is the result of a lookup, values filled in or not."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            return is_looked_up(node.func.value)
    if isinstance(node, ast.IfExp):
        return is_looked_up(node.body) and is_looked_up(node.orelse)
    return isinstance(node, ast.Call) and called(node) in LOOKUPS | {"localised"}


def extract(source: str, file: str, first_line: int = 1) -> tuple[list[Message], list[Problem]]:
    """The messages of Python source, and what is wrong with the marks in it.

    A literal needs no mark of its own as an argument of a callee. An argument that is looked up
    already, or comes out of another function, is fine too; an f-string, a concatenation or a name
    is a problem.
    """
    messages, problems = [], []
    if file in SEAM:
        return messages, problems
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        if (callee := CALLEES.get(called(node))) is None:
            continue
        line = first_line + node.lineno - 1
        by_place = any(argument.position is not None for argument in callee.arguments)
        if by_place and any(isinstance(argument, ast.Starred) for argument in node.args):
            continue  # show(*application_picture(…)): the function has looked its text up
        found = []
        for argument, given in _given(node, callee):
            text = literal(given)
            if text is not None:
                if argument.clean(text):
                    found.append((argument, argument.clean(text)))
            elif not _is_opaque(given, called(node)):
                problems.append(
                    Problem(file, line, f"{called(node)}({argument.name}=…) is not a literal")
                )
        if callee.plural and len(found) == 2:
            messages.append(Message(found[0][1], found[1][1], file, line))
        else:
            messages += [Message(text, None, file, line, arg.template) for arg, text in found]
        if callee.values is not None:
            problems += [
                Problem(file, line, what)
                for _, text in found
                if (what := _mismatch(text, node, callee))
            ]
    return messages, problems


def _given(node: ast.Call, callee: Callee) -> Iterator[tuple[Argument, ast.expr]]:
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    for argument in callee.arguments:
        if argument.position is not None and argument.position < len(node.args):
            yield argument, node.args[argument.position]
        elif argument.name in keywords:
            yield argument, keywords[argument.name]


def _is_opaque(node: ast.expr, callee: str) -> bool:
    """Whether a text that is not a literal has been looked up elsewhere."""
    if callee == "localised":  # its text may be a literal elsewhere
        return True
    if callee in LOOKUPS | {"marked"}:
        return False
    if isinstance(node, ast.Constant):  # None, for example
        return True
    return is_looked_up(node) or (
        isinstance(node, ast.Call) and called(node) not in {"format", "join"}
    )


def _mismatch(text: str, node: ast.Call, callee: Callee) -> str | None:
    """How the placeholders of a text and the keywords of its call differ."""
    if any(keyword.arg is None for keyword in node.keywords):
        return None
    given = {keyword.arg for keyword in node.keywords} - callee.values
    try:
        expected = placeholders(text)
    except ValueError as error:
        return f"{text!r}: {error}"
    if given == expected:
        return None
    return f"{text!r} has the placeholders {sorted(expected)}, the call gives {sorted(given)}"


def unmarked_prints(source: str, file: str) -> list[Problem]:
    """Calls of `print` with words that have not been looked up; commands may have them."""
    if file.startswith(COMMANDS[0]) or file.endswith(COMMANDS[1:]):
        return []
    return [
        Problem(file, node.lineno, f"prints {text!r} without looking it up")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and called(node) in {"print", "write"}
        for text in _words_in(node)
    ]


def _words_in(node: ast.Call) -> list[str]:
    """Literals with a word in the arguments of a call, those that are looked up left out."""
    found, waiting = [], list(node.args)
    while waiting:
        part = waiting.pop()
        if is_looked_up(part):
            continue
        text = literal(part)
        if text is not None and re.search(r"[A-Za-z]{2}", text):
            found.append(text)
        waiting += [child for child in ast.iter_child_nodes(part) if isinstance(child, ast.expr)]
    return found


def sources() -> Iterator[tuple[str, str]]:
    """(name, Python source) of each module of the package and each code cell of a notebook."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
    for path in all_notebooks():
        notebook = Notebook.read(path)
        for number, cell in notebook.code_cells:
            name = f"{path.relative_to(ROOT).as_posix()}, cell {number}"
            yield name, python_source(cell)


def extract_all() -> tuple[list[Message], list[Problem]]:
    """All messages of the course, in the order of the files, and all problems."""
    messages, problems = [], []
    for file, source in sources():
        found, wrong = extract(source, file)
        messages += found
        problems += wrong
    return messages, problems


def catalogue(messages: list[Message]):
    """The template as a babel `Catalog`; equal texts are one entry with all their places."""
    from babel.messages.catalog import Catalog

    template = Catalog(
        project="A course on attention",
        header_comment="# Texts of the course for translators.",
        fuzzy=False,
    )
    for message in messages:
        key = (message.text, message.plural) if message.plural else message.text
        # A cell is not a line of its file; a place without white space survives every gettext tool.
        place = (message.file.replace(", cell ", "#"), message.line)
        entry = template.add(key, locations=[place])
        entry.flags -= {"python-format", "python-brace-format"}
        if message.template and _has_placeholders(message):
            entry.flags.add("python-brace-format")
    return template


# Each ASCII letter with an accent, one character for one, so that columns stay aligned.
ACCENTED = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "áƀćďéḟǵħíĵḱĺḿńóṕɋŕśťúṽẃẋýźÁƁĆĎÉḞǴĦÍĴḰĹḾŃÓṔɊŔŚŤÚṼẂẊÝŹ",
)


def accented(text: str, template: bool = True) -> str:
    """The text with an accent on every letter; the placeholders of a template stay as they are."""
    if not template:
        return text.translate(ACCENTED)
    parts = re.split(r"(\{[A-Za-z_]\w*(?:![rsa])?(?::[^{}]*)?\})", text)
    return "".join(p if number % 2 else p.translate(ACCENTED) for number, p in enumerate(parts))


def write_pseudo_locale(folder: Path, language: str, messages: list[Message]) -> None:
    """A catalogue in which every text is `accented`, to be named in COURSE_LOCALE.

    Whatever a learner then sees without accents did not pass through the lookup.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo

    pseudo = Catalog(locale=language)
    for message in messages:
        text = accented(message.text, message.template)
        if message.plural:
            plural = accented(message.plural, message.template)
            pseudo.add((message.text, message.plural), (text, plural))
        else:
            pseudo.add(message.text, text)
    path = folder / language / "LC_MESSAGES" / "course_utils.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_mo(file, pseudo)


def _has_placeholders(message: Message) -> bool:
    try:
        return bool(placeholders(message.text + (message.plural or "")))
    except ValueError:  # braces that are never formatted
        return False


def main(arguments: list[str] | None = None) -> int:
    """Write the template; returns the exit status."""
    from babel.messages.pofile import write_po

    parser = argparse.ArgumentParser(description="Write a template of all texts for learners.")
    parser.add_argument("file", nargs="?", type=Path, help="where to write; default: stdout")
    chosen = parser.parse_args(arguments)
    messages, problems = extract_all()
    buffer = io.BytesIO()
    write_po(buffer, catalogue(messages), width=100)
    if chosen.file is None:
        sys.stdout.buffer.write(buffer.getvalue())
    else:
        chosen.file.write_bytes(buffer.getvalue())
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
