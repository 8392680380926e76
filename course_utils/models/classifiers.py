"""Text classifiers: ids (B, T) → logits (B, C). They differ in how many states become one vector.

Shape letters: B texts, T words, S sentences, E width of a word's input, H of the recurrence (in
each direction), D of what is pooled (2H, or E without recurrence), C classes.

PAD (id 0) is not text, wherever it is: it gets no attention, and the recurrence does not read it. A
text without words has a defined answer: its pooled vector is zero, so the logits are the bias of
the last layer.

Built by hand in notebook 06, imported from there on.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from course_utils.attention import (
    AdditiveScore,
    Attention,
    GeneralScore,
    length_mask,
    masked_softmax,
)
from course_utils.checks import check_tensor, check_texts, looked_up
from course_utils.recurrence import ends, read_both_ways
from course_utils.vocabulary import PAD, UNK

__all__ = [
    "KINDS",
    "AttentionTextClassifier",
    "BagOfWords",
    "HierarchicalClassifier",
    "LastStateClassifier",
    "MaxPoolingClassifier",
    "MeanPoolingClassifier",
    "PairEmbedding",
    "QuestionClassifier",
    "TextClassifier",
    "build_text_classifier",
    "padding_last",
]


def padding_last(ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The words of each row first, then its PADs: ids (B, T), lengths (B,), order (B, T).

    ``order[b, i]`` is where the id at position i was before. Raises ValueError unless the ids are
    integers (B, T).
    """
    check_tensor("ids", ids, "batch", "words", kind="integers")
    order = (ids == PAD).to(torch.int8).argsort(dim=1, stable=True)
    return ids.gather(1, order), (ids != PAD).sum(dim=1), order


class PairEmbedding(nn.Module):
    """A vector for each pair of neighbouring words: ids (B, T) → (B, T, P), word i with word i + 1.

    There are too many pairs for a vocabulary, so a pair's number is taken modulo ``buckets``, and
    pairs with the same result share a vector (Joulin et al. 2017, section 2.1). Where there is no
    pair, at the end and next to PAD or an unknown word, the vector is zero. All vectors start at
    zero: a pair contributes nothing before training.
    """

    def __init__(self, buckets: int, pair_dim: int):
        super().__init__()
        self.buckets = buckets
        self.embedding = nn.Embedding(buckets + 1, pair_dim, padding_idx=0)  # 0: no pair
        nn.init.zeros_(self.embedding.weight)

    def forward(self, ids: Tensor) -> Tensor:
        first, second = ids, torch.cat([ids[:, 1:], ids.new_full((len(ids), 1), PAD)], dim=1)
        bucket = 1 + (first * 1_000_003 + second * 7_919) % self.buckets  # two primes
        return self.embedding(bucket * ((first > UNK) & (second > UNK)))


class TextClassifier(nn.Module):
    """embedding → bidirectional LSTM → pooling → linear layer. Subclasses say how they pool.

    vocab_size    number of ids; PAD is 0
    embed_dim     width of the embeddings
    hidden_dim    width of the recurrence in each direction; 0: no recurrence, the embeddings
                  themselves are pooled
    num_classes   number of logits
    pairs         buckets of a `PairEmbedding` of each word and its right neighbour, which is
                  concatenated with the embedding of the word; 0: none
    pair_dim      width of that
    dropout       on embeddings and on the pooled vector, in training only
    pair_dropout  the same for pairs, which are easier to memorise; by default ``dropout``
    word_dropout  share of whole words left out, in training only

    Raises ValueError for sizes that are too small, or for pairs if the class does not accept them.
    """

    takes_pairs = True
    labels: list[str]  # set by `build_text_classifier`, as is longest
    longest: int | None

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        num_classes: int,
        *,
        pairs: int = 0,
        pair_dim: int = 16,
        dropout: float = 0.0,
        pair_dropout: float | None = None,
        word_dropout: float = 0.0,
    ):
        super().__init__()
        for name, size, least in (
            ("vocab_size", vocab_size, 1),
            ("embed_dim", embed_dim, 1),
            ("hidden_dim", hidden_dim, 0),
            ("num_classes", num_classes, 1),
            ("pairs", pairs, 0),
            ("pair_dim", pair_dim, 1),
        ):
            if size < least:
                raise ValueError(f"{name} must be at least {least}, got {size}")
        if pairs and not self.takes_pairs:
            raise ValueError(f"a {type(self).__name__} takes no pairs of words: pairs must be 0")
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=PAD)
        self.pairs = PairEmbedding(pairs, pair_dim) if pairs else None
        input_dim = embed_dim + (pair_dim if pairs else 0)
        self.lstm = (
            nn.LSTM(input_dim, hidden_dim, batch_first=True, bidirectional=True)
            if hidden_dim
            else None
        )
        self.width = 2 * hidden_dim if hidden_dim else input_dim
        self.fc: nn.Module = nn.Linear(self.width, num_classes)
        self.dropout, self.word_dropout = nn.Dropout(dropout), word_dropout
        self.pair_dropout = nn.Dropout(dropout if pair_dropout is None else pair_dropout)

    def pool(self, states: Tensor, attend_mask: Tensor) -> tuple[Tensor, Tensor]:
        """states (B, T, D), attend_mask (B, T) → one vector each (B, D), and weights (B, T).

        The weights say how much of the vector comes from each position; they sum to one, or are
        zero for a text without words.
        """
        raise NotImplementedError("a classifier turns states into one vector in pool()")

    def embed(self, ids: Tensor) -> Tensor:
        """The input of the recurrence for ids (B, T): (B, T, E), in training with dropout."""
        embedded = self.dropout(looked_up(self.embedding, ids))
        if self.pairs is not None:
            embedded = torch.cat([embedded, self.pair_dropout(self.pairs(ids))], dim=-1)
        if self.training and self.word_dropout:
            kept = torch.rand(ids.shape, device=ids.device) >= self.word_dropout
            embedded = embedded * kept[:, :, None]
        return embedded

    def read(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, T, E) of texts with their PADs last → logits (B, C), weights (B, T)."""
        states = embedded if self.lstm is None else read_both_ways(self.lstm, embedded, lengths)
        context, weights = self.pool(states, length_mask(lengths, embedded.shape[1]))
        return self.fc(self.dropout(context)), weights

    def attend(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """ids (B, T) → logits (B, C) and weights (B, T), zero at every PAD."""
        ids, lengths, order = padding_last(ids)
        logits, weights = self.read(self.embed(ids), lengths)
        return logits, torch.zeros_like(weights).scatter(1, order, weights)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) → logits (B, C)."""
        return self.attend(ids)[0]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device


class AttentionTextClassifier(TextClassifier):
    """One learnt query for all texts: α = softmax(w·h_i + b), context Σ α_i h_i.

    The textbook form (a linear layer gives each of the LSTM's outputs a score; Zhou et al. 2016,
    section 3.3, without its tanh), with the two things that it forgets: padding gets no attention,
    and the backward recurrence does not read it. In the course's terms, w is a query that does not
    depend on the input, compared with the keys by a dot product; keys and values are the same. The
    bias b shifts all scores alike, which does not change the softmax; it is here because the
    textbook has it.
    """

    def __init__(
        self, vocab_size: int, embed_dim: int, hidden_dim: int, num_classes: int, **settings: Any
    ):
        super().__init__(vocab_size, embed_dim, hidden_dim, num_classes, **settings)
        self.attention = nn.Linear(self.width, 1)

    def pool(self, states: Tensor, attend_mask: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.attention(states).squeeze(-1)  # (B, T)
        weights = masked_softmax(scores, attend_mask)
        return (weights[:, None, :] @ states).squeeze(1), weights


class MeanPoolingClassifier(TextClassifier):
    """The mean of all states: attention that gives every word the same weight."""

    def pool(self, states: Tensor, attend_mask: Tensor) -> tuple[Tensor, Tensor]:
        weights = attend_mask.to(states.dtype)
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1)
        return (weights[:, None, :] @ states).squeeze(1), weights


class MaxPoolingClassifier(TextClassifier):
    """The maximum of each dimension. Weights: the share of dimensions taken from a position."""

    def pool(self, states: Tensor, attend_mask: Tensor) -> tuple[Tensor, Tensor]:
        B, T, D = states.shape
        if not T:
            return states.new_zeros(B, D), states.new_zeros(B, 0)
        lowest = torch.finfo(states.dtype).min
        best = states.masked_fill(~attend_mask[:, :, None], lowest).max(dim=1)
        some = attend_mask.any(dim=1, keepdim=True)
        shares = states.new_zeros(B, T).scatter_add(1, best.indices, states.new_full((B, D), 1 / D))
        return best.values.masked_fill(~some, 0.0), shares * some


class LastStateClassifier(TextClassifier):
    """The forward state after the last word and the backward state after the first."""

    def pool(self, states: Tensor, attend_mask: Tensor) -> tuple[Tensor, Tensor]:
        B, T, D = states.shape
        if not T:
            return states.new_zeros(B, D), states.new_zeros(B, 0)
        if self.lstm is None:
            raise ValueError("without a recurrence, the last state is nothing but the last word")
        lengths = attend_mask.sum(dim=1)
        context = ends(states, lengths)
        rows, last = torch.arange(B, device=states.device), (lengths - 1).clamp_min(0)
        weights = states.new_zeros(B, T)
        weights[rows, last] += 0.5
        weights[:, 0] += 0.5
        return context, weights * attend_mask.any(dim=1, keepdim=True)


class BagOfWords(TextClassifier):
    """Logistic regression on word counts: each word has a weight for each class.

    Its embedding has one dimension per class and is summed over the words; their order does not
    matter. Weights: each word's share of the votes, by their size. ``embed_dim`` and ``hidden_dim``
    are not used.
    """

    takes_pairs = False  # they depend on the order

    def __init__(
        self, vocab_size: int, embed_dim: int, hidden_dim: int, num_classes: int, **settings: Any
    ):
        super().__init__(vocab_size, num_classes, 0, num_classes, **settings)
        nn.init.zeros_(self.embedding.weight)
        self.fc = nn.Identity()
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def pool(self, states: Tensor, attend_mask: Tensor) -> tuple[Tensor, Tensor]:
        votes = states * attend_mask[:, :, None]
        sizes = (votes - votes.mean(dim=-1, keepdim=True)).abs().sum(dim=-1)
        total = sizes.sum(dim=1, keepdim=True)
        return votes.sum(dim=1) + self.bias, sizes / total.clamp_min(1e-9)


class QuestionClassifier(TextClassifier):
    """The first word of the input is a question, the rest is the text: "service the soup was cold".

    ``question`` says how it is used:

    "query"    as the query of an attention with the bilinear score over the text
    "feature"  one learnt query pools the text for all questions; a hidden layer combines the pooled
               text and the embedding of the question
    "ignored"  not at all: one learnt query pools the text

    Raises ValueError for another ``question``, and for an input without words.
    """

    takes_pairs = False  # the question and the first word of the text would be one

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        num_classes: int,
        *,
        question: str = "query",
        **settings: Any,
    ):
        super().__init__(vocab_size, embed_dim, hidden_dim, num_classes, **settings)
        if question not in ("query", "feature", "ignored"):
            raise ValueError(f"question={question!r} is not one of query, feature, ignored")
        self.question = question
        self.score = Attention(GeneralScore(embed_dim, self.width))
        if question != "query":
            self.fixed_query = nn.Parameter(torch.randn(embed_dim))
        if question == "feature":
            self.fc = nn.Sequential(
                nn.Linear(self.width + embed_dim, self.width),
                nn.ReLU(),
                nn.Linear(self.width, num_classes),
            )

    def read(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        B, T, _ = embedded.shape
        if T < 1 or int(lengths.min()) < 1:
            raise ValueError("every input begins with a question, but a row has no words")
        asked, text = embedded[:, 0], embedded[:, 1:]
        states = text if self.lstm is None else read_both_ways(self.lstm, text, lengths - 1)
        query = asked if self.question == "query" else self.fixed_query.expand(B, -1)
        mask = length_mask(lengths - 1, T - 1)
        context, weights = self.score(query[:, None], states, states, attend_mask=mask)
        context = context.squeeze(1)
        if self.question == "feature":
            context = torch.cat([context, asked], dim=-1)
        weights = torch.cat([weights.new_zeros(B, 1), weights.squeeze(1)], dim=1)
        return self.fc(self.dropout(context)), weights


class HierarchicalClassifier(TextClassifier):
    """Words form sentences, sentences form a text (Yang et al. 2016, section 2.2, with LSTM cells).

    One recurrence reads the words of each sentence, a second one the sentences. Each level has its
    own attention with a learnt query, e_i = vᵀ tanh(W h_i + U q). A sentence ends after the id
    ``sentence_end``. The weight of a word is its weight within its sentence times the weight of the
    sentence. Raises ValueError if ``hidden_dim`` is 0.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        num_classes: int,
        *,
        sentence_end: int,
        **settings: Any,
    ):
        super().__init__(vocab_size, embed_dim, hidden_dim, num_classes, **settings)
        if not hidden_dim:
            raise ValueError("a hierarchical classifier consists of recurrences: hidden_dim > 0")
        self.sentence_end = sentence_end
        self.sentence_lstm = nn.LSTM(self.width, hidden_dim, batch_first=True, bidirectional=True)
        self.word_attention = Attention(AdditiveScore(self.width, self.width))
        self.sentence_attention = Attention(AdditiveScore(self.width, self.width))
        self.word_query = nn.Parameter(torch.randn(self.width))
        self.sentence_query = nn.Parameter(torch.randn(self.width))

    def attend(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        logits, weights, _ = self.attend_levels(ids)
        return logits, weights

    def attend_levels(self, ids: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Logits (B, C), weights of the words (B, T), and weights (S,) of each text's sentences."""
        moved, lengths, order = padding_last(ids)
        B, T = moved.shape
        if not int(lengths.sum()):
            none = self.embedding.weight.new_zeros
            return self.fc(none(B, self.width)), none(B, T), [none(0)] * B
        parts = [self._sentences(row[:n]) for row, n in zip(moved, lengths.tolist(), strict=True)]
        counts = torch.tensor([len(part) for part in parts], device=ids.device)
        flat = [sentence for part in parts for sentence in part]
        words = pad_sequence(flat, batch_first=True, padding_value=PAD)
        sizes = torch.tensor([len(sentence) for sentence in flat], device=ids.device)
        assert self.lstm is not None
        states = read_both_ways(self.lstm, self.embed(words), sizes)
        sentences, word_weights = self._ask(
            self.word_attention, self.word_query, states, length_mask(sizes, words.shape[1])
        )
        texts = pad_sequence(sentences.split(counts.tolist()), batch_first=True)  # (B, S, D)
        states = read_both_ways(self.sentence_lstm, texts, counts)
        context, sentence_weights = self._ask(
            self.sentence_attention,
            self.sentence_query,
            states,
            length_mask(counts, texts.shape[1]),
        )
        of_text = [row[:n] for row, n in zip(sentence_weights, counts.tolist(), strict=True)]
        product = word_weights * torch.cat(of_text)[:, None]
        flat_weights = product[length_mask(sizes, words.shape[1])]  # in order of the words
        weights = product.new_zeros(B, T).masked_scatter(length_mask(lengths, T), flat_weights)
        logits = self.fc(self.dropout(context))
        return logits, torch.zeros_like(weights).scatter(1, order, weights), of_text

    def _sentences(self, ids: Tensor) -> list[Tensor]:
        ends = ((ids == self.sentence_end).nonzero().flatten() + 1).tolist()
        cuts = [0, *ends] + ([len(ids)] if not ends or ends[-1] < len(ids) else [])
        return [ids[a:b] for a, b in zip(cuts, cuts[1:], strict=False) if b > a]

    @staticmethod
    def _ask(
        attention: Attention, query: Tensor, states: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        asked = query.expand(len(states), 1, -1)
        context, weights = attention(asked, states, states, attend_mask=mask)
        return context.squeeze(1), weights.squeeze(1)


KINDS: dict[str, type[TextClassifier]] = {
    "attention": AttentionTextClassifier,
    "bag": BagOfWords,
    "hierarchical": HierarchicalClassifier,
    "last": LastStateClassifier,
    "max": MaxPoolingClassifier,
    "mean": MeanPoolingClassifier,
    "question": QuestionClassifier,
}


def build_text_classifier(
    vocab_size: int,
    *,
    labels: list[str],
    kind: str = "attention",
    embed_dim: int = 100,
    hidden_dim: int = 64,
    longest: int | None = None,
    **settings: Any,
) -> TextClassifier:
    """A classifier of one of the `KINDS`, with the names of its classes in ``model.labels``.

    ``longest`` limits the words that the predictor reads of a text, see `kept_positions` of
    classification's data. ``settings`` are those of the class: pairs, dropout, sentence_end, ….
    Raises ValueError for an unknown ``kind``, for labels that are not a list of different texts,
    and for a ``longest`` below 1.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; choose from {', '.join(KINDS)}")
    labels = check_texts("labels", labels)
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"labels are the names of the classes, all different; got {labels[:8]}")
    if longest is not None and (type(longest) is not int or longest < 1):
        raise ValueError(f"longest is a number of words, at least 1, or None; got {longest!r}")
    model = KINDS[kind](vocab_size, embed_dim, hidden_dim, len(labels), **settings)
    model.labels, model.longest = list(labels), longest
    return model
