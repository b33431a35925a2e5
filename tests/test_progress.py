"""How far a refresh is: counted, estimated, and said."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.cli import progress as words
from qa.cli.layout import columns
from qa.indexing.progress import JUMP, Meter, amount
from qa.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Give it, in seconds."""
        return self.now


@dataclass(frozen=True)
class Work:
    """What a refresh has to do: files as (bytes, passages, seconds), then passages as (n, seconds).

    `together`: what was read is embedded at once, file by file; else all is read first.
    """

    files: Sequence[tuple[int, int, float]]
    load: float
    paces: Sequence[float]
    stalls: dict[int, float]
    together: bool = False

    def steps(self) -> Iterator[tuple[float, tuple[str, int, int]]]:
        """Give (seconds, what is done then) in order."""
        embedded = 0

        def embed(passages: int) -> Iterator[tuple[float, tuple[str, int, int]]]:
            nonlocal embedded
            while passages:
                batch = min(8, passages)
                seconds = batch * self.paces[embedded % len(self.paces)]
                seconds += 0 if embedded else self.load
                embedded += batch
                passages -= batch
                yield seconds, ("embedded", batch, 0)

        for size, passages, seconds in self.files:
            yield seconds, ("read", size, passages)
            if self.together:
                yield from embed(passages)
        if not self.together:
            total = sum(passages for _, passages, _ in self.files)
            yield 0.0, ("begin", total, 0)
            yield from embed(total)

    def run(self) -> tuple[list[tuple[float, Progress]], float]:
        """Do it: what was reported, and when; and when it ended."""
        clock = Clock()
        seen: list[tuple[float, Progress]] = []
        meter = Meter(lambda one: seen.append((clock.now, one)), clock)
        meter.begin(documents=len(self.files), bytes=sum(size for size, _, _ in self.files))
        for number, (seconds, (what, first, second)) in enumerate(self.steps()):
            clock.now += seconds + self.stalls.get(number, 0.0)
            if what == "read":
                meter.read("name.md", bytes=first, passages=second)
            elif what == "begin":
                meter.begin_embedding(first)
            else:
                meter.embedded(first)
            if number % 100 == 99:
                meter.committed()
        meter.end()
        return seen, clock.now


FILES = st.tuples(
    st.integers(0, 10**9), st.integers(0, 400), st.sampled_from([0.0, 0.001, 0.05, 3.0, 120.0])
)
WORKS = st.builds(
    Work,
    st.lists(FILES, min_size=1, max_size=30),
    st.floats(0, 60),
    st.lists(st.sampled_from([0.0, 0.001, 0.02, 0.3, 5.0]), min_size=1, max_size=50),
    st.dictionaries(st.integers(0, 300), st.floats(0, 3600), max_size=3),
    st.booleans(),
)


@given(WORKS)
def test_the_estimate_never_jumps_whatever_the_work_is_like(work: Work) -> None:
    seen, _ = work.run()
    before: tuple[float, float] | None = None
    for now, one in seen[:-1]:  # the last says that all is done
        left = one.seconds_left
        if left is None:
            assert before is None, "it was known before"
            continue
        assert left > 0
        if before is not None:
            passed, shown = now - before[0], before[1]
            aged = max(shown - passed, shown / JUMP)  # a stall is no progress
            assert aged / JUMP * 0.999999 <= left <= aged * JUMP * 1.000001
        before = now, left
    assert seen[-1][1].seconds_left == 0


@given(WORKS)
def test_what_is_reported_only_grows_and_ends_with_all(work: Work) -> None:
    reports = [one for _, one in work.run()[0]]
    for before, after in pairwise(reports):
        assert (before.phase, after.phase) != ("embedding", "reading")
        for name in ("documents", "bytes", "kept", "passages", "passages_kept"):
            assert getattr(before, name) <= getattr(after, name)
    for one in reports:
        done, total = amount(one)
        assert done <= total
        assert one.documents <= one.documents_total == len(work.files)
        assert one.kept <= one.documents
        assert one.passages_kept <= one.passages <= one.passages_total or not one.passages_total
    last = reports[-1]
    assert last.kept == last.documents_total
    assert last.passages_kept == last.passages_total


def ordinary(seed: int, *, together: bool) -> Work:
    """Give a corpus of small files and some large ones, a slow start and a stall."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    files = []
    for _ in range(400):
        size = int(chance.lognormvariate(9.5, 1.2))
        if chance.random() < 0.02:
            size *= 30
        passages = int(size / 800 * chance.uniform(0.7, 1.3))
        files.append((size, passages, size / 4e6 * chance.uniform(0.3, 1.7)))
    paces = [0.03 * chance.uniform(0.4, 1.6) for _ in range(997)]
    stalls = {chance.randrange(400, 1500): 40.0, **dict.fromkeys(range(0, 9000, 250), 1.5)}
    return Work(files, chance.uniform(0.3, 8), paces, stalls, together)


@settings(max_examples=20)
@given(st.integers(0, 10**9), st.booleans())
def test_the_estimate_is_within_a_factor_of_two_once_a_fifth_is_done(
    seed: int, together: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:  # fmt: skip
    seen, end = ordinary(seed, together=together).run()
    begin = seen[0][0]
    guessed = 0
    for now, one in seen:
        left = end - now
        if now - begin >= 0.2 * (end - begin) and left > 10 and one.seconds_left is not None:
            guessed += 1
            assert left / 2 <= one.seconds_left <= left * 2, (now - begin, end - begin, one)
    assert guessed > 100


def test_the_estimate_does_not_run_out_before_work_that_slows_down() -> None:
    passages = 3000
    paces = [0.008 * (1 + 3 * n / passages) for n in range(passages)]
    seen, end = Work([(10**6, passages, 1.0)], 0.5, paces, {}).run()
    for now, one in seen:
        if one.seconds_left is not None and now - 1000 >= 0.2 * (end - 1000) and end - now > 2:
            assert (end - now) / 2.5 <= one.seconds_left <= (end - now) * 1.5, (end - now, one)


def test_nothing_is_guessed_before_there_is_evidence() -> None:
    clock = Clock()
    seen: list[Progress] = []
    meter = Meter(seen.append, clock)
    meter.begin(documents=100, bytes=10_000)
    for _ in range(100):
        clock.now += 1
        meter.read("a.md", bytes=100, passages=3)
    meter.begin_embedding(300)
    clock.now += 30  # the model is loaded
    meter.embedded(10)
    assert {one.seconds_left for one in seen} == {None}
    for _ in range(3):
        clock.now += 1
        meter.embedded(10)
    assert seen[-1].seconds_left == pytest.approx(26, rel=0.05)


def test_reports_come_at_most_ten_times_a_second_and_at_each_turn() -> None:
    clock = Clock()
    seen: list[Progress] = []
    meter = Meter(seen.append, clock)
    meter.begin(documents=1000, bytes=1000)
    for _ in range(1000):
        clock.now += 0.001
        meter.read("a.md", bytes=1, passages=1)
    assert 10 <= len(seen) <= 12
    meter.committed()
    meter.begin_embedding(1000)
    meter.end()
    *_, kept, embedding, end = seen
    assert (kept.kept, kept.phase) == (1000, "reading")
    assert (embedding.phase, embedding.passages_total) == ("embedding", 1000)
    assert end.seconds_left == 0


def test_a_refresh_that_only_goes_on_embedding_has_one_phase() -> None:
    seen: list[Progress] = []
    meter = Meter(seen.append, Clock())
    meter.begin(documents=0, bytes=0)
    assert not seen
    meter.begin_embedding(5)
    meter.embedded(5)
    meter.committed()
    meter.end()
    assert {one.phase for one in seen} == {"embedding"}


def test_a_refresh_with_nothing_to_do_says_nothing() -> None:
    seen: list[Progress] = []
    meter = Meter(seen.append, Clock())
    meter.begin(documents=0, bytes=0)
    meter.begin_embedding(0)
    meter.committed()
    meter.end()
    assert not seen


def test_a_refresh_that_another_did_meanwhile_ends() -> None:
    seen: list[Progress] = []
    meter = Meter(seen.append, Clock())
    meter.begin(documents=5, bytes=100)
    meter.begin(documents=0, bytes=0)
    meter.end()
    assert seen[-1].seconds_left == 0


# --- in words ---------------------------------------------------------------------------

READING = Progress("reading", 412, 1571, 18_000_000, 96_000_000, document="deep/name.md")
EMBEDDING = replace(
    READING, phase="embedding", documents=1571, bytes=96_000_000, passages=12_400,
    passages_total=48_210, kept=1571, passages_kept=12_000, seconds_left=244.0,
)  # fmt: skip


def test_it_is_said_in_one_line() -> None:
    assert words.indexing(READING) == "Reading 412 of 1,571 documents (18 of 96 MB)"
    assert words.indexing(EMBEDDING) == "Embedding 12,400 of 48,210 passages, about 4 min left"
    one = Progress("reading", 0, 1, 0, 1500)
    assert words.indexing(one) == "Reading 0 of 1 document (0.0 of 1.5 kB)"
    large = replace(READING, bytes=2_000_000_000, bytes_total=12_500_000_000)
    assert words.indexing(large).endswith("(2 of 12 GB)")


@pytest.mark.parametrize(
    ("room", "reading", "embedding"),
    [
        (37, "Reading 18 %, about 4 min left", "Embedding 25 %, about 4 min left"),
        (49, "Reading 412 of 1,571 documents, about 4 min left",
         "Embedding 25 %, about 4 min left"),
        (77, "Reading 412 of 1,571 documents (18 of 96 MB), about 4 min left",
         "Embedding 12,400 of 48,210 passages, about 4 min left"),
        (100, "Reading 412 of 1,571 documents (18 of 96 MB), about 4 min left  deep/name.md",
         "Embedding 12,400 of 48,210 passages, about 4 min left"),
    ],
)  # fmt: skip
def test_a_narrow_terminal_gets_a_shorter_line(room: int, reading: str, embedding: str) -> None:
    assert words.fitting(replace(READING, seconds_left=244.0), room) == reading
    assert words.fitting(EMBEDDING, room) == embedding


@given(
    st.builds(
        Progress,
        st.sampled_from(["reading", "embedding"]),
        *[st.integers(0, 10**12)] * 6,
        document=st.text(),
        seconds_left=st.none() | st.floats(0, 1e9),
    ),
    st.integers(37, 200),
)
def test_the_line_always_fits(one: Progress, room: int) -> None:
    assert columns(words.fitting(one, room)) <= room


def test_the_time_left_is_said_no_more_exactly_than_it_is_known() -> None:
    said = {seconds: words.left(seconds) for seconds in (None, 0.9, 12, 58, 100, 5000, 8000, 2e5)}
    assert said == {
        None: "",
        0.9: ", a few seconds left",
        12: ", about 10 s left",
        58: ", about 1 min left",
        100: ", about 2 min left",
        5000: ", about 83 min left",
        8000: ", about 2 h left",
        2e5: ", about 2 days left",
    }


def test_who_stops_a_refresh_is_told_what_is_kept() -> None:
    said = {
        replace(READING, kept=94): "Stopped. 94 of 1,571 documents are indexed and kept; "
        "run the same command to go on.",
        replace(READING, kept=1): "Stopped. 1 of 1,571 documents is indexed and kept; "
        "run the same command to go on.",
        READING: "Stopped. Nothing was indexed yet; run the same command to start again.",
        EMBEDDING: "Stopped. 1,571 of 1,571 documents are indexed and kept, with 12,000 of 48,210 "
        "passages embedded; run the same command to go on.",
        replace(EMBEDDING, documents=0, documents_total=0, kept=0): "Stopped. 12,000 of 48,210 "
        "passages are embedded and kept; run the same command to go on.",
        replace(EMBEDDING, seconds_left=0.0): "Stopped. The index is whole: as it was before, or "
        "up to date.",
    }
    for one, sentence in said.items():
        assert words.stopped(one)[0] == sentence
