"""What is looked for in Milvus, as text that no expression and no analyser can mistake."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["edits", "path_key", "words_of"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def path_key(path: str) -> str:
    """What a path is found by: any characters and length may stand in one."""
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()


def words_of(ids: Sequence[int]) -> str:
    """Ids of terms as words that every analyser leaves as they are."""
    return " ".join(f"{one % 2**64:016x}" for one in ids)


def edits(term: str) -> set[str]:
    """All terms that differ from one by a letter, one too many, one too few or two exchanged."""
    cuts = [(term[:n], term[n:]) for n in range(len(term) + 1)]
    return {
        term,
        *(left + right[1:] for left, right in cuts if right),
        *(left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1),
        *(left + one + right[1:] for left, right in cuts if right for one in _LETTERS),
        *(left + one + right for left, right in cuts for one in _LETTERS),
    } - {""}
