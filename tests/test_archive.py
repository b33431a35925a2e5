"""Archives: what is whole is unpacked, and what was made to do harm is refused in words."""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO

import pytest

from qa.reading import archive as module
from qa.reading.archive import open_archive, read_member
from qa.reading.extracted import UnreadableError


def pack(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            # No time: a test's name has these bytes.
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def claim_size(raw: bytes, *, size: int, crc: int) -> bytes:
    """Write another unpacked size and checksum into both headers of the only member."""
    changed = bytearray(raw)
    local, central = raw.index(b"PK\x03\x04"), raw.index(b"PK\x01\x02")
    for at in (local + 14, central + 16):
        struct.pack_into("<I", changed, at, crc)
    for at in (local + 22, central + 24):
        struct.pack_into("<I", changed, at, size)
    return bytes(changed)


def test_members_come_out_as_they_went_in() -> None:
    content = {"one.xml": b"<one/>", "deep/two.xml": b"<two>\xc3\xa4</two>" * 1000}
    archive = open_archive(pack(content))
    assert {name: read_member(archive, name) for name in archive.namelist()} == content


def test_a_highly_regular_member_of_usual_size_is_unpacked() -> None:
    blank = bytes(8 * 2**20)
    assert read_member(open_archive(pack({"blank.bmp": blank})), "blank.bmp") == blank


def test_a_member_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        read_member(open_archive(pack({"a": b"a"})), "b")


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"no archive", pack({"a": b"a" * 99})[:-30]])
def test_what_is_no_archive_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        open_archive(raw)


def test_zeros_that_unpack_to_a_thousand_times_are_refused_by_their_ratio() -> None:
    with pytest.raises(UnreadableError, match="times its size; the limit is 200"):
        open_archive(pack({f"{n}.xml": bytes(20 * 2**20) for n in range(2)}))


def test_a_member_over_the_limit_is_refused() -> None:
    raw = pack({"sheet.xml": bytes(module.MAX_MEMBER + 1)})
    with pytest.raises(UnreadableError, match="a member of 128 MB unpacked; the limit is 128 MB"):
        open_archive(raw)


def test_many_members_that_are_too_much_together_are_refused() -> None:
    raw = bytearray(pack(dict.fromkeys("abcde", b"")))
    at = raw.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<I", raw, at + 24, module.MAX_MEMBER)
        at = raw.find(b"PK\x01\x02", at + 1)
    with pytest.raises(UnreadableError, match="an archive of 640 MB unpacked; the limit is 512"):
        open_archive(bytes(raw))


def test_too_many_members_are_refused() -> None:
    raw = pack({str(n): b"" for n in range(module.MAX_MEMBERS + 1)}, method=zipfile.ZIP_STORED)
    with pytest.raises(UnreadableError, match=r"20001 members; the limit is 20000"):
        open_archive(raw)


def test_no_more_is_unpacked_than_the_header_says() -> None:
    bomb = bytes(64 * 2**20)
    lying = claim_size(pack({"a.xml": bomb}), size=10, crc=zlib.crc32(bomb))
    with pytest.raises(UnreadableError, match=r"a\.xml can't be unpacked"):
        read_member(open_archive(lying), "a.xml")
    well_lying = claim_size(pack({"a.xml": bomb}), size=10, crc=zlib.crc32(bytes(10)))
    assert read_member(open_archive(well_lying), "a.xml") == bytes(10)


def test_a_member_shorter_than_its_header_says_is_refused() -> None:
    raw = claim_size(pack({"a.xml": b"short"}), size=5000, crc=zlib.crc32(b"short"))
    with pytest.raises(UnreadableError, match=r"a\.xml"):
        read_member(open_archive(raw), "a.xml")


def test_members_that_share_their_data_are_refused() -> None:
    raw = bytearray(pack({"a.xml": b"<a/>" * 500, "b.xml": b"<b/>" * 500}))
    second = raw.rindex(b"PK\x01\x02")
    struct.pack_into("<I", raw, second + 42, 0)  # the second member begins where the first does
    with pytest.raises(UnreadableError, match="overlap"):
        open_archive(bytes(raw))


def test_an_encrypted_member_is_named_as_such() -> None:
    raw = bytearray(pack({"a.xml": b"<a/>"}))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableError, match="encrypted"):
        open_archive(bytes(raw))


def test_an_encrypted_office_file_is_named_as_such() -> None:
    compound = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500)
    with pytest.raises(UnreadableError, match="encrypted"):
        open_archive(compound + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(UnreadableError, match="before 2007"):
        open_archive(compound)


def test_two_members_of_one_name_are_refused() -> None:
    raw = pack({"a.xml": b"<a/>", "b.xml": b"<b/>"}).replace(b"b.xml", b"a.xml")
    with pytest.raises(UnreadableError, match="two members of one name"):
        open_archive(raw)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_limit_are_refused(method: int) -> None:
    with pytest.raises(UnreadableError, match="packed in a way"):
        open_archive(pack({"a.xml": bytes(100)}, method=method))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/absolute.xml", "C:\\a.xml"])
def test_names_that_point_elsewhere_are_only_names(name: str) -> None:
    assert read_member(open_archive(pack({name: b"text"})), name) == b"text"
