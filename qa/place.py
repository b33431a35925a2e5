"""Where an index is on a Milvus server: the server's address and a name for its collections."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qa.errors import SettingsError

__all__ = ["SCHEME", "MilvusPlace", "name_for", "parse_place"]

SCHEME = "milvus:"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_ADDRESS = re.compile(r"https?://[^\s/@]+(?::\d+)?")


@dataclass(frozen=True, slots=True)
class MilvusPlace:
    """A server's address, and what the names of the index's collections begin with."""

    uri: str
    name: str

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.uri):
            raise SettingsError(
                f"uri is {self.uri!r:.80}",
                hint="Give the server's address, like http://127.0.0.1:19530; the token goes into "
                "the environment variable MILVUS_TOKEN.",
            )
        if not _NAME.fullmatch(self.name):
            raise SettingsError(
                f"{self.name!r:.80} can't name an index on Milvus",
                hint="Give letters, digits and underscores, at most 100, with --index.",
            )

    def __str__(self) -> str:
        return f"{SCHEME}{self.uri}/{self.name}"


def parse_place(text: str, uri: str | None) -> MilvusPlace:
    """Read `milvus:NAME`, on the server at `uri`, or `milvus:http://HOST:PORT/NAME`.

    Raises:
        SettingsError: it is neither.
    """
    address, _, name = text.removeprefix(SCHEME).rpartition("/")
    return MilvusPlace(address or uri or "", name)


def name_for(corpus: str, digest: str) -> str:
    """A name for the index of a corpus: what of the folder's name may stand in one, and a digest.

    Args:
        corpus: the name of the folder.
        digest: of its path, hexadecimal.
    """
    letters = re.sub(r"[^A-Za-z0-9]+", "_", corpus).strip("_")[:40]
    return f"qa_{letters}_{digest}" if letters else f"qa_{digest}"
