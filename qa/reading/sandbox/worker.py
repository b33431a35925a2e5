"""The process that reads converted formats: a parser that crashes, hangs or balloons ends here.

Run by `client` as `python -m qa.reading.sandbox.worker`. A request on standard input is a line of
JSON (`format`, `size`, `seconds` of the processor that are left; `page` where one is to be drawn
instead) and so many bytes; the reply on standard output is a line of JSON (`size`, `seconds` used)
and so many bytes, those of `protocol`.
No pickle: a parser that was taken over can't hand code to its parent.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from qa.reading.extracted import UnreadableError
from qa.reading.formats import CONVERTED
from qa.reading.reasons import NESTED
from qa.reading.sandbox.budget import cpu_seconds
from qa.reading.sandbox.protocol import OUT_OF_MEMORY, pack, pack_unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.reading.extracted import Extracted

__all__ = ["main", "reader_of"]

MEMORY = 2 * 1024**3  # bytes of address space, Python and its libraries included
# What no parser has to do: reach the network, start programs, change files.
_FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn")
_FORBIDDEN_CALLS = frozenset(
    """
    os.system os.startfile os.remove os.rename os.rmdir os.mkdir os.link os.symlink os.truncate
    os.chmod os.chown shutil.rmtree shutil.move shutil.copyfile ftplib.connect smtplib.connect
    urllib.Request http.client.connect webbrowser.open
    """.split()
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main() -> None:
    """Serve requests until standard input ends."""
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up among the replies
    sys.dont_write_bytecode = True
    _limit_memory()
    sys.addaudithook(_refuse)
    while line := requests.readline():
        request = json.loads(line)
        raw = requests.read(request["size"])
        began = time.process_time()
        _limit_time(began + min(request["seconds"], cpu_seconds(len(raw))))
        reply = _reply(request["format"], raw, request.get("page"))
        head = {"size": len(reply), "seconds": time.process_time() - began}
        replies.write(json.dumps(head).encode() + b"\n")
        replies.write(reply)
        replies.flush()


def _reply(kind: str, raw: bytes, page: dict[str, Any] | None) -> bytes:
    try:
        if page is not None:
            from qa.reading.pdf.picture import picture_of

            return pack(picture_of(raw, **page))
        return pack(reader_of(kind)(raw))
    except UnreadableError as error:
        reason = str(error)
    except MemoryError:
        reason = OUT_OF_MEMORY
    except RecursionError:
        reason = NESTED
    except ImportError as error:
        reason = f"its reader could not be loaded ({error.name})"
    except Exception as error:  # noqa: BLE001 - a parser that stumbles costs this file alone
        reason = f"it could not be read as {kind} ({type(error).__name__})"
    return pack_unreadable(reason)


def reader_of(kind: str) -> Callable[[bytes], Extracted]:
    """The reader of a converted format, a key of `formats.CONVERTED`."""
    read: Callable[[bytes], Extracted] = CONVERTED[kind].reader()
    return read


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # a system without it: time is limited all the same, by the parent
        return
    _lower(resource.RLIMIT_AS, MEMORY)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)


def _limit_time(end: float) -> None:
    """Have the process end when it has had so many seconds of the processor."""
    try:
        import resource
    except ImportError:
        return
    _lower(resource.RLIMIT_CPU, math.ceil(end))


def _lower(limit: int, value: int) -> None:
    import resource

    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, hard))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        mode, flags = arguments[1:3]
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        if not writes and not (isinstance(flags, int) and flags & _WRITING):
            return
    elif not event.startswith(_FORBIDDEN) and event not in _FORBIDDEN_CALLS:
        return
    raise PermissionError(f"a reader may not do this: {event}")


if __name__ == "__main__":
    main()
