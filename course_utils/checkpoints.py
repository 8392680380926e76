"""Checkpoints: weights in safetensors, everything a reader may ask about them in a JSON card.

A checkpoint is a folder:

    model.safetensors   the weights, shared ones once, in half precision
    vocabulary.json     the pieces and their ids
    card.json           how to build the model; data with checksums and licence; seed, steps,
                        minutes, machine; metrics with signatures; command and commit
    log.json            the figures of the training, validation by validation
"""

import hashlib
import json
import os
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
from course_utils.paths import CHECKPOINTS
from course_utils.vocabulary import Vocabulary

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "checkpoint_names",
    "load_checkpoint",
    "save_checkpoint",
]


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
    """The weights as a checkpoint stores them: float16, a shared matrix once."""
    seen, weights = {}, {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen[tensor.data_ptr()] = name
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
    """Write a checkpoint; either the whole folder is there afterwards or what was there before.

    ``builder`` names one of `course_utils.models.builders.BUILDERS`, which gets the settings and
    makes the same model again.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
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
            text = json.dumps(content, indent=1, ensure_ascii=False)
            (partial / name).write_text(text + "\n", encoding="utf-8")
        for path in (partial, *partial.iterdir()):  # readable for everyone, not for the owner alone
            path.chmod(0o755 if path.is_dir() else 0o644)
        if folder.exists():
            old = partial.with_name(partial.name + "-old")
            os.replace(folder, old)
            try:
                os.replace(partial, folder)
            except BaseException:
                os.replace(old, folder)
                raise
            shutil.rmtree(old)
        else:
            os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return full


def load_checkpoint(
    name: str | Path,
    device: str | torch.device = "cpu",
    builders: dict[str, Callable[..., nn.Module]] | None = None,
) -> Checkpoint:
    """Load a checkpoint of the course by name, or any by its folder. Weights become float32.

    ``builders`` are functions that build models, by the name that a card gives them, beside those
    of `course_utils.models.builders.BUILDERS`.
    """
    folder = CHECKPOINTS / str(name)
    if not (folder / "card.json").exists():
        folder = Path(name)
    if not (folder / "card.json").exists():
        known = ", ".join(checkpoint_names()) or "none"
        raise CheckpointError(
            f"no checkpoint {str(name)!r}: it is neither a folder with a card.json nor one of "
            f"those that come with the course ({known})"
        )
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        for file, expected in card["sha256"].items():
            if sha256(folder / file) != expected:
                raise CheckpointError(
                    f"checkpoint {folder.name}: {file} is damaged (its checksum is not the one in "
                    "card.json); get the file again, with git for instance"
                )
        vocabulary = Vocabulary.load(folder / "vocabulary.json")
        model = (BUILDERS | (builders or {}))[card["builder"]](**card["settings"])
        weights = {k: w.float() for k, w in load_file(folder / "model.safetensors").items()}
        shared = {k for k in model.state_dict() if k not in weights}
        report = model.load_state_dict(weights, strict=False)
        pointers = {model.state_dict()[k].data_ptr() for k in weights if k in model.state_dict()}
        lost = [k for k in shared if model.state_dict()[k].data_ptr() not in pointers]
        if report.unexpected_keys or lost:
            raise CheckpointError(
                f"checkpoint {folder.name} does not fit the model that its card describes: "
                f"missing {lost}, unexpected {report.unexpected_keys}"
            )
        log_file = folder / "log.json"
        log = json.loads(log_file.read_text(encoding="utf-8")) if log_file.exists() else []
    except CheckpointError:
        raise
    except Exception as error:  # a damaged file can make any library fail in any way
        raise CheckpointError(
            f"checkpoint {folder.name} is incomplete or damaged: {type(error).__name__}: {error}"
        ) from error
    return Checkpoint(folder.name, model.to(device).eval(), vocabulary, card, log)
