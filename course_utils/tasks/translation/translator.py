"""`Translator`: texts → `Translation`, each with its attention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from course_utils.batches import Example
from course_utils.metrics import words_from_pieces
from course_utils.models.seq2seq import Seq2Seq
from course_utils.models.text_encoder import TokenEncoder
from course_utils.search import Hypothesis
from course_utils.tasks.base import Pair, SequencePredictor
from course_utils.tasks.inference import (
    MAX_REPEATS,
    search_in_batches,
    teacher_forced_attention,
)
from course_utils.text import is_complete, sentences
from course_utils.vocabulary import Vocabulary

__all__ = ["Segment", "Translation", "Translator"]


@dataclass(frozen=True)
class Segment:
    """One run of the model: the pieces it read, those it wrote and the attention between them.

    attention  (target pieces, plus 1 for EOS if the search finished; source pieces)
    completed  whether the model read a full stop that the text does not have; the text of the
               output then has none either
    """

    source_ids: list[int]
    hypothesis: Hypothesis
    vocabulary: Vocabulary
    completed: bool = False

    @property
    def text(self) -> str:
        """The output."""
        text = self.vocabulary.decode(self.hypothesis.tokens)
        return text.removesuffix(".").rstrip() if self.completed else text

    @property
    def source_pieces(self) -> list[str]:
        return self.vocabulary.pieces(self.source_ids)

    @property
    def target_pieces(self) -> list[str]:
        """Pieces of the output; "<eos>" is the last if the search finished."""
        end = ["<eos>"] if self.hypothesis.finished else []
        return self.vocabulary.pieces(self.hypothesis.tokens) + end

    @property
    def attention(self) -> np.ndarray:
        """(target pieces, source pieces) weights."""
        # All inputs of a batch were padded to the same width: cut off the columns of padding.
        return self.hypothesis.attention[:, : len(self.source_ids)].float().numpy()

    @property
    def word_attention(self) -> np.ndarray:
        """(target words, source words) weights, without the row of EOS; see `words_from_pieces`."""
        ids = self.hypothesis.tokens
        return words_from_pieces(
            self.attention[: len(ids)],
            self.vocabulary.words_of_pieces(self.source_ids),
            self.vocabulary.words_of_pieces(ids),
        )


@dataclass(frozen=True)
class Translation:
    """A translated text: a segment for each sentence, several for a long one, none if it is blank.

    Pieces and attention are those of all segments in a row. No segment attends to another one, so
    the weights between them are zero.
    """

    source: str
    segments: list[Segment]

    @property
    def text(self) -> str:
        return " ".join(text for text in (segment.text for segment in self.segments) if text)

    @property
    def finished(self) -> bool:
        """False if the search reached its limit, or a loop, before the end of a segment."""
        return all(segment.hypothesis.finished for segment in self.segments)

    @property
    def source_pieces(self) -> list[str]:
        return [piece for segment in self.segments for piece in segment.source_pieces]

    @property
    def target_pieces(self) -> list[str]:
        """Pieces of the output; "<eos>" ends each segment whose search finished."""
        return [piece for segment in self.segments for piece in segment.target_pieces]

    @property
    def attention(self) -> np.ndarray:
        """(target pieces, source pieces) weights."""
        blocks = [segment.attention for segment in self.segments]
        return block_diag(*blocks) if blocks else np.zeros((0, 0))

    @property
    def only(self) -> Segment:
        """The only segment of a single sentence; ValueError if there is not exactly one."""
        if len(self.segments) != 1:
            raise ValueError(f"the text was translated in {len(self.segments)} segments, not one")
        return self.segments[0]


class Translator(SequencePredictor):
    """A model and its vocabulary, ready to translate. `load` gets one from a checkpoint.

    Real text (a BPE vocabulary) is translated sentence by sentence, as the model was trained: the
    sentences of ``language`` are found by `course_utils.text.sentences`, and one without a mark at
    its end is read with a full stop.
    """

    model: Seq2Seq
    encoder_type = TokenEncoder

    def __init__(
        self,
        model: Seq2Seq,
        vocabulary: Vocabulary,
        longest_segment: int = 80,
        language: str = "de",
    ):
        super().__init__(model, vocabulary)
        self.longest_segment, self.language = longest_segment, language

    def translate(
        self,
        texts: Sequence[str],
        beam: int = 1,
        alpha: float = 1.0,
        batch_size: int = 64,
    ) -> list[Translation]:
        """Translate texts, in order; a ``beam`` of 1 is greedy search.

        The translation of a text does not depend on the other texts. A sentence of more than
        ``longest_segment`` pieces is cut into segments, after punctuation if possible, otherwise
        between words: the model was not trained on longer ones.
        """
        cut = [self.segments(text) for text in texts]
        found = iter(
            search_in_batches(
                self.model,
                [ids for parts in cut for ids, _ in parts],
                beam,
                alpha,
                batch_size,
                max_length=lambda ids: 2 * len(ids) + 10,
                max_repeats=MAX_REPEATS,
            )
        )
        return [
            Translation(
                text,
                [Segment(ids, next(found), self.vocabulary, added) for ids, added in parts],
            )
            for text, parts in zip(texts, cut, strict=True)
        ]

    def segments(self, text: str) -> list[tuple[list[int], bool]]:
        """What is translated singly: ids, and whether they end in a full stop that was added."""
        if self.vocabulary.kind != "bpe":
            return [(ids, False) for ids in self.cut(self.vocabulary.encode(text))]
        found: list[tuple[list[int], bool]] = []
        for sentence in sentences(text, self.language):
            added = not is_complete(sentence)
            ids = self.vocabulary.encode(sentence)
            if ids and added:
                ids = self.vocabulary.encode(sentence.rstrip(" ,;:-–") + ".")
            parts = self.cut(ids)
            found += [(part, added and part is parts[-1]) for part in parts]
        return found

    def predict(self, texts: Sequence[str], beam: int = 1, alpha: float = 1.0) -> list[str]:
        """The translated texts alone."""
        return [translation.text for translation in self.translate(texts, beam, alpha)]

    def attention_of(self, pairs: Sequence[Pair], batch_size: int = 64) -> list[np.ndarray]:
        """Attention between the words of given pairs, (target words, source words) each.

        The decoder reads the given translation (teacher forcing), so the matrices can be compared
        with gold alignments, whatever the model would have written itself.
        """
        sources = self.vocabulary.encode_all([source for source, _ in pairs])
        targets = self.vocabulary.encode_all([target for _, target in pairs])
        examples = [Example(s, t) for s, t in zip(sources, targets, strict=True)]
        return [
            words_from_pieces(
                weights[:, : len(example.source)],
                self.vocabulary.words_of_pieces(example.source),
                self.vocabulary.words_of_pieces(example.target),
            )
            for example, weights in zip(
                examples, teacher_forced_attention(self.model, examples, batch_size), strict=True
            )
        ]

    def cut(self, ids: list[int]) -> list[list[int]]:
        """Ids in segments of at most ``longest_segment``; a blank text has none."""
        segments, start, longest = [], 0, self.longest_segment
        while len(ids) - start > longest:
            pieces = self.vocabulary.pieces(ids[start : start + longest + 1])
            bpe = self.vocabulary.kind == "bpe"
            starts = [i for i in range(1, longest + 1) if not bpe or pieces[i].startswith("▁")]
            places = (  # the text is cut at the last place of the first kind that is not empty
                [i for i in starts if pieces[i - 1] in (".", "!", "?")],
                [i for i in starts if pieces[i - 1] in (";", ":", ",")],
                starts,
                [longest],
            )
            cut = next(kind[-1] for kind in places if kind)
            segments.append(ids[start : start + cut])
            start += cut
        return segments + ([ids[start:]] if ids else [])
