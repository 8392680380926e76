"""Comparisons between what a notebook builds by hand and what the package offers.

For every tag ``builds:course_utils.x.y`` in a notebook there is one function here. It gets the
notebook's version and the package's version of y and asserts that they do the same: equal results
on the same input, for layers after copying the weights. Every dimension has a different size.

    @compares("course_utils.attention.length_mask")
    def length_mask(built, packaged):
        lengths = torch.tensor([3, 0, 5])
        assert torch.equal(built(lengths), packaged(lengths))

The notebook's version may lack options of the package's: compare what both offer.
"""

import torch

from course_utils.attention import length_mask, make_score
from course_utils.batches import Example, make_batch
from tools.hand_built import compares


@compares("course_utils.attention.masked_softmax")
def masked_softmax(built, packaged):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 5, generator=generator)
    mask = torch.rand(2, 3, 5, generator=generator) < 0.6
    mask[..., 0] = True
    torch.testing.assert_close(built(scores, mask), packaged(scores, mask))
    mask[1, 2] = False  # a row without any key: zeros in both
    torch.testing.assert_close(built(scores, mask), packaged(scores, mask))


@compares("course_utils.attention.AdditiveScore")
def additive_score(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(7, 4, 6), packaged(7, 4, 6)
    ours.load_state_dict(theirs.state_dict())
    query, keys = torch.randn(2, 3, 7), torch.randn(2, 5, 4)
    prepared = ours.prepare(keys)
    torch.testing.assert_close(prepared, theirs.prepare(keys))
    torch.testing.assert_close(ours(query, prepared), theirs(query, theirs.prepare(keys)))


@compares("course_utils.attention.Attention")
def attention(built, packaged):
    torch.manual_seed(0)
    score = make_score("general", 7, 4)
    query, keys, values = torch.randn(2, 3, 7), torch.randn(2, 5, 4), torch.randn(2, 5, 6)
    per_query = torch.rand(2, 3, 5) < 0.6
    per_query[1, 2] = False
    for mask in (None, length_mask(torch.tensor([5, 0])), per_query):
        ours = built(score)(query, keys, values, attend_mask=mask)
        theirs = packaged(score)(query, keys, values, attend_mask=mask)
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other)


@compares("course_utils.attention.MultiHeadAttention")
def multi_head_attention(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(12, 3, 4, 6), packaged(12, 3, 4, 6)
    ours.load_state_dict(theirs.state_dict())
    query, keys, values = torch.randn(2, 7, 12), torch.randn(2, 5, 4), torch.randn(2, 5, 6)
    per_query = torch.rand(2, 7, 5) < 0.6
    per_query[1, 2] = False
    for mask in (None, length_mask(torch.tensor([5, 0])), per_query):
        result = ours(query, keys, values, attend_mask=mask)
        expected = theirs(query, keys, values, attend_mask=mask)
        for one, other in zip(result, expected, strict=True):
            torch.testing.assert_close(one, other)


@compares("course_utils.image_encoders.GridEncoder")
def grid_encoder(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(6, 5, 4), packaged(6, 5, 4)
    ours.load_state_dict(theirs.state_dict())
    for encoder in (ours, theirs):
        encoder.eval()
        encoder.features = lambda source: source
    source = torch.randn(3, 6, 5)
    batch = make_batch([Example(x, [7]) for x in source])
    one, other = ours(batch), theirs(batch)
    for name in ("keys", "values", "summary"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert torch.equal(one.attend_mask, other.attend_mask)


@compares("course_utils.captioning.cover")
def cover(built, packaged):
    mask = torch.rand(6, 8, generator=torch.Generator().manual_seed(0)).numpy() < 0.4
    for rows, columns in ((2, 4), (3, 2), (6, 8), (1, 1)):
        assert (built(mask, rows, columns) == packaged(mask, rows, columns)).all()


@compares("course_utils.training.doubly_stochastic")
def doubly_stochastic(built, packaged):
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 3, 5, generator=generator)
    targets = torch.tensor([[4, 5, 2], [6, 2, 0]])
    torch.testing.assert_close(built(weights, targets), packaged(weights, targets))
