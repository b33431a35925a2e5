"""HTML to blocks: one walk over the tree that keeps what is read and leaves out furniture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.reading.html import boilerplate
from qa.reading.html.blocks import BREAK, BlockBuilder
from qa.reading.html.tables import Table, is_data

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

    from qa.reading.html.boilerplate import Count

__all__ = ["Walk"]

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote caption center dd details dir div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li listing main menu ol p "
    "plaintext pre search section summary table tbody td tfoot th thead tr ul xmp".split()
)
_PREFORMATTED = frozenset("pre listing xmp plaintext".split())
_CELLS = frozenset("td th caption".split())
_NOT_IN_TERMS = "dl, ul, ol, p, table, pre, h1, h2, h3, h4, h5, h6"
_NESTING, _MAX_NESTING = frozenset({"table", "dl"}), 20
_CONTROLS = frozenset("button input select textarea".split())

_FILE_NAME = re.compile(r"\.(?:jpe?g|png|gif|svg|webp|avif|bmp)\W*$", re.IGNORECASE)
_NOTE_MARK = re.compile(r"\s*[\[(]?(?:\d{1,4}|[a-z]{1,2}|[*†‡§¶]{1,3}|note \d{1,3})[\])]?\s*")
_PERMALINK = re.compile(r"\s*[¶#§🔗]?\s*")
_MIN_WORDS = 3  # of an image's text that says something


@dataclass(slots=True)
class _Frame:
    """An element that is open, and how things stood when it opened."""

    tag: str
    attributes: dict[str, str | None]
    first: int = 0  # the block that would come next
    count: Count | None = None  # of a block; None for what stands within a line
    anchor: str = ""  # that holds before it
    mark: int = 0  # where the text of a link begins in the buffer
    item: int = 0  # the number of the last item of a list
    level: int = 0  # of a heading
    is_flat: bool = False
    is_data: bool = False
    is_main: bool = False
    is_protected: bool = False


class Walk:
    """Goes through a tree in document order, without recursion: pages nest without limit."""

    def __init__(self, *, whole: bool, has_main: bool) -> None:
        self._builder = BlockBuilder()
        self.blocks = self._builder.blocks
        self._whole = whole
        self._has_main = has_main
        self._frames: list[_Frame] = []
        # How many such elements are open. Flat are those whose text is one line.
        self._main = self._protected = self._links = self._forms = self._pre = self._flat = 0
        self._nested = 0  # tables and lists of terms
        self._table: Table | None = None

    def run(self, body: LexborNode) -> None:
        """Walk over all that is in `body`."""
        node = body.child
        while node is not None:
            if self._enter(node):
                child = node.child
                if child is not None:
                    node = child
                    continue
                self._leave()
            while (after := node.next) is None:
                if not self._frames:
                    self._flush()
                    return
                self._leave()
                parent = node.parent
                if parent is None:
                    return
                node = parent
            node = after

    # Going in.

    def _enter(self, node: LexborNode) -> bool:
        """Take up a node; tell whether to go into it, which opens a frame."""
        tag = node.tag
        if tag == "-text":
            self._builder.say(node.text_content or "", linked=self._links > 0)
            return False
        if not tag or not tag[0].isalpha():
            return False  # a comment
        attributes = node.attributes
        if boilerplate.is_hidden(tag, attributes):
            if tag in _CONTROLS:
                self._see_control(tag, node, attributes)
            return False
        if boilerplate.is_navigation(tag, attributes) or (
            attributes and not self._whole and boilerplate.is_furniture(attributes)
        ):
            return False
        if is_block := tag in _BLOCKS or attributes.get("role") == "heading":
            self._flush()
        elif self._is_said_here(tag, node, attributes):
            return False
        anchor = self._builder.anchor
        if attributes:
            self._note_anchor(tag, attributes)
        if is_block:
            frame = _Frame(
                tag,
                attributes,
                first=len(self.blocks),
                count=self._builder.count.copy(),
                anchor=anchor,
                is_main=_is_main(tag, attributes),
                is_protected=_is_protected(tag, attributes),
            )
            self._open(frame, node)
        else:
            frame = _Frame(tag, attributes, mark=self._builder.mark())
            if tag == "a":
                self._links += 1
                self._builder.count.links += 1
        self._frames.append(frame)
        return True

    def _see_control(self, tag: str, node: LexborNode, attributes: dict[str, str | None]) -> None:
        if attributes.get("type") == "hidden":
            return
        self._builder.count.controls += 1
        says = node.text() if tag == "button" else attributes.get("value") or ""
        self._builder.count.agreements += boilerplate.is_agreement(says)

    def _is_said_here(self, tag: str, node: LexborNode, attributes: dict[str, str | None]) -> bool:
        """Add what an inline element stands for; true where that is all it holds."""
        if tag == "br":
            self._builder.put("\n" if self._pre else BREAK)
        elif tag == "img":
            self._say_image(attributes)
        elif tag == "math" and attributes.get("alttext"):
            self._builder.say(attributes["alttext"] or "", linked=False)
        elif tag == "label":
            return self._forms > 0 and not self._whole
        elif tag == "sup":
            link = node.css_first("a")
            points = link is not None and "#" in (link.attributes.get("href") or "")
            return points and _NOTE_MARK.fullmatch(node.text()) is not None
        elif tag == "a":
            return self._is_mark(node, attributes)
        else:
            return False
        return True

    def _is_mark(self, node: LexborNode, attributes: dict[str, str | None]) -> bool:
        """Whether a link is a note's mark, or a heading's link to itself."""
        if "noteref" in f"{attributes.get('epub:type')} {attributes.get('role')}":
            return _NOTE_MARK.fullmatch(node.text()) is not None
        if self._in_heading() and "#" in (attributes.get("href") or ""):
            self._note_anchor("a", attributes)
            return _PERMALINK.fullmatch(node.text()) is not None
        return False

    def _in_heading(self) -> bool:
        return bool(self._flat and self._frames and any(f.level for f in self._frames[-4:]))

    def _say_image(self, attributes: dict[str, str | None]) -> None:
        text = (attributes.get("alt") or "").strip()
        is_formula = "mwe-math" in (attributes.get("class") or "")
        says = len(text.split()) >= _MIN_WORDS and not _FILE_NAME.search(text)
        if not (is_formula or says):
            return
        self._builder.say(f" {text} ", linked=self._links > 0, image=True)

    def _note_anchor(self, tag: str, attributes: dict[str, str | None]) -> None:
        """Remember what a link names; ids of inline elements count within headings only."""
        if tag in _BLOCKS or tag == "a" or self._in_heading():
            name = (attributes.get("id") or (attributes.get("name") if tag == "a" else "")) or ""
            if name and not any(map(str.isspace, name)):
                self._builder.anchor = name

    def _open(self, frame: _Frame, node: LexborNode) -> None:
        """Count an element in, and prepare for what it is made of."""
        tag, attributes = frame.tag, frame.attributes
        # To look ahead in each of many nested ones would take the square of their number.
        self._nested += tag in _NESTING
        looks_ahead = self._nested <= _MAX_NESTING
        if tag == "table" and looks_ahead and not self._table and is_data(node, attributes):
            self._table = Table()
            frame.is_data = True
        self._main += frame.is_main
        self._builder.in_main = self._main > 0
        self._protected += frame.is_protected
        self._forms += tag == "form"
        self._pre += tag in _PREFORMATTED
        if not self._flat and not self._table:
            frame.level = _level(tag, attributes)
        is_term = tag == "dt" and looks_ahead and node.css_first(_NOT_IN_TERMS) is None
        frame.is_flat = frame.level > 0 or is_term or bool(self._table and tag in _CELLS)
        self._flat += frame.is_flat
        if tag == "li":
            self._open_item(attributes)
        elif tag == "dd" and not self._flat:
            self._builder.begin_description()
        elif tag == "tr" and self._table:
            self._table.row(self._builder.anchor, own_anchor=bool(attributes.get("id")))

    def _open_item(self, attributes: dict[str, str | None]) -> None:
        if self._flat and self._builder.has_text:
            self._builder.put("; ")
        parent = self._frames[-1] if self._frames else None
        if parent is None or parent.tag != "ol":
            return
        first = "" if parent.item else parent.attributes.get("start")
        given = attributes.get("value") or first or ""
        parent.item = int(given) if re.fullmatch(r"[0-9]{1,9}", given) else parent.item + 1
        if parent.attributes.get("type") in {None, "1"} and not self._flat:
            self._builder.set_prefix(f"{parent.item}. ")

    # Going out.

    def _leave(self) -> None:
        frame = self._frames.pop()
        if frame.count is None:
            if frame.tag == "a":
                self._links -= 1
                said = self._builder.said_since(frame.mark)
                self._builder.count.agreements += boilerplate.is_agreement(said)
            return
        self._close_text(frame)
        self._pre -= frame.tag in _PREFORMATTED
        self._main -= frame.is_main
        self._builder.in_main = self._main > 0
        self._protected -= frame.is_protected
        self._forms -= frame.tag == "form"
        self._nested -= frame.tag in _NESTING
        if not (self._flat or self._table) and self._is_left_out(frame, frame.count):
            self._builder.forget(frame.first, count=frame.count, anchor=frame.anchor)

    def _close_text(self, frame: _Frame) -> None:
        """Make of the text of an element what it is: a heading, a term, a cell or a block."""
        tag, builder = frame.tag, self._builder
        self._flat -= frame.is_flat
        if frame.level:
            builder.anchor = frame.attributes.get("id") or builder.anchor
            builder.end_heading(frame.level)
        elif frame.is_flat and not self._flat and self._table:
            self._close_cell(frame, self._table)
        elif frame.is_flat and not self._flat:
            builder.end_term()
        elif tag in _PREFORMATTED and self._pre == 1 and not (self._flat or self._table):
            builder.end_lines()
        else:
            self._flush()
        if tag in {"li", "dd"}:
            builder.set_prefix("")
        elif tag == "dl" and not self._flat:
            builder.add_terms()
        elif frame.is_data and self._table:
            table, self._table = self._table, None
            builder.add_table(table)

    def _close_cell(self, frame: _Frame, table: Table) -> None:
        text = self._builder.take()
        if frame.tag == "caption":
            table.caption = text
        else:
            in_head = any(above.tag == "thead" for above in self._frames[-2:])
            table.cell(text, frame.attributes, name=frame.tag == "th" or in_head)

    def _flush(self) -> None:
        """End the block that is gathered, where blocks are made."""
        if self._flat or self._table:
            self._builder.put(" ")
        elif self._pre:
            self._builder.end_line()
        else:
            self._builder.end_prose()

    def _is_left_out(self, frame: _Frame, before: Count) -> bool:
        """Whether what an element holds is furniture, now that all of it is known."""
        held = self._builder.count.since(before)
        texts = (block.text for block in self.blocks[frame.first :])
        if boilerplate.is_cookie_notice(frame.tag, frame.attributes, held, texts):
            return True
        return not self._whole and boilerplate.is_left_out(
            frame.tag,
            frame.attributes,
            held,
            before=self.blocks[frame.first - 1].text if frame.first else "",
            protected=self._protected > 0,
            has_main=self._has_main,
        )


def _level(tag: str, attributes: dict[str, str | None]) -> int:
    if tag in _HEADINGS:
        return _HEADINGS[tag]
    if attributes.get("role") != "heading":
        return 0
    level = attributes.get("aria-level") or ""
    return int(level) if re.fullmatch("[1-9]", level) else 2


def _is_main(tag: str, attributes: dict[str, str | None]) -> bool:
    named = attributes.get("role") == "main" or boilerplate.is_named_main(attributes)
    return tag == "main" or named


def _is_protected(tag: str, attributes: dict[str, str | None]) -> bool:
    return tag in {"main", "article"} or attributes.get("role") in {"main", "article"}
