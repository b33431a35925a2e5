"""What a process does to a folder, traced; and every state in which that could break off.

A kill leaves what was written so far. A loss of power leaves, of what was not synced, any part:
here all names but no content, all content but no names, nothing, or a random part of both.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Call", "State", "states", "trace", "write_state"]

STRACE = shutil.which("strace")
_CALLS = (
    "open openat creat write pwrite64 fsync fdatasync rename renameat renameat2 unlink unlinkat"
    " mkdir mkdirat rmdir ftruncate link linkat lseek"
).split()
# Traced only so that a trace that holds one is refused: the replay does not know it.
_UNKNOWN = {"writev", "pwritev", "sendfile", "copy_file_range", "truncate", "fallocate"}
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (\d+)(?:<.*>)?")
_DESCRIPTOR = re.compile(r"(\d+|AT_FDCWD)<(.*)>")
_BEGUN = re.compile(r"(\d+) +(\w+\(.*?),? +<unfinished \.\.\.>")
_ENDED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>,? ?(.*)")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded; `path` is of the descriptor that is its first argument."""

    name: str
    path: str
    arguments: tuple[bytes, ...]
    result: int

    def number(self, position: int) -> int:
        """Give an argument that is a number."""
        return int(self.arguments[position])


def trace(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> list[Call]:
    """Run a command under strace; gives its calls that change files, in order of their end."""
    assert STRACE is not None
    names = ",".join([*_CALLS, *_UNKNOWN])
    subprocess.run(
        [
            STRACE,
            "-f",
            "-z",
            "-y",
            "-xx",
            "-s",
            "100000000",
            "-e",
            f"trace={names}",
            "-o",
            log,
            *command,
        ],
        env=dict(environment),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return list(_parse(log.read_text("ascii").splitlines()))


def _parse(lines: list[str]) -> Iterator[Call]:
    begun: dict[str, str] = {}
    last = ""
    for line in lines:
        if (match := _BEGUN.fullmatch(line)) is not None:
            last = match[1]
            begun[last] = match[2]
            continue
        whole = line
        if line.startswith(")"):  # strace was interrupted by the end of a thread, and says no more
            whole = f"{last} {begun.pop(last)}{line}"
        elif (match := _ENDED.fullmatch(line)) is not None:
            start = begun.pop(match[1])
            comma = "" if match[2].startswith(")") or start.endswith("(") else ", "
            whole = f"{match[1]} {start}{comma}{match[2]}"
        if (match := _LINE.match(whole)) is not None:
            texts = match[3].split(", ")
            first = _DESCRIPTOR.fullmatch(texts[0])
            arguments = tuple(_argument(one) for one in texts)
            yield Call(match[2], _path(first[2]) if first else "", arguments, int(match[4]))


def _argument(text: str) -> bytes:
    if text.startswith('"'):
        return bytes.fromhex(text.strip('"').replace("\\x", ""))
    return text.partition("<")[0].encode("ascii")


def _path(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode("utf-8", "surrogateescape")


# --- replay ---------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class _File:
    content: bytearray
    synced: bytes
    log: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut to this size


@dataclass(eq=False, slots=True)
class _Folder:
    names: dict[str, _File | _Folder]
    synced: dict[str, _File | _Folder]
    log: list[dict[str, _File | _Folder | None]] = field(default_factory=list)  # None: removed


State = dict[str, bytes | None]  # content by path below the folder; None is a folder


class _Disk:
    """The folder as the calls change it, and what of that is synced."""

    def __init__(self, folder: Path, before: Path) -> None:
        self._root = os.fspath(folder)
        self.top = _read(before)
        self._offsets: dict[int, int] = {}

    def apply(self, call: Call) -> bool:
        """Take a call; tells whether it changed, or synced, anything in the folder."""
        name = call.name
        if name in {"open", "openat", "creat"}:
            return self._opens(call)
        if name in {"rename", "renameat", "renameat2", "link", "linkat"}:
            return self._moves(call)
        if name in {"unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"}:
            path = self._path(call, 1 if name.endswith("at") else 0)
            if path is None:
                return False
            made = _Folder({}, {}) if name.startswith("mkdir") else None
            self._change(path, made)
            return True
        return self._on_descriptor(call)

    def _on_descriptor(self, call: Call) -> bool:
        # A descriptor's number may be another file's by now: threads come in any order.
        path = self._below(call.path)
        node = None if path is None else self._find(path)
        if node is None:  # elsewhere, or deleted
            return False
        number = call.number(0)
        if call.name == "lseek":
            self._offsets[number] = call.result
            return False
        if call.name in {"fsync", "fdatasync"}:
            if isinstance(node, _File):
                node.synced = bytes(node.content)
            else:
                node.synced = dict(node.names)
            node.log.clear()
            return True
        assert isinstance(node, _File)
        assert call.name not in _UNKNOWN, call.name
        if call.name == "ftruncate":
            _write(node, call.number(1), None)
            return True
        data = call.arguments[1][: call.result]
        if call.name == "pwrite64":
            at = call.number(3)
        else:
            at = self._offsets[number]
            self._offsets[number] += len(data)
        _write(node, at, data)
        return True

    def _opens(self, call: Call) -> bool:
        first = 1 if call.name == "openat" else 0
        path = self._path(call, first)
        if path is None:
            return False
        node = self._find(path)
        flags = call.arguments[first + 1] if len(call.arguments) > first + 1 else b""
        changed = False
        if node is None:
            assert b"O_CREAT" in flags, path
            node = _File(bytearray(), b"")
            self._change(path, node)
            changed = True
        if b"O_TRUNC" in flags and isinstance(node, _File) and node.content:
            _write(node, 0, None)
            changed = True
        appends = b"O_APPEND" in flags
        self._offsets[call.result] = len(node.content) if appends and isinstance(node, _File) else 0
        return changed

    def _moves(self, call: Call) -> bool:
        apart = call.name.endswith(("at", "at2"))
        old = self._path(call, 1 if apart else 0)
        new = self._path(call, 3 if apart else 1)
        if old is None or new is None:
            assert old is new, call
            return False
        node = self._find(old)
        assert node is not None
        moved = not call.name.startswith("link")
        if moved and old.rpartition("/")[0] == new.rpartition("/")[0]:
            self._change(new, node, also={old.rpartition("/")[2]: None})  # at once
        else:
            self._change(new, node)
            if moved:
                self._change(old, None)
        return True

    def _path(self, call: Call, position: int) -> str | None:
        """Give the path below the folder, "" for itself; None where it is elsewhere."""
        path = call.arguments[position].decode("utf-8", "surrogateescape")
        if position and not path.startswith("/"):
            path = f"{call.path}/{path}"
        return self._below(path)

    def _below(self, path: str) -> str | None:
        if path == self._root or path.startswith(f"{self._root}/"):
            return path[len(self._root) + 1 :]
        return None

    def _find(self, path: str) -> _File | _Folder | None:
        node: _File | _Folder | None = self.top
        for part in path.split("/") if path else ():
            node = node.names.get(part) if isinstance(node, _Folder) else None
        return node

    def _change(
        self,
        path: str,
        node: _File | _Folder | None,
        *,
        also: Mapping[str, _File | _Folder | None] | None = None,
    ) -> None:
        above, _, name = path.rpartition("/")
        folder = self._find(above)
        assert isinstance(folder, _Folder)
        change = {name: node, **(also or {})}
        _apply_names(folder.names, change)
        folder.log.append(change)

    def left(self, part: Callable[[_File | _Folder], Sequence[object]]) -> State:
        """Give what is there if of each file's or folder's unsynced changes `part` survives."""
        found: State = {}
        self._gather(self.top, "", part, found)
        return found

    def _gather(
        self,
        folder: _Folder,
        prefix: str,
        part: Callable[[_File | _Folder], Sequence[object]],
        found: State,
    ) -> None:
        names = dict(folder.synced)
        for change in part(folder):
            assert isinstance(change, dict)
            _apply_names(names, change)
        for name, node in names.items():
            if isinstance(node, _Folder):
                found[prefix + name] = None
                self._gather(node, f"{prefix}{name}/", part, found)
            elif not name.endswith("-shm"):  # mapped, not written; made anew after any crash
                content = bytearray(node.synced)
                for change in part(node):
                    assert isinstance(change, tuple)
                    _apply_content(content, *change)
                found[prefix + name] = bytes(content)


def _read(folder: Path) -> _Folder:
    names: dict[str, _File | _Folder] = {}
    for path in folder.iterdir():
        if path.is_dir():
            names[path.name] = _read(path)
        else:
            names[path.name] = _File(bytearray(path.read_bytes()), path.read_bytes())
    return _Folder(names, dict(names))


def _write(file: _File, at: int, data: bytes | None) -> None:
    _apply_content(file.content, at, data)
    file.log.append((at, data))


def _apply_content(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
    else:
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(data)] = data


def _apply_names(
    names: dict[str, _File | _Folder], change: Mapping[str, _File | _Folder | None]
) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def states(
    folder: Path,
    before: Path,
    calls: Sequence[Call],
    *,
    power: bool,
    chances: int,
    seed: int,
) -> Iterator[tuple[str, bool, State]]:
    """Replay calls over the folder as it was; gives each state that differs from all before.

    Args:
        folder: where the calls were made.
        before: a copy of it as it was then.
        calls: traced.
        power: whether power goes, before each sync and at the end; otherwise the process is
            killed after each call.
        chances: how many random parts of what is not synced survive, where power goes.
        seed: of chance.

    Yields:
        Where it broke off; whether the process had told that it was done; the state.
    """
    disk = _Disk(folder, before)
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    seen: set[bytes] = set()
    told = False
    parts: dict[str, Callable[[_File | _Folder], Sequence[object]]] = {
        "all": lambda node: node.log,
        "nothing": lambda _: (),
        "names": lambda node: node.log if isinstance(node, _Folder) else (),
        "content": lambda node: node.log if isinstance(node, _File) else (),
    }
    for number in range(chances):
        parts[f"chance {number}"] = lambda node: _some(node, chance)
    if not power:
        parts = {"all": parts["all"]}
    for number, call in enumerate([*calls, None]):
        cut = call is None or not power or call.name in {"fsync", "fdatasync"}
        changed = not power and call is not None and disk.apply(call)
        if cut and (changed or power):
            for name, part in parts.items():
                state = disk.left(part)
                digest = _digest(state)
                if digest not in seen:
                    seen.add(digest)
                    yield f"call {number} ({call.name if call else 'end'}), {name}", told, state
        if power and call is not None:
            disk.apply(call)
        told = told or (
            call is not None and call.name == "write" and call.arguments[1] == b"done\n"
        )


def _digest(state: State) -> bytes:
    """Give what tells states apart: they are too large to be kept."""
    found = hashlib.sha256()
    for name, content in sorted(state.items()):
        size = -1 if content is None else len(content)
        found.update(f"{name}\0{size}\0".encode())
        found.update(content or b"")
    return found.digest()


def _some(node: _File | _Folder, chance: random.Random) -> Sequence[object]:
    """Names survive in order, up to some moment; writes in any choice."""
    if isinstance(node, _Folder):
        return node.log[: chance.randint(0, len(node.log))]
    return [change for change in node.log if chance.random() < 0.5]


def write_state(folder: Path, state: State) -> None:
    """Make the folder be in that state."""
    while folder.exists():  # a thread of tantivy may put a lock there just now
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in sorted(state.items()):
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)


def inject(
    command: Sequence[str | Path],
    *,
    call: str,
    error: str,
    number: int,
    below: Path,
    environment: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    """Run a command whose `number`-th system call of a kind, on the index in `below`, fails."""
    assert STRACE is not None
    paths = [below, *below.rglob("*"), below / "catalog.sqlite-wal"]
    only = [part for path in paths for part in ("-P", path)]
    fault = f"inject={call}:error={error}:when={number}"
    return subprocess.run(
        [STRACE, "-f", "-o", "/dev/null", *only, "-e", f"trace={call}", "-e", fault, *command],
        env=dict(environment),
        check=False,
        capture_output=True,
        text=True,
    )
