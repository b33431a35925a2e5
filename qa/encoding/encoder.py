"""The encoder: a tokenizer, a forward pass and the pooling; what runs the pass is exchangeable."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from qa.encoding.micro_batcher import MicroBatcher
from qa.encoding.pooling import mean, passage_means
from qa.types import Span
from qa.words.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Encoding

    from qa.encoding.tokens import Tokens
    from qa.encoding.word_tokens import Tokenised

    TokenIds = Sequence[int] | NDArray[np.int64]

__all__ = [
    "EncodedPassage",
    "EncodedQuestion",
    "Encoder",
    "EncoderSpec",
    "PassageInput",
    "PassageRuntime",
    "Runtime",
    "in_context",
]

_WINDOW = 64  # passages that are tokenised together


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What defines an encoder: equal specs give equal vectors.

    `limit` counts tokens, specials included; the prompts are put before the text.
    """

    name: str
    fingerprint: str
    dimension: int
    limit: int
    question_prompt: str = ""
    passage_prompt: str = ""


def in_context(context: str, text: str) -> str:
    """The text by which a passage is found: the headings above it, then the passage."""
    return f"{context}\n{text}" if context else text


@dataclass(frozen=True, slots=True)
class PassageInput:
    """A text to embed (context and passage) and the spans of its sentences in it.

    `tokens` are those of the encoder's prompt and the text, where they are known already.
    """

    text: str
    sentences: tuple[Span, ...]
    tokens: Tokenised | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls, context: str, text: str, sentences: Iterable[Span], tokens: Tokenised | None = None
    ) -> PassageInput:
        """What is embedded of a passage; `sentences` are spans of its own text."""
        embedded = in_context(context, text)
        lead = len(embedded) - len(text)
        spans = tuple([Span(start + lead, end + lead) for start, end in sentences])
        return cls(embedded, spans, tokens)

    def digest(self) -> bytes:
        """A name, 16 bytes, for all that decides a passage's vectors."""
        spans = np.array(self.sentences, "<i8").tobytes()
        text = self.text.encode("utf-8", "surrogatepass")
        return hashlib.sha256(text + b"\0" + spans).digest()[:16]


@dataclass(frozen=True, slots=True)
class EncodedPassage:
    """Unit vectors, float32: the passage's `[d]`, and its sentences' `[m, d]`."""

    vector: NDArray[np.float32]
    sentences: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncodedQuestion:
    """A question's unit vector, float32 `[d]`, and its tokens, int64, without stop words.

    `characters` of it were embedded: all, unless it has more tokens than the model reads.
    """

    vector: NDArray[np.float32]
    tokens: NDArray[np.int64]
    characters: int


class PassageRuntime(Protocol):
    """Runs the model on passages, one a pass.

    A passage's vectors then don't depend on what else is in a batch, so an index comes out the
    same in whatever portions it was built, and no padding is computed.
    """

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """The token embeddings `[n, d]` of each text of `n` token ids, in order."""


class Runtime(PassageRuntime, Protocol):
    """Runs the model on questions too."""

    def forward_batch(self, texts: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """The same of a few texts in one pass; equal to about 1e-6."""


R_co = TypeVar("R_co", bound=Runtime, covariant=True)


class Encoder(Generic[R_co]):
    """Text to unit vectors."""

    def __init__(
        self,
        spec: EncoderSpec,
        tokens: Tokens,
        runtime: R_co,
        *,
        passages: PassageRuntime | None = None,
    ) -> None:
        """Take what runs questions, and what runs passages where that is another."""
        self.spec = spec
        self.tokens = tokens
        self.runtime = runtime
        self._passages: PassageRuntime = passages or runtime
        self._question = MicroBatcher(runtime.forward_batch)

    @cached_property
    def budget(self) -> int:
        """Tokens left for context and passage together."""
        prompt = self.tokens.count([self.spec.passage_prompt])[0]
        return self.spec.limit - self.tokens.specials - prompt

    def encode_question(self, question: str) -> EncodedQuestion:
        """The unit vector and the tokens of a question; from several threads if need be.

        Of one that has more tokens than the model reads, the beginning is embedded.
        """
        [encoded] = self.encode_questions([question])
        return encoded

    def encode_questions(self, questions: Iterable[str]) -> list[EncodedQuestion]:
        """The same of several, in few passes."""
        beginnings = list(map(self._beginning, questions))
        embeddings = self._question.of_several([encoding.ids for _, encoding in beginnings])
        return [
            EncodedQuestion(mean(one), self._content_tokens(question, encoding), len(question))
            for (question, encoding), one in zip(beginnings, embeddings, strict=True)
        ]

    def _beginning(self, question: str) -> tuple[str, Encoding]:
        """As much of a question as the model reads, and its tokens with the prompt's."""
        prompt = self.spec.question_prompt
        encoding = self.tokens.encode(prompt + question)
        while len(encoding.ids) > self.spec.limit:
            end = encoding.offsets[self.spec.limit - self.tokens.specials][0]
            beginning = question[: max(0, end - len(prompt))]
            words = beginning.rsplit(maxsplit=1)
            question = words[0] if len(words) > 1 else beginning  # cut between words
            encoding = self.tokens.encode(prompt + question)
        return question, encoding

    def _content_tokens(self, question: str, encoding: Encoding) -> NDArray[np.int64]:
        """The tokens of a question that are of no stop word."""
        lead = len(self.spec.question_prompt)
        tokens = [
            one
            for one, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if lead <= begin < end
            and question[begin - lead : end - lead].strip().lower() not in STOP_WORDS
        ]
        return np.array(tokens, np.int64)

    def encode_passages(self, inputs: Iterable[PassageInput]) -> Iterator[EncodedPassage]:
        """The vectors of each input, in order.

        Raises:
            ValueError: an input is over the limit; splitting should not have made it.
        """
        return self._encode(inputs, self._passages)

    def encode_now(self, inputs: Iterable[PassageInput]) -> list[EncodedPassage]:
        """The same of a few, by what is open already to run questions."""
        return list(self._encode(inputs, self.runtime))

    def contributions(
        self, text: str, vector: NDArray[np.float32], most: int = 8
    ) -> tuple[tuple[str, float], ...]:
        """The words of a passage that add most to its cosine with a question.

        A passage's vector is the mean of its tokens' embeddings, so the cosine is a sum over
        tokens: each adds embedding · question / (tokens · length of the mean).

        Args:
            text: what was embedded.
            vector: the question's.
            most: how many to give, highest first; a word that stands twice counts together.
        """
        prompt = self.spec.passage_prompt
        encoding = self.tokens.encode(prompt + text)
        [embeddings] = self.runtime.forward_batch([encoding.ids])
        length = float(np.linalg.norm(embeddings.mean(axis=0))) * len(embeddings)
        shares = (embeddings @ vector / max(length, 1e-9)).tolist()
        words = [match.span() for match in re.finditer(r"\w+", prompt + text)]
        found: Counter[str] = Counter()
        for (begin, end), share in zip(encoding.offsets, shares, strict=True):
            at = bisect_right(words, (begin, len(prompt + text))) - 1
            if begin < end and at >= 0 and begin < words[at][1]:
                found[(prompt + text)[slice(*words[at])].lower()] += share
        return tuple(found.most_common(most))

    def _encode(
        self, inputs: Iterable[PassageInput], runtime: PassageRuntime
    ) -> Iterator[EncodedPassage]:
        prompt, lead = len(self.spec.passage_prompt), self.tokens.lead
        running: deque[tuple[PassageInput, Tokenised]] = deque()

        def ids() -> Iterator[TokenIds]:
            for one in self._tokenised(inputs):
                running.append(one)
                yield self.tokens.framed(one[1].ids)

        # One stream from end to end: between batches, cores would wait for the last of each.
        for embeddings in runtime.forward(ids()):
            one, tokens = running.popleft()
            spans = np.array(one.sentences, np.int64).reshape(-1, 2) + prompt
            pooled = passage_means(embeddings, tokens, spans, lead=lead)
            yield EncodedPassage(pooled[0], pooled[1:])

    def _tokenised(
        self, inputs: Iterable[PassageInput]
    ) -> Iterator[tuple[PassageInput, Tokenised]]:
        prompt, limit = self.spec.passage_prompt, self.spec.limit
        rest = iter(inputs)
        while window := list(islice(rest, _WINDOW)):
            missing = [prompt + one.text for one in window if one.tokens is None]
            made = iter(self.tokens.tokenise(missing))
            for one in window:
                tokens = next(made) if one.tokens is None else one.tokens
                if (count := len(tokens) + self.tokens.specials) > limit:
                    msg = f"{count} tokens where {limit} fit: {one.text[:60]!r}"
                    raise ValueError(msg)
                yield one, tokens
