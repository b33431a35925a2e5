"""The model's tokenizer, with truncation off: what is counted is what is embedded."""

from __future__ import annotations

from functools import cached_property, partial
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tokenizers import Encoding

    from qa.encoding.word_tokens import Tokenised, WordTokens

__all__ = ["Tokens"]

# Characters that are tokenised at once: bounds memory, which tokens take much of.
PORTION = 2**16
# Characters that take less time than it takes to start threads, or to look up words.
_FEW = 100
_SPACES = np.array([9, 10, 11, 12, 13, 32, 0xA0], np.uint32)


class Tokens:
    """Counts and cuts text in the tokens of one model; from several threads if need be."""

    def __init__(self, definition: str) -> None:
        """Take the text of a `tokenizer.json`."""
        self.definition = definition
        self._tokenizer = Tokenizer.from_str(definition)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.specials: int = self._tokenizer.num_special_tokens_to_add(is_pair=False)

    def encode(self, text: str) -> Encoding:
        """Ids and offsets, special tokens included."""
        return self._tokenizer.encode(text)

    def tokenise(self, texts: Sequence[str]) -> list[Tokenised]:
        """The tokens of each text, special tokens left out."""
        # Imported here: questions need nothing of it.
        from qa.encoding.word_tokens import tokenised

        if sum(map(len, texts)) < _FEW:
            encode = partial(self._tokenizer.encode, add_special_tokens=False)
            return [tokenised(encode(text)) for text in texts]
        if self._words is None:
            encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
            return [tokenised(encoding) for encoding in encodings]
        found: list[Tokenised] = []
        for start, end in _portions(texts):
            found += self._words.tokenise(texts[start:end])
        return found

    def is_one(self, word: str) -> bool:
        """Whether a word is a single token: it is common where the model was trained."""
        return len(self._tokenizer.encode(word, add_special_tokens=False).ids) == 1

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens left out."""
        return [len(one) for one in self.tokenise(texts)]

    def framed(self, ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The ids of a text as the model reads them: special tokens around them."""
        before, after = self._frame
        return np.concatenate([before, ids, after])

    def from_words(self, text: str, tokens: Tokenised) -> Tokenised:
        """The tokens of a text, each of which begins where its first word does.

        To many tokenizers the space before a word is part of it, so that the first token of a
        sentence would begin in the one before.
        """
        if self._words is not None:
            return tokens
        from qa.encoding.word_tokens import Tokenised

        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        at = np.arange(len(codes) + 1)
        words = np.where(np.append(np.isin(codes, _SPACES), False), len(codes), at)
        following = np.minimum.accumulate(words[::-1])[::-1]  # the next character of a word
        begins = following[tokens.begins]
        kept = np.where(begins < tokens.ends, begins, tokens.begins)  # white space alone stays
        return Tokenised(tokens.ids, kept, tokens.ends)

    @property
    def lead(self) -> int:
        """How many special tokens stand before a text."""
        return len(self._frame[0])

    @cached_property
    def _frame(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not self.specials:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        encoding = self._tokenizer.encode("a")
        ids = np.array(encoding.ids, np.int64)
        special = encoding.special_tokens_mask
        lead = special.index(0)
        return ids[:lead], ids[lead + special.count(0) :]

    @cached_property
    def _words(self) -> WordTokens | None:
        from qa.encoding.word_tokens import WordTokens, is_word_by_word

        return WordTokens(self._tokenizer) if is_word_by_word(self._tokenizer) else None


def _portions(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Ranges of texts that have about so many characters together."""
    full = [total // PORTION for total in accumulate(map(len, texts), initial=0)]
    starts = [n for n in range(len(texts)) if n == 0 or full[n] > full[n - 1]]
    return list(zip(starts, [*starts[1:], len(texts)], strict=True))
