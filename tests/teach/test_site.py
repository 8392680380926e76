"""The site: complete, without dead links, readable on a telephone and by a screen reader."""

import functools
import html
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from PIL import Image

from tools import website
from tools.browser import call, grave, require
from tools.notebooks import FOLDER, ROOT, all_notebooks
from tools.rules import headings_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.* is deprecated. Check CHANGES for Sphinx API"),
    pytest.mark.skipif(
        not website.MATHJAX.is_dir(), reason="MathJax is not installed: make site needs npm"
    ),
]


class Document(HTMLParser):
    """What a page has: anchors, the addresses it names, headings and pictures of its article."""

    def __init__(self, path: Path):
        super().__init__()
        self.in_article = False
        self.anchors, self.addresses, self.levels, self.alts = set(), [], [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found.get("id"), found.get("name")}
        self.addresses += [found[name] for name in ("href", "src") if found.get(name)]
        self.in_article |= tag == "article"
        if self.in_article and re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if self.in_article and tag == "img":
            self.alts.append(found.get("alt"))

    def handle_endtag(self, tag):
        self.in_article &= tag != "article"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of the course, and what was written about it on standard error."""
    folder = tmp_path_factory.mktemp("site") / "attention course"
    (folder / "slides").mkdir(parents=True)
    (folder / "slides" / "01.html").write_text("<title>slides</title>")
    (folder / "old.html").write_text("<title>old</title>")
    tool = ROOT / "tests" / "tools" / "website.py"
    command = [sys.executable, str(tool), "--out", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert made.returncode == 0, made.stderr
    assert "WARNING" not in made.stderr
    return folder


@pytest.fixture(scope="module")
def documents(site):
    """Every page of the site, by its address in it."""
    paths = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    return {path.relative_to(site).as_posix(): Document(path) for path in paths}


def of_the_course(names):
    """The pages that are not of the reference or the slides."""
    return [name for name in names if "/" not in name]


# --- what is there ----------------------------------------------------------------------------


def test_every_document_of_the_course_is_a_page(documents):
    texts = {path.stem.lower() for place in (ROOT, FOLDER) for path in place.glob("*.md")}
    wanted = {path.stem for path in all_notebooks()} | texts - {"readme"} | {"index", "manual"}
    assert {f"{name}.html" for name in wanted} <= set(documents)
    assert {"search.html", "package.html", "api/course_utils/attention.html"} <= set(documents)


def test_the_old_site_is_gone_and_the_slides_are_not(site):
    assert not (site / "old.html").exists() and (site / "slides" / "01.html").exists()
    assert list(site.parent.iterdir()) == [site]


@pytest.mark.parametrize("path", all_notebooks(), ids=lambda path: path.stem)
def test_a_page_has_the_headings_and_figures_of_its_notebook(path, documents):
    cells = nbformat.read(path, as_version=4).cells
    page = documents[f"{path.stem}.html"]
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    titles = [level for text in texts for level, _ in headings_of(text)]
    assert page.levels[: len(titles)] == titles
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    alts = [alt for one in pages for alt in re.findall(r'<img alt="([^"]*)"', one)]
    assert page.alts == [html.unescape(alt) for alt in alts]


def test_headings_are_in_order(documents):
    for name in set(of_the_course(documents)) - {"search.html", "genindex.html"}:
        levels = documents[name].levels
        assert levels[0] == 1 and levels.count(1) == 1, name
        assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), name


def test_an_exercise_shows_its_stub_and_folds_its_solution(site):
    page = (site / "01_concepts.html").read_text("utf-8")
    assert page.index("ask_all") < page.index("<summary>One way to solve 01.1</summary>")
    assert "is not solved yet" not in page


# --- links ------------------------------------------------------------------------------------


def dead(documents, site):
    """Addresses inside the site that lead nowhere, or that hold only at one place of a server."""
    found = []
    for name, document in documents.items():
        for address in document.addresses:
            parts = urlsplit(address)
            if parts.scheme in {"https", "http", "mailto", "data", "javascript"}:
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            target = target.resolve()
            if parts.netloc or address.startswith("/") or not target.is_relative_to(site.resolve()):
                found.append(f"{name}: {address} leaves the site")
            elif not target.exists():
                found.append(f"{name}: {address}")
            elif parts.fragment and target.suffix == ".html":
                other = documents[target.relative_to(site.resolve()).as_posix()]
                if unquote(parts.fragment) not in other.anchors:
                    found.append(f"{name}: {address}, no such anchor")
    return found


def test_no_link_is_dead(documents, site):
    assert dead(documents, site) == []


def test_a_dead_link_is_found(tmp_path):
    text = '<h1 id="a"></h1><a href="#a"></a><a href="#b"></a><img src="/c"><a href="d"></a>'
    (tmp_path / "x.html").write_text(text)
    found = dead({"x.html": Document(tmp_path / "x.html")}, tmp_path)
    assert [line.split()[1].strip(",") for line in found] == ["#b", "/c", "d"]


LINKS = {
    "01_a.ipynb": "01_a.html",
    "01_a.ipynb#Four-machines,-one-mechanism": "01_a.html#four-machines-one-mechanism",
    "01_a.ipynb#four-machines-one-mechanism": "01_a.html#four-machines-one-mechanism",
    "01_a.ipynb#What-is-$x$%3F": "01_a.html#what-is-x",
    "WORDS.md#smith1999": "words.html#smith1999",
    "../README.md#questions": "manual.html#questions",
    "../README.md#the-notebooks": "index.html#the-notebooks",
    "https://example.org/a_b": "https://example.org/a_b",
    "../Makefile": None,  # not in the site: only the text is left
}


def test_links_of_every_kind_arrive(tmp_path):
    text = "\n".join(f"- [number{n}]({link})" for n, link in enumerate(LINKS))
    website.write_pages(tmp_path / "site", write_course(tmp_path, text))
    page = (tmp_path / "site" / "00_first.html").read_text("utf-8")
    for number, target in enumerate(LINKS.values()):
        link = rf'(?:<a [^>]*href="([^"]+)"[^>]*>(?:<span[^>]*>)?)?number{number}\b'
        assert [shown[1] for shown in re.finditer(link, page)] == [target]
        place, _, anchor = (target or "").partition("#")
        if anchor:
            assert anchor in Document(tmp_path / "site" / place).anchors


@pytest.mark.parametrize(
    ("fault", "warning"),
    [
        ("[x](#nowhere)", "target not found: 'nowhere'"),
        ("[x](01_a.ipynb#nowhere)", "target not found: 'nowhere'"),
        ("### Too deep", "Non-consecutive header"),
    ],
)
def test_a_fault_stops_the_build(fault, warning, tmp_path):
    with pytest.raises(RuntimeError, match=warning):
        website.write_pages(tmp_path / "site", write_course(tmp_path, fault))


def write_course(folder, text):
    """A course of two notebooks and two texts."""
    course = folder / "course"
    (course / "notebooks").mkdir(parents=True)
    opening = "# A course\n\nWords.\n\n```bash\nmake course\n```\n\nNeeds.\n\nRest."
    readme = [
        opening,
        "## The notebooks",
        "## Gallery",
        "![A cat.](cat.png)",
        "## Questions",
        "Why?",
    ]
    (course / "README.md").write_text("\n\n".join(readme) + "\n", "utf-8")
    (course / "Makefile").write_text("")
    Image.new("L", (3, 5)).save(course / "cat.png")
    words = '# Words\n\n<a id="smith1999"></a>\n**Smith (1999).** *Words.*\n'
    (course / "notebooks" / "WORDS.md").write_text(words, "utf-8")
    cell = nbformat.v4.new_markdown_cell
    notebooks = {
        "00_first": [cell("# First"), cell(text)],
        "01_a": [cell("# A"), cell("## Four machines, one mechanism\n\n## What is $x$?")],
    }
    for name, cells in notebooks.items():
        notebook = nbformat.v4.new_notebook(cells=cells)
        nbformat.write(notebook, course / "notebooks" / f"{name}.ipynb")
    return course


# --- in a browser -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen(site, documents):
    """What a browser finds on each page, opened as a file."""
    require()
    base, found = f"{site.as_uri()}/", {}
    for name in of_the_course(documents):
        found |= call("site", base, name)
    # A page that only leads to another one is gone before it can be looked at.
    leads_on = 'http-equiv="refresh"'
    reference = [
        name
        for name in documents
        if name.startswith("api/") and leads_on not in (site / name).read_text(encoding="utf-8")
    ]
    return found | call("visit", base, *reference)


@pytest.fixture(scope="module")
def read_out(site, seen):
    """The same, with what axe finds on some pages of the reference, which have one template."""
    reference = [name for name in seen if name.count("/") == 2]
    return seen | call("site", f"{site.as_uri()}/", *reference[:20])


def test_no_page_needs_anything_from_outside(seen):
    assert {name: page["outside"] for name, page in seen.items() if page["outside"]} == {}
    assert {name: page["errors"] for name, page in seen.items() if page["errors"]} == {}


def test_all_formulas_are_set(seen):
    assert {name: page["unset"] for name, page in seen.items() if page["unset"]} == {}
    assert seen["02_attention_math.html"]["formulas"] > 100
    assert seen["02_attention_math.html"]["rendered"] > 500


@pytest.mark.parametrize("screen", ["desktop", "telephone"])
def test_a_screen_reader_can_read_the_pages(screen, read_out):
    """The telephone is dark."""
    found = {name: grave(page[screen]) for name, page in read_out.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_page_is_wider_than_a_telephone(seen):
    assert {name: page["width"] for name, page in seen.items() if page["width"] > 390} == {}


def test_the_front_page_says_in_one_screen_what_the_course_is(seen, site):
    page = (site / "index.html").read_text("utf-8")
    assert seen["index.html"]["hero"] <= 800
    assert len(seen["index.html"]["images"]) >= 3 and all(seen["index.html"]["images"])
    start = re.sub("<[^>]+>", "", page[page.index("hero-start") :])
    assert start.index("make course") < start.index("make test") < 300


@pytest.fixture
def served(site):
    """The address of the site below a path of a web server."""
    handler = functools.partial(QuietHandler, directory=str(site.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{site.name.replace(' ', '%20')}/"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def test_the_search_finds_a_term_in_files(site):
    assert_found(f"{site.as_uri()}/")


def test_pages_and_search_work_below_a_path_of_a_server(served):
    page = call("visit", served, "02_attention_math.html")["02_attention_math.html"]
    assert page["outside"] == page["errors"] == page["unset"] == []
    assert_found(served)


def assert_found(base):
    require()
    found = [address.removeprefix(base) for _, address in call("search", base, "beam search")]
    assert found[0] == "glossary.html#term-beam-search"
    assert "03_machine_translation.html#beam-search" in found
