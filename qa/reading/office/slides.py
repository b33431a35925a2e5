"""PowerPoint's slides (PPTX), each a section: what stands on it from top to bottom, then notes."""

from __future__ import annotations

from io import BytesIO
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pptx import Presentation

from qa.reading.captions import caption
from qa.reading.extracted import Composer
from qa.reading.office import guarded
from qa.reading.office.odf import slide_heading
from qa.reading.office.ooxml import Package
from qa.reading.tables import add_table, by_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qa.reading.extracted import Extracted

__all__ = ["read_slides"]

_Rows = list[dict[int, str]]
_UNSEEN = str.maketrans({"\x0b": " ", "\xad": None})  # line breaks within a paragraph, soft hyphens


@guarded
def read_slides(raw: bytes) -> Extracted:
    """Read a presentation; what charts show is below what else is on their slide.

    Raises:
        UnreadableError: not a presentation, encrypted, damaged, or without text.
    """
    package = Package(raw)
    composer = Composer()
    warnings: list[str] = []
    for number, slide in enumerate(Presentation(BytesIO(package.repacked())).slides, 1):
        title = slide.shapes.title
        heading = _clean(title.text) if title is not None else ""
        pieces = list(_pieces(slide.shapes, title))
        part = slide.part.partname.lstrip("/")
        pieces += [text for text in package.beside(part, "diagramData", "comments") if text.strip()]
        charts = list(_charts(slide.shapes))
        notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        said = list(_paragraphs(notes.text)) if notes is not None else []
        if not (heading or pieces or charts or said):
            continue
        composer.heading(slide_heading(number, heading), level=1)
        _add(composer, pieces)
        for chart in charts:
            if (table := _chart(chart)) is None:
                warnings.append(f"a chart on slide {number} is of a kind that is not read")
                continue
            composer.heading(": ".join(filter(None, ("Chart", table[0]))), level=2)
            _add(composer, table[1:])
        if said:
            composer.heading("Notes", level=2)
            _add(composer, said)
    return composer.finish(package.metadata(), warnings=warnings)


def _add(composer: Composer, pieces: Iterable[str | _Rows]) -> None:
    for piece in pieces:
        if isinstance(piece, str):
            composer.add(piece)
        else:
            add_table(composer, piece)


def _clean(text: str) -> str:
    return text.translate(_UNSEEN).strip()


def _paragraphs(text: str) -> Iterator[str]:
    return filter(None, map(_clean, text.split("\n")))


def _placed(shapes: Iterable[Any]) -> list[Any]:
    """The shapes from top to bottom, and from left to right."""
    unplaced = float("-inf")
    return sorted(
        shapes,
        key=lambda shape: tuple(unplaced if at is None else at for at in (shape.top, shape.left)),
    )


def _pieces(shapes: Iterable[Any], title: Any) -> Iterator[str | _Rows]:  # noqa: ANN401 - of pptx
    """Paragraphs and tables, without the title; what is said of a picture stands in its place."""
    for shape in _placed(shapes):
        if _is_group(shape):
            yield from _pieces(shape.shapes, title)
        elif shape.has_table:
            yield [by_column(_clean(cell.text) for cell in row.cells) for row in shape.table.rows]
        elif shape.has_text_frame:
            if shape != title:
                yield from _paragraphs(shape.text_frame.text)
        elif _local_name(shape) == "pic":
            about = next(shape.element.iter("{*}cNvPr"))
            if said := caption(_clean(about.get("descr", "")), shape.name):
                yield said


def _charts(shapes: Iterable[Any]) -> Iterator[Any]:
    for shape in _placed(shapes):
        if _is_group(shape):
            yield from _charts(shape.shapes)
        elif shape.has_chart:
            yield shape.chart


def _is_group(shape: Any) -> bool:  # noqa: ANN401 - of pptx
    return _local_name(shape) == "grpSp"


def _local_name(shape: Any) -> str:  # noqa: ANN401 - of pptx
    return str(shape.element.tag.rpartition("}")[2])


def _chart(chart: Any) -> tuple[str, _Rows] | None:  # noqa: ANN401 - of pptx
    """The title and values of a chart; None where the library doesn't know its kind."""
    try:
        has_title = chart.has_title and chart.chart_title.has_text_frame
        title = _clean(chart.chart_title.text_frame.text) if has_title else ""
        names = ["Category", *(series.name for series in chart.series)]
        columns = [[category.label for category in chart.plots[0].categories]]
        columns += [list(series.values) for series in chart.series]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    rows = [["" if value is None else str(value) for value in row] for row in zip_longest(*columns)]
    return title, [by_column(row) for row in (names, *rows)]
