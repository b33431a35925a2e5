"""Web pages: what a page is about, in reading order, with headings and the anchors to link to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser

from qa.reading.detect.charsets import encoding_meant
from qa.reading.detect.decoding import UndecodableError, byte_order_mark, decode_padded
from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.html.boilerplate import announces
from qa.reading.html.metadata import metadata_of
from qa.reading.html.walk import Walk
from qa.reading.reasons import NO_ENCODING, NO_TEXT
from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.reading.html.blocks import PageBlock

__all__ = ["blocks_of", "compose", "parse", "read_html", "text_of"]

_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]+)"""
    rb"""|<meta\s[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]+)""",
    re.IGNORECASE,
)
_DECLARATION_WITHIN = 64 * 1024  # bytes: some pages have a long comment first
_MULTI_BYTE = re.compile(r"gb|big5|cp9(?:32|49|50)|euc|iso2022|shift|hz|johab")

# A self-closing tag of XHTML is only an opening one to an HTML parser, except where it is void.
_SELF_CLOSED = re.compile(r"""<([A-Za-z][\w:-]*+)((?:[^<>"'/]++|"[^"]*+"|'[^']*+'|/(?!>))*+)/>""")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_NOSCRIPT = re.compile(r"<(/?)noscript\b", re.IGNORECASE)
_DECLARATIONS = re.compile(r"<!DOCTYPE[^\[>]{0,500}\[.{0,10000}?\]\s*>", re.IGNORECASE | re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_IS_XHTML = re.compile(r"\s*<\?xml\b|<html[^>]{0,500}\sxmlns\s*=", re.IGNORECASE)

# Characters: a page that says less is looked at whole, and is an index, which is all links, where
# it says less than this share of that.
_SHORT, _INDEX_SHARE = 300, 0.1
# The part that a page marks as its main one stands for all, where it has this share of the text.
_MAIN_SHARE = 0.4
# A line at either end of the page is a menu's where it is short and nearly all of it is links.
# Before the text it takes some of them: a post may begin with the name of who wrote it.
_SIDE_LINKED, _MAX_SIDE, _MIN_SIDE_LINES = 0.8, 60, 3


def read_html(raw: bytes) -> Extracted:
    """Read a page, or a piece of one, in HTML or XHTML.

    Left out are navigation, cookie notices, small forms, the site's header and footer, scripts,
    and what is hidden. Where next to no text is left, only navigation, notices and hidden parts
    stay out.

    Raises:
        UnreadableError: it has no text, or is not text.
    """
    tree = parse(text_of(raw))
    blocks = blocks_of(tree)
    if (size := _size(blocks)) < _SHORT:
        everything = blocks_of(tree, whole=True)
        if not size or size < _INDEX_SHARE * _size(everything):
            blocks = everything
    if not blocks:
        frames = tree.css_first("frameset") is not None
        raise UnreadableError("frames without text" if frames else NO_TEXT)
    metadata = metadata_of(tree)
    headings = [block for block in blocks if block.level]
    composer = Composer()
    if "title" in metadata and not any(block.level == 1 for block in headings):
        composer.heading(metadata["title"], level=1)
    metadata.setdefault("title", headings[0].text if headings else "")
    compose(blocks, composer)
    return composer.finish(metadata)


def _size(blocks: Sequence[PageBlock]) -> int:
    return sum(len(block.text) for block in blocks if not block.level)


def text_of(raw: bytes) -> str:
    """Decode a page: by its mark, then by what it declares, then as any other text.

    What is valid UTF-8 is that, whatever encoding of one byte a character is declared: pages are
    saved in it, and their declaration stays.

    Raises:
        UnreadableError: the bytes are not text.
    """
    encoding = "" if byte_order_mark(raw)[0] else _declared(raw)
    if encoding:
        raw = raw.replace(b"\0", b"")  # HTML leaves them out; no wide encoding declares itself so
        try:
            if _MULTI_BYTE.match(encoding):
                return raw.decode(encoding)
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            if encoding != "utf-8" and not _MULTI_BYTE.match(encoding):
                return raw.decode(encoding, "replace")
    try:
        return decode_padded(raw)
    except UndecodableError as error:
        if encoding:
            return raw.decode(encoding, "replace")
        raise UnreadableError(NO_ENCODING) from error


def _declared(raw: bytes) -> str:
    """Python's name of the encoding that the page declares; "" where there is none."""
    match = _DECLARED.search(raw[:_DECLARATION_WITHIN])
    if match is None:
        return ""
    name = encoding_meant((match[1] or match[2]).decode("ascii"))
    # As the declaration could be read, byte by byte.
    return "utf-8" if name.startswith(("utf-16", "utf-32", "utf-7")) else name


def parse(html: str) -> LexborHTMLParser:
    """The tree that a browser makes; what is XHTML is brought into HTML's form first."""
    # As a template, it stays what it is; otherwise text in it ends the head of the page.
    html = _NOSCRIPT.sub(r"<\1template", html)
    if _IS_XHTML.search(html[:2000]):
        html = _DECLARATIONS.sub("", html, count=1)
        html = _without_cdata(html)
        html = _SELF_CLOSED.sub(_closed, html)
    return LexborHTMLParser(html)


def _without_cdata(html: str) -> str:
    """Write character data as HTML has it."""
    # What begins behind the last end has none, and each would be looked for to the end of the page.
    last = html.rfind("]]>") + len("]]>")
    return _CDATA.sub(lambda found: _escaped(found[1]), html[:last]) + html[last:]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _closed(tag: re.Match[str]) -> str:
    return tag[0] if tag[1].lower() in _VOID else f"<{tag[1]}{tag[2]}></{tag[1]}>"


def blocks_of(tree: LexborHTMLParser, *, whole: bool = False) -> list[PageBlock]:
    """What a page says, in reading order.

    Args:
        tree: of the page.
        whole: keep also what is only guessed to be about the site and not the page.
    """
    body = tree.body
    frames = tree.css_first("noframes")
    if frames is not None and (body is None or body.child is None):
        # What a browser without frames would show; the parser leaves it as it is written.
        tree = LexborHTMLParser(frames.text_content or frames.text())
        body = tree.body
    if body is None:
        return []
    walk = Walk(whole=whole, has_main=tree.css_first("main, article, [role=main]") is not None)
    walk.run(body)
    blocks = _without_repeated_images(walk.blocks)
    return blocks if whole else _without_sides(_main_part(blocks))


def compose(blocks: Sequence[PageBlock], composer: Composer, *, file: str = "") -> None:
    """Add blocks to a document; in a book, anchors begin with the name of their file."""
    for block in blocks:
        anchor = f"{file}#{block.anchor}" if file and block.anchor else block.anchor or file
        composer.place(PlaceKind.ANCHOR, anchor)
        if block.level:
            composer.heading(block.text, level=block.level)
        else:
            composer.add(block.text, kind=block.kind)


def _without_repeated_images(blocks: list[PageBlock]) -> list[PageBlock]:
    """Leave out an image's text where its caption, or what stands before it, says the same."""
    kept = []
    for at, block in enumerate(blocks):
        beside = blocks[max(0, at - 1) : at] + blocks[at + 1 : at + 2]
        if not (block.only_image and any(block.text in other.text for other in beside)):
            kept.append(block)
    return kept


def _main_part(blocks: list[PageBlock]) -> list[PageBlock]:
    inside = [block for block in blocks if block.in_main]
    size = sum(len(block.text) for block in blocks)
    if not inside or sum(len(block.text) for block in inside) < _MAIN_SHARE * size:
        return blocks
    if any(block.level == 1 for block in inside):
        return inside
    before = blocks[: next(at for at, block in enumerate(blocks) if block.in_main)]
    return [block for block in before if block.level == 1][-1:] + inside


def _without_sides(blocks: list[PageBlock]) -> list[PageBlock]:
    """Leave out lines of links before the first text, and after the last outside the main part."""
    start = next((at for at, block in enumerate(blocks) if not _is_before_text(block)), 0)
    if sum(not block.level for block in blocks[:start]) < _MIN_SIDE_LINES:
        start = 0
    end = len(blocks)
    while end > start and _is_side(blocks[end - 1]) and not blocks[end - 1].in_main:
        end -= 1
    if end > start and announces(blocks[end - 1].text):
        end = len(blocks)
    return [block for block in blocks[:start] if block.level] + blocks[start:end]


def _is_before_text(block: PageBlock) -> bool:
    return block.level == 1 or _is_side(block)


def _is_side(block: PageBlock) -> bool:
    size = len(block.text)
    return not block.level and size <= _MAX_SIDE and block.linked >= _SIDE_LINKED * size
