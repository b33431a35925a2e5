"""E-mail (RFC 5322, MIME) and mailboxes (mbox): a message's text; what is attached are members."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.errors import MessageError
from email.generator import BytesGenerator
from email.message import Message
from io import BytesIO
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from qa.reading.dates import day
from qa.reading.detect.charsets import decoded, header_text
from qa.reading.extracted import Composer, Extracted, Member, UnreadableError
from qa.reading.reasons import ENCRYPTED_MAIL, NO_TEXT
from qa.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    Part = Message[str, str]

__all__ = ["read_mail", "read_mailbox"]

_SUFFIXES = {
    "application/json": ".json",
    "application/msword": ".doc",
    "application/pdf": ".pdf",
    "application/rtf": ".rtf",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/rtf": ".rtf",
    "text/vcard": ".vcf",
    "text/xml": ".xml",
}
_SEALS = frozenset({"pgp-encrypted", "pgp-signature", "pkcs7-signature", "x-pkcs7-signature"})
_MAX_DEPTH = 50  # parts within parts
# Of a mailbox: more would not fit into the memory that its reader has.
_MAX_MESSAGES = 100_000
_MAX_MAILBOX = 400_000_000  # bytes
_FEW_WORDS = 50  # a plain text that is shorter may only say that there is a web page
_QUOTE = re.compile(r"((?:>[ \t]?)+)(.*)")
_NAME = re.compile(r'"([^"\\]*)"(?= <)')
_ITEM = re.compile(r"\s*(?:[-*+•–]|\(?\d{1,3}[.)])\s+\S")
# A line "From ..." begins a message where the line above is blank and a header follows.
_MESSAGE = re.compile(rb"(?:\A\s*|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n(?=>?[!-9;-~]+[: ])")
_QUOTED_FROM = re.compile(rb"^>(?=>*From )", re.MULTILINE)


def read_mail(raw: bytes) -> Extracted:
    """Read one message: subject, date and sender are its heading, attachments its members.

    Of alternatives the plain text is read, unless it is much shorter than the web page beside
    it. Each level of quoting (`> `) and the signature are blocks of their own; a quoted block
    keeps its mark in front only. Images that belong to the text are not members, nor are
    signatures that only machines read.

    Raises:
        UnreadableError: it is encrypted, or there is nothing in it.
    """
    message = message_from_bytes(raw)
    metadata = _metadata(message)
    composer = Composer()
    if heading := _heading(metadata):
        composer.heading(heading, level=1)
    members: list[Member] = []
    texts = list(_texts(message, members, 0))
    for subtype, text in texts:
        if subtype == "html":
            _add_html(composer, text)
        else:
            _add_plain(composer, text.decode("utf-8").lstrip("\ufeff"))
    extracted = composer.finish(metadata, members)
    if not texts and not members and _is_encrypted(message):
        raise UnreadableError(ENCRYPTED_MAIL)
    if not extracted.sections and not members:
        raise UnreadableError(NO_TEXT)
    return extracted


def read_mailbox(raw: bytes) -> Extracted:
    """The messages of a mailbox as members (0001.eml, ...), split as mboxrd has it.

    Of one that has very many, the first; a warning then says how many.

    Raises:
        UnreadableError: no message begins in it.
    """
    members: list[Member] = []
    count = 0
    for match, after in pairwise(chain(_MESSAGE.finditer(raw), [None])):
        end = after.start() if after else len(raw)
        count += 1
        if match and count <= _MAX_MESSAGES and end <= _MAX_MAILBOX:
            message = _QUOTED_FROM.sub(b"", raw[match.end() : end])
            members.append(Member(f"{count:04d}.eml", message))
    if not count:
        raise UnreadableError("it is not a mailbox: no message begins in it")
    warnings = [f"of {count:,} messages the first {len(members):,} are indexed"]
    return Composer().finish(members=members, warnings=warnings if len(members) < count else ())


def _metadata(message: Part) -> dict[str, str]:
    names = {
        "title": "subject",
        "author": "from",
        "date": "date",
        "to": "to",
        "cc": "cc",
        "language": "content-language",
        "message-id": "message-id",
    }
    found = {}
    headers: dict[str, str] = {}
    for name, value in message.raw_items():
        headers.setdefault(name.lower(), str(value))
    for key, name in names.items():
        found[key] = header_text(headers.get(name, ""))
    found["author"] = _NAME.sub(r"\1", found["author"])
    return found


def _heading(metadata: dict[str, str]) -> str:
    about = [day(metadata.get("date", "")), metadata.get("author", "")]
    told = ", ".join(word for word in about if word)
    title = metadata.get("title", "")
    return f"{title} ({told})" if title and told else title or told


def _texts(part: Part, members: list[Member], depth: int) -> Iterator[tuple[str, bytes]]:
    """The texts to read, as `(subtype, bytes)`: plain ones in UTF-8; members are noted."""
    kind, subtype = part.get_content_maintype(), part.get_content_subtype()
    if kind == "message" and subtype in {"rfc822", "global", "news"}:
        members.append(Member(_filename(part), _attached(part)))
    elif not part.is_multipart():
        yield from _leaf(part, members)
    elif depth == _MAX_DEPTH:
        members.append(Member(_filename(part), _written(part)))
    elif subtype == "alternative":
        yield from _preferred(part, members, depth)
    else:
        for inner in _parts(part):
            yield from _texts(inner, members, depth + 1)
        if kind == "message":  # a report of delivery: headers, and no text
            yield "plain", "\n".join(_header_lines(part)).encode()


def _parts(part: Part) -> list[Part]:
    payload = part.get_payload()
    return [inner for inner in payload if isinstance(inner, Message)] if part.is_multipart() else []


def _leaf(part: Part, members: list[Member]) -> Iterator[tuple[str, bytes]]:
    kind, subtype = part.get_content_maintype(), part.get_content_subtype()
    body = _bytes(part)
    if _is_text(part, kind):
        if subtype != "html":
            yield "plain", decoded(body, _charset(part)).encode("utf-8", "replace")
        elif charset := _charset(part):
            yield "html", b"\xef\xbb\xbf" + decoded(body, charset).encode("utf-8", "replace")
        else:
            yield "html", body  # the page itself may tell its encoding
    elif not (
        not body
        or _is_inline_image(part, kind)
        or subtype in _SEALS
        or _is_enveloped(part)
        or body.lstrip().startswith(b"-----BEGIN PGP MESSAGE")
    ):
        members.append(Member(_filename(part), body))


def _preferred(part: Part, members: list[Member], depth: int) -> Iterator[tuple[str, bytes]]:
    """The plain one of alternatives, or the web page where that says much more."""
    found = [text for inner in _parts(part) for text in _texts(inner, members, depth + 1)]
    plain = [(subtype, text) for subtype, text in found if subtype != "html" and text.strip()]
    pages = [(subtype, text) for subtype, text in found if subtype == "html"]
    words = sum(len(text.split()) for _, text in plain)
    if not plain or (words < _FEW_WORDS and pages and _page_words(pages) > 2 * words + 10):
        yield from pages or plain
    else:
        yield from plain


def _page_words(pages: list[tuple[str, bytes]]) -> int:
    composer = Composer()
    for _, text in pages:
        _add_html(composer, text)
    return len(composer.finish().text.split())


def _is_text(part: Part, kind: str) -> bool:
    if part.get_content_disposition() == "attachment" or part.get_filename():
        return False
    return kind in {"text", "multipart", "message"} and part.get_content_subtype() not in {
        "calendar",
        "csv",
        "rtf",
        "vcard",
        "x-vcard",
        "xml",
    }


def _is_inline_image(part: Part, kind: str) -> bool:
    return kind == "image" and (
        part.get_content_disposition() == "inline"
        or part.get("content-id") is not None
        or part.get("content-location") is not None
    )


def _is_encrypted(message: Part) -> bool:
    return message.get_content_type() == "multipart/encrypted" or _is_enveloped(message)


def _is_enveloped(part: Part) -> bool:
    """Whether S/MIME (RFC 8551) is encrypted, and not only signed."""
    return part.get_content_subtype() in {"pkcs7-mime", "x-pkcs7-mime"} and (
        str(part.get_param("smime-type", "enveloped-data")).lower() == "enveloped-data"
    )


def _charset(part: Part) -> str:
    try:
        return part.get_content_charset() or ""
    except (LookupError, ValueError):
        return ""


def _bytes(part: Part) -> bytes:
    try:
        body = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        body = None
    if isinstance(body, bytes):
        return body
    return str(part.get_payload()).encode("ascii", "surrogateescape")


def _attached(part: Part) -> bytes:
    """The bytes of an attached message; some programs wrap it in base64 all the same."""
    parts = _parts(part)
    if not parts:
        return _bytes(part)
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "base64":
        del parts[0]["content-transfer-encoding"]
        parts[0]["content-transfer-encoding"] = "base64"
        return _bytes(parts[0])
    return _written(parts[0])


def _written(message: Part) -> bytes:
    stream = BytesIO()
    try:
        BytesGenerator(stream, mangle_from_=False, maxheaderlen=0).flatten(message)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return stream.getvalue()  # as far as it could be written
    return stream.getvalue()


def _header_lines(part: Part) -> Iterator[str]:
    for inner in _parts(part):
        for name, value in inner.raw_items():
            yield f"{name}: {header_text(str(value))}"
        yield ""


def _filename(part: Part) -> str:
    try:
        name = header_text(part.get_filename() or "")
    except (ValueError, LookupError, TypeError):
        name = ""
    name = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1]).strip(" .")
    return name or f"unnamed{_SUFFIXES.get(part.get_content_type(), '.bin')}"


def _add_plain(composer: Composer, text: str) -> None:
    """Add paragraphs; each depth of quoting, list item and the signature is a block of its own."""
    kind = BlockKind.PROSE
    lines: list[str] = []
    depth = 0

    def close() -> None:
        body = "\n".join(lines)
        if body.strip():
            composer.add(f"{'>' * depth} {body}" if depth else body, kind=kind)
        lines.clear()

    for line in re.split(r"\r\n?|\n", text):
        quote = _QUOTE.fullmatch(line)
        marks, rest = (quote[1].count(">"), quote[2]) if quote else (0, line)
        signature = line in {"-- ", "--"}
        if marks != depth or not rest.strip() or signature or _ITEM.match(rest):
            close()
        if signature:
            kind = BlockKind.LINES
        depth = marks
        if rest.strip():
            lines.append(rest.rstrip() if not signature else rest)
    close()


def _add_html(composer: Composer, page: bytes) -> None:
    """Add what a web page says, its headings below the message's."""
    from qa.reading.html import read_html

    try:
        extracted = read_html(page)
    except UnreadableError:
        return
    above: tuple[str, ...] = ()
    for section in extracted.sections:
        path = section.heading_path
        shared = next(
            (i for i, pair in enumerate(zip(above, path, strict=False)) if pair[0] != pair[1]),
            min(len(above), len(path)),
        )
        for level in range(min(shared, max(0, len(path) - 1)), len(path)):
            composer.heading(path[level], level=level + 2)
        above = path
        for block in section.blocks:
            words = extracted.text[block.start : block.end]
            if not path or words != path[-1]:  # a heading with nothing below it stands already
                composer.add(words, kind=block.kind)
