"""`Captioner`: pictures → `Caption`, each with its attention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.batches import Example
from course_utils.images import as_source
from course_utils.metrics import words_from_pieces
from course_utils.models.decoders import FixedVectorDecoder
from course_utils.models.image_encoders import GridEncoder
from course_utils.models.seq2seq import Seq2Seq
from course_utils.search import Hypothesis
from course_utils.tasks.base import Pair, SequencePredictor
from course_utils.tasks.inference import (
    MAX_REPEATS,
    search_in_batches,
    teacher_forced_attention,
)
from course_utils.vocabulary import Vocabulary

__all__ = ["Caption", "Captioner"]

LONGEST = 40  # pieces in a caption, at most


@dataclass(frozen=True)
class Caption:
    """What the model wrote about a picture, and where it looked.

    attention  (pieces, plus 1 for EOS if the search finished; places)
    """

    text: str
    hypothesis: Hypothesis
    vocabulary: Vocabulary

    @property
    def attention(self) -> np.ndarray:
        """(pieces, places) weights."""
        return self.hypothesis.attention.float().numpy()

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def word_attention(self) -> np.ndarray:
        """(words, places) weights, without the row of EOS; the pieces of a word are averaged."""
        ids = self.hypothesis.tokens
        return words_from_pieces(
            self.attention[: len(ids)], target_words=self.vocabulary.words_of_pieces(ids)
        )


class Captioner(SequencePredictor):
    """A model and its vocabulary, ready to describe pictures. `load` gets one from a checkpoint."""

    model: Seq2Seq
    encoder_type = GridEncoder

    @property
    def attends(self) -> bool:
        """False if the model reads nothing but the pooled vector."""
        return not (isinstance(self.model.decoder, FixedVectorDecoder) or self.model.encoder.pooled)

    def caption(
        self, pictures: Sequence, beam: int = 1, alpha: float = 1.0, batch_size: int = 64
    ) -> list[Caption]:
        """Describe pictures, in order; a ``beam`` of 1 is greedy search.

        A picture is what `as_source` accepts: pixels, or the features of a photo.
        """
        sources = [as_source(picture) for picture in pictures]
        found = search_in_batches(
            self.model,
            sources,
            beam,
            alpha,
            batch_size,
            max_length=lambda _: LONGEST,
            max_repeats=MAX_REPEATS,
        )
        decode = self.vocabulary.decode
        return [Caption(decode(h.tokens), h, self.vocabulary) for h in found]

    def predict(self, pictures: Sequence, beam: int = 1, alpha: float = 1.0) -> list[str]:
        """The texts alone."""
        return [caption.text for caption in self.caption(pictures, beam, alpha)]

    def attention_of(self, pairs: Sequence[Pair], batch_size: int = 64) -> list[np.ndarray]:
        """Attention of each word of given captions, (words, places) each, under teacher forcing.

        It can therefore be compared with the words' masks, whatever the model would have written
        itself.
        """
        targets = self.vocabulary.encode_all([text for _, text in pairs])
        sources = [as_source(picture) for picture, _ in pairs]
        examples = [Example(s, t) for s, t in zip(sources, targets, strict=True)]
        return [
            words_from_pieces(weights, target_words=self.vocabulary.words_of_pieces(ids))
            for ids, weights in zip(
                targets, teacher_forced_attention(self.model, examples, batch_size), strict=True
            )
        ]
