"""Several processes that train one model: the same steps as one process takes."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from course_utils import distributed
from course_utils.recipes import RECIPES
from course_utils.runtime import evaluating
from course_utils.training import attention_loss
from tools.notebooks import ROOT
from tools.processes import run_together
from tools.tiny import few, random_batch, tiny_translator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torchrun is made for Linux, macOS")

# Trains a small translator without dropout, in two halves; each half can have its own processes.
TRAINING = """
import sys
import torch
from course_utils.callbacks import Callback, ResumeFile
from course_utils.distributed import is_first, joined_processes
from course_utils.training import FitSettings, fit
from test_distributed import batches, score
from tools.tiny import random_batch, tiny_translator

folder, last = sys.argv[1], int(sys.argv[2])

class Interrupt(Callback):
    def after_step(self, run):
        if run.history.steps == last + 1:
            raise KeyboardInterrupt

with joined_processes():
    torch.manual_seed(int(is_first()))  # the others start from other weights
    model = tiny_translator(dropout=0.0)
    if not is_first():
        for weight in model.parameters():
            weight.data.add_(1.0)
    try:
        history = fit(
            model, batches(), FitSettings(steps=8, validate_every=2, regulariser=0.5, seed=5),
            valid=[random_batch([(3, 4), (6, 2)])], evaluate=score, select="score",
            resume=ResumeFile(folder + "/resume", {"name": "x"}), callbacks=[Interrupt()],
            progress=False,
        )
    except KeyboardInterrupt:
        pass
    else:
        if is_first():
            torch.save({"rows": history.rows, "weights": model.state_dict()}, folder + "/made")
        else:
            torch.save(model.state_dict(), folder + "/second")
"""


def batches():
    """Batches of one to four examples: of some, a second process gets nothing."""
    from course_utils.batches import BucketedBatches
    from tools.tiny import random_examples

    lengths = [(4, 2), (7, 5), (1, 3), (5, 0), (2, 9), (3, 3), (8, 1)]
    return BucketedBatches(random_examples(lengths), tokens=12, seed=3)


def score(model):
    """A validation metric: minus the norm of the weights."""
    return {"score": -float(sum(weight.norm() for weight in model.parameters()))}


def trained(folder, *halves):
    """Rows and weights of the training; ``halves`` are (processes, last step) one after another."""
    folder.mkdir()
    for count, last in halves:
        run_together(count, TRAINING, str(folder), str(last))
    return torch.load(folder / "made", weights_only=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("alone") / "x", (1, 99))


@pytest.mark.parametrize("halves", [((2, 99),), ((2, 4), (1, 99)), ((1, 4), (2, 99))])
def test_two_processes_take_the_steps_of_one(halves, alone, tmp_path):
    found = trained(tmp_path / "x", *halves)
    assert len(found["rows"]) == len(alone["rows"]) == 4
    for row, expected in zip(found["rows"], alone["rows"], strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert row["valid_loss"] == pytest.approx(expected["valid_loss"], rel=1e-4)
        assert row["tokens"] == expected["tokens"]
    for name, weight in found["weights"].items():
        torch.testing.assert_close(weight, alone["weights"][name], rtol=1e-3, atol=1e-4, msg=name)


def test_all_processes_end_with_the_same_weights(tmp_path):
    found = trained(tmp_path / "x", (3, 99))
    second = torch.load(tmp_path / "x" / "second", weights_only=True)
    assert all(torch.equal(weight, second[name]) for name, weight in found["weights"].items())


@few
@given(count=st.integers(2, 5), seed=st.integers(0, 9))
def test_the_parts_of_a_batch_are_the_batch(count, seed):
    batch = random_batch([(4, 2), (7, 5), (1, 3), (5, 0)], seed)
    parts = [batch.part(number, count) for number in range(count)]
    assert sum(len(part.target) for part in parts) == len(batch.target) == 4
    assert sum(part.target_tokens for part in parts) == batch.target_tokens
    for number, part in enumerate(parts):
        assert torch.equal(part.source, batch.source[number::count])
        assert torch.equal(part.source_lengths, batch.source_lengths[number::count])
    assert batch.part(0, 1) is batch


@pytest.mark.parametrize("count", [2, 3])
def test_the_loss_of_a_batch_is_the_mean_of_its_parts_by_tokens(count):
    """Which is what several processes rely on: padding of the others changes nothing."""
    model = tiny_translator(dropout=0.0)
    batch = random_batch([(4, 2), (7, 7), (1, 4), (5, 0)])
    with evaluating(model):
        whole = attention_loss(model, batch, 0.1)
        parts = [batch.part(number, count) for number in range(count)]
        shares = [part.target_tokens / batch.target_tokens for part in parts]
        found = [attention_loss(model, part, 0.1) for part in parts]
    mean = sum(share * loss for share, loss in zip(shares, found, strict=True))
    torch.testing.assert_close(mean, whole)
    assert not torch.isclose(torch.stack(found).mean(), whole)


def test_without_torchrun_nothing_is_joined(monkeypatch):
    monkeypatch.setattr(distributed.dist, "init_process_group", pytest.fail)
    for count in (None, "1"):
        monkeypatch.delenv("WORLD_SIZE", raising=False)
        if count:
            monkeypatch.setenv("WORLD_SIZE", count)
        with distributed.joined_processes():
            assert distributed.process_count() == 1 and distributed.is_first()


def test_the_train_command_under_torchrun(tmp_path):
    """Two processes make one checkpoint and one report."""
    launch = "-m torch.distributed.run --standalone --nproc-per-node 2"
    command = "-m course_utils train classification-questions --steps 2 --out two"
    made = subprocess.run(
        [sys.executable, *launch.split(), *command.split()],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert made.returncode == 0, made.stderr
    card = json.loads((tmp_path / "two" / "card.json").read_text(encoding="utf-8"))
    assert card["processes"] == 2 and card["steps"] == 2
    assert made.stdout.count("classification-questions:") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


def test_the_page_on_clusters_names_trainings_and_files_that_exist():
    text = (ROOT / "notebooks" / "CLUSTERS.md").read_text(encoding="utf-8")
    named = set(re.findall(r"-m course_utils train (\S+)", text))
    service, job = yaml.safe_load_all(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    named.add(arguments[arguments.index("train") + 1])
    assert named <= set(RECIPES)
    # Pods find each other by the name of the service, and meet at the first of them.
    pods = job["spec"]["template"]["spec"]
    assert pods["subdomain"] == service["metadata"]["name"] == job["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert f"--nnodes={job['spec']['completions']}" in arguments
    assert "--rdzv-endpoint=course-0.course:29500" in arguments
