"""The model's tokenizer, with truncation off: what is counted is what is embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenizers import Encoding

__all__ = ["Tokens"]


class Tokens:
    """Counts and cuts text in the tokens of one model."""

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

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        """The same of many texts, on all cores."""
        return self._tokenizer.encode_batch(list(texts))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens left out."""
        return [len(e.ids) for e in self._plain(texts)]

    def starts(self, texts: Sequence[str]) -> list[list[int]]:
        """For each text, the character at which each of its tokens starts."""
        return [[begin for begin, _ in e.offsets] for e in self._plain(texts)]

    def _plain(self, texts: Sequence[str]) -> list[Encoding]:
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
