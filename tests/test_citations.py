"""Citations: exact, verified, and found again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa.assistant import Assistant
from qa.errors import CitationError
from strategies import TEXTS

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252"]
BODY = (
    "# Überschrift\r\n\r\nDie Straße heißt „Grüner Weg“ – seit 1912.\rZweite Zeile.\r\n\r\n"
    "Ende, schön.\r\n"
)
PAGE = (
    "<html><body><h2 id='one'>One</h2><p>First text.</p><p>More of it.</p>"
    "<h2 id='two'>Two</h2><p>Second text.</p></body></html>"
)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_offset_of_a_citation_leads_to_its_quote(
    tmp_path: Path, cache: Path, encoding: str
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    raw = (BODY * 3).encode(encoding)
    (corpus / "weg.md").write_bytes(raw)
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as assistant:
        answer = assistant.ask("Wie heißt die Straße seit 1912?", threshold=0)
    assert answer.answered
    for passage in answer.passages:
        for one in (passage.citation, passage.evidence.citation):
            assert raw.decode(one.encoding)[one.start : one.end] == one.quote
            piece = raw[one.start_byte : one.end_byte]
            plain = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(one.encoding, one.encoding)
            assert piece.decode(plain) == one.quote
            lines = raw.decode(one.encoding).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            first = one.quote.replace("\r\n", "\n").replace("\r", "\n").split("\n")[0]
            assert first in lines[one.start_line - 1]
            assert one.sha256 == hashlib.sha256(raw).hexdigest()
        assert passage.citation.heading_path == ("Überschrift",)
        inside = passage.citation
        assert inside.start <= passage.evidence.citation.start
        assert passage.evidence.citation.end <= inside.end


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(TEXTS, min_size=6, max_size=6))
def test_quotes_of_any_text_are_its_slices(texts: list[str], cache: Path) -> None:
    pairs = {f"{n}.md": f"{text}\n\nwhales sing\n" for n, text in enumerate(texts)}
    with Assistant(documents=pairs.items(), cache=str(cache)) as assistant:
        for passage in assistant.ask("whales", k=120).passages:
            one = passage.citation
            assert pairs[one.document][one.start : one.end] == one.quote
            assert passage.evidence.citation.quote in one.quote


def test_a_citation_is_shown_in_its_surroundings(assistant: Assistant) -> None:
    shown = assistant.show("moon.md:3", context=2)
    assert shown.citation.quote.startswith("The Moon orbits")
    assert shown.citation.heading_path == ("The Moon",)
    assert shown.before == "# The Moon\n\n"
    assert shown.after.startswith("\n\n## Landing")


def test_the_citation_of_an_answer_can_be_shown(assistant: Assistant) -> None:
    one = assistant.ask("Who set foot on the Moon?").passages[0].citation
    assert one.quote in assistant.show(str(one)).citation.quote
    place = f"{one.document}#char={one.start},{one.end}"
    assert assistant.show(place).citation == one


@pytest.mark.parametrize(
    "citation",
    [
        "",
        "nothing.md:3",
        "moon.md:0",
        "moon.md:99",
        "moon.md:5-2",
        "moon.md#char=5,99999",
        "../x:1",
        "moon.md:99999999999999999999999999",
        f"moon.md:{'9' * 5000}",
        f"moon.md:1-{'9' * 5000}",
        f"moon.md#char=1,{'9' * 5000}",
        "page.html#three",
        "page.html#page=1",
    ],
)
def test_a_citation_that_names_nothing_is_refused(
    assistant: Assistant, corpus: Path, citation: str
) -> None:
    (corpus / "page.html").write_text(PAGE)
    with pytest.raises(CitationError):
        assistant.show(citation)


def test_a_colon_in_a_file_name_is_no_line_number(assistant: Assistant, corpus: Path) -> None:
    (corpus / "a:7").write_text("Only one line.")
    assert assistant.show("a:7").citation.quote == "Only one line."
    assert assistant.show("a:7:1").citation.quote == "Only one line."


def test_cited_lines_are_shown_whole_and_no_others(assistant: Assistant, corpus: Path) -> None:
    (corpus / "lines.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\n")
    shown = assistant.show("lines.txt:3-4", context=1)
    assert (shown.before, shown.citation.quote, shown.after) == ("two\n", "three\nfour", "\nfive\n")
    assert (shown.citation.start_line, shown.citation.end_line) == (3, 4)
    assert (shown.citation.label, shown.citation.anchor, shown.citation.page) == ("", "", None)


def test_an_anchor_ends_where_the_next_begins(assistant: Assistant, corpus: Path) -> None:
    (corpus / "page.html").write_text(PAGE)
    first = assistant.show("page.html#one").citation
    assert first.quote.split() == "One First text. More of it.".split()
    assert (first.anchor, first.start_byte, first.encoding) == ("one", None, "")
    second = assistant.show("page.html#two").citation
    assert second.quote.split() == "Two Second text.".split()


def test_headings_hold_for_all_paragraphs_of_their_section_and_not_behind_it(
    assistant: Assistant, corpus: Path
) -> None:
    (corpus / "two.md").write_text("# A\n\nOne.\n\nTwo.\n\n# B\n\nThree.\n")

    def headings(position: int) -> tuple[str, ...]:
        place = f"two.md#char={position},{position}"
        return assistant.show(place).citation.heading_path

    first, end = 5, 15
    assert [headings(at) for at in (first, end - 1, end)] == [("A",), ("A",), ()]
