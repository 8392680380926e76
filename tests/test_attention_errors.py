"""Which tensor an error of the attention layers names."""

import numpy as np
import pytest
import torch

from course_utils.attention import (
    Attention,
    MultiHeadAttention,
    length_mask,
    make_score,
    masked_softmax,
    to_key_padding_mask,
    to_sdpa_mask,
)

SCORES = ["general", "additive", "location", "coverage"]


def history(name):
    return {name: torch.rand(2, 5)} if name in ("previous", "coverage") else {}


@pytest.mark.parametrize("name", SCORES)
def test_a_score_names_the_query_or_the_keys(name):
    score = make_score(name, 7, 4)
    query, keys = torch.randn(2, 1, 7), torch.randn(2, 5, 4)
    past = history({"location": "previous"}.get(name, name))
    assert score(query, score.prepare(keys), **past).shape == (2, 1, 5)
    with pytest.raises(ValueError, match=r"^query .*6"):
        score(query[..., :6], score.prepare(keys), **past)
    with pytest.raises(ValueError, match=r"^keys .*3"):
        score.prepare(keys[..., :3])


@pytest.mark.parametrize("name", ["location", "coverage"])
def test_a_score_with_a_past_names_it(name):
    score = make_score(name, 7, 4)
    query, prepared = torch.randn(2, 1, 7), score.prepare(torch.randn(2, 5, 4))
    past = "previous" if name == "location" else "coverage"
    with pytest.raises(ValueError, match=f"the {name} score .* as {past}, .* {past} None"):
        score(query, prepared)
    with pytest.raises(ValueError, match=rf"\(2, 5\) .* {past} \(2, 4\)"):
        score(query, prepared, **{past: torch.rand(2, 4)})


def layers():
    return Attention(make_score("general", 6, 4)), MultiHeadAttention(6, 2, 4, 8)


@pytest.mark.parametrize("layer", layers(), ids=["Attention", "MultiHeadAttention"])
def test_keys_and_values_belong_together(layer):
    query, keys, values = torch.randn(2, 3, 6), torch.randn(2, 5, 4), torch.randn(2, 5, 8)
    layer(query, keys, values, attend_mask=None)
    with pytest.raises(ValueError, match="every key needs a value"):
        layer(query, keys, values[:, :4], attend_mask=None)
    with pytest.raises(ValueError, match="query has batch size 1, keys have 2"):
        layer(query[:1], keys, values, attend_mask=None)


SHAPES = {"query": (2, 3, 6), "keys": (2, 5, 4), "values": (2, 5, 8)}


@pytest.mark.parametrize("layer", layers(), ids=["Attention", "MultiHeadAttention"])
@pytest.mark.parametrize("wrong", SHAPES)
def test_a_wrong_input_is_named(layer, wrong):
    inputs = {name: torch.randn(shape) for name, shape in SHAPES.items()}
    for broken, error, message in (
        (inputs[wrong][0], ValueError, rf"{wrong} must have shape \(batch, positions, .*\[:, None"),
        (inputs[wrong][None], ValueError, f"{wrong} must have shape"),
        (inputs[wrong].long(), ValueError, f"{wrong} must be floats, got torch.int64"),
        (inputs[wrong].numpy(), TypeError, f"{wrong} must be a tensor, got numpy.ndarray"),
        (inputs[wrong].tolist(), TypeError, f"{wrong} must be a tensor, got builtins.list"),
    ):
        with pytest.raises(error, match=message):
            layer(**inputs | {wrong: broken}, attend_mask=None)


def test_values_without_a_width():
    """With as many texts as positions, (B, Tk) would also fit the product."""
    keys = torch.randn(5, 5, 4)
    with pytest.raises(ValueError, match=r"values must have shape .* got \(5, 5\)"):
        Attention(make_score("dot", 4, 4))(keys, keys, keys[:, :, 0], attend_mask=None)


@pytest.mark.parametrize("name", ["dot", "scaled_dot", "general", "additive"])
def test_a_score_of_another_batch_is_not_broadcast(name):
    score = make_score(name, 4, 4)
    with pytest.raises(ValueError, match="query has batch size 3, keys have 1"):
        score(torch.randn(3, 2, 4), score.prepare(torch.randn(1, 5, 4)))
    with pytest.raises(ValueError, match="query has batch size 1, keys have 3"):
        score(torch.randn(1, 2, 4), score.prepare(torch.randn(3, 5, 4)))


@pytest.mark.parametrize("use", [to_key_padding_mask, to_sdpa_mask])
def test_masks_of_other_types_are_not_converted(use):
    for mask in (torch.tensor([[1, 1, 0]]), torch.tensor([[1.0, 0.0]]), [[True, False]]):
        with pytest.raises(TypeError, match="attend_mask must be a boolean tensor"):
            use(mask)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        use(torch.ones(3, dtype=torch.bool))


@pytest.mark.parametrize("shape", [(4, 3, 5), (2, 2, 3, 5), (2, 3, 6), (2, 4, 5)])
def test_a_mask_never_enlarges_the_scores(shape):
    for scores in (torch.randn(2, 3, 5), torch.randn(1, 3, 5), torch.randn(3, 5)):
        with pytest.raises(ValueError, match="does not broadcast to scores"):
            masked_softmax(scores, torch.ones(shape, dtype=torch.bool))


def test_scores_are_floats():
    for scores, error in (
        (torch.tensor([1, 2]), ValueError),
        ([1.0, 2.0], TypeError),
        (np.ones(2), TypeError),
    ):
        with pytest.raises(error, match="scores must be (floats|a tensor)"):
            masked_softmax(scores, None)


def test_lengths_are_integers_from_zero():
    for lengths, error in (
        (torch.tensor([2, -1]), "negative, got -1"),
        (torch.tensor([True, False]), "integers, got torch.bool"),
        (torch.tensor(3), r"shape \(batch\), got \(\)"),
    ):
        with pytest.raises(ValueError, match=error):
            length_mask(lengths, 5)
    with pytest.raises(TypeError, match="lengths must be a tensor, got builtins.list"):
        length_mask([2, 3])
    assert length_mask(torch.zeros(0, dtype=torch.long)).shape == (0, 0)
