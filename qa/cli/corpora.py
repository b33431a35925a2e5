"""`qa corpora`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli.options import Format, settings_from
from qa.cli.output import Output, Segment
from qa.counting import counted
from qa.errors import QaError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.cli.output import Line
    from qa.corpora import Corpora, Known, Lost

EXAMPLES = """Examples:

qa corpora

qa corpora --remove

In qa.toml, [corpora.notes] and below it corpus = "~/notes" names a corpus: qa ask --corpus notes"""

FAILED = 2


def command(
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the indexes that have lost their corpus.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them without asking again.")] = False,
    output_format: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
) -> None:
    """List the corpora that qa.toml names, and every index in your data directory.

    Each with its size, and whether it is fresh. An index whose corpus is no longer there is kept
    until you remove it: the corpus may lie on a drive that is not mounted.
    """
    from qa.corpora import look
    from qa.settings import named_corpora

    output = Output()
    usual = settings_from({})
    found = look(usual, named_corpora())
    if output_format is Format.JSON:
        output.json(found.to_dict())
    else:
        output.lines(_listed(found, removing=remove))
    if remove and found.lost:
        _remove(output, found.lost, yes=yes)


def _listed(found: Corpora, *, removing: bool) -> Iterator[Line]:
    for one in found.known:
        yield from _one(one)
    if not found.known and not found.lost:
        yield (Segment("No corpus has a name or an index. See `qa corpora --help`."),)
    if found.lost:
        size = sum(one.size_bytes for one in found.lost)
        said = f"{counted(len(found.lost), 'index folder')} without a corpus"
        yield ()
        yield (Segment(f"{said} ({_size(size)}):", "bold"),)
    for lost in found.lost:
        yield (Segment(f"  {lost.corpus}", "bold cyan"),)
        yield (Segment(f"    {_size(lost.size_bytes)} in {lost.index}", "dim"),)
        if lost.unmounted:
            yield (Segment("    the folder above is missing, too: is a drive not mounted?"),)
    if found.lost and not removing:
        yield (Segment("Remove them: qa corpora --remove"),)


def _one(one: Known) -> Iterator[Line]:
    behind = f"{counted(one.stale, 'document')} changed since: run `qa index`"
    waiting = f"{counted(one.pending, 'passage')} yet to be embedded: run `qa index`"
    fresh = one.problem or (behind if one.stale else waiting if one.pending else "fresh")
    amount = f"{counted(one.documents, 'document')}, {_size(one.size_bytes)}, "
    name = (Segment(f"{one.name}  ", "bold"),) if one.name else ()
    yield (*name, Segment(one.corpus or "unknown corpus", "bold cyan"))
    yield (Segment("  "), Segment("" if one.problem else amount), Segment(fresh))
    yield (Segment(f"  index {one.index}", "dim"),)


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _remove(output: Output, lost: Sequence[Lost], *, yes: bool) -> None:
    from qa.corpora import remove

    what = counted(len(lost), "index folder")
    if not yes:
        if not (sys.stdin and sys.stdin.isatty()):
            raise SettingsError(
                f"Nothing was removed: {what} would be",
                hint="Without a terminal to ask on, say so: qa corpora --remove --yes",
            )
        output.note(f"Remove {what} as listed? The documents are not touched. [y/N]")
        if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
            output.note("Nothing was removed.")
            return
    failed = False
    for one in lost:
        try:
            remove(one)
        except QaError as error:
            failed = True
            output.error(str(error), error.hint)
        else:
            output.note(f"Removed {one.index}")
    if failed:
        raise typer.Exit(FAILED)
