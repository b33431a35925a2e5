"""The numbers that Word puts before headings and list items: they are nowhere in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.reading.markup import attribute, number

if TYPE_CHECKING:
    from qa.reading.markup import Element

__all__ = ["Numbering"]

_PLACEHOLDER = re.compile("%([1-9])")
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MAX_IN_LETTERS = 10_000  # beyond, a number is written in figures


@dataclass(slots=True)
class _Level:
    kind: str = "decimal"
    text: str = ""  # "%1.%2" has the numbers of the first two levels
    start: int = 1
    style: str = ""  # paragraphs of that style are numbered by this level


@dataclass(slots=True)
class _List:
    """A list as it is defined; several lists that refer to it go on counting."""

    levels: dict[int, _Level] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    made_by: str = ""  # the style of lists that it defines
    like: str = ""  # the style of lists in which it is defined


class Numbering:
    """Counts the numbered paragraphs of a document, which must be asked for in their order."""

    def __init__(self, root: Element | None) -> None:
        self._definitions: dict[str, _List] = {}
        self._lists: dict[str, tuple[str, dict[int, int]]] = {}
        self._begun: set[str] = set()
        for element in root if root is not None else ():
            if element.tag == "abstractNum":
                self._definitions[attribute(element, "abstractNumId")] = _definition(element)
            elif element.tag == "num":
                values = {child.tag: attribute(child, "val") for child in element}
                starts = {
                    number(attribute(child, "ilvl")) or 0: number(attribute(start, "val")) or 0
                    for child in element
                    if child.tag == "lvlOverride"
                    for start in child
                    if start.tag == "startOverride"
                }
                name = attribute(element, "numId")
                self._lists[name] = (values.get("abstractNumId", ""), starts)

    def label(self, name: str, *, level: int | None, style: str) -> str:
        """Count one more item of a list, and give what stands before it: "2.1", "a)"; "" for a dot.

        Args:
            name: of the list.
            level: from 0; None where the style decides.
            style: of the paragraph.
        """
        defined, starts = self._lists.get(name, ("", {}))
        list_ = self._definitions.get(defined)
        if list_ is not None and list_.like:
            list_ = next(
                (other for other in self._definitions.values() if other.made_by == list_.like),
                list_,
            )
        if list_ is None:
            return ""
        if level is None:
            level = next((at for at, one in list_.levels.items() if one.style == style), 0)
        counts = list_.counts
        if name not in self._begun:
            self._begun.add(name)
            counts.update({at: start - 1 for at, start in starts.items()})
        own = list_.levels.get(level, _Level())
        counts[level] = counts.get(level, own.start - 1) + 1
        for deeper in [at for at in counts if at > level]:
            del counts[deeper]

        def written(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            of = list_.levels.get(at, _Level())
            return _written(counts.get(at, of.start), of.kind)

        return "" if own.kind in {"bullet", "none"} else _PLACEHOLDER.sub(written, own.text)


def _definition(element: Element) -> _List:
    list_ = _List()
    for child in element:
        if child.tag == "lvl":
            values = {setting.tag: attribute(setting, "val") for setting in child}
            list_.levels[number(attribute(child, "ilvl")) or 0] = _Level(
                values.get("numFmt", "decimal"),
                values.get("lvlText", ""),
                number(values.get("start", "1")) or 0,
                values.get("pStyle", ""),
            )
        elif child.tag == "styleLink":
            list_.made_by = attribute(child, "val")
        elif child.tag == "numStyleLink":
            list_.like = attribute(child, "val")
    return list_


def _written(number: int, kind: str) -> str:
    if not 0 < number < _MAX_IN_LETTERS:
        return str(number)
    if kind in {"lowerLetter", "upperLetter"}:  # after z comes aa, then bb
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter.upper() if kind == "upperLetter" else letter
    if kind in {"lowerRoman", "upperRoman"}:
        roman = ""
        for value, sign in _ROMAN:
            roman += sign * (number // value)
            number %= value
        return roman.upper() if kind == "upperRoman" else roman
    return f"{number:02}" if kind == "decimalZero" else str(number)
