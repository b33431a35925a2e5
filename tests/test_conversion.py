"""Converted formats: what a parser does costs one file, whatever it does."""

from __future__ import annotations

import json
import math
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading.extracted import Composer, Extracted, Member, UnreadableError
from qa.reading.files import Limits, read_file
from qa.reading.mail import read_mail
from qa.reading.places import places_at, places_of
from qa.reading.sandbox.budget import Budget
from qa.reading.sandbox.client import Converter
from qa.reading.sandbox.protocol import pack, pack_unreadable, unpack
from qa.reading.sandbox.worker import reader_of
from qa.types import BlockKind, Place, PlaceKind

if TYPE_CHECKING:
    from pathlib import Path

# Readers that do what a parser of somebody else's could do when it meets a hostile file.
READERS = """
import ctypes, os, socket, subprocess, sys, time
from qa.reading.sandbox import budget, worker
from qa.reading.extracted import Composer
from qa.reading.formats import CONVERTED, Format

def read(raw):
    print("a library's chatter")
    order = raw.decode()
    if order == "crash":
        ctypes.string_at(0)
    if order == "exit":
        os._exit(3)
    if order == "hang":
        time.sleep(600)
    if order == "spin":
        while True: pass
    if order == "balloon":
        held = []
        while True: held.append(bytearray(1 << 26))
    if order == "stumble":
        raise KeyError("x")
    if order == "nest":
        return read(raw)
    if order == "write":
        open(sys.argv[1], "w")
    if order == "connect":
        socket.create_connection(("127.0.0.1", 9))
    if order == "start":
        subprocess.run(["true"])
    composer = Composer()
    composer.add(order)
    return composer.finish()

worker.MEMORY = 768 << 20
budget.CPU_SECONDS = 3
CONVERTED["pdf"] = Format("__main__", "read")
worker.main()
"""


@pytest.fixture(name="converter")
def _converter(tmp_path: Path) -> Converter:
    script = tmp_path / "readers.py"
    script.write_text(READERS)
    command = (sys.executable, "-P", str(script), str(tmp_path / "written"))
    return Converter(wall_seconds=20, command=command)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("crash", "its parser crashed"),
        ("exit", "its parser crashed"),
        ("spin", "reading it took too much time"),
        ("balloon", "reading it takes too much memory"),
        ("stumble", r"it could not be read as pdf \(KeyError\)"),
        ("nest", "it is nested too deeply"),
        ("write", r"it could not be read as pdf \(PermissionError\)"),
        ("connect", r"it could not be read as pdf \(PermissionError\)"),
        ("start", r"it could not be read as pdf \(PermissionError\)"),
    ],
)
def test_what_a_parser_does_costs_its_file_and_not_the_next(
    converter: Converter, tmp_path: Path, order: str, reason: str
) -> None:
    with converter:
        assert converter.convert("pdf", b"before").text == "before"
        with pytest.raises(UnreadableError, match=f"^{reason}$"):
            converter.convert("pdf", order.encode())
        assert converter.convert("pdf", b"after").text == "after"
    assert not (tmp_path / "written").exists()


def test_a_parser_that_waits_for_ever_is_ended(tmp_path: Path) -> None:
    (tmp_path / "readers.py").write_text(READERS)
    command = (sys.executable, "-P", str(tmp_path / "readers.py"))
    with Converter(wall_seconds=5, command=command) as converter:
        with pytest.raises(UnreadableError, match="took too much time"):
            converter.convert("pdf", b"hang")
        assert converter.convert("pdf", b"after").text == "after"


def test_a_worker_ends_with_its_converter(converter: Converter) -> None:
    converter.convert("pdf", b"one")
    worker = converter._worker
    assert worker is not None
    converter.close()
    assert worker.returncode == 0
    assert converter.convert("pdf", b"two").text == "two"
    converter.close()


TEXT = st.text(max_size=30)


@given(st.lists(st.tuples(st.sampled_from(["heading", "prose", "lines", "page"]), TEXT)))
def test_what_a_reader_composes_survives_the_way_between_processes(
    pieces: list[tuple[str, str]],
) -> None:
    composer = Composer()
    for number, (kind, text) in enumerate(pieces, 1):
        if kind == "heading":
            composer.heading(text, level=1 + number % 3)
        elif kind == "page":
            composer.place(PlaceKind.PAGE, number)
        else:
            composer.add(text, kind=BlockKind(kind), inside=[(len(text) // 2, PlaceKind.ROW, 7)])
    extracted = composer.finish({"Title": " A\tB ", "empty": ""})
    assert unpack(pack(extracted)) == extracted
    assert extracted.metadata == {"title": "A B"}
    blocks = [block for section in extracted.sections for block in section.blocks]
    assert all(extracted.text[block.start : block.end].strip() for block in blocks)
    shown = {extracted.text[block.start : block.end] for block in blocks}
    assert all(
        any(text.strip() in " ".join(one.split()) or text.strip() in one for one in shown)
        for kind, text in pieces
        if kind in {"prose", "lines"} and text.isprintable() and text.strip()
    )


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_what_no_reader_packs_is_refused(packed: bytes) -> None:
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        unpack(packed)


@given(st.lists(TEXT))
def test_warnings_survive_the_way_between_processes(warnings: list[str]) -> None:
    extracted = Composer().finish(warnings=warnings)
    assert unpack(pack(extracted)) == extracted
    assert [" ".join(warning.split()) for warning in extracted.warnings] == [*extracted.warnings]


def test_a_warning_that_cannot_be_kept_is_refused() -> None:
    forged = pack(Composer().finish(warnings=["mark"])).replace(b"mark", b"\\ud800")
    with pytest.raises(ValueError, match="surrogates"):
        unpack(forged)


def test_a_reason_survives_the_way() -> None:
    assert unpack(pack_unreadable("a reason")) == "a reason"


def test_blocks_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="out of order"):
        unpack(forged(sections=[[[], [[2, 3, "prose"], [0, 1, "prose"]]]]))


def forged(**parts: object) -> bytes:
    empty = {"text": "abc", "sections": [], "places": [], "metadata": {}, "warnings": []}
    return json.dumps({**empty, "members": [], **parts}).encode() + b"\n"


@pytest.mark.parametrize(
    "packed",
    [
        forged(sections=[[[], [[0, math.inf, "prose"]]]]),
        forged(places=[[math.inf, "page", "1"]]),
        forged(members=[["a", math.inf]]),
        forged(members=[["a", -1]]),
        forged(members=[["a", 4]]) + b"abc",
        forged(members=[["a", 2]]) + b"abc",
        forged(members=[["a", True], ["b", "2"]]) + b"abc",
        b"[" * 100_000,
        b'{"size": ' * 100_000,
    ],
)
def test_a_reply_of_a_worker_gone_wild_costs_its_file_alone(tmp_path: Path, packed: bytes) -> None:
    script = "import sys; sys.stdin.buffer.readline(); sys.stdin.buffer.read(1); out = sys.stdout"
    script += f"; packed = {packed!r}; out.buffer.write(b'{{\"size\": %d}}\\n' % len(packed))"
    (tmp_path / "wild.py").write_text(f"{script}; out.buffer.write(packed); out.flush()")
    with (
        Converter(command=(sys.executable, str(tmp_path / "wild.py"))) as converter,
        pytest.raises(UnreadableError, match="invalid output"),
    ):
        converter.convert("pdf", b"x")


@pytest.mark.parametrize(
    "head", ["{}", "[]", '{"size": Infinity}', '{"size": 1, "seconds": []}', "x"]
)
def test_a_head_of_a_reply_that_makes_no_sense_costs_its_file_alone(
    tmp_path: Path, head: str
) -> None:
    (tmp_path / "wild.py").write_text(f"import sys; print({head!r}); sys.stdin.read()")
    with (
        Converter(command=(sys.executable, str(tmp_path / "wild.py"))) as converter,
        pytest.raises(UnreadableError, match="crashed"),
    ):
        converter.convert("pdf", b"x")


@given(st.lists(st.builds(Member, TEXT, st.binary(max_size=20)), max_size=5))
def test_members_survive_the_way_between_processes(members: list[Member]) -> None:
    extracted = Composer().finish(members=members)
    assert unpack(pack(extracted)) == extracted


def mail_with(attachments: list[bytes], *, kind: str = "text/html", name: str = "a") -> bytes:
    border = b"b%d" % sum(map(len, attachments))  # not that of a mail inside it
    told = b"\nContent-Type: %s; name=%s\n\n" % (kind.encode(), name.encode())
    parts = [b"\n\nThe own text of the mail.\n", *(told + one for one in attachments)]
    head = b"From: Ida\nSubject: Maps\nContent-Type: multipart/mixed; boundary=%s\n\n" % border
    return head + b"".join(b"--" + border + part + b"\n" for part in parts) + b"--%s--\n" % border


def test_a_file_and_those_inside_it_share_one_time() -> None:
    page = b"<p>A line of some words.</p>\n" * 20_000
    raw = mail_with([page] * 60, name="a.html")
    budget = Budget(processor=3, clock=100)
    with Converter() as converter:
        reading = read_file("a.eml", raw, converter.convert, budget=budget)
    assert reading.documents[0].id == "a.eml"
    assert "own text" in reading.documents[0].text
    assert len(reading.documents) + len(reading.problems) == 61
    assert 2 <= len(reading.documents) < 60
    reasons = list(reading.problems.values())
    assert "used up" in reasons[-1]
    assert set(reasons[1:]) == {reasons[-1]}
    assert budget.processor > -3


def test_crashes_count_by_the_clock(converter: Converter) -> None:
    budget = Budget(processor=60, clock=1)
    with converter:
        for _ in range(100):
            with pytest.raises(UnreadableError) as error:
                converter.convert("pdf", b"exit", budget)
            if "used up" in str(error.value):
                break
    assert budget.is_spent
    assert budget.clock > -10


def test_time_that_a_worker_lies_about_is_taken_by_the_clock(tmp_path: Path) -> None:
    (tmp_path / "readers.py").write_text(READERS.replace("worker.main()", LYING))
    command = (sys.executable, "-P", str(tmp_path / "readers.py"))
    budget = Budget(processor=60, clock=60)
    with Converter(command=command) as converter:
        assert converter.convert("pdf", b"after", budget).text == "after"
    assert 0 < budget.processor < 60


LYING = """
worker.time.process_time = iter([5.0, -10.0**9]).__next__
worker.main()
"""


def test_a_large_file_has_more_time_than_a_small_one() -> None:
    assert Budget.of(0).processor == 120
    assert Budget.of(60_000_000).processor == 720


def test_what_lies_too_deep_or_comes_too_late_is_told() -> None:
    def convert(kind: str, raw: bytes, budget: Budget) -> Extracted:
        return read_mail(raw)

    raw = b"Subject: 9\n\nThe innermost.\n"
    for _ in range(8):
        raw = mail_with([raw], kind="message/rfc822")
    reading = read_file("a.eml", raw, convert)
    assert len(reading.documents) == 5
    assert list(reading.problems.values()) == ["too many nested files"]

    many = mail_with([b"Subject: 1\n\nOne.\n"] * 9, kind="message/rfc822")
    reading = read_file("a.eml", many, convert, limits=Limits(members=5))
    assert len(reading.documents) == 5
    assert reading.warnings == {"a.eml": "of 9 files in it the first 4 are indexed"}
    assert not reading.problems


NAMES = st.lists(st.sampled_from(["a", "a.b", "a (2)", "2-a", "3-a", "/", ""]), max_size=8)


@given(NAMES)
def test_files_of_one_name_in_a_file_have_ids_of_their_own(names: list[str]) -> None:
    def convert(*_: object) -> Extracted:
        return Composer().finish(members=[Member(name, b"x") for name in names])

    reading = read_file("a.eml", b"Subject: x\n\n", convert)
    ids = [*(document.id for document in reading.documents), *reading.problems]
    assert len(set(ids)) == len(ids) == max(1, len(names))


def test_very_many_files_of_one_name_in_a_file_take_time_in_proportion() -> None:
    def convert(*_: object) -> Extracted:
        return Composer().finish(members=[Member("a.txt", b"x")] * 30_000)

    began = time.process_time()
    reading = read_file("a.eml", b"Subject: x\n\n", convert)
    assert len({document.id for document in reading.documents}) == 30_000
    assert time.process_time() - began < 10


NESTED = st.recursive(
    st.sampled_from(
        [b"plain", b"<p>page</p>", b"", b"\0binary", b"%PDF-1.7", b"PK\3\4", b"a,b\n1,2"]
    ),
    lambda inner: st.lists(inner, max_size=4).map(mail_with),
    max_leaves=30,
)


@given(NESTED, st.integers(1, 20), st.integers(0, 3))
def test_whatever_is_inside_whatever_each_has_an_id_and_the_limits_hold(
    raw: bytes, members: int, depth: int
) -> None:
    def convert(kind: str, raw: bytes, budget: Budget) -> Extracted:
        if budget.is_spent:
            raise UnreadableError("used up")
        budget.spend(processor=1)
        return reader_of(kind)(raw)

    budget = Budget(processor=7, clock=7)
    limits = Limits(members=members, depth=depth)
    reading = read_file("a.eml", b"Subject: x\n" + raw, convert, budget=budget, limits=limits)
    ids = [document.id for document in reading.documents]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & reading.problems.keys()
    assert len(ids) + len(reading.problems) <= max(1, members)
    assert all(one.count("/") <= depth + 1 for one in (*ids, *reading.problems))
    assert budget.processor >= 0


PLACES = st.lists(
    st.builds(Place, st.integers(0, 40), st.sampled_from(PlaceKind), st.text(max_size=2)),
    max_size=12,
).map(lambda places: sorted(places, key=lambda place: place.start))


@given(PLACES, st.lists(st.integers(0, 45), min_size=2, max_size=8, unique=True).map(sorted))
def test_the_places_of_a_span_say_where_each_of_its_characters_stands(
    places: list[Place], borders: list[int]
) -> None:
    spans = list(pairwise(borders))
    for (start, end), held in zip(spans, places_of(places, spans), strict=True):
        for position in range(start, end):
            assert places_at(held, position) == places_at(places, position)
        assert all(place.start < end for place in held)


def test_the_place_that_holds_is_the_last_of_its_kind_and_no_former_one_is_given() -> None:
    row, first, second = (
        Place(0, PlaceKind.ROW, "7"),
        Place(0, PlaceKind.PAGE, "1"),
        Place(5, PlaceKind.PAGE, "2"),
    )
    places = [row, first, second]
    assert places_at(places, 4) == {PlaceKind.ROW: "7", PlaceKind.PAGE: "1"}
    assert places_at(places, 5) == {PlaceKind.ROW: "7", PlaceKind.PAGE: "2"}
    assert list(places_of(places, [(0, 5), (5, 9)])) == [(row, first), (row, second)]


def test_a_heading_without_text_below_it_is_kept_as_text() -> None:
    composer = Composer()
    composer.heading("Alone", level=1)
    composer.heading("Also alone", level=1)
    extracted = composer.finish()
    blocks = [block for section in extracted.sections for block in section.blocks]
    assert [extracted.text[block.start : block.end] for block in blocks] == ["Alone", "Also alone"]
