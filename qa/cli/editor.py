"""Where a click on a citation leads: the editor that the environment names, if it takes links."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["editor_link"]

# By the name of the command. Each registers its scheme with the system when it is installed.
_LINKS = {
    "code": "vscode://file/{path}:{line}",
    "code-insiders": "vscode-insiders://file/{path}:{line}",
    "codium": "vscodium://file/{path}:{line}",
    "cursor": "cursor://file/{path}:{line}",
    "windsurf": "windsurf://file/{path}:{line}",
    "zed": "zed://file/{path}:{line}",
}


def editor_link(environment: Mapping[str, str]) -> str | None:
    """The form of links to lines of files (see `Settings.editor_link`); None where none is known.

    A terminal within an editor goes first, then what `VISUAL` and `EDITOR` name. Over SSH files are
    not where the editor is.
    """
    if "SSH_CONNECTION" in environment:
        return None
    terminal = environment.get("TERM_PROGRAM", "")
    if terminal == "vscode":  # so do the others that are made of it
        is_cursor = "CURSOR_TRACE_ID" in environment
        return _LINKS["cursor" if is_cursor else "code"]
    if terminal == "zed":
        return _LINKS["zed"]
    for name in ("VISUAL", "EDITOR"):
        try:
            words = shlex.split(environment.get(name, ""))
        except ValueError:  # a quote without its end
            continue
        if words:
            return _LINKS.get(PurePath(words[0]).stem)
    return None
