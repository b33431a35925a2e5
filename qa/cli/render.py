"""What commands show, as styled lines: no I/O here."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote as percent_encoded

from qa.cli.output import Line, Segment, visible
from qa.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qa.citing import Excerpt
    from qa.diagnosis import Diagnosis
    from qa.encoding.load import CachedModel
    from qa.evaluation.evaluate import Report
    from qa.types import Answer, CitedPassage, Refresh, Status
    from qa.verifying import Checked, Verification

__all__ = [
    "answer",
    "diagnosis",
    "evaluation",
    "evaluation_markdown",
    "excerpt",
    "markdown",
    "models",
    "problems",
    "refresh",
    "status",
    "verification",
]

_NUMBER, _PLACE, _HEADINGS, _QUIET = "bold", "bold cyan", "dim", "dim"
_EVIDENCE, _MARK = "bold yellow", "bold yellow underline"
NOT_ANSWERED = "Not in these documents, as far as can be told."
_NEAREST_SHOWN = 2
_PROBLEMS_SHOWN = 10
_DIFFERENCE_SHOWN = 2000  # characters
_INDENT = 3
_CHECK = 23  # columns before what a check found
# A line that begins like this is a line of its own; others continue the one before.
_OWN_LINE = re.compile(r"[ ]{4}|\t|\s*(?:[-*+•]\s|[|>#`~]|\d{1,3}[.)]\s)")
_BREAK = re.compile(r"\r\n?|\n")


def answer(one: Answer, root: Path | None, *, width: int) -> Iterator[Line]:
    """Lay out an answer: the best passage first, its evidence highlighted."""
    if not one.answered:
        for line in textwrap.wrap(f"{NOT_ANSWERED} {one.reason}", width):
            yield (Segment(line, _NUMBER),)
        if one.nearest:
            yield ()
            yield (Segment("What came nearest, which is not an answer:", _QUIET),)
    for number, passage in enumerate(one.passages or one.nearest[:_NEAREST_SHOWN], 1):
        if number > 1 or not one.answered:
            yield ()
        yield from _passage(number, passage, root, width=width)
        for line in _explained(passage):
            for part in textwrap.wrap(line, width - _INDENT, subsequent_indent="  "):
                yield (Segment(" " * _INDENT + part, _QUIET),)
    if any(passage.explanation for passage in one.passages or one.nearest):
        yield ()
        yield (Segment(f"Probability that the documents answer: {one.probability:.3f}", _QUIET),)


def _passage(number: int, one: CitedPassage, root: Path | None, *, width: int) -> Iterator[Line]:
    place = Segment(str(one.citation), _PLACE, _link(one, root))
    yield Segment(f"{number}. ", _NUMBER), place
    if one.citation.heading_path:
        yield (Segment(" " * _INDENT + _headings(one, width - _INDENT), _HEADINGS),)
    if about := _about(one):
        yield (Segment(" " * _INDENT + about[: width - _INDENT], _QUIET),)
    yield from _wrapped(_parts(one), width - _INDENT)


def _parts(one: CitedPassage) -> tuple[tuple[str, str], ...]:
    """Cut a passage where its style changes: evidence, and in it what could be the answer."""
    quote, begin = one.citation.quote, one.citation.start
    evidence = one.evidence.citation
    borders = [(begin, ""), (evidence.start, _EVIDENCE)]
    for mark in one.evidence.marks:
        borders += [(mark.start, _MARK), (mark.end, _EVIDENCE)]
    borders += [(evidence.end, ""), (one.citation.end, "")]
    return tuple(
        (quote[start - begin : end - begin], style)
        for (start, style), (end, _) in pairwise(borders)
    )


def _headings(one: CitedPassage, width: int) -> str:
    """Give the heading path on one line: outer headings give way to inner ones."""
    path = one.citation.heading_path
    for outer in range(len(path)):
        shown = " › ".join((*(["…"] if outer else []), *path[outer:]))
        if len(shown) <= width:
            return shown
    return textwrap.shorten(path[-1], width, placeholder=" …")


def _wrapped(parts: tuple[tuple[str, str], ...], width: int) -> Iterator[Line]:
    """Fill lines of styled text, keeping the breaks that mean something."""
    line: list[Segment] = [Segment(" " * _INDENT)]
    used = 0
    for text, style in parts:
        for word in _words(text):
            if word == "\n" or (used and used + len(word.rstrip()) > width):
                yield _trimmed(line)
                line, used = [Segment(" " * _INDENT)], 0
                if word == "\n":
                    continue
            line.append(Segment(word, style))
            used += len(word)
    yield _trimmed(line)


def _trimmed(line: list[Segment]) -> Line:
    """Take away the white space at the end, which would make a full line wrap."""
    *rest, last = line
    return (*rest, replace(last, text=last.text.rstrip()))


def _words(text: str) -> Iterator[str]:
    r"""Give words, each with the white space after it, and "\n" for a break that stays."""
    lines = _BREAK.split(text)
    for number, line in enumerate(lines):
        if number and (_OWN_LINE.match(line) or not line.strip() or not lines[number - 1].strip()):
            yield "\n"
        ends = number < len(lines) - 1
        own = not number or _OWN_LINE.match(line)
        body = line.rstrip()
        shown = (body if own else body.lstrip()) + " " * (len(body) < len(line) or ends)
        yield from re.findall(r"^\s+\S+\s*|\S+\s*", shown)


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
    return " · ".join(([f"page {label}"] if label else []) + about)


def _link(one: CitedPassage, root: Path | None) -> str:
    """Give a link to the file, at the page or anchor: viewers that can will open it there."""
    if root is None:
        return ""
    place = one.citation
    # Within a book the anchor begins with the file of the chapter: no viewer takes that.
    known = place.format in {"html", "pdf"} and place.document == place.file
    return (root / place.file).as_uri() + (percent_encoded(place.fragment, "#=") if known else "")


def markdown(one: Answer) -> str:
    """Write an answer as Markdown: quotes as block quotes, with their citations."""
    blocks = [f"**{one.question.strip()}**"]
    if not one.answered:
        blocks.append(f"{NOT_ANSWERED} {one.reason}")
        if one.nearest:
            blocks.append("What came nearest, which is not an answer:")
    for number, passage in enumerate(one.passages or one.nearest[:_NEAREST_SHOWN], 1):
        path = " › ".join(passage.citation.heading_path)
        head = f"{number}. {_code(str(passage.citation))}" + (f" — {path}" if path else "")
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


def refresh(one: Refresh) -> Iterator[Line]:
    """Say what a refresh did."""
    changes = {"added": one.added, "changed": one.changed, "removed": one.removed}
    said = ", ".join(f"{count} {word}" for word, count in changes.items() if count)
    yield (
        Segment(f"{said or 'Nothing changed'}; {one.unchanged} unchanged. ", "bold"),
        Segment(
            f"{one.encoded:,} of {counted(one.passages, 'passage')} embedded "
            f"in {one.seconds:.1f} s."
            if one.passages
            else ""
        ),
    )
    yield from _left_out(one)


def _left_out(one: Refresh | Status) -> Iterator[Line]:
    if one.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in one.left_out.items())
        yield (Segment(f"Left out: {reasons}."),)
    for problem in one.problems[:_PROBLEMS_SHOWN]:
        yield (Segment(f"Can't read {problem.document}: {problem.reason}"),)
    if (more := len(one.problems) - _PROBLEMS_SHOWN) > 0:
        yield (Segment(f"… and {more} more: `qa status --problems` names them."),)


def problems(one: Status) -> Iterator[Line]:
    """Name every document that can't be read, and why."""
    for problem in one.problems:
        yield Segment(problem.document, _PLACE), Segment(f": {problem.reason}")
    if not one.problems:
        yield (Segment("Every document could be read."),)


def status(one: Status) -> Iterator[Line]:
    """Lay out what is indexed."""
    differ = f"{counted(one.stale, 'document')} differ{'s' * (one.stale == 1)}"
    rows = {
        "corpus": one.corpus or "given as text",
        "index": one.index,
        "model": one.model,
        "documents": f"{one.documents:,}",
        "passages": f"{one.passages:,}",
        "size": f"{one.size_bytes / 1e6:,.1f} MB",
        "fresh": "yes" if not one.stale else f"no: {differ} (run `qa index`)",
    }
    for name, value in rows.items():
        yield Segment(f"{name:10}", _QUIET), Segment(value)
    yield from _left_out(one)


def diagnosis(one: Diagnosis, *, width: int) -> Iterator[Line]:
    """Lay out checks: how each came out, what was found, and below it what to do."""
    styles = {"ok": "green", "warning": "yellow", "failed": "bold red"}
    for check in one.checks:
        name = Segment(f"{check.name:13} ", _QUIET)
        lead: Line = (Segment(f"{check.result:8} ", styles[check.result]), name)
        for text, style in ((check.found, ""), (check.advice, _NUMBER)):
            for line in textwrap.wrap(visible(text), width - _CHECK):
                yield (*lead, Segment(line, style))
                lead = (Segment(" " * _CHECK),)


def models(found: Sequence[CachedModel], cache: Path) -> Iterator[Line]:
    """List models that are ready for use."""
    if not found:
        yield (Segment(f"No model is ready in {cache}. `qa model prepare` makes one so."),)
    for one in found:
        yield (
            Segment(f"{one.name}  ", "bold"),
            Segment(f"{one.fingerprint[:12]}  {one.size_bytes / 1e6:,.0f} MB  {one.folder}"),
        )


def evaluation(found: Report) -> Iterator[Line]:
    """Lay out measures with their 95 % intervals."""
    for name, one in found.measures.items():
        figure = f"{one.value:8.2f}" if name.endswith("ms") else f"{one.value:8.4f}"
        interval = "" if one.low is None else f"  [{one.low:.4f}, {one.high:.4f}]"
        yield (
            Segment(f"{name:10}", _QUIET),
            Segment(figure),
            Segment(f"{interval:20}  {counted(one.questions, 'question')}", _QUIET),
        )


def evaluation_markdown(found: Report) -> str:
    """Write the same as a Markdown table."""
    rows = ["| measure | value | 95 % interval | questions |", "|---|---|---|---|"]
    for name, one in found.measures.items():
        interval = "" if one.low is None else f"{one.low:.4f} to {one.high:.4f}"
        rows.append(f"| {name} | {one.value:.4f} | {interval} | {one.questions} |")
    return "\n".join(rows)


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
        for line in textwrap.wrap(shown + " …" * (shown < checked.difference), width - _INDENT):
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


def excerpt(one: Excerpt) -> Iterator[Line]:
    """Lay out a cited place with line numbers; the quote is highlighted."""
    number = one.citation.start_line - len(_BREAK.findall(one.before))
    line: list[Segment] = []
    for text, style in ((one.before, _QUIET), (one.citation.quote, _EVIDENCE), (one.after, _QUIET)):
        pieces = _BREAK.split(text)
        for piece in pieces[:-1]:
            yield Segment(f"{number:5} ", _QUIET), *line, Segment(piece, style)
            line, number = [], number + 1
        line.append(Segment(pieces[-1], style))
    if any(one.text for one in line):
        yield Segment(f"{number:5} ", _QUIET), *line
