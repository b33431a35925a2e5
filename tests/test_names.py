"""File names: whatever a file system allows is indexed, shown and found again, or counted."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from qa.assistant import Assistant
from qa.cli import formats, render
from qa.cli.output import visible
from qa.corpus import FolderCorpus

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names that only Linux allows")

NAMES = {
    "newline": "a\nb.txt",
    "return": "a\rb.txt",
    "escape": "a\x1b[31mb\x07.txt",
    "quotes": 'it\'s "so" `called`.txt',
    "backticks": "``.txt",
    "long": "n" * 251 + ".txt",
    "upper": "Case.txt",
    "lower": "case.txt",
    "lines": "a:3-4",
    "characters": "b#char=1,2",
    "dash": "-k.txt",
    "percent": "100%41%s.txt",
    "backslash": "c\\d.txt",
    "reversed": "e\u202efdp.txt",
    "emoji": "naïve 日本 😀.md",
    "decomposed": "nai\u0308ve.md",
    "space": " f . ",
    "markup": "[g](h) <b>.md",
    "tilde": "~.txt",
    "star": "*?[x].txt",
}
NOT_UTF_8 = [b"bad\xff.txt", b"\xe9t\xe9.txt", b"half\xed\xa0\x80.txt"]
# A word for each, which only its file has.
WORDS = dict(
    zip(
        NAMES,
        """zebra yacht walrus violin umbrella trumpet saxophone raccoon penguin otter nutmeg
        mandolin lobster kangaroo jaguar iguana hamster giraffe flamingo elephant""".split(),
        strict=True,
    )
)


@pytest.fixture(name="named")
def _named(tmp_path: Path) -> Path:
    """Give a corpus whose files have the names above."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for kind, name in NAMES.items():
        (folder / name).write_text(f"The {WORDS[kind]} lives here, as everybody knows.\n")
    for raw in NOT_UTF_8:
        with open(os.path.join(os.fsencode(folder), raw), "wb") as stream:  # noqa: PTH118, PTH123
            stream.write(b"Nobody can name this file.\n")
    return folder


def test_every_name_that_is_text_is_indexed_and_the_others_are_counted(named: Path) -> None:
    scan = FolderCorpus(named, max_file_size=999).scan()
    assert set(scan.stamps) == set(NAMES.values())
    assert scan.left_out["name is not UTF-8"] == len(NOT_UTF_8)


def test_a_citation_leads_back_to_its_file_whatever_its_name(
    named: Path, tmp_path: Path, cache: Path
) -> None:
    with Assistant(named, tmp_path / "index", cache=str(cache)) as one:
        for kind, name in NAMES.items():
            answer = one.ask(f"Where does the {WORDS[kind]} live?", threshold=0)
            citation = answer.passages[0].citation
            assert citation.document == name
            assert one.show(str(citation)).citation.quote == citation.quote
            written = json.loads(json.dumps(answer.to_dict()))
            assert written["passages"][0]["citation"]["document"] == name
            shown = render.answer(answer, one.root, width=80, room=80, form="full")
            link = next(iter(shown))[1].link
            assert re.fullmatch(r"file:///[!-~]+", link)
            first = formats.markdown(answer).split("\n\n")[1]
            tokens = MarkdownIt().parse(first)
            spans = [one for token in tokens for one in token.children or ()]
            codes = [one.content for one in spans if one.type == "code_inline"]
            assert codes == [visible(str(citation))]


def test_every_command_takes_and_shows_every_name(run: Run, named: Path) -> None:
    status, out, err = run("index")
    assert status == 0
    assert f"{len(NAMES)} added" in out
    assert "3 name is not UTF-8" in out
    for form in ("text", "markdown", "json"):
        for kind in ("newline", "escape", "backticks", "long", "reversed", "emoji"):
            question = f"Where does the {WORDS[kind]} live?"
            status, out, err = run("ask", question, "--format", form, "--always", "-k", 1)
            assert status == 0
            assert "defect" not in err
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out + err)
    for kind, name in NAMES.items():
        status, out, err = run("show", "--", f"{name}:1")
        assert status == 0, (name, err)
        assert WORDS[kind] in out
    assert run("status")[0] == 0
