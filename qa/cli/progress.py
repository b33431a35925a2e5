"""How far a refresh is, in words: for a terminal, a pipe, `qa status`, and whoever stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.cli.layout import clip, columns
from qa.counting import counted
from qa.indexing.progress import amount
from qa.visible import visible

if TYPE_CHECKING:
    from qa.progress import Progress, Running

__all__ = ["fitting", "indexing", "left", "running", "stopped"]

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_WHOLE = 10  # from so many of a unit on, tenths say nothing
_NAME = 16  # columns: in fewer, a document is not told by its name
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def indexing(one: Progress) -> str:
    """Say all of it, in one line."""
    return _forms(one)[0]


def fitting(one: Progress, room: int) -> str:
    """Say as much as has room in so many columns, and the document where it can be told."""
    whole, *shorter = _forms(one)
    if (more := room - columns(whole)) < 0:
        return clip(next((form for form in shorter if columns(form) <= room), shorter[-1]), room)
    if one.phase == "embedding" or more < _NAME:
        return whole
    return clip(f"{whole}  {visible(one.document)}".rstrip(), room)


def _forms(one: Progress) -> tuple[str, ...]:
    """The same, from the longest form to the shortest."""
    rest = left(one.seconds_left)
    done, total = amount(one)
    share = f"{100 * done // max(total, 1)} %"
    if one.phase == "embedding":
        doing, counts, more = "Embedding", _counted(done, total, "passage"), ""
    else:
        doing, counts = "Reading", _counted(one.documents, one.documents_total, "document")
        more = f" ({_sizes(one.bytes, one.bytes_total)})"
    return (
        f"{doing} {counts}{more}{rest}",
        f"{doing} {counts}{rest}",
        f"{doing} {share}{rest}",
        f"{doing} {share}",
    )


def running(one: Running) -> str:
    """Say who is indexing, and how far that is."""
    import socket

    where = "" if one.host in {"", socket.gethostname()} else f" on {one.host}"
    lead = f"Indexing now (process {one.process}{where})"
    if (far := one.progress) is None:
        return lead
    rest = left(far.seconds_left)
    if far.phase == "embedding":
        return f"{lead}: {_counted(far.passages, far.passages_total, 'passage')} embedded{rest}"
    counts = _counted(far.documents, far.documents_total, "document")
    return f"{lead}: {counts}, {_sizes(far.bytes, far.bytes_total)}{rest}"


def stopped(one: Progress) -> tuple[str, str]:
    """Say what a stopped command leaves behind, and what to do."""
    if one.seconds_left == 0:
        return (
            "Stopped. The index is whole: as it was before, or up to date.",
            "Run the same command to make sure.",
        )
    embedded = _counted(one.passages_kept, one.passages_total, "passage")
    if one.kept:
        documents = _counted(one.kept, one.documents_total, "document")
        kept = f"{documents} {'is' if one.kept == 1 else 'are'} indexed and kept"
        if one.phase == "embedding":
            kept += f", with {embedded} embedded"
    elif one.passages_kept:
        kept = f"{embedded} {'is' if one.passages_kept == 1 else 'are'} embedded and kept"
    else:
        return "Stopped. Nothing was indexed yet; run the same command to start again.", ""
    return f"Stopped. {kept}; run the same command to go on.", ""


def _counted(done: int, total: int, noun: str) -> str:
    return f"{done:,} of {counted(total, noun)}"


def _sizes(done: int, total: int) -> str:
    unit, name = next((one for one in _UNITS if total >= one[0]), _UNITS[-1])
    digits = 0 if total >= _WHOLE * unit else 1
    return f"{done / unit:,.{digits}f} of {total / unit:,.{digits}f} {name}"


def left(seconds: float | None) -> str:
    """Say how long it still takes, no more exactly than is known; "" where nothing is."""
    if not seconds:
        return ""
    if seconds < 10:
        about = "a few seconds"
    elif seconds < 57:
        about = f"about {5 * round(seconds / 5)} s"
    elif seconds < 90 * _MINUTE:
        about = f"about {max(1, round(seconds / _MINUTE))} min"
    elif seconds < 2 * _DAY:
        about = f"about {round(seconds / _HOUR)} h"
    else:
        about = f"about {round(seconds / _DAY)} days"
    return f", {about} left"
