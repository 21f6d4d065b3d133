"""A replay as its reader sees it: messages handed over by the server, taken in batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from lattice_store.errors import ReplayInterruptedError, ResetReason, StorageClosedError
from lattice_store.model import Batch, Message, StreamInfo
from lattice_store.storage import DerivedReplay
from lattice_store_sim._core._cursor import Cursor


class SimReplay(DerivedReplay):
    """Implements `lattice_store.storage.Replay`.

    Messages are handed over as soon as they are stored, as a push consumer's are: a message superseded a moment
    later is still seen. What the buffer has no room for stays in the stream, and may be removed before its turn.

    Args:
        info: the stream as it stands.
        cursor: where the replay begins.
        room: how many messages are held for a slow reader.
    """

    def __init__(self, info: StreamInfo, cursor: Cursor, room: int) -> None:
        self._info, self._room = info, room
        self.cursor = cursor
        self._pending, self._caught_up, self._sequence = cursor.pending, cursor.caught_up, cursor.sequence
        self._buffer: list[Message] = []
        self._last_delivered = 0
        self._news = asyncio.Event()
        self._closed = False
        self.interrupted: ResetReason | None = None
        self.fill()

    @property
    def stream(self) -> StreamInfo:
        return self._info

    @property
    def pending(self) -> int:
        return self._pending

    @property
    def caught_up(self) -> bool:
        return self._caught_up

    def fill(self) -> None:
        """Take over what the stream has for this replay, as far as there is room."""
        left = self._room - len(self._buffer)
        if left > 0:
            self._buffer += self.cursor.take(left)
            self._news.set()

    def interrupt(self, reason: ResetReason) -> None:
        """The stream is gone: once what was handed over has been read, the reader is told *reason*."""
        self.interrupted = reason
        self._news.set()

    def close(self) -> None:
        """Hand nothing over any more: a reader is told so, once it has read what it was given."""
        self._closed = True
        self._news.set()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        while True:
            batch = self._next_batch()
            if batch is not None:
                yield batch
            elif self._closed:
                raise StorageClosedError(f"the replay of {self._info.config.name} is closed")
            elif self.interrupted is not None:
                raise ReplayInterruptedError(self._info.config.name, self.interrupted, self._last_delivered)
            else:
                self._news.clear()
                await self._news.wait()

    def _next_batch(self) -> Batch | None:
        cursor = self.cursor
        if not self._buffer and (cursor.sequence, cursor.caught_up) == (self._sequence, self._caught_up):
            return None
        messages, self._buffer = self._buffer, []
        self._pending, self._caught_up, self._sequence = cursor.pending, cursor.caught_up, cursor.sequence
        if messages:
            self._last_delivered = messages[-1].sequence
        if self.interrupted is None and not self._closed:
            self.fill()
        return Batch(messages=messages, sequence=self._sequence, pending=self._pending, caught_up=self._caught_up)
