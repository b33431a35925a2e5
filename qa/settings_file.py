"""The settings file: found upwards from the working directory, read once, and what it asks for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Check = Callable[[str, object, str], object]

__all__ = ["SettingsFile", "find_settings_file", "read_settings_file", "wishes"]

NAME = "qa.toml"
_LARGEST = 64 * 1024  # bytes
_REPOSITORY = ".git"
_ROOT = 0  # the user id of who may do everything anyway
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_CORPUS = "corpus"  # the folder that is taken where none is named
_MODEL = "all-MiniLM-L6-v2"  # comes with the program
_MODELS = ("model", "rerank")
_PATHS = ("corpus", "index", *_MODELS, "cache")
# What a file may always set: it costs time or room at most. Whatever is new has to be allowed.
_HARMLESS = {
    "query_prompt",
    "passage_prompt",
    "truncate_dim",
    "max_tokens",
    "k",
    "threshold",
    "max_file_size",
    "device",
    "jobs",
    "lock_timeout",
    "max_age",
    "fresh",
}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a settings file says.

    Attributes:
        path: absolute; links are not followed.
        raw: its bytes.
        values: the settings, paths as they are written.
        corpora: the corpora that it names: `corpus` and, if named, `index` of each.
        is_others: whether it, or the link in its place, belongs to neither this user nor root.
    """

    path: Path
    raw: bytes
    values: Mapping[str, Any]
    corpora: Mapping[str, Mapping[str, str]]
    is_others: bool

    def resolved(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """The values and the corpora, with relative paths below the file's folder.

        The usual corpus has its index beside it, as it has in the working directory.
        """
        base = self.path.parent
        values = _resolved(self.values, base)
        if self.values.get("corpus") in self.corpora:
            values["corpus"] = self.values["corpus"]
        return values, {name: _resolved(one, base) for name, one in self.corpora.items()}


def find_settings_file(start: Path | None = None) -> Path | None:
    """The nearest qa.toml in a folder or above it; None where there is none.

    Folders are looked into up to the user's home directory or the top of a repository, whichever
    comes first. Below neither of them, the folder alone is: above it could be anybody's.

    Args:
        start: the folder; by default the working directory.
    """
    try:
        folder = Path(os.path.abspath(start or Path()))  # noqa: PTH100 - links are kept as they are
    except OSError:  # the working directory has gone
        return None
    home = Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111 - there may be none
    own = folder / NAME
    if os.path.lexists(own):
        return own
    above = []
    for at in (folder, *folder.parents[:-1]):
        above.append(at / NAME)
        if at == home or os.path.lexists(at / _REPOSITORY):
            return next(filter(os.path.lexists, above), None)
    return None


def read_settings_file(path: Path, check: Check) -> SettingsFile:
    """Read a settings file of at most 64 KB.

    Args:
        path: absolute.
        check: raises a SettingsError for a key and a value that make no setting; its third
            argument is where they stand.

    Raises:
        SettingsError: it can't be read, is not TOML in UTF-8, or holds what is not a setting.
    """
    import tomllib

    from qa.corpus.regular import read_regular

    def refusal(why: str, line: int = 0) -> SettingsError:
        at = f"{path}, line {line}," if line else str(path)
        return SettingsError(f"{at} can't be read: {why}", hint="Fix or remove it.")

    try:
        is_others = _is_others(path)
        raw = read_regular(str(path), _LARGEST)
    except OSError as error:
        raise refusal(error.strerror or str(error)) from error
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise refusal("it is not UTF-8", raw.count(b"\n", 0, error.start) + 1) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why, _, where = str(error).rpartition(" (at ")
        line = re.match(r"line (\d+)", where)
        end = text.rstrip("\n").count("\n") + 1
        raise refusal(why or str(error), int(line[1]) if line else end) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, nesting
        raise refusal("a number is too long, or it is nested too deeply") from error
    corpora = values.pop("corpora", {})
    for key, value in values.items():
        check(key, value, f"{path}{_line(text, key)}: ")
    _check_corpora(corpora, path, check)
    return SettingsFile(path, raw, values, corpora, is_others)


def _line(text: str, key: str) -> str:
    """On which line a key outside of all tables is set, if that can be told."""
    above = _TABLE.split(text, maxsplit=1)[0]
    found = re.search(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=", above, re.MULTILINE)
    return f", line {above.count(chr(10), 0, found.start()) + 1}" if found else ""


def _check_corpora(corpora: object, path: Path, check: Check) -> None:
    if not isinstance(corpora, dict) or not all(isinstance(one, dict) for one in corpora.values()):
        raise SettingsError(
            f"{path}: corpora is not a table of tables",
            hint='Write it like this: [corpora.notes], and below it corpus = "~/notes".',
        )
    for name, table in corpora.items():
        where = f"{path}, [corpora.{name}]: "
        if not re.fullmatch(r"\w[\w.+ -]*", name):
            raise SettingsError(
                f"{where}a name has letters, digits, and - or . between them",
                hint="Give it a name such as notes: it must not be taken for a path.",
            )
        if unknown := table.keys() - {"corpus", "index"}:
            raise SettingsError(
                f"{where}unknown setting {min(unknown)!r}", hint="It takes corpus and index."
            )
        if "corpus" not in table:
            raise SettingsError(
                f"{where}it names no corpus", hint='Add a line such as corpus = "~/notes".'
            )
        for key, value in table.items():
            check(key, value, where)


def _is_others(path: Path) -> bool:
    if not hasattr(os, "geteuid"):
        return False
    ours = {os.geteuid(), _ROOT}
    return not {path.stat().st_uid, path.lstat().st_uid} <= ours


# --- what it names ----------------------------------------------------------------------


def _resolved(table: Mapping[str, Any], base: Path) -> dict[str, Any]:
    values = dict(table)
    if values.get("corpus") == _CORPUS and values.get("store", "local") == "local":
        values.setdefault("index", "index")
    for key in _PATHS:
        value = values.get(key)
        if value and _is_path(key, value, base):
            values[key] = str(base / os.path.expanduser(value))  # noqa: PTH111
    return values


def _is_path(key: str, value: str, base: Path) -> bool:
    """Whether a value is meant as a path, rather than as the name of a model."""
    if key not in _MODELS or value.startswith((".", "~")) or Path(value).is_absolute():
        return True
    return value != _MODEL and os.path.isdir(base / value)  # noqa: PTH112 - never raises


def wishes(file: SettingsFile) -> tuple[str, ...]:
    """What a settings file asks for that a person has to allow, in words, with links followed.

    That is: all of a file that belongs to somebody else; paths that lead out of its folder; models
    by their names on a hub; any cache, as what lies in one is believed; and what starts a program.

    Raises:
        SettingsError: what should be a path can't be one.
    """
    asked = []
    if file.is_others:
        keys = [*file.values, *(f"corpora.{name}" for name in file.corpora)]
        asked = [f"to be read, though it is another user's (it sets {', '.join(keys)})"]
    own = dict(file.values)
    if own.get("corpus") in file.corpora:
        del own["corpus"]
    asked += _wished(own, file.path, "")
    for name, table in file.corpora.items():
        asked += _wished(table, file.path, f"corpora.{name}.")
    return tuple(asked)


def _wished(table: Mapping[str, Any], path: Path, within: str) -> Iterator[str]:
    base = os.path.realpath(path.parent)
    for key, value in table.items():
        if key in _HARMLESS or value is False:
            continue
        if key not in _PATHS:
            yield f"{within}{key} = {value}"
        elif not _is_path(key, value, path.parent):
            if value != _MODEL:
                yield f"{within}{key} = {value} (of a hub)"
        else:
            try:
                place = os.path.realpath(path.parent / os.path.expanduser(value))  # noqa: PTH111
            except (OSError, ValueError) as error:  # a NUL in it
                raise SettingsError(
                    f"{path}: {within}{key} is {value!r:.80}, which can't be a path",
                    hint="Fix or remove it.",
                ) from error
            if key == "cache" or not Path(place).is_relative_to(base):
                yield f"{within}{key} = {place}"
