"""Questions with known answers: a JSONL file about one's own corpus, or a folder in BEIR form."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qa.errors import QuestionsError
from qa.reading.corpus import PairCorpus
from qa.types import Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from qa.reading.formats import Reading

__all__ = ["BeirCorpus", "Question", "load_beir", "load_foreign", "load_questions"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what is known of its answer.

    `relevant` grades documents by id; `answers` are texts that answer; `spans` places
    `(document, start, end)` where they stand. An unanswerable one has none of these.
    """

    id: str
    text: str
    relevant: Mapping[str, int] = field(default_factory=dict)
    answers: tuple[str, ...] = ()
    spans: tuple[tuple[str, int, int], ...] = ()
    unanswerable: bool = False


def load_questions(path: Path) -> list[Question]:
    """Read a JSONL file: an object a line.

    `question` (or `text`) is required; `id`; `documents`, a list of relevant ones or an object
    that grades them; `answer`, one text or several; `unanswerable`.

    Raises:
        QuestionsError: the file can't be read, or a line isn't like that.
    """
    found = []
    for number, row in _rows(path):
        where = f"{path}:{number}"
        text = row.get("question", row.get("text"))
        if not isinstance(text, str) or not text.strip():
            raise QuestionsError(f"{where} has no question", hint='Write {"question": "…", …}.')
        documents = row.get("documents", {})
        if isinstance(documents, str):
            documents = [documents]
        if isinstance(documents, list):
            documents = dict.fromkeys(documents, 1)
        answers = row.get("answer", [])
        answers = [answers] if isinstance(answers, str) else answers
        grades = isinstance(documents, dict) and all(
            isinstance(grade, int) for grade in documents.values()
        )
        if not grades or not isinstance(answers, list) or not all(map(_is_text, answers)):
            raise QuestionsError(
                f"{where}: `documents` or `answer` is of another form",
                hint="Give a list of document ids, and a text or a list of texts.",
            )
        name = row.get("id", row.get("_id", number))
        unanswerable = bool(row.get("unanswerable", False))
        answers = tuple(one for one in answers if one.strip())
        found.append(Question(str(name), text, documents, answers, (), unanswerable))
    return _unique(path, found)


def load_beir(folder: Path) -> tuple[BeirCorpus, list[Question]]:
    """Read `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` (or `qrels/test.tsv`) of a folder.

    Where there is a `spans.jsonl` (`query_id`, `doc_id`, `answer`, `char_start`), the places of
    answers are taken from it. Questions without a judgement are left out, unless they are marked
    `unanswerable`.

    Raises:
        QuestionsError: a file is missing or isn't like that.
    """
    qrels = next((one for one in (folder / one for one in _QRELS) if one.is_file()), None)
    if qrels is None:
        raise QuestionsError(f"{folder} has no {_QRELS[0]}", hint="Give a folder in BEIR form.")
    relevant: dict[str, dict[str, int]] = {}
    try:
        for line in qrels.read_text("utf-8").splitlines()[1:]:
            query, document, grade = line.split("\t")[:3]
            if int(float(grade)) > 0:
                relevant.setdefault(query, {})[document] = int(float(grade))
        documents = [
            (str(row["_id"]), str(row.get("title") or "").strip(), str(row["text"]))
            for _, row in _rows(folder / "corpus.jsonl")
        ]
        spans: dict[str, list[tuple[str, int, int]]] = {}
        answers: dict[str, list[str]] = {}
        if (folder / "spans.jsonl").is_file():
            for _, row in _rows(folder / "spans.jsonl"):
                if row.get("answer") and row.get("offset_ok", True):
                    start, text = int(row["char_start"]), str(row["answer"])
                    start += len(text) - len(text.lstrip())
                    place = (str(row["doc_id"]), start, start + len(text.strip()))
                    spans.setdefault(str(row["query_id"]), []).append(place)
                    answers.setdefault(str(row["query_id"]), []).append(text.strip())
        questions = [
            Question(
                str(row["_id"]),
                str(row["text"]),
                relevant.get(str(row["_id"]), {}),
                tuple(answers.get(str(row["_id"]), ())),
                tuple(spans.get(str(row["_id"]), ())),
                bool(row.get("unanswerable")),
            )
            for _, row in _rows(folder / "queries.jsonl")
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise QuestionsError(
            f"{folder} is not in BEIR form ({type(error).__name__}: {error})",
            hint="See https://github.com/beir-cellar/beir for the form.",
        ) from error
    judged = [one for one in questions if one.unanswerable or one.relevant]
    return BeirCorpus(documents), _unique(folder, judged)


def load_foreign(path: Path, number: int) -> list[Question]:
    """Read questions that another corpus answers: here they are unanswerable.

    Args:
        path: JSONL as for `load_questions`.
        number: sets their ids apart from those of other files.
    """
    return [
        Question(f"foreign-{number}-{one.id}", one.text, unanswerable=True)
        for one in load_questions(path)
    ]


_QRELS = ("qrels.tsv", "qrels/test.tsv")


class BeirCorpus(PairCorpus):
    """Documents of a BEIR folder: plain text; the title stands above it as a heading."""

    def __init__(self, documents: Iterable[tuple[str, str, str]]) -> None:
        """Take `(id, title, text)`; documents without a text are left out."""
        kept = [one for one in documents if one[2].strip()]
        super().__init__((document, text) for document, _, text in kept)
        self._titles = {document: title for document, title, _ in kept}

    def read(self, file: str) -> Reading:
        """Read one document."""
        reading = super().read(file)
        if title := self._titles[file]:
            reading.documents = [
                dataclasses.replace(
                    one, sections=tuple(Section((title,), part.blocks) for part in one.sections)
                )
                for one in reading.documents
            ]
        return reading


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise TypeError("not an object")
                    yield number, row
    except OSError as error:
        raise QuestionsError(
            f"{path} can't be read: {error.strerror}", hint="Give a JSONL file, or a BEIR folder."
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise QuestionsError(
            f"{path} is no JSONL: {error}", hint="Put one object a line."
        ) from error


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _unique(path: Path, questions: list[Question]) -> list[Question]:
    if not questions:
        raise QuestionsError(f"{path} holds no questions", hint="Give one a line.")
    seen: set[str] = set()
    for one in questions:
        if one.id in seen:
            raise QuestionsError(
                f"{path} has two questions {one.id!r}", hint="Give each an id of its own."
            )
        seen.add(one.id)
    return questions
