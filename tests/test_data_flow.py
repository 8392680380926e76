"""The picture of a batch's way through a model shows the shapes that it is given."""

import matplotlib.pyplot as plt
import pytest

from course_utils.plotting.diagrams import data_flow

SHAPES = {
    "source": (2, 5),
    "memory": (2, 5, 7),
    "summary": (2, 11),
    "target in": (2, 3),
    "states": (2, 3, 13),
    "weights": (2, 3, 5),
    "read": (2, 3, 17),
    "logits": (2, 3, 19),
}


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


def test_every_tensor_is_there_with_its_shape():
    written = [text.get_text() for text in data_flow(SHAPES).axes[0].texts]
    for name, shape in SHAPES.items():
        assert written.count(f"{name}\n{shape}") == 1


def test_the_order_of_the_shapes_does_not_matter():
    texts = [
        [(t.get_position(), t.get_text()) for t in data_flow(given).axes[0].texts]
        for given in (SHAPES, dict(reversed(SHAPES.items())))
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("missing", SHAPES)
def test_a_missing_tensor_is_an_error_that_names_what_is_needed(missing):
    given = {name: shape for name, shape in SHAPES.items() if name != missing}
    with pytest.raises(ValueError, match=f"shapes of .*{missing}.* are needed"):
        data_flow(given)


def test_an_unknown_tensor_is_an_error():
    with pytest.raises(ValueError, match="got .*glimpse"):
        data_flow(SHAPES | {"glimpse": (2, 7)})
