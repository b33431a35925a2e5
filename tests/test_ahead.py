"""Work ahead of who uses it: in order, bounded, and over when it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it.ruler import Ruler

from qa.ahead import in_order
from qa.cores import usable_cores
from qa.corpus import FolderCorpus
from qa.encoding.encoder import Encoder, PassageInput, Runtime
from qa.errors import SettingsError, UnreadableDocumentError
from qa.indexing.ahead import readings
from qa.reading.files import read_text
from qa.reading.sandbox.client import Converter
from qa.reading.text import markdown
from qa.settings import Settings, load_settings
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run
    from qa.types import Document


def ours() -> list[str]:
    """Name the threads that run ahead."""
    return [one.name for one in threading.enumerate() if one.name.startswith("qa-ahead")]


@given(sizes=st.lists(st.integers(1, 9), max_size=30), workers=st.integers(1, 4))
def test_results_come_in_order_and_no_more_is_taken_than_may_be(
    sizes: list[int], workers: int
) -> None:
    most, taken, given_back = 10, 0, 0

    def items() -> Iterator[tuple[int, int]]:
        nonlocal taken
        for number, one in enumerate(sizes):
            taken += one
            yield number, one

    results = in_order(
        lambda item: item, items(), workers=workers, most=most, size=lambda item: item[1]
    )
    for number, (place, one) in enumerate(results):
        assert place == number
        # One more is taken to see that it does not fit any more.
        assert taken - given_back <= most + 9
        given_back += one
    assert given_back == sum(sizes)
    assert not ours()


def test_an_error_comes_in_its_turn_and_ends_the_threads() -> None:
    results = in_order(lambda n: 6 // n, [3, 2, 1, 0, 5, 6], workers=3, most=4)
    assert [next(results) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not ours()


def test_an_error_of_what_gives_the_items_ends_the_threads() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(in_order(abs, items(), workers=2, most=2))
    assert not ours()


def test_who_stops_early_waits_for_nothing_that_was_not_begun() -> None:
    begun: list[int] = []
    let_go = threading.Event()

    def wait(number: int) -> int:
        begun.append(number)
        if number:
            assert let_go.wait(30)
        return number

    started = time.monotonic()
    with closing(in_order(wait, range(100), workers=2, most=50, abandon=let_go.set)) as results:
        assert next(results) == 0
    assert time.monotonic() - started < 20
    assert len(begun) <= 4
    assert not ours()


def test_what_is_not_closed_ends_with_its_last_reference() -> None:
    results = in_order(abs, range(100), workers=2, most=10)
    assert next(results) == 0
    del results
    assert not ours()


@pytest.fixture(name="pages")
def _pages(tmp_path: Path) -> FolderCorpus:
    """Give a corpus of web pages, texts and a file that can't be read."""
    for number in range(12):
        (tmp_path / f"{number}.html").write_text(f"<p>Page {number} says so.</p>" * 20)
        (tmp_path / f"{number}.txt").write_text(f"Text {number}.")
    (tmp_path / "x.bin").write_bytes(b"\0\1\2" * 100)
    return FolderCorpus(tmp_path, max_file_size=10**6)


@pytest.mark.parametrize("workers", [1, 3])
def test_files_read_ahead_are_those_read_one_by_one(pages: FolderCorpus, workers: int) -> None:
    files = [*(f"{n}.{kind}" for n in range(12) for kind in ("html", "txt")), "gone.txt", "x.bin"]
    with closing(pages):
        expected = [pages.read(file) for file in files if file != "gone.txt"]
        found = dict(readings(pages, files, size=lambda _: 1000, workers=workers))
        assert list(found) == files
        assert isinstance(found.pop("gone.txt"), UnreadableDocumentError)
        assert list(found.values()) == expected


def test_threads_that_read_markdown_first_at_the_same_time_read_it_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = b"# One\n\nText.\n\n> quoted\n\n- item\n- item\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    expected = read_text("a.md", raw).documents
    compiled = Ruler.__compile__

    def slow(ruler: Ruler[object]) -> None:
        """As the library does it, which is seen half done by others for a moment."""
        ruler.__cache__ = {}
        time.sleep(0.05)
        compiled(ruler)

    def read(number: int) -> list[Document]:
        time.sleep(number / 100)
        return read_text("a.md", raw).documents

    monkeypatch.setattr(Ruler, "__compile__", slow)
    markdown._parser.cache_clear()
    assert list(in_order(read, range(12), workers=12, most=12)) == [expected] * 12


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_while_files_are_converted_ends_them(pages: FolderCorpus) -> None:
    hanging = (sys.executable, "-c", "import time; time.sleep(300)")
    converters = [Converter(command=hanging) for _ in range(2)]
    pages._converters, pages._idle = list(converters), list(converters)
    started = time.monotonic()
    interrupt = threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT])
    with closing(pages), closing(readings(pages, ["0.html"], size=len, workers=2)) as found:
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            next(found)
    assert time.monotonic() - started < 60
    assert not ours()


def test_a_conversion_that_nobody_wants_any_more_is_ended(pages: FolderCorpus) -> None:
    hanging = (sys.executable, "-c", "import time; time.sleep(300)")
    converters = [Converter(command=hanging) for _ in range(2)]
    pages._converters, pages._idle = list(converters), list(converters)
    started = time.monotonic()
    files = ["0.txt", *(f"{n}.html" for n in range(12))]
    with closing(pages):
        with closing(readings(pages, files, size=lambda _: 1, workers=2)) as found:
            assert next(found)[0] == "0.txt"
            while not all(one._worker for one in converters):
                time.sleep(0.01)
        assert not ours()
    assert time.monotonic() - started < 60
    pages._converters, pages._idle = [], []
    with closing(pages):
        assert pages.read("1.html").documents  # it may be read from again


def test_passages_are_taken_as_they_are_needed_whatever_their_number(
    encoder: Encoder[Runtime],
) -> None:
    taken = 0

    def inputs() -> Iterator[PassageInput]:
        nonlocal taken
        while True:
            taken += 1
            yield PassageInput(f"Passage {taken}.", (Span(0, 7),))

    with closing(encoder.encode_passages(inputs())) as encoded:  # type: ignore[type-var]
        vectors = [next(encoded).vector for _ in range(150)]
    assert taken < 400
    alone = [PassageInput(f"Passage {n + 1}.", ()) for n in range(150)]
    for one, vector in zip(encoder.encode_passages(alone), vectors, strict=True):
        assert np.array_equal(one.vector, vector)


def test_a_graph_run_by_several_threads_gives_what_one_gives(
    exported: Path, encoder: Encoder[Runtime]
) -> None:
    from qa.encoding.runtimes import OnnxRuntime

    [folder] = exported.glob("encoders/*")
    ids = [encoder.tokens.encode(f"Passage {'word ' * n}").ids for n in range(20)]
    found = list(OnnxRuntime(folder, workers=4, warm=True).forward(iter(ids)))
    expected = list(OnnxRuntime(folder, warm=True).forward(ids))
    assert all(map(np.array_equal, found, expected))
    assert not ours()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "garbage"}, None),
        ({"cpu.max": "100000 0"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "20000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu.max": "99900000 100000\n"}, None),
    ],
)
def test_no_more_cores_are_used_than_a_container_may(
    tmp_path: Path, files: dict[str, str], expected: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == (expected or usable_cores(tmp_path / "nothing"))


def test_jobs_say_how_many_cores_are_used(tmp_path: Path) -> None:
    assert Settings(jobs=3).cores() == 3
    assert Settings().cores() == usable_cores() >= 1
    assert load_settings(folder=tmp_path, environment={"QA_JOBS": "2"}).jobs == 2
    for wrong in (0, -1, 1025, True, 1.5):
        with pytest.raises(SettingsError, match="jobs"):
            Settings(jobs=wrong)  # type: ignore[arg-type]


def test_any_number_of_jobs_gives_the_same_index(run: Run, corpus: Path, tmp_path: Path) -> None:
    answers = []
    for jobs in (1, 3):
        index = tmp_path / f"index-{jobs}"
        assert run("index", "--corpus", corpus, "--index", index, "--jobs", jobs)[0] == 0
        asked = ("ask", "What do whales eat?", "--corpus", corpus, "--index", index)
        answers.append(run(*asked, "--format", "json")[1].replace(str(index), ""))
    assert answers[0] == answers[1]
    status, _, told = run("index", "--corpus", corpus, "--jobs", 0)
    assert status == 2
    assert "jobs" in told
