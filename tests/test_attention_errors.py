"""Which tensor an error of the attention layers names."""

import pytest
import torch

from course_utils.attention import Attention, MultiHeadAttention, make_score

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
