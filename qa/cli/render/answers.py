"""What `qa ask` shows, as styled lines: no I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from qa.citations.links import file_link
from qa.cli.layout import clip, clip_start, columns, wrap
from qa.cli.output import Line, Segment, visible
from qa.cli.render.quotes import INDENT, NUMBER, PLACE, QUIET, gist, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qa.types import Answer, Citation, CitedPassage

__all__ = [
    "CLOSEST_WHOLE",
    "COMMANDS",
    "Actions",
    "Form",
    "abstention",
    "answer",
    "explained",
    "link",
    "plain",
    "shown",
    "verdict",
]

Form = Literal["short", "full", "brief"]
Actions = tuple[str, str, str, str]  # open, show, show all of it, show the closest passages

COMMANDS: Actions = ("qa open", "qa show", "--full", "--always")

NOT_ANSWERED = "Probably not in these documents."
UNSURE = "Unsure whether these documents answer it."
CLOSEST_WHOLE, _CLOSEST = 2, 5  # passages of an abstention: whole, in a line each
_WIDTH = 80  # columns of plain text
_GAP = "  "
_FEWEST = 24  # columns of evidence in a pipe, whatever stands before it
_HEADED = 60  # columns from which on a line has room for a heading
_PROMPTS = 2  # rows of a screen that the command and the next prompt take


def verdict(one: Answer) -> str:
    """Say in a few words whether a question is answered, and how sure that is."""
    if one.answered:
        return f"Answered, {int(one.probability * 100) / 100:.2f}"  # never rounded up to certainty
    return UNSURE if one.verdict == "unsure" else NOT_ANSWERED


def answer(
    one: Answer,
    root: Path | None,
    *,
    width: int,
    room: int,
    always: bool = False,
    form: Form = "short",
    rows: int | None = None,
    actions: Actions = COMMANDS,
    editor_link: str | None = None,
) -> Iterator[Line]:
    """Lay out an answer, the best passage first, its evidence highlighted.

    Args:
        one: the answer, or an abstention.
        root: what links to files begin with; None where there are no files.
        width: columns of a line at most.
        room: columns of a line of code or of a table at most.
        always: lay out all the closest passages of an abstention, as those of an answer.
        form: "short": the first passage whole, each other one in a line; "full": all of them
            whole; "brief": each in a line.
        rows: of the screen that it goes to, which a short answer should fit; None for a pipe.
        actions: what the last line on a screen says can be done.
        editor_link: see `Settings.editor_link`.
    """
    closest = CLOSEST_WHOLE if form == "full" else _CLOSEST
    passages = shown(one, always=always, closest=closest)
    top = _top(one, form, always=always, width=width)
    whole = len(passages) if form == "full" else int(form == "short" and (one.answered or always))
    links = [link(passage, root, editor_link) for passage in passages]
    below: list[Line] = []
    for number, passage in enumerate(passages[whole:], whole):
        line_width = width if rows is None else room
        line = _line(
            number + 1, passage, links[number], width=line_width, is_screen=rows is not None
        )
        below += [line, *_explanation(passage, width)]
    if any(passage.explanation for passage in passages):
        said = f"Probability that the documents hold the answer: {one.probability:.3f}"
        below += [(), *((Segment(line, QUIET),) for line in wrap(said, width))]
    if rows is not None and passages and form == "short":
        below.append((Segment(_hint(one, len(passages), actions, always=always), QUIET),))
    yield from top
    for number, passage in enumerate(passages[:whole]):
        if form == "full" and (number or not one.answered):
            yield ()
        head = _head(number + 1, passage, links[number], width)
        tail = _explanation(passage, width)
        most = None
        if rows is not None and form == "short":
            used = sum(_rows(line, room) for lines in (top, head, tail, below) for line in lines)
            most = rows - _PROMPTS - used
        yield from head
        yield from quote(passage, width=width, room=room, most=most, whole=actions[2])
        yield from tail
    yield from below


def _rows(line: Line, width: int) -> int:
    """How many rows of a screen a line takes."""
    return max(1, -(-sum(columns(visible(part.text)) for part in line) // width))


def _top(one: Answer, form: Form, *, always: bool, width: int) -> list[Line]:
    """What stands above the passages: that they answer, or why not."""
    if one.answered:
        return [(Segment(verdict(one), NUMBER),), ()] if form == "short" else []
    reason, nearest = abstention(one, always=always)
    lines: list[Line] = [
        (Segment(line, NUMBER),) for line in (wrap(reason, width) if reason else ())
    ]
    if nearest:
        lines += [()] * bool(lines) + [(Segment(nearest, QUIET),)]
    return lines


def abstention(one: Answer, *, always: bool) -> tuple[str, str]:
    """The lines above an abstention and above the closest passages; "" where none is due."""
    if one.answered:
        return "", ""
    reason = one.reason if one.complete is False else f"{verdict(one)} {one.reason}"
    if not one.nearest:
        return reason, ""
    if always:
        below = f"Below the threshold ({one.probability:.3f}); closest passages:"
        return reason if one.complete is False else "", below
    return reason, "Closest passages (not answers):"


def shown(one: Answer, *, always: bool, closest: int) -> Sequence[CitedPassage]:
    """The passages to show of an answer, or so many of an abstention."""
    return one.passages or (one.nearest if always else one.nearest[:closest])


def _hint(one: Answer, count: int, actions: Actions, *, always: bool) -> str:
    """Say what can be done with an answer."""
    opens, shows, full, closest = actions
    more = full if one.answered or always else closest
    return f"({opens} 1 · {shows} {min(2, count)} · {more})"


def _head(number: int, one: CitedPassage, to: str, width: int) -> list[Line]:
    """What stands above a passage: its citation, headings, metadata and other places."""
    lines: list[Line] = [
        (Segment(f"{number}. ", NUMBER), Segment(str(one.citation), PLACE, to)),
    ]
    below = []
    if one.citation.heading_path:
        below.append(_headings(one, width - INDENT))
    if about := _about(one):
        below.append(clip(about, width - INDENT))
    if one.also:
        places = ", ".join(visible(str(place)) for place in one.also)
        below += wrap(f"also in {places}", width - INDENT)
    return [*lines, *((Segment(" " * INDENT + line, QUIET),) for line in below)]


def _line(number: int, one: CitedPassage, to: str, *, width: int, is_screen: bool) -> Line:
    """A passage in a line: its citation, its inner heading, its evidence.

    How many other places the text has is told as "+2". On a screen a long path loses its beginning;
    in a pipe it stays whole.
    """
    lead = f"{number}. "
    place = visible(str(one.citation))
    others = f" +{len(one.also)}" if one.also else ""
    rest = width - len(lead) - len(others) - len(_GAP)
    if is_screen:
        place = clip_start(place, rest // 2)
    rest -= columns(place)
    heading: tuple[Segment, ...] = ()
    if one.citation.heading_path and rest >= _HEADED:
        text = clip(visible(one.citation.heading_path[-1]), rest // 3)
        heading = (Segment(text + _GAP, QUIET),)
        rest -= columns(text) + len(_GAP)
    if not is_screen:
        rest = max(rest, _FEWEST)
    evidence = gist(one, rest)
    gap = Segment(others + _GAP, QUIET)
    return (Segment(lead, NUMBER), Segment(place, PLACE, to), gap, *heading, *evidence)


def _headings(one: CitedPassage, width: int) -> str:
    """The heading path on one line: outer headings give way to inner ones."""
    path = one.citation.heading_path
    for outer in range(len(path)):
        text = visible(" › ".join((*(["…"] if outer else []), *path[outer:])))
        if columns(text) <= width:
            return text
    return clip(visible(path[-1]), width)


def _explanation(one: CitedPassage, width: int) -> list[Line]:
    return [
        (Segment(" " * INDENT + part, QUIET),)
        for line in explained(one)
        for part in wrap(line, width - INDENT, hanging=2)
    ]


def explained(one: CitedPassage) -> Iterator[str]:
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


def link(one: CitedPassage, root: Path | None, editor_link: str | None = None) -> str:
    """A link to the file, at the line, page or anchor: what can will open it there."""
    if root is None:
        return ""
    place = one.citation
    address = (root / place.file).as_uri()
    if editor_link and (to := _in_editor(editor_link, place, address)):
        return to
    return file_link(place, root)


def _in_editor(template: str, place: Citation, address: str) -> str:
    """Fill in where an editor opens a file; "" where the place has no line or page to fill in."""
    path = address.removeprefix("file://")  # with a slash before it, on every system
    line = place.start_line if place.encoding else None  # else lines are not those of the file
    values = {"path": path, "line": line, "page": place.page}
    template = template.replace("/{path}", "{path}")
    if any(value is None and f"{{{key}}}" in template for key, value in values.items()):
        return ""
    for key, value in values.items():
        template = template.replace(f"{{{key}}}", str(value))
    return template


def plain(one: Answer) -> str:
    """Write an answer as plain text, as a pipe gets it."""
    lines = answer(one, None, width=_WIDTH, room=_WIDTH)
    return "\n".join("".join(visible(part.unstyled) for part in line).rstrip() for line in lines)
