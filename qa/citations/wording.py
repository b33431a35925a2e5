"""The words of a quote, looked for in a text that may have changed, and how two texts differ.

What is compared may be a stranger's: nothing here takes longer than grows with the text and the
quote, whatever they repeat.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Words", "difference"]

_WORD, _SPACE = re.compile(r"\S+"), re.compile(r"\s")
# Whole words, some at a time: a list of all words of a large text takes ten times its memory.
_PORTION = re.compile(r".{1,100000}\S*", re.DOTALL)
_RUN = re.compile(r"\w+|\W+")
_BORDER = "\n"
_COMPARED = 20  # runs that share equally many words, of which the most alike is taken
_LEAST_ALIKE = 0.3  # of the words of the quote; below, no place is worth showing beside it
_MAX_PAIRS = 400_000_000  # of words to be compared: 20,000 with 20,000


class Words:
    """The words of a text and where they stand; what a search needs is made once, when needed."""

    def __init__(self, text: str) -> None:
        self._text = text

    def same(self, quote: str, near: int) -> Span | None:
        """Find the words of a quote, however they are broken into lines, but not in longer words.

        Of several places, the one closest to character `near`; None where there is none.
        """
        wanted, text = _bordered(quote), self._bordered
        if not wanted:
            return None
        limit = self._position(near)
        first_after = text.find(wanted, limit)
        # Not `rfind`, which takes time that grows with the product of both lengths.
        skipped = max(0, len(text) - limit + 1 - len(wanted))
        back = self._reversed.find(wanted[::-1], skipped)
        last_before = -1 if back < 0 else len(text) - back - len(wanted)
        places = [
            Span(self._offset(at, at), self._offset(at + len(wanted) - 1, at + len(wanted)))
            for at in (last_before, first_after)
            if at >= 0
        ]
        return min(places, key=lambda span: abs(span.start - near), default=None)

    def nearest(self, quote: str) -> Span | None:
        """Find the run of as many words that shares most with a quote; None where none is alike.

        Of those that share equally many, the one of the first `_COMPARED` most alike is taken.
        """
        wanted = Counter(quote.split())
        length = min(wanted.total(), len(self._starts))
        shared = self._shared(wanted, length)
        best = int(shared.max(initial=0))
        if best < _LEAST_ALIKE * wanted.total() or not best:
            return None
        runs = [
            self._run(int(first), length) for first in np.flatnonzero(shared == best)[:_COMPARED]
        ]
        pairs = Counter(pairwise(quote))
        return max(runs, key=lambda run: self._likeness(pairs, len(quote), run))

    # --- where words stand --------------------------------------------------------------

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The offset of each word in the text."""
        return np.fromiter((word.start() for word in _WORD.finditer(self._text)), np.int64)

    @cached_property
    def _bordered(self) -> str:
        return _bordered(self._text)

    @cached_property
    def _reversed(self) -> str:
        return self._bordered[::-1]

    @cached_property
    def _bordered_starts(self) -> NDArray[np.int64]:
        """The offset of each word in the text with borders."""
        spaces = (space.start() for space in re.finditer(" ", self._bordered))
        return np.concatenate([[0], np.fromiter(spaces, np.int64) + 1])

    def _position(self, offset: int) -> int:
        """The place in the text with borders that an offset in the text has."""
        offset = max(0, min(offset, len(self._text)))
        word = int(np.searchsorted(self._starts, offset, "right")) - 1
        if word < 0:
            return 0
        return int(self._bordered_starts[word]) + len(
            _bordered(self._text[self._starts[word] : offset])
        )

    def _offset(self, inside: int, position: int) -> int:
        """Do the reverse; `inside` lies in the same word as the position, or right before it."""
        word = int(np.searchsorted(self._bordered_starts, inside, "right")) - 1
        begin = int(self._bordered_starts[word])
        borders = self._bordered.count(_BORDER, begin, position)
        return int(self._starts[word]) + position - begin - borders

    # --- what is nearest ----------------------------------------------------------------

    @cached_property
    def _index(self) -> tuple[dict[str, int], NDArray[np.int64], NDArray[np.int64]]:
        """Number the different words; list where each stands; and where its list begins."""
        known: dict[str, int] = {}
        words = (word for portion in _PORTION.findall(self._text) for word in portion.split())
        ids = np.fromiter((known.setdefault(word, len(known)) for word in words), np.int64)
        begins = np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=len(known)))])
        return known, np.argsort(ids, kind="stable"), begins

    def _shared(self, wanted: Counter[str], length: int) -> NDArray[np.int64]:
        """Count for each run of `length` words, by its first, the words it shares with a quote."""
        known, places, lists = self._index
        begins, ends = [], []
        for word, most in wanted.items():
            if (number := known.get(word)) is not None:
                at = places[lists[number] : lists[number + 1]]
                # It counts for the runs it lies in, but where `most` before it lie there too.
                first = np.maximum(at - length + 1, 0)
                first[most:] = np.maximum(first[most:], at[:-most] + 1)
                begins.append(first)
                ends.append(at + 1)
        if not begins:
            return np.zeros(0, np.int64)
        size = len(self._starts) + 1
        changes = np.bincount(np.concatenate(begins), minlength=size)
        changes -= np.bincount(np.concatenate(ends), minlength=size)
        return np.cumsum(changes)[: size - length]

    def _run(self, first: int, length: int) -> Span:
        end = _SPACE.search(self._text, int(self._starts[first + length - 1]))
        return Span(int(self._starts[first]), end.start() if end else len(self._text))

    def _likeness(self, pairs: Counter[tuple[str, str]], length: int, run: Span) -> float:
        """Compare by pairs of adjacent characters, from 0 to 1 (Dice's coefficient)."""
        # What is longer than twice the quote is not like it, and may be very long.
        text = self._text[run.start : min(run.end, run.start + 2 * length)]
        return 2 * (pairs & Counter(pairwise(text))).total() / (length + len(text))


def _bordered(text: str) -> str:
    r"""Join words with one space, and mark with `_BORDER` where a run of `\w` begins and ends.

    So a search for text finds it where it stands between such borders, not within longer words.
    """
    portions = (" ".join(portion.split()) for portion in _PORTION.findall(text))
    return " ".join(_BORDER.join(_RUN.findall(f" {one} ")).strip(" ") for one in portions if one)


def difference(before: str, after: str) -> str:
    """Show what became of the words: `[-gone-]`, `{+new+}`, the rest as it is."""
    old, new = before.split(), after.split()
    shown, gone, added = [], 0, 0
    for i, j in [*_kept(old, new), (len(old), len(new))]:
        if gone < i:
            shown.append(f"[-{' '.join(old[gone:i])}-]")
        if added < j:
            shown.append(f"{{+{' '.join(new[added:j])}+}}")
        shown += old[i : i + 1]
        gone, added = i + 1, j + 1
    return " ".join(shown)


def _kept(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The words that stay, by their numbers on both sides; as many as can be.

    Where what lies between the common ends is very long, none of it counts as staying.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    i, j = len(old) - tail, len(new) - tail
    yield from ((n, n) for n in range(head))
    if (i - head) * (j - head) <= _MAX_PAIRS:
        yield from ((head + a, head + b) for a, b in _longest_common(old[head:i], new[head:j]))
    yield from ((i + n, j + n) for n in range(tail))


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """Count the words that both begin with."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(old), len(new)))


def _longest_common(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """A longest common subsequence, by the numbers of its words on both sides.

    A row of the table of its lengths is one integer, with a bit for each old word: 0 where the
    length grows (Hyyrö 2004). `difflib` takes time that can grow with the cube of the length.
    """
    places: defaultdict[str, int] = defaultdict(int)
    for n, word in enumerate(old):
        places[word] |= 1 << n
    row = every = (1 << len(old)) - 1
    rows = [row]
    for word in new:
        here = row & places.get(word, 0)
        row = ((row + here) | (row - here)) & every
        rows.append(row)
    pairs = []
    i, j = len(old) - 1, len(new)
    while i >= 0 and j:
        if rows[j] >> i & 1:
            i -= 1
            continue
        j -= 1
        if rows[j] >> i & 1:
            pairs.append((i, j))
            i -= 1
    return pairs[::-1]
