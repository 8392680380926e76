"""The translator: texts in, translations with their attention out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from course_utils.batches import Example, make_batch
from course_utils.metrics import words_from_pieces
from course_utils.models.seq2seq import Seq2Seq
from course_utils.models.text_encoder import TextEncoder
from course_utils.runtime import evaluating
from course_utils.search import Hypothesis, search
from course_utils.tasks.base import Pair, SequencePredictor
from course_utils.vocabulary import Vocabulary

__all__ = ["Segment", "Translation", "Translator"]


@dataclass(frozen=True)
class Segment:
    """One run of the model: the pieces it read, those it wrote, the attention between them.

    attention  (target pieces + 1 for EOS when finished, source pieces)
    """

    source_ids: list[int]
    hypothesis: Hypothesis
    vocabulary: Vocabulary

    @property
    def source_pieces(self) -> list[str]:
        return self.vocabulary.pieces(self.source_ids)

    @property
    def target_pieces(self) -> list[str]:
        """Pieces of the output; the end mark is the last when the search finished."""
        end = ["<eos>"] if self.hypothesis.finished else []
        return self.vocabulary.pieces(self.hypothesis.tokens) + end

    @property
    def attention(self) -> np.ndarray:
        # The search pads all inputs of a batch to one width: columns of padding are cut off here.
        return self.hypothesis.attention[:, : len(self.source_ids)].float().numpy()

    @property
    def word_attention(self) -> np.ndarray:
        """(target words, source words), without the end mark, pieces put together."""
        ids = self.hypothesis.tokens
        return words_from_pieces(
            self.attention[: len(ids)],
            self.vocabulary.words_of_pieces(self.source_ids),
            self.vocabulary.words_of_pieces(ids),
        )


@dataclass(frozen=True)
class Translation:
    """A translated text. Long texts are translated in several segments, a blank one in none."""

    source: str
    text: str
    segments: list[Segment]

    @property
    def only(self) -> Segment:
        """The one segment of a text of ordinary length."""
        if len(self.segments) != 1:
            raise ValueError(f"the text was translated in {len(self.segments)} segments, not one")
        return self.segments[0]


class Translator(SequencePredictor):
    """A model with its vocabulary, ready to translate. Use `load` for a checkpoint."""

    encoder_type = TextEncoder

    def __init__(self, model: Seq2Seq, vocabulary: Vocabulary, longest_segment: int = 80):
        super().__init__(model, vocabulary)
        self.longest_segment = longest_segment

    def translate(
        self,
        texts: Sequence[str],
        beam: int = 1,
        alpha: float = 1.0,
        batch_size: int = 64,
    ) -> list[Translation]:
        """Translate texts, in order; ``beam`` 1 is greedy. Neighbours do not influence a text.

        A text of more than ``longest_segment`` pieces is cut, after punctuation where possible,
        otherwise between words: the model has never seen longer ones.
        """
        with evaluating(self.model):
            jobs = []  # (text, part, ids)
            for number, ids in enumerate(self.vocabulary.encode_all(list(texts))):
                jobs += [(number, part, cut) for part, cut in enumerate(self._cut(ids))]
            jobs.sort(key=lambda job: len(job[2]))  # similar lengths together: little padding
            found: list[dict[int, Segment]] = [{} for _ in texts]
            for start in range(0, len(jobs), batch_size):
                chunk = jobs[start : start + batch_size]
                hypotheses = self._search([ids for _, _, ids in chunk], beam, alpha)
                for (number, part, ids), hypothesis in zip(chunk, hypotheses, strict=True):
                    found[number][part] = Segment(ids, hypothesis, self.vocabulary)
        translations = []
        for text, parts in zip(texts, found, strict=True):
            segments = [parts[part] for part in sorted(parts)]
            outputs = [self.vocabulary.decode(s.hypothesis.tokens) for s in segments]
            translations.append(Translation(text, " ".join(o for o in outputs if o), segments))
        return translations

    def predict(self, texts: Sequence[str], beam: int = 1, alpha: float = 1.0) -> list[str]:
        """Only the translated texts."""
        return [translation.text for translation in self.translate(texts, beam, alpha)]

    @torch.no_grad()
    def attention_of(self, pairs: Sequence[Pair], batch_size: int = 64) -> list[np.ndarray]:
        """Attention between the words of given pairs, (target words, source words) each.

        The decoder reads the given translation (teacher forcing), so the matrices can be compared
        with gold alignments whatever the model would have written itself.
        """
        with evaluating(self.model):
            sources = self.vocabulary.encode_all([source for source, _ in pairs])
            targets = self.vocabulary.encode_all([target for _, target in pairs])
            order = sorted(range(len(pairs)), key=lambda i: len(sources[i]))
            found: list[np.ndarray] = [np.zeros((0, 0))] * len(pairs)
            for start in range(0, len(order), batch_size):
                chunk = order[start : start + batch_size]
                batch = make_batch([Example(sources[i], targets[i]) for i in chunk])
                _, weights = self.model(batch.to(self.model.device))
                for row, i in enumerate(chunk):
                    found[i] = words_from_pieces(
                        weights[row, : len(targets[i]), : len(sources[i])].float().cpu().numpy(),
                        self.vocabulary.words_of_pieces(sources[i]),
                        self.vocabulary.words_of_pieces(targets[i]),
                    )
        return found

    @torch.no_grad()
    def _search(self, sources: list[list[int]], beam: int, alpha: float) -> list[Hypothesis]:
        batch = make_batch([Example(ids, []) for ids in sources]).to(self.model.device)
        memory = self.model.remember(batch)
        limits = [2 * len(ids) + 10 for ids in sources]
        return search(self.model.decoder, memory, beam, limits, alpha)

    def _cut(self, ids: list[int]) -> list[list[int]]:
        segments, longest = [], self.longest_segment
        while len(ids) > longest:
            pieces = self.vocabulary.pieces(ids[: longest + 1])
            bpe = self.vocabulary.kind == "bpe"
            starts = [i for i in range(1, longest + 1) if not bpe or pieces[i].startswith("▁")]
            places = (  # the cut is at the last place of the first kind that there is
                [i for i in starts if pieces[i - 1] in (".", "!", "?")],
                [i for i in starts if pieces[i - 1] in (";", ":", ",")],
                starts,
                [longest],
            )
            cut = next(kind[-1] for kind in places if kind)
            segments.append(ids[:cut])
            ids = ids[cut:]
        return segments + ([ids] if ids else [])
