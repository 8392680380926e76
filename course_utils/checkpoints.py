"""Checkpoints: weights in safetensors, and a JSON card that says where they come from.

A checkpoint is a folder:

    model.safetensors   the weights, shared ones once, in half precision
    vocabulary.json     the pieces and their ids
    card.json           how to build the model; data with checksums and licence; seed, steps,
                        minutes, machine; metrics with signatures; command and commit
    log.json            the results of all validations during the training
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from course_utils.models.builders import BUILDERS
from course_utils.models.seq2seq import count_parameters
from course_utils.paths import CHECKPOINTS, MADE
from course_utils.runtime import recover_folder, replacing_folder, write_text
from course_utils.vocabulary import Vocabulary

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "check_target",
    "checkpoint_names",
    "load_checkpoint",
    "save_checkpoint",
]


FILES = ("card.json", "log.json", "model.safetensors", "vocabulary.json")
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


def checkpoint_names() -> list[str]:
    """The checkpoints that come with the course."""
    return sorted(path.parent.name for path in CHECKPOINTS.glob("*/card.json"))


def half_precision(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights in the form in which a checkpoint stores them: float16, a shared matrix once."""
    seen: set[int] = set()
    weights = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            weights[name] = tensor.detach().to("cpu", torch.float16).contiguous()
    return weights


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
            "sha256": {
                name: sha256(partial / name) for name in ("model.safetensors", "vocabulary.json")
            },
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
    folder = Path(folder).resolve()
    recover_folder(folder)
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; a checkpoint needs a folder")
    try:
        found = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if found and (not found <= set(FILES) or "card.json" not in found):
            strange = ", ".join(sorted(found - set(FILES))[:3]) or "no card.json"
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


def load_checkpoint(
    name: str | Path,
    device: str | torch.device = "cpu",
    builders: dict[str, Callable[..., nn.Module]] | None = None,
) -> Checkpoint:
    """Load a checkpoint of the course by name, or any by its folder. Weights become float32.

    ``builders`` are functions that build models, by the names that cards give them, in addition to
    `course_utils.models.builders.BUILDERS`. Raises CheckpointError if it cannot be loaded.
    """
    folder = find_checkpoint(name)
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        for file, expected in card["sha256"].items():
            if sha256(folder / file) != expected:
                raise CheckpointError(
                    f"checkpoint {folder.name}: {file} is damaged: its checksum differs from the "
                    "one in card.json, so it was changed or cut short on its way"
                )
        vocabulary = Vocabulary.load(folder / "vocabulary.json")
        model = (BUILDERS | (builders or {}))[card["builder"]](**card["settings"])
        load_weights(model, load_file(folder / "model.safetensors"), folder.name)
        log_file = folder / "log.json"
        log = json.loads(log_file.read_text(encoding="utf-8")) if log_file.exists() else []
    except CheckpointError:
        raise
    except Exception as error:  # a damaged file can make any library fail in any way
        raise CheckpointError(
            f"checkpoint {folder.name} is incomplete or damaged: {type(error).__name__}: {error}"
        ) from error
    return Checkpoint(folder.name, model.to(device).eval(), vocabulary, card, log)


def find_checkpoint(name: str | Path) -> Path:
    """The folder of a checkpoint of the course, by name, or of any other, by path."""
    for folder in (MADE / "checkpoints" / str(name), CHECKPOINTS / str(name), Path(name)):
        recover_folder(folder)
        if (folder / "card.json").exists():
            return folder
    known = ", ".join(checkpoint_names()) or "none"
    raise CheckpointError(
        f"no checkpoint {str(name)!r}: it is neither a folder with a card.json nor one of those "
        f"that come with the course ({known})"
    )


def load_weights(model: nn.Module, stored: dict[str, torch.Tensor], name: str) -> None:
    """Copy stored weights into a model, as float32; a matrix that the model shares is stored once.

    Raises CheckpointError, naming the checkpoint, if some are missing or not expected.
    """
    report = model.load_state_dict({k: w.float() for k, w in stored.items()}, strict=False)
    own = model.state_dict()
    loaded = {own[key].data_ptr() for key in stored if key in own}
    missing = [k for k, w in own.items() if k not in stored and w.data_ptr() not in loaded]
    if report.unexpected_keys or missing:
        raise CheckpointError(
            f"checkpoint {name} does not fit the model that its card describes: "
            f"missing {missing}, unexpected {report.unexpected_keys}"
        )
