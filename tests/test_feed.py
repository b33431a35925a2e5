"""News feeds: every entry is a section, in whatever version and encoding it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qa.reading.extracted import UnreadableError
from qa.reading.feed import read_feed

if TYPE_CHECKING:
    from pathlib import Path

RSS = """<rss version="2.0"><channel><title>News</title><language>en</language>
<item><title>Ice</title><author>Alice</author><pubDate>Tue, 05 Mar 2024 10:00:00 GMT</pubDate>
<description>&lt;p&gt;Luleå is &lt;b&gt;closed&lt;/b&gt;.&lt;/p&gt;</description></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><title>Ice</title>
<author><name>Alice</name></author><updated>2024-03-05T10:00:00Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Luleå is <b>closed</b>.</div>
</content></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>News</title></channel><item><title>Ice</title><dc:creator>Alice</dc:creator>
<dc:date>2024-03-05</dc:date><description>Luleå is closed.</description></item></rdf:RDF>"""


OLD = f'<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//x//DTD RSS 0.91//EN" "http://x/y.dtd">{RSS}'


@pytest.mark.parametrize("feed", [RSS, ATOM, RDF, OLD])
def test_an_entry_is_a_section_with_its_author_and_date(feed: str) -> None:
    found = read_feed(feed.encode())
    (section,) = [one for one in found.sections if one.heading_path[-1] == "Ice"]
    said = [found.text[block.start : block.end] for block in section.blocks]
    assert section.heading_path == ("News", "Ice")
    assert said[0].startswith("Alice, ")
    assert "2024" in said[0]
    assert " ".join(said[1:]) == "Luleå is closed."
    assert found.metadata["title"] == "News"


@pytest.mark.parametrize("encoding", ["euc-jp", "big5", "utf-16", "iso-8859-1"])
def test_a_feed_is_read_in_the_encoding_that_it_declares(encoding: str) -> None:
    word = "météo" if encoding == "iso-8859-1" else "天文"
    feed = f"<rss><channel><title>{word}</title><item><title>x</title></item></channel></rss>"
    raw = f'<?xml version="1.0" encoding="{encoding}"?>{feed}'.encode(encoding)
    assert word in read_feed(raw).text


@pytest.mark.parametrize("raw", [b"<data><row/></data>", b"<rss>", b"<rss/>", b""])
def test_what_is_no_feed_or_says_nothing_is_reported(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_feed(raw)


def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden", "utf-8")
    uri = (tmp_path / "secret").as_uri()
    feed = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{uri}">]><rss><channel>&x;</channel></rss>'
    with pytest.raises(UnreadableError):
        read_feed(feed.encode())
