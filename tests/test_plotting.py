"""The figures show what they are given, refuse what does not fit, and look the same everywhere."""

import base64
import math
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import nbconvert
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from course_utils import plotting
from course_utils.plotting import (
    COLOURS,
    WEIGHTS,
    attention_matrix,
    bars,
    new_figure,
    picture_attention,
    score_by_length,
    show,
    style,
    training_curves,
)
from course_utils.plotting.audio import listening, wave
from course_utils.plotting.texts import highlight

SOURCE = ["the", "black", "cat", "PAD", "PAD"]
TARGET = ["le", "chat", "noir"]


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


def example_weights():
    weights = torch.zeros(3, 5)
    weights[0, 0], weights[1, 2], weights[2, 1], weights[2, 0] = 1.0, 1.0, 0.75, 0.25
    return weights


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_matrix_has_tokens_on_both_axes_and_a_fixed_scale():
    ax = attention_matrix(example_weights() / 10, SOURCE, TARGET, title="Alignment")
    assert [label.get_text() for label in ax.get_xticklabels()] == SOURCE
    assert [label.get_text() for label in ax.get_yticklabels()] == TARGET
    assert ax.xaxis.get_ticks_position() == "top"
    image = ax.images[0]
    assert image.get_clim() == (0, 1)
    np.testing.assert_allclose(image.get_array()[2], [0.025, 0.075, 0, 0, 0])
    assert image.colorbar is not None
    assert ax.get_title(loc="left") == "Alignment"


def test_matrix_turns_long_tokens():
    short = attention_matrix(torch.rand(1, 2), ["a", "b"], ["q"])
    long = attention_matrix(torch.rand(1, 2), ["extraordinary", "b"], ["q"])
    assert short.get_xticklabels()[0].get_rotation() == 0
    assert long.get_xticklabels()[0].get_rotation() > 30


def test_matrix_greys_padding_and_writes_no_weights_there():
    mask = torch.tensor([True, True, True, False, False])
    ax = attention_matrix(example_weights(), SOURCE, TARGET, column_mask=mask)
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert sorted(patch.get_x() for patch in hatched) == [2.5, 3.5]
    assert all(patch.get_height() == 3 for patch in hatched)
    assert len(texts(ax)) == 3 * 3
    assert not [p for p in attention_matrix(example_weights(), SOURCE, TARGET).patches]


def test_matrix_outlines_gold_links():
    ax = attention_matrix(example_weights(), SOURCE, TARGET, gold={(2, 1), (4, 0)})
    squares = [patch for patch in ax.patches if not patch.get_fill()]
    centres = {(round(p.get_x() + 0.42), round(p.get_y() + 0.42)) for p in squares}
    assert centres == {(2, 1), (4, 0)}


def test_matrix_values_in_small_matrices_only_unless_asked():
    ax = attention_matrix(example_weights(), SOURCE, TARGET)
    assert texts(ax)[:5] == ["1", "0", "0", "0", "0"]
    assert texts(ax)[10:12] == [".25", ".75"]
    dark, light = ax.texts[0], ax.texts[1]
    assert dark.get_color() == "white" and light.get_color() != "white"
    assert not texts(attention_matrix(example_weights(), SOURCE, TARGET, cell_values=False))
    wide = torch.rand(2, 30)
    names = [str(i) for i in range(30)]
    assert not texts(attention_matrix(wide, names, ["a", "b"]))
    assert len(texts(attention_matrix(wide, names, ["a", "b"], cell_values=True))) == 60


@pytest.mark.parametrize(
    "weights",
    [
        torch.eye(2, 3, requires_grad=True),
        torch.eye(2, 3, dtype=torch.bfloat16),
        torch.eye(2, 3).numpy(),
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        [torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])],
    ],
    ids=["gradient", "bfloat16", "numpy", "lists", "list of tensors"],
)
def test_matrix_takes_any_kind_of_array(weights):
    image = attention_matrix(weights, "abc", "xy").images[0]
    np.testing.assert_array_equal(image.get_array(), np.eye(2, 3))


@pytest.mark.parametrize(
    "shape, cause",
    [
        ((5, 3), "swapped"),
        ((2, 5, 3), "swapped"),
        ((2, 4, 3, 5), "pick one sentence"),
        ((3, 4), "end mark"),
        ((5,), "queries"),
    ],
)
def test_matrix_refuses_sizes_that_do_not_fit(shape, cause):
    with pytest.raises(ValueError, match=cause) as caught:
        attention_matrix(torch.rand(shape), SOURCE, TARGET)
    assert str(shape) in str(caught.value) and "(3, 5)" in str(caught.value)


def test_matrix_refuses_a_wrong_mask_and_links_outside():
    with pytest.raises(ValueError, match=r"\(3,\).*5 columns"):
        attention_matrix(example_weights(), SOURCE, TARGET, column_mask=torch.ones(3))
    with pytest.raises(ValueError, match="column 1, row 4.*swapped"):
        attention_matrix(example_weights(), SOURCE, TARGET, gold={(1, 4)})


def test_plotting_loads_neither_models_nor_tasks_nor_data():
    modules = [f"{plotting.__name__}.{m.name}" for m in pkgutil.iter_modules(plotting.__path__)]
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert set(modules) <= set(loaded)
    unwanted = ("torch", *(f"course_utils.{name}" for name in ("models", "tasks", "datasets")))
    assert [name for name in loaded if name.startswith(unwanted)] == []


def test_only_the_commands_choose_a_backend():
    package = Path(plotting.__file__).parents[1]
    found = [
        path.name
        for path in package.rglob("*.py")
        if re.search(r"MPLBACKEND|matplotlib\.use\(|switch_backend", path.read_text("utf-8"))
    ]
    assert found == ["__main__.py"]


def head_weights(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.softmax(torch.randn(*shape, generator=generator), dim=-1)


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_matrix_has_a_panel_for_each_head(heads):
    weights = head_weights(heads, 3, 5)
    axes = attention_matrix(weights, SOURCE, TARGET, title="Layer 1", gold={(4, 1)})
    assert axes.shape == (heads,)
    for number, (ax, head) in enumerate(zip(axes, weights, strict=True), start=1):
        np.testing.assert_allclose(ax.images[0].get_array(), head)
        assert ax.images[0].get_clim() == (0, 1)
        assert ax.get_title(loc="left") == f"head {number}"
        assert [label.get_text() for label in ax.get_xticklabels()] == SOURCE
        assert [label.get_text() for label in ax.get_yticklabels()] == TARGET
        assert len([patch for patch in ax.patches if not patch.get_fill()]) == 1
    figure = axes[0].figure
    assert figure.get_suptitle() == "Layer 1"
    assert len(figure.axes) == heads + 1  # one colour bar for all, no empty panel


def test_heads_are_drawn_on_the_given_axes():
    fig, axes = new_figure(8, 6, columns=2, rows=2)
    found = attention_matrix(head_weights(4, 3, 5), SOURCE, TARGET, ax=axes, title="Layer 1")
    assert list(found) == list(axes.flat) and plt.get_fignums() == [fig.number]
    assert found[2].get_title(loc="left") == "Layer 1, head 3"
    with pytest.raises(ValueError, match="3 heads, but 4 axes"):
        attention_matrix(head_weights(3, 3, 5), SOURCE, TARGET, ax=axes)
    with pytest.raises(ValueError, match="no head"):
        attention_matrix(torch.zeros(0, 3, 5), SOURCE, TARGET)


def test_functions_draw_on_the_given_axes_and_return_them():
    fig, axes = new_figure(8, 6, columns=2, rows=2)
    a, b, c, d = axes.flatten()
    assert attention_matrix(example_weights(), SOURCE, TARGET, ax=a) is a
    assert score_by_length([1, 2], {"m": [0.5, 0.4]}, ax=b) is b
    assert training_curves([{"step": 1, "loss": 2.0}], ax=c) is c
    assert bars(["m"], [0.5], ax=d) is d
    assert plt.get_fignums() == [fig.number]


def test_lines_carry_their_names_and_differ_in_more_than_colour():
    scores = {"attention": [50, 48, 45], "fixed vector": [45, 20, 5]}
    ax = score_by_length([5, 15, 25], scores, ylabel="BLEU")
    assert {"attention", "fixed vector"} <= set(texts(ax))
    first, second = ax.lines
    assert list(first.get_ydata()) == [50, 48, 45]
    assert first.get_color() != second.get_color() and first.get_marker() != second.get_marker()
    assert ax.get_ylabel() == "BLEU" and ax.get_ylim()[0] == 0


def test_names_of_lines_that_end_together_do_not_overlap():
    ax = score_by_length([1, 2], {name: [9, 9] for name in "abc"})
    ax.figure.canvas.draw()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in zip(boxes, boxes[1:], strict=False))


def test_band_over_seeds_and_the_mean():
    seeds = [[0.8, 0.4], [0.9, 0.6], [0.7, 0.5]]
    ax = score_by_length([10, 20], {"model": seeds})
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.8, 0.5])
    corners = ax.collections[0].get_paths()[0].vertices
    at_ten = corners[corners[:, 0] == 10, 1]
    np.testing.assert_allclose([at_ten.min(), at_ten.max()], [0.7, 0.9])
    given = score_by_length([10, 20], {"model": [0.8, 0.5]}, spread={"model": [0.1, 0.2]})
    corners = given.collections[0].get_paths()[0].vertices
    at_twenty = corners[corners[:, 0] == 20, 1]
    np.testing.assert_allclose([at_twenty.min(), at_twenty.max()], [0.3, 0.7])
    assert not score_by_length([10, 20], {"model": [0.8, 0.5]}).collections


def test_training_range_is_shaded():
    ax = score_by_length([5, 15, 25], {"m": [3, 2, 1]}, training_range=(3, 20))
    assert "lengths seen in training" in texts(ax)
    shaded = ax.patches[0]
    assert (shaded.get_x(), shaded.get_width()) == (3, 17)


def test_missing_lengths_leave_a_gap():
    ax = score_by_length([5, 15, 25], {"m": [3, 2, math.nan]})
    label = next(text for text in ax.texts if text.get_text() == "m")
    assert label.xy[0] == 15


@pytest.mark.parametrize(
    "scores, spread", [([1, 2], None), ([[1, 2, 3, 4]], None), ([1, 2, 3], {"m": [1, 2]})]
)
def test_scores_of_another_length_are_refused(scores, spread):
    with pytest.raises(ValueError, match="m: .*3 lengths"):
        score_by_length([5, 15, 25], {"m": scores}, spread=spread)


class History:
    steps, loss, valid = [10, 20, 30], [3.0, 2.0, 1.5], [None, 2.5, 2.0]


ROWS = [
    {"step": 10, "loss": 3.0},
    {"step": 20, "loss": 2.0, "valid_loss": 2.5},
    {"step": 30, "loss": 1.5, "valid_loss": 2.0},
]


@pytest.mark.parametrize(
    "history",
    [ROWS, History(), dict(vars(History)), type("Fit", (), {"rows": ROWS})()],
    ids=["rows", "object", "dict", "result of fit"],
)
def test_training_curves_of_every_form_of_history(history):
    ax = training_curves(history)
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines]
    assert lines == [([10, 20, 30], [3.0, 2.0, 1.5]), ([20, 30], [2.5, 2.0])]
    assert set(texts(ax)) == {"training", "validation"}


def test_training_curves_without_losses_are_refused():
    with pytest.raises(ValueError, match="valid_loss"):
        training_curves([{"step": 1}])
    with pytest.raises(ValueError, match="2 steps but 3 values of loss"):
        training_curves({"steps": [1, 2], "loss": [1, 2, 3]})


def test_bars_carry_their_numbers_and_a_chance_line():
    ax = bars(["dot", "additive"], [0.5, 0.912], spread=[0.3, 0.01], chance=0.1, ylabel="accuracy")
    assert [patch.get_width() for patch in ax.patches] == [0.5, 0.912]
    assert texts(ax) == ["0.50", "0.91", "chance"]
    assert ax.texts[0].xy[0] == pytest.approx(0.8)  # beyond the error bar
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [0.1]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first name stands on top
    assert ax.get_xlabel() == "accuracy"
    with pytest.raises(ValueError, match="2 names"):
        bars(["a", "b"], [1, 2, 3])


def test_weights_darken_evenly():
    greys = WEIGHTS(np.linspace(0, 1, 21))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(greys) < 0).all()
    assert to_hex(WEIGHTS(0.0)) == "#ffffff"


def test_every_text_has_ten_points_or_more():
    axes = [
        attention_matrix(example_weights(), SOURCE, TARGET, title="t"),
        score_by_length([1, 2], {"m": [1, 2]}, training_range=(1, 2)),
        training_curves(ROWS),
        bars(["a"], [1], chance=0.5),
    ]
    for ax in axes:
        written = [t for t in ax.figure.findobj(plt.Text) if t.get_text().strip()]
        assert min(text.get_fontsize() for text in written) >= 10


def test_colours_differ_for_colour_blind_people():
    # Machado et al. 2009, deuteranopia and protanopia at full strength, on linear RGB.
    machado = {
        "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    }
    rgb = np.array([matplotlib.colors.to_rgb(colour) for colour in COLOURS[:5]]) ** 2.2
    for matrix in machado.values():
        seen = np.clip(rgb @ np.array(matrix).T, 0, 1) ** (1 / 2.2)
        distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        assert distances[~np.eye(5, dtype=bool)].min() > 0.1


# ------------------------------------------------------------------------------------------ show


@pytest.fixture
def displayed(monkeypatch):
    calls = []

    def display(*objects, **options):
        calls.append((objects, options))

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(style, "in_notebook", lambda: True)
    return calls


def test_show_displays_one_image_with_its_alternative_text(displayed):
    fig, _ = new_figure(5, 3)
    assert show(fig, alt='Weights fall from "the" & rise') is None
    ((bundle,), options) = displayed[0]
    assert len(displayed) == 1 and options == {"raw": True}
    assert bundle["text/plain"] == 'Weights fall from "the" & rise'
    assert set(bundle) == {"text/plain", "text/html"}
    picture = re.fullmatch(
        r'<img alt="Weights fall from &quot;the&quot; &amp; rise" width="480"'
        r' src="data:image/png;base64,([\w+/=]+)">',
        bundle["text/html"],
    )
    assert base64.b64decode(picture[1]).startswith(b"\x89PNG")
    assert not plt.get_fignums()


@pytest.mark.parametrize("exporter", ["HTMLExporter", "SlidesExporter"])
def test_nbconvert_puts_the_alternative_text_into_the_page(displayed, exporter):
    show(new_figure(2, 1)[0], alt="“the” < cat")
    ((bundle,), _) = displayed[0]
    output = nbformat.v4.new_output("display_data", bundle)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    page, _ = getattr(nbconvert, exporter)().from_notebook_node(notebook)
    assert re.findall(r'<img alt="([^"]*)"', page) == ["“the” &lt; cat"]


def test_show_takes_axes_too_and_gives_the_same_bytes_again(displayed):
    for _ in range(2):
        show(attention_matrix(example_weights(), SOURCE, TARGET), alt="a matrix")
    first, second = (objects[0]["text/html"] for objects, _ in displayed)
    assert first == second
    assert not plt.get_fignums()


def test_show_takes_an_array_of_axes(displayed):
    show(attention_matrix(head_weights(2, 3, 5), SOURCE, TARGET), alt="two heads")
    assert len(displayed) == 1 and not plt.get_fignums()


def test_show_fills_values_into_the_alternative_text(displayed):
    show(new_figure(2, 1)[0], alt="{n} errors, {rate:.1f} %", n=3, rate=2.345)
    assert displayed[0][0][0]["text/plain"] == "3 errors, 2.3 %"
    with pytest.raises(ValueError, match="in the text: count; .*without a value: n"):
        show(new_figure(2, 1)[0], alt="{n} errors", count=3)
    assert not plt.get_fignums()


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_show_wants_alternative_text(alt):
    with pytest.raises(ValueError, match="say in words"):
        show(new_figure()[0], alt=alt)


def test_show_outside_ipython_only_closes(capsys):
    assert show(new_figure()[0], alt="a picture") is None
    assert not plt.get_fignums()
    assert capsys.readouterr().out == ""


# --- attention over pictures ------------------------------------------------------------------


def test_picture_attention_has_a_panel_for_each_word():
    picture = np.full((12, 18, 3), 200, np.uint8)
    weights = np.zeros((3, 9))
    weights[0, 2] = weights[1, 6] = weights[2, 4] = 1.0
    mask = np.zeros((12, 18), bool)
    mask[:4, 12:] = True
    fig = picture_attention(
        picture, weights, ["one", "two", "three"], masks=[mask, None, None], columns=2
    )
    assert len(fig.axes) == 4 and [ax.get_title() for ax in fig.axes[1:]] == [
        "one  1.00",
        "two  1.00",
        "three  1.00",
    ]
    light = fig.axes[1].images[1]
    assert light.get_array()[0, 2, 3] > 0.8 and light.get_array()[2, 0, 3] == 0
    assert light.get_extent() == [-0.5, 17.5, 11.5, -0.5]  # the light covers the whole picture
    plt.close(fig)


@pytest.mark.parametrize("first", [True, False])
def test_picture_attention_has_a_block_of_panels_for_each_head(first):
    picture = np.full((12, 18, 3), 200, np.uint8)
    weights = np.full((2, 3, 9), 0.1)
    weights[0, :, 2], weights[1, :, 6] = 0.5, 0.25
    fig = picture_attention(picture, weights, ["one", "two", "three"], columns=2, first=first)
    columns, rows = 2, 2
    assert len(fig.axes) == 2 * rows * columns
    for head, place in enumerate([(0, 2), (2, 0)]):
        block = fig.axes[head * rows * columns :][: rows * columns]
        panels = [ax for ax in block if len(ax.images) == 2]
        assert len(panels) == 3
        for ax in panels:
            light = ax.images[1].get_array()[..., 3]
            assert np.unravel_index(light.argmax(), light.shape) == place
        titles = [ax.get_title() for ax in block]
        largest = (".50", ".25")[head]
        name, one = f"head {head + 1}", f"one  {largest}"
        assert titles[0] == (name if first else f"{name}: {one}")
        assert f"three  {largest}" in titles


def test_a_dollar_in_a_label_is_a_dollar():
    words = ["$5$", "$$", "a$b_1$", "$\\oops$"]
    picture, places = np.zeros((12, 12, 3), np.uint8), np.full((4, 9), 1 / 9)
    square = np.full((4, 4), 0.25)
    heard = SimpleNamespace(
        start=0.0, frames=np.zeros((8, 5)), times=np.arange(4.0), attention=square, pieces=words
    )
    drawn = [
        attention_matrix(square, words, words, title=words[0]).figure,
        attention_matrix(square[None], words, words, title=words[0])[0].figure,
        picture_attention(picture, places, words),
        highlight(words, [0.1, 0.2, 0.3, 0.4], title=words[0]).figure,
        listening(heard),
        bars(words, [1.0, 2.0, 3.0, 4.0]).figure,
        wave(np.zeros(100), 100, words=[(word, 0.1, 0.3) for word in words]).figure,
        score_by_length([1, 2], {word: [1, 2 + i] for i, word in enumerate(words)}).figure,
    ]
    for fig in drawn:
        fig.canvas.draw()  # a formula that does not parse raises here
        found = {text.get_text(): text for text in fig.findobj(matplotlib.text.Text)}
        labels = [text for label, text in found.items() if "$" in label]
        assert labels and not any(text.get_parse_math() for text in labels)
        plt.close(fig)


def test_a_number_among_the_words_of_a_picture_stays_itself():
    fig = picture_attention(np.zeros((9, 9, 3), np.uint8), np.full((2, 9), 0.25), ["10.25", "0.5"])
    titles = [ax.get_title() for ax in fig.axes]
    assert "10.25  .25" in titles and "0.5  .25" in titles
    plt.close(fig)


def test_picture_attention_says_what_does_not_fit():
    picture = np.zeros((12, 12, 3), np.uint8)
    with pytest.raises(ValueError, match="end mark"):
        picture_attention(picture, np.ones((3, 9)), ["one", "two"])
    with pytest.raises(ValueError, match="square"):
        picture_attention(picture, np.ones((2, 8)), ["one", "two"])
    for shape in ((4, 3, 9), (2, 4, 2, 9), (9,)):
        with pytest.raises(ValueError, match="heads, words"):
            picture_attention(picture, np.ones(shape), ["one", "two"])
    with pytest.raises(ValueError, match="no head"):
        picture_attention(picture, np.ones((0, 2, 9)), ["one", "two"])
    with pytest.raises(ValueError, match="height, width, 3"):
        picture_attention(picture[..., 0], np.ones((1, 9)), ["one"])
    with pytest.raises(ValueError, match="1 masks for 2 words"):
        picture_attention(picture, np.ones((2, 9)), ["one", "two"], masks=[None])
