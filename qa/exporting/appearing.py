"""Files that are there whole or not at all, and what is written to in their place."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from qa.errors import QaError, StorageError
from qa.unfinished import dropped_if_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["appearing"]


@contextmanager
def appearing(name: str) -> Iterator[BinaryIO]:
    """A stream that becomes the file `name` once all is written; "-" is stdout.

    Until then it lies beside, and goes where this is left by an error or a signal. What is no
    ordinary file, such as a pipe, is written to as it is.

    Raises:
        StorageError: it can't be written.
    """
    if name == "-":
        with _to_stdout() as stream:
            yield stream
        return
    try:
        path = Path(os.path.realpath(name))  # a link stays a link
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                yield stream
            return
        handle, made = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        beside = Path(made)
        try:
            with (
                dropped_if_stopped(lambda: beside.unlink(missing_ok=True)),
                os.fdopen(handle, "wb") as stream,
            ):
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            beside.chmod(_mode(path))
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except QaError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"{name} can't be written: {why}", hint="Name another file.") from error


def _mode(path: Path) -> int:
    """The rights of the file that is replaced, or else those that a new file gets."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def _to_stdout() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise StorageError("There is no stdout", hint="Name a file.")
    sys.stdout.flush()
    stream = cast("BinaryIO", sys.stdout.buffer)
    try:
        yield stream
        stream.flush()
    except BrokenPipeError:  # the reader has gone (`qa export - | head -1`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
