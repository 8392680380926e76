"""Checkpoints: what is saved comes back, and damage is named."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import course_utils.checkpoints as checkpoints
from course_utils.checkpoints import (
    CheckpointError,
    check_target,
    load_checkpoint,
    save_checkpoint,
)
from course_utils.models.builders import build_captioner, build_translator
from course_utils.models.seq2seq import count_parameters
from course_utils.paths import checkpoint_names
from course_utils.provenance import commit, first_commit, machine, provenance
from tools.tiny import (
    TEXTS,
    TINY_SETTINGS,
    random_batch,
    tiny_checkpoint,
    tiny_translator,
    tiny_vocabulary,
)

FILES = {"model.safetensors", "vocabulary.json", "card.json", "log.json"}


@pytest.fixture
def folder(tmp_path):
    tiny_checkpoint(tmp_path / "tiny", name="tiny", seed_of_data=7)
    return tmp_path / "tiny"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def save(folder, model=None):
    """Save a model that belongs to no vocabulary in particular."""
    build = {"source_size": 17, "target_size": 13, "score": "general", **TINY_SETTINGS}
    model = build_translator(**build) if model is None else model
    return save_checkpoint(
        folder, model, tiny_vocabulary(), builder="translator", settings=build, card={}, log=[]
    )


# --- there and back ---------------------------------------------------------------------------


@torch.no_grad()
def test_a_loaded_model_gives_the_same_outputs(tmp_path):
    model = tiny_checkpoint(tmp_path / "tiny")
    loaded = load_checkpoint(tmp_path / "tiny")
    batch = random_batch([(4, 3), (6, 2)], source_size=120, target_size=120)
    assert not loaded.model.training
    for found, expected in zip(loaded.model(batch), model(batch), strict=True):
        assert torch.equal(found, expected)  # its weights were rounded to float16 before
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())
    # Shared in the file, shared in memory.
    assert loaded.model.encoder.embedding.weight is loaded.model.decoder.embedding.weight
    for text in TEXTS:
        assert loaded.vocabulary.encode(text) == tiny_vocabulary().encode(text)
    assert loaded.log == [{"step": 3, "loss": 1.5}]


@pytest.mark.parametrize("decoder,score", [("bahdanau", "additive"), ("fixed_vector", None)])
@torch.no_grad()
def test_half_precision_costs_little(decoder, score, tmp_path):
    build = {
        "source_size": 17,
        "target_size": 13,
        "decoder": decoder,
        "score": score,
        "encoder_layers": 2,
        **TINY_SETTINGS,
        "hidden_dim": 8,
    }
    torch.manual_seed(1)
    model = build_translator(**build).eval()
    save_checkpoint(
        tmp_path / "x",
        model,
        tiny_vocabulary(),
        builder="translator",
        settings=build,
        card={},
        log=[],
    )
    loaded = load_checkpoint(tmp_path / "x").model
    batch = random_batch([(4, 3), (6, 2)])
    torch.testing.assert_close(loaded(batch)[0], model(batch)[0], atol=5e-3, rtol=5e-3)
    assert not torch.equal(loaded(batch)[0], model(batch)[0])


def test_two_bytes_a_parameter(folder):
    model = load_checkpoint(folder).model
    weights = load_file(folder / "model.safetensors")
    assert sum(w.numel() for w in weights.values()) == count_parameters(model)
    assert {w.dtype for w in weights.values()} == {torch.float16}
    header = (folder / "model.safetensors").stat().st_size - 2 * count_parameters(model)
    assert 0 < header < 4000


def test_card(folder):
    assert set(contents(folder)) == FILES
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card == load_checkpoint(folder).card
    assert card["builder"] == "translator"
    assert card["settings"] == {"source_size": 120, **TINY_SETTINGS}
    assert card["parameters"] == count_parameters(load_checkpoint(folder).model)
    assert (card["name"], card["seed_of_data"]) == ("tiny", 7)
    for name in ("model.safetensors", "vocabulary.json"):
        assert card["sha256"][name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_provenance_says_command_commit_and_machine(monkeypatch):
    monkeypatch.setattr("sys.argv", ["__main__.py", "train", "x", "--seed", "3"])
    found = provenance()
    assert found["command"] == "python -m course_utils train x --seed 3"
    assert found["commit"] == "unknown" or len(found["commit"].removesuffix("+changes")) == 40
    assert found["machine"] == machine() and found["machine"]["torch"] == torch.__version__
    json.dumps(found)


@pytest.fixture
def fresh_commit():
    first_commit.cache_clear()
    yield
    first_commit.cache_clear()


@pytest.mark.usefixtures("fresh_commit")
def test_without_git_the_commit_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr("course_utils.provenance.REPO", tmp_path)
    assert commit() == "unknown"
    first_commit.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == "unknown"


@pytest.mark.usefixtures("fresh_commit")
def test_the_commit_is_that_of_the_modules_in_use(monkeypatch, tmp_path):
    """Another file may change during a training, and other commits may follow."""

    def git(*arguments):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    used, other = tmp_path / "course_utils" / "used.py", tmp_path / "course_utils" / "other.py"
    used.parent.mkdir()
    for file in (used, other):
        file.write_text("1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    monkeypatch.setattr("course_utils.provenance.REPO", tmp_path)
    monkeypatch.setitem(sys.modules, "used", SimpleNamespace(__file__=str(used)))
    first = git("rev-parse", "HEAD")
    assert commit() == first
    other.write_text("2\n")
    assert commit() == first
    git("commit", "-qam", "second")
    assert commit() == first
    used.write_text("2\n")
    assert commit() == first + "+changes"
    git("commit", "-qam", "third")  # after it was loaded
    assert commit() == first + "+changes"


def test_names(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr("course_utils.paths.CHECKPOINTS", tmp_path)
    assert checkpoint_names() == []
    for name in ("two", "one"):
        tiny_checkpoint(tmp_path / name)
    (tmp_path / "unfinished").mkdir()
    assert checkpoint_names() == ["one", "two"]
    assert load_checkpoint("one").card["builder"] == "translator"
    assert load_checkpoint(str(tmp_path / "two")).card["builder"] == "translator"


# --- damage -----------------------------------------------------------------------------------


def flip(path):
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(card):
    """A function that changes the card of a checkpoint."""

    def change(folder):
        path = folder / "card.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | card))

    return change


def rewrite_vocabulary(change):
    """A function that changes the content of a vocabulary whose checksum is not in the card."""

    def rewrite(folder):
        path = folder / "vocabulary.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")
        forget_checksums(folder)

    return rewrite


def rewrite_weights(change):
    """The same for the weights."""

    def rewrite(folder):
        weights = load_file(folder / "model.safetensors")
        change(weights)
        checkpoints.save_file(weights, folder / "model.safetensors")
        forget_checksums(folder)

    return rewrite


def grow(name):
    """A function that makes a file as large as none of this kind: a hole without content."""

    def change(folder):
        forget_checksums(folder)
        os.truncate(folder / name, 10**11)

    return change


def replace_by_a_folder(name):
    def change(folder):
        forget_checksums(folder)
        (folder / name).unlink()
        (folder / name).mkdir()

    return change


def settings_with(**changes):
    return edit({"settings": {"source_size": 120, **TINY_SETTINGS, **changes}})


def fill(name, value):
    return rewrite_weights(lambda weights: weights[name].view(-1)[3:].fill_(value))


def forget_checksums(folder):
    edit({"sha256": {}})(folder)


def cut(name):
    def change(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def cut_without_checksum(name):
    def change(folder):
        forget_checksums(folder)
        cut(name)(folder)

    return change


DAMAGES = {
    "weights": (lambda f: flip(f / "model.safetensors"), "model.safetensors is damaged"),
    "cut weights": (cut("model.safetensors"), "model.safetensors is damaged"),
    "cut weights, no checksum": (cut_without_checksum("model.safetensors"), "damaged"),
    "vocabulary": (lambda f: flip(f / "vocabulary.json"), "vocabulary.json is damaged"),
    "cut vocabulary, no checksum": (cut_without_checksum("vocabulary.json"), "vocabulary.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors"),
    "no vocabulary": (lambda f: (f / "vocabulary.json").unlink(), "vocabulary.json"),
    "cut card": (cut("card.json"), "JSONDecodeError"),
    "empty card": (lambda f: (f / "card.json").write_text(""), "JSONDecodeError"),
    "binary card": (lambda f: (f / "card.json").write_bytes(b"\xff\xfe"), "UnicodeDecodeError"),
    "list as card": (lambda f: (f / "card.json").write_text("[]"), "builder and settings"),
    "empty object as card": (lambda f: (f / "card.json").write_text("{}"), "sha256"),
    "list of checksums": (edit({"sha256": ["x"]}), "without a valid sha256"),
    "unknown builder": (edit({"builder": "poet"}), "poet"),
    "unknown setting": (edit({"settings": {"source_size": 120, "rhymes": 3}}), "rhymes"),
    "other size": (
        edit({"settings": {"source_size": 120, **TINY_SETTINGS, "embedding_dim": 8}}),
        "size mismatch",
    ),
    "impossible size": (edit({"settings": {"source_size": 0}}), "damaged"),
    "other model": (
        edit({"settings": {"source_size": 120, **TINY_SETTINGS, "decoder": "bahdanau"}}),
        "does not|size mismatch",
    ),
    "more layers": (
        edit({"settings": {"source_size": 120, **TINY_SETTINGS, "encoder_layers": 2}}),
        "does not fit .* missing .*recurrence.weight_ih_l1",
    ),
    "apart": (
        edit({"settings": {"source_size": 120, "target_size": 120, **TINY_SETTINGS}}),
        "does not fit .* missing .*embedding.weight",
    ),
    "cut log": (cut("log.json"), "JSONDecodeError"),
    # Whatever it claims, a card costs no more than the weights that are there.
    "huge embedding": (
        settings_with(embedding_dim=10**12),
        r"size mismatch in .*stored \(6, 20\), described \(1000000000000, 20\)",
    ),
    "a billion layers": (settings_with(encoder_layers=10**9), "more than the .* parameters"),
    "more than any number": (settings_with(memory_dim=10**40), "damaged"),
    "huge card": (grow("card.json"), "card.json has more than 1 MB"),
    "huge vocabulary": (grow("vocabulary.json"), "vocabulary.json has more than 20 MB"),
    "huge weights": (grow("model.safetensors"), "model.safetensors has more than 2000 MB"),
    "huge log": (grow("log.json"), "log.json has more than 10 MB"),
    "deep card": (
        lambda f: (f / "card.json").write_text("[" * 100_000 + "]" * 100_000),
        "RecursionError",
    ),
    "deep vocabulary": (
        rewrite_vocabulary(lambda content: content.update(tokenizer=nested(500))),
        "vocabulary.json",
    ),
    "checksum of a device": (edit({"sha256": {"/dev/zero": "x"}}), "/dev/zero is not a file of a"),
    "checksum of another file": (edit({"sha256": {"../tiny/log.json": "x"}}), "is not a file of a"),
    "folder as weights": (replace_by_a_folder("model.safetensors"), "not a regular file"),
    "folder as log": (replace_by_a_folder("log.json"), "log.json .* not a regular file"),
    "text as size": (settings_with(embedding_dim="6"), "damaged"),
    "fraction as size": (settings_with(embedding_dim=6.5), "damaged"),
    "list as size": (settings_with(embedding_dim=[6]), "damaged"),
    "list as settings": (edit({"settings": [120]}), "without a valid settings"),
    "number as builder": (edit({"builder": 3}), "without a valid builder"),
    "text as checksums": (edit({"sha256": "abc"}), "without a valid sha256"),
    "object as log": (lambda f: (f / "log.json").write_text("{}"), "not a list of validations"),
    "numbers as log": (lambda f: (f / "log.json").write_text("[1]"), "not a list of validations"),
    "vocabulary of another kind": (
        rewrite_vocabulary(lambda content: content.update(kind=["bpe"])),
        "its kind is",
    ),
    "vocabulary without a special piece": (
        rewrite_vocabulary(lambda content: swap(content["tokenizer"]["model"]["vocab"])),
        "its first pieces are not",
    ),
    "vocabulary with a gap": (
        rewrite_vocabulary(lambda content: content["tokenizer"]["model"]["vocab"].update(ball=999)),
        "ids from 0 on|damaged",
    ),
    "not a number": (fill("decoder.output_bias", float("nan")), "decoder.output_bias .NaN"),
    "infinite": (fill("decoder.combine.weight", -float("inf")), "decoder.combine.weight .NaN"),
}


def nested(depth):
    """An object in an object, ``depth`` times."""
    content = {}
    for _ in range(depth):
        content = {"model": content}
    return content


def swap(vocab):
    """Give the first special piece the id of an ordinary one."""
    other = next(piece for piece, number in vocab.items() if number == 7)
    vocab["<pad>"], vocab[other] = 7, 0


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name, folder):
    damage, message = DAMAGES[name]
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert "checkpoint tiny" in message and "\n" not in message and len(message) < 600


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="a system without /dev/zero")
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_link_to_a_device_is_not_read(name, folder):
    forget_checksums(folder)
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=f"{name} is missing, or not a regular file"):
        load_checkpoint(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 7e4])
def test_weights_beyond_half_precision_are_not_saved(value, folder):
    before = contents(folder)
    model = tiny_translator()
    with torch.no_grad():
        model.decoder.combine.weight[1, 2] = value
    with pytest.raises(CheckpointError, match=r"beyond half precision .*decoder.combine.weight"):
        save(folder, model)
    assert contents(folder) == before


def test_counters_are_stored_as_integers(tmp_path):
    build = {"size": 17, "pictures": "scenes", **TINY_SETTINGS}
    model = build_captioner(**build)
    with torch.no_grad():
        model.encoder.convolutions[1].num_batches_tracked.fill_(70_001)
    folder = tmp_path / "scenes"
    save_checkpoint(
        folder, model, tiny_vocabulary(), builder="captioner", settings=build, card={}, log=[]
    )
    loaded = load_checkpoint(folder).model
    assert int(loaded.encoder.convolutions[1].num_batches_tracked) == 70_001


def test_loading_draws_the_numbers_that_building_draws(folder):
    """What is computed after a checkpoint was loaded does not depend on how it is checked."""
    torch.manual_seed(3)
    card = load_checkpoint(folder).card
    after_loading = torch.rand(2)
    torch.manual_seed(3)
    build_translator(**card["settings"])
    assert torch.equal(torch.rand(2), after_loading)


def test_unexpected_weights(folder):
    weights = {**load_file(folder / "model.safetensors"), "surplus": torch.ones(2)}
    checkpoints.save_file(weights, folder / "model.safetensors")
    forget_checksums(folder)
    with pytest.raises(CheckpointError, match="checkpoint tiny does not fit.*surplus"):
        load_checkpoint(folder)


def test_missing_log_is_no_damage(folder):
    (folder / "log.json").unlink()
    assert load_checkpoint(folder).log == []


def test_unknown_name(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr("course_utils.paths.CHECKPOINTS", tmp_path)
    with pytest.raises(CheckpointError, match=r"no checkpoint 'nothing'.*\(none\)"):
        load_checkpoint("nothing")
    tiny_checkpoint(tmp_path / "tiny")
    for name in ("nothing", "", "..", "tiny/card.json", "a\0b", "x" * 300, "x/" * 3000):
        with pytest.raises(CheckpointError, match=r"no checkpoint .*\(tiny\)"):
            load_checkpoint(name)


# --- overwriting ------------------------------------------------------------------------------


def test_overwriting_replaces_everything(folder):
    before = contents(folder)
    save(folder)
    after = contents(folder)
    assert set(after) == FILES and after["model.safetensors"] != before["model.safetensors"]
    assert load_checkpoint(folder).card["settings"]["source_size"] == 17
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def a_thesis(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")


def a_checkpoint_with_notes(folder):
    save(folder)
    (folder / "notes.txt").write_text("mine")


def several_checkpoints(folder):
    for name in ("one", "two"):
        save(folder / name)


def weights_without_a_card(folder):
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"of another program")


def somebody_elses_card(folder):
    folder.mkdir()
    (folder / "card.json").write_text('{"name": "a birthday card"}')


def a_card_that_cannot_be_read(folder):
    folder.mkdir()
    (folder / "card.json").write_text("[" * 100_000)


FOREIGN = [a_thesis, a_checkpoint_with_notes, several_checkpoints, weights_without_a_card]
FOREIGN += [somebody_elses_card, a_card_that_cannot_be_read]


@pytest.mark.parametrize("make", FOREIGN)
def test_nothing_that_is_not_a_checkpoint_is_ever_replaced(make, tmp_path):
    folder = tmp_path / "mine"
    make(folder)
    before = sorted(folder.rglob("*"))
    for attempt in (check_target, save):
        with pytest.raises(CheckpointError, match="mine is not the folder of a checkpoint"):
            attempt(folder)
    assert sorted(folder.rglob("*")) == before and list(tmp_path.iterdir()) == [folder]


def test_a_file_is_never_replaced(tmp_path):
    (tmp_path / "mine").write_text("text")
    with pytest.raises(CheckpointError, match="mine is a file"):
        save(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "text"


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_stays_a_link(tmp_path):
    save(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    before = contents(tmp_path / "real")
    save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "real")["model.safetensors"] != before["model.safetensors"]


def test_a_full_disk_is_found_before_the_training(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=3_000_000)
    monkeypatch.setattr("course_utils.checkpoints.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(CheckpointError, match="3 MB are free, 100 MB are needed"):
        check_target(tmp_path / "made")


def test_a_folder_that_cannot_be_written_is_found_before_the_training(tmp_path, monkeypatch):
    def refuse(**where):
        raise PermissionError(13, "Permission denied", str(where["dir"]))

    monkeypatch.setattr("course_utils.checkpoints.tempfile.TemporaryFile", refuse)
    with pytest.raises(CheckpointError, match="no checkpoint can be written to .*made: .*denied"):
        check_target(tmp_path / "made")


def test_a_checkpoint_is_found_after_a_kill_between_the_two_renames(folder):
    os.replace(folder, folder.with_name(".tiny-abc-old"))
    assert load_checkpoint(folder).name == "tiny"
    os.replace(folder, folder.with_name(".tiny-abc-old"))
    assert check_target(folder) == folder.resolve() and folder.exists()


@pytest.mark.parametrize("failing", ["save_file", "replace", "vocabulary"])
def test_a_failure_leaves_what_was_there(failing, folder, monkeypatch):
    before = contents(folder)

    def fail(*arguments, **named):
        raise OSError("no space left on device")

    def fail_to_place_the_new_one(old, new, replace=os.replace):
        if os.path.basename(new) == "tiny" and not os.path.basename(old).endswith("-old"):
            fail()
        replace(old, new)

    if failing == "save_file":
        monkeypatch.setattr(checkpoints, "save_file", fail)
    elif failing == "vocabulary":
        monkeypatch.setattr("course_utils.vocabulary.Vocabulary.save", fail)
    else:
        monkeypatch.setattr("course_utils.runtime.os.replace", fail_to_place_the_new_one)
    for target in (folder, folder.parent / "new") if failing != "replace" else (folder,):
        with pytest.raises(OSError, match="no space"):
            save(target)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_an_interruption_leaves_what_was_there(folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save_file", interrupt)
    before = contents(folder)
    with pytest.raises(KeyboardInterrupt):
        save(folder)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_new_checkpoint_makes_its_folders_and_others_may_read_it(tmp_path):
    save(tmp_path / "deep" / "deeper" / "tiny")
    folder = tmp_path / "deep" / "deeper" / "tiny"
    assert set(contents(folder)) == FILES
    assert folder.stat().st_mode & 0o777 == 0o755


def test_saving_does_not_change_the_model(tmp_path):
    model = tiny_translator(train=True, sharpness=1.0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    save(tmp_path / "x", model)
    assert model.training
    assert all(torch.equal(before[name], w) for name, w in model.state_dict().items())
