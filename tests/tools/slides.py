"""Cut a deck of slides from each notebook, with the outputs that it stores.

    python tests/tools/slides.py                 # into site/slides, as `make slides` does
    python tests/tools/slides.py --out DIR

The slide metadata of a notebook selects the cells of its deck; CONTRIBUTING.md says how.
Nothing is executed and nothing is fetched: the decks work on any web server, and as files. The last
ones stay until the new ones are complete.
"""

import argparse
import base64
import io
import re
import shutil
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import nbformat
from nbconvert.filters import Highlight2HTML, ansi2html, markdown2html
from PIL import Image
from pygments.formatters import HtmlFormatter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `tools` is found

from course_utils.runtime import replacing_folder
from tools.notebooks import ROOT, Notebook, all_notebooks, tags

ASSETS = ROOT / "tools" / "website"
REVEAL = ASSETS / "node_modules" / "reveal.js"
BROUGHT_ALONG = (
    *(REVEAL / name for name in ("dist/reveal.js", "dist/reveal.css", "plugin/notes/notes.js")),
    ASSETS / "node_modules" / "mathjax" / "es5" / "tex-svg.js",
    ASSETS / "slides.css",
    ASSETS / "slides.js",
)

BEGINS = {"slide", "subslide"}
KEYS = {"slide_type", "minutes", "text", "notes", "show", "lines"}
SHOWN = {"code", "output"}
WIDE = 1.7  # a figure with less width than this for each unit of height stands beside the text
WIDTH, HEIGHT = 780, 590  # at most, in pixels of a slide of 1280 × 720
LONGEST = 112  # letters in a line of printed text
LARGEST = 1.6  # times its size in the notebook
FIGURE = re.compile(
    r'<img alt="(?P<alt>[^"]*)" width="(?P<width>\d+)" src="data:[^;]+;base64,(?P<data>[^"]+)"'
)


@dataclass
class Slide:
    """What one slide shows, as HTML, in the order of its cells; what is said; the minutes."""

    title: str
    minutes: float
    notes: str
    words: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    @property
    def html(self) -> str:
        shown = f"<h2>{self.title}</h2>\n" + "\n".join(
            f'<div class="{name}">\n' + "\n".join(parts) + "\n</div>"
            for name, parts in (("words", self.words), ("outputs", self.outputs))
            if parts
        )
        width = max(map(beside, self.outputs), default=0) if self.words else 0
        layout = f'class="slide beside" style="--figure:{width}px"' if width else 'class="slide"'
        return (
            f'<section data-timing="{round(60 * self.minutes)}">\n'
            f"<div {layout}>\n{shown}\n</div>\n"
            f'<aside class="notes">\n{self.notes}\n</aside>\n</section>'
        )


# --- from cells to slides ---------------------------------------------------------------------


def slides(notebook: Notebook) -> list[Slide]:
    """The slides of a notebook; none if no cell says how many minutes its slide takes.

    Raises ValueError where the metadata of a cell cannot be followed.
    """
    cells = notebook.node.cells
    if not any("minutes" in cell.metadata.get("slideshow", {}) for cell in cells):
        return []
    made: list[Slide] = []
    for number, cell in notebook.cells:
        said = cell.metadata.get("slideshow", {})
        place = f"{notebook.name}, cell {number}"
        if unknown := set(said) - KEYS:
            raise ValueError(f"{place}: slideshow has no {', '.join(sorted(unknown))}")
        if said.get("slide_type") == "skip":
            continue
        text = "\n".join(said["text"]) if "text" in said else own_text(cell)
        if said.get("slide_type") in BEGINS:
            title, text = titled(text, place)
            missing = {"minutes", "notes"} - set(said)
            if missing:
                raise ValueError(f"{place} begins a slide without {' and '.join(sorted(missing))}")
            notes = markdown("\n".join(said["notes"]))
            made.append(Slide(markdown(title, inline=True), said["minutes"], notes))
        elif not made:
            raise ValueError(f"{place} continues a slide, but none has begun")
        if text.strip():
            made[-1].words.append(markdown(text))
        if cell.cell_type == "code":
            add_code(made[-1], cell, said, place)
    return made


def own_text(cell: nbformat.NotebookNode) -> str:
    return cell.source if cell.cell_type == "markdown" else ""


def titled(text: str, place: str) -> tuple[str, str]:
    """The title of a slide and the text below it."""
    match = re.match(r"#+ (.+)\n*", text)
    if match is None:
        raise ValueError(f"{place} begins a slide: its text has to begin with a title, '## …'")
    return match[1], text[match.end() :]


def add_code(slide: Slide, cell: nbformat.NotebookNode, said: dict, place: str) -> None:
    """The code of a cell, its outputs, or both."""
    hidden = {"setup", "hide-input"} & set(tags(cell))
    show = said.get("show", "output" if hidden else "both")
    if show not in {*SHOWN, "both"}:
        raise ValueError(f"{place}: show is {show!r}, not one of code, output, both")
    if show != "output":
        first, last = said.get("lines", (1, len(cell.source.splitlines())))
        lines = cell.source.splitlines()[first - 1 : last]
        if not lines:
            raise ValueError(f"{place} has no lines {first} to {last}")
        slide.words.append(highlighted("\n".join(lines).strip("\n")))
    if show != "code":
        parts = [part for output in cell.outputs if (part := shown(output))]
        if show == "output" and not parts:
            raise ValueError(f"{place} has no output to show: make outputs stores it")
        slide.outputs += parts


def beside(part: str) -> int:
    """The width on a slide of a figure that stands beside the text, in pixels; 0 if it does not.

    A figure does if it is not much wider than high. It gets all the height below the title.
    """
    if (figure := FIGURE.match(part)) is None:
        return 0
    with Image.open(io.BytesIO(base64.b64decode(figure["data"]))) as image:
        shape = image.width / image.height
    wanted = min(HEIGHT * shape, LARGEST * int(figure["width"]), WIDTH)
    return round(wanted) if shape < WIDE else 0


def shown(output: nbformat.NotebookNode) -> str:
    """An output as HTML: a figure with its text for those who cannot see it, or lines."""
    if output.output_type == "stream":
        return lines(output.text)
    data = output.get("data", {})
    if (html := data.get("text/html")) is None:
        return lines(data.get("text/plain", ""))
    return FIGURE.sub(
        lambda found: f'{found[0]} style="max-width:{LARGEST * int(found["width"]):.0f}px"', html
    )


def lines(text: str) -> str:
    """Text as it was printed, in letters as large as its lines allow; the longest ones wrap."""
    if not text.strip():
        return ""
    wide = min(columns(text), LONGEST)
    return f'<pre style="--columns:{wide}">{ansi2html(text.rstrip())}</pre>'


def highlighted(source: str) -> str:
    html = Highlight2HTML(pygments_lexer="ipython3")(source)
    return html.replace("<pre>", f'<pre style="--columns:{columns(source)}">', 1)


def columns(text: str) -> int:
    return max(len(line) for line in text.splitlines())


def markdown(text: str, inline: bool = False) -> str:
    """Markdown as HTML, without links: a lecture does not leave the deck."""
    html = re.sub(r"</?a\b[^>]*>", "", markdown2html(text).replace("¶", ""))
    return re.sub(r"^<p>|</p>\s*$", "", html.strip()) if inline else html


# --- decks ------------------------------------------------------------------------------------


def deck(made: list[Slide]) -> str:
    """A page with the slides of one notebook."""
    title = re.sub(r"<[^>]+>", "", made[0].title)
    body = "\n".join(slide.html for slide in made)
    return page(
        title, f'<div class="reveal"><div class="slides">\n{body}\n</div></div>', script=True
    )


def contents(decks: dict[str, list[Slide]]) -> str:
    """The page that leads to the decks."""
    rows = "\n".join(
        f'<li><a href="{name}.html">{made[0].title}</a>: {len(made)} slides, '
        f"{sum(slide.minutes for slide in made):g} minutes</li>"
        for name, made in decks.items()
    )
    keys = "S: what to say, with a clock. F: the whole screen. O: all slides. B: black."
    return page(
        "Slides of the course on attention",
        f'<main class="contents"><h1>Slides</h1>\n<ul>\n{rows}\n</ul>\n<p>{keys}</p></main>',
    )


def page(title: str, body: str, script: bool = False) -> str:
    files = ("slides.js", "reveal.js", "notes.js", "tex-svg.js") if script else ()
    scripts = "".join(f'<script src="files/{name}" defer></script>\n' for name in files)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title, quote=False)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="stylesheet" href="files/reveal.css">\n'
        '<link rel="stylesheet" href="files/code.css">\n'
        '<link rel="stylesheet" href="files/slides.css">\n'
        f"{scripts}</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def write_decks(out: Path, notebooks: list[Notebook]) -> list[str]:
    """Write a deck for each notebook that selects slides; returns the names of the others."""
    decks = {notebook.name: slides(notebook) for notebook in notebooks}
    files = out / "files"
    files.mkdir()
    for path in BROUGHT_ALONG:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: make slides installs it with npm")
        shutil.copy(path, files)
    colours = HtmlFormatter(style="vs").get_style_defs(".highlight")
    (files / "code.css").write_text(colours, "utf-8")
    found = {name: made for name, made in decks.items() if made}
    for name, made in found.items():
        (out / f"{name}.html").write_text(deck(made), "utf-8")
    (out / "index.html").write_text(contents(found), "utf-8")
    return [name for name, made in decks.items() if not made]


def main(arguments: list[str]) -> int:
    """Read the command line and write the decks."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "site" / "slides", metavar="DIR")
    out = parser.parse_args(arguments).out.resolve()
    try:
        with replacing_folder(out) as folder:
            without = write_decks(folder, [Notebook.read(path) for path in all_notebooks()])
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for name in without:
        print(f"{name} has no slides yet: no cell says how many minutes its slide takes")
    print(f"Open {out / 'index.html'} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
