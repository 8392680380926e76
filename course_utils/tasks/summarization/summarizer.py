"""`Summarizer`: texts → `Summary`, each with what it copied and from where."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.batches import Batch, Example, make_batch
from course_utils.models.pointer import PointerEncoder, coverage_loss
from course_utils.models.seq2seq import Seq2Seq
from course_utils.runtime import evaluating
from course_utils.search import Hypothesis
from course_utils.tasks.base import Pair, SequencePredictor
from course_utils.tasks.inference import MAX_REPEATS, in_batches, search_in_batches
from course_utils.tasks.summarization.extended import to_example, words_of, written
from course_utils.training import sequence_loss
from course_utils.vocabulary import PAD, UNK

__all__ = ["Summarizer", "Summary", "Traced", "summary_loss"]


def summary_loss(model: nn.Module, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats, plus the decoder's ``coverage_weight`` times the coverage loss.

    A word that is neither in the vocabulary nor in the text does not count where the decoder
    copies, so that it never learns to write UNK. A decoder that does not copy has no other way to
    write such words, nor new words of the text.
    """
    log_probs, weights = model(batch)
    targets = batch.target_out
    if model.decoder.switch is None:
        targets = targets.where(targets < log_probs.shape[-1], UNK)
    else:
        targets = targets.masked_fill(targets == UNK, PAD)
    value = sequence_loss(log_probs, targets, label_smoothing)
    if model.decoder.coverage_weight:
        value = value + model.decoder.coverage_weight * coverage_loss(weights, batch.target_out)
    return value


@dataclass(frozen=True)
class Summary:
    """A summarised text.

    words       of the text as the vocabulary reads them, as far as they were read
    spans       where each of them is in ``source``: (first character, one past the last)
    output      the words of the summary
    hypothesis  what the search found; None for a text without words
    """

    source: str
    words: list[str]
    spans: list[tuple[int, int]]
    output: list[str]
    hypothesis: Hypothesis | None

    @property
    def text(self) -> str:
        """The summary as people write: words of the text in its spelling, marks beside words."""
        spelling = {
            word: self.source[start:end]
            for word, (start, end) in zip(self.words[::-1], self.spans[::-1], strict=True)
        }
        text = " ".join(spelling.get(word, word) for word in self.output)
        text = re.sub(r" (?=[.,;:!?%)\]])|(?<=[(\[$#]) | (?=[-/])|(?<=[-/]) ", "", text)
        return " ".join(text.split())

    @property
    def finished(self) -> bool:
        """False if the search reached its limit, or a loop, before the end."""
        return self.hypothesis is None or self.hypothesis.finished

    @property
    def attention(self) -> np.ndarray:
        """(words of the summary, words of the text) weights."""
        if self.hypothesis is None:
            return np.zeros((0, 0))
        rows = self.hypothesis.attention[: len(self.output), : len(self.words)]
        return rows.float().numpy()


@dataclass(frozen=True)
class Traced:
    """What the decoder does while it reads a given summary.

    weights  (words of the summary, words of the text)
    p_gen    (words of the summary,)
    right    (words of the summary,) whether the word is the most probable one at its place
    """

    weights: np.ndarray
    p_gen: np.ndarray
    right: np.ndarray


class Summarizer(SequencePredictor):
    """A model and its vocabulary, ready to summarise. `load` gets one from a checkpoint.

    The first words of a text are read, as many as in the training (see `PointerEncoder`).
    """

    model: Seq2Seq
    encoder_type = PointerEncoder

    def summarize(
        self, texts: Sequence[str], beam: int = 1, alpha: float = 1.0, batch_size: int = 64
    ) -> list[Summary]:
        """Summaries, in order; a ``beam`` of 1 is greedy search.

        The summary of a text does not depend on the other texts.
        """
        longest = self.model.encoder.longest
        read = [words_of(self.vocabulary, text)[:longest] for text in texts]
        cut = [to_example(self.vocabulary, text, "", longest) for text in texts]
        found = iter(
            search_in_batches(
                self.model,
                [example for example, _ in cut if example.source],
                beam,
                alpha,
                batch_size,
                max_length=lambda ids: len(ids) // 2 + 20,
                max_repeats=MAX_REPEATS,
            )
        )
        summaries = []
        for text, words, (_, new) in zip(texts, read, cut, strict=True):
            hypothesis = next(found) if words else None
            output = [] if hypothesis is None else hypothesis.tokens
            summaries.append(
                Summary(
                    text,
                    [word for word, _ in words],
                    [span for _, span in words],
                    written(self.vocabulary, output, new),
                    hypothesis,
                )
            )
        return summaries

    def predict(self, texts: Sequence[str], beam: int = 1, alpha: float = 1.0) -> list[str]:
        """The words of the summaries, joined by spaces."""
        return [" ".join(summary.output) for summary in self.summarize(texts, beam, alpha)]

    def trace(self, pairs: Sequence[Pair], batch_size: int = 64) -> list[Traced]:
        """What the decoder does while it reads the given summaries (teacher forcing)."""
        examples = [
            to_example(self.vocabulary, text, summary, self.model.encoder.longest)[0]
            for text, summary in pairs
        ]

        @torch.no_grad()
        def run(chosen: list[Example]) -> list[Traced]:
            batch = make_batch(chosen).to(self.model.device)
            decoder = self.model.decoder
            reading, _ = decoder.read(decoder.start(self.model.remember(batch)), batch.target_in)
            right = reading.log_probs.argmax(dim=-1) == batch.target_out
            rows = zip(chosen, reading.weights, reading.p_gen, right, strict=True)
            return [
                Traced(
                    weights[: len(e.target), : len(e.source)].cpu().numpy(),
                    p_gen[: len(e.target)].cpu().numpy(),
                    hits[: len(e.target)].cpu().numpy(),
                )
                for e, weights, p_gen, hits in rows
            ]

        with evaluating(self.model):
            return in_batches(examples, batch_size, run, length=lambda e: len(e.source))
