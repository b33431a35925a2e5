"""Questions that arrive while others are answered: embedded together, then answered one by one.

Threads of their own for each would take the interpreter, and the one catalog, from each other:
more time than they bring (docs/decisions.md).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.answering.many import kept
from qa.encoding.micro_batcher import MAX_TEXTS
from qa.errors import ClosedError
from qa.logs import record_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.answering.asking import Asking
    from qa.answering.request import Request
    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.types import Answer

__all__ = ["Together"]

_WINDOWS = 2  # of questions taken: one is embedded while another is answered


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, and who waits for its answer."""

    request: Request
    answer: Future[Answer] = field(default_factory=Future)
    context: Context = field(default_factory=copy_context)


class Together:
    """Answers requests that wait for no refresh, as they come, from any thread.

    One thread embeds all that have arrived, another answers what is embedded. While it is
    behind, nothing more is taken, so that the next that are embedded are more at once. Whether
    the index lacks something is looked up once a second at most.
    """

    def __init__(self, asking: Asking) -> None:
        """Take what answers one."""
        self._asking = asking
        self._lacking = kept(asking.lacking)
        self._waiting: deque[_Asked] = deque()
        self._room = threading.Semaphore(_WINDOWS)
        self._embedding = ThreadPoolExecutor(1, thread_name_prefix="qa-embed")
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="qa-answer")

    def ask(self, request: Request) -> Future[Answer]:
        """Begin to answer a request; nothing is done for one that is cancelled in time.

        Raises:
            ClosedError: this was closed.
        """
        asked = _Asked(request)
        self._waiting.append(asked)
        try:
            self._embedding.submit(self._embed)
        except RuntimeError as error:
            raise ClosedError(
                "The assistant is closed", hint="Make another `qa.Assistant`."
            ) from error
        return asked.answer

    def close(self) -> None:
        """End, once all that was asked is done."""
        self._embedding.shutdown()
        self._answering.shutdown()

    def _embed(self) -> None:
        """Embed what has arrived: nothing where that was taken with an earlier question."""
        if not self._waiting:
            return
        self._room.acquire()
        taken = [self._waiting.popleft() for _ in range(min(MAX_TEXTS, len(self._waiting)))]
        window = [one for one in taken if one.answer.set_running_or_notify_cancel()]
        try:
            encoder = self._asking.encoder()
            encoded = encoder.encode_questions([one.request.asked[1] for one in window])
        except BaseException as error:  # noqa: BLE001 - each of them learns what happened
            self._room.release()
            for one in window:
                one.answer.set_exception(error)
        else:
            self._answering.submit(self._answer, encoder, window, encoded)

    def _answer(
        self,
        encoder: Encoder[Runtime],
        window: Sequence[_Asked],
        encoded: Sequence[EncodedQuestion],
    ) -> None:
        for one, known in zip(window, encoded, strict=True):
            started = time.perf_counter()
            try:
                answer = one.context.run(
                    self._asking.answer,
                    one.request,
                    lacking=self._lacking,
                    known=(encoder, known),
                )
                record_answer(answer, time.perf_counter() - started)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                one.answer.set_exception(error)
            else:
                one.answer.set_result(answer)
        self._room.release()
