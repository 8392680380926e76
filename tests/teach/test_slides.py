"""The slides in a browser: nothing is cut, nothing is too small, nothing is fetched."""

import html
import re
import subprocess
import sys

import pytest

from tools import slides
from tools.browser import call
from tools.notebooks import ROOT, Notebook, all_notebooks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not slides.REVEAL.is_dir(), reason="reveal.js is not installed: needs npm"),
]

# Pixels of a slide of 720: on a screen of 1080 they are half as large again.
FIGURE_TEXT, CODE_TEXT, WORD_TEXT = 13.5, 16, 22
DECKS = [path.stem for path in all_notebooks() if slides.slides(Notebook.read(path))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All decks, as `make slides` writes them."""
    folder = tmp_path_factory.mktemp("made") / "the slides"
    tool = ROOT / "tests" / "tools" / "slides.py"
    command = [sys.executable, str(tool), "--out", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def seen(folder):
    """What a browser finds on every slide, by deck."""
    limits = f"{FIGURE_TEXT},{CODE_TEXT},{WORD_TEXT}"
    found = call("slides", limits, *(folder / f"{name}.html" for name in DECKS))
    return {name: found[str(folder / f"{name}.html")] for name in DECKS}


@pytest.mark.parametrize("name", DECKS)
def test_every_slide_shows_all_of_itself(name, seen):
    numbered = enumerate(seen[name]["slides"], start=1)
    assert [f"slide {n}: {fault}" for n, slide in numbered for fault in slide["found"]] == []


@pytest.mark.parametrize("name", DECKS)
def test_a_deck_needs_nothing_but_its_folder(name, seen):
    assert seen[name]["outside"] == [] and seen[name]["errors"] == []


@pytest.mark.parametrize("name", DECKS)
def test_formulas_are_set(name, seen, folder):
    text = (folder / f"{name}.html").read_text("utf-8")
    with_formula = [
        "$" in re.sub(r"(?s)<pre.*?</pre>|<aside.*?</aside>", "", part)
        for part in text.split("<section ")[1:]
    ]
    assert [slide["formulas"] > 0 for slide in seen[name]["slides"]] == with_formula


@pytest.mark.parametrize("name", DECKS)
def test_figures_keep_their_texts(name, seen):
    notebook = Notebook.read(next(path for path in all_notebooks() if path.stem == name))
    outputs = [output for _, cell in notebook.code_cells for output in cell.outputs]
    stored = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    alts = {html.unescape(alt) for alt in re.findall(r'<img alt="([^"]*)"', stored)}
    shown = [alt for slide in seen[name]["slides"] for alt in slide["alts"]]
    assert shown and set(shown) <= alts


def test_the_first_page_leads_to_every_deck(folder):
    page = (folder / "index.html").read_text("utf-8")
    assert re.findall(r'href="([^"]+)\.html"', page) == DECKS
