"""Heading paths told from a Markdown file's lines are those that its reader gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qa.citations.source import headings_at, path_by_lines
from qa.reading.files import read_text
from strategies import TEXTS

LINES = st.lists(
    st.sampled_from(
        ["# One", "## Two ##", "### Three", "#", "#Four", "    # Five", "```", "~~~ x", "Text.", "",
         "> # Six", "- # Seven", "Title\n====", "<!--\n# Eight\n-->", "#\tNine  #", "# Ten\r\n"]
    ),
    max_size=14,
).map("\n".join)  # fmt: skip


@given(st.one_of(LINES, TEXTS))
def test_a_path_told_by_lines_is_one_that_stands_above_in_this_order(text: str) -> None:
    """Where it differs from the reader's, the reader decides; it never breaks or invents words."""
    [document] = read_text("a.md", text.encode()).documents
    for section in document.sections:
        for block in section.blocks:
            told = path_by_lines(document.text, block.start)
            assert headings_at(document.sections, block.start) == section.heading_path
            for title in told:
                assert all(word in document.text[: block.end] for word in title.split())


def test_headings_with_marks_are_told_by_lines_alone() -> None:
    text = "# One\n\nA.\n\n## Two ##\n\nB.\n\n```\n# no\n```\n\n### Three\n\nC.\n\n## Four\n\nD.\n"
    [document] = read_text("a.md", text.encode()).documents
    for section in document.sections:
        for block in section.blocks:
            assert path_by_lines(document.text, block.start) == section.heading_path
