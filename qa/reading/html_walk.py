"""HTML to blocks: one walk over the tree that keeps what is read and leaves out furniture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.reading import boilerplate
from qa.reading.html_tables import Table, is_data
from qa.types import BlockKind

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

__all__ = ["PageBlock", "Walk"]

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote caption center dd details dir div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li listing main menu ol p "
    "plaintext pre search section summary table tbody td tfoot th thead tr ul xmp".split()
)
_PREFORMATTED = frozenset("pre listing xmp plaintext".split())
_CELLS = frozenset("td th caption".split())
_NOT_IN_TERMS = "dl, ul, ol, p, table, pre, h1, h2, h3, h4, h5, h6"
_NESTING, _DEEPEST_NESTING = frozenset({"table", "dl"}), 20
_MOST_TERMS = 3  # that are described together
_MENUS = frozenset("ul ol menu div section table tr td p dl aside header center".split())
_NOTICES = frozenset("div section aside form footer header".split())
_CONTROLS = frozenset("button input select textarea".split())

_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # where a word may break, and marks
_BREAK = "\r"  # stands for <br> while a block is gathered: the parser leaves no CR of the page's
_FILE_NAME = re.compile(r"\.(?:jpe?g|png|gif|svg|webp|avif|bmp)\W*$", re.IGNORECASE)
_NOTE_MARK = re.compile(r"\s*[\[(]?(?:\d{1,4}|[a-z]{1,2}|[*†‡§¶]{1,3}|note \d{1,3})[\])]?\s*")
_PERMALINK = re.compile(r"\s*[¶#§🔗]?\s*")
_SHORT_FORM = 300  # characters: a form with less to read is a search, a log-in, a subscription
_FEWEST_WORDS = 3  # of an image's text that says something


@dataclass(slots=True)
class PageBlock:
    """A heading (its level is then above 0) or a block, and the anchor that it stands below."""

    text: str
    anchor: str
    level: int = 0
    kind: BlockKind = BlockKind.PROSE
    linked: int = 0  # characters of it that stand in links
    in_main: bool = False  # in what the page marks as its main part
    only_image: bool = False  # it is what an image says in place of itself


@dataclass(slots=True)
class _Count:
    """What was met so far, of that which was kept."""

    characters: int = 0
    linked: int = 0
    links: int = 0
    controls: int = 0
    agreements: int = 0

    def copy(self) -> _Count:
        return _Count(self.characters, self.linked, self.links, self.controls, self.agreements)

    def since(self, before: _Count) -> _Count:
        return _Count(
            self.characters - before.characters,
            self.linked - before.linked,
            self.links - before.links,
            self.controls - before.controls,
            self.agreements - before.agreements,
        )


@dataclass(slots=True)
class _Frame:
    """An element that is open, and how things stood when it opened."""

    tag: str
    attributes: dict[str, str | None]
    first: int = 0  # the block that would come next
    count: _Count | None = None  # of a block; None for what stands within a line
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
        self.blocks: list[PageBlock] = []
        self._whole = whole
        self._has_main = has_main
        self._frames: list[_Frame] = []
        self._count = _Count()
        # How many such elements are open. Flat are those whose text is one line.
        self._main = self._protected = self._links = self._forms = self._pre = self._flat = 0
        self._nested = 0  # tables and lists of terms
        self._table: Table | None = None
        self._in_head = False
        # The block that is gathered.
        self._buffer: list[str] = []
        self._has_text = self._has_words = False
        self._linked_before = 0
        self._anchor = self._block_anchor = ""
        self._terms: list[str] = []
        self._prefix = ""

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
            self._say(node.text_content or "")
            return False
        if not tag or not tag[0].isalpha():
            return False  # a comment
        attributes = node.attributes
        if boilerplate.is_hidden(tag, attributes):
            if tag in _CONTROLS:
                self._see_control(tag, node, attributes)
            return False
        if boilerplate.is_navigation(tag, attributes):
            return False
        if attributes and not self._whole and boilerplate.is_furniture(attributes):
            return False
        if is_block := tag in _BLOCKS or attributes.get("role") == "heading":
            self._flush()
        elif self._is_said_here(tag, node, attributes):
            return False
        anchor = self._anchor
        if attributes:
            self._note_anchor(tag, attributes)
        if is_block:
            frame = _Frame(
                tag,
                attributes,
                first=len(self.blocks),
                count=self._count.copy(),
                anchor=anchor,
                is_main=_is_main(tag, attributes),
                is_protected=_is_protected(tag, attributes),
            )
            self._open(frame, node)
        else:
            frame = _Frame(tag, attributes, mark=len(self._buffer))
            if tag == "a":
                self._links += 1
                self._count.links += 1
        self._frames.append(frame)
        return True

    def _see_control(self, tag: str, node: LexborNode, attributes: dict[str, str | None]) -> None:
        if attributes.get("type") == "hidden":
            return
        self._count.controls += 1
        says = node.text() if tag == "button" else attributes.get("value") or ""
        self._count.agreements += boilerplate.is_agreement(says)

    def _is_said_here(self, tag: str, node: LexborNode, attributes: dict[str, str | None]) -> bool:
        """Say what an inline element stands for; tell whether that is all it holds."""
        if tag == "br":
            self._buffer.append("\n" if self._pre else _BREAK)
        elif tag == "img":
            self._say_image(attributes)
        elif tag == "math" and attributes.get("alttext"):
            self._say(attributes["alttext"] or "")
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
        """Tell whether a link is a note's mark, or a heading's link to itself."""
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
        says = len(text.split()) >= _FEWEST_WORDS and not _FILE_NAME.search(text)
        if not (is_formula or says):
            return
        has_words = self._has_words
        self._say(f" {text} ")
        self._has_words = has_words

    def _say(self, text: str) -> None:
        size = len(text.strip())
        if size:
            if not self._has_text:
                self._has_text = True
                self._block_anchor = self._anchor
            self._has_words = True
            self._count.characters += size
            if self._links:
                self._count.linked += size
        self._buffer.append(text)

    def _note_anchor(self, tag: str, attributes: dict[str, str | None]) -> None:
        """Remember what a link names; ids of inline elements count within headings only."""
        if tag in _BLOCKS or tag == "a" or self._in_heading():
            name = (attributes.get("id") or (attributes.get("name") if tag == "a" else "")) or ""
            if name and not any(map(str.isspace, name)):
                self._anchor = name

    def _open(self, frame: _Frame, node: LexborNode) -> None:
        """Count an element in, and prepare for what it is made of."""
        tag, attributes = frame.tag, frame.attributes
        # To look ahead in each of many nested ones would take the square of their number.
        self._nested += tag in _NESTING
        looks_ahead = self._nested <= _DEEPEST_NESTING
        if tag == "table" and looks_ahead and not self._table and is_data(node, attributes):
            self._table = Table()
            frame.is_data = True
        self._main += frame.is_main
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
        elif tag == "dd":
            self._open_description()
        elif tag == "thead":
            self._in_head = True
        elif tag == "tr" and self._table:
            self._table.row(self._anchor, own_anchor=bool(attributes.get("id")))

    def _open_item(self, attributes: dict[str, str | None]) -> None:
        if self._flat and self._has_text:
            self._buffer.append("; ")
        parent = self._frames[-1] if self._frames else None
        if parent is None or parent.tag != "ol":
            return
        first = "" if parent.item else parent.attributes.get("start")
        given = attributes.get("value") or first or ""
        parent.item = int(given) if re.fullmatch(r"[0-9]{1,9}", given) else parent.item + 1
        if parent.attributes.get("type") in {None, "1"} and not self._flat:
            self._set_prefix(f"{parent.item}. ")

    def _open_description(self) -> None:
        if self._terms and not self._flat:
            self._set_prefix(", ".join(self._terms).rstrip(":") + ": ")
            self._terms = []

    # Going out.

    def _leave(self) -> None:
        frame = self._frames.pop()
        if frame.count is None:
            if frame.tag == "a":
                self._links -= 1
                said = "".join(self._buffer[frame.mark :])
                self._count.agreements += boilerplate.is_agreement(said)
            return
        self._close_text(frame)
        self._pre -= frame.tag in _PREFORMATTED
        self._main -= frame.is_main
        self._protected -= frame.is_protected
        self._forms -= frame.tag == "form"
        self._nested -= frame.tag in _NESTING
        if not (self._flat or self._table) and self._is_left_out(frame, frame.count):
            del self.blocks[frame.first :]
            self._count = frame.count
            self._anchor = frame.anchor
            self._linked_before = self._count.linked

    def _close_text(self, frame: _Frame) -> None:
        """Make of the text of an element what it is: a heading, a term, a cell or a block."""
        tag = frame.tag
        self._flat -= frame.is_flat
        if frame.level:
            self._anchor = frame.attributes.get("id") or self._anchor
            self._block_anchor = self._anchor
            self._emit_buffer(level=frame.level)
        elif tag == "dt" and frame.is_flat and not (self._flat or self._table):
            if len(self._terms) == _MOST_TERMS:
                self._emit_terms()
            if term := self._take():
                self._terms.append(term)
        elif frame.is_flat and self._table and not self._flat:
            text = self._take()
            if tag == "caption":
                self._table.caption = text
            else:
                self._table.cell(text, frame.attributes, name=tag == "th" or self._in_head)
        elif tag in _PREFORMATTED and self._pre == 1 and not (self._flat or self._table):
            self._emit_buffer(kind=BlockKind.LINES)
        else:
            self._flush()
        if tag == "thead":
            self._in_head = False
        elif tag in {"li", "dd"}:
            self._set_prefix("")
        elif tag == "dl" and not self._flat:
            self._emit_terms()
        elif frame.is_data and self._table:
            self._close_table(self._table)

    def _close_table(self, table: Table) -> None:
        self._table = None
        linked = self._count.linked - self._linked_before
        self._block_anchor = self._anchor
        if table.caption:
            self._emit(table.caption)
        for text, anchor in table.groups():
            self._block_anchor = anchor
            self._linked_before = self._count.linked - min(linked, len(text))
            self._emit(text, kind=BlockKind.LINES)

    def _is_left_out(self, frame: _Frame, before: _Count) -> bool:
        """Tell whether what an element holds is furniture, now that all of it is known."""
        held = self._count.since(before)
        if frame.tag in _NOTICES and 0 < held.characters <= boilerplate.LONGEST_NOTICE:
            texts = [block.text for block in self.blocks[frame.first :]]
            if boilerplate.is_cookie_notice(
                frame.attributes,
                "\n".join(texts),
                controls=held.controls,
                agreements=held.agreements,
            ) and not any(b.level == 1 for b in self.blocks[frame.first :]):
                return True
        if self._whole:
            return False
        tag, role = frame.tag, frame.attributes.get("role")
        if any(block.level == 1 for block in self.blocks[frame.first :]):
            return False
        if boilerplate.is_named_menu(frame.attributes) and held.linked >= held.characters / 2:
            return True
        if tag == "form":
            return held.controls > 0 and held.characters < _SHORT_FORM
        is_aside = tag == "aside" or role == "complementary"
        if self._protected:
            return is_aside and held.linked >= held.characters / 2
        if is_aside:
            return self._has_main or held.controls > 0 or held.linked >= held.characters / 3
        if (
            tag == "footer"
            or role == "contentinfo"
            or boilerplate.is_named_footer(frame.attributes)
        ):
            return True
        if tag == "header" or role == "banner":
            return held.links > 0 or held.controls > 0
        return tag in _MENUS and boilerplate.is_menu(
            characters=held.characters, linked=held.linked, links=held.links
        )

    # Blocks.

    def _set_prefix(self, prefix: str) -> None:
        """Put a number or a term before the next block; a term that nothing follows stays."""
        if self._prefix.endswith(": "):
            term, self._prefix = self._prefix[:-2], ""
            self._emit(term)
        self._prefix = prefix

    def _emit_terms(self) -> None:
        """Add terms that nothing describes."""
        for term in self._terms:
            self._emit(term)
        self._terms = []

    def _take(self) -> str:
        """Give what was gathered, as one line."""
        text = _INVISIBLE.sub("", "".join(self._buffer))
        self._buffer = []
        self._has_text = self._has_words = False
        return " ".join(text.split())

    def _flush(self) -> None:
        """End the block that is gathered."""
        if self._flat or self._table:
            self._buffer.append(" ")
        elif self._pre:
            if self._buffer and not self._buffer[-1].endswith("\n"):
                self._buffer.append("\n")
        elif self._buffer:
            self._emit_buffer()

    def _emit_buffer(self, *, level: int = 0, kind: BlockKind = BlockKind.PROSE) -> None:
        if not self._has_text:
            self._buffer = []
            return
        only_image = not self._has_words
        if level:
            self._emit(self._take(), level=level)
        elif kind is BlockKind.LINES:
            text = _INVISIBLE.sub("", "".join(self._buffer)).strip("\n")
            self._take()
            self._emit(text, kind=kind)
        else:
            lines = _INVISIBLE.sub("", "".join(self._buffer)).split(_BREAK)
            self._take()
            paragraph: list[str] = []
            for line in [*(" ".join(line.split()) for line in lines), ""]:
                if line:
                    paragraph.append(line)
                elif paragraph:
                    self._emit("\n".join(paragraph), only_image=only_image)
                    paragraph = []

    def _emit(
        self,
        text: str,
        *,
        level: int = 0,
        kind: BlockKind = BlockKind.PROSE,
        only_image: bool = False,
    ) -> None:
        linked = self._count.linked - self._linked_before
        self._linked_before = self._count.linked
        if not text.strip():
            return
        if self._prefix and (level or kind is BlockKind.LINES):
            self._set_prefix("")
        text, self._prefix = self._prefix + text, ""
        self.blocks.append(
            PageBlock(
                text,
                self._block_anchor,
                level=level,
                kind=kind,
                linked=linked,
                in_main=self._main > 0,
                only_image=only_image,
            )
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
