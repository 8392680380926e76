"""What tasks add: predictors, their attention, calibration, recipes, studies, generated data."""

import io
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile
import torch

from course_utils import studies
from course_utils.attention import length_mask
from course_utils.audio import FrontEnd
from course_utils.batches import Batch, BucketedBatches, Example, make_batch
from course_utils.callbacks import FitSettings, one_cycle
from course_utils.datasets.generated.english_french import AlignedPair, english_french, join_words
from course_utils.datasets.generated.reviews import questions, reviews
from course_utils.datasets.generated.scenes import scenes
from course_utils.messages import shown
from course_utils.metrics import words_from_pieces
from course_utils.models.photo_features import photo_features
from course_utils.provenance import provenance
from course_utils.recipes import RECIPES
from course_utils.search import SearchSettings
from course_utils.studies import load_study, run_study
from course_utils.tasks.base import TaskData
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.classification.data import ClassificationData, make_labelled_batch
from course_utils.tasks.classification.rationales import per_word
from course_utils.tasks.recipe import recommended_search, take_over
from course_utils.tasks.speech.augmentation import Augmentation
from course_utils.tasks.speech.recogniser import Recogniser
from course_utils.tasks.study import Study, Variant
from course_utils.tasks.translation.data import TranslationData
from course_utils.tasks.translation.translator import Translator
from course_utils.text import sentences
from course_utils.training import fit, sequence_loss, validation_loss
from course_utils.vocabulary import UNK, Vocabulary
from tools.campaign.core import Choices, Wrong, expect, probe
from tools.campaign.functions import close
from tools.campaign.mutations import mutated_text
from tools.campaign.stores import KINDS, sandbox, stored, write
from tools.tiny import TEXTS, random_examples, tiny_translator, tiny_vocabulary


@lru_cache
def predictor(kind: str) -> Any:
    """A small predictor of a kind, from its checkpoint."""
    with sandbox() as place:
        return KINDS[kind][0].load(write(place / kind, stored(kind)))


# --- predictors -------------------------------------------------------------------------------


@probe("tasks.translator", 250)
def translator(c: Choices) -> None:
    """Attention of given translations: the model's own, one pair at a time, between words."""
    found: Translator = predictor("translation")
    pairs = []
    for _ in range(c.integer(1, 4)):
        source = mutated_text(c, c.one_of(TEXTS)) if c.chance() else c.one_of(TEXTS)
        pairs.append((source or "a", c.one_of(TEXTS)))
    pairs = [(s, t) for s, t in pairs if found.vocabulary.encode(s)]
    c.show(pairs=pairs)
    every = found.attention_of(pairs, batch_size=c.integer(1, 3)) if pairs else []
    for (source, target), matrix in zip(pairs, every, strict=True):
        ids, written = found.vocabulary.encode(source), found.vocabulary.encode(target)
        with torch.no_grad():
            _, weights = found.model(make_batch([Example(ids, written)]))
        words = found.vocabulary.words_of_pieces
        right = words_from_pieces(weights[0, : len(written)], words(ids), words(written))
        expect(matrix.shape == right.shape, f"{matrix.shape}, expected {right.shape}")
        expect(
            np.allclose(matrix, right, atol=1e-5),
            "attention of a pair differs from that of the model",
        )
        expect(np.allclose(matrix.sum(axis=1), 1, atol=1e-4), "the rows do not sum to one")
    texts = [source for source, _ in pairs]
    beam, size = c.integer(1, 3), c.integer(1, 4)
    several = found.translate(texts, beam, batch_size=size)
    for text, one in zip(texts, several, strict=True):
        (alone,) = found.translate([text], beam)
        expect(
            one.text == alone.text and one.source == text,
            f"alone {alone.text!r}, with others {one.text!r}",
        )
        expect(letters(found, one.segments) == letters(found, [text]), "a part is lost")
        for segment in one.segments:
            expect(
                segment.attention.shape == (len(segment.target_pieces), len(segment.source_pieces)),
                "shape",
            )
            expect(np.allclose(segment.attention.sum(axis=1), 1, atol=1e-4), "rows of a segment")


def letters(found: Translator, parts: Any) -> list[str]:
    """The pieces of texts or segments that are not marks: a full stop may be added or left out."""
    every = [
        i
        for p in parts
        for i in (found.vocabulary.encode(p) if isinstance(p, str) else p.source_ids)
    ]
    return [p for p in found.vocabulary.pieces(every) if any(map(str.isalnum, p)) and p != "<unk>"]


@probe("tasks.classifier", 250)
def classifier(c: Choices) -> None:
    """Verdicts by hand: probabilities, weights, unknown words, temperature, and the gradient."""
    found: Classifier = predictor("classification")
    texts = [
        mutated_text(c, c.one_of(TEXTS)) if c.chance(0.6) else c.one_of(TEXTS)
        for _ in range(c.integer(1, 4))
    ]
    longest, model = c.one_of((9, 4, None, 1)), found.model
    before, model.longest = model.longest, longest
    found.temperature = c.one_of((1.0, 2.0, 0.5))
    c.show(texts=texts, longest=longest, temperature=found.temperature)
    try:
        verdicts = found.classify(texts, batch_size=c.integer(1, 3))
        gradients = found.gradient_times_input(texts)
        predicted = found.predict(texts)
    finally:
        model.longest = before
    vocab = found.vocabulary
    for text, v, gradient, label in zip(texts, verdicts, gradients, predicted, strict=True):
        ids = vocab.encode(text)
        n = len(ids)
        head = 0 if longest is None else longest // 4
        kept = (
            list(range(n))
            if longest is None or n <= longest
            else [*range(head), *range(n - longest + head, n)]
        )
        with torch.no_grad():
            logits, weights = model.attend(
                torch.tensor([[ids[i] for i in kept]], dtype=torch.long).reshape(1, -1)
            )
        right = (logits[0].double() / found.temperature).softmax(-1).tolist()
        expect(list(v.probabilities) == model.labels, "the names of the labels")
        expect(np.allclose(list(v.probabilities.values()), right, atol=1e-5), "the probabilities")
        spread = np.zeros(n)
        spread[kept] = weights[0].numpy()
        expect(np.allclose(v.weights, spread, atol=1e-5), "the weights")
        expect(v.unknown == ids.count(UNK), "the number of unknown words")
        expect(v.label == label == model.labels[int(np.argmax(right))], "the label")
        expect(v.spans == vocab.spans(text), "the places of the words")
        expect(gradient.shape == (n,) and np.isfinite(gradient).all(), "the shape of the gradient")
        expect(
            all(gradient[i] == 0 for i in range(n) if i not in kept),
            "an unread word has a gradient",
        )
        if kept:
            # The derivative of the logit when the embedding of one word is scaled.
            embedded = model.embed(torch.tensor([[ids[i] for i in kept]])).detach().double()
            place, step = c.below(len(kept)), 1e-4
            wide = {k: w.double() for k, w in model.state_dict().items()}
            values = []
            for sign in (1, -1):
                moved = embedded.clone()
                moved[0, place] *= 1 + sign * step
                out, _ = torch.func.functional_call(
                    Reader(model, len(kept)), {f"model.{k}": w for k, w in wide.items()}, (moved,)
                )
                values.append(float(out[0, int(np.argmax(right))]))
            slope = abs(values[0] - values[1]) / (2 * step)
            expect(
                abs(slope - gradient[kept[place]]) < 1e-3 * max(1, slope),
                f"gradient {gradient[kept[place]]}, by differences {slope}",
            )


class Reader(torch.nn.Module):
    """A classifier of texts of one length from its embeddings on, for `functional_call`."""

    def __init__(self, model: torch.nn.Module, length: int):
        super().__init__()
        self.model, self.length = model, torch.tensor([length])

    def forward(self, embedded: torch.Tensor) -> Any:
        return self.model.read(embedded, self.length)


@probe("tasks.calibration", 100)
def calibration(c: Choices) -> None:
    """Calibration changes no verdict, and no other temperature on its grid is better."""
    found = Classifier(predictor("classification").model, predictor("classification").vocabulary)
    pairs = [(c.one_of(TEXTS), c.one_of(found.model.labels)) for _ in range(c.integer(1, 5))]
    c.show(pairs=pairs)
    before = found.predict([text for text, _ in pairs])
    temperature = found.calibrate(pairs)["temperature"]
    expect(
        0.49 < temperature < 5.01 and found.temperature == temperature, f"temperature {temperature}"
    )
    expect(found.predict([text for text, _ in pairs]) == before, "a verdict has changed")

    def loss(value: float) -> float:
        other = Classifier(found.model, found.vocabulary)
        other.temperature = value
        verdicts = other.classify([text for text, _ in pairs])
        return -sum(
            math.log(max(1e-12, v.probabilities[label]))
            for v, (_, label) in zip(verdicts, pairs, strict=True)
        )

    for value in (0.5, 0.7, 1.0, 1.5, 3.0, 5.0):
        expect(
            loss(temperature) <= loss(value) + 1e-2,
            f"temperature {value} is better than {temperature}",
        )


@probe("tasks.recogniser", 150)
def recogniser(c: Choices) -> None:
    """A sound alone, with others, and as a file in blocks; the times of positions; CTC."""
    loaded: Recogniser = predictor("speech")
    rate = loaded.front_end.sample_rate
    found = Recogniser(
        loaded.model,
        loaded.vocabulary,
        by=c.one_of(("attention", "ctc")),
        longest=c.one_of((1.0, 8.0)),
    )
    generator = torch.Generator().manual_seed(c.seed())
    sounds = []
    for _ in range(c.integer(1, 3)):
        parts = [
            0.3 * torch.randn(c.integer(200, 5000), generator=generator) * c.below(2)
            for _ in range(c.integer(1, 3))
        ]
        sounds.append(torch.cat(parts))
    beam = c.integer(1, 2)
    c.show(sounds=[len(s) for s in sounds], by=found.by, longest=found.longest, beam=beam)
    every = found.transcribe(sounds, beam, batch_size=c.integer(1, 3))
    for sound, transcript in zip(sounds, every, strict=True):
        (alone,) = found.transcribe([sound], beam)
        expect(
            alone.text == transcript.text, f"alone {alone.text!r}, with others {transcript.text!r}"
        )
        expect(
            bool(transcript.pieces) == bool(sound.abs().max() > 0.01),
            "silence is heard, or nothing is",
        )
        for heard in transcript.pieces:
            start = round(heard.start * rate)
            expect(0 <= start < len(sound), "a piece begins outside the sound")
            count = math.ceil(len(heard.frames) / 4)
            middle = [heard.start + (4 * i * 80 + 100) / rate for i in range(count)]
            expect(np.allclose(heard.times, middle, atol=1e-4), "the times of the positions")
            expect(
                heard.attention.shape == (len(heard.pieces), count),
                f"attention {heard.attention.shape}",
            )
    out = io.BytesIO()
    soundfile.write(out, sounds[0].numpy(), rate, format="WAV", subtype="FLOAT")
    texts = [h.text for h in found.transcribe_file(out.getvalue(), beam)]
    expect(texts == [h.text for h in every[0].pieces], f"as a file {texts}")


@probe("tasks.captioner", 40)
def captioner(c: Choices) -> None:
    """Pictures alone and with others give the same captions; so do the features of photos."""
    found = predictor("captioning")
    generator = np.random.default_rng(c.seed())
    pictures = [
        generator.integers(0, 256, (49, 320), dtype=np.uint8) for _ in range(c.integer(1, 3))
    ]
    beam = c.integer(1, 3)
    every = found.caption(pictures, beam, batch_size=c.integer(1, 2))
    for picture, caption in zip(pictures, every, strict=True):
        (alone,) = found.caption([picture], beam)
        expect(alone.text == caption.text, f"alone {alone.text!r}, with others {caption.text!r}")
        expect(
            caption.words == caption.text.split()
            and len(caption.word_attention) == len(caption.words),
            "words",
        )
        expect(
            np.allclose(caption.attention.sum(axis=1), 1, atol=1e-4), "the rows do not sum to one"
        )
    if c.chance(0.15):
        photos = [generator.integers(0, 256, (224, 224, 3), dtype=np.uint8) for _ in range(2)]
        both = np.asarray(photo_features(photos)).astype(int)
        for photo, features in zip(photos, both, strict=True):
            one = np.asarray(photo_features([photo]))[0].astype(int)
            expect(np.abs(one - features).max() <= 1, "features depend on the other photos")


# --- data -------------------------------------------------------------------------------------


@probe("tasks.data", 250)
def data(c: Choices) -> None:
    """Pairs as examples: several texts, order, lengths of other sources, labels, sorted batches."""
    vocabulary = tiny_vocabulary()
    pairs: list[Any] = []
    for _ in range(c.integer(1, 5)):
        texts = [c.one_of(TEXTS) for _ in range(c.integer(1, 3))]
        pairs.append((c.one_of(TEXTS), texts[0] if len(texts) == 1 else texts))
    c.show(pairs=pairs)
    found: TaskData = TranslationData(pairs, pairs[:2], vocabulary)
    right = [
        (vocabulary.encode(s), vocabulary.encode(t))
        for s, ts in pairs
        for t in ([ts] if isinstance(ts, str) else ts)
    ]
    expect([(e.source, e.target) for e in found.examples] == right, "examples")
    made = found.valid_batches
    rows = [tuple(row[row > 2].tolist()) for b in made for row in b.target]
    expect(sorted(rows) == sorted(tuple(t) for _, t in right[: len(rows)]), "the validation pairs")
    expect(
        all(len(a) <= len(b) for a, b in zip(rows, rows[1:], strict=False)), "not sorted by length"
    )
    labels = ("x", "y")
    known = Vocabulary.words(TEXTS)
    labelled = [(c.one_of((*TEXTS, "")), c.one_of(labels)) for _ in range(c.integer(1, 4))]
    classes = ClassificationData(
        labelled, labelled, known, labels=labels, longest=c.one_of((None, 4))
    )
    batch = make_labelled_batch(classes.examples)
    expect(
        batch.target.tolist() == [labels.index(y) for _, y in labelled], "the numbers of the labels"
    )
    expect(batch.target_tokens == len(labelled) and batch.source.shape[1] >= 1, "a labelled batch")
    c.mutated("an unknown label")
    try:
        classes.to_examples([("a", "z")])
    except ValueError as error:
        expect("z" in str(error), f"the message {error}")
    else:
        raise Wrong("an unknown label is accepted")
    others = [
        Example([4, 5], [6], {"q": [4] * c.integer(0, 3), "f": torch.ones(c.integer(1, 3), 2)})
        for _ in range(c.integer(1, 3))
    ]
    both: Batch = make_batch(others)
    for name in ("q", "f"):
        reading = both.reading(name)
        lengths = [max(1, len(e.others[name])) for e in others]
        expect(
            reading.source_lengths.tolist() == lengths
            and reading.source.shape[:2] == (len(others), max(lengths)),
            name,
        )
        beyond = ~length_mask(reading.source_lengths, max(lengths))
        expect(not reading.source[beyond].any(), "the padding of another source")


@probe("tasks.generated", 60)
def generated(c: Choices) -> None:
    """Generated data: the same for the same seed, links and masks inside, labels as announced."""
    size, seed = c.integer(1, 30), c.below(4)
    kind = c.one_of(("reviews", "sentences", "scenes"))
    c.show(kind=kind, size=size, seed=seed)
    if kind == "sentences":
        pairs = english_french(c.one_of(("valid", "test", "long")), size)
        expect(len(pairs) == size, f"{len(pairs)} pairs")
        for pair in pairs:
            expect(AlignedPair.from_line(pair.to_line()) == pair, "written and read, it differs")
            expect(
                all(
                    0 <= i < len(pair.source) and 0 <= j < len(pair.target)
                    for i, j in pair.alignment
                ),
                "a link",
            )
            expect(join_words(pair.source).replace(" ", "") == "".join(pair.source), "joined words")
    elif kind == "reviews":
        style = c.one_of(("short", "aspects", "mixed", "long"))
        made = reviews(c.one_of(("train", "valid", "test")), style, size, seed)
        expect(len(made) == size and len({r.words for r in made}) == size, "number of reviews")
        for one in made:
            expect(len(one.words) == len(one.rationale) == len(one.sentences), "lengths")
            expect(
                all(
                    b - a in (0, 1) for a, b in zip(one.sentences, one.sentences[1:], strict=False)
                ),
                "sentences",
            )
            for label, places in one.opinions.values():
                expect(
                    label in ("negative", "positive")
                    and all(0 <= p < len(one.words) for p in places),
                    "opinion",
                )
        for asked, label in questions(made):
            expect(label in ("negative", "positive") and " " in asked, "a question")
    else:
        made_scenes = scenes("valid", min(size, 3), seed)
        again = scenes("valid", min(size, 3), seed)
        for one, other in zip(made_scenes, again, strict=True):
            expect(np.array_equal(one.image, other.image), "not the same again")
            for caption in one.captions:
                expect(len(caption.text.split()) == len(caption.names), "words and what they name")
                masks = [one.mask(names) for names in caption.names if names]
                expect(all(m.shape == one.image.shape[:2] and m.any() for m in masks), "a mask")


@probe("tasks.augmentation", 60)
def augmentation(c: Choices) -> None:
    """Varied sounds: finite, of the right width, near the range of the frames."""
    front = FrontEnd(sample_rate=8000, mels=c.one_of((8, 12)))
    samples = 0.2 * torch.randn(
        c.integer(1, 6000), generator=torch.Generator().manual_seed(c.seed())
    )
    expect(
        torch.equal(Augmentation().frames(samples, front), front.log_mel(samples)),
        "no variation varies",
    )
    torch.manual_seed(c.seed())
    strong = Augmentation(0.1, 0.1, c.real(0, 1), 0.2, 1.5, 4, 10)
    found = strong.frames(samples, front)
    expect(
        found.dim() == 2 and found.shape[1] == front.mels and found.isfinite().all(),
        f"{tuple(found.shape)}",
    )
    expect(float(found.abs().max()) <= 1 + 1.5 / front.depth + 1e-4, "outside the range")


# --- trainings --------------------------------------------------------------------------------


@probe("tasks.history", 80)
def history(c: Choices) -> None:
    """What a training reports: validations, tokens, rates and losses by hand; early stopping."""
    total, every, seed = c.integer(1, 10), c.integer(1, 4), c.below(9)
    patience = c.one_of((None, 1, 2))
    settings = FitSettings(
        total,
        learning_rate=0.05,
        validate_every=every,
        seed=seed,
        patience=patience,
        warm_up=c.real(0, 1),
        label_smoothing=0.0,
    )
    examples = random_examples(
        [(c.integer(1, 4), c.integer(1, 3)) for _ in range(c.integer(1, 5))], seed
    )
    valid = [make_batch(examples)]
    made = BucketedBatches(examples, c.integer(2, 9), seed)
    scores = [c.below(4) / 4 for _ in range(total)]
    select, lower = c.one_of((("valid_loss", False), ("score", False), ("score", True)))
    given = iter(scores)
    c.show(settings=settings, scores=scores, select=(select, lower))
    model = tiny_translator("attention", "general", seed=2, dropout=0.0)
    found = fit(
        model,
        made,
        settings,
        valid=valid,
        evaluate=lambda m: {"score": next(given)},
        select=select,
        lower_is_better=lower,
        progress=False,
    )
    values = [r["valid_loss"] if select == "valid_loss" else r["score"] for r in found.rows]
    better = (lambda a, b: a < b) if select == "valid_loss" or lower else (lambda a, b: a > b)
    best, stop, waited = None, None, 0
    due = [s for s in range(1, total + 1) if s % every == 0 or s == total]
    for number, value in enumerate(values):
        if best is None or better(value, values[best]):
            best, waited = number, 0
        else:
            waited += 1
        if patience is not None and waited >= patience:
            stop = number
            break
    steps = [r["step"] for r in found.rows]
    expect(steps == (due if stop is None else due[: stop + 1]), f"validated at {steps}, due {due}")
    expect(found.stopped_early == (stop is not None), "stopped early or not")
    expect(best is not None and found.best_step == steps[best], f"best step {found.best_step}")
    stream, tokens, other = (
        made.forever(),
        0,
        tiny_translator("attention", "general", seed=2, dropout=0.0, train=True),
    )
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.05, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: one_cycle(s, total, settings.warm_up)
    )
    losses: list[float] = []
    rows = {r["step"]: r for r in found.rows}
    states = {}
    for step in range(1, found.steps + 1):
        batch = next(stream)
        logits, _ = other(batch)
        loss = sequence_loss(logits, batch.target_out)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), settings.clip)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        tokens += batch.target_tokens
        if step in rows:
            row = rows[step]
            expect(
                abs(row["loss"] - sum(losses) / len(losses)) < 1e-4,
                "the mean loss since the last validation",
            )
            expect(row["tokens"] == tokens, f"{row['tokens']} tokens, expected {tokens}")
            expect(
                abs(row["learning_rate"] - schedule.get_last_lr()[0]) < 1e-9, "the learning rate"
            )
            other.eval()
            expect(
                abs(row["valid_loss"] - validation_loss(other, valid)) < 1e-4, "the validation loss"
            )
            states[step] = {k: w.clone() for k, w in other.state_dict().items()}
            other.train()
            losses.clear()
    for name, weight in model.state_dict().items():
        close(weight, states[found.best_step][name], f"{name} after the training", atol=1e-4)


@probe("tasks.recipe", 150)
def recipe(c: Choices) -> None:
    """Which search a card recommends, and which weights a training takes over."""
    lower = c.chance()
    base = RECIPES["speech-digits" if lower else "translation-generated"]
    search = c.one_of((SearchSettings(5, 1.0), SearchSettings(3, 0.5), None))
    chosen = replace(base, search=search)
    greedy, wide = c.below(4), c.below(4)
    c.show(lower=lower, search=search, greedy=greedy, wide=wide)
    scores = {f"valid_{base.select}_greedy": {"score": greedy}}
    if search is not None:
        scores[f"valid_{base.select}_beam{search.beam}"] = {"score": wide}
    found = recommended_search(chosen, scores)
    if search is None:
        expect(found is None, "a search for a task without one")
    else:
        better = wide < greedy if lower else wide > greedy
        expect(found == (search if better else replace(search, beam=1)), f"recommended {found}")
    same, only = c.chance(), c.chance()
    words = Vocabulary.words(TEXTS)
    other = words if same else Vocabulary.words(TEXTS[:3])
    sizes = {"source_size": 40 if same else 40, "target_size": 40}
    source = tiny_translator(seed=1, **sizes)
    target, before = tiny_translator(seed=2, **sizes), tiny_translator(seed=2, **sizes)
    start = SimpleNamespace(name="x", model=source, vocabulary=other, card={}, log=[])
    take_over(target, TranslationData([], [], words), start, only)  # type: ignore[arg-type]
    whole = same and not only
    for name, weight in target.state_dict().items():
        origin = source if whole or name.startswith("encoder.") else before
        expect(
            torch.equal(weight, origin.state_dict()[name]),
            f"{name} is not the expected one (whole: {whole})",
        )


class Counted:
    """A method that is no network, for studies."""

    def __init__(self, seed: int):
        self.parameters, self.seed = 7, seed

    def predict(self, inputs: Any) -> list[str]:
        return []


@probe("tasks.study", 150)
def study(c: Choices) -> None:
    """Studies: each training once, in order, whatever was there, however they are shared."""
    made: list[tuple[str, int]] = []

    def baseline(name: str) -> Callable[[Any, int], Any]:
        def train(data: Any, seed: int) -> Counted:
            made.append((name, seed))
            return Counted(seed)

        return train

    names = ["a", "b", "c"][: c.integer(1, 3)]
    seeds = tuple(range(c.integer(1, 3)))
    variants = tuple(Variant(n, {}, steps=5, baseline=baseline(n)) for n in names)
    own = {"b": (0,)} if c.chance(0.3) else {}
    base = replace(RECIPES["translation-generated"], data=lambda: None)
    tried = Study("tiny", "Tiny", variants, seeds, base, lambda p: {"x": p.seed}, own)
    wanted = [(n, s) for s in seeds for n in names if s in own.get(n, seeds)]
    studies.STUDIES_BY_NAME["tiny"] = tried
    try:
        with sandbox() as place:
            first, second = place / "1.json", place / "2.json"
            part = [seeds[c.below(len(seeds))]]
            c.show(names=names, seeds=seeds, own=own, part=part)
            run_study("tiny", first, seeds=part)
            expect(made == [w for w in wanted if w[1] in part], f"trained {made}")
            made.clear()
            run_study("tiny", second, rows=[first] if c.chance() else [])
            known = [(r["variant"], r["seed"]) for r in load_study("tiny", second)["runs"]]
            expect(known == wanted, f"rows {known}, expected {wanted}")
            expect(made in ([w for w in wanted if w[1] not in part], wanted), f"trained {made}")
            made.clear()
            content = second.read_bytes()
            run_study("tiny", second)
            expect(made == [] and second.read_bytes() == content, "a complete study is run again")
            run_study("tiny", second, steps=3, seeds=part)
            rows = load_study("tiny", second)["runs"]
            expect(
                len(rows) == len(wanted) + len([w for w in wanted if w[1] in part]),
                "rows of other budgets",
            )
            expect(
                all(r["x"] == r["seed"] and r["parameters"] == 7 for r in rows), "what was measured"
            )
    finally:
        del studies.STUDIES_BY_NAME["tiny"]


# --- texts for people -------------------------------------------------------------------------


@probe("tasks.shown", 400)
def shown_texts(c: Choices) -> None:
    """Foreign texts in messages: one printable line, no secrets; scores of words; sentences."""
    plain = c.one_of(
        (
            "a.wav",
            "http://user:secret@host/x?key=hidden",
            "C:\\x",
            "é日本",
            "x" * 3000,
            "https://h/p?token=hidden and",
        )
    )
    text = mutated_text(c, plain) if c.chance(0.7) else plain
    text += c.one_of(("", "\x1b[31m", "\udcff", "\u202e", "\n", "\0"))
    most = c.one_of((1000, 50, 10))
    c.show(text=text, most=most)
    found = shown(text, most)
    expect(all(x.isprintable() for x in found), f"not printable: {found!r}")
    if text.startswith(plain):
        expect("secret" not in found and "hidden" not in found, f"a secret is shown: {found}")
    if text.isprintable() and "://" not in text and len(text) <= most:
        expect(found == text, f"{text!r} is shown as {found!r}")
    prose = " ".join(
        c.one_of((*TEXTS, "Dr. X kam am 3. Mai .", "wer ? ich !")) for _ in range(c.below(4))
    )
    prose = mutated_text(c, prose) if c.chance() else prose
    found_sentences = sentences(prose, c.one_of(("de", "en", "xx")))
    expect("".join(found_sentences) == prose or not prose.strip(), f"sentences {found_sentences}")
    expect(all(x.strip() for x in found_sentences), f"a blank sentence in {found_sentences}")
    words = [c.one_of(("ab", "a", "b.c", "é")) for _ in range(c.integer(0, 5))]
    line = c.one_of((" ", "  ")).join(words)
    vocab = Vocabulary.words(["a b . c ab é"], punctuation=True)
    spans = vocab.spans(line)
    scores = np.array([1.0 + c.below(5) for _ in spans])
    right, start = [], 0
    for word in words:
        start = line.index(word, start)
        right.append(
            sum(
                s for (a, _), s in zip(spans, scores, strict=True) if start <= a < start + len(word)
            )
        )
        start += len(word)
    expect(
        np.allclose(per_word(line, spans, scores), right),
        f"scores of words {per_word(line, spans, scores)}",
    )
    old, sys.argv = (
        sys.argv,
        ["x", "train", "tiny", "--out", c.one_of(("/home/anna/made", "made", "/a/b c"))],
    )
    try:
        command = provenance()["command"]
    finally:
        sys.argv = old
    expect(
        command.startswith("python -m course_utils train tiny --out ")
        and "/home" not in command
        and "/a/" not in command,
        command,
    )
