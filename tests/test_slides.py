"""The slides that the notebooks select: their number, their minutes, what they show."""

import json

import nbformat
import pytest

from tools.notebooks import Notebook, all_notebooks
from tools.slides import slides

PATHS = all_notebooks()
NOTEBOOKS = [Notebook.read(path) for path in PATHS]
DECKS = {notebook.name: made for notebook in NOTEBOOKS if (made := slides(notebook))}


def test_the_first_notebooks_have_a_deck_each():
    names = [path.stem for path in PATHS]
    assert list(DECKS) == names[: len(DECKS)]
    assert len(DECKS) >= 7


@pytest.mark.parametrize("name", DECKS)
def test_a_deck_fills_a_lesson(name):
    assert 12 <= len(DECKS[name]) <= 18
    assert 45 <= sum(slide.minutes for slide in DECKS[name]) <= 55


@pytest.mark.parametrize("name", DECKS)
def test_a_deck_has_notes_and_ends_with_what_to_do(name):
    assert [slide.title for slide in DECKS[name] if len(slide.notes.split()) < 8] == []
    titles = [slide.title for slide in DECKS[name]]
    assert len(set(titles)) == len(titles)
    if name[:2] != "00":
        assert titles[-2:] == ["Summary", "Exercises"]


@pytest.mark.parametrize("name", DECKS)
def test_a_slide_has_few_words(name):
    """Four short lines, or a table: what is longer belongs in the notes."""
    import re

    for slide in DECKS[name]:
        words = re.sub(r"<pre.*?</pre>|\$.*?\$|<[^>]+>", " ", " ".join(slide.words), flags=re.S)
        assert len(words.split()) <= 90, slide.title


# --- from cells to slides ---------------------------------------------------------------------


def notebook(folder, *cells):
    node = nbformat.v4.new_notebook(cells=list(cells))
    path = folder / "07_tiny.ipynb"
    path.write_text(json.dumps(node), "utf-8")
    return Notebook.read(path)


def markdown(source, **slideshow):
    return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": slideshow})


def code(source, *tags, output="", **slideshow):
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)] if output else []
    metadata = {"slideshow": slideshow, "tags": list(tags)}
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=outputs)


FIRST = {"slide_type": "slide", "minutes": 2, "text": ["## Short", "", "few"], "notes": ["say"]}


def test_text_stands_for_a_markdown_cell_and_skipped_cells_are_left_out(tmp_path):
    (slide,) = slides(
        notebook(
            tmp_path,
            markdown("## Long\n\nmany words", **FIRST),
            markdown("unseen", slide_type="skip"),
            markdown("seen", slide_type="-"),
        )
    )
    assert slide.title == "Short" and slide.minutes == 2 and "say" in slide.notes
    assert "few" in slide.html and "seen" in slide.html
    assert "many" not in slide.html and "unseen" not in slide.html


@pytest.mark.parametrize(
    ("tags", "slideshow", "seen"),
    [
        ((), {}, {"first", "second", "result"}),
        (("hide-input",), {}, {"result"}),
        (("setup",), {}, {"result"}),
        ((), {"show": "code"}, {"first", "second"}),
        ((), {"show": "output"}, {"result"}),
        ((), {"show": "code", "lines": [2, 2]}, {"second"}),
        (("hide-input",), {"show": "code"}, {"first", "second"}),
    ],
)
def test_what_a_code_cell_shows(tmp_path, tags, slideshow, seen):
    cell = code("first = 1\nsecond = 2", *tags, output="result", slide_type="-", **slideshow)
    (slide,) = slides(notebook(tmp_path, markdown("", **FIRST), cell))
    assert {word for word in ("first", "second", "result") if word in slide.html} == seen


def test_a_notebook_without_minutes_has_no_slides_yet(tmp_path):
    assert slides(notebook(tmp_path, markdown("## One", slide_type="slide"))) == []


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([markdown("", **FIRST | {"text": ["no title"]})], "title"),
        ([markdown("", **FIRST), markdown("## Two", slide_type="slide", minutes=1)], "notes"),
        ([markdown("early", slide_type="-"), markdown("", **FIRST)], "none has begun"),
        ([markdown("", **FIRST | {"note": ["misspelt"]})], "no note"),
        ([markdown("", **FIRST), code("x", slide_type="-", show="figure")], "'figure'"),
        ([markdown("", **FIRST), code("x", slide_type="-", show="output")], "no output"),
        ([markdown("", **FIRST), code("x", slide_type="-", lines=[2, 3])], "no lines 2 to 3"),
    ],
)
def test_metadata_that_cannot_be_followed_is_named(tmp_path, cells, complaint):
    with pytest.raises(ValueError, match=f"07_tiny, cell .*{complaint}"):
        slides(notebook(tmp_path, *cells))
