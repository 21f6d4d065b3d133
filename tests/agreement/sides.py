"""The two sides of an agreement, told apart by nothing but what they answer; here the one that runs."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final, Protocol

from lattice_store.nats import LocalServer
from tests.agreement.client import Arrival, Client

KEEPER: Final = "KEEPER"
"""A file stream that stays: a server can fail to create one just after its last one was deleted."""

_CLEANER: Final = "_INBOX.cleaner"
_QUIET_S: Final = 0.02
_PONG_S: Final = 10.0


class Side(Protocol):
    """What a client can do with a server, and no more."""

    @property
    def name(self) -> str: ...

    @property
    def deadline_ns(self) -> int | None:
        """When something comes due by itself, where that is known."""
        ...

    def at(self, moment_ns: int) -> None:
        """Let what is sent until the next `receive` arrive at that time of day, where time is an argument."""
        ...

    def send(self, subject: str, payload: bytes, headers: bytes, reply: str) -> None:
        """Publish; what goes to the server, it may be kept until the next `receive`."""
        ...

    def subscribe(self, subject: str, group: str = "") -> None: ...

    def unsubscribe(self, subject: str, group: str = "") -> None: ...

    def receive(self, wait_s: float) -> list[Arrival]:
        """Return what has come, in order; if nothing has, wait for it at most *wait_s*."""
        ...

    def settle(self) -> list[Arrival]:
        """Return what has come once all that was sent is known to have been read."""
        ...

    def restart(self) -> None:
        """Stop the server in good order and start it again, with the same subscriptions."""
        ...

    def close(self) -> None:
        """Leave nothing behind for the next example."""
        ...


class Connected:
    """What is the same of every server behind one connection."""

    _client: Client
    _sids: dict[tuple[str, str], str]

    def send(self, subject: str, payload: bytes, headers: bytes, reply: str) -> None:
        self._client.publish(subject, payload, headers, reply)

    def subscribe(self, subject: str, group: str = "") -> None:
        self._sids[subject, group] = self._client.subscribe(subject, group)

    def unsubscribe(self, subject: str, group: str = "") -> None:
        self._client.unsubscribe(self._sids.pop((subject, group)))


class Running(Connected):
    """A real nats-server behind one connection, which serves example after example."""

    name: ClassVar = "the server"
    deadline_ns: ClassVar[None] = None

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self._client = Client(server.url)
        self._sids: dict[tuple[str, str], str] = {}

    def at(self, moment_ns: int) -> None:
        pass

    def receive(self, wait_s: float) -> list[Arrival]:
        return self._client.read(wait_s)

    def settle(self) -> list[Arrival]:
        """Also wait for a short silence: a server goes on working after it has read."""
        arrived = []
        self._client.flush_and_wait(_PONG_S)
        while more := self._client.read(_QUIET_S):
            arrived += more
        return arrived

    def restart(self) -> None:
        self._client.flush_and_wait(_PONG_S)
        self._client.close()
        self._server.restart()
        self._client = Client(self._server.url)
        self._sids = {key: self._client.subscribe(*key) for key in self._sids}

    def close(self) -> None:
        """End the subscriptions and delete the streams; server and connection stay for the next example."""
        for sid in self._sids.values():
            self._client.unsubscribe(sid)
        self._sids.clear()
        self._client.flush_and_wait(_PONG_S)
        self._client.read(0)
        for name in self._ask("$JS.API.STREAM.NAMES").get("streams") or []:
            if name != KEEPER:
                self._ask(f"$JS.API.STREAM.DELETE.{name}")

    def _ask(self, subject: str) -> dict[str, Any]:
        sid = self._client.subscribe(_CLEANER)
        self._client.publish(subject, reply=_CLEANER)
        [arrival] = self._client.read(_PONG_S)
        self._client.unsubscribe(sid)
        answer: dict[str, Any] = json.loads(arrival.payload)
        return answer

    def disconnect(self) -> None:
        self._client.close()
