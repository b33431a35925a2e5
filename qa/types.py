"""The values that pass between the parts: frozen, slotted, without behaviour of their own.

The words are those of the field; docs/architecture.md has the full vocabulary.
"""

from __future__ import annotations

# What types are made of is imported for whoever resolves them at run time: pydantic, FastAPI.
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

__all__ = [
    "Answer",
    "Block",
    "BlockKind",
    "Citation",
    "CitedPassage",
    "Document",
    "Evidence",
    "Explanation",
    "Mark",
    "Passage",
    "Place",
    "PlaceKind",
    "Problem",
    "Refresh",
    "Scores",
    "Section",
    "Span",
]

ANSWER_SCHEMA: Final = "qa.answer/1"
# A probability up to which nothing in the documents is likely to answer (docs/quality.md).
UNLIKELY = 0.2
# What a probability was made with; see `Answer`.
Calibrated: TypeAlias = Literal["built-in", "questions", "corpus", "words"]
Verdict: TypeAlias = Literal["answered", "unsure", "not in these documents"]


class Span(NamedTuple):
    """Half-open range of characters `[start, end)` of a document's text."""

    start: int
    end: int


class BlockKind(StrEnum):
    """What a block is made of, which decides how it may be cut."""

    PROSE = "prose"  # sentences
    LINES = "lines"  # code, tables: one line is the unit


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item, code block or table: kept whole in one passage where it fits."""

    start: int
    end: int
    kind: BlockKind = BlockKind.PROSE


class PlaceKind(StrEnum):
    """In which terms people find a place again in a format that has no lines."""

    PAGE = "page"  # counted from 1
    LABEL = "label"  # what is printed on the page, where that is not its number: "xii"
    ANCHOR = "anchor"  # the nearest id at or above the place, as a link names it
    PARAGRAPH = "paragraph"  # counted from 1
    CHAPTER = "chapter"  # counted from 1, in reading order
    ROW = "row"  # counted from 1, the row of names not counted


class Place(NamedTuple):
    """From character `start` of a document's text on, up to the next place of that kind."""

    start: int
    kind: PlaceKind
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading path and the blocks that stand below it, in order; headings are not blocks."""

    heading_path: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One source file, or a file inside one, as text; every span refers to `text`.

    `text` is what `raw.decode(encoding)` gives, line ends untouched; where `encoding` is "", it
    was made from the file, whose parts `places` names. `file` is the path of the source file, the
    same as `id` but for a document inside it; `sha256` is of the raw bytes of that file.
    """

    id: str
    file: str
    format: str
    text: str
    sha256: str
    encoding: str
    sections: tuple[Section, ...]
    places: tuple[Place, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A slice `[start, end)` of one document's text, within one section.

    `context` is the heading path as it is embedded before the passage (shortened where the
    encoder's limit asks for it); `sentences` are slices of the same text, inside the passage.
    """

    start: int
    end: int
    heading_path: tuple[str, ...]
    context: str
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a quote stands: enough for a person to open it and for a program to check it.

    `start`/`end` count characters of the document's text. That is the file decoded with
    `encoding`, and `start_byte`/`end_byte` count bytes of it; or, where `encoding` is "", the text
    that the reader of `format` makes of it, and they are None. Lines are those of the text and
    count from 1. `file` holds the document (itself, but for an attachment); `sha256` is of the
    whole file. `page`, `label` (what is printed on the page), `anchor`, `paragraph`, `chapter` and
    `row` say where the quote begins, in formats that have such.
    """

    document: str
    quote: str
    start_line: int
    end_line: int
    heading_path: tuple[str, ...]
    page: int | None
    label: str
    anchor: str
    paragraph: int | None
    chapter: int | None
    row: int | None
    start: int
    end: int
    start_byte: int | None
    end_byte: int | None
    file: str
    format: str
    sha256: str
    encoding: str

    def __str__(self) -> str:
        """The form that `qa show` takes: `path:first-last`, `path#page=3`, `path#anchor`."""
        return f"{self.document}{self.fragment or self._lines()}"

    @property
    def fragment(self) -> str:
        """Name the place within the document as links do; "" where only its lines are known."""
        if self.anchor:
            return f"#{self.anchor}"
        for kind in (PlaceKind.PAGE, PlaceKind.ROW, PlaceKind.PARAGRAPH, PlaceKind.CHAPTER):
            if (value := getattr(self, kind)) is not None:
                return f"#{kind}={value}"
        return ""

    def _lines(self) -> str:
        last = "" if self.end_line == self.start_line else f"-{self.end_line}"
        return f":{self.start_line}{last}"


@dataclass(frozen=True, slots=True)
class Mark:
    """Words in the evidence that could be what was asked for: a quantity, date or name.

    `start` and `end` count characters of the document, as a citation's do.
    """

    kind: str
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentence of a passage that answers best, or two adjacent ones, with their citation.

    `score` mixes cosine with the share of the question's words; `marks` are in order.
    """

    citation: Citation
    score: float
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """Where a passage's rank comes from.

    `dense` and `sentence` are cosines; `lexical` and `coverage` are shares of what the question's
    terms weigh, in the passage (phrases can take it over 1) and in its best sentence.
    `rerank` is a cross-encoder's score, where one decided the order: the logarithm of the odds that
    the passage is relevant, which is what a model with one output gives before its activation
    function, and the difference of the two of one with two.
    """

    fused: float
    dense: float
    sentence: float
    lexical: float
    coverage: float
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a passage's score is made of, as far as it belongs to single words.

    `terms` are the question's, stemmed, with what each adds to the score by standing in the
    passage. `words` are the passage's that add most to its cosine with the question (the mean
    of the tokens' embeddings makes their shares exact); they sum to `dense` over all words.
    """

    terms: tuple[tuple[str, float], ...]
    words: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class CitedPassage:
    """A passage of an answer: verified quote, evidence, scores, and what is known of its document.

    `metadata` has `title`, `author`, `date`, `language` and more, where the document tells them;
    the language, by its code, also where its text tells that it is not English.
    `also` says where else the same text stands below the same headings, each quote verified: the
    first few places by path and line. `corpus` is what its corpus was called in the question, where
    several were asked; else empty.
    """

    citation: Citation
    evidence: Evidence
    scores: Scores
    metadata: Mapping[str, str] = field(default_factory=dict)
    explanation: Explanation | None = None
    also: tuple[Citation, ...] = ()
    corpus: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Ranked cited passages, best first; or an abstention, with `answered` false and no passages.

    `probability` is that the corpus holds the answer. An abstention says why in `reason`, and
    has the closest passages in `nearest`: they are not an answer. `complete` is false where
    documents are known to have been left out of the search (not indexed yet, changed since, or
    the index could not be refreshed): without an answer, nothing can then be said of whether the
    corpus holds one. It is None for an answer without a refresh, or within `Settings.max_age` of
    the last: nobody looked. `corpus` is the absolute path that the documents lie below; "" where
    they are not files. `notes` says in plain words what a person should know about this answer (a
    passage left out because its file changed, a file that could not be read). `truncated` tells
    that the question is longer than the encoder reads, so that its beginning alone was embedded.
    `searched` counts the passages that might have answered, and `signals` is what the probability
    was made from (`qa.ranking.calibration.Signals`); neither is part of the JSON form.

    `calibration` says what the probability was fitted to: "built-in", public sets with the default
    model; "questions", a person's own (`qa calibrate`); "corpus", for another model, by what the
    default one makes of the corpus's own sentences; "words", nothing that knows the model: it is
    made from words alone, which a note says.

    `corrected` has the words of the question that no passage has, each with the one of the
    documents' own that was searched for instead: `(("Rusia", "Russia"),)`. `schema` names the form
    for whoever reads an answer again, whatever wrote it.
    """

    question: str
    answered: bool
    probability: float
    passages: tuple[CitedPassage, ...]
    nearest: tuple[CitedPassage, ...]
    reason: str
    model: str
    corpus: str
    notes: tuple[str, ...] = ()
    complete: bool | None = True
    truncated: bool = False
    corrected: tuple[tuple[str, str], ...] = ()
    calibration: Calibrated = "built-in"
    searched: int = field(default=0, repr=False, compare=False)
    signals: tuple[float, ...] = field(default=(), repr=False, compare=False)
    schema: Literal["qa.answer/1"] = field(default=ANSWER_SCHEMA, repr=False)

    @property
    def shown(self) -> tuple[CitedPassage, ...]:
        """The passages to show, best first: those that answer, else the nearest."""
        return self.passages if self.answered else self.nearest

    @property
    def verdict(self) -> Verdict:
        """The probability in words: "answered", "unsure" or "not in these documents".

        "unsure" is what is below the threshold and above .2, and whatever was searched in part.
        """
        if self.answered:
            return "answered"
        if self.probability > UNLIKELY or self.complete is False:
            return "unsure"
        return "not in these documents"

    def __str__(self) -> str:
        """The answer as `qa ask` writes it to a pipe: plain text, at most 80 columns wide."""
        from qa.cli.render import plain

        return plain(self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        answer = _as_data(self)
        del answer["searched"], answer["signals"]
        return {"schema": self.schema, **answer, "verdict": self.verdict}


def _as_data(value: Any) -> Any:  # noqa: ANN401 - whatever an answer is made of
    """Do what `asdict` does for what is made of these types, in a quarter of its time."""
    if isinstance(value, tuple):
        return tuple(map(_as_data, value))
    if isinstance(value, Mapping):
        return dict(value)
    if (names := _names(value.__class__)) is None:
        return value
    found = {}
    for name in names:
        one = getattr(value, name)
        found[name] = one if type(one) in _LEAVES else _as_data(one)
    return found


_LEAVES = {str, int, float, bool, type(None)}


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    return tuple(one.name for one in fields(kind)) if is_dataclass(kind) else None


@dataclass(frozen=True, slots=True)
class Problem:
    """A document that could not be read, and why.

    Where it is `indexed` all the same, `reason` says what of it could not be read.
    """

    document: str
    reason: str
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Refresh:
    """What bringing the index in line with the corpus did.

    Documents are counted once, under what happened to them; `encoded` counts the passages that
    were embedded (the others' vectors were reused); `left_out` counts files by reason.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    passages: int = 0
    encoded: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    schema: Literal["qa.refresh/1"] = "qa.refresh/1"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        return {"schema": self.schema, **asdict(self)}
