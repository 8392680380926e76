"""Every notebook keeps the conventions, and every convention can be broken.

The rules are in tests/tools/rules.py, the comparisons of hand-built code in tests/builders.py. New
notebooks are found by themselves. That the notebooks run is tested by nbmake: `make notebooks`.
"""

import json

import nbformat
import pytest

import builders  # noqa: F401  registers the comparisons
from tools.hand_built import COMPARISONS, build, compare, compares, targets
from tools.notebooks import Notebook, all_notebooks, real_data_calls
from tools.rules import RULES, anchors, broken, link_targets

NOTEBOOKS = all_notebooks()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_rule(path, rule):
    problems = rule(Notebook.read(path))
    assert not problems, f"{path.name}:\n  " + "\n  ".join(problems)


@pytest.mark.parametrize(
    ("path", "target"),
    [(path, target) for path in NOTEBOOKS for target in targets(Notebook.read(path))],
    ids=lambda value: getattr(value, "stem", value),
)
def test_hand_built_equals_packaged(path, target, monkeypatch):
    monkeypatch.chdir(path.parent)  # where its kernel runs
    compare(Notebook.read(path), target)


# --- a small notebook that keeps every rule -----------------------------------------------------


def markdown(source, slide_type="slide"):
    return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": slide_type}})


def code(source, *tags, outputs=()):
    metadata = {"slideshow": {"slide_type": "-"}}
    if tags:
        metadata["tags"] = list(tags)
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=list(outputs))


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def picture(alt):
    """Its bytes are no text: they may look like the folder of a machine."""
    data = "/".join(["iVBO+", "tmp", "Rw0="])
    page = f'<img alt="{alt}" src="data:image/png;base64,{data}">'
    return nbformat.v4.new_output("display_data", data={"text/html": page, "text/plain": alt})


def stub(key):
    name = "answer_" + key.replace(".", "_")
    source = f"def {name}():\n    raise NotImplementedError\n\n\ncheck({key!r}, {name})"
    return code(source, f"exercise:{key}", outputs=[printed("not solved yet")])


def write(folder, cells, name="01_tiny.ipynb"):
    """Write cells as a notebook that was executed once from top to bottom."""
    node = nbformat.v4.new_notebook()
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
    node.cells = cells
    executed = (cell for cell in cells if cell.cell_type == "code")
    for count, cell in enumerate(executed, start=1):
        cell.execution_count = count
    path = folder / name
    path.write_text(json.dumps(node), "utf-8")  # nbformat.write would repair what is broken
    return Notebook.read(path)


def folded_questions():
    question = "**{}.** Why?\n\n<details><summary>Answer</summary>\n\nSo.\n\n</details>"
    cell = markdown("\n\n".join(question.format(n) for n in (1, 2)), "skip")
    cell["id"] = "quiz"
    return cell


def good_cells():
    return [
        markdown("# 01 Tiny\n\nOne minute. Read [the source](SOURCES.md#ada1843)."),
        code("import math\nfrom course_utils.exercises import check", "setup"),
        markdown("## Doubling $f[i](x)$"),
        code("def twice(x):\n    return 2 * x", "builds:course_utils.tiny.twice"),
        code("print(twice(21))", outputs=[printed("42\n")]),
        code("show(figure)", outputs=[picture("a rising line")]),
        code(
            'if real_data("pairs", cell="ten pairs"):\n    print(1)',
            "real-data",
            outputs=[printed("1\n")],
        ),
        markdown("## Summary"),
        folded_questions(),
        markdown("## Exercises", "skip"),
        *[stub(key) for key in ("01.1", "01.2", "01.3")],
        markdown("## References\n\n[Ada](SOURCES.md#ada1843), [above](#Summary)", "skip"),
    ]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "SOURCES.md").write_text('# Sources\n\n<a id="ada1843"></a> Notes.\n', "utf-8")
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_good_notebook_keeps_rule(rule, folder):
    assert rule(write(folder, good_cells())) == []


# One way (or more) to break each rule: what is done to the good cells, and a word of the complaint.
def no_id(cells):
    del cells[0]["id"]


def same_id(cells):
    cells[0]["id"] = cells[1]["id"]


def no_list_of_tags(cells):
    cells[0].metadata["tags"] = "setup"


def no_slide_type(cells):
    del cells[2].metadata["slideshow"]


def unknown_slide_type(cells):
    cells[2].metadata["slideshow"]["slide_type"] = "title"


def misspelt_tag(cells):
    cells[4].metadata["tags"] = ["realdata"]


def long_cell(cells):
    cells[4].source = "\n".join(["x = 1"] * 41)


def long_median(cells):
    for cell in cells:
        if cell.cell_type == "code":
            cell.source += "\nx = 1" * 9


def no_title(cells):
    cells[0].source = "Welcome"


def no_references(cells):
    cells.pop()


def text_after_references(cells):
    cells.append(markdown("## More"))


def no_quiz(cells):
    del cells[8]


def open_answer(cells):
    cells[8].source = cells[8].source.replace("<details><summary>Answer</summary>", "Answer:", 1)


def one_question(cells):
    cells[8].source = cells[8].source.partition("**2.**")[0]


def silent_answer(cells):
    cells[8].source = cells[8].source.replace("\n\nSo.\n", "\n", 1)


def more_answers(cells):
    cells[8].source += "\n\n" + cells[8].source.partition("\n\n")[2].partition("\n\n**")[0]


def late_quiz(cells):
    cells.append(cells.pop(8))


def two_exercises(cells):
    cells.pop(-2)


def foreign_exercise(cells):
    cells[-2].metadata["tags"] = ["exercise:02.3"]


def solved_exercise(cells):
    cells[-2].source = cells[-2].source.replace("raise NotImplementedError", "return 1")


def unchecked_exercise(cells):
    cells[-2].source = cells[-2].source.replace("check(", "print(")


def other_name(cells):
    cells[3].source = "def double(x):\n    return 2 * x"


def only_assigned(cells):
    cells[3].source = "from math import sqrt as twice"


def tag_without_call(cells):
    cells[6].source = "print(1)"


def call_without_tag(cells):
    del cells[6].metadata["tags"]


def call_without_label(cells):
    cells[6].source = 'real_data("pairs")'


def label_twice(cells):
    cells.insert(7, code(cells[6].source, "real-data"))


def no_outputs(cells):
    for cell in cells[4:7]:
        cell.outputs = []


def an_error(cells):
    cells[4].outputs = [nbformat.v4.new_output("error", ename="KeyError", evalue="", traceback=[])]


def a_progress_bar(cells):
    cells[4].outputs = [printed("100%|####|", "stderr")]


def a_warning(cells):
    cells[4].outputs = [printed("x.py:3: UserWarning: mind the gap")]


def an_address(cells):
    cells[4].outputs = [printed("<Line2D at 0x7f3c5a2b1d90>")]


def silent_picture(cells):
    data, metadata = {"image/png": "iVBORw0="}, {"image/png": {"alt": "never read aloud"}}
    cells[5].outputs = [nbformat.v4.new_output("display_data", data=data, metadata=metadata)]


def silent_html(cells):
    cells[5].outputs = [picture("")]


def silent_markdown(cells):
    cells[2].source += "\n\n![](SOURCES.md)"


def home_in_output(cells):
    cells[4].outputs = [printed("saved in /home/ada/course/model")]


def home_in_code(cells):
    cells[4].source = "open(r'C:\\Users\\ada\\x')"


def link_to_nothing(cells):
    cells[2].source += "\n\nSee [there](02_missing.ipynb)."


def link_to_no_anchor(cells):
    cells[2].source += "\n\nSee [him](SOURCES.md#babbage1837)."


def link_to_no_heading(cells):
    cells[2].source += "\n\nSee [below](#Conclusion)."


def missing_attachment(cells):
    cells[2].source += "\n\n![a plot](attachment:plot.png)"


BREAKS = [
    ("valid_format", no_id, "no id"),
    ("valid_format", same_id, "same id"),
    ("valid_format", no_list_of_tags, "not a valid"),
    ("slide_types", no_slide_type, "cell 3"),
    ("slide_types", unknown_slide_type, "'title'"),
    ("known_tags", misspelt_tag, "realdata"),
    ("cell_lengths", long_cell, "41 lines"),
    ("cell_lengths", long_median, "median"),
    ("title_first", no_title, "title"),
    ("last_sections", no_references, "Exercises"),
    ("last_sections", text_after_references, "More"),
    ("quiz", no_quiz, "0 cells"),
    ("quiz", open_answer, "2 questions and 1 folded"),
    ("quiz", one_question, "1 questions and 1 folded"),
    ("quiz", silent_answer, "2 questions and 1 folded"),
    ("quiz", more_answers, "2 questions and 3 folded"),
    ("quiz", late_quiz, "after the exercises"),
    ("exercises", two_exercises, "2 exercises"),
    ("exercises", foreign_exercise, "another notebook"),
    ("exercises", solved_exercise, "NotImplementedError"),
    ("exercises", unchecked_exercise, "check('01.3'"),
    ("builds_same_name", other_name, "defines no twice"),
    ("builds_same_name", only_assigned, "defines no twice"),
    ("real_data_marked", tag_without_call, "calls no real_data"),
    ("real_data_marked", call_without_tag, "not tagged"),
    ("real_data_marked", call_without_label, "write out"),
    ("real_data_marked", label_twice, "used twice"),
    ("stored_outputs", no_outputs, "0 of 3"),
    ("no_errors", an_error, "KeyError"),
    ("no_errors", a_progress_bar, "standard error"),
    ("no_errors", a_warning, "warning"),
    ("repeatable_outputs", an_address, "address"),
    ("alternative_texts", silent_picture, "without text"),
    ("alternative_texts", silent_html, "without alt"),
    ("alternative_texts", silent_markdown, "without alternative"),
    ("no_machine_paths", home_in_output, "cell 5"),
    ("no_machine_paths", home_in_code, "cell 5"),
    ("local_links", link_to_nothing, "no such file"),
    ("local_links", link_to_no_anchor, "no such anchor"),
    ("local_links", link_to_no_heading, "no such anchor"),
    ("local_links", missing_attachment, "plot.png"),
]


@pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")
@pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")
@pytest.mark.parametrize(
    ("rule", "break_it", "complaint"), BREAKS, ids=[function.__name__ for _, function, _ in BREAKS]
)
def test_broken_notebook_is_found(rule, break_it, complaint, folder):
    cells = good_cells()
    break_it(cells)
    notebook = write(folder, cells)
    problems = {r.__name__: r(notebook) for r in RULES}
    assert any(complaint in problem for problem in problems[rule]), problems


def test_metadata_of_tools_is_found(folder):
    notebook = write(folder, good_cells())
    notebook.node.metadata["jupytext"] = {"formats": "ipynb,py"}
    notebook.node.cells[1].metadata["execution"] = {"iopub.status.busy": "2026-01-01"}
    assert problems_of("plain_metadata", notebook) == [
        "metadata to remove with `make outputs`: execution times of cells, jupytext"
    ]
    del notebook.node.cells[1].metadata["execution"]
    notebook.node.metadata = {"kernelspec": {"name": "conda-env-mine"}}
    assert problems_of("plain_metadata", notebook) == ["the kernel has to be python3"]


def test_cells_run_out_of_order_are_found(folder):
    notebook = write(folder, good_cells())
    notebook.node.cells[3].execution_count = 7
    assert "[1, 7, 3, 4, 5, 6, 7, 8]" in problems_of("clean_run", notebook)[0]
    notebook.node.cells[3].execution_count = None
    assert len(problems_of("clean_run", notebook)) == 1


def test_large_file_is_found(folder):
    cells = good_cells()
    cells[4].outputs = [printed("x" * 1_000_001)]
    assert "1.0 MB" in problems_of("small_file", write(folder, cells))[0]


def test_every_rule_was_broken():
    broken_here = {rule for rule, _, _ in BREAKS} | {"plain_metadata", "clean_run", "small_file"}
    assert {rule.__name__ for rule in RULES} == broken_here


def problems_of(name, notebook):
    (rule,) = [rule for rule in RULES if rule.__name__ == name]
    return rule(notebook)


def test_start_needs_no_exercises(folder):
    notebook = write(folder, [markdown("# Start here")], "00_start_here.ipynb")
    assert [problem for rule in RULES for problem in rule(notebook)] == []


# --- hand-built code ----------------------------------------------------------------------------


@pytest.fixture
def registry():
    """The registry of comparisons, put back as it was after the test."""
    before = dict(COMPARISONS)
    yield COMPARISONS
    COMPARISONS.clear()
    COMPARISONS.update(before)


def test_only_setup_and_builds_cells_are_executed(folder):
    cells = [
        code("%matplotlib inline\nfactor = 3", "setup"),
        code("raise RuntimeError('a training that takes an hour')"),
        code("def helper(x):\n    return factor * x", "builds:course_utils.tiny.helper"),
        code("def thrice(x):\n    return helper(x)", "builds:course_utils.tiny.thrice"),
        code("def helper(x):\n    return 0", "builds:course_utils.tiny.later"),
    ]
    assert build(write(folder, cells), "course_utils.tiny.thrice")(5) == 15


def test_names_of_other_cells_are_refused(folder):
    cells = [code("size = 3"), code("def f():\n    return 1\n\n\nf(size)", "builds:course_utils.f")]
    with pytest.raises(AssertionError, match="cell 2.*size.*tag the cell"):
        build(write(folder, cells), "course_utils.f")


def test_tag_without_comparison_fails(folder, registry):
    notebook = write(folder, [code("def tiny():\n    return 1", "builds:course_utils.tiny")])
    with pytest.raises(AssertionError, match="nothing compares"):
        compare(notebook, "course_utils.tiny")


@pytest.mark.parametrize(("source", "equal"), [("x * 0.5", True), ("x * 0.51", False)])
def test_comparison_decides(source, equal, folder, registry, monkeypatch):
    monkeypatch.setattr("course_utils.half", lambda x: x / 2, raising=False)

    @compares("course_utils.half")
    def half(built, packaged):
        assert built(3.0) == packaged(3.0)

    cells = [code(f"def half(x):\n    return {source}", "builds:course_utils.half")]
    if equal:
        compare(write(folder, cells), "course_utils.half")
    else:
        with pytest.raises(AssertionError):
            compare(write(folder, cells), "course_utils.half")


# --- links and calls ----------------------------------------------------------------------------


def test_link_targets():
    text = """See [one](a.md "title"), ![two](b.png), <a href="c.md#x">three</a>, [four][key].

[key]: d.md
`[code](e.md)` and $w[i](x)$ are none.
```
[fenced](f.md)
```
"""
    assert sorted(link_targets(text)) == ["a.md", "b.png", "c.md#x", "d.md"]


def test_anchors_and_ways_out(folder):
    page = folder / "page.md"
    page.write_text('# Über `softmax`: what?\n<a id="key"></a>\n```\n# code\n```\n', "utf-8")
    assert {"key", "über-softmax-what", "Über-`softmax`:-what?"} <= anchors(page)
    assert "code" not in anchors(page)
    assert broken("https://example.org/nothing", page) is None
    assert broken("SOURCES.md#ada1843", page) is None
    assert "root" in broken("/etc/hosts", page)
    assert "out of the course" in broken("..", page)


def test_real_data_calls():
    cell = code('%time\nif datasets.real_data("a", cell="b") and real_data(name, cell="c"):\n    x')
    assert sorted(real_data_calls(cell), key=str) == [("a", "b"), (None, "c")]
