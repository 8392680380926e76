"""The loss, one step, and `fit` with validation, selection, early stop and resumption."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import training
from course_utils.batches import Batch, BucketedBatches, Example, make_batch
from course_utils.callbacks import Callback, ResumeFile, TensorBoard, one_cycle
from course_utils.models.builders import build_translator
from course_utils.training import (
    FitSettings,
    doubly_stochastic,
    fit,
    sequence_loss,
    train_step,
    validation_loss,
)
from course_utils.vocabulary import PAD
from tools.tiny import few, quick, random_batch, random_examples, tiny_translator

LENGTHS = [(4, 2), (7, 5), (1, 3), (5, 0)]
SETTINGS = FitSettings(steps=12, validate_every=3, seed=5)


class Interrupt(Callback):
    """Interrupts a training after some step and its validation, as the user would."""

    def __init__(self, step):
        self.step = step

    def after_step(self, run):
        if run.history.steps == self.step + 1:
            raise KeyboardInterrupt

    def end(self, run):
        raise KeyboardInterrupt


quiet_fit = partial(fit, progress=False)


def interrupted(step, model, *arguments, **settings):
    """A training that is interrupted after ``step`` steps."""
    with pytest.raises(KeyboardInterrupt):
        fit(model, *arguments, progress=False, callbacks=[Interrupt(step)], **settings)


def weights_of(model):
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def same(one, other):
    """Bit by bit the same weights."""
    return all(torch.equal(one[name], other[name]) for name in one)


def batches(number=40, tokens=20, seed=1):
    lengths = [(i % 5 + 1, i % 4 + 1) for i in range(number)]
    return BucketedBatches(random_examples(lengths, seed), tokens, seed, pool=13)


def copy_task(number, seed):
    """Examples whose target is their source."""
    examples = random_examples([(i % 4 + 1, 0) for i in range(number)], seed, source_size=12)
    return [Example(e.source, e.source) for e in examples]


# --- loss -------------------------------------------------------------------------------------


@given(
    smoothing=st.sampled_from([0.0, 0.1, 0.4]),
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    seed=st.integers(0, 999),
)
@quick
def test_loss_is_its_formula(smoothing, lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    V, Tt = 7, max(lengths) + 1
    logits = torch.randn(len(lengths), Tt, V, generator=generator) * 2
    targets = torch.randint(1, V, (len(lengths), Tt), generator=generator)
    for row, length in enumerate(lengths):
        targets[row, length + 1 :] = PAD
    total = count = 0
    for row in range(len(lengths)):
        for t in range(Tt):
            if targets[row, t] == PAD:
                continue
            normaliser = math.log(sum(math.exp(x) for x in logits[row, t].tolist()))
            for token, x in enumerate(logits[row, t].tolist()):
                share = smoothing / V + (1 - smoothing) * (token == targets[row, t])
                total += float(share) * (normaliser - x)
            count += 1
    found = sequence_loss(logits, targets, smoothing)
    assert float(found) == pytest.approx(total / count, rel=1e-4)


def test_uniform_logits_cost_ln_v():
    targets = torch.tensor([[4, 5, PAD]])
    assert float(sequence_loss(torch.zeros(1, 3, 11), targets)) == pytest.approx(math.log(11))


def test_padding_does_not_count():
    logits = torch.randn(2, 4, 9, requires_grad=True)
    targets = torch.tensor([[4, 5, 2, PAD], [2, PAD, PAD, PAD]])
    loss = sequence_loss(logits, targets, 0.1)
    loss.backward()
    assert torch.equal(logits.grad.abs().sum(-1) > 0, targets != PAD)
    changed = logits.detach().clone()
    changed[targets == PAD] = 100.0
    assert sequence_loss(changed, targets, 0.1) == loss


def test_loss_names_a_target_that_is_not_shifted():
    with pytest.raises(ValueError, match=r"\(2, 4\) positions, targets for \(2, 5\).*shifted"):
        sequence_loss(torch.zeros(2, 4, 9), torch.ones(2, 5, dtype=torch.long))


# --- one step ---------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [1e9, 0.05])
def test_train_step_is_the_loop_written_out(clip):
    model, other = tiny_translator(dropout=0.0), tiny_translator(dropout=0.0)
    data = [random_batch(LENGTHS, seed) for seed in range(3)]
    rate, beta1, beta2, decay, epsilon = 0.02, 0.9, 0.999, 0.01, 1e-8
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    parameters = list(other.parameters())
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    for number, batch in enumerate(data, start=1):
        found = train_step(model, batch, optimizer, label_smoothing=0.1, clip=clip)
        logits, _ = other(batch)
        log_probs, real = logits.log_softmax(-1), batch.target_out != PAD
        right = log_probs.gather(-1, batch.target_out[..., None])[..., 0]
        loss = -(0.9 * right + 0.1 * log_probs.mean(-1))[real].mean()
        gradients = torch.autograd.grad(loss, parameters)
        norm = torch.sqrt(sum(g.square().sum() for g in gradients))
        assert found == pytest.approx(float(loss.detach()), abs=1e-5)
        with torch.no_grad():
            for p, g, (m, v) in zip(parameters, gradients, moments, strict=True):
                g = g * min(1.0, clip / float(norm))
                p.mul_(1 - rate * decay)
                m.mul_(beta1).add_((1 - beta1) * g)
                v.mul_(beta2).add_((1 - beta2) * g.square())
                ratio = (m / (1 - beta1**number)) / ((v / (1 - beta2**number)).sqrt() + epsilon)
                p.sub_(rate * ratio)
    for (name, p), q in zip(model.named_parameters(), parameters, strict=True):
        torch.testing.assert_close(p, q, atol=1e-3, rtol=1e-3, msg=name)


def test_in_bfloat16_only_the_products_are_rounded():
    batch = random_batch(LENGTHS, 1)
    losses, moved, products = {}, {}, {}
    for bfloat16 in (False, True):
        model = tiny_translator(dropout=0.0)
        model.decoder.combine.register_forward_hook(
            lambda *call, key=bfloat16: products.update({key: call[-1].dtype})
        )
        before = weights_of(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        losses[bfloat16] = train_step(model, batch, optimizer, bfloat16=bfloat16)
        moved[bfloat16] = torch.cat(
            [(w - before[name]).flatten() for name, w in model.state_dict().items()]
        )
    assert products == {False: torch.float32, True: torch.bfloat16}
    assert losses[True] == pytest.approx(losses[False], rel=0.01)
    assert losses[True] != losses[False]
    assert moved[True].dtype == torch.float32
    assert F.cosine_similarity(moved[True], moved[False], dim=0) > 0.99


def test_clipping_limits_the_norm_of_the_gradient():
    moved = {}
    for clip in (1e9, 0.01):
        model = tiny_translator(dropout=0.0)
        before = weights_of(model)
        train_step(
            model, random_batch(LENGTHS), torch.optim.SGD(model.parameters(), 1.0), clip=clip
        )
        difference = [model.state_dict()[n] - before[n] for n, _ in model.named_parameters()]
        moved[clip] = float(torch.cat([d.flatten() for d in difference]).norm())
    assert moved[0.01] == pytest.approx(0.01, rel=1e-3) and moved[1e9] > 0.02


def test_extra_padding_gives_the_same_update():
    results = []
    for columns in (0, 3):
        model = tiny_translator(dropout=0.0)
        batch = random_batch(LENGTHS)
        padding = torch.full((len(LENGTHS), columns), PAD)
        batch = Batch(
            torch.cat([batch.source, padding], dim=1),
            batch.source_lengths,
            torch.cat([batch.target, padding], dim=1),
        )
        train_step(model, batch, torch.optim.SGD(model.parameters(), 0.1), label_smoothing=0.1)
        results.append(weights_of(model))
    for name in results[0]:
        torch.testing.assert_close(results[1][name], results[0][name], atol=1e-6, rtol=1e-5)


def test_validation_loss_is_the_mean_over_tokens_without_dropout():
    model = tiny_translator(train=True)
    examples = random_examples(LENGTHS)
    parts = [make_batch(examples[:1]), make_batch(examples[1:])]
    found = validation_loss(model, parts)
    assert model.training  # as it was before
    assert found == validation_loss(model, parts)
    model.eval()
    logits, _ = model(make_batch(examples))
    whole = sequence_loss(logits, make_batch(examples).target_out)
    assert found == pytest.approx(float(whole.detach()), abs=1e-5)
    assert validation_loss(model, parts) == found and not model.training


# --- the schedule -----------------------------------------------------------------------------


@given(steps=st.integers(1, 300), warm_up=st.floats(0, 0.9))
@quick
def test_one_cycle_rises_once_and_falls(steps, warm_up):
    factors = [one_cycle(step, steps, warm_up) for step in range(steps)]
    peak = factors.index(max(factors))
    assert max(factors) == pytest.approx(1)
    assert all(0 < f <= 1 for f in factors)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert abs(peak - steps * warm_up) <= 1.5


def test_one_cycle_values():
    assert [one_cycle(step, 20, 0.2) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert one_cycle(12, 20, 0.2) == pytest.approx(0.5)  # half way down
    assert one_cycle(20, 20, 0.2) == pytest.approx(0)


# --- fit --------------------------------------------------------------------------------------


def test_fit_is_repeated_train_step():
    model, other = tiny_translator(dropout=0.0), tiny_translator(dropout=0.0)
    history = fit(model, batches(), SETTINGS, progress=False)
    optimizer = torch.optim.AdamW(other.parameters(), lr=1.0, weight_decay=SETTINGS.weight_decay)
    other.train()
    losses, tokens = [], 0
    for step, batch in zip(range(SETTINGS.steps), batches().forever(), strict=False):
        optimizer.param_groups[0]["lr"] = 3e-3 * one_cycle(step, 12, 0.1)
        losses.append(train_step(other, batch, optimizer, label_smoothing=0.1, clip=1.0))
        tokens += batch.target_tokens
    assert same(weights_of(model), weights_of(other))
    assert not model.training
    assert history.steps == history.best_step == 12 and history.tokens == tokens
    assert [row["step"] for row in history.rows] == [3, 6, 9, 12]
    means = [sum(losses[i : i + 3]) / 3 for i in range(0, 12, 3)]
    assert [row["loss"] for row in history.rows] == pytest.approx(means)


def test_fit_learns_to_copy():
    torch.manual_seed(0)
    model = build_translator(12, embedding_dim=16, memory_dim=24, hidden_dim=24, dropout=0.0)
    data = BucketedBatches(copy_task(300, 0), 100)
    valid = [make_batch(copy_task(50, 1))]
    before = validation_loss(model, valid)
    budget = FitSettings(steps=150, validate_every=50, learning_rate=0.01, label_smoothing=0.0)
    history = fit(model, data, budget, valid=valid, progress=False)
    assert before > 2 and validation_loss(model, valid) < 1
    found = [row["valid_loss"] for row in history.rows]
    assert found == sorted(found, reverse=True)
    assert validation_loss(model, valid) == pytest.approx(min(found))


@given(
    decoder=st.sampled_from(["attention", "bahdanau", "fixed_vector"]),
    stops=st.lists(st.integers(1, 11), min_size=1, max_size=3),
)
@settings(few, max_examples=6)
def test_interrupted_training_reaches_the_same_weights(tmp_path_factory, decoder, stops):
    """Bit by bit, with dropout, wherever and however often it is cut."""
    score = None if decoder == "fixed_vector" else "general"
    valid = [random_batch(LENGTHS, seed=9)]

    def evaluate(model):
        return {"noise": float(torch.rand(()))}  # even one that draws random numbers

    def run(model, train=quiet_fit, **more):
        torch.rand(3)  # what happened before must not matter
        return train(model, batches(), SETTINGS, valid=valid, evaluate=evaluate, **more)

    whole = tiny_translator(decoder, score, layers=2)
    expected = run(whole)
    file = tmp_path_factory.mktemp("resume") / "folder" / "state"
    for stop in sorted(stops):
        model = tiny_translator(decoder, score, layers=2)
        run(model, partial(interrupted, stop), resume=file)
        assert file.exists() == (stop >= SETTINGS.validate_every)
    model = tiny_translator(decoder, score, layers=2)
    history = run(model, resume=file)
    assert same(weights_of(model), weights_of(whole))
    assert not list(file.parent.glob("*"))  # complete: nothing is left
    assert (history.steps, history.tokens, history.best_step) == (
        expected.steps,
        expected.tokens,
        expected.best_step,
    )
    for name in ("step", "loss", "valid_loss", "noise", "learning_rate", "tokens"):
        assert [r[name] for r in history.rows] == [r[name] for r in expected.rows]


def test_dropout_takes_part_in_the_test_above():
    results = []
    for dropout in (0.0, 0.4):
        model = tiny_translator(dropout=dropout)
        fit(model, batches(), SETTINGS, progress=False)
        results.append(weights_of(model))
    assert not same(*results)


def test_stopped_at_the_very_end_it_still_finishes(tmp_path):
    file = tmp_path / "state"
    valid = [random_batch(LENGTHS, seed=9)]
    whole = tiny_translator()
    fit(whole, batches(), SETTINGS, valid=valid, progress=False)
    interrupted(12, tiny_translator(), batches(), SETTINGS, valid=valid, resume=file)
    model = tiny_translator()
    fit(model, batches(), SETTINGS, valid=valid, progress=False, resume=file)
    assert same(weights_of(model), weights_of(whole)) and not file.exists()


def test_resuming_with_other_settings_is_refused(tmp_path):
    file = tmp_path / "state"
    interrupted(6, tiny_translator(), batches(), SETTINGS, resume=file)
    for changes in ({"seed": 6}, {"steps": 13}, {"learning_rate": 0.1}):
        with pytest.raises(ValueError, match="state belongs to a training with other settings;"):
            fit(
                tiny_translator(),
                batches(),
                replace(SETTINGS, **changes),
                progress=False,
                resume=file,
            )
    assert file.exists()


def test_seed_decides():
    results = []
    for seed in (5, 5, 6):
        model = tiny_translator()
        torch.rand(seed)
        fit(model, batches(), replace(SETTINGS, seed=seed), progress=False)
        results.append(weights_of(model))
    assert same(results[0], results[1]) and not same(results[0], results[2])


def scripted(values):
    """An evaluate function that returns given scores and keeps the weights that it saw."""
    left, seen = list(values), []

    def evaluate(model):
        assert not model.training
        seen.append(weights_of(model))
        return {"score": left.pop(0)}

    return evaluate, seen


@pytest.mark.parametrize(
    "scores", [[1.0, 4.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]
)
def test_best_weights_are_kept(scores):
    evaluate, seen = scripted(scores)
    model = tiny_translator()
    history = fit(model, batches(), SETTINGS, evaluate=evaluate, select="score", progress=False)
    best = scores.index(4.0)
    assert history.best_step == 3 * (best + 1)
    assert same(weights_of(model), seen[best])
    assert not same(seen[0], seen[1])
    assert not model.training


def test_lowest_validation_loss_is_selected(monkeypatch):
    values = [3.0, 1.0, 2.0, 4.0]
    monkeypatch.setattr("course_utils.training.validation_loss", lambda *_: values.pop(0))
    history = fit(
        tiny_translator(), batches(), SETTINGS, valid=[random_batch(LENGTHS)], progress=False
    )
    assert history.best_step == 6


@pytest.mark.parametrize(
    "patience,steps", [(None, 12), (1, 9), (2, 12)]
)  # the best is at 6, so 9 is the first without a better one
def test_early_stop(patience, steps):
    evaluate, seen = scripted([1.0, 4.0, 2.0, 3.0])
    model = tiny_translator()
    budget = replace(SETTINGS, patience=patience)
    history = fit(model, batches(), budget, evaluate=evaluate, select="score", progress=False)
    assert history.steps == steps and history.best_step == 6
    assert history.stopped_early == (patience is not None)
    assert same(weights_of(model), seen[1])


def test_a_training_that_stopped_early_does_not_go_on_when_resumed(tmp_path):
    """Interrupted between the early stop and the end, it only finishes."""
    file = tmp_path / "state"
    budget = replace(SETTINGS, patience=1)
    evaluate, seen = scripted([1.0, 4.0, 2.0, 3.0])
    chosen = {"evaluate": evaluate, "select": "score", "resume": file}
    interrupted(9, tiny_translator(), batches(), budget, **chosen)
    model = tiny_translator()
    history = fit(model, batches(), budget, progress=False, **chosen)
    assert (history.steps, history.best_step, history.stopped_early) == (9, 6, True)
    assert same(weights_of(model), seen[1]) and not file.exists()


class Recorder(Callback):
    """Notes every moment at which it is called."""

    def __init__(self):
        self.seen = []

    def start(self, run):
        self.seen.append(("start", run.history.steps))

    def after_step(self, run):
        assert run.model.training
        self.seen.append(("step", run.history.steps))

    def after_validation(self, run, row):
        assert row is run.history.rows[-1]
        self.seen.append(("validation", row["step"]))

    def end(self, run):
        self.seen.append(("end", run.history.best_step))

    def close(self, run):
        self.seen.append(("close", run.history.steps))


def test_callbacks_are_notified_at_every_moment():
    recorder = Recorder()
    budget = replace(SETTINGS, steps=4)
    fit(tiny_translator(), batches(), budget, progress=False, callbacks=[recorder])
    assert recorder.seen == [
        ("start", 0),
        ("step", 1),
        ("step", 2),
        ("step", 3),
        ("validation", 3),
        ("step", 4),
        ("validation", 4),
        ("end", 4),
        ("close", 4),
    ]


def test_callbacks_are_closed_but_not_ended_by_an_interruption():
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        fit(
            tiny_translator(),
            batches(),
            SETTINGS,
            progress=False,
            callbacks=[recorder, Interrupt(2)],
        )
    assert recorder.seen == [("start", 0), ("step", 1), ("step", 2), ("step", 3), ("close", 3)]


def test_a_callback_can_stop_the_training():
    class StopAtFive(Callback):
        def after_step(self, run):
            run.history.stopped_early = run.history.steps == 5

    history = fit(tiny_translator(), batches(), SETTINGS, progress=False, callbacks=[StopAtFive()])
    assert history.steps == history.best_step == 5


def test_the_state_of_a_callback_survives_an_interruption(tmp_path):
    class Counter(Callback):
        steps = 0

        def after_step(self, run):
            self.steps += 1

        def state(self):
            return {"steps": self.steps}

        def load_state(self, saved):
            self.steps = saved["steps"]

    chosen = {"resume": tmp_path / "state", "progress": False}
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_translator(), batches(), SETTINGS, callbacks=[Counter(), Interrupt(8)], **chosen)
    counter = Counter()
    fit(tiny_translator(), batches(), SETTINGS, callbacks=[counter], **chosen)
    assert counter.steps == 12


def test_tensorboard_gets_every_step_and_every_validation(tmp_path):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    valid = [random_batch(LENGTHS, seed=9)]
    history = fit(
        tiny_translator(),
        batches(),
        SETTINGS,
        valid=valid,
        progress=False,
        callbacks=[TensorBoard(tmp_path / "board")],
    )
    written = event_accumulator.EventAccumulator(str(tmp_path / "board"))
    written.Reload()
    found = {s.step: s.value for s in written.Scalars("validation/valid_loss")}
    assert found == pytest.approx({row["step"]: row["valid_loss"] for row in history.rows})
    losses = [scalar.value for scalar in written.Scalars("train/loss")]
    means = [sum(losses[i : i + 3]) / 3 for i in range(0, 12, 3)]
    assert len(losses) == 12
    assert means == pytest.approx([row["loss"] for row in history.rows], rel=1e-5)


def test_a_training_in_bfloat16_is_validated_in_float32(monkeypatch):
    monkeypatch.setattr(training, "computes_in_bfloat16", lambda device: True)
    seen = set()

    def evaluate(model):
        logits, _ = model(random_batch(LENGTHS, 2))
        seen.add(logits.dtype)
        return {"valid_x": 0.0}

    chosen = replace(SETTINGS, bfloat16=True)
    history = quiet_fit(tiny_translator(), batches(), chosen, evaluate=evaluate, select="valid_x")
    assert seen == {torch.float32} and history.settings["bfloat16"]


def test_bfloat16_is_refused_where_it_would_be_emulated(monkeypatch):
    monkeypatch.setattr(training, "computes_in_bfloat16", lambda device: False)
    with pytest.raises(ValueError, match="this cpu has no instructions for bfloat16"):
        quiet_fit(tiny_translator(), batches(), replace(SETTINGS, bfloat16=True))


def test_last_step_is_always_validated():
    history = fit(tiny_translator(), batches(), replace(SETTINGS, steps=4), progress=False)
    assert [row["step"] for row in history.rows] == [3, 4]


def test_a_training_that_diverges_stops_and_says_so(tmp_path):
    budget, recorder = replace(SETTINGS, learning_rate=1e30), Recorder()
    with pytest.raises(FloatingPointError, match=r"the loss is (nan|inf) at step \d+: .*1e\+30"):
        fit(tiny_translator(), batches(), budget, progress=False, callbacks=[recorder])
    assert recorder.seen[-1][0] == "close" and recorder.seen[-1][1] < 12


def test_weights_that_are_not_finite_are_found_before_the_validation():
    class Break(Callback):
        def after_step(self, run):
            with torch.no_grad():
                next(run.model.parameters())[0] = float("nan")

    with pytest.raises(FloatingPointError, match="some weights are not finite after step 3: "):
        fit(
            tiny_translator(),
            batches(tokens=1000),
            replace(SETTINGS, validate_every=3, steps=3),
            evaluate=pytest.fail,
            loss=lambda model, batch, smoothing: model.decoder.output_bias.sum(),
            progress=False,
            callbacks=[Break()],
        )


def test_a_resume_file_belongs_to_one_training(tmp_path):
    file = tmp_path / "state"
    mine = {"name": "mine", "data": "a1"}
    interrupted(6, tiny_translator(), batches(), SETTINGS, resume=ResumeFile(file, mine))
    content = file.read_bytes()
    for other, named in (
        ({"name": "mine", "data": "b2"}, "other data;"),
        ({"name": "yours", "data": "b2"}, "other name, data;"),
        ({}, "other name, data;"),
    ):
        with pytest.raises(ValueError, match=named):
            quiet_fit(tiny_translator(), batches(), SETTINGS, resume=ResumeFile(file, other))
    assert file.read_bytes() == content
    history = quiet_fit(tiny_translator(), batches(), SETTINGS, resume=ResumeFile(file, mine))
    assert history.steps == 12 and not file.exists()


@pytest.mark.parametrize("content", [b"", b"not a resume file", None])
def test_a_damaged_resume_file_is_named(tmp_path, content):
    file = tmp_path / "state"
    if content is None:
        interrupted(6, tiny_translator(), batches(), SETTINGS, resume=file)
        content = file.read_bytes()[:-300]
    file.write_bytes(content)
    with pytest.raises(ValueError, match="state is damaged or does not belong to a training"):
        quiet_fit(tiny_translator(), batches(), SETTINGS, resume=file)
    assert file.read_bytes() == content  # not ours to remove


def test_a_folder_in_place_of_a_resume_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="is damaged or does not belong to a training"):
        quiet_fit(tiny_translator(), batches(), SETTINGS, resume=tmp_path)


def test_a_kept_resume_file_only_finishes(tmp_path):
    file, valid = tmp_path / "state", [random_batch(LENGTHS, seed=9)]
    first, recorder = tiny_translator(), Recorder()
    quiet_fit(first, batches(), SETTINGS, valid=valid, resume=ResumeFile(file, keep=True))
    again = tiny_translator()
    quiet_fit(
        again,
        batches(),
        SETTINGS,
        valid=valid,
        resume=ResumeFile(file, keep=True),
        callbacks=[recorder],
    )
    assert same(weights_of(first), weights_of(again)) and file.exists()
    assert [event for event, _ in recorder.seen] == ["start", "end", "close"]


def test_progress_bar_can_be_seen(capfd):
    fit(tiny_translator(), batches(), SETTINGS)
    assert "step" in capfd.readouterr().err
    fit(tiny_translator(), batches(), SETTINGS, progress=False)
    assert capfd.readouterr() == ("", "")


def test_errors():
    def run(settings=SETTINGS, **more):
        fit(tiny_translator(), batches(), settings, progress=False, **more)

    with pytest.raises(ValueError, match="steps=0"):
        run(replace(SETTINGS, steps=0))
    with pytest.raises(ValueError, match="select='bleu' needs an evaluate"):
        run(select="bleu")
    with pytest.raises(ValueError, match="select='bleu', but evaluate returned .*chrf"):
        run(select="bleu", evaluate=lambda model: {"chrf": 1.0})
    with pytest.raises(ValueError, match="patience"):
        run(replace(SETTINGS, patience=2))


def test_padded_logits_do_not_change_smoothing():
    """PyTorch's smoothed loss with ignored positions equals that of the real ones alone."""
    logits, targets = torch.randn(1, 5, 9), torch.tensor([[4, 5, 2, PAD, PAD]])
    expected = F.cross_entropy(logits[0, :3], targets[0, :3], label_smoothing=0.1)
    torch.testing.assert_close(sequence_loss(logits, targets, 0.1), expected)


def test_the_regulariser_does_not_count_padding():
    """The same examples give the same update, however wide the padding of their batch is."""
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.5, 0.5, 0.0]]])
    targets = torch.tensor([[4, 2]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    expected = 0.0 + 0.25**2 + 0.75**2
    assert doubly_stochastic(weights, targets, mask).item() == pytest.approx(expected)
    wide, wide_mask = F.pad(weights, (0, 4)), F.pad(mask, (0, 4))
    assert doubly_stochastic(wide, targets, wide_mask).item() == pytest.approx(expected)
    assert doubly_stochastic(wide, targets).item() == pytest.approx(expected + 4)

    narrow = random_batch([(4, 2), (3, 3)], seed=3)
    padded = replace(narrow, source=F.pad(narrow.source, (0, 5)))
    found = []
    for batch in (narrow, padded):
        model = tiny_translator(dropout=0.0, train=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        train_step(model, batch, optimizer, regulariser=0.3)
        found.append(weights_of(model))
    for name, weight in found[0].items():
        torch.testing.assert_close(found[1][name], weight, msg=name)
