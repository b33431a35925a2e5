"""Tables written as rows come: Parquet and Arrow through pyarrow, JSON lines without it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

from qa.errors import MissingExtraError, QuestionError
from qa.visible import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TableFormat", "chosen_format", "require_pyarrow", "suffix_format", "write_table"]

TableFormat = Literal["parquet", "arrow", "jsonl"]
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
_SUFFIXES: dict[str, TableFormat] = {
    "parquet": "parquet",
    "arrow": "arrow",
    "feather": "arrow",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
}
_ROWS = 4096  # of a record batch or a row group
_CITED = {
    "rank": "int32",
    "citation": "string",
    "document": "string",
    "file": "string",
    "page": "int32",
    "start_line": "int64",
    "end_line": "int64",
    "start": "int64",
    "end": "int64",
    "quote": "string",
    "evidence": "string",
    "score": "double",
}
# The columns of each table, by Arrow's names of types; `struct` is a list of passages.
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "documents": {
        "document": "string",
        "file": "string",
        "format": "string",
        "encoding": "string",
        "sha256": "string",
        "title": "string",
        "metadata": "map",
        "passages": "int64",
    },
    "passages": {
        "passage": "int64",
        "document": "string",
        "start": "int64",
        "end": "int64",
        "heading_path": "list",
        "text": "string",
        "has_vector": "bool_",
    },
    "places": {"document": "string", "start": "int64", "kind": "string", "value": "string"},
    "vectors": {
        "passage": "int64",
        "document": "string",
        "start": "int64",
        "end": "int64",
        "vector": "vector",
    },
    "answers": {
        "line": "int64",
        "id": "string",
        "question": "string",
        "answered": "bool_",
        "verdict": "string",
        "probability": "double",
        "reason": "string",
        "error": "string",
        "model": "string",
        "corpus": "string",
        "passages": "struct",
    },
}


def chosen_format(wanted: str | None, name: str) -> TableFormat:
    """The format that is wanted, or else that which a file's name ends in, or JSON lines.

    Raises:
        QuestionError: there is no such format.
        MissingExtraError: it needs pyarrow, which is not installed.
    """
    form = suffix_format(name) or "jsonl" if wanted is None else wanted
    for one in FORMATS:
        if one == form:
            if one != "jsonl":
                require_pyarrow(one)
            return one
    raise QuestionError(f"format is {form!r:.80}", hint=f"Give one of: {', '.join(FORMATS)}.")


def suffix_format(name: str) -> TableFormat | None:
    """The format that a file's name ends in; None where it ends in none."""
    return _SUFFIXES.get(name.rpartition(".")[2].lower())


def require_pyarrow(wanted: TableFormat) -> None:
    """Have what a format needs.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: F401 - to say so before the work, not after
    except ImportError as error:
        raise MissingExtraError(wanted.capitalize(), "data") from error


def write_table(
    rows: Iterable[Mapping[str, object]],
    sink: BinaryIO,
    wanted: TableFormat,
    *,
    table: str,
    about: Mapping[str, str],
) -> int:
    """Write rows as they come, some thousands at a time; gives how many they were.

    Args:
        rows: of one table.
        sink: where to; it need not seek.
        wanted: the format.
        table: "documents", "passages", "places", "vectors" or "answers".
        about: what the schema's metadata says.

    Raises:
        OSError: the sink takes no more.
    """
    if wanted == "jsonl":
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 - how many they were
            line = json.dumps(row, ensure_ascii=False, default=_listed)
            sink.write(f"{escaped(line)}\n".encode())
        return count
    rest = iter(rows)
    first = next(rest, None)
    schema = _schema(table, first).with_metadata(dict(about))
    count = 0
    with _writer(sink, schema, wanted) as write:
        all_rows = chain([] if first is None else [first], rest)
        while batch := list(islice(all_rows, _ROWS)):
            write(_record_batch(batch, schema))
            count += len(batch)
    return count


def _listed(one: object) -> object:
    """A vector as JSON has it."""
    return [float(number) for number in one]  # type: ignore[attr-defined]


@contextmanager
def _writer(sink: BinaryIO, schema: Any, wanted: TableFormat) -> Iterator[Any]:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa
    import pyarrow.parquet as pq

    if wanted == "parquet":
        with pq.ParquetWriter(sink, schema, compression="zstd") as parquet:
            yield parquet.write_batch
    else:
        with pa.ipc.new_file(sink, schema) as arrow:
            yield arrow.write_batch


def _schema(table: str, first: Mapping[str, object] | None) -> Any:  # noqa: ANN401 - as above
    import pyarrow as pa

    def kind(name: str) -> Any:  # noqa: ANN401 - as above
        match name:
            case "list":
                return pa.list_(pa.string())
            case "map":
                return pa.map_(pa.string(), pa.string())
            case "struct":
                inner = [pa.field(key, kind(one)) for key, one in _CITED.items()]
                return pa.list_(pa.struct([*inner, pa.field("heading_path", kind("list"))]))
            case "vector":
                # An index without a vector has no dimension either.
                vector: Any = None if first is None else first["vector"]
                return pa.list_(pa.float32(), 1 if vector is None else len(vector))
            case _:
                return getattr(pa, "float64" if name == "double" else name)()

    return pa.schema([pa.field(key, kind(one)) for key, one in _COLUMNS[table].items()])


def _record_batch(batch: list[Mapping[str, object]], schema: Any) -> Any:  # noqa: ANN401 - as above
    import pyarrow as pa

    columns = [
        _vectors([row[field.name] for row in batch])
        if pa.types.is_fixed_size_list(field.type)
        else pa.array([_whole(row.get(field.name)) for row in batch], field.type)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def _vectors(vectors: list[Any]) -> Any:  # noqa: ANN401 - as above
    import numpy as np
    import pyarrow as pa

    stacked: NDArray[np.float32] = np.stack(vectors)
    return pa.FixedSizeListArray.from_arrays(pa.array(stacked.ravel()), stacked.shape[1])


def _whole(value: Any) -> Any:  # noqa: ANN401 - whatever a row is made of
    """The same without halves of surrogate pairs, which Arrow's text (UTF-8) can't have."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(one) for one in value]
    return value
