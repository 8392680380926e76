"""`ClassificationData`, `Classifier`, its training, and the command ``classify``."""

import io
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_utils import recipes
from course_utils.__main__ import main
from course_utils.batches import Example
from course_utils.checkpoints import CheckpointError, load_checkpoint, save_checkpoint
from course_utils.models.classifiers import build_text_classifier
from course_utils.paths import REPO
from course_utils.plotting.texts import html_page
from course_utils.recipes import RECIPES, train
from course_utils.tasks.classification.baselines import MajorityBaseline, MeanOfTwo, TfidfBaseline
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.classification.data import (
    ClassificationData,
    classification_loss,
    kept_positions,
    make_labelled_batch,
)
from course_utils.tasks.translation.translator import Translator
from course_utils.training import FitSettings, fit, validation_loss
from course_utils.vocabulary import Vocabulary
from tools.tiny import few, quick, tiny_checkpoint

LABELS = ("negative", "positive")
REVIEWS = [
    ("A lovely film, really lovely!", "positive"),
    ("What a dull story.", "negative"),
    ("I don't like it: dull, dull and sad.", "negative"),
    ("Lovely", "positive"),
    ("The story isn't sad. It is a good one.", "positive"),
    ("sad sad sad", "negative"),
]
TEXTS = [text for text, _ in REVIEWS]
LONGEST = 8


def tiny_data(**settings) -> ClassificationData:
    vocabulary = Vocabulary.words(TEXTS, punctuation=True)
    return ClassificationData(
        REVIEWS, REVIEWS[:4], vocabulary, labels=LABELS, longest=LONGEST, **settings
    )


def build(vocabulary, **settings):
    torch.manual_seed(0)
    settings = {
        "vocab_size": len(vocabulary),
        "labels": LABELS,
        "embed_dim": 6,
        "hidden_dim": 5,
        "longest": LONGEST,
        **settings,
    }
    model = build_text_classifier(**settings)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4)
    return model, settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The checkpoint of a tiny, untrained classifier."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    vocabulary = tiny_data().vocabulary
    model, settings = build(vocabulary)
    save_checkpoint(
        folder, model, vocabulary, builder="text_classifier", settings=settings, card={}, log=[]
    )
    return folder


@pytest.fixture(scope="module")
def classifier(folder):
    return Classifier.load(folder)


# --- data -------------------------------------------------------------------------------------


@quick
@given(length=st.integers(0, 40), longest=st.integers(1, 20))
def test_kept_positions(length, longest):
    kept = kept_positions(length, longest)
    assert kept == sorted(set(kept)) and len(kept) == min(length, longest)
    assert all(0 <= place < length for place in kept)
    if length > longest:
        assert kept[-1] == length - 1, "the end is always read"
        assert kept[: longest // 4] == list(range(longest // 4))
    assert kept_positions(length, None) == list(range(length))


def test_examples_are_cut_and_labelled():
    data = tiny_data()
    long, short = data.to_examples([REVIEWS[2], REVIEWS[3]])
    ids = data.vocabulary.encode(REVIEWS[2][0])
    assert long.source == ids[:2] + ids[-6:] and long.target == [0]
    assert short == Example(data.vocabulary.encode("lovely"), [1])
    with pytest.raises(ValueError, match=r"unknown labels \['so-so'\]: .* negative, positive"):
        data.to_examples([("text", "so-so")])


def test_batches_hold_words_not_texts():
    data = tiny_data()
    batches = data.batches(tokens=16)
    seen = []
    for indices in batches.epoch(0):
        batch = batches.collate([data.examples[i] for i in indices])
        assert batch.source.numel() <= 16 or len(indices) == 1
        assert batch.target.tolist() == [data.examples[i].target[0] for i in indices]
        assert batch.target_tokens == len(indices)
        seen += indices
    assert sorted(seen) == list(range(len(REVIEWS)))
    with pytest.raises(AttributeError, match="no target_in"):
        _ = batch.target_in
    assert torch.equal(batch.to("cpu").target, batch.target)
    with pytest.raises(ValueError, match="at least one example"):
        make_labelled_batch([])


def test_a_text_without_words_is_a_row_of_padding():
    batch = make_labelled_batch([Example([], [1]), Example([], [0])])
    assert batch.source.tolist() == [[0], [0]] and batch.source_lengths.tolist() == [0, 0]


def test_loss_is_the_cross_entropy_of_the_texts():
    data = tiny_data()
    model, _ = build(data.vocabulary)
    model.eval()
    batch = make_labelled_batch(data.examples)
    expected = F.cross_entropy(model(batch.source), batch.target)
    torch.testing.assert_close(classification_loss(model, batch), expected)
    # The validation loss is a mean over texts, whatever the sizes of the batches.
    parts = [make_labelled_batch(data.examples[:1]), make_labelled_batch(data.examples[1:])]
    assert validation_loss(model, parts, classification_loss) == pytest.approx(expected.item())
    smoothed = F.cross_entropy(model(batch.source), batch.target, label_smoothing=0.3)
    torch.testing.assert_close(classification_loss(model, batch, 0.3), smoothed)


def test_fit_learns_labels():
    data = tiny_data()
    model, _ = build(data.vocabulary)
    settings = FitSettings(steps=60, learning_rate=0.02, label_smoothing=0.0, validate_every=30)
    fit(
        model,
        data.batches(40),
        settings,
        valid=data.valid_batches,
        loss=classification_loss,
        progress=False,
    )
    assert Classifier(model, data.vocabulary).predict(TEXTS) == [label for _, label in REVIEWS]


# --- classifier -------------------------------------------------------------------------------


def test_verdicts(classifier):
    verdicts = classifier.classify(TEXTS)
    for text, verdict in zip(TEXTS, verdicts, strict=True):
        ids = classifier.vocabulary.encode(text)
        read = [ids[i] for i in kept_positions(len(ids), LONGEST)]
        logits, weights = classifier.model.attend(torch.tensor([read]))
        expected = logits.softmax(dim=-1)[0]
        assert list(verdict.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)
        assert verdict.label == LABELS[int(expected.argmax())]
        assert verdict.probability == pytest.approx(expected.max().item(), abs=1e-5)
        np.testing.assert_allclose(
            verdict.weights[verdict.weights > 0], weights[0].detach().numpy(), rtol=1e-4
        )
        assert len(verdict.words) == len(ids) == len(verdict.weights)
    assert verdicts[0].words == ["A", "lovely", "film", ",", "really", "lovely", "!"]
    long = verdicts[2]
    assert not long.weights[2 : len(long.words) - 6].any(), "words that are not read weigh nothing"
    assert classifier.predict(TEXTS) == [v.label for v in verdicts]


def test_neighbours_do_not_influence_a_text(classifier):
    together = classifier.classify(TEXTS)
    for other in (
        classifier.classify(TEXTS[::-1], batch_size=2)[::-1],
        [classifier.classify([t])[0] for t in TEXTS],
    ):
        for one, two in zip(together, other, strict=True):
            assert one.probability == pytest.approx(two.probability, abs=1e-5)
            np.testing.assert_allclose(one.weights, two.weights, atol=1e-5)


def test_no_texts_and_texts_without_words(classifier):
    assert classifier.classify([]) == []
    (verdict,) = classifier.classify([" \t"])
    bias = classifier.model.fc.bias.softmax(dim=-1)
    assert list(verdict.probabilities.values()) == pytest.approx(bias.tolist(), abs=1e-6)
    assert verdict.words == [] and verdict.weights.shape == (0,)
    assert classifier.gradient_times_input([" "])[0].shape == (0,)


def test_calibration_finds_how_certain_the_verdicts_should_be(classifier):
    """Labels drawn from the model's own probabilities at temperature T: calibration finds T."""
    own = Classifier(classifier.model, classifier.vocabulary)
    known = own.vocabulary.pieces(range(4, len(own.vocabulary)))
    texts = [" ".join(words) for words in np.random.default_rng(0).choice(known, (3000, 4))]
    given = np.array([list(v.probabilities.values()) for v in own.classify(texts)])
    for temperature in (0.7, 1.0, 1.8):
        scaled = given ** (1 / temperature)
        right = np.random.default_rng(1).random(3000) < scaled[:, 1] / scaled.sum(axis=1)
        pairs = [(text, LABELS[int(one)]) for text, one in zip(texts, right, strict=True)]
        found = own.calibrate(pairs)
        assert found["temperature"] == own.temperature
        assert found["temperature"] == pytest.approx(temperature, rel=0.35)

        def surprise(divisor, right=right):
            shares = given ** (1 / divisor)
            return -np.log(shares[range(3000), right.astype(int)] / shares.sum(axis=1)).mean()

        least = surprise(own.temperature)
        assert least < min(surprise(own.temperature * 1.1), surprise(own.temperature / 1.1))


def test_a_temperature_changes_probabilities_but_no_verdict(classifier):
    own = Classifier(classifier.model, classifier.vocabulary)
    own.temperature = 2.0
    for one, two in zip(classifier.classify(TEXTS), own.classify(TEXTS), strict=True):
        assert two.label == one.label and 0.5 <= two.probability <= one.probability
        odds = [v.probability / (1 - v.probability) for v in (one, two)]
        assert odds[1] == pytest.approx(odds[0] ** 0.5, rel=1e-4)


def test_a_checkpoint_keeps_its_temperature(tmp_path):
    vocabulary = tiny_data().vocabulary
    model, settings = build(vocabulary)

    def saved(**card):
        own = {"builder": "text_classifier", "settings": settings, "card": card, "log": []}
        save_checkpoint(tmp_path / "one", model, vocabulary, **own)
        return Classifier.load(tmp_path / "one").temperature

    assert saved(calibration={"temperature": 1.7}) == 1.7
    assert saved() == saved(calibration=None) == 1.0


def test_words_that_the_model_does_not_know_are_counted(classifier):
    texts = ["a lovely film", "ein lovely Film!", "👍👍👍", "", "sad zzz", "sad a zzz"]
    verdicts = classifier.classify(texts)
    assert [v.unknown for v in verdicts] == [0, 1, 3, 0, 1, 1]
    assert [v.mostly_unknown for v in verdicts] == [False, False, True, False, True, False]


@pytest.mark.parametrize("settings", [{}, {"pairs": 97, "pair_dim": 3}])
def test_gradient_times_input_is_the_effect_of_a_small_change(settings):
    """A change of what represents a word: its embedding and, if the model has pairs, its pair."""
    vocabulary, text = tiny_data().vocabulary, "A lovely film"
    model = build(vocabulary, **settings)[0].eval()
    if settings:
        with torch.no_grad():
            model.pairs.embedding.weight[1:].normal_()
    (scores,) = Classifier(model, vocabulary).gradient_times_input([text])
    ids, length, small = torch.tensor([vocabulary.encode(text)]), torch.tensor([3]), 1e-3
    plain = model.read(model.embed(ids), length)[0]
    best = plain.argmax()
    for place in range(3):
        embedded = model.embed(ids).clone()
        embedded[0, place] *= 1 + small
        change = (model.read(embedded, length)[0] - plain)[0, best] / small
        assert scores[place] == pytest.approx(abs(change.item()), abs=2e-2, rel=2e-2)


def test_a_checkpoint_of_another_kind(folder, tmp_path):
    tiny_checkpoint(tmp_path / "translator")
    with pytest.raises(CheckpointError, match="holds a Seq2Seq, which a Classifier cannot use"):
        Classifier.load(tmp_path / "translator")
    with pytest.raises(CheckpointError, match="AttentionTextClassifier, which a Translator"):
        Translator.load(folder)


def test_training_by_recipe(monkeypatch, tmp_path):
    started = []
    recipe = replace(
        RECIPES["classification-generated"],
        name="tiny",
        data=tiny_data,
        test=lambda: REVIEWS[:3],
        settings=FitSettings(steps=4, validate_every=2),
        model={
            "labels": LABELS,
            "embed_dim": 6,
            "hidden_dim": 5,
            "longest": LONGEST,
            "dropout": lambda vocabulary: len(vocabulary) / 1000,
        },
        prepare=lambda model, data: started.append((model, data.labels)),
    )
    monkeypatch.setitem(recipes.RECIPES, "tiny", recipe)
    card = train("tiny", out=tmp_path / "made")
    assert 0.5 <= card["calibration"]["temperature"] <= 5
    assert set(card["metrics"]) == {"valid_accuracy", "test_accuracy"}
    assert card["settings"]["dropout"] == len(tiny_data().vocabulary) / 1000
    assert started[0][1] == LABELS
    checkpoint = load_checkpoint(tmp_path / "made")
    found = Classifier(checkpoint.model, checkpoint.vocabulary).predict(TEXTS[:3])
    right = sum(f == label for f, (_, label) in zip(found, REVIEWS[:3], strict=True))
    assert card["metrics"]["test_accuracy"]["score"] == pytest.approx(right / 3, abs=1e-3)


def test_baselines():
    data = tiny_data()
    data.train = REVIEWS[:5]
    assert MajorityBaseline(data).predict(["x", "y"]) == ["positive"] * 2
    data.train = REVIEWS * 2
    linear = TfidfBaseline(data)
    assert linear.predict(TEXTS) == [label for _, label in REVIEWS]
    assert linear.parameters > 10 and linear.strength in (3.0, 30.0)


def test_the_mean_of_two(folder, classifier, monkeypatch):
    """The more certain of the two wins; both have their labels in the same order."""
    data = tiny_data()
    data.train = REVIEWS * 2
    both = MeanOfTwo(data, checkpoint=folder)
    weights = sum(p.numel() for p in classifier.model.parameters())
    assert both.parameters == both.linear.parameters + weights
    labels = both.linear.model.classes_.tolist()
    linear = both.linear.probabilities(TEXTS)
    for text, row, found in zip(TEXTS, linear, both.predict(TEXTS), strict=True):
        (verdict,) = classifier.classify([text])
        mean = {name: row[i] + verdict.probabilities[name] for i, name in enumerate(labels)}
        assert found == max(mean, key=mean.get)
    monkeypatch.setattr(both.linear, "probabilities", lambda inputs: 0 * linear)
    assert both.predict(TEXTS) == classifier.predict(TEXTS)


# --- vocabulary -------------------------------------------------------------------------------


def test_words_and_marks():
    vocabulary = Vocabulary.words(["Don't stop... it's a \"b-movie\"!"], punctuation=True)
    pieces = vocabulary.pieces(vocabulary.encode("DON'T stop... it's a b-movie?"))
    assert pieces == ["don't", "stop", ".", ".", ".", "it's", "a", "b", "-", "movie", "<unk>"]
    assert len(Vocabulary.words(TEXTS, size=9, punctuation=True)) == 9


@few
@given(text=st.text(max_size=30))
def test_spans_point_at_the_words(text):
    vocabulary = tiny_data().vocabulary
    spans = vocabulary.spans(text)
    assert len(spans) == len(vocabulary.encode(text))
    ends = [0, *(end for _, end in spans)]
    assert all(a <= start <= end for a, (start, end) in zip(ends, spans, strict=False))
    left = "".join(
        text[a:b] for a, b in zip(ends, [s for s, _ in spans] + [len(text)], strict=True)
    )
    assert not left.strip("".join(map(chr, range(0x3001)))) or left.isspace()


# --- the command ------------------------------------------------------------------------------


def run_command(data: bytes, *arguments) -> tuple[int, bytes]:
    standard_input, output = io.TextIOWrapper(io.BytesIO(data)), io.BytesIO()
    standard_output = io.TextIOWrapper(output)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", standard_input)
        patch.setattr(sys, "stdout", standard_output)
        status = main(["classify", *map(str, arguments)])
    standard_output.flush()
    return status, output.getvalue()


@pytest.fixture
def classify(folder, capsys):
    def run(data: bytes, *options, checkpoint=folder):
        status, output = run_command(data, "--checkpoint", checkpoint, *options)
        return status, output.decode(), capsys.readouterr().err

    return run


def expected_lines(classifier, texts):
    return [f"{v.label}\t{v.probability:.2f}" for v in classifier.classify(texts)]


def test_a_line_of_mostly_unknown_words_is_marked(classify, classifier):
    _, output, _ = classify("sad\nLa storia è sad\nsad sad tale\n".encode())
    marks = [line.split("\t")[2:] for line in output.splitlines()]
    assert marks == [[], ["unknown words: 3 of 4"], []]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_each(classify, classifier, end):
    data = "".join(text + end for text in TEXTS).encode()
    status, output, errors = classify(data)
    assert (status, errors) == (0, "")
    assert output == "".join(line + "\n" for line in expected_lines(classifier, TEXTS))
    assert re.fullmatch(r"((negative|positive)\t(0\.[5-9]\d|1\.00)\n){6}", output)
    assert classify(data.removesuffix(end.encode())) == (0, output, "")


def test_blank_lines_stay_blank_and_only_newline_ends_a_line(classify, classifier):
    status, output, _ = classify("\n \nlovely\u2028sad\x85dull\n\u3000\n".encode())
    assert status == 0
    assert output.split("\n") == ["", "", *expected_lines(classifier, ["lovely sad dull"]), "", ""]
    assert classify(b"") == (0, "", "") and classify(b"\n") == (0, "\n", "")


def test_more_lines_than_one_chunk(classify, classifier, monkeypatch):
    monkeypatch.setattr("course_utils.commands.lines.CHUNK", 4)
    _, output, _ = classify("\n".join(TEXTS).encode())
    assert output.splitlines() == expected_lines(classifier, TEXTS)


def one_line(errors):
    assert errors.endswith("\n") and errors.count("\n") == 1 and "Traceback" not in errors
    return errors


def test_errors_are_one_line(classify, tmp_path):
    status, _, errors = classify(b"good\nsch\xf6n\n")
    assert status == 1 and re.search("line 2 .*byte 4", one_line(errors))
    status, output, errors = classify(b"good\n", checkpoint="no-such")
    assert (status, output) == (1, "") and "no checkpoint" in one_line(errors)
    tiny_checkpoint(tmp_path / "translator")
    status, output, errors = classify(b"good\n", checkpoint=tmp_path / "translator")
    assert (status, output) == (1, "") and "Classifier cannot use" in one_line(errors)
    status, output, errors = classify(b"good\n", "--attention", tmp_path / "no" / "a.html")
    assert (status, output) == (1, "") and "does not exist" in one_line(errors)
    status, output, errors = classify(b"good\n", "--attention", tmp_path)
    assert (status, output) == (1, "") and "is a folder; it must be the name of a" in one_line(
        errors
    )


class Marks(HTMLParser):
    """Text of a page, and the marked words with their shades."""

    def __init__(self, page):
        super().__init__()
        self.marks, self.text, self.open = [], "", None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        assert tag in (
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "main",
            "h1",
            "p",
            "section",
            "h2",
            "mark",
        )
        self.open = dict(attributes) if tag == "mark" else None

    def handle_data(self, data):
        self.text += data
        if self.open:
            shade = float(re.search(r"([\d.]+)\)$", self.open["style"])[1])
            self.marks.append((data, shade, float(self.open["title"].split()[0])))
            self.open = None


def test_the_page(classify, classifier, tmp_path):
    texts = ['A <b>lovely</b> film & "dull" story', "", "sad"]
    page = tmp_path / "page.html"
    status, output, _ = classify("\n".join(texts).encode(), "--attention", page)
    assert status == 0 and output.count("\n") == 3
    found = Marks(page.read_text(encoding="utf-8"))
    assert texts[0] in found.text and "3: " in found.text and "2: " not in found.text
    verdicts = classifier.classify(texts)
    assert [word for word, _, _ in found.marks] == verdicts[0].words + ["sad"]
    weights = np.concatenate([verdicts[0].weights, verdicts[2].weights])
    np.testing.assert_allclose([share for _, _, share in found.marks], 100 * weights, atol=0.051)
    shades = np.array([shade for _, shade, _ in found.marks[:-1]])
    assert shades.argmax() == verdicts[0].weights.argmax() and shades.max() == 0.75
    assert html_page([]).count("<section>") == 0
    assert list(tmp_path.iterdir()) == [page]


def test_as_a_program(folder, classifier):
    done = subprocess.run(
        [sys.executable, "-m", "course_utils", "classify", "--checkpoint", str(folder)],
        input=b"lovely\n",
        capture_output=True,
        cwd=REPO,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == expected_lines(classifier, ["lovely"])[0] + "\n"
