"""An edition in another language needs a catalogue and nothing else: no text is past the lookup."""

import ast
import io
import re
import string
from html import escape
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from course_utils import exercises
from course_utils.check_installation import check_installation
from course_utils.claims import ClaimError, claim
from course_utils.datasets import real_data
from course_utils.gallery import APPLICATIONS, application_picture
from course_utils.messages import _, localised, marked, ngettext
from course_utils.paths import checkpoint_names
from course_utils.plotting import new_figure, show
from course_utils.plotting.style import plt
from course_utils.plotting.texts import html_page
from course_utils.runtime import progress_bar
from tools.messages import (
    Message,
    accented,
    extract,
    extract_all,
    main,
    placeholders,
    sources,
    unmarked_prints,
    write_pseudo_locale,
)

MESSAGES, PROBLEMS = extract_all()
LANGUAGE = "eo"


@pytest.fixture(scope="session")
def locale_folder(tmp_path_factory) -> Path:
    """A folder with a catalogue that puts an accent on every letter of every text."""
    folder = tmp_path_factory.mktemp("locale")
    write_pseudo_locale(folder, LANGUAGE, MESSAGES)
    return folder


@pytest.fixture
def other_language(locale_folder, monkeypatch):
    monkeypatch.setenv("COURSE_LOCALE", str(locale_folder))
    monkeypatch.setenv("COURSE_LANGUAGE", LANGUAGE)


def words(text: str) -> set[str]:
    """Words without any accent."""
    return set(re.findall(r"(?<![^\W_])[A-Za-z]{2,}(?![^\W_])", text))


def prose(text: str) -> list[str]:
    """Two or more words in a row without any accent: English that was not looked up."""
    return re.findall(r"(?<![^\W_])[A-Za-z]{2,}(?:[,;:]?[ \n]+[A-Za-z]{2,})+(?![^\W_])", text)


# --- the lookup -------------------------------------------------------------------------------


@pytest.fixture
def small_locale(tmp_path, monkeypatch):
    messages = [
        Message("one word", None, "x.py", 1),
        Message("{n} word", "{n} words", "x.py", 1),
        Message("loss {loss:.2f}", None, "x.py", 1),
    ]
    write_pseudo_locale(tmp_path, LANGUAGE, messages)
    for name in ("COURSE_LANGUAGE", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_LOCALE", str(tmp_path))


@pytest.mark.parametrize("variable", ["COURSE_LANGUAGE", "LANGUAGE", "LC_ALL", "LANG"])
def test_the_environment_chooses_the_language_at_each_lookup(small_locale, monkeypatch, variable):
    assert _("one word") == "one word"
    monkeypatch.setenv(variable, "fr:eo_XX.UTF-8")
    assert _("one word") == accented("one word") != "one word"
    assert ngettext("{n} word", "{n} words", 1) == accented("{n} word")
    assert ngettext("{n} word", "{n} words", 3) == accented("{n} words")
    assert localised("loss {loss:.2f}", loss=0.125) == accented("loss") + " 0.12"
    assert _("not in the catalogue") == "not in the catalogue"
    monkeypatch.setenv("COURSE_LANGUAGE", "fr")
    assert _("one word") == "one word", "the course's own variable decides"


def test_an_empty_text_is_not_the_header_of_the_catalogue(small_locale, monkeypatch):
    monkeypatch.setenv("COURSE_LANGUAGE", LANGUAGE)
    assert _("") == "" and localised("") == "" and marked("one word") == "one word"


@given(st.text())
def test_a_text_without_values_is_used_as_it_is(text):
    assert localised(text) == text


def test_values_have_to_match_the_placeholders():
    assert localised("{a} of {b:.1f} {{c}}", a="x", b=2.25) == "x of 2.2 {c}"
    with pytest.raises(ValueError, match="in the text: c; placeholders without a value: b"):
        localised("{a} of {b}", a=1, c=2)


# --- the extraction ---------------------------------------------------------------------------


def texts(source: str) -> list[str | tuple[str, str]]:
    messages, problems = extract(source, "x.py")
    assert problems == []
    return [(m.text, m.plural) if m.plural else m.text for m in messages]


@pytest.mark.parametrize(
    "source, expected",
    [
        ('_("a b")', ["a b"]),
        ('_("a" "b").format(c=1)', ["ab"]),
        ('x = marked("a")', ["a"]),
        ('ngettext("{n} word", "{n} words", 3)', [("{n} word", "{n} words")]),
        ('localised(text) + localised("{n} a", n=1)', ["{n} a"]),
        ('claim("a", x, at_least=3)', ["a"]),
        ('claim("{way:.2f} a", x, at_least=3, way=way)', ["{way:.2f} a"]),
        ('show(fig, alt="a {b}", b=1)\nshow(fig, "c")', ["a {b}", "c"]),
        ("show(*application_picture('speech'))", []),
        ("case(*pairs, label='one question')", ["one question"]),
        ('progress_bar(10, "step")', ["step"]),
        ('@exercise("01.1", "T", """\n    a\n      b\n    """)\ndef f(): pass', ["T", "a\n  b"]),
        ('@exercise("01.1", "T", "a", prediction="b   c")\ndef f(): pass', ["T", "a", "b c"]),
        ('@f.mistake("a\\n   b")\ndef g(): pass', ["a b"]),
        ('yield case(x, expected=1, label="empty")', ["empty"]),
        ('yield case(x, expected="a text")', []),
        ('raise CheckFailed("a", expected=1, hint="b")', ["a", "b"]),
        ('raise CheckFailed(_("a {b}").format(b=1), hint=None)', ["a {b}"]),
        ("raise CheckFailed(error_text(error))", []),
        ('print("a")', []),
    ],
)
def test_marked_texts_are_found(source, expected):
    assert texts(source) == expected


@pytest.mark.parametrize(
    "source, what",
    [
        ("_(text)", "_(text=…) is not a literal"),
        ('_(f"{n} words")', "is not a literal"),
        ('_("a" + b)', "is not a literal"),
        ('ngettext("a", plural, n)', "ngettext(plural=…) is not a literal"),
        ('claim(f"{way}: errors", x, at_least=3)', "claim(text=…) is not a literal"),
        ('claim("{}: errors".format(way), x, at_least=3)', "claim(text=…) is not a literal"),
        ("show(ax, alt=alt)", "show(alt=…) is not a literal"),
        ('show(ax, alt="; ".join(names))', "show(alt=…) is not a literal"),
        ('yield case(x, label=f"K = {k}")', "case(label=…) is not a literal"),
        ('raise CheckFailed("a", hint="b %d" % 3)', "CheckFailed(hint=…) is not a literal"),
        ('localised("{a}", b=1)', "placeholders ['a'], the call gives ['b']"),
        ('claim("{way}", x, at_least=3)', "placeholders ['way'], the call gives []"),
        ('claim("errors", x, at_leats=3)', "placeholders [], the call gives ['at_leats']"),
        ('show(ax, alt="{n", n=3)', "'{n'"),
    ],
)
def test_what_cannot_be_extracted_is_reported(source, what):
    _messages, problems = extract(f"\n{source}", "x.py")
    assert [problem.line for problem in problems] == [2]
    assert what in str(problems[0]) and str(problems[0]).startswith("x.py:2: ")


def test_all_texts_of_the_course_can_be_extracted():
    assert [str(problem) for problem in PROBLEMS] == []


def test_the_texts_of_every_part_of_the_course_are_there():
    files = {message.file for message in MESSAGES}
    for number in exercises.numbers():
        assert f"course_utils/exercises/nb{number[:2]}.py" in files
    for name, source in sources():
        if "claim(" in source and ", cell " in name:
            assert name in files


def test_the_template_can_be_read_back(tmp_path, capsysbinary):
    assert main([str(tmp_path / "course.pot")]) == 0
    template = read_po(io.BytesIO((tmp_path / "course.pot").read_bytes()))
    found = {entry.id if isinstance(entry.id, str) else entry.id[0]: entry for entry in template}
    assert set(found) - {""} == {message.text for message in MESSAGES}
    for message in MESSAGES:
        if message.template and placeholders(message.text):
            assert "python-brace-format" in found[message.text].flags
    assert main([]) == 0
    printed = read_po(io.BytesIO(capsysbinary.readouterr().out))
    assert {str(entry.id) for entry in printed} == {str(entry.id) for entry in template}


# --- the pseudo-language ----------------------------------------------------------------------


@given(st.text(string.ascii_letters + " .:", max_size=20), st.integers(0, 999))
def test_accents_leave_placeholders_and_values_alone(text, n):
    altered = accented(f"{text}{{name}}{text}{{n:5d}}")
    assert altered.format(name="word", n=n) == f"{accented(text)}word{accented(text)}{n:5d}"
    assert not words(accented(text)) and len(accented(text)) == len(text)


def test_prose_is_recognised():
    assert prose("the result is wrong: x = 3") == ["the result is wrong"]
    assert not prose(accented("the result is wrong")) and not prose("a Tensor (3, 4)")
    assert words(f"{accented('yes')} no") == {"no"}


# --- nothing is printed past the lookup -------------------------------------------------------


@pytest.mark.parametrize(
    "source, found",
    [
        ('print("a word")', ["a word"]),
        ('print(f"{n} words")', [" words"]),
        ('print("of " + name)', ["of "]),
        ('sys.stdout.write("a word")', ["a word"]),
        ('print(_("a word"))', []),
        ('print(_("{n} words").format(n=3))', []),
        ('print(_("yes") if x else ngettext("a", "b", 3))', []),
        ("print(verdict.text, x)", []),
        ('print(f"{mark} {name}")', []),
    ],
)
def test_words_in_print_are_found(source, found):
    assert [p.what for p in unmarked_prints(source, "course_utils/x.py")] == [
        f"prints {text!r} without looking it up" for text in found
    ]
    assert unmarked_prints(source, "course_utils/tasks/speech/command.py") == []


def test_no_module_prints_a_text_that_is_not_looked_up():
    found = [
        str(problem)
        for name, source in sources()
        if name.endswith(".py")
        for problem in unmarked_prints(source, name)
    ]
    assert found == []


# --- claims -----------------------------------------------------------------------------------

VALUES = [0.5, 7, True, float("nan"), float("inf"), "0.9", plt.np.ones((2, 3))]
BOUNDS = [{"at_least": 0.4}, {"at_most": 9}, {"at_least": 1, "at_most": 6}, {"at_least": True}]


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__ + str(value)[:4])
def test_claims_speak_the_other_language(other_language, capsys, value, bounds):
    try:
        claim("…", value, **bounds)
        shown = capsys.readouterr().out
    except ClaimError as error:
        shown = str(error)
    assert shown and words(shown) <= {"ndarray"}


def test_claims_and_alternative_texts_of_the_notebooks_are_looked_up(other_language, capsys):
    """Each one is called as in the notebook, with values of any kind."""
    shown, seen = [], 0
    for message in MESSAGES:
        if ", cell " not in message.file:
            continue
        seen += 1
        values = {name: Anything() for name in placeholders(message.text)}
        claim(message.text, 1, at_least=1, **values)
        shown += [capsys.readouterr().out, localised(message.text, **values)]
    assert seen > 100
    assert [text for text in shown if words(text)] == []


class Anything:
    """Can be formatted in any way."""

    def __format__(self, spec: str) -> str:
        return "7"


def test_cells_pass_the_very_texts_that_are_extracted():
    """No cell changes a text before `claim` or `show` looks it up."""
    known = {message.text for message in MESSAGES}
    for name, source in sources():
        if ", cell " in name:
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim":
                    assert node.args[0].value in known


# --- figures ----------------------------------------------------------------------------------


def test_alternative_texts_are_looked_up(other_language, locale_folder, monkeypatch):
    text = next(m.text for m in MESSAGES if ", cell " in m.file and placeholders(m.text))
    calls = []
    monkeypatch.setattr("IPython.display.display", lambda *o, **k: calls.append((o, k)))
    monkeypatch.setattr("course_utils.plotting.style.in_notebook", lambda: True)
    show(new_figure(2, 1)[0], alt=text, **{name: 7 for name in placeholders(text)})
    ((bundle,), _options) = calls[0]
    assert not words(bundle["text/plain"]) and bundle["text/plain"].isascii() is False
    assert f'alt="{escape(bundle["text/plain"])}"' in bundle["text/html"]


@pytest.mark.parametrize("name", list(APPLICATIONS))
def test_pictures_of_applications_are_described(other_language, name):
    if APPLICATIONS[name][0] not in checkpoint_names():
        pytest.skip(f"no checkpoint for {name}")
    _ax, alt = application_picture(name)
    plt.close("all")
    assert not prose(re.sub(r"'[^']*'", "", alt)), alt
    assert accented("the") in alt


def test_the_page_of_texts_speaks_the_other_language(other_language):
    class Verdict:
        text, words, weights, spans = "good", ["good"], plt.np.ones(1), [(0, 4)]
        label, probability = "positive", 0.75

    page = html_page([Verdict()])
    assert f'<html lang="{LANGUAGE}">' in page
    body = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert words(body) == {"good", "positive"}


def test_units_of_progress_bars_are_looked_up(other_language, capsys):
    with progress_bar(3, "step", leave=False) as bar:
        assert bar.unit == accented("step")


# --- exercises --------------------------------------------------------------------------------


def unsolved(*_args, **_kwargs):
    raise NotImplementedError


def nothing(*_args, **_kwargs):
    return None


def broken(*_args, **_kwargs):
    raise KeyError("k")


def talkative(*_args, **_kwargs):
    print("k")
    return "k"


def verdict_lines(text: str) -> list[tuple[str, str]]:
    """(name of the row, text) of a verdict; the first line has the name ""."""
    first, *rest = text.splitlines()
    found = [("", first)]
    for line in rest:
        if match := re.match(r"   (\S[^:]*):\s+(.*)", line):
            found.append((match[1], match[2]))
        else:
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line)
    return found


def shown_in_english(text: str) -> list[str]:
    """What of a verdict has not been looked up: names of rows, problems, hints, labels of cases."""
    rows = ("input", "expected", "yours", "printed", "in line")
    values = {accented(name) for name in rows}
    found = []
    for name, value in verdict_lines(text):
        found += words(name)
        if name in values:  # what the learner's function got and gave
            found += prose("".join(re.findall(r"   \((.*)\)$", value)))
        else:  # the message of an exception is Python's
            found += prose(re.sub(r"Error: .*", "", value))
    return found


@pytest.mark.parametrize("number", exercises.numbers())
def test_exercises_speak_the_other_language(other_language, capsys, number):
    exercise = exercises.get(number)
    assert not prose(exercises.statement(number))
    answers = [exercise.solution, unsolved, nothing, broken, talkative, 5]
    answers += [mistake.answer for mistake in exercise.mistakes]
    for answer in answers:
        verdict = exercises.check(number, answer)
        assert capsys.readouterr().out == verdict.text + "\n"
        assert shown_in_english(verdict.text) == [], verdict.text
        assert not verdict.text.isascii(), verdict.text


# --- notices ----------------------------------------------------------------------------------


def test_notices_of_missing_data_speak_the_other_language(
    other_language, capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    assert not real_data("multi30k")
    assert words(capsys.readouterr().out) == set()


def test_the_check_of_the_installation_speaks_the_other_language(other_language, capsys):
    check_installation()
    for line in capsys.readouterr().out.splitlines():
        without_commands = re.sub(r"python -m [\w .]*", "", line)
        assert not prose(without_commands), line
