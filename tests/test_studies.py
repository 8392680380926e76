"""Studies: what they measure, on items whose right numbers are known, and how they are defined.

The predictors answer from tables, greedily and with a beam differently, so every number below can
be computed by hand.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils.datasets.generated.english_french import AlignedPair
from course_utils.datasets.generated.reviews import Review
from course_utils.datasets.generated.scenes import Caption
from course_utils.datasets.generated.spoken_commands import SpokenCommand
from course_utils.datasets.public.eraser_movies import MarkedReview
from course_utils.memory import Memory
from course_utils.models.seq2seq import count_parameters
from course_utils.recipes import RECIPES
from course_utils.studies import STUDIES_BY_NAME, load_study
from course_utils.tasks.captioning import studies as captioning
from course_utils.tasks.classification import baselines
from course_utils.tasks.classification import studies as classification
from course_utils.tasks.classification.classifier import Classification, Classifier
from course_utils.tasks.classification.recipes import keep_words
from course_utils.tasks.speech import studies as speech
from course_utils.tasks.speech.augmentation import Augmentation
from course_utils.tasks.speech.data import MILD
from course_utils.tasks.translation import studies as translation
from course_utils.vocabulary import Vocabulary

# --- translation ------------------------------------------------------------------------------


def aligned(source, target, *links):
    return AlignedPair(tuple(source.split()), tuple(target.split()), frozenset(links), frozenset())


PAIRS = {
    "test": [
        aligned("a b c d", "A B C D", (0, 0), (1, 1), (2, 2), (3, 3)),
        aligned("a b c", "C B A", (0, 2), (1, 1), (2, 0)),
    ],
    "long": [aligned(" ".join("abcdef"), " ".join("UVWXYZ"))],
}
GREEDY = {"a b c d": "A B C D", "a b c": "C B X", "a b c d e f": "U V W X Y Q"}
# One wrong link in the first sentence, none in the second.
WEIGHTS = [
    np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0, 0, 0, 1]]),
    np.array([[0.1, 0.2, 0.7], [0.1, 0.8, 0.1], [0.9, 0.1, 0.0]]),
]


class TableTranslator:
    """Translates by table; with a beam, everything is perfect."""

    def __init__(self, weights):
        self.weights = weights

    def predict(self, inputs, beam=1, alpha=1.0):
        perfect = {" ".join(p.source): " ".join(p.target) for s in PAIRS.values() for p in s}
        return [(GREEDY if beam == 1 else perfect)[text] for text in inputs]

    def attention_of(self, pairs):
        assert pairs == [("a b c d", "A B C D"), ("a b c", "C B A")]  # the true translations
        return self.weights


@pytest.fixture
def generated(monkeypatch):
    monkeypatch.setattr(translation, "english_french", lambda split: PAIRS[split])
    monkeypatch.setattr(
        translation,
        "generated_pairs",
        lambda split: [(" ".join(p.source), " ".join(p.target)) for p in PAIRS[split]],
    )


def test_translations_are_measured_greedily_by_split_and_length(generated):
    found = translation.measure_generated(TableTranslator(WEIGHTS))
    # "test": 1-grams 6 of 7, 2-grams 4 of 5, 3-grams 2 of 3, 4-grams 1 of 1.
    test = round(100 * (6 / 7 * 4 / 5 * 2 / 3 * 1) ** (1 / 4), 2)
    long = round(100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** (1 / 4), 2)
    assert (found["test_bleu"], found["test_exact"]) == (test, 0.5)
    assert (found["long_bleu"], found["long_exact"]) == (long, 0.0)
    assert found["by_length"] == [
        {"length": 3.5, "bleu": test, "exact": 0.5, "sentences": 2},
        {"length": 6, "bleu": long, "exact": 0.0, "sentences": 1},
    ]


def test_alignments_are_measured_on_the_test_set(generated):
    found = translation.measure_generated(TableTranslator(WEIGHTS))
    assert found["alignment_error"] == round(1 - 2 * 6 / (7 + 7), 4)
    # The diagonal is right in the first sentence and for the middle of the second.
    assert found["alignment_error_diagonal"] == round(1 - 2 * 5 / (7 + 7), 4)
    # By chance, 4 · 1/4 + 3 · 1/3 of the links.
    assert found["alignment_error_chance"] == round(1 - 2 * 2 / (7 + 7), 4)


def test_a_translator_without_attention_has_no_alignment_error(generated):
    found = translation.measure_generated(TableTranslator([0 * w for w in WEIGHTS]))
    assert "alignment_error" not in found and found["alignment_error_chance"] > 0


def test_buckets_of_source_lengths_are_in_order_and_do_not_overlap():
    lengths = [n for shortest, longest in translation.BUCKETS for n in range(shortest, longest + 1)]
    assert lengths == sorted(set(lengths)) and (lengths[0], lengths[-1]) == (3, 40)
    assert set(range(3, 41)) - set(lengths) == {23, 24}  # lengths that no split has


# --- captioning -------------------------------------------------------------------------------


class TableScene:
    """A scene of 4 × 4 pixels, which a model sees as 2 × 2 places."""

    def __init__(self, image, owner, count, captions):
        self.image, self.things, self.captions = image, [None] * count, captions
        self.owner = np.repeat(np.repeat(np.array(owner), 2, axis=0), 2, axis=1)

    def mask(self, names):
        return np.isin(self.owner, [name + 1 for name in names])

    def some_captions(self, count):
        return self.captions[:count]


def caption(text, *names):
    return Caption(tuple(text.split()), names)


SCENES = [
    TableScene(
        "one",
        [[1, 0], [0, 0]],
        1,
        [caption("a small red circle", (), (0,), (0,), (0,)), caption("red circle", (0,), (0,))],
    ),
    TableScene(
        "two", [[1, 2], [0, 0]], 2, [caption("two striped squares", (0, 1), (0, 1), (0, 1))]
    ),
]
LOOKS = [
    np.array([[0.9, 0, 0, 0.1], [0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]]),
    np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.6, 0.05, 0.05], [0.5, 0, 0.25, 0.25]]),
]


class TableCaptioner:
    def __init__(self, attends=True):
        self.attends = attends

    def predict(self, pictures, beam=1, alpha=1.0):
        greedy = {"one": "red circle", "two": "two striped circles"}
        return [greedy[p] if beam == 1 else "two striped squares" for p in pictures]

    def attention_of(self, pairs):
        assert pairs == [("one", "a small red circle"), ("two", "two striped squares")]
        return LOOKS


def scored(hits, mass, chance, words):
    return {"hits": round(hits, 4), "mass": round(mass, 4), "chance": chance, "words": words}


def test_scenes_are_measured_greedily_by_number_of_things(monkeypatch):
    monkeypatch.setattr(captioning, "scenes", lambda split: {"test": SCENES}[split])
    found = captioning.measure_scenes(TableCaptioner())
    assert found["test_exact"] == 0.5
    assert found["by_things"] == [
        {"things": 1, "exact": 1.0, "scenes": 1},
        {"things": 2, "exact": 0.0, "scenes": 1},
    ]
    assert found["pointing"] == {
        "all": scored(4 / 6, 3 / 6, 0.375, 6),
        "size": scored(1, 0.7, 0.25, 1),
        "texture": scored(1, 0.9, 0.5, 1),
        "colour": scored(0, 0.2, 0.25, 1),
        "number": scored(0, 0.3, 0.5, 1),
        "shape": scored(1, 0.45, 0.375, 2),
    }
    assert set(captioning.measure_scenes(TableCaptioner(False))) == {"test_exact", "by_things"}


def test_scenes_of_up_to_four_things_are_counted(monkeypatch):
    scenes = [TableScene("two", [[0, 0], [0, 0]], n, SCENES[1].captions) for n in (1, 2, 3, 4, 4)]
    monkeypatch.setattr(captioning, "scenes", lambda split: scenes)
    found = captioning.measure_scenes(TableCaptioner(False))["by_things"]
    assert [(row["things"], row["scenes"]) for row in found] == [(1, 1), (2, 1), (3, 1), (4, 2)]


@pytest.mark.parametrize(
    "kind,words",
    [
        ("size", ("small", "large")),
        ("texture", ("plain", "striped", "dotted")),
        ("colour", ("red", "blue", "green", "yellow")),
        ("number", ("two", "three", "four")),
        ("shape", ("circle", "stars", "thing")),
    ],
)
def test_kinds_of_words(kind, words, monkeypatch):
    """Every word of a kind is counted there, and nowhere else but in all."""
    names = [(0,)] * len(words)
    scene = TableScene("one", [[1, 0], [0, 0]], 1, [caption(" ".join(words), *names)])
    every = {"size": "large", "texture": "plain", "colour": "red", "number": "two", "shape": "ring"}
    others = [
        TableScene("one", [[1, 0], [0, 0]], 1, [caption(word, (0,))])
        for other, word in every.items()
        if other != kind
    ]

    class Looks(TableCaptioner):
        def attention_of(self, pairs):
            return [np.eye(4)[[0] * len(text.split())] for _, text in pairs]

    found = captioning.pointing_by_kind(Looks(), [scene, *others])
    counts = {name: score["words"] for name, score in found.items()}
    assert counts.pop("all") == len(words) + 4
    assert counts == dict.fromkeys(every, 1) | {kind: len(words)}


class Choosy(torch.nn.Module):
    """A model of two places: it expects the token that the place with the largest key names."""

    device = torch.device("cpu")
    TOKENS = torch.tensor([[4, 5], [5, 4]])  # what the places of either picture name

    def remember(self, batch):
        rows = batch.source[:, 0, 0].long()
        keys = torch.tensor([[[9.0], [0.0]]]).expand(len(rows), 2, 1)
        values = torch.nn.functional.one_hot(self.TOKENS[rows], 9).float()
        return Memory(keys, values, torch.ones(len(rows), 2, dtype=torch.bool), values.mean(1))

    def decoder(self, memory, tokens):
        weights = memory.keys.softmax(dim=1)  # (B, 2, 1)
        found = (weights * memory.values).sum(dim=1).clamp_min(1e-6).log()
        return found[:, None].expand(-1, tokens.shape[1], -1), weights


def test_losses_with_weights_of_ones_own_even_and_elsewhere(monkeypatch):
    captioner = SimpleNamespace(model=Choosy(), vocabulary=Vocabulary.words(["dog cat"]))
    named = captioner.vocabulary.encode("dog") + captioner.vocabulary.encode("cat")
    monkeypatch.setattr(Choosy, "TOKENS", torch.tensor([named, named[::-1]]))
    # One word a caption; its end mark, which no place names, costs the same each time.
    pairs = [(np.full((2, 3), row, np.uint8), [text]) for row, text in enumerate(("dog", "cat"))]
    orders = {}
    for seed in range(9):
        order = torch.randperm(2, generator=torch.Generator().manual_seed(seed)).tolist()
        orders[tuple(order)] = captioning.losses_by_choice(captioner, pairs, seed)
    for order, found in orders.items():
        assert found["even"] - found["chosen"] == pytest.approx(math.log(2) / 2, abs=1e-3)
        cost = 4.5 if order == (1, 0) else 0  # half of 9, the score of a word's own place
        assert found["elsewhere"] - found["chosen"] == pytest.approx(cost, abs=1e-2)
    assert len(orders) == 2


def test_photos_are_measured_on_the_validation_set_only(monkeypatch):
    asked, searched = [], []

    def pairs(split, progress=True, grid=None):
        asked.append((split, progress, grid))
        return [
            ("photo", ["a dog runs on the grass", "a big dog runs on grass"]),
            ("other", ["two boys are playing in the snow", "boys are playing in snow"]),
        ]

    class Photos:
        def predict(self, features, beam=1, alpha=1.0):
            searched.append((beam, alpha))
            assert features == ["photo", "other"]
            return ["A dog runs on the grass", "Two boys are playing in the snow"]  # case is folded

    monkeypatch.setattr(captioning, "flickr8k_pairs", pairs)
    monkeypatch.setattr(captioning, "losses_by_choice", lambda captioner, pairs: len(pairs))
    found = captioning.measure_photos(Photos(), grid=14)
    assert found["valid_bleu_beam3"] == 100.0 and found["valid_loss"] == 2
    assert asked == [("valid", False, 14)] and searched == [(3, 0.7)]
    found = captioning.measure_photos(Photos(), beam=5, alpha=0.4)
    assert asked[1:] == [("valid", False, None)] and searched[1:] == [(5, 0.4)]
    assert set(found) == {"valid_bleu_beam5", "valid_cider_beam5", "valid_loss"}


# --- classification ---------------------------------------------------------------------------


class TableClassifier(Classifier):
    """Labels and weights by table: text → (label, weights, gradients)."""

    def __init__(self, table):
        self.table, self.vocabulary = table, Vocabulary.words(list(table))

    def classify(self, texts, batch_size=64):
        found = []
        for text in texts:
            label, weights, _ = self.table[text]
            spans = self.vocabulary.spans(text)
            assert len(spans) == len(weights)
            found.append(Classification(text, spans, np.array(weights), {label: 0.9, "other": 0.1}))
        return found

    def gradient_times_input(self, texts):
        return [np.array(self.table[text][2]) for text in texts]


class Constant:
    def predict(self, inputs):
        return ["positive" for _ in inputs]


def review(text, label, rationale, opinions=None, sentences=()):
    return Review(
        tuple(text.split()), label, tuple(map(bool, rationale)), opinions or {}, sentences
    )


def average_precision(scores, marks):
    """Mean over the marked words of the precision at their rank."""
    order = np.argsort(-np.asarray(scores))
    hits = np.asarray(marks)[order]
    return sum(hits[: r + 1].mean() for r in range(len(hits)) if hits[r]) / hits.sum()


def by_chance(marks, seed=0):
    generator = np.random.default_rng(seed)
    return np.mean([average_precision(generator.random(len(m)), m) for m in marks])


SHORT = [
    review("good food today", "positive", [1, 0, 0]),
    review("bad bad old soup", "negative", [1, 1, 0, 0]),
    review("fine", "positive", [1]),
]
SHORT_TABLE = {
    "good food today": ("positive", [0.2, 0.7, 0.1], []),
    "bad bad old soup": ("negative", [0.5, 0.1, 0.3, 0.1], []),
    "fine": ("negative", [1.0], []),
}


def test_short_reviews(monkeypatch):
    asked = []
    monkeypatch.setattr(classification, "reviews", lambda *names: asked.append(names) or SHORT)
    found = classification.measure_short(TableClassifier(SHORT_TABLE))
    assert found == {
        "accuracy": round(2 / 3, 4),
        # Chosen: "food" | "bad" (the first) and "old" | nothing, as 1.0 is not above 1/1.
        "precision": round(1 / 3, 4),
        "recall": 0.25,
        "chance_precision": 0.5,
        "chosen": round(3 / 8, 4),
        # Ranks of the marked words: 2 | 1 and a tie of 3 and 4, which counts as 2 of 4.
        "auprc": round((1 / 2 + (1 / 1 + 2 / 4) / 2) / 2, 4),
        "auprc_chance": round(by_chance([r.rationale for r in SHORT[:2]]), 4),
    }
    assert asked == [("test",)]
    assert classification.measure_short(Constant()) == {"accuracy": round(2 / 3, 4)}


def test_questions(monkeypatch):
    given = [
        review(
            "soup good staff bad",
            "positive",
            [1, 1, 1, 1],
            {"food": ("positive", (0, 1)), "service": ("negative", (3,))},
        ),
        review("soup bad", "negative", [1, 1], {"food": ("negative", (1,))}),
    ]
    asked = []
    monkeypatch.setattr(classification, "reviews", lambda *names: asked.append(names) or given)
    pairs = [
        (f"{aspect} {r.text}", label) for r in given for aspect, (label, _) in r.opinions.items()
    ]
    monkeypatch.setattr(
        classification, "generated_pairs", lambda *names: asked.append(names) or pairs
    )
    marks = [[0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 1]]  # the question itself never decides
    table = {
        "food soup good staff bad": ("positive", [0.0, 0.1, 0.6, 0.25, 0.05], []),
        "service soup good staff bad": ("positive", [0.05, 0.1, 0.15, 0.3, 0.4], []),
        "food soup bad": ("negative", [0.1, 0.2, 0.7], []),
    }
    found = classification.measure_questions(TableClassifier(table))
    assert found == {
        "accuracy": round(2 / 3, 4),
        # Chosen: "good" and "staff" | "staff" and "bad" | "bad".
        "precision": 0.6,
        "recall": 0.75,
        "chance_precision": round(4 / 13, 4),
        "chosen": round(5 / 13, 4),
        "auprc": round(((1 + 2 / 3) / 2 + 1 + 1) / 3, 4),
        "auprc_chance": round(by_chance(marks), 4),
    }
    assert asked == [("test", "mixed"), ("test", "mixed")]
    assert classification.measure_questions(Constant()) == {"accuracy": round(1 / 3, 4)}


def test_long_reviews_with_attention_to_their_deciding_sentences(monkeypatch):
    given = [
        review("the soup . good food .", "positive", [0, 0, 0, 1, 0, 0], None, (0, 0, 0, 1, 1, 1)),
        review("bad . we sat in .", "negative", [1, 0, 0, 0, 0, 0], None, (0, 0, 1, 1, 1, 1)),
    ]
    asked = []
    monkeypatch.setattr(classification, "reviews", lambda *names: asked.append(names) or given)
    table = {
        "the soup . good food .": ("positive", [0.1, 0.1, 0.0, 0.3, 0.4, 0.1], []),
        "bad . we sat in .": ("positive", [0.51237, 0.1, 0.15, 0.12763, 0.06, 0.05], []),
    }
    found = classification.measure_long(TableClassifier(table))
    assert found == {
        "accuracy": 0.5,
        "on_deciding_sentences": round((0.8 + 0.61237) / 2, 4),
        "on_deciding_sentences_chance": round((3 / 6 + 2 / 6) / 2, 4),
        # Chosen: "good", "food" | "bad".
        "precision": round(2 / 3, 4),
        "recall": 1.0,
        "chance_precision": round(2 / 12, 4),
        "chosen": round(3 / 12, 4),
        "auprc": round((1 / 2 + 1) / 2, 4),
        "auprc_chance": round(by_chance([r.rationale for r in given]), 4),
    }
    assert asked == [("test", "long")]


def test_film_reviews(monkeypatch):
    pairs = [("a", "positive"), ("b", "negative"), ("c", "positive")]
    monkeypatch.setattr(classification, "imdb_test", lambda: pairs)
    assert classification.measure_imdb(Constant()) == {"accuracy": round(2 / 3, 4)}


def test_marked_film_reviews(monkeypatch):
    def marked(text, label, rationale):
        return MarkedReview(tuple(text.split()), label, tuple(map(bool, rationale)))

    splits = {
        "test": [
            marked("the plot gleams", "positive", [0, 0, 1]),
            marked("dull the plot plot", "negative", [1, 0, 0, 0]),
        ],
        "train": [
            marked("the dull plot", "negative", [0, 0, 0]),
            marked("the dull dull", "negative", [0, 0, 0]),
            marked("the", "positive", [0]),
        ],
    }
    asked = []
    monkeypatch.setattr(
        classification, "eraser_movies", lambda split: asked.append(split) or splits[split]
    )
    classification.marked_reviews.cache_clear()
    table = {
        "the plot gleams": ("positive", [0.5, 0.2, 0.3], [3.0, 2.0, 1.0]),
        "dull the plot plot": ("positive", [0.4, 0.3, 0.2, 0.1], [0.5, 4.0, 3.0, 2.0]),
    }
    found = classification.measure_eraser(TableClassifier(table))
    classification.marked_reviews.cache_clear()
    marks = [r.rationale for r in splits["test"]]
    assert found == {
        "accuracy": 0.5,
        "auprc_attention": (1 / 2 + 1) / 2,
        "auprc_gradient": round((1 / 3 + 1 / 4) / 2, 4),
        # "gleams" is unknown, so first; "dull" and "the" are known three times, "plot" once.
        "auprc_frequency": (1 + 1 / 4) / 2,
        "auprc_random": round(np.mean([by_chance(marks, seed) for seed in range(5)]), 4),
        "marked": round((1 / 3 + 1 / 4) / 2, 4),
    }
    assert sorted(asked) == ["test", "train"]  # each is read once


# --- speech -----------------------------------------------------------------------------------


def test_share_of_times_inside_their_words():
    words = [(0.0, 0.2), (0.2, 0.5), (0.6, 0.9), (1.0, 1.2)]
    assert speech.inside([0.2, 0.2, 0.59, 1.3], words) == 0.5
    assert speech.inside([0.1, 0.7, 0.7, 1.0], words) == 0.75


def test_errors_are_counted_by_kind():
    found = speech.counted(["a x c", "b c d e"], ["a b c d", "b c d"])
    assert found == {
        "wer": round(100 * 3 / 7, 2),
        "substitutions": 1,
        "deletions": 1,
        "insertions": 1,
        "words": 7,
    }


def test_times_of_attention_in_milliseconds():
    times = np.array([0.0, 0.1, 0.2, 0.4])
    matrices = [np.eye(4)[[1, 3, 2]], np.eye(4)[[0]]]
    words = [[(0.0, 0.1), (0.2, 0.4), (0.4, 0.6)], [(0.0, 0.08)]]
    # Peaks 0.1, 0.4, 0.2 and 0.0; middles 0.05, 0.3, 0.5 and 0.04.
    assert speech.timed(matrices, [times, times], words) == {
        "sounds_timed": 2,
        "ms": round((50 + 100 + 300 + 40) / 4, 1),
        "median_ms": 75.0,
        "inside": 0.75,
        "monotonicity": 0.5,
    }
    assert speech.timed([], [], []) == {"sounds_timed": 0}


def command(text, length, *times):
    return SpokenCommand(text, "v", 170, 50, times, torch.zeros(length, dtype=torch.int16))


SOUNDS = {
    "test": (
        command("go left", 16_000, (0.0, 0.4), (0.5, 0.9)),
        command("stop", 8_000, (0.1, 0.3)),
    ),
    "long": (command("go left stop", 32_000, (0.0, 0.4), (0.5, 0.9), (1.0, 1.4)),),
}
HEARD = {
    "attention": {"go left": "go right", "stop": "stop", "go left stop": "go stop"},
    "ctc": {"go left": "go left", "stop": "", "go left stop": "left stop"},
}


class TableRecogniser:
    """Hears by table. Attention has positions every 100 ms, CTC every 50 ms."""

    def __init__(self, model, vocabulary, by=None, longest=None):
        self.model, self.vocabulary, self.longest = model, vocabulary, longest
        self.by = ("ctc" if model.ctc_weight == 1 else "attention") if by is None else by

    def transcribe(self, sounds, beam=1, alpha=1.0):
        assert self.longest >= 600 and beam == 1  # not cut, and greedy
        self.model.read.append(self.by)
        found = []
        for sound in sounds:
            text = HEARD[self.by][sound.text]
            words = len(text.split())
            piece = SimpleNamespace(
                attention=np.eye(3)[list(range(words))], times=np.array([0.05, 0.5, 0.55])
            )
            found.append(SimpleNamespace(text=text, pieces=[piece] * bool(text), only=piece))
        return found

    def attention_of(self, pairs):
        assert self.by == "attention"
        assert all(text == sound.text for sound, text in pairs)
        share = float(self.model.decoder == "attention")
        return [share * np.eye(9)[[2, 7, 6][: len(text.split())]] for _, text in pairs]

    def position_times(self, count):
        return 0.1 * np.arange(count)


def recogniser(ctc_weight, decoder="attention", by=None):
    model = SimpleNamespace(ctc_weight=ctc_weight, decoder=decoder, read=[])
    return TableRecogniser(model, "words", by)


@pytest.fixture
def commands(monkeypatch):
    monkeypatch.setattr(speech, "spoken_commands", lambda split: SOUNDS[split])
    monkeypatch.setattr(speech, "Recogniser", TableRecogniser)


BY_ATTENTION = {
    "test": {
        "wer": round(100 * 1 / 3, 2),
        "substitutions": 1,
        "deletions": 0,
        "insertions": 0,
        "words": 3,
        # Peaks at 0.2 and 0.7 | 0.2, which are the middles of the words.
        "sounds_timed": 2,
        "ms": 0.0,
        "median_ms": 0.0,
        "inside": 1.0,
        "monotonicity": 1.0,
    },
    "long": {
        "wer": round(100 * 1 / 3, 2),
        "substitutions": 0,
        "deletions": 1,
        "insertions": 0,
        "words": 3,
        # Peaks at 0.2, 0.7 and 0.6; the last is 0.6 s before the middle of its word.
        "sounds_timed": 1,
        "ms": 200.0,
        "median_ms": 0.0,
        "inside": round(2 / 3, 4),
        "monotonicity": 0.5,
    },
}
BY_CTC = {
    "test": {
        "wer": round(100 * 1 / 3, 2),
        "substitutions": 0,
        "deletions": 1,
        "insertions": 0,
        "words": 3,
        # One sound is right: 0.05 and 0.5 s for words with the middles 0.2 and 0.7 s.
        "sounds_timed": 1,
        "ms": 175.0,
        "median_ms": 175.0,
        "inside": 1.0,
        "monotonicity": 1.0,
    },
    "long": {
        "wer": round(100 * 1 / 3, 2),
        "substitutions": 0,
        "deletions": 1,
        "insertions": 0,
        "words": 3,
        "sounds_timed": 0,
    },
}
# Words of 500 ms each in the first sound (middles 250 and 750) and of 500 in the second (250).
EVENLY = round((50 + 50 + 50) / 3, 1)


def test_commands_by_attention_and_ctc(commands):
    assert speech.measure_commands(recogniser(0.3)) == {
        "by": "attention",
        **BY_ATTENTION,
        "test_ctc": BY_CTC["test"],
        "long_ctc": BY_CTC["long"],
        "evenly_ms": EVENLY,
    }


def test_commands_by_one_way_alone(commands):
    attention, ctc = recogniser(0.0), recogniser(1.0)
    found = speech.measure_commands(attention)
    assert found == {"by": "attention", **BY_ATTENTION, "evenly_ms": EVENLY}
    assert speech.measure_commands(ctc) == {"by": "ctc", **BY_CTC, "evenly_ms": EVENLY}
    assert attention.model.read == ["attention"] * 2 and ctc.model.read == ["ctc"] * 2


def test_commands_without_attention_have_no_times(commands):
    found = speech.measure_commands(recogniser(0.0, decoder="fixed_vector"))
    for split in ("test", "long"):
        assert set(found[split]) == {"wer", "substitutions", "deletions", "insertions", "words"}
    assert found["evenly_ms"] == EVENLY


def test_a_speaker_is_measured_on_the_test_recordings(monkeypatch):
    asked = []

    def digit_strings(split, count, seed=0, speakers=()):
        asked.append((split, count, seed, speakers))
        texts = ("one two six", "one two three four five six seven")
        return [SimpleNamespace(text=text) for text in texts]

    class Listener:
        def predict(self, sounds, beam=1, alpha=1.0):
            assert beam == 1
            return ["one three six", "one one three four five six seven"]

    monkeypatch.setattr(speech, "digit_strings", digit_strings)
    assert speech.measure_speaker(Listener(), "theo") == {
        "speaker": "theo",
        "wer": 20.0,
        "substitutions": 2,
        "deletions": 0,
        "insertions": 0,
        "words": 10,
        "interval": [14.29, 33.33],  # of two texts: both the second, both the first
    }
    assert asked == [("test", 150, 1, ("theo",))]


def test_a_speaker_is_left_out_of_training_and_validation(monkeypatch):
    asked = []
    monkeypatch.setattr(speech, "digit_data", lambda **settings: asked.append(settings))
    measured = []
    monkeypatch.setattr(
        speech, "measure_speaker", lambda predictor, speaker: measured.append(speaker)
    )
    variant = speech.speaker_variant("lucas", "mild", MILD)
    variant.data()
    variant.measure("predictor")
    others = {"theo", "george", "jackson", "nicolas", "yweweler"}
    assert [(set(a["speakers"]), a["augmentation"]) for a in asked] == [(others, MILD)]
    assert variant.name == "lucas, mild" and measured == ["lucas"]


def data_of(variant, monkeypatch):
    """What a variant's data function asks the data set for, and the augmentation it uses."""
    from course_utils.datasets.generated import spoken_commands
    from course_utils.datasets.public import spoken_digits

    asked = []

    def no_digits(split, count, seed=0, speakers=(), digits=(2, 6)):
        asked.append((split, speakers))
        return []

    monkeypatch.setattr(spoken_commands, "spoken_commands", lambda split: asked.append(split) or [])
    monkeypatch.setattr(spoken_digits, "digit_strings", no_digits)
    return variant.data().augmentation, asked


PLAIN = Augmentation()
VARIED = Augmentation(
    speed=0.12, pitch=0.2, noise=0.5, edges=0.3, tilt=4.0, bands=8, moments=15, untouched=0.3
)


def test_speech_studies_vary_the_training_sounds(monkeypatch):
    for name in ("variation", "variation-longer"):
        for variant, expected in zip(STUDIES_BY_NAME[name].variants, (PLAIN, MILD), strict=True):
            found, asked = data_of(variant, monkeypatch)
            assert found == expected and asked == ["train", "valid"]
    for name in ("unheard-speaker", "unheard-longer"):
        for variant in STUDIES_BY_NAME[name].variants:
            speaker, kind = variant.name.split(", ")
            found, asked = data_of(variant, monkeypatch)
            assert found == {"plain": PLAIN, "augmented": VARIED}[kind]
            assert [split for split, _ in asked] == ["train", "valid"]
            assert all(len(set(s)) == 5 and speaker not in s for _, s in asked)
            assert variant.measure.keywords == {"speaker": speaker}


# --- definitions ------------------------------------------------------------------------------


def sized(recipe, model, size):
    """Parameters of a variant's model with a vocabulary of ``size``."""

    class Words:
        def __len__(self):
            return size

        def encode(self, text):
            return [5]

    given = recipe.model | model
    if "candidates" in given:  # answers to choose from have no parameters of their own
        given |= {"candidates": [[5]], "labels": ["yes"]}
    settings = {k: v(Words()) if callable(v) else v for k, v in given.items()}
    settings = {k: v for k, v in settings.items() if v is not None}  # None takes one away
    with torch.device("meta"):
        built = recipe.task.build(**{recipe.task.size: size, **settings})
    if recipe.prepare is keep_words:  # what it freezes is not trained, so it does not count
        keep_words(built, None)
    return count_parameters(built)


def lacks_its_file(name, variant):
    """The training file of one task of bAbI is missing in the copy of the data that was used."""
    return name == "babi" and variant.split(",")[0] == "task 3"


@pytest.mark.parametrize("name", STUDIES_BY_NAME)
def test_a_study_is_what_its_stored_results_are_of(name):
    study, stored = STUDIES_BY_NAME[name], load_study(name)
    assert stored["title"] == study.title and stored["recipe"] == study.recipe.name
    assert stored["batch_tokens"] == study.recipe.batch_tokens
    assert stored["seeds"] == sorted({seed for _, seed in study.runs()})
    found = {(r["variant"], r["seed"], r["steps"]) for r in stored["runs"]}
    expected = {(variant.name, seed, variant.steps) for variant, seed in study.runs()}
    assert found == {run for run in expected if not lacks_its_file(name, run[0])}
    assert set(study.seeds_of) <= {variant.name for variant in study.variants}


@pytest.mark.parametrize("name", STUDIES_BY_NAME)
def test_the_models_of_a_study_have_the_parameters_of_its_stored_results(name):
    """The size of the vocabulary follows from one model, and has to fit all others.

    Where variants have data of their own, each of them has a vocabulary.
    """
    study, sizes = STUDIES_BY_NAME[name], set()
    for variant in study.variants:
        if variant.baseline is not None or lacks_its_file(name, variant.name):
            continue
        found = {r["parameters"] for r in load_study(name)["runs"] if r["variant"] == variant.name}
        assert len(found) == 1
        small, more = (sized(study.recipe, variant.model, size) for size in (20, 21))
        if study.recipe.prepare is keep_words:
            assert found == {small} == {more}  # no trained part depends on the vocabulary
            return
        sizes.add(20 + (found.pop() - small) / (more - small))
    if any(variant.baseline is None for variant in study.variants):
        assert len(sizes) == 1 or all(variant.data is not None for variant in study.variants)
        assert all(size % 1 == 0 for size in sizes)


@pytest.mark.parametrize("name", STUDIES_BY_NAME)
def test_a_study_reports_what_its_stored_results_hold(name):
    """Each row has the same keys, apart from what only some models have."""
    rows = load_study(name)["runs"]
    common = set.intersection(*(set(row) for row in rows))
    assert {"variant", "seed", "steps", "parameters", "minutes"} <= common
    for variant in STUDIES_BY_NAME[name].variants:
        if lacks_its_file(name, variant.name):
            continue
        row = next(row for row in rows if row["variant"] == variant.name)
        assert (variant.baseline is None) == ("curve" in row)


def test_models_that_a_study_calls_equal_are_within_one_per_cent():
    def parameters(name, *variants):
        found = {r["variant"]: r["parameters"] for r in load_study(name)["runs"]}
        return [found[variant] for variant in variants or found]

    groups = (
        # Each place of the finer grid has fewer features.
        parameters("photos", *[name for name in variants("photos") if name != "14 × 14"]),
        parameters("listening"),
        parameters("hierarchy"),
        parameters("order"),
        parameters("induction", "two layers", "one layer, as many parameters"),
        parameters("shared-keys", "8 of 8", "1 of 8, as many parameters"),
        parameters(
            "imdb",
            "mean of words",
            "attention over words",
            "attention over words and pairs",
            "LSTM and attention, words",
        ),
    )
    for group in groups:
        assert len(group) > 1 and max(group) <= 1.01 * min(group)


@pytest.mark.parametrize(
    "name,measure",
    [
        (study, function)
        for function, studies in {
            translation.measure_generated: ("bottleneck", "scores", "order"),
            captioning.measure_scenes: ("pooled", "pooled-converged", "extras", "patches"),
            captioning.measure_photos: ("photos",),
            classification.measure_short: ("pooling",),
            classification.measure_questions: ("question",),
            classification.measure_long: ("hierarchy",),
            classification.measure_imdb: ("imdb",),
            classification.measure_eraser: ("rationales",),
            classification.measure_marks: ("marks",),
            classification.measure_contrasts: ("contrasts",),
            speech.measure_commands: (
                "listening",
                "listening-converged",
                "variation",
                "variation-longer",
            ),
        }.items()
        for study in studies
    ],
)
def test_which_function_measures_a_study(name, measure):
    assert STUDIES_BY_NAME[name].measure is measure
    assert RECIPES[STUDIES_BY_NAME[name].recipe.name] is STUDIES_BY_NAME[name].recipe


def variants(name):
    return {variant.name: variant for variant in STUDIES_BY_NAME[name].variants}


def test_baselines_and_training_settings_of_variants():
    imdb, pooling, extras = variants("imdb"), variants("pooling"), variants("extras")
    assert imdb["TF-IDF, words and pairs"].baseline is baselines.TfidfBaseline
    assert imdb["TF-IDF and the shipped checkpoint"].baseline is baselines.MeanOfTwo
    assert pooling["majority"].baseline is baselines.MajorityBaseline
    small = {"learning_rate": 0.002}
    given = {
        (study.name, variant.name): variant.fit
        for study in STUDIES_BY_NAME.values()
        for variant in study.variants
        if variant.fit
    }
    assert given == {
        ("pooling", "bag of words"): {"learning_rate": 0.02},
        ("pooling", "bag of words, converged"): {"learning_rate": 0.02},
        ("extras", "regulariser"): {"regulariser": 0.01},
        **{("contrasts", n): {"validate_every": 1600} for n in variants("contrasts")},
        ("transformer-positions", "sinusoidal, post-norm, lower rate"): {"learning_rate": 0.001},
        **{("photos", name): {"validate_every": 400} for name in variants("photos")},
        **{
            ("patches", name): {"bfloat16": True} | ({"learning_rate": 0.001} if lower else {})
            for name in variants("patches")
            for lower in [name.endswith(("lower rate", "longer"))]
        },
        **{("induction", name): {"validate_every": 50} for name in variants("induction")},
        ("transformer-budget", "recurrent + attention"): {"learning_rate": 0.003},
        ("transformer-budget", "Transformer"): small,
        ("transformer-budget", "recurrent + attention, dropout .1"): {"learning_rate": 0.003},
        ("transformer-budget", "Transformer, dropout .1"): small,
        **{
            ("transformer-tricks", name): small
            | ({"label_smoothing": 0.0} if name == "no label smoothing" else {})
            for name in variants("transformer-tricks")
        },
        ("transformer-averaging", "no averaging"): small,
        ("recurrent-longer", "recurrent + attention"): {
            "learning_rate": 0.003,
            "validate_every": 1000,
        },
        ("photos-converged", "pooled"): {"bfloat16": True, "validate_every": 1000},
        **{
            ("settings", name): ({"learning_rate": 3 * 0.003} if "rate × 3" in name else {})
            | ({"warm_up": 0.0} if "no warm-up" in name else {})
            for name in variants("settings")
            if "rate × 3" in name or "no warm-up" in name
        },
    }
    assert extras["gate"].model == {"gate": True}


WIDTHS = {"embedding_dim": 128, "memory_dim": 128, "hidden_dim": 256}  # a smaller captioner
MODELS = {
    # What does not show in the number of parameters.
    ("bottleneck", "attention"): {"decoder": "attention"},
    ("bottleneck", "fixed vector"): {"decoder": "fixed_vector"},
    ("scores", "dot"): {"decoder": "attention", "score": "dot"},
    ("scores", "scaled dot"): {"decoder": "attention", "score": "scaled_dot"},
    ("scores", "general"): {"decoder": "attention", "score": "general"},
    ("order", "after the recurrence"): {"decoder": "attention", "score": "additive"},
    ("order", "Bahdanau's order"): {"decoder": "bahdanau", "hidden_dim": 152},
    ("settings", "as it is"): {},
    ("settings", "maps of scores × 1/√3"): {"score_gain": 3**-0.5},
    ("settings", "maps of scores × 1/4"): {"score_gain": 0.25},
    ("settings", "maps of scores × 4"): {"score_gain": 4.0},
    ("settings", "rate × 3, no warm-up"): {},
    ("settings", "post-norm"): {"norm": "post"},
    ("settings", "post-norm, rate × 3, no warm-up"): {"norm": "post"},
    ("settings", "no dropout on weights"): {"weight_dropout": 0.0},
    ("settings", "dropout .3 on weights"): {"weight_dropout": 0.3},
    ("settings", "keys are values"): {"sharing": "keys"},
    ("settings", "one memory for all layers"): {"sharing": "layers"},
    ("pooled", "attention"): {},
    ("pooled", "pooled with coordinates"): {"decoder": "fixed_vector"},
    ("pooled", "pooled vector"): {"decoder": "fixed_vector", "positions": False},
    ("photos", "7 × 7"): WIDTHS,
    ("photos", "pooled"): WIDTHS | {"pooled": True},
    ("photos", "7 × 7, sparsemax"): WIDTHS | {"weights": "sparsemax"},
    ("photos", "7 × 7, one place"): WIDTHS | {"weights": "top1"},
    ("photos", "7 × 7, one head"): WIDTHS | {"heads": 1},
    ("photos", "14 × 14"): WIDTHS | {"pictures": "photos-fine"},
    ("photos-converged", "pooled"): {"pooled": True},
    ("patches", "patches"): {"pictures": "patches", "encoder_layers": 2},
    ("patches", "convolutions, then attention"): {"encoder_layers": 2},
    ("pooling", "mean pooling"): {"kind": "mean"},
    ("pooling", "max pooling"): {"kind": "max"},
    ("pooling", "last state"): {"kind": "last"},
    ("pooling", "attention"): {"kind": "attention"},
    ("pooling", "bag of words"): {"kind": "bag"},
    ("question", "question as query"): {"question": "query"},
    ("question", "fixed query, question beside it"): {"question": "feature"},
    ("question", "fixed query, question ignored"): {"question": "ignored"},
    ("question", "fixed query, LSTM reads the question"): {"kind": "attention"},
    ("hierarchy", "hierarchical"): {},
    ("imdb", "mean of words"): {"kind": "mean", "pairs": None, "embed_dim": 218, "hidden_dim": 0},
    ("imdb", "attention over words"): {"pairs": None, "embed_dim": 218, "hidden_dim": 0},
    ("imdb", "attention over words and pairs"): {"embed_dim": 113, "hidden_dim": 0},
    ("hierarchy", "flat attention"): {"kind": "attention", "sentence_end": None, "hidden_dim": 70},
    ("imdb", "LSTM and attention, words"): {"pairs": None, "embed_dim": 200},
    ("listening", "CTC"): {"score": None, "ctc_weight": 1.0},
    ("listening", "location"): {"score": "location", "ctc_weight": 0.0},
    ("listening", "content"): {"score": "additive", "ctc_weight": 0.0},
    ("listening", "location + CTC"): {"score": "location", "ctc_weight": 0.3},
    ("listening", "content + CTC"): {"score": "additive", "ctc_weight": 0.3},
    ("listening", "one vector"): {
        "decoder": "fixed_vector",
        "score": None,
        "ctc_weight": 0.0,
        "hidden_dim": 252,
    },
}


@pytest.mark.parametrize("study,variant", MODELS)
def test_the_models_that_a_study_compares(study, variant):
    assert variants(study)[variant].model == MODELS[study, variant]


def test_converged_and_longer_variants_are_the_same_models_trained_longer():
    for short, long in (
        (("bottleneck", "fixed vector"), ("bottleneck", "fixed vector, converged")),
        (("bottleneck", "attention"), ("bottleneck", "attention, converged")),
        (("pooled", "pooled vector"), ("pooled-converged", "pooled vector")),
        (("pooled", "pooled with coordinates"), ("pooled-converged", "pooled with coordinates")),
        (("pooling", "max pooling"), ("pooling", "max pooling, converged")),
        (("pooling", "last state"), ("pooling", "last state, converged")),
        (
            ("question", "fixed query, question beside it"),
            ("question", "fixed query, question beside it, converged"),
        ),
        (
            ("imdb", "LSTM and attention, words"),
            ("imdb", "LSTM and attention, words, longer"),
        ),
        (("listening", "CTC"), ("listening-converged", "CTC")),
        (("listening", "location"), ("listening-converged", "location")),
        (("unheard-speaker", "theo, augmented"), ("unheard-longer", "theo, augmented")),
    ):
        before, after = variants(short[0])[short[1]], variants(long[0])[long[1]]
        assert after.model == before.model and after.steps > before.steps
    assert all(v.model == {} for v in STUDIES_BY_NAME["variation-longer"].variants)
    assert all(
        v.model == variants("listening")["location"].model
        for v in STUDIES_BY_NAME["variation"].variants
    )
