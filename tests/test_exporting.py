"""What is exported is what the catalog has, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import qa
from qa.exporting.tables import write_table
from qa.store.opening import moment

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

TABLES = ("documents", "passages", "places", "vectors")
MOON = "Who set foot on the Moon?"


def read(path: Path) -> Any:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def plain(rows: Any) -> list[dict[str, Any]]:
    """Rows as JSON has them, whatever they came from."""

    def one(key: str, value: Any) -> Any:
        if key == "metadata":
            return dict(value)
        return [float(number) for number in value] if key == "vector" else value

    return [{key: one(key, value) for key, value in row.items()} for row in rows]


@pytest.mark.parametrize("what", TABLES)
def test_all_formats_have_the_rows_that_a_program_gets(
    assistant: qa.Assistant, corpus: Path, tmp_path: Path, what: str
) -> None:
    (corpus / "table.csv").write_text("name,city\nKim,Pyongyang\nLee,Seoul\n", "utf-8")
    (corpus / "about.md").write_text(
        "---\nauthor: Ä. Blake\ntitle: On Ys\n---\n\nYs fell.\n", "utf-8"
    )
    assistant.refresh()
    rows = plain(assistant.rows(what))
    assert rows
    for suffix in ("parquet", "arrow", "jsonl"):
        file = tmp_path / f"{what}.{suffix}"
        assert assistant.export(file, what) == len(rows)
        if suffix == "jsonl":
            found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        else:
            table = read(file)
            about = {key.decode(): one.decode() for key, one in table.schema.metadata.items()}
            assert about["qa"] == qa.__version__
            assert about["schema"] == f"qa.{what}/1"
            assert (about["corpus"], about["model"]) == (str(corpus), "all-MiniLM-L6-v2")
            found = table.to_pylist()
        assert plain(found) == rows
    assert sorted(one.name for one in tmp_path.glob(f".{what}*")) == []


def test_the_rows_are_those_of_the_catalog(assistant: qa.Assistant, tmp_path: Path) -> None:
    assistant.refresh()
    passages: dict[Any, Any] = {row["passage"]: row for row in assistant.rows("passages")}
    vectors = {row["passage"]: row["vector"] for row in assistant.rows("vectors")}
    with moment(tmp_path / "index") as snapshot:
        assert len(passages) == snapshot.count_passages()
        for number, vector in snapshot.vectors():
            assert (vectors.pop(number) == vector).all()
        for row in snapshot.passages(passages):
            found = passages[row.id]
            assert (found["start"], found["end"], found["text"]) == (row.start, row.end, row.text)
            text = assistant.document(str(found["document"])).text
            assert text[row.start : row.end] == row.text
            assert found["has_vector"] is True
    assert not vectors
    documents = list(assistant.rows("documents"))
    assert [row["document"] for row in documents] == [one.id for one in assistant.documents()]
    assert sum(int(str(row["passages"])) for row in documents) == len(passages)


def test_a_vector_has_a_fixed_size_and_nearly_unit_length(
    assistant: qa.Assistant, tmp_path: Path
) -> None:
    import numpy as np

    assistant.refresh()
    assistant.export(tmp_path / "v.parquet", "vectors")
    column = read(tmp_path / "v.parquet").column("vector")
    assert column.type == pa.list_(pa.float32(), 384)
    lengths = np.linalg.norm(np.array(column.to_pylist()), axis=1)
    assert np.allclose(lengths, 1, atol=1e-3)


def test_rows_are_of_one_moment_whatever_is_indexed_meanwhile(
    assistant: qa.Assistant, corpus: Path
) -> None:
    assistant.refresh()
    before = list(assistant.rows("passages"))
    rows = assistant.rows("passages")
    begun = [next(rows)]
    (corpus / "moon.md").unlink()
    (corpus / "new.txt").write_text("The lighthouse of Ys was built in 1862.\n", "utf-8")
    assistant.refresh()
    assert begun + list(rows) == before
    after = {row["document"] for row in assistant.rows("passages")}
    assert "new.txt" in after
    assert "moon.md" not in after


@pytest.mark.parametrize("what", TABLES)
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
def test_an_index_without_a_passage_gives_a_table_without_rows(
    tmp_path: Path, cache: Path, what: str, suffix: str
) -> None:
    file = tmp_path / f"nothing.{suffix}"
    with qa.Assistant(documents={"a": " "}, cache=cache) as assistant:
        assistant.refresh()
        count = assistant.export(file, what)
    assert count == (1 if what == "documents" else 0)
    if suffix == "jsonl":
        assert file.read_text("utf-8").count("\n") == count
    else:
        assert read(file).num_rows == count


def test_half_a_surrogate_pair_becomes_a_mark_in_tables_and_an_escape_in_json(
    tmp_path: Path,
) -> None:
    row = {"document": "a\ud800b", "start": 0, "kind": "label", "value": "\udfff"}
    for form in ("parquet", "arrow", "jsonl"):
        path = tmp_path / f"p.{form}"
        with path.open("wb") as sink:
            assert write_table([row], sink, form, table="places", about={}) == 1
        if form == "jsonl":
            assert json.loads(path.read_bytes().decode("utf-8")) == row
        else:
            assert read(path).to_pylist() == [row | {"document": "a?b", "value": "?"}]


def test_many_rows_come_in_batches_and_all_of_them(tmp_path: Path) -> None:
    rows = [{"document": "d", "start": n, "kind": "page", "value": str(n)} for n in range(10_001)]
    with (tmp_path / "p.arrow").open("wb") as sink:
        assert write_table(iter(rows), sink, "arrow", table="places", about={}) == len(rows)
    table = read(tmp_path / "p.arrow")
    assert table.to_pylist() == rows
    assert len(table.to_batches()) == 3


def test_what_fails_in_the_middle_leaves_the_file_of_before_and_nothing_beside(
    assistant: qa.Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qa.store.snapshot import Snapshot

    assistant.refresh()
    kept = tmp_path / "out" / "passages.jsonl"
    kept.parent.mkdir()
    kept.write_text("before\n", "utf-8")
    kept.chmod(0o600)
    whole = Snapshot.all_passages

    def damaged(self: Snapshot) -> Any:
        yield next(whole(self))
        raise qa.CatalogDamagedError("damaged")

    monkeypatch.setattr(Snapshot, "all_passages", damaged)
    with pytest.raises(qa.CatalogDamagedError):
        assistant.export(kept)
    assert kept.read_text("utf-8") == "before\n"
    assert list(kept.parent.iterdir()) == [kept]
    monkeypatch.undo()
    assistant.export(kept)
    assert kept.read_text("utf-8") != "before\n"
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and pipes")
def test_a_signal_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from qa.cli.stopping import stoppable\n"
        "from qa.exporting.appearing import appearing\n"
        "with stoppable(), appearing(sys.argv[1]) as sink:\n"
        "    sink.write(b'half'); sink.flush(); print('half', flush=True); time.sleep(60)\n"
    )
    (tmp_path / "out").mkdir()
    one = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "out" / "table.jsonl")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert one.stdout is not None
    assert one.stdout.readline() == b"half\n"
    one.send_signal(signal.SIGTERM)
    assert one.wait(30) == 143
    one.stdout.close()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and links")
def test_a_pipe_is_written_to_and_a_link_stays_one(assistant: qa.Assistant, tmp_path: Path) -> None:
    assistant.refresh()
    real, link, pipe = tmp_path / "real.jsonl", tmp_path / "link.jsonl", tmp_path / "pipe.jsonl"
    link.symlink_to(real)
    assistant.export(link)
    assert link.is_symlink()
    assert real.read_text("utf-8").count("\n") == len(list(assistant.rows()))
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:  # noqa: S607
        assistant.export(pipe)
        assert reader.communicate(timeout=30)[0] == real.read_bytes()
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_command_writes_the_same(run: Run, corpus: Path, tmp_path: Path) -> None:
    places = ["--corpus", corpus, "--index", tmp_path / "index"]
    status, out, err = run("export", "nowhere.jsonl", *places)
    assert (status, out) == (2, "")
    assert "qa index" in err
    assert not (tmp_path / "nowhere.jsonl").exists()
    assert run("index", *places)[0] == 0
    status, out, err = run("export", "-", "--what", "documents", *places)
    assert status == 0
    assert [json.loads(line)["document"] for line in out.splitlines()] == [
        "bread.txt",
        "deep/whales.txt",
        "moon.md",
    ]
    status, out, err = run("export", "p.parquet", *places)
    assert (status, out) == (0, "")
    assert f"{read(tmp_path / 'p.parquet').num_rows} passages written to p.parquet" in err
    for file, message in (("no/where.jsonl", "No such file"), (".", "can't be written")):
        status, _, err = run("export", file, *places)
        assert status == 2
        assert message in err


@pytest.mark.parametrize(
    ("given", "message"),
    [({"what": "nonsense"}, "what is"), ({"format": "csv"}, "format is"), ({"what": 7}, "what is")],
)
def test_what_makes_no_sense_is_refused(
    assistant: qa.Assistant, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    assistant.refresh()
    with pytest.raises(qa.QuestionError, match=message):
        assistant.export(tmp_path / "x", **given)
    with pytest.raises(qa.QuestionError, match="what is"):
        assistant.rows("nonsense")


def test_without_pyarrow_json_lines_are_written_and_the_others_name_the_extra(
    assistant: qa.Assistant, corpus: Path, tmp_path: Path
) -> None:
    assistant.refresh()
    program = (
        "import sys; sys.modules['pyarrow'] = None\nimport qa\n"
        f"with qa.Assistant({str(corpus)!r}, {str(tmp_path / 'index')!r}) as assistant:\n"
        f"    assistant.export({str(tmp_path / 'x.jsonl')!r})\n"
        f"    try: assistant.export({str(tmp_path / 'x.parquet')!r})\n"
        "    except qa.MissingExtraError as error: print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "retrieval-qa[data]" in done.stdout
    assert (tmp_path / "x.jsonl").exists()
    assert not (tmp_path / "x.parquet").exists()


# --- questions in tables ----------------------------------------------------------------


def written(path: Path, columns: dict[str, Any]) -> Path:
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_table_of_questions_becomes_a_table_of_answers(
    run: Run, corpus: Path, tmp_path: Path, suffix: str
) -> None:
    questions = written(
        tmp_path / f"questions.{suffix}",
        {
            "id": ["a", "b", "c", "d", "e"],
            "question": [MOON, None, "What does a barrister earn?", "How long?", MOON],
            "within": [None, None, None, None, ["*.txt"]],
            "k": [1, None, None, 0, None],
            "split": ["train"] * 5,  # not a column that asks
        },
    )
    places = ["--corpus", corpus, "--index", tmp_path / "index"]
    answers = tmp_path / f"answers.{suffix}"
    status, out, _ = run("ask", "--batch", questions, "--output", answers, *places)
    assert (status, out) == (2, "")  # the fourth can't be asked
    rows = read(answers).to_pylist()
    assert [(row["line"], row["id"]) for row in rows] == [(1, "a"), (3, "c"), (4, "d"), (5, "e")]
    first, second, third, fourth = rows
    assert first["answered"] is True
    assert [one["citation"] for one in first["passages"]] == ["moon.md:7"]
    assert first["passages"][0]["quote"] == "Neil Armstrong set foot on it in July 1969."
    assert (second["answered"], second["passages"], second["error"]) == (False, [], None)
    assert "k is 0" in third["error"]
    assert third["question"] == "How long?"
    assert {one["document"] for one in fourth["passages"]} <= {"bread.txt", "deep/whales.txt"}
    _, out, _ = run("ask", "--batch", questions, *places)
    told = [json.loads(line) for line in out.splitlines()]
    assert [one["line"] for one in told] == [1, 3, 4, 5]
    assert told[0]["probability"] == first["probability"]
    run("ask", "--batch", questions, "--output", tmp_path / "answers.jsonl", *places)
    again = (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in again] == told


def test_an_arrow_stream_and_conditions_in_a_map_are_read(
    run: Run, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "by.md").write_text("---\nauthor: B. Blake\n---\n\nThe Moon is far.\n", "utf-8")
    kind = pa.map_(pa.string(), pa.string())
    table = pa.table({"question": [MOON], "where": pa.array([[("author", "B. Blake")]], kind)})
    with pa.ipc.new_stream(str(tmp_path / "q.arrow"), table.schema) as writer:
        writer.write_table(table)
    places = ["--corpus", corpus, "--index", tmp_path / "index", "--threshold", "0"]
    _, out, err = run("ask", "--batch", tmp_path / "q.arrow", *places)
    assert [one["citation"]["document"] for one in json.loads(out)["passages"]] == ["by.md"], err


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_what_is_no_table_of_questions_is_refused(
    run: Run, corpus: Path, tmp_path: Path, suffix: str
) -> None:
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(b"PAR1 nothing of the kind")
    other = written(tmp_path / f"other.{suffix}", {"ask": [MOON]})
    for file, message in (
        (broken, "can't be read"),
        (other, 'no column "question"'),
        (tmp_path / f"nowhere.{suffix}", "can't be read"),
    ):
        status, out, err = run("ask", "--batch", file, "--corpus", corpus, "--output", "o.parquet")
        assert (status, out) == (2, ""), err
        assert message in err
        assert not (tmp_path / "o.parquet").exists()
    status, _, err = run("ask", MOON, "--output", "o.parquet", "--corpus", corpus)
    assert status == 2
    assert "--output names a file, with --batch" in err


def test_lines_of_any_kind_become_a_table_too(run: Run, corpus: Path, tmp_path: Path) -> None:
    lines = [
        MOON,
        '{"question": 3}',
        '{"question": null}',
        '{"id": 7, "question": "Who?", "k": 0}',
        "{",
    ]
    (tmp_path / "lines.txt").write_text("\n".join(lines), "utf-8")
    status, _, err = run(
        "ask", "--batch", "lines.txt", "--output", "a.arrow", "--corpus", corpus, "--index", "ix"
    )
    assert status == 2, err
    rows = read(tmp_path / "a.arrow").to_pylist()
    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["error"] is None for row in rows] == [True, False, False, False, False]
    assert [row["question"] for row in rows] == [MOON, None, None, "Who?", ""]
    assert [row["id"] for row in rows] == [None, None, None, "7", None]
