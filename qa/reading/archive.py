"""ZIP archives that documents come in (OOXML, ODF, EPUB), opened with a guard against bombs."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO

from qa.reading.extracted import UnreadableError
from qa.reading.reasons import ENCRYPTED, before_2007

__all__ = [
    "MAX_MEMBER",
    "MAX_MEMBERS",
    "MAX_TOTAL",
    "open_archive",
    "read_member",
]

MAX_MEMBERS = 20_000
MAX_MEMBER = 128 * 2**20  # bytes, unpacked
MAX_TOTAL = 512 * 2**20  # bytes, unpacked
_MAX_RATIO = 200  # unpacked to packed; text in XML seldom reaches 50
_RATIO_MATTERS = 32 * 2**20  # bytes, unpacked: below, a blank picture may well have a higher one

_ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a member's flags: its data, strongly, the directory
# An encrypted OOXML file is wrapped into a compound file, the container of older formats.
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_LOCAL_HEADER = 30  # bytes, without the name
# Other methods are not used by any of the formats, and zipfile unpacks them without a limit.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def open_archive(raw: bytes) -> zipfile.ZipFile:
    """Open an archive of which no member is larger, unpacked, than the limits here allow.

    Nothing is unpacked yet. Names are only ever looked up, never made into files, so that
    those with `..` or a drive in them do no harm.

    Raises:
        UnreadableError: not an archive, or encrypted, or over a limit, which is named.
    """
    if raw.startswith(_COMPOUND_FILE):
        encrypted = _ENCRYPTED_PACKAGE in raw
        raise UnreadableError(ENCRYPTED if encrypted else before_2007("Office", "a newer one"))
    try:
        archive = zipfile.ZipFile(BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
        raise UnreadableError("a damaged archive") from error
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise UnreadableError(f"an archive of {len(members)} members; the limit is {MAX_MEMBERS}")
    if len({member.filename for member in members}) < len(members):
        raise UnreadableError("an archive with two members of one name")
    total = 0
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise UnreadableError(ENCRYPTED)
        if member.compress_type not in _METHODS:
            raise UnreadableError("an archive packed in a way that documents don't use")
        if member.file_size > MAX_MEMBER:
            raise UnreadableError(_over("a member", member.file_size, MAX_MEMBER))
        total += member.file_size
    if total > MAX_TOTAL:
        raise UnreadableError(_over("an archive", total, MAX_TOTAL))
    if total > max(_RATIO_MATTERS, _MAX_RATIO * len(raw)):
        raise UnreadableError(
            f"an archive that unpacks to {total // len(raw)} times its size; "
            f"the limit is {_MAX_RATIO}"
        )
    _check_overlap(members, end=len(raw))
    return archive


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Unpack one member of an archive from `open_archive`.

    Never more is unpacked than the archive's directory says, which `open_archive` checked.

    Raises:
        KeyError: there is no such member.
        UnreadableError: it is damaged, or larger than the directory says.
    """
    member = archive.getinfo(name)
    try:
        with archive.open(member) as stream:
            data = stream.read(member.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise UnreadableError(f"a damaged archive: {name} can't be unpacked") from error
    if len(data) != member.file_size:
        raise UnreadableError(f"a damaged archive: {name} is cut off")
    return data


def _check_overlap(members: list[zipfile.ZipInfo], *, end: int) -> None:
    """Refuse members that share their packed data: a small file that unpacks without end."""
    last = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset < last:
            raise UnreadableError("an archive whose members overlap")
        last = member.header_offset + _LOCAL_HEADER + member.compress_size
    if last > end:
        raise UnreadableError("a damaged archive: it is cut off")


def _over(what: str, size: int, limit: int) -> str:
    return f"{what} of {size / 2**20:.0f} MB unpacked; the limit is {limit // 2**20} MB"
