"""End-to-end memory network: a question, several looks into a memory of sentences, an answer.

Shape letters: B questions, M memories of each (padded), S different sentences of the batch, J words
of a sentence (padded), K hops, C candidate answers, D the width of all vectors.

A batch holds each different sentence once; a memory is the number of a row. So the work grows with
the sentences that differ, and not with B · M: several times faster where sentences come back.

Built by hand in notebook 08, imported from there on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.attention import masked_softmax
from course_utils.batches import Batch, pad
from course_utils.checks import check_tensor
from course_utils.vocabulary import PAD, UNK

__all__ = ["MemoryNetwork", "StoryBatch", "build_memory_network", "position_weights"]

TYINGS = ("adjacent", "layerwise")


@dataclass(frozen=True)
class StoryBatch(Batch):
    """B stories with a question each.

    source          (B, M)  the memories, oldest first: numbers of rows of ``sentences``, then 0
    source_lengths  (B,)    how many memories each story has
    sentences       (S, J)  ids of the different sentences; row 0 is empty and stands for padding
    question        (B, J)  ids
    target          (B,)    numbers of the right candidates
    """

    sentences: Tensor = None  # type: ignore[assignment]  # a field of the base class has a default
    question: Tensor = None  # type: ignore[assignment]

    @property
    def target_in(self) -> Tensor:
        """Raises AttributeError: the answer is not read by a decoder."""
        raise AttributeError("a story has one answer: there is no target_in")

    @property
    def target_out(self) -> Tensor:
        """(B,) the numbers of the answers."""
        return self.target

    @property
    def target_tokens(self) -> int:
        """How many predictions count: one for each question."""
        return len(self.target)

    def to(self, device: torch.device | str) -> Self:
        """The batch on another device; the lengths stay on the CPU."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("source", "target", "sentences", "question")
        }
        return replace(self, **moved)

    @classmethod
    def of(
        cls,
        stories: Sequence[Sequence[tuple[int, ...]]],
        questions: Sequence[Sequence[int]],
        targets: Sequence[int],
    ) -> Self:
        """A batch of stories, each a list of sentences as tuples of ids. It may be empty."""
        rows: dict[tuple[int, ...], int] = {(): 0}
        memories = [[rows.setdefault(s, len(rows)) for s in story] for story in stories]
        return cls(
            source=_filled(memories),
            source_lengths=torch.tensor([len(story) for story in stories]),
            target=torch.tensor(list(targets)),
            sentences=_filled(list(rows)),
            question=_filled(questions),
        )


def _filled(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids as one tensor, at least one column wide."""
    width = max(1, *map(len, rows), 1)
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows])


def position_weights(lengths: Tensor, words: int, width: int) -> Tensor:
    """How much word j counts in dimension k of a sentence of J words (Sukhbaatar et al. 2015, 4.1).

        l_kj = (1 − j/J) − (k/d) (1 − 2j/J),  j = 1 … J, k = 1 … d

    ``lengths`` (S,) are the J of the sentences; returns (S, words, width), zero past a sentence's
    end. Early words weigh in the first dimensions, late ones in the last: "from rome to oslo" and
    "from oslo to rome" get different sums.
    """
    ids = torch.arange(1, words + 1) <= lengths[:, None]
    first, second = _position_terms(ids.long())
    rise = torch.arange(1, width + 1) / width
    return first[..., None] - rise * second[..., None]


def _position_terms(ids: Tensor) -> tuple[Tensor, Tensor]:
    """1 − j/J and 1 − 2j/J for each word of sentences (N, J), zero at padding."""
    inside = ids != PAD
    j = torch.arange(1, ids.shape[1] + 1, device=ids.device) / inside.sum(1, True).clamp_min(1)
    return (1 - j) * inside, (1 - 2 * j) * inside


class MemoryNetwork(nn.Module):
    """Sukhbaatar et al. 2015, sections 2 and 4.1: ``hops`` looks into a memory of sentences.

        m_i = A x_i + T_A(i)     p = softmax(u · m_i)      o = Σ p_i c_i     c_i = C x_i + T_C(i)
        u ← u + o                logits = W u

    The question is embedded like a sentence: u = B q. A word is a one-hot vector, so A, B, C and W
    are embedding matrices, and A x_i is the sum of the embeddings of a sentence's words.

    size          number of ids; PAD is 0
    candidates    the possible answers, each a list of ids; an answer's row of W is the sum of its
                  words' embeddings
    embed_dim     D
    hops          K, at least 1
    memories      how many memories are read; of a longer story, the latest
    position      position encoding (`position_weights`) instead of a plain sum of words
    temporal      T_A and T_C: a vector for each age, counted from the latest memory
    noise         in training, the share of ages that are skipped at random, so that an exact age is
                  not memorised. (The paper puts empty sentences there.)
    linear_steps  linear start: for so many training steps, p = u · m_i without softmax. Outside
                  training, softmax is always used.
    tying         "adjacent": the C of a hop is the A of the next, B is the first A, and W the last
                  C. "layerwise": all hops have the same A and C, and u ← H u + o.
    word_dropout  in training, the share of words that are read as unknown
    exchange      in which share of the training steps names are exchanged, see below
    spread        standard deviation of the embeddings before training
    rectify       u ← max(0, u + o) between hops, in half of the dimensions, as in the language
                  models of section 5

    In such a step, the ids in ``names`` are exchanged at random, everywhere alike; by default there
    are none. A name then means nothing by itself, and must be copied from where it stands.

    Raises ValueError for sizes below 1, an unknown ``tying``, and without candidates.
    """

    labels: list[str]  # set by `build_memory_network`
    candidates: Tensor
    names: Tensor
    seen: Tensor

    def __init__(
        self,
        size: int,
        candidates: Sequence[Sequence[int]],
        *,
        embed_dim: int = 32,
        hops: int = 3,
        memories: int = 50,
        position: bool = True,
        temporal: bool = True,
        noise: float = 0.0,
        linear_steps: int = 0,
        tying: str = "adjacent",
        rectify: bool = False,
        word_dropout: float = 0.0,
        spread: float = 0.1,
        exchange: float = 1.0,
    ):
        super().__init__()
        for name, value in (
            ("size", size),
            ("embed_dim", embed_dim),
            ("hops", hops),
            ("memories", memories),
            ("candidates", len(candidates)),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if tying not in TYINGS:
            raise ValueError(f"unknown tying {tying!r}; choose from {', '.join(TYINGS)}")
        self.hops, self.memories, self.position, self.temporal = hops, memories, position, temporal
        self.noise, self.linear_steps, self.tying, self.rectify = (
            noise,
            linear_steps,
            tying,
            rectify,
        )
        self.word_dropout, self.exchange = word_dropout, exchange
        matrices = hops + 1 if tying == "adjacent" else 2
        self.width, self.matrices = embed_dim, matrices
        # One table holds all matrices side by side, so that they are looked up together.
        self.embedding = nn.Embedding(size, matrices * embed_dim, padding_idx=PAD)
        self.ages = nn.Embedding(memories + round(memories * noise) + 1, matrices * embed_dim)
        self.between = nn.Linear(embed_dim, embed_dim, bias=False) if tying == "layerwise" else None
        for table in (self.embedding, self.ages):
            nn.init.normal_(table.weight, std=spread)
        nn.init.zeros_(self.embedding.weight[PAD])
        self.register_buffer("candidates", pad(candidates), persistent=False)
        self.register_buffer("names", torch.zeros(0, dtype=torch.long), persistent=False)
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))  # training steps so far

    def embed(self, ids: Tensor, position: bool | None = None) -> tuple[Tensor, ...]:
        """Sentences (N, J) → for each of the matrices, vectors (N, D)."""
        first, second = _position_terms(ids)
        if not (self.position if position is None else position):
            return self._bag(ids, (ids != PAD).to(first.dtype)).split(self.width, dim=1)
        rise = torch.arange(1, self.width + 1, device=ids.device) / self.width
        both = self._bag(ids, first) - rise.repeat(self.matrices) * self._bag(ids, second)
        return both.split(self.width, dim=1)

    def _bag(self, ids: Tensor, weights: Tensor) -> Tensor:
        """Σ_j weights_j · embedding of word j: (N, J), (N, J) → (N, matrices · D)."""
        return F.embedding_bag(
            ids, self.embedding.weight, per_sample_weights=weights, mode="sum", padding_idx=PAD
        )

    def ages_of(self, lengths: Tensor, width: int) -> Tensor:
        """(B, width) how long ago each memory was said: 0 for the latest, 1 for the one before."""
        gaps = torch.ones(len(lengths), width, dtype=torch.long)
        if self.training and self.noise:
            gaps += torch.rand(gaps.shape) < self.noise
        inside = torch.arange(width) < lengths[:, None]
        gaps = gaps * inside
        age = gaps.flip(1).cumsum(1).flip(1) - gaps  # the steps after a memory
        return age.clamp_max(self.ages.num_embeddings - 1)

    def disturbed(self, *texts: Tensor) -> list[Tensor]:
        """The ids; in training, with names exchanged and some words unknown."""
        if not self.training:
            return list(texts)
        if len(self.names) and float(torch.rand(())) < self.exchange:
            to = torch.arange(self.embedding.num_embeddings, device=self.device)
            to[self.names] = self.names[torch.randperm(len(self.names), device=self.device)]
            texts = tuple(to[ids] for ids in texts)
        if self.word_dropout:
            lost = [torch.rand(ids.shape, device=self.device) < self.word_dropout for ids in texts]
            lost[-1][:] = False  # the candidates stay whole
            texts = tuple(
                torch.where(gone & (ids != PAD), UNK, ids)
                for gone, ids in zip(lost, texts, strict=True)
            )
        return list(texts)

    def attend(self, batch: StoryBatch) -> tuple[Tensor, Tensor]:
        """Logits (B, C), and the weights of each hop (B, K, M), zero at padding.

        A story without memories gives the answer to its question alone, and zero weights.
        """
        check_tensor("source", batch.source, "batch", "memories", kind="integers")
        if self.training:
            self.seen += 1
        linear = self.training and int(self.seen) <= self.linear_steps
        device = batch.source.device
        memory, lengths = _latest(batch.source, batch.source_lengths, self.memories)
        mask = (torch.arange(memory.shape[1]) < lengths[:, None]).to(device)
        age = self.ages_of(lengths, memory.shape[1]).to(device)
        sentences, question, answers = self.disturbed(
            batch.sentences, batch.question, self.candidates
        )
        tables, u = self.embed(sentences), self.embed(question)[0]
        ages = self.ages.weight.split(self.width, dim=1)
        found = []
        for hop in range(self.hops):
            a, c = (hop, hop + 1) if self.tying == "adjacent" else (0, 1)
            scores = (u @ tables[a].T).gather(1, memory)
            if self.temporal:
                scores = scores + (u @ ages[a].T).gather(1, age)
            p = scores * mask if linear else masked_softmax(scores, mask)
            o = _spread(p, memory, tables[c])
            if self.temporal:
                o = o + _spread(p, age, ages[c])
            u = (u if self.between is None else self.between(u)) + o
            if self.rectify and hop + 1 < self.hops:
                half = u.shape[1] // 2
                u = torch.cat([u[:, :half], u[:, half:].relu()], dim=1)
            found.append(p)
        table = self.embed(answers, position=False)[-1]
        logits, weights = u @ table.T, torch.stack(found, dim=1)
        return logits, _at_places(weights, batch.source, batch.source_lengths, lengths)

    def forward(self, batch: StoryBatch) -> Tensor:
        """Logits (B, C)."""
        return self.attend(batch)[0]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.embedding.weight.device


def _latest(memory: Tensor, lengths: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The latest ``most`` memories of each story, and how many there are."""
    if int(lengths.max()) <= most:
        return memory, lengths
    kept = lengths.clamp_max(most)
    places = (lengths - kept)[:, None] + torch.arange(most)
    inside = torch.arange(most) < kept[:, None]
    places = torch.where(inside, places, 0).to(memory.device)
    return memory.gather(1, places) * inside.to(memory.device), kept


def _spread(p: Tensor, rows: Tensor, table: Tensor) -> Tensor:
    """Σ_i p_i table[rows_i]: (B, M), (B, M), (S, D) → (B, D)."""
    return p.new_zeros(len(p), len(table)).scatter_add(1, rows, p) @ table


def _at_places(weights: Tensor, source: Tensor, lengths: Tensor, kept: Tensor) -> Tensor:
    """Weights (B, K, kept memories) at the places of all memories (B, K, M), zero at the others."""
    if weights.shape[2] == source.shape[1]:
        return weights
    places = (lengths - kept)[:, None] + torch.arange(weights.shape[2])
    places = places.clamp_max(source.shape[1] - 1).to(source.device)
    all_places = weights.new_zeros(*weights.shape[:2], source.shape[1])
    return all_places.scatter_add(2, places[:, None].expand_as(weights), weights)


def build_memory_network(
    size: int,
    *,
    candidates: Sequence[Sequence[int]],
    labels: Sequence[str],
    **settings: Any,
) -> MemoryNetwork:
    """A `MemoryNetwork` with the texts of its answers in ``model.labels``.

    ``candidates`` are their ids. ``settings`` are those of the class. Raises ValueError if labels
    and candidates are not as many, or a label is there twice.
    """
    if len(labels) != len(candidates) or len(set(labels)) != len(labels):
        raise ValueError(
            f"each candidate has one label of its own; got {len(candidates)} candidates and "
            f"{len(set(labels))} different labels"
        )
    model = MemoryNetwork(size, candidates, **settings)
    model.labels = list(labels)
    return model
