"""Outlook's messages (MSG, [MS-OXMSG]): subject, text, people, date, attachments."""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import olefile

from qa.reading.detect.charsets import decoded
from qa.reading.extracted import Composer, Member
from qa.reading.office import guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.reading.extracted import Extracted

__all__ = ["read_message"]

# Properties by their numbers in [MS-OXPROPS]. Those of a fixed length stand in one stream.
_SENT, _CREATED, _CODE_PAGE, _BODY_CODE_PAGE = 0x0039, 0x3007, 0x3FFD, 0x3FDE
_SUBJECT, _BODY, _TO = "0037", "1000", "0E04"
_SENDER_NAME, _SENDER_ADDRESS, _SENDER_ENTRY = "0C1A", "5D01", "0C1F"
_LONG_NAME, _SHORT_NAME = "3707", "3704"
_DATA = "__substg1.0_37010102"
_NUMBER, _TIME = 0x0003, 0x0040  # types; a time is in 100 ns since 1601
_HEADER = 32  # bytes of the properties' stream before the first
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
# Code pages that Python doesn't know by their numbers.
_CODE_PAGES = {
    20866: "koi8-r",
    21866: "koi8-u",
    50220: "iso2022_jp",
    50221: "iso2022_jp_ext",
    50222: "iso2022_jp_ext",
    50225: "iso2022_kr",
    51932: "euc_jp",
    51936: "gb2312",
    51949: "euc_kr",
    54936: "gb18030",
    65000: "utf-7",
    **{28590 + part: f"iso8859-{part}" for part in (*range(1, 10), 13, 15)},
}


@guarded
def read_message(raw: bytes) -> Extracted:
    """Read a message; files attached to it are members, messages attached to it are left out.

    Raises:
        UnreadableError: not a message, damaged, or without text.
    """
    message = _Message(raw)
    subject = message.text(_SUBJECT)
    composer = Composer()
    composer.heading(subject, level=1)
    body = message.text(_BODY, code_page=message.body_code_page)
    for paragraph in re.split(r"\n[ \t]*\n", body.replace("\r\n", "\n")):
        composer.add(paragraph)
    metadata = {
        "title": subject,
        "author": message.sender(),
        "to": message.text(_TO),
        "date": message.sent(),
    }
    return composer.finish(metadata, message.attachments())


class _Message:
    """The streams of a message, by the numbers of their properties."""

    def __init__(self, raw: bytes) -> None:
        self._file = olefile.OleFileIO(BytesIO(raw))
        data = self._file.openstream("__properties_version1.0").read()
        whole = (len(data) - _HEADER) // 16 * 16
        self._fixed = {
            (kind, number): value
            for kind, number, _, value in struct.iter_unpack("<HHIQ", data[_HEADER:][:whole])
        }
        body, own = (
            self._fixed.get((_NUMBER, name), 0) & 0xFFFFFFFF
            for name in (_BODY_CODE_PAGE, _CODE_PAGE)
        )
        self._code_page, self.body_code_page = own or body, body or own

    def text(self, number: str, folder: str = "", *, code_page: int = 0) -> str:
        """A property that is text; "" where the message doesn't have it."""
        path = [*filter(None, [folder]), f"__substg1.0_{number}"]
        if text := self._stream(path, "001F").decode("utf-16-le", "replace").strip("\0 \r\n\t"):
            return text
        data = self._stream(path, "001E").rstrip(b"\0")
        page = code_page or self._code_page
        return decoded(data, _CODE_PAGES.get(page, f"cp{page}")).strip() if data else ""

    def sender(self) -> str:
        """The sender as mail programs show it: `Name <address>`."""
        name, address = self.text(_SENDER_NAME), self.text(_SENDER_ADDRESS)
        if name and address and name != address:
            return f"{name} <{address}>"
        return name or address or self.text(_SENDER_ENTRY)

    def sent(self) -> str:
        """When it was sent, or else made, in ISO 8601; "" where it doesn't say."""
        value = self._fixed.get((_TIME, _SENT)) or self._fixed.get((_TIME, _CREATED))
        try:
            return (_EPOCH + timedelta(microseconds=value // 10)).isoformat() if value else ""
        except OverflowError:
            return ""

    def attachments(self) -> Iterator[Member]:
        """The files attached."""
        for folder, *path in self._file.listdir():
            if path == [_DATA] and folder.startswith("__attach_version1.0_"):
                name = self.text(_LONG_NAME, folder) or self.text(_SHORT_NAME, folder)
                yield Member(name or folder, self._stream([folder, _DATA]))

    def _stream(self, path: list[str], kind: str = "") -> bytes:
        *folders, name = path
        path = [*folders, name + kind]
        return bytes(self._file.openstream(path).read()) if self._file.exists(path) else b""
