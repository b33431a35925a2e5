"""Which language a question is in, as far as its smallest words tell."""

from __future__ import annotations

import re

__all__ = ["SMALL_WORDS", "language"]

# Words that no sentence does without, and that English does not have, or not in this sense.
SMALL_WORDS = {
    "de": "der die das und ist wer wie wo wann warum welche welcher welches nicht ein eine"
    " einen dem den des im mit von für auf zu zum zur wird wurde hat haben sind gibt über nach",
    "fr": "le la les des un une et est qui que quoi quel quelle quels quelles où quand"
    " pourquoi comment combien dans avec pour sur ne pas ont été du au aux ce cette ces sont il",
    "es": "el los las una es quién qué cuál cuándo dónde cómo cuánto cuántos por para con del"
    " al y no se en fue son hay está según más",
    "it": "il lo gli una è chi che cosa quale quali quando dove perché come quanto quanti"
    " di della dei delle nel nella con per non sono ha hanno al alla",
    "pt": "o os as uma é quem que qual quais quando onde como quanto quantos por para com"
    " do da dos das no na não são foi há está ao",
    "nl": "de het een en is wie wat waar wanneer waarom hoe welke niet met van voor op naar"
    " wordt werd heeft zijn er bij ook",
}
_NAMES = dict(
    pair.split(":")
    for pair in "de:German fr:French es:Spanish it:Italian pt:Portuguese nl:Dutch".split()
)
_ENGLISH = frozenset(
    "the a an and is are was were who what which when where why how does do did of to in on for"
    " with by from not has have be it that this there can could will would should".split()
)
_WORD = re.compile(r"[^\W\d_]+")
_LEAST = 2  # small words of a language, and more than of English


def language(question: str) -> str:
    """The language, by its English name; "" for English and where too little tells."""
    words = [word.lower() for word in _WORD.findall(question)]
    english = sum(word in _ENGLISH for word in words)
    counts = {
        code: sum(word in small.split() for word in words) for code, small in SMALL_WORDS.items()
    }
    code, count = max(counts.items(), key=lambda one: one[1])
    return _NAMES[code] if count >= _LEAST and count > english else ""
