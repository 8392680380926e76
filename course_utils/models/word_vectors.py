"""Word vectors from neighbours: words that occur in the same company get similar vectors.

Counts of how often words occur near each other become positive pointwise mutual information (PPMI),
which a singular value decomposition reduces to a few dimensions. Levy and Goldberg (2014) showed
that this is close to what word2vec does. It uses no labels and no text but the one given, so a
network that starts from these vectors is still trained from scratch.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from course_utils.vocabulary import SPECIAL

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["cooccurrences", "word_vectors"]


def cooccurrences(texts: list[list[int]], size: int, window: int = 5) -> "csr_matrix":
    """How often words i and j are at most ``window`` apart: a sparse symmetric (size, size).

    A pair at distance d counts 1 / d. Pairs do not cross the end of a text. Special ids (PAD, UNK,
    …) count towards the distance but are not counted themselves.
    """
    from scipy.sparse import csr_matrix

    lengths = [len(ids) for ids in texts]
    words = np.fromiter((i for ids in texts for i in ids), dtype=np.int32, count=sum(lengths))
    text_of = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
    counts = csr_matrix((size, size), dtype=np.float32)
    for distance in range(1, window + 1):
        left, right = words[:-distance], words[distance:]
        pairs = (text_of[:-distance] == text_of[distance:]) & (
            np.minimum(left, right) >= len(SPECIAL)
        )
        weights = np.full(int(pairs.sum()), 1 / distance, dtype=np.float32)
        counts = counts + csr_matrix((weights, (left[pairs], right[pairs])), shape=(size, size))
    return counts + counts.T


def word_vectors(
    texts: list[list[int]], size: int, width: int, window: int = 5, seed: int = 0
) -> Tensor:
    """Vectors (size, width) for the ids in ``texts``, scaled to a mean squared length of 1.

    Context counts are raised to the power 0.75 and singular values to 0.5 (Levy, Goldberg and Dagan
    2015, section 3). Ids without neighbours get zeros. Raises ValueError unless 1 ≤ width < size,
    and if no two words are near each other.
    """
    from sklearn.utils.extmath import randomized_svd

    if not 1 <= width < size:
        raise ValueError(f"needs 1 ≤ width < size, got width={width} and size={size}")
    counts = cooccurrences(texts, size, window).tocoo()
    if not counts.nnz:
        raise ValueError("no two words of the texts are near each other: there is nothing to count")
    of_word = np.asarray(counts.sum(axis=1)).ravel()
    of_context = of_word**0.75
    share = of_context[counts.col] / of_context.sum()
    information = np.log(counts.data / (of_word[counts.row] * share))
    counts.data = np.maximum(information, 0).astype(np.float32)
    counts = counts.tocsr()
    counts.eliminate_zeros()
    left, values, _ = randomized_svd(counts, width, n_iter=3, random_state=seed)
    vectors = torch.from_numpy(left * np.sqrt(values)).float()
    known = torch.from_numpy(of_word > 0)
    vectors[~known] = 0  # the decomposition leaves rounding errors there
    return vectors / vectors[known].pow(2).sum(dim=1).mean().sqrt()
