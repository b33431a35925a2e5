"""Excel's workbooks, old (XLS) and new (XLSX): each sheet a section, each row a line.

The values are read that were there when the workbook was last calculated; nothing is calculated.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

import openpyxl
import xlrd

from qa.reading.extracted import Composer, UnreadableError
from qa.reading.office import guarded
from qa.reading.office.ooxml import Package
from qa.reading.reasons import DAMAGED, ENCRYPTED
from qa.reading.tables import add_table, by_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openpyxl.cell.read_only import EmptyCell, ReadOnlyCell

    from qa.reading.extracted import Extracted

__all__ = ["read_xls", "read_xlsx"]

_MAX_WHOLE = 2**53  # above, a float is not exact to the unit
_MAX_GAP = 2  # empty rows within one table


@guarded
def read_xlsx(raw: bytes) -> Extracted:
    """Read a workbook of Excel 2007 or later.

    Raises:
        UnreadableError: not a workbook, encrypted, or damaged.
    """
    package = Package(raw)
    unpacked = package.repacked()
    parts = dict(package.listed("sheet"))
    composer = Composer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that openpyxl leaves out
        book = openpyxl.load_workbook(
            BytesIO(unpacked), read_only=True, data_only=True, keep_links=False
        )
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what is written in the file can be wrong, or far too much
            rows = map(_filled, sheet.rows)
            beside = package.beside(parts.get(sheet.title, ""), "comments", "drawing")
            _add_sheet(composer, sheet.title, rows, [text for text in beside if text.strip()])
    return composer.finish(package.metadata())


@guarded
def read_xls(raw: bytes) -> Extracted:
    """Read a workbook of Excel 5 to 2003.

    Raises:
        UnreadableError: not a workbook, encrypted, or damaged.
    """
    try:
        book = xlrd.open_workbook(file_contents=raw, logfile=StringIO(), on_demand=True)
    except xlrd.XLRDError as error:
        encrypted = "encrypted" in str(error)
        raise UnreadableError(ENCRYPTED if encrypted else DAMAGED) from error
    composer = Composer()
    for sheet in book.sheets():
        rows = (by_column(_xls_text(cell, book.datemode) for cell in r) for r in sheet.get_rows())
        _add_sheet(composer, sheet.name, rows)
    return composer.finish({"author": book.user_name})


def _add_sheet(
    composer: Composer, name: str, rows: Iterable[dict[int, str]], beside: Sequence[str] = ()
) -> None:
    """Add a sheet and what is written beside its cells.

    Rows after a gap are a table of their own, with names of their own.
    """
    tables: list[list[dict[int, str]]] = []
    gap = _MAX_GAP + 1
    for row in rows:
        if row:
            if gap > _MAX_GAP:
                tables.append([])
            tables[-1].append(row)
            gap = 0
        else:
            gap += 1
    if tables or beside:
        composer.heading(name, level=1)
    for table in tables:
        add_table(composer, table)
    for text in beside:
        composer.add(text)


def _filled(row: Sequence[ReadOnlyCell | EmptyCell]) -> dict[int, str]:
    """The texts of a row by their columns; of its up to 16,384, few may be filled."""
    filled = ((at, cell) for at, cell in enumerate(row) if cell.value is not None)
    texts = ((at, _text(cell.value, cell.number_format)) for at, cell in filled)
    return {at: text for at, text in texts if text}


def _text(value: object, number_format: str = "") -> str:
    """Write a value as a person would read it; how many digits are shown is not kept."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float) and "%" in number_format:
        return f"{value * 100:.15g}%"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < _MAX_WHOLE
        return str(int(value)) if whole else f"{value:.15g}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds").removesuffix(" 00:00:00")
    return str(value).strip()


def _xls_text(cell: xlrd.sheet.Cell, datemode: int) -> str:
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            moment = xlrd.xldate.xldate_as_datetime(cell.value, datemode)
        except (xlrd.xldate.XLDateError, ValueError, OverflowError):
            return _text(cell.value)
        return _text(moment.time() if cell.value < 1 else moment)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _text(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ""))
    return _text(cell.value)
