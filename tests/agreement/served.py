"""The simulator behind a socket, as clients meet it: the same answers as in process, and as the running server's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final, TypeVar

from lattice_store.clock import SystemClock
from lattice_store_sim import SimServer, TcpServer, serve
from tests.agreement.client import Arrival, Client
from tests.agreement.ground import Ground
from tests.agreement.sides import Connected, Side

T = TypeVar("T")
_PONG_S: Final = 10.0


class Loop:
    """An event loop in a thread of its own: the machines are synchronous, the server is not."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="served", daemon=True)
        self._thread.start()

    def wait(self, awaitable: Awaitable[T]) -> T:
        async def awaiting() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaiting(), self._loop).result(_PONG_S)

    def call(self, function: Callable[[], T]) -> T:
        async def calling() -> T:
            return function()

        return self.wait(calling())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Served(Connected):
    """A simulated server of its own on TCP, and one connection to it."""

    name: ClassVar = "the simulator over TCP"

    def __init__(self, loop: Loop, profile: str, domain: str) -> None:
        self._loop = loop
        self._clock = SystemClock()
        self._sim = SimServer(profile=profile, domain=domain)
        self._serving: AbstractAsyncContextManager[TcpServer] = serve(self._sim)
        self.server = loop.wait(self._serving.__aenter__())
        self._client = Client(self.server.url)
        self._sids: dict[tuple[str, str], str] = {}
        self._due_ns: int | None = None

    @property
    def deadline_ns(self) -> int | None:
        """When something comes due, or came due since it was last listened to: the server does not wait for that."""
        due = (self._due_ns, self._loop.call(self._next_deadline_ns))
        return min((one for one in due if one is not None), default=None)

    def _next_deadline_ns(self) -> int | None:
        return self._sim._core.next_deadline_ns

    def at(self, moment_ns: int) -> None:
        """Messages arrive when they do."""

    def receive(self, wait_s: float) -> list[Arrival]:
        return self.settle()

    def settle(self) -> list[Arrival]:
        """Return all that comes of what was sent: the server says when it has no more to do."""
        arrived: list[Arrival] = []
        idle = False
        while not idle:
            self._client.flush_and_wait(_PONG_S)  # it has read all
            idle = self._loop.call(self._idle)
            self._client.flush_and_wait(_PONG_S)  # and all it has written is here
            arrived += self._client.read(0)
        self._due_ns = self._loop.call(self._next_deadline_ns)
        return arrived

    def _idle(self) -> bool:
        """Return whether nothing happens before time passes or something is sent."""
        core, server = self._sim._core, self.server
        due_ns = core.due_ns
        later = due_ns is None or due_ns > self._clock.now_ns()
        return later and not core.outbox and not server._due and not server._rung

    def restart(self) -> None:
        self._client.flush_and_wait(_PONG_S)
        self._client.close()
        self._loop.call(self._sim.restart)
        self._client = Client(self.server.url)
        self._sids = {key: self._client.subscribe(*key) for key in self._sids}

    def close(self) -> None:
        self._client.close()
        self._loop.wait(self._serving.__aexit__(None, None, None))


class ServedGround(Ground):
    """Where the simulated side of every example is on TCP, too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._loop = Loop()
        self._standing: Served | None = None

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        if self._standing is not None:
            self._standing.close()
        self._loop.close()

    @property
    def simulated_url(self) -> str:
        if self._standing is None:
            self._standing = Served(self._loop, self.profile, self.domain)
        return self._standing.server.url

    def lead(self) -> Side:
        return Served(self._loop, self.profile, self.domain)
