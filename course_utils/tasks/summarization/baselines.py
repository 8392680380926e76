"""Summaries without a network: a part of the text, or the summary of a similar text."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from course_utils.text import sentences

__all__ = ["TypicalWords", "first_words", "lead", "nearest", "replace_unknown", "textrank"]


def lead(text: str) -> str:
    """The first sentence; empty if the text is blank."""
    return next((s.strip() for s in sentences(text, "en") if s.strip()), "")


def first_words(text: str, count: int) -> str:
    """The first ``count`` words; ValueError if it is negative."""
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    return " ".join(text.split()[:count])


def textrank(text: str) -> str:
    """The sentence with the highest rank in TextRank (Mihalcea & Tarau 2004, section 4).

    Two sentences are as similar as the number of words that they share, divided by the logarithms
    of their lengths; the ranks are those of PageRank on this graph (`networkx`). Sentences of a
    single word are similar to none. Of equal ranks, the first sentence wins.
    """
    import networkx

    found = [s.strip() for s in sentences(text, "en") if s.strip()]
    words = [set(re.findall(r"\w+", s.lower())) for s in found]
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(found)))
    for i in range(len(found)):
        for j in range(i):
            shared = len(words[i] & words[j])
            if shared and min(len(words[i]), len(words[j])) > 1:
                weight = shared / (math.log(len(words[i])) + math.log(len(words[j])))
                graph.add_edge(i, j, weight=weight)
    if not found:
        return ""
    ranks = networkx.pagerank(graph)
    return found[max(range(len(found)), key=lambda i: (round(ranks[i], 9), -i))]


def nearest(texts: Sequence[str], known: Sequence[tuple[str, str]]) -> list[str]:
    """For each text, the summary of the most similar known one: ``known`` are (text, summary).

    Similar are texts whose counts of words, weighted by their rarity (TF-IDF), have a small angle.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True)
    table = vectorizer.fit_transform([text for text, _ in known])
    asked = vectorizer.transform(texts)
    found: list[str] = []
    for start in range(0, len(texts), 256):  # a dense matrix of all pairs would be large
        closest = (asked[start : start + 256] @ table.T).toarray().argmax(axis=1)
        found += [known[i][1] for i in closest]
    return found


class TypicalWords:
    """The words of a text that are typical of summaries; ``known`` are (text, summary).

    Typical is a word with a large (count in known summaries / count in known texts) times
    (1 + log of its count in the text). Words that no known summary has do not count.
    """

    def __init__(self, known: Sequence[tuple[str, str]]):
        texts, summaries = (
            Counter(w for t in side for w in _words(t)) for side in zip(*known, strict=True)
        )
        self.typical = {word: n / max(1, texts[word]) for word, n in summaries.items()}

    def __call__(self, text: str, count: int) -> str:
        """At most ``count`` words, in the order of the text."""
        found = Counter(w for w in _words(text) if w in self.typical)
        best = sorted(found, key=lambda w: -self.typical[w] * (1 + math.log(found[w])))[:count]
        return " ".join(word for word in found if word in best)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def replace_unknown(
    output: Sequence[str], attention: Sequence[Sequence[float]], words: Sequence[str]
) -> list[str]:
    """An output in which each <unk> becomes the word of the text that gets the largest weight.

    The remedy without a pointer (Luong et al. 2015b, section 3.3, with attention in place of their
    alignments). ``attention`` has a row for each word of ``output``, ``words`` are those of the
    text.
    """
    return [
        words[max(range(len(words)), key=list(row).__getitem__)] if word == "<unk>" else word
        for word, row in zip(output, attention, strict=True)
    ]
