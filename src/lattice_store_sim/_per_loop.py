"""What lets a synchronous fixture hand out a storage on a real server.

A connection belongs to the event loop it was made in, and a fixture that is no coroutine has none. So each loop
that uses the storage opens it at its first call. An asynchronous generator holds it open, because those are
finalised when a loop ends: by `asyncio.run`, by pytest-asyncio and by anyio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

import attrs

from lattice_store.errors import LatticeStoreError, StorageClosedError
from lattice_store.headers import NO_HEADERS
from lattice_store.limits import DEFAULT_ACK_WINDOW
from lattice_store.model import (
    DELIVER_ALL,
    DeliverPolicy,
    Expect,
    Message,
    PubAck,
    Publication,
    StreamConfig,
    StreamInfo,
)
from lattice_store.storage import ClosingStorage, Replay, Storage


@attrs.define
class _Opened:
    """What one event loop opened, under the lock."""

    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    keeper: AsyncGenerator[Storage, None] | None = None
    storage: Storage | None = None


class PerLoopStorage(ClosingStorage):
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

    async def create_stream(self, config: StreamConfig) -> StreamInfo:
        return await (await self._here()).create_stream(config)

    async def update_stream(self, config: StreamConfig) -> StreamInfo:
        return await (await self._here()).update_stream(config)

    async def delete_stream(self, stream: str) -> None:
        await (await self._here()).delete_stream(stream)

    async def stream_info(self, stream: str) -> StreamInfo:
        return await (await self._here()).stream_info(stream)

    async def list_streams(self, *, subject: str | None = None) -> tuple[str, ...]:
        return await (await self._here()).list_streams(subject=subject)

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        message_id: str | None = None,
        expect: Expect | None = None,
    ) -> PubAck:
        storage = await self._here()
        return await storage.publish(subject, payload, headers=headers, message_id=message_id, expect=expect)

    async def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        async with aclosing((await self._here()).publish_many(publications, window=window)) as results:
            async for result in results:
                yield result

    async def get_message(self, stream: str, sequence: int) -> Message:
        return await (await self._here()).get_message(stream, sequence)

    async def get_last_message(self, stream: str, subject: str) -> Message:
        return await (await self._here()).get_last_message(stream, subject)

    async def delete_message(self, stream: str, sequence: int) -> None:
        await (await self._here()).delete_message(stream, sequence)

    async def purge(
        self,
        stream: str,
        *,
        subject: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
    ) -> int:
        storage = await self._here()
        return await storage.purge(stream, subject=subject, before_sequence=before_sequence, keep=keep)

    @asynccontextmanager
    async def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AsyncIterator[Replay]:
        async with (await self._here()).replay(stream, subjects=subjects, deliver=deliver) as replay:
            yield replay
