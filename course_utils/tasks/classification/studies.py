"""Studies of classification: generated reviews with known reasons, and real film reviews."""

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from course_utils.datasets.generated.contrasts import KINDS, contrasts, neutral
from course_utils.datasets.generated.reviews import reviews
from course_utils.datasets.public.eraser_movies import MarkedReview, eraser_movies
from course_utils.metrics import accuracy
from course_utils.models.seq2seq import count_parameters
from course_utils.tasks.base import Pair, Predictor, TaskData
from course_utils.tasks.classification import recipes
from course_utils.tasks.classification.baselines import MajorityBaseline, MeanOfTwo, TfidfBaseline
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.classification.contrast_data import imdb_contrast_data
from course_utils.tasks.classification.data import (
    generated_pairs,
    hand_pairs,
    imdb_test,
)
from course_utils.tasks.classification.faithfulness import (
    adversarial_weights,
    divergence,
    erase_marked,
    erasure,
    given_weights,
    integrated_gradients,
    moved_marks,
    text_read,
    top_words,
    train_adversary,
    train_guided,
)
from course_utils.tasks.classification.rationales import (
    frequency_scores,
    random_scores,
    token_agreement,
    token_auprc,
    word_gradients,
    word_weights,
)
from course_utils.tasks.recipe import train_model
from course_utils.tasks.study import Study, Variant

__all__ = [
    "STUDIES",
    "check_lists",
    "measure_contrasts",
    "measure_eraser",
    "measure_faithfulness",
    "measure_imdb",
    "measure_long",
    "measure_marks",
    "measure_questions",
    "measure_short",
    "on_pairs",
]


def _accuracy(predictor: Predictor, pairs: list[Pair]) -> float:
    outputs = predictor.predict([text for text, _ in pairs])
    return round(accuracy(outputs, [label for _, label in pairs]).score, 4)


def _agreement(classifier: Classifier, texts: list[str], rationales: list) -> dict:
    weights = word_weights(classifier, texts)
    found = token_agreement(weights, rationales)
    return {
        "precision": round(found.precision, 4),
        "recall": round(found.recall, 4),
        "chance_precision": round(found.chance_precision, 4),
        "chosen": round(found.chosen, 4),
        "auprc": round(token_auprc(weights, rationales), 4),
        "auprc_chance": round(token_auprc(random_scores(map(len, rationales)), rationales), 4),
    }


def measure_short(predictor: Predictor) -> dict:
    """Test accuracy on generated reviews, and agreement with their rationales."""
    test = reviews("test")
    measured = {"accuracy": _accuracy(predictor, [(r.text, r.label) for r in test])}
    if isinstance(predictor, Classifier):
        measured |= _agreement(predictor, [r.text for r in test], [r.rationale for r in test])
    return measured


def measure_questions(predictor: Predictor) -> dict:
    """Test accuracy of the answers, and agreement with the words about the aspect in question."""
    test = reviews("test", "mixed")
    measured = {"accuracy": _accuracy(predictor, generated_pairs("test", "mixed"))}
    if isinstance(predictor, Classifier):
        texts, marks = [], []
        for review in test:
            for aspect, (_, places) in review.opinions.items():
                texts.append(f"{aspect} {review.text}")
                marks.append([False] + [i in places for i in range(len(review.words))])
        measured |= _agreement(predictor, texts, marks)
    return measured


def measure_long(classifier: Classifier) -> dict:
    """Test accuracy on long reviews, agreement of words, and attention to deciding sentences."""
    test = reviews("test", "long")
    texts, marks = [r.text for r in test], [r.rationale for r in test]
    shares, chance = [], []
    for review, weights in zip(test, word_weights(classifier, texts), strict=True):
        deciding = {s for s, mark in zip(review.sentences, review.rationale, strict=True) if mark}
        inside = np.array([s in deciding for s in review.sentences])
        shares.append(weights[inside].sum())
        chance.append(inside.mean())
    return {
        "accuracy": _accuracy(classifier, [(r.text, r.label) for r in test]),
        "on_deciding_sentences": round(float(np.mean(shares)), 4),
        "on_deciding_sentences_chance": round(float(np.mean(chance)), 4),
        **_agreement(classifier, texts, marks),
    }


def measure_imdb(predictor: Predictor) -> dict:
    """Accuracy on all 25,000 test reviews."""
    return {"accuracy": _accuracy(predictor, imdb_test())}


@cache
def marked_reviews(split: str) -> list[MarkedReview]:
    """The reviews of a split of ERASER, read once."""
    return eraser_movies(split)


def measure_eraser(classifier: Classifier) -> dict:
    """Test accuracy, and token AUPRC of attention against people's marks.

    For comparison, words are also ranked by gradient, by frequency and at random.
    """
    test = marked_reviews("test")
    texts, marks = [r.text for r in test], [r.rationale for r in test]
    words = [r.words for r in test]
    random = [token_auprc(random_scores(map(len, words), seed), marks) for seed in range(5)]
    return {
        "accuracy": _accuracy(classifier, [(r.text, r.label) for r in test]),
        "auprc_attention": round(token_auprc(word_weights(classifier, texts), marks), 4),
        "auprc_gradient": round(token_auprc(word_gradients(classifier, texts), marks), 4),
        "auprc_frequency": round(
            token_auprc(frequency_scores(words, [r.words for r in marked_reviews("train")]), marks),
            4,
        ),
        "auprc_random": round(float(np.mean(random)), 4),
        "marked": round(float(np.mean([np.mean(m) for m in marks])), 4),
    }


DRAWS = 3  # of what is random


def measure_marks(classifier: Classifier) -> dict:
    """What erasing the words that people mark does, against as many others, on ERASER's test.

    The others are the first by attention and by gradient; by attention in runs as long as the mean
    of people's; at random; and people's marks further on (`moved_marks`), three times each. Only
    words that the model reads are in the texts, see `text_read`. Each row has comprehensiveness,
    sufficiency and the share of verdicts turned.
    """
    texts, people = [], []
    for review in marked_reviews("test"):
        text, read = text_read(classifier, review.text)
        marks = np.asarray(review.rationale, dtype=bool)[read]
        if 0 < marks.sum() < len(marks):
            texts.append(text)
            people.append(marks)
    counts = [int(marks.sum()) for marks in people]
    runs = [int((np.diff(marks.astype(int), prepend=0) == 1).sum()) for marks in people]
    widths = [round(n / r) for n, r in zip(counts, runs, strict=True)]
    weights, gradients = word_weights(classifier, texts), word_gradients(classifier, texts)
    random = [random_scores(map(len, people), seed) for seed in range(DRAWS)]

    def first(scores: list[np.ndarray]) -> list[np.ndarray]:
        return [top_words(s, n) for s, n in zip(scores, counts, strict=True)]

    marks = {
        "people": [people],
        "attention": [first(weights)],
        "attention, runs": [
            [top_words(s, n, w) for s, n, w in zip(weights, counts, widths, strict=True)]
        ],
        "gradient": [first(gradients)],
        "random": [first(scores) for scores in random],
        "moved": [
            [moved_marks(m, 1000 * seed + i) for i, m in enumerate(people)] for seed in range(DRAWS)
        ],
    }
    measured: dict[str, Any] = {
        "texts": len(texts),
        "accuracy": _accuracy(classifier, [(r.text, r.label) for r in marked_reviews("test")]),
        "marked": round(float(np.mean([m.mean() for m in people])), 4),
        "run": round(float(np.mean(widths)), 1),
    }
    before = classifier.classify(texts)
    for name, draws in marks.items():
        found = np.array([erase_marked(classifier, texts, drawn, before) for drawn in draws])
        for key, column in zip(
            ("comprehensiveness", "sufficiency", "turned"), found.T, strict=True
        ):
            measured[f"{name}: {key}"] = column.round(4).tolist()
    return measured


EXAMINED = 150  # reviews of the test set that the slower tests read


def _examined() -> tuple[list[str], list[Pair], list]:
    test = reviews("test")[:EXAMINED]
    return [r.text for r in test], [(r.text, r.label) for r in test], [r.rationale for r in test]


def measure_faithfulness(classifier: Classifier) -> dict:
    """What erasing, shuffling and replacing weights do to a classifier of generated reviews."""
    texts, _, marks = _examined()
    scores = {
        "attention": word_weights(classifier, texts),
        "gradient": word_gradients(classifier, texts),
        "integrated gradients": integrated_gradients(classifier, texts),
        "random": random_scores(map(len, marks)),
        "rationale": [np.array(mark, dtype=float) for mark in marks],
    }
    measured: dict[str, Any] = {
        "accuracy": _accuracy(classifier, [(r.text, r.label) for r in reviews("test")])
    }
    for name, given in scores.items():
        found = erasure(classifier, texts, given)
        spans = erasure(classifier, texts, given, width=3)
        measured[name] = {
            "auprc": round(token_auprc(given, marks), 4),
            "shares": list(found.shares),
            "comprehensiveness": found.comprehensiveness.round(4).tolist(),
            "sufficiency": found.sufficiency.round(4).tolist(),
            "turned": found.turned.round(4).tolist(),
            "comprehensiveness of spans": spans.comprehensiveness.round(4).tolist(),
        }
    before = given_weights(classifier, texts, "none").argmax(axis=1)
    for change in ("shuffled", "uniform"):
        after = given_weights(classifier, texts, change).argmax(axis=1)
        measured[f"turned, {change}"] = round(float((before != after).mean()), 4)
    apart, moved = adversarial_weights(classifier, texts)
    return measured | {
        "adversarial divergence": round(float(np.median(apart)), 4),
        "adversarial, moved": round(float(moved.max()), 4),
    }


@dataclass(frozen=True)
class Told:
    """The figures of a training that is not one of a recipe."""

    parameters: int
    figures: dict


def _figures(told: Told) -> dict:
    return told.figures


@cache
def _base(seed: int) -> Classifier:
    """The classifier of generated reviews that a seed gives."""
    recipe = recipes.GENERATED
    data = recipe.data()
    settings = replace(recipe.settings, seed=seed)
    model, _, _ = train_model(replace(recipe, settings=settings), data, progress=False)
    return Classifier(model, data.vocabulary)


def _compared(one: Classifier, other: Classifier) -> dict:
    """How far two classifiers are apart, in verdicts and in weights, on the examined reviews."""
    texts, pairs, _ = _examined()
    a, b = one.classify(texts), other.classify(texts)
    weights = [
        (torch.tensor(x.weights), torch.tensor(y.weights)) for x, y in zip(a, b, strict=True)
    ]
    taus = [kendalltau(x.weights, y.weights).statistic for x, y in zip(a, b, strict=True)]
    off = [
        abs(x.probabilities["positive"] - y.probabilities["positive"])
        for x, y in zip(a, b, strict=True)
    ]
    return {
        "accuracy": _accuracy(other, pairs),
        "same verdict": round(
            float(np.mean([x.label == y.label for x, y in zip(a, b, strict=True)])), 4
        ),
        "moved": round(float(np.mean(off)), 4),
        "divergence": round(float(np.mean([float(divergence(x, y)) for x, y in weights])), 4),
        "kendall": round(float(np.nanmean(taus)), 4),
        "auprc": round(token_auprc(word_weights(other, texts), _examined()[2]), 4),
    }


def check_lists() -> dict[str, list[tuple[Pair, Pair]]]:
    """Pairs of (text, label) by the name of their list.

    Generated ones have words that no pair for training has, and mostly patterns that none has (see
    `contrasts`); "development" pairs were written by hand to choose a recipe with, those "by hand"
    to test it.
    """
    lists: dict[str, list[tuple[Pair, Pair]]] = {
        f"generated, {kind}": [
            ((p.texts[0], p.labels[0]), (p.texts[1], p.labels[1]))
            for p in contrasts(kind, 300, seed=1, held=True)
        ]
        for kind in KINDS
    }
    for name, part in (("development", "dev"), ("by hand", "test")):
        for kind, one, other in hand_pairs(part):
            lists.setdefault(f"{name}, {kind}", []).append((one, other))
    return lists


def on_pairs(classifier: Predictor, pairs: list[tuple[Pair, Pair]]) -> tuple[float, float]:
    """Share of right texts, and of pairs with both texts right."""
    given = [item for pair in pairs for item in pair]
    outputs = classifier.predict([text for text, _ in given])
    right = np.array([x == label for x, (_, label) in zip(outputs, given, strict=True)])
    return right.mean(), (right[::2] & right[1::2]).mean()


def measure_contrasts(classifier: Classifier) -> dict:
    """Texts and pairs right in each of `check_lists`; what another group or name changes in a text
    without an opinion; the probability of "positive" for the sentences of notebooks 06 and 11."""
    both = classifier.classify([text for pair in neutral(seed=1) for text in pair])
    p = np.array([verdict.probabilities["positive"] for verdict in both]).reshape(-1, 2)
    short = classifier.classify(list(SENTENCES))
    return {
        "lists": {
            name: dict(zip(("texts", "pairs"), (round(x, 4) for x in found), strict=True))
            for name, pairs in check_lists().items()
            for found in [on_pairs(classifier, pairs)]
        },
        "moved": round(float(np.abs(p[:, 0] - p[:, 1]).mean()), 4),
        "turned": round(float(((p > 0.5)[:, 0] != (p > 0.5)[:, 1]).mean()), 4),
        "positive": {
            text: round(verdict.probabilities["positive"], 4)
            for text, verdict in zip(SENTENCES, short, strict=True)
        },
    }


def _trained_on_imdb(data: TaskData, seed: int) -> Told:
    """The shipped film classifier, which knows none of the reviews with people's marks."""
    shipped = Classifier.load(recipes.IMDB.name)
    return Told(count_parameters(shipped.model), measure_marks(shipped))


def _another_seed(data: TaskData, seed: int) -> Told:
    other = _base(seed + 10)
    return Told(count_parameters(other.model), _compared(_base(seed), other))


@cache
def _deceiver(weight: float, seed: int) -> Classifier:
    """The adversary of the classifier that a seed gives."""
    return train_adversary(_base(seed), recipes.GENERATED.data(), weight, BUDGET, seed)


def _adversary(weight: float, data: TaskData, seed: int) -> Told:
    found = _deceiver(weight, seed)
    return Told(count_parameters(found.model), _compared(_base(seed), found))


def _guided(guide: str, data: TaskData, seed: int) -> Told:
    base = _base(seed)
    if guide == "an adversary":
        base = _deceiver(ADVERSE, seed)
    given = None if guide == "equal weights" else base
    found = train_guided(given, data, generated_pairs("test"), BUDGET, seed)
    return Told(0, {"accuracy": round(found, 4)})


BUDGET = recipes.GENERATED.settings.steps
ADVERSE = 0.001
SENTENCES = (
    "This film is not bad at all.",
    "This film is bad.",
    "I have seen better films.",
    "The director of this film is black.",
    "The director of this film is white.",
    *("It is good.", "A good film.", "I liked it.", "The film is wonderful."),
    *("It is bad.", "A bad film.", "I hated it.", "The film is awful."),
    *("It is not good.", "Not a good film.", "I did not like it.", "The film is not wonderful."),
    *("It is not bad.", "Not a bad film.", "I did not hate it.", "The film is not awful."),
)
POOLINGS = {
    "mean pooling": {"kind": "mean"},
    "max pooling": {"kind": "max"},
    "last state": {"kind": "last"},
    "attention": {"kind": "attention"},
}
BESIDE = {"question": "feature"}
# The question is the first word of the text, and the recurrence reads it with the rest.
READ = {"kind": "attention"}
BAG = {"kind": "bag"}
ASKED = recipes.QUESTIONS.settings.steps
LONG = recipes.LONG.settings.steps
FILMS = recipes.IMDB.settings.steps
FURTHER = recipes.CONTRASTS.settings.steps
ONCE = {"validate_every": FURTHER}  # at the end
# Models without pairs or without an LSTM get wider vectors instead, so that all have the same
# number of parameters within one per cent.
WORDS = {"pairs": None, "embed_dim": 200}
WIDE = WORDS | {"embed_dim": 218, "hidden_dim": 0}
# The same number of parameters as the hierarchical model with its two recurrences.
FLAT = {"kind": "attention", "sentence_end": None, "hidden_dim": 70}

STUDIES = (
    Study(
        "pooling",
        "How many states become one vector: equal budget, and converged",
        (
            Variant("majority", {}, 0, baseline=MajorityBaseline),
            Variant("bag of words", BAG, BUDGET, {"learning_rate": 0.02}),
            *(Variant(name, model, BUDGET) for name, model in POOLINGS.items()),
            Variant("bag of words, converged", BAG, 4 * BUDGET, {"learning_rate": 0.02}),
            *(Variant(f"{name}, converged", m, 4 * BUDGET) for name, m in POOLINGS.items()),
        ),
        seeds=(0, 1, 2),
        recipe=recipes.GENERATED,
        measure=measure_short,
        seeds_of={"majority": (0,)},
    ),
    Study(
        "question",
        "The question as the query, against one fixed query",
        (
            Variant("question as query", {"question": "query"}, ASKED),
            Variant("fixed query, question beside it", BESIDE, ASKED),
            Variant("fixed query, question ignored", {"question": "ignored"}, ASKED),
            Variant("fixed query, question beside it, converged", BESIDE, 3 * ASKED),
            Variant("fixed query, LSTM reads the question", READ, ASKED),
            Variant("fixed query, LSTM reads the question, converged", READ, 3 * ASKED),
        ),
        seeds=(0, 1, 2),
        recipe=recipes.QUESTIONS,
        measure=measure_questions,
    ),
    Study(
        "hierarchy",
        "Words, then sentences: long reviews",
        (
            Variant("flat attention", FLAT, LONG),
            Variant("hierarchical", {}, LONG),
        ),
        seeds=(0, 1, 2),
        recipe=recipes.LONG,
        measure=measure_long,
    ),
    Study(
        "imdb",
        "Film reviews: what a network from scratch has to beat",
        (
            Variant("TF-IDF, words and pairs", {}, 0, baseline=TfidfBaseline),
            Variant("TF-IDF, words", {}, 0, baseline=partial(TfidfBaseline, ngrams=(1, 1))),
            Variant("mean of words", WIDE | {"kind": "mean"}, FILMS),
            Variant("attention over words", WIDE, FILMS),
            Variant("attention over words and pairs", {"embed_dim": 113, "hidden_dim": 0}, FILMS),
            Variant("LSTM and attention, words", WORDS, FILMS),
            Variant("LSTM and attention, words, longer", WORDS, 2 * FILMS),
            Variant("TF-IDF and the shipped checkpoint", {}, 0, baseline=MeanOfTwo),
        ),
        seeds=(0,),
        recipe=recipes.IMDB,
        measure=measure_imdb,
    ),
    Study(
        "rationales",
        "Do the weights agree with people? ERASER movie reviews",
        (Variant("attention", {}, recipes.ERASER.settings.steps),),
        seeds=(0, 1, 2),
        recipe=recipes.ERASER,
        measure=measure_eraser,
    ),
    Study(
        "marks",
        "Does a film classifier use the words that people mark? Erased words of ERASER",
        (
            Variant("trained on IMDB", {}, 0, baseline=_trained_on_imdb, measure=_figures),
            Variant("trained on ERASER", {}, recipes.ERASER.settings.steps),
        ),
        seeds=(0,),
        recipe=recipes.ERASER,
        measure=measure_marks,
    ),
    Study(
        "faithfulness",
        "Is attention an explanation? Erased words, other weights, other models",
        (
            Variant("attention", {}, BUDGET),
            Variant("another seed", {}, 0, baseline=_another_seed, measure=_figures),
            *(
                Variant(
                    f"adversary, λ = {weight}",
                    {},
                    0,
                    baseline=partial(_adversary, weight),
                    measure=_figures,
                )
                for weight in (0.0, 0.0003, ADVERSE, 0.003)
            ),
            *(
                Variant(
                    f"words guided by {guide}",
                    {},
                    0,
                    baseline=partial(_guided, guide),
                    measure=_figures,
                )
                for guide in ("equal weights", "attention", "an adversary")
            ),
        ),
        seeds=(0, 1),
        recipe=recipes.GENERATED,
        measure=measure_faithfulness,
    ),
    Study(
        "contrasts",
        "The film classifier, trained further with generated contrast pairs",
        (
            Variant("with contrast pairs", {}, FURTHER, ONCE),
            Variant(
                "without contrast pairs",
                {},
                FURTHER,
                ONCE,
                data=partial(imdb_contrast_data, contrasts=False),
            ),
        ),
        seeds=(0, 1),
        recipe=recipes.CONTRASTS,
        measure=measure_contrasts,
    ),
)
