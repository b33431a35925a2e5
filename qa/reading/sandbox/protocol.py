"""What a reader extracted, between processes: a line of JSON, then the bytes of the members."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qa.reading.extracted import Extracted, Member
from qa.types import Block, BlockKind, Place, PlaceKind, Section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = ["OUT_OF_MEMORY", "WRONG", "Picture", "pack", "pack_unreadable", "unpack"]

OUT_OF_MEMORY = "reading it takes too much memory"
# What reading JSON raises that is not what `pack` writes.
WRONG = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def pack(extracted: Extracted) -> bytes:
    """Write it down."""
    head = json.dumps(
        {
            "text": extracted.text,
            "sections": [
                [section.heading_path, [[b.start, b.end, b.kind] for b in section.blocks]]
                for section in extracted.sections
            ],
            "places": extracted.places,
            "metadata": dict(extracted.metadata),
            "members": [[member.name, len(member.raw)] for member in extracted.members],
            "warnings": extracted.warnings,
        },
        ensure_ascii=False,
    )
    members = (member.raw for member in extracted.members)
    return b"".join((head.encode("utf-8", "surrogatepass"), b"\n", *members))


def pack_unreadable(reason: str) -> bytes:
    """Write down why a file can't be read."""
    return json.dumps({"unreadable": reason}).encode()


def unpack(packed: bytes) -> Extracted | str:
    """Read what either wrote; the writer may be a parser gone wild, so nothing is trusted.

    Returns:
        What was extracted, or why nothing was.

    Raises:
        Exception: of `WRONG`; it is nothing that `pack` writes.
    """
    end = packed.find(b"\n") + 1 or len(packed)
    value: dict[str, Any] = json.loads(packed[:end])
    if "unreadable" in value:
        return str(value["unreadable"])
    text = str(value["text"])
    text.encode()  # halves of surrogate pairs can't be kept
    sections = tuple(
        Section(
            tuple(map(str, path)),
            tuple(Block(int(start), int(end), BlockKind(kind)) for start, end, kind in blocks),
        )
        for path, blocks in value["sections"]
    )
    places = tuple(
        Place(int(start), PlaceKind(kind), str(name)) for start, kind, name in value["places"]
    )
    _check(text, sections, places)
    metadata = {str(key): str(one) for key, one in value["metadata"].items()}
    members = tuple(_members(value["members"], packed, end))
    warnings = tuple(map(str, value["warnings"]))
    "".join(warnings).encode()
    return Extracted(text, sections, places, metadata, members, warnings)


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as a PNG, and for each quote its boxes: left, top, right and bottom by share."""

    png: bytes
    width: int
    height: int
    boxes: tuple[tuple[tuple[float, float, float, float], ...], ...]

    @classmethod
    def of(cls, extracted: Extracted, quotes: int) -> Self:
        """Read what `qa.reading.pdf.picture` gave; nothing of it is trusted.

        Raises:
            Exception: of `WRONG`; it is nothing that it gives.
        """
        (member,) = extracted.members
        told = json.loads(extracted.text)
        boxes = tuple(tuple(_box(*box) for box in each) for each in told["boxes"])
        width, height = int(told["width"]), int(told["height"])
        is_png = member.raw.startswith(b"\x89PNG") and min(width, height) > 0
        if not is_png or len(boxes) != quotes:
            raise ValueError("not the picture that was asked for")
        return cls(member.raw, width, height, boxes)


def _box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    if math.isnan(left + top + right + bottom):
        raise ValueError("a box that is nowhere")
    box = tuple(min(max(float(side), 0.0), 1.0) for side in (left, top, right, bottom))
    return box[0], box[1], box[2], box[3]


def _members(named: list[Any], packed: bytes, at: int) -> Iterator[Member]:
    for name, size in named:
        if not 0 <= size <= len(packed) - at:
            raise ValueError("members longer than they are")
        yield Member(str(name), packed[at : at + size])
        at += size
    if at != len(packed):
        raise ValueError("more than was named")


def _check(text: str, sections: tuple[Section, ...], places: tuple[Place, ...]) -> None:
    at = 0
    for block in (block for section in sections for block in section.blocks):
        if not at <= block.start < block.end <= len(text):
            raise ValueError("blocks out of order")
        at = block.end
    starts = [place.start for place in places]
    if starts != sorted(starts) or any(not 0 <= start <= len(text) for start in starts):
        raise ValueError("places out of order")
