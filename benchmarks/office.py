"""How much of office files is read, and how fast, beside the libraries that could have done it.

Usage: office.py FOLDER [OUTPUT.json]
Needs: pip install python-docx 'markitdown[docx,pptx,xlsx,xls,outlook]' beside the extra `office`.

For each format: files that gave text, those that did not and why, and, where another library reads
the file as well, the share of its words that we have and the share of ours that it has (words as a
multiset, without case; marks of Markdown are no words). Seconds are one process's, one file after
the other, libraries imported before.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import time
import warnings
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import docx
import mammoth
from markitdown import StreamInfo, converters

from qa.reading.files import read_file
from qa.reading.sandbox.worker import reader_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Peer = Callable[[bytes], str]

# What markitdown adds: addresses, comments, and words for empty cells and columns without a name.
_ADDED = re.compile(r"(?<=\])\([^)]*\)|<!--.*?-->|\bNaN\b|\bUnnamed: \d+")

_ZEROS = re.compile(r"(?<=\d)\.0+\b")


def by_python_docx(raw: bytes) -> str:
    """Give the text of paragraphs and of cells, as most programs do that use the library."""
    document = docx.Document(BytesIO(raw))
    cells = [c.text for t in document.tables for row in t.rows for c in row.cells]
    return "\n".join([p.text for p in document.paragraphs] + cells)


def by_mammoth(raw: bytes) -> str:
    """Give what the library calls raw text."""
    return str(mammoth.extract_raw_text(BytesIO(raw)).value)


def by_markitdown(name: str, suffix: str) -> Peer:
    """Give the text that markitdown's converter of that name makes, without what it adds."""
    converter = getattr(converters, name)()

    def convert(raw: bytes) -> str:
        markdown = converter.convert(BytesIO(raw), StreamInfo(extension=suffix)).markdown
        return _ADDED.sub(" ", markdown).replace("\\", "")

    return convert


PEERS: dict[str, dict[str, Peer]] = {
    ".docx": {
        "python-docx": by_python_docx,
        "mammoth": by_mammoth,
        "markitdown": by_markitdown("DocxConverter", ".docx"),
    },
    ".pptx": {"markitdown": by_markitdown("PptxConverter", ".pptx")},
    ".xlsx": {"markitdown": by_markitdown("XlsxConverter", ".xlsx")},
    ".xls": {"markitdown": by_markitdown("XlsConverter", ".xls")},
    ".msg": {"markitdown": by_markitdown("OutlookMsgConverter", ".msg")},
    **{suffix: {} for suffix in (".odt", ".ods", ".odp", ".rtf", ".doc", ".ppt", ".xml")},
}


def words(text: str) -> Counter[str]:
    """Count words; 5.0 is 5."""
    return Counter(re.findall(r"\w+", _ZEROS.sub("", text.lower())))


def measure(files: list[Path], suffix: str) -> dict[str, object]:
    """Read all files of a format, with each library."""
    ours: dict[Path, Counter[str]] = {}
    refused: Counter[str] = Counter()
    start = time.perf_counter()
    for file in files:
        raw = file.read_bytes()
        reading = read_file(file.name, raw, lambda kind, of, _: reader_of(kind)(of))
        refused.update(reading.problems.values())
        if reading.documents:
            ours[file] = words(reading.documents[0].text)
    seconds = time.perf_counter() - start
    result: dict[str, object] = {
        "files": len(files),
        "read": len(ours),
        "refused": dict(refused),
        "seconds": round(seconds, 2),
        "megabytes": round(sum(file.stat().st_size for file in files) / 1e6, 2),
    }
    for peer, convert in PEERS[suffix].items():
        start, failed = time.perf_counter(), 0
        theirs: dict[Path, Counter[str]] = {}
        for file in files:
            try:
                theirs[file] = words(convert(file.read_bytes()))
            except Exception:  # noqa: BLE001 - of whatever kind, it costs that file
                failed += 1
        seconds = time.perf_counter() - start
        both = sum(((theirs[f] & ours.get(f, Counter())).total() for f in theirs), 0)
        result[peer] = {
            "failed": failed,
            "its words that are ours": round(both / sum(t.total() for t in theirs.values()), 4),
            "our words that are its": round(both / sum(o.total() for o in ours.values()), 4),
            "seconds": round(seconds, 2),
        }
    return result


def main() -> None:
    """Measure each format in a folder."""
    folder = Path(sys.argv[1])
    logging.disable()
    warnings.simplefilter("ignore")
    results = {}
    for suffix in PEERS:
        files = sorted(file for file in folder.rglob("*") if file.suffix.lower() == suffix)
        if files:
            with contextlib.redirect_stderr(None):
                results[suffix] = measure(files, suffix)
            print(suffix, json.dumps(results[suffix], ensure_ascii=False))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
