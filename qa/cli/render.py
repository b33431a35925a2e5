"""What commands show, as styled lines: no I/O here."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote as percent_encoded

from qa.cli.layout import TAB, Row, behind, clip, columns, edge, kept, lay_out, lines_of, wrap
from qa.cli.output import Line, Segment, visible
from qa.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qa.citations.locate import Excerpt
    from qa.citations.verify import Checked, Verification
    from qa.diagnosis import Diagnosis
    from qa.encoding.loader import CachedModel
    from qa.types import Answer, CitedPassage, Problem, Refresh, Status

    _Style = tuple[int, int, str]  # first character, the one after the last, style

__all__ = [
    "answer",
    "diagnosis",
    "excerpt",
    "markdown",
    "models",
    "plain",
    "problems",
    "refresh",
    "status",
    "verification",
]

_NUMBER, _PLACE, _HEADINGS, _QUIET = "bold", "bold cyan", "dim", "dim"
_EVIDENCE, _MARK = "bold yellow", "bold yellow underline"
NOT_ANSWERED = "Probably not in these documents."
_NEAREST_SHOWN = 2
_PROBLEMS_SHOWN = 10
_DIFFERENCE_SHOWN = 2000  # characters
_INDENT = 3
_WIDTH = 80  # columns of plain text
_CHECK = 23  # columns before what a check found
_NUMBERED = 6  # columns before a line of a file
_BREAK = re.compile(r"\r\n?|\n")
_SPACE = re.compile(r"[ \t\r\n]+")


def answer(
    one: Answer, root: Path | None, *, width: int, room: int, always: bool = False
) -> Iterator[Line]:
    """Lay out an answer: the best passage first, its evidence highlighted.

    Args:
        one: the answer, or an abstention.
        root: what links to files begin with; None where there are no files.
        width: columns of a line at most.
        room: columns of a line of code or of a table at most.
        always: lay out all the closest passages of an abstention, not the first few alone.
    """
    reason, nearest = _abstention(one, always=always)
    for line in wrap(reason, width) if reason else ():
        yield (Segment(line, _NUMBER),)
    if nearest:
        if reason:
            yield ()
        yield (Segment(nearest, _QUIET),)
    for number, passage in enumerate(_shown(one, always=always), 1):
        if number > 1 or not one.answered:
            yield ()
        yield from _passage(number, passage, root, width=width, room=room)
        for line in _explained(passage):
            for part in wrap(line, width - _INDENT, hanging=2):
                yield (Segment(" " * _INDENT + part, _QUIET),)
    if any(passage.explanation for passage in one.passages or one.nearest):
        yield ()
        said = f"Probability that the documents hold the answer: {one.probability:.3f}"
        yield (Segment(said, _QUIET),)


def _abstention(one: Answer, *, always: bool) -> tuple[str, str]:
    """The lines above an abstention and above the closest passages; "" where none is due."""
    if one.answered:
        return "", ""
    reason = one.reason if one.complete is False else f"{NOT_ANSWERED} {one.reason}"
    if not one.nearest:
        return reason, ""
    if always:
        below = f"Below the threshold ({one.probability:.3f}); closest passages:"
        return reason if one.complete is False else "", below
    return reason, "Closest passages (not answers):"


def _shown(one: Answer, *, always: bool) -> Sequence[CitedPassage]:
    return one.passages or (one.nearest if always else one.nearest[:_NEAREST_SHOWN])


def _passage(
    number: int, one: CitedPassage, root: Path | None, *, width: int, room: int
) -> Iterator[Line]:
    place = Segment(str(one.citation), _PLACE, _link(one, root))
    yield Segment(f"{number}. ", _NUMBER), place
    if one.citation.heading_path:
        yield (Segment(" " * _INDENT + _headings(one, width - _INDENT), _HEADINGS),)
    if about := _about(one):
        yield (Segment(" " * _INDENT + clip(about, width - _INDENT), _QUIET),)
    elsewhere = "also in " + ", ".join(visible(str(place)) for place in one.also)
    for line in wrap(elsewhere, width - _INDENT) if one.also else ():
        yield (Segment(" " * _INDENT + line, _QUIET),)
    yield from _quote(one, width - _INDENT, room - _INDENT)


def _quote(one: CitedPassage, width: int, room: int) -> Iterator[Line]:
    """Lay out a passage; its evidence is highlighted, and in it what could be the answer."""
    quote, begin = one.citation.quote, one.citation.start
    evidence = one.evidence.citation
    borders = [(begin, ""), (evidence.start, _EVIDENCE)]
    for mark in one.evidence.marks:
        borders += [(mark.start, _MARK), (mark.end, _EVIDENCE)]
    borders += [(evidence.end, ""), (one.citation.end, "")]
    styles = _styles(quote, [(at - begin, style) for at, style in borders])

    def is_evidence(start: int, end: int) -> bool:
        return any(style and first < end and start < last for first, last, style in styles)

    for row in lay_out(quote, one.citation.format, width=width, room=room, whole=is_evidence):
        lead = Segment(" " * (_INDENT + row.indent))
        yield (lead, *_segments(quote, row, styles, room))


def _styles(text: str, borders: Sequence[tuple[int, str]]) -> tuple[_Style, ...]:
    """What is of one style, never parting a character from the marks on it."""
    edges = [(edge(text, at), style) for at, style in borders]
    return tuple((start, end, style) for (start, style), (end, _) in pairwise(edges) if start < end)


def _segments(text: str, row: Row, styles: tuple[_Style, ...], width: int) -> Iterator[Segment]:
    """A line's text as it is shown, cut off at the width where it keeps its white space."""
    pieces: list[tuple[str, str]] = []
    used = row.indent
    for first, last, style in styles:
        if piece := text[max(first, row.start) : min(last, row.end)]:
            if row.filled:
                piece = _SPACE.sub(" ", piece)
            elif "\t" in piece:
                piece = (" " * used + piece).expandtabs(TAB)[used:]
            pieces.append((visible(piece), style))
            used += columns(pieces[-1][0])
    fits, room = row.filled or used <= width, width
    for shown, style in pieces:
        if fits or (size := columns(shown)) < room:
            yield Segment(shown, style)
            room -= 0 if fits else size
        else:
            yield Segment(clip(f"{shown}…", room), style)
            return


def _headings(one: CitedPassage, width: int) -> str:
    """The heading path on one line: outer headings give way to inner ones."""
    path = one.citation.heading_path
    for outer in range(len(path)):
        shown = visible(" › ".join((*(["…"] if outer else []), *path[outer:])))
        if columns(shown) <= width:
            return shown
    return clip(visible(path[-1]), width)


def _explained(one: CitedPassage) -> Iterator[str]:
    """Say where a score comes from, where that was asked for."""
    if one.explanation is None:
        return
    scores, terms = one.scores, [x for x in one.explanation.terms if x[1]]
    yield (
        f"score {scores.fused:.3f}: cosine {scores.dense:.3f}, "
        f"best sentence {scores.sentence:.3f}, words {scores.lexical:.3f} "
        f"(in the best sentence {scores.coverage:.3f})"
        + ("" if scores.rerank is None else f"; reranked by {scores.rerank:.3f}")
    )
    if terms:
        yield "words: " + ", ".join(f"{term} {share:.3f}" for term, share in terms)
    yield "cosine: " + ", ".join(f"{word} {share:.3f}" for word, share in one.explanation.words)


def _about(one: CitedPassage) -> str:
    """Say what a document tells of itself: page label, title, author, date."""
    about = [one.metadata.get(key, "") for key in ("title", "author")]
    if date := one.metadata.get("date", ""):
        from qa.reading.dates import day

        about.append(day(date) or date)
    about = [text for text in about if text and text not in " ".join(one.citation.heading_path)]
    label = one.citation.label
    return visible(" · ".join(([f"page {label}"] if label else []) + about))


def _link(one: CitedPassage, root: Path | None) -> str:
    """A link to the file, at the page or anchor: viewers that can will open it there."""
    if root is None:
        return ""
    place = one.citation
    # Within a book the anchor begins with the file of the chapter: no viewer takes that.
    known = place.format in {"html", "pdf"} and place.document == place.file
    return (root / place.file).as_uri() + (percent_encoded(place.fragment, "#=") if known else "")


def plain(one: Answer) -> str:
    """Write an answer as plain text, as a pipe gets it."""
    lines = answer(one, None, width=_WIDTH, room=_WIDTH)
    return "\n".join("".join(visible(part.text) for part in line).rstrip() for line in lines)


def markdown(one: Answer, *, always: bool = False) -> str:
    """Write an answer as Markdown: quotes as block quotes, with their citations."""
    blocks = [f"**{one.question.strip()}**"]
    blocks += [text for text in _abstention(one, always=always) if text]
    for number, passage in enumerate(_shown(one, always=always), 1):
        path = " › ".join(passage.citation.heading_path)
        head = f"{number}. {_code(str(passage.citation))}" + (f" — {path}" if path else "")
        head += "".join(f"; also in {_code(str(place))}" for place in passage.also)
        lines = _BREAK.split(passage.citation.quote)
        blocks += [head, "\n".join(f"   > {line}".rstrip() for line in lines)]
        blocks += [f"   {line}" for line in _explained(passage)]
    return "\n\n".join(blocks)


def _code(text: str) -> str:
    """Write a Markdown code span, on one line, whatever backticks the text has."""
    shown = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def refresh(one: Refresh, *, width: int) -> Iterator[Line]:
    """Say what a refresh did."""
    changes = {"added": one.added, "changed": one.changed, "removed": one.removed}
    said = ", ".join(f"{count} {word}" for word, count in changes.items() if count)
    done = f"{said or 'Nothing changed'}; {one.unchanged} unchanged."
    passages = counted(one.passages, "passage")
    embedded = f"{one.encoded:,} of {passages} embedded in {one.seconds:.1f} s."
    yield from _labelled(Segment(done, "bold"), embedded if one.passages else "", width)
    yield from _left_out(one, width)


def _labelled(label: Segment, text: str, width: int, *, hanging: int = 0) -> Iterator[Line]:
    """Put a text behind a label, which stays whole."""
    first, *rest = behind(columns(visible(label.text)), text, width, hanging=hanging)
    yield label, Segment(first)
    for line in rest:
        yield (Segment(line),)


def _left_out(one: Refresh | Status, width: int) -> Iterator[Line]:
    if one.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in one.left_out.items())
        for line in wrap(f"Left out: {reasons}.", width, hanging=_INDENT):
            yield (Segment(line),)
    for problem in one.problems[:_PROBLEMS_SHOWN]:
        label = Segment(f"{_unread(problem)} {problem.document}:")
        yield from _labelled(label, problem.reason, width, hanging=_INDENT)
    if (more := len(one.problems) - _PROBLEMS_SHOWN) > 0:
        for line in wrap(f"… and {more} more: see `qa status --problems`.", width):
            yield (Segment(line),)


def _unread(problem: Problem) -> str:
    return "Read only part of" if problem.indexed else "Can't read"


def problems(one: Status, *, width: int) -> Iterator[Line]:
    """Name every document that can't be read, or only in part, and why."""
    for problem in one.problems:
        label = Segment(f"{problem.document}:", _PLACE)
        reason = f"indexed, but {problem.reason}" if problem.indexed else problem.reason
        yield from _labelled(label, reason, width, hanging=_INDENT)
    if not one.problems:
        yield (Segment("Every document could be read."),)


def status(one: Status, *, width: int) -> Iterator[Line]:
    """Lay out what is indexed."""
    from qa.cli.progress import running

    behind = ""
    if one.stale:
        behind = f"no: {counted(one.stale, 'document')} differ{'s' * (one.stale == 1)}"
    elif one.pending:
        behind = f"no: {counted(one.pending, 'passage')} yet to be embedded"
    rows = {
        "corpus": one.corpus or "given as text",
        "index": one.index,
        "model": one.model or "none yet",
        "documents": f"{one.documents:,}",
        "passages": f"{one.passages:,}"
        + f" ({one.pending:,} found by their words alone so far)" * bool(one.pending),
        "size": f"{one.size_bytes / 1e6:,.1f} MB",
    }
    for name, value in rows.items():
        yield Segment(f"{name:10}", _QUIET), Segment(value)
    fresh = behind + " (run `qa index`)" * (one.running is None) if behind else "yes"
    yield from _labelled(Segment("fresh    ", _QUIET), fresh, width, hanging=10)
    for line in wrap(running(one.running), width, hanging=_INDENT) if one.running else ():
        yield (Segment(line, _NUMBER),)
    yield from _left_out(one, width)


def diagnosis(one: Diagnosis, *, width: int) -> Iterator[Line]:
    """Lay out checks: how each came out, what was found, and below it what to do."""
    styles = {"ok": "green", "warning": "yellow", "failed": "bold red"}
    for check in one.checks:
        name = Segment(f"{check.name:13} ", _QUIET)
        lead: Line = (Segment(f"{check.result:8} ", styles[check.result]), name)
        for text, style in ((check.found, ""), (check.advice, _NUMBER)):
            for line in wrap(text, width - _CHECK) if text else ():
                yield (*lead, Segment(line, style))
                lead = (Segment(" " * _CHECK),)


def models(found: Sequence[CachedModel], cache: Path) -> Iterator[Line]:
    """List models that are ready for use."""
    if not found:
        yield (Segment(f"No model is ready in {cache}. Run `qa model prepare` to cache one."),)
    for one in found:
        yield (
            Segment(f"{one.name}  ", "bold"),
            Segment(f"{one.fingerprint[:12]}  {one.size_bytes / 1e6:,.0f} MB  {one.folder}"),
        )


def verification(one: Verification, *, width: int) -> Iterator[Line]:
    """Say what became of each quote; what drifted is shown word by word."""
    for checked in one.quotes:
        style = "" if checked.verdict in {"verified", "moved"} else "bold red"
        yield (
            Segment(f"{checked.verdict:14}", style),
            Segment(checked.citation, _PLACE),
            Segment(_became(checked)),
        )
        shown = checked.difference[:_DIFFERENCE_SHOWN]
        difference = shown + " …" * (shown < checked.difference)
        for line in wrap(difference, width - _INDENT) if difference else ():
            yield (Segment(" " * _INDENT + line, _QUIET),)
    counts = Counter(checked.verdict for checked in one.quotes)
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    yield (Segment(said or "There are no quotes to check."),)


def _became(one: Checked) -> str:
    """Say where the words of a quote stand now, or why that can't be told."""
    if one.verdict == "verified":
        return ""
    if one.now is None:
        return f": {one.reason or 'nothing like it is left in the document'}"
    elsewhere = str(one.now) != one.citation
    if one.verdict == "drifted":
        return f"; closest words at {one.now}" * elsewhere
    if elsewhere:
        return f" to {one.now}"
    reflowed = one.now.quote != one.quote
    what = "line breaks or spaces differ" if reflowed else "the position in it differs"
    return f" (only {what})"


def excerpt(one: Excerpt, *, width: int) -> Iterator[Line]:
    """Lay out a cited place with line numbers; the quote is highlighted."""
    text = one.before + one.citation.quote + one.after
    quoted = len(one.before), len(one.before) + len(one.citation.quote)
    borders = [(0, _QUIET), (quoted[0], _EVIDENCE), (quoted[1], _QUIET), (len(text), "")]
    styles = _styles(text, borders)
    lines = list(lines_of(text))
    if lines[-1][0] == len(text):  # nothing follows the last line's end
        lines.pop()
    above = len(_BREAK.findall(one.before))
    for number, (start, end) in enumerate(lines, one.citation.start_line - above):
        lead = f"{number:5} "
        for row in kept(text, start, end, width - _NUMBERED):
            line = _segments(text, row, styles, width - _NUMBERED)
            yield (Segment(lead + " " * row.indent, _QUIET), *line)
            lead = " " * _NUMBERED
