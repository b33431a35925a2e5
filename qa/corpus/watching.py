"""A watch over the corpus's folders: of two scans, the second looks only into those that changed.

Linux tells of all that was changed before it is asked (inotify), and where it lost count. Whatever
it might not tell of ends the watch, and then everything is looked at.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qa.corpus.walking import IGNORE_FILES, Folder, Listing, Look, Scan, is_below, why
from qa.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inotify_simple import INotify

__all__ = ["Watch"]

# File systems of this machine alone: of the others' changes some are made where Linux can't see.
_LOCAL = frozenset(
    "bcachefs btrfs exfat ext2 ext3 ext4 f2fs jfs ntfs3 overlay tmpfs vfat xfs zfs".split()
)
_MOUNTS = Path("/proc/self/mountinfo")
# Where these are out, trying again at each scan would cost as much as what it is to save.
_USED_UP = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class _Walk(Protocol):
    def __call__(self, *, looking: Callable[[Look], Look]) -> Scan: ...


class Watch:
    """Scans one folder again and again; what it gives is to be read only."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        """Take whom to tell, in a sentence, why a corpus can't be watched.

        Raises:
            SettingsError: this system has no inotify, or the library for it is missing.
        """
        if sys.platform != "linux":
            raise SettingsError(
                'fresh is "watch", which only Linux can do',
                hint="Leave it out; max_age spares looks at the corpus.",
            )
        if find_spec("inotify_simple") is None:
            raise MissingExtraError('fresh="watch"', "watch")
        self._notify = notify
        self._told: set[str] = set()
        self._in_use = threading.Lock()
        self._is_first = True
        self._is_used_up = False
        self._queue: INotify | None = None
        self._surroundings: object = None
        self._folders: dict[int, str] = {}  # their paths, by the number of the watch
        self._listings: dict[str, Listing] = {}  # by the path of the folder
        self._scan: Scan | None = None  # the last, where it is one to go on from

    def scan(self, root: str, walk: _Walk) -> Scan:
        """What `walk` gives; it is called where something has changed.

        Args:
            root: the folder.
            walk: walks over it with the `looking` given to it (see `qa.corpus.walking.walk`).
        """
        with self._in_use:
            if self._is_first or self._is_used_up:
                self._is_first = False  # a process that looks once has no use for a watch
                return walk(looking=_looking_always)
            known, self._scan = self._scan, None  # whatever raises on the way, it is begun again
            surroundings = _surroundings(root)
            if known is None or surroundings != self._surroundings or not self._forget_changed():
                self._begin(root, surroundings)
            elif len(self._listings) == len(self._folders):
                self._scan = known
                return known
            is_from_before = bool(self._listings)
            found = walk(looking=self._looking)
            if self._queue is not None:
                self._scan = found
                return found
            self._end()  # it turned out that it can't be watched, so what was kept may be old
            return walk(looking=_looking_always) if is_from_before else found

    def told(self, root: str, seconds: float) -> int | None:
        """How much was told of since the last scan, in bytes; if nothing, wait for it.

        Args:
            root: the folder.
            seconds: to wait at most.

        Returns:
            0 where nothing has changed; None, at once, where a change might not be told of.
        """
        from fcntl import ioctl
        from select import select
        from termios import FIONREAD

        with self._in_use:
            if self._scan is None or self._queue is None:
                return None
            if _surroundings(root) != self._surroundings:
                return None
            queue = os.dup(self._queue.fileno())  # another thread may end the watch meanwhile
        try:
            if not select([queue], [], [], seconds)[0]:
                return 0
            return int.from_bytes(ioctl(queue, FIONREAD, bytes(4)), sys.byteorder)
        finally:
            os.close(queue)

    def close(self) -> None:
        """Stop watching; a scan begins to watch again."""
        with self._in_use:
            self._scan = None
            self._end()

    def _looking(self, look: Look) -> Look:
        def look_once(folder: Folder) -> Listing:
            listing = self._listings.get(folder.path)
            if listing is None:
                self._watch(folder.path)  # first: what changes from now on is told of
                listing = self._listings[folder.path] = look(folder)
                if listing.has_links:
                    self._distrust("a file or folder in it has a second name (a link)")
            return listing

        return look_once

    def _watch(self, folder: str) -> None:
        from inotify_simple import flags

        if self._queue is None:
            return
        told = (
            *(flags.CREATE, flags.DELETE, flags.MOVED_FROM, flags.MOVED_TO, flags.MODIFY),
            *(flags.CLOSE_WRITE, flags.ATTRIB, flags.DELETE_SELF, flags.MOVE_SELF),
        )
        try:
            number = self._queue.add_watch(folder, sum(told) | flags.ONLYDIR)
        except (OSError, ValueError) as error:
            self._fail(error)
        else:
            self._folders[number] = folder

    def _forget_changed(self) -> bool:
        """Forget the listings of folders in which something changed; false where that isn't all."""
        from inotify_simple import flags

        if self._queue is None:
            return False
        ends = (
            flags.Q_OVERFLOW | flags.UNMOUNT | flags.IGNORED | flags.DELETE_SELF | flags.MOVE_SELF
        )
        for event in self._queue.read(timeout=0):
            is_folder = event.mask & flags.ISDIR and not event.mask & flags.CREATE
            if event.mask & ends or is_folder or event.name in IGNORE_FILES:
                return False
            self._listings.pop(self._folders[event.wd], None)
        return True

    def _begin(self, root: str, surroundings: object) -> None:
        from inotify_simple import INotify

        self._end()
        self._surroundings = surroundings
        try:
            if against := _against(os.path.realpath(root)):
                self._distrust(against)
            else:
                self._queue = INotify(nonblocking=True)
        except OSError as error:
            self._fail(error)

    def _end(self) -> None:
        if self._queue is not None:
            self._queue.close()
        self._queue = None
        self._folders = {}
        self._listings = {}

    def _fail(self, error: Exception) -> None:
        self._is_used_up = getattr(error, "errno", None) in _USED_UP
        limits = " (see fs.inotify in `sysctl`)" if self._is_used_up else ""
        is_passing = isinstance(error, FileNotFoundError)  # a folder was removed a moment ago
        self._distrust("" if is_passing else f"{why(error)}{limits}")

    def _distrust(self, reason: str) -> None:
        """End the watch with this scan, and tell why, once, where there is a reason to tell."""
        if self._queue is not None:
            self._queue.close()
        self._queue = None
        if reason and reason not in self._told:
            self._told.add(reason)
            self._notify(
                f"The corpus can't be watched: {reason}. All its files are looked at each time."
            )


def _looking_always(look: Look) -> Look:
    return look


def _surroundings(root: str) -> object:
    """What a watch depends on and isn't told of: the process, the folder, and what is mounted."""
    try:
        status = os.stat(root)  # noqa: PTH116 - a Path is slow
        return os.getpid(), status.st_dev, status.st_ino, _mounts()
    except OSError:
        return None


def _mounts() -> str:
    return _MOUNTS.read_text("utf-8", "surrogateescape")


def _against(root: str) -> str:
    """Why changes below a folder, a path without links, might not be told of; "" where they are."""
    kind, longest = "", ""
    for line in _mounts().splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split()[4])
        if is_below(point, root) and point != root:
            return f"something is mounted at {point}"
        if is_below(root, point) and len(point) >= len(longest):
            kind, longest = after.split()[0], point
    return "" if kind in _LOCAL else f"it lies on a file system of another kind ({kind})"
