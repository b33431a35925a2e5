"""An index from a stranger: whatever it holds, it can be wrong, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from forging import forge
from qa.assistant import Assistant
from qa.citations.source import open_source
from qa.corpus import FolderCorpus
from qa.errors import ForeignIndexError, ModelError
from qa.indexing.passages import cut
from qa.reading.files import read_text
from qa.store.durable_files import Segment
from qa.store.faiss_header import check_header
from qa.store.hardening import check_files
from qa.store.rows import DocumentRow
from qa.store.vectors import VectorsDamagedError, VectorSegment, build

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.encoding.encoder import Encoder, Runtime

QUESTION = "Who set foot on the Moon?"
MEMORY = 4 << 30  # bytes of address space; the runtimes map more than they use
OUTSIDE = "secret-notes.txt"

# Asks each index in turn; a process that dies names, by what it did not print, who killed it.
CHILD = """
import json, resource, sys
from pathlib import Path
corpus, cache, memory, secret, refresh, *folders = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
from qa.assistant import Assistant
from qa.errors import QaError
for folder in folders:
    with Assistant(corpus, folder, cache=cache) as one:
        try:
            answer = one.ask("Who set foot on the Moon?", refresh=refresh == "yes")
        except QaError as error:
            said = {"error": type(error).__name__}
        else:
            said = {"passages": len(answer.passages)}
            for found in answer.passages + answer.nearest:
                raw = (Path(corpus) / found.citation.document).read_bytes()
                place = slice(found.citation.start_byte, found.citation.end_byte)
                assert raw[place].decode() == found.citation.quote
            json.dumps(answer.to_dict(), allow_nan=False)
            assert "secret" not in str(answer.to_dict()["passages"])
    said["secret"] = any(secret in path for path in opened)
    print(json.dumps({"folder": folder, **said}), flush=True)
"""


def meta(key: str, value: str) -> str:
    return f"REPLACE INTO meta VALUES ('{key}', {value})"


def moon(**columns: str) -> str:
    """Change what the catalog says of one document and of the file that holds it."""
    tables: dict[str, list[str]] = {"document": [], "file": []}
    for name, value in columns.items():
        for table in ("document",) if name == "encoding" else ("file", "document"):
            if table == "file" or name in {"path", "encoding"}:
                tables[table].append(f"{name} = {value}")
    return ";".join(
        f"UPDATE {table} SET {', '.join(changes)} WHERE path = 'moon.md'"
        for table, changes in tables.items()
        if changes
    )


def passages(**columns: str) -> str:
    return "UPDATE passage SET " + ", ".join(f"{name} = {one}" for name, one in columns.items())


def embeddings(**columns: str) -> str:
    return passages(**columns).replace("passage", "embedding", 1)


def endless(character: str) -> str:
    return f"printf('%.100000c', '{character}')"


ROWS = {
    "a view for a table": "ALTER TABLE passage RENAME TO p;CREATE VIEW passage AS SELECT * FROM p",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM document; END",
    "an index with a function": "CREATE INDEX i ON document (abs(day))",
    "another table": "CREATE TABLE more (x)",
    "a virtual table": "CREATE VIRTUAL TABLE v USING fts5(x)",
    "a column more": "ALTER TABLE passage ADD COLUMN x AS (zeroblob(1000000000))",
    "a format from the future": "PRAGMA user_version = 99",
    "a count beyond numbers": meta("passages", endless("9")),
    "a count of thirty digits": meta("passages", f"'{'9' * 30}'"),
    "a negative count": meta("passages", "'-5'") + ";" + meta("total_terms", "'-5'"),
    "no terms": meta("total_terms", "'0'") + ";" + meta("total_tokens", "'0'"),
    "passages that wait for nothing": "INSERT INTO pending VALUES (1), (99)",
    "numbers at their end": meta("next_number", f"'{2**63 - 1}'"),
    "numbers beyond numbers": "UPDATE embedding SET number = 'x' || number",
    "ids at their end": meta("next_id", f"'{2**63 - 1}'"),
    "a calibration without end": meta("calibration", endless("[")),
    "a calibration of infinities": meta("calibration", "'{\"bias\": 1e999}'"),
    "a corpus with a NUL": meta("corpus", "'a' || char(0) || 'b'"),
    "vectors' notes without end": meta("vectors", endless("[")),
    "a lexical index elsewhere": meta("lexical", "'/etc'"),
    "a blob of 100 MB": embeddings(vector="zeroblob(100000000)"),
    "text that is no UTF-8": moon(path="CAST(x'ff41' AS TEXT)"),
    "a path that is a number": moon(path="5"),
    "a path that is a blob": moon(path="x'00ff'"),
    "a size that is text": moon(size="'x'", mtime_ns="'y'", inode="x'00'"),
    "a size beyond numbers": moon(size="1e300", mtime_ns="-1e300"),
    "a path upwards": moon(path=f"'../{OUTSIDE}'"),
    "an absolute path": moon(path=f"'/etc/{OUTSIDE}'"),
    "a path with a NUL": moon(path=f"path || char(0) || '../{OUTSIDE}'"),
    "a path through a link": moon(path=f"'link/{OUTSIDE}'"),
    "a path without end": moon(path=endless("a")),
    "a slow encoding": moon(encoding="'punycode'"),
    "an encoding that is a number": moon(encoding="7"),
    "headings without end": passages(headings=endless("[")),
    "headings that are numbers": passages(headings="'[1, {\"a\": 2}]'"),
    "no sentences": passages(spans="x''"),
    "a sentence less": passages(spans="substr(spans, 1, 16)"),
    "text that is a blob": passages(text="CAST(text AS BLOB)", context="3"),
    "vectors that are text": embeddings(vector="'x'", sentences="'y'"),
    "vectors of nothing": embeddings(vector="x''", sentences="x''"),
    "lengths below nothing": passages(length="-1000000000000"),
    "lengths that are text": passages(length="'long'"),
    "lengths beyond numbers": passages(length="1e300"),
    "counts that are text": "UPDATE term SET passages = 'x'; UPDATE token SET passages = x'00'",
    "counts beyond numbers": "UPDATE term SET passages = 1e300; UPDATE token SET passages = -1e300",
    "ids that never lived": f"INSERT INTO dead VALUES (1, 1), ({2**63 - 1}, 9)",
    "a problem of no type": "INSERT INTO problem VALUES (x'ff', 1.5, x'00')",
}


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Give a folder with a corpus, a secret beside it, and an index as it should be."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / OUTSIDE).write_text("The Moon is secret.")
    (folder / "corpus").mkdir()
    moon = "# The Moon\n\nThe Moon has no air.\n\n## Landing\n\nArmstrong set foot on it.\n"
    (folder / "corpus" / "moon.md").write_text(moon)
    (folder / "corpus" / "bread.txt").write_text("Sourdough bread rises through wild yeast.\n")
    (folder / "corpus" / "link").symlink_to(folder)
    with Assistant(folder / "corpus", folder / "index", cache=str(cache)) as one:
        one.refresh()
    return folder


def forged(made: Path, folder: Path, sql: str) -> Path:
    """Copy the index and change its catalog."""
    shutil.copytree(made / "index", folder)
    forge(folder, sql)
    return folder


def asked(
    made: Path, cache: Path, folders: list[Path], *, refresh: bool = False
) -> list[dict[str, object]]:
    """Ask in a process of little memory; each index must give an answer or one of our errors."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, made / "corpus", cache, str(MEMORY), OUTSIDE,
         "yes" if refresh else "no", *folders],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (folders[len(said) :][:1], done.stderr[-3000:])
    assert [one["folder"] for one in said] == [str(one) for one in folders]
    assert not any(one["secret"] for one in said)
    return said


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")


@linux
@pytest.mark.parametrize("options", [{"refresh": False}, {"refresh": True}])
def test_forged_rows_give_an_error_of_ours_or_an_answer_that_holds(
    made: Path, cache: Path, tmp_path: Path, options: dict[str, bool]
) -> None:
    folders = [forged(made, tmp_path / str(n), sql) for n, sql in enumerate(ROWS.values())]
    said = dict(zip(ROWS, asked(made, cache, folders, **options), strict=True))
    assert sum("passages" in one for one in said.values()) >= 3  # most are refused, not all
    for name in ("a view for a table", "a trigger", "another table", "a blob of 100 MB"):
        assert said[name].get("error") == "CatalogDamagedError", name


VALUES = [
    *("NULL", "0", "-1", "1", "7", str(2**31), str(2**63 - 1), str(-(2**63)), "1.5", "1e308"),
    *("-1e308", "9e999", "''", "'x'", "'1'", "'[]'", "'{}'", "'null'", "'\u2028'", "x''", "x'00'"),
    *("x'ffff'", "zeroblob(8)", "zeroblob(384)", "zeroblob(768)", "zeroblob(100000)"),
    *("printf('%.100000c', 'a')", "CAST(x'ff' AS TEXT)", "randomblob(768)", "randomblob(388)"),
]


def columns(index: Path) -> list[tuple[str, str]]:
    """Give all tables and columns of a catalog."""
    db = sqlite3.connect(index / "catalog.sqlite")
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = [(t, row[1]) for t in tables for row in db.execute(f"PRAGMA table_info({t})")]
    db.close()
    return found


@linux
@pytest.mark.parametrize("options", [{"refresh": False}, {"refresh": True}])
def test_so_does_any_value_in_any_column(
    made: Path, cache: Path, tmp_path: Path, options: dict[str, bool]
) -> None:
    chance = random.Random(int(os.environ.get("SEED", "1")))  # noqa: S311 - to be repeated
    places, folders = columns(made / "index"), []
    for n in range(int(os.environ.get("FORGED", "60"))):
        table, column = chance.choice(places)
        where = chance.choice(["", f" WHERE rowid % {chance.randint(2, 3)} = 0"])
        where = where if table not in {"meta", "problem"} else ""  # these have no rowid
        sql = f"UPDATE OR IGNORE {table} SET {column} = {chance.choice(VALUES)}{where}"
        try:
            folders.append(forged(made, tmp_path / str(n), sql))
        except (sqlite3.IntegrityError, TypeError):  # NULL, where there may be none; a sealed blob
            continue
    assert len(asked(made, cache, folders, **options)) == len(folders) > 40


@linux
def test_vectors_and_scales_that_are_no_numbers_are_refused(
    made: Path, cache: Path, tmp_path: Path
) -> None:
    folders = []
    for column in ("vector", "sentences"):
        folder = forged(made, tmp_path / column, "SELECT 1")
        with sqlite3.connect(folder / "catalog.sqlite") as db:
            rows = db.execute(f"SELECT passage, {column} FROM embedding").fetchall()
        db.close()
        for one, blob in rows:
            nan = struct.pack("<e", float("nan")) * 2 + blob[4:]
            nan = nan if column == "vector" else struct.pack("<f", float("inf")) + blob[4:]
            forge(folder, f"UPDATE embedding SET {column} = x'{nan.hex()}' WHERE passage = {one}")
        folders.append(folder)
    assert [one.get("error") for one in asked(made, cache, folders)] == ["CatalogDamagedError"] * 2


def header(rows: int, dimension: int, kind: bytes = b"IxSQ") -> bytes:
    return struct.pack("<4siq", kind, dimension, rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: header(2**60, 8) + raw[16:],
        lambda raw: header(3, 2**31 - 1) + raw[16:],
        lambda raw: header(3, -8) + raw[16:],
        lambda raw: header(3, 8, b"IxFI") + raw[16:],
        lambda raw: header(3, 8, b"IwPQ") + raw[16:],
        lambda raw: raw[:-1],
        lambda raw: raw + b"x",
        lambda raw: raw[:73] + struct.pack("<Q", 2**62) + raw[81:],
        lambda raw: raw[:41] + b"\x07" + raw[42:],
        lambda raw: raw[:10],
        lambda raw: raw[:0],
    ],
)
def test_a_file_of_vectors_with_another_header_is_not_opened(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    rows = [(n, n, np.full(8, n / 3, np.float32)) for n in (1, 2, 3)]
    segment = build(tmp_path, "vectors-1", lambda: iter(rows), 3, 3)
    file = tmp_path / "vectors-1.faiss"
    check_header(file, rows=3)
    assert VectorSegment(tmp_path, segment).search(rows[0][2], 3)
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(ValueError, match="vectors-1"):
        check_header(file, rows=3)


def test_numbers_of_rows_and_ids_that_are_no_rows_are_refused(tmp_path: Path) -> None:
    rows = [(n, n, np.full(8, n / 3, np.float32)) for n in (1, 2, 3)]
    build(tmp_path, "vectors-1", lambda: iter(rows), 3, 3)
    for wrong in (-1, 2**63, "3", 1.5, None):
        with pytest.raises(ValueError, match="not a count"):
            Segment(stem="vectors-1", rows=wrong, last=3, size=1, checksum=1)  # type: ignore[arg-type]
    for ids in (np.zeros((3, 2), np.int64), np.array(["a", "b", "c"]), np.zeros(3, np.complex64)):
        np.save(tmp_path / "vectors-1.ids.npy", ids)
        with pytest.raises(VectorsDamagedError):
            VectorSegment(tmp_path, Segment(3, 3, "vectors-1", 3, 3))


LINKS = """catalog.sqlite catalog.sqlite-wal catalog.sqlite-journal writer.lock lexical-2
vectors-2.faiss new-vectors-2.faiss new-vectors-2.ids.npy""".split()
WAYS: dict[str, Callable[[Assistant], object]] = {
    "refresh": lambda one: one.refresh(),
    "rebuild": lambda one: one.refresh(rebuild=True),
    "status": lambda one: one.status(),
    "ask": lambda one: one.ask(QUESTION),
    "ask only": lambda one: one.ask(QUESTION, refresh=False),
}


@pytest.mark.skipif(sys.platform == "win32", reason="links")
@pytest.mark.parametrize("name", LINKS)
def test_a_link_among_the_files_of_an_index_is_neither_read_nor_written_through(
    made: Path, cache: Path, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(made / "index", tmp_path / "index"))
    victim = tmp_path / "victim"
    victim.mkdir() if name == "lexical-2" else victim.write_bytes(b"precious" * 1000)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(victim)
    corpus = Path(shutil.copytree(made / "corpus", tmp_path / "corpus", symlinks=True))
    (corpus / "new.txt").write_text("Something new.")
    for do in WAYS.values():
        with (
            Assistant(corpus, folder, cache=str(cache)) as one,
            pytest.raises(ForeignIndexError, match=name),
        ):
            do(one)
    assert victim.is_dir() or victim.read_bytes() == b"precious" * 1000
    assert not victim.is_dir() or not list(victim.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="pipes in folders")
@pytest.mark.parametrize("name", ["vectors-1.faiss", "vectors-1.ids.npy", "lexical-1/meta.json"])
def test_a_pipe_among_the_files_of_an_index_does_not_hold_up_a_question(
    made: Path, cache: Path, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(made / "index", tmp_path / "index"))
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with (
        Assistant(made / "corpus", folder, cache=str(cache)) as one,
        pytest.raises(ForeignIndexError, match=Path(name).name),
    ):
        one.ask(QUESTION, refresh=False)


WRITER = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = DELETE")
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE passage SET text = text || hex(zeroblob(100000))")
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the path in the journal")
def test_a_journal_has_no_file_of_the_user_deleted(made: Path, cache: Path, tmp_path: Path) -> None:
    def with_journal(folder: Path, victim: Path) -> Path:
        shutil.copytree(made / "index", folder)
        subprocess.run([sys.executable, "-c", WRITER, folder / "catalog.sqlite"], check=True)
        name = str(victim).encode()
        journal = folder / "catalog.sqlite-journal"
        page = struct.unpack(">I", journal.read_bytes()[24:28])[0]
        journal.write_bytes(
            journal.read_bytes()
            + struct.pack(">I", (1 << 30) // page + 1)
            + name
            + struct.pack(">II", len(name), sum(name))
            + bytes.fromhex("d9d505f920a163d7")
        )
        return folder

    victims = [tmp_path / "one.txt", tmp_path / "other.txt"]
    for victim in victims:
        victim.write_text("precious")
    folder = with_journal(tmp_path / "plain", victims[0])
    with sqlite3.connect(folder / "catalog.sqlite") as db:  # what the check is for
        db.execute("SELECT count(*) FROM meta").fetchone()
    db.close()
    assert not victims[0].exists()
    folder = with_journal(tmp_path / "index", victims[1])
    for rebuild in (False, True):
        with (
            Assistant(made / "corpus", folder, cache=str(cache)) as one,
            pytest.raises(ForeignIndexError, match="delete another file"),
        ):
            one.refresh(rebuild=rebuild)
    assert victims[1].read_text() == "precious"


def test_a_usual_index_passes_and_so_does_none(made: Path, tmp_path: Path) -> None:
    check_files(made / "index")
    check_files(tmp_path / "nowhere")


def test_an_index_does_not_decide_which_folder_serves_as_a_model(
    made: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "huge.json").write_text("{}")
    for n, name in enumerate((str(tmp_path / "model"), "/", ".")):
        folder = forged(made, tmp_path / f"index-{n}", meta("model", f"'{name}'"))
        with (
            Assistant(made / "corpus", folder, cache=str(cache)) as one,
            pytest.raises(ModelError, match="not used here before"),
        ):
            one.ask(QUESTION, refresh=False)


def test_a_catalog_puts_no_words_of_its_own_into_a_text_file(tmp_path: Path) -> None:
    raw = b"What the file says."
    (tmp_path / "a.txt").write_bytes(raw)
    (tmp_path / "a.csv").write_bytes(b"name,age\nAnn,3\n")
    corpus = FolderCorpus(tmp_path, max_file_size=999)
    for name, cited in (("a.txt", False), ("a.csv", True)):
        sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        row = DocumentRow(1, name, "table", "", name, sha256, {})
        assert bool(open_source(corpus, row, "What the catalog says.")) == cited


def test_a_heading_without_end_does_not_take_the_square_of_its_length(
    encoder: Encoder[Runtime],
) -> None:
    text = f"# {'long ' * 50_000}\n\n" + "A sentence of its own, more or less.\n\n" * 400
    document = read_text("a.md", text.encode()).documents[0]
    cuts = cut(document, encoder.tokens, encoder.budget)
    kept = [one.passage.heading_path[0] for one in cuts]
    assert len(kept) > 10
    assert {len(one) for one in kept} == {1000}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.md",
            "# Rumours\n\nFalse.\n\n# Facts\n\n## The Moon\n\nArmstrong set foot on it.\n",
        ),
        ("a.md", "Facts\n=====\n\nThe Moon\n--------\n\nArmstrong set foot on it.\n"),
        (
            "a.md",
            "# Facts #\n\n~~~\n# no heading\n~~~\n\n## The Moon\n\nArmstrong set foot on it.\n",
        ),
        ("a.rst", "Facts\n=====\n\nThe Moon\n--------\n\nArmstrong set foot on it.\n"),
        ("a.adoc", "= Facts\n\n== The Moon\n\nArmstrong set foot on it.\n"),
        (
            "a.py",
            'class Facts:\n    def the_moon(self):\n        "Armstrong set foot on it."\n',
        ),
        ("a.txt", "Facts\n\nArmstrong set foot on the Moon.\n"),
    ],
)
def test_headings_above_a_quote_are_those_of_its_file(
    tmp_path: Path, cache: Path, name: str, text: str
) -> None:
    """A stranger's index can say what it wants of them; another section's heading won't do."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / name).write_text(text)
    with Assistant(tmp_path / "corpus", tmp_path / "index", cache=str(cache)) as one:
        [found] = one.ask("Who set foot on it?", 1, threshold=0).passages
    expected = found.citation.heading_path
    for path in (["All this is false"], ["Rumours"], ["Facts", "Facts"], ["The Moon", "Facts"]):
        forge(tmp_path / "index", f"UPDATE passage SET headings = '{json.dumps(path)}'")
        with Assistant(tmp_path / "corpus", tmp_path / "index", cache=str(cache)) as one:
            [found] = one.ask("Who set foot on it?", 1, threshold=0).passages
        assert found.citation.heading_path == found.evidence.citation.heading_path == expected
    # Nothing that was not there is added either.
    forge(tmp_path / "index", "UPDATE passage SET headings = '[]'")
    with Assistant(tmp_path / "corpus", tmp_path / "index", cache=str(cache)) as one:
        [found] = one.ask("Who set foot on it?", 1, threshold=0).passages
    assert found.citation.heading_path == ()
