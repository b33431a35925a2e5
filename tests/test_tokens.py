"""Tokens: those that are looked up word by word are those of the tokenizer."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from qa.encoding.encoder import Encoder, EncoderSpec, PassageInput, Runtime, in_context
from qa.encoding.pooling import mean, passage_means
from qa.encoding.tokens import Tokens
from qa.encoding.word_tokens import Tokenised, WordTokens, is_word_by_word
from qa.indexing.passages import cut
from qa.reading.files import read_text
from qa.types import Span
from strategies import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from qa.encoding.encoder import TokenIds

LAW = settings(max_examples=150, suppress_health_check=list(HealthCheck))
# Names of special tokens, what the tokenizer drops, what it reorders, what grows or shrinks.
_ODD = st.sampled_from(
    [
        *("[SEP]", "[MASK]x", "[sep]", "a\x0bb", "\x1c", "\x00", "\ufffd", "\xa0", "\u2028"),
        *("\u302e\u0316e", "e\u0301\u0327", "İ", "Σ", "ﬁ", "ß", "\ud7a3\u1100\u1161", "日本語"),
        *("𝔘𝕟", "x\u00adx", "\u200b", "x" * 101, "1" * 300, " ", "\n", "\t", "\r\n"),
    ]
)
HOSTILE = st.one_of(
    TEXTS, st.text(), st.lists(st.text(max_size=8) | _ODD, max_size=40).map("".join)
)


def plain(tokens: Tokens, text: str) -> list[tuple[int, tuple[int, int]]]:
    """Give the ids and offsets of a text by the tokenizer itself, special tokens left out."""
    found = tokens.encode(text)
    rows = zip(found.ids, found.offsets, found.special_tokens_mask, strict=True)
    return [(one, offsets) for one, offsets, special in rows if not special]


def listed(found: Tokenised) -> list[tuple[int, tuple[int, int]]]:
    offsets = zip(found.begins.tolist(), found.ends.tolist(), strict=True)
    return list(zip(found.ids.tolist(), offsets, strict=True))


@pytest.fixture(scope="module", name="bytes_tokens")
def _bytes_tokens() -> Tokens:
    """Give a tokenizer whose tokens hold the white space before a word."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    made.train_from_iterator(["the word of a sentence.", "another sentence of words"], trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    return Tokens(made.to_str())


@LAW
@given(texts=st.lists(HOSTILE, max_size=6))
def test_tokens_are_those_of_the_tokenizer(
    encoder: Encoder[Runtime], bytes_tokens: Tokens, texts: list[str]
) -> None:
    for tokens in (encoder.tokens, bytes_tokens):
        found = tokens.tokenise(texts)
        assert list(map(listed, found)) == [plain(tokens, text) for text in texts]
        for text, one in zip(texts, found, strict=True):
            assert tokens.framed(one.ids).tolist() == tokens.encode(text).ids


@LAW
@given(texts=st.lists(HOSTILE, min_size=1, max_size=6))
def test_tokens_of_words_are_those_of_the_tokenizer_however_few_they_are(
    encoder: Encoder[Runtime], words: WordTokens, texts: list[str]
) -> None:
    expected = [plain(encoder.tokens, text) for text in texts]
    assert list(map(listed, words.tokenise(texts))) == expected


@pytest.fixture(scope="module", name="words")
def _words(encoder: Encoder[Runtime]) -> WordTokens:
    return WordTokens(Tokens(encoder.tokens.definition)._tokenizer)


@LAW
@given(text=HOSTILE, name=st.sampled_from(["a.md", "a.txt"]), budget=st.integers(24, 254))
def test_a_passage_is_cut_with_the_tokens_of_what_is_embedded_of_it(
    encoder: Encoder[Runtime], bytes_tokens: Tokens, text: str, name: str, budget: int
) -> None:
    [document] = read_text(name, text.encode()).documents
    for tokens in (encoder.tokens, bytes_tokens):
        for prompt in ("", "passage: "):
            for one in cut(document, tokens, budget, prompt=prompt):
                passage = one.passage
                body = document.text[passage.start : passage.end]
                assert listed(one.tokens) == plain(
                    tokens, prompt + in_context(passage.context, body)
                )
                assert len(one.tokens) <= budget + tokens.count([prompt])[0]


def test_words_that_were_forgotten_are_tokenised_again(
    encoder: Encoder[Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.encoding.word_tokens._MOST", 50)
    words = WordTokens(Tokens(encoder.tokens.definition)._tokenizer)
    texts = [f"unheard of {number} times, {'x' * (number % 60)}" for number in range(100)]
    for text in texts * 2:
        [found] = words.tokenise([text])
        assert listed(found) == plain(encoder.tokens, text)


def test_words_are_kept_in_bounded_memory(encoder: Encoder[Runtime]) -> None:
    words = WordTokens(Tokens(encoder.tokens.definition)._tokenizer)
    for start in range(0, 400_000, 10_000):
        words.tokenise([" ".join(map(str, range(start, start + 10_000)))])
    assert sum(map(sys.getsizeof, words._numbers)) < 20_000_000
    assert sys.getsizeof(words._tokens) < 20_000_000


@pytest.mark.parametrize(
    "text", ["x" * 2_000_000, "日本" * 200_000, "a-" * 200_000, "é " * 500_000]
)
def test_long_texts_take_the_time_of_their_length(encoder: Encoder[Runtime], text: str) -> None:
    started = time.process_time()
    [found] = encoder.tokens.tokenise([text])
    assert time.process_time() - started < 60
    assert found.ends[-1] == len(text.rstrip())


def test_threads_that_tokenise_at_the_same_time_get_their_own(encoder: Encoder[Runtime]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    tokens = Tokens(encoder.tokens.definition)
    texts = [f"The {number}th of its kind, never-seen{number}. " * 3 for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: tokens.tokenise([text, text])[1], texts))
    assert list(map(listed, found)) == [plain(encoder.tokens, text) for text in texts]


def bert(**changed: object) -> Tokenizer:
    """Give a tokenizer of BERT's family, some of whose parts are others."""
    made = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    for part, value in changed.items():
        setattr(made, part, value)
    return made


def test_only_tokenizers_that_take_each_word_by_itself_are_trusted_to() -> None:
    from tokenizers import AddedToken

    assert is_word_by_word(bert())
    assert is_word_by_word(bert(normalizer=None))
    assert not is_word_by_word(bert(pre_tokenizer=pre_tokenizers.Metaspace()))
    assert not is_word_by_word(bert(normalizer=normalizers.Replace(" ", "_")))
    assert not is_word_by_word(bert(model=models.BPE()))
    for odd in (
        AddedToken("<mask>", lstrip=True),
        AddedToken("<mask>", rstrip=True),
        AddedToken("two words"),
    ):
        made = bert()
        made.add_tokens([odd])
        assert not is_word_by_word(made)


class Same:
    """Runs a model whose embedding of a token is its id's, whatever stands around it."""

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """The embeddings of each text."""
        rows = np.random.default_rng(0).standard_normal((30522, 8)).astype(np.float32)
        for ids in texts:
            yield rows[np.array(ids)]

    def forward_batch(self, texts: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """The same of a few texts."""
        return list(self.forward(texts))


@pytest.mark.parametrize("prompt", ["", "passage: ", "p"])
def test_tokens_that_are_known_give_the_vectors_that_tokenising_gives(
    encoder: Encoder[Runtime], prompt: str
) -> None:
    spec = EncoderSpec("same", "", 8, 256, passage_prompt=prompt)
    made = Encoder(spec, encoder.tokens, Same())
    text = "# Whales\n\n" + "A sentence about whales. Another one of bread; and salt. " * 30
    [document] = read_text("a.md", text.encode()).documents
    known = [
        PassageInput.of(
            one.passage.context,
            text[one.passage.start : one.passage.end],
            [Span(a - one.passage.start, b - one.passage.start) for a, b in one.passage.sentences],
            one.tokens,
        )
        for one in cut(document, made.tokens, made.budget, prompt=prompt)
    ]
    assert len(known) > 1
    unknown = [PassageInput(one.text, one.sentences) for one in known]
    assert unknown == known
    mixed = [a if n % 2 else b for n, (a, b) in enumerate(zip(known, unknown, strict=True))]
    both = zip(made.encode_passages(mixed), made.encode_passages(unknown), strict=True)
    for one, other in both:
        assert np.array_equal(one.vector, other.vector)
        assert np.array_equal(one.sentences, other.sentences)


@LAW
@given(st.data())
def test_a_sentence_has_the_mean_of_the_tokens_that_begin_in_it(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(0, 9), max_size=30))
    begins = np.cumsum([0, *sizes])[: len(sizes)]
    text = Tokenised(np.zeros(len(sizes), np.uint32), begins, begins + np.array(sizes, np.int64))
    lead, after = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    count = max(1, lead + len(sizes) + after)
    embeddings = np.random.default_rng(1).standard_normal((count, 6)).astype(np.float32)
    edges = sorted(data.draw(st.lists(st.integers(0, sum(sizes) + 3), min_size=2, max_size=8)))
    spans = np.array(list(zip(edges[:-1:2], edges[1::2], strict=False)), np.int64).reshape(-1, 2)
    found = passage_means(embeddings, text, spans, lead=lead)
    assert np.array_equal(found[0], mean(embeddings))
    for row, (start, end) in zip(found[1:], spans.tolist(), strict=True):
        inside = [
            lead + n
            for n, (begin, size) in enumerate(zip(begins.tolist(), sizes, strict=True))
            if size and start <= begin < end
        ]
        assert np.array_equal(row, mean(embeddings[inside] if inside else embeddings))
