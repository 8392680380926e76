"""Data for classification: labelled texts, real and generated."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.batches import Batch, BucketedBatches, Example, pad
from course_utils.datasets.registry import public_card
from course_utils.models.classifiers import TextClassifier
from course_utils.paths import DATA
from course_utils.tasks.base import Pair, TaskData
from course_utils.vocabulary import Vocabulary

__all__ = [
    "SENTIMENT",
    "ClassificationData",
    "LabelledBatch",
    "classification_loss",
    "eraser_data",
    "eraser_test",
    "generated_pairs",
    "generated_reviews",
    "hand_pairs",
    "imdb_data",
    "imdb_test",
    "kept_positions",
    "make_labelled_batch",
    "sentence_end",
]


@dataclass(frozen=True)
class LabelledBatch(Batch):
    """B texts with one label each: ``target`` (B,) holds their numbers.

    Where labels are uncertain, ``target`` (B, C) holds the probability of each.
    """

    @property
    def target_in(self) -> Tensor:
        """Raises AttributeError: a label is not read by a decoder."""
        raise AttributeError("a labelled batch has one label per text: there is no target_in")

    @property
    def target_out(self) -> Tensor:
        """(B,) the numbers of the labels, or (B, C) their probabilities."""
        return self.target

    @property
    def target_tokens(self) -> int:
        """How many predictions count: one per text."""
        return len(self.target)


def make_labelled_batch(examples: list[Example]) -> LabelledBatch:
    """Pad texts to one batch; a text without words becomes a row of PAD.

    If a text has probabilities instead of a label, the labels of all become probabilities.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    widths = {len(example.target) for example in examples} - {1}
    if len(widths) > 1:
        raise ValueError(
            f"one batch has texts with {' and '.join(map(str, sorted(widths)))} probabilities: "
            "are they of tasks with other labels?"
        )
    sources = [example.source for example in examples]
    target = torch.tensor([0 if len(e.target) > 1 else e.target[0] for e in examples])
    soft = {i: torch.tensor(e.target) for i, e in enumerate(examples) if len(e.target) > 1}
    if soft:
        target = F.one_hot(target, len(next(iter(soft.values())))).float()
        for i, probabilities in soft.items():
            target[i] = probabilities
    return LabelledBatch(
        source=pad(sources, max(1, *map(len, sources), 1)),
        source_lengths=torch.tensor([len(s) for s in sources]),
        target=target,
    )


def classification_loss(
    model: TextClassifier, batch: LabelledBatch, label_smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy, in nats per text."""
    return F.cross_entropy(model(batch.source), batch.target, label_smoothing=label_smoothing)


def kept_positions(length: int, longest: int | None) -> list[int]:
    """Which words of a text are read: all, or ``longest`` of them, a quarter from its beginning and
    three quarters from its end.

    Reviews give their verdict at the end, so the middle is left out (Sun et al. 2019, section
    5.3.1, found the same for BERT).
    """
    if longest is None or length <= longest:
        return list(range(length))
    head = longest // 4
    return [*range(head), *range(length - (longest - head), length)]


@dataclass
class ClassificationData(TaskData):
    """Labelled texts.

    A text for training may have a tuple of probabilities instead of a label.

    labels   the names of the classes, in the order of the logits
    longest  how many words of a text are read (see `kept_positions`); None reads all
    least    as how many words a shorter text counts when batches are made: short texts beside long
             ones would otherwise fill few batches with very many texts each
    """

    labels: tuple[str, ...] = ()
    longest: int | None = None
    least: int = 1

    def encode_inputs(self, inputs: list[str]) -> list[list[int]]:
        """Texts as the ids of the words that are read."""
        encoded = self.vocabulary.encode_all(list(inputs))
        return [[ids[i] for i in kept_positions(len(ids), self.longest)] for ids in encoded]

    def to_examples(self, pairs: Sequence[Pair]) -> list[Example]:
        """One example per text, with the number of its label or with its probabilities.

        Raises ValueError for an unknown label, and for probabilities that are not one for each
        label with a sum of 1.
        """
        number = {label: i for i, label in enumerate(self.labels)}
        given: list[list] = [
            list(y) if isinstance(y, tuple | list) else [number.get(y, -1)] for _, y in pairs
        ]
        unknown = sorted(
            {
                str(y)
                for (_, y), found in zip(pairs, given, strict=True)
                if found == [-1] and not isinstance(y, tuple | list)
            }
        )
        if unknown:
            raise ValueError(f"unknown labels {unknown[:5]}: expected {', '.join(self.labels)}")
        for (_, y), found in zip(pairs, given, strict=True):
            if isinstance(y, tuple | list) and not (
                len(found) == len(number) and min(found) >= 0 and abs(sum(found) - 1) < 1e-3
            ):
                raise ValueError(
                    f"{y} are not the probabilities of the {len(number)} labels "
                    f"{', '.join(self.labels)}: one for each, with a sum of 1"
                )
        sources = self.encode_inputs([text for text, _ in pairs])
        return [Example(s, target) for s, target in zip(sources, given, strict=True)]

    def batches(self, tokens: int, seed: int = 0) -> BucketedBatches:
        """Training batches of at most ``tokens`` words, padding included."""
        return BucketedBatches(
            self.examples,
            tokens,
            seed,
            collate=make_labelled_batch,
            size=lambda example: max(self.least, len(example.source)),
        )

    @cached_property
    def valid_batches(self) -> list[LabelledBatch]:
        """The validation texts in batches, sorted by length so that there is little padding."""
        examples = sorted(self.to_examples(self.valid), key=lambda e: len(e.source))
        return [make_labelled_batch(examples[i : i + 100]) for i in range(0, len(examples), 100)]


SENTIMENT = ("negative", "positive")


def imdb_data(size: int = 20_000, longest: int = 256) -> ClassificationData:
    """IMDB, with the ``size`` most frequent words and punctuation marks of its training part."""
    from course_utils.datasets import fetch
    from course_utils.datasets.public.imdb import imdb

    fetch("imdb")
    train, valid = imdb("train"), imdb("valid")
    vocabulary = Vocabulary.words((text for text, _ in train), size=size, punctuation=True)
    return ClassificationData(
        train,
        valid,
        vocabulary,
        cards=[public_card("imdb")],
        labels=SENTIMENT,
        longest=longest,
    )


def hand_pairs(part: str = "test") -> list[tuple[str, Pair, Pair]]:
    """(kind, (text, label), (text, label)): the pairs that people wrote.

    They are in data/contrast_pairs, where a README describes them. Nothing is trained with them.
    A recipe is chosen with part "dev"; "test" is for a recipe that is chosen. ValueError for
    another part.
    """
    files = {"test": "by_hand.tsv", "dev": "dev.tsv"}
    if part not in files:
        raise ValueError(f"unknown part {part!r}: choose one of {', '.join(files)}")
    lines = (DATA / "contrast_pairs" / files[part]).read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return [(kind, (one, a), (other, b)) for kind, a, one, b, other in rows]


def imdb_test() -> list[Pair]:
    """The 25,000 test reviews, for use once per training."""
    from course_utils.datasets.public.imdb import imdb

    return imdb("test")


def generated_reviews(style: str = "short", seed: int = 0) -> ClassificationData:
    """Generated reviews of one style, or questions about them: see `generated_pairs`.

    A model trained with questions about "aspects" is validated and tested on "mixed" reviews.
    """
    train = generated_pairs("train", style, seed)
    valid = generated_pairs("valid", "mixed" if style == "aspects" else style, seed)
    return ClassificationData(
        train,
        valid,
        Vocabulary.words(text for text, _ in train),
        cards=[{"name": "reviews", "licence": "generated by this course", "seed": seed}],
        labels=SENTIMENT,
    )


def generated_pairs(split: str, style: str = "short", seed: int = 0) -> list[Pair]:
    """(text, label) pairs; for the styles "aspects" and "mixed", questions with their answers."""
    from course_utils.datasets.generated.reviews import questions, reviews

    given = reviews(split, style, seed=seed)
    asked = style in ("aspects", "mixed")
    return questions(given) if asked else [(r.text, r.label) for r in given]


def sentence_end(vocabulary: Vocabulary) -> int:
    """The id of the full stop."""
    return vocabulary.encode(".")[0]


def eraser_data(size: int = 20_000, longest: int = 512) -> ClassificationData:
    """ERASER movie reviews. Training does not use the annotators' marks."""
    from course_utils.datasets import fetch
    from course_utils.datasets.public.eraser_movies import eraser_movies

    fetch("eraser_movies")
    train, valid = ([(r.text, r.label) for r in eraser_movies(s)] for s in ("train", "valid"))
    vocabulary = Vocabulary.words((text for text, _ in train), size=size)
    return ClassificationData(
        train,
        valid,
        vocabulary,
        cards=[public_card("eraser_movies")],
        labels=SENTIMENT,
        longest=longest,
    )


def eraser_test() -> list[Pair]:
    """The 200 test reviews, for use once per training."""
    from course_utils.datasets.public.eraser_movies import eraser_movies

    return [(r.text, r.label) for r in eraser_movies("test")]
