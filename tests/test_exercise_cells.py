"""`make exercises` writes the exercise cells of a notebook and nothing else."""

import copy
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.exercises import get, numbers
from course_utils.exercises.__main__ import main
from course_utils.exercises.cells import find_notebook, update_cells, write_cells
from tools.messages import accented, extract_all, write_pseudo_locale
from tools.notebooks import all_notebooks

NUMBERS = numbers("02")
MASTERS = [get(number) for number in NUMBERS]


@pytest.fixture
def folder(tmp_path):
    """A copy of all notebooks."""
    for path in all_notebooks():
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture
def path(folder):
    """A copy of one notebook."""
    return find_notebook("02", folder)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write(path, notebook):
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def stub_index(cells, number):
    tag = f"exercise:{number}"
    return next(i for i, cell in enumerate(cells) if tag in cell["metadata"].get("tags", []))


def sources(cells):
    return ["".join(cell["source"]) for cell in cells]


# --- on copies of the notebooks -----------------------------------------------------------------


def test_nothing_changes_where_all_agrees(folder, capsys):
    def state():
        paths = folder.glob("*.ipynb")
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}

    before = state()
    assert main(["--write", "--folder", str(folder)]) == 0
    assert state() == before
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{name}: already up to date" for name in sorted(before)]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_statement_is_written_back(path, number):
    before, notebook = path.read_bytes(), read(path)
    cell = notebook["cells"][stub_index(notebook["cells"], number) - 1]
    cell["source"] = [f"### Exercise {number}: An old title\n", "\n", "An old text."]
    write(path, notebook)
    assert write_cells(path, MASTERS) == [f"{number}: statement changed"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("number", NUMBERS)
def test_a_stub_is_written_back_without_its_old_outputs(path, number, capsys):
    notebook = read(path)
    expected = copy.deepcopy(notebook)
    index = stub_index(notebook["cells"], number)
    notebook["cells"][index]["source"] = ["def solved():\n", "    return 1"]
    notebook["cells"][index]["metadata"]["tags"].append("hide-input")
    expected["cells"][index]["metadata"]["tags"].append("hide-input")
    expected["cells"][index].update(outputs=[], execution_count=None)
    write(path, notebook)
    assert main(["02", "--write", "--folder", str(path.parent)]) == 0
    assert read(path) == expected
    assert capsys.readouterr().out == (
        f"{path.name}: {number}: stub changed\nNow execute the notebook: make outputs NB=02\n"
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_cells_of_a_new_exercise_go_to_their_place(path, number):
    notebook = read(path)
    index = stub_index(notebook["cells"], number)
    before = copy.deepcopy(notebook["cells"])
    del notebook["cells"][index - 1 : index + 1]
    write(path, notebook)
    assert write_cells(path, MASTERS) == [f"{number}: both cells inserted"]
    after = read(path)["cells"]
    assert sources(after) == sources(before)
    assert after[: index - 1] + after[index + 1 :] == before[: index - 1] + before[index + 1 :]
    statement, stub = after[index - 1 : index + 1]
    assert statement["metadata"] == before[index - 1]["metadata"]
    assert stub["metadata"] == before[index]["metadata"]
    assert stub["outputs"] == [] and stub["execution_count"] is None
    assert list(stub) == list(before[index]) and list(statement) == list(before[index - 1])
    assert len({cell["id"] for cell in after}) == len(after)
    assert write_cells(path, MASTERS) == []


def test_only_the_notebook_that_is_named_is_written(folder):
    before = {}
    for path in folder.glob("*.ipynb"):
        notebook = read(path)
        number = f"{path.name[:2]}.1"
        notebook["cells"][stub_index(notebook["cells"], number)]["source"] = ["pass"]
        write(path, notebook)
        before[path.name] = path.read_bytes()
    assert main(["03", "--write", "--folder", str(folder)]) == 0
    changed = [
        path.name for path in folder.glob("*.ipynb") if path.read_bytes() != before[path.name]
    ]
    assert [name[:2] for name in changed] == ["03"]


def test_a_notebook_with_a_problem_is_left_alone(folder, path, capsys):
    notebook = read(path)
    notebook["cells"][stub_index(notebook["cells"], "02.1")]["source"] = ["pass"]
    notebook["cells"][3]["metadata"]["tags"] = ["exercise:02.9"]
    write(path, notebook)
    before = path.read_bytes()
    assert main(["--write", "--folder", str(folder)]) == 1
    assert path.read_bytes() == before
    printed = capsys.readouterr()
    assert printed.err.startswith("Notebook 02, nothing written: exercise 02.9 has cells but no")
    assert "06_text_classification.ipynb: already up to date" in printed.out


def test_statements_are_written_in_the_language_of_the_course(path, tmp_path, monkeypatch):
    write_pseudo_locale(tmp_path / "locale", "eo", extract_all()[0])
    monkeypatch.setenv("COURSE_LOCALE", str(tmp_path / "locale"))
    monkeypatch.setenv("COURSE_LANGUAGE", "eo")
    before = read(path)["cells"]
    changes = [f"{number}: statement changed" for number in NUMBERS]
    assert write_cells(path, MASTERS) == changes and write_cells(path, MASTERS) == []
    after = read(path)["cells"]
    index = stub_index(after, "02.2")
    assert after[index] == before[index], "code cells are the same in every language"
    assert sources(after)[index - 1].startswith(f"### {accented('Exercise')} 02.2: ")
    monkeypatch.delenv("COURSE_LANGUAGE")
    assert write_cells(path, MASTERS) == changes and read(path)["cells"] == before


# --- on lists of cells --------------------------------------------------------------------------


def markdown(text, name):
    source = text.splitlines(keepends=True)
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def pair(number):
    """The two cells of an exercise, executed once."""
    master, name = get(number), number.replace(".", "-")
    stub = {
        "cell_type": "code",
        "execution_count": 7,
        "id": f"stub-{name}",
        "metadata": {"tags": ["hide-input", f"exercise:{number}"]},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": [number]}],
        "source": master.cell_source.splitlines(keepends=True),
    }
    return [markdown(master.statement, f"statement-{name}"), stub]


CHANGES = ("none", "statement", "stub", "no statement", "no cells")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(CHANGES), min_size=len(NUMBERS), max_size=len(NUMBERS)),
    st.lists(st.integers(0, 2), min_size=len(NUMBERS), max_size=len(NUMBERS)),
)
def test_after_an_update_all_agrees_and_other_cells_are_untouched(changes, remarks):
    cells, others = [markdown("## 7. Exercises\n\nPredict first.", "heading")], []
    for number, change, count in zip(NUMBERS, changes, remarks, strict=True):
        statement, stub = pair(number)
        if change == "statement":
            statement["source"] = [f"### Exercise {number}"]
        if change == "stub":
            stub["source"].append("\nx = 1")
        if change not in ("no statement", "no cells"):
            cells.append(statement)
        if change != "no cells":
            cells.append(stub)
        others += [markdown("A remark.", f"remark-{number}-{i}") for i in range(count)]
        cells += others[len(others) - count :]
    before = copy.deepcopy(cells)
    reported = update_cells(cells, MASTERS)

    assert len(reported) == sum(change != "none" for change in changes)
    for number, change in zip(NUMBERS, changes, strict=True):
        index = stub_index(cells, number)
        assert sources(cells)[index - 1 : index + 1] == [
            get(number).statement,
            get(number).cell_source,
        ]
        kept = change not in ("stub", "no cells")
        assert bool(cells[index]["outputs"]) == kept == (cells[index] in before)
    assert [stub_index(cells, number) for number in NUMBERS] == sorted(
        stub_index(cells, number) for number in NUMBERS
    )
    assert [cell for cell in cells if cell in before] == [cell for cell in before if cell in cells]
    assert [cell for cell in cells if cell["id"].startswith(("remark", "heading"))] == [
        before[0],
        *others,
    ]
    assert update_cells(cells, MASTERS) == []


def lost_master(cells):
    cells[2]["metadata"]["tags"] = ["exercise:02.8"]


def wrong_order(cells):
    cells[1:5] = cells[3:5] + cells[1:3]


def tag_twice(cells):
    cells.append(copy.deepcopy(cells[2]))


def tagged_text(cells):
    cells[1]["metadata"]["tags"] = ["exercise:02.1"]


def statement_elsewhere(cells):
    cells.insert(2, markdown("A remark.", "remark"))


def no_heading(cells):
    del cells[:3]


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lost_master, "02.8 has cells but no master"),
        (wrong_order, "not in order, or a tag appears twice: 02.2, 02.1"),
        (tag_twice, "a tag appears twice: 02.1, .*, 02.1$"),
        (tagged_text, "02.1: the tagged cell is not a code cell"),
        (statement_elsewhere, "02.1: its statement is not directly above its stub"),
        (no_heading, "no place for exercise 02.1"),
    ],
)
def test_cells_that_cannot_be_matched_are_refused(break_it, problem):
    cells = [markdown("## Exercises", "heading"), *(c for n in NUMBERS for c in pair(n))]
    assert update_cells(cells, MASTERS) == []
    break_it(cells)
    cells[-1]["source"] = ["an old stub"]
    before = copy.deepcopy(cells)
    with pytest.raises(ValueError, match=problem):
        update_cells(cells, MASTERS)
    assert cells == before


def test_ids_are_not_used_twice():
    cells = [markdown("# Exercises", "exercise-02-1")]
    update_cells(cells, MASTERS)
    assert [cell["id"] for cell in cells[:5]] == [
        "exercise-02-1",
        "exercise-02-1-statement",
        "exercise-02-1-2",
        "exercise-02-2-statement",
        "exercise-02-2",
    ]


# --- the command --------------------------------------------------------------------------------


def test_cells_are_printed_in_percent_format(capsys):
    assert main(["03"]) == 0
    printed = capsys.readouterr().out
    assert printed.count('# %% tags=["exercise:03.') == len(numbers("03"))
    heading = "# ### Exercise 03.2: The precision inside BLEU"
    assert f"{heading}\n#\n# *Implement · about 15 minutes*\n#\n# BLEU asks" in printed
    assert get("03.3").cell_source in printed
    assert "exercise:02" not in printed


def test_an_unknown_notebook_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["98"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "98" in message and "00" in message and "06" in message


def test_a_missing_notebook_is_named(tmp_path, capsys):
    assert main(["03", "--write", "--folder", str(tmp_path)]) == 1
    assert "expected one notebook 03_*.ipynb" in capsys.readouterr().err
    for name in ("03_a.ipynb", "03_b.ipynb"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match="found 03_a.ipynb, 03_b.ipynb"):
        find_notebook("03", tmp_path)
