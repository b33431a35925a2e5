"""Splitting: laws that hold for any text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa.reading.extracted import Composer
from qa.reading.formats import read_text
from qa.splitting.passages import embedded_text, split
from qa.splitting.sentences import sentences_of
from qa.types import Block, BlockKind, Document, PlaceKind
from strategies import TEXTS

if TYPE_CHECKING:
    from pathlib import Path

    from qa.encoding.encoder import Encoder, Runtime
    from qa.types import Passage

LAW = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def document_of(text: str, name: str = "a.md") -> Document:
    return read_text(name, text.encode("utf-8")).documents[0]


def covered(spans: list[tuple[int, int]]) -> list[int]:
    return [position for start, end in spans for position in range(start, end)]


@LAW
@given(text=TEXTS, name=st.sampled_from(["a.md", "a.txt"]), budget=st.integers(12, 254))
def test_every_character_of_the_body_is_in_exactly_one_passage(
    text: str, name: str, budget: int, encoder: Encoder[Runtime]
) -> None:
    document = document_of(text, name)
    passages = split(document, encoder.tokens, budget)
    inside = covered([(p.start, p.end) for p in passages])
    assert len(inside) == len(set(inside))
    body = covered([(b.start, b.end) for s in document.sections for b in s.blocks])
    wanted = {position for position in body if not text[position].isspace()}
    assert wanted == {position for position in inside if not text[position].isspace()}


@LAW
@given(text=TEXTS, name=st.sampled_from(["a.md", "a.txt"]), budget=st.integers(12, 254))
def test_no_passage_is_over_the_budget_with_its_context(
    text: str, name: str, budget: int, encoder: Encoder[Runtime]
) -> None:
    document = document_of(text, name)
    for passage in split(document, encoder.tokens, budget):
        assert encoder.tokens.count([embedded_text(text, passage)[0]])[0] <= budget


@LAW
@given(text=TEXTS, name=st.sampled_from(["a.md", "a.txt"]))
def test_sentences_are_slices_that_cover_their_passage(
    text: str, name: str, encoder: Encoder[Runtime]
) -> None:
    for passage in split(document_of(text, name), encoder.tokens, encoder.budget):
        assert passage.sentences
        assert passage.sentences[0].start == passage.start
        assert passage.sentences[-1].end == passage.end
        inside = covered(list(passage.sentences))
        assert inside == sorted(set(inside))
        between = set(range(passage.start, passage.end)) - set(inside)
        assert all(text[position].isspace() for position in between)


@LAW
@given(text=TEXTS)
def test_body_and_headings_and_front_matter_are_all_there_is(text: str) -> None:
    """What is in no block of a Markdown text is a heading's line or front matter."""
    document = document_of(text, "a.txt")
    words = {word for section in document.sections for word in section.heading_path}
    inside = set(covered([(b.start, b.end) for s in document.sections for b in s.blocks]))
    outside = "".join(" " if i in inside else character for i, character in enumerate(text))
    for line in outside.splitlines():
        assert not line.strip() or any(line.strip() in word for word in words)


def test_the_article_is_cut_into_paragraphs_and_items(
    article: tuple[str, list[Passage]],
) -> None:
    text, passages = article
    aid = [p for p in passages if "food" in text[p.start : p.end]]
    assert len(aid) == 1
    assert text[aid[0].start : aid[0].end].startswith("3. **Humanitarian aid:**")
    assert aid[0].heading_path[-1] == "What the Pact Contains"


@pytest.fixture(name="article")
def _article(encoder: Encoder[Runtime]) -> tuple[str, list[Passage]]:
    from conftest import ARTICLE

    document = read_text(ARTICLE.name, ARTICLE.read_bytes()).documents[0]
    return document.text, split(document, encoder.tokens, encoder.budget)


def test_a_section_of_one_endless_sentence_is_cut_at_words(encoder: Encoder[Runtime]) -> None:
    text = "word " * 2000
    passages = split(document_of(text, "a.txt"), encoder.tokens, encoder.budget)
    assert len(passages) > 7
    assert all(text[p.end - 4 : p.end] == "word" for p in passages)


def test_a_code_block_is_kept_whole_and_its_lines_are_its_sentences(
    encoder: Encoder[Runtime],
) -> None:
    code = "```python\ndef f(x):\n    return x. y\n```"
    text = f"# T\n\nSome words before the code that say what it is about.\n\n{code}\n"
    passages = split(document_of(text), encoder.tokens, encoder.budget)
    holding = next(p for p in passages if "def f" in text[p.start : p.end])
    assert code in text[holding.start : holding.end]
    assert "    return x. y".strip() in [text[a:b] for a, b in holding.sentences]


def test_very_short_neighbours_are_joined(encoder: Encoder[Runtime]) -> None:
    text = "One.\n\nTwo.\n\nThree.\n"
    passages = split(document_of(text, "a.txt"), encoder.tokens, encoder.budget)
    assert [text[p.start : p.end] for p in passages] == ["One.\n\nTwo.\n\nThree."]


def test_abbreviations_do_not_end_sentences(tmp_path: Path) -> None:
    text = "Dr. Smith of the U.S. Army arrived at 3.5 km. He left."
    spans = sentences_of(text, Block(0, len(text), BlockKind.PROSE))
    assert [text[a:b] for a, b in spans] == [
        "Dr. Smith of the U.S. Army arrived at 3.5 km.",
        "He left.",
    ]


@given(pages=st.lists(st.lists(st.sampled_from(["One.", "Two words."]), max_size=4), max_size=5))
def test_no_passage_joins_the_blocks_of_two_pages(
    encoder: Encoder[Runtime], pages: list[list[str]]
) -> None:
    composer = Composer()
    for number, blocks in enumerate(pages, 1):
        composer.place(PlaceKind.PAGE, number)
        for block in blocks:
            composer.add(block)
    found = composer.finish()
    document = Document(
        id="a.pdf",
        file="a.pdf",
        format="pdf",
        text=found.text,
        sha256="",
        encoding="",
        sections=found.sections,
        places=found.places,
    )
    passages = split(document, encoder.tokens, encoder.budget)
    assert [found.text[one.start : one.end].split("\n\n") for one in passages] == [
        blocks for blocks in pages if blocks
    ]
