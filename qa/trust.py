"""Consent: which settings files may reach out of their folder, as the person once allowed.

A qa.toml comes along with whatever is copied, unpacked or cloned. What it asks for that lies
outside of its folder, or that is fetched or believed, is allowed once, for the file as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qa.settings_file import SettingsFile

__all__ = ["VARIABLE", "UntrustedError", "allow", "forget", "is_allowed"]

VARIABLE = "QA_TRUST"
_SHOWN = 5
_LARGEST = 16 * 1024 * 1024  # bytes


class UntrustedError(SettingsError):
    """A settings file asks for what nobody has allowed it: `wishes`, each a sentence's part."""

    def __init__(self, file: SettingsFile, wishes: Iterable[str]) -> None:
        self.file = file
        self.wishes = tuple(wishes)
        shown = [*self.wishes[:_SHOWN], *(["…"] if len(self.wishes) > _SHOWN else [])]
        super().__init__(
            f"{file.path} asks for what needs your consent: {'; '.join(shown)}",
            hint=f"If you trust it, run `qa trust`, or set {VARIABLE}={file.path} in the "
            "environment. If not, remove these settings, or work in another folder.",
        )


def is_allowed(file: SettingsFile, wishes: Iterable[str], variable: str = "") -> bool:
    """Whether a person has allowed a file, as it is now, all that it asks for.

    Args:
        file: the settings file.
        wishes: what it asks for, paths resolved: a link that leads elsewhere by now asks anew.
        variable: the value of QA_TRUST: paths of files that may have anything.
    """
    key = _key(file.path)
    if any(path and _key(Path(path)) == key for path in variable.split(os.pathsep)):
        return True
    known = _read().get(key)
    if not isinstance(known, dict) or known.get("sha256") != _digest(file):
        return False
    allowed = known.get("allows")
    return isinstance(allowed, list) and all(wish in allowed for wish in wishes)


def allow(file: SettingsFile, wishes: Iterable[str]) -> None:
    """Note that a file, as it is now, may have what it asks for.

    Raises:
        SettingsError: the note can't be written.
    """
    _write(_read() | {_key(file.path): {"sha256": _digest(file), "allows": list(wishes)}})


def forget(path: Path) -> bool:
    """Take the consent to a file back; whether there was one.

    Raises:
        SettingsError: the note can't be written.
    """
    known = _read()
    if (key := _key(path)) not in known:
        return False
    del known[key]
    _write(known)
    return True


def _key(path: Path) -> str:
    """Name a file by its folder, whatever links lead there, and its own name."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _digest(file: SettingsFile) -> str:
    return hashlib.sha256(file.raw).hexdigest()


def _store() -> Path:
    from platformdirs import user_config_path

    return user_config_path("retrieval-qa") / "trusted.json"


def _read() -> dict[str, Any]:
    """What was allowed; nothing where that can't be read, so that it is asked for again."""
    from qa.corpus.regular import read_regular

    with suppress(OSError, ValueError, RecursionError):
        known = json.loads(read_regular(str(_store()), _LARGEST))
        if isinstance(known, dict):
            return known
    return {}


def _write(known: dict[str, Any]) -> None:
    store = _store()
    beside = ""
    try:
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f"{store.name}.", dir=store.parent)  # mode 0600
        os.close(handle)
        Path(beside).write_text(json.dumps(known, indent=1), "utf-8")
        Path(beside).replace(store)
    except OSError as error:
        if beside:
            Path(beside).unlink(missing_ok=True)
        raise SettingsError(
            f"The consent can't be kept: {store}: {error.strerror}",
            hint=f"Make that folder writable, or set {VARIABLE} in the environment.",
        ) from error
