"""The smallest NATS client that shows everything a server sends: raw blocks, statuses, subjects as on the wire.

Synchronous, because a machine takes one step after the other and a round trip then costs no task switch.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from lattice_store.subjects import is_literal

_CONNECT: Final = {
    "verbose": False,
    "pedantic": False,
    "headers": True,
    "no_responders": True,
    "lang": "python",
    "version": "agreement",
    "protocol": 1,
}
_CHUNK: Final = 1 << 16
_LINE_END: Final = b"\r\n"


def monotonic_s() -> float:
    return SystemClock().monotonic_ns() / SECOND_NS


class Arrival(NamedTuple):
    """One message that came in."""

    to: str
    """What it was routed by: a subscribed literal subject, or below a subscribed wildcard the subject itself."""
    subject: str
    """The subject it shows; what a pull delivers keeps the stream's subject."""
    reply: str
    headers: bytes
    """The raw header block with its status line; empty if there is none."""
    payload: bytes


class ConnectionLostError(Exception):
    """The server ended the connection, or refused it; with its last words."""


class Client:
    """One connection. What is sent is buffered until `read` or `flush`."""

    def __init__(self, url: str, deadline_s: float = 10.0) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port), timeout=deadline_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out: list[bytes] = [b"CONNECT ", json.dumps(_CONNECT).encode(), b"\r\n"]
        self._in = bytearray()
        self._arrived: list[Arrival] = []
        self._pongs = 0
        self._subscribed: dict[str, str] = {}
        self._sids = 0
        self.flush_and_wait(deadline_s)

    def close(self) -> None:
        self._socket.close()

    # -- sending --------------------------------------------------------------------------------

    def subscribe(self, subject: str, group: str = "") -> str:
        """Subscribe, and return the ID to unsubscribe with."""
        self._sids += 1
        sid = str(self._sids)
        self._subscribed[sid] = subject if is_literal(subject) else ""
        self._out.append(f"SUB {subject} {group} {sid}\r\n".encode())
        return sid

    def unsubscribe(self, sid: str) -> None:
        del self._subscribed[sid]
        self._out.append(f"UNSUB {sid}\r\n".encode())

    def publish(self, subject: str, payload: bytes = b"", headers: bytes = b"", reply: str = "") -> None:
        if any(space in subject for space in " \t\r\n"):
            raise ValueError(f"{subject!r} cannot be sent: a subject on the wire has no whitespace")
        if headers:
            self._out.append(f"HPUB {subject} {reply} {len(headers)} {len(headers) + len(payload)}\r\n".encode())
            self._out.append(headers)
        else:
            self._out.append(f"PUB {subject} {reply} {len(payload)}\r\n".encode())
        self._out += (payload, _LINE_END)

    def flush(self) -> None:
        if self._out:
            self._socket.sendall(b"".join(self._out))
            self._out.clear()

    # -- receiving ------------------------------------------------------------------------------

    def read(self, wait_s: float) -> list[Arrival]:
        """Send what is buffered; return what has arrived, waiting for the first of it at most *wait_s*."""
        self.flush()
        end = monotonic_s() + wait_s
        while not self._arrived and (left := end - monotonic_s()) > 0:
            self._take_in(left)
        arrived, self._arrived = self._arrived, []
        return arrived

    def flush_and_wait(self, wait_s: float) -> None:
        """Return when the server has read all that was sent; what arrives meanwhile is kept for `read`."""
        self._out.append(b"PING\r\n")
        self.flush()
        awaited, end = self._pongs + 1, monotonic_s() + wait_s
        while self._pongs < awaited:
            if (left := end - monotonic_s()) <= 0:
                raise ConnectionLostError(f"no PONG within {wait_s} s")
            self._take_in(left)

    def _take_in(self, wait_s: float) -> None:
        self._socket.settimeout(wait_s)
        try:
            chunk = self._socket.recv(_CHUNK)
        except TimeoutError:
            return
        if not chunk:
            raise ConnectionLostError("the server closed the connection")
        self._in += chunk
        self._arrived += self._parse()

    def _parse(self) -> Iterator[Arrival]:
        """Take whole operations off the buffer; an unfinished one stays."""
        start = 0
        while (end := self._in.find(_LINE_END, start)) >= 0:
            verb, _, rest = self._in[start:end].decode().partition(" ")
            after = end + 2
            match verb:
                case "MSG" | "HMSG":
                    arguments = rest.split()
                    total = int(arguments[-1])
                    if len(self._in) < after + total + 2:
                        break
                    body = bytes(self._in[after : after + total])
                    after += total + 2
                    if (arrival := self._arrival(arguments, body, with_headers=verb == "HMSG")) is not None:
                        yield arrival
                case "PING":
                    self._socket.sendall(b"PONG\r\n")
                case "PONG":
                    self._pongs += 1
                case "-ERR":
                    raise ConnectionLostError(rest)
            start = after
        del self._in[:start]

    def _arrival(self, arguments: list[str], body: bytes, *, with_headers: bool) -> Arrival | None:
        """Return the message; none if it was on its way when its subscription ended."""
        split = int(arguments[-2]) if with_headers else 0
        subject, sid, *reply = arguments[: -2 if with_headers else -1]
        if (literal := self._subscribed.get(sid)) is None:
            return None
        return Arrival(literal or subject, subject, reply[0] if reply else "", body[:split], body[split:])
