"""The conventions of the course's notebooks, each as one function that returns what is wrong.

A rule takes a `Notebook` and returns a list of sentences, empty when all is well. `RULES` lists
them; tests/test_notebooks.py holds every notebook against every rule and proves on a small
hand-made notebook that each rule can fail.
"""

import ast
import html
import json
import re
import statistics
from pathlib import Path
from urllib.parse import unquote

import nbformat

from tools.notebooks import ROOT, Notebook, python_source, real_data_calls, tagged, tags

SLIDE_TYPES = {"slide", "subslide", "-", "skip"}
TAGS = {"setup", "real-data", "hide-input", "live-only"}
TAG_PREFIXES = ("builds:", "exercise:")
LONGEST_CELL, MEDIAN_CELL = 40, 8
LARGEST_FILE = 1_000_000  # bytes
LAST_SECTIONS = ["Summary", "Exercises", "References"]


# --- the file ---------------------------------------------------------------------------------


def valid_format(notebook: Notebook) -> list[str]:
    """Valid notebook of format 4.5, where every cell has an id of its own."""
    stored = json.loads(notebook.path.read_text("utf-8"))  # nbformat repairs ids while it reads
    ids = [cell.get("id") for cell in stored["cells"]]
    if None in ids or stored.get("nbformat_minor", 0) < 5:
        return ["a cell has no id: save the notebook in format 4.5"]
    if len(set(ids)) < len(ids):
        return ["two cells have the same id"]
    try:
        nbformat.validate(stored)
    except nbformat.ValidationError as error:
        return [f"not a valid notebook: {str(error).splitlines()[0]}"]
    return []


def plain_metadata(notebook: Notebook) -> list[str]:
    """Kernel python3 and no traces of tools or of one machine.

    JupyterLab adds the Python version when a reader saves: that is not a fault, and `make outputs`
    removes it.
    """
    problems = []
    metadata = notebook.node.metadata
    if metadata.get("kernelspec", {}).get("name") != "python3":
        problems.append("the kernel has to be python3")
    surplus = set(metadata) - {"kernelspec", "language_info", "widgets"}
    if any("execution" in cell.metadata for _, cell in notebook.cells):
        surplus.add("execution times of cells")
    if surplus:
        problems.append(f"metadata to remove with `make outputs`: {', '.join(sorted(surplus))}")
    return problems


def small_file(notebook: Notebook) -> list[str]:
    size = notebook.path.stat().st_size
    if size <= LARGEST_FILE:
        return []
    return [f"{size / 1e6:.1f} MB, more than {LARGEST_FILE / 1e6:.0f} MB: smaller figures?"]


# --- the cells --------------------------------------------------------------------------------


def slide_types(notebook: Notebook) -> list[str]:
    """Every cell says what it is on the slides."""
    problems = []
    for number, cell in notebook.cells:
        found = cell.metadata.get("slideshow", {}).get("slide_type")
        if found not in SLIDE_TYPES:
            problems.append(
                f"cell {number}: slide_type is {found!r}, not one of slide, subslide, -, skip"
            )
    return problems


def known_tags(notebook: Notebook) -> list[str]:
    """A misspelt tag would be ignored in silence."""
    return [
        f"cell {number}: unknown tag {tag!r}"
        for number, cell in notebook.cells
        for tag in tags(cell)
        if tag not in TAGS and not tag.startswith(TAG_PREFIXES)
    ]


def cell_lengths(notebook: Notebook) -> list[str]:
    lengths = {n: len(cell.source.splitlines()) for n, cell in notebook.code_cells}
    problems = [
        f"cell {number}: {length} lines, more than {LONGEST_CELL}"
        for number, length in lengths.items()
        if length > LONGEST_CELL
    ]
    if lengths and (median := statistics.median(lengths.values())) > MEDIAN_CELL:
        problems.append(f"the median code cell has {median:g} lines, more than {MEDIAN_CELL}")
    return problems


def title_first(notebook: Notebook) -> list[str]:
    if notebook.node.cells and re.match(r"# \S", notebook.node.cells[0].source):
        return []
    return ["the first cell has to be the title, '# …'"]


def last_sections(notebook: Notebook) -> list[str]:
    """From 01 on a notebook ends with Summary, Exercises, References."""
    if is_start(notebook):
        return []
    titles = [re.sub(r"^[\d.]+\s+", "", title) for level, title in headings(notebook) if level <= 2]
    if titles[-3:] == LAST_SECTIONS:
        return []
    return [f"the last sections are {titles[-3:]}, not {LAST_SECTIONS}"]


def exercises(notebook: Notebook) -> list[str]:
    """From 01 on, at least three exercises: a stub that raises, and a call that checks it."""
    problems = []
    stubs = [(n, cell, key) for n, cell in notebook.code_cells for key in tagged(cell, "exercise:")]
    if not is_start(notebook) and len({key for _, _, key in stubs}) < 3:
        problems.append(f"{len(stubs)} exercises, fewer than 3")
    code = "\n".join(cell.source for _, cell in notebook.code_cells)
    for number, cell, key in stubs:
        if not key.startswith(notebook.name[:2] + "."):
            problems.append(f"cell {number}: exercise {key} belongs to another notebook")
        if "NotImplementedError" not in cell.source:
            problems.append(f"cell {number}: the stub of {key} does not raise NotImplementedError")
        if not re.search(rf"\bcheck\(\s*[\"']{re.escape(key)}[\"']", code):
            problems.append(f"cell {number}: nothing calls check({key!r}, …)")
    return problems


def quiz(notebook: Notebook) -> list[str]:
    """From 01 on, one cell "quiz" before the exercises: two questions or more, answers folded."""
    if is_start(notebook):
        return []
    cells = [cell for _, cell in notebook.markdown_cells if cell.get("id") == "quiz"]
    if len(cells) != 1:
        return [f"{len(cells)} cells with the id quiz"]
    later = [c.get("id") for _, c in notebook.markdown_cells]
    titles = [re.match(r"## (?:[\d.]+ )?Exercises", c.source) for _, c in notebook.markdown_cells]
    if any(titles[: later.index("quiz")]):
        return ["the quiz comes after the exercises"]
    text = cells[0].source
    questions = len(re.findall(r"^\*\*\d\.\*\* \S", text, re.MULTILINE))
    answers = re.findall(
        r"<details><summary>Answer</summary>\n\n(.+?)\n\n</details>", text, re.DOTALL
    )
    if questions < 2 or len(answers) != questions:
        return [f"the quiz has {questions} questions and {len(answers)} folded answers"]
    return []


def builds_same_name(notebook: Notebook) -> list[str]:
    """A cell tagged builds:course_utils.x.y defines a function or class y."""
    problems = []
    for number, cell in notebook.code_cells:
        for target in tagged(cell, "builds:"):
            name = target.rpartition(".")[2]
            if not target.startswith("course_utils."):
                problems.append(f"cell {number}: builds:{target} is not in course_utils")
            if name not in defined_names(python_source(cell)):
                problems.append(f"cell {number}: builds:{target} but defines no {name}")
    return problems


def real_data_marked(notebook: Notebook) -> list[str]:
    """Tag and call go together, and the label tells one place from the other in the report."""
    problems = []
    labels = []
    for number, cell in notebook.code_cells:
        calls = real_data_calls(cell)
        if "real-data" in tags(cell) and not calls:
            problems.append(
                f'cell {number}: tagged real-data but calls no real_data("…", cell="…")'
            )
        if calls and "real-data" not in tags(cell):
            problems.append(f"cell {number}: calls real_data(…) but is not tagged real-data")
        for dataset, label in calls:
            if not dataset or not label:
                problems.append(f'cell {number}: write out real_data("data set", cell="label")')
            labels.append((dataset, label))
    twice = {str(label) for dataset, label in labels if labels.count((dataset, label)) > 1}
    return problems + [f"real_data: the label {label!r} is used twice" for label in sorted(twice)]


# --- the stored outputs -----------------------------------------------------------------------


def clean_run(notebook: Notebook) -> list[str]:
    """The stored outputs come from one run from top to bottom."""
    counts = [cell.execution_count for _, cell in notebook.code_cells]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"not executed once from top to bottom: execution counts are {counts}"]


def stored_outputs(notebook: Notebook) -> list[str]:
    """A reader without Python sees the results: most code cells show one."""
    cells = [
        cell
        for _, cell in notebook.code_cells
        if not {"setup", "live-only"} & set(tags(cell))
        and not any(tag.startswith(TAG_PREFIXES) for tag in tags(cell))
    ]
    shown = sum(bool(cell.outputs) for cell in cells)
    if shown * 2 >= len(cells):
        return []
    return [f"only {shown} of {len(cells)} code cells show a result"]


def no_errors(notebook: Notebook) -> list[str]:
    """No exception, nothing on standard error, no warning."""
    problems = []
    for number, output in outputs(notebook):
        if output.output_type == "error":
            problems.append(f"cell {number}: {output.ename} in the stored outputs")
        elif output.output_type == "stream" and output.name == "stderr":
            problems.append(f"cell {number}: standard error: {output.text.strip()[:80]}")
        elif re.search(r"\b\w*Warning: ", readable(output)):
            problems.append(f"cell {number}: a warning in the stored outputs")
    return problems


def repeatable_outputs(notebook: Notebook) -> list[str]:
    """Addresses such as <Line2D at 0x7f…> tell nothing and differ from run to run."""
    return [
        f"cell {number}: shows a memory address; end the line with ; or name the result"
        for number, output in outputs(notebook)
        if re.search(r"\bat 0x[0-9a-f]{6,}", readable(output))
    ]


def alternative_texts(notebook: Notebook) -> list[str]:
    """Every picture can be read aloud: in outputs, in HTML, in Markdown.

    An output of type image/png has no text in JupyterLab, whatever its metadata say.
    """
    problems = [
        f'cell {number}: picture without text; use show(fig, alt="…")'
        for number, output in outputs(notebook)
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]
    texts = [(n, output.get("data", {}).get("text/html", "")) for n, output in outputs(notebook)]
    texts += [(n, without_code(cell.source)) for n, cell in notebook.markdown_cells]
    for number, text in texts:
        for image in re.findall(r"<img\b[^>]*>", text):
            if not re.search(r"""\balt\s*=\s*("\s*[^"\s][^"]*"|'\s*[^'\s][^']*')""", image):
                problems.append(f"cell {number}: <img> without alt")
        if re.search(r"!\[\s*\]\(", text):
            problems.append(f"cell {number}: ![](…) without alternative text")
    return problems


def no_machine_paths(notebook: Notebook) -> list[str]:
    """Neither code nor outputs name folders that exist on one machine only."""
    pattern = re.compile(
        r"(?<![\w.:/-])/(?:home|Users|root|tmp|work|mnt|media|var/folders)/"
        r"|\b[A-Z]:\\+(?:Users|Windows|Temp)\b"
    )
    own = [str(place) for place in (ROOT, Path.home()) if len(place.parts) > 2]
    texts = [(n, cell.source) for n, cell in notebook.cells]
    texts += [(n, readable(output)) for n, output in outputs(notebook)]
    return [
        f"cell {number}: names a folder of one machine"
        for number, text in texts
        if pattern.search(text) or any(place in text for place in own)
    ]


# --- links ------------------------------------------------------------------------------------


def local_links(notebook: Notebook) -> list[str]:
    """Links inside the repository lead to a file that exists and an anchor in it."""
    problems = []
    for number, cell in notebook.markdown_cells:
        for target in link_targets(cell.source):
            if target.startswith("attachment:"):
                if target.removeprefix("attachment:") not in cell.get("attachments", {}):
                    problems.append(f"cell {number}: no {target}")
            elif problem := broken(target, notebook.path):
                problems.append(f"cell {number}: {problem}")
    return problems


def link_targets(text: str) -> list[str]:
    """Targets of Markdown and HTML links and images, code and formulas left out."""
    text = without_code(text)
    found = re.findall(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)", text)
    found += re.findall(r"<(?:a|img)\b[^>]*\b(?:href|src)=[\"']([^\"']+)", text)
    found += re.findall(r"(?m)^\s{0,3}\[[^\]^][^\]]*\]:\s*<?(\S+?)>?(?:\s|$)", text)
    return found


def broken(target: str, source: Path, root: Path = ROOT) -> str | None:
    """What is wrong with a link found in the file ``source``; None for a good or a remote one."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
        return None
    place, _, anchor = unquote(target).partition("#")
    if place.startswith("/"):
        return f"{target}: a link from the root of one machine"
    file = (source.parent / place).resolve() if place else source.resolve()
    if not file.exists():
        return f"{target}: there is no such file"
    inside = file.is_relative_to(root) or file.is_relative_to(source.parent.resolve())
    if not inside:
        return f"{target}: leads out of the course"
    if anchor and file.suffix in {".md", ".ipynb"} and anchor not in anchors(file):
        return f"{target}: no such anchor in {file.name}"
    return None


def anchors(file: Path) -> set[str]:
    """Anchors of a Markdown file or notebook: <a id="…"> and headings, as GitHub and Jupyter do."""
    if file.suffix == ".ipynb":
        notebook = Notebook.read(file)
        text = "\n\n".join(cell.source for _, cell in notebook.markdown_cells)
    else:
        text = file.read_text("utf-8")
    found = set(re.findall(r"<\w+\b[^>]*\b(?:id|name)=[\"']([^\"']+)", text))
    for _, title in headings_of(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        found.add(plain.replace(" ", "-"))
        found.add(re.sub(r"[^\w\- ]", "", plain.replace("`", "").lower()).replace(" ", "-"))
    return found


# --- helpers ----------------------------------------------------------------------------------


def is_start(notebook: Notebook) -> bool:
    return notebook.name.startswith("00")


def headings(notebook: Notebook) -> list[tuple[int, str]]:
    return headings_of("\n\n".join(cell.source for _, cell in notebook.markdown_cells))


def headings_of(text: str) -> list[tuple[int, str]]:
    """(level, title) of every Markdown heading outside of code."""
    text = re.sub(r"(?ms)^(```|~~~).*?^\1\s*$", "", text)
    return [(len(m[1]), m[2].strip()) for m in re.finditer(r"(?m)^(#{1,6}) +(.+?)\s*#*$", text)]


def without_code(text: str) -> str:
    """Markdown without code and formulas, in which brackets are no links."""
    for pattern in (r"(?ms)^(```|~~~).*?^\1\s*$", r"`[^`\n]*`", r"(?s)\$\$.*?\$\$", r"\$[^$\n]*\$"):
        text = re.sub(pattern, "", text)
    return text


def outputs(notebook: Notebook) -> list[tuple[int, nbformat.NotebookNode]]:
    return [(n, output) for n, cell in notebook.code_cells for output in cell.outputs]


def readable(output) -> str:
    """The text that a person reads in an output; pictures are left out."""
    data = output.get("data", {})
    texts = [
        re.sub(r'\bsrc="data:[^"]*"', "", str(data[kind]))
        for kind in data
        if kind.startswith("text/")
    ]
    texts += [output.get("text", ""), "\n".join(output.get("traceback", []))]
    return html.unescape("\n".join(str(text) for text in texts))


def defined_names(source: str) -> set[str]:
    """Functions and classes that code defines at its top level."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


RULES = [
    valid_format,
    plain_metadata,
    small_file,
    slide_types,
    known_tags,
    cell_lengths,
    title_first,
    last_sections,
    exercises,
    quiz,
    builds_same_name,
    real_data_marked,
    clean_run,
    stored_outputs,
    no_errors,
    repeatable_outputs,
    alternative_texts,
    no_machine_paths,
    local_links,
]
