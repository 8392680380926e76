"""What tasks share: pairs as examples and batches, and which checkpoints a predictor accepts."""

import pytest
import torch

from course_utils.checkpoints import Checkpoint, CheckpointError
from course_utils.models.builders import build_captioner, build_recogniser
from course_utils.models.classifiers import build_text_classifier
from course_utils.search import SearchSettings
from course_utils.tasks.base import Predictor, SequencePredictor, TaskData
from course_utils.tasks.captioning.captioner import Captioner
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.speech.recogniser import Recogniser
from course_utils.tasks.translation.data import SampledTranslationData, TranslationData
from course_utils.tasks.translation.task import TASK
from course_utils.tasks.translation.translator import Translator
from course_utils.vocabulary import Vocabulary
from tools.tiny import tiny_translator

WORDS = Vocabulary.words(["a b c d e f"])


def data(train=(), valid=(), **others):
    return TranslationData(list(train), list(valid), WORDS, **others)


def texts(ids):
    return WORDS.decode(ids)


# --- pairs ------------------------------------------------------------------------------------


def test_usual_settings_of_data():
    one, other = data(), data()
    assert one.lowercase and one.cards == []
    one.cards.append({"name": "mine"})
    assert other.cards == []  # each has its own


def test_a_pair_with_several_texts_is_several_examples():
    found = data().to_examples([("a b", ["c", "d e"]), ("f", "a")])
    assert [(texts(e.source), texts(e.target)) for e in found] == [
        ("a b", "c"),
        ("a b", "d e"),
        ("f", "a"),
    ]


def test_copies_cut_at_random_are_training_examples_only():
    pairs = [("the dog sees the cat", "le chien voit le chat"), ("the cat sleeps", "le chat dort")]
    vocabulary = Vocabulary.bpe([text for pair in pairs * 9 for text in pair], 60)
    held = SampledTranslationData(pairs, pairs[:1], vocabulary, bpe_dropout=0.5, copies=3)
    plain = TranslationData(pairs, pairs[:1], vocabulary)
    assert held.examples[:2] == plain.examples and len(held.examples) == 2 * (1 + 3)
    for place, example in enumerate(held.examples):
        sides = [vocabulary.decode(ids) for ids in (example.source, example.target)]
        assert tuple(sides) == pairs[place % 2]
    assert len({tuple(example.source) for example in held.examples[::2]}) == 4
    assert held.to_examples(held.valid) == plain.to_examples(plain.valid)


def test_training_batches_hold_all_pairs_and_depend_on_the_seed():
    pairs = [("a", " ".join("abcdef"[: 1 + i % 6])) for i in range(40)]

    def targets(seed):
        batches = data(pairs).batches(18, seed).forever()
        found = []
        while sum(map(len, found)) < 40:
            batch = next(batches)
            assert batch.target[:, 1:].numel() <= 18
            found.append(sorted(texts(row.tolist()) for row in batch.target))
        return found

    first = targets(0)
    assert sorted(t for batch in first for t in batch) == sorted(text for _, text in pairs)
    assert first == targets(0) and first != targets(1)
    usual = next(data(pairs).batches(18).forever())
    assert torch.equal(usual.target, next(data(pairs).batches(18, 0).forever()).target)


def test_validation_batches_are_sorted_and_of_a_hundred():
    pairs = [("a" if i % 2 else "a b", " ".join("abcdef"[: 1 + i % 6])) for i in range(230)]
    found = data(valid=pairs).valid_batches
    assert [len(batch.source) for batch in found] == [100, 100, 30]
    order = [
        (len(texts(target.tolist()).split()), int(length))
        for batch in found
        for target, length in zip(batch.target, batch.source_lengths, strict=True)
    ]
    assert order == sorted(order)


def test_a_task_has_to_say_what_its_inputs_become():
    with pytest.raises(NotImplementedError, match="encode_inputs"):
        TaskData([], [], WORDS).encode_inputs([])
    with pytest.raises(NotImplementedError, match="predict"):
        Predictor(None, WORDS).predict([])
    with pytest.raises(NotImplementedError, match="predict"):
        SequencePredictor(None, WORDS).predict([])


# --- predictors -------------------------------------------------------------------------------


def checkpoint(model, **card):
    return Checkpoint("mine", model, WORDS, card, [])


def classifier():
    return build_text_classifier(len(WORDS), labels=("bad", "good"), embed_dim=6, hidden_dim=4)


def test_a_predictor_uses_the_search_of_its_card():
    model = tiny_translator()
    found = Translator.from_checkpoint(checkpoint(model, search={"beam": 3, "alpha": 0.7}))
    assert found.search == SearchSettings(beam=3, alpha=0.7)
    assert found.model is model and found.vocabulary is WORDS
    for card in ({}, {"search": None}):
        assert Translator.from_checkpoint(checkpoint(model, **card)).search == SearchSettings()
    assert Translator.search == SearchSettings(beam=1, alpha=1.0)


def test_a_predictor_refuses_other_models_and_encoders():
    with pytest.raises(CheckpointError, match="mine holds a .*, which a Translator .* Seq2Seq"):
        Translator.from_checkpoint(checkpoint(classifier()))
    pictures = build_captioner(
        len(WORDS), pictures="photos", embedding_dim=6, memory_dim=10, hidden_dim=10
    )
    with pytest.raises(CheckpointError, match="mine holds a .* a Translator .* TokenEncoder"):
        Translator.from_checkpoint(checkpoint(pictures))
    with pytest.raises(CheckpointError, match="which a Captioner .* GridEncoder"):
        Captioner.from_checkpoint(checkpoint(tiny_translator()))
    with pytest.raises(CheckpointError, match="which a Classifier .* TextClassifier"):
        Classifier.from_checkpoint(checkpoint(tiny_translator()))
    assert isinstance(Classifier.from_checkpoint(checkpoint(classifier())), Classifier)


@pytest.mark.parametrize(
    "search", [{"beam": 0}, {"beam": 5000}, {"beam": "5"}, {"alpha": None}, {"width": 3}, [5], 7]
)
def test_a_search_that_is_none_is_named(search):
    with pytest.raises(CheckpointError, match=r"mine: the search in card.json is not one"):
        Translator.from_checkpoint(checkpoint(tiny_translator(), search=search))


@pytest.mark.parametrize("value", [0, -1, "a", [1], float("nan"), float("inf"), None])
def test_a_calibration_that_is_none_is_named(value):
    build = {"embedding_dim": 6, "memory_dim": 10, "hidden_dim": 8, "features": 7}
    for model, kind, name in (
        (classifier(), Classifier, "temperature"),
        (build_recogniser(len(WORDS), **build), Recogniser, "ctc_share"),
    ):
        if name == "ctc_share" and value == 0:
            continue  # attention alone
        for calibration in ({name: value}, [value, name], f"{name}"):
            with pytest.raises(CheckpointError, match="mine: the calibration in card.json"):
                kind.from_checkpoint(checkpoint(model, calibration=calibration))
    assert Classifier.from_checkpoint(checkpoint(classifier())).temperature == 1


def test_every_piece_of_the_vocabulary_has_an_embedding():
    small = len(WORDS) - 1
    for model, predictor in (
        (tiny_translator(target_size=small), Translator),
        (tiny_translator(source_size=small), Translator),
        (build_text_classifier(small, labels=("a", "b"), embed_dim=6), Classifier),
    ):
        with pytest.raises(CheckpointError, match="mine has a vocabulary of 10 pieces, .* of 9"):
            predictor.from_checkpoint(checkpoint(model))


def test_a_task_knows_the_name_of_its_builder():
    assert TASK.builder == "translator"
