"""What a reader extracted, as JSON between processes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

from qa.reading.extracted import Extracted, Member
from qa.types import Block, BlockKind, Place, PlaceKind, Section

__all__ = ["OUT_OF_MEMORY", "pack", "pack_unreadable", "unpack"]

OUT_OF_MEMORY = "reading it takes too much memory"


def pack(extracted: Extracted) -> bytes:
    """Write it down."""
    return json.dumps(
        {
            "text": extracted.text,
            "sections": [
                [one.heading_path, [[b.start, b.end, b.kind] for b in one.blocks]]
                for one in extracted.sections
            ],
            "places": extracted.places,
            "metadata": dict(extracted.metadata),
            "members": [[one.name, b64encode(one.raw).decode()] for one in extracted.members],
            "warnings": extracted.warnings,
        },
        ensure_ascii=False,
    ).encode("utf-8", "surrogatepass")


def pack_unreadable(reason: str) -> bytes:
    """Write down why a file can't be read."""
    return json.dumps({"unreadable": reason}).encode()


def unpack(packed: bytes) -> Extracted | str:
    """Read what either wrote; the writer may be a parser gone wild, so nothing is trusted.

    Returns:
        What was extracted, or why nothing was.

    Raises:
        ValueError, LookupError, TypeError: nothing that `pack` writes.
    """
    value: dict[str, Any] = json.loads(packed)
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
    members = tuple(Member(str(name), b64decode(raw)) for name, raw in value["members"])
    warnings = tuple(map(str, value["warnings"]))
    "".join(warnings).encode()
    return Extracted(text, sections, places, metadata, members, warnings)


def _check(text: str, sections: tuple[Section, ...], places: tuple[Place, ...]) -> None:
    at = 0
    for block in (block for section in sections for block in section.blocks):
        if not at <= block.start < block.end <= len(text):
            raise ValueError("blocks out of order")
        at = block.end
    starts = [place.start for place in places]
    if starts != sorted(starts) or any(not 0 <= start <= len(text) for start in starts):
        raise ValueError("places out of order")
