"""Is attention an explanation? Tests of faithfulness: does the model use what the scores mark?

Scores are numbers, one for each word of a text, as in `rationales`. Erasing asks what becomes of a
verdict without the words that they mark (DeYoung et al. 2020). The other tests change the weights
and leave the words alone: other weights for a trained model (Jain & Wallace 2019), a model that is
trained to have other weights, and a model that is given weights (Wiegreffe & Pinter 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from course_utils.attention import length_mask
from course_utils.batches import pad
from course_utils.models.classifiers import AttentionTextClassifier, TextClassifier, padding_last
from course_utils.recurrence import read_both_ways
from course_utils.runtime import evaluating
from course_utils.tasks.base import TaskData
from course_utils.tasks.classification.classifier import Classification, Classifier
from course_utils.tasks.classification.data import kept_positions
from course_utils.tasks.classification.rationales import per_word

__all__ = [
    "Erasure",
    "GuidedClassifier",
    "adversarial_weights",
    "divergence",
    "erase_marked",
    "erasure",
    "given_weights",
    "integrated_gradients",
    "moved_marks",
    "text_read",
    "top_words",
    "train_adversary",
    "train_guided",
]


@dataclass(frozen=True)
class Erasure:
    """What erasing words does, for each of the ``shares`` of words, averaged over the texts.

    comprehensiveness  by how much the probability of the verdict falls without the marked words;
                       large if they were needed (DeYoung et al. 2020, eq. 1)
    sufficiency        by how much it falls if only they are left; small if they are enough (eq. 2)
    turned             share of the verdicts that turn without them
    """

    shares: tuple[float, ...]
    comprehensiveness: np.ndarray
    sufficiency: np.ndarray
    turned: np.ndarray


def top_words(scores: ArrayLike, count: int, width: int = 1) -> np.ndarray:
    """Which words are marked: bools (words,), ``count`` of them True, or all of a shorter text.

    With ``width`` above 1, runs of that many neighbouring words are marked, those with the largest
    sum first; the last run is cut to ``count``.
    """
    scores = np.asarray(scores, dtype=float)
    chosen = np.zeros(len(scores), dtype=bool)
    width = max(1, min(width, len(scores)))
    sums = np.convolve(scores, np.ones(width), "valid") if len(scores) else scores
    for start in np.argsort(-sums, kind="stable"):
        free = [i for i in range(start, start + width) if not chosen[i]]
        if len(free) == width or width == 1:
            chosen[free[: count - int(chosen.sum())]] = True
        if chosen.sum() >= count:
            return chosen
    for i in np.argsort(-scores, kind="stable"):  # too few whole runs are left
        if chosen.sum() >= count:
            break
        chosen[i] = True
    return chosen


def erasure(
    classifier: Classifier,
    texts: Sequence[str],
    scores: Sequence[ArrayLike],
    shares: Sequence[float] = (0.05, 0.1, 0.2, 0.5),
    width: int = 1,
) -> Erasure:
    """Erase, and keep, the highest ``shares`` of the words between spaces; see `Erasure`.

    At least one word is erased. Raises ValueError unless every word has a score.
    """
    words = [text.split() for text in texts]
    if len(words) != len(scores) or any(
        len(w) != len(np.asarray(s)) for w, s in zip(words, scores, strict=True)
    ):
        raise ValueError("every word between spaces needs one score: were others scored?")
    before = classifier.classify(texts)
    rows = []
    for share in shares:
        marks = [
            top_words(given, max(1, round(share * len(text))), width)
            for text, given in zip(words, scores, strict=True)
        ]
        rows.append(erase_marked(classifier, texts, marks, before))
    comprehensiveness, sufficiency, turned = np.array(rows).T
    return Erasure(tuple(shares), comprehensiveness, sufficiency, turned)


def erase_marked(
    classifier: Classifier,
    texts: Sequence[str],
    marks: Sequence[ArrayLike],
    before: Sequence[Classification] | None = None,
) -> tuple[float, float, float]:
    """Comprehensiveness, sufficiency and verdicts turned (see `Erasure`) for given marks.

    ``marks`` has a bool for each word between spaces; ValueError otherwise. ``before`` are the
    verdicts on the whole texts, if they are known.
    """
    words = [text.split() for text in texts]
    given = [_bools(mark) for mark in marks]
    for name, count in (("lists of marks", len(given)), ("verdicts", len(before or words))):
        if count != len(texts):
            raise ValueError(f"{count} {name} for {len(texts)} texts: are they of other texts?")
    for text, marked in zip(words, given, strict=True):
        if len(text) != len(marked):
            raise ValueError(
                f"every word between spaces needs one mark: {len(marked)} for the {len(text)} words"
                f" of {' '.join(text)[:40]!r}; were others marked?"
            )
    without, only = [], []
    for text, marked in zip(words, given, strict=True):
        without.append(" ".join(w for w, m in zip(text, marked, strict=True) if not m))
        only.append(" ".join(w for w, m in zip(text, marked, strict=True) if m))
    before = classifier.classify(texts) if before is None else before
    triples = list(
        zip(before, classifier.classify(without), classifier.classify(only), strict=True)
    )
    return (
        float(np.mean([b.probability - e.probabilities[b.label] for b, e, _ in triples])),
        float(np.mean([b.probability - k.probabilities[b.label] for b, _, k in triples])),
        float(np.mean([b.label != e.label for b, e, _ in triples])),
    )


def _bools(marks: ArrayLike) -> np.ndarray:
    """The marks of one text, (words,); ValueError unless they are bools."""
    found = np.asarray(marks)
    if found.ndim != 1 or not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"the marks of a text are one bool for each word, got {found.dtype} of shape "
            f"{found.shape}: `top_words` makes marks of scores"
        )
    return found.astype(bool)


def moved_marks(marks: ArrayLike, seed: int) -> np.ndarray:
    """The marks of a text further on by a random number of words, those at its end at its start.

    They are as many, in runs as long as before, but on other words: a control for marks of people,
    who mark whole phrases. Raises ValueError unless there is one bool for each word.
    """
    marks = _bools(marks)
    if len(marks) < 2:
        return marks.copy()
    return np.roll(marks, np.random.default_rng(seed).integers(1, len(marks)))


def text_read(classifier: Classifier, text: str) -> tuple[str, np.ndarray]:
    """The words between spaces of which the model reads anything, and which of all they are.

    If words of a whole text are erased, a model that reads its ends alone reads other words
    instead. If words of this one are erased, it reads the others.
    """
    count = len(classifier.vocabulary.encode(text))
    scores = np.zeros(count)
    scores[kept_positions(count, classifier.model.longest)] = 1
    read = per_word(text, classifier.vocabulary.spans(text), scores) > 0
    return " ".join(w for w, r in zip(text.split(), read, strict=True) if r), read


def integrated_gradients(
    classifier: Classifier, texts: Sequence[str], steps: int = 16
) -> list[np.ndarray]:
    """|Integrated gradients| of the words between spaces (Sundararajan et al. 2017), by captum.

    From an input of zeros to the embeddings, for the logit of the predicted label; a word's pieces
    are summed.
    """
    from captum.attr import IntegratedGradients

    model, found = classifier.model, []
    with evaluating(model):
        for text in texts:
            ids = classifier.vocabulary.encode(text)
            places = kept_positions(len(ids), model.longest)
            scores = np.zeros(len(ids))
            if places:
                read = torch.tensor([[ids[i] for i in places]], device=model.device)
                embedded = model.embed(read).detach()

                def logits(x: Tensor) -> Tensor:
                    lengths = torch.full((len(x),), x.shape[1], device=x.device)
                    return model.read(x, lengths)[0]

                label = int(logits(embedded).argmax())
                parts = IntegratedGradients(logits).attribute(
                    embedded, target=label, n_steps=steps, internal_batch_size=None
                )
                scores[places] = parts.sum(dim=-1)[0].abs().detach().cpu().numpy()
            found.append(per_word(text, classifier.vocabulary.spans(text), scores))
    return found


# --- other weights ----------------------------------------------------------------------------


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """Jensen–Shannon divergence in nats of weights (…, T): from 0, if equal, to ln 2 = 0.693."""
    mean = (one + other) / 2

    def part(p: Tensor) -> Tensor:
        return torch.where(p > 0, p * (p.clamp_min(1e-12) / mean.clamp_min(1e-12)).log(), 0.0)

    return (part(one) + part(other)).sum(dim=-1) / 2


def _states(model: TextClassifier, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """States (B, T, D), the weights of the model (B, T), and the mask (B, T), PADs last."""
    ids, lengths, _ = padding_last(ids)
    embedded = model.embed(ids)
    states = embedded if model.lstm is None else read_both_ways(model.lstm, embedded, lengths)
    mask = length_mask(lengths, ids.shape[1])
    return states, model.pool(states, mask)[1], mask


def _ids(classifier: Classifier, texts: Sequence[str]) -> Tensor:
    encoded = classifier.vocabulary.encode_all(list(texts))
    longest = classifier.model.longest
    read = [[ids[i] for i in kept_positions(len(ids), longest)] for ids in encoded]
    return pad(read).to(classifier.model.device)


@torch.no_grad()
def given_weights(
    classifier: Classifier, texts: Sequence[str], change: str, seed: int = 0
) -> np.ndarray:
    """Probabilities (texts, labels) if the weights of each text are changed, all else kept.

    ``change`` is "shuffled" (among the words of the text), "uniform" or "none".
    """
    if change not in ("shuffled", "uniform", "none"):
        raise ValueError(f"change={change!r} is not one of shuffled, uniform, none")
    draw = torch.Generator().manual_seed(seed)
    with evaluating(classifier.model) as model:
        states, weights, mask = _states(model, _ids(classifier, texts))
        counts = mask.sum(dim=1)
        if change == "uniform":
            weights = mask / counts.clamp_min(1)[:, None]
        elif change == "shuffled":
            weights = weights.clone()
            for row, n in enumerate(counts.tolist()):
                weights[row, :n] = weights[row, torch.randperm(n, generator=draw)]
        logits = model.fc((weights[:, None, :].to(states.dtype) @ states).squeeze(1))
    return (logits / classifier.temperature).softmax(dim=-1).cpu().double().numpy()


def adversarial_weights(
    classifier: Classifier,
    texts: Sequence[str],
    epsilon: float = 0.01,
    steps: int = 150,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights as far from the model's as can be found that keep its prediction.

    Returns their divergence (texts,), 0 where none were found, and by how much the probability of
    the label moves (texts,), at most ``epsilon`` (Jain & Wallace 2019, section 4.2.2, with gradient
    steps from a random start).
    """
    torch.manual_seed(seed)
    with evaluating(classifier.model) as model:
        with torch.no_grad():
            states, weights, mask = _states(model, _ids(classifier, texts))
            context = (weights[:, None, :] @ states).squeeze(1)
            given = model.fc(context).softmax(dim=-1)
        raw = torch.randn(weights.shape).requires_grad_()
        optimizer = torch.optim.Adam([raw], lr=0.2)
        best, moved = torch.zeros(len(weights)), torch.zeros(len(weights))
        for _step in range(steps):
            other = raw.masked_fill(~mask, -torch.inf).softmax(dim=-1)
            logits = model.fc((other[:, None, :] @ states).squeeze(1))
            off = (logits.softmax(dim=-1) - given).abs().sum(dim=-1) / 2
            apart = divergence(weights, other)
            better = (off <= epsilon) & (apart > best)
            best = torch.where(better, apart.detach(), best)
            moved = torch.where(better, off.detach(), moved)
            loss = (20 * (off - epsilon / 2).clamp_min(0) - apart).sum()
            (raw.grad,) = torch.autograd.grad(loss, raw)
            optimizer.step()
    return best.numpy(), moved.numpy()


def train_adversary(
    base: Classifier, data: TaskData, weight: float, steps: int, seed: int
) -> Classifier:
    """A model trained to give the verdicts of ``base`` for other reasons.

    Wiegreffe & Pinter 2019, eq. 2: the loss is TVD(p, p_base) − λ KL(α_base ‖ α); ``weight`` is λ.
    """
    torch.manual_seed(1000 + seed)
    old = base.model
    model = AttentionTextClassifier(
        len(base.vocabulary),
        old.embedding.embedding_dim,
        old.width // 2,
        len(old.labels),
        dropout=0.1,
    )
    model.labels, model.longest = old.labels, old.longest
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    batches = data.batches(2000, seed).forever()
    with evaluating(old):
        for _step in range(steps):
            ids = next(batches).source
            with torch.no_grad():
                logits, weights = old.attend(ids)
            mine, others = model.attend(ids)
            apart = (logits.softmax(dim=-1) - mine.softmax(dim=-1)).abs().sum(dim=-1) / 2
            ratio = (weights.clamp_min(1e-9) / others.clamp_min(1e-9)).log()
            kl = (weights * ratio).sum(dim=-1)
            loss = (apart - weight * kl).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return Classifier(model.eval(), base.vocabulary)


class GuidedClassifier(nn.Module):
    """A classifier without recurrence that is *given* its weights (Wiegreffe & Pinter 2019, 3.4).

    Each word's embedding passes a hidden layer on its own; the weighted sum of the results decides.
    If the weights of an LSTM help it more than equal ones do, they say something that does not
    depend on that LSTM's states.
    """

    def __init__(self, vocab_size: int, embed_dim: int, num_classes: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.hidden = nn.Linear(embed_dim, 2 * embed_dim)
        self.fc = nn.Linear(2 * embed_dim, num_classes)

    def forward(self, ids: Tensor, weights: Tensor) -> Tensor:
        """ids (B, T), weights (B, T) → logits (B, C)."""
        states = torch.tanh(self.hidden(self.embedding(ids)))
        return self.fc((weights[:, None, :] @ states).squeeze(1))


def train_guided(
    guide: Classifier | None, data: TaskData, test: Sequence, steps: int, seed: int
) -> float:
    """Accuracy on ``test`` of a `GuidedClassifier` with the weights of ``guide``; None: equal ones.

    ``test`` are pairs of the task.
    """
    torch.manual_seed(2000 + seed)
    model = GuidedClassifier(len(data.vocabulary), 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    @torch.no_grad()
    def weights(ids: Tensor) -> Tensor:
        if guide is None:
            words = ids != 0
            return words / words.sum(dim=1, keepdim=True).clamp_min(1)
        with evaluating(guide.model):
            return guide.model.attend(ids)[1]

    batches = data.batches(2000, seed).forever()
    for _step in range(steps):
        batch = next(batches)
        logits = model(batch.source, weights(batch.source))
        loss = nn.functional.cross_entropy(logits, batch.target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    examples = data.to_examples(test)
    ids = pad([example.source for example in examples])  # type: ignore[misc]
    with torch.no_grad():
        found = model(ids, weights(ids)).argmax(dim=-1).tolist()
    return float(np.mean([a == e.target[0] for a, e in zip(found, examples, strict=True)]))
