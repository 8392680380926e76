"""Write the course as a static site, from the outputs that the notebooks store.

    python tests/tools/website.py                # into site, as `make site` does
    python tests/tools/website.py --out DIR

Nothing is executed and nothing is fetched. The pages work at any address of a web server, and as
files. Every notebook and every Markdown file of the course becomes a page; links between them, and
to their headings, lead to the pages. A warning of Sphinx is an error. The last site stays until the
new one is complete, and so does what other tools wrote into the folders of `KEPT`.
"""

import argparse
import ast
import base64
import contextlib
import hashlib
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import nbformat
from nbformat.v4 import new_markdown_cell

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `tools` is found

from course_utils.exercises import get, numbers, solution
from tools import reference
from tools.notebooks import FOLDER, ROOT, Notebook, all_notebooks, tagged
from tools.rules import headings_of

ASSETS = ROOT / "tools" / "website"
MATHJAX = ASSETS / "node_modules" / "mathjax"
KEPT = {"slides"}  # written by `make slides`
INDEX, MANUAL, PACKAGE = "index", "manual", "package"

CODE = r"(?ms:^(```|~~~).*?^\1[ \t]*$)|`[^`\n]*`|(?s:\$\$.*?\$\$)|\$[^$\n]*\$"
LINK = r"(?P<image>!?)\[(?P<text>(?:[^\[\]`]|`[^`]*`)*)\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)"
LINKS = re.compile(f"{LINK}|{CODE}")
TERM = re.compile(r"(?m)^- \*\*(.+?)\*\*(°?): (.+)$")
ANCHOR = re.compile(r"<a id=\"([^\"]+)\"></a>\n")
DATA_IMAGE = re.compile(r'src="data:image/(png|jpeg|svg\+xml);base64,([^"]+)"')


class Section(NamedTuple):
    """A heading of a document and the text below it, up to the next heading of that level."""

    title: str
    text: str


@dataclass
class Page:
    """A page to be: what it is made of, and the file whose place its links are relative to."""

    name: str
    group: str
    origin: Path
    text: str = ""
    notebook: nbformat.NotebookNode | None = None
    slugs: dict[str, str] = field(default_factory=dict)  # anchor, in any style → that of the page

    def __post_init__(self) -> None:
        found: list[str] = []
        for _, title in headings_of(self.markdown):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
            name = slug(re.sub(r"\$[^$]*\$|\*", "", plain))
            count = found.count(name)
            found.append(name)
            name = f"{name}-{count}" if count else name
            for anchor in (plain.replace(" ", "-"), slug(plain), name):
                self.slugs.setdefault(anchor, name)

    @property
    def markdown(self) -> str:
        """All of its Markdown."""
        if self.notebook is None:
            return self.text
        return "\n\n".join(c.source for c in self.notebook.cells if c.cell_type == "markdown")

    @property
    def file(self) -> str:
        return self.name + (".md" if self.notebook is None else ".ipynb")


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it; Sphinx calls this function, too."""
    return re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-")


def sections(text: str) -> tuple[str, list[Section]]:
    """What stands before the first heading of level 2, and the sections."""
    first, *rest = re.split(r"(?m)^## +(.+)\n", text)
    return first, [Section(*pair) for pair in zip(rest[::2], rest[1::2], strict=True)]


# --- pages ------------------------------------------------------------------------------------


def pages(root: Path = ROOT) -> list[Page]:
    """Every page but that of the package, in the order of the navigation."""
    folder = root / FOLDER.name
    front, manual = readme(root / "README.md")
    notebooks = [
        Page(path.stem, "Notebooks", path, notebook=Notebook.read(path).node)
        for path in all_notebooks(folder)
    ]
    places = {"Look up": folder, "The project": root}
    texts = [
        Page(path.stem.lower(), group, path, path.read_text("utf-8"))
        for group, place in places.items()
        for path in sorted(place.glob("*.md"))
        if path.name != "README.md"
    ]
    return [front, *notebooks, manual, *texts]


def readme(path: Path) -> tuple[Page, Page]:
    """What README says, as two pages: what the course is, in one screen, and how to use it."""
    opening, parts = sections(path.read_text("utf-8"))
    title, words, commands, needs, rest = opening.split("\n\n", maxsplit=4)
    named = {part.title: part.text for part in parts}
    pictures = "\n\n".join(re.findall(r"(?m)^!\[.*\)$", named.pop("Gallery")))
    read = f"[Read the course](notebooks/{all_notebooks(path.parent / FOLDER.name)[0].name})"
    blocks = {"words": words, "start": f"{commands}\n\n{needs}\n\n{read}", "pictures": pictures}
    hero = [f":::{{container}} hero-{name}\n{text}\n:::" for name, text in blocks.items()]
    front = [title, "::::{container} hero", *hero, "::::"]
    front += [f"## The notebooks\n{named.pop('The notebooks')}"]
    manual = ["# Using the course", f"## Set-up\n\n{rest.strip()}"]
    manual += [f"## {name}\n{text.strip()}" for name, text in named.items()]
    return (
        Page(INDEX, "", path, "\n\n".join(front)),
        Page(MANUAL, "The project", path, "\n\n".join(manual)),
    )


def contents(made: list[Page]) -> str:
    """The navigation, as directives at the end of the front page."""
    groups: dict[str, list[str]] = {}
    for page in made:
        groups.setdefault(page.group, []).append(page.name)
    groups["Look up"].append(PACKAGE)
    return "".join(
        f"\n\n```{{toctree}}\n:hidden:\n:caption: {group}\n\n" + "\n".join(groups[group]) + "\n```"
        for group in ("Notebooks", "Look up", "The project")
    )


def package() -> str:
    """The page that leads to the reference: every module with its first line and its names."""
    groups: dict[str, list[str]] = {}
    for name in reference.modules():
        path = ROOT.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        tree = ast.parse(file.read_bytes())
        said = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
        page = f"api/{name.replace('.', '/')}.html"
        names = ", ".join(linked(f"{page}#{one}", one) for one in exported(tree))
        group = name if path.is_dir() else name.rpartition(".")[0]
        line = f"- **{linked(page, name)}**: {said}." + (f"\\\n  {names}" if names else "")
        groups.setdefault(group, []).append(line)
    parts = [
        f"## {group.removeprefix('course_utils.')}\n\n" + "\n".join(lines)
        for group, lines in groups.items()
    ]
    opening = "# API reference\n\nEvery module of the package, what it is for, and what it offers."
    return "\n\n".join([opening, *parts]) + "\n"


def linked(target: str, name: str) -> str:
    return f'<a href="{target}"><code>{name}</code></a>'


def exported(tree: ast.Module) -> list[str]:
    """The names in the ``__all__`` of a module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value) if isinstance(node.value, ast.List) else []
    return []


# --- preparation ------------------------------------------------------------------------------


@dataclass
class Preparation:
    """Writes the sources that Sphinx reads into a folder."""

    folder: Path
    made: list[Page]

    @property
    def extra(self) -> Path:
        """What is copied beside the pages as it is."""
        return self.folder / "_extra"

    def write(self) -> None:
        """Write everything; the folder is made."""
        self.extra.mkdir(parents=True)
        for page in self.made:
            if page.notebook is None:
                text = self.prepared(page.text, page)
                text += contents(self.made) if page.name == INDEX else ""
                (self.folder / page.file).write_text(text, "utf-8")
            else:
                page.notebook.cells = list(self.cells(page))
                nbformat.write(page.notebook, self.folder / page.file)
        (self.folder / f"{PACKAGE}.md").write_text(package(), "utf-8")
        scripts = self.folder / "_static" / "mathjax"
        scripts.mkdir(parents=True)
        for path in (MATHJAX / "es5" / "tex-svg.js", MATHJAX / "LICENSE"):
            shutil.copy(path, scripts)
        for path in ASSETS.glob("site.*"):
            shutil.copy(path, scripts.parent)

    def cells(self, page: Page) -> Iterator[nbformat.NotebookNode]:
        """The cells of a notebook, exercises with one way to solve them."""
        for cell in page.notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = self.prepared(cell.source, page)
            for output in cell.get("outputs", ()):
                if "text/html" in output.get("data", {}):
                    output.data["text/html"] = self.stored(output.data["text/html"])
            exercises = [number for number in tagged(cell, "exercise:") if number in numbers()]
            if exercises:
                cell.outputs = []  # says only that nobody has solved it
            yield cell
            for number in filter(solution_is_shown, exercises):
                yield new_markdown_cell(
                    f"<details><summary>One way to solve {number}</summary>\n\n"
                    f"```python\n{get(number).solution_source.strip()}\n```\n\n</details>"
                )

    def stored(self, html: str) -> str:
        """An output with its pictures as files: pages stay small, and a browser loads them late."""

        def store(match: re.Match) -> str:
            data = base64.b64decode(match[2])
            name = f"{hashlib.sha256(data).hexdigest()[:16]}.{match[1].partition('+')[0]}"
            (self.extra / "figures").mkdir(exist_ok=True)
            (self.extra / "figures" / name).write_bytes(data)
            return f'loading="lazy" src="figures/{name}"'

        return DATA_IMAGE.sub(store, html)

    def prepared(self, text: str, page: Page) -> str:
        """Markdown with anchors as labels and links as Sphinx resolves them."""

        if page.name == "glossary":
            text = defined(text)

        def relink(match: re.Match) -> str:
            if match["target"] is None:
                return match[0]
            target = self.target(match["target"], page, bool(match["image"]))
            return (
                match["text"] if target is None else f"{match['image']}[{match['text']}]({target})"
            )

        return LINKS.sub(relink, ANCHOR.sub(r"(\1)=\n", text))

    def target(self, target: str, page: Page, image: bool = False) -> str | None:
        """Where a link leads in the site; None if it leads to a file that is not in it."""
        if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
            return target
        place, _, anchor = unquote(target).partition("#")
        file = (page.origin.parent / place).resolve() if place else page.origin
        if image:
            shutil.copy(file, self.folder)
            return file.name
        found = [other for other in self.made if other.origin == file]
        if not found:
            return None
        if not anchor:
            return found[0].file
        for other in found:
            if anchor in other.slugs:
                return f"{other.file}#{other.slugs[anchor]}"
        return f"#{anchor}"  # a label, or a dead link, which Sphinx reports


def solution_is_shown(number: str) -> bool:
    """False where a class is not to see solutions (COURSE_SOLUTIONS=off)."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        solution(number)
    return get(number).solution_source in printed.getvalue()


def defined(text: str) -> str:
    """The list of a glossary as terms, which have anchors and are found by the search."""
    opening = TERM.split(text, maxsplit=1)[0]
    terms = [f"{term}{mark}\n  {definition}" for term, mark, definition in TERM.findall(text)]
    return f"{opening}```{{glossary}}\n" + "\n\n".join(terms) + "\n```\n"


# --- the site ---------------------------------------------------------------------------------

SETTINGS = {
    "project": "A course on attention",
    "language": "en",
    "extensions": ["myst_nb"],
    "exclude_patterns": ["_extra", "_static"],
    "nb_execution_mode": "off",
    "nb_code_prompt_show": "Show the code",
    "nb_code_prompt_hide": "Hide the code",
    "nb_ipywidgets_js": {},
    "myst_enable_extensions": ["amsmath", "colon_fence", "dollarmath"],
    "myst_heading_anchors": 6,
    "myst_heading_slug_func": "tools.website.slug",
    "smartquotes": False,
    "mathjax_path": "mathjax/tex-svg.js",
    "mathjax3_config": {"options": {"enableMenu": False}},
    "html_theme": "sphinx_book_theme",
    "html_title": "A course on attention",
    "html_favicon": "_static/site.svg",
    "html_static_path": ["_static"],
    "html_extra_path": ["_extra"],
    "html_css_files": ["site.css"],
    "html_js_files": ["site.js"],
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_show_sphinx": False,
    "html_context": {"default_mode": "auto"},
    "html_theme_options": {
        "home_page_in_toc": True,
        "show_toc_level": 2,
        "use_download_button": False,
        "navbar_persistent": [],
        "secondary_sidebar_items": {"**": ["page-toc.html"], "index": []},
    },
}


def write_pages(folder: Path, root: Path = ROOT) -> None:
    """Write all pages but the reference into an empty folder.

    Raises FileNotFoundError without MathJax, and RuntimeError after a warning of Sphinx.
    """
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    if not MATHJAX.is_dir():
        raise FileNotFoundError(f"{MATHJAX} is missing: make site installs it with npm")
    with docutils_namespace(), tempfile.TemporaryDirectory() as scratch:
        source, doctrees = Path(scratch) / "source", Path(scratch) / "doctrees"
        Preparation(source, pages(root)).write()
        warnings = io.StringIO()
        sphinx = Sphinx(
            source, None, folder, doctrees, "html", SETTINGS, status=None, warning=warnings
        )
        sphinx.build()
    if found := warnings.getvalue().strip():
        raise RuntimeError(f"Sphinx warned:\n{found}")
    (folder / "_sources").rmdir()  # html_copy_source leaves it empty
    (folder / ".nojekyll").touch()  # else GitHub Pages leaves out folders such as _static


def main(arguments: list[str]) -> int:
    """Read the command line and write the site."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "site", metavar="DIR")
    out = parser.parse_args(arguments).out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".", suffix=".part") as folder:
        new = Path(folder) / "site"
        try:
            write_pages(new)
        except (FileNotFoundError, RuntimeError) as error:
            print(error, file=sys.stderr)
            return 1
        reference.write(reference.modules(), new / "api", home="index.html")
        for old in out.iterdir():
            if old.name not in KEPT:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        for path in new.iterdir():
            path.rename(out / path.name)
    print(f"Open {out / 'index.html'} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
