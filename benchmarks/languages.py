"""Find manual pages by what they say they do, in many languages, by words alone.

    python -m benchmarks.languages FOLDER

FOLDER holds folders of translated manual pages, called `de`, `fr`, `pt_BR` … as in /usr/share/man:
what Debian's packages manpages-de, -fr, -ja … unpack to. The question is the line of the section
NAME, without the name, and the documents are the pages without that section; or the question is a
sentence from the middle of a page, and the documents are the pages without their sentences. Each
twice: with all text cut at what is no letter and stemmed as English, and by the language's own
rules. `told` is the share of pages whose language is told, `wrong` of those that are told to be in
another.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import Counter, defaultdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tantivy

from qa.ranking.bm25 import bm25, idf
from qa.words.detection import language_of
from qa.words.terms import content_terms, stop_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAGES = 400  # of a language: the first by name
_MACRO = re.compile(r"^[.'](?:[A-Za-z]+ ?|\\\".*)", re.MULTILINE)
_ESCAPE = re.compile(r"\\(?:f(?:\(..|\[[^]]*\]|.)|\(..|\*\(..|s[+-]?\d|[&%/,|^:])")
_NAME = re.compile(r"^\.S[Hh] .*\n(?P<name>(?:(?!\.S[Hh]).*\n)+)", re.MULTILINE)
_END = re.compile(r"(?<=[.!?])\s+|(?<=。)")
_DASH = re.compile(r"\s(?:\\?-|\\\(em|—|–)+\s")


def pages(folder: Path) -> Iterator[tuple[str, str]]:
    """Each page's question and text; pages that only name another have none."""
    texts: set[str] = set()
    for path in sorted(folder.glob("man*/*.gz")):
        source = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        if (found := _NAME.search(source)) is None:
            continue
        _, dash, said = _plain(found["name"]).partition(" - ")
        text = _plain(source[found.end() :])
        if dash and len(said) > 3 and len(text) > 400 and text not in texts:
            texts.add(text)
            yield said, text
        if len(texts) == _PAGES:
            return


def sentences(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A sentence of each page, and the page without it wherever it stands."""
    pairs = []
    for _, text in found:
        of_page = [one for one in _END.split(text) if 15 <= len(one) <= 200]
        if len(of_page) > 3:
            one = of_page[len(of_page) // 2]
            pairs.append((one, text.replace(one, " ")))
    return pairs


def _plain(source: str) -> str:
    plain = _ESCAPE.sub("", _MACRO.sub("", source)).replace(r"\-", "-")
    return " ".join(_DASH.sub(" - ", plain).split())


def as_english(text: str) -> list[str]:
    """The terms of a text in any language as if it were English, in words with spaces between."""
    return [term for term in _english().analyze(text) if term not in stop_terms()]


@cache
def _english() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for one in (
        tantivy.Filter.remove_long(64),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(one)
    return builder.build()


def measured(
    found: list[tuple[str, str]], terms_of: Callable[[str], list[str]]
) -> dict[str, float]:
    """How often BM25 finds a page first, and the mean reciprocal rank."""
    counts = [Counter(terms_of(text)) for _, text in found]
    lengths = np.array([sum(count.values()) for count in counts])
    holding: dict[str, list[int]] = defaultdict(list)
    for n, count in enumerate(counts):
        for term in count:
            holding[term].append(n)
    ranks: list[int] = []
    for right, (said, _) in enumerate(found):
        terms = list(dict.fromkeys(terms_of(said)))
        held = np.array([len(holding[term]) for term in terms], np.int64)
        frequencies = np.array([[count[term] for count in counts] for term in terms], np.int64)
        if not terms:
            ranks.append(len(found))
            continue
        weights = idf(len(found), held)
        scores = bm25(frequencies, weights, lengths, float(lengths.mean())).sum(axis=0)
        ranks.append(1 + int(np.count_nonzero(scores >= scores[right])) - 1)
    return {
        "first": round(float(np.mean([rank == 1 for rank in ranks])), 3),
        "mrr": round(float(np.mean([1 / rank for rank in ranks])), 3),
    }


def main() -> None:
    """Measure, and write the figures beside this."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    figures = {}
    for path in sorted(folder.iterdir()):
        found = list(pages(path)) if path.is_dir() and not path.name.startswith("man") else []
        if len(found) < 20:
            continue
        language = {"nb": "no"}.get(path.name[:2], path.name[:2])
        codes = [language_of([text]) for _, text in found]
        figures[path.name] = {
            "pages": len(found),
            **{
                name: {
                    "as English": measured(pairs, as_english),
                    "by its own rules": measured(pairs, partial(content_terms, language=language)),
                }
                for name, pairs in (("name", found), ("sentence", sentences(found)))
            },
            "told": round(sum(code == language for code in codes) / len(codes), 3),
            "wrong": round(sum(code not in {language, ""} for code in codes) / len(codes), 3),
        }
        print(path.name, json.dumps(figures[path.name]), flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
