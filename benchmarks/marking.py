"""Measure how many quotes of PDFs are marked on the picture of their page; write marking.json.

Usage: python benchmarks/marking.py FOLDER

All PDFs at any depth of FOLDER are indexed. Of each passage (of 40 at most, evenly spread, where a
PDF has more) every sentence that could be its evidence is looked for on the page that it begins
on, as the page of `qa serve` does. One counts as marked where it has a rectangle at all, and its
page is drawn; what isn't marked is counted by why. Pages that can't be drawn are told apart.
The pictures' sizes are compared with those of JPEGs of quality 85. Needs Pillow.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from speed import machine

from qa import Assistant
from qa.errors import UnreadableDocumentError
from qa.serving.picturing import page_at
from qa.store.opening import moment

if TYPE_CHECKING:
    from qa.contents import DocumentText

HERE = Path(__file__).parent
MOST = 40  # passages of a PDF
PAGE = 1000  # documents that are listed at once


def sentences(assistant: Assistant, index: Path) -> dict[str, list[tuple[int, int]]]:
    """Give where the sentences of each PDF's passages begin and end, by its id."""
    listed = list(assistant.documents(limit=PAGE))
    while more := assistant.documents(limit=PAGE, after=listed[-1].id):
        listed += more
    found = {}
    with moment(index) as snapshot:
        for one in listed:
            if one.format == "pdf" and one.id == one.file:
                row = snapshot.document_named(one.id)
                passages = snapshot.passages_of_document(row.id) if row else []
                chosen = passages[:: max(1, -(-len(passages) // MOST))]
                spans = [(span.start, span.end) for passage in chosen for span in passage.spans]
                found[one.id] = list(dict.fromkeys(spans))
    return found


def why(sentence: str) -> str:
    """Say what keeps a sentence from being found, as far as it can be told from itself."""
    letters = sum(map(str.isalnum, sentence))
    if not letters:
        return "no letter or digit"
    if any("\u0590" <= one <= "\u08ff" for one in sentence):
        return "written from the right"
    return "others"


def measure(assistant: Assistant, index: Path) -> dict[str, object]:
    """Draw all pages on which a sentence begins, and count."""
    counts: Counter[str] = Counter()
    unmarked: Counter[str] = Counter()
    sizes: list[tuple[int, int]] = []
    for path, spans in sentences(assistant, index).items():
        document = assistant.document(path)
        by_page: dict[int, list[tuple[int, int]]] = {}
        for span in spans:
            page = page_at(document, span[0])
            by_page.setdefault(page.number if page else 1, []).append(span)
        counts["documents"] += 1
        for number, on_page in by_page.items():
            try:
                drawn = assistant.page_image(path, number, on_page)
            except UnreadableDocumentError:
                counts["sentences of pages that can't be drawn"] += len(on_page)
                continue
            sizes.append((len(drawn.data), jpeg_size(drawn.data)))
            counts["pages"] += 1
            counts["sentences"] += len(on_page)
            counts["marked"] += sum(map(bool, drawn.rectangles))
            unmarked.update(_missing(document, on_page, drawn.rectangles))
    return {
        **counts,
        "share": round(counts["marked"] / counts["sentences"], 4),
        "unmarked": dict(unmarked),
        "png_kb": round(statistics.median(png for png, _ in sizes) / 1e3, 1),
        "jpeg_kb": round(statistics.median(jpeg for _, jpeg in sizes) / 1e3, 1),
        "pages larger as jpeg": sum(jpeg > png for png, jpeg in sizes),
    }


def jpeg_size(png: bytes) -> int:
    """Give the bytes of a picture as a JPEG."""
    written = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").save(written, "JPEG", quality=85)
    return written.tell()


def _missing(
    document: DocumentText, spans: list[tuple[int, int]], rectangles: tuple[tuple[object, ...], ...]
) -> list[str]:
    pairs = zip(spans, rectangles, strict=True)
    return [why(document.text[start:end]) for (start, end), places in pairs if not places]


def main() -> None:
    """Measure, write and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    folder: Path = arguments.parse_args().folder.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        corpus, index = Path(temporary) / "corpus", Path(temporary) / "index"
        for path in sorted(folder.rglob("*.pdf")):
            target = corpus / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        with Assistant(corpus, index) as assistant:
            assistant.refresh()
            found = {"machine": machine(), **measure(assistant, index)}
    text = json.dumps(found, indent=2)
    (HERE / "marking.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
