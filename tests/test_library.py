"""The library in somebody's program: what it refuses and how, its end, and many at once."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qa

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "Who set foot on the Moon?"


# --- arguments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"theshold": 0.3}, "theshold"),
        ({"threshold": "0.3"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": None}, "threshold"),
        ({"k": "5"}, "k is '5'"),
        ({"k": 5.0}, "k is 5.0"),
        ({"k": True}, "k is True"),
        ({"k": 0}, "k is 0"),
        ({"k": -1}, "k is -1"),
        ({"k": 10_001}, "k is 10001"),
        ({"k": 10**30}, "k is 1000"),
        ({"ocr": 1}, "ocr is 1"),
        ({"model": 5}, "model is 5"),
        ({"cache": b"cache"}, "cache is b'cache'"),
        ({"max_file_size": 1.5}, "max_file_size"),
        ({"lock_timeout": "60"}, "lock_timeout"),
        ({"lock_timeout": float("nan")}, "lock_timeout"),
        ({"corpus": 5}, "corpus is 5"),
        ({"corpus": b"corpus"}, "corpus is b'corpus'"),
        ({"corpus": ""}, "corpus is empty"),
        ({"index": ["index"]}, "index is"),
        ({"settings": {"k": 3}}, "settings is"),
        ({"documents": 5}, "documents is of type int"),
        ({"documents": "text"}, "documents has an item of type str"),
        ({"documents": ["ab", "cd"]}, "documents has an item of type str"),
        ({"documents": [("a", "text", "more")]}, "documents has an item of type tuple"),
        ({"documents": [(1, "text")]}, "documents has an item of type tuple"),
        ({"documents": [("a", b"text")]}, "'a' is of type bytes"),
        ({"documents": {"a": None}}, "'a' is of type NoneType"),
        ({"documents": [("a", "text")], "corpus": "corpus"}, "corpus and documents"),
    ],
)
def test_an_assistant_refuses_what_makes_no_sense_by_name(
    given: dict[str, Any], named: str
) -> None:
    with pytest.raises(qa.SettingsError) as raised:
        qa.Assistant(**given)
    assert named in str(raised.value)
    assert raised.value.hint
    assert len(str(raised.value)) < 200


def test_an_unknown_argument_is_met_with_the_one_that_was_meant() -> None:
    with pytest.raises(qa.SettingsError) as raised:
        qa.Assistant(theshold=0.3)  # type: ignore[call-arg]
    assert "Did you mean 'threshold'?" in raised.value.hint


def test_settings_refuse_as_the_assistant_does() -> None:
    with pytest.raises(qa.SettingsError, match="threshold"):
        qa.Settings(threshold="0.3")  # type: ignore[arg-type]


def test_paths_may_be_path_objects(corpus: Path, tmp_path: Path, cache: Path) -> None:
    with qa.Assistant(corpus, tmp_path / "index", cache=cache, lock_timeout=1) as assistant:
        assert assistant.ask(QUESTION).answered
        assert assistant.settings.cache == str(cache)


def test_documents_may_be_a_mapping(cache: Path) -> None:
    with qa.Assistant(documents={"ab": "Neil Armstrong walked on the Moon."}, cache=cache) as one:
        [passage] = one.ask(QUESTION, threshold=0).passages
        assert str(passage.citation) == "ab:1"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"question": None}, "question is None"),
        ({"question": b"Who?"}, "question is b'Who?'"),
        ({"question": Path("who")}, "question is"),
        ({"question": ""}, "question is empty"),
        ({"k": "5"}, "k is '5'"),
        ({"k": True}, "k is True"),
        ({"k": 2.0}, "k is 2.0"),
        ({"k": 0}, "k is 0"),
        ({"k": -1}, "k is -1"),
        ({"k": 10_001}, "k is 10001"),
        ({"k": 10**30}, "k is 1000"),
        ({"threshold": "0.3"}, "threshold is '0.3'"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": True}, "threshold is True"),
        ({"refresh": "no"}, "refresh is 'no'"),
        ({"explain": 1}, "explain is 1"),
        ({"within": 5}, "within has 5"),
        ({"within": [5]}, "within has 5"),
        ({"within": ["["]}, "'[' is not a path pattern"),
        ({"within": b"*.md"}, "within has"),
        ({"where": {"title": 1}}, "where has 'title': 1"),
        ({"where": {1: "title"}}, "where has 1"),
        ({"where": [("title", "Moon")]}, "where is [("),
        ({"where": "title=Moon"}, "where is 'title=Moon'"),
        ({"since": 2024}, "since: 2024"),
        ({"until": "soon"}, "until: 'soon'"),
        ({"until": b"2024-01-31"}, "until: b'2024"),
    ],
)
def test_a_question_refuses_what_makes_no_sense_by_name(
    assistant: qa.Assistant, tmp_path: Path, given: dict[str, Any], named: str
) -> None:
    with pytest.raises(qa.QuestionError) as raised:
        assistant.ask(**{"question": QUESTION} | given)
    assert named in str(raised.value)
    assert raised.value.hint
    assert not (tmp_path / "index").exists()  # it was said before anything was done


def test_a_day_may_be_a_date(assistant: qa.Assistant) -> None:
    today = datetime.now().astimezone()
    for day in (today.date(), today, str(today.date())):
        assert assistant.ask(QUESTION, since=day).answered
    with pytest.raises(qa.FilterError, match="2001-01-01"):
        assistant.ask(QUESTION, until=date(2001, 1, 1))


def test_more_passages_than_there_are_can_be_asked_for(assistant: qa.Assistant) -> None:
    assert len(assistant.ask(QUESTION, k=10_000, threshold=0).passages) == 4


_ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.lists(st.text()), st.dictionaries(st.text(), st.integers()), st.dates(),
)  # fmt: skip


@settings(max_examples=60)
@given(options=st.dictionaries(st.sampled_from(sorted(qa.AskArguments.__annotations__)), _ANYTHING))
def test_whatever_is_given_is_answered_or_refused(
    shared: qa.Assistant, options: dict[str, Any]
) -> None:
    with suppress(qa.QuestionError):
        assert isinstance(shared.ask(QUESTION, **options), qa.Answer)


@pytest.fixture(name="shared", scope="module")
def _shared(cache: Path) -> Any:
    with qa.Assistant(documents=[("moon", "Neil Armstrong set foot on it.")], cache=cache) as one:
        yield one


@settings(max_examples=60)
@given(values=st.dictionaries(st.sampled_from(["k", "corpus", "model", "cache", "x"]), _ANYTHING))
def test_whatever_is_set_is_taken_or_refused(values: dict[str, Any]) -> None:
    with suppress(qa.SettingsError):
        qa.Assistant(**values).close()


# --- the end ----------------------------------------------------------------------------

USES: dict[str, Callable[[qa.Assistant], object]] = {
    "ask": lambda one: one.ask(QUESTION),
    "ask without refresh": lambda one: one.ask(QUESTION, refresh=False),
    "refresh": lambda one: one.refresh(),
    "rebuild": lambda one: one.refresh(rebuild=True),
    "status": lambda one: one.status(),
    "calibrate": lambda one: one.calibrate(None),
    "show": lambda one: one.show("moon.md:7"),
    "verify": lambda one: one.verify({}),
    "documents": lambda one: one.documents(),
    "document": lambda one: one.document("moon.md"),
    "outline": lambda one: one.outline("moon.md"),
    "read_bytes": lambda one: one.read_bytes("moon.md"),
    "page_image": lambda one: one.page_image("moon.md", 1),
    "with": lambda one: one.__enter__(),
}


@pytest.mark.parametrize("use", USES)
def test_a_closed_assistant_says_that_it_is_closed(
    assistant: qa.Assistant, tmp_path: Path, use: str
) -> None:
    assistant.ask(QUESTION)
    before = sorted((tmp_path / "index").rglob("*"))
    assistant.close()
    assistant.close()
    with pytest.raises(qa.ClosedError, match="closed") as raised:
        USES[use](assistant)
    assert isinstance(raised.value, ValueError)  # as of a file
    assert raised.value.hint
    assert len(sorted((tmp_path / "index").rglob("*"))) <= len(before)


def test_a_temporary_index_is_gone_after_the_end_and_not_made_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with qa.Assistant(documents=[("a", "Neil Armstrong.")], cache=cache) as one:
        one.ask(QUESTION)
        assert list(tmp_path.glob("qa-*"))
    with pytest.raises(qa.ClosedError):
        one.ask(QUESTION)
    assert not list(tmp_path.glob("qa-*"))


def test_an_end_in_the_middle_of_questions_is_an_answer_or_that_error(cache: Path) -> None:
    for _ in range(5):
        one = qa.Assistant(documents=[("a", "Neil Armstrong was there.")], cache=cache)
        one.ask(QUESTION)
        came: list[object] = []
        begun = threading.Barrier(5)

        def asking(one: qa.Assistant, came: list[object], begun: threading.Barrier) -> None:
            begun.wait()
            try:
                while True:
                    came.append(one.ask(QUESTION))
            except BaseException as error:  # noqa: BLE001 - looked at below
                came.append(error)

        threads = [threading.Thread(target=asking, args=(one, came, begun)) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        one.close()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert {type(what) for what in came} <= {qa.Answer, qa.ClosedError}
        assert sum(isinstance(what, qa.ClosedError) for what in came) == 4


# --- many at once -----------------------------------------------------------------------


@pytest.mark.parametrize("refresh", [True, False])
def test_many_can_be_awaited_at_once(assistant: qa.Assistant, *, refresh: bool) -> None:
    async def twenty() -> list[qa.Answer]:
        asked = (
            assistant.ask_async(f"{QUESTION} {n}", k=1 + n % 3, refresh=refresh) for n in range(20)
        )
        return await asyncio.gather(*asked)

    assistant.refresh()

    for number, answer in enumerate(asyncio.run(twenty())):
        assert answer.question == f"{QUESTION} {number}"
        assert answer.passages[0].citation.document == "moon.md"
        alone = assistant.ask(answer.question, k=1 + number % 3)
        assert [one.citation for one in answer.passages] == [one.citation for one in alone.passages]


def test_one_of_many_that_fails_fails_alone(assistant: qa.Assistant) -> None:
    async def three() -> list[qa.Answer | BaseException]:
        within = ("", "nowhere/", "")
        asked = (assistant.ask_async(QUESTION, refresh=False, within=one) for one in within)
        return await asyncio.gather(*asked, return_exceptions=True)

    assistant.refresh()
    first, second, third = asyncio.run(three())
    assert isinstance(second, qa.QuestionError)
    assert isinstance(first, qa.Answer)
    assert isinstance(third, qa.Answer)
    assert [one.citation for one in first.passages] == [one.citation for one in third.passages]


def test_what_is_awaited_when_an_assistant_is_closed_is_answered_or_refused(
    assistant: qa.Assistant,
) -> None:
    async def asked() -> list[qa.Answer | BaseException]:
        many = [assistant.ask_async(f"{QUESTION} {n}", refresh=False) for n in range(40)]
        tasks = [asyncio.create_task(one) for one in many]
        await tasks[0]
        await asyncio.to_thread(assistant.close)
        return await asyncio.gather(*tasks, return_exceptions=True)

    assistant.refresh()
    came = asyncio.run(asked())
    assert {type(what) for what in came} <= {qa.Answer, qa.ClosedError}
    assert isinstance(came[0], qa.Answer)
    with pytest.raises(qa.ClosedError):
        asyncio.run(assistant.ask_async(QUESTION, refresh=False))


def test_what_is_cancelled_before_its_turn_is_not_asked(
    assistant: qa.Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qa.answering.asking import Asking

    begun, held, seen, usual = threading.Event(), threading.Event(), [], Asking.answer

    def slow(self: Asking, request: Any, **more: Any) -> qa.Answer:
        seen.append(request.question)
        begun.set()
        held.wait(60)
        return usual(self, request, **more)

    async def cancelled() -> qa.Answer:
        first = asyncio.create_task(assistant.ask_async("Who?", refresh=False))
        await asyncio.to_thread(begun.wait, 60)
        others = [
            asyncio.create_task(assistant.ask_async(f"What {n}?", refresh=False)) for n in range(40)
        ]
        await asyncio.sleep(0)
        for one in others[20:]:
            one.cancel()
        await asyncio.gather(*others[20:], return_exceptions=True)
        held.set()
        await asyncio.gather(*others[:20])
        return await first

    assistant.refresh()
    monkeypatch.setattr(Asking, "answer", slow)
    assert asyncio.run(cancelled()).question == "Who?"
    assert seen == ["Who?", *(f"What {n}?" for n in range(20))]


def test_what_an_awaited_question_raises_comes_through(
    assistant: qa.Assistant, corpus: Path
) -> None:
    with pytest.raises(qa.QuestionError):
        asyncio.run(assistant.ask_async(""))
    with pytest.raises(qa.IndexMissingError):
        asyncio.run(assistant.ask_async(QUESTION, refresh=False))
    with pytest.raises(TypeError, match="refrsh"):
        asyncio.run(assistant.ask_async(QUESTION, refrsh=False))  # type: ignore[call-arg]
    assistant.close()
    with pytest.raises(qa.ClosedError):
        asyncio.run(assistant.ask_async(QUESTION))


def test_a_question_that_is_cancelled_leaves_the_others_alone(assistant: qa.Assistant) -> None:
    async def cancelled() -> tuple[bool, qa.Answer]:
        first = asyncio.create_task(assistant.ask_async(QUESTION))
        second = asyncio.create_task(assistant.ask_async(QUESTION))
        await asyncio.sleep(0.01)
        first.cancel()
        answer = await second
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(assistant.ask_async(QUESTION), timeout=0)
        return first.cancelled(), answer

    was_cancelled, answer = asyncio.run(cancelled())
    assert was_cancelled
    assert answer.answered
    assert assistant.ask(QUESTION).answered


def test_a_closed_assistant_lets_go_of_its_model_at_once(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    gc.disable()  # what garbage collection alone would free takes hundreds of megabytes meanwhile
    try:
        with qa.Assistant(corpus, tmp_path / "index", cache=cache) as assistant:
            assistant.ask(QUESTION)
            loaded = weakref.ref(assistant._models.loaded)
            assert loaded() is not None
        assert loaded() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_is_heard_after_assistants_were_closed_in_the_order_in_which_they_came(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    """OpenVINO gives its thread a stack for signals, and takes it away again."""
    program = (
        "import os, signal, qa\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('heard', flush=True))\n"
        f"open_ = lambda n: qa.Assistant({str(corpus)!r}, f'index-{{n}}', cache={str(cache)!r})\n"
        "first, second = open_(1), open_(2)\n"
        "first.refresh(); second.refresh()\n"
        "first.close(); second.close()\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, b"heard\n"), done.stderr
