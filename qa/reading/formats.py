"""The one table of formats: what reads each of them, and what its files are called."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["CONVERTED", "TEXT", "Format", "office_is_installed"]


@dataclass(frozen=True, slots=True)
class Format:
    """What reads a format, and what its files are called.

    `suffixes` name it where the content of a file does not: text is of the format that its name
    says. Formats without any are told by their content alone, in `detect.sniffing`. `packages` of
    the extra `office` are what its reader imports.
    """

    module: str
    function: str
    suffixes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether the packages are there; none of them is imported."""
        return all(map(find_spec, self.packages))

    def reader(self) -> Any:  # noqa: ANN401 - of a text, or of bytes
        """The function that reads it; a corpus of plain text does not pay for another."""
        return getattr(import_module(self.module), self.function)


_CODE = """
    .bash .bat .c .cc .clj .cljs .cmake .coffee .cpp .cs .css .cxx .d .dart .el .elm .erl .ex .exs
    .f .f90 .fish .fs .go .gradle .groovy .h .hh .hpp .hrl .hs .hxx .java .jl .js .jsx .kt .kts
    .less .lisp .lua .m .mjs .ml .mli .mm .nim .pas .php .pl .pm .proto .ps1 .py .pyi .pyx .r .rb
    .rs .scala .scm .scss .sh .sol .sql .swift .tcl .ts .tsx .v .vb .vhd .vue .zig .zsh
"""

# Read as they stand: offsets are those of the file.
TEXT = {
    "plain": Format("qa.reading.text.plain", "read_plain", (".txt", ".text", ".log")),
    "markdown": Format(
        "qa.reading.text.markdown", "read_markdown", (".md", ".markdown", ".mdown", ".mkd")
    ),
    "restructured": Format("qa.reading.text.restructured", "read_restructured", (".rst", ".rest")),
    "asciidoc": Format("qa.reading.text.asciidoc", "read_asciidoc", (".adoc", ".asciidoc", ".asc")),
    "code": Format("qa.reading.text.code", "read_code", tuple(_CODE.split())),
}
# Text is made from them, in a process of its own: offsets are those of that text.
CONVERTED = {
    "html": Format("qa.reading.html", "read_html"),
    "pdf": Format("qa.reading.pdf", "read_pdf"),
    "docx": Format("qa.reading.docx", "read_docx"),
    "epub": Format("qa.reading.epub", "read_epub"),
    "mail": Format("qa.reading.mail", "read_mail"),
    "mailbox": Format("qa.reading.mail", "read_mailbox"),
    "table": Format("qa.reading.tabular", "read_table", (".csv", ".tsv", ".tab")),
    "records": Format("qa.reading.tabular", "read_records", (".jsonl", ".ndjson")),
    "feed": Format("qa.reading.feed", "read_feed"),
    **dict.fromkeys(("odt", "ods", "odp"), Format("qa.reading.office.odf", "read_odf")),
    "pptx": Format("qa.reading.office.slides", "read_slides", packages=("pptx",)),
    "xlsx": Format("qa.reading.office.spreadsheets", "read_xlsx", packages=("openpyxl", "xlrd")),
    "xls": Format("qa.reading.office.spreadsheets", "read_xls", packages=("openpyxl", "xlrd")),
    "rtf": Format("qa.reading.office.richtext", "read_rich_text", packages=("striprtf",)),
    "msg": Format("qa.reading.office.outlook", "read_message", packages=("olefile",)),
    "ipynb": Format("qa.reading.office.notebook", "read_notebook"),
}


def office_is_installed() -> bool:
    """Whether all of the extra `office` is there."""
    return all(format_.is_installed for format_ in CONVERTED.values())
