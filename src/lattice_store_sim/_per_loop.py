"""What lets a synchronous fixture hand out a storage on a real server.

A connection belongs to the event loop it was made in, and a fixture that is no coroutine has none. So each loop
that uses the storage opens it at its first call. An asynchronous generator holds it open, because those are
finalised when a loop ends: by `asyncio.run`, by pytest-asyncio and by anyio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import attrs

from lattice_store.errors import LatticeStoreError, StorageClosedError
from lattice_store.limits import DEFAULT_ACK_WINDOW
from lattice_store.model import DELIVER_ALL, DeliverPolicy, PubAck, Publication
from lattice_store.storage import Replay, Storage
from lattice_store.testing import ForwardingStorage


@attrs.define
class _Opened:
    """What one event loop opened, under the lock."""

    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    keeper: AsyncGenerator[Storage, None] | None = None
    storage: Storage | None = None


class PerLoopStorage(ForwardingStorage):
    """Implements `lattice_store.storage.Storage`; every event loop that uses it gets one of its own.

    Args:
        open_storage: makes a storage for the running loop; all of them must reach the same streams.
    """

    def __init__(self, open_storage: Callable[[], Awaitable[Storage]]) -> None:
        self._open_storage = open_storage
        self._by_loop: dict[asyncio.AbstractEventLoop, _Opened] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"PerLoopStorage({', '.join(repr(opened.storage) for opened in self._by_loop.values())})"

    async def _held_open(self) -> AsyncGenerator[Storage, None]:
        storage = await self._open_storage()
        try:
            yield storage
        finally:
            await storage.aclose()

    async def _here(self) -> Storage:
        """Return the storage of the running loop.

        Raises:
            StorageClosedError: after `aclose`.
        """
        if self._closed:
            raise StorageClosedError("the storage is closed")
        loop = asyncio.get_running_loop()
        opened = self._by_loop.get(loop)
        if opened is None:
            opened = self._by_loop[loop] = _Opened()
        async with opened.lock:
            if opened.storage is None:
                opened.keeper = self._held_open()
                opened.storage = await anext(opened.keeper)
            return opened.storage

    async def aclose(self) -> None:
        self._closed = True
        opened = self._by_loop.pop(asyncio.get_running_loop(), None)
        if opened is not None and opened.keeper is not None:
            await opened.keeper.aclose()

    def close(self) -> None:
        """Close from outside of all loops: what those that ended had opened is closed already, the others stand idle."""
        for loop in list(self._by_loop):
            if not loop.is_closed():
                loop.run_until_complete(self.aclose())

    # -- the protocol, forwarded ----------------------------------------------------------------

    async def _forward(self, method: str, *arguments: Any, **options: Any) -> Any:
        return await getattr(await self._here(), method)(*arguments, **options)

    async def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        async with aclosing((await self._here()).publish_many(publications, window=window)) as results:
            async for result in results:
                yield result

    @asynccontextmanager
    async def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AsyncIterator[Replay]:
        async with (await self._here()).replay(stream, subjects=subjects, deliver=deliver) as replay:
            yield replay
