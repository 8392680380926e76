"""Diagnosis: which of the classical faults does a model have? By measurement only.

`diagnose` runs the model and compares: an example alone and in a batch with longer ones, an output
before and after a later token is changed, the probability that a search reports and the one that
the decoder gives. It reads no code, and it does not look for a name. So it finds a fault wherever
it sits, in a mask, a class or a batch, and says nothing about a healthy model.

    for finding in diagnose(model):                        # with random inputs
        print(finding)
    diagnose(model, data.to_examples(pairs), trained=True) # with real ones, for two more checks

The faults are named in `FAULTS`. A fault often causes others: a softmax over the wrong axis lets
padding in as well. Where one finding explains the next checks, these are left out. Mend it, and run
`diagnose` again.

Taught in notebook 11.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.attention import Attention, DotScore, MultiHeadAttention, ScaledDotScore
from course_utils.batches import Batch, Example, make_batch
from course_utils.messages import _, localised, marked
from course_utils.models.answerers import Answerer
from course_utils.models.classifiers import TextClassifier
from course_utils.models.image_encoders import PhotoEncoder
from course_utils.models.memory_network import MemoryNetwork, StoryBatch
from course_utils.models.seq2seq import LanguageModel
from course_utils.models.speech_encoder import SpeechEncoder
from course_utils.models.transformer import TransformerDecoder
from course_utils.runtime import evaluating
from course_utils.search import Hypothesis, beam_search, greedy_search, length_penalty
from course_utils.training import Loss, attention_loss
from course_utils.vocabulary import BOS, EOS, PAD, UNK

__all__ = ["FAULTS", "Finding", "diagnose", "random_examples", "report"]

# Each fault, and where to look for it.
FAULTS = {
    "softmax axis": marked("softmax over the wrong axis: it has to be that of the keys"),
    "mask polarity": marked("a mask the wrong way round: True has to mean that a key may be seen"),
    "targets not shifted": marked("the decoder reads the token that it has to predict"),
    "leak from the future": marked("a position reads tokens that come after it"),
    "padding": marked("the rest of the batch changes the output of an example"),
    "padding, backward": marked("the rest of the batch changes the gradient of an example"),
    "padding in the loss": marked("the loss of a batch is not the mean over its predictions"),
    "scale": marked("a dot product that is not divided by √D"),
    "steps": marked("one token at a time gives something else than all at once"),
    "beam": marked("the beam mixes up its rows: states, tokens or probabilities"),
    "random at test time": marked("the same input gives different outputs: training mode is on"),
    "vocabulary": marked("the ids mean something else to the model: vocabularies are mixed up"),
}
BEAM = 4  # hypotheses
TOLERANCE = 1e-3  # of the spread of what is compared; rounding is a hundred times smaller


@dataclass(frozen=True)
class Finding:
    """A fault, one of `FAULTS`, and what was measured."""

    fault: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.fault}: {localised(FAULTS[self.fault])} ({self.evidence})"


Run = Callable[[nn.Module, Batch], tuple[Tensor, Tensor | None]]
Collate = Callable[[Sequence[Example]], Batch]


def diagnose(
    model: nn.Module,
    examples: Sequence[Example] | None = None,
    *,
    collate: Collate | None = None,
    run: Run | None = None,
    loss: Loss | None = None,
    search: Callable[..., list[list[Hypothesis]]] = beam_search,
    predict: Callable[[], Any] | None = None,
    trained: bool = False,
) -> list[Finding]:
    """What is wrong with a model; an empty list if the checks find nothing.

    model     of any task; it is tested in evaluation mode and left as it was. A Transformer decoder
              without a memory counts as a language model
    examples  at least two, of different lengths; by default random ones, which fit the model
    collate   makes a batch of them, by default `make_batch`, or what the model needs
    run       ``run(model, batch)`` → logits (B, C) or (B, Tt, V), weights (B, …, Tk) or None; by
              default, the call that the models of the course have
    loss      is checked as well if it is given; for a `Seq2Seq`, it is `attention_loss` unless said
              otherwise
    search    a beam search with the arguments of `beam_search`; for models with a decoder
    predict   a function without arguments that predicts with the model, as its users do
    trained   True: the model has learnt from examples like these, so they have to mean something to
              it

    Raises ValueError for fewer than two examples, or if ``trained`` comes without examples.
    """
    model = _whole(model)
    if examples is None and trained:
        raise ValueError("trained=True needs real examples: random ones mean nothing to any model")
    if examples is None:
        examples = random_examples(model)
        collate = collate or _collate_of(model)
    if len(examples) < 2:
        raise ValueError(f"needs at least two examples, to put one beside another: {len(examples)}")
    if loss is None and hasattr(model, "decoder"):
        loss = attention_loss
    case = _Case(model, list(examples), collate or _collate_of(model), run or _run, loss, search)
    findings = []
    if predict is not None:
        findings += case.mode(predict)
    with evaluating(model):
        findings += case.deterministic()
        if findings:  # nothing can be compared with itself
            return findings
        findings += case.axis()
        if not findings:
            findings += case.future()
            findings += case.polarity()
        if not findings:
            findings += case.padding()
        if not findings:
            findings += case.loss_of_batch()
        if not findings:
            findings += case.scale()
        if not findings and hasattr(model, "decoder"):
            findings += case.steps() or case.beam()
            findings += case.copies() if trained else []
        if trained and not findings:
            findings += case.meaning()
    return list({finding.fault: finding for finding in findings}.values())


def report(findings: Sequence[Finding]) -> None:
    """Print findings, one a line, or that there are none."""
    for finding in findings:
        print("✘ " + str(finding))
    if not findings:
        print(_("✔ no fault found"))


def random_examples(model: nn.Module, seed: int = 0) -> list[Example]:
    """Four random examples of different lengths that a model of the course can read.

    Raises TypeError for other models.
    """
    draw = torch.Generator().manual_seed(seed)

    def ids(count: int, size: int) -> list[int]:
        return torch.randint(UNK + 1, size, (count,), generator=draw).tolist()

    model, lengths = _whole(model), (4, 11, 7, 9)
    if isinstance(model, MemoryNetwork):
        size, answers = model.embedding.num_embeddings, len(model.candidates)
        return [
            Example(
                [tuple(ids(3 + i, size)) for i in range(n // 2)],  # type: ignore[arg-type]
                [n % answers],
                {"question": ids(n, size)},
            )
            for n in lengths
        ]
    if isinstance(model, Answerer):
        size = model.reader.embedding.num_embeddings
        return [
            Example(_source(model.encoder, n, draw), [1], {"question": ids(n, size)})
            for n in lengths
        ]
    table = getattr(model, "embedding", None)
    if isinstance(table, nn.Embedding):
        return [Example(ids(n, table.num_embeddings), [n % 2]) for n in lengths]
    decoder = getattr(model, "decoder", None)
    if decoder is None:
        raise TypeError(
            f"no random examples are known for a {type(model).__name__}: give examples of your own"
        )
    size = decoder.embedding.num_embeddings
    sources = [_source(getattr(model, "encoder", None), n, draw) for n in lengths]
    return [Example(s, ids(n + 1, size)) for s, n in zip(sources, lengths, strict=True)]


def _whole(model: nn.Module) -> nn.Module:
    """A bare decoder that is a language model, as a `LanguageModel`; other models as they are."""
    alone = isinstance(model, TransformerDecoder) and model.memory_dim is None
    return LanguageModel(model) if alone else model


def _source(encoder: Any, length: int, draw: torch.Generator) -> Any:
    """A random source of about ``length`` positions for an encoder."""
    table = getattr(encoder, "embedding", None)
    if encoder is None or isinstance(table, nn.Embedding):
        size = 8 if table is None else table.num_embeddings
        return torch.randint(UNK + 1, size, (length,), generator=draw).tolist()
    if isinstance(encoder, SpeechEncoder):
        frames = encoder.reduction * (length - 1) + 1  # odd at every halving
        return torch.randn(frames, encoder.mels, generator=draw)
    if isinstance(encoder, PhotoEncoder):
        shape: tuple[int, ...] = (len(encoder.places), encoder.feature_dim)
    else:
        shape = (3, encoder.side, encoder.side)
    return torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)


def _collate_of(model: nn.Module) -> Collate:
    if isinstance(model, MemoryNetwork):
        return lambda examples: StoryBatch.of(
            [example.source for example in examples],  # type: ignore[misc]
            [example.others["question"] for example in examples],  # type: ignore[misc]
            [example.target[0] for example in examples],
        )
    return make_batch


def _run(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Logits and weights, whatever the model of the course."""
    if isinstance(model, MemoryNetwork):
        return model.attend(batch)  # type: ignore[arg-type]
    if isinstance(model, Answerer):
        of = getattr(batch, "picture_of", torch.arange(len(batch.source)))
        return model.attend(batch.source, batch.others["question"], of)
    if isinstance(model, TextClassifier) or hasattr(model, "attend"):
        return model.attend(batch.source)  # type: ignore[operator]
    found = model(batch)
    return found if isinstance(found, tuple) else (found, None)


@dataclass
class _Case:
    """A model with its examples; each method is one check and returns its findings."""

    model: nn.Module
    examples: list[Example]
    collate: Collate
    run: Run
    loss: Loss | None
    search: Callable[..., list[list[Hypothesis]]]

    def batch(self, *numbers: int) -> Batch:
        """A batch of some of the examples; of all, if none is named."""
        chosen = [self.examples[i] for i in numbers] if numbers else self.examples
        device = next(self.model.parameters()).device
        return self.collate(chosen).to(device)

    def outputs(self, batch: Batch) -> tuple[Tensor, list[tuple[str, Tensor]]]:
        """Logits, and the weights of every attention inside, with a name each."""
        with _watched(self.model) as seen:
            logits, weights = self.run(self.model, batch)
        found = [(name, w) for name, w, _ in seen]
        if weights is not None:
            found.append((_("the model"), weights))
        return logits, found

    def deterministic(self) -> list[Finding]:
        with torch.no_grad():
            once, again = (self.run(self.model, self.batch())[0] for _ in range(2))
        if torch.equal(torch.nan_to_num(once), torch.nan_to_num(again)):
            return []
        off = _("in evaluation mode, two calls differ by {x:.3g}")
        return [Finding("random at test time", off.format(x=_largest(once - again)))]

    def mode(self, predict: Callable[[], Any]) -> list[Finding]:
        """Does ``predict`` give the same twice, inside and outside, and is all in evaluation mode?

        Two predictions after the same seed do not differ, so the mode is looked at as well.
        """
        before = {name: value.clone() for name, value in self.model.named_buffers()}
        with _training_parts(self.model) as training:
            (once, inside), (again, inside_again) = (self._traced(predict) for _ in range(2))
        moved = [n for n, v in self.model.named_buffers() if not torch.equal(v, before[n])]
        same = len(inside) == len(inside_again) and all(
            torch.equal(a.nan_to_num(), b.nan_to_num())
            for a, b in zip(inside, inside_again, strict=True)
        )
        if moved:
            text = _("predicting changes {names}").format(names=", ".join(moved[:3]))
        elif not same or once != again:
            text = _("two predictions for the same input differ")
        elif training:
            text = _("in training mode: {names}").format(names=", ".join(sorted(training)[:3]))
        else:
            return []
        return [Finding("random at test time", text)]

    def _traced(self, predict: Callable[[], Any]) -> tuple[str, list[Tensor]]:
        """What ``predict`` returns, and the sums of the tensors that the model's parts return."""
        found: list[Tensor] = []

        def note(_part: nn.Module, _given: Any, out: Any) -> None:
            if isinstance(out, Tensor) and out.is_floating_point():
                found.append(out.detach().cpu().double().sum())

        hooks = [part.register_forward_hook(note) for part in self.model.modules()]
        try:
            return repr(predict()), found
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def axis(self) -> list[Finding]:
        """Alone, without padding, the weights of a query have to sum to one (or be zero)."""
        _logits, found = self.outputs(self.batch(0))
        for name, weights in found:
            sums = weights.cpu().double().sum(dim=-1)
            wrong = (sums.abs() > 1e-3) & ((sums - 1).abs() > 1e-3)
            if wrong.any() or not weights.isfinite().all():
                worst = sums[wrong].flatten()[:1].tolist() or [math.nan]
                text = _("{name}: the weights of one query sum to {x:.3g}")
                return [Finding("softmax axis", text.format(name=name, x=worst[0]))]
        return []

    @torch.no_grad()
    def polarity(self) -> list[Finding]:
        """Beside a longer example, an example's attention may not lie on its padding."""
        for short, long in self.pairs():
            _logits, alone = self.outputs(self.batch(short))
            _logits, beside = self.outputs(self.batch(short, long))
            for (name, a), (_name, b) in zip(alone, beside, strict=False):
                own, row = a.shape[-1], b[0]
                if row.dim() > 1:
                    row = row[..., : a.shape[-2], :]
                total = float(row.sum())
                outside = float(row[..., own:].sum())
                dark = float(a.sum()) < 1e-3 < total
                if dark or (row.shape[-1] > own and total and outside / total > 0.9):
                    text = _("{name}: {x:.0%} of the attention lies on padding")
                    share = outside / total if total else 1.0
                    return [Finding("mask polarity", text.format(name=name, x=share))]
        return []

    @torch.no_grad()
    def future(self) -> list[Finding]:
        """Changing a token may change only what comes after it, and has to change what is next."""
        number = max(range(len(self.examples)), key=lambda i: len(self.examples[i].target))
        batch = self.batch(number)
        if batch.target.dim() != 2 or len(self.examples[number].target) < 2:
            return []
        return self._leaks(batch) or self._shifts(batch)

    @staticmethod
    def _changed(batch: Batch) -> Iterator[tuple[int, Batch]]:
        """For each place of the target but that of BOS, a batch with another token there."""
        for place in range(1, batch.target.shape[1]):
            other = batch.target.clone()
            other[0, place] = next(t for t in (UNK + 1, UNK + 2) if t != int(other[0, place]))
            yield place, replace(batch, target=other)

    def _leaks(self, batch: Batch) -> list[Finding]:
        """The decoder itself reads the token at each place, EOS included."""
        decoder = getattr(self.model, "decoder", None)
        if decoder is None:
            return []
        memory = self._memory(batch)
        before = decoder(memory, batch.target)[0]
        for place, changed in self._changed(batch):
            off = _moved(before, decoder(memory, changed.target)[0])
            if off[:place].any():
                text = _("a change of token {i} changes the output at position {t}")
                upside_down = self._looks_back(batch) < 0.02
                fault = "mask polarity" if upside_down else "leak from the future"
                return [Finding(fault, text.format(i=place, t=int(off.nonzero()[0])))]
        return []

    def _shifts(self, batch: Batch) -> list[Finding]:
        """A target is predicted from the one before it, and not from itself or from later ones."""
        before = self.run(self.model, batch)[0]
        next_moves = later_moves = False
        for place, changed in self._changed(batch):
            off = _moved(before, self.run(self.model, changed)[0])
            if off[:place].any():
                first = int(off.nonzero()[0])
                text = _("a change of target {i} changes the prediction of target {t}")
                fault = "targets not shifted" if first == place - 1 else "leak from the future"
                return [Finding(fault, text.format(i=place, t=first + 1))]
            next_moves |= bool(off[place : place + 1].any())
            later_moves |= bool(off[place + 1 :].any())
        if next_moves or not later_moves:
            return []
        text = _(
            "no target changes the prediction of the next one, but of later ones: shifted twice"
        )
        return [Finding("targets not shifted", text)]

    def _looks_back(self, batch: Batch) -> float:
        """The smallest share of attention on earlier positions, among the decoder's own maps."""
        shares = [1.0]
        for name, weights in self.outputs(batch)[1]:
            own = name.startswith("decoder") and "memory" not in name
            if own and weights.shape[-1] == weights.shape[-2]:
                shares.append(float(weights.tril(-1).sum() / weights.sum().clamp_min(1e-9)))
        return min(shares)

    @torch.no_grad()
    def copies(self) -> list[Finding]:
        """A decoder that was trained on unshifted targets predicts the token that it reads."""
        batch = self.batch(0)
        size = getattr(getattr(self.model.decoder, "embedding", None), "num_embeddings", 0)
        if size < 12:
            return []
        draw = torch.Generator().manual_seed(1)
        count = min(12, size - EOS - 1)
        tokens = torch.randperm(size - UNK - 1, generator=draw)[:count] + UNK + 1
        given = torch.cat([torch.tensor([BOS]), tokens, torch.tensor([EOS])])[None]
        given = given.to(batch.target.device)
        logits, _weights = self.run(self.model, replace(batch, target=given))
        share = float((logits[0].argmax(dim=-1) == given[0, :-1])[1:].cpu().double().mean())
        if share < 0.5:
            return []
        text = _("it predicts the token that it has just read, in {x:.0%} of the positions")
        return [Finding("targets not shifted", text.format(x=share))]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """The shortest example with the longest, and the other way round."""

        def size(i: int) -> tuple[int, ...]:
            example = self.examples[i]
            return (len(example.source), *(len(x) for x in example.others.values()))

        order = sorted(range(len(self.examples)), key=size)
        yield order[0], order[-1]
        yield order[-1], order[0]

    def padding(self) -> list[Finding]:
        """An example alone, and beside others: the same output and the same gradient.

        Beside one in the first row, and between two in the second.
        """
        for one, other in self.pairs():
            alone, back = self._pulled(one, self.batch(one), 0)
            for batch, row in ((self.batch(one, other), 0), (self.batch(other, one, other), 1)):
                beside, back_beside = self._pulled(one, batch, row)
                beside = beside[..., : alone.shape[-1]]  # a pointer's row is wider
                if not _same(alone, beside):
                    text = _("beside another example, an output moves by {x:.3g}")
                    return [Finding("padding", text.format(x=_largest(alone - beside)))]
                off = _distance(back, back_beside)
                if not off <= 10 * TOLERANCE:
                    text = _("beside another example, the gradient moves by {x:.2%}")
                    return [Finding("padding, backward", text.format(x=off))]
            if found := self._padding_of_ctc(one, other):
                return found
        return []

    def _pulled(
        self, number: int, batch: Batch, row: int
    ) -> tuple[Tensor, Sequence[Tensor | None]]:
        """The logits of an example, in a row of a batch, and the gradient of a mixture of them."""
        logits = self.run(self.model, batch)[0][row]
        if logits.dim() == 2:
            logits = logits[: len(self.examples[number].target) + 1]
        pull = torch.linspace(-1, 1, logits.numel(), device=logits.device)
        # Log probabilities may be −∞ where a token is impossible.
        kept = logits.flatten().isfinite()
        total = (logits.flatten()[kept].tanh() * pull[kept]).sum()
        if not total.requires_grad:  # a frozen model
            return logits, ()
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        return logits.detach(), torch.autograd.grad(total, parameters, allow_unused=True)

    @torch.no_grad()
    def _padding_of_ctc(self, one: int, other: int) -> list[Finding]:
        """The same of a second output that reads the memory alone."""
        if not hasattr(self.model, "ctc_log_probs"):
            return []
        batches = (self.batch(one), self.batch(one, other))
        alone, beside = (self.model.ctc_log_probs(self._memory(b))[0] for b in batches)  # type: ignore[operator]
        beside = beside[: len(alone)]
        if _same(alone, beside):
            return []
        text = _("beside another example, the output of CTC moves by {x:.3g}")
        return [Finding("padding", text.format(x=_largest(alone - beside)))]

    @torch.no_grad()
    def loss_of_batch(self) -> list[Finding]:
        """The loss of a batch is the mean of its parts, weighted by the predictions in them."""
        if self.loss is None:
            return []
        parts = [self.batch(i) for i in range(len(self.examples))]
        if self._ignores_last(self.loss, parts[0]):
            return [Finding("targets not shifted", _("the last target does not count in the loss"))]
        counts = [part.target_tokens for part in parts]
        singles = [float(self.loss(self.model, part, 0.0)) for part in parts]
        expected = sum(n * x for n, x in zip(counts, singles, strict=True)) / sum(counts)
        together = float(self.loss(self.model, self.batch(), 0.0))
        if abs(together - expected) <= 0.1 * TOLERANCE * (1 + abs(expected)):
            return []
        text = _("a batch has the loss {x:.3f}, the mean of its examples is {y:.3f}")
        return [Finding("padding in the loss", text.format(x=together, y=expected))]

    def _ignores_last(self, loss: Loss, batch: Batch) -> bool:
        """Whether the loss stays when EOS is replaced: it compares with what the decoder reads."""
        if batch.target.dim() != 2:
            return False
        other = batch.target.clone()
        other[0, -1] = UNK + 1
        changed = replace(batch, target=other)
        return float(loss(self.model, batch, 0.0)) == float(loss(self.model, changed, 0.0))

    @torch.no_grad()
    def scale(self) -> list[Finding]:
        """How fast do the logarithms of the weights grow with the dot product? With 1/√D."""
        with _watched(self.model) as seen:
            self.run(self.model, self.batch(0))
        for name, weights, products in seen:
            if products is None:
                continue
            dots, width = products
            expected = 1 / math.sqrt(width)
            heads = [(dots, weights)]
            if dots.dim() == 4:  # one slope for each head
                heads = list(zip(dots.unbind(1), weights.unbind(1), strict=True))
            slopes = [x for d, w in heads if (x := _slope(d, w)) is not None]
            slope = max(slopes, key=lambda x: abs(math.log(max(x, 1e-9) / expected)), default=None)
            if slope is not None and not 0.8 < slope / expected < 1.25:
                text = _("{name}: the scores are {x:.3g} times the dot product, 1/√{D} = {y:.3g}")
                return [Finding("scale", text.format(name=name, x=slope, D=width, y=expected))]
        return []

    @torch.no_grad()
    def steps(self) -> list[Finding]:
        """One token at a time gives the logits of all at once."""
        decoder, batch = self.model.decoder, self.batch(0)
        if not hasattr(decoder, "step") or batch.target.dim() != 2:
            return []
        memory = self._memory(batch)
        whole = decoder(memory, batch.target_in)[0]  # type: ignore[operator]
        state, rows = decoder.start(1 if memory is None else memory), []  # type: ignore[operator]
        for token in batch.target_in[0]:
            logits, state, _weights = decoder.step(state, token[None])  # type: ignore[operator]
            rows.append(logits[0])
        stepped = torch.stack(rows)
        if _same(whole[0], stepped):
            return []
        text = _("step by step, an output moves by {x:.3g}")
        return [Finding("steps", text.format(x=_largest(whole[0] - stepped)))]

    def _memory(self, batch: Batch) -> Any:
        return self.model.remember(batch) if hasattr(self.model, "remember") else None

    @torch.no_grad()
    def beam(self) -> list[Finding]:
        """A hypothesis is as probable as the decoder says; none twice; the best beats greedy.

        Searched with α = 0, where the score is the log probability, and with α = 1.
        """
        decoder = self.model.decoder
        if not hasattr(decoder, "step"):
            return []
        memory = self._memory(self.batch())
        count = {"batch_size": len(self.examples)} if memory is None else {}
        found = self.search(decoder, memory, BEAM, 9, 0.0, BEAM, **count)
        ranked = self.search(decoder, memory, BEAM, 9, 1.0, BEAM, **count)
        for row, hypotheses in enumerate(found):
            if text := _disorder(hypotheses, 0.0) or _disorder(ranked[row], 1.0):
                return [Finding("beam", _("example {i}: {what}").format(i=row, what=text))]
            for hypothesis in hypotheses:
                if text := self._contradiction(memory, row, hypothesis):
                    return [Finding("beam", text)]
        greedy = greedy_search(decoder, memory, 9, 0.0, **count)  # type: ignore[arg-type]
        better = sum(_beaten(row, quick) for row, quick in zip(found, greedy, strict=True))
        if better <= len(found) / 2:
            return []
        text = _("greedy search finds something more probable for {n} of {all} examples")
        return [Finding("beam", text.format(n=better, all=len(found)))]

    def _contradiction(self, memory: Any, row: int, hypothesis: Hypothesis) -> str:
        """What the decoder says otherwise when it reads a hypothesis at once; "" if nothing."""
        given, looks = self._reread(memory, row, hypothesis)
        if not abs(given - hypothesis.log_prob) <= TOLERANCE * (1 + abs(given)):
            text = _("the search reports a log probability of {x:.2f}, the decoder {y:.2f}")
            return text.format(x=hypothesis.log_prob, y=given)
        seen = hypothesis.attention
        if seen is not None and looks is not None and seen.shape == looks.shape:
            off = _largest(seen - looks.cpu())
            if off > 10 * TOLERANCE:
                text = _("the search reports weights that differ by {x:.2g} from the decoder's")
                return text.format(x=off)
        return ""

    def _reread(self, memory: Any, row: int, hypothesis: Hypothesis) -> tuple[float, Tensor | None]:
        """The log probability and the weights of a hypothesis, all tokens at once."""
        device = next(self.model.parameters()).device
        one = None if memory is None else memory.select(torch.tensor([row], device=device))
        tokens = [BOS, *hypothesis.tokens] + [EOS] * hypothesis.finished
        given = torch.tensor([tokens], device=device)
        logits, looks = self.model.decoder(one, given[:, :-1])  # type: ignore[operator]
        scores = logits[0]
        if not getattr(self.model.decoder, "normalised", False):
            # A search never chooses these two, and normalises over the others.
            scores[:, [PAD, BOS]] = -math.inf
            scores = scores.log_softmax(dim=-1)
        total = float(scores.gather(1, given[0, 1:, None]).sum())
        return total, None if looks is None else looks[0]

    @torch.no_grad()
    def meaning(self) -> list[Finding]:
        """A trained model predicts its own targets better than a guess, or than others'.

        A language model has no inputs that could be those of others.
        """
        batch = self.batch()
        loss = self.loss or _cross_entropy(self.run)
        guess = math.log(self.run(self.model, batch)[0].shape[-1])
        own = float(loss(self.model, batch, 0.0))
        if isinstance(self.model, LanguageModel):
            text = _("loss {x:.2f}, of a blind guess {z:.2f}").format(x=own, z=guess)
            return self._exchanged(batch) if own < 0.9 * guess else [Finding("vocabulary", text)]
        wrong = float(loss(self.model, self._misled().to(batch.source.device), 0.0))
        if own < 0.9 * guess and wrong - own > 0.05 * wrong:
            return self._exchanged(batch)
        text = _("loss {x:.2f}, with the inputs of others {y:.2f}, of a blind guess {z:.2f}")
        return [Finding("vocabulary", text.format(x=own, y=wrong, z=guess))]

    def _misled(self) -> Batch:
        """All examples, each with the inputs of the next one that has another target."""
        exchanged = []
        for i, example in enumerate(self.examples):
            others = self.examples[i + 1 :] + self.examples[:i]
            other = next((e for e in others if e.target != example.target), example)
            exchanged.append(replace(other, target=example.target))
        return self.collate(exchanged)

    def _exchanged(self, batch: Batch) -> list[Finding]:
        """Two ids, each mostly predicted where the other one is the target."""
        logits = self.run(self.model, batch)[0]
        if logits.dim() != 3:
            return []
        given, said = batch.target_out.flatten(), logits.argmax(dim=-1).flatten()
        mostly = {}
        for i in given[given > UNK].unique().tolist():
            here = said[given == i]
            most = int(here.mode().values)
            if len(here) >= 3 and float((here == most).cpu().double().mean()) > 0.5:
                mostly[i] = most
        for i, other in mostly.items():
            if other != i and mostly.get(other) == i:
                text = _("where the target is {i}, it predicts {j}, and the other way round")
                return [Finding("vocabulary", text.format(i=i, j=other))]
        return []


def _cross_entropy(run: Run) -> Loss:
    def loss(model: nn.Module, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        logits = run(model, batch)[0]
        return nn.functional.cross_entropy(logits, batch.target_out)

    return loss


def _disorder(hypotheses: Sequence[Hypothesis], alpha: float) -> str:
    """What is wrong with the hypotheses of one search among themselves; "" if nothing."""
    if len({(tuple(h.tokens), h.finished) for h in hypotheses}) < len(hypotheses):
        return _("the same hypothesis twice")
    if len(hypotheses) < BEAM:
        return _("a beam of {w} finds only {n}").format(w=BEAM, n=len(hypotheses))
    for h in hypotheses:
        if EOS in h.tokens:
            return _("a hypothesis goes on after EOS")
        due = h.log_prob / length_penalty(len(h.tokens) + h.finished, alpha)
        if not abs(h.score - due) <= TOLERANCE * (1 + abs(due)):
            text = _("the score is {x:.2f}; divided by the length penalty, it would be {y:.2f}")
            return text.format(x=h.score, y=due)
    for finished in (True, False):
        scores = [h.score for h in hypotheses if h.finished == finished]
        if scores != sorted(scores, reverse=True):
            return _("the hypotheses are not in the order of their scores")
    return ""


def _beaten(hypotheses: Sequence[Hypothesis], quick: Hypothesis) -> bool:
    """Whether what greedy search found is more probable; unfinished, it has more rivals."""
    rivals = hypotheses[:1] if quick.finished else hypotheses
    return quick.log_prob > max(h.log_prob for h in rivals) + 0.01


@contextmanager
def _training_parts(model: nn.Module) -> Iterator[set[str]]:
    """Collects the names of the parts that act as in training: dropout and batch norms."""
    seen: set[str] = set()

    def watch(name: str, part: nn.Module) -> Any:
        def note(part: Any, _given: Any) -> None:
            if part.training and getattr(part, "p", 1.0) > 0:
                seen.add(name)

        return part.register_forward_pre_hook(note)

    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    hooks = [watch(n, part) for n, part in model.named_modules() if isinstance(part, kinds)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


Seen = list[tuple[str, Tensor, tuple[Tensor, int] | None]]


@contextmanager
def _watched(model: nn.Module) -> Iterator[Seen]:
    """Collects, for every attention that is used, its weights, and dot products with their width.

    Of `MultiHeadAttention`, of PyTorch's function, and of `Attention` with a scaled dot product,
    the dot products of its own queries and keys; of others, None. A plain dot product counts as one
    that should have been scaled if it saturates.
    """
    seen: Seen = []
    undo: list[Callable[[], Any]] = [_watch_torch(seen)]
    for name, part in model.named_modules():
        if isinstance(part, MultiHeadAttention):
            undo.append(_watch_heads(name, part, seen))
        elif isinstance(part, Attention):
            hook = part.register_forward_hook(_watch_score(name, seen), with_kwargs=True)
            undo.append(hook.remove)
    try:
        yield seen
    finally:
        for restore in undo:
            restore()


def _watch_torch(seen: Seen) -> Callable[[], Any]:
    """Watch `F.scaled_dot_product_attention`, whose weights nobody else sees."""
    inner = nn.functional.scaled_dot_product_attention

    def attend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        **rest: Any,
    ) -> Tensor:
        width = query.shape[-1]
        keys = key
        if query.dim() == 4 and key.shape[1] != query.shape[1]:  # heads that share keys
            keys = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        dots = query @ keys.transpose(-2, -1)
        scores = dots * (1 / math.sqrt(width) if scale is None else scale)
        mask = torch.ones_like(dots, dtype=torch.bool).tril() if is_causal else attn_mask
        if mask is not None and mask.dtype == torch.bool:
            scores = scores.masked_fill(~mask, -math.inf)
        elif mask is not None:
            scores = scores + mask
        weights = scores.softmax(dim=-1).nan_to_num()
        seen.append(("scaled_dot_product_attention", weights, (dots, width)))
        return inner(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, **rest)

    nn.functional.scaled_dot_product_attention = attend

    def restore() -> None:
        nn.functional.scaled_dot_product_attention = inner

    return restore


def _watch_heads(name: str, part: MultiHeadAttention, seen: Seen) -> Callable[[], Any]:
    """Watch `attend`; its keys come from W_k, not from the cache, which may hold them scaled."""
    inner = part.attend
    raw: list[Tensor] = []
    hook = part.W_k.register_forward_hook(lambda _part, _given, out: raw.append(out))

    def attend(query: Tensor, cache: Any, **settings: Any) -> tuple[Tensor, Tensor]:
        context, weights = inner(query, cache, **settings)
        if weights.dim() == 4 and weights.shape[1] == part.heads:
            q = part.place(part.split(part.W_q(query)), cache.length - query.shape[1])
            keys = cache.keys
            if raw and raw[-1].shape[:2] == (len(keys), cache.length):
                keys = part.place(part.split(raw[-1]), 0)
            keys = keys.repeat_interleave(part.heads // part.kv_heads, dim=1)
            seen.append((name, weights, (q @ keys.transpose(2, 3), part.head_dim)))
        else:
            seen.append((name, weights, None))
        return context, weights

    def restore() -> None:
        hook.remove()
        part.__dict__.pop("attend", None)

    part.attend = attend  # type: ignore[method-assign]
    return restore


def _watch_score(name: str, seen: Seen) -> Callable[..., None]:
    def hook(part: Any, given: tuple, settings: dict, result: tuple[Tensor, Tensor]) -> None:
        query, keys = given[0], given[1]  # a dot product prepares nothing: these are the keys
        products = None
        if isinstance(part.score, DotScore | ScaledDotScore):
            products = (query @ keys.transpose(1, 2), query.shape[-1])
        plain = type(part.score) is DotScore and not _saturated(result[1])
        seen.append((name, result[1], None if plain else products))

    return hook


def _saturated(weights: Tensor) -> bool:
    """Whether nearly all attention of nearly every query lies on one of at least four keys."""
    return weights.shape[-1] >= 4 and float(weights.amax(dim=-1).mean()) > 0.9


def _slope(dots: Tensor, weights: Tensor) -> float | None:
    """The slope of ln α over the dot products, within each row; None where nothing differs."""
    kept = weights.cpu() > 1e-6
    count = kept.sum(dim=-1, keepdim=True)
    kept = kept & (count > 1)
    if not kept.any():
        return None
    x, y = dots.cpu().double() * kept, weights.cpu().double().clamp_min(1e-30).log() * kept
    count = kept.sum(dim=-1, keepdim=True).clamp_min(1)
    x = (x - x.sum(dim=-1, keepdim=True) / count) * kept
    y = (y - y.sum(dim=-1, keepdim=True) / count) * kept
    spread = float((x * x).sum())
    if spread < 1e-6:
        return None
    return float((x * y).sum()) / spread


def _largest(difference: Tensor) -> float:
    finite = difference[difference.isfinite()]
    return float(finite.abs().max()) if finite.numel() else math.nan


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal within the tolerance, relative to the spread; infinite in the same places."""
    if one.isnan().any() or other.isnan().any():
        return False
    kept = one.isfinite()
    if not torch.equal(kept, other.isfinite()):
        return False
    a, b = one[kept], other[kept]
    spread = float(a.cpu().double().std(correction=0)) if a.numel() > 1 else 1.0
    return bool((a - b).abs().max() <= TOLERANCE * spread + 1e-6) if a.numel() else True


def _moved(one: Tensor, other: Tensor) -> Tensor:
    """For each position of (1, T, V): has anything moved?"""
    spread = float(one[one.isfinite()].cpu().double().std(correction=0))
    off = torch.nan_to_num(one[0] - other[0], nan=0.0, posinf=1e9, neginf=-1e9).abs().amax(dim=-1)
    return off > TOLERANCE * spread + 1e-6


def _distance(one: Sequence[Tensor | None], other: Sequence[Tensor | None]) -> float:
    """Relative distance of two gradients, that of the worst tensor; NaN if there is a NaN.

    A tensor counts as at least a thousandth of the whole, so that rounding does not.
    """
    apart, sizes = [], []
    for a, b in zip(one, other, strict=True):
        if a is None and b is None:
            continue
        a = torch.zeros_like(b) if a is None else a  # type: ignore[arg-type]
        b = torch.zeros_like(a) if b is None else b
        apart.append(float((a - b).cpu().double().norm()))
        sizes.append(float(a.cpu().double().norm()))
    floor = 1e-3 * math.hypot(*sizes) + 1e-12
    shares = [gap / max(size, floor) for gap, size in zip(apart, sizes, strict=True)]
    return math.nan if any(map(math.isnan, shares)) else max(shares, default=0.0)
