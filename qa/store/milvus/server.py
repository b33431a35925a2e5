"""The connection to a Milvus server: the only module that imports pymilvus.

Every call has a time limit. Where the server is away, it is tried again, later and later, with a
new client each time, for as long as the caller has patience; then one error says so.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from qa.errors import (
    IndexMissingError,
    MissingExtraError,
    QaError,
    ServerDeniedError,
    ServerUnreachableError,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pymilvus import MilvusClient

    from qa.store.milvus.layout import Collection

__all__ = ["PATIENCE", "Server"]

PATIENCE = 3.0  # seconds that a server may be away before a question fails
_LIMIT = 60.0  # seconds that one call may take
_CONNECT = 3.0  # seconds to connect in
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_AT_ONCE = 1000  # rows of a page
_TOKEN, _CERTIFICATE = "MILVUS_TOKEN", "MILVUS_CERTIFICATE"
_MISSING, _NOT_LOADED = {4, 100}, {101}
_DENIED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "auth check failure", "permission deny")
_AWAY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "Fail connecting", "Retry timeout", "Retry run out")
_FULL = ("No space left", "disk quota", "no enough disk", "ENOSPC", "disk full", "DiskQuota")
_T = TypeVar("_T")


class Server:
    """A Milvus server, connected to when it is first needed."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._client: MilvusClient | None = None
        self._connecting = threading.Lock()

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        with self._connecting:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # --- rows ---------------------------------------------------------------------------

    def get(
        self, collection: str, ids: Sequence[int | str], fields: Sequence[str]
    ) -> dict[Any, dict[str, Any]]:
        """The rows with some ids, by id; those that are not there are left out."""
        found: dict[Any, dict[str, Any]] = {}
        for n in range(0, len(ids), _AT_ONCE):
            chosen = f"id in {_listed(ids[n : n + _AT_ONCE])}"
            for row in self._query(collection, chosen, fields, limit=None):
                found[row["id"]] = row
        return found

    def scan(
        self, collection: str, chosen: str, fields: Sequence[str], *, after: int | str = 0
    ) -> Iterator[dict[str, Any]]:
        """All rows of a collection that an expression chooses, by id, from the one after `after`.

        Ids are whole numbers, or texts, of which "" comes before all.
        """
        while page := self._query(
            collection,
            f"id > {json.dumps(after, ensure_ascii=False)} and ({chosen})",
            fields,
            limit=_AT_ONCE,
        ):
            page.sort(key=lambda row: row["id"])
            yield from page
            if len(page) < _AT_ONCE:
                return
            after = page[-1]["id"]

    def _query(
        self, collection: str, chosen: str, fields: Sequence[str], *, limit: int | None
    ) -> list[dict[str, Any]]:
        # As an iterator asks, which alone has pages in the order of ids on every server.
        paged = (
            {}
            if limit is None
            else {"limit": limit, "iterator": "True", "reduce_stop_for_best": "True"}
        )

        def ask(client: MilvusClient) -> list[dict[str, Any]]:
            return list(
                client.query(
                    collection,
                    filter=chosen,
                    output_fields=["id", *fields],
                    timeout=_LIMIT,
                    consistency_level="Strong",
                    **paged,
                )
            )

        return self.call(ask, of=collection)

    def search(
        self, collection: str, field: str, wanted: object, k: int, chosen: str, *, metric: str
    ) -> list[int]:
        """The ids of the `k` rows nearest to what is wanted, nearest first."""

        def ask(client: MilvusClient) -> list[int]:
            [hits] = client.search(
                collection,
                data=[wanted],
                anns_field=field,
                limit=k,
                filter=chosen,
                output_fields=["id"],
                search_params={"metric_type": metric},
                timeout=_LIMIT,
                consistency_level="Strong",
            )
            return [int(hit["id"]) for hit in hits]

        return self.call(ask, of=collection)

    def put(
        self, collection: str, rows: Sequence[Mapping[str, object]], *, patience: float
    ) -> None:
        """Write rows, each in the place of one with its id."""
        self.call(
            lambda client: client.upsert(collection, data=list(rows), timeout=_LIMIT),
            patience=patience,
            of=collection,
        )

    def delete(self, collection: str, chosen: str, *, patience: float = PATIENCE) -> None:
        """Delete the rows that an expression chooses."""
        self.call(
            lambda client: client.delete(collection, filter=chosen, timeout=_LIMIT),
            patience=patience,
            of=collection,
        )

    # --- collections --------------------------------------------------------------------

    def has(self, collection: str) -> bool:
        """Whether there is such a collection."""
        return self.call(lambda client: bool(client.has_collection(collection, timeout=_LIMIT)))

    def names(self) -> list[str]:
        """The names of all collections."""
        return self.call(lambda client: list(client.list_collections(timeout=_LIMIT)))

    def make(self, name: str, collection: Collection) -> None:
        """Make a collection, where there is none of that name."""
        if self.has(name):
            return

        def ask(client: MilvusClient) -> None:
            from pymilvus import Function, FunctionType

            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            indexes = client.prepare_index_params()
            for field in collection.fields:
                schema.add_field(field.name, _kind(field.kind), **field.options)
                if field.metric:
                    indexes.add_index(field.name, index_type=field.index, metric_type=field.metric)
            for source, target in collection.functions:
                schema.add_function(
                    Function(
                        name=f"{target}_of_{source}",
                        function_type=FunctionType.BM25,
                        input_field_names=[source],
                        output_field_names=[target],
                    )
                )
            client.create_collection(
                name,
                schema=schema,
                index_params=indexes,
                consistency_level="Strong",
                timeout=_LIMIT,
            )

        self.call(ask)

    def drop(self, name: str) -> None:
        """Delete a collection with all its rows."""
        self.call(lambda client: client.drop_collection(name, timeout=_LIMIT))

    # --- how ----------------------------------------------------------------------------

    def version(self) -> str:
        """What the server says that it is."""
        return self.call(lambda client: str(client.get_server_version(timeout=_CONNECT)))

    def call(
        self,
        ask: Callable[[MilvusClient], _T],
        *,
        patience: float = PATIENCE,
        of: str = "",
    ) -> _T:
        """Call the server.

        Args:
            ask: does it; it may be done again, and must not mind.
            patience: seconds for which it is tried again while the server is away.
            of: the collection that is asked, which a server that was restarted has to load first.

        Raises:
            ServerUnreachableError: the server is away for longer.
            ServerDeniedError: it refuses the token.
            IndexMissingError: there is no such collection.
            StorageError: the server's disk is full, or it fails in another way.
        """
        until, pause = time.monotonic() + patience, _FIRST_PAUSE
        while True:
            try:
                return ask(self._connected())
            except QaError:
                raise
            except Exception as error:
                if of and _code(error) in _NOT_LOADED:
                    self._load(of)
                    of = ""
                    continue
                known = self._known(error)
                if isinstance(known, ServerUnreachableError):
                    self.close()
                    if time.monotonic() + pause < until:
                        time.sleep(pause)
                        pause = min(2 * pause, _LONGEST_PAUSE)
                        continue
                raise known from error

    def _load(self, collection: str) -> None:
        self.call(lambda client: client.load_collection(collection, timeout=_LIMIT))

    def _connected(self) -> MilvusClient:
        with self._connecting:
            if self._client is None:
                try:
                    from pymilvus import MilvusClient
                except ImportError as error:
                    raise MissingExtraError("The store on Milvus", "milvus") from error
                logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it says all twice
                options: dict[str, Any] = {}
                if certificate := os.environ.get(_CERTIFICATE):
                    options = {"secure": True, "server_pem_path": certificate}
                self._client = MilvusClient(
                    uri=self._uri,
                    token=os.environ.get(_TOKEN, ""),
                    timeout=_CONNECT,
                    dedicated=True,  # else one that lost its server is handed out again
                    **options,
                )
            return self._client

    def _known(self, error: Exception) -> Exception:
        """What a person is told of an error."""
        from pymilvus.exceptions import MilvusException

        cause = _cause(error)
        code = _code(cause)
        said = f"{getattr(code, 'name', code)} {cause}"
        if any(word in said for word in _DENIED):
            return ServerDeniedError(
                f"The Milvus server at {self._uri} refuses the token",
                hint=f"Set the environment variable {_TOKEN} to one that it knows.",
            )
        if any(word.lower() in said.lower() for word in _FULL):
            return StorageError(
                f"No space left on the Milvus server at {self._uri}",
                hint="Free some space there; what was indexed is kept.",
            )
        if any(word in said for word in _AWAY) or isinstance(error, ConnectionError):
            return ServerUnreachableError(
                f"No Milvus server answers at {self._uri}",
                hint="Start it, or give its address with the setting `uri`.",
            )
        if code is None and not isinstance(error, MilvusException):
            return error  # a mistake of ours
        if code in _MISSING:
            return IndexMissingError(
                f"There is no such index on {self._uri}", hint="Build it with `qa index`."
            )
        return StorageError(
            f"The Milvus server at {self._uri} failed: {error}"[:500],
            hint="Its own log says more; what was indexed is kept.",
        )


def _code(error: BaseException) -> object:
    """The code of an error of grpc's or pymilvus's."""
    code = getattr(error, "code", None)
    return code() if callable(code) else code


def _cause(error: BaseException) -> BaseException:
    """The error of grpc's behind one of pymilvus's, which says only that it can't connect."""
    one: BaseException | None = error
    seen: set[int] = set()
    while one is not None and id(one) not in seen:  # pymilvus raises errors from themselves
        if callable(getattr(one, "code", None)):
            return one
        seen.add(id(one))
        one = one.__cause__ if one.__cause__ not in {None, one} else one.__context__
    return error


def _kind(name: str) -> Any:  # noqa: ANN401 - an enumeration of pymilvus
    from pymilvus import DataType

    return DataType[name]


def _listed(ids: Sequence[int | str]) -> str:
    """A list in an expression; text must hold no quotes."""
    return "[" + ", ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in ids) + "]"
