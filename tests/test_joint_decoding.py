"""Attention and CTC together: `JointDecoder`."""

import itertools
import math

import pytest
import torch

from course_utils.memory import Memory
from course_utils.metrics import word_errors
from course_utils.search import beam_search, greedy_search
from course_utils.tasks.speech.ctc import JointDecoder, ctc_collapse
from course_utils.tasks.speech.recogniser import Recogniser
from course_utils.vocabulary import BOS, EOS, PAD, UNK

LENGTHS, V = (5, 3, 4), 6
TOKENS = (UNK, 4, 5)


class Rows:
    def __init__(self, numbers):
        self.numbers = numbers

    def select(self, rows):
        return Rows(self.numbers[rows])


class Two:
    """Both heads as tables: CTC by position, attention the same at every step."""

    def __init__(self, seed):
        generator = torch.Generator().manual_seed(seed)
        table = 2 * torch.randn(len(LENGTHS), max(LENGTHS), V, generator=generator)
        table[:, :, [BOS, EOS]] = -30.0  # CTC is never trained to say them
        self.table = table.log_softmax(dim=-1)
        self.logits = torch.randn(len(LENGTHS), V, generator=generator)
        self.decoder = self

    def ctc_log_probs(self, memory):
        return self.table

    def start(self, memory):
        return Rows(torch.arange(len(LENGTHS)))

    def step(self, state, tokens):
        return self.logits[state.numbers], state, torch.ones(len(tokens), 1)


def memory():
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    states = torch.zeros(len(LENGTHS), max(LENGTHS), 1)
    return Memory(keys=states, values=states, attend_mask=mask, summary=states[:, 0])


def texts(table, length):
    """Probability of every text: the sum over all paths that collapse to it."""
    found = {}
    for path in itertools.product(range(V), repeat=length):
        text = tuple(token for token, _ in ctc_collapse(path))
        score = sum(float(table[t, token]) for t, token in enumerate(path))
        found[text] = found.get(text, 0.0) + math.exp(score)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_scores_are_those_of_all_paths(seed, weight):
    """Equal tokens in a row, which need a blank between them, included."""
    model = Two(seed)
    every = [texts(model.table[row], length) for row, length in enumerate(LENGTHS)]
    written = model.logits.clone()
    written[:, [PAD, BOS]] = -math.inf
    attention = written.log_softmax(dim=-1)
    joint = JointDecoder(model, weight)
    for spoken in itertools.product(TOKENS, repeat=2):
        state, given = joint.start(memory()), torch.full((len(LENGTHS),), BOS)
        for step in range(3):
            scores, state, _ = joint.step(state, given)
            text = spoken[:step]
            for row, probabilities in enumerate(every):

                def begins(start, known=probabilities):
                    return sum(p for t, p in known.items() if t[: len(start)] == start)

                if not begins(text):
                    continue
                for token in (*TOKENS, EOS):
                    after = probabilities.get(text, 0) if token == EOS else begins((*text, token))
                    ratio = math.log(after / begins(text)) if after else -math.inf
                    right = (1 - weight) * float(attention[row, token])
                    right += weight * ratio if weight else 0.0
                    if right > -50:
                        assert float(scores[row, token]) == pytest.approx(right, abs=1e-3)
                    else:
                        assert float(scores[row, token]) < -50
            if step < 2:
                given = torch.full((len(LENGTHS),), spoken[step])


@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_most_probable_text(seed):
    model = Two(seed)
    found = beam_search(JointDecoder(model, 1.0), memory(), width=400, max_length=6, alpha=0.0)
    for row, (best,) in enumerate(found):
        every = texts(model.table[row], LENGTHS[row])
        right = max((t for t in every if not {BOS, EOS} & set(t)), key=every.__getitem__)
        assert best.finished and tuple(best.tokens) == right
        assert best.log_prob == pytest.approx(math.log(every[right]), abs=1e-3)


def test_no_share_of_ctc_is_attention():
    model = Two(1)
    alone = greedy_search(model, memory(), max_length=4)
    joint = greedy_search(JointDecoder(model, 0.0), memory(), max_length=4)
    assert [h.tokens for h in alone] == [h.tokens for h in joint]
    assert [h.log_prob for h in alone] == pytest.approx([h.log_prob for h in joint], abs=1e-5)
    with pytest.raises(ValueError, match="a share, 0 to 1, got 1.5"):
        JointDecoder(model, 1.5)


def test_calibration_chooses_the_share_with_the_fewest_errors(monkeypatch):
    errors = {0.0: 5, 0.3: 3, 0.5: 1, 0.7: 1, 0.9: 4}

    class Tried(Recogniser):
        def __init__(self, weight):
            self.model = type("Model", (), {"ctc_weight": weight})()
            self.by = "attention"

        def predict(self, sounds):
            self.sounds = sounds
            share = self.ctc_share if self.by == "joint" else 0.0
            return ["wrong"] * errors[share] + ["a"] * (len(sounds) - errors[share])

    pairs = [(torch.ones(10 + i), "a") for i in range(7)]
    monkeypatch.setattr(
        "course_utils.tasks.speech.recogniser.word_errors",
        lambda outputs, texts: word_errors(outputs, ["a"] * len(texts)),
    )
    listener = Tried(0.3)
    assert listener.calibrate(pairs) == {"ctc_share": 0.5}
    assert (listener.by, listener.ctc_share) == ("joint", 0.5)
    assert [len(sound) for sound in listener.sounds[7:]] == [33, 42, 16]  # joined in threes
    for weight in (0.0, 1.0):
        assert Tried(weight).calibrate(pairs) == {}
