"""Each exercise works: the solution passes, the stub is unsolved, each mistake gets its hint.

The first half tests every registered exercise and its cells in the notebook; the second half tests
the judging of answers, on small exercises that are defined here.
"""

import builtins
import json
import random
import re
import subprocess
import sys
import textwrap
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter

import course_utils.exercises as exercises
from course_utils.exercises import check, get, judging, numbers, solution, statement, stub_source
from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.cells import update_cells
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise
from course_utils.exercises.showing import describe
from tools.notebooks import all_notebooks

MISTAKES = [
    pytest.param(number, mistake, id=f"{number}-{mistake.name}")
    for number in numbers()
    for mistake in get(number).mistakes
]


def run_cell(source, **names):
    """What the code of a notebook's cell defines, after the notebook's usual imports."""
    space = {"__name__": "__main__", **names}
    exec("import math\nimport torch\nfrom torch.nn import functional as F", space)
    exec(source, space)
    return space


# ---------------------------------------------------------------------- every registered exercise


@pytest.mark.parametrize("number", numbers())
def test_the_solution_as_printed_passes(number, capsys):
    solution(number)
    printed = capsys.readouterr().out
    answer = run_cell(printed)[get(number).name]
    assert check(number, answer)
    shown = f"   Your prediction: {get(number).prediction}\n" if get(number).prediction else ""
    assert capsys.readouterr().out == f"✔ {number} {get(number).title}\n{shown}"


@pytest.mark.parametrize("number", numbers())
def test_what_is_to_be_predicted_has_an_answer(number):
    one = get(number)
    assert ("predict first" in one.body.lower()) == bool(one.prediction)
    assert one.prediction not in one.statement or not one.prediction


@pytest.mark.parametrize("number", numbers())
def test_the_stub_is_unsolved_and_its_cell_runs_through(number, capsys):
    run_cell(get(number).cell_source, check=check, solution=solution)
    assert capsys.readouterr().out == f"✎ {number} is not solved yet\n"


@pytest.mark.parametrize("number, mistake", MISTAKES)
def test_each_mistake_fails_with_its_own_hint(number, mistake, capsys):
    verdict = check(number, mistake.answer)
    assert verdict.state == "wrong"
    assert verdict.hint == mistake.hint, "the cases cannot tell this mistake from another one"
    assert capsys.readouterr().out.rstrip().endswith(mistake.hint)


@pytest.mark.parametrize("number", numbers())
def test_the_master_is_complete(number):
    one = get(number)
    hints = [mistake.hint for mistake in one.mistakes if not mistake.repeats]
    assert len(hints) >= 3 and len(set(hints)) == len(hints)
    assert min(map(len, hints)) > 20, "a hint is a sentence"
    assert len(one.body) > 80 and f"`{one.name}" in one.body, "the statement names the function"
    assert one.known_cases() or one.free_checks, "no case with a known result"
    kind = one.kind.capitalize()
    assert statement(number).startswith(
        f"### Exercise {number}: {one.title}\n\n*{kind} · about {one.minutes} minutes*\n\n"
    )
    assert "minutes" not in one.body, "minutes and kind are arguments of `exercise`"
    assert (one.kind == "predict") <= (one.minutes <= 5)
    assert "raise NotImplementedError" in stub_source(number)


@pytest.mark.parametrize("number", numbers())
def test_an_exercise_is_judged_quickly(number):
    """Few cases with small arguments: every mistake may have to be tried on all of them."""
    cases = [one for maker in get(number).makers for one in maker()]
    assert len(cases) <= 20
    for one in cases:
        assert sum(x.numel() for x in one.args if isinstance(x, torch.Tensor)) <= 1000


def test_notebooks_have_the_cells_of_the_masters():
    wrong = []
    for path in all_notebooks():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        masters = [get(number) for number in numbers(path.stem[:2])]
        wrong += [f"{path.stem}: {change}" for change in update_cells(cells, masters)]
    assert wrong == [], "write them with `make exercises`"


def test_exercises_are_numbered_from_1_in_the_master_of_their_notebook():
    for number in numbers():
        notebook = number.split(".")[0]
        assert get(number).solution.__module__ == f"course_utils.exercises.nb{notebook}"
        assert numbers(notebook) == [f"{notebook}.{i + 1}" for i in range(len(numbers(notebook)))]


# ------------------------------------------------- notebook 03: wrong answers written another way


def count_all_found(candidate_words, reference_words, n):
    found = total = 0
    for i in range(len(candidate_words) - n + 1):
        gram = candidate_words[i : i + n]
        total += 1
        if any(reference_words[j : j + n] == gram for j in range(len(reference_words))):
            found += 1
    return found, total


def rates_by_name_of_gold(weights, gold):
    sources = dict((target, source) for source, target in gold)  # keeps one link for each word
    if not sources:
        return 0.0
    missed = [weights[target].argmax() != source for target, source in sources.items()]
    return sum(map(bool, missed)) / len(sources)


def old_beam_code(log_probs, scores):
    total = log_probs + scores.unsqueeze(1)
    best, where = total.view(-1).topk(scores.numel())
    beams = where / total.size(1)
    return list(zip(best.tolist(), beams.tolist(), (where % total.size(1)).tolist(), strict=True))


def sets_of_pairs(candidate_words, reference_words, n):
    def ngrams(words):
        return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}

    ours = ngrams(candidate_words)
    return sum(gram in ngrams(reference_words) for gram in ours), len(ours)


def one_for_each_beam(log_probs, scores):
    found = []
    for beam in range(len(scores)):
        token = int(log_probs[beam].argmax())
        found.append((float(scores[beam] + log_probs[beam, token]), beam, token))
    return sorted(found, key=lambda triple: -triple[0])


@pytest.mark.parametrize(
    "number, answer, word",
    [
        ("03.1", lambda weights, gold: 1 - get("03.1")(weights, gold) if gold else 0.0, "share of"),
        (
            "03.1",
            lambda w, g: sum((int(r.argmax()), t) not in g for t, r in enumerate(w)) / len(w),
            "do not count",
        ),
        ("03.2", count_all_found, "clip"),
        ("03.2", sets_of_pairs, "set"),
        ("03.2", lambda c, r, n: tuple(map(float, get("03.2")(c, r, n))), None),
        ("03.3", old_beam_code, "//"),
        ("03.3", one_for_each_beam, "each beam"),
        ("03.3", lambda p, s: get("03.3")(p, torch.zeros_like(s)), "scores of the beginnings"),
    ],
)
def test_03_wrong_answers_in_other_words(number, answer, word):
    verdict = get(number).judge(answer)
    assert verdict.state == "wrong"
    assert word is None or word in verdict.hint


def test_03_1_a_word_with_two_links_may_be_found_at_either():
    assert get("03.1").judge(rates_by_name_of_gold).state == "wrong"


def test_03_solutions_agree_with_other_implementations():
    import sacrebleu

    generator = random.Random(3)
    for _ in range(20):
        candidate, reference = (
            [generator.choice("ab c d".split()) for _ in range(9)] for _ in "12"
        )
        bleu = sacrebleu.sentence_bleu(
            " ".join(candidate), [" ".join(reference)], tokenize="none", smooth_method="none"
        )
        ours = [get("03.2")(candidate, reference, n) for n in (1, 2, 3, 4)]
        assert [o[1] for o in ours] == bleu.totals
        if bleu.counts[3]:
            assert [o[0] for o in ours] == bleu.counts

    torch.manual_seed(3)
    log_probs, scores = torch.randn(4, 6).log_softmax(1), -torch.rand(4)
    everything = [(float(scores[k] + log_probs[k, v]), k, v) for k in range(4) for v in range(6)]
    best = sorted(everything, reverse=True)[:4]
    assert difference(best, get("03.3")(log_probs, scores)) is None


# --------------------------------------------------------------------------------------- judging


@pytest.fixture
def doubled(monkeypatch):
    """A small exercise outside the course's registry: twice a tensor, row by row."""
    monkeypatch.setattr(judging, "REGISTRY", {})
    monkeypatch.setattr(exercises, "REGISTRY", judging.REGISTRY)

    @exercise("99.1", "Twice", "Write `doubled(x)`.")
    def doubled(x):
        """Twice x (A, B)."""
        return 2 * x

    @doubled.cases
    def _():
        yield case(torch.tensor([[1.0, 2.0, 3.0]]), expected=torch.tensor([[2.0, 4.0, 6.0]]))
        yield case(torch.randn(2, 3), label="two rows")

    @doubled.mistake("squaring is something else: use 2 * x")
    def squared(x):
        return x**2

    return doubled


def test_a_verdict_says_what_is_wrong_and_for_which_input(doubled, capsys):
    verdict = check("99.1", lambda x: x * x)
    assert not verdict
    assert capsys.readouterr().out == (
        "✘ 99.1 Twice\n"
        "   problem:  the result is wrong\n"
        "   input:    x = tensor([[1.0, 2.0, 3.0]])\n"
        "   expected: tensor([[2.0, 4.0, 6.0]])\n"
        "   yours:    tensor([[1.0, 4.0, 9.0]])\n"
        "   hint:     squaring is something else: use 2 * x\n"
    )


def raises_key_error(x):
    return {}["missing"]


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda x: None, ["the result is None", "`return`"]),
        (lambda x: 2 * x.T, ["shape is (3, 1), expected (1, 3)", "swapped"]),
        (lambda x: 2 * x[0], ["shape is (3,), expected (1, 3)"]),
        (lambda x: (2 * x).long(), ["torch.int64", "expected torch.float32"]),
        (lambda x: x > 0, ["torch.bool"]),
        (lambda x: (2 * x).tolist(), ["got a list, expected a tensor of shape (1, 3)"]),
        (lambda x: (2 * x).numpy(), ["got an ndarray, expected a Tensor"]),
        (lambda x: 2 * x / 0 * 0, ["NaN"]),
        (lambda x: x.mul_(2), ["the result is right, but argument 1 was modified", "copy"]),
        (lambda: 0, ["raises TypeError", "x = tensor"]),
        (raises_key_error, ["raises KeyError: 'missing'", 'in line:  return {}["missing"]']),
        (lambda x: x if len(x) == 1 else 1 / 0, ["x = tensor([[1.0, 2.0, 3.0]])"]),
        (lambda x: 2 * x if len(x) == 1 else 1 / 0, ["ZeroDivisionError", "(two rows)"]),
        (torch.ones(3), ["a Tensor is not a function", 'check("99.1", doubled)']),
    ],
)
def test_messages_for_other_ways_to_go_wrong(doubled, answer, words, capsys):
    assert check("99.1", answer).state == "wrong"
    printed = capsys.readouterr().out
    for word in words:
        assert word in printed
    assert "squaring" not in printed


def test_answers_may_be_right_in_their_own_way(doubled):
    assert doubled.judge(lambda x: x + x)
    assert doubled.judge(lambda x: 2 * x.double())
    assert doubled.judge(lambda x: 2 * x + 1e-7)
    assert doubled.judge(doubled)


def test_half_solved_is_not_solved(doubled, capsys):
    def answer(x):
        if len(x) == 1:
            return 2 * x
        raise NotImplementedError

    check("99.1", answer)
    assert capsys.readouterr().out.startswith(
        "✎ 99.1 is not solved yet: NotImplementedError is still raised for x = tensor("
    )


def test_what_an_answer_prints_shows_only_where_it_is_wrong(doubled, capsys):
    def chatty(x):
        print("shape", tuple(x.shape))
        return 2 * x if len(x) == 1 else x

    check("99.1", chatty)
    printed = capsys.readouterr().out
    assert printed.startswith("✘") and "printed:  shape (2, 3)" in printed
    assert "(1, 3)" not in printed


def test_a_partly_fitting_mistake_gives_a_careful_hint(doubled):
    def squares_mostly(x):
        return x**2 if len(x) == 1 else x**2 + (x > 9) * 1.0 if len(x) == 2 else x

    assert doubled.judge(squares_mostly).hint == "squaring is something else: use 2 * x"

    @doubled.cases
    def _():
        yield case(torch.full((3, 1), 5.0))

    assert doubled.judge(squares_mostly).hint.startswith("perhaps this: squaring")
    assert doubled.judge(lambda x: x if len(x) > 1 else x**2).hint is None


def test_the_first_case_that_fails_may_have_a_hint_of_its_own(doubled):
    @doubled.cases
    def _():
        yield case(torch.full((3, 1), 1e9), hint="do not cut off large numbers")

    assert doubled.judge(lambda x: (2 * x).clamp(max=50)).hint == "do not cut off large numbers"
    assert doubled.judge(lambda x: x**2).hint == "squaring is something else: use 2 * x"
    assert doubled.judge(lambda x: (x * x).clamp(max=50)).hint.startswith("perhaps this: squaring")


def test_random_generators_keep_their_state(doubled):
    def state():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    def uses_all(x):
        return 2 * x + torch.rand(()) + random.random() + np.random.rand()

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    before = state()
    first = doubled.judge(uses_all).text
    assert state() == before
    doubled.judge(doubled)
    assert state() == before
    torch.manual_seed(6)
    assert doubled.judge(uses_all).text == first


def test_a_prediction_is_answered_only_when_the_answer_is_right(monkeypatch):
    monkeypatch.setattr(judging, "REGISTRY", {})

    @exercise("99.1", "Twice", "**Predict first:** twice 3?", prediction="6: 3 +\n   3")
    def twice(x):
        """Twice x."""
        return 2 * x

    @twice.cases
    def _():
        yield case(1, expected=2)

    def unsolved(x):
        raise NotImplementedError

    assert twice.judge(twice).text == "✔ 99.1 Twice\n   Your prediction: 6: 3 + 3"
    for answer in (unsolved, lambda x: x):
        assert "rediction" not in twice.judge(answer).text


def test_another_way_to_make_a_mistake_gets_the_same_hint(monkeypatch):
    monkeypatch.setattr(judging, "REGISTRY", {})

    @exercise("99.1", "Twice", "…")
    def twice(x):
        """Twice x."""
        return 2 * x

    @twice.cases
    def _():
        yield case(1, expected=2)
        yield case(3, expected=6)

    @twice.mistake("this is a power, not a product")
    def square(x):
        return x**2

    @twice.again
    def cube(x):
        return x**3

    assert [one.repeats for one in twice.mistakes] == [False, True]
    for answer in (square, cube):
        assert twice.judge(answer).hint == "this is a power, not a product"


def test_the_verdict_shows_nothing_at_the_end_of_a_cell(doubled, capsys):
    verdict = check("99.1", doubled)
    assert bool(verdict) is True
    formatter = DisplayFormatter()
    formatter.ipython_display_formatter.enabled = True
    assert formatter.format(verdict) == ({}, {})


def test_free_checks_judge_properties(doubled, capsys):
    @doubled.check
    def _(answer):
        x = torch.ones(1, 2, requires_grad=True)
        answer(x).sum().backward()
        if x.grad is None or not torch.equal(x.grad, torch.full((1, 2), 2.0)):
            raise CheckFailed(
                "the gradient is wrong", expected=2.0, got=x.grad, hint="keep the graph"
            )

    assert doubled.judge(lambda x: x + x)
    verdict = doubled.judge(lambda x: (2 * x).detach().requires_grad_())
    assert verdict.state == "wrong" and verdict.hint == "keep the graph"
    assert "the gradient is wrong" in verdict.text and "x = tensor([[1.0, 1.0]])" in verdict.text
    broken = doubled.judge(lambda x: 2 * x.detach())
    assert broken.state == "wrong" and "RuntimeError" in broken.text


def test_a_failed_check_shows_its_input_and_finds_the_mistake(doubled):
    @doubled.check
    def _(answer):
        if answer.__name__ not in ("doubled", "squared"):
            raise CheckFailed("the name is wrong", input="the name itself", got=answer.__name__)

    @doubled.mistake("the function has to be called doubled")
    def tripled(x):
        return 2 * x

    def quadrupled(x):
        return x + x

    verdict = doubled.judge(quadrupled)
    assert verdict.hint == "the function has to be called doubled"
    assert verdict.text.splitlines()[1:4] == [
        "   problem:  the name is wrong",
        "   input:    the name itself",
        "   yours:    'quadrupled'",
    ]

    @doubled.check
    def _(answer):
        raise CheckFailed("nothing is right", hint="the hint of the check comes first")

    assert doubled.judge(doubled).hint == "the hint of the check comes first"


def test_an_answer_may_be_a_class(monkeypatch):
    monkeypatch.setattr(judging, "REGISTRY", {})

    @exercise("99.2", "A layer", "Write `Scale`.")
    class Scale(torch.nn.Module):
        """Multiplies by a learnt factor."""

        def __init__(self, width):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.ones(width))

        @staticmethod
        def name():
            return "scale"

        def forward(self, x):
            """x (B, width) -> (B, width)."""
            return x * self.factor

    @Scale.check
    def _(answer):
        layer = answer(3)
        if not list(layer.parameters()):
            raise CheckFailed("the layer has nothing to learn")
        if answer.name() != "scale":
            raise CheckFailed("the name is wrong")

    @Scale.mistake("make the factor a Parameter")
    class Constant(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.factor = torch.ones(width)

    assert Scale.judge(Scale)
    assert Scale.judge(Constant).hint == "make the factor a Parameter"
    assert Scale.stub_source == (
        "class Scale(torch.nn.Module):\n"
        '    """Multiplies by a learnt factor."""\n\n'
        "    def __init__(self, width):\n"
        "        raise NotImplementedError\n\n"
        "    @staticmethod\n"
        "    def name():\n"
        "        raise NotImplementedError\n\n"
        "    def forward(self, x):\n"
        '        """x (B, width) -> (B, width)."""\n'
        "        raise NotImplementedError"
    )
    assert Scale.judge(run_cell(Scale.stub_source)["Scale"]).state == "unsolved"


def test_sources_are_cut_at_the_right_lines(monkeypatch):
    monkeypatch.setattr(judging, "REGISTRY", {})

    @exercise("99.3", "Long", "Write it.")
    def long_signature(
        first,
        second=(1, 2),
    ):
        """Two lines

        of text.
        """
        # a comment
        return first

    assert long_signature.solution_source.startswith("def long_signature(\n    first,")
    assert long_signature.solution_source.endswith("    # a comment\n    return first")
    assert long_signature.stub_source.endswith(
        '    of text.\n    """\n    raise NotImplementedError'
    )


def test_faulty_masters_are_refused(monkeypatch):
    monkeypatch.setattr(judging, "REGISTRY", {})
    with pytest.raises(ValueError, match="docstring"):
        exercise("99.1", "Bare", "…")(lambda x: x)
    with pytest.raises(ValueError, match="99.1: kind 'mend' is not one of predict, .*, repair"):
        exercise("99.1", "Odd", "…", kind="mend")
    with pytest.raises(ValueError, match="99.1: 90 minutes"):
        exercise("99.1", "Long", "…", minutes=90)
    with pytest.raises(ValueError, match="no exercise '3.1'; there are .*03.1"):
        get("3.1")


@pytest.mark.parametrize(
    "expected, got, words",
    [
        (2, 2.0, "got a float, expected an integer"),
        (2, True, "wrong"),
        (0.5, "0.5", "got a str, expected a number"),
        (0.5, 0.6, "the result is wrong"),
        (0.5, float("nan"), "NaN"),
        ((1, 2), (1, 2, 3), "got 3 values, expected 2"),
        ((1, 2), 1, "got an int, expected a tuple"),
        ([(1, 2), (3, 4)], [(1, 2), (3, 5)], "at [1][1]: the result is wrong"),
        ({"a": [1]}, {"a": [2]}, "at ['a'][0]"),
        ({"a": 1}, {"b": 1}, "keys"),
        ({1, 2}, {1, 3}, "wrong"),
        ({1, 2}, [1, 2], "got a list, expected a set"),
        ("text", "next", "wrong"),
        (torch.tensor([True, False]), torch.tensor([True, True]), "wrong"),
        (torch.zeros(2, 3), torch.zeros(3, 2), "two dimensions are swapped"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "wrong"),
    ],
)
def test_differences_in_words(expected, got, words):
    assert words in difference(expected, got)


@pytest.mark.parametrize(
    "expected, got",
    [
        (2, 2),
        (2, torch.tensor(2)),
        (0.5, torch.tensor(0.5)),
        (0.5, 0.500001),
        (1.0, 1),
        (float("-inf"), float("-inf")),
        (float("nan"), float("nan")),
        ([(1, 2)], ((1, 2),)),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([0.5, float("nan")]), torch.tensor([0.5, float("nan")])),
        (torch.tensor([0.5]), torch.tensor([0.5], dtype=torch.float64)),
        (torch.zeros(0, 3), torch.zeros(0, 3)),
        (np.arange(3), np.arange(3)),
        ({1, 2}, {2, 1}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (None, None),
    ],
)
def test_no_difference(expected, got):
    assert difference(expected, got) is None


@pytest.mark.parametrize(
    "expected, got",
    [
        (float("inf"), 3.0),
        (float("-inf"), float("inf")),
        (0.5, 10**400),
        (torch.tensor([1.0, torch.inf]), torch.tensor([1.0, 2.0])),
        (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, 2.0])),
        (np.array([0.25, 0.5]), np.array([0.25, 0.75])),
    ],
)
def test_special_numbers_are_told_apart(expected, got):
    assert difference(expected, got) == "the result is wrong"


@given(
    expected=st.floats(-1e6, 1e6),
    error=st.floats(-3, 3).filter(lambda error: abs(abs(error) - 1) > 1e-3),
    rtol=st.sampled_from([0.0, 1e-4, 0.2]),
    atol=st.sampled_from([1e-5, 0.5]),
)
@example(expected=1.0, error=1.1, rtol=0.2, atol=1e-5)
@example(expected=-1.0, error=-0.95, rtol=0.2, atol=1e-5)
def test_floats_are_compared_with_both_tolerances(expected, error, rtol, atol):
    got = expected + error * (atol + rtol * abs(expected))
    assume(abs(error) < 1e-3 or atol + rtol * abs(expected) > 1e-9 * abs(expected))
    right = abs(error) < 1
    assert (difference(expected, got, rtol, atol) is None) == right
    pair = [torch.tensor([[7.0, number]], dtype=torch.float64) for number in (expected, got)]
    assert (difference(*pair, rtol, atol) is None) == right
    assert (difference({"a": [expected]}, {"a": (got,)}, rtol, atol) is None) == right


@pytest.mark.parametrize(
    "value, text",
    [
        (torch.tensor([[0.123456, 2.0]]), "tensor([[0.1235, 2.0]])"),
        (torch.tensor([[1, 2], [3, 4], [5, 6]]), "tensor([[1, 2], [3, 4], [5, 6]])"),
        (torch.zeros(7, 7), "tensor of shape (7, 7), torch.float32"),
        (torch.zeros(0, 3), "tensor of shape (0, 3)"),
        (np.array([True, False]), "tensor([True, False])"),
        ((1.0, 1e-9), "(1.0, 1e-09)"),
        ((12345.678,), "(1.235e+04,)"),
        ([{"b": 0.5}, {3, 1}, "x"], "[{'b': 0.5}, {1, 3}, 'x']"),
        (float("-inf"), "-inf"),
    ],
)
def test_values_are_described_as_a_learner_reads_them(value, text):
    assert describe(value) == text


def test_the_example_of_the_docstring_works(monkeypatch):
    monkeypatch.setattr(judging, "REGISTRY", {})
    example = re.search(r"exercise::\n\n(.*?)\n\*\*Cases", exercises.__doc__, re.DOTALL)
    middle = run_cell(textwrap.dedent(example[1]))["middle"]
    assert middle.judge(middle) and middle.known_cases() == 2
    (mistake,) = middle.mistakes
    assert middle.judge(mistake.answer).hint == mistake.hint
    assert middle.statement.startswith(
        "### Exercise 01.1: The middle of a vector\n\n*Implement · about 5 minutes*\n\nThe task"
    )
    for function in middle.free_checks:
        with pytest.raises(CheckFailed, match="move with the values"):
            function(lambda x: x.abs().mean() ** 2)


def test_importing_the_package_is_light():
    code = "import course_utils.exercises, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_no_exercise_has_the_name_of_a_builtin():
    assert not set(get(number).name for number in numbers()) & set(dir(builtins))
