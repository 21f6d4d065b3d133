"""A view that follows its lattice in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lattice_store._view import LatticeView
from lattice_store._watch import CaughtUp, Reset, Watch
from lattice_store.errors import ReplayInterruptedError, StorageClosedError


class LiveView:
    """A view that follows its lattice in the background, as long as ``Lattice.attach`` is open.

    Reads of the lattice are answered from it, and a put returns once it has arrived here.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        watch.call_after_each_batch(self._wake)
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._resets = 0
        self._current = False
        self._failure: Exception | None = None

    @property
    def view(self) -> LatticeView:
        """The records as they are now. A reset replaces the object."""
        return self._watch.view

    @property
    def created_ns(self) -> int:
        """When the stream that is followed was created, which tells it from others of its name."""
        return self._watch.created_ns

    @property
    def resets(self) -> int:
        """How often the stream was lost or replaced."""
        return self._resets

    @property
    def is_current(self) -> bool:
        """Whether the view follows: caught up, not failed, and not waiting for a lost stream to come back.

        That a stream was lost is known once the following task has heard of it, a moment after it happened.
        """
        return self._current

    async def wait_for(self, revision: int) -> None:
        """Wait until everything up to *revision* is in the view. Bound it with ``asyncio.timeout``.

        Raises:
            ReplayInterruptedError: the stream was lost or replaced meanwhile; its revisions began anew.
            Exception: what ended the following for good; mostly a `LatticeStoreError`.
        """
        if self._failure is not None:
            raise self._failure
        if self._current and self.view.revision >= revision:
            return
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[arrived] = revision
        try:
            await arrived
        finally:
            self._waiting.pop(arrived, None)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow in a task of its own; entered once the view has caught up."""
        async with self._watch:
            task = asyncio.create_task(self._follow(), name="lattice-store live view")
            try:
                await self.wait_for(0)
                yield
            finally:
                task.cancel()
                try:
                    await asyncio.wait({task})
                finally:
                    self._end(StorageClosedError("the live view was left"))

    async def _follow(self) -> None:
        try:
            async for event in self._watch:
                if isinstance(event, CaughtUp):
                    self._current = True
                    self._wake()
                elif isinstance(event, Reset):
                    self._current = False
                    self._resets += 1
                    self._refuse(ReplayInterruptedError(self._watch.stream, event.reason, self.view.revision))
        except Exception as error:  # noqa: BLE001  # whatever ends this task is for those who wait to know
            self._end(error)

    def _wake(self) -> None:
        if self._current:
            for arrived, revision in list(self._waiting.items()):
                if self.view.revision >= revision and not arrived.done():
                    arrived.set_result(None)

    def _refuse(self, error: Exception) -> None:
        for arrived in self._waiting:
            if not arrived.done():
                arrived.set_exception(error)

    def _end(self, error: Exception) -> None:
        self._current = False
        self._failure = self._failure or error
        self._refuse(self._failure)
