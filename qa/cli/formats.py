"""An answer in other forms than text for a terminal: for programs, editors, tables, browsers."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from qa.cli.layout import lines_of, shapes
from qa.cli.render.answers import CLOSEST_WHOLE, abstention, explained, link, shown, verdict
from qa.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qa.types import Answer, CitedPassage

__all__ = ["csv", "html", "markdown", "records", "vimgrep"]

_BREAK = re.compile(r"\r\n?|\n")
_SPACE = re.compile(r"\s+")
_BLOCK = re.compile(r"\s*(?:(?:[-*+]|\d{1,9}[.)]|#{1,6}|>)\s+)*")  # what makes a line a block
_MARKUP = re.compile(r"[*_`<>\[\]\\&|~]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = (
    "rank", "citation", "heading", "evidence", "quote", "score", "answered", "probability",
    "document", "start_line", "end_line", "page", "sha256",
)  # fmt: skip
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # nothing runs or is fetched
_STYLE = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:45rem;"
    "margin:2rem auto;padding:0 1rem}blockquote{margin:.5rem 0 1.5rem;white-space:pre-wrap;"
    "overflow-wrap:anywhere}mark{background:none;color:inherit;text-decoration:underline 2px}"
    "p{margin:0}"
)


# --- for people -------------------------------------------------------------------------


def markdown(one: Answer, *, always: bool = False) -> str:
    """Write an answer as Markdown: quotes as block quotes, the evidence in bold."""
    blocks = [f"**{one.question.strip()}**"]
    blocks += [text for text in abstention(one, always=always) if text]
    for number, passage in enumerate(shown(one, always=always, closest=CLOSEST_WHOLE), 1):
        path = " › ".join(passage.citation.heading_path)
        head = f"{number}. {_code(str(passage.citation))}" + (f" — {path}" if path else "")
        head += "".join(f"; also in {_code(str(place))}" for place in passage.also)
        blocks += [head, "\n".join(f"   > {line}".rstrip() for line in _in_bold(passage))]
        blocks += [f"   {line}" for line in explained(passage)]
    return "\n\n".join(blocks)


def _code(text: str) -> str:
    """Write a Markdown code span, on one line, whatever backticks the text has."""
    shown = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _in_bold(one: CitedPassage) -> Iterator[str]:
    """The lines of a quote, what is evidence in bold; not in code and tables, which that breaks."""
    text, (begin, end) = one.citation.quote, _evidence(one)
    lines = list(lines_of(text))
    kinds = shapes([text[first:last] for first, last in lines], one.citation.format)
    for (first, last), kind in zip(lines, kinds, strict=True):
        block = _BLOCK.match(text, first, last)
        start, stop = max(begin, block.end() if block else first), min(end, last)
        bold = text[start:stop].rstrip()
        stop = start + len(bold)
        if kind == "clip" or not re.search(r"\w", bold):
            yield text[first:last]
            continue
        around = text[max(start - 1, first) : start] + text[stop : min(stop + 1, last)]
        is_simple = not _MARKUP.search(bold) and not around.strip()
        opening, closing = ("**", "**") if is_simple else ("<strong>", "</strong>")
        yield f"{text[first:start]}{opening}{bold}{closing}{text[stop:last]}"


def html(one: Answer, root: Path | None, *, always: bool = False) -> str:
    """Write a page of its own: nothing in it runs, and nothing is fetched for it."""
    from html import escape

    def told(text: str) -> str:
        return escape("\n".join(map(visible, _BREAK.split(text))))

    question = told(one.question.strip())
    parts = [
        '<!doctype html>\n<html><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{question}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{question}</h1>",
    ]
    said = (verdict(one),) if one.answered else abstention(one, always=always)
    parts += [f"<p>{told(text)}</p>" for text in said if text]
    parts.append("<ol>")
    for passage in shown(one, always=always, closest=CLOSEST_WHOLE):
        place = told(str(passage.citation))
        if to := link(passage, root):
            place = f'<a href="{escape(to)}">{place}</a>'
        also = "".join(f"; also in {told(str(other))}" for other in passage.also)
        heading = " › ".join(passage.citation.heading_path)
        text, (begin, end) = passage.citation.quote, _evidence(passage)
        before, held, after = map(told, (text[:begin], text[begin:end], text[end:]))
        parts += [
            f"<li><p>{place}{also}</p>",
            f"<p><small>{told(heading)}</small></p>" * bool(heading),
            f"<blockquote>{before}<mark>{held}</mark>{after}</blockquote>",
            *(f"<p><small>{told(line)}</small></p>" for line in explained(passage)),
            "</li>",
        ]
    return "\n".join(filter(None, [*parts, "</ol></body></html>"]))


def _evidence(one: CitedPassage) -> tuple[int, int]:
    """Where the evidence stands in the quote."""
    begin = one.citation.start
    return one.evidence.citation.start - begin, one.evidence.citation.end - begin


# --- for programs -----------------------------------------------------------------------


def records(one: Answer, *, always: bool = False) -> Iterator[dict[str, Any]]:
    """Each passage as JSON, in the form described in docs/json.md.

    Of an abstention the closest passages only where they are asked for: they are not an answer.
    """
    from dataclasses import asdict

    told = {"question": one.question, "answered": one.answered, "probability": one.probability}
    for rank, passage in enumerate(_rows(one, always=always), 1):
        yield {"schema": "qa.passage/1", "rank": rank, **told, **asdict(passage)}


def csv(one: Answer, *, always: bool = False) -> str:
    """Write a row for each passage below the columns' names.

    What a spreadsheet would take for a formula has an apostrophe before it.
    """
    from csv import DictWriter
    from io import StringIO

    written = StringIO()
    rows = DictWriter(written, _COLUMNS, lineterminator="\n")
    rows.writeheader()
    for rank, passage in enumerate(_rows(one, always=always), 1):
        place = passage.citation
        cells = {
            "rank": rank,
            "citation": str(place),
            "heading": " › ".join(place.heading_path),
            "evidence": passage.evidence.citation.quote,
            "quote": place.quote,
            "score": f"{passage.scores.fused:.4f}",
            "answered": "yes" if one.answered else "no",
            "probability": f"{one.probability:.4f}",
            **{key: getattr(place, key) for key in ("document", "start_line", "end_line", "page")},
            "sha256": place.sha256,
        }
        rows.writerow({key: _cell(value) for key, value in cells.items()})
    return written.getvalue().removesuffix("\n")


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = _BREAK.sub("\n", value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def vimgrep(one: Answer, root: Path | None, *, always: bool = False) -> Iterator[str]:
    """Write `path:line:column:text` for each evidence, as `vim -q` and others read it.

    Paths are relative to the working directory where they lie below it. Columns count bytes, from
    1; a file whose text is made from it is opened at its beginning.
    """
    from pathlib import Path

    for passage in _rows(one, always=always):
        place = passage.evidence.citation
        path = Path(place.file) if root is None else root / place.file
        line, column = 1, 1
        if place.encoding:
            line, column = place.start_line, _column(path, place.start, place.encoding)
        try:
            shown_path = os.path.relpath(path)
        except ValueError:  # on another drive
            shown_path = str(path)
        if shown_path.startswith(os.pardir):
            shown_path = str(path.absolute())
        yield f"{shown_path}:{line}:{column}:{_SPACE.sub(' ', place.quote.strip())}"


def _column(path: Path, start: int, encoding: str) -> int:
    try:
        before = path.read_bytes().decode(encoding)[:start]
    except (OSError, ValueError):  # gone or another since it was cited
        return 1
    line = _BREAK.split(before)[-1]
    return len(line.encode()) + 1


def _rows(one: Answer, *, always: bool) -> Sequence[CitedPassage]:
    return shown(one, always=always, closest=0)
