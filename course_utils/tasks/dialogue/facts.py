"""Did it look at the sentences that the answer follows from?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["FactScore", "facts_found"]


@dataclass(frozen=True)
class FactScore:
    """How often attention was on the facts, over several questions.

    by_hop   (K,) share of the questions whose heaviest sentence is one of the facts, for each hop
    all      share of the facts that are the heaviest sentence of some hop
    chance   share of the sentences that are facts, on average over the questions
    """

    by_hop: np.ndarray
    all: float
    chance: float


def facts_found(weights: Sequence[np.ndarray], facts: Sequence[Sequence[int]]) -> FactScore:
    """Compare weights (K, M) of each question with its facts, places in the memory.

    Questions without facts do not count. Raises ValueError if none is left, if weights and facts
    are not as many, or if a fact is not in the memory.
    """
    if len(weights) != len(facts):
        raise ValueError(f"weights of {len(weights)} questions, facts of {len(facts)}")
    hits, found, chance = [], [], []
    for rows, places in zip(weights, facts, strict=True):
        if not len(places):
            continue
        if max(places) >= rows.shape[1] or min(places) < 0:
            raise ValueError(f"facts {tuple(places)} in a memory of {rows.shape[1]} sentences")
        heaviest = rows.argmax(axis=1)
        hits.append(np.isin(heaviest, places))
        found.append(np.isin(places, heaviest).mean())
        chance.append(len(set(places)) / rows.shape[1])
    if not hits:
        raise ValueError("no question has facts")
    return FactScore(np.mean(hits, axis=0), float(np.mean(found)), float(np.mean(chance)))
