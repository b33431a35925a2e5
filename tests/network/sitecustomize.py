"""Refuses and notes any attempt to reach a network.

The tests put this folder on `PYTHONPATH`, so that every Python they start imports it at once.
The file that `NETWORK_ATTEMPTS` names gets a line for each attempt: what is noted there fails the
test even if the program under test swallows the error. Sockets of this machine are left alone, and
those of the addresses that `NETWORK_NODES` names: a test's own nodes, which reach nothing else.
"""

from __future__ import annotations

import os
import sys

LOG, NODES = "NETWORK_ATTEMPTS", "NETWORK_NODES"
_ADDRESS_AT = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}
_HERE = {"localhost", "127.0.0.1", "::1", "", None, *os.environ.get(NODES, "").split()}


def _refuse(event: str, given: tuple[object, ...]) -> None:
    if event not in _ADDRESS_AT:
        return
    address = given[_ADDRESS_AT[event]]
    if address is None and event == "socket.sendmsg":
        return  # connected before
    if event.startswith(("socket.connect", "socket.send")) and not isinstance(address, tuple):
        return  # of this machine: a path, or a netlink
    host = address[0] if isinstance(address, tuple) else address
    if (host.decode() if isinstance(host, bytes) else host) in _HERE:
        return
    attempt = f"{event} {address!r} by {' '.join(sys.orig_argv)[:200]!r}"
    with open(os.environ[LOG], "a", encoding="utf-8") as log:  # noqa: PTH123 - nothing imported
        log.write(f"{attempt}\n")
    raise OSError(f"a network was to be reached: {attempt}")


if LOG in os.environ:
    sys.addaudithook(_refuse)
