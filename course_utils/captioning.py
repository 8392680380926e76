"""Captioning: pictures in, sentences with their attention out.

`CaptionData` turns a data set into batches, `Captioner` turns pictures into captions. A picture is
what the model's encoder reads: bytes (3, 64, 64) of a scene, or the features (49, 320) of a photo.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from course_utils.batches import Batch, Example, make_batch
from course_utils.decoders import AttentionDecoder
from course_utils.image_encoders import GridEncoder
from course_utils.metrics import words_from_pieces
from course_utils.search import Hypothesis, search
from course_utils.tasks import Pair, TaskData, Writer
from course_utils.vocabulary import Vocabulary

__all__ = [
    "Caption",
    "CaptionData",
    "Captioner",
    "Pointing",
    "as_source",
    "cover",
    "pointing",
    "word_masks",
]

LONGEST = 40  # pieces of a caption


def as_source(picture: Tensor | np.ndarray) -> Tensor:
    """A picture as a batch holds it: pixels (height, width, 3) become (3, height, width)."""
    if not isinstance(picture, Tensor):
        picture = torch.tensor(np.asarray(picture))  # a copy: what was read from disk is read-only
    if picture.dim() == 3 and picture.shape[-1] == 3:
        picture = picture.permute(2, 0, 1)
    if picture.dim() not in (2, 3) or picture.is_floating_point():
        raise ValueError(
            "a picture is (height, width, 3) bytes, or features (places, channels) of bytes; got "
            f"{picture.dtype} {tuple(picture.shape)}"
        )
    return picture


class CaptionData(TaskData):
    """Pictures with their captions. The validation loss counts the first caption of each picture;
    scores compare with all of them."""

    def encode_inputs(self, inputs: list) -> list[Tensor]:
        return [as_source(picture) for picture in inputs]

    @cached_property
    def valid_batches(self) -> list[Batch]:
        first = [(p, texts if isinstance(texts, str) else texts[0]) for p, texts in self.valid]
        return replace(self, valid=first)._all_valid_batches()

    def _all_valid_batches(self) -> list[Batch]:
        return TaskData.valid_batches.func(self)


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


class Captioner(Writer):
    """A model with its vocabulary, ready to describe pictures. Use `load` for a checkpoint."""

    reads = GridEncoder

    @property
    def attends(self) -> bool:
        """False for a model that reads nothing but the pooled vector."""
        return isinstance(self.model.decoder, AttentionDecoder)

    @torch.no_grad()
    def caption(
        self, pictures: Sequence, beam: int = 1, alpha: float = 1.0, batch_size: int = 64
    ) -> list[Caption]:
        """Describe pictures, in order; ``beam`` 1 is greedy."""
        was_training = self.model.training
        self.model.eval()
        found = []
        for start in range(0, len(pictures), batch_size):
            sources = [as_source(picture) for picture in pictures[start : start + batch_size]]
            batch = make_batch([Example(source, []) for source in sources])
            memory = self.model.remember(batch.to(self.model.device))
            for hypothesis in search(self.model.decoder, memory, beam, LONGEST, alpha):
                text = self.vocabulary.decode(hypothesis.tokens)
                found.append(Caption(text, hypothesis, self.vocabulary))
        self.model.train(was_training)
        return found

    def texts(self, pictures: Sequence, beam: int = 1, alpha: float = 1.0) -> list[str]:
        """Only the texts."""
        return [caption.text for caption in self.caption(pictures, beam, alpha)]

    @torch.no_grad()
    def attention_of(self, pairs: Sequence[Pair], batch_size: int = 64) -> list[np.ndarray]:
        """Attention of each word of given captions, (words, places) each, under teacher forcing.

        So it can be compared with the words' masks, whatever the model would have written itself.
        """
        was_training = self.model.training
        self.model.eval()
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
        self.model.train(was_training)
        return found


# --- does a word look at what it names? -------------------------------------------------------


@dataclass(frozen=True)
class Pointing:
    """How well the attention of words falls on the things that they name; all shares 0 to 1.

    hits, mass  pointing game and attention mass, see `pointing`
    chance      of both, for weights that ignore the picture
    words       how many words were counted
    """

    hits: float
    mass: float
    chance: float
    words: int


def cover(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(rows · columns,) share of each place of a grid that a mask (height, width) covers."""
    height, width = mask.shape
    if height % rows or width % columns:
        raise ValueError(f"a mask of {height} × {width} pixels has no {rows} × {columns} places")
    cells = mask.reshape(rows, height // rows, columns, width // columns)
    return cells.mean(axis=(1, 3)).reshape(-1)


def pointing(
    weights: Sequence[np.ndarray], masks: Sequence[Sequence[np.ndarray | None]]
) -> Pointing:
    """Attention (words, places) of captions against masks of their words; None names nothing.

    A place belongs to a thing when at least one pixel of the thing lies in it.

    hits  share of words whose largest weight lies on a place of what they name: the pointing game
          (Zhang et al. 2016, section 4.1)
    mass  mean weight on all places of what they name together

    By chance a word hits with the share of places that belong to its thing; evenly spread weights
    have the same mass there.
    """
    hits, mass, chance = [], [], []
    for matrix, named in zip(weights, masks, strict=True):
        if len(matrix) != len(named):
            raise ValueError(
                f"{len(matrix)} rows of attention for {len(named)} words; is the row of the end "
                "mark still in?"
            )
        for row, mask in zip(matrix, named, strict=True):
            if mask is None:
                continue
            side = round(len(row) ** 0.5)
            if side * side != len(row):
                raise ValueError(f"{len(row)} places do not form a square grid")
            holds = cover(np.asarray(mask), side, side) > 0
            hits.append(bool(holds[int(np.argmax(row))]) and float(np.max(row)) > 0)
            mass.append(float(row[holds].sum()))
            chance.append(float(holds.mean()))
    if not hits:
        raise ValueError("no word names anything, so nothing can be pointed at")
    return Pointing(*(float(np.mean(x)) for x in (hits, mass, chance)), len(hits))


def word_masks(scene, caption) -> list[np.ndarray | None]:
    """For each word of a scene's caption the pixels it names, None where it names nothing."""
    return [scene.mask(names) if names else None for names in caption.names]
