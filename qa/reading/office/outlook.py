"""What markitdown leaves out of Outlook's messages: sender's name, date, attachments."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import olefile

from qa.reading.extracted import Member

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["attachments", "sender", "sent"]

# Properties of a message, by their numbers in [MS-OXPROPS].
_SENT, _CREATED = 0x0039, 0x3007
_LONG_NAME, _SHORT_NAME, _SENDER_NAME, _SENDER_ADDRESS = "3707", "3704", "0C1A", "5D01"
_DATA = "__substg1.0_37010102"
_TIME = 0x0040  # a property's type: 100 ns since 1601
_HEADER = 32  # bytes of the properties' stream before the first
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def sent(raw: bytes) -> str:
    """Give when a message was sent, or else made, in ISO 8601; "" where it doesn't say."""
    message = olefile.OleFileIO(BytesIO(raw))
    data = message.openstream("__properties_version1.0").read()
    whole = (len(data) - _HEADER) // 16 * 16
    times = {
        number: value
        for kind, number, _, value in struct.iter_unpack("<HHIQ", data[_HEADER : _HEADER + whole])
        if kind == _TIME
    }
    value = times.get(_SENT) or times.get(_CREATED)
    try:
        return (_EPOCH + timedelta(microseconds=value // 10)).isoformat() if value else ""
    except OverflowError:
        return ""


def sender(raw: bytes) -> str:
    """Give the sender as mail programs show it: `Name <address>`; "" where it doesn't say."""
    message = olefile.OleFileIO(BytesIO(raw))
    name, address = (_text(message, [], number) for number in (_SENDER_NAME, _SENDER_ADDRESS))
    return f"{name} <{address}>" if name and address and name != address else name or address


def attachments(raw: bytes) -> Iterator[Member]:
    """Give the files attached; messages attached to a message are left out."""
    message = olefile.OleFileIO(BytesIO(raw))
    for path in message.listdir():
        folder = path[0]
        if path[1:] != [_DATA] or not folder.startswith("__attach_version1.0_"):
            continue
        name = _text(message, [folder], _LONG_NAME) or _text(message, [folder], _SHORT_NAME)
        yield Member(name or folder, message.openstream(path).read())


def _text(message: olefile.OleFileIO, folder: list[str], number: str) -> str:
    for kind, encoding in (("001F", "utf-16-le"), ("001E", "cp1252")):
        path = [*folder, f"__substg1.0_{number}{kind}"]
        if message.exists(path):
            return str(message.openstream(path).read().decode(encoding, "replace").strip("\0 "))
    return ""
