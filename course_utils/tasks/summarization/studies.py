"""Studies of summarisation: generated briefings, whose every word is known, and real e-mails."""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import torch

from course_utils.batches import BucketedBatches, Example, make_batch
from course_utils.datasets.generated.briefings import KINDS, Briefing, briefings
from course_utils.datasets.public.aeslc import aeslc
from course_utils.metrics import exact_match
from course_utils.models.builders import build_translator
from course_utils.models.seq2seq import count_parameters
from course_utils.tasks.base import Pair, TaskData
from course_utils.tasks.inference import search_in_batches
from course_utils.tasks.recipe import train_model
from course_utils.tasks.study import Study, Variant
from course_utils.tasks.summarization import recipes
from course_utils.tasks.summarization.baselines import (
    TypicalWords,
    first_words,
    lead,
    nearest,
    replace_unknown,
    textrank,
)
from course_utils.tasks.summarization.extended import words_of
from course_utils.tasks.summarization.measures import (
    ROUGE,
    paired_difference,
    pointer_accuracy,
    repeated_ngrams,
    rouge_scores,
)
from course_utils.tasks.summarization.summarizer import Summarizer
from course_utils.training import fit

__all__ = ["STUDIES", "copied", "measure_briefings", "measure_subjects"]


def copied(outputs: Sequence[str], given: Sequence[Briefing], kind: str = "new") -> float:
    """Share (0 to 1) of the words of a kind in the true summaries that the outputs contain."""
    found = [
        word in output.split()
        for output, briefing in zip(outputs, given, strict=True)
        for word, its_kind in zip(briefing.summary, briefing.kinds, strict=True)
        if its_kind == kind
    ]
    return sum(found) / len(found)


def measure_briefings(summarizer: Summarizer) -> dict:
    """Greedy scores on "test" and on "long", which has more facts than the training.

    exact     share of summaries that are right in every word
    copied    share of the new words that were written; ``known``: of the known words
    replaced  the same after `replace_unknown`
    repeated  share of 3-grams that occurred before in the same summary; true ones have none
    length    words written, divided by those of the true summaries

    While the decoder reads the true summaries: ``pointer``, see `pointer_accuracy`; and for each
    kind of words, the mean ``p_gen``, the share of those that it finds most probable, ``right``,
    and how much of their attention is on places read before, ``again``: Σ_i min(α_i, c_i),
    as in `coverage_loss`.
    """
    measured: dict = {}
    for split in ("test", "long"):
        given = briefings(split)
        pairs = [(b.text, b.summary_text) for b in given]
        references = [summary for _, summary in pairs]
        summaries = summarizer.summarize([text for text, _ in pairs])
        outputs = [" ".join(s.output) for s in summaries]
        replaced = [" ".join(replace_unknown(s.output, s.attention, s.words)) for s in summaries]
        traced = summarizer.trace(pairs)
        by_kind: dict[str, list[tuple]] = {kind: [] for kind in KINDS}
        for briefing, trace in zip(given, traced, strict=True):
            before = trace.weights.cumsum(axis=0) - trace.weights
            again = np.minimum(trace.weights, before).sum(axis=1)
            rows = zip(briefing.kinds, trace.p_gen, trace.right, again, strict=True)
            for kind, *values in rows:
                by_kind[kind].append(tuple(values))
        means = {kind: np.mean(values, axis=0) for kind, values in by_kind.items()}
        words = sum(len(text.split()) for text in references)
        measured[split] = {
            "exact": round(exact_match(outputs, references).score, 4),
            "copied": round(copied(outputs, given), 4),
            "known": round(copied(outputs, given, "known"), 4),
            "replaced": round(copied(replaced, given), 4),
            "repeated": round(repeated_ngrams(outputs, 3), 4),
            "length": round(sum(len(text.split()) for text in outputs) / words, 4),
            "pointer": round(
                pointer_accuracy([t.weights for t in traced], [b.places for b in given]), 4
            ),
            **{
                name: {kind: round(float(values[i]), 4) for kind, values in means.items()}
                for i, name in enumerate(("p_gen", "right", "again"))
            },
        }
    return measured


def measure_subjects(summarizer: Summarizer) -> dict:
    """ROUGE of subjects of e-mails beside rivals without a network, on validation and test.

    For each split: the scores of every way, also for the ``fresh`` e-mails alone, whose subject is
    that of no training e-mail; how far ours is ahead of each rival, with the 95%
    interval of a paired bootstrap; and what each way ``writes``: words for each subject, and the
    share of the unknown words of the true subjects, among those that the e-mail has, that it writes
    as well. Of ours and of the true subjects, also the share of words that the e-mail has; of ours,
    that of trigrams that are repeated. ``known e-mails`` are, word for word, in the training.

    The rival "subject words" has as many words as give it the best ROUGE-1 on validation.
    """
    measured: dict = {}
    train = aeslc("train")
    old, read = {subject.lower() for _, subject in train}, {text for text, _ in train}
    typical = TypicalWords(train)
    texts, references = zip(*aeslc("valid"), strict=True)
    count = max(
        range(1, 9),
        key=lambda n: rouge_scores([typical(t, n) for t in texts], references, "rouge1").mean(),
    )
    for split, pairs in (("valid", aeslc("valid")), ("test", aeslc("test"))):
        texts, references = [text for text, _ in pairs], [subject for _, subject in pairs]
        found = summarizer.summarize(texts, **asdict(summarizer.search))
        outputs = [" ".join(s.output) for s in found]
        lengths = [len(re.findall(r"\w+", output)) for output in outputs]
        ways = {
            "ours": outputs,
            "lead": [lead(text) for text in texts],
            "first words": [first_words(t, n) for t, n in zip(texts, lengths, strict=True)],
            "TextRank": [textrank(text) for text in texts],
            "nearest e-mail": nearest(texts, train),
            "subject words": [typical(text, count) for text in texts],
        }
        scores = {
            way: {kind: rouge_scores(given, references, kind) for kind in ROUGE}
            for way, given in ways.items()
        }
        ahead = {
            way: {
                kind: [
                    round(x, 3) for x in paired_difference(scores["ours"][kind], scores[way][kind])
                ]
                for kind in ROUGE
            }
            for way in ways
            if way != "ours"
        }
        known = summarizer.vocabulary.tokenizer.token_to_id
        subjects = [[w for w, _ in words_of(summarizer.vocabulary, r)] for r in references]
        new = [
            [w for w in words if known(w) is None and w in s.words]
            for words, s in zip(subjects, found, strict=True)
        ]
        writes = {}
        for way, given in ways.items():
            said = [{w for w, _ in words_of(summarizer.vocabulary, text)} for text in given]
            hits = [w in words for words, asked in zip(said, new, strict=True) for w in asked]
            writes[way] = {
                "words": round(float(np.mean([len(re.findall(r"\w+", t)) for t in given])), 2),
                "new words written": round(float(np.mean(hits)), 4),
            }
        copies = {
            who: round(
                float(
                    np.mean([w in s.words for s, ws in zip(found, said, strict=True) for w in ws])
                ),
                4,
            )
            for who, said in (("ours", [s.output for s in found]), ("true", subjects))
        }
        fresh = np.array([reference.lower() not in old for reference in references])

        def means(chosen: np.ndarray, scores: dict = scores) -> dict:
            return {
                way: {
                    kind: round(float(values[chosen].mean()), 2) for kind, values in found.items()
                }
                for way, found in scores.items()
            }

        measured[split] = {
            "scores": means(np.ones(len(fresh), dtype=bool)),
            "fresh": {"e-mails": int(fresh.sum()), "scores": means(fresh)},
            "ahead": ahead,
            "writes": writes,
            "from the e-mail": copies,
            "repeated": round(repeated_ngrams(outputs, 3), 4),
            "new words": sum(map(len, new)),
            "subject words": count,
            "known e-mails": sum(text in read for text in texts),
        }
    return measured


def shipped(data: TaskData, seed: int) -> Summarizer:
    """The checkpoint that comes with the course."""
    summarizer = Summarizer.load(recipes.AESLC.name)
    summarizer.parameters = count_parameters(summarizer.model)
    return summarizer


def late_loss(steps: int) -> Variant:
    """Three quarters of the steps with coverage alone, then the rest with its loss."""

    def train(data: TaskData, seed: int) -> Summarizer:
        recipe, first = recipes.GENERATED, steps * 3 // 4
        settings = replace(recipe.settings, steps=first, seed=seed, validate_every=first // 3)
        recipe = replace(recipe, settings=settings, model=recipe.model | COVERAGE)
        model, _, _ = train_model(recipe, data)
        model.decoder.coverage_weight = 1.0
        fit(
            model,
            data.batches(recipe.batch_tokens, seed + 1000),
            replace(settings, steps=steps - first, learning_rate=settings.learning_rate / 5),
            valid=data.valid_batches,
            loss=recipe.task.loss,
        )
        summarizer = Summarizer(model, data.vocabulary)
        summarizer.parameters = count_parameters(model)
        return summarizer

    return Variant("loss added late", {}, steps, baseline=train)


class WithoutAttention:
    """An encoder and a decoder that gets one vector for the whole text: nothing to attend to."""

    def __init__(self, data: TaskData, seed: int):
        recipe, self.vocabulary = recipes.GENERATED, data.vocabulary
        names = ("embedding_dim", "memory_dim", "hidden_dim", "dropout")
        torch.manual_seed(seed)
        self.model = build_translator(
            len(data.vocabulary),
            decoder="fixed_vector",
            **{name: recipe.model[name] for name in names},
        )
        size = lambda e: len(e.source) + len(e.target) + 1  # noqa: E731
        batches = BucketedBatches(self.examples(data.train), recipe.batch_tokens, seed, size=size)
        valid = [make_batch(self.examples(data.valid))]
        fit(self.model, batches, replace(recipe.settings, steps=2 * BUDGET, seed=seed), valid=valid)
        self.parameters = count_parameters(self.model)

    def examples(self, pairs: Sequence[Pair]) -> list[Example]:
        """Pairs in the vocabulary; a new word is UNK."""
        texts = [self.vocabulary.encode_all(side) for side in zip(*pairs, strict=True)]
        return [Example(source, target) for source, target in zip(*texts, strict=True)]

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The words of the summaries, joined by spaces."""
        sources = self.vocabulary.encode_all(texts)
        found = search_in_batches(self.model, sources, 1, 1.0, 64, lambda ids: len(ids) // 2 + 20)
        return [self.vocabulary.decode(hypothesis.tokens) for hypothesis in found]


def measure_words(method: WithoutAttention) -> dict:
    """``copied`` and ``known`` on "test", as `measure_briefings` has them."""
    given = briefings("test")
    outputs = method.predict([b.text for b in given])
    kinds = {"copied": "new", "known": "known"}
    return {"test": {key: round(copied(outputs, given, kind), 4) for key, kind in kinds.items()}}


BUDGET = recipes.GENERATED.settings.steps  # attention alone has learnt little by then
LONGER = ", twice as long"
PLAIN = {"copies": False}
COVERAGE = {"score": "coverage"}
WITH_LOSS = COVERAGE | {"coverage_weight": 1.0}

STUDIES = (
    Study(
        name="copying",
        title="Attention alone against a pointer",
        variants=(
            Variant("pointer", {}, BUDGET),
            Variant(
                "no attention" + LONGER,
                {},
                2 * BUDGET,
                baseline=WithoutAttention,
                measure=measure_words,
            ),
            Variant("attention" + LONGER, PLAIN, 2 * BUDGET),
            Variant("pointer" + LONGER, {}, 2 * BUDGET),
        ),
        seeds=(0, 1),
        recipe=recipes.GENERATED,
        measure=measure_briefings,
    ),
    Study(
        name="coverage",
        title="A pointer with coverage, with and without its loss",
        variants=(
            Variant("coverage", COVERAGE, BUDGET),
            Variant("coverage and loss", WITH_LOSS, BUDGET),
            late_loss(BUDGET),
            Variant("coverage" + LONGER, COVERAGE, 2 * BUDGET),
            Variant("coverage and loss" + LONGER, WITH_LOSS, 2 * BUDGET),
        ),
        seeds=(0, 1, 2),
        recipe=recipes.GENERATED,
        measure=measure_briefings,
    ),
    Study(
        name="subjects",
        title="Subjects of e-mails: the shipped checkpoint beside rivals without a network",
        variants=(Variant("shipped", {}, recipes.AESLC.settings.steps, baseline=shipped),),
        seeds=(0,),
        recipe=recipes.AESLC,
        measure=measure_subjects,
    ),
)
