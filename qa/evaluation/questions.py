"""Questions with known answers: a JSONL file about one's own corpus, or a folder in BEIR form."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Mapping  # noqa: TC003 - types resolve at run time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qa.corpus import PairCorpus
from qa.errors import QuestionsError
from qa.types import Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from qa.reading.files import Reading

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
    return _unique(path, ((where, _question(where, row)) for where, row in _rows(path)))


def _question(where: str, row: dict[str, Any]) -> Question:
    text = row.get("question", row.get("text"))
    if not isinstance(text, str) or not text.strip():
        raise QuestionsError(f"{where} has no question", hint='Write {"question": "…", …}.')
    documents = row.get("documents") or {}
    if isinstance(documents, list):
        documents = {_id(where, document): 1 for document in documents}
    elif isinstance(documents, dict):
        documents = {one: _grade(where, grade) for one, grade in documents.items()}
    elif isinstance(documents, str):
        documents = {documents: 1}
    else:
        raise QuestionsError(f"{where}: `documents` is {documents!r}", hint="Give a list of ids.")
    answers = row.get("answer") or []
    answers = answers if isinstance(answers, list) else [answers]
    if not all(isinstance(answer, str) for answer in answers):
        raise QuestionsError(
            f"{where}: `answer` is not a text", hint="Give one, or a list of them."
        )
    name = next((row[key] for key in ("id", "_id") if row.get(key) is not None), _line(where))
    return Question(
        _id(where, name),
        text,
        documents,
        tuple(answer for answer in answers if answer.strip()),
        unanswerable=_unanswerable(where, row),
    )


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
    relevant = _judgements(qrels)
    corpus = BeirCorpus(_documents(folder / "corpus.jsonl"))
    spans = defaultdict[str, list[tuple[str, int, int]]](list)
    answers = defaultdict[str, list[str]](list)
    if (folder / "spans.jsonl").is_file():
        for query, answer, place in _spans(folder / "spans.jsonl"):
            spans[query].append(place)
            answers[query].append(answer)
    questions = folder / "queries.jsonl"
    judged = []
    for where, row in _rows(questions):
        name = _id(where, _value(where, row, "_id"))
        unanswerable = _unanswerable(where, row)
        if unanswerable or name in relevant:
            if not (text := _text(where, row, "text")).strip():
                raise QuestionsError(f"{where} has no question: its `text` is empty", hint=_FORM)
            known = relevant.get(name, {}), tuple(answers[name]), tuple(spans[name])
            judged.append((where, Question(name, text, *known, unanswerable)))
    if not judged:
        raise QuestionsError(
            f"{qrels} judges no question of {questions}", hint="Do their ids agree?"
        )
    return corpus, _unique(questions, judged)


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    """The documents that are relevant to each question, and their grades."""
    relevant = defaultdict[str, dict[str, int]](dict)
    for number, line in _lines(path):
        query, document, grade, *_ = [*line.rstrip().split("\t"), "", "", ""]
        if number == 1 and not _NUMBER.fullmatch(grade):
            continue  # the names of the columns
        where = f"{path}:{number}"
        if not query or not document or not _NUMBER.fullmatch(grade):
            raise QuestionsError(
                f"{where} is not a question, a document and a grade, with tabs between them",
                hint=_FORM,
            )
        if (judged := _grade(where, int(float(grade)))) > 0:
            relevant[query][document] = judged
    return dict(relevant)


def _documents(path: Path) -> Iterator[tuple[str, str, str]]:
    """The id, title and text of each document."""
    seen: dict[str, str] = {}
    for where, row in _rows(path):
        name = _id(where, _value(where, row, "_id"))
        if (before := seen.setdefault(name, where)) != where:
            raise QuestionsError(
                f"{where} has the id {name!r}, as line {_line(before)} has",
                hint="Give every document its own id.",
            )
        yield name, _text(where, row, "title").strip(), _text(where, row, "text")


def _spans(path: Path) -> Iterator[tuple[str, str, tuple[str, int, int]]]:
    """A question's id, an answer to it, and the document and place where that stands."""
    for where, row in _rows(path):
        answer = _text(where, row, "answer")
        if answer.strip() and row.get("offset_ok", True):
            start = _value(where, row, "char_start")
            if not isinstance(start, int):
                raise QuestionsError(f"{where}: `char_start` is not a whole number", hint=_FORM)
            start += len(answer) - len(answer.lstrip())
            place = _id(where, _value(where, row, "doc_id")), start, start + len(answer.strip())
            yield _id(where, _value(where, row, "query_id")), answer.strip(), place


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
_FORM = "See https://github.com/beir-cellar/beir for the form of such files."
_NUMBER = re.compile(r"[-+]?\d{1,9}(\.\d*)?")
_GREATEST = 1_000_000  # grade; the library that measures takes no number of any size


class BeirCorpus(PairCorpus):
    """Documents of a BEIR folder: plain text; the title stands above it as a heading."""

    def __init__(self, documents: Iterable[tuple[str, str, str]]) -> None:
        """Take `(id, title, text)`; a title alone is the text; what has neither is left out."""
        whole = (
            (name, title if text.strip() else "", text if text.strip() else title)
            for name, title, text in documents
        )
        kept = [one for one in whole if one[2]]
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


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, and their numbers."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
            for number, line in enumerate(stream, 1):
                if not _is_utf8(line):
                    raise QuestionsError(
                        f"{path}:{number} is not UTF-8", hint="Save the file as text in UTF-8."
                    )
                if line.strip():
                    yield number, line
    except OSError as error:
        raise QuestionsError(
            f"{path} can't be read: {error.strerror}", hint="Give a JSONL file, or a BEIR folder."
        ) from error


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSONL file, and where each stands."""
    for number, line in _lines(path):
        where, hint = f"{path}:{number}", "Put one JSON object on each line."
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise QuestionsError(
                f"{where} is not JSON: {error.msg}, column {error.colno}", hint=hint
            ) from error
        except (
            ValueError,
            RecursionError,
        ) as error:  # a number of thousands of digits; deep nesting
            raise QuestionsError(f"{where} is not JSON that can be read", hint=hint) from error
        if not isinstance(row, dict):
            raise QuestionsError(f"{where} is not a JSON object", hint=hint)
        if "\\u" in line and not _is_utf8(json.dumps(row, ensure_ascii=False)):
            raise QuestionsError(
                f"{where} has half a surrogate pair", hint="Give text that can be encoded as UTF-8."
            )
        yield where, row


def _line(where: str) -> str:
    return where.rpartition(":")[2]


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _value(where: str, row: dict[str, Any], key: str) -> object:
    if row.get(key) is None:
        raise QuestionsError(f"{where} has no `{key}`", hint=_FORM)
    return row[key]


def _text(where: str, row: dict[str, Any], key: str) -> str:
    """A text; "" where there is none."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise QuestionsError(f"{where}: `{key}` is not a text", hint=_FORM)
    return value or ""


def _id(where: str, value: object) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise QuestionsError(
            f"{where}: {value!r} is not an id", hint="Give a text or a whole number."
        )
    return str(value)


def _grade(where: str, value: object) -> int:
    if not isinstance(value, int) or abs(value) > _GREATEST:
        raise QuestionsError(
            f"{where}: {value!r} is not a grade", hint=f"Give a whole number up to {_GREATEST:,}."
        )
    return value


def _unanswerable(where: str, row: dict[str, Any]) -> bool:
    value = row.get("unanswerable", False)
    if not isinstance(value, bool | None):
        raise QuestionsError(
            f"{where}: `unanswerable` is {value!r}", hint="Write true or false, without quotes."
        )
    return bool(value)


def _unique(path: Path, questions: Iterable[tuple[str, Question]]) -> list[Question]:
    seen: dict[str, str] = {}
    found = []
    for where, one in questions:
        if (before := seen.setdefault(one.id, where)) != where:
            raise QuestionsError(
                f"{where} has the id {one.id!r}, as line {_line(before)} has",
                hint="Give every question its own id.",
            )
        found.append(one)
    if not found:
        raise QuestionsError(f"{path} holds no questions", hint="Put one on each line.")
    return found
