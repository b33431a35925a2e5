"""What a review broke once: each stays mended."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from forging import forge
from qa.assistant import Assistant
from qa.corpus import FolderCorpus
from qa.errors import (
    CatalogDamagedError,
    CorpusNotFoundError,
    ForeignIndexError,
    QaError,
    QuestionError,
    QuestionsError,
    SettingsError,
)
from qa.evaluation.questions import load_questions
from qa.indexing.sentences import sentences_of
from qa.ranking.calibration import DEFAULT, WORDS
from qa.ranking.calibrations import calibration_in_use
from qa.reading.detect.decoding import decode, decode_as
from qa.reading.text.markdown import read_markdown
from qa.settings import Settings, load_settings, override
from qa.store.accelerators import segments_of
from qa.types import Block
from releasing import release

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "Who set foot on the Moon?"


def run(*arguments: str, cwd: Path, cache: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "qa", *arguments],
        cwd=cwd,
        env=os.environ | {"QA_CACHE": str(cache)},
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_nothing_of_the_user_in_the_index_folder_is_removed(
    corpus: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "index").mkdir()
    mine = tmp_path / "index" / "new-ideas.md"
    mine.write_text("mine")
    with (
        Assistant(corpus, tmp_path / "index", cache=str(cache)) as one,
        pytest.raises(ForeignIndexError, match="new-ideas"),
    ):
        one.refresh()
    mine.rename(tmp_path / "new-ideas.md")
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as one:
        one.refresh()
        (tmp_path / "index" / "lexical-notes").mkdir()
        (tmp_path / "index" / "vectors-lecture.pdf").write_text("mine")
        (corpus / "new.txt").write_text("Something new.")
        one.refresh()
    assert (tmp_path / "index" / "lexical-notes").is_dir()
    assert (tmp_path / "index" / "vectors-lecture.pdf").is_file()


@pytest.mark.parametrize("key", ["corpus", "index", "model", "cache"])
def test_an_empty_setting_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        override(Settings(), {key: ""})


@pytest.mark.parametrize("damage", ["zero", "garbage", "drop", "number", "blob"])
def test_rebuilding_heals_any_damage_of_the_catalog(
    assistant: Assistant, tmp_path: Path, damage: str
) -> None:
    assistant.refresh()
    release(assistant)
    path = tmp_path / "index" / "catalog.sqlite"
    changes = {
        "drop": "DROP TABLE passage",
        "number": "UPDATE meta SET value = 'x' WHERE key = 'passages'",
        "blob": "UPDATE meta SET value = x'ff' WHERE key = 'passages'",
    }
    if damage in changes:
        with sqlite3.connect(path) as db:
            db.execute(changes[damage])
        db.close()
        assert assistant.refresh(rebuild=True).added == 3
        return
    whole, size = path.read_bytes(), 16384  # that of a page
    for page in range(1, len(whole) // size):
        bad = bytes(size) if damage == "zero" else os.urandom(size)
        path.write_bytes(whole[: page * size] + bad + whole[(page + 1) * size :])
        assert assistant.refresh(rebuild=True).added == 3
        release(assistant)


@pytest.mark.parametrize("content", [b"", b"half", b"\0" * 200])
def test_a_damaged_file_of_ids_is_made_again_once(
    assistant: Assistant, tmp_path: Path, content: bytes
) -> None:
    assistant.refresh()
    release(assistant)
    [ids] = (tmp_path / "index").glob("*.ids.npy")
    ids.write_bytes(content)
    assert assistant.ask(QUESTION).passages[0].citation.document == "moon.md"
    files = sorted((tmp_path / "index").glob("vectors-*"))
    assert assistant.ask(QUESTION).answered
    assert sorted((tmp_path / "index").glob("vectors-*")) == files
    assert ids not in files


@pytest.mark.parametrize("part", ["idx", "pos", "term", "fast", "fieldnorm", "store"])
def test_any_file_of_the_lexical_index_may_go_missing(
    assistant: Assistant, corpus: Path, tmp_path: Path, part: str
) -> None:
    assistant.refresh()
    release(assistant)
    for path in (tmp_path / "index").glob(f"lexical-*/*.{part}"):
        path.unlink()
    for number in range(2):
        (corpus / "more.txt").write_text(f"Note {number}: krill again.")
        assert assistant.refresh().encoded == 1
    assert assistant.ask("krill again").passages[0].citation.document == "more.txt"


@pytest.mark.parametrize(
    "body",
    ["a: !!bool foo", "a: !!timestamp foo", "a: !!int ''", "a: 0x" + "f" * 5000, "- x", "a: [",
     "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]", "a: !!python/object/apply:os.system [ls]"],
)  # fmt: skip
def test_front_matter_costs_no_more_than_itself(body: str) -> None:
    sections, _ = read_markdown(f"---\n{body}\n---\nThe body.\n")
    assert sections


def test_front_matter_full_of_aliases_takes_no_time() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    read_markdown("---\n" + "\n".join(lines) + "\n---\nBody.\n")


@pytest.mark.parametrize(
    "line", ["!", "\\", "a\\", "[z-a]", "[", "[[:no:]]", "*a" * 30 + "*b", "\x00"]
)
def test_a_line_that_is_no_pattern_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / ".gitignore").write_text(f"\ufeff*.log\n{line}\nskip.txt\n", "utf-8")
    (tmp_path / "skip.txt").write_text("x")
    (tmp_path / "a.log").write_text("x")
    (tmp_path / ("a" * 200 + ".txt")).write_text("x")
    assert len(FolderCorpus(tmp_path, max_file_size=99).scan().stamps) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_a_pipe_in_the_corpus_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert FolderCorpus(tmp_path, max_file_size=99).scan().left_out["not a file"] == 1


def test_a_corpus_made_later_does_not_open_its_parent(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "secret.txt").write_text("The password is swordfish.")
    with Assistant(tmp_path / "docs", tmp_path / "index", cache=str(cache)) as one:
        with pytest.raises(CorpusNotFoundError):
            one.ask("What is the password?")
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "a.txt").write_text("A password is a secret word.")
        found = {p.citation.document for p in one.ask("What is the password?").passages}
        assert found == {"a.txt"}


def test_the_index_may_lie_inside_the_corpus(corpus: Path, cache: Path) -> None:
    with Assistant(corpus, corpus / "idx", cache=str(cache)) as one:
        assert one.refresh().added == 3
        assert one.refresh().problems == ()
        assert one.status().stale == 0


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_no_form_of_output_sends_what_a_terminal_obeys(
    tmp_path: Path, cache: Path, form: str
) -> None:
    (tmp_path / "corpus").mkdir()
    evil = "# Whales \x1b]8;;http://x\x07\n\nWhales \x9b2J sing \u202e backwards \x1b[31m now.\n"
    (tmp_path / "corpus" / "a\x1b[2Jb.md").write_text(evil, "utf-8")
    done = run("ask", "Do whales sing?", "--format", form, cwd=tmp_path, cache=cache)
    assert done.returncode == 0
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.stdout.decode())
    if form == "json":
        assert "\x9b2J" in json.loads(done.stdout)["passages"][0]["citation"]["quote"]


@pytest.mark.skipif(sys.platform != "linux", reason="bytes in arguments")
@pytest.mark.usefixtures("corpus")
def test_bytes_that_are_no_text_are_refused_with_status_2(tmp_path: Path, cache: Path) -> None:
    for arguments in (["ask", "x\udcff"], ["ask", "x", "--corpus", "c\udcff"]):
        done = run(*arguments, cwd=tmp_path, cache=cache)
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr


def test_an_index_does_not_decide_what_is_fetched(assistant: Assistant, tmp_path: Path) -> None:
    assistant.refresh()
    release(assistant)
    forge(tmp_path / "index", "UPDATE meta SET value = 'attacker/model' WHERE key = 'model'")
    with pytest.raises(QaError, match="attacker/model"):
        assistant.ask(QUESTION)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = '../other' WHERE key = 'lexical'",
        "UPDATE meta SET value = '[1]' WHERE key = 'vectors'",
        "UPDATE meta SET value = '{\"stem\": \"../x\"}' WHERE key = 'vectors'",
        "UPDATE meta SET value = 'many' WHERE key = 'passages'",
        "UPDATE document SET encoding = 'zlib'",
        "UPDATE document SET path = '../secret.txt' WHERE path = 'moon.md'",
        "UPDATE file SET path = '../secret.txt' WHERE path = 'moon.md'",
        "UPDATE embedding SET vector = x'00'",
        "UPDATE embedding SET sentences = x'000102'",
        "UPDATE passage SET spans = x'00'",
        "UPDATE passage SET headings = 'x'",
        "UPDATE passage SET document = 99",
        "UPDATE passage SET start = 'x'",
        "UPDATE term SET passages = -7",
    ],
)
def test_forged_rows_run_nothing_and_cite_nothing_false(
    assistant: Assistant, corpus: Path, tmp_path: Path, change: str
) -> None:
    assistant.refresh()
    release(assistant)
    (tmp_path / "secret.txt").write_text("The Moon is secret.")
    forge(tmp_path / "index", change)
    try:
        answer = assistant.ask(QUESTION, refresh=False)
    except CatalogDamagedError:
        return
    for one in answer.passages:
        raw = (corpus / one.citation.document).read_bytes()
        assert raw[one.citation.start_byte : one.citation.end_byte].decode() == one.citation.quote
        assert one.citation.document in {"moon.md", "bread.txt", "deep/whales.txt"}


def test_many_marks_without_letters_take_no_time() -> None:
    text = "1. " * 100_000
    assert sentences_of(text, Block(0, len(text)))


@pytest.mark.parametrize("mark", ["“", "'", "`", "![", "<!--", "« "])
def test_quotes_that_are_never_closed_take_no_time(mark: str) -> None:
    text = mark * (500_000 // len(mark))  # the square of it would take minutes
    spans = sentences_of(text, Block(0, len(text)))
    covered = "".join(text[start:end] for start, end in spans)
    assert len(covered.replace(" ", "")) == len(text.replace(" ", ""))


def test_a_long_paragraph_has_the_sentences_of_its_parts() -> None:
    text = "".join(f"Sentence {n} says that Dr. Smith of the U.S. came. " for n in range(2000))
    spans = sentences_of(text, Block(0, len(text)))
    assert [text[start:end] for start, end in spans] == [
        f"Sentence {n} says that Dr. Smith of the U.S. came." for n in range(2000)
    ]


def test_text_with_a_byte_that_is_no_utf_8_is_not_chinese() -> None:
    raw = b"It says: tlcsw\xad ok.\nThe body of this text.\n"
    assert "The body" in decode(raw + b" " * (len(raw) % 2))[0]


@pytest.mark.parametrize("encoding", ["punycode", "idna", "unicode_escape", "UTF-7", "no such"])
def test_an_encoding_that_no_file_has_is_not_tried(encoding: str) -> None:
    with pytest.raises((ValueError, LookupError)):
        decode_as(b"text", encoding)
    assert decode_as("naïve".encode("cp1252"), "cp1252") == "naïve"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"question": ' * 100_000])
def test_nesting_without_end_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.jsonl").write_text(text)
    with pytest.raises(QuestionsError):
        load_questions(tmp_path / "q.jsonl")
    (tmp_path / "qa.toml").write_text(f"k = {text}")
    with pytest.raises(SettingsError):
        load_settings(folder=tmp_path, environment={})
    for is_default, expected in ((True, DEFAULT), (False, WORDS)):
        used = calibration_in_use(text, text, encoder="e", is_default=is_default, reranker="r")
        assert used.calibration == expected
    assert segments_of(text) == []


def test_a_heading_with_nothing_below_can_be_found(cache: Path) -> None:
    pairs = [("a.md", "# Emergency number is 112\n\n## Meeting at nine in room 4\n")]
    with Assistant(documents=pairs, cache=str(cache)) as one:
        found = one.ask("Where is the meeting?").passages[0].citation
    assert found.quote == "## Meeting at nine in room 4"


def test_a_question_with_half_a_character_is_refused(assistant: Assistant) -> None:
    with pytest.raises(QuestionError):
        assistant.ask("x\udcff")
