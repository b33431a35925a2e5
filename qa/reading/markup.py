"""XML of the parts of a document, without entities: nothing is expanded, nothing fetched."""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import (
    Element,
    ParseError,
    TreeBuilder,
    XMLParser,
)

from qa.reading.extracted import UnreadableError
from qa.reading.reasons import DOCTYPE

__all__ = ["Element", "attribute", "number", "parse_xml"]

_MAX_DIGITS = 9  # what is longer counts nothing, and Python refuses to read the very long


def parse_xml(data: bytes) -> Element:
    """Parse one part; names of elements and attributes come without their namespaces.

    So that what is written in the strict and in the transitional form of a format, in whatever
    version, is read alike.

    Raises:
        UnreadableError: it is damaged, or declares a document type, as no such format does.
    """
    parser = XMLParser(target=_Builder())  # noqa: S314 - see above
    try:
        parser.feed(data)
        root = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("its XML is damaged") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def attribute(element: Element, name: str) -> str:
    """An attribute by its name without namespace; "" where it isn't there."""
    if (value := element.get(name)) is not None:
        return value
    return next((v for key, v in element.items() if key.endswith("}" + name)), "")


def number(value: str) -> int | None:
    """The number, from 0, that an attribute's value is; None where it is something else."""
    return int(value) if value.isdecimal() and len(value) <= _MAX_DIGITS else None


class _Builder(TreeBuilder):
    def doctype(self, *_: str | None) -> NoReturn:
        raise UnreadableError(DOCTYPE)
