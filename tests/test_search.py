"""Greedy and beam search against the enumeration of all possible outputs."""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.attention import MultiHeadAttention
from course_utils.batches import Example, make_batch
from course_utils.memory import Rows
from course_utils.search import beam_search, greedy_search, length_penalty
from course_utils.vocabulary import BOS, EOS, PAD, UNK
from tools.tiny import MODELS, few, random_batch, tiny_translator

VOCABULARY = 5  # PAD, BOS, EOS, UNK and one more: two tokens to write
WRITABLE = [UNK, 4]
EVERYTHING = 100  # more than there are sequences of up to 4 tokens

every_model = pytest.mark.parametrize("decoder,score", MODELS)
SEEDS = st.integers(0, 10**6)


def tiny(decoder="attention", score="general", seed=0, sharpness=2.0):
    return tiny_translator(decoder, score, seed=seed, target_size=VOCABULARY, sharpness=sharpness)


def memory_of(model, *lengths, seed=0):
    """The memory of random sources of these lengths."""
    return model.remember(random_batch([(length, 0) for length in lengths], seed))


@torch.no_grad()
def log_prob_by_forward(model, memory, row, tokens, finished):
    """Log probability of an output and its attention, by teacher forcing on a memory of one."""
    target = [*tokens, EOS] if finished else list(tokens)
    one = memory.select(torch.tensor([row]))
    logits, weights = model.decoder(one, torch.tensor([[BOS, *target[:-1]]]))
    logits[:, :, [PAD, BOS]] = -torch.inf
    log_probs = logits.log_softmax(dim=-1)[0]
    return float(sum(log_probs[t, token] for t, token in enumerate(target))), weights[0]


def every_output(model, memory, row, max_length, alpha):
    """All outputs of up to ``max_length`` tokens (EOS counted), finished ones first, best first."""
    found = []
    for length in range(max_length + 1):
        for tokens in itertools.product(WRITABLE, repeat=length):
            finished = length < max_length
            log_prob, _ = log_prob_by_forward(model, memory, row, tokens, finished)
            score = log_prob / ((5 + length + finished) / 6) ** alpha
            found.append((finished, score, list(tokens)))
    return sorted(found, key=lambda output: (not output[0], -output[1]))


def test_length_penalty():
    assert length_penalty(1, 0.7) == 1
    assert length_penalty(7, 0.0) == 1
    assert length_penalty(7, 1.0) == pytest.approx(2)
    assert length_penalty(19, 0.5) == pytest.approx(2)


# --- exhaustive search ------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 3.0])
def test_a_beam_of_everything_is_exhaustive_search(decoder, score, alpha):
    model = tiny(decoder, score)
    memory = memory_of(model, 3, 6)
    found = beam_search(model.decoder, memory, EVERYTHING, 4, alpha, best=9)
    for row, hypotheses in enumerate(found):
        expected = every_output(model, memory, row, 4, alpha)[:9]
        assert [h.tokens for h in hypotheses] == [tokens for _, _, tokens in expected]
        assert [h.finished for h in hypotheses] == [finished for finished, _, _ in expected]
        scores = [score for _, score, _ in expected]
        assert [h.score for h in hypotheses] == pytest.approx(scores, abs=1e-4)
        # Asking for one gives the first: dropping hopeless beginnings loses nothing.
        (alone,) = beam_search(model.decoder, memory, EVERYTHING, 4, alpha)[row]
        assert alone.tokens == hypotheses[0].tokens


def test_length_normalisation_decides_between_short_and_long():
    lengths = {}
    for alpha in (0.0, 3.0):
        lengths[alpha] = 0
        for seed in range(6):
            model = tiny(seed=seed)
            (best,) = beam_search(model.decoder, memory_of(model, 4), EVERYTHING, 4, alpha)[0]
            lengths[alpha] += len(best.tokens)
    assert lengths[3.0] > lengths[0.0]


@given(seed=SEEDS, alpha=st.sampled_from([0.0, 0.7, 1.0]))
@few
def test_no_width_beats_exhaustive_search(seed, alpha):
    model = tiny(seed=seed)
    memory = memory_of(model, 4, 2, seed=seed)
    best = [found[0] for found in beam_search(model.decoder, memory, EVERYTHING, 4, alpha)]
    for width in (1, 2, 3, 5):
        for narrow, wide in zip(
            beam_search(model.decoder, memory, width, 4, alpha), best, strict=True
        ):
            assert (narrow[0].finished, narrow[0].score) <= (wide.finished, wide.score + 1e-5)


def beam_by_hand(model, memory, row, width, max_length, alpha):
    """The best output of a beam search written out, one forward for each beginning."""
    beam, finished = [(0.0, [])], []
    for length in range(1, max_length + 1):
        children = [
            (log_prob_by_forward(model, memory, row, [*tokens, token], False)[0], [*tokens, token])
            for _, tokens in beam
            for token in [EOS, *WRITABLE]
        ]
        children.sort(key=lambda child: -child[0])
        beam = []
        for log_prob, tokens in children[: width - len(finished)]:
            if tokens[-1] == EOS or length == max_length:
                score = log_prob / ((5 + length) / 6) ** alpha
                finished.append((tokens[-1] == EOS, score, tokens))
            else:
                beam.append((log_prob, tokens))
    return max(finished)


@given(seed=SEEDS, width=st.integers(2, 4), alpha=st.sampled_from([0.0, 1.0, 3.0]))
@few
def test_beam_by_hand(seed, width, alpha):
    """A finished hypothesis leaves its place in the beam empty."""
    model = tiny(seed=seed)
    memory = memory_of(model, 4, 2, seed=seed)
    for row, (found,) in enumerate(beam_search(model.decoder, memory, width, 5, alpha)):
        finished, score, tokens = beam_by_hand(model, memory, row, width, 5, alpha)
        assert found.tokens + [EOS] * found.finished == tokens
        assert found.score == pytest.approx(score, abs=1e-4)


# --- greedy -----------------------------------------------------------------------------------


@given(
    model=st.sampled_from(MODELS),
    seed=SEEDS,
    inputs=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 7)), min_size=1, max_size=4),
    alpha=st.sampled_from([0.0, 1.0]),
)
@settings(few, max_examples=25)
def test_width_one_is_greedy(model, seed, inputs, alpha):
    model = tiny_translator(*model, seed=seed, target_size=7)
    memory = memory_of(model, *(length for length, _ in inputs), seed=seed)
    limits = [limit for _, limit in inputs]
    greedy = greedy_search(model.decoder, memory, limits, alpha)
    beam = beam_search(model.decoder, memory, 1, limits, alpha)
    for one, (other,) in zip(greedy, beam, strict=True):
        assert one.tokens == other.tokens and one.finished == other.finished
        assert one.score == pytest.approx(other.score, abs=1e-4)
        torch.testing.assert_close(one.attention, other.attention, atol=1e-5, rtol=1e-5)


@every_model
def test_greedy_takes_the_best_token_each_time(decoder, score):
    model = tiny_translator(decoder, score, seed=1)
    memory = memory_of(model, 5, 3)
    for row, found in enumerate(greedy_search(model.decoder, memory, 6)):
        target = found.tokens + [EOS] * found.finished
        for t, token in enumerate(target):
            choices = {}
            for other in range(2, 13):
                tokens = target[:t] + [other]
                log_prob, _ = log_prob_by_forward(model, memory, row, tokens, finished=False)
                choices[other] = log_prob
            assert max(choices, key=choices.get) == token


# --- what both promise ------------------------------------------------------------------------


def search(kind, model, memory, limit, alpha=1.0, **settings):
    """The best hypothesis of each input, by either search."""
    if kind == "greedy":
        return greedy_search(model.decoder, memory, limit, alpha, **settings)
    found = beam_search(model.decoder, memory, 3, limit, alpha, **settings)
    return [hypotheses[0] for hypotheses in found]


both = pytest.mark.parametrize("kind", ["greedy", "beam"])


@both
@given(seed=SEEDS, limit=st.integers(1, 6), alpha=st.sampled_from([0.0, 0.7, 1.0]))
@few
def test_hypothesis_describes_its_tokens(kind, seed, limit, alpha):
    """Score and attention are those of a teacher-forced forward on the returned tokens."""
    model = tiny_translator("attention", "additive", seed=seed)
    memory = memory_of(model, 5, 2, 7, seed=seed)
    for row, found in enumerate(search(kind, model, memory, limit, alpha)):
        assert not {PAD, BOS, EOS} & set(found.tokens)
        length = len(found.tokens) + found.finished
        assert 1 <= length <= limit and (found.finished or length == limit)
        log_prob, weights = log_prob_by_forward(model, memory, row, found.tokens, found.finished)
        assert found.log_prob == pytest.approx(log_prob, abs=1e-4)
        assert found.score == pytest.approx(log_prob / ((5 + length) / 6) ** alpha, abs=1e-4)
        torch.testing.assert_close(found.attention, weights, atol=1e-5, rtol=1e-5)


@both
@every_model
def test_neighbours_change_nothing(kind, decoder, score):
    model = tiny_translator(decoder, score, seed=2)
    sources = [[5, 9, 4], [16], [8, 8, 7, 12, 6, 10, 5], [4, 11, 13, 5]]
    limits = [6, 3, 9, 7]

    def memory(*rows):
        return model.remember(make_batch([Example(sources[row], []) for row in rows]))

    together = search(kind, model, memory(0, 1, 2, 3), limits)
    backwards = search(kind, model, memory(3, 2, 1, 0), limits[::-1])[::-1]
    for row, found in enumerate(together):
        (alone,) = search(kind, model, memory(row), limits[row])
        for other in (alone, backwards[row]):
            assert other.tokens == found.tokens and other.finished == found.finished
            assert other.score == pytest.approx(found.score, abs=1e-5)
            width = len(sources[row])
            torch.testing.assert_close(
                other.attention[:, :width], found.attention[:, :width], atol=1e-5, rtol=1e-5
            )
        assert not found.attention[:, len(sources[row]) :].any()


@both
def test_every_input_has_its_own_limit(kind):
    model = tiny()
    with torch.no_grad():
        model.decoder.output_bias[EOS] = -torch.inf
    found = search(kind, model, memory_of(model, 2, 5, 3), [4, 1, 6])
    assert [len(h.tokens) for h in found] == [4, 1, 6]
    assert [len(h.attention) for h in found] == [4, 1, 6]
    assert not any(h.finished for h in found)


class ThreeTokens:
    """A decoder that writes 4, 5, 6 and the end mark, regardless of what it reads."""

    def start(self, memory):
        return 0

    def step(self, state, tokens):
        logits = torch.zeros(len(tokens), 7)
        logits[:, [4, 5, 6, EOS][min(state, 3)]] = 9.0
        return logits, state + 1, torch.full((len(tokens), 1), float(state))


def test_an_end_mark_after_the_limit_does_not_count():
    memory = memory_of(tiny(), 1, 1, 1, 1)
    found = greedy_search(ThreeTokens(), memory, [2, 3, 4, 9])
    assert [h.tokens for h in found] == [[4, 5], [4, 5, 6], [4, 5, 6], [4, 5, 6]]
    assert [h.finished for h in found] == [False, False, True, True]
    assert [h.attention[:, 0].tolist() for h in found] == [
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 1, 2, 3],
    ]


@both
@pytest.mark.parametrize("score_of_end", [-torch.inf, 50.0])
def test_always_returns_something(kind, score_of_end):
    model = tiny(seed=3)
    with torch.no_grad():
        model.decoder.output_bias[EOS] = score_of_end
    for found in search(kind, model, memory_of(model, 3, 1), 5):
        if score_of_end > 0:
            assert found.tokens == [] and found.finished and len(found.attention) == 1
        else:
            assert len(found.tokens) == 5 and not found.finished
        assert -1e9 < found.score <= 0


@both
def test_pad_and_bos_are_never_written(kind):
    model = tiny(seed=4)
    with torch.no_grad():
        model.decoder.output_bias[[PAD, BOS]] = 50.0
        model.decoder.output_bias[EOS] = -torch.inf
    for found in search(kind, model, memory_of(model, 3, 1), 5):
        assert set(found.tokens) <= {UNK, 4}
        assert found.log_prob > -30  # probabilities among what may be written


def test_a_finished_output_comes_before_a_better_unfinished_one():
    model = tiny()
    with torch.no_grad():  # EOS is possible, but anything else is far more likely
        model.decoder.output_bias[EOS] = -20.0
    found = beam_search(model.decoder, memory_of(model, 3), EVERYTHING, 2, best=5)[0]
    assert [h.finished for h in found] == [True, True, True, False, False]
    assert found[-1].score > found[0].score


@both
def test_search_leaves_no_gradient(kind):
    model = tiny()
    found = search(kind, model, memory_of(model, 3), 4)
    assert not found[0].attention.requires_grad


def has_loop(tokens, max_repeats):
    """Whether one to four tokens stand somewhere more often than that in a row."""
    return any(
        tokens[start : start + size * (max_repeats + 1)]
        == tokens[start : start + size] * (max_repeats + 1)
        for size in range(1, 5)
        for start in range(len(tokens) - size * (max_repeats + 1) + 1)
    )


@both
@pytest.mark.parametrize("cycle", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("max_repeats", [1, 3])
def test_a_loop_ends_unfinished(kind, cycle, max_repeats):
    table = Cycle(cycle, end=-50.0)
    settings = {"batch_size": 1, "max_length": 40, "max_repeats": max_repeats}
    if kind == "greedy":
        (one,) = greedy_search(table, **settings)
    else:
        ((one,),) = beam_search(table, width=1, **settings)
    assert not one.finished
    if cycle <= 4:
        assert len(one.tokens) == cycle * (max_repeats + 1)
        assert has_loop(one.tokens, max_repeats) and not has_loop(one.tokens[:-1], max_repeats)
    else:  # longer cycles are not recognised
        assert len(one.tokens) == 40
    settings["max_repeats"] = None
    assert len(greedy_search(table, **settings)[0].tokens) == 40


def test_a_beam_prefers_any_end_to_a_loop():
    table = Cycle(1, end=-3.0)  # at each step, the end is improbable and the loop nearly certain
    settings = {"batch_size": 2, "max_length": 30}
    (free,), _ = beam_search(table, width=4, alpha=0.0, best=1, **settings)
    assert free.finished and free.tokens == []
    for found in beam_search(table, width=4, alpha=2.0, max_repeats=2, **settings):
        assert found[0].finished and len(found[0].tokens) == 2
    assert not greedy_search(table, max_repeats=2, **settings)[0].finished


def test_an_end_after_a_loop_does_not_count():
    table = Cycle(1, end=-9.0, late=6)  # the end becomes nearly certain once the loop is written
    settings = {"batch_size": 1, "max_length": 12}
    assert greedy_search(table, **settings)[0].finished
    (cut,) = greedy_search(table, max_repeats=2, **settings)
    assert not cut.finished and cut.tokens == [4, 4, 4]


def test_a_loop_neither_takes_a_place_in_the_beam_nor_prunes_it():
    table = Cycle(1, end=-math.inf, late=6)  # nothing can end before the loop is recognised
    for width in (2, 3):
        (found,) = beam_search(table, width=width, batch_size=1, max_length=12, max_repeats=2)
        assert found[0].finished and not has_loop(found[0].tokens, 2)


@both
def test_without_a_loop_the_guard_changes_nothing(kind):
    model = tiny("attention", "dot", 3)
    memory = memory_of(model, 4, 2, 5)
    for limit in (3, 7):
        plain = search(kind, model, memory, limit)
        again = search(kind, model, memory, limit, max_repeats=limit)
        assert [h.tokens for h in again] == [h.tokens for h in plain]
    for wrong in ("a", 1.5):
        with pytest.raises(TypeError, match="integer"):
            search(kind, model, memory, 3, max_repeats=wrong)
    with pytest.raises(ValueError, match="max_repeats must be at least 1 or None, got 0"):
        search(kind, model, memory, 3, max_repeats=0)


class Cycle:
    """A decoder that writes the tokens 4, 5, … in a cycle; EOS has the log probability ``end``.

    After ``late`` tokens, EOS is the most probable one.
    """

    normalised = True

    def __init__(self, cycle, end, late=1000):
        self.cycle, self.end, self.late = cycle, end, late

    def start(self, size):
        return Steps(torch.zeros(size, dtype=torch.long))

    def step(self, state, tokens):
        scores = torch.full((len(tokens), 12), -20.0)
        scores[:, EOS] = torch.where(state.count < self.late, self.end, -0.01)
        scores[torch.arange(len(tokens)), 4 + state.count % self.cycle] = -0.05
        return scores, Steps(state.count + 1), None


class Steps:
    def __init__(self, count):
        self.count = count

    def select(self, rows):
        return Steps(self.count[rows])


def test_errors():
    model = tiny()
    memory = memory_of(model, 3, 4)
    for limit in (0, [3], [3, 0], [1, 2, 3]):
        with pytest.raises(ValueError, match="one number or 2 of them"):
            greedy_search(model.decoder, memory, limit)
        with pytest.raises(ValueError, match="one number or 2 of them"):
            beam_search(model.decoder, memory, 2, limit)
    for width, best in ((0, 1), (2, 3), (2, 0)):
        with pytest.raises(ValueError, match=f"best={best} and width={width}"):
            beam_search(model.decoder, memory, width, best=best)
    nothing = memory.select(torch.tensor([], dtype=torch.long))
    for function in (greedy_search, beam_search):
        with pytest.raises(ValueError, match="at least one input, got none"):
            function(model.decoder, nothing)


# --- other decoders ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Tokens(Rows):
    """What has been written so far, (B, T)."""

    tokens: torch.Tensor


class Table:
    """A language model without weights: what comes next depends on the last token alone.

    ``scores`` (V, W): W may exceed V, and then an id from V on is read as UNK.
    ``look`` makes the weights of attention of all tokens so far, (B, T).
    """

    def __init__(self, scores, normalised=False, look=lambda tokens: None):
        self.scores, self.normalised, self.look = scores, normalised, look

    def start(self, batch_size):
        return Tokens(torch.zeros(batch_size, 0, dtype=torch.long))

    def step(self, state, tokens):
        written = torch.cat([state.tokens, tokens[:, None]], dim=1)
        known = tokens.where(tokens < len(self.scores), UNK)
        return self.scores[known], Tokens(written), self.look(written)


def random_table(seed=0, size=6, width=6, normalised=False, **settings):
    scores = 2 * torch.randn(size, width, generator=torch.Generator().manual_seed(seed))
    return Table(scores.log_softmax(dim=-1) if normalised else scores, normalised, **settings)


def by_table(table, prompt, tokens, finished):
    """The log probability of a continuation, from the table itself."""
    scores = table.scores.clone()
    scores[:, [PAD, BOS]] = -torch.inf
    log_probs = scores if table.normalised else scores.log_softmax(dim=-1)
    written = [BOS, *prompt, *tokens] + [EOS] * finished
    steps = list(itertools.pairwise(written))[len(prompt) :]
    return sum(float(log_probs[a if a < len(scores) else UNK, b]) for a, b in steps)


@given(
    prompts=st.lists(st.lists(st.integers(EOS, 5), max_size=4), min_size=1, max_size=4),
    seed=SEEDS,
    limit=st.integers(1, 4),
    normalised=st.booleans(),
)
@few
def test_prompts_are_continued(prompts, seed, limit, normalised):
    """Each continuation is the best of all, and none depends on its neighbours."""
    table = random_table(seed, normalised=normalised)
    found = beam_search(table, None, 2000, limit, prompts=prompts)
    for prompt, (best,) in zip(prompts, found, strict=True):
        outputs = [
            (finished, by_table(table, prompt, tokens, finished), list(tokens))
            for length in range(limit + 1)
            for tokens in itertools.product([UNK, 4, 5], repeat=length)
            for finished in [length < limit]
        ]
        _, log_prob, tokens = max(
            outputs, key=lambda o: (o[0], o[1] / length_penalty(len(o[2]) + o[0], 1.0))
        )
        assert best.tokens == tokens and best.log_prob == pytest.approx(log_prob, abs=1e-4)
    narrow = beam_search(table, None, 1, limit, prompts=prompts)
    greedy = greedy_search(table, None, limit, prompts=prompts)
    for prompt, one, (other,) in zip(prompts, greedy, narrow, strict=True):
        assert one.tokens == other.tokens and one.finished == other.finished
        log_prob = by_table(table, prompt, one.tokens, one.finished)
        assert one.log_prob == pytest.approx(log_prob, abs=1e-4)
        assert other.log_prob == pytest.approx(log_prob, abs=1e-4)
        (alone,) = greedy_search(table, None, limit, batch_size=1, prompts=[prompt])
        assert alone == one


def test_prompts_and_limits_of_each_input():
    scores = torch.full((9, 9), -50.0)
    scores[range(3, 8), range(4, 9)] = scores[8, 8] = scores[BOS, 7] = 0.0  # counts up to 8
    scores[:, EOS] = -torch.inf
    table = Table(scores)
    prompts, limits = [[4], [4, 5, 6], []], [2, 1, 3]
    for found in (
        greedy_search(table, None, limits, prompts=prompts),
        [best for (best,) in beam_search(table, None, 3, limits, prompts=prompts)],
    ):
        assert [h.tokens for h in found] == [[5, 6], [7], [7, 8, 8]]
        assert not any(h.finished for h in found)


@torch.no_grad()
def test_prompts_with_a_memory_are_forced():
    model = tiny()
    memory = memory_of(model, 4, 2)
    prompts = [[4], [UNK, UNK]]
    found = greedy_search(model.decoder, memory, 3, prompts=prompts)
    for row, (prompt, hypothesis) in enumerate(zip(prompts, found, strict=True)):
        written = [*prompt, *hypothesis.tokens]
        whole, weights = log_prob_by_forward(model, memory, row, written, hypothesis.finished)
        given, _ = log_prob_by_forward(model, memory, row, prompt, False)
        assert hypothesis.log_prob == pytest.approx(whole - given, abs=1e-4)
        torch.testing.assert_close(
            hypothesis.attention, weights[len(prompt) :], atol=1e-5, rtol=1e-5
        )


def test_a_batch_size_alone_gives_that_many_texts():
    table = random_table(3)
    one, *others = greedy_search(table, batch_size=3, max_length=5)
    assert len(others) == 2 and others == [one, one]
    (best,) = beam_search(table, batch_size=1, width=EVERYTHING, max_length=3)[0]
    assert best.score >= greedy_search(table, batch_size=1, max_length=3)[0].score - 1e-6


# --- log probabilities ------------------------------------------------------------------------


def test_log_probabilities_are_taken_as_they_are():
    """Three quarters go to PAD and BOS here; what remains is not scaled up."""
    table = Table(torch.tensor([[0.5, 0.25, 0.15, 0.1, 0.0]]).log().repeat(5, 1), normalised=True)
    (found,) = greedy_search(table, batch_size=1)
    assert found.tokens == [] and found.log_prob == pytest.approx(torch.tensor(0.15).log().item())
    best = beam_search(table, batch_size=1, width=4, max_length=2, best=3)[0]
    probabilities = [torch.tensor(h.log_prob).exp().item() for h in best]
    assert [h.tokens for h in best] == [[], [UNK], [UNK, UNK]]
    assert probabilities == pytest.approx([0.15, 0.1 * 0.15, 0.1 * 0.1])
    table.normalised = False  # as logits, they are
    (found,) = greedy_search(table, batch_size=1)
    assert found.log_prob == pytest.approx(torch.tensor(0.15 / 0.25).log().item())


def test_ids_beyond_the_vocabulary_are_written_and_read_back():
    scores = torch.full((5, 8), -torch.inf)
    scores[BOS, 7], scores[UNK, 4], scores[4, [6, EOS]] = 0.0, 0.0, torch.tensor([0.6, 0.4]).log()
    table = Table(scores, normalised=True)
    for width in (1, 3):
        ((best, *others),) = beam_search(table, None, width, 4, batch_size=1, best=width)
        assert best.tokens == ([7, 4, 6, 4] if width == 1 else [7, 4])
        assert best.finished == (width > 1) and len(others) == (width > 1)
    assert greedy_search(table, None, 4, batch_size=1)[0].tokens == [7, 4, 6, 4]


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("score", [-torch.inf, torch.nan])
def test_an_input_without_any_continuation(normalised, score):
    scores = torch.zeros(6, 6)
    scores[5] = score
    scores[5, [PAD, BOS]] = 0.0  # these two may not be written
    table = Table(scores.clone(), normalised)
    for function in (greedy_search, beam_search):
        problem = r"\d are not numbers" if math.isnan(score) else "1 has no possible continuation"
        with pytest.raises(ValueError, match=f"input {problem}"):
            function(table, None, max_length=3, prompts=[[4], [4, 5]])


# --- weights ----------------------------------------------------------------------------------


def test_weights_that_grow_with_the_text():
    table = random_table(
        1, look=lambda tokens: 1.0 + torch.arange(tokens.shape[1]).repeat(len(tokens), 1)
    )
    table.scores[:, EOS] = -torch.inf
    found = [greedy_search(table, None, 3, prompts=[[4], [5]])[1]]
    found.append(beam_search(table, None, 2, 3, prompts=[[4], [5]])[1][0])
    for hypothesis in found:  # BOS and the prompt have been read before the first token
        assert hypothesis.attention.tolist() == [[1, 2, 0, 0], [1, 2, 3, 0], [1, 2, 3, 4]]


class SelfAttention(torch.nn.Module):
    """One layer of causal self-attention with two heads and a cache."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(7, 8)
        self.attention = MultiHeadAttention(8, 2)

    def start(self, batch_size):
        return self.attention.empty_cache(batch_size)

    def step(self, cache, tokens):
        x = self.embedding(tokens)[:, None]
        cache = cache.append(self.attention.project(x, x))
        context, weights = self.attention.attend(x, cache, attend_mask=None)
        return 3 * (x + context)[:, 0] @ self.embedding.weight.T, cache, weights[:, :, 0]


@torch.no_grad()
def test_weights_with_heads():
    torch.manual_seed(0)
    model = SelfAttention().eval()
    prompts = [[4], [5, 6], []]
    greedy = greedy_search(model, None, 5, prompts=prompts)
    beam = beam_search(model, None, 1, 5, prompts=prompts)
    for prompt, one, (other,) in zip(prompts, greedy, beam, strict=True):
        assert one.tokens == other.tokens
        steps = len(one.tokens) + one.finished
        width = other.attention.shape[-1]
        assert other.attention.shape == (steps, 2, len(prompt) + steps)
        torch.testing.assert_close(one.attention[..., :width], other.attention)
        x = model.embedding(torch.tensor([[BOS, *prompt, *one.tokens]]))[:, :width]
        mask = torch.ones(1, width, width, dtype=torch.bool).tril()
        _, expected = model.attention(x, x, x, attend_mask=mask)
        torch.testing.assert_close(
            other.attention, expected[0, :, len(prompt) :].transpose(0, 1), atol=1e-5, rtol=1e-5
        )


# --- what there is to search for --------------------------------------------------------------


def test_errors_of_inputs():
    table, model = random_table(), tiny()
    memory = memory_of(model, 3, 4)
    for function in (greedy_search, beam_search):
        with pytest.raises(ValueError, match="needs a memory, prompts or a batch_size"):
            function(table)
        with pytest.raises(ValueError, match="batch_size 3, prompts 2"):
            function(table, batch_size=3, prompts=[[4], [5]])
        with pytest.raises(ValueError, match="memory 2, batch_size 3"):
            function(model.decoder, memory, batch_size=3)
        for prompt in ([PAD], [4, BOS]):
            with pytest.raises(ValueError, match="neither PAD .0. nor BOS"):
                function(table, prompts=[[4], prompt])
        with pytest.raises(ValueError, match="at least one input"):
            function(table, prompts=[])
