"""PDF: what is a table and what stands in columns, and where the cells of a row belong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from qa.reading.pdf import read_pdf
from qa.reading.pdf.lines import Cell, Line
from qa.reading.pdf.tables import row_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = ("red", "dun", "wan")
LEFT = ("The old harbour was", "built by two men who", "came in the spring.")
RIGHT = ("Nothing of it is left", "today but a tower in", "which maps are kept.")


def text_of(
    rows: Sequence[Sequence[str]], *, xs: Sequence[float] = (72, 300, 420, 500), step: float = 15
) -> str:
    """Draw rows line by line, each cell at its place, and read them."""
    pdf = FPDF(unit="pt", format="A4")
    pdf.set_auto_page_break(auto=False)
    pdf.set_font("Helvetica", size=11)
    pdf.add_page()
    for row, cells in enumerate(rows):
        for x, cell in zip(xs, cells, strict=False):
            if cell:
                pdf.text(x, 90 + step * row, cell)
    return read_pdf(bytes(pdf.output())).text


def test_short_columns_of_prose_are_read_one_after_the_other() -> None:
    found = text_of(list(zip(LEFT, RIGHT, strict=True)))
    assert " ".join(found.split()) == " ".join((*LEFT, *RIGHT))


def test_the_longer_of_two_columns_is_read_to_its_end_before_the_other() -> None:
    longer = (*LEFT[:-1], "came in the spring of", "the year of the flood.")
    found = text_of([*zip(longer, RIGHT, strict=False), (longer[3], "")])
    assert " ".join(found.split()) == " ".join((*longer, *RIGHT))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("Ida Boye", "Quay 7", "4711 Oldtown"), ("Jan Smit", "Main Street 12", "9900 Newtown")),
        (
            ("Bill to", "John Smith", "12 Elm Street", "Springfield, IL 62704"),
            ("Ship to", "Jane Miller", "7 Oak Avenue", "Portland, OR 97201"),
        ),
    ],
)
def test_blocks_that_stand_side_by_side_are_read_one_after_the_other(
    left: tuple[str, ...], right: tuple[str, ...]
) -> None:
    found = text_of(list(zip(left, right, strict=True)))
    assert [" ".join(block.split()) for block in found.split("\n\n")] == [
        " ".join(left),
        " ".join(right),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [("Boat", "Tons"), ("Anna", "12"), ("Ida", "9")],
        [("Name", "Town"), ("Ida Boye", "Oldtown"), ("Jan Smit", "Newtown")],
        [("Street", "Town"), ("Quay 7", "4711 Oldtown"), ("Main Street 12", "9900 Newtown")],
        [("Berth", "Room"), ("Quay 7", "Room 12"), ("Quay 8", "Room 13")],
        [("Name:", "Ida Boye"), ("Street:", "Quay 7"), ("Town:", "4711 Oldtown")],
        [("Option", "Meaning"), ("verbose", "says more than usual"), ("quiet", "says nothing")],
        [("item 31190", "item 77678"), ("item 62135", "item 82014"), ("item 61503", "item 33994")],
        [("cold water", "from the sea"), ("warm water", "from the lake"), ("ice", "from the hill")],
        [("row 1 of the left", "row 1 of the rest"), ("row 2 of the left", "row 2 of the rest")]
        * 2,
        [("Ship", "Port")] + [(f"by the {one} sea", f"at the {one} sea") for one in COLOURS],
        [("Total for May", "12.50"), ("Total for June", "9.75"), ("Total for July", "11.00")],
        [
            ("Opening hours of the office", "Monday to Friday, nine to five"),
            ("Telephone number", "0123 456789"),
            ("Who to ask", "Ida Boye"),
        ],
    ],
)
def test_a_small_table_stays_a_table(rows: list[tuple[str, str]]) -> None:
    assert text_of(rows).splitlines() == [" | ".join(row) for row in rows]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        (
            [("Part", "Size", "Price"), ("Nut", "M6", "0.20"), ("Bolt", "", "3.50")],
            ["Part | Size | Price", "Nut | M6 | 0.20", "Bolt |  | 3.50"],
        ),
        (
            [("Part", "Size", "Price"), ("Nut", "", "0.20"), ("Bolt", "M8", "")],
            ["Part | Size | Price", "Nut |  | 0.20", "Bolt | M8"],
        ),
        (
            [("", "2021", "2022"), ("Income", "41", "52"), ("Costs", "38", "40")],
            ["| 2021 | 2022", "Income | 41 | 52", "Costs | 38 | 40"],
        ),
    ],
)
def test_an_empty_cell_keeps_its_place(rows: list[tuple[str, ...]], lines: list[str]) -> None:
    assert text_of(rows).splitlines() == lines


WORDS = st.sampled_from(
    [*"harbour boat Ida tons 12 1904 M8 0.20 a Oldtown".split(), "of the sea", "a boat", "Quay 7"]
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(3, 5), st.integers(2, 8))
def test_every_value_of_a_table_stands_under_its_name(
    data: st.DataObject, columns: int, count: int
) -> None:
    sides = st.lists(st.sampled_from("LRC"), min_size=columns, max_size=columns)
    above, below = data.draw(sides), data.draw(sides)
    names = ["Name", "Height", "Width", "Depth", "Price"][:columns]
    full = [[data.draw(WORDS) for _ in range(columns)] for _ in range(count)]
    holes = data.draw(
        st.sets(st.tuples(st.integers(1, count - 1), st.integers(1, columns - 1)), max_size=count)
    )
    rows = [
        [
            "" if (row, column) in holes and cells_left(holes, row, columns) > 1 else cell
            for column, cell in enumerate(cells)
        ]
        for row, cells in enumerate(full)
    ]
    pdf = FPDF(unit="pt", format="A4")
    pdf.set_font("Helvetica", size=10)
    pdf.add_page()
    for at, row in enumerate([names, *rows]):
        for cell, side in zip(row, below if at else above, strict=True):
            pdf.cell(70, 16, cell, align=side)
            pdf.cell(20)
        pdf.ln()
    lines = read_pdf(bytes(pdf.output())).text.splitlines()
    found = [line.split(" | ") for line in lines]
    assert [[*row, *[""] * (columns - len(row))] for row in found] == [names, *rows]


@pytest.mark.parametrize(("above", "below"), ["LR", "CL", "CR", "RL", "LL"])
def test_values_stand_under_their_names_where_no_row_is_full(above: str, below: str) -> None:
    rows = [
        ("Part", "Size", "Weight", "Price"),
        ("Bolt", "8", "", "3"),
        ("Nut", "", "4", "2"),
        ("Pin", "6", "9", ""),
    ]
    pdf = FPDF(unit="pt", format="A4")
    pdf.set_font("Helvetica", size=10)
    pdf.add_page()
    for at, row in enumerate(rows):
        for cell in row:
            pdf.cell(110, 16, cell, align=below if at else above)
            pdf.cell(20)
        pdf.ln()
    lines = read_pdf(bytes(pdf.output())).text.splitlines()
    assert lines == [" | ".join(row).removesuffix(" | ") for row in rows]


CELLS = st.lists(
    st.builds(
        lambda x0, width: Cell("x", x0, x0 + width),
        st.floats(0, 600),
        st.floats(0, 200),
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(CELLS, min_size=1, max_size=12))
def test_no_cell_is_lost_or_moved_past_another_however_rows_are_laid_out(
    rows: list[list[Cell]],
) -> None:
    lines = [
        Line(
            tuple(cell._replace(text=f"{row}.{at}") for at, cell in enumerate(cells)),
            base=800 - 14 * row,
            size=11,
            angle=0,
            bold=False,
        )
        for row, cells in enumerate(rows)
    ]
    for line, cells in zip(lines, row_cells(lines), strict=True):
        assert [cell for cell in cells if cell] == [cell.text for cell in line.cells]


def cells_left(holes: set[tuple[int, int]], row: int, columns: int) -> int:
    """Count the cells of a row that are not empty."""
    return columns - sum(one == row for one, _ in holes)
