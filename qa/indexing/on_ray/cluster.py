"""The connection to a Ray cluster, or one of this machine's own for as long as it is needed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.errors import ClusterError, MissingExtraError, SettingsError
from qa.unfinished import dropped_if_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_address", "connected", "cores_of_cluster"]

_ADDRESS = re.compile(r"local|auto|(?:ray://)?(?P<host>[\w.-]+|\[[\da-fA-F:]+\]):(?P<port>\d{1,5})")
_SECONDS = 5.0  # that a cluster has to answer a first call
_STORE = 512 * 2**20  # bytes of memory for what is under way, of a cluster that is started here
# Ray reports to nobody, gives up sooner on what does not answer, and tells us of no plans of its.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_rpc_server_connect_timeout_s": "5",
    "RAY_py_gcs_connect_timeout_s": "5",
    "RAY_NUM_REDIS_GET_RETRIES": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
# Of a cluster that is started here. Its processes listen on this machine alone; and since one of
# them asks the network for what cloud it is in, even where reports are off, that is led nowhere.
_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "localhost",
}


def check_address(address: str) -> None:
    """Refuse what is no address of a cluster.

    Raises:
        SettingsError: it is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"] or 1) < 2**16:
        raise SettingsError(
            f"address is {address!r:.80}",
            hint='Give "local", "auto", "HOST:PORT" or "ray://HOST:PORT".',
        )


@contextmanager
def connected(address: str, *, cores: int) -> Iterator[None]:
    """Be connected to a cluster; a connection that there is already is used, and stays.

    Args:
        address: of the cluster; "local" starts one for as long as this is open.
        cores: that such a one may use.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster, or none that can be used.
    """
    _reach(address)
    is_local = address == "local"
    with ExitStack() as held:
        with _environment(_QUIET | _ALONE if is_local else _QUIET):
            try:
                import ray
            except ImportError as error:
                raise MissingExtraError("Indexing on Ray", "ray") from error
            if not ray.is_initialized():
                options: dict[str, Any] = {}
                if is_local:
                    folder = held.enter_context(_folder())
                    options = {
                        "num_cpus": cores,
                        "object_store_memory": _STORE,
                        "include_dashboard": False,
                        "_temp_dir": folder,
                    }
                held.callback(ray.shutdown)
                with _signals_kept():
                    _initialise(ray, address, options)
        if not cores_of_cluster():
            raise ClusterError(
                f"The Ray cluster at {address} has no cores for work",
                hint="Add nodes to it, or start it with --num-cpus.",
            )
        yield


def cores_of_cluster() -> int:
    """How many cores the cluster has that this process is connected to."""
    import ray

    resources: Any = ray.cluster_resources  # it is untyped
    return int(resources().get("CPU", 0))


def _initialise(ray: Any, address: str, options: Mapping[str, Any]) -> None:  # noqa: ANN401
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR", **options)
    except Exception as error:
        where = "on this machine" if address == "local" else f"at {address}"
        said = " ".join(str(error).split())
        if address == "auto" and isinstance(error, ConnectionError):
            raise ClusterError(
                "No Ray cluster runs on this machine",
                hint="Start one: ray start --head.",
            ) from error
        if "ersion mismatch" in said:
            hint = "Use the same versions of Ray and Python on this machine and in the cluster."
        elif address != "local" and not address.startswith("ray://"):
            hint = "This machine must be a node of it (ray start --address …); else use ray://."
        else:
            hint = "Look at what Ray says of it, above or in its logs."
        raise ClusterError(f"Ray {where} can't be used: {said:.300}", hint=hint) from error


def _reach(address: str) -> None:
    """See whether something listens there, which Ray itself would take long to find out."""
    found = _ADDRESS.fullmatch(address)
    if found is None or found["host"] is None:
        return
    try:
        where = (found["host"].strip("[]"), int(found["port"]))
        socket.create_connection(where, timeout=_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"There is no Ray cluster at {address}: {error.strerror or error}",
            hint="Check the address, and that the cluster runs.",
        ) from error


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that Ray, and what it starts, read when they start."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _folder() -> Iterator[str]:
    """A folder for the logs and sockets of a cluster; short, since a socket's path has to be."""
    short = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108 - mkdtemp is safe in it
    folder = tempfile.mkdtemp(prefix="qa-ray-", dir=short)
    try:
        with dropped_if_stopped(lambda: shutil.rmtree(folder, ignore_errors=True)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep who is told of signals: Ray puts itself in their place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
