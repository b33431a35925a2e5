"""Saved answers, checked against the files as they are now."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qa.citations.source import headings_at, source_of
from qa.errors import (
    CitationError,
    CorpusError,
    CorpusNotFoundError,
    UnreadableDocumentError,
)
from qa.types import ANSWER_SCHEMA, Answer, Citation, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.citations.wording import Words
    from qa.corpus import Corpus
    from qa.types import Document

__all__ = ["Checked", "Claim", "Verdict", "Verification", "read_claims", "verify"]


class Verdict(StrEnum):
    """What became of a quote."""

    VERIFIED = "verified"  # the same characters at the same place
    MOVED = "moved"  # the same words at another place
    DRIFTED = "drifted"  # other words
    UNRESOLVABLE = "unresolvable"  # its file is gone or can't be read


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one quote; `citation` is where it stood, as the answer says.

    `now` is where its words stand: the same place, a new one, or what comes nearest to a quote
    that drifted; None where nothing does. `difference` shows a drifted quote word by word, as
    `[-gone-]` and `{+new+}`; `reason` says why a quote is unresolvable.
    """

    citation: str
    quote: str
    verdict: Verdict
    now: Citation | None = None
    difference: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of each quote of an answer; `holds` if all are verified or moved."""

    question: str
    holds: bool
    quotes: tuple[Checked, ...]
    schema: Literal["qa.verification/1"] = "qa.verification/1"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        return {"schema": self.schema, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Claim:
    """A quote as it was saved; `shown` is its citation, as `qa ask` prints it."""

    document: str
    file: str
    quote: str
    start: int
    shown: str = field(compare=False)


def verify(answer: Answer | Mapping[str, Any], corpus: Corpus) -> Verification:
    """Check every quote of an answer: passages and evidence, or what came nearest.

    Raises:
        CitationError: it is not an answer.
        CorpusError: there is no corpus, or it can't be read as a whole.
    """
    saved = answer.to_dict() if isinstance(answer, Answer) else answer
    claims = read_claims(saved)
    _check_readable(corpus)
    # A file at a time, so that each is read once and only one is held.
    by_file = defaultdict[str, list[Claim]](list)
    for claim in claims:
        by_file[claim.file].append(claim)
    found = {
        claim: checked
        for file, of_file in by_file.items()
        for claim, checked in _checked_in(corpus, file, of_file)
    }
    return Verification(
        question=str(saved.get("question", "")),
        holds={checked.verdict for checked in found.values()} <= {Verdict.VERIFIED, Verdict.MOVED},
        quotes=tuple(found[claim] for claim in claims),
    )


# --- what was saved ---------------------------------------------------------------------


class _OtherFormError(ValueError):
    """Says how a saved answer is not one."""


def read_claims(saved: object, *, name: str = "This") -> list[Claim]:
    """The quotes of a saved answer, each once.

    Args:
        saved: the answer as JSON gives it.
        name: what an error calls it.

    Raises:
        CitationError: it is not an answer.
    """
    try:
        if not isinstance(saved, Mapping):
            raise _OtherFormError("it is not a JSON object")
        schema = _member(saved, "schema", str)
        if schema != ANSWER_SCHEMA:
            raise _OtherFormError(f"its `schema` is {schema!r}, not {ANSWER_SCHEMA!r}")
        return list(dict.fromkeys(_claims(saved)))
    except _OtherFormError as error:
        raise CitationError(
            f"{name} is not a saved answer: {error}",
            hint="Save one with `qa ask … --format json > answer.json`.",
        ) from error


def _claims(saved: Mapping[str, Any]) -> Iterator[Claim]:
    for key in ("passages", "nearest"):
        for number, passage in enumerate(_member(saved, key, (list, tuple))):
            where = f"{key}[{number}]"
            if not isinstance(passage, Mapping):
                raise _OtherFormError(f"its `{where}` is not an object")
            evidence = _member(passage, "evidence", Mapping, where)
            for of, inside in ((passage, where), (evidence, f"{where}.evidence")):
                citation = _member(of, "citation", Mapping, inside)
                yield _claim(citation, f"{inside}.citation")
            # Answers of earlier versions lack it.
            also = _member({"also": (), **passage}, "also", (list, tuple), where)
            for other, citation in enumerate(also):
                inside = f"{where}.also[{other}]"
                if not isinstance(citation, Mapping):
                    raise _OtherFormError(f"its `{inside}` is not an object")
                yield _claim(citation, inside)


_KINDS = {str: "a string", int: "a whole number", (list, tuple): "a list", Mapping: "an object"}


def _member(of: Mapping[str, Any], key: str, kind: Any, where: str = "") -> Any:  # noqa: ANN401 - of `kind`
    """A member that has to be there, of that kind."""
    path = f"{where}.{key}".lstrip(".")
    if key not in of:
        raise _OtherFormError(f"it has no `{path}`")
    value = of[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _OtherFormError(f"its `{path}` is not {_KINDS[kind]}")
    return value


def _claim(one: Mapping[str, Any], where: str) -> Claim:
    place: dict[str, Any] = dict.fromkeys(each.name for each in fields(Citation))
    for key in ("document", "file", "quote"):
        place[key] = _member(one, key, str, where)
    for key in ("start", "start_line"):
        place[key] = _member(one, key, int, where)
    place |= {"end_line": place["start_line"], "anchor": ""}
    for key in ("end_line", "anchor", "page", "paragraph", "chapter", "row"):
        if one.get(key) is not None:
            place[key] = _member(one, key, str if key == "anchor" else int, where)
    saved = Citation(**place)
    return Claim(saved.document, saved.file, saved.quote, saved.start, str(saved))


# --- the files as they are now ----------------------------------------------------------


def _check_readable(corpus: Corpus) -> None:
    """Refuse a corpus that is gone as a whole, rather than give a reason for each quote."""
    if not (location := corpus.location):
        return
    hint = "If the documents are elsewhere now, name their folder with --corpus."
    if not os.access(location, os.F_OK):
        raise CorpusNotFoundError(f"There is no corpus at {location}", hint=hint)
    if not os.access(location, os.X_OK if Path(location).is_dir() else os.R_OK):
        raise CorpusError(f"The corpus {location} can't be read: permission denied", hint=hint)


def _checked_in(
    corpus: Corpus, file: str, claims: Sequence[Claim]
) -> Iterator[tuple[Claim, Checked]]:
    """Check the quotes of one file."""
    documents, problems = _documents(corpus, file)
    by_document = defaultdict[str, list[Claim]](list)
    for claim in claims:
        by_document[claim.document].append(claim)
    for name, of_document in by_document.items():
        if (document := documents.get(name)) is None:
            reason = problems.get(name) or problems.get(file) or f"it is no longer in {file}"
            for claim in of_document:
                yield claim, Checked(claim.shown, claim.quote, Verdict.UNRESOLVABLE, reason=reason)
        else:
            standing = _Standing(document, corpus)
            yield from ((claim, standing.check(claim)) for claim in of_document)


def _documents(corpus: Corpus, file: str) -> tuple[dict[str, Document], Mapping[str, str]]:
    """Read a file as it is now: its documents by id, and why others can't be read."""
    try:
        reading = corpus.read(file)
    except UnreadableDocumentError as error:
        gone = isinstance(error.__cause__, FileNotFoundError)
        return {}, {file: "its file is gone" if gone else error.reason}
    return {document.id: document for document in reading.documents}, reading.problems


class _Standing:
    """A document as it is now; what checking takes is made once for all its quotes."""

    def __init__(self, document: Document, corpus: Corpus) -> None:
        self._document = document
        self._source = source_of(document, corpus)

    @cached_property
    def _words(self) -> Words:
        from qa.citations.wording import (
            Words,  # with numpy, which a quote that still stands can do without
        )

        return Words(self._document.text)

    def check(self, claim: Claim) -> Checked:
        """Say what became of a quote."""
        place = Span(claim.start, claim.start + len(claim.quote))
        if place.start >= 0 and self._document.text[slice(*place)] == claim.quote:
            return Checked(claim.shown, claim.quote, Verdict.VERIFIED, self._cite(place))
        moved = self._words.same(claim.quote, claim.start)
        if moved is not None:
            return Checked(claim.shown, claim.quote, Verdict.MOVED, self._cite(moved))
        from qa.citations.wording import difference

        nearest = self._words.nearest(claim.quote)
        now = self._cite(nearest) if nearest else None
        shown = difference(claim.quote, now.quote if now else "")
        return Checked(claim.shown, claim.quote, Verdict.DRIFTED, now, shown)

    def _cite(self, span: Span) -> Citation:
        headings = headings_at(self._document.sections, span.start)
        return self._source.cite(span, headings, self._document.places)
