"""Models that answer questions about pictures: a picture and a question → the logits of answers.

They differ in what reaches the last layers:

`StackedAnswerer`  the question asks the picture one or several times (stacked attention)
`PooledAnswerer`   the question, and one pooled vector for the whole picture
`QuestionOnly`     the question alone
`PictureOnly`      the pooled picture alone

Shape letters: P pictures, Q questions, Tk grid cells, D width, K hops, C answers.

Built by hand in notebook 09, imported from there on.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from course_utils.attention import AdditiveScore, Attention, Score
from course_utils.batches import Padded
from course_utils.checks import check_tensor, check_texts
from course_utils.memory import Memory
from course_utils.models.image_encoders import ImageEncoder
from course_utils.models.text_encoder import TextEncoder

__all__ = [
    "KINDS",
    "Answerer",
    "PictureOnly",
    "PlannedScore",
    "PooledAnswerer",
    "QuestionOnly",
    "StackedAnswerer",
    "StackedAttention",
    "build_answerer",
]


class PlannedScore(Score):
    """e_i = f(u) · W h_i / √D with f(u) = norm(u) + W_2 relu(W_1 norm(u)): think before you ask.

    A hop that looks for what is *left of* the thing found before has to work out a place from a
    word and another place. The network f does that before the query is compared with the keys;
    the additive score would have to do it while it compares.
    """

    def __init__(self, query_dim: int, key_dim: int):
        super().__init__(query_dim, key_dim)
        self.norm = nn.LayerNorm(query_dim)
        self.plan = nn.Sequential(
            nn.Linear(query_dim, 2 * query_dim),
            nn.ReLU(),
            nn.Linear(2 * query_dim, query_dim),
        )
        self.W = nn.Linear(key_dim, query_dim, bias=False)

    def prepare(self, keys: Tensor) -> Tensor:
        return self.W(super().prepare(keys))

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        self.check(query, prepared)
        query = self.norm(query)
        planned = query + self.plan(query)
        return planned @ prepared.transpose(1, 2) / planned.shape[-1] ** 0.5


class StackedAttention(nn.Module):
    """The question asks the picture K times: u ← u + context (Yang et al. 2016, section 3.3).

    The first query is the question's vector u. Each hop attends to the picture and adds what it
    finds to u, so that the next hop asks with what the last one has found. Each hop has a score of
    its own; keys and values are the cells of the picture.

    hops           K, at least 1
    attention_dim  width of the additive score's hidden layer, by default ``width``
    plan           True replaces the additive score, the paper's, by a `PlannedScore`
    separate       True gives each hop a matrix for what it reads, u ← u + V_k context, so that what
                   one hop has read can be told from what another has
    """

    def __init__(
        self,
        width: int,
        hops: int = 2,
        attention_dim: int | None = None,
        plan: bool = False,
        separate: bool = False,
    ):
        super().__init__()
        if hops < 1:
            raise ValueError(f"stacked attention has at least one hop, got hops={hops}")
        self.hops = nn.ModuleList(
            Attention(
                PlannedScore(width, width) if plan else AdditiveScore(width, width, attention_dim)
            )
            for _ in range(hops)
        )
        self.reads = nn.ModuleList(
            nn.Linear(width, width, bias=False) if separate else nn.Identity() for _ in range(hops)
        )

    def forward(
        self, question: Tensor, memory: Memory, picture_of: Tensor
    ) -> tuple[Tensor, Tensor]:
        """question (Q, D), the memory of P pictures → u (Q, D), weights (Q, K, Tk).

        ``picture_of`` (Q,) says which picture each question is about: what a score computes from
        the keys alone is computed once for each picture.
        """
        check_tensor("question", question, len(picture_of), memory.keys.shape[2])
        values, mask = memory.values[picture_of], memory.attend_mask[picture_of]
        u, weights = question, []
        for attention, read in zip(self.hops, self.reads, strict=True):
            keys = cast(Attention, attention).prepare(memory.keys)[picture_of]
            context, found = attention(u[:, None], keys, values, attend_mask=mask, prepared=True)
            u = u + read(context.squeeze(1))
            weights.append(found)
        return u, torch.cat(weights, dim=1)


class Answerer(nn.Module):
    """picture and question → one vector u → hidden layer → logits. Subclasses say what u is.

    vocabulary_size  number of word ids; PAD is 0
    answers          C, the number of logits
    width            D, of the picture's cells, the question's vector and u
    embedding_dim    width of the words' embeddings
    hidden_dim       width of the layer before the logits
    dropout          on the memory of the picture, the question and the hidden layer
    side             of the pictures, in pixels
    positions        False leaves out the position vectors of the grid's cells
    channels         of the four convolutions
    frozen           True: the convolutions do not learn
    """

    labels: list[str]  # set by `build_answerer`

    def __init__(
        self,
        vocabulary_size: int,
        answers: int,
        *,
        width: int = 128,
        embedding_dim: int = 64,
        hidden_dim: int = 128,
        dropout: float = 0.1,
        side: int = 64,
        positions: bool = True,
        channels: Sequence[int] = (16, 32, 64, 64),
        frozen: bool = False,
    ):
        super().__init__()
        self.encoder = ImageEncoder(width, dropout, positions, side, tuple(channels))
        self.encoder.convolutions.requires_grad_(not frozen)
        self.reader = TextEncoder(vocabulary_size, embedding_dim, width, dropout)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(
            nn.Linear(width, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, answers),
        )

    def combine(
        self, question: Tensor, memory: Memory, picture_of: Tensor
    ) -> tuple[Tensor, Tensor]:
        """question (Q, D), the memory of P pictures → u (Q, D), weights (Q, K, Tk)."""
        raise NotImplementedError("an answerer makes one vector of picture and question here")

    def attend(
        self, pictures: Tensor, questions: Padded, picture_of: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (Q, C), and weights (Q, K, Tk); K is 0 for models without attention.

        ``pictures`` (P, 3, side, side) bytes; ``questions`` rows (Q, Tq) and lengths (Q,);
        ``picture_of`` (Q,) says which picture each question is about, so that a picture with
        several questions is encoded once.
        """
        question = self.norm(self.reader.encode(*questions).summary)
        u, weights = self.combine(question, self.encoder.encode(pictures), picture_of)
        return self.head(u), weights

    def forward(self, pictures: Tensor, questions: Padded, picture_of: Tensor) -> Tensor:
        """The logits of `attend`."""
        return self.attend(pictures, questions, picture_of)[0]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device


class StackedAnswerer(Answerer):
    """u is the question and all that it has found in the picture, in ``hops`` hops."""

    def __init__(
        self,
        *args: Any,
        hops: int = 2,
        attention_dim: int | None = None,
        plan: bool = False,
        separate: bool = False,
        **settings: Any,
    ):
        super().__init__(*args, **settings)
        width = self.encoder.memory_dim
        self.attention = StackedAttention(width, hops, attention_dim, plan, separate)

    def combine(
        self, question: Tensor, memory: Memory, picture_of: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.attention(question, memory, picture_of)


class PooledAnswerer(Answerer):
    """u is the question plus the mean of all cells: attention with equal weights, and one hop."""

    def combine(
        self, question: Tensor, memory: Memory, picture_of: Tensor
    ) -> tuple[Tensor, Tensor]:
        u = question + memory.summary[picture_of]
        return u, u.new_zeros(len(u), 0, memory.keys.shape[1])


class QuestionOnly(Answerer):
    """u is the question: what can be guessed without the picture, which it does not look at."""

    def attend(
        self, pictures: Tensor, questions: Padded, picture_of: Tensor
    ) -> tuple[Tensor, Tensor]:
        question = self.norm(self.reader.encode(*questions).summary)
        return self.head(question), question.new_zeros(
            len(question), 0, (self.encoder.side // 8) ** 2
        )


class PictureOnly(Answerer):
    """u is the mean of all cells: what can be guessed without the question."""

    def combine(
        self, question: Tensor, memory: Memory, picture_of: Tensor
    ) -> tuple[Tensor, Tensor]:
        u = memory.summary[picture_of]
        return u, u.new_zeros(len(u), 0, memory.keys.shape[1])


KINDS: dict[str, type[Answerer]] = {
    "picture": PictureOnly,
    "pooled": PooledAnswerer,
    "question": QuestionOnly,
    "stacked": StackedAnswerer,
}


def build_answerer(
    size: int, *, labels: list[str], kind: str = "stacked", **settings: Any
) -> Answerer:
    """An answerer of one of the `KINDS`, with the answers that it knows in ``model.labels``.

    ``settings`` are those of the class. Raises ValueError for an unknown ``kind``, and for labels
    that are not a list of different texts.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; choose from {', '.join(KINDS)}")
    labels = check_texts("labels", labels)
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"labels are the answers, all different; got {labels[:8]}")
    model = KINDS[kind](size, len(labels), **settings)
    model.labels = list(labels)
    return model
