"""Checkpoints, resume files, files of studies and of texts: damaged, foreign, interrupted."""

import errno
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from course_utils.batches import BucketedBatches, make_batch
from course_utils.callbacks import FitSettings, ResumeFile
from course_utils.checkpoints import (
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
    sha256,
)
from course_utils.models.builders import (
    BUILDERS,
    build_captioner,
    build_recogniser,
    build_text_classifier,
    build_translator,
)
from course_utils.runtime import replacing, write_text
from course_utils.studies import load_study
from course_utils.tasks.captioning.captioner import Captioner
from course_utils.tasks.classification.classifier import Classifier
from course_utils.tasks.speech.recogniser import Recogniser
from course_utils.tasks.translation.translator import Translator
from course_utils.training import fit
from course_utils.vocabulary import Vocabulary
from tools.campaign.core import Choices, Wrong, expect, probe
from tools.campaign.mutations import VALUES, damaged, edited_json
from tools.tiny import MODELS, TEXTS, random_examples, tiny_translator, tiny_vocabulary

CAPTIONS = ["a dog runs .", "two children play in the park .", "a man climbs a rock ."]
KINDS: dict[str, tuple[type, Callable[..., Any], dict, Callable[[], Vocabulary], dict]] = {
    "translation": (
        Translator,
        build_translator,
        {"source_size": 120, "embedding_dim": 6, "memory_dim": 10, "hidden_dim": 10},
        tiny_vocabulary,
        {"search": {"beam": 2, "alpha": 1.0}},
    ),
    "captioning": (
        Captioner,
        build_captioner,
        {"size": 0, "pictures": "photos", "embedding_dim": 6, "memory_dim": 10, "hidden_dim": 10},
        lambda: Vocabulary.words(CAPTIONS),
        {"search": {"beam": 2, "alpha": 1.0}},
    ),
    "speech": (
        Recogniser,
        build_recogniser,
        {
            "size": 0,
            "mels": 8,
            "features": 9,
            "embedding_dim": 6,
            "memory_dim": 10,
            "hidden_dim": 7,
        },
        lambda: Vocabulary.words(["zero one two three four"]),
        {"search": {"beam": 1, "alpha": 1.0}},
    ),
    "classification": (
        Classifier,
        build_text_classifier,
        {
            "vocab_size": 0,
            "labels": ["negative", "positive"],
            "embed_dim": 6,
            "hidden_dim": 5,
            "longest": 9,
        },
        lambda: Vocabulary.words(TEXTS, punctuation=True),
        {},
    ),
}


@lru_cache
def stored(kind: str) -> dict[str, bytes]:
    """The files of a small checkpoint of a kind."""
    _, build, settings, vocabulary, card = KINDS[kind]
    words = vocabulary()
    settings = {
        k: len(words) if k in ("size", "vocab_size", "source_size") else v
        for k, v in settings.items()
    }
    torch.manual_seed(2)
    model = build(**settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "made"
        card = {"name": kind, "title": kind, "steps": 3, "metrics": {}, **card}
        save_checkpoint(
            folder,
            model,
            words,
            builder=build.__name__.removeprefix("build_"),
            settings=settings,
            card=card,
            log=[{"step": 3, "loss": 1.5}],
        )
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files of a checkpoint into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@contextmanager
def sandbox() -> Iterator[Path]:
    """A new folder, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="campaign-") as name:
        yield Path(name)


def contents(folder: Path) -> dict[str, Any]:
    """Everything below a folder: bytes of files, targets of links, None for folders."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"→ {os.readlink(path)}"
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = path.read_bytes()
    return found


def answers(kind: str, predictor: Any) -> list[str]:
    """What a predictor says about one or two inputs, with the search of its card."""
    search = {}
    if hasattr(predictor, "search"):
        search = {"beam": predictor.search.beam, "alpha": predictor.search.alpha}
    generator = torch.Generator().manual_seed(0)
    if kind == "translation":
        return predictor.predict(TEXTS[:2], **search)
    if kind == "captioning":
        return predictor.predict(
            [torch.randint(0, 256, (49, 320), generator=generator, dtype=torch.uint8)], **search
        )
    if kind == "speech":
        return predictor.predict([0.3 * torch.randn(3000, generator=generator)], **search)
    verdicts = predictor.classify(TEXTS[:2])
    expect(
        all(0 <= v.probability <= 1 for v in verdicts),
        f"probability {[v.probability for v in verdicts]}",
    )
    return [v.label for v in verdicts]


def one_line(error: Exception, name: str) -> None:
    """What every message about a file has to be like."""
    text = str(error)
    expect(text.strip() and len(text) < 3000, f"a message of {len(text)} characters")
    expect(name in text, f"the message does not name {name}: {text[:200]}")
    expect(
        not any(ord(x) < 32 and x not in "\n\t" for x in text),
        f"control characters in the message: {text[:200]!r}",
    )
    for word in ("allocate", "MemoryError", "out of memory"):
        expect(word not in text, f"no limit was checked first: {text[:200]}")


def try_checkpoint(kind: str, folder: Path) -> bool:
    """Load a checkpoint and use it; True if it answers. Its only error is CheckpointError."""
    try:
        predictor = KINDS[kind][0].load(folder)
    except CheckpointError as error:
        one_line(error, folder.name)
        return False
    for parameter in predictor.model.parameters():
        expect(parameter.isfinite().all(), "weights that are not finite were loaded")
    try:
        found = answers(kind, predictor)
    except (CheckpointError, ValueError) as error:
        raise Wrong(f"loaded, but useless: {type(error).__name__}: {error}") from None
    expect(all(isinstance(text, str) for text in found), f"answers {found}")
    return True


@probe("stores.damaged-bytes", 900, memory=True)
def damaged_bytes(c: Choices) -> None:
    """A changed byte in a file with a checksum is always noticed, and named."""
    kind = c.one_of(tuple(KINDS))
    files = dict(stored(kind))
    name = c.one_of(tuple(files))
    files[name] = damaged(c, files[name])
    c.show(kind=kind, file=name)
    same = files[name] == stored(kind)[name]
    with sandbox() as place:
        folder = write(place / "given", files)
        loaded = try_checkpoint(kind, folder)
        expect(
            contents(place) == {"given": None, **{f"given/{n}": b for n, b in files.items()}},
            "a file was changed",
        )
    if name in ("model.safetensors", "vocabulary.json"):
        expect(loaded == same, "damage was not noticed")
    if same:
        expect(loaded, "an undamaged checkpoint is refused")


def with_sums(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with a card whose checksums are right."""
    import hashlib

    try:
        card = json.loads(files["card.json"])
        for name in ("model.safetensors", "vocabulary.json"):
            card["sha256"][name] = hashlib.sha256(files[name]).hexdigest()
    except (ValueError, KeyError, TypeError):
        return files
    return files | {"card.json": json.dumps(card).encode()}


@probe("stores.edited", 1500, memory=True)
def edited(c: Choices) -> None:
    """Edited cards, vocabularies and logs with right checksums: refused in a line, or usable."""
    kind = c.one_of(tuple(KINDS))
    files = dict(stored(kind))
    name = c.one_of(("card.json", "card.json", "vocabulary.json", "log.json"))
    content = json.loads(files[name])
    if name == "card.json" and c.chance(0.5):
        part = c.one_of(("settings", "search", "sha256", "builder"))
        if part in content:
            content[part] = edited_json(c, content[part])
    else:
        content = edited_json(c, content)
    files[name] = json.dumps(content).encode()
    files = files if name == "card.json" and c.chance(0.1) else with_sums(files)
    c.show(kind=kind, file=name)
    with sandbox() as place:
        folder = write(place / "given", files)
        try_checkpoint(kind, folder)
        expect(
            contents(place) == {"given": None, **{f"given/{n}": b for n, b in files.items()}},
            "a file was changed",
        )


@probe("stores.weights", 600, memory=True)
def weights(c: Choices) -> None:
    """Edited weights with right checksums: of other shapes, types, names and values."""
    kind = c.one_of(tuple(KINDS))
    files = dict(stored(kind))
    tensors = load(files["model.safetensors"])
    name = c.one_of(tuple(tensors))
    tensor = tensors[name]
    how = c.one_of(
        (
            "nan",
            "inf",
            "transposed",
            "shorter",
            "missing",
            "renamed",
            "extra",
            "double",
            "integers",
            "empty",
            "flipped",
            "bytes",
            "huge",
            "scalar",
        )
    )
    c.mutated(how)
    c.show(kind=kind, name=name, how=how)
    if how in ("nan", "inf", "huge"):
        tensor = tensor.clone()
        tensor.view(-1)[c.below(tensor.numel())] = {"nan": math.nan, "inf": math.inf, "huge": 6e4}[
            how
        ]
    elif how == "transposed":
        tensor = tensor.t().contiguous() if tensor.dim() == 2 else tensor[None]
    elif how == "shorter":
        tensor = tensor[1:].contiguous()
    elif how == "double":
        tensor = tensor.double()
    elif how == "integers":
        tensor = tensor.to(torch.int32)
    elif how == "empty":
        tensor = tensor[:0].contiguous()
    elif how == "scalar":
        tensor = torch.tensor(1.0)
    elif how == "flipped":
        tensor = -tensor
    tensors[name] = tensor
    if how == "missing":
        del tensors[name]
    elif how == "renamed":
        tensors[name + "x"] = tensors.pop(name)
    elif how == "extra":
        tensors["more"] = torch.ones(2)
    content = save(tensors)
    if how == "bytes":
        content = damaged(c, content)
    with sandbox() as place:
        loaded = try_checkpoint(
            kind, write(place / "given", with_sums(files | {"model.safetensors": content}))
        )
    if how in ("missing", "renamed", "extra", "shorter", "empty", "nan", "inf"):
        expect(not loaded, f"weights with a mistake ({how}) are loaded")
    if how in ("flipped", "double"):
        expect(loaded, f"good weights ({how}) are refused")


@probe("stores.swapped", 200, memory=True)
def swapped(c: Choices) -> None:
    """Files of another checkpoint, in their places: refused in a line, or usable."""
    kind, other = c.one_of(tuple(KINDS)), c.one_of(tuple(KINDS))
    files = dict(stored(kind))
    for name in files:
        if c.chance(0.4):
            files[name] = stored(other)[name]
            c.mutated(f"{name} of {other}")
    c.show(kind=kind, other=other, swapped=c.mutations)
    files = with_sums(files) if c.chance(0.7) else files
    with sandbox() as place:
        try_checkpoint(c.one_of((kind, other)), write(place / "given", files))


@probe("stores.places", 250, memory=True)
def places(c: Choices) -> None:
    """Checkpoints that are links, devices, folders, too large or not there."""
    kind = c.one_of(tuple(KINDS))
    with sandbox() as place:
        folder = write(place / "given", stored(kind))
        name = c.one_of(tuple(stored(kind)))
        how = c.one_of(
            (
                "removed",
                "a folder",
                "a device",
                "a link to itself",
                "a link",
                "huge",
                "a pipe",
                "unreadable",
                "empty",
            )
        )
        c.mutated(how)
        c.show(kind=kind, file=name, how=how)
        path = folder / name
        path.unlink()
        if how == "a folder":
            path.mkdir()
        elif how == "a device":
            path.symlink_to("/dev/zero")
        elif how == "a link to itself":
            path.symlink_to(path)
        elif how == "a link":
            (place / "else").write_bytes(stored(kind)[name])
            path.symlink_to(place / "else")
        elif how == "huge":
            with open(path, "wb") as file:
                file.truncate(1 << 36)
        elif how == "a pipe":
            os.mkfifo(path)
        elif how == "unreadable":
            path.write_bytes(stored(kind)[name])
            path.chmod(0)
        elif how == "empty":
            path.touch()
        loaded = try_checkpoint(kind, folder)
        if how == "a link":
            expect(loaded, "a link to a good file is refused")
        looped = how == "a link to itself" and name != "log.json"  # the log may be missing
        if looped or how in ("a folder", "a device", "huge", "a pipe", "empty"):
            expect(not loaded, f"a checkpoint with {name} as {how} is loaded")


@probe("stores.there-and-back", 250)
def there_and_back(c: Choices) -> None:
    """Saved and loaded, every model gives the same outputs; saving is the same each time."""
    decoder, score = c.one_of(MODELS)
    layers, joint = c.integer(1, 2), c.chance()
    hidden = 10 if score in ("dot", "scaled_dot") else 8
    settings = {
        "source_size": 17,
        "target_size": None if joint else 13,
        "decoder": decoder,
        "score": score,
        "embedding_dim": 6,
        "memory_dim": 10,
        "hidden_dim": hidden,
        "encoder_layers": layers,
    }
    torch.manual_seed(c.seed())
    model = BUILDERS["translator"](**settings).eval()
    with torch.no_grad():
        model.load_state_dict({k: (2 * w).half().float() for k, w in model.state_dict().items()})
    lengths = c.many(1, 3, lambda: (c.integer(1, 5), c.integer(0, 3)))
    c.show(settings=settings, lengths=lengths)
    batch = make_batch(random_examples(lengths, c.seed(), target_size=13))
    with sandbox() as place, torch.no_grad():
        for name in ("a", "b"):
            save_checkpoint(
                place / name,
                model,
                tiny_vocabulary(),
                builder="translator",
                settings=settings,
                card={"x": 1},
                log=[],
            )
        found = load_checkpoint(place / "a")
        expect(contents(place / "a") == contents(place / "b"), "two files of the same model differ")
        for file, digits in found.card["sha256"].items():
            expect(sha256(place / "a" / file) == digits, "a wrong checksum in the card")
        for one, other in zip(found.model(batch), model(batch), strict=True):
            expect(torch.equal(one, other), "the loaded model gives other outputs")
    shared = found.model.encoder.embedding.weight is found.model.decoder.embedding.weight
    expect(shared == joint, "embeddings are shared where they should not be, or the reverse")


# --- writing ----------------------------------------------------------------------------------

FOREIGN = (
    "thesis.tex",
    "notes/a.txt",
    ".hidden",
    "card.json.bak",
    "model.safetensors.old",
    "log.jsonl",
)


@probe("stores.target", 400)
def target(c: Choices) -> None:
    """Saving into a place where something is: nothing that the course did not write is lost."""
    kind = c.one_of(tuple(KINDS))
    with sandbox() as place:
        folder = place / c.one_of(("out", "deep/er/out", "o ut", ".out"))
        what = c.one_of(
            (
                "nothing",
                "a checkpoint",
                "foreign files",
                "both",
                "a file",
                "a link to a folder",
                "an empty folder",
                "only a card",
                "checkpoints",
            )
        )
        c.mutated(what)
        c.show(what=what)
        (place / "neighbour").mkdir()
        (place / "neighbour" / "x").write_text("x")
        if what in ("a checkpoint", "both"):
            write(folder, stored(kind))
        if what in ("foreign files", "both"):
            for name in c.many(1, 3, lambda: c.one_of(FOREIGN)):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text("mine")
        if what == "a file":
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.write_text("mine")
        if what == "a link to a folder":
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(place / "neighbour")
        if what == "an empty folder":
            folder.mkdir(parents=True)
        if what == "only a card":
            folder.mkdir(parents=True)
            (folder / "card.json").write_text('{"my": "card"}')
        if what == "checkpoints":
            for one in ("a", "b"):
                write(folder / one, stored(kind))
        before = contents(place)
        try:
            save_checkpoint(
                folder,
                tiny_translator(),
                tiny_vocabulary(),
                builder="translator",
                settings={},
                card={"new": 1},
                log=[],
            )
        except CheckpointError as error:
            one_line(error, folder.name if what != "a link to a folder" else "neighbour")
            expect(contents(place) == before, "refused, but something was changed")
            expect(what not in ("nothing", "a checkpoint", "an empty folder"), f"refused: {error}")
            return
        after = contents(place)
        ours = (
            {str((folder / n).relative_to(place)) for n in stored(kind)}
            if what in ("a checkpoint", "nothing")
            else set()
        )
        for name, content in before.items():
            if name not in ours:
                if after.get(name, 0) != content:
                    c.show(lost=name)
                    raise Wrong("a file that was there before was lost or changed")
        expect(json.loads((folder / "card.json").read_text())["new"] == 1, "nothing was saved")
        left = {n for n in after if n not in before and not (place / n).is_dir()}
        allowed = {str((folder / n).relative_to(place)) for n in stored(kind)}
        expect(left <= allowed, f"something is left behind: {left - allowed}")


class Killed(BaseException):
    """The process ends here."""


@probe("stores.killed", 400)
def killed(c: Choices) -> None:
    """Saving, interrupted at any call to the system: the old or the new checkpoint is there."""
    calls = ("replace", "rename", "fsync", "chmod", "close", "unlink", "mkdir", "rmdir")
    number = c.integer(1, 30)
    how = c.one_of(("killed", "interrupted", "disk full", "no permission"))
    existing = c.chance(0.7)
    seen = 0
    real = {name: getattr(os, name) for name in calls}
    c.mutated(how)
    c.show(number=number, how=how, existing=existing)

    def hooked(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            nonlocal seen
            seen += 1
            if how == "killed" and seen >= number:
                raise Killed  # a dead process cleans nothing up, so all that follows fails, too
            if seen == number:
                if how == "interrupted":
                    raise KeyboardInterrupt
                raise OSError(errno.ENOSPC if how == "disk full" else errno.EACCES, "no")
            return real[name](*arguments, **settings)

        return call

    with sandbox() as place:
        folder = place / "out"
        if existing:
            write(folder, stored("translation"))
        done = False
        try:
            for name in calls:
                setattr(os, name, hooked(name))
            save_checkpoint(
                folder,
                tiny_translator(),
                tiny_vocabulary(),
                builder="translator",
                settings={
                    "source_size": 17,
                    "target_size": 13,
                    "score": "general",
                    "embedding_dim": 6,
                    "memory_dim": 10,
                    "hidden_dim": 8,
                },
                card={"new": 1},
                log=[],
            )
            done = True
        except (Killed, KeyboardInterrupt, OSError, CheckpointError):
            pass
        finally:
            for name in calls:
                setattr(os, name, real[name])
        try:
            card = load_checkpoint(folder).card
        except CheckpointError as error:
            expect(not existing, f"the old checkpoint is lost: {error}")
            expect(not done, f"saved, but not there: {error}")
        else:
            expect(card.get("new") == 1 or existing, "what is this?")
            expect(
                not done or card.get("new") == 1, "saved without an error, but the old one is there"
            )
        if how != "killed":
            left = [p.name for p in place.iterdir() if p.name != "out"]
            if done and how in ("disk full", "no permission"):  # the system removes nothing
                left = [name for name in left if not name.endswith("-old")]
            expect(not left, f"something is left behind: {left}")


@probe("stores.replacing", 200)
def replacing_files(c: Choices) -> None:
    """A file is replaced whole or not at all, whatever happens; links keep their meaning."""
    text = c.one_of(("", "new\n", "zeile\r\n", "é日本🙂", "x" * 5000))
    fails, before = c.chance(), c.one_of((None, "old"))
    name = c.one_of(("a.txt", "a b.html", "é.txt", "deep/er/a.txt", "x" * 200))
    c.show(text=text, fails=fails, before=before, name=name)
    with sandbox() as place:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if before is not None:
            path.write_text(before)
            os.link(path, place / "reader")  # somebody who has opened the old file
        try:
            if fails:
                with replacing(path) as partial:
                    partial.write_text("half")
                    raise c.one_of((LookupError, KeyboardInterrupt, OSError))
            write_text(path, text)
        except (LookupError, KeyboardInterrupt, OSError):
            expect(fails, "an error without a reason")
        expected = before if fails else text
        expect(path.exists() == (expected is not None), "there or not there")
        if before is not None:
            expect((place / "reader").read_text() == before, "written over what a reader has open")
            (place / "reader").unlink()
        if expected is not None:
            expect(
                path.read_bytes() == expected.encode(), f"the file holds {path.read_bytes()[:50]!r}"
            )
        expect(
            [p.name for p in path.parent.iterdir()]
            == ([path.name] if expected is not None else []),
            "something is left behind",
        )


# --- resume files and studies -----------------------------------------------------------------


@lru_cache
def resume_file() -> bytes:
    """A resume file of a small training, after two of four steps."""
    with sandbox() as place:
        kept = ResumeFile(place / "r", {"name": "tiny"}, keep=True)
        train(kept, 4)
        return (place / "r").read_bytes()


def train(resume: ResumeFile, steps: int) -> Any:
    model = tiny_translator("attention", "general", seed=3, dropout=0.0)
    made = BucketedBatches(random_examples([(2, 1), (3, 2), (1, 2)], 4), 6, 1)
    return fit(
        model,
        made,
        FitSettings(steps=steps, validate_every=2, seed=1),
        resume=resume,
        progress=False,
    )


@probe("stores.resume", 250, memory=True)
def resumed(c: Choices) -> None:
    """Damaged resume files, and those of other trainings: an error that names the file."""
    content = damaged(c, resume_file())
    how = c.one_of(("damaged", "other", "text", "a folder", "empty"))
    c.show(how=how)
    with sandbox() as place:
        file = place / "r.resume"
        belongs = {"name": "tiny"}
        if how == "damaged":
            file.write_bytes(content)
        elif how == "other":
            file.write_bytes(resume_file())
            belongs = {"name": c.one_of(("other", "", "tiny2"))}
        elif how == "text":
            file.write_bytes(c.one_of((b"hello", b"{}", b"\x80\x02.", b"PK\x03\x04")))
        elif how == "a folder":
            file.mkdir()
        else:
            file.touch()
        before = contents(place)
        try:
            history = train(ResumeFile(file, belongs), 4)
        except ValueError as error:
            one_line(error, "r.resume")
            expect(contents(place) == before, "the file was changed")
            return
        expect(how == "damaged", f"a resume file ({how}) is accepted")
        expect(history.steps == 4, f"{history.steps} steps")


@probe("stores.study", 300, memory=True)
def study(c: Choices) -> None:
    """Damaged files of studies: an error that names the file, or a table of rows."""
    row = {
        "variant": "attention",
        "seed": 0,
        "steps": 600,
        "minutes": 1.5,
        "curve": [{"step": 1, "loss": 2.0}],
    }
    content: Any = {"name": "tiny", "title": "t", "runs": [row, row | {"seed": 1}], "seeds": [0, 1]}
    content = edited_json(c, content)
    data = json.dumps(content).encode()
    data = damaged(c, data) if c.chance(0.3) else data
    with sandbox() as place:
        path = place / "tiny-study.json"
        path.write_bytes(data)
        c.show(data=data)
        try:
            found = load_study("tiny", path)
        except ValueError as error:
            one_line(error, "tiny-study.json")
            return
        expect(isinstance(found, dict), f"a study is {type(found).__name__}")
        rows = found.get("runs", [])
        keys = [(r["variant"], r["seed"], r["steps"]) for r in rows]
        expect(len(keys) == len(set(map(repr, keys))), "a row is there twice")


@probe("stores.vocabulary", 400, memory=True)
def vocabularies(c: Choices) -> None:
    """Damaged vocabularies: an error that names the file, or one that encodes and decodes."""
    kind = c.one_of(tuple(KINDS))
    data = stored(kind)["vocabulary.json"]
    if c.chance():
        data = damaged(c, data)
    else:
        data = json.dumps(edited_json(c, json.loads(data))).encode()
    with sandbox() as place:
        path = place / "voc.json"
        path.write_bytes(data)
        try:
            found = Vocabulary.load(path)
        except ValueError as error:
            one_line(error, "voc.json")
            return
        try:
            ids = found.encode(TEXTS[0])
            expect(
                isinstance(found.decode(ids), str) and len(found) > 0,
                "it decodes to something else",
            )
            expect(len(found.pieces(ids)) == len(ids) == len(found.words_of_pieces(ids)), "pieces")
        except ValueError as error:
            raise Wrong(f"loaded, but useless: {error}") from None


@probe("stores.examples", 60)
def examples(c: Choices) -> None:
    """A checkpoint's values of wrong kinds for settings that its builder knows."""
    kind = c.one_of(tuple(KINDS))
    settings = json.loads(stored(kind)["card.json"])["settings"]
    name = c.one_of(tuple(settings))
    value = c.one_of(VALUES)
    c.mutated(f"{name}")
    c.show(kind=kind, name=name, value=value)
    files = dict(stored(kind))
    card = json.loads(files["card.json"])
    card["settings"][name] = value
    files["card.json"] = json.dumps(card).encode()
    with sandbox() as place:
        try_checkpoint(kind, write(place / "given", files))
