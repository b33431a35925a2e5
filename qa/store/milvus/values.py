"""What a row holds, to text and back: Milvus keeps no bytes. Each value carries its own check."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from qa.store.milvus.layout import LONGEST

__all__ = ["Parts", "bytes_of", "sealed", "split", "text_of", "unsealed"]

Parts = list[tuple[str, str]]  # the id of each part's row, and what it holds
_MARK = "*"  # before the number of parts that a value was split into


def sealed(owner: str, value: object) -> str:
    """A value that JSON can hold, as text, with a check of it and of the row that it is of."""
    packed = base64.b85encode(zlib.compress(json.dumps(value).encode("utf-8"), 1)).decode("ascii")
    return f"{_check(owner, packed):08x}{packed}"


def unsealed(owner: str, text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Undo `sealed`.

    Raises:
        ValueError: it is not what was written.
    """
    known, packed = text[:8], text[8:]
    if known != f"{_check(owner, packed):08x}":
        raise ValueError(f"row {owner} fails its checksum")
    return json.loads(zlib.decompress(base64.b85decode(packed)))


def text_of(raw: bytes) -> str:
    """Bytes as JSON can hold them."""
    return base64.b64encode(raw).decode("ascii")


def bytes_of(text: str) -> bytes:
    """Undo `text_of` (ValueError)."""
    return base64.b64decode(text, validate=True)


def split(owner: str, text: str) -> tuple[str, Parts]:
    """What stands in the row itself, and the parts that stand elsewhere where it is too long."""
    if len(text) <= LONGEST:
        return text, []
    parts = [text[n : n + LONGEST] for n in range(0, len(text), LONGEST)]
    return f"{_MARK}{len(parts)}", [(part_id(owner, n), part) for n, part in enumerate(parts)]


def parts_of(owner: str, text: str) -> list[str]:
    """The ids of the parts of what was split; none where it was not."""
    return [part_id(owner, n) for n in range(int(text[1:]))] if text.startswith(_MARK) else []


def part_id(owner: str, number: int) -> str:
    """The id of a part."""
    return f"x{owner}:{number}"


def _check(owner: str, packed: str) -> int:
    return zlib.crc32(f"{owner}\0{packed}".encode("ascii"))
