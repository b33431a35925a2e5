"""An index whose terms were found by earlier rules: found again, from the text that it keeps."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.store.packing import unpack_term_ids
from qa.types import Span
from qa.words.detection import told, with_language
from qa.words.scripts import is_plain
from qa.words.terms import STEMMED, passage_terms

if TYPE_CHECKING:
    from qa.store.catalog import Catalog
    from qa.store.rows import PassageRow
    from qa.words.terms import PassageTerms

__all__ = ["Reterming", "reterm"]


@dataclass(slots=True)
class Reterming:
    """What differs now: passages by term, terms in all, documents by language."""

    terms: Counter[int] = field(default_factory=Counter)
    total_terms: int = 0
    languages: Counter[str] = field(default_factory=Counter)


def reterm(catalog: Catalog) -> Reterming:
    """Find the terms of all passages again; what is English stays as it is, and no vector changes.

    Documents that don't name their language have it told.

    Raises:
        CatalogDamagedError: a row is not what was written.
    """
    done = Reterming()
    for document in catalog.documents.all_ids():
        known = catalog.documents.by_id([document])[document]
        rows = catalog.passages.by_id(catalog.passages.of_documents([document]))
        metadata = with_language(known.metadata, known.format, (row.text for row in rows))
        if metadata != known.metadata:
            catalog.documents.put_metadata(document, metadata)
        language = told(metadata)
        if language in STEMMED:
            done.languages[language] += 1
        for row in rows:
            if language in STEMMED or not is_plain(row.context) or not is_plain(row.text):
                new = _terms(row, language)
                length, before = catalog.passages.put_terms(row, new)
                done.terms.subtract(unpack_term_ids(before))
                done.terms.update(set(new.ids.tolist()))
                done.total_terms += new.length - length
    return done


def _terms(row: PassageRow, language: str) -> PassageTerms:
    inside = [Span(start - row.start, end - row.start) for start, end in row.spans]
    return passage_terms(row.context, row.text, inside, language)
