"""Saved answers, checked against the files as they are now."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from qa.citing import headings_at, source_of
from qa.errors import CitationError, UnreadableDocumentError
from qa.types import ANSWER_SCHEMA, Answer, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qa.citing import Source
    from qa.reading.corpus import Corpus
    from qa.types import Citation, Document

__all__ = ["Checked", "Verdict", "Verification", "verify"]

_WORD = re.compile(r"\S+")
_COMPARED = 20  # runs that share equally many words, of which the one most alike is taken
_LEAST_ALIKE = 0.3  # of the words of the quote; below, no place is worth showing beside it


class Verdict(StrEnum):
    """What became of a quote."""

    VERIFIED = "verified"  # the same characters at the same place
    MOVED = "moved"  # the same words at another place
    DRIFTED = "drifted"  # other words
    UNRESOLVABLE = "unresolvable"  # its file is gone or can't be read


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one quote.

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

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form described in docs/json.md."""
        return {"schema": "qa.verification/1", **asdict(self)}


def verify(answer: Answer | Mapping[str, Any], corpus: Corpus) -> Verification:
    """Check every quote of an answer: passages and evidence, or what came nearest.

    Raises:
        CitationError: it is no answer.
    """
    saved = answer.to_dict() if isinstance(answer, Answer) else answer
    claims = list(_claims(saved))
    read: dict[str, tuple[dict[str, Document], str]] = {}
    checked = []
    for claim in claims:
        if claim.file not in read:
            read[claim.file] = _documents(corpus, claim.file)
        documents, reason = read[claim.file]
        document = documents.get(claim.document)
        if document is None:
            reason = reason or f"{claim.document} is no longer in {claim.file}"
            checked.append(Checked(claim.shown, claim.quote, Verdict.UNRESOLVABLE, reason=reason))
        else:
            checked.append(_checked(claim, document, source_of(document, corpus)))
    verdicts = {one.verdict for one in checked}
    return Verification(
        question=str(saved.get("question", "")),
        holds=verdicts <= {Verdict.VERIFIED, Verdict.MOVED},
        quotes=tuple(checked),
    )


@dataclass(frozen=True, slots=True)
class _Claim:
    """A quote as it was saved."""

    document: str
    file: str
    quote: str
    start: int
    shown: str


def _claims(saved: Mapping[str, Any]) -> Iterator[_Claim]:
    """Read the quotes of a saved answer, each once."""
    try:
        if saved["schema"] != ANSWER_SCHEMA:
            raise ValueError(f"its schema is {saved['schema']!r}, not {ANSWER_SCHEMA!r}")
        citations = [
            one
            for passage in (*saved["passages"], *saved["nearest"])
            for one in (passage["citation"], passage["evidence"]["citation"])
        ]
        seen = Counter[tuple[str, int, str]]()
        for one in citations:
            claim = _Claim(
                document=_text(one["document"]),
                file=_text(one["file"]),
                quote=_text(one["quote"]),
                start=int(one["start"]),
                shown=_shown(one),
            )
            seen[key := (claim.document, claim.start, claim.quote)] += 1
            if seen[key] == 1:
                yield claim
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CitationError(
            f"That is no saved answer ({type(error).__name__}: {error})",
            hint="Save one with `qa ask … --format json > answer.json`.",
        ) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _shown(one: Mapping[str, Any]) -> str:
    place = f"#page={one['page']}" if one.get("page") else f":{one['start_line']}"
    return f"{one['document']}{place}"


def _documents(corpus: Corpus, file: str) -> tuple[dict[str, Document], str]:
    """Read a file as it is now: its documents by id, or why it can't be read."""
    try:
        reading = corpus.read(file)
    except UnreadableDocumentError as error:
        return {}, error.reason
    return {one.id: one for one in reading.documents}, reading.problems.get(file, "")


def _checked(claim: _Claim, document: Document, source: Source) -> Checked:
    end = claim.start + len(claim.quote)
    if claim.start >= 0 and document.text[claim.start : end] == claim.quote:
        span, verdict = Span(claim.start, end), Verdict.VERIFIED
    elif (found := _same_words(claim, document.text)) is not None:
        span, verdict = found, Verdict.MOVED
    else:
        nearest = _nearest(claim.quote, document.text)
        now = _cite(document, source, nearest) if nearest else None
        difference = _difference(claim.quote, now.quote if now else "")
        return Checked(claim.shown, claim.quote, Verdict.DRIFTED, now, difference)
    return Checked(claim.shown, claim.quote, verdict, _cite(document, source, span))


def _cite(document: Document, source: Source, span: Span) -> Citation:
    return source.cite(span, headings_at(document.sections, span.start), document.places)


def _same_words(claim: _Claim, text: str) -> Span | None:
    """Find the words of a quote, however they are broken into lines; the place next to the old."""
    words = _WORD.findall(claim.quote)
    if not words:
        return None
    # No part of a longer word: "it." does not stand in "visit."
    pattern = r"(?<!\w)" * words[0][0].isalnum() + r"\s+".join(map(re.escape, words))
    pattern += r"(?!\w)" * words[-1][-1].isalnum()
    places = (Span(*match.span()) for match in re.finditer(pattern, text))
    return min(places, key=lambda span: abs(span.start - claim.start), default=None)


def _nearest(quote: str, text: str) -> Span | None:
    """Find the run of as many words that shares most with a quote; None where none is alike."""
    wanted = Counter(_WORD.findall(quote))
    words = [match.span() for match in _WORD.finditer(text)]
    length = min(wanted.total(), len(words))
    lacking = wanted.copy()
    best, shared = 0, 0
    ends: list[int] = []  # of the runs that share most
    for number, (start, end) in enumerate(words):
        word = text[start:end]
        shared += lacking[word] > 0
        lacking[word] -= 1
        if number >= length:
            gone = text[slice(*words[number - length])]
            lacking[gone] += 1
            shared -= lacking[gone] > 0
        if shared > best:
            best, ends = shared, []
        if shared == best:
            ends.append(number)
    if best < _LEAST_ALIKE * wanted.total() or not best:
        return None
    runs = [Span(words[max(0, end - length + 1)][0], words[end][1]) for end in ends[:_COMPARED]]
    matcher = difflib.SequenceMatcher(None, b=quote, autojunk=False)
    return max(runs, key=lambda run: _likeness(matcher, text[run.start : run.end]))


def _likeness(matcher: difflib.SequenceMatcher[str], text: str) -> float:
    matcher.set_seq1(text)
    return matcher.ratio()


def _difference(before: str, after: str) -> str:
    """Show what became of the words: `[-gone-]`, `{+new+}`, the rest as it is."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    shown = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            shown.append(" ".join(old[a:b]))
            continue
        if a < b:
            shown.append(f"[-{' '.join(old[a:b])}-]")
        if c < d:
            shown.append(f"{{+{' '.join(new[c:d])}+}}")
    return " ".join(shown)
