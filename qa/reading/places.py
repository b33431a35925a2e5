"""Where pieces of a converted document stand in its file."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qa.types import Place, PlaceKind

__all__ = ["places_at", "places_of"]


def places_of(
    places: Sequence[Place], spans: Iterable[tuple[int, int]]
) -> Iterator[tuple[Place, ...]]:
    """For each span the places that begin in it, after those that hold where it starts.

    Args:
        places: ascending by where they begin.
        spans: of the same text, ascending; each is looked at once, so that a table of very many
            rows takes no longer than reading it.
    """
    holding: dict[PlaceKind, Place] = {}
    at = 0
    for start, end in spans:
        while at < len(places) and places[at].start <= start:
            holding[places[at].kind] = places[at]
            at += 1
        inside = takewhile(lambda n: places[n].start < end, range(at, len(places)))  # noqa: B023
        yield (*holding.values(), *(places[n] for n in inside))


def places_at(places: Iterable[Place], position: int) -> dict[PlaceKind, str]:
    """Where the character at `position` stands, in all terms that the format has."""
    return {place.kind: place.value for place in places if place.start <= position}
