"""Tokens of texts whose words are tokenised by themselves: each distinct word is, once.

A tokenizer of Python bindings takes a microsecond a token, most of it for words that it has seen
before; where the tokens of a text are those of its words, they can be looked up.
"""

from __future__ import annotations

import re
import threading
from array import array
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

__all__ = ["Tokenised", "WordTokens", "is_word_by_word", "tokenised"]

# What parts words to every such tokenizer. Others that Python calls white space are control
# characters to some, which drop them without parting what stands beside them.
_WORD = re.compile(r"[^ \t\n\r]+")
_OTHER_SPACE = re.compile(r"[^\S \t\n\r]")
_MOST = 2**20  # characters of words that are kept: 110,000 words, which take about 25 MB


@dataclass(frozen=True, slots=True)
class Tokenised:
    """The tokens of a text, special tokens left out.

    `ids` are uint32 `[t]`; each stands for the characters from its `begins` to its `ends`, int64.
    """

    ids: NDArray[np.uint32]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


def tokenised(encoding: Encoding) -> Tokenised:
    """What the tokenizer made of a text without special tokens."""
    size = len(encoding)
    pairs = np.fromiter(chain.from_iterable(encoding.offsets), np.int64, 2 * size)
    return Tokenised(np.array(encoding.ids, np.uint32), pairs[::2], pairs[1::2])


def is_word_by_word(tokenizer: Tokenizer) -> bool:
    """Whether the tokens of a text are those of its words, whatever stands between them.

    So it is for the family of BERT: white space parts words, and each is taken by itself.
    """
    return (
        isinstance(tokenizer.model, WordPiece)
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
        and isinstance(tokenizer.normalizer, BertNormalizer | None)
        and not any(
            added.lstrip or added.rstrip or not _WORD.fullmatch(added.content)
            for added in tokenizer.get_added_tokens_decoder().values()
        )
    )


class WordTokens:
    """Gives the tokens of texts, and keeps those of words; from several threads if need be."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take a tokenizer that `is_word_by_word`."""
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._numbers: dict[str, int] = {}  # of the words
        self._characters = 0
        # Of each token of each word its id and, from the word's start, where it begins and ends;
        # and where the tokens of each word start. Arrays that grow in place.
        self._tokens = array("i", [0, 0, 0])
        self._first = array("i", [1])

    def tokenise(self, texts: Sequence[str]) -> list[Tokenised]:
        """The tokens of each text."""
        joined = "\n".join(texts)
        words = (_WORD.findall if _OTHER_SPACE.search(joined) else str.split)(joined)
        starts = _starts(joined)
        with self._lock:
            tokens, counts = self._looked_up(words)
        ids = tokens[:, 0].astype(np.uint32)
        offsets = tokens[:, 1:] + np.repeat(starts, counts)[:, None]
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        begins = np.cumsum(sizes + 1) - sizes - 1
        stops = np.concatenate([[0], np.cumsum(counts)])
        cuts = stops[np.searchsorted(starts, np.append(begins, len(joined) + 1))]
        offsets -= np.repeat(begins, np.diff(cuts))[:, None]
        return [
            Tokenised(ids[a:b], offsets[a:b, 0], offsets[a:b, 1])
            for a, b in pairwise(cuts.tolist())
        ]

    def _looked_up(self, words: list[str]) -> tuple[NDArray[np.intc], NDArray[np.int64]]:
        """The tokens of words, one after the other, and how many each has."""
        if missing := set(words).difference(self._numbers):
            if self._characters + sum(map(len, missing)) > _MOST:
                self._forget()
                missing = set(words)
            self._learn(list(missing))
        order = np.array(list(map(self._numbers.__getitem__, words)), np.int64)
        firsts = np.frombuffer(self._first, np.intc)
        first = firsts[order].astype(np.int64)
        counts = firsts[order + 1] - first
        at = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
        return np.frombuffer(self._tokens, np.intc).reshape(-1, 3)[at], counts

    def _learn(self, words: list[str]) -> None:
        joined = " ".join(words)
        found = tokenised(self._tokenizer.encode(joined, add_special_tokens=False))
        starts = _starts(joined)
        of = np.searchsorted(starts, found.begins, "right") - 1
        rows = np.stack([found.ids, found.begins - starts[of], found.ends - starts[of]], axis=1)
        first = self._first[-1] + np.cumsum(np.bincount(of, minlength=len(words)))
        self._tokens.frombytes(rows.astype(np.intc).tobytes())
        self._first.frombytes(first.astype(np.intc).tobytes())
        known = len(self._numbers)
        self._numbers.update(zip(words, range(known, known + len(words)), strict=True))
        self._characters += len(joined)


def _starts(text: str) -> NDArray[np.int64]:
    """Where the words of a text start."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    parting = np.ones(len(codes) + 1, bool)
    parting[1:] = (codes == 32) | (codes == 9) | (codes == 10) | (codes == 13)
    return np.flatnonzero(parting[:-1] & ~parting[1:])
