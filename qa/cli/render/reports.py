"""What commands other than `qa ask` show, as styled lines: no I/O here."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from qa.cli.layout import behind, columns, kept, lines_of, wrap
from qa.cli.output import Line, Segment, visible
from qa.cli.render.quotes import INDENT, NUMBER, PLACE, QUIET, segments, styled
from qa.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qa.citations.locate import Excerpt
    from qa.citations.verify import Checked, Verification
    from qa.diagnosis import Diagnosis
    from qa.encoding.loader import CachedModel
    from qa.progress import Status
    from qa.types import Problem, Refresh

__all__ = [
    "choices",
    "diagnosis",
    "excerpt",
    "models",
    "problems",
    "refresh",
    "status",
    "verification",
]

_PROBLEMS_SHOWN = 10
_DIFFERENCE_SHOWN = 2000  # characters
_CHECK = 23  # columns before what a check found
_NUMBERED = 6  # columns before a line of a file
_QUOTED = "bold"
_BREAK = re.compile(r"\r\n?|\n")


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
        for line in wrap(f"Left out: {reasons}.", width, hanging=INDENT):
            yield (Segment(line),)
    for problem in one.problems[:_PROBLEMS_SHOWN]:
        label = Segment(f"{_unread(problem)} {problem.document}:")
        yield from _labelled(label, problem.reason, width, hanging=INDENT)
    if (more := len(one.problems) - _PROBLEMS_SHOWN) > 0:
        for line in wrap(f"… and {more} more: see `qa status --problems`.", width):
            yield (Segment(line),)


def _unread(problem: Problem) -> str:
    return "Read only part of" if problem.indexed else "Can't read"


def problems(one: Status, *, width: int) -> Iterator[Line]:
    """Name every document that can't be read, or only in part, and why."""
    for problem in one.problems:
        label = Segment(f"{problem.document}:", PLACE)
        reason = f"indexed, but {problem.reason}" if problem.indexed else problem.reason
        yield from _labelled(label, reason, width, hanging=INDENT)
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
        yield Segment(f"{name:10}", QUIET), Segment(value)
    fresh = behind + " (run `qa index`)" * (one.running is None) if behind else "yes"
    yield from _labelled(Segment("fresh    ", QUIET), fresh, width, hanging=10)
    for line in wrap(running(one.running), width, hanging=INDENT) if one.running else ():
        yield (Segment(line, NUMBER),)
    yield from _left_out(one, width)


def diagnosis(one: Diagnosis, *, width: int) -> Iterator[Line]:
    """Lay out checks: how each came out, what was found, and below it what to do."""
    styles = {"ok": "", "warning": "bold", "failed": "bold reverse"}
    for check in one.checks:
        name = Segment(f"{check.name:13} ", QUIET)
        lead: Line = (Segment(f"{check.result:8} ", styles[check.result]), name)
        for text, style in ((check.found, ""), (check.advice, NUMBER)):
            for line in wrap(text, width - _CHECK) if text else ():
                yield (*lead, Segment(line, style))
                lead = (Segment(" " * _CHECK),)


def models(found: Sequence[CachedModel], cache: Path) -> Iterator[Line]:
    """List models that are ready for use."""
    if not found:
        yield (Segment(f"No model is ready in {cache}. Run `qa model prepare` to cache one."),)
    for one in found:
        kept = f"  {one.size_bytes / 1e6:,.0f} MB  {one.folder}" if one.size_bytes else ""
        ready = "  comes with qa, needs no preparing" if one.shipped else ""
        yield (Segment(f"{one.name}  ", "bold"), Segment(f"{one.fingerprint[:12]}{ready}{kept}"))


def choices() -> Iterator[Line]:
    """List models that are worth a try, by need."""
    from qa.encoding.choices import CHOICES, SCORE

    needs = max(len(one.need) for one in CHOICES)
    names = max(len(one.name) for one in CHOICES)
    yield (Segment("Good choices, with scores as published (not measured by us):"),)
    for one in CHOICES:
        yield (
            Segment(f"{one.need:{needs}}  ", QUIET),
            Segment(f"{one.name:{names}}  ", "bold"),
            Segment(f"{one.megabytes:5,} MB  {one.tokens:5,} tokens  {one.score:5}  "),
            Segment(one.source, QUIET, f"https://{one.source}"),
        )
    yield (Segment(f"Score: {SCORE}, in percent. One that is named is downloaded once.", QUIET),)


def verification(one: Verification, *, width: int) -> Iterator[Line]:
    """Say what became of each quote; what drifted is shown word by word."""
    for checked in one.quotes:
        style = "" if checked.verdict in {"verified", "moved"} else "bold reverse"
        yield (
            Segment(f"{checked.verdict:14}", style),
            Segment(checked.citation, PLACE),
            Segment(_became(checked)),
        )
        shown = checked.difference[:_DIFFERENCE_SHOWN]
        difference = shown + " …" * (shown < checked.difference)
        for line in wrap(difference, width - INDENT) if difference else ():
            yield (Segment(" " * INDENT + line, QUIET),)
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
    start, end = len(one.before), len(one.before) + len(one.citation.quote)
    styles = styled(text, [(0, QUIET), (start, _QUOTED), (end, QUIET), (len(text), "")])
    lines = list(lines_of(text))
    if lines[-1][0] == len(text):  # nothing follows the last line's end
        lines.pop()
    above = len(_BREAK.findall(one.before))
    for number, (first, last) in enumerate(lines, one.citation.start_line - above):
        lead, mark = f"{number:5}", ">" if first < end and start < last else " "
        for row in kept(text, first, last, width - _NUMBERED):
            line = segments(text, row, styles, width - _NUMBERED)
            gutter = Segment(" ", plain=mark)
            yield (Segment(lead, QUIET), gutter, Segment(" " * row.indent), *line)
            lead = " " * (_NUMBERED - 1)
