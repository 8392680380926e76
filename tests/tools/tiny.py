"""Small models, batches and vocabularies for the tests of the core; all dimensions differ.

Importing this module also limits PyTorch to one thread: the models are too small to gain from two.
"""

import random
from pathlib import Path

import torch
from hypothesis import settings

from course_utils.batches import Batch, Example, make_batch
from course_utils.checkpoints import save_checkpoint
from course_utils.models.builders import build_translator
from course_utils.models.seq2seq import Seq2Seq
from course_utils.vocabulary import Vocabulary

torch.set_num_threads(1)

# The same examples in every run; `quick` is for tests of milliseconds, `few` for whole models.
quick = settings(deadline=None, derandomize=True, max_examples=40)
few = settings(deadline=None, derandomize=True, max_examples=12)

SOURCE_SIZE, TARGET_SIZE = 17, 13
EMBEDDING, MEMORY, HIDDEN = 6, 10, 8  # a dot score needs HIDDEN = MEMORY: see `tiny_translator`

# Every model of the course: (decoder, score).
MODELS = [
    ("attention", "dot"),
    ("attention", "scaled_dot"),
    ("attention", "general"),
    ("attention", "additive"),
    ("bahdanau", "additive"),
    ("bahdanau", "general"),
    ("attention", "location"),
    ("bahdanau", "location"),
    ("attention", "coverage"),
    ("bahdanau", "coverage"),
    ("fixed_vector", None),
]


def tiny_translator(
    decoder: str = "attention",
    score: str | None = "general",
    *,
    seed: int = 0,
    sharpness: float = 2.0,
    source_size: int = SOURCE_SIZE,
    target_size: int | None = TARGET_SIZE,
    dropout: float = 0.4,
    layers: int = 1,
    train: bool = False,
) -> Seq2Seq:
    """An untrained translator in evaluation mode.

    Its weights are ``sharpness`` times the usual ones, so that attention and output are far from
    uniform and a mistake changes the numbers.
    """
    torch.manual_seed(seed)
    model = build_translator(
        source_size,
        target_size,
        decoder=decoder,
        score=score,
        embedding_dim=EMBEDDING,
        memory_dim=MEMORY,
        hidden_dim=MEMORY if score in ("dot", "scaled_dot") else HIDDEN,
        encoder_layers=layers,
        dropout=dropout,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(sharpness)
        model.decoder.output_bias.normal_()
    return model.train(train)


def random_examples(
    lengths: list[tuple[int, int]],
    seed: int = 0,
    source_size: int = SOURCE_SIZE,
    target_size: int = TARGET_SIZE,
) -> list[Example]:
    """Examples with the given (source, target) lengths, without special ids inside."""
    generator = random.Random(seed)
    return [
        Example(
            [generator.randrange(4, source_size) for _ in range(source)],
            [generator.randrange(4, target_size) for _ in range(target)],
        )
        for source, target in lengths
    ]


def random_batch(lengths: list[tuple[int, int]], seed: int = 0, **sizes) -> Batch:
    """`random_examples` as one batch."""
    return make_batch(random_examples(lengths, seed, **sizes))


TEXTS = [
    "ein hund läuft über die wiese .",
    "zwei kinder spielen im park mit einem ball .",
    "„wer ist da ?“, fragt die frau am telefon .",
    "ein mann in einem roten hemd klettert auf einen felsen .",
    "drei hunde laufen , springen und bellen .",
    "die frau läuft mit einem hund im park .",
]


def tiny_vocabulary(size: int = 120) -> Vocabulary:
    """Subwords of a few German sentences."""
    return Vocabulary.bpe(TEXTS * 2, size)


TINY_SETTINGS = {"embedding_dim": EMBEDDING, "memory_dim": MEMORY, "hidden_dim": MEMORY}


def tiny_checkpoint(folder: Path, seed: int = 0, **card) -> Seq2Seq:
    """Write a checkpoint of an untrained translator with a joint vocabulary; returns its model."""
    vocabulary = tiny_vocabulary()
    build = {"source_size": len(vocabulary), **TINY_SETTINGS}
    torch.manual_seed(seed)
    model = build_translator(**build).eval()
    with torch.no_grad():  # sharper than before a training, so that outputs differ between inputs
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.load_state_dict({k: w.half().float() for k, w in model.state_dict().items()})
    save_checkpoint(
        folder,
        model,
        vocabulary,
        builder="translator",
        settings=build,
        card=card,
        log=[{"step": 3, "loss": 1.5}],
    )
    return model
