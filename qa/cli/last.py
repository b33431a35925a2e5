"""The last answer, kept for each terminal, so that `qa open 2` and `qa show 2` know what is meant.

Where its results stand is kept, never their text, unless the log may have that too. The file is the
user's own; one that can't be read, or that isn't as this module writes it, counts as none.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TextIO

from qa.errors import CitationError

if TYPE_CHECKING:
    from pathlib import Path

    from qa.types import Answer, CitedPassage

__all__ = [
    "Last",
    "Result",
    "allow_text",
    "chosen",
    "completions",
    "is_number",
    "keep",
    "last",
    "make_private",
    "of",
    "path_of",
    "state_folder",
]

_SCHEMA = "qa.last/1"
_MOST = 200  # results that are kept
_LARGEST = 4 * 1024 * 1024  # bytes of a file that is read
_KEPT_SECONDS = 7 * 24 * 3600  # the last answer of a terminal that may be closed by now
_SHOWN = 60  # characters of evidence beside a completion
_MEANINGFUL = re.compile(r"[^\w ./:#=,+@%-]")  # to some shell
_text_is_allowed = False


@dataclass(frozen=True, slots=True)
class Result:
    """Where a numbered result of an answer stands.

    `citation` is what `qa ask` prints; `line` is that of its evidence, in a file of text, else 0;
    `page` is 0 where there is none; `start` and `end` count characters of the document. `evidence`
    is "" unless text may be kept.
    """

    citation: str
    document: str
    file: str
    format: str
    line: int
    page: int
    start: int
    end: int
    sha256: str
    evidence: str = ""

    @property
    def exact(self) -> str:
        """The place to the character, as `qa show` takes it."""
        return f"{self.document}#char={self.start},{self.end}"

    @property
    def exact_in_file(self) -> str:
        """The same in a corpus of its file alone."""
        folder = self.file.rpartition("/")[0]
        return self.exact.removeprefix(f"{folder}/")


@dataclass(frozen=True, slots=True)
class Last:
    """The results of an answer in the order of their numbers, and the corpus that they are of."""

    corpus: str
    results: tuple[Result, ...]


def allow_text() -> None:
    """Let the evidence be kept from now on, as the log may have it."""
    global _text_is_allowed  # noqa: PLW0603 - one command, one terminal
    _text_is_allowed = True


def keep(answer: Answer) -> None:
    """Keep an answer that is shown on a terminal; a pipe and a failure to write cost nothing."""
    if sys.stdout is None or not sys.stdout.isatty():
        return
    kept = {"schema": _SCHEMA, **asdict(of(answer))}
    with suppress(OSError):
        _replace(_file(sys.stdout), json.dumps(kept).encode())


def of(answer: Answer) -> Last:
    """What is kept of an answer."""
    results = answer.shown[:_MOST]
    return Last(answer.corpus, tuple(map(_result, results)))


def last() -> Last | None:
    """The last answer of this terminal; None where there is none that can be used."""
    stream = next((one for one in (sys.stdout, sys.stdin, sys.stderr) if _is_terminal(one)), None)
    try:
        return _read(_file(stream) if stream is not None else _newest())
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def is_number(place: str) -> bool:
    """Whether a place is named by the number of a result."""
    return place.isascii() and place.isdigit()


def chosen(number: str) -> tuple[Last, Result]:
    """The result of the last answer that a number names, with that answer.

    Raises:
        CitationError: there is no such result.
    """
    found = last()
    if found is None:
        raise CitationError(
            f"There is no last answer in this terminal that {number} could be a result of",
            hint='Ask first (qa ask "Who …?"), or name a place as `qa ask` prints it: path:line.',
        )
    at = int(number[:9])
    if not 1 <= at <= len(found.results):
        many = f"results 1 to {len(found.results)}" if found.results else "no results"
        raise CitationError(
            f"There is no result {number}: the last answer in this terminal has {many}",
            hint=f"A document that is called {number} is named ./{number}.",
        )
    return found, found.results[at - 1]


def path_of(found: Last, result: Result, corpus: str | None = None) -> Path:
    """The file of a result, in the corpus of its answer or in another.

    Raises:
        CitationError: there is none any more.
    """
    from pathlib import Path

    root = Path(corpus or found.corpus).absolute()
    path = (root if root.is_dir() else root.parent) / result.file
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise CitationError(
            f"{path} can't be read: {getattr(error, 'strerror', error)}",
            hint="Was it moved or removed since? Ask again.",
        ) from error
    return path


def completions(incomplete: str) -> list[tuple[str, str]]:
    """What a shell may offer for a place: the last answer's numbers and citations, with help.

    Shells evaluate what they are given: what has signs that mean something to one is left out.
    """
    found = last()
    if found is None:
        return []
    offered: dict[str, str] = {}
    for number, one in enumerate(found.results, 1):
        offered.setdefault(str(number), one.citation)
        offered.setdefault(one.citation, one.evidence[:_SHOWN])
    return [
        (place, _MEANINGFUL.sub(" ", told))
        for place, told in offered.items()
        if place.startswith(incomplete) and not _MEANINGFUL.search(place)
    ]


def state_folder() -> Path:
    """The folder of what the user's commands remember; it need not be there."""
    from platformdirs import user_state_path

    return user_state_path("retrieval-qa")


def make_private(folder: Path) -> None:
    """Make a folder that only the user may look into.

    Raises:
        OSError: it can't be made, or is somebody else's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or not _is_own(found):
        raise PermissionError(folder)
    if found.st_mode & 0o077 and sys.platform != "win32":
        folder.chmod(0o700)


def _is_own(found: os.stat_result) -> bool:
    return sys.platform == "win32" or found.st_uid == os.geteuid()


def _folder() -> Path:
    return state_folder() / "last"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _session() -> int:
    """The number of the session that the terminal's shell leads."""
    return os.getppid() if sys.platform == "win32" else os.getsid(0)


def _file(terminal: TextIO) -> Path:
    return _folder() / f"{_session()}-{os.fstat(terminal.fileno()).st_rdev:x}.json"


def _newest() -> Path:
    """The file of this session, which has one terminal; a shell that completes may hide it."""
    found = _folder().glob(f"{_session()}-*.json")
    return max(found, key=lambda one: one.stat().st_mtime)  # ValueError: there is none


def _result(one: CitedPassage) -> Result:
    cited, evidence = one.citation, one.evidence.citation
    return Result(
        citation=str(cited),
        document=cited.document,
        file=cited.file,
        format=cited.format,
        line=evidence.start_line if cited.encoding else 0,
        page=evidence.page or cited.page or 0,
        start=cited.start,
        end=cited.end,
        sha256=cited.sha256,
        evidence=" ".join(evidence.quote.split()) if _text_is_allowed else "",
    )


def _replace(file: Path, content: bytes) -> None:
    """Write beside a file and rename; with the first one of a terminal, old ones are removed."""
    if not file.exists():
        make_private(file.parent)
        _sweep(file.parent)
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    # O_EXCL follows no link that somebody else may have put there.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        file.unlink(missing_ok=True)  # a file that is renamed over is flushed by ext4: 2 ms
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _sweep(folder: Path) -> None:
    oldest = time.time() - _KEPT_SECONDS
    for one in folder.iterdir():
        with suppress(OSError):
            if one.lstat().st_mtime < oldest:
                one.unlink()


def _read(file: Path) -> Last:
    """Read what `keep` wrote.

    Raises:
        OSError, ValueError, TypeError, KeyError: it is anything else.
    """
    found = file.lstat()
    if not (stat.S_ISREG(found.st_mode) and _is_own(found)) or found.st_size > _LARGEST:
        raise ValueError(file)
    kept = json.loads(file.read_bytes())
    if kept["schema"] != _SCHEMA:
        raise ValueError(kept["schema"])
    return Last(_typed("corpus", kept["corpus"], "str"), tuple(map(_checked, kept["results"])))


def _checked(one: dict[str, Any]) -> Result:
    result = Result(**one)
    for field in fields(Result):
        _typed(field.name, getattr(result, field.name), str(field.type))
    return result


def _typed(name: str, value: Any, kind: str) -> Any:  # noqa: ANN401 - what JSON may hold
    if type(value).__name__ != kind or (kind == "int" and value < 0):
        raise TypeError(name)
    return value
