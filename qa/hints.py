"""What to do now, in the words of whoever is to do it: the one table.

Errors and notes are written for the command line. A program has parameters instead of options and
methods instead of commands; who asks over a network can change neither.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

__all__ = ["Surface", "worded"]

Surface: TypeAlias = Literal["command", "program", "network"]

# As it is written, for a program, for a network.
_TABLE: dict[str, tuple[str, str]] = {
    "`qa index --rebuild`": ("`refresh(rebuild=True)`", "`qa index --rebuild` on the server"),
    "`qa index`": ("`refresh()`", "`qa index` on the server"),
    "`qa ask`": ("`ask()`", "a question"),
    "`qa calibrate`": ("`calibrate()`", "`qa calibrate` on the server"),
    "`qa show`": ("`show()`", "`qa show` on the server"),
    "`qa status`": ("`status()`", "the status"),
    "`qa status --problems`": ("`status().problems`", "the status"),
    "qa status --problems": ("`status().problems`", "the server names them"),
    "`qa ask … --format json > answer.json`": ("`ask(…).to_dict()`", "a question"),
    'qa ask "Who …?"': ('ask("Who …?")', '"Who …?"'),
    "Check the terminal's encoding.": (
        "Give text without half a surrogate pair.",
        "Give text without half a surrogate pair.",
    ),
    "`documents()`": ("`documents()`", "the list of documents"),
    "`document()`": ("`document()`", "the document by itself"),
}
_COMMAND_OR_OPTION = re.compile(
    "|".join(
        (
            *(re.escape(one) for one in sorted(_TABLE, key=len, reverse=True)),
            "`qa [^`]*`",
            r"(?<![\w-])--[a-z][a-z-]*",
        )
    )
)


def worded(text: str, surface: Surface) -> str:
    """An error's message or hint, or an answer's note, for whoever reads it there.

    >>> worded("Name another folder with --index.", "program")
    'Name another folder with `index`.'
    """
    if surface == "command":
        return text
    column = 0 if surface == "program" else 1

    def said(found: re.Match[str]) -> str:
        one = found[0]
        if one in _TABLE:
            return _TABLE[one][column]
        if one.startswith("`qa "):
            return f"{one} {('in a terminal', 'on the server')[column]}"
        name = one.removeprefix("--").replace("-", "_")
        return f"`{name}`" if not column else f"the server's `{name}`"

    return _COMMAND_OR_OPTION.sub(said, text)
