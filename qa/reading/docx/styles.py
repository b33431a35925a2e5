"""What the styles of a Word document say of its paragraphs: headings, and numbered lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qa.reading.markup import attribute, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.reading.markup import Element

__all__ = ["Styles", "properties"]

# Heading styles are named in English in the file, whatever the language of Word; other programs
# write them in their own.
_HEADING = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|kop|rubrik|overskrift|otsikko|nagłówek|nadpis"
    r"|címsor|başlık|titlu|заголовок|見出し|标题|標題|제목) ?([1-9])",
    re.IGNORECASE,
)
_TITLE = frozenset({"title", "titel", "título", "titolo"})
_BODY_TEXT = 9  # the outline level of what is not a heading


class Styles:
    """The paragraph styles of a document; each has what it doesn't say itself from its base."""

    def __init__(self, root: Element | None) -> None:
        self._styles = {
            attribute(style, "styleId"): _values(style) | {"name": _name(style)}
            for style in (root if root is not None else ())
            if style.tag == "style" and attribute(style, "type") == "paragraph"
        }

    def heading_level(self, paragraph: Element) -> int | None:
        """The level of a heading, 1 for the document's title; None for other text."""
        values = _values(paragraph)
        for level in (_outline(values), *map(self._level, self._chain(values))):
            if level is not None:
                return level or None
        return None

    def numbered(self, paragraph: Element) -> tuple[str, int | None, str]:
        """The list a paragraph is an item of ("" for none), the level, and the style."""
        values = _values(paragraph)
        style = values.get("pStyle", "")
        for style_values in (values, *(self._styles[name] for name in self._chain(values))):
            if name := style_values.get("numId", ""):
                level = values.get("ilvl", style_values.get("ilvl", ""))
                return name, number(level), style
        return "", None, style

    def _chain(self, values: dict[str, str]) -> Iterator[str]:
        seen = set[str]()
        name = values.get("pStyle", "")
        while name in self._styles and name not in seen:
            seen.add(name)
            yield name
            name = self._styles[name].get("basedOn", "")

    def _level(self, style: str) -> int | None:
        """The level that a style itself asks for: 0 for none, None if its base decides."""
        name = self._styles[style]["name"]
        if match := _HEADING.fullmatch(name):
            return int(match[1]) + 1
        return 1 if name.lower() in _TITLE else _outline(self._styles[style])


def properties(element: Element, tag: str) -> Element | tuple[()]:
    """An element's properties, to be gone through; nothing where it has none."""
    return next((child for child in element if child.tag == tag), ())


def _values(element: Element) -> dict[str, str]:
    """The values that matter here, of a paragraph or a style."""
    values = {child.tag: attribute(child, "val") for child in element if child.tag == "basedOn"}
    for child in properties(element, "pPr"):
        if child.tag in {"pStyle", "outlineLvl"}:
            values[child.tag] = attribute(child, "val")
        elif child.tag == "numPr":
            values |= {setting.tag: attribute(setting, "val") for setting in child}
    return values


def _name(style: Element) -> str:
    names = (attribute(child, "val") for child in style if child.tag == "name")
    return next(names, "").strip()


def _outline(values: dict[str, str]) -> int | None:
    level = number(values.get("outlineLvl", ""))
    if level is None:
        return None
    return level + 2 if level < _BODY_TEXT else 0
