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


@compares("course_utils.models.AttentionTextClassifier")
def attention_text_classifier(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(19, 5, 7, 3), packaged(19, 5, 7, 3)
    ours.load_state_dict(theirs.state_dict())
    ids = torch.tensor([[4, 9, 12, 3, 18], [7, 2, 0, 0, 0], [0, 0, 0, 0, 0]])
    for one, other in zip(ours.attend(ids), theirs.attend(ids), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(ours(ids), theirs(ids))
