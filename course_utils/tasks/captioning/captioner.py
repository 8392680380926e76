"""The captioner: pictures in, sentences with their attention out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from course_utils.batches import Example, make_batch
from course_utils.metrics import words_from_pieces
from course_utils.models.decoders import AttentionDecoder
from course_utils.models.image_encoders import GridEncoder
from course_utils.runtime import evaluating
from course_utils.search import Hypothesis, search
from course_utils.tasks.base import Pair, SequencePredictor
from course_utils.tasks.captioning.data import as_source
from course_utils.vocabulary import Vocabulary

__all__ = ["Caption", "Captioner"]

LONGEST = 40  # pieces of a caption


@dataclass(frozen=True)
class Caption:
    """What the model wrote about a picture, and where it looked.

    attention       (pieces + 1 for EOS when finished, places)
    """

    text: str
    hypothesis: Hypothesis
    vocabulary: Vocabulary

    @property
    def attention(self) -> np.ndarray:
        return self.hypothesis.attention.float().numpy()

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def word_attention(self) -> np.ndarray:
        """(words, places), without the end mark; the pieces of a word are averaged."""
        ids = self.hypothesis.tokens
        return words_from_pieces(
            self.attention[: len(ids)], target_words=self.vocabulary.words_of_pieces(ids)
        )


class Captioner(SequencePredictor):
    """A model with its vocabulary, ready to describe pictures. Use `load` for a checkpoint."""

    encoder_type = GridEncoder

    @property
    def attends(self) -> bool:
        """False for a model that reads nothing but the pooled vector."""
        return isinstance(self.model.decoder, AttentionDecoder)

    @torch.no_grad()
    def caption(
        self, pictures: Sequence, beam: int = 1, alpha: float = 1.0, batch_size: int = 64
    ) -> list[Caption]:
        """Describe pictures, in order; ``beam`` 1 is greedy."""
        with evaluating(self.model):
            found = []
            for start in range(0, len(pictures), batch_size):
                sources = [as_source(picture) for picture in pictures[start : start + batch_size]]
                batch = make_batch([Example(source, []) for source in sources])
                memory = self.model.remember(batch.to(self.model.device))
                for hypothesis in search(self.model.decoder, memory, beam, LONGEST, alpha):
                    text = self.vocabulary.decode(hypothesis.tokens)
                    found.append(Caption(text, hypothesis, self.vocabulary))
        return found

    def predict(self, pictures: Sequence, beam: int = 1, alpha: float = 1.0) -> list[str]:
        """Only the texts."""
        return [caption.text for caption in self.caption(pictures, beam, alpha)]

    @torch.no_grad()
    def attention_of(self, pairs: Sequence[Pair], batch_size: int = 64) -> list[np.ndarray]:
        """Attention of each word of given captions, (words, places) each, under teacher forcing.

        So it can be compared with the words' masks, whatever the model would have written itself.
        """
        with evaluating(self.model):
            found = []
            for start in range(0, len(pairs), batch_size):
                chunk = pairs[start : start + batch_size]
                targets = self.vocabulary.encode_all([text for _, text in chunk])
                batch = make_batch(
                    [Example(as_source(p), t) for (p, _), t in zip(chunk, targets, strict=True)]
                )
                _, weights = self.model(batch.to(self.model.device))
                found += [
                    words_from_pieces(
                        weights[row, : len(ids)].float().cpu().numpy(),
                        target_words=self.vocabulary.words_of_pieces(ids),
                    )
                    for row, ids in enumerate(targets)
                ]
        return found
