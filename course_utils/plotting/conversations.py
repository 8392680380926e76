"""Conversations as a web page: for each reply, the earlier turns and how much each hop looked."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Protocol

import numpy as np

from course_utils.messages import _, catalogue

__all__ = ["conversation_page"]

PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 17px/1.6 Georgia, serif; max-width: 52em; margin: 2em auto; padding: 0 1em;
  color: #1a1a1a; background: #fff; }}
section {{ border-top: 1px solid #d9d9d9; padding: .6em 0; }}
h1 {{ font: bold 22px/1.3 sans-serif; margin: .4em 0; }}
h2 {{ font: bold 15px/1.4 sans-serif; margin: .4em 0; }}
table {{ border-collapse: collapse; font-size: 15px; }}
th, td {{ padding: .1em .6em; text-align: left; }}
td.share {{ text-align: right; min-width: 3.5em; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{explanation}</p>
{sections}
</main>
</body>
</html>
"""


class WeightedReply(Protocol):
    """The attributes that `conversation_page` shows; `Reply` of the dialogue task has them."""

    text: str
    probability: float
    weights: np.ndarray  # (hops, earlier turns)

    @property
    def history(self) -> Sequence[str]: ...

    @property
    def said(self) -> str: ...


def conversation_page(replies: Iterable[WeightedReply]) -> str:
    """A self-contained page: each reply, and a table of the turns before it with their weights.

    A cell is the darker the larger its share of the hop's attention. The texts are escaped, so
    markup in them is shown, not interpreted.
    """
    return PAGE.format(
        language=escape(catalogue().info().get("language") or "en"),
        title=escape(_("What each reply looked at")),
        explanation=escape(
            _(
                "A column is one look into the memory (a hop). The darker a cell, the larger the"
                " share of that look."
            )
        ),
        sections="\n".join(_section(number, reply) for number, reply in enumerate(replies, 1)),
    )


def _section(number: int, reply: WeightedReply) -> str:
    head = _("{number}: {said} → {text}, probability {probability:.3f}").format(
        number=number, said=reply.said, text=reply.text, probability=reply.probability
    )
    parts = [f"<section><h2>{escape(head)}</h2>"]
    if reply.history:
        hops = "".join(
            f'<th scope="col">{escape(_("hop {number}").format(number=hop + 1))}</th>'
            for hop in range(len(reply.weights))
        )
        turn = escape(_("turn"))
        parts.append(f'<table><thead><tr><th scope="col">{turn}</th>{hops}</tr></thead><tbody>')
        for text, shares in zip(reply.history, reply.weights.T, strict=True):
            cells = "".join(
                f'<td class="share" style="background: rgba(0, 114, 178, {0.6 * share:.3f})">'
                f"{100 * share:.0f} %</td>"
                for share in shares
            )
            parts.append(f'<tr><th scope="row">{escape(text)}</th>{cells}</tr>')
        parts.append("</tbody></table>")
    return "".join([*parts, "</section>"])
