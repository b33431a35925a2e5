"""Web pages: what is read of them, where it stands, and what is left out."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading.extracted import Extracted, UnreadableError
from qa.reading.html import read_html
from qa.types import BlockKind, PlaceKind

FORMATS = os.environ.get("QA_FORMATS", "")


def read(html: str) -> Extracted:
    return read_html(html.encode())


def sections(page: Extracted) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for section in page.sections:
        texts = [page.text[block.start : block.end] for block in section.blocks]
        found.setdefault(section.heading_path, []).extend(texts)
    return found


def blocks(page: Extracted) -> list[str]:
    return [text for texts in sections(page).values() for text in texts]


def anchor(page: Extracted, words: str) -> str:
    at = page.text.index(words)
    found = [p for p in page.places if p.kind is PlaceKind.ANCHOR and p.start <= at]
    return found[-1].value if found else ""


NEWS = """<!doctype html><html lang="en"><head><title>Storm hits coast - The Daily</title>
<meta property="og:title" content="Storm hits coast">
<meta name="author" content="Ada Berg"><meta property="article:published_time"
content="2024-03-05T10:00:00Z"><style>p { color: red }</style></head><body>
<header><a href="/">The Daily</a><nav><ul><li><a href="/w">World</a><li><a href="/s">Sport</a>
</ul></nav></header>
<div id="cookie-banner"><p>We use cookies to improve your visit.</p>
<button>Accept all</button></div>
<main><article><h1>Storm hits coast</h1><p>The storm reached the harbour at noon.</p>
<h2 id="damage">Damage</h2><p>Forty boats sank.</p>
<h3>Costs</h3><p>Repairs will cost nine million crowns.</p>
<script>var forbidden = "script words"</script></article></main>
<aside><h2>Most read</h2><p><a href="/x">Ten recipes for soup</a></p></aside>
<footer><p>Imprint and terms of the publisher.</p></footer></body></html>"""


def test_a_fact_under_the_third_heading_has_its_path_and_the_nearest_anchor() -> None:
    page = read(NEWS)
    path = ("Storm hits coast", "Damage", "Costs")
    assert sections(page)[path] == ["Repairs will cost nine million crowns."]
    assert anchor(page, "Repairs") == "damage"
    assert anchor(page, "The storm reached") == ""


@pytest.mark.parametrize(
    "words", ["World", "cookies", "Accept", "script words", "recipes", "Imprint", "color"]
)
def test_what_surrounds_the_article_is_left_out(words: str) -> None:
    assert words not in read(NEWS).text


def test_metadata_is_what_the_page_says_of_itself() -> None:
    assert dict(read(NEWS).metadata) == {
        "title": "Storm hits coast",
        "author": "Ada Berg",
        "date": "2024-03-05T10:00:00Z",
        "language": "en",
    }


def test_metadata_comes_from_linked_data_and_elements_where_meta_has_none() -> None:
    page = read(
        '<script type="application/ld+json">{"@graph": [{"headline": "Rain", "author":'
        ' [{"name": "A. B."}, {"name": "C. D."}], "datePublished": "2020-01-02"}]}</script>'
        '<article><p>Much rain.</p><time datetime="2019-12-31">before</time></article>'
    )
    assert page.metadata["title"] == "Rain"
    assert page.metadata["author"] == "A. B., C. D."
    assert page.metadata["date"] == "2020-01-02"
    page = read(
        '<article><time datetime="2019-12-31">X</time> <a rel=author>By E. F.</a></article>'
    )
    assert page.metadata["date"] == "2019-12-31"
    assert page.metadata["author"] == "E. F."


def test_damaged_linked_data_is_passed_over() -> None:
    html = f'<script type="application/ld+json">{"[" * 100_000}</script><p>Text.</p>'
    assert blocks(read(html)) == ["Text."]


def test_the_title_heads_a_page_that_has_no_heading_of_the_first_level() -> None:
    page = read("<title>Opening hours</title><h2>Monday</h2><p>From nine to five.</p>")
    assert sections(page) == {("Opening hours", "Monday"): ["From nine to five."]}


@pytest.mark.parametrize(
    "hidden",
    [
        "<nav>secret words</nav>",
        "<div hidden>secret words</div>",
        '<p aria-hidden="true">secret words</p>',
        '<p style="color:red; display : none">secret words</p>',
        "<template><p>secret words</p></template>",
        "<noscript>secret words</noscript>",
        '<div role="search">secret words</div>',
        "<select><option>secret words</select>",
        '<div class="wide breadcrumbs">secret words</div>',
        "<form action=/s><label>secret words</label> <input name=q></form>",
        '<div class="menu"><a href=/a>secret words</a> <a href=/b>secret words too</a></div>',
        "<ul><li><a href=a>secret words</a><li><a href=b>Home</a><li><a href=c>Us</a></ul>",
        "<div><p>This site uses cookies, secret words.</p><a href=#>Accept all</a></div>",
        '<div class="cookie-consent"><p>Cookies: secret words</p><button>OK</button></div>',
        "<div><p>Wir verwenden Cookies, secret words.</p><button>Alle akzeptieren</button></div>",
        "<svg><title>secret words</title></svg>",
        "<!-- secret words -->",
        "<footer>secret words</footer>",
    ],
)
def test_what_is_hidden_or_furniture_is_left_out(hidden: str) -> None:
    page = read(f"<p>What stands before it.</p>{hidden}<p>What stands after it.</p>")
    assert blocks(page) == ["What stands before it.", "What stands after it."]


def test_only_scripts_are_no_text() -> None:
    html = (
        "<html><head><title>App</title><script>run()</script><noscript>Enable JavaScript"
        "</noscript></head><body><div id=root></div><script>start()</script></body></html>"
    )
    with pytest.raises(UnreadableError, match="no text in it"):
        read(html)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("declared", ["", '<meta charset="{}">'])
def test_nul_bytes_cost_no_page(declared: str, encoding: str) -> None:
    html = (
        f"<title>Fl\0eet</title>{declared.format(encoding)}<p>The \0caf\xe9 on the quay\0 opened."
        * 3
    )
    page = read_html(html.encode(encoding) + bytes(5000))
    assert "The caf\xe9 on the quay opened." in page.text
    assert page.metadata["title"] == "Fleet"


@pytest.mark.parametrize("raw", [b"\0\1\2\3<p>\4\5\6\7\0</p>", bytes(range(256)) * 40])
def test_a_page_of_binary_bytes_is_reported(raw: bytes) -> None:
    with pytest.raises(UnreadableError, match="not text in any encoding"):
        read_html(raw)


@pytest.mark.parametrize("raw", [b"", b" \n ", b"<html></html>", b"<p>&nbsp;</p>", b"<img src=a>"])
def test_an_empty_page_is_no_text(raw: bytes) -> None:
    with pytest.raises(UnreadableError, match="no text in it"):
        read_html(raw)


def test_what_is_about_cookies_but_no_notice_stays() -> None:
    page = read(
        "<h1>Privacy</h1><section id=cookies><h2>Cookies</h2><p>We use cookies to keep you logged "
        "in. You can delete them in the settings of your browser.</p></section><p>Ask us.</p>"
    )
    assert "delete them in the settings" in page.text


def test_links_in_the_main_part_are_content() -> None:
    html = "<nav><a href=/>Home</a></nav><main><h1>Index</h1><p>Our machines:</p><ul>{}</ul></main>"
    items = "".join(f"<li><a href={n}>Machine {n}</a>" for n in range(5))
    assert blocks(read(html.format(items)))[1:] == [f"Machine {n}" for n in range(5)]


def test_links_that_are_announced_are_content() -> None:
    items = "".join(f"<li><a href={n}>Part {n}</a>" for n in range(4))
    expected = ["It has these parts:", *(f"Part {n}" for n in range(4)), "End."]
    html = f"<p>It has these parts:</p><ul>{items}</ul>"
    assert blocks(read(html)) == expected[:-1]
    assert blocks(read(f"{html}<p>End.</p>")) == expected


def test_a_page_of_nothing_but_links_keeps_them() -> None:
    items = "".join(f"<li><a href={n}>Site {n}</a>" for n in range(5))
    assert blocks(read(f"<h1>Links</h1><ul>{items}</ul>")) == [f"Site {n}" for n in range(5)]


def test_an_index_keeps_its_links() -> None:
    items = "".join(f"<li><a href={n}>entry {n}</a>" for n in range(200))
    assert "entry 77" in blocks(read(f"<h1>Index</h1><ul>{items}</ul><p>Made by hand.</p>"))


def test_exported_bookmarks_are_read_one_by_one() -> None:
    page = read(
        "<!DOCTYPE NETSCAPE-Bookmark-file-1><TITLE>Bookmarks</TITLE><H1>Bookmarks</H1><DL><p>"
        "<DT><H3>Tools</H3><DL><p><DT><A HREF=a>A hammer</A><DT><A HREF=b>A saw</A></DL><p></DL>"
    )
    assert sections(page)[("Bookmarks", "Tools")] == ["A hammer", "A saw"]


def test_list_items_are_blocks_and_numbers_are_said() -> None:
    page = read(
        "<p>How to:</p><ul><li>apples<ul><li>red ones</ul><li>pears</ul>"
        "<ol start=3><li>Press<li><p>Wait</p></ol>"
    )
    assert blocks(page) == ["How to:", "apples", "red ones", "pears", "3. Press", "4. Wait"]


def test_a_description_is_said_with_its_term() -> None:
    page = read(
        '<dl><dt id="port">port</dt><dd>Where it listens.</dd>'
        "<dt>host<dt>name<dd><p>Which machine.</p><p>Or none.</p><dt>lone</dl>"
    )
    assert blocks(page) == [
        "port: Where it listens.",
        "host, name: Which machine.",
        "Or none.",
        "lone",
    ]
    assert anchor(page, "port: Where") == "port"


def test_a_table_has_a_line_for_each_row_below_the_names_of_its_columns() -> None:
    page = read(
        "<table id=t><caption>Peaks</caption><thead><tr><th>Name<th>Height</thead>"
        "<tr><td>Kebnekaise<td>2,096 m<tr><td>Sarektjåkkå<td>2,089 m</table>"
    )
    assert blocks(page) == ["Peaks", "Name | Height\nKebnekaise | 2,096 m\nSarektjåkkå | 2,089 m"]
    assert page.sections[0].blocks[1].kind is BlockKind.LINES
    assert anchor(page, "Kebnekaise") == "t"


def test_the_names_of_the_columns_are_repeated_in_a_long_table() -> None:
    rows = "".join(f"<tr><td>machine {n}<td>{n} units of stock<td></tr>" for n in range(100))
    page = read(f"<table><tr><th>Machine<th>Stock<th>Note</tr>{rows}</table>")
    found = blocks(page)
    assert len(found) > 2
    assert all(block.startswith("Machine | Stock | Note\nmachine ") for block in found)
    assert all(f"\nmachine {n} | {n} units of stock" in page.text for n in range(100))


def test_a_cell_that_spans_rows_is_said_in_each() -> None:
    page = read(
        "<table><tr><th>Year<th>Event</tr><tr><td rowspan=2>1969<td>Apollo</tr><tr><td>Concorde"
        "<tr><td colspan=2>all of it</table>"
    )
    assert blocks(page) == ["Year | Event\n1969 | Apollo\n1969 | Concorde\nall of it"]


def test_cells_that_span_many_rows_do_not_multiply_the_text() -> None:
    rows = "<tr>" + f"<td rowspan=60000 colspan=60000>{'word ' * 50}" * 200 + "<tr><td>z" * 2000
    page = read(f"<table>{rows}</table>")
    assert len(page.text) < 1_000_000


def test_a_table_that_only_arranges_the_page_is_read_as_the_page() -> None:
    page = read(
        "<table><tr><td><a href=a>Home</a><br><a href=b>Shop</a><br><a href=c>Us</a><td>"
        "<h1>Our shop</h1><p>Open on Mondays.<table><tr><td>Mo<td>9-5<tr><td>Tu<td>closed</table>"
        "</table>"
    )
    assert sections(page) == {("Our shop",): ["Open on Mondays.", "Mo | 9-5\nTu | closed"]}


def test_a_table_around_another_arranges_the_page() -> None:
    page = read(
        "<table><tr><td>Our shop<td>since 1920<tr><td>Hours:<td><table><tr><td>Mo<td>9-5<tr><td>Tu"
        "<td>closed</table></table>"
    )
    assert blocks(page) == ["Our shop", "since 1920", "Hours:", "Mo | 9-5\nTu | closed"]


def test_preformatted_text_keeps_its_lines() -> None:
    page = read("<p>Run:</p><pre>\nif x:\n    go()<br>stop()\n</pre>")
    assert blocks(page) == ["Run:", "if x:\n    go()\nstop()"]
    assert page.sections[0].blocks[1].kind is BlockKind.LINES


def test_line_breaks_are_kept_and_two_part_paragraphs() -> None:
    page = read("<div>one  line<br>and\nanother<br><br>a <b>new</b> paragraph</div>")
    assert blocks(page) == ["one line\nand another", "a new paragraph"]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<section id=a><h2 id=b>Head</h2><p>the fact</p></section>", "b"),
        ("<section id=a><h2>Head</h2><p>the fact</p></section>", "a"),
        ("<h2><a name=c></a>Head</h2><p>the fact</p>", "c"),
        ("<h2 id=b><a id=c href=#c>#</a>Head</h2><p>the fact</p>", "b"),
        ("<h2>Head <span id=s></span></h2><p>the fact</p>", "s"),
        ("<a name=c></a><h2>Head</h2><p>the fact</p>", "c"),
        ("<h2 id=b>Head</h2><p>x <span id=s>y</span></p><p>the fact</p>", "b"),
        ("<h2 id=b>Head</h2><p id=p>the fact</p>", "p"),
        ("<h2 id=b>Head</h2><p>x</p><div id=post-3><p>the fact</p></div>", "post-3"),
        ("<div hidden id=h>x</div><p>the fact</p>", ""),
    ],
)
def test_the_anchor_is_the_nearest_one(html: str, expected: str) -> None:
    assert anchor(read(html), "the fact") == expected


def test_marks_of_notes_and_links_to_a_heading_itself_are_not_read() -> None:
    page = read(
        '<h2>Setup<a class=x href="#setup">¶</a></h2><p>It is so.<sup id=r><a href="#n1">[1]</a>'
        "</sup> And E = mc<sup>2</sup>.</p>"
    )
    assert sections(page) == {("Setup",): ["It is so. And E = mc2."]}


def test_the_text_of_an_image_is_read_where_it_says_something() -> None:
    page = read(
        '<p>Before</p><img alt="A map of the old harbour"><img alt="logo"><img alt="IMG one 2.jpg">'
        '<figure><img alt="The mayor in 1920"><figcaption>The mayor in 1920, by A. B.</figcaption>'
        "</figure>"
    )
    assert blocks(page) == ["Before", "A map of the old harbour", "The mayor in 1920, by A. B."]


def test_words_are_not_broken_by_markup_or_soft_hyphens() -> None:
    assert blocks(read("<p>un<b>break</b>able Donau&shy;dampf&#8203;schiff</p>")) == [
        "unbreakable Donaudampfschiff"
    ]


def test_escaped_markup_is_text() -> None:
    assert blocks(read("<p>&lt;script&gt;x&lt;/script&gt; &amp;amp; &#0; y</p>")) == [
        "<script>x</script> &amp; \ufffd y"
    ]


def test_what_frames_show_without_frames_is_read() -> None:
    html = "<frameset><frame src=a>{}</frameset>"
    page = read(html.format("<noframes><body><p>Plain words</p></body></noframes>"))
    assert blocks(page) == ["Plain words"]
    with pytest.raises(UnreadableError, match="frames"):
        read(html.format(""))


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        ("<meta charset=Shift_JIS>", "cp932"),
        ("<meta charset=iso-8859-5>", "iso-8859-5"),
        ('<?xml version="1.0" encoding="windows-1251"?>', "cp1251"),
        ("<meta charset=windows-1251>", "utf-8"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=nonsense>", "utf-8"),
        ("<meta charset=koi8-r>", "utf-16"),
        ("", "utf-8-sig"),
    ],
)
def test_the_encoding_is_told_by_mark_declaration_and_content(
    declaration: str, encoding: str
) -> None:
    html = f"{declaration}<p>Москва слезам не верит</p>"
    assert blocks(read_html(html.encode(encoding))) == ["Москва слезам не верит"]


def test_a_page_in_latin_1_is_read_as_browsers_do() -> None:
    assert blocks(read_html("<meta charset=iso-8859-1><p>“5 €”</p>".encode("cp1252"))) == ["“5 €”"]


def test_elements_that_xhtml_closes_themselves_end_there() -> None:
    page = read(
        '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY e "never">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="/a.js"/></head>'
        '<body><a id="p1"/><p>first <b/>words</p><![CDATA[a < b]]><p>second</p></body></html>'
    )
    assert blocks(page) == ["first words", "a < b", "second"]
    assert anchor(page, "first") == "p1"


def test_external_entities_are_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret words", "utf-8")
    page = read(
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY e SYSTEM "{secret.as_uri()}">'
        ']><html xmlns="http://www.w3.org/1999/xhtml"><body><p>See: &e;</p></body></html>'
    )
    assert "secret words" not in page.text


@pytest.mark.parametrize("tag", ["div", "b", "ul><li", "table><tr><td", "dl><dt", "dl><dd", "span"])
def test_ten_thousand_nested_elements_are_read(tag: str) -> None:
    page = read(f"<p>the start</p>{f'<{tag}>' * 10_000}deep words")
    assert "the start" in page.text
    assert "deep words" in page.text


def test_broken_markup_loses_no_text() -> None:
    page = read("<p>one<b>two<i>three</p><table><tr><td>four<p>five<div>six</span></p>seven <q")
    assert [
        word for word in "one two three four five six seven".split() if word not in page.text
    ] == []


@given(st.text(alphabet=st.sampled_from("<>/=\"' abpdivtableulihr&;#!-[]?\n"), max_size=300))
def test_whatever_is_read_is_whole(html: str) -> None:
    """Blocks are not empty, lie in the text one after the other, and places within it."""
    try:
        page = read(html)
    except UnreadableError:
        return
    at = 0
    for section in page.sections:
        for block in section.blocks:
            assert at <= block.start < block.end <= len(page.text)
            assert page.text[block.start : block.end].strip()
            at = block.end
    assert all(0 <= place.start < len(page.text) for place in page.places)
    assert page == read(html)


@pytest.mark.skipif(not FORMATS, reason="QA_FORMATS names no folder of real files")
def test_real_pages_are_read_or_reported() -> None:
    paths = [path for path in Path(FORMATS).rglob("*.htm*") if path.is_file()]
    read = 0
    for path in paths:
        with suppress(UnreadableError):
            read += bool(read_html(path.read_bytes()).sections)
    assert read > len(paths) / 2


@pytest.mark.parametrize("label", ["hex", "rot13", "undefined", "idna", "punycode"])
def test_a_page_that_declares_what_is_no_encoding_of_files_is_read_all_the_same(label: str) -> None:
    page = f'<meta charset="{label}"><p>The café on the quay opens at nine.</p>'
    assert "opens at nine" in read_html(page.encode("cp1252")).text


def test_a_page_in_hebrew_that_declares_its_order_is_read() -> None:
    page = '<meta charset="iso-8859-8-i"><p>המגדלור נבנה ליד הנמל הישן</p>'
    assert "המגדלור" in read_html(page.encode("iso-8859-8")).text
