"""The heads of a Transformer that translates: their weights, and their alignment errors."""

import numpy as np
import pytest
import torch

from course_utils.datasets.generated.english_french import AlignedPair
from course_utils.metrics import alignment_error_rate, alignment_from_attention
from course_utils.models.builders import build_translator
from course_utils.tasks.translation import studies
from course_utils.tasks.translation.translator import Translator
from course_utils.vocabulary import Vocabulary
from tools.tiny import tiny_translator

LAYERS, HEADS = 3, 2
PAIRS = [("a b c", "C B A D E"), ("a", "A B"), ("c b a d", "D")]


def translator():
    vocabulary = Vocabulary.words([" ".join(pair) for pair in PAIRS])
    torch.manual_seed(0)
    model = build_translator(
        len(vocabulary),
        encoder="transformer",
        decoder="transformer",
        embedding_dim=8,
        hidden_dim=6,
        decoder_layers=LAYERS,
        heads=HEADS,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # far from uniform
    return Translator(model.train(), vocabulary)


def test_there_is_a_row_for_each_word_in_each_layer_and_head():
    ours = translator()
    found = studies.heads_of(ours, PAIRS, batch_size=2)
    assert [w.shape for w in found] == [(LAYERS, HEADS, 5, 3), (LAYERS, HEADS, 2, 1), (3, 2, 1, 4)]
    for weights in found:
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert ours.model.training  # the mode is as before


@pytest.mark.parametrize("layer", range(LAYERS))
def test_their_mean_is_the_attention_of_the_translator(layer):
    ours = translator()
    ours.model.decoder.shown = layer
    for weights, mean in zip(studies.heads_of(ours, PAIRS), ours.attention_of(PAIRS), strict=True):
        np.testing.assert_allclose(weights[layer].mean(axis=0), mean, atol=1e-6)


def test_a_recurrent_translator_has_no_heads():
    vocabulary = translator().vocabulary
    with pytest.raises(TypeError, match="AttentionDecoder has no heads"):
        studies.heads_of(Translator(tiny_translator(), vocabulary), PAIRS)


def test_each_head_has_the_error_of_its_own_map(monkeypatch):
    gold = [frozenset({(2, 0), (1, 1)}), frozenset({(0, 1)}), frozenset({(3, 0)})]
    aligned = [
        AlignedPair(tuple(s.split()), tuple(t.split()), links, frozenset())
        for (s, t), links in zip(PAIRS, gold, strict=True)
    ]
    splits = {"valid": (PAIRS, aligned), "test": (PAIRS[:1], aligned[:1])}
    monkeypatch.setattr(studies, "generated_pairs", lambda split: splits[split][0])
    monkeypatch.setattr(studies, "english_french", lambda split: splits[split][1])
    ours = translator()
    maps = studies.heads_of(ours, PAIRS)
    for split, count in (("valid", 3), ("test", 1)):
        found = studies.head_alignment_errors(ours, split)
        assert (len(found), len(found[0])) == (LAYERS, HEADS)
        for layer, row in enumerate(found):
            for head, error in enumerate(row):
                links = [alignment_from_attention(m[layer, head]) for m in maps[:count]]
                assert error == alignment_error_rate(links, gold[:count]).error_rate
    assert len({error for row in studies.head_alignment_errors(ours, "valid") for error in row}) > 1
