"""Texts that are hard to cut: every white space, script and markup that matters here."""

from __future__ import annotations

from hypothesis import strategies as st

_WORDS = st.sampled_from(
    "The the U.S. Dr. Smith 3.5 e.g. naïve 日本語 です。 😀 x https://example.org/a?b=1 "
    "**bold** `code` supercalifragilistic end. stop! why? … — ’quoted’ \x1b[31m [red]".split()
)
_SPACES = st.sampled_from(
    [" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\x0b", "\u2028", "\u00a0", "\x85"]
)
_MARKS = st.sampled_from(
    [
        "# ",
        "## ",
        "- ",
        "1. ",
        "> ",
        "```\n",
        "    ",
        "| a | b |\n|---|---|\n",
        "---\n",
        "===\n",
        "* * *\n",
        "<div>\n",
        "[x]: y\n",
    ]
)
_ANYTHING = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)

TEXTS = st.lists(
    st.one_of(_WORDS, _WORDS, _SPACES, _MARKS, _ANYTHING, st.just("\n\n")), max_size=80
).map("".join)
