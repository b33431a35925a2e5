"""The prompt of a session: keys, history, completion. Only this module knows prompt_toolkit."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.styles import Style

from qa.cli.last import make_private
from qa.cli.session import COMMANDS
from qa.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from qa.cli.background import Background

__all__ = ["Completions", "history", "prompt"]

_LONGEST = 10_000  # characters of a line that is remembered
_LARGEST = 1024 * 1024  # bytes of a history that is not cut yet,
_KEPT = 256 * 1024  # and of one that was
_OFFERED = 200  # completions at once
_MENU = 6  # lines
_STYLE = Style.from_dict({"bottom-toolbar": "noreverse", "prompt": "bold"})
_NUMBERED = {"open", "show", "why", "copy"}


class _Remembered(FileHistory):
    """A history that never stops a session, and forgets what begins with a space."""

    def store_string(self, string: str) -> None:
        """Append a line (see prompt_toolkit)."""
        if len(string) <= _LONGEST and not string.startswith(" "):
            with suppress(OSError):
                super().store_string(string)


def history(file: Path | None) -> History:
    """The history in a file that is the user's alone; in memory without one that can be used."""
    if file is None:
        return InMemoryHistory()
    try:
        make_private(file.parent)
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode) or not os.access(file, os.R_OK | os.W_OK):
            return InMemoryHistory()
        if sys.platform != "win32" and found.st_mode & 0o077:
            file.chmod(0o600)
        if found.st_size > _LARGEST:
            kept = file.read_bytes()[-_KEPT:]
            file.write_bytes(kept[max(kept.find(b"\n# "), 0) :])
    except OSError:
        return InMemoryHistory()
    return _Remembered(str(file))


class Completions(Completer):
    """Completes commands, results, documents, patterns and keys of metadata."""

    def __init__(self, background: Background, citations: Callable[[], list[str]]) -> None:
        """Take who knows the documents, and what gives the last answer's citations."""
        self._background = background
        self._citations = citations

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - prompt_toolkit's own
    ) -> Iterator[Completion]:
        """Complete what stands before the cursor (see prompt_toolkit)."""
        text = document.text_before_cursor
        name, space, rest = text.partition(" ")
        if not text.startswith(":"):
            begun = text.rpartition(" ")[2]
            yield from _offered(begun, self._background.names if begun else ())
        elif not space:
            for one, (argument, told) in COMMANDS.items():
                if one.startswith(name[1:].lower()):
                    yield Completion(
                        f":{one}{' ' if argument else ''}", -len(text), f":{one}", display_meta=told
                    )
        elif (command := name[1:].lower()) in _NUMBERED:
            cited = self._citations()
            for number, citation in enumerate(cited, 1):
                if str(number).startswith(rest):
                    yield Completion(str(number), -len(rest), display_meta=visible(citation))
            if rest and command in {"open", "show"}:
                yield from _offered(rest, [*cited, *self._background.names])
        elif command == "in":
            yield from _offered(rest, _patterns(self._background.names))
        elif command == "where":
            key, equals, value = rest.partition("=")
            if equals:
                yield from _offered(value, self._background.keys.get(key.lower(), ()))
            else:
                yield from _offered(key, [f"{one}=" for one in self._background.keys])


def _offered(begun: str, texts: Iterable[str]) -> Iterator[Completion]:
    """What begins so, or has a last part that does; nothing that a terminal would obey."""
    count = 0
    for text in texts:
        fits = text.startswith(begun) or text.rpartition("/")[2].startswith(begun)
        if fits and text.isprintable():
            yield Completion(text, -len(begun))
            if (count := count + 1) == _OFFERED:
                return


def _patterns(names: Iterable[str]) -> list[str]:
    """The folders of documents as patterns, then their names."""
    names = list(names)
    folders = dict.fromkeys(f"{name.rpartition('/')[0]}/**" for name in names if "/" in name)
    return [*sorted(folders), *names]


def prompt(
    *,
    remembered: History,
    completions: Completer,
    toolbar: Callable[[], str],
) -> PromptSession[str]:
    """A prompt that gives a line a time: raises EOFError on Ctrl-D, KeyboardInterrupt on Ctrl-C."""
    session: PromptSession[str] = PromptSession(
        [("class:prompt", "qa> ")],
        history=remembered,
        completer=completions,
        complete_while_typing=Condition(lambda: session.default_buffer.text.startswith(":")),
        complete_in_thread=True,
        enable_suspend=True,
        bottom_toolbar=toolbar,
        reserve_space_for_menu=_MENU,
        style=_STYLE,
    )
    return session
