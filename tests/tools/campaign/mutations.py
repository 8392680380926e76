"""Changes that turn a valid input into one that is nearly valid."""

import copy
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tools.campaign.core import Choices

__all__ = [
    "NAMES",
    "VALUES",
    "damaged",
    "edited_json",
    "mutated_text",
    "odd_tensor",
    "recrc",
]

# Values of JSON that a reader may not expect.
VALUES: tuple[Any, ...] = (
    None,
    0,
    -1,
    1,
    2,
    "",
    "x",
    "5",
    1.5,
    True,
    [],
    {},
    [1],
    {"a": 1},
    1e300,
    10**12,
    200_000,
    float("nan"),
    float("inf"),
    "/dev/zero",
    "../../x",
    "\x1b[31mred",
)

# Names of files that something may stumble over; {} is a plain one.
NAMES = (
    "{}",
    "a b{}",
    "-{}",
    "é{}",
    "{}\n",
    "\x1b[31m{}",
    "日本{}",
    "{}.{}",
    "x" * 300 + "{}",
    "\udcff{}",
    "{}\t",
    "\u202e{}",
)


def damaged(c: Choices, data: bytes, times: int = 3) -> bytes:
    """Bytes after one to three changes: flips, cuts, repeats, insertions, extreme numbers."""
    content = bytearray(data)
    for _ in range(c.integer(1, times)):
        size = len(content)
        if not size:
            content = bytearray(b"\0")
            continue
        # The beginning, where headers are, is as likely as all the rest.
        at = c.below(min(size, 64)) if c.chance(0.5) else c.below(size)
        how = c.one_of(
            ("flip", "byte", "cut", "drop", "insert", "repeat", "number", "zero", "swap")
        )
        c.mutated(how)
        if how == "flip":
            content[at] ^= 1 << c.below(8)
        elif how == "byte":
            content[at] = c.below(256)
        elif how == "cut":
            del content[at:]
        elif how == "drop":
            del content[at : at + 1 + c.below(16)]
        elif how == "insert":
            content[at:at] = bytes(c.below(256) for _ in range(1 + c.below(8)))
        elif how == "repeat":
            content[at:at] = content[at : at + 1 + c.below(64)]
        elif how == "number":
            width, order = c.one_of("HIQ"), c.one_of("<>")
            limit = 1 << (8 * struct.calcsize(width))
            number = c.one_of((0, 1, limit - 1, limit // 2, limit // 2 - 1, 65_537 % limit))
            packed = struct.pack(order + width, number)
            content[at : at + len(packed)] = packed
        elif how == "zero":
            length = 1 + c.below(32)
            content[at : at + length] = bytes(len(content[at : at + length]))
        else:
            other = c.below(size)
            content[at], content[other] = content[other], content[at]
    return bytes(content)


def recrc(png: bytes) -> bytes:
    """A PNG whose chunks have right checksums, so that a change reaches the decoder."""
    out, at = bytearray(png[:8]), 8
    while at + 12 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        end = at + 8 + length
        if end + 4 > len(png):
            break
        out += png[at:end] + struct.pack(">I", zlib.crc32(png[at + 4 : end]))
        at = end + 4
    return bytes(out + png[at:])


def edited_json(c: Choices, content: Any) -> Any:
    """JSON with one value replaced, removed, wrapped or repeated."""
    content = copy.deepcopy(content)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in list(items)[:40]:
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    if isinstance(content, dict | list):
        walk(content)
    if not places or c.chance(0.03):
        c.mutated("whole")
        return c.one_of(VALUES)
    node, key = c.one_of(places)
    how = c.one_of(("value", "value", "value", "remove", "wrap", "text", "rename"))
    c.mutated(f"json {how}")
    c.show(place=key, how=how)
    if how == "remove":
        del node[key]
    elif how == "wrap":
        node[key] = [node[key]]
    elif how == "text":
        node[key] = json.dumps(node[key])
    elif how == "rename" and isinstance(node, dict):
        node[f"{key}x"] = node.pop(key)
    else:
        node[key] = c.one_of(VALUES)
        c.show(value=node[key])
    return content


ODD = (
    "",
    " ",
    "\t",
    "\r",
    "\x00",
    "\x1b[31m",
    "\u2028",
    "\u0085",
    "\ufeff",
    "\u202e",
    "\u200b",
    "é",
    "e\u0301",
    "ß",
    "İ",
    "ﬁ",
    "日本語",
    "🙂",
    "👩‍👩‍👧",
    "<pad>",
    "<bos>",
    "<eos>",
    "<unk>",
    "▁",
    "&lt;",
    "<b>",
    "$x$",
    "{}",
    "%s",
    "\\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "a" * 200,
    "- " * 60,
    "0",
    ".",
    "„“",
    "\U0010ffff",
)


def mutated_text(c: Choices, text: str) -> str:
    """A text with one to three changes."""
    for _ in range(c.integer(1, 3)):
        at = c.below(len(text) + 1)
        how = c.one_of(("insert", "drop", "repeat", "upper", "replace", "reverse"))
        c.mutated(f"text {how}")
        if how == "insert":
            text = text[:at] + c.one_of(ODD) + text[at:]
        elif how == "drop":
            text = text[:at] + text[at + 1 + c.below(4) :]
        elif how == "repeat":
            text = text[:at] + text[at : at + 20] * c.integer(2, 6) + text[at:]
        elif how == "upper":
            text = text[:at].upper() + text[at:]
        elif how == "replace":
            text = text[:at] + c.one_of(ODD) + text[at + 1 :]
        else:
            text = text[:at] + text[at:][::-1]
    return text


def odd_tensor(c: Choices, tensor: Tensor) -> Tensor:
    """A tensor with one plausible mistake: of shape, of type or of value."""
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "one dimension less": lambda t: t[0] if t.dim() and len(t) else t.reshape(-1),
        "one dimension more": lambda t: t[None],
        "last dimensions swapped": lambda t: t.transpose(-1, -2) if t.dim() > 1 else t[None],
        "first dimensions swapped": lambda t: t.transpose(0, 1) if t.dim() > 1 else t[None],
        "one position less": lambda t: t[:, 1:] if t.dim() > 1 else t[1:],
        "one row less": lambda t: t[1:],
        "wider": lambda t: torch.cat([t, t[..., :1]], dim=-1),
        "rows twice": lambda t: torch.cat([t, t]),
        "empty": lambda t: t[:0],
        "no positions": lambda t: t[:, :0] if t.dim() > 1 else t[:0],
        "integers": lambda t: t.long(),
        "double": lambda t: t.double(),
        "half": lambda t: t.half(),
        "booleans": lambda t: t.bool(),
        "floats": lambda t: t.float(),
    }
    how = c.one_of(tuple(changes))
    c.mutated(how)
    c.show(mutation=how)
    return changes[how](tensor)
