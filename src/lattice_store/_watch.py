"""Following a lattice: snapshot, `CaughtUp`, changes, and `Reset` when the stream is not the same any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import attrs

from lattice_store._formats import StreamFormat
from lattice_store._records import Key, Record
from lattice_store._view import Change, Entry, LatticeView, RecordCorrupt, RecordPut, RecordRemoved
from lattice_store.clock import Clock
from lattice_store.errors import (
    ConnectionLostError,
    LatticeStoreError,
    ReplayInterruptedError,
    ResetReason,
    StorageClosedError,
    StorageTimeoutError,
    StorageUnavailableError,
    StreamNotFoundError,
)
from lattice_store.limits import Limits
from lattice_store.model import DELIVER_LAST_PER_SUBJECT
from lattice_store.storage import Replay, Storage

_PASSES_BY_ITSELF = (StreamNotFoundError, StorageUnavailableError, StorageTimeoutError, ConnectionLostError)


@attrs.frozen
class CaughtUp:
    """All that was in the stream at the beginning, or at a reset, has been yielded."""

    revision: int
    records: int


@attrs.frozen
class Reset:
    """The stream was lost or replaced. A new snapshot follows, as differences, and then another `CaughtUp`."""

    reason: ResetReason


Event: TypeAlias = Change | CaughtUp | Reset


class Watch:
    """The events of a lattice, for one reader: every record, `CaughtUp`, then each change as it comes.

    A slow reader holds up nobody: what arrives meanwhile waits in the replay's bounded buffer, then in the
    stream, which keeps the last value of each record. Of a batch of more than ``limits.watch_buffer``
    changes only the newest of each record is yielded; `coalesced` counts the others.
    """

    def __init__(
        self,
        storage: Storage,
        format_: StreamFormat,
        subjects: Sequence[str],
        *,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._storage, self._format, self._subjects = storage, format_, subjects
        self._limits, self._clock = limits, clock
        self._on_batch: Callable[[], None] = lambda: None
        self._stack = AsyncExitStack()
        self._replay: Replay | None = None
        self._view = LatticeView(format_)
        self._coalesced = 0

    @property
    def view(self) -> LatticeView:
        """The records as of the last event; complete once `CaughtUp` was yielded. A reset replaces the object."""
        return self._view

    @property
    def coalesced(self) -> int:
        """Changes left out because a newer one of the same record had already arrived."""
        return self._coalesced

    def call_after_each_batch(self, callback: Callable[[], None]) -> None:
        """Have *callback* called whenever the view moved on, also by a batch without a change."""
        self._on_batch = callback

    async def __aenter__(self) -> Watch:
        self._replay = await self._stack.enter_async_context(self._open())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events for ever.

        Raises:
            StorageClosedError: the storage was closed.
            PermissionDeniedError: after a reset, the stream may not be read any more.
        """
        replay = self._replay
        if replay is None:
            raise StorageClosedError("a watch is read inside its 'async with' block")
        while True:
            try:
                async for event in self._events(replay):
                    yield event
            except ReplayInterruptedError as error:
                yield Reset(error.reason)
            replay = await self._reopened()

    async def _events(self, replay: Replay) -> AsyncIterator[Event]:
        batches = replay.batches()
        fresh = LatticeView(self._format)
        fresh.advance(replay.stream.state.last_sequence if replay.caught_up else 0)
        if not replay.caught_up:
            async for batch in batches:
                fresh.absorb(batch)
                if batch.caught_up:
                    break
        former, self._view = self._view, fresh
        self._on_batch()
        for change in former.changes_to(fresh):
            yield change
        yield CaughtUp(fresh.revision, len(fresh))
        async for batch in batches:
            changes = fresh.apply_batch(batch)
            self._on_batch()
            for change in self._bounded(changes):
                yield change

    def _bounded(self, changes: Sequence[Change]) -> Iterable[Change]:
        if len(changes) <= self._limits.watch_buffer:
            return changes
        newest = coalesce(changes)
        self._coalesced += len(changes) - len(newest)
        return newest

    def _open(self) -> AbstractAsyncContextManager[Replay]:
        return self._storage.replay(self._format.stream, subjects=self._subjects, deliver=DELIVER_LAST_PER_SUBJECT)

    async def _reopened(self) -> Replay:
        """Open the next replay as soon as the stream is back."""
        pause_ns = self._limits.retry_min_ns
        while True:
            await self._stack.aclose()
            try:
                return await self._stack.enter_async_context(self._open())
            except _PASSES_BY_ITSELF:
                await self._clock.sleep(pause_ns)
                pause_ns = min(2 * pause_ns, self._limits.retry_max_ns)


def coalesce(changes: Sequence[Change]) -> list[Change]:
    """Keep one change of each record: from what it was before the first to what it is after the last."""
    newest: dict[Key | str, Change] = {}
    before: dict[Key, Entry[Record] | None] = {}
    for change in changes:
        if isinstance(change, RecordCorrupt):
            newest[change.error.subject] = change
            continue
        key = change.key if isinstance(change, RecordRemoved) else change.entry.record.key
        first = before.setdefault(key, change.previous)
        newest.pop(key, None)  # so that a record takes the place of its newest change
        if isinstance(change, RecordPut):
            newest[key] = RecordPut(change.entry, first)
        elif first is not None:
            newest[key] = RecordRemoved(key, change.revision, first)
    return list(newest.values())


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
        self._failure: LatticeStoreError | None = None

    @property
    def view(self) -> LatticeView:
        """The records as they are now. A reset replaces the object."""
        return self._watch.view

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
            LatticeStoreError: following ended for good, for this reason.
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
                await asyncio.gather(task, return_exceptions=True)
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
                    self._refuse(ReplayInterruptedError(self.view.prefix, event.reason, self.view.revision))
        except LatticeStoreError as error:
            self._end(error)

    def _wake(self) -> None:
        if self._current:
            for arrived, revision in list(self._waiting.items()):
                if self.view.revision >= revision and not arrived.done():
                    arrived.set_result(None)

    def _refuse(self, error: LatticeStoreError) -> None:
        for arrived in self._waiting:
            if not arrived.done():
                arrived.set_exception(error)

    def _end(self, error: LatticeStoreError) -> None:
        self._current = False
        self._failure = self._failure or error
        self._refuse(self._failure)
