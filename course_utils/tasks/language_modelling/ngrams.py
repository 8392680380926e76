"""N-gram models, the baseline of language modelling: counts of short sequences, smoothed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from course_utils.vocabulary import BOS, EOS

__all__ = ["KneserNey"]


class KneserNey:
    """Interpolated Kneser–Ney smoothing (Chen & Goodman 1999, section 2.7).

    Each count is lowered by a discount D, and what that frees goes to the model of the next lower
    order, which counts in how many contexts a piece occurs instead of how often; below the lowest
    order, all pieces are equally probable. D is n₁ / (n₁ + 2 n₂) of each order's counts (equation
    4), where n₁ of them are 1 and n₂ are 2.

    texts   lists of ids, without BOS and EOS
    size    of the vocabulary; PAD and BOS are never predicted
    order   1 for a unigram model, 3 for a trigram model

    Raises ValueError without texts and for an order below 1.
    """

    def __init__(self, texts: Iterable[Sequence[int]], size: int, order: int = 3):
        texts = [[BOS] * (order - 1) + list(text) + [EOS] for text in texts]
        if order < 1 or not texts:
            raise ValueError(
                f"needs texts and an order of at least 1, got {len(texts)} and {order}"
            )
        self.order, self.pieces = order, size - 2
        self.counts: list[dict[tuple[int, ...], Counter]] = []
        grams = Counter(
            tuple(text[i : i + order]) for text in texts for i in range(len(text) - order + 1)
        )
        for _ in range(order):
            by_context: dict[tuple[int, ...], Counter] = defaultdict(Counter)
            for gram, count in grams.items():
                by_context[gram[:-1]][gram[-1]] = count
            self.counts.insert(0, dict(by_context))
            grams = Counter(gram[1:] for gram in grams)  # in how many contexts
        self.discounts = [discount(level) for level in self.counts]
        self.totals = [{c: sum(n.values()) for c, n in level.items()} for level in self.counts]

    def probability(self, context: Sequence[int], piece: int) -> float:
        """The probability of a piece after the ids of ``context``, of which the last ones count."""
        p = 1 / self.pieces
        context = tuple(context)[-(self.order - 1) :] if self.order > 1 else ()
        for level, (counts, totals, d) in enumerate(
            zip(self.counts, self.totals, self.discounts, strict=True)
        ):
            seen = counts.get(context[len(context) - level :])
            if seen is None:
                break
            total = totals[context[len(context) - level :]]
            p = max(seen[piece] - d, 0) / total + d * len(seen) / total * p
        return p

    def probabilities(self, text: Sequence[int]) -> list[float]:
        """Those of each piece of a text, without BOS and EOS, and of its end."""
        ids = [BOS] * (self.order - 1) + list(text) + [EOS]
        first = self.order - 1
        return [self.probability(ids[i - first : i], ids[i]) for i in range(first, len(ids))]


def discount(level: dict[tuple[int, ...], Counter]) -> float:
    """n₁ / (n₁ + 2 n₂) of the counts of one order; a half if none is 1 or none is 2."""
    found = Counter(count for counts in level.values() for count in counts.values())
    return found[1] / (found[1] + 2 * found[2]) if found[1] and found[2] else 0.5
