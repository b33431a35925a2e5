"""Fit the probability to a corpus itself, for an encoder that nobody has fitted it for.

The built-in calibration was fitted to cosines of the default encoder, whose scale another one does
not share: the same nearness is .5 here and .9 there. So questions are made of the corpus's own
sentences, some of their words each, and asked of a sample of its passages with both encoders, as
are questions on general topics; the former also with the passage left out that they were made of.
By the best passages for these, one line translates the encoder's cosines into the default one's.
No answer need be known for that: docs/quality.md says how near it comes to a fit to known answers.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qa.encoding.encoder import PassageInput
from qa.evaluation.general import GENERAL_QUESTIONS
from qa.ranking.calibration import DEFAULT, signals
from qa.ranking.scoring import Query, score
from qa.types import Scores
from qa.words.questions import WORD
from qa.words.stop_words import STOP_WORDS
from qa.words.terms import content_terms, term_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.ranking.calibration import Calibration, Signals
    from qa.ranking.candidates import Candidates
    from qa.ranking.scoring import Statistics
    from qa.store.protocol import Snapshot
    from qa.store.rows import PassageRow

__all__ = ["Pair", "fit_to_corpus", "pairs", "questions_of"]

_PASSAGES = 128  # of the sample
_QUESTIONS = 64  # made of its sentences; as many general ones there are
_LEAST_QUESTIONS = 8
_LEAST_WORDS = 5  # that say what a sentence is about
_KEPT = (0.3, 0.5, 0.8)  # shares of them that a question keeps
_MOST_WORDS = 12
_ENGLISH = 0.15  # of words that are English stop words, at least; prose has three times as many


class Pair(NamedTuple):
    """What two encoders find best for one question, as the probability takes it.

    `kind` says what question that is: one made of a passage ("own"), the same without that passage
    ("left out"), or a general one ("general").
    """

    kind: str
    other: Signals
    default: Signals


def fit_to_corpus(
    snapshot: Snapshot, encoder: Encoder[Runtime], default: Encoder[Runtime]
) -> Calibration | None:
    """Fit the probability for an encoder, by what the default one makes of the same texts.

    Args:
        snapshot: an index of that encoder's in which nothing is pending.
        encoder: the one to fit for.
        default: the one that the built-in calibration was fitted to.

    Returns:
        None where the corpus has too few sentences, or is not in English, which is what the
        default encoder reads.
    """
    found = pairs(snapshot, encoder, default)
    if not found:
        return None
    # In an order of their own, and rounded, so that the order of the index changes no last digit.
    cosines = sorted((pair.other.cosine, pair.default.cosine) for pair in found)
    slope, offset = _line(np.array(cosines))
    return DEFAULT.translated(round(slope, 4), round(offset, 4))


def _line(cosines: NDArray[np.float64]) -> tuple[float, float]:
    """The line that gives the second column by the first with least squares, never falling."""
    (x, y), covariance = cosines.mean(axis=0), np.cov(cosines, rowvar=False, bias=True)
    slope = max(0.0, float(covariance[0, 1] / max(covariance[0, 0], 1e-9)))
    return slope, float(y - slope * x)


def pairs(snapshot: Snapshot, encoder: Encoder[Runtime], default: Encoder[Runtime]) -> list[Pair]:
    """What both encoders find best for each question; nothing where there are too few.

    The sample is of those whose texts have the lowest digests, so it is the same however the index
    came to be.
    """
    rows = snapshot.sample(_PASSAGES)
    if not _is_english(" ".join(row.text for row in rows)):
        return []
    inputs = {row.id: _beginning(row, default) for row in rows}
    rows = [row for row in rows if inputs[row.id] is not None]
    candidates = snapshot.candidates([row.id for row in rows], encoder.spec.dimension)
    place = {one: number for number, one in enumerate(candidates.ids)}
    made = [(place[row.id], text) for row, text in questions_of(rows) if row.id in place]
    if len(made) < _LEAST_QUESTIONS:
        return []
    texts = [text for _, text in made] + list(GENERAL_QUESTIONS)
    sources: list[int | None] = [number for number, _ in made]
    sources += [None] * len(GENERAL_QUESTIONS)
    translated = _with_vectors_of(default, candidates, [inputs[one] for one in candidates.ids])
    found = []
    for text, source, *encoded in zip(
        texts,
        sources,
        encoder.encode_questions(texts),
        default.encode_questions(texts),
        strict=True,
    ):
        queries = [_query(text, one.vector, encoded[0]) for one in encoded]
        statistics = snapshot.statistics(
            [[one] for one in queries[0].unique_terms], queries[0].unique_tokens
        )
        both = [
            _best(query, among, statistics, source, passages=snapshot.count_passages())
            for query, among in zip(queries, (candidates, translated), strict=True)
        ]
        kinds = ("general",) if source is None else ("own", "left out")
        found += [Pair(*one) for one in zip(kinds, *both, strict=False)]
    return found


def _is_english(text: str) -> bool:
    words = WORD.findall(text.lower())
    return sum(word in STOP_WORDS for word in words) >= _ENGLISH * len(words) > 0


def questions_of(rows: Sequence[PassageRow]) -> Iterator[tuple[PassageRow, str]]:
    """Questions made of passages: some words, in their order, of one of each one's sentences.

    Where passages are few, each gives several. What is drawn depends on the text alone.
    """
    left = _QUESTIONS
    drawn: set[str] = set()
    for turn in range(-(-_QUESTIONS // max(1, len(rows)))):
        for row in rows:
            text = _question(row, turn)
            if text and text not in drawn and left:
                drawn.add(text)
                left -= 1
                yield row, text


def _question(row: PassageRow, turn: int) -> str:
    chosen = random.Random(f"{turn} {row.text}")  # noqa: S311 - to draw, always the same
    sentences = [row.text[begin - row.start : end - row.start] for begin, end in row.spans]
    worded = [[word for word in WORD.findall(one) if content_terms(word)] for one in sentences]
    if not (long := [words for words in worded if len(words) >= _LEAST_WORDS]):
        return ""
    words = chosen.choice(long)
    count = min(_MOST_WORDS, max(2, round(len(words) * chosen.choice(_KEPT))))
    return " ".join(words[n] for n in sorted(chosen.sample(range(len(words)), count)))


def _beginning(row: PassageRow, encoder: Encoder[Runtime]) -> PassageInput | None:
    """As much of a passage as an encoder reads, cut between sentences; None where not one fits.

    Sentences that are left out are taken for the last one that is not: all must have a vector.
    """
    whole = row.to_embed()
    most = encoder.spec.limit - encoder.tokens.specials
    for count in range(len(whole.sentences), 0, -1):
        last = whole.sentences[count - 1]
        text = whole.text if last == whole.sentences[-1] else whole.text[: last.end]
        if encoder.tokens.count([text])[0] <= most:
            left_out = len(whole.sentences) - count
            return PassageInput(text, (*whole.sentences[:count], *[last] * left_out))
    return None


def _with_vectors_of(
    encoder: Encoder[Runtime], candidates: Candidates, inputs: Sequence[PassageInput | None]
) -> Candidates:
    """The same candidates with the vectors that another encoder gives them."""
    encoded = list(encoder.encode_passages(one for one in inputs if one is not None))
    sentences = np.concatenate(
        [one.sentences if len(one.sentences) else one.vector[None] for one in encoded]
    )
    return replace(
        candidates,
        vectors=np.stack([one.vector for one in encoded]),
        sentence_codes=sentences,
        sentence_scales=np.ones(len(sentences), np.float32),
    )


def _query(text: str, vector: NDArray[np.float32], encoded: EncodedQuestion) -> Query:
    """A question for scoring; its tokens are those by which the index was made."""
    return Query(vector, term_ids(content_terms(text)), encoded.tokens)


def _best(
    query: Query, among: Candidates, statistics: Statistics, source: int | None, *, passages: int
) -> list[Signals]:
    """The signals of the best passage, and of the best but the one that the question is made of."""
    scored = score(query, among, statistics)
    ranked = np.argsort(-scored.fused, kind="stable").tolist()
    found: list[Signals] = []
    for order in (ranked, [one for one in ranked if one != source]):
        if order and len(found) < (1 if source is None else 2):
            first, *others = order
            scores = Scores(
                fused=float(scored.fused[first]),
                dense=float(scored.dense[first]),
                sentence=float(scored.sentence[first]),
                lexical=float(scored.lexical[first]),
                coverage=float(scored.coverage[first]),
            )
            behind = scored.fused[others].tolist()
            terms = len(query.unique_terms)
            found.append(signals(scores, behind, terms=terms, passages=passages, names=0))
    return found
