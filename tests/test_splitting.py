"""Splitting: laws that hold for any text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa.encoding.encoder import in_context
from qa.indexing.passages import cut
from qa.indexing.sentences import sentences_of, trimmed
from qa.reading.extracted import Composer
from qa.reading.files import read_text
from qa.types import Block, BlockKind, Document, PlaceKind, Span
from strategies import TEXTS

if TYPE_CHECKING:
    from pathlib import Path

    from qa.encoding.encoder import Encoder, Runtime
    from qa.types import Passage

LAW = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def document_of(text: str, name: str = "a.md") -> Document:
    return read_text(name, text.encode("utf-8")).documents[0]


def passages_of(
    document: Document, encoder: Encoder[Runtime], *, budget: int | None = None
) -> list[Passage]:
    cuts = cut(document, encoder.tokens, encoder.budget if budget is None else budget)
    return [one.passage for one in cuts]


def covered(spans: list[tuple[int, int]]) -> list[int]:
    return [position for start, end in spans for position in range(start, end)]


@LAW
@given(text=TEXTS, name=st.sampled_from(["a.md", "a.txt"]), budget=st.integers(12, 254))
def test_every_character_of_the_body_is_in_exactly_one_passage(
    text: str, name: str, budget: int, encoder: Encoder[Runtime]
) -> None:
    document = document_of(text, name)
    passages = passages_of(document, encoder, budget=budget)
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
    for passage in passages_of(document, encoder, budget=budget):
        assert (
            encoder.tokens.count([in_context(passage.context, text[passage.start : passage.end])])[
                0
            ]
            <= budget
        )


@LAW
@given(text=TEXTS, name=st.sampled_from(["a.md", "a.txt"]))
def test_sentences_are_slices_that_cover_their_passage(
    text: str, name: str, encoder: Encoder[Runtime]
) -> None:
    for passage in passages_of(document_of(text, name), encoder):
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
    return document.text, passages_of(document, encoder)


def test_a_section_of_one_endless_sentence_is_cut_at_words(encoder: Encoder[Runtime]) -> None:
    text = "sentence " * 2000
    passages = passages_of(document_of(text, "a.txt"), encoder)
    assert len(passages) > 7
    for passage in passages:
        for start, end in passage.sentences:
            assert set(text[start:end].split()) == {"sentence"}


def test_a_code_block_is_kept_whole_and_its_lines_are_its_sentences(
    encoder: Encoder[Runtime],
) -> None:
    code = "```python\ndef f(x):\n    return x. y\n```"
    text = f"# T\n\nSome words before the code that say what it is about.\n\n{code}\n"
    passages = passages_of(document_of(text), encoder)
    holding = next(p for p in passages if "def f" in text[p.start : p.end])
    assert code in text[holding.start : holding.end]
    assert "    return x. y".strip() in [text[a:b] for a, b in holding.sentences]


def test_very_short_neighbours_are_joined(encoder: Encoder[Runtime]) -> None:
    text = "One.\n\nTwo.\n\nThree.\n"
    passages = passages_of(document_of(text, "a.txt"), encoder)
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
    passages = passages_of(document, encoder)
    assert [found.text[one.start : one.end].split("\n\n") for one in passages] == [
        blocks for blocks in pages if blocks
    ]


def words(tokens: int) -> str:
    """Give text of so many tokens that is one sentence."""
    return " ".join(["word"] * tokens)


def sentences(number: int, *, tokens: int) -> str:
    """Give a paragraph of sentences that have so many tokens each."""
    return " ".join([f"Word {words(tokens - 2)}."] * number)


def sizes(text: str, encoder: Encoder[Runtime], *, budget: int = 254) -> list[int]:
    """Cut a text; how many tokens each passage has without its context."""
    passages = passages_of(document_of(text), encoder, budget=budget)
    return [encoder.tokens.count([text[p.start : p.end]])[0] for p in passages]


@pytest.mark.parametrize(
    ("paragraphs", "expected"),
    [
        ([47, 47], [94]),
        ([48, 24], [48, 24]),
        ([48, 23], [71]),
        ([48, 23, 48], [71, 48]),
        ([48, 48, 24], [48, 48, 24]),
    ],
)
def test_neighbours_are_joined_while_one_of_them_is_short(
    encoder: Encoder[Runtime], paragraphs: list[int], expected: list[int]
) -> None:
    assert sizes("\n\n".join(map(words, paragraphs)), encoder) == expected


@pytest.mark.parametrize("heading", ["", "# Two\n\n"])
def test_neighbours_are_joined_only_where_both_fit_together_with_their_context(
    encoder: Encoder[Runtime], heading: str
) -> None:
    text = f"{heading}{words(47)}\n\n{sentences(3, tokens=20)}"
    enough = 107 + (1 if heading else 0)
    assert sizes(text, encoder, budget=enough) == [107]
    assert sizes(text, encoder, budget=enough - 1) == [47, 60]


def test_a_paragraph_over_the_budget_is_cut_into_runs_of_about_equal_size(
    encoder: Encoder[Runtime],
) -> None:
    assert sizes(sentences(30, tokens=10), encoder) == [150, 150]
    assert sizes(sentences(9, tokens=40), encoder) == [200, 160]
    assert sizes(sentences(4, tokens=50), encoder, budget=100) == [100, 100]


def test_no_run_of_sentences_is_over_the_budget(encoder: Encoder[Runtime]) -> None:
    text = " ".join(sentences(1, tokens=tokens) for tokens in (50, 51, 49, 50))
    assert sizes(text, encoder, budget=100) == [50, 100, 50]


def test_what_is_few_tokens_but_very_many_characters_is_halved(encoder: Encoder[Runtime]) -> None:
    def lengths(text: str) -> list[int]:
        passages = passages_of(document_of(text, "a.txt"), encoder)
        return [p.end - p.start for p in passages]

    assert lengths("x" * 8000) == [8000]
    assert lengths("x" * 8001) == [4000, 4001]
    assert lengths(" ".join(["X" + "x" * 1498 + "."] * 6)) == [4502, 4502]


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("One", "Two", "One > Two"),
        (words(61), "Two", f"{words(61)} > Two"),
        (words(62), "Two", "Two"),
        ("One", words(63), words(63)),
        ("One", words(64), ""),
    ],
)
def test_outer_headings_are_left_out_of_a_context_over_a_quarter_of_the_budget(
    encoder: Encoder[Runtime], outer: str, inner: str, expected: str
) -> None:
    document = document_of(f"# {outer}\n\n## {inner}\n\nText.\n")
    (passage,) = passages_of(document, encoder, budget=254)
    assert passage.context == expected
    assert passage.heading_path == (outer, inner)
    lead = f"{expected}\n" if expected else ""
    assert in_context(passage.context, "Text.") == f"{lead}Text."


def test_a_heading_without_end_is_kept_by_its_passages_in_part(encoder: Encoder[Runtime]) -> None:
    for inner in ("", "## Two\n\n"):
        document = document_of(f"# {'x' * 1001}\n\n{inner}Text.\n")
        (passage,) = passages_of(document, encoder)
        assert passage.heading_path == ("x" * 1000, *(["Two"] if inner else []))


def test_a_piece_of_a_word_that_has_more_tokens_by_itself_is_halved(
    encoder: Encoder[Runtime],
) -> None:
    """Its end is no longer read as the end of a word that the tokenizer knows."""
    text = (
        "sisaseueueitedocccibditdoectsceuuocsaosdtaatouoiuisouutudisbdceotcoueaetasuiesbtucsbsbaedd"
    )
    found = sizes(text, encoder, budget=12)
    assert max(found) <= 12
    passages = passages_of(document_of(text), encoder, budget=12)
    assert covered([(p.start, p.end) for p in passages]) == list(range(len(text)))


@pytest.mark.parametrize(
    "expected",
    [
        ["One is done.", "2. Two is begun."],
        ["He left.", "She stayed at home for a week."],
        ["1234567890. With its space it is as long as a mark may be."],
        ["12345678901.", "That was no mark."],
        ["Sentence number one is of the sea and of ships that sail upon it."] * 99,
    ],
)
def test_marks_go_with_what_follows_them_and_short_or_very_many_sentences_stay_apart(
    expected: list[str],
) -> None:
    text = " ".join(expected)
    spans = sentences_of(text, Block(0, len(text), BlockKind.PROSE))
    assert [text[start:end] for start, end in spans] == expected


def test_text_without_an_end_of_a_sentence_is_cut_all_the_same() -> None:
    text = "word " * 1000
    spans = sentences_of(text, Block(0, len(text), BlockKind.PROSE))
    assert len(spans) > 2
    assert max(end - start for start, end in spans) <= 2000


def test_nothing_but_white_space_is_no_span() -> None:
    assert trimmed("a \n b", Span(1, 4)) is None
    assert trimmed("ab", Span(1, 1)) is None
    assert trimmed(" ab ", Span(0, 4)) == Span(1, 3)
