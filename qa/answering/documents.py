"""Documents as they were indexed: listed, opened, with their headings."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from qa.citations.source import open_source
from qa.contents import DocumentInfo, DocumentText, Heading
from qa.errors import QuestionError, UnknownDocumentError, UnreadableDocumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qa.citations.source import Source
    from qa.corpus import Corpus
    from qa.store.protocol import Snapshot
    from qa.store.rows import DocumentRow, PassageRow

__all__ = ["file_of", "listed", "opened", "row_of"]

MOST_LISTED = 1000
_AT_ONCE = 1000  # paths that are compared with patterns by one call


def listed(
    snapshot: Snapshot, *, after: str | None, limit: int, within: str | Iterable[str]
) -> tuple[DocumentInfo, ...]:
    """Describe at most `limit` documents by id, after that of `after`, of those `within`.

    Raises:
        QuestionError: an argument makes no sense.
    """
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_LISTED:
        raise QuestionError(
            f"limit is {limit!r:.80}", hint=f"Give a whole number from 1 to {MOST_LISTED:,}."
        )
    if after is not None and not _is_text(after):
        raise QuestionError(
            f"after is {after!r:.80}", hint="Give the last id of the page before, or None."
        )
    numbers = list(_numbers(snapshot, after, limit, within))
    rows = snapshot.documents(numbers)
    return tuple(_described(snapshot, rows[number]) for number in numbers)


def _numbers(
    snapshot: Snapshot, after: str | None, limit: int, within: str | Iterable[str]
) -> Iterator[int]:
    if not within:
        yield from (number for number, _ in snapshot.documents_after(after, limit))
        return
    from qa.answering.filter import make_filter
    from qa.store.membership import Described

    chosen = make_filter(within, None, None, None)
    while limit and (portion := snapshot.documents_after(after, _AT_ONCE)):
        numbers, paths = zip(*portion, strict=True)
        passing = chosen.passing(Described(paths, days=tuple, metadata=tuple))
        found = [number for number, passes in zip(numbers, passing, strict=True) if passes][:limit]
        yield from found
        after, limit = paths[-1], limit - len(found)


def _described(snapshot: Snapshot, row: DocumentRow) -> DocumentInfo:
    return DocumentInfo(
        id=row.path,
        file=row.file,
        format=row.format,
        title=row.metadata.get("title", ""),
        metadata=row.metadata,
        passages=snapshot.count_passages_of(row.id),
    )


def row_of(snapshot: Snapshot, document: str) -> DocumentRow:
    """Find a document by its id.

    Raises:
        UnknownDocumentError: it is not indexed.
    """
    row = snapshot.document_named(document) if _is_text(document) else None
    if row is None:
        raise UnknownDocumentError(
            f"{document!r:.200} is not an indexed document", hint="Take an id from `documents()`."
        )
    return row


def file_of(corpus: Corpus, row: DocumentRow) -> bytes:
    """Read a document's file.

    Raises:
        UnreadableDocumentError: it is not the file that was indexed any more.
    """
    raw = corpus.read_bytes(row.file)
    if hashlib.sha256(raw).hexdigest() != row.sha256:
        raise _changed(row)
    return raw


def opened(snapshot: Snapshot, corpus: Corpus, document: str) -> DocumentText:
    """Open a document as it was indexed.

    Raises:
        UnknownDocumentError: it is not indexed.
        UnreadableDocumentError: its file is not the one that was indexed any more.
    """
    row = row_of(snapshot, document)
    source = open_source(corpus, row, None if row.encoding else snapshot.extract(row.id))
    if source is None:
        raise _changed(row)
    passages = snapshot.passages_of_document(row.id)
    places = dict.fromkeys(place for passage in passages for place in passage.places)
    return DocumentText(
        id=row.path,
        file=row.file,
        format=row.format,
        text=source.text,
        sha256=row.sha256,
        metadata=row.metadata,
        places=tuple(sorted(places, key=lambda place: place.start)),
        outline=tuple(_headings(source, passages)),
    )


def _changed(row: DocumentRow) -> UnreadableDocumentError:
    return UnreadableDocumentError(row.path, "its file has changed or gone since it was indexed")


def _is_text(given: object) -> bool:
    return isinstance(given, str) and not any("\ud800" <= one <= "\udfff" for one in given)


def _headings(source: Source, passages: Sequence[PassageRow]) -> Iterator[Heading]:
    """The headings that stand between passages, which are known by their paths."""
    above: tuple[str, ...] = ()
    end = 0
    for passage in passages:
        path = passage.heading_path
        lines = list(_lines(source.text, end, passage.start))
        known = _kept(above, path, [letters for _, letters in lines])
        at = 0
        for level, title in enumerate(path[known:], known + 1):
            wanted = _letters(title)
            same = (n for n in range(at, len(lines)) if lines[n][1] == wanted)
            found = next(same, at)  # marks inside a title may hide it: then the next line there is
            start = lines[found][0] if found < len(lines) else passage.start
            at = found + 1
            yield Heading(level, title, start, source.lines.line(start))
        above, end = path, max(end, passage.end)


def _kept(above: Sequence[str], path: Sequence[str], between: Sequence[str]) -> int:
    """How many headings of a path are those above already, and were not written again."""
    pairs = zip(above, path, strict=False)
    shared = next(
        (n for n, (old, new) in enumerate(pairs) if old != new), min(len(above), len(path))
    )
    return next((n for n in range(shared) if _are_among(path[n:], between)), shared)


def _are_among(titles: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether titles stand in lines, in their order."""
    rest = iter(lines)
    return all(_letters(title) in rest for title in titles)


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Where each line with letters begins, and these."""
    for line in text[start:end].splitlines(keepends=True):
        if letters := _letters(line):
            yield start + len(line) - len(line.lstrip()), letters
        start += len(line)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
