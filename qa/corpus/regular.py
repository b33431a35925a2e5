"""Reading a file that must be one: never a pipe that nobody writes to, never without end."""

from __future__ import annotations

import errno
import os
import stat

__all__ = ["read_regular"]

# A pipe put in the file's place after it was looked at would be waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_regular(path: str, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes, links followed.

    Raises:
        OSError: it is gone, can't be opened, is not a regular file, or is larger (EFBIG).
        ValueError: there can be no such path.
    """
    _check(os.stat(path), limit)  # noqa: PTH116 - opening a device may act on it
    handle = os.open(path, _FLAGS)
    try:
        status = os.fstat(handle)
        _check(status, limit)
        with open(handle, "rb", closefd=False) as stream:
            raw = stream.read(status.st_size + 1)
            if len(raw) > status.st_size:  # it grows, or tells no size, as in /proc
                raw += stream.read(limit + 1 - len(raw))
    finally:
        os.close(handle)
    if len(raw) > limit:
        raise _too_large(limit)
    return raw


def _check(status: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if status.st_size > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> OSError:
    return OSError(errno.EFBIG, f"it is larger than {limit:,} bytes")
