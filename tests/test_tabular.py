"""Tables and records: rows read with their header names, cited by number."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading.extracted import Extracted, UnreadableError
from qa.reading.tabular import read_records, read_table
from qa.types import PlaceKind


def rows_of(extracted: Extracted) -> list[tuple[str, str]]:
    """Give `(row, text)` of each block."""
    found = []
    for section in extracted.sections:
        for block in section.blocks:
            row = ""
            for place in extracted.places:
                assert place.kind is PlaceKind.ROW
                row = place.value if place.start <= block.start else row
            found.append((row, extracted.text[block.start : block.end]))
    return found


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_are_read_with_their_header_names(delimiter: str, encoding: str) -> None:
    text = "name,year,town\nKim,1950,Oslo\nLee,1961,Bodø\n".replace(",", delimiter)
    assert rows_of(read_table(text.encode(encoding))) == [
        ("1", "name: Kim; year: 1950; town: Oslo"),
        ("2", "name: Lee; year: 1961; town: Bodø"),
    ]


def test_a_decimal_comma_does_not_part_cells() -> None:
    raw = b"place;depth;tide\nQuay;1,5;2,5\nLock;3,0;4,1\n"
    assert rows_of(read_table(raw))[0] == ("1", "place: Quay; depth: 1,5; tide: 2,5")


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends() -> None:
    raw = b'name,note\r\n"Lee, Kim","said ""no""\r\n\r\ntwice"\r\nAda,\r\n'
    assert rows_of(read_table(raw)) == [
        ("1", 'name: Lee, Kim; note: said "no" twice'),
        ("2", "name: Ada"),
    ]


def test_a_quote_that_is_never_closed_swallows_no_rows() -> None:
    raw = b'part,size\npipe,"5 inch\nrod,7\nbolt,"9, long"\nnut,3\n'
    rows = rows_of(read_table(raw))
    assert rows[1:] == [
        ("2", "part: rod; size: 7"),
        ("3", "part: bolt; size: 9, long"),
        ("4", "part: nut; size: 3"),
    ]
    assert "5 inch" in rows[0][1]


@pytest.mark.parametrize(
    "raw",
    [
        b"1,2\n3,4\n",
        b"Kim,1950\nLee,1961\n",
        b"2024-01-02,rain\n2024-01-03,sun\n",
        b"kim@example.org,x\nlee@example.org,y\n",
        b"yes,Oslo\nno,Oslo\n",
        b"a,a\nb,c\n",
        b"150,4,setosa,virginica\n5.1,3.5,1.4,0.2\n",
        b"only,row\n",
    ],
)
def test_a_first_row_that_looks_like_data_is_a_row(raw: bytes) -> None:
    first = raw.decode().split("\n", 1)[0].replace(",", " | ")
    assert rows_of(read_table(raw))[0] == ("1", first)


def test_years_beside_a_name_are_header_names() -> None:
    raw = b"country,2019,2020,2021\nNorway,1,2,3\n"
    assert rows_of(read_table(raw)) == [("1", "country: Norway; 2019: 1; 2020: 2; 2021: 3")]


def test_ragged_rows_and_empty_cells_lose_nothing() -> None:
    raw = b",name,town\n0,Kim,Oslo,extra\n1,Lee\n,,\n\n4,Ada,Rome\n"
    assert rows_of(read_table(raw)) == [
        ("1", "0; name: Kim; town: Oslo; extra"),
        ("2", "1; name: Lee"),
        ("5", "4; name: Ada; town: Rome"),
    ]


def test_columns_that_are_empty_throughout_hide_no_header_names() -> None:
    raw = b",name,,year,,,,,\n,Kim,,1950,,,,,\n\n,Lee,,1961,,,,,\n"
    assert rows_of(read_table(raw)) == [
        ("1", "name: Kim; year: 1950"),
        ("3", "name: Lee; year: 1961"),
    ]


def test_one_far_cell_makes_no_line_of_bars() -> None:
    raw = b"1950,2\n" + b"," * 16383 + b"7\n1961,3\n"
    assert rows_of(read_table(raw)) == [("1", "1950 | 2"), ("2", "7"), ("3", "1961 | 3")]


def test_lines_above_the_table_are_a_caption_and_no_rows() -> None:
    raw = b"Ships in port,,\n\nname,length,flag\nVega,120,NO\n"
    assert rows_of(read_table(raw)) == [
        ("", "Ships in port"),
        ("1", "name: Vega; length: 120; flag: NO"),
    ]


def test_excels_line_about_the_separator_is_obeyed() -> None:
    assert rows_of(read_table(b"sep=;\nname;a,b\nKim;1,2\n")) == [("1", "name: Kim; a,b: 1,2")]


def test_a_long_cell_is_prose_of_the_same_row() -> None:
    story = "The ship left at noon. " * 20
    raw = f'id,story,port\n7,"{story}",Oslo\n'.encode()
    assert rows_of(read_table(raw)) == [
        ("1", "id: 7"),
        ("1", f"story: {story.strip()}"),
        ("1", "port: Oslo"),
    ]


def test_huge_cells_and_nul_bytes_are_read() -> None:
    huge = "x" * 500_000
    assert huge in read_table(f"a,b\n1,{huge}\n".encode()).text
    assert rows_of(read_table(b"name,year\0\0\nKim,1950\n"))[0] == ("1", "name: Kim; year: 1950")


@pytest.mark.parametrize("raw", [b"", b"\n\n", b",,\n,,\n", b"\x89PNG\0\0\xff\xfe\x01\x02" * 9])
def test_a_table_without_text_is_reported(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_table(raw)


def test_a_header_alone_is_read_as_text() -> None:
    assert read_table(b"name,year\n").text == "name | year"


_CELLS = st.text(alphabet="ab1é,;|\t\"\n' .", max_size=12)


@given(st.lists(st.lists(_CELLS, min_size=3, max_size=3), min_size=1, max_size=8))
def test_all_letters_of_any_table_are_read_in_their_rows(rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([["key", "x", "y", "z"], *([7, *row] for row in rows)])
    read = rows_of(read_table(stream.getvalue().encode()))
    assert [number for number, _ in read] == [str(number + 1) for number in range(len(rows))]
    for (_, text), row in zip(read, rows, strict=True):
        assert all(text.count(one) == "".join(row).count(one) for one in "ab1é")


def test_a_row_is_a_section_so_that_no_passage_joins_it_with_another() -> None:
    raw = b"name,year\nKim,1950\nLee,1961\n"
    assert [(s.heading_path, len(s.blocks)) for s in read_table(raw).sections] == [((), 1)] * 2


@given(st.binary(max_size=200))
def test_no_bytes_make_the_readers_fail(raw: bytes) -> None:
    for read in (read_table, read_records):
        try:
            assert read(raw) == read(raw)
        except UnreadableError:
            continue


def test_records_are_read_key_by_key() -> None:
    records = [
        {"name": "Kim", "home": {"town": "Oslo", "zip": "0150"}, "tags": ["a", "b"], "x": None},
        {"ships": [{"name": "Vega"}, {"name": "Lyra"}], "price": 1.10, "sold": True},
    ]
    raw = "\n".join(json.dumps(one) for one in records).encode()
    assert rows_of(read_records(raw)) == [
        ("1", "name: Kim; home.town: Oslo; home.zip: 0150; tags: a, b"),
        ("2", "ships.name: Vega; ships.name: Lyra; price: 1.1; sold: true"),
    ]


def test_numbers_of_records_stay_as_they_are_written() -> None:
    raw = b'{"price": 1.10, "id": 12345678901234567890123, "n": 1e5}\n'
    assert read_records(raw).text == "price: 1.10; id: 12345678901234567890123; n: 1e5"


def test_a_broken_line_is_text_and_costs_no_other_record() -> None:
    raw = b'{"a": "one"}\n\n{"a": "tw\n' + b"[" * 100_000 + b'\n{"a": "four"}\n'
    rows = rows_of(read_records(raw))
    assert rows[0] == ("1", "a: one")
    assert rows[1] == ("2", '{"a": "tw')
    assert rows[-1] == ("4", "a: four")


def test_records_without_json_are_reported() -> None:
    with pytest.raises(UnreadableError, match="JSON"):
        read_records(b"not\njson\n")


@pytest.mark.skipif("QA_FORMATS" not in os.environ, reason="QA_FORMATS names no folder")
def test_real_tables_give_their_rows() -> None:
    for file in Path(os.environ["QA_FORMATS"]).rglob("*.csv"):
        assert read_table(file.read_bytes()).places, file
