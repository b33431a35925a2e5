"""`qa ask --batch` on tables: a question a row of Parquet or Arrow in, an answer a row out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qa.cli.batch_lines import Line, Result, reading
from qa.errors import QuestionsError
from qa.exporting.appearing import appearing
from qa.exporting.tables import chosen_format, require_pyarrow, suffix_format, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from qa.cli.output import Output
    from qa.types import Answer

__all__ = ["read_questions", "write_results"]

# Columns that ask; others are left to whoever joins the answers to them, by line or id.
_ASKED = (
    *("question", "k", "threshold", "explain", "per_document"),
    *("within", "where", "since", "until"),
)


def read_questions(name: str, portion: int) -> Iterator[list[Line]]:
    """The rows that ask something, so many at a time; a row without a question is passed over.

    Raises:
        QuestionsError: the file can't be read, or has no column "question".
        MissingExtraError: pyarrow is not installed.
    """
    form = suffix_format(name)
    require_pyarrow(form or "parquet")
    number = 0
    batches = _parquet(name, portion) if form == "parquet" else _arrow(name, portion)
    while True:
        with reading(name):
            if (batch := next(batches, None)) is None:
                return
            rows = batch.to_pylist()
        numbered = enumerate(rows, number + 1)
        number += len(rows)
        if lines := [_line(at, row) for at, row in numbered if _asks(row)]:
            yield lines


def _parquet(name: str, portion: int) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(name) as file:
        columns = _columns(name, file.schema_arrow.names)
        yield from file.iter_batches(portion, columns=columns)


def _arrow(name: str, portion: int) -> Iterator[Any]:
    import pyarrow as pa

    with pa.memory_map(name) as source:
        try:
            file = pa.ipc.open_file(source)
            batches = map(file.get_batch, range(file.num_record_batches))
        except pa.ArrowInvalid:  # the form that streams have
            source.seek(0)
            file = batches = pa.ipc.open_stream(source)
        columns = _columns(name, file.schema.names)
        for batch in batches:
            chosen = batch.select(columns)
            for start in range(0, chosen.num_rows, portion):
                yield chosen.slice(start, portion)


def _columns(name: str, found: list[str]) -> list[str]:
    if "question" not in found:
        raise QuestionsError(
            f'{name} has no column "question"', hint=f"It has: {', '.join(found)[:200]}."
        )
    return [key for key in ("id", *_ASKED) if key in found]


def _asks(row: Mapping[str, Any]) -> bool:
    question = row["question"]
    return question is not None and not (isinstance(question, str) and not question.strip())


def _line(number: int, row: dict[str, Any]) -> Line:
    key = row.pop("id", None)
    if isinstance(row.get("where"), list):  # a map comes as pairs
        row["where"] = dict(row["where"])
    if isinstance(row.get("where"), dict):  # a struct has all keys of all rows
        row["where"] = {name: one for name, one in row["where"].items() if one is not None}
    asked = {name: one for name, one in row.items() if one is not None}
    if not (key is None or isinstance(key, str | int)) or isinstance(key, bool):
        return Line(number, problem="The id is neither text nor a whole number")
    return Line(number, key, asked)


def write_results(results: Iterable[Result], name: str, output: Output) -> None:
    """Write what came of each line to a file, which is there once all is written.

    Raises:
        StorageError: it can't be written.
        MissingExtraError: pyarrow is needed, and not installed.
    """
    from qa import __version__

    form = chosen_format(None, name)

    def rows() -> Iterator[dict[str, Any]]:
        for number, one in enumerate(results, 1):
            yield one.to_dict() if form == "jsonl" else _row(one)
            output.doing(f"{number:,} lines asked")

    with appearing(name) as sink:
        about = {"schema": "qa.answers/1", "qa": __version__}
        write_table(rows(), sink, form, table="answers", about=about)


def _row(one: Result) -> dict[str, Any]:
    key, answer = one.line.key, one.answer
    about = {"line": one.line.number, "id": None if key is None else str(key)}
    if answer is None:
        asked = one.line.asked
        question = asked if isinstance(asked, str) else asked.get("question")
        shown = question if isinstance(question, str) else None
        return about | {"question": shown, "error": one.line.problem}
    return about | {
        **{key: getattr(answer, key) for key in ("question", "answered", "verdict", "probability")},
        "reason": answer.reason,
        "model": answer.model,
        "corpus": answer.corpus,
        "passages": _passages(answer),
    }


def _passages(answer: Answer) -> list[dict[str, Any]]:
    named = ("document", "file", "page", "start_line", "end_line", "start", "end", "quote")
    return [
        {
            **{key: getattr(one.citation, key) for key in named},
            "rank": rank,
            "citation": str(one.citation),
            "heading_path": list(one.citation.heading_path),
            "evidence": one.evidence.citation.quote,
            "score": one.scores.fused,
        }
        for rank, one in enumerate(answer.passages, 1)
    ]
