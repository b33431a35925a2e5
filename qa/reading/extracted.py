"""What a reader of a converted format gives: text made from the file, and where it stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.reading.sections import SectionBuilder
from qa.types import Block, BlockKind, Place, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qa.types import Section

__all__ = ["Composer", "Extracted", "Member", "UnreadableError"]

# What no text should hold: NUL, other controls but tab and line feed, halves of surrogate pairs.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


class UnreadableError(ValueError):
    """A file that can't be read; the message says why in a few words, for the person."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a file (an attachment, a message of a mailbox): a document of its own."""

    name: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a file says, in reading order; every span and place refers to `text`.

    `metadata` has, where the file tells them, `title`, `author`, `date` and `language`, and
    whatever else of it a person may want to filter by; keys are in lower case. `warnings` say
    what of the file is not in `text`, though the rest is: short sentences without a full stop.
    """

    text: str
    sections: tuple[Section, ...]
    places: tuple[Place, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    members: tuple[Member, ...] = ()
    warnings: tuple[str, ...] = ()


class Composer:
    """Builds the text of a converted document, block by block.

    Blocks and headings are parted by blank lines.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._sections = SectionBuilder()
        self._places: list[Place] = []
        self._pending: dict[PlaceKind, str] = {}
        self._current: dict[PlaceKind, str] = {}

    def place(self, kind: PlaceKind, value: str | int) -> None:
        """Say where the next text stands: on that page, below that anchor."""
        self._pending[kind] = str(value)

    def heading(self, title: str, *, level: int) -> None:
        """Begin a section; a level counts from 1, the outermost."""
        title = " ".join(_clean(title).split())
        block = Block(*self._append(title)) if title else None
        self._sections.heading(title, block, level=level)

    def add(
        self,
        text: str,
        *,
        kind: BlockKind = BlockKind.PROSE,
        inside: Iterable[tuple[int, PlaceKind, str | int]] = (),
    ) -> None:
        """Add a block: a paragraph, list item, table row or table; nothing where it is blank.

        Args:
            text: of the block; a line of it means something where the kind is LINES.
            kind: how it may be cut.
            inside: places that begin within it, each at a character of `text`, ascending: a
                paragraph that runs on to the next page.
        """
        lead = len(text) - len(text.lstrip())
        borders = [(max(0, at - lead), of, value) for at, of, value in inside]
        body = text.strip()
        parts, at = [], 0
        for border, _, _ in borders:
            parts.append(_clean(body[at:border]))
            at = max(at, border)
        parts.append(_clean(body[at:]))
        if not (whole := "".join(parts)).strip():
            return
        start, end = self._append(whole)
        offset = start
        for part, (_, of, value) in zip(parts, borders, strict=False):
            offset += len(part)
            self._note(min(offset, end - 1), of, str(value))
        self._sections.add(Block(start, end, kind))

    def finish(
        self,
        metadata: Mapping[str, str] | None = None,
        members: Iterable[Member] = (),
        warnings: Iterable[str] = (),
    ) -> Extracted:
        """What was built; metadata without a value is left out."""
        cleaned = {
            key.lower(): " ".join(_clean(value).split()) for key, value in (metadata or {}).items()
        }
        return Extracted(
            text="".join(self._pieces),
            sections=self._sections.finish(),
            places=tuple(self._places),
            metadata={key: value for key, value in cleaned.items() if value},
            members=tuple(members),
            warnings=tuple(" ".join(_clean(warning).split()) for warning in warnings),
        )

    def _append(self, text: str) -> tuple[int, int]:
        if self._pieces:
            self._pieces.append("\n\n")
            self._length += 2
        start = self._length
        for kind, value in self._pending.items():
            self._note(start, kind, value)
        self._pending = {}
        self._pieces.append(text)
        self._length += len(text)
        return start, self._length

    def _note(self, start: int, kind: PlaceKind, value: str) -> None:
        value = " ".join(_clean(value).split())
        if self._current.get(kind, "") != value:
            self._places.append(Place(start, kind, value))
            self._current[kind] = value


def _clean(text: str) -> str:
    return _UNWANTED.sub("", _LINE_END.sub("\n", text))
