"""The page of `qa serve`: answers and documents as HTML, without scripts and in a browser."""

from __future__ import annotations

import asyncio
import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from qa.assistant import Assistant
from qa.contents import DocumentText, Heading, PageImage
from qa.serving.guard import COOKIE, Rules
from qa.serving.marking import _AROUND, _END, Marked, _running_on, pieces, view
from qa.serving.picturing import Pictures
from test_serving import TOKEN, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from test_serving import Server

HTML = {"accept": "text/html"}
MARK = re.compile(r"<mark>(.*?)</mark>", re.DOTALL)


@pytest.fixture(name="ask")
def _ask(corpus: Path, assistant: Assistant) -> Iterator[Server]:
    (corpus / "party.md").write_text(
        "# 🎉 Party\n\n😀😀😀 The café opens at nine 🎉 for the dance. Nobody pays.\n\n"
        "مرحبا بالعالم\u202e reversed.\n\n<script>alert(1)</script><img src=//evil.example/x>\n",
        "utf-8",
    )
    assistant.refresh()
    with served(assistant) as server:
        yield server


def page(ask: Server, **query: object) -> str:
    """Get the page."""
    reply = ask("GET", f"/?{urlencode(query)}", headers=HTML)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    return reply.body.decode()


# --- how texts are cut ------------------------------------------------------------------

SPANS = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)).map(sorted), max_size=5)


@given(st.text(max_size=50), SPANS, st.integers(0, 50), st.integers(0, 50))
def test_pieces_join_to_the_text_and_the_last_mark_counts(
    text: str, spans: list[list[int]], one: int, other: int
) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    marks = [Marked(first, last, str(number)) for number, (first, last) in enumerate(spans)]
    found = pieces(text, start, end, marks)
    assert "".join(piece.text for piece in found) == text[start:end]
    kinds = [piece.kind for piece in found for _ in piece.text]
    for at, kind in enumerate(kinds, start):
        inside = [mark.kind for mark in marks if mark.start <= at < mark.end]
        assert kind == (inside[-1] if inside else "")


TEXTS = st.text(st.sampled_from("ab\r\n \u2028😀"), max_size=300)


@given(TEXTS, st.integers(0, 400))
def test_a_view_has_all_lines_of_a_short_text_and_one_of_them_is_the_place(
    text: str, at: int
) -> None:
    shown = view(document(text), (), at)
    lines = ["".join(piece.text for piece in line.pieces) for line in shown.lines]
    wanted = re.split(r"\r\n|\r|\n", text)
    assert lines == (wanted[:-1] if wanted[-1] == "" and len(wanted) > 1 else wanted)
    assert [line.number for line in shown.lines] == list(range(1, len(lines) + 1))
    assert sum(line.is_place for line in shown.lines) == 1
    assert (shown.before, shown.after) == (None, None)


@pytest.mark.parametrize("line", ["x" * 300_000, "a line of words\n" * 20_000])
@pytest.mark.parametrize("at", [0, 150_000, 10**9])
def test_of_a_long_document_what_is_around_the_place_is_shown(line: str, at: int) -> None:
    shown = view(document(line), (), at)
    size = sum(len(piece.text) for one in shown.lines for piece in one.pieces)
    assert _AROUND / 2 < size <= 2 * _AROUND
    assert (shown.before is None) == (at == 0)
    assert (shown.after is None) == (at == 10**9)
    assert sum(one.is_place for one in shown.lines) == 1
    number = next(one.number for one in shown.lines if one.is_place)
    assert number == line.count("\n", 0, at) + (not line.endswith("\n") or at < len(line))


LINES = st.lists(st.text(st.sampled_from("ab 1.*-😀"), max_size=90), max_size=6)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n  "]), st.integers(0, 500))
def test_lines_that_run_on_keep_their_letters_and_places_theirs(
    lines: list[str], end: str, at: int
) -> None:
    text = end.join(lines)
    at = min(at, len(text))
    said, [moved] = _running_on(text, [at])
    assert said.split() == text.split()
    assert "".join(said[:moved].split()) == "".join(text[:at].split())
    for line in _END.split(said):
        assert line in text or len(line) >= 60


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{'word ' * 13}ends\n   here", f"{'word ' * 13}ends here"),
        (f"{'word ' * 13}ends\r\nhere\rthere", f"{'word ' * 13}ends here\rthere"),
        ("a short line\nand another", "a short line\nand another"),
        *((one, one) for one in (f"{'word ' * 13}ends\n{after}" for after in (
            "\nparagraph", "- item", "  * item", "2. item", "> quote", "| cell", "# heading"
        ))),
    ],
)  # fmt: skip
def test_only_lines_that_were_broken_at_a_width_run_on(text: str, said: str) -> None:
    assert _running_on(text, [len(text)]) == (said, [len(said)])


def test_a_text_of_many_lines_runs_on_in_a_moment() -> None:
    said, _ = _running_on(("x" * 70 + "\n" + " " * 70) * 5_000, [0])
    assert len(said) < 5_000 * 73


def document(text: str) -> DocumentText:
    """Make a document."""
    heading = Heading(level=1, title="a", start=0, line=1)
    return DocumentText("a", "a", "plain", text, "", {}, outline=(heading,))


# --- the page itself --------------------------------------------------------------------


def test_the_page_has_a_box_and_says_what_it_is(ask: Server) -> None:
    said = page(ask)
    assert 'name="q"' in said
    assert "Nothing leaves this server" in said


def test_an_answer_shows_its_evidence_marked_with_a_link_to_its_place(ask: Server) -> None:
    said = page(ask, q="Who set foot on the Moon?")
    assert '<p class="verdict answered"' in said
    assert "Armstrong" in MARK.findall(said)[0]
    link = html.unescape(re.findall(r'class="citation" href="([^"]+)"', said)[0])
    opened = ask("GET", link.partition("#")[0], headers=HTML).body.decode()
    place = re.findall(r'<div class="line[^>]*id="place".*?</div>', opened)
    assert len(place) == 1
    assert "<mark>Neil Armstrong set foot on it in July 1969.</mark>" in place[0]
    assert 'value="Who set foot on the Moon?"' in opened


def test_an_abstention_looks_like_one_and_has_the_closest_passages(ask: Server) -> None:
    said = page(ask, q="What is the capital of Peru?")
    assert '<p class="verdict abstained"' in said
    assert "which are not an answer" in said
    assert "<blockquote" in said


def test_quotes_after_emoji_are_marked_to_their_last_letter(ask: Server) -> None:
    said = page(ask, q="When does the café open for the dance?", doc="party.md", at=11)
    wanted = "😀😀😀 The café opens at nine 🎉 for the dance."
    assert MARK.findall(said).count(wanted) == 2


def test_a_document_that_means_harm_is_inert(ask: Server) -> None:
    said = page(ask, doc="party.md")
    assert "<script>alert" not in said
    assert "<img" not in said
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in said


@pytest.mark.parametrize(
    "text", ['"><script>alert(1)</script>', "'{{ 7 * 7 }}'", "\x00\x1b", "\u202e"]
)
def test_whatever_is_asked_is_escaped(ask: Server, text: str) -> None:
    for query in ({"q": text}, {"folder": text}, {"kind": text, "q": "Who?"}, {"since": text}):
        said = ask("GET", f"/?{urlencode(query)}", headers=HTML).body.decode()
        assert "<script>alert" not in said
        assert "49" not in re.findall(r'value="([^"]*)"', said)


def test_filters_say_which_documents_may_answer(ask: Server) -> None:
    def cited(**query: object) -> set[str]:
        found = re.findall(r'class="citation" href="[^"]*doc=([^&]+)&', page(ask, **query))
        return set(found)

    assert cited(q="What animals are the largest?", folder="deep") == {"deep%2Fwhales.txt"}
    assert cited(q="What animals are the largest?", kind="md") == {"moon.md", "party.md"}
    assert cited(q="What is sung?", folder="/deep/", kind=".txt") == {"deep%2Fwhales.txt"}
    assert 'value="deep"' in page(ask, q="Who?", folder="deep")


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"q": "Who?", "since": "soon"}, 422, "soon"),
        ({"q": "Who?", "folder": "nowhere"}, 422, "nowhere"),
        ({"doc": "../../etc/passwd"}, 404, "no such document"),
        ({"doc": "moon.md", "at": "-1"}, 422, "at"),
    ],
)
def test_what_can_not_be_shown_is_said(
    ask: Server, query: dict[str, str], status: int, said: str
) -> None:
    reply = ask("GET", f"/?{urlencode(query)}", headers=HTML)
    assert reply.status == status
    assert said in reply.body.decode()


def test_only_the_parts_of_the_page_are_served(ask: Server) -> None:
    assert ask("GET", "/static/page.css").headers["content-type"].startswith("text/css")
    assert ask("GET", "/static/page.js").headers["content-type"].startswith("text/javascript")
    for name in ("../page.py", "..%2fpage.py", "page.html", "", "page.css%00"):
        assert ask("GET", f"/static/{name}").status == 404


def test_a_person_logs_in_with_the_token_and_no_other(assistant: Assistant) -> None:
    assistant.refresh()
    with served(assistant, Rules(is_local=False, token=TOKEN)) as ask:
        sent = ask("GET", "/", headers=HTML)
        assert (sent.status, sent.headers["location"]) == (303, "/login")
        assert b"<form" in ask("GET", "/login", headers=HTML).body
        form = {"content-type": "application/x-www-form-urlencoded"}
        for wrong in (b"token=x", b"", b"token=" + b"a" * 5_000, b"\xff", b"a=1&" * 2):
            reply = ask("POST", "/login", wrong, form)
            assert (reply.status, reply.headers["set-cookie"]) == (401, None)
        assert ask("POST", "/login", b"a&" * 10 + b"token=x", form).status == 401
        reply = ask("POST", "/login", f"token={TOKEN}".encode(), form)
        cookie = reply.headers["set-cookie"]
        assert reply.status == 303
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert ask("GET", "/", headers={**HTML, "cookie": f"{COOKIE}={TOKEN}"}).status == 200


# --- pages of PDFs ----------------------------------------------------------------------


@pytest.fixture(name="report")
def _report(corpus: Path, assistant: Assistant) -> Iterator[Server]:
    from fpdf import FPDF

    made = FPDF()
    made.set_font("helvetica", size=12)
    for said in ("Beavers build dams of wood and mud.", "Otters sleep while holding hands."):
        made.add_page()
        made.multi_cell(0, text=f"{said} Everybody in the valley knows that by now.")
    (corpus / "river report.pdf").write_bytes(bytes(made.output()))
    assistant.refresh()
    with served(assistant) as server:
        yield server


def test_a_pdf_opens_at_the_picture_of_its_page_with_the_quote_marked(report: Server) -> None:
    said = page(report, q="What do otters hold while they sleep?")
    link = html.unescape(re.findall(r'class="citation" href="([^"]+)"', said)[0])
    opened = report("GET", link.partition("#")[0], headers=HTML).body.decode()
    address = re.findall(r'<image href="([^"]+)"', opened)[0]
    assert address == "/documents/river%20report.pdf/pages/2.png"
    picture = report("GET", address)
    assert picture.headers["content-type"] == "image/png"
    assert picture.body.startswith(b"\x89PNG")
    assert '<rect class="evidence"' in opened
    assert "Page before" in opened
    assert "Page after" not in opened
    assert "was found on the picture" not in opened
    assert opened.count('id="place"') == 1
    assert "Otters" in opened.partition('<div class="text prose">')[2]
    assert "Beavers" not in opened.partition('<div class="text prose">')[2]


def test_it_is_said_where_a_quote_was_not_found_on_the_picture(
    report: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Assistant.page_image

    def unmarked(self: Assistant, document: str, page: int, spans: Any) -> PageImage:
        image = draw(self, document, page, spans)
        return replace(image, rectangles=((),) * len(image.rectangles))

    monkeypatch.setattr(Assistant, "page_image", unmarked)
    said = page(report, q="What do otters hold while they sleep?", doc="river report.pdf", at=87)
    assert "was found on the picture; it is marked in the text below" in said
    assert '<figure id="place">' in said
    assert "<rect" not in said
    assert "<mark>" in said.partition('<div class="text prose">')[2]


def test_a_picture_is_asked_for_by_the_name_of_the_other_kind_as_well(report: Server) -> None:
    reply = report("GET", "/documents/river%20report.pdf/pages/2.jpg")
    assert reply.status == 308
    assert reply.headers["location"] == "/documents/river%20report.pdf/pages/2.png"


def test_a_page_is_drawn_once_for_who_asks_for_its_picture_at_once() -> None:
    drawn: list[tuple[str, int]] = []

    async def draw(document: str, page: int, spans: list[tuple[int, int]]) -> PageImage:
        drawn.append((document, page))
        return PageImage(b"%d" % len(drawn), "image/png", 1, 1, ((),) * len(spans))

    async def asked() -> None:
        pictures = Pictures(draw)
        shown = await pictures.marked("a", 1, [(0, 1)])
        assert await pictures.alone("a", 1) is shown
        assert await pictures.alone("a", 1) is not shown
        assert drawn == [("a", 1)] * 2
        for number in range(20):
            await pictures.marked("b", number, [])
        await pictures.alone("b", 19)
        assert len(drawn) == 22
        await pictures.alone("b", 0)
        assert len(drawn) == 23

    asyncio.run(asked())


@pytest.mark.parametrize(
    "path",
    [
        "river%20report.pdf/pages/3.png",
        "river%20report.pdf/pages/0.png",
        "moon.md/pages/1.png",
        "nothing.pdf/pages/1.png",
        "../../etc/passwd/pages/1.png",
    ],
)
def test_there_are_no_pictures_of_anything_else(report: Server, path: str) -> None:
    assert report("GET", f"/documents/{path}").status == 404


def test_a_page_that_can_not_be_drawn_is_shown_as_text(report: Server, corpus: Path) -> None:
    (corpus / "river report.pdf").write_bytes(b"%PDF-1.7 nothing")
    reply = report("GET", "/?doc=river+report.pdf", headers=HTML)
    assert reply.status in {200, 503}
    assert b"Otters" in reply.body or b"has changed" in reply.body


def test_notes_are_in_the_words_of_who_has_no_terminal_here(
    corpus: Path, assistant: Assistant
) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    assistant.refresh()
    with served(assistant) as ask:
        said = page(ask, q="Who set foot on the Moon?")
        assert "could not be read (the server names them)" in html.unescape(said)
        assert "broken.pdf" not in said
        notes = ask("POST", "/ask", {"question": "Who set foot on the Moon?"}).json["notes"]
        assert not [note for note in notes if "qa status" in note]
