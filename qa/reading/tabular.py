"""Tables (CSV, TSV) and records (JSON Lines): each row is read with its header names."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING

from qa.reading.detect.decoding import UndecodableError, decode_padded
from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.reasons import NO_TEXT
from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["read_records", "read_table"]

_DELIMITERS = "\t;|,"  # the rarer in prose and numbers first: it wins where two fit as well
_SAMPLE = 65_536  # characters, in which the delimiter is sought
_SAMPLE_ROWS = 200  # in which header names are told from data
_LONG = 200  # characters: a longer value is prose, with sentences of its own
_MAX_NAME = 200
_STRAY = 100  # quotes that are out of order; past these, none is taken for one
_SEPARATED = re.compile(r"sep=([^\w\s\"]|\t)[ \t]*(?:\r\n?|\n)", re.IGNORECASE)  # written for Excel
# A number, a day, an hour, a share, an address: what a header is not.
_DATUM = re.compile(
    r"[-+]?[\d.,'\u00a0 ]*\d[\d.,]*(?:[eE][-+]?\d+)?\s*[%€$£]?|[€$£]\s*[\d.,]+"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?|\d{1,2}:\d{2}(?::\d{2})?"
    r"|\S+@\S+\.\S+|https?://\S+|true|false|null|n/a",
    re.IGNORECASE,
)


def read_table(raw: bytes) -> Extracted:
    """Read a table of separated values: a row is a block, "name: Kim; year: 1950".

    The delimiter is the one that cuts the most rows into as many cells. The first row has the
    header names unless it looks like data; lines above it with one cell are a caption. Without
    header names, cells are joined with " | ". Empty cells are left out. A cell of more than 200
    characters is a block of its own, in sentences. Rows are counted from 1 below the header,
    with the empty ones.

    Raises:
        UnreadableError: it is not text, or there is nothing in it.
    """
    text = _text(raw)
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    told = _SEPARATED.match(text)
    if told:
        text = text[told.end() :]
    delimiter = told[1] if told else _delimiter(text)
    composer = Composer()
    rows = _rows(text, delimiter)
    sample = list(islice(rows, _SAMPLE_ROWS))
    for row in (caption := _caption(sample)):
        composer.add(" ".join(row))
    sample = sample[len(caption) :]
    names = [_flat(name) for name in sample.pop(0)] if _has_header(sample) else []
    for number, row in enumerate(chain(sample, rows), 1):
        _add(composer, number, _named(row, names), joined="; " if names else " | ")
    extracted = composer.finish()
    if not extracted.sections:
        raise UnreadableError(NO_TEXT)
    return extracted


def read_records(raw: bytes) -> Extracted:
    """Read JSON Lines: a record is a block, "key: value" for each key, nested ones as "a.b".

    A line that is not JSON is read as the text that it is, and counted as a record: it costs
    no other. Blank lines are not counted. Numbers stay as they are written; null and what is
    empty is left out.

    Raises:
        UnreadableError: it is not text, no line of it is JSON, or there is nothing in it.
    """
    composer = Composer()
    lines = [line.strip() for line in _text(raw).split("\n") if line.strip()]
    parsed = 0
    for number, line in enumerate(lines, 1):
        record = _record(line)
        parsed += record is not None
        _add(composer, number, [("", line)] if record is None else record)
    extracted = composer.finish()
    if not extracted.sections:
        raise UnreadableError(NO_TEXT)
    if not parsed:
        raise UnreadableError("no line of it is JSON")
    return extracted


def _text(raw: bytes) -> str:
    try:
        return decode_padded(raw)
    except UndecodableError as error:
        raise UnreadableError(str(error)) from error


def _delimiter(text: str) -> str:
    """The delimiter that cuts the largest share of rows into the same number of cells."""
    sample = text[:_SAMPLE]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample
    best, most = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in _rows(sample, delimiter) if row)
        cut = {width: count for width, count in widths.items() if width > 1}
        share = max(cut.values(), default=0) / max(1, widths.total())
        if share > most:
            best, most = delimiter, share
    return best


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Cut a text into rows of cells.

    A row may have several lines only where its quotes are in order. Where they are not, the
    quote that opens it is a character like any other, and the row has one line.
    """
    lines = list(io.StringIO(text, newline=""))
    at = 0
    for _ in range(_STRAY):
        reader = csv.reader(islice(lines, at, None), delimiter=delimiter, skipinitialspace=True)
        first = last = at
        for row in reader:
            first, last = last, at + reader.line_num
            if last - first > 1 and not _is_whole(lines[first:last], delimiter):
                break
            yield row
        else:
            return
        yield from _unquoted(lines[first : first + 1], delimiter)
        at = first + 1
    yield from _unquoted(lines[at:], delimiter)


def _unquoted(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def _is_whole(lines: Sequence[str], delimiter: str) -> bool:
    """Whether these lines are one row with each quote in its place."""
    try:
        for _ in csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _caption(sample: Sequence[list[str]]) -> Sequence[list[str]]:
    """The rows above the table: of one cell, where the table has more than two or a gap."""
    first = next((at for at, row in enumerate(sample) if _filled(row) > 1), 0)
    gap = any(not _filled(row) for row in sample[:first])
    return sample[:first] if gap or _filled(sample[first] if sample else []) > 2 else []


def _has_header(sample: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has names: its cells are short, differ, and stand in no other row.

    Numbers are names only where they run on evenly beside a text: years, months.
    """
    rows = [row for row in sample if _filled(row)]
    if len(rows) < 2:
        return False
    names = [cell.strip() for cell in rows[0]]
    filled = [name for name in names if name]
    used = {at for row in rows for at, cell in enumerate(row[: len(names)]) if cell.strip()}
    if len(filled) * 2 < len(used) or len(set(filled)) < len(filled):
        return False
    if any(len(name) > _MAX_NAME for name in filled):
        return False
    data = [name for name in filled if _DATUM.fullmatch(name)]
    if data and not (len(data) < len(filled) and _is_even(data)):
        return False
    return not any(
        name and any(at < len(row) and row[at].strip() == name for row in rows[1:])
        for at, name in enumerate(names)
    )


def _is_even(names: Sequence[str]) -> bool:
    if len(names) < 2 or not all(name.isdecimal() and len(name) < 6 for name in names):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(names)}
    return len(steps) == 1 and min(steps) > 0


def _named(row: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each filled cell with its header name; cells past the last name have none."""
    for at, cell in enumerate(row):
        if value := _flat(cell):
            yield names[at] if at < len(names) else "", value


def _flat(cell: str) -> str:
    return " ".join(cell.split())


def _add(
    composer: Composer, number: int, pairs: Iterable[tuple[str, str]], *, joined: str = "; "
) -> None:
    """Add a row: short values on one line, a long one as prose.

    It is a section of its own, so that no passage joins it with its neighbours.
    """
    composer.heading("", level=1)
    composer.place(PlaceKind.ROW, number)
    short: list[str] = []
    for name, value in pairs:
        text = f"{name}: {value}" if name else value
        if len(value) <= _LONG:
            short.append(text)
            continue
        composer.add(joined.join(short), kind=BlockKind.LINES)
        short = []
        composer.add(text)
    composer.add(joined.join(short), kind=BlockKind.LINES)


def _record(line: str) -> list[tuple[str, str]] | None:
    """The keys and values of a record; None where the line is not JSON."""
    try:
        value = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        return list(_pairs(value, ""))
    except (ValueError, RecursionError):
        return None


def _pairs(value: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _pairs(below, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for item in value:
            yield from _pairs(item, key)
    elif isinstance(value, list):
        yield from _pairs(", ".join(filter(None, map(_scalar, value))), key)
    elif text := _scalar(value):
        yield key, text


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else _flat(str(value))
