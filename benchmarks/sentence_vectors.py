"""What sentence vectors to give passages of models that don't pool by the mean.

Usage: python benchmarks/sentence_vectors.py BENCH

The token embeddings of the default model are pooled in each way that models pool; sentences get
their vectors in four ways. Writes benchmarks/sentence_vectors.json: of XQuAD's questions, how many
have the answer in the nearest sentence of its passage, by cosine alone and with the words in
common; how many find their passage first, by cosines; and what embedding costs. No weights trained
for another pooling than the mean were at hand: figures compare the ways of one pooling.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qa.encoding.encoder import Encoder, PassageInput
from qa.encoding.head import POOLINGS, Head
from qa.encoding.loader import load_encoder
from qa.encoding.model import locate
from qa.evaluation.questions import load_beir
from qa.indexing.passages import cut
from qa.ranking.scoring import SEMANTIC, SENTENCE
from qa.types import Span
from qa.words.terms import content_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage, Runtime

    Vectors = NDArray[np.float32]

HERE = Path(__file__).parent
SET = "xquad-en"


class Embedded:
    """The set's passages and questions, embedded with a head."""

    def __init__(self, encoder: Encoder[Runtime], head: Head, texts: Texts) -> None:
        made = Encoder(encoder.spec, encoder.tokens, encoder.runtime, head=head)
        started = time.process_time()
        self.passages: list[EncodedPassage] = made.encode_now(texts.inputs)
        self.cost = time.process_time() - started
        questions = made.encode_questions([question for question, *_ in texts.asked])
        self.questions = np.array([one.vector for one in questions])
        self.whole = np.array([one.vector for one in self.passages])
        self.sentences = [one.sentences for one in self.passages]


class Texts:
    """Passages, their sentences, and questions with the passage and the sentence of the answer."""

    def __init__(self, bench: Path, encoder: Encoder[Runtime]) -> None:
        corpus, questions = load_beir(bench / SET)
        self.inputs: list[PassageInput] = []
        self.terms: list[list[set[str]]] = []  # of each sentence of each passage
        places: dict[str, list[tuple[int, int, list[Span]]]] = {}
        for path in corpus.scan().stamps:
            [document] = corpus.read(path).documents
            for one in cut(document, encoder.tokens, encoder.budget):
                passage = one.passage
                body = document.text[passage.start : passage.end]
                spans = [Span(a - passage.start, b - passage.start) for a, b in passage.sentences]
                places.setdefault(path, []).append(
                    (len(self.inputs), passage.start, list(passage.sentences))
                )
                self.inputs.append(PassageInput.of(passage.context, body, spans))
                self.terms.append([set(content_terms(body[a:b])) for a, b in spans])
        self.asked = [
            (question.text, set(content_terms(question.text)), *found)
            for question in questions
            if (found := self._place(question.spans, places)) is not None
        ]

    @staticmethod
    def _place(
        spans: object, places: dict[str, list[tuple[int, int, list[Span]]]]
    ) -> tuple[int, set[int]] | None:
        for path, begin, end in spans:  # type: ignore[attr-defined]
            for number, _, sentences in places.get(path, ()):
                held = {n for n, (a, b) in enumerate(sentences) if a <= begin and end <= b}
                if held:
                    return number, held
        return None


def measured(
    texts: Texts, questions: Vectors, whole: Vectors, parts: list[Vectors]
) -> dict[str, float]:
    """Give the shares of questions that are answered well."""
    near = together = first = 0
    for (_, terms, passage, held), vector in zip(texts.asked, questions, strict=True):
        cosines = parts[passage] @ vector
        shares = [len(terms & own) / max(len(terms), 1) for own in texts.terms[passage]]
        near += int(np.argmax(cosines)) in held
        together += int(np.argmax(SEMANTIC * cosines + (1 - SEMANTIC) * np.array(shares))) in held
        best = np.array([float((one @ vector).max()) for one in parts])
        dense = whole @ vector
        first += int(np.argmax(dense + SENTENCE * (best - dense))) == passage
    count = len(texts.asked)
    return {
        "nearest sentence": round(near / count, 3),
        "with words": round(together / count, 3),
        "passage first": round(first / count, 3),
    }


def main() -> None:
    """Measure all and write the file."""
    with tempfile.TemporaryDirectory(prefix="qa-poolings-") as folder:
        encoder = load_encoder(locate(None, cache=Path(folder)), cache=Path(folder))
        texts = Texts(Path(sys.argv[1]), encoder)
        by_mean = Embedded(encoder, Head(), texts)
        results: dict[str, object] = {"questions": len(texts.asked), "passages": len(texts.inputs)}
        for pooling in POOLINGS:
            if pooling == "mean_sqrt_len_tokens":  # the mean, at another length
                continue
            own = Embedded(encoder, Head((pooling,)), texts)
            apart = Embedded(encoder, Head((pooling,), in_context=False), texts)
            alone = [
                own.whole[n][None].repeat(len(part), 0) for n, part in enumerate(own.sentences)
            ]
            ways = {
                "its pooling, in context": own.sentences,
                "mean of tokens, in context": by_mean.sentences,
                "a text of its own": apart.sentences,
                "words alone": alone,
            }
            results[pooling] = {
                way: measured(texts, own.questions, own.whole, parts) for way, parts in ways.items()
            } | {"cost of texts of their own": round(apart.cost / own.cost, 2)}
            print(json.dumps({pooling: results[pooling]}, indent=1), flush=True)
    (HERE / "sentence_vectors.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
