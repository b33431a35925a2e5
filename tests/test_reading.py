"""Reading: encodings, offsets, headings, and what is left out."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.corpus import FolderCorpus, PairCorpus
from qa.corpus.walking import is_settled
from qa.errors import CorpusNotFoundError, SettingsError, UnreadableDocumentError
from qa.reading.detect.decoding import LineIndex, UndecodableError, byte_offsets, decode
from qa.reading.files import read_file
from qa.reading.text.markdown import read_markdown
from qa.reading.text.plain import read_plain
from strategies import TEXTS

if TYPE_CHECKING:
    from pathlib import Path

    from qa.reading.sandbox.budget import Budget

GERMAN = "Die Größe der Straße überrascht Jürgen: fünf Meter, und die Häuser stehen schräg."
RUSSIAN = "Россия и Северная Корея заключили договор о стратегическом партнёрстве в июне."


def no_converter(kind: str, raw: bytes, budget: Budget) -> NoReturn:
    raise AssertionError(f"{kind} was taken for a converted format")


def headings(text: str) -> list[tuple[str, ...]]:
    return [section.heading_path for section in read_markdown(text)[0]]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "ascii"]
)
def test_text_in_any_unicode_encoding_is_read_exactly(encoding: str) -> None:
    text = "A plain line.\r\nAnother — no.\n" if encoding != "ascii" else "plain\r\n"
    decoded, told = decode(text.encode(encoding))
    assert decoded == text
    assert text.encode(encoding).decode(told) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(GERMAN, "cp1252"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r")],
)
def test_legacy_encodings_are_detected(text: str, encoding: str) -> None:
    assert decode((text * 3).encode(encoding))[0] == text * 3


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(256)) * 9])
def test_binary_bytes_are_refused(raw: bytes) -> None:
    assert read_file("image.txt", raw, no_converter).problems.keys() == {"image.txt"}


@pytest.mark.parametrize(
    "text", ["A stray \0 in a text of some length — no more.", "\0" + GERMAN, GERMAN * 400 + "\0"]
)
def test_a_few_nuls_in_utf8_cost_no_text_and_shift_no_offset(text: str) -> None:
    raw = text.encode()
    assert decode(raw) == (text, "utf-8")
    assert byte_offsets(raw, text, "utf-8", [len(text)]) == [len(raw)]


@pytest.mark.parametrize(
    "raw",
    [
        b"\0",
        b"ab\0",
        b"a\0b\0c\0 " * 99,
        b"A stray \0 beside \x01 and \x02 in a text of some length.",
        "Größe \0 in an older encoding, and so it stays.".encode("cp1252"),
        bytes(8000),
    ],
)
def test_what_has_many_nuls_or_other_controls_is_binary(raw: bytes) -> None:
    with pytest.raises(UndecodableError, match="^binary$"):
        decode(raw)


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"])
def test_wide_text_without_a_mark_is_told_by_its_nuls(encoding: str) -> None:
    text = "A plain line, \U00010330 and another.\r\n"
    raw = text.encode(encoding)
    assert decode(raw) == (text, encoding)
    start, end = byte_offsets(raw, text, encoding, [14, 15])
    assert raw[start:end].decode(encoding) == "\U00010330"


@given(
    TEXTS,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "iso2022_jp"]),
    st.data(),
)
def test_byte_offsets_cut_the_bytes_where_characters_cut_the_text(
    text: str, encoding: str, data: st.DataObject
) -> None:
    raw = text.encode(encoding, "ignore")
    text = raw.decode(encoding)
    positions = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    start, end = byte_offsets(raw, text, encoding, positions)
    assert 0 <= start <= end <= len(raw)
    if encoding not in {"iso2022_jp", "utf-16", "utf-32", "utf-8-sig"}:
        assert raw[start:end].decode(encoding) == text[positions[0] : positions[1]]
    whole = byte_offsets(raw, text, encoding, [len(text)])
    assert whole == [len(raw)]


@given(TEXTS)
def test_lines_are_counted_as_editors_count_them(text: str) -> None:
    index = LineIndex(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert len(index.starts) == len(lines)
    for number, line in enumerate(lines, 1):
        start = index.start(number)
        assert text[start : start + len(line)] == line
        assert index.line(start) == number


def test_atx_and_setext_headings_make_nested_paths() -> None:
    text = "Title\n=====\n\nintro\n\n## One ##\n\na\n\n### Deep\n\nb\n\nTwo\n---\n\nc\n"
    assert headings(text) == [
        ("Title",),
        ("Title", "One"),
        ("Title", "One", "Deep"),
        ("Title", "Two"),
    ]


def test_a_heading_mark_inside_a_code_fence_is_code() -> None:
    text = "# Title\n\n```sh\n# not a heading\necho\n```\n\n~~~\n## nor this\n~~~\n"
    assert headings(text) == [("Title",)]


def test_front_matter_is_metadata_and_not_body() -> None:
    text = "---\ntitle: Moon\ntags: [a, b]\n---\n# Moon\n\nBody.\n"
    sections, metadata = read_markdown(text)
    assert metadata == {"title": "Moon", "tags": "a, b"}
    assert [text[b.start : b.end] for s in sections for b in s.blocks] == ["Body."]


def test_front_matter_that_does_not_parse_stays_body() -> None:
    text = "---\n: [\n---\nBody.\n"
    sections, metadata = read_markdown(text)
    assert metadata == {}
    assert sections


def test_list_items_and_tables_are_blocks() -> None:
    text = "Intro:\n\n1. one\n   more\n2. two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    blocks = [text[b.start : b.end] for s in read_markdown(text)[0] for b in s.blocks]
    assert blocks == ["Intro:", "1. one\n   more", "2. two", "| a | b |\n|---|---|\n| 1 | 2 |"]


def test_a_short_line_alone_without_a_full_stop_is_a_heading_in_plain_text() -> None:
    text = "The Title\n\nFirst.\n\nPart One\n\nBody here.\n\nNot a heading.\n\nMore.\n"
    assert [s.heading_path for s in read_plain(text)[0]] == [
        ("The Title",),
        ("The Title", "Part One"),
    ]


def test_short_lines_that_no_body_follows_are_kept_as_text() -> None:
    text = "Milk\n\nEggs\n\nFlour\n\nButter\n"
    sections = read_plain(text)[0]
    assert [text[b.start : b.end] for s in sections for b in s.blocks] == [
        "Milk",
        "Eggs",
        "Flour",
        "Butter",
    ]


def corpus_of(path: Path, size: int = 1000) -> FolderCorpus:
    return FolderCorpus(path, max_file_size=size)


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    (root / ".git").mkdir(parents=True)
    (root / ".hidden.txt").write_text("x")
    (root / "big.txt").write_text("x" * 2000)
    (root / "song.mp3").write_bytes(b"ID3")
    (root / ".gitignore").write_text("*.log\nbuild/\n")
    (root / "a.log").write_text("x")
    (root / "build").mkdir()
    (root / "build" / "b.txt").write_text("x")
    (root / "sub").mkdir()
    (root / "sub" / ".qaignore").write_text("draft*\n!draft-final.txt\n")
    (root / "sub" / "draft1.txt").write_text("x")
    (root / "sub" / "draft-final.txt").write_text("x")
    scan = corpus_of(root).scan()
    assert list(scan.stamps) == ["sub/draft-final.txt"]
    assert scan.left_out == {
        "hidden": 2,
        "too large": 1,
        "format not supported": 1,
        "ignored": 3,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_that_lead_outside_are_not_followed_and_loops_end(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("x")
    (root / "in.txt").write_text("x")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "same.txt").symlink_to(root / "in.txt")
    (root / "up").symlink_to(root)
    (root / "broken.txt").symlink_to(root / "nothing")
    corpus = corpus_of(root)
    scan = corpus.scan()
    assert list(scan.stamps) == ["in.txt", "same.txt"]
    assert scan.left_out == {
        "link to outside": 1,
        "link to a folder above it": 1,
        "broken link": 1,
    }
    with pytest.raises(UnreadableDocumentError):
        corpus.read("out.txt")
    with pytest.raises(UnreadableDocumentError):
        corpus.read("../secret.txt")


def test_a_single_file_is_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("Hello there.")
    (tmp_path / "two.txt").write_text("Other.")
    corpus = corpus_of(tmp_path / "one.txt")
    assert list(corpus.scan().stamps) == ["one.txt"]
    assert corpus.read("one.txt").documents[0].text == "Hello there."


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match="nowhere"):
        corpus_of(tmp_path / "nowhere").scan()


def test_pairs_keep_their_text_to_the_character() -> None:
    text = "\ufeffA\x00 text.\r\n\r\nWith \x07 anything.\n"
    assert PairCorpus([("a", text)]).read("a").documents[0].text == text


@pytest.mark.parametrize("pairs", [[("a", "x"), ("a", "y")], [("", "x")], [("a", "\ud800")]])
def test_pairs_that_can_not_be_documents_are_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(SettingsError):
        PairCorpus(pairs)


def test_a_file_changed_moments_before_it_was_read_is_not_trusted() -> None:
    stamp = (1, 10_000_000_000, 10_000_000_000, 1)
    assert not is_settled(stamp, 11_000_000_000)
    assert is_settled(stamp, 13_000_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_file_name_that_is_not_utf8_is_left_out(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(name, "w") as stream:  # noqa: PTH123 - a path of bytes
        stream.write("x")
    (tmp_path / "odd\nname: 3.txt").write_text("x")
    scan = corpus_of(tmp_path).scan()
    assert list(scan.stamps) == ["odd\nname: 3.txt"]
    assert scan.left_out == {"name is not UTF-8": 1}


SENTENCES = (
    "The harbour of the town has nine cranes, each of which lifts forty tonnes from the ships that "
    "call there twice a week. Most of them were built before the war, and nobody has replaced them "
    "since. The council wants to buy two new ones. They would be paid for by the fees that ships "
    "pay for each day in the harbour. The vote is in June."
)


def test_half_sentences_of_a_text_with_blank_lines_between_all_lines_are_no_headings() -> None:
    lines = textwrap.wrap(SENTENCES, 40)
    text = "The harbour report\n\n" + "\n\n".join(lines) + "\n"
    sections, _ = read_plain(text)
    assert {section.heading_path for section in sections} <= {(), ("The harbour report",)}
    blocks = [text[one.start : one.end] for section in sections for one in section.blocks]
    assert any("nine cranes" in block and "twice a week" in block for block in blocks)
    assert not any(block[:1].islower() for block in blocks)


@given(st.lists(st.sampled_from(["and so on", "So it is", "It ends.", "a\nb", ""]), max_size=40))
def test_no_text_is_lost_where_lines_are_put_together(lines: list[str]) -> None:
    text = "\n\n".join(lines)
    sections, _ = read_plain(text)
    kept = [text[one.start : one.end] for section in sections for one in section.blocks]
    said = " ".join([*kept, *(" ".join(section.heading_path) for section in sections)])
    assert set(text.split()) == set(said.split())
