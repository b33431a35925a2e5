"""The manifest: which rows there are at one moment. One row written makes a change visible.

Every row has the number of the epoch in which it was written, `born`, and the number of its file's
version. A manifest names the last epoch, and the file versions that are gone since (`graves`): a
reader takes one manifest, and sees of all rows those that were born by then and are of no grave.
A row is never changed, so that readers of several moments have each their own.

Epochs are numbered by the term of the writer, `term << BITS`, which is in its claim. A writer that
takes over from one that died closes the dead one's term: what it wrote after its last manifest, and
may still write if it was only asleep, is in a `hole` that no reader looks into.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qa.store.failures import reporting_damage
from qa.store.identity import Identity
from qa.store.milvus.layout import NO_VECTOR
from qa.store.milvus.values import sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from qa.place import MilvusPlace
    from qa.store.milvus.layout import Names
    from qa.store.milvus.server import Server

__all__ = ["BITS", "GRACE", "Manifest", "read_manifest", "write_manifest"]

BITS = 20  # commits of one writer: a million
GRACE = 60.0  # seconds for which a reader may use a moment that is over
_TERMS = 8  # of which manifests are kept: a writer asleep for longer may overwrite one
_AT_ONCE = 6_000  # graves in one row


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of an index at an epoch.

    Attributes:
        epoch: its number; 0 where nothing was ever written.
        first_file: files of lower numbers are gone, by a rebuild.
        generation: of the counts, which a rebuild begins anew.
        dimension: of the vectors; 0 where there is none yet.
        problems: how many files have some.
        rebuilt: the epoch of a rebuild before which rows are still stored; 0 where none is.
        next_file: the number of the next file, and so on.
        languages: how many documents are in each that is stemmed in its own way.
        notes: what `qa calibrate` kept, the listing, what the index is bound to.
        holes: `(after, before)`: no epoch between them counts.
        recent: `(epoch, seconds since 1970)` of the last commits.
        graves: `(file, epoch)`: the versions of files that are gone, and since when.
    """

    epoch: int = 0
    changes: int = 0
    passages: int = 0
    pending: int = 0
    documents: int = 0
    files: int = 0
    problems: int = 0
    total_terms: int = 0
    total_tokens: int = 0
    next_file: int = 1
    next_document: int = 1
    next_passage: int = 1
    first_file: int = 1
    generation: int = 1
    dimension: int = 0
    rebuilt: int = 0
    languages: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    holes: tuple[tuple[int, int], ...] = ()
    recent: tuple[tuple[int, float], ...] = ()
    graves: tuple[tuple[int, int], ...] = ()

    @property
    def identity(self) -> Identity:
        """What the index is bound to."""
        return Identity(*(self.notes.get(key, "") for key in ("fingerprint", "model", "corpus")))

    @property
    def term(self) -> int:
        """Of the writer that wrote it."""
        return self.epoch >> BITS

    def holds(self, epoch: int) -> bool:
        """Whether what was written in an epoch counts."""
        return epoch <= self.epoch and not any(
            after < epoch < before for after, before in self.holes
        )

    def visible(self) -> str:
        """The expression that chooses the rows that are there."""
        parts = [f"born <= {self.epoch}"]
        parts += [f"(born <= {after} or born >= {before})" for after, before in self.holes]
        if self.first_file > 1:
            parts.append(f"file >= {self.first_file}")
        if self.graves:
            parts.append(f"file not in {[file for file, _ in self.graves]}")
        return " and ".join(parts)

    def oldest(self, now: float) -> int:
        """The oldest epoch that a reader may still have."""
        for (epoch, _), (_, over) in pairwise(self.recent):
            if over >= now - GRACE:
                return epoch
        return self.epoch

    def after(self, epoch: int, now: float) -> Manifest:
        """What the next one begins as."""
        oldest = self.oldest(now)
        recent = (one for one in self.recent if one[0] >= oldest)
        return replace(self, epoch=epoch, recent=(*recent, (epoch, now)))

    @classmethod
    def of(cls, read: dict[str, Any], graves: Sequence[Sequence[int]]) -> Self:
        """Take what JSON has (TypeError, ValueError)."""

        def pairs(of: Sequence[Sequence[Any]]) -> tuple[tuple[Any, Any], ...]:
            return tuple((one, other) for one, other in of)

        numbers = [value for key, value in read.items() if key not in _NO_NUMBERS]
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError("a manifest of no numbers")
        holes, recent = pairs(read.pop("holes")), pairs(read.pop("recent"))
        return cls(**read, holes=holes, recent=recent, graves=pairs(graves))


def read_manifest(
    server: Server, names: Names, place: MilvusPlace, known: Manifest | None = None
) -> Manifest:
    """The newest manifest; the one that is known, where that is still it.

    Raises:
        IndexMissingError: there is no such index on the server.
        CatalogDamagedError: it is not what was written.
    """
    rows = server.get(names.state, _SLOTS, ["epoch", "payload"])
    if not rows:
        return Manifest()
    newest = max(rows.values(), key=lambda row: int(row["epoch"]))
    if known is not None and known.epoch == newest["epoch"]:
        return known
    with reporting_damage(place):
        read = unsealed(f"m{newest['epoch']}", newest["payload"])
        parts = [_graves_id(newest["epoch"], n) for n in range(read.pop("parts"))]
        found = server.get(names.state, parts, ["payload"]) if parts else {}
        if len(found) < len(parts):  # another commit replaced them just now
            return read_manifest(server, names, place)
        graves = [pair for one in parts for pair in unsealed(one, found[one]["payload"])]
        return Manifest.of(read, graves)


def write_manifest(write: Callable[[list[dict[str, object]]], None], one: Manifest) -> list[str]:
    """Write a manifest, and with it make what it names visible; gives the ids of its graves."""
    graves = [one.graves[n : n + _AT_ONCE] for n in range(0, len(one.graves), _AT_ONCE)]
    ids = [_graves_id(one.epoch, n) for n in range(len(graves))]
    if ids:
        write(
            [_row(key, one.epoch, sealed(key, part)) for key, part in zip(ids, graves, strict=True)]
        )
    said = asdict(one)
    del said["graves"]
    payload = sealed(f"m{one.epoch}", {**said, "parts": len(ids)})
    write([_row(_slot(one.epoch), one.epoch, payload)])
    return ids


_NO_NUMBERS = {"languages", "notes", "holes", "recent"}


def _row(one: str, epoch: int, payload: str) -> dict[str, object]:
    return {"id": one, "epoch": epoch, "payload": payload, "none": NO_VECTOR}


def _slot(epoch: int) -> str:
    """Two for each of the last terms: a manifest is not written over the one before it."""
    return f"m{(epoch >> BITS) % _TERMS}:{epoch % 2}"


def _graves_id(epoch: int, part: int) -> str:
    return f"g{epoch}:{part}"


_SLOTS = [f"m{term}:{n}" for term in range(_TERMS) for n in range(2)]
