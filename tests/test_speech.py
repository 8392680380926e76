"""Speech recognition: encoder, CTC and joint loss, `Recogniser`, metrics, the command."""

import itertools
import math
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.__main__ import main
from course_utils.audio import FrontEnd
from course_utils.batches import Example, make_batch
from course_utils.checkpoints import load_checkpoint, save_checkpoint
from course_utils.metrics import (
    attention_times,
    bootstrap_interval,
    cer,
    monotonicity,
    time_errors,
    wer,
    word_errors,
)
from course_utils.models.builders import build_recogniser
from course_utils.models.speech_encoder import SpeechEncoder
from course_utils.paths import REPO
from course_utils.plotting.audio import listening, spectrogram, wave
from course_utils.tasks.recipe import take_over
from course_utils.tasks.speech.augmentation import Augmentation
from course_utils.tasks.speech.ctc import ctc_collapse, ctc_loss, joint_loss
from course_utils.tasks.speech.data import SpeechData, samples_of
from course_utils.tasks.speech.recogniser import Recogniser
from course_utils.training import FitSettings, attention_loss, fit, sequence_loss, train_step
from course_utils.vocabulary import EOS, Vocabulary
from tools.tiny import few, quick

RATE, MELS = 8000, 8
WORDS = ["zero", "one", "two", "three", "four"]
SIZE = len(WORDS) + 4
SETTINGS = {"mels": MELS, "features": 9, "embedding_dim": 6, "memory_dim": 10, "hidden_dim": 7}


def tiny_recogniser(seed=0, sharpness=2.0, **changes):
    torch.manual_seed(seed)
    model = build_recogniser(SIZE, **(SETTINGS | {"dropout": 0.3} | changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(sharpness)
        # All weights fit into half precision, as those of a checkpoint do.
        model.load_state_dict({k: w.half().float() for k, w in model.state_dict().items()})
    return model


def random_frames(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, MELS, generator=generator) for length in lengths]


def speech_batch(lengths, targets=(3,), seed=0):
    generator = torch.Generator().manual_seed(seed)
    frames = random_frames(lengths, seed)
    tokens = [torch.randint(4, SIZE, (n,), generator=generator).tolist() for n in targets]
    return make_batch([Example(f, t) for f, t in zip(frames, tokens, strict=True)])


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def noise(seconds, seed=0, level=0.1):
    generator = torch.Generator().manual_seed(seed)
    return level * torch.randn(round(seconds * RATE), generator=generator)


# --- encoder ----------------------------------------------------------------------------------


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5), padding=st.integers(0, 9))
@few
@torch.no_grad()
def test_neither_padding_nor_neighbours_change_a_memory(lengths, padding):
    encoder = tiny_recogniser().encoder
    frames = random_frames(lengths)
    batch = make_batch([Example(f, []) for f in frames])
    garbage = torch.full((len(lengths), padding, MELS), 1e3)
    wider = torch.cat([batch.source, garbage], dim=1)
    for row, length in enumerate(lengths):
        wider[row, length:] = 1e3  # whatever is there
    together = encoder.encode(wider, batch.source_lengths)
    for row, length in enumerate(lengths):
        alone = encoder.encode(frames[row][None], torch.tensor([length]))
        count = math.ceil(length / 4)
        assert alone.keys.shape == (1, count, 10)
        close(together.keys[row, :count], alone.keys[0])
        close(together.summary[row], alone.summary[0])
        assert together.attend_mask[row].tolist() == [
            position < count for position in range(together.keys.shape[1])
        ]
        assert not together.keys[row, count:].any()


@torch.no_grad()
def test_every_frame_reaches_the_memory_and_its_own_position_most():
    """Memory positions are where their frames are: the middle of position p is frame 4p."""
    encoder = tiny_recogniser(sharpness=1.0).encoder
    (frames,) = random_frames([61])
    plain = encoder.encode(frames[None], torch.tensor([61])).keys[0]
    for frame in (0, 20, 40, 60):
        changed = frames.clone()
        changed[frame] += 3.0
        moved = (encoder.encode(changed[None], torch.tensor([61])).keys[0] - plain).norm(dim=1)
        assert moved.argmax() == round(frame / 4)


def test_encoder_refuses_what_does_not_fit():
    encoder = tiny_recogniser().encoder
    with pytest.raises(ValueError, match=r"\(batch, frames, 8\)"):
        encoder.encode(torch.zeros(2, 12, 7), torch.tensor([12, 3]))
    with pytest.raises(ValueError, match="2 lengths from 1 to 12"):
        encoder.encode(torch.zeros(2, 12, MELS), torch.tensor([12, 0]))
    with pytest.raises(ValueError, match="even"):
        SpeechEncoder(7)
    with pytest.raises(ValueError, match="multiple of 4"):
        SpeechEncoder(8, mels=10)


@pytest.mark.parametrize(
    "settings",
    [{"decoder": "attention", "score": "location"}, {"score": "location"}, {"score": "additive"}],
)
@torch.no_grad()
def test_forward_is_repeated_step(settings):
    model = tiny_recogniser(**settings)
    batch = speech_batch([30, 44], [4, 2])
    logits, weights = model(batch)
    state = model.decoder.start(model.remember(batch))
    for place in range(batch.target_in.shape[1]):
        one, state, looked = model.decoder.step(state, batch.target_in[:, place])
        close(one, logits[:, place])
        close(looked, weights[:, place])
        close(state.weights, weights[:, place])


def test_builder_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="unknown decoder"):
        build_recogniser(SIZE, decoder="other")
    with pytest.raises(ValueError, match="takes no score"):
        build_recogniser(SIZE, decoder="fixed_vector", score="additive")
    with pytest.raises(ValueError, match="share"):
        build_recogniser(SIZE, ctc_weight=1.5)


# --- CTC and the joint loss -------------------------------------------------------------------


def by_listing(log_probs, target):
    """-log P(target): the sum over all paths that collapse to it."""
    T, V = log_probs.shape
    total = [
        sum(float(log_probs[t, token]) for t, token in enumerate(path))
        for path in itertools.product(range(V), repeat=T)
        if [token for token, _ in ctc_collapse(path)] == target
    ]
    return -math.log(sum(math.exp(x) for x in total))


@pytest.mark.parametrize("target", [[1], [1, 2], [2, 2], []])
def test_ctc_loss_is_the_sum_over_all_paths(target):
    generator = torch.Generator().manual_seed(1)
    log_probs = torch.randn(1, 4, 3, generator=generator).log_softmax(-1)
    padded = torch.tensor([[*target, 0, 0]])
    found = ctc_loss(log_probs, padded, torch.tensor([4]), torch.tensor([len(target)]))
    assert float(found) * (len(target) + 1) == pytest.approx(
        by_listing(log_probs[0], target), abs=1e-5
    )


def test_ctc_loss_ignores_positions_and_targets_after_the_end():
    generator = torch.Generator().manual_seed(2)
    log_probs = torch.randn(2, 7, 5, generator=generator).log_softmax(-1)
    targets = torch.tensor([[1, 2, 3], [4, 2, 1]])
    places, lengths = torch.tensor([5, 7]), torch.tensor([2, 3])
    expected = ctc_loss(log_probs, targets, places, lengths)
    log_probs[0, 5:], targets[0, 2] = -3.0, 4
    assert torch.equal(ctc_loss(log_probs, targets, places, lengths), expected)


def test_a_target_that_does_not_fit_adds_nothing():
    log_probs = torch.zeros(1, 2, 5).log_softmax(-1).requires_grad_()
    loss = ctc_loss(log_probs, torch.tensor([[1, 1]]), torch.tensor([2]), torch.tensor([2]))
    loss.backward()
    assert loss.item() == 0 and log_probs.grad.isfinite().all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_joint_loss_is_the_weighted_sum(share):
    model = tiny_recogniser(ctc_weight=share, dropout=0.0)
    batch = speech_batch([50, 37, 22], [5, 2, 0])
    memory = model.remember(batch)
    logits, _ = model(batch)
    lengths = torch.tensor([5, 2, 0])
    ctc = ctc_loss(
        model.ctc_log_probs(memory), batch.target[:, 1:], memory.attend_mask.sum(1), lengths
    )
    expected = share * ctc + (1 - share) * sequence_loss(logits, batch.target_out, 0.1)
    close(joint_loss(model, batch, 0.1), expected)
    if share == 0:
        close(joint_loss(model, batch, 0.1), attention_loss(model, batch, 0.1))


def test_train_step_and_fit_accept_another_loss():
    model = tiny_recogniser(ctc_weight=1.0, dropout=0.0)
    before = {k: w.clone() for k, w in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    batch = speech_batch([50, 37], [5, 2])
    expected = joint_loss(model, batch).item()
    assert train_step(model, batch, optimizer, loss=joint_loss) == pytest.approx(expected)
    changed = {k for k, w in model.state_dict().items() if not torch.equal(w, before[k])}
    assert {name.split(".")[0] for name in changed} == {"encoder", "ctc"}  # no decoder in CTC

    class Batches:
        def forever(self, skip=0):
            return itertools.repeat(batch)

    scores = iter([30.0, 10.0, 20.0])
    settings = FitSettings(steps=6, validate_every=2)
    history = fit(
        model,
        Batches(),
        settings,
        evaluate=lambda _: {"wer": next(scores)},
        select="wer",
        lower_is_better=True,
        loss=joint_loss,
        progress=False,
    )
    assert history.best_step == 4


def test_ctc_collapse():
    assert ctc_collapse([0, 5, 5, 0, 5, 6, 6, 0]) == [(5, 1), (5, 4), (6, 5)]
    assert ctc_collapse([]) == [] and ctc_collapse([0, 0]) == []


# --- data -------------------------------------------------------------------------------------


class Spoken:
    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)


def speech_data(augmentation):
    train = [(Spoken(noise(0.3 + 0.1 * i, i)), " ".join(WORDS[: i % 4])) for i in range(12)]
    return SpeechData(
        train,
        train[:3],
        Vocabulary.words(WORDS),
        front_end=FrontEnd(mels=MELS),
        augmentation=augmentation,
    )


def test_training_sounds_vary_and_validation_sounds_do_not():
    data = speech_data(Augmentation(speed=0.2, noise=1.0))
    torch.manual_seed(0)
    first, second = next(data.batches(400).forever()), next(data.batches(400).forever())
    assert torch.equal(first.target, second.target)
    assert first.source.shape != second.source.shape or not torch.equal(first.source, second.source)
    again = speech_data(Augmentation(speed=0.2, noise=1.0))
    assert torch.equal(data.valid_batches[0].source, again.valid_batches[0].source)
    plain = next(speech_data(Augmentation()).batches(400).forever())
    longest = plain.source_lengths.argmax()
    sound = next(s for s, _ in data.train if FrontEnd().frames(len(s)) == plain.source.shape[1])
    close(plain.source[longest], FrontEnd(mels=MELS).log_mel(sound.samples))


def test_samples_of():
    sound = noise(0.1)
    assert samples_of(sound) is sound and samples_of(Spoken(sound)) is sound
    for wrong in (torch.zeros(2, 5), "sound.wav", 3):
        with pytest.raises(TypeError, match="a sound is a tensor"):
            samples_of(wrong)


# --- Recogniser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-speech"
    settings = SETTINGS | {"size": SIZE, "score": "location"}
    torch.manual_seed(0)
    model = tiny_recogniser(score="location", sharpness=3.0)
    save_checkpoint(
        folder,
        model,
        Vocabulary.words(WORDS),
        builder="recogniser",
        settings=settings,
        card={},
        log=[],
    )
    return folder


@pytest.fixture(scope="module")
def recogniser(folder):
    return Recogniser.load(folder)


SOUNDS = [noise(seconds, seed) for seed, seconds in enumerate([0.4, 1.7, 0.02, 0.9])]


def test_sounds_longer_than_those_in_training_are_cut(recogniser):
    model = build_recogniser(len(recogniser.vocabulary), mels=MELS, longest=0.5)
    sound = noise(1.7)
    for wanted, most in ((None, 0.5), (1.0, 1.0), (600, 1.7)):
        listener = Recogniser(model, recogniser.vocabulary, longest=wanted)
        (found,) = listener.transcribe([sound])
        assert max(len(piece.frames) for piece in found.pieces) <= 100 * most + 1
        assert (len(found.pieces) == 1) == (most > 1.5)
    with pytest.raises(ValueError, match="longest is a number of seconds above 0, got 0"):
        build_recogniser(7, longest=0)


@pytest.mark.parametrize("by,beam", [("attention", 1), ("attention", 3), ("ctc", 1)])
def test_neighbours_do_not_influence_a_sound(recogniser, by, beam):
    listener = Recogniser(recogniser.model, recogniser.vocabulary, by=by)
    together = listener.transcribe(SOUNDS, beam=beam)
    for sound, found in zip(SOUNDS, together, strict=True):
        (alone,) = listener.transcribe([sound], beam=beam)
        assert alone.text == found.text
        np.testing.assert_allclose(alone.only.attention, found.only.attention, atol=1e-4)
        assert found.only.attention.shape[1] == len(found.only.times)
        assert len(found.only.pieces) == len(found.only.attention)
    assert by == "ctc" or len({t.text for t in together}) > 1


def test_silence_is_empty_and_long_sounds_come_in_pieces(recogniser):
    silence, long = recogniser.transcribe(
        [torch.zeros(RATE), torch.cat([noise(0.6), torch.zeros(RATE), noise(0.8)])]
    )
    assert silence.text == "" and silence.pieces == []
    assert len(long.pieces) == 2
    assert long.pieces[1].start == pytest.approx(1.45, abs=0.02)
    assert long.pieces[1].times[0] == pytest.approx(1.4625, abs=0.02)
    assert long.text == " ".join(p.text for p in long.pieces if p.text)
    with pytest.raises(ValueError, match="2 pieces"):
        _ = long.only
    assert recogniser.transcribe([torch.zeros(1)])[0].text == ""


def test_another_rate_is_resampled(recogniser):
    from course_utils.audio import resample

    high = resample(SOUNDS[1], RATE, 16_000)
    (found,) = recogniser.transcribe([high], sample_rate=16_000)
    (expected,) = recogniser.transcribe([SOUNDS[1]])
    assert found.only.frames.shape == expected.only.frames.shape


def test_a_file_is_heard_as_its_samples(recogniser, tmp_path):
    file = tmp_path / "noise.wav"
    sound = torch.cat([noise(0.9), torch.zeros(RATE), noise(0.5, 3)])
    soundfile.write(file, sound.numpy(), RATE, subtype="FLOAT")
    pieces = list(recogniser.transcribe_file(file))
    (expected,) = recogniser.transcribe([sound])
    assert [p.text for p in pieces] == [p.text for p in expected.pieces]
    assert [p.start for p in pieces] == [p.start for p in expected.pieces]


def test_attention_of_given_texts(recogniser):
    pairs = [(SOUNDS[1], "one two one"), (SOUNDS[0], "four")]
    found = recogniser.attention_of(pairs)
    assert [m.shape[0] for m in found] == [3, 1]
    for (sound, _), matrix in zip(pairs, found, strict=True):
        assert matrix.shape[1] == math.ceil(FrontEnd().frames(len(sound)) / 4)
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    (alone,) = recogniser.attention_of(pairs[1:])
    np.testing.assert_allclose(alone, found[1], atol=1e-5)


def test_a_checkpoint_keeps_its_share_of_ctc(tmp_path):
    model = tiny_recogniser(ctc_weight=0.3, score="location", sharpness=3.0)

    def saved(**card):
        save_checkpoint(
            tmp_path / "one",
            model,
            Vocabulary.words(WORDS),
            builder="recogniser",
            settings=SETTINGS | {"size": SIZE, "score": "location", "ctc_weight": 0.3},
            card=card,
            log=[],
        )
        found = Recogniser.load(tmp_path / "one")
        return found.by, found.ctc_share

    assert saved(calibration={"ctc_share": 0.4}) == ("joint", 0.4)
    for chosen in (None, {}, {"ctc_share": 0.0}):
        assert saved(calibration=chosen) == ("attention", Recogniser.ctc_share)


def test_a_model_of_ctc_alone_is_read_by_ctc(recogniser):
    model = tiny_recogniser(ctc_weight=1.0, sharpness=3.0)
    listener = Recogniser(model, recogniser.vocabulary)
    assert listener.by == "ctc"
    (found,) = listener.transcribe([SOUNDS[1]])
    frames = listener.front_end.log_mel(SOUNDS[1])
    memory = model.encoder.encode(frames[None], torch.tensor([len(frames)]))
    path = model.ctc_log_probs(memory)[0].argmax(-1).tolist()
    kept = [(t, p) for t, p in ctc_collapse(path) if t > EOS]
    assert found.only.hypothesis.tokens == [t for t, _ in kept]
    assert found.only.attention.argmax(axis=1).tolist() == [p for _, p in kept]
    with pytest.raises(ValueError, match="neither"):
        Recogniser(model, recogniser.vocabulary, by="beam")


def test_a_training_can_start_from_a_checkpoint(folder):
    same, other = speech_data(Augmentation()), speech_data(Augmentation())
    other.vocabulary = Vocabulary.words(["eight", "nine"])
    first = Recogniser.load(folder).model
    model = tiny_recogniser(seed=5, score="location")
    take_over(model, same, load_checkpoint(folder))
    assert all(torch.equal(w, first.state_dict()[k]) for k, w in model.state_dict().items())
    settings = SETTINGS | {"score": "location"}
    smaller = build_recogniser(6, **settings)
    before = smaller.decoder.combine.weight.clone()
    take_over(smaller, other, load_checkpoint(folder))
    assert torch.equal(smaller.encoder.project.weight, first.encoder.project.weight)
    assert torch.equal(smaller.decoder.combine.weight, before)
    with pytest.raises(ValueError, match="sizes of checkpoint .* differ"):
        wide = build_recogniser(6, **(settings | {"features": 11}))
        take_over(wide, other, load_checkpoint(folder))


# --- metrics ----------------------------------------------------------------------------------


def test_error_rates_by_hand():
    references = ["one two three four", "five"]
    outputs = ["one two four four four", "nine five"]  # 1 substitution, 1 and 1 insertion
    found = word_errors(outputs, references)
    assert (found.substitutions, found.deletions, found.insertions, found.words) == (1, 0, 2, 5)
    assert wer(outputs, references).score == pytest.approx(60.0)
    mean_of_rates = (2 / 4 + 1 / 1) / 2 * 100
    assert wer(outputs, references).score != pytest.approx(mean_of_rates)
    assert wer(["ONE"], ["one"], lowercase=True).score == 0
    assert wer(["ONE"], ["one"]).score == 100
    assert cer(["one"], ["on"]).score == pytest.approx(50)
    assert word_errors(["", "a b"], ["x", ""]).errors == 3  # one deletion, two insertions
    assert wer(["  one   two "], ["one two"]).score == 0
    with pytest.raises(ValueError, match="no word"):
        wer(["one"], [""])


@given(
    texts=st.lists(
        st.tuples(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"))),
        min_size=1,
        max_size=5,
    )
)
@quick
def test_word_errors_are_the_edit_distance(texts):
    outputs, references = [" ".join(o) for o, _ in texts], [" ".join(r) for _, r in texts]
    found = word_errors(outputs, references)
    assert found.errors == sum(edit_distance(o, r) for o, r in texts)
    assert found.words == sum(len(r) for _, r in texts)
    assert found.insertions - found.deletions == sum(len(o) - len(r) for o, r in texts)


def edit_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def test_bootstrap_interval():
    errors, words = [0, 0, 1, 2, 0, 0, 1, 0] * 20, [4, 5, 3, 6, 2, 4, 4, 5] * 20
    low, high = bootstrap_interval(errors, words)
    rate = 100 * sum(errors) / sum(words)
    assert low < rate < high and high - low < rate
    assert bootstrap_interval(errors, words) == (low, high)
    narrow = bootstrap_interval(errors * 16, words * 16)
    assert narrow[1] - narrow[0] == pytest.approx((high - low) / 4, rel=0.2)
    assert bootstrap_interval([0, 0], [3, 4]) == (0.0, 0.0)
    with pytest.raises(ValueError, match="for each text"):
        bootstrap_interval([1], [1, 2])


def test_times_and_monotonicity():
    weights = np.array([[0.1, 0.8, 0.1, 0], [0, 0.1, 0.2, 0.7], [0.6, 0.2, 0.1, 0.1]])
    times = [0.0, 0.04, 0.08, 0.12]
    found = attention_times(weights, times)
    assert found.tolist() == [0.04, 0.12, 0.0]
    words = [(0.0, 0.1), (0.1, 0.2), (0.2, 0.4)]
    np.testing.assert_allclose(time_errors(found, words), [10, 30, 300])
    assert monotonicity([weights]) == 0.5
    assert monotonicity([weights[:2], weights[:1]]) == 1.0 and monotonicity([]) == 1.0
    with pytest.raises(ValueError, match="end mark"):
        time_errors(found, words[:2])
    with pytest.raises(ValueError, match="time for each"):
        attention_times(weights, times[:3])


# --- pictures ---------------------------------------------------------------------------------


def test_pictures_show_what_they_are_given(recogniser):
    (heard,) = recogniser.transcribe([SOUNDS[1]])
    figure = listening(heard.only, words=[(0.1, 0.5), (0.6, 1.0)])
    top, below = figure.axes
    np.testing.assert_allclose(np.asarray(top.images[0].get_array()), heard.only.frames.numpy().T)
    np.testing.assert_allclose(np.asarray(below.images[0].get_array()), heard.only.attention)
    assert [t.get_text() for t in below.get_yticklabels()] == heard.only.pieces
    boxes = [(p.get_x(), p.get_width()) for p in below.patches]
    assert boxes[0] == pytest.approx((0.1, 0.4))
    left, right = below.images[0].get_extent()[:2]
    assert left < heard.only.times[0] < heard.only.times[-1] < right
    plt.close(figure)
    ax = wave(SOUNDS[0], RATE, words=[("one", 0.1, 0.2)])
    assert ax.get_xlim()[1] == pytest.approx(0.4)
    plt.close("all")
    with pytest.raises(ValueError, match="T, bands"):
        spectrogram(np.zeros(4))
    with pytest.raises(ValueError, match=r"\(N,\)"):
        wave(np.zeros((2, 3)), RATE)


# --- the command ------------------------------------------------------------------------------


def transcribe(capfdbinary, *arguments):
    status = main(["transcribe", *map(str, arguments)])
    out, err = capfdbinary.readouterr()
    return status, out.decode(), err.decode()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Sounds of all kinds, by name."""
    place = tmp_path_factory.mktemp("sounds")
    stereo = torch.stack([noise(1.1), noise(1.1, 4)], dim=1)
    soundfile.write(place / "a stereo.flac", stereo.numpy(), 44_100)
    soundfile.write(place / "b.ogg", noise(0.8, 5).numpy(), RATE)
    soundfile.write(place / "silence.wav", np.zeros(3 * RATE), RATE)
    soundfile.write(place / "one.wav", np.array([0.5]), RATE)
    soundfile.write(place / "empty.wav", np.zeros(0), RATE)
    (place / "no sound.wav").write_text("hello")
    (place / "nothing.wav").write_bytes(b"")
    return {path.name: path for path in place.iterdir()}


def test_one_line_for_each_file_in_order(folder, files, capfdbinary):
    names = ["b.ogg", "silence.wav", "a stereo.flac", "one.wav", "empty.wav"]
    status, out, err = transcribe(
        capfdbinary, "--checkpoint", folder, *[files[name] for name in names]
    )
    assert status == 0 and err == ""
    lines = [line.split("\t") for line in out.splitlines()]
    assert [path for path, _ in lines] == [str(files[name]) for name in names]
    texts = dict(zip(names, [text for _, text in lines], strict=True))
    assert texts["silence.wav"] == texts["empty.wav"] == ""
    assert texts["b.ogg"] and texts["a stereo.flac"]


def test_a_file_name_cannot_break_the_lines(folder, files, capfdbinary, tmp_path):
    odd = tmp_path / "two\nlines\tand a tab.wav"
    odd.write_bytes(files["b.ogg"].read_bytes())
    status, out, _ = transcribe(capfdbinary, "--checkpoint", folder, odd)
    assert status == 0 and out.count("\n") == out.count("\t") == 1
    assert out.startswith(f"{tmp_path}/two?lines?and a tab.wav\t")


def test_a_bad_file_is_reported_and_the_others_are_transcribed(folder, files, capfdbinary):
    order = [files["no sound.wav"], files["b.ogg"], files["nothing.wav"], "missing.wav"]
    status, out, err = transcribe(capfdbinary, "--checkpoint", folder, *order)
    assert status == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(files["b.ogg"])]
    assert len(err.splitlines()) == 3 and "Traceback" not in err
    assert "no sound.wav" in err and "missing.wav: there is no such file" in err


def test_pictures_of_the_attention(folder, files, capfdbinary, tmp_path):
    two = [files["b.ogg"], files["a stereo.flac"]]
    status, _, err = transcribe(
        capfdbinary, "--checkpoint", folder, "--attention", tmp_path / "x.png", two[0]
    )
    assert (status, err) == (0, "") and (tmp_path / "x.png").stat().st_size > 1000
    transcribe(capfdbinary, "--checkpoint", folder, "--attention", tmp_path / "y.png", *two)
    assert sorted(p.name for p in tmp_path.glob("y*")) == ["y-1.png", "y-2.png"]
    into = tmp_path / "folder"
    into.mkdir()
    transcribe(capfdbinary, "--checkpoint", folder, "--attention", into, *two, two[0])
    assert sorted(p.name for p in into.iterdir()) == ["a stereo.png", "b-1.png", "b-3.png"]
    transcribe(capfdbinary, "--checkpoint", folder, "--attention", f"{tmp_path}/new/", *two)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["a stereo.png", "b.png"]


def test_wrong_arguments_give_one_line(folder, files, capfdbinary, tmp_path):
    from tools.tiny import tiny_checkpoint

    tiny_checkpoint(tmp_path / "translator")
    for arguments, expected in (
        (["--beam", "0", "x.wav"], "--beam"),
        (["--attention", tmp_path / "no" / "x.png", "x.wav"], "does not exist"),
        (["--attention", f"{files['b.ogg']}/", "x.wav"], "is a file, but ends like a folder"),
        (["--checkpoint", "nonsense", "x.wav"], "no checkpoint"),
        (["--checkpoint", tmp_path / "translator", files["b.ogg"]], "it needs a SpeechModel"),
    ):
        status, out, err = transcribe(capfdbinary, *arguments)
        assert status == 1 and out == "" and expected in err
        assert len(err.splitlines()) == 1


def test_the_command_line_itself(folder, files):
    done = subprocess.run(
        [sys.executable, "-m", "course_utils", "transcribe", "--checkpoint", folder]
        + [files["b.ogg"], files["no sound.wav"]],
        cwd=REPO,
        capture_output=True,
    )
    assert done.returncode == 1
    assert done.stdout.count(b"\n") == 1 and done.stderr.count(b"\n") == 1


def test_bytes_are_heard_too(recogniser, files):
    data = files["b.ogg"].read_bytes()
    assert [p.text for p in recogniser.transcribe_file(data)] == [
        p.text for p in recogniser.transcribe_file(files["b.ogg"])
    ]
