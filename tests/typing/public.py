"""What a type checker must say of programs that use `qa`; read by mypy, never run.

Each misuse carries the error that it must be: mypy warns of one that is none.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import qa

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def right() -> None:
    with qa.Assistant(Path("corpus"), index="index", k=3, threshold=0.4, cache=Path("c")) as one:
        assert_type(one.ask("Who?"), qa.Answer)
        answer = one.ask("Who?", 3, threshold=0, refresh=False, explain=True, within="*.md")
        one.ask("Who?", within=["*.md"], where={"author": "A*"}, since=date(2024, 1, 31))
        for several in one.ask_many(["Who?", {"question": "Who?", "k": 1}], k=3, explain=True):
            assert_type(several, qa.Answer)
        hints: dict[int, str] = {}
        one.ask_many(("Who?",), refused=lambda number, error: hints.update({number: error.hint}))
        for step in one.follow():
            assert_type(step, qa.Refresh | qa.QaError)
        assert_type(one.refresh(rebuild=True), qa.Refresh)
        assert_type(one.status(), qa.Status)
        assert_type(one.status().running, qa.Running | None)
        assert_type(one.show("moon.md:1"), qa.Excerpt)
        assert_type(one.verify(answer), qa.Verification)
        one.verify(answer.to_dict())
        assert_type(one.calibrate(None), qa.Calibration)
        assert_type(one.settings, qa.Settings)
        assert_type(one.root, Path | None)
        one.ask("Who?", refresh_wait=0.5)
        for listed in one.documents(after=None, limit=5, within="*.md"):
            assert_type(listed, qa.DocumentInfo)
        assert_type(one.document("a.pdf"), qa.DocumentText)
        assert_type(one.outline("a.pdf"), tuple[qa.Heading, ...])
        assert_type(one.read_bytes("a.pdf"), bytes)
        assert_type(one.page_image("a.pdf", 1, [(0, 5)], width=800), qa.PageImage)
    assert_type(answer.shown, tuple[qa.CitedPassage, ...])
    for passage in answer.passages:
        assert_type(passage, qa.CitedPassage)
        assert_type(passage.citation, qa.Citation)
        assert_type(passage.citation.page, int | None)
    qa.Assistant(documents=[("id", "text")], notify=print, settings=qa.Settings(k=2))
    qa.Assistant(documents={"id": "text"}, progress=print)
    left: list[float | None] = []
    qa.Assistant("corpus", progress=lambda one: left.append(one.seconds_left))
    assert_type(qa.diagnose(qa.Settings()), qa.Diagnosis)


async def right_awaited(one: qa.Assistant, options: qa.AskArguments) -> None:
    assert_type(await one.ask_async("Who?", k=3, refresh=False, until=date.today()), qa.Answer)
    asking: Callable[[str], Coroutine[Any, Any, qa.Answer]] = one.ask_async
    await asking("Who?")
    one.ask("Who?", **options)


def right_caught(one: qa.Assistant) -> str:
    try:
        return str(one.ask("Who?"))
    except (qa.CorpusNotFoundError, qa.IndexLockedError, qa.ClosedError) as error:
        return error.hint
    except qa.QaError as error:
        return f"{error} {error.hint}"


def wrong_settings() -> None:
    qa.Assistant(theshold=0.3)  # type: ignore[call-arg]
    qa.Assistant(threshold="0.3")  # type: ignore[arg-type]
    qa.Assistant(k="5")  # type: ignore[arg-type]
    qa.Assistant(k=None)  # type: ignore[arg-type]
    qa.Assistant(5)  # type: ignore[arg-type]
    qa.Assistant(b"corpus")  # type: ignore[arg-type]
    qa.Assistant(lock_timeout="60")  # type: ignore[arg-type]
    qa.Assistant(settings={"k": 3})  # type: ignore[arg-type]
    qa.Assistant(progress=len)  # type: ignore[arg-type]
    qa.Assistant(documents=["text"])  # type: ignore[list-item]
    qa.Assistant(documents=[("id", b"text")])  # type: ignore[list-item]
    qa.Settings(theshold=0.3)  # type: ignore[call-arg]
    qa.Settings(k="5")  # type: ignore[arg-type]


def wrong_questions(one: qa.Assistant) -> None:
    one.ask(None)  # type: ignore[arg-type]
    one.ask(b"Who?")  # type: ignore[arg-type]
    one.ask("Who?", "5")  # type: ignore[arg-type]
    one.ask("Who?", refrsh=False)  # type: ignore[call-arg]
    one.ask("Who?", within=5)  # type: ignore[arg-type]
    one.ask("Who?", where={"title": 1})  # type: ignore[dict-item]
    one.ask("Who?", where=["title"])  # type: ignore[arg-type]
    one.ask("Who?", since=2024)  # type: ignore[arg-type]
    one.verify("answer.json")  # type: ignore[arg-type]
    one.ask_many([5])  # type: ignore[list-item]
    one.ask_many(["Who?"], refrsh=False)  # type: ignore[call-arg]
    one.ask_many(["Who?"], refused=print, k="5")  # type: ignore[arg-type]


async def wrong_questions_awaited(one: qa.Assistant) -> None:
    await one.ask_async("Who?", refrsh=False)  # type: ignore[call-arg]
    await one.ask_async("Who?", threshold="0.3")  # type: ignore[arg-type]
    await one.ask_async("Who?", k="5")  # type: ignore[arg-type]
    await one.ask_async(None)  # type: ignore[arg-type]
    one.ask_async("Who?").passages  # type: ignore[attr-defined]  # noqa: B018


def wrong_answers(answer: qa.Answer) -> None:
    answer.text  # type: ignore[attr-defined]  # noqa: B018
    answer.question = "Who else?"  # type: ignore[misc]
    answer.passages.append(answer.passages[0])  # type: ignore[attr-defined]
