"""The command line: in this process, and in processes of its own with real streams and signals."""

import errno
import io
import os
import re
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from course_utils import recipes, studies
from course_utils.__main__ import find_commands, main
from course_utils.audio import AudioError, read_audio
from course_utils.checkpoints import load_checkpoint
from course_utils.images import PhotoError, read_photo
from course_utils.paths import DATA, REPO
from course_utils.plotting.style import plt
from course_utils.tasks.translation.data import TranslationData
from course_utils.training import FitSettings
from course_utils.vocabulary import Vocabulary
from tools.campaign.core import Choices, expect, probe
from tools.campaign.files import picture_files, sound_files
from tools.campaign.mutations import NAMES, damaged, mutated_text
from tools.campaign.stores import contents, sandbox, stored, write
from tools.tiny import TEXTS

TRACES = ("Traceback", "Exception ignored", "Error in sys.", "object at 0x")


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: bytes
    error: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode("utf-8", "surrogateescape").split("\n")[:-1]


def invoke(arguments: Sequence[str], given: bytes = b"", folder: Path | None = None) -> Ended:
    """Run a command in this process, as if started in ``folder`` with ``given`` as its input."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    before, environment = os.getcwd(), dict(os.environ)
    out, error = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8")
    sys.stderr = io.TextIOWrapper(error, encoding="utf-8", errors="backslashreplace")
    ours = (sys.stdout, sys.stderr)
    try:
        if folder is not None:
            os.chdir(folder)
            os.environ["COURSE_DATA"] = str(folder / "cache")
        os.environ.pop("COURSE_MIRROR", None)
        try:
            status = main(list(arguments))
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else 1
        for stream in ours:
            stream.flush()
        return Ended(status, out.getvalue(), error.getvalue().decode("utf-8"))
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        os.chdir(before)
        os.environ.clear()
        os.environ |= environment
        plt.close("all")


def polite(ended: Ended, words: str = "") -> None:
    """What every command owes its user, whatever it was given."""
    for trace in TRACES:
        expect(trace not in ended.error, f"on standard error: {ended.error[-300:]}")
    odd = [x for x in ended.error if (ord(x) < 32 and x not in "\n\r\t") or ord(x) == 127]
    expect(not odd, f"control characters on standard error: {ended.error[:200]!r}")
    expect(len(ended.error) < 20_000, f"{len(ended.error):,} characters on standard error")
    for word in ("allocate", "MemoryError", "out of memory"):
        expect(word not in ended.error, f"no limit was checked first: {ended.error[:200]}")
    if ended.status == 2:
        expect(ended.error.startswith("usage:"), f"status 2: {ended.error[:200]}")
    elif ended.status:
        expect(ended.error.strip(), f"status {ended.status} without a word")
    expect(ended.status in (0, 1, 2, 130), f"status {ended.status}")
    expect(
        not words or words in ended.error, f"the message does not name {words}: {ended.error[:300]}"
    )


def tiny(place: Path, kind: str) -> str:
    """A small checkpoint of a kind beside the sandbox; returns its folder."""
    return str(write(place / kind, stored(kind)))


# --- lines ------------------------------------------------------------------------------------


@probe("commands.lines", 700, memory=True)
def lines(c: Choices) -> None:
    """Texts in lines: as many lines out, each as it would be alone; blank ones stay blank."""
    kind = c.one_of(("translation", "classification"))
    texts = []
    for _ in range(c.integer(0, 6)):
        text = c.one_of((*TEXTS, "", "  ", "good film , bad end"))
        text = mutated_text(c, text) if c.chance(0.75) else text
        texts.append(text.replace("\n", " ").rstrip("\r"))
    data = b"".join(t.encode("utf-8", "surrogatepass") + c.one_of((b"\n", b"\r\n")) for t in texts)
    data = data[:-1] if data and c.chance(0.2) else data
    broken = False
    if c.chance(0.15):
        data = damaged(c, data)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        broken = True
    marked = data.startswith(b"\xef\xbb\xbf")
    beam = c.one_of(([], ["--beam", "1"], ["--beam", "3"])) if kind == "translation" else []
    named, look = c.chance(0.3), c.chance(0.06)
    c.show(kind=kind, data=data, beam=beam, named=named, look=look)
    name = {"translation": "translate", "classification": "classify"}[kind]
    with sandbox() as outer:
        place = outer / "here"
        place.mkdir()
        checkpoint = tiny(outer, kind)
        arguments = [name, "--checkpoint", checkpoint, *beam]
        if look:
            arguments += ["--attention", "look.html" if kind == "classification" else "look.png"]
        if named:
            (place / "text.txt").write_bytes(data)
            arguments.append("text.txt")
        before = contents(outer)
        ended = invoke(arguments, b"" if named else data, place)
        polite(ended)
        after = contents(outer)
        new = {n for n in after if n not in before}
        expect({n: after.get(n) for n in before} == before, "a file was changed or lost")
        expect(
            all(n.startswith("here/look") for n in new) and (look or not new), f"new files: {new}"
        )
        count = len(data.split(b"\n")) - (not data or data.endswith(b"\n"))
        if broken:
            expect(
                ended.status == 1 and ended.error.count("\n") == 1, f"{ended.status}: {ended.error}"
            )
            return
        expect(ended.status == 0, f"status {ended.status}: {ended.error[:200]}")
        expect(not ended.error, f"on standard error: {ended.error[:200]}")
        expect(len(ended.lines) == count, f"{len(ended.lines)} lines out, {count} in")
        given = [
            t.removesuffix("\r")
            for t in data.decode("utf-8").removeprefix("\ufeff" if marked else "").split("\n")
        ][:count]
        for text, line in zip(given, ended.lines, strict=True):
            if not text.strip():
                expect(not line, f"a blank line gives {line!r}")
        if given:
            row = c.below(len(given))
            alone = invoke(arguments[:3] + beam, given[row].encode() + b"\n", place)
            expect(
                alone.lines == [ended.lines[row]],
                f"alone {alone.lines}, with others {ended.lines[row]!r}",
            )
        if kind == "classification":
            for text, line in zip(given, ended.lines, strict=True):
                parts = line.split("\t")
                expect(
                    not line
                    or (2 <= len(parts) <= 3 and 0 <= float(parts[1].lstrip("?~").split()[0]) <= 1),
                    f"{text!r} gives {line!r}",
                )


# --- files ------------------------------------------------------------------------------------


def quick_features(photos: Sequence[np.ndarray]) -> np.ndarray:
    """Features of photos without a network: means of cells, repeated."""
    cells = [p.reshape(7, 32, 7, 32, 3).mean(axis=(1, 3)).reshape(49, 3) for p in photos]
    return (
        np.stack([np.resize(cell.astype(np.uint8).T, (320, 49)).T for cell in cells])
        if cells
        else np.zeros((0, 49, 320), np.uint8)
    )


def half_saved(fault: str, saved: list[Any]) -> Callable[..., None]:
    """What stands in for ``Figure.savefig``: it writes half a picture, and then the fault comes."""

    def savefig(figure: Figure, file: Any, *arguments: Any, **settings: Any) -> None:
        if isinstance(file, io.BytesIO):  # the format is tried, nothing is written
            return
        saved.append(file)
        if hasattr(file, "write"):
            file.write(b"half a")
        else:
            Path(file).write_bytes(b"half a")
        if fault == "interrupted":
            raise KeyboardInterrupt
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return savefig


@probe("commands.files", 400, memory=True)
def files(c: Choices) -> None:
    """Good and bad files together: a line for each good one, an error for each of the others."""
    import course_utils.models.photo_features as photo_features

    kind = c.one_of(("captioning", "speech"))
    valid = {
        "captioning": [picture_files()[k] for k in ("png", "jpeg", "gif", "palette")],
        "speech": [sound_files()[k] for k in ("WAV PCM_16", "FLAC PCM_16", "OGG VORBIS")],
    }[kind]
    with sandbox() as outer:
        place = outer / "here"
        place.mkdir()
        checkpoint, names, readable = tiny(outer, kind), [], {}
        for number in range(c.integer(1, 5)):
            name = c.one_of(NAMES if c.chance(0.4) else ("{}",)).replace("{}", f"f{number}")
            how = c.one_of(
                (
                    "good",
                    "good",
                    "damaged",
                    "missing",
                    "folder",
                    "empty",
                    "foreign",
                    "link",
                    "device",
                    "extreme",
                )
            )
            data = c.one_of(valid)
            if how != "good" or name != f"f{number}":
                c.mutated(f"{how} {name[:3]}")
            path = os.path.join(place, name)
            with suppress(OSError):
                if how in ("good", "damaged"):
                    Path(path).write_bytes(data if how == "good" else damaged(c, data))
                elif how == "folder":
                    os.mkdir(path)
                elif how in ("empty", "foreign"):
                    Path(path).write_bytes(
                        b"" if how == "empty" else b"hello, this is no such file\n"
                    )
                elif how == "link":
                    os.symlink(path, path)
                elif how == "device":
                    os.symlink("/dev/zero", path)
                elif how == "extreme":
                    Path(path).write_bytes(
                        sound_files()["WAV FLOAT"][:60] + b"\xff\x7f\x80\x7f" * 50
                    )
            names.append(name)
            c.show(file=(how, name))
            try:
                if kind == "captioning":
                    read_photo(path)
                else:
                    read_audio(path, 8000)
                readable[number] = True
            except (PhotoError, AudioError):
                readable[number] = False
        look = (
            c.one_of((None, None, None, "look.png", "looks/"))
            if all(len(n) < 100 for n in names)
            else None
        )
        arguments = [
            {"captioning": "caption", "speech": "transcribe"}[kind],
            "--checkpoint",
            checkpoint,
        ]
        arguments += ["--attention", look] if look else []
        arguments += ["--beam", c.one_of(("1", "2"))] if c.chance() else []
        fault = c.one_of((None, "full", "interrupted")) if look else None
        if fault:
            c.mutated(f"picture {fault}")
        if look and c.chance():  # pictures of an earlier run are in the way
            for path in (place / "look.png", *(place / f"look-{n}.png" for n in range(1, 6))):
                path.write_bytes(b"an old picture")
            (place / "looks").mkdir()
            for number in range(5):
                (place / f"looks/f{number}.png").write_bytes(b"an old picture")
        c.show(look=look, fault=fault)
        before = contents(outer)
        real, drawn = photo_features.photo_features, Figure.savefig
        photo_features.photo_features = quick_features
        saved: list[Any] = []
        try:
            if fault:
                Figure.savefig = half_saved(fault, saved)
            ended = invoke([*arguments, "--", *names], b"", place)
            for name in [n for number, n in enumerate(names) if readable[number]][:1]:
                if fault == "full":  # no other file is bad
                    alone = invoke([*arguments, "--", name], b"", place)
                    expect(alone.status == 1 and len(alone.lines) == 1, "a picture is lost quietly")
            Figure.savefig = drawn
            if not look and not names[0].startswith("-"):
                single = invoke([*arguments, "--", names[0]], b"", place)
        finally:
            photo_features.photo_features, Figure.savefig = real, drawn
        polite(ended)
        after = contents(outer)
        good = [n for number, n in enumerate(names) if readable[number]]
        places = {n for n in before if look and n.startswith("here/look")}
        if fault and saved:
            expect(
                {n: after.get(n) for n in places} == {n: before[n] for n in places},
                "half an old one",
            )
            expect(
                not [n for n in after if n not in before and n != "here/looks"], "half a picture"
            )
            expect(ended.status == (130 if fault == "interrupted" else 1), f"status {ended.status}")
        if fault == "interrupted" and saved:
            return
        written = {n for n in places if after.get(n) != before[n]}
        expect(all(after.get(n, b"").startswith(b"\x89PNG") for n in written), "not a picture")
        kept = {n: content for n, content in before.items() if n not in written}
        expect({n: after.get(n) for n in kept} == kept, "a file was changed or lost")
        new = {n for n in after if n not in before}
        expect(
            all(n.startswith("here/look") for n in new) and (look or not new), f"new files: {new}"
        )
        expect(
            len(ended.lines) == len(good),
            f"{len(ended.lines)} lines for {len(good)} good files: {ended.error[:300]}",
        )
        bad = len(names) - len(good)
        expect(
            ended.error.count("\n") >= bad and (bad > 0 or not ended.error or look),
            f"{bad} bad files: {ended.error[:300]}",
        )
        expect(
            ended.status == (bad > 0) or bool(look), f"status {ended.status} with {bad} bad files"
        )
        for name, line in zip(good, ended.lines, strict=True):
            plain = "".join("?" if ord(x) < 32 or 127 <= ord(x) < 160 else x for x in name)
            expect(
                line.count("\t") == 1 and line.split("\t")[0] == plain,
                f"the line of {name!r} is {line!r}",
            )
        if not look and readable[0] and not names[0].startswith("-"):
            expect(
                single.lines == ended.lines[:1],
                f"alone {single.lines}, with others {ended.lines[:1]}",
            )


# --- arguments --------------------------------------------------------------------------------

WORDS = (
    "--beam",
    "--checkpoint",
    "--attention",
    "--out",
    "--steps",
    "--seed",
    "--seeds",
    "--rows",
    "--start",
    "-v",
    "-q",
    "--help",
    "--",
    "-",
    "0",
    "-1",
    "1",
    "5000",
    "1e9",
    "nan",
    "x",
    "",
    " ",
    "\x1b[31m",
    "é",
    "\udcff",
    "a" * 300,
    "/dev/full",
    "/dev/null",
    "/dev/zero",
    "/",
    ".",
    "..",
    "here.png",
    "here.xyz",
    "no/such/x.png",
    "list",
    "get",
    "multi30k",
    "imdb",
    "tiny",
    "none",
    "--beam=3",
    "--beam=",
    "-5",
    "99999999999999999999",
)


@probe("commands.arguments", 700, memory=True)
def arguments(c: Choices) -> None:
    """Mutated arguments of every command: an answer, or one line that says what is wrong."""
    with sandbox() as outer:
        place = outer / "here"
        place.mkdir()
        folders = {
            kind: tiny(outer, kind)
            for kind in ("translation", "classification", "captioning", "speech")
        }
        (place / "p.png").write_bytes(picture_files()["png"])
        (place / "s.wav").write_bytes(sound_files()["WAV PCM_16"])
        (place / "rows.json").write_text('{"name": "tiny", "runs": []}')
        valid: list[list[str]] = [
            ["translate", "--checkpoint", folders["translation"], "--beam", "2"],
            ["translate", "--checkpoint", folders["translation"], "--attention", "look.png"],
            ["classify", "--checkpoint", folders["classification"], "--attention", "look.html"],
            ["transcribe", "s.wav", "--checkpoint", folders["speech"], "--beam", "2"],
            ["caption", "p.png", "--checkpoint", folders["captioning"]],
            ["data", "list", "-v"],
            ["data", "get", "multi30k", "-q"],
            ["study", "none", "--out", "x.json", "--rows", "rows.json"],
            ["train", "none", "--out", "made", "--steps", "2"],
            ["results"],
        ]
        words = list(c.one_of(valid))
        for _ in range(c.integer(1, 3)):
            at = c.integer(1, len(words))
            how = c.one_of(("insert", "replace", "drop", "repeat", "other checkpoint"))
            c.mutated(how)
            word = c.one_of(WORDS)
            if how == "insert":
                words.insert(at, word)
            elif how == "replace" and at < len(words):
                words[at] = word
            elif how == "drop" and at < len(words):
                del words[at]
            elif how == "repeat":
                words[at:at] = words[1:at]
            elif how == "other checkpoint":
                words += ["--checkpoint", c.one_of(tuple(folders.values()))]
        known = set(recipes.RECIPES) | set(studies.STUDIES_BY_NAME)
        words = [w for w in words if w not in known]
        c.show(words=[w.replace(str(outer), "…") for w in words])
        before, shipped = contents(outer), sorted(os.listdir(DATA / "checkpoints"))
        import course_utils.models.photo_features as photo_features

        real, photo_features.photo_features = photo_features.photo_features, quick_features
        try:
            ended = invoke(words, b"ein hund .\n\n", place)
        finally:
            photo_features.photo_features = real
        polite(ended)
        after = contents(outer)
        for name, content in before.items():
            expect(name in after and after[name] == content, f"{name} was changed or lost")
        expect(
            sorted(os.listdir(DATA / "checkpoints")) == shipped,
            "the course's checkpoints have changed",
        )
        if (
            ended.status == 0
            and words[0] in ("translate", "classify")
            and "--help" not in words
            and "-h" not in words
        ):
            named = (
                [w for w in words[1:] if (place / w).is_file()]
                if all(len(w) < 200 and "\0" not in w for w in words)
                else []
            )
            expect(
                len(ended.lines) == 2 or named or "/dev/null" in words,
                f"{len(ended.lines)} lines out, 2 in",
            )


# --- training ---------------------------------------------------------------------------------

PAIRS = [("one two", "un deux"), ("two", "deux"), ("three one", "trois un"), ("four", "quatre")]


@lru_cache
def tiny_recipe() -> Any:
    """A recipe of four sentences."""
    words = Vocabulary.words([text for pair in PAIRS for text in pair])
    return replace(
        recipes.RECIPES["translation-generated"],
        name="tiny",
        data=lambda: TranslationData(PAIRS, PAIRS[:2], words, cards=[{"name": "four pairs"}]),
        test=lambda: PAIRS[1:],
        settings=FitSettings(steps=4, validate_every=2, seed=5),
        batch_tokens=12,
        model={"embedding_dim": 6, "memory_dim": 10, "hidden_dim": 10},
    )


@probe("commands.train", 120)
def train(c: Choices) -> None:
    """Trainings into any place, interrupted anywhere: nothing foreign is lost."""
    what = c.one_of(
        (
            "new",
            "a checkpoint",
            "foreign",
            "a file",
            "deep",
            "a link",
            "read-only",
            "checkpoints",
            "inside a file",
        )
    )
    where = c.one_of((None, "final_scores", "save_checkpoint", "train_model"))
    steps = c.one_of(("4", "2", "1", "0", "-1", "x"))
    c.mutated(what)
    c.show(what=what, where=where, steps=steps)
    with sandbox() as place:
        out = place / ("deep/er/out" if what == "deep" else "out")
        (place / "thesis").mkdir()
        (place / "thesis" / "a.tex").write_text("mine")
        if what == "a checkpoint":
            write(out, stored("translation"))
        elif what == "foreign":
            out.mkdir()
            (out / "thesis.tex").write_text("mine")
        elif what == "a file":
            out.write_text("mine")
        elif what == "a link":
            out.symlink_to(place / "thesis")
        elif what == "checkpoints":
            write(out / "a", stored("translation"))
        elif what == "inside a file":
            (place / "file").write_text("mine")
            out = place / "file" / "out"
        elif what == "read-only":
            out = Path("/proc/out")
        before = contents(place)
        words = ["train", "tiny", "--steps", steps, "--out", str(out)]
        real = {
            name: getattr(recipes, name)
            for name in ("final_scores", "save_checkpoint", "train_model")
        }
        recipes.RECIPES["tiny"] = tiny_recipe()

        def interrupt(*arguments: Any, **settings: Any) -> None:
            if where == "train_model":
                real["train_model"](*arguments, **settings)
            raise KeyboardInterrupt

        try:
            if where is not None:
                setattr(recipes, where, interrupt)
                first = invoke(words, b"", place)
                setattr(recipes, where, real[where])
                polite(first)
                expect(first.status in (1, 2, 130), f"interrupted, status {first.status}")
            ended = invoke(words, b"", place)
        finally:
            del recipes.RECIPES["tiny"]
            for name, function in real.items():
                setattr(recipes, name, function)
        polite(ended)
        after = contents(place)
        good = what in ("new", "a checkpoint", "deep") and steps in ("4", "2", "1")
        expect(
            (ended.status == 0) == good, f"status {ended.status} for {what}: {ended.error[:200]}"
        )
        inside = "" if not good else str(out.relative_to(place))
        for name, content in before.items():
            if not (good and name.startswith(inside)):
                expect(name in after and after[name] == content, f"{name} was changed or lost")
        if good:
            found = load_checkpoint(out)
            expect(found.card["steps"] == int(steps), f"{found.card['steps']} steps")
            new = {
                n
                for n in after
                if n not in before and not n.startswith(inside) and not inside.startswith(n)
            }
            expect(not new, f"left behind: {new}")
        else:
            new = {n for n in after if n not in before and after[n] is not None}
            expect(not new, f"refused, but new: {new}")


# --- processes --------------------------------------------------------------------------------


def forked(
    c: Choices,
    words: Sequence[str],
    place: Path,
    streams: dict[int, Any],
    encoding: str,
    interrupt: float | None,
) -> Ended:
    """``python -m course_utils`` in a process of its own, copied from this one, with real streams.

    Its streams are a file to read, "closed", a path, or "gone": a pipe that nobody reads.
    """
    given = place / "stdin"
    outputs = {1: place / "stdout", 2: place / "stderr"}
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        status = 99
        try:
            os.setpgid(0, 0)
            os.chdir(place)
            for number in (0, 1, 2):
                kind = streams.get(number)
                if kind == "closed":
                    os.close(number)
                    continue
                if kind == "gone":
                    reader, writer = os.pipe()
                    os.close(reader)
                    os.dup2(writer, number)
                    continue
                path = kind or (given if number == 0 else outputs[number])
                file = os.open(
                    path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT, 0o600
                )
                os.dup2(file, number)
                if file > 2:
                    os.close(file)
            names = ("stdin", "stdout", "stderr")
            for number, name in enumerate(names):
                stream = None
                if streams.get(number) != "closed":
                    errors = "backslashreplace" if number == 2 else "strict"
                    stream = open(
                        number,
                        "w" if number else "r",
                        encoding=encoding,
                        errors=errors,
                        closefd=False,
                    )
                setattr(sys, name, stream)
            sys.argv = ["course_utils", *words]
            os.environ |= {"COURSE_DATA": str(place / "cache")}
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            os.write(tell, b"!")
            try:
                runpy.run_module("course_utils", run_name="__main__", alter_sys=True)
                status = 0
            except SystemExit as stopped:
                status = (
                    stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
                )
            except BaseException:
                traceback.print_exc()
                status = 1
            try:
                if sys.stdout is not None:
                    sys.stdout.flush()
            except (OSError, ValueError):
                status = 120  # as the interpreter does
            with suppress(OSError, ValueError, AttributeError):
                sys.stderr.flush()
        finally:
            os._exit(status)
    os.close(tell)
    os.read(ready, 1)
    os.close(ready)
    if interrupt is not None:
        time.sleep(0.02 + interrupt)  # Python itself needs a moment
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGINT)
    _, code = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(code)
    read = {n: p.read_bytes() if p.exists() else b"" for n, p in outputs.items()}
    return Ended(status, read[1], read[2].decode("utf-8", "backslashreplace"))


def process_words(c: Choices, outer: Path) -> tuple[list[str], int | None]:
    """A command for a process, and how many lines it answers two lines with, if that is known."""
    kind = c.one_of(
        (
            "help",
            "translate",
            "classify",
            "transcribe",
            "results",
            "data",
            "study",
            "train",
            "attention",
            "fit",
        )
    )
    if kind == "help":
        return [c.one_of(("--help", *find_commands())), "--help"], None
    if kind in ("translate", "classify", "attention"):
        name = "classify" if kind == "classify" else "translate"
        task = "classification" if kind == "classify" else "translation"
        more = (
            ["--attention", c.one_of(("look.png", "/dev/full", "/dev/null", "no/x.png"))]
            if kind == "attention"
            else []
        )
        return [name, "--checkpoint", tiny(outer, task), *more], None if more else 2
    if kind == "transcribe":
        (outer / "here" / "s.wav").write_bytes(sound_files()["WAV PCM_16"])
        return ["transcribe", "s.wav", "s.wav", "--checkpoint", tiny(outer, "speech")], 2
    if kind == "results":
        return ["results"], None
    if kind == "data":
        return ["data", *c.one_of((["list"], ["list", "-v"], ["get", "imdb"], ["get", "x"]))], None
    if kind == "study":
        return ["study", "none"], None
    if kind == "fit":
        return ["train", "tiny", "--steps", "300", "--out", "made"], None
    return ["train", "none"], None


@probe("commands.processes", 220)
def processes(c: Choices) -> None:
    """Processes with closed, full or broken streams, other encodings, and Ctrl-C at any moment."""
    with sandbox() as outer:
        place = outer / "here"
        place.mkdir()
        words, count = process_words(c, outer)
        (place / "stdin").write_bytes("ein hund läuft .\nzwei kinder\n".encode())
        number = c.one_of((None, 1, 0, 2))
        streams: dict[int, Any] = {}
        if number is not None:
            streams[number] = c.one_of(("closed", "/dev/full", "gone", "/dev/null"))
            streams[number] = (
                "/dev/null"
                if number == 0 and streams[number] in ("gone", "/dev/full")
                else streams[number]
            )
            c.mutated(f"stream {number} {streams[number]}")
        encoding = c.one_of(("utf-8", "cp1252", "cp437", "ascii", "latin-1", "utf-16"))
        interrupt = c.real(0.0, 0.6) if c.chance(0.3) or words[:2] == ["train", "tiny"] else None
        if interrupt is not None:
            c.mutated("Ctrl-C")
        c.show(
            words=[w.replace(str(outer), "…") for w in words],
            streams=streams,
            encoding=encoding,
            interrupt=interrupt,
        )
        recipes.RECIPES["tiny"] = tiny_recipe()
        try:
            ended = forked(c, words, place, streams, encoding, interrupt)
        finally:
            del recipes.RECIPES["tiny"]
        if interrupt is not None and "KeyboardInterrupt" in ended.error:
            early = not re.search(r'File ".*course_utils', ended.error)
            expect(early, f"on standard error: {ended.error[-400:]}")
            return  # Ctrl-C came before the first line of the course
        for trace in TRACES:
            expect(trace not in ended.error, f"on standard error: {ended.error[-400:]}")
        expect(ended.status in (0, 1, 2, 130), f"status {ended.status}: {ended.error[-200:]}")
        expect(interrupt is not None or ended.status != 130, "status 130 without Ctrl-C")
        expect(
            ended.error.count("\n") <= 2
            or ended.status == 2
            or words[0] == "train"
            or "\r" in ended.error,
            f"on standard error: {ended.error[:300]}",
        )
        if (
            streams.get(1) in ("closed", "/dev/full", "gone")
            and words[0] != "train"
            and words[:1] != ["study"]
        ):
            expect(ended.status != 0, f"status 0 although nothing could be written ({streams[1]})")
        if ended.status == 0 and count is not None and not streams and encoding != "utf-16":
            expect(
                ended.out.count(b"\n") == count,
                f"{ended.out.count(b'{chr(10)}')} lines, expected {count}",
            )
        if interrupt is not None and ended.status == 130 and words[:2] == ["train", "tiny"]:
            left = {p.name for p in place.iterdir()} - {
                "stdin",
                "stdout",
                "stderr",
                ".made.resume",
                "made",
                "cache",
            }
            expect(not left, f"left behind: {left}")


@probe("commands.cold", 24)
def cold(c: Choices) -> None:
    """The interpreter started anew: help, lists, closed streams, Ctrl-C while it imports."""
    words = c.one_of(
        (
            ["--help"],
            ["data", "list"],
            ["results"],
            ["train", "none"],
            ["translate", "--help"],
            ["study", "none"],
            [],
        )
    )
    redirect = c.one_of(("", "<&-", ">&-", ">/dev/full", "2>&-", "2>/dev/full", "| true"))
    encoding = c.one_of(("utf-8", "cp437", "ascii"))
    interrupt = c.real(0.0, 2.0) if not redirect and c.chance(0.5) else None
    c.mutated(redirect or encoding)
    c.show(words=words, redirect=redirect, encoding=encoding, interrupt=interrupt)
    with sandbox() as place:
        environment = os.environ | {
            "PYTHONIOENCODING": encoding,
            "COURSE_DATA": str(place),
            "PYTHONPATH": str(REPO),
        }
        line = " ".join([f"'{sys.executable}' -m course_utils", *words, redirect])
        call = ["bash", "-o", "pipefail", "-c", line]
        if interrupt is not None:
            call = [sys.executable, "-m", "course_utils", *words]
        process = subprocess.Popen(
            call,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        if interrupt is not None:
            time.sleep(interrupt)
            process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        text = error.decode("utf-8", "backslashreplace")
        late = interrupt is None or interrupt > 0.15  # before, it is the interpreter that starts
        for trace in TRACES:
            expect(trace not in text or not late, f"on standard error: {text[-400:]}")
        allowed = (0, 1, 2, 130) if late else (0, 1, 2, 130, -2)
        expect(process.returncode in allowed, f"status {process.returncode}: {text[-200:]}")
        if redirect in (">&-", ">/dev/full"):
            expect(process.returncode != 0, f"status 0, but nothing was written: {out[:100]!r}")
