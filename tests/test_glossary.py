"""The glossary: each term, defined where a notebook introduces it, and not used before."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.notebooks import FOLDER, Notebook, all_notebooks
from tools.rules import headings_of

GLOSSARY = FOLDER / "GLOSSARY.md"
ENTRY = re.compile(
    r"^- \*\*(?P<term>[^*]+)\*\*(?P<everyday>°?): (?P<definition>.+?) "
    r"\[(?P<number>\d\d), (?P<heading>.+)\]\((?P<file>[^#)]+)#[^ ]+ \"(?P<cell>[^\"]+)\"\)$"
)
# Where a term may be read before it is introduced: what a notebook is about, the map of the course,
# and the self-test, whose answers lead to the bridge that introduces its terms.
AHEAD = {"the-map", "in-a-hurry", "how-the-notebooks-work", "is-everything-in-place"}
QUESTION = re.compile(r"\*\*\d\.\*\*")
FORWARD = {
    ("CTC", "nobody-told-it"): "says “see below”",
    ("bag of words", "somebody-has-to-read"): "names the section to come",
}


@dataclass(frozen=True)
class Entry:
    """A term, whether it is an everyday word as well, and the cell that introduces it."""

    term: str
    everyday: bool
    file: str
    heading: str
    cell: str

    @property
    def uses(self) -> re.Pattern:
        names = "|".join(re.escape(name) for name in self.term.split(", "))
        return re.compile(rf"(?<![\w-])(?:{names})s?(?![\w-])", re.IGNORECASE)


def entries(text: str) -> list[Entry]:
    found = [ENTRY.match(line) for line in text.splitlines() if line.startswith("- ")]
    assert found and all(found), "a line of the glossary has another form"
    return [
        Entry(m["term"].replace("\\", ""), bool(m["everyday"]), m["file"], m["heading"], m["cell"])
        for m in found
    ]


ENTRIES = entries(GLOSSARY.read_text("utf-8"))
NOTEBOOKS = {path.name: Notebook.read(path).node.cells for path in all_notebooks()}


def prose(cell) -> str:
    """The text of a Markdown cell without code, formulas and the targets of its links."""
    text = re.sub(r"(?ms)^```.*?^```", "", cell.source)
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", " ", text, flags=re.S)
    return re.sub(r"\]\([^)]*\)", "]", text)


def used_before(entry: Entry, notebooks=NOTEBOOKS) -> list[str]:
    """The cells that use a term before the one that introduces it."""
    found = []
    for name, cells in sorted(notebooks.items()):
        for number, cell in enumerate(cells):
            if (name, cell["id"]) == (entry.file, entry.cell):
                return found
            ahead = number == 0 or cell["id"] in AHEAD or QUESTION.match(cell.source)
            if cell.cell_type != "markdown" or ahead or (entry.term, cell["id"]) in FORWARD:
                continue
            if entry.uses.search(prose(cell)):
                found.append(f"{name} {cell['id']}")
    raise AssertionError(f"{entry.term}: {entry.file} has no cell {entry.cell}")


def test_terms_are_sorted_and_defined_once():
    terms = [entry.term.casefold() for entry in ENTRIES]
    assert terms == sorted(set(terms)) and len(terms) > 100
    assert {entry.file for entry in ENTRIES} == set(NOTEBOOKS)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.term)
def test_a_term_is_not_used_before_it_is_introduced(entry):
    early = used_before(entry)
    assert entry.everyday or not early, f"{entry.term} is used in {early} before {entry.cell}"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.term)
def test_an_entry_leads_to_the_place_that_introduces_it(entry):
    cells = NOTEBOOKS[entry.file]
    place = next(i for i, cell in enumerate(cells) if cell["id"] == entry.cell)
    words = [word for word in re.findall(r"[\w<>-]+", entry.term.casefold()) if len(word) > 2]
    around = " ".join(cell.source.casefold() for cell in cells[place : place + 2])
    assert any(word.rstrip("s")[:6] in around for word in words), f"{entry.cell} lacks the term"
    titles = [
        title
        for cell in cells[: place + 1]
        if cell.cell_type == "markdown"
        for _, title in headings_of(cell.source)
    ]
    first = [title for _, title in headings_of(cells[place].source)][:1]
    assert entry.heading == plain((first or titles[-1:])[0])


def plain(title: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").replace("*", "")


@pytest.mark.parametrize("path", all_notebooks(), ids=lambda path: path.stem)
def test_every_notebook_links_to_the_glossary(path: Path):
    assert any("](GLOSSARY.md)" in cell.source for _, cell in Notebook.read(path).markdown_cells)


def test_a_term_that_is_used_too_early_is_found():
    entry = next(entry for entry in ENTRIES if entry.term == "beam search")
    assert used_before(entry) == []
    (path,) = (path for path in all_notebooks() if path.name.startswith("01"))
    cells = Notebook.read(path).node.cells
    cells[3].source += " A beam search would find it."
    assert used_before(entry, NOTEBOOKS | {path.name: cells}) == [f"{path.name} {cells[3]['id']}"]
