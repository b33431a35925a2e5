"""The inverted file that large corpora get, against exact search over the same vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss
import numpy as np
import pytest

from qa.store import vectors
from qa.store.vectors import VectorsDamagedError, VectorSegment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.store.durable_files import Segment

COUNT, DIMENSION, K = 6000, 32, 10
ASKED = 100
MORE_IN_A_CHUNK = 7  # ids are not the numbers of rows


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / lengths, np.float32)


@pytest.fixture(scope="module", name="rows")
def _rows() -> NDArray[np.float32]:
    """Vectors in groups, as passages about the same things are: float32 `[n, d]`, unit length."""
    chance = np.random.default_rng(1)
    centres = chance.standard_normal((300, DIMENSION))
    noise = chance.standard_normal((COUNT, DIMENSION))
    return unit((centres[chance.integers(0, 300, COUNT)] + 0.5 * noise).astype(np.float32))


@pytest.fixture(scope="module", name="ids")
def _ids() -> NDArray[np.int64]:
    return np.arange(COUNT, dtype=np.int64) * MORE_IN_A_CHUNK + 3


def numbered(
    ids: NDArray[np.int64], rows: NDArray[np.float32]
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Give what is embedded as the catalog does, with numbers that are not those of the rows."""
    return zip(range(2, 2 * len(ids) + 2, 2), ids.tolist(), rows, strict=True)


def ids_of(found: list[tuple[float, int]]) -> list[int]:
    return [one for _, one in found]


@pytest.fixture(scope="module", name="questions")
def _questions(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    chance = np.random.default_rng(2)
    chosen = rows[chance.choice(COUNT, ASKED, replace=False)]
    noise = 0.05 * chance.standard_normal(chosen.shape)
    return unit((chosen + noise).astype(np.float32))


@pytest.fixture(scope="module", name="built")
def _built(
    rows: NDArray[np.float32], ids: NDArray[np.int64], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Segment]:
    """Give the folder of an inverted file over all rows, and what it is known by."""
    folder = tmp_path_factory.mktemp("vectors")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vectors, "IVF_FROM", COUNT)
        sealed = vectors.build(folder, "vectors-1", lambda: numbered(ids, rows), COUNT, COUNT)
    assert isinstance(faiss.read_index(str(folder / "vectors-1.faiss")), faiss.IndexIVF)
    return folder, sealed


@pytest.fixture(name="opened")
def _opened(built: tuple[Path, Segment]) -> Callable[..., VectorSegment]:
    def opened(dead: tuple[int, ...] = ()) -> VectorSegment:
        segment = VectorSegment(*built)
        segment.set_dead(np.array(dead, np.int64))
        return segment

    return opened


def exactly(
    question: NDArray[np.float32], rows: NDArray[np.float32], ids: NDArray[np.int64]
) -> list[int]:
    return [int(ids[n]) for n in np.argsort(-(rows @ question), kind="stable")[:K]]


def recall(found: list[list[int]], wanted: list[list[int]]) -> float:
    hits = sum(len(set(a) & set(b)) for a, b in zip(found, wanted, strict=True))
    return hits / sum(map(len, wanted))


def test_an_inverted_file_finds_nearly_all_that_exact_search_finds(
    opened: Callable[..., VectorSegment],
    rows: NDArray[np.float32],
    ids: NDArray[np.int64],
    questions: NDArray[np.float32],
) -> None:
    index = opened()
    assert len(index) == COUNT
    found = [ids_of(index.search(question, K)) for question in questions]
    assert all(len(set(one)) == K for one in found)
    assert recall(found, [exactly(question, rows, ids) for question in questions]) >= 0.95


def test_what_an_inverted_file_finds_comes_nearest_first(
    opened: Callable[..., VectorSegment], rows: NDArray[np.float32], questions: NDArray[np.float32]
) -> None:
    index = opened()
    for question in questions:
        found = [(one - 3) // MORE_IN_A_CHUNK for one in ids_of(index.search(question, K))]
        cosines = rows[found] @ question
        assert (np.diff(cosines) <= 1e-3).all()  # rows are kept in 16 bits


@pytest.mark.parametrize("share", [2, 50, 1500])
def test_a_filter_finds_the_nearest_of_what_it_lets_pass_in_an_inverted_file(
    opened: Callable[..., VectorSegment],
    rows: NDArray[np.float32],
    ids: NDArray[np.int64],
    questions: NDArray[np.float32],
    share: int,
) -> None:
    index, allowed = opened(), np.arange(0, COUNT, share)
    found = [ids_of(index.search(question, K, ids[allowed])) for question in questions]
    assert all(len(one) == min(K, len(allowed)) and set(one) <= set(ids[allowed]) for one in found)
    wanted = [exactly(question, rows[allowed], ids[allowed]) for question in questions]
    # Of few, every list is searched: all are found but what 16 bits tell apart.
    assert recall(found, wanted) >= (0.95 if share == 2 else 0.99)


@pytest.mark.parametrize("share", [2, 20])
def test_a_filter_by_subject_finds_the_nearest_of_a_question_on_another_subject(
    opened: Callable[..., VectorSegment],
    rows: NDArray[np.float32],
    ids: NDArray[np.int64],
    questions: NDArray[np.float32],
    share: int,
) -> None:
    index, found, wanted = opened(), [], []
    for question, other in zip(questions, np.roll(questions, 1, axis=0), strict=True):
        subject = np.sort(np.argsort(-(rows @ other))[: COUNT // share])
        found.append(ids_of(index.search(question, K, ids[subject])))
        assert len(found[-1]) == K
        wanted.append(exactly(question, rows[subject], ids[subject]))
    assert recall(found, wanted) >= 0.9


def test_a_filter_that_no_row_passes_finds_nothing_in_an_inverted_file(
    opened: Callable[..., VectorSegment], questions: NDArray[np.float32]
) -> None:
    assert opened().search(questions[0], K, np.array([], np.int64)) == []
    assert opened().search(questions[0], K, np.array([1, 2], np.int64)) == []


def test_dead_rows_of_an_inverted_file_are_never_found(
    opened: Callable[..., VectorSegment],
    rows: NDArray[np.float32],
    ids: NDArray[np.int64],
    questions: NDArray[np.float32],
) -> None:
    first = opened()
    dead = sorted({one for question in questions for one in ids_of(first.search(question, K))})
    numbers = {one: number for number, one, _ in numbered(ids, rows)}
    index = opened((1, 3, *(numbers[one] for one in dead), 10 * COUNT))
    live = ~np.isin(ids, dead)
    assert len(index) == live.sum() == COUNT - len(dead)
    found = [ids_of(index.search(question, K)) for question in questions]
    assert not {one for each in found for one in each} & set(dead)
    wanted = [exactly(question, rows[live], ids[live]) for question in questions]
    assert recall(found, wanted) >= 0.95


def test_an_inverted_file_with_one_changed_byte_is_not_opened(
    built: tuple[Path, Segment], tmp_path: Path
) -> None:
    for name in ("vectors-1.faiss", "vectors-1.ids.npy"):
        (tmp_path / name).write_bytes((built[0] / name).read_bytes())
    file = tmp_path / "vectors-1.faiss"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(VectorsDamagedError):
        VectorSegment(tmp_path, built[1])


def test_fewer_rows_than_the_bound_are_searched_exactly(
    rows: NDArray[np.float32], ids: NDArray[np.int64], tmp_path: Path
) -> None:
    vectors.build(tmp_path, "vectors-1", lambda: numbered(ids, rows), COUNT, COUNT)
    index = faiss.read_index(str(tmp_path / "vectors-1.faiss"))
    assert isinstance(index, faiss.IndexScalarQuantizer)
    assert index.ntotal < vectors.IVF_FROM
