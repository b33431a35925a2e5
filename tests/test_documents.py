"""Documents of an assistant: listed, opened as they were indexed, and nothing else of the disk."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qa
from conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="indexed")
def _indexed(assistant: qa.Assistant, corpus: Path) -> qa.Assistant:
    (corpus / "guide.html").write_text(
        "<title>A guide</title><h1>Guide</h1><p>Read this first, it is short.</p>"
        "<h2 id=two>Second</h2><p>Then read that, which is longer.</p>",
        "utf-8",
    )
    assistant.refresh()
    return assistant


def test_documents_are_listed_by_id_with_what_is_known_of_them(indexed: qa.Assistant) -> None:
    found = indexed.documents()
    assert [one.id for one in found] == ["bread.txt", "deep/whales.txt", "guide.html", "moon.md"]
    guide = found[2]
    assert (guide.file, guide.format, guide.title) == ("guide.html", "html", "A guide")
    assert guide.metadata["title"] == "A guide"
    assert sum(one.passages for one in found) == indexed.status().passages


def test_pages_of_any_size_list_every_document_once(indexed: qa.Assistant) -> None:
    every = indexed.documents()
    for limit in (1, 2, 3, 4, 100):
        pages: list[qa.DocumentInfo] = []
        after: str | None = None
        while page := indexed.documents(after=after, limit=limit):
            assert len(page) <= limit
            pages += page
            after = page[-1].id
        assert tuple(pages) == every


def test_a_page_may_be_of_a_folder_or_a_kind_alone(indexed: qa.Assistant) -> None:
    def ids(**given: Any) -> list[str]:
        return [one.id for one in indexed.documents(**given)]

    assert ids(within="*.txt") == ["bread.txt", "deep/whales.txt"]
    assert ids(within=["deep/"]) == ["deep/whales.txt"]
    assert ids(within=["*.txt", "!deep/"], limit=1) == ["bread.txt"]
    assert ids(within="*.txt", after="bread.txt") == ["deep/whales.txt"]
    assert ids(within="*.xyz") == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"limit": True}, "limit is True"),
        ({"limit": "5"}, "limit is '5'"),
        ({"limit": 10**9}, "limit is 1000000000"),
        ({"after": 5}, "after is 5"),
        ({"after": "\ud800"}, "after is"),
        ({"within": [5]}, "within has 5"),
        ({"within": ["["]}, "'[' is not a path pattern"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused(
    indexed: qa.Assistant, given: dict[str, Any], named: str
) -> None:
    with pytest.raises(qa.QuestionError) as raised:
        indexed.documents(**given)
    assert named in str(raised.value)
    assert raised.value.hint


def test_a_document_is_what_citations_count_in(indexed: qa.Assistant, corpus: Path) -> None:
    for question in ("Who set foot on the Moon?", "What is read first?"):
        for passage in indexed.ask(question, threshold=0).passages:
            cited = passage.citation
            one = indexed.document(cited.document)
            assert one.text[cited.start : cited.end] == cited.quote
            assert (one.sha256, one.file, one.format) == (cited.sha256, cited.file, cited.format)
    for info in indexed.documents():
        raw = indexed.read_bytes(info.id)
        assert raw == (corpus / info.file).read_bytes()
        assert indexed.document(info.id).sha256 == hashlib.sha256(raw).hexdigest()


def test_an_outline_has_the_headings_where_they_stand(indexed: qa.Assistant) -> None:
    moon = indexed.document("moon.md")
    assert [(one.level, one.title, one.line) for one in moon.outline] == [
        (1, "The Moon", 1),
        (2, "Landing", 5),
    ]
    guide = indexed.document("guide.html")
    titles = [one.title for one in guide.outline]
    assert titles == ["Guide", "Second"]
    for one in guide.outline:
        assert guide.text.startswith(one.title, one.start)
    assert indexed.outline("guide.html") == guide.outline
    assert qa.Place(guide.outline[1].start, qa.PlaceKind.ANCHOR, "two") in guide.places


WORD = st.text("abcdefgh", min_size=1, max_size=8)
OUTLINE = st.lists(st.tuples(st.integers(1, 4), WORD), min_size=1, max_size=12)


@settings(max_examples=25)
@given(OUTLINE)
def test_every_heading_with_a_text_below_it_is_in_the_outline_at_its_line(
    cache: Path, headings: list[tuple[int, str]]
) -> None:
    text = "".join(f"{'#' * n} {title}\n\nSome words.\n\n" for n, title in headings)
    with qa.Assistant(documents={"a.md": text}, cache=str(cache)) as one:
        one.refresh()
        found = [(heading.title, heading.line) for heading in one.outline("a.md")]
    assert found == [(title, 1 + 4 * n) for n, (_, title) in enumerate(headings)]


@pytest.mark.parametrize(
    "one",
    [
        "", ".", "..", "../outside.txt", "deep/../../outside.txt", "/etc/passwd", "moon.md/",
        "./moon.md", "moon.md\0", "MOON.MD", "deep", "\ud800", ".hidden.txt", "ignored.txt",
        "link.txt", "moon.md:1", 5, None, b"moon.md", ["moon.md"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("use", ["document", "outline", "read_bytes"])
def test_nothing_is_opened_but_what_is_indexed(
    assistant: qa.Assistant, corpus: Path, use: str, one: Any
) -> None:
    outside = corpus.parent / "outside.txt"
    outside.write_text("secret", "utf-8")
    (corpus / ".hidden.txt").write_text("secret", "utf-8")
    (corpus / "ignored.txt").write_text("secret", "utf-8")
    (corpus / ".gitignore").write_text("ignored.txt\n", "utf-8")
    (corpus / "link.txt").symlink_to(outside)
    assistant.refresh()
    with pytest.raises(qa.UnknownDocumentError) as raised:
        getattr(assistant, use)(one)
    assert isinstance(raised.value, LookupError)
    assert raised.value.hint
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize("use", ["document", "outline", "read_bytes"])
@pytest.mark.parametrize("change", ["edited", "deleted", "a link"])
@pytest.mark.parametrize("name", ["moon.md", "guide.html"])
def test_a_file_that_is_another_by_now_is_not_given_for_what_was_indexed(
    indexed: qa.Assistant, corpus: Path, use: str, change: str, name: str
) -> None:
    path = corpus / name
    if change == "edited":
        path.write_text("something else", "utf-8")
    else:
        path.unlink()
    if change == "a link":
        (corpus.parent / "outside.txt").write_text("secret", "utf-8")
        path.symlink_to(corpus.parent / "outside.txt")
    with pytest.raises(qa.UnreadableDocumentError):
        getattr(indexed, use)(name)


def test_documents_of_no_index_are_missing_and_of_pairs_are_there(
    assistant: qa.Assistant, cache: Path
) -> None:
    for use in (assistant.documents, lambda: assistant.document("moon.md")):
        with pytest.raises(qa.IndexMissingError):
            use()
    with qa.Assistant(documents={"a": "Some words here."}, cache=str(cache)) as one:
        one.refresh()
        assert [each.id for each in one.documents()] == ["a"]
        assert one.document("a").text == "Some words here."
        assert one.read_bytes("a") == b"Some words here."


def test_an_attachment_is_opened_by_its_own_id_and_its_bytes_are_the_file_that_holds_it(
    assistant: qa.Assistant, corpus: Path
) -> None:
    raw = (
        b"From: a@example.org\nSubject: Hello\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\n"
        b"See what is attached.\n--x\nContent-Type: text/plain\n"
        b'Content-Disposition: attachment; filename="note.txt"\n\nThe note itself.\n--x--\n'
    )
    (corpus / "mail.eml").write_bytes(raw)
    assistant.refresh()
    one = assistant.document("mail.eml/note.txt")
    assert (one.file, one.text.strip()) == ("mail.eml", "The note itself.")
    assert assistant.read_bytes("mail.eml/note.txt") == raw
    with pytest.raises(qa.UnknownDocumentError):
        assistant.document("mail.eml/other.txt")


def test_opening_a_converted_document_starts_no_process_and_loads_no_model(
    indexed: qa.Assistant,
) -> None:
    program = (
        "import subprocess, sys, json, qa\n"
        "def refuse(*_, **__): raise AssertionError('a process')\n"
        "subprocess.Popen.__init__ = refuse\n"
        "with qa.Assistant(sys.argv[1], sys.argv[2]) as one:\n"
        "    text = one.document('guide.html').text; one.documents()\n"
        "heavy = {'onnxruntime', 'faiss', 'tantivy', 'torch'} & set(sys.modules)\n"
        "print(json.dumps([text, sorted(heavy)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, indexed.settings.corpus, str(indexed.settings.index)],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
    )  # fmt: skip
    text, heavy = json.loads(done.stdout)
    assert text == indexed.document("guide.html").text
    assert heavy == []


def test_documents_may_be_opened_while_others_ask(indexed: qa.Assistant) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def use(n: int) -> object:
        return indexed.ask("Who?", threshold=0) if n % 2 else indexed.document("moon.md").text

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(use, range(16)))
    assert len({str(one) for one in given[::2]}) == 1
