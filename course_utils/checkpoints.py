"""Checkpoints: weights in safetensors, and a JSON card that says where they come from.

A checkpoint is a folder:

    model.safetensors   the weights, shared ones once, in half precision
    vocabulary.json     the pieces and their ids
    card.json           how to build the model; data with checksums and licence; seed, steps,
                        minutes, machine; metrics with signatures; command and commit
    log.json            the results of all validations during the training
"""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from course_utils.models.builders import BUILDERS
from course_utils.models.seq2seq import count_parameters
from course_utils.paths import CHECKPOINTS, MADE, checkpoint_names
from course_utils.runtime import read_file, recover_folder, replacing_folder, write_text
from course_utils.vocabulary import Vocabulary

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "check_target",
    "load_checkpoint",
    "save_checkpoint",
]


# The files of a checkpoint, and the most bytes that are read of each: many times what they need.
LIMITS = {
    "card.json": 1_000_000,
    "log.json": 10_000_000,
    "model.safetensors": 2_000_000_000,
    "vocabulary.json": 20_000_000,
}
CHECKED = ("model.safetensors", "vocabulary.json")  # the card has their checksums
ROOM = 100_000_000  # bytes: several times the largest checkpoint with its resume file


class CheckpointError(Exception):
    """An unknown, incomplete or damaged checkpoint; the message says which and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to use (in evaluation mode), its vocabulary, card, log and folder name."""

    name: str
    model: nn.Module
    vocabulary: Vocabulary
    card: dict
    log: list[dict]


def sha256(path: Path) -> str:
    """Checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def half_precision(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights in the form in which a checkpoint stores them: float16, a shared matrix once.

    Counters stay integers: float16 cannot count beyond 65,504.
    Raises CheckpointError for weights that are not finite, or too large for float16.
    """
    seen: set[int] = set()
    weights = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            kind = torch.float16 if tensor.is_floating_point() else tensor.dtype
            weights[name] = tensor.detach().to("cpu", kind).contiguous()
    check_finite(weights, "the model to be saved has weights beyond half precision (65,504)")
    return weights


def check_finite(weights: dict[str, torch.Tensor], problem: str) -> None:
    """Raise CheckpointError, naming the first ones, if some weights are not finite."""
    wrong = [name for name, weight in weights.items() if not bool(weight.isfinite().all())]
    if wrong:
        raise CheckpointError(f"{problem}: {some_of(wrong)} (NaN or infinite)")


def some_of(names: Iterable[str]) -> str:
    """The first three names, and how many others there are."""
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    vocabulary: Vocabulary,
    *,
    builder: str,
    settings: dict,
    card: dict,
    log: list[dict],
) -> dict:
    """Write a checkpoint, whole: after a failure, whatever was in its place before is still there.

    ``builder`` names the function that makes the same model again from the ``settings``: one of
    `course_utils.models.builders.BUILDERS`, or one that the task's predictor knows.
    Returns the complete card.
    """
    with replacing_folder(check_target(folder)) as partial:
        save_file(half_precision(model), partial / "model.safetensors")
        vocabulary.save(partial / "vocabulary.json")
        full = {
            "builder": builder,
            "settings": settings,
            "parameters": count_parameters(model),
            "sha256": {name: sha256(partial / name) for name in CHECKED},
            **card,
        }
        for name, content in (("card.json", full), ("log.json", log)):
            write_text(partial / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return full


def check_target(folder: Path | str) -> Path:
    """The folder that a checkpoint will be written to, links resolved.

    Raises CheckpointError, with the reason, if it cannot be written, or if it contains anything
    that is not part of a checkpoint: nothing that the course did not write is ever removed.
    """
    try:
        folder = Path(os.path.realpath(folder))
        recover_folder(folder)
        if os.path.lexists(folder) and not folder.is_dir():
            raise CheckpointError(f"{folder} is a file; a checkpoint needs a folder")
        found = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if found and (not found <= set(LIMITS) or not _is_card(folder / "card.json")):
            strange = ", ".join(sorted(found - set(LIMITS))[:3]) or "no card of a checkpoint"
            raise CheckpointError(
                f"{folder} is not the folder of a checkpoint (found: {strange}), and its contents "
                "would be lost; name a new folder"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
        free = shutil.disk_usage(folder.parent).free
    except OSError as error:
        raise CheckpointError(f"no checkpoint can be written to {folder}: {error}") from error
    if free < ROOM:
        raise CheckpointError(
            f"no checkpoint can be written to {folder}: {free / 1e6:.0f} MB are free, "
            f"{ROOM / 1e6:.0f} MB are needed"
        )
    return folder


def _is_card(file: Path) -> bool:
    """Whether a file is the card of a checkpoint, which names a builder and checksums."""
    try:
        card = json.loads(read_file(file, LIMITS["card.json"]))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(card, dict) and {"builder", "sha256"} <= set(card)


def load_checkpoint(
    name: str | Path,
    device: str | torch.device = "cpu",
    builders: dict[str, Callable[..., nn.Module]] | None = None,
) -> Checkpoint:
    """Load a checkpoint of the course by name, or any by its folder. Weights become float32.

    ``builders`` are functions that build models, by the names that cards give them, in addition to
    `course_utils.models.builders.BUILDERS`. They are called twice, the first time on the device
    "meta", where tensors have a shape and no content: a card that asks for other sizes than those
    of the weights is found before anything is allocated.

    Raises CheckpointError if the checkpoint cannot be loaded.
    """
    folder = find_checkpoint(name)
    try:
        card = read_card(folder)
        for file, expected in card["sha256"].items():
            if sha256(found(folder, file)) != expected:
                raise CheckpointError(
                    f"checkpoint {folder.name}: {file} is damaged: its checksum differs from the "
                    "one in card.json, so it was changed or cut short on its way"
                )
        vocabulary = Vocabulary.load(found(folder, "vocabulary.json"))
        stored = load_file(found(folder, "model.safetensors"))
        model = build_model(BUILDERS | (builders or {}), card, stored, folder.name)
        log = read_log(folder)
        return Checkpoint(folder.name, model.to(device).eval(), vocabulary, card, log)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged file can make any library fail in any way
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"checkpoint {folder.name} is incomplete or damaged: {type(error).__name__}: "
            f"{reason[:300]}{'…' if len(reason) > 300 else ''}"
        ) from error


def find_checkpoint(name: str | Path) -> Path:
    """The folder of a checkpoint of the course, by name, or of any other, by path."""
    for folder in (MADE / "checkpoints" / str(name), CHECKPOINTS / str(name), Path(name)):
        # Whatever the system says to an impossible name, there is no checkpoint of that name.
        with contextlib.suppress(OSError, ValueError):
            recover_folder(folder)
            if (folder / "card.json").exists():
                return folder
    known = ", ".join(checkpoint_names()) or "none"
    raise CheckpointError(
        f"no checkpoint {str(name)!r}: it is neither a folder with a card.json nor one of those "
        f"that come with the course ({known})"
    )


def found(folder: Path, file: str) -> Path:
    """A file of a checkpoint, by name.

    Raises CheckpointError for a name that no checkpoint has, for anything but a regular file, and
    for a file above its limit.
    """
    path = folder / file
    if file not in LIMITS:
        problem = "is not a file of a checkpoint"
    elif not path.is_file():
        problem = "is missing, or not a regular file"
    elif path.stat().st_size > LIMITS[file]:
        problem = f"has more than {LIMITS[file] / 1e6:.0f} MB, more than the course reads of it"
    else:
        return path
    raise CheckpointError(f"checkpoint {folder.name}: {file[:80]} {problem}")


def read_card(folder: Path) -> dict:
    """The card, with a builder, settings and checksums; CheckpointError if one is missing."""
    card = json.loads(found(folder, "card.json").read_text(encoding="utf-8"))
    expected = {"builder": str, "settings": dict, "sha256": dict}
    wrong = [
        name
        for name, kind in expected.items()
        if not isinstance(card, dict) or not isinstance(card.get(name), kind)
    ]
    if wrong:
        raise CheckpointError(
            f"checkpoint {folder.name}: card.json is not the card of a checkpoint: without a valid "
            f"{' and '.join(wrong)}"
        )
    return card


def read_log(folder: Path) -> list[dict]:
    """The results of all validations; none if the log is missing."""
    if not (folder / "log.json").exists():
        return []
    log = json.loads(found(folder, "log.json").read_text(encoding="utf-8"))
    if not isinstance(log, list) or not all(isinstance(row, dict) for row in log):
        raise CheckpointError(f"checkpoint {folder.name}: log.json is not a list of validations")
    return log


def build_model(
    builders: dict[str, Callable[..., nn.Module]],
    card: dict,
    stored: dict[str, torch.Tensor],
    name: str,
) -> nn.Module:
    """The model that a card describes, with the stored weights as float32.

    Raises CheckpointError, naming the checkpoint, if they do not fit each other or are not finite.
    """
    if card["builder"] not in builders:
        raise CheckpointError(
            f"checkpoint {name}: card.json names the builder {card['builder'][:80]!r}; known are "
            f"{', '.join(builders)}"
        )
    build = builders[card["builder"]]
    check_finite(stored, f"checkpoint {name} is damaged, or its training diverged")
    with torch.device("meta"), at_most_parameters(2 * len(stored)):
        own = build(**card["settings"]).state_dict(keep_vars=True)
    loaded = {id(own[key]) for key in stored if key in own}
    problems = {
        "missing": [k for k, w in own.items() if k not in stored and id(w) not in loaded],
        "unexpected": [k for k in stored if k not in own],
        "size mismatch in": [
            f"{k} (stored {tuple(w.shape)}, described {tuple(own[k].shape)})"
            for k, w in stored.items()
            if k in own and own[k].shape != w.shape
        ],
    }
    if any(problems.values()):
        raise CheckpointError(
            f"checkpoint {name} does not fit the model that its card describes: "
            + "; ".join(f"{problem} {some_of(keys)}" for problem, keys in problems.items() if keys)
        )
    model = build(**card["settings"])
    model.load_state_dict({k: w.float() for k, w in stored.items()}, strict=False)
    return model


@contextlib.contextmanager
def at_most_parameters(limit: int) -> Iterator[None]:
    """Raise ValueError as soon as the block makes a module with more parameters than ``limit``.

    Tensors on the device "meta" are free, but a million layers of them still take minutes.
    """
    count = itertools.count(1)

    def check(*_: object) -> None:
        if next(count) > limit:
            raise ValueError(f"it describes more than the {limit} parameters that it could have")

    hook = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        hook.remove()
