"""The encoder: a tokenizer, a forward pass and the pooling; what runs the pass is exchangeable."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from qa.encoding.head import Head
from qa.encoding.micro_batcher import MicroBatcher
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

    `limit` counts tokens, specials included; the prompts are put before the text, and
    `pools_prompt` says whether their tokens count in its vector.
    """

    name: str
    fingerprint: str
    dimension: int
    limit: int
    question_prompt: str = ""
    passage_prompt: str = ""
    pools_prompt: bool = True


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
        head: Head | None = None,
    ) -> None:
        """Take what runs questions, and what runs passages where that is another.

        `head` makes vectors of token embeddings: by default their mean.
        """
        self.spec = spec
        self.tokens = tokens
        self.runtime = runtime
        self.head = head or Head()
        self.passages: PassageRuntime = passages or runtime
        self._question = MicroBatcher(runtime.forward_batch)

    @cached_property
    def budget(self) -> int:
        """Tokens left for context and passage together."""
        prompt = self.tokens.count([self.spec.passage_prompt])[0]
        return self.spec.limit - self.tokens.specials - prompt

    def _first(self, prompt: str) -> int:
        """The first token of a text that is pooled."""
        if self.spec.pools_prompt or not prompt:
            return 0
        return self.tokens.lead + self.tokens.count([prompt])[0]

    @cached_property
    def _first_of_question(self) -> int:
        return self._first(self.spec.question_prompt)

    @cached_property
    def _first_of_passage(self) -> int:
        return self._first(self.spec.passage_prompt)

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
        first = self._first_of_question
        return [
            EncodedQuestion(
                self.head.text(one, first=first),
                self._content_tokens(question, encoding),
                len(question),
            )
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
        return self._encode(inputs, self.passages)

    def encode_now(self, inputs: Iterable[PassageInput]) -> list[EncodedPassage]:
        """The same of a few, by what is open already to run questions."""
        return list(self._encode(inputs, self.runtime))

    def contributions(
        self, text: str, vector: NDArray[np.float32], most: int = 8
    ) -> tuple[tuple[str, float], ...]:
        """The words of a passage that add most to its cosine with a question.

        Where a passage's vector is the mean of its tokens' embeddings, the cosine is a sum over
        tokens: each adds embedding · question / (tokens · length of the mean). Where it is not,
        no word's part can be told, and none is given.

        Args:
            text: what was embedded.
            vector: the question's.
            most: how many to give, highest first; a word that stands twice counts together.
        """
        if not self.head.is_mean or not self.spec.pools_prompt:
            return ()
        prompt = self.spec.passage_prompt
        encoding = self.tokens.encode(prompt + text)
        embeddings = self.head.cut(self.runtime.forward_batch([encoding.ids])[0])
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
        # One stream from end to end: between batches, cores would wait for the last of each.
        if self.head.in_context:
            return self._encode_in_context(inputs, runtime)
        return self._encode_apart(inputs, runtime)

    def _encode_in_context(
        self, inputs: Iterable[PassageInput], runtime: PassageRuntime
    ) -> Iterator[EncodedPassage]:
        """One pass for a passage and all of its sentences."""
        prompt, lead, first = (
            len(self.spec.passage_prompt),
            self.tokens.lead,
            self._first_of_passage,
        )
        running: deque[tuple[PassageInput, Tokenised]] = deque()

        def ids() -> Iterator[TokenIds]:
            for one in self._tokenised(inputs):
                running.append(one)
                yield self.tokens.framed(one[1].ids)

        for embeddings in runtime.forward(ids()):
            one, tokens = running.popleft()
            spans = np.array(one.sentences, np.int64).reshape(-1, 2) + prompt
            words = self.tokens.from_words(self.spec.passage_prompt + one.text, tokens)
            pooled = self.head.passage(embeddings, words, spans, lead=lead, first=first)
            yield EncodedPassage(pooled[0], pooled[1:])

    def _encode_apart(
        self, inputs: Iterable[PassageInput], runtime: PassageRuntime
    ) -> Iterator[EncodedPassage]:
        """One pass for a passage, and one for each of its sentences that is not all of it."""
        first, most = self._first_of_passage, self.spec.limit - self.tokens.specials
        running: deque[list[bool]] = deque()  # of each sentence whether it has a pass of its own

        def ids() -> Iterator[TokenIds]:
            for one, tokens in self._tokenised(inputs):
                parts = [one.text[start:end] for start, end in one.sentences]
                prompt = self.spec.passage_prompt
                found = self.tokens.tokenise([prompt + part for part in parts])
                apart = [
                    part != one.text and bool(len(own))
                    for part, own in zip(parts, found, strict=True)
                ]
                running.append(apart)
                yield self.tokens.framed(tokens.ids)
                for own in compress(found, apart):
                    yield self.tokens.framed(own.ids[:most])

        embeddings = runtime.forward(ids())
        for whole in embeddings:
            vector = self.head.text(whole, first=first)
            sentences = [
                self.head.text(next(embeddings), first=first) if has_pass else vector
                for has_pass in running.popleft()
            ]
            rows = np.array(sentences, np.float32).reshape(-1, len(vector))
            yield EncodedPassage(vector, rows)

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
