"""What further models build on, each proved by a tiny model that is trained with it.

Two sources; decoders without memory; a key/value cache; log probabilities over an
extended vocabulary; coverage. The controls are trained alike, without the thing in question.
"""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from course_utils.attention import length_mask
from course_utils.batches import Batch, Example, make_batch
from course_utils.memory import Memory, Rows
from course_utils.metrics import perplexity
from course_utils.models.decoders import AttentionDecoder, DecoderState
from course_utils.models.image_encoders import GridEncoder
from course_utils.models.seq2seq import LanguageModel, Seq2Seq
from course_utils.models.text_encoder import TextEncoder
from course_utils.models.transformer import TransformerDecoder
from course_utils.sampling import sample
from course_utils.search import beam_search, search
from course_utils.training import train_step
from course_utils.vocabulary import EOS, PAD, UNK

torch.set_num_threads(1)
FIRST = UNK + 1  # the first id that is not special

pytestmark = pytest.mark.slow


Draw = Callable[[random.Random], Example]


def trained(
    model: nn.Module, draw: Draw, steps: int, rate: float = 0.01, size: int = 64
) -> list[float]:
    """Train on ``steps`` batches of fresh examples from ``draw(generator)``; returns the losses."""
    generator = random.Random(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, steps)
    losses = []
    model.train()
    for _ in range(steps):
        batch = make_batch([draw(generator) for _ in range(size)])
        losses.append(train_step(model, batch, optimizer))
        schedule.step()
    model.eval()
    return losses


def fresh(draw: Draw, count: int = 300) -> list[Example]:
    """Examples that were not drawn in training."""
    generator = random.Random(1)
    return [draw(generator) for _ in range(count)]


def share_right(model: Seq2Seq, examples: list[Example], beam: int, limit: int) -> float:
    """The share of examples whose output is exactly the target."""
    memory = model.remember(make_batch(examples))
    found = search(model.decoder, memory, beam, limit)
    right = [h.finished and h.tokens == e.target for h, e in zip(found, examples, strict=True)]
    return sum(right) / len(right)


every_beam = (1, 3)


# --- two sources ------------------------------------------------------------------------------

THINGS, COLOURS, CELLS = 6, 5, 3  # ids of things (questions), then those of colours (answers)
WORDS_OF_PICTURES = FIRST + THINGS + COLOURS


@dataclass(frozen=True)
class PictureAndQuestion(Rows):
    picture: Memory
    question: Memory


class Cells(GridEncoder):
    """A picture that is given as features already."""

    def features(self, source: Tensor) -> Tensor:
        return source


class PictureAndQuestionEncoder(nn.Module):
    """An encoder for each of the two sources."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = Cells(CELLS, THINGS + COLOURS, 32, positions=False)
        self.question = TextEncoder(WORDS_OF_PICTURES, 32, 32)

    def forward(self, batch: Batch) -> PictureAndQuestion:
        return PictureAndQuestion(self.picture(batch), self.question(batch.reading("question")))


class Answerer(AttentionDecoder):
    """Starts from the question and attends to the picture."""

    def start(self, memory: PictureAndQuestion) -> DecoderState:
        return super().start(replace(memory.picture, summary=memory.question.summary))


def asking(blank: str | None = None) -> Draw:
    """Things of different colours, a question about one of them, and its colour as the answer."""

    def draw(generator: random.Random) -> Example:
        things = generator.sample(range(THINGS), CELLS)
        colours = generator.sample(range(COLOURS), CELLS)
        asked = generator.randrange(CELLS)
        picture = torch.zeros(CELLS, THINGS + COLOURS)
        if blank != "picture":
            picture[range(CELLS), things] = 1
            picture[range(CELLS), [THINGS + colour for colour in colours]] = 1
        question = [] if blank == "question" else [FIRST + things[asked]]
        answer = [FIRST + THINGS + colours[asked]]
        return Example(picture, answer, others={"question": question})

    return draw


@pytest.mark.parametrize("blank", [None, "question", "picture"])
def test_an_answer_needs_both_sources(blank):
    torch.manual_seed(0)
    decoder = Answerer(WORDS_OF_PICTURES, 32, 32, 32)
    model = Seq2Seq(PictureAndQuestionEncoder(), decoder)
    losses = trained(model, asking(blank), 120, rate=0.02, size=128)
    right = [share_right(model, fresh(asking(blank)), beam, 3) for beam in every_beam]
    if blank is None:
        assert losses[-1] < 0.2 and min(right) > 0.9
    else:  # one of three colours in the picture, one of five in the world
        assert losses[-1] > 0.4 and max(right) < {"question": 1 / 3, "picture": 1 / 5}[blank] + 0.15


# --- no memory --------------------------------------------------------------------------------

WORDS = 6


@dataclass(frozen=True)
class Recurrent(Rows):
    hidden: Tensor  # (B, H)
    cell: Tensor


class RecurrentModel(nn.Module):
    """A recurrence over the text so far, and nothing else."""

    def __init__(self, size: int, width: int = 48):
        super().__init__()
        self.embedding = nn.Embedding(size, width)
        self.cell = nn.LSTMCell(width, width)
        self.output = nn.Linear(width, size)

    def start(self, batch_size: int) -> Recurrent:
        nothing = self.output.weight.new_zeros(batch_size, self.cell.hidden_size)
        return Recurrent(nothing, nothing)

    def step(self, state: Recurrent, tokens: Tensor) -> tuple[Tensor, Recurrent, None]:
        state = Recurrent(*self.cell(self.embedding(tokens), (state.hidden, state.cell)))
        return self.output(state.hidden), state, None

    def forward(self, batch: Batch) -> tuple[Tensor, None]:
        state, logits = self.start(len(batch.target)), []
        for tokens in batch.target_in.unbind(dim=1):
            step, state, _ = self.step(state, tokens)
            logits.append(step)
        return torch.stack(logits, dim=1), None


def refrain(generator: random.Random) -> Example:
    """Two different words, three times."""
    return Example([], 3 * generator.sample(range(FIRST, FIRST + WORDS), 2))


def test_a_language_model_continues():
    torch.manual_seed(0)
    model = RecurrentModel(FIRST + WORDS)
    losses = trained(model, refrain, 250)
    floor = (math.log(WORDS) + math.log(WORDS - 1)) / 7  # two of seven tokens cannot be foreseen
    assert losses[0] > 2 and floor - 0.1 < losses[-1] < floor + 0.15
    pairs = list(itertools.permutations(range(FIRST, FIRST + WORDS), 2))
    prompts = [[a, b, a, b][: 2 + number % 3] for number, (a, b) in enumerate(pairs)]
    for beam in every_beam:
        found = search(model, beam=beam, max_length=5, prompts=prompts)
        texts = [prompt + h.tokens for prompt, h in zip(prompts, found, strict=True)]
        assert texts == [3 * list(pair) for pair in pairs]
        assert all(h.finished and h.attention is None and h.log_prob > -1 for h in found)


def test_a_language_model_invents():
    torch.manual_seed(0)
    model = RecurrentModel(FIRST + WORDS)
    trained(model, refrain, 250)
    texts = [search(model, batch_size=2)[1].tokens]
    texts += [h.tokens for h in beam_search(model, batch_size=1, width=8, best=8)[0][:5]]
    for text in texts:
        assert len(set(text)) == 2 and text == 3 * text[:2]
    assert len({tuple(text) for text in texts[1:]}) == 5


def test_a_transformer_without_memory_is_a_language_model():
    """Trained and searched as any other; what it invents by sampling are refrains, too."""
    torch.manual_seed(0)
    decoder = TransformerDecoder(FIRST + WORDS, 32, None, 64, heads=2, layers=2, norm="post")
    model = LanguageModel(decoder)
    losses = trained(model, refrain, 200, rate=0.005)
    floor = (math.log(WORDS) + math.log(WORDS - 1)) / 7
    assert losses[0] > 2 and floor - 0.1 < losses[-1] < floor + 0.15
    pairs = list(itertools.permutations(range(FIRST, FIRST + WORDS), 2))
    for beam in every_beam:
        found = search(decoder, beam=beam, max_length=5, prompts=[list(pair) for pair in pairs])
        texts = [[*pair, *h.tokens] for pair, h in zip(pairs, found, strict=True)]
        assert texts == [3 * list(pair) for pair in pairs]
        assert all(h.finished and h.attention.shape == (5, 7) for h in found)
    drawn = sample(decoder, batch_size=100, max_length=9, top_p=0.9)
    refrains = [h.tokens == 3 * h.tokens[:2] and len(set(h.tokens)) == 2 for h in drawn]
    assert sum(refrains) > 95 and len({tuple(h.tokens) for h in drawn}) > 20
    batch = make_batch(fresh(refrain))
    log_probs = model(batch)[0].log_softmax(dim=-1)
    target = log_probs.gather(2, batch.target_out[:, :, None]).detach()
    assert perplexity(target.flatten()) == pytest.approx(math.exp(floor), rel=0.1)


# --- a cache ----------------------------------------------------------------------------------

WIDTH = 32


@dataclass(frozen=True)
class Written(Rows):
    memory: Memory
    tokens: Tensor


class WithoutCache:
    """The same decoder, which reads all tokens again at each step."""

    def __init__(self, decoder: TransformerDecoder):
        self.decoder = decoder

    def start(self, memory: Memory) -> Written:
        return Written(memory, torch.zeros(len(memory), 0, dtype=torch.long))

    def step(self, state: Written, tokens: Tensor) -> tuple[Tensor, Written, Tensor]:
        state = replace(state, tokens=torch.cat([state.tokens, tokens[:, None]], dim=1))
        logits, weights = self.decoder(state.memory, state.tokens)
        return logits[:, -1], state, weights[:, -1]


def backwards(generator: random.Random) -> Example:
    source = [generator.randrange(FIRST, FIRST + WORDS) for _ in range(generator.randint(2, 5))]
    return Example(source, source[::-1])


def test_a_transformer_with_a_cache_searches_as_without():
    torch.manual_seed(0)
    size = FIRST + WORDS
    settings = {"dropout": 0.1, "heads": 2, "layers": 2, "positions": "rotary", "kv_heads": 1}
    decoder = TransformerDecoder(size, WIDTH, WIDTH, 64, **settings)
    model = Seq2Seq(TextEncoder(size, 16, WIDTH), decoder)
    losses = trained(model, backwards, 200)
    examples = fresh(backwards)
    assert losses[0] > 2 and losses[-1] < 0.3
    assert min(share_right(model, examples, beam, 8) for beam in every_beam) > 0.9
    batch = make_batch(examples[:40])
    memory = model.remember(batch)
    cached = beam_search(model.decoder, memory, 3, 8, best=2)
    again = beam_search(WithoutCache(model.decoder), memory, 3, 8, best=2)
    for one, other in zip(sum(cached, []), sum(again, []), strict=True):
        assert one.tokens == other.tokens and one.finished == other.finished
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.attention.shape == (len(one.tokens) + one.finished, 5)
        torch.testing.assert_close(one.attention, other.attention, atol=1e-5, rtol=1e-5)


# --- an extended vocabulary -------------------------------------------------------------------

KNOWN = FIRST + WORDS  # ids from here on are words that the model does not know


@dataclass(frozen=True)
class CopyMemory(Memory):
    """A memory with the ids (B, Tk) of its positions, and the size of the extended vocabulary."""

    ids: Tensor
    size: int


class CopyEncoder(TextEncoder):
    """Reads unknown words as UNK, and keeps their ids."""

    def forward(self, batch: Batch) -> CopyMemory:
        known = batch.source.where(batch.source < KNOWN, UNK)
        memory = self.encode(known, batch.source_lengths)
        size = max(KNOWN, int(batch.source.max()) + 1)
        return CopyMemory(**vars(memory), ids=batch.source, size=size)


class PointerGenerator(AttentionDecoder):
    """P(w) = p_gen P_vocab(w) + (1 − p_gen) Σ_{i: w_i = w} α_i (See et al. 2017, eq. 9)."""

    normalised = True

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.switch = nn.Linear(self.hidden_dim + self.memory_dim, 1)

    def embed(self, tokens: Tensor) -> Tensor:
        return super().embed(tokens.where(tokens < KNOWN, UNK))

    def advance(self, state: DecoderState, tokens: Tensor) -> tuple[Tensor, DecoderState, Tensor]:
        states, recurrent = self.recurrence(self.embed(tokens), state.recurrent)
        context, weights = self.look(states, state)
        p_gen = torch.sigmoid(self.switch(torch.cat([states, context], dim=-1)))
        generated = p_gen * self.logits(states, context).softmax(dim=-1)
        more = generated.new_zeros(*generated.shape[:2], state.memory.size - KNOWN)
        copied = state.memory.ids[:, None].expand_as(weights)
        probability = torch.cat([generated, more], dim=-1)
        probability = probability.scatter_add(2, copied, (1 - p_gen) * weights)
        # log 0 would have no gradient.
        log_probs = probability.clamp_min(1e-9).log()
        return log_probs, replace(state.attended(weights), recurrent=recurrent), weights


def copying(unknown: range) -> Draw:
    """Two to four words, about half of them unknown, which the output repeats."""

    def draw(generator: random.Random) -> Example:
        words = [
            generator.choice(unknown if generator.random() < 0.5 else range(FIRST, KNOWN))
            for _ in range(generator.randint(2, 4))
        ]
        return Example(words, words)

    return draw


def test_a_pointer_copies_tokens_it_has_never_seen():
    torch.manual_seed(0)
    decoder = PointerGenerator(KNOWN, 16, 32, 32, score="additive")
    model = Seq2Seq(CopyEncoder(KNOWN, 16, 32), decoder)
    losses = trained(model, copying(range(KNOWN, KNOWN + 7)), 200)
    assert losses[0] > 1.5 and losses[-1] < 0.1
    examples = fresh(copying(range(KNOWN + 20, KNOWN + 60)))
    assert min(share_right(model, examples, beam, 6) for beam in every_beam) > 0.9
    # Half of what it writes is in no training example, and no other model could write it.
    new = [token >= KNOWN + 20 for example in examples for token in example.target]
    assert 0.3 < sum(new) / len(new) < 0.7
    batch = make_batch(examples)
    total = model(batch)[0].exp().sum(dim=-1)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-4, rtol=0)


# --- coverage ---------------------------------------------------------------------------------

KINDS = 5


class Bag(nn.Module):
    """Embeddings of items without any order, an end mark among them; it does not count them."""

    def __init__(self, width: int = 32):
        super().__init__()
        self.embedding = nn.Embedding(FIRST + KINDS, width)

    def forward(self, batch: Batch) -> Memory:
        states = self.embedding(batch.source)
        mask = length_mask(batch.source_lengths, batch.source.shape[1])
        return Memory(states, states, mask, torch.zeros_like(states[:, 0]))


def inventory(generator: random.Random) -> Example:
    """Every item once, sorted by kind; there may be several items of a kind."""
    items = [generator.randrange(FIRST, FIRST + KINDS) for _ in range(generator.randint(4, 10))]
    return Example([*items, EOS], sorted(items))


@pytest.mark.parametrize("score", ["coverage", "additive"])
def test_coverage_helps_to_mention_every_item_once(score):
    """Items of a kind have the same key. Coverage shows how many of them have been mentioned."""
    torch.manual_seed(0)
    model = Seq2Seq(Bag(), AttentionDecoder(FIRST + KINDS, 16, 32, 32, score=score))
    loss = sum(trained(model, inventory, 200)[-20:]) / 20
    examples = fresh(inventory)
    right = [share_right(model, examples, beam, 12) for beam in every_beam]
    batch = make_batch(examples)
    written = (batch.target_out != PAD)[:, :, None]
    received = (model(batch)[1] * written).sum(dim=1)[batch.source >= FIRST]
    missing = float((received - 1).abs().mean().detach())
    if score == "coverage":
        assert loss < 0.06 and min(right) > 0.9 and missing < 0.18
    else:
        assert loss > 0.08 and max(right) < 0.85 and missing > 0.18
