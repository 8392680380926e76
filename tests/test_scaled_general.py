"""The control of the study "scores": the general score with the factor 1/√D."""

import torch

from course_utils.attention import GeneralScore
from course_utils.models import build_translator
from course_utils.studies import STUDIES_BY_NAME
from course_utils.tasks.translation.studies import ScaledGeneralScore


def test_it_is_the_general_score_divided_by_the_root_of_the_width_of_the_query():
    torch.manual_seed(0)
    plain, scaled = GeneralScore(9, 4), ScaledGeneralScore(9, 4)
    scaled.load_state_dict(plain.state_dict())
    query, keys = torch.randn(2, 3, 9), torch.randn(2, 5, 4)
    expected = plain(query, plain.prepare(keys)) / 3
    torch.testing.assert_close(scaled(query, scaled.prepare(keys)), expected)


def test_its_study_trains_the_model_of_the_study_scores_with_this_factor_alone():
    study, scores = STUDIES_BY_NAME["scaled-general"], STUDIES_BY_NAME["scores"]
    (variant,) = study.variants
    (general,) = [v for v in scores.variants if v.name == "general"]
    assert (variant.model, variant.steps, study.seeds) == (general.model, general.steps, (0, 1, 2))
    assert study.recipe.settings == scores.recipe.settings
    assert study.recipe.model == scores.recipe.model
    model = build_translator(17, embedding_dim=6, memory_dim=10, hidden_dim=8, score="general")
    names = {name: p.shape for name, p in model.named_parameters()}
    study.recipe.prepare(model, None)
    assert {name: p.shape for name, p in model.named_parameters()} == names
    score = model.decoder.attention.score
    assert type(score) is ScaledGeneralScore and (score.query_dim, score.key_dim) == (8, 10)
