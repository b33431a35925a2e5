"""Fit the default calibration, and test it on sets that the fit has not seen.

Usage: python benchmarks/calibration.py BENCH [--indexes FOLDER] [--sets NAME...]

BENCH holds sets in BEIR form; --indexes keeps the indexes of whole sets between runs. Each set is a
corpus as a whole, and again as many small ones: the documents of one title together, or each by
itself. Each is asked questions of several kinds (`ANSWERED`, `NOT_ANSWERED`), which weigh as these
tables say. Prints the constants for qa/ranking/calibration.py; writes benchmarks/calibration.json.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_auc_score

from qa.answering.ask import signals_of
from qa.answering.search import search
from qa.answering.spelling import corrected
from qa.assistant import Assistant
from qa.evaluation.fitting import fit
from qa.evaluation.measures import calibration_error
from qa.evaluation.questions import BeirCorpus, load_beir
from qa.ranking.calibration import Calibration, Signals
from qa.settings import Settings
from qa.words.questions import WORD, asked
from qa.words.terms import analyse, content_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from qa.encoding.encoder import Encoder, Runtime
    from qa.evaluation.questions import Question
    from qa.store.protocol import Snapshot

HERE = Path(__file__).parent
SETS = ["chroma-chunking-eval", "covid-qa", "cranfield", "npl-vaswani", "scifact"]
SETS += ["squad2-cs224n-dev", "xquad-en"]
KIN = {"squad2-cs224n-dev", "xquad-en"}  # of the same articles: one answers the other's questions
# Kinds of question, and what they weigh among those that the corpus answers, or does not.
ANSWERED = {"own": 0.7, "keywords": 0.15, "requests": 0.15}
NOT_ANSWERED = {"foreign": 0.25, "neighbours": 0.05, "left out": 0.7}
# These the fit sees apart, after the rest: they show what a name that stands nowhere is worth.
NAMES, OF_NAMES = "other names", 0.25
KINDS = {
    "own": "as the set has them",
    "keywords": "the words of such questions that say what they are about",
    "requests": "such questions with phrases of request before them",
    "foreign": "questions of other sets",
    "neighbours": "in a small corpus: questions of the set's other documents",
    "left out": "own questions; passages that hold the answer are left out of the search",
    "other names": "own questions with a name exchanged for one that stands nowhere",
    "unanswerable": "SQuAD 2.0's own, on the same subject",
}
MOST = 250  # questions of a kind for a whole set
SMALL = (40, 12)  # small corpora of a set; questions of each kind for one
HOLDS = 0.75  # of an answer's words: a passage with so many holds it as well
STEPS = (0.5, 0.66, 0.75, 0.9)  # priors
REQUESTS = (
    "I'd like to know more about this: {}",
    "Could you please tell me, according to the documents, {}",
    "I am preparing a talk for my colleagues and look for the passage that explains this. {}",
    "Good morning! Tell me, based on this text: {} Thank you.",
)
NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w’'.-]*\w(?: [A-Z][\w’'.-]*\w)*")

NAMED = Signals._fields.index("names")

Kind = str


@dataclass(slots=True)
class Found:
    """Signals of the questions of one corpus, or of many small ones together, by kind."""

    rows: dict[Kind, list[Signals]] = field(default_factory=dict)

    def add(self, kind: Kind, signals: Signals | None) -> None:
        """Take in what was found for a question; nothing where nothing was."""
        if signals is not None:
            self.rows.setdefault(kind, []).append(signals)

    def of(self, kinds: Iterable[Kind]) -> dict[Kind, NDArray[np.float64]]:
        """Give `[n, 8]` by kind, of those that there are."""
        return {kind: np.array(self.rows[kind]) for kind in kinds if kind in self.rows}


class Asked:
    """An index that is asked, of which passages can be left out."""

    def __init__(self, snapshot: Snapshot, encoder: Encoder[Runtime]) -> None:
        self.snapshot = snapshot
        self.encoder = encoder
        self.rows = snapshot.passages(one for one, _, _ in snapshot.texts())
        documents = snapshot.documents({row.document for row in self.rows})
        self.paths = [documents[row.document].path for row in self.rows]
        self.ids = np.array([row.id for row in self.rows], np.int64)
        self.terms = [set(content_terms(f"{row.context} {row.text}")) for row in self.rows]
        self.vocabulary = {
            term for row in self.rows for term in analyse(f"{row.context} {row.text}")
        }

    def signals(self, text: str, left_out: Sequence[int] = ()) -> Signals | None:
        """Ask as `qa.answering.ask.find` does, up to the probability."""
        begin, end = asked(text)
        question, _ = corrected(text[begin:end], self.snapshot, self.encoder.tokens.is_one)
        allowed = np.sort(np.delete(self.ids, left_out)) if len(left_out) else None
        encoded = self.encoder.encode_question(question)
        hits = search(self.snapshot, question, encoded, self.encoder.encode_now, allowed=allowed)
        best = next(hits.ranked, None)
        if best is None:
            return None
        return signals_of(hits, question, best.scores, len(self.ids), hits.unknown)

    def holding(self, question: Question) -> list[int]:
        """The passages that hold an answer: its place, or most of its words."""
        answers = [set(content_terms(answer)) for answer in question.answers]
        return [
            n
            for n, (row, path) in enumerate(zip(self.rows, self.paths, strict=True))
            if any(
                path == document and row.start < end and start < row.end
                for document, start, end in question.spans
            )
            or (not question.spans and path in question.relevant)
            or any(len(one & self.terms[n]) >= HOLDS * len(one) for one in answers if one)
        ]


def ask_all(
    one: Asked,
    found: Found,
    *,
    own: Sequence[Question],
    not_answered: Mapping[Kind, Sequence[str]],
    others: Sequence[str],
    chosen: random.Random,
) -> None:
    """Ask questions of all kinds; `others` are names to put in the place of names."""
    for question in own:
        found.add("own", one.signals(question.text))
        found.add("left out", one.signals(question.text, one.holding(question)))
        words = " ".join(word for word in WORD.findall(question.text) if content_terms(word))
        if words:
            found.add("keywords", one.signals(words))
        found.add("requests", one.signals(chosen.choice(REQUESTS).format(question.text)))
        strangers = [name for name in others if not one.vocabulary.intersection(analyse(name))]
        if strangers and (match := NAME.search(question.text)):
            text = question.text
            stranger = chosen.choice(strangers)
            found.add(NAMES, one.signals(text[: match.start()] + stranger + text[match.end() :]))
    for kind, texts in not_answered.items():
        for text in texts:
            found.add(kind, one.signals(text))


def groups(bench: Path, name: str) -> list[list[tuple[str, str, str]]]:
    """Cut a set's documents into small corpora: by title, or one by one."""
    rows = [json.loads(line) for line in (bench / name / "corpus.jsonl").open()]
    together: dict[str, list[tuple[str, str, str]]] = {}
    titles = {row.get("title") for row in rows}
    by_title = 1 < len(titles) < len(rows) / 3
    for row in rows:
        key = row["title"] if by_title else row["_id"]
        together.setdefault(key, []).append((row["_id"], row.get("title") or "", row["text"]))
    return list(together.values())


def measure(bench: Path, names: Sequence[str], indexes: Path | None) -> dict[str, Found]:
    """Ask all sets, whole and in small corpora; a set of long documents has no small ones."""
    chosen = random.Random(0)  # noqa: S311 - to draw a sample, always the same
    loaded = {name: load_beir(bench / name) for name in names}
    answered = {name: [q for q in loaded[name][1] if not q.unanswerable] for name in names}
    named = {name: _names(q.text for q in answered[name]) for name in names}
    found: dict[str, Found] = {}
    for name in names:
        strangers = [other for other in names if other != name and {name, other} != KIN]
        foreign = [one.text for other in strangers for one in answered[other]]
        others = sorted({one for other in strangers for one in named[other]})
        corpus, questions = loaded[name]
        unanswerable = [one.text for one in questions if one.unanswerable]
        not_answered = {
            "foreign": _some(chosen, foreign, MOST),
            "unanswerable": _some(chosen, unanswerable, MOST),
        }
        whole = found[f"{name}, whole"] = Found()
        index = None if indexes is None else indexes / name
        with asked_of(corpus, index) as one:
            ask_all(
                one,
                whole,
                own=_some(chosen, answered[name], MOST),
                not_answered=not_answered,
                others=others,
                chosen=chosen,
            )
        small = Found()
        for documents in _some(chosen, groups(bench, name), SMALL[0]):
            ids = {document for document, _, _ in documents}
            inside = [q for q in answered[name] if q.relevant.keys() <= ids]
            outside = [q.text for q in answered[name] if not q.relevant.keys() & ids]
            if not inside or sum(len(text) for _, _, text in documents) < _LEAST:
                continue
            with asked_of(BeirCorpus(documents), None) as one:
                ask_all(
                    one,
                    small,
                    own=_some(chosen, inside, SMALL[1]),
                    not_answered={
                        "foreign": _some(chosen, foreign, SMALL[1]),
                        "neighbours": _some(chosen, outside, SMALL[1]),
                    },
                    others=sorted({*others, *named[name]}),
                    chosen=chosen,
                )
        if len(small.rows.get("own", ())) >= _ENOUGH:
            found[f"{name}, small"] = small
        counts = {key: {k: len(v) for k, v in one.rows.items()} for key, one in found.items()}
        print(name, {key: counts[key] for key in counts if key.startswith(name)}, file=sys.stderr)
    return found


_LEAST, _ENOUGH = 1500, 50  # characters of a small corpus, own questions of all of them


def _some(chosen: random.Random, all_of_them: Sequence[Any], most: int) -> list[Any]:
    return chosen.sample(all_of_them, min(most, len(all_of_them)))


def _names(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in NAME.findall(text)}


class asked_of:  # noqa: N801 - used like a function
    """A context in which a corpus, indexed, is asked."""

    def __init__(self, corpus: BeirCorpus, index: Path | None, model: Path | None = None) -> None:
        settings = Settings(model=None if model is None else str(model))
        self.assistant = Assistant(documents=corpus, index=index, settings=settings)

    def __enter__(self) -> Asked:
        self.assistant.refresh()
        encoder = self.assistant._models.encoder(self.assistant._models.locate())  # noqa: SLF001
        self.snapshot = self.assistant._index.snapshot(to_search=True)  # noqa: SLF001
        return Asked(self.snapshot.__enter__(), encoder)

    def __exit__(self, *_: object) -> None:
        self.snapshot.__exit__(None, None, None)
        self.assistant.close()


# --- fitting -----------------------------------------------------------------------------


def stacked(
    found: Found, answered: dict[Kind, float], not_answered: dict[Kind, float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Give signals, truths and weights of one corpus: both truths weigh a half."""
    rows, truths, weights = [], [], []
    for truth, shares in ((True, answered), (False, not_answered)):
        kinds = found.of(shares)
        total = sum(shares[kind] for kind in kinds)
        for kind, signals in kinds.items():
            rows.append(signals)
            truths.append(np.full(len(signals), truth))
            weights.append(np.full(len(signals), shares[kind] / total / 2 / len(signals)))
    return np.concatenate(rows), np.concatenate(truths), np.concatenate(weights)


def fitted(found: dict[str, Found], without: str = "") -> Calibration:
    """Fit to all sets but one, and then, with that as it is, what a name that stands nowhere costs.

    Fitted together, names would take over what tells foreign questions, which often have some.
    What is answerable has some, too, so that all kinds weigh in the second step.
    """
    kept = [one for key, one in found.items() if not key.startswith(without or "\0")]
    columns = list(zip(*(stacked(one, ANSWERED, NOT_ANSWERED) for one in kept), strict=True))
    signals, truths, weights = map(np.concatenate, columns)
    signals[:, NAMED] = 0
    first = fit(signals, truths, weights * len(weights) / weights.sum())
    named = NOT_ANSWERED | {NAMES: OF_NAMES}
    columns = list(zip(*(stacked(one, ANSWERED, named) for one in kept), strict=True))
    signals, truths, weights = map(np.concatenate, columns)
    rest = Signals(*signals.T)
    costs = np.arange(0, 8.05, 0.1)
    plain = _logits(first, signals)
    loss = [
        float(weights @ np.logaddexp(0, -np.where(truths, 1, -1) * (plain - cost * rest.names)))
        for cost in costs
    ]
    return Calibration(**(asdict(first) | {"names": round(float(costs[int(np.argmin(loss))]), 1)}))


def _logits(calibration: Calibration, signals: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.array([calibration.probability(Signals(*row)) for row in signals.tolist()])
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(p / (1 - p)))


def probabilities(
    calibration: Calibration, signals: NDArray[np.float64], prior: float
) -> NDArray[np.float64]:
    """Give the probability of each row."""
    return np.array([calibration.probability(Signals(*row), prior) for row in signals.tolist()])


def judged(calibration: Calibration, found: Found, prior: float) -> dict[str, Any]:
    """Say how good a fit is on one corpus that it has not seen, each kind apart."""
    threshold = Settings().threshold
    kinds = {
        kind: probabilities(calibration, rows, prior) for kind, rows in found.of(KINDS).items()
    }
    result: dict[str, Any] = {}
    for kind, p in kinds.items():
        row: dict[str, Any] = {"questions": len(p)}
        if kind in ANSWERED:
            row["refused"] = round(float((p < threshold).mean()), 3)
        else:
            truths = np.concatenate([np.ones(len(kinds["own"]), bool), np.zeros(len(p), bool)])
            both = np.concatenate([kinds["own"], p])
            weights = np.where(truths, prior / truths.sum(), (1 - prior) / (~truths).sum())
            row["answered"] = round(float((p >= threshold).mean()), 3)
            row["auroc"] = round(float(roc_auc_score(truths, both)), 4)
            row["ece"] = round(calibration_error(both, truths, weights), 4)
        result[kind] = row
    return result


def means(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Average what was judged over all corpora in which a kind is, whole and small apart."""
    found: dict[str, Any] = {}
    for size in ("whole", "small"):
        for kind in KINDS:
            rows = [one[kind] for key, one in results.items() if key.endswith(size) and kind in one]
            if rows:
                keys = [key for key in rows[0] if key != "questions"]
                found[f"{kind}, {size}"] = {
                    key: round(float(np.mean([row[key] for row in rows])), 4) for key in keys
                }
    return found


def bands(
    fits: dict[str, Calibration], found: dict[str, Found], prior: float
) -> Iterator[dict[str, Any]]:
    """Say how often each verdict is right, over all corpora; kinds weigh as in the fit."""
    rows: list[tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]] = []
    for key, one in found.items():
        signals, truths, weights = stacked(one, ANSWERED, NOT_ANSWERED)
        weights = np.where(truths, 2 * prior, 2 * (1 - prior)) * weights
        rows.append((probabilities(fits[key], signals, prior), truths, weights))
    p, truths, weights = map(np.concatenate, zip(*rows, strict=True))
    for low, high in ((0.8, 1.01), (0.5, 0.8), (0.2, 0.5), (0, 0.2)):
        inside = (p >= low) & (p < high)
        yield {
            "probability": f"{low} to {min(high, 1)}",
            "questions": round(float(weights[inside].sum() / weights.sum()), 3),
            "answerable": round(float((weights * truths)[inside].sum() / weights[inside].sum()), 3),
        }


def main() -> None:
    """Fit, test, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--indexes", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    arguments = parser.parse_args()
    found = measure(arguments.bench, arguments.sets, arguments.indexes)
    prior = Settings().prior
    fits = {key: fitted(found, without=key.partition(",")[0]) for key in found}
    judge = partial(judged, prior=prior)
    results = {key: judge(fits[key], one) for key, one in found.items()}
    summary = {
        "calibration": asdict(fitted(found)),
        "prior": prior,
        "kinds": KINDS,
        "shares": {"answered": ANSWERED, "not answered": NOT_ANSWERED},
        "means": means(results),
        "verdicts": list(bands(fits, found, prior)),
        "priors": {
            str(other): means({key: judged(fits[key], one, other) for key, one in found.items()})
            for other in STEPS
        },
        "left out of the fit": results,
    }
    (HERE / "calibration.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps({key: summary[key] for key in ("calibration", "means", "verdicts")}, indent=2))


if __name__ == "__main__":
    main()
